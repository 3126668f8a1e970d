/* The index: what a group of changes does to its rows, in one transaction. */
#include <stdlib.h>

#include "store_inner.h"

#include "mk_banned.h"

/* ---- Rows in and out --------------------------------------------------------------------- */

typedef struct RowOp {
    const IndexRow *row;
    int64_t rid, nd;
    bool add, born; /* born: the resource has no rows yet */
} RowOp;

/*
 * By table, what comes before what goes, so that a server gets each in one statement and a phrase
 * that goes from one resource to another stays; of codes those of the same row together, since
 * they are counted.
 */
static int op_order(const void *x, const void *y)
{
    const RowOp *p = x, *q = y;
    if (p->row->table != q->row->table) {
        return p->row->table < q->row->table ? -1 : 1;
    }
    if (p->add != q->add && p->row->table != INDEX_CODE) {
        return p->add ? -1 : 1;
    }
    int c = index_row_order(p->row, q->row);
    return c ? c : p->rid < q->rid ? -1 : p->rid > q->rid;
}

/* The clinical date stands in these rows, so they differ when it does. */
static bool row_has_nd(const IndexRow *row)
{
    return row->table == INDEX_TOKEN || row->table == INDEX_REF || row->table == INDEX_COMPARTMENT;
}

static size_t ops_of_move(const IndexMove *m, RowOp *ops)
{
    size_t n = 0, i = 0, j = 0;
    size_t old_n = m->old ? m->old->rows_n : 0, new_n = m->fresh ? m->fresh->rows_n : 0;
    bool nd_same = m->old && m->fresh && m->old->nd == m->fresh->nd;
    while (i < old_n || j < new_n) {
        const IndexRow *x = i < old_n ? &m->old->rows[i] : NULL;
        const IndexRow *y = j < new_n ? &m->fresh->rows[j] : NULL;
        int c = !x ? 1 : !y ? -1 : index_row_order(x, y);
        if (c == 0 && (nd_same || !row_has_nd(x))) {
            i++;
            j++;
            continue;
        }
        if (c <= 0) {
            ops[n++] = (RowOp){x, m->rid, m->old->nd, false, false};
            i++;
        }
        if (c >= 0) {
            ops[n++] = (RowOp){y, m->rid, m->fresh->nd, true, m->born};
            j++;
        }
    }
    return n;
}

static const char *const sql_add[INDEX_TABLES] = {
    [INDEX_TOKEN] = "INSERT OR IGNORE INTO token(param, hash, nd, rid) VALUES(?, ?, ?, ?)",
    [INDEX_REF] = "INSERT OR IGNORE INTO ref(param, hash, nd, rid) VALUES(?, ?, ?, ?)",
    [INDEX_DATE] = "INSERT OR IGNORE INTO date(param, nlo, span, rid) VALUES(?, ?, ?, ?)",
    [INDEX_STRING] = "INSERT OR IGNORE INTO string(param, value, rid) VALUES(?, ?, ?)",
    [INDEX_NUMBER] = "INSERT OR IGNORE INTO number(param, lo, hi, rid) VALUES(?, ?, ?, ?)",
    [INDEX_QUANTITY] =
        "INSERT OR IGNORE INTO quantity(param, lo, hi, unit, rid) VALUES(?, ?, ?, ?, ?)",
    [INDEX_URI] = "INSERT OR IGNORE INTO uri(param, value, rid) VALUES(?, ?, ?)",
    [INDEX_COMPARTMENT] = "INSERT OR IGNORE INTO compartment(type, patient, code, nd, rid)"
                          " VALUES(?, ?, ?, ?, ?)",
    /* its count is added to (codes_write) */
    [INDEX_CODE] = "INSERT INTO code(param, code, token, n) VALUES(?, ?, ?, ?) /* EACH ONCE */"
                   " ON CONFLICT(param, code, token) DO UPDATE SET n = code.n + excluded.n",
};

/* Codes are not taken out: the lists that they lead to may be empty. */
static const char *const sql_remove[INDEX_TABLES] = {
    [INDEX_TOKEN] = "DELETE FROM token WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_REF] = "DELETE FROM ref WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_DATE] = "DELETE FROM date WHERE param = ? AND nlo = ? AND span = ? AND rid = ?",
    [INDEX_STRING] = "DELETE FROM string WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_NUMBER] = "DELETE FROM number WHERE param = ? AND lo = ? AND hi = ? AND rid = ?",
    [INDEX_QUANTITY] = "DELETE FROM quantity WHERE param = ? AND lo = ? AND hi = ? AND unit = ?"
                       " AND rid = ?",
    [INDEX_URI] = "DELETE FROM uri WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_COMPARTMENT] = "DELETE FROM compartment WHERE type = ? AND patient = ? AND code = ?"
                          " AND nd = ? AND rid = ?",
};

