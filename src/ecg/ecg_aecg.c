/* HL7 aECG: the stream of elements, and what it says of patient, device and time. */
#include <libxml/parser.h>
#include <stdio.h>
#include <threads.h>

#include "ecg_aecg.h"

#define NAMESPACE    "urn:hl7-org:v3"
#define XSI          "http://www.w3.org/2001/XMLSchema-instance"
#define DEPTH_MAX    64
#define FEED_BYTES   16384
#define MARKUP_BYTES (256 * 1024) /* the longest tag or comment that may stand unread */
#define TEXT_BYTES   1024

static const struct {
    AecgTag tag, parent;
    const char *name;
} grammar[] = {
#define ELEMENT(tag, parent, name) {AECG_##tag, AECG_##parent, name},
#include "ecg_aecg.def"
#undef ELEMENT
};

/* The state of the parser beside what has been read. */
typedef struct Stream {
    Aecg *x;
    xmlParserCtxtPtr xml;
    AecgTag open[DEPTH_MAX];
    int depth;
    char text[TEXT_BYTES];
    size_t text_n;
    bool digit_begun, digit_minus, digit_any;
    int64_t digit;
} Stream;

/* The attributes of a start tag as libxml2 gives them: name, prefix, namespace, value, end. */
typedef struct Attributes {
    int n;
    const xmlChar **p;
} Attributes;

static const EcgField FIELD_XML = {"XML", "XML"};

static Str attribute(Attributes a, const char *space, const char *name)
{
    for (int i = 0; i < a.n; i++) {
        const xmlChar **one = a.p + (ptrdiff_t)i * 5;
        bool right = one[2] == NULL ? space == NULL
                                    : space != NULL && strcmp((const char *)one[2], space) == 0;
        if (right && strcmp((const char *)one[0], name) == 0) {
            return (Str){(const char *)one[3], (size_t)(one[4] - one[3])};
        }
    }
    return STR_NONE;
}

static Str attribute_kept(Stream *s, Attributes a, const char *name)
{
    return arena_str(s->x->arena, str_trim(str_take(attribute(a, NULL, name), TEXT_BYTES)));
}

static void stop(Stream *s)
{
    xmlStopParser(s->xml);
}

/* ---- what the elements mean ---- */

static Status quantity_read(Stream *s, Attributes a, EcgField field, AecgQuantity *ret)
{
    Str value = attribute_kept(s, a, "value");
    ret->unit = attribute_kept(s, a, "unit");
    ret->there = ecg_decimal_parse(value, &ret->mantissa, &ret->exponent);
    return ret->there ? OK
                      : ecg_aecg_invalid(s->x, field, value, "带十进制 value", "a decimal value");
}

static Status root_check(Stream *s, const char *space)
{
    if (space != NULL && strcmp(space, NAMESPACE) == 0) {
        return OK;
    }
    return ecg_aecg_invalid(s->x, (EcgField){"根元素的命名空间", "namespace of the root element"},
                            str_from_c(space), NAMESPACE, NAMESPACE);
}

/* The document's moment, until a series knows its own. */
static Status time_read(Stream *s, Attributes a)
{
    Str text = attribute_kept(s, a, "value");
    DateTime d;
    if (str_empty(text)) {
        return OK;
    }
    if (!ecg_time_compact(text, &d)) {
        return ecg_aecg_invalid(s->x, (EcgField){"时间（effectiveTime）", "effectiveTime"}, text,
                                "年月日时分秒", "YYYYMMDDHHMMSS");
    }
    if (!s->x->rec.has_start && d.precision >= DATE_DAY) {
        s->x->rec.has_start = true;
        s->x->rec.start = d;
    }
    return OK;
}

static Status gender_read(Stream *s, Attributes a)
{
    Str code = attribute_kept(s, a, "code");
    s->x->rec.patient.sex = str_is(code, "M")   ? ECG_SEX_MALE
                            : str_is(code, "F") ? ECG_SEX_FEMALE
                                                : ECG_SEX_UNKNOWN;
    bool known = str_empty(code) || str_is(code, "M") || str_is(code, "F") || str_is(code, "UN") ||
                 str_is(code, "UNK");
    return known ? OK
                 : ecg_aecg_invalid(
                       s->x,
                       (EcgField){"性别（administrativeGenderCode）", "administrativeGenderCode"},
                       code, "M、F 或 UN", "M, F or UN");
}

static Status birth_read(Stream *s, Attributes a)
{
    EcgPatient *p = &s->x->rec.patient;
    Str text = attribute_kept(s, a, "value");
    if (str_empty(text)) {
        return OK;
    }
    if (!ecg_time_compact(text, &p->birth)) {
        return ecg_aecg_invalid(s->x, (EcgField){"出生日期（birthTime）", "birthTime"}, text,
                                "年月日", "YYYYMMDD");
    }
    p->has_birth = p->birth.precision >= DATE_DAY;
    return OK;
}

