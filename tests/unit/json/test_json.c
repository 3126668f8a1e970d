#include "json.h"

#include "test.h"

typedef struct Fixture {
    Arena a;
    Err e;
    JsonDoc d;
} Fixture;

static int setup(void **state)
{
    static Fixture f;
    arena_init(&f.a, 0);
    err_init(&f.e, &f.a);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    arena_done(&((Fixture *)*state)->a);
    return 0;
}

static JsonDoc *parsed(Fixture *f, const char *text)
{
    Str copy = {arena_alloc_raw(&f->a, strlen(text)),
                strlen(text)}; /* no NUL behind: overruns show */
    memcpy((char *)copy.p, text, copy.n);
    assert_int_equal(json_parse(&f->a, copy, &JSON_LIMITS_FHIR, &f->d, &f->e), OK);
    return &f->d;
}

static void keeps_numbers_as_text(void **state)
{
    JsonDoc *d =
        parsed(*state, "{\"a\":1.00,\"b\":-0.0e+10,\"c\":123456789012345678901234567890,\"d\":42}");
    int64_t v;
    double x;
    assert_str(json_number(d, json_get_c(d, JSON_ROOT, "a")), "1.00");
    assert_str(json_number(d, json_get_c(d, JSON_ROOT, "b")), "-0.0e+10");
    assert_str(json_number(d, json_get_c(d, JSON_ROOT, "c")), "123456789012345678901234567890");
    assert_true(json_to_i64(d, json_get_c(d, JSON_ROOT, "d"), &v));
    assert_int_equal(v, 42);
    assert_false(json_to_i64(d, json_get_c(d, JSON_ROOT, "a"), &v));
    assert_true(json_to_double(d, json_get_c(d, JSON_ROOT, "a"), &x));
    assert_true(x == 1.0);
    assert_false(json_to_double(d, JSON_NONE, &x));
}

static void walks_members_and_items(void **state)
{
    JsonDoc *d = parsed(*state, " {\"name\":[{\"family\":\"李\",\"given\":[\"国\",\"志\"]},{}], "
                                "\"n\" : null , \"t\":true} ");
    assert_str(json_str_at(d, JSON_ROOT, "name.0.given.1"), "志");
    assert_int_equal(json_count(d, json_at(d, JSON_ROOT, "name")), 2);
    assert_int_equal(json_type(d, json_at(d, JSON_ROOT, "n")), JSON_NULL);
    assert_true(json_is_true(d, json_get_c(d, JSON_ROOT, "t")));
    assert_int_equal(json_at(d, JSON_ROOT, "name.2"), JSON_NONE);
    assert_int_equal(json_at(d, JSON_ROOT, "name.x.y"), JSON_NONE);
    assert_str(json_raw(d, json_at(d, JSON_ROOT, "name.1")), "{}");
    Buf keys;
    buf_init(&keys, 0);
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        buf_printf(&keys, "%u%.*s ", it.index, STR_ARG(it.key));
    }
    assert_str(buf_str(&keys), "0name 1n 2t ");
    buf_done(&keys);
}

static void decodes_escapes(void **state)
{
    JsonDoc *d =
        parsed(*state, "{\"\\u0061\\n\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u95e8\\ud83d\\ude00\"}");
    assert_str(json_str(d, json_get(d, JSON_ROOT, STR("a\n"))), "\"\\/\b\f\n\r\t门😀");
    assert_int_equal(d->flags, 0);
}

static unsigned flags_of(Fixture *f, const char *text)
{
    return parsed(f, text)->flags;
}

