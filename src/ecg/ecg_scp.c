#include <stdio.h>

#include "ecg_scp.h"

Status ecg_scp_refuse_at(const Scp *scp, Status status, int section, int lead, EcgField field,
                         const char *zh, const char *en, ...)
{
    va_list args;
    EcgPlace p;
    char lead_zh[32] = "", lead_en[32] = "";
    if (lead != SCP_ALL_LEADS) {
        snprintf(lead_zh, sizeof lead_zh, "，第 %d 导联", lead + 1);
        snprintf(lead_en, sizeof lead_en, ", lead %d", lead + 1);
    }
    snprintf(p.where, sizeof p.where, "SCP-ECG section %d%s, %s", section, lead_en, field.en);
    snprintf(p.zh, sizeof p.zh, "SCP-ECG 第 %d 节%s，%s", section, lead_zh, field.zh);
    snprintf(p.en, sizeof p.en, "SCP-ECG section %d%s, %s", section, lead_en, field.en);
    va_start(args, en);
    (void)ecg_refuse_list(scp->err, status, &p, zh, en, args);
    va_end(args);
    return status;
}

/* x^16 + x^12 + x^5 + 1, a byte at a time: the shifts are what the polynomial does to its bits. */
uint16_t ecg_scp_crc(Str s)
{
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t x = (uint8_t)(crc >> 8 ^ (uint8_t)s.p[i]);
        x ^= x >> 4;
        crc = (uint16_t)(crc << 8 ^ x << 12 ^ x << 5 ^ x);
    }
    return crc;
}

bool ecg_scp_is(Str head, uint64_t size)
{
    Reader r = reader_from(head);
    reader_u16le(&r);
    uint32_t length = reader_u32le(&r);
    reader_u16le(&r);
    uint16_t section = reader_u16le(&r);
    uint32_t section_length = reader_u32le(&r);
    reader_u16le(&r);
    Str mark = reader_bytes(&r, 6);
    if (r.failed) {
        return false;
    }
    return str_is(mark, "SCPECG") || (length == size && section == 0 &&
                                      section_length >= SCP_HEADER_BYTES + SCP_POINTER_BYTES &&
                                      section_length % SCP_POINTER_BYTES == 6);
}

static Status record_length_check(const Scp *scp)
{
    Reader r = reader_from(scp->bytes);
    reader_u16le(&r);
    uint32_t length = reader_u32le(&r);
    if (length == scp->bytes.n) {
        return OK;
    }
    return ecg_scp_refuse(
        scp, 0, SCP_ALL_LEADS, "记录长度", "record length",
        "写的是 %lu 字节，文件有 %lu 字节；文件不完整或被改动，请从心电图机重新导出",
        "says %lu bytes, the file has %lu; it is cut or was changed, export it from "
        "the machine again",
        (unsigned long)length, (unsigned long)scp->bytes.n);
}

static Status section_header_check(const Scp *scp, int id, size_t at, uint32_t length)
{
    Reader r = reader_from(scp->bytes);
    reader_seek(&r, at + 2);
    uint16_t own_id = reader_u16le(&r);
    uint32_t own_length = reader_u32le(&r);
    uint8_t version = reader_u8(&r);
    if (own_id != id) {
        return ecg_scp_refuse(
            scp, id, SCP_ALL_LEADS, "节编号", "section number",
            "节头写的是第 %d 节；指针或节头已损坏，请重新导出",
            "the section's header says %d; pointer or header is damaged, export again", own_id);
    }
    if (own_length != length) {
        return ecg_scp_refuse(
            scp, id, SCP_ALL_LEADS, "节长度", "section length",
            "节头写 %lu 字节，第 0 节的指针写 %lu 字节；请重新导出",
            "the header says %lu bytes, the pointer in section 0 says %lu; export again",
            (unsigned long)own_length, (unsigned long)length);
    }
    if (version < 10 || version > 39) {
        return ecg_scp_refuse(scp, id, SCP_ALL_LEADS, "版本号", "version number",
                              "版本 %d.%d 无法识别，支持 1.0 至 3.9；请让设备以 SCP-ECG 2.x 导出",
                              "version %d.%d is not known, 1.0 to 3.9 are; let the machine export "
                              "SCP-ECG 2.x",
                              version / 10, version % 10);
    }
    return OK;
}

static Status section_bounds_check(const Scp *scp, int id, uint32_t length, uint32_t index)
{
    if (length < SCP_HEADER_BYTES || length > scp->bytes.n) {
        return ecg_scp_refuse(scp, id, SCP_ALL_LEADS, "第 0 节中的节长度",
                              "length in section 0's pointer",
                              "%lu 字节超出记录（%lu 字节）；请重新导出",
                              "%lu bytes do not fit into the record of %lu; export again",
                              (unsigned long)length, (unsigned long)scp->bytes.n);
    }
    if (index < SCP_RECORD_BYTES + 1 || index - 1 > scp->bytes.n - length) {
        return ecg_scp_refuse(
            scp, id, SCP_ALL_LEADS, "第 0 节中的节位置", "index in section 0's pointer",
            "位置 %lu 加长度 %lu 超出记录（%lu 字节）；请重新导出",
            "index %lu and length %lu leave the record of %lu bytes; export again",
            (unsigned long)index, (unsigned long)length, (unsigned long)scp->bytes.n);
    }
    return OK;
}

