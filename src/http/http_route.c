/* Which route a method and a path mean. */
#include "http.h"

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

static bool pattern_fits(Str pattern, Str path, Arena *a, HttpRequest *r)
{
    r->part_n = 0;
    while (pattern.n > 0) {
        Str want, have, decoded, pattern_rest, path_rest;
        str_cut(str_skip(pattern, 1), '/', &want, &pattern_rest);
        if (str_is(want, "*")) {
            return true;
        }
        if (path.n == 0) {
            return false;
        }
        bool more = str_cut(str_skip(path, 1), '/', &have, &path_rest);
        if (!http_decode(a, have, false, &decoded) || !segment_fits(want, decoded, r)) {
            return false;
        }
        pattern = pattern_rest.n ? (Str){pattern_rest.p - 1, pattern_rest.n + 1} : STR_NONE;
        /* A slash at the end names nothing and is let pass. */
        path = more && path_rest.n ? (Str){path_rest.p - 1, path_rest.n + 1} : STR_NONE;
    }
    return path.n == 0;
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

static const HttpRoute *find_among(const HttpRoute *routes, size_t n, bool star, Arena *a,
                                   HttpRequest *r, unsigned *allowed)
{
    for (size_t i = 0; i < n; i++) {
        if (has_star(&routes[i]) != star ||
            !pattern_fits(str_from_c(routes[i].pattern), r->path, a, r)) {
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
    const HttpRoute *route = find_among(routes, n, false, a, request, &allowed);
    if (!route && allowed == 0) {
        route = find_among(routes, n, true, a, request, &allowed);
    }
    *ret_allowed = allowed;
    return route;
}
