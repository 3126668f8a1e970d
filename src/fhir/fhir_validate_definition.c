/*
 * Definitions that a machine will run: a profile must compile, a search parameter's expression must
 * speak of its base types. All of this is told only by a thorough check; R4's own invariants of
 * these types are checked always.
 */
#include "fhir_params.h"
#include "fhir_path_inner.h"
#include "fhir_validate_inner.h"

#define PARTS_DEPTH_MAX 16u /* of an operation's parameters */
#define BASES_MAX       96u /* types that a search parameter's expression begins at */

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
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

/* What an expression over these types names must be there. */
static void check_names(Walk *w, const Place *at, const FhirPath *program,
                        const FhirType *const *focus, size_t n)
{
    const FhirType *of;
    Str name = n ? fhir_path_lost(program, focus, n, &of) : STR_NONE, shown = walk_clip(name);
    if (name.n) {
        Str type = fhir_type_name(of);
        walk_strict(w, at, "invalid", "表达式中的“%.*s”在 %.*s 中没有",
                    "the expression's \"%.*s\" is nothing that a %.*s has", STR_ARG(shown),
                    STR_ARG(type));
    }
}

/* NULL where it does not compile, which is told. */
static FhirPath *expression_at(Walk *w, const Place *at, Str text)
{
    FhirPath *program;
    Err err;
    err_init(&err, w->items);
    if (text.n && fhir_path_compile(w->items, text, &program, &err) == OK) {
        return program;
    }
    if (text.n) {
        walk_strict(w, at, "invalid", "%s%.0s", "%.0s%s", arena_cstr(w->items, err.first->zh),
                    arena_cstr(w->items, err.first->en));
    }
    return NULL;
}

static void check_components(Walk *w, const Place *at, JsonRef parameter, const FhirPath *whole,
                             const FhirType *const *base, size_t base_n)
{
    const FhirType *item[BASES_MAX];
    size_t n = 0;
    bool known = whole && fhir_path_types(whole, base, base_n, item, BASES_MAX, &n);
    JsonRef list = get(w, parameter, "component");
    bool composite = str_is(json_str_at(w->d, parameter, "type"), "composite");
    if (composite && json_count(w->d, list) < 2) {
        walk_strict(w, at, "business-rule", "composite 型的检索参数至少要有两个 component",
                    "a search parameter of type composite needs two or more components");
    } else if (!composite && json_count(w->d, list) > 0) {
        walk_strict(w, at, "business-rule", "只有 composite 型的检索参数有 component",
                    "only a search parameter of type composite has components");
    }
    for (JsonIter it = json_iter(w->d, list); json_next(&it) && !walk_stopped(w);) {
        Place part = {at, STR("component"), it.index};
        Place place = {&part, STR("expression"), PLACE_NO_INDEX};
        FhirPath *p = expression_at(w, &place, json_str_at(w->d, it.value, "expression"));
        if (p) {
            check_names(w, &place, p, item, known ? n : 0);
        }
    }
}

static void check_expressions(Walk *w, const Place *at, JsonRef parameter)
{
    const FhirType *base[BASES_MAX];
    size_t n = 0;
    Place place = {at, STR("expression"), PLACE_NO_INDEX};
    for (JsonIter it = json_iter(w->d, get(w, parameter, "base"));
         json_next(&it) && n < BASES_MAX;) {
        const FhirType *t = fhir_type_find(json_str(w->d, it.value));
        base[n] = t;
        n += t != NULL;
    }
    FhirPath *p = expression_at(w, &place, json_str_at(w->d, parameter, "expression"));
    if (p) {
        check_begins(w, &place, p->root, get(w, parameter, "base"));
        check_names(w, &place, p, base, n);
    }
    check_components(w, at, parameter, p, base, n);
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
    check_expressions(w, at, parameter);
    check_derived(w, at, parameter);
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

/* --- OperationDefinition --- */

static void check_parameters(Walk *w, const Place *at, JsonRef holder, const char *name,
                             unsigned depth)
{
    for (JsonIter it = json_iter(w->d, get(w, holder, name));
         json_next(&it) && depth < PARTS_DEPTH_MAX && !walk_stopped(w);) {
        Place place = {at, str_from_c(name), it.index};
        int64_t min, max;
        if (get(w, it.value, "type") != JSON_NONE && get(w, it.value, "part") != JSON_NONE) {
            walk_strict(w, &place, "business-rule", "参数或有 type，或有 part，不能兼有",
                        "a parameter has a type or parts, not both");
        }
        if (json_to_i64(w->d, get(w, it.value, "min"), &min) &&
            str_to_i64(json_str(w->d, get(w, it.value, "max")), &max) && min > max) {
            walk_strict(w, &place, "business-rule", "参数的 min 大于 max",
                        "the parameter's min is greater than its max");
        }
        check_parameters(w, &place, it.value, "part", depth + 1);
    }
}

static void check_operation(Walk *w, const Place *at, JsonRef operation)
{
    check_parameters(w, at, operation, "parameter", 0);
}

/* The name by which others mean a definition; |version is no part of it. */
static void check_url(Walk *w, const Place *at, JsonRef definition)
{
    Place place = {at, STR("url"), PLACE_NO_INDEX};
    Str url = json_str(w->d, get(w, definition, "url")), shown = walk_clip(url);
    if (url.n && !walk_is_absolute(url)) {
        walk_strict(w, &place, "invalid", "定义的 url“%.*s”必须是绝对 URI",
                    "a definition's url must be absolute, not \"%.*s\"", STR_ARG(shown));
    } else if (str_find_char(url, '|') >= 0) {
        walk_doubt(w, &place, "invalid", "定义的 url“%.*s”不应带 |版本",
                   "a definition's url should be without |version: \"%.*s\"", STR_ARG(shown));
    }
}

void walk_definition(Walk *w, const Place *at, const FhirType *t, JsonRef resource)
{
    if (fhir_elem_named(t, STR("url")) && fhir_elem_named(t, STR("status"))) {
        check_url(w, at, resource);
    }
    switch (fhir_type_id(t)) {
    case FHIR_TYPE_CodeSystem:
        walk_code_system(w, at, resource);
        break;
    case FHIR_TYPE_ValueSet:
        walk_value_set(w, at, resource);
        break;
    case FHIR_TYPE_ConceptMap:
        walk_concept_map(w, at, resource);
        break;
    case FHIR_TYPE_OperationDefinition:
        check_operation(w, at, resource);
        break;
    case FHIR_TYPE_StructureDefinition:
        walk_structure(w, at, resource);
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
