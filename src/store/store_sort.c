/*
 * Pages in another order than that of the posting lists: by the text that is looked for, by the
 * last update, by keys that the index knows, and by keys that stand only in the bodies.
 */
#include <stdlib.h>

#include "store_query.h"

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
    for (size_t i = 0; i < c->n; i++) {
        Found stub = {.at = c->at[i]};
        TRY(page_offer(&all, &stub, false, err));
    }
    if (all.n) {
        qsort_r(all.found, all.n, sizeof *all.found, by_keys, (void *)p->run->query);
    }
    p->total = (int64_t)all.n;
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

static Status seq_of(Run *r, int64_t rid, uint64_t *ret, Err *err)
{
    DbStmt *st = db_take(r->reader->index, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, rid);
    *ret = db_step(st) == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return run_charge(r, 1, err);
}

static bool query_needs_seq(const StoreQuery *q)
{
    bool any = false;
    for (size_t i = 0; i < q->sort_n; i++) {
        any = any || q->sort[i].kind == SORT_UPDATED;
    }
    return any;
}

static Status sort_index(Page *p, const Candidates *c, Err *err)
{
    const StoreQuery *q = p->run->query;
    bool by_seq = query_needs_seq(q);
    Keyed *list = arena_array(p->run->arena, Keyed, c->n + 1);
    for (size_t i = 0; i < c->n; i++) {
        uint64_t seq = 0;
        if (by_seq) {
            TRY(seq_of(p->run, c->at[i].rid, &seq, err));
        }
        list[i].at = c->at[i];
        for (size_t k = 0; k < q->sort_n; k++) {
            list[i].key[k] = candidate_key(q, &q->sort[k], c->at[i], seq);
        }
    }
    qsort_r(list, c->n, sizeof *list, keyed_order, (void *)q);
    for (size_t i = 0; i < c->n && !page_is_full(p); i++) {
        Found stub = keyed_stub(q, &list[i]);
        TRY(page_offer(p, &stub, true, err));
    }
    return OK;
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

static Status page_changes(Page *p, size_t limit, bool *ret_done, Err *err)
{
    DbStmt *st = changes_stmt(p);
    if (!st) {
        return db_failed(p->run->reader->index, err);
    }
    Status s = OK;
    DbStep step = DB_ROW;
    for (size_t n = 0; s == OK && n < limit && !page_is_full(p); n++) {
        step = db_step(st);
        if (step != DB_ROW) {
            break;
        }
        Found stub = {.at = {db_col_i64(st, 1), db_col_i64(st, 0)}};
        s = page_offer(p, &stub, false, err);
    }
    if (s == OK && step != DB_ROW && step != DB_NONE) {
        s = db_failed(p->run->reader->index, err);
    }
    db_give(st);
    *ret_done = step == DB_NONE || page_is_full(p);
    return s;
}

/* ---- In the order of what is looked for -------------------------------------------------------
 */

/*
 * The condition's texts in order, until the page is full. *ret_done false: too long a walk for a
 * view as narrow as this, or a text too long to say a place.
 */
static Status texts_walk(Page *p, DbStmt *st, bool *ret_done, Err *err)
{
    size_t limit = p->among ? TEXT_TRY + TEXT_TRY_OWN * p->among->n : SIZE_MAX;
    DbStep step = DB_NONE;
    *ret_done = true;
    for (size_t n = 0; !page_is_full(p) && (step = db_step(st)) == DB_ROW; n++) {
        Found stub = {.at = {ND_NONE, db_col_i64(st, 1)}};
        if (p->among && !own_has_rid(p->among, stub.at.rid)) {
            TRY(run_charge(p->run, 1, err));
            continue;
        }
        stub.text[0] = db_col_str(st, 0);
        if (n >= limit || stub.text[0].n > KEY_BYTES_MAX) {
            *ret_done = false;
            return OK;
        }
        TRY(page_offer(p, &stub, true, err));
    }
    return step == DB_FAIL || step == DB_RETRY ? db_failed(p->run->reader->index, err) : OK;
}

static Status page_texts(Page *p, const Source *src, bool *ret_done, Err *err)
{
    Str from = p->cursor ? p->cursor->last.text[0] : STR_NONE;
    DbStmt *st = source_texts(p->run, src->test, from);
    if (!st) {
        return db_failed(p->run->reader->index, err);
    }
    Status s = texts_walk(p, st, ret_done, err);
    db_give(st);
    return s;
}

/* Few texts of a condition are soon sorted; many are walked, or the caller's own looked into. */
static Status page_by_text(Page *p, Source *src, Err *err)
{
    Source own;
    bool usable, done = false;
    bool its_rows = src->kind == SOURCE_TEST && src->test->clause == p->run->query->by_text;
    if (!its_rows || p->count_all) {
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
