/*
 * UCUM, all of it: the grammar, every published unit and prefix (gen/fhir_unit_table.c), exact
 * conversion, products and quotients, and a name to read.
 *
 * A unit's factor is an exact fraction (of big numbers, times a power of ten), so that 3 teaspoons
 * are one tablespoon and 98.6 [degF] are 37 Cel without rounding. Units with a logarithm, a
 * tangent or a root (pH, bel, neper, slope …) are computed in floating point, to 15 digits.
 *
 * An arbitrary unit ([iU], [arb'U] …) is a dimension of its own. A special unit (Cel, pH …) stands
 * alone or with a prefix; in a product it is valid UCUM that cannot be converted.
 *
 * Everything is pure; texts longer than UNIT_BYTES_MAX or nested deeper than UNIT_NESTING_MAX are
 * no units, and numbers beyond UNIT_WORDS words make a unit that cannot be converted.
 */
#ifndef FHIR_UNIT_H
#define FHIR_UNIT_H

#include "fhir_path.h"

#define UNIT_BYTES_MAX     255u
#define UNIT_NESTING_MAX   16
#define UNIT_WORDS         24
#define UNIT_ARBITRARY_MAX 4

enum { UNIT_C, UNIT_K, UNIT_CD, UNIT_G, UNIT_M, UNIT_RAD, UNIT_S, UNIT_DIMENSIONS };

/* How a value becomes a multiple of the factor; the first four are linear. */
typedef enum UnitFunction {
    UNIT_RATIO,
    UNIT_CELSIUS,
    UNIT_FAHRENHEIT,
    UNIT_REAUMUR,
    UNIT_PH,
    UNIT_LN,
    UNIT_LG,
    UNIT_LG2, /* of a field: twice the logarithm */
    UNIT_LD,
    UNIT_TAN,
    UNIT_SQRT,
    UNIT_HP_X,
    UNIT_HP_C,
    UNIT_HP_M,
    UNIT_HP_Q
} UnitFunction;

typedef struct UnitBig {
    uint32_t n; /* words in use; 0 is the number 0 */
    uint64_t w[UNIT_WORDS];
} UnitBig;

/* num / den × 10^exp */
typedef struct UnitRatio {
    UnitBig num, den;
    int exp;
} UnitRatio;

typedef struct UnitArbitrary {
    uint8_t id;
    int8_t exp;
} UnitArbitrary;

typedef struct FhirUnit {
    bool convertible;
    UnitFunction function;
    int prefix_exp; /* of a special unit: what the value is multiplied with before its function */
    UnitRatio ratio;
    double factor, offset; /* linear units: value in base units = value × factor + offset */
    int8_t dim[UNIT_DIMENSIONS];
    UnitArbitrary arbitrary[UNIT_ARBITRARY_MAX]; /* by id; exp 0 where unused */
} FhirUnit;

/* False when it is not UCUM. *ret may be NULL. */
bool fhir_unit_parse(Str code, FhirUnit *ret);
/* Whether value × factor + offset brings it to base units: what an index can hold. */
bool fhir_unit_is_linear(const FhirUnit *u);
/* Both can be converted, one into the other. */
bool fhir_unit_same_dimension(const FhirUnit *a, const FhirUnit *b);
/* The base unit's text, its parts in byte order: "g.m-3"; "1" for a number without dimension. */
Str fhir_unit_base_text(Arena *a, const FhirUnit *u);
/* "mmol/L" → "(millimole) / (liter)"; false when it is not UCUM. */
bool fhir_unit_display(Arena *a, Str code, Str *ret);

/* False when they are of different dimensions, or the result leaves the range of FhirDecimal. */
bool fhir_unit_convert(const FhirDecimal *v, const FhirUnit *from, const FhirUnit *to,
                       FhirDecimal *ret);
/* The order (-1, 0, 1) of two values of one dimension; false when they have none. */
bool fhir_unit_compare(const FhirDecimal *x, const FhirUnit *ux, const FhirDecimal *y,
                       const FhirUnit *uy, int *ret);
/*
 * Product or quotient of two quantities. What both have in common is merged (cm2 / cm is cm);
 * other products are in base units (1.5 g × 2 cm is 0.03 g.m). False for what cannot be
 * converted, a divisor 0 and a result out of range.
 */
bool fhir_unit_multiply(Arena *a, const FhirQuantity *x, const FhirQuantity *y, bool divide,
                        FhirQuantity *ret);

#endif
