/* One case judged by one indicator: moments, periods, what is still open, medians, parts of a
 * period. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "insight_inner.h"

#define MIN(n) ((int64_t)(n)*MS_MINUTE)

enum { ASK = 1, ANSWER, LAPSE, OPEN, DONE, DUE, URGENT, PLAIN };

static const Word ASKS[] = {ASK}, ANSWERS[] = {ANSWER}, DUES[] = {DUE}, OPENS[] = {OPEN},
                  LAPSES[] = {LAPSE}, ENDS[] = {DONE}, URGENTS[] = {URGENT};

/* Ten minutes for everybody; before minute 1000 no parameter is valid. */
static int64_t ten_minutes(void *ctx, const Rule *r, Word priority, int64_t from_ms)
{
    (void)ctx;
    (void)r;
    (void)priority;
    return from_ms < MIN(1000) ? TIME_NONE : from_ms + MIN(10);
}

static Moment step(int64_t minute, Word code, Word state)
{
    return (Moment){.at_ms = MIN(minute),
                    .kind = MOMENT_STEP,
                    .code = code,
                    .state = state,
                    .entered = state != 0};
}

static Moment due(int64_t minute)
{
    return (Moment){.at_ms = MIN(minute), .kind = MOMENT_DUE, .code = DUE};
}

static Case case_of(const Moment *m, size_t n, Word state)
{
    return (Case){.moment = m, .n = n, .priority = PLAIN, .state = state};
}

static const FlowIndicator COUNT = {.figure = FLOW_FIGURE_COUNT},
                           SHARE = {.figure = FLOW_FIGURE_SHARE},
                           WITHIN = {.figure = FLOW_FIGURE_SHARE, .has_within = true},
                           SINCE = {.figure = FLOW_FIGURE_SHARE, .since = true, .has_within = true},
                           MINUTES = {.figure = FLOW_FIGURE_MINUTES};

static Rule rule_of(const FlowIndicator *i, RuleMoment counted, RuleMoment other)
{
    return (Rule){.indicator = i,
                  .counted = counted,
                  .other = other,
                  .end = ENDS,
                  .end_n = 1,
                  .within_end = ten_minutes};
}

#define ACTION(list)   ((RuleMoment){FLOW_MOMENT_ACTION, list, 1})
#define STATE(list)    ((RuleMoment){FLOW_MOMENT_STATE, list, 1})
#define DEADLINE(list) ((RuleMoment){FLOW_MOMENT_DEADLINE, list, 1})
#define NOTHING        ((RuleMoment){0})

/* 'n': does not count; 'a': above the line; 'b': below. */
static char judged(const Rule *r, const Case *c, int64_t from, int64_t to, int64_t now)
{
    Hit h = {0};
    bool counts = rule_judge(r, c, MIN(from), MIN(to), MIN(now), &h);
    return !counts ? 'n' : h.above ? 'a' : 'b';
}

static void a_case_counts_once_in_its_period(void **state)
{
    (void)state;
    const Moment m[] = {step(2000, ASK, OPEN), step(2010, ASK, 0), step(2020, ANSWER, DONE)};
    Case c = case_of(m, 3, DONE);
    Rule r = rule_of(&COUNT, ACTION(ASKS), NOTHING);
    Hit h;
    assert_true(rule_judge(&r, &c, MIN(2000), MIN(2001), 0, &h));
    assert_ptr_equal(h.at, &m[0]);
    assert_true(rule_judge(&r, &c, MIN(2001), MIN(3000), 0, &h));
    assert_ptr_equal(h.at, &m[1]);
    assert_false(rule_judge(&r, &c, MIN(2011), MIN(3000), 0, &h));
    assert_false(rule_judge(&r, &c, MIN(1000), MIN(2000), 0, &h)); /* the end is not in it */
    Rule entered = rule_of(&COUNT, STATE(OPENS), NOTHING);
    assert_true(rule_judge(&entered, &c, MIN(2000), MIN(3000), 0, &h));
    assert_ptr_equal(h.at, &m[0]); /* a step that stays in the state does not enter it */
    r.priority = URGENTS;
    r.priority_n = 1;
    assert_false(rule_judge(&r, &c, MIN(2000), MIN(3000), 0, &h));
}

