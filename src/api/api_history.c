/* _history of a resource, a type and the whole, newest first. */
#include "api_inner.h"
#include "fhir_write.h"

#define PAGE_DEFAULT      20
#define PAGE_MAX          1000
#define LISTED_LOOKED_MAX 100000 /* versions looked at for a page of _list */

typedef struct HistoryAsk {
    Str type, id;
    int64_t since_ms, count;
    int64_t from_ms, to_ms; /* of _at */
    uint64_t before;
    Str since, at; /* as written; at most one is there */
    Str list;      /* id of a List: only what it refers to; empty: all */
    Map listed;    /* "Type/id", "Type/id/_history/vid" */
} HistoryAsk;

static Status parameter_bad(ApiCall *c, Str name, Str value)
{
    return err_add(&c->err, ERR_INVALID, "invalid", name, "参数 %.*s 的值“%.*s”无效",
                   "The parameter %.*s has a malformed value '%.*s'", STR_ARG(name),
                   STR_ARG(value));
}

/* An instant, or a date that stands for all of its span. */
static bool span_parse(const ApiCall *c, Str value, int64_t *ret_from_ms, int64_t *ret_to_ms)
{
    DateTime d;
    if (!datetime_parse(value, &d)) {
        return false;
    }
    datetime_range(&d, c->api->options.zone_min, ret_from_ms, ret_to_ms);
    return true;
}

static Status parameter_take(ApiCall *c, Str name, Str value, HistoryAsk *ask)
{
    if (str_is(name, "_count")) {
        if (!str_to_i64(value, &ask->count) || ask->count < 0) {
            return parameter_bad(c, name, value);
        }
    } else if (str_is(name, "_since")) {
        int64_t end;
        ask->since = value;
        if (!span_parse(c, value, &ask->since_ms, &end)) {
            return parameter_bad(c, name, value);
        }
    } else if (str_is(name, "_at")) {
        ask->at = value;
        if (!span_parse(c, value, &ask->from_ms, &ask->to_ms)) {
            return parameter_bad(c, name, value);
        }
    } else if (str_is(name, "_list")) {
        ask->list = api_id_of(value, "List");
        if (!ask->list.n || str_starts(value, STR("$"))) { /* what is current has no history */
            return parameter_bad(c, name, value);
        }
    } else if (str_is(name, "_before")) {
        int64_t before;
        if (!str_to_i64(value, &before) || before <= 0) {
            return parameter_bad(c, name, value);
        }
        ask->before = (uint64_t)before;
    } else {
        return api_ask_unknown(c, name, "_since, _at, _list, _count, _format, _pretty");
    }
    return OK;
}

static Status history_ask(ApiCall *c, HistoryAsk *ask)
{
    Str rest = c->http->request.query, name, value, name_text, value_text;
    ask->count = PAGE_DEFAULT;
    while (http_next_pair(&rest, &name, &value)) {
        if (!http_decode(c->arena, name, true, &name_text) ||
            !http_decode(c->arena, value, true, &value_text)) {
            return parameter_bad(c, name, value);
        }
        TRY(parameter_take(c, name_text, value_text, ask));
    }
    ask->count = ask->count > PAGE_MAX ? PAGE_MAX : ask->count;
    return ask->since.n && ask->at.n
               ? err_add(&c->err, ERR_INVALID, "invalid", STR("_at"), "_at 与 _since 只能用一个",
                         "Use _at or _since, not both")
               : OK;
}

/* Created by POST, or by a PUT under an id of the client's own: the request's cause says it. */
static bool by_post(const StoreVersion *v)
{
    return v->op == STORE_CREATE && !str_starts(v->cause, STR("PUT ")) &&
           !str_starts(v->cause, STR("batch PUT "));
}

static const char *verb_of(const StoreVersion *v)
{
    return v->op == STORE_DELETE ? "DELETE" : by_post(v) ? "POST" : "PUT";
}

static const char *status_of(const StoreVersion *v)
{
    return v->purged               ? "410 Gone"
           : v->op == STORE_DELETE ? "204 No Content"
           : v->op == STORE_CREATE ? "201 Created"
                                   : "200 OK";
}

