/*
 * StructureDefinitions: that a profile compiles, and that each element of its differential asks for
 * something its base can give: no wider number, no other type, no value that is none of its types,
 * no rule about what is not there. Told at the element, by a thorough check only.
 */
#include "fhir_path.h"
#include "fhir_profile_inner.h"
#include "fhir_validate_inner.h"

#define TYPES_MAX 64

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

/* --- what a path means in R4 --- */

typedef struct Means {
    const FhirElem *elem; /* NULL: the root */
    const FhirType *at[TYPES_MAX];
    unsigned n;
} Means;

static void means_add(Means *m, const FhirType *t)
{
    if (m->n < TYPES_MAX) {
        m->at[m->n++] = t;
    }
}

static void means_elem(Means *m, const FhirElem *e, const FhirType *only)
{
    m->elem = e;
    m->n = 0;
    for (unsigned i = 0; i < e->option_count && !only; i++) {
        means_add(m, fhir_elem_type(e, i));
    }
    if (only) {
        means_add(m, only);
    }
}

/* One name further, where what stands before it has one type. */
static bool means_step(Means *m, Str name)
{
    const FhirType *t = m->n == 1 ? m->at[0] : NULL;
    bool open = str_ends(name, STR("[x]"));
    const FhirElem *e = t ? fhir_elem_named(t, open ? str_take(name, name.n - 3) : name) : NULL;
    FhirMember of;
    if (e) {
        means_elem(m, e, NULL);
        return true;
    }
    bool chosen = t && !open && fhir_elem_find(t, name, &of) && !of.underscore;
    if (chosen) {
        means_elem(m, of.elem, of.type);
    }
    return chosen;
}

/* False: it leads through a choice, or to nothing, which compiling tells. */
static bool means_find(const FhirType *root, Str path, Means *ret)
{
    Str name, rest;
    bool more = str_cut(path, '.', &name, &rest), found = str_eq(name, fhir_type_name(root));
    *ret = (Means){.at = {root}, .n = 1};
    while (more && found) {
        more = str_cut(rest, '.', &name, &rest);
        found = means_step(ret, name);
    }
    return found;
}

static bool means_has(const Means *m, const FhirType *t)
{
    bool has = false;
    for (unsigned i = 0; i < m->n && !has; i++) {
        has = m->at[i] == t || (m->at[i]->abstract && fhir_type_is(t, m->at[i]));
    }
    return has;
}

/* --- one element --- */

typedef struct Element {
    Walk *w;
    const Place *at;
    JsonRef e;
    bool published;          /* R4's own, which has mistakes of its own */
    Means base_means, means; /* by R4, and as narrow as its own types */
} Element;

static void narrow_types(Element *x)
{
    bool known = true;
    Means own = {.elem = x->base_means.elem};
    for (JsonIter it = json_iter(x->w->d, get(x->w, x->e, "type")); json_next(&it);) {
        Str code = json_str(x->w->d, get(x->w, it.value, "code")), shown = walk_clip(code);
        const FhirType *t = fhir_type_find(code);
        if (!t && code.n && str_find_char(code, ':') < 0) {
            Place place = {x->at, STR("type"), it.index};
            walk_strict(x->w, &place, "invalid", "R4 没有类型“%.*s”", "R4 has no type \"%.*s\"",
                        STR_ARG(shown));
        }
        known = known && t;
        if (t) {
            means_add(&own, t);
        }
    }
    x->means = known && own.n ? own : x->base_means;
}

static bool number_of(const Element *x, const char *key, int64_t *ret)
{
    JsonRef v = get(x->w, x->e, key);
    Str text = json_type(x->w->d, v) == JSON_NUMBER ? json_raw(x->w->d, v) : json_str(x->w->d, v);
    return str_to_i64(text, ret);
}

