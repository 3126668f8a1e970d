/* What a row says is said once: ids as their bytes, bodies without them; and logs from before. */
#include "store_test.h"

#define PATIENT "0c89b627-646b-40ff-a620-c8509a10912c"
#define OTHER   "75c71918-f07f-4492-af1a-ce006a1e8aaf"
#define ID      "d630c6ca-046c-470a-8f3a-4dbc3850e7ae"

#define BODY                                                                                       \
    "{\n  \"resourceType\": \"Observation\",\n  \"id\": \"" ID "\",\n  \"status\": \"final\",\n"   \
    "  \"code\": {\n    \"text\": \"" ID " of " PATIENT ", not " OTHER " or d630c6ca\"\n  },\n"    \
    "  \"subject\": {\n    \"reference\": \"Patient/" PATIENT "\"\n  },\n"                         \
    "  \"performer\": [\n    {\n      \"reference\": \"Patient/" OTHER "\"\n    }\n  ]\n}"
#define DENSE                                                                                      \
    "{\"resourceType\":\"Observation\",\"id\":\"short\",\"status\":\"final\",\"code\":{\"text\":"  \
    "\"\\u0001 of \\u0002\"},\"subject\":{\"reference\":\"Patient/" PATIENT "\"}}"

static void county_put(Rig *g)
{
    (void)rig_put(g, "{\"resourceType\":\"Patient\",\"id\":\"" PATIENT "\"}");
    (void)rig_put(g, "{\"resourceType\":\"Patient\",\"id\":\"" OTHER "\"}");
    rig_grant(g, "Organization/a", PATIENT);
    (void)rig_put(g, BODY);
    (void)rig_put(g, DENSE);
}

/* The body as it was sent, but for what the store puts in. */
static void body_is(Rig *g, const char *id, const char *sent)
{
    StoreVersion v;
    JsonDoc d, want;
    rig_ok(g, store_read(g->reader, &g->arena, &STORE_VIEW_ALL, STR("Observation"), str_from_c(id),
                         &v, &g->err));
    rig_ok(g, json_parse(&g->arena, v.body, &JSON_LIMITS_FHIR, &d, &g->err));
    rig_ok(g, json_parse(&g->arena, str_from_c(sent), &JSON_LIMITS_FHIR, &want, &g->err));
    assert_true(str_eq(json_str_at(&d, JSON_ROOT, "id"), str_from_c(id)));
    assert_true(str_find(v.body, STR("\"lastUpdated\"")) > 0);
    /* from the status on nothing is the store's */
    Str tail = str_skip(str_from_c(sent), (size_t)str_find(str_from_c(sent), STR("\"status\"")));
    assert_true(str_ends(v.body, tail));
}

static void county_is(Rig *g)
{
    uint64_t faults = 1;
    StoreVersion v;
    static const Str orgs[] = {{"Organization/a", 14}};
    StoreView theirs = {.clinical = true, .orgs = orgs, .orgs_n = 1, .now_ms = T0 + 1};
    body_is(g, ID, BODY);
    body_is(g, "short", DENSE);
    assert_int_equal(
        store_read(g->reader, &g->arena, &theirs, STR("Patient"), STR(PATIENT), &v, &g->err), OK);
    assert_int_equal(
        store_read(g->reader, &g->arena, &theirs, STR("Patient"), STR(OTHER), &v, NULL),
        ERR_NOT_FOUND);
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    assert_int_equal(faults, 0);
}

static int64_t log_count(Rig *g, const char *sql)
{
    int64_t n;
    Db *db = rig_log(g);
    rig_ok(g, db_get_i64(db, sql, -1, &n, &g->err));
    db_close(db);
    return n;
}

static void bodies_come_back(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    county_put(&g);
    county_is(&g);
    rig_close(&g);
    if (!rig_server()) {
        assert_int_equal(log_count(&g, "SELECT count(*) FROM head WHERE length(id) = 16"), 3);
        assert_int_equal(log_count(&g, "SELECT count(*) FROM head WHERE id = 'short'"), 1);
    }
    assert_int_equal(log_count(&g, "SELECT count(*) FROM version WHERE dict & 32 <> 0"), 4);
    rig_open(&g);
    county_is(&g);
    rig_done(&g);
}

/* A body with another's id is no body of its row. */
static void rows_and_bodies_belong_together(void **state)
{
    (void)state;
    Rig g;
    uint64_t faults = 0;
    rig_init(&g, true);
    county_put(&g);
    rig_close(&g);
    rig_damage(&g, "log.db", "UPDATE version SET patient = '" OTHER "' WHERE seq = 3");
    rig_open(&g);
    rig_ok(&g, store_verify(g.reader, &g.arena, NULL, NULL, &faults, &g.err));
    assert_true(faults > 0);
    rig_done(&g);
}

/* As a program of state 6 left it: ids are texts. */
static void logs_from_before_open(void **state)
{
    (void)state;
    rig_files_only();
    Rig g;
    rig_init(&g, true);
    county_put(&g);
    rig_close(&g);
    rig_damage(&g, "log.db",
               "UPDATE head SET id = '" PATIENT "' WHERE rid = 1;"
               "UPDATE head SET id = '" OTHER "' WHERE rid = 2;"
               "UPDATE head SET id = '" ID "' WHERE rid = 3;"
               "UPDATE access_grant SET patient = '" PATIENT "';"
               "UPDATE version SET patient = '" PATIENT "' WHERE seq IN (1, 4);"
               "PRAGMA user_version = 6");
    StoreOptions o = {.dir = g.dir, .clock = &g.clock, .random = &g.random, .read_only = true};
    rig_refused(&g, ERR_CONFLICT, store_open(&o, &g.store, &g.err));
    rig_open(&g);
    county_is(&g);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_come_back),
        cmocka_unit_test(rows_and_bodies_belong_together),
        cmocka_unit_test(logs_from_before_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
