#include "json.h"

#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

const JsonLimits JSON_LIMITS_FHIR = {.depth = 100, .bytes = 32u << 20};

/* --- parser --- */

typedef struct Parser {
    const char *p;
    uint32_t n, at;
    JsonTok *tok;
    uint32_t count, room;
    uint32_t top; /* innermost open container; its `next` holds the one around it */
    uint32_t depth, depth_max;
    unsigned flags;
    Arena *arena;
    Status status;
    const char *zh, *en; /* what is wrong at `at` */
} Parser;

static bool refuse(Parser *x, const char *zh, const char *en)
{
    x->status = ERR_INVALID;
    x->zh = zh;
    x->en = en;
    return false;
}

static bool too_large(Parser *x)
{
    x->status = ERR_TOO_LARGE;
    x->zh = "JSON 文档过大，内存不足";
    x->en = "The JSON document needs more memory than allowed";
    return false;
}

static bool tape_grow(Parser *x)
{
    uint32_t room = x->room * 2;
    JsonTok *tok = arena_try_raw(x->arena, (size_t)room * sizeof *tok);
    if (!tok) {
        return too_large(x);
    }
    memcpy(tok, x->tok, (size_t)x->count * sizeof *tok);
    x->tok = tok;
    x->room = room;
    return true;
}

static inline bool tape_add(Parser *x, JsonType type, uint32_t at, uint32_t end, uint32_t count)
{
    if (x->count == x->room && !tape_grow(x)) {
        return false;
    }
    x->tok[x->count] = (JsonTok){at, end, x->count + 1, count, (uint8_t)type};
    x->count++;
    return true;
}

static inline void skip_space(Parser *x)
{
    while (x->at < x->n) {
        char c = x->p[x->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return;
        }
        x->at++;
    }
}

/* Moves over plain ASCII: stops at '"', '\\', a control character or a byte ≥ 0x80. */
static inline void skip_plain(Parser *x)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    while (x->n - x->at >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i_u *)(x->p + x->at));
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        special = _mm_or_si128(special, _mm_cmplt_epi8(v, space)); /* signed: ≥ 0x80 is negative */
        int mask = _mm_movemask_epi8(special);
        if (mask) {
            x->at += (uint32_t)__builtin_ctz((unsigned)mask);
            return;
        }
        x->at += 16;
    }
#endif
    while (x->at < x->n) {
        uint8_t c = (uint8_t)x->p[x->at];
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) {
            return;
        }
        x->at++;
    }
}

static bool hex4(const char *p, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], l = (char)(c | 32);
        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint32_t)(c - '0');
        } else if (l >= 'a' && l <= 'f') {
            v = v << 4 | (uint32_t)(l - 'a' + 10);
        } else {
            return false;
        }
    }
    *ret = v;
    return true;
}

static bool is_high(uint32_t u)
{
    return u >= 0xD800 && u < 0xDC00;
}

static bool is_low(uint32_t u)
{
    return u >= 0xDC00 && u < 0xE000;
}

/* \uXXXX at `at`; notes what a FHIR body must not hold. */
static bool parse_unicode(Parser *x)
{
    uint32_t u, low;
    if (x->n - x->at < 6 || !hex4(x->p + x->at + 2, &u)) {
        return refuse(x, "\\u 之后须为四位十六进制数字",
                      "\\u must be followed by four hexadecimal digits");
    }
    x->at += 6;
    if (u == 0) {
        x->flags |= JSON_FLAG_NUL;
    }
    if (is_high(u) && x->n - x->at >= 6 && x->p[x->at] == '\\' && x->p[x->at + 1] == 'u' &&
        hex4(x->p + x->at + 2, &low) && is_low(low)) {
        x->at += 6;
    } else if (is_high(u) || is_low(u)) {
        x->flags |= JSON_FLAG_LONE_SURROGATE;
    }
    return true;
}

