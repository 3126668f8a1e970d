/*
 * Accounts, sessions and settings: rows of log.db that are not resources. They are written in
 * the writer's groups; a store opened read-only (a command beside a running server) writes them
 * through its own connection.
 */
#include "store_inner.h"

#include "mk_banned.h"

static Status direct_run(Store *s, Job *job, Err *err)
{
    Db *db = NULL;
    Arena a;
    arena_init(&a, 0);
    DbOptions o = {.path = s->server ? s->server : store_path(&a, s, "log.db"),
                   .space = "log",
                   .sync = DB_SYNC_FULL,
                   .wait_ms = 10000,
                   .vfs = s->options.vfs};
    Status st = db_open(&o, &db, err);
    arena_done(&a);
    TRY(st);
    Db *reading = s->log;
    s->log = db;
    st = db_begin(db, err);
    st = st == OK ? job->run(s, job, err) : st;
    st = st == OK ? db_commit(db, err) : st;
    if (st != OK) {
        db_abort(db);
    }
    s->log = reading;
    db_close(db);
    return st;
}

Status rows_run(Store *s, JobRun *run, const void *arg, Err *err)
{
    Job job = {.run = run, .arg = (void *)arg, .weight = 1};
    return s->options.read_only ? direct_run(s, &job, err) : writer_run(s, &job, err);
}

/* ---- Accounts ---------------------------------------------------------------------------------
 */

static Status account_write(Store *s, Job *job, Err *err)
{
    const StoreAccount *x = job->arg;
    DbStmt *st = db_take(
        s->log, "INSERT OR REPLACE INTO account(username, password_hash, practitioner, name,"
                " role, organization, must_change, disabled, created)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_str(st, 0, x->username);
        db_bind_str(st, 1, x->password_hash);
        db_bind_str(st, 2, x->practitioner);
        db_bind_str(st, 3, x->name);
        db_bind_str(st, 4, x->role);
        db_bind_str(st, 5, x->organization);
        db_bind_i64(st, 6, x->must_change);
        db_bind_i64(st, 7, x->disabled);
        db_bind_i64(st, 8, x->created_ms);
    }
    return db_run(s->log, st, err);
}

Status store_account_put(Store *s, const StoreAccount *account, Err *err)
{
    return rows_run(s, account_write, account, err);
}

static Status account_write_new(Store *s, Job *job, Err *err)
{
    const StoreAccount *x = job->arg;
    DbStmt *st = db_take(s->log, "SELECT 1 FROM account WHERE username = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, x->username);
    DbStep step = db_step(st);
    db_give(st);
    if (step == DB_ROW) {
        return err_rule(err, ERR_CONFLICT, STR("username-taken"), STR("username"), "已有账号 %.*s",
                        "There is an account %.*s already", STR_ARG(x->username));
    }
    return step == DB_NONE ? account_write(s, job, err) : db_failed(s->log, err);
}

Status store_account_create(Store *s, const StoreAccount *account, Err *err)
{
    return rows_run(s, account_write_new, account, err);
}

Status row_one(StoreReader *r, DbStmt *st, Str key, Err *err)
{
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_str(st, 0, key);
    DbStep step = db_step(st);
    return step == DB_ROW    ? OK
           : step == DB_NONE ? err_status(err, ERR_NOT_FOUND)
                             : db_failed(r->log, err);
}

static StoreAccount account_row(DbStmt *st, Arena *a)
{
    Str text[6];
    for (int i = 0; i < 6; i++) {
        text[i] = arena_str(a, db_col_str(st, i));
    }
    return (StoreAccount){.username = text[0],
                          .password_hash = text[1],
                          .practitioner = text[2],
                          .name = text[3],
                          .role = text[4],
                          .organization = text[5],
                          .must_change = db_col_i64(st, 6) != 0,
                          .disabled = db_col_i64(st, 7) != 0,
                          .created_ms = db_col_i64(st, 8)};
}

Status store_account_get(StoreReader *r, Arena *a, Str username, StoreAccount *ret, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT username, password_hash, practitioner, name, role, organization,"
                        " must_change, disabled, created FROM account WHERE username = ?");
    Status s = row_one(r, st, username, err);
    if (s == OK) {
        *ret = account_row(st, a);
    }
    db_give(st);
    return s;
}

