/* The elements of a DICOM data set: where they stand and what they hold. */
#include <stdio.h>

#include "ecg_dicom.h"

#define UNDEFINED    0xFFFFFFFFu
#define ITEM         0xFFFEE000u
#define ITEM_END     0xFFFEE00Du
#define SEQUENCE_END 0xFFFEE0DDu
#define IS_MARK(tag) ((tag) >> 16 == 0xFFFE)
#define TAG_ARG(tag) (unsigned)((tag) >> 16), (unsigned)((tag)&0xFFFF)

static const struct {
    uint32_t tag;
    const char *vr;
    EcgField name;
} field_row[DICOM_FIELDS] = {
#define FIELD(name, tag, vr, zh, en) {tag, vr, {zh, en}},
#include "ecg_dicom_field.def"
#undef FIELD
};

static EcgPlace place_of(const Dicom *d, uint32_t tag, EcgField name, size_t at)
{
    EcgPlace p;
    char zh[64] = "", en[64] = "";
    if (d->channel > 0) {
        snprintf(zh, sizeof zh, "第 %d 组第 %d 通道，", d->group, d->channel);
        snprintf(en, sizeof en, "group %d, channel %d, ", d->group, d->channel);
    } else if (d->group > 0) {
        snprintf(zh, sizeof zh, "第 %d 组，", d->group);
        snprintf(en, sizeof en, "group %d, ", d->group);
    }
    snprintf(p.where, sizeof p.where, "DICOM %s(%04X,%04X)", en, TAG_ARG(tag));
    snprintf(p.zh, sizeof p.zh, "DICOM %s%s (%04X,%04X)，第 %zu 字节", zh, name.zh, TAG_ARG(tag),
             at);
    snprintf(p.en, sizeof p.en, "DICOM %s%s (%04X,%04X), byte %zu", en, name.en, TAG_ARG(tag), at);
    return p;
}

Status ecg_dicom_refuse(const Dicom *d, DicomField field, size_t at, const char *zh, const char *en,
                        ...)
{
    va_list args;
    EcgPlace p = place_of(d, field_row[field].tag, field_row[field].name, at);
    va_start(args, en);
    (void)ecg_refuse_list(d->err, ERR_UNPROCESSABLE, &p, zh, en, args);
    va_end(args);
    return ERR_UNPROCESSABLE;
}

Status ecg_dicom_missing(const Dicom *d, DicomField field)
{
    return ecg_dicom_refuse(d, field, d->bytes.n, "缺少此项或其为空；请让设备重新导出",
                            "is absent or empty; let the machine export it again");
}

/* -1 for a tag that is not read. */
static int field_of(uint32_t tag)
{
    int lo = 0, hi = DICOM_FIELDS - 1;
    while (lo <= hi) {
        int middle = (lo + hi) / 2;
        if (field_row[middle].tag == tag) {
            return middle;
        }
        if (field_row[middle].tag < tag) {
            lo = middle + 1;
        } else {
            hi = middle - 1;
        }
    }
    return -1;
}

static Status damage(const Dicom *d, uint32_t tag, size_t at, const char *zh, const char *en)
{
    int field = field_of(tag);
    EcgField unnamed = {"元素", "element"};
    EcgPlace p = place_of(d, tag, field >= 0 ? field_row[field].name : unnamed, at);
    return ecg_refuse(d->err, ERR_UNPROCESSABLE, &p, "%s%.0s", "%.0s%s", zh, en);
}

