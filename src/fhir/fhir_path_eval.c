/* Running a program: members, variables and operators. Functions stand in fhir_path_fn*.c. */
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

/* --- operators --- */

typedef struct Pair {
    FhirValues left, right;
} Pair;

static Status eval_pair(Eval *e, const PathNode *p, const Scope *s, Pair *ret)
{
    Defined *defined = e->defined;
    *ret = (Pair){0};
    TRY(path_eval(e, p->left, s, &ret->left));
    e->defined = defined;
    TRY(path_eval(e, p->args[0], s, &ret->right));
    e->defined = defined;
    return OK;
}

/* Both sides as at most one scalar each; *ret_both false when one is empty. */
static Status scalar_pair(Eval *e, const PathNode *p, const Pair *pair, FhirValue *x, FhirValue *y,
                          bool *ret_both)
{
    const FhirValue *l = NULL, *r = NULL;
    TRY(path_single(e, p, &pair->left, &l));
    TRY(path_single(e, p, &pair->right, &r));
    *ret_both = l && r && fhir_value_scalar(e->arena, l, x) && fhir_value_scalar(e->arena, r, y);
    return l && r && !*ret_both && (l->kind != FHIR_VALUE_NODE || l->node.ref != JSON_NONE) &&
                   (r->kind != FHIR_VALUE_NODE || r->node.ref != JSON_NONE)
               ? path_fail(e, p, "该运算不能用于复杂元素",
                           "this operation does not work on complex elements")
               : OK;
}

static Status eval_equality(Eval *e, const PathNode *p, const Pair *pair, FhirValues *ret)
{
    if (p->op == PATH_EQUIVALENT || p->op == PATH_NOT_EQUIVALENT) {
        bool same;
        TRY(path_lists_equivalent(e, &pair->left, &pair->right, &same));
        path_put(e, ret, fhir_value_boolean(same == (p->op == PATH_EQUIVALENT)));
        return OK;
    }
    Truth t;
    TRY(path_lists_equal(e, &pair->left, &pair->right, &t));
    t = t == TRUTH_EMPTY ? t : truth_of((t == TRUTH_TRUE) == (p->op == PATH_EQUAL));
    path_put_truth(e, ret, t);
    return OK;
}

static Status eval_order(Eval *e, const PathNode *p, const Pair *pair, FhirValues *ret)
{
    FhirValue x, y;
    bool both;
    TRY(scalar_pair(e, p, pair, &x, &y, &both));
    if (!both) {
        return OK;
    }
    Order o = path_order(e->arena, &x, &y);
    if (o == ORDER_WRONG) {
        return path_fail(e, p, "两边的类型不能比较大小", "values of these types have no order");
    }
    if (o != ORDER_UNKNOWN) {
        bool yes = p->op == PATH_LESS         ? o == ORDER_LESS
                   : p->op == PATH_LESS_EQUAL ? o != ORDER_GREATER
                   : p->op == PATH_GREATER    ? o == ORDER_GREATER
                                              : o != ORDER_LESS;
        path_put(e, ret, fhir_value_boolean(yes));
    }
    return OK;
}

static Truth logic(PathOp op, Truth a, Truth b)
{
    switch (op) {
    case PATH_AND:
        return a == TRUTH_FALSE || b == TRUTH_FALSE ? TRUTH_FALSE
               : a == TRUTH_TRUE && b == TRUTH_TRUE ? TRUTH_TRUE
                                                    : TRUTH_EMPTY;
    case PATH_OR:
        return a == TRUTH_TRUE || b == TRUTH_TRUE     ? TRUTH_TRUE
               : a == TRUTH_FALSE && b == TRUTH_FALSE ? TRUTH_FALSE
                                                      : TRUTH_EMPTY;
    case PATH_XOR:
        return a == TRUTH_EMPTY || b == TRUTH_EMPTY ? TRUTH_EMPTY : truth_of(a != b);
    default: /* implies */
        return a == TRUTH_FALSE || b == TRUTH_TRUE   ? TRUTH_TRUE
               : a == TRUTH_TRUE && b == TRUTH_FALSE ? TRUTH_FALSE
                                                     : TRUTH_EMPTY;
    }
}

/* The right side is left alone when the left decides. */
static Status eval_logic(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    FhirValues left = {0}, right = {0};
    Truth a = TRUTH_EMPTY, b = TRUTH_EMPTY;
    Defined *defined = e->defined;
    TRY(path_eval(e, p->left, s, &left));
    e->defined = defined;
    TRY(path_truth(e, p->left, &left, &a));
    bool decided = (p->op == PATH_AND && a == TRUTH_FALSE) ||
                   (p->op == PATH_OR && a == TRUTH_TRUE) ||
                   (p->op == PATH_IMPLIES && a == TRUTH_FALSE);
    if (!decided) {
        TRY(path_arg(e, p, 0, s, &right));
        TRY(path_truth(e, p->args[0], &right, &b));
    }
    path_put_truth(e, ret, logic(p->op, a, b));
    return OK;
}

