/*
 * The writer: one thread that commits everything that waits in one transaction with one flush,
 * hands its index rows to the delta, and then answers.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define GROUP_JOBS_MAX   512u
#define GROUP_WEIGHT_MAX 2000u
#define WEIGHT_ALONE     100u
#define QUEUE_MAX        8192u

/* ---- Queue ------------------------------------------------------------------------------- */

static void lane_add(Job **first, Job **last, Job *job)
{
    job->next = NULL;
    if (*last) {
        (*last)->next = job;
    } else {
        *first = job;
    }
    *last = job;
}

static Job *lane_take(Job **first, Job **last)
{
    Job *job = *first;
    *first = job->next;
    if (!*first) {
        *last = NULL;
    }
    return job;
}

static Status queue_add(Store *s, Job *job, Err *err)
{
    pthread_mutex_lock(&s->lock);
    bool full = s->waiting >= QUEUE_MAX, closing = s->closing;
    if (!full && !closing) {
        if (job->urgent) {
            lane_add(&s->urgent_first, &s->urgent_last, job);
        } else {
            lane_add(&s->bulk_first, &s->bulk_last, job);
        }
        s->waiting++;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    return full || closing ? err_status(err, ERR_UNAVAILABLE) : OK;
}

Status writer_run(Store *s, Job *job, Err *err)
{
    if (!s->threads) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "数据只读打开，不能写入",
                       "The data are open for reading only");
    }
    job->err = err;
    sem_init(&job->done, 0, 0);
    Status st = queue_add(s, job, err);
    if (st == OK) {
        while (sem_wait(&job->done) != 0) {
        }
        st = job->status;
    }
    sem_destroy(&job->done);
    return st;
}

/*
 * Alarms and acts first; the weight bounds how long one group holds the writer. What is heavy goes
 * alone: it is not the flush that costs then, but the copies of pages that a savepoint keeps.
 */
static Job *group_collect(Store *s)
{
    Job *first = NULL, *last = NULL;
    size_t weight = 0, n = 0;
    while (n < GROUP_JOBS_MAX && (s->urgent_first || s->bulk_first) && !(last && last->last)) {
        size_t next = s->urgent_first ? s->urgent_first->weight : s->bulk_first->weight;
        bool heavy = n && (next > WEIGHT_ALONE || last->weight > WEIGHT_ALONE);
        if (heavy || (n && weight + next > GROUP_WEIGHT_MAX)) {
            break;
        }
        Job *job = s->urgent_first ? lane_take(&s->urgent_first, &s->urgent_last)
                                   : lane_take(&s->bulk_first, &s->bulk_last);
        lane_add(&first, &last, job);
        weight += next;
        n++;
    }
    s->waiting -= n;
    return first;
}

/* ---- One group ------------------------------------------------------------------------------- */

typedef struct Tail {
    uint64_t seq, tx, oseq;
    int64_t rid, at_ms;
    Sha256 digest;
} Tail;

static Tail tail_of(const Store *s)
{
    return (Tail){s->seq, s->tx, s->oseq, s->rid, s->at_ms, s->digest};
}

static void tail_back(Store *s, const Tail *t)
{
    s->seq = t->seq;
    s->tx = t->tx;
    s->oseq = t->oseq;
    s->rid = t->rid;
    s->at_ms = t->at_ms;
    s->digest = t->digest;
}

/* False: more than this job is lost, since the database gave the transaction up or cannot undo the
 * job alone. A group of one job needs no savepoint, which would keep a copy of each page it
 * changes. */
static bool job_run(Store *s, Job *job, bool alone)
{
    Tail tail = tail_of(s);
    size_t applied_n = s->group.applied_n, row_n = s->group.row_n;
    if (alone) {
        job->status = job->run(s, job, job->err);
        return job->status == OK;
    }
    job->status = db_savepoint_begin(s->log, job->err);
    if (job->status != OK) {
        return db_in_transaction(s->log);
    }
    job->status = job->run(s, job, job->err);
    if (job->status == OK) {
        job->status = db_savepoint_commit(s->log, job->err);
    }
    if (job->status == OK) {
        return true;
    }
    tail_back(s, &tail);
    group_cut(&s->group, applied_n, row_n);
    return db_in_transaction(s->log) && db_savepoint_abort(s->log, NULL) == OK;
}

