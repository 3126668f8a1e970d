/*
 * Searching by quantity, composite, text, place, type of identifier, list: what each value and
 * modifier finds, in a fresh delta and in the merged index alike.
 */
#include "fhir_params.h"
#include "store_refer.h"
#include "store_test.h"

static Str find(Rig *g, const char *type, const char *query)
{
    StoreQuery *q;
    StorePage page;
    Str ids = STR_NONE;
    Str text = arena_cat(&g->arena, str_from_c(query), STR("&_count=1000"));
    rig_ok(g, store_query_parse(NULL, &g->arena, str_from_c(type), text, false, ZONE_CHINA_MIN, &q,
                                &g->err));
    rig_ok(g, store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &g->err));
    for (size_t i = 0; i < page.hits_n; i++) {
        ids = arena_cat(&g->arena, ids, i ? STR(" ") : STR_NONE, page.hits[i].id);
    }
    return ids;
}

typedef struct Case {
    const char *query, *ids;
} Case;

static void check(Rig *g, const char *type, const char *param, const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Str query = arena_cat(&g->arena, str_from_c(param), str_from_c(cases[i].query));
        Str found = find(g, type, arena_cstr(&g->arena, query));
        if (!str_is(found, cases[i].ids)) {
            print_error("%.*s: %.*s, not %s\n", STR_ARG(query), STR_ARG(found), cases[i].ids);
            fail();
        }
    }
}

#define check_all(g, type, param, cases) check(g, type, param, cases, sizeof cases / sizeof *cases)

/* ---- Quantities -------------------------------------------------------------------------------
 */

static void quantity_put(Rig *g, const char *id, const char *quantity)
{
    rig_put(g, arena_printf(&g->arena,
                            "{\"resourceType\":\"Observation\",\"id\":\"%s\",\"status\":\"final\","
                            "\"code\":{\"text\":\"x\"},\"valueQuantity\":{%s}}",
                            id, quantity)
                   .p);
}

static void quantities_fill(Rig *g)
{
    static const char *const rows[] = {"0.002,1,1", "1,1,1",   "3.12,1,2", "4,1,1",  "5.0,1,1",
                                       "5,2,2",     "6.0,2,2", "8.95,2,1", "10,1,1", NULL};
    for (int i = 0; rows[i]; i++) {
        Str value, unit, system;
        str_cut(str_from_c(rows[i]), ',', &value, &unit);
        str_cut(unit, ',', &unit, &system);
        Str id = arena_printf(&g->arena, "q%d", i);
        quantity_put(g, id.p,
                     arena_printf(&g->arena,
                                  "\"value\":%.*s,\"code\":\"u%.*s\",\"system\":\"s%.*s\"",
                                  STR_ARG(value), STR_ARG(unit), STR_ARG(system))
                         .p);
    }
    quantity_put(g, "mass", "\"value\":5,\"system\":\"http://unitsofmeasure.org\",\"code\":\"kg\"");
    quantity_put(g, "less", "\"value\":50,\"comparator\":\"<\",\"unit\":\"drops\"");
}

static void quantities(Rig *g)
{
    static const Case cases[] = {
        {"30", ""},
        {"0.002", "q0"},
        {"2e-3", "q0"},
        {"eq5.000", "q4 q5 mass"},
        {"5%7Cs1", "q4"},
        {"5%7Cs1%7C", "q4"},
        {"ne5%7Cs1", "q0 q1 q3 q7 q8"},
        {"lt4.9%7Cs1", "q0 q1 q3"},
        {"lt5.01%7Cs1", "q0 q1 q3 q4"},
        {"gt2e-3%7Cs2", "q2 q5 q6"},
        {"ge5.001%7Cs1", "q7 q8"},
        {"le1E-2%7Cs2", ""},
        {"5%7C%7Cu2", "q5"},
        {"ne5%7C%7Cu2", "q6 q7"},
        {"eb5.0001%7C%7Cu2", "q5"},
        {"sa4.9999%7Cs1%7Cu2", "q7"},
        {"2e-3%7Cs1%7Cu1", "q0"},
        {"2e-3%7Cs2%7Cu1", ""},
        {"5%7Cs1,6%7Cs2", "q4 q6"},
        {"5000%7Chttp://unitsofmeasure.org%7Cg", "mass"},
        {"gt4e6%7C%7Cmg", "mass"},
        {"ap5.3%7C%7Ckg", "mass"},
        {"8.9%7Cs1", ""}, /* 8.85 … 8.95, without 8.95 */
        {"9.0%7Cs1", "q7"},
        {"1e-99999999999999999999", ""},
        {"lt10%7C%7Cdrops", "less"},
        {"gt60%7C%7Cdrops", ""},
    };
    check_all(g, "Observation", "code:missing=false&value-quantity=", cases);
}