static Status overflow(Eval *e, const PathNode *p)
{
    return path_fail(e, p, "结果超出范围", "the result is out of range");
}

static Status put_decimal(Eval *e, const PathNode *p, bool ok, const FhirDecimal *d,
                          FhirValues *ret)
{
    if (!ok) {
        return overflow(e, p);
    }
    path_put(e, ret, path_decimal(e->arena, *d));
    return OK;
}

static Status integers(Eval *e, const PathNode *p, int64_t x, int64_t y, FhirValues *ret)
{
    int64_t v = 0;
    bool bad = p->op == PATH_ADD        ? __builtin_add_overflow(x, y, &v)
               : p->op == PATH_SUBTRACT ? __builtin_sub_overflow(x, y, &v)
                                        : __builtin_mul_overflow(x, y, &v);
    if (bad) {
        return overflow(e, p);
    }
    path_put(e, ret, fhir_value_integer(v));
    return OK;
}

static Status divide_whole(Eval *e, const PathNode *p, const FhirDecimal *x, const FhirDecimal *y,
                           bool integer, FhirValues *ret)
{
    FhirDecimal quotient, product, rest;
    int64_t v;
    if (y->digits == 0) {
        return OK;
    }
    if (!decimal_divide(x, y, &quotient) || !decimal_to_i64(&quotient, &v)) {
        return overflow(e, p);
    }
    if (p->op == PATH_DIV) {
        path_put(e, ret, fhir_value_integer(v));
        return OK;
    }
    FhirDecimal whole = decimal_from_i64(v);
    bool ok = decimal_multiply(&whole, y, &product) && decimal_subtract(x, &product, &rest);
    if (ok && integer && decimal_to_i64(&rest, &v)) {
        path_put(e, ret, fhir_value_integer(v));
        return OK;
    }
    return put_decimal(e, p, ok, &rest, ret);
}

static Status numbers(Eval *e, const PathNode *p, const FhirValue *x, const FhirValue *y,
                      FhirValues *ret)
{
    FhirDecimal a, b, d = {0};
    bool both = x->kind == FHIR_VALUE_INTEGER && y->kind == FHIR_VALUE_INTEGER;
    if (both && (p->op == PATH_ADD || p->op == PATH_SUBTRACT || p->op == PATH_MULTIPLY)) {
        return integers(e, p, x->integer, y->integer, ret);
    }
    decimal_of(x, &a);
    decimal_of(y, &b);
    switch (p->op) {
    case PATH_ADD:
        return put_decimal(e, p, decimal_add(&a, &b, &d), &d, ret);
    case PATH_SUBTRACT:
        return put_decimal(e, p, decimal_subtract(&a, &b, &d), &d, ret);
    case PATH_MULTIPLY:
        return put_decimal(e, p, decimal_multiply(&a, &b, &d), &d, ret);
    case PATH_DIVIDE:
        return b.digits == 0 ? OK : put_decimal(e, p, decimal_divide(&a, &b, &d), &d, ret);
    default:
        return divide_whole(e, p, &a, &b, both, ret);
    }
}

static Str unit_joined(Eval *e, const PathNode *p, Str x, Str y)
{
    if (p->op == PATH_DIVIDE && str_eq(x, y)) {
        return STR("1");
    }
    if (str_is(y, "1")) {
        return x;
    }
    if (p->op == PATH_MULTIPLY && str_is(x, "1")) {
        return y;
    }
    bool slash = str_find_char(y, '/') >= 0 || str_find_char(y, '.') >= 0;
    Str sign = p->op == PATH_DIVIDE ? STR("/") : STR(".");
    return slash ? arena_cat(e->arena, x, sign, STR("("), y, STR(")"))
                 : arena_cat(e->arena, x, sign, y);
}

/* Sum and difference in the unit of the left side. */
static bool quantity_in_unit(const FhirQuantity *q, Str unit, FhirDecimal *ret)
{
    FhirUnit from, to;
    if (str_eq(q->unit, unit)) {
        *ret = q->value;
        return true;
    }
    return fhir_unit_parse(q->unit, &from) && fhir_unit_parse(unit, &to) &&
           fhir_unit_same_dimension(&from, &to) &&
           decimal_from_double(
               (decimal_to_double(&q->value) * from.factor + from.offset - to.offset) / to.factor,
               ret);
}

