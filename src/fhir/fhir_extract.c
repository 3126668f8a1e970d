/* The plan of each type, and running it over a resource. */
#include <pthread.h>
#include <stdatomic.h>

#include "fhir_extract_inner.h"
#include "fhir_resource.h"

/* A parameter, with the programs of its components when it is a composite. */
typedef struct PlanParam {
    const FhirParam *param;
    FhirPath **component;
    bool truth; /* see fhir_param_is_truth */
} PlanParam;

/* A program, and marks of the members it begins with: run only where the resource has one. */
#define FIRSTS_MAX 8
typedef struct PlanPath {
    FhirPath *path;
    uint8_t first[FIRSTS_MAX];
    size_t firsts_n; /* 0: run always */
} PlanPath;

/* Parameters that share an expression share its evaluation. */
typedef struct PlanExpression {
    Str text;
    PlanPath path;
    PlanParam *params;
    unsigned params_n;
    bool composites; /* nothing but these share it, and plain rows leave all of them out */
} PlanExpression;

typedef struct Plan {
    const FhirType *type;
    PlanExpression *expressions;
    unsigned expressions_n;
    PlanPath date; /* path NULL: no clinical date */
    PlanPath *links;
    unsigned links_n;
    bool self;
} Plan;

/* --- making plans: once a type, kept for the process --- */

static pthread_mutex_t plan_lock = PTHREAD_MUTEX_INITIALIZER;
static Arena plan_arena;
static _Atomic(Plan *) *plans; /* by type id */

/* Of a member's name as far as all forms of a choice share it, and of its primitive's extensions.
 * Several names may have one mark. */
static uint8_t member_mark(Str name)
{
    name = name.n && name.p[0] == '_' ? str_skip(name, 1) : name;
    unsigned mark = 0;
    for (size_t i = 0; i < 3; i++) {
        mark = mark * 37 + (i < name.n ? (uint8_t)name.p[i] : 0);
    }
    return (uint8_t)mark;
}

static Status path_plan(Str text, PlanPath *ret, Err *err)
{
    Str first[FIRSTS_MAX];
    TRY(fhir_path_compile(&plan_arena, text, &ret->path, err));
    fhir_path_firsts(ret->path, first, FIRSTS_MAX, &ret->firsts_n);
    for (size_t i = 0; i < ret->firsts_n; i++) {
        ret->first[i] = member_mark(first[i]);
    }
    return OK;
}

static PlanExpression *expression_of(Plan *plan, Str text)
{
    for (unsigned i = 0; i < plan->expressions_n; i++) {
        if (str_eq(plan->expressions[i].text, text)) {
            return &plan->expressions[i];
        }
    }
    PlanExpression *x = &plan->expressions[plan->expressions_n++];
    x->text = text;
    return x;
}

static Status components_compile(PlanParam *p, Err *err)
{
    p->component = arena_array(&plan_arena, FhirPath *, p->param->component_count + 1u);
    for (unsigned i = 0; i < p->param->component_count; i++) {
        Str text = fhir_component_expression(fhir_param_component(p->param, i));
        TRY(fhir_path_compile(&plan_arena, text, &p->component[i], err));
    }
    return OK;
}

bool fhir_param_is_measure(const FhirParam *p)
{
    static const FhirParamKind kinds[] = {FHIR_PARAM_TOKEN, FHIR_PARAM_QUANTITY};
    bool measure = p->kind == FHIR_PARAM_COMPOSITE && !fhir_param_custom(p) &&
                   p->component_count == 2 && str_find_char(fhir_param_expression(p), '|') < 0;
    for (unsigned i = 0; measure && i < 2; i++) {
        measure = fhir_params[fhir_param_component(p, i)->param].kind == kinds[i];
    }
    return measure;
}

/* The program gives booleans alone. */
static bool gives_truth(const FhirPath *path, const FhirType *base)
{
    const FhirType *result;
    size_t n;
    return fhir_path_types(path, &base, 1, &result, 1, &n) && n == 1 &&
           str_is(fhir_type_name(result), "boolean");
}

