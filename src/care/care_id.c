#include "care_id.h"

/* --- ID card --- */

/* GB/T 2260 provinces, and the residence permits of 港澳台 (81–83) and foreigners (91). */
static bool province_known(const char *p)
{
    static const char KNOWN[] =
        "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
        "61 62 63 64 65 71 81 82 83 91 ";
    bool found = false;
    for (const char *k = KNOWN; *k && !found; k += 3) {
        found = k[0] == p[0] && k[1] == p[1];
    }
    return found;
}

static int number_at(const char *p, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        v = v * 10 + p[i] - '0';
    }
    return v;
}

static Status refuse(Err *err, const char *zh, const char *en)
{
    return err_text(err, ERR_UNPROCESSABLE, "value", STR_NONE, str_from_c(zh), str_from_c(en));
}

static bool birth_read(CareIdCard *card, int64_t now_ms, int zone_min)
{
    card->year = number_at(card->number + 6, 4);
    card->month = number_at(card->number + 10, 2);
    card->day = number_at(card->number + 12, 2);
    int64_t today = (now_ms + zone_min * MS_MINUTE) / MS_DAY;
    return card->year >= 1800 && card->month >= 1 && card->month <= 12 && card->day >= 1 &&
           card->day <= days_in_month(card->year, card->month) &&
           days_from_civil(card->year, card->month, card->day) <= today;
}

Status care_id_card_check(Str text, int64_t now_ms, int zone_min, CareIdCard *ret, Err *err)
{
    CareIdCard card = {.was_15 = text.n == 15};
    FhirCard plain;
    if (!fhir_card_read(text, &plain)) {
        return refuse(err, "身份证号应为 18 位（末位可为 X），旧号 15 位：请核对",
                      "an ID card number has 18 characters (the last may be X), an old one 15 "
                      "digits: check it");
    }
    memcpy(card.number, plain.number, sizeof card.number);
    if (!province_known(card.number)) {
        return refuse(err, "身份证号前两位不是省级代码：请核对",
                      "the ID card number does not begin with a province code: check it");
    }
    if (!birth_read(&card, now_ms, zone_min)) {
        return refuse(err, "身份证号中的出生日期不存在或在将来：请核对第 7–14 位",
                      "the birth date in the ID card number does not exist or lies in the future: "
                      "check characters 7 to 14");
    }
    if (card.number[17] != fhir_card_check_digit(card.number)) {
        return refuse(err, "身份证号校验码不符：请逐位核对",
                      "the ID card number's check digit is wrong: compare digit by digit");
    }
    card.male = (card.number[16] - '0') % 2 == 1;
    *ret = card;
    return OK;
}

Str care_id_card_birth(Arena *a, const CareIdCard *card)
{
    return arena_printf(a, "%04d-%02d-%02d", card->year, card->month, card->day);
}

const char *care_id_card_gender(const CareIdCard *card)
{
    return card->male ? "male" : "female";
}

Str care_name_mask(Arena *a, Str name)
{
    size_t count = utf8_count(name), first = 0, last = 0;
    if (count == 0) {
        return STR_NONE;
    }
    if (count == 1) {
        return STR("*");
    }
    utf8_next(name, &first);
    for (size_t at = 0; at < name.n;) {
        last = at;
        utf8_next(name, &at);
    }
    size_t stars = count == 2 ? 1 : count - 2 < 3 ? count - 2 : 3;
    return arena_cat(a, str_take(name, first), str_take(STR("***"), stars),
                     count == 2 ? STR_NONE : str_skip(name, last));
}
