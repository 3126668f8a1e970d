/*
 * The writer: one thread that commits everything that waits in one transaction with one flush,
 * brings the index up to it, and then answers.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define GROUP_JOBS_MAX   512u
#define GROUP_WEIGHT_MAX 2000u
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

/* Alarms and acts first; the weight bounds how long one group holds the writer. */
static Job *group_collect(Store *s)
{
    Job *first = NULL, *last = NULL;
    size_t weight = 0, n = 0;
    while (n < GROUP_JOBS_MAX && (s->urgent_first || s->bulk_first)) {
        size_t next = s->urgent_first ? s->urgent_first->weight : s->bulk_first->weight;
        if (n && weight + next > GROUP_WEIGHT_MAX) {
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
 * job alone. */
static bool job_run(Store *s, Job *job)
{
    Tail tail = tail_of(s);
    size_t applied_n = s->group.applied_n, row_n = s->group.row_n;
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

/* What the group did to each resource: from the rows before it to the rows after it. */
static Status moves_make(Store *s, Group *g, IndexMove **ret, size_t *ret_n,
                         IndexChange **ret_changes, Err *err)
{
    IndexMove *moves = arena_array(&g->arena, IndexMove, g->applied_n + 1);
    IndexChange *changes = arena_array(&g->arena, IndexChange, g->applied_n + 1);
    size_t n = 0;
    for (size_t i = 0; i < g->applied_n; i++) {
        const Applied *x = &g->applied[i];
        changes[i] = (IndexChange){x->change->type, x->seq, x->rid};
        size_t at = 0;
        while (at < n && moves[at].rid != x->rid) {
            at = g->applied_n > 64 && x->before_seq == 0 ? n : at + 1;
        }
        if (at == n) {
            moves[n++] = (IndexMove){.rid = x->rid};
            if (x->before_seq != 0) {
                const IndexDoc *old = x->change->old_living ? &x->change->old : NULL;
                if (x->change->base_seq != x->before_seq) {
                    TRY(index_doc_at(s, s->log, &s->codec, &g->arena, x->change->type,
                                     x->before_seq, &old, err));
                }
                moves[at].old = old;
            }
        }
        moves[at].seq = x->seq;
        moves[at].fresh = x->op == STORE_DELETE ? NULL : &x->change->doc;
    }
    *ret = moves;
    *ret_n = n;
    *ret_changes = changes;
    return OK;
}

/* Preconditions ask the index: while it cannot catch up, nothing is written. */
static Status index_follow(Store *s)
{
    Arena scratch;
    Err err;
    if (!s->index_behind) {
        return OK;
    }
    arena_init(&scratch, 0);
    err_init(&err, &scratch);
    Status st = index_catch_up(s, s->index, &err);
    s->index_behind = st != OK;
    arena_done(&scratch);
    return st == OK || st == ERR_STORAGE_FULL ? st : ERR_UNAVAILABLE;
}

/*
 * The index follows the log. If it cannot (disk full), the log's commits stand and are
 * answered; the index says up to where it goes and catches up before the next group.
 */
static void group_index(Store *s)
{
    Group *g = &s->group;
    Arena scratch;
    Err err;
    IndexMove *moves;
    IndexChange *changes;
    size_t n;
    if (g->applied_n == 0) {
        return;
    }
    arena_init(&scratch, 0);
    err_init(&err, &scratch);
    Status st = moves_make(s, g, &moves, &n, &changes, &err);
    if (st == OK) {
        st = index_apply(s, s->index, &g->arena, moves, n, changes, g->applied_n, s->seq, &err);
    }
    s->index_behind = st != OK;
    if (st != OK) {
        log_error("store", "the index stays behind the log: %.*s",
                  STR_ARG(err.first ? err.first->en : STR("")));
    }
    arena_done(&scratch);
}

static void group_run(Store *s, Job *first)
{
    Tail tail = tail_of(s);
    for (Job *job = first; job; job = job->next) {
        job->status = OK;
    }
    Status behind = index_follow(s);
    if (behind != OK) {
        group_fail(s, first, &tail, behind);
        return;
    }
    if (db_begin(s->log, NULL) != OK) {
        group_fail(s, first, &tail, OK);
        return;
    }
    for (Job *job = first; job; job = job->next) {
        if (!job_run(s, job)) {
            group_fail(s, first, &tail, job->status);
            return;
        }
    }
    if (db_commit(s->log, NULL) != OK) {
        group_fail(s, first, &tail, OK);
        return;
    }
    group_index(s);
    group_over(s);
    wal_bound(s);
}

/* Published first: who is answered finds its own write in store_seq. */
static void group_answer(Store *s, Job *first)
{
    if (atomic_exchange(&s->seq_seen, s->seq) != s->seq) {
        pthread_mutex_lock(&s->lock);
        pthread_cond_broadcast(&s->news);
        pthread_mutex_unlock(&s->lock);
    }
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
    if (pthread_create(&s->keeper, NULL, keeper_main, s) != 0) {
        mk_check_failed("pthread_create", __FILE__, __LINE__);
    }
    s->threads = true;
    return OK;
}

void writer_stop(Store *s)
{
    if (!s->threads) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->work);
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer, NULL);
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
