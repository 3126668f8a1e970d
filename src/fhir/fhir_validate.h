/*
 * Structural validation against the R4 tables: unknown elements, JSON types, cardinality,
 * choice, primitive formats, required bindings, references, primitive extensions, contained
 * resources, Bundle and Parameters, and the constraints of R4 (invariants). No profiles.
 *
 * Every issue has its FHIRPath (Patient.contact[0].name.family), a FHIR issue code
 * (structure, required, value, code-invalid, invariant) and says in both languages what is
 * wrong and how to mend it. Issues are bounded by ERR_ISSUES_MAX; after FHIR_VALIDATE_STOP
 * of them the walk ends.
 */
#ifndef FHIR_VALIDATE_H
#define FHIR_VALIDATE_H

#include "json.h"

#include "fhir_types.h"

#define FHIR_VALIDATE_STOP 100

/* A body with duplicate keys, lone surrogates or U+0000 is ERR_INVALID (contracts 1.6). */
Status fhir_body_check(const JsonDoc *d, Err *err) MUST_USE;

/*
 * ERR_UNPROCESSABLE with the issues. `expected_type` empty: any resource type. `resource`
 * may stand inside a larger document (Bundle.entry[3].resource); paths begin at it.
 */
Status fhir_validate(const JsonDoc *d, JsonRef resource, Str expected_type, Err *err) MUST_USE;

/* With warnings, err also gets what is only recommended (best practice), and OK is still OK. */
Status fhir_validate_fully(const JsonDoc *d, JsonRef resource, Str expected_type, bool warnings,
                           Err *err) MUST_USE;

/* Formats of single primitives, for other rooms. */
bool fhir_id_ok(Str id); /* [A-Za-z0-9.-]{1,64} */
bool fhir_primitive_ok(FhirPrim prim, Str text);

#endif
