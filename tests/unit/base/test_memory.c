#include "test.h"

static void arena_zeroes_and_aligns(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    for (size_t n = 1; n < 400000; n = n * 3 + 1) {
        char *p = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_true(p[0] == 0 && p[n - 1] == 0);
        memset(p, 0xAA, n);
    }
    arena_reset(&a);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(*(uint64_t *)arena_alloc(&a, 8), 0);
    }
    arena_done(&a);
    arena_done(&a);
}

static void arena_cap_says_no(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 64 * 1024);
    assert_null(arena_try(&a, 65 * 1024));
    assert_false(arena_exhausted(&a));
    assert_non_null(arena_try(&a, 1000));
    while (arena_try(&a, 1000)) {
    }
    assert_true(a.used_bytes <= 64 * 1024);
    assert_false(arena_exhausted(&a));
    arena_alloc(&a, 1000);
    assert_true(arena_exhausted(&a));
    arena_reset(&a);
    assert_false(arena_exhausted(&a));
    arena_done(&a);
}

static void push(void *arg)
{
    int *count = arg;
    *count = *count * 10 + 1;
}

static void twice(void *arg)
{
    int *count = arg;
    *count *= 2;
}

static void deferred_closes_run_newest_first(void **state)
{
    (void)state;
    Arena a;
    int count = 0;
    arena_init(&a, 0);
    arena_defer(&a, push, &count);
    arena_defer(&a, twice, &count);
    arena_defer(&a, push, &count);
    arena_done(&a);
    assert_int_equal(count, 21);
    arena_done(&a);
    assert_int_equal(count, 21);
}

static void arena_shrink_gives_back(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    char *p = arena_alloc_raw(&a, 1000);
    arena_shrink(&a, p, 1000, 100);
    char *q = arena_alloc(&a, 16);
    assert_true(q > p && q < p + 1000);
    arena_shrink(&a, p, 100, 10); /* no longer the newest: stays */
    p[99] = 1;
    arena_done(&a);
}

static void arena_text(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    assert_str(arena_cat(&a, STR("a"), STR_NONE, STR("bc")), "abc");
    assert_str(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(arena_cstr(&a, STR("abcdef")), "abcdef");
    arena_done(&a);
}

static void buf_stops_at_its_cap(void **state)
{
    (void)state;
    Buf b;
    buf_init(&b, 5);
    buf_c(&b, "abc");
    buf_c(&b, "def");
    buf_c(&b, "g");
    assert_true(b.failed);
    assert_str(buf_str(&b), "abc");
    buf_clear(&b);
    buf_c(&b, "hello");
    assert_false(b.failed);
    buf_done(&b);
}

static void buf_escapes_for_its_sink(void **state)
{
    (void)state;
    Buf b;
    buf_init(&b, 0);
    buf_json_str(&b, STR("a\"b\\c\n\x01门"));
    assert_str(buf_str(&b), "\"a\\\"b\\\\c\\n\\u0001门\"");
    buf_clear(&b);
    buf_url(&b, STR("a b/门~"));
    assert_str(buf_str(&b), "a%20b%2F%E9%97%A8~");
    buf_clear(&b);
    buf_html(&b, STR("<a href=\"x\">&'"));
    assert_str(buf_str(&b), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    buf_clear(&b);
    buf_i64(&b, INT64_MIN);
    buf_printf(&b, " %03d", 7);
    assert_str(buf_str(&b), "-9223372036854775808 007");
    buf_done(&b);
}

static void map_keeps_many(void **state)
{
    (void)state;
    Arena a;
    Map m;
    arena_init(&a, 0);
    map_init(&m, &a);
    assert_null(map_get(&m, STR("x")));
    Str keys[1000];
    for (int i = 0; i < 1000; i++) {
        keys[i] = arena_printf(&a, "key-%d", i);
        map_put(&m, keys[i], &keys[i]);
    }
    map_put(&m, STR("key-7"), &keys[8]);
    assert_int_equal(m.n, 1000);
    assert_ptr_equal(map_get(&m, STR("key-7")), &keys[8]);
    assert_ptr_equal(map_get(&m, STR("key-999")), &keys[999]);
    assert_null(map_get(&m, STR("key-1000")));
    arena_done(&a);
}

static void err_keeps_issues_in_order(void **state)
{
    (void)state;
    Arena a;
    Err e, outer;
    arena_init(&a, 0);
    err_init(&e, &a);
    err_init(&outer, &a);
    assert_int_equal(
        err_add(&e, ERR_UNPROCESSABLE, "value", STR("a.b"), "第 %d 项 %s", "item %d %s", 3, "x"),
        ERR_UNPROCESSABLE);
    assert_int_equal(err_rule(&e, ERR_CONFLICT, STR("held-by-case"), STR_NONE, "否", "no"),
                     ERR_CONFLICT);
    assert_int_equal(err_move(&outer, &e, STR("entry[0].")), ERR_UNPROCESSABLE);
    assert_int_equal(outer.count, 2);
    assert_int_equal(outer.status, ERR_UNPROCESSABLE);
    assert_str(outer.first->where, "entry[0].a.b");
    assert_str(outer.first->zh, "第 3 项 x");
    assert_str(outer.first->en, "item 3 x");
    assert_string_equal(outer.last->code, "conflict");
    assert_str(outer.last->rule, "held-by-case");
    for (int i = 0; i < 200; i++) {
        err_status(&e, ERR_NOT_FOUND);
    }
    assert_int_equal(e.count, 202);
    assert_int_equal(status_http(ERR_TOO_LARGE), 413);
    assert_int_equal(err_status(NULL, ERR_GONE), ERR_GONE);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_zeroes_and_aligns),
        cmocka_unit_test(arena_cap_says_no),
        cmocka_unit_test(deferred_closes_run_newest_first),
        cmocka_unit_test(arena_shrink_gives_back),
        cmocka_unit_test(arena_text),
        cmocka_unit_test(buf_stops_at_its_cap),
        cmocka_unit_test(buf_escapes_for_its_sink),
        cmocka_unit_test(map_keeps_many),
        cmocka_unit_test(err_keeps_issues_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
