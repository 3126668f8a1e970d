#include "api_inner.h"

#include "test.h"

static void addresses_are_read(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 1 << 20);
    const char *host;
    uint16_t port;
    assert_true(api_listen_parse(&a, STR("127.0.0.1:0"), &host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 0);
    assert_true(api_listen_parse(&a, STR("[::1]:8443"), &host, &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 8443);
    const char *bad[] = {"", "8080", ":8080", "a:", "a:b", "a:65536", "a:-1", "[::1]", "[::1]8080"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(api_listen_parse(&a, str_from_c(bad[i]), &host, &port));
    }
    assert_true(api_host_is_loopback("127.0.0.1") && api_host_is_loopback("::1"));
    assert_false(api_host_is_loopback("0.0.0.0") || api_host_is_loopback("10.127.0.1"));
    arena_done(&a);
}

static void language_is_what_is_wanted_most(void **state)
{
    (void)state;
    assert_int_equal(api_lang(STR_NONE), LANG_ZH);
    assert_int_equal(api_lang(STR("zh-CN,zh;q=0.9,en;q=0.8")), LANG_ZH);
    assert_int_equal(api_lang(STR("en")), LANG_EN);
    assert_int_equal(api_lang(STR("en-US,en;q=0.9")), LANG_EN);
    assert_int_equal(api_lang(STR("fr, *;q=0.5")), LANG_ZH);
}

static void packages_are_folders_and_overlays_come_later(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 1 << 20);
    Err err;
    err_init(&err, &a);
    const ApiFile files[] = {{STR("README.md"), STR("x"), STR_NONE, STR_NONE},
                             {STR("a-b/pathway.json"), STR("1"), STR_NONE, STR_NONE},
                             {STR("a/forms/start.json"), STR("2"), STR_NONE, STR_NONE},
                             {STR("a/pathway.json"), STR("3"), STR_NONE, STR_NONE}};
    FlowPackageSource *source;
    size_t n;
    assert_int_equal(api_packages(&a, (ApiFiles){files, 4}, NULL, 0, &source, &n, &err), OK);
    assert_int_equal(n, 2);
    assert_true(str_is(source[0].name, "a-b") && source[0].files_n == 1);
    assert_true(str_is(source[1].name, "a") && source[1].files_n == 2);
    assert_true(str_is(source[1].paths[0], "forms/start.json") &&
                str_is(source[1].contents[1], "3"));
    arena_done(&a);
}

static void if_match_is_a_tag(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 1 << 20);
    Err err;
    err_init(&err, &a);
    ApiWrite w = {0};
    assert_int_equal(api_if_match(STR("W/\"12-3\""), &w, &err), OK);
    assert_true(str_is(w.if_match, "12-3"));
    w = (ApiWrite){0};
    assert_int_equal(api_if_match(STR_NONE, &w, &err), OK);
    assert_true(str_empty(w.if_match));
    assert_int_equal(api_if_match(STR("12"), &w, &err), OK); /* bare */
    assert_true(str_is(w.if_match, "12"));
    w = (ApiWrite){0};
    assert_int_equal(api_if_match(STR("*"), &w, &err), OK);
    assert_true(w.must_exist && str_empty(w.if_match));
    assert_int_equal(api_if_match(STR("\"a b\""), &w, &err), ERR_INVALID);
    arena_done(&a);
}

/* Every row of the table leads to itself: none is hidden by one before it. */
static void no_route_is_hidden(void **state)
{
    (void)state;
    for (size_t i = 0; i < API_ROUTES_N; i++) {
        Arena a;
        arena_init(&a, 1 << 20);
        Buf path;
        buf_init(&path, 0);
        for (const char *p = API_ROUTES[i].pattern; *p; p++) {
            if (*p == '{') {
                buf_c(&path, p[1] == 'T' ? "Basic" : "x1");
                p = strchr(p, '}');
            } else {
                buf_c(&path, *p == '*' ? "q/w/e/r" : (char[]){*p, 0});
            }
        }
        unsigned allowed, methods = API_ROUTES[i].methods;
        HttpRequest r = {.method = (HttpMethod)(methods & -methods), .path = buf_str(&path)};
        assert_ptr_equal(http_route_find(API_ROUTES, API_ROUTES_N, &a, &r, &allowed),
                         &API_ROUTES[i]);
        buf_done(&path);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(language_is_what_is_wanted_most),
        cmocka_unit_test(packages_are_folders_and_overlays_come_later),
        cmocka_unit_test(if_match_is_a_tag),
        cmocka_unit_test(no_route_is_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
