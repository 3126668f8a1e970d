#include "ecg_scp.h"
#include "ecg_write.h"

#define SECTION_VERSION 20 /* 2.0 */
#define MODEL_BYTES     6

typedef struct Writer {
    Err *err;
    const EcgRecording *rec;
    uint16_t unit_nv, interval_us;
    uint8_t difference;
    Buf section[SCP_SECTIONS]; /* bodies */
} Writer;

static void put_u16(Buf *b, unsigned v)
{
    buf_char(b, (char)(v & 0xFF));
    buf_char(b, (char)(v >> 8 & 0xFF));
}

static void put_u32(Buf *b, uint32_t v)
{
    put_u16(b, v & 0xFFFF);
    put_u16(b, v >> 16);
}

static Status write_refuse(const Writer *w, size_t lead, const char *zh, const char *en)
{
    EcgPlace p = ecg_place("SCP-ECG", "写 SCP-ECG", "writing SCP-ECG");
    return ecg_refuse(w->err, ERR_UNPROCESSABLE, &p, "第 %d 导联%s%.0s", "lead %d %.0s%s",
                      (int)lead + 1, zh, en);
}

static bool lead_like_first(const EcgLead *l, const EcgLead *first)
{
    return l->n == first->n && l->gain.num == first->gain.num && l->gain.den == first->gain.den &&
           l->rate.num == first->rate.num && l->rate.den == first->rate.den && l->zero == 0;
}

static Status lead_check(const Writer *w, size_t i)
{
    const EcgLead *l = &w->rec->leads[i];
    if (!lead_like_first(l, &w->rec->leads[0]) || l->n == 0) {
        return write_refuse(w, i, "的长度、增益、频率或零点与第 1 导联不同",
                            "differs from lead 1 in length, gain, rate or zero");
    }
    if (ecg_scp_lead_id(l->name) == 0) {
        return write_refuse(w, i, "不是标准导联名", "has no standard name");
    }
    for (size_t k = 0; k < l->n; k++) {
        if (l->samples[k] > INT16_MAX || l->samples[k] < INT16_MIN) {
            return write_refuse(w, i, "的采样超出 16 位", "has samples beyond 16 bits");
        }
    }
    return OK;
}

static Status scale_find(Writer *w)
{
    const EcgLead *l = &w->rec->leads[0];
    int64_t nv = l->gain.den <= 1000 && 1000 % l->gain.den == 0 && l->gain.num < 65536
                     ? l->gain.num * (1000 / l->gain.den)
                     : 0;
    int64_t us = l->rate.num <= 1000000 && 1000000 * l->rate.den % l->rate.num == 0
                     ? 1000000 * l->rate.den / l->rate.num
                     : 0;
    if (!str_is(l->unit, "uV") || nv < 1 || nv > 65535 || us < 1 || us > 65535) {
        return write_refuse(w, 0, "的增益或频率无法以整数 nV、微秒表示",
                            "has a gain or rate that whole nV and us cannot say");
    }
    w->unit_nv = (uint16_t)nv;
    w->interval_us = (uint16_t)us;
    return OK;
}

static void tag_put(Buf *b, uint8_t tag, Str value)
{
    buf_char(b, (char)tag);
    put_u16(b, (unsigned)value.n);
    buf_add(b, value);
}

static void text_tag_put(Buf *b, uint8_t tag, Str text)
{
    if (!str_empty(text)) {
        Str t = str_take(text, 60);
        buf_char(b, (char)tag);
        put_u16(b, (unsigned)t.n + 1);
        buf_add(b, t);
        buf_char(b, '\0');
    }
}

static void date_tag_put(Buf *b, uint8_t tag, const DateTime *d)
{
    buf_char(b, (char)tag);
    put_u16(b, 4);
    put_u16(b, (unsigned)d->year);
    buf_char(b, (char)d->month);
    buf_char(b, (char)d->day);
}

