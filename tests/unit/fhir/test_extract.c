/* Extraction: the rows of small resources, folding, and every published example without an error.
 */
#include <math.h>
#include <pthread.h>

#include "fhir_extract.h"
#include "fhir_resource.h"

#include "test.h"

typedef struct Fixture {
    Arena a;
    Err e;
    JsonDoc d;
    FhirIndexRows rows;
} Fixture;

static int setup(void **state)
{
    static Fixture f;
    arena_init(&f.a, 0);
    err_init(&f.e, &f.a);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    arena_done(&((Fixture *)*state)->a);
    return 0;
}

static void extract(Fixture *f, const char *text)
{
    FhirExtractEnv env = {&f->a, 480};
    assert_int_equal(json_parse(&f->a, str_from_c(text), &JSON_LIMITS_FHIR, &f->d, &f->e), OK);
    const FhirType *type = fhir_resource_find(fhir_resource_type(&f->d));
    Status s = fhir_extract(&f->d, type, &env, &f->rows, &f->e);
    if (s != OK) {
        fail_msg("%.*s", STR_ARG(f->e.first->en));
    }
}

static void row_put(Buf *b, const FhirIndexRow *r)
{
    switch (r->kind) {
    case FHIR_PARAM_TOKEN:
        buf_printf(b, "%.*s|%.*s", STR_ARG(r->token.system), STR_ARG(r->token.code));
        break;
    case FHIR_PARAM_REFERENCE: {
        Str type = r->reference.type ? fhir_type_name(r->reference.type) : STR_NONE;
        buf_printf(b, "%.*s/%.*s %.*s", STR_ARG(type), STR_ARG(r->reference.id),
                   STR_ARG(r->reference.url));
        break;
    }
    case FHIR_PARAM_DATE:
        buf_printf(b, "%lld..%lld", (long long)r->date.lo_ms, (long long)r->date.hi_ms);
        break;
    case FHIR_PARAM_STRING:
        buf_add(b, r->string.folded);
        break;
    case FHIR_PARAM_URI:
        buf_add(b, r->uri);
        break;
    default:
        buf_printf(b, "%g..%g %.*s", r->number.lo, r->number.hi, STR_ARG(r->number.code));
        if (r->number.canonical) {
            buf_printf(b, " = %g %.*s", r->number.canonical_lo, STR_ARG(r->number.canonical_code));
        }
    }
}

/* The values of one parameter, "a; b; c"; of a composite "(1: a, b)". */
static void has(Fixture *f, const char *param, const char *want)
{
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < f->rows.n; i++) {
        const FhirIndexRow *r = &f->rows.at[i];
        if (str_is(fhir_param_name(r->param), param)) {
            buf_c(&b, b.n ? "; " : "");
            if (r->tuple) {
                buf_printf(&b, "%u.%u ", r->tuple, r->component);
            }
            row_put(&b, r);
        }
    }
    if (!str_is(buf_str(&b), want)) {
        fail_msg("%s has \"%.*s\", not \"%s\"", param, STR_ARG(buf_str(&b)), want);
    }
    buf_done(&b);
}

static void observation(void **state)
{
    Fixture *f = *state;
    extract(f, "{\"resourceType\":\"Observation\",\"id\":\"bp\",\"status\":\"final\","
               "\"category\":[{\"coding\":[{\"system\":\"urn:c\",\"code\":\"vital-signs\"}]}],"
               "\"code\":{\"coding\":[{\"system\":\"http://"
               "loinc.org\",\"code\":\"85354-9\"}],\"text\":\"BP\"},"
               "\"subject\":{\"reference\":\"Patient/p1\"},\"effectiveDateTime\":\"2026-11-22\","
               "\"component\":[{\"code\":{\"coding\":[{\"system\":\"http://"
               "loinc.org\",\"code\":\"8480-6\"}]},"
               "\"valueQuantity\":{\"value\":120,\"system\":\"http://"
               "unitsofmeasure.org\",\"code\":\"mm[Hg]\"}},"
               "{\"code\":{\"coding\":[{\"code\":\"note\"}]},\"valueString\":\"left arm\"}]}");
    has(f, "_id", "|bp");
    has(f, "status", "http://hl7.org/fhir/observation-status|final");
    has(f, "code", "http://loinc.org|85354-9; |");
    has(f, "subject", "Patient/p1 ");
    has(f, "patient", "Patient/p1 ");
    has(f, "date", "1795276800000..1795363200000");
    has(f, "component-code", "http://loinc.org|8480-6; |note");
    has(f, "component-value-quantity", "120..120 mm[Hg] = 1.59986e+07 g.m-1.s-2");
    has(f, "component-code-value-quantity",
        "1.0 http://loinc.org|8480-6; 1.1 120..120 mm[Hg] = 1.59986e+07 g.m-1.s-2");
    has(f, "value-quantity", "");
    assert_int_equal(f->rows.date_ms, 1795276800000);
    assert_int_equal(f->rows.patients_n, 1);
    assert_str(f->rows.patients[0], "p1");
    assert_str(f->rows.at[f->rows.code_row].token.code, "85354-9");
}

