/* Several processes on one database: stores of their own here, each with a folder of its own. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "store_params.h"
#include "store_test.h"

enum { PROCESSES = 3, WRITERS = 3, EACH = 40 };

typedef struct Cluster {
    Rig rig[PROCESSES];
    char address[300];
} Cluster;

static void node_init(Rig *g, int i, const char *address)
{
    *g = (Rig){0};
    arena_init(&g->arena, 0);
    err_init(&g->err, &g->arena);
    clock_init_fixed(&g->clock, T0);
    random_init_seed(&g->random, 42 + (uint64_t)i);
    test_folder(g->dir);
    Str line = arena_cat(&g->arena, str_from_c(address), STR("\n"));
    Str path = path_join(&g->arena, str_from_c(g->dir), STR(STORE_DATABASE_FILE));
    assert_int_equal(file_write_durable(path.p, line, 0600, NULL), OK);
    rig_open(g);
}

static void cluster_init(Cluster *c)
{
    static int n;
    snprintf(c->address, sizeof c->address, "%s&schema=c%d_%d", test_pg_address(), (int)getpid(),
             ++n);
    for (int i = 0; i < PROCESSES; i++) {
        node_init(&c->rig[i], i, c->address);
    }
}

static void cluster_done(Cluster *c)
{
    for (int i = 0; i < PROCESSES; i++) {
        rig_done(&c->rig[i]);
    }
}

static Status try_read(Rig *g, const char *id)
{
    StoreVersion v;
    err_clear(&g->err);
    return store_read(g->reader, &g->arena, &STORE_VIEW_ALL, STR("Patient"), str_from_c(id), &v,
                      &g->err);
}

static size_t found(Rig *g, const StoreView *view, const char *query)
{
    const StoreHit *hits;
    size_t n;
    rig_ok(g, store_find(g->reader, &g->arena, view, STR("Patient"), str_from_c(query), 5000, &hits,
                         &n, &g->err));
    return n;
}

/* Who asks any process reads what any other was answered for. */
static void written_here_read_there(void **state)
{
    (void)state;
    Cluster c;
    cluster_init(&c);
    Rig *a = &c.rig[0], *b = &c.rig[1], *d = &c.rig[2];
    rig_put(a, "{\"resourceType\":\"Patient\",\"id\":\"p\",\"gender\":\"male\"}");
    assert_int_equal(try_read(b, "p"), OK);
    assert_int_equal(found(d, &STORE_VIEW_ALL, "gender=male"), 1);
    assert_true(store_wait(b->store, 0, 10000));
    rig_put(b, "{\"resourceType\":\"Patient\",\"id\":\"p\",\"gender\":\"female\"}");
    assert_int_equal(found(a, &STORE_VIEW_ALL, "gender=male"), 0);
    assert_int_equal(found(d, &STORE_VIEW_ALL, "gender=female"), 1);
    assert_true(store_wait(a->store, 1, 10000));
    assert_int_equal(store_seq(a->store), 2);
    cluster_done(&c);
}

/* A list of one's patients that a process keeps does not outlive a grant that another wrote. */
static void grants_are_seen_everywhere(void **state)
{
    (void)state;
    Cluster c;
    cluster_init(&c);
    const Str orgs[] = {STR("Organization/a")};
    StoreView view = {.clinical = true, .orgs = orgs, .orgs_n = 1, .now_ms = T0};
    for (int i = 0; i < 6; i++) {
        Rig *g = &c.rig[i % PROCESSES];
        const char *id = arena_printf(&g->arena, "p%d", i).p;
        rig_put(g, arena_printf(&g->arena,
                                "{\"resourceType\":\"Patient\",\"id\":\"%s\","
                                "\"gender\":\"male\"}",
                                id)
                       .p);
        for (int k = 0; k < PROCESSES; k++) {
            assert_int_equal(found(&c.rig[k], &view, "gender=male"), i);
        }
        rig_grant(g, "Organization/a", id);
        for (int k = 0; k < PROCESSES; k++) {
            assert_int_equal(found(&c.rig[k], &view, "gender=male"), i + 1);
        }
    }
    cluster_done(&c);
}

/* ---- Writers everywhere ---------------------------------------------------------------------- */