static void group_over(Store *s)
{
    group_clear(&s->group);
    delta_unpin(s, &s->asked);
    if (!s->server) {
        delta_publish(s, s->seq);
    }
    if (s->grants_moved) {
        s->grants_moved = false;
        own_group_done(s);
    }
}

/* why: for those that did not fail themselves; OK: what the database says. */
static void group_fail(Store *s, Job *first, const Tail *tail, Status why)
{
    for (Job *job = first; job; job = job->next) {
        if (job->status == OK) {
            job->status = why == OK ? db_failed(s->log, job->err) : err_status(job->err, why);
        }
    }
    db_abort(s->log);
    tail_back(s, tail);
    group_over(s);
}

/* The rows that a version takes away; NULL: none. Before the commit, since the log is read. */
static Status before_find(Store *s, Applied *x, Err *err)
{
    const Change *c = x->change;
    x->before = NULL;
    if (x->before_seq == 0) {
        return OK;
    }
    if (c->base_seq == x->before_seq) {
        x->before = c->old_living ? &c->old : NULL;
    } else {
        TRY(index_doc_at(s, s->log, &s->codec, &s->group.arena, c->type, x->before_seq, &x->before,
                         err));
    }
    x->before =
        params_settle(&s->group.arena, params_now(s), &s->stand, x->rid, x->before_seq, x->before);
    return OK;
}

static Status befores_find(Store *s, Err *err)
{
    Status st = OK;
    for (size_t i = 0; i < s->group.applied_n && st == OK; i++) {
        st = before_find(s, &s->group.applied[i], err);
    }
    return st;
}

/* Committed, but not yet to be seen. */
static void group_hand_over(Store *s)
{
    const Group *g = &s->group;
    for (size_t i = 0; i < g->applied_n; i++) {
        const Applied *x = &g->applied[i];
        DeltaDoc d = {.rid = x->rid,
                      .seq = x->seq,
                      .type = x->change->type,
                      .doc = x->op == STORE_DELETE ? NULL : &x->change->doc,
                      .before = x->before,
                      .living = x->op == STORE_CREATE   ? 1
                                : x->op == STORE_DELETE ? -1
                                                        : 0};
        delta_add(s, &s->asked, &d);
    }
}

/* What preconditions ask: the index as it is, and what it may not have yet. */
static Status asked_open(Store *s)
{
    unsigned now = atomic_load(&s->index_generation);
    if (!s->server && (!s->index_asked || s->asked_generation != now)) {
        db_close(s->index_asked);
        s->index_asked = NULL;
        s->asked_generation = now;
        TRY(store_db_open(s, "index.db", DB_SYNC_NORMAL, false, &s->index_asked, NULL));
    }
    delta_pin(s, &s->asked);
    s->asked.to_seq = UINT64_MAX;
    return OK;
}

static bool jobs_run(Store *s, Job *first, const Tail *tail)
{
    for (Job *job = first; job; job = job->next) {
        if (!job_run(s, job, !first->next)) {
            group_fail(s, first, tail, job->status);
            return false;
        }
    }
    return true;
}

static bool group_redefines(const Store *s)
{
    const FhirType *type = fhir_resource_find(STR("SearchParameter"));
    bool any = false;
    for (size_t i = 0; i < s->group.applied_n && !any; i++) {
        any = s->group.applied[i].change->type == type;
    }
    return any;
}

/* Which custom parameters there are now; what cannot be read is read before the next group. */
static Status params_renew(Store *s)
{
    s->params_stale = s->params_stale && params_load(s, s->log, &s->stand, NULL) != OK;
    return s->params_stale ? ERR_UNAVAILABLE : OK;
}

