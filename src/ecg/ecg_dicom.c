/* DICOM: the file, its transfer syntax and object, and what it says of patient, device and time. */
#include "ecg_dicom.h"

#define PREAMBLE_BYTES 128u

bool ecg_dicom_is(Str head)
{
    return head.n > PREAMBLE_BYTES + 4 && memcmp(head.p + PREAMBLE_BYTES, "DICM", 4) == 0;
}

/* Up to the first element of another group than 0002, which is always explicit little endian. */
static Status meta_read(const Dicom *d, DicomSpan *span, DicomSet *ret)
{
    DicomSpan meta = *span;
    while (span->at < span->end) {
        DicomElement e;
        size_t at = span->at;
        if (span->end - at >= 2 && memcmp(d->bytes.p + at, "\x02\x00", 2) != 0) {
            break;
        }
        TRY(ecg_dicom_next(d, span, 0, &e));
    }
    meta.end = span->at;
    return ecg_dicom_collect(d, meta, 0, ret);
}

static Status syntax_read(const Dicom *d, const DicomSet *meta, DicomSyntax *ret)
{
    static const struct {
        const char *uid;
        DicomSyntax syntax;
    } row[] = {{"1.2.840.10008.1.2", {false, false}},
               {"1.2.840.10008.1.2.1", {true, false}},
               {"1.2.840.10008.1.2.2", {true, true}}};
    Str uid = ecg_dicom_text(d, meta, DICOM_TRANSFER_SYNTAX);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (str_is(uid, row[i].uid)) {
            *ret = row[i].syntax;
            return OK;
        }
    }
    size_t at = meta->field[DICOM_TRANSFER_SYNTAX].at;
    if (str_empty(uid)) {
        return ecg_dicom_missing(d, DICOM_TRANSFER_SYNTAX);
    }
    if (str_is(uid, "1.2.840.10008.1.2.1.99")) {
        return ecg_dicom_refuse(
            d, DICOM_TRANSFER_SYNTAX, at,
            "文件以 deflate 压缩（1.2.840.10008.1.2.1.99），不支持；请让设备以 Explicit VR Little "
            "Endian 导出",
            "the file is deflated (1.2.840.10008.1.2.1.99), which is not read; let the machine "
            "export Explicit VR Little Endian");
    }
    Str shown = ecg_text(d->arena, str_take(uid, 64));
    return ecg_dicom_refuse(
        d, DICOM_TRANSFER_SYNTAX, at, "“%.*s” 不支持；请让设备以 Explicit VR Little Endian 导出",
        "\"%.*s\" is not read; let the machine export Explicit VR Little Endian", STR_ARG(shown));
}

static Status object_check(const Dicom *d, const DicomSet *s)
{
    static const char *const known[] = {
        "1.2.840.10008.5.1.4.1.1.9.1.1", /* 12-lead ECG */
        "1.2.840.10008.5.1.4.1.1.9.1.2", /* general ECG */
        "1.2.840.10008.5.1.4.1.1.9.1.3", /* ambulatory ECG */
        "1.2.840.10008.5.1.4.1.1.9.1.4", /* general ECG, 32 bits */
    };
    Str uid = ecg_dicom_text(d, s, DICOM_SOP_CLASS);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_is(uid, known[i])) {
            return OK;
        }
    }
    if (str_empty(uid)) {
        return ecg_dicom_missing(d, DICOM_SOP_CLASS);
    }
    Str shown = ecg_text(d->arena, str_take(uid, 64));
    return ecg_dicom_refuse(d, DICOM_SOP_CLASS, s->field[DICOM_SOP_CLASS].at,
                            "“%.*s” 不是心电波形；支持 12 "
                            "导联、通用和动态心电图（1.2.840.10008.5.1.4.1.1.9.1.1 至 .4）",
                            "\"%.*s\" is not an ECG waveform; 12-lead, general and ambulatory ECG "
                            "(1.2.840.10008.5.1.4.1.1.9.1.1 to .4) are read",
                            STR_ARG(shown));
}

