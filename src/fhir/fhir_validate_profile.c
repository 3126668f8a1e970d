/*
 * An object against a profile: for each element the profile speaks of, how many there are, of which
 * type, with which value, from which value set, and the profile's own rules. What R4 itself asks is
 * checked elsewhere; a profile only narrows.
 */
#include "fhir_validate_profile.h"

#include "fhir_path_inner.h"

#define REFERENCE_DEPTH_MAX 3u /* of references followed to check what they mean */

/* --- values of an element --- */

static JsonRef array_item(const Walk *w, JsonRef r, uint32_t i)
{
    JsonRef v = json_type(w->d, r) == JSON_ARRAY ? json_item(w->d, r, i) : r;
    return json_type(w->d, v) == JSON_NULL ? JSON_NONE : v;
}

static const FhirType *type_at(const Walk *w, const FhirType *t, JsonRef value)
{
    const FhirType *own =
        t->kind == FHIR_KIND_RESOURCE && t->abstract
            ? fhir_resource_find(json_str(w->d, json_get_c(w->d, value, "resourceType")))
            : NULL;
    return own ? own : t;
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
        Item *item = &items.at[i];
        *item = (Item){array_item(w, value, i), array_item(w, shadow, i), found.type, found.elem,
                       many ? i : PLACE_NO_INDEX};
        item->type = type_at(w, found.type, item->value);
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

FhirTerm *walk_terms(Walk *w)
{
    if (!w->terms && w->check->terms) {
        w->terms = fhir_term_new(w->items, w->check->terms);
    }
    return w->terms;
}

/* One include of a value set, as far as it goes without the code system. */
static TermAnswer include_has(const JsonDoc *d, JsonRef include, Str system, Str code)
{
    JsonRef list = json_get_c(d, include, "concept");
    if (json_get_c(d, include, "valueSet") != JSON_NONE) {
        return TERM_UNKNOWN;
    }
    if (!str_eq(json_str_at(d, include, "system"), system)) {
        return TERM_NO;
    }
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "code"), code)) {
            return TERM_YES;
        }
    }
    return list == JSON_NONE ? TERM_UNKNOWN : TERM_NO;
}

/* A value set that lists its codes is known, also where their code system is not. */
static TermAnswer listed_in(Walk *w, Str valueset, Str system, Str code)
{
    const TermSource *source = w->check->terms;
    TermItems items = {0};
    Str url, version;
    str_cut(valueset, '|', &url, &version);
    if (!source->find ||
        source->find(source->ctx, w->items, TERM_VALUESET, url, &items, NULL) != OK || !items.n) {
        return TERM_UNKNOWN;
    }
    const TermItem *vs = items.at[items.n - 1];
    JsonRef compose = json_get_c(&vs->doc, vs->ref, "compose");
    if (json_get_c(&vs->doc, compose, "exclude") != JSON_NONE) {
        return TERM_UNKNOWN;
    }
    TermAnswer answer = TERM_NO;
    for (JsonIter it = json_iter(&vs->doc, json_get_c(&vs->doc, compose, "include"));
         answer != TERM_YES && json_next(&it);) {
        TermAnswer one = include_has(&vs->doc, it.value, system, code);
        answer = one == TERM_NO ? answer : one;
    }
    return answer;
}

static bool code_in_set(Walk *w, Str valueset, Str system, Str code, bool *ret)
{
    Str url, version;
    str_cut(valueset, '|', &url, &version);
    const FhirValueSet *v = fhir_valueset_find(url);
    if (v && !v->any) {
        *ret = fhir_valueset_has(v, system, code);
        return true;
    }
    FhirTerm *t = walk_terms(w);
    TermAnswer answer = t ? fhir_term_in(t, valueset, system, STR_NONE, code) : TERM_UNKNOWN;
    if (t && answer == TERM_UNKNOWN && system.n) {
        answer = listed_in(w, valueset, system, code);
    }
    *ret = answer == TERM_YES;
    return answer != TERM_UNKNOWN;
}

static bool coding_in_set(Walk *w, Str valueset, JsonRef coding, bool *ret)
{
    Str code = json_str_at(w->d, coding, "code");
    *ret = false;
    return !code.n || code_in_set(w, valueset, json_str_at(w->d, coding, "system"), code, ret);
}

