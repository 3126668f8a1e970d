/*
 * Patient/{id}/$everything (R4): the patient's compartment, page by page, through the caller's
 * eyes. Parameters: start, end (clinical dates), _since, _type, _count; by GET, or by POST as
 * Parameters. A page's links are GETs.
 */
#include "api_inner.h"

#include "fhir_types.h"
#include "store_everything.h"

#define COUNT_DEFAULT 200
#define COUNT_MAX     1000

typedef struct Ask {
    ApiCall *c;
    StoreEverything q;
    const FhirType **types;
    bool typed; /* _type was given */
    Str cursor;
    Buf self; /* the question, percent-encoded */
} Ask;

static Status bad(Ask *ask, Str name, const char *zh, const char *en)
{
    return err_add(&ask->c->err, ERR_INVALID, "value", name, "参数 %.*s %s%.0s",
                   "The parameter %.*s %.0s%s", STR_ARG(name), zh, en);
}

/* ---- Values -----------------------------------------------------------------------------------
 */

static Status date_take(Ask *ask, Str name, Str value)
{
    DateTime at;
    int64_t lo_ms, hi_ms;
    if (!datetime_parse(value, &at)) {
        return bad(ask, name, "应为日期或时间，如 2026-11-22",
                   "must be a date or time: 2026-11-22");
    }
    datetime_range(&at, ask->c->api->options.zone_min, &lo_ms, &hi_ms);
    if (str_is(name, "start")) {
        ask->q.from_ms = lo_ms;
    } else if (str_is(name, "end")) {
        ask->q.to_ms = hi_ms;
    } else {
        ask->q.since_ms = lo_ms;
    }
    return OK;
}

static Status count_take(Ask *ask, Str name, Str value)
{
    int64_t n;
    if (!str_to_i64(value, &n) || n < 1) {
        return bad(ask, name, "应为正整数", "must be a positive integer");
    }
    ask->q.count = (size_t)(n > COUNT_MAX ? COUNT_MAX : n);
    return OK;
}

static Status types_take(Ask *ask, Str name, Str value)
{
    ask->typed = true;
    for (Str one, rest = value; rest.n;) {
        str_cut(rest, ',', &one, &rest);
        const FhirType *type = fhir_resource_find(one);
        if (!type || ask->q.types_n == fhir_resource_count) {
            return bad(ask, name, "含有不认识的资源类型", "names an unknown resource type");
        }
        if (access_may(ask->c->caller, ACCESS_READ, one, NULL) == OK) {
            ask->types[ask->q.types_n++] = type;
        }
    }
    return OK;
}

static Status value_take(Ask *ask, Str name, Str value)
{
    if (str_is(name, "_cursor")) {
        ask->cursor = value;
        return OK;
    }
    if (str_is(name, "_format") || str_is(name, "_pretty")) {
        return OK;
    }
    buf_printf(&ask->self, "%s%.*s=", ask->self.n ? "&" : "", STR_ARG(name));
    buf_url(&ask->self, value);
    if (str_is(name, "start") || str_is(name, "end") || str_is(name, "_since")) {
        return date_take(ask, name, value);
    }
    if (str_is(name, "_count")) {
        return count_take(ask, name, value);
    }
    return str_is(name, "_type")
               ? types_take(ask, name, value)
               : bad(ask, name, "不认识；$everything 有 start、end、_since、_type、_count",
                     "is not known; $everything has start, end, _since, _type, _count");
}

/* ---- Both forms of the request -----------------------------------------------------------------
 */

static Status query_read(Ask *ask)
{
    Str rest = ask->c->http->request.query, name, raw, value;
    while (http_next_pair(&rest, &name, &raw)) {
        if (!http_decode(ask->c->arena, raw, true, &value)) {
            return bad(ask, name, "编码有误", "is not encoded as it should be");
        }
        TRY(value_take(ask, name, value));
    }
    return OK;
}

static Str part_text(const JsonDoc *d, JsonRef part)
{
    static const char *const KEYS[] = {"valueDate",       "valueDateTime", "valueInstant",
                                       "valueCode",       "valueInteger",  "valueString",
                                       "valuePositiveInt"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        JsonRef value = json_get_c(d, part, KEYS[i]);
        if (value != JSON_NONE) {
            return json_type(d, value) == JSON_STRING ? json_str(d, value) : json_raw(d, value);
        }
    }
    return STR_NONE;
}

static Status body_read(Ask *ask)
{
    ApiCall *c = ask->c;
    JsonDoc d;
    if (!c->http->request.body.n) {
        return OK;
    }
    TRY(api_body(c, &d));
    if (!str_is(fhir_resource_type(&d), "Parameters")) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"),
                       "请求内容应为 Parameters", "The body must be Parameters");
    }
    TRY(fhir_validate(&d, JSON_ROOT, STR("Parameters"), &c->err));
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "parameter")); json_next(&it);) {
        TRY(value_take(ask, json_str_at(&d, it.value, "name"), part_text(&d, it.value)));
    }
    return OK;
}

static void types_all(Ask *ask)
{
    for (unsigned i = 0; i < fhir_resource_count; i++) {
        const FhirType *type = fhir_resource_at(i);
        if (access_may(ask->c->caller, ACCESS_READ, fhir_type_name(type), NULL) == OK) {
            ask->types[ask->q.types_n++] = type;
        }
    }
}

static Status ask_read(ApiCall *c, Str id, Ask *ask)
{
    *ask = (Ask){.c = c,
                 .types = arena_array(c->arena, const FhirType *, fhir_resource_count),
                 .q = {.patient = id,
                       .since_ms = TIME_NONE,
                       .from_ms = TIME_NONE,
                       .to_ms = TIME_FOREVER,
                       .count = COUNT_DEFAULT}};
    buf_init(&ask->self, 0);
    Status status = query_read(ask);
    status = status == OK ? body_read(ask) : status;
    ask->q.self = buf_take(&ask->self, c->arena);
    TRY(status);
    if (!ask->typed) {
        types_all(ask);
    }
    ask->q.types = ask->types;
    return OK;
}

Status api_everything(ApiCall *c)
{
    Ask ask;
    StoreVersion patient;
    StorePage page;
    Str id = c->http->request.part[0];
    Str path = arena_cat(c->arena, STR("Patient/"), id, STR("/$everything"));
    c->what = path;
    TRY(api_read_version(c, STR("Patient"), id, STR_NONE, &patient, &c->err));
    api_touch(c, id);
    TRY(ask_read(c, id, &ask));
    c->what = arena_cat(c->arena, path, ask.q.self.n ? STR("?") : STR_NONE, ask.q.self);
    TRY(store_everything(c->reader, c->arena, &ask.q, &c->caller->view, ask.cursor, &page,
                         &c->err));
    api_page_touch(c, &page);
    c->result = (ApiResult){.status = 200, .body = api_page_write(c, path, &page, ask.cursor)};
    return OK;
}
