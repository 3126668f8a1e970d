/* Terminology: the engine over resources of our own, and R4's own tables. */
#include "fhir_term.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "fhir_term_inner.h"
#include "fhir_term_pack.h"

#define CS  "http://county.test/cs"
#define VS  "http://county.test/vs"
#define MAP "http://county.test/map"

/* ' stands for " in the resources. */
static const char *const RESOURCES[] = {
    "{'resourceType':'CodeSystem','url':'" CS
    "','version':'1.0.0','name':'Wards','status':'active',"
    "'language':'en','content':'complete','caseSensitive':true,'property':["
    "{'code':'status','uri':'http://hl7.org/fhir/concept-properties#status','type':'code'},"
    "{'code':'beds','type':'integer'},{'code':'parent','type':'code'}],'concept':["
    "{'code':'in','display':'Inpatient','designation':[{'language':'zh-CN','value':'住院'}],'"
    "concept':["
    "{'code':'med','display':'Medicine','designation':[{'language':'zh-CN','value':'内科'}],"
    "'property':[{'code':'beds','valueInteger':40}],'concept':["
    "{'code':'card','display':'Cardiology'}]},"
    "{'code':'sur','display':'Surgery','property':[{'code':'beds','valueInteger':30}]},"
    "{'code':'old','display':'Old ward','property':[{'code':'status','valueCode':'retired'}]}]},"
    "{'code':'any','display':'Any','property':[{'code':'notSelectable','valueBoolean':true}]},"
    "{'code':'icu','display':'Intensive care','property':[{'code':'parent','valueCode':'med'}]}]}",
    "{'resourceType':'CodeSystem','url':'" CS
    "','version':'2.0.0','name':'Wards','status':'active',"
    "'content':'complete','caseSensitive':false,'concept':[{'code':'in','display':'Inpatients'},"
    "{'code':'new','display':'New ward'}]}",
    "{'resourceType':'ValueSet','url':'" VS "/tree','version':'1','status':'active','compose':"
    "{'include':[{'system':'" CS "','version':'1.0.0','filter':[{'property':'concept','op':'is-a',"
    "'value':'in'}]}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/two','version':'1','status':'active','compose':"
    "{'include':[{'system':'" CS "','version':'1.0.0'},{'system':'" CS "','version':'2.0.0'}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/less','status':'active','compose':{'inactive':false,"
    "'include':[{'valueSet':['" VS "/tree']}],'exclude':[{'system':'" CS
    "','version':'1.0.0','concept':"
    "[{'code':'sur'}]}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/both','status':'active','compose':{'include':"
    "[{'system':'" CS "','version':'1.0.0','valueSet':['" VS "/tree','" VS "/less']}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/ring','status':'active','compose':{'include':"
    "[{'valueSet':['" VS "/ring2']}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/ring2','status':'active','compose':{'include':"
    "[{'valueSet':['" VS "/ring']}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/units','status':'active','compose':{'include':"
    "[{'system':'http://unitsofmeasure.org'}]}}",
    "{'resourceType':'ValueSet','url':'" VS "/listed','status':'active','compose':{'include':"
    "[{'system':'urn:far','concept':[{'code':'a'},{'code':'b'},{'code':'c'}]}],'exclude':"
    "[{'system':'urn:far','concept':[{'code':'b'}]}]}}",
    "{'resourceType':'ConceptMap','url':'" MAP "','version':'1','status':'active','group':["
    "{'source':'" CS "','target':'urn:t','element':[{'code':'med','target':[{'code':'M',"
    "'equivalence':'equal'}]},{'code':'sur','target':[{'code':'S','equivalence':'disjoint'}]}],"
    "'unmapped':{'mode':'fixed','code':'X'}}]}",
};

typedef struct World {
    Arena arena;
    TermCache *cache;
    TermSource source;
    FhirTerm *t;
} World;

