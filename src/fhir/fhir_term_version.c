/* Business versions of canonical resources: which fits a pattern, which is newer. */
#include "fhir_term_inner.h"

static bool is_wild(Str part)
{
    return str_is(part, "x") || str_is(part, "X") || str_is(part, "*");
}

static unsigned parts_count(Str s)
{
    unsigned n = s.n ? 1 : 0;
    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == '.';
    }
    return n;
}

/* "1.x.x" fits 1.2.0; "1.0" fits 1.0.3; all else must be equal. */
bool term_version_fits(Str pattern, Str version)
{
    if (str_eq(pattern, version)) {
        return true;
    }
    if (str_empty(pattern) || str_empty(version)) {
        return false;
    }
    bool wild = false;
    Str p = pattern, v = version, pp, vp;
    unsigned parts = parts_count(pattern);
    while (parts-- > 0) {
        Str rest;
        str_cut(p, '.', &pp, &rest);
        p = rest;
        if (v.p == NULL) {
            return wild && is_wild(pp);
        }
        bool more = str_cut(v, '.', &vp, &rest);
        v = more ? rest : STR_NONE;
        wild = wild || is_wild(pp);
        if (!is_wild(pp) && !str_eq(pp, vp)) {
            return false;
        }
    }
    return wild || (parts_count(pattern) == 2 && parts_count(version) == 3);
}

static int part_order(Str a, Str b)
{
    int64_t x, y;
    if (str_to_i64(a, &x) && str_to_i64(b, &y)) {
        return x < y ? -1 : x > y;
    }
    return str_cmp(a, b);
}

int term_version_order(Str a, Str b)
{
    while (a.n && b.n) {
        Str ap, bp, rest;
        str_cut(a, '.', &ap, &rest);
        a = rest;
        str_cut(b, '.', &bp, &rest);
        b = rest;
        int order = part_order(ap, bp);
        if (order != 0) {
            return order;
        }
    }
    return a.n ? 1 : b.n ? -1 : 0;
}
