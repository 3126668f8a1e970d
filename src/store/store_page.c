/* Pages: candidates gathered or walked, in order, from a place, up to the count. */
#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

#define WALK_TRY       3000 /* candidates walked before the caller's own patients are tried instead */
#define WALK_COST      3.0   /* of a candidate walked, beside a patient looked into */
#define UPDATED_TRY    20000 /* changes walked before all matches are sorted instead */
#define OWN_SORTED_MAX 5000  /* patients of whom everything is sorted */
#define SCAN_LIMIT     100   /* pages up to here are tried by looking at the first resources */
#define SCAN_BODIES    200
#define SCAN_ROWS      400

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

static Status page_gathered(Page *p, const Source *src, const OwnPatients *within, Err *err)
{
    Candidates c;
    TRY(source_gather(p->run, src, within, &c, err));
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

/* The test that the source's rows answer is not asked again; back: another source takes over. */
static void source_drive(const Source *src)
{
    if (src->test && src->kind != SOURCE_TEST) {
        src->test->driven = true;
    } else if (src->test) {
        src->test->driven = src->test->is_set || src->test->clause->modifier != MODIFIER_EXACT;
    }
}

static void source_yield(const Source *src)
{
    if (src->test) {
        src->test->driven = false;
    }
}

static void page_restart(Page *p)
{
    p->n = 0;
    p->total = 0;
    p->more = false;
}

/*
 * Among a type's resources those of `own` patients come by at a rate of own/all: a page that
 * would need a longer walk than looking into each of the patients begins with these.
 */
static Status own_is_shorter(Page *p, const OwnPatients *own, bool *ret, Err *err)
{
    int64_t all = 0;
    *ret = false;
    if (own->many) {
        return OK;
    }
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    TRY(type_counter(p->run, patient, &all, err));
    double page = p->count_all ? 1e9 : (double)(p->limit < 1000 ? p->limit + 1 : 1000);
    double walk = page * (double)all / (double)(own->hash_n + 1);
    *ret = WALK_COST * walk > (double)own->hash_n;
    return OK;
}

/* What stands in order is walked, for a narrow view only so far; then the caller's own are taken.
 */
static Status page_long(Page *p, const Source *src, Err *err)
{
    Source own;
    OwnPatients patients;
    bool usable, shorter = false, done;
    TRY(source_patients(p->run, &own, &usable, err));
    if (usable) {
        TRY(own_patients(p->run, &patients, err));
        TRY(own_is_shorter(p, &patients, &shorter, err));
    }
    if (!shorter) {
        TRY(page_walked(p, src, usable ? WALK_TRY : SIZE_MAX, &done, err));
        if (done) {
            return OK;
        }
        page_restart(p);
    }
    source_yield(src);
    source_drive(&own);
    return page_gathered(p, &own, NULL, err);
}

/* ---- Where the conditions' rows stand in no order ---------------------------------------------
 */

/* The caller's patients one after another, or all of the type, each looked into. */
static Status page_tried(Page *p, const OwnPatients *own, bool *ret_done, Err *err)
{
    Run *r = p->run;
    int64_t least = r->bodies - SCAN_BODIES;
    if (own->many || r->query->type != fhir_resource_find(STR("Patient"))) {
        Source all = {.kind = SOURCE_ALL, .ordered = true};
        return page_walked(p, &all, SCAN_ROWS, ret_done, err);
    }
    bool ascends = query_ascends(r->query);
    size_t i = 0;
    for (; i < own->rid_n && !p->more && r->bodies > least; i++) {
        Candidate c = {ND_NONE, own->rid[ascends ? own->rid_n - 1 - i : i]};
        TRY(page_offer(p, c, err));
    }
    *ret_done = p->more || i == own->rid_n;
    return OK;
}

/*
 * A condition with many rows is met by many resources: a short look at the first ones in order
 * often fills the page (a single letter of a name). Else the rows are gathered, of the caller's
 * patients only where the search is for patients.
 */
static Status page_unordered(Page *p, const Source *src, Err *err)
{
    OwnPatients own;
    bool done = false;
    TRY(own_patients(p->run, &own, err));
    if (!p->count_all && p->limit <= SCAN_LIMIT) {
        source_yield(src);
        p->run->no_sets = true;
        TRY(page_tried(p, &own, &done, err));
        p->run->no_sets = false;
        source_drive(src);
    }
    if (done) {
        return OK;
    }
    page_restart(p);
    bool within = !own.many && p->run->query->type == fhir_resource_find(STR("Patient"));
    return page_gathered(p, src, within ? &own : NULL, err);
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
    TRY(source_gather(p->run, src, NULL, &c, err));
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

/* ---- In the order of writing ------------------------------------------------------------------
 */

static bool query_is_by_update(const StoreQuery *q)
{
    return q->sort_n == 1 && q->sort[0].kind == SORT_UPDATED;
}

/* The heads of a type by the seq that wrote them, past the cursor's place. */
static DbStmt *changes_stmt(const Page *p)
{
    Db *db = p->run->reader->index;
    bool down = p->run->query->sort[0].descending;
    DbStmt *st =
        down ? db_take(db, "SELECT c.rid, d.nd FROM change c CROSS JOIN doc d ON d.rid = c.rid"
                           " AND d.seq = c.seq WHERE c.type = ? AND c.seq < ?"
                           " ORDER BY c.seq DESC")
             : db_take(db, "SELECT c.rid, d.nd FROM change c CROSS JOIN doc d ON d.rid = c.rid"
                           " AND d.seq = c.seq WHERE c.type = ? AND c.seq > ? ORDER BY c.seq");
    if (st) {
        int64_t from = down ? INT64_MAX : 0;
        db_bind_i64(st, 0, type_number(p->run->query->type));
        db_bind_i64(st, 1, p->cursor && !p->count_all ? p->cursor->last.key[0] : from);
    }
    return st;
}

static Status page_changes(Page *p, size_t limit, bool *ret_done, Err *err)
{
    DbStmt *st = changes_stmt(p);
    if (!st) {
        return db_failed(p->run->reader->index, err);
    }
    Status s = OK;
    DbStep step = DB_ROW;
    for (size_t n = 0; s == OK && n < limit && (!p->more || p->count_all); n++) {
        step = db_step(st);
        if (step != DB_ROW) {
            break;
        }
        s = page_offer(p, (Candidate){db_col_i64(st, 1), db_col_i64(st, 0)}, err);
    }
    if (s == OK && step != DB_ROW && step != DB_NONE) {
        s = db_failed(p->run->reader->index, err);
    }
    db_give(st);
    *ret_done = step == DB_NONE || (p->more && !p->count_all);
    return s;
}

/* All matches are needed to sort them, unless they already stand in the order asked for. */
static Status page_by_keys(Page *p, Source *src, Err *err)
{
    Source own;
    bool usable, done = false, few = false, many = src->rows >= SOURCE_COUNT_MAX;
    TRY(source_patients(p->run, &own, &usable, err));
    if (many && usable) {
        OwnPatients patients;
        TRY(own_patients(p->run, &patients, err));
        TRY(own_is_shorter(p, &patients, &few, err));
        few = few && own.patient_n <= OWN_SORTED_MAX;
    }
    if (many && !few && query_is_by_update(p->run->query)) {
        source_yield(src);
        TRY(page_changes(p, UPDATED_TRY, &done, err));
        source_drive(src);
    }
    if (done) {
        return OK;
    }
    page_restart(p);
    if (few) {
        source_yield(src);
        source_drive(&own);
    }
    return page_sorted(p, few ? &own : src, err);
}

Status page_fill(Page *p, Err *err)
{
    Source src;
    TRY(source_choose(p->run, &src, err));
    source_drive(&src);
    if (!query_is_clinical(p->run->query)) {
        return page_by_keys(p, &src, err);
    }
    bool many = src.rows >= SOURCE_COUNT_MAX;
    bool alone = p->run->test_n <= 1 && src.rows >= SOURCE_SHORT;
    if (src.ordered && (alone || many)) {
        return page_long(p, &src, err);
    }
    bool unordered = many && src.kind == SOURCE_TEST && !src.test->is_set;
    return unordered ? page_unordered(p, &src, err) : page_gathered(p, &src, NULL, err);
}
