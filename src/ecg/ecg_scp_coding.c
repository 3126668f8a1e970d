/* Section 2 of SCP-ECG: Huffman tables, and the decoding of one run of numbers. */
#include "ecg_scp.h"

#define TABLES_MAX       64
#define CODES_MAX        4096 /* of all tables */
#define CODE_BYTES       9
#define PADDING_BITS_MAX 32 /* unused bits behind the last number */

/* The standard's default table: short codes for -8 … 8, then escapes of 8 and 16 bits. */
const ScpCode ecg_scp_default_code[] = {
    {1, 1, false, 0, 0x000},   {3, 3, false, 1, 0x001},    {3, 3, false, -1, 0x005},
    {4, 4, false, 2, 0x003},   {4, 4, false, -2, 0x00b},   {5, 5, false, 3, 0x007},
    {5, 5, false, -3, 0x017},  {6, 6, false, 4, 0x00f},    {6, 6, false, -4, 0x02f},
    {7, 7, false, 5, 0x01f},   {7, 7, false, -5, 0x05f},   {8, 8, false, 6, 0x03f},
    {8, 8, false, -6, 0x0bf},  {9, 9, false, 7, 0x07f},    {9, 9, false, -7, 0x17f},
    {10, 10, false, 8, 0x0ff}, {10, 10, false, -8, 0x2ff}, {10, 18, false, 0, 0x1ff},
    {10, 26, false, 0, 0x3ff},
};
const size_t ecg_scp_default_codes = sizeof ecg_scp_default_code / sizeof *ecg_scp_default_code;

#define coding_refuse(scp, zh_field, en_field, ...)                                                \
    ecg_scp_refuse(scp, 2, SCP_ALL_LEADS, zh_field, en_field, __VA_ARGS__)

static int32_t node_add(ScpTable *t)
{
    t->node[t->n_nodes] = (ScpNode){{-1, -1}, -1};
    return (int32_t)t->n_nodes++;
}

/* False when the code is, or has, a prefix of another. */
static bool code_insert(ScpTable *t, int32_t index)
{
    const ScpCode *c = &t->code[index];
    int32_t at = 0;
    for (unsigned i = 0; i < c->prefix_bits; i++) {
        unsigned bit = c->prefix >> i & 1;
        if (t->node[at].code >= 0) {
            return false;
        }
        if (t->node[at].next[bit] < 0) {
            int32_t fresh = node_add(t);
            t->node[at].next[bit] = fresh;
        }
        at = t->node[at].next[bit];
    }
    if (t->node[at].code >= 0 || t->node[at].next[0] >= 0 || t->node[at].next[1] >= 0) {
        return false;
    }
    t->node[at].code = index;
    return true;
}

/* Every word of bits that begins with a short code stands for it. */
static void quick_build(const Scp *scp, ScpTable *t)
{
    t->quick = arena_array(scp->arena, ScpQuick, 1u << SCP_QUICK_BITS);
    for (size_t i = 0; i < t->n_codes; i++) {
        unsigned bits = t->code[i].prefix_bits, word = 0;
        if (bits > SCP_QUICK_BITS) {
            continue;
        }
        for (unsigned k = 0; k < bits; k++) {
            word = word << 1 | (t->code[i].prefix >> k & 1);
        }
        unsigned rest = SCP_QUICK_BITS - bits;
        for (unsigned k = 0; k < 1u << rest; k++) {
            t->quick[word << rest | k] = (ScpQuick){(uint16_t)i, (uint8_t)bits};
        }
    }
}

static Status table_build(const Scp *scp, int number, ScpTable *t)
{
    size_t nodes = 1;
    for (size_t i = 0; i < t->n_codes; i++) {
        nodes += t->code[i].prefix_bits;
    }
    t->node = arena_array(scp->arena, ScpNode, nodes);
    node_add(t);
    for (size_t i = 0; i < t->n_codes; i++) {
        if (!code_insert(t, (int32_t)i)) {
            return coding_refuse(scp, "哈夫曼码", "Huffman code",
                                 "第 %d 张表第 %d 个码与另一个码重叠；文件损坏，请重新导出",
                                 "table %d, code %d overlaps another; the file is damaged, export "
                                 "again",
                                 number, (int)i + 1);
        }
    }
    quick_build(scp, t);
    return OK;
}

