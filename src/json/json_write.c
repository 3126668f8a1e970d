/* Writing JSON: values one by one, splices into a text, indented for people. */
#include "json.h"

/* --- writer --- */

JsonWriter json_writer(Buf *out)
{
    return (JsonWriter){.out = out};
}

static void value_begin(JsonWriter *w)
{
    if (w->comma && !w->after_key) {
        buf_char(w->out, ',');
    }
    w->comma = true;
    w->after_key = false;
}

void json_open(JsonWriter *w, char brace)
{
    value_begin(w);
    buf_char(w->out, brace);
    w->comma = false;
}

void json_close(JsonWriter *w, char brace)
{
    buf_char(w->out, brace);
    w->comma = true;
}

JsonWriter json_begin(Buf *out, char brace)
{
    buf_init(out, 0);
    JsonWriter w = json_writer(out);
    json_open(&w, brace);
    return w;
}

Str json_end(JsonWriter *w, char brace, Arena *a)
{
    json_close(w, brace);
    return buf_take(w->out, a);
}

void json_key(JsonWriter *w, const char *key)
{
    json_key_str(w, str_from_c(key));
}

void json_key_str(JsonWriter *w, Str key)
{
    value_begin(w);
    buf_json_str(w->out, key);
    buf_char(w->out, ':');
    w->after_key = true;
}

void json_key_open(JsonWriter *w, const char *key, char brace)
{
    json_key(w, key);
    json_open(w, brace);
}

void json_put_str(JsonWriter *w, Str s)
{
    value_begin(w);
    buf_json_str(w->out, s);
}

void json_put_c(JsonWriter *w, const char *s)
{
    json_put_str(w, str_from_c(s));
}

void json_put_i64(JsonWriter *w, int64_t v)
{
    value_begin(w);
    buf_i64(w->out, v);
}

void json_put_bool(JsonWriter *w, bool v)
{
    json_put_raw(w, v ? STR("true") : STR("false"));
}

void json_put_null(JsonWriter *w)
{
    json_put_raw(w, STR("null"));
}

void json_put_raw(JsonWriter *w, Str json)
{
    value_begin(w);
    buf_add(w->out, json);
}

void json_member_str(JsonWriter *w, const char *key, Str s)
{
    if (!str_empty(s)) {
        json_key(w, key);
        json_put_str(w, s);
    }
}

void json_member_c(JsonWriter *w, const char *key, const char *s)
{
    json_member_str(w, key, str_from_c(s));
}

void json_member_bool(JsonWriter *w, const char *key, bool v)
{
    json_key(w, key);
    json_put_bool(w, v);
}

void json_member_i64(JsonWriter *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_put_i64(w, v);
}

/* --- splices --- */

static int splice_order(const void *a, const void *b)
{
    const JsonSplice *x = *(const JsonSplice *const *)a, *y = *(const JsonSplice *const *)b;
    if (x->at != y->at) {
        return x->at < y->at ? -1 : 1;
    }
    return x < y ? -1 : x > y; /* as given */
}

Str json_splice(Arena *a, Str bytes, const JsonSplice *s, size_t n)
{
    const JsonSplice **sorted = arena_array(a, const JsonSplice *, n + 1);
    size_t total = bytes.n;
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &s[i];
        total += s[i].with.n;
    }
    qsort(sorted, n, sizeof *sorted, splice_order);
    char *start = arena_alloc_raw(a, total + 1), *out = start;
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        const JsonSplice *x = sorted[i];
        mk_check(x->at >= from && x->end >= x->at && x->end <= bytes.n);
        out = mempcpy(out, bytes.p + from, x->at - from);
        if (x->with.n) {
            out = mempcpy(out, x->with.p, x->with.n);
        }
        from = x->end;
    }
    if (bytes.n > from) {
        out = mempcpy(out, bytes.p + from, bytes.n - from);
    }
    *out = 0;
    return (Str){start, (size_t)(out - start)};
}

