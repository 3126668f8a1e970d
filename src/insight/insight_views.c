#include "insight_views.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "insight_inner.h"
#include "store_heads.h"

#include "mk_banned.h"

#define APPLICATION  0x4d6b5677 /* "MkVw" */
#define STRETCH      500
#define CATCH_UP_MAX 40                  /* stretches that one who asks waits for */
#define ONE_BYTES    ((size_t)64 << 20)  /* what one resource makes */
#define LOG_BYTES    ((size_t)128 << 20) /* a stretch of the log */

static const char *const LAYOUT_1[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE view(id TEXT PRIMARY KEY, digest TEXT NOT NULL, seq INTEGER NOT NULL,"
    " as_of INTEGER NOT NULL, after TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE row(view TEXT NOT NULL, rid TEXT NOT NULL, n INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, patients TEXT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY(view, rid, n)) WITHOUT ROWID",
    NULL,
};

typedef struct Kept {
    Str id, digest;
    FhirView *compiled;
    uint64_t seq;   /* followed up to here; 0: still being made … */
    uint64_t as_of; /* … of this moment … */
    Str after;      /* … up to this id */
    bool broken;    /* it fails on some resource */
} Kept;

struct InsightViews {
    Store *store;
    char path[4096];
    int zone_min;
    pthread_mutex_t lock; /* of all that follows */
    Db *db;
    Arena arena; /* of the list */
    Kept kept[INSIGHT_VIEWS_MAX];
    size_t n;
    uint64_t looked; /* the log is looked through for Libraries up to here */
    bool stale;
};

/* ---- The file ------------------------------------------------------------------------------- */

static Status file_open(InsightViews *x, Err *err)
{
    const DbMigration steps[] = {{LAYOUT_1}};
    DbOptions o = {.path = x->path,
                   .sync = DB_SYNC_NORMAL,
                   .create = true,
                   .page_bytes = 8192,
                   .overwrite = true,
                   .wait_ms = 10000};
    TRY(db_open(&o, &x->db, err));
    return db_migrate(x->db, APPLICATION, steps, 1, err);
}

static void file_close(InsightViews *x)
{
    if (x->db) {
        db_close(x->db);
        x->db = NULL;
    }
}

static Status file_again(InsightViews *x, Err *err)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    file_close(x);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        char name[sizeof x->path + 8];
        snprintf(name, sizeof name, "%s%s", x->path, ENDS[i]);
        (void)unlink(name);
    }
    x->stale = true;
    x->n = 0;
    return file_open(x, err);
}

static Status mark_put(InsightViews *x, StoreReader *r, uint64_t seq, Err *err)
{
    Arena a;
    arena_init(&a, LOG_BYTES);
    Str mark = insight_mark(r, &a, seq);
    DbStmt *st = db_take(x->db, "INSERT INTO meta(name, value) VALUES('mark', ?)"
                                " ON CONFLICT(name) DO UPDATE SET value = excluded.value");
    Status s = st ? OK : db_failed(x->db, err);
    if (st) {
        db_bind_str(st, 0, mark);
        s = db_run(x->db, st, err);
    }
    arena_done(&a);
    return s;
}

/* The row of the log that was followed last is still what it was. */
static bool mark_fits(InsightViews *x, StoreReader *r)
{
    Arena a;
    int64_t seq = 0;
    bool fits = true;
    DbStmt *st = db_take(x->db, "SELECT value FROM meta WHERE name = 'mark'");
    arena_init(&a, LOG_BYTES);
    if (st && db_step(st) == DB_ROW) {
        Str mark = arena_str(&a, db_col_str(st, 0)), first, rest;
        str_cut(mark, ' ', &first, &rest);
        fits = !mark.n ||
               (str_to_i64(first, &seq) && str_eq(mark, insight_mark(r, &a, (uint64_t)seq)));
    }
    if (st) {
        db_give(st);
    }
    arena_done(&a);
    return fits;
}

/* ---- Which views there are ------------------------------------------------------------------ */

Str insight_view_of_library(Arena *a, const JsonDoc *library)
{
    for (JsonIter it = json_iter(library, json_get_c(library, JSON_ROOT, "content"));
         json_next(&it);) {
        Str bytes, data = json_str_at(library, it.value, "data");
        if (data.n && str_find(json_str_at(library, it.value, "contentType"), STR("json")) >= 0 &&
            base64_decode(a, data, false, &bytes)) {
            return bytes;
        }
    }
    return STR_NONE;
}

static bool tells_time(Str definition)
{
    return str_find(definition, STR("now()")) >= 0 || str_find(definition, STR("today()")) >= 0 ||
           str_find(definition, STR("timeOfDay()")) >= 0;
}

static Str digest_of(Arena *a, Str definition)
{
    Sha256 sum = sha256(definition);
    return hex_encode(a, sum.b, sizeof sum.b);
}

/* False: the Library holds no view that can be kept. */
static bool kept_read(InsightViews *x, const StoreHit *hit, Kept *ret)
{
    JsonDoc *library = arena_new(&x->arena, JsonDoc), *view = arena_new(&x->arena, JsonDoc);
    Str body = arena_str(&x->arena, hit->body);
    if (json_parse(&x->arena, body, &JSON_LIMITS_FHIR, library, NULL) != OK) {
        return false;
    }
    Str text = insight_view_of_library(&x->arena, library);
    *ret = (Kept){.id = arena_str(&x->arena, hit->id), .digest = digest_of(&x->arena, text)};
    return text.n && !tells_time(text) &&
           json_parse(&x->arena, text, &JSON_LIMITS_FHIR, view, NULL) == OK &&
           fhir_view_compile(&x->arena, view, JSON_ROOT, &ret->compiled, NULL) == OK;
}

