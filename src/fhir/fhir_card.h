/*
 * The resident's ID card number (GB 11643) as a key: one card is written in several ways (the old
 * 15 digits, a lower-case x), and all of them must meet in the index, in uniqueness and in
 * matching. The bytes of a resource keep what was written; only what is compared has this form.
 *
 * Whether a number is a lawful one (region, birth date, check digit) is care_id's question.
 */
#ifndef FHIR_CARD_H
#define FHIR_CARD_H

#include "mk.h"

#define FHIR_CARD_SYSTEM "urn:oid:2.16.156.10011.1.3"

/* 18 characters, the last a digit or X in upper case, and NUL. */
typedef struct FhirCard {
    char number[19];
} FhirCard;

/* The check character for 17 digits; 0 if they are not digits. */
char fhir_card_check_digit(const char digits[17]);
/* From 18 characters, or from 15 digits (19xx); false, *ret untouched, if the text is neither. */
bool fhir_card_read(Str text, FhirCard *ret);
/* An identifier's value as it is compared: `value` itself, or the card's number in *room. */
Str fhir_card_key(Str system, Str value, FhirCard *room);

#endif
