/* The operators of FHIRPath: logic, equality, order, arithmetic, lists. */
#include "fhir_path_inner.h"

static Truth truth_of(bool b)
{
    return b ? TRUTH_TRUE : TRUTH_FALSE;
}

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
Status path_eval_logic(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
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

/* Years and months of the calendar are multiplied by numbers only. */
static bool multiplied(Eval *e, const FhirQuantity *x, const FhirQuantity *y, bool divide,
                       FhirQuantity *ret)
{
    bool plain = str_is(y->unit, "1") && !y->calendar;
    if (plain || (!divide && str_is(x->unit, "1") && y->calendar)) {
        *ret = plain ? *x : *y;
        return divide ? decimal_divide(&x->value, &y->value, &ret->value)
                      : decimal_multiply(&x->value, &y->value, &ret->value);
    }
    if (divide && x->calendar == y->calendar && str_eq(x->unit, y->unit)) {
        *ret = (FhirQuantity){.unit = STR("1")};
        return decimal_divide(&x->value, &y->value, &ret->value);
    }
    return !x->calendar && !y->calendar && fhir_unit_multiply(e->arena, x, y, divide, ret);
}

/* A sum is in the finer unit of both sides. Units that do not go together give nothing. */
static Status quantities(Eval *e, const PathNode *p, const FhirQuantity *x, const FhirQuantity *y,
                         FhirValues *ret)
{
    FhirQuantity q = {.unit = x->unit, .calendar = x->calendar};
    FhirDecimal left, right;
    if (p->op == PATH_ADD || p->op == PATH_SUBTRACT) {
        const FhirQuantity *finer = quantity_finer(x, y);
        q.unit = finer->unit;
        q.calendar = finer->calendar;
        if (!quantity_in_unit(x, q.unit, &left) || !quantity_in_unit(y, q.unit, &right)) {
            return OK;
        }
        if (!(p->op == PATH_ADD ? decimal_add(&left, &right, &q.value)
                                : decimal_subtract(&left, &right, &q.value))) {
            return overflow(e, p);
        }
    } else if ((p->op == PATH_DIVIDE && y->value.digits == 0) ||
               !multiplied(e, x, y, p->op == PATH_DIVIDE, &q)) {
        return OK;
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

Status path_eval_negate(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
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

Status path_eval_binary(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret)
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