static void flags_what_fhir_refuses(void **state)
{
    assert_int_equal(flags_of(*state, "{\"a\":1,\"b\":2,\"\\u0061\":3}"), JSON_FLAG_DUPLICATE_KEY);
    assert_int_equal(flags_of(*state, "[\"\\ud800\"]"), JSON_FLAG_LONE_SURROGATE);
    assert_int_equal(flags_of(*state, "[\"\\udc00\\ud800\"]"), JSON_FLAG_LONE_SURROGATE);
    assert_int_equal(flags_of(*state, "[\"\\u0000\"]"), JSON_FLAG_NUL);
    assert_int_equal(flags_of(*state, "[{\"a\":{\"a\":[{\"a\":1}]}},{\"a\":1}]"), 0);
    JsonDoc *d = parsed(*state, "{\"a\":1,\"a\":2}");
    assert_str(json_number(d, json_get_c(d, JSON_ROOT, "a")), "2");
    Buf many;
    buf_init(&many, 0);
    for (int i = 0; i < 200; i++) {
        buf_printf(&many, "%s\"k%d\":0", i ? "," : "{", i);
    }
    buf_c(&many, ",\"k7\":1}");
    buf_char(&many, 0);
    assert_int_equal(flags_of(*state, many.p), JSON_FLAG_DUPLICATE_KEY);
    buf_done(&many);
}

static void refused_at(Fixture *f, const char *text, const char *where)
{
    JsonDoc d;
    err_clear(&f->e);
    assert_int_equal(json_parse(&f->a, str_from_c(text), &JSON_LIMITS_FHIR, &d, &f->e),
                     ERR_INVALID);
    if (!str_starts(f->e.first->en, str_from_c(where))) {
        fail_msg("%s: %.*s", text, STR_ARG(f->e.first->en));
    }
}

static void errors_name_line_and_column(void **state)
{
    refused_at(*state, "", "JSON line 1 column 1: A value");
    refused_at(*state, "{\n \"门\": tru}", "JSON line 2 column 7: A value");
    refused_at(*state, "[1,]", "JSON line 1 column 4: A value");
    refused_at(*state, "{\"a\":1,}", "JSON line 1 column 8: A member name");
    refused_at(*state, "{\"a\" 1}", "JSON line 1 column 6: A colon");
    refused_at(*state, "[1 2]", "JSON line 1 column 4: A comma or ]");
    refused_at(*state, "[1}", "JSON line 1 column 3: A comma or ]");
    refused_at(*state, "{} x", "JSON line 1 column 4: Something follows");
    refused_at(*state, "\"abc", "JSON line 1 column 5: The string does not end");
    refused_at(*state, "\"a\nb\"", "JSON line 1 column 3: A control character");
    refused_at(*state, "\"\\x\"", "JSON line 1 column 2: This character");
    refused_at(*state, "01", "JSON line 1 column 2: A number must not");
    refused_at(*state, "1.", "JSON line 1 column 3: A digit");
    refused_at(*state, "\"\xff\"", "JSON line 1 column 2: Not valid UTF-8");
    refused_at(*state, "\xEF\xBB\xBF", "JSON line 1 column 1: A value");
    refused_at(*state, "\xEF\xBB\xBF\xEF\xBB\xBF{}", "JSON line 1 column 1: A value");
    refused_at(*state, "{}\xEF\xBB\xBF", "JSON line 1 column 3: Something follows");
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    Fixture *f = *state;
    JsonDoc d;
    assert_int_equal(json_parse(&f->a, STR("\xEF\xBB\xBF{\"a\":1}"), &JSON_LIMITS_FHIR, &d, &f->e),
                     OK);
    assert_true(str_is(d.bytes, "{\"a\":1}"));
    assert_true(str_is(json_raw(&d, json_get_c(&d, JSON_ROOT, "a")), "1"));
}

static void depth_and_size_are_bounded(void **state)
{
    Fixture *f = *state;
    char text[201];
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    text[200] = 0;
    parsed(f, text);
    JsonLimits shallow = {99, 1000}, small = {100, 10};
    JsonDoc d;
    assert_int_equal(json_parse(&f->a, str_from_c(text), &shallow, &d, &f->e), ERR_INVALID);
    assert_int_equal(json_parse(&f->a, str_from_c(text), &small, &d, &f->e), ERR_TOO_LARGE);
    Arena tight;
    arena_init(&tight, 16384);
    Buf many;
    buf_init(&many, 0);
    buf_char(&many, '[');
    for (int i = 0; i < 10000; i++) {
        buf_c(&many, "1,");
    }
    buf_c(&many, "1]");
    assert_int_equal(json_parse(&tight, buf_str(&many), &JSON_LIMITS_FHIR, &d, &f->e),
                     ERR_TOO_LARGE);
    buf_done(&many);
    arena_done(&tight);
}

