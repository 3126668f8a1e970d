/*
 * Values of primitive elements: JSON type, format, narrative, required codes. A message that
 * differs in a word of each language takes both and swallows the other with %.0s.
 */
#include "fhir_validate_inner.h"

#include <stdio.h>

#define STRING_BYTES_MAX (1u << 20) /* R4: strings SHALL NOT exceed 1 MB */

typedef struct Format {
    const char *zh, *en;
} Format;

static const Format FORMAT[] = {
    [FHIR_PRIM_BASE64BINARY] = {"Base64 文本，如 aGk=", "base64, like aGk="},
    [FHIR_PRIM_BOOLEAN] = {"true 或 false", "true or false"},
    [FHIR_PRIM_CANONICAL] = {"不含空白的 URI", "a URI without blanks"},
    [FHIR_PRIM_CODE] = {"首尾无空白、中间只有单个空格的代码",
                        "a code without blanks at its ends and only single ones inside"},
    [FHIR_PRIM_DATE] = {"日期 YYYY、YYYY-MM 或 YYYY-MM-DD，且确有其日",
                        "a real date YYYY, YYYY-MM or YYYY-MM-DD"},
    [FHIR_PRIM_DATETIME] =
        {"日期，或带秒与时区的时刻，如 2026-11-22T08:00:00+08:00",
         "a date, or a time with seconds and zone, like 2026-11-22T08:00:00+08:00"},
    [FHIR_PRIM_DECIMAL] = {"十进制数", "a decimal number"},
    [FHIR_PRIM_ID] = {"1–64 个字母、数字、“-”或“.”", "1 to 64 letters, digits, \"-\" or \".\""},
    [FHIR_PRIM_INSTANT] = {"带秒与时区的时刻，如 2026-11-22T08:00:00.000+08:00",
                           "a time with seconds and zone, like 2026-11-22T08:00:00.000+08:00"},
    [FHIR_PRIM_INTEGER] = {"−2147483648 至 2147483647 的整数",
                           "a whole number from -2147483648 to 2147483647"},
    [FHIR_PRIM_MARKDOWN] = {"非空文本", "text that is not empty"},
    [FHIR_PRIM_OID] = {"urn:oid: 开头的 OID，如 urn:oid:2.16.156", "an OID like urn:oid:2.16.156"},
    [FHIR_PRIM_POSITIVEINT] = {"1 至 2147483647 的整数", "a whole number from 1 to 2147483647"},
    [FHIR_PRIM_STRING] = {"非空文本", "text that is not empty"},
    [FHIR_PRIM_TIME] = {"时间 hh:mm:ss", "a time hh:mm:ss"},
    [FHIR_PRIM_UNSIGNEDINT] = {"0 至 2147483647 的整数", "a whole number from 0 to 2147483647"},
    [FHIR_PRIM_URI] = {"不含空白的 URI", "a URI without blanks"},
    [FHIR_PRIM_URL] = {"不含空白的 URL", "a URL without blanks"},
    [FHIR_PRIM_UUID] = {"urn:uuid: 开头的 UUID",
                        "a UUID like urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
    [FHIR_PRIM_XHTML] = {"非空文本", "text that is not empty"},
};

static bool is_number(FhirPrim prim)
{
    return prim == FHIR_PRIM_DECIMAL || prim == FHIR_PRIM_INTEGER ||
           prim == FHIR_PRIM_POSITIVEINT || prim == FHIR_PRIM_UNSIGNEDINT;
}

/* NULL if the JSON type fits the primitive, else the JSON type it needs. */
static const char *json_type_wanted(FhirPrim prim, JsonType json)
{
    if (prim == FHIR_PRIM_BOOLEAN) {
        return json == JSON_TRUE || json == JSON_FALSE ? NULL : "boolean";
    }
    if (is_number(prim)) {
        return json == JSON_NUMBER ? NULL : "number";
    }
    return json == JSON_STRING ? NULL : "string";
}

static void check_code(Walk *w, const Place *at, const FhirMember *m, Str code)
{
    const FhirValueSet *v = &fhir_valuesets[m->elem->valueset];
    if (fhir_valueset_has(v, STR_NONE, code)) {
        return;
    }
    char list[200];
    size_t n = 0;
    for (unsigned i = 0; i < v->code_count && n < sizeof list; i++) {
        Str system, c = fhir_valueset_code(v, i, &system);
        bool fits = n + c.n + 6 < sizeof list;
        const char *lead = n ? ", " : "";
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", lead, fits ? (int)c.n : 1,
                              fits ? c.p : "…");
        n = fits ? n : sizeof list;
    }
    Str shown = walk_clip(code), url = fhir_valueset_url(v);
    walk_issue(w, at, "code-invalid", "代码“%.*s”不在必选值集 %.*s 中；可用：%s",
               "the code \"%.*s\" is not in the required value set %.*s; use one of: %s",
               STR_ARG(shown), STR_ARG(url), list);
}

static void check_narrative(Walk *w, const Place *at, Str div)
{
    const XhtmlFault *fault = fhir_xhtml_fault(div);
    if (fault) {
        walk_issue(w, at, "invariant", "%s%.0s", "%.0s%s", fault->zh, fault->en);
    }
}

void walk_primitive(Walk *w, const Place *at, const FhirMember *m, JsonRef value)
{
    FhirPrim prim = m->type->prim;
    JsonType json = json_type(w->d, value);
    const char *wanted = json_type_wanted(prim, json);
    if (wanted) {
        Str type = fhir_type_name(m->type);
        walk_issue(w, at, "structure", "%.*s 类型的值应写作 JSON 的 %s",
                   "a value of type %.*s must be a JSON %s", STR_ARG(type), wanted);
        return;
    }
    Str text = json == JSON_STRING ? json_str(w->d, value) : json_raw(w->d, value);
    if (json == JSON_STRING && text.n > STRING_BYTES_MAX && prim != FHIR_PRIM_BASE64BINARY &&
        prim != FHIR_PRIM_XHTML) {
        walk_issue(w, at, "value", "文本超过 1 MB（1048576 字节）",
                   "the text is longer than 1 MB (1048576 bytes)");
    } else if (!fhir_primitive_ok(prim, text)) {
        Str shown = walk_clip(text), type = fhir_type_name(m->type);
        walk_issue(w, at, "value", "“%.*s”不是合法的 %.*s：应为%s%.0s",
                   "\"%.*s\" is not a valid %.*s: it must be %.0s%s", STR_ARG(shown), STR_ARG(type),
                   FORMAT[prim].zh, FORMAT[prim].en);
    } else if (prim == FHIR_PRIM_XHTML) {
        check_narrative(w, at, text);
    } else if (m->elem->valueset != FHIR_NONE) {
        check_code(w, at, m, text);
    }
}
