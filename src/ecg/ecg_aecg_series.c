/* HL7 aECG: sequences of times and voltages made into leads. */
#include <stdio.h>

#include "ecg_aecg.h"

static const EcgField FIELD_CODE = {"序列代码（sequence/code）", "sequence/code"};
static const EcgField FIELD_TYPE = {"值类型（xsi:type）", "xsi:type"};
static const EcgField FIELD_HEAD = {"起点（head）", "head"};
static const EcgField FIELD_INCREMENT = {"增量（increment）", "increment"};
static const EcgField FIELD_INCREMENT_UNIT = {"增量的单位（increment/@unit）", "increment/@unit"};
static const EcgField FIELD_ORIGIN = {"原点（origin）", "origin"};
static const EcgField FIELD_ORIGIN_UNIT = {"原点的单位（origin/@unit）", "origin/@unit"};
static const EcgField FIELD_SCALE = {"比例（scale）", "scale"};
static const EcgField FIELD_SCALE_UNIT = {"比例的单位（scale/@unit）", "scale/@unit"};
static const EcgField FIELD_DIGITS = {"采样值（digits）", "digits"};

Status ecg_aecg_refuse(Aecg *x, EcgField field, const char *zh, const char *en, ...)
{
    va_list args;
    EcgPlace p;
    char seq_zh[96] = "", seq_en[96] = "";
    if (x->sequence > 0) {
        Str code = str_take(x->seq.code, 40);
        snprintf(seq_zh, sizeof seq_zh, "，第 %d 个序列 %.*s", x->sequence, STR_ARG(code));
        snprintf(seq_en, sizeof seq_en, ", sequence %d %.*s", x->sequence, STR_ARG(code));
    }
    snprintf(p.where, sizeof p.where, "HL7 aECG line %d, %s", x->line, field.en);
    snprintf(p.zh, sizeof p.zh, "HL7 aECG 第 %d 行%s，%s", x->line, seq_zh, field.zh);
    snprintf(p.en, sizeof p.en, "HL7 aECG line %d%s, %s", x->line, seq_en, field.en);
    va_start(args, en);
    x->status = ecg_refuse_list(x->err, ERR_UNPROCESSABLE, &p, zh, en, args);
    va_end(args);
    return x->status;
}

Status ecg_aecg_invalid(Aecg *x, EcgField field, Str text, const char *zh_want, const char *en_want)
{
    Str shown = ecg_text(x->arena, str_take(text, 40));
    return ecg_aecg_refuse(x, field, "“%.*s” 无效，应为%s%.0s；请重新导出",
                           "\"%.*s\" is not valid, %.0s%s belongs here; export it again",
                           STR_ARG(shown), zh_want, en_want);
}

void ecg_aecg_omit(Aecg *x, Str name)
{
    if (x->n_omitted < ECG_NOTES_MAX) {
        x->omitted[x->n_omitted++] = str_empty(name) ? STR("series") : ecg_text(x->arena, name);
    }
}

void ecg_aecg_set_begin(Aecg *x)
{
    x->set = (AecgSet){.first = x->n_leads};
    x->sequence = 0;
}

void ecg_aecg_sequence_begin(Aecg *x)
{
    Buf digits = x->seq.digits;
    buf_clear(&digits);
    x->seq = (AecgSequence){.line = x->line, .digits = digits};
    x->sequence++;
}

/* Seconds as a power of ten. */
static bool second_unit(Str unit, int *ret_exponent)
{
    static const struct {
        const char *unit;
        int exponent;
    } row[] = {{"s", 0}, {"ms", -3}, {"us", -6}, {"ns", -9}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (str_is(unit, row[i].unit)) {
            *ret_exponent = row[i].exponent;
            return true;
        }
    }
    return false;
}

static Status rate_read(Aecg *x)
{
    const AecgQuantity *q = &x->seq.increment;
    int unit = 0;
    if (!q->there) {
        return ecg_aecg_refuse(x, FIELD_INCREMENT, "缺少采样间隔；请重新导出",
                               "is absent; export it again");
    }
    if (!second_unit(q->unit, &unit)) {
        return ecg_aecg_invalid(x, FIELD_INCREMENT_UNIT, q->unit, "s、ms 或 us", "s, ms or us");
    }
    if (q->mantissa <= 0 ||
        !ecg_rational_scaled(1, q->mantissa, -q->exponent - unit, &x->set.rate) ||
        ecg_rational_value(x->set.rate) > 100000 || ecg_rational_value(x->set.rate) < 0.1) {
        return ecg_aecg_refuse(x, FIELD_INCREMENT, "采样间隔应在 0.00001 至 10 秒之间；请重新导出",
                               "has to be between 0.00001 and 10 seconds; export it again");
    }
    return OK;
}

