/*
 * Figures of the store: store-bench [RESOURCES [DIR [BUNDLES [ONLY]]]]. Fills DIR, unless it holds
 * data already, with patients and their observations, or with copies of the bundles in a folder;
 * then measures reads, searches (also through a view of 1,200 patients) and durable creates beside
 * the raw fdatasync rate of the same disk in the same run; of Synthea also the searches of W1 (see
 * bench/fhir.mjs) and others that growing lists make slow, each on its own. ONLY: nothing but the
 * searches whose names have this in them, for a profiler. Prints one line a figure; CPU is of the
 * thread that asks, where a process is named of all its threads.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"
#include "synthea.h"

#include "mk_banned.h"

#define PER_PATIENT 100
#define FILL_BATCH  1000
#define FILLERS     2
#define SECONDS     3
#define NARROW      1200 /* patients of the narrow view */
#define NARROW_ORG  "Organization/narrow"
#define VILLAGE     280 /* one of so many patients is the village's, as in a county */
#define VILLAGE_ORG "Organization/village"
#define CODES_MANY  "8480-6"
#define BENCH_ORG   "Organization/hospital"

static Store *store;
static Clock bench_clock;
static Random bench_random;
static const StoreAuthor author = {
    {"Device/bench", 12}, {"integrator", 10}, {BENCH_ORG, sizeof BENCH_ORG - 1}};

/* What is measured: made here, or copies of the bundles. */
static Synthea synthea; /* n 0: made here */
static Str *patient;    /* ids */
static int patients;
static const char *code = CODES_MANY;
static const char *only; /* NULL: everything is measured */
static Str narrow_orgs[] = {{NARROW_ORG, sizeof NARROW_ORG - 1}};
static StoreView view = {.clinical = true, .orgs = narrow_orgs, .orgs_n = 1};
static Str village_orgs[] = {{VILLAGE_ORG, sizeof VILLAGE_ORG - 1}};
static StoreView village = {.clinical = true, .orgs = village_orgs, .orgs_n = 1};

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

static Str observation_body(Arena *a, int number, int i)
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
        codes[i % 7], number, number * 20 + i % 20, i / 7 % 20 + 5, i % 12 + 1, i % 28 + 1, i % 60,
        90 + i % 60, i % 10);
}

/* ---- Filling ------------------------------------------------------------------------------ */

typedef struct Filler {
    int number;
    uint32_t copies; /* or patients, made here */
    size_t since;    /* in the batch */
    StoreBatch *batch;
    Arena arena;
    Err err;
} Filler;

static void filler_commit(Filler *f)
{
    StoreReceipt receipt;
    if (f->batch) {
        must(store_commit(f->batch, &receipt, &f->err), &f->err);
    }
    arena_reset(&f->arena);
    err_init(&f->err, &f->arena);
    f->batch = store_batch_new(store, &f->arena, &author, STR("bench"));
    f->since = 0;
}

static void filler_put(Filler *f, Str type, Str id, Str body)
{
    must(store_batch_update(f->batch, type, id, body, STR_NONE, &f->err), &f->err);
    if (++f->since == FILL_BATCH) {
        filler_commit(f);
    }
}

static void fill_made(Filler *f, uint32_t p)
{
    Arena *a = &f->arena;
    filler_put(f, STR("Patient"), arena_printf(a, "p%u", p), patient_body(a, (int)p));
    for (int i = 0; i < PER_PATIENT; i++) {
        filler_put(f, STR("Observation"), arena_printf(a, "p%u-%d", p, i),
                   observation_body(a, (int)p, i));
    }
}

static void fill_copy(Filler *f, uint32_t copy)
{
    for (size_t i = 0; i < synthea.n; i++) {
        const SyntheaResource *r = &synthea.at[i];
        Str id = synthea_id(&f->arena, r->uuid, copy);
        filler_put(f, r->type, id, synthea_body(&f->arena, r, copy));
    }
}

static void *fill_run(void *arg)
{
    Filler *f = arg;
    arena_init(&f->arena, 0);
    filler_commit(f);
    for (uint32_t i = (uint32_t)f->number; i < f->copies; i += FILLERS) {
        if (synthea.n) {
            fill_copy(f, i);
        } else {
            fill_made(f, i);
        }
    }
    filler_commit(f);
    arena_done(&f->arena);
    return NULL;
}

