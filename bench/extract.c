/*
 * Microseconds of processor time to parse and to extract all index values of a resource, per type.
 *
 *   bench_extract FILE… [--rounds N]    resources in JSON, bundles (their entries), or .ndjson
 */
#include <stdio.h>
#include <time.h>

#include "fhir_extract.h"
#include "fhir_resource.h"

#define FILE_BYTES_MAX (512u << 20)
#define TYPES_MAX      160

typedef struct Row {
    Str type;
    uint64_t resources, bytes, rows;
    int64_t parse_us, extract_us;
} Row;

typedef struct Bench {
    Arena keep;
    Row row[TYPES_MAX];
    size_t n;
    int64_t rounds;
} Bench;

static Row *row_of(Bench *b, Str type)
{
    for (size_t i = 0; i < b->n; i++) {
        if (str_eq(b->row[i].type, type)) {
            return &b->row[i];
        }
    }
    mk_check(b->n < TYPES_MAX);
    b->row[b->n].type = arena_str(&b->keep, type);
    return &b->row[b->n++];
}

/* Of this thread alone, so that other work on the machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool resource_run(Bench *b, Str bytes)
{
    Arena a;
    Err err;
    JsonDoc d;
    FhirIndexRows rows = {0};
    FhirExtractEnv env = {.arena = &a, .zone_min = ZONE_CHINA_MIN};
    arena_init(&a, 0);
    err_init(&err, &a);
    int64_t t0 = cpu_us();
    Status s = OK;
    for (int64_t i = 0; i < b->rounds && s == OK; i++) {
        arena_reset(&a);
        s = json_parse(&a, bytes, &JSON_LIMITS_FHIR, &d, &err);
    }
    int64_t t1 = cpu_us();
    const FhirType *type = s == OK ? fhir_resource_find(fhir_resource_type(&d)) : NULL;
    for (int64_t i = 0; i < b->rounds && s == OK && type; i++) {
        arena_reset(&a);
        s = json_parse(&a, bytes, &JSON_LIMITS_FHIR, &d, &err);
        s = s == OK ? fhir_extract(&d, type, &env, &rows, &err) : s;
    }
    int64_t t2 = cpu_us();
    if (s == OK && type) {
        Row *r = row_of(b, fhir_type_name(type));
        r->resources++;
        r->bytes += bytes.n;
        r->rows += rows.n;
        r->parse_us += t1 - t0;
        r->extract_us += (t2 - t1) - (t1 - t0);
    } else {
        fprintf(stderr, "refused: %.*s\n",
                STR_ARG(err.first ? err.first->en : STR("no resource type")));
    }
    arena_done(&a);
    return s == OK && type;
}

static bool text_run(Bench *b, Arena *a, Str text)
{
    JsonDoc d;
    JsonLimits limits = {100, FILE_BYTES_MAX};
    bool ok = json_parse(a, text, &limits, &d, NULL) == OK;
    if (!ok || !str_is(fhir_resource_type(&d), "Bundle")) {
        return ok && resource_run(b, text);
    }
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry")); json_next(&it);) {
        JsonRef r = json_get_c(&d, it.value, "resource");
        ok &= r == JSON_NONE || resource_run(b, json_raw(&d, r));
    }
    return ok;
}

static bool file_run(Bench *b, const char *path)
{
    Arena a;
    Str text, line;
    arena_init(&a, 0);
    bool ok = file_read(&a, path, FILE_BYTES_MAX, &text, NULL) == OK;
    if (ok && str_ends(str_from_c(path), STR(".ndjson"))) {
        while (text.n) {
            str_cut(text, '\n', &line, &text);
            ok &= !line.n || resource_run(b, line);
        }
    } else if (ok) {
        ok = text_run(b, &a, text);
    }
    arena_done(&a);
    return ok;
}

int main(int argc, char **argv)
{
    static Bench b = {.rounds = 1};
    bool ok = argc > 1;
    arena_init(&b.keep, 0);
    for (int i = 1; i < argc; i++) {
        if (str_is(str_from_c(argv[i]), "--rounds") && i + 1 < argc) {
            ok &= str_to_i64(str_from_c(argv[++i]), &b.rounds);
        } else {
            ok &= file_run(&b, argv[i]);
        }
    }
    printf("%-28s %9s %8s %8s %10s %10s\n", "type", "resources", "bytes", "rows", "parse us",
           "extract us");
    for (size_t i = 0; i < b.n; i++) {
        const Row *r = &b.row[i];
        double n = (double)r->resources, runs = n * (double)b.rounds;
        printf("%-28.*s %9.0f %8.0f %8.1f %10.2f %10.2f\n", STR_ARG(r->type), n,
               (double)r->bytes / n, (double)r->rows / n, (double)r->parse_us / runs,
               (double)r->extract_us / runs);
    }
    arena_done(&b.keep);
    return ok ? 0 : 1;
}
