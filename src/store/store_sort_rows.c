/*
 * Pages in the order of one parameter's own rows: those of a text or a date stand in the index in
 * the order of their values, and are walked until the page is full. Resources without a value come
 * last.
 *
 * Upwards a resource stands at its least value, downwards at its greatest; whether a row is its
 * place is asked of the body. Dates go down by their ends: rows stand by their starts, so that
 * those no longer than two days are held back until none that ends later can come; the longer ones
 * stand by their ends in a table of their own.
 */
#include <stdlib.h>

#include "store_kept.h"
#include "store_posting.h"

#include "mk_banned.h"

#define SHORT_MS  (2 * MS_DAY) /* index_date_is_long */
#define ROW_COST  8.0          /* of a row walked and looked at, beside … */
#define BODY_COST 50.0         /* … a body read for its keys */

/* A row's place: key or text in the order asked for, then rid. */
typedef struct KeyRow {
    int64_t key;
    Str text;
    int64_t rid;
} KeyRow;

/* Rows whose resources are looked at next. */
typedef struct Coming {
    KeyRow row[RUN_COMING];
    Candidate at[RUN_COMING];
    size_t n;
} Coming;

typedef struct Rows {
    KeyRow *at;
    size_t n, room, next;
} Rows;

typedef struct RowWalk {
    Run *run;
    const Sort *sort;
    uint32_t param;
    DbStmt *st, *ends; /* ends: long intervals, downwards */
    KeyRow row, end;   /* their next, while live */
    int64_t row_start; /* of a date */
    bool row_live, end_live;
    Rows held;  /* short dates, downwards: a heap */
    Rows delta; /* sorted */
} RowWalk;

static bool is_text(const Sort *s)
{
    return s->param->kind == FHIR_PARAM_STRING;
}

static bool comes_before(const RowWalk *w, const KeyRow *x, const KeyRow *y)
{
    int c = is_text(w->sort) ? str_cmp(x->text, y->text) : x->key < y->key ? -1 : x->key > y->key;
    c = w->sort->descending ? -c : c;
    return c ? c < 0 : x->rid < y->rid;
}

static void rows_add(Run *r, Rows *rows, KeyRow x)
{
    if (rows->n == rows->room) {
        rows->room = rows->room ? rows->room * 2 : 64;
        KeyRow *wider = arena_array(r->arena, KeyRow, rows->room);
        if (rows->n) {
            memcpy(wider, rows->at, rows->n * sizeof *wider);
        }
        rows->at = wider;
    }
    rows->at[rows->n++] = x;
}

/* ---- Short dates, held back ---------------------------------------------------------------- */

static void held_swap(Rows *h, size_t i, size_t k)
{
    KeyRow x = h->at[i];
    h->at[i] = h->at[k];
    h->at[k] = x;
}

static void held_put(RowWalk *w, KeyRow x)
{
    Rows *h = &w->held;
    rows_add(w->run, h, x);
    for (size_t i = h->n - 1; i > 0 && comes_before(w, &h->at[i], &h->at[(i - 1) / 2]);
         i = (i - 1) / 2) {
        held_swap(h, i, (i - 1) / 2);
    }
}

static void held_take(RowWalk *w)
{
    Rows *h = &w->held;
    h->at[0] = h->at[--h->n];
    for (size_t i = 0, child; (child = 2 * i + 1) < h->n; i = child) {
        child += child + 1 < h->n && comes_before(w, &h->at[child + 1], &h->at[child]);
        if (!comes_before(w, &h->at[child], &h->at[i])) {
            return;
        }
        held_swap(h, i, child);
    }
}

/* ---- Rows of index.db ---------------------------------------------------------------------- */

/* What has no start or no end stands at the end of numbers. */
static int64_t negated(int64_t ms)
{
    return ms == INT64_MIN ? INT64_MAX : ms == INT64_MAX ? INT64_MIN : -ms;
}

