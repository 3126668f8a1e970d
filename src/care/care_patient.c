#include "care_patient.h"

#include "care_id.h"

#include "mk_banned.h"

#define RULE STR("card-contradicts")

static bool differs_with_reason(const JsonDoc *d, JsonRef identifier)
{
    for (JsonIter it = json_iter(d, json_get_c(d, identifier, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), CARE_CARD_DIFFERS) &&
            !str_empty(str_trim(json_str_at(d, it.value, "valueString")))) {
            return true;
        }
    }
    return false;
}

/* A birth date may stop after the year or the month; it agrees as far as it goes. */
static Status birth_check(Arena *a, const JsonDoc *d, const CareIdCard *card, Err *err)
{
    Str given = json_str_at(d, JSON_ROOT, "birthDate"), birth = care_id_card_birth(a, card);
    if (str_empty(given) || str_starts(birth, given)) {
        return OK;
    }
    return err_rule(
        err, ERR_UNPROCESSABLE, RULE, STR("Patient.birthDate"),
        "出生日期 %.*s 与身份证号中的 %.*s 不符：请核对；旧证请将该标识的 use 记为 old，"
        "证件确有错误请在该标识上加扩展 " CARE_CARD_DIFFERS " 并写明原因",
        "The birth date %.*s is not the ID card's, %.*s: compare them; give an earlier "
        "card the use 'old', and a card that really is wrong the extension " CARE_CARD_DIFFERS
        " with the reason",
        STR_ARG(given), STR_ARG(birth));
}

static Status identifier_check(Arena *a, const JsonDoc *d, const JsonIter *it, const CareDesk *desk,
                               Err *err)
{
    CareIdCard card;
    Str number = json_str_at(d, it->value, "value");
    if (!str_is(json_str_at(d, it->value, "system"), FHIR_CARD_SYSTEM)) {
        return OK;
    }
    Status status = care_id_card_check(number, desk->now_ms, desk->zone_min, &card, err);
    if (status != OK) {
        if (err) {
            err->last->where = arena_printf(err->arena, "Patient.identifier[%u].value", it->index);
        }
        return status;
    }
    bool judged = desk->person && !str_is(json_str_at(d, it->value, "use"), "old") &&
                  !differs_with_reason(d, it->value);
    return judged ? birth_check(a, d, &card, err) : OK;
}

Status care_patient_check(Arena *a, const JsonDoc *d, const CareDesk *desk, Err *err)
{
    Status worst = OK;
    JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "identifier"));
    while (json_next(&it)) {
        Status status = identifier_check(a, d, &it, desk, err);
        worst = worst != OK ? worst : status;
    }
    return worst;
}
