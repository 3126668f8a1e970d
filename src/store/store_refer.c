/* Those of a type that refer to anything by a parameter. */
#include "store_refer.h"

#include "store_query.h"

#include "mk_banned.h"

static Status rid_tell(StoreReader *r, int64_t rid, StoreHeadTold *told, void *ctx, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT " VERSION_COLUMNS "FROM head h JOIN version v ON v.seq = h.seq"
                        " JOIN tx t ON t.tx = v.tx WHERE h.rid = ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, rid);
    Arena a;
    StoreVersion v;
    arena_init(&a, 0);
    DbStep step = db_step(st);
    Status s = step == DB_ROW    ? version_read(r, st, &a, true, &v, err)
               : step == DB_NONE ? OK
                                 : db_failed(r->log, err);
    if (s == OK && step == DB_ROW && v.op != STORE_DELETE && !v.purged) {
        s = told(ctx, &v, err);
    }
    db_give(st);
    arena_done(&a);
    return s;
}

/* Of index.db, while the log is read. */
static Status rows_tell(StoreReader *r, uint32_t param, StoreHeadTold *told, void *ctx, Err *err)
{
    DbStmt *st = db_take(r->index, "SELECT rid FROM ref WHERE param = ?");
    if (!st) {
        return db_failed(r->index, err);
    }
    db_bind_i64(st, 0, param);
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        int64_t rid = db_col_i64(st, 0);
        s = delta_moved(&r->delta, rid) ? OK : rid_tell(r, rid, told, ctx, err);
    }
    if (s == OK && step != DB_NONE) {
        s = db_failed(r->index, err);
    }
    db_give(st);
    return s;
}

static Status delta_tell(StoreReader *r, const FhirType *type, StoreHeadTold *told, void *ctx,
                         Err *err)
{
    const DeltaDoc *d = delta_change_after(&r->delta, type, 0);
    for (; d; d = delta_change_after(&r->delta, type, d->seq)) {
        if (d->doc && delta_is_head(&r->delta, d)) {
            TRY(rid_tell(r, d->rid, told, ctx, err));
        }
    }
    return OK;
}

Status store_referring(StoreReader *r, const FhirType *type, const FhirParam *param,
                       StoreHeadTold *told, void *ctx, Err *err)
{
    uint32_t part[INDEX_PARTS_MAX];
    size_t n = index_parts(type, param, part);
    TRY(store_snapshot_begin(r, err));
    Status s = OK;
    for (size_t i = 0; s == OK && i < n; i++) {
        s = rows_tell(r, part[i], told, ctx, err);
    }
    s = s == OK ? delta_tell(r, type, told, ctx, err) : s;
    store_snapshot_end(r);
    return s;
}
