/* What the files of a purge share: the versions it takes, collected from a snapshot of the log. */
#ifndef STORE_PURGE_INNER_H
#define STORE_PURGE_INNER_H

#include "store_inner.h"
#include "store_purge.h"

/* A resource of which something goes. */
typedef struct PurgeResource {
    const FhirType *type;
    Str id;
    bool living;       /* and its current version goes: deleted first */
    bool binary_named; /* a Binary that is nobody's, taken because something that goes names it */
} PurgeResource;

typedef struct PurgeFound {
    Arena *arena;
    Map patients; /* id → anything */
    Map resource; /* "Type/id" → PurgeResource */
    PurgeResource **list;
    size_t n, room;
    int64_t *seq; /* of versions that still have a body */
    size_t seq_n, seq_room;
    Map kept; /* "Type/id" of what stays */
    uint64_t kept_n, open_tasks;
    uint64_t log_seq; /* of the snapshot */
} PurgeFound;

/* whole: also the uploads without a patient that they name, unless something else names them. */
Status purge_find(StoreReader *r, Arena *a, Str target, bool whole, PurgeFound *ret,
                  Err *err) MUST_USE;

/*
 * The steps of store_purge_run, each durable and to be done again after a failure. Seal:
 * ERR_CONFLICT, somebody wrote about them since they were looked for.
 */
Status purge_seal(StoreReader *r, const StorePurge *p, PurgeFound *f, Err *err) MUST_USE;
Status purge_erase(StoreReader *r, Arena *a, Str id, Err *err) MUST_USE;
Status purge_tidy(Store *s, Err *err) MUST_USE;
/* How much purge_tidy has to write while nobody else writes; 0: nothing. */
uint64_t purge_held_bytes(const StoreReader *r, Arena *a);
extern const StoreAuthor purge_author;

/* A row of `purge` in the order of these. */
#define PURGE_COLUMNS                                                                              \
    "id, state, target, reason, proposer, decider, proposed, expires, decided, done, tx, "         \
    "resources, versions, blobs, kept "
StorePurge purge_row(DbStmt *st, Arena *a, int64_t now_ms);

/* What the cause of the sealing transaction carries: of the purge's words and its versions. */
Status purge_digest(Db *log, Arena *a, const StorePurge *p, Str *ret_cause, Err *err) MUST_USE;

/* What menkou check finds wrong: where, and in both languages. */
typedef void PurgeFault(void *ctx, Str where, const char *zh, const char *en);
/* Each purge against the log's digests, each of its versions, and nothing left of those erased. */
Status purges_verify(StoreReader *r, Arena *a, PurgeFault *fault, void *ctx, Err *err) MUST_USE;
/* A version that may lack its body. A log that no later program has opened knows of none. */
bool purge_took(Db *log, uint64_t seq);

/*
 * store_rebuild.c: an index that is being made anew is given up, and none is begun until the
 * release: it could have rows of a body that is erased before it comes to the deletion.
 */
void rebuild_hold(Store *s);
void rebuild_release(Store *s);
/* A copy of index.db without gaps takes its place; others write meanwhile but for a moment. */
Status index_compact(Store *s, Err *err) MUST_USE;
/* What index.db has is on the disk. */
Status index_flush(Store *s, Err *err) MUST_USE;

#endif
