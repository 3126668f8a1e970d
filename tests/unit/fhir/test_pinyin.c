#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fhir_pinyin.h"

static bool finds(const char *name, const char *prefix)
{
    Arena a;
    Str *keys;
    size_t n;
    bool found = false;
    arena_init(&a, 0);
    fhir_pinyin_keys(&a, str_from_c(name), &keys, &n);
    assert_in_range(n, 0, FHIR_PINYIN_KEYS_MAX);
    for (size_t i = 0; i < n; i++) {
        found = found || str_starts(keys[i], str_from_c(prefix));
    }
    arena_done(&a);
    return found;
}

static void first_is(const char *name, const char *key)
{
    Arena a;
    Str *keys;
    size_t n;
    arena_init(&a, 0);
    fhir_pinyin_keys(&a, str_from_c(name), &keys, &n);
    assert_true(n > 0);
    if (!str_is(keys[0], key)) {
        fail_msg("%s: %.*s, not %s", name, STR_ARG(keys[0]), key);
    }
    arena_done(&a);
}

static void test_plain(void **state)
{
    (void)state;
    first_is("李桂芝", "liguizhi");
    assert_true(finds("李桂芝", "lgz"));
    assert_true(finds("李桂芝", "liguiz"));
    assert_false(finds("李桂芝", "lgx"));
    assert_true(finds("吕布", "lvbu"));
    assert_true(finds("吕布", "lubu"));
}

static void test_surnames_come_first(void **state)
{
    (void)state;
    first_is("单雄信", "shanxiongxin");
    first_is("仇英", "qiuying");
    first_is("曾国藩", "zengguofan");
    first_is("解缙", "xiejin");
    first_is("查良镛", "zhaliangyong");
    first_is("尉迟恭", "yuchigong");
    first_is("万俟雅言", "moqiyayan");
    first_is("区寄", "ouji");
}

static void test_all_readings_find(void **state)
{
    (void)state;
    static const char *const CASES[][3] = {
        {"单雄信", "danx", "sxx"},  {"仇英", "chouy", "cy"},       {"曾国藩", "cengg", "cgf"},
        {"解缙", "jiej", "jj"},     {"查良镛", "chal", "cly"},     {"尉迟恭", "weichi", "wcg"},
        {"尉迟恭", "yuchi", "ycg"}, {"王重阳", "wangchong", "wzy"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_true(finds(CASES[i][0], CASES[i][1]));
        assert_true(finds(CASES[i][0], CASES[i][2]));
    }
}

static void test_other_scripts(void **state)
{
    (void)state;
    first_is("John Smith", "johnsmith");
    assert_true(finds("John Smith", "js"));
    assert_true(finds("阿依古丽·买买提", "ayiguli"));
    assert_true(finds("ＬＩ 明", "liming"));
    assert_false(finds("", ""));
    assert_false(finds("·—", ""));
    assert_true(finds("李\xf0\xa0\xae\xb7", "li")); /* 𠮷, plane 2 */
    assert_true(finds("𠮷野", "jiye"));
    assert_true(finds("䶮", "yan"));
}

static void test_bounded(void **state)
{
    (void)state;
    assert_true(finds("单单单单单单单单单单单单单单单单单单单单", "shandandan"));
    assert_true(finds("和和和和和和和和", "hehehe"));
    first_is("\xff\xfe李", "li");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_surnames_come_first),
        cmocka_unit_test(test_all_readings_find),
        cmocka_unit_test(test_other_scripts),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
