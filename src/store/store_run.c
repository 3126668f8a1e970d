/* One search being run: inner searches, and whether a candidate matches and may be seen. */
#include <stdlib.h>

#include "fhir_card.h"
#include "store_query.h"

#include "mk_banned.h"

#define BUDGET_ROWS    1000000
#define BUDGET_BODIES  20000
#define BUDGET_US      5000000
#define BUDGET_LOOK_US 1024

Status run_charge(Run *r, int64_t rows, Err *err)
{
    int64_t before = r->budget;
    r->budget -= rows;
    bool late =
        before / BUDGET_LOOK_US != r->budget / BUDGET_LOOK_US && time_mono_us() > r->until_us;
    return r->budget >= 0 && r->bodies >= 0 && !late && !arena_exhausted(r->arena)
               ? OK
               : err_add(err, ERR_TOO_MANY, "too-costly", STR_NONE,
                         "检索涉及的记录过多，请增加条件缩小范围",
                         "The search looks at too many resources; add conditions that narrow it");
}

/* ---- Tests ------------------------------------------------------------------------------------
 */

/* A number given without a system may be an ID card's, which stands in its normal form. */
static void token_hash_add(const Run *r, Test *t, const QueryValue *v)
{
    Store *s = r->store;
    t->no_rows = t->no_rows ||
                 (v->has_system && str_empty(v->code) && !index_param_by_system(t->clause->param));
    t->hash[t->hash_n++] = !v->has_system       ? index_hash_code(s, v->code)
                           : str_empty(v->code) ? index_hash_system(s, v->system)
                                                : index_hash_token(s, v->system, v->code);
    FhirCard card;
    if (!v->has_system && fhir_card_read(v->code, &card) && !str_is(v->code, card.number)) {
        t->hash[t->hash_n++] = index_hash_code(s, str_from_c(card.number));
    }
}

static size_t targets_of(const FhirParam *p)
{
    return p->target_count ? p->target_count : fhir_resource_count;
}

static void ref_hash_add(const Run *r, Test *t, const QueryValue *v)
{
    const FhirParam *p = t->clause->param;
    if (v->type && !fhir_param_allows(p, v->type)) {
        return; /* its rows may stand among another parameter's, which may refer to more */
    }
    t->hash[t->hash_n++] = v->type ? index_hash_ref(r->store, fhir_type_name(v->type), v->code)
                                   : index_hash_text(r->store, v->text);
    for (size_t i = 0; !v->type && !str_empty(v->code) && i < targets_of(p); i++) {
        const FhirType *target =
            p->target_count ? fhir_param_target(p, (unsigned)i) : fhir_resource_at((unsigned)i);
        t->hash[t->hash_n++] = index_hash_ref(r->store, fhir_type_name(target), v->code);
    }
}

static void test_init(Run *r, Test *t, const Clause *c)
{
    *t = (Test){.clause = c};
    if (c->param) {
        t->part_n = index_parts(r->query->type, c->param, t->part);
    }
    bool ref = c->kind == CLAUSE_REF && c->modifier == MODIFIER_NONE;
    bool token = c->kind == CLAUSE_TOKEN || c->modifier == MODIFIER_IDENTIFIER;
    if ((!ref && !token) || c->modifier == MODIFIER_MISSING) {
        return;
    }
    t->hash =
        arena_array(r->arena, int64_t, c->values_n * (ref ? targets_of(c->param) + 1 : 2) + 1);
    for (size_t i = 0; i < c->values_n; i++) {
        if (ref) {
            ref_hash_add(r, t, &c->values[i]);
        } else {
            token_hash_add(r, t, &c->values[i]);
        }
    }
}

