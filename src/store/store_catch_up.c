/* An index is brought up to the log: at open, and while another one is made beside. */
#include <stdlib.h>

#include "store_rebuild_inner.h"

#include "mk_banned.h"

Status index_doc_at(const Store *s, Db *log, BodyCodec *c, Arena *a, const FhirType *type,
                    uint64_t seq, const IndexDoc **ret, Err *err)
{
    Str body;
    TRY(version_body(s, log, c, a, seq, &body, err));
    if (str_empty(body)) {
        *ret = NULL;
        return OK;
    }
    IndexDoc *doc = arena_new(a, IndexDoc);
    TRY(index_extract(s, a, type, body, doc, err));
    *ret = doc;
    return OK;
}

typedef struct Missed {
    int64_t rid;
    uint64_t seq;
    const FhirType *type;
} Missed;

static int missed_order(const void *x, const void *y)
{
    const Missed *p = x, *q = y;
    return p->rid < q->rid ? -1 : p->rid > q->rid ? 1 : p->seq < q->seq ? -1 : p->seq > q->seq;
}

static Status missed_read(Db *log, uint64_t after, Missed *list, size_t *ret_n, Err *err)
{
    DbStmt *st =
        db_take(log, "SELECT v.rid, v.seq, h.type FROM version v"
                     " JOIN head h ON h.rid = v.rid WHERE v.seq > ? ORDER BY v.seq LIMIT ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    db_bind_i64(st, 1, CATCH_UP_STEP);
    DbStep step;
    size_t n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        list[n++] = (Missed){.rid = db_col_i64(st, 0),
                             .seq = (uint64_t)db_col_i64(st, 1),
                             .type = fhir_resource_at((unsigned)db_col_i64(st, 2))};
    }
    Status status = step == DB_NONE ? OK : db_failed(log, err);
    db_give(st);
    *ret_n = n;
    return status;
}

static Status doc_seq(Db *db, int64_t rid, uint64_t *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, rid);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

Status catch_up_step(const Rebuild *b, Arena *a, uint64_t after, uint64_t *ret_seq, Err *err)
{
    Store *s = b->store;
    Db *db = b->index;
    const ParamTable *params = params_now(s);
    Missed *list = arena_array(a, Missed, CATCH_UP_STEP);
    IndexChange *changes = arena_array(a, IndexChange, CATCH_UP_STEP);
    IndexMove *moves = arena_array(a, IndexMove, CATCH_UP_STEP);
    size_t n = 0, m = 0;
    TRY(missed_read(b->log, after, list, &n, err));
    uint64_t last = n ? list[n - 1].seq : after;
    for (size_t i = 0; i < n; i++) {
        changes[i] = (IndexChange){list[i].type, list[i].seq, list[i].rid};
    }
    qsort(list, n, sizeof *list, missed_order);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && list[i + 1].rid == list[i].rid) {
            continue;
        }
        uint64_t indexed = 0;
        moves[m] = (IndexMove){.rid = list[i].rid, .seq = list[i].seq};
        TRY(doc_seq(db, list[i].rid, &indexed, err));
        if (indexed) {
            TRY(index_doc_at(s, b->log, b->codec, a, list[i].type, indexed, &moves[m].old, err));
        }
        TRY(index_doc_at(s, b->log, b->codec, a, list[i].type, list[i].seq, &moves[m].fresh, err));
        moves[m].old = params_settle(a, params, &b->stand, list[i].rid, indexed, moves[m].old);
        moves[m].fresh =
            params_settle(a, params, &b->stand, list[i].rid, list[i].seq, moves[m].fresh);
        m++;
    }
    *ret_seq = last;
    return n ? index_apply(db, a, moves, m, changes, n, last, err) : OK;
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
        st = catch_up_step(&b, &a, (uint64_t)seq, &to, err);
        mk_check(st != OK || to > (uint64_t)seq);
        seq = st == OK ? (int64_t)to : seq;
        arena_reset(&a);
    }
    arena_done(&a);
    return st;
}
