/*
 * The rules of Bundle across its entries (bdl-1 … bdl-12). The fullUrl of a request is a name that
 * only its bundle knows, and the entries of a batch know nothing of each other: there it is free.
 */
#include "fhir_validate_inner.h"

#define LINKS_MAX 100u /* of a bundle, compared with each other */

typedef struct BundleKind {
    const char *type;
    bool request, response, search, total;
} BundleKind;

/* What each type of bundle has in its entries: request, response, search, and a total. */
static const BundleKind KINDS[] = {
    {"document", false, false, false, false},   {"message", false, false, false, false},
    {"transaction", true, false, false, false}, {"transaction-response", false, true, false, false},
    {"batch", true, false, false, false},       {"batch-response", false, true, false, false},
    {"history", true, true, false, true},       {"searchset", false, false, true, true},
    {"collection", false, false, false, false},
};

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

static bool has(const Walk *w, JsonRef object, const char *key)
{
    return get(w, object, key) != JSON_NONE;
}

static const BundleKind *kind_find(Str type)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (str_is(type, KINDS[i].type)) {
            return &KINDS[i];
        }
    }
    return NULL;
}

static void check_part(Walk *w, const Place *at, const BundleKind *k, bool needed, bool allowed,
                       bool there, const char *part)
{
    if (needed && !there) {
        walk_issue(w, at, "required", "%2$s 型 Bundle 的条目必须有 %1$s",
                   "an entry of a %2$s Bundle needs a %1$s", part, k->type);
    } else if (!allowed && there) {
        walk_issue(w, at, "invariant", "%2$s 型 Bundle 的条目不能有 %1$s",
                   "an entry of a %2$s Bundle may not have a %1$s", part, k->type);
    }
}

/* The entries of these need no fullUrl, and theirs may be names that only the bundle knows. */
static bool is_exchange(const BundleKind *k)
{
    return (k->request || k->response) && !(k->request && k->response);
}

static void check_full_url(Walk *w, const Place *at, JsonRef entry, Str url)
{
    JsonRef resource = get(w, entry, "resource");
    Str id = json_str(w->d, get(w, resource, "id")), shown = walk_clip(url);
    Str type = json_str(w->d, get(w, resource, "resourceType"));
    FhirRef ref = fhir_ref_parse(url);
    if (str_find(url, STR("/_history/")) >= 0) {
        walk_issue(w, at, "invariant", "fullUrl 不能指向某一版本（bdl-8）",
                   "fullUrl may not name a version (bdl-8)");
    } else if (url.n && !walk_is_absolute(url)) {
        walk_issue(w, at, "value", "fullUrl“%.*s”必须是绝对 URL，如 http(s):// 或 urn:uuid:",
                   "fullUrl \"%.*s\" must be an absolute URL, like http(s):// or urn:uuid:",
                   STR_ARG(shown));
    } else if (type.n && ref.kind == FHIR_REF_ABSOLUTE && ref.type.n && !str_eq(ref.type, type)) {
        walk_strict(w, at, "invalid", "fullUrl“%.*s”与资源的类型 %.*s 不符",
                    "fullUrl \"%.*s\" is not that of a %.*s", STR_ARG(shown), STR_ARG(type));
    } else if (id.n && ref.kind == FHIR_REF_ABSOLUTE && ref.type.n && !str_eq(ref.id, id)) {
        walk_doubt(w, at, "invalid", "fullUrl“%.*s”与资源 %.*s/%.*s 不符",
                   "fullUrl \"%.*s\" does not end with the resource's %.*s/%.*s", STR_ARG(shown),
                   STR_ARG(type), STR_ARG(id));
    }
}

static void check_named(Walk *w, const Place *at, JsonRef entry, Str url)
{
    Str type = json_str_at(w->d, entry, "resource.resourceType");
    if (!url.n && type.n && !str_is(type, "OperationOutcome")) {
        walk_strict(w, at, "required", "条目缺少 fullUrl：只有批处理与事务可以没有",
                    "the entry has no fullUrl: only those of a batch or transaction need none");
    }
}

