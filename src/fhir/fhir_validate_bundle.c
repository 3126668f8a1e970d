/*
 * The rules of Bundle across its entries (bdl-1 … bdl-12). The fullUrl of a request is a name that
 * only its bundle knows, and the entries of a batch know nothing of each other: there it is free.
 */
#include "fhir_validate_inner.h"

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

static void check_full_url(Walk *w, const Place *at, Str url)
{
    Place place = {at, STR("fullUrl"), PLACE_NO_INDEX};
    Str shown = walk_clip(url);
    if (str_find(url, STR("/_history/")) >= 0) {
        walk_issue(w, &place, "invariant", "fullUrl 不能指向某一版本（bdl-8）",
                   "fullUrl may not name a version (bdl-8)");
    } else if (url.n && str_find(url, STR("://")) < 0 && !str_starts(url, STR("urn:"))) {
        walk_issue(w, &place, "value", "fullUrl“%.*s”必须是绝对 URL 或 urn:uuid:",
                   "fullUrl \"%.*s\" must be an absolute URL or urn:uuid:", STR_ARG(shown));
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
    if (!k->request || k->response) {
        check_full_url(w, at, json_str(w->d, get(w, entry, "fullUrl")));
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
        check_first(w, at, entries, "Composition", "bdl-11");
    } else if (str_is(type, "message")) {
        check_first(w, at, entries, "MessageHeader", "bdl-12");
    }
}
