/* A copy of the log as it stands in one moment, beside whatever is being written. */
#include "store_binary.h"
#include "store_inner.h"

#include "mk_banned.h"

Str store_database(const Store *s)
{
    return s->database;
}

static void pages_told(void *ctx, uint64_t done, uint64_t total)
{
    const StoreCopyTold *t = ctx;
    t->progress(t->progress_ctx, "log", done, total);
}

static Status log_copy(StoreReader *r, const char *path, const StoreCopyTold *told, Err *err)
{
    return r->store->server ? store_move_file(r, path, told->progress, told->progress_ctx, err)
                            : db_copy(r->log, path, pages_told, (void *)(uintptr_t)told, err);
}

/* The first read of the transaction: from here on it sees this moment. */
Status store_moment(StoreReader *r, Arena *a, StoreMoment *ret, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT (SELECT max(seq) FROM version), (SELECT max(tx) FROM tx),"
                                 " (SELECT digest FROM tx ORDER BY tx DESC LIMIT 1)");
    if (!st) {
        return db_failed(r->log, err);
    }
    Status s = db_step(st) == DB_ROW ? OK : db_failed(r->log, err);
    if (s == OK) {
        Str digest = db_col_str(st, 2);
        *ret = (StoreMoment){.seq = (uint64_t)db_col_i64(st, 0),
                             .tx = (uint64_t)db_col_i64(st, 1),
                             .digest = hex_encode(a, digest.p, digest.n),
                             .database = r->store->database,
                             .site = r->store->site,
                             .epoch = r->store->epoch};
    }
    db_give(st);
    return s;
}

static Status blob_tell(StoreReader *r, DbStmt *st, Arena *a, StoreBlobTold *told, void *ctx,
                        Err *err)
{
    Str body;
    JsonDoc d;
    BodyRow row = body_row(st, 1);
    TRY(body_unpack(r->store, &r->codec, a, &row, &body, err));
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, &d, err));
    Str sha = store_binary_sha(&d);
    return str_empty(sha) ? OK : told(ctx, sha, db_col_i64(st, 0) != 0, err);
}

Status store_blobs_named(StoreReader *r, StoreBlobTold *told, void *ctx, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT v.seq = h.seq AND h.op <> 3, " BODY_COLUMNS "FROM head h"
                                 " CROSS JOIN version v WHERE h.type = ? AND v.rid = h.rid AND "
                                 "v.op <> 3 AND v.body IS NOT NULL"
                                 " ORDER BY h.rid, v.seq");
    const FhirType *type;
    if (!st) {
        return db_failed(r->log, err);
    }
    Status s = type_known(STR("Binary"), &type, err);
    Arena a;
    arena_init(&a, 0);
    db_bind_i64(st, 0, s == OK ? type_number(type) : 0);
    DbStep step = DB_NONE;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        s = blob_tell(r, st, &a, told, ctx, err);
        arena_reset(&a);
    }
    s = s == OK && step != DB_NONE ? db_failed(r->log, err) : s;
    db_give(st);
    arena_done(&a);
    return s;
}

Status store_copy(StoreReader *r, Arena *a, const char *path, const StoreCopyTold *told,
                  StoreMoment *ret, Err *err)
{
    StoreMoment moment;
    TRY(db_begin_read(r->log, err));
    Status s = store_moment(r, a, &moment, err);
    s = s == OK ? log_copy(r, path, told, err) : s;
    s = s == OK ? store_blobs_named(r, told->blob, told->blob_ctx, err) : s;
    db_abort(r->log);
    TRY(s);
    *ret = moment;
    return OK;
}
