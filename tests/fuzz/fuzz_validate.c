/*
 * Validation and what follows it: whatever parses is validated; a valid resource is stamped and
 * unstamped and must stay valid and the same; every reference is found where it says; a
 * transaction is taken apart.
 */
#include "fhir_bundle.h"
#include "fhir_validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static Status reference_check(void *ctx, const FhirRefAt *at, Err *err)
{
    const JsonDoc *d = ctx;
    (void)err;
    mk_check(at->end > at->at && at->end <= d->bytes.n && d->bytes.p[at->at] == '"' &&
             d->bytes.p[at->end - 1] == '"');
    return OK;
}

static void bundle_check(Arena *a, const JsonDoc *d, Err *err)
{
    FhirBundle b;
    FhirRewrite w;
    if (fhir_bundle_parse(a, d, STR("http://h/fhir"), &b, err) != OK) {
        return;
    }
    fhir_rewrite_init(&w, a);
    for (uint32_t i = 0; i < b.count; i++) {
        mk_check(b.order[i] < b.count);
        if (b.entry[i].full_url.n) {
            fhir_rewrite_add(&w, b.entry[i].full_url, b.entry[i].type, STR("new"));
        }
    }
    for (uint32_t i = 0; i < b.count; i++) {
        JsonDoc cut, parsed;
        if (b.entry[i].resource != JSON_NONE &&
            fhir_rewrite_apply(&w, a, d, &b.entry[i], &cut, err) == OK) {
            mk_check(json_parse(a, cut.bytes, &JSON_LIMITS_FHIR, &parsed, err) == OK);
            mk_check(fhir_resource_same(&cut, JSON_ROOT, &parsed, JSON_ROOT));
        }
    }
}

static void editing_check(Arena *a, const JsonDoc *d, Err *err)
{
    JsonDoc stamped;
    Str out =
        fhir_resource_stamp(a, d, STR("new-id"), STR("7"), STR("2026-11-22T08:00:00.000+08:00"));
    mk_check(json_parse(a, out, &JSON_LIMITS_FHIR, &stamped, err) == OK);
    mk_check(fhir_validate(&stamped, JSON_ROOT, STR_NONE, err) == OK);
    mk_check(str_is(fhir_resource_id(&stamped), "new-id"));
    mk_check(fhir_resource_same(d, JSON_ROOT, &stamped, JSON_ROOT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    JsonDoc d;
    arena_init(&a, 32u << 20);
    err_init(&err, &a);
    Status s = json_parse(&a, (Str){(const char *)data, n}, &JSON_LIMITS_FHIR, &d, &err);
    if (s == OK && fhir_body_check(&d, &err) == OK) {
        mk_check(fhir_refs_walk(&d, JSON_ROOT, true, reference_check, &d, &err) == OK);
        bundle_check(&a, &d, &err);
        err_clear(&err);
        if (fhir_validate(&d, JSON_ROOT, STR_NONE, &err) == OK) {
            mk_check(err.count == 0);
            editing_check(&a, &d, &err);
        } else {
            mk_check(err.count > 0 && err.status == ERR_UNPROCESSABLE);
        }
    }
    arena_done(&a);
    return 0;
}
