/* The index: what a group of changes does to its rows, in one transaction. */
#include "db_feed.h"
#include "store_inner.h"
#include "store_ops.h"

#include "mk_banned.h"

/* ---- Rows in and out --------------------------------------------------------------------- */

#define ADD(into, marks, n) DB_FEED_INTO("INSERT OR IGNORE INTO " into, marks, n)

static const struct {
    DbFeedSql sql;
    int columns;
} adds[INDEX_TABLES] = {
    [INDEX_TOKEN] = {ADD("token(param, hash, nd, rid)", "?, ?, ?, ?", 4), 4},
    [INDEX_REF] = {ADD("ref(param, hash, nd, rid)", "?, ?, ?, ?", 4), 4},
    [INDEX_DATE] = {ADD("date(param, nlo, span, rid)", "?, ?, ?, ?", 4), 4},
    [INDEX_STRING] = {ADD("string(param, value, rid)", "?, ?, ?", 3), 3},
    [INDEX_NUMBER] = {ADD("number(param, lo, hi, rid)", "?, ?, ?, ?", 4), 4},
    [INDEX_QUANTITY] = {ADD("quantity(param, lo, hi, unit, rid)", "?, ?, ?, ?, ?", 5), 5},
    [INDEX_URI] = {ADD("uri(param, value, rid)", "?, ?, ?", 3), 3},
    [INDEX_COMPARTMENT] = {ADD("compartment(type, patient, code, nd, rid)", "?, ?, ?, ?, ?", 5), 5},
};

static const DbFeedSql add_long = ADD("date_long(param, nhi, nlo, rid)", "?, ?, ?, ?", 4);

/* Its count is added to. */
static const char sql_code[] =
    "INSERT INTO code(param, code, token, n) VALUES(?, ?, ?, ?) /* EACH ONCE */"
    " ON CONFLICT(param, code, token) DO UPDATE SET n = code.n + excluded.n";

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

static DbValue value_i64(int64_t v)
{
    return (DbValue){.kind = DB_I64, .i = v};
}

static DbValue value_double(double v)
{
    return (DbValue){.kind = DB_DOUBLE, .d = v};
}

/* In the order of the statements' columns; returns how many. */
static int row_values(const RowOp *op, DbValue *v)
{
    const IndexRow *r = op->row;
    int n = 0;
    v[n++] = value_i64(r->param);
    switch (r->table) {
    case INDEX_TOKEN:
    case INDEX_REF:
        v[n++] = value_i64(r->a);
        v[n++] = value_i64(op->nd);
        break;
    case INDEX_DATE:
        v[n++] = value_i64(r->a);
        v[n++] = value_i64(index_date_span(r->a, r->b));
        break;
    case INDEX_STRING:
    case INDEX_URI:
        v[n++] = (DbValue){.kind = DB_TEXT, .s = r->text};
        break;
    case INDEX_NUMBER:
    case INDEX_QUANTITY:
        v[n++] = value_double(r->lo);
        v[n++] = value_double(row_is_point(r) ? INDEX_POINT : r->hi);
        if (r->table == INDEX_QUANTITY) {
            v[n++] = value_i64(r->a);
        }
        break;
    case INDEX_COMPARTMENT:
        v[n++] = value_i64(r->a);
        v[n++] = value_i64(r->b);
        v[n++] = value_i64(op->nd);
        break;
    case INDEX_CODE:
        v[n++] = value_i64(r->a);
        v[n++] = value_i64(r->b);
        return n;
    case INDEX_PHRASE:
    case INDEX_TERM:
    case INDEX_TABLES:
        break;
    }
    v[n++] = value_i64(op->rid);
    return n;
}

