/* The program of a regular expression, between the compiler and the runner. */
#ifndef FHIR_PATH_REGEX_INNER_H
#define FHIR_PATH_REGEX_INNER_H

#include "fhir_path_regex.h"

typedef enum Code {
    CODE_CHAR,
    CODE_ANY,
    CODE_CLASS,
    CODE_SPLIT, /* first x, then y */
    CODE_JUMP,
    CODE_SAVE,
    CODE_START,
    CODE_STOP,
    CODE_BOUNDARY,
    CODE_NOT_BOUNDARY,
    CODE_MATCH
} Code;

typedef struct Range {
    uint32_t lo, hi;
} Range;

typedef struct Instr {
    uint8_t code;
    bool negated;  /* class */
    uint32_t x, y; /* targets; char; group slot; first range and count */
} Instr;

struct FhirRegex {
    Instr *code;
    uint32_t n;
    Range *range;
    uint32_t ranges_n;
};

#endif