/* Of several series the first one of rhythm is read. */
static void series_code_read(Stream *s, Attributes a)
{
    Aecg *x = s->x;
    x->series_code = attribute_kept(s, a, "code");
    x->in_rhythm = !x->has_rhythm && str_is(x->series_code, "RHYTHM");
    x->has_rhythm = x->has_rhythm || x->in_rhythm;
    if (!x->in_rhythm) {
        ecg_aecg_omit(x, x->series_code);
    }
}

static Status sequence_code_read(Stream *s, Attributes a)
{
    s->x->seq.code = attribute_kept(s, a, "code");
    Str system = attribute_kept(s, a, "codeSystem");
    bool lead = str_starts(s->x->seq.code, STR("MDC_"));
    if (lead && !str_empty(system) && !str_is(system, "2.16.840.1.113883.6.24")) {
        return ecg_aecg_invalid(s->x, (EcgField){"编码体系（codeSystem）", "codeSystem"}, system,
                                "2.16.840.1.113883.6.24（MDC）", "2.16.840.1.113883.6.24 (MDC)");
    }
    return OK;
}

static void type_read(Stream *s, Attributes a)
{
    Str type = str_trim(attribute(a, XSI, "type")), prefix, rest;
    bool has_prefix = str_cut(type, ':', &prefix, &rest);
    s->x->seq.type = arena_str(s->x->arena, str_take(has_prefix ? rest : type, 40));
}

static Status element_begin(Stream *s, AecgTag tag, const char *space, Attributes a)
{
    Aecg *x = s->x;
    switch (tag) {
    case AECG_ECG:
        return root_check(s, space);
    case AECG_ECG_LOW:
    case AECG_ECG_CENTER:
        return time_read(s, a);
    case AECG_SUBJECT_ID:
        x->rec.patient.id = ecg_text(x->arena, attribute_kept(s, a, "extension"));
        return OK;
    case AECG_DEVICE_ID:
        x->rec.device.serial = ecg_text(x->arena, attribute_kept(s, a, "extension"));
        return OK;
    case AECG_GENDER:
        return gender_read(s, a);
    case AECG_BIRTH:
        return birth_read(s, a);
    case AECG_SERIES:
        x->series++;
        return OK;
    case AECG_SERIES_CODE:
        series_code_read(s, a);
        return OK;
    case AECG_DERIVED_CODE:
        ecg_aecg_omit(x, attribute_kept(s, a, "code"));
        return OK;
    case AECG_SET:
        ecg_aecg_set_begin(x);
        return OK;
    case AECG_SEQUENCE:
        ecg_aecg_sequence_begin(x);
        return OK;
    case AECG_SEQUENCE_CODE:
        return sequence_code_read(s, a);
    case AECG_VALUE:
        type_read(s, a);
        return OK;
    case AECG_HEAD:
        x->seq.has_head = true;
        x->seq.head = attribute_kept(s, a, "value");
        return OK;
    case AECG_INCREMENT:
        return quantity_read(s, a, (EcgField){"增量（increment）", "increment"}, &x->seq.increment);
    case AECG_ORIGIN:
        return quantity_read(s, a, (EcgField){"原点（origin）", "origin"}, &x->seq.origin);
    case AECG_SCALE:
        return quantity_read(s, a, (EcgField){"比例（scale）", "scale"}, &x->seq.scale);
    case AECG_DIGITS:
        x->seq.has_digits = true;
        return OK;
    default:
        return OK;
    }
}

static Status digit_end(Stream *s)
{
    Aecg *x = s->x;
    int32_t v = (int32_t)(s->digit_minus ? -s->digit : s->digit);
    if (!s->digit_begun) {
        return OK;
    }
    s->digit_begun = false;
    if (!s->digit_any || s->digit > INT32_MAX) {
        return ecg_aecg_refuse(x, (EcgField){"采样值（digits）", "digits"},
                               "第 %zu 个数无效或超出 32 位；请重新导出",
                               "number %zu is not valid or above 32 bits; export it again",
                               x->seq.digits.n / sizeof v + 1);
    }
    if (++x->samples > ECG_SAMPLES_MAX) {
        return ecg_aecg_refuse(
            x, (EcgField){"采样值（digits）", "digits"}, "全部导联的采样超过 %u 个；请分段导出",
            "all leads have more than %u samples; export it in parts", ECG_SAMPLES_MAX);
    }
    buf_bytes(&x->seq.digits, &v, sizeof v);
    return OK;
}

