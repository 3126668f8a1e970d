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
        c = fits ? c : STR("…");
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", n ? ", " : "", STR_ARG(c));
        n = fits ? n : sizeof list;
    }
    Str shown = walk_clip(code), url = fhir_valueset_url(v);
    walk_issue(w, at, "code-invalid", "代码“%.*s”不在必选值集 %.*s 中；可用：%s",
               "the code \"%.*s\" is not in the required value set %.*s; use one of: %s",
               STR_ARG(shown), STR_ARG(url), list);
}

/* A link to a place may mean an element or a resource that has the id, in the whole resource. */
static bool link_leads(Walk *w, const XhtmlLinks *l, Str link)
{
    char quoted[128];
    Str raw = json_raw(w->d, w->container);
    w->lookups += (unsigned)(raw.n / 64);
    for (unsigned i = 0; i < l->target_n; i++) {
        if (str_eq(l->target[i], link)) {
            return true;
        }
    }
    if (link.n + 1 > sizeof quoted) {
        return false;
    }
    quoted[0] = '"';
    memcpy(quoted + 1, link.p, link.n);
    Str wanted = {quoted, link.n + 1};
    for (ptrdiff_t at; (at = str_find(raw, wanted)) >= 0;) {
        raw = str_skip(raw, (size_t)at + wanted.n);
        if (raw.n && (raw.p[0] == '"' || raw.p[0] == '\\')) {
            return true;
        }
    }
    return false;
}

static void check_links(Walk *w, const Place *at, const XhtmlLinks *l)
{
    const XhtmlFault *odd = fhir_xhtml_attribute_fault();
    if (l->odd_attribute) {
        walk_strict(w, at, "invariant", "%s%.0s", "%.0s%s", odd->zh, odd->en);
    }
    if (l->silent) {
        walk_doubt(w, at, "invariant", "叙述没有内容（txt-2）：请写明，或删去叙述",
                   "the narrative says nothing (txt-2): fill it or remove it");
    }
    /* A definition's narrative is cut out of the page it is published on, and links there. */
    bool published = json_get_c(w->d, w->container, "url") != JSON_NONE;
    for (unsigned i = 0; !published && i < l->link_n && w->lookups < FHIR_VALIDATE_LOOKUPS; i++) {
        Str shown = walk_clip(l->link[i]);
        if (!link_leads(w, l, l->link[i])) {
            walk_strict(w, at, "invalid", "叙述中的链接“#%.*s”没有所指",
                        "the narrative's link \"#%.*s\" leads nowhere", STR_ARG(shown));
        }
    }
}

static void check_narrative(Walk *w, const Place *at, Str div)
{
    XhtmlLinks *links = w->check->thorough ? arena_new(walk_scratch(w), XhtmlLinks) : NULL;
    const XhtmlFault *fault = fhir_xhtml_fault(div, links);
    if (fault) {
        walk_issue(w, at, "invariant", "%s%.0s", "%.0s%s", fault->zh, fault->en);
    } else if (links) {
        check_links(w, at, links);
    }
}

/* --- what published validators ask of texts --- */

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

bool walk_is_absolute(Str uri)
{
    size_t n = 0;
    while (n < uri.n && (is_letter(uri.p[n]) || (n > 0 && strchr("+.-0123456789", uri.p[n])))) {
        n++;
    }
    bool blank = false;
    for (size_t i = n; i < uri.n && !blank; i++) {
        blank = (unsigned char)uri.p[i] <= ' ';
    }
    return n > 0 && n < uri.n && uri.p[n] == ':' && !blank;
}

/* The elements of HTML that a reader's program would run or load. */
static bool is_active_name(Str name)
{
    static const char *const NAMES[] = {"script", "iframe", "frame", "object", "embed",
                                        "applet", "svg",    "form",  "link",   "base"};
    bool found = false;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && !found; i++) {
        found = str_eq_nocase(name, str_from_c(NAMES[i]));
    }
    return found;
}

/* Whether a text holds a tag that a program which shows it without escaping would obey; R4's own
 * texts hold harmless ones. */
static bool has_markup(Str text)
{
    bool found = false;
    for (ptrdiff_t at; !found && (at = str_find_char(text, '<')) >= 0;) {
        text = str_skip(text, (size_t)at + 1);
        Str tag = text.n && text.p[0] == '/' ? str_skip(text, 1) : text;
        size_t n = 0;
        while (n < tag.n && is_letter(tag.p[n])) {
            n++;
        }
        bool ended = n < tag.n && (strchr(" />\t\r\n", tag.p[n]) != NULL);
        found = ended && is_active_name(str_take(tag, n)) && str_find_char(tag, '>') >= 0;
    }
    return found;
}

