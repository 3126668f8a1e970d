/* Log-in, sessions, posts and sight over a small county in memory. */
#include "access_test.h"

#include "access_inner.h"

static const char PASSWORD[] = "Correct-Horse7";

static void account(Fixture *f, const char *name, const char *role, const char *org,
                    const char *person)
{
    AccessNewAccount row = {.username = str_from_c(name),
                            .name = str_from_c(name),
                            .role = str_from_c(role),
                            .organization = str_from_c(org),
                            .practitioner = str_from_c(person),
                            .password = str_from_c(PASSWORD)};
    Str password;
    assert_int_equal(access_account_make(f->store, &f->arena, &row, &password, &f->err), OK);
}

static int set_up(void **state)
{
    Fixture *f = fixture_new(false);
    put_organization(f, "consortium", NULL);
    put_organization(f, "county", "consortium");
    put_organization(f, "t1", "consortium");
    put_organization(f, "t2", "consortium");
    put_organization(f, "v1", "t1");
    put_organization(f, "v2", "t2");
    put_person(f, "wang");
    put_post(f, "wang-t1", "wang", "township-doctor", "t1", "");
    account(f, "wang", "", "", "Practitioner/wang");
    account(f, "his", "integrator", "", "");
    account(f, "sec", "security-administrator", "", "");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static Status log_in(Fixture *f, const char *name, const char *password, AccessLogin *ret)
{
    err_clear(&f->err);
    return access_login(f->access, f->reader, &f->arena, str_from_c(name), str_from_c(password),
                        STR_NONE, STR("127.0.0.1"), ret, &f->err);
}

static Status call(Fixture *f, Str token, AccessCaller *ret)
{
    err_clear(&f->err);
    return access_caller(f->access, f->reader, &f->arena, token, ret, &f->err);
}

static bool sees(const AccessCaller *c, const char *org)
{
    for (size_t i = 0; i < c->view.orgs_n; i++) {
        if (str_is(c->view.orgs[i], org)) {
            return true;
        }
    }
    return false;
}

static void a_doctor_acts_in_a_post_and_sees_what_is_beneath(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    assert_int_equal(login.token.n, 43);
    assert_int_equal(login.expires_in_s, 12 * 3600);
    assert_int_equal(call(f, login.token, &c), OK);
    assert_str(c.post.role, "township-doctor");
    assert_str(c.post.organization, "Organization/t1");
    assert_str(c.post.organization_name, "机构 t1");
    assert_str(c.practitioner, "Practitioner/wang");
    assert_true(c.view.clinical && !c.view.everything);
    assert_int_equal(c.view.orgs_n, 2);
    assert_true(sees(&c, "Organization/v1"));
    assert_false(sees(&c, "Organization/v2"));
    assert_str(c.view.person, "Practitioner/wang");
}

static void wrong_name_and_wrong_password_say_the_same(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    assert_int_equal(log_in(f, "wang", "Wrong-Horse7", &login), ERR_UNAUTHORIZED);
    Str first = f->err.first->zh;
    assert_int_equal(log_in(f, "nobody", PASSWORD, &login), ERR_UNAUTHORIZED);
    assert_true(str_eq(first, f->err.first->zh));
}

static void the_sixth_try_is_refused_even_when_right(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(log_in(f, "wang", "Wrong-Horse7", &login), ERR_UNAUTHORIZED);
    }
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), ERR_TOO_MANY);
    assert_int_equal(f->err.retry_after_s, 600);
    clock_set(&f->clock, NOW + 10 * MS_MINUTE);
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
}

static void an_idle_session_ends(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    clock_set(&f->clock, NOW + 29 * MS_MINUTE);
    assert_int_equal(call(f, login.token, &c), OK);
    clock_set(&f->clock, NOW + 58 * MS_MINUTE);
    assert_int_equal(call(f, login.token, &c), OK);
    clock_set(&f->clock, NOW + 88 * MS_MINUTE);
    assert_int_equal(call(f, login.token, &c), ERR_UNAUTHORIZED);
    assert_int_equal(call(f, login.token, &c), ERR_UNAUTHORIZED);
}

