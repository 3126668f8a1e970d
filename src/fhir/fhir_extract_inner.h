/* Between the files of extraction: the walk's state, and making rows of one value. */
#ifndef FHIR_EXTRACT_INNER_H
#define FHIR_EXTRACT_INNER_H

#include "fhir_extract.h"

typedef struct Extract {
    const FhirExtractEnv *env;
    FhirIndexRows *rows;
    const FhirParam *param;
    FhirParamKind kind; /* what the values are made into */
    uint16_t tuple;
    uint8_t component;
    FhirIndexRow spare; /* filled in vain when the arena is at its end; the run then fails */
} Extract;

/* Appends the rows of one value; a value that the kind cannot take gives none. */
void extract_value(Extract *x, const FhirValue *v);

#endif
