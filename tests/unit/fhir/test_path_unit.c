/* Units: conversions of our own, and the public UCUM cases (validation counts only what can be
 * converted). */
#include <math.h>

#include "fhir_path_unit.h"

#include "passcounts.h"

static bool convert(const char *value, Str from, Str to, double *ret)
{
    FhirUnit a, b;
    if (!fhir_unit_parse(from, &a) || !fhir_unit_parse(to, &b) ||
        !fhir_unit_same_dimension(&a, &b)) {
        return false;
    }
    *ret = (strtod(value, NULL) * a.factor + a.offset - b.offset) / b.factor;
    return true;
}

static void near(const char *value, const char *from, const char *to, double want)
{
    double got = NAN;
    if (!convert(value, str_from_c(from), str_from_c(to), &got) ||
        fabs(got - want) > 1e-6 * fabs(want)) {
        fail_msg("%s %s is %g %s, not %g", value, from, got, to, want);
    }
}

static void clinical_units_convert(void **state)
{
    (void)state;
    near("1", "kg", "g", 1000);
    near("120", "mm[Hg]", "kPa", 15.99864);
    near("5.5", "mmol/L", "umol/dL", 550);
    near("37", "Cel", "[degF]", 98.6);
    near("1", "10*9/L", "/nL", 1);
    near("1", "g/(12.h)", "mg/min", 1000.0 / 720);
    near("72", "{beats}/min", "Hz", 1.2);
    near("1", "[lb_av]", "g", 453.59237);
    near("1", "ug{creatinine}", "ng", 1000);
    near("2", "mg/kg/d", "ug/kg/h", 2000.0 / 24);
    near("1", "m2", "cm2", 10000);
    near("50", "%", "1", 0.5);
    near("1", "cm[H2O]", "Pa", 98.0665);
}

static void nonsense_is_refused(void **state)
{
    static const char *const BAD[] = {"",    "kgg", "m//s", "m/",   "(m", "m)", "[nope]",
                                      "12x", ".m",  "m s",  "mMol", "0",  "kk"};
    (void)state;
    FhirUnit u;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        if (fhir_unit_parse(str_from_c(BAD[i]), &u)) {
            fail_msg("\"%s\" was accepted", BAD[i]);
        }
    }
}

static void base_texts(void **state)
{
    (void)state;
    Arena a;
    FhirUnit u;
    arena_init(&a, 0);
    assert_true(fhir_unit_parse(STR("mg/dL"), &u));
    assert_str(fhir_unit_base_text(&a, &u), "m-3.g");
    assert_true(fhir_unit_parse(STR("%"), &u));
    assert_str(fhir_unit_base_text(&a, &u), "1");
    arena_done(&a);
}

static void public_cases(void **state)
{
    (void)state;
    Arena a;
    Err err;
    Str text;
    JsonDoc d;
    int64_t validated = 0, converted = 0, wrong = 0;
    arena_init(&a, 0);
    err_init(&err, &a);
    const char *dir = suite_folder(&a, "12-ucum-loinc");
    if (!dir) {
        arena_done(&a);
        skip();
    }
    Str path = path_join(&a, str_from_c(dir), STR("ucum-cases.dev.json"));
    assert_int_equal(file_read(&a, path.p, 1 << 24, &text, &err), OK);
    assert_int_equal(json_parse(&a, text, &JSON_LIMITS_FHIR, &d, &err), OK);
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it);) {
        FhirUnit u;
        double got;
        Str kind = json_str_at(&d, it.value, "kind"), unit = json_str_at(&d, it.value, "unit");
        if (str_is(kind, "validation")) {
            bool valid = str_is(json_str_at(&d, it.value, "valid"), "true"),
                 ours = fhir_unit_parse(unit, &u);
            validated += valid == ours;
            wrong += ours && !valid;
            if (getenv("MENKOU_VERBOSE") && valid != ours) {
                printf("%s: %.*s\n", valid ? "not understood" : "accepted", STR_ARG(unit));
            }
        } else if (str_is(kind, "conversion")) {
            char *value = arena_cstr(&a, json_str_at(&d, it.value, "value"));
            char *outcome = arena_cstr(&a, json_str_at(&d, it.value, "outcome"));
            double want = strtod(outcome, NULL);
            bool ok = convert(value, json_str_at(&d, it.value, "srcUnit"),
                              json_str_at(&d, it.value, "dstUnit"), &got);
            converted += ok && fabs(got - want) <= 1e-3 * fabs(want) + 1e-9;
            if (getenv("MENKOU_VERBOSE") && !(ok && fabs(got - want) <= 1e-3 * fabs(want) + 1e-9)) {
                Str raw = json_raw(&d, it.value);
                printf("conversion: %.*s: %g\n", STR_ARG(raw), ok ? got : NAN);
            }
        }
    }
    printf("accepted though wrong: %lld\n", (long long)wrong);
    passcount_check("ucum-validation", validated);
    passcount_check("ucum-conversion", converted);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clinical_units_convert),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(base_texts),
        cmocka_unit_test(public_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