static Status digit_add(Stream *s, char c)
{
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        return digit_end(s);
    }
    if (!s->digit_begun) {
        s->digit_begun = true;
        s->digit_any = false;
        s->digit_minus = c == '-';
        s->digit = 0;
        if (c == '-' || c == '+') {
            return OK;
        }
    }
    if (c < '0' || c > '9') {
        return ecg_aecg_refuse(s->x, (EcgField){"采样值（digits）", "digits"},
                               "第 %zu 个数含有不是数字的字符；请重新导出",
                               "number %zu has a character that is no digit; export it again",
                               s->x->seq.digits.n / sizeof(int32_t) + 1);
    }
    s->digit_any = true;
    s->digit = s->digit > INT32_MAX ? s->digit : s->digit * 10 + (c - '0');
    return OK;
}

static Status element_end(Stream *s, AecgTag tag)
{
    Aecg *x = s->x;
    EcgRecording *rec = &x->rec;
    Str text = str_trim((Str){s->text, s->text_n});
    Str *const into = tag == AECG_PERSON_NAME || tag == AECG_FAMILY ? &rec->patient.family
                      : tag == AECG_GIVEN                           ? &rec->patient.given
                      : tag == AECG_PERSON_ID                       ? &rec->patient.id
                      : tag == AECG_DEVICE_MODEL                    ? &rec->device.model
                      : tag == AECG_DEVICE_SERIAL                   ? &rec->device.serial
                      : tag == AECG_MAKER_NAME                      ? &rec->device.manufacturer
                                                                    : NULL;
    if (into != NULL && !str_empty(text)) {
        *into = arena_str(x->arena, ecg_text(x->arena, text));
    }
    s->text_n = 0;
    switch (tag) {
    case AECG_DIGITS:
        return digit_end(s);
    case AECG_SEQUENCE:
        return x->in_rhythm ? ecg_aecg_sequence_end(x) : OK;
    case AECG_SET:
        return x->in_rhythm ? ecg_aecg_set_end(x) : OK;
    case AECG_SERIES:
        x->in_rhythm = false;
        return OK;
    default:
        return OK;
    }
}

/* ---- what libxml2 calls ---- */

static AecgTag tag_of(AecgTag parent, const char *name)
{
    for (size_t i = 0; i < sizeof grammar / sizeof *grammar; i++) {
        if (grammar[i].parent == parent && strcmp(grammar[i].name, name) == 0) {
            return grammar[i].tag;
        }
    }
    return AECG_SKIP;
}

static void on_begin(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *space,
                     int n_spaces, const xmlChar **spaces, int n, int n_default,
                     const xmlChar **attributes)
{
    Stream *s = user;
    (void)prefix, (void)n_spaces, (void)spaces, (void)n_default;
    if (s->x->status != OK) {
        return;
    }
    s->x->line = s->xml->input->line;
    if (s->depth == DEPTH_MAX) {
        ecg_aecg_refuse(s->x, FIELD_XML, "元素嵌套过深（上限 %d 层）；请重新导出",
                        "elements are nested too deep (at most %d); export it again", DEPTH_MAX);
        stop(s);
        return;
    }
    AecgTag parent = s->depth > 0 ? s->open[s->depth - 1] : AECG_DOCUMENT;
    AecgTag tag = parent == AECG_SKIP ? AECG_SKIP : tag_of(parent, (const char *)name);
    bool foreign = space == NULL || strcmp((const char *)space, NAMESPACE) != 0;
    tag = foreign && tag != AECG_ECG ? AECG_SKIP : tag;
    s->open[s->depth++] = tag;
    s->text_n = 0;
    if (element_begin(s, tag, (const char *)space, (Attributes){n, attributes}) != OK) {
        stop(s);
    }
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *space)
{
    Stream *s = user;
    (void)name, (void)prefix, (void)space;
    if (s->x->status == OK && s->depth > 0 && element_end(s, s->open[--s->depth]) != OK) {
        stop(s);
    }
}

static void on_text(void *user, const xmlChar *text, int n)
{
    Stream *s = user;
    AecgTag tag = s->depth > 0 ? s->open[s->depth - 1] : AECG_SKIP;
    if (s->x->status != OK || tag == AECG_SKIP) {
        return;
    }
    if (tag == AECG_DIGITS && s->x->in_rhythm) {
        for (int i = 0; i < n; i++) {
            if (digit_add(s, (char)text[i]) != OK) {
                stop(s);
                return;
            }
        }
    } else if (tag != AECG_DIGITS) {
        size_t some = (size_t)n < TEXT_BYTES - s->text_n ? (size_t)n : TEXT_BYTES - s->text_n;
        memcpy(s->text + s->text_n, text, some);
        s->text_n += some;
    }
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
    Stream *s = user;
    (void)name, (void)id, (void)uri;
    s->x->line = s->xml->input->line;
    ecg_aecg_refuse(s->x, (EcgField){"文档类型声明（DOCTYPE）", "DOCTYPE"},
                    "不接受文档类型声明和自定义实体；请重新导出",
                    "document types and entities are not accepted; export it again");
    stop(s);
}

