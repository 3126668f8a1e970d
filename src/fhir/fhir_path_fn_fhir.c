/* Functions of the tree, of types, and what R4 adds: extension, resolve, memberOf … */
#include "fhir_path_fn.h"

#include "fhir_resource.h"
#include "fhir_validate_inner.h"

/* --- tree --- */

PATH_FN(children)
{
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        TRY(path_step(e, 1));
        TRY(path_children(e, p, &in->at[i], STR_NONE, ret));
    }
    return OK;
}

PATH_FN(descendants)
{
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        TRY(path_children(e, p, &in->at[i], STR_NONE, ret));
    }
    for (size_t i = 0; i < ret->n; i++) {
        FhirValue v = ret->at[i];
        TRY(path_step(e, 1));
        TRY(path_children(e, p, &v, STR_NONE, ret));
    }
    return OK;
}

/* --- utility --- */

PATH_FN(trace)
{
    bool has;
    Str name = STR_NONE;
    FhirValues shown = {0};
    TRY(path_arg_string(e, p, 0, s, &has, &name));
    for (size_t i = 0; p->argc > 1 && i < in->n; i++) {
        FhirValues out = {0};
        TRY(path_eval_item(e, p->args[1], &in->at[i], (int64_t)i, NULL, &out));
        for (size_t k = 0; k < out.n; k++) {
            path_put(e, &shown, out.at[k]);
        }
    }
    if (e->env->trace) {
        e->env->trace(e->env->ctx, name, p->argc > 1 ? &shown : in);
    }
    for (size_t i = 0; i < in->n; i++) {
        path_put(e, ret, in->at[i]);
    }
    return path_step(e, in->n);
}

static bool reserved(const Eval *e, Str name)
{
    static const char *const NAMES[] = {"context", "resource", "rootResource",
                                        "ucum",    "sct",      "loinc"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (str_is(name, NAMES[i])) {
            return true;
        }
    }
    for (const Defined *d = e->defined; d; d = d->next) {
        if (str_eq(d->name, name)) {
            return true;
        }
    }
    return false;
}

/* Seen by what follows in the same expression; path_arg and path_eval_item end its life. */
PATH_FN(defineVariable)
{
    bool has;
    Str name = STR_NONE;
    Defined *d = arena_new(e->arena, Defined);
    TRY(path_arg_string(e, p, 0, s, &has, &name));
    if (!has || reserved(e, name)) {
        return path_fail(e, p->args[0], "变量名称缺失或已被使用",
                         "the variable needs a name that is not yet used");
    }
    if (p->argc > 1) {
        Scope inner = {in, 0, s->total};
        TRY(path_arg(e, p, 1, &inner, &d->values));
    } else {
        d->values = *in;
    }
    d->name = name;
    d->next = e->defined;
    e->defined = d;
    for (size_t i = 0; i < in->n; i++) {
        path_put(e, ret, in->at[i]);
    }
    return path_step(e, in->n);
}

PATH_FN(type)
{
    UNUSED2(p, s);
    for (size_t i = 0; i < in->n; i++) {
        Str name = fhir_value_type_name(&in->at[i]);
        bool system = str_starts(name, STR("System."));
        name = system ? name : arena_cat(e->arena, STR("FHIR."), name);
        path_put(e, ret, (FhirValue){.kind = FHIR_VALUE_TYPE, .text = name});
    }
    return path_step(e, in->n);
}

/* --- R4 --- */

PATH_FN(extension)
{
    bool has;
    Str url;
    TRY(path_arg_string(e, p, 0, s, &has, &url));
    for (size_t i = 0; has && i < in->n; i++) {
        FhirValues found = {0};
        PathNode at = {.at = p->at}; /* its own look-up: the name is not the call's */
        TRY(path_step(e, 1));
        TRY(path_children(e, &at, &in->at[i], STR("extension"), &found));
        for (size_t k = 0; k < found.n; k++) {
            const FhirNode *n = &found.at[k].node;
            if (str_eq(json_str(n->doc, json_get(n->doc, n->ref, STR("url"))), url)) {
                path_put(e, ret, found.at[k]);
            }
        }
    }
    return OK;
}

/* SDC: the score of a Coding, an answer or an option, from its own extension or its value's. */
static Status put_weight(Eval *e, const PathNode *p, const FhirValue *v, int depth, FhirValues *ret)
{
    static const Str BASE = {"http://hl7.org/fhir/StructureDefinition/", 40};
    PathNode extension = {.at = p->at}, value = {.at = p->at}, inner = {.at = p->at};
    FhirValues found = {0}, values = {0};
    size_t before = ret->n;
    TRY(path_children(e, &extension, v, STR("extension"), &found));
    for (size_t i = 0; i < found.n; i++) {
        const FhirNode *n = &found.at[i].node;
        Str url = json_str(n->doc, json_get(n->doc, n->ref, STR("url")));
        Str name = str_starts(url, BASE) ? str_skip(url, BASE.n) : STR_NONE;
        if (str_is(name, "ordinalValue") || str_is(name, "itemWeight")) {
            TRY(path_children(e, &value, &found.at[i], STR("value"), ret));
        }
    }
    if (ret->n == before && depth == 0 && v->kind == FHIR_VALUE_NODE &&
        (!v->node.type || fhir_elem_named(v->node.type, STR("value")))) {
        TRY(path_children(e, &inner, v, STR("value"), &values));
    }
    for (size_t i = 0; i < values.n; i++) {
        TRY(put_weight(e, p, &values.at[i], 1, ret));
    }
    return path_step(e, 1);
}