/* A slice may be there less often than its element. */
static void check_counts(const Element *x)
{
    const FhirElem *e = x->base_means.elem;
    bool slice = get(x->w, x->e, "sliceName") != JSON_NONE;
    int64_t min, max;
    Str most = json_str(x->w->d, get(x->w, x->e, "max"));
    bool many = str_is(most, "*") || (number_of(x, "max", &max) && max > 1);
    if (e && many && !fhir_elem_is_many(e)) {
        Place place = {x->at, STR("max"), PLACE_NO_INDEX};
        walk_strict(x->w, &place, "business-rule", "R4 中至多 1 个，不能放宽为 %.*s",
                    "R4 allows 1 at most, which cannot become %.*s", STR_ARG(most));
    }
    if (e && !slice && number_of(x, "min", &min) && min < e->min) {
        Place place = {x->at, STR("min"), PLACE_NO_INDEX};
        walk_strict(x->w, &place, "business-rule", "R4 中至少要有 %u 个，不能放宽为 %lld",
                    "R4 asks for at least %u, which cannot become %lld", e->min, (long long)min);
    }
}

/* "CodeableConcept" out of patternCodeableConcept; NULL: another key. */
static const FhirType *value_type(Str key)
{
    static const char *const LEADS[] = {"fixed", "pattern"};
    char name[64];
    for (size_t i = 0; i < sizeof LEADS / sizeof *LEADS; i++) {
        Str lead = str_from_c(LEADS[i]), rest = str_skip(key, lead.n);
        if (str_starts(key, lead) && rest.n && rest.n < sizeof name) {
            const FhirType *t = fhir_type_find(rest);
            memcpy(name, rest.p, rest.n);
            name[0] = (char)(name[0] | 0x20);
            return t ? t : fhir_type_find((Str){name, rest.n});
        }
    }
    return NULL;
}

static void check_values(const Element *x)
{
    for (JsonIter it = json_iter(x->w->d, x->e); json_next(&it);) {
        const FhirType *t = value_type(it.key);
        if (t && x->means.elem && x->means.n && !means_has(&x->means, t)) {
            Str name = fhir_type_name(t), own = fhir_type_name(x->means.at[0]);
            walk_strict(x->w, x->at, "business-rule",
                        "固定值或模式是 %.*s，元素却不是这一类型（如 %.*s）",
                        "the fixed value or pattern is a %.*s, which the element (%.*s) is not",
                        STR_ARG(name), STR_ARG(own));
        }
    }
}

/* --- bindings --- */

static bool is_coded(const FhirType *t)
{
    static const char *const CODED[] = {"code",     "Coding", "CodeableConcept",
                                        "Quantity", "string", "uri"};
    bool coded = t->abstract;
    for (size_t i = 0; i < sizeof CODED / sizeof *CODED && !coded; i++) {
        coded = fhir_type_is(t, fhir_type_find(str_from_c(CODED[i])));
    }
    return coded;
}

static void check_binding(const Element *x)
{
    JsonRef b = get(x->w, x->e, "binding");
    const FhirElem *e = x->base_means.elem;
    Place place = {x->at, STR("binding"), PLACE_NO_INDEX};
    Str strength = json_str(x->w->d, get(x->w, b, "strength"));
    bool coded = x->means.n == 0;
    for (unsigned i = 0; i < x->means.n && !coded; i++) {
        coded = is_coded(x->means.at[i]);
    }
    if (b != JSON_NONE && e && !coded) {
        Str type = fhir_type_name(x->means.at[0]);
        walk_strict(x->w, &place, "business-rule", "类型 %.*s 不能绑定值集",
                    "a %.*s cannot be bound to a value set", STR_ARG(type));
    } else if (b != JSON_NONE && e && e->valueset != FHIR_NONE && !fhir_elem_is_choice(e) &&
               strength.n && !str_is(strength, "required")) {
        walk_strict(x->w, &place, "business-rule", "R4 的绑定是 required，不能放宽为 %.*s",
                    "R4's binding is required, which cannot become %.*s", STR_ARG(strength));
    }
}

/* --- targets of references --- */

static bool target_allowed(const Means *m, const FhirType *t)
{
    bool allowed = m->elem == NULL;
    for (unsigned i = 0; m->elem && i < m->elem->option_count && !allowed; i++) {
        const FhirOption *o = fhir_elem_option(m->elem, i);
        allowed = o->target_count == 0;
        for (unsigned k = 0; k < o->target_count && !allowed; k++) {
            allowed = fhir_type_is(t, fhir_type(fhir_targets[o->target_first + k])) || t->abstract;
        }
    }
    return allowed;
}

