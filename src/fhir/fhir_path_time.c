/* Dates and times of any precision, and quantities (calendar words and UCUM). */
#include <math.h>

#include "fhir_path_inner.h"

/* --- order --- */

static int field(const DateTime *t, DatePrecision p)
{
    const int fields[] = {t->year, t->month, t->day, t->hour, t->minute, t->second * 1000 + t->ms};
    return fields[p];
}

static DatePrecision finest(const DateTime *t)
{
    return t->precision == DATE_MS ? DATE_SECOND
                                   : t->precision; /* seconds are one decimal number */
}

static Order order_by_fields(const DateTime *x, const DateTime *y)
{
    DatePrecision px = finest(x), py = finest(y);
    for (DatePrecision p = DATE_YEAR; p <= px && p <= py; p++) {
        int a = field(x, p), b = field(y, p);
        if (a != b) {
            return a < b ? ORDER_LESS : ORDER_GREATER;
        }
    }
    return px == py ? ORDER_EQUAL : ORDER_UNKNOWN;
}

/* The same instant, written for zone 0. */
static DateTime in_utc(const DateTime *t)
{
    DateTime out = *t;
    int64_t minutes =
        days_from_civil(t->year, t->month, t->day) * 1440 + t->hour * 60 + t->minute - t->zone_min;
    int64_t of_day = ((minutes % 1440) + 1440) % 1440;
    civil_from_days((minutes - of_day) / 1440, &out.year, &out.month, &out.day);
    out.hour = (int)(of_day / 60);
    out.minute = (int)(of_day % 60);
    out.zone_min = 0;
    return out;
}

/* One has a zone, the other not: decided only when no zone on Earth could change it. */
static Order order_without_zone(const DateTime *x, const DateTime *y)
{
    DateTime a = x->has_zone ? in_utc(x) : *x, b = y->has_zone ? in_utc(y) : *y;
    int64_t ax, bx, by, ay;
    a.has_zone = b.has_zone = false;
    datetime_range(&a, 0, &ax, &ay);
    datetime_range(&b, 0, &bx, &by);
    if (ay + 14 * MS_HOUR <= bx) {
        return ORDER_LESS;
    }
    return by + 14 * MS_HOUR <= ax ? ORDER_GREATER : ORDER_UNKNOWN;
}

Order time_order(const DateTime *x, const DateTime *y)
{
    bool both_timed = x->precision >= DATE_HOUR && y->precision >= DATE_HOUR && x->year && y->year;
    if (!both_timed || (!x->has_zone && !y->has_zone)) {
        return order_by_fields(x, y);
    }
    if (x->has_zone != y->has_zone) {
        return order_without_zone(x, y);
    }
    DateTime a = in_utc(x), b = in_utc(y);
    return order_by_fields(&a, &b);
}

/* --- text --- */

static void put_clock(Buf *b, const DateTime *t)
{
    buf_printf(b, "%02d", t->hour);
    if (t->precision >= DATE_MINUTE) {
        buf_printf(b, ":%02d", t->minute);
    }
    if (t->precision >= DATE_SECOND) {
        buf_printf(b, ":%02d", t->second);
    }
    if (t->precision >= DATE_MS) {
        buf_printf(b, ".%03d", t->ms);
    }
}

static void put_zone(Buf *b, int zone_min)
{
    if (zone_min == 0) {
        buf_char(b, 'Z');
        return;
    }
    int z = zone_min < 0 ? -zone_min : zone_min;
    buf_printf(b, "%c%02d:%02d", zone_min < 0 ? '-' : '+', z / 60, z % 60);
}

Str time_text(Arena *a, const DateTime *t, FhirValueKind kind)
{
    Buf b;
    buf_init(&b, 0);
    if (kind != FHIR_VALUE_TIME) {
        buf_printf(&b, "%04d", t->year);
        if (t->precision >= DATE_MONTH) {
            buf_printf(&b, "-%02d", t->month);
        }
        if (t->precision >= DATE_DAY) {
            buf_printf(&b, "-%02d", t->day);
        }
        if (t->precision >= DATE_HOUR) {
            buf_char(&b, 'T');
        }
    }
    if (t->precision >= DATE_HOUR) {
        put_clock(&b, t);
    }
    if (t->has_zone) {
        put_zone(&b, t->zone_min);
    }
    return buf_take(&b, a);
}

