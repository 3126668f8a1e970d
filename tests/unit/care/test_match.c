#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "care_id.h"
#include "care_match.h"
#include "care_name.h"

#define CARD(n)  "\"identifier\":[{\"system\":\"" FHIR_CARD_SYSTEM "\",\"value\":\"" n "\"}]"
#define NAME(n)  "\"name\":[{\"text\":\"" n "\"}]"
#define BIRTH(b) "\"birthDate\":\"" b "\""
#define FEMALE   "\"gender\":\"female\""
#define MALE     "\"gender\":\"male\""
#define PHONE(t) "\"telecom\":[{\"system\":\"phone\",\"value\":\"" t "\"}]"
#define LIVES(t) "\"address\":[{\"text\":\"" t "\"}]"
#define C        ","
#define LIU      NAME("刘桂芝") C BIRTH("1956-03-08") C FEMALE
#define LIU_CARD CARD("110105195603080023")

static const CarePerson *person(Arena *a, const char *members)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    Str text = arena_cat(a, STR("{\"resourceType\":\"Patient\","), str_from_c(members), STR("}"));
    assert_int_equal(json_parse(a, text, &JSON_LIMITS_FHIR, d, NULL), OK);
    return care_person_new(a, d, JSON_ROOT);
}

static void graded(const char *a, const char *b, CareGrade want)
{
    Arena arena;
    arena_init(&arena, 0);
    const CarePerson *x = person(&arena, a), *y = person(&arena, b);
    CareMatch m = care_match(x, y), back = care_match(y, x);
    if (m.grade != want) {
        fail_msg("%s / %s: %s (%.3f), not %s", a, b, care_grade_code(m.grade), m.score,
                 care_grade_code(want));
    }
    assert_int_equal(m.grade, back.grade);
    assert_true(m.score >= 0 && m.score <= 1);
    arena_done(&arena);
}

static void test_identifiers_decide(void **state)
{
    (void)state;
    graded(LIU_CARD C LIU, LIU_CARD C LIU, CARE_GRADE_CERTAIN);
    graded(LIU_CARD, LIU_CARD C LIU, CARE_GRADE_CERTAIN);
    graded(CARD("431389760616601"), CARD("431389197606166011"), CARE_GRADE_NOT);
    graded(LIU_CARD C LIU, CARD("110105195603080031") C LIU, CARE_GRADE_POSSIBLE);
    graded(LIU_CARD C LIU, CARD("11010519491231002X") C LIU, CARE_GRADE_NOT);
    graded(LIU_CARD C LIU, LIU_CARD C NAME("王强") C BIRTH("1980-01-01") C MALE,
           CARE_GRADE_PROBABLE);
}

static void test_old_card_is_the_new_one(void **state)
{
    (void)state;
    CareIdCard c;
    assert_int_equal(care_id_card_check(STR("431389760616601"), TIME_FOREVER / 2, 0, &c, NULL), OK);
    char members[200];
    snprintf(members, sizeof members, "\"identifier\":[{\"system\":\"%s\",\"value\":\"%s\"}]",
             FHIR_CARD_SYSTEM, c.number);
    graded(CARD("431389760616601"), members, CARE_GRADE_CERTAIN);
}

static void test_evidence(void **state)
{
    (void)state;
    graded(LIU, LIU, CARE_GRADE_PROBABLE);
    graded(LIU, NAME("刘贵芝") C BIRTH("1956-03-08") C FEMALE, CARE_GRADE_PROBABLE);
    graded(LIU, NAME("刘桂枝") C BIRTH("1956-03-08"), CARE_GRADE_PROBABLE);
    graded(LIU, NAME("刘桂芝") C BIRTH("1956-08-03") C FEMALE, CARE_GRADE_POSSIBLE);
    graded(LIU, NAME("刘桂芝") C BIRTH("1956") C FEMALE, CARE_GRADE_POSSIBLE);
    graded(LIU, NAME("刘桂芝") C BIRTH("1956") C FEMALE C PHONE("13800000000"),
           CARE_GRADE_POSSIBLE);
    graded(LIU C PHONE("138 0000 0000"),
           NAME("刘桂芝") C BIRTH("1956") C FEMALE C PHONE("+86 13800000000"), CARE_GRADE_PROBABLE);
    graded(LIU, NAME("王强") C BIRTH("1956-03-08") C FEMALE, CARE_GRADE_NOT);
    graded(LIU, NAME("刘桂芝") C BIRTH("1990-01-01") C FEMALE, CARE_GRADE_NOT);
    graded(LIU, NAME("刘桂芝"), CARE_GRADE_POSSIBLE);
    graded(LIU, MALE, CARE_GRADE_NOT);
}

static void test_twins_are_two(void **state)
{
    (void)state;
    graded(NAME("王大宝") C BIRTH("2026-01-02") C MALE C PHONE("13800000000")
               C LIVES("柳河镇北村12号"),
           NAME("王小宝") C BIRTH("2026-01-02") C MALE C PHONE("13800000000")
               C LIVES("柳河镇北村12号"),
           CARE_GRADE_POSSIBLE);
}

static void test_addresses(void **state)
{
    (void)state;
    graded(NAME("刘桂芝") C BIRTH("1956") C FEMALE C LIVES("柳河镇北村二组12号"),
           NAME("刘桂芝") C BIRTH("1956") C FEMALE C LIVES("柳河镇北村二组12号"),
           CARE_GRADE_PROBABLE);
    graded(NAME("刘桂芝") C BIRTH("1956") C FEMALE C LIVES("柳河镇北村二组12号"),
           NAME("刘桂芝") C BIRTH("1956") C FEMALE C LIVES("青山乡南沟"), CARE_GRADE_POSSIBLE);
}

static void test_name_text(void **state)
{
    (void)state;
    Arena a;
    JsonDoc d;
    arena_init(&a, 0);
    Str json = STR("[{\"family\":\"刘\",\"given\":[\"桂\",\"芝\"]},{\"family\":\"Smith\",\"given\":"
                   "[\"J\"]},{}]");
    assert_int_equal(json_parse(&a, json, &JSON_LIMITS_FHIR, &d, NULL), OK);
    assert_true(str_is(care_name_text(&a, &d, json_item(&d, JSON_ROOT, 0)), "刘桂芝"));
    assert_true(str_is(care_name_text(&a, &d, json_item(&d, JSON_ROOT, 1)), "Smith J"));
    assert_true(str_empty(care_name_text(&a, &d, json_item(&d, JSON_ROOT, 2))));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identifiers_decide), cmocka_unit_test(test_old_card_is_the_new_one),
        cmocka_unit_test(test_evidence),           cmocka_unit_test(test_twins_are_two),
        cmocka_unit_test(test_addresses),          cmocka_unit_test(test_name_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
