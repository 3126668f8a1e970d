/*
 * The constraints (invariants) of R4, evaluated from their published FHIRPath. They are
 * compiled once, when the first resource is validated, and live as long as the process.
 */
#include <pthread.h>

#include "fhir_path_inner.h"
#include "fhir_validate_profile.h"

static FhirPath **programs; /* by the constraint's number */
static pthread_once_t compiled = PTHREAD_ONCE_INIT;

static void programs_compile(void)
{
    static Arena arena;
    arena_init(&arena, 0);
    programs = arena_array(&arena, FhirPath *, fhir_constraint_count);
    for (unsigned i = 0; i < fhir_constraint_count; i++) {
        Str text = fhir_constraint_expression(&fhir_constraints[i]);
        mk_check(fhir_path_compile(&arena, text, &programs[i], NULL) == OK);
    }
}

/* What cannot be evaluated is told, but does not make a resource invalid: the rule is unknown. */
static void issue_unknown_rule(Walk *w, const Place *at, const FhirConstraint *c, Err *why)
{
    Str key = fhir_constraint_key(c);
    Str en = why->first ? why->first->en : STR_NONE;
    walk_warning(w, at, "processing", "规则 %.*s 未能核对：%.*s",
                 "rule %.*s could not be checked: %.*s", STR_ARG(key), STR_ARG(en));
}

static void issue_broken(Walk *w, const Place *at, const FhirConstraint *c)
{
    Str key = fhir_constraint_key(c), human = fhir_constraint_human(c);
    Str text = fhir_constraint_expression(c);
    if (c->warning) {
        walk_warning(w, at, "invariant", "不合建议 %.*s：%.*s（%.*s）",
                     "not as recommended (%.*s): %.*s (%.*s)", STR_ARG(key), STR_ARG(human),
                     STR_ARG(text));
    } else {
        walk_issue(w, at, "invariant", "不合 R4 的规则 %.*s：%.*s（%.*s）",
                   "breaks rule %.*s of R4: %.*s (%.*s)", STR_ARG(key), STR_ARG(human),
                   STR_ARG(text));
    }
}

/* --- the seams of expressions --- */

static bool seam_resolve(void *ctx, Str reference, FhirNode *ret)
{
    Walk *w = ctx;
    JsonRef found = walk_resolve(w, reference);
    if (found != JSON_NONE) {
        *ret = fhir_node_resource(w->d, found);
    }
    return found != JSON_NONE;
}

static bool seam_conforms(void *ctx, const FhirNode *n, Str profile, bool *ret)
{
    Walk *w = ctx;
    const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), profile);
    if (!p || n->doc != w->d || !n->type || fhir_profile_fault(p)) {
        return false;
    }
    *ret = fhir_type_is(n->type, fhir_profile_type(p)) && walk_conforms(w, p, n->ref, n->type);
    return true;
}

static bool seam_member(void *ctx, const FhirValue *v, Str valueset, bool *ret)
{
    Walk *w = ctx;
    if (v->kind != FHIR_VALUE_NODE || v->node.doc != w->d || !v->node.type) {
        return false;
    }
    Item item = {v->node.ref, v->node.shadow, v->node.type, v->node.elem, PLACE_NO_INDEX};
    return value_in_set(w, valueset, &item, ret);
}

FhirPathEnv walk_path_env(Walk *w, FhirNode *resource, FhirNode *root)
{
    *resource = fhir_node_resource(w->d, w->resource);
    *root = fhir_node_resource(w->d, w->container);
    return (FhirPathEnv){.arena = walk_scratch(w),
                         .resource = resource,
                         .root = root,
                         .zone_min = ZONE_CHINA_MIN,
                         .ctx = w,
                         .resolve = seam_resolve,
                         .member_of = seam_member,
                         .conforms_to = seam_conforms};
}

bool walk_rule_holds(const FhirPath *rule, const FhirValues *result)
{
    bool holds = rule->root->op == PATH_IMPLIES;
    return result->n == 0 ? holds : !fhir_values_truth(result, &holds) || holds;
}

static void constraint_check(Walk *w, const Place *at, const FhirNode *focus,
                             const FhirConstraint *c)
{
    FhirNode resource, root;
    FhirPathEnv env = walk_path_env(w, &resource, &root);
    FhirValues result;
    Err err;
    const FhirPath *rule = programs[c - fhir_constraints];
    err_init(&err, env.arena);
    if (fhir_path_eval(rule, &env, focus, 1, &result, &err) != OK) {
        issue_unknown_rule(w, at, c, &err);
    } else if (!walk_rule_holds(rule, &result)) {
        issue_broken(w, at, c);
    }
}

void walk_constraints(Walk *w, const Place *at, const FhirType *type, JsonRef object)
{
    pthread_once(&compiled, programs_compile);
    FhirNode focus = fhir_node_typed(w->d, object, type);
    focus.resource = w->resource;
    for (const FhirType *t = type; t; t = fhir_type_base(t)) {
        size_t n;
        const FhirConstraint *c = fhir_type_constraints(t, &n);
        for (size_t i = 0; i < n && !walk_stopped(w); i++) {
            if (!c[i].warning || w->check->thorough) {
                constraint_check(w, at, &focus, &c[i]);
            }
        }
    }
}