static Status plan_param_add(Plan *plan, const FhirParam *param, unsigned all, Err *err)
{
    if (param->expression_n == 0 || param->kind == FHIR_PARAM_SPECIAL) {
        return OK;
    }
    PlanExpression *x = expression_of(plan, fhir_param_expression(param));
    if (!x->path.path) {
        TRY(path_plan(x->text, &x->path, err));
        x->params = arena_array(&plan_arena, PlanParam, all);
        x->composites = true;
    }
    x->composites =
        x->composites && param->kind == FHIR_PARAM_COMPOSITE && !fhir_param_is_measure(param);
    PlanParam *p = &x->params[x->params_n++];
    p->param = param;
    p->truth = param->kind == FHIR_PARAM_TOKEN && gives_truth(x->path.path, plan->type);
    return param->kind == FHIR_PARAM_COMPOSITE ? components_compile(p, err) : OK;
}

static unsigned params_count(const FhirType *type)
{
    unsigned all = 0, n;
    for (const FhirType *t = type; t; t = fhir_type_base(t)) {
        fhir_params_of(t, &n);
        all += n;
    }
    return all;
}

static Status plan_params(Plan *plan, Err *err)
{
    unsigned all = params_count(plan->type), n;
    plan->expressions = arena_array(&plan_arena, PlanExpression, all + 1u);
    for (const FhirType *t = plan->type; t; t = fhir_type_base(t)) {
        const FhirParam *p = fhir_params_of(t, &n);
        for (unsigned i = 0; i < n; i++) {
            TRY(plan_param_add(plan, &p[i], all, err));
        }
    }
    return OK;
}

static Status plan_links(Plan *plan, Err *err)
{
    const FhirPatientLink *link = fhir_patient_links(plan->type, &plan->links_n, &plan->self);
    plan->links = arena_array(&plan_arena, PlanPath, plan->links_n + 1u);
    for (unsigned i = 0; i < plan->links_n; i++) {
        TRY(path_plan(fhir_patient_link_expression(&link[i]), &plan->links[i], err));
    }
    return OK;
}

static Status plan_make(const FhirType *type, Plan **ret, Err *err)
{
    Plan *plan = arena_new(&plan_arena, Plan);
    Str date = fhir_clinical_date(type);
    plan->type = type;
    TRY(plan_params(plan, err));
    TRY(plan_links(plan, err));
    if (date.n) {
        TRY(path_plan(date, &plan->date, err));
    }
    *ret = plan;
    return OK;
}

static pthread_once_t plans_once = PTHREAD_ONCE_INIT;

static void plans_begin(void)
{
    arena_init(&plan_arena, 0);
    plans = (_Atomic(Plan *) *)arena_array(&plan_arena, _Atomic(Plan *), fhir_type_count);
}

static Status plan_get(const FhirType *type, const Plan **ret, Err *err)
{
    pthread_once(&plans_once, plans_begin);
    _Atomic(Plan *) *slot = &plans[fhir_type_id(type)];
    Plan *plan = atomic_load_explicit(slot, memory_order_acquire);
    if (!plan) {
        pthread_mutex_lock(&plan_lock);
        plan = atomic_load_explicit(slot, memory_order_relaxed);
        Status status = plan ? OK : plan_make(type, &plan, err);
        if (status == OK) {
            atomic_store_explicit(slot, plan, memory_order_release);
        }
        pthread_mutex_unlock(&plan_lock);
        TRY(status);
    }
    *ret = plan;
    return OK;
}

bool fhir_param_is_truth(const FhirParam *p)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    const Plan *plan;
    if (p->kind != FHIR_PARAM_TOKEN) {
        return false;
    }
    if (custom) {
        return custom->path && gives_truth(custom->path, fhir_type(p->type));
    }
    if (fhir_type(p->type)->abstract || plan_get(fhir_type(p->type), &plan, NULL) != OK) {
        return false;
    }
    for (unsigned i = 0; i < plan->expressions_n; i++) {
        const PlanExpression *x = &plan->expressions[i];
        for (unsigned k = 0; k < x->params_n; k++) {
            if (x->params[k].param == p) {
                return x->params[k].truth;
            }
        }
    }
    return false;
}

/* --- running them --- */

#define STEPS_MAX 50000000u /* of one expression; a body of 32 MiB takes a part of it */

typedef struct Run {
    Extract x;
    FhirPathEnv env;
    FhirNode root;
    uint64_t has[4]; /* marks of the root's members */
    Map patients;    /* those already in the list */
    Err *err;
} Run;

