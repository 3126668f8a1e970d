/* Reading and writing: versions, preconditions, memory, timers, accounts, blobs, what survives a
 * restart. */
#include "store_test.h"

static const StoreView *const ALL = &STORE_VIEW_ALL;

static void body_is_kept(void **state)
{
    (void)state;
    Rig g;
    StoreVersion v, w;
    rig_init(&g, false);
    v = rig_put(
        &g,
        "{ \"resourceType\":\"Observation\", \"id\":\"o1\",\"meta\":{\"tag\":[{\"code\":\"t\"}]},"
        "\"valueQuantity\":{\"value\":1.00},\"x-unknown\":[1e2] }");
    assert_str(v.vid, "1");
    assert_int_equal(v.seq, 1);
    assert_str(v.body,
               "{ \"resourceType\":\"Observation\", \"id\":\"o1\",\"meta\":{\"versionId\":\"1\","
               "\"lastUpdated\":\"2025-11-22T08:00:00.000+08:00\",\"tag\":[{\"code\":\"t\"}]},"
               "\"valueQuantity\":{\"value\":1.00},\"x-unknown\":[1e2] }");
    rig_ok(&g, store_read(g.reader, &g.arena, ALL, STR("Observation"), STR("o1"), &w, &g.err));
    assert_true(str_eq(v.body, w.body));
    assert_str(w.author, "Practitioner/li");
    assert_str(w.org, "Organization/a");
    assert_int_equal(w.at_ms, T0);
    rig_done(&g);
}

static void versions_count_on(void **state)
{
    (void)state;
    Rig g;
    StoreVersion v, *rows;
    StoreReceipt receipt;
    size_t n;
    bool more;
    rig_init(&g, false);
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\",\"gender\":\"male\"}");
    clock_set(&g.clock, T0 + 5000);
    v = rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\",\"gender\":\"female\"}");
    assert_str(v.vid, "2");
    assert_int_equal(v.op, STORE_UPDATE);
    clock_set(&g.clock, T0 - 60000); /* a clock that is put back never takes `at` with it */
    StoreBatch *b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    assert_int_equal(receipt.versions[0].at_ms, T0 + 5000);
    rig_refused(&g, ERR_GONE,
                store_read(g.reader, &g.arena, ALL, STR("Patient"), STR("p"), &v, &g.err));
    rig_ok(&g,
           store_vread(g.reader, &g.arena, ALL, STR("Patient"), STR("p"), STR("1"), &v, &g.err));
    assert_true(str_find(v.body, STR("\"male\"")) > 0);
    rig_refused(
        &g, ERR_NOT_FOUND,
        store_vread(g.reader, &g.arena, ALL, STR("Patient"), STR("p"), STR("9"), &v, &g.err));
    b = rig_batch(&g); /* deleting again changes nothing */
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    assert_int_equal(store_seq(g.store), 3);
    v = rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\"}");
    assert_str(v.vid, "4");
    assert_int_equal(v.op, STORE_CREATE);
    rig_ok(&g, store_history(g.reader, &g.arena, ALL, STR("Patient"), STR("p"), 0, 0, 3, &rows, &n,
                             &more, &g.err));
    assert_int_equal(n, 3);
    assert_true(more);
    assert_str(rows[0].vid, "4");
    assert_int_equal(rows[1].op, STORE_DELETE);
    assert_true(str_empty(rows[1].body));
    rig_ok(&g, store_history(g.reader, &g.arena, ALL, STR("Patient"), STR_NONE, 0, rows[2].seq, 3,
                             &rows, &n, &more, &g.err));
    assert_int_equal(n, 1);
    rig_ok(&g, store_history(g.reader, &g.arena, ALL, STR_NONE, STR_NONE, 0, 0, 10, &rows, &n,
                             &more, &g.err));
    assert_int_equal(n, 4);
    rig_done(&g);
}

