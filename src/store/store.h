/*
 * Store: the one log of everything, and the index that can be thrown away.
 *
 * DIR/log.db is the truth: tx, version, heads, accounts, sessions, grants, timers, remembered
 * answers; every commit is flushed (synchronous=FULL) before anyone is answered. DIR/index.db
 * is a cache of posting lists; it says up to which seq it goes and is caught up or rebuilt at
 * open. DIR/blobs/aa/<sha256> holds raw bytes of Binary. DIR/node.json: database id, site, epoch.
 *
 * One writer thread commits all waiting batches in one transaction with one fsync; each batch
 * has its savepoint and its preconditions are tested inside, in order, against what is committed
 * and what the same group has applied. Readers have their own connections and never wait.
 *
 * A batch is one request: one row in `tx`, one row in `version` for each changed resource.
 * seq and tx are given in the commit and have no gaps. Preparing (parse, validate elsewhere,
 * extract index rows, compress) happens on the caller's thread.
 *
 * A folder that names a database (DIR/database, an address postgresql://…) keeps both there
 * instead, and index rows are written with their versions; several processes, each with a folder
 * of its own, may use one database (docs/decisions/073).
 *
 * Times are ms UTC. References are "Type/id". All Str results live in the arena passed.
 */
#ifndef STORE_H
#define STORE_H

#include "fhir_types.h"
#include "json.h"
#include "mk.h"

typedef struct Store Store;
typedef struct StoreReader StoreReader; /* one per thread; own connections */
typedef struct StoreBatch StoreBatch;

typedef void StoreProgress(void *ctx, const char *what, uint64_t done, uint64_t total);

typedef struct StoreOptions {
    const char *dir; /* NULL: in memory (stories, unit tests), or where $MENKOU_TEMPORARY_DB says */
    const Clock *clock;
    Random *random;
    int zone_min;   /* of the county */
    bool bulk;      /* making a demo county: nothing is flushed; disk_sync after store_close */
    bool read_only; /* check beside a running server */
    StoreProgress *progress; /* of building an index at open; NULL: nobody looks on */
    void *progress_ctx;
    const char
        *vfs; /* of the database driver; NULL: the system's (the power-cut tests name theirs) */
} StoreOptions;

#define STORE_DATABASE_FILE "database" /* in DIR */
/* There is a store in the folder, or the name of one. */
bool store_is_there(Str dir);
/* What a folder's database holds is gone; nothing to do where it names none. */
Status store_database_discard(Str dir, Err *err) MUST_USE;

/* ERR_UNAVAILABLE with rule "held": another process has the directory; ERR_CONFLICT: unknown state.
 */
Status store_open(const StoreOptions *options, Store **ret, Err *err) MUST_USE;
void store_close(Store *s);
Status store_flush(Store *s, Err *err) MUST_USE;
const Clock *store_clock(const Store *s);
Random *store_random(const Store *s);
int store_zone_min(const Store *s);
/* The database's id, given at birth; a copy has the same. */
Str store_database(const Store *s);
/* Last committed sequence. */
uint64_t store_seq(const Store *s);
/* Waits until store_seq > after or the time is over; true if it is. Many may wait. */
bool store_wait(Store *s, uint64_t after, int timeout_ms);

Status store_reader_open(Store *s, StoreReader **ret, Err *err) MUST_USE;
void store_reader_close(StoreReader *r);
Store *store_of(const StoreReader *r);
/*
 * "It cannot be read" must not pass for "there is no such thing". A reader remembers that a read
 * failed (disk, memory, a lock), also where the error went no further: ERR_… since the last
 * store_reader_calm. Nothing is answered or written that was decided by such a read.
 */
Status store_reader_trouble(const StoreReader *r, Err *err) MUST_USE;
void store_reader_calm(StoreReader *r);
/* A snapshot over several reads; without it each call sees the newest. Nests not. */
Status store_snapshot_begin(StoreReader *r, Err *err) MUST_USE;
void store_snapshot_end(StoreReader *r);

