/*
 * Custom search parameters: built beside writes, unusable until they are ready, exact at every
 * moment, taken along by restarts, kills and rebuilds, and gone with their definition.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store_inner.h"
#include "store_test.h"

#define BEFORE 400 /* resources that are there before a definition */

/* ---- Definitions and resources --------------------------------------------------------------- */

static void define(Rig *g, const char *id, const char *code, const char *base, const char *type,
                   const char *expression, const char *more)
{
    rig_put(g, arena_printf(&g->arena,
                            "{\"resourceType\":\"SearchParameter\",\"id\":\"%s\",\"url\":\"http://"
                            "x.y/%s\",\"name\":\"n\",\"status\":\"active\",\"description\":\"d\","
                            "\"code\":\"%s\",\"base\":[\"%s\"],\"type\":\"%s\",\"expression\":"
                            "\"%s\"%s}",
                            id, id, code, base, type, expression, more)
                   .p);
}

static void remove_definition(Rig *g, const char *id)
{
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    rig_ok(g, store_batch_delete(b, STR("SearchParameter"), str_from_c(id), STR_NONE, &g->err));
    rig_ok(g, store_commit(b, &receipt, &g->err));
}

/* Everything about it follows from n. */
static void observation(Rig *g, int n)
{
    rig_put(g, arena_printf(
                   &g->arena,
                   "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":\"final\",\"code\":"
                   "{\"text\":\"t\"},\"subject\":{\"reference\":\"Patient/p%d\"},\"issued\":"
                   "\"2025-%02d-01T00:00:00Z\",\"note\":[{\"text\":\"Nota %d\"}],\"bodySite\":"
                   "{\"coding\":[{\"system\":\"http://x.y\",\"code\":\"s%d\",\"display\":\"Seite "
                   "%d\"}]},\"specimen\":{\"reference\":\"Specimen/s%d\"},\"implicitRules\":"
                   "\"http://x.y/rules/%d\",\"valueInteger\":%d,\"referenceRange\":[{\"low\":"
                   "{\"value\":%d,\"system\":\"http://unitsofmeasure.org\",\"code\":\"kg\"},"
                   "\"type\":{\"coding\":[{\"code\":\"r%d\"}]}}]}",
                   n, n % 7, n % 12 + 1, n % 5, n % 4, n % 4, n % 3, n % 6, n % 10, n % 10, n % 2)
                   .p);
}

static void observations(Rig *g, int from, int to)
{
    for (int i = from; i < to; i++) {
        observation(g, i);
    }
}

/* ---- Questions ------------------------------------------------------------------------------- */

static Status try_count(Rig *g, const char *type, const char *query, int64_t *ret)
{
    StoreQuery *q;
    StorePage page;
    err_clear(&g->err);
    TRY(store_query_parse(g->store, &g->arena, str_from_c(type),
                          arena_printf(&g->arena, "%s&_total=accurate", query), false,
                          ZONE_CHINA_MIN, &q, &g->err));
    TRY(store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g->err));
    *ret = page.total;
    return OK;
}

static int64_t count(Rig *g, const char *type, const char *query)
{
    int64_t n = -1;
    if (try_count(g, type, query, &n) != OK) {
        rig_fail(g, __FILE__, __LINE__);
    }
    return n;
}

static StoreParamState state_of(Rig *g, const char *code)
{
    StoreParam *list;
    size_t n;
    store_params_list(g->store, &g->arena, &list, &n);
    for (size_t i = 0; i < n; i++) {
        if (str_is(list[i].code, code)) {
            return list[i].state;
        }
    }
    fail_msg("there is no %s", code);
    return STORE_PARAM_FAULTY;
}

static void wait_ready(Rig *g, const char *code)
{
    for (int i = 0; state_of(g, code) != STORE_PARAM_READY; i++) {
        assert_true(i < 20000);
        usleep(1000);
    }
}

static void no_faults(Rig *g)
{
    uint64_t faults;
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    if (faults) {
        rig_fail(g, __FILE__, __LINE__);
    }
}

