/*
 * Walking ranges (store_range_make.c): a page of a search that asks for no order takes the first
 * rows that match; a resource has its place at the first of its own rows, in the first of the
 * ranges that has one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store_range.h"

#include "mk_banned.h"

/* ---- Keys and places --------------------------------------------------------------------------
 */

/* Doubles in an order that integers keep. */
static int64_t key_of(double v)
{
    int64_t bits;
    v = v == 0 ? 0 : v; /* one zero */
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static double double_of(int64_t key)
{
    double v;
    int64_t bits = key < 0 ? INT64_MIN - key : key;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static int order_i(int64_t x, int64_t y)
{
    return x < y ? -1 : x > y;
}

static int range_place_order(const RangePlace *x, const RangePlace *y)
{
    int c = order_i(x->range, y->range);
    c = c ? c : order_i(x->key[0], y->key[0]);
    c = c ? c : order_i(x->key[1], y->key[1]);
    return c ? c : order_i(x->rid, y->rid);
}

static int place_order(const void *x, const void *y)
{
    return range_place_order(x, y);
}

/* Negated start and end in, whether they are asked for. */
static bool date_is_asked(const Run *r, const Range *x, int64_t nlo, int64_t nhi)
{
    int64_t at = x->by_end ? nhi : nlo;
    return at >= x->from && at <= x->to && (!x->by_end || nlo > x->start_past) &&
           query_date_matches(&x->value, -nlo, -nhi, r->view->now_ms);
}

static bool number_is_asked(const Range *x, double lo, double hi)
{
    return lo >= x->low && lo <= x->high && query_number_matches(&x->value, lo, hi);
}

/* A row's place in a range, if it stands there. */
static bool row_place(const Run *r, const Range *x, const IndexRow *row, RangePlace *ret)
{
    if (row->table != x->table || row->param != x->param) {
        return false;
    }
    if (x->table != INDEX_DATE) {
        ret->key[0] = key_of(row->lo);
        ret->key[1] = key_of(row->hi);
        return (x->table == INDEX_NUMBER || row->a == x->list) &&
               number_is_asked(x, row->lo, row->hi);
    }
    ret->key[0] = x->by_end ? row->b : row->a;
    ret->key[1] = 0;
    return (!x->by_end || index_date_is_long(-row->a, -row->b)) &&
           date_is_asked(r, x, row->a, row->b);
}

/* Which list it is, whatever others come before it. */
int64_t range_mark(const Range *x)
{
    return x->list ^ (int64_t)x->param << 8 ^ (int64_t)x->table << 1 ^ x->by_end;
}

/* Whether one of the rows stands before a place. */
static bool doc_stands_before(const Run *r, const Test *t, const IndexDoc *doc,
                              const RangePlace *at)
{
    for (size_t i = 0; i < doc->rows_n; i++) {
        for (size_t k = 0; k <= (size_t)at->range; k++) {
            RangePlace other = {.range = (int64_t)k, .rid = at->rid};
            if (row_place(r, &t->range[k], &doc->rows[i], &other) &&
                range_place_order(&other, at) < 0) {
                return true;
            }
        }
    }
    return false;
}

Status ranges_stand(Run *r, const Test *t, Found *f, const RangePlace *at, bool *ret, Err *err)
{
    *ret = true;
    if (t->range[at->range].alone) {
        return OK;
    }
    TRY(found_json(r, f, err));
    for (size_t i = 0; i < t->part_n && *ret; i++) {
        IndexDoc doc;
        TRY(index_extract_part(r->store, r->arena, r->query->type, f->json, t->part[i], &doc, err));
        *ret = !doc_stands_before(r, t, &doc, at);
    }
    return OK;
}

/* ---- Walking -----------------------------------------------------------------------------------
 */

static DbStmt *quantity_stmt(const RangeWalk *w, const Range *x, const RangePlace *after)
{
    Db *db = w->run->reader->index;
    bool unit = x->table == INDEX_QUANTITY;
    DbStmt *st = unit
                     ? db_take(db, "SELECT lo, hi, rid FROM quantity WHERE param = ?1 AND unit = ?6"
                                   " AND lo <= ?2 AND (lo, hi, rid) > (?3, ?4, ?5)"
                                   " ORDER BY lo, hi, rid")
                     : db_take(db, "SELECT lo, hi, rid FROM number WHERE param = ?1"
                                   " AND lo <= ?2 AND (lo, hi, rid) > (?3, ?4, ?5)"
                                   " ORDER BY lo, hi, rid");
    if (st) {
        db_bind_i64(st, 0, x->param);
        db_bind_double(st, 1, x->high);
        db_bind_double(st, 2, after ? double_of(after->key[0]) : x->low);
        db_bind_double(st, 3,
                       !after      ? -INFINITY
                       : x->points ? INDEX_POINT
                                   : double_of(after->key[1]));
        db_bind_i64(st, 4, after ? after->rid : INT64_MIN);
        if (unit) {
            db_bind_i64(st, 5, x->list);
        }
    }
    return st;
}

static DbStmt *date_stmt(const RangeWalk *w, const Range *x, const RangePlace *after)
{
    Db *db = w->run->reader->index;
    DbStmt *st =
        x->by_end ? db_take(db, "SELECT nlo, nhi, rid FROM date_long WHERE param = ?1"
                                " AND nhi <= ?2 AND (nhi, rid) > (?3, ?4) ORDER BY nhi, rid, nlo")
                  : db_take(db, "SELECT nlo, span, rid FROM date WHERE param = ?1"
                                " AND nlo <= ?2 AND (nlo, rid) > (?3, ?4) ORDER BY nlo, rid, span");
    if (st) {
        db_bind_i64(st, 0, x->param);
        db_bind_i64(st, 1, x->to);
        db_bind_i64(st, 2, after ? after->key[0] : x->from);
        db_bind_i64(st, 3, after ? after->rid : INT64_MIN);
    }
    return st;
}

/* The row that the statement stands on, if it is asked for. */
static bool index_place(const RangeWalk *w, const Range *x, RangePlace *ret)
{
    ret->rid = db_col_i64(w->st, 2);
    ret->range = (int64_t)w->at;
    if (delta_moved(&w->run->reader->delta, ret->rid)) {
        return false;
    }
    if (x->table == INDEX_DATE) {
        int64_t nlo = db_col_i64(w->st, 0), nhi = db_col_i64(w->st, 1);
        nhi = x->by_end ? nhi : index_date_span(nlo, nhi);
        ret->key[0] = x->by_end ? nhi : nlo;
        ret->key[1] = 0;
        return date_is_asked(w->run, x, nlo, nhi);
    }
    double lo = db_col_double(w->st, 0), hi = x->points ? lo : db_col_double(w->st, 1);
    ret->key[0] = key_of(lo);
    ret->key[1] = key_of(hi);
    return number_is_asked(x, lo, hi);
}

static Status index_step(RangeWalk *w, Err *err)
{
    const Range *x = &w->test->range[w->at];
    DbStep step;
    do {
        TRY(run_charge(w->run, 1, err));
        step = db_step(w->st);
    } while (step == DB_ROW && !index_place(w, x, &w->row));
    w->row_live = step == DB_ROW;
    return step == DB_FAIL || step == DB_RETRY ? db_failed(w->run->reader->index, err) : OK;
}

static void delta_places(RangeWalk *w, const Range *x, const RangePlace *after)
{
    DeltaRows list = delta_rows(&w->run->reader->delta, x->table, x->param, 0);
    RangePlace at = {.range = (int64_t)w->at};
    w->delta_n = w->delta_at = 0;
    for (const DeltaRow *d; (d = delta_next(&list)) != NULL;) {
        at.rid = d->doc->rid;
        if (!row_place(w->run, x, d->row, &at) || (after && range_place_order(&at, after) <= 0)) {
            continue;
        }
        if (w->delta_n == w->delta_room) {
            w->delta_room = w->delta_room ? w->delta_room * 2 : 64;
            RangePlace *more = arena_array(w->run->arena, RangePlace, w->delta_room);
            if (w->delta_n) {
                memcpy(more, w->delta, w->delta_n * sizeof *more);
            }
            w->delta = more;
        }
        w->delta[w->delta_n++] = at;
    }
    if (w->delta_n) {
        qsort(w->delta, w->delta_n, sizeof *w->delta, place_order);
    }
}

static Status range_begin(RangeWalk *w, Err *err)
{
    const Range *x = &w->test->range[w->at];
    const RangePlace *after = w->has_after && w->after.range == (int64_t)w->at ? &w->after : NULL;
    w->st = x->table == INDEX_DATE ? date_stmt(w, x, after) : quantity_stmt(w, x, after);
    if (!w->st) {
        return db_failed(w->run->reader->index, err);
    }
    delta_places(w, x, after);
    return index_step(w, err);
}

void ranges_open(Run *r, const Test *t, const RangePlace *after, RangeWalk *ret)
{
    *ret = (RangeWalk){.run = r, .test = t};
    if (after) {
        ret->has_after = true;
        ret->after = *after;
        ret->at = (size_t)after->range;
    }
}

Status ranges_next(RangeWalk *w, RangePlace *ret, bool *ret_more, Err *err)
{
    for (*ret_more = false; w->at < w->test->range_n; w->at++) {
        if (!w->st) {
            TRY(range_begin(w, err));
        }
        const RangePlace *d = w->delta_at < w->delta_n ? &w->delta[w->delta_at] : NULL;
        if (d && (!w->row_live || range_place_order(d, &w->row) < 0)) {
            *ret = *d;
            w->delta_at++;
            *ret_more = true;
            return run_charge(w->run, 1, err);
        }
        if (w->row_live) {
            *ret = w->row;
            *ret_more = true;
            return index_step(w, err);
        }
        ranges_close(w);
    }
    return OK;
}

void ranges_close(RangeWalk *w)
{
    if (w->st) {
        db_give(w->st);
        w->st = NULL;
    }
}

/* ---- Bounds of walks by the clinical date -------------------------------------------------------
 */

#define LONG_LOOK 256 /* long intervals looked at, to know that there are none of interest */

static bool bounds_dates(const Run *r, const Test *t)
{
    const Clause *c = t->clause;
    return c->kind == CLAUSE_DATE && t->range_n > 0 && c->values_n == 1 && t->part_n == 1 &&
           param_is_clinical(r->query->type, c->param) &&
           index_param_is_single(r->query->type, c->param);
}

/* None that began long before is asked for. *ret false: there is one, or too many to know. */
static Status longs_are_none(Run *r, const Test *t, bool *ret, Err *err)
{
    RangeWalk w;
    RangePlace at;
    DbStep step = DB_ROW;
    const Range *x = &t->range[1];
    ranges_open(r, t, NULL, &w);
    w.at = 1;
    delta_places(&w, x, NULL);
    w.st = date_stmt(&w, x, NULL);
    if (!w.st) {
        return db_failed(r->reader->index, err);
    }
    for (int n = 0; n < LONG_LOOK && w.delta_n == 0; n++) {
        step = db_step(w.st);
        if (step != DB_ROW || index_place(&w, x, &at)) {
            break;
        }
    }
    *ret = step == DB_NONE && w.delta_n == 0;
    ranges_close(&w);
    return step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->index, err)
                                               : run_charge(r, LONG_LOOK / 8, err);
}

/* What has no start stands under another date, if under any. */
static Status opens_are_none(Run *r, const Test *t, bool *ret, Err *err)
{
    RangeWalk w;
    RangePlace at;
    Range open = t->range[0];
    Test only = {.clause = t->clause, .range = &open, .range_n = 1};
    bool more;
    open.from = INT64_MAX;
    ranges_open(r, &only, NULL, &w);
    Status s = ranges_next(&w, &at, &more, err);
    ranges_close(&w);
    *ret = !more;
    return s;
}

Status source_bound(Run *r, Source *src, Err *err)
{
    if (str_empty(fhir_clinical_date(r->query->type)) || index_type_is_work(r->query->type)) {
        return OK;
    }
    for (size_t i = 0; i < r->test_n; i++) {
        const Test *t = &r->test[i];
        bool none = true;
        if (!bounds_dates(r, t)) {
            continue;
        }
        if (t->range_n > 1) {
            TRY(longs_are_none(r, t, &none, err));
        } else if (t->range[0].to == INT64_MAX) {
            TRY(opens_are_none(r, t, &none, err));
        }
        if (none) {
            src->from = t->range[0].from > src->from ? t->range[0].from : src->from;
            src->to = t->range[0].to < src->to ? t->range[0].to : src->to;
        }
    }
    return OK;
}
