/* Searches: the page, its total, its includes, the cursor to the next. */
#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

#define PLAN_BYTES_MAX (64u << 10)

/* ---- Totals
 * --------------------------------------------------------------------------------------- */

Status type_counter(Run *r, const FhirType *type, int64_t *ret, Err *err)
{
    DbStmt *st = db_take(r->reader->index, "SELECT n FROM counter WHERE type = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, type_number(type));
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->index, err) : OK;
    *ret = (step == DB_ROW ? db_col_i64(st, 0) : 0) + delta_living(&r->reader->delta, type);
    db_give(st);
    return s;
}

/* A whole type, or one token of it, for those who see everything: the counters know. */
static Status total_by_counter(Run *r, int64_t *ret, bool *ret_known, Err *err)
{
    *ret_known = r->view->everything && r->test_n <= 1 && r->index_current;
    if (!*ret_known) {
        return OK;
    }
    if (r->test_n == 0) {
        return type_counter(r, r->query->type, ret, err);
    }
    TRY(test_counted(r, &r->test[0], ret, err));
    *ret_known = *ret >= 0;
    return OK;
}

/* ---- Searching
 * ---------------------------------------------------------------------------------------- */

Status run_all(Run *r, size_t limit, Found **ret, size_t *ret_n, Err *err)
{
    Page p = {.run = r, .limit = limit};
    TRY(page_fill(&p, err));
    if (p.more) {
        return err_add(err, ERR_TOO_MANY, "too-costly", STR_NONE,
                       "条件匹配的记录超过 %zu 条，请缩小范围",
                       "More than %zu resources match; narrow the search", limit);
    }
    *ret = p.found;
    *ret_n = p.n;
    return OK;
}

static Status hit_add(Run *r, Found *f, Hits *hits, Err *err)
{
    TRY(found_body(r, f, err));
    StoreHit *h = &hits->at[hits->n++];
    *h = (StoreHit){.mode = STORE_MATCH,
                    .type = fhir_type_name(r->query->type),
                    .id = f->id,
                    .vid = f->vid,
                    .body = f->body};
    h->patients = patients_split(r->arena, f->patients, &h->patients_n);
    return OK;
}

/* A match, and in which of the types. */
typedef struct Row {
    size_t part;
    Found found;
} Row;

/* A search as it is run: one part for each type, in order; most have one. */
typedef struct Search {
    const StoreQuery *query;
    Run *run;
    size_t n;
    bool later, none, count_all;
    Cursor place;
    Row *row;
    size_t row_n;
    int64_t total;
    bool more;
    int64_t way; /* of the part that the page ends in */
} Search;

static bool search_is_sorted(const Search *s)
{
    return s->n > 1 && s->query->sort_n > 0;
}

static int row_order(const void *x, const void *y, void *query)
{
    const Row *p = x, *q = y;
    return found_order(query, &p->found, &q->found);
}

/* Sorted, no more than a page of all the parts together is kept. */
static void rows_add(Search *s, size_t part, const Page *p)
{
    size_t count = (size_t)s->query->count;
    if (p->n == 0) {
        return;
    }
    Row *row = arena_array(s->run->arena, Row, s->row_n + p->n);
    if (s->row_n) {
        memcpy(row, s->row, s->row_n * sizeof *row);
    }
    s->row = row;
    for (size_t i = 0; i < p->n; i++) {
        s->row[s->row_n++] = (Row){part, p->found[i]};
    }
    if (search_is_sorted(s)) {
        qsort_r(s->row, s->row_n, sizeof *s->row, row_order, (void *)s->query);
        s->more = s->more || s->row_n > count;
        s->row_n = s->row_n > count ? count : s->row_n;
    }
}

/* How many of a part may still come onto the page. */
static size_t part_limit(const Search *s, size_t part)
{
    size_t count = s->none ? 0 : (size_t)s->query->count;
    if (search_is_sorted(s)) {
        return count;
    }
    return s->later && (int64_t)part < s->place.part ? 0 : count - s->row_n;
}

static Status part_search(Search *s, size_t part, Err *err)
{
    Run *r = &s->run[part];
    bool here = s->later && (search_is_sorted(s) || s->place.part == (int64_t)part);
    Page p = {.run = r,
              .limit = part_limit(s, part),
              .cursor = here ? &s->place : NULL,
              .count_all = s->count_all};
    bool known = false;
    int64_t total = 0;
    TRY(run_resolve(r, err));
    if (p.count_all) {
        TRY(total_by_counter(r, &total, &known, err));
        p.count_all = !known;
    }
    if (!(known && s->none)) {
        TRY(page_fill(&p, err));
        total = p.count_all || p.counted ? p.total : total;
    }
    s->total += total;
    s->way = p.n ? p.way : s->way;
    s->more = s->more || (p.more && !(s->later && (int64_t)part < s->place.part));
    rows_add(s, part, &p);
    return OK;
}

static Status parts_search(Search *s, Err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        int64_t living = 1;
        bool before = s->later && (int64_t)i < s->place.part && !search_is_sorted(s);
        if (s->n > 1) {
            TRY(type_counter(&s->run[i], s->run[i].query->type, &living, err));
        }
        bool over = s->more && !search_is_sorted(s);
        if (living > 0 && (s->count_all || !(before || over))) {
            TRY(part_search(s, i, err));
        }
    }
    return OK;
}