static bool equal(Fixture *f, const char *a, const char *b)
{
    JsonDoc da = *parsed(f, a), db = *parsed(f, b);
    return json_equal(&da, JSON_ROOT, &db, JSON_ROOT);
}

static void equality_ignores_order_and_space(void **state)
{
    assert_true(
        equal(*state, "{\"a\":1,\"b\":[true,null]}", "{ \"b\" : [ true, null ], \"\\u0061\":1 }"));
    assert_false(equal(*state, "{\"a\":1.0}", "{\"a\":1.00}"));
    assert_false(equal(*state, "[1,2]", "[2,1]"));
    assert_false(equal(*state, "{\"a\":1}", "{\"b\":1}"));
    assert_false(equal(*state, "[]", "{}"));
}

static void splices_replace_and_insert(void **state)
{
    Fixture *f = *state;
    JsonDoc *d = parsed(f, "{\"resourceType\":\"Patient\", \"id\":\"1\",\"x\":1.00}");
    JsonSplice s[] = {
        json_splice_member(&f->a, d, JSON_ROOT, "meta", STR("{\"versionId\":\"2\"}"), "id"),
        json_splice_member(&f->a, d, JSON_ROOT, "id", STR("\"42\""), NULL),
        json_splice_member(&f->a, d, JSON_ROOT, "first", STR("true"), NULL),
        json_splice_member(&f->a, d, JSON_ROOT, "second", STR("false"), "absent"),
    };
    assert_str(json_splice(&f->a, d->bytes, s, 4),
               "{\"first\":true,\"second\":false,\"resourceType\":\"Patient\", "
               "\"id\":\"42\",\"meta\":{\"versionId\":\"2\"},"
               "\"x\":1.00}");
    d = parsed(f, "{ }");
    JsonSplice one = json_splice_member(&f->a, d, JSON_ROOT, "a", STR("1"), NULL);
    assert_str(json_splice(&f->a, d->bytes, &one, 1), "{\"a\":1 }");
    assert_str(json_splice(&f->a, d->bytes, NULL, 0), "{ }");
}

static void writer_places_commas(void **state)
{
    (void)state;
    Buf b;
    buf_init(&b, 0);
    JsonWriter w = json_writer(&b);
    json_open(&w, '{');
    json_key(&w, "a");
    json_open(&w, '[');
    json_put_i64(&w, 1);
    json_put_bool(&w, false);
    json_put_null(&w);
    json_open(&w, '{');
    json_close(&w, '}');
    json_close(&w, ']');
    json_member_c(&w, "b", "x\ty");
    json_member_str(&w, "empty", STR_NONE);
    json_key(&w, "c");
    json_put_raw(&w, STR("1.00"));
    json_close(&w, '}');
    assert_str(buf_str(&b), "{\"a\":[1,false,null,{}],\"b\":\"x\\ty\",\"c\":1.00}");
    buf_done(&b);
}

static void pretty_prints(void **state)
{
    JsonDoc *d = parsed(*state, "{\"a\":[1,{}],\"b\":\"x\",\"c\":[]}");
    Buf b;
    buf_init(&b, 0);
    json_pretty(&b, d, JSON_ROOT);
    assert_str(buf_str(&b), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x\",\n  \"c\": []\n}");
    buf_done(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(keeps_numbers_as_text),
        T(walks_members_and_items),
        T(decodes_escapes),
        T(flags_what_fhir_refuses),
        T(errors_name_line_and_column),
        T(a_byte_order_mark_is_passed_over),
        T(depth_and_size_are_bounded),
        T(equality_ignores_order_and_space),
        T(splices_replace_and_insert),
        T(writer_places_commas),
        T(pretty_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
