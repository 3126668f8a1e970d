/* Splices by which a patched document comes about, and what is tidied at the end. */
#include "fhir_patch_inner.h"

/* --- the document on its way --- */

static Status take(PatchDoc *x, Str bytes)
{
    Arena *a = &x->scratch[x->turn];
    x->work_bytes += bytes.n;
    if (x->work_bytes > FHIR_PATCH_WORK_BYTES_MAX) {
        return err_add(x->err, ERR_TOO_LARGE, "too-costly", x->where,
                       "补丁的工作量过大：请减少操作数",
                       "The patch is too much work: use fewer operations");
    }
    return json_parse(a, bytes, &JSON_LIMITS_FHIR, &x->d, x->err);
}

Status patch_begin(PatchDoc *x, Arena *a, const JsonDoc *doc, Err *err)
{
    *x = (PatchDoc){.arena = a, .err = err};
    arena_init(&x->scratch[0], 0);
    arena_init(&x->scratch[1], 0);
    return take(x, doc->bytes);
}

void patch_done(PatchDoc *x)
{
    arena_done(&x->scratch[0]);
    arena_done(&x->scratch[1]);
}

Status patch_splice(PatchDoc *x, JsonSplice s)
{
    x->turn ^= 1;
    Arena *a = &x->scratch[x->turn];
    arena_reset(a);
    return take(x, json_splice(a, x->d.bytes, &s, 1));
}

static Status fail(PatchDoc *x, Status status, const char *code, Str zh, Str en)
{
    return err_text(x->err, status, code, x->where, zh, en);
}

Status patch_malformed(PatchDoc *x, const char *zh, const char *en)
{
    return fail(x, ERR_INVALID, "invalid", arena_cat(x->arena, STR("补丁有误："), str_from_c(zh)),
                arena_cat(x->arena, STR("The patch is malformed: "), str_from_c(en)));
}

Status patch_unfit(PatchDoc *x, const char *zh, const char *en)
{
    return fail(x, ERR_UNPROCESSABLE, "processing",
                arena_cat(x->arena, STR("补丁不能用于此内容："), str_from_c(zh)),
                arena_cat(x->arena, STR("The patch does not fit this content: "), str_from_c(en)));
}

/* --- members and items --- */

/* Where a member begins is its key. */
static uint32_t begin_of(const JsonDoc *d, JsonRef parent, JsonRef value)
{
    return d->tok[json_type(d, parent) == JSON_OBJECT ? value - 1 : value].at;
}

Status patch_remove(PatchDoc *x, JsonRef parent, JsonRef value)
{
    const JsonDoc *d = &x->d;
    JsonSplice s = {begin_of(d, parent, value), d->tok[value].end, STR("")};
    bool after = false;
    for (JsonIter it = json_iter(d, parent); json_next(&it);) {
        if (after) { /* up to the next: the comma goes too */
            s.at = begin_of(d, parent, value);
            s.end = begin_of(d, parent, it.value);
            break;
        }
        after = it.value == value;
        s.at = after ? s.at : d->tok[it.value].end;
    }
    return patch_splice(x, s);
}

/* After the last of a container, or first in an empty one. */
static JsonSplice at_end(const PatchDoc *x, JsonRef parent, Str text)
{
    const JsonDoc *d = &x->d;
    uint32_t at = d->tok[parent].at + 1;
    for (JsonIter it = json_iter(d, parent); json_next(&it);) {
        at = d->tok[it.value].end;
    }
    Str comma = json_count(d, parent) ? STR(",") : STR("");
    return (JsonSplice){at, at, arena_cat(x->arena, comma, text)};
}

Status patch_member(PatchDoc *x, JsonRef object, Str key, Str text)
{
    JsonRef value = json_get(&x->d, object, key);
    if (value != JSON_NONE && text.n) {
        return patch_splice(x, (JsonSplice){x->d.tok[value].at, x->d.tok[value].end, text});
    }
    if (value != JSON_NONE) {
        return patch_remove(x, object, value);
    }
    if (text.n == 0) {
        return OK;
    }
    Buf b;
    buf_init(&b, 0);
    buf_json_str(&b, key);
    buf_char(&b, ':');
    buf_add(&b, text);
    return patch_splice(x, at_end(x, object, buf_take(&b, x->arena)));
}

Status patch_item(PatchDoc *x, JsonRef array, uint32_t index, Str text)
{
    if (index < json_count(&x->d, array)) {
        uint32_t at = x->d.tok[json_item(&x->d, array, index)].at;
        return patch_splice(x, (JsonSplice){at, at, arena_cat(x->arena, text, STR(","))});
    }
    return patch_splice(x, at_end(x, array, text));
}

/* --- empty containers --- */

static bool has_empty(const JsonDoc *d, JsonRef r)
{
    for (JsonRef i = r; i < d->tok[r].next; i++) {
        JsonType type = (JsonType)d->tok[i].type;
        if ((type == JSON_OBJECT || type == JSON_ARRAY) && d->tok[i].count == 0) {
            return true;
        }
    }
    return false;
}

/* False when nothing is left, and then nothing is written. An item of `_key` leaves null, so that
 * the others keep their places. */
static bool tidy_put(Buf *b, const JsonDoc *d, JsonRef r, bool shadow)
{
    JsonType type = json_type(d, r);
    size_t begin = b->n;
    bool object = type == JSON_OBJECT, any = false;
    if (!has_empty(d, r)) {
        buf_add(b, json_raw(d, r));
        return true;
    }
    buf_char(b, object ? '{' : '[');
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        size_t before = b->n;
        buf_c(b, before > begin + 1 ? "," : "");
        if (object) {
            buf_add(b, json_raw(d, it.value - 1));
            buf_char(b, ':');
        }
        if (tidy_put(b, d, it.value, object && str_starts(it.key, STR("_")))) {
            any |= !(shadow && json_type(d, it.value) == JSON_NULL);
        } else if (shadow && !object) {
            buf_c(b, "null");
        } else {
            b->n = before;
        }
    }
    buf_char(b, object ? '}' : ']');
    b->n = any ? b->n : begin;
    return any;
}

Str patch_tidied(Arena *a, const JsonDoc *d)
{
    Buf b;
    if (!has_empty(d, JSON_ROOT)) {
        return d->bytes;
    }
    buf_init(&b, 0);
    bool any = tidy_put(&b, d, JSON_ROOT, false);
    Str text = buf_take(&b, a);
    return any ? text : d->bytes;
}

Str fhir_patch_tidy(Arena *a, Str bytes, const JsonDoc *patch)
{
    JsonDoc d;
    for (JsonIter it = json_iter(patch, JSON_ROOT); json_next(&it);) {
        JsonRef value = json_get_c(patch, it.value, "value");
        if (value != JSON_NONE && has_empty(patch, value)) {
            return bytes;
        }
    }
    return json_parse(a, bytes, &JSON_LIMITS_FHIR, &d, NULL) == OK ? patch_tidied(a, &d) : bytes;
}
