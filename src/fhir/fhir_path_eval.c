/* Running a program: budgets, members, variables. Operators stand in fhir_path_operators.c,
 * functions in fhir_path_fn*.c. */
#include "fhir_path_inner.h"

/* --- budget and errors --- */

Status path_step(Eval *e, uint64_t n)
{
    if (e->steps_left < n) {
        e->steps_left = 0;
        err_add(e->err, ERR_TOO_LARGE, "too-costly", e->path->text,
                "FHIRPath 表达式的计算量超过上限",
                "The FHIRPath expression takes more steps than allowed");
        return ERR_TOO_LARGE;
    }
    e->steps_left -= n;
    if (arena_exhausted(e->arena)) {
        err_add(e->err, ERR_TOO_LARGE, "too-costly", e->path->text,
                "FHIRPath 表达式占用的内存超过上限",
                "The FHIRPath expression takes more memory than allowed");
        return ERR_TOO_LARGE;
    }
    return OK;
}

Status path_fail(Eval *e, const PathNode *p, const char *zh, const char *en)
{
    unsigned at = path_position(e->path->text, p->at);
    Str zh_text = arena_printf(e->arena, "FHIRPath 第 %u 个字符处：%s", at, zh);
    Str en_text = arena_printf(e->arena, "FHIRPath at character %u: %s", at, en);
    err_text(e->err, ERR_INVALID, "invalid", e->path->text, zh_text, en_text);
    return ERR_INVALID;
}

/* --- small helpers --- */

void path_put(Eval *e, FhirValues *ret, FhirValue v)
{
    fhir_values_add(e->arena, ret, v);
}

void path_put_truth(Eval *e, FhirValues *ret, Truth t)
{
    if (t != TRUTH_EMPTY) {
        path_put(e, ret, fhir_value_boolean(t == TRUTH_TRUE));
    }
}

static Truth truth_of(bool b)
{
    return b ? TRUTH_TRUE : TRUTH_FALSE;
}

Status path_single(Eval *e, const PathNode *p, const FhirValues *list, const FhirValue **ret)
{
    if (list->n > 1) {
        return path_fail(e, p, "此处只能有一个值，但有多个",
                         "one value is needed here, there are several");
    }
    *ret = list->n ? list->at : NULL;
    return OK;
}

Status path_truth(Eval *e, const PathNode *p, const FhirValues *list, Truth *ret)
{
    bool b;
    if (!fhir_values_truth(list, &b)) {
        return path_fail(e, p, "此处须为一个布尔值，但有多个值",
                         "one boolean is needed here, there are several values");
    }
    *ret = list->n ? truth_of(b) : TRUTH_EMPTY;
    return OK;
}

Status path_arg(Eval *e, const PathNode *p, unsigned i, const Scope *s, FhirValues *ret)
{
    Defined *defined = e->defined;
    Status status = path_eval(e, p->args[i], s, ret);
    e->defined = defined;
    return status;
}

Status path_eval_item(Eval *e, const PathNode *arg, const FhirValue *item, int64_t index,
                      const FhirValues *total, FhirValues *ret)
{
    FhirValues focus = {(FhirValue *)item, 1, 1};
    Scope inner = {&focus, index, total};
    Defined *defined = e->defined;
    Status status = path_eval(e, arg, &inner, ret);
    e->defined = defined;
    return status;
}

static Status scalar_arg(Eval *e, const PathNode *p, unsigned i, const Scope *s, bool *ret_has,
                         FhirValue *ret)
{
    FhirValues list = {0};
    const FhirValue *v = NULL;
    TRY(path_arg(e, p, i, s, &list));
    TRY(path_single(e, p->args[i], &list, &v));
    *ret_has = v && fhir_value_scalar(e->arena, v, ret);
    return v && !*ret_has
               ? path_fail(e, p->args[i], "此处须为简单值", "a simple value is needed here")
               : OK;
}

