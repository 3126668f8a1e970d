/*
 * Patches: the first line is a document, the rest a JSON Patch (an array) or a FHIRPath Patch (an
 * object). What comes out is JSON, and tidied has no empty container; what is refused has an issue.
 */
#include "fhir_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void use(Arena *a, const JsonDoc *d, const JsonDoc *patch)
{
    Err err;
    Str text;
    JsonDoc out;
    bool json = json_type(patch, JSON_ROOT) == JSON_ARRAY;
    err_init(&err, a);
    Status status = json ? fhir_patch_json(a, d, patch, &text, &err)
                         : fhir_patch_path(a, d, patch, JSON_ROOT, &text, &err);
    if (status != OK) {
        mk_check(err.count > 0);
        return;
    }
    mk_check(json_parse(a, text, &JSON_LIMITS_FHIR, &out, NULL) == OK);
    if (json) {
        text = fhir_patch_tidy(a, text, patch);
        mk_check(json_parse(a, text, &JSON_LIMITS_FHIR, &out, NULL) == OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    JsonDoc d, patch;
    Str first, rest;
    arena_init(&a, 0);
    str_cut((Str){(const char *)data, n}, '\n', &first, &rest);
    if (json_parse(&a, first, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
        json_parse(&a, rest, &JSON_LIMITS_FHIR, &patch, NULL) == OK) {
        use(&a, &d, &patch);
    }
    arena_done(&a);
    return 0;
}
