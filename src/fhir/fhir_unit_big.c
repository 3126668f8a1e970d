/* Whole numbers of up to UNIT_WORDS words, and fractions of them. */
#include <math.h>

#include "fhir_path_inner.h"
#include "fhir_unit_rows.h"

#define DIGITS_INEXACT 30
#define TENS_MAX       400 /* 10^400 does not fit beside anything */

UnitBig big_from(uint64_t v)
{
    UnitBig x;
    x.n = v ? 1 : 0;
    x.w[0] = v;
    return x;
}

UnitBig big_from_digits(__int128 v)
{
    unsigned __int128 u = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    UnitBig x;
    x.w[0] = (uint64_t)u;
    x.w[1] = (uint64_t)(u >> 64);
    x.n = x.w[1] ? 2 : x.w[0] ? 1 : 0;
    return x;
}

static bool times_word(UnitBig *x, uint64_t y)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        unsigned __int128 p = (unsigned __int128)x->w[i] * y + carry;
        x->w[i] = (uint64_t)p;
        carry = (uint64_t)(p >> 64);
    }
    if (carry && x->n == UNIT_WORDS) {
        return false;
    }
    if (carry) {
        x->w[x->n++] = carry;
    }
    return true;
}

bool big_multiply(UnitBig *x, const UnitBig *y)
{
    if (y->n <= 1) {
        x->n = y->n ? x->n : 0;
        return y->n == 0 || times_word(x, y->w[0]);
    }
    if (x->n + y->n > UNIT_WORDS) {
        return false;
    }
    uint64_t out[UNIT_WORDS] = {0};
    for (uint32_t i = 0; i < x->n; i++) {
        uint64_t carry = 0;
        for (uint32_t k = 0; k < y->n; k++) {
            unsigned __int128 p = (unsigned __int128)x->w[i] * y->w[k] + out[i + k] + carry;
            out[i + k] = (uint64_t)p;
            carry = (uint64_t)(p >> 64);
        }
        out[i + y->n] = carry;
    }
    uint32_t n = x->n ? x->n + y->n : 0;
    while (n && out[n - 1] == 0) {
        n--;
    }
    memcpy(x->w, out, sizeof *out * n);
    x->n = n;
    return true;
}

bool big_add(UnitBig *x, const UnitBig *y)
{
    uint64_t carry = 0;
    uint32_t n = x->n > y->n ? x->n : y->n;
    for (uint32_t i = 0; i < n; i++) {
        unsigned __int128 s =
            (unsigned __int128)(i < x->n ? x->w[i] : 0) + (i < y->n ? y->w[i] : 0) + carry;
        x->w[i] = (uint64_t)s;
        carry = (uint64_t)(s >> 64);
    }
    if (carry && n == UNIT_WORDS) {
        return false;
    }
    if (carry) {
        x->w[n++] = carry;
    }
    x->n = n;
    return true;
}

void big_subtract(UnitBig *x, const UnitBig *y)
{
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        uint64_t minus = i < y->n ? y->w[i] : 0;
        unsigned __int128 d = (unsigned __int128)x->w[i] - minus - borrow;
        x->w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) ? 1 : 0;
    }
    while (x->n && x->w[x->n - 1] == 0) {
        x->n--;
    }
}

bool big_times_ten(UnitBig *x, int n)
{
    if (n > TENS_MAX) {
        return x->n == 0;
    }
    for (; n >= 19; n -= 19) {
        if (!times_word(x, 10000000000000000000u)) {
            return false;
        }
    }
    uint64_t rest = 1;
    while (n-- > 0) {
        rest *= 10;
    }
    return times_word(x, rest);
}

int big_cmp(const UnitBig *x, const UnitBig *y)
{
    if (x->n != y->n) {
        return x->n < y->n ? -1 : 1;
    }
    for (uint32_t i = x->n; i-- > 0;) {
        if (x->w[i] != y->w[i]) {
            return x->w[i] < y->w[i] ? -1 : 1;
        }
    }
    return 0;
}

static long double big_to_double(const UnitBig *x)
{
    long double v = 0;
    for (uint32_t i = x->n; i-- > 0;) {
        v = v * 18446744073709551616.0L + (long double)x->w[i];
    }
    return v;
}

UnitRatio ratio_one(void)
{
    UnitRatio r;
    r.num = big_from(1);
    r.den = big_from(1);
    r.exp = 0;
    return r;
}

bool ratio_multiply(UnitRatio *x, const UnitRatio *y, int power)
{
    const UnitBig *num = power < 0 ? &y->den : &y->num, *den = power < 0 ? &y->num : &y->den;
    for (int i = 0; i < abs(power); i++) {
        if (!big_multiply(&x->num, num) || !big_multiply(&x->den, den)) {
            return false;
        }
    }
    x->exp += y->exp * power;
    return true;
}

long double ratio_to_double(const UnitRatio *x)
{
    return big_to_double(&x->num) / big_to_double(&x->den) * powl(10, x->exp);
}

/* digits × 10^-scale with a scale that FhirDecimal has. */
static bool decimal_fit(__int128 digits, int scale, FhirDecimal *ret)
{
    while (scale > 0 && digits % 10 == 0 && digits != 0) {
        digits /= 10;
        scale--;
    }
    while (scale > DECIMAL_SCALE_MAX && digits != 0) {
        digits = (digits + (scale == DECIMAL_SCALE_MAX + 1 ? (digits < 0 ? -5 : 5) : 0)) / 10;
        scale--;
    }
    while (scale < 0) {
        if (__builtin_mul_overflow(digits, (__int128)10, &digits)) {
            return false;
        }
        scale++;
    }
    *ret = (FhirDecimal){digits, digits ? scale : 0};
    return true;
}

static bool is_one(const UnitBig *x)
{
    return x->n == 1 && x->w[0] == 1;
}

/* num / den digit by digit: brought to 1 ≤ num / den < 10 first. */
static bool divide(UnitRatio *x, __int128 *ret_digits, int *ret_exp)
{
    int exp = x->exp;
    for (; big_cmp(&x->num, &x->den) < 0; exp--) {
        if (!times_word(&x->num, 10)) {
            return false;
        }
    }
    for (UnitBig tens = x->den;; exp++) {
        if (!times_word(&tens, 10) || big_cmp(&x->num, &tens) < 0) {
            break;
        }
        x->den = tens;
    }
    __int128 digits = 0;
    for (int i = 0; i <= DIGITS_INEXACT && x->num.n; i++) {
        int digit = 0;
        for (; big_cmp(&x->num, &x->den) >= 0; digit++) {
            big_subtract(&x->num, &x->den);
        }
        if (i == DIGITS_INEXACT) { /* only rounds */
            digits += digit >= 5;
            break;
        }
        digits = digits * 10 + digit;
        exp -= i > 0;
        if (!times_word(&x->num, 10)) {
            return false;
        }
    }
    *ret_digits = digits;
    *ret_exp = exp;
    return true;
}

bool ratio_to_decimal(const UnitRatio *x, bool minus, FhirDecimal *ret)
{
    UnitRatio r = *x;
    __int128 digits = 0;
    int exp = r.exp;
    if (is_one(&r.den) && (r.num.n < 2 || (r.num.n == 2 && r.num.w[1] < 1u << 30))) {
        digits = r.num.n == 2   ? (__int128)r.num.w[1] << 64 | (__int128)r.num.w[0]
                 : r.num.n == 1 ? (__int128)r.num.w[0]
                                : 0;
    } else if (r.num.n && !divide(&r, &digits, &exp)) {
        return false;
    }
    return decimal_fit(minus ? -digits : digits, -exp, ret);
}