/* ---- Composites -------------------------------------------------------------------------------
 */

static void composites_fill(Rig *g)
{
    rig_put(g, "{\"resourceType\":\"Observation\",\"id\":\"bp\",\"status\":\"final\",\"code\":{"
               "\"coding\":[{\"system\":\"l\",\"code\":\"85354-9\"}]},\"component\":["
               "{\"code\":{\"coding\":[{\"system\":\"l\",\"code\":\"8480-6\"}]},\"valueQuantity\":"
               "{\"value\":107,\"unit\":\"mmHg\"}},"
               "{\"code\":{\"coding\":[{\"system\":\"l\",\"code\":\"8462-4\"}]},\"valueQuantity\":"
               "{\"value\":60,\"unit\":\"mmHg\"}},"
               "{\"code\":{\"coding\":[{\"code\":\"col\"}]},\"valueCodeableConcept\":"
               "{\"coding\":[{\"system\":\"c\",\"code\":\"2\"}]}}]}");
    rig_put(g, "{\"resourceType\":\"Observation\",\"id\":\"eye\",\"status\":\"final\",\"code\":{"
               "\"coding\":[{\"system\":\"s\",\"code\":\"1628\"}]},\"valueString\":\"Blue\"}");
    rig_put(g, "{\"resourceType\":\"Observation\",\"id\":\"tmp\",\"status\":\"final\",\"code\":{"
               "\"coding\":[{\"system\":\"l\",\"code\":\"8310-5\"}]},\"valueQuantity\":{\"value\":"
               "39,\"system\":\"http://unitsofmeasure.org\",\"code\":\"Cel\"}}");
    rig_put(g, "{\"resourceType\":\"DocumentReference\",\"id\":\"doc\",\"status\":\"current\","
               "\"content\":[{\"attachment\":{\"title\":\"x\"}}],\"relatesTo\":["
               "{\"code\":\"appends\",\"target\":{\"reference\":\"DocumentReference/a\"}},"
               "{\"code\":\"replaces\",\"target\":{\"reference\":\"DocumentReference/b\"}}]}");
}

static void composites(Rig *g)
{
    static const Case cases[] = {
        {"code-value-quantity=l%7C8310-5$39", "tmp"},
        {"code-value-quantity=8310-5$gt38%7Chttp://unitsofmeasure.org%7CCel", "tmp"},
        {"code-value-quantity=8310-5$lt39", ""},
        {"code-value-quantity=85354-9$107", ""},
        {"code-value-quantity=85354-9$107,8310-5$39", "tmp"},
        {"combo-code-value-quantity=85354-9$107", ""},
        {"combo-code-value-quantity=8480-6$107", "bp"},
        {"combo-code-value-quantity=8480-6$60", ""},
        {"component-code-value-quantity=8462-4$le60%7C%7CmmHg", "bp"},
        {"component-code-value-quantity=8310-5$39", ""},
        {"code-value-string=s%7C$blue", "eye"},
        {"code-value-string=1628$bl", "eye"},
        {"code-value-string=1628$red", ""},
        {"combo-code-value-concept=%7Ccol$c%7C2", "bp"},
        {"combo-code-value-concept=8480-6$c%7C2", ""},
        {"component-code-value-quantity:missing=false", "bp"},
    };
    check_all(g, "Observation", "_id=bp,eye,tmp&", cases);
    static const Case relations[] = {
        {"DocumentReference/a$appends", "doc"},
        {"DocumentReference/a$http://hl7.org/fhir/document-relationship-type%7Cappends", "doc"},
        {"DocumentReference/a$replaces", ""},
        {"DocumentReference/x$appends,DocumentReference/b$replaces", "doc"},
    };
    check_all(g, "DocumentReference", "relationship=", relations);
}

