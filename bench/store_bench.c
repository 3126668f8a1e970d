/*
 * Figures of the store: store-bench [RESOURCES [DIR]]. Fills a store with patients and their
 * observations, then measures reads, searches and durable creates beside the raw fdatasync rate
 * of the same disk in the same run. Prints one line a figure.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store.h"

#include "mk_banned.h"

#define PER_PATIENT 100
#define SECONDS     3

static Store *store;
static Clock bench_clock;
static Random bench_random;
static const StoreAuthor author = {
    {"Device/bench", 12}, {"integrator", 10}, {"Organization/hospital", 21}};
static int patients;

static void must(Status s, const Err *err)
{
    if (s != OK) {
        fprintf(stderr, "store-bench: %.*s\n",
                STR_ARG(err->first ? err->first->en : STR("failed")));
        exit(1);
    }
}

static Str patient_body(Arena *a, int i)
{
    return arena_printf(
        a,
        "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"active\":true,\"identifier\":[{\"use\":"
        "\"official\","
        "\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
        "v2-0203\",\"code\":"
        "\"NI\"}]},\"system\":\"urn:oid:2.16.156.10011.1.3\",\"value\":\"99999919500101%05d\"}],"
        "\"name\":[{\"use\":\"official\",\"text\":\"居民%d\",\"family\":\"居\",\"given\":[\"民%d\"]"
        "}],"
        "\"telecom\":[{\"system\":\"phone\",\"value\":\"139%08d\"}],\"gender\":\"%s\","
        "\"birthDate\":"
        "\"19%02d-%02d-%02d\",\"address\":[{\"text\":\"某县某镇某村%d组\"}]}",
        i, i, i, i, i, i % 2 ? "male" : "female", i % 80 + 10, i % 12 + 1, i % 28 + 1, i % 9);
}

static Str observation_body(Arena *a, int patient, int i)
{
    static const char *const codes[] = {"8480-6", "8462-4", "8867-4", "29463-7",
                                        "8310-5", "9279-1", "2339-0"};
    return arena_printf(
        a,
        "{\"resourceType\":\"Observation\",\"status\":\"final\",\"category\":[{\"coding\":[{"
        "\"system\":"
        "\"http://terminology.hl7.org/CodeSystem/"
        "observation-category\",\"code\":\"vital-signs\",\"display\":"
        "\"Vital "
        "Signs\"}]}],\"code\":{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"%s\","
        "\"display\":\"measured value\"}],\"text\":\"measured value\"},\"subject\":{\"reference\":"
        "\"Patient/p%d\"},\"encounter\":{\"reference\":\"Encounter/e%d\"},\"effectiveDateTime\":"
        "\"20%02d-%02d-%02dT08:%02d:00+08:00\",\"issued\":\"2025-03-01T08:00:00.000+08:00\","
        "\"valueQuantity\":"
        "{\"value\":%d.%d,\"unit\":\"mm[Hg]\",\"system\":\"http://"
        "unitsofmeasure.org\",\"code\":\"mm[Hg]\"}}",
        codes[i % 7], patient, patient * 20 + i % 20, i / 7 % 20 + 5, i % 12 + 1, i % 28 + 1,
        i % 60, 90 + i % 60, i % 10);
}

/* ---- Filling ------------------------------------------------------------------------------ */