static void members_mark(Run *r)
{
    for (JsonIter it = json_iter(r->root.doc, r->root.ref); json_next(&it);) {
        uint8_t mark = member_mark(it.key);
        r->has[mark / 64] |= 1ull << mark % 64;
    }
}

static bool has_first(const Run *r, const PlanPath *p)
{
    bool has = p->firsts_n == 0;
    for (size_t i = 0; i < p->firsts_n && !has; i++) {
        has = r->has[p->first[i] / 64] >> p->first[i] % 64 & 1;
    }
    return has;
}

static Status run_path(Run *r, const PlanPath *p, FhirValues *ret)
{
    *ret = (FhirValues){0};
    return has_first(r, p) ? fhir_path_eval(p->path, &r->env, &r->root, 1, ret, r->err) : OK;
}

/* Each item of a composite is a tuple when every component has a value there. */
static Status run_composite(Run *r, const PlanParam *p, const FhirValues *items)
{
    uint16_t tuple = 0;
    for (size_t i = 0; i < items->n && tuple < UINT16_MAX; i++) {
        FhirValues focus = {&items->at[i], 1, 1};
        size_t before = r->x.rows->n;
        bool whole = true;
        r->x.tuple = ++tuple;
        for (unsigned c = 0; whole && c < p->param->component_count; c++) {
            FhirValues values;
            size_t rows = r->x.rows->n;
            r->x.component = (uint8_t)c;
            r->x.kind = (FhirParamKind)fhir_param_part(p->param, c)->kind;
            TRY(fhir_path_eval_values(p->component[c], &r->env, &focus, &values, r->err));
            for (size_t k = 0; k < values.n; k++) {
                extract_value(&r->x, &values.at[k]);
            }
            whole = r->x.rows->n > rows;
        }
        if (!whole) {
            r->x.rows->n = before;
            tuple--;
        }
    }
    r->x.tuple = 0;
    r->x.component = 0;
    return OK;
}

static Status run_param(Run *r, const PlanParam *p, const FhirValues *values)
{
    r->x.param = p->param;
    if (p->param->kind == FHIR_PARAM_COMPOSITE) {
        return run_composite(r, p, values);
    }
    r->x.kind = (FhirParamKind)p->param->kind;
    for (size_t i = 0; i < values->n; i++) {
        extract_value(&r->x, &values->at[i]);
    }
    return OK;
}

static Status arena_check(Run *r)
{
    return arena_exhausted(r->x.env->arena)
               ? err_add(r->err, ERR_TOO_LARGE, NULL, STR_NONE, "资源的检索内容占用内存过多",
                         "What searches look for in this resource takes too much memory")
               : OK;
}

static Status run_expression(Run *r, const PlanExpression *x, const FhirParam *only)
{
    FhirValues values;
    if (r->x.env->plain && x->composites) {
        return OK;
    }
    TRY(run_path(r, &x->path, &values));
    for (unsigned i = 0; values.n && i < x->params_n; i++) {
        const FhirParam *p = x->params[i].param;
        bool left = r->x.env->plain && p->kind == FHIR_PARAM_COMPOSITE && !fhir_param_is_measure(p);
        if (!left && (!only || p == only)) {
            TRY(run_param(r, &x->params[i], &values));
        }
    }
    return arena_check(r);
}

/* ---- Custom parameters --- */

#define CUSTOM_STEPS_MAX 200000u /* an expression that somebody wrote must not hold up writes */

/* Each part by itself: the index only narrows down where to look for tuples. */
static Status run_custom_part(Run *r, const FhirCustomParam *part, const FhirValues *items)
{
    r->x.param = &part->row;
    r->x.kind = (FhirParamKind)part->row.kind;
    for (size_t i = 0; i < items->n; i++) {
        FhirValues focus = {&items->at[i], 1, 1}, values;
        TRY(fhir_path_eval_values(part->path, &r->env, &focus, &values, NULL));
        for (size_t k = 0; k < values.n; k++) {
            extract_value(&r->x, &values.at[k]);
        }
    }
    return OK;
}

static Status run_custom_parts(Run *r, const FhirCustomParam *p, const FhirValues *items)
{
    for (unsigned c = 0; c < p->row.component_count; c++) {
        TRY(run_custom_part(r, &p->parts[c], items));
    }
    return OK;
}

