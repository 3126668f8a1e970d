/*
 * The index of a server made anew (docs/decisions/095): in a space beside, by connections of its
 * own, while every process writes and reads. The log's lock is held for the last stretch and the
 * exchange alone; the exchange waits for snapshots that look into the old index, a little at a
 * time, since whoever comes meanwhile waits behind it.
 *
 * A second builder takes the space for itself, and the first one notices with its next step: the
 * space names its builder, and up to where it goes.
 */
#include "store_rebuild_inner.h"

#include "mk_banned.h"

#define SPACE       "index_new"
#define FILE_NAME   "index-new.db"
#define BUILDER     "builder"
#define HELD_MS     200    /* the exchange waits for snapshots, others for it */
#define PAUSE_MS    300    /* between tries of the exchange */
#define EXCHANGE_MS 600000 /* of all of them */
#define BEGINS_MAX  3      /* search parameters changed meanwhile */

Status server_rows_are_ours(const Rebuild *b, Arena *a, uint64_t seq, Err *err)
{
    Str builder, text;
    int64_t there = -1;
    TRY(index_meta_get(b->index, a, BUILDER, &builder, err));
    TRY(index_meta_get(b->index, a, "seq", &text, err));
    if (str_eq(builder, b->builder) && str_to_i64(text, &there) && (uint64_t)there == seq) {
        return OK;
    }
    return err_add(err, ERR_CONFLICT, NULL, STR_NONE,
                   "另一个程序接手或中止了索引的重建，原索引继续使用；需要时请再次重建",
                   "Another program took the rebuilding of the index over or ended it; the index "
                   "that there was goes on: begin again if need be");
}

Status server_rebuilds_discard(Store *s, Err *err)
{
    return db_space_drop(s->log, SPACE, err);
}

/* ---- Following the log ----------------------------------------------------------------------- */

/*
 * Where it ends, and the custom parameters of up to there. These are looked for in the old index,
 * which must not be part of a transaction when it goes.
 */
static Status log_end(const Rebuild *b, bool lock, uint64_t *ret, Err *err)
{
    int64_t seq;
    TRY(lock
            ? db_get_i64(b->lock, "SELECT seq FROM log_head WHERE one = 1 FOR UPDATE", 0, &seq, err)
            : db_get_i64(b->log, "SELECT seq FROM log_head WHERE one = 1", 0, &seq, err));
    *ret = (uint64_t)seq;
    return params_follow(b->store, b->log, err);
}

static Status rows_follow(const Rebuild *b, uint64_t *seq, Err *err)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        uint64_t to;
        TRY(log_end(b, false, &to, err));
        if (to <= *seq + FINISH_LAG) {
            return OK;
        }
        TRY(rebuild_rows(b, seq, to, err));
        if (atomic_load(&b->store->rebuild_stop)) {
            return rebuild_stopped(err);
        }
    }
    return OK;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static Status space_make(Rebuild *b, Arena *a, Err *err)
{
    uint64_t end;
    db_close(b->index);
    b->index = NULL;
    TRY(log_end(b, false, &end, err));
    TRY(db_space_drop(b->log, SPACE, err));
    TRY(store_db_open(b->store, FILE_NAME, DB_SYNC_NORMAL, true, &b->index, err));
    TRY(rebuild_begin(b, a, err));
    return index_meta_put(b->index, BUILDER, b->builder, err);
}

/* Not while another process opens the database and makes an index before it can serve. */
static Status beside_begin(Rebuild *b, Arena *a, Err *err)
{
    bool opening = !b->store->threads; /* then it is this one */
    TRY(opening ? OK : db_alone_begin(b->log, err));
    Status st = space_make(b, a, err);
    if (!opening) {
        db_alone_end(b->log);
    }
    return st;
}

/* ---- The exchange ---------------------------------------------------------------------------- */

static Status builder_remove(Db *db, Err *err)
{
    DbStmt *st = db_take(db, "DELETE FROM meta WHERE name = ?");
    if (st) {
        db_bind_str(st, 0, STR(BUILDER));
    }
    return db_run(db, st, err);
}

