/* Which route a method and a path mean. */
#include "http.h"

#include "mk_banned.h"

#define SEGMENTS_MAX 8

/* A {name} never stands for an operation or a system word; a {Name} begins with a capital. */
static bool segment_free(const char *name, Str s)
{
    bool capital = name[1] >= 'A' && name[1] <= 'Z';
    return s.n > 0 && s.p[0] != '$' && s.p[0] != '_' &&
           (!capital || (s.p[0] >= 'A' && s.p[0] <= 'Z'));
}

/*
 * One segment of the pattern, up to its '/' or end, against one of the path: literal or {name}.
 * Returns where the pattern goes on, or NULL.
 */
static const char *segment_fits(const char *pattern, Str segment, HttpRequest *r)
{
    if (*pattern == '{') {
        if (!segment_free(pattern, segment) || r->part_n == HTTP_PARTS_MAX) {
            return NULL;
        }
        r->part[r->part_n++] = segment;
        return strchr(pattern, '}') + 1;
    }
    for (size_t i = 0; i < segment.n; i++, pattern++) {
        if (*pattern != segment.p[i]) {
            return NULL;
        }
    }
    return *pattern == '/' || !*pattern ? pattern : NULL;
}

/* A path cut at its slashes once, for all the patterns. A slash at the end names nothing. */
typedef struct Segments {
    Str at[SEGMENTS_MAX]; /* decoded; .p is NULL where an escape is broken: fits no pattern */
    unsigned n;           /* may be above SEGMENTS_MAX: only a star fits so many */
} Segments;

static void path_cut(Str path, Arena *a, Segments *ret)
{
    Str rest = path;
    ret->n = 0;
    do {
        Str one;
        str_cut(str_skip(rest, 1), '/', &one, &rest);
        if (ret->n < SEGMENTS_MAX && !http_decode(a, one, false, &ret->at[ret->n])) {
            ret->at[ret->n] = STR_NONE;
        }
        ret->n++;
        rest = rest.n ? (Str){rest.p - 1, rest.n + 1} : STR_NONE;
    } while (rest.n && ret->n <= SEGMENTS_MAX);
}

/* False for most of the rows that cannot fit, by the last character alone. */
static bool end_may_fit(const char *pattern, Str last)
{
    char end = pattern[strlen(pattern) - 1];
    return end == '}' || end == '*' || end == '/' || (last.n && last.p[last.n - 1] == end);
}

typedef enum Fit {
    FIT_NOT,
    FIT_STAR, /* what follows is the star's */
    FIT_WHOLE
} Fit;

static Fit pattern_fits(const char *pattern, const Segments *path, HttpRequest *r)
{
    unsigned i = 0;
    r->part_n = 0;
    for (; *pattern == '/'; i++) {
        if (*++pattern == '*') {
            return FIT_STAR;
        }
        if (i >= path->n || i == SEGMENTS_MAX || !path->at[i].p) {
            return FIT_NOT;
        }
        pattern = segment_fits(pattern, path->at[i], r);
        if (!pattern) {
            return FIT_NOT;
        }
    }
    return i == path->n ? FIT_WHOLE : FIT_NOT;
}

static unsigned methods_of(const HttpRoute *route)
{
    return route->methods | (route->methods & HTTP_GET ? HTTP_HEAD : 0);
}

/* The methods by which the path is served, wholly or else by a star. */
static unsigned methods_allowed(const HttpRoute *routes, size_t n, const Segments *path,
                                HttpRequest *request, unsigned *ret_star)
{
    unsigned whole = 0;
    *ret_star = 0;
    for (size_t i = 0; i < n; i++) {
        Fit fit = pattern_fits(routes[i].pattern, path, request);
        whole |= fit == FIT_WHOLE ? methods_of(&routes[i]) : 0;
        *ret_star |= fit == FIT_STAR ? methods_of(&routes[i]) : 0;
    }
    request->part_n = 0;
    return whole;
}

const HttpRoute *http_route_find(const HttpRoute *routes, size_t n, Arena *a, HttpRequest *request,
                                 unsigned *ret_allowed)
{
    const HttpRoute *by_star = NULL;
    unsigned star;
    Segments path;
    *ret_allowed = 0;
    path_cut(request->path, a, &path);
    Str last = path.at[(path.n < SEGMENTS_MAX ? path.n : SEGMENTS_MAX) - 1];
    for (size_t i = 0; i < n; i++) {
        if (!(methods_of(&routes[i]) & (unsigned)request->method) ||
            !end_may_fit(routes[i].pattern, last)) {
            continue;
        }
        Fit fit = pattern_fits(routes[i].pattern, &path, request);
        if (fit == FIT_WHOLE) {
            return &routes[i];
        }
        by_star = fit == FIT_STAR && !by_star ? &routes[i] : by_star;
    }
    unsigned whole = methods_allowed(routes, n, &path, request, &star);
    *ret_allowed = whole ? whole : star;
    return whole ? NULL : by_star;
}
