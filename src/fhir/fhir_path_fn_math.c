/* Functions on numbers, boundaries and precision. */
#include <math.h>

#include "fhir_path_fn.h"

static bool is_number(const FhirValue *v)
{
    return v->kind == FHIR_VALUE_INTEGER || v->kind == FHIR_VALUE_DECIMAL;
}

/* The input as one number or quantity; *ret_has false when empty. */
static Status in_number(Eval *e, const PathNode *p, const FhirValues *in, bool quantity,
                        bool *ret_has, FhirValue *ret)
{
    const FhirValue *v;
    TRY(path_single(e, p, in, &v));
    *ret_has = v && fhir_value_scalar(e->arena, v, ret);
    if (v && (!*ret_has || !(is_number(ret) || (quantity && ret->kind == FHIR_VALUE_QUANTITY)))) {
        return path_fail(e, p, "该函数只能用于数值", "this function works on a number");
    }
    return OK;
}

static Status in_double(Eval *e, const PathNode *p, const FhirValues *in, bool *ret_has,
                        double *ret)
{
    FhirValue v;
    FhirDecimal d;
    TRY(in_number(e, p, in, false, ret_has, &v));
    if (*ret_has && decimal_of(&v, &d)) {
        *ret = decimal_to_double(&d);
    }
    return OK;
}

static Status arg_double(Eval *e, const PathNode *p, const Scope *s, bool *ret_has, double *ret)
{
    FhirValues list = {0};
    TRY(path_arg(e, p, 0, s, &list));
    return in_double(e, p->args[0], &list, ret_has, ret);
}

/* Nothing for what is no number (the root of -1). */
static void put_double(Eval *e, double v, FhirValues *ret)
{
    FhirDecimal d;
    if (decimal_from_double(v, &d)) {
        path_put(e, ret, path_decimal(e->arena, d));
    }
}

static FhirDecimal magnitude(FhirDecimal d)
{
    d.digits = d.digits < 0 ? -d.digits : d.digits;
    return d;
}

PATH_FN(abs)
{
    (void)s;
    bool has;
    FhirValue v;
    TRY(in_number(e, p, in, true, &has, &v));
    if (!has) {
        return OK;
    }
    if (v.kind == FHIR_VALUE_INTEGER && v.integer != INT64_MIN) {
        path_put(e, ret, fhir_value_integer(v.integer < 0 ? -v.integer : v.integer));
    } else if (v.kind == FHIR_VALUE_QUANTITY) {
        FhirQuantity q = *v.quantity;
        q.value = magnitude(q.value);
        path_put(e, ret, path_quantity(e->arena, q));
    } else if (v.kind == FHIR_VALUE_DECIMAL) {
        path_put(e, ret, path_decimal(e->arena, magnitude(*v.decimal)));
    }
    return OK;
}

/* direction -1 floor, 0 truncate, 1 ceiling */
static Status put_whole(Eval *e, const PathNode *p, const FhirValues *in, int direction,
                        FhirValues *ret)
{
    bool has;
    FhirValue v;
    FhirDecimal d, back;
    int64_t whole;
    TRY(in_number(e, p, in, false, &has, &v));
    if (!has || !decimal_of(&v, &d) || !decimal_to_i64(&d, &whole)) {
        return has ? path_fail(e, p, "结果超出范围", "the result is out of range") : OK;
    }
    back = decimal_from_i64(whole);
    int rest = decimal_cmp(&d, &back); /* the sign of what truncation cut off */
    path_put(e, ret,
             fhir_value_integer(whole + (direction != 0 && rest == direction ? direction : 0)));
    return OK;
}

PATH_FN(ceiling)
{
    (void)s;
    return put_whole(e, p, in, 1, ret);
}

PATH_FN(floor)
{
    (void)s;
    return put_whole(e, p, in, -1, ret);
}

PATH_FN(truncate)
{
    (void)s;
    return put_whole(e, p, in, 0, ret);
}

PATH_FN(round)
{
    bool has, has_scale;
    int64_t scale = 0;
    FhirValue v;
    FhirDecimal d;
    TRY(in_number(e, p, in, false, &has, &v));
    if (p->argc) {
        TRY(path_arg_integer(e, p, 0, s, &has_scale, &scale));
        if (scale < 0 || scale > 28) {
            return path_fail(e, p->args[0], "小数位数须在 0 至 28 之间",
                             "the number of places is 0 to 28");
        }
    }
    if (!has || !decimal_of(&v, &d)) {
        return OK;
    }
    path_put(e, ret, path_decimal(e->arena, decimal_round(&d, (int)scale)));
    return OK;
}

