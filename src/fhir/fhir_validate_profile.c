/*
 * An object against a profile: for each element the profile speaks of, how many there are, of which
 * type, with which value, from which value set, and the profile's own rules. What R4 itself asks is
 * checked elsewhere; a profile only narrows.
 */
#include "fhir_validate_profile.h"

#include "fhir_path_inner.h"

/* --- values of an element --- */

static const FhirType *type_at(const Walk *w, const FhirType *t, JsonRef value)
{
    const FhirType *own =
        t->kind == FHIR_KIND_RESOURCE && t->abstract
            ? fhir_resource_find(json_str(w->d, json_get_c(w->d, value, "resourceType")))
            : NULL;
    return own ? own : t;
}

static JsonRef unless_null(const Walk *w, JsonRef r)
{
    return json_type(w->d, r) == JSON_NULL ? JSON_NONE : r;
}

/* One half of the items, values or what stands beside them, in one pass: a list may be long. */
static void halves_put(const Walk *w, JsonRef r, Items *items, bool shadow)
{
    if (json_type(w->d, r) != JSON_ARRAY) {
        if (items->n) {
            *(shadow ? &items->at[0].shadow : &items->at[0].value) = unless_null(w, r);
        }
        return;
    }
    for (JsonIter it = json_iter(w->d, r); json_next(&it) && it.index < items->n;) {
        Item *item = &items->at[it.index];
        *(shadow ? &item->shadow : &item->value) = unless_null(w, it.value);
    }
}

Items items_of(Walk *w, JsonRef object, const FhirType *t, Str name)
{
    JsonRef value = JSON_NONE, shadow = JSON_NONE;
    FhirMember m, found = {0};
    for (JsonIter it = json_iter(w->d, object); json_next(&it);) {
        if (fhir_elem_find(t, it.key, &m) && str_eq(fhir_elem_name(m.elem), name)) {
            *(m.underscore ? &shadow : &value) = it.value;
            found = m;
        }
    }
    if (!found.elem) {
        return (Items){0};
    }
    bool many = json_type(w->d, value) == JSON_ARRAY || json_type(w->d, shadow) == JSON_ARRAY;
    uint32_t a = json_count(w->d, value), b = json_count(w->d, shadow);
    size_t n = !many ? 1 : a > b ? a : b;
    Items items = {arena_array(w->items, Item, n), n};
    w->steps += (unsigned)n;
    for (uint32_t i = 0; i < n; i++) {
        items.at[i] =
            (Item){JSON_NONE, JSON_NONE, found.type, found.elem, many ? i : PLACE_NO_INDEX};
    }
    halves_put(w, value, &items, false);
    halves_put(w, shadow, &items, true);
    for (uint32_t i = 0; i < n; i++) {
        items.at[i].type = type_at(w, found.type, items.at[i].value);
    }
    return items;
}

JsonRef item_object(const Walk *w, const Item *item, const FhirType **ret_type)
{
    bool object = json_type(w->d, item->value) == JSON_OBJECT;
    *ret_type = object ? item->type : fhir_type(FHIR_TYPE_Element);
    return object ? item->value : item->shadow;
}

Place item_place(const Place *parent, const Item *item)
{
    return (Place){parent,      fhir_elem_name(item->elem),     item->index, item->type,
                   item->value, fhir_elem_is_choice(item->elem)};
}

/* --- values --- */

static JsonRef item_ref(const Item *item)
{
    return item->value != JSON_NONE ? item->value : item->shadow;
}

bool value_is_fixed(const Walk *w, const ProfileValue *fixed, const Item *item)
{
    return item->value != JSON_NONE && json_equal(w->d, item->value, fixed->doc, fixed->ref);
}

/* Every member of the pattern is in the value; of arrays every item fits some item. */
static bool fits(const JsonDoc *d, JsonRef value, const JsonDoc *p, JsonRef pattern)
{
    JsonType t = json_type(p, pattern);
    bool same = true;
    if (t != JSON_OBJECT && t != JSON_ARRAY) {
        return json_equal(d, value, p, pattern);
    }
    if (json_type(d, value) != t) {
        return false;
    }
    for (JsonIter it = json_iter(p, pattern); same && json_next(&it);) {
        if (t == JSON_OBJECT) {
            same = fits(d, json_get(d, value, it.key), p, it.value);
            continue;
        }
        same = false;
        for (JsonIter v = json_iter(d, value); !same && json_next(&v);) {
            same = fits(d, v.value, p, it.value);
        }
    }
    return same;
}

bool value_fits_pattern(const Walk *w, const ProfileValue *pattern, const Item *item)
{
    return item->value != JSON_NONE && fits(w->d, item->value, pattern->doc, pattern->ref);
}