/* CPU of all threads, the system's included. */
static double process_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double file_bytes(const char *dir, const char *file)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return stat(path, &st) == 0 ? (double)st.st_size : 0;
}

static void fill(uint32_t copies)
{
    pthread_t thread[FILLERS];
    Filler filler[FILLERS] = {0};
    Err err = {0};
    double cpu = process_cpu_s();
    int64_t start = time_mono_us();
    for (int i = 0; i < FILLERS; i++) {
        filler[i] = (Filler){.number = i, .copies = copies};
        pthread_create(&thread[i], NULL, fill_run, &filler[i]);
    }
    for (int i = 0; i < FILLERS; i++) {
        pthread_join(thread[i], NULL);
    }
    must(store_flush(store, &err), &err);
    double s = (double)(time_mono_us() - start) / 1e6, n = (double)store_seq(store);
    cpu = process_cpu_s() - cpu;
    printf("load        %8.0f resources/s (%.1f us of CPU each, %d threads beside the writer)\n",
           n / s, cpu * 1e6 / n, FILLERS);
}

/* Of the closed store, whose index holds everything. */
static void bytes_print(const char *dir, double n)
{
    double log = file_bytes(dir, "log.db"), index = file_bytes(dir, "index.db");
    printf("bytes       %8.0f a resource (log.db %.0f, index.db %.0f)\n", (log + index) / n,
           log / n, index / n);
}

/* The ids of the patients, and grants of some of them to the narrow view's organisation. */
static void patients_list(Arena *a, uint32_t copies)
{
    patient = arena_array(a, Str, synthea.n ? copies * synthea.n : copies);
    for (uint32_t c = 0; c < copies; c++) {
        if (!synthea.n) {
            patient[patients++] = arena_printf(a, "p%u", c);
        }
        for (size_t i = 0; i < synthea.n; i++) {
            if (str_is(synthea.at[i].type, "Patient")) {
                patient[patients++] = synthea_id(a, synthea.at[i].uuid, c);
            }
        }
    }
}