/* ---- Who sees what -------------------------------------------------------------------- */

/*
 * The eyes through which a read or search looks. A resource is visible when it belongs to no
 * patient and its type is not a patient's (or its author organisation is one of `orgs`), or when
 * one of its patients has a grant to one of `orgs` or to `person` that is open at now_ms; and in
 * every case only when each class of its sensitive content is among `labels`.
 */
typedef struct StoreView {
    bool everything; /* integrator, system, engine */
    bool clinical;   /* false: administrators; nothing of a patient is visible */
    const Str *orgs; /* "Organization/ID": own and all beneath */
    size_t orgs_n;
    Str person;      /* "Practitioner/ID" */
    unsigned labels; /* classes of sensitive content (store_label.h) that are not hidden */
    int64_t now_ms;
} StoreView;
extern const StoreView STORE_VIEW_ALL;

bool store_patient_visible(StoreReader *r, const StoreView *view, Str patient_id);
/* A version of the log (also a deletion), as a read of it would decide. */
bool store_version_visible(StoreReader *r, const StoreView *view, uint64_t seq);

/* ---- Reading --------------------------------------------------------------------------- */

typedef enum StoreOp { STORE_CREATE = 1, STORE_UPDATE = 2, STORE_DELETE = 3 } StoreOp;

typedef struct StoreVersion {
    uint64_t seq, tx;
    Str type, id, vid;
    StoreOp op;
    bool purged; /* erased (store_purge.h), or the deletion that came before that */
    int64_t at_ms;
    Str body; /* with id and meta.versionId/lastUpdated; empty for a deletion, and when purged */
    Str author, role, org, cause;
    const Str *patients; /* ids */
    size_t patients_n;
} StoreVersion;

/* ERR_NOT_FOUND (also when not visible), ERR_GONE. */
Status store_read(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id,
                  StoreVersion *ret, Err *err) MUST_USE;
Status store_vread(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id, Str vid,
                   StoreVersion *ret, Err *err) MUST_USE;
/* Newest first; type and id may be empty (type and system level). before_seq 0: from the newest. */
Status store_history(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id,
                     int64_t since_ms, uint64_t before_seq, size_t limit, StoreVersion **ret,
                     size_t *ret_n, bool *ret_more, Err *err) MUST_USE;
/* The same of the versions that were current at some time of from_ms … to_ms (exclusive). */
Status store_history_during(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id,
                            int64_t from_ms, int64_t to_ms, uint64_t before_seq, size_t limit,
                            StoreVersion **ret, size_t *ret_n, bool *ret_more, Err *err) MUST_USE;
/* Whole transactions after `after`, oldest first, without bodies; at least one tx if any, ~limit
 * rows. */
Status store_log(StoreReader *r, Arena *a, uint64_t after, size_t limit, StoreVersion **ret,
                 size_t *ret_n, Err *err) MUST_USE;
/* How many transactions the log has. */
Status store_transactions(StoreReader *r, uint64_t *ret, Err *err) MUST_USE;

/* ---- Searching -------------------------------------------------------------------------- */

typedef struct StoreQuery StoreQuery;

typedef enum StoreTotal { STORE_TOTAL_NONE, STORE_TOTAL_ACCURATE, STORE_TOTAL_ESTIMATE } StoreTotal;

/*
 * Parses "a=b&c=d" (percent-encoded). Unknown or malformed parameter, modifier, prefix: ERR_INVALID
 * that names it; lenient: collected in `ignored` instead. Type empty: only across-type parameters.
 * s: also its custom parameters (store_params.h) that are ready, and a patient's records of one
 * person together (store_persons.h); NULL: the published parameters and the one record alone.
 */
Status store_query_parse(const Store *s, Arena *a, Str type, Str query, bool lenient, int zone_min,
                         StoreQuery **ret, Err *err) MUST_USE;

