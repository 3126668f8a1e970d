#include "db_rows.h"

#include "mk_banned.h"

#define TOLD_EVERY 1000u

static void value_bind(DbStmt *out, DbStmt *in, int i, char kind)
{
    if (db_col_is_null(in, i)) {
        db_bind_null(out, i);
    } else if (kind == 'i') {
        db_bind_i64(out, i, db_col_i64(in, i));
    } else if (kind == 't') {
        db_bind_str(out, i, db_col_str(in, i));
    } else if (kind == 'u') {
        db_bind_id(out, i, db_col_id(in, i));
    } else {
        db_bind_blob(out, i, db_col_str(in, i).p, db_col_str(in, i).n);
    }
}

static Status row_copy(Db *to, const DbTable *t, DbStmt *in, DbRowChange *change, void *ctx,
                       Err *err)
{
    DbStmt *out = db_take(to, t->insert);
    if (!out) {
        return db_failed(to, err);
    }
    for (int i = 0; t->kinds[i]; i++) {
        value_bind(out, in, i, t->kinds[i]);
    }
    if (change && !change(ctx, in, out)) {
        db_give(out);
        return OK;
    }
    return db_run(to, out, err);
}

Status db_rows_copy(Db *from, Db *to, const DbTable *table, DbRowChange *change, DbRowsTold *told,
                    void *ctx, Err *err)
{
    int64_t total;
    uint64_t done = 0;
    TRY(db_get_i64(from, table->count, 0, &total, err));
    DbStmt *in = db_take(from, table->select);
    if (!in) {
        return db_failed(from, err);
    }
    Status s = OK;
    DbStep step = DB_NONE;
    while (s == OK && (step = db_step(in)) == DB_ROW) {
        s = row_copy(to, table, in, change, ctx, err);
        if (told && (++done % TOLD_EVERY == 0 || done == (uint64_t)total)) {
            told(ctx, table->name, done, (uint64_t)total);
        }
    }
    s = s == OK && step != DB_NONE ? db_failed(from, err) : s;
    db_give(in);
    return s;
}
