/* Functions of time: the present, and the components of dates and times. */
#include "fhir_path_fn.h"

/* --- the present --- */

PATH_FN(now)
{
    (void)p;
    UNUSED2(in, s);
    path_put(e, ret, fhir_value_datetime(e->arena, e->env->now_ms, e->env->zone_min));
    return OK;
}

PATH_FN(today)
{
    (void)p;
    UNUSED2(in, s);
    path_put(e, ret, fhir_value_date(e->arena, e->env->now_ms, e->env->zone_min));
    return OK;
}

PATH_FN(timeOfDay)
{
    (void)p;
    UNUSED2(in, s);
    DateTime t = *fhir_value_datetime(e->arena, e->env->now_ms, e->env->zone_min).time;
    t.year = t.month = t.day = 0;
    t.has_zone = false;
    path_put(e, ret, path_time(e->arena, FHIR_VALUE_TIME, t));
    return OK;
}

/* --- components --- */

/* The input as one date, dateTime or time; *ret_has false when empty. */
static Status in_time(Eval *e, const PathNode *p, const FhirValues *in, bool *ret_has,
                      FhirValue *ret)
{
    const FhirValue *v;
    TRY(path_single(e, p, in, &v));
    *ret_has = v && fhir_value_scalar(e->arena, v, ret);
    bool time = *ret_has && (ret->kind == FHIR_VALUE_DATE || ret->kind == FHIR_VALUE_DATETIME ||
                             ret->kind == FHIR_VALUE_TIME);
    if (v && !time && (v->kind != FHIR_VALUE_NODE || v->node.ref != JSON_NONE)) {
        return path_fail(e, p, "该函数只能用于日期或时间",
                         "this function works on a date or a time");
    }
    return OK;
}

/* Nothing where the value is not as fine as that, and for the date of a time of day. */
static Status put_component(Eval *e, const PathNode *p, const FhirValues *in, DatePrecision which,
                            FhirValues *ret)
{
    bool has;
    FhirValue v;
    TRY(in_time(e, p, in, &has, &v));
    if (!has || v.time->precision < which || (v.kind == FHIR_VALUE_TIME && which < DATE_HOUR)) {
        return OK;
    }
    const DateTime *t = v.time;
    const int fields[] = {t->year, t->month, t->day, t->hour, t->minute, t->second, t->ms};
    path_put(e, ret, fhir_value_integer(fields[which]));
    return OK;
}

#define COMPONENT(name, which)                                                                     \
    PATH_FN(name)                                                                                  \
    {                                                                                              \
        (void)s;                                                                                   \
        return put_component(e, p, in, which, ret);                                                \
    }

COMPONENT(yearOf, DATE_YEAR)
COMPONENT(monthOf, DATE_MONTH)
COMPONENT(dayOf, DATE_DAY)
COMPONENT(hourOf, DATE_HOUR)
COMPONENT(minuteOf, DATE_MINUTE)
COMPONENT(secondOf, DATE_SECOND)
COMPONENT(millisecondOf, DATE_MS)

/* In hours: 8, -3.5. */
PATH_FN(timezoneOffsetOf)
{
    (void)s;
    bool has;
    FhirValue v;
    TRY(in_time(e, p, in, &has, &v));
    if (has && v.time->has_zone) {
        FhirDecimal minutes = decimal_from_i64(v.time->zone_min), sixty = decimal_from_i64(60), d;
        if (decimal_divide(&minutes, &sixty, &d)) {
            path_put(e, ret, path_decimal(e->arena, d));
        }
    }
    return OK;
}

PATH_FN(dateOf)
{
    (void)s;
    bool has;
    FhirValue v;
    TRY(in_time(e, p, in, &has, &v));
    if (has && v.kind != FHIR_VALUE_TIME) {
        DateTime t = *v.time;
        t.precision = t.precision > DATE_DAY ? DATE_DAY : t.precision;
        t.has_zone = false;
        path_put(e, ret, path_time(e->arena, FHIR_VALUE_DATE, t));
    }
    return OK;
}

PATH_FN(timeOf)
{
    (void)s;
    bool has;
    FhirValue v;
    TRY(in_time(e, p, in, &has, &v));
    if (has && v.time->precision >= DATE_HOUR) {
        DateTime t = *v.time;
        t.year = t.month = t.day = 0;
        t.has_zone = false;
        path_put(e, ret, path_time(e->arena, FHIR_VALUE_TIME, t));
    }
    return OK;
}
