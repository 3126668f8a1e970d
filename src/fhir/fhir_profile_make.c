/*
 * From a StructureDefinition to a tree: the base's tree is copied, then each element of the
 * differential finds (or makes) its node by id, or by path and order where ids are missing, and
 * lays down what it says (fhir_profile_fill.c).
 */
#include "fhir_profile_make.h"

#include "fhir_resource.h"

/* --- nodes --- */

ProfileNode *profile_child(const ProfileNode *n, Str name)
{
    ProfileNode *c = n->child;
    while (c && !str_eq(c->name, name)) {
        c = c->next;
    }
    return c;
}

static ProfileNode *profile_slice(const ProfileNode *n, Str name)
{
    ProfileNode *s = n->slice;
    while (s && !str_eq(s->name, name)) {
        s = s->next;
    }
    return s;
}

/* The type of what stands in a node, when it is one only; else NULL. */
static const FhirType *profile_node_type(const ProfileNode *n)
{
    if (n->type_n > 0) {
        return n->type_n == 1 ? n->type[0].type : NULL;
    }
    if (!n->elem) {
        return n->root;
    }
    return n->elem->option_count == 1 ? fhir_elem_type(n->elem, 0) : NULL;
}

static ProfileNode *node_new(Make *m, ProfileNode **list, Str name, const FhirElem *elem)
{
    if (++m->p->nodes > PROFILE_NODES_MAX) {
        MAKE_FAULT(m, "too-costly", "定义的元素过多", "the definition has too many elements");
        return NULL;
    }
    ProfileNode *n = arena_new(m->a, ProfileNode), **end = list;
    n->name = name;
    n->elem = elem;
    n->max = PROFILE_MANY;
    while (*end) {
        end = &(*end)->next;
    }
    *end = n;
    return n;
}

static ProfileNode *nodes_copy(Make *m, const ProfileNode *from)
{
    ProfileNode *first = NULL, **end = &first;
    for (; from; from = from->next) {
        if (++m->p->nodes > PROFILE_NODES_MAX) {
            return first;
        }
        ProfileNode *n = arena_new(m->a, ProfileNode);
        *n = *from;
        n->next = NULL;
        n->child = nodes_copy(m, from->child);
        n->slice = nodes_copy(m, from->slice);
        *end = n;
        end = &n->next;
    }
    return first;
}

/* --- finding the node of an element --- */

/* VSCat, or VSCat/own: a slice of the slice. */
static ProfileNode *slice_make(Make *m, ProfileNode *n, Str name)
{
    Str part, rest = name;
    for (bool more = true; n && more;) {
        more = str_cut(rest, '/', &part, &rest);
        ProfileNode *s = profile_slice(n, part);
        if (!s && (s = node_new(m, &n->slice, part, n->elem))) {
            s->is_slice = true;
            s->type = n->type;
            s->type_n = n->type_n;
        }
        n = s;
    }
    return n;
}

/* A differential that has valueQuantity and says nothing of value[x] leaves no other type: the
 * short form of a closed slicing by type. */
static void choice_close(Make *m, ProfileNode *n, const FhirType *type)
{
    if (m->snapshot || n->spoken == m->p) {
        return;
    }
    unsigned before = n->closed == m->p ? n->type_n : 0;
    ProfileType *types = arena_array(m->a, ProfileType, before + 1);
    for (unsigned i = 0; i < before; i++) {
        types[i] = n->type[i];
        if (types[i].type == type) {
            return;
        }
    }
    types[before].type = type;
    n->type = types;
    n->type_n = before + 1;
    n->closed = m->p;
}

/* valueQuantity in a path is a slice of value[x]. */
static ProfileNode *choice_make(Make *m, ProfileNode *parent, const FhirMember *of, Str key)
{
    Str name = fhir_elem_name(of->elem);
    ProfileNode *n = profile_child(parent, name);
    n = n ? n : node_new(m, &parent->child, name, of->elem);
    ProfileNode *s = n ? slice_make(m, n, key) : NULL;
    if (s && s->type_n != 1) {
        ProfileType *t = arena_new(m->a, ProfileType);
        t->type = of->type;
        s->type = t;
        s->type_n = 1;
    }
    return s;
}

static ProfileNode *path_fault(Make *m, const FhirType *t, Str segment)
{
    Str type = t ? fhir_type_name(t) : STR("value[x]");
    MAKE_FAULT(m, "invalid", "路径“%.*s”有误：%.*s 没有元素“%.*s”",
               "the path \"%.*s\" is wrong: %.*s has no element \"%.*s\"", STR_ARG(m->path),
               STR_ARG(type), STR_ARG(segment));
    return NULL;
}