static void issue_value(Walk *w, const Place *at, const char *zh, const char *en,
                        const ProfileValue *want)
{
    Str text = walk_clip(json_raw(want->doc, want->ref));
    walk_issue(w, at, "value", "值%s%.0s %.*s", "the value %.0s%s %.*s", zh, en, STR_ARG(text));
}

/* Numbers, dates and quantities in their order; unknown counts as within. */
static void check_range(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    FhirNode node = {w->d, item->value, JSON_NONE, w->resource, item->type, item->elem};
    const ProfileValue *ends[] = {&n->low, &n->high};
    for (int i = 0; i < 2; i++) {
        if (!ends[i]->doc || item->value == JSON_NONE) {
            continue;
        }
        FhirNode end = {ends[i]->doc, ends[i]->ref, JSON_NONE, JSON_NONE, ends[i]->type, NULL};
        FhirValue value = fhir_value_node(node), limit = fhir_value_node(end);
        if (path_order(walk_scratch(w), &value, &limit) == (i == 0 ? ORDER_LESS : ORDER_GREATER)) {
            issue_value(w, at, i == 0 ? "小于下限" : "大于上限",
                        i == 0 ? "is less than" : "is greater than", ends[i]);
        }
    }
}

static size_t chars_of(Str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    }
    return n;
}

static void check_values(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    if (n->fixed.doc && !value_is_fixed(w, &n->fixed, item)) {
        issue_value(w, at, "应恰为", "must be exactly", &n->fixed);
    }
    if (n->pattern.doc && !value_fits_pattern(w, &n->pattern, item)) {
        issue_value(w, at, "应符合模式", "must fit the pattern", &n->pattern);
    }
    if (n->low.doc || n->high.doc) {
        check_range(w, at, n, item);
    }
    if (n->max_length && chars_of(json_str(w->d, item->value)) > n->max_length) {
        walk_issue(w, at, "value", "文本超过 %u 个字符", "the text is longer than %u characters",
                   n->max_length);
    }
}

/* --- rules --- */

static void check_rule(Walk *w, const Place *at, const FhirNode *focus, const ProfileRule *r)
{
    FhirNode resource, root;
    FhirPathEnv env = walk_path_env(w, &resource, &root);
    FhirValues result;
    if (fhir_path_eval(r->program, &env, focus, 1, &result, NULL) != OK ||
        walk_rule_holds(r->program, &result)) {
        return;
    }
    (r->warning ? walk_warning : walk_issue)(w, at, "invariant",
                                             "不合配置（profile）的规则 %.*s：%.*s（%.*s）",
                                             "breaks the profile's rule %.*s: %.*s (%.*s)",
                                             STR_ARG(r->key), STR_ARG(r->human), STR_ARG(r->text));
}

static void check_rules(Walk *w, const Place *at, const ProfileNode *n, const FhirNode *focus)
{
    for (unsigned i = 0; i < n->rule_n && !walk_stopped(w); i++) {
        if (!n->rule[i].warning || w->check->thorough) {
            check_rule(w, at, focus, &n->rule[i]);
        }
    }
}

/* --- elements --- */

static void check_object(Walk *w, const Place *at, const ProfileNode *n, JsonRef object,
                         const FhirType *t)
{
    for (const ProfileNode *c = n->child; c && !walk_stopped(w); c = c->next) {
        Items items = items_of(w, object, t, c->name);
        check_items(w, at, c, &items);
    }
}

bool walk_step(Walk *w, const Place *at)
{
    if (++w->steps > FHIR_VALIDATE_STEPS) {
        walk_issue(w, at, "too-costly", "核对配置（profile）所需的步骤过多",
                   "the profiles take too many steps to check");
        w->issues = FHIR_VALIDATE_STOP;
        return false;
    }
    return true;
}

/* What stands inside; of a resource, with that as %resource. */
static void check_inside(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    const FhirType *t;
    Within outer;
    JsonRef object = item_object(w, item, &t);
    bool inner = n->child && object != JSON_NONE && fhir_type_is_resource(t);
    if (inner) {
        walk_enter(w, at, at, object, &outer);
    }
    if (object != JSON_NONE) {
        check_object(w, at, n, object, t);
    } else if (n->child) {
        check_object(w, at, n, item_ref(item), t);
    }
    if (inner) {
        walk_leave(w, &outer);
    }
}