static void check_targets(const Element *x)
{
    Walk *w = x->w;
    for (JsonIter type = json_iter(w->d, get(w, x->e, "type")); json_next(&type);) {
        Place type_at = {x->at, STR("type"), type.index};
        bool reference = str_is(json_str(w->d, get(w, type.value, "code")), "Reference");
        for (JsonIter it = json_iter(w->d, get(w, type.value, "targetProfile"));
             reference && json_next(&it);) {
            Place place = {&type_at, STR("targetProfile"), it.index};
            const FhirProfile *p =
                fhir_profile_find(walk_profiles_hold(w), json_str(w->d, it.value));
            if (p && p->type && fhir_type_is_resource(p->type) &&
                !target_allowed(&x->base_means, p->type)) {
                Str name = fhir_type_name(p->type);
                walk_strict(w, &place, "business-rule", "R4 不许此处引用 %.*s",
                            "R4 does not allow a reference to a %.*s here", STR_ARG(name));
            }
        }
    }
}

/* --- expressions --- */

/* An expression over the element's types that names what none of them has. */
static void check_names(const Element *x, const Place *at, Str text)
{
    FhirPath *program;
    const FhirType *of;
    Arena *a = walk_scratch(x->w);
    if (!x->means.n || fhir_path_compile(a, text, &program, NULL) != OK) {
        return; /* what does not compile is told with the whole definition */
    }
    Str name = fhir_path_lost(program, x->means.at, x->means.n, &of), shown = walk_clip(name);
    if (name.n) {
        Str type = fhir_type_name(of);
        (x->published ? walk_doubt : walk_strict)(
            x->w, at, "invalid", "表达式中的“%.*s”在 %.*s 中没有",
            "the expression's \"%.*s\" is nothing that a %.*s has", STR_ARG(shown), STR_ARG(type));
    }
}

static void check_expressions(const Element *x)
{
    Walk *w = x->w;
    for (JsonIter it = json_iter(w->d, get(w, x->e, "constraint")); json_next(&it);) {
        Place rule = {x->at, STR("constraint"), it.index};
        Place place = {&rule, STR("expression"), PLACE_NO_INDEX};
        check_names(x, &place, json_str(w->d, get(w, it.value, "expression")));
    }
    Place slicing = {x->at, STR("slicing"), PLACE_NO_INDEX};
    JsonRef list = get(w, get(w, x->e, "slicing"), "discriminator");
    for (JsonIter it = json_iter(w->d, list); json_next(&it);) {
        Place by = {&slicing, STR("discriminator"), it.index};
        Place place = {&by, STR("path"), PLACE_NO_INDEX};
        check_names(x, &place, json_str(w->d, get(w, it.value, "path")));
    }
}

static void check_element(Walk *w, const Place *at, const FhirType *root, JsonRef e, bool published)
{
    Element x = {.w = w, .at = at, .e = e, .published = published};
    if (means_find(root, json_str(w->d, get(w, e, "path")), &x.base_means)) {
        narrow_types(&x);
        check_counts(&x);
        check_values(&x);
        check_binding(&x);
        check_targets(&x);
        check_expressions(&x);
    }
}

static void check_differential(Walk *w, const Place *at, const FhirType *root, JsonRef definition)
{
    Place differential = {at, STR("differential"), PLACE_NO_INDEX};
    JsonRef list = json_at(w->d, definition, "differential.element");
    Str url = json_str(w->d, get(w, definition, "url"));
    const FhirProfile *known = fhir_profile_find(walk_profiles_hold(w), url);
    for (JsonIter it = json_iter(w->d, list); json_next(&it) && !walk_stopped(w);) {
        Place place = {&differential, STR("element"), it.index};
        check_element(w, &place, root, it.value, known && known->published);
    }
}

/* --- extensions --- */

