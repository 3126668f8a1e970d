/*
 * What the row of a version says is left out of its body: the resource's own id, and the id of its
 * first patient. A byte that no JSON has stands in their place.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define TOLD_BYTES_MIN 16 /* less is not worth it */

/* Bytes of a shortened body; JSON has none below a tab. */
enum { MARK_ID = 1, MARK_PATIENT, MARKS };

static void row_tells(const BodyRow *row, Str ret[MARKS])
{
    Str patients = row->patients, rest;
    bool unknown;
    store_labels_cut(&patients, &unknown);
    ret[MARK_ID] = row->id;
    str_cut(patients, ' ', &ret[MARK_PATIENT], &rest);
}

/* The next mark from there on, or the end; at: where each was found. */
static const char *mark_find(const char *from, const char *end, const char *at[MARKS])
{
    const char *first = end;
    for (int mark = MARK_ID; mark < MARKS; mark++) {
        if (!at[mark] || at[mark] < from) {
            const char *found = memchr(from, mark, (size_t)(end - from));
            at[mark] = found ? found : end;
        }
        first = at[mark] < first ? at[mark] : first;
    }
    return first;
}

static Str text_marked(Arena *a, Str text, Str told, char mark)
{
    if (told.n < TOLD_BYTES_MIN || str_find(text, told) < 0) {
        return text;
    }
    char *to = arena_alloc_raw(a, text.n);
    size_t n = 0;
    for (ptrdiff_t at; (at = str_find(text, told)) >= 0;
         text = str_skip(text, (size_t)at + told.n)) {
        memcpy(to + n, text.p, (size_t)at);
        n += (size_t)at;
        to[n++] = mark;
    }
    memcpy(to + n, text.p, text.n);
    return (Str){to, n + text.n};
}

bool body_shorten(Arena *a, const BodyRow *row, Str body, Str *ret)
{
    Str told[MARKS];
    const char *at[MARKS] = {NULL};
    row_tells(row, told);
    if (mark_find(body.p, body.p + body.n, at) < body.p + body.n) {
        return false;
    }
    *ret = body;
    for (char mark = MARK_ID; mark < MARKS; mark++) {
        *ret = text_marked(a, *ret, told[(int)mark], mark);
    }
    return ret->n < body.n;
}

bool body_lengthen(Arena *a, const BodyRow *row, Str body, Str *ret)
{
    Str told[MARKS];
    const char *end = body.p + body.n, *p, *next, *at[MARKS] = {NULL};
    size_t n = body.n;
    row_tells(row, told);
    for (p = mark_find(body.p, end, at); p < end; p = mark_find(p + 1, end, at)) {
        if (!told[(int)*p].n) {
            return false;
        }
        n += told[(int)*p].n - 1;
    }
    char *to = arena_alloc_raw(a, n + 1);
    *ret = (Str){to, n};
    at[MARK_ID] = at[MARK_PATIENT] = NULL;
    for (p = body.p; (next = mark_find(p, end, at)) < end; p = next + 1) {
        memcpy(to, p, (size_t)(next - p));
        to += next - p;
        memcpy(to, told[(int)*next].p, told[(int)*next].n);
        to += told[(int)*next].n;
    }
    memcpy(to, p, (size_t)(end - p));
    to[end - p] = '\0';
    return true;
}
