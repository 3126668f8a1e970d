#include "test_arena.h"

#include "fhir_bundle.h"
#include "fhir_capability.h"
#include "fhir_validate.h"

/* ' for " */
static JsonDoc quoted(const char *json)
{
    char *text = arena_cstr(&arena, str_from_c(json));
    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return parse(str_from_c(text));
}

#define BUNDLE(type, entries) "{'resourceType':'Bundle','type':'" type "','entry':[" entries "]}"
#define REQUEST(method, url)  "'request':{'method':'" method "','url':'" url "'}"
#define PATIENT(id)           "'resource':{'resourceType':'Patient','id':'" id "'},"

static void test_order_and_urls(void **state)
{
    (void)state;
    JsonDoc d = quoted(BUNDLE(
        "transaction",
        "{" REQUEST(
            "GET",
            "Patient?name=x") "},"
                              "{" PATIENT("2") REQUEST(
                                  "PUT",
                                  "Patient/2") "},"
                                               "{" PATIENT(
                                                   "3") "'request':{'method':'POST','url':'"
                                                        "Patient','ifNoneExist':'identifier="
                                                        "a'}},"
                                                        "{" REQUEST("DELETE",
                                                                    "http://h/fhir/Patient/"
                                                                    "4") "},"
                                                                         "{" REQUEST(
                                                                             "GET",
                                                                             "Patient/1/"
                                                                             "_history/2") "}"));
    FhirBundle b;
    assert_int_equal(fhir_bundle_parse(&arena, &d, STR("http://h/fhir"), &b, &err), OK);
    assert_true(b.transaction);
    assert_int_equal(b.count, 5);
    static const uint32_t ORDER[] = {3, 2, 1, 0, 4};
    assert_memory_equal(b.order, ORDER, sizeof ORDER);
    assert_str(b.entry[0].query, "name=x");
    assert_str(b.entry[0].type, "Patient");
    assert_str(b.entry[1].id, "2");
    assert_str(b.entry[2].if_none_exist, "identifier=a");
    assert_str(b.entry[3].type, "Patient");
    assert_str(b.entry[3].id, "4");
    assert_str(b.entry[4].operation, "_history/2");
}

/* What an entry's url names: "TYPE ID OPERATION QUERY". */
static void names(const char *url, const char *what)
{
    FhirBundle b;
    JsonDoc d = quoted(arena_cstr(
        &arena, arena_printf(&arena,
                             "{'resourceType':'Bundle','type':'transaction','entry':[{'request':{"
                             "'method':'GET','url':'%s'}}]}",
                             url)));
    assert_int_equal(fhir_bundle_parse(&arena, &d, STR("http://h/fhir"), &b, &err), OK);
    const FhirEntry *e = &b.entry[0];
    Str all =
        arena_cat(&arena, e->type, STR(" "), e->id, STR(" "), e->operation, STR(" "), e->query);
    assert_str(all, what);
}

static void test_urls(void **state)
{
    (void)state;
    names("Patient/1", "Patient 1  ");
    names("/Patient/1", "Patient 1  ");
    names("/fhir/Patient/1", "Patient 1  ");
    names("http://h/fhir/Patient/1/_history/2", "Patient 1 _history/2 ");
    names("http://h/fhir?_type=Patient", "   _type=Patient");
    names("/fhir/$versions", "  $versions ");
    names("Patient?identifier=http://x/Patient/1|2", "Patient   identifier=http://x/Patient/1|2");
    names("/fhir/Patient?identifier=http://h/fhir|2", "Patient   identifier=http://h/fhir|2");
}

static void refused(const char *json, Status status, const char *where)
{
    FhirBundle b;
    JsonDoc d = quoted(json);
    err_clear(&err);
    assert_int_equal(fhir_bundle_parse(&arena, &d, STR("http://h/fhir"), &b, &err), status);
    assert_str(err.first->where, where);
}