static void check_item(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    if (!walk_step(w, at)) {
        return;
    }
    check_types(w, at, n, item);
    check_values(w, at, n, item);
    check_binding(w, at, n, item);
    if (n->rule_n) {
        FhirNode focus = {w->d, item->value, item->shadow, w->resource, item->type, item->elem};
        check_rules(w, at, n, &focus);
    }
    check_inside(w, at, n, item);
}

/* What is missing is told where it is missing: an expression names what there is. */
static void check_counts(Walk *w, const Place *at, const ProfileNode *n, size_t count)
{
    Str name = n->name;
    Place place = {at, fhir_elem_name(n->elem), PLACE_NO_INDEX};
    if (count < n->min && n->is_slice) {
        walk_issue(w, at, "required", "分片“%.*s”至少要有 %u 个，实有 %zu 个",
                   "the slice \"%.*s\" needs at least %u, there are %zu", STR_ARG(name), n->min,
                   count);
    } else if (count < n->min) {
        walk_issue(w, at, "required", "按配置（profile），“%.*s”至少要有 %u 个，实有 %zu 个",
                   "the profile asks for at least %2$.*1$s × %3$u, there are %4$zu", STR_ARG(name),
                   n->min, count);
    } else if (count > n->max) {
        walk_issue(w, n->is_slice ? at : &place, "structure",
                   "按配置（profile），“%.*s”至多 %u 个，实有 %zu 个",
                   "the profile allows \"%.*s\" at most %u times, there are %zu", STR_ARG(name),
                   n->max, count);
    }
}

void check_items(Walk *w, const Place *at, const ProfileNode *n, const Items *items)
{
    check_counts(w, at, n, items->n);
    for (size_t i = 0; i < items->n && !walk_stopped(w); i++) {
        Place place = item_place(at, &items->at[i]);
        check_item(w, &place, n, &items->at[i]);
    }
    if (n->slice && !walk_stopped(w)) {
        check_slices(w, at, n, items);
    }
}

/* --- profiles --- */

FhirProfileHold *walk_profiles_hold(Walk *w)
{
    if (!w->profiles) {
        w->profiles = fhir_profiles_hold(w->check->profiles);
    }
    return w->profiles;
}

void walk_profile(Walk *w, const Place *at, const FhirProfile *p, JsonRef object,
                  const FhirType *type)
{
    Str url = fhir_profile_url(p);
    if (fhir_profile_fault(p)) {
        Str why = fhir_profile_fault(p)->first->en;
        walk_warning(w, at, "processing", "配置（profile）“%.*s”本身有误，未核对：%.*s",
                     "the profile \"%.*s\" is itself wrong, it was not checked: %.*s", STR_ARG(url),
                     STR_ARG(why));
    } else if (!fhir_type_is(type, p->type)) {
        Str got = fhir_type_name(type), want = fhir_type_name(p->type);
        walk_issue(w, at, "structure", "%.*s 不能符合配置（profile）“%.*s”：它属于 %.*s",
                   "a %.*s cannot conform to the profile \"%.*s\": that is of %.*s", STR_ARG(got),
                   STR_ARG(url), STR_ARG(want));
    } else if (w->depth < PROFILE_DEPTH_MAX && walk_step(w, at)) {
        FhirNode focus = fhir_node_typed(w->d, object, type);
        focus.resource = w->resource;
        w->depth++;
        check_object(w, at, p->root, object, type);
        check_rules(w, at, p->root, &focus);
        w->depth--;
    }
}

/* A walk of its own that stops at the first fault and says nothing. */
static Walk quiet_walk(const Walk *w)
{
    Walk q = *w;
    q.err = NULL;
    q.quiet = true;
    q.issues = 0;
    q.scratch_made = false;
    q.depth++;
    return q;
}

static bool quiet_done(Walk *w, Walk *q)
{
    w->steps = q->steps;
    w->lookups = q->lookups;
    w->profiles = q->profiles;
    w->terms = q->terms;
    if (q->scratch_made) {
        arena_done(&q->scratch);
    }
    return q->issues == 0;
}

bool walk_conforms(Walk *w, const FhirProfile *p, JsonRef object, const FhirType *type)
{
    Walk q = quiet_walk(w);
    Place at = {NULL, fhir_type_name(type), PLACE_NO_INDEX, type, object, false};
    if (type->kind == FHIR_KIND_RESOURCE) {
        q.resource = object;
    }
    walk_profile(&q, &at, p, object, type);
    return quiet_done(w, &q);
}

bool item_conforms(Walk *w, const ProfileNode *n, const Item *item)
{
    Walk q = quiet_walk(w);
    Place at = item_place(NULL, item);
    if (q.depth < PROFILE_DEPTH_MAX) {
        check_item(&q, &at, n, item);
    }
    return quiet_done(w, &q);
}
