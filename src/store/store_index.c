/* The index: applied after the log's commit, caught up at open, built anew when its version
 * differs. */
#include <stdlib.h>
#include <unistd.h>

#include "fhir_extract.h"
#include "store_inner.h"

#include "mk_banned.h"

#define CATCH_UP_STEP 2000u
#define LAYOUT        "menkou-index-1"

/* What the rows depend on: the layout, the parameters with extractor and date table, the key. */
Str index_version_text(const Store *s, Arena *a)
{
    Str key = {(const char *)&s->hash_key, sizeof s->hash_key};
    Str numbers = arena_printf(a, "%d %d", FHIR_EXTRACT_VERSION, s->options.zone_min);
    Str parts[] = {STR(LAYOUT), str_from_c(fhir_params_digest), key, numbers};
    Sha256 digest = sha256_parts(parts, sizeof parts / sizeof *parts);
    return hex_encode(a, digest.b, sizeof digest.b);
}

/* ---- Rows in and out --------------------------------------------------------------------- */

typedef struct RowOp {
    const IndexRow *row;
    int64_t rid, nd;
    bool add;
} RowOp;

static int op_order(const void *x, const void *y)
{
    const RowOp *p = x, *q = y;
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
            ops[n++] = (RowOp){x, m->rid, m->old->nd, false};
            i++;
        }
        if (c >= 0) {
            ops[n++] = (RowOp){y, m->rid, m->fresh->nd, true};
            j++;
        }
    }
    return n;
}

static const char *const sql_add[INDEX_TABLES] = {
    [INDEX_TOKEN] = "INSERT OR IGNORE INTO token(param, hash, nd, rid) VALUES(?, ?, ?, ?)",
    [INDEX_REF] = "INSERT OR IGNORE INTO ref(param, hash, nd, rid) VALUES(?, ?, ?, ?)",
    [INDEX_DATE] = "INSERT OR IGNORE INTO date(param, nlo, nhi, rid) VALUES(?, ?, ?, ?)",
    [INDEX_STRING] = "INSERT OR IGNORE INTO string(param, value, rid) VALUES(?, ?, ?)",
    [INDEX_NUMBER] = "INSERT OR IGNORE INTO number(param, lo, hi, rid) VALUES(?, ?, ?, ?)",
    [INDEX_QUANTITY] =
        "INSERT OR IGNORE INTO quantity(param, lo, hi, unit, rid) VALUES(?, ?, ?, ?, ?)",
    [INDEX_URI] = "INSERT OR IGNORE INTO uri(param, value, rid) VALUES(?, ?, ?)",
    [INDEX_COMPARTMENT] = "INSERT OR IGNORE INTO compartment(type, patient, code, nd, rid)"
                          " VALUES(?, ?, ?, ?, ?)",
};

static const char *const sql_remove[INDEX_TABLES] = {
    [INDEX_TOKEN] = "DELETE FROM token WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_REF] = "DELETE FROM ref WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_DATE] = "DELETE FROM date WHERE param = ? AND nlo = ? AND nhi = ? AND rid = ?",
    [INDEX_STRING] = "DELETE FROM string WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_NUMBER] = "DELETE FROM number WHERE param = ? AND lo = ? AND hi = ? AND rid = ?",
    [INDEX_QUANTITY] = "DELETE FROM quantity WHERE param = ? AND lo = ? AND hi = ? AND unit = ?"
                       " AND rid = ?",
    [INDEX_URI] = "DELETE FROM uri WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_COMPARTMENT] = "DELETE FROM compartment WHERE type = ? AND patient = ? AND code = ?"
                          " AND nd = ? AND rid = ?",
};

static int row_bind(DbStmt *st, const RowOp *op)
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
        db_bind_i64(st, i++, r->b);
        break;
    case INDEX_STRING:
    case INDEX_URI:
        db_bind_str(st, i++, r->text);
        break;
    case INDEX_NUMBER:
    case INDEX_QUANTITY:
        db_bind_double(st, i++, r->lo);
        db_bind_double(st, i++, r->hi);
        if (r->table == INDEX_QUANTITY) {
            db_bind_i64(st, i++, r->a);
        }
        break;
    case INDEX_COMPARTMENT:
        db_bind_i64(st, i++, r->a);
        db_bind_i64(st, i++, r->b);
        db_bind_i64(st, i++, op->nd);
        break;
    case INDEX_TABLES:
        break;
    }
    db_bind_i64(st, i, op->rid);
    return i;
}

