/* Units: conversions of our own, their limits, and all the public UCUM cases. */
#include "fhir_path_inner.h"
#include "fhir_unit.h"

#include "passcounts.h"

static bool converted(Arena *a, Str value, Str from, Str to, FhirDecimal *ret)
{
    FhirUnit x, y;
    FhirDecimal v;
    (void)a;
    return decimal_parse(value, &v) && fhir_unit_parse(from, &x) && fhir_unit_parse(to, &y) &&
           fhir_unit_convert(&v, &x, &y, ret);
}

static void becomes(const char *value, const char *from, const char *want, const char *to)
{
    Arena a;
    FhirDecimal got = {0, 0};
    arena_init(&a, 0);
    bool ok = converted(&a, str_from_c(value), str_from_c(from), str_from_c(to), &got);
    Str text = decimal_text(&a, &got);
    if (!ok || !str_is(text, want)) {
        fail_msg("%s %s is %.*s %s, not %s", value, from, STR_ARG(text), to, want);
    }
    arena_done(&a);
}

static void conversion_is_exact(void **state)
{
    (void)state;
    becomes("1", "kg", "1000", "g");
    becomes("120", "mm[Hg]", "15.99864", "kPa");
    becomes("5.5", "mmol/L", "550", "umol/dL");
    becomes("1", "10*9/L", "1", "/nL");
    becomes("72", "{beats}/min", "1.2", "Hz");
    becomes("1", "[lb_av]", "453.59237", "g");
    becomes("1", "ug{creatinine}", "1000", "ng");
    becomes("1", "m2", "10000", "cm2");
    becomes("50", "%", "0.5", "1");
    becomes("1", "cm[H2O]", "98.0665", "Pa");
    becomes("3", "[tsp_us]", "1", "[tbs_us]");
    becomes("3", "m[iU]/L", "0.003", "[IU]/L");
    becomes("1", "h", "0.0416666666666666666666666666667", "d");
}

static void special_units_convert(void **state)
{
    (void)state;
    becomes("37", "Cel", "98.6", "[degF]");
    becomes("98.6", "[degF]", "310.15", "K");
    becomes("-40", "[degF]", "-40", "Cel");
    becomes("36600", "mCel", "36.6", "Cel");
    becomes("80", "[degRe]", "373.15", "K");
    becomes("7", "[pH]", "0.1", "mmol/m3");
    becomes("100", "nmol/L", "7", "[pH]");
    becomes("3", "B", "1000", "1");
    becomes("20", "dB[V]", "10", "V");
    becomes("1000000", "W", "3", "B[kW]");
}

static void nonsense_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",       "kgg",     "m//s", "m/", "(m",    "m)",   "[nope]",  "12x", ".m",
        "m s",    "mMol",    "0",    "kk", "dmin",  "m2s",  "{a}m{b}", "m{a", "m{\xe9\x8c\xa0}",
        "m{a b}", "10+3/ul", "m-",   "m+", "m{a}s", "2..m", "[IU",     "IU]", "m1234"};
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        if (fhir_unit_parse(str_from_c(BAD[i]), NULL)) {
            fail_msg("\"%s\" was accepted", BAD[i]);
        }
    }
}

/* Valid UCUM without a meaning: a special unit in a product, numbers beyond all bounds. */
static void some_units_do_not_convert(void **state)
{
    static const char *const NOT[] = {
        "Cel/d", "2.Cel", "[pi]400", "[pi]-99.[pi]-99.[pi]-99.[pi]-99", "m999.m", "[pH].L"};
    (void)state;
    FhirUnit u, same;
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++) {
        assert_true(fhir_unit_parse(str_from_c(NOT[i]), &u));
        assert_true(fhir_unit_parse(str_from_c(NOT[i]), &same));
        if (fhir_unit_same_dimension(&u, &same)) {
            fail_msg("%s converts", NOT[i]);
        }
    }
    FhirUnit x, y;
    assert_true(fhir_unit_parse(STR("[iU]"), &x) && fhir_unit_parse(STR("[arb'U]"), &y));
    assert_false(fhir_unit_same_dimension(&x, &y));
}

static void compared(const char *x, const char *ux, const char *y, const char *uy, int want)
{
    FhirDecimal p, q;
    FhirUnit u, v;
    int got = 9;
    assert_true(decimal_parse(str_from_c(x), &p) && decimal_parse(str_from_c(y), &q));
    assert_true(fhir_unit_parse(str_from_c(ux), &u) && fhir_unit_parse(str_from_c(uy), &v));
    assert_true(fhir_unit_compare(&p, &u, &q, &v, &got));
    assert_int_equal(got, want);
}

static void values_have_an_order(void **state)
{
    (void)state;
    compared("98.6", "[degF]", "37", "Cel", 0);
    compared("-1", "kg", "1", "mg", -1);
    compared("-1", "kg", "-1", "mg", -1);
    compared("0", "Cel", "0", "[degF]", 1);
    compared("0", "kg", "0", "mg", 0);
    compared("1", "m", "0.99999999999999999999999999", "m", 1);
    compared("6", "[pH]", "7", "[pH]", 1); /* more acid */
}