PATH_FN(exp)
{
    (void)s;
    bool has;
    double x = 0;
    TRY(in_double(e, p, in, &has, &x));
    if (has) {
        put_double(e, exp(x), ret);
    }
    return OK;
}

PATH_FN(ln)
{
    (void)s;
    bool has;
    double x = 0;
    TRY(in_double(e, p, in, &has, &x));
    if (has) {
        put_double(e, log(x), ret);
    }
    return OK;
}

PATH_FN(log)
{
    bool has, has_base;
    double x = 0, base = 0;
    TRY(in_double(e, p, in, &has, &x));
    TRY(arg_double(e, p, s, &has_base, &base));
    if (has && has_base) {
        put_double(e, log(x) / log(base), ret);
    }
    return OK;
}

PATH_FN(sqrt)
{
    (void)s;
    bool has;
    double x = 0;
    TRY(in_double(e, p, in, &has, &x));
    if (has) {
        put_double(e, sqrt(x), ret);
    }
    return OK;
}

static bool power_exact(const FhirValue *base, int64_t times, FhirDecimal *ret)
{
    FhirDecimal b, out = decimal_from_i64(1);
    bool ok = decimal_of(base, &b) && times >= 0 && times <= 128;
    while (ok && times-- > 0) {
        ok = decimal_multiply(&out, &b, &out);
    }
    *ret = out;
    return ok;
}

PATH_FN(power)
{
    bool has, has_times;
    FhirValue v;
    double times = 0;
    FhirDecimal d;
    int64_t whole;
    TRY(in_number(e, p, in, false, &has, &v));
    TRY(arg_double(e, p, s, &has_times, &times));
    if (!has || !has_times) {
        return OK;
    }
    bool exact = times == floor(times) && fabs(times) < 1000 && power_exact(&v, (int64_t)times, &d);
    if (exact && v.kind == FHIR_VALUE_INTEGER && decimal_to_i64(&d, &whole)) {
        path_put(e, ret, fhir_value_integer(whole));
    } else if (exact) {
        path_put(e, ret, path_decimal(e->arena, d));
    } else if (decimal_of(&v, &d)) {
        put_double(e, pow(decimal_to_double(&d), times), ret);
    }
    return OK;
}

/* --- of a list --- */

static Status total(Eval *e, const PathNode *p, const FhirValues *in, FhirDecimal *ret,
                    bool *ret_whole)
{
    *ret = decimal_from_i64(0);
    *ret_whole = true;
    for (size_t i = 0; i < in->n; i++) {
        FhirValue v;
        FhirDecimal d;
        TRY(path_step(e, 1));
        if (!fhir_value_scalar(e->arena, &in->at[i], &v) || !decimal_of(&v, &d)) {
            return path_fail(e, p, "该函数只能用于数值", "this function works on numbers");
        }
        *ret_whole &= v.kind == FHIR_VALUE_INTEGER;
        if (!decimal_add(ret, &d, ret)) {
            return path_fail(e, p, "结果超出范围", "the result is out of range");
        }
    }
    return OK;
}

static bool begins_with_quantity(Eval *e, const FhirValues *in, FhirQuantity *ret)
{
    FhirValue v;
    if (in->n == 0 || !fhir_value_scalar(e->arena, in->at, &v) || v.kind != FHIR_VALUE_QUANTITY) {
        return false;
    }
    *ret = *v.quantity;
    return true;
}

/* Adds the other quantities to the first; *ret_has false where units do not go together. */
static Status total_quantity(Eval *e, const PathNode *p, const FhirValues *in, FhirQuantity *sum,
                             bool *ret_has)
{
    *ret_has = true;
    for (size_t i = 1; i < in->n && *ret_has; i++) {
        FhirValue v;
        FhirDecimal x, y;
        TRY(path_step(e, 1));
        if (!fhir_value_scalar(e->arena, &in->at[i], &v) || v.kind != FHIR_VALUE_QUANTITY) {
            return path_fail(e, p, "数值与带单位的量不能混合", "numbers and quantities do not mix");
        }
        const FhirQuantity *finer = quantity_finer(sum, v.quantity);
        FhirQuantity next = {.unit = finer->unit, .calendar = finer->calendar};
        *ret_has = quantity_in_unit(sum, next.unit, &x) &&
                   quantity_in_unit(v.quantity, next.unit, &y) && decimal_add(&x, &y, &next.value);
        *sum = next;
    }
    return OK;
}

