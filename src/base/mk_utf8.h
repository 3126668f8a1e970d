/* UTF-8: validation and walking. A code point is 0 … 0x10FFFF without surrogates. */
#ifndef MK_UTF8_H
#define MK_UTF8_H

#include "mk_str.h"

bool utf8_valid(Str s);
/* Decodes at *i and moves it on; UTF8_BAD on a bad sequence (moves one byte). */
#define UTF8_BAD 0xFFFFFFFFu
uint32_t utf8_next(Str s, size_t *i);
/* Writes 1–4 bytes, returns how many. */
size_t utf8_put(char out[4], uint32_t cp);
size_t utf8_count(Str s);
/* As many whole characters of it as fit into n bytes. */
Str utf8_take(Str s, size_t n);

#endif
