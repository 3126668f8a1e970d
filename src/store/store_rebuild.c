/* The index as a cache: caught up at open, built anew beside the old one when its version differs.
 */
#include <stdlib.h>
#include <unistd.h>

#include "fhir_extract.h"
#include "store_inner.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

#define CATCH_UP_STEP 2000u
#define LAYOUT        "menkou-index-6"

/* What the rows depend on: the layout, the parameters with extractor and date table, the key. */
Str index_version_text(const Store *s, Arena *a)
{
    Str key = {(const char *)&s->hash_key, sizeof s->hash_key};
    Str numbers = arena_printf(a, "%d %d", FHIR_EXTRACT_VERSION, s->options.zone_min);
    Str parts[] = {STR(LAYOUT), str_from_c(fhir_params_digest), key, numbers};
    Sha256 digest = sha256_parts(parts, sizeof parts / sizeof *parts);
    return hex_encode(a, digest.b, sizeof digest.b);
}

/* ---- Catching up ------------------------------------------------------------------------------
 */

Status index_doc_at(const Store *s, Db *log, BodyCodec *c, Arena *a, const FhirType *type,
                    uint64_t seq, const IndexDoc **ret, Err *err)
{
    Str body;
    TRY(version_body(s, log, c, a, seq, &body, err));
    if (str_empty(body)) {
        *ret = NULL;
        return OK;
    }
    IndexDoc *doc = arena_new(a, IndexDoc);
    TRY(index_extract(s, a, type, body, doc, err));
    *ret = doc;
    return OK;
}

/* An index that is brought up to the log, and what the log is read with. */
typedef struct Rebuild {
    Store *store;
    Db *index, *log;
    BodyCodec *codec;
    ParamStand stand;
    StoreProgress *progress;
    void *ctx;
} Rebuild;

typedef struct Missed {
    int64_t rid;
    uint64_t seq;
    const FhirType *type;
} Missed;

static int missed_order(const void *x, const void *y)
{
    const Missed *p = x, *q = y;
    return p->rid < q->rid ? -1 : p->rid > q->rid ? 1 : p->seq < q->seq ? -1 : p->seq > q->seq;
}

static Status missed_read(Db *log, uint64_t after, Missed *list, size_t *ret_n, Err *err)
{
    DbStmt *st =
        db_take(log, "SELECT v.rid, v.seq, h.type FROM version v"
                     " JOIN head h ON h.rid = v.rid WHERE v.seq > ? ORDER BY v.seq LIMIT ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    db_bind_i64(st, 1, CATCH_UP_STEP);
    DbStep step;
    size_t n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        list[n++] = (Missed){.rid = db_col_i64(st, 0),
                             .seq = (uint64_t)db_col_i64(st, 1),
                             .type = fhir_resource_at((unsigned)db_col_i64(st, 2))};
    }
    Status status = step == DB_NONE ? OK : db_failed(log, err);
    db_give(st);
    *ret_n = n;
    return status;
}

static Status doc_seq(Db *db, int64_t rid, uint64_t *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, rid);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

/* One step: versions after `after`, at most CATCH_UP_STEP, each resource from what the index has to
 * the last. */
static Status catch_up_step(const Rebuild *b, Arena *a, uint64_t after, uint64_t *ret_seq, Err *err)
{
    Store *s = b->store;
    Db *db = b->index;
    const ParamTable *params = params_now(s);
    Missed *list = arena_array(a, Missed, CATCH_UP_STEP);
    IndexChange *changes = arena_array(a, IndexChange, CATCH_UP_STEP);
    IndexMove *moves = arena_array(a, IndexMove, CATCH_UP_STEP);
    size_t n = 0, m = 0;
    TRY(missed_read(b->log, after, list, &n, err));
    uint64_t last = n ? list[n - 1].seq : after;
    for (size_t i = 0; i < n; i++) {
        changes[i] = (IndexChange){list[i].type, list[i].seq, list[i].rid};
    }
    qsort(list, n, sizeof *list, missed_order);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && list[i + 1].rid == list[i].rid) {
            continue;
        }
        uint64_t indexed = 0;
        moves[m] = (IndexMove){.rid = list[i].rid, .seq = list[i].seq};
        TRY(doc_seq(db, list[i].rid, &indexed, err));
        if (indexed) {
            TRY(index_doc_at(s, b->log, b->codec, a, list[i].type, indexed, &moves[m].old, err));
        }
        TRY(index_doc_at(s, b->log, b->codec, a, list[i].type, list[i].seq, &moves[m].fresh, err));
        moves[m].old = params_settle(a, params, &b->stand, list[i].rid, indexed, moves[m].old);
        moves[m].fresh =
            params_settle(a, params, &b->stand, list[i].rid, list[i].seq, moves[m].fresh);
        m++;
    }
    *ret_seq = last;
    return n ? index_apply(db, a, moves, m, changes, n, last, err) : OK;
}

