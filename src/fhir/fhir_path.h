/*
 * FHIRPath (the normative 2.0 language and R4's additions) as a compiled engine.
 *
 * fhir_path_compile turns a text into an immutable program: any number of threads may
 * evaluate it at once, and it lives as long as its arena. fhir_path_eval runs it over nodes
 * of JSON documents; a node keeps its document, so that results from several documents
 * (%task, %patient, resolve()) may stand in one collection and are copied nowhere.
 *
 * Bounded: an evaluation ends with ERR_TOO_LARGE after env.steps_max steps, or when the
 * arena's cap is reached; expressions have at most FHIR_PATH_DEPTH_MAX levels and
 * FHIR_PATH_BYTES_MAX bytes. There is no clock inside: now() is env.now_ms.
 *
 * Errors: ERR_INVALID. A compile error names the position (1-based, in characters) and what
 * was expected; an evaluation error names the position of the operation that failed.
 */
#ifndef FHIR_PATH_H
#define FHIR_PATH_H

#include "json.h"

#include "fhir_types.h"

#define FHIR_PATH_BYTES_MAX 65536u
#define FHIR_PATH_DEPTH_MAX 100u
#define FHIR_PATH_STEPS     1000000u

/* --- values --- */

/* An element of a document, seen as R4 sees it: the choice type resolved, `_key` beside `key`. */
typedef struct FhirNode {
    const JsonDoc *doc;
    JsonRef ref; /* the value; JSON_NONE when a primitive has extensions only, and in a type stub */
    JsonRef shadow;       /* the `_key` object of a primitive (id, extension), or JSON_NONE */
    JsonRef resource;     /* the resource that holds it and whose `contained` "#id" refers to */
    const FhirType *type; /* NULL where the tables do not know it */
    const FhirElem
        *elem; /* the element it stands in; NULL at the root and inside unknown content */
} FhirNode;

/* An exact decimal: digits × 10^-scale; the scale is kept as written (1.00 has 2). */
typedef struct FhirDecimal {
    __int128 digits;
    int scale; /* 0 … 50 */
} FhirDecimal;

typedef struct FhirQuantity {
    FhirDecimal value;
    Str unit;      /* UCUM code, or a calendar word ("week") when `calendar`; "1" without unit */
    bool calendar; /* written as 3 weeks, not 3 'wk' */
} FhirQuantity;

typedef enum FhirValueKind {
    FHIR_VALUE_NODE,
    FHIR_VALUE_BOOLEAN,
    FHIR_VALUE_STRING,
    FHIR_VALUE_INTEGER,
    FHIR_VALUE_DECIMAL,
    FHIR_VALUE_DATE,
    FHIR_VALUE_DATETIME,
    FHIR_VALUE_TIME,
    FHIR_VALUE_QUANTITY,
    FHIR_VALUE_TYPE /* what type() gives: text is "namespace.name" */
} FhirValueKind;

typedef struct FhirValue {
    FhirValueKind kind;
    union {
        FhirNode node;
        bool boolean;
        Str text; /* string, type */
        int64_t integer;
        const FhirDecimal *decimal;
        const DateTime *time; /* date, dateTime, time (year 0 for a time of day) */
        const FhirQuantity *quantity;
    };
} FhirValue;

/* A collection; `at` lives in the arena that made it. */
typedef struct FhirValues {
    FhirValue *at;
    size_t n, room;
} FhirValues;

/* The root of a document, or a resource inside one (Bundle.entry[3].resource). */
FhirNode fhir_node_root(const JsonDoc *d);
FhirNode fhir_node_resource(const JsonDoc *d, JsonRef resource);
/* A node of a known type, where the place alone does not say it. */
FhirNode fhir_node_typed(const JsonDoc *d, JsonRef ref, const FhirType *type);

FhirValue fhir_value_node(FhirNode n);
FhirValue fhir_value_boolean(bool v);
FhirValue fhir_value_string(Str s);
FhirValue fhir_value_integer(int64_t v);
FhirValue fhir_value_datetime(Arena *a, int64_t ms, int zone_min);
FhirValue fhir_value_date(Arena *a, int64_t ms, int zone_min);

void fhir_values_add(Arena *a, FhirValues *list, FhirValue v);
FhirValues fhir_values_one(Arena *a, FhirValue v);

/*
 * What a primitive node holds as a computed value (a code is a string, an instant a
 * dateTime, a Quantity element a quantity); computed values come back as they are. False for
 * other complex nodes, and for a primitive without a value.
 */