void run_init(Run *r, StoreReader *reader, Arena *a, const StoreQuery *q, const StoreView *view,
              int depth)
{
    *r = (Run){.reader = reader,
               .store = reader->store,
               .arena = a,
               .view = view,
               .query = q,
               .depth = depth,
               .budget = BUDGET_ROWS,
               .bodies = BUDGET_BODIES,
               .until_us = time_mono_us() + BUDGET_US};
    sight_init(&r->sight, reader, view, a);
    size_t n = 0;
    for (const Clause *c = q->first; c; c = c->next) {
        n++;
    }
    r->test = arena_array(a, Test, n + 1);
    for (const Clause *c = q->first; c; c = c->next) {
        test_init(r, &r->test[r->test_n++], c);
    }
    r->index_current = reader->index_seq == reader->log_seq;
    r->snapshot_seq = (uint64_t)reader->log_seq;
    r->snapshot_rid = reader->rid_max;
}

/* ---- Inner searches
 * ------------------------------------------------------------------------------ */

static int rid_order(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

/* Runs below share the outer's budget, so that depth does not multiply it. */
static Status inner_all(Run *outer, const StoreQuery *q, Run *inner, Found **ret, size_t *ret_n,
                        Err *err)
{
    run_init(inner, outer->reader, outer->arena, q, outer->view, outer->depth + 1);
    inner->budget = outer->budget;
    inner->bodies = outer->bodies;
    inner->until_us = outer->until_us;
    TRY(run_resolve(inner, err));
    Status s = run_all(inner, QUERY_CHAIN_MAX, ret, ret_n, err);
    outer->budget = inner->budget;
    outer->bodies = inner->bodies;
    return s;
}

static Status chain_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    size_t room = 0;
    for (size_t i = 0; i < c->inner_n; i++) {
        Run inner;
        Found *found;
        size_t n;
        TRY(inner_all(r, c->inner[i], &inner, &found, &n, err));
        int64_t *more = arena_array(r->arena, int64_t, room + n + 1);
        if (room) {
            memcpy(more, t->hash, room * sizeof *more);
        }
        for (size_t k = 0; k < n; k++) {
            more[room++] = index_hash_ref(r->store, fhir_type_name(c->inner[i]->type), found[k].id);
        }
        t->hash = more;
    }
    t->hash_n = room;
    t->is_set = room == 0; /* nothing can match: an empty set */
    return OK;
}

static Status has_targets(Run *r, const IndexDoc *doc, int64_t *rid, size_t room, size_t *n,
                          Err *err)
{
    for (size_t i = 0; i < doc->rows_n && *n < room; i++) {
        Str type, id;
        Head head;
        bool found;
        if (doc->rows[i].table != INDEX_REF || !str_cut(doc->rows[i].raw, '/', &type, &id) ||
            !str_eq(type, fhir_type_name(r->query->type))) {
            continue;
        }
        TRY(head_find(r->reader->log, r->arena, r->query->type, id, &head, &found, err));
        if (found) {
            rid[(*n)++] = head.rid;
        }
    }
    return OK;
}

static Status has_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    Run inner;
    Found *found;
    size_t n;
    TRY(inner_all(r, c->inner[0], &inner, &found, &n, err));
    size_t room = 4 * QUERY_CHAIN_MAX;
    t->rid = arena_array(r->arena, int64_t, room);
    for (size_t i = 0; i < n; i++) {
        IndexDoc doc;
        TRY(found_rows(&inner, &found[i], c->via, &doc, err));
        TRY(has_targets(r, &doc, t->rid, room, &t->rid_n, err));
    }
    qsort(t->rid, t->rid_n, sizeof *t->rid, rid_order);
    t->is_set = true;
    return OK;
}

static Status id_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    t->rid = arena_array(r->arena, int64_t, c->values_n + 1);
    for (size_t i = 0; i < c->values_n; i++) {
        Head head;
        bool found;
        TRY(head_find(r->reader->log, r->arena, r->query->type, c->values[i].text, &head, &found,
                      err));
        if (found) {
            t->rid[t->rid_n++] = head.rid;
        }
    }
    qsort(t->rid, t->rid_n, sizeof *t->rid, rid_order);
    t->is_set = true;
    return OK;
}

