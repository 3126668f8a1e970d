/* The sheets beside the data: refused rows with their reasons, first passwords of new accounts. */
#include "cmd_csv_inner.h"

#include <fcntl.h>

#include "mk_banned.h"

FILE *cmd_csv_sheet_open(Csv *c, const char *suffix)
{
    Str folder = path_join(c->arena, str_from_c(c->o->dir), STR("import"));
    Str name = arena_cat(c->arena, c->name, str_from_c(suffix));
    if (dir_make(folder.p, 0700, NULL) != OK) {
        return NULL;
    }
    int fd = open(path_join(c->arena, folder, name).p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  0600); /* people's data, and passwords */
    return fd < 0 ? NULL : fdopen(fd, "w");
}

void cmd_csv_sheet_line(FILE *f, const Str *field, size_t n)
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

/* As many columns as the header has, then the line and the reasons. */
static void refused_line(Csv *c, const Str *field, size_t n, Str line, Str zh, Str en)
{
    Str row[LINK_CSV_COLUMNS_MAX + 3];
    size_t width = c->header.n;
    for (size_t i = 0; i < width; i++) {
        row[i] = i < n ? field[i] : STR_NONE;
    }
    row[width] = line;
    row[width + 1] = zh;
    row[width + 2] = en;
    cmd_csv_sheet_line(c->refused_file, row, width + 3);
}

static bool refused_open(Csv *c)
{
    if (!c->refused_file) {
        c->refused_file = cmd_csv_sheet_open(c, ".refused.csv");
        if (c->refused_file) {
            fputs("\xef\xbb\xbf", c->refused_file); /* for spreadsheets */
            refused_line(c, c->header.field, c->header.n, STR("行号"), STR("原因"), STR("reason"));
        }
    }
    return c->refused_file != NULL;
}

static void reasons_join(const Err *err, Buf *zh, Buf *en)
{
    for (const Issue *i = err->first; i; i = i->next) {
        buf_c(zh, zh->n ? "；" : "");
        buf_add(zh, i->zh);
        buf_c(en, en->n ? "; " : "");
        buf_add(en, i->en);
    }
}

void cmd_csv_refuse(Csv *c, Arena *a, const LinkRecord *r, const Err *err)
{
    Buf zh, en;
    c->refused++;
    if (!refused_open(c)) {
        return;
    }
    buf_init(&zh, 0);
    buf_init(&en, 0);
    reasons_join(err, &zh, &en);
    Str line = arena_printf(a, "%llu", (unsigned long long)r->line);
    refused_line(c, r->field, r->n, line, buf_str(&zh), buf_str(&en));
    buf_done(&zh);
    buf_done(&en);
}
