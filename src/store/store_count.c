/*
 * Totals: how many resources have rows for all the conditions, as bits by rid. Nobody's sight is
 * asked about, so it is for those who see everything.
 */
#include "store_kept.h"
#include "store_posting.h"

#include "mk_banned.h"

#define COUNT_ROWS_MAX 20000000 /* read one after another they cost an eighth of others … */
#define COUNT_SHARE    20       /* … and less of the budget */

/* Its rows are all that match, and of nothing that is no more. */
static bool test_is_whole(const Test *t)
{
    ClauseKind k = t->clause->kind;
    bool hashed = k == CLAUSE_TOKEN || k == CLAUSE_REF;
    bool whole = test_has_rows(t) || (hashed && t->clause->modifier == MODIFIER_NOT && !t->no_rows);
    return whole && !t->wide && !t->is_set && !t->listed &&
           (hashed || k == CLAUSE_DATE || k == CLAUSE_NUMBER || k == CLAUSE_QUANTITY ||
            k == CLAUSE_COMPOSITE || k == CLAUSE_STRING || k == CLAUSE_URI);
}

static bool run_is_countable(const Run *r)
{
    bool all = r->view->everything && r->index_current && r->test_n > 0;
    for (size_t i = 0; i < r->test_n && all; i++) {
        all = r->test[i].hint || test_is_whole(&r->test[i]);
    }
    return all;
}

/* From kept sets, or from the rows. */
static Status bits_read(Run *r, const Test *t, Bits own, Err *err)
{
    bool known = !t || test_is_listed(t);
    Postings rows = {.run = r, .bits = own.word, .limit = INT64_MAX};
    const int64_t none = 0;
    if (known) {
        TRY(bits_of_test(r, t, true, own, &known, err));
    }
    if (known) {
        return OK;
    }
    memset(own.word, 0, own.n * sizeof *own.word);
    TRY(t ? posting_test(&rows, t, err)
          : posting_hashes(&rows, INDEX_TOKEN, index_param_all(r->query->type), &none, 1, err));
    return rows.full ? run_charge(r, INT64_MAX / 2, err) : OK;
}

/* What one test leaves of the bits; NULL: of all resources of the type. */
static Status bits_meet(Run *r, Bits all, const Test *t, bool first, Err *err)
{
    Bits own = first ? all : bits_new(r);
    TRY(bits_read(r, t, own, err));
    bool negated = t && clause_is_negated(t->clause);
    for (size_t i = 0; i < all.n && !first; i++) {
        all.word[i] &= negated ? ~own.word[i] : own.word[i];
    }
    return OK;
}

static Status bits_of_run(Run *r, Bits all, Err *err)
{
    bool first = true;
    for (size_t i = 0; i < r->test_n; i++) {
        const Test *t = &r->test[i];
        if (!t->hint && !clause_is_negated(t->clause)) {
            TRY(bits_meet(r, all, t, first, err));
            first = false;
        }
    }
    if (first) {
        TRY(bits_meet(r, all, NULL, true, err));
    }
    for (size_t i = 0; i < r->test_n; i++) {
        const Test *t = &r->test[i];
        if (!t->hint && clause_is_negated(t->clause)) {
            TRY(bits_meet(r, all, t, false, err));
        }
    }
    return OK;
}

Status page_count(Page *p, bool *ret_known, Err *err)
{
    Run *r = p->run;
    Budget *b = r->budget;
    *ret_known = run_is_countable(r);
    if (!*ret_known) {
        return OK;
    }
    Bits all = bits_new(r);
    int64_t left = b->rows;
    b->rows = COUNT_ROWS_MAX;
    Status s = bits_of_run(r, all, err);
    b->rows = s == OK ? left - (COUNT_ROWS_MAX - b->rows) / COUNT_SHARE : left;
    TRY(s);
    p->total = bits_count(all);
    p->counted = true;
    p->count_all = false;
    run_note(r, "total: rows of the index counted");
    return run_charge(r, 0, err);
}