static bool parse_escape(Parser *x)
{
    char c = x->at + 1 < x->n ? x->p[x->at + 1] : 0;
    if (c == 'u') {
        return parse_unicode(x);
    }
    if (c == 0 || !strchr("\"\\/bfnrt", c)) {
        return refuse(x, "反斜杠之后的字符无效", "This character cannot follow a backslash");
    }
    x->at += 2;
    return true;
}

static bool parse_utf8(Parser *x)
{
    size_t i = x->at;
    if (utf8_next((Str){x->p, x->n}, &i) == UTF8_BAD) {
        return refuse(x, "不是有效的 UTF-8", "Not valid UTF-8");
    }
    x->at = (uint32_t)i;
    return true;
}

static inline bool parse_string(Parser *x)
{
    uint32_t from = x->at++, escapes = 0;
    for (;;) {
        skip_plain(x);
        if (x->at == x->n) {
            return refuse(x, "字符串没有结束", "The string does not end");
        }
        uint8_t c = (uint8_t)x->p[x->at];
        if (c == '"') {
            x->at++;
            return tape_add(x, JSON_STRING, from, x->at, escapes);
        }
        if (c == '\\') {
            escapes = 1;
            if (!parse_escape(x)) {
                return false;
            }
        } else if (c < 0x20) {
            return refuse(x, "字符串中的控制字符须转义",
                          "A control character in a string must be escaped");
        } else if (!parse_utf8(x)) {
            return false;
        }
    }
}

static inline bool digit_at(const Parser *x)
{
    return x->at < x->n && x->p[x->at] >= '0' && x->p[x->at] <= '9';
}

static inline bool parse_digits(Parser *x)
{
    if (!digit_at(x)) {
        return refuse(x, "此处须为数字", "A digit is expected here");
    }
    while (digit_at(x)) {
        x->at++;
    }
    return true;
}

static inline bool accept(Parser *x, char c)
{
    if (x->at < x->n && x->p[x->at] == c) {
        x->at++;
        return true;
    }
    return false;
}

static bool parse_number(Parser *x)
{
    uint32_t from = x->at;
    accept(x, '-');
    if (accept(x, '0')) {
        if (digit_at(x)) {
            return refuse(x, "数字不得以 0 开头", "A number must not begin with 0");
        }
    } else if (!parse_digits(x)) {
        return false;
    }
    if (accept(x, '.') && !parse_digits(x)) {
        return false;
    }
    if (accept(x, 'e') || accept(x, 'E')) {
        if (!accept(x, '+')) {
            accept(x, '-');
        }
        if (!parse_digits(x)) {
            return false;
        }
    }
    return tape_add(x, JSON_NUMBER, from, x->at, 0);
}

static bool parse_word(Parser *x, JsonType type, Str word)
{
    if (!str_starts((Str){x->p + x->at, x->n - x->at}, word)) {
        return refuse(x, "此处须为一个值", "A value is expected here");
    }
    x->at += (uint32_t)word.n;
    return tape_add(x, type, x->at - (uint32_t)word.n, x->at, 0);
}

static bool container_open(Parser *x, JsonType type)
{
    if (++x->depth > x->depth_max) {
        return refuse(x, "嵌套过深", "Nested too deep");
    }
    if (!tape_add(x, type, x->at, x->at, 0)) {
        return false;
    }
    x->tok[x->count - 1].next = x->top;
    x->top = x->count - 1;
    x->at++;
    return true;
}

static void duplicates_note(Parser *x, uint32_t object);

static inline void container_close(Parser *x)
{
    uint32_t closed = x->top;
    JsonTok *t = &x->tok[closed];
    x->top = t->next;
    x->depth--;
    x->at++;
    t->end = x->at;
    t->next = x->count;
    if (t->type == JSON_OBJECT && t->count > 1) {
        duplicates_note(x, closed);
    }
}

