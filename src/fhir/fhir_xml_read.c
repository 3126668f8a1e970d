/* XML to a tree of R4's elements, by libxml2's calls: what is no element of R4 stops it. */
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <threads.h>

#include "fhir_xml_inner.h"

#define FHIR_SPACE  "http://hl7.org/fhir"
#define XHTML_SPACE "http://www.w3.org/1999/xhtml"
#define XSI_SPACE   "http://www.w3.org/2001/XMLSchema-instance"

typedef struct Read {
    Arena *arena;
    xmlParserCtxtPtr xml;
    Str bytes;
    Err *err;
    Status status;
    XmlNode *root, *open;
    unsigned depth;
    unsigned narrative; /* levels inside of a narrative's div */
    size_t narrative_at;
} Read;

static void refuse(Read *x, Status status, const XmlNode *node, const char *zh, const char *en,
                   Str what)
{
    if (x->status != OK) {
        return;
    }
    int line = x->xml->input ? x->xml->input->line : 0;
    what = str_take(what, 100);
    x->status = err_text(x->err, status, "structure", fhir_xml_path(x->arena, node),
                         arena_printf(x->arena, "第 %d 行：%s“%.*s”", line, zh, STR_ARG(what)),
                         arena_printf(x->arena, "Line %d: %s '%.*s'", line, en, STR_ARG(what)));
    xmlStopParser(x->xml);
}

/* Bytes of the document that have been read; in UTF-8 they are the document's own. */
static size_t position(const Read *x)
{
    long at = xmlByteConsumed(x->xml);
    return at < 0 ? 0 : (size_t)at > x->bytes.n ? x->bytes.n : (size_t)at;
}

/* ---- elements -------------------------------------------------------------------------------- */

static void attribute_take(Read *x, XmlNode *node, const xmlChar **a)
{
    Str name = str_from_c((const char *)a[0]), space = str_from_c((const char *)a[2]);
    Str value = {(const char *)a[3], (size_t)(a[4] - a[3])};
    bool resource = !node->member.elem || fhir_type_is_resource(node->type);
    if (space.n) {
        if (!str_is(space, XSI_SPACE)) {
            refuse(x, ERR_UNPROCESSABLE, node, "不认识的属性", "there is no attribute", name);
        }
    } else if (str_is(name, "value") && fhir_type_is_primitive(node->type)) {
        node->value = arena_str(x->arena, value);
    } else if (str_is(name, "id") && !resource) {
        node->id = arena_str(x->arena, value);
    } else if (str_is(name, "url") && fhir_type_id(node->type) == FHIR_TYPE_Extension) {
        node->url = arena_str(x->arena, value);
    } else {
        refuse(x, ERR_UNPROCESSABLE, node, "不认识的属性", "there is no attribute", name);
    }
}

static XmlNode *node_add(Read *x, Str name)
{
    XmlNode *node = arena_new(x->arena, XmlNode), *parent = x->open;
    node->key = arena_str(x->arena, name);
    node->line = x->xml->input->line;
    node->parent = parent;
    node->before = parent ? parent->last : NULL;
    if (!parent) {
        x->root = node;
    } else if (parent->last) {
        parent->last->next = node;
    } else {
        parent->first = node;
    }
    if (parent) {
        parent->last = node;
    }
    x->open = node;
    x->depth++;
    return node;
}

/* What children of an element are members of. */
static const FhirType *children_type(const XmlNode *node)
{
    return fhir_type_is_primitive(node->type) ? fhir_type(FHIR_TYPE_Element) : node->type;
}

static bool holds_resource(const XmlNode *node)
{
    return node->member.elem && fhir_type_is_resource(node->type);
}

/* The element becomes a resource: the document's, or the one that its parent holds. */
static void resource_begin(Read *x, XmlNode *node)
{
    node->inner = node->parent != NULL;
    node->type = fhir_resource_find(node->key);
    if (!node->type) {
        refuse(x, x->root == node ? ERR_INVALID : ERR_UNPROCESSABLE, node, "没有这种资源类型",
               "there is no resource type", node->key);
    } else if (node->parent && node->parent->first != node) {
        refuse(x, ERR_UNPROCESSABLE, node, "此处只能有一个资源，多出",
               "one resource too many:", node->key);
    }
}

