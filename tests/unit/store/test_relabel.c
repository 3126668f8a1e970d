/* Versions from before the labels: hidden like those written after. */
#include "store_label.h"
#include "store_test.h"

static const Str ORGS[] = {{"Organization/a", 14}};

#define BODY(status, meta)                                                                         \
    "{\"resourceType\":\"Observation\",\"id\":\"o1\"," meta "\"status\":\"" status                 \
    "\",\"code\":{\"text\":\"x\"},\"subject\":{\"reference\":\"Patient/p1\"}}"
#define HIV                                                                                        \
    "\"meta\":{\"security\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActCode\","    \
    "\"code\":\"HIV\"}]},"

static void log_exec(Rig *g, const char *sql)
{
    Db *db = rig_log(g);
    rig_ok(g, db_exec(db, sql, &g->err));
    db_close(db);
}

static Status seen(Rig *g, const char *vid, unsigned labels)
{
    StoreVersion v;
    StoreView view = {
        .clinical = true, .orgs = ORGS, .orgs_n = 1, .labels = labels, .now_ms = T0 + 1};
    return store_vread(g->reader, &g->arena, &view, STR("Observation"), STR("o1"), str_from_c(vid),
                       &v, NULL);
}

static void county_put(Rig *g)
{
    StoreReceipt receipt;
    (void)rig_put(g, "{\"resourceType\":\"Patient\",\"id\":\"p1\"}");
    rig_grant(g, "Organization/a", "p1");
    (void)rig_put(g, BODY("final", HIV));
    (void)rig_put(g, BODY("amended", ""));
    (void)rig_put(g, BODY("corrected", HIV));
    StoreBatch *b = rig_batch(g);
    rig_ok(g, store_batch_delete(b, STR("Observation"), STR("o1"), STR_NONE, &g->err));
    rig_ok(g, store_commit(b, &receipt, &g->err));
}

static void as_if_always(void **state)
{
    (void)state;
    Rig g;
    uint64_t faults = 1;
    unsigned all = store_label_bit(STORE_LABEL_HIV);
    rig_init(&g, true);
    county_put(&g);
    rig_close(&g);
    log_exec(&g, "UPDATE version SET patient = replace(patient, '!HIV ', '')");
    rig_open(&g); /* the table of classes is the same: nobody looks */
    assert_int_equal(seen(&g, "1", 0), OK);
    rig_close(&g);
    log_exec(&g, "DELETE FROM setting WHERE name = 'labels'");
    rig_open(&g);
    assert_int_equal(seen(&g, "1", 0), ERR_NOT_FOUND);
    assert_int_equal(seen(&g, "2", 0), OK);
    assert_int_equal(seen(&g, "3", 0), ERR_NOT_FOUND);
    assert_int_equal(seen(&g, "4", 0), ERR_NOT_FOUND); /* the deletion */
    assert_int_equal(seen(&g, "1", all), OK);
    assert_int_equal(seen(&g, "4", all), ERR_GONE);
    rig_ok(&g, store_verify(g.reader, &g.arena, NULL, NULL, &faults, &g.err));
    assert_int_equal(faults, 0);
    rig_done(&g);
}

static void faults_are(Rig *g, const char *change, const char *back, uint64_t expected)
{
    uint64_t faults = 99;
    rig_close(g);
    log_exec(g, change);
    rig_open(g);
    err_init(&g->err, &g->arena);
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    assert_int_equal(faults, expected);
    rig_close(g);
    log_exec(g, back);
    rig_open(g);
    err_init(&g->err, &g->arena);
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    assert_int_equal(faults, 0);
}

/* The digests do not cover whose a version is: its body says it. */
static void whose_is_proven(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    county_put(&g);
    faults_are(&g, "UPDATE version SET patient = 'p2' WHERE vid = '2'",
               "UPDATE version SET patient = 'p1' WHERE vid = '2'", 1);
    faults_are(&g, "UPDATE version SET patient = '' WHERE op = 3",
               "UPDATE version SET patient = '!HIV p1' WHERE op = 3", 1);
    faults_are(&g, "UPDATE version SET patient = 'p1' WHERE vid = '3'",
               "UPDATE version SET patient = '!HIV p1' WHERE vid = '3'", 2); /* and its deletion */
    rig_done(&g);
}

/* Rows that another version of the program made are not called faults one by one. */
static void another_layout_is_said(void **state)
{
    (void)state;
    Rig g;
    uint64_t faults;
    rig_init(&g, true);
    county_put(&g);
    rig_damage(&g, "index.db", "UPDATE meta SET value = 'x' WHERE name = 'version'");
    assert_int_equal(store_verify(g.reader, &g.arena, NULL, NULL, &faults, &g.err),
                     ERR_UNAVAILABLE);
    assert_true(str_find(g.err.first->en, STR("menkou serve once")) > 0);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_if_always),
                                       cmocka_unit_test(whose_is_proven),
                                       cmocka_unit_test(another_layout_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
