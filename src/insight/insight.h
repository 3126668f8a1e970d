/*
 * Insight: figures of the county, computed from what its cases' own resources say.
 *
 * DIR/insight.db holds, for every case, who asked and who had to act, and its moments: each step
 * with the time of its Provenance, each deadline with its due time. It is a cache that follows the
 * log: it says up to which seq it goes, and is thrown away and made again when it is of another
 * layout, of another log, or damaged. Which of these facts make a figure is said by the packages
 * (flow_indicators.h); there is no indicator in C.
 *
 * A figure shows what the caller may see: cases of patients open to the caller, in which one of the
 * caller's organisations asked or acted.
 *
 * One Insight serves all threads; following and reading take turns.
 */
#ifndef INSIGHT_H
#define INSIGHT_H

#include "flow_indicators.h"

typedef struct Insight Insight;

/* dir NULL: in memory. */
Status insight_open(Store *s, const char *dir, Insight **ret, Err *err) MUST_USE;
void insight_close(Insight *in);

/* Follows the log by at least one transaction, about `limit` rows; *ret_more: there is more. */
Status insight_follow(Insight *in, StoreReader *r, size_t limit, bool *ret_more, Err *err) MUST_USE;
/* Rows of the log not yet followed. */
uint64_t insight_behind(Insight *in);

typedef enum InsightInterval {
    INSIGHT_WHOLE,
    INSIGHT_DAY,
    INSIGHT_WEEK, /* from Monday */
    INSIGHT_MONTH
} InsightInterval;

typedef struct InsightQuery {
    const AccessCaller *caller;
    int64_t from_ms, to_ms; /* [from, to) */
    int64_t now_ms;
    Str organization; /* "Organization/ID": only what it and those beneath it take part in; or empty
                       */
    Str measure;      /* "PACKAGE/CODE", or empty: all */
    bool branches;    /* institutions as the branches right below the organisation looked at */
    InsightInterval interval;
    size_t rows; /* cases that each report names at most, newest first */
} InsightQuery;

/*
 * A Bundle of MeasureReports. ERR_FORBIDDEN: not the caller's organisation; ERR_NOT_FOUND: no such
 * organisation or measure; ERR_UNAVAILABLE: the log is not yet followed to its end, try again.
 */
Status insight_figures(Insight *in, const Flow *f, StoreReader *r, const InsightQuery *q, Buf *out,
                       Err *err) MUST_USE;

#endif
