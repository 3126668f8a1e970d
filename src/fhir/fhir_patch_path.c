/*
 * FHIRPath Patch: operations of a Parameters resource. An element is found by its path, then the
 * member that holds it (value and `_key` beside it) is written anew: an element that repeats as a
 * list of items, another as one item.
 */
#include "fhir_patch_value.h"
#include "fhir_path_inner.h"

#define EVALUATION_BYTES_MAX (64u << 20)

typedef struct Operation {
    Str type, path, name;
    int64_t index, source, destination; /* -1 where absent */
    JsonRef value;                      /* the part that has the value, or JSON_NONE */
} Operation;

/* The member that holds an element. */
typedef struct Spot {
    JsonRef object;
    Str key;
    const FhirElem *elem;
    int64_t item; /* in the list; -1: the member itself */
} Spot;

/* --- reading an operation --- */

static void part_integer(const JsonDoc *d, JsonRef part, int64_t *ret)
{
    if (!json_to_i64(d, json_get_c(d, part, "valueInteger"), ret) || *ret < 0) {
        *ret = -1;
    }
}

static Str part_text(const JsonDoc *d, JsonRef part)
{
    Str text = json_str_at(d, part, "valueString");
    return text.n ? text : json_str_at(d, part, "valueCode");
}

static Status operation_read(PathPatch *x, JsonRef parameter, Operation *ret)
{
    const JsonDoc *d = x->patch;
    *ret = (Operation){.index = -1, .source = -1, .destination = -1, .value = JSON_NONE};
    for (JsonIter it = json_iter(d, json_get_c(d, parameter, "part")); json_next(&it);) {
        Str name = json_str_at(d, it.value, "name");
        if (str_is(name, "type")) {
            ret->type = part_text(d, it.value);
        } else if (str_is(name, "path")) {
            ret->path = part_text(d, it.value);
        } else if (str_is(name, "name")) {
            ret->name = part_text(d, it.value);
        } else if (str_is(name, "value")) {
            ret->value = it.value;
        } else if (str_is(name, "index")) {
            part_integer(d, it.value, &ret->index);
        } else if (str_is(name, "source")) {
            part_integer(d, it.value, &ret->source);
        } else if (str_is(name, "destination")) {
            part_integer(d, it.value, &ret->destination);
        } else {
            return patch_malformed(
                &x->x, "part 的 name 须为 type、path、name、value、index、source、destination 之一",
                "the name of a part is type, path, name, value, index, source or destination");
        }
    }
    return ret->type.n && ret->path.n
               ? OK
               : patch_malformed(&x->x, "缺少 type 或 path", "type or path is missing");
}

static Status operation_value(PathPatch *x, const Operation *o, const FhirElem *elem,
                              PatchValue *ret)
{
    if (o->value == JSON_NONE) {
        return patch_malformed(&x->x, "缺少 value", "value is missing");
    }
    return patch_value_read(x, o->value, elem ? fhir_elem_type(elem, 0) : NULL, ret);
}

/* --- finding --- */

static Status evaluate(PathPatch *x, const FhirPath *path, FhirValues *ret)
{
    FhirPathEnv env = {.arena = &x->scratch};
    FhirNode root = fhir_node_root(&x->x.d);
    Err inner;
    err_init(&inner, x->x.arena);
    if (fhir_path_eval(path, &env, &root, 1, ret, &inner) != OK) {
        return err_move(x->x.err, &inner, arena_cat(x->x.arena, x->x.where, STR(": ")));
    }
    for (size_t i = 0; i < ret->n; i++) {
        const FhirValue *v = &ret->at[i];
        if (v->kind != FHIR_VALUE_NODE || v->node.doc != &x->x.d) {
            return patch_unfit(&x->x, "path 须指向资源中的元素",
                               "the path must lead to elements of the resource");
        }
    }
    return OK;
}

static Status compile(PathPatch *x, Str text, FhirPath **ret)
{
    Err inner;
    err_init(&inner, x->x.arena);
    if (fhir_path_compile(&x->scratch, text, ret, &inner) == OK) {
        return OK;
    }
    return err_move(x->x.err, &inner, arena_cat(x->x.arena, x->x.where, STR(": ")));
}

