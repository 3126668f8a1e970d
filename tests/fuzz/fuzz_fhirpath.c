/*
 * FHIRPath: the first line is the expression, the rest a JSON document. Compiling and
 * evaluating end within their budget with a result or with an issue, whatever they are given.
 */
#include "fhir_extract.h"
#include "fhir_resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void use(const FhirPath *path, Arena *a, const JsonDoc *d, Err *err)
{
    FhirValues values;
    FhirPathEnv env = {.arena = a,
                       .steps_max = 20000,
                       .now_ms = 1763769600000,
                       .zone_min = 480,
                       .type_stubs = true};
    FhirNode root = d ? fhir_node_root(d) : (FhirNode){0};
    if (fhir_path_eval(path, &env, &root, d ? 1 : 0, &values, err) != OK) {
        mk_check(err->count > 0);
        return;
    }
    Buf out;
    buf_init(&out, 1u << 20);
    for (size_t i = 0; i < values.n; i++) {
        fhir_value_json(&out, &values.at[i]);
    }
    buf_done(&out);
}

static void extract(Arena *a, const JsonDoc *d, Err *err)
{
    FhirIndexRows rows;
    FhirExtractEnv env = {.arena = a, .zone_min = 480};
    const FhirType *type = fhir_resource_find(fhir_resource_type(d));
    if (type && fhir_extract(d, type, &env, &rows, err) != OK) {
        mk_check(err->count > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    JsonDoc d;
    Str expression, text;
    FhirPath *path;
    arena_init(&a, 16u << 20);
    err_init(&err, &a);
    str_cut((Str){(const char *)data, n}, '\n', &expression, &text);
    bool has_doc = json_parse(&a, text, &JSON_LIMITS_FHIR, &d, NULL) == OK;
    if (utf8_valid(expression) && fhir_path_compile(&a, expression, &path, &err) == OK) {
        use(path, &a, has_doc ? &d : NULL, &err);
    }
    if (has_doc) {
        err_clear(&err);
        extract(&a, &d, &err);
    }
    arena_done(&a);
    return 0;
}
