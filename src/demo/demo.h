/*
 * Demo: a synthetic county, the same for the same people, seed and now.
 *
 * The county, its region code (DEMO_REGION stands in no edition of GB/T 2260), its telephone
 * numbers (no mobile number begins with 12) and its ID cards are invented, so that nothing in it
 * can be a living person's. Its past is made by the engine with the clock set back: every case went
 * through flow_start and flow_act, every deadline through flow_fire.
 *
 * What the people of the county did is data (demo/scenarios.json), and so is what stood in their
 * charts before (demo/chart.json); no pathway is known here.
 */
#ifndef DEMO_H
#define DEMO_H

#include "flow.h"

#define DEMO_REGION "139901"
#define DEMO_DAYS_LIVED                                                                            \
    400 /* from the county's first day to now_ms; the clock begins before it                       \
         */

typedef struct DemoOptions {
    Store *store; /* open, bulk, empty; its clock is `clock` and stands still */
    Flow *flow;
    Clock *clock;
    Str scenarios, chart; /* demo/scenarios.json, demo/chart.json */
    const char *dir;
    int people; /* 50 … 2,000,000; of more than 60,000 so many have a chart (demo_chart.c) */
    uint64_t seed;
    int64_t now_ms;
    StoreProgress *progress; /* may be NULL */
    void *progress_ctx;      /* handed to progress */
} DemoOptions;

typedef struct DemoResult {
    uint64_t residents, cases, steps;
    uint64_t refused; /* acts the engine said no to (a slot gone …) */
} DemoResult;

/* Fills the store and writes DIR/accounts.json (0600). Leaves the clock at now_ms. */
Status demo_make(const DemoOptions *options, DemoResult *ret, Err *err) MUST_USE;

#endif