static int64_t custom_rows(Rig *g)
{
    int64_t n = 0;
    rig_ok(g, store_snapshot_begin(g->reader, &g->err));
    rig_ok(g, db_get_i64(g->reader->index,
                         "SELECT (SELECT count(*) FROM token WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM ref WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM date WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM string WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM number WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM quantity WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM uri WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM code WHERE param >= 2147483648)"
                         " + (SELECT count(*) FROM phrase_token WHERE param >= 2147483648)",
                         -1, &n, &g->err));
    store_snapshot_end(g->reader);
    return n;
}

/* ---- Each type ------------------------------------------------------------------------------- */

#define COMPOSITE                                                                                  \
    ",\"component\":[{\"definition\":\"http://x.y/range-low\",\"expression\":\"low\"},"            \
    "{\"definition\":\"http://hl7.org/fhir/SearchParameter/clinical-code\",\"expression\":"        \
    "\"type\"}]"

static void define_all(Rig *g)
{
    define(g, "site", "site", "Observation", "token", "Observation.bodySite", "");
    define(g, "noted", "noted", "Observation", "string", "Observation.note.text", "");
    define(g, "issued", "issued", "Observation", "date", "Observation.issued", "");
    define(g, "sample", "sample", "Observation", "reference", "Observation.specimen",
           ",\"target\":[\"Specimen\"]");
    define(g, "whole", "whole", "Observation", "number", "Observation.value.ofType(integer)", "");
    define(g, "range-low", "range-low", "Observation", "quantity", "Observation.referenceRange.low",
           "");
    define(g, "rules", "rules", "Observation", "uri", "Observation.implicitRules", "");
    define(g, "low-type", "low-type", "Observation", "composite", "Observation.referenceRange",
           COMPOSITE);
}

static void ask_all(Rig *g, int all)
{
    assert_int_equal(count(g, "Observation", "site=s1"), all / 4);
    assert_int_equal(count(g, "Observation", "site=http://x.y|s1,http://x.y|s2"), all / 2);
    assert_int_equal(count(g, "Observation", "site:not=s1"), all - all / 4);
    assert_int_equal(count(g, "Observation", "site:text=seite 3"), all / 4);
    assert_int_equal(count(g, "Observation", "site:missing=false"), all);
    assert_int_equal(count(g, "Observation", "noted=nota 4"), all / 5);
    assert_int_equal(count(g, "Observation", "noted:exact=nota 4"), 0);
    assert_int_equal(count(g, "Observation", "noted:contains=a 4"), all / 5);
    assert_int_equal(count(g, "Observation", "issued=2025-03"), all / 12);
    assert_int_equal(count(g, "Observation", "issued=ge2025-07-01"), all / 2);
    assert_int_equal(count(g, "Observation", "sample=Specimen/s0"), all / 3);
    assert_int_equal(count(g, "Observation", "whole=7"), all / 10);
    assert_int_equal(count(g, "Observation", "whole=gt4&site=s1"), all * 3 / 20);
    assert_int_equal(count(g, "Observation", "range-low=lt3000|http://unitsofmeasure.org|g"),
                     all * 3 / 10);
    assert_int_equal(count(g, "Observation", "rules=http://x.y/rules/5"), all / 6);
    assert_int_equal(count(g, "Observation", "rules:below=http://x.y/rules"), all);
    assert_int_equal(count(g, "Observation", "low-type=3$r1"), all / 10);
    assert_int_equal(count(g, "Observation", "low-type=3$r0"), 0);
    assert_int_equal(count(g, "Observation", "_sort=-whole,noted&site=s1"), all / 4);
    assert_int_equal(count(g, "Specimen", "_has:Observation:sample:whole=4"), 0);
}

#define ALL (60 * 8)

static void each_type_once(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    observations(&g, 0, ALL / 2);
    define_all(&g);
    observations(&g, ALL / 2, ALL);
    wait_ready(&g, "low-type");
    wait_ready(&g, "site");
    ask_all(&g, ALL);
    no_faults(&g);
    observations(&g, 0, ALL); /* the same rows again */
    ask_all(&g, ALL);
    no_faults(&g);
    rig_close(&g);
    rig_open(&g);
    assert_int_equal(state_of(&g, "noted"), STORE_PARAM_READY);
    ask_all(&g, ALL);
    rig_ok(&g, store_reindex(g.store, NULL, NULL, &g.err));
    ask_all(&g, ALL);
    no_faults(&g);
    rig_done(&g);
}

