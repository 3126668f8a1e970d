#include "db.h"

#include <stdlib.h>

#include "db_driver.h"

#include "mk_banned.h"

#define CACHE_SLOTS 256u

struct DbStmt {
    Db *db;
    DbStmt *next; /* same slot of the cache */
    const char *sql;
    void *handle;
    bool taken;
    char (*id)[DB_ID_TEXT]; /* room for the ids of a row; NULL: none was asked for */
    uint8_t bound[DB_ID_COLUMNS][DB_ID_BYTES]; /* ids of parameters: binding needs no memory */
};

struct Db {
    const DbDriver *driver;
    void *conn;
    DbStmt *cache[CACHE_SLOTS];
    Status trouble;
    bool asks_failed; /* since the last db_ask_end */
};

static const char ROLLBACK[] = "ROLLBACK";
static const char ROLLBACK_TO[] = "ROLLBACK TO one";
static const char RELEASE[] = "RELEASE one";

/* Whatever undoes is prepared before it is needed, so that it needs no memory then. */
static Status undo_prepare(Db *db, Err *err)
{
    const char *const sql[] = {ROLLBACK, ROLLBACK_TO, RELEASE};
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        DbStmt *st = db_take(db, sql[i]);
        if (!st) {
            return db_failed(db, err);
        }
        db_give(st);
    }
    return OK;
}

bool db_path_is_server(Str path)
{
    return str_starts(path, STR("postgresql://")) || str_starts(path, STR("postgres://"));
}

Status db_open(const DbOptions *options, Db **ret, Err *err)
{
    Db *db = memory_take_zeroed(sizeof *db);
    db->driver =
        db_path_is_server(str_from_c(options->path)) ? &db_driver_postgres : &db_driver_sqlite;
    Status s = db->driver->open(options, &db->conn) ? undo_prepare(db, err) : db_failed(db, err);
    if (s != OK) {
        db_close(db);
        return s;
    }
    *ret = db;
    return OK;
}

void db_close(Db *db)
{
    if (!db) {
        return;
    }
    for (unsigned i = 0; i < CACHE_SLOTS; i++) {
        for (DbStmt *st = db->cache[i], *next; st; st = next) {
            next = st->next;
            mk_check(!st->taken);
            db->driver->finalize(st->handle);
            free(st->id);
            free(st);
        }
    }
    db->driver->close(db->conn);
    free(db);
}

Status db_exec(Db *db, const char *sql, Err *err)
{
    return db->driver->exec(db->conn, sql) ? OK : db_failed(db, err);
}

static void trouble_note(Db *db)
{
    if (db->trouble == OK) {
        db->trouble = db->driver->failed(db->conn, NULL);
    }
}

Status db_trouble(const Db *db)
{
    return db->trouble;
}

void db_calm(Db *db)
{
    db->trouble = OK;
}

DbStmt *db_take(Db *db, const char *sql)
{
    size_t slot = ((uintptr_t)sql >> 3 ^ (uintptr_t)sql >> 11) % CACHE_SLOTS;
    for (DbStmt *st = db->cache[slot]; st; st = st->next) {
        if (st->sql == sql && !st->taken) {
            st->taken = true;
            return st;
        }
    }
    void *handle = db->driver->prepare(db->conn, sql);
    if (!handle) {
        trouble_note(db);
        return NULL;
    }
    DbStmt *st = memory_take_zeroed(sizeof *st);
    *st = (DbStmt){db, db->cache[slot], sql, handle, true};
    db->cache[slot] = st;
    return st;
}

void db_give(DbStmt *st)
{
    if (st) {
        st->db->driver->reset(st->handle);
        st->taken = false;
    }
}

void db_bind_i64(DbStmt *st, int i, int64_t v)
{
    st->db->driver->bind_i64(st->handle, i, v);
}

void db_bind_double(DbStmt *st, int i, double v)
{
    st->db->driver->bind_double(st->handle, i, v);
}

void db_bind_str(DbStmt *st, int i, Str v)
{
    st->db->driver->bind_bytes(st->handle, i, v.p ? v : STR(""), true);
}

