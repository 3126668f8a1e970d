/*
 * Reader: a cursor over foreign bytes that fails once and stays failed, so that a parser
 * is straight-line code with one look at the end. After a failure every read gives 0.
 */
#ifndef MK_READER_H
#define MK_READER_H

#include "mk_str.h"

typedef struct Reader {
    const uint8_t *p;
    size_t n, at;
    bool failed;
} Reader;

static inline Reader reader_from(Str s)
{
    return (Reader){(const uint8_t *)s.p, s.n, 0, false};
}

static inline size_t reader_left(const Reader *r)
{
    return r->failed ? 0 : r->n - r->at;
}

static inline const uint8_t *reader_take(Reader *r, size_t n)
{
    static const uint8_t nothing[16];
    if (r->failed || n > r->n - r->at) {
        r->failed = true;
        return n <= sizeof nothing ? nothing : NULL;
    }
    const uint8_t *p = r->p + r->at;
    r->at += n;
    return p;
}

static inline uint8_t reader_u8(Reader *r)
{
    return reader_take(r, 1)[0];
}

static inline uint16_t reader_u16le(Reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t reader_u32le(Reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A view of the next n bytes; empty after a failure. */
static inline Str reader_bytes(Reader *r, size_t n)
{
    if (r->failed || n > r->n - r->at) {
        r->failed = true;
        return STR_NONE;
    }
    Str s = {(const char *)r->p + r->at, n};
    r->at += n;
    return s;
}

static inline void reader_seek(Reader *r, size_t at)
{
    if (at > r->n) {
        r->failed = true;
    } else if (!r->failed) {
        r->at = at;
    }
}

#endif
