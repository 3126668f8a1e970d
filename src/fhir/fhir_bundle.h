/*
 * Transaction and batch bundles: from the document to a list of requests, in R4's order of
 * processing, and the plan that rewrites urn:uuid references once ids are known.
 */
#ifndef FHIR_BUNDLE_H
#define FHIR_BUNDLE_H

#include "fhir_resource.h"

#define FHIR_BUNDLE_ENTRIES_MAX 5000u

typedef enum FhirMethod {
    FHIR_METHOD_DELETE, /* in the order of processing */
    FHIR_METHOD_POST,
    FHIR_METHOD_PUT,
    FHIR_METHOD_PATCH,
    FHIR_METHOD_GET,
    FHIR_METHOD_HEAD
} FhirMethod;

const char *fhir_method_name(FhirMethod m);

typedef struct FhirEntry {
    uint32_t index; /* in Bundle.entry */
    FhirMethod method;
    Str url;       /* as written */
    Str type;      /* of the url; empty for a system level request */
    Str id;        /* empty: by query, or a create */
    Str operation; /* "_history", "$op", "_history/3" …: what follows type and id */
    Str query;     /* after '?', still encoded */
    Str if_match, if_none_match, if_none_exist, if_modified_since;
    Str full_url;
    JsonRef resource; /* JSON_NONE where there is none */
    Err *refused;     /* batch only: what is wrong with this entry; NULL if nothing */
    bool aimless;     /* … that it names nothing that could be done: method or address */
} FhirEntry;

typedef struct FhirBundle {
    bool transaction; /* else batch */
    FhirEntry *entry; /* in the order of Bundle.entry */
    uint32_t count;
    uint32_t *order; /* indexes into entry, in the order of processing (stable) */
} FhirBundle;

/*
 * base: the server's, "http://host/fhir": an entry's url is relative to it and may repeat it or its
 * path; another server's is refused. Parses and checks: type, entry limit (ERR_TOO_LARGE), request
 * present, method known, url readable and of a known type, resource present where the method needs
 * one and of the url's type. A transaction is refused whole and each issue names Bundle.entry[i];
 * an entry of a batch is refused alone (see FhirEntry) and its other fields are not to be trusted,
 * but a batch of which no entry says what to do and to what is refused whole. For a transaction
 * also: no two entries that change the same Type/id, no fullUrl twice.
 */
Status fhir_bundle_parse(Arena *a, const JsonDoc *d, Str base, FhirBundle *ret, Err *err) MUST_USE;

/*
 * The plan of one transaction: fullUrl → Type/id. Add each entry's final place, then ask
 * for an entry's resource with all references rewritten.
 */
typedef struct FhirRewrite {
    Map map; /* fullUrl → Str */
} FhirRewrite;

void fhir_rewrite_init(FhirRewrite *w, Arena *a);
/* The id is a good one (fhir_id_ok). */
void fhir_rewrite_add(FhirRewrite *w, Str full_url, Str type, Str id);
/* A conditional reference ("Patient?identifier=…") once it is resolved to Type/id. */
void fhir_rewrite_add_search(FhirRewrite *w, Str reference, Str type, Str id);
/*
 * The resource on its own (cut out of the bundle) with its references rewritten. A
 * urn:uuid reference that no entry has is ERR_INVALID and names its place. References that
 * need no change stay as they are. Links of narratives (href, src) are rewritten like them.
 */
Status fhir_rewrite_apply(FhirRewrite *w, Arena *a, const JsonDoc *d, const FhirEntry *entry,
                          JsonDoc *ret, Err *err) MUST_USE;

/* The distinct conditional references below a resource, for the caller to resolve first. */
Status fhir_conditional_refs(Arena *a, const JsonDoc *d, JsonRef resource, Str **ret, size_t *ret_n,
                             Err *err) MUST_USE;

#endif