void db_bind_blob(DbStmt *st, int i, const void *p, size_t n)
{
    st->db->driver->bind_bytes(st->handle, i, p ? (Str){p, n} : STR(""), false);
}

void db_bind_null(DbStmt *st, int i)
{
    st->db->driver->bind_bytes(st->handle, i, STR_NONE, false);
}

void db_row_is_new(DbStmt *st)
{
    if (st->db->driver->row_is_new) {
        st->db->driver->row_is_new(st->handle);
    }
}

void db_bind_id(DbStmt *st, int i, Str id)
{
    const DbDriver *d = st->db->driver;
    mk_check(i < DB_ID_COLUMNS);
    if (d->col_id && db_id_pack(id, st->bound[i])) {
        d->bind_bytes(st->handle, i, (Str){(const char *)st->bound[i], DB_ID_BYTES}, false);
    } else {
        db_bind_str(st, i, id);
    }
}

DbStep db_step(DbStmt *st)
{
    DbStep step = st->db->driver->step(st->handle);
    if (step == DB_FAIL || step == DB_RETRY) {
        trouble_note(st->db);
    }
    return step;
}

void db_rewind(DbStmt *st)
{
    st->db->driver->reset(st->handle);
}

int64_t db_col_i64(DbStmt *st, int c)
{
    return st->db->driver->col_i64(st->handle, c);
}

double db_col_double(DbStmt *st, int c)
{
    return st->db->driver->col_double(st->handle, c);
}

Str db_col_str(DbStmt *st, int c)
{
    Str s = STR_NONE;
    st->db->driver->col_bytes(st->handle, c, &s);
    return s;
}

Str db_col_id(DbStmt *st, int c)
{
    const DbDriver *d = st->db->driver;
    if (!d->col_id) {
        return db_col_str(st, c);
    }
    mk_check(c < DB_ID_COLUMNS);
    st->id = st->id ? st->id : memory_take_zeroed(DB_ID_COLUMNS * sizeof *st->id);
    return d->col_id(st->handle, c, st->id[c]);
}

bool db_col_is_null(DbStmt *st, int c)
{
    Str s;
    return !st->db->driver->col_bytes(st->handle, c, &s);
}

Status db_failed(Db *db, Err *err)
{
    return db->driver->failed(db->conn, err);
}

Status db_run(Db *db, DbStmt *st, Err *err)
{
    if (!st) {
        return db_failed(db, err);
    }
    DbStep step = db_step(st);
    Status s = step == DB_ROW || step == DB_NONE ? OK : db_failed(db, err);
    db_give(st);
    return s;
}

void db_bind_value(DbStmt *st, int i, const DbValue *v)
{
    switch (v->kind) {
    case DB_I64:
        db_bind_i64(st, i, v->i);
        break;
    case DB_DOUBLE:
        db_bind_double(st, i, v->d);
        break;
    case DB_TEXT:
        db_bind_str(st, i, v->s);
    }
}

static Status feed_each(Db *db, const char *sql, int columns, DbFeed *feed, void *ctx, Err *err)
{
    DbValue row[DB_FEED_COLUMNS];
    while (feed(ctx, row)) {
        DbStmt *st = db_take(db, sql);
        for (int i = 0; st && i < columns; i++) {
            db_bind_value(st, i, &row[i]);
        }
        if (st && row[0].is_new) {
            db_row_is_new(st);
        }
        TRY(db_run(db, st, err));
    }
    return OK;
}

Status db_feed(Db *db, const DbFeedSql *sql, int columns, DbFeed *feed, void *ctx, Err *err)
{
    if (!db->driver->feed_set) {
        return feed_each(db, sql->one, columns, feed, ctx, err);
    }
    DbStmt *st = db_take(db, sql->all);
    db->driver->feed_set(db->conn, feed, ctx);
    Status s = db_run(db, st, err);
    db->driver->feed_set(db->conn, NULL, NULL);
    return s;
}

