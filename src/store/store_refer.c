/* Those of a type that refer to anything by a parameter. */
#include "store_refer.h"

#include "store_query.h"

#include "mk_banned.h"

typedef struct Rids {
    Arena *arena;
    int64_t *at;
    size_t n, room;
} Rids;

static void rids_add(Rids *x, int64_t rid)
{
    if (x->n == x->room) {
        int64_t *more = arena_array(x->arena, int64_t, x->room ? x->room * 2 : 64);
        if (x->n) {
            memcpy(more, x->at, x->n * sizeof *more);
        }
        x->at = more;
        x->room = x->room ? x->room * 2 : 64;
    }
    x->at[x->n++] = rid;
}

static Status index_rids(StoreReader *r, uint32_t param, Rids *out, Err *err)
{
    DbStmt *st = db_take(r->index, "SELECT rid FROM ref WHERE param = ?");
    if (!st) {
        return db_failed(r->index, err);
    }
    db_bind_i64(st, 0, param);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        int64_t rid = db_col_i64(st, 0);
        if (!delta_moved(&r->delta, rid)) {
            rids_add(out, rid);
        }
    }
    Status s = step == DB_NONE ? OK : db_failed(r->index, err);
    db_give(st);
    return s;
}

static void delta_rids(const DeltaView *delta, const FhirType *type, Rids *out)
{
    const DeltaDoc *d = delta_change_after(delta, type, 0);
    for (; d; d = delta_change_after(delta, type, d->seq)) {
        if (d->doc && delta_is_head(delta, d)) {
            rids_add(out, d->rid);
        }
    }
}

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

static Status rids_find(StoreReader *r, const FhirType *type, const FhirParam *param, Rids *out,
                        Err *err)
{
    uint32_t part[INDEX_PARTS_MAX];
    size_t n = index_parts(type, param, part);
    for (size_t i = 0; i < n; i++) {
        TRY(index_rids(r, part[i], out, err));
    }
    delta_rids(&r->delta, type, out);
    return OK;
}

Status store_referring(StoreReader *r, const FhirType *type, const FhirParam *param,
                       StoreHeadTold *told, void *ctx, Err *err)
{
    Arena a;
    Rids found = {.arena = &a};
    arena_init(&a, 0);
    Status s = store_snapshot_begin(r, err);
    if (s == OK) {
        s = rids_find(r, type, param, &found, err);
        for (size_t i = 0; s == OK && i < found.n; i++) {
            s = rid_tell(r, found.at[i], told, ctx, err);
        }
        store_snapshot_end(r);
    }
    arena_done(&a);
    return s;
}