static Status head_read(Aecg *x, bool absolute)
{
    int64_t mantissa;
    int exponent;
    EcgRational r;
    if (!x->seq.has_head) {
        return ecg_aecg_refuse(x, FIELD_HEAD, "缺少起点；请重新导出", "is absent; export it again");
    }
    if (absolute) {
        x->set.has_start = ecg_time_compact(x->seq.head, &x->set.start);
        return x->set.has_start
                   ? OK
                   : ecg_aecg_invalid(x, FIELD_HEAD, x->seq.head, "年月日时分秒", "YYYYMMDDHHMMSS");
    }
    bool good = ecg_decimal_parse(x->seq.head, &mantissa, &exponent) && mantissa >= 0;
    if (good && mantissa > 0) {
        good = ecg_rational_scaled(mantissa, 1, exponent, &r);
        x->set.offset_s = good ? ecg_rational_value(r) : 0;
    }
    return good ? OK
                : ecg_aecg_invalid(x, FIELD_HEAD, x->seq.head, "不小于 0 的数",
                                   "a number of at least 0");
}

static Status time_end(Aecg *x)
{
    bool absolute = str_is(x->seq.code, "TIME_ABSOLUTE");
    const char *type = absolute ? "GLIST_TS" : "GLIST_PQ";
    if (!str_is(x->seq.type, type)) {
        return ecg_aecg_invalid(x, FIELD_TYPE, x->seq.type, type, type);
    }
    TRY(rate_read(x));
    TRY(head_read(x, absolute));
    x->set.has_time = true;
    return OK;
}

static Status scale_read(Aecg *x, EcgLead *l)
{
    const AecgQuantity *scale = &x->seq.scale, *origin = &x->seq.origin;
    int unit = 0, origin_unit = 0;
    if (!scale->there) {
        return ecg_aecg_refuse(x, FIELD_SCALE, "缺少比例；请重新导出",
                               "is absent; export it again");
    }
    if (!ecg_voltage_unit(scale->unit, &unit)) {
        return ecg_aecg_invalid(x, FIELD_SCALE_UNIT, scale->unit, "nV、uV、mV 或 V",
                                "nV, uV, mV or V");
    }
    if (!ecg_rational_scaled(scale->mantissa, 1, scale->exponent + unit, &l->gain)) {
        return ecg_aecg_refuse(x, FIELD_SCALE, "应大于 0；请重新导出",
                               "has to be above 0; export it again");
    }
    if (!origin->there) {
        return ecg_aecg_refuse(x, FIELD_ORIGIN, "缺少原点；请重新导出",
                               "is absent; export it again");
    }
    if (origin->mantissa != 0 && !ecg_voltage_unit(origin->unit, &origin_unit)) {
        return ecg_aecg_invalid(x, FIELD_ORIGIN_UNIT, origin->unit, "nV、uV、mV 或 V",
                                "nV, uV, mV or V");
    }
    if (!ecg_zero_from(origin->mantissa, origin->exponent + origin_unit, l->gain, &l->zero)) {
        return ecg_aecg_refuse(x, FIELD_ORIGIN, "不是整数个比例（scale）；请重新导出",
                               "is not a whole number of scales; export it again");
    }
    return OK;
}

static Status name_read(Aecg *x, EcgLead *l)
{
    Str mark = STR("MDC_ECG_LEAD_");
    if (!str_starts(x->seq.code, mark) || x->seq.code.n == mark.n) {
        return ecg_aecg_invalid(x, FIELD_CODE, x->seq.code,
                                "TIME_ABSOLUTE、TIME_RELATIVE 或 MDC_ECG_LEAD_…",
                                "TIME_ABSOLUTE, TIME_RELATIVE or MDC_ECG_LEAD_…");
    }
    l->label = ecg_text(x->arena, x->seq.code);
    l->name = ecg_lead_name(str_skip(l->label, mark.n));
    for (size_t i = x->set.first; i < x->n_leads; i++) {
        if (str_eq(x->lead[i].name, l->name)) {
            return ecg_aecg_refuse(x, FIELD_CODE, "导联 %.*s 在同一组中出现两次；请重新导出",
                                   "the lead %.*s is in its set twice; export it again",
                                   STR_ARG(l->name));
        }
    }
    return OK;
}