typedef struct Writer {
    Rig *rig;
    pthread_t thread;
    int no;
    bool strict; /* nothing may fail */
    int acknowledged;
    char id[EACH][64];
} Writer;

static void *writer_main(void *arg)
{
    Writer *w = arg;
    for (int i = 0; i < EACH; i++) {
        Arena a;
        Err err;
        StoreReceipt receipt;
        arena_init(&a, 0);
        err_init(&err, &a);
        StoreBatch *b = store_batch_new(w->rig->store, &a, &TEST_AUTHOR, STR("write"));
        Str id = arena_printf(&a, "w%d-%d", w->no, i);
        Str own = arena_printf(&a, "{\"resourceType\":\"Patient\",\"id\":\"%.*s\"}", STR_ARG(id));
        Str shared = arena_printf(&a,
                                  "{\"resourceType\":\"Patient\",\"id\":\"all\","
                                  "\"birthDate\":\"19%02d\"}",
                                  10 + (w->no * EACH + i) % 90);
        assert_int_equal(store_batch_update(b, STR("Patient"), id, own, STR_NONE, &err), OK);
        assert_int_equal(store_batch_update(b, STR("Patient"), STR("all"), shared, STR_NONE, &err),
                         OK);
        Status s = store_commit(b, &receipt, &err);
        assert_true(s == OK || !w->strict);
        if (s == OK) {
            snprintf(w->id[w->acknowledged++], sizeof *w->id, "%.*s", STR_ARG(id));
        }
        arena_done(&a);
    }
    return NULL;
}

static void writers_run(Cluster *c, Writer *writers, bool strict, void (*meanwhile)(Cluster *c))
{
    for (int i = 0; i < PROCESSES * WRITERS; i++) {
        writers[i] = (Writer){.rig = &c->rig[i % PROCESSES], .no = i, .strict = strict};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]), 0);
    }
    if (meanwhile) {
        meanwhile(c);
    }
    for (int i = 0; i < PROCESSES * WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
}

/* The whole log and its index: numbers without gaps, digests, every row. */
static void all_is_whole(Cluster *c)
{
    for (int i = 0; i < PROCESSES; i++) {
        Rig *g = &c->rig[i];
        uint64_t faults = 1;
        store_reader_calm(g->reader);
        rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
        assert_int_equal(faults, 0);
    }
}

static void numbers_have_no_gaps(void **state)
{
    (void)state;
    Cluster c;
    static Writer writers[PROCESSES * WRITERS];
    cluster_init(&c);
    writers_run(&c, writers, true, NULL);
    StoreVersion *rows;
    size_t n, seen = 0;
    uint64_t after = 0, tx = 0;
    do { /* whole transactions, in order, none left out */
        rig_ok(&c.rig[0],
               store_log(c.rig[0].reader, &c.rig[0].arena, after, 100, &rows, &n, &c.rig[0].err));
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(rows[i].seq, ++after);
            assert_true(rows[i].tx == tx || rows[i].tx == tx + 1);
            tx = rows[i].tx;
        }
        seen += n;
    } while (n > 0);
    assert_int_equal(seen, 2 * PROCESSES * WRITERS * EACH);
    assert_int_equal(tx, PROCESSES * WRITERS * EACH);
    all_is_whole(&c);
    cluster_done(&c);
}

/* ---- Lost connections ------------------------------------------------------------------------ */

/* Every connection to the database is cut, again and again. */
static void cut_connections(Cluster *c)
{
    (void)c;
    for (int i = 0; i < 5; i++) {
        char command[512];
        snprintf(command, sizeof command,
                 "psql -qXAt '%s' -c \"SELECT count(pg_terminate_backend(pid)) FROM"
                 " pg_stat_activity WHERE application_name = 'menkou' AND pid IN (SELECT pid FROM"
                 " pg_locks JOIN pg_class k ON k.oid = relation JOIN pg_namespace n ON"
                 " n.oid = relnamespace WHERE nspname LIKE 'c%d%%')\" >/dev/null",
                 test_pg_address(), (int)getpid());
        assert_int_equal(system(command), 0);
    }
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    Cluster c;
    static Writer writers[PROCESSES * WRITERS];
    int acknowledged = 0;
    cluster_init(&c);
    writers_run(&c, writers, false, cut_connections);
    for (int i = 0; i < PROCESSES * WRITERS; i++) {
        for (int k = 0; k < writers[i].acknowledged; k++) {
            assert_int_equal(try_read(&c.rig[(i + 1) % PROCESSES], writers[i].id[k]), OK);
            acknowledged++;
        }
    }
    assert_true(acknowledged > 0);
    all_is_whole(&c);
    cluster_done(&c);
}

