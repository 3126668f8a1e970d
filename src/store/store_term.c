#include "store_term.h"
#include "store_inner.h"

#define MAPS_MAX 200u

static Status item_take(TermCache *cache, Arena *a, Str type, Str id, Str vid, Str body,
                        const TermItem **ret, Err *err)
{
    Str key = arena_cat(a, type, STR("/"), id, STR("/"), vid);
    *ret = fhir_term_cache_get(cache, a, key);
    return *ret ? OK : fhir_term_cache_put(cache, a, key, body, ret, err);
}

/* query: a search parameter; value is encoded here. */
static Status items_find(StoreTerm *t, Arena *a, const char *type, const char *parameter, Str value,
                         size_t max, TermItems *list, Err *err)
{
    const StoreHit *hit;
    const TermItem *item;
    size_t n;
    Buf query;
    buf_init(&query, 0);
    buf_printf(&query, "%s=", parameter);
    buf_url(&query, value);
    TRY(store_find(t->reader, a, t->view, str_from_c(type), buf_take(&query, a), max, &hit, &n,
                   err));
    for (size_t i = 0; i < n; i++) {
        TRY(item_take(t->source.cache, a, hit[i].type, hit[i].id, hit[i].vid, hit[i].body, &item,
                      err));
        fhir_term_items_add(a, list, item);
    }
    return OK;
}

static Status term_find(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err)
{
    static const char *const TYPES[] = {"CodeSystem", "ValueSet", "ConceptMap"};
    return items_find(ctx, a, TYPES[kind], "url", url, FHIR_TERM_VERSIONS, list, err);
}

static Status term_maps(void *ctx, Arena *a, Str system, bool reverse, TermItems *list, Err *err)
{
    return items_find(ctx, a, "ConceptMap", reverse ? "target-system" : "source-system", system,
                      MAPS_MAX, list, err);
}

void store_term_init(StoreTerm *t, StoreReader *r, const StoreView *view)
{
    *t = (StoreTerm){.reader = r, .view = view};
    t->source = (TermSource){t, store_of(r)->terms, term_find, term_maps};
}

Status store_term_item(StoreTerm *t, Arena *a, const StoreVersion *v, const TermItem **ret,
                       Err *err)
{
    return item_take(t->source.cache, a, v->type, v->id, v->vid, v->body, ret, err);
}
