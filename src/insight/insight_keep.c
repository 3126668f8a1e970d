/* Following the log: each new version of a case, each step's Provenance, into rows. */
#include <stdlib.h>

#include "insight_inner.h"

#include "store_label.h"

#include "mk_banned.h"

#define WAL_PAGES_MAX 1000

/* A case as the file has it. */
typedef struct Run {
    int64_t no; /* 0: not there */
    Word pathway, requester, owner, priority, state;
    unsigned labels;
    int64_t first_ms, last_ms;
    Str patient;
} Run;

/* A version of a case in the transaction being followed: its steps' Provenances come beside it. */
typedef struct Fresh {
    struct Fresh *next;
    Str task, vid, last_step;
    Word before, after, state;
} Fresh;

typedef struct Follow {
    Insight *in;
    StoreReader *reader;
    Arena *arena; /* of the transaction */
    Fresh *fresh;
    uint64_t tx;
    Err *err;
} Follow;

/* ---- Rows ------------------------------------------------------------------------------------ */

static Status run_find(Follow *f, Str id, Run *ret)
{
    *ret = (Run){.first_ms = INT64_MAX, .last_ms = INT64_MIN};
    DbStmt *st = db_take(f->in->db, "SELECT no, pathway, requester, owner, priority, state, first,"
                                    " last, patient, labels FROM run WHERE id = ?");
    if (!st) {
        return db_failed(f->in->db, f->err);
    }
    db_bind_str(st, 0, id);
    DbStep step = db_step(st);
    if (step == DB_ROW) {
        *ret = (Run){.no = db_col_i64(st, 0),
                     .pathway = (Word)db_col_i64(st, 1),
                     .requester = (Word)db_col_i64(st, 2),
                     .owner = (Word)db_col_i64(st, 3),
                     .priority = (Word)db_col_i64(st, 4),
                     .state = (Word)db_col_i64(st, 5),
                     .first_ms = db_col_i64(st, 6),
                     .last_ms = db_col_i64(st, 7),
                     .labels = (unsigned)db_col_i64(st, 9),
                     .patient = arena_str(f->arena, db_col_str(st, 8))};
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(f->in->db, f->err) : OK;
    db_give(st);
    return s;
}

static Status run_put(Follow *f, Str id, Run *r)
{
    DbStmt *st =
        db_take(f->in->db, "INSERT INTO run(no, id, patient, pathway, requester, owner, priority,"
                           " state, first, last, labels) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                           " ON CONFLICT(id) DO UPDATE SET patient = excluded.patient,"
                           " pathway = excluded.pathway, requester = excluded.requester,"
                           " owner = excluded.owner, priority = excluded.priority,"
                           " state = excluded.state, first = excluded.first, last = excluded.last,"
                           " labels = excluded.labels");
    if (!st) {
        return db_failed(f->in->db, f->err);
    }
    if (r->no) {
        db_bind_i64(st, 0, r->no);
    } else {
        db_bind_null(st, 0);
    }
    db_bind_str(st, 1, id);
    db_bind_str(st, 2, r->patient.p ? r->patient : STR(""));
    db_bind_i64(st, 3, r->pathway);
    db_bind_i64(st, 4, r->requester);
    db_bind_i64(st, 5, r->owner);
    db_bind_i64(st, 6, r->priority);
    db_bind_i64(st, 7, r->state);
    db_bind_i64(st, 8, r->first_ms);
    db_bind_i64(st, 9, r->last_ms);
    db_bind_i64(st, 10, r->labels);
    TRY(db_run(f->in->db, st, f->err));
    return r->no ? OK : db_get_i64(f->in->db, "SELECT last_insert_rowid()", 0, &r->no, f->err);
}

static Status run_times_put(Follow *f, const Run *r)
{
    DbStmt *st = db_take(f->in->db, "UPDATE run SET first = ?, last = ? WHERE no = ?");
    if (!st) {
        return db_failed(f->in->db, f->err);
    }
    db_bind_i64(st, 0, r->first_ms);
    db_bind_i64(st, 1, r->last_ms);
    db_bind_i64(st, 2, r->no);
    return db_run(f->in->db, st, f->err);
}

/* The number that a version begins with: they count up within a case. */
static int64_t ord_of(Str vid)
{
    Str number, rest;
    int64_t n = 0;
    str_cut(vid, '-', &number, &rest);
    return str_to_i64(number, &n) ? n : 0;
}

static Status moment_put(Follow *f, Run *r, const Moment *m, int64_t ord)
{
    DbStmt *st = db_take(f->in->db, "INSERT OR IGNORE INTO moment(run, at, ord, kind, code, state,"
                                    " before, after) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    if (!st) {
        return db_failed(f->in->db, f->err);
    }
    const int64_t column[] = {r->no,   m->at_ms, ord,       m->kind,
                              m->code, m->state, m->before, m->after};
    for (int i = 0; i < 8; i++) {
        db_bind_i64(st, i, column[i]);
    }
    r->first_ms = m->at_ms < r->first_ms ? m->at_ms : r->first_ms;
    r->last_ms = m->at_ms > r->last_ms ? m->at_ms : r->last_ms;
    return db_run(f->in->db, st, f->err);
}

static Status run_remove(Follow *f, Str id)
{
    Run r;
    TRY(run_find(f, id, &r));
    DbStmt *moments = db_take(f->in->db, "DELETE FROM moment WHERE run = ?");
    if (!moments) {
        return db_failed(f->in->db, f->err);
    }
    db_bind_i64(moments, 0, r.no);
    TRY(db_run(f->in->db, moments, f->err));
    DbStmt *run = db_take(f->in->db, "DELETE FROM run WHERE no = ?");
    if (!run) {
        return db_failed(f->in->db, f->err);
    }
    db_bind_i64(run, 0, r.no);
    return db_run(f->in->db, run, f->err);
}

/* ---- Versions -------------------------------------------------------------------------------- */

static Status body_read(Follow *f, const StoreVersion *v, JsonDoc *ret, bool *ret_there)
{
    StoreVersion whole;
    *ret_there = store_vread(f->reader, f->arena, &STORE_VIEW_ALL, v->type, v->id, v->vid, &whole,
                             NULL) == OK &&
                 whole.body.n &&
                 json_parse(f->arena, whole.body, &JSON_LIMITS_FHIR, ret, NULL) == OK;
    return arena_exhausted(f->arena) ? err_status(f->err, ERR_UNAVAILABLE) : OK;
}

static Str patient_id(Str reference)
{
    return str_starts(reference, STR("Patient/")) ? str_skip(reference, 8) : STR_NONE;
}

static Status run_fill(Follow *f, const FlowCaseFacts *c, Run *r)
{
    Insight *in = f->in;
    r->patient = patient_id(c->patient);
    TRY(insight_word_put(in, c->pathway, &r->pathway, f->err));
    TRY(insight_word_put(in, c->requester, &r->requester, f->err));
    TRY(insight_word_put(in, c->owner, &r->owner, f->err));
    TRY(insight_word_put(in, c->priority, &r->priority, f->err));
    return insight_word_put(in, c->state, &r->state, f->err);
}

static Status task_follow(Follow *f, const StoreVersion *v)
{
    JsonDoc d;
    bool there;
    FlowCaseFacts c;
    Run r;
    if (v->op == STORE_DELETE) {
        return run_remove(f, v->id);
    }
    TRY(body_read(f, v, &d, &there));
    if (!there || !flow_case_facts(f->arena, &d, &c)) {
        return OK;
    }
    TRY(run_find(f, v->id, &r));
    Word before = r.owner;
    TRY(run_fill(f, &c, &r));
    r.labels = store_labels_of(&d);
    TRY(run_put(f, v->id, &r));
    for (size_t i = 0; i < c.due_n; i++) {
        Moment m = {
            .at_ms = c.due[i].due_ms, .kind = MOMENT_DUE, .before = r.owner, .after = r.owner};
        TRY(insight_word_put(f->in, c.due[i].name, &m.code, f->err));
        TRY(moment_put(f, &r, &m, 0));
    }
    Fresh *fresh = arena_new(f->arena, Fresh);
    *fresh = (Fresh){.next = f->fresh,
                     .task = v->id,
                     .vid = v->vid,
                     .last_step = c.last_step,
                     .before = before ? before : r.owner,
                     .after = r.owner,
                     .state = r.state};
    f->fresh = fresh;
    return run_times_put(f, &r);
}

static const Fresh *fresh_find(const Follow *f, const FlowStepFacts *s)
{
    for (const Fresh *x = f->fresh; x; x = x->next) {
        if (str_eq(x->task, s->task) && str_eq(x->vid, s->vid)) {
            return x;
        }
    }
    return NULL;
}

/*
 * A version may be of several steps: its state is that of the last. A Provenance that came
 * without its version (from elsewhere) tells its step and time alone.
 */
static Status provenance_follow(Follow *f, const StoreVersion *v)
{
    JsonDoc d;
    bool there;
    FlowStepFacts s;
    Run r;
    TRY(body_read(f, v, &d, &there));
    if (!there || !flow_step_facts(f->arena, &d, &s)) {
        return OK;
    }
    TRY(run_find(f, s.task, &r));
    const Fresh *x = fresh_find(f, &s);
    bool last = x && (!x->last_step.n || str_eq(x->last_step, s.action));
    Moment m = {.at_ms = s.at_ms,
                .kind = MOMENT_STEP,
                .state = last ? x->state : 0,
                .before = x ? x->before : r.owner,
                .after = x ? x->after : r.owner};
    TRY(insight_word_put(f->in, s.action, &m.code, f->err));
    if (!r.no) {
        TRY(run_put(f, s.task, &r));
    }
    TRY(moment_put(f, &r, &m, ord_of(s.vid)));
    return run_times_put(f, &r);
}

/* Cases before their steps, whatever their order in the transaction. */
static Status tx_follow(Follow *f, const StoreVersion *v, size_t n)
{
    f->fresh = NULL;
    for (size_t i = 0; i < n; i++) {
        if (str_is(v[i].type, "Task")) {
            TRY(task_follow(f, &v[i]));
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (str_is(v[i].type, "Provenance") && v[i].op != STORE_DELETE) {
            TRY(provenance_follow(f, &v[i]));
        }
    }
    return OK;
}

static Status rows_follow(Follow *f, const StoreVersion *v, size_t n)
{
    Arena a;
    arena_init(&a, 0);
    f->arena = &a;
    Status s = OK;
    for (size_t i = 0, end; s == OK && i < n; i = end) {
        for (end = i + 1; end < n && v[end].tx == v[i].tx; end++) {
        }
        s = tx_follow(f, &v[i], end - i);
        arena_reset(&a);
    }
    if (s == OK && n) {
        s = insight_meta_put(f->in, "seq",
                             arena_printf(&a, "%llu", (unsigned long long)v[n - 1].seq), f->err);
    }
    if (s == OK && n) {
        s = insight_meta_put(f->in, "mark", insight_mark(f->reader, &a, v[n - 1].seq), f->err);
    }
    arena_done(&a);
    return s;
}

static Status part_follow(Insight *in, StoreReader *r, Arena *a, size_t limit, Err *err)
{
    Follow f = {.in = in, .reader = r, .err = err};
    StoreVersion *v;
    size_t n;
    TRY(store_log(r, a, in->seq, limit, &v, &n, err));
    TRY(db_begin(in->db, err));
    Status s = rows_follow(&f, v, n);
    if (s == OK) {
        s = db_commit(in->db, err);
    }
    if (s != OK) {
        if (db_in_transaction(in->db)) {
            db_abort(in->db);
        }
        log_warn("insight", "the figures' facts are made anew");
        return insight_reset(in, NULL) == OK ? s : ERR_INTERNAL;
    }
    in->seq = n ? v[n - 1].seq : in->seq;
    int left;
    return db_wal_pages(in->db) > WAL_PAGES_MAX ? db_checkpoint(in->db, DB_COPY, &left, err) : OK;
}

Status insight_follow(Insight *in, StoreReader *r, size_t limit, bool *ret_more, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    pthread_mutex_lock(&in->lock);
    Status s = store_seq(in->store) > in->seq ? part_follow(in, r, &a, limit, err) : OK;
    *ret_more = store_seq(in->store) > in->seq;
    pthread_mutex_unlock(&in->lock);
    arena_done(&a);
    return s;
}
