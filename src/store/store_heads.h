/*
 * Bulk: the resources of one type in order of id, a stretch at a time, as they were at one moment
 * of the log. Nothing is held between two stretches (no read transaction, no list): what is written
 * meanwhile changes nothing, because each resource is told in its version of that moment.
 *
 * The view decides at the time of the stretch, by the version's own patients.
 */
#ifndef STORE_HEADS_H
#define STORE_HEADS_H

#include "store.h"

typedef struct StoreHeads {
    Str type;
    Str after;        /* id: the stretch begins behind it; empty: at the first */
    uint64_t as_of;   /* seq */
    int64_t since_ms; /* only versions written at or after; TIME_NONE: all */
    bool deletions;   /* tell those that were deleted at that moment, too */
    bool changed;     /* only those that were written again since then */
    size_t limit;     /* resources looked at, seen or not */
} StoreHeads;

/* One that may be seen; it lives until the function returns. */
typedef Status StoreHeadTold(void *ctx, const StoreVersion *v, Err *err);

/* *ret_after: where the next stretch begins, in `a`; empty: that was the last. */
Status store_heads(StoreReader *r, Arena *a, const StoreView *view, const StoreHeads *q,
                   StoreHeadTold *told, void *ctx, Str *ret_after, Err *err) MUST_USE;

/* The seq of a resource's head as it is now; 0: there is none. */
Status store_head_seq(StoreReader *r, Arena *a, Str type, Str id, uint64_t *ret, Err *err) MUST_USE;

#endif