static void preconditions(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    rig_init(&g, false);
    rig_put(&g, "{\"resourceType\":\"Slot\",\"id\":\"s\",\"status\":\"free\"}");
    Str busy = STR("{\"resourceType\":\"Slot\",\"id\":\"s\",\"status\":\"busy\"}");
    StoreBatch *b = rig_batch(&g);
    rig_ok(&g, store_batch_update(b, STR("Slot"), STR("s"), busy, STR("7"), &g.err));
    rig_refused(&g, ERR_PRECONDITION, store_commit(b, &receipt, &g.err));
    assert_false(receipt.stale);
    b = rig_batch(&g);
    store_batch_require_version(b, STR("Slot"), STR("s"), STR("2"));
    rig_refused(&g, ERR_CONFLICT, store_commit(b, &receipt, &g.err));
    assert_true(receipt.stale);
    b = rig_batch(&g);
    rig_ok(&g, store_batch_create(b, STR("Slot"), STR("s"), busy, NULL, &g.err));
    rig_refused(&g, ERR_CONFLICT, store_commit(b, &receipt, &g.err));
    b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Slot"), STR("nobody"), STR_NONE, &g.err));
    rig_refused(&g, ERR_NOT_FOUND, store_commit(b, &receipt, &g.err));
    b = rig_batch(&g); /* all or nothing */
    rig_ok(&g, store_batch_create(b, STR("Slot"), STR("t"), busy, NULL, &g.err));
    rig_ok(&g, store_batch_update(b, STR("Slot"), STR("s"), busy, STR("7"), &g.err));
    rig_refused(&g, ERR_PRECONDITION, store_commit(b, &receipt, &g.err));
    StoreVersion v;
    rig_refused(&g, ERR_NOT_FOUND,
                store_read(g.reader, &g.arena, ALL, STR("Slot"), STR("t"), &v, &g.err));
    assert_int_equal(store_seq(g.store), 1);
    rig_done(&g);
}

#define CARD                                                                                       \
    "\"identifier\":[{\"system\":\"urn:oid:2.16.156.10011.1.3\",\"value\":\"110101199003070011\"}" \
    "]"

static void one_card_one_patient(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    rig_init(&g, false);
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"a\"," CARD "}");
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"a\",\"gender\":\"male\"," CARD "}");
    rig_refused(&g, ERR_CONFLICT,
                rig_try_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"b\"," CARD "}", &receipt));
    assert_str(g.err.first->rule, "identifier-taken");
    assert_false(receipt.stale);
    StoreBatch *b = rig_batch(&g); /* two in one transaction */
    Str card = STR(
        "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"urn:oid:2.16.156.10011.1.3\","
        "\"value\":\"110101199003070038\"}]}");
    rig_ok(&g, store_batch_create(b, STR("Patient"), STR_NONE, card, NULL, &g.err));
    rig_ok(&g, store_batch_create(b, STR("Patient"), STR_NONE, card, NULL, &g.err));
    rig_refused(&g, ERR_CONFLICT, store_commit(b, &receipt, &g.err));
    b = rig_batch(&g); /* the card is free again when its holder is deleted */
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("a"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"b\"," CARD "}");
    rig_done(&g);
}

/* NUL-terminated. */
static Str rig_card(Rig *g, const char *id, const char *number)
{
    return arena_printf(&g->arena,
                        "{\"resourceType\":\"Patient\",\"id\":\"%s\",\"identifier\":[{\"system\":"
                        "\"urn:oid:2.16.156.10011.1.3\",\"value\":\"%s\"}]}",
                        id, number);
}

/* 15 digits, 18 characters, a small x: one card, found by each, kept as it came. */
static void one_card_in_two_writings(void **state)
{
    (void)state;
    static const char *const WRITTEN[] = {"130503670401018", "13050319670401018X",
                                          "13050319670401018x"};
    Rig g;
    StoreReceipt receipt;
    rig_init(&g, false);
    for (size_t i = 0; i < 3; i++) {
        Str first = rig_card(&g, "a", WRITTEN[i]);
        rig_put(&g, first.p);
        for (size_t k = 0; k < 3; k++) {
            const StoreHit *hit;
            size_t n;
            rig_refused(&g, ERR_CONFLICT,
                        rig_try_put(&g, rig_card(&g, "b", WRITTEN[k]).p, &receipt));
            assert_str(g.err.first->rule, "identifier-taken");
            Str whole = arena_cat(&g.arena, STR("identifier=urn:oid:2.16.156.10011.1.3|"),
                                  str_from_c(WRITTEN[k]));
            rig_ok(&g,
                   store_find(g.reader, &g.arena, ALL, STR("Patient"), whole, 9, &hit, &n, &g.err));
            assert_int_equal(n, 1);
            assert_true(str_find(hit->body, str_from_c(WRITTEN[i])) > 0);
            Str bare = arena_cat(&g.arena, STR("identifier="), str_from_c(WRITTEN[k]));
            rig_ok(&g,
                   store_find(g.reader, &g.arena, ALL, STR("Patient"), bare, 9, &hit, &n, &g.err));
            assert_int_equal(n, 1);
        }
    }
    /* another system's number is a text like any other */
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"c\",\"identifier\":[{\"system\":\"urn:x\","
                "\"value\":\"130503670401018\"}]}");
    rig_done(&g);
}