static void patient(void **state)
{
    Fixture *f = *state;
    extract(
        f,
        "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"active\":true,"
        "\"identifier\":[{\"type\":{\"coding\":[{\"system\":\"urn:t\",\"code\":\"NI\"}]},"
        "\"system\":\"urn:oid:2.16.156.10011.1.3\",\"value\":\"X1\"}],"
        "\"name\":[{\"family\":\"单\",\"given\":[\"Ren\\u00e9e\"]}],\"gender\":\"female\","
        "\"telecom\":[{\"system\":\"phone\",\"value\":\"13800000000\"},{\"system\":\"email\","
        "\"value\":\"a@b\"}],"
        "\"address\":[{\"city\":\"Ｘ　City\"}],\"birthDate\":\"1990\",\"deceasedBoolean\":false}");
    has(f, "identifier", "urn:oid:2.16.156.10011.1.3|X1");
    has(f, "name", "单; renee");
    has(f, "given", "renee");
    has(f, "phone", "|13800000000");
    has(f, "telecom", "|13800000000; |a@b");
    has(f, "address", "x city");
    has(f, "gender", "http://hl7.org/fhir/administrative-gender|female");
    has(f, "active", "|true");
    has(f, "deceased", "|false");
    has(f, "birthdate", "631123200000..662659200000");
    assert_int_equal(f->rows.date_ms, TIME_NONE);
    assert_str(f->rows.patients[0], "p1");
    for (size_t i = 0; i < f->rows.n; i++) {
        if (str_is(fhir_param_name(f->rows.at[i].param), "identifier")) {
            assert_str(f->rows.at[i].token.type_code, "NI");
        }
    }
}

static void pinyin_keys(void **state)
{
    Fixture *f = *state;
    bool found = false;
    extract(f, "{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"李桂芝\"}]}");
    for (size_t i = 0; i < f->rows.n; i++) {
        found |= str_is(fhir_param_name(f->rows.at[i].param), "pinyin") &&
                 str_is(f->rows.at[i].string.folded, "lgz");
    }
    assert_true(found);
}

static void open_ends_and_other_shapes(void **state)
{
    Fixture *f = *state;
    extract(f, "{\"resourceType\":\"Encounter\",\"id\":\"e\",\"status\":\"in-progress\",\"class\":{"
               "\"code\":\"AMB\"},"
               "\"period\":{\"start\":\"2026-11-22T08:00:00+08:00\"},\"subject\":{\"reference\":"
               "\"Patient/p2\"},"
               "\"length\":{\"value\":2,\"comparator\":\">\",\"system\":\"http://"
               "unitsofmeasure.org\",\"code\":\"h\"}}");
    has(f, "date", "1795305600000..9223372036854775807");
    has(f, "length", "2..inf h = 7200 s");
    has(f, "class", "|AMB");
    extract(f, "{\"resourceType\":\"Task\",\"status\":\"requested\",\"intent\":\"order\","
               "\"for\":{\"reference\":\"Patient/"
               "p3\"},\"owner\":{\"identifier\":{\"system\":\"s\",\"value\":\"v\"}},"
               "\"instantiatesUri\":\"urn:x\",\"restriction\":{\"period\":{\"end\":\"2026-11-22T08:"
               "00:00+08:00\"}}}");
    has(f, "due", "1795305600000..1795305601000");
    has(f, "owner", "/ ");
    assert_str(f->rows.patients[0], "p3");
    assert_int_equal(f->rows.date_ms, 1795305600000);
    extract(
        f, "{\"resourceType\":\"Library\",\"url\":\"http://x/L\",\"status\":\"active\",\"type\":{},"
           "\"relatedArtifact\":[{\"type\":\"depends-on\",\"resource\":\"http://x/M|1\"}]}");
    has(f, "url", "http://x/L");
    has(f, "depends-on", "/ http://x/M");
}

static void one_parameter_alone(void **state)
{
    Fixture *f = *state;
    FhirExtractEnv env = {&f->a, 480};
    extract(f, "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"male\",\"active\":true}");
    const FhirType *type = fhir_resource_find(STR("Patient"));
    const FhirParam *p = fhir_param_find(type, STR("gender"));
    assert_int_equal(fhir_extract_param(&f->d, type, p, &env, &f->rows, &f->e), OK);
    assert_int_equal(f->rows.n, 1);
    has(f, "gender", "http://hl7.org/fhir/administrative-gender|male");
    const FhirType *other = fhir_resource_find(STR("Group"));
    assert_int_equal(fhir_extract(&f->d, other, &env, &f->rows, &f->e), ERR_INVALID);
}

