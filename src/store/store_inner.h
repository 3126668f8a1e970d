/*
 * What the files of this room share: the store's own struct, the prepared change of a batch, and
 * the internal calls between writer, readers and index.
 */
#ifndef STORE_INNER_H
#define STORE_INNER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <zstd.h>

#include "db.h"
#include "fhir_params.h"
#include "store.h"
#include "store_delta.h"
#include "store_index.h"
#include "store_label.h"
#include "store_params_inner.h"

#define STORE_ENTRIES_MAX    5000u
#define STORE_WAIT_MS        10000 /* for what another connection holds */
#define STORE_MEMORY_MS      (24 * MS_HOUR)
#define STORE_BODY_BYTES_MAX (64u << 20)
#define STORE_DICT_NOW       4
#define BODY_LAID_OUT        64 /* in version.dict: layout and tokens apart (json_layout.h) */
#define BODY_SHORTENED       32 /* without what its row says (store_body_short.c) */

struct BodyCodec {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

/* ---- Blobs ---- */

/* Around DIR/blobs while something is removed; -1 while a copy is made. Closed by the caller. */
int blob_fence(const Store *s, Arena *a);
/* ERR_UNAVAILABLE when the bytes that a Binary names were put lately and a purge has taken them. */
Status blob_there(Store *s, Arena *a, Str body, Err *err) MUST_USE;
/* Behind the fence. */
Status blob_unlink(Store *s, Arena *a, Str sha, Err *err) MUST_USE;

/* ---- Bodies -------------------------------------------------------------------------------- */

void body_codec_init(BodyCodec *c);
void body_codec_done(BodyCodec *c);
void body_dicts_load(Store *s);
void body_dicts_free(Store *s);

/* A body as its row has it, and what else of the row it is put together with. */
typedef struct BodyRow {
    int dict;
    Str packed;
    Str id, patients; /* patients: as in version.patient */
} BodyRow;
/* Of a body's SHA-256, version.body_sha holds so much while the body is there. */
#define BODY_SHA_BYTES 4
#define BODY_COLUMNS   "v.dict, v.body, h.id, v.patient "
/* The columns from `at` on, until the next step. */
BodyRow body_row(DbStmt *st, int at);
/* By id and patients of the row; gives it dict and packed. */
void body_pack(const Store *s, BodyCodec *c, Arena *a, Str body, BodyRow *row);
Status body_unpack(const Store *s, BodyCodec *c, Arena *a, const BodyRow *row, Str *ret,
                   Err *err) MUST_USE;
/* The same resource without the blanks that its layout tells. */
Status body_unpack_tokens(const Store *s, BodyCodec *c, Arena *a, const BodyRow *row, Str *ret,
                          Err *err) MUST_USE;
/* store_body_short.c: false where nothing would be left out. */
bool body_shorten(Arena *a, const BodyRow *row, Str body, Str *ret);
/* False: it is no body of this row. */
bool body_lengthen(Arena *a, const BodyRow *row, Str body, Str *ret) MUST_USE;

/* A stamped body in pieces, so that the commit only fills in version and time. */
typedef struct BodyPieces {
    Str before, between, after;
    bool time_first; /* lastUpdated stands before versionId */
} BodyPieces;
void body_cut(Arena *a, const JsonDoc *d, Str id, BodyPieces *ret);
Str body_join(Arena *a, const BodyPieces *p, Str vid, Str time);

/* ---- Batches --------------------------------------------------------------------------------- */

typedef struct Change {
    struct Change *next;
    StoreOp op; /* as asked for */
    bool only_new;
    const FhirType *type;
    Str id, if_vid;
    JsonDoc received; /* its id may be missing, or another */
    BodyPieces pieces;
    IndexDoc doc;
    const Str *unique; /* system, value, system, value … */
    size_t unique_n;
    const struct Ahead *base; /* what is there now, where it was asked for; else NULL */
    uint64_t base_seq;        /* the head that old was made from; 0: there was none */
    IndexDoc old;
    bool old_living;
    StoreVersion done; /* by the writer */
    bool created;
} Change;

typedef enum RequireKind {
    REQUIRE_VERSION,
    REQUIRE_NO_TOKEN,
    REQUIRE_UNREFERENCED,
    REQUIRE_TIMER
} RequireKind;

typedef struct Require {
    struct Require *next;
    RequireKind kind;
    const FhirType *type;
    const FhirParam *param;
    Str a, b;
    int64_t due_ms;
} Require;

typedef enum SideKind {
    SIDE_TIMER_SET,
    SIDE_TIMER_CLEAR,
    SIDE_GRANT,
    SIDE_GRANT_END,
    SIDE_COPIES_END, /* of grants */
    SIDE_DRAFT_END
} SideKind;

/* What a batch writes beside resources. */
typedef struct Side {
    struct Side *next;
    SideKind kind;
    Str a, b, c, d;
    int64_t x, y;
} Side;

typedef struct Job Job;
typedef Status JobRun(Store *s, Job *job, Err *err);

/* One thing for the writer; it lies on the caller's stack or in its batch. */
struct Job {
    Job *next;
    JobRun *run; /* inside the group's transaction, in a savepoint of its own */
    void *arg;
    bool urgent, last; /* last: no other one comes after it in its group */
    size_t weight;     /* changed resources */
    Status status;
    Err *err;
    sem_t done;
};

struct StoreBatch {
    Store *store;
    const StoreReader *reader; /* what it is made of was read with; or NULL */
    Arena *arena;
    StoreAuthor author;
    Str cause;
    bool urgent;
    Change *first, *last;
    size_t changes_n;
    Map by_name; /* "Type/id" → Change */
    Require *require_first, *require_last;
    Side *side_first, *side_last;
    bool remember;
    Str person, key;
    Sha256 key_body;
    int http_status;
    uint64_t tx; /* by the writer */
    int64_t at_ms;
    bool stale, prepared;
    const ParamTable *params; /* the custom parameters that its rows were made with */
    bool redefines;           /* it changes a SearchParameter */
    bool purge; /* a patient goes though others refer to them; a row of tx also without a change */
};

JobRun batch_apply;
/* store_require.c: all that the batch requires; that no other patient has its identifiers. */
Status requires_test(Store *s, StoreBatch *b, Err *err) MUST_USE;
Status unique_test(Store *s, const Change *c, int64_t rid, Err *err) MUST_USE;
/* store_account.c: a job for rows that are no resources, also in a store opened for reading. */
Status rows_run(Store *s, JobRun *run, const void *arg, Err *err) MUST_USE;
/* Binds the key; the one row of a statement, or ERR_NOT_FOUND. */
Status row_one(StoreReader *r, DbStmt *st, Str key, Err *err) MUST_USE;
DbStmt *draft_end_stmt(Store *s, Str person, Str post, Str key);
struct StoreDraft;
DbStmt *draft_put_stmt(Store *s, const struct StoreDraft *d);
/* What is granted on one record of a person, on another: with the same source, so that both end
 * together. All copies of a record's. */
struct StoreGrant;
void batch_grant_copy(StoreBatch *b, const struct StoreGrant *grant, Str to);
void batch_grant_copies_end(StoreBatch *b, Str patient_id, int64_t until_ms);

/* The digest of a transaction: SHA-256 over the one before it, its own row and its versions. */
Str digest_head(Arena *a, const Sha256 *before, const StoreVersion *v, int64_t site, int64_t epoch,
                uint64_t oseq);
Str digest_line(Arena *a, uint64_t seq, Str type, Str id, Str vid, StoreOp op, const Sha256 *sha);
/* What the version before seq notes of whose it is (version.patient); empty: there is none. */
Status version_before(Db *log, Arena *a, int64_t rid, int64_t seq, Str *ret, Err *err) MUST_USE;

/* ---- The group being committed ------------------------------------------------------------------
 */

typedef struct Applied {
    Change *change;
    int64_t rid;
    uint64_t seq, before_seq; /* before: the head that it replaced, and its rows */
    StoreOp op;
    const IndexDoc *before;
    struct Ahead *ahead;  /* on a server: of the same resource */
    uint32_t before_last; /* its `last` before this */
} Applied;

/* Rows of living resources in the group, found by key; newest first in each chain. */
typedef struct GroupRow {
    uint64_t key;
    uint32_t next, applied;
} GroupRow;

typedef struct Group {
    Arena arena;
    Applied *applied;
    size_t applied_n, applied_room;
    GroupRow *row;
    size_t row_n, row_room;
    uint32_t *chain;
    size_t chain_n;
    Map ahead; /* on a server: heads that were asked for, by name */
} Group;

void group_init(Group *g);
void group_done(Group *g);
void group_clear(Group *g);
void group_add(Group *g, Applied x, const IndexDoc *doc);
/* Back to where it was before a batch that failed. */
void group_cut(Group *g, size_t applied_n, size_t row_n);
uint64_t group_key(const IndexRow *row);
/* The last word of the group on a resource, or NULL. */
const Applied *group_find(const Group *g, int64_t rid);
/* Some living resource of the group other than `except` has the row. */
bool group_has(const Group *g, uint64_t key, int64_t except);

/* ---- The store
 * ----------------------------------------------------------------------------------- */

/* A blob on its way: written, and perhaps not yet named by a commit. */
typedef struct BlobPut {
    Sha256 sha;
    int64_t mono_ms;
} BlobPut;

struct Store {
    StoreOptions options;
    Str dir;            /* NUL-terminated */
    const char *server; /* address of its database; NULL: files in dir */
    Str holder;         /* this process among those of one database */
    Str node;           /* the folder among theirs; empty in files */
    bool temporary;
    Arena arena; /* process lifetime */
    int lock_fd;
    HashKey hash_key;
    uint8_t cursor_key[32];
    Str database;
    int64_t site, epoch;
    ZSTD_CDict *pack_dict;
    ZSTD_DDict *unpack_dict[STORE_DICT_NOW + 1]; /* by number; 0: none */

