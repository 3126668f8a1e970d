/*
 * Pages in another order than that of the posting lists: by the text that is looked for, by the
 * last update, by keys that the index knows, and by keys that stand only in the bodies.
 */
#include <stdlib.h>

#include "store_posting.h"

#include "mk_banned.h"

#define UPDATED_TRY    20000 /* changes walked before all matches are sorted instead */
#define OWN_SORTED_MAX 5000  /* patients of whom everything is sorted */
#define TEXT_TRY       20000 /* texts walked before the caller's own patients are looked into … */
#define TEXT_TRY_OWN   64    /* … and so many more for each of these */

/* ---- By keys in the bodies: all matches are needed to sort them ------------------------------ */

static int by_keys(const void *x, const void *y, void *query)
{
    return found_order(query, x, y);
}

static Status sort_bodies(Page *p, const Candidates *c, Err *err)
{
    Page all = {.run = p->run, .limit = SIZE_MAX, .among = p->among};
    Status s = OK;
    for (size_t i = 0; i < c->n && s == OK; i++) {
        Found stub = {.at = c->at[i]};
        page_comes(&all, c, i);
        s = page_offer(&all, &stub, false, err);
    }
    run_coming(p->run, NULL, 0);
    TRY(s);
    if (all.n) {
        qsort_r(all.found, all.n, sizeof *all.found, by_keys, (void *)p->run->query);
    }
    p->total = p->counted ? p->total : (int64_t)all.n;
    for (size_t i = 0; i < all.n && !p->more; i++) {
        if (!page_is_past(p, &all.found[i])) {
            continue;
        }
        if (p->n < p->limit) {
            page_keep(p, &all.found[i]);
        } else {
            p->more = true;
        }
    }
    return OK;
}

/* ---- By keys in the index: sorted first, looked into until the page is full -------------------
 */

typedef struct Keyed {
    Candidate at;
    int64_t key[QUERY_SORTS_MAX];
} Keyed;

static Found keyed_stub(const StoreQuery *q, const Keyed *k)
{
    Found f = {.at = k->at};
    memcpy(f.key, k->key, q->sort_n * sizeof *k->key);
    return f;
}

static int keyed_order(const void *x, const void *y, void *query)
{
    Found p = keyed_stub(query, x), q = keyed_stub(query, y);
    return found_order(query, &p, &q);
}

static bool query_needs_seq(const StoreQuery *q)
{
    bool any = false;
    for (size_t i = 0; i < q->sort_n; i++) {
        any = any || q->sort[i].kind == SORT_UPDATED;
    }
    return any;
}

static Status sort_index(Page *p, Candidates *c, Err *err)
{
    const StoreQuery *q = p->run->query;
    bool by_seq = query_needs_seq(q);
    Keyed *list = arena_array(p->run->arena, Keyed, c->n + 1);
    uint64_t *seqs = arena_array(p->run->arena, uint64_t, by_seq ? c->n + 1 : 1);
    if (by_seq) {
        TRY(run_seqs(p->run, c->at, c->n, seqs, err));
    }
    for (size_t i = 0; i < c->n; i++) {
        uint64_t seq = by_seq ? seqs[i] : 0;
        list[i].at = c->at[i];
        for (size_t k = 0; k < q->sort_n; k++) {
            list[i].key[k] = candidate_key(q, &q->sort[k], c->at[i], seq);
        }
    }
    qsort_r(list, c->n, sizeof *list, keyed_order, (void *)q);
    for (size_t i = 0; i < c->n; i++) {
        c->at[i] = list[i].at;
    }
    Status s = OK;
    p->run->page_n = p->limit + 1;
    for (size_t i = 0; i < c->n && s == OK && !page_is_full(p); i++) {
        Found stub = keyed_stub(q, &list[i]);
        page_comes(p, c, i);
        s = page_offer(p, &stub, true, err);
    }
    run_coming(p->run, NULL, 0);
    return s;
}

static Status page_sorted(Page *p, const Source *src, Err *err)
{
    Candidates c;
    TRY(source_gather(p->run, src, p->among, &c, err));
    /* behind the log, a head may have been written after the row that tells its key */
    bool lazily = query_keys_in_index(p->run->query) && p->run->index_current;
    return lazily ? sort_index(p, &c, err) : sort_bodies(p, &c, err);
}

/* ---- In the order of writing ------------------------------------------------------------------
 */

