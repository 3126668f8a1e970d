/*
 * The rows of the index that answer a condition, each kind from its own table; what the table
 * cannot say exactly is compared here.
 */
#include "store_posting.h"
#include "store_range.h"

#include "mk_banned.h"

static void candidates_add(Arena *a, Candidates *c, Candidate x)
{
    if (c->n == c->room) {
        size_t room = c->room ? c->room * 2 : 256;
        Candidate *more = arena_array(a, Candidate, room);
        if (c->n) {
            memcpy(more, c->at, c->n * sizeof *more);
        }
        c->at = more;
        c->room = room;
    }
    c->at[c->n++] = x;
}

void posting_pass(Postings *rows)
{
    Budget *b = rows->run->budget;
    b->rows--;
    bool late = b->rows % BUDGET_LOOK_ROWS == 0 && time_mono_us() > b->until_us;
    rows->full = rows->full || late || b->rows < 0;
}

void posting_take(Postings *rows, Candidate x)
{
    if (rows->within && !own_has_rid(rows->within, x.rid)) {
        posting_pass(rows);
        return;
    }
    rows->n++;
    rows->full = rows->n >= rows->limit;
    if (rows->bits) {
        rows->bits[x.rid / 64] |= 1ull << x.rid % 64;
    } else {
        candidates_add(rows->run->arena, rows->out, x);
    }
}

/* A row of index.db: of a resource that the delta names, it is stale. */
static void posting_take_row(Postings *rows, Candidate x)
{
    if (delta_moved(&rows->run->reader->delta, x.rid)) {
        posting_pass(rows);
        return;
    }
    posting_take(rows, x);
}

static DeltaRows posting_delta(const Postings *rows, IndexTable table, uint32_t param, int64_t a)
{
    return delta_rows(&rows->run->reader->delta, table, param, a);
}

/* What the delta has of a list that tells the clinical date. */
static Status delta_postings(Postings *rows, IndexTable table, uint32_t param, int64_t hash,
                             Err *err)
{
    DeltaRows list = posting_delta(rows, table, param, hash);
    int64_t before = rows->n;
    for (const DeltaRow *r; !rows->full && (r = delta_next(&list)) != NULL;) {
        posting_take(rows, (Candidate){r->doc->doc->nd, r->doc->rid});
    }
    return run_charge(rows->run, rows->n - before, err);
}

/* code NULL: all that a patient has of the type. */
static Status delta_compartment(Postings *rows, const Source *src, int64_t patient,
                                const int64_t *code, Err *err)
{
    int64_t links = src->kind == SOURCE_PATIENTS ? INDEX_OTHER_LINK : 0;
    DeltaRows list = posting_delta(rows, INDEX_COMPARTMENT, 0, patient);
    uint32_t type = (uint32_t)type_number(rows->run->query->type);
    int64_t before = rows->n;
    for (const DeltaRow *r; !rows->full && (r = delta_next(&list)) != NULL;) {
        if (r->row->param == type && (!code || (r->row->b & ~links) == *code)) {
            posting_take(rows, (Candidate){r->doc->doc->nd, r->doc->rid});
        }
    }
    return run_charge(rows->run, rows->n - before, err);
}

static Status rows_end(Postings *rows, DbStmt *st, DbStep step, int64_t before, Err *err)
{
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(rows->run->reader->index, err) : OK;
    db_give(st);
    TRY(s);
    return run_charge(rows->run, rows->n - before, err);
}

/* Statements that give (nd, rid). */
Status posting_statement(Postings *rows, DbStmt *st, Err *err)
{
    if (!st) {
        return db_failed(rows->run->reader->index, err);
    }
    int64_t before = rows->n;
    DbStep step = DB_NONE;
    while (!rows->full && (step = db_step(st)) == DB_ROW) {
        posting_take_row(rows, (Candidate){db_col_i64(st, 0), db_col_i64(st, 1)});
    }
    return rows_end(rows, st, step, before, err);
}

Status posting_hashes(Postings *rows, IndexTable table, uint32_t param, const int64_t *hash,
                      size_t n, Err *err)
{
    Db *db = rows->run->reader->index;
    for (size_t i = 0; i < n && !rows->full; i++) {
        DbStmt *st = table == INDEX_TOKEN
                         ? db_take(db, "SELECT nd, rid FROM token WHERE param = ? AND hash = ?")
                         : db_take(db, "SELECT nd, rid FROM ref WHERE param = ? AND hash = ?");
        if (st) {
            db_bind_i64(st, 0, param);
            db_bind_i64(st, 1, hash[i]);
        }
        TRY(posting_statement(rows, st, err));
        TRY(delta_postings(rows, table, param, hash[i], err));
    }
    return OK;
}