/* ---- Until it is ready ----------------------------------------------------------------------- */

static void refused_until_ready(void **state)
{
    (void)state;
    Rig g;
    int64_t n;
    rig_files_only();
    rig_init(&g, true);
    observations(&g, 0, BEFORE);
    merger_pause(g.store); /* nor is anything built */
    define(&g, "site", "site", "Observation", "token", "Observation.bodySite", "");
    observations(&g, BEFORE, BEFORE + 20);
    static const char *const queries[] = {"site=s1", "_sort=site", "site:missing=true"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        rig_refused(&g, ERR_INVALID, try_count(&g, "Observation", queries[i], &n));
        assert_true(str_eq(g.err.first->where, STR("site")));
        assert_true(str_find(g.err.first->en, STR("being built")) >= 0);
    }
    rig_refused(&g, ERR_INVALID, try_count(&g, "Patient", "_has:Observation:subject:site=s1", &n));
    assert_true(str_find(g.err.first->en, STR("being built")) >= 0);
    StoreQuery *q;
    StorePage page;
    rig_ok(&g, store_query_parse(g.store, &g.arena, STR("Observation"),
                                 STR("site=s1&_total=accurate"), true, ZONE_CHINA_MIN, &q, &g.err));
    rig_ok(&g, store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g.err));
    assert_int_equal(page.total, BEFORE + 20);
    assert_int_equal(page.ignored_n, 1);
    no_faults(&g);
    merger_resume(g.store);
    wait_ready(&g, "site");
    assert_int_equal(count(&g, "Observation", "site=s1"), (BEFORE + 20) / 4);
    rig_done(&g);
}

/* ---- While others write ---------------------------------------------------------------------- */

typedef struct Flood {
    Rig rig; /* the same store with a reader of its own */
    atomic_bool stop;
} Flood;

static void *flood_main(void *arg)
{
    Flood *f = arg;
    for (int i = 0; !atomic_load(&f->stop); i = (i + 17) % BEFORE) {
        observation(&f->rig, i);
        arena_reset(&f->rig.arena);
        err_init(&f->rig.err, &f->rig.arena);
    }
    return NULL;
}

static void flood_begin(Rig *g, Flood *f, pthread_t *ret)
{
    *f = (Flood){.rig = {.clock = g->clock, .store = g->store}};
    random_init_seed(&f->rig.random, 7);
    arena_init(&f->rig.arena, 0);
    err_init(&f->rig.err, &f->rig.arena);
    assert_int_equal(pthread_create(ret, NULL, flood_main, f), 0);
}

static void flood_end(Flood *f, pthread_t thread)
{
    atomic_store(&f->stop, true);
    pthread_join(thread, NULL);
    arena_done(&f->rig.arena);
}

/* Looked at in the middle of it, again and again. */
static void exact_while_written(void **state)
{
    (void)state;
    Rig g;
    Flood f;
    pthread_t thread;
    rig_init(&g, true);
    observations(&g, 0, BEFORE);
    flood_begin(&g, &f, &thread);
    for (int round = 0; round < 4; round++) {
        define(&g, "site", "site", "Observation", "token",
               round % 2 ? "Observation.bodySite" : "Observation.bodySite.coding", "");
        no_faults(&g);
        define(&g, "whole", "whole", "Observation", "number", "Observation.value.ofType(integer)",
               "");
        wait_ready(&g, "site");
        assert_int_equal(count(&g, "Observation", "site=s1"), BEFORE / 4);
        remove_definition(&g, "whole");
        no_faults(&g);
    }
    flood_end(&f, thread);
    no_faults(&g);
    rig_done(&g);
}

/* ---- Killed in the middle -------------------------------------------------------------------- */

