#include "mk_str.h"

int str_cmp(Str a, Str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) {
        return c;
    }
    return (a.n > b.n) - (a.n < b.n);
}

ptrdiff_t str_find_char(Str a, char c)
{
    const char *hit = a.n ? memchr(a.p, c, a.n) : NULL;
    return hit ? hit - a.p : -1;
}

ptrdiff_t str_find(Str a, Str needle)
{
    if (needle.n == 0) {
        return 0;
    }
    const char *hit = a.n ? memmem(a.p, a.n, needle.p, needle.n) : NULL;
    return hit ? hit - a.p : -1;
}

bool str_cut(Str a, char c, Str *head, Str *tail)
{
    ptrdiff_t i = str_find_char(a, c);
    if (i < 0) {
        *head = a;
        *tail = STR_NONE;
        return false;
    }
    *head = (Str){a.p, (size_t)i};
    *tail = (Str){a.p + i + 1, a.n - (size_t)i - 1};
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str a)
{
    while (a.n && is_space(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n && is_space(a.p[a.n - 1])) {
        a.n--;
    }
    return a;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(Str a, Str b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

bool str_to_i64(Str a, int64_t *ret)
{
    bool minus = a.n && a.p[0] == '-';
    size_t i = minus;
    if (i == a.n) {
        return false;
    }
    int64_t v = 0; /* kept negative: INT64_MIN has no positive twin */
    for (; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, a.p[i] - '0', &v)) {
            return false;
        }
    }
    if (!minus && v == INT64_MIN) {
        return false;
    }
    *ret = minus ? v : -v;
    return true;
}