static void on_error(void *user, xmlErrorPtr e)
{
    Stream *s = user;
    if (s->x->status != OK || e->level != XML_ERR_FATAL) {
        return;
    }
    s->x->line = e->line;
    Str said = str_trim(str_take(str_from_c(e->message), 200));
    said = ecg_text(s->x->arena, said);
    ecg_aecg_refuse(s->x, FIELD_XML, "不是完好的 XML（%.*s）；文件不完整或已损坏，请重新导出",
                    "is not well-formed XML (%.*s); it is cut or damaged, export it again",
                    STR_ARG(said));
}

static void feed(Stream *s, Str bytes)
{
    for (size_t at = 0; at < bytes.n && s->x->status == OK; at += FEED_BYTES) {
        Str some = str_take(str_skip(bytes, at), FEED_BYTES);
        xmlParseChunk(s->xml, some.p, (int)some.n, 0);
        s->x->line = s->xml->input ? s->xml->input->line : s->x->line;
        if (s->x->status == OK && s->xml->input &&
            s->xml->input->end - s->xml->input->cur > MARKUP_BYTES) {
            ecg_aecg_refuse(s->x, FIELD_XML, "有超过 256 KiB 的标签或注释；请重新导出",
                            "has a tag or comment above 256 KiB; export it again");
        }
    }
    if (s->x->status == OK) {
        xmlParseChunk(s->xml, NULL, 0, 1);
    }
}

static Status parse(Aecg *x, Str bytes)
{
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, xmlInitParser);
    xmlSAXHandler calls = {.initialized = XML_SAX2_MAGIC,
                           .startElementNs = on_begin,
                           .endElementNs = on_end,
                           .characters = on_text,
                           .cdataBlock = on_text,
                           .internalSubset = on_doctype,
                           .serror = on_error};
    Stream *s = arena_new(x->arena, Stream);
    s->x = x;
    s->xml = xmlCreatePushParserCtxt(&calls, s, NULL, 0, NULL);
    mk_check(s->xml != NULL);
    xmlCtxtUseOptions(s->xml, XML_PARSE_NONET);
    feed(s, bytes);
    xmlFreeParserCtxt(s->xml);
    return x->status;
}

static Status content_check(Aecg *x)
{
    if (!x->has_rhythm) {
        return ecg_aecg_invalid(x, (EcgField){"波形系列的代码（series/code）", "series/code"},
                                x->series_code, "RHYTHM（至少一个系列）",
                                "RHYTHM, for one series at least,");
    }
    if (x->n_leads == 0) {
        return ecg_aecg_refuse(x, (EcgField){"波形（sequenceSet）", "sequenceSet"},
                               "节律系列中没有导联；请重新导出",
                               "the rhythm series has no lead; export it again");
    }
    return OK;
}

bool ecg_aecg_is(Str head)
{
    char plain[4096];
    size_t n = 0;
    bool wide = str_starts(head, STR("\xff\xfe")) || str_starts(head, STR("\xfe\xff"));
    Str rest =
        str_starts(head, STR("\xef\xbb\xbf")) ? str_skip(head, 3) : str_skip(head, wide ? 2 : 0);
    for (size_t i = 0; i < rest.n && n < sizeof plain && wide; i++) {
        if (rest.p[i] != '\0') { /* UTF-16: the other half of an ASCII character */
            plain[n++] = rest.p[i];
        }
    }
    rest = str_trim(wide ? (Str){plain, n} : rest);
    return str_starts(rest, STR("<")) && str_find(rest, STR("AnnotatedECG")) >= 0;
}

Status ecg_aecg_read(Arena *a, Str bytes, EcgRecording *ret, Err *err)
{
    Aecg *x = arena_new(a, Aecg);
    x->arena = a;
    x->err = err;
    x->rec.format = ECG_FORMAT_AECG;
    buf_init(&x->seq.digits, (size_t)ECG_SAMPLES_MAX * sizeof(int32_t));
    Status status = parse(x, bytes);
    status = status == OK ? content_check(x) : status;
    buf_done(&x->seq.digits);
    if (status != OK) {
        return status;
    }
    x->rec.leads = x->lead;
    x->rec.n_leads = x->n_leads;
    x->rec.omitted = x->omitted;
    x->rec.n_omitted = x->n_omitted;
    *ret = x->rec;
    return OK;
}
