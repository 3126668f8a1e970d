/* Which views are kept: those of Libraries that say so. */
#include "insight_views_inner.h"
#include "store_heads.h"

#include "mk_banned.h"

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

/* What it tells of a resource may change without the resource: with the time, with a value set. */
static bool is_moving(Str definition)
{
    return str_find(definition, STR("memberOf(")) >= 0 || str_find(definition, STR("now()")) >= 0 ||
           str_find(definition, STR("today()")) >= 0 ||
           str_find(definition, STR("timeOfDay()")) >= 0;
}

Str views_digest(Arena *a, Str definition)
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
    *ret = (Kept){.id = arena_str(&x->arena, hit->id), .digest = views_digest(&x->arena, text)};
    return text.n && !is_moving(text) &&
           json_parse(&x->arena, text, &JSON_LIMITS_FHIR, view, NULL) == OK &&
           fhir_view_compile(&x->arena, view, JSON_ROOT, &ret->compiled, NULL) == OK;
}

Status views_rows_drop(InsightViews *x, Str id, Err *err)
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

Status views_kept_put(InsightViews *x, const Kept *k, Err *err)
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
    TRY(views_rows_drop(x, k->id, err));
    return views_kept_put(x, k, err);
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
            TRY(views_rows_drop(x, id[i], err));
        }
    }
    return OK;
}

Status views_list(InsightViews *x, StoreReader *r, Err *err)
{
    const StoreHit *hit;
    size_t n;
    Arena a;
    arena_init(&a, VIEWS_LOG_BYTES);
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

Status views_look(InsightViews *x, StoreReader *r, Err *err)
{
    size_t n = 1;
    while (n && x->looked < store_seq(x->store) && !x->stale) {
        Arena a;
        StoreVersion *rows;
        arena_init(&a, VIEWS_LOG_BYTES);
        Status s = store_log(r, &a, x->looked, 2 * VIEWS_STRETCH, &rows, &n, err);
        for (size_t i = 0; s == OK && i < n; i++) {
            x->stale |= str_is(rows[i].type, "Library");
            x->looked = rows[i].seq;
        }
        arena_done(&a);
        TRY(s);
    }
    return OK;
}
