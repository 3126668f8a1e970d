/*
 * The delta: whoever looks finds the same before, during and after its rows are merged into
 * index.db; a crash between the log's commit and the merge loses nothing.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "store_inner.h"
#include "store_test.h"

#define STEPS    120
#define CHECKS   8 /* steps between two comparisons */
#define PATIENTS 12
#define OTHERS   40

/* ---- The same answers before and after ------------------------------------------------------- */

static const char *const questions[][2] = {
    {"Observation", "_summary=count"},
    {"Observation", "code=a&_total=accurate"},
    {"Observation", "code=http://x.y|b"},
    {"Observation", "code:not=a"},
    {"Observation", "code=a&_sort=-date&_count=3"},
    {"Observation", "_sort=date"},
    {"Observation", "_sort=-date"},
    {"Observation", "_sort=-_lastUpdated"},
    {"Observation", "_sort=_lastUpdated&_count=7"},
    {"Observation", "_lastUpdated=ge2000-01-01"},
    {"Observation", "patient=Patient/p3"},
    {"Observation", "patient=Patient/p3,Patient/p5&code=a,b&_sort=-date"},
    {"Observation", "subject:missing=true"},
    {"Observation", "status=final&patient=Patient/p1"},
    {"Observation", "date=ge2025-06-01"},
    {"Observation", "date=lt2025-06-01&status=final"},
    {"Observation", "value-quantity=gt50"},
    {"Observation", "value-quantity=le50|http://unitsofmeasure.org|kg"},
    {"Observation", "patient.gender=male"},
    {"Observation", "patient.name=b&_include=Observation:patient"},
    {"Patient", "_summary=count"},
    {"Patient", "name=a"},
    {"Patient", "name:contains=b&_count=3"},
    {"Patient", "name=b&gender=male"},
    {"Patient", "_sort=name"},
    {"Patient", "gender=male&_revinclude=Observation:patient"},
    {"Patient", "birthdate=lt1980-01-01"},
    {"Patient", "_has:Observation:patient:code=a"},
    {"Patient", "identifier=urn:x|3"},
    {"ValueSet", "url=http://x.y/vs/3"},
    {"ValueSet", "url:below=http://x.y/vs"},
    {"RiskAssessment", "probability=gt0.5"},
    {"RiskAssessment", "probability=le0.5&_total=accurate"},
};

static Str body_of(Rig *g, int kind, int id)
{
    int n = (int)random_below(&g->random, 1000);
    const char *letters[] = {"a", "b", "ab", "ba"};
    Arena *a = &g->arena;
    switch (kind) {
    case 0:
        return arena_printf(a,
                            "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"gender\":\"%s\",\"name"
                            "\":[{\"family\":\"%s%d\"}],\"birthDate\":\"19%02d-01-01\","
                            "\"identifier\":[{\"system\":\"urn:x\",\"value\":\"%d\"}]}",
                            id, n % 2 ? "male" : "female", letters[n % 4], n % 7, n % 100, n % 5);
    case 1:
        return arena_printf(
            a,
            "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":\"%s\",\"code\":{\"coding"
            "\":[{\"system\":\"http://x.y\",\"code\":\"%s\"}]},%s\"effectiveDateTime\":\"2025-%02d-"
            "01\",\"valueQuantity\":{\"value\":%d,\"system\":\"http://unitsofmeasure.org\","
            "\"code\":\"kg\"}}",
            id, n % 3 ? "final" : "amended", letters[n % 4],
            n % 9 ? arena_printf(a, "\"subject\":{\"reference\":\"Patient/p%d\"},", n % PATIENTS).p
                  : "",
            n % 12 + 1, n % 100);
    case 2:
        return arena_printf(a,
                            "{\"resourceType\":\"ValueSet\",\"id\":\"v%d\",\"status\":\"active\","
                            "\"url\":\"http://x.y/vs/%d\"}",
                            id, n % 6);
    default:
        return arena_printf(a,
                            "{\"resourceType\":\"RiskAssessment\",\"id\":\"r%d\",\"status\":"
                            "\"final\",\"prediction\":[{\"probabilityDecimal\":0.%d}]}",
                            id, n % 10);
    }
}

