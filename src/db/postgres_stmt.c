/* Statements: prepared once in each connection that is made, bound, asked, walked in pieces. */
#include <stdlib.h>

#include "db_postgres.h"

#include "mk_banned.h"

/* ---- Preparing ------------------------------------------------------------------------------- */

static void walk_name(PgStmt *st, unsigned n)
{
    Arena *a = &st->conn->arena;
    const char *sql = st->text.sql;
    st->declare =
        arena_printf(a, "DECLARE w%u NO SCROLL CURSOR FOR %s OFFSET %d", n, sql, PG_ROWS_FIRST).p;
    st->hold = arena_printf(a, "DECLARE w%u NO SCROLL CURSOR WITH HOLD FOR %s OFFSET %d", n, sql,
                            PG_ROWS_FIRST)
                   .p;
    st->fetch = arena_printf(a, "FETCH %d FROM w%u", PG_ROWS_PIECE, n).p;
    st->close = arena_printf(a, "CLOSE w%u", n).p;
    st->text.sql = arena_printf(a, "%s LIMIT %d", sql, PG_ROWS_FIRST).p;
}

static bool is_plain(const PgStmt *st)
{
    return st->text.kind > PG_WRITE;
}

/* The server says of which types the values are. */
static bool describe(PgStmt *st)
{
    PgConn *c = st->conn;
    PGresult *types = NULL;
    bool ok = pg_settle(c) && PQsendPrepare(c->pg, st->name, st->text.sql, 0, NULL) == 1 &&
              PQsendDescribePrepared(c->pg, st->name) == 1 && PQpipelineSync(c->pg) == 1;
    if (!ok) {
        pg_note(c, NULL);
    }
    ok = ok && pg_collect(c, 2, &types, 1);
    if (ok && PQnparams(types) != st->text.param_n) {
        ok = false;
    }
    for (int i = 0; ok && i < st->text.param_n; i++) {
        st->type[i] = PQparamtype(types, i);
    }
    PQclear(types);
    c->broken = c->broken || (!ok && c->begun && c->sent);
    st->session = ok ? c->session : 0;
    return ok;
}

static bool ready(PgStmt *st)
{
    PgConn *c = st->conn;
    if (c->broken || !pg_connected(c)) {
        return false;
    }
    if (is_plain(st) || st->session == c->session || describe(st)) {
        return true;
    }
    /* Lost while nobody looked: what has not begun there may begin on another connection. */
    return pg_is_lost(c) && !c->sent && pg_connected(c) && describe(st);
}

void *pg_prepare(void *conn, const char *sql)
{
    PgConn *c = conn;
    PgStmt *st = memory_take_zeroed(sizeof *st);
    st->conn = c;
    if (!pg_text_read(&c->arena, sql, &st->text)) {
        snprintf(c->sqlstate, sizeof c->sqlstate, "54023");
        free(st);
        return NULL;
    }
    unsigned n = ++c->names;
    st->name = arena_printf(&c->arena, "s%u", n).p;
    st->many_name = arena_printf(&c->arena, "m%u", n).p;
    if (st->text.walk) {
        walk_name(st, n);
    }
    if (!is_plain(st) && !ready(st)) {
        free(st);
        return NULL;
    }
    return st;
}

/* The connection closes with all its statements: nothing is to be told to the server. */
void pg_finalize(void *stmt)
{
    PgStmt *st = stmt;
    PQclear(st->rows);
    free(st);
}

/* ---- Binding --------------------------------------------------------------------------------- */

static PgValue *value_of(PgStmt *st, int i)
{
    static PgValue nowhere;
    return i < PG_PARAMS_MAX && st->text.place[i] >= 0 ? &st->value[st->text.place[i]] : &nowhere;
}

void pg_bind_i64(void *stmt, int i, int64_t v)
{
    *value_of(stmt, i) = (PgValue){.kind = PG_I64, .i = v};
}

void pg_bind_double(void *stmt, int i, double v)
{
    *value_of(stmt, i) = (PgValue){.kind = PG_DOUBLE, .d = v};
}

void pg_bind_bytes(void *stmt, int i, Str v, bool text)
{
    (void)text;
    *value_of(stmt, i) = (PgValue){.kind = v.p ? PG_BYTES : PG_NULL, .s = v};
}

