/* Views: rows of our own cases, refusals, bounds, and the public suite. */
#include "fhir_view.h"

#include "passcounts.h"

#define MEMORY_BYTES ((size_t)64 << 20)

static const char PATIENT[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"birthDate\":\"1970-06\",\"active\":false,"
    "\"name\":[{\"family\":\"F\",\"given\":[\"a\",\"b\"]},{\"given\":[\"c\"]}],"
    "\"link\":[{\"other\":{\"reference\":\"Patient/p1\"},\"type\":\"seealso\"}]}";

static JsonDoc *parsed(Arena *a, Str text)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    Err err;
    err_init(&err, a);
    if (json_parse(a, text, &JSON_LIMITS_FHIR, d, &err) != OK) {
        fail_msg("%.*s: %.*s", STR_ARG(text), STR_ARG(err.first->en));
    }
    return d;
}

static Status row_add(void *ctx, const FhirValues *cell, Err *err)
{
    (void)err;
    fhir_view_write_row(ctx, cell);
    return OK;
}

static Status table_add(Arena *a, FhirViewWriter *w, FhirNode n, size_t rows_max, Err *err)
{
    FhirViewRun run = {.arena = a, .rows_max = rows_max, .row = row_add, .ctx = w};
    return fhir_view_run(w->view, &run, n, err);
}

/* The table of a list of resources. */
static Status table_of(Arena *a, const JsonDoc *view, JsonRef at, const JsonDoc *list, JsonRef from,
                       FhirViewFormat format, Str *ret, Err *err)
{
    FhirView *v;
    Buf out;
    Status s = fhir_view_compile(a, view, at, &v, err);
    if (s != OK) {
        return s;
    }
    buf_init(&out, 0);
    FhirViewWriter w = {.view = v, .format = format, .out = &out};
    fhir_view_write_begin(&w);
    for (JsonIter it = json_iter(list, from); s == OK && json_next(&it);) {
        s = table_add(a, &w, fhir_node_resource(list, it.value), 0, err);
    }
    fhir_view_write_end(&w);
    *ret = buf_take(&out, a);
    return s;
}

static Status table_text(Arena *a, const char *view, const char *resource, FhirViewFormat format,
                         Str *ret, Err *err)
{
    JsonDoc *v = parsed(a, str_from_c(view));
    JsonDoc *list = parsed(a, arena_printf(a, "[%s]", resource));
    return table_of(a, v, JSON_ROOT, list, JSON_ROOT, format, ret, err);
}

static void gives(const char *view, const char *resource, FhirViewFormat format, const char *want)
{
    Arena a;
    Err err;
    Str text = STR_NONE;
    arena_init(&a, MEMORY_BYTES);
    err_init(&err, &a);
    Status s = table_text(&a, view, resource, format, &text, &err);
    if (s != OK || !str_is(text, want)) {
        fail_msg("%s\n gives %d %.*s%.*s\n not %s", view, (int)s, STR_ARG(text),
                 STR_ARG(s != OK ? err.first->en : STR_NONE), want);
    }
    arena_done(&a);
}

static void refuses(const char *view, const char *where, const char *why)
{
    Arena a;
    Err err;
    Str text = STR_NONE;
    arena_init(&a, MEMORY_BYTES);
    err_init(&err, &a);
    Status s = table_text(&a, view, PATIENT, FHIR_VIEW_JSON, &text, &err);
    if (s == OK || !str_is(err.first->where, where) ||
        str_find(err.first->en, str_from_c(why)) < 0) {
        fail_msg("%s\n says %d at %.*s: %.*s", view, (int)s,
                 STR_ARG(s == OK ? STR_NONE : err.first->where),
                 STR_ARG(s == OK ? text : err.first->en));
    }
    arena_done(&a);
}

#define VIEW(...)       "{\"resource\":\"Patient\",\"select\":[" __VA_ARGS__ "]}"
#define COLUMN(n, path) "{\"name\":\"" n "\",\"path\":\"" path "\"}"

