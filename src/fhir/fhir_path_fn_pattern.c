/* Functions with patterns and encodings. */
#include "fhir_path_fn.h"

/* --- patterns --- */

typedef struct Pattern {
    Arena scratch;
    const FhirRegex *regex;
    unsigned flags;
} Pattern;

#define SCRATCH_BYTES_MAX (32u << 20)

/* i: any case; m: lines; s (a dot is any character) is how it always is. */
static Status flags_read(Eval *e, const PathNode *p, unsigned arg, const Scope *s, unsigned *ret)
{
    bool has = false;
    Str text = STR_NONE;
    *ret = 0;
    if (p->argc > arg) {
        TRY(path_arg_string(e, p, arg, s, &has, &text));
    }
    for (size_t i = 0; has && i < text.n; i++) {
        char c = text.p[i];
        if (c != 'i' && c != 'm' && c != 's') {
            return path_fail(e, p->args[arg], "标志须为 i、m、s", "the flags are i, m and s");
        }
        *ret |= c == 'i' ? REGEX_ANY_CASE : c == 'm' ? REGEX_LINES : 0;
    }
    return OK;
}

static Status pattern_begin(Eval *e, const PathNode *p, Str text, unsigned flags, Pattern *ret)
{
    const char *zh, *en;
    ret->flags = flags;
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
    TRY(path_two_strings(e, p, in, s, &x, &text, &both));
    if (!both) {
        return OK;
    }
    Pattern pattern;
    FhirMatch match;
    uint64_t cost;
    unsigned flags;
    TRY(flags_read(e, p, 1, s, &flags));
    TRY(pattern_begin(e, p, text, flags, &pattern));
    bool found =
        fhir_regex_find(pattern.regex, &pattern.scratch, x, 0, whole, flags, &match, &cost);
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
        bool found =
            fhir_regex_find(pattern->regex, &scratch, x, from, false, pattern->flags, &m, &cost);
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
    TRY(path_two_strings(e, p, in, s, &x, &text, &both));
    TRY(path_arg_string(e, p, 1, s, &has_with, &with));
    if (!both || !has_with) {
        return OK;
    }
    if (text.n == 0) {
        return path_put_str(e, ret, x);
    }
    Pattern pattern;
    Buf b;
    unsigned flags;
    TRY(flags_read(e, p, 2, s, &flags));
    TRY(pattern_begin(e, p, text, flags, &pattern));
    buf_init(&b, PATH_TEXT_BYTES_MAX);
    Status status = replace_matches(e, &pattern, x, with, &b);
    arena_done(&pattern.scratch);
    if (status != OK) {
        buf_done(&b);
        return status;
    }
    return path_put_buf(e, &b, ret);
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
    TRY(path_two_strings(e, p, in, s, &x, &how, &both));
    if (!both) {
        return OK;
    }
    TRY(short_enough(e, x));
    if (str_is(how, "hex")) {
        return path_put_str(e, ret, hex_encode(e->arena, x.p, x.n));
    }
    bool url = str_is(how, "urlbase64");
    if (!url && !str_is(how, "base64")) {
        return path_fail(e, p->args[0], "编码须为 base64、urlbase64 或 hex",
                         "the encoding is base64, urlbase64 or hex");
    }
    Str text = base64_encode(e->arena, x, url);
    static const Str PAD[] = {STR_NONE, STR_NONE, {"==", 2}, {"=", 1}};
    return path_put_str(e, ret, url ? arena_cat(e->arena, text, PAD[text.n % 4]) : text);
}

PATH_FN(decode)
{
    Str x, how, out;
    bool both, ok;
    TRY(path_two_strings(e, p, in, s, &x, &how, &both));
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
    return ok && utf8_valid(out) ? path_put_str(e, ret, out) : OK;
}

PATH_FN(escape)
{
    Str x, how;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &how, &both));
    if (!both) {
        return OK;
    }
    Buf b;
    buf_init(&b, PATH_TEXT_BYTES_MAX);
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
    return path_put_buf(e, &b, ret);
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
    JsonLimits limits = {1, PATH_TEXT_BYTES_MAX};
    bool ok = json_parse(e->arena, quoted, &limits, &d, NULL) == OK;
    return path_put_str(e, ret, ok ? json_str(&d, JSON_ROOT) : x);
}

PATH_FN(unescape)
{
    Str x, how;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &how, &both));
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
    buf_init(&b, PATH_TEXT_BYTES_MAX);
    unescape_html(&b, x);
    return path_put_buf(e, &b, ret);
}
