/* The figures of a story's store, followed in memory from its first row. */
#include "insight_story.h"

#define STEP_ROWS 1000

static Status figures_take(Insight *in, const Flow *f, StoreReader *r, const InsightQuery *q,
                           Arena *a, Str *ret, Err *err)
{
    Buf out;
    bool more = true;
    while (more) {
        TRY(insight_follow(in, r, STEP_ROWS, &more, err));
    }
    buf_init(&out, 0);
    Status status = insight_figures(in, f, r, q, &out, err);
    *ret = buf_take(&out, a);
    return status;
}

Status insight_story_figures(const Flow *f, Store *s, StoreReader *r, const AccessCaller *caller,
                             const int64_t period_ms[2], Arena *a, Str *ret, Err *err)
{
    Insight *in;
    InsightQuery q = {.caller = caller,
                      .from_ms = period_ms[0],
                      .to_ms = period_ms[1],
                      .now_ms = clock_now(store_clock(s))};
    TRY(insight_open(s, NULL, &in, err));
    Status status = figures_take(in, f, r, &q, a, ret, err);
    insight_close(in);
    return status;
}
