/* The delta: its parts, and looking into them. */
#include <stdlib.h>

#include "store_delta_inner.h"

#include "mk_banned.h"

/* ---- Parts --------------------------------------------------------------------------------- */

static size_t part_docs(const Store *s)
{
    return s->options.bulk ? PART_DOCS_BULK : PART_DOCS;
}

/* docs: about so many are expected; room: no more will come. */
static DeltaPart *part_new(size_t docs, size_t room)
{
    DeltaPart *p = memory_take_zeroed(sizeof *p);
    p->refs = 1;
    p->doc_room = room;
    p->doc = memory_take(room * sizeof *p->doc);
    p->buckets = docs * PART_BUCKETS_DOC;
    p->by_key = memory_take_zeroed(p->buckets * sizeof *p->by_key);
    p->by_rid = memory_take_zeroed(docs * sizeof *p->by_rid);
    p->rid_buckets = docs;
    p->born_us = time_mono_us();
    arena_init(&p->arena, 0);
    return p;
}

static void part_free(DeltaPart *p)
{
    arena_done(&p->arena);
    free(p->doc);
    free(p->by_key);
    free(p->by_rid);
    free(p);
}

/* Full: the next group begins another. */
bool part_is_full(const Store *s, const DeltaPart *p)
{
    size_t bytes = s->options.bulk ? PART_BYTES_BULK : PART_BYTES;
    return atomic_load(&p->doc_n) >= part_docs(s) || p->arena.used_bytes >= bytes;
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

static size_t rid_bucket(const DeltaPart *p, int64_t rid)
{
    return ((uint64_t)rid * 0x9e3779b97f4a7c15u >> 20) % p->rid_buckets;
}

/* Newest first in each bucket. */
static DeltaDoc *part_find(const DeltaPart *p, int64_t rid, uint64_t to_seq)
{
    DeltaDoc *d = atomic_load_explicit(&p->by_rid[rid_bucket(p, rid)], memory_order_acquire);
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

static uint64_t row_key(IndexTable table, uint32_t param, int64_t a)
{
    IndexRow row = {.table = table, .param = param, .a = table_is_hashed(table) ? a : 0};
    return group_key(&row);
}

DeltaRows delta_rows(const DeltaView *v, IndexTable table, uint32_t param, int64_t a)
{
    return (DeltaRows){
        .view = v, .table = table, .param = param, .a = a, .key = row_key(table, param, a)};
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

int64_t delta_living(const DeltaView *v, const FhirType *type)
{
    int64_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        const DeltaPart *p = v->part[i];
        size_t end = part_count(p, v->to_seq);
        for (size_t k = 0; k < end; k++) {
            n += p->doc[k]->type == type ? p->doc[k]->living : 0;
        }
    }
    return n;
}

/* ---- Adding -----------------------------------------------------------------------------------
 */

static const IndexDoc *doc_copy(Arena *a, const IndexDoc *doc)
{
    if (!doc) {
        return NULL;
    }
    IndexDoc *copy = arena_new(a, IndexDoc);
    *copy = (IndexDoc){.type = doc->type, .nd = doc->nd, .rows_n = doc->rows_n};
    copy->rows = arena_alloc_raw(a, doc->rows_n * sizeof *copy->rows + 1);
    for (size_t i = 0; i < doc->rows_n; i++) {
        copy->rows[i] = doc->rows[i];
        copy->rows[i].raw = STR_NONE;
        copy->rows[i].text = doc->rows[i].text.n ? arena_str(a, doc->rows[i].text) : STR_NONE;
    }
    return copy;
}

static void rows_link(DeltaPart *p, const DeltaDoc *d)
{
    if (!d->doc) {
        return;
    }
    DeltaRow *list = arena_alloc_raw(&p->arena, d->doc->rows_n * sizeof *list + 1);
    for (size_t i = 0; i < d->doc->rows_n; i++) {
        const IndexRow *row = &d->doc->rows[i];
        uint64_t key = row_key(row->table, row->param, row->a);
        _Atomic(DeltaRow *) *at = &p->by_key[key % p->buckets];
        list[i] = (DeltaRow){atomic_load_explicit(at, memory_order_relaxed), key, row, d};
        atomic_store_explicit(at, &list[i], memory_order_release);
    }
}

/* What it takes the place of, in this part or an older one. */
static void replaced_mark(DeltaPart *open, const DeltaView *pinned, DeltaDoc *d)
{
    DeltaDoc *earlier = part_find(open, d->rid, UINT64_MAX);
    if (earlier) {
        earlier->last = false;
        d->first = earlier->first;
    }
    for (size_t i = 0; i < pinned->n && !earlier; i++) {
        earlier = part_find(pinned->part[i], d->rid, UINT64_MAX);
    }
    if (earlier) {
        atomic_store_explicit(&earlier->until_seq, d->seq, memory_order_relaxed);
    }
}

static void part_add(DeltaPart *p, const DeltaView *pinned, const DeltaDoc *version)
{
    size_t n = atomic_load(&p->doc_n);
    mk_check(n < p->doc_room);
    DeltaDoc *d = arena_new(&p->arena, DeltaDoc);
    d->rid = version->rid;
    d->seq = version->seq;
    d->type = version->type;
    d->living = version->living;
    d->doc = doc_copy(&p->arena, version->doc);
    d->first = d;
    d->last = true;
    replaced_mark(p, pinned, d);
    d->before = d->first == d ? doc_copy(&p->arena, version->before) : NULL;
    p->doc[n] = d;
    atomic_store_explicit(&p->doc_n, n + 1, memory_order_release);
    _Atomic(DeltaDoc *) *at = &p->by_rid[rid_bucket(p, d->rid)];
    d->chain = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, d, memory_order_release);
    rows_link(p, d);
}

static DeltaPart *part_open(Store *s)
{
    Delta *d = s->delta;
    if (d->open) {
        return d->open;
    }
    size_t docs = part_docs(s);
    /* The largest group may come to a part that is not quite full. */
    DeltaPart *p = part_new(docs, docs + STORE_ENTRIES_MAX);
    pthread_mutex_lock(&d->lock);
    if (d->newest) {
        d->newest->newer = p;
    } else {
        d->oldest = p;
    }
    d->newest = d->open = p;
    d->n++;
    pthread_mutex_unlock(&d->lock);
    return p;
}

void delta_add(Store *s, const DeltaView *pinned, const DeltaDoc *version)
{
    part_add(part_open(s), pinned, version);
}

/* ---- Of a log that somebody else writes --------------------------------------------------------
 */

static Status version_take(StoreReader *r, DbStmt *st, Arena *scratch, DeltaPart *p, Err *err)
{
    static const DeltaView nothing = {0};
    StoreOp op = (StoreOp)db_col_i64(st, 3);
    DeltaDoc d = {.seq = (uint64_t)db_col_i64(st, 0),
                  .rid = db_col_i64(st, 1),
                  .type = fhir_resource_at((unsigned)db_col_i64(st, 2)),
                  .living = op == STORE_CREATE   ? 1
                            : op == STORE_DELETE ? -1
                                                 : 0};
    TRY(index_doc_at(r->store, r->log, &r->codec, scratch, d.type, d.seq, &d.doc, err));
    part_add(p, &nothing, &d);
    arena_reset(scratch);
    return OK;
}

static Status versions_take(StoreReader *r, DeltaPart *p, Err *err)
{
    Arena scratch;
    DbStmt *st = db_take(r->log, "SELECT v.seq, v.rid, h.type, v.op FROM version v"
                                 " JOIN head h ON h.rid = v.rid WHERE v.seq > ? ORDER BY v.seq");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, r->index_file_seq);
    arena_init(&scratch, 0);
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        s = version_take(r, st, &scratch, p, err);
    }
    s = s == OK && step != DB_NONE ? db_failed(r->log, err) : s;
    db_give(st);
    arena_done(&scratch);
    return s;
}

Status delta_of_log(StoreReader *r, Err *err)
{
    size_t n = (size_t)(r->log_seq - r->index_file_seq);
    DeltaPart *p = part_new(n, n);
    r->delta = (DeltaView){.part = {p}, .n = 1, .to_seq = (uint64_t)r->log_seq};
    r->index_seq = r->log_seq;
    return versions_take(r, p, err);
}
