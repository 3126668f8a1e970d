/*
 * Rows of a table as FHIR resources (docs/formats/csv.md): a resident is a Patient, an
 * institution an Organization, a member of staff a Practitioner with a PractitionerRole.
 *
 * Pure: what must be looked up (which institution a name is) is asked of the caller. The id of
 * a resource follows from what identifies its row (ID card, record or staff number, code) by a
 * keyed hash, so that the same table imported twice changes nothing and the id tells nothing.
 */
#ifndef LINK_ROWS_H
#define LINK_ROWS_H

#include "link_map.h"

typedef struct LinkContext {
    const LinkMap *map;
    Str key; /* secret of this county */
    int64_t now_ms;
    int zone_min;
    bool proposed; /* posts wait for the security administrator's grant */
    /* "Organization/ID" of a name, a code or a reference; ERR_UNPROCESSABLE: none, or several. */
    Status (*organization)(void *ctx, Arena *a, Str text, Str *ret, Err *err);
    void *ctx;
} LinkContext;

typedef struct LinkResource {
    const char *type;
    Str id, body;
} LinkResource;

typedef struct LinkMade {
    LinkResource resource[2]; /* in the order of writing */
    size_t n;
    Str card;             /* of a resident or member of staff, normal form; or empty */
    Str name, code;       /* by which later rows may refer to an institution */
    Str username, person; /* staff: the account wanted, "Practitioner/ID" */
} LinkMade;

/* ERR_UNPROCESSABLE with what is wrong in the row; every fault, not only the first. */
Status link_row_make(const LinkContext *c, Arena *a, const LinkRecord *r, LinkMade *ret,
                     Err *err) MUST_USE;

/* 1956-03-08, 1956/3/8, 1956.3.8, 19560308, 1956年3月8日 → 1956-03-08; false if it is no day. */
bool link_date(Arena *a, Str text, Str *ret);

#endif
