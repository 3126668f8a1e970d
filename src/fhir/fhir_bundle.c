#include "fhir_bundle.h"
#include "fhir_validate.h"

#define ENTRY_PLACE(i, what) arena_printf(x->arena, "Bundle.entry[%u]" what, (unsigned)(i))

const char *fhir_method_name(FhirMethod m)
{
    static const char *const NAME[] = {"DELETE", "POST", "PUT", "PATCH", "GET", "HEAD"};
    return NAME[m];
}

typedef struct Parse {
    Arena *arena;
    const JsonDoc *d;
    Str base;
    FhirBundle *bundle;
    Err *err;
    FhirEntry *entry; /* the one being read */
    bool failed;
} Parse;

/* A fault refuses a transaction whole, but only its own entry of a batch. */
static void refuse(Parse *x, Str where, const char *zh, const char *en)
{
    Err *err = x->err;
    if (x->bundle->transaction) {
        x->failed = true;
    } else {
        if (!x->entry->refused) {
            x->entry->refused = arena_new(x->arena, Err);
            err_init(x->entry->refused, x->arena);
        }
        err = x->entry->refused;
    }
    err_text(err, ERR_INVALID, "invalid", where, str_from_c(zh), str_from_c(en));
}

/* --- one entry --- */

static bool method_parse(Str name, FhirMethod *ret)
{
    for (FhirMethod m = FHIR_METHOD_DELETE; m <= FHIR_METHOD_HEAD; m++) {
        if (str_is(name, fhir_method_name(m))) {
            *ret = m;
            return true;
        }
    }
    return false;
}

/* "http://…": a scheme before anything of a path or a query. */
static bool is_absolute(Str url)
{
    ptrdiff_t scheme = str_find(url, STR("://"));
    for (ptrdiff_t i = 0; i < scheme; i++) {
        if (url.p[i] == '/' || url.p[i] == '?' || url.p[i] == '#') {
            return false;
        }
    }
    return scheme > 0;
}

/* What follows `base`, where the url begins with it; nothing of a longer name. */
static bool base_skip(Str url, Str base, Str *ret)
{
    if (!base.n || !str_starts(url, base)) {
        return false;
    }
    Str rest = str_skip(url, base.n);
    if (rest.n && rest.p[0] != '/' && rest.p[0] != '?') {
        return false;
    }
    *ret = str_starts(rest, STR("/")) ? str_skip(rest, 1) : rest;
    return true;
}

/* "/fhir" of "http://host/fhir" */
static Str base_path(Str base)
{
    ptrdiff_t scheme = str_find(base, STR("://"));
    Str rest = scheme < 0 ? base : str_skip(base, (size_t)scheme + 3);
    ptrdiff_t path = str_find_char(rest, '/');
    return path < 0 ? STR_NONE : str_skip(rest, (size_t)path);
}

/*
 * The url below the base it is relative to, as R4 has it; also with the base, or with its path,
 * before it. False: it is another server's.
 */
static bool path_of(Str url, Str base, Str *ret)
{
    if (base_skip(url, base, ret) || base_skip(url, base_path(base), ret)) {
        return true;
    }
    *ret = str_starts(url, STR("/")) ? str_skip(url, 1) : url;
    return !is_absolute(url);
}

static void url_split(FhirEntry *e, Str below)
{
    Str path, rest = STR_NONE, head = STR_NONE;
    str_cut(below, '?', &path, &e->query);
    str_cut(path, '/', &head, &rest);
    if (str_starts(head, STR("$")) || str_starts(head, STR("_")) || str_is(path, "metadata")) {
        e->operation = path;
        return;
    }
    e->type = head;
    if (str_starts(rest, STR("$")) || str_starts(rest, STR("_"))) {
        e->operation = rest;
    } else {
        str_cut(rest, '/', &e->id, &e->operation);
    }
}

static bool needs_resource(const FhirEntry *e)
{
    return (e->method == FHIR_METHOD_POST && !e->operation.n) || e->method == FHIR_METHOD_PUT ||
           e->method == FHIR_METHOD_PATCH;
}

