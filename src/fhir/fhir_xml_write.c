/* JSON to XML: a typed walk that puts members into the order of the specification. */
#include "fhir_xml.h"

#define MEMBERS_NEAR 16 /* of one object: more stand in the arena */

typedef struct Out {
    Buf *buf;
    Arena *arena;
    const JsonDoc *d;
    bool pretty;
    unsigned depth;
} Out;

/* One element's members: its value, and what stands beside it for a primitive. */
typedef struct Part {
    FhirMember member;
    Str key;
    JsonRef value, beside;
} Part;

static void object_put(Out *o, const FhirType *t, JsonRef r, Str name);

/* ---- text ------------------------------------------------------------------------------------ */

/* U+FFFD stands for what XML cannot hold: control characters, U+FFFE and U+FFFF. */
static bool is_writable(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xFFFE && c != 0xFFFF);
}

static void attribute_char(Buf *out, char c)
{
    switch (c) {
    case '&':
        buf_c(out, "&amp;");
        break;
    case '<':
        buf_c(out, "&lt;");
        break;
    case '>':
        buf_c(out, "&gt;");
        break;
    case '"':
        buf_c(out, "&quot;");
        break;
    case '\t':
    case '\n':
    case '\r':
        buf_printf(out, "&#%d;", c);
        break;
    default:
        buf_char(out, c);
    }
}

static void attribute_put(Out *o, const char *name, Str value)
{
    buf_printf(o->buf, " %s=\"", name);
    for (size_t i = 0; i < value.n;) {
        size_t from = i;
        if ((unsigned char)value.p[i] >= 0x20 && (unsigned char)value.p[i] < 0x80) {
            attribute_char(o->buf, value.p[i++]);
        } else if (!is_writable(utf8_next(value, &i))) {
            buf_c(o->buf, "\xEF\xBF\xBD");
        } else if (i - from == 1) {
            attribute_char(o->buf, value.p[from]);
        } else {
            buf_bytes(o->buf, value.p + from, i - from);
        }
    }
    buf_char(o->buf, '"');
}

static void line_begin(Out *o)
{
    if (o->pretty) {
        buf_char(o->buf, '\n');
        for (unsigned i = 0; i < o->depth; i++) {
            buf_c(o->buf, "  ");
        }
    }
}

static void tag_open(Out *o, Str name)
{
    line_begin(o);
    buf_char(o->buf, '<');
    buf_add(o->buf, name);
}

static void tag_close(Out *o, Str name)
{
    line_begin(o);
    buf_c(o->buf, "</");
    buf_add(o->buf, name);
    buf_char(o->buf, '>');
}

/* ---- members --------------------------------------------------------------------------------- */

/* id of a datatype and url of an extension are attributes. */
static bool is_attribute(const FhirType *t, Str name)
{
    return (t->kind != FHIR_KIND_RESOURCE && str_is(name, "id")) ||
           (fhir_type_id(t) == FHIR_TYPE_Extension && str_is(name, "url"));
}

static Part *part_find(Part *part, size_t n, const FhirMember *m)
{
    for (size_t i = 0; i < n; i++) {
        if (part[i].member.elem == m->elem && part[i].member.option == m->option) {
            return &part[i];
        }
    }
    return NULL;
}

/* After those of the same element and of elements before it. */
static Part *part_insert(Part *part, size_t n, const FhirMember *m)
{
    size_t at = n;
    while (at > 0 && part[at - 1].member.elem > m->elem) {
        part[at] = part[at - 1];
        at--;
    }
    part[at] = (Part){.member = *m, .value = JSON_NONE, .beside = JSON_NONE};
    return &part[at];
}

static size_t parts_of(const Out *o, const FhirType *t, JsonRef r, Part *part)
{
    size_t n = 0;
    for (JsonIter it = json_iter(o->d, r); json_next(&it);) {
        FhirMember m;
        if (!fhir_elem_find(t, it.key, &m)) {
            continue;
        }
        Part *p = part_find(part, n, &m);
        if (!p) {
            p = part_insert(part, n++, &m);
        }
        *(m.underscore ? &p->beside : &p->value) = it.value;
        p->key = m.underscore ? str_skip(it.key, 1) : it.key;
    }
    return n;
}