static Status code_check(const Scp *scp, int number, int index, const ScpCode *c, uint8_t mode,
                         size_t n_tables)
{
    bool switch_bad = c->is_switch && (c->value < 1 || (size_t)c->value > n_tables);
    if (c->prefix_bits < 1 || c->prefix_bits > 32 || c->total_bits < c->prefix_bits ||
        c->total_bits - c->prefix_bits > 16 || mode > 1 || switch_bad) {
        return coding_refuse(
            scp, "码结构", "code structure",
            "第 %d 张表第 %d 个码：前缀 %d 位、共 %d 位、切换 %d、基值 %d "
            "不合规定；文件损坏，请重新导出",
            "table %d, code %d: prefix %d bits, total %d, switch %d, value %d break "
            "the rules; the file is damaged, export again",
            number, index + 1, c->prefix_bits, c->total_bits, mode, c->value);
    }
    return OK;
}

static Status table_read(const Scp *scp, Reader *r, int number, ScpCoding *coding, size_t *codes)
{
    size_t n = reader_u16le(r);
    *codes += n;
    if (r->failed || n == 0 || *codes > CODES_MAX || n > reader_left(r) / CODE_BYTES) {
        return coding_refuse(scp, "码结构个数", "number of code structures",
                             "第 %d 张表写有 %d 个码，本节容不下或超过上限 %d；请重新导出",
                             "table %d claims %d codes, more than the section holds or than %d; "
                             "export again",
                             number, (int)n, CODES_MAX);
    }
    ScpCode *code = arena_array(scp->arena, ScpCode, n);
    for (size_t i = 0; i < n; i++) {
        code[i].prefix_bits = reader_u8(r);
        code[i].total_bits = reader_u8(r);
        uint8_t mode = reader_u8(r);
        code[i].is_switch = mode == 0;
        code[i].value = (int16_t)reader_u16le(r);
        code[i].prefix = reader_u32le(r);
        TRY(code_check(scp, number, (int)i, &code[i], mode, coding->n_tables));
    }
    ScpTable *t = &coding->table[number - 1];
    *t = (ScpTable){.code = code, .n_codes = n};
    return table_build(scp, number, t);
}

static Status tables_read(const Scp *scp, Reader *r, ScpCoding *coding)
{
    size_t codes = 0;
    for (size_t i = 0; i < coding->n_tables; i++) {
        TRY(table_read(scp, r, (int)i + 1, coding, &codes));
    }
    return OK;
}

Status ecg_scp_read_coding(const Scp *scp, ScpCoding *ret)
{
    *ret = (ScpCoding){.raw = !scp->section[2].present};
    if (ret->raw) {
        return OK;
    }
    Reader r = reader_from(scp->section[2].body);
    size_t n = reader_u16le(&r);
    bool standard = n == SCP_TABLE_DEFAULT;
    if (r.failed || n == 0 || (!standard && n > TABLES_MAX)) {
        return coding_refuse(
            scp, "哈夫曼表个数", "number of Huffman tables",
            "写的是 %d，应为 19999（默认表）或 1 至 %d；请重新导出",
            "says %d where 19999 (the default table) or 1 to %d belongs; export again", (int)n,
            TABLES_MAX);
    }
    ret->n_tables = standard ? 1 : n;
    ret->table = arena_array(scp->arena, ScpTable, ret->n_tables);
    if (!standard) {
        return tables_read(scp, &r, ret);
    }
    ret->table[0] = (ScpTable){.code = ecg_scp_default_code, .n_codes = ecg_scp_default_codes};
    return table_build(scp, 1, &ret->table[0]);
}

/* Bits, the highest of each byte first. */
typedef struct BitReader {
    Str bytes;
    size_t at, n; /* in bits */
    bool failed;
} BitReader;

static unsigned bit_next(BitReader *b)
{
    if (b->at >= b->n) {
        b->failed = true;
        return 0;
    }
    unsigned bit = (uint8_t)b->bytes.p[b->at >> 3] >> (7 - (b->at & 7)) & 1;
    b->at++;
    return bit;
}

/* The next n bits, at most 16, with zeros behind the end. */
static uint32_t bits_ahead(const BitReader *b, unsigned n)
{
    size_t at = b->at >> 3;
    uint32_t v = 0;
    for (size_t i = at; i < at + 3; i++) {
        v = v << 8 | (i < b->bytes.n ? (uint8_t)b->bytes.p[i] : 0);
    }
    return v >> (24 - n - (b->at & 7)) & ((1u << n) - 1);
}

