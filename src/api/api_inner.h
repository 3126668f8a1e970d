/*
 * Inside of the room: one call from gate to answer, and the cores that single requests and
 * bundle entries share.
 *
 * A handler returns OK with call->result filled, or a status with call->err filled. Its wrapper
 * (api_call.c) writes the answer or the OperationOutcome, and the audit record before either.
 */
#ifndef API_INNER_H
#define API_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "api.h"
#include "fhir_bundle.h"
#include "fhir_resource.h"
#include "fhir_validate.h"
#include "http.h"
#include "insight.h"
#include "insight_views.h"
#include "store_uploads.h"

typedef struct ApiEvents ApiEvents;
typedef struct ApiImports ApiImports;
typedef struct ApiExports ApiExports;
typedef struct ApiHooks ApiHooks;
typedef struct ApiBulk ApiBulk;
typedef struct ApiProfiles ApiProfiles;
typedef struct ApiReindexes ApiReindexes;

typedef struct ApiTag {
    char text[24]; /* quoted */
} ApiTag;

/* What is the same for everyone as it was last asked for, until it is asked for otherwise. */
typedef struct ApiKept {
    pthread_mutex_t lock;
    Sha256 key;  /* of what was asked */
    char *bytes; /* NULL: none yet */
    size_t n;
} ApiKept;

/* A thread of the server's own, and what it reads by. */
typedef struct ApiThread {
    pthread_t thread;
    StoreReader *reader;
    bool runs;
} ApiThread;

struct Api {
    ApiOptions options;
    Arena arena; /* lives as long as the Api */
    Store *store;
    Access *access;
    Flow *flow;
    Insight *insight;
    InsightViews *views;
    HttpServer *http;
    ApiEvents *events;
    ApiImports *imports;
    ApiExports *exports;
    ApiHooks *hooks;
    ApiBulk *bulk;
    ApiProfiles *profiles;
    ApiReindexes *reindexes;
    ApiKept statement; /* of the capabilities: changes with the address and search parameters */
    ApiKept packed;    /* the same as an answer, packed */
    char url[300];
    const ApiTag *web_tags; /* one per file of the workstation */
    ApiThread timer, purger;
    StoreUploads *uploads; /* followed by the timer's thread alone */
    _Atomic bool stopping;
    int64_t opened_ms;
    int64_t disk_looked_ms; /* by the timer's thread alone */
    bool disk_low;
};

/* What an interaction gives, whether it goes out alone or as an entry of a bundle. */
typedef struct ApiResult {
    int status;
    Str body;          /* JSON of a resource, or bytes of `media` */
    const char *media; /* NULL: application/fhir+json */
    Str etag;          /* W/"3" */
    Str location;
    int64_t modified_ms; /* 0: none */
    HttpStream *stream;
    bool lasting; /* the same request gets the same bytes, whoever asks */
} ApiResult;

/* A visit that this call registered: it opens the patients' records. */
typedef struct ApiVisit {
    struct ApiVisit *next;
    Str encounter; /* "Encounter/ID" */
    const Str *patients;
    size_t patients_n;
} ApiVisit;

typedef struct ApiCall {
    Api *api;
    HttpCall *http;
    Arena *arena;
    StoreReader *reader;
    AccessCaller *caller; /* NULL before log-in */
    Lang lang;
    Str request_id;
    Str token;              /* of the session */
    bool inside;            /* from within the process (api_local_call) */
    const JsonDoc *parsed;  /* the request's body, where somebody has read it; else NULL */
    const HttpCall *sha_of; /* the request that body_sha is of */
    Sha256 body_sha;
    Err err;
    ApiResult result;
    const JsonDoc *beside; /* goes with a refusal (fhir_outcome_beside), or NULL */
    bool pretty, xml;      /* the form of the answer */
    bool also_r5;          /* the route is API_ALSO_R5 */
    /* For the audit record. */
    Str what;
    Str *patients;
    size_t patients_n, patients_room;
    Str *ignored; /* parameters that are not known, with handling=lenient */
    size_t ignored_n;
    bool changed; /* something was committed */
    bool defines; /* a StructureDefinition is among it */
    ApiVisit *visits;
} ApiCall;

typedef Status ApiHandler(ApiCall *c);

enum {
    API_PUBLIC = 1, /* no log-in */
    API_QUIET = 2,  /* no audit record */
    API_INLINE = 4,
    API_ANY_MEDIA = 8, /* answers something else than FHIR: Accept is its own business */
    API_BRIEF = 16,    /* HTTP_BRIEF */
    API_ALSO_R5 = 32,  /* takes and answers R5's form where fhirVersion=5.0 says so */
    API_APP = 64,      /* also for apps that act for a person (access_app.h) */
};