/* Across types: the parameters must be known in each; hits come in the order of the types. */
Status store_query_parse_types(const Store *s, Arena *a, const Str *types, size_t n, Str query,
                               bool lenient, int zone_min, StoreQuery **ret, Err *err) MUST_USE;
/* Narrows each type of the query to a compartment ("Patient", id); ERR_NOT_FOUND: R4 has no such
 * compartment, ERR_INVALID: a type never belongs to it. */
Status store_query_within(const Store *s, Arena *a, StoreQuery *q, Str compartment, Str id,
                          Err *err) MUST_USE;
/* The types that may belong to a compartment. */
Status store_compartment_types(Arena *a, Str compartment, const Str **ret, size_t *ret_n,
                               Err *err) MUST_USE;
/* _explain=true stands in it: the page tells of the plan. */
bool store_query_explains(const StoreQuery *q);

/*
 * From now on it ends with ERR_TOO_MANY as soon as it is more than a walk of some lists to a small
 * page, for a thread that has others to serve. False: it is not such a search, and as it was.
 */
bool store_query_brief(StoreQuery *q) MUST_USE;

typedef enum StoreMode { STORE_MATCH, STORE_INCLUDE } StoreMode;

typedef struct StoreHit {
    StoreMode mode;
    Str type, id, vid;
    Str body;            /* of a match: without the blanks of its layout */
    const Str *patients; /* ids */
    size_t patients_n;
} StoreHit;

typedef struct StorePage {
    const StoreHit *hits;
    size_t hits_n;
    int64_t total;      /* -1: not asked */
    Str next;           /* opaque cursor, or empty */
    Str self;           /* the query as understood */
    const Str *ignored; /* lenient: parameters not understood */
    size_t ignored_n;
    bool count_only;     /* _summary=count, or _count=0 */
    Str summary;         /* _summary as given: true, text, data, false; or empty */
    const Str *elements; /* _elements: to be kept; the bodies here are whole */
    size_t elements_n;
    Str plan;                 /* _explain: lines */
    int64_t rows, bodies, us; /* likewise: what was looked at */
} StorePage;

/* One page. `cursor` empty for the first; bound to `person` and query, an hour long:
 * ERR_INVALID/ERR_GONE. */
Status store_search(StoreReader *r, Arena *a, const StoreQuery *q, const StoreView *view,
                    Str cursor, StorePage *ret, Err *err) MUST_USE;
/* All matches up to limit, one after another, for the engine: "Slot", "status=free&…".
 * ERR_TOO_LARGE past limit. */
Status store_find(StoreReader *r, Arena *a, const StoreView *view, Str type, Str query,
                  size_t limit, const StoreHit **ret, size_t *ret_n, Err *err) MUST_USE;

/* ---- Writing ----------------------------------------------------------------------------- */

typedef struct StoreAuthor {
    Str author; /* "Practitioner/ID", "Device/ID" or "system" */
    Str role;   /* code of urn:menkou:role */
    Str org;    /* "Organization/ID" in whose name; may be empty for the system */
} StoreAuthor;

/* cause names the request: "POST Patient", "act:PATHWAY/ACTION Task/77", "clock:… ". */
StoreBatch *store_batch_new(Store *s, Arena *a, const StoreAuthor *author, Str cause);
/* What it is made of is read with this one: store_commit refuses while it is in trouble. */
void store_batch_reader(StoreBatch *b, const StoreReader *r);
/* Before bulk: alarms and acts. */
void store_batch_urgent(StoreBatch *b);

/*
 * body: a complete, validated resource as received; id and meta are spliced here and in the commit.
 * if_vid: the version that must be current (caller's If-Match → 412), or empty.
 * create: with an empty id one is made; with an id that exists → ERR_CONFLICT.
 * update: creates if unknown, brings back if deleted.
 * ret_id may be NULL. A later put of the same resource in one batch replaces the earlier.
 */
Status store_batch_create(StoreBatch *b, Str type, Str id, Str body, Str *ret_id,
                          Err *err) MUST_USE;
