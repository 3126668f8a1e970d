/*
 * SearchParameters that this server keeps, as parameters beside the published ones.
 *
 * fhir_custom_read judges one: what it says must be complete, must compile, must give what its type
 * can be made of, and must not take the name of another parameter of the same base. What is wrong
 * is told with the element and how to mend it (ERR_UNPROCESSABLE). Drafts and withdrawn ones are
 * fine and define nothing; those that R4 publishes (by their url) are there anyway.
 *
 * A FhirCustoms is a table of those that are in use. It never changes; whoever keeps one makes
 * another. All of it lives in the arena that it was read into.
 */
#ifndef FHIR_CUSTOM_H
#define FHIR_CUSTOM_H

#include "fhir_params.h"
#include "json.h"

#define FHIR_CUSTOM_PARTS_MAX      7    /* components */
#define FHIR_CUSTOM_EXPRESSION_MAX 4096 /* bytes */
#define FHIR_CUSTOM_CODE_MAX       64

typedef enum FhirCustomState {
    FHIR_CUSTOM_UNUSED,    /* a draft, or withdrawn */
    FHIR_CUSTOM_PUBLISHED, /* R4's own, or one of ours: served in any case */
    FHIR_CUSTOM_USED
} FhirCustomState;

/* In order of base and name; the same definition once for each of its bases. */
typedef struct FhirCustoms {
    const FhirCustomParam *const *at;
    size_t n;
} FhirCustoms;

typedef struct FhirCustomDef {
    FhirCustomState state;
    FhirCustomParam *params; /* of FHIR_CUSTOM_USED: one for each base */
    size_t n;
} FhirCustomDef;

/* others: NULL, or those in use, of which that with the same id is not looked at. */
Status fhir_custom_read(Arena *a, const JsonDoc *d, uint32_t number, const FhirCustoms *others,
                        FhirCustomDef *ret, Err *err) MUST_USE;

/* One that was read earlier still stands among others: its name is free, its parts are there. */
bool fhir_custom_stands(const FhirCustomDef *def, const FhirCustoms *others);

/* For qsort of a table. */
int fhir_custom_order(const void *x, const void *y);
/* Those of a base type itself; *ret_n may be 0. */
const FhirCustomParam *const *fhir_customs_of(const FhirCustoms *c, const FhirType *t,
                                              size_t *ret_n);
/* The published one of this name, else the custom one; of the type or its bases. NULL: none. */
const FhirParam *fhir_customs_find(const FhirCustoms *c, const FhirType *t, Str name);

#endif
