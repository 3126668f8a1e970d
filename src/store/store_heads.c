/* The resources of one type as they were at one moment, a stretch at a time. */
#include "store_heads.h"

#include "store_inner.h"

#include "mk_banned.h"

typedef struct Stretch {
    StoreReader *reader;
    const StoreHeads *q;
    const FhirType *type;
    Sight sight;
    StoreHeadTold *told;
    void *ctx;
    size_t looked;
    Arena scratch; /* of one resource */
} Stretch;

static DbStmt *heads_stmt(StoreReader *r, const StoreHeads *q, const FhirType *type)
{
    DbStmt *st =
        db_take(r->log, "SELECT " VERSION_COLUMNS "FROM head h CROSS JOIN version v"
                        " JOIN tx t ON t.tx = v.tx WHERE h.type = ?1 AND h.id > ?2 AND v.seq ="
                        " (SELECT max(w.seq) FROM version w WHERE w.rid = h.rid AND w.seq <= ?3)"
                        " AND h.seq > ?5 ORDER BY h.id LIMIT ?4");
    if (st) {
        db_bind_i64(st, 0, type_number(type));
        db_bind_id(st, 1, q->after);
        db_bind_i64(st, 2, (int64_t)q->as_of);
        db_bind_i64(st, 3, (int64_t)q->limit);
        db_bind_i64(st, 4, q->changed ? (int64_t)q->as_of : 0);
    }
    return st;
}

static bool row_wanted(Stretch *s, DbStmt *st)
{
    bool deleted = db_col_i64(st, 5) == STORE_DELETE;
    return (!deleted || s->q->deletions) && db_col_i64(st, 6) >= s->q->since_ms &&
           sight_resource(&s->sight, s->type, db_col_id(st, 11), (uint64_t)db_col_i64(st, 14));
}

static Status row_tell(Stretch *s, DbStmt *st, Err *err)
{
    StoreVersion v;
    if (!row_wanted(s, st)) {
        return OK;
    }
    TRY(version_read(s->reader, st, &s->scratch, true, &v, err));
    return v.purged ? OK : s->told(s->ctx, &v, err);
}

Status store_heads(StoreReader *r, Arena *a, const StoreView *view, const StoreHeads *q,
                   StoreHeadTold *told, void *ctx, Str *ret_after, Err *err)
{
    Stretch s = {.reader = r, .q = q, .told = told, .ctx = ctx};
    Str last = STR_NONE;
    TRY(type_known(q->type, &s.type, err));
    DbStmt *st = heads_stmt(r, q, s.type);
    if (!st) {
        return db_failed(r->log, err);
    }
    sight_init(&s.sight, r, view, a);
    arena_init(&s.scratch, 0);
    DbStep step = DB_NONE;
    Status status = OK;
    while (status == OK && (step = db_step(st)) == DB_ROW) {
        status = row_tell(&s, st, err);
        if (++s.looked == q->limit) {
            last = arena_str(a, db_col_id(st, 3));
        }
        arena_reset(&s.scratch);
    }
    if (status == OK && step != DB_NONE) {
        status = db_failed(r->log, err);
    }
    db_give(st);
    arena_done(&s.scratch);
    if (status == OK) {
        *ret_after = last;
    }
    return status;
}

Status store_head_seq(StoreReader *r, Arena *a, Str type, Str id, uint64_t *ret, Err *err)
{
    const FhirType *t;
    Head head;
    bool found;
    TRY(type_known(type, &t, err));
    TRY(head_find(r->log, a, t, id, &head, &found, err));
    *ret = found ? head.seq : 0;
    return OK;
}