Status store_batch_update(StoreBatch *b, Str type, Str id, Str body, Str if_vid, Err *err) MUST_USE;
/* The same of what was parsed already: it and its bytes stay as they are for as long as the batch.
 */
Status store_batch_create_doc(StoreBatch *b, Str type, Str id, const JsonDoc *doc, Str *ret_id,
                              Err *err) MUST_USE;
Status store_batch_update_doc(StoreBatch *b, Str type, Str id, const JsonDoc *doc, Str if_vid,
                              Err *err) MUST_USE;
Status store_batch_delete(StoreBatch *b, Str type, Str id, Str if_vid, Err *err) MUST_USE;
/* What this batch would leave behind for a resource: its pending body, or the stored one. */
Status store_batch_read(StoreBatch *b, StoreReader *r, Arena *a, Str type, Str id,
                        StoreVersion *ret, Err *err) MUST_USE;

/* Preconditions tested by the writer. A failed one makes store_commit answer ERR_CONFLICT and set
 * receipt.stale: the caller prepares again (at most three times) on what is there now. */
void store_batch_require_version(StoreBatch *b, Str type, Str id, Str vid);
/* No living resource of the type has this token (If-None-Exist, an ID card): rule names the
 * refusal. */
void store_batch_require_no_token(StoreBatch *b, Str type, Str param, Str system, Str code);
/* No living resource refers to it as its patient (delete of a Patient). */
void store_batch_require_unreferenced(StoreBatch *b, Str patient_id);
void store_batch_require_timer(StoreBatch *b, Str owner, Str name, int64_t due_ms);

/* The same key of the same person within 24 h answers the same; body differs → 422 by the caller.
 */
void store_batch_remember(StoreBatch *b, Str person, Str key, Sha256 body, int http_status);

/* Deadlines: owner is "Task/ID". */
void store_batch_timer_set(StoreBatch *b, Str owner, Str name, int64_t due_ms);
void store_batch_timer_clear(StoreBatch *b, Str owner, Str name); /* name empty: all of the owner */

/* grantee "Organization/ID" or "Practitioner/ID"; patient an id; until TIME_FOREVER while open. */
void store_batch_grant(StoreBatch *b, Str grantee, Str patient_id, Str basis, Str source,
                       int64_t since_ms, int64_t until_ms);
/* Shortens all open grants of a source to end at until_ms. */
void store_batch_grant_end(StoreBatch *b, Str source, int64_t until_ms);

/* The form that was sent has no draft any more (store_draft.h). */
void store_batch_draft_end(StoreBatch *b, Str person, Str post, Str key);

typedef struct StoreReceipt {
    uint64_t tx;
    int64_t at_ms;
    const StoreVersion *versions; /* in the order of the batch; bodies as stored */
    size_t versions_n;
    const bool *created;
    bool stale;
} StoreReceipt;

/* Reads, checks and indexes the batch's bodies ahead of store_commit, which does so itself
 * otherwise: for one who fills many batches and has a thread of its own commit them. Nothing may be
 * added after. */
Status store_prepare(StoreBatch *b, Err *err) MUST_USE;
/* Blocks until durable. On failure nothing of the batch is visible. Result lives in the batch's
 * arena. */
Status store_commit(StoreBatch *b, StoreReceipt *ret, Err *err) MUST_USE;

typedef struct StoreMemory {
    Sha256 body;
    int http_status;
    const StoreVersion *versions; /* what the first answer showed */
    size_t versions_n;
} StoreMemory;
/* False if unknown or older than 24 h. */
bool store_remembered(StoreReader *r, Arena *a, Str person, Str key, StoreMemory *ret);

typedef struct StoreTimer {
    Str owner, name;
    int64_t due_ms;
} StoreTimer;
/* Those due at or before now, earliest first; next due time in *ret_next (TIME_FOREVER: none). */
Status store_timers_due(StoreReader *r, Arena *a, int64_t now_ms, size_t limit, StoreTimer **ret,
                        size_t *ret_n, int64_t *ret_next, Err *err) MUST_USE;

