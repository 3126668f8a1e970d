/* Remembered answers and timers. */
#include "store_inner.h"

#include "mk_banned.h"

static bool remembered_versions(StoreReader *r, Arena *a, int64_t first, int64_t last,
                                StoreMemory *ret)
{
    size_t n = last >= first ? (size_t)(last - first + 1) : 0;
    StoreVersion *versions = arena_array(a, StoreVersion, n + 1);
    DbStmt *st =
        db_take(r->log, "SELECT " VERSION_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
                        " JOIN tx t ON t.tx = v.tx WHERE v.seq BETWEEN ? AND ? ORDER BY v.seq");
    if (!st) {
        return false;
    }
    db_bind_i64(st, 0, first);
    db_bind_i64(st, 1, last);
    bool ok = true;
    size_t got = 0;
    while (ok && got < n && db_step(st) == DB_ROW) {
        ok = version_read(r, st, a, true, &versions[got++], NULL) == OK;
    }
    db_give(st);
    ret->versions = versions;
    ret->versions_n = got;
    return ok && got == n;
}

bool store_remembered(StoreReader *r, Arena *a, Str person, Str key, StoreMemory *ret)
{
    DbStmt *st = db_take(r->log, "SELECT body, status, seq_first, seq_last FROM remembered"
                                 " WHERE person = ? AND key = ? AND at > ?");
    if (!st) {
        return false;
    }
    db_bind_str(st, 0, person);
    db_bind_str(st, 1, key);
    db_bind_i64(st, 2, clock_now(r->store->options.clock) - STORE_MEMORY_MS);
    StoreMemory m = {0};
    int64_t first = 0, last = -1;
    bool found = db_step(st) == DB_ROW && db_col_str(st, 0).n == sizeof m.body;
    if (found) {
        memcpy(&m.body, db_col_str(st, 0).p, sizeof m.body);
        m.http_status = (int)db_col_i64(st, 1);
        first = db_col_i64(st, 2);
        last = db_col_i64(st, 3);
    }
    db_give(st);
    if (!found || !remembered_versions(r, a, first, last, &m)) {
        return false;
    }
    *ret = m;
    return true;
}

static Status timer_next(StoreReader *r, int64_t now_ms, int64_t *ret, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT due FROM timer WHERE due > ? ORDER BY due LIMIT 1");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, now_ms);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? db_col_i64(st, 0) : TIME_FOREVER;
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->log, err) : OK;
    db_give(st);
    return s;
}

Status store_timers_due(StoreReader *r, Arena *a, int64_t now_ms, size_t limit, StoreTimer **ret,
                        size_t *ret_n, int64_t *ret_next, Err *err)
{
    StoreTimer *list = arena_array(a, StoreTimer, limit + 1);
    size_t n = 0;
    DbStmt *st = db_take(r->log, "SELECT owner, name, due FROM timer WHERE due <= ?"
                                 " ORDER BY due, owner, name LIMIT ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, now_ms);
    db_bind_i64(st, 1, (int64_t)limit);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        list[n++] = (StoreTimer){arena_str(a, db_col_str(st, 0)), arena_str(a, db_col_str(st, 1)),
                                 db_col_i64(st, 2)};
    }
    Status s = step == DB_NONE ? OK : db_failed(r->log, err);
    db_give(st);
    TRY(s);
    TRY(timer_next(r, now_ms, ret_next, err));
    *ret = list;
    *ret_n = n;
    return OK;
}