/* One transaction of one to three changes; now and then a deletion. */
static void step_random(Rig *g)
{
    static const char *const types[] = {"Patient", "Observation", "ValueSet", "RiskAssessment"};
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    for (int n = 1 + (int)random_below(&g->random, 3); n > 0; n--) {
        int pick = (int)random_below(&g->random, 10);
        int kind = pick < 2 ? 0 : pick < 7 ? 1 : pick < 8 ? 2 : 3;
        int id = (int)random_below(&g->random, kind == 0 ? PATIENTS : OTHERS);
        Str name = arena_printf(&g->arena, "%c%d", "povr"[kind], id);
        StoreVersion v;
        bool there = store_batch_read(b, g->reader, &g->arena, str_from_c(types[kind]), name, &v,
                                      NULL) == OK;
        if (kind != 0 && there && random_below(&g->random, 4) == 0) {
            rig_ok(g, store_batch_delete(b, str_from_c(types[kind]), name, STR_NONE, &g->err));
        } else {
            rig_ok(g, store_batch_update(b, str_from_c(types[kind]), name, body_of(g, kind, id),
                                         STR_NONE, &g->err));
        }
    }
    rig_ok(g, store_commit(b, &receipt, &g->err));
}

/* The ids of the whole answer in its order, page by page, and its total. */
static Str answer(Rig *g, const char *type, const char *query)
{
    StoreQuery *q;
    StorePage page = {0};
    Str text = STR("");
    rig_ok(g, store_query_parse(NULL, &g->arena, str_from_c(type), str_from_c(query), false,
                                ZONE_CHINA_MIN, &q, &g->err));
    do {
        rig_ok(g,
               store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, page.next, &page, &g->err));
        for (size_t i = 0; i < page.hits_n; i++) {
            text = arena_cat(&g->arena, text, STR(" "), page.hits[i].type, STR("/"),
                             page.hits[i].id, STR("#"), page.hits[i].vid);
        }
        text = arena_printf(&g->arena, "%.*s (%lld)", STR_ARG(text), (long long)page.total);
    } while (!str_empty(page.next));
    return text;
}

static Str history(Rig *g, const char *type)
{
    StoreVersion *v;
    size_t n;
    bool more;
    Str text = STR("");
    rig_ok(g, store_history(g->reader, &g->arena, &STORE_VIEW_ALL, str_from_c(type), STR_NONE, 0, 0,
                            1000, &v, &n, &more, &g->err));
    for (size_t i = 0; i < n; i++) {
        text = arena_printf(&g->arena, "%.*s %llu", STR_ARG(text), (unsigned long long)v[i].seq);
    }
    return text;
}

#define ANSWERS (sizeof questions / sizeof *questions + 1)

static void ask_all(Rig *g, Str ret[ANSWERS])
{
    for (size_t i = 0; i + 1 < ANSWERS; i++) {
        ret[i] = answer(g, questions[i][0], questions[i][1]);
    }
    ret[ANSWERS - 1] = history(g, "Observation");
}

static size_t parts_of(Rig *g)
{
    rig_ok(g, store_snapshot_begin(g->reader, &g->err));
    size_t n = g->reader->delta.n;
    store_snapshot_end(g->reader);
    return n;
}

static void wait_merged(Rig *g)
{
    struct timespec a_moment = {.tv_nsec = 1000000};
    merger_resume(g->store);
    while (parts_of(g) > 0) {
        merger_hurry(g->store);
        nanosleep(&a_moment, NULL);
    }
}

static void same_answers(const Str before[ANSWERS], const Str after[ANSWERS])
{
    for (size_t i = 0; i < ANSWERS; i++) {
        if (!str_eq(before[i], after[i])) {
            print_error("%s?%s\ndelta %.*s\nindex %.*s\n",
                        i + 1 < ANSWERS ? questions[i][0] : "Observation",
                        i + 1 < ANSWERS ? questions[i][1] : "_history", STR_ARG(before[i]),
                        STR_ARG(after[i]));
            fail();
        }
    }
}

static void no_faults(Rig *g)
{
    uint64_t faults;
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    assert_int_equal(faults, 0);
}

static void answers_do_not_change(void **state)
{
    (void)state;
    rig_files_only(); /* on a server there is no delta */
    Rig g;
    Str before[ANSWERS], after[ANSWERS];
    rig_init(&g, true);
    merger_pause(g.store);
    for (int i = 1; i <= STEPS; i++) {
        step_random(&g);
        clock_init_fixed(&g.clock, T0 + i * 1000);
        if (i % CHECKS != 0) {
            continue;
        }
        assert_true(parts_of(&g) > 0);
        ask_all(&g, before);
        no_faults(&g); /* the index as far as it goes */
        wait_merged(&g);
        ask_all(&g, after);
        same_answers(before, after);
        no_faults(&g);
        merger_pause(g.store);
    }
    merger_resume(g.store);
    rig_done(&g);
}

