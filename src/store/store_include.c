/* _include and _revinclude: what matches refer to and what refers to them, filtered like
 * everything. */
#include <stdlib.h>

#include "store_persons.h"
#include "store_posting.h"

#include "mk_banned.h"

static char seen_mark;

static bool hits_add(Run *r, Hits *h, StoreHit hit)
{
    Str name = arena_cat(r->arena, hit.type, STR("/"), hit.id);
    if (map_get(&h->seen, name)) {
        return false;
    }
    map_put(&h->seen, name, &seen_mark);
    if (h->n == h->room) {
        StoreHit *more = arena_array(r->arena, StoreHit, h->room * 2 + 16);
        if (h->n) {
            memcpy(more, h->at, h->n * sizeof *more);
        }
        h->at = more;
        h->room = h->room * 2 + 16;
    }
    h->at[h->n++] = hit;
    return true;
}

static Status too_many(Err *err)
{
    return err_add(
        err, ERR_TOO_MANY, "too-costly", STR_NONE, "包含的关联记录超过 %d 条，请减小 _count",
        "More than %d resources would be included; ask for a smaller _count", QUERY_INCLUDES_MAX);
}

/* A resource that stands beside the matches, if it lives and may be seen. */
static Status include_add(Run *r, Hits *h, const FhirType *type, Str id, size_t limit, Err *err)
{
    StoreVersion v;
    if (map_get(&h->seen, arena_cat(r->arena, fhir_type_name(type), STR("/"), id))) {
        return OK;
    }
    TRY(run_charge(r, 3, err));
    if (store_read(r->reader, r->arena, r->view, fhir_type_name(type), id, &v, NULL) != OK) {
        return OK;
    }
    if (h->n >= limit) {
        return too_many(err);
    }
    hits_add(r, h,
             (StoreHit){STORE_INCLUDE, v.type, v.id, v.vid, v.body, v.patients, v.patients_n});
    return OK;
}

/* What one parameter of a hit refers to. */
static Status include_param(Run *r, Hits *h, const Include *x, const FhirParam *param,
                            const FhirType *type, const JsonDoc *d, size_t limit, Err *err)
{
    FhirExtractEnv env = {.arena = r->arena, .zone_min = r->store->options.zone_min};
    FhirIndexRows values;
    TRY(fhir_extract_param(d, type, param, &env, &values, err));
    for (size_t i = 0; i < values.n; i++) {
        const FhirReferenceValue *v = &values.at[i].reference;
        bool wanted = v->type && str_empty(v->url) && (!x->target || x->target == v->type) &&
                      fhir_param_allows(param, v->type);
        if (wanted) {
            TRY(include_add(r, h, v->type, v->id, limit, err));
        }
    }
    return OK;
}

/* The reference parameter that is named, or all of the type. */
static size_t include_params(Run *r, const Include *x, const FhirType *type,
                             const FhirParam *const **ret)
{
    const FhirParam **list;
    if (x->all) {
        size_t n = query_params_of(r, type, FHIR_PARAM_REFERENCE, &list);
        *ret = list;
        return n;
    }
    *ret = &x->param;
    return 1;
}

/* What one hit refers to. */
static Status include_forward(Run *r, Hits *h, const Include *x, const StoreHit *hit, size_t limit,
                              Err *err)
{
    const FhirType *type = fhir_resource_find(hit->type);
    if (x->type && type != x->type) {
        return OK;
    }
    JsonDoc d;
    r->budget->bodies--;
    TRY(run_charge(r, 10, err));
    TRY(json_parse(r->arena, hit->body, &JSON_LIMITS_FHIR, &d, err));
    const FhirParam *const *param;
    size_t n = include_params(r, x, type, &param);
    for (size_t i = 0; i < n; i++) {
        TRY(include_param(r, h, x, param[i], type, &d, limit, err));
    }
    return OK;
}

