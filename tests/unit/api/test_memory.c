/*
 * Memory refused: for each kind of request every allocation fails once, the first, the second and
 * so on until none is left to fail; those of the databases' library too. The answer is the usual
 * one or a clear 503, a refused write has left nothing, a read is whole or refused, nothing leaks
 * (the sanitizer looks), and at the end all data are sound.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api_stage.h"

#define FEWER 40 /* by default, of the k-th allocations the first 40, then one in k / 40 */

static _Atomic int64_t countdown; /* the allocation that makes it 0 fails; 0: none is armed */
static _Atomic bool struck;

static bool refused(void)
{
    if (atomic_load(&countdown) <= 0 || atomic_fetch_sub(&countdown, 1) != 1) {
        return false;
    }
    atomic_store(&struck, true);
    return true;
}

static void arm(int64_t k)
{
    atomic_store(&struck, false);
    atomic_store(&countdown, k);
}

static bool disarm(void)
{
    atomic_store(&countdown, 0);
    return atomic_load(&struck);
}

/* ---- Allocations of the program (linked with --wrap) and of SQLite ------------------------------
 */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return refused() ? NULL : __real_realloc(p, n);
}

static sqlite3_mem_methods plain;

static void *sqlite_take(int n)
{
    return refused() ? NULL : plain.xMalloc(n);
}

static void *sqlite_grow(void *p, int n)
{
    return refused() ? NULL : plain.xRealloc(p, n);
}

static void sqlite_wrap(void)
{
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain), SQLITE_OK);
    sqlite3_mem_methods mine = plain;
    mine.xMalloc = sqlite_take;
    mine.xRealloc = sqlite_grow;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
}

/* ---- Each kind --------------------------------------------------------------------------------
 */

static char folder[64];
static Stage stage;

typedef struct Result {
    int64_t tried, refusals;
} Result;

/* True while there was an allocation to refuse. */
static bool one_refusal(const StageKind *kind, int64_t k, Result *result)
{
    Arena a;
    StoreReader *reader;
    arena_init(&a, 0);
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_kind_prepare(&stage, reader, kind);
    uint64_t before = store_seq(stage.api->store);
    arm(k);
    StageAnswer answer = stage_kind_call(&stage, reader, &a, kind, (int)k);
    bool hit = disarm();
    bool usual = answer.status == kind->status ||
                 (kind->writes && (answer.status == 200 || answer.status == 201));
    if (!usual && !(hit && answer.status == 503 && answer.retry_after.n)) {
        print_error("%s, allocation %lld: %d %.*s\n", kind->name, (long long)k, answer.status,
                    STR_ARG(answer.body));
        fail();
    }
    if (!usual) {
        result->refusals++;
        assert_int_equal(store_seq(stage.api->store), before);
    }
    result->tried += hit;
    store_reader_close(reader);
    arena_done(&a);
    memory_reserve_fill();
    return hit;
}

static void every_allocation_of_every_kind(void **state)
{
    (void)state;
    const char *every = getenv("MENKOU_LONG");
    every = every && *every ? every : NULL;
    for (size_t i = 0; i < STAGE_KINDS_N; i++) {
        Result result = {0};
        int64_t k = 1;
        if (!stage_wanted(STAGE_KINDS[i].name)) {
            continue;
        }
        while (one_refusal(&STAGE_KINDS[i], k, &result)) {
            k += every ? 1 : 1 + k / FEWER;
        }
        print_message("%s: %lld allocations, %lld answered 503\n", STAGE_KINDS[i].name,
                      (long long)result.tried, (long long)result.refusals);
    }
}

/* Work that outlives its request: whoever of its threads is refused, it ends and says how; done
 * again it is whole. */
static bool work_refusal(const StageWork *work, int64_t k, Result *result)
{
    StoreReader *reader;
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_work_prepare(&stage, reader, work);
    arm(k);
    StageEnd end = stage_work_do(&stage, reader, work);
    bool hit = disarm();
    memory_reserve_fill();
    assert_true(hit || end == STAGE_WHOLE);
    if (end != STAGE_WHOLE) {
        result->refusals++;
        stage_work_prepare(&stage, reader, work);
        assert_int_equal(stage_work_do(&stage, reader, work), STAGE_WHOLE);
    }
    result->tried += hit;
    store_reader_close(reader);
    return hit;
}

static void every_allocation_of_every_work(void **state)
{
    (void)state;
    const char *every = getenv("MENKOU_LONG");
    int64_t fewer = every && *every ? 10 * FEWER : FEWER / 4;
    for (size_t i = 0; i < STAGE_WORKS_N; i++) {
        Result result = {0};
        if (!stage_wanted(STAGE_WORKS[i].name)) {
            continue;
        }
        stage_work_open(&stage);
        for (int64_t k = 1; work_refusal(&STAGE_WORKS[i], k, &result); k += 1 + k / fewer) {
        }
        print_message("%s: %lld allocations, %lld ended early\n", STAGE_WORKS[i].name,
                      (long long)result.tried, (long long)result.refusals);
    }
}

static int begin(void **state)
{
    (void)state;
    StoreReader *reader;
    sqlite_wrap();
    memory_reserve_fill();
    log_level_set((LogLevel)(LOG_ERROR + 1)); /* that memory is short is what this is about */
    assert_true(stage_open(&stage, test_folder(folder)));
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_fill(&stage, reader);
    store_reader_close(reader);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stage_close(&stage);
    uint64_t faults = stage_check(folder);
    stage_remove(folder);
    return faults ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_of_every_kind),
                                       cmocka_unit_test(every_allocation_of_every_work)};
    return cmocka_run_group_tests(tests, begin, end);
}
