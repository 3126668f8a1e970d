/* Views that are kept up to date from the log: their rows, and the door to them. */
#include <stdio.h>
#include <stdlib.h>

#include "insight_views_inner.h"
#include "store_heads.h"

#include "mk_banned.h"

#define CATCH_UP_MAX 40                 /* stretches that one who asks waits for */
#define ONE_BYTES    ((size_t)64 << 20) /* what one resource makes */

typedef struct Put {
    InsightViews *views;
    Kept *kept;
    const StoreVersion *v;
    Str patients;
    FhirViewWriter writer;
    Buf out;
    int64_t n;
} Put;

static Status row_put(void *ctx, const FhirValues *cell, Err *err)
{
    Put *p = ctx;
    buf_clear(&p->out);
    fhir_view_write_row(&p->writer, cell);
    DbStmt *st = db_take(p->views->db, "INSERT INTO row(view, rid, n, seq, patients, body)"
                                       " VALUES(?, ?, ?, ?, ?, ?)");
    if (!st) {
        return db_failed(p->views->db, err);
    }
    db_bind_str(st, 0, p->kept->id);
    db_bind_str(st, 1, p->v->id);
    db_bind_i64(st, 2, p->n++);
    db_bind_i64(st, 3, (int64_t)p->v->seq);
    db_bind_str(st, 4, p->patients);
    db_bind_str(st, 5, str_take(buf_str(&p->out), p->out.n - 1));
    return db_run(p->views->db, st, err);
}

static Status resource_drop(InsightViews *x, const Kept *k, Str id, Err *err)
{
    DbStmt *st = db_take(x->db, "DELETE FROM row WHERE view = ? AND rid = ?");
    if (!st) {
        return db_failed(x->db, err);
    }
    db_bind_str(st, 0, k->id);
    db_bind_str(st, 1, id);
    return db_run(x->db, st, err);
}

static Str patients_join(Arena *a, const StoreVersion *v)
{
    Str all = STR_NONE;
    for (size_t i = 0; i < v->patients_n; i++) {
        all = arena_cat(a, all, all.n ? STR(" ") : STR_NONE, v->patients[i]);
    }
    return all;
}

/* A view that fails on a resource is not kept any longer; the file's own failures are told. */
static Status resource_put(InsightViews *x, Kept *k, const StoreVersion *v, Err *err)
{
    Arena a;
    JsonDoc d;
    Err why;
    arena_init(&a, ONE_BYTES);
    err_init(&why, &a);
    Put p = {.views = x, .kept = k, .v = v, .patients = patients_join(&a, v)};
    buf_init(&p.out, 0);
    p.writer = (FhirViewWriter){.view = k->compiled, .out = &p.out};
    FhirViewRun run = {.arena = &a, .zone_min = x->zone_min, .row = row_put, .ctx = &p};
    TRY(resource_drop(x, k, v->id, err));
    Status s = json_parse(&a, v->body, &JSON_LIMITS_FHIR, &d, &why);
    s = s == OK ? fhir_view_run(k->compiled, &run, fhir_node_root(&d), &why) : s;
    k->broken |= s == ERR_UNPROCESSABLE || s == ERR_TOO_LARGE;
    s = s != OK && !k->broken ? err_move(err, &why, STR_NONE) : OK;
    buf_done(&p.out);
    arena_done(&a);
    return s;
}

typedef struct Making {
    InsightViews *views;
    Kept *kept;
} Making;

static Status head_told(void *ctx, const StoreVersion *v, Err *err)
{
    Making *m = ctx;
    return m->kept->broken ? OK : resource_put(m->views, m->kept, v, err);
}

/* A stretch of all resources of the type, as they were when the making began. */
static Status kept_make(InsightViews *x, Kept *k, StoreReader *r, Err *err)
{
    Arena a;
    Str after;
    Making m = {x, k};
    StoreHeads q = {.type = fhir_view_resource(k->compiled),
                    .after = k->after,
                    .as_of = k->as_of,
                    .since_ms = TIME_NONE,
                    .limit = VIEWS_STRETCH};
    arena_init(&a, VIEWS_LOG_BYTES);
    Status s = store_heads(r, &a, &STORE_VIEW_ALL, &q, head_told, &m, &after, err);
    if (s == OK) {
        k->after = arena_str(&x->arena, after);
        k->seq = after.n ? 0 : k->as_of;
    }
    arena_done(&a);
    return s;
}

static Status kept_follow(InsightViews *x, Kept *k, StoreReader *r, Err *err)
{
    Arena a;
    StoreVersion *rows, v;
    size_t n = 0;
    arena_init(&a, VIEWS_LOG_BYTES);
    Status s = store_log(r, &a, k->seq, VIEWS_STRETCH, &rows, &n, err);
    for (size_t i = 0; s == OK && i < n && !k->broken; i++) {
        k->seq = rows[i].seq;
        if (!str_eq(rows[i].type, fhir_view_resource(k->compiled))) {
            continue;
        }
        bool there = store_read(r, &a, &STORE_VIEW_ALL, rows[i].type, rows[i].id, &v, NULL) == OK;
        s = store_reader_trouble(r, err);
        s = s != OK ? s
            : there ? resource_put(x, k, &v, err)
                    : resource_drop(x, k, rows[i].id, err);
    }
    arena_done(&a);
    return s;
}

