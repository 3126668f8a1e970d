/*
 * The heads of candidates, and their clinical dates. On a server each question is a journey: what
 * will be asked about the candidates that come next is asked for in one statement.
 */
#include "store_query.h"
#include "store_sight.h"

#include "mk_banned.h"

#define DOCS_MAX 4096u /* in one statement */

#define HEAD_COLUMNS "h.type, h.id, h.op, v.seq, v.vid, v.patient, h.born, v.dict, v.body, h.rid"
#define HEADS_OF                                                                                   \
    " FROM unnest(?1::bigint[]) AS w(rid) CROSS JOIN head h CROSS JOIN version v"                  \
    " WHERE h.rid = w.rid AND v.seq = h.seq"

/* The present head of a candidate, if it lives, is of this snapshot and may be seen. */
static bool head_take(Run *r, DbStmt *st, Candidate c, Found *f)
{
    bool seen =
        db_col_i64(st, 0) == type_number(r->query->type) && db_col_i64(st, 2) != STORE_DELETE &&
        !(r->later_page && (uint64_t)db_col_i64(st, 3) > r->snapshot_seq) &&
        sight_resource(&r->sight, r->query->type, db_col_id(st, 5), (uint64_t)db_col_i64(st, 6));
    if (seen) {
        *f = (Found){.at = c,
                     .seq = (uint64_t)db_col_i64(st, 3),
                     .id = arena_str(r->arena, db_col_id(st, 1)),
                     .vid = arena_str(r->arena, db_col_str(st, 4)),
                     .patients = arena_str(r->arena, db_col_id(st, 5)),
                     .dict = (int)db_col_i64(st, 7),
                     .packed = arena_str(r->arena, db_col_str(st, 8))};
    }
    return seen;
}

static Status head_ask(Run *r, Candidate c, Found *f, bool *ret, Err *err)
{
    DbStmt *st = db_take(r->reader->log, "SELECT " HEAD_COLUMNS " FROM head h CROSS JOIN version v"
                                         " WHERE h.rid = ? AND v.seq = h.seq");
    if (!st) {
        return db_failed(r->reader->log, err);
    }
    db_bind_i64(st, 0, c.rid);
    DbStep step = db_step(st);
    *ret = step == DB_ROW && head_take(r, st, c, f);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->log, err) : OK;
    db_give(st);
    return s;
}

/* ---- Heads that come ------------------------------------------------------------------------- */

void run_coming(Run *r, const Candidate *list, size_t n)
{
    r->coming = list;
    r->coming_n = r->store->server ? n : 0;
    r->ahead = NULL;
    r->ahead_n = 0;
}

static size_t coming_find(const Run *r, int64_t rid)
{
    size_t i = 0;
    while (i < r->coming_n && r->coming[i].rid != rid) {
        i++;
    }
    return i;
}

/*
 * Last whether any of its patients is granted to the caller: by the patient's grants, which are
 * few, and never by the grantee's, which an index would offer as well.
 */
static DbStmt *heads_stmt(Run *r)
{
    const StoreView *v = r->view;
    if (v->everything) {
        return db_take(r->reader->log, "SELECT " HEAD_COLUMNS ", true" HEADS_OF);
    }
    Str *grantee = arena_array(r->arena, Str, v->orgs_n + 1);
    size_t n = v->orgs_n;
    for (size_t i = 0; i < n; i++) {
        grantee[i] = v->orgs[i];
    }
    if (!str_empty(v->person)) {
        grantee[n++] = v->person;
    }
    DbStmt *st = db_take(
        r->reader->log,
        "SELECT " HEAD_COLUMNS ", EXISTS(SELECT 1 FROM access_grant g"
        " WHERE g.patient = ANY(string_to_array(v.patient, ' '))"
        " AND g.grantee || '' = ANY(?2::text[]) AND g.since <= ?3 AND g.until + 0 > ?3)" HEADS_OF);
    if (st) {
        db_bind_strs(st, 1, r->arena, grantee, n);
        db_bind_i64(st, 2, v->now_ms);
    }
    return st;
}

