/* Exact decimals: 38 digits of __int128, scale 0 … 50; what does not fit is said, not rounded. */
#include <math.h>

#include "fhir_path_inner.h"

#define SCALE_MAX      DECIMAL_SCALE_MAX
#define DIVISION_SCALE 16

static bool times_ten(__int128 *v, int n)
{
    while (n-- > 0) {
        if (__builtin_mul_overflow(*v, (__int128)10, v)) {
            return false;
        }
    }
    return true;
}

static __int128 over_ten(__int128 v, int n)
{
    while (n-- > 0 && v != 0) {
        v /= 10;
    }
    return v;
}

static bool digits_read(Str *s, FhirDecimal *d, bool fraction)
{
    bool any = false;
    while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
        any = true;
        __int128 more = d->digits;
        bool fits =
            times_ten(&more, 1) && !__builtin_add_overflow(more, (__int128)(s->p[0] - '0'), &more);
        if (fraction && (!fits || d->scale == SCALE_MAX)) { /* finer than we keep */
            *s = str_skip(*s, 1);
            continue;
        }
        if (!fits) {
            return false;
        }
        d->digits = more;
        d->scale += fraction;
        *s = str_skip(*s, 1);
    }
    return any;
}

static bool exponent_apply(Str s, FhirDecimal *d)
{
    int64_t e;
    s = str_starts(s, STR("+")) ? str_skip(s, 1) : s;
    if (!str_to_i64(s, &e) || e > 60 || e < -60) {
        return false;
    }
    int64_t scale = d->scale - e;
    if (scale < 0) {
        bool fits = times_ten(&d->digits, (int)-scale);
        d->scale = 0;
        return fits;
    }
    if (scale > SCALE_MAX) {
        d->digits = over_ten(d->digits, (int)scale - SCALE_MAX);
        scale = SCALE_MAX;
    }
    d->scale = (int)scale;
    return true;
}

bool decimal_parse(Str s, FhirDecimal *ret)
{
    FhirDecimal d = {0, 0};
    bool minus = str_starts(s, STR("-"));
    s = minus || str_starts(s, STR("+")) ? str_skip(s, 1) : s;
    if (!digits_read(&s, &d, false)) {
        return false;
    }
    if (str_starts(s, STR("."))) {
        s = str_skip(s, 1);
        if (!digits_read(&s, &d, true)) {
            return false;
        }
    }
    if (s.n && (s.p[0] == 'e' || s.p[0] == 'E')) {
        if (!exponent_apply(str_skip(s, 1), &d)) {
            return false;
        }
        s = STR_NONE;
    }
    if (s.n) {
        return false;
    }
    d.digits = minus ? -d.digits : d.digits;
    *ret = d;
    return true;
}

FhirDecimal decimal_from_i64(int64_t v)
{
    return (FhirDecimal){v, 0};
}

static FhirDecimal trimmed(FhirDecimal d)
{
    while (d.scale > 0 && d.digits % 10 == 0) {
        d.digits /= 10;
        d.scale--;
    }
    return d;
}

bool decimal_from_double(double v, FhirDecimal *ret)
{
    char text[64];
    if (!isfinite(v) || fabs(v) > 1e30) {
        return false;
    }
    int n = snprintf(text, sizeof text, "%.15g", v);
    if (!decimal_parse((Str){text, (size_t)n}, ret)) {
        return false;
    }
    *ret = trimmed(*ret);
    return true;
}

double decimal_to_double(const FhirDecimal *d)
{
    return (double)d->digits / pow(10, d->scale);
}

bool decimal_to_i64(const FhirDecimal *d, int64_t *ret)
{
    __int128 v = over_ten(d->digits, d->scale);
    if (v > INT64_MAX || v < INT64_MIN) {
        return false;
    }
    *ret = (int64_t)v;
    return true;
}

Str decimal_text(Arena *a, const FhirDecimal *d)
{
    char text[80];
    size_t at = sizeof text;
    bool minus = d->digits < 0;
    unsigned __int128 v = minus ? -(unsigned __int128)d->digits : (unsigned __int128)d->digits;
    for (int i = 0; v || i <= d->scale; i++) {
        if (i == d->scale && i > 0) {
            text[--at] = '.';
        }
        text[--at] = (char)('0' + (int)(v % 10));
        v /= 10;
    }
    if (minus) {
        text[--at] = '-';
    }
    return arena_str(a, (Str){text + at, sizeof text - at});
}

/* As many places fewer as make room for `digits` more digits. */
static FhirDecimal shortened(FhirDecimal d, int digits)
{
    __int128 room = ((unsigned __int128)-1 >> 1);
    room = over_ten(room, digits);
    FhirDecimal out = d;
    for (int scale = d.scale; scale > 0 && (out.digits > room || out.digits < -room); scale--) {
        out = decimal_round(&d, scale - 1);
    }
    return out;
}