static bool row_is_point(const IndexRow *row)
{
    return row->table == INDEX_QUANTITY && !(row->lo < row->hi);
}

static void row_bind(DbStmt *st, const RowOp *op)
{
    const IndexRow *r = op->row;
    int i = 0;
    db_bind_i64(st, i++, r->param);
    switch (r->table) {
    case INDEX_TOKEN:
    case INDEX_REF:
        db_bind_i64(st, i++, r->a);
        db_bind_i64(st, i++, op->nd);
        break;
    case INDEX_DATE:
        db_bind_i64(st, i++, r->a);
        db_bind_i64(st, i++, index_date_span(r->a, r->b));
        break;
    case INDEX_STRING:
    case INDEX_URI:
        db_bind_str(st, i++, r->text);
        break;
    case INDEX_NUMBER:
    case INDEX_QUANTITY:
        db_bind_double(st, i++, r->lo);
        db_bind_double(st, i++, row_is_point(r) ? INDEX_POINT : r->hi);
        if (r->table == INDEX_QUANTITY) {
            db_bind_i64(st, i++, r->a);
        }
        break;
    case INDEX_COMPARTMENT:
        db_bind_i64(st, i++, r->a);
        db_bind_i64(st, i++, r->b);
        db_bind_i64(st, i++, op->nd);
        break;
    case INDEX_CODE:
        db_bind_i64(st, i++, r->a);
        db_bind_i64(st, i++, r->b);
        return;
    case INDEX_PHRASE:
    case INDEX_TERM:
    case INDEX_TABLES:
        break;
    }
    db_bind_i64(st, i, op->rid);
}

static const char *const sql_find[INDEX_TABLES] = {
    [INDEX_TOKEN] = "SELECT 1 FROM token WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_REF] = "SELECT 1 FROM ref WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_DATE] = "SELECT 1 FROM date WHERE param = ? AND nlo = ? AND span = ? AND rid = ?",
    [INDEX_STRING] = "SELECT 1 FROM string WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_NUMBER] = "SELECT 1 FROM number WHERE param = ? AND lo = ? AND hi = ? AND rid = ?",
    [INDEX_QUANTITY] = "SELECT 1 FROM quantity WHERE param = ? AND lo = ? AND hi = ? AND unit = ?"
                       " AND rid = ?",
    [INDEX_URI] = "SELECT 1 FROM uri WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_COMPARTMENT] = "SELECT 1 FROM compartment WHERE type = ? AND patient = ? AND code = ?"
                          " AND nd = ? AND rid = ?",
    [INDEX_CODE] = "SELECT 1 FROM code WHERE param = ? AND code = ? AND token = ?",
};

static bool row_is_text(const IndexRow *row)
{
    return row->table == INDEX_PHRASE || row->table == INDEX_TERM;
}

static Status row_ask(Db *db, const RowOp *op, bool *ret, Err *err)
{
    if (row_is_text(op->row)) {
        return phrase_ask(db, op->row, op->rid, ret, err);
    }
    DbStmt *st = db_take(db, sql_find[op->row->table]);
    if (!st) {
        return db_failed(db, err);
    }
    row_bind(st, op);
    db_ask(st, ret);
    return OK;
}

