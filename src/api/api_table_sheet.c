/*
 * The sheets: refused rows with their reasons, first passwords of new accounts. UTF-8 with a mark
 * and CRLF, so that WPS and Excel open them with a double click.
 */
#include "api_table_inner.h"

#include <fcntl.h>

#include "mk_banned.h"

#define NUMBER_MAX 11 /* digits that a spreadsheet keeps as they are */

/* Emptied; NULL when it cannot be made. People's data, and passwords: for the owner alone. */
static FILE *sheet_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f) {
        fputs("\xef\xbb\xbf", f);
    }
    return f;
}

static void sheet_line(FILE *f, const Str *field, size_t n)
{
    Buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < n; i++) {
        buf_c(&out, i ? "," : "");
        link_csv_put(&out, field[i]);
    }
    buf_c(&out, "\r\n");
    fwrite(out.p, 1, out.n, f);
    buf_done(&out);
}

/*
 * A cell that a spreadsheet would change: an ID card is rounded to 15 digits, what begins with =
 * is run. A tab before it makes it text; read again, the tab is blank.
 */
static Str cell_kept(Arena *a, Str cell)
{
    size_t digits = 0;
    while (digits < cell.n && cell.p[digits] >= '0' && cell.p[digits] <= '9') {
        digits++;
    }
    bool formula = cell.n && strchr("=+-@", cell.p[0]) != NULL;
    return digits > NUMBER_MAX || formula ? arena_cat(a, STR("\t"), cell) : cell;
}

/* As many columns as the header has, then the line and the reasons. */
static void refused_line(Table *t, Arena *a, const LinkRecord *r, Str line, Str zh, Str en)
{
    Str row[LINK_CSV_COLUMNS_MAX + 3];
    size_t width = t->header.n;
    for (size_t i = 0; i < width; i++) {
        row[i] = i < r->n ? cell_kept(a, r->field[i]) : STR_NONE;
    }
    row[width] = line;
    row[width + 1] = zh;
    row[width + 2] = en;
    sheet_line(t->refused, row, width + 3);
}

static bool refused_open(Table *t, Arena *a)
{
    if (!t->refused && !t->done.incomplete) {
        t->refused = sheet_open(t->o->refused);
        t->done.incomplete = !t->refused;
        if (t->refused) {
            refused_line(t, a, &t->header, STR("行号"), STR("原因"), STR("reason"));
        }
    }
    return t->refused != NULL;
}

static void reasons_join(Arena *a, const Err *err, Str *ret_zh, Str *ret_en)
{
    Buf zh, en;
    buf_init(&zh, 0);
    buf_init(&en, 0);
    for (const Issue *i = err->first; i; i = i->next) {
        buf_c(&zh, zh.n ? "；" : "");
        buf_add(&zh, i->zh);
        buf_c(&en, en.n ? "; " : "");
        buf_add(&en, i->en);
    }
    *ret_zh = arena_str(a, buf_str(&zh));
    *ret_en = arena_str(a, buf_str(&en));
    buf_done(&zh);
    buf_done(&en);
}

void table_refuse(Table *t, Arena *a, const LinkRecord *r, const Err *err)
{
    ApiTableDone *done = &t->done;
    Str zh, en;
    done->refused++;
    reasons_join(done->shown_n < API_TABLE_SHOWN ? t->arena : a, err, &zh, &en);
    if (done->shown_n < API_TABLE_SHOWN) {
        done->shown[done->shown_n++] = (ApiTableRefusal){r->line, zh, en};
    }
    if (refused_open(t, a)) {
        Str line = arena_printf(a, "%llu", (unsigned long long)r->line);
        refused_line(t, a, r, line, zh, en);
    }
}

void table_password_note(Table *t, const TableAccount *account, Str password)
{
    if (!t->passwords && !(t->passwords = sheet_open(t->o->passwords))) {
        t->done.incomplete = true;
        return;
    }
    const Str row[] = {account->username, account->name, password};
    sheet_line(t->passwords, row, sizeof row / sizeof *row);
}

static bool sheet_close(FILE *f, ApiTableDone *done)
{
    if (!f) {
        return false;
    }
    bool torn = ferror(f) != 0;
    done->incomplete |= fclose(f) != 0 || torn;
    return true;
}

void table_sheets_close(Table *t)
{
    t->done.refused_sheet = sheet_close(t->refused, &t->done);
    t->done.passwords_sheet = sheet_close(t->passwords, &t->done);
}
