/* The driver for PostgreSQL: connections, errors, what a database has beside its statements. */
#include "db_postgres.h"

#include <poll.h>
#include <stdlib.h>

#include "mk_banned.h"

#define SCHEMA_MAX    40u
#define OWN_WORD      "schema="
#define CONNECT_WAIT  "10" /* s */
#define VERSION_LEAST 150000
#define PARTITIONS    8

/* ---- Why it failed --------------------------------------------------------------------------- */

bool pg_is_lost(const PgConn *c)
{
    return !c->pg || PQstatus(c->pg) != CONNECTION_OK;
}

static void note(PgConn *c, const char *state, const char *why)
{
    snprintf(c->sqlstate, sizeof c->sqlstate, "%s", state);
    snprintf(c->why, sizeof c->why, "%s", why && *why ? why : "?");
    c->noted = true;
    for (char *end = c->why + strlen(c->why); end > c->why && end[-1] == '\n';) {
        *--end = '\0';
    }
}

void pg_note(PgConn *c, const PGresult *r)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *why = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (state) {
        note(c, state, why);
    } else {
        note(c, pg_is_lost(c) ? "08006" : "XX000", c->pg ? PQerrorMessage(c->pg) : NULL);
    }
}

static bool is_class(const PgConn *c, const char *class)
{
    return str_starts(str_from_c(c->sqlstate), str_from_c(class));
}

static bool is_state(const PgConn *c, const char *state)
{
    return str_is(str_from_c(c->sqlstate), state);
}

/* No address: it may hold a password. */
static Status failed(void *conn, Err *err)
{
    const PgConn *c = conn;
    Str where = STR("postgresql");
    if (is_state(c, "53100")) {
        return err_add(err, ERR_STORAGE_FULL, NULL, where, "数据库的磁盘已满：%s",
                       "The database's disk is full: %s", c->why);
    }
    if (is_class(c, "40") || is_state(c, "55P03")) {
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "数据正被另一个程序占用：%s",
                       "Another program holds the data: %s", c->why);
    }
    if (is_state(c, "57014")) {
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "数据库用时过长，已中断：%s",
                       "The database took too long and was interrupted: %s", c->why);
    }
    if (is_class(c, "08") || is_class(c, "57P") || is_class(c, "53") || is_class(c, "28") ||
        is_class(c, "3D")) {
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "无法使用数据库：%s",
                       "The database cannot be used: %s", c->why);
    }
    if (is_class(c, "XX")) {
        return err_add(err, ERR_INTERNAL, NULL, where, "数据库报告内部错误（%s）：%s",
                       "The database reports an internal error (%s): %s", c->sqlstate, c->why);
    }
    return err_add(err, ERR_INTERNAL, NULL, where, "数据库出错（%s）：%s",
                   "Database error (%s): %s", c->sqlstate, c->why);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* Cuts our own word out of the address: postgresql://…?schema=NAME&… */
static const char *uri_cut(Arena *a, const char *uri, Str *ret_schema)
{
    const char *at = strstr(uri, OWN_WORD);
    *ret_schema = STR("menkou");
    if (!at || at == uri || (at[-1] != '?' && at[-1] != '&')) {
        return arena_str(a, str_from_c(uri)).p;
    }
    const char *from = at + strlen(OWN_WORD);
    size_t n = strcspn(from, "&");
    *ret_schema = arena_str(a, (Str){from, n});
    const char *rest = from + n;
    size_t keep = (size_t)(at - uri) - (*rest == '\0');
    return arena_printf(a, "%.*s%s", (int)keep, uri, rest + (*rest == '&')).p;
}

static bool schema_is_good(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", s.p[i])) {
            return false;
        }
    }
    return s.n > 0 && s.n <= SCHEMA_MAX;
}

