/*
 * Str: a view of bytes that somebody else owns; never NUL-terminated by promise.
 * The empty view is {NULL, 0} or {p, 0}; both are equal. A Str lives as long as
 * the arena, document or literal it points into.
 */
#ifndef MK_STR_H
#define MK_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Str {
    const char *p;
    size_t n;
} Str;

/* A view of a string literal. */
#define STR(literal) ((Str){("" literal), sizeof(literal) - 1})
#define STR_NONE     ((Str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline Str str_from_c(const char *c)
{
    return (Str){c, c ? strlen(c) : 0};
}

static inline bool str_eq(Str a, Str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(Str a, const char *c)
{
    return str_eq(a, str_from_c(c));
}

static inline bool str_empty(Str a)
{
    return a.n == 0;
}

static inline bool str_starts(Str a, Str prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(Str a, Str suffix)
{
    return a.n >= suffix.n &&
           (suffix.n == 0 || memcmp(a.p + a.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The view without its first `n` bytes (all of them when it is shorter). */
static inline Str str_skip(Str a, size_t n)
{
    return n >= a.n ? STR_NONE : (Str){a.p + n, a.n - n};
}

static inline Str str_take(Str a, size_t n)
{
    return (Str){a.p, n < a.n ? n : a.n};
}

/* Byte order, shorter first on a tie: <0, 0, >0. */
int str_cmp(Str a, Str b);
/* Index of the first `c`, or -1. */
ptrdiff_t str_find_char(Str a, char c);
/* Index of the first `needle`, or -1. An empty needle is found at 0. */
ptrdiff_t str_find(Str a, Str needle);
/* Cuts at the first `c`: *head before it, *tail after it. False (head = all, tail empty) if absent.
 */
bool str_cut(Str a, char c, Str *head, Str *tail);
Str str_trim(Str a);
/* ASCII only. */
bool str_eq_nocase(Str a, Str b);
/* Whole text must be a decimal integer in range; false otherwise and *ret untouched. */
bool str_to_i64(Str a, int64_t *ret);

#endif
