/* Not by another door: what a raw write may not touch. */
#include "flow_inner.h"

static bool is_case(const JsonDoc *d)
{
    return d && flow_case_pathway(d).n > 0;
}

/* The record of a step or of a signature made here (a JWS) says so itself; other systems' stay
 * theirs. */
static bool is_record(const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_at(d, JSON_ROOT, "activity.coding")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "system"), FLOW_SYSTEM_ACTION)) {
            return true;
        }
    }
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "signature")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "sigFormat"), "application/jose")) {
            return true;
        }
    }
    return false;
}

/* One probe of the index: does any case name it among what it holds? */
static bool is_held(StoreReader *r, Arena *a, Str type, Str id)
{
    Str query = arena_cat(a, STR("holds="), type, STR("/"), id, STR("&_count=1"));
    StoreQuery *q;
    StorePage page = {0};
    return store_query_parse(NULL, a, STR("Task"), query, false, 0, &q, NULL) == OK &&
           store_search(r, a, q, &STORE_VIEW_ALL, STR_NONE, &page, NULL) == OK && page.hits_n > 0;
}

/* Engine's own: the package and its forms. */
static bool is_package(Str type, const JsonDoc *d)
{
    return str_is(type, "Library")
               ? str_starts(json_str_at(d, JSON_ROOT, "url"), STR(FLOW_SYSTEM_PATHWAY ":"))
               : str_is(type, "Questionnaire") &&
                     str_starts(json_str_at(d, JSON_ROOT, "url"), STR(FLOW_SYSTEM_FORM ":"));
}

static bool touches(StoreReader *r, Arena *a, Str type, Str id, const JsonDoc *old,
                    const JsonDoc *fresh)
{
    if (str_is(type, "Task")) {
        return is_case(old) || is_case(fresh);
    }
    if (str_is(type, "Provenance")) {
        return (old && is_record(old)) || (fresh && !old && is_record(fresh));
    }
    if ((old && is_package(type, old)) || (fresh && is_package(type, fresh))) {
        return true;
    }
    return old && is_held(r, a, type, id);
}

Status flow_guard_raw_write(Flow *f, StoreReader *r, Arena *a, Str type, Str id,
                            const JsonDoc *new_body, Err *err)
{
    (void)f;
    StoreVersion v;
    JsonDoc old;
    bool there = id.n && store_read(r, a, &STORE_VIEW_ALL, type, id, &v, NULL) == OK &&
                 json_parse(a, v.body, &JSON_LIMITS_FHIR, &old, NULL) == OK;
    const JsonDoc *fresh = new_body && new_body->count ? new_body : NULL;
    if (touches(r, a, type, id, there ? &old : NULL, fresh)) {
        return flow_refuse(err, FLOW_RULE_HELD_BY_CASE, STR_NONE,
                           id.n ? arena_cat(a, type, STR("/"), id) : type);
    }
    return OK;
}