bool value_in_set(Walk *w, Str valueset, const Item *item, bool *ret)
{
    unsigned id = fhir_type_id(item->type);
    if (item->type->kind == FHIR_KIND_PRIMITIVE) {
        return item->value == JSON_NONE ||
               code_in_set(w, valueset, STR_NONE, json_str(w->d, item->value), ret);
    }
    if (id != FHIR_TYPE_CodeableConcept) {
        return coding_in_set(w, valueset, item->value, ret);
    }
    bool known = true;
    *ret = false;
    for (JsonIter it = json_iter(w->d, json_get_c(w->d, item->value, "coding"));
         !*ret && json_next(&it);) {
        bool in = false;
        known = coding_in_set(w, valueset, it.value, &in) && known;
        *ret = in;
    }
    return known || *ret;
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

/* --- binding --- */

/* On value[x], of which a quantity's unit and a concept can both be coded, a binding does not say
 * which of them it means (R4's vital signs: units): it is no more than advice. */
static bool binding_is_vague(const ProfileNode *n)
{
    return fhir_elem_is_choice(n->elem) && n->type_n == 0;
}

static void check_binding(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    bool in = true;
    if (n->strength == BINDING_NONE || item->value == JSON_NONE) {
        return;
    }
    if (!value_in_set(w, n->valueset, item, &in)) {
        walk_warning(w, at, "not-found", "值集 %.*s 未知，代码未核对",
                     "the value set %.*s is not known here: the code was not checked",
                     STR_ARG(n->valueset));
    } else if (!in && n->strength == BINDING_REQUIRED && !binding_is_vague(n)) {
        walk_issue(w, at, "code-invalid", "代码不在必选值集 %.*s 中",
                   "the code is not in the required value set %.*s", STR_ARG(n->valueset));
    } else if (!in) {
        walk_warning(w, at, "code-invalid", "代码不在可扩展值集 %.*s 中：有合适的代码时应取自其中",
                     "the code is not in the extensible value set %.*s: take one of it if any fits",
                     STR_ARG(n->valueset));
    }
}

/* --- types --- */

/* The very type (a code is no string here), or any for which an abstract one stands. */
bool type_fits(const FhirType *t, const FhirType *want)
{
    return t == want || (want->abstract && fhir_type_is(t, want));
}

static const ProfileType *type_find(const ProfileNode *n, const FhirType *t)
{
    for (unsigned i = 0; i < n->type_n; i++) {
        if (type_fits(t, n->type[i].type)) {
            return &n->type[i];
        }
    }
    return NULL;
}

static void issue_type(Walk *w, const Place *at, const ProfileNode *n, const FhirType *t)
{
    Buf list;
    buf_init(&list, 400);
    for (unsigned i = 0; i < n->type_n; i++) {
        buf_printf(&list, "%s%.*s", i ? ", " : "", STR_ARG(fhir_type_name(n->type[i].type)));
    }
    Str got = fhir_type_name(t), want = buf_str(&list);
    walk_issue(w, at, "structure", "类型 %.*s 不合要求；可用：%.*s",
               "the type %.*s is not allowed here; allowed: %.*s", STR_ARG(got), STR_ARG(want));
    buf_done(&list);
}

/* An extension is checked by the definition that its url names (walk_extension). */
static bool is_by_url(const Walk *w, const Item *item, Str canonical)
{
    Str url, version;
    str_cut(canonical, '|', &url, &version);
    return fhir_type_id(item->type) == FHIR_TYPE_Extension &&
           str_eq(json_str_at(w->d, item->value, "url"), url);
}

static void issue_unknown_profile(Walk *w, const Place *at, Str canonical)
{
    Str shown = walk_clip(canonical);
    walk_warning(w, at, "not-found", "配置（profile）“%.*s”未知，未核对",
                 "the profile \"%.*s\" is not known here: it was not checked", STR_ARG(shown));
}

static void check_type_profiles(Walk *w, const Place *at, const ProfileType *t, const Item *item)
{
    const FhirType *type;
    JsonRef object = item_object(w, item, &type);
    for (unsigned i = 0; i < t->profile_n; i++) {
        const FhirProfile *p = is_by_url(w, item, t->profile[i])
                                   ? NULL
                                   : fhir_profile_find(walk_profiles_hold(w), t->profile[i]);
        if (!p || object == JSON_NONE) {
            if (object != JSON_NONE && !is_by_url(w, item, t->profile[i])) {
                issue_unknown_profile(w, at, t->profile[i]);
            }
            return;
        }
        if (t->profile_n == 1) {
            walk_profile(w, at, p, object, type);
            return;
        }
        if (walk_conforms(w, p, object, type)) {
            return;
        }
    }
    if (t->profile_n) {
        walk_issue(w, at, "structure", "不符合所要求的 %u 个配置（profile）中的任何一个",
                   "conforms to none of the %u profiles asked for", t->profile_n);
    }
}

/* Whether a target profile lets the type stand; unknown profiles let everything. */
static bool target_fits(Walk *w, Str canonical, const FhirType *t)
{
    const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), canonical);
    return !p || !p->type || fhir_type_is(t, p->type);
}

