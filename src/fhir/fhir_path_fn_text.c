/* Functions on strings. Positions and lengths count characters, not bytes. */
#include "fhir_path_fn.h"

Status path_put_str(Eval *e, FhirValues *ret, Str s)
{
    path_put(e, ret, fhir_value_string(s));
    return path_step(e, s.n / 64);
}

Status path_put_buf(Eval *e, Buf *b, FhirValues *ret)
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
    return path_put_str(e, ret, s);
}

Status path_two_strings(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s, Str *x,
                        Str *y, bool *ret_both)
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
    TRY(path_two_strings(e, p, in, s, &x, &y, &both));
    if (both) {
        path_put(e, ret, fhir_value_integer(character_of(x, str_find(x, y))));
    }
    return OK;
}

PATH_FN(lastIndexOf)
{
    Str x, y;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &y, &both));
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
    return path_put_str(e, ret, str_take(rest, length <= 0 ? 0 : byte_of(rest, length)));
}

PATH_FN(startsWith)
{
    Str x, y;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &y, &both));
    path_put_truth(e, ret, !both ? TRUTH_EMPTY : str_starts(x, y) ? TRUTH_TRUE : TRUTH_FALSE);
    return OK;
}

PATH_FN(endsWith)
{
    Str x, y;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &y, &both));
    path_put_truth(e, ret, !both ? TRUTH_EMPTY : str_ends(x, y) ? TRUTH_TRUE : TRUTH_FALSE);
    return OK;
}

PATH_FN(contains)
{
    Str x, y;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &y, &both));
    path_put_truth(e, ret, !both ? TRUTH_EMPTY : str_find(x, y) >= 0 ? TRUTH_TRUE : TRUTH_FALSE);
    return OK;
}

/* Simple case mapping of Latin, Greek and Cyrillic; other scripts have no case that matters here.
 */
uint32_t path_cased(uint32_t c, bool up)
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
    buf_init(&b, PATH_TEXT_BYTES_MAX);
    for (size_t i = 0; i < x.n;) {
        char out[4];
        uint32_t c = utf8_next(x, &i);
        buf_bytes(&b, out, utf8_put(out, path_cased(c == UTF8_BAD ? 0xFFFD : c, up)));
    }
    return path_put_buf(e, &b, ret);
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
    TRY(path_two_strings(e, p, in, s, &x, &what, &both));
    TRY(path_arg_string(e, p, 1, s, &has_with, &with));
    if (!both || !has_with) {
        return OK;
    }
    Buf b;
    buf_init(&b, PATH_TEXT_BYTES_MAX);
    replace_into(&b, x, what, with);
    return path_put_buf(e, &b, ret);
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
    return has ? path_put_str(e, ret, str_trim(x)) : OK;
}

PATH_FN(split)
{
    Str x, by;
    bool both;
    TRY(path_two_strings(e, p, in, s, &x, &by, &both));
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
    if ((in->n == 0 && !e->env->join_empty) || !has) {
        return OK;
    }
    Buf b;
    buf_init(&b, PATH_TEXT_BYTES_MAX);
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
    return path_put_buf(e, &b, ret);
}