static bool query_is_by_update(const StoreQuery *q)
{
    return q->sort_n == 1 && q->sort[0].kind == SORT_UPDATED;
}

/* The heads of a type by the seq that wrote them, past the cursor's place. */
static DbStmt *changes_stmt(const Page *p)
{
    Db *db = p->run->reader->index;
    bool down = p->run->query->sort[0].descending;
    DbStmt *st =
        down ? db_take(db, "SELECT c.rid, d.nd FROM change c CROSS JOIN doc d ON d.rid = c.rid"
                           " AND d.seq = c.seq WHERE c.type = ? AND c.seq < ?"
                           " ORDER BY c.seq DESC")
             : db_take(db, "SELECT c.rid, d.nd FROM change c CROSS JOIN doc d ON d.rid = c.rid"
                           " AND d.seq = c.seq WHERE c.type = ? AND c.seq > ? ORDER BY c.seq");
    if (st) {
        int64_t from = down ? INT64_MAX : 0;
        db_bind_i64(st, 0, type_number(p->run->query->type));
        db_bind_i64(st, 1, p->cursor && !p->count_all ? p->cursor->last.key[0] : from);
    }
    return st;
}

/* The next ones, as many as are worth to be known at once. */
static DbStep changes_next(const Page *p, DbStmt *st, size_t left, Candidates *c)
{
    DbStep step = DB_ROW;
    size_t room = run_stretch(p->run) < left ? run_stretch(p->run) : left;
    c->n = 0;
    while (c->n < room && (step = db_step(st)) == DB_ROW) {
        c->at[c->n++] = (Candidate){db_col_i64(st, 1), db_col_i64(st, 0)};
    }
    return step;
}

/* The index's part of them; *ret_end: there are no more. */
static Status changes_index(Page *p, size_t *left, bool *ret_end, Err *err)
{
    DbStmt *st = changes_stmt(p);
    if (!st) {
        return db_failed(p->run->reader->index, err);
    }
    Status s = OK;
    DbStep step = DB_ROW;
    Candidate at[RUN_COMING];
    p->run->page_n = p->limit + 1;
    while (s == OK && step == DB_ROW && *left > 0 && !page_is_full(p)) {
        Candidates c = {.at = at};
        step = changes_next(p, st, *left, &c);
        for (size_t i = 0; i < c.n && s == OK && !page_is_full(p); i++, --*left) {
            Found stub = {.at = at[i]};
            page_comes(p, &c, i);
            if (!delta_moved(&p->run->reader->delta, stub.at.rid)) {
                s = page_offer(p, &stub, false, err);
            }
        }
        run_coming(p->run, NULL, 0);
    }
    if (s == OK && step != DB_ROW && step != DB_NONE) {
        s = db_failed(p->run->reader->index, err);
    }
    db_give(st);
    *ret_end = step == DB_NONE;
    return s;
}

/* The delta's: all of them are younger than the index's. */
static Status changes_delta(Page *p, size_t *left, bool *ret_end, Err *err)
{
    const DeltaView *delta = &p->run->reader->delta;
    const FhirType *type = p->run->query->type;
    bool down = p->run->query->sort[0].descending;
    uint64_t at = down ? UINT64_MAX : 0;
    const DeltaDoc *d = NULL;
    if (p->cursor && !p->count_all) {
        at = (uint64_t)p->cursor->last.key[0];
    }
    for (; *left > 0 && !page_is_full(p); --*left) {
        d = down ? delta_change_before(delta, type, at) : delta_change_after(delta, type, at);
        if (!d) {
            break;
        }
        at = d->seq;
        Found stub = {.at = {d->doc ? d->doc->nd : ND_NONE, d->rid}};
        if (d->doc && delta_is_head(delta, d)) {
            TRY(page_offer(p, &stub, false, err));
        }
    }
    *ret_end = !d;
    return OK;
}

static Status page_changes(Page *p, size_t limit, bool *ret_done, Err *err)
{
    bool down = p->run->query->sort[0].descending, end = false;
    TRY((down ? changes_delta : changes_index)(p, &limit, &end, err));
    if (end && !page_is_full(p)) {
        TRY((down ? changes_index : changes_delta)(p, &limit, &end, err));
    }
    *ret_done = end || page_is_full(p);
    return OK;
}

/* ---- In the order of what is looked for -------------------------------------------------------
 */