static bool target_conforms(Walk *w, const ProfileType *t, JsonRef resource, const FhirType *type)
{
    bool conforms = t->target_n == 0;
    for (unsigned i = 0; !conforms && i < t->target_n; i++) {
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), t->target[i]);
        conforms =
            !p || (p->type && fhir_type_is(type, p->type) && walk_conforms(w, p, resource, type));
    }
    return conforms;
}

static void check_reference(Walk *w, const Place *at, const ProfileType *t, const Item *item)
{
    Str text = json_str_at(w->d, item->value, "reference");
    FhirRef ref = fhir_ref_parse(text);
    JsonRef found = walk_resolve(w, text);
    Str name = found == JSON_NONE ? ref.type : json_str_at(w->d, found, "resourceType");
    const FhirType *type = fhir_resource_find(name);
    bool fits = !type || t->target_n == 0;
    for (unsigned i = 0; !fits && i < t->target_n; i++) {
        fits = target_fits(w, t->target[i], type);
    }
    if (!fits) {
        walk_issue(w, at, "structure", "此配置（profile）不许引用 %.*s",
                   "the profile does not allow a reference to a %.*s", STR_ARG(name));
    } else if (type && found != JSON_NONE && w->depth < REFERENCE_DEPTH_MAX &&
               !target_conforms(w, t, found, type)) {
        walk_issue(w, at, "structure", "所引用的资源不符合此处要求的配置（profile）",
                   "the resource referred to conforms to none of the profiles asked for here");
    }
}

static void check_types(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    if (n->type_n == 0) {
        return;
    }
    const ProfileType *t = type_find(n, item->type);
    if (!t) {
        issue_type(w, at, n, item->type);
        return;
    }
    check_type_profiles(w, at, t, item);
    if (t->target_n && fhir_type_id(item->type) == FHIR_TYPE_Reference) {
        check_reference(w, at, t, item);
    }
}

/* --- rules --- */

