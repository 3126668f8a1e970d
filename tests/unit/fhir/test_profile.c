/* Profiles: compiling definitions (good, bad, differential only), checking by them, extensions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fhir_validate.h"

#define BASE "http://hl7.org/fhir/StructureDefinition/"

/* JSON with ' for ". */
static Str quoted(Arena *a, const char *json)
{
    char *text = arena_cstr(a, str_from_c(json));
    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return str_from_c(text);
}

/* --- a set of two definitions of our own --- */

typedef struct Known {
    const char *url, *json;
} Known;

#define DEFINITION(url, type, base, elements)                                                      \
    "{'resourceType':'StructureDefinition','url':'" url                                            \
    "','name':'X','status':'draft','kind':'resource','abstract':false,'type':'" type               \
    "','baseDefinition':'" base "','derivation':'constraint','differential':{'element':[" elements \
    "]}}"

static const Known KNOWN[] = {
    {"http://m.test/pressure",
     DEFINITION(
         "http://m.test/pressure", "Observation", BASE "Observation",
         "{'id':'Observation.subject','path':'Observation.subject','min':1,'type':[{'code':"
         "'Reference','targetProfile':['" BASE "Patient']}]},"
         "{'id':'Observation.code','path':'Observation.code','patternCodeableConcept':{'coding':[{"
         "'system':'http://loinc.org','code':'85354-9'}]}},"
         "{'id':'Observation.note','path':'Observation.note','max':'0'},"
         "{'id':'Observation.component','path':'Observation.component','slicing':{'discriminator':["
         "{"
         "'type':'pattern','path':'code'}],'rules':'closed','ordered':true},'min':1},"
         "{'id':'Observation.component:high','path':'Observation.component','sliceName':'high',"
         "'min':1,'max':'1'},"
         "{'id':'Observation.component:high.code','path':'Observation.component.code',"
         "'patternCodeableConcept':{'coding':[{'code':'high'}]}},"
         "{'id':'Observation.component:high.value[x]','path':'Observation.component.value[x]','min'"
         ":"
         "1,'type':[{'code':'Quantity'}]},"
         "{'id':'Observation.component:high.value[x].value','path':"
         "'Observation.component.value[x].value','minValueDecimal':20,'maxValueDecimal':400},"
         "{'id':'Observation.component:low','path':'Observation.component','sliceName':'low',"
         "'max':'1'},"
         "{'id':'Observation.component:low.code','path':'Observation.component.code',"
         "'patternCodeableConcept':{'coding':[{'code':'low'}]}}")},
    {"http://m.test/strict",
     DEFINITION(
         "http://m.test/strict", "Observation", "http://m.test/pressure",
         "{'id':'Observation','path':'Observation','constraint':[{'key':'m-1','severity':"
         "'error','human':'has an identifier','expression':'identifier.exists()'}]},"
         "{'id':'Observation.status','path':'Observation.status','fixedCode':'final'},"
         "{'id':'Observation.component:low','path':'Observation.component','sliceName':'low',"
         "'min':1},"
         "{'id':'Observation.valueQuantity','path':'Observation.valueQuantity','max':'0'}")},
    {"http://m.test/loop", DEFINITION("http://m.test/loop", "Patient", "http://m.test/loop",
                                      "{'id':'Patient.name','path':'Patient.name','min':1}")},
    {"http://m.test/town",
     "{'resourceType':'StructureDefinition','url':'http://m.test/town','name':'X','status':'draft',"
     "'kind':'complex-type','abstract':false,'type':'Extension','baseDefinition':'" BASE
     "Extension','context':[{'type':'element','expression':'Address'},{'type':'element',"
     "'expression':'HumanName.family'}],'derivation':'constraint','differential':{'element':["
     "{'id':'Extension.value[x]','path':'Extension.value[x]','min':1,'type':[{'code':'string'}],"
     "'maxLength':3}]}}"},
};

static bool known_find(void *ctx, Arena *a, Str url, Str version, Str *ret)
{
    (void)version;
    ++*(unsigned *)ctx;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (str_is(url, KNOWN[i].url)) {
            *ret = quoted(a, KNOWN[i].json);
            return true;
        }
    }
    return false;
}

/* A case: what is checked by which profile, and the first issue's place; NULL: valid. */
typedef struct Case {
    const char *profile, *json, *where;
    bool thorough;
} Case;

static void check_case(const Case *c, FhirProfiles *set)
{
    Arena a;
    Err err;
    JsonDoc d;
    Str profile = str_from_c(c->profile);
    arena_init(&a, 0);
    err_init(&err, &a);
    assert_int_equal(json_parse(&a, quoted(&a, c->json), &JSON_LIMITS_FHIR, &d, &err), OK);
    FhirCheck check = {
        .profiles = set, .profile = &profile, .profile_n = profile.n > 0, .thorough = c->thorough};
    Status s = fhir_validate_with(&d, JSON_ROOT, &check, &err);
    if (!c->where ? s != OK : s == OK || !str_is(err.first->where, c->where)) {
        fail_msg("%s: %.*s at %.*s, not at %s", c->json,
                 STR_ARG(err.first ? err.first->en : STR_NONE),
                 STR_ARG(err.first ? err.first->where : STR_NONE), c->where ? c->where : "all");
    }
    arena_done(&a);
}