typedef struct ApiRoute {
    ApiHandler *run;
    unsigned flags;
    const char *action; /* of the audit record */
} ApiRoute;

extern const HttpRoute API_ROUTES[];
extern const size_t API_ROUTES_N;

/* ---- api_validate.c --------------------------------------------------------------------- */

Status api_profiles_open(Api *api, Err *err) MUST_USE;
void api_profiles_close(ApiProfiles *p);
/* A StructureDefinition was written. */
void api_profiles_forget(ApiProfiles *p);
/* How a resource of this type is checked here: the server's profiles and terminology. */
FhirCheck api_check_of(const ApiCall *c, Str type, const TermSource *terms);

/* ---- api_call.c ------------------------------------------------------------------------- */

ApiCall *api_call_new(HttpCall *call);
bool api_gate(HttpCall *call);
void api_refuse(HttpCall *call, const Err *err);
void api_enter(HttpCall *call);
/* One audit record of this call; of a change it is on disk on return. */
Status api_audit(ApiCall *c, const char *action, int status, Err *err) MUST_USE;
bool api_is_secure(ApiCall *c);
Str api_base_url(ApiCall *c); /* "http://host:port", as the client called us */
Lang api_lang(Str accept_language);
/* First value of a query parameter, decoded; STR_NONE if absent. */
Str api_query(ApiCall *c, const char *name);
/* The same of any text of pairs: a form. */
Str api_pair(ApiCall *c, Str pairs, const char *name);
/* 1 to max letters, digits, '-', '_', '.'. */
bool api_name_plain(Str s, size_t max);
/* Notes whose data the answer shows, for the audit. */
void api_touch(ApiCall *c, Str patient_id);
void api_touch_version(ApiCall *c, const StoreVersion *v);
Str api_etag(Arena *a, Str vid);
Str api_person(const ApiCall *c);
Sha256 api_body_sha(ApiCall *c);
void api_result_version(ApiCall *c, int status, const StoreVersion *v, ApiResult *ret);
Status api_type_known(ApiCall *c, Str type, Err *err) MUST_USE;

/* ---- api_form.c --------------------------------------------------------------------------- */

/* The request's body as a FHIR document, in JSON or XML: 415, 400, 422. */
Status api_body(ApiCall *c, JsonDoc *ret) MUST_USE;
bool api_media_is_fhir(Str media); /* JSON */
bool api_media_is_xml(Str media);
/* c->xml and c->pretty by _format, _pretty, Accept; false: what is wanted is not served. */
bool api_form_choose(ApiCall *c);
Status api_form_refuse(ApiCall *c) MUST_USE;
/* The body is UTF-8 by what its Content-Type says. */
Status api_charset_check(ApiCall *c) MUST_USE;
/* What _pretty says is true or false. */
Status api_form_check(ApiCall *c) MUST_USE;
/* A resource's JSON in the form that was chosen; sets Content-Type. */
/* A copy of what is kept under the key; empty: nothing is. */
Str api_kept_take(ApiKept *k, Sha256 key, Arena *a);
void api_kept_put(ApiKept *k, Sha256 key, Str bytes);

Str api_form_body(ApiCall *c, Str json);
/* The answer's body packed, for who accepts it and where it is worth it. */
void api_form_pack(ApiCall *c);

/* ---- api_json.c --------------------------------------------------------------------------- */

/* The body as one JSON object: 415, 400. */
Status api_json_body(ApiCall *c, JsonDoc *ret) MUST_USE;
/* A string member of it; 400 that names it. */
Status api_json_need(ApiCall *c, const JsonDoc *d, const char *name, Str *ret) MUST_USE;
/* The caller's password (and otp, where there is a second factor) once more, out of the body. */
Status api_again(ApiCall *c, const JsonDoc *d) MUST_USE;
/* c->result; `out` is done. */
void api_json_answer(ApiCall *c, int status, Buf *out);
void api_json_time(ApiCall *c, JsonWriter *w, const char *name, int64_t at_ms);

/* ---- api_ask.c ----------------------------------------------------------------------------- */

