#include "store_ahead.h"

#include "mk_banned.h"

static Str ahead_name(Arena *a, const FhirType *type, Str id)
{
    return arena_cat(a, fhir_type_name(type), STR("/"), id);
}

static DbStmt *ahead_stmt(Db *log, bool bodies)
{
    return bodies ? db_take(log, "SELECT w.n, h.rid, h.seq, h.born, h.op, v.vid, " BODY_COLUMNS
                                 " FROM unnest(?::bigint[], ?::text[]) WITH ORDINALITY"
                                 " AS w(type, id, n) JOIN head h ON h.type = w.type AND h.id = w.id"
                                 " JOIN version v ON v.seq = h.seq")
                  : db_take(log, "SELECT w.n, h.rid, h.seq, h.born, h.op, v.vid"
                                 " FROM unnest(?::bigint[], ?::text[]) WITH ORDINALITY"
                                 " AS w(type, id, n) JOIN head h ON h.type = w.type AND h.id = w.id"
                                 " JOIN version v ON v.seq = h.seq");
}

static void row_take(DbStmt *st, Arena *a, Ahead *x, bool bodies)
{
    x->found = true;
    x->head = (Head){db_col_i64(st, 1), (uint64_t)db_col_i64(st, 2), (uint64_t)db_col_i64(st, 3),
                     (StoreOp)db_col_i64(st, 4), arena_str(a, db_col_str(st, 5))};
    if (bodies && !db_col_is_null(st, 7)) {
        BodyRow row = body_row(st, 6);
        x->body = (BodyRow){row.dict, arena_str(a, row.packed), x->id, arena_str(a, row.patients)};
    }
}

Status ahead_ask(Db *log, Arena *a, Ahead *list, size_t n, bool bodies, Err *err)
{
    int64_t *type = arena_array(a, int64_t, n + 1);
    Str *id = arena_array(a, Str, n + 1);
    for (size_t i = 0; i < n; i++) {
        type[i] = type_number(list[i].type);
        id[i] = list[i].id;
    }
    DbStmt *st = ahead_stmt(log, bodies);
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64s(st, 0, a, type, n);
    db_bind_strs(st, 1, a, id, n);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        row_take(st, a, &list[db_col_i64(st, 0) - 1], bodies);
    }
    Status s = step == DB_NONE ? OK : db_failed(log, err);
    db_give(st);
    return s;
}

/* ---- Of the writer's group ---------------------------------------------------------------------
 */

static size_t asked_n(const Job *first)
{
    size_t n = 0;
    for (const Job *job = first; job; job = job->next) {
        if (job->run == batch_apply) {
            const StoreBatch *b = job->arg;
            n += b->changes_n;
            for (const Require *q = b->require_first; q; q = q->next) {
                n++;
            }
        }
    }
    return n;
}

static void asked_add(Group *g, Ahead *list, size_t *n, const FhirType *type, Str id)
{
    Str name = ahead_name(&g->arena, type, id);
    if (!map_get(&g->ahead, name)) {
        list[*n] = (Ahead){.type = type, .id = id};
        map_put(&g->ahead, name, &list[(*n)++]);
    }
}

static void batch_asks(Group *g, const StoreBatch *b, Ahead *list, size_t *n)
{
    for (const Change *c = b->first; c; c = c->next) {
        asked_add(g, list, n, c->type, c->id);
    }
    for (const Require *q = b->require_first; q; q = q->next) {
        if (q->kind == REQUIRE_VERSION) {
            asked_add(g, list, n, q->type, q->a);
        } else if (q->kind == REQUIRE_UNREFERENCED) {
            asked_add(g, list, n, fhir_resource_find(STR("Patient")), q->a);
        }
    }
}

Status group_ahead(Store *s, const Job *first, Err *err)
{
    Group *g = &s->group;
    size_t n = 0;
    Ahead *list = arena_array(&g->arena, Ahead, asked_n(first) + 1);
    map_init(&g->ahead, &g->arena);
    for (const Job *job = first; job; job = job->next) {
        if (job->run == batch_apply) {
            batch_asks(g, job->arg, list, &n);
        }
    }
    return n ? ahead_ask(s->log, &g->arena, list, n, false, err) : OK;
}

Ahead *group_ahead_find(const Group *g, const FhirType *type, Str id)
{
    char name[128];
    Str t = fhir_type_name(type);
    if (g->ahead.n == 0 || t.n + 1 + id.n > sizeof name) {
        return NULL;
    }
    memcpy(name, t.p, t.n);
    name[t.n] = '/';
    memcpy(name + t.n + 1, id.p, id.n);
    return map_get(&g->ahead, (Str){name, t.n + 1 + id.n});
}

/* What the group's last word on it made of it. */
static Head head_now(const Group *g, const Ahead *x)
{
    const Applied *last = &g->applied[x->last - 1], *first = last;
    while (!x->found && first->before_last) {
        first = &g->applied[first->before_last - 1];
    }
    return (Head){last->rid, last->seq, x->found ? x->head.born : first->seq, last->op,
                  last->change->done.vid};
}

Status group_head(Store *s, const FhirType *type, Str id, Head *ret, bool *ret_found, Err *err)
{
    const Ahead *x = group_ahead_find(&s->group, type, id);
    if (!x) {
        return head_find(s->log, &s->group.arena, type, id, ret, ret_found, err);
    }
    *ret_found = x->found || x->last;
    if (*ret_found) {
        *ret = x->last ? head_now(&s->group, x) : x->head;
    }
    return OK;
}
