/*
 * Search parameters as static data: one row for each (type, parameter), made from the
 * published SearchParameters (and gen/menkou-params.json, ours) by tools/gen-r4.mjs. An
 * expression that the publication joins over many types (`AllergyIntolerance.code |
 * Condition.code | …`) is split: a row holds only its own type's part.
 *
 * The parameters of all resources (`_id`, `_lastUpdated`, `_tag` …) are rows of the types
 * Resource and DomainResource; fhir_param_find falls back to them, fhir_params_of lists only
 * a type's own (call it again with Resource and DomainResource).
 *
 * `id` is the row's index: small, dense, and the same for the same inputs. It may move when
 * the published parameters change; then fhir_params_digest differs too, and an index made
 * with another digest is built anew.
 *
 * Beside them: whose a resource is (patient compartment) and the clinical date in the
 * index keys. All pointers live as long as the process.
 */
#ifndef FHIR_PARAMS_H
#define FHIR_PARAMS_H

#include "fhir_types.h"

typedef enum FhirParamKind {
    FHIR_PARAM_NUMBER,
    FHIR_PARAM_DATE,
    FHIR_PARAM_STRING,
    FHIR_PARAM_TOKEN,
    FHIR_PARAM_REFERENCE,
    FHIR_PARAM_COMPOSITE,
    FHIR_PARAM_QUANTITY,
    FHIR_PARAM_URI,
    FHIR_PARAM_SPECIAL
} FhirParamKind;

enum {
    FHIR_PARAM_OURS = 1,   /* from gen/menkou-params.json */
    FHIR_PARAM_PINYIN = 2, /* gives names: a string row for each of fhir_pinyin_keys */
    FHIR_PARAM_CUSTOM = 4, /* the first member of a FhirCustomParam */
};

typedef struct FhirParam {
    uint32_t name_at, url_at, expression_at; /* in fhir_pool; see the accessors */
    uint16_t id;                             /* index in fhir_params */
    uint16_t type;                           /* type id of the base */
    uint16_t expression_n;                   /* 0: no expression (_text, _content, _query) */
    uint16_t target_first;                   /* reference: allowed types */
    uint16_t component_first;                /* composite */
    uint8_t target_count;                    /* 0: any */
    uint8_t component_count;
    uint8_t name_n, url_n;
    uint8_t kind; /* FhirParamKind */
    uint8_t flags;
} FhirParam;

/*
 * A parameter that a SearchParameter kept on this server defines (fhir_custom.h). Its row has no
 * place in the tables (id FHIR_NONE): what they would hold stands here.
 */
typedef struct FhirCustomParam {
    FhirParam row;
    Str name, url, expression;
    Str id;                              /* of the SearchParameter */
    const uint16_t *targets;             /* reference: type ids */
    const struct FhirCustomParam *parts; /* composite: each a parameter without a name */
    struct FhirPath *path;               /* of the expression */
    uint32_t number;                     /* of the definition, given by who keeps it */
    uint8_t part;                        /* of a composite: 1 …; else 0 */
    const Str *modifiers, *comparators;  /* that alone are allowed; n 0: all there are */
    uint8_t modifiers_n, comparators_n;
    bool one_value, one_time; /* multipleOr, multipleAnd are false */
} FhirCustomParam;

/* A part of a composite: evaluated on each item that the composite's expression gives. */
typedef struct FhirComponent {
    uint32_t expression_at;
    uint16_t expression_n;
    uint16_t param; /* id of the parameter that says the part's kind */
} FhirComponent;

extern const FhirParam fhir_params[]; /* by type id, then name */
extern const unsigned fhir_param_count;
extern const FhirComponent fhir_components[];
extern const char
    fhir_params_digest[]; /* hex SHA-256 over parameters, compartment and date table */

/* NULL: a published one. */
static inline const FhirCustomParam *fhir_param_custom(const FhirParam *p)
{
    return p->flags & FHIR_PARAM_CUSTOM ? (const FhirCustomParam *)p : NULL;
}
static inline Str fhir_param_name(const FhirParam *p)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    return custom ? custom->name : (Str){fhir_pool + p->name_at, p->name_n};
}
static inline Str fhir_param_url(const FhirParam *p)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    return custom ? custom->url : (Str){fhir_pool + p->url_at, p->url_n};
}
static inline Str fhir_param_expression(const FhirParam *p)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    return custom ? custom->expression : (Str){fhir_pool + p->expression_at, p->expression_n};
}
static inline const FhirType *fhir_param_target(const FhirParam *p, unsigned i)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    return &fhir_types[custom ? custom->targets[i] : fhir_targets[p->target_first + i]];
}
/* Of a published one. */
static inline const FhirComponent *fhir_param_component(const FhirParam *p, unsigned i)
{
    return &fhir_components[p->component_first + i];
}
/* The parameter that says the kind of a composite's part. */
static inline const FhirParam *fhir_param_part(const FhirParam *p, unsigned i)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    return custom ? &custom->parts[i].row : &fhir_params[fhir_param_component(p, i)->param];
}
static inline Str fhir_component_expression(const FhirComponent *c)
{
    return (Str){fhir_pool + c->expression_at, c->expression_n};
}
/* "number", "date" … as R4 writes it. */
const char *fhir_param_kind_code(FhirParamKind kind);

/* The type's own rows, contiguous and by name; *ret_n may be 0. */
const FhirParam *fhir_params_of(const FhirType *t, unsigned *ret_n);
/* Own rows first, then those of DomainResource and Resource; NULL if unknown. */
const FhirParam *fhir_param_find(const FhirType *t, Str name);
bool fhir_param_allows(const FhirParam *p, const FhirType *target);

/*
 * Whose it is: FHIRPath expressions that give references to (or, for Patient itself, the id
 * of) the patients in whose compartment a resource of this type stands. R4's patient
 * compartment, plus the lines of gen/patient-links.def. Expressions of a search parameter
 * carry it; ours have param FHIR_NONE. `self` is true for Patient alone: the resource's own
 * id is an owner, before what the expressions give.
 */
typedef struct FhirPatientLink {
    uint32_t expression_at;
    uint16_t expression_n;
    uint16_t param;
} FhirPatientLink;

const FhirPatientLink *fhir_patient_links(const FhirType *t, unsigned *ret_n, bool *ret_self);
static inline Str fhir_patient_link_expression(const FhirPatientLink *l)
{
    return (Str){fhir_pool + l->expression_at, l->expression_n};
}

/*
 * The date in the index keys (gen/clinical-date.def): a FHIRPath expression whose first
 * result's start counts; empty where the type has no clinical date. Never lastUpdated.
 */
Str fhir_clinical_date(const FhirType *t);

#endif
