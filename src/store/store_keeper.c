/* The write-ahead logs: copied into the databases beside the writer, bounded, flushed on demand. */
#include <unistd.h>

#include "store_inner.h"

#include "mk_banned.h"

#define WAL_PAGES_KEEP   512 /* 4 MiB: the keeper starts to copy */
#define WAL_WAIT_MS      10  /* for readers, while everybody waits for the writer */
#define WAL_AGAIN_MS     100
#define KEEPER_PERIOD_MS 200

static Status wal_empty(Store *s, Wal wal, DbCheckpoint how, int *ret_left, Err *err)
{
    pthread_mutex_lock(&s->keeping[wal]);
    Status st = db_checkpoint(wal == WAL_LOG ? s->log : s->index, how, ret_left, err);
    pthread_mutex_unlock(&s->keeping[wal]);
    return st;
}

/*
 * While the writer waits everybody waits: a reader of a long moment (a backup, a check) is not
 * waited out; the log grows meanwhile and is tried again when it has grown by an eighth.
 */
void wal_bound(Store *s, Wal wal)
{
    Db *db = wal == WAL_LOG ? s->log : s->index;
    int left, pages = db_wal_pages(db);
    if (pages <= WAL_PAGES_MAX || pages < s->wal_next[wal]) {
        return;
    }
    db_wait_set(db, WAL_WAIT_MS);
    bool emptied = wal_empty(s, wal, DB_REUSE, &left, NULL) == OK;
    db_wait_set(db, STORE_WAIT_MS);
    s->wal_next[wal] = emptied ? 0 : pages + WAL_PAGES_MAX / 8;
    if (!emptied) {
        log_debug("store", "readers keep the write-ahead log long");
    }
}

/* Short tries, so that a reader of a long moment holds up nobody else. */
Status log_wal_cut(Store *s, Err *err)
{
    Status st = ERR_UNAVAILABLE;
    for (int waited = 0; st == ERR_UNAVAILABLE && waited < STORE_WAIT_MS; waited += WAL_AGAIN_MS) {
        int left;
        if (waited) {
            usleep(WAL_AGAIN_MS * 1000);
        }
        writer_pause(s);
        db_wait_set(s->log, WAL_WAIT_MS);
        st = wal_empty(s, WAL_LOG, DB_CUT, &left, NULL);
        db_wait_set(s->log, STORE_WAIT_MS);
        writer_resume(s);
    }
    return st == OK ? OK
                    : err_add(err, st, NULL, s->dir, "预写日志尚不能清空（有人正在读取），稍后再试",
                              "The write-ahead log cannot be emptied yet (it is being read); it "
                              "is tried again");
}

static void keeper_pass(Store *s, Wal wal, Db *db)
{
    int left;
    pthread_mutex_lock(&s->keeping[wal]);
    if (db_checkpoint(db, DB_COPY, &left, NULL) != OK) {
        log_debug("store", "a checkpoint could not be made");
    }
    pthread_mutex_unlock(&s->keeping[wal]);
}

static bool keeper_wait(Store *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += KEEPER_PERIOD_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (rc == 0 && !s->closing) {
        rc = pthread_cond_timedwait(&s->news, &s->lock, &until);
    }
    bool closing = s->closing;
    pthread_mutex_unlock(&s->lock);
    return !closing;
}

void *keeper_main(void *arg)
{
    Store *s = arg;
    Db *log = NULL, *index = NULL;
    unsigned generation = atomic_load(&s->index_generation);
    uint64_t done = store_seq(s);
    if (store_db_open(s, "log.db", DB_SYNC_FULL, false, &log, NULL) != OK) {
        return NULL;
    }
    while (keeper_wait(s)) {
        if (s->options.bulk || store_seq(s) < done + WAL_PAGES_KEEP / 8) {
            continue;
        }
        done = store_seq(s);
        keeper_pass(s, WAL_LOG, log);
        if (!index || generation != atomic_load(&s->index_generation)) {
            db_close(index);
            index = NULL;
            generation = atomic_load(&s->index_generation);
            if (store_db_open(s, "index.db", DB_SYNC_NORMAL, false, &index, NULL) != OK) {
                continue;
            }
        }
        keeper_pass(s, WAL_INDEX, index);
    }
    db_close(index);
    db_close(log);
    return NULL;
}

static Status flush_run(Store *s, Job *job, Err *err)
{
    (void)s;
    (void)job;
    (void)err;
    return OK;
}

/* After everything queued so far; a checkpoint flushes what the commits left to the system. */
Status store_flush(Store *s, Err *err)
{
    Job job = {.run = flush_run};
    int left;
    TRY(writer_run(s, &job, err));
    if (s->temporary) {
        return OK;
    }
    writer_pause(s);
    Status st = db_sync_set(s->log, DB_SYNC_FULL, err);
    st = st == OK ? wal_empty(s, WAL_LOG, DB_CUT, &left, err) : st;
    writer_resume(s);
    return st;
}
