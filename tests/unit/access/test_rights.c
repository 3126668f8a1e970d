/* Which role may do what to which type through the plain API. */
#include "access_inner.h"

#include "test.h"

static Status may(const char *role, AccessDo what, const char *type)
{
    AccessCaller caller = {.username = STR("someone")};
    caller.post.role = str_from_c(role);
    caller.view.everything = strcmp(role, "integrator") == 0;
    return access_may(&caller, what, str_from_c(type), NULL);
}

static void administrators_touch_nothing_clinical(void **state)
{
    (void)state;
    static const char *const ADMINS[] = {"system-administrator", "security-administrator",
                                         "audit-administrator"};
    static const char *const TYPES[] = {
        "Patient",    "Observation", "Binary", "Encounter", "DiagnosticReport",
        "Task",       "Consent",     "",       "Condition", "QuestionnaireResponse",
        "Provenance", "Media",       "Bundle", "List",      "DocumentReference"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < sizeof TYPES / sizeof *TYPES; j++) {
            for (int what = ACCESS_READ; what <= ACCESS_DELETE; what++) {
                assert_int_equal(may(ADMINS[i], what, TYPES[j]), ERR_FORBIDDEN);
            }
        }
    }
}

static void the_directory_is_kept_by_office_and_system(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"Organization", "Practitioner", "Location",
                                        "Schedule",     "Slot",         "HealthcareService"};
    for (size_t j = 0; j < sizeof TYPES / sizeof *TYPES; j++) {
        assert_int_equal(may("consortium-office", ACCESS_CREATE, TYPES[j]), OK);
        assert_int_equal(may("system-administrator", ACCESS_UPDATE, TYPES[j]), OK);
        assert_int_equal(may("integrator", ACCESS_DELETE, TYPES[j]), OK);
        assert_int_equal(may("county-doctor", ACCESS_READ, TYPES[j]), OK);
        assert_int_equal(may("county-doctor", ACCESS_UPDATE, TYPES[j]), ERR_FORBIDDEN);
        assert_int_equal(may("referral-office", ACCESS_CREATE, TYPES[j]), ERR_FORBIDDEN);
        assert_int_equal(may("security-administrator", ACCESS_UPDATE, TYPES[j]), ERR_FORBIDDEN);
    }
}

/* A post is proposed and granted (access_accounts.def): a raw write would be a way around both. */
static void nobody_writes_a_post(void **state)
{
    (void)state;
    static const char *const ROLES[] = {"consortium-office", "system-administrator",
                                        "security-administrator", "county-doctor"};
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++) {
        assert_int_equal(may(ROLES[i], ACCESS_READ, "PractitionerRole"), OK);
        assert_int_equal(may(ROLES[i], ACCESS_CREATE, "PractitionerRole"), ERR_FORBIDDEN);
        assert_int_equal(may(ROLES[i], ACCESS_UPDATE, "PractitionerRole"), ERR_FORBIDDEN);
    }
    assert_int_equal(may("integrator", ACCESS_UPDATE, "PractitionerRole"), OK);
}

static void clinical_roles_register_and_write_their_work(void **state)
{
    (void)state;
    assert_int_equal(may("village-doctor", ACCESS_CREATE, "Patient"), OK);
    assert_int_equal(may("technician", ACCESS_CREATE, "Binary"), OK);
    assert_int_equal(may("referral-office", ACCESS_CREATE, "Encounter"), OK);
    assert_int_equal(may("referral-office", ACCESS_CREATE, "Observation"), ERR_FORBIDDEN);
    assert_int_equal(may("township-doctor", ACCESS_UPDATE, "MedicationStatement"), OK);
    assert_int_equal(may("consortium-office", ACCESS_CREATE, "Observation"), ERR_FORBIDDEN);
    assert_int_equal(may("consortium-office", ACCESS_READ, "Observation"), OK);
    assert_int_equal(may("village-doctor", ACCESS_DELETE, "Patient"), ERR_FORBIDDEN);
    assert_int_equal(may("village-doctor", ACCESS_CREATE, "Provenance"), ERR_FORBIDDEN);
    assert_int_equal(may("village-doctor", ACCESS_CREATE, "AuditEvent"), ERR_FORBIDDEN);
    assert_int_equal(may("audit-administrator", ACCESS_READ, "AuditEvent"), OK);
    assert_int_equal(may("county-doctor", ACCESS_READ, "AuditEvent"), ERR_FORBIDDEN);
}

static void an_unknown_role_may_nothing(void **state)
{
    (void)state;
    assert_int_equal(may("", ACCESS_READ, "Organization"), ERR_FORBIDDEN);
    assert_int_equal(may("system", ACCESS_READ, "Patient"), ERR_FORBIDDEN);
    assert_false(access_role_known(STR("nurse")));
    assert_true(access_role_known(STR("family-doctor")));
}

static void a_refusal_says_who_may(void **state)
{
    (void)state;
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    AccessCaller caller = {.username = STR("someone")};
    caller.post.role = STR("reader");
    assert_int_equal(access_may(&caller, ACCESS_UPDATE, STR("Slot"), &err), ERR_FORBIDDEN);
    assert_str(err.first->en,
               "Those who may change Slot: consortium office, system administrator, integrator");
    assert_str(err.first->zh, "修改 Slot 的岗位：医共体办公室、系统管理员、对接系统");
    arena_done(&a);
}

static void a_first_password_opens_nothing(void **state)
{
    (void)state;
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    AccessCaller caller = {.username = STR("someone"), .must_change_password = true};
    caller.post.role = STR("village-doctor");
    assert_int_equal(access_may(&caller, ACCESS_READ, STR("Patient"), &err), ERR_FORBIDDEN);
    assert_str(err.first->rule, "password-change-required");
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(administrators_touch_nothing_clinical),
        cmocka_unit_test(the_directory_is_kept_by_office_and_system),
        cmocka_unit_test(nobody_writes_a_post),
        cmocka_unit_test(clinical_roles_register_and_write_their_work),
        cmocka_unit_test(an_unknown_role_may_nothing),
        cmocka_unit_test(a_refusal_says_who_may),
        cmocka_unit_test(a_first_password_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
