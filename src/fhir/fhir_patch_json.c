/* JSON Patch (RFC 6902) with JSON Pointers (RFC 6901). */
#include "fhir_patch_inner.h"
#include "fhir_path_inner.h"

/* Where a pointer leads. The last step may lead to nothing: then value is JSON_NONE. */
typedef struct Place {
    JsonRef parent; /* JSON_NONE: the whole document */
    JsonRef value;
    Str key;        /* in an object */
    uint32_t index; /* in an array; its length for "-" and for one past the end */
} Place;

typedef struct Operation {
    Str op, path, from;
    JsonRef value; /* JSON_NONE where there is none */
    const JsonDoc *patch;
} Operation;

/* --- pointers --- */

/* ~1 is a slash, ~0 a tilde; nothing else may follow a tilde. */
static bool token_decode(Arena *a, Str raw, Str *ret)
{
    char *out = arena_alloc_raw(a, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '~') {
            if (++i == raw.n || (raw.p[i] != '0' && raw.p[i] != '1')) {
                return false;
            }
            c = raw.p[i] == '1' ? '/' : '~';
        }
        out[n++] = c;
    }
    *ret = (Str){out, n};
    return true;
}

/* Digits without leading zeros, or "-" for the place after the last. */
static bool index_parse(Str token, uint32_t count, uint32_t *ret)
{
    int64_t v;
    bool digits = token.n > 0 && token.n < 10 && (token.n == 1 || token.p[0] != '0');
    for (size_t i = 0; i < token.n; i++) {
        digits &= token.p[i] >= '0' && token.p[i] <= '9';
    }
    if (str_is(token, "-")) {
        *ret = count;
        return true;
    }
    if (!digits || !str_to_i64(token, &v) || v > count) {
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

static Status step(PatchDoc *x, Str token, Place *p)
{
    p->parent = p->value;
    switch (json_type(&x->d, p->parent)) {
    case JSON_OBJECT:
        p->key = token;
        p->value = json_get(&x->d, p->parent, token);
        return OK;
    case JSON_ARRAY:
        if (!index_parse(token, json_count(&x->d, p->parent), &p->index)) {
            return patch_unfit(x, "数组中没有这个位置", "the array has no such index");
        }
        p->value = json_item(&x->d, p->parent, p->index);
        return OK;
    default:
        return patch_unfit(x, "路径上没有这个元素", "the path leads through what is not there");
    }
}

static Status pointer_walk(PatchDoc *x, Str pointer, Place *ret)
{
    *ret = (Place){JSON_NONE, JSON_ROOT, STR_NONE, 0};
    if (pointer.n && pointer.p[0] != '/') {
        return patch_malformed(x, "JSON Pointer 须以“/”开头", "a JSON Pointer begins with '/'");
    }
    while (pointer.n) {
        Str raw, token;
        ptrdiff_t slash = str_find_char(str_skip(pointer, 1), '/');
        raw = slash < 0 ? str_skip(pointer, 1) : str_take(str_skip(pointer, 1), (size_t)slash);
        pointer = str_skip(pointer, raw.n + 1);
        if (!token_decode(x->arena, raw, &token)) {
            return patch_malformed(x, "JSON Pointer 中“~”之后须为 0 或 1",
                                   "in a JSON Pointer '~' is followed by 0 or 1");
        }
        TRY(step(x, token, ret));
    }
    return OK;
}

static Status pointer_find(PatchDoc *x, Str pointer, Place *ret)
{
    TRY(pointer_walk(x, pointer, ret));
    return ret->value != JSON_NONE ? OK
                                   : patch_unfit(x, "没有这个元素", "there is no such element");
}

/* --- operations --- */

static Status put_whole(PatchDoc *x, Str text)
{
    return patch_splice(x, (JsonSplice){0, (uint32_t)x->d.bytes.n, text});
}

static Status add(PatchDoc *x, Str path, Str text)
{
    Place p;
    TRY(pointer_walk(x, path, &p));
    if (p.parent == JSON_NONE) {
        return put_whole(x, text);
    }
    return json_type(&x->d, p.parent) == JSON_OBJECT ? patch_member(x, p.parent, p.key, text)
                                                     : patch_item(x, p.parent, p.index, text);
}

static Status take_out(PatchDoc *x, Str path)
{
    Place p;
    TRY(pointer_find(x, path, &p));
    return p.parent == JSON_NONE
               ? patch_unfit(x, "不能删除整个文档", "the whole document cannot be removed")
               : patch_remove(x, p.parent, p.value);
}

static Status replace(PatchDoc *x, Str path, Str text)
{
    Place p;
    TRY(pointer_find(x, path, &p));
    return p.parent == JSON_NONE
               ? put_whole(x, text)
               : patch_splice(x, (JsonSplice){x->d.tok[p.value].at, x->d.tok[p.value].end, text});
}

static Status move(PatchDoc *x, const Operation *o)
{
    Place p;
    TRY(pointer_find(x, o->from, &p));
    if (str_eq(o->from, o->path)) {
        return OK;
    }
    if (str_starts(o->path, o->from) && o->path.p[o->from.n] == '/') {
        return patch_unfit(x, "不能移入自身之内", "a value cannot move into itself");
    }
    Str text = arena_str(x->arena, json_raw(&x->d, p.value));
    TRY(take_out(x, o->from));
    return add(x, o->path, text);
}

static Status copy(PatchDoc *x, const Operation *o)
{
    Place p;
    TRY(pointer_find(x, o->from, &p));
    return add(x, o->path, arena_str(x->arena, json_raw(&x->d, p.value)));
}

static Status test(PatchDoc *x, const Operation *o)
{
    Place p;
    TRY(pointer_find(x, o->path, &p));
    return path_json_same(&x->d, p.value, o->patch, o->value)
               ? OK
               : patch_unfit(x, "test 不成立：值不同", "the test fails: the value is another");
}

/* --- the patch --- */

static Status string_member(PatchDoc *x, const JsonDoc *patch, JsonRef item, const char *key,
                            Str *ret)
{
    JsonRef r = json_get_c(patch, item, key);
    if (json_type(patch, r) != JSON_STRING) {
        return patch_malformed(x, "op、path 与 from 须为字符串",
                               "op, path and from must be strings");
    }
    *ret = json_str(patch, r);
    return OK;
}

static bool is_one_of(Str s, const char *const *list)
{
    while (*list && !str_is(s, *list)) {
        list++;
    }
    return *list != NULL;
}

static Status operation_read(PatchDoc *x, const JsonDoc *patch, JsonRef item, Operation *ret)
{
    static const char *const ALL[] = {"add", "remove", "replace", "move", "copy", "test", NULL},
                             *const WITH_FROM[] = {"move", "copy", NULL},
                             *const WITH_VALUE[] = {"add", "replace", "test", NULL};
    *ret = (Operation){.value = json_get_c(patch, item, "value"), .patch = patch};
    if (json_type(patch, item) != JSON_OBJECT) {
        return patch_malformed(x, "每个操作须为对象", "each operation is an object");
    }
    TRY(string_member(x, patch, item, "op", &ret->op));
    TRY(string_member(x, patch, item, "path", &ret->path));
    if (!is_one_of(ret->op, ALL)) {
        return patch_malformed(x, "op 须为 add、remove、replace、move、copy、test 之一",
                               "op is one of add, remove, replace, move, copy, test");
    }
    if (is_one_of(ret->op, WITH_FROM)) {
        TRY(string_member(x, patch, item, "from", &ret->from));
    }
    return is_one_of(ret->op, WITH_VALUE) && ret->value == JSON_NONE
               ? patch_malformed(x, "缺少 value", "value is missing")
               : OK;
}

static Status operation_do(PatchDoc *x, const Operation *o)
{
    Str text = json_raw(o->patch, o->value);
    if (str_is(o->op, "add")) {
        return add(x, o->path, text);
    }
    if (str_is(o->op, "remove")) {
        return take_out(x, o->path);
    }
    if (str_is(o->op, "replace")) {
        return replace(x, o->path, text);
    }
    return str_is(o->op, "move") ? move(x, o) : str_is(o->op, "copy") ? copy(x, o) : test(x, o);
}

static Status all_do(PatchDoc *x, const JsonDoc *patch)
{
    if (json_type(patch, JSON_ROOT) != JSON_ARRAY) {
        return patch_malformed(x, "JSON Patch 须为操作的数组",
                               "a JSON Patch is an array of operations");
    }
    if (json_count(patch, JSON_ROOT) > FHIR_PATCH_OPERATIONS_MAX) {
        return err_add(x->err, ERR_TOO_LARGE, "too-costly", STR_NONE, "补丁最多 %u 个操作",
                       "A patch has at most %u operations", FHIR_PATCH_OPERATIONS_MAX);
    }
    for (JsonIter it = json_iter(patch, JSON_ROOT); json_next(&it);) {
        Operation o;
        x->where = arena_printf(x->arena, "[%u]", it.index);
        TRY(operation_read(x, patch, it.value, &o));
        TRY(operation_do(x, &o));
    }
    return OK;
}

Status fhir_patch_json(Arena *a, const JsonDoc *doc, const JsonDoc *patch, Str *ret, Err *err)
{
    PatchDoc x;
    Status status = patch_begin(&x, a, doc, err);
    status = status == OK ? all_do(&x, patch) : status;
    if (status != OK) {
        patch_done(&x);
        return status;
    }
    *ret = arena_str(a, x.d.bytes);
    patch_done(&x);
    return OK;
}
