/* Purges as rows: proposed, decided, listed; and the digest that ties one to the log. */
#include "store_purge.h"

#include "store_purge_inner.h"

#include "mk_banned.h"

/* ---- Proposing and deciding ------------------------------------------------------------------ */

typedef struct Propose {
    const StorePurge *purge;
    int64_t open_max;
} Propose;

static Status open_count(Store *s, int64_t now_ms, int64_t *ret, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT count(*) FROM purge WHERE state = ? AND expires > ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, PURGE_PROPOSED);
    db_bind_i64(st, 1, now_ms);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? db_col_i64(st, 0) : 0;
    db_give(st);
    return step == DB_ROW ? OK : db_failed(s->log, err);
}

static Status propose_run(Store *s, Job *job, Err *err)
{
    const Propose *x = job->arg;
    const StorePurge *p = x->purge;
    int64_t open;
    TRY(open_count(s, p->proposed_ms, &open, err));
    if (open >= x->open_max) {
        return err_rule(err, ERR_CONFLICT, STR("purges-full"), STR_NONE,
                        "已有 %lld 份清除申请待确认，请先处理其中一份",
                        "%lld purges wait to be confirmed already; settle one of them first",
                        (long long)open);
    }
    DbStmt *st = db_take(
        s->log, "INSERT INTO purge(id, state, target, reason, proposer, proposed, expires, decider,"
                " decided, tx, resources, versions, blobs, kept, done)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, '', 0, 0, ?, ?, 0, ?, 0)");
    if (st) {
        db_bind_str(st, 0, p->id);
        db_bind_i64(st, 1, PURGE_PROPOSED);
        db_bind_str(st, 2, p->target);
        db_bind_str(st, 3, p->reason);
        db_bind_str(st, 4, p->proposer);
        db_bind_i64(st, 5, p->proposed_ms);
        db_bind_i64(st, 6, p->expires_ms);
        db_bind_i64(st, 7, (int64_t)p->extent.resources);
        db_bind_i64(st, 8, (int64_t)p->extent.versions);
        db_bind_i64(st, 9, (int64_t)p->extent.kept);
    }
    return db_run(s->log, st, err);
}

Status store_purge_propose(Store *s, const StorePurge *purge, int64_t open_max, Err *err)
{
    Propose x = {purge, open_max};
    Job job = {.run = propose_run, .arg = &x, .weight = 1};
    return writer_run(s, &job, err);
}

typedef struct Decide {
    Str id, decider;
    StorePurgeState to;
    int64_t now_ms;
} Decide;

static Status decide_write(Store *s, const Decide *x, Err *err)
{
    DbStmt *st = db_take(s->log, "UPDATE purge SET state = ?, decider = ?, decided = ?"
                                 " WHERE id = ?");
    if (st) {
        db_bind_i64(st, 0, x->to);
        db_bind_str(st, 1, x->decider);
        db_bind_i64(st, 2, x->now_ms);
        db_bind_str(st, 3, x->id);
    }
    return db_run(s->log, st, err);
}

static Status decide_run(Store *s, Job *job, Err *err)
{
    const Decide *x = job->arg;
    DbStmt *st = db_take(s->log, "SELECT state, expires FROM purge WHERE id = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, x->id);
    DbStep step = db_step(st);
    bool waits =
        step == DB_ROW && db_col_i64(st, 0) == PURGE_PROPOSED && db_col_i64(st, 1) > x->now_ms;
    db_give(st);
    if (step == DB_NONE) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有清除申请 %.*s",
                       "There is no purge %.*s", STR_ARG(x->id));
    }
    if (step != DB_ROW) {
        return db_failed(s->log, err);
    }
    return waits ? decide_write(s, x, err)
                 : err_rule(err, ERR_CONFLICT, STR("purge-state"), STR_NONE,
                            "此清除申请已处理或已过期", "This purge was settled or is out of time");
}

Status store_purge_decide(Store *s, Str id, StorePurgeState to, Str decider, int64_t now_ms,
                          Err *err)
{
    Decide x = {id, decider, to, now_ms};
    Job job = {.run = decide_run, .arg = &x, .weight = 1};
    return writer_run(s, &job, err);
}

/* ---- Reading ---------------------------------------------------------------------------------
 */