/* ---- Texts ------------------------------------------------------------------------------------
 */

static void texts_fill(Rig *g)
{
    rig_put(g,
            "{\"resourceType\":\"Patient\",\"id\":\"zhang\",\"name\":[{\"text\":\"张国强\"}],"
            "\"text\":{\"status\":\"generated\",\"div\":\"<div xmlns=\\\"http://www.w3.org/1999/"
            "xhtml\\\">慢性<b>支气管炎</b> &amp; A&lt;B</div>\"},"
            "\"identifier\":[{\"type\":{\"coding\":[{\"system\":\"v2\",\"code\":\"MR\"}],\"text\":"
            "\"病案号\"},\"system\":\"urn:a\",\"value\":\"77\"}]}");
    rig_put(
        g,
        "{\"resourceType\":\"Patient\",\"id\":\"john\",\"text\":{\"status\":\"generated\","
        "\"div\" : \"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">Chronic <b>Bronch</b>itis,\\n"
        "<a href=\\\"x>y\\\">Asthma\\/COPD</a></div>\"},\"name\":[{\"family\":\"Müller\","
        "\"given\":[\"Johnathan\"]}],\"identifier\":[{\"type\":{\"coding\":[{\"system\":"
        "\"v2\",\"code\":\"SS\"}]},\"value\":\"77\"}]}");
    rig_put(g, "{\"resourceType\":\"Condition\",\"id\":\"c1\",\"subject\":{\"reference\":"
               "\"Patient/zhang\"},\"code\":{\"coding\":[{\"system\":\"icd\",\"code\":\"I10\","
               "\"display\":\"原发性高血压\"}],\"text\":\"高血压病 III 期\"},"
               "\"note\":[{\"text\":\"夜间头痛，ＡＢＣ\"}]}");
    rig_put(g, "{\"resourceType\":\"Condition\",\"id\":\"c2\",\"subject\":{\"reference\":"
               "\"Patient/john\"},\"code\":{\"coding\":[{\"system\":\"icd\",\"code\":\"I15\","
               "\"display\":\"Hypertensive disease\"}]}}");
}

static void texts(Rig *g)
{
    static const Case conditions[] = {
        {"_content=高血压", "c1"},
        {"_content=血压 头痛", "c1"},
        {"_content=血压 头晕", ""},
        {"_content=压", "c1"},
        {"_content=期", "c1"},
        {"_content=abc", "c1"},
        {"_content=TENSIVE", "c2"},
        {"_content=tens,头痛", "c1 c2"},
        {"_content=I10", ""},
        {"code:text=原发", "c1"},
        {"code:text=高血压病", "c1"},
        {"code:text=血压", ""},
        {"code:text=hypertensive", "c2"},
        {"code:text=hy,高", "c1 c2"},
        {"_text=高血压", ""},
        {"subject:Patient.name:contains=ohn", "c2"},
    };
    check_all(g, "Condition", "subject:missing=false&", conditions);
    static const Case patients[] = {
        {"_text=支气管炎", "zhang"},
        {"_text=a%3Cb", "zhang"},
        {"_text=张国强", ""},
        {"_text=chronic", "john"},
        {"_text=bronch", "john"},
        {"_text=bronchitis", ""},
        {"_text=asthma/copd itis", "john"},
        {"_text=xmlns", ""},
        {"_text=johnathan", ""},
        {"_content=johnathan chronic", "john"},
        {"_content=国强", "zhang"},
        {"name:contains=国", "zhang"},
        {"name:contains=ohna", "john"},
        {"name:text=NATHAN", "john"},
        {"name:contains=ULL", "john"},
        {"family=muller", "john"},
        {"family:exact=Muller", ""},
        {"family:exact=Müller", "john"},
        {"identifier:text=病案", "zhang"},
        {"identifier:of-type=v2%7CMR%7C77", "zhang"},
        {"identifier:of-type=v2%7CSS%7C77", "john"},
        {"identifier:of-type=v2%7CMR%7C78", ""},
        {"identifier:of-type=%7CMR%7C77", ""},
        {"_id:not=john", "zhang"},
        {"_id:missing=false", "zhang john"},
        {"_lastUpdated:missing=true", ""},
    };
    check_all(g, "Patient", "_id=zhang,john&", patients);
}

