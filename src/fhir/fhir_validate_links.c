/*
 * References among the resources of one document: which entry of a Bundle a reference means, that a
 * document holds what its Composition names and nothing that hangs on nothing, that a message holds
 * its focus.
 */
#include "fhir_validate_inner.h"

#define URL_BYTES_MAX 2048
#define VERSIONS_MAX  256u /* of one resource in one bundle, looked through */

struct BundleIndex {
    JsonRef entries;
    Str type;
    Map by_url;     /* fullUrl → the number of its last entry + 1 */
    uint32_t *same; /* by number: the entry before with the same fullUrl + 1 (versions), or 0 */
};

/* What a reference means that several versions of one resource could be. */
#define ENTRY_AMBIGUOUS (-2)

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

static Str full_url(const Walk *w, JsonRef entry)
{
    return json_str(w->d, get(w, entry, "fullUrl"));
}

void walk_bundle_open(Walk *w, JsonRef bundle)
{
    BundleIndex *x = arena_new(w->items, BundleIndex);
    x->entries = get(w, bundle, "entry");
    x->type = json_str(w->d, get(w, bundle, "type"));
    x->same = arena_array(w->items, uint32_t, json_count(w->d, x->entries) + 1);
    map_init(&x->by_url, w->items);
    for (JsonIter it = json_iter(w->d, x->entries); json_next(&it);) {
        Str url = full_url(w, it.value);
        if (url.n) {
            x->same[it.index] = (uint32_t)(uintptr_t)map_get(&x->by_url, url);
            map_put(&x->by_url, url, (void *)(uintptr_t)(it.index + 1));
        }
    }
    w->bundle = x;
}

static Str version_at(const Walk *w, uint32_t number)
{
    return json_str_at(w->d, json_item(w->d, w->bundle->entries, number),
                       "resource.meta.versionId");
}

/* The number of the entry that has this fullUrl, and the version where the reference names one (an
 * entry that does not say its version may be any); -1, ENTRY_AMBIGUOUS. */
static int64_t entry_of_url(const Walk *w, Str url, Str version)
{
    const BundleIndex *x = w->bundle;
    uint32_t last = (uint32_t)(uintptr_t)map_get(&x->by_url, url);
    if (!version.n) {
        return last && x->same[last - 1] ? ENTRY_AMBIGUOUS : (int64_t)last - 1;
    }
    for (uint32_t at = last, n = 0; at && n < VERSIONS_MAX; at = x->same[at - 1], n++) {
        Str own = version_at(w, at - 1);
        if (!own.n || str_eq(own, version)) {
            return (int64_t)at - 1;
        }
    }
    return -1;
}

/* The fullUrl is where a server has this resource: it ends with its type and id. */
static bool is_address(const Walk *w, JsonRef entry, const FhirRef *url)
{
    JsonRef resource = get(w, entry, "resource");
    Str id = json_str(w->d, get(w, resource, "id"));
    return url->kind == FHIR_REF_ABSOLUTE && url->type.n && (!id.n || str_eq(id, url->id)) &&
           str_eq(json_str(w->d, get(w, resource, "resourceType")), url->type);
}

/* Relative: below the base of the entry that refers, when its fullUrl is that of a server. */
static int64_t entry_of_relative(const Walk *w, JsonRef from, const FhirRef *r)
{
    char url[URL_BYTES_MAX];
    FhirRef own = fhir_ref_parse(full_url(w, from));
    size_t n = own.base.n + r->type.n + 1 + r->id.n;
    if (!is_address(w, from, &own) || n > sizeof url) {
        return -1;
    }
    Buf out = {.p = url, .room = sizeof url, .cap_bytes = sizeof url};
    buf_add(&out, own.base);
    buf_add(&out, r->type);
    buf_char(&out, '/');
    buf_add(&out, r->id);
    return entry_of_url(w, buf_str(&out), r->version);
}