static void referenced_patient_stays(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    rig_init(&g, false);
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\"}");
    rig_put(
        &g,
        "{\"resourceType\":\"Encounter\",\"id\":\"e\",\"subject\":{\"reference\":\"Patient/p\"}}");
    StoreBatch *b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p"), STR_NONE, &g.err));
    rig_refused(&g, ERR_CONFLICT, store_commit(b, &receipt, &g.err));
    assert_str(g.err.first->rule, "patient-referenced");
    b = rig_batch(&g); /* both in one request */
    rig_ok(&g, store_batch_delete(b, STR("Encounter"), STR("e"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    rig_done(&g);
}

static void remembered_once(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    StoreMemory m;
    rig_init(&g, false);
    for (int i = 0; i < 2; i++) {
        StoreBatch *b = rig_batch(&g);
        rig_ok(&g, store_batch_create(b, STR("Basic"), STR_NONE,
                                      STR("{\"resourceType\":\"Basic\"}"), NULL, &g.err));
        store_batch_remember(b, STR("Practitioner/li"), STR("k"), sha256(STR("body")), 201);
        Status s = store_commit(b, &receipt, &g.err);
        assert_int_equal(s, i ? ERR_CONFLICT : OK);
        assert_int_equal(receipt.stale, i);
    }
    assert_true(store_remembered(g.reader, &g.arena, STR("Practitioner/li"), STR("k"), &m));
    assert_int_equal(m.http_status, 201);
    assert_int_equal(m.versions_n, 1);
    assert_str(m.versions[0].type, "Basic");
    assert_false(store_remembered(g.reader, &g.arena, STR("Practitioner/wu"), STR("k"), &m));
    clock_set(&g.clock, T0 + 25 * MS_HOUR);
    assert_false(store_remembered(g.reader, &g.arena, STR("Practitioner/li"), STR("k"), &m));
    rig_done(&g);
}

static void timers_fire_once(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    StoreTimer *due;
    size_t n;
    int64_t next;
    rig_init(&g, false);
    StoreBatch *b = rig_batch(&g);
    store_batch_timer_set(b, STR("Task/1"), STR("notify"), T0 + 1000);
    store_batch_timer_set(b, STR("Task/1"), STR("act"), T0 + 9000);
    store_batch_timer_set(b, STR("Task/2"), STR("act"), T0 + 500);
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    rig_ok(&g, store_timers_due(g.reader, &g.arena, T0 + 1000, 10, &due, &n, &next, &g.err));
    assert_int_equal(n, 2);
    assert_str(due[0].owner, "Task/2");
    assert_int_equal(next, T0 + 9000);
    for (int i = 0; i < 2; i++) {
        b = rig_batch(&g);
        store_batch_require_timer(b, STR("Task/2"), STR("act"), T0 + 500);
        store_batch_timer_clear(b, STR("Task/2"), STR_NONE);
        assert_int_equal(store_commit(b, &receipt, &g.err), i ? ERR_CONFLICT : OK);
        assert_int_equal(receipt.stale, i);
    }
    rig_done(&g);
}

static void grants_open_and_end(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    StoreVersion v;
    Str orgs[] = {STR("Organization/b")};
    StoreView view = {.clinical = true, .orgs = orgs, .orgs_n = 1, .now_ms = T0};
    rig_init(&g, false);
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\"}");
    rig_put(&g, "{\"resourceType\":\"Organization\",\"id\":\"a\"}");
    rig_refused(&g, ERR_NOT_FOUND,
                store_read(g.reader, &g.arena, &view, STR("Patient"), STR("p"), &v, &g.err));
    rig_ok(&g, store_read(g.reader, &g.arena, &view, STR("Organization"), STR("a"), &v, &g.err));
    rig_grant(&g, "Organization/b", "p");
    rig_ok(&g, store_read(g.reader, &g.arena, &view, STR("Patient"), STR("p"), &v, &g.err));
    assert_true(store_patient_visible(g.reader, &view, STR("p")));
    StoreBatch *b = rig_batch(&g);
    store_batch_grant_end(b, STR("Task/1"), T0 + 1000);
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    view.now_ms = T0 + 1000;
    assert_false(store_patient_visible(g.reader, &view, STR("p")));
    view.clinical = false;
    view.now_ms = T0;
    assert_false(store_patient_visible(g.reader, &view, STR("p")));
    rig_done(&g);
}

static void survives_restart(void **state)
{
    (void)state;
    Rig g;
    StoreVersion v;
    Str text, sha;
    StoreAccount account = {.username = STR("li"), .password_hash = STR("x"), .must_change = true},
                 found;
    rig_init(&g, true);
    rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\"}");
    rig_ok(&g, store_account_put(g.store, &account, &g.err));
    rig_ok(&g, store_setting_put(g.store, STR("switch"), STR("on"), &g.err));
    rig_ok(&g, store_blob_put(g.store, &g.arena, STR("recording"), &sha, &g.err));
    Store *second;
    StoreOptions o = {.dir = g.dir, .clock = &g.clock, .random = &g.random};
    rig_refused(&g, ERR_UNAVAILABLE, store_open(&o, &second, &g.err));
    assert_str(g.err.first->rule, "held");
    rig_close(&g);
    rig_open(&g);
    rig_ok(&g, store_read(g.reader, &g.arena, ALL, STR("Patient"), STR("p"), &v, &g.err));
    rig_ok(&g, store_account_get(g.reader, &g.arena, STR("li"), &found, &g.err));
    assert_true(found.must_change);
    rig_ok(&g, store_setting_get(g.reader, &g.arena, STR("switch"), &text, &g.err));
    assert_str(text, "on");
    rig_ok(&g, store_blob_get(g.store, &g.arena, sha, &text, &g.err));
    assert_str(text, "recording");
    assert_int_equal(store_seq(g.store), 1);
    v = rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p\"}");
    assert_int_equal(v.seq, 2);
    assert_int_equal(v.tx, 2);
    rig_done(&g);
}

