#include "cmd_resource.h"

#include "fhir_xml.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

/* Whether the first byte that is no blank (after a byte order mark) begins an XML document. */
static bool cmd_is_xml(Str bytes)
{
    Str mark = STR(BYTE_ORDER_MARK);
    Str text = str_trim(str_starts(bytes, mark) ? str_skip(bytes, mark.n) : bytes);
    return text.n > 0 && text.p[0] == '<';
}

Status cmd_resource_parse(Arena *a, Str bytes, const JsonLimits *limits, JsonDoc *ret, Err *err)
{
    Str json = bytes;
    if (cmd_is_xml(bytes)) {
        TRY(fhir_xml_read(a, bytes, &json, err));
    }
    return json_parse(a, json, limits, ret, err);
}