PATH_FN(weight)
{
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        TRY(put_weight(e, p, &in->at[i], 0, ret));
    }
    return OK;
}

PATH_FN(ordinal)
{
    return path_fn_weight(e, p, in, s, ret);
}

static bool has_value(const FhirValue *v)
{
    if (v->kind != FHIR_VALUE_NODE) {
        return true;
    }
    JsonType type = json_type(v->node.doc, v->node.ref);
    return type != JSON_ABSENT && type != JSON_NULL && type != JSON_OBJECT;
}

PATH_FN(hasValue)
{
    UNUSED2(p, s);
    path_put(e, ret, fhir_value_boolean(in->n == 1 && has_value(in->at)));
    return OK;
}

PATH_FN(getValue)
{
    UNUSED2(p, s);
    FhirValue v;
    if (in->n == 1 && has_value(in->at) && fhir_value_scalar(e->arena, in->at, &v)) {
        path_put(e, ret, v);
    }
    return OK;
}

/* The literal text of a Reference, or of a uri, canonical or string. */
static Str reference_text(const FhirValue *v)
{
    if (v->kind == FHIR_VALUE_STRING) {
        return v->text;
    }
    if (v->kind != FHIR_VALUE_NODE) {
        return STR_NONE;
    }
    const FhirNode *n = &v->node;
    JsonRef ref = json_type(n->doc, n->ref) == JSON_OBJECT
                      ? json_get(n->doc, n->ref, STR("reference"))
                      : n->ref;
    return json_str(n->doc, ref);
}

static bool resolve_contained(const FhirNode *n, Str id, FhirNode *ret)
{
    if (id.n == 0) {
        *ret = fhir_node_resource(n->doc, n->resource);
        return true;
    }
    for (JsonIter it = json_iter(n->doc, json_get(n->doc, n->resource, STR("contained")));
         json_next(&it);) {
        if (str_eq(json_str(n->doc, json_get(n->doc, it.value, STR("id"))), id)) {
            *ret = fhir_node_resource(n->doc, it.value);
            ret->resource = n->resource;
            return true;
        }
    }
    return false;
}

/* An entry of the Bundle that the document is: by fullUrl, or by what a relative reference ends. */
static Status resolve_in_bundle(Eval *e, const JsonDoc *d, Str text, FhirNode *ret, bool *ret_found)
{
    *ret_found = false;
    if (!str_is(json_str(d, json_get(d, JSON_ROOT, STR("resourceType"))), "Bundle")) {
        return OK;
    }
    for (JsonIter it = json_iter(d, json_get(d, JSON_ROOT, STR("entry")));
         json_next(&it) && !*ret_found;) {
        Str url = json_str(d, json_get(d, it.value, STR("fullUrl")));
        JsonRef resource = json_get(d, it.value, STR("resource"));
        TRY(path_step(e, 1));
        bool tail = url.n > text.n && str_ends(url, text) && url.p[url.n - text.n - 1] == '/';
        if (resource != JSON_NONE && url.n && (str_eq(url, text) || tail)) {
            *ret = fhir_node_resource(d, resource);
            *ret_found = true;
        }
    }
    return OK;
}

/* What cannot be found but says its type: for `resolve() is Patient`. */
static bool type_stub(const FhirValue *v, Str text, FhirNode *ret)
{
    FhirRef ref = fhir_ref_parse(text);
    Str name = ref.type;
    if (v->kind == FHIR_VALUE_NODE && name.n == 0) {
        name = json_str(v->node.doc, json_get(v->node.doc, v->node.ref, STR("type")));
    }
    const FhirType *t = name.n ? fhir_resource_find(name) : NULL;
    if (!t || v->kind != FHIR_VALUE_NODE) {
        return false;
    }
    *ret = (FhirNode){v->node.doc, JSON_NONE, JSON_NONE, JSON_NONE, t, NULL};
    return true;
}

