/* The index as a cache: built anew, or copied without gaps, beside the old one that it replaces. */
#include <unistd.h>

#include "fhir_extract.h"
#include "store_purge_inner.h"
#include "store_rebuild_inner.h"

#include "mk_banned.h"

#define LAYOUT "menkou-index-8"

/* What the rows depend on: the layout, the parameters with extractor and date table, the key. */
Str index_version_text(const Store *s, Arena *a)
{
    Str key = {(const char *)&s->hash_key, sizeof s->hash_key};
    Str numbers = arena_printf(a, "%d %d", FHIR_EXTRACT_VERSION, s->options.zone_min);
    Str parts[] = {STR(LAYOUT), str_from_c(fhir_params_digest), key, numbers};
    Sha256 digest = sha256_parts(parts, sizeof parts / sizeof *parts);
    return hex_encode(a, digest.b, sizeof digest.b);
}

/* ---- Building anew ------------------------------------------------------------------------------
 */

static void index_unlink(const Store *s, const char *name)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    Arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < 3; i++) {
        unlink(arena_printf(&a, "%.*s/%s%s", STR_ARG(s->dir), name, tails[i]).p);
    }
    arena_done(&a);
}

/* The new index's write-ahead log, which a step of it would search whole, is kept short. */
static Status new_wal_bound(Db *db, Err *err)
{
    int left;
    return db_wal_pages(db) > WAL_PAGES_MAX ? db_checkpoint(db, DB_REUSE, &left, err) : OK;
}

Status rebuild_rows(const Rebuild *b, uint64_t *seq, uint64_t to, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status st = OK;
    while (st == OK && *seq < to && !atomic_load(&b->store->rebuild_stop)) {
        st = catch_up_step(b, &a, *seq, to, seq, err);
        st = st == OK ? new_wal_bound(b->index, err) : st;
        arena_reset(&a);
        if (b->progress) {
            b->progress(b->ctx, "index", *seq, to);
        }
    }
    arena_done(&a);
    return st;
}

Status rebuild_begin(Rebuild *b, Arena *a, Err *err)
{
    b->stand = params_stand_whole(params_now(b->store), a);
    TRY(index_migrate(b->index, err));
    TRY(index_meta_put(b->index, "version", index_version_text(b->store, a), err));
    TRY(index_seq_put(b->index, a, 0, err));
    return params_stand_write(b->index, a, &b->stand, err);
}

Status rebuild_end(const Rebuild *b, Err *err)
{
    int left;
    TRY(db_sync_set(b->index, DB_SYNC_FULL, err));
    return db_checkpoint(b->index, DB_CUT, &left, err);
}

/* From here on it is as durable as the one that is there. */
static Status rebuild_flush(const Rebuild *b, Err *err)
{
    TRY(rebuild_end(b, err));
    return db_sync_set(b->index, DB_SYNC_OFF, err);
}

Status rebuild_stopped(Err *err)
{
    return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "重建索引已中止，原索引继续使用",
                   "The rebuilding of the index was stopped; the index that there was goes on");
}

/* All rows into an empty database. */
static Status rows_build(Store *s, Db *db, StoreProgress *progress, void *ctx, Err *err)
{
    Arena a;
    uint64_t seq = 0;
    Rebuild b = {.store = s,
                 .index = db,
                 .log = s->log,
                 .codec = &s->codec,
                 .progress = progress,
                 .ctx = ctx};
    arena_init(&a, 0);
    Status st = rebuild_begin(&b, &a, err);
    st = st == OK ? rebuild_rows(&b, &seq, s->seq, err) : st;
    st = st == OK && seq < s->seq ? rebuild_stopped(err) : st;
    st = st == OK ? rebuild_end(&b, err) : st;
    arena_done(&a);
    return st;
}

Status index_there(const Store *s, Err *err)
{
    return s->index ? OK
                    : err_add(err, ERR_UNAVAILABLE, NULL, s->dir,
                              "索引没有打开（上次更换未完成）：请重新启动，启动时会重建",
                              "The index is not open (it was not exchanged to the end): start the "
                              "program again, it is then rebuilt");
}

static DbSync index_sync(const Store *s)
{
    return s->temporary || s->options.bulk ? DB_SYNC_OFF : DB_SYNC_NORMAL;
}