/* In XML the elements stand in the order of the definition, repetitions beside one another. */
static void order_check(Read *x, const XmlNode *node)
{
    if (node->before && node->before->member.elem > node->member.elem) {
        refuse(x, ERR_UNPROCESSABLE, node, "元素次序不对，应在前面的元素之前：",
               "out of order, it belongs before the one above it:", node->key);
    }
}

static void member_begin(Read *x, XmlNode *node)
{
    const FhirType *t = children_type(node->parent);
    bool known = node->key.p[0] != '_' && fhir_elem_find(t, node->key, &node->member);
    bool attribute = (t->kind != FHIR_KIND_RESOURCE && str_is(node->key, "id")) ||
                     (fhir_type_id(t) == FHIR_TYPE_Extension && str_is(node->key, "url"));
    if (!known || attribute) {
        refuse(x, ERR_UNPROCESSABLE, node, "R4 中没有元素", "R4 has no element", node->key);
        node->type = fhir_type(FHIR_TYPE_Element);
        return;
    }
    node->type = node->member.type;
    order_check(x, node);
}

/* The `<` that this element began with. */
static size_t tag_start(const Read *x)
{
    size_t at = position(x);
    while (at > 0 && x->bytes.p[at - 1] != '<') {
        at--;
    }
    return at > 0 ? at - 1 : 0;
}

/* <div xmlns="http://www.w3.org/1999/xhtml">: its bytes are the value. */
static bool narrative_begin(Read *x, Str name, Str prefix, Str space, int spaces_n)
{
    FhirMember m;
    bool here = x->open && str_is(name, "div") && fhir_elem_find(x->open->type, name, &m) &&
                m.type->prim == FHIR_PRIM_XHTML;
    if (!here || !str_is(space, XHTML_SPACE)) {
        return false;
    }
    XmlNode *node = node_add(x, name);
    node->member = m;
    node->type = m.type;
    order_check(x, node);
    if (prefix.n || spaces_n == 0) {
        refuse(x, ERR_UNPROCESSABLE, node, "叙述须写作 <div xmlns=\"" XHTML_SPACE "\">，不可用前缀",
               "write the narrative as <div xmlns=\"" XHTML_SPACE "\">, without a prefix:", name);
    }
    x->narrative = 1;
    x->narrative_at = tag_start(x);
    return true;
}

static void element_begin(Read *x, Str name, Str space, int n, const xmlChar **attributes)
{
    bool resource = !x->open || holds_resource(x->open);
    XmlNode *node = node_add(x, name);
    if (!str_is(space, FHIR_SPACE)) {
        node->type = fhir_type(FHIR_TYPE_Element);
        refuse(x, ERR_INVALID, node, "元素不在命名空间 " FHIR_SPACE " 中：",
               "not in the namespace " FHIR_SPACE ":", name);
        return;
    }
    if (resource) {
        resource_begin(x, node);
    } else {
        member_begin(x, node);
    }
    for (int i = 0; i < n && x->status == OK; i++) {
        attribute_take(x, node, attributes + (size_t)i * 5);
    }
}

static void on_begin(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *space,
                     int spaces_n, const xmlChar **spaces, int n, int n_default,
                     const xmlChar **attributes)
{
    Read *x = user;
    Str local = str_from_c((const char *)name), uri = str_from_c((const char *)space);
    (void)spaces, (void)n_default;
    if (x->status != OK) {
        return;
    }
    if (x->depth + x->narrative >= FHIR_XML_DEPTH) {
        refuse(x, ERR_INVALID, x->open, "嵌套过深：", "nested too deep:", local);
    } else if (x->narrative) {
        x->narrative++;
    } else if (!narrative_begin(x, local, str_from_c((const char *)prefix), uri, spaces_n)) {
        element_begin(x, local, uri, n, attributes);
    }
}

/* ---- ends, text, faults ---------------------------------------------------------------------- */

