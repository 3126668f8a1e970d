/* JSON Patch and FHIRPath Patch: cases of our own, and the public ones. */
#include "fhir_patch.h"

#include "passcounts.h"

typedef struct Patched {
    Status status;
    Str text, en;
} Patched;

static JsonDoc parsed(Arena *a, Str text)
{
    JsonDoc d;
    Err err;
    err_init(&err, a);
    if (json_parse(a, text, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        fail_msg("%.*s: %.*s", STR_ARG(text), STR_ARG(err.first->en));
    }
    return d;
}

static Patched patched(Arena *a, Str doc, Str patch)
{
    Err err;
    Patched p = {.text = STR_NONE, .en = STR_NONE};
    JsonDoc d = parsed(a, doc), change = parsed(a, patch);
    err_init(&err, a);
    p.status = json_type(&change, JSON_ROOT) == JSON_OBJECT
                   ? fhir_patch_path(a, &d, &change, JSON_ROOT, &p.text, &err)
                   : fhir_patch_json(a, &d, &change, &p.text, &err);
    if (p.status != OK) {
        assert_true(err.count > 0);
        p.en = arena_cat(a, err.first->where, STR(" "), err.first->en);
    }
    return p;
}

static void gives(const char *doc, const char *patch, const char *want)
{
    Arena a;
    arena_init(&a, 0);
    Patched p = patched(&a, str_from_c(doc), str_from_c(patch));
    if (p.status != OK || !str_is(p.text, want)) {
        fail_msg("%s\n with %s\n is %.*s%.*s\n not %s", doc, patch, STR_ARG(p.text), STR_ARG(p.en),
                 want);
    }
    arena_done(&a);
}

static void refuses(const char *doc, const char *patch, Status status, const char *why)
{
    Arena a;
    arena_init(&a, 0);
    Patched p = patched(&a, str_from_c(doc), str_from_c(patch));
    if (p.status != status || str_find(p.en, str_from_c(why)) < 0) {
        fail_msg("%s\n with %s\n says %d %.*s%.*s", doc, patch, (int)p.status, STR_ARG(p.text),
                 STR_ARG(p.en));
    }
    arena_done(&a);
}

static void what_is_not_named_keeps_its_bytes(void **state)
{
    (void)state;
    gives("{\"a\": 1.00, \"b\" :[1 , 2,3]}", "[{\"op\":\"remove\",\"path\":\"/b/1\"}]",
          "{\"a\": 1.00, \"b\" :[1 , 3]}");
    gives("{\"a\": 1.00, \"b\" :[1 , 2,3]}", "[{\"op\":\"remove\",\"path\":\"/b/2\"}]",
          "{\"a\": 1.00, \"b\" :[1 , 2]}");
    gives("{ \"a\": 1.00 }", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{  }");
    gives("{\"a\": 1.00}", "[{\"op\":\"add\",\"path\":\"/b~1~0\",\"value\":2.50}]",
          "{\"a\": 1.00,\"b/~\":2.50}");
    gives("{\"a\":[{\"x\":1},2]}", "[{\"op\":\"move\",\"from\":\"/a/0/x\",\"path\":\"/a/-\"}]",
          "{\"a\":[{},2,1]}");
    gives("{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0}]", "{\"a\":1}");
}

static void json_patches_are_refused(void **state)
{
    (void)state;
    const char *doc = "{\"a\":[1],\"b\":{\"c\":1}}";
    refuses(doc, "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":1}]", ERR_UNPROCESSABLE, "[0] ");
    refuses(doc, "[{\"op\":\"add\",\"path\":\"/a/01\",\"value\":1}]", ERR_UNPROCESSABLE, "index");
    refuses(doc, "[{\"op\":\"add\",\"path\":\"/a/1e0\",\"value\":1}]", ERR_UNPROCESSABLE, "index");
    refuses(doc, "[{\"op\":\"remove\",\"path\":\"/a/-\"}]", ERR_UNPROCESSABLE, "no such element");
    refuses(doc, "[{\"op\":\"remove\",\"path\":\"\"}]", ERR_UNPROCESSABLE, "whole");
    refuses(doc, "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/b/c\"}]", ERR_UNPROCESSABLE,
            "itself");
    refuses(doc, "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[2]}]", ERR_UNPROCESSABLE, "test");
    refuses(doc, "[{\"op\":\"add\",\"path\":\"/x\"}]", ERR_INVALID, "value");
    refuses(doc, "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", ERR_INVALID, "Pointer");
    refuses(doc, "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", ERR_INVALID, "~");
    refuses(doc, "[{\"op\":\"put\",\"path\":\"/a\"}]", ERR_INVALID, "op is one of");
    refuses(doc, "[[]]", ERR_INVALID, "object");
    refuses(doc, "[{\"op\":\"copy\",\"path\":\"/x\"}]", ERR_INVALID, "string");
}

#define PARAMETERS(...)                                                                            \
    "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"operation\",\"part\":"            \
    "[" __VA_ARGS__ "]}]}"
#define TYPE(x)  "{\"name\":\"type\",\"valueCode\":\"" x "\"}"
#define PATH(x)  ",{\"name\":\"path\",\"valueString\":\"" x "\"}"
#define NAME(x)  ",{\"name\":\"name\",\"valueString\":\"" x "\"}"
#define VALUE(x) ",{\"name\":\"value\"," x "}"
#define AT(n, x) ",{\"name\":\"" n "\",\"valueInteger\":" #x "}"

static void primitives_keep_their_extensions(void **state)
{
    (void)state;
    const char *p = "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"a\",null,\"c\"],"
                    "\"_given\":[null,{\"id\":\"b\"},null]}]}";
    gives(
        p,
        PARAMETERS(TYPE("move") PATH("Patient.name[0].given") AT("source", 1) AT("destination", 0)),
        "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[null,\"a\",\"c\"],"
        "\"_given\":[{\"id\":\"b\"},null,null]}]}");
    gives(p, PARAMETERS(TYPE("delete") PATH("Patient.name.given[1]")),
          "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"a\",\"c\"]}]}");
    gives(p,
          PARAMETERS(TYPE("add") PATH("Patient.name") NAME("given")
                         VALUE("\"valueString\":\"d\",\"_valueString\":{\"id\":\"d\"}")),
          "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"a\",null,\"c\",\"d\"],"
          "\"_given\":[null,{\"id\":\"b\"},null,{\"id\":\"d\"}]}]}");
}

static void choices_change_their_type(void **state)
{
    (void)state;
    const char *p = "{\"resourceType\":\"Patient\",\"deceasedBoolean\":true,\"_deceasedBoolean\":{"
                    "\"id\":\"x\"}}";
    gives(p,
          PARAMETERS(TYPE("replace") PATH("Patient.deceased") VALUE("\"valueDateTime\":\"2026\"")),
          "{\"resourceType\":\"Patient\",\"deceasedDateTime\":\"2026\"}");
    refuses(p,
            PARAMETERS(TYPE("add") PATH("Patient") NAME("deceased")
                           VALUE("\"valueDateTime\":\"2026\"")),
            ERR_UNPROCESSABLE, "use replace");
    refuses(p,
            PARAMETERS(TYPE("replace") PATH("Patient.deceased") VALUE("\"valueString\":\"2026\"")),
            ERR_UNPROCESSABLE, "of this type");
    gives("{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"u\"}]}",
          PARAMETERS(TYPE("add") PATH("Patient.extension[0]") NAME("value")
                         VALUE("\"valueCode\":\"c\"")),
          "{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"u\",\"valueCode\":\"c\"}]}");
}

static void what_is_emptied_goes(void **state)
{
    (void)state;
    gives(
        "{\"resourceType\":\"Patient\",\"active\":true,\"contact\":[{\"name\":{\"text\":\"a\"}}]}",
        PARAMETERS(TYPE("delete") PATH("Patient.contact[0].name.text")),
        "{\"resourceType\":\"Patient\",\"active\":true}");
    gives("{\"resourceType\":\"Patient\"}", PARAMETERS(TYPE("delete") PATH("Patient.birthDate")),
          "{\"resourceType\":\"Patient\"}");
}

static void lists_are_begun(void **state)
{
    (void)state;
    gives("{\"resourceType\":\"Patient\"}",
          PARAMETERS(TYPE("insert") PATH("Patient.identifier") AT("index", 0)
                         VALUE("\"valueIdentifier\":{\"value\":\"1\"}")),
          "{\"resourceType\":\"Patient\",\"identifier\":[{\"value\":\"1\"}]}");
    gives("{\"resourceType\":\"Patient\"}",
          PARAMETERS(TYPE("add") PATH("Patient") NAME("contact")
                         VALUE("\"part\":[{\"name\":\"gender\",\"valueCode\":\"male\"},"
                               "{\"name\":\"telecom\",\"valueContactPoint\":{\"value\":\"1\"}},"
                               "{\"name\":\"telecom\",\"valueContactPoint\":{\"value\":\"2\"}}]")),
          "{\"resourceType\":\"Patient\",\"contact\":[{\"gender\":\"male\","
          "\"telecom\":[{\"value\":\"1\"},{\"value\":\"2\"}]}]}");
}

static void path_patches_are_refused(void **state)
{
    (void)state;
    const char *p =
        "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"a\"]},{\"given\":[\"b\"]}]}";
    refuses(p,
            PARAMETERS(TYPE("replace") PATH("Patient.birthDate") VALUE("\"valueDate\":\"2026\"")),
            ERR_UNPROCESSABLE, "Parameters.parameter[0]");
    refuses(p, PARAMETERS(TYPE("delete") PATH("Patient.name")), ERR_UNPROCESSABLE, "several");
    refuses(p,
            PARAMETERS(TYPE("insert") PATH("Patient.name") AT("index", 3)
                           VALUE("\"valueHumanName\":{\"text\":\"x\"}")),
            ERR_UNPROCESSABLE, "index");
    refuses(
        p, PARAMETERS(TYPE("move") PATH("Patient.name.given") AT("source", 0) AT("destination", 1)),
        ERR_UNPROCESSABLE, "one whole list");
    refuses(p, PARAMETERS(TYPE("add") PATH("Patient") NAME("nope") VALUE("\"valueCode\":\"x\"")),
            ERR_UNPROCESSABLE, "no element");
    refuses(p, PARAMETERS(TYPE("delete") PATH("Patient")), ERR_UNPROCESSABLE, "as a whole");
    refuses(p, PARAMETERS(TYPE("replace") PATH("Patient.name.count()") VALUE("\"valueInteger\":1")),
            ERR_UNPROCESSABLE, "elements of the resource");
    refuses(p, PARAMETERS(TYPE("delete") PATH("Patient.(")), ERR_INVALID, "");
    refuses(p, PARAMETERS(TYPE("swap") PATH("Patient")), ERR_INVALID, "type is one of");
    refuses(p, PARAMETERS(TYPE("add")), ERR_INVALID, "missing");
    refuses(p, "{\"resourceType\":\"Patient\"}", ERR_INVALID, "Parameters");
}

/* --- the public cases --- */

static JsonDoc *suite_file(Arena *a, const char *name)
{
    Str text;
    Err err;
    err_init(&err, a);
    const char *dir = suite_folder(a, "05-fhir-test-cases");
    if (!dir) {
        return NULL;
    }
    JsonDoc *d = arena_new(a, JsonDoc);
    Str path = path_join(a, str_from_c(dir), str_from_c(name));
    assert_int_equal(file_read(a, path.p, 1 << 24, &text, &err), OK);
    *d = parsed(a, text);
    return d;
}

static bool case_fits(Arena *a, const JsonDoc *d, JsonRef c, const char *doc, const char *patch,
                      const char *want)
{
    JsonRef expected = json_get_c(d, c, want);
    Patched p =
        patched(a, json_raw(d, json_get_c(d, c, doc)), json_raw(d, json_get_c(d, c, patch)));
    if (json_get_c(d, c, "error") != JSON_NONE) {
        return p.status != OK;
    }
    if (p.status != OK) {
        return false;
    }
    JsonDoc got = parsed(a, p.text);
    return expected == JSON_NONE || json_equal(&got, JSON_ROOT, d, expected);
}

static void public_cases(const char *file, const char *doc, const char *patch, const char *want,
                         const char *count)
{
    Arena a;
    int64_t passed = 0, total = 0;
    arena_init(&a, 0);
    JsonDoc *d = suite_file(&a, file);
    if (!d) {
        arena_done(&a);
        skip();
    }
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        if (json_get_c(d, it.value, patch) == JSON_NONE ||
            json_is_true(d, json_get_c(d, it.value, "disabled"))) {
            continue;
        }
        bool ok = case_fits(&a, d, it.value, doc, patch, want);
        total++;
        passed += ok;
        if (!ok) {
            Str raw = json_raw(d, it.value);
            printf("FAILED %.*s\n", STR_ARG(raw));
        }
    }
    passcount_check(count, passed);
    assert_int_equal(passed, total);
    arena_done(&a);
}

static void public_json_patches(void **state)
{
    (void)state;
    public_cases("patch/rfc6902/tests.json", "doc", "patch", "expected", "json-patch");
}

static void public_path_patches(void **state)
{
    (void)state;
    public_cases("patch/fhir-patch-tests.dev.json", "input", "diff", "output", "fhirpath-patch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_named_keeps_its_bytes),
        cmocka_unit_test(json_patches_are_refused),
        cmocka_unit_test(primitives_keep_their_extensions),
        cmocka_unit_test(choices_change_their_type),
        cmocka_unit_test(what_is_emptied_goes),
        cmocka_unit_test(lists_are_begun),
        cmocka_unit_test(path_patches_are_refused),
        cmocka_unit_test(public_json_patches),
        cmocka_unit_test(public_path_patches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