static Str double_quotes(Arena *a, const char *text)
{
    char *p = arena_cstr(a, str_from_c(text));
    for (char *c = p; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return str_from_c(p);
}

static Status find(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err)
{
    World *w = ctx;
    for (size_t i = 0; i < sizeof RESOURCES / sizeof *RESOURCES; i++) {
        const TermItem *item = NULL;
        Str key = arena_printf(a, "test/%zu", i);
        item = fhir_term_cache_get(w->cache, a, key);
        if (!item) {
            TRY(fhir_term_cache_put(w->cache, a, key, double_quotes(a, RESOURCES[i]), &item, err));
        }
        if (item->kind == kind && str_eq(item->url, url)) {
            fhir_term_items_add(a, list, item);
        }
    }
    return OK;
}

static Status maps(void *ctx, Arena *a, Str system, bool reverse, TermItems *list, Err *err)
{
    (void)system;
    (void)reverse;
    return find(ctx, a, TERM_CONCEPTMAP, STR(MAP), list, err);
}

static World *world(void)
{
    World *w = test_calloc(1, sizeof *w);
    arena_init(&w->arena, 0);
    w->cache = fhir_term_cache_new(1 << 20);
    w->source = (TermSource){w, w->cache, find, maps};
    w->t = fhir_term_new(&w->arena, &w->source);
    return w;
}

static void world_done(World *w)
{
    arena_done(&w->arena);
    fhir_term_cache_free(w->cache);
    test_free(w);
}

static Str run_as(World *w, TermOperation operation, const char *parameters, Str language,
                  int status)
{
    Arena *a = &w->arena;
    JsonDoc d;
    Err err;
    TermResult r;
    err_init(&err, a);
    Str body = arena_cat(a, STR("{\"resourceType\":\"Parameters\",\"parameter\":["),
                         double_quotes(a, parameters), STR("]}"));
    assert_int_equal(json_parse(a, body, &JSON_LIMITS_FHIR, &d, &err), OK);
    TermRequest request = {
        .operation = operation, .parameters = &d, .accept_language = language, .uuid = STR("u")};
    assert_int_equal(fhir_term_run(&w->source, a, &request, &r, &err), OK);
    if (r.status != status) {
        fail_msg("%s: %d %.*s", parameters, r.status, STR_ARG(r.body));
    }
    return r.body;
}

static void says(World *w, TermOperation operation, const char *parameters, int status,
                 const char *want)
{
    Str body = run_as(w, operation, parameters, STR_NONE, status);
    if (str_find(body, double_quotes(&w->arena, want)) < 0) {
        fail_msg("%s\n gives %.*s\n without %s", parameters, STR_ARG(body), want);
    }
}

/* The codes of an expansion, in order: "in,med,card". */
static void lists(World *w, const char *parameters, const char *want)
{
    Arena *a = &w->arena;
    JsonDoc d;
    Str text = STR_NONE;
    Str body = run_as(w, TERM_EXPAND, parameters, STR_NONE, 200);
    assert_int_equal(json_parse(a, body, &JSON_LIMITS_FHIR, &d, NULL), OK);
    for (JsonIter it = json_iter(&d, json_at(&d, JSON_ROOT, "expansion.contains"));
         json_next(&it);) {
        text = arena_cat(a, text, text.n ? STR(",") : STR_NONE, json_str_at(&d, it.value, "code"));
    }
    if (!str_is(text, want)) {
        fail_msg("%s lists %.*s instead of %s", parameters, STR_ARG(text), want);
    }
}

/* ---- versions
 * ------------------------------------------------------------------------------------- */

static void versions(void **state)
{
    (void)state;
    assert_true(term_version_fits(STR("1.x.x"), STR("1.2.0")));
    assert_true(term_version_fits(STR("1.*"), STR("1.2.0")));
    assert_true(term_version_fits(STR("1.0"), STR("1.0.7")));
    assert_false(term_version_fits(STR("1"), STR("1.0.0")));
    assert_false(term_version_fits(STR("1.x"), STR("2.0")));
    assert_false(term_version_fits(STR("2.x"), STR("")));
    assert_true(term_version_order(STR("1.10.0"), STR("1.9.0")) > 0);
    assert_true(term_version_order(STR("2023-04-01"), STR("2023-10-01")) < 0);
    assert_true(term_version_order(STR("1.0"), STR("1.0.1")) < 0);
}

/* ---- questions
 * -------------------------------------------------------------------------------------- */

static void questions(void **state)
{
    (void)state;
    World *w = world();
    Str cs = STR(CS), none = STR_NONE;
    assert_int_equal(fhir_term_in(w->t, STR(VS "/tree"), cs, none, STR("card")), TERM_YES);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/tree"), cs, none, STR("any")), TERM_NO);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/tree|1"), none, none, STR("sur")), TERM_YES);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/tree|9"), cs, none, STR("sur")), TERM_UNKNOWN);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/less"), cs, none, STR("sur")), TERM_NO);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/less"), cs, none, STR("old")), TERM_NO);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/less"), cs, none, STR("med")), TERM_YES);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/ring"), cs, none, STR("med")), TERM_UNKNOWN);
    assert_int_equal(
        fhir_term_in(w->t, STR(VS "/units"), STR("http://unitsofmeasure.org"), none, STR("mmol/L")),
        TERM_YES);
    Str far = STR("urn:far");
    assert_int_equal(fhir_term_in(w->t, STR(VS "/listed"), far, none, STR("a")), TERM_YES);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/listed"), far, none, STR("A")), TERM_NO);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/listed"), far, none, STR("b")), TERM_NO);
    assert_int_equal(fhir_term_in(w->t, STR(VS "/listed"), none, none, STR("c")), TERM_YES);
    assert_int_equal(fhir_term_known(w->t, cs, STR("1.0.0"), STR("card")), TERM_YES);
    assert_int_equal(fhir_term_known(w->t, cs, none, STR("card")), TERM_NO);
    assert_int_equal(fhir_term_known(w->t, STR("urn:none"), none, STR("a")), TERM_UNKNOWN);
    assert_true(
        str_is(fhir_term_display(w->t, cs, STR("1.0.0"), STR("med"), STR("zh-CN")), "内科"));
    assert_true(
        str_is(fhir_term_display(w->t, cs, STR("1.0.0"), STR("card"), STR("zh-CN")), "Cardiology"));
    assert_int_equal(fhir_term_display_fits(w->t, cs, STR("1.0.0"), STR("med"), STR("medicine")),
                     TERM_YES);
    assert_int_equal(fhir_term_display_fits(w->t, cs, STR("1.0.0"), STR("med"), STR("外科")),
                     TERM_NO);
    world_done(w);
}

