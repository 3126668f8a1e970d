/*
 * Pages in the order of the values that a condition asks for, where the search asks for no order:
 * the rows of its ranges are walked until the page is full, however many there are.
 *
 * Which condition it was stands in the cursor, so that all pages are of one order.
 */
#include "store_range.h"

#include "mk_banned.h"

#define WALK_TRY   1000 /* rows walked for a narrow view before another way is taken … */
#define WALK_SHARE 8    /* … and one more for so many patients of the caller's */

/* Another condition looks for the candidate's own row, which stands under its clinical date. */
static bool dates_needed(const Run *r)
{
    bool any = false;
    for (size_t i = 0; i < r->test_n && !any; i++) {
        any = !r->test[i].driven && test_has_nd(&r->test[i]);
    }
    return any && !str_empty(fhir_clinical_date(r->query->type));
}

static Status place_offer(Page *p, const Test *t, const RangePlace *at, Candidate c, Err *err)
{
    Run *r = p->run;
    Found f;
    bool match;
    TRY(run_consider(r, c, &f, &match, err));
    if (match) {
        TRY(ranges_stand(r, t, &f, at, &match, err));
    }
    if (!match) {
        return OK;
    }
    if (p->n == p->limit) {
        p->more = true;
        return OK;
    }
    f.key[0] = at->range;
    f.key[1] = at->key[0];
    f.key[2] = at->key[1];
    f.key[3] = range_mark(&t->range[at->range]);
    page_keep(p, &f);
    return OK;
}

/* Places that come next, of those that may be looked at. */
typedef struct Places {
    RangePlace at[RUN_COMING];
    Candidate c[RUN_COMING];
    size_t n;
} Places;

static Status places_offer(Page *p, const Test *t, Places *x, bool dates, Err *err)
{
    Status s = dates ? run_dates(p->run, x->c, x->n, err) : OK;
    run_coming(p->run, x->c, x->n);
    for (size_t i = 0; s == OK && i < x->n && !p->more; i++) {
        s = place_offer(p, t, &x->at[i], x->c[i], err);
    }
    run_coming(p->run, NULL, 0);
    x->n = 0;
    return s;
}

/* *ret_done false: after so many rows the page is not full. */
static Status values_walk(Page *p, const Test *t, const RangePlace *after, size_t limit,
                          bool *ret_done, Err *err)
{
    RangeWalk w;
    Places x = {.n = 0};
    bool more = true, dates = dates_needed(p->run);
    Status s = OK;
    p->way = 1 + (t - p->run->test);
    ranges_open(p->run, t, after, &w);
    p->run->page_n = p->limit + 1;
    for (size_t n = 0; s == OK && more && !p->more && n < limit; n++) {
        RangePlace *at = &x.at[x.n];
        s = ranges_next(&w, at, &more, err);
        if (s == OK && more && (!p->among || own_has_rid(p->among, at->rid))) {
            x.c[x.n++] = (Candidate){ND_NONE, at->rid};
        }
        if (s == OK && (x.n == run_stretch(p->run) || !more || n + 1 == limit)) {
            s = places_offer(p, t, &x, dates, err);
        }
    }
    ranges_close(&w);
    *ret_done = !more || p->more;
    return s;
}

Status page_by_value(Page *p, const Source *src, bool *ret_done, Err *err)
{
    Source own;
    bool narrow;
    const Test *t = src->test;
    TRY(source_patients(p->run, &own, &narrow, err));
    size_t limit = narrow ? WALK_TRY + own.own->n / WALK_SHARE : SIZE_MAX;
    if (narrow) {
        TRY(run_pass_others(p->run, own.own, err));
    }
    TRY(values_walk(p, t, NULL, limit, ret_done, err));
    if (*ret_done) {
        run_note(p->run, "in the order of the values of %.*s", STR_ARG(test_name(t)));
        return OK;
    }
    p->way = 0;
    page_restart(p);
    return OK;
}

/* The range that the cursor stands in; codes that came since may have brought others before it. */
static bool range_again(const Test *t, const Found *last, int64_t *ret)
{
    *ret = last->key[0];
    bool found = (size_t)*ret < t->range_n && range_mark(&t->range[*ret]) == last->key[3];
    for (size_t i = 0; i < t->range_n && !found; i++) {
        *ret = (int64_t)i;
        found = range_mark(&t->range[i]) == last->key[3];
    }
    return found;
}

/* All that match, which such a walk does not count. */
static Status total_again(Page *p, Err *err)
{
    Page all = {.run = p->run, .count_all = true};
    TRY(page_fill(&all, err));
    p->total = all.total;
    p->counted = true;
    for (size_t i = 0; i < p->run->test_n; i++) {
        p->run->test[i].driven = false;
    }
    return OK;
}

Status page_value_next(Page *p, Err *err)
{
    Run *r = p->run;
    const Found *last = &p->cursor->last;
    size_t test = (size_t)p->cursor->way - 1;
    RangePlace after = {0, {last->key[1], last->key[2]}, last->at.rid};
    bool done;
    if (test >= r->test_n || !range_again(&r->test[test], last, &after.range)) {
        return err_add(err, ERR_GONE, "expired", STR("_cursor"), "翻页标记已失效，请重新检索",
                       "The cursor is of an order that is no more; search again");
    }
    if (p->count_all) {
        TRY(total_again(p, err));
    }
    Source src = source_of_test(&r->test[test]);
    source_drive(&src);
    return values_walk(p, &r->test[test], &after, SIZE_MAX, &done, err);
}