Status store_account_list(StoreReader *r, Arena *a, StoreAccount **ret, size_t *ret_n, Err *err)
{
    size_t n = 0, room = 64;
    StoreAccount *list = arena_array(a, StoreAccount, room);
    DbStmt *st =
        db_take(r->log, "SELECT username, password_hash, practitioner, name, role, organization,"
                        " must_change, disabled, created FROM account ORDER BY username");
    if (!st) {
        return db_failed(r->log, err);
    }
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        if (n == room) {
            StoreAccount *wider = arena_array(a, StoreAccount, room * 2);
            memcpy(wider, list, n * sizeof *list);
            list = wider;
            room *= 2;
        }
        list[n++] = account_row(st, a);
    }
    db_give(st);
    if (step != DB_NONE) {
        return db_failed(r->log, err);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

/* ---- Sessions -----------------------------------------------------------------------------------
 */

static Status session_write(Store *s, Job *job, Err *err)
{
    const StoreSession *x = job->arg;
    DbStmt *st =
        db_take(s->log, "INSERT OR REPLACE INTO session(token_sha, username, post, created, seen,"
                        " expires, app) VALUES(?, ?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_str(st, 0, x->token_sha);
        db_bind_str(st, 1, x->username);
        db_bind_str(st, 2, x->post);
        db_bind_i64(st, 3, x->created_ms);
        db_bind_i64(st, 4, x->seen_ms);
        db_bind_i64(st, 5, x->expires_ms);
        db_bind_str(st, 6, x->app);
    }
    return db_run(s->log, st, err);
}

Status store_session_put(Store *s, const StoreSession *session, Err *err)
{
    return rows_run(s, session_write, session, err);
}

static StoreSession session_row(DbStmt *st, Arena *a)
{
    return (StoreSession){.token_sha = arena_str(a, db_col_str(st, 0)),
                          .username = arena_str(a, db_col_str(st, 1)),
                          .post = arena_str(a, db_col_str(st, 2)),
                          .created_ms = db_col_i64(st, 3),
                          .seen_ms = db_col_i64(st, 4),
                          .expires_ms = db_col_i64(st, 5),
                          .app = arena_str(a, db_col_str(st, 6))};
}

Status store_session_get(StoreReader *r, Arena *a, Str token_sha, StoreSession *ret, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT token_sha, username, post, created, seen, expires, app FROM session"
                        " WHERE token_sha = ?");
    Status s = row_one(r, st, token_sha, err);
    if (s == OK) {
        *ret = session_row(st, a);
    }
    db_give(st);
    return s;
}

Status store_session_list(StoreReader *r, Arena *a, Str username, StoreSession *ret, size_t max,
                          size_t *ret_n, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT token_sha, username, post, created, seen, expires, app FROM session"
                        " WHERE username = ? ORDER BY created DESC");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_str(st, 0, username);
    size_t n = 0;
    DbStep step = DB_NONE;
    while (n < max && (step = db_step(st)) == DB_ROW) {
        ret[n++] = session_row(st, a);
    }
    db_give(st);
    *ret_n = n;
    return step == DB_NONE || step == DB_ROW ? OK : db_failed(r->log, err);
}

static Status session_delete(Store *s, Job *job, Err *err)
{
    const Str *which = job->arg;
    DbStmt *st =
        db_take(s->log, "DELETE FROM session WHERE token_sha = ?1 OR (?2 <> '' AND username = ?2)");
    if (st) {
        db_bind_str(st, 0, which[0]);
        db_bind_str(st, 1, which[1]);
    }
    return db_run(s->log, st, err);
}

Status store_session_end(Store *s, Str token_sha, Str username_all, Err *err)
{
    const Str which[] = {token_sha, username_all};
    return rows_run(s, session_delete, which, err);
}

static Status session_spend(Store *s, Job *job, Err *err)
{
    Str which[] = {*(const Str *)job->arg, STR_NONE};
    DbStmt *st = db_take(s->log, "SELECT 1 FROM session WHERE token_sha = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, which[0]);
    DbStep step = db_step(st);
    db_give(st);
    if (step != DB_ROW) {
        return step == DB_NONE ? err_status(err, ERR_NOT_FOUND) : db_failed(s->log, err);
    }
    return session_delete(s, &(Job){.arg = which}, err);
}

Status store_session_take(Store *s, Str token_sha, Err *err)
{
    return rows_run(s, session_spend, &token_sha, err);
}

/* ---- Settings
 * ------------------------------------------------------------------------------------ */

static Status setting_write(Store *s, Job *job, Err *err)
{
    const Str *pair = job->arg;
    DbStmt *st = db_take(s->log, "INSERT OR REPLACE INTO setting(name, value) VALUES(?, ?)");
    if (st) {
        db_bind_str(st, 0, pair[0]);
        db_bind_blob(st, 1, pair[1].p, pair[1].n);
    }
    return db_run(s->log, st, err);
}

Status store_setting_put(Store *s, Str name, Str value, Err *err)
{
    const Str pair[] = {name, value};
    return rows_run(s, setting_write, pair, err);
}

Status store_setting_get(StoreReader *r, Arena *a, Str name, Str *ret, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT value FROM setting WHERE name = ?");
    Status s = row_one(r, st, name, err);
    if (s == OK) {
        *ret = arena_str(a, db_col_str(st, 0));
    }
    db_give(st);
    return s;
}