static void check_fragment(Walk *w, const Place *at, Str canonical)
{
    Str shown = walk_clip(canonical);
    if (canonical.n > 1 && walk_resolve(w, canonical) == JSON_NONE) {
        walk_doubt(w, at, "not-found", "contained 中没有“%.*s”所指的资源",
                   "\"%.*s\" means no contained resource", STR_ARG(shown));
    }
}

static void check_uri(Walk *w, const Place *at, FhirPrim prim, Str text)
{
    Str shown = walk_clip(text);
    if (str_starts(text, STR("oid:")) || str_starts(text, STR("uuid:"))) {
        walk_strict(w, at, "invalid", "“%.*s”应以 urn: 开头",
                    "\"%.*s\" must begin with urn:", STR_ARG(shown));
    } else if (str_starts(text, STR("urn:uuid:")) && !fhir_primitive_ok(FHIR_PRIM_UUID, text)) {
        walk_strict(w, at, "invalid", "“%.*s”不是合法的 UUID", "\"%.*s\" is no valid UUID",
                    STR_ARG(shown));
    } else if (str_starts(text, STR("urn:oid:")) && prim != FHIR_PRIM_CANONICAL &&
               !fhir_primitive_ok(FHIR_PRIM_OID, text)) {
        walk_strict(w, at, "invalid", "“%.*s”不是合法的 OID", "\"%.*s\" is no valid OID",
                    STR_ARG(shown));
    } else if (prim == FHIR_PRIM_CANONICAL && str_starts(text, STR("#"))) {
        check_fragment(w, at, text);
    } else if (prim == FHIR_PRIM_CANONICAL && str_find_char(text, ':') < 0) {
        walk_warning(w, at, "invalid", "规范 URL“%.*s”应为绝对 URL 或 #片段",
                     "the canonical \"%.*s\" should be an absolute URL or a #fragment",
                     STR_ARG(shown));
    }
}

/* R4: no characters below U+0020 but tab, line feed and carriage return. */
static void check_text(Walk *w, const Place *at, FhirPrim prim, Str text)
{
    bool control = false;
    for (size_t i = 0; i < text.n && !control; i++) {
        unsigned char c = (unsigned char)text.p[i];
        control = c < ' ' && c != '\t' && c != '\n' && c != '\r';
    }
    if (control) {
        walk_strict(w, at, "invalid", "文本含有控制字符", "the text holds control characters");
    } else if (prim == FHIR_PRIM_STRING && has_markup(text)) {
        walk_doubt(w, at, "security", "文本中含有会被执行的 HTML 标签",
                   "the text holds tags of HTML that would be run");
    } else if (str_trim(text).n != text.n) {
        walk_warning(w, at, "value", "文本首尾有空白", "the text begins or ends with blanks");
    }
}

/* What R4's own examples write for media types of FHIR. */
static bool is_format_name(Str code)
{
    return str_is(code, "json") || str_is(code, "xml") || str_is(code, "ttl");
}

/* Value sets that are rules (languages, media types, currencies), where terminology is at hand. */
static void check_open_code(Walk *w, const Place *at, Str valueset, Str code)
{
    FhirTerm *t = walk_terms(w);
    Str shown = walk_clip(code);
    if (t && fhir_term_in(t, valueset, STR_NONE, STR_NONE, code) == TERM_NO) {
        (is_format_name(code) ? walk_warning : walk_strict)(
            w, at, "code-invalid", "代码“%.*s”不在值集 %.*s 中",
            "the code \"%.*s\" is not in the value set %.*s", STR_ARG(shown), STR_ARG(valueset));
    }
}

/* Languages are bound as preferred, but to nothing that is no language at all. */
static void check_code_more(Walk *w, const Place *at, const FhirElem *e, Str code)
{
    if (e->valueset != FHIR_NONE && fhir_valuesets[e->valueset].any) {
        check_open_code(w, at, fhir_valueset_url(&fhir_valuesets[e->valueset]), code);
    } else if (e->valueset == FHIR_NONE && e->owner != FHIR_TYPE_Expression &&
               str_is(fhir_elem_name(e), "language")) {
        check_open_code(w, at, STR("http://hl7.org/fhir/ValueSet/all-languages"), code);
    }
}

static void check_more(Walk *w, const Place *at, const FhirMember *m, Str text)
{
    FhirPrim prim = m->type->prim;
    switch (prim) {
    case FHIR_PRIM_CANONICAL:
    case FHIR_PRIM_URI:
    case FHIR_PRIM_URL:
        check_uri(w, at, prim, text);
        break;
    case FHIR_PRIM_STRING:
    case FHIR_PRIM_MARKDOWN:
        check_text(w, at, prim, text);
        break;
    case FHIR_PRIM_CODE:
        check_code_more(w, at, m->elem, text);
        break;
    default:
        break;
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
    if (w->check->thorough) {
        check_more(w, at, m, text);
    }
}
