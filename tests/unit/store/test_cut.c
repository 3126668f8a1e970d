/*
 * Power cuts: after each of them every acknowledged write is there with its bytes, every
 * transaction whole or absent, every acknowledged blob readable, and nothing else is at fault.
 */
#include <pthread.h>

#include "cutvfs.h"
#include "store_test.h"

#define CUTS     220
#define REQUESTS 24
#define THREADS  3

/* One request of one thread: what it wrote and whether it was told so. */
typedef struct Request {
    int n; /* resources of the transaction; 0: a blob */
    bool acknowledged;
    char id[4][40], vid[4][8];
    Sha256 body[4];
    char blob[65];
} Request;

typedef struct Writer {
    Store *store;
    uint64_t seed;
    int number;
    Request requests[REQUESTS];
} Writer;

static void note(Request *q, const StoreReceipt *receipt)
{
    for (size_t i = 0; i < receipt->versions_n; i++) {
        const StoreVersion *v = &receipt->versions[i];
        memcpy(q->vid[i], v->vid.p, v->vid.n);
        q->body[i] = sha256(v->body);
    }
    q->acknowledged = true;
}

/* Ids are shared within a thread, so that updates come too; each request's ids are distinct. */
static void request_write(Writer *w, Request *q, int i, Arena *a, Err *err)
{
    StoreReceipt receipt;
    StoreBatch *b = store_batch_new(w->store, a, &TEST_AUTHOR, STR("cut"));
    q->n = 1 + (int)((w->seed + (uint64_t)i) % 4);
    for (int k = 0; k < q->n; k++) {
        snprintf(q->id[k], sizeof q->id[k], "w%d-%d-%d", w->number, i / 3, k);
        Str body = arena_printf(a,
                                "{\"resourceType\":\"Basic\",\"code\":{\"coding\":[{\"code\":\"r%"
                                "d\"}],\"text\":\"%0*d\"}}",
                                i, 1 + (i * 97 + k * 331) % 3000, i);
        if (store_batch_update(b, STR("Basic"), str_from_c(q->id[k]), body, STR_NONE, err) != OK) {
            return;
        }
    }
    if (store_commit(b, &receipt, err) == OK) {
        note(q, &receipt);
    }
}

static void blob_write(Writer *w, Request *q, int i, Arena *a, Err *err)
{
    Str sha, bytes = arena_printf(a, "%d %d %0*d", w->number, i, 5000, i);
    if (store_blob_put(w->store, a, bytes, &sha, err) == OK) {
        memcpy(q->blob, sha.p, 64);
        q->acknowledged = true;
    }
}

static void *write_all(void *arg)
{
    Writer *w = arg;
    for (int i = 0; i < REQUESTS && !cut_happened(); i++) {
        Arena a;
        Err err;
        arena_init(&a, 0);
        err_init(&err, &a);
        if (i % 8 == 7) {
            blob_write(w, &w->requests[i], i, &a, &err);
        } else {
            request_write(w, &w->requests[i], i, &a, &err);
        }
        arena_done(&a);
    }
    return NULL;
}

static bool store_live(Rig *g, const char *dir, const char *vfs)
{
    StoreOptions o = {.dir = dir,
                      .clock = &g->clock,
                      .random = &g->random,
                      .zone_min = ZONE_CHINA_MIN,
                      .vfs = vfs};
    err_clear(&g->err);
    return store_open(&o, &g->store, &g->err) == OK;
}

