/*
 * A resident's registration judged as a whole: what the ID card number says of birth and sex must
 * be what the Patient says (docs/decisions/032).
 *
 * Pure: no store, no clock of its own.
 */
#ifndef CARE_PATIENT_H
#define CARE_PATIENT_H

#include "json.h"

/* On an identifier whose card really is wrong: why birth date or sex differ from it, in words. */
#define CARE_CARD_DIFFERS "urn:menkou:card-differs"

/*
 * Every identifier of the ID card's system must be a lawful number (care_id.h). Unless it is an old
 * one (`use` old) or says why it differs (the extension above), Patient.birthDate, as far as it is
 * known, and a gender of male or female must be the card's. ERR_UNPROCESSABLE, each issue with its
 * place.
 */
Status care_patient_check(Arena *a, const JsonDoc *d, int64_t now_ms, int zone_min,
                          Err *err) MUST_USE;

#endif
