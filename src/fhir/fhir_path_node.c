/* Walking from a node to its children as R4 sees them: choice types, primitive extensions,
 * contained resources. */
#include <stdatomic.h>

#include "fhir_path_inner.h"

bool path_is(const FhirValue *v, const PathType *type)
{
    FhirValueKind kind;
    if (path_plain_kind(v, &kind)) {
        return type->system && kind == type->kind;
    }
    if (v->kind == FHIR_VALUE_NODE) {
        return type->fhir && v->node.type && fhir_type_is(v->node.type, type->fhir);
    }
    return type->system && v->kind == type->kind;
}

bool path_as(const FhirValue *v, const PathType *type)
{
    bool primitive =
        v->kind == FHIR_VALUE_NODE && v->node.type && fhir_type_is_primitive(v->node.type);
    return primitive ? v->node.type == type->fhir : path_is(v, type);
}

/* A resource inside another has itself as the place of its `contained`, unless it is contained. */
static void place_resource(FhirNode *n, bool contained)
{
    if (!n->type || n->type->kind == FHIR_KIND_RESOURCE) {
        Str name = json_str(n->doc, json_get(n->doc, n->ref, STR("resourceType")));
        const FhirType *t = name.n ? fhir_resource_find(name) : NULL;
        if (t) {
            n->type = t;
            n->resource = contained ? n->resource : n->ref;
        }
    }
}

typedef struct Child {
    Eval *e;
    const FhirNode *parent;
    const FhirElem *elem;
    const FhirType *type;
    bool contained;
    FhirValues *ret;
} Child;

static void child_add(const Child *c, JsonRef value, JsonRef shadow)
{
    const JsonDoc *d = c->parent->doc;
    JsonType type = json_type(d, value);
    value = type == JSON_NULL ? JSON_NONE : value;
    shadow = json_type(d, shadow) == JSON_OBJECT ? shadow : JSON_NONE;
    if (value == JSON_NONE && shadow == JSON_NONE) {
        return;
    }
    FhirNode n = {d, value, shadow, c->parent->resource, c->type, c->elem};
    if (type == JSON_OBJECT && (!c->type || c->type->abstract)) {
        place_resource(&n, c->contained);
    }
    path_put(c->e, c->ret, fhir_value_node(n));
}

/* The value of a member: one child, or one for each item with the shadow beside it. */
static void child_values(const Child *c, JsonRef value, JsonRef shadow)
{
    const JsonDoc *d = c->parent->doc;
    if (json_type(d, value) != JSON_ARRAY && json_type(d, shadow) != JSON_ARRAY) {
        child_add(c, value, shadow);
        return;
    }
    if (shadow == JSON_NONE) {
        for (JsonIter it = json_iter(d, value); json_next(&it);) {
            child_add(c, it.value, JSON_NONE);
        }
        return;
    }
    JsonIter v = json_iter(d, json_type(d, value) == JSON_ARRAY ? value : JSON_NONE),
             s = json_iter(d, shadow);
    for (;;) {
        bool more_v = v.left_ && json_next(&v), more_s = s.left_ && json_next(&s);
        if (!more_v && !more_s) {
            return;
        }
        child_add(c, more_v ? v.value : JSON_NONE, more_s ? s.value : JSON_NONE);
    }
}

static JsonRef shadow_of(const FhirNode *n, Str key)
{
    char name[128];
    if (key.n + 1 > sizeof name) {
        return JSON_NONE;
    }
    name[0] = '_';
    memcpy(name + 1, key.p, key.n);
    return json_get(n->doc, n->ref, (Str){name, key.n + 1});
}

static bool is_contained(Str name)
{
    return str_is(name, "contained");
}

static void child_plain(Child *c, Str name)
{
    c->type = fhir_elem_type(c->elem, 0);
    c->contained = is_contained(name);
    JsonRef value = json_get(c->parent->doc, c->parent->ref, name);
    JsonRef shadow = fhir_type_is_primitive(c->type) ? shadow_of(c->parent, name) : JSON_NONE;
    if (value != JSON_NONE || shadow != JSON_NONE) {
        child_values(c, value, shadow);
    }
}

/* value[x]: the member whose key is the name and a type; `_valueString` alone counts too. */
static void child_choice(Child *c, Str name)
{
    const FhirNode *n = c->parent;
    for (JsonIter it = json_iter(n->doc, n->ref); json_next(&it);) {
        FhirMember m;
        bool shadow = it.key.n && it.key.p[0] == '_';
        Str key = str_skip(it.key, shadow);
        if (!str_starts(key, name) || !fhir_elem_find(n->type, it.key, &m) || m.elem != c->elem) {
            continue;
        }
        c->type = m.type;
        if (!shadow) {
            child_values(c, it.value,
                         fhir_type_is_primitive(m.type) ? shadow_of(n, key) : JSON_NONE);
        } else if (json_get(n->doc, n->ref, key) == JSON_NONE) {
            child_values(c, JSON_NONE, it.value);
        }
    }
}

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Without a known type: the member itself, else one that continues with a type's name. */
static void child_untyped(Child *c, Str name)
{
    const FhirNode *n = c->parent;
    JsonRef value = json_get(n->doc, n->ref, name);
    if (value != JSON_NONE || shadow_of(n, name) != JSON_NONE) {
        child_values(c, value, shadow_of(n, name));
        return;
    }
    for (JsonIter it = json_iter(n->doc, n->ref); json_next(&it);) {
        if (it.key.n > name.n && str_starts(it.key, name) && upper(it.key.p[name.n])) {
            Str rest = str_skip(it.key, name.n);
            char lower[64];
            const FhirType *t = fhir_type_find(rest);
            if (!t && rest.n < sizeof lower) {
                memcpy(lower, rest.p, rest.n);
                lower[0] = (char)(lower[0] + 32);
                t = fhir_type_find((Str){lower, rest.n});
            }
            if (t) {
                c->type = t;
                child_values(c, it.value, shadow_of(n, it.key));
            }
        }
    }
}

