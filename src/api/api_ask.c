/* The parameters of an operation in both forms: a query, and Parameters in the body. */
#include "api_inner.h"

static Status query_read(ApiCall *c, ApiAskTake *take, void *ctx)
{
    Str rest = c->http->request.query, name, raw, value;
    while (http_next_pair(&rest, &name, &raw)) {
        if (!http_decode(c->arena, raw, true, &value)) {
            return err_add(&c->err, ERR_INVALID, "value", name, "参数 %.*s 编码有误",
                           "The parameter %.*s is not encoded as it should be", STR_ARG(name));
        }
        TRY(take(ctx, &(ApiAsked){.name = name, .value = value}));
    }
    return OK;
}

/* The text of value[x]; of a Reference the reference itself. */
static Str part_value(const JsonDoc *d, JsonRef part)
{
    Str reference = json_str_at(d, part, "valueReference.reference");
    for (JsonIter it = json_iter(d, part); !reference.n && json_next(&it);) {
        if (str_starts(it.key, STR("value"))) {
            return json_type(d, it.value) == JSON_STRING ? json_str(d, it.value)
                                                         : json_raw(d, it.value);
        }
    }
    return reference;
}

static Status body_read(ApiCall *c, ApiAskTake *take, void *ctx)
{
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    TRY(api_body(c, d));
    if (!str_is(fhir_resource_type(d), "Parameters")) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"),
                       "请求内容应为 Parameters", "The body must be Parameters");
    }
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "parameter")); json_next(&it);) {
        ApiAsked asked = {.name = json_str_at(d, it.value, "name"),
                          .value = part_value(d, it.value),
                          .doc = d,
                          .part = it.value};
        if (!asked.name.n) {
            return err_add(&c->err, ERR_INVALID, "required", STR("Parameters.parameter.name"),
                           "参数须有名称", "A parameter needs a name");
        }
        TRY(take(ctx, &asked));
    }
    return OK;
}

Status api_ask_read(ApiCall *c, ApiAskTake *take, void *ctx)
{
    TRY(query_read(c, take, ctx));
    return c->http->request.body.n ? body_read(c, take, ctx) : OK;
}

Status api_ask_bad(ApiCall *c, Str name, const char *zh, const char *en)
{
    return err_add(&c->err, ERR_INVALID, "value", name, "参数 %.*s %s%.0s",
                   "The parameter %.*s %.0s%s", STR_ARG(name), zh, en);
}

Status api_ask_unknown(ApiCall *c, Str name, const char *known)
{
    if (str_is(name, "_format") || str_is(name, "_pretty")) {
        return OK;
    }
    if (api_is_lenient(c)) {
        api_ignore(c, name);
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "not-supported", name, "不支持参数 %.*s；可用：%s",
                   "The parameter %.*s is not supported; known are %s", STR_ARG(name), known);
}

static bool is_listed(const char *list, Str name)
{
    Str rest = str_from_c(list), one;
    while (rest.n) {
        str_cut(rest, ',', &one, &rest);
        if (str_eq(str_trim(one), name)) {
            return true;
        }
    }
    return false;
}

static Status api_pairs_only(ApiCall *c, Str pairs, const char *known)
{
    Str name, value, decoded;
    while (http_next_pair(&pairs, &name, &value)) {
        decoded = http_decode(c->arena, name, true, &decoded) ? decoded : name;
        if (!is_listed(known, decoded)) {
            TRY(api_ask_unknown(c, decoded, known));
        }
    }
    return OK;
}

Status api_query_only(ApiCall *c, const char *known)
{
    return api_pairs_only(c, c->http->request.query, known);
}

Status api_ask_instant(ApiCall *c, const ApiAsked *asked, int64_t *ret)
{
    DateTime at;
    int64_t hi;
    if (!datetime_parse(asked->value, &at)) {
        return api_ask_bad(c, asked->name, "应为时间，如 2026-11-22T08:00:00+08:00",
                           "must be an instant: 2026-11-22T08:00:00+08:00");
    }
    datetime_range(&at, c->api->options.zone_min, ret, &hi);
    return OK;
}

Status api_ask_number(ApiCall *c, const ApiAsked *asked, int64_t max, size_t *ret)
{
    int64_t n;
    if (!str_to_i64(asked->value, &n) || n < 1) {
        return api_ask_bad(c, asked->name, "应为正整数", "must be a positive whole number");
    }
    *ret = (size_t)(n > max ? max : n);
    return OK;
}

Str api_id_of(Str reference, const char *type)
{
    Str prefix = str_from_c(type);
    bool typed =
        str_starts(reference, prefix) && reference.n > prefix.n && reference.p[prefix.n] == '/';
    return typed ? str_skip(reference, prefix.n + 1) : reference;
}