/* The innermost container around a value; JSON_NONE for the root. */
static JsonRef holder_of(const JsonDoc *d, JsonRef value)
{
    for (JsonRef i = value; i-- > 0;) {
        if (d->tok[i].next > value &&
            (d->tok[i].type == JSON_OBJECT || d->tok[i].type == JSON_ARRAY)) {
            return i;
        }
    }
    return JSON_NONE;
}

static uint32_t place_in(const JsonDoc *d, JsonRef array, JsonRef value)
{
    JsonIter it = json_iter(d, array);
    while (json_next(&it) && it.value != value) {
    }
    return it.index;
}

static Status spot_of(PathPatch *x, const FhirNode *n, Spot *ret)
{
    const JsonDoc *d = &x->x.d;
    JsonRef value = n->ref != JSON_NONE ? n->ref : n->shadow, holder = holder_of(d, value);
    *ret = (Spot){.elem = n->elem, .item = -1};
    if (json_type(d, holder) == JSON_ARRAY) {
        ret->item = place_in(d, holder, value);
        value = holder;
        holder = holder_of(d, holder);
    }
    if (json_type(d, holder) != JSON_OBJECT) {
        return patch_unfit(&x->x, "不能改动整个资源", "the resource as a whole cannot be changed");
    }
    ret->object = holder;
    ret->key = arena_str(x->x.arena, json_str(d, value - 1));
    if (n->ref == JSON_NONE) {
        ret->key = str_skip(ret->key, 1); /* found by its `_key` alone */
    }
    return OK;
}

/* --- items of a member --- */

static Str raw_or_none(const PathPatch *x, JsonRef r)
{
    JsonType type = json_type(&x->x.d, r);
    return type == JSON_ABSENT || type == JSON_NULL ? STR_NONE
                                                    : arena_str(x->x.arena, json_raw(&x->x.d, r));
}

/* With room for one more. */
static PatchItems items_read(PathPatch *x, const Spot *s)
{
    const JsonDoc *d = &x->x.d;
    JsonRef value = json_get(d, s->object, s->key);
    JsonRef shadow = json_get(d, s->object, arena_cat(x->x.arena, STR("_"), s->key));
    bool many = json_type(d, value) == JSON_ARRAY || json_type(d, shadow) == JSON_ARRAY;
    uint32_t a = json_count(d, value), b = json_count(d, shadow), n = many ? (a > b ? a : b) : 1;
    PatchItems list = {arena_array(x->x.arena, PatchValue, n + 1), 0};
    if (value == JSON_NONE && shadow == JSON_NONE) {
        return list;
    }
    for (; list.n < n; list.n++) {
        PatchValue *v = &list.at[list.n];
        v->text = raw_or_none(x, many ? json_item(d, value, list.n) : value);
        v->shadow = raw_or_none(x, many ? json_item(d, shadow, list.n) : shadow);
    }
    return list;
}

static Status items_write(PathPatch *x, const Spot *s, const PatchItems *list)
{
    Str text, shadow;
    bool many = s->elem ? fhir_elem_is_many(s->elem) : s->item >= 0;
    patch_items_texts(x->x.arena, list, many, &text, &shadow);
    TRY(patch_member(&x->x, s->object, s->key, text));
    return patch_member(&x->x, s->object, arena_cat(x->x.arena, STR("_"), s->key), shadow);
}

static void items_remove(PatchItems *list, uint32_t at)
{
    memmove(&list->at[at], &list->at[at + 1], sizeof *list->at * (list->n - at - 1));
    list->n--;
}

static void items_insert(PatchItems *list, uint32_t at, PatchValue v)
{
    memmove(&list->at[at + 1], &list->at[at], sizeof *list->at * (list->n - at));
    list->at[at] = v;
    list->n++;
}

/* --- operations --- */

static Status find_one(PathPatch *x, const Operation *o, bool none_too, bool *ret_found,
                       FhirNode *ret)
{
    FhirPath *path;
    FhirValues found = {0};
    TRY(compile(x, o->path, &path));
    TRY(evaluate(x, path, &found));
    *ret_found = found.n == 1;
    if (found.n == 1) {
        *ret = found.at[0].node;
        return OK;
    }
    if (found.n == 0 && none_too) {
        return OK;
    }
    return found.n ? patch_unfit(&x->x, "path 指向多个元素", "the path leads to several elements")
                   : patch_unfit(&x->x, "path 没有指向任何元素", "the path leads to nothing");
}

