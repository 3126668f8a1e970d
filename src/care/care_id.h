/*
 * The resident's ID card (GB 11643), and how a name is shown to somebody who may not see it whole.
 *
 * A resident need not have a card (a newborn, a foreigner, 无名氏); other documents have their
 * own systems. These functions judge only numbers that claim to be one.
 */
#ifndef CARE_ID_H
#define CARE_ID_H

#include "fhir_card.h"

typedef struct CareIdCard {
    char number[19]; /* 18 characters, X in upper case, NUL */
    int year, month, day;
    bool male;
    bool was_15; /* given in the old form */
} CareIdCard;

/*
 * Length, digits, province, a birth date that exists and is not after the day of now_ms in that
 * zone, check digit. The old 15-digit number is converted (19xx). ERR_UNPROCESSABLE says which
 * of them is wrong.
 */
Status care_id_card_check(Str text, int64_t now_ms, int zone_min, CareIdCard *ret,
                          Err *err) MUST_USE;
/* 1956-03-08 */
Str care_id_card_birth(Arena *a, const CareIdCard *card);
/* "male" or "female" */
const char *care_id_card_gender(const CareIdCard *card);

/* 刘桂芝 → 刘*芝, 刘芝 → 刘*; at most three stars. Empty stays empty. */
Str care_name_mask(Arena *a, Str name);

#endif
