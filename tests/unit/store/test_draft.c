/* Drafts: their author's alone, replaced, bounded, gone with time and with the step they were for.
 */
#include "store_draft.h"

#include "store_test.h"

static const char PERSON[] = "Practitioner/li", POST[] = "PractitionerRole/a";

static StoreDraft draft_of(const char *post, const char *key, const char *body, int64_t at_ms)
{
    return (StoreDraft){.person = str_from_c(PERSON),
                        .post = str_from_c(post),
                        .key = str_from_c(key),
                        .seen = STR("3"),
                        .body = str_from_c(body),
                        .at_ms = at_ms};
}

static Status get(Rig *g, const char *person, const char *post, const char *key, int64_t before_ms,
                  StoreDraft *ret)
{
    err_clear(&g->err);
    return store_draft_get(g->reader, &g->arena, str_from_c(person), str_from_c(post),
                           str_from_c(key), before_ms, ret, &g->err);
}

static void kept_for_its_author(void **state)
{
    (void)state;
    Rig g;
    StoreDraft d = draft_of(POST, "Task/1:x", "{\"a\":1.00}", T0), got, *list;
    size_t n;
    rig_init(&g, true);
    rig_ok(&g, store_draft_put(g.store, &d, T0 - 100, 5, &g.err));
    d.body = STR("{\"a\":2}");
    rig_ok(&g, store_draft_put(g.store, &d, T0 - 100, 5, &g.err));
    rig_close(&g);
    rig_open(&g);
    assert_int_equal(get(&g, PERSON, POST, "Task/1:x", T0 - 1, &got), OK);
    assert_str(got.body, "{\"a\":2}");
    assert_str(got.seen, "3");
    assert_int_equal(get(&g, "Practitioner/wang", POST, "Task/1:x", T0 - 1, &got), ERR_NOT_FOUND);
    assert_int_equal(get(&g, PERSON, "PractitionerRole/b", "Task/1:x", T0 - 1, &got),
                     ERR_NOT_FOUND);
    assert_int_equal(get(&g, PERSON, POST, "Task/1:x", T0, &got), ERR_NOT_FOUND);
    rig_ok(&g, store_draft_list(g.reader, &g.arena, str_from_c(PERSON), str_from_c(POST), T0 - 1,
                                &list, &n, &g.err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].body.n, 0);
    rig_done(&g);
}

static void bounded_and_swept(void **state)
{
    (void)state;
    Rig g;
    StoreDraft a = draft_of(POST, "a", "{}", T0),
               b = draft_of("PractitionerRole/b", "b", "{}", T0 + 10),
               c = draft_of(POST, "c", "{}", T0 + 20), got;
    rig_init(&g, false);
    rig_ok(&g, store_draft_put(g.store, &a, 0, 2, &g.err));
    rig_ok(&g, store_draft_put(g.store, &b, 0, 2, &g.err));
    rig_refused(&g, ERR_CONFLICT, store_draft_put(g.store, &c, 0, 2, &g.err));
    rig_ok(&g, store_draft_put(g.store, &b, 0, 2, &g.err));
    rig_ok(&g, store_draft_put(g.store, &c, T0, 2, &g.err)); /* a is too old by then */
    assert_int_equal(get(&g, PERSON, POST, "a", 0, &got), ERR_NOT_FOUND);
    rig_done(&g);
}

/* In the same commit: one that is refused leaves it where it is. */
static void ends_with_the_step(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    StoreDraft d = draft_of(POST, "k", "{}", T0), got;
    rig_init(&g, false);
    rig_ok(&g, store_draft_put(g.store, &d, 0, 5, &g.err));
    StoreBatch *bad = rig_batch(&g);
    store_batch_draft_end(bad, d.person, d.post, d.key);
    store_batch_require_version(bad, STR("Task"), STR("none"), STR("1"));
    rig_refused(&g, ERR_CONFLICT, store_commit(bad, &receipt, &g.err));
    assert_int_equal(get(&g, PERSON, POST, "k", 0, &got), OK);
    StoreBatch *good = rig_batch(&g);
    store_batch_draft_end(good, d.person, d.post, d.key);
    rig_ok(&g, store_commit(good, &receipt, &g.err));
    assert_int_equal(get(&g, PERSON, POST, "k", 0, &got), ERR_NOT_FOUND);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_for_its_author),
        cmocka_unit_test(bounded_and_swept),
        cmocka_unit_test(ends_with_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
