/*
 * The rows of one resource. What is still to be done after a select (its siblings, then those of
 * the select around it) is a chain on the stack; at its end the row is complete. So a row is told
 * as soon as it stands, and a product of many selects is never held.
 */
#include "fhir_term.h"
#include "fhir_view_inner.h"

/* repeat: levels below the element it starts from; a document has no more. */
#define REPEAT_DEPTH_MAX 200u

typedef struct Spot {
    const FhirValue *focus;
    int64_t index; /* %rowIndex */
} Spot;

typedef struct Next {
    const ViewSelect *of; /* whose selects, from `at`, and then whose union, are still to be done */
    size_t at;
    bool united; /* the union was gone into */
    Spot spot;
    const struct Next *then; /* NULL: the row is complete */
} Next;

typedef struct Run {
    const FhirView *view;
    const FhirViewRun *how;
    FhirPathEnv env;
    FhirPathVar *vars; /* the constants, then %rowIndex */
    FhirValues *cell;
    size_t rows;
    Err *err;
} Run;

static Status next_do(Run *r, const Next *n);

/* --- expressions --- */

static Status eval(Run *r, const FhirPath *p, Str where, const Spot *s, FhirValues *ret)
{
    Err inner;
    FhirValue index = fhir_value_integer(s->index);
    FhirValues focus = {(FhirValue *)s->focus, 1, 1};
    r->vars[r->view->constant_n].values = (FhirValues){&index, 1, 1};
    err_init(&inner, r->how->arena);
    Status status = fhir_path_eval_values(p, &r->env, &focus, ret, &inner);
    if (status != OK) {
        status = status == ERR_INVALID ? ERR_UNPROCESSABLE : status;
        return err_text(r->err, status, inner.first->code, where, inner.first->zh, inner.first->en);
    }
    return OK;
}

static Status columns_fill(Run *r, const ViewSelect *s, const Spot *spot)
{
    static FhirValue empty; /* nothing is read there */
    for (size_t i = 0; i < s->column_n; i++) {
        const ViewColumn *c = &s->column[i];
        FhirValues *cell = &r->cell[c->cell];
        bool collection = r->view->column[c->cell].collection;
        TRY(eval(r, c->path, c->where, spot, cell));
        if (cell->n == 0) {
            *cell = (FhirValues){collection ? &empty : NULL, 0, 0};
        }
        if (cell->n > 1 && !collection) {
            Str name = r->view->column[c->cell].name;
            return err_add(r->err, ERR_UNPROCESSABLE, "multiple-matches", c->where,
                           "列 %.*s 得出 %zu 个值；如需多个值请设 collection 为 true",
                           "column %.*s gives %zu values; set collection to true to allow several",
                           STR_ARG(name), cell->n);
        }
    }
    return OK;
}

/* --- selects --- */

/* One element of a select: its columns, then all that stands inside and after. */
static Status element_do(Run *r, const ViewSelect *s, Spot spot, const Next *then)
{
    TRY(columns_fill(r, s, &spot));
    Next inner = {.of = s, .spot = spot, .then = then};
    return next_do(r, &inner);
}

static Status repeat_do(Run *r, const ViewSelect *s, const Spot *from, unsigned depth,
                        int64_t *index, const Next *then)
{
    if (depth > REPEAT_DEPTH_MAX) {
        return err_add(r->err, ERR_TOO_LARGE, "too-costly", s->where, "repeat 没有尽头",
                       "repeat does not come to an end");
    }
    for (size_t i = 0; i < s->path_n; i++) {
        FhirValues list = {0};
        TRY(eval(r, s->path[i], s->where, from, &list));
        for (size_t k = 0; k < list.n; k++) {
            Spot spot = {&list.at[k], (*index)++};
            TRY(element_do(r, s, spot, then));
            TRY(repeat_do(r, s, &spot, depth + 1, index, then));
        }
    }
    return OK;
}

static Status for_each_do(Run *r, const ViewSelect *s, const Spot *from, const Next *then)
{
    FhirValues list = {0};
    TRY(eval(r, s->path[0], s->where, from, &list));
    for (size_t i = 0; i < list.n; i++) {
        TRY(element_do(r, s, (Spot){&list.at[i], (int64_t)i}, then));
    }
    if (list.n == 0 && s->each == VIEW_FOR_EACH_OR_NULL) {
        for (size_t i = s->first; i < s->end; i++) {
            r->cell[i] = (FhirValues){0};
        }
        return next_do(r, then);
    }
    return OK;
}

