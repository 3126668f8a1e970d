/*
 * Regular expressions of bounded cost: a pattern becomes a small program that is run over
 * all its threads at once (no backtracking), so time is at most pattern × text.
 *
 * Understood: . [] [^] ranges, \d \w \s \D \W \S \b \B \n \r \t \f \\ \uXXXX \xXX, groups ( ) (?:
 * ),
 * |, * + ? {m} {m,} {m,n} with lazy forms, ^ $. '.' matches line ends too (single line mode).
 * Not understood, and refused: back references, look-around, \p.
 */
#ifndef FHIR_PATH_REGEX_H
#define FHIR_PATH_REGEX_H

#include "mk.h"

typedef struct FhirRegex FhirRegex;

#define REGEX_GROUPS_MAX 10

/* NULL and a reason (both languages) when the pattern is not understood or too large. */
FhirRegex *fhir_regex_compile(Arena *a, Str pattern, const char **ret_zh, const char **ret_en);

/* Byte ranges of group 0 … 9; at == SIZE_MAX for a group that took no part. */
typedef struct FhirMatch {
    size_t at[REGEX_GROUPS_MAX], end[REGEX_GROUPS_MAX];
} FhirMatch;

enum {
    REGEX_ANY_CASE = 1, /* upper and lower case are the same */
    REGEX_LINES = 2     /* ^ and $ also at the ends of lines */
};

/*
 * The leftmost match that begins at `from` or later. `whole`: only one that covers the text.
 * Scratch memory is taken from `a`. *ret_cost gets the work done, in steps; UINT64_MAX when
 * the arena had no room.
 */
bool fhir_regex_find(const FhirRegex *r, Arena *a, Str text, size_t from, bool whole,
                     unsigned flags, FhirMatch *ret, uint64_t *ret_cost);

#endif
