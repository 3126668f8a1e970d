#include "test.h"

static void civil_days_round_trip(void **state)
{
    (void)state;
    int previous = 0;
    for (int64_t day = days_from_civil(1, 1, 1); day <= days_from_civil(9999, 12, 31); day++) {
        int y, m, d;
        civil_from_days(day, &y, &m, &d);
        assert_int_equal(days_from_civil(y, m, d), day);
        assert_true(d >= 1 && d <= days_in_month(y, m));
        assert_true(previous == 0 || d == 1 || d == previous + 1);
        previous = d;
    }
    assert_int_equal(days_from_civil(1970, 1, 1), 0);
    assert_int_equal(days_from_civil(2000, 3, 1), 11017);
    assert_int_equal(days_in_month(1900, 2), 28);
    assert_int_equal(days_in_month(2000, 2), 29);
}

static void range_is(const char *text, int zone_min, const char *lo, const char *hi)
{
    DateTime t;
    int64_t lo_ms, hi_ms, want;
    assert_true(datetime_parse_loose(str_from_c(text), &t));
    datetime_range(&t, zone_min, &lo_ms, &hi_ms);
    assert_true(time_parse(str_from_c(lo), 0, &want));
    assert_int_equal(lo_ms, want);
    assert_true(time_parse(str_from_c(hi), 0, &want));
    assert_int_equal(hi_ms, want);
}

static void partial_dates_are_intervals(void **state)
{
    (void)state;
    range_is("2026", 0, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    range_is("2026-12", 480, "2026-12-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00");
    range_is("2024-02", 0, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
    range_is("2024-02-29", 480, "2024-02-28T16:00:00Z", "2024-02-29T16:00:00Z");
    range_is("2026-11-22T08", 480, "2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z");
    range_is("2026-11-22T08:30", 480, "2026-11-22T00:30:00Z", "2026-11-22T00:31:00Z");
    range_is("2026-11-22T08:30:15-03:30", 480, "2026-11-22T12:00:15Z", "2026-11-22T12:00:16Z");
    range_is("2026-11-22T08:30:15.123999Z", 0, "2026-11-22T08:30:15.123Z",
             "2026-11-22T08:30:15.124Z");
}

static void only_real_dates_parse(void **state)
{
    static const char *const GOOD[] = {"0001", "2026-11", "2024-02-29", "2026-11-22T08:30:60Z",
                                       "2015-02-07T13:28:17.239+02:00"};
    static const char *const BAD[] = {"",
                                      "0000",
                                      "26",
                                      "2026-13",
                                      "2026-00",
                                      "2026-02-30",
                                      "2023-02-29",
                                      "2026-1-1",
                                      "2026-11-22T",
                                      "2026-11-22T08:30:00",
                                      "2026-11-22T08:30Z",
                                      "2026-11-22T08:30:61Z",
                                      "2026-11-22T24:00:00Z",
                                      "2026-11-22T08:30:00.Z",
                                      "2026-11-22T08:30:00+14:01",
                                      "2026-11-22T08:30:00+8:00",
                                      "2026-11-22 08:30:00Z",
                                      "2026-11-22T08:30:00Zx",
                                      " 2026"};
    (void)state;
    DateTime t;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_true(datetime_parse(str_from_c(GOOD[i]), &t));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        if (datetime_parse(str_from_c(BAD[i]), &t)) {
            fail_msg("\"%s\" was accepted", BAD[i]);
        }
    }
}

static void iso_writes_the_zone(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    int64_t ms;
    assert_true(time_parse(STR("2026-11-22T00:00:00.005Z"), 0, &ms));
    assert_str(time_iso(&a, ms, 480), "2026-11-22T08:00:00.005+08:00");
    assert_str(time_iso(&a, ms, -210), "2026-11-21T20:30:00.005-03:30");
    assert_str(time_iso(&a, ms, 0), "2026-11-22T00:00:00.005+00:00");
    assert_str(time_iso_day(&a, ms, -210), "2026-11-21");
    assert_str(time_iso(&a, -1, 0), "1969-12-31T23:59:59.999+00:00");
    arena_done(&a);
}

static void clocks_stand_and_run(void **state)
{
    (void)state;
    Clock c;
    clock_init_fixed(&c, 1000);
    assert_int_equal(clock_now(&c), 1000);
    clock_set(&c, 5000);
    assert_int_equal(clock_now(&c), 5000);
    clock_init_at(&c, 1000);
    int64_t first = clock_now(&c);
    assert_true(first >= 1000 && first < 60000);
    clock_init_system(&c);
    assert_true(clock_now(&c) > days_from_civil(2024, 1, 1) * MS_DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_days_round_trip), cmocka_unit_test(partial_dates_are_intervals),
        cmocka_unit_test(only_real_dates_parse), cmocka_unit_test(iso_writes_the_zone),
        cmocka_unit_test(clocks_stand_and_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
