/* Texts told apart into layout and tokens come back byte for byte, and damage is noticed. */
#include "test_arena.h"

#include "json_layout.h"

#include "mk_banned.h"

#define LINES                                                                                      \
    "{\n      \"resourceType\": \"Patient\",\n      \"name\": [\n        {\n          \"given\": " \
    "[\n            \"A \\\" [ ]\",\n            \"B\"\n          ]\n        }\n      ],\n"        \
    "      \"extension\": [],\n      \"contact\": {},\n      \"active\": true\n    }"
#define INLINE                                                                                     \
    "{\n  \"resourceType\": \"Patient\",\n  \"name\": [ {\n    \"given\": [ \"A\", \"B\" ],\n"     \
    "    \"n\": 1.00\n  }, {\n    \"family\": \"C\"\n  } ]\n}"
#define TIGHT  "{\n\"a\": 1\n}"
#define SPACED "{\"a\": [1, 2, {\"b\": \"x: , y\"}], \"c\": {}}"
/* members put in without blanks, as `id` and `meta` are */
#define SPLICED                                                                                    \
    "{\n  \"resourceType\": \"Patient\",\"id\":\"7\",\n  \"meta\": "                               \
    "{\"versionId\":\"1\",\"lastUpdated\":\"2026\",\n    \"tag\": [\n      {\n        \"code\": "  \
    "\"t\"\n      }\n    ]\n  }\n}"

static void comes_back(const char *c, size_t layout_max)
{
    Str text = str_from_c(c), layout, tokens, again;
    assert_true(json_layout_split(&arena, text, &layout, &tokens));
    assert_true(layout.n <= layout_max);
    assert_true(str_eq(tokens, json_compact(&arena, text)));
    assert_true(json_layout_join(&arena, layout, tokens, &again));
    assert_true(str_eq(again, text));
}

static void a_regular_text_comes_back(void **state)
{
    (void)state;
    comes_back(LINES, 8);
    comes_back(INLINE, 8);
    comes_back(SPACED, 8);
    comes_back(SPLICED, 20);
}

static void blanks_stay_inside_strings(void **state)
{
    (void)state;
    Str compact = json_compact(&arena, STR("{ \"a b\" : [ \"c \\\" d\" , 1 ] }\n"));
    assert_true(str_is(compact, "{\"a b\":[\"c \\\" d\",1]}"));
}

static void other_texts_have_no_layout(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"a\":1}",
        "[\n  1\n]",
        TIGHT,
        "{\n  \"a\":1 ,\n\t\"b\" : 2,\n \"c\"  :3,\n   \"d\": 4 ,\n     \"e\"  : 5,\n\"f\" :6 ,"
        "\n\n \"g\":7,\n      \"h\": 8\n}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Str layout, tokens;
        assert_false(json_layout_split(&arena, str_from_c(texts[i]), &layout, &tokens));
    }
}

/* Whatever a byte of the parts becomes: no crash, and never more than the layout says. */
static void damage_is_harmless(void **state)
{
    (void)state;
    Str layout, tokens, again;
    assert_true(json_layout_split(&arena, STR(SPLICED), &layout, &tokens));
    for (size_t i = 0; i < (layout.n + tokens.n) * 8; i++) {
        Arena scratch;
        arena_init(&scratch, 0);
        Str x = arena_str(&scratch, layout), y = arena_str(&scratch, tokens);
        size_t at = i / 8;
        char *p = (char *)(uintptr_t)(at < x.n ? x.p + at : y.p + (at - x.n));
        *p = (char)(*p ^ 1 << i % 8);
        if (json_layout_join(&scratch, x, y, &again)) {
            assert_true(strnlen(again.p, again.n + 1) <= again.n);
        }
        arena_done(&scratch);
    }
    for (size_t n = 0; n < layout.n; n++) {
        assert_false(json_layout_join(&arena, str_take(layout, n), tokens, &again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_regular_text_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(blanks_stay_inside_strings, begin, end),
        cmocka_unit_test_setup_teardown(other_texts_have_no_layout, begin, end),
        cmocka_unit_test_setup_teardown(damage_is_harmless, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