    /* the writer's own */
    Db *log;
    Db *index_asked; /* for preconditions; its generation */
    unsigned asked_generation;
    DeltaView asked; /* during a group: what index_asked may not have yet */
    BodyCodec codec;
    Group group;
    uint64_t seq, tx, oseq;
    int64_t rid, at_ms;
    Sha256 digest;

    Db *index;      /* the merger's own; on a server the log's connection */
    int64_t grants; /* on a server: groups with grants, up to the last group */
    Delta *delta;
    int wal_next[2]; /* pages from which emptying is tried again; by Wal */

    pthread_mutex_t lock;
    pthread_mutex_t keeping[2]; /* held by who copies this write-ahead log: one at a time */
    pthread_cond_t work, news;
    Job *urgent_first, *urgent_last, *bulk_first, *bulk_last;
    size_t waiting;
    bool closing, paused, idle;
    pthread_t writer, keeper;
    bool threads;
    atomic_uint_fast64_t seq_seen; /* published: durable, and in the delta or the index */
    atomic_uint index_generation;
    StoreReader *spare;      /* of callers' threads that prepare; under lock */
    bool grants_moved;       /* by the group being committed */
    struct Persons *persons; /* records of one person (store_persons.h); or NULL */
    struct OwnLists *own;    /* kept lists of callers' patients, with a lock of their own */
    struct KeptSets *kept;   /* long lists as bits (store_kept.h), likewise */
    struct TermCache *terms; /* compiled terminology (store_term.h), likewise */
    BlobPut *blob_put;       /* of the last hour; under lock */
    size_t blob_put_n, blob_put_room;
    _Atomic bool blob_folder_durable[256]; /* DIR/blobs/aa is there and synced */