/* The div as it was sent; a line ends with LF alone, as XML has it. */
static void narrative_end(Read *x)
{
    size_t end = position(x), n = 0;
    Str slice = str_take(str_skip(x->bytes, x->narrative_at), end - x->narrative_at);
    char *out = arena_alloc(x->arena, slice.n + 1);
    for (size_t i = 0; i < slice.n; i++) {
        if (slice.p[i] == '\r') {
            out[n++] = '\n';
            i += i + 1 < slice.n && slice.p[i + 1] == '\n';
        } else {
            out[n++] = slice.p[i];
        }
    }
    x->open->value = (Str){out, n};
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *space)
{
    Read *x = user;
    (void)name, (void)prefix, (void)space;
    if (x->status != OK || (x->narrative && --x->narrative > 0)) {
        return;
    }
    if (x->open->type->prim == FHIR_PRIM_XHTML) {
        narrative_end(x);
    }
    x->open = x->open->parent;
    x->depth--;
}

static void on_text(void *user, const xmlChar *text, int n)
{
    Read *x = user;
    Str said = str_trim((Str){(const char *)text, (size_t)n});
    if (x->status == OK && !x->narrative && said.n) {
        refuse(x, ERR_UNPROCESSABLE, x->open, "元素中不可有文字：",
               "text stands where only elements may:", str_take(said, 40));
    }
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
    (void)id, (void)uri;
    refuse(user, ERR_INVALID, NULL, "不接受文档类型声明（DOCTYPE）和自定义实体：",
           "a document type (DOCTYPE) and entities of its own are not accepted:",
           str_from_c((const char *)name));
}

#if LIBXML_VERSION >= 21200
typedef const xmlError *XmlFault;
#else
typedef xmlErrorPtr XmlFault;
#endif

static void on_error(void *user, XmlFault e)
{
    Read *x = user;
    if (x->status == OK && (e->level == XML_ERR_FATAL || e->domain == XML_FROM_NAMESPACE)) {
        Str said = str_trim(str_take(str_from_c(e->message), 100));
        x->status = err_add(x->err, ERR_INVALID, "structure", STR_NONE,
                            "第 %d 行：不是完好的 XML：%.*s", "Line %d: not well-formed XML: %.*s",
                            e->line, STR_ARG(arena_str(x->arena, said)));
        xmlStopParser(x->xml);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static Status parse(Read *x)
{
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, xmlInitParser);
    x->xml = xmlCreateMemoryParserCtxt(x->bytes.p, (int)x->bytes.n);
    if (!x->xml) {
        return err_add(x->err, ERR_INVALID, "structure", STR_NONE, "XML 内容为空",
                       "The XML is empty");
    }
    xmlSAXHandler calls = {.initialized = XML_SAX2_MAGIC,
                           .startElementNs = on_begin,
                           .endElementNs = on_end,
                           .characters = on_text,
                           .cdataBlock = on_text,
                           .internalSubset = on_doctype,
                           .serror = on_error};
    *x->xml->sax = calls;
    x->xml->userData = x;
    /*
     * Bytes are bounded before they come here, and levels by on_begin. Entities: a document that
     * declares any is stopped where it begins to, so they are XML's own five.
     */
    xmlCtxtUseOptions(x->xml,
                      XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_HUGE | XML_PARSE_IGNORE_ENC);
    xmlSwitchEncoding(x->xml, XML_CHAR_ENCODING_UTF8);
    xmlParseDocument(x->xml);
    bool whole = x->xml->wellFormed;
    xmlFreeParserCtxt(x->xml);
    if (x->status == OK && (!x->root || x->open || !whole)) {
        return err_add(x->err, ERR_INVALID, "structure", STR_NONE, "不是完好的 XML",
                       "This is not well-formed XML");
    }
    return x->status;
}

Status fhir_xml_read(Arena *a, Str xml, Str *ret_json, Err *err)
{
    Err local;
    if (!err) {
        err_init(&local, a);
        err = &local;
    }
    Read x = {.arena = a, .bytes = xml, .err = err};
    if (xml.n > INT32_MAX) {
        return err_status(err, ERR_TOO_LARGE);
    }
    bool other = xml.n && memchr(xml.p, 0, xml.n); /* UTF-16 and the like hold NULs */
    if (other || !utf8_valid(xml)) {
        return err_add(err, ERR_INVALID, "structure", STR_NONE, "XML 须为 UTF-8 编码",
                       "The XML must be UTF-8");
    }
    TRY(parse(&x));
    return fhir_xml_json(a, x.root, ret_json, err);
}
