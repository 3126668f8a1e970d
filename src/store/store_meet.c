/*
 * Where long lists meet: a walk of one of them that finds few of its rows in the others asks the
 * kept sets how many there are, and then looks at these, or walks on asking bits instead of the
 * index.
 */
#include "store_kept.h"

#include "mk_banned.h"

#define MEET_TRY  128   /* candidates walked before kept sets are asked … */
#define MEET_MAKE 4096  /* … and before lists are read to be kept … */
#define MEET_BODY 16    /* … of which one is as much work where a condition looks into bodies */
#define ROW_COST  1.4   /* of a row walked, beside … */
#define RID_COST  4.3   /* … a clinical date looked up */
#define MEET_MAX  50000 /* rids whose dates are looked up at once */

static bool source_is_listed(const Source *src)
{
    return src->kind == SOURCE_ALL || (src->kind == SOURCE_TEST && test_is_listed(src->test));
}

static bool test_may_meet(const Test *t)
{
    return !t->driven && !t->moot && test_is_listed(t);
}

bool run_may_meet(const Run *r, const Source *src)
{
    bool any = false;
    for (size_t i = 0; i < r->test_n && !any; i++) {
        any = test_may_meet(&r->test[i]);
    }
    return any && source_is_listed(src);
}

void run_part(Run *r)
{
    r->met = NULL;
    for (size_t i = 0; i < r->test_n; i++) {
        r->test[i].met = false;
    }
}

static Status bits_with(Run *r, const Test *t, bool make, Bits all, bool *ret_known, Err *err)
{
    Bits own = bits_new(r);
    TRY(bits_of_test(r, t, make, own, ret_known, err));
    bool negated = test_is_negated(t);
    for (size_t i = 0; i < all.n && *ret_known; i++) {
        all.word[i] &= negated ? ~own.word[i] : own.word[i];
    }
    return OK;
}

static Status run_meet(Run *r, const Source *src, bool make, bool *ret_known, int64_t *ret_rows,
                       Err *err)
{
    Bits *all = arena_new(r->arena, Bits);
    *all = bits_new(r);
    TRY(bits_of_test(r, src->kind == SOURCE_ALL ? NULL : src->test, make, *all, ret_known, err));
    *ret_rows = bits_count(*all);
    for (size_t i = 0; i < r->test_n && *ret_known; i++) {
        if (test_may_meet(&r->test[i])) {
            TRY(bits_with(r, &r->test[i], make, *all, ret_known, err));
        }
    }
    for (size_t i = 0; i < r->test_n && *ret_known; i++) {
        r->test[i].met = test_may_meet(&r->test[i]);
    }
    r->met = *ret_known ? all : NULL;
    return run_charge(r, (int64_t)all->n / 64, err);
}

static Status run_met_candidates(Run *r, Candidates *ret, Err *err)
{
    bool dated = !str_empty(fhir_clinical_date(r->query->type));
    size_t n = (size_t)bits_count(*r->met);
    *ret = (Candidates){arena_array(r->arena, Candidate, n + 1), 0, n + 1};
    for (size_t i = 0; i < r->met->n; i++) {
        for (uint64_t word = r->met->word[i]; word; word &= word - 1) {
            Candidate *c = &ret->at[ret->n++];
            *c = (Candidate){ND_NONE, (int64_t)i * 64 + __builtin_ctzll(word)};
            if (dated) {
                TRY(candidate_of(r, c->rid, c, err));
            }
        }
    }
    return OK;
}

/* As cheap as walking the source's rows until the page is full of those that meet. */
static bool met_is_few(const Run *r, int64_t rows, size_t limit)
{
    double n = (double)bits_count(*r->met);
    double page = limit < QUERY_COUNT_MAX ? (double)limit + 1 : 1e9;
    double walk = page < n ? page * (double)rows / n : (double)rows;
    return n <= MEET_MAX && n * RID_COST <= walk * ROW_COST;
}

static Status met_try(Page *p, const Source *src, bool make, bool *ret_met, bool *ret_done,
                      Err *err)
{
    int64_t rows;
    Candidates c;
    Run *r = p->run;
    TRY(run_meet(r, src, make, ret_met, &rows, err));
    if (!*ret_met) {
        return OK;
    }
    bool few = met_is_few(r, rows, p->count_all ? SIZE_MAX : p->limit);
    run_note(r, "%lld of %lld rows are in the other lists, too: %s", (long long)bits_count(*r->met),
             (long long)rows, few ? "these are looked at" : "walked");
    if (!few) {
        return OK;
    }
    TRY(run_met_candidates(r, &c, err));
    page_restart(p);
    TRY(page_candidates(p, &c, err));
    *ret_done = true;
    return OK;
}

/* How many candidates are walked first. */
static size_t met_after(const Run *r, size_t n)
{
    bool bodies = false;
    for (size_t i = 0; i < r->test_n && !bodies; i++) {
        bodies = r->test[i].of_any;
    }
    return bodies ? n / MEET_BODY : n;
}

Status page_met(Page *p, const Source *src, bool *ret_done, Err *err)
{
    bool met = false;
    TRY(page_walked(p, src, met_after(p->run, MEET_TRY), ret_done, err));
    if (!*ret_done) {
        TRY(met_try(p, src, false, &met, ret_done, err));
    }
    if (!*ret_done && !met) {
        TRY(page_walked(p, src, met_after(p->run, MEET_MAKE), ret_done, err));
    }
    if (!*ret_done && !met) {
        TRY(met_try(p, src, true, &met, ret_done, err));
    }
    return *ret_done ? OK : page_walked(p, src, SIZE_MAX, ret_done, err);
}