/*
 * What cannot be evaluated over a resource gives nothing there: no write is refused for it. A part
 * of a composite has that in `parts`, where a composite has its parts.
 */
static Status run_custom(Run *r, const FhirCustomParam *p)
{
    FhirPath *part[FHIR_CUSTOM_PARTS_MAX];
    PlanParam plan = {&p->row, part};
    FhirValues values = {0};
    Err *err = r->err;
    Status s = OK;
    for (unsigned i = 0; i < p->row.component_count; i++) {
        part[i] = p->parts[i].path;
    }
    r->env.steps_max = CUSTOM_STEPS_MAX;
    r->err = NULL;
    size_t before = r->x.rows->n;
    if (fhir_path_eval((p->part ? p->parts : p)->path, &r->env, &r->root, 1, &values, NULL) == OK &&
        values.n) {
        if (p->part) {
            s = run_custom_part(r, p, &values);
        } else if (p->row.kind == FHIR_PARAM_COMPOSITE && r->x.env->plain) {
            s = run_custom_parts(r, p, &values);
        } else {
            s = run_param(r, &plan, &values);
        }
    }
    r->x.rows->n = s == OK ? r->x.rows->n : before;
    r->env.steps_max = STEPS_MAX;
    r->err = err;
    return arena_check(r);
}

static Status run_customs(Run *r, const FhirType *type)
{
    for (const FhirType *t = type; t && r->x.env->customs; t = fhir_type_base(t)) {
        size_t n;
        const FhirCustomParam *const *own = fhir_customs_of(r->x.env->customs, t, &n);
        for (size_t i = 0; i < n; i++) {
            TRY(run_custom(r, own[i]));
        }
    }
    return OK;
}

/* The start of the first result that is a time; a throw-away row list takes Periods and Timings. */
static Status run_date(Run *r, const Plan *plan)
{
    FhirValues values;
    FhirIndexRows rows = {0};
    Extract x = {.env = r->x.env, .rows = &rows, .kind = FHIR_PARAM_DATE};
    r->x.rows->date_ms = TIME_NONE;
    if (!plan->date.path) {
        return OK;
    }
    TRY(run_path(r, &plan->date, &values));
    for (size_t i = 0; i < values.n; i++) {
        extract_value(&x, &values.at[i]);
        if (rows.n && rows.at[0].date.lo_ms != TIME_NONE) {
            r->x.rows->date_ms = rows.at[0].date.lo_ms;
            return OK;
        }
        rows.n = 0;
    }
    return OK;
}

/* Adds an id that is not yet there. */
static Status patient_add(Run *r, Str id)
{
    FhirIndexRows *rows = r->x.rows;
    if (map_get(&r->patients, id)) {
        return OK;
    }
    if (rows->patients_n == FHIR_PATIENTS_MAX) {
        return err_add(r->err, ERR_TOO_LARGE, NULL, STR_NONE, "一个资源涉及的患者超过 %u 名",
                       "A resource concerns more than %u patients", FHIR_PATIENTS_MAX);
    }
    bool full =
        (rows->patients_n & (rows->patients_n - 1)) == 0; /* 0, 1, 2, 4, 8 …: room doubles */
    if (full) {
        Str *more = arena_alloc_raw(r->x.env->arena, (rows->patients_n * 2 + 1) * sizeof *more);
        if (rows->patients_n) {
            memcpy(more, rows->patients, rows->patients_n * sizeof *more);
        }
        rows->patients = more;
    }
    rows->patients[rows->patients_n++] = id;
    map_put(&r->patients, id, r);
    return OK;
}

/* A literal Patient/id; others belong to nobody here. */
static Status patient_of(Run *r, const FhirValue *v)
{
    if (v->kind != FHIR_VALUE_NODE) {
        return OK;
    }
    const JsonDoc *d = v->node.doc;
    FhirRef ref = fhir_ref_parse(json_str(d, json_get(d, v->node.ref, STR("reference"))));
    bool patient = ref.kind == FHIR_REF_RELATIVE && str_is(ref.type, "Patient") && ref.id.n;
    return patient ? patient_add(r, ref.id) : OK;
}