static void check_cases(const Case *c, size_t n)
{
    unsigned asked = 0;
    FhirProfileSource source = {&asked, known_find};
    FhirProfiles *set = fhir_profiles_new(&source);
    for (size_t i = 0; i < n; i++) {
        check_case(&c[i], set);
    }
    fhir_profiles_free(set);
}

#define OBS(code, more)                                                                            \
    "{'resourceType':'Observation','status':'final','subject':{'reference':'Patient/1'},'code':{"  \
    "'coding':[{'system':'http://loinc.org','display':'x','code':'" code "'}]}" more "}"
#define PART(code, value)                                                                          \
    "{'code':{'coding':[{'code':'" code "'}]},'valueQuantity':{'value':" value "}}"
#define P "http://m.test/pressure"
#define S "http://m.test/strict"

static void test_elements(void **state)
{
    (void)state;
    const Case cases[] = {
        {P, OBS("85354-9", ",'component':[" PART("high", "120") "]"), NULL},
        {P, OBS("85354-8", ",'component':[" PART("high", "120") "]"), "Observation.code"},
        {P, OBS("85354-9", ""), "Observation"},
        {P, OBS("85354-9", ",'note':[{'text':'a'}],'component':[" PART("high", "120") "]"),
         "Observation.note"},
        {P, "{'resourceType':'Patient'}", "Patient"},
        {P,
         "{'resourceType':'Observation','status':'final','subject':{'reference':'Group/1'},'code':{"
         "'coding':[{'system':'http://loinc.org','code':'85354-9'}]},'component':[" PART(
             "high", "120") "]}",
         "Observation.subject"},
        {"http://m.test/unknown", OBS("85354-9", ""), "Observation"},
        {"http://m.test/loop", "{'resourceType':'Patient'}", NULL}, /* itself wrong: not checked */
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void test_slices(void **state)
{
    (void)state;
    const Case cases[] = {
        {P, OBS("85354-9", ",'component':[" PART("high", "120") "," PART("low", "80") "]"), NULL},
        {P, OBS("85354-9", ",'component':[" PART("low", "80") "," PART("high", "120") "]"),
         "Observation.component[1]"}, /* out of order */
        {P, OBS("85354-9", ",'component':[" PART("high", "120") "," PART("mean", "80") "]"),
         "Observation.component[1]"},                                               /* closed */
        {P, OBS("85354-9", ",'component':[" PART("low", "80") "]"), "Observation"}, /* no high */
        {P, OBS("85354-9", ",'component':[" PART("high", "120") "," PART("high", "121") "]"),
         "Observation"},
        {P, OBS("85354-9", ",'component':[" PART("high", "12") "]"),
         "Observation.component[0].value.ofType(Quantity).value"},
        {P,
         OBS("85354-9", ",'component':[{'code':{'coding':[{'code':'high'}]},'valueString':'a'}]"),
         "Observation.component[0].value.ofType(string)"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

/* A profile of a profile: the differential lies over the base's slices. */
static void test_derived(void **state)
{
    (void)state;
#define BOTH "'component':[" PART("high", "120") "," PART("low", "80") "]"
    const Case cases[] = {
        {S, OBS("85354-9", ",'identifier':[{'value':'1'}]," BOTH), NULL},
        {S, OBS("85354-9", "," BOTH), "Observation"}, /* m-1 */
        {S, OBS("85354-9", ",'identifier':[{'value':'1'}],'component':[" PART("high", "120") "]"),
         "Observation"},
        {S, OBS("85354-9", ",'identifier':[{'value':'1'}],'valueQuantity':{'value':1}," BOTH),
         "Observation"},
        {S, OBS("85354-8", ",'identifier':[{'value':'1'}]," BOTH), "Observation.code"},
        {S,
         "{'resourceType':'Observation','status':'amended','meta':{'profile':['" S
         "']},'subject':{'reference':'Patient/1'},'code':{'coding':[{'system':'http://loinc.org',"
         "'code':'85354-9'}]},'identifier':[{'value':'1'}]," BOTH "}",
         "Observation.status"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void test_extensions(void **state)
{
    (void)state;
#define TOWN(value) "'extension':[{'url':'http://m.test/town'," value "}]"
    const Case cases[] = {
        {"", "{'resourceType':'Patient','address':[{" TOWN("'valueString':'abc'") "}]}", NULL},
        {"", "{'resourceType':'Patient','name':[{'_family':{" TOWN("'valueString':'abc'") "}}]}",
         NULL},
        {"", "{'resourceType':'Patient','address':[{" TOWN("'valueString':'abcd'") "}]}",
         "Patient.address[0].extension[0].value.ofType(string)"},
        {"", "{'resourceType':'Patient','address':[{" TOWN("'valueCode':'abc'") "}]}",
         "Patient.address[0].extension[0].value.ofType(code)"},
        {"", "{'resourceType':'Patient'," TOWN("'valueString':'abc'") "}", "Patient"},
        {"", "{'resourceType':'Patient','name':[{" TOWN("'valueString':'abc'") "}]}",
         "Patient.name[0]"},
        {"",
         "{'resourceType':'Patient','extension':[{'url':'http://m.test/other','valueCode':'a'}]}",
         NULL},
        {"",
         "{'resourceType':'Patient','extension':[{'url':'" BASE "patient-birthPlace','valueString':"
         "'a'}]}",
         "Patient.extension[0].value.ofType(string)", true},
        {"",
         "{'resourceType':'Patient','extension':[{'url':'" BASE "patient-birthPlace','valueString':"
         "'a'}]}",
         NULL},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

/* R4's own profiles: the blood pressure in its slices, found through meta.profile. */
static void test_published(void **state)
{
    (void)state;
#define VITAL(more)                                                                                \
    "{'resourceType':'Observation','meta':{'profile':['" BASE                                      \
    "heartrate']},'status':'final','category':[{'coding':[{'system':"                              \
    "'http://terminology.hl7.org/CodeSystem/observation-category','code':'vital-signs'}]}],"       \
    "'code':{'coding':[{'system':'http://loinc.org','code':'8867-4'}]},'subject':{'reference':"    \
    "'Patient/1'},'effectiveDateTime':'2026-11-22'" more "}"
    const Case cases[] = {
        {"",
         VITAL(",'valueQuantity':{'value':60,'unit':'/min','system':'http://unitsofmeasure.org',"
               "'code':'/min'}"),
         NULL},
        {"",
         VITAL(",'valueQuantity':{'value':60,'unit':'/h','system':'http://unitsofmeasure.org',"
               "'code':'/h'}"),
         "Observation.value.ofType(Quantity).code"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

/* --- definitions that cannot be compiled --- */

static void test_faults(void **state)
{
    (void)state;
    static const char *const ELEMENTS[] = {
        "{'path':'Observation.nothing'}",
        "{'path':'Observation..code'}",
        "{'path':'Patient.name'}",
        "{'path':'Observation.value[x].code'}",
        "{'path':'Observation','slicing':{'rules':'open'}}",
        "{'path':'Observation.code','type':[{'code':'string'}]}",
        "{'path':'Observation.code','min':2,'max':'1'}",
        "{'path':'Observation.code','constraint':[{'key':'a','expression':'a ('}]}",
    };
    FhirProfileHold *hold = fhir_profiles_hold(NULL);
    for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++) {
        Arena a;
        Err err;
        JsonDoc d;
        arena_init(&a, 0);
        err_init(&err, &a);
        Str json = arena_cat(&a,
                             STR("{\"type\":\"Observation\",\"baseDefinition\":\"" BASE
                                 "Observation\",\"differential\":{\"element\":["),
                             quoted(&a, ELEMENTS[i]), STR("]}}"));
        assert_int_equal(json_parse(&a, json, &JSON_LIMITS_FHIR, &d, &err), OK);
        if (fhir_profile_try(hold, &d, JSON_ROOT, &err) != ERR_UNPROCESSABLE) {
            fail_msg("%s: compiles", ELEMENTS[i]);
        }
        arena_done(&a);
    }
    fhir_profiles_release(hold);
}

/* What was forgotten is asked for again; what somebody holds stays. */
static void test_generations(void **state)
{
    (void)state;
    unsigned asked = 0;
    FhirProfileSource source = {&asked, known_find};
    FhirProfiles *set = fhir_profiles_new(&source);
    FhirProfileHold *hold = fhir_profiles_hold(set);
    const FhirProfile *p = fhir_profile_find(hold, STR("http://m.test/strict|1"));
    assert_non_null(p);
    assert_null(fhir_profile_fault(p));
    assert_ptr_equal(fhir_profile_find(hold, STR("http://m.test/strict|1")), p);
    assert_null(fhir_profile_find(hold, STR("http://m.test/unknown")));
    assert_null(fhir_profile_find(hold, STR("http://m.test/unknown")));
    assert_int_equal(asked, 3); /* strict, its base, unknown once */
    fhir_profiles_forget(set);
    assert_true(str_is(fhir_profile_url(p), "http://m.test/strict"));
    FhirProfileHold *next = fhir_profiles_hold(set);
    assert_non_null(fhir_profile_find(next, STR("http://m.test/strict")));
    assert_int_equal(asked, 5);
    fhir_profiles_release(next);
    fhir_profiles_release(hold);
    fhir_profiles_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),    cmocka_unit_test(test_slices),
        cmocka_unit_test(test_derived),     cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_published),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