static void in_time_late_and_still_open(void **state)
{
    (void)state;
    Rule r = rule_of(&WITHIN, ACTION(ASKS), ACTION(ANSWERS));
    const Moment in_time[] = {step(2000, ASK, OPEN), step(2010, ANSWER, DONE)};
    const Moment late[] = {step(2000, ASK, OPEN), step(2011, ANSWER, DONE)};
    const Moment open[] = {step(2000, ASK, OPEN)};
    const Moment early[] = {step(500, ASK, OPEN)};
    Case c = case_of(in_time, 2, DONE);
    assert_int_equal(judged(&r, &c, 2000, 3000, 5000), 'a');
    c = case_of(late, 2, DONE);
    assert_int_equal(judged(&r, &c, 2000, 3000, 5000), 'b');
    c = case_of(open, 1, OPEN);
    assert_int_equal(judged(&r, &c, 2000, 3000, 2010), 'n'); /* there is time left */
    assert_int_equal(judged(&r, &c, 2000, 3000, 2011), 'b');
    c.state = DONE; /* ended another way: it will not be done any more */
    assert_int_equal(judged(&r, &c, 2000, 3000, 2005), 'b');
    c = case_of(early, 1, OPEN);
    assert_int_equal(judged(&r, &c, 0, 1000, 5000), 'n'); /* nobody can say what was allowed */
    Rule whenever = rule_of(&SHARE, ACTION(ASKS), ACTION(ANSWERS));
    c = case_of(open, 1, OPEN);
    assert_int_equal(judged(&whenever, &c, 2000, 3000, 2001), 'b');
}

static void since_looks_back_to_the_last(void **state)
{
    (void)state;
    Rule r = rule_of(&SINCE, ACTION(ANSWERS), ACTION(ASKS));
    const Moment again[] = {step(2000, ASK, OPEN), step(2100, ASK, 0), step(2109, ANSWER, DONE)};
    const Moment never[] = {step(2109, ANSWER, DONE)};
    Case c = case_of(again, 3, DONE);
    assert_int_equal(judged(&r, &c, 2000, 3000, 5000), 'a');
    c = case_of(never, 1, DONE);
    assert_int_equal(judged(&r, &c, 2000, 3000, 5000), 'b');
    Rule minutes = rule_of(&MINUTES, ACTION(ANSWERS), ACTION(ASKS));
    Hit h;
    c = case_of(again, 3, DONE);
    assert_true(rule_judge(&minutes, &c, MIN(2000), MIN(3000), 0, &h));
    assert_true(h.minutes > 8.99 && h.minutes < 9.01);
    c = case_of(never, 1, DONE);
    assert_false(rule_judge(&minutes, &c, MIN(2000), MIN(3000), 0, &h));
}

static void due_may_be_done_before_and_by_another_moment(void **state)
{
    (void)state;
    Rule r = rule_of(&SHARE, DEADLINE(DUES), ACTION(ANSWERS));
    r.by = ACTION(LAPSES);
    const Moment before[] = {step(1900, ANSWER, DONE), due(2000)};
    const Moment after[] = {due(2000), step(2050, LAPSE, OPEN), step(2060, ANSWER, DONE)};
    Case c = case_of(before, 2, DONE);
    assert_int_equal(judged(&r, &c, 2000, 3000, 5000), 'a');
    assert_int_equal(judged(&r, &c, 1000, 2000, 5000), 'n'); /* by the day it is due */
    c = case_of(after, 3, DONE);
    assert_int_equal(judged(&r, &c, 2000, 3000, 5000), 'b');
}

static void medians(void **state)
{
    (void)state;
    double odd[] = {9, 1, 5}, even[] = {9, 1, 5, 6};
    assert_true(minutes_median(odd, 3) == 5);
    assert_true(minutes_median(even, 4) == 5.5);
    assert_true(minutes_median(odd, 1) == 1);
}

static void parts_of_a_period(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    int64_t *start;
    size_t n;
    InsightQuery q = {.interval = INSIGHT_WEEK};
    assert_true(time_parse(STR("2026-11-01"), ZONE_CHINA_MIN, &q.from_ms));
    assert_true(time_parse(STR("2026-12-01"), ZONE_CHINA_MIN, &q.to_ms));
    assert_true(interval_starts(&a, &q, ZONE_CHINA_MIN, &start, &n));
    assert_int_equal(n, 6); /* Sunday the first, then Mondays 2, 9, 16, 23, 30 */
    assert_int_equal(start[1] - start[0], MS_DAY);
    assert_int_equal(start[2] - start[1], 7 * MS_DAY);
    assert_int_equal(start[n], q.to_ms);
    q.interval = INSIGHT_MONTH;
    assert_true(interval_starts(&a, &q, ZONE_CHINA_MIN, &start, &n));
    assert_int_equal(n, 1);
    q.interval = INSIGHT_DAY;
    q.from_ms -= 400 * MS_DAY;
    assert_false(interval_starts(&a, &q, ZONE_CHINA_MIN, &start, &n));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_counts_once_in_its_period),
        cmocka_unit_test(in_time_late_and_still_open),
        cmocka_unit_test(since_looks_back_to_the_last),
        cmocka_unit_test(due_may_be_done_before_and_by_another_moment),
        cmocka_unit_test(medians),
        cmocka_unit_test(parts_of_a_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
