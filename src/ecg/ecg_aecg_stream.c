/* HL7 aECG: the XML as libxml2's push parser calls it out, held within bounds. */
#include <libxml/parser.h>
#include <threads.h>

#include "ecg_aecg.h"

#define DEPTH_MAX    64
#define FEED_BYTES   16384
#define MARKUP_BYTES (256 * 1024) /* the longest tag or comment that may stand unread */

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
    char text[AECG_TEXT_BYTES];
    size_t text_n;
    bool digit_begun, digit_minus, digit_any;
    int64_t digit;
} Stream;

static const EcgField FIELD_XML = {"XML", "XML"};

static void stop(Stream *s)
{
    xmlStopParser(s->xml);
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

/* What libxml2 gives: name, prefix, namespace, value and its end, five pointers an attribute. */
static AecgAttributes attributes_from(int n, const xmlChar **p)
{
    AecgAttributes ret = {0};
    for (int i = 0; i < n && ret.n < AECG_ATTRIBUTES_MAX; i++, p += 5) {
        ret.at[ret.n++] = (AecgAttribute){.name = str_from_c((const char *)p[0]),
                                          .space = str_from_c((const char *)p[2]),
                                          .value = {(const char *)p[3], (size_t)(p[4] - p[3])}};
    }
    return ret;
}

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
    bool foreign = space == NULL || strcmp((const char *)space, AECG_NAMESPACE) != 0;
    tag = foreign && tag != AECG_ECG ? AECG_SKIP : tag;
    s->open[s->depth++] = tag;
    s->text_n = 0;
    AecgAttributes a = attributes_from(n, attributes);
    if (ecg_aecg_begin(s->x, tag, str_from_c((const char *)space), &a) != OK) {
        stop(s);
    }
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *space)
{
    Stream *s = user;
    (void)name, (void)prefix, (void)space;
    if (s->x->status != OK || s->depth == 0) {
        return;
    }
    AecgTag tag = s->open[--s->depth];
    Str text = str_trim((Str){s->text, s->text_n});
    s->text_n = 0;
    Status ended = tag == AECG_DIGITS ? digit_end(s) : ecg_aecg_end(s->x, tag, text);
    if (ended != OK) {
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
        size_t some =
            (size_t)n < AECG_TEXT_BYTES - s->text_n ? (size_t)n : AECG_TEXT_BYTES - s->text_n;
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

#if LIBXML_VERSION >= 21200
typedef const xmlError *XmlFault;
#else
typedef xmlErrorPtr XmlFault;
#endif

static void on_error(void *user, XmlFault e)
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

Status ecg_aecg_parse(Aecg *x, Str bytes)
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