bool fhir_value_scalar(Arena *a, const FhirValue *v, FhirValue *ret);
/* "Patient", "string" … of a node; "System.Boolean" … of a computed value. */
Str fhir_value_type_name(const FhirValue *v);
/* Text of a scalar as FHIR writes it: true, 1.00, 2026-11-22, 5 'mg'. False for complex nodes. */
bool fhir_value_text(Arena *a, const FhirValue *v, Str *ret);
/* As FHIR JSON: nodes byte for byte, decimals as numbers, quantities as objects. */
void fhir_value_json(Buf *out, const FhirValue *v);
/* First and first-after millisecond of a date or dateTime value or node; false for others. */
bool fhir_value_time_range(const FhirValue *v, int zone_min, int64_t *ret_lo_ms,
                           int64_t *ret_hi_ms);

/*
 * The truth of a collection as a guard reads it: empty is false; one boolean is itself; one
 * other value is true. Several values: false and *ret untouched.
 */
bool fhir_values_truth(const FhirValues *list, bool *ret);

/* --- programs --- */

typedef struct FhirPath FhirPath;

Status fhir_path_compile(Arena *a, Str expression, FhirPath **ret, Err *err) MUST_USE;
Str fhir_path_text(const FhirPath *p);
/* The names of the variables (%name, without %) that a program reads, for lint. */
size_t fhir_path_variables(const FhirPath *p, const Str **ret);
/* The members of the focus (of a choice the name without its type) without any of which the
 * program gives nothing; false when that cannot be told, or there are more than max. */
bool fhir_path_firsts(const FhirPath *p, Str *ret, size_t max, size_t *ret_n);

/*
 * The types that a program can give for a focus of these types, as R4's tables tell, at most max;
 * false: it may also give others (a function's result that no table tells, contained resources).
 */
bool fhir_path_types(const FhirPath *p, const FhirType *const *focus, size_t focus_n,
                     const FhirType **ret, size_t max, size_t *ret_n);

/*
 * A name in the program that none of the types has which can stand there; empty: there is none, or
 * none that R4's tables can tell. *ret_of is set only with a name.
 */
Str fhir_path_lost(const FhirPath *p, const FhirType *const *focus, size_t focus_n,
                   const FhirType **ret_of);

typedef struct FhirPathVar {
    Str name; /* without % */
    FhirValues values;
} FhirPathVar;

typedef struct FhirPathEnv {
    Arena *arena;             /* results and all between; its cap bounds the memory */
    const FhirNode *resource; /* %resource; NULL: the resource that holds the first focus node */
    const FhirNode *root;     /* %rootResource; NULL: as resource */
    const FhirPathVar *vars;
    size_t vars_n;
    int64_t now_ms;
    int zone_min;
    uint64_t steps_max;   /* 0: FHIR_PATH_STEPS */
    uint64_t *steps_left; /* instead: a budget of several evaluations, counted down */
    bool join_empty;      /* join() of nothing is an empty text, as views have it */
    bool strict;          /* an element that the type does not have is an error, not empty */
    bool type_stubs; /* resolve() of "Patient/1" that cannot be found still has the type Patient */
    bool keep_duplicates; /* | only joins, without looking for equal values (extraction) */
    void *ctx;            /* for the calls below; each may be NULL */
    /* What a reference refers to, outside the document; false if unknown. */
    bool (*resolve)(void *ctx, Str reference, FhirNode *ret);
    /* Whether a code, Coding or CodeableConcept is in a value set; false: unknown. The value sets
     * of R4's required bindings are then looked up here. */
    bool (*member_of)(void *ctx, const FhirValue *v, Str valueset, bool *ret);
    bool (*conforms_to)(void *ctx, const FhirNode *n, Str profile, bool *ret);
    void (*trace)(void *ctx, Str name, const FhirValues *values);
} FhirPathEnv;

/*
 * Evaluates over n focus nodes (0 is allowed: an empty focus). %context is the focus. The
 * result lives in env->arena and points into the focus's documents.
 */
Status fhir_path_eval(const FhirPath *p, const FhirPathEnv *env, const FhirNode *focus, size_t n,
                      FhirValues *ret, Err *err) MUST_USE;
/* The same over any values, for where() inside other languages (views, composites). */
Status fhir_path_eval_values(const FhirPath *p, const FhirPathEnv *env, const FhirValues *focus,
                             FhirValues *ret, Err *err) MUST_USE;
/* Evaluates and asks for the truth; several values are ERR_INVALID. */
Status fhir_path_test(const FhirPath *p, const FhirPathEnv *env, const FhirNode *focus, bool *ret,
                      Err *err) MUST_USE;

#endif
