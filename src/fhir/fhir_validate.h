/*
 * Validation. Against the R4 tables: unknown elements, JSON types, cardinality, choice, primitive
 * formats, required bindings, references, primitive extensions, contained resources, Bundle and
 * Parameters, definitions, and the constraints of R4 (invariants). Against profiles: those that
 * meta.profile names and the set knows, those the caller asks for, and the definitions of
 * extensions (fhir_profile.h).
 *
 * Every issue has its FHIRPath (Patient.contact[0].name.family), a FHIR issue code
 * (structure, required, value, code-invalid, invariant) and says in both languages what is
 * wrong and how to mend it. Issues are bounded by ERR_ISSUES_MAX; after FHIR_VALIDATE_STOP
 * of them the walk ends.
 */
#ifndef FHIR_VALIDATE_H
#define FHIR_VALIDATE_H

#include "json.h"

#include "fhir_profile.h"
#include "fhir_term.h"

#define FHIR_VALIDATE_STOP     100
#define FHIR_VALIDATE_WARNINGS 50 /* further ones are not told */

/* Where a resource that another names by its canonical url is found: questionnaires. */
typedef struct FhirLibrary {
    void *ctx;
    /* The JSON of the resource (version empty: the newest), in `a` or living longer. */
    bool (*find)(void *ctx, Arena *a, Str type, Str url, Str version, Str *ret_json);
} FhirLibrary;

/* How a resource is to be checked; all zero is what is checked at every write. */
typedef struct FhirCheck {
    Str type;               /* the resource type it must have; empty: any */
    bool thorough;          /* also what is only recommended, and profiles that R4 implies */
    bool strict;            /* with thorough: what is doubtful is an error (walk_doubt) */
    FhirProfiles *profiles; /* NULL: R4's own */
    const Str *profile;     /* canonicals it must conform to, whatever it says itself */
    size_t profile_n;
    const TermSource *terms;    /* beyond R4's required bindings; NULL: nothing */
    const FhirLibrary *library; /* NULL: only what is contained */
} FhirCheck;

/* A body with duplicate keys, lone surrogates or U+0000 is ERR_INVALID, with the FHIRPath of the
 * first (contracts 1.6). */
Status fhir_body_check(const JsonDoc *d, Err *err) MUST_USE;

/*
 * ERR_UNPROCESSABLE with the issues. `expected_type` empty: any resource type. `resource`
 * may stand inside a larger document (Bundle.entry[3].resource); paths begin at it.
 */
Status fhir_validate(const JsonDoc *d, JsonRef resource, Str expected_type, Err *err) MUST_USE;

/* The same with everything to choose. Warnings go to err, too, and OK is still OK. */
Status fhir_validate_with(const JsonDoc *d, JsonRef resource, const FhirCheck *check,
                          Err *err) MUST_USE;

/* Formats of single primitives, for other rooms. */
bool fhir_id_ok(Str id); /* [A-Za-z0-9.-]{1,64} */
bool fhir_primitive_ok(FhirPrim prim, Str text);

#endif