static void rids_bind(Run *r, DbStmt *st, const Candidate *list, size_t n)
{
    int64_t *rid = arena_array(r->arena, int64_t, n);
    for (size_t i = 0; i < n; i++) {
        rid[i] = list[i].rid;
    }
    db_bind_i64s(st, 0, r->arena, rid, n);
}

/* At first as many as fill the page if all of them match. */
static Status heads_ask(Run *r, size_t from, Err *err)
{
    size_t n = r->coming_n - from;
    n = r->page_n && r->page_n < n ? r->page_n : n;
    r->page_n = 0;
    DbStmt *st = heads_stmt(r);
    if (!st) {
        return db_failed(r->reader->log, err);
    }
    rids_bind(r, st, r->coming + from, n);
    r->ahead = r->coming + from;
    r->ahead_n = n;
    r->ahead_found = arena_array(r->arena, Found, n);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        int64_t rid = db_col_i64(st, 9);
        sight_learn(&r->sight, db_col_id(st, 5), db_col_i64(st, 10) != 0);
        for (size_t i = 0; i < n; i++) {
            if (r->ahead[i].rid == rid) {
                (void)head_take(r, st, r->ahead[i], &r->ahead_found[i]);
            }
        }
    }
    Status s = step == DB_NONE ? OK : db_failed(r->reader->log, err);
    db_give(st);
    return s;
}

static Status head_ahead(Run *r, size_t at, Found *f, bool *ret, Err *err)
{
    const Candidate *c = r->coming + at;
    if (!r->ahead_n || c < r->ahead || c >= r->ahead + r->ahead_n) {
        TRY(heads_ask(r, at, err));
    }
    *f = r->ahead_found[c - r->ahead];
    *ret = f->seq != 0;
    return OK;
}

Status run_head(Run *r, Candidate c, Found *ret, bool *ret_seen, Err *err)
{
    size_t at = coming_find(r, c.rid);
    TRY(at < r->coming_n ? head_ahead(r, at, ret, ret_seen, err)
                         : head_ask(r, c, ret, ret_seen, err));
    return run_charge(r, 2, err);
}

/* ---- What the index says of them ---------------------------------------------------------------
 */

/* From one statement: by where they stand in the list. */
static Status docs_ask(Run *r, Candidate *list, size_t n, uint64_t *seq, Err *err)
{
    DbStmt *st =
        db_take(r->reader->index, "SELECT w.n, d.nd, d.seq FROM unnest(?::bigint[]) WITH ORDINALITY"
                                  " AS w(rid, n) CROSS JOIN doc d WHERE d.rid = w.rid");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    rids_bind(r, st, list, n);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        size_t i = (size_t)db_col_i64(st, 0) - 1;
        if (seq) {
            seq[i] = (uint64_t)db_col_i64(st, 2);
        } else {
            list[i].nd = db_col_i64(st, 1);
        }
    }
    Status s = step == DB_NONE ? run_charge(r, (int64_t)n, err) : db_failed(r->reader->index, err);
    db_give(st);
    return s;
}

static Status docs_of(Run *r, Candidate *list, size_t n, uint64_t *seq, Err *err)
{
    for (size_t i = 0; i < n; i += DOCS_MAX) {
        size_t k = n - i < DOCS_MAX ? n - i : DOCS_MAX;
        TRY(docs_ask(r, list + i, k, seq ? seq + i : NULL, err));
    }
    return OK;
}

Status run_dates(Run *r, Candidate *list, size_t n, Err *err)
{
    if (r->store->server) {
        return docs_of(r, list, n, NULL, err);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(candidate_of(r, list[i].rid, &list[i], err));
    }
    return OK;
}

Status run_seqs(Run *r, Candidate *list, size_t n, uint64_t *ret, Err *err)
{
    memset(ret, 0, n * sizeof *ret);
    if (r->store->server) {
        return docs_of(r, list, n, ret, err);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(indexed_seq(r->reader, list[i].rid, &ret[i], err));
        TRY(run_charge(r, 1, err));
    }
    return OK;
}
