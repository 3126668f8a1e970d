/* The writer under contention, the index after a crash, the keeping of house. */
#include <pthread.h>
#include <stdatomic.h>

#include "store_test.h"

#define THREADS 64
#define ROUNDS  100

typedef struct Racer {
    Rig *rig;
    pthread_barrier_t *start;
    int round;
    int number;
    int kind;
    Status status;
} Racer;

/* Slot by If-Match, ID card, and a key that may be answered once: each has one winner. */
static void race_batch(const Racer *r, StoreBatch *b, Arena *a)
{
    Str id = arena_printf(a, "r%d-%d", r->kind, r->round);
    Str card = arena_printf(a,
                            "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":"
                            "\"urn:oid:2.16.156.10011.1.3\",\"value\":\"%d\"}]}",
                            r->round);
    Status s = OK;
    if (r->kind == 0) {
        s = store_batch_update(b, STR("Slot"), id,
                               STR("{\"resourceType\":\"Slot\",\"status\":\"busy\"}"), STR("1"),
                               NULL);
    } else if (r->kind == 1) {
        s = store_batch_create(b, STR("Patient"), STR_NONE, card, NULL, NULL);
    } else {
        s = store_batch_create(b, STR("Basic"), STR_NONE, STR("{\"resourceType\":\"Basic\"}"), NULL,
                               NULL);
        store_batch_remember(b, STR("Practitioner/li"), id, sha256(id), 201);
    }
    assert_int_equal(s, OK);
}

static void *race(void *arg)
{
    Racer *r = arg;
    Arena a;
    Err err;
    StoreReceipt receipt;
    arena_init(&a, 0);
    err_init(&err, &a);
    StoreBatch *b = store_batch_new(r->rig->store, &a, &TEST_AUTHOR, STR("race"));
    race_batch(r, b, &a);
    pthread_barrier_wait(r->start);
    r->status = store_commit(b, &receipt, &err);
    arena_done(&a);
    return NULL;
}

static void race_round(Rig *g, int kind, int round, Status lost)
{
    static Racer racers[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    int won = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (Racer){g, &start, round, i, kind, OK};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        won += racers[i].status == OK;
        assert_true(racers[i].status == OK || racers[i].status == lost);
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(won, 1);
}

static void one_wins(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, false);
    const char *few = getenv("MENKOU_TEST_ROUNDS");
    int rounds = few ? (int)strtol(few, NULL, 10) : ROUNDS;
    for (int round = 0; round < rounds; round++) {
        Str body = arena_printf(
            &g.arena, "{\"resourceType\":\"Slot\",\"id\":\"r0-%d\",\"status\":\"free\"}", round);
        rig_put(&g, body.p);
        race_round(&g, 0, round, ERR_PRECONDITION);
        race_round(&g, 1, round, ERR_CONFLICT);
        race_round(&g, 2, round, ERR_CONFLICT);
    }
    uint64_t faults;
    rig_ok(&g, store_verify(g.reader, &g.arena, NULL, NULL, &faults, &g.err));
    assert_int_equal(faults, 0);
    rig_done(&g);
}

/* ---- Index -------------------------------------------------------------------------------- */

static void put_patients(Rig *g, int from, int to)
{
    for (int i = from; i < to; i++) {
        Str body = arena_printf(&g->arena,
                                "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"gender\":\"%s\"}",
                                i, i % 2 ? "male" : "female");
        rig_put(g, body.p);
    }
}

static int64_t count(Rig *g, const char *query)
{
    StoreQuery *q;
    StorePage page;
    rig_ok(g, store_query_parse(NULL, &g->arena, STR("Patient"), str_from_c(query), false, 480, &q,
                                &g->err));
    rig_ok(g, store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g->err));
    return page.total;
}

static void no_faults(Rig *g)
{
    uint64_t faults;
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    assert_int_equal(faults, 0);
}

static void shell(Rig *g, const char *command)
{
    assert_int_equal(system(arena_printf(&g->arena, "cd %s && %s", g->dir, command).p), 0);
}

/* As after a kill between the log's commit and the index's: an older index beside a newer log. */
static void index_catches_up(void **state)
{
    (void)state;
    Rig g;
    rig_files_only();
    rig_init(&g, true);
    put_patients(&g, 0, 20);
    rig_close(&g);
    shell(&g, "cp index.db older.db");
    rig_open(&g);
    put_patients(&g, 10, 40);
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(&g);
    rig_ok(&g, store_batch_delete(b, STR("Patient"), STR("p3"), STR_NONE, &g.err));
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    rig_close(&g);
    shell(&g, "rm -f index.db-wal index.db-shm && mv older.db index.db");
    rig_open(&g);
    assert_int_equal(count(&g, "_summary=count"), 39);
    assert_int_equal(count(&g, "gender=male&_summary=count"), 19);
    no_faults(&g);
    rig_close(&g);
    shell(&g, "rm -f index.db*"); /* gone: built anew */
    rig_open(&g);
    assert_int_equal(count(&g, "gender=male&_summary=count"), 19);
    no_faults(&g);
    rig_close(&g);
    shell(&g, "echo rubbish > index.db");
    rig_open(&g);
    assert_int_equal(count(&g, "gender=male&_summary=count"), 19);
    no_faults(&g);
    rig_done(&g);
}

