/* Statistics of a list of measurements: R4's code system observation-statistics. Pure. */
#ifndef API_STATS_CORE_H
#define API_STATS_CORE_H

#include "mk.h"

typedef struct StatsPoint {
    int64_t at_ms;
    double value;
} StatsPoint;

typedef struct StatsList {
    StatsPoint *at; /* in order of time; stats_sort gives `value` */
    double *value;  /* ascending */
    size_t n;
    size_t total; /* with those that had no value */
} StatsList;

typedef enum StatsUnit {
    STATS_SAME,    /* the measurements' own */
    STATS_SQUARED, /* its square */
    STATS_PURE,    /* a number */
    STATS_DAILY    /* the measurements' own, by day */
} StatsUnit;

typedef struct StatsKind {
    const char *code, *display;
    StatsUnit unit;
    size_t least; /* measurements it needs */
    double (*of)(const StatsList *l);
} StatsKind;

/* NULL: no such statistic. */
const StatsKind *stats_kind(Str code);
/* "average, maximum, …", for an error. */
Str stats_kinds(Arena *a);
void stats_sort(Arena *a, StatsList *l);
/* Where the line of a regression begins (at the first measurement). */
double stats_intercept(const StatsList *l);

#endif
