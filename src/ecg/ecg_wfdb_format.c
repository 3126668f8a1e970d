/* The sample formats of WFDB: how many bytes, and which bits are whose. */
#include "ecg_wfdb.h"

typedef struct FormatRow {
    int format;
    unsigned group_samples, group_bytes;
    uint8_t partial[2]; /* bytes of an unfinished group of one or two samples */
    bool has_gap;
    int32_t gap;
} FormatRow;

static const FormatRow formats[] = {
    {8, 1, 1, {0}, false, 0},
    {16, 1, 2, {0}, true, INT16_MIN},
    {24, 1, 3, {0}, true, -(1 << 23)},
    {32, 1, 4, {0}, true, INT32_MIN},
    {61, 1, 2, {0}, true, INT16_MIN},
    {80, 1, 1, {0}, true, INT8_MIN},
    {160, 1, 2, {0}, true, INT16_MIN},
    {212, 2, 3, {2, 0}, true, -(1 << 11)},
    {310, 3, 4, {2, 4}, true, -(1 << 9)},
    {311, 3, 4, {2, 3}, true, -(1 << 9)},
};

static const FormatRow *format_row(int format)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i].format == format) {
            return &formats[i];
        }
    }
    return NULL;
}

bool ecg_wfdb_format_known(int format)
{
    return format_row(format) != NULL;
}

bool ecg_wfdb_format_gap(int format, int32_t *ret)
{
    const FormatRow *f = format_row(format);
    if (f->has_gap) {
        *ret = f->gap;
    }
    return f->has_gap;
}

uint64_t ecg_wfdb_format_bytes(int format, uint64_t n)
{
    const FormatRow *f = format_row(format);
    uint64_t rest = n % f->group_samples;
    return n / f->group_samples * f->group_bytes + (rest ? f->partial[rest - 1] : 0);
}

uint64_t ecg_wfdb_format_samples(int format, uint64_t bytes)
{
    const FormatRow *f = format_row(format);
    uint64_t n = bytes / f->group_bytes * f->group_samples, rest = bytes % f->group_bytes;
    for (unsigned i = 1; i < f->group_samples; i++) {
        n += rest >= f->partial[i - 1] ? 1 : 0;
    }
    return n;
}

static int32_t sign_extend(uint32_t v, unsigned bits)
{
    uint32_t sign = 1u << (bits - 1);
    v &= (sign << 1) - 1;
    return (int32_t)((v ^ sign) - sign);
}

static int32_t one_decode(int format, const uint8_t *p)
{
    switch (format) {
    case 8:
        return (int8_t)p[0];
    case 80:
        return p[0] - 128;
    case 61:
        return (int16_t)(p[0] << 8 | p[1]);
    case 160:
        return (p[0] | p[1] << 8) - 32768;
    case 24:
        return sign_extend((uint32_t)(p[0] | p[1] << 8 | p[2] << 16), 24);
    case 32:
        return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                         (uint32_t)p[3] << 24);
    default:
        return (int16_t)(p[0] | p[1] << 8);
    }
}

/* Two samples of twelve bits in three bytes. */
static int32_t decode_212(const uint8_t *p, unsigned i)
{
    return i == 0 ? sign_extend((uint32_t)(p[0] | p[1] << 8), 12)
                  : sign_extend((uint32_t)(p[2] | (p[1] & 0xF0) << 4), 12);
}

/* Three of ten bits: two in the upper part of a word each, the third in their highest five. */
static int32_t decode_310(const uint8_t *p, unsigned i)
{
    if (i < 2) {
        return sign_extend((uint32_t)(p[2 * i] | p[2 * i + 1] << 8) >> 1, 10);
    }
    return sign_extend((uint32_t)(p[1] >> 3 | (p[3] >> 3) << 5), 10);
}

/* Three of ten bits, one after the other, in a word of 32. */
static int32_t decode_311(const uint8_t *p, unsigned i)
{
    unsigned bit = i * 10, byte = bit / 8;
    return sign_extend((uint32_t)(p[byte] | p[byte + 1] << 8) >> bit % 8, 10);
}

void ecg_wfdb_format_decode(int format, Str bytes, int32_t *out, size_t n)
{
    const FormatRow *f = format_row(format);
    const uint8_t *p = (const uint8_t *)bytes.p;
    for (size_t i = 0; i < n; i++) {
        unsigned k = (unsigned)(i % f->group_samples);
        const uint8_t *group = p + i / f->group_samples * f->group_bytes;
        switch (format) {
        case 212:
            out[i] = decode_212(group, k);
            break;
        case 310:
            out[i] = decode_310(group, k);
            break;
        case 311:
            out[i] = decode_311(group, k);
            break;
        default:
            out[i] = one_decode(format, group);
        }
    }
}