/* The splices of a value, in order: where each ends, by how much the text has grown there. */
typedef struct Growth {
    const JsonSplice *s;
    size_t n;
    uint32_t by; /* of those that end at or before the place last asked for; wraps around */
    size_t passed;
} Growth;

static uint32_t growth_to(Growth *g, uint32_t at)
{
    for (; g->passed < g->n && g->s[g->passed].end <= at; g->passed++) {
        const JsonSplice *x = &g->s[g->passed];
        g->by += (uint32_t)x->with.n - (x->end - x->at);
    }
    return g->by;
}

static int splice_at_order(const void *a, const void *b)
{
    const JsonSplice *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void tape_cut(const JsonDoc *d, JsonRef r, const JsonSplice *s, size_t n, JsonTok *tok)
{
    uint32_t count = d->tok[r].next - r, from = d->tok[r].at;
    Growth begun = {s, n, 0, 0};
    for (uint32_t i = 0; i < count; i++) {
        JsonTok t = d->tok[r + i];
        t.next -= r;
        t.at -= from;
        t.end -= from;
        t.at += growth_to(&begun, t.at);
        Growth ended = begun;
        t.end += growth_to(&ended, t.end);
        tok[i] = t;
    }
}

Status json_part(Arena *a, const JsonDoc *d, JsonRef r, JsonSplice *s, size_t n, JsonDoc *ret,
                 Err *err)
{
    Str bytes = json_raw(d, r);
    uint32_t count = d->tok[r].next - r;
    JsonTok *tok = arena_try_raw(a, count * sizeof *tok);
    if (n) {
        qsort(s, n, sizeof *s, splice_at_order);
        bytes = json_splice(a, bytes, s, n);
    }
    if (!tok || arena_exhausted(a)) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR_NONE, "JSON 文档过大，内存不足",
                       "The JSON document needs more memory than allowed");
    }
    tape_cut(d, r, s, n, tok);
    *ret = (JsonDoc){bytes, tok, count, d->flags, a};
    return OK;
}

JsonSplice json_splice_member(Arena *a, const JsonDoc *d, JsonRef object, const char *key,
                              Str json_value, const char *after_key)
{
    mk_check(json_type(d, object) == JSON_OBJECT);
    JsonRef present = json_get_c(d, object, key);
    if (present != JSON_NONE) {
        return (JsonSplice){d->tok[present].at, d->tok[present].end, json_value};
    }
    Str member = arena_cat(a, STR("\""), str_from_c(key), STR("\":"), json_value);
    JsonRef after = after_key ? json_get_c(d, object, after_key) : JSON_NONE;
    if (after != JSON_NONE) {
        uint32_t at = d->tok[after].end;
        return (JsonSplice){at, at, arena_cat(a, STR(","), member)};
    }
    uint32_t at = d->tok[object].at + 1;
    return (JsonSplice){at, at, json_count(d, object) ? arena_cat(a, member, STR(",")) : member};
}

/* --- for people --- */

static void indent(Buf *out, unsigned depth)
{
    buf_char(out, '\n');
    for (unsigned i = 0; i < depth; i++) {
        buf_c(out, "  ");
    }
}

static void pretty(Buf *out, const JsonDoc *d, JsonRef r, unsigned depth)
{
    JsonType type = json_type(d, r);
    if (type < JSON_ARRAY || json_count(d, r) == 0) {
        buf_add(out, type == JSON_ARRAY    ? STR("[]")
                     : type == JSON_OBJECT ? STR("{}")
                                           : json_raw(d, r));
        return;
    }
    buf_char(out, type == JSON_OBJECT ? '{' : '[');
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        if (it.index) {
            buf_char(out, ',');
        }
        indent(out, depth + 1);
        if (type == JSON_OBJECT) {
            buf_json_str(out, it.key);
            buf_c(out, ": ");
        }
        pretty(out, d, it.value, depth + 1);
    }
    indent(out, depth);
    buf_char(out, type == JSON_OBJECT ? '}' : ']');
}

void json_pretty(Buf *out, const JsonDoc *d, JsonRef r)
{
    pretty(out, d, r, 0);
}