static void session_lives_and_ends(void **state)
{
    (void)state;
    Rig g;
    StoreSession s = {.token_sha = STR("aa"), .username = STR("li"), .expires_ms = T0}, found;
    rig_init(&g, false);
    rig_ok(&g, store_session_put(g.store, &s, &g.err));
    s.token_sha = STR("bb");
    rig_ok(&g, store_session_put(g.store, &s, &g.err));
    rig_ok(&g, store_session_end(g.store, STR("aa"), STR_NONE, &g.err));
    rig_refused(&g, ERR_NOT_FOUND,
                store_session_get(g.reader, &g.arena, STR("aa"), &found, &g.err));
    rig_ok(&g, store_session_get(g.reader, &g.arena, STR("bb"), &found, &g.err));
    rig_ok(&g, store_session_end(g.store, STR_NONE, STR("li"), &g.err));
    rig_refused(&g, ERR_NOT_FOUND,
                store_session_get(g.reader, &g.arena, STR("bb"), &found, &g.err));
    rig_done(&g);
}

static void log_in_whole_transactions(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    StoreVersion *rows;
    size_t n;
    rig_init(&g, false);
    StoreBatch *b = rig_batch(&g);
    for (int i = 0; i < 5; i++) {
        rig_ok(&g, store_batch_create(b, STR("Basic"), STR_NONE,
                                      STR("{\"resourceType\":\"Basic\"}"), NULL, &g.err));
    }
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    rig_put(&g, "{\"resourceType\":\"Basic\",\"id\":\"x\"}");
    rig_ok(&g, store_log(g.reader, &g.arena, 0, 2, &rows, &n, &g.err));
    assert_int_equal(n, 5);
    rig_ok(&g, store_log(g.reader, &g.arena, 5, 2, &rows, &n, &g.err));
    assert_int_equal(n, 1);
    assert_true(store_wait(g.store, 5, 0));
    assert_false(store_wait(g.store, 6, 1));
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_kept),
        cmocka_unit_test(versions_count_on),
        cmocka_unit_test(preconditions),
        cmocka_unit_test(one_card_one_patient),
        cmocka_unit_test(one_card_in_two_writings),
        cmocka_unit_test(referenced_patient_stays),
        cmocka_unit_test(remembered_once),
        cmocka_unit_test(timers_fire_once),
        cmocka_unit_test(grants_open_and_end),
        cmocka_unit_test(survives_restart),
        cmocka_unit_test(session_lives_and_ends),
        cmocka_unit_test(log_in_whole_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
