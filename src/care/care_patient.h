/*
 * A resident's registration judged as a whole: what the ID card number says of the birth must be
 * what the Patient says (docs/decisions/032).
 *
 * Pure: no store, no clock of its own.
 */
#ifndef CARE_PATIENT_H
#define CARE_PATIENT_H

#include "json.h"

/* On an identifier whose card really is wrong: why birth date or sex differ from it, in words. */
#define CARE_CARD_DIFFERS "urn:menkou:card-differs"

/* Who registers, and when. */
typedef struct CareDesk {
    bool person; /* at a screen, and can look at the card again; another system cannot */
    int64_t now_ms;
    int zone_min;
} CareDesk;

/*
 * Every identifier of the ID card's system must be a lawful number (care_id.h). Where a person
 * registers, Patient.birthDate must be the card's as far as it is given, unless the card is an old
 * one (`use` old) or says why it differs (the extension above). ERR_UNPROCESSABLE, each issue with
 * its place.
 */
Status care_patient_check(Arena *a, const JsonDoc *d, const CareDesk *desk, Err *err) MUST_USE;

#endif
