/* One case judged by one indicator: pure, no store and no clock. */
#include <stdlib.h>

#include "insight_inner.h"

static bool word_in(Word w, const Word *list, size_t n)
{
    for (size_t i = 0; w && i < n; i++) {
        if (list[i] == w) {
            return true;
        }
    }
    return false;
}

static bool moment_is(const Moment *m, const RuleMoment *r)
{
    switch (r->kind) {
    case FLOW_MOMENT_ACTION:
        return m->kind == MOMENT_STEP && word_in(m->code, r->code, r->n);
    case FLOW_MOMENT_STATE:
        return m->entered && word_in(m->state, r->code, r->n);
    case FLOW_MOMENT_DEADLINE:
        return m->kind == MOMENT_DUE && word_in(m->code, r->code, r->n);
    case FLOW_MOMENT_NONE:
        break;
    }
    return false;
}

/* The first from moment `i` on; NULL. */
static const Moment *first_from(const Case *c, size_t i, const RuleMoment *r)
{
    for (; i < c->n; i++) {
        if (moment_is(&c->moment[i], r)) {
            return &c->moment[i];
        }
    }
    return NULL;
}

/* The last before `m`; NULL. */
static const Moment *last_before(const Case *c, const Moment *m, const RuleMoment *r)
{
    while (m-- > c->moment) {
        if (moment_is(m, r)) {
            return m;
        }
    }
    return NULL;
}

static const Moment *first_in(const Case *c, const RuleMoment *r, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < c->n; i++) {
        const Moment *m = &c->moment[i];
        if (m->at_ms >= from_ms && m->at_ms < to_ms && moment_is(m, r)) {
            return m;
        }
    }
    return NULL;
}

/* ---- Shares ---------------------------------------------------------------------------------- */

typedef enum Judged { JUDGED_OUT, JUDGED_BELOW, JUDGED_ABOVE } Judged;

/* Within so long after the last such moment before. */
static Judged judge_since(const Rule *r, const Case *c, const Moment *at)
{
    const Moment *since = last_before(c, at, &r->other);
    if (!since) {
        return JUDGED_BELOW;
    }
    int64_t end = r->within_end(r->ctx, r, c->priority, since->at_ms);
    return end == TIME_NONE ? JUDGED_OUT : at->at_ms <= end ? JUDGED_ABOVE : JUDGED_BELOW;
}

/* The last ms at which it still counts; TIME_FOREVER: whenever; TIME_NONE: nobody can say. */
static int64_t limit_of(const Rule *r, const Case *c, const Moment *at)
{
    int64_t limit = TIME_FOREVER;
    if (r->indicator->has_within) {
        limit = r->within_end(r->ctx, r, c->priority, at->at_ms);
    }
    const Moment *by = limit == TIME_NONE ? NULL : first_from(c, 0, &r->by);
    return by && by->at_ms < limit ? by->at_ms : limit;
}

/* What is not done, has time left and may still be done is in neither number. */
static Judged judge_after(const Rule *r, const Case *c, const Moment *at, int64_t now_ms)
{
    bool whenever = at->kind == MOMENT_DUE; /* what falls due may be done before */
    size_t i = whenever ? 0 : (size_t)(at - c->moment) + 1;
    const Moment *done = moment_is(at, &r->other) ? at : first_from(c, i, &r->other);
    int64_t limit = limit_of(r, c, at);
    if (limit == TIME_NONE) {
        return JUDGED_OUT;
    }
    if (done && done->at_ms <= limit) {
        return JUDGED_ABOVE;
    }
    bool open = limit != TIME_FOREVER && now_ms <= limit && !word_in(c->state, r->end, r->end_n);
    return open ? JUDGED_OUT : JUDGED_BELOW;
}

static bool judge_share(const Rule *r, const Case *c, int64_t now_ms, Hit *h)
{
    Judged j = r->indicator->since ? judge_since(r, c, h->at) : judge_after(r, c, h->at, now_ms);
    h->above = j == JUDGED_ABOVE;
    return j != JUDGED_OUT;
}

static bool judge_minutes(const Rule *r, const Case *c, Hit *h)
{
    const Moment *from = last_before(c, h->at, &r->other);
    h->minutes = from ? (double)(h->at->at_ms - from->at_ms) / (double)MS_MINUTE : 0;
    return from != NULL;
}

bool rule_judge(const Rule *r, const Case *c, int64_t from_ms, int64_t to_ms, int64_t now_ms,
                Hit *ret)
{
    if (r->priority_n && !word_in(c->priority, r->priority, r->priority_n)) {
        return false;
    }
    Hit h = {.c = c, .at = first_in(c, &r->counted, from_ms, to_ms)};
    if (!h.at) {
        return false;
    }
    bool counts = r->indicator->figure == FLOW_FIGURE_SHARE     ? judge_share(r, c, now_ms, &h)
                  : r->indicator->figure == FLOW_FIGURE_MINUTES ? judge_minutes(r, c, &h)
                                                                : true;
    if (counts) {
        *ret = h;
    }
    return counts;
}

/* ---- Medians --------------------------------------------------------------------------------- */

static int number_order(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

double minutes_median(double *at, size_t n)
{
    qsort(at, n, sizeof *at, number_order);
    return n % 2 ? at[n / 2] : (at[n / 2 - 1] + at[n / 2]) / 2;
}