/* A commit that is waited for makes those durable that were not. */
Status index_flush(Store *s, Err *err)
{
    Arena a;
    Str seq;
    arena_init(&a, 0);
    merger_enter(s);
    Status st = index_there(s, err);
    st = st == OK ? index_meta_get(s->index, &a, "seq", &seq, err) : st;
    st = st == OK ? db_sync_set(s->index, DB_SYNC_FULL, err) : st;
    if (st == OK) {
        st = index_meta_put(s->index, "seq", seq, err);
        Status back = db_sync_set(s->index, index_sync(s), err);
        st = st == OK ? back : st;
    }
    merger_leave(s);
    arena_done(&a);
    return st;
}

static Status index_swap(Store *s, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    db_close(s->index);
    s->index = NULL;
    /* Gone for good before the new one has its name: an old write-ahead log must never meet it. */
    index_unlink(s, "index.db");
    TRY(dir_sync(s->dir.p, err));
    const char *from = path_join(&a, s->dir, STR("index-new.db")).p;
    const char *to = path_join(&a, s->dir, STR("index.db")).p;
    Status st = rename(from, to) == 0
                    ? dir_sync(s->dir.p, err)
                    : err_add(err, ERR_INTERNAL, NULL, s->dir, "无法换上新建的索引",
                              "The new index cannot be put in place");
    arena_done(&a);
    TRY(st);
    kept_change_begin(s, NULL, 0);
    atomic_fetch_add(&s->index_generation, 1);
    kept_change_end(s, false);
    TRY(store_db_open(s, "index.db", index_sync(s), false, &s->index, err));
    return params_stand_take(s, s->index, err);
}

Status index_build(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    Db *db = NULL;
    if (s->server) {
        return server_index_build(s, progress, ctx, err);
    }
    index_unlink(s, "index-new.db");
    TRY(store_db_open(s, "index-new.db", DB_SYNC_OFF, true, &db, err));
    Status st = rows_build(s, db, progress, ctx, err);
    db_close(db);
    if (st != OK) {
        index_unlink(s, "index-new.db");
        return st;
    }
    return index_swap(s, err);
}

/* Usable: ours, of this version, and not ahead of the log (which a restored log would be behind).
 */
bool index_is_usable(Store *s, Db *db, Arena *a)
{
    Str version, text;
    int64_t seq;
    if (index_migrate(db, NULL) != OK || index_meta_get(db, a, "version", &version, NULL) != OK ||
        index_meta_get(db, a, "seq", &text, NULL) != OK) {
        return false;
    }
    return str_eq(version, index_version_text(s, a)) && str_to_i64(text, &seq) &&
           (uint64_t)seq <= s->seq;
}

Status index_open(Store *s, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    index_unlink(s, "index-new.db");
    bool usable = store_db_open(s, "index.db", index_sync(s), true, &s->index, NULL) == OK &&
                  index_is_usable(s, s->index, &a);
    arena_done(&a);
    if (usable) {
        TRY(params_open(s, s->index, err));
        return index_catch_up(s, s->index, err);
    }
    TRY(params_load(s, s->log, NULL, err));
    if (s->seq > 0) {
        log_info("store", "building the index of %llu versions", (unsigned long long)s->seq);
    }
    return index_build(s, s->options.progress, s->options.progress_ctx, err);
}

/* ---- Building anew while others write ----------------------------------------------------------
 */

/* The last stretch and the exchange, with nobody writing. */
static Status rebuild_finish(Rebuild *b, uint64_t *seq, Err *err)
{
    Store *s = b->store;
    writer_pause(s);
    merger_pause(s);
    Status st = rebuild_rows(b, seq, s->seq, err);
    st = st == OK && *seq < s->seq ? rebuild_stopped(err) : st;
    st = st == OK ? rebuild_end(b, err) : st;
    db_close(b->index);
    b->index = NULL;
    st = st == OK ? index_swap(s, err) : st;
    if (st == OK) {
        delta_clear(s);
    }
    merger_resume(s);
    writer_resume(s);
    return st;
}

