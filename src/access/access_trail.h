/*
 * The trail: what the audit's segments hold, read back. Asked newest first; the running segment is
 * read as it grows, closed ones by their index (docs/formats/audit.md), so that "who saw this
 * patient" and "what did this person see" do not read six months.
 */
#ifndef ACCESS_TRAIL_H
#define ACCESS_TRAIL_H

#include "access.h"

/* One record. Absent members are empty. */
typedef struct TrailRecord {
    uint64_t n;
    int64_t at_ms;
    Str action, user, who, role, org, app, what, from, request;
    const Str *patients;
    size_t patients_n;
    int status;
} TrailRecord;

/* What is asked; empty or 0 means anything. All that is said must hold. */
typedef struct TrailQuery {
    const Str *patients; /* ids; one of them */
    size_t patients_n;
    const Str *persons; /* account, "Practitioner/ID" or "Organization/ID"; one of them */
    size_t persons_n;
    Str action, address, what; /* what: begins so */
    int status_from, status_to;
    int64_t from_ms, to_ms; /* at in [from, to); to 0: open */
    uint64_t n;             /* just this record */
    uint64_t before;        /* only records before this number */
    size_t limit;
} TrailQuery;

typedef struct TrailPage {
    const TrailRecord *record; /* newest first */
    size_t n;
    uint64_t next; /* go on with `before` = this; 0: there is nothing older */
} TrailPage;

/*
 * A page. It may hold fewer than `limit` and still have a next: each call reads for a limited time
 * and keeps a limited number of bytes.
 */
Status access_trail_page(Access *x, Arena *a, const TrailQuery *q, TrailPage *ret,
                         Err *err) MUST_USE;

/* For cursors into the trail: HMAC-SHA-256 with a key made from the chain's. */
Sha256 access_trail_mac(const Access *x, Str text);

/*
 * The files that a copy of the data directory needs, oldest first, by their names below DIR, with
 * how far they go: the running segment up to its last whole record. The fence around DIR/audit
 * (dir_fence) keeps them where they are.
 */
Status access_audit_files(Arena *a, const char *dir,
                          Status (*fn)(void *ctx, Str relative, uint64_t bytes, Err *err),
                          void *ctx, Err *err) MUST_USE;

#endif