static void texts(void **state)
{
    (void)state;
    Arena a;
    FhirUnit u;
    Str text;
    arena_init(&a, 0);
    assert_true(fhir_unit_parse(STR("mg/dL"), &u));
    assert_str(fhir_unit_base_text(&a, &u), "g.m-3");
    assert_true(fhir_unit_parse(STR("k[IU]/mL"), &u));
    assert_str(fhir_unit_base_text(&a, &u), "m-3.[IU]");
    assert_true(fhir_unit_parse(STR("%"), &u));
    assert_str(fhir_unit_base_text(&a, &u), "1");
    assert_true(fhir_unit_display(&a, STR("mmol/(8.h)"), &text));
    assert_str(text, "(millimole) / (8 * (hour))");
    assert_false(fhir_unit_display(&a, STR("mmol//h"), &text));
    arena_done(&a);
}

static void product(const char *x, const char *y, bool divide, const char *want)
{
    Arena a;
    FhirQuantity p, q, got = {.unit = STR("?")};
    arena_init(&a, 0);
    assert_true(quantity_parse(&a, str_from_c(x), &p) && quantity_parse(&a, str_from_c(y), &q));
    bool ok = fhir_unit_multiply(&a, &p, &q, divide, &got);
    Str text = ok ? quantity_text(&a, &got) : STR("nothing");
    if (!str_is(text, want)) {
        fail_msg("%s %c %s is %.*s, not %s", x, divide ? '/' : '*', y, STR_ARG(text), want);
    }
    arena_done(&a);
}

static void products(void **state)
{
    (void)state;
    product("1.5 'g'", "2 'm'", false, "3.0 'g.m'");
    product("2 'cm'", "2 'm'", false, "0.04 'm2'");
    product("12 'cm2'", "3 'cm'", true, "4 'cm'");
    product("3 'km/h'", "2 'h'", false, "6 'km'");
    product("10 'mg'", "4 'mL'", true, "2500 'g.m-3'");
    product("1 'm'", "0 's'", true, "nothing");
    product("1 'Cel'", "2 'm'", false, "nothing");
    product("1 'tablets'", "2 'm'", false, "nothing");
}

/* --- the public cases --- */

typedef struct Cases {
    Arena *a;
    const JsonDoc *d;
} Cases;

static Str text_at(const Cases *c, JsonRef r, const char *key)
{
    return json_str_at(c->d, r, key);
}

/* To the places that the case gives. */
static bool value_fits(const FhirDecimal *got, Str want)
{
    FhirDecimal w;
    if (!decimal_parse(want, &w)) {
        return false;
    }
    FhirDecimal rounded = decimal_round(got, w.scale);
    return decimal_cmp(&rounded, &w) == 0;
}

static bool operation_fits(const Cases *c, JsonRef r, bool divide)
{
    FhirQuantity x = {.unit = text_at(c, r, "u1")}, y = {.unit = text_at(c, r, "u2")}, got;
    Str unit = text_at(c, r, "uRes");
    return decimal_parse(text_at(c, r, "v1"), &x.value) &&
           decimal_parse(text_at(c, r, "v2"), &y.value) &&
           fhir_unit_multiply(c->a, &x, &y, divide, &got) &&
           str_eq(got.unit, unit.n ? unit : STR("1")) &&
           value_fits(&got.value, text_at(c, r, "vRes"));
}

static bool case_fits(const Cases *c, JsonRef r)
{
    Str kind = text_at(c, r, "kind"), text;
    FhirDecimal got;
    if (str_is(kind, "validation")) {
        return fhir_unit_parse(text_at(c, r, "unit"), NULL) ==
               str_is(text_at(c, r, "valid"), "true");
    }
    if (str_is(kind, "conversion")) {
        return converted(c->a, text_at(c, r, "value"), text_at(c, r, "srcUnit"),
                         text_at(c, r, "dstUnit"), &got) &&
               value_fits(&got, text_at(c, r, "outcome"));
    }
    if (str_is(kind, "displayNameGeneration")) {
        return fhir_unit_display(c->a, text_at(c, r, "unit"), &text) &&
               str_eq(text, text_at(c, r, "display"));
    }
    return operation_fits(c, r, str_is(kind, "division"));
}

static void public_cases(void **state)
{
    (void)state;
    Arena a;
    Err err;
    Str text;
    JsonDoc d;
    int64_t passed = 0, total = 0;
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
    Cases c = {&a, &d};
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it); total++) {
        bool ok = case_fits(&c, it.value);
        passed += ok;
        if (!ok) {
            Str raw = json_raw(&d, it.value);
            printf("FAILED %.*s\n", STR_ARG(raw));
        }
    }
    passcount_check("ucum", passed);
    assert_int_equal(passed, total);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversion_is_exact),
        cmocka_unit_test(special_units_convert),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(some_units_do_not_convert),
        cmocka_unit_test(values_have_an_order),
        cmocka_unit_test(texts),
        cmocka_unit_test(products),
        cmocka_unit_test(public_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
