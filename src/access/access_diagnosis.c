/* Whether a drawn ECG may be used for diagnosis: one setting, read at each drawing. */
#include "access_diagnosis.h"

#include "access_inner.h"

#include "mk_banned.h"

#define SETTING          STR("ecg-diagnosis-switch")
#define PERSON_CHARS_MIN 2
#define PERSON_CHARS_MAX 100
#define REASON_CHARS_MIN 4
#define REASON_CHARS_MAX 500

Status access_diagnosis_may(const AccessCaller *caller, AccessDo what, Err *err)
{
    return what == ACCESS_READ || caller->administrator
               ? access_may(caller, what, STR("$ecg-diagnosis"), err)
               : err_status(err, ERR_FORBIDDEN);
}

Status access_diagnosis(StoreReader *r, Arena *a, AccessDiagnosis *ret, Err *err)
{
    JsonDoc d;
    Str text;
    AccessDiagnosis now = {0};
    Status status = store_setting_get(r, a, SETTING, &text, NULL);
    TRY(store_reader_trouble(r, err));
    if (status == OK) {
        TRY(json_parse(a, text, &JSON_LIMITS_FHIR, &d, err));
        now = (AccessDiagnosis){.on = json_is_true(&d, json_get_c(&d, JSON_ROOT, "on")),
                                .person = json_str_at(&d, JSON_ROOT, "person"),
                                .reason = json_str_at(&d, JSON_ROOT, "reason"),
                                .by = json_str_at(&d, JSON_ROOT, "by")};
        (void)json_to_i64(&d, json_get_c(&d, JSON_ROOT, "at"), &now.at_ms);
    }
    *ret = now;
    return OK;
}

bool access_diagnosis_on(StoreReader *r, Arena *a)
{
    AccessDiagnosis now;
    return access_diagnosis(r, a, &now, NULL) == OK && now.on;
}

static bool is_between(Str text, size_t min, size_t max)
{
    size_t n = utf8_valid(text) ? utf8_count(text) : 0;
    return n >= min && n <= max;
}

static Status wanted_check(const AccessDiagnosis *wanted, Err *err)
{
    if (wanted->on && !is_between(wanted->person, PERSON_CHARS_MIN, PERSON_CHARS_MAX)) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("person-missing"), STR("person"),
                        "请写明由谁负责（%d–%d 个字）",
                        "Say who answers for it, in %d–%d characters", PERSON_CHARS_MIN,
                        PERSON_CHARS_MAX);
    }
    return is_between(wanted->reason, REASON_CHARS_MIN, REASON_CHARS_MAX)
               ? OK
               : err_rule(err, ERR_UNPROCESSABLE, STR("reason-missing"), STR("reason"),
                          "请写明依据（%d–%d 个字）", "Say why, in %d–%d characters",
                          REASON_CHARS_MIN, REASON_CHARS_MAX);
}

Status access_diagnosis_set(Access *x, Arena *a, const AccessCaller *caller,
                            const AccessDiagnosis *wanted, AccessDiagnosis *ret, Err *err)
{
    Buf out;
    AccessDiagnosis now = *wanted;
    TRY(access_diagnosis_may(caller, ACCESS_UPDATE, err));
    now.person = now.on ? str_trim(now.person) : STR_NONE;
    now.reason = str_trim(now.reason);
    now.by = caller->username;
    now.at_ms = clock_now(store_clock(x->store));
    TRY(wanted_check(&now, err));
    JsonWriter w = json_begin(&out, '{');
    json_member_bool(&w, "on", now.on);
    json_member_str(&w, "person", now.person);
    json_member_str(&w, "reason", now.reason);
    json_member_str(&w, "by", now.by);
    json_member_i64(&w, "at", now.at_ms);
    TRY(store_setting_put(x->store, SETTING, json_end(&w, '}', a), err));
    *ret = now;
    return OK;
}