bool time_of_day_parse(Str s, DateTime *ret)
{
    char text[64];
    DateTime t;
    if (s.n > 40 || s.n < 2) {
        return false;
    }
    int n = snprintf(text, sizeof text, "2000-01-01T%.*s", STR_ARG(s));
    if (!datetime_parse_loose((Str){text, (size_t)n}, &t) || t.has_zone ||
        t.precision < DATE_HOUR) {
        return false;
    }
    t.year = t.month = t.day = 0;
    *ret = t;
    return true;
}

FhirValue path_time(Arena *a, FhirValueKind kind, DateTime t)
{
    DateTime *copy = arena_alloc_raw(a, sizeof *copy);
    *copy = t;
    return (FhirValue){.kind = kind, .time = copy};
}

/* --- arithmetic --- */

typedef struct Step {
    const char *word, *ucum;
    DatePrecision precision;
    int64_t ms; /* 0: months */
    int months;
} Step;

static const Step STEPS[] = {
    {"year", NULL, DATE_YEAR, 0, 12},           {"month", NULL, DATE_MONTH, 0, 1},
    {"week", "wk", DATE_DAY, 7 * MS_DAY, 0},    {"day", "d", DATE_DAY, MS_DAY, 0},
    {"hour", "h", DATE_HOUR, MS_HOUR, 0},       {"minute", "min", DATE_MINUTE, MS_MINUTE, 0},
    {"second", "s", DATE_SECOND, MS_SECOND, 0}, {"millisecond", "ms", DATE_MS, 1, 0},
};

#define STEPS_N (sizeof STEPS / sizeof *STEPS)

Str calendar_word(Str s)
{
    Str singular = s.n && s.p[s.n - 1] == 's' ? str_take(s, s.n - 1) : s;
    for (size_t i = 0; i < STEPS_N; i++) {
        if (str_is(singular, STEPS[i].word)) {
            return str_from_c(STEPS[i].word);
        }
    }
    return STR_NONE;
}

static const Step *step_find(Str unit)
{
    for (size_t i = 0; i < STEPS_N; i++) {
        if (str_is(unit, STEPS[i].word) || (STEPS[i].ucum && str_is(unit, STEPS[i].ucum))) {
            return &STEPS[i];
        }
    }
    return NULL;
}

static bool add_months(DateTime *t, int64_t months)
{
    int64_t all = (int64_t)t->year * 12 + t->month - 1 + months;
    if (all < 12 || all >= 10000 * 12) {
        return false;
    }
    t->year = (int)(all / 12);
    t->month = (int)(all % 12) + 1;
    int last = days_in_month(t->year, t->month);
    t->day = t->precision >= DATE_DAY && t->day > last ? last : t->day;
    return true;
}

static bool add_ms(DateTime *t, FhirValueKind kind, int64_t ms)
{
    bool clock_only = kind == FHIR_VALUE_TIME;
    int64_t day = clock_only ? 0 : days_from_civil(t->year, t->month, t->day);
    int64_t all = day * MS_DAY + t->hour * MS_HOUR + t->minute * MS_MINUTE + t->second * MS_SECOND +
                  t->ms + ms;
    int64_t of_day = ((all % MS_DAY) + MS_DAY) % MS_DAY;
    if (!clock_only) {
        civil_from_days((all - of_day) / MS_DAY, &t->year, &t->month, &t->day);
    }
    t->hour = (int)(of_day / MS_HOUR);
    t->minute = (int)(of_day / MS_MINUTE % 60);
    t->second = (int)(of_day / MS_SECOND % 60);
    t->ms = (int)(of_day % MS_SECOND);
    return clock_only || (t->year >= 1 && t->year <= 9999);
}

