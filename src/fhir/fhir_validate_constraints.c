/*
 * The constraints (invariants) of R4, evaluated from their published FHIRPath. They are
 * compiled once, when the first resource is validated, and live as long as the process. A rule
 * that gives nothing at all (ras-2 where there is no probability) is not broken.
 */
#include <pthread.h>

#include "fhir_path.h"
#include "fhir_validate_inner.h"

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

static void constraint_check(Walk *w, const Place *at, const FhirNode *focus,
                             const FhirConstraint *c)
{
    FhirNode resource = fhir_node_resource(w->d, w->resource);
    FhirNode root = fhir_node_resource(w->d, w->container);
    Arena *a = walk_scratch(w);
    FhirPathEnv env = {
        .arena = a, .resource = &resource, .root = &root, .zone_min = ZONE_CHINA_MIN};
    FhirValues result;
    Err err;
    bool holds = true;
    err_init(&err, a);
    if (fhir_path_eval(programs[c - fhir_constraints], &env, focus, 1, &result, &err) != OK) {
        issue_unknown_rule(w, at, c, &err);
    } else if (result.n && fhir_values_truth(&result, &holds) && !holds) {
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
            if (!c[i].warning || w->warnings) {
                constraint_check(w, at, &focus, &c[i]);
            }
        }
    }
}