static void rows_are_written_in_three_formats(void **state)
{
    (void)state;
    const char *view =
        VIEW("{\"column\":[" COLUMN("id", "id") "," COLUMN("off", "active") "," COLUMN(
            "none", "gender") ",{\"name\":\"g\",\"path\":\"name.given\","
                              "\"collection\":true}," COLUMN("q", "'a,\\\"b'") "]}");
    gives(view, PATIENT, FHIR_VIEW_NDJSON,
          "{\"id\":\"p1\",\"off\":false,\"none\":null,\"g\":[\"a\",\"b\",\"c\"],"
          "\"q\":\"a,\\\"b\"}\n");
    gives(view, PATIENT, FHIR_VIEW_JSON,
          "[{\"id\":\"p1\",\"off\":false,\"none\":null,\"g\":[\"a\",\"b\",\"c\"],"
          "\"q\":\"a,\\\"b\"}]\n");
    gives(view, PATIENT, FHIR_VIEW_CSV,
          "id,off,none,g,q\r\np1,false,,\"[\"\"a\"\",\"\"b\"\",\"\"c\"\"]\",\"a,\"\"b\"\r\n");
    gives(view, "{\"resourceType\":\"Group\"}", FHIR_VIEW_JSON, "[]\n");
}

static void elements_are_counted_at_their_level(void **state)
{
    (void)state;
    gives(VIEW("{\"column\":[" COLUMN(
              "x", "%rowIndex") "],\"select\":[{\"forEach\":\"name\","
                                "\"column\":[" COLUMN(
                                    "y",
                                    "%rowIndex") "],\"select\":[{\"forEach\":\"given\","
                                                 "\"column\":[" COLUMN("z", "%rowIndex") "," COLUMN(
                                                     "g", "$this") "]}]}]}"),
          PATIENT, FHIR_VIEW_CSV, "x,y,z,g\r\n0,0,0,a\r\n0,0,1,b\r\n0,1,0,c\r\n");
    gives(VIEW("{\"column\":[" COLUMN("id", "id") "]},{\"forEachOrNull\":\"contact\",\"column\":"
                                                  "[" COLUMN("i", "%rowIndex") "," COLUMN(
                                                      "always", "1") "]}"),
          PATIENT, FHIR_VIEW_CSV, "id,i,always\r\np1,,\r\n");
}

static void siblings_are_multiplied_and_branches_added(void **state)
{
    (void)state;
    gives(
        VIEW("{\"forEach\":\"name.given.take(2)\",\"column\":[" COLUMN(
            "a", "$this") "]},{\"unionAll\":[{\"column\":[" COLUMN("b", "1") "]},{\"column\":"
                                                                             "[" COLUMN(
                                                                                 "b", "2") "]}]}"),
        PATIENT, FHIR_VIEW_CSV, "a,b\r\na,1\r\na,2\r\nb,1\r\nb,2\r\n");
}

static void trees_are_walked_from_the_top(void **state)
{
    (void)state;
    gives("{\"resource\":\"QuestionnaireResponse\",\"select\":[{\"repeat\":[\"item\","
          "\"answer.item\"],\"column\":[" COLUMN("l", "linkId") "," COLUMN("i", "%rowIndex") "]}]}",
          "{\"resourceType\":\"QuestionnaireResponse\",\"item\":[{\"linkId\":\"1\",\"item\":["
          "{\"linkId\":\"1.1\",\"answer\":[{\"item\":[{\"linkId\":\"1.1.1\"}]}]},"
          "{\"linkId\":\"1.2\"}]},{\"linkId\":\"2\"}]}",
          FHIR_VIEW_CSV, "l,i\r\n1,0\r\n1.1,1\r\n1.1.1,2\r\n1.2,3\r\n2,4\r\n");
}

static void constants_have_their_types(void **state)
{
    (void)state;
    gives("{\"resource\":\"Patient\",\"constant\":[{\"name\":\"d\",\"valueDate\":\"1970-07-01\"},"
          "{\"name\":\"b\",\"valueBoolean\":false},{\"name\":\"n\",\"valueInteger\":1},"
          "{\"name\":\"x\",\"valueDecimal\":1.50},{\"name\":\"big\",\"valueInteger64\":\"5\"}],"
          "\"where\":[{\"path\":\"birthDate < %d and active = "
          "%b\"}],\"select\":[{\"column\":[" COLUMN("g", "name[%n].given") "," COLUMN(
              "x", "%x") "," COLUMN("s", "%big + %n") "]}]}",
          PATIENT, FHIR_VIEW_CSV, "g,x,s\r\nc,1.50,6\r\n");
}