Status run_resolve(Run *r, Err *err)
{
    for (size_t i = 0; i < r->test_n; i++) {
        Test *t = &r->test[i];
        switch (t->clause->kind) {
        case CLAUSE_CHAIN:
            TRY(chain_resolve(r, t, err));
            break;
        case CLAUSE_HAS:
            TRY(has_resolve(r, t, err));
            break;
        case CLAUSE_ID:
            TRY(id_resolve(r, t, err));
            break;
        default:
            break;
        }
    }
    return OK;
}

/* ---- One candidate
 * ---------------------------------------------------------------------------------- */

static bool test_is_point(const Test *t)
{
    const Clause *c = t->clause;
    return !t->is_set && !t->no_rows && c->modifier != MODIFIER_MISSING &&
           (c->kind == CLAUSE_TOKEN || c->kind == CLAUSE_REF || c->kind == CLAUSE_CHAIN) &&
           t->hash_n <= 256;
}

static bool in_set(const Test *t, int64_t rid)
{
    return t->rid_n && bsearch(&rid, t->rid, t->rid_n, sizeof *t->rid, rid_order) != NULL;
}

static Status point_at(Run *r, bool token, uint32_t param, int64_t hash, Candidate c, bool *ret,
                       Err *err)
{
    DbStmt *st = token
                     ? db_take(r->reader->index, "SELECT 1 FROM token WHERE param = ? AND hash = ?"
                                                 " AND nd = ? AND rid = ?")
                     : db_take(r->reader->index, "SELECT 1 FROM ref WHERE param = ? AND hash = ?"
                                                 " AND nd = ? AND rid = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, param);
    db_bind_i64(st, 1, hash);
    db_bind_i64(st, 2, c.nd);
    db_bind_i64(st, 3, c.rid);
    *ret = db_step(st) == DB_ROW;
    db_give(st);
    return run_charge(r, 1, err);
}

static Status point_found(Run *r, const Test *t, Candidate c, bool *ret, Err *err)
{
    bool token = t->clause->kind == CLAUSE_TOKEN || t->clause->modifier == MODIFIER_IDENTIFIER;
    bool found = false;
    for (size_t i = 0; i < t->hash_n * t->part_n && !found; i++) {
        TRY(point_at(r, token, t->part[i / t->hash_n], t->hash[i % t->hash_n], c, &found, err));
    }
    *ret = found != (t->clause->modifier == MODIFIER_NOT);
    return OK;
}

/* By the index alone; what needs the body passes for now. */
static Status index_passes(Run *r, Candidate c, bool *ret, Err *err)
{
    *ret = true;
    for (size_t i = 0; i < r->test_n && *ret; i++) {
        Test *t = &r->test[i];
        if (t->driven) {
            continue;
        }
        if (test_is_point(t)) {
            TRY(point_found(r, t, c, ret, err));
            continue;
        }
        if (!t->is_set && !t->set_tried && !r->no_sets && t->clause->kind != CLAUSE_UPDATED) {
            TRY(test_gather_set(r, t, err));
        }
        *ret = !t->is_set || in_set(t, c.rid);
    }
    return OK;
}

/* The present head of a candidate, if it lives, is of this snapshot and may be seen. */
static Status head_load(Run *r, Candidate c, Found *f, bool *ret, Err *err)
{
    DbStmt *st =
        db_take(r->reader->log, "SELECT h.type, h.id, h.op, v.seq, v.vid, v.patient, h.born,"
                                " v.dict, v.body FROM head h CROSS JOIN version v"
                                " WHERE h.rid = ? AND v.seq = h.seq");
    if (!st) {
        return db_failed(r->reader->log, err);
    }
    db_bind_i64(st, 0, c.rid);
    DbStep step = db_step(st);
    *ret =
        step == DB_ROW && db_col_i64(st, 0) == type_number(r->query->type) &&
        db_col_i64(st, 2) != STORE_DELETE &&
        !(r->later_page && (uint64_t)db_col_i64(st, 3) > r->snapshot_seq) &&
        sight_resource(&r->sight, r->query->type, db_col_str(st, 5), (uint64_t)db_col_i64(st, 6));
    if (*ret) {
        *f = (Found){.at = c,
                     .seq = (uint64_t)db_col_i64(st, 3),
                     .id = arena_str(r->arena, db_col_str(st, 1)),
                     .vid = arena_str(r->arena, db_col_str(st, 4)),
                     .dict = (int)db_col_i64(st, 7),
                     .packed = arena_str(r->arena, db_col_str(st, 8))};
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->log, err) : OK;
    db_give(st);
    TRY(s);
    return run_charge(r, 2, err);
}

Status found_body(Run *r, Found *f, Err *err)
{
    if (f->body.p) {
        return OK;
    }
    return body_unpack(r->store, &r->reader->codec, r->arena, f->dict, f->packed, &f->body, err);
}

Status found_rows(Run *r, Found *f, const FhirParam *param, IndexDoc *ret, Err *err)
{
    TRY(found_body(r, f, err));
    if (!f->json) {
        r->bodies--;
        TRY(run_charge(r, 10, err));
        JsonDoc *d = arena_new(r->arena, JsonDoc);
        TRY(json_parse(r->arena, f->body, &JSON_LIMITS_FHIR, d, err));
        f->json = d;
    }
    return index_extract_param(r->store, r->arena, r->query->type, param, f->json, ret, err);
}

static Status at_load(Run *r, Found *f, Err *err)
{
    DbStmt *st = db_take(r->reader->log,
                         "SELECT t.at FROM version v JOIN tx t ON t.tx = v.tx WHERE v.seq = ?");
    if (!st) {
        return db_failed(r->reader->log, err);
    }
    db_bind_i64(st, 0, (int64_t)f->seq);
    f->at_ms = db_step(st) == DB_ROW ? db_col_i64(st, 0) : 0;
    db_give(st);
    return run_charge(r, 1, err);
}

/* Whether the index's rows were made from the head that the log has now. */
static Status rows_are_of_head(Run *r, const Found *f, bool *ret, Err *err)
{
    *ret = true;
    if (r->index_current) {
        return OK;
    }
    DbStmt *st = db_take(r->reader->index, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, f->at.rid);
    *ret = db_step(st) == DB_ROW && (uint64_t)db_col_i64(st, 0) == f->seq;
    db_give(st);
    return OK;
}

static bool test_needs_body(const Test *t)
{
    return !t->driven && !t->is_set && !test_is_point(t) && t->clause->kind != CLAUSE_UPDATED;
}

static Status body_passes(Run *r, Found *f, bool *ret, Err *err)
{
    bool fresh;
    TRY(rows_are_of_head(r, f, &fresh, err));
    *ret = true;
    for (size_t i = 0; i < r->test_n && *ret; i++) {
        const Test *t = &r->test[i];
        bool updated = t->clause->kind == CLAUSE_UPDATED;
        bool has = t->clause->kind == CLAUSE_HAS; /* rows of other resources: the set stands */
        if (has || (!updated && fresh && !test_needs_body(t))) {
            continue;
        }
        IndexDoc doc = {0};
        TRY(updated ? at_load(r, f, err) : found_rows(r, f, t->clause->param, &doc, err));
        *ret = clause_matches(r, t, &doc, f);
    }
    return OK;
}

Status run_consider(Run *r, Candidate c, Found *ret, bool *ret_match, Err *err)
{
    *ret_match = false;
    TRY(run_charge(r, 1, err));
    if (r->later_page && c.rid > r->snapshot_rid) {
        return OK;
    }
    bool passes;
    TRY(index_passes(r, c, &passes, err));
    if (!passes) {
        return OK;
    }
    TRY(head_load(r, c, ret, &passes, err));
    if (passes) {
        TRY(body_passes(r, ret, &passes, err));
    }
    *ret_match = passes;
    return OK;
}
