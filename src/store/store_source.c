/*
 * Sources: postings that give the candidates, counted and gathered. store_choose.c says which
 * source; store_walk.c walks those that stand in order.
 */
#include <stdlib.h>

#include "store_posting.h"

#include "mk_banned.h"

#define GATHER_ROWS_MAX 300000
#define SET_ROWS_MAX    20000
#define SET_ROWS_FEW    1000
#define SET_ASKED       8
#define SET_ASKED_MORE  100

bool test_has_rows(const Test *t)
{
    const Clause *c = t->clause;
    if (clause_is_negated(c) || c->modifier == MODIFIER_MISSING || t->lazy || t->moot) {
        return false;
    }
    if (t->is_set || t->listed) {
        return true;
    }
    bool texts = c->kind == CLAUSE_CONTENT || (c->kind == CLAUSE_TOKEN && test_is_text(t));
    bool measured = c->kind != CLAUSE_COMPOSITE || t->range_n > 0;
    return !texts && !t->no_rows && measured && c->kind != CLAUSE_NEAR && c->kind != CLAUSE_TYPE;
}

bool test_has_nd(const Test *t)
{
    ClauseKind k = t->clause->kind;
    return !t->is_set && !t->listed && (k == CLAUSE_TOKEN || k == CLAUSE_REF || k == CLAUSE_CHAIN);
}

static Status source_rows(Postings *rows, const Source *src, Err *err)
{
    uint32_t everything = index_param_all(rows->run->query->type);
    const int64_t none = 0;
    switch (src->kind) {
    case SOURCE_ALL:
        return posting_hashes(rows, INDEX_TOKEN, everything, &none, 1, err);
    case SOURCE_TEST:
        return posting_test(rows, src->test, err);
    case SOURCE_COMPARTMENT:
        return posting_compartments(rows, src, err);
    case SOURCE_PATIENTS:
        return src->code_n ? posting_compartments(rows, src, err)
                           : posting_patients(rows, src, err);
    }
    return OK;
}

/* Of a long list of one token the counter says that it is long. */
static Status source_known(Run *r, Source *src, int64_t limit, bool *ret, Err *err)
{
    int64_t n = -1;
    *ret = false;
    if (src->kind != SOURCE_TEST || limit < SOURCE_COUNT_MAX) {
        return OK;
    }
    TRY(test_counted(r, src->test, &n, err));
    *ret = n > limit;
    src->rows = n;
    src->whole = false;
    return OK;
}

Status source_count(Run *r, Source *src, int64_t limit, Err *err)
{
    bool known;
    src->counted = (Candidates){0};
    TRY(source_known(r, src, limit, &known, err));
    if (known) {
        return OK;
    }
    Postings rows = {.run = r, .out = &src->counted, .limit = limit};
    TRY(source_rows(&rows, src, err));
    src->rows = rows.n;
    src->whole = !rows.full;
    return OK;
}

/* ---- Gathering
 * ------------------------------------------------------------------------------------------ */

Status candidates_date(Run *r, Candidates *c, Err *err)
{
    if (str_empty(fhir_clinical_date(r->query->type))) {
        return OK;
    }
    return run_dates(r, c->at, c->n, err);
}

static void candidates_unique(Candidates *c)
{
    size_t n = 0;
    if (!c->n) {
        return;
    }
    qsort(c->at, c->n, sizeof *c->at, candidate_newest_first);
    for (size_t i = 0; i < c->n; i++) {
        if (n == 0 || c->at[n - 1].rid != c->at[i].rid) {
            c->at[n++] = c->at[i];
        }
    }
    c->n = n;
}

static Status too_many(Err *err)
{
    return err_add(err, ERR_TOO_MANY, "too-costly", STR_NONE,
                   "检索涉及的记录过多，请增加条件缩小范围",
                   "The search looks at too many resources; add conditions that narrow it");
}

Status source_gather(Run *r, const Source *src, const OwnPatients *within, Candidates *ret,
                     Err *err)
{
    Postings rows = {.run = r, .out = ret, .within = within, .limit = GATHER_ROWS_MAX};
    *ret = src->whole ? src->counted : (Candidates){0};
    if (!src->whole) {
        TRY(source_rows(&rows, src, err));
    }
    if (rows.full) {
        return too_many(err);
    }
    if (src->kind == SOURCE_TEST && !test_has_nd(src->test) && ret->n) {
        for (size_t i = 0; i < ret->n; i++) {
            ret->at[i].nd = ND_NONE;
        }
        candidates_unique(ret);
        TRY(candidates_date(r, ret, err));
    }
    if (ret->n) {
        candidates_unique(ret);
    }
    return OK;
}

/*
 * To look for a rid costs a hundredth of a look into a body: after so many candidates it is worth
 * reading so many rows.
 */
static size_t set_worth(const Test *t)
{
    return t->asked < SET_ASKED ? 0 : t->asked < SET_ASKED_MORE ? SET_ROWS_FEW : SET_ROWS_MAX;
}

Status test_gather_set(Run *r, Test *t, Err *err)
{
    Candidates found = {0};
    size_t worth = set_worth(t);
    Postings rows = {.run = r, .out = &found, .limit = (int64_t)worth};
    t->asked++;
    if (worth <= t->tried || !test_has_rows(t)) {
        return OK;
    }
    t->tried = worth;
    TRY(posting_test(&rows, t, err));
    if (rows.full) {
        return OK;
    }
    t->rid = arena_array(r->arena, int64_t, found.n + 1);
    t->rid_n = found.n;
    for (size_t i = 0; i < found.n; i++) {
        t->rid[i] = found.at[i].rid;
    }
    qsort(t->rid, t->rid_n, sizeof *t->rid, rid_order);
    t->is_set = true;
    return OK;
}
