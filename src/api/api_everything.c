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

/* ---- Values -----------------------------------------------------------------------------------
 */

static Status date_take(Ask *ask, const ApiAsked *asked)
{
    DateTime at;
    int64_t lo_ms, hi_ms;
    if (!datetime_parse(asked->value, &at)) {
        return api_ask_bad(ask->c, asked->name, "应为日期或时间，如 2026-11-22",
                           "must be a date or time: 2026-11-22");
    }
    datetime_range(&at, ask->c->api->options.zone_min, &lo_ms, &hi_ms);
    if (str_is(asked->name, "start")) {
        ask->q.from_ms = lo_ms;
    } else {
        ask->q.to_ms = hi_ms;
    }
    return OK;
}

static Status types_take(Ask *ask, const ApiAsked *asked)
{
    ask->typed = true;
    for (Str one, rest = asked->value; rest.n;) {
        str_cut(rest, ',', &one, &rest);
        const FhirType *type = fhir_resource_find(one);
        if (!type || ask->q.types_n == fhir_resource_count) {
            return api_ask_bad(ask->c, asked->name, "含有不认识的资源类型",
                               "names an unknown resource type");
        }
        if (access_may(ask->c->caller, ACCESS_READ, one, NULL) == OK) {
            ask->types[ask->q.types_n++] = type;
        }
    }
    return OK;
}

static Status known_take(Ask *ask, const ApiAsked *asked)
{
    Str name = asked->name;
    return str_is(name, "start") || str_is(name, "end") ? date_take(ask, asked)
           : str_is(name, "_since") ? api_ask_instant(ask->c, asked, &ask->q.since_ms)
           : str_is(name, "_count") ? api_ask_number(ask->c, asked, COUNT_MAX, &ask->q.count)
                                    : types_take(ask, asked);
}

static Status value_take(void *ctx, const ApiAsked *asked)
{
    static const char *const KNOWN[] = {"start", "end", "_since", "_type", "_count"};
    Ask *ask = ctx;
    if (str_is(asked->name, "_cursor")) {
        ask->cursor = asked->value;
        return OK;
    }
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (str_is(asked->name, KNOWN[i])) {
            buf_printf(&ask->self, "%s%s=", ask->self.n ? "&" : "", KNOWN[i]);
            buf_url(&ask->self, asked->value);
            return known_take(ask, asked);
        }
    }
    return api_ask_unknown(ask->c, asked->name, "start, end, _since, _type, _count");
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
    Status status = api_ask_read(c, value_take, ask);
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
