/* The XML form: what stands where, hostile documents, and there and back over all published
 * examples. */
#include <dirent.h>

#include "passcounts.h"
#include "test_arena.h"

#include "fhir_xml.h"

static Str written(const char *json, bool pretty)
{
    JsonDoc d = parse(str_from_c(json));
    Buf out;
    buf_init(&out, 0);
    fhir_xml_write(&arena, &out, &d, JSON_ROOT, pretty);
    return buf_take(&out, &arena);
}

static void assert_written(const char *json, const char *inside)
{
    Str got = written(json, false);
    Str head = STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    assert_true(str_starts(got, head));
    assert_str(str_skip(got, head.n), inside);
    Str back;
    assert_int_equal(fhir_xml_read(&arena, got, &back, &err), OK);
    JsonDoc a = parse(str_from_c(json)), b = parse(back);
    if (!json_equal(&a, JSON_ROOT, &b, JSON_ROOT)) {
        fail_msg("got  %.*s\nwant %s", STR_ARG(back), json);
    }
}

#define OPEN(type) "<" type " xmlns=\"http://hl7.org/fhir\">"

static void test_order_and_forms(void **state)
{
    (void)state;
    assert_written(
        "{\"birthDate\":\"1970\",\"id\":\"a\",\"resourceType\":\"Patient\",\"active\":true,"
        "\"multipleBirthInteger\":2}",
        OPEN("Patient") "<id value=\"a\"/><active value=\"true\"/>"
                        "<birthDate value=\"1970\"/><multipleBirthInteger value=\"2\"/>"
                        "</Patient>");
    assert_written("{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":1.00,"
                   "\"unit\":\"m<\\\"&\\n\\u0041\"}}",
                   OPEN("Observation") "<valueQuantity><value value=\"1.00\"/>"
                                       "<unit value=\"m&lt;&quot;&amp;&#10;A\"/></valueQuantity>"
                                       "</Observation>");
    assert_written("{\"resourceType\":\"Basic\",\"text\":{\"status\":\"generated\",\"div\":"
                   "\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\"><p class='a'>x &gt; y<br/>"
                   "</p></div>\"}}",
                   OPEN("Basic") "<text><status value=\"generated\"/><div "
                                 "xmlns=\"http://www.w3.org/1999/xhtml\"><p class='a'>x &gt; y<br/>"
                                 "</p></div></text></Basic>");
}

static void test_extensions(void **state)
{
    (void)state;
    assert_written(
        "{\"resourceType\":\"Patient\",\"name\":[{\"id\":\"n\",\"given\":[\"a\",null,\"b\"],"
        "\"_given\":[null,{\"extension\":[{\"url\":\"urn:x\",\"valueCode\":\"c\"}]},{\"id\":\"g\"}]"
        "}]}",
        OPEN("Patient") "<name id=\"n\"><given value=\"a\"/><given><extension url=\"urn:x\">"
                        "<valueCode value=\"c\"/></extension></given><given id=\"g\" value=\"b\"/>"
                        "</name></Patient>");
    assert_written(
        "{\"resourceType\":\"Patient\",\"_birthDate\":{\"extension\":[{\"url\":\"urn:x\","
        "\"valueBoolean\":false}]}}",
        OPEN("Patient") "<birthDate><extension url=\"urn:x\"><valueBoolean "
                        "value=\"false\"/></extension></birthDate></Patient>");
}

static void test_resources_inside(void **state)
{
    (void)state;
    assert_written("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"resource\":"
                   "{\"resourceType\":\"Basic\",\"contained\":[{\"resourceType\":\"Device\",\"id\":"
                   "\"d\"}]}}]}",
                   OPEN("Bundle") "<type value=\"collection\"/><entry><resource><Basic><contained>"
                                  "<Device><id value=\"d\"/></Device></contained></Basic>"
                                  "</resource></entry></Bundle>");
}