static void *extract_many(void *arg)
{
    static const char *const TEXTS[] = {
        "{\"resourceType\":\"Condition\",\"subject\":{\"reference\":\"Patient/"
        "1\"},\"recordedDate\":\"2026\"}",
        "{\"resourceType\":\"Flag\",\"status\":\"active\",\"code\":{},\"subject\":{\"reference\":"
        "\"Patient/1\"}}",
        "{\"resourceType\":\"Specimen\",\"subject\":{\"reference\":\"Patient/1\"}}",
    };
    size_t *patients = arg;
    for (int i = 0; i < 300; i++) {
        Arena a;
        JsonDoc d;
        FhirIndexRows rows = {0};
        arena_init(&a, 0);
        FhirExtractEnv env = {&a, 480};
        mk_check(json_parse(&a, str_from_c(TEXTS[i % 3]), &JSON_LIMITS_FHIR, &d, NULL) == OK);
        mk_check(fhir_extract(&d, fhir_resource_find(fhir_resource_type(&d)), &env, &rows, NULL) ==
                 OK);
        *patients += rows.patients_n;
        arena_done(&a);
    }
    return NULL;
}

static void threads_share_the_plans(void **state)
{
    (void)state;
    pthread_t thread[4];
    size_t patients[4] = {0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, extract_many, &patients[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(patients[i], 300);
    }
}

static void a_full_arena_is_an_error(void **state)
{
    (void)state;
    Arena text, small;
    JsonDoc d;
    FhirIndexRows rows;
    Buf b;
    arena_init(&text, 0);
    arena_init(&small, 256 * 1024);
    buf_init(&b, 0);
    buf_c(&b, "{\"resourceType\":\"Patient\",\"name\":[");
    for (int i = 0; i < 3000; i++) {
        buf_printf(&b, "%s{\"family\":\"Name %d\"}", i ? "," : "", i);
    }
    buf_c(&b, "]}");
    FhirExtractEnv env = {&small, 480};
    assert_int_equal(json_parse(&text, buf_str(&b), &JSON_LIMITS_FHIR, &d, NULL), OK);
    assert_int_equal(fhir_extract(&d, fhir_resource_find(STR("Patient")), &env, &rows, NULL),
                     ERR_TOO_LARGE);
    buf_done(&b);
    arena_done(&small);
    arena_done(&text);
}

static void folding(void **state)
{
    static const char *const CASES[][2] = {
        {"  Peter\t  JAMES ", "peter james"},
        {"李 桂芝", "李 桂芝"},
        {"ＡＢＣ１２", "abc12"},
        {"Ångström", "angstrom"},
        {"Straße", "strasse"},
        {"㍿", "株式会社"},
        {"", ""},
        {"Ｘ　Ｙ", "x y"},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_str(fhir_fold(&f->a, str_from_c(CASES[i][0])), CASES[i][1]);
    }
}

typedef struct Count {
    const char *dir;
    int files, failed;
    size_t rows;
} Count;

static Status example(void *ctx, Str name, Err *err)
{
    Count *c = ctx;
    Arena a;
    Str text;
    JsonDoc d;
    FhirIndexRows rows = {0};
    arena_init(&a, 0);
    FhirExtractEnv env = {&a, 480};
    Status s = file_read(&a, path_join(&a, str_from_c(c->dir), name).p, 64u << 20, &text, err);
    s = s == OK ? json_parse(&a, text, &JSON_LIMITS_FHIR, &d, err) : s;
    const FhirType *type = s == OK ? fhir_resource_find(fhir_resource_type(&d)) : NULL;
    if (type && fhir_extract(&d, type, &env, &rows, err) != OK) {
        printf("%.*s: %.*s\n", STR_ARG(name), STR_ARG(err->last->en));
        c->failed++;
    }
    c->files += type != NULL;
    c->rows += rows.n;
    arena_done(&a);
    return s;
}

static void every_example_extracts(void **state)
{
    Fixture *f = *state;
    Count c = {.dir = suite_folder(&f->a, "02-fhir-r4-examples/instances")};
    if (!c.dir) {
        skip();
    }
    assert_int_equal(dir_walk(&f->a, c.dir, example, &c, &f->e), OK);
    printf("%d examples, %zu rows, %d failed\n", c.files, c.rows, c.failed);
    assert_true(c.files > 500 && c.rows > (size_t)c.files * 3);
    assert_int_equal(c.failed, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(observation),
        T(patient),
        T(pinyin_keys),
        T(open_ends_and_other_shapes),
        T(one_parameter_alone),
        T(folding),
        cmocka_unit_test(threads_share_the_plans),
        cmocka_unit_test(a_full_arena_is_an_error),
        T(every_example_extracts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
