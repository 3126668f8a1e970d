/*
 * Definitions that a machine will run: a profile must compile, a search parameter's expression must
 * speak of its base types. All of this is told only by a thorough check; R4's own invariants of
 * these types are checked always.
 */
#include "fhir_params.h"
#include "fhir_path_inner.h"
#include "fhir_validate_inner.h"

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

/* --- StructureDefinition --- */

/* The faults stand at the definition's own place, wherever it is in the document. */
static void check_profile(Walk *w, const Place *at, JsonRef definition)
{
    Arena *a = w->items;
    Err found;
    Str derivation = json_str_at(w->d, definition, "derivation");
    if (!str_is(derivation, "constraint") ||
        str_is(json_str_at(w->d, definition, "kind"), "logical")) {
        return;
    }
    err_init(&found, a);
    (void)!fhir_profile_try(walk_profiles_hold(w), w->d, definition, &found);
    for (const Issue *i = found.first; i && !walk_stopped(w); i = i->next) {
        if (strcmp(i->code, "not-supported") == 0 || strcmp(i->code, "not-found") == 0) {
            walk_warning(w, at, i->code, "%s%.0s", "%.0s%s", arena_cstr(a, i->zh),
                         arena_cstr(a, i->en));
        } else {
            walk_strict(w, at, i->code, "%s%.0s", "%.0s%s", arena_cstr(a, i->zh),
                        arena_cstr(a, i->en));
        }
    }
}

/* --- SearchParameter --- */

/* One of R4's own parameters; NULL: it is none. */
static const FhirParam *param_of_url(Str url)
{
    for (unsigned i = 0; url.n && i < fhir_param_count; i++) {
        if (str_eq(fhir_param_url(&fhir_params[i]), url)) {
            return &fhir_params[i];
        }
    }
    return NULL;
}

static bool base_has(const Walk *w, JsonRef base, Str type)
{
    const FhirType *t = fhir_type_find(type);
    for (JsonIter it = json_iter(w->d, base); json_next(&it);) {
        const FhirType *b = fhir_type_find(json_str(w->d, it.value));
        if (b && t && (fhir_type_is(b, t) || fhir_type_is(t, b))) {
            return true;
        }
    }
    return false;
}

/* The types that the branches of an expression begin with: Patient in Patient.name | Person.name.
 */
static void check_begins(Walk *w, const Place *at, const PathNode *p, JsonRef base)
{
    if (p->op == PATH_UNION) {
        check_begins(w, at, p->left, base);
        check_begins(w, at, p->args[0], base);
        return;
    }
    while (p->left) {
        p = p->left;
    }
    if (p->op == PATH_MEMBER && p->root_type && p->root_type->kind == FHIR_KIND_RESOURCE &&
        !base_has(w, base, p->name)) {
        walk_strict(w, at, "business-rule", "表达式以 %.*s 开头，base 中却没有它",
                    "the expression begins with %.*s, which is not among the base types",
                    STR_ARG(p->name));
    }
}

static void check_expression(Walk *w, const Place *at, JsonRef parameter)
{
    Str text = json_str(w->d, get(w, parameter, "expression"));
    Place place = {at, STR("expression"), PLACE_NO_INDEX};
    Arena *a = w->items;
    FhirPath *program;
    Err err;
    err_init(&err, a);
    if (text.n && fhir_path_compile(a, text, &program, &err) != OK) {
        walk_strict(w, &place, "invalid", "%s%.0s", "%.0s%s", arena_cstr(a, err.first->zh),
                    arena_cstr(a, err.first->en));
    } else if (text.n) {
        check_begins(w, &place, program->root, get(w, parameter, "base"));
    }
}

/* The published parameter it derives from must have the same bases, and be of the same type. */
static void check_derived(Walk *w, const Place *at, JsonRef parameter)
{
    Str from = json_str(w->d, get(w, parameter, "derivedFrom"));
    const FhirParam *published = param_of_url(from);
    Str type = json_str_at(w->d, parameter, "type");
    if (published && type.n && !str_is(type, fhir_param_kind_code(published->kind))) {
        walk_strict(w, at, "business-rule", "所派生的检索参数 %.*s 是 %s 型，此处是 %.*s",
                    "%.*s, which this is derived from, is of type %s, this is of type %.*s",
                    STR_ARG(from), fhir_param_kind_code(published->kind), STR_ARG(type));
    }
    for (JsonIter it = json_iter(w->d, get(w, parameter, "base")); from.n && json_next(&it);) {
        Str base = json_str(w->d, it.value);
        const FhirType *target = fhir_type_find(base);
        bool known = false, has = false;
        for (unsigned i = 0; i < fhir_param_count; i++) {
            if (str_eq(fhir_param_url(&fhir_params[i]), from)) {
                known = true;
                has = has || (target && fhir_type_is(target, fhir_type(fhir_params[i].type)));
            }
        }
        if (known && !has) {
            walk_strict(w, at, "invalid", "所派生的检索参数 %.*s 没有 base %.*s",
                        "%.*s, which this is derived from, has no base %.*s", STR_ARG(from),
                        STR_ARG(base));
        }
    }
}

static void check_search_parameter(Walk *w, const Place *at, JsonRef parameter)
{
    check_expression(w, at, parameter);
    check_derived(w, at, parameter);
    if (str_is(json_str_at(w->d, parameter, "type"), "composite") &&
        json_count(w->d, get(w, parameter, "component")) < 2) {
        walk_strict(w, at, "business-rule", "composite 型的检索参数至少要有两个 component",
                    "a search parameter of type composite needs two or more components");
    }
}

