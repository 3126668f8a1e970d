/*
 * Builders of small recordings for the tests, independent of the writers under test: SCP-ECG from
 * section bodies, Huffman codes spelt out as text, WFDB signal files format by format.
 */
#ifndef ECG_MAKE_H
#define ECG_MAKE_H

#include "ecg.h"
#include "test.h"

static inline void le16(Buf *b, unsigned v)
{
    buf_char(b, (char)(v & 0xFF));
    buf_char(b, (char)(v >> 8 & 0xFF));
}

static inline void le32(Buf *b, uint32_t v)
{
    le16(b, v & 0xFFFF);
    le16(b, v >> 16);
}

static inline unsigned get16(const char *p)
{
    return (uint8_t)p[0] | (unsigned)(uint8_t)p[1] << 8;
}

static inline uint32_t get32(const char *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static inline unsigned make_crc(const char *p, size_t n)
{
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < n * 8; i++) {
        unsigned top = (crc >> 15 & 1) ^ ((uint8_t)p[i / 8] >> (7 - i % 8) & 1);
        crc = (crc << 1 & 0xFFFF) ^ (top ? 0x1021 : 0);
    }
    return crc;
}

static inline void crc_set(char *p, size_t n)
{
    unsigned crc = make_crc(p + 2, n - 2);
    p[0] = (char)(crc & 0xFF);
    p[1] = (char)(crc >> 8);
}

/* Puts right every CRC that the pointers of section 0 still lead to. */
static inline void scp_repair(char *p, size_t n)
{
    for (size_t at = 22; at + 10 <= n && at < 22 + 12 * 10; at += 10) {
        uint32_t length = get32(p + at + 2), index = get32(p + at + 6);
        if (length >= 16 && index >= 7 && index - 1 <= n && length <= n - (index - 1)) {
            crc_set(p + index - 1, length);
        }
    }
    if (n > 2) {
        crc_set(p, n);
    }
}

typedef struct ScpMake {
    Buf body[12];
} ScpMake;

static inline void scp_make_init(ScpMake *m)
{
    for (size_t i = 0; i < 12; i++) {
        buf_init(&m->body[i], 0);
    }
}

static inline void scp_make_done(ScpMake *m)
{
    for (size_t i = 0; i < 12; i++) {
        buf_done(&m->body[i]);
    }
}

/* Tag 2 (id), then the end tag. */
static inline void scp_make_header(ScpMake *m)
{
    Buf *b = &m->body[1];
    buf_char(b, 2);
    le16(b, 5);
    buf_bytes(b, "P-01", 5);
    buf_bytes(b, "\xff\0\0", 3);
}

static inline void scp_make_leads(ScpMake *m, const uint8_t *id, size_t leads, size_t n, bool beat)
{
    Buf *b = &m->body[3];
    buf_char(b, (char)leads);
    buf_char(b, (char)(beat ? 5 : 4));
    for (size_t i = 0; i < leads; i++) {
        le32(b, 1);
        le32(b, (uint32_t)n);
        buf_char(b, (char)id[i]);
    }
}

static inline void scp_make_wave(Buf *b, unsigned nv, unsigned us, unsigned difference,
                                 unsigned bimodal)
{
    le16(b, nv);
    le16(b, us);
    buf_char(b, (char)difference);
    buf_char(b, (char)bimodal);
}

/* The record with all CRCs; into out. */
static inline void scp_make_put(ScpMake *m, Buf *out)
{
    size_t at = 6 + 136;
    le16(out, 0);
    le32(out, 0);
    le16(out, 0);
    le16(out, 0);
    le32(out, 136);
    buf_bytes(out, "\x14\x14SCPECG", 8);
    for (unsigned i = 0; i < 12; i++) {
        size_t n = m->body[i].n ? m->body[i].n + 16 : 0;
        le16(out, i);
        le32(out, i == 0 ? 136 : (uint32_t)n);
        le32(out, i == 0 ? 7 : n ? (uint32_t)at + 1 : 0);
        at += n;
    }
    for (unsigned i = 1; i < 12; i++) {
        if (m->body[i].n) {
            le16(out, 0);
            le16(out, i);
            le32(out, (uint32_t)m->body[i].n + 16);
            buf_bytes(out, "\x14\x14\0\0\0\0\0\0", 8);
            buf_add(out, buf_str(&m->body[i]));
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        out->p[2 + i] = (char)(out->n >> 8 * i & 0xFF);
    }
    scp_repair(out->p, out->n);
}

/* "0"s and "1"s into bytes, padded with zeros to an even number. */
static inline void bits_put(Buf *out, Str bits)
{
    size_t bytes = (bits.n + 7) / 8;
    for (size_t i = 0; i < bytes + bytes % 2; i++) {
        unsigned v = 0;
        for (size_t k = 0; k < 8; k++) {
            v = v << 1 | (i * 8 + k < bits.n && bits.p[i * 8 + k] == '1');
        }
        buf_char(out, (char)v);
    }
}

static inline void number_bits(Buf *bits, int v, unsigned n)
{
    for (unsigned i = n; i-- > 0;) {
        buf_char(bits, (unsigned)v >> i & 1 ? '1' : '0');
    }
}

/* The default table as the standard prints it: v ones, a zero, a sign; two escapes. */
static inline void huffman_bits(Buf *bits, int v)
{
    int size = v < 0 ? -v : v;
    if (v == 0) {
        buf_c(bits, "0");
    } else if (size <= 8) {
        for (int i = 0; i < size; i++) {
            buf_c(bits, "1");
        }
        buf_c(bits, v > 0 ? "00" : "01");
    } else {
        bool small = v >= -128 && v <= 127;
        buf_c(bits, small ? "1111111110" : "1111111111");
        number_bits(bits, v, small ? 8 : 16);
    }
}

#endif
