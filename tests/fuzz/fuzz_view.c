/*
 * Views: the first line is a ViewDefinition, the rest a resource. What is refused has an issue; the
 * table of what is not is JSON, whatever the definition asked for.
 */
#include "fhir_view.h"

#define MEMORY_BYTES ((size_t)64 << 20)
#define ROWS_MAX     1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static Status row_add(void *ctx, const FhirValues *cell, Err *err)
{
    (void)err;
    fhir_view_write_row(ctx, cell);
    return OK;
}

static void use(Arena *a, const JsonDoc *d, const JsonDoc *resource, FhirViewFormat format)
{
    Err err;
    FhirView *v;
    Buf out;
    JsonDoc table;
    err_init(&err, a);
    if (fhir_view_compile(a, d, JSON_ROOT, &v, &err) != OK) {
        mk_check(err.count > 0);
        return;
    }
    buf_init(&out, MEMORY_BYTES);
    FhirViewWriter w = {.view = v, .format = format, .out = &out};
    FhirViewRun run = {.arena = a, .rows_max = ROWS_MAX, .row = row_add, .ctx = &w};
    fhir_view_write_begin(&w);
    mk_check(fhir_view_run(v, &run, fhir_node_root(resource), &err) == OK || err.count > 0);
    fhir_view_write_end(&w);
    if (format == FHIR_VIEW_JSON && !out.failed && !arena_exhausted(a)) {
        JsonLimits limits = {.depth = 1000, .bytes = MEMORY_BYTES};
        mk_check(json_parse(a, buf_str(&out), &limits, &table, NULL) == OK || arena_exhausted(a));
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    JsonDoc d, resource;
    Str first, rest;
    arena_init(&a, MEMORY_BYTES);
    str_cut((Str){(const char *)data, n}, '\n', &first, &rest);
    if (json_parse(&a, first, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
        json_parse(&a, rest, &JSON_LIMITS_FHIR, &resource, NULL) == OK) {
        use(&a, &d, &resource, FHIR_VIEW_JSON);
        use(&a, &d, &resource, FHIR_VIEW_CSV);
    }
    arena_done(&a);
    return 0;
}