static Status resolve_one(Eval *e, const FhirValue *v, FhirValues *ret)
{
    FhirNode found;
    Str text = reference_text(v);
    bool ok = false;
    if (str_starts(text, STR("#"))) {
        ok = v->kind == FHIR_VALUE_NODE && resolve_contained(&v->node, str_skip(text, 1), &found);
    } else if (text.n) {
        if (v->kind == FHIR_VALUE_NODE) {
            TRY(resolve_in_bundle(e, v->node.doc, text, &found, &ok));
        }
        ok = ok || (e->env->resolve && e->env->resolve(e->env->ctx, text, &found));
    }
    ok = ok || (e->env->type_stubs && type_stub(v, text, &found));
    if (ok) {
        path_put(e, ret, fhir_value_node(found));
    }
    return OK;
}

PATH_FN(resolve)
{
    UNUSED2(p, s);
    for (size_t i = 0; i < in->n; i++) {
        TRY(path_step(e, 1));
        TRY(resolve_one(e, &in->at[i], ret));
    }
    return OK;
}

static bool coding_in(const FhirValueSet *set, const JsonDoc *d, JsonRef coding)
{
    Str code = json_str(d, json_get(d, coding, STR("code")));
    return code.n && fhir_valueset_has(set, json_str(d, json_get(d, coding, STR("system"))), code);
}

/* The code lists that R4 binds its elements to are known without asking. */
static bool member_of_r4(Arena *a, const FhirValue *v, Str url, bool *ret)
{
    const FhirValueSet *set = fhir_valueset_find(url);
    Str text;
    *ret = false;
    if (!set) {
        return false;
    }
    if (v->kind != FHIR_VALUE_NODE || json_type(v->node.doc, v->node.ref) != JSON_OBJECT) {
        *ret = fhir_value_text(a, v, &text) && fhir_valueset_has(set, STR_NONE, text);
        return true;
    }
    *ret = coding_in(set, v->node.doc, v->node.ref);
    JsonRef list = json_get(v->node.doc, v->node.ref, STR("coding"));
    for (JsonIter it = json_iter(v->node.doc, list); json_next(&it) && !*ret;) {
        *ret = coding_in(set, v->node.doc, it.value);
    }
    return true;
}

PATH_FN(memberOf)
{
    bool has, is = false;
    Str url;
    const FhirValue *v;
    TRY(path_arg_string(e, p, 0, s, &has, &url));
    TRY(path_single(e, p, in, &v));
    if (!v || !has) {
        return OK;
    }
    bool known = e->env->member_of && e->env->member_of(e->env->ctx, v, url, &is);
    if (known || member_of_r4(e->arena, v, url, &is)) {
        path_put(e, ret, fhir_value_boolean(is));
    }
    return OK;
}

/* R4's own profiles are its types; others are the caller's. */
PATH_FN(conformsTo)
{
    static const Str BASE = {"http://hl7.org/fhir/StructureDefinition/", 40};
    bool has, conforms;
    Str url;
    const FhirValue *v;
    TRY(path_arg_string(e, p, 0, s, &has, &url));
    TRY(path_single(e, p, in, &v));
    if (!v || !has || v->kind != FHIR_VALUE_NODE) {
        return OK;
    }
    const FhirType *t = str_starts(url, BASE) ? fhir_type_find(str_skip(url, BASE.n)) : NULL;
    if (t) {
        path_put(e, ret, fhir_value_boolean(v->node.type && fhir_type_is(v->node.type, t)));
    } else if (e->env->conforms_to && e->env->conforms_to(e->env->ctx, &v->node, url, &conforms)) {
        path_put(e, ret, fhir_value_boolean(conforms));
    } else {
        return path_fail(e, p->args[0], "没有这个 profile", "this profile is not known");
    }
    return OK;
}

/* For views: the key under which a resource, or the one a reference means, is known. */
PATH_FN(getResourceKey)
{
    (void)p;
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        const FhirNode *n = &in->at[i].node;
        if (in->at[i].kind == FHIR_VALUE_NODE && n->type && fhir_type_is_resource(n->type)) {
            Str id = json_str(n->doc, json_get(n->doc, n->ref, STR("id")));
            Str key = arena_cat(e->arena, fhir_type_name(n->type), STR("/"), id);
            if (id.n) {
                path_put(e, ret, fhir_value_string(key));
            }
        }
    }
    return path_step(e, in->n);
}

PATH_FN(getReferenceKey)
{
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        FhirRef ref = fhir_ref_parse(reference_text(&in->at[i]));
        bool wanted =
            p->argc == 0 || (p->type.fhir && str_eq(ref.type, fhir_type_name(p->type.fhir)));
        if (ref.type.n && ref.id.n && wanted) {
            path_put(e, ret, fhir_value_string(arena_cat(e->arena, ref.type, STR("/"), ref.id)));
        }
    }
    return path_step(e, in->n);
}

/* --- narrative --- */

PATH_FN(htmlChecks)
{
    (void)s;
    bool has;
    Str x;
    TRY(path_in_string(e, p, in, &has, &x));
    if (has) {
        path_put(e, ret, fhir_value_boolean(!fhir_xhtml_fault(x, NULL)));
        return path_step(e, x.n / 32);
    }
    return OK;
}