static int64_t entry_of(const Walk *w, JsonRef from, Str reference)
{
    FhirRef r = fhir_ref_parse(reference);
    Str whole, fragment;
    str_cut(reference, '#', &whole, &fragment);
    switch (r.kind) {
    case FHIR_REF_URN:
    case FHIR_REF_OTHER:
        return entry_of_url(w, whole, STR_NONE);
    case FHIR_REF_ABSOLUTE:
        whole = r.version.n ? str_take(whole, (size_t)(r.id.p + r.id.n - whole.p)) : whole;
        return entry_of_url(w, whole, r.version);
    case FHIR_REF_RELATIVE:
        return entry_of_relative(w, from, &r);
    default:
        return -1;
    }
}

JsonRef walk_bundle_find(const Walk *w, Str reference)
{
    int64_t i = w->bundle && w->entry != JSON_NONE ? entry_of(w, w->entry, reference) : -1;
    return i < 0 ? JSON_NONE : get(w, json_item(w->d, w->bundle->entries, (uint32_t)i), "resource");
}

bool walk_bundle_is(const Walk *w, const char *type)
{
    return str_is(w->bundle->type, type);
}

bool walk_bundle_lacks_url(const Walk *w)
{
    return w->bundle && w->entry != JSON_NONE && !full_url(w, w->entry).n &&
           !str_is(w->bundle->type, "transaction") && !str_is(w->bundle->type, "batch") &&
           !str_ends(w->bundle->type, STR("-response"));
}

/* --- what a document or message must hold --- */

typedef struct Need {
    Walk *w;
    JsonRef entry; /* that refers */
} Need;

static void need_reference(const Need *n, const Place *at, JsonRef reference)
{
    Walk *w = n->w;
    Str text = json_str(w->d, get(w, reference, "reference")), shown = walk_clip(text);
    int64_t found = text.n && text.p[0] != '#' ? entry_of(w, n->entry, text) : 0;
    if (found == ENTRY_AMBIGUOUS) {
        walk_strict(w, at, "business-rule", "Bundle 中有“%.*s”的多个版本：请写明引用哪一个",
                    "the bundle has several versions of \"%.*s\": say which is meant",
                    STR_ARG(shown));
    } else if (found < 0) {
        walk_issue(w, at, "not-found", "Bundle 中没有“%.*s”：它须是某个条目的 fullUrl",
                   "\"%.*s\" is not in the bundle: it must be the fullUrl of an entry",
                   STR_ARG(shown));
    }
}

/* One element by its path ("event.detail"), whether it repeats or not. */
static void need_path(const Need *n, const Place *at, JsonRef object, Str path)
{
    Str name, rest;
    bool more = str_cut(path, '.', &name, &rest);
    JsonRef value = json_get(n->w->d, object, name);
    bool many = json_type(n->w->d, value) == JSON_ARRAY;
    uint32_t count = many ? json_count(n->w->d, value) : value != JSON_NONE;
    for (uint32_t i = 0; i < count && !walk_stopped(n->w); i++) {
        JsonRef item = many ? json_item(n->w->d, value, i) : value;
        Place place = {at, name, many ? i : PLACE_NO_INDEX};
        if (more) {
            need_path(n, &place, item, rest);
        } else {
            need_reference(n, &place, item);
        }
    }
}

static void need_sections(const Need *n, const Place *at, JsonRef object, unsigned depth)
{
    for (JsonIter it = json_iter(n->w->d, get(n->w, object, "section"));
         json_next(&it) && depth < 32;) {
        Place place = {at, STR("section"), it.index};
        need_path(n, &place, it.value, STR("author"));
        need_path(n, &place, it.value, STR("focus"));
        need_path(n, &place, it.value, STR("entry"));
        need_sections(n, &place, it.value, depth + 1);
    }
}

