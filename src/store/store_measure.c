/*
 * Measures: composites of a code and a quantity, which have rows of their own: under the code, by
 * the number as it was written. One that names a unit looks at its components' rows and the body.
 */
#include "store_range.h"

#include "mk_banned.h"

#define JOINED_VALUES_MAX 64

static bool is_measure(const Clause *c)
{
    return c->kind == CLAUSE_COMPOSITE && c->modifier == MODIFIER_NONE && c->hint &&
           c->hint->kind == CLAUSE_TOKEN && c->hint->next &&
           c->hint->next->kind == CLAUSE_QUANTITY && !c->hint->next->next;
}

/* Of several places each has rows of its own. */
static bool measure_has_rows(const FhirType *type, const FhirParam *p)
{
    return fhir_param_is_measure(p) || index_param_is_alias(type, p);
}

/* The lists of one alternative: of its codes, the number as written. *ret false: it names a unit,
 * or a system alone. */
static Status measure_add(Run *r, Test *t, const QueryValue *v, bool *ret, Err *err)
{
    Clause code = *t->clause->hint;
    Test codes;
    code.values = v->part;
    code.values_n = 1;
    test_init(r, &codes, &code);
    *ret = !v->part[1].has_system && !codes.no_rows;
    TRY(codes_resolve(r, &codes, err));
    for (size_t i = 0; i < t->part_n && *ret; i++) {
        for (size_t k = 0; k < codes.hash_n; k++) {
            ranges_of_list(r, t, t->part[i], codes.hash[k], &v->part[1]);
        }
    }
    return OK;
}

/* The tests of a measure's components are not needed where its own rows answer it. */
static void hints_drop(Run *r, Test *t)
{
    for (Test *next = t + 1; next < r->test + r->test_n && next->hint && !next->join[0]; next++) {
        next->moot = true;
    }
}

Status measure_resolve(Run *r, Test *t, Err *err)
{
    bool all = is_measure(t->clause) && measure_has_rows(r->query->type, t->clause->param);
    for (size_t i = 0; i < t->clause->values_n && all; i++) {
        TRY(measure_add(r, t, &t->clause->values[i], &all, err));
    }
    if (!all) {
        t->range_n = 0;
        return OK;
    }
    ranges_mark_alone(r->query->type, t);
    t->wide = false;
    t->is_set = t->range_n == 0; /* codes that nobody has: an empty set */
    hints_drop(r, t);
    return OK;
}

/* ---- A code and a quantity beside each other ---------------------------------------------------
 */

static Test *test_of(const Run *r, unsigned param, ClauseKind kind)
{
    for (size_t i = 0; i < r->test_n; i++) {
        const Clause *c = r->test[i].clause;
        if (c->kind == kind && c->modifier == MODIFIER_NONE && c->param->id == param &&
            !r->test[i].hint) {
            return &r->test[i];
        }
    }
    return NULL;
}

/* Each of the codes with each of the quantities. */
static Clause *joined(Run *r, const FhirParam *measure, const Clause *code, const Clause *quantity)
{
    Clause *c = arena_new(r->arena, Clause), *part = arena_array(r->arena, Clause, 2);
    part[0] = *code;
    part[1] = *quantity;
    part[0].next = &part[1];
    part[1].next = NULL;
    *c = (Clause){.kind = CLAUSE_COMPOSITE, .param = measure, .hint = part};
    c->values = arena_array(r->arena, QueryValue, code->values_n * quantity->values_n);
    for (size_t i = 0; i < code->values_n; i++) {
        for (size_t k = 0; k < quantity->values_n; k++) {
            QueryValue *v = &c->values[c->values_n++];
            v->part = arena_array(r->arena, QueryValue, 2);
            v->part[0] = code->values[i];
            v->part[1] = quantity->values[k];
        }
    }
    return c;
}

static bool joins(const Test *code, const Test *quantity)
{
    return code && quantity && !code->no_rows &&
           code->clause->values_n * quantity->clause->values_n <= JOINED_VALUES_MAX;
}

void measures_join(Run *r)
{
    unsigned n;
    const FhirParam *own = fhir_params_of(r->query->type, &n);
    for (unsigned i = 0; i < n && r->test_n > 1; i++) {
        const FhirParam *p = &own[i];
        bool root = fhir_param_is_measure(p) &&
                    str_eq(fhir_param_expression(p), fhir_type_name(r->query->type));
        if (!root) {
            continue;
        }
        Test *code = test_of(r, fhir_param_component(p, 0)->param, CLAUSE_TOKEN);
        Test *quantity = test_of(r, fhir_param_component(p, 1)->param, CLAUSE_QUANTITY);
        if (joins(code, quantity)) {
            Test *t = &r->test[r->test_n++];
            test_init(r, t, joined(r, p, code->clause, quantity->clause));
            t->hint = true;
            t->join[0] = code;
            t->join[1] = quantity;
            return;
        }
    }
}
