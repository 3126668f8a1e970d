/* How far an index goes with custom parameters, and what follows for a resource's rows. */
#include "store_inner.h"
#include "store_params_inner.h"

#include "mk_banned.h"

#define META  "params"
#define READY "ready"

/* ---- As text --------------------------------------------------------------------------------- */

static bool at_parse(Str text, ParamAt *ret)
{
    Str number, done;
    int64_t n;
    if (!str_cut(text, '=', &number, &done) || !str_to_i64(number, &n)) {
        return false;
    }
    ret->number = (uint32_t)n;
    ret->done = PARAM_READY;
    return str_is(done, READY) || str_to_i64(done, &ret->done);
}

Status params_stand_read(Db *index, Arena *a, ParamStand *ret, Err *err)
{
    Str text, one;
    int64_t floor = 0;
    TRY(index_meta_get(index, a, META, &text, err));
    *ret = (ParamStand){.at = arena_array(a, ParamAt, text.n / 2 + 1)};
    str_cut(text, ';', &one, &text);
    (void)str_to_i64(one, &floor);
    ret->floor = (uint32_t)floor;
    while (!str_empty(text)) {
        str_cut(text, ';', &one, &text);
        ret->n += at_parse(one, &ret->at[ret->n]);
    }
    return OK;
}

Status params_stand_write(Db *index, Arena *a, const ParamStand *stand, Err *err)
{
    Buf out;
    buf_init(&out, 0);
    buf_printf(&out, "%u", stand->floor);
    for (size_t i = 0; i < stand->n; i++) {
        const ParamAt *at = &stand->at[i];
        buf_printf(&out, ";%u=", at->number);
        if (at->done == PARAM_READY) {
            buf_c(&out, READY);
        } else {
            buf_printf(&out, "%lld", (long long)at->done);
        }
    }
    return index_meta_put(index, META, buf_take(&out, a), err);
}

bool params_stand_same(const ParamStand *x, const ParamStand *y)
{
    bool same = x->floor == y->floor && x->n == y->n;
    for (size_t i = 0; same && i < x->n; i++) {
        same = x->at[i].number == y->at[i].number && x->at[i].done == y->at[i].done;
    }
    return same;
}

ParamStand params_stand_whole(const ParamTable *t, Arena *a)
{
    ParamStand stand = {.floor = t->last, .at = arena_array(a, ParamAt, t->def_n + 1)};
    for (size_t i = 0; i < t->def_n; i++) {
        stand.at[stand.n++] = (ParamAt){t->def[i]->number, PARAM_READY};
    }
    return stand;
}

/* ---- What follows ---------------------------------------------------------------------------- */

int64_t params_stand_done(const ParamStand *stand, uint32_t number)
{
    for (size_t i = 0; i < stand->n; i++) {
        if (stand->at[i].number == number) {
            return stand->at[i].done;
        }
    }
    return -1;
}

bool params_stand_all(const ParamTable *t, const ParamStand *stand)
{
    bool all = true;
    for (size_t i = 0; i < t->def_n && all; i++) {
        all = params_stand_done(stand, t->def[i]->number) == PARAM_READY;
    }
    return all;
}

bool params_pending(const ParamTable *t, const ParamStand *stand, uint32_t number)
{
    return !params_def(t, number) &&
           (number > stand->floor || params_stand_done(stand, number) >= 0);
}

/* Rows of a published parameter, or of a custom one that the version has in the index. */
static bool row_is_there(const ParamTable *t, const ParamStand *stand, int64_t rid, uint64_t seq,
                         const IndexRow *row)
{
    bool custom =
        row->table != INDEX_COMPARTMENT && row->table != INDEX_PHRASE && (row->param & PARAM_BIT);
    uint32_t number = param_rows_number(row->param);
    const ParamDef *def = custom ? params_def(t, number) : NULL;
    return !custom || (def && (seq > def->from_seq || rid <= params_stand_done(stand, number)));
}

const IndexDoc *params_settle(Arena *a, const ParamTable *t, const ParamStand *stand, int64_t rid,
                              uint64_t seq, const IndexDoc *doc)
{
    if (!doc || !t || params_stand_all(t, stand)) {
        return doc;
    }
    IndexDoc *settled = arena_new(a, IndexDoc);
    *settled = *doc;
    settled->rows = arena_array(a, IndexRow, doc->rows_n + 1);
    settled->rows_n = 0;
    for (size_t i = 0; i < doc->rows_n; i++) {
        if (row_is_there(t, stand, rid, seq, &doc->rows[i])) {
            settled->rows[settled->rows_n++] = doc->rows[i];
        }
    }
    return settled;
}

void params_tell(Store *s, const ParamStand *stand)
{
    const ParamTable *t = params_now(s);
    bool news = false;
    for (size_t i = 0; t && i < t->def_n; i++) {
        int64_t done = params_stand_done(stand, t->def[i]->number);
        done = done < 0 ? 0 : done;
        news = news || (done == PARAM_READY && atomic_load(&t->def[i]->done) != PARAM_READY);
        atomic_store(&t->def[i]->done, done);
    }
    if (news) {
        atomic_fetch_add(&s->params_news, 1);
    }
}

Status params_stand_take(Store *s, Db *index, Err *err)
{
    ParamStand stand;
    Arena a;
    arena_init(&a, 0);
    Status st = params_stand_read(index, &a, &stand, err);
    if (st == OK) {
        arena_done(&s->stand_arena);
        s->stand_arena = a;
        s->stand = stand;
        params_tell(s, &s->stand);
        return OK;
    }
    arena_done(&a);
    return st;
}

Status params_open(Store *s, Db *index, Err *err)
{
    TRY(params_stand_take(s, index, err));
    TRY(params_load(s, s->log, &s->stand, err));
    params_tell(s, &s->stand);
    return OK;
}