static void goes_on_after_a_kill(void **state)
{
    (void)state;
    Rig g;
    rig_files_only();
    rig_init(&g, true);
    observations(&g, 0, 3 * BEFORE);
    define(&g, "site", "site", "Observation", "token", "Observation.bodySite", "");
    while (params_stand_done(&g.store->stand, 1) < 1) { /* the first chunk, of several */
        usleep(100);
    }
    merger_pause(g.store);
    observations(&g, 3 * BEFORE, 3 * BEFORE + 40);
    remove_definition(&g, "site");
    define(&g, "noted", "noted", "Observation", "string", "Observation.note.text", "");
    Str copy = arena_printf(&g.arena, "%s-copy", g.dir);
    assert_int_equal(system(arena_printf(&g.arena, "cp -r %s %s", g.dir, copy.p).p), 0);
    merger_resume(g.store);
    Rig after = {.clock = g.clock, .random = g.random};
    arena_init(&after.arena, 0);
    err_init(&after.err, &after.arena);
    memcpy(after.dir, copy.p, copy.n + 1);
    rig_open(&after);
    no_faults(&after);
    wait_ready(&after, "noted");
    assert_int_equal(count(&after, "Observation", "noted=nota 4"), (3 * BEFORE + 40) / 5);
    no_faults(&after);
    rig_done(&after);
    rig_done(&g);
}

/* ---- Withdrawn ------------------------------------------------------------------------------- */

static void rows_go_with_the_definition(void **state)
{
    (void)state;
    Rig g;
    int64_t n;
    rig_init(&g, true);
    observations(&g, 0, BEFORE);
    define_all(&g);
    wait_ready(&g, "low-type");
    assert_true(custom_rows(&g) > 5 * BEFORE);
    static const char *const ids[] = {"site",  "noted",     "issued", "sample",
                                      "whole", "range-low", "rules",  "low-type"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        remove_definition(&g, ids[i]);
        rig_refused(&g, ERR_INVALID,
                    try_count(&g, "Observation", arena_printf(&g.arena, "%s=1", ids[i]).p, &n));
        assert_true(str_find(g.err.first->en, STR("not supported")) >= 0);
    }
    no_faults(&g);
    for (int i = 0; custom_rows(&g) > 0; i++) {
        assert_true(i < 20000);
        usleep(1000);
    }
    no_faults(&g);
    rig_done(&g);
}

/* What cannot be used is told, whoever wrote it; what it clashes with goes on. */
static void faulty_ones_are_told(void **state)
{
    (void)state;
    Rig g;
    StoreParam *list;
    size_t n;
    rig_init(&g, true);
    observations(&g, 0, 20);
    define(&g, "one", "zone", "Observation", "token", "Observation.bodySite", "");
    define(&g, "two", "zone", "Resource", "token", "Resource.id", "");
    define(&g, "three", "status", "Observation", "token", "Observation.status", "");
    define(&g, "four", "broken", "Observation", "token", "Observation.(", "");
    wait_ready(&g, "zone");
    store_params_list(g.store, &g.arena, &list, &n);
    assert_int_equal(n, 4);
    for (size_t i = 1; i < n; i++) {
        assert_int_equal(list[i].state, STORE_PARAM_FAULTY);
        assert_true(list[i].zh.n > 0 && list[i].en.n > 0);
    }
    assert_int_equal(count(&g, "Observation", "zone=s1"), 5);
    remove_definition(&g, "one"); /* "two" stays out until it is written again */
    store_params_list(g.store, &g.arena, &list, &n);
    assert_int_equal(n, 3);
    assert_int_equal(list[0].state, STORE_PARAM_FAULTY);
    define(&g, "two", "zone", "Resource", "token", "Resource.id", ",\"experimental\":true");
    wait_ready(&g, "zone");
    assert_int_equal(count(&g, "Observation", "zone=o3"), 1);
    no_faults(&g);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_once),
        cmocka_unit_test(refused_until_ready),
        cmocka_unit_test(exact_while_written),
        cmocka_unit_test(goes_on_after_a_kill),
        cmocka_unit_test(rows_go_with_the_definition),
        cmocka_unit_test(faulty_ones_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
