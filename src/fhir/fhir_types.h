/*
 * The R4 type system as static data: every resource type, datatype, primitive and backbone
 * ("Patient.contact"), with its elements in the order of the specification.
 *
 * The tables are generated (gen/fhir_tables.c, by tools/gen-r4.mjs) and never change at run
 * time, so every pointer handed out here lives as long as the process and may be shared.
 * Names stand in one string pool; the accessors below give them as Str.
 *
 * A JSON key is a *member*: `valueQuantity` is the member of element `value` with the type
 * Quantity, `_birthDate` the primitive extension beside `birthDate`. FHIRPath sees elements,
 * validation and navigation go through members.
 *
 * An element with a content reference (Questionnaire.item.item) simply has the backbone it
 * refers to as its type. An abstract type (Resource, Element) as an element's type means
 * "whatever resourceType says".
 */
#ifndef FHIR_TYPES_H
#define FHIR_TYPES_H

#include "mk.h"

#include "fhir_type_ids.h"

#define FHIR_NONE 0xFFFFu

typedef enum FhirKind {
    FHIR_KIND_PRIMITIVE,
    FHIR_KIND_COMPLEX,  /* datatypes, Extension, Element, BackboneElement */
    FHIR_KIND_BACKBONE, /* named by their path: Patient.contact */
    FHIR_KIND_RESOURCE  /* with Resource and DomainResource, which are abstract */
} FhirKind;

typedef enum FhirPrim {
    FHIR_PRIM_NONE, /* not a primitive */
    FHIR_PRIM_BASE64BINARY,
    FHIR_PRIM_BOOLEAN,
    FHIR_PRIM_CANONICAL,
    FHIR_PRIM_CODE,
    FHIR_PRIM_DATE,
    FHIR_PRIM_DATETIME,
    FHIR_PRIM_DECIMAL,
    FHIR_PRIM_ID,
    FHIR_PRIM_INSTANT,
    FHIR_PRIM_INTEGER,
    FHIR_PRIM_MARKDOWN,
    FHIR_PRIM_OID,
    FHIR_PRIM_POSITIVEINT,
    FHIR_PRIM_STRING,
    FHIR_PRIM_TIME,
    FHIR_PRIM_UNSIGNEDINT,
    FHIR_PRIM_URI,
    FHIR_PRIM_URL,
    FHIR_PRIM_UUID,
    FHIR_PRIM_XHTML
} FhirPrim;

typedef struct FhirType {
    uint32_t name_at; /* in fhir_pool */
    uint16_t elem_first, elem_count;
    uint16_t member_first, member_count;
    uint16_t base;     /* type id; FHIR_NONE for Element and Resource */
    uint16_t resource; /* 0 … fhir_resource_count-1 for concrete resources, else FHIR_NONE */
    uint8_t name_n;
    uint8_t kind; /* FhirKind */
    uint8_t prim; /* FhirPrim */
    bool abstract;
} FhirType;

enum {
    FHIR_ELEM_CHOICE = 1,   /* value[x] */
    FHIR_ELEM_MANY = 2,     /* max * : an array in JSON */
    FHIR_ELEM_SUMMARY = 4,  /* kept by _summary=true */
    FHIR_ELEM_MODIFIER = 8, /* changes the meaning of the rest */
    FHIR_ELEM_SIMPLE = 16,  /* of its types Quantity is a SimpleQuantity: without comparator */
};

typedef struct FhirElem {
    uint32_t name_at; /* of "value" for value[x] */
    uint16_t owner;   /* type id */
    uint16_t option_first;
    uint16_t valueset; /* of a required binding, else FHIR_NONE */
    uint8_t option_count;
    uint8_t name_n;
    uint8_t min; /* 0 or 1 … */
    uint8_t flags;
} FhirElem;

/* One allowed type of an element. */
typedef struct FhirOption {
    uint16_t type;
    uint16_t target_first; /* Reference and canonical: allowed types */
    uint8_t target_count;  /* 0: any */
} FhirOption;

extern const char fhir_pool[];
extern const FhirType fhir_types[]; /* by name in byte order; the index is the type id */
extern const unsigned fhir_type_count;
extern const FhirElem fhir_elems[];
extern const FhirOption fhir_options[];
extern const uint16_t fhir_targets[];          /* type ids */
extern const uint16_t fhir_resource_types[];   /* type ids of the concrete resources, by name */
extern const unsigned fhir_resource_count;     /* 146 */
extern const char fhir_tables_source_sha256[]; /* hex, of the definitions they were made from */

/* --- types --- */