/* iconv's name; escape sequences of ISO 2022 name sets whose bytes mean the same in these. */
static const char *charset_of(Str term)
{
    static const struct {
        const char *term, *name;
    } row[] = {{"ISO_IR 192", "UTF-8"},
               {"GB18030", "GB18030"},
               {"GBK", "GBK"},
               {"ISO 2022 IR 58", "GB18030"},
               {"ISO_IR 100", "ISO-8859-1"},
               {"ISO 2022 IR 100", "ISO-8859-1"},
               {"ISO_IR 101", "ISO-8859-2"},
               {"ISO_IR 144", "ISO-8859-5"},
               {"ISO_IR 13", "SHIFT_JIS"},
               {"ISO 2022 IR 149", "EUC-KR"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (str_is(term, row[i].term)) {
            return row[i].name;
        }
    }
    return NULL;
}

/* The last of the terms that says more than ASCII: ISO 2022 names its further sets behind it. */
static void charset_read(Dicom *d, const DicomSet *s)
{
    Str rest = ecg_dicom_bytes(d, &s->field[DICOM_CHARACTER_SET]), term;
    while (rest.n > 0) {
        str_cut(rest, '\\', &term, &rest);
        const char *found = charset_of(str_trim(term));
        d->charset = found ? found : d->charset;
    }
}

/* ESC $ ) A and its like are four or three bytes; what they announce is decoded by its bytes. */
static Str escapes_drop(Arena *a, Str s)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\x1b') {
            i += i + 1 < s.n && s.p[i + 1] == '$' ? 3 : 2;
        } else {
            p[n++] = s.p[i];
        }
    }
    return (Str){p, n};
}

static Str text_value(const Dicom *d, const DicomSet *s, DicomField field)
{
    return ecg_text_as(d->arena, d->charset, escapes_drop(d->arena, ecg_dicom_text(d, s, field)));
}

/* Alphabetic=ideographic=phonetic, each family^given^…; the ideographic one where there is one. */
static void name_read(const Dicom *d, const DicomSet *s, EcgPatient *p)
{
    Str alphabetic, ideographic, rest, family, given;
    Str whole = ecg_dicom_bytes(d, &s->field[DICOM_PATIENT_NAME]);
    whole = ecg_text_as(d->arena, d->charset, escapes_drop(d->arena, whole));
    str_cut(whole, '=', &alphabetic, &rest);
    str_cut(rest, '=', &ideographic, &rest);
    str_cut(str_empty(ideographic) ? alphabetic : ideographic, '^', &family, &rest);
    str_cut(rest, '^', &given, &rest);
    p->family = str_trim(family);
    p->given = str_trim(given);
}

static Status invalid(const Dicom *d, const DicomSet *s, DicomField field, const char *zh,
                      const char *en)
{
    Str shown = ecg_text(d->arena, str_take(ecg_dicom_text(d, s, field), 40));
    return ecg_dicom_refuse(d, field, s->field[field].at, "“%.*s” 无效，应为%s%.0s；请重新导出",
                            "\"%.*s\" is not valid, %.0s%s belongs here; export it again",
                            STR_ARG(shown), zh, en);
}

static Status birth_read(const Dicom *d, const DicomSet *s, EcgPatient *p)
{
    Str text = ecg_dicom_text(d, s, DICOM_BIRTH_DATE);
    if (str_empty(text)) {
        return OK;
    }
    p->has_birth = ecg_time_compact(text, &p->birth) && p->birth.precision == DATE_DAY;
    return p->has_birth ? OK : invalid(d, s, DICOM_BIRTH_DATE, "年月日", "YYYYMMDD");
}

static Status sex_read(const Dicom *d, const DicomSet *s, EcgPatient *p)
{
    Str text = ecg_dicom_text(d, s, DICOM_SEX);
    p->sex = str_is(text, "M")   ? ECG_SEX_MALE
             : str_is(text, "F") ? ECG_SEX_FEMALE
                                 : ECG_SEX_UNKNOWN;
    bool known = p->sex != ECG_SEX_UNKNOWN || str_empty(text) || str_is(text, "O");
    return known ? OK : invalid(d, s, DICOM_SEX, "M、F 或 O", "M, F or O");
}