/* Coarser dates take finer steps by the whole months or years that they make (2014 + 24 months). */
static bool add_coarse(DateTime *t, int64_t days)
{
    return add_months(t, t->precision == DATE_YEAR ? days / 365 * 12 : days / 30);
}

bool time_add(const DateTime *t, FhirValueKind kind, const FhirQuantity *q, int sign, DateTime *ret)
{
    const Step *step = step_find(q->unit);
    double amount = decimal_to_double(&q->value) * sign;
    if (!step || fabs(amount) > 1e13 ||
        (kind == FHIR_VALUE_TIME && (step->months || step->ms >= MS_DAY))) {
        return false;
    }
    DateTime out = *t;
    bool ok;
    /* Below seconds the fraction counts; above, a part of a day is not a day. */
    int64_t whole = (int64_t)trunc(amount);
    if (step->months) {
        ok = llabs(whole) < 1000000 &&
             add_months(&out, t->precision == DATE_YEAR ? whole * step->months / 12 * 12
                                                        : whole * step->months);
    } else if (t->precision < DATE_DAY && kind != FHIR_VALUE_TIME) {
        ok = llabs(whole) < 1000000000 && add_coarse(&out, whole * step->ms / MS_DAY);
    } else {
        double ms =
            step->precision >= DATE_SECOND ? amount * (double)step->ms : (double)(whole * step->ms);
        ms = t->precision == DATE_DAY ? trunc(ms / MS_DAY) * MS_DAY : ms;
        ms = t->precision == DATE_SECOND ||
                     (t->precision == DATE_MS && step->precision == DATE_SECOND)
                 ? trunc(ms / MS_SECOND) * MS_SECOND
                 : ms;
        ok = fabs(ms) < 4e14 && add_ms(&out, kind, (int64_t)ms);
    }
    if (ok) {
        *ret = out;
    }
    return ok;
}

/* --- quantities --- */

FhirValue path_quantity(Arena *a, FhirQuantity q)
{
    FhirQuantity *copy = arena_alloc_raw(a, sizeof *copy);
    *copy = q;
    return (FhirValue){.kind = FHIR_VALUE_QUANTITY, .quantity = copy};
}

bool quantity_parse(Arena *a, Str s, FhirQuantity *ret)
{
    FhirQuantity q = {.unit = STR("1")};
    size_t i = 0;
    while (i < s.n && s.p[i] != ' ' && s.p[i] != '\'') {
        i++;
    }
    Str unit = str_trim(str_skip(s, i));
    if (!decimal_parse(str_take(s, i), &q.value)) {
        return false;
    }
    if (unit.n > 2 && unit.p[0] == '\'' && unit.p[unit.n - 1] == '\'') {
        q.unit = arena_str(a, (Str){unit.p + 1, unit.n - 2});
    } else if (unit.n) {
        q.unit = calendar_word(unit);
        q.calendar = true;
        if (str_empty(q.unit)) {
            return false;
        }
    }
    *ret = q;
    return true;
}

Str quantity_text(Arena *a, const FhirQuantity *q)
{
    Str value = decimal_text(a, &q->value);
    if (!q->calendar) {
        return arena_cat(a, value, STR(" '"), q->unit, STR("'"));
    }
    bool one = q->value.digits == 1 && q->value.scale == 0;
    return arena_cat(a, value, STR(" "), q->unit, one ? STR("") : STR("s"));
}

/* --- order of quantities --- */

#define DAYS_OF_YEAR  365
#define DAYS_OF_MONTH 30

/* The unit as one of UCUM; years and months of the calendar have none. */
static bool unit_of(const FhirQuantity *q, FhirUnit *ret)
{
    if (!q->calendar) {
        return fhir_unit_parse(q->unit, ret);
    }
    const Step *step = step_find(q->unit);
    return step && step->ucum && fhir_unit_parse(str_from_c(step->ucum), ret);
}