static unsigned get16(const Dicom *d, size_t at)
{
    const uint8_t *p = (const uint8_t *)d->bytes.p + at;
    return d->syntax.big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get32(const Dicom *d, size_t at)
{
    uint32_t a = get16(d, at), b = get16(d, at + 2);
    return d->syntax.big ? a << 16 | b : b << 16 | a;
}

static bool vr_is_long(const char *vr)
{
    static const char list[] = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
    return strstr(list, vr) != NULL;
}

/* Tag, VR and length; *ret_at is where the value begins. */
static Status head_read(const Dicom *d, DicomSpan span, DicomElement *e, size_t *ret_at,
                        uint32_t *ret_length)
{
    size_t at = span.at, left = span.end - span.at;
    e->at = at;
    if (left < 8) {
        return damage(d, left < 4 ? 0 : get16(d, at) << 16 | get16(d, at + 2), at,
                      "文件在此处中断；请重新导出", "the file ends within it; export it again");
    }
    e->tag = get16(d, at) << 16 | get16(d, at + 2);
    if (!d->syntax.explicit_vr || IS_MARK(e->tag)) {
        *ret_length = get32(d, at + 4);
        *ret_at = at + 8;
        return OK;
    }
    memcpy(e->vr, d->bytes.p + at + 4, 2);
    if (e->vr[0] < 'A' || e->vr[0] > 'Z' || e->vr[1] < 'A' || e->vr[1] > 'Z') {
        return damage(d, e->tag, at, "值类型（VR）不是两个大写字母；文件已损坏，请重新导出",
                      "its VR is not two capital letters; the file is damaged, export it again");
    }
    if (!vr_is_long(e->vr)) {
        *ret_length = get16(d, at + 6);
        *ret_at = at + 8;
        return OK;
    }
    if (left < 12) {
        return damage(d, e->tag, at, "文件在此处中断；请重新导出",
                      "the file ends within it; export it again");
    }
    *ret_length = get32(d, at + 8);
    *ret_at = at + 12;
    return OK;
}

static Status sequence_end(const Dicom *d, uint32_t tag, DicomSpan span, int depth, size_t *ret_at,
                           size_t *ret_next) MUST_USE;

/* The end of an item of undefined length: where its delimiter stands, and what follows. */
static Status item_end(const Dicom *d, uint32_t tag, DicomSpan span, int depth, size_t *ret_at,
                       size_t *ret_next)
{
    DicomElement e;
    for (;;) {
        size_t at = span.at;
        TRY(ecg_dicom_next(d, &span, depth + 1, &e));
        if (e.tag == ITEM_END) {
            *ret_at = at;
            *ret_next = span.at;
            return OK;
        }
        if (IS_MARK(e.tag)) {
            return damage(d, tag, at, "序列条目没有正常结束；请重新导出",
                          "an item of the sequence does not end; export it again");
        }
    }
}

static Status sequence_end(const Dicom *d, uint32_t tag, DicomSpan span, int depth, size_t *ret_at,
                           size_t *ret_next)
{
    for (;;) {
        DicomElement e = {0};
        size_t value, ignored;
        uint32_t length;
        TRY(head_read(d, span, &e, &value, &length));
        if (e.tag == SEQUENCE_END) {
            *ret_at = span.at;
            *ret_next = value;
            return OK;
        }
        if (e.tag != ITEM || (length != UNDEFINED && length > span.end - value)) {
            return damage(d, tag, span.at, "序列条目无效；请重新导出",
                          "an item of the sequence is not valid; export it again");
        }
        span.at = value;
        if (length != UNDEFINED) {
            span.at += length;
        } else {
            TRY(item_end(d, tag, span, depth, &ignored, &span.at));
        }
    }
}

Status ecg_dicom_next(const Dicom *d, DicomSpan *span, int depth, DicomElement *ret)
{
    DicomElement e = {.there = true};
    uint32_t length;
    TRY(head_read(d, *span, &e, &e.value.at, &length));
    if (depth > DICOM_DEPTH_MAX) {
        return damage(d, e.tag, e.at, "序列嵌套过深（上限 16 层）；请重新导出",
                      "sequences are nested too deep (at most 16); export it again");
    }
    if (length != UNDEFINED) {
        if (length > span->end - e.value.at) {
            return damage(d, e.tag, e.at, "长度超出文件或所在序列；文件不完整或已损坏，请重新导出",
                          "its length passes the end of the file or sequence; the file is cut or "
                          "damaged, export it again");
        }
        e.value.end = e.value.at + length;
        span->at = e.value.end;
        *ret = e;
        return OK;
    }
    bool unknown = strcmp(e.vr, "UN") == 0;
    if (d->syntax.explicit_vr && !unknown && strcmp(e.vr, "SQ") != 0) {
        return damage(d, e.tag, e.at, "只有序列可以不写长度；请重新导出",
                      "only a sequence may leave its length open; export it again");
    }
    /* Of unknown VR and open length: a sequence in implicit little endian (PS3.5 6.2.2). */
    Dicom inside = *d;
    inside.syntax = unknown ? (DicomSyntax){false, false} : d->syntax;
    DicomSpan content = {e.value.at, span->end};
    TRY(sequence_end(&inside, e.tag, content, depth, &e.value.end, &span->at));
    *ret = e;
    return OK;
}

Status ecg_dicom_collect(const Dicom *d, DicomSpan span, int depth, DicomSet *ret)
{
    memset(ret, 0, sizeof *ret);
    while (span.at < span.end) {
        DicomElement e;
        TRY(ecg_dicom_next(d, &span, depth, &e));
        int field = field_of(e.tag);
        if (field < 0 || ret->field[field].there) {
            continue;
        }
        const char *want = field_row[field].vr;
        bool bytes = strcmp(want, "OW") == 0; /* OB, OW and, of old, US, SS, UN */
        if (e.vr[0] && !bytes && strcmp(e.vr, want) != 0 && strcmp(e.vr, "UN") != 0) {
            return ecg_dicom_refuse(d, (DicomField)field, e.at,
                                    "值类型（VR）为 %s，应为 %s；请重新导出",
                                    "its VR is %s, %s belongs here; export it again", e.vr, want);
        }
        ret->field[field] = e;
    }
    return OK;
}

Status ecg_dicom_item(const Dicom *d, DicomSpan *sequence, int depth, DicomSpan *ret,
                      bool *ret_more)
{
    DicomElement e = {0};
    size_t value;
    uint32_t length;
    *ret_more = sequence->at < sequence->end;
    if (!*ret_more) {
        return OK;
    }
    TRY(head_read(d, *sequence, &e, &value, &length));
    if (e.tag != ITEM || (length != UNDEFINED && length > sequence->end - value)) {
        return damage(d, e.tag, e.at, "此处应为序列条目；请重新导出",
                      "an item of a sequence belongs here; export it again");
    }
    *ret = (DicomSpan){value, value + length};
    sequence->at = ret->end;
    if (length == UNDEFINED) {
        DicomSpan content = {value, sequence->end};
        TRY(item_end(d, e.tag, content, depth, &ret->end, &sequence->at));
    }
    return OK;
}

Str ecg_dicom_bytes(const Dicom *d, const DicomElement *e)
{
    return e->there ? (Str){d->bytes.p + e->value.at, e->value.end - e->value.at} : STR_NONE;
}

Str ecg_dicom_text(const Dicom *d, const DicomSet *s, DicomField field)
{
    Str text = ecg_dicom_bytes(d, &s->field[field]), rest;
    str_cut(text, '\\', &text, &rest);
    while (text.n > 0 && text.p[text.n - 1] == '\0') {
        text.n--;
    }
    return str_trim(text);
}

Status ecg_dicom_number(const Dicom *d, const DicomSet *s, DicomField field, uint32_t *ret)
{
    const DicomElement *e = &s->field[field];
    size_t n = e->value.end - e->value.at, want = field_row[field].vr[1] == 'S' ? 2 : 4;
    if (!e->there || n == 0) {
        return ecg_dicom_missing(d, field);
    }
    if (n != want) {
        return ecg_dicom_refuse(d, field, e->at, "有 %zu 字节，应为 %zu 字节；请重新导出",
                                "has %zu bytes, %zu belong here; export it again", n, want);
    }
    *ret = want == 2 ? get16(d, e->value.at) : get32(d, e->value.at);
    return OK;
}

Status ecg_dicom_decimal(const Dicom *d, const DicomSet *s, DicomField field, bool required,
                         int64_t absent, int64_t *ret_mantissa, int *ret_exponent)
{
    Str text = ecg_dicom_text(d, s, field);
    if (text.n == 0 && required) {
        return ecg_dicom_missing(d, field);
    }
    if (text.n == 0) {
        *ret_mantissa = absent;
        *ret_exponent = 0;
        return OK;
    }
    if (!ecg_decimal_parse(text, ret_mantissa, ret_exponent)) {
        Str shown = ecg_text(d->arena, str_take(text, 40));
        return ecg_dicom_refuse(d, field, s->field[field].at, "“%.*s” 不是十进制数；请重新导出",
                                "\"%.*s\" is not a decimal number; export it again",
                                STR_ARG(shown));
    }
    return OK;
}