/* ---- One card, one patient ------------------------------------------------------------------- */

typedef struct Racer {
    Rig *rig;
    pthread_barrier_t *start;
    int round;
    Status status;
} Racer;

static void *race(void *arg)
{
    Racer *x = arg;
    Arena a;
    Err err;
    StoreReceipt receipt;
    arena_init(&a, 0);
    err_init(&err, &a);
    StoreBatch *b = store_batch_new(x->rig->store, &a, &TEST_AUTHOR, STR("race"));
    Str code = arena_printf(&a, "code-%d", x->round);
    Str body = arena_printf(&a,
                            "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"urn:x\","
                            "\"value\":\"%.*s\"}]}",
                            STR_ARG(code));
    store_batch_require_no_token(b, STR("Patient"), STR("identifier"), STR("urn:x"), code);
    assert_int_equal(store_batch_create(b, STR("Patient"), STR_NONE, body, NULL, &err), OK);
    pthread_barrier_wait(x->start);
    x->status = store_commit(b, &receipt, &err);
    arena_done(&a);
    return NULL;
}

static void one_wins_among_processes(void **state)
{
    (void)state;
    Cluster c;
    cluster_init(&c);
    for (int round = 0; round < 20; round++) {
        Racer racers[PROCESSES];
        pthread_t threads[PROCESSES];
        pthread_barrier_t start;
        int won = 0;
        pthread_barrier_init(&start, NULL, PROCESSES);
        for (int i = 0; i < PROCESSES; i++) {
            racers[i] = (Racer){&c.rig[i], &start, round, OK};
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < PROCESSES; i++) {
            pthread_join(threads[i], NULL);
            assert_true(racers[i].status == OK || racers[i].status == ERR_CONFLICT);
            won += racers[i].status == OK;
        }
        pthread_barrier_destroy(&start);
        assert_int_equal(won, 1);
    }
    all_is_whole(&c);
    cluster_done(&c);
}

/* ---- Leases ---------------------------------------------------------------------------------- */

static void leases_have_one_holder(void **state)
{
    (void)state;
    Cluster c;
    cluster_init(&c);
    Store *a = c.rig[0].store, *b = c.rig[1].store, *d = c.rig[2].store;
    StoreLease of_a = {.name = "clock", .ms = 900}, of_b = of_a, of_d = of_a;
    assert_true(store_lease(a, &of_a));
    assert_false(store_lease(b, &of_b));
    assert_true(store_lease(a, &of_a));
    store_lease_give(a, &of_a);
    of_b.ask_again_ms = 0;
    assert_true(store_lease(b, &of_b));
    assert_false(store_lease(d, &of_d)); /* b says nothing any more: killed */
    int64_t until = time_mono_ms() + 20000;
    while (!store_lease(d, &of_d) && time_mono_ms() < until) {
        store_wait(d, UINT64_MAX, 20);
    }
    assert_true(of_d.held);
    of_b.ask_again_ms = 0;
    assert_false(store_lease(b, &of_b)); /* it comes too late */
    cluster_done(&c);
}

/* ---- The index ------------------------------------------------------------------------------- */

enum { MEN = 300 }; /* more than are left for the exchange */

static void put_man(Rig *g, const char *id)
{
    rig_put(g, arena_printf(&g->arena,
                            "{\"resourceType\":\"Patient\",\"id\":\"%s\",\"gender\":\"male\"}", id)
                   .p);
}

static void men_init(Cluster *c)
{
    cluster_init(c);
    for (int i = 0; i < MEN; i++) {
        Rig *g = &c->rig[i % PROCESSES];
        put_man(g, arena_printf(&g->arena, "p%d", i).p);
    }
}

static void men_are(Cluster *c, size_t n)
{
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(found(&c->rig[i], &STORE_VIEW_ALL, "gender=male"), n);
    }
    all_is_whole(c);
}

/* What is done when a rebuild by the first process has made its first rows. */
typedef struct Meanwhile {
    Cluster *c;
    void (*act)(Cluster *c);
    bool done;
} Meanwhile;