/* Until no more than `lag` versions are missing, or as near as it gets. */
static Status rebuild_follow(Rebuild *b, uint64_t *seq, uint64_t lag, Err *err)
{
    for (int i = 0; store_seq(b->store) - *seq > lag && i < ROUNDS_MAX; i++) {
        TRY(rebuild_rows(b, seq, store_seq(b->store), err));
        if (atomic_load(&b->store->rebuild_stop)) {
            return rebuild_stopped(err);
        }
    }
    return OK;
}

/* What is large is flushed before the moment in which nobody writes. */
static Status rebuild_beside(Rebuild *b, uint64_t seq, Err *err)
{
    TRY(rebuild_follow(b, &seq, CATCH_UP_STEP, err));
    TRY(rebuild_flush(b, err));
    TRY(rebuild_follow(b, &seq, FINISH_LAG, err));
    return rebuild_finish(b, &seq, err);
}

static Status rebuild_open(Rebuild *b, Err *err)
{
    return store_db_open(b->store, "index-new.db", DB_SYNC_OFF, true, &b->index, err);
}

/* From the first version on. */
static Status begin_anew(Rebuild *b, Arena *a, uint64_t *ret_seq, Err *err)
{
    *ret_seq = 0;
    TRY(rebuild_open(b, err));
    return rebuild_begin(b, a, err);
}

static bool is_stopped(void *ctx)
{
    return atomic_load(&((Store *)ctx)->rebuild_stop);
}

/*
 * From the rows there are. What is built of custom parameters meanwhile is built once more: the
 * stand goes with the rows.
 */
static Status begin_copied(Rebuild *b, Arena *a, uint64_t *ret_seq, Err *err)
{
    Store *s = b->store;
    Db *there;
    Str text;
    int64_t seq = 0;
    TRY(store_db_open(s, "index.db", index_sync(s), false, &there, err));
    Status st = db_compact_into(there, store_path(a, s, "index-new.db"), is_stopped, s, err);
    db_close(there);
    TRY(st);
    TRY(rebuild_open(b, err));
    TRY(index_meta_get(b->index, a, "seq", &text, err));
    mk_check(str_to_i64(text, &seq));
    *ret_seq = (uint64_t)seq;
    return params_stand_read(b->index, a, &b->stand, err);
}

typedef Status RebuildBegin(Rebuild *b, Arena *a, uint64_t *ret_seq, Err *err);

/* Readers notice the exchange by the index's generation. */
static Status files_rebuild(Store *s, RebuildBegin *begin, StoreProgress *progress, void *ctx,
                            Err *err)
{
    Arena a;
    BodyCodec codec;
    uint64_t seq;
    Rebuild b = {.store = s, .codec = &codec, .progress = progress, .ctx = ctx};
    index_unlink(s, "index-new.db");
    TRY(store_db_open(s, "log.db", DB_SYNC_FULL, false, &b.log, err));
    arena_init(&a, 0);
    body_codec_init(&codec);
    Status st = begin(&b, &a, &seq, err);
    st = st == OK ? rebuild_beside(&b, seq, err) : st;
    body_codec_done(&codec);
    arena_done(&a);
    db_close(b.index);
    db_close(b.log);
    if (st != OK) {
        index_unlink(s, "index-new.db");
    }
    return st;
}

void rebuild_hold(Store *s)
{
    store_reindex_stop(s);
    pthread_mutex_lock(&s->rebuilding);
}

void rebuild_release(Store *s)
{
    pthread_mutex_unlock(&s->rebuilding);
}

Status store_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    if (!s->threads) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "数据只读打开，不能重建索引",
                       "The data are open for reading only; the index cannot be rebuilt");
    }
    pthread_mutex_lock(&s->rebuilding);
    atomic_store(&s->rebuild_stop, false);
    Status st = s->server ? server_reindex(s, progress, ctx, err)
                          : files_rebuild(s, begin_anew, progress, ctx, err);
    pthread_mutex_unlock(&s->rebuilding);
    return st;
}

Status index_compact(Store *s, Err *err)
{
    pthread_mutex_lock(&s->rebuilding);
    atomic_store(&s->rebuild_stop, false);
    Status st = index_there(s, err);
    st = st == OK ? files_rebuild(s, begin_copied, NULL, NULL, err) : st;
    pthread_mutex_unlock(&s->rebuilding);
    return st;
}

void store_reindex_stop(Store *s)
{
    atomic_store(&s->rebuild_stop, true);
}