Status path_arg_string(Eval *e, const PathNode *p, unsigned i, const Scope *s, bool *ret_has,
                       Str *ret)
{
    FhirValue v;
    TRY(scalar_arg(e, p, i, s, ret_has, &v));
    if (*ret_has && v.kind != FHIR_VALUE_STRING) {
        return path_fail(e, p->args[i], "此处须为字符串", "a string is needed here");
    }
    if (*ret_has) {
        *ret = v.text;
    }
    return OK;
}

Status path_arg_integer(Eval *e, const PathNode *p, unsigned i, const Scope *s, bool *ret_has,
                        int64_t *ret)
{
    FhirValue v;
    TRY(scalar_arg(e, p, i, s, ret_has, &v));
    if (*ret_has && v.kind != FHIR_VALUE_INTEGER) {
        return path_fail(e, p->args[i], "此处须为整数", "a whole number is needed here");
    }
    if (*ret_has) {
        *ret = v.integer;
    }
    return OK;
}

Status path_in_string(Eval *e, const PathNode *p, const FhirValues *in, bool *ret_has, Str *ret)
{
    const FhirValue *v = NULL;
    FhirValue s;
    TRY(path_single(e, p, in, &v));
    *ret_has = false;
    if (!v) {
        return OK;
    }
    bool scalar = fhir_value_scalar(e->arena, v, &s);
    if (v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_STRING) {
        *ret = json_str(v->node.doc, v->node.ref); /* dates too: their text */
    } else if (scalar && s.kind == FHIR_VALUE_STRING) {
        *ret = s.text;
    } else if (v->kind == FHIR_VALUE_NODE && v->node.ref == JSON_NONE) {
        return OK; /* a primitive with extensions only */
    } else {
        return path_fail(e, p, "该函数只能用于字符串", "this function works on a string");
    }
    *ret_has = true;
    return OK;
}

/* --- members --- */

/* Strict: a member that the type asked for before it (as, ofType) cannot have. */
static bool never_there(const PathNode *p)
{
    const PathNode *left = p->left;
    bool typed =
        left && (left->op == PATH_AS || (left->op == PATH_CALL && left->function->type_arg &&
                                         !str_is(str_from_c(left->function->name), "is")));
    return typed && left->type.fhir && !fhir_elem_named(left->type.fhir, p->name);
}

/* Strict: the children of a node have no order, so that none is the first. */
static bool unordered(const PathNode *p)
{
    static const char *const ASK[] = {"first", "last", "tail", "skip", "take"};
    const PathNode *left = p->left;
    bool children = left && left->op == PATH_CALL &&
                    (strcmp(left->function->name, "children") == 0 ||
                     strcmp(left->function->name, "descendants") == 0);
    for (size_t i = 0; children && p->op == PATH_CALL && i < sizeof ASK / sizeof *ASK; i++) {
        if (strcmp(p->function->name, ASK[i]) == 0) {
            return true;
        }
    }
    return children && p->op == PATH_INDEXER;
}

static Status strict_check(Eval *e, const PathNode *p)
{
    if (p->op == PATH_MEMBER && never_there(p)) {
        return path_fail(e, p, "该类型没有这个元素", "the type has no such element");
    }
    return unordered(p) ? path_fail(e, p, "子元素没有次序，不能按位置取",
                                    "children have no order: none can be taken by its place")
                        : OK;
}

static bool is_named(const FhirValue *v, const PathNode *p)
{
    if (v->kind != FHIR_VALUE_NODE) {
        return false;
    }
    if (v->node.type && p->root_type) {
        return fhir_type_is(v->node.type, p->root_type);
    }
    return str_eq(json_str(v->node.doc, json_get(v->node.doc, v->node.ref, STR("resourceType"))),
                  p->name);
}

/* `Patient` at the beginning: the focus itself, as far as it is one. */
static Status eval_root_type(Eval *e, const PathNode *p, const FhirValues *in, FhirValues *ret)
{
    for (size_t i = 0; i < in->n; i++) {
        if (is_named(&in->at[i], p)) {
            path_put(e, ret, in->at[i]);
        }
    }
    for (size_t i = 0; ret->n == 0 && !p->root_type && i < in->n; i++) {
        TRY(path_children(e, p, &in->at[i], p->name, ret)); /* a member of plain JSON */
    }
    return ret->n == 0 && in->n && e->env->strict
               ? path_fail(e, p, "上下文不是该类型", "the context is not of this type")
               : OK;
}

