#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fhir_validate.h"

/* A case: JSON with ' for ", and the first issue's code and place; NULL: valid. */
typedef struct Case {
    const char *json, *code, *where;
} Case;

static Str quoted(Arena *a, const char *json)
{
    char *text = arena_cstr(a, str_from_c(json));
    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return str_from_c(text);
}

static void check_case(const Case *c)
{
    Arena a;
    Err err;
    JsonDoc d;
    arena_init(&a, 0);
    err_init(&err, &a);
    assert_int_equal(json_parse(&a, quoted(&a, c->json), &JSON_LIMITS_FHIR, &d, &err), OK);
    Status s = fhir_validate(&d, JSON_ROOT, STR_NONE, &err);
    if (!c->code) {
        if (s != OK) {
            fail_msg("%s: %.*s: %.*s", c->json, STR_ARG(err.first->where), STR_ARG(err.first->en));
        }
    } else if (s != ERR_UNPROCESSABLE) {
        fail_msg("%s: should be refused at %s", c->json, c->where);
    } else if (!str_is(err.first->where, c->where) || strcmp(err.first->code, c->code) != 0) {
        fail_msg("%s: %s at %.*s (%.*s), not %s at %s", c->json, err.first->code,
                 STR_ARG(err.first->where), STR_ARG(err.first->en), c->code, c->where);
    }
    arena_done(&a);
}

#define PATIENT(members) "{'resourceType':'Patient'," members "}"
#define OBSERVATION(members)                                                                       \
    "{'resourceType':'Observation','status':'final','code':{'text':'x'}," members "}"
#define DIV(content)                                                                               \
    PATIENT("'text':{'status':'generated','div':'<div "                                            \
            "xmlns=\\'http://www.w3.org/1999/xhtml\\'>" content "'}")

static void check_cases(const Case *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check_case(&c[i]);
    }
}