static void keys_join(void **state)
{
    (void)state;
    gives(VIEW("{\"column\":[" COLUMN("k", "getResourceKey()") "," COLUMN(
              "r", "link.other.getReferenceKey()") "," COLUMN("o",
                                                              "link.other.getReferenceKey("
                                                              "Observation)") "," COLUMN("j",
                                                                                         "contact."
                                                                                         "name."
                                                                                         "given."
                                                                                         "join(','"
                                                                                         ")") "]}"),
          PATIENT, FHIR_VIEW_JSON,
          "[{\"k\":\"Patient/p1\",\"r\":\"Patient/p1\",\"o\":null,\"j\":\"\"}]\n");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refuses("[]", "", "object");
    refuses("{\"select\":[]}", "resource", "resource type");
    refuses("{\"resource\":\"Patient\"}", "select", "at least one");
    refuses(VIEW("1"), "select[0]", "object");
    refuses(VIEW("{}"), "select[0]", "no columns");
    refuses(VIEW("{\"column\":[{\"path\":\"id\"}]}"), "select[0].column[0].name", "name");
    refuses(VIEW("{\"column\":[" COLUMN("1a", "id") "]}"), "select[0].column[0].name", "letter");
    refuses(VIEW("{\"column\":[{\"name\":\"a\"}]}"), "select[0].column[0].path", "FHIRPath");
    refuses(VIEW("{\"column\":[" COLUMN("a", "name.(") "]}"), "select[0].column[0].path",
            "FHIRPath at character");
    refuses(VIEW("{\"column\":[" COLUMN("a", "%x") "]}"), "select[0].column[0].path", "constant");
    refuses(VIEW("{\"column\":[" COLUMN("a", "id") "," COLUMN("a", "id") "]}"),
            "select[0].column[1].name", "taken");
    refuses(VIEW("{\"column\":[" COLUMN("a", "name.given") "]}"), "select[0].column[0]",
            "collection");
    refuses(VIEW("{\"forEach\":\"name\",\"forEachOrNull\":\"name\",\"column\":[" COLUMN("a",
                                                                                        "id") "]}"),
            "select[0].forEachOrNull", "only one");
    refuses(VIEW("{\"repeat\":\"name\",\"column\":[" COLUMN("a", "id") "]}"), "select[0].repeat",
            "array");
    refuses(VIEW("{\"repeat\":[\"$this\"],\"column\":[" COLUMN("a", "id") "]}"), "select[0]",
            "end");
    refuses(VIEW("{\"unionAll\":[{\"column\":[" COLUMN("a", "id") "]},{\"column\":[" COLUMN(
                "b", "id") "]}]}"),
            "select[0].unionAll[1].column[0]", "same columns");
    refuses("{\"resource\":\"Patient\",\"where\":[{\"path\":\"name.family\"}],\"select\":["
            "{\"column\":[" COLUMN("a", "id") "]}]}",
            "where[0].path", "boolean");
}

static void products_are_bounded(void **state)
{
    (void)state;
    Arena a;
    Err err;
    FhirView *v;
    Buf out;
    arena_init(&a, MEMORY_BYTES);
    err_init(&err, &a);
    buf_init(&out, 0);
    buf_c(&out, "{\"resource\":\"Patient\",\"select\":[");
    for (int i = 0; i < 20; i++) { /* 3^20 rows */
        buf_c(&out, i ? "," : "");
        buf_printf(&out,
                   "{\"forEach\":\"name.given\",\"column\":[{\"name\":\"c%d\","
                   "\"path\":\"1\"}]}",
                   i);
    }
    buf_c(&out, "]}");
    JsonDoc *d = parsed(&a, buf_take(&out, &a));
    JsonDoc *patient = parsed(&a, str_from_c(PATIENT));
    assert_int_equal(fhir_view_compile(&a, d, JSON_ROOT, &v, &err), OK);
    buf_init(&out, 0);
    FhirViewWriter w = {.view = v, .out = &out};
    assert_int_equal(table_add(&a, &w, fhir_node_root(patient), 1000, &err), ERR_TOO_LARGE);
    assert_int_equal(w.rows, 1000);
    buf_done(&out);
    arena_done(&a);
}

/* ---- the public suite -------------------------------------------------------------------- */