/*
 * The condition's texts in order, until the page is full. *ret_done false: too long a walk for a
 * view as narrow as this, or a text too long to say a place.
 */
static Status texts_walk(Page *p, Texts *texts, bool *ret_done, Err *err)
{
    size_t limit = p->among ? TEXT_TRY + TEXT_TRY_OWN * p->among->n : SIZE_MAX;
    Found stub = {.at = {.nd = ND_NONE}};
    *ret_done = true;
    for (size_t n = 0; !page_is_full(p) && texts_head(texts, &stub.text[0], &stub.at.rid); n++) {
        if (p->among && !own_has_rid(p->among, stub.at.rid)) {
            TRY(run_charge(p->run, 1, err));
        } else if (n >= limit || stub.text[0].n > KEY_BYTES_MAX) {
            *ret_done = false;
            return OK;
        } else {
            TRY(page_offer(p, &stub, true, err));
        }
        TRY(texts_skip(texts, err));
    }
    return OK;
}

static Status page_texts(Page *p, const Source *src, bool *ret_done, Err *err)
{
    Texts texts;
    Str from = p->cursor ? p->cursor->last.text[0] : STR_NONE;
    p->texts_from_first = !p->cursor && p->run->index_current;
    TRY(texts_open(p->run, src->test, from, &texts, err));
    Status s = texts_walk(p, &texts, ret_done, err);
    texts_close(&texts);
    return s;
}

/* Few texts of a condition are soon sorted; many are walked, or the caller's own looked into. */
static Status page_by_text(Page *p, Source *src, Err *err)
{
    Source own;
    bool usable, done = false;
    if (!source_is_by_text(p->run, src) || p->count_all) {
        return page_sorted(p, src, err);
    }
    TRY(page_texts(p, src, &done, err));
    if (done) {
        return OK;
    }
    page_restart(p);
    TRY(source_patients(p->run, &own, &usable, err));
    if (!usable || own.own->n > OWN_SORTED_MAX) {
        return page_sorted(p, src, err);
    }
    source_yield(src);
    p->run->no_sets = true;
    return page_sorted(p, &own, err);
}

/* ---- Which way ------------------------------------------------------------------------------ */

/* By the rows of what is sorted by, where the source has so many of the type that they soon fill a
 * page. */
static Status page_by_rows(Page *p, Source *src, const Source *own, bool *ret_done, Err *err)
{
    Run *r = p->run;
    int64_t all, patients, rows = src->rows;
    TRY(type_counter(r, r->query->type, &all, err));
    rows = src->kind == SOURCE_ALL ? all : rows;
    if (own) {
        TRY(type_counter(r, fhir_resource_find(STR("Patient")), &patients, err));
        rows = (int64_t)((double)rows * (double)own->own->n / (double)(patients + 1));
        TRY(run_pass_others(r, own->own, err));
    }
    if (!sort_rows_are_fewer(p, rows, all)) {
        return OK;
    }
    source_yield(src);
    TRY(page_rows(p, ret_done, err));
    if (*ret_done) {
        run_note(r, "in the order of the rows of %.*s",
                 STR_ARG(fhir_param_name(r->query->sort[0].param)));
        return OK;
    }
    source_drive(src);
    page_restart(p);
    return OK;
}

/* All matches are needed to sort them, unless they already stand in the order asked for. */
static Status page_by_keys(Page *p, Source *src, Err *err)
{
    Source own;
    bool usable, done = false, few = false, many = src->rows >= SOURCE_COUNT_MAX;
    TRY(source_patients(p->run, &own, &usable, err));
    if (many && usable) {
        TRY(own_is_shorter(p, own.own, &few, err));
        few = few && own.patient_n <= OWN_SORTED_MAX;
    }
    if (many && !few && query_is_by_update(p->run->query)) {
        source_yield(src);
        TRY(page_changes(p, UPDATED_TRY, &done, err));
        source_drive(src);
    }
    if (!done && !few && sort_has_rows(p->run)) {
        TRY(page_by_rows(p, src, usable ? &own : NULL, &done, err));
    }
    if (done) {
        return OK;
    }
    page_restart(p);
    if (few) {
        source_yield(src);
        source_drive(&own);
    }
    return page_sorted(p, few ? &own : src, err);
}

Status page_sort(Page *p, Source *src, Err *err)
{
    return p->run->query->by_text ? page_by_text(p, src, err) : page_by_keys(p, src, err);
}
