/* Searching: every parameter kind, modifier and prefix that is served, order, pages, includes. */
#include "store_test.h"

static StorePage search(Rig *g, const StoreView *view, const char *type, const char *query,
                        Str cursor)
{
    StoreQuery *q;
    StorePage page = {0};
    rig_ok(g, store_query_parse(NULL, &g->arena, str_from_c(type), str_from_c(query), false,
                                ZONE_CHINA_MIN, &q, &g->err));
    rig_ok(g, store_search(g->reader, &g->arena, q, view, cursor, &page, &g->err));
    return page;
}

static Str ids_of(Rig *g, const StorePage *page)
{
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < page->hits_n; i++) {
        if (i) {
            buf_char(&b, ' ');
        }
        buf_add(&b, page->hits[i].mode == STORE_INCLUDE ? STR("+") : STR(""));
        buf_add(&b, page->hits[i].id);
    }
    Str text = arena_str(&g->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

/* The ids of the first page in order; "+" before what is included. */
static Str find(Rig *g, const char *type, const char *query)
{
    StorePage page = search(g, &STORE_VIEW_ALL, type, query, STR_NONE);
    return ids_of(g, &page);
}

static Status parse(Rig *g, const char *type, const char *query)
{
    StoreQuery *q;
    err_clear(&g->err);
    return store_query_parse(NULL, &g->arena, str_from_c(type), str_from_c(query), false,
                             ZONE_CHINA_MIN, &q, &g->err);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void fill(Rig *g)
{
    rig_put(g, "{\"resourceType\":\"Organization\",\"id\":\"hosp\",\"name\":\"County Hospital\"}");
    rig_put(g, "{\"resourceType\":\"Patient\",\"id\":\"li\",\"active\":true,\"name\":[{\"text\":"
               "\"Li Guizhi\",\"family\":"
               "\"Li\",\"given\":[\"Guizhi\"]}],\"gender\":\"female\",\"birthDate\":\"1950-03-07\","
               "\"identifier\":[{"
               "\"system\":\"urn:a\",\"value\":\"1\"}],\"managingOrganization\":{\"reference\":"
               "\"Organization/hosp\"}}");
    rig_put(g,
            "{\"resourceType\":\"Patient\",\"id\":\"wu\",\"name\":[{\"family\":\"Wu\"}],\"gender\":"
            "\"male\","
            "\"birthDate\":\"1980-11\",\"identifier\":[{\"system\":\"urn:b\",\"value\":\"1\"}]}");
    rig_put(g, "{\"resourceType\":\"Patient\",\"id\":\"bai\",\"birthDate\":\"1980\"}");
    const char *obs = "{\"resourceType\":\"Observation\",\"id\":\"%s\",\"status\":\"final\","
                      "\"code\":{\"coding\":[{"
                      "\"system\":\"http://"
                      "loinc.org\",\"code\":\"%s\"}]},\"subject\":{\"reference\":\"Patient/%s\"},"
                      "\"effectiveDateTime\":\"%s\"}";
    static const char *const rows[][4] = {{"o1", "8480-6", "li", "2025-01-01T08:00:00+08:00"},
                                          {"o2", "8480-6", "li", "2025-02-01"},
                                          {"o3", "8867-4", "li", "2025-03-01T08:00:00+08:00"},
                                          {"o4", "8480-6", "wu", "2025-01-15T08:00:00+08:00"}};
    for (size_t i = 0; i < 4; i++) {
        char body[1024];
        snprintf(body, sizeof body, obs, rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
        rig_put(g, body);
    }
}

static void tokens(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Patient", "gender=male"), "wu");
    assert_str(find(g, "Patient", "gender=male,female"), "li wu");
    assert_str(find(g, "Patient", "gender:not=male"), "li bai");
    assert_str(find(g, "Patient", "gender:missing=true"), "bai");
    assert_str(find(g, "Patient", "gender:missing=false"), "li wu");
    assert_str(find(g, "Patient", "identifier=1"), "li wu");
    assert_str(find(g, "Patient", "identifier=urn:b%7C1"), "wu");
    assert_str(find(g, "Patient", "identifier=urn:a%7C"), "li");
    assert_str(find(g, "Patient", "identifier=%7C1"), "");
    assert_str(find(g, "Patient", "active=true"), "li");
    assert_str(find(g, "Observation", "code=http://loinc.org|8867-4&status=final"), "o3");
    assert_str(find(g, "Observation", "code=8867-4&status=amended"), "");
}

static void strings(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Patient", "name=gui"), "li");
    assert_str(find(g, "Patient", "name=LI"), "li");
    assert_str(find(g, "Patient", "family:exact=li"), "");
    assert_str(find(g, "Patient", "family:exact=Li"), "li");
    assert_str(find(g, "Patient", "name:contains=izh"), "li");
    assert_str(find(g, "Patient", "name=zhi"), "");
    assert_str(find(g, "Patient", "family=wu,li&gender=female"), "li");
}

static void dates(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Patient", "birthdate=1980"), "wu bai");
    assert_str(find(g, "Patient", "birthdate=1980-11"), "wu");
    assert_str(find(g, "Patient", "birthdate=1980-11-05"), "");
    assert_str(find(g, "Patient", "birthdate=ne1980"), "li");
    assert_str(find(g, "Patient", "birthdate=lt1980-11"), "li bai");
    assert_str(find(g, "Patient", "birthdate=ge1980-11"), "wu bai");
    assert_str(find(g, "Patient", "birthdate=sa1979"), "wu bai");
    assert_str(find(g, "Patient", "birthdate=eb1980"), "li");
    assert_str(find(g, "Observation", "date=ge2025-02-01"), "o3 o2");
    assert_str(find(g, "Observation", "date=2025-01-01"), "o1");
    assert_str(find(g, "Observation", "date=gt2025-01-01&date=lt2025-03"), "o2 o4");
    assert_str(find(g, "Observation", "code=8480-6&date=lt2025-01-16"), "o4 o1");
}

static void references(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Observation", "subject=Patient/wu"), "o4");
    assert_str(find(g, "Observation", "patient=li"), "o3 o2 o1");
    assert_str(find(g, "Observation", "subject:Patient=li&code=8480-6"), "o2 o1");
    assert_str(find(g, "Observation", "patient=Patient/li&code=8480-6&_sort=date"), "o1 o2");
    assert_str(find(g, "Observation", "patient=Patient/li,Patient/wu&code=8480-6"), "o2 o4 o1");
    assert_str(find(g, "Observation", "patient.name=li"), "o3 o2 o1");
    assert_str(find(g, "Observation", "subject:Patient.gender=male"), "o4");
    assert_str(find(g, "Observation", "subject.organization.name=county"), "o3 o2 o1");
    assert_str(find(g, "Observation", "subject.name=nobody"), "");
    assert_str(find(g, "Patient", "_has:Observation:patient:code=8867-4"), "li");
    assert_str(find(g, "Patient", "_has:Observation:patient:code=8480-6&gender=male"), "wu");
    assert_str(find(g, "Patient", "organization=hosp"), "li");
}

static void chains(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Observation", "subject:Patient._type=Patient"), "o3 o2 o4 o1");
    assert_str(find(g, "Observation", "subject:Patient._type=Group"), "");
    assert_str(find(g, "Observation", "_type=Patient"), "");
    assert_str(find(g, "Observation", "_type=Patient,Observation&code=8867-4"), "o3");
    assert_str(find(g, "Observation", "subject:Patient._has:Observation:patient:code=8867-4"),
               "o3 o2 o1");
    assert_str(find(g, "Organization",
                    "_has:Patient:organization:_has:Observation:patient:code="
                    "8867-4"),
               "hosp");
    assert_str(find(g, "Organization",
                    "_has:Patient:organization:_has:Observation:patient:date="
                    "lt2020"),
               "");
    assert_str(find(g, "Patient", "_has:Observation:patient:subject.name=wu"), "wu");
    assert_int_equal(parse(g, "Observation", "subject.subject.subject.subject.subject._id=1"),
                     ERR_INVALID);
}

static void special(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Patient", "_id=wu,li,nobody"), "li wu");
    assert_str(find(g, "Patient", "_lastUpdated=ge2025-11-22"), "li wu bai");
    assert_str(find(g, "Patient", "_lastUpdated=lt2025-11-22"), "");
    assert_str(find(g, "Patient", "_sort=-_id"), "wu li bai");
    assert_str(find(g, "Patient", "_sort=-_lastUpdated"), "bai wu li");
    assert_str(find(g, "Patient", "_sort=birthdate"), "li bai wu");
    assert_str(find(g, "Patient", "_sort=-birthdate,_id"), "bai wu li");
    assert_str(find(g, "Patient", "_sort=family"), "li wu bai");
    assert_str(find(g, "Observation", "_sort=-date"), "o3 o2 o4 o1");
    assert_str(find(g, "Observation", "_sort=date"), "o1 o4 o2 o3");
    StorePage page = search(g, &STORE_VIEW_ALL, "Observation", "_summary=count", STR_NONE);
    assert_true(page.count_only);
    assert_int_equal(page.total, 4);
    page =
        search(g, &STORE_VIEW_ALL, "Observation", "code=8480-6&_count=1&_total=accurate", STR_NONE);
    assert_int_equal(page.total, 3);
    assert_int_equal(page.hits_n, 1);
    assert_false(str_empty(page.next));
    page = search(g, &STORE_VIEW_ALL, "Observation", "_count=5000&_format=json", STR_NONE);
    assert_str(page.self, "_count=1000&_format=json");
    assert_int_equal(page.total, -1);
    page = search(g, &STORE_VIEW_ALL, "Observation", "_elements=code,status", STR_NONE);
    assert_int_equal(page.elements_n, 2);
}

static void includes(void **state)
{
    Rig *g = *state;
    assert_str(find(g, "Observation", "_id=o1&_include=Observation:subject"), "o1 +li");
    assert_str(find(g, "Observation", "patient=li&code=8480-6&_include=Observation:patient"),
               "o2 o1 +li");
    assert_str(find(g, "Observation",
                    "_id=o1&_include=Observation:subject&_include:iterate=Patient:organization"),
               "o1 +li +hosp");
    assert_str(find(g, "Patient", "_id=wu&_revinclude=Observation:subject"), "wu +o4");
    assert_str(find(g, "Patient", "_id=wu&_revinclude=Observation:subject:Patient"), "wu +o4");
    assert_str(find(g, "Observation", "_id=o1&_include=Observation:subject:Group"), "o1");
    assert_str(find(g, "Observation", "_id=o1&_include=*"), "o1 +li");
}

static void refusals(void **state)
{
    Rig *g = *state;
    static const char *const bad[] = {
        "unknown=1",
        "gender:exact=male",
        "birthdate=***",
        "birthdate=1973-02-30",
        "birthdate=xx1973",
        "name=",
        "_sort=nonsense",
        "_sort=",
        "_sort=name,",
        "_count=-1",
        "_total=maybe",
        "_include=Patient",
        "_include=Patient:name",
        "_has:Observation:code=1",
        "name=%zz",
        "organization.x=1",
        "gender.name=1",
        "identifier:text=a%",
        "gender:missing=maybe",
        "_elements=nonsense",
        "_elements=",
        "_elements=name,",
        "general-practitioner:Slot=1",
        "_filter=name eq a",
        "_query=a",
        "_list=$current-allergies",
        "gender:of-type=a|b|c",
        "birthdate:contains=1980",
        "name:below=a",
        "_type=Nonsense",
        "birthdate=1980-01-01T00:00:00.1234567890",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(g, "Patient", bad[i]) != ERR_INVALID) {
            print_error("accepted: %s\n", bad[i]);
            fail();
        }
        assert_non_null(g->err.first);
        assert_false(str_empty(g->err.first->zh));
    }
    assert_int_equal(parse(g, "Patient", "unknown=1"), ERR_INVALID);
    assert_true(str_find(g->err.first->en, STR("general-practitioner, given, identifier")) > 0);
    assert_int_equal(parse(g, "Patient", "name:below=1"), ERR_INVALID);
    assert_true(str_find(g->err.first->en, STR(":missing, :exact, :contains, :text")) > 0);
    assert_int_equal(parse(g, "Nonsense", ""), ERR_NOT_FOUND);
    StoreQuery *q;
    rig_ok(g, store_query_parse(NULL, &g->arena, STR("Patient"), STR("unknown=1&gender=male&x:y=2"),
                                true, ZONE_CHINA_MIN, &q, &g->err));
    StorePage page;
    rig_ok(g, store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g->err));
    assert_int_equal(page.ignored_n, 2);
    assert_str(page.ignored[1], "x:y");
    assert_str(page.self, "gender=male");
}

static void sight(void **state)
{
    Rig *g = *state;
    Str orgs[] = {STR("Organization/b")};
    StoreView view = {
        .clinical = true, .orgs = orgs, .orgs_n = 1, .person = STR("Practitioner/b"), .now_ms = T0};
    static const char *const doors[][2] = {
        {"Patient", ""},
        {"Patient", "name=li"},
        {"Patient", "_id=li"},
        {"Patient", "gender:not=male"},
        {"Observation", "patient=li"},
        {"Observation", "patient=li&code=8480-6"},
        {"Observation", "code=8480-6"},
        {"Observation", "patient.name=li"},
        {"Observation", "_sort=-_lastUpdated"},
        {"Patient", "_has:Observation:patient:code=8867-4"},
    };
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        char counted[128];
        snprintf(counted, sizeof counted, "%s&_total=accurate", doors[i][1]);
        StorePage page = search(g, &view, doors[i][0], counted, STR_NONE);
        assert_int_equal(page.hits_n, 0);
        assert_int_equal(page.total, 0);
    }
    StorePage page =
        search(g, &view, "Organization", "_id=hosp&_revinclude=Patient:organization", STR_NONE);
    assert_str(ids_of(g, &page), "hosp");
    rig_grant(g, "Organization/b", "wu");
    page = search(g, &view, "Observation",
                  "code=8480-6&_include=Observation:subject&_total=accurate", STR_NONE);
    assert_str(ids_of(g, &page), "o4 +wu");
    assert_int_equal(page.total, 1);
    page = search(g, &view, "Patient", "_summary=count", STR_NONE);
    assert_int_equal(page.total, 1);
}

static int set_up(void **state)
{
    Rig *g = calloc(1, sizeof *g);
    rig_init(g, false);
    fill(g);
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    rig_done(*state);
    free(*state);
    return 0;
}

#define with_rig(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rig(tokens),     with_rig(strings),  with_rig(dates),
        with_rig(references), with_rig(chains),   with_rig(special),
        with_rig(includes),   with_rig(refusals), with_rig(sight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