static void meanwhile(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    (void)stage;
    (void)done;
    (void)total;
    Meanwhile *m = ctx;
    if (!m->done) {
        m->done = true;
        m->act(m->c);
    }
}

static Status reindex_with(Cluster *c, void (*act)(Cluster *c))
{
    Meanwhile m = {c, act, false};
    err_clear(&c->rig[0].err);
    Status s = store_reindex(c->rig[0].store, meanwhile, &m, &c->rig[0].err);
    assert_true(m.done);
    return s;
}

static void everybody_writes(Cluster *c)
{
    for (int i = 0; i < PROCESSES; i++) {
        Rig *g = &c->rig[i];
        put_man(g, arena_printf(&g->arena, "q%d", i).p);
        rig_put(g, arena_printf(&g->arena,
                                "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"gender\":"
                                "\"female\"}",
                                i)
                       .p);
        assert_int_equal(found(g, &STORE_VIEW_ALL, "gender=female"), i + 1);
    }
}

/* Acknowledged, searched by and none missed, while another process makes the index anew. */
static void written_beside_a_rebuild(void **state)
{
    (void)state;
    Cluster c;
    men_init(&c);
    rig_ok(&c.rig[0], reindex_with(&c, everybody_writes));
    men_are(&c, MEN);
    cluster_done(&c);
}

static void another_rebuilds(Cluster *c)
{
    rig_ok(&c->rig[1], store_reindex(c->rig[1].store, NULL, NULL, &c->rig[1].err));
}

static void a_second_builder_takes_over(void **state)
{
    (void)state;
    Cluster c;
    men_init(&c);
    assert_int_equal(reindex_with(&c, another_rebuilds), ERR_CONFLICT);
    men_are(&c, MEN);
    rig_ok(&c.rig[0], store_reindex(c.rig[0].store, NULL, NULL, &c.rig[0].err));
    men_are(&c, MEN);
    cluster_done(&c);
}

/* The rebuild either goes on with new connections or gives up; the index is whole in any case. */
static void a_rebuild_is_cut_off(void **state)
{
    (void)state;
    Cluster c;
    men_init(&c);
    Status s = reindex_with(&c, cut_connections);
    assert_true(s == OK || s == ERR_UNAVAILABLE);
    men_are(&c, MEN);
    cluster_done(&c);
}

static void killed(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    (void)ctx;
    (void)stage;
    (void)done;
    (void)total;
    kill(getpid(), SIGKILL);
}

/* This program, called by the test below as a process of its own. */
static int reindex_and_die(const char *address)
{
    Rig g;
    node_init(&g, 9, address);
    return store_reindex(g.store, killed, NULL, &g.err);
}

/* What it had made stays beside, in nobody's way, until the next one begins. */
static void a_rebuilding_process_is_killed(void **state)
{
    (void)state;
    Cluster c;
    int status;
    men_init(&c);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "test_server", c.address, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    put_man(&c.rig[1], "q");
    men_are(&c, MEN + 1);
    rig_ok(&c.rig[2], store_reindex(c.rig[2].store, NULL, NULL, &c.rig[2].err));
    men_are(&c, MEN + 1);
    cluster_done(&c);
}

typedef struct Rebuild {
    Rig *rig;
    _Atomic bool done;
} Rebuild;

static void *rebuild_main(void *arg)
{
    Rebuild *x = arg;
    rig_ok(x->rig, store_reindex(x->rig->store, NULL, NULL, &x->rig->err));
    x->done = true;
    return NULL;
}

static int64_t exchanges_waiting(Db *db)
{
    int64_t n;
    assert_int_equal(db_get_i64(db,
                                "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode ="
                                " 'AccessExclusiveLock'",
                                0, &n, NULL),
                     OK);
    return n;
}

/* A snapshot that is older than a new index never looks into it: all of its rows would be missing.
 */
