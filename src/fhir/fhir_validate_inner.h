/*
 * Between the files of the validator: the walk's state, the place it stands at, and the
 * rules that the element tables cannot say. Nobody else includes this.
 */
#ifndef FHIR_VALIDATE_INNER_H
#define FHIR_VALIDATE_INNER_H

#include "fhir_resource.h"
#include "fhir_validate.h"

#define PLACE_NO_INDEX UINT32_MAX

/* A step of the path; steps live on the stack and are written out only for an issue. */
typedef struct Place {
    const struct Place *up;
    Str name;
    uint32_t index; /* PLACE_NO_INDEX: not in an array */
} Place;

typedef struct Walk {
    const JsonDoc *d;
    Err *err;
    JsonRef container; /* the resource whose `contained` a #reference means */
    JsonRef resource;  /* the innermost one, which may be contained */
    bool in_contained;
    unsigned lookups; /* steps through lists of contained resources; bounded */
    unsigned issues;
    bool warnings; /* what is only recommended is told, too */
    bool scratch_made;
    Arena scratch; /* see walk_scratch */
} Walk;

/* Notes an issue: code is a FHIR issue type; zh and en take the same arguments. */
void walk_issue(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
    __attribute__((format(printf, 4, 6), format(printf, 5, 6)));
/* The same for what does not make it invalid; nothing unless warnings are wanted. */
void walk_warning(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
    __attribute__((format(printf, 4, 6), format(printf, 5, 6)));
static inline bool walk_stopped(const Walk *w)
{
    return w->issues >= FHIR_VALIDATE_STOP;
}
/* Memory for one rule; the next one that asks may find it emptied. */
Arena *walk_scratch(Walk *w);
/* At most 80 bytes of a text, cut between characters, for messages. */
Str walk_clip(Str s);

/* Checks the value of a primitive element (not null). */
void walk_primitive(Walk *w, const Place *at, const FhirMember *m, JsonRef value);
/* A resource, with its resourceType; expected NULL: any. */
void walk_resource(Walk *w, const Place *at, JsonRef r, const FhirType *expected);

#define FHIR_VALIDATE_LOOKUPS (1u << 21)

/* After the members of an object of this type: rules across members. */
void walk_type_rules(Walk *w, const Place *at, const FhirType *t, JsonRef object,
                     const FhirMember *as);
/* The invariants of the type and its bases. */
void walk_constraints(Walk *w, const Place *at, const FhirType *type, JsonRef object);
void walk_bundle_rules(Walk *w, const Place *at, JsonRef bundle);

/* NULL when the narrative is safe and well formed, else what is wrong (two languages). */
typedef struct XhtmlFault {
    const char *zh, *en;
} XhtmlFault;
const XhtmlFault *fhir_xhtml_fault(Str div);

#endif
