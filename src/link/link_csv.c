#include "link_csv.h"

#include <unicode/ucnv.h>

#include "mk_banned.h"

/* ---- Character sets ---------------------------------------------------------------------------
 */

static Status not_text(Err *err)
{
    return err_rule(err, ERR_INVALID, STR("csv-charset"), STR_NONE,
                    "文件既不是 UTF-8 也不是 GB18030 文本，请另存为 CSV UTF-8",
                    "The file is text neither in UTF-8 nor in GB18030; save it as CSV UTF-8");
}

/* Strict: what is not of the character set is an error, not a question mark. */
static UConverter *converter_open(const char *charset)
{
    UErrorCode code = U_ZERO_ERROR;
    UConverter *cnv = ucnv_open(charset, &code);
    ucnv_setToUCallBack(cnv, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &code);
    if (U_FAILURE(code)) {
        ucnv_close(cnv);
        return NULL;
    }
    return cnv;
}

/* A character of two bytes or more gives at most three of UTF-8 for every two. */
static Status convert(Arena *a, Str bytes, const char *charset, Str *ret, Err *err)
{
    UConverter *from = converter_open(charset), *to = converter_open("UTF-8");
    mk_check(from && to);
    size_t room = bytes.n * 2 + 16;
    char *text = arena_alloc_raw(a, room), *out = text;
    const char *in = bytes.p;
    UErrorCode code = U_ZERO_ERROR;
    UChar pivot[1024], *pivot_in = pivot, *pivot_out = pivot;
    ucnv_convertEx(to, from, &out, text + room, &in, bytes.p + bytes.n, pivot, &pivot_in,
                   &pivot_out, pivot + 1024, true, true, &code);
    ucnv_close(from);
    ucnv_close(to);
    if (U_FAILURE(code)) {
        return not_text(err);
    }
    *ret = (Str){text, (size_t)(out - text)};
    return OK;
}

Status link_csv_decode(Arena *a, Str bytes, Str *ret, const char **ret_charset, Err *err)
{
    Str text = bytes;
    const char *charset = "UTF-8";
    if (bytes.n > LINK_CSV_BYTES_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR_NONE, "文件超过 %zu MiB，请拆分",
                       "The file is larger than %zu MiB; split it", LINK_CSV_BYTES_MAX >> 20);
    }
    if (str_starts(bytes, STR("\xef\xbb\xbf"))) {
        text = str_skip(bytes, 3);
    } else if (str_starts(bytes, STR("\xff\xfe")) || str_starts(bytes, STR("\xfe\xff"))) {
        charset = bytes.p[0] == '\xff' ? "UTF-16LE" : "UTF-16BE";
        TRY(convert(a, str_skip(bytes, 2), charset, &text, err));
    } else if (!utf8_valid(bytes)) {
        charset = "GB18030";
        TRY(convert(a, bytes, charset, &text, err));
    }
    if (!utf8_valid(text) || (text.n && memchr(text.p, 0, text.n))) {
        return not_text(err);
    }
    *ret = text;
    *ret_charset = charset;
    return OK;
}

/* ---- Records ----------------------------------------------------------------------------------
 */

void link_csv_init(LinkCsv *c, Str bytes)
{
    static const char SEPARATORS[] = {',', ';', '\t'};
    size_t count[3] = {0}, best = 0;
    *c = (LinkCsv){.bytes = bytes, .line = 1};
    for (size_t i = 0; i < bytes.n && bytes.p[i] != '\n'; i++) {
        for (size_t k = 0; k < 3; k++) {
            count[k] += bytes.p[i] == SEPARATORS[k];
        }
    }
    for (size_t k = 1; k < 3; k++) {
        best = count[k] > count[best] ? k : best;
    }
    c->separator = SEPARATORS[best];
}

typedef struct Cursor {
    const LinkCsv *csv;
    Arena *arena;
    size_t at, end; /* end: of what a record may reach */
    uint64_t lines; /* line ends passed */
} Cursor;

static bool at_line_end(const Cursor *k)
{
    Str b = k->csv->bytes;
    return k->at >= b.n || b.p[k->at] == '\n' ||
           (b.p[k->at] == '\r' && (k->at + 1 == b.n || b.p[k->at + 1] == '\n'));
}