static void check_body(Parse *x, const FhirEntry *e)
{
    Str type = json_str(x->d, json_get_c(x->d, e->resource, "resourceType"));
    Str id = json_str(x->d, json_get_c(x->d, e->resource, "id"));
    if (e->resource == JSON_NONE) {
        refuse(x, ENTRY_PLACE(e->index, ".resource"), "此请求需要 resource：请补上",
               "this request needs a resource: add it");
    } else if (e->method == FHIR_METHOD_PATCH) {
        if (!str_is(type, "Binary") && !str_is(type, "Parameters")) {
            refuse(x, ENTRY_PLACE(e->index, ".resource"), "PATCH 的内容须是 Parameters 或 Binary",
                   "the body of a PATCH is a Parameters or a Binary");
        }
    } else if (!str_eq(type, e->type)) {
        refuse(x, ENTRY_PLACE(e->index, ".request.url"), "url 的类型与资源的类型不同",
               "the url's type is not the resource's type");
    } else if (e->method == FHIR_METHOD_PUT && e->id.n && !str_eq(id, e->id)) {
        refuse(x, ENTRY_PLACE(e->index, ".resource.id"), "资源的 id 与 url 中的 id 不同",
               "the resource's id is not the id of the url");
    }
}

/* What the entry should do cannot be told at all. */
static void refuse_aimless(Parse *x, Str where, const char *zh, const char *en)
{
    x->entry->aimless = true;
    refuse(x, where, zh, en);
}

static void check_url(Parse *x, const FhirEntry *e)
{
    Str where = ENTRY_PLACE(e->index, ".request.url");
    bool system_level = e->operation.n || e->method >= FHIR_METHOD_GET;
    if (!e->url.n) {
        refuse_aimless(x, where, "缺少 request.url", "request.url is missing");
    } else if (!e->type.n && !system_level) {
        refuse_aimless(x, where, "request.url 中没有资源类型",
                       "request.url names no resource type");
    } else if (e->type.n && !fhir_resource_find(e->type)) {
        refuse(x, where, "request.url 中的资源类型不是 R4 的类型",
               "the resource type in request.url is not one of R4");
    } else if (e->id.n && !fhir_id_ok(e->id)) {
        refuse(x, where, "request.url 中的 id 格式有误", "the id in request.url is malformed");
    } else if (e->method == FHIR_METHOD_POST && e->id.n && !e->operation.n) {
        refuse(x, where, "POST 的 url 只写资源类型；指定 id 请用 PUT",
               "the url of a POST is the type alone; use PUT for an id of yours");
    } else if ((e->method == FHIR_METHOD_PUT || e->method == FHIR_METHOD_PATCH ||
                e->method == FHIR_METHOD_DELETE) &&
               !e->id.n && !e->query.n) {
        refuse_aimless(x, where, "url 须为 类型/id 或 类型?条件",
                       "the url must be Type/id or Type?condition");
    }
}

static void entry_parse(Parse *x, JsonRef value, FhirEntry *e)
{
    const JsonDoc *d = x->d;
    JsonRef request = json_get_c(d, value, "request");
    e->full_url = json_str(d, json_get_c(d, value, "fullUrl"));
    e->resource = json_get_c(d, value, "resource");
    if (json_type(d, request) != JSON_OBJECT) {
        refuse_aimless(x, ENTRY_PLACE(e->index, ".request"), "条目缺少 request",
                       "the entry has no request");
        return;
    }
    if (!method_parse(json_str(d, json_get_c(d, request, "method")), &e->method)) {
        refuse_aimless(x, ENTRY_PLACE(e->index, ".request.method"),
                       "request.method 须为 GET、HEAD、POST、PUT、PATCH、DELETE 之一",
                       "request.method must be GET, HEAD, POST, PUT, PATCH or DELETE");
        return;
    }
    e->url = json_str(d, json_get_c(d, request, "url"));
    e->if_match = json_str(d, json_get_c(d, request, "ifMatch"));
    e->if_none_match = json_str(d, json_get_c(d, request, "ifNoneMatch"));
    e->if_none_exist = json_str(d, json_get_c(d, request, "ifNoneExist"));
    e->if_modified_since = json_str(d, json_get_c(d, request, "ifModifiedSince"));
    Str below;
    if (!path_of(e->url, x->base, &below)) {
        refuse_aimless(x, ENTRY_PLACE(e->index, ".request.url"),
                       "request.url 属于另一台服务器：请写相对地址，如 Patient/1",
                       "request.url is another server's: write it relative, as Patient/1");
        return;
    }
    url_split(e, below);
    check_url(x, e);
    if (needs_resource(e)) {
        check_body(x, e);
    }
}

