/* Carrying a purge out, step by step; each step is durable and may be done again. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_binary.h"
#include "store_delta.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

#define ROUNDS_MAX   20  /* somebody goes on writing about the patient */
#define DELETE_BATCH 200 /* resources */
#define ERASE_BATCH  256 /* versions */

static const StoreAuthor PURGE_AUTHOR = {{"system", 6}, {"system", 6}, {"", 0}};

/* ---- What is living is deleted ---------------------------------------------------------------
 */

static Status batch_delete(Store *s, const StorePurge *p, PurgeResource **list, size_t n, Err *err)
{
    Arena a;
    StoreReceipt receipt;
    arena_init(&a, 0);
    StoreBatch *b =
        store_batch_new(s, &a, &PURGE_AUTHOR, arena_cat(&a, STR(STORE_PURGE_CAUSE), p->id));
    Status status = OK;
    b->purge = true;
    for (size_t i = 0; status == OK && i < n; i++) {
        Str type = fhir_type_name(list[i]->type);
        status = store_batch_delete(b, type, list[i]->id, STR_NONE, err);
        if (str_is(type, "Task")) {
            store_batch_timer_clear(b, arena_cat(&a, type, STR("/"), list[i]->id), STR_NONE);
        }
    }
    status = status == OK ? store_commit(b, &receipt, err) : status;
    arena_done(&a);
    return status;
}

static Status living_delete(Store *s, const StorePurge *p, PurgeFound *f, bool *ret_any, Err *err)
{
    PurgeResource **list = arena_array(f->arena, PurgeResource *, f->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->list[i]->living) {
            list[n++] = f->list[i];
        }
    }
    for (size_t i = 0; i < n; i += DELETE_BATCH) {
        TRY(batch_delete(s, p, list + i, n - i < DELETE_BATCH ? n - i : DELETE_BATCH, err));
    }
    *ret_any = n > 0;
    return OK;
}

/* ---- The seal --------------------------------------------------------------------------------
 */

typedef struct Seal {
    const StorePurge *purge;
    PurgeFound *found;
    const Str *sha;
    size_t sha_n;
    StoreBatch *batch;
} Seal;

/* Somebody wrote about what is to go since it was looked for. */
static Status since_look(Store *s, const PurgeFound *f, bool *ret_moved, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT v.patient, h.type, h.id FROM version v"
                                 " JOIN head h ON h.rid = v.rid WHERE v.seq > ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, (int64_t)f->log_seq);
    DbStep step;
    *ret_moved = false;
    while ((step = db_step(st)) == DB_ROW && !*ret_moved) {
        Str type = fhir_type_name(fhir_resource_at((unsigned)db_col_i64(st, 1)));
        Str name = arena_cat(&s->group.arena, type, STR("/"), db_col_str(st, 2));
        *ret_moved = map_get(&f->resource, name) != NULL;
        for (Str rest = db_col_str(st, 0), id; !str_empty(rest) && !*ret_moved;) {
            str_cut(rest, ' ', &id, &rest);
            *ret_moved = map_get(&f->patients, id) != NULL;
        }
    }
    db_give(st);
    return step == DB_FAIL || step == DB_RETRY ? db_failed(s->log, err) : OK;
}

static Status rows_write(Store *s, const Seal *x, Err *err)
{
    for (size_t i = 0; i < x->found->seq_n; i++) {
        DbStmt *st = db_take(s->log, "INSERT OR IGNORE INTO purged(seq, purge) VALUES(?, ?)");
        if (st) {
            db_bind_i64(st, 0, x->found->seq[i]);
            db_bind_str(st, 1, x->purge->id);
        }
        TRY(db_run(s->log, st, err));
    }
    for (size_t i = 0; i < x->sha_n; i++) {
        DbStmt *st = db_take(s->log, "INSERT OR REPLACE INTO purge_blob(sha, purge) VALUES(?, ?)");
        if (st) {
            db_bind_str(st, 0, x->sha[i]);
            db_bind_str(st, 1, x->purge->id);
        }
        TRY(db_run(s->log, st, err));
    }
    return OK;
}

