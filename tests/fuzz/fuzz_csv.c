/*
 * A table as bytes: decoded and walked to its end. Every record is within its bounds and its
 * lines go forward; what is written from a record's fields is read again as the same fields.
 */
#include "link_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void written_again(Arena *a, const LinkRecord *r, char separator)
{
    Buf out;
    LinkCsv csv;
    LinkRecord back;
    buf_init(&out, 0);
    for (size_t i = 0; i < r->n; i++) {
        if (i) {
            buf_char(&out, separator);
        }
        buf_char(&out, '"');
        for (size_t k = 0; k < r->field[i].n; k++) {
            buf_c(&out, r->field[i].p[k] == '"' ? "\"" : "");
            buf_char(&out, r->field[i].p[k]);
        }
        buf_char(&out, '"');
    }
    csv = (LinkCsv){.bytes = buf_str(&out), .line = 1, .separator = separator};
    if (out.n < LINK_CSV_RECORD_MAX) {
        mk_check(link_csv_next(&csv, a, &back, NULL) == LINK_CSV_RECORD && back.n == r->n);
        for (size_t i = 0; i < r->n; i++) {
            mk_check(str_eq(back.field[i], r->field[i]));
        }
    }
    buf_done(&out);
}

static void walk(Arena *a, Str text, Err *err)
{
    LinkCsv csv;
    LinkRecord r;
    LinkCsvStep step;
    uint64_t line = 0;
    link_csv_init(&csv, text);
    while ((step = link_csv_next(&csv, a, &r, err)) != LINK_CSV_END) {
        mk_check(r.line > line && csv.at <= text.n);
        line = r.line;
        if (step == LINK_CSV_RECORD) {
            mk_check(r.n > 0 && r.n <= LINK_CSV_COLUMNS_MAX);
            written_again(a, &r, csv.separator);
        }
    }
    mk_check(csv.at == text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    Str text;
    const char *charset;
    arena_init(&a, 64u << 20);
    err_init(&err, &a);
    if (link_csv_decode(&a, (Str){(const char *)data, n}, &text, &charset, &err) == OK) {
        walk(&a, text, &err);
    } else {
        mk_check(err.count > 0);
    }
    arena_done(&a);
    return 0;
}