/* One step of one view and its place, in one transaction. */
static Status kept_step(InsightViews *x, Kept *k, StoreReader *r, Err *err)
{
    TRY(db_begin(x->db, err));
    Status s = k->seq ? kept_follow(x, k, r, err) : kept_make(x, k, r, err);
    s = s == OK && k->broken ? views_rows_drop(x, k->id, err) : s;
    s = s == OK && !k->broken ? views_kept_put(x, k, err) : s;
    s = s == OK ? views_mark_put(x, r, k->seq, err) : s;
    s = s == OK ? db_commit(x->db, err) : s;
    if (s != OK) {
        if (db_in_transaction(x->db)) {
            db_abort(x->db);
        }
        x->stale = true; /* the places are read again */
    }
    return s;
}

static bool is_behind(const InsightViews *x, const Kept *k)
{
    return !k->broken && k->seq < store_seq(x->store);
}

static Status follow(InsightViews *x, StoreReader *r, bool *ret_more, Err *err)
{
    TRY(views_look(x, r, err));
    if (x->stale) {
        TRY(views_list(x, r, err));
    }
    for (size_t i = 0; i < x->n && !x->stale; i++) {
        if (is_behind(x, &x->kept[i])) {
            TRY(kept_step(x, &x->kept[i], r, err));
            *ret_more |= is_behind(x, &x->kept[i]);
        }
    }
    *ret_more |= x->stale;
    return OK;
}

/* ---- The door ------------------------------------------------------------------------------- */

Status insight_views_follow(InsightViews *x, StoreReader *r, bool *ret_more, Err *err)
{
    pthread_mutex_lock(&x->lock);
    Status s = follow(x, r, ret_more, err);
    pthread_mutex_unlock(&x->lock);
    return s;
}

static Kept *kept_find(InsightViews *x, Str id, Str digest)
{
    for (size_t i = 0; i < x->n; i++) {
        Kept *k = &x->kept[i];
        if (str_eq(k->id, id) && str_eq(k->digest, digest) && !k->broken) {
            return k;
        }
    }
    return NULL;
}

static Status rows_tell(InsightViews *x, StoreReader *r, const Kept *k, const StoreView *sight,
                        InsightRowTold *told, void *ctx, Err *err)
{
    Arena a;
    bool seen = false;
    uint64_t last = 0;
    Status s = OK;
    DbStep step = DB_NONE;
    DbStmt *st = db_take(x->db, "SELECT seq, patients, body FROM row WHERE view = ?"
                                " ORDER BY view, rid, n");
    if (!st) {
        return db_failed(x->db, err);
    }
    arena_init(&a, VIEWS_LOG_BYTES);
    db_bind_str(st, 0, k->id);
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        uint64_t seq = (uint64_t)db_col_i64(st, 0);
        seen = seq == last ? seen : sight->everything || store_version_visible(r, sight, seq);
        last = seq;
        Str patient[16], rest = db_col_str(st, 1);
        size_t n = 0;
        while (rest.n && n < 16) {
            str_cut(rest, ' ', &patient[n++], &rest);
        }
        s = seen ? told(ctx, db_col_str(st, 2), patient, n, err) : OK;
    }
    s = s == OK && step != DB_NONE ? db_failed(x->db, err) : s;
    db_give(st);
    arena_done(&a);
    return s;
}

Status insight_views_rows(InsightViews *x, StoreReader *r, Str library_id, Str definition,
                          const StoreView *sight, InsightRowTold *told, void *ctx, bool *ret_served,
                          Err *err)
{
    Arena a;
    bool more = true;
    Status s = OK;
    *ret_served = false;
    arena_init(&a, VIEWS_LOG_BYTES);
    pthread_mutex_lock(&x->lock);
    for (int i = 0; i < CATCH_UP_MAX && more && s == OK; i++) {
        more = false;
        s = follow(x, r, &more, NULL);
    }
    Kept *k = s == OK && !more ? kept_find(x, library_id, views_digest(&a, definition)) : NULL;
    if (k) {
        *ret_served = true;
        s = rows_tell(x, r, k, sight, told, ctx, err);
    } else {
        s = OK; /* whoever asked runs it */
    }
    pthread_mutex_unlock(&x->lock);
    arena_done(&a);
    return s;
}

void insight_views_reset(InsightViews *x)
{
    pthread_mutex_lock(&x->lock);
    if (views_file_again(x, NULL) != OK) {
        log_warn("insight", "the views that are kept cannot be made again");
    }
    pthread_mutex_unlock(&x->lock);
}

Status insight_views_open(Store *s, const char *dir, int zone_min, InsightViews **ret, Err *err)
{
    InsightViews *x = calloc(1, sizeof *x);
    StoreReader *r;
    mk_check(x != NULL);
    pthread_mutex_init(&x->lock, NULL);
    arena_init(&x->arena, 0);
    x->store = s;
    x->zone_min = zone_min;
    x->stale = true;
    x->looked = store_seq(s);
    snprintf(x->path, sizeof x->path, "%s/views.db", dir);
    Status status = store_reader_open(s, &r, err);
    if (status == OK) {
        bool fits = views_file_open(x, NULL) == OK && views_mark_fits(x, r);
        status = fits ? OK : views_file_again(x, err);
        store_reader_close(r);
    }
    if (status != OK) {
        insight_views_close(x);
        return status;
    }
    *ret = x;
    return OK;
}

void insight_views_close(InsightViews *x)
{
    if (x) {
        views_file_close(x);
        arena_done(&x->arena);
        pthread_mutex_destroy(&x->lock);
        free(x);
    }
}