/* Whether a half-filled form is about something that goes: what its key names, or its patient. */
static bool draft_is_theirs(const PurgeFound *f, Arena *a, Str key, Str body)
{
    for (Str rest = key, part; !str_empty(rest);) {
        str_cut(rest, ':', &part, &rest);
        Str type, id;
        if (map_get(&f->resource, part) || (str_cut(part, '/', &type, &id) &&
                                            str_is(type, "Patient") && map_get(&f->patients, id))) {
            return true;
        }
    }
    for (size_t i = 0; i < f->n; i++) {
        const PurgeResource *x = f->list[i];
        if (str_is(fhir_type_name(x->type), "Patient") &&
            str_find(body, arena_cat(a, STR("\"Patient/"), x->id, STR("\""))) >= 0) {
            return true;
        }
    }
    return false;
}

static Status drafts_end(Store *s, const PurgeFound *f, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT person, post, key, body FROM draft");
    if (!st) {
        return db_failed(s->log, err);
    }
    Arena *a = &s->group.arena;
    Str(*theirs)[3] = NULL;
    size_t n = 0, room = 0;
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        if (!draft_is_theirs(f, a, db_col_str(st, 2), db_col_str(st, 3))) {
            continue;
        }
        if (n == room) {
            room = room ? room * 2 : 16;
            theirs = memory_grow(theirs, room * sizeof *theirs);
        }
        for (int i = 0; i < 3; i++) {
            theirs[n][i] = arena_str(a, db_col_str(st, i));
        }
        n++;
    }
    db_give(st);
    Status status = step == DB_NONE ? OK : db_failed(s->log, err);
    for (size_t i = 0; status == OK && i < n; i++) {
        DbStmt *end = draft_end_stmt(s, theirs[i][0], theirs[i][1], theirs[i][2]);
        status = db_run(s->log, end, err);
    }
    free(theirs);
    return status;
}

/* Answers kept for those who ask again would be answers without content. */
static Status remembered_end(Store *s, Str id, Err *err)
{
    DbStmt *st = db_take(s->log, "DELETE FROM remembered WHERE EXISTS (SELECT 1 FROM purged p"
                                 " WHERE p.purge = ? AND p.seq BETWEEN seq_first AND seq_last)");
    if (st) {
        db_bind_str(st, 0, id);
    }
    return db_run(s->log, st, err);
}

static Status sealed_put(Store *s, const Seal *x, Err *err)
{
    DbStmt *st = db_take(s->log, "UPDATE purge SET state = ?, tx = ?, resources = ?, versions = ?,"
                                 " blobs = ?, kept = ? WHERE id = ?");
    if (st) {
        db_bind_i64(st, 0, PURGE_ERASING);
        db_bind_i64(st, 1, (int64_t)x->batch->tx);
        db_bind_i64(st, 2, (int64_t)x->found->n);
        db_bind_i64(st, 3, (int64_t)x->found->seq_n);
        db_bind_i64(st, 4, (int64_t)x->sha_n);
        db_bind_i64(st, 5, (int64_t)x->found->kept_n);
        db_bind_str(st, 6, x->purge->id);
    }
    return db_run(s->log, st, err);
}

static Status seal_run(Store *s, Job *job, Err *err)
{
    Seal *x = job->arg;
    bool moved;
    TRY(since_look(s, x->found, &moved, err));
    if (moved) {
        return err_status(err, ERR_CONFLICT);
    }
    TRY(rows_write(s, x, err));
    TRY(purge_digest(s->log, x->batch->arena, x->purge, &x->batch->cause, err));
    Job tx = {.arg = x->batch};
    TRY(batch_apply(s, &tx, err));
    TRY(drafts_end(s, x->found, err));
    TRY(remembered_end(s, x->purge->id, err));
    return sealed_put(s, x, err);
}