/* One parameter of an operation: of the query, or of Parameters in the body. */
typedef struct ApiAsked {
    Str name, value;    /* value: of value[x] as text */
    const JsonDoc *doc; /* NULL: of the query */
    JsonRef part;
} ApiAsked;
typedef Status ApiAskTake(void *ctx, const ApiAsked *asked);
Status api_ask_read(ApiCall *c, ApiAskTake *take, void *ctx) MUST_USE;
/* 400 that names the parameter; the texts go on after its name. */
Status api_ask_bad(ApiCall *c, Str name, const char *zh, const char *en) MUST_USE;
/* 400 that names the parameter and those that are known; with handling=lenient it is noted. */
Status api_ask_unknown(ApiCall *c, Str name, const char *known) MUST_USE;
/* The same for each name of the query that is not in `known`, "a, b, c". */
Status api_query_only(ApiCall *c, const char *known) MUST_USE;
#define API_FORM_PARAMETERS "_format, _pretty" /* of every interaction */
Status api_ask_instant(ApiCall *c, const ApiAsked *asked, int64_t *ret) MUST_USE;
/* From 1; what is above max is max. */
Status api_ask_number(ApiCall *c, const ApiAsked *asked, int64_t max, size_t *ret) MUST_USE;
/* "Patient/77" and "77" → 77 */
Str api_id_of(Str reference, const char *type);

/* ---- api_read.c, api_search.c ------------------------------------------------------------- */

Status api_read_version(ApiCall *c, Str type, Str id, Str vid, StoreVersion *ret,
                        Err *err) MUST_USE;
Status api_read_one(ApiCall *c, Str type, Str id, Str vid, ApiResult *ret, Err *err) MUST_USE;
Status api_search_page(ApiCall *c, Str type, Str query, ApiResult *ret, Err *err) MUST_USE;
/* Prefer: handling=lenient */
bool api_is_lenient(const ApiCall *c);
/* A parameter that was left aside: the answer's headers tell, and a searchset's outcome. */
void api_ignore(ApiCall *c, Str name);
void api_ignored_tell(ApiCall *c);
/* A searchset Bundle with its links; path as after "/fhir/"; cursor: of this page, or empty. */
Str api_page_write(ApiCall *c, Str path, const StorePage *page, Str cursor);
/* Whose data the page shows, for the audit. */
void api_page_touch(ApiCall *c, const StorePage *page);
/* At most `limit` ids that match, within the caller's sight. */
Status api_search_ids(ApiCall *c, Str type, Str query, size_t limit, const StoreHit **ret,
                      size_t *ret_n, Err *err) MUST_USE;

/* ---- api_summary.c ------------------------------------------------------------------------ */

/* What is asked of each resource: _summary (true, text, data, false or empty), _elements. */
typedef struct ApiSubset {
    Str summary;
    const Str *elements;
    size_t elements_n;
} ApiSubset;

/* The body as it is, or the parts asked for, tagged SUBSETTED. */
Str api_subset_body(ApiCall *c, const ApiSubset *s, Str type, Str body);
/* From the query of a read; ERR_INVALID in c->err. */
Status api_subset_read(ApiCall *c, Str type, ApiSubset *ret) MUST_USE;

/* ---- api_match.c -------------------------------------------------------------------------- */

/* A Patient as those see it whose sight it is not in. */
void api_patient_masked(ApiCall *c, JsonWriter *w, Str id, const JsonDoc *d);

/* ---- api_write.c ---------------------------------------------------------------------------- */

/* A patch: JSON Patch (an array), FHIRPath Patch (a Parameters resource), or labels. */
typedef struct ApiPatch {
    const JsonDoc *doc;
    bool json;
    JsonRef meta; /* labels to add or to take away; 0: none, it is one of the other two */
    bool adds;
} ApiPatch;

/* One change: what is asked, and after the commit what became of it. */
typedef struct ApiWrite {
    FhirMethod method;      /* POST, PUT, PATCH, DELETE */
    Str type, id;           /* id of a POST: made before, or empty */
    const JsonDoc *doc;     /* root is the resource; NULL for DELETE; of a PATCH: once prepared */
    const ApiPatch *patch;  /* PATCH only */
    Str if_match;           /* version, or empty */
    bool must_exist;        /* If-Match: * */
    bool must_be_new;       /* If-None-Match: * */
    Str if_none_exist;      /* query, or empty */
    Str condition;          /* PUT, PATCH, DELETE: query that finds what is changed, or empty */
    const StoreHit *target; /* … and what it found */
    size_t target_n;
    int entry;          /* index in the bundle, -1 when alone */
    bool done;          /* nothing to commit: the result is known already */
    bool ours;          /* a body of our own making (raw Binary) */
    size_t at, changes; /* index in the receipt, and how many from there */
    int status;
    StoreVersion version;
} ApiWrite;

/* Patients that the batch itself creates: visible to its other entries. */
typedef struct ApiScope {
    Str *patient;
    size_t n, room;
} ApiScope;