void pg_row_is_new(void *stmt)
{
    PgStmt *st = stmt;
    st->fresh = true;
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static DbStep begin(PgConn *c, bool reading)
{
    if (c->begun) {
        snprintf(c->sqlstate, sizeof c->sqlstate, "25001");
        return DB_FAIL;
    }
    /* Cursors that are to be closed yet are not this transaction's. */
    if (c->entry_n && !pg_exchange(c, NULL, 0, NULL, NULL)) {
        pg_queue_clear(c);
    }
    c->begun = true;
    c->sent = c->broken = c->saving = c->saved = false;
    c->txn++;
    bool ok =
        pg_wait_words(c, reading ? "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" : "BEGIN");
    return ok ? DB_NONE : DB_FAIL;
}

static DbStep commit(PgConn *c)
{
    PGresult *said = NULL;
    PgCommand m = {.words = "COMMIT"};
    if (c->broken) {
        return DB_FAIL;
    }
    bool ok = pg_exchange(c, &m, 1, &said, NULL);
    if (ok && !str_is(str_from_c(PQcmdStatus(said)), "COMMIT")) {
        snprintf(c->sqlstate, sizeof c->sqlstate, "25P02");
        c->broken = true;
        ok = false;
    }
    PQclear(said);
    c->begun = !ok;
    c->sent = c->sent && !ok;
    return ok ? DB_NONE : DB_FAIL;
}

/* Nobody waits for its answer: the next exchange reads it. */
static DbStep rollback(PgConn *c)
{
    pg_queue_clear(c);
    if (c->sent && c->pg && !pg_is_lost(c)) {
        bool ok = pg_settle(c) &&
                  PQsendQueryParams(c->pg, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 1) == 1 &&
                  PQpipelineSync(c->pg) == 1;
        c->owed += ok;
    }
    c->begun = c->sent = c->broken = c->saving = c->saved = false;
    return DB_NONE;
}

static DbStep save(PgConn *c, PgKind kind)
{
    if (c->broken) {
        return DB_FAIL;
    }
    bool ok = true;
    switch (kind) {
    case PG_SAVE:
        c->saving = true;
        c->saved = false;
        pg_queue_mark(c);
        break;
    case PG_SAVE_BACK:
        if (c->saved) {
            pg_queue_clear(c);
            ok = pg_wait_words(c, "ROLLBACK TO one");
        } else {
            pg_queue_back(c);
        }
        break;
    default:
        ok = !c->saved || pg_wait_words(c, "RELEASE one");
        c->saving = c->saved = false;
        break;
    }
    return ok ? DB_NONE : DB_FAIL;
}

static DbStep plain_step(PgStmt *st)
{
    PgConn *c = st->conn;
    switch (st->text.kind) {
    case PG_BEGIN:
    case PG_BEGIN_READ:
        return begin(c, st->text.kind == PG_BEGIN_READ);
    case PG_COMMIT:
        return commit(c);
    case PG_ROLLBACK:
        return rollback(c);
    case PG_LOCK:
        return !c->broken && pg_wait_words(c, st->text.sql) ? DB_NONE : DB_FAIL;
    default:
        return save(c, st->text.kind);
    }
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static DbStep failed_step(const PgConn *c)
{
    Str s = str_from_c(c->sqlstate);
    return str_is(s, "40001") || str_is(s, "40P01") || str_is(s, "55P03") ? DB_RETRY : DB_FAIL;
}

static void rows_take(PgStmt *st, PGresult *rows, int piece)
{
    PQclear(st->rows);
    st->rows = rows;
    st->row = -1;
    st->row_n = PQntuples(rows);
    st->more = st->text.walk && st->row_n == piece;
}

static bool ask(PgStmt *st)
{
    bool again = false;
    for (int tries = 0; tries < 2; tries++) {
        PGresult *rows = NULL;
        PgCommand m = {.name = st->name, .values = st};
        if (!ready(st)) {
            return false;
        }
        if (pg_exchange(st->conn, &m, 1, &rows, &again)) {
            rows_take(st, rows, PG_ROWS_FIRST);
            return true;
        }
        if (!again) {
            return false;
        }
    }
    return false;
}

/* The rows behind those that are there: of the same snapshot, or of this moment without one. */
static bool ask_more(PgStmt *st)
{
    PgConn *c = st->conn;
    PGresult *rows[2] = {NULL, NULL}; /* of DECLARE and FETCH */
    PgCommand m[2] = {{.words = c->begun ? st->declare : st->hold, .values = st},
                      {.words = st->fetch}};
    if (!ready(st)) {
        return false;
    }
    bool opened = st->cursor_txn != 0;
    if (!pg_exchange(c, m + opened, 2 - opened, rows + opened, NULL)) {
        return false;
    }
    PQclear(rows[0]);
    st->cursor_held = opened ? st->cursor_held : !c->begun;
    st->cursor_txn = opened ? st->cursor_txn : c->txn + 1;
    rows_take(st, rows[1], PG_ROWS_PIECE);
    return true;
}

static DbStep write_step(PgStmt *st)
{
    PgConn *c = st->conn;
    if (!ready(st)) {
        return failed_step(c);
    }
    bool ok = pg_wait_row(st) && (c->begun || pg_exchange(c, NULL, 0, NULL, NULL));
    return ok ? DB_NONE : failed_step(c);
}

static DbStep row_step(PgStmt *st)
{
    if (!st->asked) {
        st->asked = true;
        if (!ask(st)) {
            return failed_step(st->conn);
        }
    }
    if (st->row + 1 >= st->row_n && st->more && !ask_more(st)) {
        return failed_step(st->conn);
    }
    if (st->row + 1 >= st->row_n) {
        return DB_NONE;
    }
    st->row++;
    return DB_ROW;
}

DbStep pg_step(void *stmt)
{
    PgStmt *st = stmt;
    if (is_plain(st)) {
        DbStep step = plain_step(st);
        return step == DB_FAIL ? failed_step(st->conn) : step;
    }
    return st->text.kind == PG_WRITE ? write_step(st) : row_step(st);
}

bool pg_ask(void *stmt, bool *ret)
{
    PgStmt *st = stmt;
    *ret = false;
    return ready(st) && pg_ask_row(st, ret);
}

static void cursor_close(PgStmt *st)
{
    PgConn *c = st->conn;
    bool there = st->session == c->session && !c->broken &&
                 (st->cursor_held || (c->begun && st->cursor_txn == c->txn + 1));
    st->cursor_txn = 0;
    if (there && !pg_wait_words(c, st->close)) {
        log_debug("db", "a cursor could not be closed");
    }
}

void pg_reset(void *stmt)
{
    PgStmt *st = stmt;
    if (st->cursor_txn) {
        cursor_close(st);
    }
    PQclear(st->rows);
    st->rows = NULL;
    st->row = -1;
    st->row_n = 0;
    st->asked = st->more = st->fresh = false;
}

/* ---- Columns --------------------------------------------------------------------------------- */

static uint64_t bytes_of(const char *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) {
        v = v << 8 | (unsigned char)p[i];
    }
    return v;
}

/* Whole numbers of sums: digits of 10,000, the first with a weight. */
static int64_t numeric_of(const char *p)
{
    int n = (int)bytes_of(p, 2), weight = (int16_t)bytes_of(p + 2, 2);
    int64_t v = 0;
    for (int i = 0; i <= weight; i++) {
        v = v * 10000 + (i < n ? (int64_t)bytes_of(p + 8 + 2 * (ptrdiff_t)i, 2) : 0);
    }
    return bytes_of(p + 4, 2) == 0x4000 ? -v : v;
}

static bool is_there(const PgStmt *st, int c)
{
    return st->rows && st->row >= 0 && !PQgetisnull(st->rows, st->row, c);
}

int64_t pg_col_i64(void *stmt, int c)
{
    const PgStmt *st = stmt;
    int64_t v = 0;
    if (!is_there(st, c)) {
        return 0;
    }
    const char *p = PQgetvalue(st->rows, st->row, c);
    switch (PQftype(st->rows, c)) {
    case PG_INT8:
        return (int64_t)bytes_of(p, 8);
    case PG_INT4:
        return (int32_t)bytes_of(p, 4);
    case PG_INT2:
        return (int16_t)bytes_of(p, 2);
    case PG_BOOL:
        return p[0] != 0;
    case PG_NUMERIC:
        return numeric_of(p);
    case PG_FLOAT8:
        return (int64_t)pg_col_double(stmt, c);
    default:
        str_to_i64((Str){p, (size_t)PQgetlength(st->rows, st->row, c)}, &v);
        return v;
    }
}

double pg_col_double(void *stmt, int c)
{
    const PgStmt *st = stmt;
    if (!is_there(st, c)) {
        return 0;
    }
    if (PQftype(st->rows, c) != PG_FLOAT8) {
        return (double)pg_col_i64(stmt, c);
    }
    uint64_t bits = bytes_of(PQgetvalue(st->rows, st->row, c), 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

bool pg_col_bytes(void *stmt, int c, Str *ret)
{
    const PgStmt *st = stmt;
    if (!is_there(st, c)) {
        return false;
    }
    *ret = (Str){PQgetvalue(st->rows, st->row, c), (size_t)PQgetlength(st->rows, st->row, c)};
    return true;
}