/* value[x] may be there under another type's key. */
static bool choice_taken(const PathPatch *x, JsonRef object, const FhirElem *elem)
{
    for (unsigned i = 0; i < elem->option_count; i++) {
        Str key = fhir_elem_key(elem, i);
        if (json_get(&x->x.d, object, key) != JSON_NONE ||
            json_get(&x->x.d, object, arena_cat(x->x.arena, STR("_"), key)) != JSON_NONE) {
            return true;
        }
    }
    return false;
}

static Status do_add(PathPatch *x, const Operation *o)
{
    bool found;
    FhirNode n;
    PatchValue v;
    Spot s = {.item = -1};
    TRY(find_one(x, o, false, &found, &n));
    s.object = n.ref != JSON_NONE ? n.ref : n.shadow;
    if (!n.type || json_type(&x->x.d, s.object) != JSON_OBJECT) {
        return patch_unfit(&x->x, "path 所指元素不能有子元素",
                           "the element at the path has no elements of its own");
    }
    if (o->name.n == 0) {
        return patch_malformed(&x->x, "缺少 name", "name is missing");
    }
    TRY(operation_value(x, o, fhir_elem_named(n.type, o->name), &v));
    TRY(patch_choice_key(x, n.type, o->name, &v, &s.elem, &s.key));
    if (!fhir_elem_is_many(s.elem) && choice_taken(x, s.object, s.elem)) {
        return patch_unfit(&x->x, "该元素已有值：请用 replace",
                           "the element is there already: use replace");
    }
    PatchItems list = items_read(x, &s);
    items_insert(&list, list.n, v);
    return items_write(x, &s, &list);
}

static Status do_delete(PathPatch *x, const Operation *o)
{
    bool found;
    FhirNode n;
    Spot s;
    TRY(find_one(x, o, true, &found, &n));
    if (!found) {
        return OK;
    }
    TRY(spot_of(x, &n, &s));
    PatchItems list = items_read(x, &s);
    items_remove(&list, s.item < 0 ? 0 : (uint32_t)s.item);
    return items_write(x, &s, &list);
}

static Status do_replace(PathPatch *x, const Operation *o)
{
    bool found;
    FhirNode n;
    PatchValue v;
    Spot s;
    TRY(find_one(x, o, false, &found, &n));
    TRY(spot_of(x, &n, &s));
    TRY(operation_value(x, o, s.elem, &v));
    if (s.elem && fhir_elem_is_choice(s.elem)) { /* the type of value[x] may change */
        const FhirType *owner = fhir_type(s.elem->owner);
        Str key, name = fhir_elem_name(s.elem);
        TRY(patch_choice_key(x, owner, name, &v, &s.elem, &key));
        if (!str_eq(key, s.key)) {
            PatchItems none = {NULL, 0};
            TRY(items_write(x, &s, &none));
            s.key = key;
            s.item = -1;
        }
    }
    PatchItems list = items_read(x, &s);
    list.n = list.n ? list.n : 1;
    list.at[s.item < 0 ? 0 : (uint32_t)s.item] = v;
    return items_write(x, &s, &list);
}

/* A list that is not there yet: the path's last step names it in what the rest finds. */
static Status missing_list(PathPatch *x, const FhirPath *path, Spot *ret)
{
    const PathNode *last = path->root;
    FhirPath head = {.text = path->text, .root = last->left};
    FhirValues found = {0};
    if (last->op == PATH_MEMBER && last->left) {
        TRY(evaluate(x, &head, &found));
    }
    const FhirNode *n = found.n == 1 ? &found.at[0].node : NULL;
    const FhirElem *elem = n && n->type ? fhir_elem_named(n->type, last->name) : NULL;
    if (!elem || !fhir_elem_is_many(elem) || json_type(&x->x.d, n->ref) != JSON_OBJECT) {
        return patch_unfit(&x->x, "path 没有指向列表", "the path does not lead to a list");
    }
    *ret = (Spot){n->ref, arena_str(x->x.arena, last->name), elem, 0};
    return OK;
}