/* ---- Places and lists -------------------------------------------------------------------------
 */

static void places_fill(Rig *g)
{
    rig_put(g, "{\"resourceType\":\"Location\",\"id\":\"here\",\"position\":{\"longitude\":118.1,"
               "\"latitude\":31.2}}");
    rig_put(g, "{\"resourceType\":\"Location\",\"id\":\"there\",\"position\":{\"longitude\":118.2,"
               "\"latitude\":31.2}}");
    rig_put(g, "{\"resourceType\":\"Location\",\"id\":\"nowhere\"}");
    rig_put(g, "{\"resourceType\":\"List\",\"id\":\"two\",\"status\":\"current\",\"mode\":"
               "\"working\",\"entry\":[{\"item\":{\"reference\":\"Location/there\"}},{\"deleted\":"
               "true,\"item\":{\"reference\":\"Location/here\"}},{\"item\":{\"reference\":"
               "\"Patient/zhang\"}}]}");
}

static void places(Rig *g)
{
    static const Case cases[] = {
        {"near=31.2%7C118.1%7C1%7Ckm", "here"},
        {"near=31.2%7C118.1%7C10%7Ckm", "here there"},
        {"near=31.2%7C118.1%7C9000%7Cm", "here"},
        {"near=31.2%7C118.1", "here there"},
        {"near=-31.2%7C118.1%7C100", ""},
        {"_list=two", "there"},
        {"_list=none", ""},
        {"_list=List/two", "there"},
    };
    check_all(g, "Location", "_id=here,there,nowhere&", cases);
    StoreQuery *q;
    static const char *const bad[] = {"near=91%7C0", "near=1", "near=1%7C2%7C3%7Cfurlong",
                                      "near=1%7C2%7C-3%7Ckm"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig_refused(g, ERR_INVALID,
                    store_query_parse(NULL, &g->arena, STR("Location"), str_from_c(bad[i]), false,
                                      ZONE_CHINA_MIN, &q, &g->err));
    }
}

/* ---- Those that refer to anything ---------------------------------------------------------------
 */

static void merged_put(Rig *g, const char *id, const char *into)
{
    Str link = arena_printf(&g->arena,
                            ",\"link\":[{\"type\":\"replaced-by\",\"other\":{\"reference\":"
                            "\"Patient/%s\"}}]",
                            into);
    rig_put(g, arena_printf(&g->arena, "{\"resourceType\":\"Patient\",\"id\":\"%s\"%s}", id,
                            *into ? link.p : "")
                   .p);
}

static void merged_fill(Rig *g)
{
    merged_put(g, "m1", "");
    merged_put(g, "m2", "m1");
    merged_put(g, "m3", "m1");
    merged_put(g, "m3", ""); /* parted again */
    merged_put(g, "m4", "m1");
}

typedef struct Told {
    bool m2, m4;
    size_t linked;
} Told;

static Status merged_told(void *ctx, const StoreVersion *v, Err *err)
{
    Told *told = ctx;
    (void)err;
    bool linked = str_find(v->body, STR("replaced-by")) >= 0;
    told->linked += linked;
    told->m2 |= linked && str_is(v->id, "m2");
    told->m4 |= linked && str_is(v->id, "m4");
    return OK;
}

