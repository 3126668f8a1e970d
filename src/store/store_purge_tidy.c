/*
 * The last step of a purge: no gap in a page, no free page and no write-ahead log keeps what was
 * erased.
 *
 * index.db: rows come and go everywhere, and pages split. A copy without gaps is made of it beside,
 * brought up to date and put in its place (store_rebuild.c).
 *
 * log.db: rows of `version`, where the bodies are, are added behind the last one, which splits no
 * page, and an erased body makes its row shorter, which joins none; freed bytes and pages are
 * zeroed (secure_delete). So each body stands there once, and nothing is left to do. What might
 * have changed that (labels given to old versions, a log of an earlier program) takes the setting
 * "bodies-once" away; then the log is written anew once, while nobody writes.
 */
#include <sys/stat.h>

#include "store_delta.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

/* Of what has to be written anew while nobody writes. */
uint64_t purge_held_bytes(const StoreReader *r, Arena *a)
{
    const Store *s = r->store;
    int64_t there = 0;
    if (s->server) {
        Status st = db_get_i64(r->log,
                               "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
                               " JOIN pg_namespace n ON n.oid = c.relnamespace"
                               " WHERE c.relkind = 'r' AND n.nspname = ANY(current_schemas(false))",
                               0, &there, NULL);
        return st == OK ? (uint64_t)there : UINT64_MAX;
    }
    struct stat file;
    bool held = !s->bodies_once && stat(store_path(a, s, "log.db"), &file) == 0;
    return held ? (uint64_t)file.st_size : 0;
}

/* All of those that waited for it. */
static Status done_run(Store *s, Job *job, Err *err)
{
    (void)job;
    DbStmt *st = db_take(s->log, "UPDATE purge SET state = ?, done = ? WHERE state = ?");
    if (st) {
        db_bind_i64(st, 0, PURGE_DONE);
        db_bind_i64(st, 1, clock_now(s->options.clock));
        db_bind_i64(st, 2, PURGE_TIDYING);
    }
    TRY(db_run(s->log, st, err));
    return s->server ? OK : log_setting_write(s->log, SETTING_BODIES_ONCE, STR("1"), err);
}

/* First whether readers let the old pages go at all: else it would be for nothing. */
static Status log_compact(Store *s, Err *err)
{
    int left;
    writer_pause(s);
    pthread_mutex_lock(&s->keeping[WAL_LOG]);
    Status st = db_checkpoint(s->log, DB_CUT, &left, err);
    st = st == OK ? db_compact(s->log, err) : st;
    pthread_mutex_unlock(&s->keeping[WAL_LOG]);
    writer_resume(s);
    return st;
}

static Status server_compact(Store *s, Err *err)
{
    writer_pause(s);
    Status st = db_compact(s->log, err);
    writer_resume(s);
    return st;
}

static Status files_compact(Store *s, Err *err)
{
    TRY(index_compact(s, err));
    if (!s->bodies_once) {
        TRY(log_compact(s, err));
    }
    return log_wal_cut(s, err);
}

Status purge_tidy(Store *s, Err *err)
{
    TRY(s->server ? server_compact(s, err) : files_compact(s, err));
    Job job = {.run = done_run, .weight = 1};
    TRY(writer_run(s, &job, err));
    s->bodies_once = true;
    return OK;
}