static void grants_make(Arena *a, Str org, int most)
{
    StoreReceipt receipt;
    Err err;
    err_init(&err, a);
    StoreBatch *b = store_batch_new(store, a, &author, STR("bench grants"));
    int64_t now = clock_now(&bench_clock);
    int step = patients > most ? patients / most : 1;
    for (int i = 0, n = 0; i < patients && n < most; i += step, n++) {
        store_batch_grant(b, org, patient[i], STR("bench"), STR("bench"), now - MS_HOUR,
                          TIME_FOREVER);
    }
    must(store_commit(b, &receipt, &err), &err);
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
    if (only && !strstr(name, only)) {
        return;
    }
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

static Str some_patient(int i)
{
    return patient[(size_t)i * 37 % (size_t)patients];
}

static void one_read(StoreReader *r, Arena *a, int i, Err *err)
{
    StoreVersion v;
    must(store_read(r, a, &STORE_VIEW_ALL, STR("Patient"), some_patient(i), &v, err), err);
}

static void search(StoreReader *r, Arena *a, const StoreView *eyes, const char *type, Str query,
                   Err *err)
{
    StoreQuery *q;
    StorePage page;
    must(store_query_parse(NULL, a, str_from_c(type), query, false, ZONE_CHINA_MIN, &q, err), err);
    must(store_search(r, a, q, eyes, STR_NONE, &page, err), err);
}

static void patient_code(StoreReader *r, Arena *a, int i, Err *err)
{
    Str q = arena_printf(a, "patient=Patient/%.*s&code=%s&_sort=-date&_count=20",
                         STR_ARG(some_patient(i)), code);
    search(r, a, &STORE_VIEW_ALL, "Observation", q, err);
}

static void patient_all(StoreReader *r, Arena *a, int i, Err *err)
{
    Str q = arena_printf(a, "patient=Patient/%.*s&_sort=-date&_count=20", STR_ARG(some_patient(i)));
    search(r, a, &STORE_VIEW_ALL, "Observation", q, err);
}

static void code_date(StoreReader *r, Arena *a, int i, Err *err)
{
    (void)i;
    Str q = arena_printf(a, "code=http://loinc.org|%s&_sort=-date&_count=20", code);
    search(r, a, &STORE_VIEW_ALL, "Observation", q, err);
}

static void code_plain(StoreReader *r, Arena *a, int i, Err *err)
{
    (void)i;
    search(r, a, &STORE_VIEW_ALL, "Observation", arena_printf(a, "code=%s&_count=20", code), err);
}

static void code_narrow(StoreReader *r, Arena *a, int i, Err *err)
{
    (void)i;
    search(r, a, &view, "Observation", arena_printf(a, "code=%s&_count=20", code), err);
}

static Str some_name(Arena *a, int i)
{
    return synthea.n ? arena_printf(a, "name=%c&_count=20", 'A' + i % 26)
                     : arena_printf(a, "name=居民%d&_count=20", i * 37 % patients);
}

static void name_prefix(StoreReader *r, Arena *a, int i, Err *err)
{
    search(r, a, &STORE_VIEW_ALL, "Patient", some_name(a, i), err);
}

static void name_narrow(StoreReader *r, Arena *a, int i, Err *err)
{
    search(r, a, &view, "Patient", some_name(a, i), err);
}

static void chained(StoreReader *r, Arena *a, int i, Err *err)
{
    Str value =
        synthea.n ? some_patient(i) : arena_printf(a, "99999919500101%05d", i * 37 % patients);
    Str q = arena_printf(a, "patient.identifier=%.*s&code=%s", STR_ARG(value), code);
    search(r, a, &STORE_VIEW_ALL, "Observation", q, err);
}

/* ---- One search after another ---------------------------------------------------------------- */

#define ASKED 41 /* times each; of the slowest the second counts as p99 */

static const char *const questions[][2] = {
    {"Observation", "_count=10"},
    {"Observation", "_count=1&_total=accurate"},
    {"Observation", "code=http://loinc.org|8480-6&_count=1&_total=accurate"},
    {"Observation", "combo-code=http://loinc.org|8480-6&_count=1&_total=accurate"},
    {"Patient", "gender=male&_count=5&_total=accurate"},
    {"Patient", "family=S&_count=5"},
    {"Patient", "given=A&_count=5"},
    {"Patient", "gender=female&family=B&_count=5"},
    {"Observation", "code=http://loinc.org|8302-2&_count=5&_total=accurate"},
    {"Observation", "code=http://loinc.org|29463-7&_count=5&_total=accurate"},
    {"Observation", "code=http://loinc.org|72514-3&_count=5&_total=accurate"},
    {"Observation", "date=ge2020-01-01&_count=5"},
    {"Condition", "code=http://snomed.info/sct|38341003&_count=5"},
    {"Procedure", "code=http://snomed.info/sct|430193006&_count=5"},
    {"Patient", "_content=Smith&_count=5"},
    {"Observation", "_content=blood&_count=5"},
    {"Condition", "_content=hypertension&_count=5"},
    {"Patient", "name:text=ohn&_count=5"},
    {"Patient", "address:text=Boston&_count=5"},
    {"Patient", "_text=Smith&_count=5"},
    {"Condition", "code:text=hypertensive&_count=5"},
    {"Patient", "name=NON-EXISTS"},
    {"Patient", "name:contains=an"},
    {"Patient", "address=Boston"},
    {"Patient", "address:contains=ton"},
    {"Organization", "name=HOSPITAL"},
    {"Organization", "name:contains=CARE"},
    {"Observation", "code=8302-2&category=laboratory"},
    {"Observation", "code=8302-2&category=vital-signs"},
    {"Observation", "category=laboratory&status=final&_total=accurate"},
    {"Observation", "status:not=final"},
    {"Observation", "category:not=laboratory"},
    {"Patient", "_sort=birthdate"},
    {"Patient", "gender=male&_sort=-birthdate"},
    {"Patient", "_sort=family"},
    {"Patient", "gender=male&_sort=family"},
    {"Patient", "_sort=death-date"},
    {"Encounter", "status=finished&_sort=-date"},
    {"Observation", "patient.birthdate=gt2015"},
    {"Observation", "code:text=disorder"},
    {"Patient", "_has:Observation:patient:code=8302-2"},
    {"Observation", "patient={patient}&_count=20"},
    {"Condition", "patient={patient}"},
    {"Encounter", "patient={patient}&_count=10"},
    {"Observation", "patient.gender=male"},
    {"Observation", "patient.name=Smith"},
    {"Observation", "patient.birthdate=gt2015&_sort=-date"},
    {"Observation", "patient.birthdate=gt2015&code=8302-2"},
    {"Patient", "_has:Observation:patient:value-quantity=gt250"},
    {"Encounter", "_has:Observation:encounter:code=8302-2"},
    {"Observation", "value-quantity=gt80"},
    {"Observation", "code-value-quantity=8302-2$gt170"},
    {"Observation", "value-quantity=gt80&_total=accurate"},
    {"Observation", "value-quantity=gt80&_total=estimate"},
    {"Observation", "date=2015&_total=accurate"},
    {"Observation", "category=vital-signs,survey&_summary=count"},
    {"Patient", "family=S&_total=accurate"},
    {"Condition", "_content=hypertension&_total=accurate"},
    {"Observation", "_sort=code"},
    {"Observation", "_sort=subject"},
    {"Observation", "_sort=-value-quantity"},
    {"Observation", "code=8302-2&_sort=value-quantity"},
    {"Observation", "code=8302-2&_sort=-_lastUpdated"},
    {"Patient", "birthdate:missing=true"},
    {"Patient", "death-date:missing=false"},
    {"Patient", "death-date:missing=true"},
    {"Observation", "value-quantity:missing=true"},
    {"Observation", "encounter:missing=true"},
    {"Observation", "_lastUpdated=gt2020-01-01"},
    {"Observation", "_lastUpdated=lt2020-01-01"},
    {"Observation", "code=8302-2&_lastUpdated=gt2020-01-01"},
    {"Observation", "code=8302-2&_include=Observation:subject&_include=Observation:encounter"},
    {"Patient", "_count=50&_revinclude=Condition:subject"},
};

/* By who may see one patient of VILLAGE. */
static const char *const village_questions[][2] = {
    {"Observation", "_count=20"},
    {"Observation", "code=8302-2"},
    {"Observation", "code=8302-2&_sort=-date"},
    {"Observation", "category=vital-signs&status=final"},
    {"Observation", "value-quantity=gt80"},
    {"Observation", "date=ge2020-01-01"},
    {"Condition", "code:text=hypertensive"},
    {"Encounter", "status=finished&_sort=-date"},
    {"Patient", "gender=male"},
    {"Patient", "family=S"},
    {"Patient", "_sort=birthdate"},
};

static int cpu_order(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

/* {patient}: another one each time. */
static Str question_text(Arena *a, const char *query, int i)
{
    static const Str mark = {"{patient}", 9};
    Str text = str_from_c(query);
    ptrdiff_t at = str_find(text, mark);
    return at < 0 ? text
                  : arena_cat(a, str_take(text, (size_t)at), some_patient(i),
                              str_skip(text, (size_t)at + mark.n));
}

/* The first, which may read what is kept from then on, and how long the others take. */
static void question(StoreReader *r, Arena *a, const StoreView *eyes, const char *type,
                     const char *query)
{
    int64_t took[ASKED];
    StoreQuery *q;
    StorePage page = {0};
    Status s = OK;
    for (int i = 0; i < ASKED && s == OK; i++) {
        Err err;
        Str text = question_text(a, query, i);
        int64_t start = cpu_us();
        err_init(&err, a);
        must(store_query_parse(NULL, a, str_from_c(type), text, false, ZONE_CHINA_MIN, &q, &err),
             &err);
        s = store_search(r, a, q, eyes, STR_NONE, &page, &err);
        took[i] = cpu_us() - start;
        arena_reset(a);
    }
    int64_t first = took[0];
    if (s != OK) {
        printf("%s?%s: refused after %lld us\n", type, query, (long long)first);
        return;
    }
    qsort(took + 1, ASKED - 1, sizeof *took, cpu_order);
    printf("%s?%s: %lld us, p99 %lld (the first %lld)\n", type, query,
           (long long)took[1 + ASKED / 2], (long long)took[ASKED - 2], (long long)first);
}

static void list_ask(StoreReader *r, Arena *a, const StoreView *eyes, const char *const list[][2],
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!only || strstr(list[i][1], only)) {
            question(r, a, eyes, list[i][0], list[i][1]);
        }
    }
}

