/*
 * Ranges of a condition (store_range_make.c): where its rows stand in the order of their values,
 * and walking them (store_range.c).
 */
#ifndef STORE_RANGE_H
#define STORE_RANGE_H

#include "store_query.h"

struct Range {
    IndexTable table; /* INDEX_DATE, INDEX_NUMBER, INDEX_QUANTITY */
    bool by_end;      /* long intervals, which `date` has by their start, by their end */
    bool sole;        /* no resource has two rows in its list … */
    bool alone;       /* … nor a row in an earlier range */
    bool points;      /* a list of quantities without intervals */
    uint32_t param;
    int64_t list;       /* quantities: index_list */
    QueryValue value;   /* in the list's unit */
    int64_t from, to;   /* dates: of the negated start, by_end of the negated end … */
    int64_t start_past; /* … and then of those whose negated start is greater */
    double low, high;   /* numbers: of the lower end */
};

/* Where a row stands in the walk: which range, its values as ordered integers, whose it is. */
typedef struct RangePlace {
    int64_t range, key[2], rid;
} RangePlace;

/* Which list it is of, for a cursor: others may come before it meanwhile. */
int64_t range_mark(const Range *x);

/* Of a date, number or quantity; none: the condition is not of values. */
void ranges_make(Run *r, Test *t);
/* Of one list of quantities; then ranges_mark_alone, when all are there. */
void ranges_of_list(Run *r, Test *t, uint32_t param, int64_t list, const QueryValue *v);

void ranges_mark_alone(const FhirType *type, Test *t);

typedef struct RangeWalk {
    Run *run;
    const Test *test;
    size_t at;  /* the range */
    DbStmt *st; /* of index.db's rows in it; row: the next, while live */
    bool row_live;
    RangePlace row;
    RangePlace *delta; /* the delta's in it, sorted */
    size_t delta_n, delta_at, delta_room;
    bool has_after;
    RangePlace after;
} RangeWalk;

/* From behind a place on; NULL: from the beginning. */
void ranges_open(Run *r, const Test *t, const RangePlace *after, RangeWalk *ret);
/* The next row; a resource comes once for each of its rows (ranges_stand). */
Status ranges_next(RangeWalk *w, RangePlace *ret, bool *ret_more, Err *err) MUST_USE;
void ranges_close(RangeWalk *w);
/* Whether this row is the first of its resource in all the ranges. */
Status ranges_stand(Run *r, const Test *t, Found *f, const RangePlace *at, bool *ret,
                    Err *err) MUST_USE;

#endif