static void device_put(Buf *b, const EcgDevice *d)
{
    Str model = str_take(d->model, MODEL_BYTES - 1), serial = str_take(d->serial, 40);
    Str maker = str_take(d->manufacturer, 40);
    buf_char(b, 14);
    put_u16(b, (unsigned)(36 + 5 + serial.n + maker.n));
    put_u32(b, 0);             /* institution, department */
    put_u16(b, 0);             /* device number */
    buf_bytes(b, "\0\xff", 2); /* a cart; its maker is named in text */
    buf_add(b, model);
    for (size_t i = model.n; i < MODEL_BYTES; i++) {
        buf_char(b, '\0');
    }
    /* revision 2.0, category I, texts, capabilities, mains 50 Hz, 16 reserved, program's length */
    buf_bytes(b, "\x14\xa0\x07\x08\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 22);
    buf_char(b, '\0');
    buf_add(b, serial);
    buf_bytes(b, "\0\0\0", 3);
    buf_add(b, maker);
    buf_char(b, '\0');
}

static void person_put(Buf *b, const EcgPatient *p)
{
    text_tag_put(b, 0, p->family);
    text_tag_put(b, 1, p->given);
    text_tag_put(b, 2, p->id);
    if (p->age > 0) {
        static const char units[] = "amwdh";
        const char *unit = strchr(units, p->age_unit);
        char v[3] = {(char)(p->age & 0xFF), (char)(p->age >> 8),
                     (char)(unit && *unit ? unit - units + 1 : 1)};
        tag_put(b, 4, (Str){v, 3});
    }
    if (p->has_birth) {
        date_tag_put(b, 5, &p->birth);
    }
    tag_put(b, 8,
            p->sex == ECG_SEX_MALE     ? STR("\1")
            : p->sex == ECG_SEX_FEMALE ? STR("\2")
                                       : STR("\0"));
}

static void header_put(Buf *b, const EcgRecording *rec)
{
    person_put(b, &rec->patient);
    device_put(b, &rec->device);
    if (rec->has_start) {
        const DateTime *d = &rec->start;
        date_tag_put(b, 25, d);
        if (d->precision >= DATE_SECOND) {
            char v[3] = {(char)d->hour, (char)d->minute, (char)d->second};
            tag_put(b, 26, (Str){v, 3});
        }
        if (d->has_zone) {
            char v[5] = {(char)(d->zone_min & 0xFF), (char)(d->zone_min >> 8 & 0xFF), 0, 0, 0};
            tag_put(b, 34, (Str){v, 5});
        }
    }
    tag_put(b, SCP_TAG_END, STR_NONE);
}

/* Bits into bytes, the first bit highest. */
typedef struct BitWriter {
    Buf *b;
    uint64_t held; /* its low n bits wait, fewer than 8 */
    unsigned n;
} BitWriter;

/* The low n bits of v, n at most 16. */
static void bits_put(BitWriter *w, uint32_t v, unsigned n)
{
    w->held = w->held << n | (v & ((1u << n) - 1));
    for (w->n += n; w->n >= 8; w->n -= 8) {
        buf_char(w->b, (char)(w->held >> (w->n - 8)));
    }
}

/* The default table goes 0, 1, -1, 2, -2 … 8, -8, then the escapes of 8 and 16 bits. */
static const ScpCode *code_of(int32_t v)
{
    bool escape8 = v >= INT8_MIN && v <= INT8_MAX;
    size_t small = v > 0 ? 2 * (size_t)v - 1 : 2 * (size_t) - (int64_t)v;
    size_t at =
        small + 2 < ecg_scp_default_codes ? small : ecg_scp_default_codes - (escape8 ? 2 : 1);
    return &ecg_scp_default_code[at];
}

static void number_put(BitWriter *w, int32_t v)
{
    const ScpCode *c = code_of(v);
    uint32_t prefix = 0;
    for (unsigned k = 0; k < c->prefix_bits; k++) {
        prefix = prefix << 1 | (c->prefix >> k & 1);
    }
    bits_put(w, prefix, c->prefix_bits);
    bits_put(w, (uint32_t)v, (unsigned)(c->total_bits - c->prefix_bits));
}

static int32_t difference_at(const EcgLead *l, size_t i, unsigned order)
{
    const int32_t *v = l->samples;
    if (i < order || order == 0) {
        return v[i];
    }
    return order == 1 ? v[i] - v[i - 1] : v[i] - 2 * v[i - 1] + v[i - 2];
}

/* The highest order whose every difference still fits the table's 16-bit escape. */
static uint8_t difference_choose(const EcgRecording *rec)
{
    uint8_t order = 2;
    for (size_t i = 0; i < rec->n_leads; i++) {
        for (size_t k = 0; k < rec->leads[i].n; k++) {
            while (order > 0) {
                int32_t d = difference_at(&rec->leads[i], k, order);
                if (d >= INT16_MIN && d <= INT16_MAX) {
                    break;
                }
                order--;
            }
        }
    }
    return order;
}

/* Bytes of the lead, an even number. */
static size_t lead_put(const Writer *w, size_t lead, Buf *b)
{
    size_t before = b->n;
    BitWriter bits = {b, 0, 0};
    const EcgLead *l = &w->rec->leads[lead];
    for (size_t i = 0; i < l->n; i++) {
        number_put(&bits, difference_at(l, i, w->difference));
    }
    if (bits.n > 0) {
        bits_put(&bits, 0, 8 - bits.n);
    }
    if ((b->n - before) % 2 != 0) {
        buf_char(b, '\0');
    }
    return b->n - before;
}

static Status rhythm_put(Writer *w, Buf *b)
{
    Buf data;
    buf_init(&data, 0);
    Status st = OK;
    put_u16(b, w->unit_nv);
    put_u16(b, w->interval_us);
    buf_char(b, (char)w->difference);
    buf_char(b, '\0');
    for (size_t i = 0; i < w->rec->n_leads && st == OK; i++) {
        size_t n = lead_put(w, i, &data);
        put_u16(b, (unsigned)n);
        if (n > UINT16_MAX) {
            st = write_refuse(w, i, "的数据超过 65535 字节，请缩短记录",
                              "needs more than 65535 bytes; shorten the recording");
        }
    }
    buf_add(b, buf_str(&data));
    buf_done(&data);
    return st;
}

static void leads_put(const Writer *w, Buf *b)
{
    size_t n = w->rec->n_leads;
    buf_char(b, (char)n);
    buf_char(b, (char)((n < 32 ? n << 3 : 0) | 4)); /* all at the same time */
    for (size_t i = 0; i < n; i++) {
        put_u32(b, 1);
        put_u32(b, (uint32_t)w->rec->leads[i].n);
        buf_char(b, (char)ecg_scp_lead_id(w->rec->leads[i].name));
    }
}

static size_t section_bytes(const Buf *body)
{
    return body->n ? SCP_HEADER_BYTES + body->n + body->n % 2 : 0;
}

static void pointers_put(Writer *w, Buf *b)
{
    size_t own = SCP_HEADER_BYTES + SCP_SECTIONS * SCP_POINTER_BYTES, at = SCP_RECORD_BYTES + own;
    for (size_t i = 0; i < SCP_SECTIONS; i++) {
        size_t n = i == 0 ? own : section_bytes(&w->section[i]);
        put_u16(b, (unsigned)i);
        put_u32(b, (uint32_t)n);
        put_u32(b, n == 0 ? 0 : (uint32_t)(i == 0 ? SCP_RECORD_BYTES + 1 : at + 1));
        at += i == 0 ? 0 : n;
    }
}

/* CRCs are over what follows them, so they are filled in last. */
static void crc_fill(Buf *b, size_t at, size_t n)
{
    if (!b->failed) {
        uint16_t crc = ecg_scp_crc((Str){b->p + at + 2, n - 2});
        b->p[at] = (char)(crc & 0xFF);
        b->p[at + 1] = (char)(crc >> 8);
    }
}

static void section_put(Buf *out, size_t id, Buf *body)
{
    size_t at = out->n, n = section_bytes(body);
    put_u16(out, 0);
    put_u16(out, (unsigned)id);
    put_u32(out, (uint32_t)n);
    buf_char(out, SECTION_VERSION);
    buf_char(out, SECTION_VERSION);
    buf_bytes(out, id == 0 ? "SCPECG" : "\0\0\0\0\0\0", 6);
    buf_add(out, buf_str(body));
    if (body->n % 2 != 0) {
        buf_char(out, '\0');
    }
    crc_fill(out, at, n);
}

static void record_put(Writer *w, Buf *out)
{
    size_t at = out->n;
    put_u16(out, 0);
    put_u32(out, 0);
    for (size_t i = 0; i < SCP_SECTIONS; i++) {
        if (w->section[i].n > 0) {
            section_put(out, i, &w->section[i]);
        }
    }
    size_t n = out->n - at;
    for (unsigned i = 0; i < 4 && !out->failed; i++) {
        out->p[at + 2 + i] = (char)(n >> (8 * i) & 0xFF);
    }
    crc_fill(out, at, n);
}

static Status sections_make(Writer *w)
{
    if (w->rec->n_leads == 0) {
        return write_refuse(w, 0, "不存在：记录没有导联", "is missing: the recording has no leads");
    }
    TRY(scale_find(w));
    for (size_t i = 0; i < w->rec->n_leads; i++) {
        TRY(lead_check(w, i));
    }
    w->difference = difference_choose(w->rec);
    header_put(&w->section[1], w->rec);
    put_u16(&w->section[2], SCP_TABLE_DEFAULT);
    leads_put(w, &w->section[3]);
    TRY(rhythm_put(w, &w->section[6]));
    pointers_put(w, &w->section[0]);
    return OK;
}

Status ecg_write_scp(Buf *b, const EcgRecording *rec, Err *err)
{
    Writer w = {.err = err, .rec = rec};
    for (size_t i = 0; i < SCP_SECTIONS; i++) {
        buf_init(&w.section[i], 0);
    }
    Status st = sections_make(&w);
    if (st == OK) {
        record_put(&w, b);
    }
    for (size_t i = 0; i < SCP_SECTIONS; i++) {
        buf_done(&w.section[i]);
    }
    return st;
}