static void relations(void **state)
{
    (void)state;
    World *w = world();
    Str sex = STR("http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender");
    Str act = STR("http://terminology.hl7.org/CodeSystem/v3-ActCode");
    TermCode *list;
    size_t n;
    assert_int_equal(fhir_term_known(w->t, sex, STR_NONE, STR("F")), TERM_YES);
    assert_int_equal(
        fhir_term_related(w->t, act, STR("_ActEncounterCode"), true, 100, &list, &n, NULL), OK);
    assert_true(n > 8 && n < 30);
    assert_int_equal(
        fhir_term_related(w->t, act, STR("_ActEncounterCode"), true, 3, &list, &n, NULL),
        ERR_TOO_LARGE);
    assert_int_equal(fhir_term_related(w->t, act, STR("nothing"), true, 3, &list, &n, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(fhir_term_members(w->t,
                                       STR("http://hl7.org/fhir/ValueSet/administrative-gender"),
                                       10, &list, &n, NULL),
                     OK);
    assert_int_equal(n, 4);
    assert_int_equal(fhir_term_members(w->t, STR(VS "/listed"), 10, &list, &n, NULL), OK);
    assert_int_equal(n, 2);
    assert_true(str_is(list[1].system, "urn:far") && str_is(list[1].code, "c"));
    assert_int_equal(fhir_term_members(w->t, STR(VS "/tree"), 2, &list, &n, NULL), ERR_TOO_LARGE);
    assert_int_equal(fhir_term_members(w->t, STR("urn:none"), 2, &list, &n, NULL), ERR_NOT_FOUND);
    assert_int_equal(fhir_term_members(w->t, STR(VS "/units"), 2, &list, &n, NULL), ERR_INVALID);
    world_done(w);
}

/* ---- operations
 * ------------------------------------------------------------------------------------------ */

#define URL(x) "{'name':'url','valueUri':'" VS x "'}"
#define FLAT   ",{'name':'excludeNested','valueBoolean':true}"
#define CODED(c)                                                                                   \
    ",{'name':'coding','valueCoding':{'system':'" CS "','version':'1.0.0','code':'" c "'}}"

static void expansions(void **state)
{
    (void)state;
    World *w = world();
    lists(w, URL("/tree"), "in,icu");
    lists(w, URL("/tree") FLAT, "in,med,card,sur,old,icu");
    lists(w, URL("/tree") FLAT ",{'name':'activeOnly','valueBoolean':true}", "in,med,card,sur,icu");
    lists(w, URL("/tree") ",{'name':'count','valueInteger':2},{'name':'offset','valueInteger':1}",
          "med,card");
    lists(w, URL("/tree") ",{'name':'filter','valueString':'内'}", "med");
    lists(w, URL("/less"), "in,med,card,icu");
    lists(w, URL("/both"), "in,med,card,icu");
    lists(w, URL("/two") FLAT, "in,med,card,sur,old,any,icu,in,new");
    lists(w, URL("/two") FLAT ",{'name':'versionsMatch','valueBoolean':true}",
          "in,new,med,card,sur,old,any,icu");
    says(w, TERM_EXPAND, URL("/two") FLAT, 200, "'version':'2.0.0','code':'new'");
    says(w, TERM_EXPAND, URL("/tree") ",{'name':'displayLanguage','valueCode':'zh-CN'}", 200,
         "'display':'住院'");
    says(w, TERM_EXPAND, URL("/tree") ",{'name':'property','valueString':'beds'}", 200,
         "{'url':'code','valueCode':'beds'},{'url':'value','valueInteger':40}");
    says(w, TERM_EXPAND, URL("/ring"), 400, "VALUESET_CIRCULAR_REFERENCE");
    says(w, TERM_EXPAND, URL("/units"), 422, "CODESYSTEM_NOT_ENUMERABLE");
    says(w, TERM_EXPAND, URL("/none"), 404, "Unable_to_resolve_value_Set_");
    says(w, TERM_EXPAND, URL("/tree") ",{'name':'count','valueInteger':-1}", 400, "count");
    world_done(w);
}

static void validations(void **state)
{
    (void)state;
    World *w = world();
    says(w, TERM_VALIDATE_VALUESET, URL("/tree") CODED("card"), 200,
         "'name':'result','valueBoolean':true");
    says(w, TERM_VALIDATE_VALUESET, URL("/tree") CODED("old"), 200, "INACTIVE_CONCEPT_FOUND");
    says(w, TERM_VALIDATE_VALUESET, URL("/tree") CODED("any"), 200,
         "'name':'result','valueBoolean':false");
    says(w, TERM_VALIDATE_VALUESET, URL("/two") CODED("card"), 200,
         "'name':'result','valueBoolean':true");
    says(w, TERM_VALIDATE_VALUESET,
         URL("/two") ",{'name':'coding','valueCoding':{'system':'" CS "','code':'new'}}", 200,
         "'name':'result','valueBoolean':true");
    says(w, TERM_VALIDATE_VALUESET,
         URL("/two") ",{'name':'coding','valueCoding':{'system':'" CS
                     "','version':'2.0.0','code':'NEW'}}",
         200, "CODE_CASE_DIFFERENCE");
    says(w, TERM_VALIDATE_VALUESET,
         URL("/tree") ",{'name':'code','valueCode':'med'},{'name':'inferSystem','valueBoolean':"
                      "true}",
         200, "'name':'system','valueUri':'" CS "'");
    says(w, TERM_VALIDATE_VALUESET, URL("/tree"), 400, "Unable to find code to validate");
    says(w, TERM_VALIDATE_VALUESET, URL("/ring") CODED("med"), 400, "VALUESET_CIRCULAR_REFERENCE");
    says(w, TERM_VALIDATE_SYSTEM,
         "{'name':'url','valueUri':'urn:none'},{'name':'code','valueCode':'a'}", 200,
         "UNKNOWN_CODESYSTEM");
    Str zh = run_as(w, TERM_VALIDATE_VALUESET, URL("/tree") CODED("any"), STR("zh-CN"), 200);
    assert_true(str_find(zh, STR("不在值集")) > 0);
    world_done(w);
}

static void lookups(void **state)
{
    (void)state;
    World *w = world();
    says(w, TERM_LOOKUP,
         "{'name':'system','valueUri':'" CS "'},{'name':'version','valueString':'1.0.0'},"
         "{'name':'code','valueCode':'icu'},{'name':'property','valueCode':'parent'}",
         200, "{'name':'value','valueCode':'med'}");
    says(w, TERM_LOOKUP,
         "{'name':'system','valueUri':'http://"
         "unitsofmeasure.org'},{'name':'code','valueCode':'mmol/L'}",
         200, "(millimole) / (liter)");
    says(w, TERM_LOOKUP, "{'name':'system','valueUri':'" CS "'},{'name':'code','valueCode':'zz'}",
         404, "Unknown_Code_in_Version");
    says(w, TERM_SUBSUMES,
         "{'name':'system','valueUri':'" CS "'},{'name':'version','valueString':'1.0.0'},"
         "{'name':'codeA','valueCode':'in'},{'name':'codeB','valueCode':'icu'}",
         200, "'valueCode':'subsumes'");
    says(w, TERM_SUBSUMES,
         "{'name':'system','valueUri':'" CS "'},{'name':'version','valueString':'1.0.0'},"
         "{'name':'codeA','valueCode':'sur'},{'name':'codeB','valueCode':'med'}",
         200, "'valueCode':'not-subsumed'");
    world_done(w);
}

#define FROM(c) "{'name':'system','valueUri':'" CS "'},{'name':'code','valueCode':'" c "'}"

static void translations(void **state)
{
    (void)state;
    World *w = world();
    says(w, TERM_TRANSLATE, FROM("med"), 200,
         "'equal'},{'name':'concept','valueCoding':{'system':'urn:t','code':'M'");
    says(w, TERM_TRANSLATE, FROM("sur"), 200, "'name':'result','valueBoolean':false");
    says(w, TERM_TRANSLATE, FROM("card"), 200, "'code':'X'");
    says(w, TERM_TRANSLATE,
         "{'name':'url','valueUri':'" MAP "'},{'name':'reverse','valueBoolean':true},"
         "{'name':'system','valueUri':'urn:t'},{'name':'code','valueCode':'M'}",
         200, "'system':'" CS "','code':'med'");
    says(w, TERM_TRANSLATE, FROM("med") ",{'name':'url','valueUri':'urn:none'}", 404,
         "No ConceptMap");
    says(w, TERM_TRANSLATE,
         "{'name':'system','valueUri':'http://hl7.org/fhir/"
         "address-use'},{'name':'code','valueCode':'home'}",
         200, "'code':'H'");
    world_done(w);
}

/* ---- the cache
 * ----------------------------------------------------------------------------------------- */

static void *many(void *arg)
{
    World *w = arg;
    for (size_t i = 0; i < term_pack_count(); i += 7) {
        Arena a;
        TermKind kind;
        TermItems list = {0};
        arena_init(&a, 0);
        Str url = term_pack_url(i, &kind);
        assert_int_equal(term_pack_find(w->cache, &a, kind, url, &list, NULL), OK);
        assert_int_equal(list.n, 1);
        assert_true(str_eq(list.at[0]->url, url));
        arena_done(&a);
    }
    return NULL;
}

/* All of R4 through a cache that is too small for it, by several threads. */
static void cache(void **state)
{
    (void)state;
    World *w = world();
    pthread_t thread[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, many, w), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
    }
    assert_true(term_pack_count() > 2000);
    world_done(w);
}

static void member_of(void **state)
{
    (void)state;
    World *w = world();
    Arena *a = &w->arena;
    static const struct {
        const char *expression;
        int want; /* -1: empty */
    } CASES[] = {
        {"gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", 1},
        {"maritalStatus.memberOf('http://hl7.org/fhir/ValueSet/marital-status')", 1},
        {"maritalStatus.coding.first().memberOf('" VS "/tree')", 0},
        {"maritalStatus.memberOf('urn:none')", -1},
    };
    JsonDoc d;
    Str body =
        double_quotes(a, "{'resourceType':'Patient','gender':'male','maritalStatus':{'coding':["
                         "{'system':'urn:x','code':'y'},{'system':"
                         "'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus','code':'M'}]}}");
    assert_int_equal(json_parse(a, body, &JSON_LIMITS_FHIR, &d, NULL), OK);
    FhirNode focus = fhir_node_root(&d);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        FhirPath *path;
        FhirValues got = {0};
        FhirPathEnv env = {.arena = a, .ctx = w->t, .member_of = fhir_term_member_of};
        assert_int_equal(fhir_path_compile(a, str_from_c(CASES[i].expression), &path, NULL), OK);
        assert_int_equal(fhir_path_eval(path, &env, &focus, 1, &got, NULL), OK);
        assert_int_equal(got.n ? got.at[0].boolean : -1, CASES[i].want);
    }
    world_done(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions),     cmocka_unit_test(questions),   cmocka_unit_test(relations),
        cmocka_unit_test(expansions),   cmocka_unit_test(validations), cmocka_unit_test(lookups),
        cmocka_unit_test(translations), cmocka_unit_test(cache),       cmocka_unit_test(member_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
