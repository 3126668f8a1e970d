/* Functions on strings. Positions and lengths count characters, not bytes. */
#include "fhir_path_fn.h"

#define TEXT_BYTES_MAX (4u << 20)

static Status put_str(Eval *e, FhirValues *ret, Str s)
{
    path_put(e, ret, fhir_value_string(s));
    return path_step(e, s.n / 64);
}

/* The text of a Buf, moved to the arena; ERR_TOO_LARGE when it did not fit. */
static Status put_buf(Eval *e, Buf *b, FhirValues *ret)
{
    char *copy = b->failed ? NULL : arena_try_raw(e->arena, b->n + 1);
    if (!copy) {
        buf_done(b);
        return path_step(e, UINT64_MAX);
    }
    if (b->n) {
        memcpy(copy, b->p, b->n);
    }
    Str s = {copy, b->n};
    buf_done(b);
    return put_str(e, ret, s);
}

/* Input and first argument as strings; *ret_both false when one is empty. */
static Status two(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s, Str *x, Str *y,
                  bool *ret_both)
{
    bool has_x, has_y;
    TRY(path_in_string(e, p, in, &has_x, x));
    TRY(path_arg_string(e, p, 0, s, &has_y, y));
    *ret_both = has_x && has_y;
    return OK;
}

static size_t byte_of(Str s, int64_t character)
{
    size_t i = 0;
    while (character-- > 0 && i < s.n) {
        (void)utf8_next(s, &i);
    }
    return i;
}

static int64_t character_of(Str s, ptrdiff_t byte)
{
    return byte < 0 ? -1 : (int64_t)utf8_count(str_take(s, (size_t)byte));
}

static ptrdiff_t find_last(Str s, Str what)
{
    for (size_t i = s.n + 1; i-- > 0;) {
        if (str_starts(str_skip(s, i), what) && i + what.n <= s.n) {
            return (ptrdiff_t)i;
        }
    }
    return -1;
}

PATH_FN(indexOf)
{
    Str x, y;
    bool both;
    TRY(two(e, p, in, s, &x, &y, &both));
    if (both) {
        path_put(e, ret, fhir_value_integer(character_of(x, str_find(x, y))));
    }
    return OK;
}

PATH_FN(lastIndexOf)
{
    Str x, y;
    bool both;
    TRY(two(e, p, in, s, &x, &y, &both));
    if (both) {
        path_put(e, ret, fhir_value_integer(character_of(x, find_last(x, y))));
    }
    return path_step(e, both ? x.n / 8 : 0);
}

PATH_FN(substring)
{
    bool has, has_start, has_length = true;
    Str x;
    int64_t start = 0, length = INT64_MAX;
    TRY(path_in_string(e, p, in, &has, &x));
    TRY(path_arg_integer(e, p, 0, s, &has_start, &start));
    if (p->argc > 1) {
        TRY(path_arg_integer(e, p, 1, s, &has_length, &length));
        length = has_length ? length : INT64_MAX;
    }
    if (!has || !has_start || start < 0) {
        return OK;
    }
    Str rest = str_skip(x, byte_of(x, start));
    if (rest.n == 0) {
        return OK;
    }
    return put_str(e, ret, str_take(rest, length <= 0 ? 0 : byte_of(rest, length)));
}

PATH_FN(startsWith)
{
    Str x, y;
    bool both;
    TRY(two(e, p, in, s, &x, &y, &both));
    path_put_truth(e, ret, !both ? TRUTH_EMPTY : str_starts(x, y) ? TRUTH_TRUE : TRUTH_FALSE);
    return OK;
}

PATH_FN(endsWith)
{
    Str x, y;
    bool both;
    TRY(two(e, p, in, s, &x, &y, &both));
    path_put_truth(e, ret, !both ? TRUTH_EMPTY : str_ends(x, y) ? TRUTH_TRUE : TRUTH_FALSE);
    return OK;
}

PATH_FN(contains)
{
    Str x, y;
    bool both;
    TRY(two(e, p, in, s, &x, &y, &both));
    path_put_truth(e, ret, !both ? TRUTH_EMPTY : str_find(x, y) >= 0 ? TRUTH_TRUE : TRUTH_FALSE);
    return OK;
}

/* Simple case mapping of Latin, Greek and Cyrillic; other scripts have no case that matters here.
 */