static Status eval_member(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    FhirValues list = {0};
    const FhirValues *in = s->focus;
    if (p->left) {
        TRY(path_eval(e, p->left, s, &list));
        in = &list;
    } else if (p->root_type || (p->name.p[0] >= 'A' && p->name.p[0] <= 'Z')) {
        return eval_root_type(e, p, in, ret);
    }
    for (size_t i = 0; i < in->n; i++) {
        TRY(path_step(e, 1));
        TRY(path_children(e, p, &in->at[i], p->name, ret));
    }
    return OK;
}

/* --- variables --- */

static bool constant(Str name, Str *ret)
{
    *ret = str_is(name, "ucum")    ? STR("http://unitsofmeasure.org")
           : str_is(name, "sct")   ? STR("http://snomed.info/sct")
           : str_is(name, "loinc") ? STR("http://loinc.org")
                                   : STR_NONE;
    return ret->n > 0;
}

static Status put_list(Eval *e, const FhirValues *from, FhirValues *ret)
{
    TRY(path_step(e, from->n));
    for (size_t i = 0; i < from->n; i++) {
        path_put(e, ret, from->at[i]);
    }
    return OK;
}

static const FhirValues *variable_find(Eval *e, Str name)
{
    for (const Defined *d = e->defined; d; d = d->next) {
        if (str_eq(d->name, name)) {
            return &d->values;
        }
    }
    for (size_t i = 0; i < e->env->vars_n; i++) {
        if (str_eq(e->env->vars[i].name, name)) {
            return &e->env->vars[i].values;
        }
    }
    return NULL;
}

static Status eval_variable(Eval *e, const PathNode *p, FhirValues *ret)
{
    Str text;
    const FhirValues *values = variable_find(e, p->name);
    if (values) {
        return put_list(e, values, ret);
    }
    if (str_is(p->name, "context")) {
        return put_list(e, e->context, ret);
    }
    if (str_is(p->name, "resource") || str_is(p->name, "rootResource")) {
        if (e->has_resource) {
            path_put(e, ret, fhir_value_node(str_is(p->name, "resource") ? e->resource : e->root));
        }
        return OK;
    }
    if (constant(p->name, &text)) {
        path_put(e, ret, fhir_value_string(text));
        return OK;
    }
    bool vs = str_starts(p->name, STR("vs-")), ext = str_starts(p->name, STR("ext-"));
    if (vs || ext) {
        Str base = vs ? STR("http://hl7.org/fhir/ValueSet/")
                      : STR("http://hl7.org/fhir/StructureDefinition/");
        path_put(e, ret,
                 fhir_value_string(arena_cat(e->arena, base, str_skip(p->name, vs ? 3 : 4))));
        return OK;
    }
    Str zh = arena_printf(e->arena, "没有变量 %%%.*s", STR_ARG(p->name));
    Str en = arena_printf(e->arena, "there is no variable %%%.*s", STR_ARG(p->name));
    return path_fail(e, p, zh.p, en.p);
}

/* --- what one node gives --- */

static Status eval_type_operator(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    FhirValues list = {0};
    TRY(path_eval(e, p->left, s, &list));
    if (p->op == PATH_IS) {
        const FhirValue *v = NULL;
        TRY(path_single(e, p, &list, &v));
        if (v) {
            path_put(e, ret, fhir_value_boolean(path_is(v, &p->type)));
        }
        return OK;
    }
    for (size_t i = 0; i < list.n;
         i++) { /* R4's parameters use it over lists, and mean subtypes too */
        if (path_is(&list.at[i], &p->type)) {
            path_put(e, ret, list.at[i]);
        }
    }
    return OK;
}

static Status eval_indexer(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    FhirValues list = {0};
    bool has;
    int64_t i;
    TRY(path_eval(e, p->left, s, &list));
    TRY(path_arg_integer(e, p, 0, s, &has, &i));
    if (has && i >= 0 && (uint64_t)i < list.n) {
        path_put(e, ret, list.at[i]);
    }
    return OK;
}

