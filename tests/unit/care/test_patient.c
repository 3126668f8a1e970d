#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "care_id.h"
#include "care_patient.h"

#define NOW_MS 1795305600000LL /* 2026-11-22 */
#define CARD   "{\"system\":\"" FHIR_CARD_SYSTEM "\",\"value\":\"11010519491231002X\""

/* Judges a Patient with these members; *ret_where: the places of all issues, each after a blank. */
static Status judge(Arena *a, bool person, const char *members, Str *ret_where)
{
    Err err;
    JsonDoc d;
    Str body = arena_cat(a, STR("{\"resourceType\":\"Patient\","), str_from_c(members), STR("}"));
    err_init(&err, a);
    assert_int_equal(json_parse(a, body, &JSON_LIMITS_FHIR, &d, &err), OK);
    CareDesk desk = {person, NOW_MS, ZONE_CHINA_MIN};
    Status status = care_patient_check(a, &d, &desk, &err);
    *ret_where = STR_NONE;
    for (const Issue *i = err.first; i; i = i->next) {
        *ret_where = arena_cat(a, *ret_where, STR(" "), i->where);
    }
    return status;
}

static void expect_of(bool person, const char *members, const char *where)
{
    Arena a;
    Str got;
    arena_init(&a, 0);
    Status status = judge(&a, person, members, &got);
    if (status != (*where ? ERR_UNPROCESSABLE : OK) || !str_is(got, where)) {
        fail_msg("%s: %d%.*s, want%s", members, status, STR_ARG(got), where);
    }
    arena_done(&a);
}

static void expect(const char *members, const char *where)
{
    expect_of(true, members, where);
}

static void test_the_card_and_the_person_agree(void **state)
{
    (void)state;
    expect("\"identifier\":[" CARD "}],\"birthDate\":\"1949-12-31\",\"gender\":\"female\"", "");
    expect("\"identifier\":[" CARD "}],\"birthDate\":\"1949-12\",\"gender\":\"unknown\"", "");
    expect("\"identifier\":[" CARD "}],\"birthDate\":\"1949\"", "");
    expect("\"identifier\":[" CARD "}]", "");
    expect("\"birthDate\":\"1980-01-01\",\"gender\":\"male\"", "");
    expect("\"identifier\":[{\"system\":\"urn:oid:1.2\",\"value\":\"11010519491231002X\"}],"
           "\"gender\":\"male\"",
           "");
}

static void test_contradictions_are_named_each(void **state)
{
    (void)state;
    expect("\"identifier\":[" CARD "}],\"birthDate\":\"1949-12-30\",\"gender\":\"female\"",
           " Patient.birthDate");
    expect("\"identifier\":[" CARD "}],\"birthDate\":\"1950\"", " Patient.birthDate");
    expect("\"identifier\":[{\"system\":\"" FHIR_CARD_SYSTEM "\",\"value\":\"431389760616601\"}],"
           "\"birthDate\":\"1976-06-17\"",
           " Patient.birthDate");
    expect("\"identifier\":[" CARD "},{\"system\":\"" FHIR_CARD_SYSTEM "\",\"value\":\"1\"}]",
           " Patient.identifier[1].value");
}

#define WHY(text) "\"extension\":[{\"url\":\"" CARE_CARD_DIFFERS "\",\"valueString\":\"" text "\"}]"

static void test_the_lawful_way_out(void **state)
{
    (void)state;
    expect("\"identifier\":[" CARD ",\"use\":\"old\"}],\"birthDate\":\"1950\"", "");
    expect("\"identifier\":[" CARD "}],\"gender\":\"male\"", "");
    expect("\"identifier\":[" CARD "," WHY("户口本为准") "}],\"birthDate\":\"1949-12-30\"", "");
    expect("\"identifier\":[" CARD "," WHY(" ") "}],\"birthDate\":\"1949-12-30\"",
           " Patient.birthDate");
    expect("\"identifier\":[{\"system\":\"" FHIR_CARD_SYSTEM "\",\"value\":\"1\"," WHY("错") "}]",
           " Patient.identifier[0].value"); /* no number at all is never a card's */
}

static void test_another_system_is_taken_at_its_word(void **state)
{
    (void)state;
    expect_of(false, "\"identifier\":[" CARD "}],\"birthDate\":\"1950\"", "");
    expect_of(false, "\"identifier\":[{\"system\":\"" FHIR_CARD_SYSTEM "\",\"value\":\"1\"}]",
              " Patient.identifier[0].value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_card_and_the_person_agree),
        cmocka_unit_test(test_contradictions_are_named_each),
        cmocka_unit_test(test_the_lawful_way_out),
        cmocka_unit_test(test_another_system_is_taken_at_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
