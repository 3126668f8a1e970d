/*
 * The rows behind fhir_types.h and fhir_params.h that only their accessors need. Included by
 * the generated tables and by fhir_types.c and fhir_params.c, by nobody else.
 */
#ifndef FHIR_TABLES_H
#define FHIR_TABLES_H

#include "fhir_params.h"

/* A JSON key of a type; the rows of a type are sorted by length, then bytes. */
typedef struct FhirMemberRow {
    uint32_t name_at;
    uint16_t elem, option;
    uint8_t name_n;
} FhirMemberRow;

/* A code of a value set; the rows of a set are sorted by code, then system. */
typedef struct FhirCodeRow {
    uint32_t code_at;
    uint16_t system;
    uint8_t code_n;
} FhirCodeRow;

typedef struct FhirSystemRow {
    uint32_t url_at;
    uint8_t url_n;
} FhirSystemRow;

/* What belongs to a type, by type id. */
typedef struct FhirTypeSpan {
    uint16_t param_first, param_count;
    uint16_t link_first, link_count;
    uint32_t date_at;
    uint16_t date_n;
} FhirTypeSpan;

/* A parameter by which a type's resources belong to a compartment. */
typedef struct FhirCompartmentRow {
    uint16_t compartment, type; /* type ids */
    uint16_t param;
} FhirCompartmentRow;

extern const FhirCompartmentRow fhir_compartments[]; /* by compartment, then type */
extern const unsigned fhir_compartments_count;

/* The constraints of a type, by type id. */
typedef struct FhirConstraintSpan {
    uint16_t first, count;
} FhirConstraintSpan;

extern const FhirConstraintSpan fhir_constraint_spans[];
extern const FhirMemberRow fhir_members[];
extern const FhirCodeRow fhir_codes[];
extern const FhirSystemRow fhir_systems[];
extern const FhirPatientLink fhir_links[];
extern const FhirTypeSpan fhir_spans[];

#endif
