/*
 * Ranges: the pieces of the index in which a condition's rows stand in the order of their values.
 *
 * A date, number, quantity or measure is met by the rows of some ranges, each a bounded walk of
 * one table (store_range.c).
 */
#include <math.h>

#include "store_range.h"

#include "mk_banned.h"

static Range *range_add(Run *r, Test *t, const Range *x)
{
    if (t->range_n == t->range_room) {
        t->range_room = t->range_room ? t->range_room * 2 : 8;
        Range *more = arena_array(r->arena, Range, t->range_room);
        if (t->range_n) {
            memcpy(more, t->range, t->range_n * sizeof *more);
        }
        t->range = more;
    }
    t->range[t->range_n] = *x;
    return &t->range[t->range_n++];
}

static int64_t negated(int64_t ms)
{
    return ms == INT64_MIN ? INT64_MAX : -ms;
}

static void date_bounds(const QueryValue *v, int64_t now_ms, Range *x)
{
    const int64_t reach = 2 * MS_DAY;
    int64_t gap = (now_ms > v->lo ? now_ms - v->lo : v->lo - now_ms) / 10;
    x->from = INT64_MIN;
    x->to = INT64_MAX;
    switch (v->prefix) {
    case PREFIX_EQ:
        x->from = negated(v->hi);
        x->to = negated(v->lo);
        break;
    case PREFIX_NE:
        break;
    case PREFIX_GT:
    case PREFIX_GE:
        x->to = negated(v->lo - reach);
        break;
    case PREFIX_LT:
    case PREFIX_LE:
        x->from = negated(v->hi);
        break;
    case PREFIX_SA:
        x->to = negated(v->hi);
        break;
    case PREFIX_EB:
        x->from = negated(v->lo);
        break;
    case PREFIX_AP:
        x->from = negated(v->hi + gap);
        x->to = negated(v->lo - gap - reach);
        break;
    }
}

/* What is asked of a time that began long before stands among the long intervals. */
static void date_add(Run *r, Test *t, uint32_t param, const QueryValue *v)
{
    Range x = {.table = INDEX_DATE, .param = param, .value = *v};
    int64_t now_ms = r->view->now_ms;
    date_bounds(v, now_ms, &x);
    range_add(r, t, &x);
    if (v->prefix == PREFIX_GT || v->prefix == PREFIX_GE || v->prefix == PREFIX_AP) {
        int64_t gap = (now_ms > v->lo ? now_ms - v->lo : v->lo - now_ms) / 10;
        x.by_end = true;
        x.start_past = x.to;
        x.from = INT64_MIN;
        x.to = negated(v->prefix == PREFIX_AP ? v->lo - gap : v->lo);
        range_add(r, t, &x);
    }
}

/* Bounds of the lower end. Of intervals only those count that hold whatever the upper end is. */
static void number_bounds(const QueryValue *v, bool points, Range *x)
{
    x->low = -INFINITY;
    x->high = INFINITY;
    switch (v->prefix) {
    case PREFIX_EQ:
        x->low = v->from;
        x->high = v->to;
        break;
    case PREFIX_AP:
        x->low = points ? v->from : x->low;
        x->high = v->to;
        break;
    case PREFIX_GT:
    case PREFIX_GE:
        x->low = points ? v->number : x->low;
        break;
    case PREFIX_SA:
        x->low = v->number;
        break;
    case PREFIX_LT:
    case PREFIX_LE:
    case PREFIX_EB:
        x->high = v->number;
        break;
    case PREFIX_NE:
        break;
    }
}

static void number_add(Run *r, Test *t, Range x)
{
    number_bounds(&x.value, x.points, &x);
    if (x.points && x.value.prefix == PREFIX_NE) {
        x.high = x.value.from;
        range_add(r, t, &x);
        x.low = x.value.to;
        x.high = INFINITY;
    }
    range_add(r, t, &x);
}

void ranges_of_list(Run *r, Test *t, uint32_t param, int64_t list, const QueryValue *v)
{
    Range x = {.table = INDEX_QUANTITY, .param = param, .value = *v};
    for (IndexSpread spread = SPREAD_SOLE; spread < SPREADS; spread++) {
        x.list = index_list(list, spread);
        x.sole = spread == SPREAD_SOLE;
        x.points = spread != SPREAD_INTERVAL;
        number_add(r, t, x);
    }
}

static void quantity_add(Run *r, Test *t, uint32_t param, const QueryValue *v)
{
    const Store *s = r->store;
    ranges_of_list(r, t, param, index_hash_unit(s, v->system, v->code), v);
    if (v->convertible) {
        QueryValue base = query_value_in_base(v);
        ranges_of_list(r, t, param, index_hash_unit(s, STR(INDEX_UNIT_BASE), v->base), &base);
    }
}

static bool overlap(const Range *x, const Range *y)
{
    return x->low <= y->high && y->low <= x->high;
}

/*
 * Where a range's rows cannot be of a resource that has a row in an earlier one: nothing but the
 * lists of one unit, of which a resource that is alone in one is in no other.
 */
void ranges_mark_alone(const FhirType *type, Test *t)
{
    bool single = t->clause->param && t->range_n && t->range[0].table == INDEX_DATE &&
                  t->clause->values_n == 1 && t->part_n == 1 &&
                  index_param_is_single(type, t->clause->param);
    for (size_t i = 0; i < t->range_n; i++) {
        Range *x = &t->range[i];
        x->alone = single || x->sole;
        for (size_t k = 0; k < i && !single && x->alone; k++) {
            const Range *y = &t->range[k];
            bool same_unit =
                y->param == x->param &&
                (y->list == x->list || y->list == index_list(x->list, SPREAD_SEVERAL) ||
                 y->list == index_list(x->list, SPREAD_INTERVAL));
            x->alone = same_unit && !(y->list == x->list && overlap(x, y));
        }
    }
}

void ranges_make(Run *r, Test *t)
{
    const Clause *c = t->clause;
    if (c->modifier != MODIFIER_NONE) {
        return;
    }
    for (size_t i = 0; i < c->values_n; i++) {
        for (size_t k = 0; k < t->part_n; k++) {
            Range number = {.table = INDEX_NUMBER, .param = t->part[k], .value = c->values[i]};
            if (c->kind == CLAUSE_DATE) {
                date_add(r, t, t->part[k], &c->values[i]);
            } else if (c->kind == CLAUSE_QUANTITY) {
                quantity_add(r, t, t->part[k], &c->values[i]);
            } else if (c->kind == CLAUSE_NUMBER) {
                number_add(r, t, number);
            }
        }
    }
    ranges_mark_alone(r->query->type, t);
}