static void check_entry(Walk *w, const Place *at, const BundleKind *k, JsonRef entry)
{
    bool request = has(w, entry, "request"), response = has(w, entry, "response");
    check_part(w, at, k, k->request, k->request, request, "request");
    check_part(w, at, k, k->response, k->response, response, "response");
    check_part(w, at, k, false, k->search, has(w, entry, "search"), "search");
    if (!request && !response && !has(w, entry, "resource")) {
        walk_issue(w, at, "invariant", "条目没有资源、请求或应答（bdl-5）",
                   "the entry has no resource, request or response (bdl-5)");
    }
    Str url = json_str(w->d, get(w, entry, "fullUrl"));
    if (!k->request || k->response) {
        check_full_url(w, at, entry, url);
    }
    if (!is_exchange(k)) {
        check_named(w, at, entry, url);
    }
}

/* bdl-7: the same fullUrl twice needs different versions. */
static void check_distinct(Walk *w, const Place *at, JsonRef entries)
{
    Arena scratch;
    Map seen;
    arena_init(&scratch, 0);
    map_init(&seen, &scratch);
    for (JsonIter it = json_iter(w->d, entries); json_next(&it) && !walk_stopped(w);) {
        Str url = json_str(w->d, get(w, it.value, "fullUrl"));
        Str version = json_str_at(w->d, it.value, "resource.meta.versionId");
        Str key = version.n ? arena_cat(&scratch, url, STR("|"), version) : url;
        Place place = {at, STR("entry"), it.index};
        if (url.n && map_get(&seen, key)) {
            Str shown = walk_clip(url);
            walk_issue(w, &place, "invariant", "fullUrl“%.*s”重复（bdl-7）",
                       "the fullUrl \"%.*s\" occurs twice (bdl-7)", STR_ARG(shown));
        } else if (url.n) {
            map_put(&seen, key, &seen);
        }
    }
    arena_done(&scratch);
}

static void check_first(Walk *w, const Place *at, JsonRef entries, const char *type,
                        const char *rule)
{
    Str got = json_str_at(w->d, json_item(w->d, entries, 0), "resource.resourceType");
    if (!str_is(got, type)) {
        Place place = {at, STR("entry"), 0};
        walk_issue(w, &place, "invariant", "第一个条目必须是 %s（%s）",
                   "the first entry must be a %s (%s)", type, rule);
    }
}

/* --- searchset --- */

/* The resource type that a search's own link names; STR_NONE when it cannot be told. */
static Str searched_type(const Walk *w, JsonRef bundle)
{
    for (JsonIter it = json_iter(w->d, get(w, bundle, "link")); json_next(&it);) {
        Str path, query;
        if (str_is(json_str_at(w->d, it.value, "relation"), "self")) {
            str_cut(json_str_at(w->d, it.value, "url"), '?', &path, &query);
            if (str_find(query, STR("include=")) >= 0) {
                return STR_NONE; /* what it included may be of any type */
            }
            while (str_find_char(path, '/') >= 0) {
                path = str_skip(path, (size_t)str_find_char(path, '/') + 1);
            }
            return fhir_resource_find(path) ? path : STR_NONE;
        }
    }
    return STR_NONE;
}

static void check_found(Walk *w, const Place *at, JsonRef entry, Str searched)
{
    Place place = {at, STR("resource"), PLACE_NO_INDEX};
    JsonRef resource = get(w, entry, "resource");
    Str type = json_str(w->d, get(w, resource, "resourceType"));
    Str mode = json_str_at(w->d, entry, "search.mode");
    if (resource == JSON_NONE || str_is(type, "OperationOutcome")) {
        return;
    }
    if (!has(w, resource, "id")) {
        walk_strict(w, &place, "invalid", "检索结果中的资源必须有 id",
                    "a resource in a search result needs an id");
    }
    if (searched.n && !str_eq(searched, type) && !str_is(mode, "include") &&
        !str_is(mode, "outcome")) {
        walk_strict(w, &place, "invalid", "检索的是 %.*s，此处却是 %.*s",
                    "the search was for %.*s, this is a %.*s", STR_ARG(searched), STR_ARG(type));
    }
}

