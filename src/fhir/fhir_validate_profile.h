/* Between the files that check an object by a profile. */
#ifndef FHIR_VALIDATE_PROFILE_H
#define FHIR_VALIDATE_PROFILE_H

#include "fhir_profile_inner.h"
#include "fhir_validate_inner.h"

/* One value of an element: of an array the item, of a primitive with its `_key` beside. */
typedef struct Item {
    JsonRef value, shadow; /* JSON_NONE where there is none */
    const FhirType *type;
    const FhirElem *elem;
    uint32_t index; /* PLACE_NO_INDEX: not in an array */
} Item;

typedef struct Items {
    Item *at;
    size_t n;
} Items;

/* The values of the element called `name` in an object of type t; they live in w->items. */
Items items_of(Walk *w, JsonRef object, const FhirType *t, Str name);
/* The object in which the children of an item stand, and its type; JSON_NONE when none. */
JsonRef item_object(const Walk *w, const Item *item, const FhirType **ret_type);
Place item_place(const Place *parent, const Item *item);

/* Everything that a node asks of the values of its element. at: the parent's place. */
void check_items(Walk *w, const Place *at, const ProfileNode *n, const Items *items);
void check_slices(Walk *w, const Place *at, const ProfileNode *n, const Items *items);
/* Whether the value is fixed as (exactly), or fits the pattern. */
bool value_is_fixed(const Walk *w, const ProfileValue *fixed, const Item *item);
bool value_fits_pattern(const Walk *w, const ProfileValue *pattern, const Item *item);
/* Whether a value of type t may stand where `want` is asked for. */
bool type_fits(const FhirType *t, const FhirType *want);
/* Whether a coded value is in the value set; false: that is not known. */
bool value_in_set(Walk *w, Str valueset, const Item *item, bool *ret);
void check_binding(Walk *w, const Place *at, const ProfileNode *n, const Item *item);
void check_types(Walk *w, const Place *at, const ProfileNode *n, const Item *item);
/* One more step of checking by profiles; false, and told, when there were too many. */
bool walk_step(Walk *w, const Place *at);
void issue_unknown_profile(Walk *w, const Place *at, Str canonical);
/* Whether a slice is that of the extensions with this url. */
bool slice_is_extension(const ProfileNode *s, Str url);
/* Whether the item fulfils the node, without a word. */
bool item_conforms(Walk *w, const ProfileNode *n, const Item *item);

#endif