    /* Custom search parameters (store_params_inner.h). */
    _Atomic(const ParamTable *) params;
    pthread_mutex_t params_lock; /* while a table is made, in the arena that keeps all of them */
    Arena params_arena;
    ParamDropped *params_dropped;
    atomic_uint_fast64_t params_news;
    atomic_int_fast64_t params_total; /* the highest rid */
    pthread_mutex_t settling; /* between what the writer takes for an index's rows and the delta */
    ParamStand stand;
    Arena stand_arena;
    pthread_t builder;
    pthread_mutex_t build_lock;
    pthread_cond_t build_news;
    bool builds, build_wanted, build_stop;
    pthread_mutex_t rebuilding; /* one at a time */
    atomic_bool rebuild_stop;
    bool bodies_once;  /* no body in log.db stands in a second place (store_purge_tidy.c) */
    bool params_stale; /* the writer's own: the table is to be read again */
};

/* ---- What grantees were granted (store_own_list.c) ---------------------------------------- */

typedef struct OwnLists OwnLists;
typedef struct OwnList OwnList;
void own_lists_open(Store *s);
void own_lists_close(Store *s);
/* The writer tells of each grant before its commit, and when such a group begins and is over. */
void own_group_begun(Store *s);
void own_granted(Store *s, Str grantee, Str patient_id);
void own_group_done(Store *s);
/* How many such groups are over; a reader asks before it takes its snapshot. */
uint64_t own_grants_done(const Store *s);
void reader_own_release(StoreReader *r);

/* ---- Long lists in memory (store_kept.h) --------------------------------------------------- */

#define KEPT_NONE 1 /* a state that no set is of */
void kept_open(Store *s);
void kept_close(Store *s);
/* Around each change of index.db; done false: it was not made, or another index was put in place.
 */
void kept_change_begin(Store *s, const IndexMove *moves, size_t n);
void kept_change_end(Store *s, bool done);
uint64_t kept_state(const Store *s);

struct StoreReader {
    Store *store;
    Db *log, *index;
    unsigned generation;
    Status trouble; /* of an index that could not be opened or is closed again */
    BodyCodec codec;
    bool snapshot;
    DeltaView delta;        /* of the snapshot: what its index.db lacks */
    int64_t index_seq;      /* up to where index.db and delta go together */
    int64_t index_file_seq; /* up to where index.db goes alone */
    int64_t log_seq, rid_max;
    uint64_t grants_done; /* before the snapshot */
    int64_t grants;       /* on a server: up to the snapshot */
    uint64_t kept_state;  /* of the sets that are this snapshot's; odd: none */
    OwnList **own;        /* held until the snapshot ends */
    size_t own_n, own_room;
    StoreReader *next;
};

/* A name in the data folder, NUL-terminated. */
const char *store_path(Arena *a, const Store *s, const char *name);
/* store_identity.c */
Status identity_load(Store *s, Err *err) MUST_USE;
Status epoch_check(Store *s, Err *err) MUST_USE;
Status node_write(Store *s, Err *err) MUST_USE;
/* Which folder of a shared database this is, from node.json. */
void node_name_read(Store *s);
/* Settings before the writer runs; ret is empty when there is none. */
Status log_setting_read(Store *s, const char *name, Str *ret, Err *err) MUST_USE;
Status log_setting_write(Db *db, const char *name, Str value, Err *err) MUST_USE;
/* store_relabel.c: versions written before a class of sensitive content was known. */
Status labels_settle(Store *s, Err *err) MUST_USE;
#define SETTING_BODIES_ONCE "bodies-once"
Status store_db_open(Store *s, const char *name, DbSync sync, bool create, Db **ret,
                     Err *err) MUST_USE;
Status log_migrate(Db *db, Err *err) MUST_USE;
Status log_migrated(Db *db, Err *err) MUST_USE; /* for who only reads */
Status index_migrate(Db *db, Err *err) MUST_USE;
/* store_move.c: the log of a server, as the reader's transaction sees it, as a new log.db. */
Status store_move_file(StoreReader *from, const char *path, StoreProgress *progress, void *ctx,
                       Err *err) MUST_USE;
/* ---- On a server (store_server.c) ---- */

Status server_find(Store *s, Err *err) MUST_USE;
Status server_open(Store *s, DbSync sync, Err *err) MUST_USE;
Status server_open_for_reading(Store *s, Err *err) MUST_USE;
void server_close(Store *s);
Status server_migrate(Store *s, Err *err) MUST_USE;
/* Of a log whose rows were all brought here: where it ends. */
Status server_head_make(Store *s, Err *err) MUST_USE;
void server_node_make(Store *s);
/* A name that no other process gives, in the arena. */
Str server_name_new(Arena *a);
/* The group's transaction begins with where the log ends, locked, and ends with the rows of the
 * index and where it ends then. */
Status server_group_begin(Store *s, const Job *first, Err *err) MUST_USE;
Status server_group_end(Store *s, Err *err) MUST_USE;
/* Where the log ends in a reader's snapshot. */
Status server_moment(StoreReader *r, Err *err) MUST_USE;
/* store_server_index.c: a new index in the place of the one there is, while others write; who has
 * a writer tells it (server_reindex). */
Status server_index_build(Store *s, StoreProgress *progress, void *ctx, Err *err) MUST_USE;
Status server_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err) MUST_USE;
/* In a group, before what an index is made of goes: one that others make is not to be used. */
Status server_rebuilds_discard(Store *s, Err *err) MUST_USE;
/* The thread that hears of other processes' commits. */
void *server_listen_main(void *store);

