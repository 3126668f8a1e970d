/* The generated rows behind fhir_unit.h, and what its files share; nobody else includes this. */
#ifndef FHIR_UNIT_ROWS_H
#define FHIR_UNIT_ROWS_H

#include "fhir_unit.h"

#define UNIT_ROW_WORDS 5

typedef struct UnitRow {
    const char *code, *name;
    uint64_t num[UNIT_ROW_WORDS], den[UNIT_ROW_WORDS];
    int exp;
    int8_t dim[UNIT_DIMENSIONS];
    UnitFunction function;
    uint8_t arbitrary; /* 0: none */
    bool metric;       /* takes prefixes */
} UnitRow;

typedef struct UnitPrefix {
    const char *code, *name;
    uint64_t num;
    int exp; /* num × 10^exp */
} UnitPrefix;

extern const unsigned fhir_unit_rows_n, fhir_unit_prefixes_n;
extern const UnitRow fhir_unit_rows[]; /* in byte order of the codes */
extern const UnitPrefix fhir_unit_prefixes[];

/* --- the grammar --- */

typedef enum UnitPartKind {
    UNIT_PART_SIGN, /* . / ( ) */
    UNIT_PART_NUMBER,
    UNIT_PART_SIMPLE
} UnitPartKind;

typedef struct UnitPart {
    UnitPartKind kind;
    char sign;
    Str digits;
    const UnitPrefix *prefix; /* NULL: none */
    const UnitRow *row;
    int exponent; /* as written */
    int power;    /* what it counts in the whole: negative in a divisor */
} UnitPart;

typedef void (*UnitVisit)(void *ctx, const UnitPart *part);

/* Calls visit for each part in the order of the text; false when it is not UCUM. */
bool unit_walk(Str code, UnitVisit visit, void *ctx);

/* Counts an arbitrary unit; false when it has too many of them. */
bool unit_arbitrary_add(FhirUnit *u, uint8_t id, int power);

/* --- big numbers; false when the result does not fit --- */

UnitBig big_from(uint64_t v);
UnitBig big_from_digits(__int128 v); /* its magnitude */
bool big_multiply(UnitBig *x, const UnitBig *y);
bool big_add(UnitBig *x, const UnitBig *y);
void big_subtract(UnitBig *x, const UnitBig *y); /* x ≥ y */
bool big_times_ten(UnitBig *x, int n);
int big_cmp(const UnitBig *x, const UnitBig *y);

UnitRatio ratio_one(void);
/* Multiplies by y^power; false when it does not fit. */
bool ratio_multiply(UnitRatio *x, const UnitRatio *y, int power);
long double ratio_to_double(const UnitRatio *x);
/* The decimal with that value: exact when it ends within 38 digits, else to 30 digits. */
bool ratio_to_decimal(const UnitRatio *x, bool minus, FhirDecimal *ret);

#endif
