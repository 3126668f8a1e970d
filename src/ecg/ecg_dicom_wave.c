/* DICOM: the multiplex groups of a waveform sequence and their channels, made into leads. */
#include "ecg_dicom.h"
#include "ecg_scp.h"

/* A multiplex group: samples of all its channels, instant after instant. */
typedef struct Group {
    DicomSet set;
    Str label;
    uint32_t channels, samples, bits;
    bool is_signed;
    EcgRational rate;
    double offset_s;
    bool has_padding;
    int32_t padding;
    Str data;
    EcgLead *lead;
} Group;

typedef struct Waves {
    Dicom *d;
    EcgLead lead[ECG_LEADS_MAX];
    size_t n_leads;
    Str omitted[ECG_NOTES_MAX];
    size_t n_omitted;
    double offset_s; /* of the first group that is read: the recording's beginning */
} Waves;

/* What is read inside a sequence that a writer marked as of unknown VR is implicit (PS3.5 6.2.2).
 */
static Dicom inside(const Dicom *d, const DicomElement *sequence)
{
    Dicom ret = *d;
    if (strcmp(sequence->vr, "UN") == 0) {
        ret.syntax = (DicomSyntax){false, false};
    }
    return ret;
}

static Status code_read(const Dicom *d, const DicomSet *s, DicomField sequence, DicomSet *ret,
                        bool *ret_there)
{
    const DicomElement *e = &s->field[sequence];
    Dicom in = inside(d, e);
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

static Status unfit(const Dicom *d, const DicomSet *s, DicomField field, const char *zh,
                    const char *en)
{
    Str shown = ecg_text(d->arena, str_take(ecg_dicom_text(d, s, field), 40));
    return ecg_dicom_refuse(d, field, s->field[field].at, "“%.*s” 不能使用：%s%.0s；请重新导出",
                            "\"%.*s\" cannot be used: %.0s%s; export it again", STR_ARG(shown), zh,
                            en);
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
        return unfit(d, s, DICOM_SENSITIVITY, "应大于 0", "it has to be above 0");
    }
    if (!ecg_rational_scaled(correction, 1, e_correction, &b) ||
        !ecg_rational_mul(a, b, &l->gain)) {
        return unfit(d, s, DICOM_CORRECTION, "应大于 0", "it has to be above 0");
    }
    if (!ecg_zero_from(baseline, e_baseline + unit, l->gain, &l->zero)) {
        return unfit(d, s, DICOM_BASELINE, "不是整数个采样步长",
                     "it is not a whole number of steps of the samples");
    }
    return OK;
}

/* Seconds by which this channel is later than its group. */
static Status skew_read(const Dicom *d, const DicomSet *s, const Group *g, double *ret)
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
        return unfit(d, s, field, "应为正数", "it has to be positive");
    }
    *ret = ecg_rational_value(r) / (time != 0 ? 1 : ecg_rational_value(g->rate));
    return OK;
}

static Status bits_stored_check(const Dicom *d, const DicomSet *s, const Group *g)
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

static int32_t sample_at(const Dicom *d, const Group *g, size_t i)
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

static Status samples_read(const Dicom *d, const Group *g, size_t channel, EcgLead *l)
{
    int32_t *samples = ecg_samples_new(d->arena, g->samples);
    if (samples == NULL) {
        return ecg_dicom_refuse(
            d, DICOM_SAMPLES, g->set.field[DICOM_SAMPLES].at, "%u 个采样超过内存上限；请分段导出",
            "%u samples pass the memory limit; export it in parts", (unsigned)g->samples);
    }
    for (size_t i = 0; i < g->samples; i++) {
        samples[i] = sample_at(d, g, i * g->channels + channel);
    }
    l->samples = samples;
    l->n = g->samples;
    l->rate = g->rate;
    l->has_gap = g->has_padding;
    l->gap = g->padding;
    return OK;
}

static bool lead_there(const EcgLead *lead, size_t n, Str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(lead[i].name, name)) {
            return true;
        }
    }
    return false;
}

static Status channel_read(const Waves *w, const Group *g, size_t channel, DicomSpan item)
{
    DicomSet *s = arena_new(w->d->arena, DicomSet);
    EcgLead *l = &g->lead[channel];
    double skew;
    TRY(ecg_dicom_collect(w->d, item, 2, s));
    TRY(name_read(w->d, s, l));
    if (lead_there(g->lead, channel, l->name)) {
        return ecg_dicom_refuse(w->d, DICOM_CHANNEL_SOURCE, s->field[DICOM_CHANNEL_SOURCE].at,
                                "导联“%.*s”在本组出现两次；请重新导出",
                                "the lead \"%.*s\" is in the group twice; export it again",
                                STR_ARG(l->name));
    }
    TRY(scale_read(w->d, s, l));
    TRY(bits_stored_check(w->d, s, g));
    TRY(skew_read(w->d, s, g, &skew));
    TRY(samples_read(w->d, g, channel, l));
    if (!ecg_lead_delay(w->d->arena, l, g->offset_s + skew - w->offset_s)) {
        return ecg_dicom_refuse(w->d, DICOM_GROUP_OFFSET, g->set.field[DICOM_GROUP_OFFSET].at,
                                "早于第一组，或过大；请重新导出",
                                "is before the first group's, or too large; export it again");
    }
    return OK;
}