static void test_refusals(void **state)
{
    (void)state;
    refused("{'resourceType':'Bundle','type':'searchset'}", ERR_INVALID, "Bundle.type");
    refused(BUNDLE("transaction", "{" PATIENT("1") "'fullUrl':'x'}"), ERR_INVALID,
            "Bundle.entry[0].request");
    refused(BUNDLE("transaction", "{" REQUEST("FETCH", "Patient") "}"), ERR_INVALID,
            "Bundle.entry[0].request.method");
    refused(BUNDLE("transaction", "{" REQUEST("POST", "Patient") "}"), ERR_INVALID,
            "Bundle.entry[0].resource");
    refused(BUNDLE("transaction", "{" PATIENT("1") REQUEST("POST", "Slot") "}"), ERR_INVALID,
            "Bundle.entry[0].request.url");
    refused(BUNDLE("transaction", "{" PATIENT("1") REQUEST("POST", "Patient/1") "}"), ERR_INVALID,
            "Bundle.entry[0].request.url");
    refused(BUNDLE("transaction", "{" PATIENT("1") REQUEST("PUT", "Patient/2") "}"), ERR_INVALID,
            "Bundle.entry[0].resource.id");
    refused(BUNDLE("transaction", "{" PATIENT("1") REQUEST("PUT", "Patient") "}"), ERR_INVALID,
            "Bundle.entry[0].request.url");
    refused(BUNDLE("transaction", "{" REQUEST("DELETE", "Foo/1") "}"), ERR_INVALID,
            "Bundle.entry[0].request.url");
    refused(BUNDLE("transaction", "{" PATIENT("1") REQUEST("PUT", "Patient/1") "},{" REQUEST(
                                      "DELETE", "Patient/1") "}"),
            ERR_INVALID, "Bundle.entry[1].request.url");
    refused(BUNDLE("transaction", "{'fullUrl':'urn:uuid:1'," PATIENT("1") REQUEST(
                                      "POST", "Patient") "},"
                                                         "{'fullUrl':'urn:uuid:1'," PATIENT("1")
                                                             REQUEST("POST", "Patient") "}"),
            ERR_INVALID, "Bundle.entry[1].fullUrl");
    refused(BUNDLE("transaction", "{" REQUEST("GET", "http://other/fhir/Patient/1") "}"),
            ERR_INVALID, "Bundle.entry[0].request.url");
    refused(BUNDLE("transaction", "{" REQUEST("GET", "http://h/fhirs/Patient/1") "}"), ERR_INVALID,
            "Bundle.entry[0].request.url");
}

static void test_batch_refuses_one_entry(void **state)
{
    (void)state;
    JsonDoc d = quoted(
        BUNDLE("batch", "{" REQUEST("GET", "Patient/1") "},{" REQUEST("FETCH", "Patient") "},{}"));
    FhirBundle b;
    assert_int_equal(fhir_bundle_parse(&arena, &d, STR("http://h/fhir"), &b, &err), OK);
    assert_null(b.entry[0].refused);
    assert_int_equal(b.entry[1].refused->status, ERR_INVALID);
    assert_str(b.entry[1].refused->first->where, "Bundle.entry[1].request.method");
    assert_str(b.entry[2].refused->first->where, "Bundle.entry[2].request");
    assert_int_equal(err.count, 0);
}

