/* Section 1 of SCP-ECG: tagged fields about patient, device and time. */
#include "ecg_scp.h"

typedef enum ScpTag {
    TAG_FAMILY = 0,
    TAG_GIVEN = 1,
    TAG_ID = 2,
    TAG_AGE = 4,
    TAG_BIRTH = 5,
    TAG_SEX = 8,
    TAG_DEVICE = 14,
    TAG_DATE = 25,
    TAG_TIME = 26,
    TAG_FREE_TEXT = 30,
    TAG_ZONE = 34
} ScpTag;

typedef struct HeaderRead {
    const Scp *scp;
    EcgRecording *rec;
    bool has_date, has_time;
    DateTime at;
    Str note[ECG_NOTES_MAX];
    size_t n_notes;
} HeaderRead;

#define tag_refuse(h, zh_field, en_field, ...)                                                     \
    ecg_scp_refuse((h)->scp, 1, SCP_ALL_LEADS, zh_field, en_field, __VA_ARGS__)

static bool date_valid(const DateTime *d)
{
    return d->year >= 1850 && d->year <= 2200 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= days_in_month(d->year, d->month);
}

/* All zeros means "not given" and leaves *ret_given false. */
static Status date_read(const HeaderRead *h, EcgField field, Str v, DateTime *ret, bool *ret_given)
{
    Reader r = reader_from(v);
    DateTime d = {.precision = DATE_DAY};
    d.year = reader_u16le(&r);
    d.month = reader_u8(&r);
    d.day = reader_u8(&r);
    if (r.failed || (!date_valid(&d) && (d.year | d.month | d.day) != 0)) {
        return ecg_scp_refuse_at(
            h->scp, ERR_UNPROCESSABLE, 1, SCP_ALL_LEADS, field,
            "%d-%d-%d 不是有效日期；请在设备上更正日期后重新导出",
            "%d-%d-%d is not a date; correct it on the machine and export again", d.year, d.month,
            d.day);
    }
    if (d.year != 0) {
        ret->year = d.year;
        ret->month = d.month;
        ret->day = d.day;
        ret->precision = DATE_DAY;
        *ret_given = true;
    }
    return OK;
}

static Status time_read(HeaderRead *h, Str v)
{
    Reader r = reader_from(v);
    int hour = reader_u8(&r), minute = reader_u8(&r), second = reader_u8(&r);
    if (r.failed || hour > 23 || minute > 59 || second > 59) {
        return tag_refuse(h, "采集时间（标签 26）", "time of acquisition (tag 26)",
                          "%d:%d:%d 不是有效时间；请在设备上更正时间后重新导出",
                          "%d:%d:%d is not a time; correct it on the machine and export again",
                          hour, minute, second);
    }
    h->at.hour = hour;
    h->at.minute = minute;
    h->at.second = second;
    h->has_time = true;
    return OK;
}

static Status zone_read(HeaderRead *h, Str v)
{
    Reader r = reader_from(v);
    int16_t minutes = (int16_t)reader_u16le(&r);
    if (r.failed || (minutes != 0x7FFF && (minutes < -780 || minutes > 840))) {
        return tag_refuse(h, "时区（标签 34）", "time zone (tag 34)",
                          "偏移 %d 分钟不合理；请在设备上更正时区后重新导出",
                          "an offset of %d minutes is not possible; correct the machine's zone",
                          minutes);
    }
    if (minutes != 0x7FFF) {
        h->at.has_zone = true;
        h->at.zone_min = minutes;
    }
    return OK;
}

static Status sex_read(const HeaderRead *h, Str v)
{
    Reader r = reader_from(v);
    uint8_t code = reader_u8(&r);
    if (r.failed || (code > 2 && code != 9)) {
        return tag_refuse(
            h, "性别（标签 8）", "sex (tag 8)",
            "代码 %d 不在 0、1、2、9 之中；请在设备上更正后重新导出",
            "code %d is none of 0, 1, 2, 9; correct it on the machine and export again", code);
    }
    h->rec->patient.sex = code == 1 ? ECG_SEX_MALE : code == 2 ? ECG_SEX_FEMALE : ECG_SEX_UNKNOWN;
    return OK;
}

static Status age_read(const HeaderRead *h, Str v)
{
    static const char unit[] = {0, 'a', 'm', 'w', 'd', 'h'};
    Reader r = reader_from(v);
    uint16_t age = reader_u16le(&r);
    uint8_t code = reader_u8(&r);
    if (r.failed || code >= sizeof unit || (code == 1 && age > 150)) {
        return tag_refuse(h, "年龄（标签 4）", "age (tag 4)",
                          "数值 %d 单位代码 %d 不合理；请在设备上更正后重新导出",
                          "value %d with unit code %d is not possible; correct it on the machine",
                          age, code);
    }
    if (code != 0) {
        h->rec->patient.age = age;
        h->rec->patient.age_unit = unit[code];
    }
    return OK;
}