static uint32_t cased(uint32_t c, bool up)
{
    bool ascii = c < 0x80;
    uint32_t lower_first = ascii ? 'a' : c < 0x100 ? 0xE0 : c < 0x400 ? 0x3B1 : 0x430;
    uint32_t lower_last = ascii ? 'z' : c < 0x100 ? 0xFE : c < 0x400 ? 0x3C9 : 0x44F;
    if (c == 0xF7 || c == 0xD7) {
        return c;
    }
    if (up && c >= lower_first && c <= lower_last && c != 0x3C2) {
        return c - 32;
    }
    return !up && c >= lower_first - 32 && c <= lower_last - 32 ? c + 32 : c;
}

static Status put_cased(Eval *e, const PathNode *p, const FhirValues *in, bool up, FhirValues *ret)
{
    bool has;
    Str x;
    TRY(path_in_string(e, p, in, &has, &x));
    if (!has) {
        return OK;
    }
    Buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    for (size_t i = 0; i < x.n;) {
        char out[4];
        uint32_t c = utf8_next(x, &i);
        buf_bytes(&b, out, utf8_put(out, cased(c == UTF8_BAD ? 0xFFFD : c, up)));
    }
    return put_buf(e, &b, ret);
}

PATH_FN(upper)
{
    (void)s;
    return put_cased(e, p, in, true, ret);
}

PATH_FN(lower)
{
    (void)s;
    return put_cased(e, p, in, false, ret);
}

static void replace_into(Buf *b, Str x, Str what, Str with)
{
    if (what.n == 0) { /* around each character */
        buf_add(b, with);
        for (size_t i = 0, from = 0; i < x.n; from = i) {
            (void)utf8_next(x, &i);
            buf_bytes(b, x.p + from, i - from);
            buf_add(b, with);
        }
        return;
    }
    for (;;) {
        ptrdiff_t at = str_find(x, what);
        if (at < 0 || b->failed) {
            buf_add(b, x);
            return;
        }
        buf_bytes(b, x.p, (size_t)at);
        buf_add(b, with);
        x = str_skip(x, (size_t)at + what.n);
    }
}

PATH_FN(replace)
{
    Str x, what, with;
    bool both, has_with;
    TRY(two(e, p, in, s, &x, &what, &both));
    TRY(path_arg_string(e, p, 1, s, &has_with, &with));
    if (!both || !has_with) {
        return OK;
    }
    Buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    replace_into(&b, x, what, with);
    return put_buf(e, &b, ret);
}

PATH_FN(length)
{
    (void)s;
    bool has;
    Str x;
    TRY(path_in_string(e, p, in, &has, &x));
    if (has) {
        path_put(e, ret, fhir_value_integer((int64_t)utf8_count(x)));
    }
    return OK;
}

PATH_FN(toChars)
{
    (void)s;
    bool has;
    Str x = STR_NONE;
    TRY(path_in_string(e, p, in, &has, &x));
    TRY(path_step(e, has ? x.n : 0));
    for (size_t i = 0, from = 0; has && i < x.n; from = i) {
        (void)utf8_next(x, &i);
        path_put(e, ret, fhir_value_string((Str){x.p + from, i - from}));
    }
    return OK;
}

PATH_FN(trim)
{
    (void)s;
    bool has;
    Str x;
    TRY(path_in_string(e, p, in, &has, &x));
    return has ? put_str(e, ret, str_trim(x)) : OK;
}

PATH_FN(split)
{
    Str x, by;
    bool both;
    TRY(two(e, p, in, s, &x, &by, &both));
    while (both) {
        ptrdiff_t at = by.n ? str_find(x, by) : -1;
        TRY(path_step(e, 1));
        path_put(e, ret, fhir_value_string(at < 0 ? x : str_take(x, (size_t)at)));
        both = at >= 0;
        x = at < 0 ? x : (Str){x.p + at + by.n, x.n - (size_t)at - by.n};
    }
    return OK;
}

PATH_FN(join)
{
    Str by = STR_NONE;
    bool has = true;
    if (p->argc) {
        TRY(path_arg_string(e, p, 0, s, &has, &by));
    }
    if (in->n == 0 || !has) {
        return OK;
    }
    Buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    for (size_t i = 0; i < in->n; i++) {
        Str text;
        if (i) {
            buf_add(&b, by);
        }
        if (!fhir_value_text(e->arena, &in->at[i], &text)) {
            buf_done(&b);
            return path_fail(e, p, "join 只能用于简单值", "join() works on simple values");
        }
        buf_add(&b, text);
    }
    return put_buf(e, &b, ret);
}