/* A page begun on the delta goes on in the index: each resource once. */
static void pages_go_on(void **state)
{
    (void)state;
    Rig g;
    StoreQuery *q;
    StorePage page = {0};
    size_t n = 0;
    rig_init(&g, true);
    merger_pause(g.store);
    for (int i = 0; i < 30; i++) {
        rig_put(&g, body_of(&g, 1, i).p);
    }
    rig_ok(&g, store_query_parse(NULL, &g.arena, STR("Observation"), STR("_sort=-date&_count=4"),
                                 false, ZONE_CHINA_MIN, &q, &g.err));
    do {
        rig_ok(&g, store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, page.next, &page, &g.err));
        n += page.hits_n;
        if (n == 12) {
            wait_merged(&g);
        }
    } while (!str_empty(page.next));
    assert_int_equal(n, 30);
    rig_done(&g);
}

/* ---- Preconditions ----------------------------------------------------------------------------
 */

static const char card[] = "{\"resourceType\":\"Patient\",\"id\":\"%s\",\"identifier\":[{\"system\""
                           ":\"urn:oid:2.16.156.10011.1.3\",\"value\":\"%s\"}]}";

static void preconditions_see_it(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    rig_init(&g, true);
    merger_pause(g.store);
    rig_put(&g, arena_printf(&g.arena, card, "p1", "1").p);
    rig_refused(&g, ERR_CONFLICT,
                rig_try_put(&g, arena_printf(&g.arena, card, "p2", "1").p, &receipt));
    wait_merged(&g);
    merger_pause(g.store);
    rig_put(&g, arena_printf(&g.arena, card, "p1", "2").p); /* the old card is free again */
    rig_put(&g, arena_printf(&g.arena, card, "p2", "1").p);
    rig_put(&g, "{\"resourceType\":\"Basic\",\"id\":\"b1\",\"code\":{\"text\":\"x\"},\"subject\":"
                "{\"reference\":\"Patient/p1\"}}");
    StoreBatch *b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p1"), STR_NONE, &g.err));
    rig_refused(&g, ERR_CONFLICT, store_commit(b, &receipt, &g.err));
    b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p2"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    b = rig_batch(&g);
    store_batch_require_no_token(b, STR("Patient"), STR("identifier"),
                                 STR("urn:oid:2.16.156.10011.1.3"), STR("2"));
    rig_refused(&g, ERR_CONFLICT, store_commit(b, &receipt, &g.err));
    assert_true(receipt.stale);
    merger_resume(g.store);
    rig_done(&g);
}

/* ---- After a crash ----------------------------------------------------------------------------
 */

/* The folder as it is while nothing of the delta is merged, opened as after a kill. */
static void crash_before_merge(void **state)
{
    (void)state;
    Rig g;
    Str before[ANSWERS], after[ANSWERS];
    rig_init(&g, true);
    for (int i = 0; i < 20; i++) {
        step_random(&g);
    }
    wait_merged(&g);
    merger_pause(g.store);
    for (int i = 0; i < 40; i++) {
        step_random(&g);
    }
    ask_all(&g, before);
    Str copy = arena_printf(&g.arena, "%s-copy", g.dir);
    assert_int_equal(system(arena_printf(&g.arena, "cp -r %s %s", g.dir, copy.p).p), 0);
    Rig after_kill = {.clock = g.clock, .random = g.random};
    arena_init(&after_kill.arena, 0);
    err_init(&after_kill.err, &after_kill.arena);
    memcpy(after_kill.dir, copy.p, copy.n + 1);
    rig_open(&after_kill);
    ask_all(&after_kill, after);
    same_answers(before, after);
    no_faults(&after_kill);
    rig_done(&after_kill);
    merger_resume(g.store);
    rig_done(&g);
}

/* Another process, which has no delta of its own, makes one from the log. */
static void beside_the_writer(void **state)
{
    (void)state;
    Rig g;
    Store *beside;
    Str before[ANSWERS], after[ANSWERS];
    rig_init(&g, true);
    for (int i = 0; i < 30; i++) {
        step_random(&g);
        if (i == 10) {
            wait_merged(&g);
            merger_pause(g.store);
        }
    }
    ask_all(&g, before);
    StoreOptions o = {.dir = g.dir,
                      .clock = &g.clock,
                      .random = &g.random,
                      .zone_min = ZONE_CHINA_MIN,
                      .read_only = true};
    rig_ok(&g, store_open(&o, &beside, &g.err));
    Rig other = {.store = beside};
    arena_init(&other.arena, 0);
    err_init(&other.err, &other.arena);
    rig_ok(&other, store_reader_open(beside, &other.reader, &other.err));
    ask_all(&other, after);
    same_answers(before, after);
    no_faults(&other);
    rig_close(&other);
    arena_done(&other.arena);
    merger_resume(g.store);
    rig_done(&g);
}

