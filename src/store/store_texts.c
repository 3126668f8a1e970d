/* The texts of a string condition in order: a merge of index.db's rows and the delta's. */
#include <stdlib.h>

#include "store_posting.h"

#include "mk_banned.h"

Str posting_prefix_end(Arena *a, Str prefix)
{
    char *p = arena_cstr(a, prefix);
    p[prefix.n - 1] = (char)((unsigned char)p[prefix.n - 1] + 1);
    return (Str){p, prefix.n};
}

static int text_order(Str x, int64_t x_rid, Str y, int64_t y_rid)
{
    int c = str_cmp(x, y);
    return c ? c : x_rid < y_rid ? -1 : x_rid > y_rid;
}

static int delta_text_order(const void *x, const void *y)
{
    const DeltaRow *p = *(const DeltaRow *const *)x, *q = *(const DeltaRow *const *)y;
    return text_order(p->row->text, p->doc->rid, q->row->text, q->doc->rid);
}

static void texts_of_delta(Texts *w, uint32_t param, Str prefix, Str from)
{
    DeltaRows list = delta_rows(&w->run->reader->delta, INDEX_STRING, param, 0);
    size_t room = 0;
    for (const DeltaRow *r; (r = delta_next(&list)) != NULL;) {
        if (!str_starts(r->row->text, prefix) || str_cmp(r->row->text, from) < 0) {
            continue;
        }
        if (w->delta_n == room) {
            room = room ? room * 2 : 64;
            const DeltaRow **wider = arena_array(w->run->arena, const DeltaRow *, room);
            if (w->delta_n) {
                memcpy(wider, w->delta, w->delta_n * sizeof *wider);
            }
            w->delta = wider;
        }
        w->delta[w->delta_n++] = r;
    }
    if (w->delta_n) {
        qsort(w->delta, w->delta_n, sizeof *w->delta, delta_text_order);
    }
}

static Status texts_step(Texts *w, Err *err)
{
    DbStep step;
    do {
        step = db_step(w->st);
    } while (step == DB_ROW && delta_moved(&w->run->reader->delta, db_col_i64(w->st, 1)));
    w->live = step == DB_ROW;
    return step == DB_FAIL || step == DB_RETRY ? db_failed(w->run->reader->index, err) : OK;
}

Status texts_open(Run *r, const Test *t, Str from, Texts *ret, Err *err)
{
    Str prefix = t->clause->values[0].text;
    Str begin = str_cmp(from, prefix) > 0 ? from : prefix;
    DbStmt *st = db_take(r->reader->index, "SELECT value, rid FROM string WHERE param = ?"
                                           " AND value >= ? AND value < ? ORDER BY value, rid");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, t->part[0]);
    db_bind_str(st, 1, begin);
    db_bind_str(st, 2, posting_prefix_end(r->arena, prefix));
    *ret = (Texts){.run = r, .st = st};
    texts_of_delta(ret, t->part[0], prefix, begin);
    Status s = texts_step(ret, err);
    if (s != OK) {
        texts_close(ret);
    }
    return s;
}

bool texts_head(Texts *w, Str *ret_text, int64_t *ret_rid)
{
    const DeltaRow *d = w->delta_at < w->delta_n ? w->delta[w->delta_at] : NULL;
    w->at_index = w->live && (!d || text_order(db_col_str(w->st, 0), db_col_i64(w->st, 1),
                                               d->row->text, d->doc->rid) < 0);
    if (w->at_index) {
        *ret_text = db_col_str(w->st, 0);
        *ret_rid = db_col_i64(w->st, 1);
    } else if (d) {
        *ret_text = d->row->text;
        *ret_rid = d->doc->rid;
    }
    return w->at_index || d;
}

Status texts_skip(Texts *w, Err *err)
{
    if (w->at_index) {
        return texts_step(w, err);
    }
    w->delta_at++;
    return OK;
}

void texts_close(Texts *w)
{
    db_give(w->st);
}
