/* Second factors: rows of log.db beside the accounts. What may be used once is spent by the writer.
 */
#include "store_inner.h"

#include "mk_banned.h"

static Status factor_write(Store *s, Job *job, Err *err)
{
    const StoreFactor *x = job->arg;
    DbStmt *st = db_take(s->log, "INSERT OR REPLACE INTO factor(username, secret, since, step,"
                                 " recovery) VALUES(?, ?, ?, ?, ?)");
    if (st) {
        db_bind_str(st, 0, x->username);
        db_bind_blob(st, 1, x->secret.p, x->secret.n);
        db_bind_i64(st, 2, x->since_ms);
        db_bind_i64(st, 3, x->step);
        db_bind_str(st, 4, x->recovery);
    }
    return db_run(s->log, st, err);
}

Status store_factor_put(Store *s, const StoreFactor *factor, Err *err)
{
    return rows_run(s, factor_write, factor, err);
}

Status store_factor_get(StoreReader *r, Arena *a, Str username, StoreFactor *ret, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT secret, since, step, recovery FROM factor WHERE username = ?");
    Status s = row_one(r, st, username, err);
    if (s == OK) {
        *ret = (StoreFactor){.username = arena_str(a, username),
                             .secret = arena_str(a, db_col_str(st, 0)),
                             .since_ms = db_col_i64(st, 1),
                             .step = db_col_i64(st, 2),
                             .recovery = arena_str(a, db_col_str(st, 3))};
    }
    db_give(st);
    return s;
}

static Status factor_delete(Store *s, Job *job, Err *err)
{
    DbStmt *st = db_take(s->log, "DELETE FROM factor WHERE username = ?");
    if (st) {
        db_bind_str(st, 0, *(const Str *)job->arg);
    }
    return db_run(s->log, st, err);
}

Status store_factor_remove(Store *s, Str username, Err *err)
{
    return rows_run(s, factor_delete, &username, err);
}

/* ---- Spending --------------------------------------------------------------------------------
 */

typedef struct Spend {
    Str username, digest;
    int64_t step;
} Spend;

static Status step_spend(Store *s, Job *job, Err *err)
{
    const Spend *x = job->arg;
    DbStmt *st = db_take(s->log, "UPDATE factor SET step = ?2 WHERE username = ?1 AND step < ?2"
                                 " RETURNING step");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, x->username);
    db_bind_i64(st, 1, x->step);
    DbStep step = db_step(st);
    bool spent = step == DB_ROW;
    step = spent ? db_step(st) : step;
    db_give(st);
    if (step != DB_NONE) {
        return db_failed(s->log, err);
    }
    return spent ? OK : err_status(err, ERR_CONFLICT);
}

Status store_factor_step(Store *s, Str username, int64_t step, Err *err)
{
    Spend x = {.username = username, .step = step};
    return rows_run(s, step_spend, &x, err);
}

/* The list without the one digest; all digests are of one length. */
static Str list_without(Arena *a, Str list, Str digest)
{
    Str one, rest = list, left = STR_NONE;
    while (rest.n > 0) {
        str_cut(rest, ' ', &one, &rest);
        if (!str_eq(one, digest)) {
            left = left.n ? arena_cat(a, left, STR(" "), one) : one;
        }
    }
    return left;
}

static Status recovery_read(Store *s, Str username, Str *ret, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT recovery FROM factor WHERE username = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, username);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? arena_str(&s->group.arena, db_col_str(st, 0)) : STR_NONE;
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(s->log, err);
}

static Status recovery_spend(Store *s, Job *job, Err *err)
{
    const Spend *x = job->arg;
    Str list;
    TRY(recovery_read(s, x->username, &list, err));
    Str left = list_without(&s->group.arena, list, x->digest);
    if (left.n == list.n) {
        return err_status(err, ERR_NOT_FOUND);
    }
    DbStmt *st = db_take(s->log, "UPDATE factor SET recovery = ? WHERE username = ?");
    if (st) {
        db_bind_str(st, 0, left);
        db_bind_str(st, 1, x->username);
    }
    return db_run(s->log, st, err);
}

Status store_factor_recover(Store *s, Str username, Str digest, Err *err)
{
    Spend x = {.username = username, .digest = digest};
    return rows_run(s, recovery_spend, &x, err);
}
