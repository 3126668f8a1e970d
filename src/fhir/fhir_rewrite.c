/* References of a bundle to what its entries became; conditional references found. */
#include "fhir_bundle.h"
#include "fhir_validate.h"

void fhir_rewrite_init(FhirRewrite *w, Arena *a)
{
    map_init(&w->map, a);
}

void fhir_rewrite_add(FhirRewrite *w, Str full_url, Str type, Str id)
{
    mk_check(fhir_id_ok(id)); /* it needs no escapes */
    Str *place = arena_new(w->map.arena, Str);
    *place = arena_cat(w->map.arena, type, STR("/"), id);
    map_put(&w->map, full_url, place);
}

void fhir_rewrite_add_search(FhirRewrite *w, Str reference, Str type, Str id)
{
    fhir_rewrite_add(w, reference, type, id);
}

/* The splices of one resource, growing in the arena. */
typedef struct Splices {
    FhirRewrite *w;
    Arena *arena;
    uint32_t from; /* where the resource begins in the bundle */
    const FhirEntry *entry;
    JsonSplice *list;
    size_t n, room;
} Splices;

static void splice_add(Splices *s, uint32_t at, uint32_t end, Str with)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 16;
        JsonSplice *list = arena_array(s->arena, JsonSplice, room);
        if (s->n) {
            memcpy(list, s->list, s->n * sizeof *list);
        }
        s->list = list;
        s->room = room;
    }
    s->list[s->n++] = (JsonSplice){at - s->from, end - s->from, with};
}

/*
 * A reference is looked up as it is; a relative one also below the base of its entry's fullUrl,
 * an absolute one also without the version at its end.
 */
static const Str *place_of(const Splices *s, const FhirRef *ref)
{
    const Str *place = map_get(&s->w->map, ref->text);
    if (!place && ref->kind == FHIR_REF_RELATIVE) {
        FhirRef home = fhir_ref_parse(s->entry->full_url);
        place = home.base.n ? map_get(&s->w->map,
                                      arena_cat(s->arena, home.base, ref->type, STR("/"), ref->id))
                            : NULL;
    }
    if (!place && ref->kind == FHIR_REF_ABSOLUTE && ref->version.n) {
        place =
            map_get(&s->w->map, str_take(ref->text, (size_t)(ref->id.p + ref->id.n - ref->text.p)));
    }
    return place;
}

static Status reference_rewrite(void *ctx, const FhirRefAt *at, Err *err)
{
    Splices *s = ctx;
    const Str *place = place_of(s, &at->ref);
    if (place) {
        splice_add(s, at->at, at->end, arena_cat(s->arena, STR("\""), *place, STR("\"")));
        return OK;
    }
    bool unresolved = at->holder != JSON_NONE && at->ref.kind == FHIR_REF_URN;
    if (!unresolved) {
        return OK;
    }
    Str shown = str_take(at->ref.text, 80);
    return err_add(err, ERR_INVALID, "not-found",
                   arena_printf(s->arena, "Bundle.entry[%u].resource", s->entry->index),
                   "引用“%.*s”在此 Bundle 中没有对应的 fullUrl",
                   "the reference \"%.*s\" is no entry's fullUrl in this Bundle", STR_ARG(shown));
}

/* --- links of narratives --- */

/* Where a link's address ends: its quote, or the backslash before it in JSON. */
static size_t link_end(Str raw, size_t at)
{
    while (at < raw.n && !strchr("\"'\\", raw.p[at])) {
        at++;
    }
    return at;
}

/* href="…" and src="…" in the raw bytes of a div; quotes may be escaped. */
static void links_rewrite(Splices *s, const JsonDoc *d, JsonRef div)
{
    static const char *const NAMES[] = {" href=", " src="};
    Str raw = json_raw(d, div);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        Str name = str_from_c(NAMES[i]), rest = raw;
        for (ptrdiff_t found; (found = str_find(rest, name)) >= 0;) {
            size_t at = (size_t)(rest.p - raw.p) + (size_t)found + name.n;
            at += at < raw.n && raw.p[at] == '\\';
            at += at < raw.n;
            size_t end = link_end(raw, at);
            FhirRef ref = fhir_ref_parse((Str){raw.p + at, end - at});
            const Str *place = place_of(s, &ref);
            if (place) {
                uint32_t begin = d->tok[div].at;
                splice_add(s, begin + (uint32_t)at, begin + (uint32_t)end, *place);
            }
            rest = str_skip(raw, end);
        }
    }
}

static void narrative_rewrite(Splices *s, const JsonDoc *d, JsonRef resource)
{
    JsonRef div = json_at(d, resource, "text.div");
    if (json_type(d, div) == JSON_STRING) {
        links_rewrite(s, d, div);
    }
    for (JsonIter it = json_iter(d, json_get_c(d, resource, "contained")); json_next(&it);) {
        div = json_at(d, it.value, "text.div");
        if (json_type(d, div) == JSON_STRING) {
            links_rewrite(s, d, div);
        }
    }
}

Status fhir_rewrite_apply(FhirRewrite *w, Arena *a, const JsonDoc *d, const FhirEntry *entry,
                          JsonDoc *ret, Err *err)
{
    Splices s = {.w = w, .arena = a, .from = d->tok[entry->resource].at, .entry = entry};
    TRY(fhir_refs_walk(d, entry->resource, true, reference_rewrite, &s, err));
    narrative_rewrite(&s, d, entry->resource);
    return json_part(a, d, entry->resource, s.list, s.n, ret, err);
}

/* --- conditional references --- */

typedef struct Wanted {
    Arena *arena;
    Map seen;
    Str *list;
    size_t n, room;
} Wanted;

static Status reference_want(void *ctx, const FhirRefAt *at, Err *err)
{
    Wanted *x = ctx;
    (void)err;
    if (at->ref.kind != FHIR_REF_SEARCH || map_get(&x->seen, at->ref.text)) {
        return OK;
    }
    if (x->n == x->room) {
        size_t room = x->room ? x->room * 2 : 8;
        Str *list = arena_array(x->arena, Str, room);
        if (x->n) {
            memcpy(list, x->list, x->n * sizeof *list);
        }
        x->list = list;
        x->room = room;
    }
    x->list[x->n++] = at->ref.text;
    map_put(&x->seen, at->ref.text, x);
    return OK;
}

Status fhir_conditional_refs(Arena *a, const JsonDoc *d, JsonRef resource, Str **ret, size_t *ret_n,
                             Err *err)
{
    Wanted x = {.arena = a};
    map_init(&x.seen, a);
    TRY(fhir_refs_walk(d, resource, false, reference_want, &x, err));
    *ret = x.list;
    *ret_n = x.n;
    return OK;
}
