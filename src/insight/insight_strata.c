/* What was counted, summed and split. */
#include <stdlib.h>

#include "insight_inner.h"

Sum counted_sum(Arena *a, const Hit *hit, size_t n)
{
    Sum s = {.n = n};
    double *minutes = arena_array(a, double, n + 1);
    for (size_t i = 0; i < n; i++) {
        s.above += hit[i].above ? 1 : 0;
        minutes[i] = hit[i].minutes;
    }
    s.median = n ? minutes_median(minutes, n) : 0;
    return s;
}

typedef struct Keyed {
    uint64_t key;
    const Hit *hit;
} Keyed;

static int keyed_order(const void *x, const void *y)
{
    uint64_t p = ((const Keyed *)x)->key, q = ((const Keyed *)y)->key;
    return (p > q) - (p < q);
}

size_t counted_strata(Arena *a, const Counted *c, StratumKey *key, void *ctx, Stratum **ret)
{
    Keyed *keyed = arena_array(a, Keyed, c->n + 1);
    Hit *hit = arena_array(a, Hit, c->n + 1);
    Stratum *list = arena_array(a, Stratum, c->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        keyed[i] = (Keyed){key(ctx, &c->hit[i]), &c->hit[i]};
    }
    qsort(keyed, c->n, sizeof *keyed, keyed_order);
    for (size_t i = 0, end; i < c->n; i = end) {
        for (end = i; end < c->n && keyed[end].key == keyed[i].key; end++) {
            hit[end] = *keyed[end].hit;
        }
        list[n++] = (Stratum){keyed[i].key, counted_sum(a, &hit[i], end - i)};
    }
    *ret = list;
    return n;
}

/* ---- Intervals ------------------------------------------------------------------------------- */

static int64_t day_of(int64_t ms, int zone_min)
{
    int64_t local = ms + zone_min * MS_MINUTE;
    return local / MS_DAY - (local % MS_DAY < 0 ? 1 : 0);
}

/* The first day after `day` on which a part begins. */
static int64_t day_next(InsightInterval interval, int64_t day)
{
    int y, m, d;
    switch (interval) {
    case INSIGHT_WEEK: /* 1970-01-05 was a Monday */
        return day + 7 - ((day - 4) % 7 + 7) % 7;
    case INSIGHT_MONTH:
        civil_from_days(day, &y, &m, &d);
        return days_from_civil(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1);
    case INSIGHT_DAY:
    case INSIGHT_WHOLE:
        break;
    }
    return day + 1;
}

bool interval_starts(Arena *a, const InsightQuery *q, int zone_min, int64_t **ret, size_t *ret_n)
{
    int64_t *start = arena_array(a, int64_t, INSIGHT_BUCKETS_MAX + 1);
    size_t n = 0;
    int64_t at = q->from_ms;
    while (q->interval != INSIGHT_WHOLE && at < q->to_ms) {
        if (n == INSIGHT_BUCKETS_MAX) {
            return false;
        }
        start[n++] = at;
        at = day_next(q->interval, day_of(at, zone_min)) * MS_DAY - zone_min * MS_MINUTE;
    }
    start[n] = q->to_ms;
    *ret = start;
    *ret_n = n;
    return true;
}
