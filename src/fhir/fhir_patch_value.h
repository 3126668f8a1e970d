/* FHIRPath Patch: the values that operations bring, as the members they become. */
#ifndef FHIR_PATCH_VALUE_H
#define FHIR_PATCH_VALUE_H

#include "fhir_patch_inner.h"
#include "fhir_types.h"

/* A value as it goes into JSON: itself, what stands in `_key`, and its type for value[x]. */
typedef struct PatchValue {
    Str text, shadow; /* empty where there is none */
    Str suffix;       /* "Quantity" of valueQuantity; empty for parts and resources */
} PatchValue;

typedef struct PatchItems {
    PatchValue *at;
    uint32_t n;
} PatchItems;

typedef struct PathPatch {
    PatchDoc x;
    const JsonDoc *patch;
    Arena scratch; /* of one operation's evaluation */
} PathPatch;

/* The value of a part; type NULL: an element that the type does not have. */
Status patch_value_read(PathPatch *x, JsonRef part, const FhirType *type, PatchValue *ret);
/* `"key":[…],"_key":[…]` of items; a single item stands without brackets unless it may repeat. */
void patch_items_texts(Arena *a, const PatchItems *list, bool many, Str *ret_text, Str *ret_shadow);
/* The element of that name, and the key for this value of it: valueQuantity. */
Status patch_choice_key(PathPatch *x, const FhirType *type, Str name, const PatchValue *v,
                        const FhirElem **ret_elem, Str *ret_key);

#endif
