#include "store_lockout.h"

#include <stdio.h>

#include "store_inner.h"

#include "mk_banned.h"

typedef struct Put {
    const StoreLockout *row;
    int64_t before_ms, rows_max;
} Put;

static Status old_remove(Store *s, const Put *x, Err *err)
{
    DbStmt *st = db_take(s->log, "DELETE FROM lockout WHERE at <= ?1 OR at <="
                                 " (SELECT at FROM lockout ORDER BY at DESC LIMIT 1 OFFSET ?2)");
    if (st) {
        db_bind_i64(st, 0, x->before_ms);
        db_bind_i64(st, 1, x->rows_max - 1);
    }
    return db_run(s->log, st, err);
}

static Status put_run(Store *s, Job *job, Err *err)
{
    const Put *x = job->arg;
    char failed[STORE_LOCKOUT_FAILURES_MAX * 21 + 1];
    size_t n = 0;
    for (int i = 0; i < x->row->failed_n; i++) {
        n += (size_t)snprintf(failed + n, sizeof failed - n, "%s%lld", i ? " " : "",
                              (long long)x->row->failed_ms[i]);
    }
    TRY(old_remove(s, x, err));
    DbStmt *st = db_take(s->log, "INSERT OR REPLACE INTO lockout(username, address, failed, at)"
                                 " VALUES(?, ?, ?, ?)");
    if (st) {
        db_bind_str(st, 0, x->row->username);
        db_bind_str(st, 1, x->row->address);
        db_bind_str(st, 2, (Str){failed, n});
        db_bind_i64(st, 3, x->row->failed_ms[0]);
    }
    return db_run(s->log, st, err);
}

Status store_lockout_put(Store *s, const StoreLockout *row, int64_t before_ms, int64_t rows_max,
                         Err *err)
{
    Put x = {row, before_ms, rows_max};
    mk_check(row->failed_n > 0 && row->failed_n <= STORE_LOCKOUT_FAILURES_MAX);
    return rows_run(s, put_run, &x, err);
}

static Status remove_run(Store *s, Job *job, Err *err)
{
    const Str *which = job->arg;
    DbStmt *st = db_take(s->log, "DELETE FROM lockout WHERE username = ?1"
                                 " AND (?2 = '' OR address = ?2)");
    if (st) {
        db_bind_str(st, 0, which[0]);
        db_bind_str(st, 1, which[1].p ? which[1] : STR(""));
    }
    return db_run(s->log, st, err);
}

Status store_lockout_remove(Store *s, Str username, Str address, Err *err)
{
    const Str which[] = {username, address};
    return rows_run(s, remove_run, which, err);
}

static void row_read(DbStmt *st, Arena *a, StoreLockout *ret)
{
    *ret = (StoreLockout){.username = arena_str(a, db_col_str(st, 0)),
                          .address = arena_str(a, db_col_str(st, 1))};
    for (Str rest = db_col_str(st, 2), one;
         !str_empty(rest) && ret->failed_n < STORE_LOCKOUT_FAILURES_MAX;) {
        str_cut(rest, ' ', &one, &rest);
        ret->failed_n += str_to_i64(one, &ret->failed_ms[ret->failed_n]);
    }
}

Status store_lockout_list(StoreReader *r, Arena *a, int64_t after_ms, StoreLockout **ret,
                          size_t *ret_n, Err *err)
{
    size_t n = 0, room = 64;
    StoreLockout *list = arena_array(a, StoreLockout, room);
    DbStmt *st = db_take(r->log, "SELECT username, address, failed FROM lockout WHERE at > ?"
                                 " ORDER BY at");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, after_ms);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        if (n == room) {
            StoreLockout *wider = arena_array(a, StoreLockout, room * 2);
            memcpy(wider, list, n * sizeof *list);
            list = wider;
            room *= 2;
        }
        row_read(st, a, &list[n++]);
    }
    db_give(st);
    if (step != DB_NONE) {
        return db_failed(r->log, err);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}