static Status digits_read(Aecg *x, EcgLead *l)
{
    size_t n = x->seq.digits.n / sizeof(int32_t);
    if (!x->seq.has_digits || n == 0) {
        return ecg_aecg_refuse(x, FIELD_DIGITS, "没有采样值；请重新导出",
                               "has no samples; export it again");
    }
    if (x->n_leads > x->set.first && x->lead[x->set.first].n != n) {
        return ecg_aecg_refuse(
            x, FIELD_DIGITS, "有 %zu 个采样，同组第一个导联有 %zu 个；请重新导出",
            "has %zu samples, the first lead of its set has %zu; export it again", n,
            x->lead[x->set.first].n);
    }
    int32_t *samples = ecg_samples_new(x->arena, n);
    if (samples == NULL) {
        return ecg_aecg_refuse(x, FIELD_DIGITS, "%zu 个采样超过内存上限；请分段导出",
                               "%zu samples pass the memory limit; export it in parts", n);
    }
    memcpy(samples, x->seq.digits.p, x->seq.digits.n);
    l->samples = samples;
    l->n = n;
    return OK;
}

static Status lead_end(Aecg *x)
{
    EcgLead l = {.unit = STR("uV")};
    TRY(name_read(x, &l));
    if (!str_is(x->seq.type, "SLIST_PQ")) {
        return ecg_aecg_invalid(x, FIELD_TYPE, x->seq.type, "SLIST_PQ", "SLIST_PQ");
    }
    TRY(scale_read(x, &l));
    TRY(digits_read(x, &l));
    if (x->n_leads == ECG_LEADS_MAX) {
        return ecg_aecg_refuse(x, FIELD_CODE, "导联多于 %u 个；请分段导出",
                               "there are more than %u leads; export it in parts", ECG_LEADS_MAX);
    }
    x->lead[x->n_leads++] = l;
    return OK;
}

Status ecg_aecg_sequence_end(Aecg *x)
{
    bool time = str_is(x->seq.code, "TIME_ABSOLUTE") || str_is(x->seq.code, "TIME_RELATIVE");
    return time ? time_end(x) : lead_end(x);
}

/* Seconds from the first set's beginning to this one's. */
static double set_delay(const Aecg *x)
{
    int64_t from, to, end;
    if (!x->set.has_start || !x->first_set.has_start) {
        return x->set.offset_s - x->first_set.offset_s;
    }
    datetime_range(&x->first_set.start, 0, &from, &end);
    datetime_range(&x->set.start, 0, &to, &end);
    return (double)(to - from) / 1000;
}

static bool set_repeats(const Aecg *x)
{
    for (size_t i = x->set.first; i < x->n_leads; i++) {
        for (size_t k = 0; k < x->set.first; k++) {
            if (str_eq(x->lead[i].name, x->lead[k].name)) {
                return true;
            }
        }
    }
    return false;
}

/* A set whose leads are there already is another stretch of time: named, not shown. */
Status ecg_aecg_set_end(Aecg *x)
{
    x->sequence = 0;
    x->sets++;
    if (!x->set.has_time && x->n_leads > x->set.first) {
        return ecg_aecg_refuse(x, (EcgField){"时间序列", "time sequence"},
                               "缺少 TIME_ABSOLUTE 或 TIME_RELATIVE；请重新导出",
                               "TIME_ABSOLUTE or TIME_RELATIVE is absent; export it again");
    }
    if (x->sets == 1) {
        x->first_set = x->set;
        x->rec.start = x->set.has_start ? x->set.start : x->rec.start;
        x->rec.has_start = x->rec.has_start || x->set.has_start;
    }
    if (set_repeats(x)) {
        x->n_leads = x->set.first;
        ecg_aecg_omit(x, arena_printf(x->arena, "sequenceSet %zu", x->sets));
        return OK;
    }
    double delay = set_delay(x);
    for (size_t i = x->set.first; i < x->n_leads; i++) {
        x->lead[i].rate = x->set.rate;
        if (!ecg_lead_delay(x->arena, &x->lead[i], delay)) {
            return ecg_aecg_refuse(
                x, FIELD_HEAD, "早于第一组，或相隔过久；请重新导出",
                "is before the first set's, or too long after it; export it again");
        }
    }
    return OK;
}