static Status quantities(Eval *e, const PathNode *p, const FhirQuantity *x, const FhirQuantity *y,
                         FhirValues *ret)
{
    FhirQuantity q = {.unit = x->unit, .calendar = x->calendar};
    FhirDecimal other;
    bool ok = false;
    if (p->op == PATH_ADD || p->op == PATH_SUBTRACT) {
        if (!quantity_in_unit(y, x->unit, &other)) {
            return OK;
        }
        ok = p->op == PATH_ADD ? decimal_add(&x->value, &other, &q.value)
                               : decimal_subtract(&x->value, &other, &q.value);
    } else {
        if (p->op == PATH_DIVIDE && y->value.digits == 0) {
            return OK;
        }
        ok = p->op == PATH_MULTIPLY ? decimal_multiply(&x->value, &y->value, &q.value)
                                    : decimal_divide(&x->value, &y->value, &q.value);
        q.unit = unit_joined(e, p, x->unit, y->unit);
        q.calendar = x->calendar && str_is(y->unit, "1");
    }
    if (!ok) {
        return overflow(e, p);
    }
    path_put(e, ret, path_quantity(e->arena, q));
    return OK;
}

/* Doubling a text again and again must end in an error, so its room is asked for. */
static Status put_joined(Eval *e, Str x, Str y, FhirValues *ret)
{
    char *both = arena_try_raw(e->arena, x.n + y.n + 1);
    if (!both) {
        e->arena->exhausted = true;
        return path_step(e, 0);
    }
    memcpy(both, x.p ? x.p : "", x.n);
    memcpy(both + x.n, y.p ? y.p : "", y.n);
    path_put(e, ret, fhir_value_string((Str){both, x.n + y.n}));
    return path_step(e, (x.n + y.n) / 64);
}

static bool is_number(const FhirValue *v)
{
    return v->kind == FHIR_VALUE_INTEGER || v->kind == FHIR_VALUE_DECIMAL;
}

static bool is_time(const FhirValue *v)
{
    return v->kind == FHIR_VALUE_DATE || v->kind == FHIR_VALUE_DATETIME ||
           v->kind == FHIR_VALUE_TIME;
}

static FhirQuantity as_quantity(const FhirValue *v)
{
    FhirQuantity q = {.unit = STR("1")};
    if (v->kind == FHIR_VALUE_QUANTITY) {
        return *v->quantity;
    }
    decimal_of(v, &q.value);
    return q;
}

static Status shift_time(Eval *e, const PathNode *p, const FhirValue *t, const FhirQuantity *q,
                         FhirValues *ret)
{
    DateTime moved;
    if (!time_add(t->time, t->kind, q, p->op == PATH_ADD ? 1 : -1, &moved)) {
        return path_fail(
            e, p,
            "只能加减 "
            "year(s)、month(s)、week(s)、day(s)、hour(s)、minute(s)、second(s)、millisecond(s)，"
            "且结果须在 1 至 9999 年之间",
            "only years, months, weeks, days, hours, minutes, seconds and milliseconds can be "
            "added, and "
            "the result must lie in the years 1 to 9999");
    }
    path_put(e, ret, path_time(e->arena, t->kind, moved));
    return OK;
}

static Status eval_arithmetic(Eval *e, const PathNode *p, const Pair *pair, FhirValues *ret)
{
    FhirValue x, y;
    bool both, sum = p->op == PATH_ADD || p->op == PATH_SUBTRACT;
    TRY(scalar_pair(e, p, pair, &x, &y, &both));
    if (!both) {
        return OK;
    }
    if (is_number(&x) && is_number(&y)) {
        return numbers(e, p, &x, &y, ret);
    }
    if (p->op == PATH_ADD && x.kind == FHIR_VALUE_STRING && y.kind == FHIR_VALUE_STRING) {
        return put_joined(e, x.text, y.text, ret);
    }
    if (sum && is_time(&x) && y.kind == FHIR_VALUE_QUANTITY) {
        return shift_time(e, p, &x, y.quantity, ret);
    }
    bool quantity = x.kind == FHIR_VALUE_QUANTITY || y.kind == FHIR_VALUE_QUANTITY;
    if (quantity && p->op != PATH_DIV && p->op != PATH_MOD &&
        (x.kind == FHIR_VALUE_QUANTITY || is_number(&x)) &&
        (y.kind == FHIR_VALUE_QUANTITY || is_number(&y))) {
        FhirQuantity a = as_quantity(&x), b = as_quantity(&y);
        return quantities(e, p, &a, &b, ret);
    }
    return path_fail(e, p, "该运算不能用于这两种类型",
                     "this operation does not work on values of these types");
}

