/*
 * A full or broken disk, with the power on: for each kind of request its first, second … call of
 * the disk fails, once or from then on. The answer is the usual one or a clear refusal (507 full,
 * 500 or 503 broken, never 404), a refused read shows nothing, a write is whole or absent, and once
 * the disk is well again everything is served without a restart and sound. A database that another
 * program holds is 503.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_stage.h"
#include "cutvfs.h"

#define WELL_AGAIN_MS 10000 /* the audit tries again twenty times a second */

static char base[64], dir[128];
static Stage stage;

/* Which calls of the disk fail while a request is answered; ops 0: none. */
typedef struct Fault {
    unsigned ops;
    int error;
    uint64_t after, times;
    bool struck;     /* it did */
    uint64_t before; /* the log's end when it could */
} Fault;

/* With a new reader, so that what it reads comes from the disk. */
static StageAnswer ask(Arena *a, const StageKind *kind, int round, Fault *fault)
{
    StoreReader *reader;
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_kind_prepare(&stage, reader, kind);
    store_reader_close(reader);
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    fault->before = store_seq(stage.api->store);
    cut_fail(fault->ops, fault->error, fault->after, fault->times);
    StageAnswer answer = stage_kind_call(&stage, reader, a, kind, round);
    fault->struck = cut_fail_failed() > 0;
    cut_fail(0, 0, 0, 0);
    answer.body = arena_str(a, answer.body);
    store_reader_close(reader);
    return answer;
}

static bool is_usual(const StageKind *kind, int status)
{
    return status == kind->status || (kind->writes && (status == 200 || status == 201));
}

/* Until a write goes well again, as a client that follows Retry-After would find. */
static void wait_until_well(void)
{
    int64_t until = time_mono_ms() + WELL_AGAIN_MS;
    for (int status = 0; status != 200;) {
        Arena a;
        arena_init(&a, 0);
        status = ask(&a, &STAGE_KINDS[1], 0, &(Fault){0}).status;
        arena_done(&a);
        assert_true(time_mono_ms() < until);
    }
}

static void refusal_check(const StageKind *kind, const StageAnswer *answer, int error,
                          uint64_t call)
{
    bool clear = answer->status == 500 || answer->status == 503 ||
                 (error == ENOSPC && answer->status == 507);
    if (!is_usual(kind, answer->status) && !clear) {
        print_error("%s, call %llu: %d %.*s\n", kind->name, (unsigned long long)call,
                    answer->status, STR_ARG(answer->body));
        fail();
    }
}

/* The k-th call of these kinds fails in each request, until one has fewer. */
static uint64_t each_call(const StageKind *kind, unsigned ops, int error)
{
    uint64_t k = 0, refused = 0;
    for (bool hit = true; hit; k++) {
        Arena a;
        arena_init(&a, 0);
        Fault fault = {.ops = ops, .error = error, .after = k, .times = 1};
        StageAnswer answer = ask(&a, kind, (int)k, &fault);
        hit = fault.struck;
        refusal_check(kind, &answer, error, k);
        bool usual = is_usual(kind, answer.status);
        refused += !usual;
        assert_true(usual || kind->writes || store_seq(stage.api->store) == fault.before);
        arena_done(&a);
        if (!usual) {
            wait_until_well();
        }
    }
    return refused;
}

static void a_call_of_the_disk_fails(void **state)
{
    (void)state;
    const struct {
        const char *name;
        unsigned ops;
        int error;
    } ways[] = {{"no space", CUT_WRITE, ENOSPC},
                {"write error", CUT_WRITE, EIO},
                {"flush error", CUT_SYNC, EIO},
                {"read error", CUT_READ, EIO}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        uint64_t refused = 0;
        for (size_t i = 0; i < STAGE_KINDS_N; i++) {
            if (stage_wanted(STAGE_KINDS[i].name)) {
                refused += each_call(&STAGE_KINDS[i], ways[w].ops, ways[w].error);
            }
        }
        print_message("%s: %llu requests refused\n", ways[w].name, (unsigned long long)refused);
        assert_true(refused > 0 || getenv("MENKOU_TEST_KIND"));
    }
}

