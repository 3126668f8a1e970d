/* The delta: what the writer adds to its newest part, and parts made from a log. */
#include <stdlib.h>

#include "store_delta_inner.h"

#include "mk_banned.h"

/* ---- Parts --------------------------------------------------------------------------------- */

static size_t part_docs(const Store *s)
{
    return s->options.bulk ? PART_DOCS_BULK : PART_DOCS;
}

/*
 * Full: the next group begins another. The writer waits for as long as a part is merged when it is
 * too far ahead, so what costs most counts by itself.
 */
bool part_is_full(const Store *s, const DeltaPart *p)
{
    size_t bytes = s->options.bulk ? PART_BYTES_BULK : PART_BYTES;
    size_t long_bytes = s->options.bulk ? PART_LONG_BULK : PART_LONG_BYTES;
    return atomic_load(&p->doc_n) >= part_docs(s) || p->arena.used_bytes >= bytes ||
           p->long_bytes >= long_bytes;
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

/* ---- Versions and their rows ---------------------------------------------------------------- */

static const IndexDoc *doc_copy(DeltaPart *p, const IndexDoc *doc)
{
    Arena *a = &p->arena;
    if (!doc) {
        return NULL;
    }
    IndexDoc *copy = arena_new(a, IndexDoc);
    *copy =
        (IndexDoc){.type = doc->type, .nd = doc->nd, .rows_n = doc->rows_n, .whose = doc->whose};
    copy->rows = arena_alloc_raw(a, doc->rows_n * sizeof *copy->rows + 1);
    for (size_t i = 0; i < doc->rows_n; i++) {
        copy->rows[i] = doc->rows[i];
        copy->rows[i].text = doc->rows[i].text.n ? arena_str(a, doc->rows[i].text) : STR_NONE;
        p->long_bytes += doc->rows[i].text.n >= PART_LONG ? doc->rows[i].text.n : 0;
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
        uint64_t key = delta_row_key(row->table, row->param, row->a);
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
    d->doc = doc_copy(p, version->doc);
    d->first = d;
    d->last = true;
    replaced_mark(p, pinned, d);
    d->before = d->first == d ? doc_copy(p, version->before) : NULL;
    p->doc[n] = d;
    atomic_store_explicit(&p->doc_n, n + 1, memory_order_release);
    _Atomic(DeltaDoc *) *at = &p->by_rid[part_rid_bucket(p, d->rid)];
    d->chain = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, d, memory_order_release);
    p->living[type_number(d->type)] += d->living;
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
    d.doc = params_settle(scratch, params_now(r->store), &r->store->stand, d.rid, d.seq, d.doc);
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
