/*
 * Hostile definitions and packages. Two texts parted by a 0x1E: a StructureDefinition (compiled,
 * and given as its own and everybody's base) and a resource (checked by it). Any other input is
 * read as a package: whatever it is, it ends with a status and bounded work.
 */
#include "fhir_package.h"
#include "fhir_validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool find(void *ctx, Arena *a, Str url, Str version, Str *ret_json)
{
    (void)a;
    (void)version;
    *ret_json = *(const Str *)ctx;
    return str_starts(url, STR("http://m.test/"));
}

static void definition_run(Str definition, Str resource)
{
    Arena a;
    Err err;
    JsonDoc d;
    FhirProfileSource source = {&definition, find};
    FhirProfiles *set = fhir_profiles_new(&source);
    FhirProfileHold *hold = fhir_profiles_hold(set);
    arena_init(&a, 64u << 20);
    err_init(&err, &a);
    if (json_parse(&a, definition, &JSON_LIMITS_FHIR, &d, &err) == OK) {
        Status s = fhir_profile_try(hold, &d, JSON_ROOT, &err);
        mk_check(s == OK || err.count > 0);
    }
    err_clear(&err);
    if (json_parse(&a, resource, &JSON_LIMITS_FHIR, &d, &err) == OK) {
        Str profile = STR("http://m.test/it");
        FhirCheck check = {.thorough = true, .profiles = set, .profile = &profile, .profile_n = 1};
        (void)!fhir_validate_with(&d, JSON_ROOT, &check, &err);
    }
    fhir_profiles_release(hold);
    fhir_profiles_free(set);
    arena_done(&a);
}

static Status file_see(void *ctx, Str name, Str bytes, Err *err)
{
    size_t *seen = ctx;
    (void)err;
    mk_check(name.n > 5 && (bytes.p || !bytes.n));
    *seen += bytes.n;
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Str all = {(const char *)data, n}, definition, resource;
    if (str_cut(all, 0x1E, &definition, &resource)) {
        definition_run(definition, resource);
        return 0;
    }
    Arena a;
    Err err;
    size_t seen = 0;
    arena_init(&a, 16u << 20);
    err_init(&err, &a);
    (void)!fhir_package_read(all, file_see, &seen, &err);
    arena_done(&a);
    return 0;
}