/* From now on every write finds the disk full: 507, nothing is visible. */
static void a_full_disk_takes_nothing_and_recovers(void **state)
{
    (void)state;
    for (size_t i = 0; i < STAGE_KINDS_N; i++) {
        const StageKind *kind = &STAGE_KINDS[i];
        Arena a;
        if (!stage_wanted(kind->name)) {
            continue;
        }
        arena_init(&a, 0);
        Fault full = {.ops = CUT_WRITE, .error = ENOSPC};
        StageAnswer answer = ask(&a, kind, 1000, &full);
        bool is_batch = kind->writes && str_find(answer.body, STR("507")) >= 0;
        /* 204: it is gone already. A read is served until its audit would have to be written. */
        bool fine = answer.status == 507 || (kind->writes ? answer.status == 204 || is_batch
                                                          : answer.status == kind->status);
        if (!fine) {
            print_error("%s: %d %.*s\n", kind->name, answer.status, STR_ARG(answer.body));
        }
        assert_true(fine);
        assert_int_equal(store_seq(stage.api->store), full.before);
        wait_until_well();
        arena_done(&a);
    }
}

/* ---- Work that outlives its request ------------------------------------------------------------
 */

static StageEnd work(const StageWork *w, Fault *fault)
{
    StoreReader *reader;
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_work_prepare(&stage, reader, w);
    cut_fail(fault->ops, fault->error, fault->after, fault->times);
    StageEnd end = stage_work_do(&stage, reader, w);
    fault->struck = cut_fail_failed() > 0;
    cut_fail(0, 0, 0, 0);
    store_reader_close(reader);
    return end;
}

/* Its k-th call fails: it says so, and done again it is whole. */
static uint64_t work_each_call(const StageWork *w, unsigned ops, int error)
{
    uint64_t k = 0, failed = 0;
    for (bool hit = true; hit; k += 1 + k / 20) {
        Fault fault = {.ops = ops, .error = error, .after = k, .times = 1};
        StageEnd end = work(w, &fault);
        hit = fault.struck;
        assert_true(hit || end == STAGE_WHOLE);
        if (hit) {
            wait_until_well(); /* a later write of the audit may have been what failed */
        }
        if (end != STAGE_WHOLE) {
            failed++;
            assert_int_equal(work(w, &(Fault){0}), STAGE_WHOLE);
        }
    }
    return failed;
}

static void work_survives_a_failing_disk(void **state)
{
    (void)state;
    const unsigned ops[] = {CUT_WRITE, CUT_SYNC, CUT_NAME, CUT_READ};
    for (size_t i = 0; i < STAGE_WORKS_N; i++) {
        uint64_t failed = 0;
        if (!stage_wanted(STAGE_WORKS[i].name)) {
            continue;
        }
        stage_work_open(&stage);
        for (size_t o = 0; o < sizeof ops / sizeof *ops; o++) {
            failed += work_each_call(&STAGE_WORKS[i], ops[o], ops[o] == CUT_WRITE ? ENOSPC : EIO);
        }
        print_message("%s: %llu failed and were whole when done again\n", STAGE_WORKS[i].name,
                      (unsigned long long)failed);
        assert_true(failed > 0 || STAGE_WORKS[i].tireless);
    }
}

static void a_held_database_is_503(void **state)
{
    (void)state;
    sqlite3 *other;
    Arena a;
    arena_init(&a, 0);
    const char *path = arena_printf(&a, "%s/log.db", dir).p;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    StageAnswer answer =
        ask(&a, &STAGE_KINDS[1], 1, &(Fault){0}); /* after the ten seconds it waits */
    assert_int_equal(answer.status, 503);
    assert_true(answer.retry_after.n > 0);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    wait_until_well();
    arena_done(&a);
}

static int begin(void **state)
{
    (void)state;
    StoreReader *reader;
    test_folder(base);
    snprintf(dir, sizeof dir, "%s/county", base);
    assert_int_equal(mkdir(dir, 0700), 0);
    log_level_set((LogLevel)(LOG_ERROR + 1)); /* a bad disk is what they would tell of */
    cut_vfs_default(true);
    cut_start(dir, 0, 1);
    assert_true(stage_open(&stage, dir));
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_fill(&stage, reader);
    store_reader_close(reader);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stage_close(&stage);
    uint64_t faults = stage_check(dir);
    cut_end();
    cut_vfs_default(false);
    stage_remove(base);
    return faults ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_of_the_disk_fails),
        cmocka_unit_test(a_full_disk_takes_nothing_and_recovers),
        cmocka_unit_test(work_survives_a_failing_disk),
        cmocka_unit_test(a_held_database_is_503),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
