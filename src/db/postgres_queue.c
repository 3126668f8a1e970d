/* Writes that wait, and the exchange that sends them with a question. */
#include <stdlib.h>

#include "db_postgres.h"

#include "mk_banned.h"

#define WAITING_BYTES_MAX (8u << 20)
#define ENTRY_ROWS_MAX    4096u
#define ENTRY_BYTES_KEPT  65536u
#define LOOK_BACK         64u
#define COPY_ROWS_MIN     256u /* fewer cost more by their three exchanges than they save */
#define ASKS_BYTES_MAX    (1u << 20)

static const int all_binary[PG_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* ---- Sending --------------------------------------------------------------------------------- */

static bool words_send(PgConn *c, const char *words)
{
    return PQsendQueryParams(c->pg, words, 0, NULL, NULL, NULL, NULL, 1) == 1;
}

static bool row_send(PgConn *c, const PgStmt *st, const char *name, const char *row)
{
    const char *value[PG_PARAMS_MAX];
    int length[PG_PARAMS_MAX];
    pg_row_cut(row, st->text.param_n, value, length);
    return PQsendQueryPrepared(c->pg, name, st->text.param_n, value, length, all_binary, 1) == 1;
}

static bool many_prepare(PgStmt *st, unsigned *sent)
{
    PgConn *c = st->conn;
    if (st->many_session == c->session) {
        return true;
    }
    Oid type[PG_PARAMS_MAX];
    for (int i = 0; i < st->text.param_n; i++) {
        type[i] = pg_array_of(st->type[i]);
    }
    st->many_session = c->session;
    ++*sent;
    return PQsendPrepare(c->pg, st->many_name, st->text.many, st->text.param_n, type) == 1;
}

/* Rows of an entry: from a place in its values. */
typedef struct Part {
    const PgEntry *entry;
    size_t at;
    uint32_t rows;
} Part;

/* One array a column. */
static bool many_send(PgConn *c, const Part *p)
{
    const PgStmt *st = p->entry->stmt;
    int n = st->text.param_n, length[PG_PARAMS_MAX], whole[PG_PARAMS_MAX];
    const char *value[PG_PARAMS_MAX];
    size_t start[PG_PARAMS_MAX + 1];
    buf_clear(&c->scratch);
    for (int i = 0; i < n; i++) {
        start[i] = c->scratch.n;
        pg_array_begin(&c->scratch, st->type[i], p->rows);
        const char *row = p->entry->values.p + p->at;
        for (uint32_t k = 0; k < p->rows; k++) {
            row = pg_row_cut(row, n, value, length);
            pg_put_bytes(&c->scratch, (uint32_t)length[i], 4);
            buf_bytes(&c->scratch, value[i], length[i] < 0 ? 0 : (size_t)length[i]);
        }
    }
    start[n] = c->scratch.n;
    for (int i = 0; i < n; i++) {
        value[i] = c->scratch.p + start[i];
        whole[i] = (int)(start[i + 1] - start[i]);
    }
    return PQsendQueryPrepared(c->pg, st->many_name, n, value, whole, all_binary, 1) == 1;
}

/* COPY leaves the pipeline, which has to be empty. */
static bool part_is_copied(Part p)
{
    const PgText *t = p.entry->stmt ? &p.entry->stmt->text : NULL;
    return t && t->copy && p.rows >= COPY_ROWS_MIN && (p.entry->fresh || !t->meets);
}

static bool part_copy(PgConn *c, Part p, unsigned *sent)
{
    unsigned before = *sent;
    *sent = 0;
    return (!before || (PQpipelineSync(c->pg) == 1 && pg_collect(c, before, NULL, 0))) &&
           pg_copy(p.entry->stmt, p.entry->values.p + p.at, p.rows);
}

static bool part_send(PgConn *c, Part p, unsigned *sent)
{
    const PgEntry *e = p.entry;
    if (part_is_copied(p)) {
        return part_copy(c, p, sent);
    }
    ++*sent;
    if (e->words) {
        return words_send(c, e->words);
    }
    if (p.rows == 1) {
        return row_send(c, e->stmt, e->stmt->name, e->values.p + p.at);
    }
    return many_prepare(e->stmt, sent) && many_send(c, &p);
}

static bool save_send(PgConn *c, unsigned *sent)
{
    if (!c->saving || c->saved) {
        return true;
    }
    c->saved = true;
    ++*sent;
    return words_send(c, "SAVEPOINT one");
}

/* What came before the savepoint that is to be made; of words all or nothing. */
static Part part_before(const PgConn *c, size_t i)
{
    const PgEntry *e = &c->entry[i];
    return (Part){e, 0, i >= c->mark_n ? 0 : e->words ? e->rows : e->mark_rows};
}

static bool saved_apart_send(PgConn *c, unsigned *sent)
{
    for (size_t i = 0; i < c->mark_n; i++) {
        Part p = part_before(c, i);
        if (p.rows && !part_send(c, p, sent)) {
            return false;
        }
    }
    for (size_t i = 0; i < c->entry_n; i++) {
        const PgEntry *e = &c->entry[i];
        uint32_t before = part_before(c, i).rows;
        Part p = {e, before ? e->mark_bytes : 0, e->rows - before};
        if (p.rows && !(save_send(c, sent) && part_send(c, p, sent))) {
            return false;
        }
    }
    return true;
}

static bool entries_send(PgConn *c, unsigned *sent)
{
    if (c->saving && !c->saved) {
        return saved_apart_send(c, sent);
    }
    for (size_t i = 0; i < c->entry_n; i++) {
        if (!part_send(c, (Part){&c->entry[i], 0, c->entry[i].rows}, sent)) {
            return false;
        }
    }
    return true;
}

static bool command_send(PgConn *c, const PgCommand *m, unsigned *sent)
{
    const PgStmt *st = m->values;
    if (st && st->text.changes && !save_send(c, sent)) {
        return false;
    }
    ++*sent;
    if (!st) {
        return words_send(c, m->words);
    }
    if (m->row) {
        return row_send(c, st, m->name, m->row);
    }
    buf_clear(&c->scratch);
    pg_put_row(&c->scratch, st);
    if (m->name) {
        return row_send(c, st, m->name, c->scratch.p);
    }
    const char *value[PG_PARAMS_MAX];
    int length[PG_PARAMS_MAX];
    pg_row_cut(c->scratch.p, st->text.param_n, value, length);
    return PQsendQueryParams(c->pg, m->words, st->text.param_n, st->type, value, length, all_binary,
                             1) == 1;
}

/* ---- Results --------------------------------------------------------------------------------- */

static bool result_is_good(PgConn *c, const PGresult *r)
{
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        return true;
    case PGRES_PIPELINE_ABORTED:
        return false; /* behind what was noted */
    default:
        pg_note(c, r);
        return false;
    }
}

