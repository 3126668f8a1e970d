/* The tree of an XML resource as JSON: elements of one name become one member. */
#include "fhir_xml_inner.h"

typedef struct Put {
    Arena *arena;
    JsonWriter *w;
    Err *err;
    Status status;
} Put;

Str fhir_xml_path(Arena *a, const XmlNode *node)
{
    Str path = STR_NONE;
    for (; node; node = node->parent) {
        if (!node->inner) { /* its holder's name says it */
            path = path.n ? arena_cat(a, node->key, STR("."), path) : node->key;
        }
    }
    return path;
}

static void refuse(Put *p, const XmlNode *node, const char *zh, const char *en)
{
    if (p->status == OK) {
        p->status = err_text(p->err, ERR_UNPROCESSABLE, "structure", fhir_xml_path(p->arena, node),
                             arena_printf(p->arena, "第 %d 行：%s", node->line, zh),
                             arena_printf(p->arena, "Line %d: %s", node->line, en));
    }
}

/* ---- primitives ------------------------------------------------------------------------------ */

static size_t digits_skip(Str s, size_t at)
{
    while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9') {
        at++;
    }
    return at;
}

/* A number as JSON spells it. */
static bool is_number(Str s)
{
    size_t at = s.n && s.p[0] == '-', from = at;
    at = digits_skip(s, at);
    if (at == from || (s.p[from] == '0' && at > from + 1)) {
        return false;
    }
    if (at < s.n && s.p[at] == '.') {
        from = ++at;
        at = digits_skip(s, at);
        if (at == from) {
            return false;
        }
    }
    if (at < s.n && (s.p[at] | 0x20) == 'e') {
        at++;
        at += at < s.n && (s.p[at] == '+' || s.p[at] == '-');
        from = at;
        at = digits_skip(s, at);
        if (at == from) {
            return false;
        }
    }
    return at == s.n;
}

/* What is no number or boolean stays a string: the validator says what is wrong with it. */
static void value_put(Put *p, const XmlNode *node)
{
    FhirPrim prim = (FhirPrim)node->type->prim;
    Str v = node->value;
    bool number = prim == FHIR_PRIM_DECIMAL || prim == FHIR_PRIM_INTEGER ||
                  prim == FHIR_PRIM_POSITIVEINT || prim == FHIR_PRIM_UNSIGNEDINT;
    bool boolean = prim == FHIR_PRIM_BOOLEAN && (str_is(v, "true") || str_is(v, "false"));
    if (!v.p) {
        json_put_null(p->w);
    } else if (boolean || (number && is_number(v))) {
        json_put_raw(p->w, v);
    } else {
        json_put_str(p->w, v);
    }
}

static bool has_beside(const XmlNode *node)
{
    return node->id.n > 0 || node->first != NULL;
}

static void object_put(Put *p, const XmlNode *node);

/* Those of one name from `node` to before `end`, as a value or a list. */
static void each_put(Put *p, const XmlNode *node, const XmlNode *end, bool many,
                     void (*put)(Put *, const XmlNode *))
{
    if (many) {
        json_open(p->w, '[');
    }
    for (; node != end; node = node->next) {
        put(p, node);
    }
    if (many) {
        json_close(p->w, ']');
    }
}

static void beside_put(Put *p, const XmlNode *node)
{
    if (has_beside(node)) {
        object_put(p, node);
    } else {
        json_put_null(p->w);
    }
}

static void primitives_put(Put *p, const XmlNode *from, const XmlNode *end, bool many)
{
    bool value = false, beside = false;
    for (const XmlNode *n = from; n != end; n = n->next) {
        value = value || n->value.p;
        beside = beside || has_beside(n);
        if (!n->value.p && !has_beside(n)) {
            refuse(p, n, "元素既没有值也没有扩展",
                   "the element has neither a value nor an extension");
        }
    }
    if (value) {
        json_key_str(p->w, from->key);
        each_put(p, from, end, many, value_put);
    }
    if (beside) {
        json_key_str(p->w, arena_cat(p->arena, STR("_"), from->key));
        each_put(p, from, end, many, beside_put);
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

static void resource_put(Put *p, const XmlNode *node);

/* contained, Bundle.entry.resource …: what they hold. */
static void held_put(Put *p, const XmlNode *node)
{
    if (node->first) {
        resource_put(p, node->first);
    } else {
        refuse(p, node, "此处缺少资源", "a resource is missing here");
        json_put_null(p->w);
    }
}

static bool key_seen_before(const XmlNode *first, const XmlNode *node)
{
    for (const XmlNode *n = first; n != node; n = n->next) {
        if (str_eq(n->key, node->key)) {
            return true;
        }
    }
    return false;
}

static void group_put(Put *p, const XmlNode *from, const XmlNode *end)
{
    bool many = fhir_elem_is_many(from->member.elem) || from->next != end;
    if (fhir_type_is_primitive(from->type)) {
        primitives_put(p, from, end, many);
        return;
    }
    json_key_str(p->w, from->key);
    each_put(p, from, end, many, fhir_type_is_resource(from->type) ? held_put : object_put);
}

static void members_put(Put *p, const XmlNode *node)
{
    for (const XmlNode *from = node->first; from;) {
        const XmlNode *end = from->next;
        while (end && str_eq(end->key, from->key)) {
            end = end->next;
        }
        if (key_seen_before(node->first, from)) {
            refuse(p, from, "同名元素须相连", "elements of one name must stand together");
            return;
        }
        group_put(p, from, end);
        from = end;
    }
}

static void object_put(Put *p, const XmlNode *node)
{
    json_open(p->w, '{');
    json_member_str(p->w, "id", node->id);
    json_member_str(p->w, "url", node->url);
    members_put(p, node);
    json_close(p->w, '}');
}

static void resource_put(Put *p, const XmlNode *node)
{
    json_open(p->w, '{');
    json_member_str(p->w, "resourceType", node->key);
    members_put(p, node);
    json_close(p->w, '}');
}

Status fhir_xml_json(Arena *a, const XmlNode *root, Str *ret, Err *err)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    Put p = {.arena = a, .w = &w, .err = err};
    resource_put(&p, root);
    Str json = buf_take(&out, a);
    if (p.status == OK) {
        *ret = json;
    }
    return p.status;
}
