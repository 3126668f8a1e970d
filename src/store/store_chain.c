/*
 * Searches inside of searches: chains and _has. An inner search with few results is run first and
 * becomes references or ids; one with more is asked about each candidate instead, as far as the
 * budget reaches, which all of them share. Of _has, that is a search for one of the candidate's own
 * referrers, planned like any other.
 */
#include <stdlib.h>

#include "store_persons.h"
#include "store_posting.h"

#include "mk_banned.h"

#define EAGER_SHARE 4 /* of the budget that gathering an inner search may use */

static char led_yes, led_no;

/* So many that a page is sooner full by asking about each candidate; not where all are counted. */
static Status inner_is_long(const Run *outer, Run *inner, bool *ret, Err *err)
{
    Source src;
    bool all = outer->query->count_only || outer->query->total != STORE_TOTAL_NONE;
    *ret = false;
    if (all) {
        return OK;
    }
    TRY(source_choose(inner, &src, err));
    if (!src.whole) {
        TRY(source_count(inner, &src, SOURCE_COUNT_MAX, err));
    }
    *ret = !src.whole;
    return OK;
}

/* All that an inner search finds. *ret_few false: more than are gathered. */
static Status inner_gather(Run *outer, const StoreQuery *q, Run *inner, Found **ret, size_t *ret_n,
                           bool *ret_few, Err *err)
{
    Budget *b = outer->budget, whole = *b;
    run_init(inner, outer->reader, outer->arena, q, outer->view, outer);
    b->rows /= EAGER_SHARE;
    b->bodies /= EAGER_SHARE;
    Budget given = *b;
    bool many = false;
    Status s = run_resolve(inner, NULL);
    s = s == OK ? inner_is_long(outer, inner, &many, NULL) : s;
    s = s == OK && many ? ERR_TOO_MANY : s;
    s = s == OK ? run_all(inner, QUERY_CHAIN_MAX, ret, ret_n, NULL) : s;
    b->rows = whole.rows - (given.rows - b->rows);
    b->bodies = whole.bodies - (given.bodies - b->bodies);
    *ret_few = s == OK;
    if (s == OK || s == ERR_TOO_MANY) {
        return run_charge(outer, 0, err);
    }
    return err_status(err, s);
}

/* From now on each candidate is asked about. */
static Status inner_lazy(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    t->lazy = true;
    t->inner = arena_array(r->arena, Run, c->inner_n);
    map_init(&t->led, r->arena);
    for (size_t i = 0; i < c->inner_n; i++) {
        run_init(&t->inner[i], r->reader, r->arena, c->inner[i], r->view, r);
        TRY(run_resolve(&t->inner[i], err));
    }
    return OK;
}

/* Who refers to one of a person's records refers to the person. */
static size_t others_of(Run *r, const FhirType *type, Str id, const Str **ret)
{
    return str_is(fhir_type_name(type), "Patient")
               ? store_person_others(r->store, r->arena, id, ret)
               : 0;
}

static void hash_add(Run *r, Test *t, const FhirType *type, Str id)
{
    test_hash_push(r, t, index_hash_ref(r->store, fhir_type_name(type), id));
}

static void hashes_add(Run *r, Test *t, const FhirType *type, const Found *found, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const Str *other;
        size_t more = others_of(r, type, found[i].id, &other);
        hash_add(r, t, type, found[i].id);
        for (size_t k = 0; k < more; k++) {
            hash_add(r, t, type, other[k]);
        }
    }
}

/* The inner search of _has with one condition before its own: whom it refers to. */
static Status has_lazy(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    StoreQuery *q = arena_new(r->arena, StoreQuery);
    Clause *to = arena_new(r->arena, Clause);
    bool patient = str_is(fhir_type_name(r->query->type), "Patient");
    size_t n = patient ? PERSON_RECORDS_MAX : 1; /* as many as there may be */
    *q = *c->inner[0];
    *to = (Clause){.kind = CLAUSE_REF,
                   .param = c->via,
                   .next = q->first,
                   .values = arena_array(r->arena, QueryValue, n),
                   .values_n = n};
    for (size_t i = 0; i < n; i++) {
        to->values[i] = (QueryValue){.type = r->query->type, .code = STR("-")};
    }
    q->first = to;
    t->lazy = true;
    t->referrer = to;
    t->inner = arena_new(r->arena, Run);
    run_init(&t->inner[0], r->reader, r->arena, q, r->view, r);
    return run_resolve(&t->inner[0], err);
}

Status chain_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    for (size_t i = 0; i < c->inner_n; i++) {
        Run inner;
        Found *found;
        size_t n;
        bool few;
        TRY(inner_gather(r, c->inner[i], &inner, &found, &n, &few, err));
        if (!few) {
            t->hash_n = 0;
            return inner_lazy(r, t, err);
        }
        hashes_add(r, t, c->inner[i]->type, found, n);
    }
    if (t->hash_n) {
        qsort(t->hash, t->hash_n, sizeof *t->hash, rid_order);
    }
    t->is_set = t->hash_n == 0; /* nothing can match: an empty set */
    return OK;
}