static Order order_from(int c)
{
    return c < 0 ? ORDER_LESS : c > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

/* Without a day to begin at, a year has twelve months or 365 days, a month 30 days. */
static bool calendar_days(const FhirQuantity *q, bool months, FhirQuantity *ret)
{
    bool year = str_is(q->unit, "year"), month = str_is(q->unit, "month");
    int by = months && year               ? 12
             : months || !(year || month) ? 1
             : year                       ? DAYS_OF_YEAR
                                          : DAYS_OF_MONTH;
    FhirDecimal factor = decimal_from_i64(by);
    *ret = *q;
    ret->unit = year || month ? STR("day") : q->unit;
    return decimal_multiply(&q->value, &factor, &ret->value);
}

static bool is_long(const FhirQuantity *q)
{
    return q->calendar && (str_is(q->unit, "year") || str_is(q->unit, "month"));
}

Order quantity_order(const FhirQuantity *x, const FhirQuantity *y)
{
    if (x->calendar == y->calendar && str_eq(x->unit, y->unit)) {
        return order_from(decimal_cmp(&x->value, &y->value));
    }
    FhirUnit ux, uy;
    FhirQuantity p = *x, q = *y;
    int c;
    if (x->calendar && y->calendar && (is_long(x) || is_long(y))) {
        bool months = is_long(x) && is_long(y);
        if (!calendar_days(x, months, &p) || !calendar_days(y, months, &q)) {
            return ORDER_UNKNOWN;
        }
    }
    if (!unit_of(&p, &ux) || !unit_of(&q, &uy) ||
        !fhir_unit_compare(&p.value, &ux, &q.value, &uy, &c)) {
        return ORDER_UNKNOWN;
    }
    return order_from(c);
}

/* A calendar year is near enough a UCUM year here. */
static bool unit_of_roughly(const FhirQuantity *q, FhirUnit *ret)
{
    return is_long(q) ? fhir_unit_parse(str_is(q->unit, "year") ? STR("a") : STR("mo"), ret)
                      : unit_of(q, ret);
}

/* Both in the coarser unit, rounded to the coarser precision. */
bool quantity_equivalent(const FhirQuantity *x, const FhirQuantity *y)
{
    FhirUnit ux, uy;
    FhirDecimal a = x->value, b = y->value;
    int scale = a.scale < b.scale ? a.scale : b.scale;
    if (!str_eq(x->unit, y->unit)) {
        if (!unit_of_roughly(x, &ux) || !unit_of_roughly(y, &uy)) {
            return false;
        }
        bool x_coarse = ux.factor > uy.factor;
        if (!(x_coarse ? fhir_unit_convert(&b, &uy, &ux, &b)
                       : fhir_unit_convert(&a, &ux, &uy, &a))) {
            return false;
        }
    }
    a = decimal_round(&a, scale);
    b = decimal_round(&b, scale);
    return decimal_cmp(&a, &b) == 0;
}

bool quantity_in_unit(const FhirQuantity *q, Str unit, FhirDecimal *ret)
{
    FhirUnit from, to;
    Str word = calendar_word(unit);
    FhirQuantity target = {.unit = str_empty(word) ? unit : word, .calendar = !str_empty(word)};
    if (str_eq(q->unit, target.unit)) {
        *ret = q->value;
        return true;
    }
    if (q->calendar && str_is(q->unit, "year") && str_is(word, "month")) {
        FhirDecimal twelve = decimal_from_i64(12);
        return decimal_multiply(&q->value, &twelve, ret);
    }
    return unit_of(q, &from) && unit_of(&target, &to) &&
           fhir_unit_convert(&q->value, &from, &to, ret);
}

const FhirQuantity *quantity_finer(const FhirQuantity *x, const FhirQuantity *y)
{
    FhirUnit ux, uy;
    if (is_long(x) && is_long(y)) {
        return str_is(y->unit, "month") ? y : x;
    }
    return unit_of(x, &ux) && unit_of(y, &uy) && uy.factor < ux.factor ? y : x;
}