static ProfileNode *child_make(Make *m, ProfileNode *parent, Str segment)
{
    const FhirType *t = profile_node_type(parent);
    bool open = str_ends(segment, STR("[x]"));
    Str name = open ? str_take(segment, segment.n - 3) : segment;
    const FhirElem *elem = t ? fhir_elem_named(t, name) : NULL;
    FhirMember of;
    if (elem && (!open || fhir_elem_is_choice(elem))) {
        ProfileNode *n = profile_child(parent, name);
        return n ? n : node_new(m, &parent->child, name, elem);
    }
    if (!elem && t && !open && fhir_elem_find(t, name, &of) && !of.underscore) {
        ProfileNode *s = choice_make(m, parent, &of, name);
        ProfileNode *n = profile_child(parent, fhir_elem_name(of.elem));
        if (s && n) {
            choice_close(m, n, of.type);
        }
        return s;
    }
    return path_fault(m, t, segment);
}

/* A slice that is named as its type is one of that type: value[x]:valueQuantity. */
static ProfileNode *named_slice(Make *m, ProfileNode *parent, ProfileNode *n, Str slice)
{
    const FhirType *t = profile_node_type(parent);
    FhirMember of;
    bool typed = n->elem && fhir_elem_is_choice(n->elem) && t && fhir_elem_find(t, slice, &of) &&
                 of.elem == n->elem;
    return typed ? choice_make(m, parent, &of, slice) : slice_make(m, n, slice);
}

static ProfileNode *step_make(Make *m, ProfileNode *parent, Str segment, Str slice)
{
    ProfileNode *n = child_make(m, parent, segment);
    return n && slice.n ? named_slice(m, parent, n, slice) : n;
}

/* The id says the same path as the path, and names the slices in it. */
static bool id_agrees(Str id, Str path)
{
    Str a, b, name, slice, ids = id, paths = path;
    bool more = true, same = id.n > 0;
    while (same && more) {
        bool x = str_cut(ids, '.', &a, &ids), y = str_cut(paths, '.', &b, &paths);
        str_cut(a, ':', &name, &slice);
        same = x == y && str_eq(name, b);
        more = x;
    }
    return same;
}

static ProfileNode *by_id(Make *m, Str id)
{
    Str segment, name, slice, rest;
    ProfileNode *n = m->p->root;
    bool more = str_cut(id, '.', &segment, &rest);
    while (n && more) {
        more = str_cut(rest, '.', &segment, &rest);
        str_cut(segment, ':', &name, &slice);
        n = step_make(m, n, name, slice);
    }
    return n;
}

/* How many of the places passed are parents of path; the deepest is *ret. */
static unsigned passed_above(const Make *m, Str path, const MakePlace **ret)
{
    unsigned n = m->passed_n;
    while (n > 0) {
        const MakePlace *p = &m->passed[n - 1];
        if (path.n > p->path.n && str_starts(path, p->path) && path.p[p->path.n] == '.') {
            *ret = p;
            return n;
        }
        n--;
    }
    return 0;
}

/* Without ids: what stands last above in the list is the parent, be it a slice. */
static ProfileNode *by_order(Make *m, Str path, Str slice)
{
    const MakePlace *above = NULL;
    unsigned n = passed_above(m, path, &above);
    ProfileNode *at = n ? above->node : m->p->root;
    Str segment, rest = path;
    if (n) {
        rest = str_skip(path, above->path.n + 1);
    } else {
        str_cut(path, '.', &segment, &rest);
    }
    while (at && rest.n) {
        str_cut(rest, '.', &segment, &rest);
        at = step_make(m, at, segment, rest.n ? STR_NONE : slice);
    }
    return at;
}

static void passed_add(Make *m, Str path, ProfileNode *node)
{
    const MakePlace *above = NULL;
    unsigned n = passed_above(m, path, &above);
    if (n < MAKE_PASSED_MAX) {
        m->passed[n] = (MakePlace){path, node};
        m->passed_n = n + 1;
    }
}

/* --- elements --- */

static bool path_fits(Make *m, Str path)
{
    Str first, segment, rest;
    bool more = str_cut(path, '.', &first, &rest), ok = true;
    while (more && ok) {
        more = str_cut(rest, '.', &segment, &rest);
        ok = segment.n > 0;
    }
    if (!ok || !str_eq(first, fhir_type_name(m->p->type))) {
        Str type = fhir_type_name(m->p->type);
        MAKE_FAULT(m, "invalid", "路径“%.*s”有误：应为 %.*s 之下以“.”分隔的元素名",
                   "the path \"%.*s\" is wrong: it must be names of elements below %.*s",
                   STR_ARG(path), STR_ARG(type));
        return false;
    }
    return true;
}

static void element_make(Make *m, JsonRef e)
{
    Str path = json_str_at(m->d, e, "path"), id = json_str_at(m->d, e, "id");
    Str slice = json_str_at(m->d, e, "sliceName");
    m->path = path;
    if (!path_fits(m, path)) {
        return;
    }
    if (str_find_char(path, '.') < 0) {
        if (json_get_c(m->d, e, "slicing") != JSON_NONE) {
            MAKE_FAULT(m, "invalid", "根元素不能分片（slicing）：请删去",
                       "the root of a profile cannot be sliced: remove slicing");
            return;
        }
        make_fill(m, m->p->root, e);
        return;
    }
    bool named = slice.n == 0 || str_find_char(id, ':') >= 0;
    ProfileNode *n = named && id_agrees(id, path) ? by_id(m, id) : by_order(m, path, slice);
    if (n) {
        passed_add(m, path, n);
        n->spoken = str_ends(path, STR("[x]")) ? m->p : n->spoken;
        make_fill(m, n, e);
    }
}