static Status target_add(Run *r, Test *t, Str id, size_t room, Err *err)
{
    Head head;
    bool found = false;
    if (t->rid_n < room) {
        TRY(head_find(r->reader->log, r->arena, r->query->type, id, &head, &found, err));
    }
    if (found) {
        t->rid[t->rid_n++] = head.rid;
    }
    return OK;
}

/* The rids of the resources of the outer type that the via parameter's values refer to. */
static Status targets_add(Run *r, Test *t, const FhirIndexRows *values, size_t room, Err *err)
{
    for (size_t i = 0; i < values->n; i++) {
        const FhirReferenceValue *v = &values->at[i].reference;
        const Str *other;
        if (v->type != r->query->type || !str_empty(v->url)) {
            continue;
        }
        size_t n = others_of(r, v->type, v->id, &other);
        TRY(target_add(r, t, v->id, room, err));
        for (size_t k = 0; k < n; k++) {
            TRY(target_add(r, t, other[k], room, err));
        }
    }
    return OK;
}

Status has_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    Run inner;
    Found *found;
    size_t n, room = 4 * QUERY_CHAIN_MAX;
    bool few;
    TRY(inner_gather(r, c->inner[0], &inner, &found, &n, &few, err));
    if (!few) {
        return has_lazy(r, t, err);
    }
    t->rid = arena_array(r->arena, int64_t, room);
    for (size_t i = 0; i < n; i++) {
        FhirIndexRows values;
        TRY(found_values(&inner, &found[i], c->via, &values, err));
        TRY(targets_add(r, t, &values, room, err));
    }
    qsort(t->rid, t->rid_n, sizeof *t->rid, rid_order);
    t->is_set = true;
    return OK;
}

/* ---- Asked about one candidate ----------------------------------------------------------------
 */

Status candidate_of(Run *r, int64_t rid, Candidate *ret, Err *err)
{
    *ret = (Candidate){ND_NONE, rid};
    const DeltaDoc *moved = delta_find(&r->reader->delta, rid);
    if (moved) {
        ret->nd = moved->doc ? moved->doc->nd : ND_NONE;
        return run_charge(r, 1, err);
    }
    DbStmt *st = db_take(r->reader->index, "SELECT nd FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, rid);
    if (db_step(st) == DB_ROW) {
        ret->nd = db_col_i64(st, 0);
    }
    db_give(st);
    return run_charge(r, 1, err);
}

static Status inner_asked(Run *inner, Str id, bool *ret, Err *err)
{
    Head head;
    Candidate at;
    Found f;
    bool found;
    TRY(head_find(inner->reader->log, inner->arena, inner->query->type, id, &head, &found, err));
    if (!found) {
        return OK;
    }
    TRY(candidate_of(inner, head.rid, &at, err));
    return run_consider(inner, at, &f, ret, err);
}

static bool hash_found(const Test *t, int64_t hash)
{
    return t->hash_n && bsearch(&hash, t->hash, t->hash_n, sizeof *t->hash, rid_order) != NULL;
}

Status chain_leads(Run *r, Test *t, const FhirType *type, Str id, bool *ret, Err *err)
{
    const Clause *c = t->clause;
    if (!t->lazy) {
        *ret = hash_found(t, index_hash_ref(r->store, fhir_type_name(type), id));
        return OK;
    }
    Str name = arena_cat(r->arena, fhir_type_name(type), STR("/"), id);
    const char *known = map_get(&t->led, name);
    *ret = known == &led_yes;
    const Str *other;
    size_t n = known ? 0 : others_of(r, type, id, &other);
    for (size_t i = 0; !known && i < c->inner_n && !*ret; i++) {
        if (c->inner[i]->type == type) {
            TRY(inner_asked(&t->inner[i], id, ret, err));
        }
        for (size_t k = 0; k < n && !*ret && c->inner[i]->type == type; k++) {
            TRY(inner_asked(&t->inner[i], other[k], ret, err));
        }
    }
    map_put(&t->led, name, *ret ? &led_yes : &led_no);
    return OK;
}

static void referrer_of(Run *r, Test *t, Str id)
{
    Test *first = &t->inner[0].test[0];
    size_t i = t->referrer->values_n++;
    t->referrer->values[i].code = id;
    first->hash[i] = index_hash_ref(r->store, fhir_type_name(r->query->type), id);
    first->hash_n = i + 1;
}

/* Of all that the inner search would find, those that refer to f. */
static void referrer_set(Run *r, Test *t, const Found *f)
{
    Run *inner = &t->inner[0];
    const Str *other;
    size_t n = others_of(r, r->query->type, f->id, &other);
    t->referrer->values_n = 0;
    referrer_of(r, t, f->id);
    for (size_t i = 0; i < n; i++) {
        referrer_of(r, t, other[i]);
    }
    for (size_t i = 0; i < inner->test_n; i++) {
        inner->test[i].driven = false;
    }
}

Status has_leads(Run *r, Test *t, const Found *f, bool *ret, Err *err)
{
    Page p = {.run = &t->inner[0]};
    referrer_set(r, t, f);
    TRY(page_fill(&p, err));
    *ret = p.more;
    return OK;
}