static Status run_links(Run *r, const Plan *plan)
{
    Str given = r->x.env->id, id = given.n ? given : fhir_resource_id(r->root.doc);
    if (plan->self && id.n) {
        TRY(patient_add(r, id));
    }
    for (unsigned i = 0; i < plan->links_n; i++) {
        FhirValues values;
        TRY(run_path(r, &plan->links[i], &values));
        for (size_t k = 0; k < values.n; k++) {
            TRY(patient_of(r, &values.at[k]));
        }
    }
    return OK;
}

/* The first coded value of `code`, else of `category`, else of `type`. */
static void find_code(FhirIndexRows *rows)
{
    static const char *const NAMES[] = {"code", "category", "type"};
    rows->code_row = rows->n;
    for (size_t k = 0; k < 3 && rows->code_row == rows->n; k++) {
        for (size_t i = 0; i < rows->n; i++) {
            const FhirIndexRow *row = &rows->at[i];
            if (row->kind == FHIR_PARAM_TOKEN && row->tuple == 0 && row->token.code.n &&
                !fhir_param_custom(row->param) && str_is(fhir_param_name(row->param), NAMES[k])) {
                rows->code_row = i;
                break;
            }
        }
    }
}

static Status run_begin(Run *r, const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                        FhirIndexRows *rows, Err *err)
{
    *rows = (FhirIndexRows){.date_ms = TIME_NONE};
    *r = (Run){
        .x = {.env = env, .rows = rows},
        .env = {.arena = env->arena,
                .zone_min = env->zone_min,
                .steps_max = STEPS_MAX,
                .type_stubs = true,
                .keep_duplicates = true},
        .root = fhir_node_root(d),
        .err = err,
    };
    map_init(&r->patients, env->arena);
    members_mark(r);
    if (r->root.type == type) {
        return OK;
    }
    Str name = fhir_type_name(type);
    return err_add(err, ERR_INVALID, "structure", STR_NONE, "内容不是 %.*s 资源",
                   "The content is not a %.*s resource", STR_ARG(name));
}

Status fhir_extract(const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                    FhirIndexRows *ret, Err *err)
{
    Run r;
    const Plan *plan;
    FhirIndexRows rows;
    TRY(plan_get(type, &plan, err));
    TRY(run_begin(&r, d, type, env, &rows, err));
    for (unsigned i = 0; i < plan->expressions_n; i++) {
        TRY(run_expression(&r, &plan->expressions[i], NULL));
    }
    TRY(run_date(&r, plan));
    TRY(run_links(&r, plan));
    TRY(run_customs(&r, type));
    find_code(&rows);
    *ret = rows;
    return OK;
}

Status fhir_extract_param(const JsonDoc *d, const FhirType *type, const FhirParam *param,
                          const FhirExtractEnv *env, FhirIndexRows *ret, Err *err)
{
    Run r;
    const Plan *plan;
    FhirIndexRows rows;
    Str text = fhir_param_expression(param);
    const FhirCustomParam *custom = fhir_param_custom(param);
    TRY(plan_get(type, &plan, err));
    TRY(run_begin(&r, d, type, env, &rows, err));
    if (custom) {
        TRY(run_custom(&r, custom));
    }
    for (unsigned i = 0; !custom && i < plan->expressions_n; i++) {
        if (str_eq(plan->expressions[i].text, text)) {
            TRY(run_expression(&r, &plan->expressions[i], param));
        }
    }
    rows.code_row = rows.n;
    *ret = rows;
    return OK;
}

Status fhir_extract_customs(const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                            FhirIndexRows *ret, Err *err)
{
    Run r;
    FhirIndexRows rows;
    TRY(run_begin(&r, d, type, env, &rows, err));
    TRY(run_customs(&r, type));
    rows.code_row = rows.n;
    *ret = rows;
    return OK;
}

Status fhir_extract_patients(const JsonDoc *d, const FhirType *type, const FhirExtractEnv *env,
                             const Str **ret, size_t *ret_n, Err *err)
{
    Run r;
    const Plan *plan;
    FhirIndexRows rows;
    TRY(plan_get(type, &plan, err));
    TRY(run_begin(&r, d, type, env, &rows, err));
    TRY(run_links(&r, plan));
    *ret = rows.patients;
    *ret_n = rows.patients_n;
    return OK;
}
