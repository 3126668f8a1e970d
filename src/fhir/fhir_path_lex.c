/* The words of FHIRPath: one token at a time, decoded. */
#include "fhir_path_inner.h"

static int at(const PathLexer *x, size_t offset)
{
    return x->pos + offset < x->text.n ? (uint8_t)x->text.p[x->pos + offset] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void bad(PathLexer *x, const char *zh, const char *en)
{
    x->token = TOKEN_BAD;
    x->zh = zh;
    x->value = str_from_c(en);
}

/* White space and comments. False for a comment without an end. */
static bool skip_blank(PathLexer *x)
{
    for (;;) {
        int c = at(x, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            x->pos++;
        } else if (c == '/' && at(x, 1) == '/') {
            while (at(x, 0) >= 0 && at(x, 0) != '\n' && at(x, 0) != '\r') {
                x->pos++;
            }
        } else if (c == '/' && at(x, 1) == '*') {
            ptrdiff_t end = str_find(str_skip(x->text, x->pos + 2), STR("*/"));
            if (end < 0) {
                return false;
            }
            x->pos += 4 + (uint32_t)end;
        } else {
            return true;
        }
    }
}

static bool hex4(const PathLexer *x, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t i = 2; i < 6; i++) {
        int c = at(x, i), l = c | 32;
        if (!is_digit(c) && !(l >= 'a' && l <= 'f')) {
            return false;
        }
        v = v << 4 | (uint32_t)(is_digit(c) ? c - '0' : l - 'a' + 10);
    }
    *ret = v;
    return true;
}

/* \n and the like; an unknown one stays as it is, for patterns ('\d', '\.'). */
static bool lex_escape(PathLexer *x, Buf *out)
{
    static const char FROM[] = "'\"`rntf\\/", TO[] = "'\"`\r\n\t\f\\/";
    int c = at(x, 1);
    const char *found = c > 0 ? strchr(FROM, c) : NULL;
    uint32_t u;
    char utf8[4];
    if (found) {
        buf_char(out, TO[found - FROM]);
        x->pos += 2;
    } else if (c == 'u') {
        if (!hex4(x, &u)) {
            return false;
        }
        buf_bytes(out, utf8, utf8_put(utf8, u >= 0xD800 && u < 0xE000 ? 0xFFFD : u));
        x->pos += 6;
    } else {
        buf_char(out, '\\');
        x->pos++;
    }
    return true;
}

static void lex_quoted(PathLexer *x, char quote, PathToken token)
{
    Buf b;
    buf_init(&b, 0);
    x->pos++;
    while (at(x, 0) >= 0 && at(x, 0) != (uint8_t)quote) {
        if (at(x, 0) != '\\') {
            buf_char(&b, x->text.p[x->pos++]);
        } else if (!lex_escape(x, &b)) {
            bad(x, "\\u 之后须为四位十六进制数字", "four hexadecimal digits after \\u");
            buf_done(&b);
            return;
        }
    }
    if (at(x, 0) < 0) {
        bad(x, "字符串的结束引号", "the quote that ends the text");
    } else {
        x->pos++;
        x->token = token;
        x->value = arena_str(x->arena, buf_str(&b));
    }
    buf_done(&b);
}

static void lex_number(PathLexer *x)
{
    uint32_t from = x->pos;
    while (is_digit(at(x, 0))) {
        x->pos++;
    }
    x->token = TOKEN_NUMBER;
    if (at(x, 0) == '.' && is_digit(at(x, 1))) {
        x->pos++;
        while (is_digit(at(x, 0))) {
            x->pos++;
        }
    } else if (at(x, 0) == 'L') {
        x->token = TOKEN_LONG;
    }
    x->value = (Str){x->text.p + from, x->pos - from};
    x->pos += x->token == TOKEN_LONG;
}

static bool two_digits(PathLexer *x, char before)
{
    size_t skip = before ? 1 : 0;
    if ((before && at(x, 0) != (uint8_t)before) || !is_digit(at(x, skip)) ||
        !is_digit(at(x, skip + 1))) {
        return false;
    }
    x->pos += (uint32_t)skip + 2;
    return true;
}

static void scan_clock(PathLexer *x)
{
    if (two_digits(x, 0) && two_digits(x, ':') && two_digits(x, ':') && at(x, 0) == '.' &&
        is_digit(at(x, 1))) {
        x->pos++;
        while (is_digit(at(x, 0))) {
            x->pos++;
        }
    }
}