/* --- CapabilityStatement --- */

/* A search parameter that is defined by one of R4's is of its type; R4's own examples are not
 * always.
 */
static void check_capability(Walk *w, const Place *at, JsonRef param)
{
    Str url, version, type = json_str_at(w->d, param, "type");
    str_cut(json_str_at(w->d, param, "definition"), '|', &url, &version);
    const FhirParam *published = param_of_url(url);
    if (published && type.n && !str_is(type, fhir_param_kind_code(published->kind))) {
        walk_doubt(w, at, "invalid", "检索参数 %.*s 是 %s 型，此处却写作 %.*s",
                   "the search parameter %.*s is of type %s, but here of type %.*s", STR_ARG(url),
                   fhir_param_kind_code(published->kind), STR_ARG(type));
    }
}

static void check_capabilities(Walk *w, const Place *at, JsonRef statement)
{
    for (JsonIter rest = json_iter(w->d, get(w, statement, "rest")); json_next(&rest);) {
        Place rest_at = {at, STR("rest"), rest.index};
        for (JsonIter r = json_iter(w->d, get(w, rest.value, "resource")); json_next(&r);) {
            Place resource_at = {&rest_at, STR("resource"), r.index};
            for (JsonIter p = json_iter(w->d, get(w, r.value, "searchParam"));
                 json_next(&p) && !walk_stopped(w);) {
                Place place = {&resource_at, STR("searchParam"), p.index};
                check_capability(w, &place, p.value);
            }
        }
    }
}

/* --- CodeSystem, ValueSet --- */

static uint64_t concepts_of(const Walk *w, JsonRef object, unsigned depth)
{
    uint64_t n = 0;
    for (JsonIter it = json_iter(w->d, get(w, object, "concept")); json_next(&it) && depth < 64;) {
        n += 1 + concepts_of(w, it.value, depth + 1);
    }
    return n;
}

static void check_code_system(Walk *w, const Place *at, JsonRef system)
{
    Str content = json_str_at(w->d, system, "content");
    bool complete = str_is(content, "complete"),
         supplements = get(w, system, "supplements") != JSON_NONE;
    uint64_t n = concepts_of(w, system, 0);
    int64_t count;
    if (str_is(content, "not-present") && n) {
        walk_strict(w, at, "invalid", "content 是 not-present，却列有概念",
                    "content is not-present, but there are concepts");
    }
    if (complete && n && json_to_i64(w->d, get(w, system, "count"), &count) &&
        (uint64_t)count != n) {
        Place place = {at, STR("count"), PLACE_NO_INDEX};
        walk_strict(w, &place, "invalid", "count 为 %lld，实有 %llu 个概念",
                    "count says %lld, but there are %llu concepts", (long long)count,
                    (unsigned long long)n);
    }
    if (supplements && content.n && !str_is(content, "supplement")) {
        Place place = {at, STR("content"), PLACE_NO_INDEX};
        walk_strict(w, &place, "business-rule", "补充他人的代码系统，content 必须是 supplement",
                    "a code system that supplements another has the content \"supplement\"");
    }
}

static void check_includes(Walk *w, const Place *at, JsonRef compose, const char *name)
{
    for (JsonIter it = json_iter(w->d, get(w, compose, name)); json_next(&it);) {
        Place place = {at, str_from_c(name), it.index};
        Str system = json_str_at(w->d, it.value, "system"), shown = walk_clip(system);
        if (system.n && system.p[0] != '#' && !walk_is_absolute(system)) {
            walk_strict(w, &place, "invalid", "代码系统“%.*s”必须是绝对 URI",
                        "the code system \"%.*s\" must be an absolute URI", STR_ARG(shown));
        }
    }
}

/* The name by which others mean a definition. */
static void check_url(Walk *w, const Place *at, JsonRef definition)
{
    Place place = {at, STR("url"), PLACE_NO_INDEX};
    Str url = json_str(w->d, get(w, definition, "url")), shown = walk_clip(url);
    if (url.n && !walk_is_absolute(url)) {
        walk_strict(w, &place, "invalid", "定义的 url“%.*s”必须是绝对 URI",
                    "a definition's url must be absolute, not \"%.*s\"", STR_ARG(shown));
    }
}

void walk_definition(Walk *w, const Place *at, const FhirType *t, JsonRef resource)
{
    Place compose = {at, STR("compose"), PLACE_NO_INDEX};
    if (fhir_elem_named(t, STR("url")) && fhir_elem_named(t, STR("status"))) {
        check_url(w, at, resource);
    }
    switch (fhir_type_id(t)) {
    case FHIR_TYPE_CodeSystem:
        check_code_system(w, at, resource);
        break;
    case FHIR_TYPE_ValueSet:
        check_includes(w, &compose, get(w, resource, "compose"), "include");
        check_includes(w, &compose, get(w, resource, "compose"), "exclude");
        break;
    case FHIR_TYPE_StructureDefinition:
        check_profile(w, at, resource);
        break;
    case FHIR_TYPE_SearchParameter:
        check_search_parameter(w, at, resource);
        break;
    case FHIR_TYPE_CapabilityStatement:
        check_capabilities(w, at, resource);
        break;
    case FHIR_TYPE_Questionnaire:
        walk_questionnaire(w, at, resource);
        break;
    case FHIR_TYPE_QuestionnaireResponse:
        walk_response(w, at, resource);
        break;
    default:
        break;
    }
}
