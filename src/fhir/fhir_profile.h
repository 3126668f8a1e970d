/*
 * Profiles and extension definitions: StructureDefinitions compiled once into trees that say what
 * they ask beyond the base tables of R4.
 *
 * A set holds R4's own (generated, compiled when first asked for) and those that its source gives:
 * resources of a store, files of a package. A profile's tree is its base profile's tree with the
 * differential laid over it, so that a differential is enough; the snapshot is read only when the
 * base is unknown. Compiled profiles never change; they live as long as somebody holds the
 * generation they belong to (fhir_profiles_hold), also after fhir_profiles_forget.
 *
 * Threads: everything here may be called from any thread. Bounded: elements, nodes, bytes of one
 * profile and of a generation; what is beyond is a fault of the profile, not of the resource.
 */
#ifndef FHIR_PROFILE_H
#define FHIR_PROFILE_H

#include "json.h"

#include "fhir_types.h"

typedef struct FhirProfile FhirProfile;
typedef struct FhirProfiles FhirProfiles;
typedef struct FhirProfileHold FhirProfileHold; /* one generation of compiled profiles */

/* Where definitions other than R4's own come from. */
typedef struct FhirProfileSource {
    void *ctx;
    /* The JSON of the StructureDefinition with this url (version empty: the newest), in `a` or
     * living longer; false when it is not known. Called with the set locked: it must not come back
     * to the set. */
    bool (*find)(void *ctx, Arena *a, Str url, Str version, Str *ret_json);
} FhirProfileSource;

/* source NULL: R4's own only. The source must outlive the set. */
FhirProfiles *fhir_profiles_new(const FhirProfileSource *source);
void fhir_profiles_free(FhirProfiles *set);
/* A definition was added, changed or deleted: everything is compiled again when next asked for. */
void fhir_profiles_forget(FhirProfiles *set);

/* set NULL: R4's own, one set for the process. */
FhirProfileHold *fhir_profiles_hold(FhirProfiles *set);
void fhir_profiles_release(FhirProfileHold *hold);

/*
 * By canonical url, with or without |version. NULL when unknown; the base types of R4
 * (…/StructureDefinition/Patient) are profiles that ask nothing more.
 */
const FhirProfile *fhir_profile_find(FhirProfileHold *hold, Str canonical);

Str fhir_profile_url(const FhirProfile *p);
const FhirType *fhir_profile_type(const FhirProfile *p);
/* What is wrong with the definition, NULL when nothing: places are those of the
 * StructureDefinition. */
const Err *fhir_profile_fault(const FhirProfile *p);

/*
 * Compiles a definition that is not in the set, to see whether it can be: ERR_UNPROCESSABLE with
 * every fault, places in the StructureDefinition at `definition`.
 */
Status fhir_profile_try(FhirProfileHold *hold, const JsonDoc *d, JsonRef definition,
                        Err *err) MUST_USE;

#endif
