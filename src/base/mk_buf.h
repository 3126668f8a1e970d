/*
 * Buf: a growing byte buffer with a cap. Writing past the cap sets `failed` and writes
 * nothing more; the writer looks once at the end. Owns its heap memory; buf_done frees.
 * Typed writers escape for their sink.
 */
#ifndef MK_BUF_H
#define MK_BUF_H

#include "mk_arena.h"

typedef struct Buf {
    char *p;
    size_t n, room, cap_bytes; /* cap 0: none */
    bool failed;
} Buf;

void buf_init(Buf *b, size_t cap_bytes);
void buf_done(Buf *b);
void buf_clear(Buf *b); /* keeps the memory */
static inline Str buf_str(const Buf *b)
{
    return (Str){b->p, b->n};
}
/* Makes room for n more bytes; false (and failed) past the cap. */
bool buf_reserve(Buf *b, size_t n);
/* The bytes as the arena's, followed by a NUL that n does not count; b is done. */
Str buf_take(Buf *b, Arena *a);
void buf_bytes(Buf *b, const void *p, size_t n);
static inline void buf_add(Buf *b, Str s)
{
    buf_bytes(b, s.p, s.n);
}
static inline void buf_c(Buf *b, const char *s)
{
    buf_bytes(b, s, strlen(s));
}
static inline void buf_char(Buf *b, char c)
{
    bool room = b->n < b->room && b->n != b->cap_bytes && !b->failed;
    if (room || buf_reserve(b, 1)) {
        b->p[b->n++] = c;
    }
}
void buf_i64(Buf *b, int64_t v);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* JSON string content with quotes; control characters escaped, UTF-8 as it is. */
void buf_json_str(Buf *b, Str s);
/* application/x-www-form-urlencoded / RFC 3986 unreserved; everything else %XX. */
void buf_url(Buf *b, Str s);
/* & < > " ' escaped. */
void buf_html(Buf *b, Str s);

#endif
