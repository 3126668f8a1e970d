/*
 * Is it the same person? Pure functions over two Patient resources: no store, no clock.
 *
 * An identifier that both have (same system and value) decides; two different ID cards say no.
 * Without that, evidence is added up in the manner of Fellegi and Sunter: name (characters, then
 * pinyin), birth date, sex, telephone, address, each with a weight for agreeing and for
 * differing; what one side lacks weighs nothing. Only identifiers make a match certain; a
 * probable one needs the name to agree (twins share all the rest).
 */
#ifndef CARE_MATCH_H
#define CARE_MATCH_H

#include "json.h"

typedef enum CareGrade {
    CARE_GRADE_NOT, /* certainly-not */
    CARE_GRADE_POSSIBLE,
    CARE_GRADE_PROBABLE,
    CARE_GRADE_CERTAIN
} CareGrade;

typedef struct CareMatch {
    CareGrade grade;
    double score; /* 0 … 1, for Bundle.entry.search.score */
} CareMatch;

/* The parts of a Patient that are compared, read once; views live as long as doc and arena. */
typedef struct CarePerson CarePerson;

CarePerson *care_person_new(Arena *a, const JsonDoc *d, JsonRef patient);
CareMatch care_match(const CarePerson *wanted, const CarePerson *found);
/* Code of http://terminology.hl7.org/CodeSystem/match-grade. */
const char *care_grade_code(CareGrade grade);

#endif