static Status rows_drop(InsightViews *x, Str id, Err *err)
{
    DbStmt *st = db_take(x->db, "DELETE FROM row WHERE view = ?");
    if (!st) {
        return db_failed(x->db, err);
    }
    db_bind_str(st, 0, id);
    TRY(db_run(x->db, st, err));
    st = db_take(x->db, "DELETE FROM view WHERE id = ?");
    if (!st) {
        return db_failed(x->db, err);
    }
    db_bind_str(st, 0, id);
    return db_run(x->db, st, err);
}

static Status kept_put(InsightViews *x, const Kept *k, Err *err)
{
    DbStmt *st = db_take(x->db, "INSERT INTO view(id, digest, seq, as_of, after)"
                                " VALUES(?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
                                " digest = excluded.digest, seq = excluded.seq,"
                                " as_of = excluded.as_of, after = excluded.after");
    if (!st) {
        return db_failed(x->db, err);
    }
    db_bind_str(st, 0, k->id);
    db_bind_str(st, 1, k->digest);
    db_bind_i64(st, 2, (int64_t)k->seq);
    db_bind_i64(st, 3, (int64_t)k->as_of);
    db_bind_str(st, 4, k->after);
    return db_run(x->db, st, err);
}

/* How far its table is; another definition begins again. */
static Status kept_place(InsightViews *x, Kept *k, Err *err)
{
    bool same = false;
    DbStmt *st = db_take(x->db, "SELECT digest, seq, as_of, after FROM view WHERE id = ?");
    if (!st) {
        return db_failed(x->db, err);
    }
    db_bind_str(st, 0, k->id);
    if (db_step(st) == DB_ROW) {
        same = str_eq(db_col_str(st, 0), k->digest);
        k->seq = (uint64_t)db_col_i64(st, 1);
        k->as_of = (uint64_t)db_col_i64(st, 2);
        k->after = arena_str(&x->arena, db_col_str(st, 3));
    }
    db_give(st);
    if (same) {
        return OK;
    }
    k->seq = 0;
    k->after = STR_NONE;
    k->as_of = store_seq(x->store);
    TRY(rows_drop(x, k->id, err));
    return kept_put(x, k, err);
}

static bool is_listed(const InsightViews *x, Str id)
{
    for (size_t i = 0; i < x->n; i++) {
        if (str_eq(x->kept[i].id, id)) {
            return true;
        }
    }
    return false;
}

/* Tables of Libraries that are no longer there, or hold something else. */
static Status others_drop(InsightViews *x, Err *err)
{
    Str id[2 * INSIGHT_VIEWS_MAX];
    size_t n = 0;
    DbStmt *st = db_take(x->db, "SELECT id FROM view");
    if (!st) {
        return db_failed(x->db, err);
    }
    while (n < sizeof id / sizeof *id && db_step(st) == DB_ROW) {
        id[n++] = arena_str(&x->arena, db_col_str(st, 0));
    }
    db_give(st);
    for (size_t i = 0; i < n; i++) {
        if (!is_listed(x, id[i])) {
            TRY(rows_drop(x, id[i], err));
        }
    }
    return OK;
}

static Status views_list(InsightViews *x, StoreReader *r, Err *err)
{
    const StoreHit *hit;
    size_t n;
    Arena a;
    arena_init(&a, LOG_BYTES);
    Status s = store_find(r, &a, &STORE_VIEW_ALL, STR("Library"), STR("status=active"), 10000, &hit,
                          &n, err);
    arena_reset(&x->arena);
    x->n = 0;
    for (size_t i = 0; s == OK && i < n && x->n < INSIGHT_VIEWS_MAX; i++) {
        if (kept_read(x, &hit[i], &x->kept[x->n])) {
            s = kept_place(x, &x->kept[x->n++], err);
        }
    }
    arena_done(&a);
    x->stale = s != OK;
    return s == OK ? others_drop(x, err) : s;
}

static Status libraries_look(InsightViews *x, StoreReader *r, Err *err)
{
    size_t n = 1;
    while (n && x->looked < store_seq(x->store) && !x->stale) {
        Arena a;
        StoreVersion *rows;
        arena_init(&a, LOG_BYTES);
        Status s = store_log(r, &a, x->looked, 2 * STRETCH, &rows, &n, err);
        for (size_t i = 0; s == OK && i < n; i++) {
            x->stale |= str_is(rows[i].type, "Library");
            x->looked = rows[i].seq;
        }
        arena_done(&a);
        TRY(s);
    }
    return OK;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

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
                    .limit = STRETCH};
    arena_init(&a, LOG_BYTES);
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
    arena_init(&a, LOG_BYTES);
    Status s = store_log(r, &a, k->seq, STRETCH, &rows, &n, err);
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
    s = s == OK && k->broken ? rows_drop(x, k->id, err) : s;
    s = s == OK && !k->broken ? kept_put(x, k, err) : s;
    s = s == OK ? mark_put(x, r, k->seq, err) : s;
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
    TRY(libraries_look(x, r, err));
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
    arena_init(&a, LOG_BYTES);
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
    arena_init(&a, LOG_BYTES);
    pthread_mutex_lock(&x->lock);
    for (int i = 0; i < CATCH_UP_MAX && more && s == OK; i++) {
        more = false;
        s = follow(x, r, &more, NULL);
    }
    Kept *k = s == OK && !more ? kept_find(x, library_id, digest_of(&a, definition)) : NULL;
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
    if (file_again(x, NULL) != OK) {
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
        bool fits = file_open(x, NULL) == OK && mark_fits(x, r);
        status = fits ? OK : file_again(x, err);
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
        file_close(x);
        arena_done(&x->arena);
        pthread_mutex_destroy(&x->lock);
        free(x);
    }
}