static const char *const sql_find[INDEX_TABLES] = {
    [INDEX_TOKEN] = "SELECT 1 FROM token WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_REF] = "SELECT 1 FROM ref WHERE param = ? AND hash = ? AND nd = ? AND rid = ?",
    [INDEX_DATE] = "SELECT 1 FROM date WHERE param = ? AND nlo = ? AND nhi = ? AND rid = ?",
    [INDEX_STRING] = "SELECT 1 FROM string WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_NUMBER] = "SELECT 1 FROM number WHERE param = ? AND lo = ? AND hi = ? AND rid = ?",
    [INDEX_QUANTITY] = "SELECT 1 FROM quantity WHERE param = ? AND lo = ? AND hi = ? AND unit = ?"
                       " AND rid = ?",
    [INDEX_URI] = "SELECT 1 FROM uri WHERE param = ? AND value = ? AND rid = ?",
    [INDEX_COMPARTMENT] = "SELECT 1 FROM compartment WHERE type = ? AND patient = ? AND code = ?"
                          " AND nd = ? AND rid = ?",
};

static Status row_exists(Db *db, const RowOp *op, bool *ret, Err *err)
{
    DbStmt *st = db_take(db, sql_find[op->row->table]);
    if (!st) {
        return db_failed(db, err);
    }
    row_bind(st, op);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW;
    db_give(st);
    return s;
}

Status index_doc_same(Db *db, int64_t rid, uint64_t seq, const IndexDoc *doc, bool *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT 1 FROM doc WHERE rid = ? AND seq = ? AND nd = ? AND type = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, rid);
    db_bind_i64(st, 1, (int64_t)seq);
    db_bind_i64(st, 2, doc->nd);
    db_bind_i64(st, 3, type_number(doc->type));
    *ret = db_step(st) == DB_ROW;
    db_give(st);
    for (size_t i = 0; i < doc->rows_n && *ret; i++) {
        RowOp op = {&doc->rows[i], rid, doc->nd, true};
        TRY(row_exists(db, &op, ret, err));
    }
    return OK;
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
    }
    return db_run(db, st, err);
}

static Status op_write(Db *db, const RowOp *op, Err *err)
{
    DbStmt *st = db_take(db, op->add ? sql_add[op->row->table] : sql_remove[op->row->table]);
    if (st) {
        row_bind(st, op);
    }
    TRY(db_run(db, st, err));
    if (op->row->table == INDEX_DATE && index_date_is_long(-op->row->a, -op->row->b)) {
        TRY(date_long_write(db, op, err));
    }
    return OK;
}

static Status ops_write(Db *db, Arena *a, const IndexMove *moves, size_t moves_n, Err *err)
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
    for (size_t i = 0; i < n; i++) {
        TRY(op_write(db, &ops[i], err));
    }
    return OK;
}

/* ---- Documents, changes, counters --------------------------------------------------------------
 */