Status index_doc_ask(Db *db, Arena *a, int64_t rid, uint64_t seq, const IndexDoc *doc,
                     const bool **ret, Err *err)
{
    bool *there = arena_array(a, bool, doc->rows_n + 1);
    DbStmt *st = db_take(db, "SELECT 1 FROM doc WHERE rid = ? AND seq = ? AND nd = ? AND type = ?"
                             " AND whose = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, rid);
    db_bind_i64(st, 1, (int64_t)seq);
    db_bind_i64(st, 2, doc->nd);
    db_bind_i64(st, 3, type_number(doc->type));
    db_bind_i64(st, 4, (int32_t)doc->whose);
    db_ask(st, &there[doc->rows_n]);
    for (size_t i = 0; i < doc->rows_n; i++) {
        RowOp op = {&doc->rows[i], rid, doc->nd, true, false};
        TRY(row_ask(db, &op, &there[i], err));
    }
    *ret = there;
    return OK;
}

/* Numbers may differ and be the same to the database: 0 and -0. */
static void op_told(DbStmt *st, const RowOp *op)
{
    IndexTable table = op->row->table;
    if (op->born && table != INDEX_NUMBER && table != INDEX_QUANTITY) {
        db_row_is_new(st);
    }
}

static Status date_long_write(Db *db, const RowOp *op, Err *err)
{
    DbStmt *st = op->add
                     ? db_take(db, "INSERT OR IGNORE INTO date_long(param, nhi, nlo, rid)"
                                   " VALUES(?, ?, ?, ?)")
                     : db_take(db, "DELETE FROM date_long WHERE param = ? AND nhi = ? AND nlo = ?"
                                   " AND rid = ?");
    if (st) {
        db_bind_i64(st, 0, op->row->param);
        db_bind_i64(st, 1, op->row->b);
        db_bind_i64(st, 2, op->row->a);
        db_bind_i64(st, 3, op->rid);
        op_told(st, op);
    }
    return db_run(db, st, err);
}

static Status op_write(Phrases *phrases, Db *db, Arena *a, const RowOp *op, Err *err)
{
    if (row_is_text(op->row)) {
        return phrase_write(phrases, db, a, op->row, op->rid, op->add, err);
    }
    DbStmt *st = db_take(db, op->add ? sql_add[op->row->table] : sql_remove[op->row->table]);
    if (st) {
        row_bind(st, op);
        op_told(st, op);
    }
    TRY(db_run(db, st, err));
    if (op->row->table == INDEX_DATE && index_date_is_long(-op->row->a, -op->row->b)) {
        TRY(date_long_write(db, op, err));
    }
    return OK;
}

/* A display is nobody's own: written once for all, and kept. */
static bool op_is_void(const RowOp *ops, size_t i)
{
    return ops[i].row->table == INDEX_TERM &&
           (!ops[i].add ||
            (i > 0 && ops[i - 1].add && !index_row_order(ops[i - 1].row, ops[i].row)));
}

/* The same code of several resources at once: by how many more stand in its list. Codes are kept
 * when nobody has them. *ret_next: behind them. */
static Status codes_write(Db *db, const RowOp *ops, size_t n, size_t from, size_t *ret_next,
                          Err *err)
{
    int64_t more = 0;
    size_t i = from;
    for (; i < n && !index_row_order(ops[from].row, ops[i].row); i++) {
        more += ops[i].add ? 1 : -1;
    }
    *ret_next = i;
    if (more == 0) {
        return OK;
    }
    DbStmt *st = db_take(db, sql_add[INDEX_CODE]);
    if (st) {
        row_bind(st, &ops[from]);
        db_bind_i64(st, 3, more);
    }
    return db_run(db, st, err);
}

static size_t ops_make(Arena *a, const IndexMove *moves, size_t moves_n, RowOp **ret)
{
    size_t room = 0, n = 0;
    for (size_t i = 0; i < moves_n; i++) {
        room += (moves[i].old ? moves[i].old->rows_n : 0) +
                (moves[i].fresh ? moves[i].fresh->rows_n : 0);
    }
    RowOp *ops = arena_array(a, RowOp, room + 1);
    for (size_t i = 0; i < moves_n; i++) {
        n += ops_of_move(&moves[i], ops + n);
    }
    qsort(ops, n, sizeof *ops, op_order);
    *ret = ops;
    return n;
}

static Status ops_phrases(Db *db, Arena *a, const RowOp *ops, size_t n, Phrases **ret, Err *err)
{
    const IndexRow **rows = arena_array(a, const IndexRow *, n + 1);
    size_t rows_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (row_is_text(ops[i].row) && !op_is_void(ops, i)) {
            rows[rows_n++] = ops[i].row;
        }
    }
    return phrases_ask(db, a, rows, rows_n, ret, err);
}

static Status ops_write(Db *db, Arena *a, const IndexMove *moves, size_t moves_n, Err *err)
{
    RowOp *ops;
    Phrases *phrases = NULL;
    size_t n = ops_make(a, moves, moves_n, &ops);
    if (db_is_server(db)) {
        TRY(ops_phrases(db, a, ops, n, &phrases, err));
    }
    for (size_t i = 0, next; i < n; i = next) {
        next = i + 1;
        if (ops[i].row->table == INDEX_CODE) {
            TRY(codes_write(db, ops, n, i, &next, err));
        } else if (!op_is_void(ops, i)) {
            TRY(op_write(phrases, db, a, &ops[i], err));
        }
    }
    return phrases ? phrases_settle(phrases, db, a, err) : OK;
}