/* Of a version whose content was erased: the row stays, and says so. */
static void outcome_write(ApiCall *c, JsonWriter *w)
{
    json_key_open(w, "outcome", '{');
    json_member_c(w, "resourceType", "OperationOutcome");
    json_key_open(w, "issue", '[');
    json_open(w, '{');
    json_member_c(w, "severity", "information");
    json_member_c(w, "code", "deleted");
    json_key_open(w, "details", '{');
    fhir_coding_put(w, STR("urn:menkou:rule"), STR("purged"), STR_NONE);
    json_member_c(w, "text", c->lang == LANG_ZH ? "内容已按规定清除" : "The content was purged");
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
}

static void entry_write(ApiCall *c, JsonWriter *w, Str base, const StoreVersion *v)
{
    Str place = arena_cat(c->arena, v->type, STR("/"), v->id);
    json_open(w, '{');
    json_member_str(w, "fullUrl", arena_cat(c->arena, base, STR("/fhir/"), place));
    if (v->body.n) {
        json_key(w, "resource");
        json_put_raw(w, v->body);
    }
    json_key_open(w, "request", '{');
    json_member_c(w, "method", verb_of(v));
    json_member_str(w, "url", by_post(v) ? v->type : place);
    json_close(w, '}');
    json_key_open(w, "response", '{');
    json_member_c(w, "status", status_of(v));
    json_member_str(w, "etag", api_etag(c->arena, v->vid));
    json_member_str(w, "lastModified", time_iso(c->arena, v->at_ms, c->api->options.zone_min));
    if (v->purged) {
        outcome_write(c, w);
    }
    json_close(w, '}');
    json_close(w, '}');
}

static void link_write(ApiCall *c, JsonWriter *w, const char *relation, const HistoryAsk *ask,
                       uint64_t before)
{
    Buf url;
    buf_init(&url, 0);
    buf_add(&url, api_base_url(c));
    buf_add(&url, c->http->request.path);
    buf_printf(&url, "?_count=%lld", (long long)ask->count);
    if (ask->since.n) {
        buf_c(&url, "&_since=");
        buf_url(&url, ask->since);
    }
    if (ask->at.n) {
        buf_c(&url, "&_at=");
        buf_url(&url, ask->at);
    }
    if (ask->list.n) {
        buf_c(&url, "&_list=");
        buf_url(&url, ask->list);
    }
    if (before) {
        buf_printf(&url, "&_before=%llu", (unsigned long long)before);
    }
    json_open(w, '{');
    json_member_c(w, "relation", relation);
    json_member_str(w, "url", buf_str(&url));
    json_close(w, '}');
    buf_done(&url);
}

static void history_write(ApiCall *c, const HistoryAsk *ask, const StoreVersion *v, size_t n,
                          bool more)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    Str base = api_base_url(c);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "Bundle");
    json_member_c(&w, "type", "history");
    if (!more && !ask->before) { /* else nobody has counted them */
        json_member_i64(&w, "total", (int64_t)n);
    }
    json_key_open(&w, "link", '[');
    link_write(c, &w, "self", ask, ask->before);
    if (more && n) {
        link_write(c, &w, "next", ask, v[n - 1].seq);
    }
    json_close(&w, ']');
    if (n) {
        json_key_open(&w, "entry", '[');
        for (size_t i = 0; i < n; i++) {
            entry_write(c, &w, base, &v[i]);
            api_touch_version(c, &v[i]);
        }
        json_close(&w, ']');
    }
    json_close(&w, '}');
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
}

static Status history_read(ApiCall *c, const HistoryAsk *ask, StoreVersion **ret, size_t *ret_n,
                           bool *ret_more)
{
    const StoreView *view = &c->caller->view;
    return ask->at.n
               ? store_history_during(c->reader, c->arena, view, ask->type, ask->id, ask->from_ms,
                                      ask->to_ms, ask->before, (size_t)ask->count, ret, ret_n,
                                      ret_more, &c->err)
               : store_history(c->reader, c->arena, view, ask->type, ask->id, ask->since_ms,
                               ask->before, (size_t)ask->count, ret, ret_n, ret_more, &c->err);
}

/* ---- _list -------------------------------------------------------------------------------- */

/* What the List refers to now; of one that is not there or not to be seen, nothing. */
static Status list_read(ApiCall *c, HistoryAsk *ask)
{
    static char known;
    StoreVersion v;
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    map_init(&ask->listed, c->arena);
    if (access_may(c->caller, ACCESS_READ, STR("List"), NULL) != OK ||
        store_read(c->reader, c->arena, &c->caller->view, STR("List"), ask->list, &v, NULL) != OK) {
        return store_reader_trouble(c->reader, &c->err);
    }
    TRY(json_parse(c->arena, v.body, &JSON_LIMITS_FHIR, d, &c->err));
    api_touch_version(c, &v);
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "entry")); json_next(&it);) {
        Str item = json_str_at(d, it.value, "item.reference");
        if (item.n && !json_is_true(d, json_get_c(d, it.value, "deleted"))) {
            map_put(&ask->listed, item, &known);
        }
    }
    return OK;
}

