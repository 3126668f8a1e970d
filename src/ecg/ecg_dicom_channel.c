/* DICOM: a channel of a multiplex group, made into a lead. */
#include "ecg_dicom.h"
#include "ecg_scp.h"

/* What is read inside a sequence that a writer marked as of unknown VR is implicit (PS3.5 6.2.2).
 */
Dicom ecg_dicom_inside(const Dicom *d, const DicomElement *sequence)
{
    Dicom ret = *d;
    if (strcmp(sequence->vr, "UN") == 0) {
        ret.syntax = (DicomSyntax){false, false};
    }
    return ret;
}

Status ecg_dicom_unfit(const Dicom *d, const DicomSet *s, DicomField field, const char *zh,
                       const char *en)
{
    Str shown = ecg_text(d->arena, str_take(ecg_dicom_text(d, s, field), 40));
    return ecg_dicom_refuse(d, field, s->field[field].at, "“%.*s” 不能使用：%s%.0s；请重新导出",
                            "\"%.*s\" cannot be used: %.0s%s; export it again", STR_ARG(shown), zh,
                            en);
}

static Status code_read(const Dicom *d, const DicomSet *s, DicomField sequence, DicomSet *ret,
                        bool *ret_there)
{
    const DicomElement *e = &s->field[sequence];
    Dicom in = ecg_dicom_inside(d, e);
    DicomSpan items = e->value, item;
    *ret_there = false;
    if (!e->there) {
        return OK;
    }
    TRY(ecg_dicom_item(&in, &items, 3, &item, ret_there));
    return *ret_there ? ecg_dicom_collect(&in, item, 3, ret) : OK;
}

/* MDC "2:61" and SCPECG "5.6.3-9-61" both end in SCP-ECG's number of the lead. */
static Str lead_from_code(const Dicom *d, const DicomSet *code)
{
    Str value = ecg_dicom_text(d, code, DICOM_CODE_VALUE);
    Str scheme = ecg_dicom_text(d, code, DICOM_CODE_SCHEME);
    Str number = STR_NONE;
    int64_t id;
    if (str_is(scheme, "MDC") && str_starts(value, STR("2:"))) {
        number = str_skip(value, 2);
    } else if (str_is(scheme, "SCPECG") && str_starts(value, STR("5.6.3-9-"))) {
        number = str_skip(value, 8);
    }
    if (!str_to_i64(number, &id) || id < 1 || id > UINT8_MAX) {
        return STR_NONE;
    }
    return str_from_c(ecg_scp_lead_name((uint8_t)id));
}

/* "Lead aVR", "Lead I (Einthoven)" */
static Str lead_from_words(Str words)
{
    Str head, rest;
    str_cut(words, '(', &head, &rest);
    return ecg_lead_name(str_trim(head));
}

static Status name_read(const Dicom *d, const DicomSet *s, EcgLead *l)
{
    DicomSet code = {0};
    bool there;
    TRY(code_read(d, s, DICOM_CHANNEL_SOURCE, &code, &there));
    Str label = ecg_dicom_text(d, s, DICOM_CHANNEL_LABEL);
    label = str_empty(label) ? ecg_dicom_text(d, &code, DICOM_CODE_MEANING) : label;
    l->label = ecg_text_as(d->arena, d->charset, label);
    l->name = lead_from_code(d, &code);
    if (str_empty(l->name) && !str_empty(l->label)) {
        l->name = lead_from_words(l->label);
    }
    return str_empty(l->name) ? ecg_dicom_missing(d, DICOM_CHANNEL_SOURCE) : OK;
}

static Status unit_read(const Dicom *d, const DicomSet *s, EcgLead *l, int *ret_exponent)
{
    DicomSet code = {0};
    bool there;
    TRY(code_read(d, s, DICOM_SENSITIVITY_UNITS, &code, &there));
    Str unit = ecg_dicom_text(d, &code, DICOM_CODE_VALUE);
    if (str_empty(unit)) {
        return ecg_dicom_missing(d, DICOM_SENSITIVITY_UNITS);
    }
    *ret_exponent = 0;
    l->unit = ecg_voltage_unit(unit, ret_exponent) ? STR("uV") : ecg_text(d->arena, unit);
    return OK;
}

/* value = sample × sensitivity × correction + baseline, in the sensitivity's unit */
static Status scale_read(const Dicom *d, const DicomSet *s, EcgLead *l)
{
    int64_t sensitivity, correction, baseline;
    int unit, e_sensitivity, e_correction, e_baseline;
    EcgRational a, b;
    TRY(unit_read(d, s, l, &unit));
    TRY(ecg_dicom_decimal(d, s, DICOM_SENSITIVITY, true, 0, &sensitivity, &e_sensitivity));
    TRY(ecg_dicom_decimal(d, s, DICOM_CORRECTION, false, 1, &correction, &e_correction));
    TRY(ecg_dicom_decimal(d, s, DICOM_BASELINE, false, 0, &baseline, &e_baseline));
    if (!ecg_rational_scaled(sensitivity, 1, e_sensitivity + unit, &a)) {
        return ecg_dicom_unfit(d, s, DICOM_SENSITIVITY, "应大于 0", "it has to be above 0");
    }
    if (!ecg_rational_scaled(correction, 1, e_correction, &b) ||
        !ecg_rational_mul(a, b, &l->gain)) {
        return ecg_dicom_unfit(d, s, DICOM_CORRECTION, "应大于 0", "it has to be above 0");
    }
    if (!ecg_zero_from(baseline, e_baseline + unit, l->gain, &l->zero)) {
        return ecg_dicom_unfit(d, s, DICOM_BASELINE, "不是整数个采样步长",
                               "it is not a whole number of steps of the samples");
    }
    return OK;
}