static bool parse_key(Parser *x)
{
    skip_space(x);
    if (x->at == x->n || x->p[x->at] != '"') {
        return refuse(x, "此处须为成员名（双引号字符串）",
                      "A member name in double quotes is expected here");
    }
    x->tok[x->top].count++;
    if (!parse_string(x)) {
        return false;
    }
    skip_space(x);
    return accept(x, ':') || refuse(x, "成员名之后须为冒号", "A colon must follow the member name");
}

/* Opens a container and parses its first key; an empty one is closed at once. */
static bool parse_object(Parser *x)
{
    if (!container_open(x, JSON_OBJECT)) {
        return false;
    }
    skip_space(x);
    return x->at < x->n && x->p[x->at] == '}' ? true : parse_key(x);
}

static bool parse_array(Parser *x)
{
    if (!container_open(x, JSON_ARRAY)) {
        return false;
    }
    skip_space(x);
    if (x->at == x->n || x->p[x->at] != ']') {
        x->tok[x->top].count++;
    }
    return true;
}

static inline bool parse_value(Parser *x)
{
    skip_space(x);
    switch (x->at < x->n ? x->p[x->at] : 0) {
    case '"':
        return parse_string(x);
    case '{':
        return parse_object(x);
    case '[':
        return parse_array(x);
    case 't':
        return parse_word(x, JSON_TRUE, STR("true"));
    case 'f':
        return parse_word(x, JSON_FALSE, STR("false"));
    case 'n':
        return parse_word(x, JSON_NULL, STR("null"));
    case '-':
    case '0' ... '9':
        return parse_number(x);
    default:
        return refuse(x, "此处须为一个值", "A value is expected here");
    }
}

typedef enum After { AFTER_VALUE, AFTER_END, AFTER_FAILED } After;

/* Behind a value: closes what ends here, until another value must follow. */
static inline After parse_after(Parser *x)
{
    while (x->top != JSON_NONE) {
        bool object = x->tok[x->top].type == JSON_OBJECT;
        skip_space(x);
        char c = x->at < x->n ? x->p[x->at] : 0;
        if (c == (object ? '}' : ']')) {
            container_close(x);
        } else if (c != ',') {
            refuse(x, object ? "此处须为逗号或 }" : "此处须为逗号或 ]",
                   object ? "A comma or } is expected here" : "A comma or ] is expected here");
            return AFTER_FAILED;
        } else {
            x->at++;
            if (object) {
                return parse_key(x) ? AFTER_VALUE : AFTER_FAILED;
            }
            x->tok[x->top].count++;
            return AFTER_VALUE;
        }
    }
    return AFTER_END;
}

static bool parse_text(Parser *x)
{
    if (str_starts((Str){x->p, x->n}, STR("\xEF\xBB\xBF"))) {
        return refuse(x, "不接受字节顺序标记（BOM）", "A byte order mark is not accepted");
    }
    After after = AFTER_VALUE;
    while (after == AFTER_VALUE) {
        uint32_t opened = x->count;
        if (!parse_value(x)) {
            return false;
        }
        /* A container with something inside: its first value comes next. */
        if (x->tok[opened].count && x->tok[opened].type >= JSON_ARRAY) {
            continue;
        }
        after = parse_after(x);
    }
    if (after == AFTER_FAILED) {
        return false;
    }
    skip_space(x);
    return x->at == x->n ||
           refuse(x, "文档之后有多余内容", "Something follows the end of the document");
}

static Status fail_here(const Parser *x, Err *err)
{
    if (x->status == ERR_TOO_LARGE) {
        return err_text(err, x->status, NULL, STR_NONE, str_from_c(x->zh), str_from_c(x->en));
    }
    unsigned line = 1;
    uint32_t from = 0;
    for (uint32_t i = 0; i < x->at; i++) {
        if (x->p[i] == '\n') {
            line++;
            from = i + 1;
        }
    }
    unsigned column = (unsigned)utf8_count((Str){x->p + from, x->at - from}) + 1;
    Arena a;
    arena_init(&a, 0);
    Str zh = arena_printf(&a, "JSON 第 %u 行第 %u 列：%s", line, column, x->zh);
    Str en = arena_printf(&a, "JSON line %u column %u: %s", line, column, x->en);
    err_text(err, ERR_INVALID, "structure", STR_NONE, zh, en);
    arena_done(&a);
    return ERR_INVALID;
}

