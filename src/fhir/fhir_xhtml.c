/*
 * Narrative: a scanner for the XHTML fragment R4 allows. It checks that the text is one
 * well-formed <div>, that only formatting elements occur, and that nothing in it can act
 * (scripts, event attributes, javascript: links, entities of its own).
 */
#include "fhir_validate_inner.h"

#define XHTML_DEPTH_MAX 64
#define ATTRIBUTES_MAX  32u /* of one tag */

static const XhtmlFault NOT_DIV = {
    "叙述 div 必须是一个 <div xmlns=\"http://www.w3.org/1999/xhtml\"> 元素",
    "the narrative must be one <div xmlns=\"http://www.w3.org/1999/xhtml\"> element"};
static const XhtmlFault NOT_WELL_FORMED = {
    "叙述 div 不是格式正确的 XHTML：请检查标签是否配对、属性是否加引号",
    "the narrative is not well-formed XHTML: close every tag, quote every attribute"};
static const XhtmlFault TOO_DEEP = {"叙述 div 嵌套过深（最多 64 层）",
                                    "the narrative is nested too deep (at most 64)"};
static const XhtmlFault BAD_ELEMENT = {
    "叙述 div 只能含排版元素（txt-1）：请去掉脚本、表单、框架等元素",
    "the narrative may hold only formatting elements (txt-1): remove scripts, forms, frames and "
    "the like"};
static const XhtmlFault BAD_ATTRIBUTE = {
    "叙述 div 含有事件属性或脚本链接（txt-1）：请去掉",
    "the narrative holds an event attribute or a script link (txt-1): remove it"};
static const XhtmlFault BAD_ENTITY = {
    "叙述 div 含有未知实体：请改用字符本身或 &#编号;",
    "the narrative holds an unknown entity: write the character itself or &#number;"};

static const XhtmlFault UNKNOWN_ATTRIBUTE = {
    "叙述 div 含有 HTML 4.0 排版之外的属性（txt-1）：请去掉",
    "the narrative holds an attribute that is not one of HTML 4.0's for formatting (txt-1): remove "
    "it"};

typedef struct Scan {
    Str s;
    size_t at;
    XhtmlLinks *links; /* NULL: nobody asks */
    Str open[XHTML_DEPTH_MAX];
    unsigned depth;
    bool said;  /* some text or a picture */
    bool named; /* xmlns has been seen */
    const XhtmlFault *fault;
} Scan;

/* Chapters 7 to 11 and 15 of HTML 4.0, without ins and del. */
static const char *const ALLOWED[] = {
    "a",   "abbr",    "acronym", "address", "area", "b",     "bdo",      "big",    "blockquote",
    "br",  "caption", "center",  "cite",    "code", "col",   "colgroup", "dd",     "dfn",
    "div", "dl",      "dt",      "em",      "font", "h1",    "h2",       "h3",     "h4",
    "h5",  "h6",      "hr",      "i",       "img",  "kbd",   "li",       "map",    "ol",
    "p",   "pre",     "q",       "s",       "samp", "small", "span",     "strike", "strong",
    "sub", "sup",     "table",   "tbody",   "td",   "tfoot", "th",       "thead",  "tr",
    "tt",  "u",       "ul",      "var"};

/* Sorted by what they are for: any element, links and pictures, tables, lists and text. */
static const char *const ATTRIBUTES[] = {
    "title",   "style",       "class",       "id",        "idref",    "lang",    "xml:lang",
    "dir",     "xmlns",       "accesskey",   "tabindex",  "name",     "href",    "hreflang",
    "charset", "type",        "rel",         "rev",       "shape",    "coords",  "target",
    "src",     "alt",         "height",      "width",     "longdesc", "usemap",  "ismap",
    "border",  "hspace",      "vspace",      "align",     "valign",   "char",    "charoff",
    "abbr",    "axis",        "headers",     "scope",     "rowspan",  "colspan", "span",
    "frame",   "rules",       "summary",     "nowrap",    "bgcolor",  "color",   "face",
    "size",    "cellspacing", "cellpadding", "cite",      "datetime", "compact", "start",
    "value",   "clear",       "noshade",     "xml:space", "xml:base", "nohref",  "data-fhir"};