static Status eval_concatenate(Eval *e, const PathNode *p, const Pair *pair, FhirValues *ret)
{
    const FhirValue *l = NULL, *r = NULL;
    Str x = STR_NONE, y = STR_NONE;
    TRY(path_single(e, p, &pair->left, &l));
    TRY(path_single(e, p, &pair->right, &r));
    if ((l && !fhir_value_text(e->arena, l, &x)) || (r && !fhir_value_text(e->arena, r, &y))) {
        return path_fail(e, p, "该运算不能用于复杂元素",
                         "this operation does not work on complex elements");
    }
    return put_joined(e, x, y, ret);
}

static Status eval_in(Eval *e, const PathNode *p, const Pair *pair, FhirValues *ret)
{
    const FhirValues *item = p->op == PATH_IN ? &pair->left : &pair->right;
    const FhirValues *list = p->op == PATH_IN ? &pair->right : &pair->left;
    const FhirValue *v = NULL;
    bool has;
    TRY(path_single(e, p, item, &v));
    if (v) {
        TRY(path_has(e, list, v, &has));
        path_put(e, ret, fhir_value_boolean(has));
    }
    return OK;
}

static Status eval_union(Eval *e, const Pair *pair, FhirValues *ret)
{
    const FhirValues *sides[] = {&pair->left, &pair->right};
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < sides[k]->n; i++) {
            bool has = false;
            if (!e->env->keep_duplicates) {
                TRY(path_has(e, ret, &sides[k]->at[i], &has));
            }
            if (!has) {
                path_put(e, ret, sides[k]->at[i]);
            }
        }
    }
    return OK;
}

static Status eval_negate(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    FhirValues list = {0};
    const FhirValue *v = NULL;
    FhirValue x;
    TRY(path_eval(e, p->left, s, &list));
    TRY(path_single(e, p, &list, &v));
    if (!v) {
        return OK;
    }
    bool scalar = fhir_value_scalar(e->arena, v, &x);
    if (!scalar || (!is_number(&x) && x.kind != FHIR_VALUE_QUANTITY)) {
        return path_fail(e, p, "正负号只能用于数值", "a sign needs a number");
    }
    if (p->op == PATH_PLUS_SIGN) {
        path_put(e, ret, x);
    } else if (x.kind == FHIR_VALUE_INTEGER && x.integer != INT64_MIN) {
        path_put(e, ret, fhir_value_integer(-x.integer));
    } else if (x.kind == FHIR_VALUE_QUANTITY) {
        FhirQuantity q = *x.quantity;
        q.value.digits = -q.value.digits;
        path_put(e, ret, path_quantity(e->arena, q));
    } else if (x.kind == FHIR_VALUE_DECIMAL) {
        path_put(e, ret,
                 path_decimal(e->arena, (FhirDecimal){-x.decimal->digits, x.decimal->scale}));
    }
    return OK;
}

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

static Status eval_binary(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    Pair pair;
    TRY(eval_pair(e, p, s, &pair));
    switch (p->op) {
    case PATH_UNION:
        return eval_union(e, &pair, ret);
    case PATH_LESS:
    case PATH_LESS_EQUAL:
    case PATH_GREATER:
    case PATH_GREATER_EQUAL:
        return eval_order(e, p, &pair, ret);
    case PATH_EQUAL:
    case PATH_NOT_EQUAL:
    case PATH_EQUIVALENT:
    case PATH_NOT_EQUIVALENT:
        return eval_equality(e, p, &pair, ret);
    case PATH_IN:
    case PATH_CONTAINS:
        return eval_in(e, p, &pair, ret);
    case PATH_CONCATENATE:
        return eval_concatenate(e, p, &pair, ret);
    default:
        return eval_arithmetic(e, p, &pair, ret);
    }
}

Status path_eval(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
{
    TRY(path_step(e, 1));
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
        return eval_negate(e, p, s, ret);
    case PATH_IS:
    case PATH_AS:
        return eval_type_operator(e, p, s, ret);
    case PATH_AND:
    case PATH_OR:
    case PATH_XOR:
    case PATH_IMPLIES:
        return eval_logic(e, p, s, ret);
    default:
        return eval_binary(e, p, s, ret);
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
        .steps_left = env->steps_max ? env->steps_max : FHIR_PATH_STEPS,
        .err = err,
    };
    Scope scope = {focus, 0, NULL};
    FhirValues out = {0};
    place(&e, env, focus);
    TRY(path_eval(&e, p->root, &scope, &out));
    TRY(path_step(&e, 0));
    *ret = out;
    return OK;
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