/* --- patterns --- */

typedef struct Pattern {
    Arena scratch;
    const FhirRegex *regex;
} Pattern;

#define SCRATCH_BYTES_MAX (32u << 20)

static Status pattern_begin(Eval *e, const PathNode *p, Str text, Pattern *ret)
{
    const char *zh, *en;
    arena_init(&ret->scratch, SCRATCH_BYTES_MAX);
    ret->regex = p->regex ? p->regex : fhir_regex_compile(&ret->scratch, text, &zh, &en);
    if (ret->regex) {
        return OK;
    }
    arena_done(&ret->scratch);
    Str zh_text = arena_printf(e->arena, "正则表达式有误：%s", zh);
    Str en_text = arena_printf(e->arena, "the regular expression is wrong: %s", en);
    return path_fail(e, p->args[0], zh_text.p, en_text.p);
}

static Status put_match(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s,
                        bool whole, FhirValues *ret)
{
    Str x, text;
    bool both;
    TRY(two(e, p, in, s, &x, &text, &both));
    if (!both) {
        return OK;
    }
    Pattern pattern;
    FhirMatch match;
    uint64_t cost;
    TRY(pattern_begin(e, p, text, &pattern));
    bool found = fhir_regex_find(pattern.regex, &pattern.scratch, x, 0, whole, &match, &cost);
    arena_done(&pattern.scratch);
    path_put(e, ret, fhir_value_boolean(found));
    return path_step(e, cost == UINT64_MAX ? cost : cost / 16);
}

PATH_FN(matches)
{
    return put_match(e, p, in, s, false, ret);
}

PATH_FN(matchesFull)
{
    return put_match(e, p, in, s, true, ret);
}

/* $0 … $9 and ${0} stand for groups. */
static void put_replacement(Buf *b, Str x, Str with, const FhirMatch *m)
{
    for (size_t i = 0; i < with.n; i++) {
        bool brace =
            with.p[i] == '$' && i + 3 < with.n && with.p[i + 1] == '{' && with.p[i + 3] == '}';
        size_t digit = i + 1 + brace;
        if (with.p[i] == '$' && digit < with.n && with.p[digit] >= '0' && with.p[digit] <= '9') {
            int g = with.p[digit] - '0';
            if (m->at[g] != SIZE_MAX && m->end[g] != SIZE_MAX && m->end[g] >= m->at[g]) {
                buf_bytes(b, x.p + m->at[g], m->end[g] - m->at[g]);
            }
            i = digit + brace;
        } else {
            buf_char(b, with.p[i]);
        }
    }
}

static Status replace_matches(Eval *e, Pattern *pattern, Str x, Str with, Buf *b)
{
    size_t from = 0;
    FhirMatch m;
    while (from <= x.n) {
        uint64_t cost;
        Arena scratch;
        arena_init(&scratch, SCRATCH_BYTES_MAX);
        bool found = fhir_regex_find(pattern->regex, &scratch, x, from, false, &m, &cost);
        arena_done(&scratch);
        TRY(path_step(e, cost == UINT64_MAX ? cost : cost / 16));
        if (!found) {
            break;
        }
        buf_bytes(b, x.p + from, m.at[0] - from);
        put_replacement(b, x, with, &m);
        size_t next = m.end[0];
        if (next == m.at[0] && next < x.n) { /* an empty match moves on by a character */
            (void)utf8_next(x, &next);
            buf_bytes(b, x.p + m.end[0], next - m.end[0]);
        }
        from = next == m.at[0] ? x.n + 1 : next;
    }
    if (from < x.n) {
        buf_bytes(b, x.p + from, x.n - from);
    }
    return OK;
}

PATH_FN(replaceMatches)
{
    Str x, text, with;
    bool both, has_with;
    TRY(two(e, p, in, s, &x, &text, &both));
    TRY(path_arg_string(e, p, 1, s, &has_with, &with));
    if (!both || !has_with) {
        return OK;
    }
    if (text.n == 0) {
        return put_str(e, ret, x);
    }
    Pattern pattern;
    Buf b;
    TRY(pattern_begin(e, p, text, &pattern));
    buf_init(&b, TEXT_BYTES_MAX);
    Status status = replace_matches(e, &pattern, x, with, &b);
    arena_done(&pattern.scratch);
    if (status != OK) {
        buf_done(&b);
        return status;
    }
    return put_buf(e, &b, ret);
}