static void questions_ask(void)
{
    Arena a;
    Err err;
    StoreReader *r;
    arena_init(&a, 0);
    err_init(&err, &a);
    must(store_reader_open(store, &r, &err), &err);
    list_ask(r, &a, &STORE_VIEW_ALL, questions, sizeof questions / sizeof *questions);
    printf("by who sees one patient of %d:\n", VILLAGE);
    list_ask(r, &a, &village, village_questions,
             sizeof village_questions / sizeof *village_questions);
    store_reader_close(r);
    arena_done(&a);
}

/* ---- Durable creates ----------------------------------------------------------------------------
 */

typedef struct Worker {
    int64_t until_us;
    int number;
    uint64_t done;
    int64_t worst_us;
} Worker;

/* An Observation of somebody who is there. */
static Str new_body(Arena *a, size_t i)
{
    for (size_t k = 0; k < synthea.n; k++) {
        const SyntheaResource *r = &synthea.at[(i + k) % synthea.n];
        if (str_is(r->type, "Observation")) {
            return synthea_body(a, r, 0);
        }
    }
    return observation_body(a, (int)(i % (size_t)patients), (int)(i / (size_t)patients));
}

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
        Str body = new_body(&a, (size_t)w->number * 7919 + w->done * 37);
        must(store_batch_create(b, STR("Observation"), STR_NONE, body, NULL, &err), &err);
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
    double cpu = process_cpu_s();
    for (int i = 0; i < threads; i++) {
        worker[i] = (Worker){.until_us = time_mono_us() + SECONDS * 1000000, .number = i};
        pthread_create(&thread[i], NULL, create, &worker[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        done += worker[i].done;
        worst = worker[i].worst_us > worst ? worker[i].worst_us : worst;
    }
    cpu = process_cpu_s() - cpu;
    printf("create      %8.0f /s at %2d threads (%.0f us of CPU each, slowest %.1f ms)\n",
           (double)done / SECONDS, threads, cpu * 1e6 / (double)done, (double)worst / 1e3);
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

static void open_store(const char *dir, bool bulk)
{
    Err err = {0};
    StoreOptions o = {.dir = dir,
                      .clock = &bench_clock,
                      .random = &bench_random,
                      .zone_min = ZONE_CHINA_MIN,
                      .bulk = bulk};
    int64_t start = time_mono_us();
    must(store_open(&o, &store, &err), &err);
    if (!bulk) {
        printf("open        %8.1f ms\n", (double)(time_mono_us() - start) / 1e3);
    }
}

static void measure_all(const char *dir)
{
    measure("read", one_read, 50000);
    measure("patient+code by date", patient_code, 20000);
    measure("patient by date (20)", patient_all, 5000);
    measure("code by date (20)", code_date, 5000);
    measure("code (20)", code_plain, 5000);
    measure("  of 1,200 patients", code_narrow, 500);
    measure("name prefix", name_prefix, 5000);
    measure("  of 1,200 patients", name_narrow, 500);
    measure("chained by identifier", chained, 5000);
    if (synthea.n) {
        questions_ask();
    }
    if (only) {
        return;
    }
    raw_sync(dir);
    creates(1);
    creates(16);
    creates(64);
}

int main(int argc, char **argv)
{
    int64_t resources = 100000;
    char made[] = "/tmp/menkou-bench-XXXXXX";
    const char *dir = argc > 2 ? argv[2] : mkdtemp(made);
    if (argc > 1 && (!str_to_i64(str_from_c(argv[1]), &resources) || resources < 1000)) {
        fprintf(stderr, "store-bench [RESOURCES [DIR [BUNDLES [ONLY]]]]\n");
        return 2;
    }
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    clock_init_system(&bench_clock);
    random_init_seed(&bench_random, 1);
    if (argc > 3) {
        must(synthea_load(&a, argv[3], &synthea, &err), &err);
        code = "8302-2"; /* body height: everybody has some */
    }
    only = argc > 4 ? argv[4] : NULL;
    size_t each = synthea.n ? synthea.n : PER_PATIENT + 1;
    uint32_t copies = (uint32_t)(((size_t)resources + each - 1) / each);
    patients_list(&a, copies);
    open_store(dir, true);
    if (store_seq(store) == 0) {
        fill(copies);
    }
    grants_make(&a, STR(NARROW_ORG), NARROW);
    grants_make(&a, STR(VILLAGE_ORG), patients / VILLAGE + 1);
    double n = (double)store_seq(store);
    store_close(store);
    bytes_print(dir, n);
    open_store(dir, false);
    view.now_ms = village.now_ms = clock_now(&bench_clock);
    measure_all(dir);
    store_close(store);
    printf("the data are in %s\n", dir);
    arena_done(&a);
    return 0;
}