static void test_pretty(void **state)
{
    (void)state;
    assert_str(written("{\"resourceType\":\"Basic\",\"id\":\"a\",\"code\":{\"text\":\"t\"}}", true),
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" OPEN(
                   "Basic") "\n  <id value=\"a\"/>\n  <code>\n    <text value=\"t\"/>\n  "
                            "</code>\n</Basic>\n");
}

static Status read_of(const char *xml, Str *ret)
{
    err_init(&err, &arena);
    return fhir_xml_read(&arena, str_from_c(xml), ret, &err);
}

static void test_what_is_passed_over(void **state)
{
    (void)state;
    Str json;
    assert_int_equal(read_of("\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- c -->"
                             "<f:Basic xmlns:f=\"http://hl7.org/fhir\" "
                             "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                             "xsi:schemaLocation=\"a b\">\n <f:id value='a'/><?pi x?>"
                             "<f:text>\r\n<f:status value=\"empty\"/><div id=\"x\" "
                             "xmlns=\"http://www.w3.org/1999/xhtml\">a\r\n<b>c</b></div></f:text>"
                             "</f:Basic>",
                             &json),
                     OK);
    assert_str(json, "{\"resourceType\":\"Basic\",\"id\":\"a\",\"text\":{\"status\":\"empty\","
                     "\"div\":\"<div id=\\\"x\\\" xmlns=\\\"http://www.w3.org/1999/xhtml\\\">a\\n"
                     "<b>c</b></div>\"}}");
}

static void assert_refused(const char *xml, Status status, const char *where)
{
    Str json;
    if (read_of(xml, &json) != status || err.count == 0) {
        fail_msg("not refused with %d: %s", status, xml);
    }
    if (where && !str_is(err.first->where, where)) {
        fail_msg("%.*s, not %s", STR_ARG(err.first->where), where);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "{}",
        "<Patient",
        "<Patient/>",
        "<Patient xmlns=\"urn:other\"/>",
        "<Nothing xmlns=\"http://hl7.org/fhir\"/>",
        OPEN("Patient"),
        OPEN("Patient") "<active value=\"true\"/></Basic>",
        OPEN("Patient") "<active value=\"&nbsp;\"/></Patient>",
        OPEN("Patient") "</Patient><Patient/>",
        OPEN("Patient") "<x:id xmlns:x=\"urn:x\" value=\"a\"/></Patient>",
        OPEN("Patient") "<x:id value=\"a\"/></Patient>",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\xFF\xFE",
        "<!DOCTYPE Patient><Patient xmlns=\"http://hl7.org/fhir\"/>",
        "<!DOCTYPE r [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]>" OPEN(
            "Basic") "<id value=\"&c;\"/></Basic>",
        "<!DOCTYPE r [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" OPEN(
            "Basic") "<id value=\"&a;\"/></Basic>",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_refused(broken[i], ERR_INVALID, NULL);
    }
    Str json;
    err_init(&err, &arena);
    assert_int_equal(fhir_xml_read(&arena, STR("\0<\0a\0/\0>"), &json, &err), ERR_INVALID);
    assert_refused(OPEN("Patient") "<nome/></Patient>", ERR_UNPROCESSABLE, "Patient.nome");
    assert_refused(OPEN("Patient") "<name><_given value=\"a\"/></name></Patient>",
                   ERR_UNPROCESSABLE, "Patient.name._given");
    assert_refused(OPEN("Patient") "<name><id value=\"a\"/></name></Patient>", ERR_UNPROCESSABLE,
                   "Patient.name.id");
    assert_refused(OPEN("Patient") "<name value=\"a\"/></Patient>", ERR_UNPROCESSABLE,
                   "Patient.name");
    assert_refused(OPEN("Patient") "<active/></Patient>", ERR_UNPROCESSABLE, "Patient.active");
    assert_refused(OPEN("Patient") "text</Patient>", ERR_UNPROCESSABLE, "Patient");
    assert_refused(OPEN("Patient") "<gender value=\"male\"/><active value=\"true\"/></Patient>",
                   ERR_UNPROCESSABLE, "Patient.active");
    assert_refused(OPEN("Basic") "<text><div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>"
                                 "<status value=\"empty\"/></text></Basic>",
                   ERR_UNPROCESSABLE, "Basic.text.status");
    assert_refused(OPEN("Observation") "<valueString value=\"a\"/><valueInteger value=\"1\"/>"
                                       "<valueString value=\"b\"/></Observation>",
                   ERR_UNPROCESSABLE, "Observation.valueString");
    assert_refused(OPEN("Patient") "<contained><Basic/><Basic/></contained></Patient>",
                   ERR_UNPROCESSABLE, NULL);
    assert_refused(OPEN("Patient") "<contained/></Patient>", ERR_UNPROCESSABLE,
                   "Patient.contained");
    assert_refused(OPEN("Basic") "<text><h:div xmlns:h=\"http://www.w3.org/1999/xhtml\"/></text>"
                                 "</Basic>",
                   ERR_UNPROCESSABLE, "Basic.text.div");
}

