#include "http.h"

#include "test.h"

static Arena arena;

static void decode_takes_escapes_and_refuses_broken_ones(void **state)
{
    (void)state;
    Str s;
    assert_true(http_decode(&arena, STR("a%2Fb%e5%88%98+c"), false, &s));
    assert_str(s, "a/b刘+c");
    assert_true(http_decode(&arena, STR("a+b"), true, &s));
    assert_str(s, "a b");
    const char *broken[] = {"%", "a%2", "%zz", "%2", "x%g1"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_false(http_decode(&arena, str_from_c(broken[i]), false, &s));
    }
}

static void pairs_come_one_by_one(void **state)
{
    (void)state;
    Str rest = STR("a=1&&b=&c&d=x=y"), name, value;
    const char *want[][2] = {{"a", "1"}, {"b", ""}, {"c", ""}, {"d", "x=y"}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(http_next_pair(&rest, &name, &value));
        assert_str(name, want[i][0]);
        assert_str(value, want[i][1]);
    }
    assert_false(http_next_pair(&rest, &name, &value));
}

static void accept_weighs_the_closest_range(void **state)
{
    (void)state;
    const struct {
        const char *accept, *media;
        int quality;
    } rows[] = {
        {"", "application/json", 1000},
        {"*/*", "application/json", 1000},
        {"application/*;q=0.5", "application/json", 500},
        {"application/json;q=0, */*", "application/json", 0},
        {"text/html", "application/json", 0},
        {"text/html, application/fhir+json;q=0.25", "application/fhir+json", 250},
        {"APPLICATION/JSON", "application/json", 1000},
        {"gzip, br;q=0.1", "br", 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(http_accept_quality(str_from_c(rows[i].accept), str_from_c(rows[i].media)),
                         rows[i].quality);
    }
}

static void entity_tags_are_compared_weakly(void **state)
{
    (void)state;
    assert_str(http_etag_value(STR("W/\"3\"")), "3");
    assert_str(http_etag_value(STR(" \"a\" ")), "a");
    assert_null(http_etag_value(STR("3")).p);
    assert_null(http_etag_value(STR("W/\"")).p);
    assert_true(http_etag_listed(STR("\"1\", W/\"2\""), STR("W/\"1\"")));
    assert_true(http_etag_listed(STR("*"), STR("W/\"1\"")));
    assert_false(http_etag_listed(STR("\"1\""), STR("W/\"2\"")));
    assert_false(http_etag_listed(STR_NONE, STR("W/\"2\"")));
}

static void dates_are_of_rfc_9110(void **state)
{
    (void)state;
    assert_str(http_date(&arena, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_str(http_date(&arena, 1795305600000), "Sun, 22 Nov 2026 00:00:00 GMT");
    assert_str(http_date(&arena, -1), "Wed, 31 Dec 1969 23:59:59 GMT");
}

static void cookies_and_headers_are_found(void **state)
{
    (void)state;
    HttpPair pairs[] = {{STR("cookie"), STR("a=1; menkou=tok; b=2")}, {STR("Accept"), STR("x")}};
    HttpRequest r = {.header = pairs, .header_n = 2};
    assert_str(http_cookie(&r, "menkou"), "tok");
    assert_null(http_cookie(&r, "enkou").p);
    assert_str(http_header(&r, "ACCEPT"), "x");
    assert_null(http_header(&r, "Host").p);
    assert_str(http_media(&arena, STR(" Application/FHIR+json ; charset=utf-8")),
               "application/fhir+json");
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_takes_escapes_and_refuses_broken_ones),
        cmocka_unit_test(pairs_come_one_by_one),
        cmocka_unit_test(accept_weighs_the_closest_range),
        cmocka_unit_test(entity_tags_are_compared_weakly),
        cmocka_unit_test(dates_are_of_rfc_9110),
        cmocka_unit_test(cookies_and_headers_are_found),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
