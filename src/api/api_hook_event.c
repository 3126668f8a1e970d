/* Which rows of the log a subscription is told of, and what its subscriber may see of them. */
#include "api_hook.h"
#include "store_meets.h"
#include "store_term.h"

/* The version that was written; false: it is a deletion, or not for the subscriber. */
static bool version_body(HookLook *l, const StoreVersion *v, StoreVersion *ret)
{
    return v->op != STORE_DELETE && store_vread(l->reader, l->arena, &l->caller.view, v->type,
                                                v->id, v->vid, ret, NULL) == OK;
}

/* Whether the search would find the version that was written, as what it leads to is now. */
static bool search_finds(HookLook *l, const StoreVersion *v, Str query)
{
    StoreQuery *q;
    StoreVersion full;
    bool met = true; /* what it leads to is too much to look through: told rather than lost */
    return version_body(l, v, &full) &&
           store_query_parse(l->api->store, l->arena, v->type, query, false,
                             l->api->options.zone_min, &q, NULL) == OK &&
           (store_query_meets(l->reader, l->arena, q, &l->caller.view, &full, &met, NULL) != OK ||
            met);
}

static bool body_node(HookLook *l, const StoreVersion *v, FhirNode *ret)
{
    StoreVersion full;
    JsonDoc *d = arena_new(l->arena, JsonDoc);
    if (!version_body(l, v, &full) ||
        json_parse(l->arena, full.body, &JSON_LIMITS_FHIR, d, NULL) != OK) {
        return false;
    }
    *ret = fhir_node_root(d);
    return true;
}

static bool criteria_hold(HookLook *l, const FhirPath *criteria, const StoreVersion *v)
{
    FhirNode now, before;
    StoreVersion *rows;
    size_t n = 0;
    bool more, holds = false;
    FhirPathVar vars[2] = {{.name = STR("previous")}, {.name = STR("current")}};
    bool there = body_node(l, v, &now);
    if (store_history(l->reader, l->arena, &l->caller.view, v->type, v->id, 0, v->seq, 1, &rows, &n,
                      &more, NULL) == OK &&
        n && body_node(l, &rows[0], &before)) {
        vars[0].values = fhir_values_one(l->arena, fhir_value_node(before));
    }
    if (there) {
        vars[1].values = fhir_values_one(l->arena, fhir_value_node(now));
    }
    StoreTerm term;
    store_term_init(&term, l->reader, &l->caller.view);
    FhirPathEnv env = {.arena = l->arena,
                       .vars = vars,
                       .vars_n = 2,
                       .now_ms = clock_now(l->api->options.clock),
                       .zone_min = l->api->options.zone_min,
                       .ctx = fhir_term_new(l->arena, &term.source),
                       .member_of = fhir_term_member_of};
    return fhir_path_test(criteria, &env, there ? &now : NULL, &holds, NULL) == OK && holds;
}

/* Filters of the row's type must all find it; what is deleted no search finds. */
static bool filters_hold(HookLook *l, const HookTrigger *t, const StoreVersion *v)
{
    if (t->query.n && !search_finds(l, v, t->query)) {
        return false;
    }
    for (size_t i = 0; i < l->hook->filter_n; i++) {
        Str type, query;
        str_cut(l->hook->filter[i], '?', &type, &query);
        if (str_eq(type, v->type) && !search_finds(l, v, query)) {
            return false;
        }
    }
    return true;
}

bool hook_row_is_event(HookLook *l, const StoreVersion *v)
{
    for (size_t i = 0; i < l->hook->trigger_n; i++) {
        const HookTrigger *t = &l->hook->trigger[i];
        if (str_eq(t->type, v->type) && t->ops & 1u << v->op && !v->purged &&
            access_may(&l->caller, ACCESS_READ, v->type, NULL) == OK &&
            store_version_visible(l->reader, &l->caller.view, v->seq) &&
            (!t->criteria || criteria_hold(l, t->criteria, v)) && filters_hold(l, t, v)) {
            return true;
        }
    }
    return false;
}

Status hook_subscriber(Api *api, StoreReader *r, Arena *a, const Hook *h, AccessCaller *ret,
                       Err *err)
{
    StoreAuthor author = {h->author, h->role, h->org};
    return access_caller_by_author(api->access, r, a, &author, ret, err);
}

Status hook_events_load(Api *api, StoreReader *r, Arena *a, const Hook *h, const uint64_t *number,
                        const uint64_t *seq, size_t n, HookEvent **ret, size_t *ret_n, Err *err)
{
    AccessCaller caller;
    HookEvent *event = arena_array(a, HookEvent, n + 1);
    *ret_n = 0;
    TRY(hook_subscriber(api, r, a, h, &caller, err));
    for (size_t i = 0; i < n; i++) {
        StoreVersion *rows;
        size_t rows_n;
        TRY(store_log(r, a, seq[i] - 1, 1, &rows, &rows_n, err));
        if (!rows_n || rows[0].seq != seq[i] || !store_version_visible(r, &caller.view, seq[i])) {
            continue;
        }
        HookEvent *e = &event[(*ret_n)++];
        *e = (HookEvent){number[i], rows[0]};
        if (h->content == HOOK_FULL && rows[0].op != STORE_DELETE && !rows[0].purged) {
            TRY(store_vread(r, a, &caller.view, rows[0].type, rows[0].id, rows[0].vid, &e->v, err));
        }
    }
    *ret = event;
    return store_reader_trouble(r, err);
}