/* Seconds by which this channel is later than its group. */
static Status skew_read(const Dicom *d, const DicomSet *s, const DicomGroup *g, double *ret)
{
    int64_t time, samples;
    int e_time, e_samples;
    EcgRational r;
    TRY(ecg_dicom_decimal(d, s, DICOM_TIME_SKEW, false, 0, &time, &e_time));
    TRY(ecg_dicom_decimal(d, s, DICOM_SAMPLE_SKEW, false, 0, &samples, &e_samples));
    *ret = 0;
    DicomField field = time != 0 ? DICOM_TIME_SKEW : DICOM_SAMPLE_SKEW;
    int64_t skew = time != 0 ? time : samples;
    if (skew == 0) {
        return OK;
    }
    if (!ecg_rational_scaled(skew, 1, time != 0 ? e_time : e_samples, &r)) {
        return ecg_dicom_unfit(d, s, field, "应为正数", "it has to be positive");
    }
    *ret = ecg_rational_value(r) / (time != 0 ? 1 : ecg_rational_value(g->rate));
    return OK;
}

static Status bits_stored_check(const Dicom *d, const DicomSet *s, const DicomGroup *g)
{
    uint32_t bits;
    if (!s->field[DICOM_BITS_STORED].there) {
        return OK;
    }
    TRY(ecg_dicom_number(d, s, DICOM_BITS_STORED, &bits));
    if (bits < 1 || bits > g->bits) {
        return ecg_dicom_refuse(d, DICOM_BITS_STORED, s->field[DICOM_BITS_STORED].at,
                                "写的是 %u，应为 1 至 %u；请重新导出",
                                "says %u, 1 to %u is possible; export it again", (unsigned)bits,
                                (unsigned)g->bits);
    }
    return OK;
}

int32_t ecg_dicom_sample(const Dicom *d, const DicomGroup *g, size_t i)
{
    const uint8_t *p = (const uint8_t *)g->data.p + i * (g->bits / 8);
    if (g->bits == 8) {
        return g->is_signed ? (int8_t)p[0] : p[0];
    }
    bool big = d->syntax.big;
    if (g->bits == 16) {
        uint16_t v = (uint16_t)(big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
        return g->is_signed ? (int16_t)v : v;
    }
    uint32_t hi = big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[3] << 8 | p[2];
    uint32_t lo = big ? (uint32_t)p[2] << 8 | p[3] : (uint32_t)p[1] << 8 | p[0];
    return (int32_t)(hi << 16 | lo);
}

static Status samples_read(const Dicom *d, const DicomGroup *g, size_t channel, EcgLead *l)
{
    int32_t *samples = ecg_samples_new(d->arena, g->samples);
    if (samples == NULL) {
        return ecg_dicom_refuse(
            d, DICOM_SAMPLES, g->set.field[DICOM_SAMPLES].at, "%u 个采样超过内存上限；请分段导出",
            "%u samples pass the memory limit; export it in parts", (unsigned)g->samples);
    }
    for (size_t i = 0; i < g->samples; i++) {
        samples[i] = ecg_dicom_sample(d, g, i * g->channels + channel);
    }
    l->samples = samples;
    l->n = g->samples;
    l->rate = g->rate;
    l->has_gap = g->has_padding;
    l->gap = g->padding;
    return OK;
}

bool ecg_dicom_lead_there(const EcgLead *lead, size_t n, Str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(lead[i].name, name)) {
            return true;
        }
    }
    return false;
}

Status ecg_dicom_channel(Dicom *d, const DicomGroup *g, size_t channel, DicomSpan item,
                         double delay_s)
{
    DicomSet *s = arena_new(d->arena, DicomSet);
    EcgLead *l = &g->lead[channel];
    double skew;
    TRY(ecg_dicom_collect(d, item, 2, s));
    TRY(name_read(d, s, l));
    if (ecg_dicom_lead_there(g->lead, channel, l->name)) {
        return ecg_dicom_refuse(d, DICOM_CHANNEL_SOURCE, s->field[DICOM_CHANNEL_SOURCE].at,
                                "导联“%.*s”在本组出现两次；请重新导出",
                                "the lead \"%.*s\" is in the group twice; export it again",
                                STR_ARG(l->name));
    }
    TRY(scale_read(d, s, l));
    TRY(bits_stored_check(d, s, g));
    TRY(skew_read(d, s, g, &skew));
    TRY(samples_read(d, g, channel, l));
    if (!ecg_lead_delay(d->arena, l, delay_s + skew)) {
        return ecg_dicom_refuse(d, DICOM_GROUP_OFFSET, g->set.field[DICOM_GROUP_OFFSET].at,
                                "早于第一组，或过大；请重新导出",
                                "is before the first group's, or too large; export it again");
    }
    return OK;
}