Status index_rows_add(Db *db, Arena *a, const IndexMove *moves, size_t n, Err *err)
{
    return ops_write(db, a, moves, n, err);
}

/* ---- Documents, changes, counters --------------------------------------------------------------
 */

static Status doc_write(Db *db, const IndexMove *m, Err *err)
{
    DbStmt *st;
    if (m->fresh) {
        st = db_take(db, "INSERT OR REPLACE INTO doc(rid, type, seq, nd, whose)"
                         " VALUES(?, ?, ?, ?, ?) /* EACH ONCE */");
    } else {
        st = db_take(db, "DELETE FROM doc WHERE rid = ?");
    }
    if (st) {
        db_bind_i64(st, 0, m->rid);
        if (m->fresh) {
            db_bind_i64(st, 1, type_number(m->fresh->type));
            db_bind_i64(st, 2, (int64_t)m->seq);
            db_bind_i64(st, 3, m->fresh->nd);
            db_bind_i64(st, 4, (int32_t)m->fresh->whose);
        }
        if (m->born) {
            db_row_is_new(st);
        }
    }
    return db_run(db, st, err);
}

static Status change_write(Db *db, const IndexChange *c, Err *err)
{
    DbStmt *st = db_take(db, "INSERT OR IGNORE INTO change(type, seq, rid) VALUES(?, ?, ?)");
    if (st) {
        db_bind_i64(st, 0, type_number(c->type));
        db_bind_i64(st, 1, (int64_t)c->seq);
        db_bind_i64(st, 2, c->rid);
        if (c->born) {
            db_row_is_new(st);
        }
    }
    return db_run(db, st, err);
}

static Status counters_write(Db *db, const IndexMove *moves, size_t n, Err *err)
{
    int64_t delta[256] = {0};
    for (size_t i = 0; i < n; i++) {
        if (moves[i].fresh && !moves[i].old) {
            delta[type_number(moves[i].fresh->type)]++;
        } else if (moves[i].old && !moves[i].fresh) {
            delta[type_number(moves[i].old->type)]--;
        }
    }
    for (unsigned t = 0; t < fhir_resource_count; t++) {
        if (delta[t] == 0) {
            continue;
        }
        DbStmt *st = db_take(db, "INSERT INTO counter(type, n) VALUES(?, ?) /* EACH ONCE */"
                                 " ON CONFLICT(type) DO UPDATE SET n = counter.n + excluded.n");
        if (st) {
            db_bind_i64(st, 0, t);
            db_bind_i64(st, 1, delta[t]);
        }
        TRY(db_run(db, st, err));
    }
    return OK;
}

Status index_meta_put(Db *db, const char *name, Str value, Err *err)
{
    DbStmt *st = db_take(db, "INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)");
    if (st) {
        db_bind_str(st, 0, str_from_c(name));
        db_bind_str(st, 1, value);
    }
    return db_run(db, st, err);
}

Status index_meta_get(Db *db, Arena *a, const char *name, Str *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT value FROM meta WHERE name = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_str(st, 0, str_from_c(name));
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW ? arena_str(a, db_col_str(st, 0)) : STR_NONE;
    db_give(st);
    return s;
}

Status index_seq_put(Db *db, Arena *a, uint64_t seq, Err *err)
{
    return index_meta_put(db, "seq", arena_printf(a, "%llu", (unsigned long long)seq), err);
}

Status index_write(Db *db, Arena *a, const IndexMove *moves, size_t moves_n,
                   const IndexChange *changes, size_t changes_n, uint64_t seq, Err *err)
{
    TRY(ops_write(db, a, moves, moves_n, err));
    for (size_t i = 0; i < moves_n; i++) {
        TRY(doc_write(db, &moves[i], err));
    }
    for (size_t i = 0; i < changes_n; i++) {
        TRY(change_write(db, &changes[i], err));
    }
    TRY(counters_write(db, moves, moves_n, err));
    return index_seq_put(db, a, seq, err);
}

Status index_apply(Db *db, Arena *a, const IndexMove *moves, size_t moves_n,
                   const IndexChange *changes, size_t changes_n, uint64_t seq, Err *err)
{
    TRY(db_begin(db, err));
    Status st = index_write(db, a, moves, moves_n, changes, changes_n, seq, err);
    st = st == OK ? db_commit(db, err) : st;
    if (st != OK) {
        db_abort(db);
    }
    return st;
}