static Status doc_write(Db *db, const IndexMove *m, Err *err)
{
    DbStmt *st;
    if (m->fresh) {
        st = db_take(db, "INSERT OR REPLACE INTO doc(rid, type, seq, nd) VALUES(?, ?, ?, ?)");
    } else {
        st = db_take(db, "DELETE FROM doc WHERE rid = ?");
    }
    if (st) {
        db_bind_i64(st, 0, m->rid);
        if (m->fresh) {
            db_bind_i64(st, 1, type_number(m->fresh->type));
            db_bind_i64(st, 2, (int64_t)m->seq);
            db_bind_i64(st, 3, m->fresh->nd);
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
        DbStmt *st = db_take(db, "INSERT INTO counter(type, n) VALUES(?, ?)"
                                 " ON CONFLICT(type) DO UPDATE SET n = n + excluded.n");
        if (st) {
            db_bind_i64(st, 0, t);
            db_bind_i64(st, 1, delta[t]);
        }
        TRY(db_run(db, st, err));
    }
    return OK;
}

static Status meta_put(Db *db, const char *name, Str value, Err *err)
{
    DbStmt *st = db_take(db, "INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)");
    if (st) {
        db_bind_str(st, 0, str_from_c(name));
        db_bind_str(st, 1, value);
    }
    return db_run(db, st, err);
}

static Status meta_get(Db *db, Arena *a, const char *name, Str *ret, Err *err)
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

static Status seq_put(Db *db, Arena *a, uint64_t seq, Err *err)
{
    return meta_put(db, "seq", arena_printf(a, "%llu", (unsigned long long)seq), err);
}

static Status apply_inside(Db *db, Arena *a, const IndexMove *moves, size_t moves_n,
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
    TRY(seq_put(db, a, seq, err));
    return db_commit(db, err);
}

Status index_apply(Store *s, Db *db, Arena *a, const IndexMove *moves, size_t moves_n,
                   const IndexChange *changes, size_t changes_n, uint64_t seq, Err *err)
{
    (void)s;
    TRY(db_begin(db, err));
    Status st = apply_inside(db, a, moves, moves_n, changes, changes_n, seq, err);
    if (st != OK) {
        db_abort(db);
    }
    return st;
}

/* ---- Catching up ------------------------------------------------------------------------------
 */

Status index_doc_at(const Store *s, Db *log, BodyCodec *c, Arena *a, const FhirType *type,
                    uint64_t seq, const IndexDoc **ret, Err *err)
{
    Str body;
    TRY(version_body(s, log, c, a, seq, &body, err));
    if (str_empty(body)) {
        *ret = NULL;
        return OK;
    }
    IndexDoc *doc = arena_new(a, IndexDoc);
    TRY(index_extract(s, a, type, body, doc, err));
    *ret = doc;
    return OK;
}

typedef struct Missed {
    int64_t rid;
    uint64_t seq;
    const FhirType *type;
} Missed;

static int missed_order(const void *x, const void *y)
{
    const Missed *p = x, *q = y;
    return p->rid < q->rid ? -1 : p->rid > q->rid ? 1 : p->seq < q->seq ? -1 : p->seq > q->seq;
}

static Status missed_read(Store *s, uint64_t after, Missed *list, size_t *ret_n, Err *err)
{
    DbStmt *st =
        db_take(s->log, "SELECT v.rid, v.seq, h.type FROM version v"
                        " JOIN head h ON h.rid = v.rid WHERE v.seq > ? ORDER BY v.seq LIMIT ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    db_bind_i64(st, 1, CATCH_UP_STEP);
    DbStep step;
    size_t n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        list[n++] = (Missed){.rid = db_col_i64(st, 0),
                             .seq = (uint64_t)db_col_i64(st, 1),
                             .type = fhir_resource_at((unsigned)db_col_i64(st, 2))};
    }
    Status status = step == DB_NONE ? OK : db_failed(s->log, err);
    db_give(st);
    *ret_n = n;
    return status;
}

static Status indexed_seq(Db *db, int64_t rid, uint64_t *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, rid);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

/* One step: versions after `after`, at most CATCH_UP_STEP, each resource from what the index has to
 * the last. */
static Status catch_up_step(Store *s, Db *db, Arena *a, uint64_t after, uint64_t *ret_seq, Err *err)
{
    Missed *list = arena_array(a, Missed, CATCH_UP_STEP);
    IndexChange *changes = arena_array(a, IndexChange, CATCH_UP_STEP);
    IndexMove *moves = arena_array(a, IndexMove, CATCH_UP_STEP);
    size_t n = 0, m = 0;
    TRY(missed_read(s, after, list, &n, err));
    uint64_t last = n ? list[n - 1].seq : after;
    for (size_t i = 0; i < n; i++) {
        changes[i] = (IndexChange){list[i].type, list[i].seq, list[i].rid};
    }
    qsort(list, n, sizeof *list, missed_order);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && list[i + 1].rid == list[i].rid) {
            continue;
        }
        uint64_t indexed = 0;
        moves[m] = (IndexMove){.rid = list[i].rid, .seq = list[i].seq};
        TRY(indexed_seq(db, list[i].rid, &indexed, err));
        if (indexed) {
            TRY(index_doc_at(s, s->log, &s->codec, a, list[i].type, indexed, &moves[m].old, err));
        }
        TRY(index_doc_at(s, s->log, &s->codec, a, list[i].type, list[i].seq, &moves[m].fresh, err));
        m++;
    }
    *ret_seq = last;
    return n ? index_apply(s, db, a, moves, m, changes, n, last, err) : OK;
}