static bool value_same(const JsonDoc *x, JsonRef rx, const JsonDoc *y, JsonRef ry)
{
    double p, q;
    bool none_x = json_type(x, rx) <= JSON_NULL, none_y = json_type(y, ry) <= JSON_NULL;
    if (none_x || none_y) {
        return none_x && none_y;
    }
    return json_to_double(x, rx, &p) && json_to_double(y, ry, &q) ? p == q
                                                                  : json_equal(x, rx, y, ry);
}

static bool row_covers(const JsonDoc *x, JsonRef rx, const JsonDoc *y, JsonRef ry)
{
    for (JsonIter it = json_iter(x, rx); json_next(&it);) {
        if (!value_same(x, it.value, y, json_get(y, ry, it.key))) {
            return false;
        }
    }
    return true;
}

/* The same rows, in whatever order. */
static bool rows_same(Arena *a, const JsonDoc *got, const JsonDoc *d, JsonRef want)
{
    uint32_t n = json_count(got, JSON_ROOT);
    bool *used = arena_array(a, bool, n + 1);
    for (JsonIter it = json_iter(d, want); json_next(&it);) {
        bool found = false;
        for (JsonIter g = json_iter(got, JSON_ROOT); !found && json_next(&g);) {
            found = !used[g.index] && row_covers(d, it.value, got, g.value) &&
                    row_covers(got, g.value, d, it.value);
            used[g.index] |= found;
        }
        if (!found) {
            return false;
        }
    }
    return n == json_count(d, want);
}

static bool columns_same(const JsonDoc *got, const JsonDoc *d, JsonRef want)
{
    JsonIter w = json_iter(d, want);
    for (JsonIter g = json_iter(got, json_item(got, JSON_ROOT, 0)); json_next(&g);) {
        if (!json_next(&w) || !str_eq(g.key, json_str(d, w.value))) {
            return false;
        }
    }
    return !json_next(&w);
}

static bool case_fits(const JsonDoc *d, JsonRef resources, JsonRef test)
{
    Arena a;
    Err err;
    Str text = STR_NONE;
    JsonRef columns = json_get_c(d, test, "expectColumns");
    arena_init(&a, MEMORY_BYTES);
    err_init(&err, &a);
    Status s =
        table_of(&a, d, json_get_c(d, test, "view"), d, resources, FHIR_VIEW_JSON, &text, &err);
    bool ok =
        json_is_true(d, json_get_c(d, test, "expectError")) ? s == ERR_UNPROCESSABLE : s == OK;
    if (ok && s == OK) {
        JsonDoc *got = parsed(&a, text);
        ok = rows_same(&a, got, d, json_get_c(d, test, "expect")) &&
             (columns == JSON_NONE || columns_same(got, d, columns));
    }
    arena_done(&a);
    return ok;
}

typedef struct Suite {
    const char *folder;
    int64_t passed, total;
} Suite;

static Status suite_file_run(void *ctx, Str name, Err *err)
{
    Suite *suite = ctx;
    Arena a;
    Str text;
    arena_init(&a, 0);
    Str path = path_join(&a, str_from_c(suite->folder), name);
    assert_int_equal(file_read(&a, path.p, 1 << 24, &text, err), OK);
    JsonDoc *d = parsed(&a, text);
    JsonRef resources = json_get_c(d, JSON_ROOT, "resources");
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "tests")); json_next(&it);) {
        bool ok = case_fits(d, resources, it.value);
        suite->total++;
        suite->passed += ok;
        if (!ok) {
            printf("FAILED %.*s: %.*s\n", STR_ARG(name),
                   STR_ARG(json_str_at(d, it.value, "title")));
        }
    }
    arena_done(&a);
    return OK;
}

static void public_views(void **state)
{
    (void)state;
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    Suite suite = {.folder = suite_folder(&a, "04-sql-on-fhir/tests")};
    if (!suite.folder) {
        arena_done(&a);
        skip();
    }
    assert_int_equal(dir_walk(&a, suite.folder, suite_file_run, &suite, &err), OK);
    passcount_check("sql-on-fhir", suite.passed);
    assert_int_equal(suite.passed, suite.total);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_written_in_three_formats),
        cmocka_unit_test(elements_are_counted_at_their_level),
        cmocka_unit_test(siblings_are_multiplied_and_branches_added),
        cmocka_unit_test(trees_are_walked_from_the_top),
        cmocka_unit_test(constants_have_their_types),
        cmocka_unit_test(keys_join),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(products_are_bounded),
        cmocka_unit_test(public_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