/* All that a patient has of the type; not in order, since each code is a list of its own. */
Status posting_patients(Postings *rows, const Source *src, Err *err)
{
    if (rows->run->query->type == fhir_resource_find(STR("Patient"))) {
        int64_t before = rows->n;
        for (int64_t rid = 0; (rid = own_next_rid(src->own, rid)) > 0 && !rows->full;) {
            posting_take(rows, (Candidate){ND_NONE, rid});
        }
        return run_charge(rows->run, rows->n - before, err);
    }
    for (size_t i = 0; i < src->patient_n && !rows->full; i++) {
        DbStmt *st = db_take(rows->run->reader->index,
                             "SELECT nd, rid FROM compartment WHERE patient = ? AND type = ?");
        if (st) {
            db_bind_i64(st, 0, src->patient[i]);
            db_bind_i64(st, 1, type_number(rows->run->query->type));
        }
        TRY(posting_statement(rows, st, err));
        TRY(delta_compartment(rows, src, src->patient[i], NULL, err));
    }
    return OK;
}

/* What the caller's patients have, by whatever link. */
static DbStmt *compartment_stmt(const Run *r, const Source *src)
{
    Db *db = r->reader->index;
    return src->kind == SOURCE_PATIENTS
               ? db_take(db, "SELECT nd, rid FROM compartment WHERE patient = ?"
                             " AND type = ? AND code BETWEEN ?3 AND ?3 + 1")
               : db_take(db, "SELECT nd, rid FROM compartment WHERE patient = ?"
                             " AND type = ? AND code = ?");
}

Status posting_compartments(Postings *rows, const Source *src, Err *err)
{
    for (size_t i = 0; i < src->patient_n && !rows->full; i++) {
        for (size_t j = 0; j < src->code_n && !rows->full; j++) {
            DbStmt *st = compartment_stmt(rows->run, src);
            if (st) {
                db_bind_i64(st, 0, src->patient[i]);
                db_bind_i64(st, 1, type_number(rows->run->query->type));
                db_bind_i64(st, 2, src->code[j]);
            }
            TRY(posting_statement(rows, st, err));
            TRY(delta_compartment(rows, src, src->patient[i], &src->code[j], err));
        }
    }
    return OK;
}

