#include "api_stats_core.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

void stats_sort(Arena *a, StatsList *l)
{
    l->value = arena_array(a, double, l->n + 1);
    for (size_t i = 0; i < l->n; i++) {
        l->value[i] = l->at[i].value;
    }
    qsort(l->value, l->n, sizeof *l->value, ascending);
}

static double of_sum(const StatsList *l)
{
    double sum = 0, lost = 0; /* Kahan: a long list loses nothing */
    for (size_t i = 0; i < l->n; i++) {
        double y = l->value[i] - lost, t = sum + y;
        lost = (t - sum) - y;
        sum = t;
    }
    return sum;
}

static double of_average(const StatsList *l)
{
    return of_sum(l) / (double)l->n;
}

static double of_count(const StatsList *l)
{
    return (double)l->n;
}

static double of_total(const StatsList *l)
{
    return (double)l->total;
}

static double of_minimum(const StatsList *l)
{
    return l->value[0];
}

static double of_maximum(const StatsList *l)
{
    return l->value[l->n - 1];
}

/* Between two measurements in proportion. */
static double quantile(const StatsList *l, double share)
{
    double at = share * (double)(l->n - 1);
    size_t i = (size_t)at;
    double next = i + 1 < l->n ? l->value[i + 1] : l->value[i];
    return l->value[i] + (at - (double)i) * (next - l->value[i]);
}

#define QUANTILE(name, share)                                                                      \
    static double of_##name(const StatsList *l)                                                    \
    {                                                                                              \
        return quantile(l, share);                                                                 \
    }
QUANTILE(median, 0.5)
QUANTILE(lower, 0.25)
QUANTILE(upper, 0.75)
QUANTILE(fifth_1, 0.2)
QUANTILE(fifth_2, 0.4)
QUANTILE(fifth_3, 0.6)
QUANTILE(fifth_4, 0.8)
#undef QUANTILE

static double of_quartile_deviation(const StatsList *l)
{
    return (of_upper(l) - of_lower(l)) / 2;
}

/* Sum of the powers of the distances from the mean. */
static double moment(const StatsList *l, int power)
{
    double mean = of_average(l), sum = 0;
    for (size_t i = 0; i < l->n; i++) {
        sum += pow(l->value[i] - mean, power);
    }
    return sum;
}

/* Of a sample: by n - 1. */
static double of_variance(const StatsList *l)
{
    return moment(l, 2) / (double)(l->n - 1);
}

static double of_deviation(const StatsList *l)
{
    return sqrt(of_variance(l));
}

static double standard_moment(const StatsList *l, int power)
{
    double n = (double)l->n, spread = sqrt(moment(l, 2) / n);
    return spread > 0 ? moment(l, power) / n / pow(spread, power) : NAN;
}

static double of_skew(const StatsList *l)
{
    return standard_moment(l, 3);
}

static double of_kurtosis(const StatsList *l)
{
    return standard_moment(l, 4);
}

static double days_since_first(const StatsList *l, size_t i)
{
    return (double)(l->at[i].at_ms - l->at[0].at_ms) / (double)MS_DAY;
}

/* By how much the measurements grow in a day. */
static double of_gradient(const StatsList *l)
{
    double mean_x = 0, mean_y = of_average(l), above = 0, below = 0;
    for (size_t i = 0; i < l->n; i++) {
        mean_x += days_since_first(l, i) / (double)l->n;
    }
    for (size_t i = 0; i < l->n; i++) {
        double x = days_since_first(l, i) - mean_x;
        above += x * (l->at[i].value - mean_y);
        below += x * x;
    }
    return below > 0 ? above / below : NAN;
}

double stats_intercept(const StatsList *l)
{
    double mean_x = 0;
    for (size_t i = 0; i < l->n; i++) {
        mean_x += days_since_first(l, i) / (double)l->n;
    }
    return of_average(l) - of_gradient(l) * mean_x;
}

static const StatsKind KINDS[] = {
    {"average", "Average", STATS_SAME, 1, of_average},
    {"maximum", "Maximum", STATS_SAME, 1, of_maximum},
    {"minimum", "Minimum", STATS_SAME, 1, of_minimum},
    {"count", "Count", STATS_PURE, 0, of_count},
    {"total-count", "Total Count", STATS_PURE, 0, of_total},
    {"median", "Median", STATS_SAME, 1, of_median},
    {"std-dev", "Standard Deviation", STATS_SAME, 2, of_deviation},
    {"sum", "Sum", STATS_SAME, 1, of_sum},
    {"variance", "Variance", STATS_SQUARED, 2, of_variance},
    {"20-percent", "20th Percentile", STATS_SAME, 1, of_fifth_1},
    {"80-percent", "80th Percentile", STATS_SAME, 1, of_fifth_4},
    {"4-lower", "Lower Quartile", STATS_SAME, 1, of_lower},
    {"4-upper", "Upper Quartile", STATS_SAME, 1, of_upper},
    {"4-dev", "Quartile Deviation", STATS_SAME, 1, of_quartile_deviation},
    {"5-1", "1st Quintile", STATS_SAME, 1, of_fifth_1},
    {"5-2", "2nd Quintile", STATS_SAME, 1, of_fifth_2},
    {"5-3", "3rd Quintile", STATS_SAME, 1, of_fifth_3},
    {"5-4", "4th Quintile", STATS_SAME, 1, of_fifth_4},
    {"skew", "Skew", STATS_PURE, 2, of_skew},
    {"kurtosis", "Kurtosis", STATS_PURE, 2, of_kurtosis},
    {"regression", "Regression", STATS_DAILY, 2, of_gradient},
};

/* The operation's own text abbreviates two. */
static const char *const ALIASES[][2] = {{"max", "maximum"}, {"min", "minimum"}};

const StatsKind *stats_kind(Str code)
{
    for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++) {
        code = str_is(code, ALIASES[i][0]) ? str_from_c(ALIASES[i][1]) : code;
    }
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (str_is(code, KINDS[i].code)) {
            return &KINDS[i];
        }
    }
    return NULL;
}

Str stats_kinds(Arena *a)
{
    Buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        buf_c(&out, i ? ", " : "");
        buf_c(&out, KINDS[i].code);
    }
    return buf_take(&out, a);
}
