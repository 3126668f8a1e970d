/*
 * Many new rows of one table, by COPY: the cheapest way into a table there is, but one that meets
 * no row that is there, and that a pipeline cannot have (docs/decisions/100).
 */
#include "db_postgres.h"

#include "mk_banned.h"

static const char head[] = "PGCOPY\n\377\r\n"; /* and a zero byte; no flags, nothing more */

/* How many values, then length and bytes of each, as they wait. */
static void rows_put(PgConn *c, const PgStmt *st, const char *row, uint32_t n)
{
    const char *value[PG_PARAMS_MAX];
    int length[PG_PARAMS_MAX], params = st->text.param_n;
    buf_clear(&c->scratch);
    buf_bytes(&c->scratch, head, sizeof head);
    pg_put_bytes(&c->scratch, 0, 8);
    for (uint32_t i = 0; i < n; i++) {
        const char *end = pg_row_cut(row, params, value, length);
        pg_put_bytes(&c->scratch, (uint64_t)params, 2);
        buf_bytes(&c->scratch, row, (size_t)(end - row));
        row = end;
    }
    pg_put_bytes(&c->scratch, UINT16_MAX, 2);
}

/* What is left of the exchange; whether the last word is the one. */
static bool result_is(PgConn *c, ExecStatusType expected)
{
    PGresult *r = PQgetResult(c->pg);
    bool ok = r && PQresultStatus(r) == expected;
    if (!ok) {
        pg_note(c, r);
    }
    PQclear(r);
    return ok;
}

/* A COPY that goes on has no end of its own. */
static bool results_end(PgConn *c)
{
    bool over = false;
    for (PGresult *r; !over && (r = PQgetResult(c->pg)) != NULL; PQclear(r)) {
        over = PQresultStatus(r) == PGRES_COPY_IN;
    }
    return !over;
}

static bool rows_send(PgConn *c, const PgStmt *st, const char *rows, uint32_t n)
{
    if (PQsendQuery(c->pg, st->text.copy) != 1) {
        pg_note(c, NULL);
        return false;
    }
    if (!result_is(c, PGRES_COPY_IN)) {
        return false;
    }
    rows_put(c, st, rows, n);
    if (PQputCopyData(c->pg, c->scratch.p, (int)c->scratch.n) != 1 ||
        PQputCopyEnd(c->pg, NULL) != 1) {
        pg_note(c, NULL);
        return false;
    }
    return result_is(c, PGRES_COMMAND_OK);
}

bool pg_copy(PgStmt *st, const char *rows, uint32_t n)
{
    PgConn *c = st->conn;
    if (PQexitPipelineMode(c->pg) != 1) {
        pg_note(c, NULL);
        return false;
    }
    bool ok = rows_send(c, st, rows, n);
    if (!results_end(c) || PQenterPipelineMode(c->pg) != 1) {
        pg_note(c, NULL);
        PQfinish(c->pg);
        c->pg = NULL;
        return false;
    }
    return ok;
}
