/* DICOM: the multiplex groups of a waveform sequence and their channels, made into leads. */
#include "ecg_dicom.h"

typedef struct Waves {
    Dicom *d;
    EcgLead lead[ECG_LEADS_MAX];
    size_t n_leads;
    Str omitted[ECG_NOTES_MAX];
    size_t n_omitted;
    double offset_s; /* of the first group that is read: the recording's beginning */
} Waves;

static Status channels_read(const Waves *w, const DicomGroup *g)
{
    const DicomElement *e = &g->set.field[DICOM_CHANNEL_SEQUENCE];
    DicomSpan items = e->value, item;
    bool more = true;
    uint32_t n = 0;
    if (!e->there) {
        return ecg_dicom_missing(w->d, DICOM_CHANNEL_SEQUENCE);
    }
    DicomSyntax outside = w->d->syntax;
    w->d->syntax = ecg_dicom_inside(w->d, e).syntax;
    for (;; n++) {
        TRY(ecg_dicom_item(w->d, &items, 2, &item, &more));
        if (!more || n == g->channels) {
            break;
        }
        w->d->channel = (int)n + 1;
        TRY(ecg_dicom_channel(w->d, g, n, item, g->offset_s - w->offset_s));
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
static Status coding_read(const Dicom *d, DicomGroup *g)
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
        return ecg_dicom_unfit(d, &g->set, DICOM_INTERPRETATION,
                               "支持与分配位数相符的 SB、UB、SS、US、SL",
                               "SB, UB, SS, US and SL are read, as the bits allocated say");
    }
    Str padding = ecg_dicom_bytes(d, &g->set.field[DICOM_PADDING]);
    if (padding.n >= g->bits / 8) {
        DicomGroup one = {.bits = g->bits, .is_signed = g->is_signed, .data = padding};
        g->has_padding = true;
        g->padding = ecg_dicom_sample(d, &one, 0);
    }
    return OK;
}

static Status rate_read(const Dicom *d, DicomGroup *g)
{
    int64_t mantissa;
    int exponent;
    TRY(ecg_dicom_decimal(d, &g->set, DICOM_RATE, true, 0, &mantissa, &exponent));
    if (!ecg_rational_scaled(mantissa, 1, exponent, &g->rate) ||
        ecg_rational_value(g->rate) < 0.1 || ecg_rational_value(g->rate) > 100000) {
        return ecg_dicom_unfit(d, &g->set, DICOM_RATE, "应为 0.1 至 100000 Hz",
                               "it has to be from 0.1 to 100000 Hz");
    }
    return OK;
}

/* Milliseconds from a reference that all groups share. */
static Status offset_read(const Dicom *d, DicomGroup *g)
{
    int64_t mantissa;
    int exponent;
    EcgRational ms;
    TRY(ecg_dicom_decimal(d, &g->set, DICOM_GROUP_OFFSET, false, 0, &mantissa, &exponent));
    if (mantissa == 0) {
        return OK;
    }
    if (!ecg_rational_scaled(mantissa < 0 ? -mantissa : mantissa, 1, exponent, &ms)) {
        return ecg_dicom_unfit(d, &g->set, DICOM_GROUP_OFFSET, "超出范围", "it is out of range");
    }
    g->offset_s = ecg_rational_value(ms) / (mantissa < 0 ? -1000 : 1000);
    return OK;
}

static Status data_check(const Dicom *d, DicomGroup *g)
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

static Status group_read(const Waves *w, DicomGroup *g)
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

static void group_omit(Waves *w, const DicomGroup *g)
{
    if (w->n_omitted < ECG_NOTES_MAX) {
        Str label = str_empty(g->label)
                        ? arena_printf(w->d->arena, "multiplex group %d", w->d->group)
                        : g->label;
        w->omitted[w->n_omitted++] = label;
    }
}

/* A group whose leads are there already is another stretch of time: named, not shown. */
static Status group_add(Waves *w, DicomGroup *g)
{
    bool shown = g->channels <= ECG_LEADS_MAX - w->n_leads;
    w->offset_s = w->n_leads > 0 ? w->offset_s : g->offset_s;
    TRY(channels_read(w, g));
    for (size_t i = 0; i < g->channels; i++) {
        shown = shown && !ecg_dicom_lead_there(w->lead, w->n_leads, g->lead[i].name);
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
    DicomGroup *g = arena_new(w->d->arena, DicomGroup);
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
                   : ecg_dicom_unfit(w->d, &g->set, DICOM_ORIGINALITY, "应为 ORIGINAL 或 DERIVED",
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
    d->syntax = ecg_dicom_inside(d, e).syntax;
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
