/* The parser: bytes to tape, in one pass without recursion. */
#include "json_inner.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

const JsonLimits JSON_LIMITS_FHIR = {.depth = 100, .bytes = 32u << 20};

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

/* \uXXXX at `at`; notes what a FHIR body must not hold. */
static bool parse_unicode(Parser *x)
{
    uint32_t u, low;
    if (x->n - x->at < 6 || !json_hex4(x->p + x->at + 2, &u)) {
        return refuse(x, "\\u 之后须为四位十六进制数字",
                      "\\u must be followed by four hexadecimal digits");
    }
    x->at += 6;
    if (u == 0) {
        x->flags |= JSON_FLAG_NUL;
    }
    if (json_is_high(u) && x->n - x->at >= 6 && x->p[x->at] == '\\' && x->p[x->at + 1] == 'u' &&
        json_hex4(x->p + x->at + 2, &low) && json_is_low(low)) {
        x->at += 6;
    } else if (json_is_high(u) || json_is_low(u)) {
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
    unsigned column = (unsigned)utf8_count(str_skip((Str){x->p, x->at}, from)) + 1;
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
    const Str mark = STR("\xEF\xBB\xBF");
    bytes = str_starts(bytes, mark) ? str_skip(bytes, mark.n) : bytes;
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

/* --- duplicate keys, when an object is closed --- */

static Str key_text(Parser *x, uint32_t key)
{
    JsonDoc d = {.bytes = {x->p, x->n}, .arena = x->arena};
    return json_token_str(&d, &x->tok[key]);
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
