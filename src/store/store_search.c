/* Pages: candidates gathered or walked, in order, from a place, up to the count. */
#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

#define WALK_TRY 3000 /* candidates walked before the caller's own patients are tried instead */

typedef struct Page {
    Run *run;
    const Cursor *cursor; /* NULL: the first page */
    size_t limit;
    bool count_all;
    Found *found;
    size_t n, room;
    int64_t total;
    bool more;
} Page;

static void page_keep(Page *p, const Found *f)
{
    if (p->n == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        Found *more = arena_array(p->run->arena, Found, room);
        if (p->n) {
            memcpy(more, p->found, p->n * sizeof *more);
        }
        p->found = more;
        p->room = room;
    }
    p->found[p->n++] = *f;
}

static bool page_is_past(const Page *p, const Found *f)
{
    return !p->cursor || found_order(p->run->query, f, &p->cursor->last) > 0;
}

/* In clinical order the candidate alone says where it stands. */
static bool candidate_is_past(const Page *p, Candidate c)
{
    Found f = {.at = c};
    f.key[0] = c.nd == ND_NONE ? INT64_MAX : -c.nd;
    return page_is_past(p, &f);
}

/* A candidate in order. Matches before the cursor's place count, but stand on earlier pages. */
static Status page_offer(Page *p, Candidate c, Err *err)
{
    Found f;
    bool match;
    if (p->more && !p->count_all) {
        return OK;
    }
    if (p->cursor && !p->count_all && query_is_clinical(p->run->query) &&
        !candidate_is_past(p, c)) {
        return OK;
    }
    TRY(run_consider(p->run, c, &f, &match, err));
    if (!match) {
        return OK;
    }
    p->total++;
    TRY(found_keys(p->run, &f, err));
    if (!page_is_past(p, &f)) {
        return OK;
    }
    if (p->n < p->limit) {
        page_keep(p, &f);
    } else {
        p->more = true;
    }
    return OK;
}

/* ---- In clinical order --------------------------------------------------------------------- */

static int newest_first(const void *x, const void *y)
{
    const Candidate *p = x, *q = y;
    return p->nd != q->nd ? (p->nd < q->nd ? -1 : 1) : p->rid < q->rid ? -1 : p->rid > q->rid;
}

static int oldest_first(const void *x, const void *y)
{
    const Candidate *p = x, *q = y;
    if ((p->nd == ND_NONE) != (q->nd == ND_NONE)) {
        return p->nd == ND_NONE ? 1 : -1;
    }
    return p->nd != q->nd ? (p->nd > q->nd ? -1 : 1) : p->rid > q->rid ? -1 : p->rid < q->rid;
}

static bool query_ascends(const StoreQuery *q)
{
    return q->sort_n > 0 && !q->sort[0].descending;
}

static Status page_gathered(Page *p, const Source *src, Err *err)
{
    Candidates c;
    TRY(source_gather(p->run, src, &c, err));
    if (c.n) {
        qsort(c.at, c.n, sizeof *c.at, query_ascends(p->run->query) ? oldest_first : newest_first);
    }
    for (size_t i = 0; i < c.n && (!p->more || p->count_all); i++) {
        TRY(page_offer(p, c.at[i], err));
    }
    return OK;
}

/* *ret_done false: walked long enough that another way should be tried. */
static Status page_walked(Page *p, const Source *src, size_t limit, bool *ret_done, Err *err)
{
    Walk *w;
    const Candidate *after = p->cursor && !p->count_all ? &p->cursor->last.at : NULL;
    TRY(walk_open(p->run, src, query_ascends(p->run->query), after, &w, err));
    Status s = OK;
    bool more = true;
    size_t n = 0;
    while (s == OK && more && (!p->more || p->count_all) && n++ < limit) {
        Candidate c;
        s = walk_next(w, &c, &more, err);
        if (s == OK && more) {
            s = page_offer(p, c, err);
        }
    }
    walk_close(w);
    *ret_done = !more || (p->more && !p->count_all);
    return s;
}

static Status page_long(Page *p, const Source *src, Err *err)
{
    Source own;
    bool usable, done;
    TRY(source_patients(p->run, &own, &usable, err));
    TRY(page_walked(p, src, usable ? WALK_TRY : SIZE_MAX, &done, err));
    if (done) {
        return OK;
    }
    p->n = 0;
    p->total = 0;
    p->more = false;
    return page_gathered(p, &own, err);
}

/* ---- In any other order ------------------------------------------------------------------------
 */

static int by_keys(const void *x, const void *y, void *query)
{
    return found_order(query, x, y);
}

static Status page_sorted(Page *p, const Source *src, Err *err)
{
    Candidates c;
    Page all = {.run = p->run, .limit = SIZE_MAX};
    TRY(source_gather(p->run, src, &c, err));
    for (size_t i = 0; i < c.n; i++) {
        TRY(page_offer(&all, c.at[i], err));
    }
    if (all.n) {
        qsort_r(all.found, all.n, sizeof *all.found, by_keys, (void *)p->run->query);
    }
    p->total = (int64_t)all.n;
    for (size_t i = 0; i < all.n && !p->more; i++) {
        if (!page_is_past(p, &all.found[i])) {
            continue;
        }
        if (p->n < p->limit) {
            page_keep(p, &all.found[i]);
        } else {
            p->more = true;
        }
    }
    return OK;
}