static Status place_take(const Rebuild *b, Arena *a, uint64_t seq, Err *err)
{
    TRY(db_begin(b->index, err));
    Status st = server_rows_are_ours(b, a, seq, err);
    st = st == OK ? builder_remove(b->index, err) : st;
    st = st == OK ? db_space_take(b->index, SPACE, "index", "meta", err) : st;
    st = st == OK ? db_commit(b->index, err) : st;
    if (st != OK) {
        db_abort(b->index);
    }
    return st;
}

/* With the log locked. *ret_stale: its search parameters are no longer those there are. */
static Status last_stretch(const Rebuild *b, Arena *a, uint64_t *seq, bool *ret_stale, Err *err)
{
    uint64_t to;
    TRY(log_end(b, true, &to, err));
    ParamStand whole = params_stand_whole(params_now(b->store), a);
    *ret_stale = !params_stand_same(&whole, &b->stand);
    if (*ret_stale) {
        return OK;
    }
    TRY(rebuild_rows(b, seq, to, err));
    TRY(*seq < to ? rebuild_stopped(err) : rebuild_end(b, err));
    db_wait_set(b->index, HELD_MS);
    Status st = place_take(b, a, *seq, err);
    db_wait_set(b->index, STORE_WAIT_MS);
    return st;
}

static Status exchange_try(const Rebuild *b, Arena *a, uint64_t *seq, bool *ret_stale, Err *err)
{
    TRY(rows_follow(b, seq, err));
    TRY(db_begin(b->lock, err));
    Status st = last_stretch(b, a, seq, ret_stale, err);
    db_abort(b->lock);
    return st;
}

/* A snapshot may be held for long (an export); the index follows the log meanwhile. */
static Status exchange(const Rebuild *b, uint64_t seq, bool *ret_stale, Err *err)
{
    int64_t until = time_mono_ms() + EXCHANGE_MS;
    for (;;) {
        Arena a;
        Err why;
        arena_init(&a, 0);
        err_init(&why, &a);
        Status st = exchange_try(b, &a, &seq, ret_stale, &why);
        bool over =
            st != ERR_UNAVAILABLE || atomic_load(&b->store->rebuild_stop) || time_mono_ms() > until;
        st = over && st != OK ? err_move(err, &why, STR_NONE) : st;
        arena_done(&a);
        if (over) {
            return st;
        }
        store_wait(b->store, UINT64_MAX, PAUSE_MS);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static Status index_make(Rebuild *b, Arena *a, Err *err)
{
    bool stale = true;
    for (int i = 0; i < BEGINS_MAX && stale; i++) {
        TRY(beside_begin(b, a, err));
        TRY(exchange(b, 0, &stale, err));
    }
    return !stale ? OK
                  : err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE,
                            "重建期间检索参数一再变更，原索引继续使用：请稍后再次重建",
                            "Search parameters were changed again and again meanwhile; the index "
                            "that there was goes on: begin again later");
}

static void leftovers_drop(const Rebuild *b, Arena *a)
{
    Str builder;
    if (db_begin(b->index, NULL) == OK &&
        index_meta_get(b->index, a, BUILDER, &builder, NULL) == OK && str_eq(builder, b->builder) &&
        db_space_drop(b->index, SPACE, NULL) == OK) {
        (void)!db_commit(b->index, NULL); /* else the next builder drops it */
    }
    db_abort(b->index);
}

Status server_index_build(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    Arena a;
    BodyCodec codec;
    arena_init(&a, 0);
    body_codec_init(&codec);
    Rebuild b = {.store = s,
                 .codec = &codec,
                 .builder = server_name_new(&a),
                 .progress = progress,
                 .ctx = ctx};
    Status st = store_db_open(s, "log.db", DB_SYNC_FULL, false, &b.log, err);
    st = st == OK ? store_db_open(s, "log.db", DB_SYNC_FULL, false, &b.lock, err) : st;
    st = st == OK ? index_make(&b, &a, err) : st;
    if (st != OK && b.index) {
        leftovers_drop(&b, &a);
    }
    db_close(b.index);
    db_close(b.lock);
    db_close(b.log);
    body_codec_done(&codec);
    arena_done(&a);
    return st;
}

static Status stand_run(Store *s, Job *job, Err *err)
{
    (void)job;
    return params_stand_take(s, s->log, err);
}

/* Other processes look at the stand as long as they lack something of it. */
Status server_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    Job job = {.run = stand_run, .weight = 1};
    TRY(server_index_build(s, progress, ctx, err));
    return writer_run(s, &job, err);
}