/* Between the quotes; doubled quotes become one. False: it never ends. */
static bool quoted_read(Cursor *k, Str *ret)
{
    Str b = k->csv->bytes;
    size_t start = ++k->at, doubled = 0;
    for (; k->at < k->end; k->at++) {
        if (b.p[k->at] == '\n') {
            k->lines++;
        }
        if (b.p[k->at] != '"') {
            continue;
        }
        if (k->at + 1 < k->end && b.p[k->at + 1] == '"') {
            doubled++;
            k->at++;
            continue;
        }
        break;
    }
    if (k->at >= k->end) {
        return false;
    }
    Str inside = {b.p + start, k->at - start};
    k->at++;
    if (doubled) {
        char *plain = arena_alloc_raw(k->arena, inside.n + 1);
        size_t n = 0;
        for (size_t i = 0; i < inside.n; i++) {
            plain[n++] = inside.p[i];
            i += inside.p[i] == '"';
        }
        inside = (Str){plain, n};
    }
    *ret = inside;
    return true;
}

static Str plain_read(Cursor *k)
{
    Str b = k->csv->bytes;
    size_t start = k->at;
    while (!at_line_end(k) && b.p[k->at] != k->csv->separator) {
        k->at++;
    }
    return (Str){b.p + start, k->at - start};
}

/* NULL when it is well; else what is wrong, in both languages. */
static const char *const *record_read(Cursor *k, Str *field, size_t *ret_n)
{
    static const char *const OPEN[] = {"引号没有结束", "a quote does not end"};
    static const char *const AFTER[] = {"引号之后还有文字", "there is text after a closing quote"};
    static const char *const WIDE[] = {"列数超过上限", "there are too many columns"};
    static const char *const LONG[] = {"这一行过长", "the record is too long"};
    Str b = k->csv->bytes;
    for (size_t n = 0;; k->at++) {
        if (n == LINK_CSV_COLUMNS_MAX) {
            return WIDE;
        }
        if (k->at < b.n && b.p[k->at] == '"') {
            if (!quoted_read(k, &field[n++])) {
                return k->end < b.n ? LONG : OPEN;
            }
            if (!at_line_end(k) && b.p[k->at] != k->csv->separator) {
                return AFTER;
            }
        } else {
            field[n++] = plain_read(k);
        }
        if (k->at > k->end) {
            return LONG;
        }
        if (at_line_end(k)) {
            *ret_n = n;
            return NULL;
        }
    }
}

/* To the first character of the next line. */
static void line_pass(LinkCsv *c, size_t at, uint64_t lines)
{
    while (at < c->bytes.n && c->bytes.p[at] != '\n') {
        at++;
    }
    c->at = at < c->bytes.n ? at + 1 : at;
    c->line += lines + 1;
}

static bool only_line_end(LinkCsv *c)
{
    Cursor k = {.csv = c, .at = c->at};
    return at_line_end(&k);
}

LinkCsvStep link_csv_next(LinkCsv *c, Arena *a, LinkRecord *ret, Err *err)
{
    while (c->at < c->bytes.n && only_line_end(c)) {
        line_pass(c, c->at, 0);
    }
    if (c->at >= c->bytes.n) {
        return LINK_CSV_END;
    }
    size_t start = c->at, left = c->bytes.n - start, n = 0;
    Cursor k = {.csv = c, .arena = a, .at = start};
    k.end = start + (left < LINK_CSV_RECORD_MAX ? left : LINK_CSV_RECORD_MAX);
    Str *field = arena_array(a, Str, LINK_CSV_COLUMNS_MAX);
    const char *const *wrong = record_read(&k, field, &n);
    *ret = (LinkRecord){.field = field, .n = n, .line = c->line};
    if (!wrong) {
        ret->raw = (Str){c->bytes.p + start, k.at - start};
        line_pass(c, k.at, k.lines);
        return LINK_CSV_RECORD;
    }
    uint64_t line = c->line;
    line_pass(c, start, 0);
    ret->raw = str_trim((Str){c->bytes.p + start, c->at - start});
    (void)err_rule(err, ERR_INVALID, STR("csv-record"), STR_NONE, "第 %llu 行：%s%.0s",
                   "line %llu: %.0s%s", (unsigned long long)line, wrong[0], wrong[1]);
    return LINK_CSV_BAD;
}

void link_csv_put(Buf *out, Str field)
{
    bool quoted = false;
    for (size_t i = 0; i < field.n; i++) {
        char ch = field.p[i];
        quoted |= ch == '"' || ch == ',' || ch == ';' || ch == '\t' || ch == '\n' || ch == '\r';
    }
    if (!quoted) {
        buf_add(out, field);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < field.n; i++) {
        buf_c(out, field.p[i] == '"' ? "\"" : "");
        buf_char(out, field.p[i]);
    }
    buf_char(out, '"');
}