/*
 * What is to be done by one process of those that share a database: true while it is this one.
 * Another takes it over when its time has run out, or when it was given back. A store in files is
 * one process's.
 */
typedef struct StoreLease {
    const char *name;
    int ms;
    bool held;
    int64_t until_ms, ask_again_ms; /* monotonic; the store's own */
} StoreLease;
bool store_lease(Store *s, StoreLease *lease);
void store_lease_give(Store *s, StoreLease *lease);

/* Other processes may write to it, too. */
bool store_is_shared(const Store *s);
/*
 * Of a shared store: whether anybody wrote a resource of the type after a sequence, and up to where
 * that was looked at.
 */
Status store_type_written(StoreReader *r, Str type, uint64_t after, uint64_t *ret_to, bool *ret,
                          Err *err) MUST_USE;

/* Where a room keeps a small database beside the log: a file of the folder, or a space of the
 * server's database, which all its processes share; for DbOptions. */
void store_beside(const Store *s, Arena *a, const char *name, const char **ret_path,
                  const char **ret_space);

/* ---- Blobs -------------------------------------------------------------------------------- */

/* Durable before it returns; the name is the SHA-256 in hex. */
Status store_blob_put(Store *s, Arena *a, Str bytes, Str *ret_sha, Err *err) MUST_USE;
Status store_blob_get(Store *s, Arena *a, Str sha, Str *ret_bytes, Err *err) MUST_USE;

/* ---- Accounts, sessions, settings (rows of log.db that are not resources) ------------------ */

typedef struct StoreAccount {
    Str username, password_hash, practitioner; /* "Practitioner/ID" or empty */
    Str name;
    Str role;         /* for accounts without posts (administrators, integrator) */
    Str organization; /* likewise */
    bool must_change, disabled;
    int64_t created_ms;
} StoreAccount;
Status store_account_get(StoreReader *r, Arena *a, Str username, StoreAccount *ret,
                         Err *err) MUST_USE;
Status store_account_put(Store *s, const StoreAccount *account, Err *err) MUST_USE;
/* A new one; ERR_CONFLICT, rule username-taken. */
Status store_account_create(Store *s, const StoreAccount *account, Err *err) MUST_USE;
/* All of them in order of the username. */
Status store_account_list(StoreReader *r, Arena *a, StoreAccount **ret, size_t *ret_n,
                          Err *err) MUST_USE;

typedef struct StoreSession {
    Str token_sha; /* hex SHA-256 of the token; the token itself is never stored */
    Str username;
    Str post; /* "PractitionerRole/ID" chosen, or empty */
    int64_t created_ms, seen_ms, expires_ms;
    Str app; /* JSON of access (access_app.h); empty: a person's own log-in */
} StoreSession;
Status store_session_get(StoreReader *r, Arena *a, Str token_sha, StoreSession *ret,
                         Err *err) MUST_USE;
/* Of one account, newest first, at most `max`. */
Status store_session_list(StoreReader *r, Arena *a, Str username, StoreSession *ret, size_t max,
                          size_t *ret_n, Err *err) MUST_USE;
Status store_session_put(Store *s, const StoreSession *session, Err *err) MUST_USE;
Status store_session_end(Store *s, Str token_sha, Str username_all,
                         Err *err) MUST_USE; /* either may be empty */
/* Ends one, once: ERR_NOT_FOUND when it is not there (any more). */
Status store_session_take(Store *s, Str token_sha, Err *err) MUST_USE;

/* The second factor of an account (RFC 6238): a secret shared with the person's telephone. */
typedef struct StoreFactor {
    Str username;
    Str secret;       /* bytes */
    int64_t since_ms; /* 0: offered, not confirmed by a code yet */
    int64_t step;     /* the last that was used: it and those before are spent */
    Str recovery;     /* digests of recovery codes in hex, joined by blanks */
} StoreFactor;
Status store_factor_get(StoreReader *r, Arena *a, Str username, StoreFactor *ret,
                        Err *err) MUST_USE;
