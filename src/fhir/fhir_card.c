#include "fhir_card.h"

#define DIGITS_BEFORE_CHECK 17

static bool all_digits(const char *p, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        ok = p[i] >= '0' && p[i] <= '9';
    }
    return ok;
}

char fhir_card_check_digit(const char digits[17])
{
    static const int WEIGHT[DIGITS_BEFORE_CHECK] = {7, 9, 10, 5,  8, 4, 2, 1, 6,
                                                    3, 7, 9,  10, 5, 8, 4, 2};
    int sum = 0;
    if (!all_digits(digits, DIGITS_BEFORE_CHECK)) {
        return 0;
    }
    for (int i = 0; i < DIGITS_BEFORE_CHECK; i++) {
        sum += (digits[i] - '0') * WEIGHT[i];
    }
    return "10X98765432"[sum % 11];
}

bool fhir_card_read(Str text, FhirCard *ret)
{
    FhirCard card = {0};
    char last = text.n == 18 ? text.p[17] : '\0';
    if (text.n == 15 && all_digits(text.p, 15)) {
        memcpy(card.number, text.p, 6);
        memcpy(card.number + 6, "19", 2);
        memcpy(card.number + 8, text.p + 6, 9);
        card.number[17] = fhir_card_check_digit(card.number);
    } else if (text.n == 18 && all_digits(text.p, DIGITS_BEFORE_CHECK) &&
               (all_digits(&last, 1) || last == 'x' || last == 'X')) {
        memcpy(card.number, text.p, 18);
        card.number[17] = last == 'x' ? 'X' : last;
    } else {
        return false;
    }
    *ret = card;
    return true;
}

Str fhir_card_key(Str system, Str value, FhirCard *room)
{
    return str_is(system, FHIR_CARD_SYSTEM) && fhir_card_read(value, room)
               ? str_from_c(room->number)
               : value;
}