static bool is_listed(ApiCall *c, const HistoryAsk *ask, const StoreVersion *v)
{
    Str name = arena_cat(c->arena, v->type, STR("/"), v->id);
    return map_get(&ask->listed, name) ||
           map_get(&ask->listed, arena_cat(c->arena, name, STR("/_history/"), v->vid));
}

/* A page of those that are listed, from as many stretches of the history as it takes. */
static Status listed_read(ApiCall *c, HistoryAsk *ask, StoreVersion **ret, size_t *ret_n,
                          bool *ret_more)
{
    TRY(list_read(c, ask));
    HistoryAsk stretch = *ask;
    StoreVersion *list = arena_array(c->arena, StoreVersion, (size_t)ask->count + 1), *v;
    size_t n = 0, kept = 0, looked = 0;
    bool more = ask->listed.n > 0;
    stretch.count = PAGE_MAX;
    while (more && kept <= (size_t)ask->count) {
        TRY(history_read(c, &stretch, &v, &n, &more));
        for (size_t i = 0; i < n && kept <= (size_t)ask->count; i++) {
            if (is_listed(c, ask, &v[i])) {
                list[kept++] = v[i];
            }
        }
        stretch.before = n ? v[n - 1].seq : stretch.before;
        looked += n;
        if (looked > LISTED_LOOKED_MAX) {
            return err_add(&c->err, ERR_TOO_MANY, "too-costly", STR("_list"),
                           "历史查询范围过大，请用 _since 缩小",
                           "The history asked for is too long; narrow it with _since");
        }
    }
    *ret_more = kept > (size_t)ask->count;
    *ret_n = *ret_more ? (size_t)ask->count : kept;
    *ret = list;
    return OK;
}

/* Nothing in the time asked for: of what is out of sight nothing is said, not even that. */
static Status instance_seen(ApiCall *c, Str type, Str id)
{
    StoreVersion v;
    Err err;
    err_init(&err, c->arena);
    Status status = api_read_version(c, type, id, STR_NONE, &v, &err);
    return status == OK || status == ERR_GONE ? OK : err_move(&c->err, &err, STR_NONE);
}

/* The system's history is clinical: a role that reads no plain type reads none of it. */
static Status history_may(ApiCall *c, Str type)
{
    Err inner;
    err_init(&inner, c->arena);
    Status status =
        access_may(c->caller, ACCESS_READ, type.n ? type : STR("Basic"), type.n ? &c->err : &inner);
    if (status == OK || type.n) {
        return status;
    }
    bool by_role = inner.first && !inner.first->rule.n;
    return by_role ? err_add(&c->err, ERR_FORBIDDEN, NULL, STR_NONE,
                             "您的岗位不能查看全部资源的历史，请指明资源类型",
                             "Your role may not read the history of everything; name a type")
                   : err_move(&c->err, &inner, STR_NONE);
}

static Status history(ApiCall *c, Str type, Str id)
{
    HistoryAsk ask = {.type = type, .id = id};
    if (type.n) {
        TRY(api_type_known(c, type, &c->err));
    }
    TRY(history_may(c, type));
    TRY(history_ask(c, &ask));
    c->what = arena_cat(c->arena, type, id.n ? STR("/") : STR_NONE, id, STR("/_history"));
    StoreVersion *v;
    size_t n;
    bool more;
    TRY(ask.list.n ? listed_read(c, &ask, &v, &n, &more) : history_read(c, &ask, &v, &n, &more));
    if (id.n && n == 0) {
        TRY(instance_seen(c, type, id));
    }
    history_write(c, &ask, v, n, more);
    return OK;
}

Status api_history_system(ApiCall *c)
{
    return history(c, STR_NONE, STR_NONE);
}

Status api_history_type(ApiCall *c)
{
    return history(c, c->http->request.part[0], STR_NONE);
}

Status api_history_instance(ApiCall *c)
{
    return history(c, c->http->request.part[0], c->http->request.part[1]);
}