/* --- encodings --- */

#define ENCODED_BYTES_MAX (64u * 1024u) /* what they make fits the reserve of an arena */

static Status short_enough(Eval *e, Str x)
{
    return x.n <= ENCODED_BYTES_MAX ? path_step(e, x.n / 16) : path_step(e, UINT64_MAX);
}

PATH_FN(encode)
{
    Str x, how;
    bool both;
    TRY(two(e, p, in, s, &x, &how, &both));
    if (!both) {
        return OK;
    }
    TRY(short_enough(e, x));
    if (str_is(how, "hex")) {
        return put_str(e, ret, hex_encode(e->arena, x.p, x.n));
    }
    bool url = str_is(how, "urlbase64");
    if (!url && !str_is(how, "base64")) {
        return path_fail(e, p->args[0], "编码须为 base64、urlbase64 或 hex",
                         "the encoding is base64, urlbase64 or hex");
    }
    Str text = base64_encode(e->arena, x, url);
    static const Str PAD[] = {STR_NONE, STR_NONE, {"==", 2}, {"=", 1}};
    return put_str(e, ret, url ? arena_cat(e->arena, text, PAD[text.n % 4]) : text);
}

PATH_FN(decode)
{
    Str x, how, out;
    bool both, ok;
    TRY(two(e, p, in, s, &x, &how, &both));
    if (!both) {
        return OK;
    }
    TRY(short_enough(e, x));
    if (str_is(how, "hex")) {
        char *bytes = arena_alloc_raw(e->arena, x.n / 2 + 1);
        ok = x.n % 2 == 0 && hex_decode(x, bytes, x.n / 2);
        out = (Str){bytes, x.n / 2};
    } else {
        ok = base64_decode(e->arena, x, str_is(how, "urlbase64"), &out);
    }
    return ok && utf8_valid(out) ? put_str(e, ret, out) : OK;
}

PATH_FN(escape)
{
    Str x, how;
    bool both;
    TRY(two(e, p, in, s, &x, &how, &both));
    if (!both) {
        return OK;
    }
    Buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    if (str_is(how, "html")) {
        buf_html(&b, x);
    } else if (str_is(how, "json")) {
        buf_json_str(&b, x);
        if (!b.failed) { /* without the quotes */
            memmove(b.p, b.p + 1, b.n - 2);
            b.n -= 2;
        }
    } else {
        return path_fail(e, p->args[0], "转义目标须为 html 或 json", "the target is html or json");
    }
    return put_buf(e, &b, ret);
}

static void unescape_html(Buf *b, Str x)
{
    static const struct {
        const char *name;
        char c;
    } NAMES[] = {{"&amp;", '&'},  {"&lt;", '<'},   {"&gt;", '>'},
                 {"&quot;", '"'}, {"&#39;", '\''}, {"&apos;", '\''}};
    for (size_t i = 0; i < x.n;) {
        size_t k = 0;
        while (k < 6 && !str_starts(str_skip(x, i), str_from_c(NAMES[k].name))) {
            k++;
        }
        buf_char(b, k < 6 ? NAMES[k].c : x.p[i]);
        i += k < 6 ? strlen(NAMES[k].name) : 1;
    }
}

/* A text without a backslash before its quotes is taken as it is. */
static Status unescape_json(Eval *e, Str x, FhirValues *ret)
{
    JsonDoc d;
    Str quoted = arena_cat(e->arena, STR("\""), x, STR("\""));
    JsonLimits limits = {1, TEXT_BYTES_MAX};
    bool ok = json_parse(e->arena, quoted, &limits, &d, NULL) == OK;
    return put_str(e, ret, ok ? json_str(&d, JSON_ROOT) : x);
}

PATH_FN(unescape)
{
    Str x, how;
    bool both;
    TRY(two(e, p, in, s, &x, &how, &both));
    if (!both) {
        return OK;
    }
    TRY(short_enough(e, x));
    if (str_is(how, "json")) {
        return unescape_json(e, x, ret);
    }
    if (!str_is(how, "html")) {
        return path_fail(e, p->args[0], "转义目标须为 html 或 json", "the target is html or json");
    }
    Buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    unescape_html(&b, x);
    return put_buf(e, &b, ret);
}