/* Its url is the one by which it is known. */
static void check_fixed_url(Walk *w, const Place *at, JsonRef definition)
{
    Place differential = {at, STR("differential"), PLACE_NO_INDEX};
    Str url = json_str(w->d, get(w, definition, "url"));
    JsonRef list = json_at(w->d, definition, "differential.element");
    for (JsonIter it = json_iter(w->d, list); json_next(&it);) {
        Place place = {&differential, STR("element"), it.index};
        Str fixed = json_str(w->d, get(w, it.value, "fixedUri")), shown = walk_clip(fixed);
        if (str_is(json_str(w->d, get(w, it.value, "path")), "Extension.url") && fixed.n &&
            !str_eq(fixed, url)) {
            walk_strict(w, &place, "business-rule", "扩展的 url 固定为“%.*s”，与定义的 url 不同",
                        "the extension's url is fixed to \"%.*s\", which is not the definition's",
                        STR_ARG(shown));
        }
    }
}

/* Patient.name, a type, the url of a definition (#path), or Element, Resource. */
static bool context_known(Str expression)
{
    Str head, rest;
    str_cut(expression, '.', &head, &rest);
    const FhirType *t = fhir_type_find(head);
    Means means;
    return str_find_char(expression, ':') >= 0 || (t && means_find(t, expression, &means)) ||
           (t && str_find(expression, STR("[x]")) > 0);
}

static void check_context(Walk *w, const Place *at, JsonRef context)
{
    Str type = json_str(w->d, get(w, context, "type"));
    Str expression = json_str(w->d, get(w, context, "expression")), shown = walk_clip(expression);
    FhirPath *program;
    bool known = str_is(type, "fhirpath")
                     ? fhir_path_compile(walk_scratch(w), expression, &program, NULL) == OK
                 : str_is(type, "extension") ? walk_is_absolute(expression)
                                             : context_known(expression);
    if (expression.n && !known) {
        walk_strict(w, at, "business-rule", "“%.*s”不是 R4 中可以放扩展的位置",
                    "\"%.*s\" is no place in R4 where an extension may stand", STR_ARG(shown));
    }
}

static void check_extension(Walk *w, const Place *at, JsonRef definition)
{
    bool extension = str_is(json_str(w->d, get(w, definition, "type")), "Extension");
    for (JsonIter it = json_iter(w->d, get(w, definition, "context")); json_next(&it);) {
        Place place = {at, STR("context"), it.index};
        if (extension) {
            check_context(w, &place, it.value);
        } else {
            walk_strict(w, &place, "business-rule", "只有扩展的定义才有 context",
                        "only the definition of an extension has a context");
        }
    }
    if (extension && str_is(json_str(w->d, get(w, definition, "derivation")), "constraint")) {
        check_fixed_url(w, at, definition);
    }
}

/* --- the whole --- */

/* What keeps it from being compiled stands at its root, as it has no single place. */
static void check_compiles(Walk *w, const Place *at, JsonRef definition)
{
    Arena *a = w->items;
    Err found;
    err_init(&found, a);
    (void)!fhir_profile_try(walk_profiles_hold(w), w->d, definition, &found);
    for (const Issue *i = found.first; i && !walk_stopped(w); i = i->next) {
        bool open = strcmp(i->code, "not-supported") == 0 || strcmp(i->code, "not-found") == 0;
        (open ? walk_warning : walk_strict)(w, at, i->code, "%s%.0s", "%.0s%s",
                                            arena_cstr(a, i->zh), arena_cstr(a, i->en));
    }
}

static void check_type(Walk *w, const Place *at, Str type)
{
    Place place = {at, STR("type"), PLACE_NO_INDEX};
    Str shown = walk_clip(type);
    if (type.n && str_find_char(type, ':') < 0) {
        walk_strict(w, &place, "invalid", "R4 没有类型“%.*s”", "R4 has no type \"%.*s\"",
                    STR_ARG(shown));
    }
}

void walk_structure(Walk *w, const Place *at, JsonRef definition)
{
    Str type = json_str(w->d, get(w, definition, "type"));
    const FhirType *core = profile_core_type(type), *root = core ? core : fhir_type_find(type);
    check_extension(w, at, definition);
    if (!str_is(json_str(w->d, get(w, definition, "derivation")), "constraint") ||
        str_is(json_str(w->d, get(w, definition, "kind")), "logical")) {
        return;
    }
    check_compiles(w, at, definition);
    if (root) {
        check_differential(w, at, root, definition);
    } else {
        check_type(w, at, type);
    }
}