/* Changes that stand or fall together. */
typedef struct ApiCommit {
    ApiWrite *write; /* in the order of processing; status and version are filled */
    size_t n;
    Str cause;
    Str key;      /* Idempotency-Key, or empty */
    bool in_turn; /* the caller holds the turns of these writes (api_turn.c) */
    int remember_status;
    bool *ret_known;         /* true: the same request was first in another connection … */
    StoreMemory *ret_memory; /* … and this is its answer */
} ApiCommit;

/* Form, structure and the right to do it at all: what does not depend on the store. */
Status api_write_check(ApiCall *c, const ApiWrite *w, Err *err) MUST_USE;
/* Adds the change to the batch, with its preconditions and grants. */
Status api_write_prepare(ApiCall *c, StoreBatch *b, ApiScope *scope, ApiWrite *w,
                         Err *err) MUST_USE;
/* Prepares and commits all, again (three times at most) when the ground has moved. */
Status api_write_commit(ApiCall *c, const ApiCommit *what, Err *err) MUST_USE;
/* One change that is a request of its own: check, commit, c->result. */
Status api_write_single(ApiCall *c, ApiWrite *w) MUST_USE;
/* 400 where the address of a write has parameters that it cannot have. */
Status api_write_address(ApiCall *c, Str id) MUST_USE;
/* The first answer to the caller's Idempotency-Key: *ret_known, or ERR_UNPROCESSABLE. */
Status api_remembered(ApiCall *c, Str key, bool *ret_known, StoreMemory *ret, Err *err) MUST_USE;
Status api_idempotency_key(ApiCall *c, Str *ret, Err *err) MUST_USE;
void api_write_result(ApiCall *c, const ApiWrite *w, ApiResult *ret);

/* ---- api_condition.c --------------------------------------------------------------------------
 */

/* If-Match into w: a version, or * for any; ERR_INVALID if it is no entity tag. */
Status api_if_match(Str header, ApiWrite *w, Err *err) MUST_USE;
/* If-None-Exist into w; ERR_INVALID where it is there and says nothing. */
Status api_if_none_exist(Str given, ApiWrite *w, Err *err) MUST_USE;
/* w->id of what If-None-Exist finds, if that is one; 412 when several. */
Status api_condition_place(ApiCall *c, ApiWrite *w, bool *ret_there, Err *err) MUST_USE;
/* If-None-Exist of a create: w->done and the resource there is, or the right to make it. */
Status api_condition_none(ApiCall *c, StoreBatch *b, ApiWrite *w, Err *err) MUST_USE;
/*
 * w->target and w->id by w->condition: PATCH needs one (404, 412); PUT none (w->id is the body's or
 * a new one) or one (412; 400 when the body's id is another); DELETE takes up to its limit (412).
 */
Status api_condition_target(ApiCall *c, ApiWrite *w, Str body_id, Err *err) MUST_USE;
/* What chooses in a query; "?a=b" and "Patient?a=b" ask the same as "a=b". */
Str api_condition_bare(Arena *a, Str query);
/* What the condition did not find may not have come into being at the commit. */
void api_condition_absent(ApiCall *c, StoreBatch *b, const ApiWrite *w);

/* ---- api_turn.c -------------------------------------------------------------------------------
 */

/* The turns (a bit each) of writes that create when their condition finds nothing; 0: none. */
uint64_t api_turns_of(const ApiCall *c, const ApiWrite *w, size_t n);
/* ERR_UNAVAILABLE, and none is held, when others are too long before us. */
Status api_turns_take(uint64_t mask, Err *err) MUST_USE;
void api_turns_give(uint64_t mask);

/* ---- api_patch.c ------------------------------------------------------------------------------
 */

/* The patch in an entry of a bundle: a Parameters, or a Binary that holds a JSON Patch. */
Status api_patch_of_resource(ApiCall *c, const JsonDoc *d, ApiPatch *ret, Err *err) MUST_USE;
/* The body with the labels added or taken away (api_tags.c). */
Str api_meta_edit(ApiCall *c, const ApiPatch *patch, const JsonDoc *d);
/* The patched document, not yet validated. */
Status api_patch_apply(ApiCall *c, const ApiPatch *patch, Str body, const JsonDoc **ret,
                       Err *err) MUST_USE;

/* ---- api_bundle.c -------------------------------------------------------------------------------
 */

/* Issues of one entry with their place in the bundle. */
Status api_entry_err(ApiCall *c, const Err *inner, const ApiWrite *w, Err *err);

/* ---- api_entry.c -------------------------------------------------------------------------- */