/* 034Y, 018M, 002W, 010D */
static Status age_read(const Dicom *d, const DicomSet *s, EcgPatient *p)
{
    Str text = ecg_dicom_text(d, s, DICOM_AGE);
    static const char from[] = "YMWD", to[] = "amwd";
    int64_t age;
    if (str_empty(text)) {
        return OK;
    }
    const char *unit = text.n == 4 ? memchr(from, text.p[3], 4) : NULL;
    if (unit == NULL || !str_to_i64(str_take(text, 3), &age) || age < 0) {
        return invalid(d, s, DICOM_AGE, "三位数字和 Y、M、W 或 D", "three digits and Y, M, W or D");
    }
    p->age = (int)age;
    p->age_unit = to[unit - from];
    return OK;
}

/* The acquisition's moment, else that of the content. */
static Status start_read(const Dicom *d, const DicomSet *s, EcgRecording *rec)
{
    Str at = ecg_dicom_text(d, s, DICOM_ACQUISITION_TIME);
    Str day = ecg_dicom_text(d, s, DICOM_CONTENT_DATE);
    Str time = ecg_dicom_text(d, s, DICOM_CONTENT_TIME), zone = ecg_dicom_text(d, s, DICOM_ZONE);
    DateTime z;
    if (!str_empty(at) && !ecg_time_compact(at, &rec->start)) {
        return invalid(d, s, DICOM_ACQUISITION_TIME, "年月日时分秒", "YYYYMMDDHHMMSS");
    }
    if (str_empty(at) && !str_empty(day) && !ecg_time_compact(day, &rec->start)) {
        return invalid(d, s, DICOM_CONTENT_DATE, "年月日", "YYYYMMDD");
    }
    if (str_empty(at) && !str_empty(day) && !str_empty(time) &&
        !ecg_time_compact(arena_cat(d->arena, day, time), &rec->start)) {
        return invalid(d, s, DICOM_CONTENT_TIME, "时分秒", "HHMMSS");
    }
    rec->has_start = (!str_empty(at) || !str_empty(day)) && rec->start.precision >= DATE_DAY;
    if (str_empty(zone)) {
        return OK;
    }
    if (!ecg_time_compact(arena_cat(d->arena, STR("20000101000000"), zone), &z) || !z.has_zone) {
        return invalid(d, s, DICOM_ZONE, "+时时分分", "+HHMM");
    }
    if (!rec->start.has_zone) {
        rec->start.has_zone = true;
        rec->start.zone_min = z.zone_min;
    }
    return OK;
}

/* Patient, device, time. */
static Status ecg_dicom_facts(Dicom *d, const DicomSet *s, EcgRecording *rec)
{
    charset_read(d, s);
    name_read(d, s, &rec->patient);
    rec->patient.id = text_value(d, s, DICOM_PATIENT_ID);
    rec->device = (EcgDevice){.manufacturer = text_value(d, s, DICOM_MANUFACTURER),
                              .model = text_value(d, s, DICOM_MODEL),
                              .serial = text_value(d, s, DICOM_SERIAL)};
    TRY(birth_read(d, s, &rec->patient));
    TRY(sex_read(d, s, &rec->patient));
    TRY(age_read(d, s, &rec->patient));
    return start_read(d, s, rec);
}

Status ecg_dicom_read(Arena *a, Str bytes, EcgRecording *ret, Err *err)
{
    Dicom d = {.arena = a, .err = err, .bytes = bytes, .syntax = {true, false}};
    DicomSpan span = {PREAMBLE_BYTES + 4, bytes.n};
    DicomSet *s = arena_new(a, DicomSet);
    EcgRecording rec = {.format = ECG_FORMAT_DICOM};
    TRY(meta_read(&d, &span, s));
    TRY(syntax_read(&d, s, &d.syntax));
    TRY(ecg_dicom_collect(&d, span, 0, s));
    TRY(object_check(&d, s));
    TRY(ecg_dicom_facts(&d, s, &rec));
    TRY(ecg_dicom_waves(&d, s, &rec));
    *ret = rec;
    return OK;
}
