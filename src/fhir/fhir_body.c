/*
 * What JSON allows and FHIR does not: duplicate keys, lone surrogates, U+0000. The parser flags
 * a document that has one; where it stands is looked for only then.
 */
#include "fhir_validate.h"
#include "mk_map.h"

/* The way from the document's root to a value. */
typedef struct Step {
    const struct Step *outer;
    Str key; /* of a member */
    uint32_t index;
    bool item; /* of an array */
} Step;

typedef struct Search {
    const JsonDoc *doc;
    unsigned flag;
    Arena scratch;
    Str ret_path, ret_key;
} Search;

static void step_write(const Step *s, Buf *out)
{
    if (!s) {
        return;
    }
    step_write(s->outer, out);
    if (s->item) {
        buf_printf(out, "[%u]", s->index);
    } else {
        buf_printf(out, ".%.*s", STR_ARG(s->key));
    }
}

static bool found(Search *x, const Step *at, Str key)
{
    Buf out;
    Str type = json_str_at(x->doc, JSON_ROOT, "resourceType");
    buf_init(&out, 0);
    buf_add(&out, type.n ? type : STR("Resource"));
    step_write(at, &out);
    x->ret_path = buf_take(&out, x->doc->arena);
    x->ret_key = key;
    return true;
}

/* Whether this string has it: asked of the parser, which alone knows what an escape means. */
static bool text_has(Search *x, Str raw)
{
    JsonDoc one;
    if (str_find(raw, STR("\\u")) < 0) {
        return false;
    }
    arena_reset(&x->scratch);
    return json_parse(&x->scratch, raw, &JSON_LIMITS_FHIR, &one, NULL) == OK && one.flags & x->flag;
}

static bool key_is_twice(Search *x, JsonRef object, Str *ret)
{
    Map seen;
    arena_reset(&x->scratch);
    map_init(&seen, &x->scratch);
    for (JsonIter it = json_iter(x->doc, object); json_next(&it);) {
        if (map_get(&seen, it.key)) {
            *ret = it.key;
            return true;
        }
        map_put(&seen, it.key, x);
    }
    return false;
}

/* As deep as the parser lets a document be. */
static bool value_search(Search *x, JsonRef r, const Step *at)
{
    JsonType type = json_type(x->doc, r);
    bool keys = x->flag == JSON_FLAG_DUPLICATE_KEY;
    Str key;
    if (type == JSON_STRING && !keys && text_has(x, json_raw(x->doc, r))) {
        return found(x, at, STR_NONE);
    }
    if (type == JSON_OBJECT && keys && key_is_twice(x, r, &key)) {
        return found(x, &(Step){.outer = at, .key = key}, key);
    }
    for (JsonIter it = json_iter(x->doc, r); json_next(&it);) {
        Step step = {at, it.key, it.index, type == JSON_ARRAY};
        /* An object's key is the token before its value. */
        bool key_has = type == JSON_OBJECT && !keys && text_has(x, json_raw(x->doc, it.value - 1));
        if (key_has || value_search(x, it.value, &step)) {
            return key_has ? found(x, at, STR_NONE) : true;
        }
    }
    return false;
}

static void flag_find(const JsonDoc *d, unsigned flag, Search *x)
{
    *x = (Search){.doc = d, .flag = flag};
    arena_init(&x->scratch, 0);
    (void)value_search(x, JSON_ROOT, NULL);
    arena_done(&x->scratch);
}

Status fhir_body_check(const JsonDoc *d, Err *err)
{
    Search x;
    if (d->flags & JSON_FLAG_DUPLICATE_KEY) {
        flag_find(d, JSON_FLAG_DUPLICATE_KEY, &x);
        return err_add(
            err, ERR_INVALID, "structure", x.ret_path, "JSON 中有重复的键“%.*s”：请只保留一个",
            "the JSON has the duplicate key \"%.*s\": keep one of them", STR_ARG(x.ret_key));
    }
    if (d->flags & JSON_FLAG_LONE_SURROGATE) {
        flag_find(d, JSON_FLAG_LONE_SURROGATE, &x);
        return err_add(err, ERR_INVALID, "structure", x.ret_path,
                       "JSON 字符串中有不成对的代理字符（\\uD800–\\uDFFF）：请改正或删去",
                       "a JSON string has a lone surrogate (\\uD800–\\uDFFF): mend or remove it");
    }
    if (d->flags & JSON_FLAG_NUL) {
        flag_find(d, JSON_FLAG_NUL, &x);
        return err_add(err, ERR_INVALID, "structure", x.ret_path,
                       "JSON 字符串中有空字符（\\u0000）：请删去",
                       "a JSON string holds U+0000: remove it");
    }
    return OK;
}