/* Everything up to seq is there to be read; whoever waits for it is woken. */
void seq_publish(Store *s, uint64_t seq);
/* Runs in the writer's next group and waits until it is durable. */
Status writer_run(Store *s, Job *job, Err *err) MUST_USE;
Status writer_start(Store *s, Err *err) MUST_USE;
void writer_stop(Store *s);
/* The keeper's thread; how the writer and the merger bound their own logs. */
#define WAL_PAGES_MAX 16384 /* 128 MiB: who writes it empties it; readers search it whole */
typedef enum Wal { WAL_LOG, WAL_INDEX } Wal;
void *keeper_main(void *store);
void wal_bound(Store *s, Wal wal);
/*
 * Empties the log's and gives its bytes back, holding writing up for no longer than that takes.
 * ERR_UNAVAILABLE: somebody reads from it all the while.
 */
Status log_wal_cut(Store *s, Err *err) MUST_USE;
/* Nobody writes between the two. */
void writer_pause(Store *s);
void writer_resume(Store *s);
/* A reader for the time of a call on a thread that brought none. */
Status spare_take(Store *s, StoreReader **ret, Err *err) MUST_USE;
void spare_give(StoreReader *r);

/* ---- Heads and versions ------------------------------------------------------------------------
 */

typedef struct Head {
    int64_t rid;
    uint64_t seq, born;
    StoreOp op;
    Str vid; /* in the arena */
} Head;

