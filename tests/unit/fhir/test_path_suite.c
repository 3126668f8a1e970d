/*
 * The official FHIRPath suite for R4 and every published expression. A case passes when the
 * number of results, their values and (where given) their types are as expected, or when it
 * fails as it should. MENKOU_VERBOSE=1 names the cases that do not.
 */
#include "fhir_path.h"

#include "fhir_resource.h"
#include "passcounts.h"

typedef struct Suite {
    Arena *arena;
    const char *dir;
    JsonDoc *cases;
    Map inputs; /* name → JsonDoc */
    int passed, total;
} Suite;

static JsonDoc *document(Arena *a, const char *path)
{
    Str text;
    Err err;
    JsonLimits limits = {1000, 1u << 30};
    JsonDoc *d = arena_new(a, JsonDoc);
    err_init(&err, a);
    if (file_read(a, path, 1u << 30, &text, &err) != OK ||
        json_parse(a, text, &limits, d, &err) != OK) {
        fail_msg("%s: %.*s", path, STR_ARG(err.first->en));
    }
    return d;
}

static const JsonDoc *input(Suite *s, Str name)
{
    JsonDoc *d = name.n ? map_get(&s->inputs, name) : NULL;
    if (name.n && !d) {
        Str dir = path_join(s->arena, str_from_c(s->dir), STR("input-json"));
        d = document(s->arena, path_join(s->arena, dir, name).p);
        map_put(&s->inputs, name, d);
    }
    return d;
}

/* FHIRPath writes dates with @; both sides are compared without. */
static Str plain(Str s)
{
    s = str_starts(s, STR("@")) ? str_skip(s, 1) : s;
    return str_starts(s, STR("T")) ? str_skip(s, 1) : s;
}

static bool type_fits(const FhirValue *v, Str type)
{
    Str name = fhir_value_type_name(v);
    name = str_starts(name, STR("System.")) ? str_skip(name, 7) : name;
    bool date = str_is(type, "date") && str_eq_nocase(name, STR("dateTime"));
    return type.n == 0 || date || str_eq_nocase(name, type);
}

static bool value_fits(Suite *s, const FhirValue *v, Str want)
{
    Str text;
    if (!fhir_value_text(s->arena, v, &text)) {
        return want.n == 0;
    }
    return str_eq(plain(text), plain(want));
}

static bool results_fit(Suite *s, JsonRef test, const FhirValues *got)
{
    JsonRef outputs = json_get_c(s->cases, test, "outputs");
    if (json_count(s->cases, outputs) != got->n) {
        return false;
    }
    for (JsonIter it = json_iter(s->cases, outputs); json_next(&it);) {
        const FhirValue *v = &got->at[it.index];
        if (!type_fits(v, json_str_at(s->cases, it.value, "type")) ||
            !value_fits(s, v, json_str_at(s->cases, it.value, "value"))) {
            return false;
        }
    }
    return true;
}

static Status run(Suite *s, JsonRef test, FhirValues *ret, Err *err)
{
    FhirPath *path;
    FhirPathEnv env = {.arena = s->arena, .now_ms = 1763769600000, .zone_min = 480};
    const JsonDoc *d = input(s, json_str_at(s->cases, test, "input"));
    env.strict = str_is(json_str_at(s->cases, test, "mode"), "strict");
    TRY(fhir_path_compile(s->arena, json_str_at(s->cases, test, "expression"), &path, err));
    FhirNode node = d ? fhir_node_root(d) : (FhirNode){0};
    TRY(fhir_path_eval(path, &env, &node, d ? 1 : 0, ret, err));
    JsonRef first = json_item(s->cases, json_get_c(s->cases, test, "outputs"), 0);
    bool truth, asked = str_is(json_str_at(s->cases, first, "type"), "boolean");
    if (json_str_at(s->cases, test, "predicate").n && asked && fhir_values_truth(ret, &truth)) {
        *ret = fhir_values_one(s->arena, fhir_value_boolean(truth));
    }
    return OK;
}

static void show(Suite *s, JsonRef test, Status status, const FhirValues *got, const Err *err)
{
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; status == OK && i < got->n && i < 8; i++) {
        Str text = STR_NONE;
        Str type = fhir_value_type_name(&got->at[i]);
        (void)fhir_value_text(s->arena, &got->at[i], &text);
        buf_printf(&b, " %.*s:%.*s", STR_ARG(type), STR_ARG(text));
    }
    Str raw = json_raw(s->cases, test);
    printf("FAILED %.*s\n   got%.*s %.*s\n", STR_ARG(raw), STR_ARG(buf_str(&b)),
           STR_ARG(status == OK ? STR("") : err->first->en));
    buf_done(&b);
}

static void official_suite(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    Suite s = {.arena = &a, .dir = suite_folder(&a, "03-fhirpath/official-r4")};
    if (!s.dir) {
        arena_done(&a);
        skip();
    }
    map_init(&s.inputs, &a);
    s.cases = document(&a, path_join(&a, str_from_c(s.dir), STR("cases.json")).p);
    for (JsonIter it = json_iter(s.cases, JSON_ROOT); json_next(&it); s.total++) {
        Err err;
        FhirValues got = {0};
        err_init(&err, &a);
        Status status = run(&s, it.value, &got, &err);
        bool invalid = json_str_at(s.cases, it.value, "invalid").n > 0;
        bool ok = invalid ? status != OK : status == OK && results_fit(&s, it.value, &got);
        s.passed += ok;
        if (!ok && getenv("MENKOU_VERBOSE")) {
            show(&s, it.value, status, &got, &err);
        }
    }
    printf("FHIRPath official R4: %d of %d\n", s.passed, s.total);
    passcount_check("fhirpath-official-r4", s.passed);
    arena_done(&a);
}

/* Compiles the string in `key` of every object below r; counts them and those refused. */
static void compile_all(Arena *a, const JsonDoc *d, JsonRef r, const char *key, int *total,
                        int *refused)
{
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        bool here = json_type(d, r) == JSON_OBJECT && str_is(it.key, key);
        if (!here) {
            if (json_count(d, it.value)) {
                compile_all(a, d, it.value, key, total, refused);
            }
            continue;
        }
        Err err;
        FhirPath *path;
        err_init(&err, a);
        ++*total;
        if (fhir_path_compile(a, json_str(d, it.value), &path, &err) != OK) {
            ++*refused;
            Str text = json_str(d, it.value);
            printf("refused: %.*s\n   %.*s\n", STR_ARG(text), STR_ARG(err.first->en));
        }
    }
}

static void published_expressions_compile(void **state)
{
    static const char *const FILES[] = {"search-parameters.json", "profiles-resources.json",
                                        "profiles-types.json", "profiles-others.json",
                                        "extension-definitions.json"};
    (void)state;
    Arena a;
    arena_init(&a, 0);
    const char *dir = suite_folder(&a, "01-fhir-r4-definitions");
    if (!dir) {
        arena_done(&a);
        skip();
    }
    int params = 0, constraints = 0, refused = 0;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        Arena each;
        arena_init(&each, 0);
        JsonDoc *d = document(&each, path_join(&each, str_from_c(dir), str_from_c(FILES[i])).p);
        compile_all(&each, d, JSON_ROOT, "expression", i ? &constraints : &params, &refused);
        arena_done(&each);
    }
    printf("%d search parameters, %d constraints and others, %d refused\n", params, constraints,
           refused);
    assert_true(params >= 1372 && constraints >= 14654);
    assert_int_equal(refused, 0);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_suite),
        cmocka_unit_test(published_expressions_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