static Status search_hits(Search *s, StorePage *ret, Err *err)
{
    Hits hits = {.room = s->row_n, .at = arena_array(s->run->arena, StoreHit, s->row_n + 1)};
    for (size_t i = 0; i < s->row_n; i++) {
        TRY(hit_add(&s->run[s->row[i].part], &s->row[i].found, &hits, err));
    }
    TRY(run_includes(s->run, &hits, err));
    ret->hits = hits.at;
    ret->hits_n = hits.n;
    if (s->more && s->row_n) {
        const Row *last = &s->row[s->row_n - 1];
        Cursor next = {(int64_t)last->part, s->way, s->run->snapshot_seq, s->run->snapshot_rid,
                       last->found};
        ret->next = cursor_write(s->run, &next);
    }
    return OK;
}

static Status search_begin(Search *s, StoreReader *reader, Arena *a, const StoreView *view,
                           Str cursor, Buf *plan, Err *err)
{
    const StoreQuery *q = s->query;
    for (const StoreQuery *each = q; each; each = each->more) {
        s->n++;
    }
    s->run = arena_array(a, Run, s->n);
    s->n = 0;
    for (const StoreQuery *each = q; each; each = each->more) {
        run_init(&s->run[s->n], reader, a, each, view, s->n ? s->run : NULL);
        s->run[s->n++].plan = q->explain ? plan : NULL;
    }
    s->later = !str_empty(cursor);
    if (s->later) {
        TRY(cursor_read(s->run, cursor, &s->place, err));
    }
    for (size_t i = 0; i < s->n && s->later; i++) {
        s->run[i].later_page = true;
        s->run[i].snapshot_seq = s->place.seq;
        s->run[i].snapshot_rid = s->place.rid_max;
    }
    s->none = q->count_only || q->count == 0;
    s->count_all = s->none || q->total != STORE_TOTAL_NONE;
    return OK;
}

static Status search_planned(StoreReader *reader, Arena *a, const StoreQuery *q,
                             const StoreView *view, Str cursor, Buf *plan, StorePage *ret, Err *err)
{
    Search s = {.query = q};
    int64_t began_us = time_mono_us();
    TRY(search_begin(&s, reader, a, view, cursor, plan, err));
    Budget given = *s.run->budget;
    TRY(parts_search(&s, err));
    *ret = (StorePage){.total = s.count_all ? s.total : -1,
                       .self = q->self,
                       .ignored = q->ignored,
                       .ignored_n = q->ignored_n,
                       .count_only = s.none,
                       .summary = q->summary,
                       .elements = q->elements,
                       .elements_n = q->elements_n};
    if (!s.none) {
        TRY(search_hits(&s, ret, err));
    }
    ret->rows = given.rows - s.run->budget->rows;
    ret->bodies = given.bodies - s.run->budget->bodies;
    ret->us = time_mono_us() - began_us;
    return OK;
}

static Status search_inside(StoreReader *reader, Arena *a, const StoreQuery *q,
                            const StoreView *view, Str cursor, StorePage *ret, Err *err)
{
    Buf plan;
    buf_init(&plan, PLAN_BYTES_MAX);
    Status s = search_planned(reader, a, q, view, cursor, &plan, ret, err);
    if (s == OK) {
        ret->plan = arena_str(a, buf_str(&plan));
    }
    buf_done(&plan);
    return s;
}

Status store_search(StoreReader *r, Arena *a, const StoreQuery *q, const StoreView *view,
                    Str cursor, StorePage *ret, Err *err)
{
    if (r->snapshot) {
        return search_inside(r, a, q, view, cursor, ret, err);
    }
    TRY(store_snapshot_begin(r, err));
    Status s = search_inside(r, a, q, view, cursor, ret, err);
    store_snapshot_end(r);
    return s;
}

static Status find_inside(StoreReader *reader, Arena *a, const StoreQuery *q, const StoreView *view,
                          size_t limit, const StoreHit **ret, size_t *ret_n, Err *err)
{
    Run r;
    Found *found;
    size_t n;
    run_init(&r, reader, a, q, view, NULL);
    TRY(run_resolve(&r, err));
    Status s = run_all(&r, limit, &found, &n, err);
    if (s != OK) {
        return s == ERR_TOO_MANY ? ERR_TOO_LARGE : s;
    }
    Hits hits = {.room = n, .at = arena_array(a, StoreHit, n + 1)};
    for (size_t i = 0; i < n; i++) {
        TRY(hit_add(&r, &found[i], &hits, err));
    }
    *ret = hits.at;
    *ret_n = hits.n;
    return OK;
}

Status store_find(StoreReader *r, Arena *a, const StoreView *view, Str type, Str query,
                  size_t limit, const StoreHit **ret, size_t *ret_n, Err *err)
{
    StoreQuery *q;
    TRY(store_query_parse(r->store, a, type, query, false, r->store->options.zone_min, &q, err));
    if (r->snapshot) {
        return find_inside(r, a, q, view, limit, ret, ret_n, err);
    }
    TRY(store_snapshot_begin(r, err));
    Status s = find_inside(r, a, q, view, limit, ret, ret_n, err);
    store_snapshot_end(r);
    return s;
}
