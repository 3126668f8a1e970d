/*
 * Between the files of the validator: the walk's state, the place it stands at, and the
 * rules that the element tables cannot say. Nobody else includes this.
 */
#ifndef FHIR_VALIDATE_INNER_H
#define FHIR_VALIDATE_INNER_H

#include "fhir_path.h"
#include "fhir_resource.h"
#include "fhir_validate.h"

#define PLACE_NO_INDEX UINT32_MAX

typedef struct ProfileNode ProfileNode;
typedef struct BundleIndex BundleIndex; /* the entries of a Bundle by what refers to them */

/* A step of the path; steps live on the stack and are written out only for an issue. */
typedef struct Place {
    const struct Place *up;
    Str name;
    uint32_t index;       /* PLACE_NO_INDEX: not in an array */
    const FhirType *type; /* of what stands there, where it is known */
    JsonRef value;        /* with `type`: what stands there */
    bool choice;          /* value[x]: written as value.ofType(Quantity) */
} Place;

typedef struct Walk {
    const JsonDoc *d;
    Err *err;
    JsonRef container;  /* the resource whose `contained` a #reference means */
    JsonRef resource;   /* the innermost one, which may be contained */
    JsonRef parameters; /* the Parameters around; JSON_NONE: none */
    JsonRef entry;      /* of the innermost Bundle, that holds it; JSON_NONE: none */
    bool in_contained;
    unsigned lookups;          /* steps through lists of contained resources; bounded */
    Map *ids;                  /* of the elements of `resource`, when the check is thorough */
    const Place *resource_at;  /* where `resource` begins */
    const BundleIndex *bundle; /* of the innermost Bundle around; NULL: none */
    unsigned issues, warnings;
    const FhirCheck *check;
    FhirProfileHold *profiles; /* NULL until one is asked for: walk_profiles_hold */
    FhirTerm *terms;           /* the same: walk_terms */
    unsigned depth;            /* of profiles that name each other */
    unsigned steps;            /* elements of profiles gone through; bounded */
    bool quiet;                /* one fault is enough, and nothing is said */
    bool scratch_made;
    Arena scratch; /* see walk_scratch */
    Arena *items;  /* of the profile walk: what is found stays until the resource is done */
} Walk;

/* What the walk knows of the resource it is in, kept while another is walked inside it. */
typedef struct Within {
    bool in_contained;
    JsonRef container, resource, parameters, entry;
    const Place *resource_at;
    const BundleIndex *bundle;
    Map *ids;
} Within;

/* Into a resource (root is its place) that stands at `at`, NULL for the outermost; and out. */
void walk_enter(Walk *w, const Place *at, const Place *root, JsonRef r, Within *outer);
void walk_leave(Walk *w, const Within *outer);