static bool attribute_known(Str name)
{
    bool found = str_starts(name, STR("xmlns:"));
    for (size_t i = 0; i < sizeof ATTRIBUTES / sizeof *ATTRIBUTES && !found; i++) {
        found = str_is(name, ATTRIBUTES[i]);
    }
    return found;
}

static bool name_allowed(Str name)
{
    bool found = false;
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED && !found; i++) {
        found = str_is(name, ALLOWED[i]);
    }
    return found;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ':' || c == '.' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool fail(Scan *x, const XhtmlFault *fault)
{
    x->fault = x->fault ? x->fault : fault;
    return false;
}

static void skip_blanks(Scan *x)
{
    while (x->at < x->s.n && is_blank(x->s.p[x->at])) {
        x->at++;
    }
}

static bool take_char(Scan *x, char c)
{
    bool there = x->at < x->s.n && x->s.p[x->at] == c;
    x->at += there;
    return there;
}

static bool take(Scan *x, Str word)
{
    bool there = str_starts(str_skip(x->s, x->at), word);
    x->at += there ? word.n : 0;
    return there;
}

static Str take_name(Scan *x)
{
    size_t from = x->at;
    while (x->at < x->s.n && is_name_char(x->s.p[x->at])) {
        x->at++;
    }
    return (Str){x->s.p + from, x->at - from};
}

static bool scan_entity(Scan *x)
{
    static const char *const NAMED[] = {"amp;", "lt;", "gt;", "quot;", "apos;"};
    for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++) {
        if (take(x, str_from_c(NAMED[i]))) {
            return true;
        }
    }
    if (!take_char(x, '#')) {
        return fail(x, &BAD_ENTITY);
    }
    take_char(x, 'x');
    Str digits = take_name(x);
    return (digits.n > 0 && digits.n <= 7 && take_char(x, ';')) || fail(x, &BAD_ENTITY);
}

/* True when an attribute's value begins with a scheme that runs code; blanks and case aside. */
static bool is_script_link(Str value)
{
    static const char *const SCHEMES[] = {"javascript:", "vbscript:"};
    char head[16];
    size_t n = 0;
    for (size_t i = 0; i < value.n && n < sizeof head; i++) {
        if ((unsigned char)value.p[i] > ' ') {
            head[n++] = value.p[i];
        }
    }
    bool found = false;
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES && !found; i++) {
        Str scheme = str_from_c(SCHEMES[i]);
        found = n >= scheme.n && str_eq_nocase((Str){head, scheme.n}, scheme);
    }
    return found;
}

static bool scan_value(Scan *x, Str *ret)
{
    char quote = x->at < x->s.n ? x->s.p[x->at] : 0;
    if (quote != '"' && quote != '\'') {
        return fail(x, &NOT_WELL_FORMED);
    }
    size_t from = ++x->at;
    while (x->at < x->s.n && x->s.p[x->at] != quote) {
        char c = x->s.p[x->at++];
        if (c == '<' || (c == '&' && !scan_entity(x))) {
            return fail(x, &NOT_WELL_FORMED);
        }
    }
    *ret = (Str){x->s.p + from, x->at - from};
    return take_char(x, quote) || fail(x, &NOT_WELL_FORMED);
}

static void link_note(Scan *x, Str name, Str value)
{
    XhtmlLinks *l = x->links;
    if (!l) {
        return;
    }
    l->odd_attribute = l->odd_attribute || !attribute_known(name);
    bool target = str_is(name, "id") || str_is(name, "name");
    if (target && l->target_n < XHTML_LINKS_MAX) {
        l->target[l->target_n++] = value;
    } else if (str_is(name, "href") && value.n > 1 && value.p[0] == '#' &&
               l->link_n < XHTML_LINKS_MAX) {
        l->link[l->link_n++] = str_skip(value, 1);
    }
}

