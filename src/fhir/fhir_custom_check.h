/* Between the two files that read a custom search parameter: what was read, and its faults. */
#ifndef FHIR_CUSTOM_CHECK_H
#define FHIR_CUSTOM_CHECK_H

#include "fhir_custom.h"

typedef struct CustomRead {
    Arena *arena;
    const JsonDoc *d;
    const FhirCustoms *others;
    Err *err;
    FhirCustomParam one;   /* of any base */
    FhirCustomParam *part; /* its components */
    const FhirType **base;
    size_t base_n;
    bool wrong; /* something was told to err */
} CustomRead;

/* A fault of SearchParameter.ELEMENT; formats as of err_add. */
void custom_wrong(CustomRead *x, const char *element, const char *zh, const char *en, ...)
    __attribute__((format(printf, 3, 5), format(printf, 4, 5)));
void custom_wrong_at(CustomRead *x, Str where, const char *zh, const char *en, ...)
    __attribute__((format(printf, 3, 5), format(printf, 4, 5)));
/* Another definition's parameter of the same name, of a type that has this base's or the reverse.
 */
const FhirCustomParam *custom_clash(const FhirCustoms *others, const FhirCustomParam *p,
                                    unsigned base);
/* What its elements say together: name, result, modifiers and comparators. */
void custom_check(CustomRead *x);

#endif