static inline const FhirType *fhir_type(unsigned id)
{
    return &fhir_types[id];
}
static inline unsigned fhir_type_id(const FhirType *t)
{
    return (unsigned)(t - fhir_types);
}
static inline Str fhir_type_name(const FhirType *t)
{
    return (Str){fhir_pool + t->name_at, t->name_n};
}
static inline const FhirType *fhir_type_base(const FhirType *t)
{
    return t->base == FHIR_NONE ? NULL : &fhir_types[t->base];
}
/* NULL when R4 has no such type. Backbones are found by their path. */
const FhirType *fhir_type_find(Str name);
/* Only concrete resource types. */
const FhirType *fhir_resource_find(Str name);
static inline const FhirType *fhir_resource_at(unsigned number)
{
    return &fhir_types[fhir_resource_types[number]];
}
/* t is `base` or derives from it: Age is Quantity, Patient is DomainResource, id is string. */
bool fhir_type_is(const FhirType *t, const FhirType *base);
static inline bool fhir_type_is_primitive(const FhirType *t)
{
    return t->kind == FHIR_KIND_PRIMITIVE;
}
static inline bool fhir_type_is_resource(const FhirType *t)
{
    return t->kind == FHIR_KIND_RESOURCE;
}

/* --- elements --- */

static inline const FhirElem *fhir_type_elem(const FhirType *t, unsigned i)
{
    return &fhir_elems[t->elem_first + i];
}
static inline Str fhir_elem_name(const FhirElem *e)
{
    return (Str){fhir_pool + e->name_at, e->name_n};
}
static inline unsigned fhir_elem_index(const FhirElem *e)
{
    return (unsigned)(e - fhir_elems) - fhir_types[e->owner].elem_first;
}
static inline bool fhir_elem_is_many(const FhirElem *e)
{
    return (e->flags & FHIR_ELEM_MANY) != 0;
}
static inline bool fhir_elem_is_choice(const FhirElem *e)
{
    return (e->flags & FHIR_ELEM_CHOICE) != 0;
}
static inline const FhirOption *fhir_elem_option(const FhirElem *e, unsigned i)
{
    return &fhir_options[e->option_first + i];
}
static inline const FhirType *fhir_elem_type(const FhirElem *e, unsigned i)
{
    return &fhir_types[fhir_options[e->option_first + i].type];
}
/* By the FHIRPath name ("value", not "valueQuantity"); NULL if the type has none. */
const FhirElem *fhir_elem_named(const FhirType *t, Str name);
/* The JSON key for option i: "valueQuantity" of value[x], "name" of name. */
Str fhir_elem_key(const FhirElem *e, unsigned option);

/* What a JSON key of an object of type t stands for. */
typedef struct FhirMember {
    const FhirElem *elem;
    const FhirOption *option; /* the one type that the key chose */
    const FhirType *type;     /* of option; abstract (Resource) when the value says it itself */
    bool underscore;          /* `_key`: id and extensions of a primitive */
} FhirMember;

/*
 * Resolves a JSON key: false for an unknown one, and for `_key` of an element that is not
 * primitive. `resourceType` is not an element.
 */
bool fhir_elem_find(const FhirType *t, Str json_key, FhirMember *ret);

/* --- constraints (invariants) --- */

/* One rule of R4 for the objects of a type and of those that derive from it. */
typedef struct FhirConstraint {
    uint32_t key_at, expression_at, human_at; /* in fhir_pool: "obs-6", FHIRPath, in English */
    uint16_t expression_n, human_n;
    uint8_t key_n;
    bool warning; /* best practice: does not make a resource invalid */
} FhirConstraint;

extern const FhirConstraint fhir_constraints[];
extern const unsigned fhir_constraint_count;

/* Those stated at the type itself, not at its bases. */
const FhirConstraint *fhir_type_constraints(const FhirType *t, size_t *ret_n);
static inline Str fhir_constraint_key(const FhirConstraint *c)
{
    return (Str){fhir_pool + c->key_at, c->key_n};
}
static inline Str fhir_constraint_expression(const FhirConstraint *c)
{
    return (Str){fhir_pool + c->expression_at, c->expression_n};
}
static inline Str fhir_constraint_human(const FhirConstraint *c)
{
    return (Str){fhir_pool + c->human_at, c->human_n};
}

/* --- code lists of required bindings --- */

typedef struct FhirValueSet {
    uint32_t url_at;
    uint16_t code_first, code_count;
    uint8_t url_n;
    bool any; /* cannot be enumerated (UCUM, MIME types …): every code passes */
} FhirValueSet;

extern const FhirValueSet fhir_valuesets[]; /* by url */
extern const unsigned fhir_valueset_count;

static inline Str fhir_valueset_url(const FhirValueSet *v)
{
    return (Str){fhir_pool + v->url_at, v->url_n};
}
/* Canonical without |version; NULL if it is not one of a required binding. */
const FhirValueSet *fhir_valueset_find(Str url);
/* With an empty system only the code counts (an element of type code has none). */
bool fhir_valueset_has(const FhirValueSet *v, Str system, Str code);
/* The i-th code and its system, for messages and forms. */
Str fhir_valueset_code(const FhirValueSet *v, unsigned i, Str *ret_system);

#endif
