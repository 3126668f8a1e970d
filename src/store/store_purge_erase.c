/* Erasing what a sealed purge lists: bodies, then blobs, some at a time between others' writes. */
#include <errno.h>
#include <unistd.h>

#include "store_binary.h"
#include "store_delta.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

#define ERASE_BATCH 256 /* versions */
#define BLOB_BATCH  16

/*
 * Until index.db is known on the disk to stand behind the deletions: before, it needs the bodies to
 * take its rows back.
 */
static Status index_settle(Store *s, Err *err)
{
    if (s->server) {
        int left;
        writer_pause(s);
        Status st = db_checkpoint(s->index, DB_CUT, &left, err);
        writer_resume(s);
        return st;
    }
    Status st = merger_reach(s, store_seq(s));
    return st == OK ? index_flush(s, err) : err_status(err, st);
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

/* Its SHA-256 stays, whole. What cannot be unpacked goes with the bytes of it that the row has. */
static Status body_erase(Store *s, int64_t seq, Err *err)
{
    Arena a;
    Str body;
    arena_init(&a, 0);
    bool known = version_body(s, s->log, &s->codec, &a, (uint64_t)seq, &body, NULL) == OK && body.p;
    Sha256 sha = known ? sha256(body) : (Sha256){0};
    arena_done(&a);
    DbStmt *st = db_take(s->log, "UPDATE version SET body = NULL, dict = 0,"
                                 " body_sha = coalesce(?, body_sha) WHERE seq = ?");
    if (st) {
        if (known) {
            db_bind_blob(st, 0, sha.b, sizeof sha.b);
        } else {
            db_bind_null(st, 0);
        }
        db_bind_i64(st, 1, seq);
    }
    return db_run(s->log, st, err);
}

static Status erase_run(Store *s, Job *job, Err *err)
{
    Erase *x = job->arg;
    TRY(erase_next(s, x, err));
    if (s->server) {
        TRY(server_rebuilds_discard(s, err));
    }
    for (size_t i = 0; i < x->n; i++) {
        TRY(body_erase(s, x->seq[i], err));
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
    size_t next;    /* slot of `going` */
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
    DbStmt *st =
        db_take(s->log, "SELECT " BODY_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
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
        BodyRow row = body_row(st, 0);
        status = body_unpack(s, &s->codec, &s->group.arena, &row, &body, err);
        if (status == OK && json_parse(&s->group.arena, body, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
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

static Status blobs_forget(Store *s, const Blobs *b, Err *err)
{
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

/* Some of them, each flushed; with the last one their list goes. */
static Status blobs_run(Store *s, Job *job, Err *err)
{
    Blobs *b = job->arg;
    TRY(since_named(s, b, err));
    for (size_t n = 0; b->next < b->going.room && n < BLOB_BATCH; b->next++) {
        Str sha = b->going.slot[b->next].key;
        if (b->going.slot[b->next].value && !map_get(&b->named, sha)) {
            TRY(blob_erase(s, b->arena, sha, err));
            n++;
        }
    }
    return b->next < b->going.room ? OK : blobs_forget(s, b, err);
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
    do {
        Job job = {.run = blobs_run, .arg = &b, .weight = 1};
        TRY(writer_run(r->store, &job, err));
    } while (b.next < b.going.room);
    return OK;
}

Status purge_erase(StoreReader *r, Arena *a, Str id, Err *err)
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