static void need_composition(const Need *n, const Place *at, JsonRef composition)
{
    static const char *const PATHS[] = {"subject",        "encounter", "author",
                                        "attester.party", "custodian", "event.detail"};
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        need_path(n, at, composition, str_from_c(PATHS[i]));
    }
    need_sections(n, at, composition, 0);
}

/* --- what hangs together --- */

typedef struct Groups {
    const Walk *w;
    uint32_t *up, n; /* union-find over the entries */
    JsonRef entry;
    uint32_t number;
} Groups;

static uint32_t group_of(Groups *g, uint32_t i)
{
    while (g->up[i] != i) {
        g->up[i] = g->up[g->up[i]];
        i = g->up[i];
    }
    return i;
}

static Status group_join(void *ctx, const FhirRefAt *ref, Err *err)
{
    Groups *g = ctx;
    (void)err;
    int64_t to = entry_of(g->w, g->entry, ref->ref.text);
    if (to >= 0) {
        g->up[group_of(g, g->number)] = group_of(g, (uint32_t)to);
    }
    return OK;
}

/* Every entry is reached from the first by references, whichever way they point. */
static void check_reached(Walk *w, const Place *at, bool is_document)
{
    uint32_t n = json_count(w->d, w->bundle->entries);
    Groups g = {.w = w, .up = arena_array(w->items, uint32_t, n + 1), .n = n};
    for (uint32_t i = 0; i < n; i++) {
        g.up[i] = i;
    }
    for (JsonIter it = json_iter(w->d, w->bundle->entries); json_next(&it);) {
        g.entry = it.value;
        g.number = it.index;
        (void)!fhir_refs_walk(w->d, get(w, it.value, "resource"), true, group_join, &g, NULL);
    }
    for (uint32_t i = 1; i < n && !walk_stopped(w); i++) {
        if (group_of(&g, i) != group_of(&g, 0)) {
            Place place = {at, STR("entry"), i};
            (is_document ? walk_issue : walk_warning)(
                w, &place, "business-rule", "从第一个条目沿引用（任一方向）到不了此条目",
                "this entry cannot be reached from the first by references, either way");
        }
    }
}

void walk_bundle_links(Walk *w, const Place *at)
{
    bool document = str_is(w->bundle->type, "document");
    JsonRef first = json_item(w->d, w->bundle->entries, 0), resource = get(w, first, "resource");
    Place entry = {at, STR("entry"), 0}, place = {&entry, STR("resource"), PLACE_NO_INDEX};
    Need need = {w, first};
    if (!document && !str_is(w->bundle->type, "message")) {
        return;
    }
    if (document) {
        need_composition(&need, &place, resource);
    } else {
        need_path(&need, &place, resource, STR("focus"));
    }
    check_reached(w, at, document);
}

/* --- Parameters --- */

/* Whether parameters (and their parts) hold resources of the type, and the one that is meant. */
static void parameters_look(const Walk *w, JsonRef list, const FhirRef *ref, unsigned depth,
                            bool *type, bool *found)
{
    for (JsonIter it = json_iter(w->d, list); json_next(&it) && depth < 16;) {
        JsonRef r = get(w, it.value, "resource");
        if (str_eq(json_str(w->d, get(w, r, "resourceType")), ref->type)) {
            *type = true;
            *found = *found || str_eq(json_str(w->d, get(w, r, "id")), ref->id);
        }
        parameters_look(w, get(w, it.value, "part"), ref, depth + 1, type, found);
    }
}

bool walk_parameters_lack(Walk *w, const FhirRef *ref)
{
    bool type = false, found = false;
    bool inside = w->parameters != JSON_NONE && w->container != w->parameters && !w->bundle;
    if (!inside || !w->check->thorough || w->lookups >= FHIR_VALIDATE_LOOKUPS) {
        return false;
    }
    JsonRef list = get(w, w->parameters, "parameter");
    w->lookups += json_count(w->d, list);
    parameters_look(w, list, ref, 0, &type, &found);
    return type && !found;
}
