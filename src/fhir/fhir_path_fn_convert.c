/* Conversions between the simple types: toX() and convertsToX() share one function each. */
#include "fhir_path_fn.h"

typedef bool (*Converter)(Arena *a, const FhirValue *v, FhirValue *ret);

static Status convert(Eval *e, const PathNode *p, const FhirValues *in, Converter fn,
                      FhirValues *ret)
{
    const FhirValue *v;
    FhirValue x, out;
    TRY(path_single(e, p, in, &v));
    if (v && fhir_value_scalar(e->arena, v, &x) && fn(e->arena, &x, &out)) {
        path_put(e, ret, out);
    }
    return OK;
}

static Status converts(Eval *e, const PathNode *p, const FhirValues *in, Converter fn,
                       FhirValues *ret)
{
    const FhirValue *v;
    FhirValue x, out;
    TRY(path_single(e, p, in, &v));
    if (v) {
        path_put(e, ret,
                 fhir_value_boolean(fhir_value_scalar(e->arena, v, &x) && fn(e->arena, &x, &out)));
    }
    return OK;
}

static bool to_boolean(Arena *a, const FhirValue *v, FhirValue *ret)
{
    static const char *const YES[] = {"true", "t", "yes", "y", "1", "1.0"}, *const NO[] = {
                                                                                "false", "f",
                                                                                "no",    "n",
                                                                                "0",     "0.0"};
    FhirDecimal d, zero = decimal_from_i64(0), one = decimal_from_i64(1);
    (void)a;
    if (v->kind == FHIR_VALUE_BOOLEAN) {
        *ret = *v;
        return true;
    }
    if (decimal_of(v, &d)) {
        *ret = fhir_value_boolean(decimal_cmp(&d, &one) == 0);
        return decimal_cmp(&d, &one) == 0 || decimal_cmp(&d, &zero) == 0;
    }
    for (size_t i = 0; v->kind == FHIR_VALUE_STRING && i < 6; i++) {
        bool yes = str_eq_nocase(v->text, str_from_c(YES[i]));
        if (yes || str_eq_nocase(v->text, str_from_c(NO[i]))) {
            *ret = fhir_value_boolean(yes);
            return true;
        }
    }
    return false;
}

static bool to_integer(Arena *a, const FhirValue *v, FhirValue *ret)
{
    int64_t i;
    (void)a;
    if (v->kind == FHIR_VALUE_INTEGER) {
        *ret = *v;
        return true;
    }
    if (v->kind == FHIR_VALUE_BOOLEAN) {
        *ret = fhir_value_integer(v->boolean);
        return true;
    }
    if (v->kind != FHIR_VALUE_STRING ||
        !str_to_i64(str_starts(v->text, STR("+")) ? str_skip(v->text, 1) : v->text, &i)) {
        return false;
    }
    *ret = fhir_value_integer(i);
    return true;
}

static bool to_decimal(Arena *a, const FhirValue *v, FhirValue *ret)
{
    FhirDecimal d;
    if (v->kind == FHIR_VALUE_BOOLEAN) {
        d = decimal_from_i64(v->boolean);
    } else if (v->kind == FHIR_VALUE_STRING ? !decimal_parse(v->text, &d) : !decimal_of(v, &d)) {
        return false;
    }
    *ret = path_decimal(a, d);
    return true;
}

static bool to_string(Arena *a, const FhirValue *v, FhirValue *ret)
{
    Str text;
    if (!fhir_value_text(a, v, &text)) {
        return false;
    }
    *ret = fhir_value_string(text);
    return true;
}

static bool to_date(Arena *a, const FhirValue *v, FhirValue *ret)
{
    DateTime t;
    if (v->kind == FHIR_VALUE_DATE || v->kind == FHIR_VALUE_DATETIME) {
        t = *v->time;
    } else if (v->kind != FHIR_VALUE_STRING || !datetime_parse_loose(v->text, &t)) {
        return false;
    }
    t.precision = t.precision > DATE_DAY ? DATE_DAY : t.precision;
    t.has_zone = false;
    *ret = path_time(a, FHIR_VALUE_DATE, t);
    return true;
}

static bool to_datetime(Arena *a, const FhirValue *v, FhirValue *ret)
{
    DateTime t;
    if (v->kind == FHIR_VALUE_DATE || v->kind == FHIR_VALUE_DATETIME) {
        t = *v->time;
    } else if (v->kind != FHIR_VALUE_STRING || !datetime_parse_loose(v->text, &t)) {
        return false;
    }
    *ret = path_time(a, FHIR_VALUE_DATETIME, t);
    return true;
}

static bool to_time(Arena *a, const FhirValue *v, FhirValue *ret)
{
    DateTime t;
    if (v->kind == FHIR_VALUE_TIME) {
        *ret = *v;
        return true;
    }
    Str text = v->kind == FHIR_VALUE_STRING ? v->text : STR_NONE;
    if (!time_of_day_parse(str_starts(text, STR("T")) ? str_skip(text, 1) : text, &t)) {
        return false;
    }
    *ret = path_time(a, FHIR_VALUE_TIME, t);
    return true;
}

static bool to_quantity(Arena *a, const FhirValue *v, FhirValue *ret)
{
    FhirQuantity q = {.unit = STR("1")};
    if (v->kind == FHIR_VALUE_QUANTITY) {
        *ret = *v;
        return true;
    }
    if (v->kind == FHIR_VALUE_BOOLEAN) {
        q.value = decimal_from_i64(v->boolean);
    } else if (v->kind == FHIR_VALUE_STRING ? !quantity_parse(a, v->text, &q)
                                            : !decimal_of(v, &q.value)) {
        return false;
    }
    *ret = path_quantity(a, q);
    return true;
}

#define CONVERSION(name, fn)                                                                       \
    PATH_FN(to##name)                                                                              \
    {                                                                                              \
        (void)s;                                                                                   \
        return convert(e, p, in, fn, ret);                                                         \
    }                                                                                              \
    PATH_FN(convertsTo##name)                                                                      \
    {                                                                                              \
        (void)s;                                                                                   \
        return converts(e, p, in, fn, ret);                                                        \
    }

CONVERSION(Boolean, to_boolean)
CONVERSION(Integer, to_integer)
CONVERSION(Long, to_integer)
CONVERSION(Decimal, to_decimal)
CONVERSION(String, to_string)
CONVERSION(Date, to_date)
CONVERSION(DateTime, to_datetime)
CONVERSION(Time, to_time)

/* toQuantity(unit): only when it can be written in that unit. */
static Status quantity_in(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s,
                          FhirValues *ret)
{
    FhirValues list = {0};
    Str unit;
    bool has;
    FhirQuantity q;
    TRY(convert(e, p, in, to_quantity, &list));
    if (p->argc == 0 || list.n == 0) {
        *ret = list;
        return OK;
    }
    TRY(path_arg_string(e, p, 0, s, &has, &unit));
    q = *list.at->quantity;
    if (has && quantity_in_unit(&q, unit, &q.value)) {
        Str word = calendar_word(unit);
        q.calendar = !str_empty(word);
        q.unit = q.calendar ? word : unit;
        path_put(e, ret, path_quantity(e->arena, q));
    }
    return OK;
}

PATH_FN(toQuantity)
{
    return quantity_in(e, p, in, s, ret);
}

PATH_FN(convertsToQuantity)
{
    FhirValues list = {0};
    TRY(quantity_in(e, p, in, s, &list));
    if (in->n) {
        path_put(e, ret, fhir_value_boolean(list.n > 0));
    }
    return OK;
}
