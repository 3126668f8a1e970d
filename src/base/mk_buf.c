#include "mk_buf.h"

#include <stdarg.h>

#include "mk_err.h"
#include "mk_memory.h"

#include "mk_banned.h"

#define TAKE_BYTES_MIN 4096 /* smaller ones are copied */

void buf_init(Buf *b, size_t cap_bytes)
{
    *b = (Buf){.cap_bytes = cap_bytes};
}

void buf_done(Buf *b)
{
    free(b->p);
    *b = (Buf){.cap_bytes = b->cap_bytes};
}

void buf_clear(Buf *b)
{
    b->n = 0;
    b->failed = false;
}

bool buf_reserve(Buf *b, size_t n)
{
    if (b->failed || n > SIZE_MAX / 4 ||
        (b->cap_bytes && (n > b->cap_bytes || b->n > b->cap_bytes - n))) {
        b->failed = true;
        return false;
    }
    if (b->room - b->n >= n) {
        return true;
    }
    size_t room = b->room ? b->room * 2 : 256;
    while (room - b->n < n) {
        room *= 2;
    }
    char *p = memory_grow(b->p, room);
    b->p = p;
    b->room = room;
    return true;
}

Str buf_take(Buf *b, Arena *a)
{
    bool large = b->n >= TAKE_BYTES_MIN && b->room > b->n;
    Str s = large ? buf_str(b) : arena_str(a, buf_str(b));
    if (large) {
        b->p[b->n] = 0;
        arena_adopt(a, b->p, b->room);
        b->p = NULL;
    }
    buf_done(b);
    return s;
}

void buf_bytes(Buf *b, const void *p, size_t n)
{
    if (n && buf_reserve(b, n)) {
        memcpy(b->p + b->n, p, n);
        b->n += n;
    }
}

void buf_i64(Buf *b, int64_t v)
{
    char text[24];
    size_t at = sizeof text;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        text[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0) {
        text[--at] = '-';
    }
    buf_bytes(b, text + at, sizeof text - at);
}

void buf_printf(Buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    mk_check(n >= 0);
    if (buf_reserve(b, (size_t)n + 1)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

static void json_escape(Buf *b, char c)
{
    static const char HEX[] = "0123456789abcdef";
    const char *at = strchr("\"\\\b\f\n\r\t", c);
    if (c && at) {
        static const char SHORT[] = "\"\\bfnrt";
        buf_bytes(b, (char[]){'\\', SHORT[at - "\"\\\b\f\n\r\t"]}, 2);
    } else {
        buf_bytes(b, (char[]){'\\', 'u', '0', '0', HEX[(uint8_t)c >> 4], HEX[c & 15]}, 6);
    }
}

/* Whether none of eight bytes is '"', '\\' or below a blank. */
static bool json_plain_word(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t w, quote, slash;
    memcpy(&w, p, sizeof w);
    quote = w ^ ones * '"';
    slash = w ^ ones * '\\';
    return !((((w - ones * ' ') & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
             tops);
}

/* How many bytes from `from` stand in a string as they are. */
static size_t json_plain(Str s, size_t from)
{
    size_t i = from;
    while (i + 8 <= s.n && json_plain_word(s.p + i)) {
        i += 8;
    }
    while (i < s.n && (uint8_t)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\') {
        i++;
    }
    return i - from;
}

void buf_json_str(Buf *b, Str s)
{
    buf_reserve(b, s.n + 2);
    buf_char(b, '"');
    for (size_t at = 0; at < s.n; at++) {
        size_t plain = json_plain(s, at);
        buf_bytes(b, s.p + at, plain);
        at += plain;
        if (at < s.n) {
            json_escape(b, s.p[at]);
        }
    }
    buf_char(b, '"');
}

static bool url_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void buf_url(Buf *b, Str s)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (url_unreserved((char)c)) {
            buf_char(b, (char)c);
        } else {
            buf_bytes(b, (char[]){'%', HEX[c >> 4], HEX[c & 15]}, 3);
        }
    }
}

void buf_html(Buf *b, Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&':
            buf_c(b, "&amp;");
            break;
        case '<':
            buf_c(b, "&lt;");
            break;
        case '>':
            buf_c(b, "&gt;");
            break;
        case '"':
            buf_c(b, "&quot;");
            break;
        case '\'':
            buf_c(b, "&#39;");
            break;
        default:
            buf_char(b, s.p[i]);
        }
    }
}