static Status channels_read(const Waves *w, const Group *g)
{
    const DicomElement *e = &g->set.field[DICOM_CHANNEL_SEQUENCE];
    DicomSpan items = e->value, item;
    bool more = true;
    uint32_t n = 0;
    if (!e->there) {
        return ecg_dicom_missing(w->d, DICOM_CHANNEL_SEQUENCE);
    }
    DicomSyntax outside = w->d->syntax;
    w->d->syntax = inside(w->d, e).syntax;
    for (;; n++) {
        TRY(ecg_dicom_item(w->d, &items, 2, &item, &more));
        if (!more || n == g->channels) {
            break;
        }
        w->d->channel = (int)n + 1;
        TRY(channel_read(w, g, n, item));
    }
    w->d->syntax = outside;
    w->d->channel = 0;
    if (more || n != g->channels) {
        return ecg_dicom_refuse(
            w->d, DICOM_CHANNELS, g->set.field[DICOM_CHANNELS].at,
            "写的是 %u，通道定义序列 (003A,0200) 的条目数与之不符；请重新导出",
            "says %u, which the items of the Channel Definition Sequence (003A,0200) contradict; "
            "export it again",
            (unsigned)g->channels);
    }
    return OK;
}

/* Bits, sign and the padding value. */
static Status coding_read(const Dicom *d, Group *g)
{
    static const struct {
        const char *name;
        uint32_t bits;
        bool is_signed;
    } row[] = {
        {"SB", 8, true}, {"UB", 8, false}, {"SS", 16, true}, {"US", 16, false}, {"SL", 32, true}};
    TRY(ecg_dicom_number(d, &g->set, DICOM_BITS_ALLOCATED, &g->bits));
    if (g->bits != 8 && g->bits != 16 && g->bits != 32) {
        return ecg_dicom_refuse(d, DICOM_BITS_ALLOCATED, g->set.field[DICOM_BITS_ALLOCATED].at,
                                "写的是 %u，支持 8、16、32；请重新导出",
                                "says %u, 8, 16 and 32 are read; export it again",
                                (unsigned)g->bits);
    }
    Str name = ecg_dicom_text(d, &g->set, DICOM_INTERPRETATION);
    bool found = false;
    for (size_t i = 0; i < sizeof row / sizeof *row && !found; i++) {
        found = str_is(name, row[i].name) && row[i].bits == g->bits;
        g->is_signed = row[i].is_signed;
    }
    if (!found) {
        return unfit(d, &g->set, DICOM_INTERPRETATION, "支持与分配位数相符的 SB、UB、SS、US、SL",
                     "SB, UB, SS, US and SL are read, as the bits allocated say");
    }
    Str padding = ecg_dicom_bytes(d, &g->set.field[DICOM_PADDING]);
    if (padding.n >= g->bits / 8) {
        Group one = {.bits = g->bits, .is_signed = g->is_signed, .data = padding};
        g->has_padding = true;
        g->padding = sample_at(d, &one, 0);
    }
    return OK;
}

static Status rate_read(const Dicom *d, Group *g)
{
    int64_t mantissa;
    int exponent;
    TRY(ecg_dicom_decimal(d, &g->set, DICOM_RATE, true, 0, &mantissa, &exponent));
    if (!ecg_rational_scaled(mantissa, 1, exponent, &g->rate) ||
        ecg_rational_value(g->rate) < 0.1 || ecg_rational_value(g->rate) > 100000) {
        return unfit(d, &g->set, DICOM_RATE, "应为 0.1 至 100000 Hz",
                     "it has to be from 0.1 to 100000 Hz");
    }
    return OK;
}

/* Milliseconds from a reference that all groups share. */
static Status offset_read(const Dicom *d, Group *g)
{
    int64_t mantissa;
    int exponent;
    EcgRational ms;
    TRY(ecg_dicom_decimal(d, &g->set, DICOM_GROUP_OFFSET, false, 0, &mantissa, &exponent));
    if (mantissa == 0) {
        return OK;
    }
    if (!ecg_rational_scaled(mantissa < 0 ? -mantissa : mantissa, 1, exponent, &ms)) {
        return unfit(d, &g->set, DICOM_GROUP_OFFSET, "超出范围", "it is out of range");
    }
    g->offset_s = ecg_rational_value(ms) / (mantissa < 0 ? -1000 : 1000);
    return OK;
}