static void fill(int resources)
{
    Arena a;
    Err err;
    patients = resources / (PER_PATIENT + 1);
    arena_init(&a, 0);
    int64_t start = time_mono_us();
    for (int p = 0; p < patients; p += 10) {
        StoreReceipt receipt;
        err_init(&err, &a);
        StoreBatch *b = store_batch_new(store, &a, &author, STR("bench"));
        for (int q = p; q < p + 10 && q < patients; q++) {
            Str id = arena_printf(&a, "p%d", q);
            must(store_batch_update(b, STR("Patient"), id, patient_body(&a, q), STR_NONE, &err),
                 &err);
            for (int i = 0; i < PER_PATIENT; i++) {
                must(store_batch_create(b, STR("Observation"), STR_NONE, observation_body(&a, q, i),
                                        NULL, &err),
                     &err);
            }
        }
        must(store_commit(b, &receipt, &err), &err);
        arena_reset(&a);
    }
    err_init(&err, &a);
    must(store_flush(store, &err), &err);
    double s = (double)(time_mono_us() - start) / 1e6;
    printf("load        %8.0f resources/s (one thread, transactions of 1,010)\n",
           (double)store_seq(store) / s);
    arena_done(&a);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Of this thread: what a figure is on a machine that does other things too. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void measure(const char *name, void (*one)(StoreReader *, Arena *, int, Err *), int n)
{
    Arena a;
    Err err;
    StoreReader *r;
    arena_init(&a, 0);
    err_init(&err, &a);
    must(store_reader_open(store, &r, &err), &err);
    for (int i = 0; i < n / 10; i++) {
        err_init(&err, &a);
        one(r, &a, i * 7, &err);
        arena_reset(&a);
    }
    int64_t start = time_mono_us(), cpu = cpu_us();
    for (int i = 0; i < n; i++) {
        err_init(&err, &a);
        one(r, &a, i, &err);
        arena_reset(&a);
    }
    printf("%-22s %8.1f us (%.1f us of CPU)\n", name, (double)(time_mono_us() - start) / n,
           (double)(cpu_us() - cpu) / n);
    store_reader_close(r);
    arena_done(&a);
}

static void one_read(StoreReader *r, Arena *a, int i, Err *err)
{
    StoreVersion v;
    Str id = arena_printf(a, "p%d", (i * 37) % patients);
    must(store_read(r, a, &STORE_VIEW_ALL, STR("Patient"), id, &v, err), err);
}

static void one_search(StoreReader *r, Arena *a, const char *type, Str query, Err *err)
{
    StoreQuery *q;
    StorePage page;
    must(store_query_parse(a, str_from_c(type), query, false, ZONE_CHINA_MIN, &q, err), err);
    must(store_search(r, a, q, &STORE_VIEW_ALL, STR_NONE, &page, err), err);
    if (page.hits_n == 0) {
        fprintf(stderr, "store-bench: nothing found for %.*s\n", STR_ARG(query));
        exit(1);
    }
}

static void patient_code(StoreReader *r, Arena *a, int i, Err *err)
{
    Str q = arena_printf(a, "patient=Patient/p%d&code=8480-6&_sort=-date&_count=20",
                         (i * 37) % patients);
    one_search(r, a, "Observation", q, err);
}

static void patient_all(StoreReader *r, Arena *a, int i, Err *err)
{
    one_search(r, a, "Observation",
               arena_printf(a, "patient=Patient/p%d&_sort=-date&_count=20", (i * 37) % patients),
               err);
}

static void code_date(StoreReader *r, Arena *a, int i, Err *err)
{
    (void)i;
    one_search(r, a, "Observation", STR("code=http://loinc.org|8480-6&_sort=-date&_count=20"), err);
}

static void name_prefix(StoreReader *r, Arena *a, int i, Err *err)
{
    one_search(r, a, "Patient", arena_printf(a, "name=居民%d&_count=20", (i * 37) % patients), err);
}

static void chained(StoreReader *r, Arena *a, int i, Err *err)
{
    Str q =
        arena_printf(a, "patient.identifier=99999919500101%05d&code=8480-6", (i * 37) % patients);
    one_search(r, a, "Observation", q, err);
}

/* ---- Durable creates ----------------------------------------------------------------------------
 */

typedef struct Worker {
    int64_t until_us;
    int number;
    uint64_t done;
    int64_t worst_us;
} Worker;

static void *create(void *arg)
{
    Worker *w = arg;
    Arena a;
    Err err;
    arena_init(&a, 0);
    while (time_mono_us() < w->until_us) {
        StoreReceipt receipt;
        err_init(&err, &a);
        int64_t start = time_mono_us();
        StoreBatch *b = store_batch_new(store, &a, &author, STR("POST Observation"));
        int p = (int)random_below(&bench_random, (uint64_t)patients);
        must(store_batch_create(b, STR("Observation"), STR_NONE,
                                observation_body(&a, p, (int)w->done), NULL, &err),
             &err);
        must(store_commit(b, &receipt, &err), &err);
        int64_t took = time_mono_us() - start;
        w->worst_us = took > w->worst_us ? took : w->worst_us;
        w->done++;
        arena_reset(&a);
    }
    arena_done(&a);
    return NULL;
}

static void creates(int threads)
{
    pthread_t thread[64];
    Worker worker[64];
    uint64_t done = 0;
    int64_t worst = 0;
    for (int i = 0; i < threads; i++) {
        worker[i] = (Worker){.until_us = time_mono_us() + SECONDS * 1000000, .number = i};
        pthread_create(&thread[i], NULL, create, &worker[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        done += worker[i].done;
        worst = worker[i].worst_us > worst ? worker[i].worst_us : worst;
    }
    printf("create      %8.0f /s at %2d threads (slowest %.1f ms)\n", (double)done / SECONDS,
           threads, (double)worst / 1e3);
}

static void raw_sync(const char *dir)
{
    char path[512], page[8192] = {0};
    snprintf(path, sizeof path, "%s/raw", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), n = 0;
    int64_t until = time_mono_us() + 1000000;
    while (fd >= 0 && time_mono_us() < until) {
        if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd) != 0) {
            break;
        }
        n++;
    }
    close(fd);
    unlink(path);
    printf("fdatasync   %8d /s (8 KiB appended)\n", n);
}

int main(int argc, char **argv)
{
    int64_t resources = 100000;
    char made[] = "/tmp/menkou-bench-XXXXXX";
    const char *dir = argc > 2 ? argv[2] : mkdtemp(made);
    if (argc > 1 && (!str_to_i64(str_from_c(argv[1]), &resources) || resources < 1000)) {
        fprintf(stderr, "store-bench [RESOURCES [DIR]]\n");
        return 2;
    }
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    clock_init_system(&bench_clock);
    random_init_seed(&bench_random, 1);
    StoreOptions o = {.dir = dir,
                      .clock = &bench_clock,
                      .random = &bench_random,
                      .zone_min = ZONE_CHINA_MIN,
                      .bulk = true};
    must(store_open(&o, &store, &err), &err);
    fill((int)resources);
    store_close(store);
    o.bulk = false;
    int64_t start = time_mono_us();
    must(store_open(&o, &store, &err), &err);
    printf("open        %8.1f ms\n", (double)(time_mono_us() - start) / 1e3);
    measure("read", one_read, 50000);
    measure("patient+code by date", patient_code, 20000);
    measure("patient by date (20)", patient_all, 5000);
    measure("code by date (20)", code_date, 5000);
    measure("name prefix", name_prefix, 5000);
    measure("chained by identifier", chained, 5000);
    raw_sync(dir);
    creates(1);
    creates(16);
    creates(64);
    store_close(store);
    printf("the data are in %s\n", dir);
    arena_done(&a);
    return 0;
}