/* Who refers to the hit, or to another record of the person it is: in the order of the lists. */
static Status referrers_find(Run *r, uint32_t param, const StoreHit *hit, Candidates *ret, Err *err)
{
    Postings rows = {.run = r, .out = ret, .limit = QUERY_INCLUDES_MAX + 1};
    const Str *other;
    bool patient = str_is(hit->type, "Patient");
    size_t n = patient ? store_person_others(r->store, r->arena, hit->id, &other) : 0;
    int64_t *hash = arena_array(r->arena, int64_t, n + 1);
    hash[0] = index_hash_ref(r->store, hit->type, hit->id);
    for (size_t i = 0; i < n; i++) {
        hash[i + 1] = index_hash_ref(r->store, hit->type, other[i]);
    }
    TRY(posting_hashes(&rows, INDEX_REF, param, hash, n + 1, err));
    if (ret->n) {
        qsort(ret->at, ret->n, sizeof *ret->at, candidate_newest_first);
    }
    return OK;
}

/* The ids of the resources behind them. */
static Status referrers_read(Run *r, const FhirType *type, const FhirParam *param,
                             const StoreHit *hit, Str **ret, size_t *ret_n, Err *err)
{
    uint32_t part[INDEX_PARTS_MAX];
    Candidates found = {0};
    index_parts(type, param, part);
    TRY(referrers_find(r, part[0], hit, &found, err));
    DbStmt *head = db_take(r->reader->log, "SELECT id FROM head WHERE rid = ?");
    if (!head) {
        return db_failed(r->reader->log, err);
    }
    Str *list = arena_array(r->arena, Str, found.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < found.n; i++) {
        db_bind_i64(head, 0, found.at[i].rid);
        if (db_step(head) == DB_ROW) {
            list[n++] = arena_str(r->arena, db_col_id(head, 0));
        }
        db_rewind(head);
    }
    db_give(head);
    *ret = list;
    *ret_n = n;
    return OK;
}

/* Who refers to one hit. */
static Status include_backward(Run *r, Hits *h, const Include *x, const FhirType *from,
                               const StoreHit *hit, size_t limit, Err *err)
{
    const FhirParam *const *params;
    size_t params_n = include_params(r, x, from, &params);
    const FhirType *type = fhir_resource_find(hit->type);
    for (size_t i = 0; i < params_n; i++) {
        Str *list;
        size_t n;
        if (!fhir_param_allows(params[i], type) || (x->target && x->target != type)) {
            continue;
        }
        TRY(referrers_read(r, from, params[i], hit, &list, &n, err));
        for (size_t k = 0; k < n; k++) {
            TRY(include_add(r, h, from, list[k], limit, err));
        }
    }
    return OK;
}

/* Of any type (*): from all that there are some of. */
static Status include_referrers(Run *r, Hits *h, const Include *x, const StoreHit *hit,
                                size_t limit, Err *err)
{
    if (x->type) {
        return include_backward(r, h, x, x->type, hit, limit, err);
    }
    for (unsigned i = 0; i < fhir_resource_count; i++) {
        int64_t living;
        TRY(type_counter(r, fhir_resource_at(i), &living, err));
        if (living > 0) {
            TRY(include_backward(r, h, x, fhir_resource_at(i), hit, limit, err));
        }
    }
    return OK;
}

/* All includes over hits[from..to); later rounds only those that iterate. */
static Status include_round(Run *r, Hits *h, size_t from, size_t to, bool first, size_t limit,
                            Err *err)
{
    for (const Include *x = r->query->include_first; x; x = x->next) {
        for (size_t i = from; i < to && (first || x->iterate); i++) {
            StoreHit hit = h->at[i];
            if (x->reverse) {
                TRY(include_referrers(r, h, x, &hit, limit, err));
            } else {
                TRY(include_forward(r, h, x, &hit, limit, err));
            }
        }
    }
    return OK;
}

Status run_includes(Run *r, Hits *h, Err *err)
{
    if (!r->query->include_first) {
        return OK;
    }
    map_init(&h->seen, r->arena);
    for (size_t i = 0; i < h->n; i++) {
        map_put(&h->seen, arena_cat(r->arena, h->at[i].type, STR("/"), h->at[i].id), &seen_mark);
    }
    size_t limit = h->n + QUERY_INCLUDES_MAX, from = 0;
    for (int round = 0; round <= QUERY_ITERATE_MAX && from < h->n; round++) {
        size_t to = h->n;
        TRY(include_round(r, h, from, to, round == 0, limit, err));
        from = to;
    }
    return OK;
}
