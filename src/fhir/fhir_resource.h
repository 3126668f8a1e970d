/*
 * Looking at and editing one resource without re-serialising it: all edits are splices of
 * byte ranges, everything else stays byte for byte.
 */
#ifndef FHIR_RESOURCE_H
#define FHIR_RESOURCE_H

#include "json.h"

#include "fhir_types.h"

/* STR_NONE when absent or not a string. */
Str fhir_resource_type(const JsonDoc *d);
Str fhir_resource_id(const JsonDoc *d);

/*
 * The resource (root of d) with id, meta.versionId and meta.lastUpdated set: replaced where
 * present, else inserted (id after resourceType, meta after id). An empty id, version or
 * last_updated leaves that one alone. Returns the new bytes in `a`. The body must be validated.
 */
Str fhir_resource_stamp(Arena *a, const JsonDoc *d, Str id, Str version, Str last_updated);
/* Likewise, with one control character each for version and time, to be filled in later: raw ones
 * stand in no other place of a JSON text. */
#define FHIR_MARK_VERSION '\1'
#define FHIR_MARK_UPDATED '\2'
Str fhir_resource_stamp_marked(Arena *a, const JsonDoc *d, Str id);

typedef enum FhirRefKind {
    FHIR_REF_RELATIVE,  /* Patient/1, Patient/1/_history/2 */
    FHIR_REF_ABSOLUTE,  /* http(s)://…/Patient/1 or another URL */
    FHIR_REF_URN,       /* urn:uuid:…, urn:oid:… */
    FHIR_REF_CONTAINED, /* #id */
    FHIR_REF_SEARCH,    /* Patient?identifier=… (conditional) */
    FHIR_REF_OTHER      /* none of these */
} FhirRefKind;

/* A literal reference; type, id and version are filled when its tail is Type/id. */
typedef struct FhirRef {
    FhirRefKind kind;
    Str text;
    Str base; /* absolute: what stands before Type/id, with the slash */
    Str type, id, version, query;
} FhirRef;

FhirRef fhir_ref_parse(Str text);

/* A literal reference found in a document, with the byte range of its JSON string (quotes
 * included). */
typedef struct FhirRefAt {
    JsonRef value;
    uint32_t at, end;
    FhirRef ref;
    JsonRef holder; /* the Reference object; JSON_NONE for a uri or canonical element */
} FhirRefAt;

/*
 * Every literal `reference` of Reference elements in the resource `from`, and (with uris) every
 * string value that begins with urn:uuid: or urn:oid: in uri, url, oid and uuid elements,
 * as R4's transaction rules ask. Stops at the first failure of fn.
 */
Status fhir_refs_walk(const JsonDoc *d, JsonRef from, bool uris,
                      Status (*fn)(void *ctx, const FhirRefAt *ref, Err *err), void *ctx,
                      Err *err) MUST_USE;

/* Same content but for id, meta.versionId and meta.lastUpdated: an update to it changes nothing. */
bool fhir_resource_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb);

/*
 * OperationOutcome JSON in one language; a rule stands in details.coding (urn:menkou:rule). With
 * no issues an informational "all ok". In zh-CN the English text is kept as diagnostics.
 */
void fhir_outcome_write(Buf *out, const Err *err, Lang lang);
/* The same with a resource beside the refusal: contained as #beside, named by the extension
 * urn:menkou:beside. */
void fhir_outcome_beside(Buf *out, const Err *err, Lang lang, const JsonDoc *beside);

#endif
