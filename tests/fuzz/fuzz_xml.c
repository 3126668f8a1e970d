/* XML: what is read is JSON, and written again and read it is the same JSON; what is refused has an
 * issue. */
#include "fhir_validate.h"
#include "fhir_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Only of a valid resource is it said that nothing is lost. */
static void again(Arena *a, const JsonDoc *d)
{
    JsonDoc twice;
    Str xml, json;
    Buf out;
    buf_init(&out, 0);
    fhir_xml_write(a, &out, d, JSON_ROOT, false);
    xml = buf_take(&out, a);
    if (fhir_validate(d, JSON_ROOT, json_str_at(d, JSON_ROOT, "resourceType"), NULL) != OK) {
        return;
    }
    mk_check(fhir_xml_read(a, xml, &json, NULL) == OK);
    mk_check(json_parse(a, json, &JSON_LIMITS_FHIR, &twice, NULL) == OK);
    mk_check(json_equal(d, JSON_ROOT, &twice, JSON_ROOT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    Str json;
    JsonDoc d;
    arena_init(&a, 0);
    err_init(&err, &a);
    if (fhir_xml_read(&a, (Str){(const char *)data, n}, &json, &err) != OK) {
        mk_check(err.count > 0);
    } else if (json_parse(&a, json, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        again(&a, &d);
    }
    arena_done(&a);
    return 0;
}
