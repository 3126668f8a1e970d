/*
 * The public search cases (05c): a fixture of resources and queries with the ids that must be
 * found.
 */
#include "store_test.h"

#include "passcounts.h"

typedef struct Tally {
    int passed, failed, refused, total;
} Tally;

static Str suite_file(Arena *a, const char *name)
{
    const char *root = getenv("MENKOU_SUITES");
    Str text = STR_NONE;
    if (root) {
        Str path = arena_printf(a, "%s/05c-search-cases/%s", root, name);
        if (file_read(a, path.p, 64u << 20, &text, NULL) != OK) {
            return STR_NONE;
        }
    }
    return text;
}

static void load(Rig *g, const JsonDoc *d)
{
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "entry")); json_next(&it);) {
        JsonRef r = json_get_c(d, it.value, "resource");
        rig_ok(g, store_batch_update(b, json_str_at(d, r, "resourceType"), json_str_at(d, r, "id"),
                                     json_raw(d, r), STR_NONE, &g->err));
    }
    rig_ok(g, store_commit(b, &receipt, &g->err));
}

static bool expected_has(const JsonDoc *d, JsonRef list, const StoreHit *hit)
{
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        Str type, id;
        str_cut(json_str(d, it.value), '/', &type, &id);
        if (str_eq(type, hit->type) && str_eq(id, hit->id)) {
            return true;
        }
    }
    return false;
}

/* Every hit of a mode is expected, and there are as many as expected. */
static bool hits_are(const JsonDoc *d, JsonRef list, const StorePage *page, StoreMode mode)
{
    uint32_t n = 0;
    for (size_t i = 0; i < page->hits_n; i++) {
        if (page->hits[i].mode == mode) {
            n++;
            if (!expected_has(d, list, &page->hits[i])) {
                return false;
            }
        }
    }
    return n == json_count(d, list);
}

/* Spaces and bars as a client would send them. */
static Str encoded(Arena *a, Str query)
{
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < query.n; i++) {
        if (strchr(" |{}$\"+", query.p[i])) {
            buf_printf(&b, "%%%02X", (unsigned char)query.p[i]);
        } else {
            buf_char(&b, query.p[i]);
        }
    }
    Str text = arena_str(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static void one_case(Rig *g, const JsonDoc *d, JsonRef c, Tally *t)
{
    Str type, query, text = json_str_at(d, c, "query");
    StoreQuery *q;
    StorePage page;
    int64_t status = 200;
    str_cut(text, '?', &type, &query);
    query = arena_cat(&g->arena, encoded(&g->arena, query), STR("&_count=1000"));
    json_to_i64(d, json_get_c(d, c, "expectStatus"), &status);
    err_clear(&g->err);
    Status s = store_query_parse(NULL, &g->arena, type, query, false, ZONE_CHINA_MIN, &q, &g->err);
    s = s == OK ? store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g->err)
                : s;
    bool good =
        s == OK ? status == 200 && hits_are(d, json_get_c(d, c, "expected"), &page, STORE_MATCH) &&
                      hits_are(d, json_get_c(d, c, "expected_include"), &page, STORE_INCLUDE)
                : status_http(s) == status;
    t->total++;
    t->passed += good;
    t->refused += !good && s != OK;
    t->failed += !good && s == OK;
    if (!good && getenv("MENKOU_TEST_VERBOSE")) {
        print_message("%s %.*s %.*s\n", s == OK ? "differs" : "refused",
                      STR_ARG(json_str_at(d, c, "group")), STR_ARG(text));
    }
}

static void search_cases(void **state)
{
    (void)state;
    Rig g;
    JsonDoc fixture, cases;
    Tally t = {0};
    rig_init(&g, false);
    Str bundle = suite_file(&g.arena, "fixture-bundle.dev.json"),
        list = suite_file(&g.arena, "search-cases.dev.json");
    if (str_empty(bundle) || str_empty(list)) {
        print_message("SKIPPED 05c-search-cases: MENKOU_SUITES does not hold it\n");
        rig_done(&g);
        skip();
    }
    rig_ok(&g, json_parse(&g.arena, bundle, &JSON_LIMITS_FHIR, &fixture, &g.err));
    rig_ok(&g, json_parse(&g.arena, list, &JSON_LIMITS_FHIR, &cases, &g.err));
    load(&g, &fixture);
    for (JsonIter it = json_iter(&cases, JSON_ROOT); json_next(&it);) {
        one_case(&g, &cases, it.value, &t);
    }
    print_message("05c-search-cases: %d of %d pass, %d differ, %d are refused\n", t.passed, t.total,
                  t.failed, t.refused);
    passcount_check("search-cases", t.passed);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(search_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
