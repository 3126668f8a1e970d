/* What is shared by those who make an index from the log: the step that brings it further. */
#ifndef STORE_REBUILD_INNER_H
#define STORE_REBUILD_INNER_H

#include "store_inner.h"

#define CATCH_UP_STEP 2000u

/* An index that is brought up to the log, and what the log is read with. */
typedef struct Rebuild {
    Store *store;
    Db *index, *log;
    BodyCodec *codec;
    ParamStand stand;
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

#endif