/* Joins in our order, plans that do not hang on statistics; what nobody waits for any more ends. */
static const char *settings(PgConn *c, Arena *a)
{
    const char *s = c->schema;
    Str path = arena_printf(a, "%s_%s,%s_log,%s_index,%s_server", s, c->space, s, s, s);
    return arena_printf(a,
                        "-c search_path=%s -c plan_cache_mode=force_generic_plan"
                        " -c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off"
                        " -c enable_mergejoin=off -c join_collapse_limit=1"
                        " -c from_collapse_limit=1 -c jit=off -c lock_timeout=%d"
                        " -c synchronous_commit=%s -c default_transaction_read_only=%s"
                        " -c client_min_messages=error -c bytea_output=hex -c TimeZone=UTC",
                        path.p, c->wait_ms, c->sync == DB_SYNC_FULL ? "on" : "off",
                        c->read_only ? "on" : "off")
        .p;
}

static void notice_drop(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

static bool is_fit(PgConn *c)
{
    const char *encoding = PQparameterStatus(c->pg, "server_encoding");
    if (PQserverVersion(c->pg) < VERSION_LEAST) {
        note(c, "0A000", "PostgreSQL 15 or later is needed");
        return false;
    }
    if (!encoding || !str_is(str_from_c(encoding), "UTF8")) {
        note(c, "0A000", "the database must have the encoding UTF8");
        return false;
    }
    return true;
}

static bool connect_now(PgConn *c)
{
    Arena a;
    arena_init(&a, 0);
    const char *const name[] = {"dbname",          "options",          "client_encoding",
                                "connect_timeout", "application_name", NULL};
    const char *const value[] = {c->uri, settings(c, &a), "UTF8", CONNECT_WAIT, "menkou", NULL};
    PQfinish(c->pg);
    c->pg = PQconnectdbParams(name, value, 1);
    arena_done(&a);
    c->owed = 0;
    if (pg_is_lost(c)) {
        note(c, "08001", c->pg ? PQerrorMessage(c->pg) : "out of memory");
        return false;
    }
    if (!is_fit(c)) {
        PQfinish(c->pg);
        c->pg = NULL;
        return false;
    }
    PQsetNoticeReceiver(c->pg, notice_drop, NULL);
    c->session++;
    if (PQenterPipelineMode(c->pg) != 1) {
        pg_note(c, NULL);
        return false;
    }
    return true;
}

bool pg_connected(PgConn *c)
{
    if (!pg_is_lost(c)) {
        return true;
    }
    if (c->begun && c->sent) {
        c->broken = true;
        return false;
    }
    return connect_now(c);
}

/* Ends with the connection, too; whoever waits for it waits as long as it takes. */
static bool alone(void *conn, const char *what, bool begin)
{
    PgConn *c = conn;
    char words[2 * SCHEMA_MAX + 80], wait[48];
    snprintf(words, sizeof words, "SELECT pg_advisory_%s(hashtext('menkou:%s:%s'))",
             begin ? "lock" : "unlock", c->schema, what);
    snprintf(wait, sizeof wait, "SET lock_timeout=%d", c->wait_ms);
    return begin ? pg_do(c, "SET lock_timeout=0") && pg_do(c, words) && pg_do(c, wait)
                 : pg_do(c, words);
}

/* IF NOT EXISTS fails when another makes the same at the same moment: one after the other. */
static bool schema_make(PgConn *c)
{
    Arena a;
    arena_init(&a, 0);
    bool ok =
        alone(c, DB_ALONE_MAKING, true) &&
        pg_do(c, arena_printf(&a, "CREATE SCHEMA IF NOT EXISTS %s_%s", c->schema, c->space).p) &&
        pg_do(c, arena_printf(&a,
                              "CREATE TABLE IF NOT EXISTS %s_%s.state(application bigint NOT NULL,"
                              " state bigint NOT NULL)",
                              c->schema, c->space)
                     .p);
    arena_done(&a);
    return alone(c, DB_ALONE_MAKING, false) && ok;
}

static bool conn_open(const DbOptions *o, void **ret)
{
    PgConn *c = memory_take_zeroed(sizeof *c);
    Str schema;
    *ret = c;
    arena_init(&c->arena, 0);
    buf_init(&c->scratch, 0);
    buf_init(&c->asks, 0);
    c->uri = uri_cut(&c->arena, o->path, &schema);
    c->schema = schema.p;
    c->space = arena_str(&c->arena, str_from_c(o->space)).p;
    c->read_only = o->read_only;
    c->create = o->create;
    c->sync = o->sync;
    c->wait_ms = o->wait_ms;
    if (!schema_is_good(schema)) {
        note(c, "3F000", "schema=NAME takes small letters, digits and _");
        return false;
    }
    return connect_now(c) && (!o->create || schema_make(c));
}

static void conn_close(void *conn)
{
    PgConn *c = conn;
    PQfinish(c->pg);
    pg_queue_done(c);
    buf_done(&c->scratch);
    arena_done(&c->arena);
    free(c);
}

/* ---- Beside its statements ------------------------------------------------------------------- */

/* A table that says PARTITION BY HASH(column), for others in a comment. */
static bool partitions_make(PgConn *c, Arena *a, const char *sql)
{
    const char *name = sql + strlen("CREATE TABLE ");
    int n = (int)strcspn(name, "( ");
    bool ok = true;
    for (int i = 0; i < PARTITIONS && ok; i++) {
        ok = pg_do(c, arena_printf(a,
                                   "CREATE TABLE %.*s_%d PARTITION OF %.*s"
                                   " FOR VALUES WITH (MODULUS %d, REMAINDER %d)",
                                   n, name, i, n, name, PARTITIONS, i)
                          .p);
    }
    return ok;
}

static bool exec(void *conn, const char *sql)
{
    PgConn *c = conn;
    PgText t;
    Arena a;
    arena_init(&a, 0);
    bool ok = pg_text_read(&a, sql, &t) && pg_do(c, t.sql) &&
              (!strstr(t.sql, " PARTITION BY HASH(") || partitions_make(c, &a, t.sql));
    arena_done(&a);
    return ok;
}

static bool in_transaction(const void *conn)
{
    return ((const PgConn *)conn)->begun;
}

static bool sync_set(void *conn, DbSync sync)
{
    PgConn *c = conn;
    c->sync = sync;
    return pg_do(c,
                 sync == DB_SYNC_FULL ? "SET synchronous_commit=on" : "SET synchronous_commit=off");
}

/* The server keeps its own write-ahead log short; a commit that is waited for makes those durable
 * that were not. */
static bool checkpoint(void *conn, DbCheckpoint how, int *ret_pages)
{
    *ret_pages = 0;
    return how == DB_COPY || pg_do(conn, "SELECT pg_current_xact_id()");
}

static bool compact(void *conn)
{
    PgConn *c = conn;
    Arena a;
    PGresult *tables = NULL;
    arena_init(&a, 0);
    PgCommand m = {.words = arena_printf(&a,
                                         "SELECT quote_ident(schemaname) || '.' ||"
                                         " quote_ident(tablename) FROM pg_tables"
                                         " WHERE schemaname IN ('%s_log', '%s_index')"
                                         " ORDER BY 1",
                                         c->schema, c->schema)
                                .p};
    bool ok = pg_connected(c) && pg_exchange(c, &m, 1, &tables, NULL);
    for (int i = 0; ok && i < PQntuples(tables); i++) {
        ok = pg_do(c, arena_printf(&a, "VACUUM (FULL) %s", PQgetvalue(tables, i, 0)).p);
    }
    PQclear(tables);
    arena_done(&a);
    return ok;
}

static void wait_set(void *conn, int wait_ms)
{
    PgConn *c = conn;
    char words[48];
    c->wait_ms = wait_ms;
    snprintf(words, sizeof words, "SET lock_timeout=%d", wait_ms);
    if (!pg_do(c, words)) {
        log_debug("db", "the wait for locks is what it was");
    }
}

static bool ask_end(void *conn)
{
    return pg_asks_send(conn);
}

static int wal_pages(const void *conn)
{
    (void)conn;
    return 0;
}

static bool state_get(void *conn, int32_t *ret_application, int *ret_state)
{
    PgConn *c = conn;
    char words[2 * SCHEMA_MAX + 80];
    PGresult *r = NULL;
    snprintf(words, sizeof words, "SELECT application::text, state::text FROM %s_%s.state",
             c->schema, c->space);
    PgCommand m = {.words = words};
    if (!pg_connected(c) || !pg_exchange(c, &m, 1, &r, NULL)) {
        return false;
    }
    int64_t application = 0, state = 0;
    if (PQntuples(r) > 0) {
        str_to_i64(str_from_c(PQgetvalue(r, 0, 0)), &application);
        str_to_i64(str_from_c(PQgetvalue(r, 0, 1)), &state);
    }
    PQclear(r);
    *ret_application = (int32_t)application;
    *ret_state = (int)state;
    return true;
}

static bool state_set(void *conn, int32_t application, int state)
{
    PgConn *c = conn;
    char words[2 * SCHEMA_MAX + 96];
    snprintf(words, sizeof words, "DELETE FROM %s_%s.state", c->schema, c->space);
    if (!pg_do(c, words)) {
        return false;
    }
    snprintf(words, sizeof words, "INSERT INTO %s_%s.state VALUES(%d, %d)", c->schema, c->space,
             (int)application, state);
    return pg_do(c, words);
}

/* ---- Several processes ----------------------------------------------------------------------- */

static bool space_drop(void *conn, const char *space)
{
    PgConn *c = conn;
    char words[2 * SCHEMA_MAX + 64];
    snprintf(words, sizeof words, "DROP SCHEMA IF EXISTS %s_%s CASCADE", c->schema, space);
    return pg_do(c, words);
}

static bool space_take(void *conn, const char *from, const char *to, const char *table)
{
    PgConn *c = conn;
    char lock[4 * SCHEMA_MAX], rename[4 * SCHEMA_MAX];
    snprintf(lock, sizeof lock, "LOCK TABLE %s_%s.%s IN ACCESS EXCLUSIVE MODE", c->schema, to,
             table);
    snprintf(rename, sizeof rename, "ALTER SCHEMA %s_%s RENAME TO %s_%s", c->schema, from,
             c->schema, to);
    return pg_do(c, lock) && space_drop(c, to) && pg_do(c, rename);
}

/* Whatever was told, also while statements ran, is one piece of news. */
static bool heard(PgConn *c)
{
    bool any = false;
    for (PGnotify *n; (n = PQnotifies(c->pg)) != NULL; PQfreemem(n)) {
        any = true;
    }
    return any;
}

static bool listen_wait(void *conn, int timeout_ms, bool *ret_heard)
{
    PgConn *c = conn;
    *ret_heard = false;
    if (!pg_connected(c) || (c->listening != c->session && !pg_do(c, "LISTEN menkou"))) {
        return false;
    }
    c->listening = c->session;
    struct pollfd p = {.fd = PQsocket(c->pg), .events = POLLIN};
    if (!heard(c) && poll(&p, 1, timeout_ms) <= 0) {
        return true;
    }
    if (PQconsumeInput(c->pg) != 1) {
        pg_note(c, NULL);
        return false;
    }
    heard(c);
    *ret_heard = true;
    return true;
}

const DbDriver db_driver_postgres = {
    .name = "postgresql",
    .open = conn_open,
    .close = conn_close,
    .exec = exec,
    .prepare = pg_prepare,
    .finalize = pg_finalize,
    .bind_i64 = pg_bind_i64,
    .bind_double = pg_bind_double,
    .bind_bytes = pg_bind_bytes,
    .step = pg_step,
    .reset = pg_reset,
    .col_i64 = pg_col_i64,
    .col_double = pg_col_double,
    .col_bytes = pg_col_bytes,
    .failed = failed,
    .in_transaction = in_transaction,
    .sync_set = sync_set,
    .checkpoint = checkpoint,
    .compact = compact,
    .wait_set = wait_set,
    .wal_pages = wal_pages,
    .state_get = state_get,
    .state_set = state_set,
    .list_i64 = pg_list_i64,
    .list_str = pg_list_str,
    .row_is_new = pg_row_is_new,
    .ask = pg_ask,
    .ask_end = ask_end,
    .alone = alone,
    .space_drop = space_drop,
    .space_take = space_take,
    .listen_wait = listen_wait,
};
