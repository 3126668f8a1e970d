/* The delta: its parts and who holds them, and looking into them. */
#include <stdlib.h>

#include "store_delta_inner.h"

#include "mk_banned.h"

/* ---- Parts --------------------------------------------------------------------------------- */

static void part_free(DeltaPart *p)
{
    arena_done(&p->arena);
    free(p->doc);
    free(p->by_key);
    free(p->by_rid);
    free(p);
}

/* One reference less; true: it was the last, and the caller frees it behind the lock. */
static bool part_let(DeltaPart *p)
{
    return --p->refs == 0;
}

void delta_open(Store *s)
{
    Delta *d = memory_take_zeroed(sizeof *d);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, &mono);
    pthread_cond_init(&d->done, &mono);
    pthread_condattr_destroy(&mono);
    s->delta = d;
}

void delta_close(Store *s)
{
    Delta *d = s->delta;
    delta_clear(s);
    pthread_cond_destroy(&d->done);
    pthread_cond_destroy(&d->work);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void delta_drop_oldest(Delta *d)
{
    pthread_mutex_lock(&d->lock);
    DeltaPart *p = d->oldest;
    d->oldest = p->newer;
    if (!d->oldest) {
        d->newest = NULL;
    }
    if (d->open == p) {
        d->open = NULL;
    }
    d->n--;
    bool last = part_let(p);
    pthread_mutex_unlock(&d->lock);
    if (last) {
        part_free(p);
    }
}

void delta_clear(Store *s)
{
    while (s->delta->oldest) {
        delta_drop_oldest(s->delta);
    }
}

/* ---- Views ----------------------------------------------------------------------------------- */

/* One that was begun and has nothing published yet is nobody's business. */
static bool part_is_seen(const DeltaPart *p, uint64_t published)
{
    return atomic_load_explicit(&p->doc_n, memory_order_acquire) > 0 && p->doc[0]->seq <= published;
}

void delta_pin(Store *s, DeltaView *ret)
{
    Delta *d = s->delta;
    pthread_mutex_lock(&d->lock);
    mk_check(d->n <= DELTA_PARTS_MAX);
    *ret = (DeltaView){.to_seq = d->published};
    for (DeltaPart *p = d->oldest; p; p = p->newer) {
        if (part_is_seen(p, d->published)) {
            p->refs++;
            memmove(ret->part + 1, ret->part, ret->n * sizeof *ret->part);
            ret->part[0] = p;
            ret->n++;
        }
    }
    pthread_mutex_unlock(&d->lock);
}

static void parts_let(Store *s, DeltaPart **part, size_t n)
{
    bool last[DELTA_PARTS_MAX] = {false};
    pthread_mutex_lock(&s->delta->lock);
    for (size_t i = 0; i < n; i++) {
        last[i] = part_let(part[i]);
    }
    pthread_mutex_unlock(&s->delta->lock);
    for (size_t i = 0; i < n; i++) {
        if (last[i]) {
            part_free(part[i]);
        }
    }
}

void delta_unpin(Store *s, DeltaView *v)
{
    if (v->n) {
        parts_let(s, v->part, v->n);
        v->n = 0;
    }
}

void delta_trim(Store *s, DeltaView *v, uint64_t index_seq)
{
    size_t keep = v->n;
    while (keep > 0 && v->part[keep - 1]->doc[0]->seq <= index_seq) {
        keep--;
    }
    if (v->n > keep) {
        parts_let(s, v->part + keep, v->n - keep);
        v->n = keep;
    }
}

/* ---- Looking ----------------------------------------------------------------------------------
 */

size_t part_rid_bucket(const DeltaPart *p, int64_t rid)
{
    return ((uint64_t)rid * 0x9e3779b97f4a7c15u >> 20) % p->rid_buckets;
}

/* Newest first in each bucket. */
DeltaDoc *part_find(const DeltaPart *p, int64_t rid, uint64_t to_seq)
{
    DeltaDoc *d = atomic_load_explicit(&p->by_rid[part_rid_bucket(p, rid)], memory_order_acquire);
    while (d && (d->rid != rid || d->seq > to_seq)) {
        d = d->chain;
    }
    return d;
}

const DeltaDoc *delta_find(const DeltaView *v, int64_t rid)
{
    for (size_t i = 0; i < v->n; i++) {
        const DeltaDoc *d = part_find(v->part[i], rid, v->to_seq);
        if (d) {
            return d;
        }
    }
    return NULL;
}

bool delta_is_head(const DeltaView *v, const DeltaDoc *d)
{
    uint64_t until = atomic_load_explicit(&d->until_seq, memory_order_relaxed);
    return d->seq <= v->to_seq && (until == 0 || until > v->to_seq);
}

static bool table_is_hashed(IndexTable table)
{
    return table == INDEX_TOKEN || table == INDEX_REF || table == INDEX_COMPARTMENT ||
           table == INDEX_CODE;
}

uint64_t delta_row_key(IndexTable table, uint32_t param, int64_t a)
{
    IndexRow row = {.table = table, .param = param, .a = table_is_hashed(table) ? a : 0};
    return group_key(&row);
}

DeltaRows delta_rows(const DeltaView *v, IndexTable table, uint32_t param, int64_t a)
{
    return (DeltaRows){
        .view = v, .table = table, .param = param, .a = a, .key = delta_row_key(table, param, a)};
}

static bool row_is_asked(const DeltaRows *r, const IndexRow *row)
{
    return row->table == r->table && (row->table == INDEX_COMPARTMENT || row->param == r->param) &&
           (!table_is_hashed(row->table) || row->a == r->a);
}

const DeltaRow *delta_next(DeltaRows *r)
{
    for (;;) {
        while (!r->next && r->part < r->view->n) {
            const DeltaPart *p = r->view->part[r->part++];
            r->next = atomic_load_explicit(&p->by_key[r->key % p->buckets], memory_order_acquire);
        }
        if (!r->next) {
            return NULL;
        }
        const DeltaRow *row = r->next;
        r->next = row->chain;
        if (row->key == r->key && row_is_asked(r, row->row) && delta_is_head(r->view, row->doc)) {
            return row;
        }
    }
}

bool delta_doc_has(const DeltaDoc *d, IndexTable table, uint32_t param, int64_t a)
{
    for (size_t i = 0; d->doc && i < d->doc->rows_n; i++) {
        const IndexRow *row = &d->doc->rows[i];
        if (row->table == table && row->param == param && row->a == a) {
            return true;
        }
    }
    return false;
}

bool delta_doc_has_any(const DeltaDoc *d, IndexTable table, uint32_t param)
{
    for (size_t i = 0; d->doc && i < d->doc->rows_n; i++) {
        if (d->doc->rows[i].table == table && d->doc->rows[i].param == param) {
            return true;
        }
    }
    return false;
}

/* ---- In the order of the log ------------------------------------------------------------------
 */

/* How many of the part's versions are at or below a seq. */
static size_t part_count(const DeltaPart *p, uint64_t seq)
{
    size_t low = 0, high = atomic_load_explicit(&p->doc_n, memory_order_acquire);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->doc[middle]->seq <= seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const DeltaDoc *delta_change_after(const DeltaView *v, const FhirType *type, uint64_t seq)
{
    for (size_t i = v->n; i > 0; i--) {
        const DeltaPart *p = v->part[i - 1];
        size_t end = part_count(p, v->to_seq);
        for (size_t k = part_count(p, seq); k < end; k++) {
            if (p->doc[k]->type == type) {
                return p->doc[k];
            }
        }
    }
    return NULL;
}

const DeltaDoc *delta_change_before(const DeltaView *v, const FhirType *type, uint64_t seq)
{
    uint64_t last = seq == 0 ? 0 : seq - 1 < v->to_seq ? seq - 1 : v->to_seq;
    for (size_t i = 0; i < v->n; i++) {
        const DeltaPart *p = v->part[i];
        for (size_t k = part_count(p, last); k > 0; k--) {
            if (p->doc[k - 1]->type == type) {
                return p->doc[k - 1];
            }
        }
    }
    return NULL;
}

static int64_t part_living(const DeltaPart *p, const FhirType *type, uint64_t to_seq)
{
    int64_t n = 0;
    size_t end = part_count(p, to_seq);
    for (size_t k = 0; k < end; k++) {
        n += p->doc[k]->type == type ? p->doc[k]->living : 0;
    }
    return n;
}

/* Behind the newest, parts are sealed and their sums are final. */
int64_t delta_living(const DeltaView *v, const FhirType *type)
{
    int64_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        n += i == 0 ? part_living(v->part[i], type, v->to_seq)
                    : v->part[i]->living[type_number(type)];
    }
    return n;
}

static bool doc_has_code(const IndexDoc *doc, uint32_t param, int64_t token)
{
    for (size_t i = 0; doc && i < doc->rows_n; i++) {
        const IndexRow *row = &doc->rows[i];
        if (row->table == INDEX_CODE && row->param == param && row->b == token) {
            return true;
        }
    }
    return false;
}

/* Of a resource that several parts name the oldest tells what the index has. */
static bool part_is_first(const DeltaView *v, size_t part, int64_t rid)
{
    for (size_t i = part + 1; i < v->n; i++) {
        if (part_find(v->part[i], rid, UINT64_MAX)) {
            return false;
        }
    }
    return true;
}

int64_t delta_growth(const DeltaView *v, uint32_t param, int64_t code, int64_t token)
{
    int64_t n = 0;
    DeltaRows rows = delta_rows(v, INDEX_CODE, param, code);
    for (const DeltaRow *row; (row = delta_next(&rows)) != NULL;) {
        n += row->row->b == token;
    }
    for (size_t i = 0; i < v->n; i++) {
        const DeltaPart *p = v->part[i];
        size_t end = part_count(p, v->to_seq);
        for (size_t k = 0; k < end; k++) {
            const DeltaDoc *d = p->doc[k];
            bool had = d->first == d && doc_has_code(d->before, param, token);
            n -= had && part_is_first(v, i, d->rid);
        }
    }
    return n;
}
