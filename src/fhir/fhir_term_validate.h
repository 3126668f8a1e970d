/* Between the files of $validate-code: what is asked, and what has been found so far. */
#ifndef FHIR_TERM_VALIDATE_H
#define FHIR_TERM_VALIDATE_H

#include "fhir_term_inner.h"

#define CODINGS_MAX 100

typedef enum TermValidateMode { TERM_BY_CODE, TERM_BY_CODING, TERM_BY_CONCEPT } TermValidateMode;

typedef struct TermCoding {
    Str system, version, code, display;
} TermCoding;

typedef struct TermValidate {
    TermAsk *ask;
    FhirTerm *t;
    TermValidateMode mode;
    const JsonDoc *doc; /* of the codings */
    JsonRef concept;    /* CodeableConcept, or JSON_NONE */
    TermCoding *coding;
    bool in[CODINGS_MAX]; /* beside coding: it is in the value set */
    size_t n;
    const TermItem *vs;       /* NULL: of a code system */
    const TermSystem *system; /* likewise */
    bool lenient;
    TermIssues issues;
    TermCheck check;

    TermAnswer answer;
    Str system_of, code_of, version_of, display_of; /* of the coding that is in */
    bool display_known, valid;
    TermCoding last; /* of the one that was looked at */
    Str list;        /* 'system#code', … */
    Str path_of;     /* likewise */
} TermValidate;

/* Path empty: of the whole. */
void term_validate_issue(TermValidate *v, Severity severity, const char *code, const char *kind,
                         TermMessage m, Str text, Str path);
/* Asks for the coding with this number, and notes what is found. */
void term_validate_coding(TermValidate *v, size_t i);
/* One coding is in: that another's system is unknown is no fault of the whole. */
void term_validate_soften(TermValidate *v);
/* The canonical of the value set, for words. */
Str term_validate_set_name(const TermValidate *v);

#endif