Status store_factor_put(Store *s, const StoreFactor *factor, Err *err) MUST_USE;
Status store_factor_remove(Store *s, Str username, Err *err) MUST_USE;
/* Spends a step, once: ERR_CONFLICT when it or a later one was used. */
Status store_factor_step(Store *s, Str username, int64_t step, Err *err) MUST_USE;
/* Spends a recovery code, once: ERR_NOT_FOUND when there is none of that digest. */
Status store_factor_recover(Store *s, Str username, Str digest, Err *err) MUST_USE;

/* Small named values: keys, switches ("ecg-diagnosis-switch"), audit head. Secret keys are made at
 * birth. */
Status store_setting_get(StoreReader *r, Arena *a, Str name, Str *ret, Err *err) MUST_USE;
Status store_setting_put(Store *s, Str name, Str value, Err *err) MUST_USE;
/* The name of a setting that each data folder of a shared database has for itself. */
Str store_folder_setting(const Store *s, Arena *a, Str name);
#define STORE_FOLDER_SETTING "audit-" /* how they begin */

/* ---- Keeping house -------------------------------------------------------------------------- */

/* Log numbering and digests, bodies against their SHA-256, blobs, heads, index rows both ways.
 * Faults are issues. */
Status store_verify(StoreReader *r, Arena *a, StoreProgress *progress, void *ctx,
                    uint64_t *ret_faults, Err *err) MUST_USE;
/* Makes the index anew beside the one in use, and exchanges them; of files everybody reads and
 * writes meanwhile but for the last moment. One at a time. */
Status store_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err) MUST_USE;
/* From another thread, or out of `progress`: it ends with ERR_UNAVAILABLE, and nothing changes. */
void store_reindex_stop(Store *s);
/* ---- Copies (store_copy.c) ---- */

/* Who a log is and how far it goes. */
typedef struct StoreMoment {
    uint64_t seq, tx;
    Str digest; /* of the last transaction, in hex; empty: none yet */
    Str database;
    int64_t site, epoch;
} StoreMoment;
Status store_moment(StoreReader *r, Arena *a, StoreMoment *ret, Err *err) MUST_USE;
/* A blob that some version of a Binary names; needed: the living one. May come several times. */
typedef Status StoreBlobTold(void *ctx, Str sha, bool needed, Err *err);
typedef struct StoreCopyTold {
    StoreProgress *progress;
    void *progress_ctx;
    StoreBlobTold *blob;
    void *blob_ctx;
} StoreCopyTold;
/*
 * Copies the log as it stands in one moment, between two transactions, into a new file, which is a
 * log.db also where the log is in a server's database; whoever writes goes on. Tells of the blobs
 * that belong to it: they stay where they are while the caller holds the fence around DIR/blobs
 * (dir_fence), taken before.
 */
Status store_copy(StoreReader *r, Arena *a, const char *path, const StoreCopyTold *told,
                  StoreMoment *ret, Err *err) MUST_USE;
Status store_blobs_named(StoreReader *r, StoreBlobTold *told, void *ctx, Err *err) MUST_USE;

/*
 * The whole log into a new store: `dir` is a folder without one, which may name a database. The
 * other files of the folder are not copied; the index is made when the new store is opened, which
 * begins an epoch of its own, `epoch` at least. All or nothing.
 */
Status store_move(StoreReader *from, const char *dir, int64_t epoch, StoreProgress *progress,
                  void *ctx, Err *err) MUST_USE;

/* All living resources in order of type and id (meta included): for export, to compare two stores,
 * and for whoever must look at each. What is told lives until the call returns. */
typedef Status StoreExportLine(void *ctx, Str type, Str id, Str body, Err *err);
Status store_export(StoreReader *r, StoreExportLine *line, void *ctx, Err *err) MUST_USE;

#endif
