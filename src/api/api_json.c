/* Bodies and answers that are JSON of our own, not FHIR: log-in, drafts, accounts. */
#include "api_inner.h"

Status api_json_body(ApiCall *c, JsonDoc *ret)
{
    Str media = http_media(c->arena, http_header(&c->http->request, "Content-Type"));
    if (!str_is(media, "application/json")) {
        return err_add(&c->err, ERR_MEDIA, NULL, STR_NONE, "请求内容的类型应为 application/json",
                       "The body must be application/json");
    }
    TRY(json_parse(c->arena, c->http->request.body, &JSON_LIMITS_FHIR, ret, &c->err));
    if (json_type(ret, JSON_ROOT) != JSON_OBJECT || ret->flags) {
        return err_add(&c->err, ERR_INVALID, NULL, STR_NONE, "请求内容应为一个 JSON 对象",
                       "The body must be one JSON object");
    }
    return OK;
}

Status api_json_need(ApiCall *c, const JsonDoc *d, const char *name, Str *ret)
{
    JsonRef r = json_get_c(d, JSON_ROOT, name);
    if (json_type(d, r) == JSON_STRING) {
        *ret = json_str(d, r);
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "required", str_from_c(name), "缺少字符串成员 %s",
                   "The string member %s is missing", name);
}

Status api_again(ApiCall *c, const JsonDoc *d)
{
    Str password;
    TRY(api_json_need(c, d, "password", &password));
    return access_again(c->api->access, c->reader, c->caller, password,
                        json_str_at(d, JSON_ROOT, "otp"), &c->err);
}

void api_json_answer(ApiCall *c, int status, Buf *out)
{
    c->result = (ApiResult){.status = status,
                            .body = buf_take(out, c->arena),
                            .media = "application/json; charset=utf-8"};
}

void api_json_time(ApiCall *c, JsonWriter *w, const char *name, int64_t at_ms)
{
    json_member_str(w, name, time_iso(c->arena, at_ms, c->api->options.zone_min));
}