static void row_bind(DbStmt *st, const RowOp *op)
{
    DbValue v[DB_FEED_COLUMNS];
    int n = row_values(op, v);
    for (int i = 0; i < n; i++) {
        db_bind_value(st, i, &v[i]);
    }
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

/* ---- What comes ------------------------------------------------------------------------------ */

/* Operations of one table that are to be fed. */
typedef struct OpFeed {
    const RowOp *const *at;
    size_t n;
} OpFeed;

/* Numbers may differ and be the same to the database: 0 and -0. */
static bool op_is_new(const RowOp *op)
{
    IndexTable table = op->row->table;
    return op->born && table != INDEX_NUMBER && table != INDEX_QUANTITY;
}

static bool feed_row(void *ctx, DbValue *row)
{
    OpFeed *f = ctx;
    if (f->n == 0) {
        return false;
    }
    row_values(*f->at, row);
    row[0].is_new = op_is_new(*f->at);
    f->at++;
    f->n--;
    return true;
}

static bool date_is_long(const IndexRow *row)
{
    return index_date_is_long(-row->a, -row->b);
}

static bool feed_long(void *ctx, DbValue *row)
{
    OpFeed *f = ctx;
    while (f->n && !date_is_long((*f->at)->row)) {
        f->at++;
        f->n--;
    }
    if (f->n == 0) {
        return false;
    }
    const RowOp *op = *f->at;
    row[0] = value_i64(op->row->param);
    row[1] = value_i64(op->row->b);
    row[2] = value_i64(op->row->a);
    row[3] = value_i64(op->rid);
    row[0].is_new = op_is_new(op);
    f->at++;
    f->n--;
    return true;
}

static Status ops_add(Db *db, IndexTable table, OpFeed ops, Err *err)
{
    OpFeed again = ops;
    TRY(db_feed(db, &adds[table].sql, adds[table].columns, feed_row, &ops, err));
    return table == INDEX_DATE ? db_feed(db, &add_long, 4, feed_long, &again, err) : OK;
}

/* ---- What goes, texts and codes -------------------------------------------------------------- */

static Status date_long_remove(Db *db, const RowOp *op, Err *err)
{
    DbStmt *st = db_take(db, "DELETE FROM date_long WHERE param = ? AND nhi = ? AND nlo = ?"
                             " AND rid = ?");
    if (st) {
        db_bind_i64(st, 0, op->row->param);
        db_bind_i64(st, 1, op->row->b);
        db_bind_i64(st, 2, op->row->a);
        db_bind_i64(st, 3, op->rid);
    }
    return db_run(db, st, err);
}

static Status op_remove(Db *db, const RowOp *op, Err *err)
{
    DbStmt *st = db_take(db, sql_remove[op->row->table]);
    if (st) {
        row_bind(st, op);
    }
    TRY(db_run(db, st, err));
    return op->row->table == INDEX_DATE && date_is_long(op->row) ? date_long_remove(db, op, err)
                                                                 : OK;
}

/* A display is nobody's own: written once for all, and kept. */
static bool op_is_void(const RowOp *const *ops, size_t i)
{
    return ops[i]->row->table == INDEX_TERM &&
           (!ops[i]->add ||
            (i > 0 && ops[i - 1]->add && !index_row_order(ops[i - 1]->row, ops[i]->row)));
}

/* The same code of several resources at once: by how many more stand in its list. Codes are kept
 * when nobody has them. *ret_next: behind them. */
static Status codes_write(Db *db, const RowOp *const *ops, size_t n, size_t from, size_t *ret_next,
                          Err *err)
{
    int64_t more = 0;
    size_t i = from;
    for (; i < n && !index_row_order(ops[from]->row, ops[i]->row); i++) {
        more += ops[i]->add ? 1 : -1;
    }
    *ret_next = i;
    if (more == 0) {
        return OK;
    }
    DbStmt *st = db_take(db, sql_code);
    if (st) {
        row_bind(st, ops[from]);
        db_bind_i64(st, 3, more);
    }
    return db_run(db, st, err);
}

static Status ops_phrases(Db *db, Arena *a, const RowOp *const *ops, size_t n, Phrases **ret,
                          Err *err)
{
    const IndexRow **rows = arena_array(a, const IndexRow *, n + 1);
    size_t rows_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (row_is_text(ops[i]->row) && !op_is_void(ops, i)) {
            rows[rows_n++] = ops[i]->row;
        }
    }
    return phrases_ask(db, a, rows, rows_n, ret, err);
}

/* Behind what is of the same table and comes, as that at `from` does. */
static size_t adds_end(const RowOp *const *ops, size_t n, size_t from)
{
    size_t i = from;
    while (i < n && ops[i]->add && ops[i]->row->table == ops[from]->row->table) {
        i++;
    }
    return i;
}

static Status ops_write(Db *db, Arena *a, const IndexMove *moves, size_t moves_n, Err *err)
{
    const RowOp *const *ops;
    Phrases *phrases;
    size_t n = row_ops_make(a, moves, moves_n, &ops);
    TRY(ops_phrases(db, a, ops, n, &phrases, err));
    for (size_t i = 0, next; i < n; i = next) {
        const RowOp *op = ops[i];
        next = i + 1;
        if (op->row->table == INDEX_CODE) {
            TRY(codes_write(db, ops, n, i, &next, err));
        } else if (row_is_text(op->row)) {
            TRY(op_is_void(ops, i) ? OK
                                   : phrase_write(phrases, db, a, op->row, op->rid, op->add, err));
        } else if (op->add) {
            next = adds_end(ops, n, i);
            TRY(ops_add(db, op->row->table, (OpFeed){ops + i, next - i}, err));
        } else {
            TRY(op_remove(db, op, err));
        }
    }
    return phrases_settle(phrases, db, a, err);
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

typedef struct ChangeFeed {
    const IndexChange *at;
    size_t n;
} ChangeFeed;

static bool feed_change(void *ctx, DbValue *row)
{
    ChangeFeed *f = ctx;
    if (f->n == 0) {
        return false;
    }
    row[0] = value_i64(type_number(f->at->type));
    row[1] = value_i64((int64_t)f->at->seq);
    row[2] = value_i64(f->at->rid);
    row[0].is_new = f->at->born;
    f->at++;
    f->n--;
    return true;
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
    static const DbFeedSql add = ADD("change(type, seq, rid)", "?, ?, ?", 3);
    ChangeFeed feed = {changes, changes_n};
    TRY(db_feed(db, &add, 3, feed_change, &feed, err));
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