/* The blobs that the bodies name, while these are still there. */
static Status shas_find(StoreReader *r, PurgeFound *f, Str **ret, size_t *ret_n, Err *err)
{
    Arena scratch;
    arena_init(&scratch, 0);
    Str *list = arena_array(f->arena, Str, f->seq_n + 1);
    size_t n = 0;
    Status s = OK;
    for (size_t i = 0; s == OK && i < f->seq_n; i++) {
        Str body;
        JsonDoc d;
        s = version_body(r->store, r->log, &r->codec, &scratch, (uint64_t)f->seq[i], &body, err);
        if (s == OK && str_find(body, STR(STORE_BLOB_SYSTEM)) >= 0 &&
            json_parse(&scratch, body, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
            str_is(json_str_at(&d, JSON_ROOT, "resourceType"), "Binary") &&
            store_binary_sha(&d).n == 64) {
            list[n++] = arena_str(f->arena, store_binary_sha(&d));
        }
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    *ret = list;
    *ret_n = n;
    return s;
}

static Status seal(StoreReader *r, const StorePurge *p, PurgeFound *f, Err *err)
{
    Str *sha;
    Seal x = {.purge = p, .found = f};
    TRY(shas_find(r, f, &sha, &x.sha_n, err));
    x.sha = sha;
    x.batch = store_batch_new(r->store, f->arena, &PURGE_AUTHOR, STR(STORE_PURGE_CAUSE));
    x.batch->purge = true;
    Job job = {.run = seal_run, .arg = &x, .weight = f->seq_n + 1};
    return writer_run(r->store, &job, err);
}

/* Until nothing of it is living and nobody has written meanwhile. */
static Status delete_and_seal(StoreReader *r, const StorePurge *p, Err *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        Arena a;
        Err moved;
        PurgeFound f;
        bool any = false;
        arena_init(&a, 0);
        err_init(&moved, &a);
        Status s = purge_find(r, &a, p->target, true, &f, &moved);
        s = s == OK ? living_delete(r->store, p, &f, &any, &moved) : s;
        s = s == OK && !any ? seal(r, p, &f, &moved) : s;
        bool over = (s == OK && !any) || (s != OK && s != ERR_CONFLICT);
        if (over && s != OK) {
            s = err_move(err, &moved, STR_NONE);
        }
        arena_done(&a);
        if (over) {
            return s;
        }
    }
    return err_status(err, ERR_UNAVAILABLE);
}

/* ---- Erasing ---------------------------------------------------------------------------------
 */

/* While index.db could still stand before the deletions it needs the bodies to take its rows back.
 */
static Status index_settle(Store *s, Err *err)
{
    int left;
    writer_pause(s);
    Status st = merger_drain(s);
    st = st == OK ? index_there(s, err) : err_status(err, st);
    if (st == OK) {
        merger_pause(s);
        st = db_checkpoint(s->index, DB_CUT, &left, err);
        merger_resume(s);
    }
    writer_resume(s);
    return st;
}

typedef struct Erase {
    Str id;
    int64_t seq[ERASE_BATCH], after;
    size_t n;
} Erase;

static Status erase_next(Store *s, Erase *x, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT seq FROM purged WHERE purge = ? AND seq > ?"
                                 " ORDER BY seq LIMIT ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, x->id);
    db_bind_i64(st, 1, x->after);
    db_bind_i64(st, 2, ERASE_BATCH);
    DbStep step;
    x->n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        x->seq[x->n++] = db_col_i64(st, 0);
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(s->log, err);
}

static Status erase_run(Store *s, Job *job, Err *err)
{
    Erase *x = job->arg;
    TRY(erase_next(s, x, err));
    for (size_t i = 0; i < x->n; i++) {
        DbStmt *st = db_take(s->log, "UPDATE version SET body = NULL, dict = 0 WHERE seq = ?");
        if (st) {
            db_bind_i64(st, 0, x->seq[i]);
        }
        TRY(db_run(s->log, st, err));
    }
    return OK;
}

static Status bodies_erase(Store *s, Str id, Err *err)
{
    Erase x = {.id = id};
    do {
        Job job = {.run = erase_run, .arg = &x, .weight = ERASE_BATCH};
        TRY(writer_run(s, &job, err));
        x.after = x.n ? x.seq[x.n - 1] : x.after;
    } while (x.n == ERASE_BATCH);
    return OK;
}

/* ---- Blobs -----------------------------------------------------------------------------------
 */

typedef struct Blobs {
    Str id;
    Arena *arena;
    Map going;      /* sha → anything */
    Map named;      /* those of them that something names which stays */
    uint64_t since; /* looked at up to here */
} Blobs;

static Status blob_named(void *ctx, Str sha, bool needed, Err *err)
{
    (void)needed;
    (void)err;
    Blobs *b = ctx;
    if (map_get(&b->going, sha)) {
        map_put(&b->named, arena_str(b->arena, sha), b);
    }
    return OK;
}

static Status going_read(Db *log, Blobs *b, Err *err)
{
    DbStmt *st = db_take(log, "SELECT sha FROM purge_blob WHERE purge = ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_str(st, 0, b->id);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        map_put(&b->going, arena_str(b->arena, db_col_str(st, 0)), b);
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(log, err);
}

/* What was committed since the walk: in the writer, so nothing comes after. */
static Status since_named(Store *s, Blobs *b, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT v.dict, v.body FROM version v JOIN head h ON h.rid = v.rid"
                                 " WHERE v.seq > ? AND h.type = ? AND v.body IS NOT NULL");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, (int64_t)b->since);
    db_bind_i64(st, 1, type_number(fhir_resource_find(STR("Binary"))));
    DbStep step = DB_NONE;
    Status status = OK;
    while (status == OK && (step = db_step(st)) == DB_ROW) {
        Str body;
        JsonDoc d;
        status = body_unpack(s, &s->codec, b->arena, (int)db_col_i64(st, 0), db_col_str(st, 1),
                             &body, err);
        if (status == OK && json_parse(b->arena, body, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
            status = blob_named(b, store_binary_sha(&d), true, err);
        }
    }
    db_give(st);
    return status == OK && step != DB_NONE ? db_failed(s->log, err) : status;
}

/* Gone from the disk before the log forgets that they have to go. */
static Status blob_erase(const Store *s, Arena *a, Str sha, Err *err)
{
    const char *folder = arena_printf(a, "%.*s/blobs/%.2s", STR_ARG(s->dir), sha.p).p;
    if (unlink(path_join(a, str_from_c(folder), sha).p) != 0) {
        return errno == ENOENT
                   ? OK
                   : err_add(err, ERR_INTERNAL, NULL, STR_NONE, "无法删除文件内容 %.*s：%s",
                             "The content %.*s cannot be removed: %s", STR_ARG(sha),
                             strerrordesc_np(errno));
    }
    return dir_sync(folder, err);
}

static Status blobs_run(Store *s, Job *job, Err *err)
{
    Blobs *b = job->arg;
    TRY(since_named(s, b, err));
    for (size_t i = 0; i < b->going.room; i++) {
        Str sha = b->going.slot[i].key;
        if (b->going.slot[i].value && !map_get(&b->named, sha)) {
            TRY(blob_erase(s, b->arena, sha, err));
        }
    }
    DbStmt *st = db_take(s->log, "DELETE FROM purge_blob WHERE purge = ?");
    if (st) {
        db_bind_str(st, 0, b->id);
    }
    TRY(db_run(s->log, st, err));
    st = db_take(s->log, "UPDATE purge SET state = ? WHERE id = ?");
    if (st) {
        db_bind_i64(st, 0, PURGE_TIDYING);
        db_bind_str(st, 1, b->id);
    }
    return db_run(s->log, st, err);
}

/* Behind the fence: a copy is either whole or not begun. */
static Status blobs_erase(StoreReader *r, Arena *a, Str id, Err *err)
{
    Blobs b = {.id = id, .arena = a, .since = store_seq(r->store)};
    map_init(&b.going, a);
    map_init(&b.named, a);
    TRY(going_read(r->log, &b, err));
    if (b.going.n) {
        TRY(store_blobs_named(r, blob_named, &b, err));
    }
    Job job = {.run = blobs_run, .arg = &b, .weight = 1};
    return writer_run(r->store, &job, err);
}

static Status erase(StoreReader *r, Arena *a, Str id, Err *err)
{
    TRY(index_settle(r->store, err));
    int fence = blob_fence(r->store, a);
    if (fence < 0) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "正在备份，备份完成后继续清除",
                       "A backup is being made; the purge goes on after it");
    }
    Status s = bodies_erase(r->store, id, err);
    s = s == OK ? blobs_erase(r, a, id, err) : s;
    close(fence);
    return s;
}