static DbStmt *rows_stmt(const RowWalk *w, const Found *from)
{
    Db *db = w->run->reader->index;
    bool down = w->sort->descending;
    DbStmt *st =
        is_text(w->sort)
            ? (down ? db_take(db, "SELECT value, rid FROM string WHERE param = ? AND value <= ?"
                                  " ORDER BY value DESC, rid")
                    : db_take(db, "SELECT value, rid FROM string WHERE param = ? AND value >= ?"
                                  " ORDER BY value, rid"))
        : down ? db_take(db, "SELECT nlo, rid, span FROM date WHERE param = ? AND nlo >= ?"
                             " ORDER BY nlo, rid, span")
               : db_take(db, "SELECT nlo, rid, span FROM date WHERE param = ? AND nlo <= ?"
                             " ORDER BY nlo DESC, rid");
    if (!st) {
        return NULL;
    }
    db_bind_i64(st, 0, w->param);
    if (is_text(w->sort)) {
        db_bind_str(st, 1, from ? from->text[0] : down ? STR("\xff") : STR(""));
    } else {
        db_bind_i64(st, 1, from ? negated(from->key[0]) : down ? INT64_MIN : INT64_MAX);
    }
    return st;
}

static DbStmt *ends_stmt(const RowWalk *w, const Found *from)
{
    DbStmt *st = db_take(w->run->reader->index, "SELECT nhi, rid FROM date_long WHERE param = ?"
                                                " AND nhi >= ? ORDER BY nhi, rid");
    if (st) {
        db_bind_i64(st, 0, w->param);
        db_bind_i64(st, 1,
                    from ? negated(from->key[0]) : -INT64_MAX + 1); /* the open ones by start */
    }
    return st;
}

/* Where a date stands: downwards by its end, unless it has none. */
static int64_t date_place(const Sort *s, int64_t nlo, int64_t nhi)
{
    return s->descending && nhi != -INT64_MAX ? -nhi : negated(nlo);
}

/* Downwards the long ones that have an end are given by `ends`. */
static bool date_is_of_ends(const Sort *s, int64_t nlo, int64_t nhi)
{
    return s->descending && nhi != -INT64_MAX && index_date_is_long(negated(nlo), -nhi);
}

static Status rows_step(RowWalk *w, Err *err)
{
    DbStep step;
    bool skip;
    do {
        step = db_step(w->st);
        w->row_live = step == DB_ROW;
        if (!w->row_live) {
            break;
        }
        w->row.rid = db_col_i64(w->st, 1);
        skip = delta_moved(&w->run->reader->delta, w->row.rid);
        if (is_text(w->sort)) {
            w->row.text = db_col_str(w->st, 0);
        } else {
            int64_t nlo = db_col_i64(w->st, 0);
            int64_t nhi = index_date_span(nlo, db_col_i64(w->st, 2));
            w->row.key = date_place(w->sort, nlo, nhi);
            w->row_start = negated(nlo);
            skip = skip || date_is_of_ends(w->sort, nlo, nhi);
        }
        TRY(run_charge(w->run, 1, err));
    } while (skip);
    return step == DB_FAIL || step == DB_RETRY ? db_failed(w->run->reader->index, err) : OK;
}

static Status ends_step(RowWalk *w, Err *err)
{
    DbStep step;
    do {
        step = db_step(w->ends);
        w->end_live = step == DB_ROW;
        if (w->end_live) {
            w->end = (KeyRow){-db_col_i64(w->ends, 0), STR_NONE, db_col_i64(w->ends, 1)};
        }
        TRY(run_charge(w->run, 1, err));
    } while (w->end_live && delta_moved(&w->run->reader->delta, w->end.rid));
    return step == DB_FAIL || step == DB_RETRY ? db_failed(w->run->reader->index, err) : OK;
}

/* ---- All of them --------------------------------------------------------------------------- */

static int delta_order(const void *x, const void *y, void *walk)
{
    return comes_before(walk, x, y) ? -1 : comes_before(walk, y, x);
}

static void delta_rows_of(RowWalk *w)
{
    IndexTable table = is_text(w->sort) ? INDEX_STRING : INDEX_DATE;
    DeltaRows list = delta_rows(&w->run->reader->delta, table, w->param, 0);
    for (const DeltaRow *d; (d = delta_next(&list)) != NULL;) {
        KeyRow x = {.rid = d->doc->rid};
        if (is_text(w->sort)) {
            x.text = d->row->text;
        } else {
            x.key = date_place(w->sort, d->row->a, d->row->b);
        }
        rows_add(w->run, &w->delta, x);
    }
    if (w->delta.n) {
        qsort_r(w->delta.at, w->delta.n, sizeof *w->delta.at, delta_order, w);
    }
}