static Status find_list(PathPatch *x, const Operation *o, Spot *ret, PatchItems *ret_list)
{
    FhirPath *path;
    FhirValues found = {0};
    TRY(compile(x, o->path, &path));
    TRY(evaluate(x, path, &found));
    if (found.n == 0) {
        *ret_list = (PatchItems){arena_array(x->x.arena, PatchValue, 1), 0};
        return missing_list(x, path, ret);
    }
    TRY(spot_of(x, &found.at[0].node, ret));
    *ret_list = items_read(x, ret);
    return ret->item >= 0 && ret_list->n == found.n
               ? OK
               : patch_unfit(&x->x, "path 须指向一个完整的列表",
                             "the path must lead to one whole list");
}

static Status do_insert(PathPatch *x, const Operation *o)
{
    Spot s;
    PatchItems list;
    PatchValue v;
    TRY(find_list(x, o, &s, &list));
    if (o->index < 0 || o->index > list.n) {
        return patch_unfit(&x->x, "index 超出列表", "index is outside of the list");
    }
    TRY(operation_value(x, o, s.elem, &v));
    items_insert(&list, (uint32_t)o->index, v);
    return items_write(x, &s, &list);
}

static Status do_move(PathPatch *x, const Operation *o)
{
    Spot s;
    PatchItems list;
    TRY(find_list(x, o, &s, &list));
    if (o->source < 0 || o->destination < 0 || o->source >= list.n || o->destination >= list.n) {
        return patch_unfit(&x->x, "source 或 destination 超出列表",
                           "source or destination is outside of the list");
    }
    PatchValue v = list.at[o->source];
    items_remove(&list, (uint32_t)o->source);
    items_insert(&list, (uint32_t)o->destination, v);
    return items_write(x, &s, &list);
}

static Status operation_do(PathPatch *x, const Operation *o)
{
    static const struct {
        const char *type;
        Status (*run)(PathPatch *x, const Operation *o);
    } TYPES[] = {{"add", do_add},
                 {"insert", do_insert},
                 {"delete", do_delete},
                 {"replace", do_replace},
                 {"move", do_move}};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (str_is(o->type, TYPES[i].type)) {
            return TYPES[i].run(x, o);
        }
    }
    return patch_malformed(&x->x, "type 须为 add、insert、delete、replace、move 之一",
                           "type is one of add, insert, delete, replace, move");
}

/* --- the patch --- */

static Status all_do(PathPatch *x, JsonRef parameters)
{
    const JsonDoc *d = x->patch;
    JsonRef list = json_get_c(d, parameters, "parameter");
    if (!str_is(json_str_at(d, parameters, "resourceType"), "Parameters")) {
        return patch_malformed(&x->x, "FHIRPath Patch 须为 Parameters 资源",
                               "a FHIRPath Patch is a Parameters resource");
    }
    if (json_count(d, list) > FHIR_PATCH_OPERATIONS_MAX) {
        return err_add(x->x.err, ERR_TOO_LARGE, "too-costly", STR_NONE, "补丁最多 %u 个操作",
                       "A patch has at most %u operations", FHIR_PATCH_OPERATIONS_MAX);
    }
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        Operation o;
        x->x.where = arena_printf(x->x.arena, "Parameters.parameter[%u]", it.index);
        arena_reset(&x->scratch);
        if (!str_is(json_str_at(d, it.value, "name"), "operation")) {
            return patch_malformed(&x->x, "每个参数的 name 须为 operation",
                                   "the name of each parameter is operation");
        }
        TRY(operation_read(x, it.value, &o));
        TRY(operation_do(x, &o));
    }
    return OK;
}

Status fhir_patch_path(Arena *a, const JsonDoc *doc, const JsonDoc *patch, JsonRef parameters,
                       Str *ret, Err *err)
{
    PathPatch x = {.patch = patch};
    Status status = patch_begin(&x.x, a, doc, err);
    arena_init(&x.scratch, EVALUATION_BYTES_MAX);
    status = status == OK ? all_do(&x, parameters) : status;
    arena_done(&x.scratch);
    if (status != OK) {
        patch_done(&x.x);
        return status;
    }
    Str tidied = patch_tidied(a, &x.x.d);
    *ret = tidied.p == x.x.d.bytes.p ? arena_str(a, tidied) : tidied;
    patch_done(&x.x);
    return OK;
}