static void referring(Rig *g)
{
    Told told = {0};
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    rig_ok(g, store_referring(g->reader, patient, fhir_param_find(patient, STR("link")),
                              merged_told, &told, &g->err));
    assert_true(told.m2 && told.m4);
    assert_int_equal(told.linked, 2);
}

/* ---- In the delta, and merged -------------------------------------------------------------------
 */

static void all(Rig *g)
{
    quantities(g);
    composites(g);
    texts(g);
    places(g);
    referring(g);
}

static void delta_and_index(void **state)
{
    (void)state;
    Rig g;
    uint64_t faults;
    rig_init(&g, true);
    quantities_fill(&g);
    composites_fill(&g);
    texts_fill(&g);
    places_fill(&g);
    merged_fill(&g);
    all(&g);
    rig_close(&g);
    rig_open(&g);
    all(&g);
    rig_ok(&g, store_reindex(g.store, NULL, NULL, &g.err));
    all(&g);
    rig_ok(&g, store_verify(g.reader, &g.arena, NULL, NULL, &faults, &g.err));
    assert_int_equal(faults, 0);
    rig_done(&g);
}

/* What goes from a resource goes from its phrases; what it shares with others stays. */
static void phrases_go(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    texts_fill(&g);
    rig_close(&g);
    rig_open(&g);
    rig_put(&g,
            "{\"resourceType\":\"Condition\",\"id\":\"c1\",\"subject\":{\"reference\":"
            "\"Patient/zhang\"},\"code\":{\"text\":\"糖尿病\"},\"note\":[{\"text\":\"头痛\"}]}");
    assert_str(find(&g, "Condition", "_content=夜间"), "");
    assert_str(find(&g, "Condition", "_content=糖尿"), "c1");
    rig_close(&g);
    rig_open(&g);
    assert_str(find(&g, "Condition", "_content=夜间"), "");
    assert_str(find(&g, "Condition", "_content=头痛"), "c1");
    assert_str(find(&g, "Condition", "code:text=原发"), "");
    assert_str(find(&g, "Condition", "code:text=糖"), "c1");
    rig_done(&g);
}

/* ---- Inner searches that find too much to be gathered -------------------------------------------
 */

#define MANY       10050
#define MANY_BATCH 5000

static void many_fill(Rig *g)
{
    StoreReceipt receipt;
    rig_put(g, "{\"resourceType\":\"Organization\",\"id\":\"hosp\",\"name\":\"H\"}");
    rig_put(g, "{\"resourceType\":\"Organization\",\"id\":\"none\",\"name\":\"N\"}");
    for (int i = 0; i < MANY;) {
        StoreBatch *b = rig_batch(g);
        for (int k = 0; k < MANY_BATCH && i < MANY; k++, i++) {
            Str id = arena_printf(&g->arena, "p%d", i);
            Str body = arena_printf(&g->arena, "{\"resourceType\":\"Patient\",\"gender\":\"%s\"%s}",
                                    i == 7 ? "female" : "male",
                                    i == 9 ? ",\"managingOrganization\":{\"reference\":"
                                             "\"Organization/hosp\"}"
                                           : "");
            rig_ok(g, store_batch_update(b, STR("Patient"), id, body, STR_NONE, &g->err));
        }
        rig_ok(g, store_commit(b, &receipt, &g->err));
    }
    for (int i = 5; i < 9; i++) {
        rig_put(g, arena_printf(&g->arena,
                                "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":"
                                "\"final\",\"code\":{\"text\":\"x\"},\"subject\":{\"reference\":"
                                "\"Patient/p%d\"}}",
                                i, i)
                       .p);
    }
}

static void inner_many(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, false);
    many_fill(&g);
    assert_str(find(&g, "Observation", "subject:Patient.gender=male"), "o5 o6 o8");
    assert_str(find(&g, "Observation", "patient.gender=female"), "o7");
    assert_str(find(&g, "Organization", "_has:Patient:organization:gender=male"), "hosp");
    assert_str(find(&g, "Organization", "_has:Patient:organization:gender=female"), "");
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(delta_and_index),
                                       cmocka_unit_test(phrases_go), cmocka_unit_test(inner_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