static void reindex_beside_readers(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    put_patients(&g, 0, 50);
    assert_int_equal(count(&g, "gender=female&_summary=count"), 25);
    rig_ok(&g, store_reindex(g.store, NULL, NULL, &g.err));
    assert_int_equal(count(&g, "gender=female&_summary=count"), 25);
    put_patients(&g, 50, 60);
    assert_int_equal(count(&g, "gender=female&_summary=count"), 30);
    no_faults(&g);
    rig_done(&g);
}

static void verify_finds(void **state)
{
    (void)state;
    static const char *const damages[][2] = {
        {"log.db", "UPDATE tx SET author='someone' WHERE tx=3"},
        {"log.db", "UPDATE version SET body_sha=(SELECT body_sha FROM version WHERE seq=1)"
                   " WHERE seq=4"},
        {"log.db", "DELETE FROM version WHERE seq=5"},
        {"log.db", "UPDATE head SET seq=1 WHERE rid=2"},
        {"index.db", "DELETE FROM token WHERE rid=3"},
        {"index.db", "INSERT INTO token VALUES(1,2,3,4)"},
        {NULL, "for f in blobs/*/*; do echo x > $f; done"},
    };
    if (system("command -v sqlite3 >/dev/null") != 0) {
        print_message("SKIPPED: the sqlite3 shell is not here\n");
        skip();
    }
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        Rig g;
        Str sha;
        uint64_t faults = 0;
        rig_init(&g, true);
        put_patients(&g, 0, 8);
        rig_ok(&g, store_blob_put(g.store, &g.arena, STR("bytes"), &sha, &g.err));
        no_faults(&g);
        rig_close(&g);
        if (damages[i][0]) {
            rig_damage(&g, damages[i][0], damages[i][1]);
        } else {
            shell(&g, damages[i][1]);
        }
        rig_open(&g);
        err_clear(&g.err);
        Status s = store_verify(g.reader, &g.arena, NULL, NULL, &faults, &g.err);
        if (s != OK || faults == 0) {
            print_error("not found: %s\n", damages[i][1]);
            fail();
        }
        rig_done(&g);
    }
}

static Status line_hash(void *ctx, Str type, Str id, Str body, Err *err)
{
    (void)err;
    Sha256 *sum = ctx;
    Str parts[] = {{(const char *)sum->b, sizeof sum->b}, type, id, body};
    *sum = sha256_parts(parts, 4);
    return OK;
}

/* The same requests at the same time give the same export, whatever the order of commits was. */
static void export_is_ordered(void **state)
{
    (void)state;
    Sha256 sum[2] = {0};
    for (int turn = 0; turn < 2; turn++) {
        Rig g;
        rig_init(&g, false);
        put_patients(&g, turn ? 5 : 0, turn ? 10 : 5);
        put_patients(&g, turn ? 0 : 5, turn ? 5 : 10);
        rig_ok(&g, store_export(g.reader, line_hash, &sum[turn], &g.err));
        rig_done(&g);
    }
    assert_memory_equal(sum[0].b, sum[1].b, sizeof sum[0].b);
}

/* A copied database goes on in an epoch of its own. */
static void copies_get_an_epoch(void **state)
{
    (void)state;
    Rig g;
    Str text;
    rig_files_only();
    rig_init(&g, true);
    put_patients(&g, 0, 3);
    rig_close(&g);
    rig_open(&g);
    rig_ok(&g, store_setting_get(g.reader, &g.arena, STR("epoch"), &text, &g.err));
    assert_str(text, "1");
    rig_close(&g);
    shell(&g, "rm node.json");
    rig_open(&g);
    rig_ok(&g, store_setting_get(g.reader, &g.arena, STR("epoch"), &text, &g.err));
    assert_str(text, "2");
    put_patients(&g, 3, 4);
    no_faults(&g);
    rig_done(&g);
}

/* ---- Pages while others write ------------------------------------------------------------------
 */

#define SCRIBBLES 1500 /* else the pages grow faster than they are turned */

typedef struct Scribbler {
    Rig *rig;
    _Atomic bool stop;
} Scribbler;

