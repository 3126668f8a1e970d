#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "care_id.h"

#define NOW_MS 1795305600000LL /* 2026-11-22 */

static Status check(const char *number, CareIdCard *card)
{
    return care_id_card_check(str_from_c(number), NOW_MS, ZONE_CHINA_MIN, card, NULL);
}

static void test_id_cards(void **state)
{
    (void)state;
    CareIdCard c;
    assert_int_equal(check("11010519491231002X", &c), OK);
    assert_int_equal(c.year, 1949);
    assert_int_equal(c.month, 12);
    assert_int_equal(c.day, 31);
    assert_false(c.male);
    assert_int_equal(check("11010519491231002x", &c), OK);
    assert_string_equal(c.number, "11010519491231002X");
    assert_int_equal(check("371001198010082394", &c), OK);
    assert_true(c.male);
    assert_string_equal(care_id_card_gender(&c), "male");
    assert_int_equal(check("431389760616601", &c), OK);
    assert_true(c.was_15);
    assert_int_equal(c.year, 1976);
    assert_true(c.male);
    assert_int_equal(strlen(c.number), 18);
}

static void test_bad_id_cards(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "1101051949123100",
        "110105194912310021", /* check digit */
        "345955198706122245", /* check digit, of a public list of bad ones */
        "110105194902300023", /* 30 February */
        "110105209912310025", /* the future */
        "99010519491231002X", /* province */
        "1101051949123100XX",
        "11010519491331002X",
        "４31389760616601",
    };
    CareIdCard c;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        if (check(BAD[i], &c) != ERR_UNPROCESSABLE) {
            fail_msg("%s should be refused", BAD[i]);
        }
    }
}

/* Every single wrong digit is found: the check digit's promise. */
static void test_every_wrong_digit_is_found(void **state)
{
    (void)state;
    CareIdCard c;
    char number[] = "11010519491231002X";
    for (int i = 0; i < 17; i++) {
        char right = number[i];
        for (char d = '0'; d <= '9'; d++) {
            number[i] = d;
            assert_int_equal(check(number, &c), d == right ? OK : ERR_UNPROCESSABLE);
        }
        number[i] = right;
    }
}

static void test_born_today_or_tomorrow(void **state)
{
    (void)state;
    CareIdCard c;
    char number[19] = "11010520261122002";
    number[17] = fhir_card_check_digit(number);
    assert_int_equal(check(number, &c), OK);
    memcpy(number, "11010520261123002", 17);
    number[17] = fhir_card_check_digit(number);
    assert_int_equal(check(number, &c), ERR_UNPROCESSABLE);
}

static void assert_str(Str got, const char *want)
{
    if (!str_is(got, want)) {
        fail_msg("got %.*s, want %s", STR_ARG(got), want);
    }
}

static void test_masks(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    assert_str(care_name_mask(&a, STR("刘桂芝")), "刘*芝");
    assert_str(care_name_mask(&a, STR("刘芝")), "刘*");
    assert_str(care_name_mask(&a, STR("欧阳桂芝")), "欧**芝");
    assert_str(care_name_mask(&a, STR("阿依古丽·买买提")), "阿***提");
    assert_str(care_name_mask(&a, STR("𠮷")), "*");
    assert_str(care_name_mask(&a, STR("")), "");
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_cards),
        cmocka_unit_test(test_bad_id_cards),
        cmocka_unit_test(test_every_wrong_digit_is_found),
        cmocka_unit_test(test_born_today_or_tomorrow),
        cmocka_unit_test(test_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