static void run_until_cut(Rig *g, const char *dir, Writer writers[THREADS], uint64_t seed)
{
    pthread_t threads[THREADS];
    memset(writers, 0, THREADS * sizeof *writers);
    if (!store_live(g, dir, CUT_VFS)) {
        assert_true(cut_happened());
        return;
    }
    for (int i = 0; i < THREADS; i++) {
        writers[i].store = g->store;
        writers[i].seed = seed;
        writers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cut_now();
    store_close(g->store);
}

static bool version_is(Rig *g, const Request *q, int k)
{
    StoreVersion v;
    Sha256 found;
    if (store_vread(g->reader, &g->arena, &STORE_VIEW_ALL, STR("Basic"), str_from_c(q->id[k]),
                    str_from_c(q->vid[k]), &v, NULL) != OK) {
        return false;
    }
    found = sha256(v.body);
    return memcmp(found.b, q->body[k].b, sizeof found.b) == 0;
}

static Str cause_code(Rig *g, const char *id)
{
    StoreVersion v;
    JsonDoc d;
    if (store_read(g->reader, &g->arena, &STORE_VIEW_ALL, STR("Basic"), str_from_c(id), &v, NULL) !=
            OK ||
        json_parse(&g->arena, v.body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return STR_NONE;
    }
    return json_str_at(&d, JSON_ROOT, "code.coding.0.code");
}

/* Either all of the request's resources show it, or none does (unless a later request changed
 * them). */
static void check_whole(Rig *g, const Writer *w, int i)
{
    const Request *q = &w->requests[i];
    Str mark = arena_printf(&g->arena, "r%d", i);
    int shown = 0, later = 0;
    for (int k = 0; k < q->n; k++) {
        Str code = cause_code(g, q->id[k]);
        int64_t n = -1;
        shown += str_eq(code, mark);
        later += code.n > 1 && str_to_i64(str_skip(code, 1), &n) && n > i;
    }
    assert_true(shown == 0 || shown + later == q->n);
    assert_true(!q->acknowledged || shown + later == q->n);
}

static void check_writer(Rig *g, const Writer *w)
{
    for (int i = 0; i < REQUESTS; i++) {
        const Request *q = &w->requests[i];
        Str bytes;
        if (q->blob[0]) {
            rig_ok(g, store_blob_get(g->store, &g->arena, str_from_c(q->blob), &bytes, &g->err));
        }
        for (int k = 0; k < q->n && q->acknowledged; k++) {
            assert_true(version_is(g, q, k));
        }
        check_whole(g, w, i);
    }
}

static void check_survivors(Rig *g, const char *dir, const Writer writers[THREADS])
{
    uint64_t faults = 1;
    if (!store_live(g, dir, NULL)) {
        rig_fail(g, __FILE__, __LINE__);
    }
    rig_ok(g, store_reader_open(g->store, &g->reader, &g->err));
    for (int i = 0; i < THREADS; i++) {
        check_writer(g, &writers[i]);
    }
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    if (faults) {
        rig_fail(g, __FILE__, __LINE__);
    }
    store_reader_close(g->reader);
    store_close(g->store);
}

static void shell(const char *format, const char *dir)
{
    char command[256];
    snprintf(command, sizeof command, "%s %s", format, dir);
    assert_int_equal(system(command), 0);
}

static uint64_t acknowledged_of(const Writer writers[THREADS])
{
    uint64_t n = 0;
    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < REQUESTS; k++) {
            n += writers[i].requests[k].acknowledged;
        }
    }
    return n;
}

static void power_cuts(void **state)
{
    (void)state;
    static Writer writers[THREADS];
    Rig g = {0};
    char base[TEST_FOLDER_MAX], live[TEST_FOLDER_MAX + 8], left[TEST_FOLDER_MAX + 8];
    const char *few = getenv("MENKOU_TEST_CUTS"), *from = getenv("MENKOU_TEST_SEED");
    int64_t cuts = few ? strtol(few, NULL, 10) : CUTS;
    uint64_t seed = from ? strtoull(from, NULL, 10) : 1, acknowledged = 0;
    test_folder(base);
    snprintf(live, sizeof live, "%s/live", base);
    snprintf(left, sizeof left, "%s/left", base);
    arena_init(&g.arena, 0);
    err_init(&g.err, &g.arena);
    clock_init_system(&g.clock);
    random_init_seed(&g.random, 42);
    cut_start(live, 0, 1);
    run_until_cut(&g, live, writers, 0);
    uint64_t calls = cut_calls();
    assert_int_equal(acknowledged_of(writers), THREADS * REQUESTS);
    for (int64_t i = 0; i < cuts; i++, seed++) {
        shell("rm -rf", live);
        shell("rm -rf", left);
        shell("mkdir", left);
        cut_start(live, 1 + (seed * 7919) % calls, seed);
        run_until_cut(&g, live, writers, seed);
        cut_survivors(left);
        acknowledged += acknowledged_of(writers);
        check_survivors(&g, left, writers);
        arena_reset(&g.arena);
        err_init(&g.err, &g.arena);
    }
    cut_end();
    print_message("%lld cuts within %llu calls, %llu acknowledged requests compared\n",
                  (long long)cuts, (unsigned long long)calls, (unsigned long long)acknowledged);
    shell("rm -rf", base);
    arena_done(&g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
