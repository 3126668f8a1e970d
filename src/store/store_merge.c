/*
 * The merger: a thread that writes the delta's parts into index.db, each in one sorted batch and
 * one transaction, oldest first. The writer does not wait for it unless it lags by several parts;
 * if the index cannot be written (disk full), parts are held back, tried again, and when no more
 * can be held the writer refuses.
 */
#include "store_delta_inner.h"

#include "mk_banned.h"

#define MERGE_AGE_US   1000000 /* a part that is not full is merged when it is as old */
#define MERGE_AGE_BULK 5000000
#define MERGE_RETRY_US 200000

/* ---- One part ------------------------------------------------------------------------------ */

/* From what stands in the index to the last word of the part, for each resource. */
static size_t moves_make(const DeltaPart *p, size_t n, IndexMove *moves, IndexChange *changes)
{
    size_t moves_n = 0;
    for (size_t i = 0; i < n; i++) {
        const DeltaDoc *d = p->doc[i];
        changes[i] = (IndexChange){d->type, d->seq, d->rid, false};
        if (d->last) {
            moves[moves_n++] = (IndexMove){d->rid, d->seq, d->first->before, d->doc, false};
        }
    }
    return moves_n;
}

static Status part_merge(Store *s, const DeltaPart *p)
{
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    size_t n = atomic_load(&p->doc_n);
    IndexMove *moves = arena_array(&a, IndexMove, n);
    IndexChange *changes = arena_array(&a, IndexChange, n);
    size_t moves_n = moves_make(p, n, moves, changes);
    Status st = index_there(s, &err);
    if (st == OK) {
        kept_change_begin(s, moves, moves_n);
        st = index_apply(s->index, &a, moves, moves_n, changes, n, p->doc[n - 1]->seq, &err);
        kept_change_end(s, st == OK);
    }
    if (st != OK) {
        log_error("store", "the index stays behind the log: %.*s",
                  STR_ARG(err.first ? err.first->en : STR("")));
    }
    arena_done(&a);
    return st;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static int64_t part_due_us(const Store *s, const DeltaPart *p)
{
    return p->born_us + (s->options.bulk ? MERGE_AGE_BULK : MERGE_AGE_US);
}

/* Seals the oldest where it is the open one and nobody adds to it. Under the lock. */
static bool part_is_ready(Store *s)
{
    Delta *d = s->delta;
    if (d->paused || d->merging || !d->oldest) {
        return false;
    }
    if (d->oldest != d->open) {
        return true;
    }
    if (!d->hurried && time_mono_us() < part_due_us(s, d->open)) {
        return false;
    }
    if (d->filling) {
        d->wanted = true;
        return false;
    }
    d->open = NULL;
    return true;
}

static void work_wait(Store *s, int64_t retry_us)
{
    Delta *d = s->delta;
    bool due = d->open && !d->wanted; /* wanted: the writer tells when it has ended its group */
    int64_t until_us = retry_us ? retry_us
                       : due    ? part_due_us(s, d->open)
                                : time_mono_us() + MERGE_AGE_BULK;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_cond_timedwait(&d->work, &d->lock, &until);
}

/* Under the lock, but not while it writes. */
static Status merge_oldest(Store *s)
{
    Delta *d = s->delta;
    DeltaPart *p = d->oldest;
    d->merging = true;
    pthread_mutex_unlock(&d->lock);
    Status st = part_merge(s, p);
    if (st == OK) {
        delta_drop_oldest(d);
        wal_bound(s, WAL_INDEX);
    }
    pthread_mutex_lock(&d->lock);
    d->merging = false;
    d->last = st;
    d->tries++;
    d->hurried = d->hurried && d->oldest;
    pthread_cond_broadcast(&d->done);
    return st;
}

static void *merger_main(void *arg)
{
    Store *s = arg;
    Delta *d = s->delta;
    int64_t retry_us = 0;
    pthread_mutex_lock(&d->lock);
    while (!d->closing || (d->oldest && !s->temporary && d->last == OK)) {
        if ((retry_us && !d->closing && time_mono_us() < retry_us) || !part_is_ready(s)) {
            work_wait(s, retry_us);
            continue;
        }
        retry_us = merge_oldest(s) == OK ? 0 : time_mono_us() + MERGE_RETRY_US;
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

void merger_start(Store *s)
{
    Delta *d = s->delta;
    d->published = s->seq;
    if (pthread_create(&d->thread, NULL, merger_main, s) != 0) {
        mk_check_failed("pthread_create", __FILE__, __LINE__);
    }
    d->started = true;
}

void merger_hurry(Store *s)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    d->hurried = d->oldest != NULL;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
}

/* Under the lock. A part that was begun and has nothing yet gets what is written from now on. */
static bool is_reached(const Delta *d, uint64_t seq)
{
    return !d->oldest || atomic_load(&d->oldest->doc_n) == 0 || d->oldest->doc[0]->seq > seq;
}

Status merger_reach(Store *s, uint64_t seq)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    uint64_t tries = d->tries;
    while (!is_reached(d, seq) && (d->tries == tries || d->last == OK)) {
        d->hurried = true;
        pthread_cond_signal(&d->work);
        pthread_cond_wait(&d->done, &d->lock);
    }
    Status st = is_reached(d, seq) ? OK : d->last;
    pthread_mutex_unlock(&d->lock);
    return st;
}

void merger_stop(Store *s)
{
    Delta *d = s->delta;
    if (!d->started) {
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->closing = d->hurried = true;
    d->paused = false;
    d->last = OK;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    d->started = false;
}

void merger_pause(Store *s)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    d->paused = true;
    while (d->merging) {
        pthread_cond_wait(&d->done, &d->lock);
    }
    pthread_mutex_unlock(&d->lock);
}

void merger_resume(Store *s)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    d->paused = false;
    pthread_cond_signal(&d->work);
    pthread_cond_broadcast(&d->done);
    pthread_mutex_unlock(&d->lock);
}