static Status data_check(const Dicom *d, Group *g)
{
    const DicomElement *e = &g->set.field[DICOM_DATA];
    g->data = ecg_dicom_bytes(d, e);
    if (str_empty(g->data)) {
        return ecg_dicom_missing(d, DICOM_DATA);
    }
    uint64_t want = (uint64_t)g->channels * g->samples * (g->bits / 8);
    if (g->samples == 0 || g->samples > ECG_SAMPLES_MAX / g->channels) {
        return ecg_dicom_refuse(d, DICOM_SAMPLES, g->set.field[DICOM_SAMPLES].at,
                                "写的是 %u，%u 个通道至多 %u；请分段导出",
                                "says %u, of %u channels at most %u are read; export it in parts",
                                (unsigned)g->samples, (unsigned)g->channels,
                                (unsigned)(ECG_SAMPLES_MAX / g->channels));
    }
    if (g->data.n != want + want % 2) {
        return ecg_dicom_refuse(
            d, DICOM_SAMPLES, g->set.field[DICOM_SAMPLES].at,
            "写的是 %u，乘以通道数 (003A,0005) %u 和分配位数 (5400,1004) %u，与波形数据 "
            "(5400,1010) 的 %zu 字节不符；请重新导出",
            "says %u, which with the Number of Waveform Channels (003A,0005) %u and the Waveform "
            "Bits Allocated (5400,1004) %u does not make the %zu bytes of the Waveform Data "
            "(5400,1010); export it again",
            (unsigned)g->samples, (unsigned)g->channels, (unsigned)g->bits, g->data.n);
    }
    return OK;
}

static Status group_read(const Waves *w, Group *g)
{
    const Dicom *d = w->d;
    TRY(ecg_dicom_number(d, &g->set, DICOM_CHANNELS, &g->channels));
    if (g->channels == 0 || g->channels > ECG_LEADS_MAX) {
        return ecg_dicom_refuse(d, DICOM_CHANNELS, g->set.field[DICOM_CHANNELS].at,
                                "写的是 %u，应为 1 至 %u；请重新导出",
                                "says %u, 1 to %u are read; export it again", (unsigned)g->channels,
                                ECG_LEADS_MAX);
    }
    TRY(ecg_dicom_number(d, &g->set, DICOM_SAMPLES, &g->samples));
    TRY(rate_read(d, g));
    TRY(offset_read(d, g));
    TRY(coding_read(d, g));
    TRY(data_check(d, g));
    g->lead = arena_array(d->arena, EcgLead, g->channels);
    return OK;
}

static void group_omit(Waves *w, const Group *g)
{
    if (w->n_omitted < ECG_NOTES_MAX) {
        Str label = str_empty(g->label)
                        ? arena_printf(w->d->arena, "multiplex group %d", w->d->group)
                        : g->label;
        w->omitted[w->n_omitted++] = label;
    }
}

/* A group whose leads are there already is another stretch of time: named, not shown. */
static Status group_add(Waves *w, Group *g)
{
    bool shown = g->channels <= ECG_LEADS_MAX - w->n_leads;
    w->offset_s = w->n_leads > 0 ? w->offset_s : g->offset_s;
    TRY(channels_read(w, g));
    for (size_t i = 0; i < g->channels; i++) {
        shown = shown && !lead_there(w->lead, w->n_leads, g->lead[i].name);
    }
    if (!shown) {
        group_omit(w, g);
        return OK;
    }
    memcpy(w->lead + w->n_leads, g->lead, g->channels * sizeof *g->lead);
    w->n_leads += g->channels;
    return OK;
}

static Status item_read(Waves *w, DicomSpan item)
{
    Group *g = arena_new(w->d->arena, Group);
    TRY(ecg_dicom_collect(w->d, item, 1, &g->set));
    g->label =
        ecg_text_as(w->d->arena, w->d->charset, ecg_dicom_text(w->d, &g->set, DICOM_GROUP_LABEL));
    Str origin = ecg_dicom_text(w->d, &g->set, DICOM_ORIGINALITY);
    if (str_is(origin, "DERIVED")) { /* a median beat: computed, not recorded */
        group_omit(w, g);
        return OK;
    }
    if (!str_is(origin, "ORIGINAL")) {
        return str_empty(origin)
                   ? ecg_dicom_missing(w->d, DICOM_ORIGINALITY)
                   : unfit(w->d, &g->set, DICOM_ORIGINALITY, "应为 ORIGINAL 或 DERIVED",
                           "ORIGINAL or DERIVED belongs here");
    }
    TRY(group_read(w, g));
    return group_add(w, g);
}

Status ecg_dicom_waves(Dicom *d, const DicomSet *s, EcgRecording *rec)
{
    const DicomElement *e = &s->field[DICOM_WAVEFORM_SEQUENCE];
    Waves *w = arena_new(d->arena, Waves);
    DicomSpan items = e->value, item;
    bool more = e->there;
    w->d = d;
    d->syntax = inside(d, e).syntax;
    while (more) {
        TRY(ecg_dicom_item(d, &items, 1, &item, &more));
        d->group += more;
        if (more) {
            TRY(item_read(w, item));
        }
    }
    d->group = 0;
    if (w->n_leads == 0) {
        return ecg_dicom_missing(d, DICOM_WAVEFORM_SEQUENCE);
    }
    rec->leads = w->lead;
    rec->n_leads = w->n_leads;
    rec->omitted = w->omitted;
    rec->n_omitted = w->n_omitted;
    return OK;
}