StorePurge purge_row(DbStmt *st, Arena *a, int64_t now_ms)
{
    StorePurge p = {.id = arena_str(a, db_col_str(st, 0)),
                    .state = (StorePurgeState)db_col_i64(st, 1),
                    .target = arena_str(a, db_col_str(st, 2)),
                    .reason = arena_str(a, db_col_str(st, 3)),
                    .proposer = arena_str(a, db_col_str(st, 4)),
                    .decider = arena_str(a, db_col_str(st, 5)),
                    .proposed_ms = db_col_i64(st, 6),
                    .expires_ms = db_col_i64(st, 7),
                    .decided_ms = db_col_i64(st, 8),
                    .done_ms = db_col_i64(st, 9),
                    .tx = (uint64_t)db_col_i64(st, 10),
                    .extent = {.resources = (uint64_t)db_col_i64(st, 11),
                               .versions = (uint64_t)db_col_i64(st, 12),
                               .blobs = (uint64_t)db_col_i64(st, 13),
                               .kept = (uint64_t)db_col_i64(st, 14)}};
    if (p.state == PURGE_PROPOSED && p.expires_ms <= now_ms) {
        p.state = PURGE_EXPIRED;
    }
    return p;
}

Status store_purge_get(StoreReader *r, Arena *a, Str id, int64_t now_ms, StorePurge *ret, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT " PURGE_COLUMNS "FROM purge WHERE id = ?");
    Status s = row_one(r, st, id, err);
    if (s == OK) {
        *ret = purge_row(st, a, now_ms);
    }
    db_give(st);
    return s;
}

Status store_purge_list(StoreReader *r, Arena *a, int64_t now_ms, size_t max, StorePurge **ret,
                        size_t *ret_n, Err *err)
{
    StorePurge *list = arena_array(a, StorePurge, max + 1);
    size_t n = 0;
    DbStmt *st = db_take(r->log, "SELECT " PURGE_COLUMNS
                                 "FROM purge ORDER BY proposed DESC, id DESC LIMIT ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, (int64_t)max);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        list[n++] = purge_row(st, a, now_ms);
    }
    db_give(st);
    if (step != DB_NONE) {
        return db_failed(r->log, err);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

/* ---- What ties it to the log -----------------------------------------------------------------
 */

Status purge_digest(Db *log, Arena *a, const StorePurge *p, Str *ret_cause, Err *err)
{
    DbStmt *st = db_take(log, "SELECT seq FROM purged WHERE purge = ? ORDER BY seq");
    if (!st) {
        return db_failed(log, err);
    }
    Buf text;
    buf_init(&text, 0);
    const Str words[] = {p->id, p->target, p->reason, p->proposer, p->decider};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        buf_add(&text, words[i]);
        buf_char(&text, '|');
    }
    db_bind_str(st, 0, p->id);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        buf_i64(&text, db_col_i64(st, 0));
        buf_char(&text, '|');
    }
    db_give(st);
    Sha256 sum = sha256(buf_str(&text));
    buf_done(&text);
    if (step != DB_NONE) {
        return db_failed(log, err);
    }
    *ret_cause =
        arena_cat(a, STR(STORE_PURGE_CAUSE), p->id, STR(" "), hex_encode(a, sum.b, sizeof sum.b));
    return OK;
}

/* ---- What is left ----------------------------------------------------------------------------
 */

Status store_purged(StoreReader *r, StorePurgedTold *told, void *ctx, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT " VERSION_COLUMNS ", v.body_sha, d.purge FROM purged d"
                                 " JOIN version v ON v.seq = d.seq JOIN head h ON h.rid = v.rid"
                                 " JOIN tx t ON t.tx = v.tx ORDER BY d.seq");
    if (!st) {
        return db_failed(r->log, err);
    }
    Arena a;
    arena_init(&a, 0);
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        StoreVersion v;
        Str sha = db_col_str(st, 15);
        Sha256 whole;
        s = version_read(r, st, &a, true, &v, err);
        if (s == OK && v.body.p) { /* its erasure is still to come */
            whole = sha256(v.body);
            sha = (Str){(const char *)whole.b, sizeof whole.b};
        }
        s = s == OK ? told(ctx, &v, hex_encode(&a, sha.p, sha.n), db_col_str(st, 16), err) : s;
        arena_reset(&a);
    }
    db_give(st);
    arena_done(&a);
    return s == OK && step != DB_NONE ? db_failed(r->log, err) : s;
}
