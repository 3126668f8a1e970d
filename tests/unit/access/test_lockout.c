/* Five failures for one account and address within ten minutes. */
#include "access_inner.h"

#include "test.h"

#define NOW ((int64_t)1795305600000) /* 2026-11-22 */

static int set_up(void **state)
{
    Random random;
    Lockout *l = calloc(1, sizeof *l);
    random_init_seed(&random, 7);
    lockout_init(l, &random);
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    lockout_done(*state);
    free(*state);
    return 0;
}

static void fail_times(Lockout *l, int times, int64_t at_ms)
{
    for (int i = 0; i < times; i++) {
        lockout_fail(l, STR("wang"), STR("10.0.0.1"), at_ms + i * 1000);
    }
}

static Status check(Lockout *l, const char *name, const char *address, int64_t now_ms,
                    int *ret_wait_s)
{
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    Status status = lockout_check(l, str_from_c(name), str_from_c(address), now_ms, &err);
    *ret_wait_s = err.retry_after_s;
    arena_done(&a);
    return status;
}

static void four_failures_are_forgiven(void **state)
{
    int wait_s;
    fail_times(*state, 4, NOW);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW + 5000, &wait_s), OK);
}

static void the_fifth_locks_until_the_first_is_ten_minutes_old(void **state)
{
    int wait_s;
    fail_times(*state, 5, NOW);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW + 4000, &wait_s), ERR_TOO_MANY);
    assert_int_equal(wait_s, 596);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW + 599999, &wait_s), ERR_TOO_MANY);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW + 600000, &wait_s), OK);
}

static void another_account_or_address_is_not_locked(void **state)
{
    int wait_s;
    fail_times(*state, 6, NOW);
    assert_int_equal(check(*state, "wang", "10.0.0.2", NOW + 6000, &wait_s), OK);
    assert_int_equal(check(*state, "li", "10.0.0.1", NOW + 6000, &wait_s), OK);
}

static void slow_failures_never_lock(void **state)
{
    int wait_s;
    for (int i = 0; i < 20; i++) {
        int64_t at = NOW + i * 151 * MS_SECOND;
        assert_int_equal(check(*state, "wang", "10.0.0.1", at, &wait_s), OK);
        lockout_fail(*state, STR("wang"), STR("10.0.0.1"), at);
    }
}

static void success_clears(void **state)
{
    int wait_s;
    fail_times(*state, 4, NOW);
    lockout_clear(*state, STR("wang"), STR("10.0.0.1"));
    fail_times(*state, 4, NOW + 5000);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW + 9000, &wait_s), OK);
}

static void a_clock_set_back_does_not_lock_for_ever(void **state)
{
    int wait_s;
    fail_times(*state, 5, NOW + MS_DAY);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW, &wait_s), OK);
}

static void many_names_do_not_grow_the_table(void **state)
{
    int wait_s;
    for (int i = 0; i < 100000; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "name%d", i);
        lockout_fail(*state, (Str){name, (size_t)n}, STR("10.0.0.1"), NOW + i);
    }
    fail_times(*state, 5, NOW + 200000);
    assert_int_equal(check(*state, "wang", "10.0.0.1", NOW + 205000, &wait_s), ERR_TOO_MANY);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(four_failures_are_forgiven),
        CASE(the_fifth_locks_until_the_first_is_ten_minutes_old),
        CASE(another_account_or_address_is_not_locked),
        CASE(slow_failures_never_lock),
        CASE(success_clears),
        CASE(a_clock_set_back_does_not_lock_for_ever),
        CASE(many_names_do_not_grow_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
