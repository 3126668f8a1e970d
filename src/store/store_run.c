/* One search being run: its budget, and whether a candidate matches and may be seen. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_kept.h"

#include "mk_banned.h"

Status run_charge(Run *r, int64_t rows, Err *err)
{
    Budget *b = r->budget;
    int64_t before = b->rows;
    b->rows -= rows;
    bool late =
        before / BUDGET_LOOK_ROWS != b->rows / BUDGET_LOOK_ROWS && time_mono_us() > b->until_us;
    return b->rows >= 0 && b->bodies >= 0 && !late && !arena_exhausted(r->arena)
               ? OK
               : err_add(err, ERR_TOO_MANY, "too-costly", STR_NONE,
                         "检索涉及的记录过多，请增加条件缩小范围",
                         "The search looks at too many resources; add conditions that narrow it");
}

void run_note(Run *r, const char *format, ...)
{
    if (!r->plan) {
        return;
    }
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_c(r->plan, line);
    buf_char(r->plan, '\n');
}

Str test_name(const Test *t)
{
    const Clause *c = t->clause;
    return c->param                 ? fhir_param_name(c->param)
           : c->kind == CLAUSE_HAS  ? STR("_has")
           : c->kind == CLAUSE_TYPE ? STR("_type")
           : c->list                ? STR("_list")
                                    : STR("_id");
}

/* ---- One candidate
 * ---------------------------------------------------------------------------------- */

static bool test_is_point(const Test *t)
{
    const Clause *c = t->clause;
    return !t->is_set && !t->no_rows && !t->lazy && c->modifier != MODIFIER_MISSING &&
           (c->kind == CLAUSE_TOKEN || c->kind == CLAUSE_REF || c->kind == CLAUSE_CHAIN) &&
           !test_is_text(t) && t->hash_n <= 256;
}

static bool in_set(const Test *t, int64_t rid)
{
    return t->rid_n && bsearch(&rid, t->rid, t->rid_n, sizeof *t->rid, rid_order) != NULL;
}

static Status point_at(Run *r, bool token, uint32_t param, int64_t hash, Candidate c, bool *ret,
                       Err *err)
{
    const DeltaDoc *moved = delta_find(&r->reader->delta, c.rid);
    if (moved) {
        *ret = delta_doc_has(moved, token ? INDEX_TOKEN : INDEX_REF, param, hash);
        return run_charge(r, 1, err);
    }
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
    *ret = !r->met || bits_have(*r->met, c.rid);
    for (size_t i = 0; i < r->test_n && *ret; i++) {
        Test *t = &r->test[i];
        if (t->driven || t->moot || t->met) {
            continue;
        }
        if (test_is_point(t)) {
            TRY(point_found(r, t, c, ret, err));
            continue;
        }
        if (!t->is_set && !r->no_sets && t->clause->kind != CLAUSE_UPDATED) {
            TRY(test_gather_set(r, t, err));
        }
        *ret = !t->is_set || in_set(t, c.rid) != clause_is_negated(t->clause);
    }
    return OK;
}

/*
 * Most of what comes by for a view of few patients is others': one look into a small table instead
 * of two into large ones, and of one into the grants.
 */
static Status others_pass(Run *r, Candidate c, bool *ret, Err *err)
{
    const DeltaDoc *moved = delta_find(&r->reader->delta, c.rid);
    if (moved) {
        *ret = moved->doc && own_may_see(r->few, moved->doc->whose);
        return run_charge(r, 1, err);
    }
    DbStmt *st = db_take(r->reader->index, "SELECT whose FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, c.rid);
    DbStep step = db_step(st);
    *ret = step == DB_ROW && own_may_see(r->few, (uint32_t)db_col_i64(st, 0));
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->index, err) : OK;
    db_give(st);
    TRY(s);
    return run_charge(r, 1, err);
}

Status run_pass_others(Run *r, const OwnPatients *own, Err *err)
{
    int64_t all;
    if (r->store->server || !r->index_current) {
        return OK; /* a server is asked for many heads at once */
    }
    TRY(type_counter(r, fhir_resource_find(STR("Patient")), &all, err));
    r->few = (int64_t)own->n < all / 2 ? own : NULL;
    return OK;
}

