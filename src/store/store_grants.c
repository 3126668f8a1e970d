#include "store_grants.h"

#include "store_inner.h"

#include "mk_banned.h"

#define GRANTS_MAX 1000

Status store_grants_of(StoreReader *r, Arena *a, Str patient_id, int64_t now_ms,
                       const StoreGrant **ret, size_t *ret_n, Err *err)
{
    StoreGrant *grant = arena_array(a, StoreGrant, GRANTS_MAX);
    size_t n = 0;
    DbStmt *st = db_take(r->log, "SELECT grantee, source, since, until FROM access_grant"
                                 " WHERE patient = ?1 AND until > ?2"
                                 " AND basis <> '" GRANT_COPY_BASIS "' ORDER BY grantee, source"
                                 " LIMIT ?3");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_id(st, 0, patient_id);
    db_bind_i64(st, 1, now_ms);
    db_bind_i64(st, 2, GRANTS_MAX);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        grant[n++] = (StoreGrant){arena_str(a, db_col_str(st, 0)), arena_str(a, db_col_str(st, 1)),
                                  db_col_i64(st, 2), db_col_i64(st, 3)};
    }
    Status s = step == DB_NONE ? OK : db_failed(r->log, err);
    db_give(st);
    *ret = grant;
    *ret_n = n;
    return s;
}
