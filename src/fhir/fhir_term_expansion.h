/* Between the files of $expand: what is asked, and what the list shows of each code. */
#ifndef FHIR_TERM_EXPANSION_H
#define FHIR_TERM_EXPANSION_H

#include "fhir_term_inner.h"
#include "fhir_write.h"

#define PROPERTIES_MAX   64
#define DESIGNATIONS_MAX 64

/* A property that the list shows, and where it is declared. */
typedef struct TermDeclared {
    Str code, uri;
} TermDeclared;

/* Of one code. */
typedef struct TermShown {
    const char *key; /* "valueCode" … */
    Str code, raw;   /* JSON */
} TermShown;

typedef struct TermExpansion {
    TermAsk *ask;
    FhirTerm *t;
    TermExpand e;
    const TermItem *vs;
    bool designations, definition;
    Str property[PROPERTIES_MAX], designation[DESIGNATIONS_MAX];
    size_t property_n, designation_n;
    TermDeclared declared[PROPERTIES_MAX];
    size_t declared_n;
    TermShown shown[PROPERTIES_MAX];
    size_t shown_n;
} TermExpansion;

/* One entry of expansion.property. */
void term_expansion_declared(TermExpansion *x, JsonWriter *w, const TermDeclared *p);
/* expansion.contains: the page that is asked for, as a tree where there is one. */
Str term_expansion_contains(TermExpansion *x);

#endif
