/*
 * Purges: erasing what nobody may keep any longer (docs/decisions/040-purge.md).
 *
 * A purge names a patient (everything of theirs), a resource (all its versions) or one version that
 * is not the current one. One person proposes it with a reason, another confirms it in time; who
 * may is for the caller to say (access_purge.h). Then it is carried out, in steps that are each
 * durable and go on after a restart:
 *
 *   CONFIRMED  what is still living is deleted, as versions of the log; then one last transaction
 *              seals the list of versions to be erased: its cause carries their digest
 *   ERASING    their bodies go, the blobs that nobody else names, half-filled forms of theirs
 *   TIDYING    no gap in a page of either database keeps what was there (decision 088)
 *   DONE
 *
 * Rows, SHA-256s, the chain of digests and the audit stay, so that menkou check still proves the
 * log, and that exactly those bodies are missing. A backup made before still holds everything.
 *
 * What belongs to another patient too is not erased: it is counted as kept.
 */
#ifndef STORE_PURGE_H
#define STORE_PURGE_H

#include "store.h"

#define STORE_PURGE_TARGETS_MAX 100
#define STORE_PURGE_CAUSE       "purge " /* begins the cause of all its transactions */

/* Numbers stand in log.db. */
typedef enum StorePurgeState {
    PURGE_PROPOSED = 1,
    PURGE_CONFIRMED = 2,
    PURGE_ERASING = 3,
    PURGE_TIDYING = 4,
    PURGE_DONE = 5,
    PURGE_DENIED = 6,
    PURGE_WITHDRAWN = 7,
    PURGE_EXPIRED = 8 /* never stored: proposed, and its time is over */
} StorePurgeState;

/* What a purge takes, or would take if it were carried out now. */
typedef struct StorePurgeExtent {
    uint64_t resources; /* whose versions go, living or not */
    uint64_t versions;  /* whose bodies go */
    uint64_t blobs;     /* named by them; those that others name too stay */
    uint64_t kept;      /* resources that stay: they belong to another patient too */
    uint64_t open_tasks;
} StorePurgeExtent;

typedef struct StorePurge {
    Str id;
    StorePurgeState state;
    Str target; /* "Patient/1 Observation/2 Observation/3/_history/1" */
    Str reason;
    Str proposer, decider; /* user names */
    int64_t proposed_ms, expires_ms, decided_ms, done_ms;
    uint64_t tx; /* the transaction that sealed it; 0: not yet */
    StorePurgeExtent extent;
} StorePurge;

/*
 * Reads the targets: one or several, parted by blanks. ERR_INVALID (what is no reference),
 * ERR_UNPROCESSABLE rule unknown-reference (what is not there), ERR_CONFLICT rule current-version.
 * The extent is as of now; blobs and loose uploads are looked at only when it is carried out.
 */
Status store_purge_look(StoreReader *r, Arena *a, Str target, StorePurgeExtent *ret,
                        Err *err) MUST_USE;
/* ERR_CONFLICT, rule purges-full: `open_max` others wait. The id is given by the caller. */
Status store_purge_propose(Store *s, const StorePurge *purge, int64_t open_max, Err *err) MUST_USE;
/*
 * From PROPOSED, before its time is over, to CONFIRMED, DENIED or WITHDRAWN. ERR_NOT_FOUND;
 * ERR_CONFLICT, rule purge-state: it is not waiting (any more).
 */
Status store_purge_decide(Store *s, Str id, StorePurgeState to, Str decider, int64_t now_ms,
                          Err *err) MUST_USE;
/* ERR_NOT_FOUND. */
Status store_purge_get(StoreReader *r, Arena *a, Str id, int64_t now_ms, StorePurge *ret,
                       Err *err) MUST_USE;
/* Newest first, at most `max`. */
Status store_purge_list(StoreReader *r, Arena *a, int64_t now_ms, size_t max, StorePurge **ret,
                        size_t *ret_n, Err *err) MUST_USE;

/*
 * Carries out what is confirmed, or goes on with what a restart interrupted: one purge, the oldest.
 * ret->id is empty when there was nothing to do. A log that must be written anew while nobody
 * writes (of an earlier program) and is larger than `tidy_bytes` is not: the purge stays in
 * TIDYING. ERR_UNAVAILABLE: a backup or a long reader stands in the way; nothing is lost by trying
 * again later.
 */
Status store_purge_run(StoreReader *r, Arena *a, uint64_t tidy_bytes, StorePurge *ret,
                       Err *err) MUST_USE;

/* What is left of each version that was purged, in the order of the log. */
typedef Status StorePurgedTold(void *ctx, const StoreVersion *version, Str sha, Str purge,
                               Err *err);
Status store_purged(StoreReader *r, StorePurgedTold *told, void *ctx, Err *err) MUST_USE;

#endif
