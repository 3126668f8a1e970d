/* Positive fractions without rounding, for gains and intervals; false where one has no room. */
#include <stdio.h>

#include "ecg_inner.h"

#define EXACT_DECIMALS 12

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

bool ecg_rational(int64_t num, int64_t den, EcgRational *ret)
{
    if (num <= 0 || den <= 0) {
        return false;
    }
    int64_t g = gcd(num, den);
    *ret = (EcgRational){num / g, den / g};
    return true;
}

double ecg_rational_value(EcgRational r)
{
    return (double)r.num / (double)r.den;
}

/* Long division; true when the remainder is gone within EXACT_DECIMALS digits. */
static bool decimals_exact(EcgRational r, char digits[EXACT_DECIMALS + 1])
{
    int64_t rest = r.num % r.den;
    int n = 0;
    while (rest != 0 && n < EXACT_DECIMALS && rest <= INT64_MAX / 10) {
        rest *= 10;
        digits[n++] = (char)('0' + rest / r.den);
        rest %= r.den;
    }
    digits[n] = '\0';
    return rest == 0;
}

Str ecg_rational_text(Arena *a, EcgRational r)
{
    char digits[EXACT_DECIMALS + 1];
    if (!decimals_exact(r, digits)) {
        return arena_printf(a, "%.15g", ecg_rational_value(r));
    }
    if (digits[0] == '\0') {
        return arena_printf(a, "%lld", (long long)(r.num / r.den));
    }
    return arena_printf(a, "%lld.%s", (long long)(r.num / r.den), digits);
}

bool ecg_decimal_parse(Str s, int64_t *ret_mantissa, int *ret_exponent)
{
    int64_t mantissa = 0;
    int exponent = 0, digits = 0;
    bool minus = s.n > 0 && s.p[0] == '-';
    size_t i = s.n > 0 && (s.p[0] == '+' || minus) ? 1 : 0;
    for (bool point = false; i < s.n && (s.p[i] == '.' || (s.p[i] >= '0' && s.p[i] <= '9')); i++) {
        if (s.p[i] == '.') {
            if (point) {
                return false;
            }
            point = true;
            continue;
        }
        if (++digits > 15) {
            return false;
        }
        mantissa = mantissa * 10 + (s.p[i] - '0');
        exponent -= point ? 1 : 0;
    }
    int64_t written = 0;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        Str e = str_skip(s, i + 1);
        if (!str_to_i64(e.n > 0 && e.p[0] == '+' ? str_skip(e, 1) : e, &written)) {
            return false;
        }
        i = s.n;
    }
    if (digits == 0 || i != s.n || written < -15 || written > 15) {
        return false;
    }
    *ret_mantissa = minus ? -mantissa : mantissa;
    *ret_exponent = exponent + (int)written;
    return true;
}

bool ecg_rational_scaled(int64_t num, int64_t den, int exponent, EcgRational *ret)
{
    for (; exponent > 0; exponent--) {
        if (num > INT64_MAX / 10) {
            return false;
        }
        num *= 10;
    }
    for (; exponent < 0; exponent++) {
        if (den > INT64_MAX / 10) {
            return false;
        }
        den *= 10;
    }
    return ecg_rational(num, den, ret);
}

bool ecg_rational_mul(EcgRational a, EcgRational b, EcgRational *ret)
{
    EcgRational x, y;
    int64_t num, den;
    return ecg_rational(a.num, b.den, &x) && ecg_rational(b.num, a.den, &y) &&
           !__builtin_mul_overflow(x.num, y.num, &num) &&
           !__builtin_mul_overflow(x.den, y.den, &den) && ecg_rational(num, den, ret);
}

bool ecg_voltage_unit(Str unit, int *ret_exponent)
{
    static const struct {
        const char *unit;
        int exponent;
    } row[] = {{"nV", -3}, {"uV", 0}, {"µV", 0}, {"mV", 3}, {"V", 6}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (str_is(unit, row[i].unit)) {
            *ret_exponent = row[i].exponent;
            return true;
        }
    }
    return false;
}

bool ecg_zero_from(int64_t mantissa, int exponent, EcgRational gain, int32_t *ret)
{
    EcgRational origin, zero, inverse = {gain.den, gain.num};
    int64_t size = mantissa < 0 ? -mantissa : mantissa;
    if (size == 0) {
        *ret = 0;
        return true;
    }
    if (!ecg_rational_scaled(size, 1, exponent, &origin) ||
        !ecg_rational_mul(origin, inverse, &zero) || zero.den != 1 || zero.num > INT32_MAX) {
        return false;
    }
    *ret = (int32_t)(mantissa < 0 ? zero.num : -zero.num);
    return true;
}
