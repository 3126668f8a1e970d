/* HL7 aECG: what the elements say of patient, device, time and series. */
#include "ecg_aecg.h"

#define XSI "http://www.w3.org/2001/XMLSchema-instance"

static Str attribute(const AecgAttributes *a, const char *space, const char *name)
{
    for (size_t i = 0; i < a->n; i++) {
        const AecgAttribute *one = &a->at[i];
        if (str_is(one->space, space) && str_is(one->name, name)) {
            return one->value;
        }
    }
    return STR_NONE;
}

static Str attribute_kept(Aecg *x, const AecgAttributes *a, const char *name)
{
    return arena_str(x->arena, str_trim(str_take(attribute(a, "", name), AECG_TEXT_BYTES)));
}

static Status quantity_read(Aecg *x, const AecgAttributes *a, EcgField field, AecgQuantity *ret)
{
    Str value = attribute_kept(x, a, "value");
    ret->unit = attribute_kept(x, a, "unit");
    ret->there = ecg_decimal_parse(value, &ret->mantissa, &ret->exponent);
    return ret->there ? OK : ecg_aecg_invalid(x, field, value, "带十进制 value", "a decimal value");
}

static Status root_check(Aecg *x, Str space)
{
    if (str_is(space, AECG_NAMESPACE)) {
        return OK;
    }
    return ecg_aecg_invalid(x, (EcgField){"根元素的命名空间", "namespace of the root element"},
                            space, AECG_NAMESPACE, AECG_NAMESPACE);
}

/* The document's moment, until a series knows its own. */
static Status time_read(Aecg *x, const AecgAttributes *a)
{
    Str text = attribute_kept(x, a, "value");
    DateTime d;
    if (str_empty(text)) {
        return OK;
    }
    if (!ecg_time_compact(text, &d)) {
        return ecg_aecg_invalid(x, (EcgField){"时间（effectiveTime）", "effectiveTime"}, text,
                                "年月日时分秒", "YYYYMMDDHHMMSS");
    }
    if (!x->rec.has_start && d.precision >= DATE_DAY) {
        x->rec.has_start = true;
        x->rec.start = d;
    }
    return OK;
}

static Status gender_read(Aecg *x, const AecgAttributes *a)
{
    Str code = attribute_kept(x, a, "code");
    x->rec.patient.sex = str_is(code, "M")   ? ECG_SEX_MALE
                         : str_is(code, "F") ? ECG_SEX_FEMALE
                                             : ECG_SEX_UNKNOWN;
    bool known = str_empty(code) || str_is(code, "M") || str_is(code, "F") || str_is(code, "UN") ||
                 str_is(code, "UNK");
    return known
               ? OK
               : ecg_aecg_invalid(
                     x, (EcgField){"性别（administrativeGenderCode）", "administrativeGenderCode"},
                     code, "M、F 或 UN", "M, F or UN");
}

static Status birth_read(Aecg *x, const AecgAttributes *a)
{
    EcgPatient *p = &x->rec.patient;
    Str text = attribute_kept(x, a, "value");
    if (str_empty(text)) {
        return OK;
    }
    if (!ecg_time_compact(text, &p->birth)) {
        return ecg_aecg_invalid(x, (EcgField){"出生日期（birthTime）", "birthTime"}, text, "年月日",
                                "YYYYMMDD");
    }
    p->has_birth = p->birth.precision >= DATE_DAY;
    return OK;
}

/* Of several series the first one of rhythm is read. */
static void series_code_read(Aecg *x, const AecgAttributes *a)
{
    x->series_code = attribute_kept(x, a, "code");
    x->in_rhythm = !x->has_rhythm && str_is(x->series_code, "RHYTHM");
    x->has_rhythm = x->has_rhythm || x->in_rhythm;
    if (!x->in_rhythm) {
        ecg_aecg_omit(x, x->series_code);
    }
}

static Status sequence_code_read(Aecg *x, const AecgAttributes *a)
{
    x->seq.code = attribute_kept(x, a, "code");
    Str system = attribute_kept(x, a, "codeSystem");
    bool lead = str_starts(x->seq.code, STR("MDC_"));
    if (lead && !str_empty(system) && !str_is(system, "2.16.840.1.113883.6.24")) {
        return ecg_aecg_invalid(x, (EcgField){"编码体系（codeSystem）", "codeSystem"}, system,
                                "2.16.840.1.113883.6.24（MDC）", "2.16.840.1.113883.6.24 (MDC)");
    }
    return OK;
}

static void type_read(Aecg *x, const AecgAttributes *a)
{
    Str type = str_trim(attribute(a, XSI, "type")), prefix, rest;
    bool has_prefix = str_cut(type, ':', &prefix, &rest);
    x->seq.type = arena_str(x->arena, str_take(has_prefix ? rest : type, 40));
}

