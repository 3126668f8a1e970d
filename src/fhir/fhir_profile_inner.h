/*
 * The compiled form of a profile, between the files that make it and those that check by it.
 */
#ifndef FHIR_PROFILE_INNER_H
#define FHIR_PROFILE_INNER_H

#include "fhir_path.h"
#include "fhir_profile.h"

#define PROFILE_NODES_MAX    20000u
#define PROFILE_ELEMENTS_MAX 10000u
#define PROFILE_DEPTH_MAX    32u /* of bases, and of profiles that name each other in a check */
#define PROFILE_MANY         UINT32_MAX

/* A definition of R4's own: url and JSON in a pool of their own, by url. */
typedef struct FhirPublished {
    uint32_t url_at, url_n, text_at, text_n;
} FhirPublished;

extern const FhirPublished fhir_published[];
extern const unsigned fhir_published_count;
extern const char fhir_published_pool[];

typedef struct ProfileType {
    const FhirType *type;
    const Str *profile, *target; /* canonicals: of the value, of what a reference means */
    unsigned profile_n, target_n;
} ProfileType;

/* A value inside the definition; doc NULL: none. */
typedef struct ProfileValue {
    const JsonDoc *doc;
    JsonRef ref;
    const FhirType *type; /* of patternCodeableConcept: CodeableConcept */
} ProfileValue;

typedef struct ProfileRule {
    Str key, human, text;
    const FhirPath *program;
    bool warning;
} ProfileRule;

typedef enum ProfileStepKind {
    STEP_MEMBER,
    STEP_EXTENSION, /* extension('url') */
    STEP_RESOLVE,
    STEP_TYPE /* ofType(T) */
} ProfileStepKind;

typedef struct ProfileStep {
    ProfileStepKind kind;
    Str name; /* member, url or type */
} ProfileStep;

typedef enum ProfileBy { BY_VALUE, BY_EXISTS, BY_TYPE, BY_PROFILE } ProfileBy;

typedef struct ProfileDiscriminator {
    ProfileBy by;
    const ProfileStep *step; /* none: $this */
    unsigned step_n;
    bool readable; /* false: a path we cannot follow; the whole slice decides */
} ProfileDiscriminator;

typedef enum ProfileRules { SLICES_OPEN, SLICES_CLOSED, SLICES_OPEN_AT_END } ProfileRules;
typedef enum ProfileStrength { BINDING_NONE, BINDING_EXTENSIBLE, BINDING_REQUIRED } ProfileStrength;

/*
 * What a profile asks of an element (below its parent) or of a slice (beside its element: the
 * element's node has the list). A slice of a slice stands in the slices of that slice.
 */
typedef struct ProfileNode {
    struct ProfileNode *next, *child, *slice;
    Str name;             /* of the element without [x], of the slice */
    const FhirElem *elem; /* NULL at the root */
    const FhirType *root; /* the type of the root */
    const ProfileType *type;
    unsigned type_n; /* 0: as the base has it */
    uint32_t min, max, max_length;
    ProfileValue fixed, pattern, low, high;
    Str valueset;
    ProfileStrength strength;
    const ProfileRule *rule;
    unsigned rule_n;
    const ProfileDiscriminator *by;
    unsigned by_n;
    ProfileRules rules;
    bool ordered, is_slice, is_modifier;
    const struct FhirProfile
        *spoken; /* of value[x]: the profile whose differential has it itself */
    const struct FhirProfile *closed; /* the one that closes it to the types it names in paths */
} ProfileNode;

/* Where an extension may stand: element (HumanName.family), extension (a url) or fhirpath. */
typedef struct ProfileContext {
    Str type, expression;
} ProfileContext;

struct FhirProfile {
    Str url, version, name;
    const FhirType *type;
    ProfileNode *root;
    const ProfileContext *context;
    unsigned context_n;
    const FhirPath **invariant; /* contextInvariant */
    unsigned invariant_n;
    unsigned nodes;
    Err fault;
    bool published; /* one of R4's own */
    bool compiling; /* its own base, directly or not */
};

ProfileNode *profile_child(const ProfileNode *n, Str name);

/* With the generation locked. */
const FhirProfile *profile_find_locked(FhirProfileHold *hold, Str canonical);
/* Fills p from a definition; what is wrong with it goes to p->fault. Memory: a. */
void profile_compile(FhirProfileHold *hold, Arena *a, const JsonDoc *d, JsonRef definition,
                     FhirProfile *p);
/* "Patient" out of http://hl7.org/fhir/StructureDefinition/Patient; NULL for other urls. */
const FhirType *profile_core_type(Str canonical);

#endif