static void test_structure(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {"{'resourceType':'Patient'}", NULL, NULL},
        {PATIENT("'name':[{'family':'李','given':['桂芝']}],'active':true,'birthDate':'1956-03'"),
         NULL, NULL},
        {"{}", "structure", "Resource.resourceType"},
        {"{'resourceType':'Paitent'}", "structure", "Resource.resourceType"},
        {"{'resourceType':'DomainResource'}", "structure", "Resource.resourceType"},
        {PATIENT("'nam':[]"), "structure", "Patient.nam"},
        {PATIENT("'name':{'family':'x'}"), "structure", "Patient.name"},
        {PATIENT("'birthDate':['2000']"), "structure", "Patient.birthDate"},
        {PATIENT("'name':[]"), "structure", "Patient.name"},
        {PATIENT("'name':[{}]"), "invariant", "Patient.name[0]"},
        {PATIENT("'name':[{'id':'a'}]"), "invariant", "Patient.name[0]"},
        {PATIENT("'name':null"), "structure", "Patient.name"},
        {PATIENT("'name':[null]"), "structure", "Patient.name[0]"},
        {PATIENT("'name':['x']"), "structure", "Patient.name[0]"},
        {PATIENT("'contact':[{'name':{'family':1}}]"), "structure",
         "Patient.contact[0].name.family"},
        {PATIENT("'contact':[{'name':{'faimly':'x'}}]"), "structure",
         "Patient.contact[0].name.faimly"},
        {PATIENT("'link':[{'type':'refer'}]"), "required", "Patient.link[0]"},
        {"{'resourceType':'Observation','status':'final'}", "required", "Observation"},
        {OBSERVATION("'valueString':'a','valueInteger':1"), "structure",
         "Observation.value.ofType(integer)"},
        {OBSERVATION("'valueString':'a','_valueString':{'id':'b'}"), NULL, NULL},
        {OBSERVATION("'valueAddress':{'city':'a'}"), "structure", "Observation.valueAddress"},
        {"{'resourceType':'Questionnaire','status':'draft','item':[{'linkId':'1','type':'group',"
         "'item':[{'linkId':'2','type':'text','item':[{'type':'text'}]}]}]}",
         "required", "Questionnaire.item[0].item[0].item[0]"},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void test_primitives(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {PATIENT("'id':'a_b'"), "value", "Patient.id"},
        {PATIENT("'id':''"), "value", "Patient.id"},
        {PATIENT("'active':'true'"), "structure", "Patient.active"},
        {PATIENT("'birthDate':'2001-02-29'"), "value", "Patient.birthDate"},
        {PATIENT("'birthDate':'2000-01-01T10:00:00Z'"), "value", "Patient.birthDate"},
        {PATIENT("'multipleBirthInteger':1.5"), "value", "Patient.multipleBirth.ofType(integer)"},
        {PATIENT("'multipleBirthInteger':2147483648"), "value",
         "Patient.multipleBirth.ofType(integer)"},
        {PATIENT("'deceasedDateTime':'2020-01-01T10:00:00'"), "value",
         "Patient.deceased.ofType(dateTime)"},
        {PATIENT("'deceasedDateTime':'2020-01-01T10:00:00+08:00'"), NULL, NULL},
        {PATIENT("'meta':{'lastUpdated':'2020-01-01'}"), "value", "Patient.meta.lastUpdated"},
        {PATIENT("'gender':'F'"), "code-invalid", "Patient.gender"},
        {PATIENT("'gender':' female'"), "value", "Patient.gender"},
        {PATIENT("'photo':[{'contentType':'image/png','data':'aGk=','size':2}]"), NULL, NULL},
        {PATIENT("'photo':[{'data':'aGk=','size':3}]"), "structure", "Patient.photo[0]"},
        {PATIENT("'photo':[{'data':'aGk'}]"), "value", "Patient.photo[0].data"},
        {PATIENT("'implicitRules':'a b'"), "value", "Patient.implicitRules"},
        {OBSERVATION("'valueQuantity':{'value':'1'}"), "structure",
         "Observation.value.ofType(Quantity).value"},
        {OBSERVATION("'valueQuantity':{'value':1.00}"), NULL, NULL},
        {OBSERVATION("'valueTime':'25:00:00'"), "value", "Observation.value.ofType(time)"},
        {OBSERVATION("'valuePeriod':{'start':'2020-02','end':'2020-01-31'}"), "invariant",
         "Observation.value.ofType(Period)"},
        {OBSERVATION("'valuePeriod':{'start':'2020-02','end':'2020-02-01'}"), NULL, NULL},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void test_primitive_extensions(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {PATIENT("'_birthDate':{'extension':[{'url':'u','valueString':'x'}]}"), NULL, NULL},
        {PATIENT("'_birthDate':'x'"), "structure", "Patient.birthDate"},
        {PATIENT("'_name':[{}]"), "structure", "Patient._name"},
        {PATIENT("'name':[{'given':['a',null],'_given':[null,{'id':'x'}]}]"), NULL, NULL},
        {PATIENT("'name':[{'given':['a',null],'_given':[null,null]}]"), "structure",
         "Patient.name[0].given[1]"},
        {PATIENT("'name':[{'given':['a'],'_given':[null,{'id':'x'}]}]"), "structure",
         "Patient.name[0].given"},
        {PATIENT("'_birthDate':{'extension':[{'url':'u'}]}"), "invariant",
         "Patient.birthDate.extension[0]"},
        {PATIENT("'extension':[{'url':'u','valueString':'x','extension':[{'url':'v','valueCode':'c'"
                 "}]}]"),
         "invariant", "Patient.extension[0]"},
        {PATIENT("'extension':[{'valueString':'x'}]"), "required", "Patient.extension[0]"},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void test_references(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {OBSERVATION("'subject':{'reference':'Patient/1'}"), NULL, NULL},
        {OBSERVATION("'subject':{'reference':'Patient/1/_history/2'}"), NULL, NULL},
        {OBSERVATION("'subject':{'reference':'urn:uuid:c757873d-ec9a-4326-a141-556f43239520'}"),
         NULL, NULL},
        {OBSERVATION("'subject':{'reference':'Patient?identifier=x'}"), NULL, NULL},
        {OBSERVATION("'subject':{'display':'x'}"), NULL, NULL},
        {OBSERVATION("'subject':{'reference':'Slot/1'}"), "structure", "Observation.subject"},
        {OBSERVATION("'subject':{'reference':'http://a.b/fhir/Slot/1'}"), "structure",
         "Observation.subject"},
        {OBSERVATION("'subject':{'reference':'nonsense'}"), "value", "Observation.subject"},
        {OBSERVATION("'subject':{'reference':'#p'}"), "invariant", "Observation.subject"},
        {OBSERVATION(
             "'contained':[{'resourceType':'Patient','id':'p'}],'subject':{'reference':'#p'}"),
         NULL, NULL},
        {OBSERVATION("'contained':[{'resourceType':'Slot','id':'p','schedule':{'display':'x'},'"
                     "status':'free',"
                     "'start':'2020-01-01T00:00:00Z','end':'2020-01-01T01:00:00Z'}],'subject':{'"
                     "reference':'#p'}"),
         "structure", "Observation.subject"},
        {OBSERVATION("'contained':[{'resourceType':'Patient'}]"), "required",
         "Observation.contained[0]"},
        {OBSERVATION("'contained':[{'resourceType':'Patient','id':'a','gender':'x'}]"),
         "code-invalid", "Observation.contained[0].gender"},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void test_required_concepts(void **state)
{
    (void)state;
#define CONDITION(status)                                                                          \
    "{'resourceType':'Condition','subject':{'reference':'Patient/1'},'clinicalStatus':" status "}"
#define CLINICAL "http://terminology.hl7.org/CodeSystem/condition-clinical"
    static const Case CASES[] = {
        {CONDITION("{'coding':[{'system':'" CLINICAL "','code':'active'}]}"), NULL, NULL},
        {CONDITION("{'coding':[{'system':'urn:x','code':'active'}]}"), "code-invalid",
         "Condition.clinicalStatus"},
        {CONDITION("{'text':'active'}"), "code-invalid", "Condition.clinicalStatus"},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void test_bundles_and_parameters(void **state)
{
    (void)state;
#define BUNDLE(type, entries) "{'resourceType':'Bundle','type':'" type "','entry':[" entries "]}"
#define REQUEST               "'request':{'method':'POST','url':'Patient'}"
    static const Case CASES[] = {
        {BUNDLE("transaction", "{'resource':{'resourceType':'Patient'}," REQUEST "}"), NULL, NULL},
        {BUNDLE("transaction", "{'resource':{'resourceType':'Patient'}}"), "required",
         "Bundle.entry[0]"},
        {BUNDLE("collection", "{'resource':{'resourceType':'Patient'}," REQUEST "}"), "invariant",
         "Bundle.entry[0]"},
        {BUNDLE("collection", "{'resource':{'resourceType':'Patient','x':1}}"), "structure",
         "Bundle.entry[0].resource.x"},
        {BUNDLE("collection", "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Patient'}},"
                              "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Patient'}}"),
         "invariant", "Bundle.entry[1]"},
        {BUNDLE("collection", "{'fullUrl':'Patient/1','resource':{'resourceType':'Patient'}}"),
         "value", "Bundle.entry[0]"},
        {"{'resourceType':'Parameters'}", NULL, NULL},
        {"{'resourceType':'Parameters','parameter':[{'name':'a','valueCode':'b'}]}", NULL, NULL},
        {"{'resourceType':'Parameters','parameter':[{'name':'a','valueCode':'b','valueString':'c'}]"
         "}",
         "structure", "Parameters.parameter[0].value.ofType(string)"},
        {"{'resourceType':'Parameters','parameter':[{'name':'a','part':[{'name':'b'}]}]}",
         "invariant", "Parameters.parameter[0].part[0]"},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void test_constraints(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {OBSERVATION("'valueString':'x'"), NULL, NULL},
        {OBSERVATION("'valueString':'x','dataAbsentReason':{'text':'y'}"), "invariant",
         "Observation"},
        {OBSERVATION("'referenceRange':[{'age':{'low':{'value':1}}}]"), "invariant",
         "Observation.referenceRange[0]"},
        {"{'resourceType':'Observation','status':'final','code':{'coding':[{'code':'c'}]},"
         "'valueString':'x','component':[{'code':{'coding':[{'code':'c'}]},'valueString':'y'}]}",
         "invariant", "Observation"},
        {PATIENT("'contact':[{'gender':'male'}]"), "invariant", "Patient.contact[0]"},
        {PATIENT("'telecom':[{'value':'120'}]"), "invariant", "Patient.telecom[0]"},
        {"{'resourceType':'Organization','name':'a','telecom':[{'system':'phone','use':'home'}]}",
         "invariant", "Organization"},
        {PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':'n'}]"), "invariant",
         "Patient.contained[0]"},
        {PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':'n'}],"
                 "'managingOrganization':{'reference':'#o'}"),
         NULL, NULL},
        {PATIENT("'contained':[{'resourceType':'Observation','id':'o','status':'final',"
                 "'code':{'text':'x'},'subject':{'reference':'#'}}]"),
         NULL, NULL},
        /* a rule that gives nothing is not broken */
        {"{'resourceType':'RiskAssessment','status':'final','subject':{'reference':'Patient/a'},"
         "'prediction':[{'outcome':{'text':'x'}}]}",
         NULL, NULL},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

static void warning_count(const char *text, int want)
{
    Arena a;
    Err err;
    JsonDoc d;
    arena_init(&a, 0);
    err_init(&err, &a);
    assert_int_equal(json_parse(&a, str_from_c(text), &JSON_LIMITS_FHIR, &d, &err), OK);
    assert_int_equal(fhir_validate_with(&d, JSON_ROOT, &(FhirCheck){.thorough = true}, &err), OK);
    assert_int_equal(err.status, OK);
    assert_int_equal(err.count, want);
    assert_true(!want || err.first->severity == SEVERITY_WARNING);
    arena_done(&a);
}

static void test_recommendations_are_warnings(void **state)
{
    (void)state;
    warning_count("{\"resourceType\":\"Patient\"}", 1); /* dom-6: no narrative */
    warning_count("{\"resourceType\":\"Binary\",\"contentType\":\"text/plain\"}", 0);
}

static void test_narratives(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {DIV("<p class=\\'a\\'>x &amp; &#20320; <br/></p><!-- c --></div>"), NULL, NULL},
        {DIV("<p>x</div>"), "invariant", "Patient.text.div"},
        {DIV("<script>x</script></div>"), "invariant", "Patient.text.div"},
        {DIV("<a href=\\' JavaScript:x\\'>x</a></div>"), "invariant", "Patient.text.div"},
        {DIV("<p onclick=\\'x\\'>x</p></div>"), "invariant", "Patient.text.div"},
        {DIV("&reg;</div>"), "invariant", "Patient.text.div"},
        {DIV("x</div><div>y</div>"), "invariant", "Patient.text.div"},
        {PATIENT("'text':{'status':'generated','div':'x'}"), "invariant", "Patient.text.div"},
    };
    check_cases(CASES, sizeof CASES / sizeof *CASES);
}

/* What JSON allows and FHIR does not is refused with its place. */
static void test_body_flags(void **state)
{
    (void)state;
    static const struct {
        const char *json, *where;
    } cases[] = {
        {PATIENT("'gender':'male','gender':'female'"), "Patient.gender"},
        {PATIENT("'name':[{'text':'a'},{'text':'b','given':['c'],'text':'d'}]"),
         "Patient.name[1].text"},
        {PATIENT("'name':[{'given':['\\\\ud800','\\ud83d\\ude00','\\ud83d']}]"),
         "Patient.name[0].given[2]"},
        {PATIENT("'name':[{'family':'a\\u0000'}]"), "Patient.name[0].family"},
        {PATIENT("'name':[{'fam\\udc00ily':'a'}]"), "Patient.name[0]"},
        {"['\\u0000']", "Resource[0]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a;
        Err err;
        JsonDoc d;
        arena_init(&a, 0);
        err_init(&err, &a);
        assert_int_equal(json_parse(&a, quoted(&a, cases[i].json), &JSON_LIMITS_FHIR, &d, &err),
                         OK);
        assert_int_equal(fhir_body_check(&d, &err), ERR_INVALID);
        assert_string_equal(arena_cstr(&a, err.first->where), cases[i].where);
        arena_done(&a);
    }
}

static void test_issues_are_bounded(void **state)
{
    (void)state;
    Arena a;
    Err err;
    JsonDoc d;
    Buf b;
    arena_init(&a, 0);
    err_init(&err, &a);
    buf_init(&b, 0);
    buf_c(&b, "{\"resourceType\":\"Patient\"");
    for (int i = 0; i < 5000; i++) {
        buf_printf(&b, ",\"x%d\":1", i);
    }
    buf_char(&b, '}');
    assert_int_equal(json_parse(&a, buf_str(&b), &JSON_LIMITS_FHIR, &d, &err), OK);
    assert_int_equal(fhir_validate(&d, JSON_ROOT, STR("Patient"), &err), ERR_UNPROCESSABLE);
    assert_in_range(err.count, 1, FHIR_VALIDATE_STOP);
    err_clear(&err);
    assert_int_equal(fhir_validate(&d, JSON_ROOT, STR("Slot"), &err), ERR_UNPROCESSABLE);
    assert_int_equal(err.count, 1);
    buf_done(&b);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_primitives),
        cmocka_unit_test(test_primitive_extensions),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_required_concepts),
        cmocka_unit_test(test_bundles_and_parameters),
        cmocka_unit_test(test_constraints),
        cmocka_unit_test(test_recommendations_are_warnings),
        cmocka_unit_test(test_narratives),
        cmocka_unit_test(test_body_flags),
        cmocka_unit_test(test_issues_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