PATH_FN(sum)
{
    (void)s;
    FhirDecimal d;
    FhirQuantity q;
    bool whole;
    int64_t i;
    if (begins_with_quantity(e, in, &q)) {
        TRY(total_quantity(e, p, in, &q, &whole));
        if (whole) {
            path_put(e, ret, path_quantity(e->arena, q));
        }
        return OK;
    }
    TRY(total(e, p, in, &d, &whole));
    if (in->n && whole && decimal_to_i64(&d, &i)) {
        path_put(e, ret, fhir_value_integer(i));
    } else if (in->n) {
        path_put(e, ret, path_decimal(e->arena, d));
    }
    return OK;
}

PATH_FN(avg)
{
    (void)s;
    FhirDecimal d, n = decimal_from_i64((int64_t)in->n);
    FhirQuantity q;
    bool whole;
    if (begins_with_quantity(e, in, &q)) {
        TRY(total_quantity(e, p, in, &q, &whole));
        if (whole && decimal_divide(&q.value, &n, &q.value)) {
            path_put(e, ret, path_quantity(e->arena, q));
        }
        return OK;
    }
    TRY(total(e, p, in, &d, &whole));
    if (in->n && decimal_divide(&d, &n, &d)) {
        path_put(e, ret, path_decimal(e->arena, d));
    }
    return OK;
}

static Status extreme(Eval *e, const PathNode *p, const FhirValues *in, Order wanted,
                      FhirValues *ret)
{
    const FhirValue *best = in->n ? in->at : NULL;
    for (size_t i = 1; i < in->n; i++) {
        TRY(path_step(e, 1));
        Order o = path_order(e->arena, &in->at[i], best);
        if (o == ORDER_WRONG) {
            return path_fail(e, p, "这些值不能比较大小", "these values have no order");
        }
        best = o == wanted ? &in->at[i] : best;
    }
    if (best) {
        path_put(e, ret, *best);
    }
    return OK;
}

PATH_FN(min)
{
    (void)s;
    return extreme(e, p, in, ORDER_LESS, ret);
}

PATH_FN(max)
{
    (void)s;
    return extreme(e, p, in, ORDER_GREATER, ret);
}

/* --- boundaries and precision --- */

/* Digits of a date, dateTime or time by its precision: 2026-11-22T08:30 has 12. */
static int time_digits(const FhirValue *v)
{
    static const int DATE_DIGITS[] = {4, 6, 8, 10, 12, 14, 17},
                     CLOCK_DIGITS[] = {0, 0, 0, 2, 4, 6, 9};
    return (v->kind == FHIR_VALUE_TIME ? CLOCK_DIGITS : DATE_DIGITS)[v->time->precision];
}

PATH_FN(precision)
{
    (void)s;
    const FhirValue *v;
    FhirValue x;
    TRY(path_single(e, p, in, &v));
    if (!v || !fhir_value_scalar(e->arena, v, &x)) {
        return OK;
    }
    if (x.kind == FHIR_VALUE_DATE || x.kind == FHIR_VALUE_DATETIME || x.kind == FHIR_VALUE_TIME) {
        path_put(e, ret, fhir_value_integer(time_digits(&x)));
    } else if (is_number(&x)) {
        path_put(e, ret, fhir_value_integer(x.kind == FHIR_VALUE_DECIMAL ? x.decimal->scale : 0));
    }
    return OK;
}

/* The value half a unit of the last place lower or higher, cut to `scale` places outwards. */
static bool decimal_boundary(FhirDecimal d, int scale, bool high, FhirDecimal *ret)
{
    FhirDecimal half = {high ? 5 : -5, d.scale + 1}, edge, cut, one;
    if (scale < 0 || scale > 28 || d.scale >= 28 || !decimal_add(&d, &half, &edge) ||
        !decimal_scale_to(&edge, scale, &cut)) {
        return false;
    }
    one = (FhirDecimal){high ? 1 : -1, scale};
    int rest = decimal_cmp(&edge, &cut);
    *ret = cut;
    return rest == (high ? 1 : -1) ? decimal_add(&cut, &one, ret) : true;
}

