/*
 * What the files keep of bodies (store_purge_tidy.c): each stands in log.db once, whatever was
 * written, and not at all when it was purged; nobody who writes meanwhile is lost or held up.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store_draft.h"
#include "store_purge.h"
#include "store_test.h"

#define SECRET "zzqx-unheard-of-word"

static void purge(Rig *g, const char *id, Str targets)
{
    StorePurge p = {.id = str_from_c(id),
                    .target = targets,
                    .reason = STR("the person asked for it"),
                    .proposer = STR("system"),
                    .proposed_ms = T0,
                    .expires_ms = T0 + MS_DAY};
    rig_ok(g, store_purge_propose(g->store, &p, 10, &g->err));
    rig_ok(g, store_purge_decide(g->store, p.id, PURGE_CONFIRMED, STR("security"), T0, &g->err));
    uint64_t held = rig_server() ? UINT64_MAX : 0; /* a server writes its tables anew, at once */
    rig_ok(g, store_purge_run(g->reader, &g->arena, held, &p, &g->err));
    assert_int_equal(p.state, PURGE_DONE);
}

static void sound(Rig *g)
{
    uint64_t faults = 1;
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    assert_int_equal(faults, 0);
}

static Str file_bytes(Rig *g, const char *name)
{
    Str bytes, path = path_join(&g->arena, str_from_c(g->dir), str_from_c(name));
    rig_ok(g, file_read(&g->arena, path.p, (size_t)1 << 30, &bytes, &g->err));
    return bytes;
}

static int times_in(Str bytes, Str what)
{
    int n = 0;
    for (ptrdiff_t at; (at = str_find(bytes, what)) >= 0; n++) {
        bytes = str_skip(bytes, (size_t)at + 1);
    }
    return n;
}

/* ---- Bodies in the log ----------------------------------------------------------------------- */

#define NOTES     240
#define PIECE     20 /* bytes of a packed body that stand nowhere else */
#define PIECE_AT  40 /* behind what all bodies have */
#define PURGED_AT 7  /* every so many resources go */

typedef struct Body {
    int64_t rid;
    Str piece;
    bool gone;
} Body;

/* Nothing that a packer could make short or that searches look into; now and then more than a page
 * holds. */
static void note_put(Rig *g, int i)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t n = 60 + random_below(&g->random, random_below(&g->random, 20) ? 900 : 30000);
    char *text = arena_alloc(&g->arena, n + 1);
    for (size_t k = 0; k < n; k++) {
        text[k] = letters[random_below(&g->random, 64)];
    }
    (void)rig_put(g, arena_printf(&g->arena,
                                  "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":"
                                  "\"final\",\"code\":{},\"note\":[{\"text\":\"%s\"}]}",
                                  i, text)
                         .p);
    arena_reset(&g->arena);
}

static Body *bodies_read(Rig *g, Arena *a, size_t *ret_n)
{
    Db *db = rig_log(g);
    Body *list = arena_array(a, Body, (size_t)NOTES * 8);
    DbStmt *st = db_take(db, "SELECT rid, body FROM version WHERE body IS NOT NULL ORDER BY seq");
    size_t n = 0;
    assert_non_null(st);
    while (db_step(st) == DB_ROW) {
        Str body = db_col_str(st, 1);
        assert_true(body.n > PIECE_AT + PIECE);
        list[n++] = (Body){.rid = db_col_i64(st, 0),
                           .piece = arena_str(a, str_take(str_skip(body, PIECE_AT), PIECE))};
    }
    db_give(st);
    db_close(db);
    *ret_n = n;
    return list;
}

/* Every PURGED_AT-th resource, beginning somewhere else each time. */
static void some_purge(Rig *g, int round)
{
    Str targets = STR_NONE;
    for (int i = round; i < NOTES; i += PURGED_AT) {
        targets = arena_cat(&g->arena, targets, targets.n ? STR(" ") : STR_NONE,
                            arena_printf(&g->arena, "Observation/o%d", i));
    }
    purge(g, arena_printf(&g->arena, "p%d", round).p, targets);
}

/* How many stand there as often as they should: once, or not at all. */
static size_t right_in(Rig *g, const Body *list, size_t n, int round)
{
    Str log = file_bytes(g, "log.db");
    size_t right = 0;
    for (size_t i = 0; i < n; i++) {
        bool gone = (list[i].rid - 1) % PURGED_AT == round; /* written in the order of their ids */
        right += times_in(log, list[i].piece) == (gone ? 0 : 1);
    }
    return right;
}