static Status section_add(Scp *scp, int id, uint32_t length, uint32_t index)
{
    TRY(section_bounds_check(scp, id, length, index));
    TRY(section_header_check(scp, id, index - 1, length));
    ScpSection *s = &scp->section[id];
    s->present = length > SCP_HEADER_BYTES;
    s->at = index - 1;
    s->body = (Str){scp->bytes.p + index - 1 + SCP_HEADER_BYTES, length - SCP_HEADER_BYTES};
    return OK;
}

/* One pointer of section 0; i counts from 0. Maker's own sections (id ≥ 12) are passed over. */
static Status pointer_read(Scp *scp, Reader *r, size_t i)
{
    uint16_t id = reader_u16le(r);
    uint32_t length = reader_u32le(r), index = reader_u32le(r);
    if (i < SCP_SECTIONS && id != i) {
        return ecg_scp_refuse(scp, 0, SCP_ALL_LEADS, "指针的节编号", "section number of a pointer",
                              "第 %d 个指针应为第 %d 节，写的是 %d；请重新导出",
                              "pointer %d must be for section %d but says %d; export again",
                              (int)i + 1, (int)i, id);
    }
    if (length == 0 || i >= SCP_SECTIONS) {
        return OK;
    }
    return section_add(scp, (int)i, length, index);
}

static Status pointers_read(Scp *scp)
{
    Reader r = reader_from(scp->bytes);
    reader_seek(&r, SCP_RECORD_BYTES + 4);
    uint32_t length = reader_u32le(&r);
    size_t n = length < SCP_HEADER_BYTES ? 0 : (length - SCP_HEADER_BYTES) / SCP_POINTER_BYTES;
    if (n < SCP_SECTIONS || length > scp->bytes.n - SCP_RECORD_BYTES ||
        (length - SCP_HEADER_BYTES) % SCP_POINTER_BYTES != 0) {
        return ecg_scp_refuse(scp, 0, SCP_ALL_LEADS, "节长度", "section length",
                              "%lu 字节容不下 %d 个指针；请重新导出",
                              "%lu bytes do not hold the %d pointers; export again",
                              (unsigned long)length, SCP_SECTIONS);
    }
    TRY(section_header_check(scp, 0, SCP_RECORD_BYTES, length));
    reader_seek(&r, SCP_RECORD_BYTES + SCP_HEADER_BYTES);
    for (size_t i = 0; i < n; i++) {
        TRY(pointer_read(scp, &r, i));
    }
    return OK;
}

static Status sections_required(const Scp *scp)
{
    static const EcgField what[] = {[1] = {"头信息", "header"},
                                    [3] = {"导联定义", "lead definition"},
                                    [6] = {"节律数据", "rhythm data"}};
    static const int required[] = {1, 3, 6};
    for (size_t i = 0; i < 3; i++) {
        int id = required[i];
        if (!scp->section[id].present) {
            return ecg_scp_refuse_at(
                scp, ERR_UNPROCESSABLE, id, SCP_ALL_LEADS, what[id],
                "缺少本节；请让设备导出完整的 SCP-ECG 文件",
                "the section is missing; let the machine export the whole record");
        }
    }
    return OK;
}

static Status crc_check(const Scp *scp, int section, EcgField field, Str covered, uint16_t stored)
{
    uint16_t computed = ecg_scp_crc(covered);
    if (computed == stored) {
        return OK;
    }
    return ecg_scp_refuse_at(
        scp, ERR_UNPROCESSABLE, section, SCP_ALL_LEADS, field,
        "校验码为 %04X，内容算得 %04X；文件在存储或传输中损坏，请从心电图机重新导出",
        "is %04X, the content gives %04X; the file was damaged in storage or "
        "transfer, export it from the machine again",
        stored, computed);
}

static Status crc_check_at(const Scp *scp, int section, EcgField field, size_t at, size_t n)
{
    Reader r = reader_from(scp->bytes);
    reader_seek(&r, at);
    uint16_t stored = reader_u16le(&r);
    return crc_check(scp, section, field, reader_bytes(&r, n - 2), stored);
}

/* Sections first: they say more precisely where the damage is. */
static Status crcs_check(const Scp *scp)
{
    Status worst = OK;
    for (int id = 0; id < SCP_SECTIONS; id++) {
        const ScpSection *s = &scp->section[id];
        if (s->body.p != NULL) {
            Status st = crc_check_at(scp, id, (EcgField){"本节 CRC", "CRC of the section"}, s->at,
                                     s->body.n + SCP_HEADER_BYTES);
            worst = worst == OK ? st : worst;
        }
    }
    Status st =
        crc_check_at(scp, 0, (EcgField){"整份记录的 CRC", "CRC of the record"}, 0, scp->bytes.n);
    return worst == OK ? st : worst;
}

static Status content_read(Scp *scp, EcgRecording *ret)
{
    TRY(sections_required(scp));
    TRY(ecg_scp_read_header(scp, ret));
    TRY(ecg_scp_read_leads(scp));
    return ecg_scp_read_rhythm(scp, ret);
}

Status ecg_scp_read(Arena *a, Str bytes, EcgRecording *ret, Err *err)
{
    Scp *scp = arena_new(a, Scp);
    *scp = (Scp){.arena = a, .err = err, .bytes = bytes};
    TRY(record_length_check(scp));
    TRY(pointers_read(scp));
    /* A field that makes no sense is named before the CRC that also tells of it. */
    EcgRecording rec = {.format = ECG_FORMAT_SCP};
    Status content = content_read(scp, &rec), crc = crcs_check(scp);
    TRY(content);
    TRY(crc);
    *ret = rec;
    return OK;
}