Status ecg_aecg_begin(Aecg *x, AecgTag tag, Str space, const AecgAttributes *a)
{
    switch (tag) {
    case AECG_ECG:
        return root_check(x, space);
    case AECG_ECG_LOW:
    case AECG_ECG_CENTER:
        return time_read(x, a);
    case AECG_SUBJECT_ID:
        x->rec.patient.id = ecg_text(x->arena, attribute_kept(x, a, "extension"));
        return OK;
    case AECG_DEVICE_ID:
        x->rec.device.serial = ecg_text(x->arena, attribute_kept(x, a, "extension"));
        return OK;
    case AECG_GENDER:
        return gender_read(x, a);
    case AECG_BIRTH:
        return birth_read(x, a);
    case AECG_SERIES:
        x->series++;
        return OK;
    case AECG_SERIES_CODE:
        series_code_read(x, a);
        return OK;
    case AECG_DERIVED_CODE:
        ecg_aecg_omit(x, attribute_kept(x, a, "code"));
        return OK;
    case AECG_SET:
        ecg_aecg_set_begin(x);
        return OK;
    case AECG_SEQUENCE:
        ecg_aecg_sequence_begin(x);
        return OK;
    case AECG_SEQUENCE_CODE:
        return sequence_code_read(x, a);
    case AECG_VALUE:
        type_read(x, a);
        return OK;
    case AECG_HEAD:
        x->seq.has_head = true;
        x->seq.head = attribute_kept(x, a, "value");
        return OK;
    case AECG_INCREMENT:
        return quantity_read(x, a, (EcgField){"增量（increment）", "increment"}, &x->seq.increment);
    case AECG_ORIGIN:
        return quantity_read(x, a, (EcgField){"原点（origin）", "origin"}, &x->seq.origin);
    case AECG_SCALE:
        return quantity_read(x, a, (EcgField){"比例（scale）", "scale"}, &x->seq.scale);
    case AECG_DIGITS:
        x->seq.has_digits = true;
        return OK;
    default:
        return OK;
    }
}

Status ecg_aecg_end(Aecg *x, AecgTag tag, Str text)
{
    EcgRecording *rec = &x->rec;
    Str *const into = tag == AECG_PERSON_NAME || tag == AECG_FAMILY ? &rec->patient.family
                      : tag == AECG_GIVEN                           ? &rec->patient.given
                      : tag == AECG_PERSON_ID                       ? &rec->patient.id
                      : tag == AECG_DEVICE_MODEL                    ? &rec->device.model
                      : tag == AECG_DEVICE_SERIAL                   ? &rec->device.serial
                      : tag == AECG_MAKER_NAME                      ? &rec->device.manufacturer
                                                                    : NULL;
    if (into != NULL && !str_empty(text)) {
        *into = arena_str(x->arena, ecg_text(x->arena, text));
    }
    switch (tag) {
    case AECG_SEQUENCE:
        return x->in_rhythm ? ecg_aecg_sequence_end(x) : OK;
    case AECG_SET:
        return x->in_rhythm ? ecg_aecg_set_end(x) : OK;
    case AECG_SERIES:
        x->in_rhythm = false;
        return OK;
    default:
        return OK;
    }
}

static Status content_check(Aecg *x)
{
    if (!x->has_rhythm) {
        return ecg_aecg_invalid(x, (EcgField){"波形系列的代码（series/code）", "series/code"},
                                x->series_code, "RHYTHM（至少一个系列）",
                                "RHYTHM, for one series at least,");
    }
    if (x->n_leads == 0) {
        return ecg_aecg_refuse(x, (EcgField){"波形（sequenceSet）", "sequenceSet"},
                               "节律系列中没有导联；请重新导出",
                               "the rhythm series has no lead; export it again");
    }
    return OK;
}

bool ecg_aecg_is(Str head)
{
    char plain[4096];
    size_t n = 0;
    bool wide = str_starts(head, STR("\xff\xfe")) || str_starts(head, STR("\xfe\xff"));
    Str rest =
        str_starts(head, STR("\xef\xbb\xbf")) ? str_skip(head, 3) : str_skip(head, wide ? 2 : 0);
    for (size_t i = 0; i < rest.n && n < sizeof plain && wide; i++) {
        if (rest.p[i] != '\0') { /* UTF-16: the other half of an ASCII character */
            plain[n++] = rest.p[i];
        }
    }
    rest = str_trim(wide ? (Str){plain, n} : rest);
    return str_starts(rest, STR("<")) && str_find(rest, STR("AnnotatedECG")) >= 0;
}

Status ecg_aecg_read(Arena *a, Str bytes, EcgRecording *ret, Err *err)
{
    Aecg *x = arena_new(a, Aecg);
    x->arena = a;
    x->err = err;
    x->rec.format = ECG_FORMAT_AECG;
    buf_init(&x->seq.digits, (size_t)ECG_SAMPLES_MAX * sizeof(int32_t));
    Status status = ecg_aecg_parse(x, bytes);
    status = status == OK ? content_check(x) : status;
    buf_done(&x->seq.digits);
    if (status != OK) {
        return status;
    }
    x->rec.leads = x->lead;
    x->rec.n_leads = x->n_leads;
    x->rec.omitted = x->omitted;
    x->rec.n_omitted = x->n_omitted;
    *ret = x->rec;
    return OK;
}