static void waiting_is_no_activity(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    assert_int_equal(call(f, login.token, &c), OK);
    Str sha = arena_str(&f->arena, c.token_sha);
    for (int i = 1; i < 30; i++) {
        clock_set(&f->clock, NOW + i * MS_MINUTE);
        assert_int_equal(access_caller_again(f->access, f->reader, &f->arena, sha, &c, &f->err),
                         OK);
        assert_str(c.post.organization, "Organization/t1");
    }
    clock_set(&f->clock, NOW + 30 * MS_MINUTE);
    assert_int_equal(access_caller_again(f->access, f->reader, &f->arena, sha, &c, &f->err),
                     ERR_UNAUTHORIZED);
    assert_int_equal(call(f, login.token, &c), ERR_UNAUTHORIZED);
}

static void a_busy_session_ends_after_twelve_hours(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    for (int i = 1; i < 12 * 4; i++) {
        clock_set(&f->clock, NOW + i * 15 * MS_MINUTE);
        assert_int_equal(call(f, login.token, &c), OK);
    }
    clock_set(&f->clock, NOW + 12 * MS_HOUR);
    assert_int_equal(call(f, login.token, &c), ERR_UNAUTHORIZED);
}

static void logging_out_ends_it(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    assert_int_equal(call(f, login.token, &c), OK);
    assert_int_equal(access_logout(f->access, &c, &f->err), OK);
    assert_int_equal(call(f, login.token, &c), ERR_UNAUTHORIZED);
}

static void foreign_tokens_are_nobody(void **state)
{
    Fixture *f = *state;
    AccessCaller c;
    assert_int_equal(call(f, STR_NONE, &c), ERR_UNAUTHORIZED);
    assert_int_equal(call(f, STR("abc"), &c), ERR_UNAUTHORIZED);
    assert_int_equal(call(f, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &c),
                     ERR_UNAUTHORIZED);
}

static void an_ended_post_is_no_post(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    assert_int_equal(call(f, login.token, &c), OK);
    put_post(f, "wang-t1", "wang", "township-doctor", "t1", ",\"period\":{\"end\":\"2026-11-01\"}");
    assert_int_equal(call(f, login.token, &c), ERR_FORBIDDEN);
    assert_str(f->err.first->rule, "no-post");
}

static void of_several_posts_one_is_chosen(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c, next;
    put_post(f, "wang-v2", "wang", "village-doctor", "v2", "");
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    assert_int_equal(call(f, login.token, &c), OK);
    assert_int_equal(c.posts_n, 2);
    assert_str(c.post.post, "PractitionerRole/wang-t1");
    assert_int_equal(access_choose_post(f->access, f->reader, &f->arena, &c,
                                        STR("PractitionerRole/wang-v2"), &next, &f->err),
                     OK);
    assert_str(next.post.role, "village-doctor");
    assert_int_equal(call(f, login.token, &c), OK);
    assert_str(c.post.organization, "Organization/v2");
    assert_false(sees(&c, "Organization/t1"));
    assert_int_equal(access_choose_post(f->access, f->reader, &f->arena, &c,
                                        STR("PractitionerRole/other"), &next, &f->err),
                     ERR_FORBIDDEN);
}

static void a_new_organisation_beneath_is_seen_at_once(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &login), OK);
    assert_int_equal(call(f, login.token, &c), OK);
    put_organization(f, "v3", "t1");
    assert_int_equal(call(f, login.token, &c), OK);
    assert_true(sees(&c, "Organization/v3"));
    put_organization(f, "v3", "t2");
    assert_int_equal(call(f, login.token, &c), OK);
    assert_false(sees(&c, "Organization/v3"));
}

static void a_circle_of_organisations_ends(void **state)
{
    Fixture *f = *state;
    Str *orgs;
    size_t n;
    put_organization(f, "t1", "v1");
    assert_int_equal(
        access_subtree(f->reader, &f->arena, STR("Organization/t1"), &orgs, &n, &f->err), OK);
    assert_int_equal(n, 2);
}

static void an_integrator_sees_everything_and_keeps_its_password(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    assert_int_equal(log_in(f, "his", PASSWORD, &login), OK);
    assert_true(login.caller.integrator && login.caller.view.everything);
    assert_false(login.caller.must_change_password);
    assert_str(login.caller.practitioner, "Device/his");
    assert_str(access_author(&login.caller).author, "Device/his");
}

static void an_administrator_sees_no_patient(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    assert_int_equal(log_in(f, "sec", PASSWORD, &login), OK);
    assert_true(login.caller.administrator);
    assert_false(login.caller.view.clinical || login.caller.view.everything);
}

