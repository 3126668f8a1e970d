/* What is shared by those who make an index from the log: the step that brings it further. */
#ifndef STORE_REBUILD_INNER_H
#define STORE_REBUILD_INNER_H

#include "store_inner.h"

#define CATCH_UP_STEP 2000u
#define FINISH_LAG    200 /* versions that are left for the moment in which nobody writes */
#define ROUNDS_MAX    50  /* others write as fast as it comes after them */

/* An index that is brought up to the log, and what the log is read with. */
typedef struct Rebuild {
    Store *store;
    Db *index, *log;
    BodyCodec *codec;
    ParamStand stand;
    Str builder; /* of a server: by which its tables are known to be this builder's */
    Db *lock;    /* of a server: by which the log is locked */
    StoreProgress *progress;
    void *ctx;
} Rebuild;

/*
 * Versions after `after` up to `to`, at most CATCH_UP_STEP, in one transaction; each resource from
 * what the index has to the last. The custom parameters that are known (params_now) must be those
 * of `to` at least. ret_seq: up to where it goes now; `after` when there were none.
 */
Status catch_up_step(const Rebuild *b, Arena *a, uint64_t after, uint64_t to, uint64_t *ret_seq,
                     Err *err) MUST_USE;

/* Tables and what they say of themselves, of an index that is empty so far. */
Status rebuild_begin(Rebuild *b, Arena *a, Err *err) MUST_USE;
/* From *seq up to `to`, which *seq then is, or as far as it came before it was stopped. */
Status rebuild_rows(const Rebuild *b, uint64_t *seq, uint64_t to, Err *err) MUST_USE;
/* Its last commits are as durable as any. */
Status rebuild_end(const Rebuild *b, Err *err) MUST_USE;
Status rebuild_stopped(Err *err) MUST_USE;

/* ---- On a server (store_server_index.c) ---- */

/* ERR_CONFLICT: the new tables are another builder's by now, or do not go up to seq. */
Status server_rows_are_ours(const Rebuild *b, Arena *a, uint64_t seq, Err *err) MUST_USE;

#endif