static void attributes_put(Out *o, const FhirType *t, JsonRef r)
{
    Str id = t->kind == FHIR_KIND_RESOURCE ? STR_NONE : json_str_at(o->d, r, "id");
    if (id.n) {
        attribute_put(o, "id", id);
    }
    if (fhir_type_id(t) == FHIR_TYPE_Extension) {
        attribute_put(o, "url", json_str_at(o->d, r, "url"));
    }
}

/* The children of an object; false: there were none. */
static bool children_put(Out *o, const FhirType *t, JsonRef r);

static void primitive_put(Out *o, const Part *p, JsonRef value, JsonRef beside)
{
    JsonType type = json_type(o->d, value);
    if (p->member.type->prim == FHIR_PRIM_XHTML) {
        line_begin(o);
        buf_add(o->buf, json_str(o->d, value));
        return;
    }
    const FhirType *element = fhir_type(FHIR_TYPE_Element);
    tag_open(o, p->key);
    attributes_put(o, element, beside);
    if (type != JSON_ABSENT && type != JSON_NULL) {
        attribute_put(o, "value",
                      type == JSON_STRING ? json_str(o->d, value) : json_raw(o->d, value));
    }
    if (json_get_c(o->d, beside, "extension") == JSON_NONE) {
        buf_c(o->buf, "/>");
        return;
    }
    buf_char(o->buf, '>');
    o->depth++;
    children_put(o, element, beside);
    o->depth--;
    tag_close(o, p->key);
}

static void resource_put(Out *o, JsonRef r, bool root)
{
    Str name = json_str_at(o->d, r, "resourceType");
    const FhirType *t = fhir_resource_find(name);
    if (!t) {
        return;
    }
    tag_open(o, name);
    buf_c(o->buf, root ? " xmlns=\"http://hl7.org/fhir\">" : ">");
    o->depth++;
    children_put(o, t, r);
    o->depth--;
    tag_close(o, name);
}

static void one_put(Out *o, const Part *p, JsonRef value, JsonRef beside)
{
    const FhirType *t = p->member.type;
    if (fhir_type_is_primitive(t)) {
        primitive_put(o, p, value, beside);
    } else if (!fhir_type_is_resource(t)) {
        object_put(o, t, value, p->key);
    } else {
        tag_open(o, p->key);
        buf_char(o->buf, '>');
        o->depth++;
        resource_put(o, value, false);
        o->depth--;
        tag_close(o, p->key);
    }
}

static void part_put(Out *o, const Part *p)
{
    bool many = json_type(o->d, p->value) == JSON_ARRAY || json_type(o->d, p->beside) == JSON_ARRAY;
    uint32_t n = 1;
    if (many) {
        uint32_t values = json_count(o->d, p->value), besides = json_count(o->d, p->beside);
        n = values > besides ? values : besides;
    }
    JsonIter value = json_iter(o->d, p->value), beside = json_iter(o->d, p->beside);
    for (uint32_t i = 0; i < n; i++) {
        JsonRef v = many ? json_next(&value) ? value.value : JSON_NONE : p->value;
        JsonRef b = many ? json_next(&beside) ? beside.value : JSON_NONE : p->beside;
        one_put(o, p, v, b);
    }
}

static bool children_put(Out *o, const FhirType *t, JsonRef r)
{
    Part near[MEMBERS_NEAR], *part = near;
    uint32_t room = json_count(o->d, r);
    if (room > MEMBERS_NEAR) {
        part = arena_array(o->arena, Part, room);
    }
    size_t n = parts_of(o, t, r, part);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!is_attribute(t, fhir_elem_name(part[i].member.elem))) {
            part_put(o, &part[i]);
            any = true;
        }
    }
    return any;
}

static void object_put(Out *o, const FhirType *t, JsonRef r, Str name)
{
    tag_open(o, name);
    attributes_put(o, t, r);
    size_t before = o->buf->n;
    buf_char(o->buf, '>');
    o->depth++;
    bool any = children_put(o, t, r);
    o->depth--;
    if (any) {
        tag_close(o, name);
    } else {
        o->buf->n = before;
        buf_c(o->buf, "/>");
    }
}

void fhir_xml_write(Arena *a, Buf *out, const JsonDoc *d, JsonRef resource, bool pretty)
{
    Out o = {.buf = out, .arena = a, .d = d, .pretty = pretty};
    buf_c(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    resource_put(&o, resource, true);
    if (pretty) {
        buf_char(out, '\n');
    }
}