/* ---- Handing over under readers ----------------------------------------------------------------
 */

#define READERS 4
#define CREATES 400

typedef struct Counting {
    Rig *rig;
    atomic_int acknowledged;
    atomic_bool over;
} Counting;

static int found_by(StoreReader *r, Arena *a, const char *query)
{
    StoreQuery *q;
    StorePage page;
    assert_int_equal(store_query_parse(NULL, a, STR("Observation"), str_from_c(query), false,
                                       ZONE_CHINA_MIN, &q, NULL),
                     OK);
    assert_int_equal(store_search(r, a, q, &STORE_VIEW_ALL, STR_NONE, &page, NULL), OK);
    int n = page.total >= 0 ? (int)page.total : (int)page.hits_n;
    for (size_t i = 0; i < page.hits_n; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_false(str_eq(page.hits[i].id, page.hits[k].id));
        }
    }
    return n;
}

/* Never fewer than were acknowledged before the question, nor any twice. */
static void *count_on(void *arg)
{
    static const char *const all[] = {"_summary=count", "status=final&_count=1000",
                                      "_sort=-date&_count=1000", "_sort=_lastUpdated&_count=1000",
                                      "value-quantity=7&_count=1000"};
    Counting *c = arg;
    Arena a;
    StoreReader *r;
    arena_init(&a, 0);
    assert_int_equal(store_reader_open(c->rig->store, &r, NULL), OK);
    for (int i = 0; !atomic_load(&c->over); i++) {
        int least = atomic_load(&c->acknowledged);
        int n = found_by(r, &a, all[i % 5]);
        int most = atomic_load(&c->acknowledged) + 1;
        assert_in_range(n, least, most);
        arena_reset(&a);
    }
    store_reader_close(r);
    arena_done(&a);
    return NULL;
}

static void *hurry_on(void *arg)
{
    Counting *c = arg;
    while (!atomic_load(&c->over)) {
        merger_hurry(c->rig->store);
        sched_yield();
    }
    return NULL;
}

static void handed_over_once(void **state)
{
    (void)state;
    Rig g;
    pthread_t readers[READERS], hurrying;
    rig_init(&g, true);
    Counting c = {.rig = &g};
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, count_on, &c), 0);
    }
    assert_int_equal(pthread_create(&hurrying, NULL, hurry_on, &c), 0);
    for (int i = 0; i < CREATES; i++) {
        rig_put(&g, arena_printf(&g.arena,
                                 "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":"
                                 "\"final\",\"code\":{\"text\":\"x\"},\"effectiveDateTime\":\"2025-"
                                 "01-%02d\",\"valueQuantity\":{\"value\":7}}",
                                 i, i % 28 + 1)
                        .p);
        atomic_store(&c.acknowledged, i + 1);
    }
    atomic_store(&c.over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    pthread_join(hurrying, NULL);
    no_faults(&g);
    rig_done(&g);
}

/* When the merger cannot go on, the writer waits no longer than it can hold rows back. */
static void bounded(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    for (int i = 0; i < 3; i++) {
        StoreReceipt receipt;
        StoreBatch *b = rig_batch(&g);
        for (int k = 0; k < 4500; k++) {
            Str id = arena_printf(&g.arena, "b%d-%d", i, k);
            rig_ok(&g, store_batch_update(b, STR("Basic"), id,
                                          STR("{\"resourceType\":\"Basic\",\"code\":{\"text\":"
                                              "\"x\"}}"),
                                          STR_NONE, &g.err));
        }
        rig_ok(&g, store_commit(b, &receipt, &g.err));
        assert_in_range(parts_of(&g), 0, DELTA_PARTS_MAX);
    }
    StoreQuery *q;
    StorePage page;
    rig_ok(&g, store_query_parse(NULL, &g.arena, STR("Basic"), STR("_summary=count"), false,
                                 ZONE_CHINA_MIN, &q, &g.err));
    rig_ok(&g, store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g.err));
    assert_int_equal(page.total, 3 * 4500);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_do_not_change),
        cmocka_unit_test(pages_go_on),
        cmocka_unit_test(preconditions_see_it),
        cmocka_unit_test(crash_before_merge),
        cmocka_unit_test(beside_the_writer),
        cmocka_unit_test(handed_over_once),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
