#include <unistd.h>

#include "test.h"

static void str_helpers(void **state)
{
    (void)state;
    Str head, tail;
    int64_t v = 5;
    assert_true(str_cut(STR("a=b=c"), '=', &head, &tail));
    assert_str(head, "a");
    assert_str(tail, "b=c");
    assert_false(str_cut(STR("abc"), '=', &head, &tail));
    assert_str(head, "abc");
    assert_str(str_trim(STR(" \t a b\n")), "a b");
    assert_int_equal(str_find(STR("hello"), STR("ll")), 2);
    assert_int_equal(str_find(STR("hello"), STR("lo!")), -1);
    assert_true(str_cmp(STR("ab"), STR("abc")) < 0 && str_cmp(STR("b"), STR("abc")) > 0);
    assert_true(str_eq_nocase(STR("Bearer"), STR("bEARER")));
    assert_true(str_to_i64(STR("-9223372036854775808"), &v));
    assert_true(v == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &v));
    static const char *const BAD[] = {
        "", "-", "+1", "1 ", "0x1", "9223372036854775808", "-9223372036854775809"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(str_to_i64(str_from_c(BAD[i]), &v));
    }
}

static bool is_short_escape(int c)
{
    return c && strchr("\"\\\b\f\n\r\t", c);
}

/* Each byte at each place of a text of two words and a rest. */
static void json_strings_escape_what_they_must(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 19; at++) {
            char text[19], want[40];
            Buf b;
            memset(text, at % 2 ? 'x' : '\xe5', sizeof text);
            text[at] = (char)c;
            int n = snprintf(want, sizeof want, "\"%.*s", (int)at, text);
            if (is_short_escape(c)) {
                static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
                n += snprintf(want + n, sizeof want - n, "\\%c", to[strchr(from, c) - from]);
            } else if (c < 0x20) {
                n += snprintf(want + n, sizeof want - n, "\\u%04x", c);
            } else {
                want[n++] = (char)c;
            }
            snprintf(want + n, sizeof want - n, "%.*s\"", (int)(18 - at), text + at + 1);
            buf_init(&b, 0);
            buf_json_str(&b, (Str){text, sizeof text});
            assert_true(str_eq(buf_str(&b), str_from_c(want)));
            buf_done(&b);
        }
    }
}

static void utf8_is_strict(void **state)
{
    static const char *const BAD[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe9\x97",
                                      "a\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(utf8_valid(str_from_c(BAD[i])));
    }
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char out[4];
        size_t at = 0, n = utf8_put(out, cp);
        bool surrogate = cp >= 0xD800 && cp < 0xE000;
        assert_int_equal(utf8_next((Str){out, n}, &at), surrogate ? UTF8_BAD : cp);
    }
    assert_true(utf8_valid(STR("门口 𠮷 longer than eight bytes")));
    assert_int_equal(utf8_count(STR("门口𠮷a")), 4);
}

static Status note_path(void *ctx, Str relative, Err *err)
{
    (void)err;
    buf_add(ctx, relative);
    buf_char(ctx, '\n');
    return OK;
}

static void files_are_written_and_walked(void **state)
{
    (void)state;
    Arena a;
    Err e;
    Buf seen;
    Str text;
    char dir[TEST_FOLDER_MAX];
    arena_init(&a, 0);
    err_init(&e, &a);
    buf_init(&seen, 0);
    test_folder(dir);
    Str deep = path_join(&a, str_from_c(dir), STR("a/b"));
    assert_int_equal(dir_make(deep.p, 0700, &e), OK);
    assert_int_equal(dir_make(deep.p, 0700, &e), OK);
    static const char *const NAMES[] = {"a/b/z", "a/b.txt", "a/c", "b"};
    for (size_t i = 0; i < 4; i++) {
        Str path = path_join(&a, str_from_c(dir), str_from_c(NAMES[i]));
        assert_int_equal(file_write_durable(path.p, STR("first"), 0600, &e), OK);
        assert_int_equal(file_write_durable(path.p, STR("hello"), 0600, &e), OK);
        assert_int_equal(file_read(&a, path.p, 5, &text, &e), OK);
        assert_str(text, "hello");
        assert_int_equal(file_read(&a, path.p, 4, &text, &e), ERR_TOO_LARGE);
    }
    assert_int_equal(dir_walk(&a, dir, note_path, &seen, &e), OK);
    assert_str(buf_str(&seen), "a/b.txt\na/b/z\na/c\nb\n");
    assert_int_equal(file_read(&a, "/nonexistent/x", 4, &text, &e), ERR_NOT_FOUND);
    assert_int_equal(file_read(&a, dir, 4, &text, &e), ERR_INTERNAL);
    for (size_t i = 0; i < 4; i++) {
        unlink(path_join(&a, str_from_c(dir), str_from_c(NAMES[i])).p);
    }
    rmdir(deep.p);
    rmdir(path_join(&a, str_from_c(dir), STR("a")).p);
    assert_int_equal(rmdir(dir), 0);
    buf_done(&seen);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_helpers),
        cmocka_unit_test(json_strings_escape_what_they_must),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(files_are_written_and_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