static Status page_fill(Page *p, Err *err)
{
    Source src;
    TRY(source_choose(p->run, &src, err));
    if (src.kind == SOURCE_COMPARTMENT && src.test) {
        src.test->driven = true;
    }
    if (src.kind == SOURCE_TEST) {
        src.test->driven = src.test->is_set || src.test->clause->modifier != MODIFIER_EXACT;
    }
    if (!query_is_clinical(p->run->query)) {
        return page_sorted(p, &src, err);
    }
    bool alone = p->run->test_n <= 1 && src.rows >= SOURCE_SHORT;
    return src.ordered && (alone || src.rows >= SOURCE_COUNT_MAX) ? page_long(p, &src, err)
                                                                  : page_gathered(p, &src, err);
}

/* ---- Totals
 * --------------------------------------------------------------------------------------- */

/* A whole type, for those who see everything: the counter knows. */
static Status total_by_counter(Run *r, int64_t *ret, bool *ret_known, Err *err)
{
    *ret_known = r->view->everything && r->test_n == 0 && r->index_current;
    if (!*ret_known) {
        return OK;
    }
    DbStmt *st = db_take(r->reader->index, "SELECT n FROM counter WHERE type = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, type_number(r->query->type));
    *ret = db_step(st) == DB_ROW ? db_col_i64(st, 0) : 0;
    db_give(st);
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

static Status hits_of(Run *r, Found *found, size_t n, Hits *hits, Err *err)
{
    hits->room = n;
    hits->at = arena_array(r->arena, StoreHit, n + 1);
    for (size_t i = 0; i < n; i++) {
        TRY(found_body(r, &found[i], err));
        hits->at[hits->n++] = (StoreHit){STORE_MATCH,    fhir_type_name(r->query->type),
                                         found[i].id,    found[i].vid,
                                         found[i].at_ms, found[i].body};
    }
    return OK;
}

static Status page_hits(Page *p, StorePage *ret, Err *err)
{
    Run *r = p->run;
    Hits hits = {0};
    TRY(hits_of(r, p->found, p->n, &hits, err));
    TRY(run_includes(r, &hits, err));
    ret->hits = hits.at;
    ret->hits_n = hits.n;
    if (p->more && p->n) {
        Cursor next = {r->snapshot_seq, r->snapshot_rid, p->found[p->n - 1]};
        ret->next = cursor_write(r, &next);
    }
    return OK;
}

static Status search_inside(StoreReader *reader, Arena *a, const StoreQuery *q,
                            const StoreView *view, Str cursor, StorePage *ret, Err *err)
{
    Run r;
    Cursor place;
    run_init(&r, reader, a, q, view, 0);
    if (!str_empty(cursor)) {
        TRY(cursor_read(&r, cursor, &place, err));
        r.later_page = true;
        r.snapshot_seq = place.seq;
        r.snapshot_rid = place.rid_max;
    }
    TRY(run_resolve(&r, err));
    bool none = q->count_only || q->count == 0;
    Page p = {
        .run = &r, .limit = none ? 0 : (size_t)q->count, .cursor = r.later_page ? &place : NULL};
    p.count_all = none || q->total != STORE_TOTAL_NONE;
    *ret = (StorePage){.total = -1,
                       .self = q->self,
                       .ignored = q->ignored,
                       .ignored_n = q->ignored_n,
                       .count_only = none,
                       .summary = q->summary,
                       .elements = q->elements,
                       .elements_n = q->elements_n};
    bool known = false;
    if (p.count_all) {
        TRY(total_by_counter(&r, &ret->total, &known, err));
        p.count_all = !known;
    }
    if (!(known && none)) {
        TRY(page_fill(&p, err));
        ret->total = p.count_all ? p.total : ret->total;
    }
    return none ? OK : page_hits(&p, ret, err);
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
    Hits hits = {0};
    run_init(&r, reader, a, q, view, 0);
    TRY(run_resolve(&r, err));
    Status s = run_all(&r, limit, &found, &n, err);
    if (s != OK) {
        return s == ERR_TOO_MANY ? ERR_TOO_LARGE : s;
    }
    TRY(hits_of(&r, found, n, &hits, err));
    *ret = hits.at;
    *ret_n = hits.n;
    return OK;
}

Status store_find(StoreReader *r, Arena *a, const StoreView *view, Str type, Str query,
                  size_t limit, const StoreHit **ret, size_t *ret_n, Err *err)
{
    StoreQuery *q;
    TRY(store_query_parse(a, type, query, false, r->store->options.zone_min, &q, err));
    if (r->snapshot) {
        return find_inside(r, a, q, view, limit, ret, ret_n, err);
    }
    TRY(store_snapshot_begin(r, err));
    Status s = find_inside(r, a, q, view, limit, ret, ret_n, err);
    store_snapshot_end(r);
    return s;
}
