/* Reading values off the tape: strings, numbers, members, comparing. */
#include "json_inner.h"

#include <math.h>

/* --- strings --- */

static char *put_unicode(char *out, const char *p, size_t n, size_t *i)
{
    uint32_t u = 0, low;
    json_hex4(p + *i + 2, &u);
    *i += 6;
    if (json_is_high(u) && *i + 6 <= n && p[*i] == '\\' && p[*i + 1] == 'u' &&
        json_hex4(p + *i + 2, &low) && json_is_low(low)) {
        *i += 6;
        u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
    }
    return out + utf8_put(out, u >= 0xD800 && u < 0xE000 ? 0xFFFD : u);
}

/* Decodes into out (at least raw.n bytes); returns the length. */
static size_t unescape_into(char *start, Str raw)
{
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    char *out = start;
    for (size_t i = 0; i < raw.n;) {
        if (raw.p[i] != '\\') {
            *out++ = raw.p[i++];
        } else if (raw.p[i + 1] == 'u') {
            out = put_unicode(out, raw.p, raw.n, &i);
        } else {
            const char *at = strchr(FROM, raw.p[i + 1]);
            *out++ = at ? TO[at - FROM] : raw.p[i + 1];
            i += 2;
        }
    }
    return (size_t)(out - start);
}

/* Empty, and the arena marked, when there is no room: the length is the sender's choice. */
static Str unescape(Arena *a, Str raw)
{
    char *out = arena_try_raw(a, raw.n + 1);
    if (!out) {
        a->exhausted = true;
        return STR_NONE;
    }
    size_t n = unescape_into(out, raw);
    out[n] = 0;
    return (Str){out, n};
}

static inline Str inside_quotes(const char *p, const JsonTok *t)
{
    return (Str){p + t->at + 1, t->end - t->at - 2};
}

Str json_token_str(const JsonDoc *d, const JsonTok *t)
{
    Str raw = inside_quotes(d->bytes.p, t);
    return t->count ? unescape(d->arena, raw) : raw;
}

/* An escape is at most six bytes for one. */
static bool escaped_is(Str raw, Str text)
{
    char few[512];
    if (raw.n < text.n || raw.n > 6 * text.n) {
        return false;
    }
    char *out = raw.n <= sizeof few ? few : memory_take(raw.n);
    bool same = str_eq((Str){out, unescape_into(out, raw)}, text);
    if (out != few) {
        free(out);
    }
    return same;
}

static inline bool token_is(const JsonDoc *d, const JsonTok *t, Str text)
{
    Str raw = inside_quotes(d->bytes.p, t);
    if (t->count) {
        return escaped_is(raw, text);
    }
    return raw.n == text.n && (text.n == 0 || memcmp(raw.p, text.p, text.n) == 0);
}

/* --- reading values --- */

static inline const JsonTok *token(const JsonDoc *d, JsonRef r)
{
    return r < d->count ? &d->tok[r] : NULL;
}

static inline const JsonTok *token_of(const JsonDoc *d, JsonRef r, JsonType type)
{
    const JsonTok *t = token(d, r);
    return t && t->type == type ? t : NULL;
}

JsonType json_type(const JsonDoc *d, JsonRef r)
{
    const JsonTok *t = token(d, r);
    return t ? (JsonType)t->type : JSON_ABSENT;
}

Str json_raw(const JsonDoc *d, JsonRef r)
{
    const JsonTok *t = token(d, r);
    return t ? (Str){d->bytes.p + t->at, t->end - t->at} : STR_NONE;
}

Str json_str(const JsonDoc *d, JsonRef r)
{
    const JsonTok *t = token_of(d, r, JSON_STRING);
    return t ? json_token_str(d, t) : STR_NONE;
}

Str json_number(const JsonDoc *d, JsonRef r)
{
    return token_of(d, r, JSON_NUMBER) ? json_raw(d, r) : STR_NONE;
}

bool json_to_i64(const JsonDoc *d, JsonRef r, int64_t *ret)
{
    return str_to_i64(json_number(d, r), ret);
}

bool json_to_double(const JsonDoc *d, JsonRef r, double *ret)
{
    Str s = json_number(d, r);
    char text[512];
    if (s.n == 0 || s.n >= sizeof text) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double v = strtod(text, NULL);
    if (!isfinite(v)) {
        return false;
    }
    *ret = v;
    return true;
}

bool json_is_true(const JsonDoc *d, JsonRef r)
{
    return json_type(d, r) == JSON_TRUE;
}