void merger_enter(Store *s)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    while (d->merging || d->paused) {
        pthread_cond_wait(&d->done, &d->lock);
    }
    d->merging = true;
    pthread_mutex_unlock(&d->lock);
}

/* The parts that there are, the open one too: the writer opens another. */
Status merger_empty(Store *s)
{
    Delta *d = s->delta;
    Status st = OK;
    for (;;) {
        pthread_mutex_lock(&d->lock);
        DeltaPart *p = d->oldest;
        d->open = d->open == p ? NULL : d->open;
        pthread_mutex_unlock(&d->lock);
        if (!p) {
            return OK;
        }
        st = part_merge(s, p);
        if (st != OK) {
            return st;
        }
        delta_drop_oldest(d);
    }
}

void merger_leave(Store *s)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    d->merging = false;
    pthread_cond_signal(&d->work);
    pthread_cond_broadcast(&d->done);
    pthread_mutex_unlock(&d->lock);
}

/* ---- The writer's side ----------------------------------------------------------------------- */

static bool is_full(const Delta *d)
{
    return !d->open && d->n >= PARTS_LIVE;
}

Status delta_room(Store *s)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    uint64_t tries = d->tries;
    while (is_full(d) && (d->tries == tries || d->last == OK)) {
        pthread_cond_signal(&d->work);
        pthread_cond_wait(&d->done, &d->lock);
    }
    Status st = is_full(d) ? d->last : OK;
    d->filling = st == OK;
    pthread_mutex_unlock(&d->lock);
    return st == OK || st == ERR_STORAGE_FULL ? st : ERR_UNAVAILABLE;
}

void delta_publish(Store *s, uint64_t seq)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    d->published = seq;
    d->filling = false;
    if (d->open && (d->wanted || part_is_full(s, d->open))) {
        d->open = NULL;
        d->wanted = false;
        pthread_cond_signal(&d->work);
    }
    pthread_mutex_unlock(&d->lock);
}
