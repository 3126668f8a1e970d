/*
 * From a resource to the values that searches look for. Every row comes from the published
 * expression of its parameter, run by the FHIRPath engine; what a value becomes depends on
 * its R4 type and the parameter's kind (R4, Search, "matching" tables).
 *
 * The plan of a type (its programs) is compiled at the first use and kept for the process;
 * any number of threads may extract. Texts are views into the document's bytes or live in
 * env->arena, rows in env->arena.
 */
#ifndef FHIR_EXTRACT_H
#define FHIR_EXTRACT_H

#include "fhir_custom.h"
#include "fhir_path.h"

typedef struct FhirTokenValue {
    Str system;
    bool implied; /* an element of type code: the system is its code list's, not written */
    Str code;     /* empty: a text without a code (CodeableConcept.text) */
    Str text;     /* display, text, or an identifier's type.text, as written */
    Str type_system, type_code; /* identifiers: the first coding of their type, for :of-type */
} FhirTokenValue;

typedef struct FhirReferenceValue {
    const FhirType *type; /* with id: a literal that ends in Type/id; else NULL */
    Str id, version;
    Str url; /* absolute URL, URN, canonical without |version; empty for a relative reference */
    Str identifier_system, identifier_value; /* a logical reference */
} FhirReferenceValue;

/* First ms and first ms after; TIME_NONE and TIME_FOREVER where a period is open. */
typedef struct FhirDateValue {
    int64_t lo_ms, hi_ms;
} FhirDateValue;

typedef struct FhirStringValue {
    Str raw, folded;
} FhirStringValue;

/* The same for numbers and quantities; lo == hi but for ranges and comparators (±INFINITY). */
typedef struct FhirNumberValue {
    double lo, hi;
    Str system, code, unit; /* quantities; money: urn:iso:std:iso:4217 and the currency */
    bool canonical;         /* UCUM: the same in base units */
    double canonical_lo, canonical_hi;
    Str canonical_code; /* "g.m-3" */
} FhirNumberValue;

typedef struct FhirIndexRow {
    const FhirParam *param;
    FhirParamKind kind; /* of the value: that of the parameter, or of a composite's component */
    uint16_t tuple;     /* composites: rows with the same tuple (1 …) belong together; else 0 */
    uint8_t component;  /* composites: 0 … component_count-1 */
    union {
        FhirTokenValue token;
        FhirReferenceValue reference;
        FhirDateValue date;
        FhirStringValue string;
        FhirNumberValue number; /* NUMBER and QUANTITY */
        Str uri;
    };
} FhirIndexRow;

typedef struct FhirIndexRows {
    FhirIndexRow *at; /* in an order that is always the same; duplicates are possible */
    size_t n, room;
    int64_t date_ms; /* the clinical date (start), TIME_NONE if the type or resource has none */
    Str *patients;   /* ids of the patients it belongs to, distinct; a Patient's own first */
    size_t patients_n;
    size_t code_row; /* the row that says what it is (first code, else category, type); n if none */
} FhirIndexRows;

#define FHIR_PATIENTS_MAX 10000u /* of one resource; more are ERR_TOO_LARGE */

typedef struct FhirExtractEnv {
    Arena *arena;
    int zone_min; /* of the county: for dates without a zone */
    Str id;       /* that it is given, whatever the document says; empty: the document's */
    bool plain;   /* for an index: of published composites only measures, the others are found by
                   * other   parameters' values; of custom ones the values of their parts */
    const FhirCustoms *customs; /* also these; NULL: none */
} FhirExtractEnv;

/* A composite of a code and a quantity that stand together in one place (code-value-quantity). */
bool fhir_param_is_measure(const FhirParam *p);

/* A token whose values are true and false alone. */
bool fhir_param_is_truth(const FhirParam *p);

/*
 * `type` is the document's type; the root must be a resource of it (ERR_INVALID otherwise).
 * Parameters without an expression and special ones give no rows. _id and _lastUpdated are
 * given like all others.
 */
Status fhir_extract(const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                    FhirIndexRows *ret, Err *err) MUST_USE;
/* The rows of one parameter only, for a look at a single value (sorting, matching again). */
Status fhir_extract_param(const JsonDoc *d, const FhirType *type, const FhirParam *param,
                          const FhirExtractEnv *env, FhirIndexRows *ret, Err *err) MUST_USE;
/* The rows of env->customs only. */
Status fhir_extract_customs(const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                            FhirIndexRows *ret, Err *err) MUST_USE;
/* Only whose it is: FhirIndexRows.patients. */
Status fhir_extract_patients(const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                             const Str **ret, size_t *ret_n, Err *err) MUST_USE;

/*
 * What string searches compare: compatibility forms and width folded (ＡＢＣ is abc, ㍿ is
 * 株式会社), case and accents removed, runs of white space one blank, ends trimmed. Plain ASCII and
 * Han texts cost no allocation beyond the copy.
 */
Str fhir_fold(Arena *a, Str s);

/*
 * Changes whenever the same resource and tables could give other rows; part of the index's
 * version beside fhir_params_digest.
 */
#define FHIR_EXTRACT_VERSION 3

#endif
