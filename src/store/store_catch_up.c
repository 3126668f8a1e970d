/*
 * An index that is brought up to the log: what versions did, some thousand at a time, each resource
 * from the version that the index has to its last one. Of a server the versions of a step are
 * asked for together.
 */
#include <stdlib.h>

#include "store_rebuild_inner.h"

#include "mk_banned.h"

/* ---- Bodies ---------------------------------------------------------------------------------- */

static Status body_rows(const Store *s, Arena *a, const FhirType *type, Str body,
                        const IndexDoc **ret, Err *err)
{
    IndexDoc *doc = arena_new(a, IndexDoc);
    TRY(index_extract(s, a, type, body, doc, err));
    *ret = doc;
    return OK;
}

Status index_doc_at(const Store *s, Db *log, BodyCodec *c, Arena *a, const FhirType *type,
                    uint64_t seq, const IndexDoc **ret, Err *err)
{
    Str body;
    *ret = NULL;
    TRY(version_body(s, log, c, a, seq, &body, err));
    return str_empty(body) ? OK : body_rows(s, a, type, body, ret, err);
}

/* The rows of a version, and where they are wanted. */
typedef struct Wish {
    uint64_t seq;
    const FhirType *type;
    const IndexDoc **ret;
} Wish;

static int wish_order(const void *x, const void *y)
{
    const Wish *p = x, *q = y;
    return p->seq < q->seq ? -1 : p->seq > q->seq;
}

static Status wish_grant(const Rebuild *b, Arena *a, const Wish *w, DbStmt *st, Err *err)
{
    Str body;
    BodyRow row = body_row(st, 1);
    if (db_col_is_null(st, 2)) {
        return OK;
    }
    TRY(body_unpack(b->store, b->codec, a, &row, &body, err));
    return body_rows(b->store, a, w->type, body, w->ret, err);
}

static Status wishes_ask(const Rebuild *b, Arena *a, Wish *wish, size_t n, Err *err)
{
    int64_t *seqs = arena_array(a, int64_t, n + 1);
    qsort(wish, n, sizeof *wish, wish_order);
    for (size_t i = 0; i < n; i++) {
        seqs[i] = (int64_t)wish[i].seq;
    }
    DbStmt *st = db_take(b->log, "SELECT v.seq, " BODY_COLUMNS "FROM version v JOIN head h"
                                 " ON h.rid = v.rid WHERE v.seq = ANY(?::bigint[])"
                                 " ORDER BY v.seq");
    if (!st) {
        return db_failed(b->log, err);
    }
    db_bind_i64s(st, 0, a, seqs, n);
    DbStep step = DB_NONE;
    Status s = OK;
    size_t i = 0;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        uint64_t seq = (uint64_t)db_col_i64(st, 0);
        while (i < n && wish[i].seq < seq) {
            i++;
        }
        for (; s == OK && i < n && wish[i].seq == seq; i++) {
            s = wish_grant(b, a, &wish[i], st, err);
        }
    }
    s = s == OK && step != DB_NONE ? db_failed(b->log, err) : s;
    db_give(st);
    return s;
}

/* NULL remains for deletions and what was erased. */
static Status wishes_grant(const Rebuild *b, Arena *a, Wish *wish, size_t n, Err *err)
{
    if (b->store->server) {
        return wishes_ask(b, a, wish, n, err);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(index_doc_at(b->store, b->log, b->codec, a, wish[i].type, wish[i].seq, wish[i].ret,
                         err));
    }
    return OK;
}

/* ---- What the index lacks -------------------------------------------------------------------- */

typedef struct Missed {
    int64_t rid;
    uint64_t seq, indexed; /* indexed: what the index has of the resource; 0: nothing */
    const FhirType *type;
    bool born; /* its first version is one of these */
} Missed;

static int missed_order(const void *x, const void *y)
{
    const Missed *p = x, *q = y;
    return p->rid < q->rid ? -1 : p->rid > q->rid ? 1 : p->seq < q->seq ? -1 : p->seq > q->seq;
}

static Status missed_read(Db *log, uint64_t after, uint64_t to, Missed *list, size_t *ret_n,
                          Err *err)
{
    DbStmt *st = db_take(log, "SELECT v.rid, v.seq, h.type, h.born FROM version v"
                              " JOIN head h ON h.rid = v.rid WHERE v.seq > ? AND v.seq <= ?"
                              " ORDER BY v.seq LIMIT ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    db_bind_i64(st, 1, (int64_t)to);
    db_bind_i64(st, 2, CATCH_UP_STEP);
    DbStep step;
    size_t n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        list[n++] = (Missed){.rid = db_col_i64(st, 0),
                             .seq = (uint64_t)db_col_i64(st, 1),
                             .type = fhir_resource_at((unsigned)db_col_i64(st, 2)),
                             .born = (uint64_t)db_col_i64(st, 3) > after};
    }
    Status status = step == DB_NONE ? OK : db_failed(log, err);
    db_give(st);
    *ret_n = n;
    return status;
}

