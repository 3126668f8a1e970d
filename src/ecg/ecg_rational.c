#include <stdio.h>

#include "ecg.h"

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
