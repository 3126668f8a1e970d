#include "test_arena.h"

#include "fhir_resource.h"

static Str stamp(const char *json, const char *id, const char *version, const char *updated)
{
    JsonDoc d = parse(str_from_c(json));
    Str out =
        fhir_resource_stamp(&arena, &d, str_from_c(id), str_from_c(version), str_from_c(updated));
    parse(out);
    return out;
}

static void test_stamp(void **state)
{
    (void)state;
    assert_str(stamp("{ \"resourceType\":\"Basic\", \"x\": 1.00 }", "a", "1", "T"),
               "{ "
               "\"resourceType\":\"Basic\",\"id\":\"a\",\"meta\":{\"versionId\":\"1\","
               "\"lastUpdated\":\"T\"}, \"x\": 1.00 }");
    assert_str(stamp("{\"resourceType\":\"Basic\",\"id\":\"old\",\"x\":1}", "new", "2", "T"),
               "{\"resourceType\":\"Basic\",\"id\":\"new\",\"meta\":{\"versionId\":\"2\","
               "\"lastUpdated\":\"T\"},\"x\":1}");
    assert_str(stamp("{\"id\":\"o\",\"meta\":{\"profile\":[\"p\"]},\"resourceType\":\"Basic\"}", "",
                     "2", "T"),
               "{\"id\":\"o\",\"meta\":{\"versionId\":\"2\",\"lastUpdated\":\"T\",\"profile\":["
               "\"p\"]},\"resourceType\":\"Basic\"}");
    assert_str(
        stamp("{\"resourceType\":\"Basic\",\"meta\":{\"lastUpdated\":\"o\",\"versionId\":\"o\"}}",
              "", "2", "T"),
        "{\"resourceType\":\"Basic\",\"meta\":{\"lastUpdated\":\"T\",\"versionId\":\"2\"}}");
    assert_str(stamp("{\"resourceType\":\"Basic\",\"meta\":{\"versionId\":\"o\"}}", "i", "", ""),
               "{\"resourceType\":\"Basic\",\"id\":\"i\",\"meta\":{\"versionId\":\"o\"}}");
    assert_str(stamp("{\"resourceType\":\"Basic\",\"meta\":{}}", "i", "1", "T"),
               "{\"resourceType\":\"Basic\",\"id\":\"i\",\"meta\":{\"versionId\":\"1\","
               "\"lastUpdated\":\"T\"}}");
}

static void test_refs(void **state)
{
    (void)state;
    FhirRef r = fhir_ref_parse(STR("Patient/1"));
    assert_int_equal(r.kind, FHIR_REF_RELATIVE);
    assert_str(r.type, "Patient");
    assert_str(r.id, "1");
    r = fhir_ref_parse(STR("Patient/1/_history/2"));
    assert_int_equal(r.kind, FHIR_REF_RELATIVE);
    assert_str(r.version, "2");
    r = fhir_ref_parse(STR("https://a.b/fhir/Patient/1/_history/2"));
    assert_int_equal(r.kind, FHIR_REF_ABSOLUTE);
    assert_str(r.base, "https://a.b/fhir/");
    assert_str(r.id, "1");
    assert_int_equal(fhir_ref_parse(STR("https://a.b/x")).kind, FHIR_REF_ABSOLUTE);
    assert_str(fhir_ref_parse(STR("https://a.b/x")).type, "");
    assert_int_equal(fhir_ref_parse(STR("urn:uuid:1")).kind, FHIR_REF_URN);
    assert_str(fhir_ref_parse(STR("#a")).id, "a");
    r = fhir_ref_parse(STR("Patient?identifier=a|b"));
    assert_int_equal(r.kind, FHIR_REF_SEARCH);
    assert_str(r.query, "identifier=a|b");
    static const char *const OTHER[] = {"",           "x",           "Patient", "Patient/",
                                        "/Patient/1", "a/Patient/1", "Foo/1",   "Foo?a=b"};
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++) {
        assert_int_equal(fhir_ref_parse(str_from_c(OTHER[i])).kind, FHIR_REF_OTHER);
    }
}

