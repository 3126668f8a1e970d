/* Which route a method and a path mean. */
#include "http.h"

#include "mk_banned.h"

#define SEGMENTS_MAX 8

/* A {name} never stands for an operation or a system word; a {Name} begins with a capital. */
static bool segment_free(Str name, Str s)
{
    bool capital = name.p[1] >= 'A' && name.p[1] <= 'Z';
    return s.n > 0 && s.p[0] != '$' && s.p[0] != '_' &&
           (!capital || (s.p[0] >= 'A' && s.p[0] <= 'Z'));
}

/*
 * One segment of the pattern against one of the path. A segment is literal, {name}, or a
 * literal followed by nothing else.
 */
static bool segment_fits(Str pattern, Str segment, HttpRequest *r)
{
    if (pattern.n > 1 && pattern.p[0] == '{') {
        if (!segment_free(pattern, segment) || r->part_n == HTTP_PARTS_MAX) {
            return false;
        }
        r->part[r->part_n++] = segment;
        return true;
    }
    return str_eq(pattern, segment);
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

static bool pattern_fits(Str pattern, const Segments *path, HttpRequest *r)
{
    unsigned i = 0;
    r->part_n = 0;
    for (; pattern.n > 0; i++) {
        Str want, rest;
        str_cut(str_skip(pattern, 1), '/', &want, &rest);
        if (str_is(want, "*")) {
            return true;
        }
        if (i >= path->n || i == SEGMENTS_MAX || !path->at[i].p ||
            !segment_fits(want, path->at[i], r)) {
            return false;
        }
        pattern = rest.n ? (Str){rest.p - 1, rest.n + 1} : STR_NONE;
    }
    return i == path->n;
}

static unsigned methods_of(const HttpRoute *route)
{
    return route->methods | (route->methods & HTTP_GET ? HTTP_HEAD : 0);
}

static bool has_star(const HttpRoute *route)
{
    size_t n = strlen(route->pattern);
    return n > 0 && route->pattern[n - 1] == '*';
}

static const HttpRoute *find_among(const HttpRoute *routes, size_t n, bool star,
                                   const Segments *path, HttpRequest *r, unsigned *allowed)
{
    for (size_t i = 0; i < n; i++) {
        if (has_star(&routes[i]) != star || !pattern_fits(str_from_c(routes[i].pattern), path, r)) {
            continue;
        }
        *allowed |= methods_of(&routes[i]);
        if (methods_of(&routes[i]) & (unsigned)r->method) {
            return &routes[i];
        }
    }
    return NULL;
}

const HttpRoute *http_route_find(const HttpRoute *routes, size_t n, Arena *a, HttpRequest *request,
                                 unsigned *ret_allowed)
{
    unsigned allowed = 0;
    Segments path;
    path_cut(request->path, a, &path);
    const HttpRoute *route = find_among(routes, n, false, &path, request, &allowed);
    if (!route && allowed == 0) {
        route = find_among(routes, n, true, &path, request, &allowed);
    }
    *ret_allowed = allowed;
    return route;
}
