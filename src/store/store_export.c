/* All living resources in order of type and id: for export, and to compare two stores. */
#include "store_inner.h"

#include "mk_banned.h"

static Status export_row(StoreReader *r, DbStmt *st, Arena *a, StoreExportLine *line, void *ctx,
                         Err *err)
{
    Str body;
    Str type = fhir_type_name(fhir_resource_at((unsigned)db_col_i64(st, 0)));
    BodyRow row = body_row(st, 1);
    TRY(body_unpack(r->store, &r->codec, a, &row, &body, err));
    return line(ctx, type, row.id, body, err);
}

Status store_export(StoreReader *r, StoreExportLine *line, void *ctx, Err *err)
{
    /* type numbers are in the order of names */
    DbStmt *st = db_take(r->log, "SELECT h.type, " BODY_COLUMNS "FROM head h"
                                 " CROSS JOIN version v WHERE v.seq = h.seq AND h.op <> 3"
                                 " ORDER BY h.type, h.id");
    if (!st) {
        return db_failed(r->log, err);
    }
    Arena a;
    arena_init(&a, 0);
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        s = export_row(r, st, &a, line, ctx, err);
        arena_reset(&a);
    }
    if (s == OK && step != DB_NONE) {
        s = db_failed(r->log, err);
    }
    db_give(st);
    arena_done(&a);
    return s;
}