/* The rows that it takes away are those of the index as it is until they are in the delta. */
static void group_end(Store *s, Job *first, const Tail *tail)
{
    pthread_mutex_lock(&s->settling);
    Status found = befores_find(s, NULL);
    found = found == OK && s->server ? server_group_end(s, NULL) : found;
    if (found != OK || db_commit(s->log, NULL) != OK) {
        group_fail(s, first, tail, found);
        pthread_mutex_unlock(&s->settling);
        return;
    }
    if (!s->server) {
        group_hand_over(s);
    }
    s->params_stale = s->params_stale || group_redefines(s);
    (void)params_renew(s);
    group_over(s);
    pthread_mutex_unlock(&s->settling);
    wal_bound(s, WAL_LOG);
}

static void group_run(Store *s, Job *first)
{
    Tail tail = tail_of(s);
    for (Job *job = first; job; job = job->next) {
        job->status = OK;
    }
    Status ready = params_renew(s);
    ready = ready == OK ? delta_room(s) : ready;
    ready = ready == OK ? asked_open(s) : ready;
    if (ready != OK) {
        group_fail(s, first, &tail, ready);
        return;
    }
    if (db_begin(s->log, NULL) != OK || (s->server && server_group_begin(s, first, NULL) != OK)) {
        group_fail(s, first, &tail, OK);
        return;
    }
    if (!jobs_run(s, first, &tail)) {
        return;
    }
    group_end(s, first, &tail);
}

/* Never backwards: on a server another process may have been heard of meanwhile. */
void seq_publish(Store *s, uint64_t seq)
{
    uint64_t seen = atomic_load(&s->seq_seen);
    while (seen < seq && !atomic_compare_exchange_weak(&s->seq_seen, &seen, seq)) {
    }
    if (seen < seq) {
        pthread_mutex_lock(&s->lock);
        pthread_cond_broadcast(&s->news);
        pthread_mutex_unlock(&s->lock);
    }
}

/* Published first: who is answered finds its own write in store_seq. */
static void group_answer(Store *s, Job *first)
{
    seq_publish(s, s->seq);
    for (Job *job = first, *next; job; job = next) {
        next = job->next;
        sem_post(&job->done);
    }
}

static void *writer_main(void *arg)
{
    Store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->paused || (!s->urgent_first && !s->bulk_first && !s->closing)) {
            s->idle = true;
            pthread_cond_broadcast(&s->news);
            pthread_cond_wait(&s->work, &s->lock);
        }
        if (!s->urgent_first && !s->bulk_first) {
            break;
        }
        s->idle = false;
        Job *jobs = group_collect(s);
        pthread_mutex_unlock(&s->lock);
        group_run(s, jobs);
        group_answer(s, jobs);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- Life
 * ----------------------------------------------------------------------------------------- */

Status writer_start(Store *s, Err *err)
{
    if (pthread_create(&s->writer, NULL, writer_main, s) != 0) {
        return err_status(err, ERR_INTERNAL);
    }
    if (pthread_create(&s->keeper, NULL, s->server ? server_listen_main : keeper_main, s) != 0) {
        mk_check_failed("pthread_create", __FILE__, __LINE__);
    }
    if (!s->server) {
        merger_start(s);
    }
    s->threads = true;
    params_build_start(s);
    return OK;
}

void writer_stop(Store *s)
{
    if (!s->threads) {
        return;
    }
    params_build_stop(s);
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->work);
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer, NULL);
    merger_stop(s);
    pthread_join(s->keeper, NULL);
    s->threads = false;
}

void writer_pause(Store *s)
{
    pthread_mutex_lock(&s->lock);
    s->paused = true;
    pthread_cond_broadcast(&s->work);
    while (s->threads && !s->idle) {
        pthread_cond_wait(&s->news, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

void writer_resume(Store *s)
{
    pthread_mutex_lock(&s->lock);
    s->paused = false;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
}