/* An entry that asks: reads, searches, histories, metadata, operations that only read. */
Status api_entry_read(ApiCall *c, const JsonDoc *doc, const FhirEntry *e, ApiResult *ret,
                      Err *err) MUST_USE;
/* The answering bundle with room for so many entries, one of them, and its end: c->result. */
JsonWriter api_entries_begin(Buf *out, const char *type, uint32_t entries);
void api_entry_answer(ApiCall *c, JsonWriter *w, const ApiResult *r, const Err *failed);
void api_entries_end(ApiCall *c, Buf *out, JsonWriter *w, uint32_t entries);

/* ---- api_patients.c ---------------------------------------------------------------------------
 */

void api_scope_fill(ApiCall *c, ApiScope *scope, const ApiWrite *w, size_t n);
Status api_patients_visible(ApiCall *c, const ApiWrite *w, const ApiScope *scope,
                            Err *err) MUST_USE;
/* Relations of care that a raw write makes. */
Status api_grants_add(ApiCall *c, StoreBatch *b, const ApiWrite *w, const StoreVersion *before,
                      Err *err) MUST_USE;
/* Nobody else has this ID card. */
Status api_id_card_free(ApiCall *c, StoreBatch *b, const ApiWrite *w, const StoreVersion *before,
                        Err *err) MUST_USE;

/* ---- api_events.c
 * -------------------------------------------------------------------------------- */

Status api_events_open(Api *api, ApiEvents **ret, Err *err) MUST_USE;
void api_events_close(ApiEvents *e);

/* ---- api_import_job.c --------------------------------------------------------------------- */

/* api->imports: tables that are brought in beside the requests. */
void api_imports_open(Api *api);
void api_imports_close(Api *api);

/* ---- api_bulk_job.c ------------------------------------------------------------------------ */

/* api->bulk: $import beside the requests. */
Status api_bulk_open(Api *api, Err *err) MUST_USE;
void api_bulk_close(Api *api);
void api_bulk_forget(Api *api); /* as api_exports_forget */

/* ---- api_hooks.c --------------------------------------------------------------------------- */

/* api->hooks: subscribers are told beside the requests. */
Status api_hooks_open(Api *api, Err *err) MUST_USE;
void api_hooks_close(Api *api);

/* ---- api_reindex.c ------------------------------------------------------------------------ */

/* api->reindexes: what administrators asked to be built anew. */
Status api_reindexes_open(Api *api, Err *err) MUST_USE;
void api_reindexes_close(Api *api);

/* ---- api_export_job.c --------------------------------------------------------------------- */

/* api->exports: bulk exports that are written beside the requests. */
Status api_exports_open(Api *api, Err *err) MUST_USE;
void api_exports_close(Api *api);
/* Takes all away, also what is being written: an erasure must not leave copies. */
void api_exports_forget(Api *api);

/* ---- api_term.c --------------------------------------------------------------------------- */

/* Operations of terminology as entries of a batch: they change nothing. */
bool api_term_is_entry(const FhirEntry *e);
Status api_term_entry(ApiCall *c, const JsonDoc *d, const FhirEntry *e, ApiResult *ret,
                      Err *err) MUST_USE;
/* c->result: the TerminologyCapabilities. */
Status api_term_capabilities(ApiCall *c) MUST_USE;

/* ---- api_uploads.c
 * ------------------------------------------------------------------------------- */

/*
 * Looks on for uploads that nothing has named in time and removes them; each removal is a version
 * of the log, an audit record and a line on stderr. A little at a time: ret_more says that there
 * is more to do at once.
 */
void api_uploads_keep(Api *api, StoreUploads *uploads, bool *ret_more);

/* ---- api_disk.c --------------------------------------------------------------------------- */

typedef struct ApiDisk {
    uint64_t free_bytes, total_bytes;
    uint64_t low_bytes; /* the parameter DISK_LOW_BYTES */
    bool low;           /* less than that is free */
} ApiDisk;

/* False when the system does not say. */
bool api_disk(const Api *api, ApiDisk *ret);
void api_disk_watch(Api *api);

/* ---- api_purges.c ------------------------------------------------------------------------- */

/* Goes on with what a restart interrupted; waits for nobody. */
void api_purges_resume(Api *api);
/* The thread that carries out what two administrators have agreed on. */
void *api_purges_main(void *api);

/* ---- handlers
 * -------------------------------------------------------------------------------------- */

#define ROUTE(methods, pattern, handler, flags, body, action) ApiHandler handler;
#include "routes.def"
#undef ROUTE

#endif