/* Notes an issue: code is a FHIR issue type; zh and en take the same arguments. */
void walk_issue(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
    __attribute__((format(printf, 4, 6), format(printf, 5, 6)));
/* The same for what does not make it invalid; nothing unless the check is thorough. */
void walk_warning(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
    __attribute__((format(printf, 4, 6), format(printf, 5, 6)));
/* What published validators refuse though R4 has no invariant for it: an error when the check is
 * thorough, nothing otherwise, so that a write is not refused for it. */
void walk_strict(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
    __attribute__((format(printf, 4, 6), format(printf, 5, 6)));
/* What the strictest validators refuse and R4's own examples do, or what could not be decided: a
 * warning, an error only when the check is strict. */
void walk_doubt(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
    __attribute__((format(printf, 4, 6), format(printf, 5, 6)));
static inline bool walk_stopped(const Walk *w)
{
    return w->issues >= (w->quiet ? 1 : FHIR_VALIDATE_STOP);
}
/* Memory for one rule; the next one that asks may find it emptied. */
Arena *walk_scratch(Walk *w);
/* Whether a URI has a scheme and no blanks. */
bool walk_is_absolute(Str uri);
/* At most 80 bytes of a text, cut between characters, for messages. */
Str walk_clip(Str s);

/* Checks the value of a primitive element (not null). */
void walk_primitive(Walk *w, const Place *at, const FhirMember *m, JsonRef value);
/* A resource, with its resourceType; expected NULL: any. */
void walk_resource(Walk *w, const Place *at, JsonRef r, const FhirType *expected);

#define FHIR_VALIDATE_LOOKUPS (1u << 21)

/* After the members of an object of this type: rules across members. */
void walk_type_rules(Walk *w, const Place *at, const FhirType *t, JsonRef object,
                     const FhirMember *as);
/* The invariants of the type and its bases. */
void walk_constraints(Walk *w, const Place *at, const FhirType *type, JsonRef object);
/* A rule that gives nothing is broken, as published validators have it; but "if this, then that" of
 * what is not there (ras-2 without a probability) is kept. */
bool walk_rule_holds(const FhirPath *rule, const FhirValues *result);
void walk_bundle_rules(Walk *w, const Place *at, JsonRef bundle);
/* Makes w->bundle for the entries of a Bundle, which refer to each other. */
void walk_bundle_open(Walk *w, JsonRef bundle);
/* What a reference in w->entry means among the entries of w->bundle; JSON_NONE: none of them, or
 * several versions. */
JsonRef walk_bundle_find(const Walk *w, Str reference);
bool walk_bundle_is(const Walk *w, const char *type);
/* The entry needs a fullUrl and has none: relative references in it mean nothing. */
bool walk_bundle_lacks_url(const Walk *w);
/* Parameters around hold resources of the type referred to, but not that one. */
bool walk_parameters_lack(Walk *w, const FhirRef *ref);
/* That a document or message holds what its first entry names. */
void walk_bundle_links(Walk *w, const Place *at);

/* A coding whose code system is known: its code and its display. */
void walk_coding(Walk *w, const Place *at, JsonRef coding);
/* A quantity's unit, told but no error. */
void walk_unit(Walk *w, const Place *at, JsonRef quantity);

/* What a definition must be for a machine to run it. */
void walk_definition(Walk *w, const Place *at, const FhirType *t, JsonRef resource);
void walk_code_system(Walk *w, const Place *at, JsonRef system);
void walk_value_set(Walk *w, const Place *at, JsonRef set);
void walk_concept_map(Walk *w, const Place *at, JsonRef map);
/* A code in a system, where that is known: told at the code's own place. */
void walk_known_code(Walk *w, const Place *at, Str system, Str version, Str code, Str display);
void walk_structure(Walk *w, const Place *at, JsonRef definition);
void walk_questionnaire(Walk *w, const Place *at, JsonRef questionnaire);
/* A response against its questionnaire, where that is contained or known. */
void walk_response(Walk *w, const Place *at, JsonRef response);

/* --- profiles --- */

#define FHIR_VALIDATE_STEPS 500000u

FhirProfileHold *walk_profiles_hold(Walk *w);
FhirTerm *walk_terms(Walk *w); /* NULL: no terminology is at hand */
/* Whether a code is in a value set: of R4's tables, of the terminology, or one that lists it. */
TermAnswer walk_code_in(Walk *w, Str valueset, Str system, Str code);
/* The same for a value set at hand, as far as it goes without the code systems. */
TermAnswer walk_listed_in(const JsonDoc *d, JsonRef valueset, Str system, Str code);
/* The profiles that the resource names itself, and those R4 implies. */
void walk_profiles(Walk *w, const Place *at, JsonRef resource, const FhirType *type);
/* One profile, over the object of its type. */
void walk_profile(Walk *w, const Place *at, const FhirProfile *p, JsonRef object,
                  const FhirType *type);
/* Whether an object conforms, without a word. */
bool walk_conforms(Walk *w, const FhirProfile *p, JsonRef object, const FhirType *type);
/* An extension against its definition: where it stands, and what it holds. */
void walk_extension(Walk *w, const Place *at, JsonRef extension);
/* The environment for an expression: resource, root, seams. Its memory is walk_scratch. */
FhirPathEnv walk_path_env(Walk *w, FhirNode *resource, FhirNode *root);
/* The resource that a reference means inside the same document; JSON_NONE when it is elsewhere. */
JsonRef walk_resolve(Walk *w, Str reference);

/* NULL when the narrative is safe and well formed, else what is wrong (two languages). */
typedef struct XhtmlFault {
    const char *zh, *en;
} XhtmlFault;
#define XHTML_LINKS_MAX 512

/* What a narrative links to (#x) and may be linked at, in its order; more than fit are left out. */
typedef struct XhtmlLinks {
    Str link[XHTML_LINKS_MAX], target[XHTML_LINKS_MAX];
    unsigned link_n, target_n;
    bool odd_attribute; /* one that is not of HTML 4.0's formatting */
    bool silent;        /* no text, no picture */
} XhtmlLinks;

/* links: NULL, or zeroed. */
const XhtmlFault *fhir_xhtml_fault(Str div, XhtmlLinks *links);
const XhtmlFault *fhir_xhtml_attribute_fault(void);

#endif