static int32_t bits_signed(BitReader *b, unsigned n)
{
    uint32_t v = bits_ahead(b, n), sign = 1u << (n - 1);
    b->failed |= n > b->n - b->at;
    b->at = b->failed ? b->n : b->at + n;
    return (int32_t)((v ^ sign) - sign);
}

/* The next code's index in its table, or NULL at the end or where no code fits. */
static const ScpCode *code_next(const ScpTable *t, BitReader *b)
{
    ScpQuick q = t->quick[bits_ahead(b, SCP_QUICK_BITS)];
    if (q.bits && q.bits <= b->n - b->at) {
        b->at += q.bits;
        return &t->code[q.code];
    }
    int32_t at = 0;
    while (at >= 0 && t->node[at].code < 0 && !b->failed) {
        at = t->node[at].next[bit_next(b)];
    }
    return at < 0 || b->failed ? NULL : &t->code[t->node[at].code];
}

static bool number_next(const ScpCoding *coding, size_t *table, BitReader *b, int32_t *ret)
{
    for (;;) {
        const ScpCode *c = code_next(&coding->table[*table], b);
        if (c == NULL) {
            return false;
        }
        if (!c->is_switch) {
            unsigned extra = (unsigned)(c->total_bits - c->prefix_bits);
            *ret = extra ? bits_signed(b, extra) : c->value;
            return !b->failed;
        }
        *table = (size_t)c->value - 1;
    }
}

static Status run_length_refuse(const Scp *scp, const ScpRun *run, size_t n, size_t got)
{
    if (got < n) {
        return ecg_scp_refuse(
            scp, run->section, run->lead, "采样数据", "samples",
            "第 3 节写有 %lu 个采样，数据在第 %lu 个之后中断；文件损坏，请重新导出",
            "section 3 says %lu samples, the data end or break after %lu; the file is "
            "damaged, export again",
            (unsigned long)n, (unsigned long)got);
    }
    return ecg_scp_refuse(
        scp, run->section, run->lead, "数据字节数", "data length in bytes",
        "第 3 节的起止采样号给出 %lu 个采样，%lu 字节数据中还有剩余；请重新导出",
        "section 3's start and end sample give %lu samples, the %lu bytes hold more; "
        "export again",
        (unsigned long)n, (unsigned long)run->bytes.n);
}

static Status huffman_decode(const Scp *scp, const ScpCoding *coding, const ScpRun *run,
                             int32_t *out, size_t n)
{
    BitReader b = {run->bytes, 0, run->bytes.n * 8, false};
    size_t table = 0;
    for (size_t i = 0; i < n; i++) {
        if (!number_next(coding, &table, &b, &out[i])) {
            return run_length_refuse(scp, run, n, i);
        }
    }
    return b.n - b.at > PADDING_BITS_MAX ? run_length_refuse(scp, run, n, n) : OK;
}

static Status raw_decode(const Scp *scp, const ScpRun *run, int32_t *out, size_t n)
{
    Reader r = reader_from(run->bytes);
    for (size_t i = 0; i < n; i++) {
        out[i] = (int16_t)reader_u16le(&r);
        if (r.failed) {
            return run_length_refuse(scp, run, n, i);
        }
    }
    return reader_left(&r) * 8 > PADDING_BITS_MAX ? run_length_refuse(scp, run, n, n) : OK;
}

/* The first `order` numbers are values; each further one adds to the line through the last. */
static Status differences_undo(const Scp *scp, const ScpRun *run, int32_t *v, size_t n)
{
    for (size_t i = run->difference; run->difference > 0 && i < n; i++) {
        int64_t before = v[i - 1];
        int64_t sum = run->difference == 1 ? v[i] + before : v[i] + 2 * before - v[i - 2];
        if (sum > INT32_MAX || sum < INT32_MIN) {
            return ecg_scp_refuse(scp, run->section, run->lead, "差分数据", "differences",
                                  "第 %lu 个采样超出范围；数据损坏，请重新导出",
                                  "sample %lu leaves the range; the data are damaged, export again",
                                  (unsigned long)i + 1);
        }
        v[i] = (int32_t)sum;
    }
    return OK;
}

Status ecg_scp_decode(const Scp *scp, const ScpCoding *coding, const ScpRun *run, int32_t *out,
                      size_t n)
{
    TRY(coding->raw ? raw_decode(scp, run, out, n) : huffman_decode(scp, coding, run, out, n));
    return differences_undo(scp, run, out, n);
}