static Status select_do(Run *r, const ViewSelect *s, const Spot *spot, const Next *then)
{
    int64_t index = 0;
    switch (s->each) {
    case VIEW_FOR_EACH:
    case VIEW_FOR_EACH_OR_NULL:
        return for_each_do(r, s, spot, then);
    case VIEW_REPEAT:
        return repeat_do(r, s, spot, 0, &index, then);
    default:
        return element_do(r, s, *spot, then);
    }
}

static Status row_tell(Run *r)
{
    size_t max = r->how->rows_max ? r->how->rows_max : FHIR_VIEW_ROWS_MAX;
    if (++r->rows > max) {
        return err_add(r->err, ERR_TOO_LARGE, "too-costly", STR_NONE, "一个资源得出的行超过 %zu",
                       "one resource gives more than %zu rows", max);
    }
    return r->how->row(r->how->ctx, r->cell, r->err);
}

static Status next_do(Run *r, const Next *n)
{
    if (!n) {
        return row_tell(r);
    }
    if (n->at < n->of->select_n) {
        Next after = *n;
        after.at++;
        return select_do(r, &n->of->select[n->at], &n->spot, &after);
    }
    if (n->united || n->of->branch_n == 0) {
        return next_do(r, n->then);
    }
    Next after = *n;
    after.united = true;
    for (size_t i = 0; i < n->of->branch_n; i++) {
        TRY(select_do(r, &n->of->branch[i], &n->spot, &after));
    }
    return OK;
}

/* --- the door --- */

static Status filter_do(Run *r, const Spot *spot, bool *ret)
{
    for (size_t i = 0; i < r->view->filter_n; i++) {
        FhirValues list = {0};
        FhirValue v = {0};
        TRY(eval(r, r->view->filter[i].path, r->view->filter[i].where, spot, &list));
        bool scalar = list.n == 1 && fhir_value_scalar(r->how->arena, list.at, &v);
        if (list.n > 1 || (list.n == 1 && (!scalar || v.kind != FHIR_VALUE_BOOLEAN))) {
            return err_add(r->err, ERR_UNPROCESSABLE, "invalid", r->view->filter[i].where,
                           "where 的结果须为布尔值", "what where gives must be a boolean");
        }
        if (list.n == 0 || !v.boolean) {
            *ret = false;
            return OK;
        }
    }
    *ret = true;
    return OK;
}

static void run_init(Run *r, uint64_t *steps_left, const FhirNode *resource)
{
    const FhirView *v = r->view;
    Arena *a = r->how->arena;
    r->cell = arena_array(a, FhirValues, v->column_n + 1);
    r->vars = arena_array(a, FhirPathVar, v->constant_n + 1);
    for (size_t i = 0; i < v->constant_n; i++) {
        r->vars[i] = v->constant[i];
    }
    r->vars[v->constant_n].name = STR(VIEW_ROW_INDEX);
    r->env = (FhirPathEnv){
        .arena = a,
        .resource = resource,
        .vars = r->vars,
        .vars_n = v->constant_n + 1,
        .now_ms = r->how->now_ms,
        .zone_min = r->how->zone_min,
        .steps_left = steps_left,
        .join_empty = true,
        .ctx = r->how->term,
        .member_of = r->how->term ? fhir_term_member_of : NULL,
    };
}

Status fhir_view_run(const FhirView *v, const FhirViewRun *how, FhirNode resource, Err *err)
{
    Run r = {.view = v, .how = how, .err = err};
    uint64_t steps_left = FHIR_VIEW_STEPS;
    FhirValue root = fhir_value_node(resource);
    Spot spot = {&root, 0};
    bool wanted = false;
    if (resource.type != v->type) {
        return OK;
    }
    run_init(&r, &steps_left, &resource);
    TRY(filter_do(&r, &spot, &wanted));
    Next all = {.of = &v->root, .spot = spot};
    return wanted ? next_do(&r, &all) : OK;
}