static void results_clear(PGresult **ret, unsigned n)
{
    for (unsigned i = 0; ret && i < n; i++) {
        PQclear(ret[i]);
        ret[i] = NULL;
    }
}

bool pg_collect(PgConn *c, unsigned commands, PGresult **ret, unsigned keep)
{
    bool ok = true;
    unsigned kept = 0;
    for (unsigned i = 0; i < commands; i++) {
        PGresult *r = PQgetResult(c->pg);
        if (!r || pg_is_lost(c)) {
            if (ok) {
                pg_note(c, r);
            }
            PQclear(r);
            results_clear(ret, kept);
            return false;
        }
        ok = result_is_good(c, r) && ok;
        if (ok && ret && i + keep >= commands) {
            ret[kept++] = r;
        } else {
            PQclear(r);
        }
        while ((r = PQgetResult(c->pg)) != NULL) {
            PQclear(r);
        }
    }
    PGresult *end = PQgetResult(c->pg);
    if (ok && PQresultStatus(end) != PGRES_PIPELINE_SYNC) {
        pg_note(c, NULL);
        ok = false;
    }
    PQclear(end);
    results_clear(ret, ok ? 0 : kept);
    return ok;
}

bool pg_settle(PgConn *c)
{
    for (; c->owed; c->owed--) {
        if (!pg_collect(c, 1, NULL, 0) && pg_is_lost(c)) {
            c->owed = 0;
            return false;
        }
    }
    return true;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

void pg_queue_clear(PgConn *c)
{
    for (size_t i = 0; i < c->entry_n; i++) {
        if (c->entry[i].values.room > ENTRY_BYTES_KEPT) {
            buf_done(&c->entry[i].values);
        }
    }
    c->entry_n = c->mark_n = c->waiting = 0;
}

void pg_queue_mark(PgConn *c)
{
    c->mark_n = c->entry_n;
    for (size_t i = 0; i < c->entry_n; i++) {
        c->entry[i].mark_rows = c->entry[i].rows;
        c->entry[i].mark_bytes = c->entry[i].values.n;
    }
}

void pg_queue_back(PgConn *c)
{
    c->entry_n = c->mark_n;
    c->waiting = 0;
    for (size_t i = 0; i < c->entry_n; i++) {
        c->entry[i].rows = c->entry[i].mark_rows;
        c->entry[i].values.n = c->entry[i].mark_bytes;
        c->waiting += c->entry[i].values.n;
    }
}

void pg_queue_done(PgConn *c)
{
    for (size_t i = 0; i < c->entry_room; i++) {
        buf_done(&c->entry[i].values);
    }
    buf_done(&c->asks);
    free(c->entry);
}

static PgEntry *entry_add(PgConn *c)
{
    if (c->entry_n == c->entry_room) {
        size_t room = c->entry_room ? c->entry_room * 2 : 64;
        c->entry = memory_grow(c->entry, room * sizeof *c->entry);
        for (size_t i = c->entry_room; i < room; i++) {
            buf_init(&c->entry[i].values, 0);
        }
        c->entry_room = room;
    }
    PgEntry *e = &c->entry[c->entry_n++];
    buf_clear(&e->values);
    e->stmt = NULL;
    e->words = NULL;
    e->rows = e->mark_rows = 0;
    e->mark_bytes = 0;
    e->fresh = true;
    return e;
}

static bool bounded(PgConn *c)
{
    return (c->entry_n < PG_ENTRIES_MAX && c->waiting < WAITING_BYTES_MAX) ||
           pg_exchange(c, NULL, 0, NULL, NULL);
}

bool pg_wait_words(PgConn *c, const char *words)
{
    PgEntry *e = entry_add(c);
    e->words = words;
    e->rows = 1;
    return bounded(c);
}

/* Where a row may join those that wait: nothing behind them looks at its table or changes it. */
static PgEntry *entry_of(const PgConn *c, const PgStmt *st)
{
    for (size_t i = c->entry_n; st->text.many && i > 0 && c->entry_n - i < LOOK_BACK; i--) {
        PgEntry *e = &c->entry[i - 1];
        if (e->stmt == st) {
            return e->rows < ENTRY_ROWS_MAX ? e : NULL;
        }
        if (!e->stmt || e->stmt->text.reads || str_eq(e->stmt->text.table, st->text.table)) {
            return NULL;
        }
    }
    return NULL;
}

bool pg_wait_row(PgStmt *st)
{
    PgConn *c = st->conn;
    PgEntry *e = entry_of(c, st);
    if (!e) {
        e = entry_add(c);
        e->stmt = st;
    }
    size_t before = e->values.n;
    pg_put_row(&e->values, st);
    e->fresh = e->fresh && st->fresh;
    e->rows++;
    c->waiting += e->values.n - before;
    return bounded(c);
}

static bool changes_wait(const PgConn *c, const PgCommand *command, size_t n)
{
    for (size_t i = 0; i < c->entry_n; i++) {
        if (c->entry[i].stmt) {
            return true;
        }
    }
    return n && command[n - 1].values && command[n - 1].values->text.changes;
}

static bool send_all(PgConn *c, const PgCommand *command, size_t n, unsigned *sent)
{
    bool ok = entries_send(c, sent);
    for (size_t i = 0; i < n && ok; i++) {
        ok = command_send(c, &command[i], sent);
    }
    return ok && PQpipelineSync(c->pg) == 1;
}

bool pg_exchange(PgConn *c, const PgCommand *command, size_t n, PGresult **ret, bool *ret_again)
{
    unsigned sent = 0;
    bool first = !c->sent && !changes_wait(c, command, n);
    c->noted = false;
    bool ok = pg_settle(c) && send_all(c, command, n, &sent);
    if (!ok && !c->noted) {
        pg_note(c, NULL);
    }
    ok = ok && pg_collect(c, sent, ret, (unsigned)n);
    bool again = !ok && first && pg_is_lost(c) && ret_again;
    if (ret_again) {
        *ret_again = again;
    }
    if (again) {
        return false;
    }
    c->sent = c->begun;
    c->broken = c->broken || (!ok && c->begun);
    pg_queue_clear(c);
    return ok;
}

bool pg_do(PgConn *c, const char *words)
{
    for (int tries = 0; tries < 2; tries++) {
        PgCommand m = {.words = words};
        bool again = false;
        if (c->broken || !pg_connected(c)) {
            return false;
        }
        if (pg_exchange(c, &m, 1, NULL, &again)) {
            return true;
        }
        if (!again) {
            return false;
        }
    }
    return false;
}

/* ---- Questions that go together -------------------------------------------------------------- */

bool pg_asks_send(PgConn *c)
{
    PgCommand command[PG_ASKS_MAX];
    PGresult *there[PG_ASKS_MAX] = {NULL};
    unsigned n = c->ask_n;
    for (unsigned i = 0; i < n; i++) {
        const PgAsk *q = &c->ask[i];
        command[i] = (PgCommand){q->stmt->name, NULL, q->stmt, c->asks.p + q->values};
    }
    bool ok = n == 0 || (!c->broken && pg_exchange(c, command, n, there, NULL));
    for (unsigned i = 0; i < n; i++) {
        *c->ask[i].ret = ok && PQntuples(there[i]) > 0;
    }
    results_clear(there, n);
    buf_clear(&c->asks);
    c->ask_n = 0;
    return ok;
}

bool pg_ask_row(const PgStmt *st, bool *ret)
{
    PgConn *c = st->conn;
    if ((c->ask_n == PG_ASKS_MAX || c->asks.n > ASKS_BYTES_MAX) && !pg_asks_send(c)) {
        return false;
    }
    c->ask[c->ask_n++] = (PgAsk){st, c->asks.n, ret};
    pg_put_row(&c->asks, st);
    return true;
}
