/* Codes by the clock as RFC 6238 has them; the step's window, its one use, recovery, lock-out. */
#include "access.h"
#include "access_accounts.h"

#include "access_test.h"

static const char PASSWORD[] = "Doorstep-2026";

static void vectors_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        uint32_t code; /* the last six of the RFC's eight digits */
    } ROWS[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(access_otp(STR("12345678901234567890"), ROWS[i].seconds / 30),
                         ROWS[i].code);
    }
}

static void base32_of_the_rfc(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    assert_str(base32_encode(&a, "foobar", 6), "MZXW6YTBOI");
    assert_str(base32_encode(&a, "f", 1), "MY");
    assert_str(base32_encode(&a, "", 0), "");
    arena_done(&a);
}

static Status log_in(Fixture *f, const char *otp, AccessLogin *ret)
{
    err_clear(&f->err);
    return access_login(f->access, f->reader, &f->arena, STR("wang"), str_from_c(PASSWORD),
                        str_from_c(otp), STR("10.0.0.1"), ret, &f->err);
}

static const char *code_at(Fixture *f, Str secret, int64_t aside)
{
    int64_t step = clock_now(&f->clock) / 30000 + aside;
    return arena_printf(&f->arena, "%06u", access_otp(secret, step)).p;
}

/* An account with a factor in force; the secret, as the store has it. */
static Str enrolled(Fixture *f, const Str **ret_codes)
{
    AccessNewAccount account = {.username = STR("wang"),
                                .role = STR("township-doctor"),
                                .organization = STR("Organization/t1"),
                                .password = str_from_c(PASSWORD)};
    Str password;
    AccessLogin login;
    AccessFactorOffer offer;
    StoreFactor factor;
    size_t n;
    put_organization(f, "t1", NULL);
    assert_int_equal(access_account_make(f->store, &f->arena, &account, &password, &f->err), OK);
    assert_int_equal(log_in(f, "", &login), OK);
    assert_int_equal(access_factor_begin(f->access, f->reader, &f->arena, &login.caller,
                                         str_from_c(PASSWORD), &offer, &f->err),
                     OK);
    assert_int_equal(store_factor_get(f->reader, &f->arena, STR("wang"), &factor, &f->err), OK);
    assert_int_equal(factor.since_ms, 0);
    assert_int_equal(access_factor_confirm(f->access, f->reader, &f->arena, &login.caller,
                                           str_from_c(code_at(f, factor.secret, -1)), ret_codes, &n,
                                           &f->err),
                     OK);
    assert_int_equal(n, 10);
    return factor.secret;
}

static void window_and_replay(void **state)
{
    (void)state;
    Fixture *f = fixture_new(false);
    AccessLogin login;
    const Str *codes;
    Str secret = enrolled(f, &codes);
    assert_int_equal(log_in(f, "", &login), ERR_UNAUTHORIZED);
    assert_str(f->err.first->rule, "factor-needed");
    assert_int_equal(log_in(f, code_at(f, secret, -1), &login), ERR_UNAUTHORIZED);
    assert_str(f->err.first->rule, "factor-wrong");
    assert_int_equal(log_in(f, code_at(f, secret, 2), &login), ERR_UNAUTHORIZED);
    assert_int_equal(log_in(f, code_at(f, secret, 1), &login), OK);
    assert_int_equal(log_in(f, code_at(f, secret, 1), &login), ERR_UNAUTHORIZED);
    assert_int_equal(log_in(f, code_at(f, secret, 0), &login), ERR_UNAUTHORIZED);
    clock_set(&f->clock, NOW + 60000);
    assert_int_equal(log_in(f, code_at(f, secret, 0), &login), OK);
    fixture_free(f);
}

static void recovery_once(void **state)
{
    (void)state;
    Fixture *f = fixture_new(false);
    AccessLogin login;
    const Str *codes;
    StoreFactor factor;
    enrolled(f, &codes);
    assert_int_equal(log_in(f, arena_cstr(&f->arena, codes[3]), &login), OK);
    assert_int_equal(log_in(f, arena_cstr(&f->arena, codes[3]), &login), ERR_UNAUTHORIZED);
    assert_int_equal(store_factor_get(f->reader, &f->arena, STR("wang"), &factor, &f->err), OK);
    assert_int_equal(factor.recovery.n, 9 * 65 - 1);
    assert_true(str_find(factor.recovery, codes[0]) < 0);
    fixture_free(f);
}

static void wrong_codes_lock(void **state)
{
    (void)state;
    Fixture *f = fixture_new(false);
    AccessLogin login;
    const Str *codes;
    Str secret = enrolled(f, &codes);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(log_in(f, "000000", &login), ERR_UNAUTHORIZED);
        assert_int_equal(log_in(f, "", &login), i < 4 ? ERR_UNAUTHORIZED : ERR_TOO_MANY);
    }
    assert_int_equal(log_in(f, code_at(f, secret, 1), &login), ERR_TOO_MANY);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc), cmocka_unit_test(base32_of_the_rfc),
        cmocka_unit_test(window_and_replay),  cmocka_unit_test(recovery_once),
        cmocka_unit_test(wrong_codes_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