static void walk_done(RowWalk *w)
{
    db_give(w->st);
    if (w->ends) {
        db_give(w->ends);
    }
}

/* from: where the last page ended. */
static Status walk_begin(RowWalk *w, const Found *from, Err *err)
{
    bool by_ends = !is_text(w->sort) && w->sort->descending;
    w->st = rows_stmt(w, from);
    w->ends = by_ends ? ends_stmt(w, from) : NULL;
    if (!w->st || (by_ends && !w->ends)) {
        return db_failed(w->run->reader->index, err);
    }
    delta_rows_of(w);
    TRY(rows_step(w, err));
    return by_ends ? ends_step(w, err) : OK;
}

/* Short dates that start so far back that none later ends after the first of those held. */
static Status held_fill(RowWalk *w, Err *err)
{
    while (w->row_live && (w->held.n == 0 || w->held.at[0].key <= w->row_start + SHORT_MS)) {
        held_put(w, w->row);
        TRY(rows_step(w, err));
    }
    return OK;
}

/* The first of what the parts give; NULL: no more. */
static Status walk_head(RowWalk *w, KeyRow **ret, Err *err)
{
    KeyRow *best = NULL;
    if (w->ends) {
        TRY(held_fill(w, err));
        best = w->held.n ? w->held.at : NULL;
        best = w->end_live && (!best || comes_before(w, &w->end, best)) ? &w->end : best;
    } else if (w->row_live) {
        best = &w->row;
    }
    KeyRow *d = w->delta.next < w->delta.n ? &w->delta.at[w->delta.next] : NULL;
    *ret = d && (!best || comes_before(w, d, best)) ? d : best;
    return OK;
}

static Status walk_skip(RowWalk *w, const KeyRow *head, Err *err)
{
    if (head == &w->end) {
        return ends_step(w, err);
    }
    if (head == &w->row) {
        return rows_step(w, err);
    }
    if (head == w->held.at) {
        held_take(w);
    } else {
        w->delta.next++;
    }
    return OK;
}

/* A resource stands where its key is, at one of its rows. */
static Status row_consider(Page *p, const Found *stub, Err *err)
{
    Run *r = p->run;
    Found f;
    bool match;
    TRY(run_consider(r, stub->at, &f, &match, err));
    if (!match) {
        return OK;
    }
    TRY(found_keys(r, &f, err));
    bool here =
        f.key[0] == stub->key[0] && str_eq(f.text[0], stub->text[0]) && !page_has(p, f.at.rid);
    if (here && p->n < p->limit) {
        page_keep(p, &f);
    } else {
        p->more = p->more || here;
    }
    return OK;
}

static Found row_stub(const KeyRow *row)
{
    return (Found){.at = {ND_NONE, row->rid}, .key = {row->key}, .text = {row->text}};
}

static Status rows_offer(Page *p, Coming *x, Err *err)
{
    Status s = run_dates(p->run, x->at, x->n, err);
    run_coming(p->run, x->at, x->n);
    for (size_t i = 0; s == OK && i < x->n && !page_is_full(p); i++) {
        Found stub = row_stub(&x->row[i]);
        stub.at = x->at[i];
        s = row_consider(p, &stub, err);
    }
    run_coming(p->run, NULL, 0);
    x->n = 0;
    return s;
}

/* The row's text is its statement's, which goes on meanwhile where several are to come. */
static Status row_offer(Page *p, Coming *x, const KeyRow *row, Err *err)
{
    size_t stretch = run_stretch(p->run);
    Found stub = row_stub(row);
    if (!page_is_past(p, &stub) || (p->among && !own_has_rid(p->among, row->rid))) {
        return run_charge(p->run, 1, err);
    }
    x->at[x->n] = stub.at;
    x->row[x->n] = *row;
    if (stretch > 1) {
        x->row[x->n].text = arena_str(p->run->arena, row->text);
    }
    return ++x->n == stretch ? rows_offer(p, x, err) : OK;
}

/* ---- Resources without a value ------------------------------------------------------------- */

/* Rows of index.db; of what the delta names they are stale. */
static Status rids_take(Run *r, DbStmt *st, Bits b, Err *err)
{
    DbStep step = DB_NONE;
    Status s = st ? OK : db_failed(r->reader->index, err);
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        int64_t rid = db_col_i64(st, 0);
        if (!delta_moved(&r->reader->delta, rid)) {
            b.word[rid / 64] |= (uint64_t)1 << (rid % 64);
        }
        s = run_charge(r, 1, err);
    }
    s = s == OK && step != DB_NONE ? db_failed(r->reader->index, err) : s;
    db_give(st);
    return s;
}

