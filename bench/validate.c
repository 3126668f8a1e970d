/*
 * Validations a second on one core, by type: what is parsed is validated again and again.
 *
 *   bench_validate FILE… [--rounds N]    resources in JSON, or bundles (their entries)
 */
#include <stdio.h>

#include "fhir_resource.h"
#include "fhir_validate.h"

#define FILE_BYTES_MAX (64u << 20)

typedef struct Row {
    uint64_t n, us, invalid;
} Row;

typedef struct Bench {
    Row *row; /* by resource number */
    int64_t rounds;
} Bench;

static void resource_run(Bench *b, const JsonDoc *d, JsonRef r)
{
    const FhirType *t = fhir_resource_find(json_str(d, json_get_c(d, r, "resourceType")));
    if (!t) {
        return;
    }
    Row *row = &b->row[t->resource];
    bool valid = true;
    int64_t from = time_mono_us();
    for (int64_t i = 0; i < b->rounds; i++) {
        valid = fhir_validate(d, r, STR_NONE, NULL) == OK;
    }
    row->us += (uint64_t)(time_mono_us() - from);
    row->n += (uint64_t)b->rounds;
    row->invalid += !valid;
}

static bool file_run(Bench *b, const char *path)
{
    Arena a;
    Err err;
    Str bytes;
    JsonDoc d;
    arena_init(&a, 0);
    err_init(&err, &a);
    bool ok = file_read(&a, path, FILE_BYTES_MAX, &bytes, &err) == OK &&
              json_parse(&a, bytes, &JSON_LIMITS_FHIR, &d, &err) == OK;
    if (!ok) {
        fprintf(stderr, "bench_validate: %s: %.*s\n", path, STR_ARG(err.first->en));
    } else if (str_is(fhir_resource_type(&d), "Bundle")) {
        for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry")); json_next(&it);) {
            resource_run(b, &d, json_get_c(&d, it.value, "resource"));
        }
    } else {
        resource_run(b, &d, JSON_ROOT);
    }
    arena_done(&a);
    return ok;
}

static void print(const Bench *b)
{
    printf("%-28s %10s %10s %12s %8s\n", "type", "runs", "µs each", "per second", "invalid");
    for (unsigned i = 0; i < fhir_resource_count; i++) {
        const Row *row = &b->row[i];
        Str name = fhir_type_name(fhir_resource_at(i));
        if (row->us) {
            printf("%-28.*s %10llu %10.2f %12.0f %8llu\n", STR_ARG(name),
                   (unsigned long long)row->n, (double)row->us / (double)row->n,
                   (double)row->n * 1e6 / (double)row->us, (unsigned long long)row->invalid);
        }
    }
}

int main(int argc, char **argv)
{
    Arena a;
    arena_init(&a, 0);
    Bench b = {.row = arena_array(&a, Row, fhir_resource_count), .rounds = 100};
    bool ok = argc > 1;
    for (int i = 1; i < argc; i++) {
        if (str_is(str_from_c(argv[i]), "--rounds") && i + 1 < argc) {
            ok = str_to_i64(str_from_c(argv[++i]), &b.rounds) && ok;
        } else {
            ok = file_run(&b, argv[i]) && ok;
        }
    }
    print(&b);
    arena_done(&a);
    return ok ? 0 : 2;
}