static Status indexed_read(Db *db, Missed *x, Err *err)
{
    DbStmt *st = db_take(db, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, x->rid);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    x->indexed = step == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

static Status indexed_ask(Db *db, Arena *a, Missed *list, size_t n, Err *err)
{
    int64_t *rids = arena_array(a, int64_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        rids[i] = list[i].rid;
    }
    DbStmt *st = db_take(db, "SELECT rid, seq FROM doc WHERE rid = ANY(?::bigint[]) ORDER BY rid");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64s(st, 0, a, rids, n);
    DbStep step;
    size_t i = 0;
    while ((step = db_step(st)) == DB_ROW) {
        while (i < n && list[i].rid < db_col_i64(st, 0)) {
            i++;
        }
        mk_check(i < n);
        list[i].indexed = (uint64_t)db_col_i64(st, 1);
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(db, err);
}

/* In the order of rids. */
static Status indexed_find(const Rebuild *b, Arena *a, Missed *list, size_t n, Err *err)
{
    if (b->store->server) {
        return indexed_ask(b->index, a, list, n, err);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(indexed_read(b->index, &list[i], err));
    }
    return OK;
}

/* The last of each resource; how many. */
static size_t last_keep(Missed *list, size_t n)
{
    size_t kept = 0;
    qsort(list, n, sizeof *list, missed_order);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || list[i + 1].rid != list[i].rid) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

static Status moves_make(const Rebuild *b, Arena *a, const Missed *list, size_t n,
                         const ParamTable *params, IndexMove *moves, Err *err)
{
    Wish *wish = arena_array(a, Wish, 2 * n + 1);
    size_t wish_n = 0;
    for (size_t i = 0; i < n; i++) {
        moves[i] = (IndexMove){.rid = list[i].rid, .seq = list[i].seq, .born = list[i].born};
        wish[wish_n++] = (Wish){list[i].seq, list[i].type, &moves[i].fresh};
        if (list[i].indexed) {
            wish[wish_n++] = (Wish){list[i].indexed, list[i].type, &moves[i].old};
        }
    }
    TRY(wishes_grant(b, a, wish, wish_n, err));
    for (size_t i = 0; i < n; i++) {
        IndexMove *m = &moves[i];
        m->old = params_settle(a, params, &b->stand, m->rid, list[i].indexed, m->old);
        m->fresh = params_settle(a, params, &b->stand, m->rid, m->seq, m->fresh);
    }
    return OK;
}

Status catch_up_step(const Rebuild *b, Arena *a, uint64_t after, uint64_t to, uint64_t *ret_seq,
                     Err *err)
{
    const ParamTable *params = params_now(b->store);
    Missed *list = arena_array(a, Missed, CATCH_UP_STEP);
    IndexChange *changes = arena_array(a, IndexChange, CATCH_UP_STEP);
    size_t n = 0;
    TRY(missed_read(b->log, after, to, list, &n, err));
    uint64_t last = n ? list[n - 1].seq : after;
    for (size_t i = 0; i < n; i++) {
        changes[i] = (IndexChange){list[i].type, list[i].seq, list[i].rid, list[i].born};
    }
    size_t kept = last_keep(list, n);
    IndexMove *moves = arena_array(a, IndexMove, kept + 1);
    TRY(indexed_find(b, a, list, kept, err));
    TRY(moves_make(b, a, list, kept, params, moves, err));
    *ret_seq = last;
    if (n == 0) {
        return OK;
    }
    TRY(db_begin(b->index, err));
    Status st = str_empty(b->builder) ? OK : server_rows_are_ours(b, a, after, err);
    st = st == OK ? index_write(b->index, a, moves, kept, changes, n, last, err) : st;
    st = st == OK ? db_commit(b->index, err) : st;
    if (st != OK) {
        db_abort(b->index);
    }
    return st;
}

Status index_catch_up(Store *s, Db *db, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Str text;
    int64_t seq;
    Rebuild b = {.store = s, .index = db, .log = s->log, .codec = &s->codec, .stand = s->stand};
    Status st = index_meta_get(db, &a, "seq", &text, err);
    if (st == OK && !str_to_i64(text, &seq)) {
        seq = 0;
    }
    while (st == OK && (uint64_t)seq < s->seq) {
        uint64_t to;
        st = catch_up_step(&b, &a, (uint64_t)seq, s->seq, &to, err);
        mk_check(st != OK || to > (uint64_t)seq);
        seq = st == OK ? (int64_t)to : seq;
        arena_reset(&a);
    }
    arena_done(&a);
    return st;
}
