/*
 * Slicing: which values of an element belong to which slice (by the discriminators, or by the whole
 * slice where there are none that we can follow), and what each slice asks of them.
 */
#include "fhir_validate_profile.h"

#define FOUND_MAX 32 /* values, or nodes, at the end of a discriminator's path */

/* --- along a discriminator's path: the values --- */

typedef struct Found {
    Item at[FOUND_MAX];
    unsigned n;
} Found;

static void found_add(Found *f, const Item *item)
{
    if (f->n < FOUND_MAX) {
        f->at[f->n++] = *item;
    }
}

static void step_member(Walk *w, const Item *from, Str name, Str url, Found *to)
{
    const FhirType *t;
    JsonRef object = item_object(w, from, &t);
    Items items = object == JSON_NONE ? (Items){0} : items_of(w, object, t, name);
    for (size_t i = 0; i < items.n; i++) {
        if (!url.n || str_eq(json_str_at(w->d, items.at[i].value, "url"), url)) {
            found_add(to, &items.at[i]);
        }
    }
}

static void step_resolve(Walk *w, const Item *from, Found *to)
{
    Str text = json_type(w->d, from->value) == JSON_OBJECT
                   ? json_str_at(w->d, from->value, "reference")
                   : json_str(w->d, from->value);
    JsonRef found = walk_resolve(w, text);
    const FhirType *t = fhir_resource_find(
        found == JSON_NONE ? fhir_ref_parse(text).type : json_str_at(w->d, found, "resourceType"));
    if (t) {
        found_add(to, &(Item){found, JSON_NONE, t, from->elem, PLACE_NO_INDEX});
    }
}

static void step_values(Walk *w, const ProfileStep *step, const Item *from, Found *to)
{
    const FhirType *t = step->kind == STEP_TYPE ? fhir_type_find(step->name) : NULL;
    switch (step->kind) {
    case STEP_MEMBER:
        step_member(w, from, step->name, STR_NONE, to);
        break;
    case STEP_EXTENSION:
        step_member(w, from, STR("extension"), step->name, to);
        break;
    case STEP_RESOLVE:
        step_resolve(w, from, to);
        break;
    case STEP_TYPE:
        if (t && type_fits(from->type, t)) {
            found_add(to, from);
        }
        break;
    }
}

static void values_at(Walk *w, const ProfileDiscriminator *by, const Item *item, Found *ret)
{
    Found from;
    *ret = (Found){.at = {*item}, .n = 1};
    for (unsigned i = 0; i < by->step_n; i++) {
        from = *ret;
        ret->n = 0;
        for (unsigned k = 0; k < from.n; k++) {
            step_values(w, &by->step[i], &from.at[k], ret);
        }
    }
}

/* --- the nodes --- */

typedef struct Nodes {
    const ProfileNode *at[FOUND_MAX];
    unsigned n;
} Nodes;

static void nodes_add(Nodes *to, const ProfileNode *n)
{
    if (to->n < FOUND_MAX) {
        to->at[to->n++] = n;
    }
}

/* A child, with those slices of it that must be there. */
static void nodes_child(const ProfileNode *n, Str name, Nodes *to)
{
    const ProfileNode *c = profile_child(n, name);
    if (c) {
        nodes_add(to, c);
        for (const ProfileNode *s = c->slice; s; s = s->next) {
            if (s->min > 0) {
                nodes_add(to, s);
            }
        }
    }
}

/* The roots of the profiles that a node's single type names. */
static void nodes_profiles(Walk *w, const ProfileNode *n, bool targets, Nodes *to)
{
    const ProfileType *t = n->type_n == 1 ? &n->type[0] : NULL;
    unsigned count = !t ? 0 : targets ? t->target_n : t->profile_n;
    for (unsigned i = 0; i < count; i++) {
        const FhirProfile *p =
            fhir_profile_find(walk_profiles_hold(w), targets ? t->target[i] : t->profile[i]);
        if (p && p->root && !fhir_profile_fault(p)) {
            nodes_add(to, p->root);
        }
    }
}

bool slice_is_extension(const ProfileNode *s, Str url)
{
    const ProfileNode *u = profile_child(s, STR("url"));
    Str head = STR_NONE, version;
    if (s->type_n == 1 && s->type[0].profile_n == 1) {
        str_cut(s->type[0].profile[0], '|', &head, &version);
    }
    return str_eq(head, url) ||
           (u && u->fixed.doc && str_eq(json_str(u->fixed.doc, u->fixed.ref), url));
}

static void nodes_extension(const ProfileNode *n, Str url, Nodes *to)
{
    const ProfileNode *c = profile_child(n, STR("extension"));
    for (const ProfileNode *s = c ? c->slice : NULL; s; s = s->next) {
        if (slice_is_extension(s, url)) {
            nodes_add(to, s);
        }
    }
}

static void nodes_type(const ProfileNode *n, Str name, Nodes *to)
{
    const FhirType *t = fhir_type_find(name);
    unsigned before = to->n;
    for (const ProfileNode *s = n->slice; s; s = s->next) {
        if (t && s->type_n == 1 && s->type[0].type == t) {
            nodes_add(to, s);
        }
    }
    if (to->n == before) {
        nodes_add(to, n);
    }
}