static Status eval_call(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    FhirValues list = {0};
    const FhirValues *in = s->focus;
    if (p->left) {
        TRY(path_eval(e, p->left, s, &list));
        in = &list;
    }
    return p->function->fn(e, p, in, s, ret);
}

Status path_eval(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    TRY(path_step(e, 1));
    if (e->env->strict) {
        TRY(strict_check(e, p));
    }
    switch (p->op) {
    case PATH_LITERAL:
        return put_list(e, &p->literal, ret);
    case PATH_THIS:
        return put_list(e, s->focus, ret);
    case PATH_INDEX:
        path_put(e, ret, fhir_value_integer(s->index));
        return OK;
    case PATH_TOTAL:
        return s->total ? put_list(e, s->total, ret) : OK;
    case PATH_VARIABLE:
        return eval_variable(e, p, ret);
    case PATH_MEMBER:
        return eval_member(e, p, s, ret);
    case PATH_CALL:
        return eval_call(e, p, s, ret);
    case PATH_INDEXER:
        return eval_indexer(e, p, s, ret);
    case PATH_NEGATE:
    case PATH_PLUS_SIGN:
        return path_eval_negate(e, p, s, ret);
    case PATH_IS:
    case PATH_AS:
        return eval_type_operator(e, p, s, ret);
    case PATH_AND:
    case PATH_OR:
    case PATH_XOR:
    case PATH_IMPLIES:
        return path_eval_logic(e, p, s, ret);
    default:
        return path_eval_binary(e, p, s, ret);
    }
}

/* --- the doors --- */

static void place(Eval *e, const FhirPathEnv *env, const FhirValues *focus)
{
    const FhirValue *first = focus->n ? focus->at : NULL;
    if (env->resource) {
        e->resource = *env->resource;
    } else if (first && first->kind == FHIR_VALUE_NODE) {
        bool itself = first->node.ref == first->node.resource;
        e->resource =
            itself ? first->node : fhir_node_resource(first->node.doc, first->node.resource);
    } else {
        return;
    }
    e->root = env->root ? *env->root : e->resource;
    e->has_resource = true;
}

Status fhir_path_eval_values(const FhirPath *p, const FhirPathEnv *env, const FhirValues *focus,
                             FhirValues *ret, Err *err)
{
    Eval e = {
        .env = env,
        .arena = env->arena,
        .path = p,
        .context = focus,
        .steps_left = env->steps_left  ? *env->steps_left
                      : env->steps_max ? env->steps_max
                                       : FHIR_PATH_STEPS,
        .err = err,
    };
    Scope scope = {focus, 0, NULL};
    FhirValues out = {0};
    place(&e, env, focus);
    Status status = path_eval(&e, p->root, &scope, &out);
    status = status == OK ? path_step(&e, 0) : status;
    if (env->steps_left) {
        *env->steps_left = e.steps_left;
    }
    if (status == OK) {
        *ret = out;
    }
    return status;
}

Status fhir_path_eval(const FhirPath *p, const FhirPathEnv *env, const FhirNode *focus, size_t n,
                      FhirValues *ret, Err *err)
{
    FhirValue one[4];
    FhirValues list = {n <= 4 ? one : arena_array(env->arena, FhirValue, n), n, n};
    for (size_t i = 0; i < n; i++) {
        list.at[i] = fhir_value_node(focus[i]);
    }
    return fhir_path_eval_values(p, env, &list, ret, err);
}

Status fhir_path_test(const FhirPath *p, const FhirPathEnv *env, const FhirNode *focus, bool *ret,
                      Err *err)
{
    FhirValues list;
    TRY(fhir_path_eval(p, env, focus, focus ? 1 : 0, &list, err));
    if (!fhir_values_truth(&list, ret)) {
        return err_add(err, ERR_INVALID, "invalid", p->text, "FHIRPath 条件得出多个值",
                       "The FHIRPath condition gives several values");
    }
    return OK;
}