static void test_rewrite(void **state)
{
    (void)state;
    JsonDoc d = quoted(BUNDLE(
        "transaction",
        "{'fullUrl':'urn:uuid:1','resource':{'resourceType':'Patient'}," REQUEST(
            "POST", "Patient") "},"
                               "{'fullUrl':'http://h/Observation/"
                               "5','resource':{'resourceType':'Observation', 'x':1.00,"
                               "'subject':{'reference':'urn:uuid:1'},'encounter':{'reference':'"
                               "Encounter/7'},"
                               "'performer':[{'reference':'Practitioner?identifier=z'},{'reference'"
                               ":'Organization/1'}]}," REQUEST("POST", "Observation") "}"));
    FhirBundle b;
    FhirRewrite w;
    JsonDoc out, again;
    Str *wanted;
    size_t n;
    assert_int_equal(fhir_bundle_parse(&arena, &d, STR("http://h/fhir"), &b, &err), OK);
    assert_int_equal(fhir_conditional_refs(&arena, &d, b.entry[1].resource, &wanted, &n, &err), OK);
    assert_int_equal(n, 1);
    assert_str(wanted[0], "Practitioner?identifier=z");
    fhir_rewrite_init(&w, &arena);
    assert_int_equal(fhir_rewrite_apply(&w, &arena, &d, &b.entry[1], &out, &err), ERR_INVALID);
    fhir_rewrite_add(&w, STR("urn:uuid:1"), STR("Patient"), STR("p"));
    fhir_rewrite_add(&w, STR("http://h/Encounter/7"), STR("Encounter"), STR("e"));
    fhir_rewrite_add_search(&w, wanted[0], STR("Practitioner"), STR("z"));
    assert_int_equal(fhir_rewrite_apply(&w, &arena, &d, &b.entry[1], &out, &err), OK);
    assert_str(
        out.bytes,
        "{\"resourceType\":\"Observation\", \"x\":1.00,\"subject\":{\"reference\":\"Patient/p\"},"
        "\"encounter\":{\"reference\":\"Encounter/e\"},"
        "\"performer\":[{\"reference\":\"Practitioner/z\"},{\"reference\":\"Organization/1\"}]}");
    assert_int_equal(json_parse(&arena, out.bytes, &JSON_LIMITS_FHIR, &again, &err), OK);
    assert_int_equal(out.count, again.count); /* as if it had been parsed */
    for (uint32_t i = 0; i < out.count; i++) {
        assert_int_equal(out.tok[i].at, again.tok[i].at);
        assert_int_equal(out.tok[i].end, again.tok[i].end);
        assert_int_equal(out.tok[i].next, again.tok[i].next);
        assert_int_equal(out.tok[i].count, again.tok[i].count);
        assert_int_equal(out.tok[i].type, again.tok[i].type);
    }
}

static void test_entry_limit(void **state)
{
    (void)state;
    Buf text;
    buf_init(&text, 0);
    buf_c(&text, "{'resourceType':'Bundle','type':'batch','entry':[{}");
    for (unsigned i = 0; i < FHIR_BUNDLE_ENTRIES_MAX; i++) {
        buf_c(&text, ",{}");
    }
    buf_c(&text, "]}");
    buf_char(&text, 0);
    refused(text.p, ERR_TOO_LARGE, "Bundle.entry");
    buf_done(&text);
}

static void test_capability(void **state)
{
    (void)state;
    static const char *const FORMATS[] = {"json"};
    static const FhirOperation OPERATIONS[] = {
        {"Patient", "match", "http://hl7.org/fhir/OperationDefinition/Patient-match"}};
    FhirServed served = {.interactions = FHIR_SERVES_READ | FHIR_SERVES_SEARCH,
                         .system = FHIR_SYSTEM_TRANSACTION,
                         .kinds = 1 << FHIR_PARAM_TOKEN | 1 << FHIR_PARAM_REFERENCE,
                         .includes = true,
                         .operation = OPERATIONS,
                         .operation_count = 1,
                         .base_url = STR("http://localhost/fhir"),
                         .version = STR("1"),
                         .date = STR("2026-11-22"),
                         .format = FORMATS,
                         .format_count = 1};
    Buf b;
    JsonDoc d;
    buf_init(&b, 0);
    fhir_capability_write(&b, &served);
    assert_int_equal(json_parse(&arena, buf_str(&b), &JSON_LIMITS_FHIR, &d, &err), OK);
    if (fhir_validate(&d, JSON_ROOT, STR("CapabilityStatement"), &err) != OK) {
        fail_msg("%.*s: %.*s", STR_ARG(err.first->where), STR_ARG(err.first->en));
    }
    assert_int_equal(json_count(&d, json_at(&d, JSON_ROOT, "rest.0.resource")), 146);
    assert_int_equal(json_count(&d, json_at(&d, JSON_ROOT, "rest.0.resource.0.interaction")), 2);
    for (JsonIter it = json_iter(&d, json_at(&d, JSON_ROOT, "rest.0.resource.100.searchParam"));
         json_next(&it);) {
        Str type = json_str_at(&d, it.value, "type");
        assert_true(str_is(type, "token") || str_is(type, "reference"));
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_and_urls, begin, end),
        cmocka_unit_test_setup_teardown(test_urls, begin, end),
        cmocka_unit_test_setup_teardown(test_refusals, begin, end),
        cmocka_unit_test_setup_teardown(test_batch_refuses_one_entry, begin, end),
        cmocka_unit_test_setup_teardown(test_rewrite, begin, end),
        cmocka_unit_test_setup_teardown(test_entry_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_capability, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