uint32_t json_count(const JsonDoc *d, JsonRef r)
{
    const JsonTok *t = token(d, r);
    return t && t->type >= JSON_ARRAY ? t->count : 0;
}

JsonRef json_get(const JsonDoc *d, JsonRef object, Str key)
{
    const JsonTok *o = token_of(d, object, JSON_OBJECT);
    bool last = d->flags & JSON_FLAG_DUPLICATE_KEY;
    JsonRef found = JSON_NONE, at = object + 1;
    for (uint32_t left = o ? o->count : 0; left; left--, at = d->tok[at + 1].next) {
        if (token_is(d, &d->tok[at], key)) {
            found = at + 1;
            if (!last) {
                break;
            }
        }
    }
    return found;
}

JsonRef json_get_c(const JsonDoc *d, JsonRef object, const char *key)
{
    return json_get(d, object, str_from_c(key));
}

JsonRef json_item(const JsonDoc *d, JsonRef array, uint32_t i)
{
    const JsonTok *t = token_of(d, array, JSON_ARRAY);
    if (!t || i >= t->count) {
        return JSON_NONE;
    }
    JsonRef at = array + 1;
    while (i--) {
        at = d->tok[at].next;
    }
    return at;
}

JsonRef json_at(const JsonDoc *d, JsonRef from, const char *path)
{
    Str rest = str_from_c(path), step;
    while (rest.n && from != JSON_NONE) {
        int64_t i;
        str_cut(rest, '.', &step, &rest);
        if (json_type(d, from) == JSON_ARRAY) {
            bool number = str_to_i64(step, &i) && i >= 0 && i < UINT32_MAX;
            from = number ? json_item(d, from, (uint32_t)i) : JSON_NONE;
        } else {
            from = json_get(d, from, step);
        }
    }
    return from;
}

Str json_str_at(const JsonDoc *d, JsonRef from, const char *path)
{
    return json_str(d, json_at(d, from, path));
}

JsonIter json_iter(const JsonDoc *d, JsonRef r)
{
    return (JsonIter){
        .doc = d,
        .value = JSON_NONE,
        .index = UINT32_MAX,
        .next_ = r + 1,
        .left_ = json_count(d, r),
        .object_ = json_type(d, r) == JSON_OBJECT,
    };
}

bool json_next(JsonIter *it)
{
    if (it->left_ == 0) {
        return false;
    }
    const JsonTok *tok = it->doc->tok;
    it->left_--;
    it->index++;
    if (it->object_) {
        it->key = json_token_str(it->doc, &tok[it->next_]);
        it->next_++;
    }
    it->value = it->next_;
    it->next_ = tok[it->value].next;
    return true;
}

/* --- comparing --- */

static bool objects_equal_by_map(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    Arena scratch;
    Map members;
    arena_init(&scratch, 0);
    map_init(&members, &scratch);
    for (JsonIter it = json_iter(b, rb); json_next(&it);) {
        map_put(&members, it.key, (void *)&b->tok[it.value]);
    }
    bool same = true;
    for (JsonIter it = json_iter(a, ra); same && json_next(&it);) {
        const JsonTok *other = map_get(&members, it.key);
        same = other && json_equal(a, it.value, b, (JsonRef)(other - b->tok));
    }
    arena_done(&scratch);
    return same;
}

static bool objects_equal(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    if (json_count(a, ra) > PAIRWISE_MAX) {
        return objects_equal_by_map(a, ra, b, rb);
    }
    for (JsonIter it = json_iter(a, ra); json_next(&it);) {
        JsonRef other = json_get(b, rb, it.key);
        if (other == JSON_NONE || !json_equal(a, it.value, b, other)) {
            return false;
        }
    }
    return true;
}

static bool arrays_equal(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    JsonIter ia = json_iter(a, ra), ib = json_iter(b, rb);
    while (json_next(&ia) && json_next(&ib)) {
        if (!json_equal(a, ia.value, b, ib.value)) {
            return false;
        }
    }
    return true;
}

bool json_equal(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    JsonType type = json_type(a, ra);
    if (type != json_type(b, rb) || json_count(a, ra) != json_count(b, rb)) {
        return false;
    }
    switch (type) {
    case JSON_OBJECT:
        return objects_equal(a, ra, b, rb);
    case JSON_ARRAY:
        return arrays_equal(a, ra, b, rb);
    case JSON_STRING:
        return str_eq(json_str(a, ra), json_str(b, rb));
    case JSON_NUMBER:
        return str_eq(json_raw(a, ra), json_raw(b, rb));
    default:
        return true;
    }
}