static void elements_make(Make *m, JsonRef list)
{
    if (json_count(m->d, list) > PROFILE_ELEMENTS_MAX) {
        MAKE_FAULT(m, "too-costly", "定义的元素过多", "the definition has too many elements");
        return;
    }
    for (JsonIter it = json_iter(m->d, list); json_next(&it) && m->p->fault.count < 20;) {
        m->element = it.index;
        element_make(m, it.value);
    }
}

/* --- definitions --- */

static void contexts_make(Make *m, JsonRef definition)
{
    JsonRef list = json_get_c(m->d, definition, "context");
    JsonRef rules = json_get_c(m->d, definition, "contextInvariant");
    ProfileContext *at = arena_array(m->a, ProfileContext, json_count(m->d, list) + 1);
    for (JsonIter it = json_iter(m->d, list); json_next(&it);) {
        at[m->p->context_n++] = (ProfileContext){json_str_at(m->d, it.value, "type"),
                                                 json_str_at(m->d, it.value, "expression")};
    }
    m->p->context = at;
    m->p->invariant = arena_array(m->a, const FhirPath *, json_count(m->d, rules) + 1);
    for (JsonIter it = json_iter(m->d, rules); json_next(&it);) {
        FhirPath *program;
        if (make_program(m, json_str(m->d, it.value), &program)) {
            m->p->invariant[m->p->invariant_n++] = program;
        }
    }
}

static const FhirProfile *base_find(Make *m, Str url)
{
    const FhirProfile *base = url.n ? profile_find_locked(m->hold, url) : NULL;
    if (base && base->compiling) {
        MAKE_FAULT(m, "invalid", "baseDefinition“%.*s”绕回了自己",
                   "the baseDefinition \"%.*s\" comes back to itself", STR_ARG(url));
        return NULL;
    }
    if (base && base->fault.count) {
        MAKE_FAULT(m, "invalid", "基础定义“%.*s”本身有误", "the base \"%.*s\" is itself wrong",
                   STR_ARG(url));
    }
    return base;
}

static bool head_make(Make *m, JsonRef definition)
{
    FhirProfile *p = m->p;
    Str type = json_str_at(m->d, definition, "type");
    const FhirType *core = profile_core_type(type);
    p->url = json_str_at(m->d, definition, "url");
    p->version = json_str_at(m->d, definition, "version");
    p->name = json_str_at(m->d, definition, "name");
    p->type = core ? core : fhir_type_find(type);
    p->root = arena_new(m->a, ProfileNode);
    p->root->max = PROFILE_MANY;
    p->root->root = p->type;
    if (!p->type) {
        MAKE_FAULT(m, "not-supported", "类型“%.*s”不是 R4 的类型，不能作为配置（profile）核对",
                   "the type \"%.*s\" is not one of R4: nothing can be checked by it",
                   STR_ARG(type));
    }
    return p->type != NULL;
}

static bool base_fits(Make *m, const FhirProfile *base)
{
    if (base->type && !fhir_type_is(m->p->type, base->type)) {
        Str own = fhir_type_name(m->p->type), other = fhir_type_name(base->type);
        MAKE_FAULT(m, "invalid", "类型 %.*s 与基础定义的类型 %.*s 不符",
                   "the type %.*s does not fit the base's type %.*s", STR_ARG(own), STR_ARG(other));
        return false;
    }
    return true;
}

void profile_compile(FhirProfileHold *hold, Arena *a, const JsonDoc *d, JsonRef definition,
                     FhirProfile *p)
{
    Make m = {.hold = hold, .a = a, .d = d, .p = p};
    Str url = json_str_at(d, definition, "baseDefinition");
    JsonRef differential = json_at(d, definition, "differential.element");
    JsonRef snapshot = json_at(d, definition, "snapshot.element");
    if (!head_make(&m, definition)) {
        return;
    }
    contexts_make(&m, definition);
    const FhirProfile *base = base_find(&m, url);
    if (base && base->root && base_fits(&m, base)) {
        p->root->child = nodes_copy(&m, base->root->child);
        p->root->rule = base->root->rule;
        p->root->rule_n = base->root->rule_n;
    }
    m.snapshot = !base || json_count(d, differential) == 0;
    if (!base && snapshot == JSON_NONE && p->fault.count == 0) {
        MAKE_FAULT(&m, "not-found", "找不到基础定义“%.*s”，也没有 snapshot",
                   "the base \"%.*s\" is not known, and there is no snapshot", STR_ARG(url));
        return;
    }
    elements_make(&m, m.snapshot && snapshot != JSON_NONE ? snapshot : differential);
}
