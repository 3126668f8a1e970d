#include "db_id.h"

#include "mk_banned.h"

static bool dash_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool db_id_pack(Str text, uint8_t ret[DB_ID_BYTES])
{
    if (text.n != DB_ID_TEXT) {
        return false;
    }
    const char *p = text.p;
    for (size_t i = 0; i < DB_ID_BYTES; i++, p += 2) {
        if (dash_before(i) && *p++ != '-') {
            return false;
        }
        int high = nibble(p[0]), low = nibble(p[1]);
        if (high < 0 || low < 0) {
            return false;
        }
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

Str db_id_text(const char *packed, char room[DB_ID_TEXT])
{
    static const char digit[] = "0123456789abcdef";
    char *p = room;
    for (size_t i = 0; i < DB_ID_BYTES; i++) {
        uint8_t b = (uint8_t)packed[i];
        if (dash_before(i)) {
            *p++ = '-';
        }
        *p++ = digit[b >> 4];
        *p++ = digit[b & 15];
    }
    return (Str){room, DB_ID_TEXT};
}
