/*
 * Between the files of the kept views: the file of their rows, which views are kept, the rows
 * themselves. The caller holds the lock.
 */
#ifndef INSIGHT_VIEWS_INNER_H
#define INSIGHT_VIEWS_INNER_H

#include <pthread.h>

#include "insight_inner.h"
#include "insight_views.h"

#define VIEWS_STRETCH   500                 /* rows of the log read at once */
#define VIEWS_LOG_BYTES ((size_t)128 << 20) /* memory for them */

typedef struct Kept {
    Str id, digest;
    FhirView *compiled;
    uint64_t seq;   /* followed up to here; 0: still being made … */
    uint64_t as_of; /* … of this moment … */
    Str after;      /* … up to this id */
    bool broken;    /* it fails on some resource */
} Kept;

struct InsightViews {
    Store *store;
    char path[4096];
    int zone_min;
    pthread_mutex_t lock; /* of all that follows */
    Db *db;
    Arena arena; /* of the list */
    Kept kept[INSIGHT_VIEWS_MAX];
    size_t n;
    uint64_t looked; /* the log is looked through for Libraries up to here */
    bool stale;
};

/* insight_views_file.c */
Status views_file_open(InsightViews *x, Err *err) MUST_USE;
void views_file_close(InsightViews *x);
/* Discards the file and begins another. */
Status views_file_again(InsightViews *x, Err *err) MUST_USE;
/* The row of the log that was followed last. */
Status views_mark_put(InsightViews *x, StoreReader *r, uint64_t seq, Err *err) MUST_USE;
/* It is still what it was. */
bool views_mark_fits(InsightViews *x, StoreReader *r);

/* insight_views_list.c */
Str views_digest(Arena *a, Str definition);
Status views_rows_drop(InsightViews *x, Str id, Err *err) MUST_USE;
Status views_kept_put(InsightViews *x, const Kept *k, Err *err) MUST_USE;
/* Whether a Library has changed since: the list is stale. */
Status views_look(InsightViews *x, StoreReader *r, Err *err) MUST_USE;
Status views_list(InsightViews *x, StoreReader *r, Err *err) MUST_USE;

#endif
