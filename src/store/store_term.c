#include "store_term.h"
#include "store_inner.h"

#define MAPS_MAX 200u
#define PAST_MAX 20u /* earlier forms of one resource that are looked at */

static Status item_take(TermCache *cache, Arena *a, Str type, Str id, Str vid, Str body,
                        const TermItem **ret, Err *err)
{
    Str key = arena_cat(a, type, STR("/"), id, STR("/"), vid);
    *ret = fhir_term_cache_get(cache, a, key);
    return *ret ? OK : fhir_term_cache_put(cache, a, key, body, ret, err);
}

/* query: a search parameter; value is encoded here. */
static Status hits_find(StoreTerm *t, Arena *a, const char *type, const char *parameter, Str value,
                        size_t max, const StoreHit **ret, size_t *ret_n, Err *err)
{
    Buf query;
    buf_init(&query, 0);
    buf_printf(&query, "%s=", parameter);
    buf_url(&query, value);
    return store_find(t->reader, a, t->view, str_from_c(type), buf_take(&query, a), max, ret, ret_n,
                      err);
}

static Status items_find(StoreTerm *t, Arena *a, const char *type, const char *parameter, Str value,
                         size_t max, TermItems *list, Err *err)
{
    const StoreHit *hit;
    const TermItem *item;
    size_t n;
    TRY(hits_find(t, a, type, parameter, value, max, &hit, &n, err));
    for (size_t i = 0; i < n; i++) {
        TRY(item_take(t->source.cache, a, hit[i].type, hit[i].id, hit[i].vid, hit[i].body, &item,
                      err));
        fhir_term_items_add(a, list, item);
    }
    return OK;
}

static const char *const TYPES[] = {"CodeSystem", "ValueSet", "ConceptMap"};

static Status term_find(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err)
{
    return items_find(ctx, a, TYPES[kind], "url", url, FHIR_TERM_VERSIONS, list, err);
}

/* What a resource was before: its url may have been another. */
static Status past_add(StoreTerm *t, Arena *a, const StoreHit *hit, Str url, TermItems *list,
                       Err *err)
{
    StoreVersion *v;
    size_t n;
    bool more;
    TRY(store_history(t->reader, a, t->view, hit->type, hit->id, 0, 0, PAST_MAX, &v, &n, &more,
                      err));
    for (size_t i = 1; i < n; i++) {
        const TermItem *item;
        if (str_empty(v[i].body)) {
            continue;
        }
        TRY(item_take(t->source.cache, a, v[i].type, v[i].id, v[i].vid, v[i].body, &item, err));
        if (str_eq(item->url, url)) {
            fhir_term_items_add(a, list, item);
        }
    }
    return OK;
}

static Status term_past(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err)
{
    const StoreHit *hit;
    size_t n;
    TRY(hits_find(ctx, a, TYPES[kind], "url", url, FHIR_TERM_VERSIONS, &hit, &n, err));
    for (size_t i = 0; i < n; i++) {
        TRY(past_add(ctx, a, &hit[i], url, list, err));
    }
    return OK;
}

static Status term_maps(void *ctx, Arena *a, Str system, bool reverse, TermItems *list, Err *err)
{
    return items_find(ctx, a, "ConceptMap", reverse ? "target-system" : "source-system", system,
                      MAPS_MAX, list, err);
}

void store_term_init(StoreTerm *t, StoreReader *r, const StoreView *view)
{
    *t = (StoreTerm){.reader = r, .view = view};
    t->source = (TermSource){t, store_of(r)->terms, term_find, term_maps, term_past};
}

Status store_term_item(StoreTerm *t, Arena *a, const StoreVersion *v, const TermItem **ret,
                       Err *err)
{
    return item_take(t->source.cache, a, v->type, v->id, v->vid, v->body, ret, err);
}
