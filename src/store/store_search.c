/* Searches: the page, its total, its includes, the cursor to the next. */
#include "store_query.h"

#include "mk_banned.h"

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

/* A whole type, for those who see everything: the counter knows. */
static Status total_by_counter(Run *r, int64_t *ret, bool *ret_known, Err *err)
{
    *ret_known = r->view->everything && r->test_n == 0 && r->index_current;
    return *ret_known ? type_counter(r, r->query->type, ret, err) : OK;
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
        Found *f = &found[i];
        TRY(found_body(r, f, err));
        StoreHit *h = &hits->at[hits->n++];
        *h = (StoreHit){.mode = STORE_MATCH,
                        .type = fhir_type_name(r->query->type),
                        .id = f->id,
                        .vid = f->vid,
                        .body = f->body};
        h->patients = patients_split(r->arena, f->patients, &h->patients_n);
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
    run_init(&r, reader, a, q, view, NULL);
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
    run_init(&r, reader, a, q, view, NULL);
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