static void test_depth(void **state)
{
    (void)state;
    Buf deep;
    Str json;
    buf_init(&deep, 0);
    buf_c(&deep, OPEN("Basic"));
    for (int i = 0; i < 100000; i++) {
        buf_c(&deep, "<extension url=\"a\">");
    }
    assert_int_equal(fhir_xml_read(&arena, buf_take(&deep, &arena), &json, &err), ERR_INVALID);
}

/* ---- the published examples -------------------------------------------------------------------
 */

static void there_and_back(Str text, const char *name, int64_t *passed)
{
    JsonDoc before, after;
    Str json;
    Buf out;
    buf_init(&out, 0);
    assert_int_equal(json_parse(&arena, text, &JSON_LIMITS_FHIR, &before, &err), OK);
    fhir_xml_write(&arena, &out, &before, JSON_ROOT, false);
    Str xml = buf_take(&out, &arena);
    err_init(&err, &arena);
    if (fhir_xml_read(&arena, xml, &json, &err) != OK) {
        printf("%s: %.*s\n", name, STR_ARG(err.first->en));
        return;
    }
    assert_int_equal(json_parse(&arena, json, &JSON_LIMITS_FHIR, &after, &err), OK);
    if (json_equal(&before, JSON_ROOT, &after, JSON_ROOT)) {
        (*passed)++;
    } else {
        printf("%s: another content\n", name);
    }
}

static void folder_walk(const char *folder, int64_t *passed, int64_t *all)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        Str text;
        if (!str_ends(str_from_c(e->d_name), STR(".json"))) {
            continue;
        }
        arena_done(&arena);
        begin(NULL);
        Str path = path_join(&arena, str_from_c(folder), str_from_c(e->d_name));
        assert_int_equal(file_read(&arena, path.p, (size_t)64 << 20, &text, &err), OK);
        (*all)++;
        there_and_back(text, e->d_name, passed);
    }
    closedir(d);
}

static void test_examples(void **state)
{
    (void)state;
    Arena own;
    arena_init(&own, 0);
    const char *folder = suite_folder(&own, "02-fhir-r4-examples/instances");
    int64_t passed = 0, all = 0;
    if (!folder) {
        arena_done(&own);
        skip();
    }
    folder_walk(folder, &passed, &all);
    passcount_check("xml-examples", passed);
    assert_int_equal(passed, all);
    arena_done(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_and_forms, begin, end),
        cmocka_unit_test_setup_teardown(test_extensions, begin, end),
        cmocka_unit_test_setup_teardown(test_resources_inside, begin, end),
        cmocka_unit_test_setup_teardown(test_pretty, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(test_refusals, begin, end),
        cmocka_unit_test_setup_teardown(test_depth, begin, end),
        cmocka_unit_test_setup_teardown(test_examples, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