/* The number by which the log knows a type: R4's concrete types by name, fixed for ever. */
static inline int type_number(const FhirType *t)
{
    return t->resource;
}

/* ERR_NOT_FOUND untouched err, when there is no such resource. */
Status head_find(Db *log, Arena *a, const FhirType *type, Str id, Head *ret, bool *ret_found,
                 Err *err) MUST_USE;
/* The version that the rows of a resource in index and delta were made of; 0: it has none. */
Status indexed_seq(StoreReader *r, int64_t rid, uint64_t *ret, Err *err) MUST_USE;
/* The body of one version. */
Status version_body(const Store *s, Db *log, BodyCodec *c, Arena *a, uint64_t seq, Str *ret,
                    Err *err) MUST_USE;
Str version_id_next(const Store *s, Arena *a, Str before);
Status type_known(Str name, const FhirType **ret, Err *err) MUST_USE;
Status reader_index(StoreReader *r, Err *err) MUST_USE;

/* A row of `version` joined with head and tx, in the order of VERSION_COLUMNS. */
#define VERSION_COLUMNS                                                                            \
    "v.seq, v.tx, h.type, h.id, v.vid, v.op, t.at, t.author, t.role, t.org, t.cause, v.patient, "  \
    "v.dict, v.body, h.born "
Status version_read(StoreReader *r, DbStmt *st, Arena *a, bool body, StoreVersion *ret,
                    Err *err) MUST_USE;
/* The ids in version.patient (labels, then ids, joined by blanks). */
const Str *patients_split(Arena *a, Str text, size_t *ret_n);

/* ---- Sight
 * --------------------------------------------------------------------------------------- */

/* A view prepared for many questions within one call: grants asked once per patient. */
typedef struct Sight {
    StoreReader *reader;
    const StoreView *view;
    Arena *arena;
    Map orgs;     /* "Organization/ID" → anything */
    Map patients; /* id → SIGHT_YES, SIGHT_NO */
} Sight;

void sight_init(Sight *g, StoreReader *r, const StoreView *view, Arena *a);
/* It was asked whether any of a resource's patients (as in version.patient) is granted now. */
void sight_learn(Sight *g, Str patients, bool granted);
/* patients: labels and ids, as in version.patient; born: the seq of the first version. */
bool sight_resource(Sight *g, const FhirType *type, Str patients, uint64_t born);

#endif