Status found_body(Run *r, Found *f, Err *err)
{
    if (f->body.p) {
        return OK;
    }
    BodyRow row = {f->dict, f->packed, f->id, f->patients};
    return body_unpack_tokens(r->store, &r->reader->codec, r->arena, &row, &f->body, err);
}

Status found_json(Run *r, Found *f, Err *err)
{
    TRY(found_body(r, f, err));
    if (f->json) {
        return OK;
    }
    r->budget->bodies--;
    TRY(run_charge(r, 10, err));
    JsonDoc *d = arena_new(r->arena, JsonDoc);
    TRY(json_parse(r->arena, f->body, &JSON_LIMITS_FHIR, d, err));
    f->json = d;
    return OK;
}

Status found_values(Run *r, Found *f, const FhirParam *param, FhirIndexRows *ret, Err *err)
{
    FhirExtractEnv env = {.arena = r->arena, .zone_min = r->store->options.zone_min};
    TRY(found_json(r, f, err));
    return fhir_extract_param(f->json, r->query->type, param, &env, ret, err);
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
    uint64_t seq;
    TRY(indexed_seq(r->reader, f->at.rid, &seq, err));
    *ret = seq == f->seq;
    return OK;
}

static bool test_needs_body(const Test *t)
{
    return !t->driven && (t->wide || t->lazy || (!t->is_set && !test_is_point(t))) &&
           t->clause->kind != CLAUSE_UPDATED;
}

/* What is known of the resource as such, or of others: no later version of it can differ. */
static bool test_stands(const Test *t)
{
    ClauseKind k = t->clause->kind;
    return t->hint || k == CLAUSE_ID || k == CLAUSE_TYPE || (k == CLAUSE_HAS && !t->lazy);
}

/* What stands among another parameter's rows must also refer to what this one may refer to. */
static void values_keep_own(const Clause *c, const FhirType *type, FhirIndexRows *values)
{
    size_t n = 0;
    if (c->param->kind != FHIR_PARAM_REFERENCE || !index_param_is_alias(type, c->param)) {
        return;
    }
    for (size_t i = 0; i < values->n; i++) {
        const FhirType *target = values->at[i].reference.type;
        if (target && fhir_param_allows(c->param, target)) {
            values->at[n++] = values->at[i];
        }
    }
    values->n = n;
}

/* Of a compartment any of several parameters. */
static Status also_matches(Run *r, Test *t, Found *f, bool *ret, Err *err)
{
    const Clause *c = t->clause;
    for (size_t i = 0; i < c->also_n && !*ret; i++) {
        FhirIndexRows values;
        TRY(found_values(r, f, c->also[i], &values, err));
        TRY(clause_matches(r, t, &values, f, ret, err));
    }
    return OK;
}

Status test_in_body(Run *r, Test *t, Found *f, bool *ret, Err *err)
{
    FhirIndexRows values = {0};
    if (test_is_text(t) && !t->clause->also_n && !f->json) {
        TRY(found_body(r, f, err));
        if (!content_may_match(r->arena, t->clause, f->body)) {
            *ret = false;
            return OK;
        }
    }
    switch (t->clause->kind) {
    case CLAUSE_UPDATED:
        TRY(at_load(r, f, err));
        break;
    case CLAUSE_HAS:
        break;
    case CLAUSE_NEAR:
    case CLAUSE_CONTENT:
        TRY(found_json(r, f, err));
        break;
    default:
        TRY(found_values(r, f, t->clause->param, &values, err));
        values_keep_own(t->clause, r->query->type, &values);
    }
    TRY(clause_matches(r, t, &values, f, ret, err));
    return also_matches(r, t, f, ret, err);
}

static Status body_passes(Run *r, Found *f, bool *ret, Err *err)
{
    bool fresh;
    TRY(rows_are_of_head(r, f, &fresh, err));
    *ret = true;
    for (size_t i = 0; i < r->test_n && *ret; i++) {
        Test *t = &r->test[i];
        bool asked = t->clause->kind == CLAUSE_UPDATED || !fresh || test_needs_body(t);
        if (asked && !test_stands(t)) {
            TRY(test_in_body(r, t, f, ret, err));
        }
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
    if (passes && r->few) {
        TRY(others_pass(r, c, &passes, err));
    }
    if (!passes) {
        return OK;
    }
    TRY(run_head(r, c, ret, &passes, err));
    if (passes) {
        TRY(body_passes(r, ret, &passes, err));
    }
    *ret_match = passes;
    return OK;
}