static void check_searchset(Walk *w, const Place *at, JsonRef bundle, JsonRef entries)
{
    Str searched = searched_type(w, bundle);
    for (JsonIter it = json_iter(w->d, entries); json_next(&it) && !walk_stopped(w);) {
        Place place = {at, STR("entry"), it.index};
        check_found(w, &place, it.value, searched);
    }
}

/* --- links --- */

static bool link_repeats(const Walk *w, JsonRef links, uint32_t n, Str relation)
{
    bool found = false;
    for (uint32_t i = 0; i < n && !found; i++) {
        found = str_eq(json_str_at(w->d, json_item(w->d, links, i), "relation"), relation);
    }
    return found;
}

/* A page has one place in its list: each of these relations only once. */
static void check_relations(Walk *w, const Place *at, JsonRef bundle)
{
    static const char *const ONCE[] = {"self", "first", "previous", "prev", "next", "last"};
    JsonRef links = get(w, bundle, "link");
    for (JsonIter it = json_iter(w->d, links); json_next(&it) && it.index < LINKS_MAX;) {
        Place place = {at, STR("link"), it.index};
        Str relation = json_str_at(w->d, it.value, "relation");
        for (size_t i = 0; i < sizeof ONCE / sizeof *ONCE; i++) {
            if (str_is(relation, ONCE[i]) && link_repeats(w, links, it.index, relation)) {
                walk_strict(w, &place, "invalid", "“%s”链接只能有一个",
                            "there may be one link \"%s\" only", ONCE[i]);
            }
        }
    }
}

/* --- document --- */

static void check_links(Walk *w, const Place *at, JsonRef bundle)
{
    static const char *const PAGING[] = {"first", "previous", "prev", "next", "last"};
    for (JsonIter it = json_iter(w->d, get(w, bundle, "link")); json_next(&it);) {
        Place link = {at, STR("link"), it.index}, place = {&link, STR("relation"), PLACE_NO_INDEX};
        Str relation = json_str_at(w->d, it.value, "relation");
        for (size_t i = 0; i < sizeof PAGING / sizeof *PAGING; i++) {
            if (str_is(relation, PAGING[i])) {
                walk_strict(w, &place, "invalid", "文档不分页，不能有“%s”链接",
                            "a document has no pages: it may not have a link \"%s\"", PAGING[i]);
            }
        }
    }
}

static void check_document(Walk *w, const Place *at, JsonRef bundle)
{
    if (!json_str_at(w->d, bundle, "identifier.system").n ||
        !json_str_at(w->d, bundle, "identifier.value").n) {
        walk_issue(w, at, "invariant", "文档必须有带 system 和 value 的 identifier（bdl-9）",
                   "a document needs an identifier with system and value (bdl-9)");
    }
    if (!has(w, bundle, "timestamp")) {
        walk_issue(w, at, "invariant", "文档必须有 timestamp（bdl-10）",
                   "a document needs a timestamp (bdl-10)");
    }
}

void walk_bundle_rules(Walk *w, const Place *at, JsonRef bundle)
{
    Str type = json_str(w->d, get(w, bundle, "type"));
    const BundleKind *k = kind_find(type);
    JsonRef entries = get(w, bundle, "entry");
    if (!k) {
        return; /* told by the binding */
    }
    if (has(w, bundle, "total") && !k->total) {
        walk_issue(w, at, "invariant", "只有 searchset 和 history 可以有 total（bdl-1）",
                   "only searchset and history may have a total (bdl-1)");
    }
    for (JsonIter it = json_iter(w->d, entries); json_next(&it) && !walk_stopped(w);) {
        Place place = {at, STR("entry"), it.index};
        check_entry(w, &place, k, it.value);
    }
    if (!str_is(type, "history") && !str_is(type, "batch")) {
        check_distinct(w, at, entries);
    }
    if (str_is(type, "document")) {
        check_document(w, at, bundle);
        check_links(w, at, bundle);
        check_first(w, at, entries, "Composition", "bdl-11");
    } else if (str_is(type, "message")) {
        check_first(w, at, entries, "MessageHeader", "bdl-12");
    }
    check_relations(w, at, bundle);
    if (str_is(type, "searchset")) {
        check_searchset(w, at, bundle, entries);
    }
    if (w->check->thorough) {
        walk_bundle_links(w, at);
    }
}
