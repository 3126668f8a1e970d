/* FHIRPath beyond the official suite: errors, budgets, several documents, patterns, R4's ways. */
#include "fhir_path.h"

#include "test.h"

typedef struct Fixture {
    Arena a;
    Err e;
    JsonDoc d;
    FhirPathEnv env;
} Fixture;

static const char PATIENT[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"contained\":[{"
                              "\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":"
                              "\"村卫生室\"}],\"managingOrganization\":{\"reference\":\"#o\"},"
                              "\"active\":true,\"name\":[{\"use\":\"official\","
                              "\"family\":\"李\",\"given\":[\"桂芝\",\"B\"],\"_given\":[null,{"
                              "\"extension\":[{\"url\":\"urn:g\",\"valueCode\":\"x\"}]}"
                              "]}],\"_birthDate\":{\"extension\":[{\"url\":\"urn:unknown\","
                              "\"valueString\":\"yes\"}]},\"multipleBirthInteger\":2,"
                              "\"generalPractitioner\":[{\"reference\":\"Practitioner/"
                              "d1\"},{\"reference\":\"https://x.cn/fhir/Organization/9\"}],"
                              "\"extension\":[{\"url\":\"urn:w\",\"valueQuantity\":{\"value\":1.50,"
                              "\"unit\":\"kg\",\"system\":\"http://"
                              "unitsofmeasure.org\",\"code\":\"kg\"}}]}";

static int setup(void **state)
{
    static Fixture f;
    arena_init(&f.a, 0);
    err_init(&f.e, &f.a);
    f.env = (FhirPathEnv){.arena = &f.a, .now_ms = 1795305600000, .zone_min = 480};
    assert_int_equal(json_parse(&f.a, str_from_c(PATIENT), &JSON_LIMITS_FHIR, &f.d, &f.e), OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    arena_done(&((Fixture *)*state)->a);
    return 0;
}

static FhirValues values_of(Fixture *f, const char *expression)
{
    FhirPath *path;
    FhirValues values = {0};
    FhirNode root = fhir_node_root(&f->d);
    err_clear(&f->e);
    Status s = fhir_path_compile(&f->a, str_from_c(expression), &path, &f->e);
    s = s == OK ? fhir_path_eval(path, &f->env, &root, 1, &values, &f->e) : s;
    if (s != OK) {
        fail_msg("%s: %.*s", expression, STR_ARG(f->e.first->en));
    }
    return values;
}

/* The results as FHIR JSON, joined by blanks. */
static void gives(Fixture *f, const char *expression, const char *want)
{
    FhirValues values = values_of(f, expression);
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < values.n; i++) {
        buf_c(&b, i ? " " : "");
        fhir_value_json(&b, &values.at[i]);
    }
    if (!str_is(buf_str(&b), want)) {
        fail_msg("%s gives %.*s, not %s", expression, STR_ARG(buf_str(&b)), want);
    }
    buf_done(&b);
}

static void refused(Fixture *f, const char *expression, const char *why)
{
    FhirPath *path;
    FhirValues values;
    FhirNode root = fhir_node_root(&f->d);
    err_clear(&f->e);
    Status s = fhir_path_compile(&f->a, str_from_c(expression), &path, &f->e);
    s = s == OK ? fhir_path_eval(path, &f->env, &root, 1, &values, &f->e) : s;
    assert_int_not_equal(s, OK);
    if (str_find(f->e.first->en, str_from_c(why)) < 0) {
        fail_msg("%s: %.*s", expression, STR_ARG(f->e.first->en));
    }
}

static void errors_say_where_and_what(void **state)
{
    refused(*state, "name.where(", "at character 12: expected a value or a path");
    refused(*state, "name given", "at character 6: expected an operator or the end");
    refused(*state, "'门' + nme()", "at character 7: expected the name of a function");
    refused(*state, "name.first(1, 2)", "at character 6: expected 0 to 0 arguments of first()");
    refused(*state, "1 is Foo", "at character 6: expected the name of a type");
    refused(*state, "'abc", "expected the quote");
    refused(*state, "name.matches('[a')",
            "at character 14: expected a valid regular expression (] is missing)");
    refused(*state, "@2026-02-30", "expected a date");
    refused(*state, "#", "expected a character that FHIRPath knows");
    refused(*state, "%nobody", "there is no variable %nobody");
    refused(*state, "name.given + 1", "one value is needed here");
    refused(*state, "name < 1", "does not work on complex elements");
    refused(*state, "multipleBirthInteger = 2", "without its type here");
    refused(*state, "@2026-11-22 + 1 'mo'", "only years, months, weeks");
    refused(*state, "9223372036854775807 + 1", "out of range");
}

static void elements_as_r4_sees_them(void **state)
{
    Fixture *f = *state;
    gives(f, "Patient.multipleBirth", "2");
    gives(f, "multipleBirth is integer and multipleBirth is Integer = false", "true");
    gives(f, "Resource.id | DomainResource.active", "\"p1\" true");
    gives(f, "birthDate.extension('urn:unknown').value", "\"yes\"");
    gives(f, "birthDate.exists() and birthDate.hasValue().not()", "true");
    gives(f, "name.given[1].extension.value", "\"x\"");
    gives(f, "name.given.extension('urn:g').exists()", "true");
    gives(f, "Patient.extension('urn:w').value.as(Quantity).value", "1.50");
    gives(f, "extension.value > 1400 'g'", "true");
    gives(f, "children().count() = 10 and descendants().where($this is Extension).count() = 3",
          "true");
    gives(f, "contained.name | managingOrganization.resolve().name", "\"村卫生室\"");
    gives(f, "%resource.id & %rootResource.id & %context.id", "\"p1p1p1\"");
    gives(f, "name.use.memberOf('http://hl7.org/fhir/ValueSet/name-use')", "true");
    gives(f, "id.memberOf('http://hl7.org/fhir/ValueSet/name-use')", "false");
    gives(f, "id.memberOf('urn:unknown').empty()", "true");
    gives(f, "type().namespace & '.' & type().name", "\"FHIR.Patient\"");
    gives(f, "getResourceKey() | generalPractitioner.getReferenceKey()",
          "\"Patient/p1\" \"Practitioner/d1\" \"Organization/9\"");
}

static void stubs_have_a_type_and_nothing_else(void **state)
{
    Fixture *f = *state;
    gives(f, "generalPractitioner.where(resolve() is Practitioner).reference", "");
    f->env.type_stubs = true;
    gives(f, "generalPractitioner.where(resolve() is Practitioner).reference",
          "\"Practitioner/d1\"");
    gives(f, "generalPractitioner.resolve().id.empty()", "true");
}

static bool resolve_doctor(void *ctx, Str reference, FhirNode *ret)
{
    if (!str_is(reference, "Practitioner/d1")) {
        return false;
    }
    *ret = fhir_node_root(ctx);
    return true;
}

static void several_documents_in_one_expression(void **state)
{
    Fixture *f = *state;
    JsonDoc doctor, task;
    Str text =
        STR("{\"resourceType\":\"Practitioner\",\"id\":\"d1\",\"name\":[{\"family\":\"王\"}]}");
    Str task_text = STR("{\"resourceType\":\"Task\",\"owner\":{\"reference\":\"Organization/"
                        "9\"},\"priority\":\"stat\"}");
    assert_int_equal(json_parse(&f->a, text, &JSON_LIMITS_FHIR, &doctor, &f->e), OK);
    assert_int_equal(json_parse(&f->a, task_text, &JSON_LIMITS_FHIR, &task, &f->e), OK);
    FhirPathVar vars[] = {
        {STR("task"), fhir_values_one(&f->a, fhir_value_node(fhir_node_root(&task)))},
        {STR("limit"), fhir_values_one(&f->a, fhir_value_integer(30))},
    };
    f->env.vars = vars;
    f->env.vars_n = 2;
    f->env.ctx = &doctor;
    f->env.resolve = resolve_doctor;
    gives(f, "name.family | generalPractitioner.resolve().name.family | %task.priority",
          "\"李\" \"王\" \"stat\"");
    gives(f, "%limit * 2 minutes > 1 hour or %task.owner.reference.endsWith('/9')", "true");
    FhirPath *path;
    const Str *names;
    assert_int_equal(
        fhir_path_compile(&f->a, STR("%task.x = %limit and %task.y = %resource"), &path, &f->e),
        OK);
    assert_int_equal(fhir_path_variables(path, &names), 2);
    assert_str(names[0], "task");
    assert_str(names[1], "limit");
}

static void time_is_given_not_taken(void **state)
{
    gives(*state, "now()", "\"2026-11-22T08:00:00.000+08:00\"");
    gives(*state, "today() = @2026-11-22 and timeOfDay() = @T08:00:00.000", "true");
    gives(*state, "@2024-01-31 + 1 month", "\"2024-02-29\"");
    gives(*state, "@2026-11-22T08:00:00+08:00 - 90 minutes", "\"2026-11-22T06:30:00+08:00\"");
    gives(*state, "@2026-11-22 - 2 weeks", "\"2026-11-08\"");
    gives(*state, "@2026-11 < @2026-11-22", "");
    gives(*state, "@2026-11-22T08:00:00+08:00 < @2026-11-24T08:00:00", "true");
}

static void decimals_are_exact(void **state)
{
    gives(*state, "0.1 + 0.2 = 0.3", "true");
    gives(*state, "1.10 + 1", "2.10");
    gives(*state, "1 / 3", "0.3333333333333333");
    gives(*state, "12345678901234567890.12 * 10", "123456789012345678901.20");
    gives(*state, "(2.5).round() | (-2.5).round() | 7 div 2 | -7 mod 4", "3 -3");
    gives(*state, "(1 | 2 | 3.5).sum() | (3 | 1 | 2).max() | (1|2).avg()", "6.5 3 1.5");
}

static void patterns_cost_no_more_than_they_may(void **state)
{
    Fixture *f = *state;
    gives(f, "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", "false");
    gives(f, "'2026-11-22'.replaceMatches('(\\\\d+)-(\\\\d+)-(\\\\d+)', '$3/$2/$1')",
          "\"22/11/2026\"");
    gives(f, "'门口 abc'.matches('^[\\\\u4e00-\\\\u9fff]{2}\\\\s\\\\w+$')", "true");
    refused(f, "'a'.matches('(?=a)')", "groups that begin with (?");
    refused(f, "'a'.matches('((a{1,900}){1,900}){1,900}')", "the pattern is too large");
}

static void budgets_end_an_evaluation(void **state)
{
    Fixture *f = *state;
    f->env.steps_max = 1000;
    refused(f, "repeat(descendants() | $this).count()", "more steps than allowed");
    refused(f, "('a' & 'b').select($this).repeat($this & $this).count()",
            "more steps than allowed");
    Arena small;
    arena_init(&small, 64 * 1024);
    f->env.arena = &small;
    f->env.steps_max = 0;
    refused(f, "(1).repeat($this + 1).count()", "more memory than allowed");
    arena_reset(&small);
    refused(f, "('aaaaaaaa').repeat($this & $this).count()",
            "more memory than allowed"); /* doubles */
    arena_done(&small);
    f->env.arena = &f->a;
    Buf deep;
    buf_init(&deep, 0);
    for (int i = 0; i < 200; i++) {
        buf_char(&deep, '(');
    }
    buf_char(&deep, 0);
    refused(f, deep.p, "nested less deep");
    buf_clear(&deep);
    for (int i = 0; i < 1000; i++) {
        buf_c(&deep, "a.");
    }
    buf_c(&deep, "a");
    buf_char(&deep, 0);
    refused(f, deep.p, "a shorter expression");
    buf_done(&deep);
}

static void truth_of_guards(void **state)
{
    Fixture *f = *state;
    FhirPath *path;
    FhirNode root = fhir_node_root(&f->d);
    bool truth;
    static const struct {
        const char *text;
        bool truth;
    } CASES[] = {{"name.exists()", true},
                 {"{}", false},
                 {"active", true},
                 {"active.not()", false},
                 {"id", true}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(fhir_path_compile(&f->a, str_from_c(CASES[i].text), &path, &f->e), OK);
        assert_int_equal(fhir_path_test(path, &f->env, &root, &truth, &f->e), OK);
        assert_int_equal(truth, CASES[i].truth);
    }
    assert_int_equal(fhir_path_compile(&f->a, STR("name.given"), &path, &f->e), OK);
    assert_int_equal(fhir_path_test(path, &f->env, &root, &truth, &f->e), ERR_INVALID);
}

static void values_as_json(void **state)
{
    gives(*state, "name.first().given", "\"桂芝\" \"B\"");
    gives(*state, "5.50 'mg'",
          "{\"value\":5.50,\"unit\":\"mg\",\"system\":\"http://"
          "unitsofmeasure.org\",\"code\":\"mg\"}");
    gives(*state, "3 days", "{\"value\":3,\"unit\":\"day\"}");
    gives(*state, "'a\"b' | 1 | true | @T08:30", "\"a\\\"b\" 1 true \"08:30\"");
    gives(*state, "name.select(use)", "\"official\"");
    gives(*state, "defineVariable('n', name.given.count()).select(%n + 1)", "3");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void components_of_time(void **state)
{
    Fixture *f = *state;
    gives(f, "@2026-11-22T08:30:15.250+08:00.yearOf()", "2026");
    gives(f, "@2026-11-22.monthOf() | @2026-11-22.dayOf()", "11 22");
    gives(f, "@2026-11-22T08:30:15.250+08:00.hourOf()", "8");
    gives(f, "@T08:30.minuteOf()", "30");
    gives(f, "@T08:30.secondOf()", "");
    gives(f, "@T08:30.yearOf()", "");
    gives(f, "@2026-11-22T08:30:15.250+08:00.millisecondOf()", "250");
    gives(f, "@2026-11-22T08:30:15-03:30.timezoneOffsetOf()", "-3.5");
    gives(f, "@2026-11-22T08:30:15Z.dateOf()", "\"2026-11-22\"");
    gives(f, "@2026-11-22T08:30.timeOf()", "\"08:30\"");
    gives(f, "Patient.birthDate.yearOf()", "");
    refused(f, "'x'.yearOf()", "a date or a time");
}

static void quantities_by_ucum(void **state)
{
    Fixture *f = *state;
    gives(f, "1 'kg' = 1000 'g' and 1 'kg' > 999 'g' and 37 'Cel' = 98.6 '[degF]'", "true");
    gives(f, "1 'kg' = 1 'm'", "");
    gives(f, "(1 'kg' + 1 'g').toString()", "\"1001 'g'\"");
    gives(f, "(3 weeks - 1 day).toString()", "\"20 days\"");
    gives(f, "(1 year + 1 month).toString()", "\"13 months\"");
    gives(f, "1 year + 1 day", "");
    gives(f, "(1 'g' | 2 'mg').sum().toString()", "\"1002 'mg'\"");
    gives(f, "(1 'g' | 2 'g').avg().toString()", "\"1.5 'g'\"");
    gives(f, "(1 'g' | 2 'm').sum()", "");
    gives(f, "(12 'cm2' / 3 'cm').toString()", "\"4 'cm'\"");
    gives(f, "(2 'cm' * 2 'm').toString()", "\"0.04 'm2'\"");
    gives(f, "(1 year).toQuantity('months').toString()", "\"12 months\"");
    gives(f, "1 year = 12 months and 1 year > 364 days and 2 weeks = 14 days", "true");
    gives(f, "1 year = 1 'a'", "");
    gives(f, "2 hours = 7200 's'", "true");
    gives(f, "(5 'mg').toQuantity('g').toString()", "\"0.005 'g'\"");
    gives(f, "3 'tablet' + 1 'mg'", "");
    gives(f, "(5 'mg' + 1 'g').value | 5 'mg'.unit | 2 weeks.code", "1005 \"mg\"");
}

static void newer_functions(void **state)
{
    Fixture *f = *state;
    gives(f, "'ABC'.matches('b') | 'ABC'.matches('b', 'i')", "false true");
    gives(f, "'ABC'.matches('[^b]BC', 'i')", "true");
    gives(f, "'a\\nb'.matches('^b$') | 'a\\nb'.matches('^b$', 'm')", "false true");
    gives(f, "'Aa'.replaceMatches('a', 'x', 'i')", "\"xx\"");
    refused(f, "'a'.matches('a', 'q')", "flags are");
    gives(f, "(1|2).combine(2|3, true)", "1 2 2 3");
    gives(f, "Patient.repeatAll(contained).count()", "1");
    refused(f, "1.repeatAll($this)", "steps");
    refused(f, "Patient.contained.combine(Patient).as(Patient)", "several");
}

/* Plain JSON has the types of the language itself. */
static void plain_json_has_types(void **state)
{
    Fixture *f = *state;
    assert_int_equal(json_parse(&f->a,
                                STR("{\"resourceType\":\"Shelf\",\"a\":[1,2.5,\"x\",true,{\"n\":"
                                    "{\"coding\":0}}],\"Box\":{\"w\":3}}"),
                                &JSON_LIMITS_FHIR, &f->d, &f->e),
                     OK);
    gives(f, "Shelf.a.ofType(Integer)", "1");
    gives(f, "Shelf.a.where($this is System.Decimal)", "2.5");
    gives(f, "Shelf.a[2].type()", "{\"namespace\":\"System\",\"name\":\"String\"}");
    gives(f, "Shelf.a[3] is Boolean", "true");
    gives(f, "Box.w", "3");
    gives(f, "Shelf.Box.w + 1", "4");
}

static void weights_of_answers(void **state)
{
    Fixture *f = *state;
    assert_int_equal(
        json_parse(
            &f->a,
            STR("{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"completed\",\"item\":"
                "[{\"linkId\":\"1\",\"answer\":[{\"valueCoding\":{\"code\":\"a\",\"extension\":"
                "[{\"url\":\"http://hl7.org/fhir/StructureDefinition/ordinalValue\","
                "\"valueDecimal\":2}]}}]},{\"linkId\":\"2\",\"answer\":[{\"extension\":[{\"url\":"
                "\"http://hl7.org/fhir/StructureDefinition/itemWeight\",\"valueDecimal\":3.5}],"
                "\"valueBoolean\":true}]}]}"),
            &JSON_LIMITS_FHIR, &f->d, &f->e),
        OK);
    gives(f, "item.answer.weight()", "2 3.5");
    gives(f, "item.answer.value.ordinal().sum()", "2");
}

static void strict_knows_types_and_order(void **state)
{
    Fixture *f = *state;
    f->env.strict = true;
    refused(f, "(Patient.multipleBirth as Period).unit", "no such element");
    refused(f, "Patient.children().first()", "no order");
    refused(f, "Patient.descendants()[0]", "no order");
    gives(f, "Patient.children().where($this = 2)", "2");
    f->env.strict = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(errors_say_where_and_what),
        T(elements_as_r4_sees_them),
        T(stubs_have_a_type_and_nothing_else),
        T(several_documents_in_one_expression),
        T(time_is_given_not_taken),
        T(decimals_are_exact),
        T(patterns_cost_no_more_than_they_may),
        T(budgets_end_an_evaluation),
        T(truth_of_guards),
        T(values_as_json),
        T(components_of_time),
        T(quantities_by_ucum),
        T(newer_functions),
        T(plain_json_has_types),
        T(weights_of_answers),
        T(strict_knows_types_and_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