static void bodies_stand_once(void **state)
{
    (void)state;
    rig_files_only();
    Rig g;
    rig_init(&g, true);
    for (int round = 0; round < 3; round++) {
        Arena a;
        size_t n;
        arena_init(&a, 0);
        for (int i = 0; i < NOTES; i++) {
            note_put(&g, i);
        }
        rig_close(&g);
        Body *list = bodies_read(&g, &a, &n);
        assert_int_equal(right_in(&g, list, n, -1), n);
        rig_open(&g);
        some_purge(&g, round);
        sound(&g);
        assert_int_equal(file_bytes(&g, "log.db-wal").n ? right_in(&g, list, n, round) : 0, n);
        rig_close(&g);
        assert_int_equal(right_in(&g, list, n, round), n);
        rig_open(&g);
        arena_done(&a);
    }
    rig_done(&g);
}

/* ---- Half-filled forms ----------------------------------------------------------------------- */

static StoreDraft form(Rig *g, int i, const char *text)
{
    uint64_t person = (uint64_t)i * 2654435761u % 1000003u; /* in no order: pages split */
    return (StoreDraft){
        .person = arena_printf(&g->arena, "Practitioner/p%06llu", (unsigned long long)person),
        .post = STR("PractitionerRole/a"),
        .key = STR("start:x:Patient/other"),
        .body = arena_printf(&g->arena, "{\"t\":\"%s %d%0400d\"}", text, i, 0),
        .at_ms = T0};
}

static void forms_leave_nothing(void **state)
{
    (void)state;
    rig_files_only();
    enum { FORMS = 400 };
    Rig g;
    StoreDraft got;
    rig_init(&g, true);
    (void)rig_put(&g, "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{\"text\":\"A\"}]}");
    for (int i = 0; i < FORMS; i++) {
        StoreDraft d = form(&g, i, i % 2 ? SECRET : "plain");
        rig_ok(&g, store_draft_put(g.store, &d, 0, 9, &g.err));
    }
    for (int i = 1; i < FORMS; i += 2) { /* sent, long before anybody thinks of a purge */
        StoreDraft d = form(&g, i, SECRET);
        rig_ok(&g, store_draft_remove(g.store, d.person, d.post, d.key, &g.err));
    }
    rig_ok(&g, store_flush(g.store, &g.err));
    assert_true(times_in(file_bytes(&g, "log.db"), STR(SECRET)) > 0); /* in gaps */
    purge(&g, "a", STR("Patient/p1"));
    assert_int_equal(times_in(file_bytes(&g, "log.db"), STR(SECRET)), 0);
    assert_int_equal(times_in(file_bytes(&g, "log.db-wal"), STR(SECRET)), 0);
    for (int i = 0; i < FORMS; i += 2) {
        StoreDraft d = form(&g, i, "plain");
        rig_ok(&g, store_draft_get(g.reader, &g.arena, d.person, d.post, d.key, 0, &got, &g.err));
        assert_true(str_eq(got.body, d.body));
    }
    rig_done(&g);
}

/* ---- Others write meanwhile ------------------------------------------------------------------ */

typedef struct Others {
    Rig *rig;
    atomic_bool over;
    atomic_int written;
} Others;

static void *others_main(void *arg)
{
    Others *o = arg;
    Rig own = {.store = o->rig->store};
    arena_init(&own.arena, 0);
    err_init(&own.err, &own.arena);
    for (int i = 0; !atomic_load(&o->over); i++) {
        StoreReceipt receipt;
        Str body = arena_printf(&own.arena,
                                "{\"resourceType\":\"Basic\",\"id\":\"b%d\",\"code\":{\"text\":"
                                "\"%d\"}}",
                                i % 97, i);
        if (rig_try_put(&own, body.p, &receipt) == OK) {
            atomic_fetch_add(&o->written, 1);
        }
        arena_reset(&own.arena);
        err_init(&own.err, &own.arena);
    }
    arena_done(&own.arena);
    return NULL;
}

static void nobody_is_lost_meanwhile(void **state)
{
    (void)state;
    Rig g;
    pthread_t thread;
    StoreVersion v;
    rig_init(&g, true);
    for (int i = 0; i < NOTES; i++) {
        note_put(&g, i);
    }
    Others others = {.rig = &g};
    uint64_t seq = store_seq(g.store);
    assert_int_equal(pthread_create(&thread, NULL, others_main, &others), 0);
    for (int round = 0; round < 3; round++) {
        int before = atomic_load(&others.written);
        some_purge(&g, round);
        assert_true(store_wait(g.store, store_seq(g.store), 10000));
        assert_true(atomic_load(&others.written) > before);
    }
    atomic_store(&others.over, true);
    pthread_join(thread, NULL);
    sound(&g);
    rig_close(&g);
    rig_open(&g);
    assert_true(store_seq(g.store) >= seq + (uint64_t)atomic_load(&others.written));
    sound(&g);
    for (int i = 0; i < 97 && i < atomic_load(&others.written); i++) {
        rig_ok(&g, store_read(g.reader, &g.arena, &STORE_VIEW_ALL, STR("Basic"),
                              arena_printf(&g.arena, "b%d", i), &v, &g.err));
    }
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_stand_once),
        cmocka_unit_test(forms_leave_nothing),
        cmocka_unit_test(nobody_is_lost_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