static Status collect(void *ctx, const FhirRefAt *at, Err *e)
{
    (void)e;
    Buf *b = ctx;
    buf_add(b, at->ref.text);
    buf_char(b, ' ');
    return OK;
}

static void test_refs_walk(void **state)
{
    (void)state;
    JsonDoc d = parse(
        STR("{\"resourceType\":\"Observation\",\"identifier\":[{\"system\":\"urn:uuid:2\"}],"
            "\"subject\":{\"reference\":\"Patient/1\"},\"note\":[{\"text\":\"urn:uuid:3\"}],"
            "\"contained\":[{\"resourceType\":\"Patient\",\"managingOrganization\":{\"reference\":"
            "\"#o\"}}],"
            "\"extension\":[{\"url\":\"u\",\"valueReference\":{\"reference\":\"urn:uuid:4\"}}],"
            "\"valueString\":\"Patient/9\"}"));
    Buf b;
    buf_init(&b, 0);
    assert_int_equal(fhir_refs_walk(&d, JSON_ROOT, false, collect, &b, &err), OK);
    assert_str(buf_str(&b), "Patient/1 #o urn:uuid:4 ");
    buf_clear(&b);
    assert_int_equal(fhir_refs_walk(&d, JSON_ROOT, true, collect, &b, &err), OK);
    assert_str(buf_str(&b), "urn:uuid:2 Patient/1 #o urn:uuid:4 ");
    buf_done(&b);
}

static void test_same(void **state)
{
    (void)state;
    JsonDoc a =
        parse(STR("{\"resourceType\":\"Basic\",\"id\":\"1\",\"x\":[1.0,{\"a\":1,\"b\":2}]}"));
    JsonDoc b =
        parse(STR("{\"x\":[1.0, "
                  "{\"b\":2,\"a\":1}],\"resourceType\":\"Basic\",\"meta\":{\"versionId\":\"1\"}}"));
    JsonDoc c = parse(STR("{\"resourceType\":\"Basic\",\"x\":[1.0],\"id\":\"1\"}"));
    JsonDoc more = parse(STR("{\"resourceType\":\"Basic\",\"x\":[1.0,{\"a\":1,\"b\":2}],\"y\":1}"));
    assert_true(fhir_resource_same(&a, JSON_ROOT, &b, JSON_ROOT));
    assert_false(fhir_resource_same(&a, JSON_ROOT, &c, JSON_ROOT));
    assert_false(fhir_resource_same(&a, JSON_ROOT, &more, JSON_ROOT));
    JsonDoc tagged = parse(STR("{\"resourceType\":\"Basic\",\"x\":[1.0,{\"a\":1,\"b\":2}],"
                               "\"meta\":{\"versionId\":\"1\",\"tag\":[]}}"));
    assert_false(fhir_resource_same(&a, JSON_ROOT, &tagged, JSON_ROOT));
}

static void test_outcome(void **state)
{
    (void)state;
    Buf b;
    buf_init(&b, 0);
    fhir_outcome_write(&b, &err, LANG_EN);
    JsonDoc d = parse(buf_str(&b));
    assert_str(json_str_at(&d, JSON_ROOT, "issue.0.severity"), "information");
    (void)err_rule(&err, ERR_CONFLICT, STR("held-by-case"), STR("Task"), "被\"占用\"", "held");
    buf_clear(&b);
    fhir_outcome_write(&b, &err, LANG_ZH);
    d = parse(buf_str(&b));
    assert_str(json_str_at(&d, JSON_ROOT, "issue.0.code"), "conflict");
    assert_str(json_str_at(&d, JSON_ROOT, "issue.0.details.coding.0.code"), "held-by-case");
    assert_str(json_str_at(&d, JSON_ROOT, "issue.0.details.text"), "被\"占用\"");
    assert_str(json_str_at(&d, JSON_ROOT, "issue.0.diagnostics"), "held");
    assert_str(json_str_at(&d, JSON_ROOT, "issue.0.expression.0"), "Task");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stamp, begin, end),
        cmocka_unit_test_setup_teardown(test_refs, begin, end),
        cmocka_unit_test_setup_teardown(test_refs_walk, begin, end),
        cmocka_unit_test_setup_teardown(test_same, begin, end),
        cmocka_unit_test_setup_teardown(test_outcome, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