/* ---- Tidying ---------------------------------------------------------------------------------
 */

static uint64_t databases_bytes(const StoreReader *r, Arena *a)
{
    static const char *const names[] = {"log.db", "index.db"};
    const Store *s = r->store;
    int64_t there = 0;
    uint64_t bytes = 0;
    if (s->server) {
        Status st = db_get_i64(r->log,
                               "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
                               " JOIN pg_namespace n ON n.oid = c.relnamespace"
                               " WHERE c.relkind = 'r' AND n.nspname = ANY(current_schemas(false))",
                               0, &there, NULL);
        return st == OK ? (uint64_t)there : UINT64_MAX;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat st;
        bytes += stat(store_path(a, s, names[i]), &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    return bytes;
}

/* First whether readers let the old pages go at all: else it would be for nothing. */
static Status databases_compact(Store *s, Err *err)
{
    Db *const dbs[] = {s->index, s->log};
    int left;
    TRY(index_there(s, err));
    for (size_t i = 0; i < sizeof dbs / sizeof *dbs; i++) {
        TRY(db_checkpoint(dbs[i], DB_CUT, &left, err));
        TRY(db_compact(dbs[i], err));
        TRY(db_checkpoint(dbs[i], DB_CUT, &left, err));
    }
    return OK;
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
    return db_run(s->log, st, err);
}

static Status tidy(Store *s, Err *err)
{
    writer_pause(s);
    merger_pause(s);
    pthread_mutex_lock(&s->keeping[WAL_LOG]);
    pthread_mutex_lock(&s->keeping[WAL_INDEX]);
    Status st = databases_compact(s, err);
    pthread_mutex_unlock(&s->keeping[WAL_INDEX]);
    pthread_mutex_unlock(&s->keeping[WAL_LOG]);
    merger_resume(s);
    writer_resume(s);
    TRY(st);
    Job job = {.run = done_run, .weight = 1};
    return writer_run(s, &job, err);
}

/* ---- The whole -------------------------------------------------------------------------------
 */

static Status next_find(StoreReader *r, Arena *a, StorePurge *ret, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT " PURGE_COLUMNS
                        "FROM purge WHERE state BETWEEN 2 AND 4 ORDER BY state = 4, decided, id");
    if (!st) {
        return db_failed(r->log, err);
    }
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? purge_row(st, a, 0) : (StorePurge){0};
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(r->log, err);
}

Status store_purge_run(StoreReader *r, Arena *a, uint64_t tidy_bytes, StorePurge *ret, Err *err)
{
    StorePurge p;
    bool small = databases_bytes(r, a) <= tidy_bytes;
    TRY(next_find(r, a, &p, err));
    if (str_empty(p.id) || (p.state == PURGE_TIDYING && !small)) {
        *ret = (StorePurge){0};
        return OK;
    }
    if (p.state == PURGE_CONFIRMED) {
        TRY(delete_and_seal(r, &p, err));
        p.state = PURGE_ERASING;
    }
    if (p.state == PURGE_ERASING) {
        rebuild_hold(r->store);
        Status erased = erase(r, a, p.id, err);
        rebuild_release();
        TRY(erased);
        p.state = PURGE_TIDYING;
    }
    if (p.state == PURGE_TIDYING && small) {
        TRY(tidy(r->store, err));
    }
    return store_purge_get(r, a, p.id, 0, ret, err);
}