Status db_get_i64(Db *db, const char *sql, int64_t otherwise, int64_t *ret, Err *err)
{
    DbStmt *st = db_take(db, sql);
    if (!st) {
        return db_failed(db, err);
    }
    DbStep step = db_step(st);
    Status s = OK;
    if (step == DB_ROW) {
        *ret = db_col_is_null(st, 0) ? otherwise : db_col_i64(st, 0);
    } else if (step == DB_NONE) {
        *ret = otherwise;
    } else {
        s = db_failed(db, err);
    }
    db_give(st);
    return s;
}

void db_ask(DbStmt *st, bool *ret)
{
    Db *db = st->db;
    if (db->driver->ask) {
        db->asks_failed = !db->driver->ask(st->handle, ret) || db->asks_failed;
    } else {
        DbStep step = db_step(st);
        *ret = step == DB_ROW;
        db->asks_failed = db->asks_failed || step == DB_FAIL || step == DB_RETRY;
    }
    db_give(st);
}

Status db_ask_end(Db *db, Err *err)
{
    bool ok = !db->driver->ask_end || db->driver->ask_end(db->conn);
    ok = ok && !db->asks_failed;
    db->asks_failed = false;
    if (!ok) {
        trouble_note(db);
    }
    return ok ? OK : db_failed(db, err);
}

Status db_begin(Db *db, Err *err)
{
    return db_run(db, db_take(db, "BEGIN IMMEDIATE"), err);
}

Status db_begin_read(Db *db, Err *err)
{
    return db_run(db, db_take(db, "BEGIN"), err);
}

Status db_commit(Db *db, Err *err)
{
    return db_run(db, db_take(db, "COMMIT"), err);
}

void db_abort(Db *db)
{
    while (db_in_transaction(db)) {
        Status s = db_run(db, db_take(db, ROLLBACK), NULL);
        mk_check(s == OK || memory_relieve()); /* half a change must never be committed later */
    }
}

bool db_in_transaction(const Db *db)
{
    return db->driver->in_transaction(db->conn);
}

Status db_savepoint_begin(Db *db, Err *err)
{
    return db_run(db, db_take(db, "SAVEPOINT one"), err);
}

Status db_savepoint_commit(Db *db, Err *err)
{
    return db_run(db, db_take(db, RELEASE), err);
}

Status db_savepoint_abort(Db *db, Err *err)
{
    TRY(db_run(db, db_take(db, ROLLBACK_TO), err));
    return db_run(db, db_take(db, RELEASE), err);
}

Status db_sync_set(Db *db, DbSync sync, Err *err)
{
    return db->driver->sync_set(db->conn, sync) ? OK : db_failed(db, err);
}

Status db_checkpoint(Db *db, DbCheckpoint how, int *ret_pages, Err *err)
{
    return db->driver->checkpoint(db->conn, how, ret_pages) ? OK : db_failed(db, err);
}

Status db_compact(Db *db, Err *err)
{
    return db->driver->compact(db->conn) ? OK : db_failed(db, err);
}

Status db_compact_into(Db *db, const char *path, DbStopped *stopped, void *ctx, Err *err)
{
    return db->driver->compact_into(db->conn, path, stopped, ctx) ? OK : db_failed(db, err);
}

void db_wait_set(Db *db, int wait_ms)
{
    db->driver->wait_set(db->conn, wait_ms);
}

Status db_copy(Db *db, const char *path, DbTold *told, void *ctx, Err *err)
{
    mk_check(db->driver->copy != NULL);
    return db->driver->copy(db->conn, path, told, ctx, err);
}

int db_wal_pages(const Db *db)
{
    return db->driver->wal_pages(db->conn);
}

static Status migrate_step(Db *db, int32_t application, const DbMigration *step, int state,
                           Err *err)
{
    TRY(db_begin(db, err));
    for (const char *const *sql = step->sql; *sql; sql++) {
        if (!db_is_server(db) || !str_starts(str_from_c(*sql), STR(DB_OF_FILES))) {
            TRY(db_exec(db, *sql, err));
        }
    }
    if (!db->driver->state_set(db->conn, application, state)) {
        return db_failed(db, err);
    }
    return db_commit(db, err);
}