static void step_nodes(Walk *w, const ProfileStep *step, const ProfileNode *n, Nodes *to)
{
    unsigned before = to->n;
    Nodes roots = {.n = 0};
    switch (step->kind) {
    case STEP_MEMBER:
        nodes_child(n, step->name, to);
        break;
    case STEP_EXTENSION:
        nodes_extension(n, step->name, to);
        break;
    case STEP_RESOLVE:
        nodes_profiles(w, n, true, to);
        break;
    case STEP_TYPE:
        nodes_type(n, step->name, to);
        break;
    }
    if (to->n == before && (step->kind == STEP_MEMBER || step->kind == STEP_EXTENSION)) {
        nodes_profiles(w, n, false, &roots);
        for (unsigned i = 0; i < roots.n; i++) {
            step->kind == STEP_MEMBER ? nodes_child(roots.at[i], step->name, to)
                                      : nodes_extension(roots.at[i], step->name, to);
        }
    }
}

static void nodes_at(Walk *w, const ProfileDiscriminator *by, const ProfileNode *slice, Nodes *ret)
{
    Nodes from;
    *ret = (Nodes){.at = {slice}, .n = 1};
    for (unsigned i = 0; i < by->step_n; i++) {
        from = *ret;
        ret->n = 0;
        for (unsigned k = 0; k < from.n; k++) {
            step_nodes(w, &by->step[i], from.at[k], ret);
        }
    }
}

/* --- whether a value belongs to a slice --- */

static bool node_tells(const ProfileNode *n)
{
    return n->fixed.doc || n->pattern.doc || n->strength == BINDING_REQUIRED || n->child;
}

static bool node_has(Walk *w, const ProfileNode *n, const Item *v)
{
    bool in = false;
    if (n->fixed.doc) {
        return value_is_fixed(w, &n->fixed, v);
    }
    if (n->pattern.doc) {
        return value_fits_pattern(w, &n->pattern, v);
    }
    if (n->strength == BINDING_REQUIRED) {
        return value_in_set(w, n->valueset, v, &in) && in;
    }
    return item_conforms(w, n, v);
}

/* -1: the slice says nothing at the end of the path. */
static int by_value(Walk *w, const Nodes *nodes, const Found *values)
{
    int told = -1;
    for (unsigned i = 0; i < nodes->n && told != 0; i++) {
        if (!node_tells(nodes->at[i])) {
            continue;
        }
        told = 0;
        for (unsigned k = 0; k < values->n && !told; k++) {
            told = node_has(w, nodes->at[i], &values->at[k]);
        }
    }
    return told;
}

static int by_exists(const Nodes *nodes, const Found *values)
{
    bool forbidden = nodes->n > 0 && nodes->at[0]->max == 0;
    return forbidden ? values->n == 0 : values->n > 0;
}

static int by_type(const Nodes *nodes, const Found *values)
{
    int told = -1;
    for (unsigned i = 0; i < nodes->n; i++) {
        const ProfileNode *n = nodes->at[i];
        for (unsigned t = 0; t < n->type_n; t++) {
            told = told < 0 ? 0 : told;
            for (unsigned k = 0; k < values->n; k++) {
                told = told || type_fits(values->at[k].type, n->type[t].type);
            }
        }
        if (n->type_n == 0 && n->root) { /* the profile of what a reference means */
            told = values->n > 0 && fhir_type_is(values->at[0].type, n->root);
        }
    }
    return told;
}

static bool value_conforms(Walk *w, const FhirProfile *p, const Item *v)
{
    const FhirType *type;
    JsonRef object = item_object(w, v, &type);
    if (!p || !p->type || fhir_profile_fault(p)) {
        return false;
    }
    if (fhir_type_is_primitive(v->type)) {
        return fhir_type_is(v->type, p->type) && item_conforms(w, p->root, v);
    }
    return object != JSON_NONE && fhir_type_is(type, p->type) && walk_conforms(w, p, object, type);
}

/* One of the types of a node, with one of its profiles. */
static bool conforms_to_types(Walk *w, const ProfileNode *n, const Item *v)
{
    for (unsigned k = 0; k < n->type_n; k++) {
        const ProfileType *t = &n->type[k];
        for (unsigned i = 0; i < t->profile_n && type_fits(v->type, t->type); i++) {
            if (value_conforms(w, fhir_profile_find(walk_profiles_hold(w), t->profile[i]), v)) {
                return true;
            }
        }
    }
    return false;
}

static bool names_profile(const ProfileNode *n)
{
    bool found = n->root != NULL;
    for (unsigned i = 0; i < n->type_n && !found; i++) {
        found = n->type[i].profile_n > 0;
    }
    return found;
}

