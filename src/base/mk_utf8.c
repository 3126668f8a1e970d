#include "mk_utf8.h"

#include "mk_banned.h"

/* Bytes that follow the lead byte, and the range of the first of them; 0 = bad lead. */
static int utf8_tail(uint8_t lead, uint8_t *lo, uint8_t *hi)
{
    *lo = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *hi = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 1;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return 2;
    }
    return lead >= 0xF0 && lead <= 0xF4 ? 3 : 0;
}

uint32_t utf8_next(Str s, size_t *i)
{
    const uint8_t *p = (const uint8_t *)s.p + *i;
    size_t left = s.n - *i;
    if (left == 0) {
        return UTF8_BAD;
    }
    *i += 1;
    if (p[0] < 0x80) {
        return p[0];
    }
    uint8_t lo, hi;
    int tail = utf8_tail(p[0], &lo, &hi);
    if (tail == 0 || (size_t)tail >= left || p[1] < lo || p[1] > hi) {
        return UTF8_BAD;
    }
    uint32_t cp = p[0] & (0x3Fu >> tail);
    for (int k = 1; k <= tail; k++) {
        if ((p[k] & 0xC0) != 0x80) {
            return UTF8_BAD;
        }
        cp = cp << 6 | (p[k] & 0x3Fu);
    }
    *i += (size_t)tail;
    return cp;
}

static bool ascii8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return (w & 0x8080808080808080ull) == 0;
}

bool utf8_valid(Str s)
{
    size_t i = 0;
    while (i < s.n) {
        if (s.n - i >= 8 && ascii8(s.p + i)) {
            i += 8;
        } else if (utf8_next(s, &i) == UTF8_BAD) {
            return false;
        }
    }
    return true;
}

size_t utf8_put(char out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t utf8_count(Str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++) {
        (void)utf8_next(s, &i);
    }
    return n;
}

Str utf8_take(Str s, size_t n)
{
    if (s.n <= n) {
        return s;
    }
    while (n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80) {
        n--;
    }
    return str_take(s, n);
}