static void check_rule(Walk *w, const Place *at, const FhirNode *focus, const ProfileRule *r)
{
    FhirNode resource, root;
    FhirPathEnv env = walk_path_env(w, &resource, &root);
    FhirValues result;
    bool holds = true;
    if (fhir_path_eval(r->program, &env, focus, 1, &result, NULL) != OK || !result.n ||
        !fhir_values_truth(&result, &holds) || holds) {
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

static bool step_bounded(Walk *w, const Place *at)
{
    if (++w->steps > FHIR_VALIDATE_STEPS) {
        walk_issue(w, at, "too-costly", "核对配置（profile）所需的步骤过多",
                   "the profiles take too many steps to check");
        w->issues = FHIR_VALIDATE_STOP;
        return false;
    }
    return true;
}

void check_item(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    const FhirType *t;
    JsonRef object = item_object(w, item, &t);
    if (!step_bounded(w, at)) {
        return;
    }
    check_types(w, at, n, item);
    check_values(w, at, n, item);
    check_binding(w, at, n, item);
    if (n->rule_n) {
        FhirNode focus = {w->d, item->value, item->shadow, w->resource, item->type, item->elem};
        check_rules(w, at, n, &focus);
    }
    if (object != JSON_NONE) {
        check_object(w, at, n, object, t);
    } else if (n->child) {
        check_object(w, at, n, item_ref(item), t);
    }
}

static void check_counts(Walk *w, const Place *at, const ProfileNode *n, size_t count)
{
    Str name = n->name;
    Place place = {at, fhir_elem_name(n->elem), PLACE_NO_INDEX};
    const Place *where = n->is_slice ? at : &place;
    if (count < n->min && n->is_slice) {
        walk_issue(w, where, "required", "分片“%.*s”至少要有 %u 个，实有 %zu 个",
                   "the slice \"%.*s\" needs at least %u, there are %zu", STR_ARG(name), n->min,
                   count);
    } else if (count < n->min) {
        walk_issue(w, where, "required", "按配置（profile），“%.*s”至少要有 %u 个，实有 %zu 个",
                   "the profile asks for at least %2$.*1$s × %3$u, there are %4$zu", STR_ARG(name),
                   n->min, count);
    } else if (count > n->max) {
        walk_issue(w, where, "structure", "按配置（profile），“%.*s”至多 %u 个，实有 %zu 个",
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
    } else if (w->depth < PROFILE_DEPTH_MAX && step_bounded(w, at)) {
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

/* --- the profiles of a resource --- */

/* Vital signs: R4 asks that an Observation with one of these codes conforms to the profile. */
static const struct Vital {
    const char *loinc, *snomed, *profile;
} VITALS[] = {
    {"85353-1", "", "vitalspanel"},        {"9279-1", "86290005", "resprate"},
    {"8867-4", "364075005", "heartrate"},  {"2708-6", "431314004", "oxygensat"},
    {"8310-5", "276885007", "bodytemp"},   {"8302-2", "50373000", "bodyheight"},
    {"9843-4", "363811000", "headcircum"}, {"29463-7", "27113001", "bodyweight"},
    {"39156-5", "60621009", "bmi"},        {"85354-9", "75367002", "bp"},
};

static const char *vital_of(const Walk *w, JsonRef coding)
{
    Str system = json_str_at(w->d, coding, "system"), code = json_str_at(w->d, coding, "code");
    bool loinc = str_is(system, "http://loinc.org"),
         snomed = str_is(system, "http://snomed.info/sct");
    for (size_t i = 0; (loinc || snomed) && code.n && i < sizeof VITALS / sizeof *VITALS; i++) {
        if (str_is(code, loinc ? VITALS[i].loinc : VITALS[i].snomed)) {
            return VITALS[i].profile;
        }
    }
    return NULL;
}

static void check_implied(Walk *w, const Place *at, JsonRef resource, const FhirType *type)
{
    JsonRef codings = json_at(w->d, resource, "code.coding");
    for (JsonIter it = json_iter(w->d, codings); json_next(&it);) {
        const char *vital = vital_of(w, it.value);
        if (vital) {
            Str url = arena_cat(w->items, STR("http://hl7.org/fhir/StructureDefinition/"),
                                str_from_c(vital));
            walk_profile(w, at, fhir_profile_find(walk_profiles_hold(w), url), resource, type);
            return;
        }
    }
}

void walk_profiles(Walk *w, const Place *at, JsonRef resource, const FhirType *type)
{
    JsonRef meta = json_get_c(w->d, resource, "meta");
    JsonRef named = json_get_c(w->d, meta, "profile");
    Place meta_at = {at, STR("meta"), PLACE_NO_INDEX};
    for (JsonIter it = json_iter(w->d, named); json_next(&it) && !walk_stopped(w);) {
        Place place = {&meta_at, STR("profile"), it.index};
        Str url = json_str(w->d, it.value);
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), url);
        if (p) {
            walk_profile(w, at, p, resource, type);
        } else {
            issue_unknown_profile(w, &place, url);
        }
    }
    for (size_t i = 0; w->depth == 0 && !at->up && i < w->check->profile_n; i++) {
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), w->check->profile[i]);
        Str shown = walk_clip(w->check->profile[i]);
        if (p) {
            walk_profile(w, at, p, resource, type);
        } else {
            walk_issue(w, at, "not-found", "要求的配置（profile）“%.*s”未知：请先导入它的包",
                       "the profile asked for, \"%.*s\", is not known: import its package first",
                       STR_ARG(shown));
        }
    }
    Str status = json_str_at(w->d, resource, "status");
    if (w->check->thorough && fhir_type_id(type) == FHIR_TYPE_Observation &&
        !str_is(status, "entered-in-error")) {
        check_implied(w, at, resource, type);
    }
}