static void a_changed_password_ends_the_other_sessions(void **state)
{
    Fixture *f = *state;
    AccessLogin here, there;
    AccessCaller c;
    assert_int_equal(log_in(f, "wang", PASSWORD, &here), OK);
    assert_int_equal(log_in(f, "wang", PASSWORD, &there), OK);
    assert_int_equal(call(f, there.token, &c), OK);
    assert_int_equal(call(f, here.token, &c), OK);
    assert_int_equal(
        access_password(f->access, f->reader, &c, STR("Wrong-Horse7"), STR("New-Horse-8"), &f->err),
        ERR_FORBIDDEN);
    assert_int_equal(
        access_password(f->access, f->reader, &c, str_from_c(PASSWORD), STR("weak"), &f->err),
        ERR_UNPROCESSABLE);
    assert_int_equal(access_password(f->access, f->reader, &c, str_from_c(PASSWORD),
                                     str_from_c(PASSWORD), &f->err),
                     ERR_UNPROCESSABLE);
    assert_int_equal(access_password(f->access, f->reader, &c, str_from_c(PASSWORD),
                                     STR("New-Horse-8"), &f->err),
                     OK);
    assert_int_equal(call(f, there.token, &c), ERR_UNAUTHORIZED);
    assert_int_equal(call(f, here.token, &c), OK);
    assert_int_equal(log_in(f, "wang", PASSWORD, &there), ERR_UNAUTHORIZED);
    assert_int_equal(log_in(f, "wang", "New-Horse-8", &there), OK);
}

static void a_first_password_is_to_be_changed(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    AccessCaller c;
    Str password;
    AccessNewAccount row = {
        .username = STR("li"), .role = STR("audit-administrator"), .must_change = true};
    assert_int_equal(access_account_make(f->store, &f->arena, &row, &password, &f->err), OK);
    assert_int_equal(log_in(f, "li", arena_cstr(&f->arena, password), &login), OK);
    assert_true(login.caller.must_change_password);
    assert_int_equal(
        access_password(f->access, f->reader, &login.caller, password, STR("New-Horse-8"), &f->err),
        OK);
    assert_int_equal(call(f, login.token, &c), OK);
    assert_false(c.must_change_password);
}

static void a_clinical_account_without_a_person_gets_one(void **state)
{
    Fixture *f = *state;
    AccessLogin login;
    account(f, "zhao", "technician", "Organization/t1", "");
    assert_int_equal(log_in(f, "zhao", PASSWORD, &login), OK);
    assert_true(str_starts(login.caller.practitioner, STR("Practitioner/")));
    assert_true(str_starts(login.caller.post.post, STR("PractitionerRole/")));
    assert_str(login.caller.post.role, "technician");
    Str first = login.caller.practitioner;
    assert_int_equal(log_in(f, "zhao", PASSWORD, &login), OK);
    assert_true(str_eq(first, login.caller.practitioner));
}

static void bad_accounts_are_refused(void **state)
{
    Fixture *f = *state;
    Str password;
    const AccessNewAccount bad[] = {
        {.username = STR(""), .role = STR("reader")},
        {.username = STR("two words"), .role = STR("reader")},
        {.username = STR("x"), .role = STR("nurse")},
        {.username = STR("x")},
        {.username = STR("x"), .role = STR("reader"), .organization = STR("Patient/1")},
        {.username = STR("x"), .role = STR("reader"), .practitioner = STR("wang")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(access_account_make(f->store, &f->arena, &bad[i], &password, &f->err),
                         ERR_INVALID);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_doctor_acts_in_a_post_and_sees_what_is_beneath),
        CASE(wrong_name_and_wrong_password_say_the_same),
        CASE(the_sixth_try_is_refused_even_when_right),
        CASE(an_idle_session_ends),
        CASE(waiting_is_no_activity),
        CASE(a_busy_session_ends_after_twelve_hours),
        CASE(logging_out_ends_it),
        CASE(foreign_tokens_are_nobody),
        CASE(an_ended_post_is_no_post),
        CASE(of_several_posts_one_is_chosen),
        CASE(a_new_organisation_beneath_is_seen_at_once),
        CASE(a_circle_of_organisations_ends),
        CASE(an_integrator_sees_everything_and_keeps_its_password),
        CASE(an_administrator_sees_no_patient),
        CASE(a_changed_password_ends_the_other_sessions),
        CASE(a_first_password_is_to_be_changed),
        CASE(a_clinical_account_without_a_person_gets_one),
        CASE(bad_accounts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