static void scan_zone(PathLexer *x)
{
    if (at(x, 0) == 'Z') {
        x->pos++;
    } else if ((at(x, 0) == '+' || at(x, 0) == '-') && is_digit(at(x, 1)) && is_digit(at(x, 2)) &&
               at(x, 3) == ':' && is_digit(at(x, 4)) && is_digit(at(x, 5))) {
        x->pos += 6;
    }
}

static void lex_clock_literal(PathLexer *x)
{
    x->pos++;
    uint32_t from = x->pos;
    scan_clock(x);
    bool zone = at(x, 0) == 'Z' || ((at(x, 0) == '+' || at(x, 0) == '-') && at(x, 3) == ':');
    x->token = TOKEN_TIME;
    if (zone || !time_of_day_parse((Str){x->text.p + from, x->pos - from}, &x->time)) {
        bad(x, "时刻，如 @T08:30:00（不带时区）",
            "a time of day such as @T08:30:00, without a zone");
    }
}

static void lex_date_literal(PathLexer *x)
{
    uint32_t from = ++x->pos;
    if (at(x, 0) == 'T') {
        lex_clock_literal(x);
        return;
    }
    x->token = TOKEN_DATE;
    if (two_digits(x, 0) && two_digits(x, 0) && two_digits(x, '-')) {
        two_digits(x, '-');
    }
    uint32_t end = x->pos;
    if (at(x, 0) == 'T') {
        x->token = TOKEN_DATETIME;
        x->pos++;
        if (is_digit(at(x, 0))) {
            scan_clock(x);
            scan_zone(x);
            end = x->pos;
        }
    }
    if (!datetime_parse_loose((Str){x->text.p + from, end - from}, &x->time)) {
        bad(x, "日期，如 @2026-11-22 或 @2026-11-22T08:30:00+08:00",
            "a date such as @2026-11-22 or @2026-11-22T08:30:00+08:00");
    }
}

static void lex_name(PathLexer *x)
{
    uint32_t from = x->pos;
    while (is_name_start(at(x, 0)) || is_digit(at(x, 0))) {
        x->pos++;
    }
    x->token = TOKEN_NAME;
    x->value = (Str){x->text.p + from, x->pos - from};
}

static void lex_dollar(PathLexer *x)
{
    x->pos++;
    lex_name(x);
    if (str_is(x->value, "this")) {
        x->token = TOKEN_THIS;
    } else if (str_is(x->value, "index")) {
        x->token = TOKEN_INDEX;
    } else if (str_is(x->value, "total")) {
        x->token = TOKEN_TOTAL;
    } else {
        bad(x, "$this、$index 或 $total", "$this, $index or $total");
    }
}

static void lex_punct(PathLexer *x)
{
    static const char *const TWO[] = {"<=", ">=", "!=", "!~"};
    x->token = TOKEN_PUNCT;
    x->value = (Str){x->text.p + x->pos, 1};
    for (size_t i = 0; i < 4; i++) {
        if (at(x, 0) == TWO[i][0] && at(x, 1) == TWO[i][1]) {
            x->value.n = 2;
        }
    }
    if (x->value.n == 1 && !strchr(".,()[]{}+-*/&|<>=~%", x->value.p[0])) {
        bad(x, "FHIRPath 表达式中允许的字符", "a character that FHIRPath knows");
        return;
    }
    x->pos += (uint32_t)x->value.n;
}

void path_lex(PathLexer *x)
{
    x->at = x->pos;
    x->value = STR_NONE;
    if (!skip_blank(x)) {
        bad(x, "注释的结束符 */", "the */ that ends the comment");
        return;
    }
    x->at = x->pos;
    int c = at(x, 0);
    if (c < 0) {
        x->token = TOKEN_END;
    } else if (c == '\'') {
        lex_quoted(x, '\'', TOKEN_STRING);
    } else if (c == '`') {
        lex_quoted(x, '`', TOKEN_QUOTED_NAME);
    } else if (is_digit(c)) {
        lex_number(x);
    } else if (c == '@') {
        lex_date_literal(x);
    } else if (c == '$') {
        lex_dollar(x);
    } else if (is_name_start(c)) {
        lex_name(x);
    } else {
        lex_punct(x);
    }
}