/* A NUL-terminated text, or the rest. */
static Str text_next(Reader *r)
{
    size_t left = reader_left(r), n = 0;
    while (n < left && r->p[r->at + n] != 0) {
        n++;
    }
    Str s = reader_bytes(r, n);
    if (n < left) {
        reader_u8(r);
    }
    return s;
}

/* Fixed part of 36 bytes, then texts: program, serial number, two software names, maker. */
static Status device_read(const HeaderRead *h, Str v)
{
    if (v.n < 15) {
        return tag_refuse(h, "采集设备（标签 14）", "acquiring device (tag 14)",
                          "只有 %d 字节，至少应有 15 字节；请重新导出",
                          "has %d bytes where at least 15 belong; export again", (int)v.n);
    }
    Arena *a = h->scp->arena;
    Reader r = reader_from(v);
    reader_seek(&r, 8);
    Str model = reader_bytes(&r, 6);
    const char *nul = memchr(model.p, 0, model.n);
    h->rec->device.model = ecg_text(a, nul ? str_take(model, (size_t)(nul - model.p)) : model);
    if (v.n > 36) {
        reader_seek(&r, 36);
        text_next(&r);
        h->rec->device.serial = ecg_text(a, text_next(&r));
        text_next(&r);
        text_next(&r);
        h->rec->device.manufacturer = ecg_text(a, text_next(&r));
    }
    return OK;
}

static Status tag_read(HeaderRead *h, uint8_t tag, Str v)
{
    EcgPatient *p = &h->rec->patient;
    Arena *a = h->scp->arena;
    switch (tag) {
    case TAG_FAMILY:
        p->family = ecg_text(a, v);
        return OK;
    case TAG_GIVEN:
        p->given = ecg_text(a, v);
        return OK;
    case TAG_ID:
        p->id = ecg_text(a, v);
        return OK;
    case TAG_AGE:
        return age_read(h, v);
    case TAG_BIRTH:
        return date_read(h, (EcgField){"出生日期（标签 5）", "date of birth (tag 5)"}, v, &p->birth,
                         &p->has_birth);
    case TAG_SEX:
        return sex_read(h, v);
    case TAG_DEVICE:
        return device_read(h, v);
    case TAG_DATE:
        return date_read(h, (EcgField){"采集日期（标签 25）", "date of acquisition (tag 25)"}, v,
                         &h->at, &h->has_date);
    case TAG_TIME:
        return time_read(h, v);
    case TAG_ZONE:
        return zone_read(h, v);
    case TAG_FREE_TEXT:
        if (h->n_notes < ECG_NOTES_MAX) {
            h->note[h->n_notes++] = ecg_text(a, v);
        }
        return OK;
    default:
        return OK;
    }
}

static Status tags_read(HeaderRead *h)
{
    Reader r = reader_from(h->scp->section[1].body);
    for (;;) {
        uint8_t tag = reader_u8(&r);
        uint16_t n = reader_u16le(&r);
        if (!r.failed && tag == SCP_TAG_END) {
            return OK;
        }
        Str value = reader_bytes(&r, n);
        if (r.failed) {
            return tag_refuse(h, "标签长度", "tag length",
                              "标签 %d 的长度 %d 超出本节，或缺少结束标签 255；请重新导出",
                              "tag %d with length %d leaves the section, or the end tag 255 is "
                              "missing; export again",
                              tag, n);
        }
        TRY(tag_read(h, tag, value));
    }
}

static void notes_keep(const HeaderRead *h)
{
    Str *notes = arena_array(h->scp->arena, Str, h->n_notes ? h->n_notes : 1);
    for (size_t i = 0; i < h->n_notes; i++) {
        notes[i] = h->note[i];
    }
    h->rec->notes = notes;
    h->rec->n_notes = h->n_notes;
}

Status ecg_scp_read_header(const Scp *scp, EcgRecording *ret)
{
    HeaderRead *h = arena_new(scp->arena, HeaderRead);
    h->scp = scp;
    h->rec = ret;
    TRY(tags_read(h));
    if (h->has_date) {
        ret->has_start = true;
        ret->start = h->at;
        ret->start.precision = h->has_time ? DATE_SECOND : DATE_DAY;
    }
    notes_keep(h);
    return OK;
}
