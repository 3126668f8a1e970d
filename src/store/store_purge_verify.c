/* Proving purges: exactly the versions that two people agreed on lack their bodies. */
#include "store_purge_inner.h"

#include "mk_banned.h"

/* Of a log that was last opened by an earlier program. */
static bool purges_unknown(const StoreReader *r)
{
    int64_t n;
    Db *log = r->log;
    return !r->store->server &&
           db_get_i64(log, "SELECT count(*) FROM sqlite_schema WHERE name = 'purged'", 0, &n,
                      NULL) == OK &&
           n == 0;
}

bool purge_took(Db *log, uint64_t seq)
{
    DbStmt *st = db_take(log, "SELECT 1 FROM purged WHERE seq = ?");
    if (!st) {
        return false;
    }
    db_bind_i64(st, 0, (int64_t)seq);
    bool took = db_step(st) == DB_ROW;
    db_give(st);
    return took;
}

static Status cause_read(Db *log, Arena *a, uint64_t tx, Str *ret, Err *err)
{
    DbStmt *st = db_take(log, "SELECT cause FROM tx WHERE tx = ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, (int64_t)tx);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? arena_str(a, db_col_str(st, 0)) : STR_NONE;
    db_give(st);
    return step == DB_FAIL || step == DB_RETRY ? db_failed(log, err) : OK;
}

static Status one_verify(Db *log, Arena *a, const StorePurge *p, PurgeFault *fault, void *ctx,
                         Err *err)
{
    Str cause, sealed;
    TRY(purge_digest(log, a, p, &cause, err));
    TRY(cause_read(log, a, p->tx, &sealed, err));
    if (!str_eq(cause, sealed)) {
        fault(ctx, arena_cat(a, STR("purge "), p->id), "清除记录与日志摘要不符：记录被改动",
              "A purge does not fit the digest in the log: its record was changed");
    }
    return OK;
}

static Status sealed_verify(Db *log, Arena *a, PurgeFault *fault, void *ctx, Err *err)
{
    DbStmt *st = db_take(log, "SELECT " PURGE_COLUMNS "FROM purge WHERE tx <> 0 ORDER BY id");
    if (!st) {
        return db_failed(log, err);
    }
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        StorePurge p = purge_row(st, a, 0);
        s = one_verify(log, a, &p, fault, ctx, err);
    }
    db_give(st);
    return s == OK && step != DB_NONE ? db_failed(log, err) : s;
}

/* While a purge is being carried out (PURGE_ERASING) its bodies may still be there. */
static Status rows_verify(Db *log, Arena *a, PurgeFault *fault, void *ctx, Err *err)
{
    DbStmt *st = db_take(log, "SELECT d.seq, p.tx FROM purged d LEFT JOIN purge p ON p.id = d.purge"
                              " LEFT JOIN version v ON v.seq = d.seq WHERE coalesce(p.tx, 0) = 0"
                              " OR v.seq IS NULL OR (p.state > 3 AND v.body IS NOT NULL)");
    if (!st) {
        return db_failed(log, err);
    }
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        Str where = arena_printf(a, "version %lld", (long long)db_col_i64(st, 0));
        fault(ctx, where, "清除过的版本仍有内容，或没有对应的清除记录",
              "A version that was purged has a body, or no purge tells of it");
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(log, err);
}

Status purges_verify(StoreReader *r, Arena *a, PurgeFault *fault, void *ctx, Err *err)
{
    if (purges_unknown(r)) {
        return OK;
    }
    TRY(sealed_verify(r->log, a, fault, ctx, err));
    return rows_verify(r->log, a, fault, ctx, err);
}