/* --- the whole --- */

static void order_make(Parse *x)
{
    FhirBundle *b = x->bundle;
    uint32_t n = 0;
    b->order = arena_array(x->arena, uint32_t, b->count + 1);
    for (int pass = 0; pass < 4; pass++) {
        static const FhirMethod LAST[] = {FHIR_METHOD_DELETE, FHIR_METHOD_POST, FHIR_METHOD_PATCH,
                                          FHIR_METHOD_HEAD};
        FhirMethod first = pass ? LAST[pass - 1] + 1 : FHIR_METHOD_DELETE;
        for (uint32_t i = 0; i < b->count; i++) {
            if (b->entry[i].method >= first && b->entry[i].method <= LAST[pass]) {
                b->order[n++] = i;
            }
        }
    }
}

static void check_once(Parse *x, Map *seen, Str key, Str where, const char *zh, const char *en)
{
    if (map_get(seen, key)) {
        refuse(x, where, zh, en);
    }
    map_put(seen, key, x);
}

/* A transaction may touch each Type/id once, and no fullUrl may stand for two resources. */
static void check_duplicates(Parse *x)
{
    Map target, url;
    map_init(&target, x->arena);
    map_init(&url, x->arena);
    for (uint32_t i = 0; i < x->bundle->count; i++) {
        const FhirEntry *e = &x->bundle->entry[i];
        if (e->method < FHIR_METHOD_GET && e->id.n && !e->operation.n) {
            check_once(x, &target, arena_cat(x->arena, e->type, STR("/"), e->id),
                       ENTRY_PLACE(i, ".request.url"), "同一事务中两次改动同一资源",
                       "the transaction changes the same resource twice");
        }
        if (e->full_url.n && e->resource != JSON_NONE) {
            check_once(x, &url, e->full_url, ENTRY_PLACE(i, ".fullUrl"), "fullUrl 在事务中重复",
                       "the fullUrl occurs twice in the transaction");
        }
    }
}

/* A batch of which no entry says what to do is no request. */
static Status check_aims(const FhirBundle *b, Err *err)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (!b->entry[i].aimless) {
            return OK;
        }
    }
    for (uint32_t i = 0; i < b->count; i++) {
        (void)err_move(err, b->entry[i].refused, STR_NONE);
    }
    return b->count ? ERR_INVALID : OK;
}

Status fhir_bundle_parse(Arena *a, const JsonDoc *d, Str base, FhirBundle *ret, Err *err)
{
    FhirBundle bundle = {0};
    Parse x = {.arena = a, .d = d, .base = base, .bundle = &bundle, .err = err};
    Str type = json_str(d, json_get_c(d, JSON_ROOT, "type"));
    JsonRef entries = json_get_c(d, JSON_ROOT, "entry");
    bundle.transaction = str_is(type, "transaction");
    if (!str_is(fhir_resource_type(d), "Bundle") ||
        (!bundle.transaction && !str_is(type, "batch"))) {
        return err_add(err, ERR_INVALID, "invalid", STR("Bundle.type"),
                       "此处只接受 type 为 transaction 或 batch 的 Bundle",
                       "only a Bundle of type transaction or batch is accepted here");
    }
    bundle.count = json_count(d, entries);
    if (bundle.count > FHIR_BUNDLE_ENTRIES_MAX) {
        return err_add(err, ERR_TOO_LARGE, "too-costly", STR("Bundle.entry"),
                       "条目有 %u 个，一个 Bundle 最多 %u 个：请分批",
                       "%u entries, at most %u in one Bundle: split it", bundle.count,
                       FHIR_BUNDLE_ENTRIES_MAX);
    }
    bundle.entry = arena_array(a, FhirEntry, bundle.count + 1);
    for (JsonIter it = json_iter(d, entries); json_next(&it);) {
        x.entry = &bundle.entry[it.index];
        x.entry->index = it.index;
        entry_parse(&x, it.value, x.entry);
    }
    if (bundle.transaction && !x.failed) {
        check_duplicates(&x);
    }
    if (x.failed) {
        return ERR_INVALID;
    }
    TRY(bundle.transaction ? OK : check_aims(&bundle, err));
    order_make(&x);
    *ret = bundle;
    return OK;
}