/* Both with the larger scale. */
static bool aligned(FhirDecimal *x, FhirDecimal *y)
{
    int scale = x->scale > y->scale ? x->scale : y->scale;
    if (!times_ten(&x->digits, scale - x->scale) || !times_ten(&y->digits, scale - y->scale)) {
        return false;
    }
    x->scale = y->scale = scale;
    return true;
}

bool decimal_add(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret)
{
    FhirDecimal a = trimmed(*x), b = trimmed(*y), sum;
    int scale = x->scale > y->scale ? x->scale : y->scale;
    if (decimal_scale_to(x, scale, &a) && decimal_scale_to(y, scale, &b) &&
        !__builtin_add_overflow(a.digits, b.digits, &sum.digits)) {
        sum.scale = scale;
        *ret = sum;
        return true;
    }
    /* The finest places of one are beyond what the other leaves room for. */
    a = shortened(trimmed(*x), 1);
    b = shortened(trimmed(*y), 1);
    while (!aligned(&a, &b)) {
        FhirDecimal *fine = a.scale > b.scale ? &a : &b;
        *fine = decimal_round(fine, fine->scale - 1);
    }
    if (__builtin_add_overflow(a.digits, b.digits, &sum.digits)) {
        return false;
    }
    sum.scale = a.scale;
    *ret = sum;
    return true;
}

bool decimal_subtract(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret)
{
    FhirDecimal minus = {-y->digits, y->scale};
    return decimal_add(x, &minus, ret);
}

bool decimal_multiply(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret)
{
    FhirDecimal a = *x, b = *y, d;
    bool fits = !__builtin_mul_overflow(a.digits, b.digits, &d.digits);
    if (!fits || a.scale + b.scale > SCALE_MAX) { /* nineteen digits each are left */
        a = fits ? trimmed(a) : shortened(trimmed(a), 19);
        b = fits ? trimmed(b) : shortened(trimmed(b), 19);
    }
    if (__builtin_mul_overflow(a.digits, b.digits, &d.digits)) {
        return false;
    }
    d.scale = a.scale + b.scale;
    *ret = d.scale > SCALE_MAX ? decimal_round(&d, SCALE_MAX) : d;
    return true;
}

bool decimal_divide(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret)
{
    FhirDecimal a = trimmed(*x), b = trimmed(*y);
    if (b.digits == 0) {
        return false;
    }
    /* digits(a) × 10^k / digits(b) with scale a.scale - b.scale + k, as many k as fit */
    int scale = a.scale - b.scale;
    while (scale <= DIVISION_SCALE) {
        __int128 more = a.digits;
        if (!times_ten(&more, 1)) {
            break;
        }
        a.digits = more;
        scale++;
    }
    if (scale < 0) {
        return false;
    }
    FhirDecimal d = {a.digits / b.digits, scale};
    d = scale > DIVISION_SCALE ? decimal_round(&d, DIVISION_SCALE) : d;
    *ret = trimmed(d);
    return true;
}

int decimal_cmp(const FhirDecimal *x, const FhirDecimal *y)
{
    FhirDecimal a = trimmed(*x), b = trimmed(*y);
    if (aligned(&a, &b)) {
        return (a.digits > b.digits) - (a.digits < b.digits);
    }
    double p = decimal_to_double(x), q = decimal_to_double(y);
    return (p > q) - (p < q);
}

bool decimal_scale_to(const FhirDecimal *d, int scale, FhirDecimal *ret)
{
    FhirDecimal out = {d->digits, scale};
    if (scale >= d->scale) {
        if (!times_ten(&out.digits, scale - d->scale)) {
            return false;
        }
    } else {
        out.digits = over_ten(out.digits, d->scale - scale);
    }
    *ret = out;
    return true;
}

FhirDecimal decimal_round(const FhirDecimal *d, int scale)
{
    if (d->scale <= scale) {
        return *d;
    }
    __int128 unit = 1;
    times_ten(&unit, d->scale - scale);
    __int128 half = unit / 2, v = d->digits;
    __int128 rest = v % unit;
    v = v / unit + (rest >= half ? 1 : rest <= -half ? -1 : 0);
    return (FhirDecimal){v, scale};
}

bool decimal_of(const FhirValue *v, FhirDecimal *ret)
{
    if (v->kind == FHIR_VALUE_INTEGER) {
        *ret = decimal_from_i64(v->integer);
        return true;
    }
    if (v->kind == FHIR_VALUE_DECIMAL) {
        *ret = *v->decimal;
        return true;
    }
    return false;
}

FhirValue path_decimal(Arena *a, FhirDecimal d)
{
    FhirDecimal *copy = arena_alloc_raw(a, sizeof *copy);
    *copy = d;
    return (FhirValue){.kind = FHIR_VALUE_DECIMAL, .decimal = copy};
}
