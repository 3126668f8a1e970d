/*
 * /ecg/diagnosis: whether a drawn ECG may be used for diagnosis. Everybody reads who answers for
 * it; the system's administrator changes it with the password again (docs/decisions/097).
 */
#include "access_diagnosis.h"
#include "api_inner.h"

static Status diagnosis_answer(ApiCall *c, const AccessDiagnosis *d)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_bool(&w, "on", d->on);
    json_member_str(&w, "person", d->person);
    json_member_str(&w, "reason", d->reason);
    json_member_str(&w, "by", d->by);
    if (d->at_ms) {
        api_json_time(c, &w, "at", d->at_ms);
    }
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

Status api_diagnosis(ApiCall *c)
{
    AccessDiagnosis now;
    c->what = STR("ecg diagnosis");
    TRY(access_diagnosis_may(c->caller, ACCESS_READ, &c->err));
    TRY(access_diagnosis(c->reader, c->arena, &now, &c->err));
    return diagnosis_answer(c, &now);
}

static Status wanted_read(ApiCall *c, const JsonDoc *d, AccessDiagnosis *ret)
{
    JsonRef on = json_get_c(d, JSON_ROOT, "on");
    if (json_type(d, on) != JSON_TRUE && json_type(d, on) != JSON_FALSE) {
        return err_add(&c->err, ERR_INVALID, "value", STR("on"), "on 应为 true 或 false",
                       "on is true or false");
    }
    *ret = (AccessDiagnosis){.on = json_is_true(d, on),
                             .person = json_str_at(d, JSON_ROOT, "person"),
                             .reason = json_str_at(d, JSON_ROOT, "reason")};
    return OK;
}

Status api_diagnosis_put(ApiCall *c)
{
    JsonDoc d;
    AccessDiagnosis wanted, now;
    c->what = STR("ecg diagnosis");
    TRY(access_diagnosis_may(c->caller, ACCESS_UPDATE, &c->err));
    TRY(api_json_body(c, &d));
    TRY(wanted_read(c, &d, &wanted));
    c->what =
        arena_cat(c->arena, wanted.on ? STR("ecg diagnosis on: ") : STR("ecg diagnosis off: "),
                  utf8_take(wanted.person, 300), wanted.person.n ? STR(" ") : STR_NONE,
                  utf8_take(wanted.reason, 1500));
    TRY(api_again(c, &d));
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(access_diagnosis_set(c->api->access, c->arena, c->caller, &wanted, &now, &c->err));
    c->changed = true;
    return diagnosis_answer(c, &now);
}