Status index_catch_up(Store *s, Db *db, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Str text;
    int64_t seq;
    Rebuild b = {.store = s, .index = db, .log = s->log, .codec = &s->codec, .stand = s->stand};
    Status st = index_meta_get(db, &a, "seq", &text, err);
    if (st == OK && !str_to_i64(text, &seq)) {
        seq = 0;
    }
    while (st == OK && (uint64_t)seq < s->seq) {
        uint64_t to;
        st = catch_up_step(&b, &a, (uint64_t)seq, &to, err);
        mk_check(st != OK || to > (uint64_t)seq);
        seq = st == OK ? (int64_t)to : seq;
        arena_reset(&a);
    }
    arena_done(&a);
    return st;
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

/* From a seq up to another, or a step further. */
static Status rows_build(const Rebuild *b, uint64_t *seq, uint64_t to, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status st = OK;
    while (st == OK && *seq < to && !atomic_load(&b->store->rebuild_stop)) {
        st = catch_up_step(b, &a, *seq, seq, err);
        arena_reset(&a);
        if (b->progress) {
            b->progress(b->ctx, "index", *seq, to);
        }
    }
    arena_done(&a);
    return st;
}

static Status rebuild_begin(Rebuild *b, Arena *a, Err *err)
{
    b->stand = params_stand_whole(params_now(b->store), a);
    TRY(index_migrate(b->index, err));
    TRY(index_meta_put(b->index, "version", index_version_text(b->store, a), err));
    TRY(index_seq_put(b->index, a, 0, err));
    return params_stand_write(b->index, a, &b->stand, err);
}

static Status rebuild_end(const Rebuild *b, Err *err)
{
    int left;
    TRY(db_sync_set(b->index, DB_SYNC_FULL, err));
    return db_checkpoint(b->index, DB_CUT, &left, err);
}

static Status stopped(Err *err)
{
    return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "重建索引已中止，原索引继续使用",
                   "The rebuilding of the index was stopped; the index that there was goes on");
}

Status index_build_rows(Store *s, Db *db, StoreProgress *progress, void *ctx, Err *err)
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
    st = st == OK ? rows_build(&b, &seq, s->seq, err) : st;
    st = st == OK && seq < s->seq ? stopped(err) : st;
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
    atomic_fetch_add(&s->index_generation, 1);
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
    Status st = index_build_rows(s, db, progress, ctx, err);
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
    Status st = rows_build(b, seq, s->seq, err);
    st = st == OK && *seq < s->seq ? stopped(err) : st;
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

static Status rebuild_beside(Rebuild *b, Arena *a, Err *err)
{
    uint64_t seq = 0;
    TRY(rebuild_begin(b, a, err));
    while (store_seq(b->store) - seq > CATCH_UP_STEP) {
        TRY(rows_build(b, &seq, store_seq(b->store), err));
        if (atomic_load(&b->store->rebuild_stop)) {
            return stopped(err);
        }
    }
    return rebuild_finish(b, &seq, err);
}

/* Readers notice the exchange by the index's generation. */
static Status files_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    Arena a;
    BodyCodec codec;
    Rebuild b = {.store = s, .codec = &codec, .progress = progress, .ctx = ctx};
    index_unlink(s, "index-new.db");
    TRY(store_db_open(s, "log.db", DB_SYNC_FULL, false, &b.log, err));
    Status st = store_db_open(s, "index-new.db", DB_SYNC_OFF, true, &b.index, err);
    arena_init(&a, 0);
    body_codec_init(&codec);
    st = st == OK ? rebuild_beside(&b, &a, err) : st;
    body_codec_done(&codec);
    arena_done(&a);
    db_close(b.index);
    db_close(b.log);
    if (st != OK) {
        index_unlink(s, "index-new.db");
    }
    return st;
}

/* On a server its log is locked meanwhile. */
static Status server_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    writer_pause(s);
    Status st = index_build(s, progress, ctx, err);
    writer_resume(s);
    return st;
}

/* One at a time in a process. */
static pthread_mutex_t rebuilding = PTHREAD_MUTEX_INITIALIZER;

void rebuild_hold(Store *s)
{
    store_reindex_stop(s);
    pthread_mutex_lock(&rebuilding);
}

void rebuild_release(void)
{
    pthread_mutex_unlock(&rebuilding);
}

Status store_reindex(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    if (!s->threads) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "数据只读打开，不能重建索引",
                       "The data are open for reading only; the index cannot be rebuilt");
    }
    pthread_mutex_lock(&rebuilding);
    atomic_store(&s->rebuild_stop, false);
    Status st =
        s->server ? server_reindex(s, progress, ctx, err) : files_reindex(s, progress, ctx, err);
    pthread_mutex_unlock(&rebuilding);
    return st;
}

void store_reindex_stop(Store *s)
{
    atomic_store(&s->rebuild_stop, true);
}