static Status state_unknown(int state, int n, Err *err)
{
    return err_rule(err, ERR_CONFLICT, STR("unknown-state"), STR_NONE,
                    "数据库的状态 %d 不为本程序所知（已知至 %d），拒绝打开",
                    "The database is in state %d, which this program does not know (known: up to "
                    "%d)",
                    state, n);
}

static Status migrate_all(Db *db, int32_t application, const DbMigration *steps, int n, Err *err)
{
    int32_t found;
    int state;
    if (!db->driver->state_get(db->conn, &found, &state)) {
        return db_failed(db, err);
    }
    bool fresh = found == 0 && state == 0;
    if ((!fresh && found != application) || state > n || state < 0) {
        return state_unknown(state, n, err);
    }
    for (; state < n; state++) {
        Status s = migrate_step(db, application, &steps[state], state + 1, err);
        if (s != OK) {
            db_abort(db);
            return s;
        }
    }
    return OK;
}

bool db_is_server(const Db *db)
{
    return db->driver->alone != NULL;
}

Status db_verify(Db *db, DbFault *told, void *ctx, Err *err)
{
    if (db_is_server(db)) {
        return OK;
    }
    DbStmt *st = db_take(db, "PRAGMA integrity_check");
    if (!st) {
        return db_failed(db, err);
    }
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        if (!str_eq(db_col_str(st, 0), STR("ok"))) {
            told(ctx, db_col_str(st, 0));
        }
    }
    Status s = step == DB_NONE ? OK : db_failed(db, err);
    db_give(st);
    return s;
}

void db_bind_i64s(DbStmt *st, int i, Arena *a, const int64_t *v, size_t n)
{
    st->db->driver->bind_bytes(st->handle, i, st->db->driver->list_i64(a, v, n), false);
}

void db_bind_strs(DbStmt *st, int i, Arena *a, const Str *v, size_t n)
{
    st->db->driver->bind_bytes(st->handle, i, st->db->driver->list_str(a, v, n), false);
}

static Status one_alone(Db *db, const char *what, Err *err)
{
    return !db->driver->alone || db->driver->alone(db->conn, what, true) ? OK : db_failed(db, err);
}

static void one_of_many(Db *db, const char *what)
{
    if (db->driver->alone && !db->driver->alone(db->conn, what, false)) {
        log_warn("db", "what was held for this process alone ends with its connection");
    }
}

Status db_migrate(Db *db, int32_t application, const DbMigration *steps, int n, Err *err)
{
    TRY(one_alone(db, DB_ALONE_MAKING, err));
    Status s = migrate_all(db, application, steps, n, err);
    one_of_many(db, DB_ALONE_MAKING);
    return s;
}

Status db_migrated(Db *db, int n, Err *err)
{
    int32_t application;
    int state;
    if (!db->driver->state_get(db->conn, &application, &state)) {
        return db_failed(db, err);
    }
    if (state > n) {
        return state_unknown(state, n, err);
    }
    return state == n
               ? OK
               : err_rule(err, ERR_CONFLICT, STR("unknown-state"), STR_NONE,
                          "数据库的状态 %d 早于本程序（%d），请先用本程序运行一次 menkou serve",
                          "The database is in state %d, earlier than this program's (%d): run "
                          "menkou serve of this program once",
                          state, n);
}

/* ---- Of a server ------------------------------------------------------------------------------
 */

Status db_alone_begin(Db *db, Err *err)
{
    return one_alone(db, DB_ALONE_ASKED, err);
}

void db_alone_end(Db *db)
{
    one_of_many(db, DB_ALONE_ASKED);
}

Status db_space_drop(Db *db, const char *space, Err *err)
{
    return db->driver->space_drop(db->conn, space) ? OK : db_failed(db, err);
}

Status db_space_take(Db *db, const char *from, const char *to, const char *table, Err *err)
{
    return db->driver->space_take(db->conn, from, to, table) ? OK : db_failed(db, err);
}

Status db_listen(Db *db, int timeout_ms, bool *ret_heard, Err *err)
{
    return db->driver->listen_wait(db->conn, timeout_ms, ret_heard) ? OK : db_failed(db, err);
}