static bool precision_of(FhirValueKind kind, int64_t digits, DatePrecision *ret)
{
    static const int DATE_DIGITS[] = {4, 6, 8, 10, 12, 14, 17},
                     CLOCK_DIGITS[] = {-1, -1, -1, 2, 4, 6, 9};
    for (DatePrecision q = DATE_YEAR; q <= DATE_MS; q++) {
        if ((kind == FHIR_VALUE_TIME ? CLOCK_DIGITS : DATE_DIGITS)[q] == digits) {
            *ret = q;
            return true;
        }
    }
    return false;
}

static DateTime time_boundary(const FhirValue *v, DatePrecision to, bool high)
{
    DateTime t = *v->time;
    if (t.precision < DATE_MONTH) {
        t.month = high ? 12 : 1;
    }
    if (t.precision < DATE_DAY) {
        t.day = high && v->kind != FHIR_VALUE_TIME ? days_in_month(t.year, t.month) : 1;
    }
    t.hour = t.precision < DATE_HOUR ? (high ? 23 : 0) : t.hour;
    t.minute = t.precision < DATE_MINUTE ? (high ? 59 : 0) : t.minute;
    t.second = t.precision < DATE_SECOND ? (high ? 59 : 0) : t.second;
    t.ms = t.precision < DATE_MS ? (high ? 999 : 0) : t.ms;
    t.precision = to;
    if (v->kind != FHIR_VALUE_TIME && to >= DATE_HOUR && !t.has_zone) {
        t.has_zone = true;
        t.zone_min = high ? -12 * 60 : 14 * 60; /* the last and the first place on Earth */
    }
    t.has_zone = to >= DATE_HOUR && t.has_zone;
    return t;
}

static Status boundary(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s, bool high,
                       FhirValues *ret)
{
    const FhirValue *v;
    FhirValue x;
    int64_t digits = -1;
    bool has_digits = false;
    FhirDecimal d;
    DatePrecision to;
    TRY(path_single(e, p, in, &v));
    if (p->argc) {
        TRY(path_arg_integer(e, p, 0, s, &has_digits, &digits));
    }
    if (!v || !fhir_value_scalar(e->arena, v, &x)) {
        return OK;
    }
    int places = has_digits ? (digits < 0 || digits > 99 ? -1 : (int)digits) : 8;
    if (decimal_of(&x, &d)) {
        if (decimal_boundary(d, places, high, &d)) {
            path_put(e, ret, path_decimal(e->arena, d));
        }
    } else if (x.kind == FHIR_VALUE_QUANTITY) {
        FhirQuantity q = *x.quantity;
        if (decimal_boundary(q.value, places, high, &q.value)) {
            path_put(e, ret, path_quantity(e->arena, q));
        }
    } else if (x.kind == FHIR_VALUE_DATE || x.kind == FHIR_VALUE_DATETIME ||
               x.kind == FHIR_VALUE_TIME) {
        int64_t usual = x.kind == FHIR_VALUE_DATE ? 8 : x.kind == FHIR_VALUE_TIME ? 9 : 17;
        if (precision_of(x.kind, has_digits ? digits : usual, &to)) {
            path_put(e, ret, path_time(e->arena, x.kind, time_boundary(&x, to, high)));
        }
    }
    return OK;
}

PATH_FN(lowBoundary)
{
    return boundary(e, p, in, s, false, ret);
}

PATH_FN(highBoundary)
{
    return boundary(e, p, in, s, true, ret);
}

PATH_FN(comparable)
{
    FhirValues other = {0};
    const FhirValue *v, *w;
    FhirValue x, y;
    TRY(path_arg(e, p, 0, s, &other));
    TRY(path_single(e, p, in, &v));
    TRY(path_single(e, p, &other, &w));
    if (v && w && fhir_value_scalar(e->arena, v, &x) && fhir_value_scalar(e->arena, w, &y)) {
        Order o = path_order(e->arena, &x, &y);
        path_put(e, ret, fhir_value_boolean(o != ORDER_UNKNOWN && o != ORDER_WRONG));
    }
    return OK;
}