/* Those that have a row in index.db; what the delta has is asked for its key. */
static Status valued_bits(const RowWalk *w, Bits b, Err *err)
{
    Db *db = w->run->reader->index;
    DbStmt *st = is_text(w->sort) ? db_take(db, "SELECT rid FROM string WHERE param = ?")
                                  : db_take(db, "SELECT rid FROM date WHERE param = ?");
    if (st) {
        db_bind_i64(st, 0, w->param);
    }
    return rids_take(w->run, st, b, err);
}

static Status type_bits(Run *r, Bits b, Err *err)
{
    DbStmt *st = db_take(r->reader->index, "SELECT rid FROM token WHERE param = ? AND hash = 0");
    DeltaRows list = delta_rows(&r->reader->delta, INDEX_TOKEN, index_param_all(r->query->type), 0);
    if (st) {
        db_bind_i64(st, 0, index_param_all(r->query->type));
    }
    TRY(rids_take(r, st, b, err));
    for (const DeltaRow *d; (d = delta_next(&list)) != NULL;) {
        b.word[d->doc->rid / 64] |= (uint64_t)1 << (d->doc->rid % 64);
    }
    return OK;
}

/* In the order of rid; those whose body has a value after all stand among the others. */
static Status page_valueless(Page *p, const RowWalk *w, Coming *x, Err *err)
{
    Run *r = p->run;
    Bits all = bits_new(r), valued = bits_new(r);
    TRY(type_bits(r, all, err));
    TRY(valued_bits(w, valued, err));
    for (size_t i = 0; i < all.n; i++) {
        uint64_t word = all.word[i] & ~valued.word[i];
        for (; word && !page_is_full(p); word &= word - 1) {
            KeyRow row = {.key = KEY_MISSING, .rid = (int64_t)i * 64 + __builtin_ctzll(word)};
            TRY(row_offer(p, x, &row, err));
        }
    }
    return rows_offer(p, x, err);
}

/* ---- The page ------------------------------------------------------------------------------ */

bool sort_has_rows(const Run *r)
{
    uint32_t part[INDEX_PARTS_MAX];
    const StoreQuery *q = r->query;
    const Sort *s = &q->sort[0];
    return q->sort_n == 1 && s->kind == SORT_PARAM && !fhir_param_custom(s->param) &&
           r->index_current &&
           (s->param->kind == FHIR_PARAM_STRING || s->param->kind == FHIR_PARAM_DATE) &&
           index_parts(q->type, s->param, part) == 1;
}

bool sort_rows_are_fewer(const Page *p, int64_t source_rows, int64_t all)
{
    double page = (double)p->limit + 1, n = (double)(source_rows ? source_rows : 1);
    return !p->count_all && ROW_COST * page * (double)all / n < BODY_COST * n;
}

Status page_rows(Page *p, bool *ret_done, Err *err)
{
    uint32_t part[INDEX_PARTS_MAX];
    const Sort *sort = &p->run->query->sort[0];
    const Found *last = p->cursor ? &p->cursor->last : NULL;
    bool valueless = last && last->key[0] == KEY_MISSING;
    RowWalk w = {.run = p->run, .sort = sort};
    KeyRow *head = NULL;
    Coming x = {.n = 0};
    (void)index_parts(p->run->query->type, sort->param, part);
    w.param = part[0];
    p->run->page_n = p->limit + 1;
    Status s = valueless ? OK : walk_begin(&w, last, err);
    while (s == OK && !valueless && !page_is_full(p)) {
        s = walk_head(&w, &head, err);
        if (s != OK || !head || head->text.n > KEY_BYTES_MAX) {
            break;
        }
        s = row_offer(p, &x, head, err);
        s = s == OK ? walk_skip(&w, head, err) : s;
    }
    s = s == OK ? rows_offer(p, &x, err) : s;
    *ret_done = page_is_full(p) || !head || head->text.n <= KEY_BYTES_MAX;
    if (w.st) {
        walk_done(&w);
    }
    TRY(s);
    return *ret_done && !page_is_full(p) ? page_valueless(p, &w, &x, err) : OK;
}
