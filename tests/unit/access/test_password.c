/* Argon2id with the parameters of the contract, the policy, made passwords, two at a time. */
#include <pthread.h>

#include "access_inner.h"

#include "test.h"

#define NOW ((int64_t)1795305600000)

static void the_hash_names_its_parameters(void **state)
{
    (void)state;
    Arena a;
    Str hash, again;
    arena_init(&a, 0);
    assert_int_equal(access_hash_make(&a, STR("Correct-Horse7"), &hash, NULL), OK);
    assert_int_equal(access_hash_make(&a, STR("Correct-Horse7"), &again, NULL), OK);
    assert_true(str_starts(hash, STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_false(str_eq(hash, again));
    assert_true(access_hash_matches(hash, STR("Correct-Horse7")));
    assert_false(access_hash_matches(hash, STR("Correct-Horse8")));
    assert_false(access_hash_matches(hash, STR_NONE));
    arena_done(&a);
}

static void no_account_matches_nothing_and_costs_the_same(void **state)
{
    (void)state;
    Arena a;
    Str hash;
    arena_init(&a, 0);
    assert_int_equal(access_hash_make(&a, STR("Correct-Horse7"), &hash, NULL), OK);
    int64_t t0 = time_mono_us();
    for (int i = 0; i < 5; i++) {
        assert_false(access_hash_matches(hash, STR("wrong")));
    }
    int64_t t1 = time_mono_us();
    for (int i = 0; i < 5; i++) {
        assert_false(access_hash_matches(STR_NONE, STR("wrong")));
    }
    int64_t t2 = time_mono_us();
    /* Both do the whole work: neither is a tenth of the other. */
    assert_true((t2 - t1) * 10 > t1 - t0 && (t1 - t0) * 10 > t2 - t1);
    arena_done(&a);
}

static void the_policy_asks_length_and_kinds(void **state)
{
    (void)state;
    static const char *const WEAK[] = {"",           "short1A",         "alllowercase1", "12345678",
                                       "UPPER12345", "lower,sign,only", "zhangwei-A1"};
    static const char *const STRONG[] = {"Abcdefg1", "abcdef1-", "ABCDEF1-", "密码Abcdef",
                                         "a long phrase 7"};
    for (size_t i = 0; i < sizeof WEAK / sizeof *WEAK; i++) {
        assert_int_equal(access_password_strong(STR("zhangwei"), str_from_c(WEAK[i]), NOW, NULL),
                         ERR_UNPROCESSABLE);
    }
    for (size_t i = 0; i < sizeof STRONG / sizeof *STRONG; i++) {
        assert_int_equal(access_password_strong(STR("zhangwei"), str_from_c(STRONG[i]), NOW, NULL),
                         OK);
    }
}

static void made_passwords_pass_the_policy_and_differ(void **state)
{
    (void)state;
    Arena a;
    Random random;
    Str last = STR_NONE;
    arena_init(&a, 0);
    random_init_seed(&random, 1);
    for (int i = 0; i < 1000; i++) {
        Str password = access_password_make(&a, &random);
        assert_int_equal(password.n, 14);
        assert_int_equal(access_password_strong(STR("zhangwei"), password, NOW, NULL), OK);
        assert_int_equal(str_find_char(password, 'l'), -1);
        assert_false(str_eq(password, last));
        last = password;
    }
    arena_done(&a);
}

static void *enter_and_tell(void *arg)
{
    *(Status *)arg = access_gate_enter(NOW, NULL);
    return NULL;
}

static void the_third_waits_two_seconds_then_is_told(void **state)
{
    (void)state;
    pthread_t thread;
    Status third = OK;
    assert_int_equal(access_gate_enter(NOW, NULL), OK);
    assert_int_equal(access_gate_enter(NOW, NULL), OK);
    int64_t t0 = time_mono_ms();
    pthread_create(&thread, NULL, enter_and_tell, &third);
    pthread_join(thread, NULL);
    int64_t waited_ms = time_mono_ms() - t0;
    assert_int_equal(third, ERR_TOO_MANY);
    assert_true(waited_ms >= 1900 && waited_ms < 4000);
    access_gate_leave();
    assert_int_equal(access_gate_enter(NOW, NULL), OK);
    access_gate_leave();
    access_gate_leave();
}

static void parameters_are_dated(void **state)
{
    (void)state;
    assert_int_equal(access_param(ACCESS_LOCKOUT_FAILURES, NOW), 5);
    assert_int_equal(access_param(ACCESS_SESSION_IDLE_MS, NOW), 30 * MS_MINUTE);
    assert_int_equal(access_param(ACCESS_SESSION_ABSOLUTE_MS, 0), 12 * MS_HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_names_its_parameters),
        cmocka_unit_test(no_account_matches_nothing_and_costs_the_same),
        cmocka_unit_test(the_policy_asks_length_and_kinds),
        cmocka_unit_test(made_passwords_pass_the_policy_and_differ),
        cmocka_unit_test(the_third_waits_two_seconds_then_is_told),
        cmocka_unit_test(parameters_are_dated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