/* The names of a tag's attributes so far: each may stand once. */
typedef struct Names {
    Str at[ATTRIBUTES_MAX];
    unsigned n;
} Names;

static bool names_add(Names *names, Str name)
{
    bool fresh = names->n < ATTRIBUTES_MAX;
    for (unsigned i = 0; fresh && i < names->n; i++) {
        fresh = !str_eq(names->at[i], name);
    }
    if (fresh) {
        names->at[names->n++] = name;
    }
    return fresh;
}

static bool scan_attribute(Scan *x, Names *names)
{
    Str value = STR_NONE, name = take_name(x);
    skip_blanks(x);
    if (name.n == 0 || !take_char(x, '=') || !names_add(names, name)) {
        return fail(x, &NOT_WELL_FORMED);
    }
    skip_blanks(x);
    if (!scan_value(x, &value)) {
        return false;
    }
    link_note(x, name, value);
    bool event = name.n > 2 && str_eq_nocase(str_take(name, 2), STR("on"));
    bool is_link = str_eq_nocase(name, STR("href")) || str_eq_nocase(name, STR("src"));
    if (str_is(name, "xmlns")) {
        x->named = true;
        return str_is(value, "http://www.w3.org/1999/xhtml") || fail(x, &NOT_DIV);
    }
    return (!event && !(is_link && is_script_link(value))) || fail(x, &BAD_ATTRIBUTE);
}

static bool scan_open_tag(Scan *x)
{
    Names names;
    names.n = 0;
    Str name = take_name(x);
    if (!name_allowed(name)) {
        return fail(x, name.n ? &BAD_ELEMENT : &NOT_WELL_FORMED);
    }
    x->said = x->said || str_is(name, "img");
    for (;;) {
        skip_blanks(x);
        if (take(x, STR("/>"))) {
            return true;
        }
        if (take_char(x, '>')) {
            break;
        }
        if (!scan_attribute(x, &names)) {
            return false;
        }
    }
    if (x->depth == XHTML_DEPTH_MAX) {
        return fail(x, &TOO_DEEP);
    }
    x->open[x->depth++] = name;
    return true;
}

static bool scan_close_tag(Scan *x)
{
    Str name = take_name(x);
    skip_blanks(x);
    return (x->depth > 0 && str_eq(name, x->open[--x->depth]) && take_char(x, '>')) ||
           fail(x, &NOT_WELL_FORMED);
}

static bool scan_comment(Scan *x)
{
    ptrdiff_t end = str_find(str_skip(x->s, x->at), STR("-->"));
    x->at += end < 0 ? 0 : (size_t)end + 3;
    return end >= 0 || fail(x, &NOT_WELL_FORMED);
}

static bool scan_markup(Scan *x)
{
    if (take(x, STR("!--"))) {
        return scan_comment(x);
    }
    return take_char(x, '/') ? scan_close_tag(x) : scan_open_tag(x);
}

/* After the first tag: until the <div> is closed. */
static bool scan_content(Scan *x)
{
    while (x->depth > 0) {
        if (x->at == x->s.n) {
            return fail(x, &NOT_WELL_FORMED);
        }
        char c = x->s.p[x->at++];
        if ((c == '<' && !scan_markup(x)) || (c == '&' && !scan_entity(x))) {
            return false;
        }
        x->said = x->said || (c != '<' && !is_blank(c));
    }
    return true;
}

const XhtmlFault *fhir_xhtml_attribute_fault(void)
{
    return &UNKNOWN_ATTRIBUTE;
}

const XhtmlFault *fhir_xhtml_fault(Str div, XhtmlLinks *links)
{
    Scan x = {.s = str_trim(div), .links = links};
    if (!str_starts(x.s, STR("<div")) || !take_char(&x, '<')) {
        return &NOT_DIV;
    }
    if (scan_open_tag(&x) && (x.named || fail(&x, &NOT_DIV)) && scan_content(&x)) {
        x.fault = x.at != x.s.n ? &NOT_DIV : NULL;
    }
    if (links) {
        links->silent = !x.said;
    }
    return x.fault;
}