static Status text_rows(Postings *rows, const Test *t, uint32_t param, const QueryValue *v,
                        Err *err)
{
    Db *db = rows->run->reader->index;
    const Clause *c = t->clause;
    bool uri = c->kind == CLAUSE_URI;
    bool scan = c->modifier == MODIFIER_CONTAINS || c->modifier == MODIFIER_TEXT ||
                c->modifier == MODIFIER_ABOVE;
    DbStmt *st =
        uri ? db_take(db, "SELECT value, rid FROM uri WHERE param = ? AND value >= ? AND value < ?")
            : db_take(db,
                      "SELECT value, rid FROM string WHERE param = ? AND value >= ? AND value < ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, param);
    db_bind_str(st, 1, scan ? STR("") : v->text);
    db_bind_str(st, 2, scan ? STR("\xff") : posting_prefix_end(rows->run->arena, v->text));
    int64_t before = rows->n;
    DbStep step = DB_NONE;
    while (!rows->full && (step = db_step(st)) == DB_ROW) {
        if (query_text_matches(c, v, db_col_str(st, 0))) {
            posting_take_row(rows, (Candidate){ND_NONE, db_col_i64(st, 1)});
        } else {
            posting_pass(rows);
        }
    }
    return rows_end(rows, st, step, before, err);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Dates, numbers, quantities and measures. */
static Status posting_ranges(Postings *rows, const Test *t, Err *err)
{
    RangeWalk w;
    RangePlace at;
    bool more = true;
    Status s = OK;
    ranges_open(rows->run, t, NULL, &w);
    while (s == OK && more && !rows->full) {
        s = ranges_next(&w, &at, &more, err);
        if (s == OK && more) {
            posting_take(rows, (Candidate){ND_NONE, at.rid});
        }
    }
    ranges_close(&w);
    return s;
}

/* The first seq written at or after a time: `at` never goes backwards and seq has no gaps. */
static Status seq_at(Run *r, int64_t ms, int64_t *ret, Err *err)
{
    int64_t low = 1, high;
    TRY(db_get_i64(r->reader->log, "SELECT max(seq) + 1 FROM version", 1, &high, err));
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        DbStmt *st = db_take(r->reader->log,
                             "SELECT t.at FROM version v JOIN tx t ON t.tx = v.tx WHERE v.seq = ?");
        if (!st) {
            return db_failed(r->reader->log, err);
        }
        db_bind_i64(st, 0, middle);
        bool before = db_step(st) == DB_ROW && db_col_i64(st, 0) < ms;
        db_give(st);
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    *ret = low;
    return OK;
}

/* The versions of the log from seq `from` to before `to`. */
static Status delta_updated(Postings *rows, int64_t from, int64_t to, Err *err)
{
    const DeltaView *delta = &rows->run->reader->delta;
    const DeltaDoc *d =
        delta_change_after(delta, rows->run->query->type, from > 0 ? (uint64_t)from - 1 : 0);
    int64_t before = rows->n;
    for (; d && d->seq < (uint64_t)to && !rows->full;
         d = delta_change_after(delta, rows->run->query->type, d->seq)) {
        if (delta_is_head(delta, d)) {
            posting_take(rows, (Candidate){0, d->rid});
        }
    }
    return run_charge(rows->run, rows->n - before, err);
}

static Status updated_rows(Postings *rows, const QueryValue *v, Err *err)
{
    bool after = v->prefix == PREFIX_GT || v->prefix == PREFIX_SA;
    bool from_start = v->prefix == PREFIX_LT || v->prefix == PREFIX_LE || v->prefix == PREFIX_EB ||
                      v->prefix == PREFIX_NE || v->prefix == PREFIX_AP;
    bool to_end =
        after || v->prefix == PREFIX_GE || v->prefix == PREFIX_NE || v->prefix == PREFIX_AP;
    bool before = v->prefix == PREFIX_LT || v->prefix == PREFIX_EB;
    int64_t from = 0, to = INT64_MAX;
    if (!from_start) {
        TRY(seq_at(rows->run, after ? v->hi : v->lo, &from, err));
    }
    if (!to_end) {
        TRY(seq_at(rows->run, before ? v->lo : v->hi, &to, err));
    }
    DbStmt *st = db_take(rows->run->reader->index,
                         "SELECT 0, rid FROM change WHERE type = ? AND seq >= ? AND seq < ?");
    if (st) {
        db_bind_i64(st, 0, type_number(rows->run->query->type));
        db_bind_i64(st, 1, from);
        db_bind_i64(st, 2, to);
    }
    TRY(posting_statement(rows, st, err));
    return delta_updated(rows, from, to, err);
}

/* ---- One test's rows
 * ----------------------------------------------------------------------------- */

static Status delta_strings(Postings *rows, const Test *t, IndexTable table, uint32_t param,
                            const QueryValue *v, Err *err)
{
    DeltaRows list = posting_delta(rows, table, param, 0);
    int64_t before = rows->n;
    for (const DeltaRow *r; !rows->full && (r = delta_next(&list)) != NULL;) {
        if (query_text_matches(t->clause, v, r->row->text)) {
            posting_take(rows, (Candidate){ND_NONE, r->doc->rid});
        } else {
            posting_pass(rows);
        }
    }
    return run_charge(rows->run, rows->n - before, err);
}

static Status value_rows(Postings *rows, const Test *t, uint32_t param, const QueryValue *v,
                         Err *err)
{
    switch (t->clause->kind) {
    case CLAUSE_STRING:
        TRY(text_rows(rows, t, param, v, err));
        return delta_strings(rows, t, INDEX_STRING, param, v, err);
    case CLAUSE_URI:
        TRY(text_rows(rows, t, param, v, err));
        return delta_strings(rows, t, INDEX_URI, param, v, err);
    case CLAUSE_UPDATED:
        return updated_rows(rows, v, err);
    default:
        return OK;
    }
}

static Status part_rows(Postings *rows, const Test *t, uint32_t param, Err *err)
{
    const Clause *c = t->clause;
    if (c->kind == CLAUSE_TOKEN || c->kind == CLAUSE_REF || c->kind == CLAUSE_CHAIN) {
        bool token = c->kind == CLAUSE_TOKEN || c->modifier == MODIFIER_IDENTIFIER;
        return posting_hashes(rows, token ? INDEX_TOKEN : INDEX_REF, param, t->hash, t->hash_n,
                              err);
    }
    for (size_t i = 0; i < c->values_n && !rows->full; i++) {
        TRY(value_rows(rows, t, param, &c->values[i], err));
    }
    return OK;
}

Status posting_test(Postings *rows, const Test *t, Err *err)
{
    if (t->is_set) {
        for (size_t i = 0; i < t->rid_n && !rows->full; i++) {
            posting_take(rows, (Candidate){ND_NONE, t->rid[i]});
        }
        return OK;
    }
    if (t->listed) {
        return posting_texts(rows, t, err);
    }
    if (t->range_n) {
        return posting_ranges(rows, t, err);
    }
    for (size_t i = 0; i < t->part_n && !rows->full; i++) {
        TRY(part_rows(rows, t, t->part[i], err));
    }
    return OK;
}