Status json_parse(Arena *a, Str bytes, const JsonLimits *limits, JsonDoc *ret, Err *err)
{
    if (bytes.n > limits->bytes || bytes.n > UINT32_MAX - 1) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR_NONE, "JSON 文档超过 %zu 字节",
                       "The JSON document is larger than %zu bytes", limits->bytes);
    }
    Parser x = {
        .p = bytes.p,
        .n = (uint32_t)bytes.n,
        .room = (uint32_t)bytes.n / 10 + 16,
        .top = JSON_NONE,
        .depth_max = limits->depth,
        .arena = a,
    };
    x.tok = arena_try_raw(a, (size_t)x.room * sizeof *x.tok);
    if (!x.tok) {
        too_large(&x);
        return fail_here(&x, err);
    }
    if (!parse_text(&x) || (arena_exhausted(a) && !too_large(&x))) {
        return fail_here(&x, err);
    }
    arena_shrink(a, x.tok, (size_t)x.room * sizeof *x.tok, (size_t)x.count * sizeof *x.tok);
    *ret = (JsonDoc){bytes, x.tok, x.count, x.flags, a};
    return OK;
}

/* --- strings --- */

static char *put_unicode(char *out, const char *p, size_t n, size_t *i)
{
    uint32_t u = 0, low;
    hex4(p + *i + 2, &u);
    *i += 6;
    if (is_high(u) && *i + 6 <= n && p[*i] == '\\' && p[*i + 1] == 'u' && hex4(p + *i + 2, &low) &&
        is_low(low)) {
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

static inline Str token_str(const JsonDoc *d, const JsonTok *t)
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
    char *out = raw.n <= sizeof few ? few : malloc(raw.n);
    mk_check(out != NULL);
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

/* --- duplicate keys, when an object is closed --- */

#define PAIRWISE_MAX 24u

static Str key_text(Parser *x, uint32_t key)
{
    JsonDoc d = {.bytes = {x->p, x->n}, .arena = x->arena};
    return token_str(&d, &x->tok[key]);
}

static bool duplicate_pairwise(Parser *x, uint32_t object)
{
    Str keys[PAIRWISE_MAX];
    uint32_t n = x->tok[object].count;
    for (uint32_t i = 0, at = object + 1; i < n; i++, at = x->tok[at + 1].next) {
        keys[i] = key_text(x, at);
        for (uint32_t k = 0; k < i; k++) {
            if (keys[k].n == keys[i].n && memcmp(keys[k].p, keys[i].p, keys[i].n) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool duplicate_by_map(Parser *x, uint32_t object)
{
    Arena scratch;
    Map seen;
    bool found = false;
    arena_init(&scratch, 0);
    map_init(&seen, &scratch);
    uint32_t n = x->tok[object].count;
    for (uint32_t i = 0, at = object + 1; i < n && !found; i++, at = x->tok[at + 1].next) {
        Str key = key_text(x, at);
        found = map_get(&seen, key) != NULL;
        map_put(&seen, key, &seen);
    }
    arena_done(&scratch);
    return found;
}

static void duplicates_note(Parser *x, uint32_t object)
{
    bool few = x->tok[object].count <= PAIRWISE_MAX;
    if (few ? duplicate_pairwise(x, object) : duplicate_by_map(x, object)) {
        x->flags |= JSON_FLAG_DUPLICATE_KEY;
    }
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
    return t ? token_str(d, t) : STR_NONE;
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
        it->key = token_str(it->doc, &tok[it->next_]);
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
