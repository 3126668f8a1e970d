/*
 * Terminology: code systems, value sets and concept maps, compiled and asked.
 *
 * The engine is pure. What it knows comes from three places, in this order: resources handed in
 * with a request (`tx-resource`), a TermSource (what the server stores), and R4's own tables, which
 * are part of the program (gen/fhir_term_pack.zst, unpacked block by block when asked for). A
 * url may have several versions; without a version the newest counts, a version may hold
 * wildcards ("1.x.x").
 *
 * A TermItem is one parsed resource, for a CodeSystem also compiled (hash by code, tree). It is
 * immutable and lives in a TermCache, which several threads share; a FhirTerm is one request's
 * view: it belongs to one thread and to its arena, and what it hands out lives as long.
 *
 * Bounded: FHIR_TERM_LIMIT codes an expansion without `count`, FHIR_TERM_STEPS concepts looked at
 * per request, FHIR_TERM_DEPTH imports within each other, a cycle of imports is an error.
 */
#ifndef FHIR_TERM_H
#define FHIR_TERM_H

#include "fhir_path.h"

#define FHIR_TERM_LIMIT     1000u
#define FHIR_TERM_COUNT_MAX 10000u
#define FHIR_TERM_STEPS     4000000u
#define FHIR_TERM_DEPTH     16
#define FHIR_TERM_VERSIONS  100u /* of one url */

typedef enum TermKind { TERM_CODESYSTEM, TERM_VALUESET, TERM_CONCEPTMAP, TERM_KINDS } TermKind;

typedef struct TermSystem TermSystem;

typedef struct TermItem {
    TermKind kind;
    Str url, version; /* as in the resource; a CodeSystem supplement has its own url */
    JsonDoc doc;
    JsonRef ref;              /* the resource object */
    const TermSystem *system; /* CodeSystem only */
} TermItem;

/* ---- the cache: parsed and compiled resources, shared by threads ------------------------------
 */

typedef struct TermCache TermCache;

/* Items that nobody holds are let go, oldest first, when all together pass bytes_max. */
TermCache *fhir_term_cache_new(size_t bytes_max);
void fhir_term_cache_free(TermCache *c);
/*
 * The item under a key that names one content for ever ("CodeSystem/ID/VERSION"); NULL if it is not
 * there. It is held until `a` is done.
 */
const TermItem *fhir_term_cache_get(TermCache *c, Arena *a, Str key);
/* Parses and compiles body under the key, and holds it: ERR_INVALID when it is none of the kinds.
 */
Status fhir_term_cache_put(TermCache *c, Arena *a, Str key, Str body, const TermItem **ret,
                           Err *err) MUST_USE;

/* ---- where resources come from ----------------------------------------------------------------
 */

typedef struct TermItems {
    const TermItem **at;
    size_t n, room;
} TermItems;
void fhir_term_items_add(Arena *a, TermItems *list, const TermItem *item);

typedef struct TermSource {
    void *ctx;
    TermCache *cache;
    /* Adds every version of a canonical url (without |version). */
    Status (*find)(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err);
    /* Adds the ConceptMaps that translate from or to a code system. */
    Status (*maps)(void *ctx, Arena *a, Str system, bool reverse, TermItems *list, Err *err);
    /* Adds what those were before they were changed: asked when a version is wanted that none of
     * them has. NULL: nothing is known. */
    Status (*past)(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err);
} TermSource;

/* ---- questions of other parts ------------------------------------------------------------------
 */

typedef struct FhirTerm FhirTerm;

FhirTerm *fhir_term_new(Arena *a, const TermSource *source);

typedef struct TermCode {
    Str system, code;
} TermCode;

typedef enum TermAnswer {
    TERM_NO,
    TERM_YES,
    TERM_UNKNOWN /* value set or code system is not known here, or is too costly */
} TermAnswer;

/*
 * Codes that a value set lists one by one count as codes, whether their code system is here or not
 * (LOINC, SNOMED CT); the operations below say what they lack instead.
 *
 * Whether a code is in a value set (canonical, |version allowed). An empty system: any system in
 * which the value set has this code (an element of type code).
 */
TermAnswer fhir_term_in(FhirTerm *t, Str valueset, Str system, Str version, Str code);
/* Whether the code system has the code. */
TermAnswer fhir_term_known(FhirTerm *t, Str system, Str version, Str code);
/* The display in a language ("zh-CN"; empty: the code system's own); STR_NONE if unknown. */
Str fhir_term_display(FhirTerm *t, Str system, Str version, Str code, Str language);
/* Whether `display` is one that the code has, in any language; whitespace and case do not count. */
TermAnswer fhir_term_display_fits(FhirTerm *t, Str system, Str version, Str code, Str display);
/*
 * The codes of a value set; ERR_NOT_FOUND if it is not known, ERR_TOO_LARGE past `limit`,
 * ERR_INVALID when it cannot be enumerated.
 */
Status fhir_term_members(FhirTerm *t, Str valueset, size_t limit, TermCode **ret, size_t *ret_n,
                         Err *err) MUST_USE;
/* The code itself and all beneath (or above) it; ERR_NOT_FOUND, ERR_TOO_LARGE. */
Status fhir_term_related(FhirTerm *t, Str system, Str code, bool below, size_t limit,
                         TermCode **ret, size_t *ret_n, Err *err) MUST_USE;

/*
 * FhirPathEnv.member_of with a FhirTerm as its context: code, Coding, CodeableConcept (one of its
 * codings is enough), Quantity (its unit). False when the value set or the code system is unknown.
 */
bool fhir_term_member_of(void *term, const FhirValue *v, Str valueset, bool *ret);

/* ---- operations of FHIR -------------------------------------------------------------------------
 */

typedef enum TermOperation {
    TERM_LOOKUP,
    TERM_VALIDATE_SYSTEM,
    TERM_SUBSUMES,
    TERM_EXPAND,
    TERM_VALIDATE_VALUESET,
    TERM_BATCH_VALIDATE,
    TERM_TRANSLATE
} TermOperation;

typedef struct TermRequest {
    TermOperation operation;
    const JsonDoc *parameters; /* root is a Parameters resource; NULL: none */
    const TermItem *instance;  /* the resource that the operation was called on, or NULL */
    Str accept_language;       /* header, or empty */
    int64_t now_ms;
    Str uuid; /* of the expansion, without urn:uuid: */
    bool r5;  /* the answer in R5's form: expansion.property instead of extensions */
} TermRequest;

typedef struct TermResult {
    int status; /* of HTTP: 200, 400, 404, 422 */
    Str body;   /* Parameters, ValueSet or OperationOutcome */
} TermResult;

/*
 * Answers an operation. What is wrong with the request or the terminology is an OperationOutcome in
 * the result, in the words that the terminology ecosystem has agreed on, with their message ids;
 * in Chinese when accept_language prefers it. A failed read is a status.
 */
Status fhir_term_run(const TermSource *source, Arena *a, const TermRequest *request,
                     TermResult *ret, Err *err) MUST_USE;

#endif