Status index_catch_up(Store *s, Db *db, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Str text;
    int64_t seq;
    Status st = meta_get(db, &a, "seq", &text, err);
    if (st == OK && !str_to_i64(text, &seq)) {
        seq = 0;
    }
    while (st == OK && (uint64_t)seq < s->seq) {
        uint64_t to;
        st = catch_up_step(s, db, &a, (uint64_t)seq, &to, err);
        mk_check(st != OK || to > (uint64_t)seq);
        seq = st == OK ? (int64_t)to : seq;
        arena_reset(&a);
    }
    arena_done(&a);
    return st;
}

/* ---- Building anew ------------------------------------------------------------------------------
 */

static void index_unlink(const Store *s, const char *name)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    Arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < 3; i++) {
        unlink(arena_printf(&a, "%.*s/%s%s", STR_ARG(s->dir), name, tails[i]).p);
    }
    arena_done(&a);
}

static Status build_rows(Store *s, Db *db, StoreProgress *progress, void *ctx, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status st = OK;
    for (uint64_t seq = 0, to = 0; st == OK && seq < s->seq; seq = to) {
        st = catch_up_step(s, db, &a, seq, &to, err);
        arena_reset(&a);
        if (progress) {
            progress(ctx, "index", to, s->seq);
        }
    }
    arena_done(&a);
    return st;
}

static Status build_beside(Store *s, Db *db, StoreProgress *progress, void *ctx, Err *err)
{
    Arena a;
    int left;
    arena_init(&a, 0);
    Status st = index_migrate(db, err);
    st = st == OK ? meta_put(db, "version", index_version_text(s, &a), err) : st;
    st = st == OK ? seq_put(db, &a, 0, err) : st;
    st = st == OK ? build_rows(s, db, progress, ctx, err) : st;
    st = st == OK ? db_sync_set(db, DB_SYNC_FULL, err) : st;
    st = st == OK ? db_checkpoint(db, false, &left, err) : st;
    arena_done(&a);
    return st;
}

static Status index_swap(Store *s, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    db_close(s->index);
    s->index = NULL;
    index_unlink(s, "index.db");
    const char *from = path_join(&a, s->dir, STR("index-new.db")).p;
    const char *to = path_join(&a, s->dir, STR("index.db")).p;
    Status st = rename(from, to) == 0
                    ? dir_sync(s->dir.p, err)
                    : err_add(err, ERR_INTERNAL, NULL, s->dir, "无法换上新建的索引",
                              "The new index cannot be put in place");
    arena_done(&a);
    TRY(st);
    atomic_fetch_add(&s->index_generation, 1);
    return store_db_open(s, "index.db", s->temporary ? DB_SYNC_OFF : DB_SYNC_NORMAL, false,
                         &s->index, err);
}

Status index_build(Store *s, StoreProgress *progress, void *ctx, Err *err)
{
    Db *db = NULL;
    index_unlink(s, "index-new.db");
    TRY(store_db_open(s, "index-new.db", DB_SYNC_OFF, true, &db, err));
    Status st = build_beside(s, db, progress, ctx, err);
    db_close(db);
    if (st != OK) {
        index_unlink(s, "index-new.db");
        return st;
    }
    return index_swap(s, err);
}

/* Usable: ours, of this version, and not ahead of the log (which a restored log would be behind).
 */
static bool index_is_usable(Store *s, Arena *a)
{
    Str version, text;
    int64_t seq;
    if (index_migrate(s->index, NULL) != OK ||
        meta_get(s->index, a, "version", &version, NULL) != OK ||
        meta_get(s->index, a, "seq", &text, NULL) != OK) {
        return false;
    }
    return str_eq(version, index_version_text(s, a)) && str_to_i64(text, &seq) &&
           (uint64_t)seq <= s->seq;
}

Status index_open(Store *s, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    DbSync sync = s->temporary ? DB_SYNC_OFF : DB_SYNC_NORMAL;
    index_unlink(s, "index-new.db");
    bool usable =
        store_db_open(s, "index.db", sync, true, &s->index, NULL) == OK && index_is_usable(s, &a);
    arena_done(&a);
    if (usable) {
        return index_catch_up(s, s->index, err);
    }
    if (s->seq > 0) {
        log_info("store", "building the index of %llu versions", (unsigned long long)s->seq);
    }
    return index_build(s, NULL, NULL, err);
}
