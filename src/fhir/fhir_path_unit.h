/*
 * UCUM units as a factor over the seven base dimensions, enough to compare and index the
 * quantities that a record holds: metric prefixes, products, quotients, exponents,
 * annotations, the customary units. International units are a dimension of their own; other
 * arbitrary units ([pH], [ka'U] …) and words that are not UCUM are not converted.
 */
#ifndef FHIR_PATH_UNIT_H
#define FHIR_PATH_UNIT_H

#include "mk.h"

enum { UNIT_M, UNIT_S, UNIT_G, UNIT_RAD, UNIT_K, UNIT_C, UNIT_CD, UNIT_IU, UNIT_DIMENSIONS };

typedef struct FhirUnit {
    double factor; /* value in base units = value × factor + offset */
    double offset; /* only degrees of temperature */
    int8_t dim[UNIT_DIMENSIONS];
} FhirUnit;

/* False when it is not UCUM or cannot be converted. */
bool fhir_unit_parse(Str code, FhirUnit *ret);
bool fhir_unit_same_dimension(const FhirUnit *a, const FhirUnit *b);
/* The base unit's text: "g.m-3"; "1" for a number without dimension. */
Str fhir_unit_base_text(Arena *a, const FhirUnit *u);

#endif