/* -1: the slice names no profile at the end of the path. */
static int by_profile(Walk *w, const Nodes *nodes, const Found *values)
{
    int told = -1;
    for (unsigned i = 0; i < nodes->n; i++) {
        const ProfileNode *n = nodes->at[i];
        told = told < 0 && names_profile(n) ? 0 : told;
        for (unsigned k = 0; k < values->n && told == 0; k++) {
            const Item *v = &values->at[k];
            bool fits = n->root ? fhir_type_is(v->type, n->root) && item_conforms(w, n, v)
                                : conforms_to_types(w, n, v);
            told = fits ? 1 : told;
        }
    }
    return told;
}

static int discriminator_tells(Walk *w, const ProfileDiscriminator *by, const ProfileNode *slice,
                               const Item *item)
{
    Found values;
    Nodes nodes;
    if (!by->readable) {
        return -1;
    }
    values_at(w, by, item, &values);
    nodes_at(w, by, slice, &nodes);
    return by->by == BY_VALUE    ? by_value(w, &nodes, &values)
           : by->by == BY_EXISTS ? by_exists(&nodes, &values)
           : by->by == BY_TYPE   ? by_type(&nodes, &values)
                                 : by_profile(w, &nodes, &values);
}

static const ProfileStep URL_STEP = {STEP_MEMBER, {"url", 3}};
static const ProfileDiscriminator BY_URL = {BY_VALUE, &URL_STEP, 1, true};
static const ProfileDiscriminator BY_OWN_TYPE = {BY_TYPE, NULL, 0, true};

/* Extensions are sliced by their url, choices by their type, also where nobody says so. */
static const ProfileDiscriminator *implied(const ProfileNode *n, const Item *item)
{
    return fhir_type_id(item->type) == FHIR_TYPE_Extension ? &BY_URL
           : n->elem && fhir_elem_is_choice(n->elem)       ? &BY_OWN_TYPE
                                                           : NULL;
}

static bool slice_has(Walk *w, const ProfileNode *n, const ProfileNode *slice, const Item *item)
{
    const ProfileDiscriminator *by = n->by_n ? n->by : implied(n, item);
    unsigned count = n->by_n ? n->by_n : by != NULL;
    if (fhir_type_id(item->type) == FHIR_TYPE_Extension &&
        slice_is_extension(slice, json_str_at(w->d, item->value, "url"))) {
        return true;
    }
    bool told = false, fits = true;
    for (unsigned i = 0; fits && i < count; i++) {
        int tells = discriminator_tells(w, &by[i], slice, item);
        told = told || tells >= 0;
        fits = tells != 0;
    }
    return fits && (told || item_conforms(w, slice, item));
}

/* --- the slices of an element --- */

/* The number of the slice of each item, or -1; @default takes what no other has. */
static void slices_find(Walk *w, const Place *at, const ProfileNode *n, const Items *items,
                        int *slice_of)
{
    int rest = -1, k = 0;
    for (const ProfileNode *s = n->slice; s; s = s->next, k++) {
        rest = str_is(s->name, "@default") ? k : rest;
    }
    for (size_t i = 0; i < items->n && !walk_stopped(w); i++) {
        slice_of[i] = rest;
        k = 0;
        for (const ProfileNode *s = n->slice; s; s = s->next, k++) {
            if (k != rest && walk_step(w, at) && slice_has(w, n, s, &items->at[i])) {
                slice_of[i] = k;
                break;
            }
        }
    }
}

static void check_order(Walk *w, const Place *at, const ProfileNode *n, const Items *items,
                        const int *slice_of)
{
    int last = -1;
    bool unmatched = false;
    for (size_t i = 0; i < items->n; i++) {
        Place place = item_place(at, &items->at[i]);
        int k = slice_of[i];
        if (k < 0 && n->rules == SLICES_CLOSED) {
            walk_issue(w, &place, "structure", "不属于任何分片，而此处的分片是封闭的",
                       "fits none of the slices, and the slicing is closed");
        } else if (k >= 0 && unmatched && n->rules == SLICES_OPEN_AT_END) {
            walk_issue(w, &place, "structure", "分片只在末尾开放：此值须在分片以外的值之前",
                       "the slicing is open at its end only: this must come before the others");
        } else if (k >= 0 && n->ordered && k < last) {
            walk_issue(w, &place, "structure", "分片的顺序不对", "the slices are out of order");
        }
        unmatched = unmatched || k < 0;
        last = k > last ? k : last;
    }
}

static Items slice_items(Walk *w, const Items *items, const int *slice_of, int k)
{
    size_t n = 0;
    for (size_t i = 0; i < items->n; i++) {
        n += slice_of[i] == k;
    }
    Items own = {n ? arena_array(w->items, Item, n) : NULL, 0};
    for (size_t i = 0; i < items->n; i++) {
        if (slice_of[i] == k) {
            own.at[own.n++] = items->at[i];
        }
    }
    return own;
}

void check_slices(Walk *w, const Place *at, const ProfileNode *n, const Items *items)
{
    int *slice_of = arena_array(w->items, int, items->n + 1);
    int k = 0;
    slices_find(w, at, n, items, slice_of);
    check_order(w, at, n, items, slice_of);
    for (const ProfileNode *s = n->slice; s && !walk_stopped(w); s = s->next, k++) {
        Items own = slice_items(w, items, slice_of, k);
        check_items(w, at, s, &own);
    }
}