static const FhirElem *elem_cached(const PathNode *at, const FhirType *type, Str name)
{
    uint64_t want = (uint64_t)(fhir_type_id(type) + 1) << 32;
    uint64_t cache = atomic_load_explicit((_Atomic uint64_t *)&at->cache, memory_order_relaxed);
    if ((cache & 0xFFFFFFFF00000000ull) == want) {
        uint32_t index = (uint32_t)cache;
        return index ? &fhir_elems[index - 1] : NULL;
    }
    const FhirElem *elem = fhir_elem_named(type, name);
    uint64_t index = elem ? (uint64_t)(elem - fhir_elems) + 1 : 0;
    atomic_store_explicit((_Atomic uint64_t *)&at->cache, want | index, memory_order_relaxed);
    return elem;
}

/* valueQuantity would silently find nothing, so it is an error at once; other names only when
 * strict. */
static Status child_unknown(Eval *e, const PathNode *at, const FhirNode *n, Str name)
{
    FhirMember m;
    if (fhir_elem_find(n->type, name, &m) && fhir_elem_is_choice(m.elem)) {
        return path_fail(e, at, "此处须写不带类型的元素名（value，而非 valueQuantity）",
                         "the element is written without its type here (value, not valueQuantity)");
    }
    return e->env->strict ? path_fail(e, at, "该类型没有这个元素", "the type has no such element")
                          : OK;
}

static Status child_named(Eval *e, const PathNode *at, const FhirNode *n, Str name, FhirValues *ret)
{
    Child c = {.e = e, .parent = n, .ret = ret};
    if (!n->type) {
        child_untyped(&c, name);
        return OK;
    }
    c.elem = elem_cached(at, n->type, name);
    if (!c.elem) {
        return child_unknown(e, at, n, name);
    }
    if (fhir_elem_is_choice(c.elem)) {
        child_choice(&c, name);
    } else {
        child_plain(&c, name);
    }
    return OK;
}

/* id and extension of a primitive stand in its shadow. */
static Status child_of_primitive(Eval *e, const PathNode *at, const FhirNode *n, Str name,
                                 FhirValues *ret)
{
    if (n->shadow == JSON_NONE) {
        return OK;
    }
    FhirNode shadow = {n->doc, n->shadow, JSON_NONE, n->resource, fhir_type_find(STR("Element")),
                       NULL};
    return name.n ? child_named(e, at, &shadow, name, ret)
                  : path_children(e, at, &(FhirValue){.node = shadow}, name, ret);
}

static void child_of_type_info(Eval *e, const FhirValue *v, Str name, FhirValues *ret)
{
    Str space, rest;
    str_cut(v->text, '.', &space, &rest);
    if (str_is(name, "namespace") || str_is(name, "name")) {
        path_put(e, ret, fhir_value_string(str_is(name, "name") ? rest : space));
    }
}

/* A computed quantity has the members that R4's Quantity has. */
static void child_of_quantity(Eval *e, const FhirValue *v, Str name, FhirValues *ret)
{
    const FhirQuantity *q = v->quantity;
    bool all = name.n == 0;
    if (all || str_is(name, "value")) {
        path_put(e, ret, path_decimal(e->arena, q->value));
    }
    if (all || str_is(name, "unit")) {
        path_put(e, ret, fhir_value_string(q->unit));
    }
    if (!q->calendar && (all || str_is(name, "system"))) {
        path_put(e, ret, fhir_value_string(STR("http://unitsofmeasure.org")));
    }
    if (!q->calendar && (all || str_is(name, "code"))) {
        path_put(e, ret, fhir_value_string(q->unit));
    }
}

static bool all_member(const FhirNode *n, const JsonIter *it, Child *c, bool shadow, Str key)
{
    FhirMember m;
    if (shadow && json_get(n->doc, n->ref, key) != JSON_NONE) {
        return false; /* seen with its value */
    }
    c->elem = NULL;
    c->type = NULL;
    c->contained = is_contained(key);
    if (!n->type) {
        return !str_is(it->key, "resourceType");
    }
    if (!fhir_elem_find(n->type, it->key, &m)) {
        return false;
    }
    c->elem = m.elem;
    c->type = m.type;
    return true;
}

static Status child_all(Eval *e, const FhirNode *n, FhirValues *ret)
{
    Child c = {.e = e, .parent = n, .ret = ret};
    for (JsonIter it = json_iter(n->doc, n->ref); json_next(&it);) {
        TRY(path_step(e, 1));
        bool shadow = it.key.n && it.key.p[0] == '_';
        Str key = str_skip(it.key, shadow);
        if (all_member(n, &it, &c, shadow, key)) {
            child_values(&c, shadow ? JSON_NONE : it.value, shadow ? it.value : shadow_of(n, key));
        }
    }
    return OK;
}

Status path_children(Eval *e, const PathNode *at, const FhirValue *v, Str name, FhirValues *ret)
{
    if (v->kind == FHIR_VALUE_TYPE) {
        child_of_type_info(e, v, name, ret);
        return OK;
    }
    if (v->kind == FHIR_VALUE_QUANTITY) {
        child_of_quantity(e, v, name, ret);
        return OK;
    }
    if (v->kind != FHIR_VALUE_NODE) {
        return OK;
    }
    if (json_type(v->node.doc, v->node.ref) != JSON_OBJECT) {
        return child_of_primitive(e, at, &v->node, name, ret);
    }
    return name.n ? child_named(e, at, &v->node, name, ret) : child_all(e, &v->node, ret);
}