static void *scribble(void *arg)
{
    Scribbler *w = arg;
    for (int i = 0; i < SCRIBBLES && !atomic_load(&w->stop); i++) {
        Arena a;
        Err err;
        StoreReceipt receipt;
        arena_init(&a, 0);
        err_init(&err, &a);
        StoreBatch *b = store_batch_new(w->rig->store, &a, &TEST_AUTHOR, STR("scribble"));
        Str made = arena_printf(&a, "{\"resourceType\":\"Patient\",\"gender\":\"%s\"}",
                                i % 2 ? "male" : "female");
        Str changed = arena_printf(
            &a, "{\"resourceType\":\"Patient\",\"gender\":\"male\",\"birthDate\":\"19%02d\"}",
            i % 90 + 10);
        assert_int_equal(store_batch_create(b, STR("Patient"), STR_NONE, made, NULL, &err), OK);
        Str id = arena_printf(&a, "p%d", 100 + i % 100); /* p0 … p99 stay as they are */
        assert_int_equal(store_batch_update(b, STR("Patient"), id, changed, STR_NONE, &err), OK);
        assert_int_equal(store_commit(b, &receipt, &err), OK);
        arena_done(&a);
    }
    return NULL;
}

/* Each of the untouched comes once, the changed at most once, what was made since never. */
static void page_through(Rig *g, const char *query)
{
    int seen[200] = {0};
    Str cursor = STR_NONE;
    StoreQuery *q;
    rig_ok(g, store_query_parse(NULL, &g->arena, STR("Patient"), str_from_c(query), false, 480, &q,
                                &g->err));
    uint64_t first = store_seq(g->store);
    do {
        StorePage page;
        rig_ok(g, store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, cursor, &page, &g->err));
        for (size_t i = 0; i < page.hits_n; i++) {
            int64_t n;
            if (page.hits[i].id.p[0] == 'p' && str_to_i64(str_skip(page.hits[i].id, 1), &n)) {
                assert_true(++seen[n] == 1);
            }
        }
        cursor = page.next;
    } while (!str_empty(cursor));
    (void)first;
    for (int i = 1; i < 100; i += 2) {
        assert_int_equal(seen[i], 1);
    }
}

static void pages_are_stable(void **state)
{
    (void)state;
    Rig g;
    pthread_t thread;
    Scribbler w = {.rig = &g};
    rig_init(&g, false);
    put_patients(&g, 0, 200);
    assert_int_equal(pthread_create(&thread, NULL, scribble, &w), 0);
    for (int i = 0; i < 5; i++) {
        page_through(&g, "gender=male&_count=7");
        page_through(&g, "gender=male&_count=7&_sort=-_lastUpdated");
        page_through(&g, "gender=male&_count=7&_sort=birthdate,-_id");
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    no_faults(&g);
    rig_done(&g);
}

static void cursors_are_bound(void **state)
{
    (void)state;
    Rig g;
    StoreQuery *q, *other;
    StorePage page;
    rig_init(&g, false);
    put_patients(&g, 0, 10);
    rig_ok(&g, store_query_parse(NULL, &g.arena, STR("Patient"), STR("_count=3"), false, 480, &q,
                                 &g.err));
    rig_ok(&g, store_query_parse(NULL, &g.arena, STR("Patient"), STR("_count=4"), false, 480,
                                 &other, &g.err));
    rig_ok(&g, store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g.err));
    Str next = page.next;
    StoreView someone = {.everything = true, .clinical = true, .person = STR("Practitioner/wu")};
    rig_refused(&g, ERR_INVALID,
                store_search(g.reader, &g.arena, other, &STORE_VIEW_ALL, next, &page, &g.err));
    rig_refused(&g, ERR_INVALID,
                store_search(g.reader, &g.arena, q, &someone, next, &page, &g.err));
    char *torn = arena_cstr(&g.arena, next);
    torn[next.n / 2] = torn[next.n / 2] == 'A' ? 'B' : 'A';
    rig_refused(
        &g, ERR_INVALID,
        store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, str_from_c(torn), &page, &g.err));
    rig_refused(&g, ERR_INVALID,
                store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, STR("!"), &page, &g.err));
    clock_set(&g.clock, T0 + 61 * MS_MINUTE);
    rig_refused(&g, ERR_GONE,
                store_search(g.reader, &g.arena, q, &STORE_VIEW_ALL, next, &page, &g.err));
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_wins),
        cmocka_unit_test(index_catches_up),
        cmocka_unit_test(reindex_beside_readers),
        cmocka_unit_test(verify_finds),
        cmocka_unit_test(export_is_ordered),
        cmocka_unit_test(copies_get_an_epoch),
        cmocka_unit_test(pages_are_stable),
        cmocka_unit_test(cursors_are_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