static void a_snapshot_keeps_its_index(void **state)
{
    (void)state;
    Cluster c;
    Db *db;
    pthread_t thread;
    men_init(&c);
    Rebuild x = {.rig = &c.rig[0]};
    Rig *g = &c.rig[1];
    DbOptions o = {.path = c.address, .space = "log", .wait_ms = 10000};
    assert_int_equal(db_open(&o, &db, NULL), OK);
    rig_ok(g, store_snapshot_begin(g->reader, &g->err)); /* nothing of the index was asked for */
    assert_int_equal(pthread_create(&thread, NULL, rebuild_main, &x), 0);
    while (!x.done && exchanges_waiting(db) == 0) {
        usleep(1000);
    }
    assert_int_equal(found(g, &STORE_VIEW_ALL, "gender=male"), MEN);
    put_man(&c.rig[2], "q"); /* whoever writes is not held up by those who wait for each other */
    assert_int_equal(found(&c.rig[2], &STORE_VIEW_ALL, "gender=male"), MEN + 1);
    assert_int_equal(found(g, &STORE_VIEW_ALL, "gender=male"), MEN);
    store_snapshot_end(g->reader);
    pthread_join(thread, NULL);
    db_close(db);
    men_are(&c, MEN + 1);
    cluster_done(&c);
}

static void put_patient(Rig *g, int n)
{
    rig_put(g, arena_printf(&g->arena,
                            "{\"resourceType\":\"Patient\",\"id\":\"w%d\",\"maritalStatus\":"
                            "{\"coding\":[{\"code\":\"%s\"}]}}",
                            n, n % 2 ? "M" : "S")
                   .p);
}

static void wait_param(Rig *g)
{
    StoreParam *list;
    size_t n = 0;
    for (int i = 0; n == 0 || list[0].state != STORE_PARAM_READY; i++) {
        assert_true(i < 20000);
        store_params_list(g->store, &g->arena, &list, &n);
        usleep(1000);
    }
}

static void define_wed(Cluster *c)
{
    rig_put(&c->rig[1],
            "{\"resourceType\":\"SearchParameter\",\"id\":\"s\",\"url\":\"http://x.y/s\","
            "\"status\":\"active\",\"code\":\"wed\",\"base\":[\"Patient\"],\"type\":"
            "\"token\",\"expression\":\"Patient.maritalStatus\"}");
}

static void define_and_wait(Cluster *c)
{
    define_wed(c);
    for (int i = 0; i < PROCESSES; i++) {
        wait_param(&c->rig[i]);
    }
}

/* It is ready in the index that is there, so it must be in the new one. */
static void a_parameter_comes_while_rebuilding(void **state)
{
    (void)state;
    Cluster c;
    cluster_init(&c);
    for (int i = 0; i < MEN; i++) {
        put_patient(&c.rig[i % PROCESSES], i);
    }
    rig_ok(&c.rig[0], reindex_with(&c, define_and_wait));
    for (int i = 0; i < PROCESSES; i++) {
        wait_param(&c.rig[i]);
        assert_int_equal(found(&c.rig[i], &STORE_VIEW_ALL, "wed=M"), MEN / 2);
    }
    all_is_whole(&c);
    cluster_done(&c);
}

/* Defined in one process, built by any, written and searched by in all. */
static void search_parameters_are_everybodys(void **state)
{
    (void)state;
    Cluster c;
    cluster_init(&c);
    for (int i = 0; i < 100; i++) {
        put_patient(&c.rig[i % PROCESSES], i);
    }
    define_wed(&c);
    for (int i = 100; i < 140; i++) {
        put_patient(&c.rig[i % PROCESSES], i);
    }
    for (int i = 0; i < PROCESSES; i++) {
        wait_param(&c.rig[i]);
        assert_int_equal(found(&c.rig[i], &STORE_VIEW_ALL, "wed=M"), 70);
    }
    all_is_whole(&c);
    cluster_done(&c);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return reindex_and_die(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_here_read_there),
        cmocka_unit_test(grants_are_seen_everywhere),
        cmocka_unit_test(numbers_have_no_gaps),
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(one_wins_among_processes),
        cmocka_unit_test(leases_have_one_holder),
        cmocka_unit_test(written_beside_a_rebuild),
        cmocka_unit_test(a_second_builder_takes_over),
        cmocka_unit_test(a_rebuild_is_cut_off),
        cmocka_unit_test(a_rebuilding_process_is_killed),
        cmocka_unit_test(a_snapshot_keeps_its_index),
        cmocka_unit_test(a_parameter_comes_while_rebuilding),
        cmocka_unit_test(search_parameters_are_everybodys),
    };
    return test_pg_address() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
