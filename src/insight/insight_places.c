/* Where: organisations by name, the branch they belong to, and whose figures these are. */
#include "insight_inner.h"

#include "mk_banned.h"

#define DEPTH_MAX 20 /* of organisations beneath each other */

static bool place_read(Places *p, Str reference, JsonDoc *ret)
{
    StoreVersion v;
    Str type, id;
    return str_cut(reference, '/', &type, &id) &&
           store_read(p->reader, p->arena, &STORE_VIEW_ALL, type, id, &v, NULL) == OK &&
           json_parse(p->arena, v.body, &JSON_LIMITS_FHIR, ret, NULL) == OK;
}

static Place *place_make(Places *p, Str reference)
{
    Place *place = arena_new(p->arena, Place);
    JsonDoc d;
    *place = (Place){.self = lexicon_add(p->words, reference), .name = reference};
    if (!place_read(p, reference, &d)) {
        return place;
    }
    if (str_starts(reference, STR("HealthcareService/"))) {
        Str provider = json_str_at(&d, JSON_ROOT, "providedBy.reference");
        if (provider.n) {
            *place = *places_get(p, lexicon_add(p->words, provider));
        }
        return place;
    }
    Str name = json_str_at(&d, JSON_ROOT, "name");
    place->id = arena_str(p->arena, json_str_at(&d, JSON_ROOT, "id"));
    place->name = name.n ? arena_str(p->arena, name) : reference;
    place->parent = lexicon_add(p->words, json_str_at(&d, JSON_ROOT, "partOf.reference"));
    return place;
}

const Place *places_get(Places *p, Word w)
{
    static const Place nowhere;
    if (!w) {
        return &nowhere;
    }
    Str reference = p->words->text[w];
    Place *place = map_get(&p->known, reference);
    if (!place) {
        place = place_make(p, reference);
        map_put(&p->known, reference, place);
    }
    return place;
}

const Place *places_branch(Places *p, Word w)
{
    const Place *place = places_get(p, w), *at = place;
    for (int depth = 0; depth < DEPTH_MAX && at->parent; depth++) {
        const Place *up = places_get(p, at->parent);
        bool below_root = p->root ? up->self == p->root : !up->parent;
        if (below_root) {
            return at;
        }
        at = up;
    }
    return place;
}

bool places_in_scope(Places *p, Word w)
{
    if (p->all || !w) {
        return p->all;
    }
    const Place *place = places_get(p, w);
    return place->self && map_get(&p->scope, p->words->text[place->self]) != NULL;
}

static Status scope_narrow(Places *p, const InsightQuery *q, Err *err)
{
    const StoreView *view = &q->caller->view;
    JsonDoc d;
    Str *below;
    size_t n;
    if (!str_starts(q->organization, STR("Organization/")) || !place_read(p, q->organization, &d)) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR("organization"), "没有这个机构：%.*s",
                       "There is no such organisation: %.*s", STR_ARG(q->organization));
    }
    bool mine = view->everything;
    for (size_t i = 0; i < view->orgs_n; i++) {
        mine |= str_eq(view->orgs[i], q->organization);
    }
    if (!mine) {
        return err_rule(err, ERR_FORBIDDEN, STR("not-your-organization"), STR("organization"),
                        "只能查看本机构及下属机构的统计",
                        "Only figures of your own organisation and those beneath it are shown");
    }
    TRY(access_subtree(p->reader, p->arena, q->organization, &below, &n, err));
    for (size_t i = 0; i < n; i++) {
        map_put(&p->scope, below[i], p);
    }
    p->root = lexicon_add(p->words, q->organization);
    p->all = false;
    return OK;
}

Status places_init(Places *p, StoreReader *r, Arena *a, Lexicon *words, const InsightQuery *q,
                   Err *err)
{
    const StoreView *view = &q->caller->view;
    *p = (Places){.words = words, .reader = r, .arena = a, .all = view->everything};
    map_init(&p->known, a);
    map_init(&p->scope, a);
    if (q->organization.n) {
        return scope_narrow(p, q, err);
    }
    for (size_t i = 0; i < view->orgs_n; i++) {
        map_put(&p->scope, view->orgs[i], p);
    }
    p->root = view->everything ? 0 : lexicon_add(words, q->caller->post.organization);
    return OK;
}
