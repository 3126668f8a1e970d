/* Between the parser and the readers: escapes and token texts. */
#ifndef JSON_INNER_H
#define JSON_INNER_H

#include "json.h"

/* Up to so many members an object's keys are compared with each other; above, by a map. */
#define PAIRWISE_MAX 24u

static inline bool json_hex4(const char *p, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], l = (char)(c | 32);
        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint32_t)(c - '0');
        } else if (l >= 'a' && l <= 'f') {
            v = v << 4 | (uint32_t)(l - 'a' + 10);
        } else {
            return false;
        }
    }
    *ret = v;
    return true;
}

static inline bool json_is_high(uint32_t u)
{
    return u >= 0xD800 && u < 0xDC00;
}

static inline bool json_is_low(uint32_t u)
{
    return u >= 0xDC00 && u < 0xE000;
}

/* The text of a string token, decoded into the document's arena where it has escapes. */
Str json_token_str(const JsonDoc *d, const JsonTok *t);

#endif
