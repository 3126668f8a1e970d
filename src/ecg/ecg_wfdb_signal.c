/* A signal line of a WFDB header. */
#include <stdio.h>

#include "ecg_wfdb.h"

/* format[xN][:skew][+offset] */
static Status format_parse(Wfdb *w, WfdbSignal *s, Str text)
{
    size_t cut = 0;
    int64_t value[4] = {0, 1, 0, 0}; /* format, samples per frame, skew, offset */
    static const char mark[] = {0, 'x', ':', '+'};
    bool good = true;
    for (size_t part = 0; part < 4 && good; part++) {
        if (part > 0 && (cut >= text.n || text.p[cut] != mark[part])) {
            continue;
        }
        size_t from = cut + (part > 0 ? 1 : 0);
        cut = from;
        while (cut < text.n && text.p[cut] >= '0' && text.p[cut] <= '9') {
            cut++;
        }
        good = ecg_wfdb_int((Str){text.p + from, cut - from}, 0, INT32_MAX, &value[part]);
    }
    if (!good || cut != text.n || value[1] < 1 || value[1] > 1000 || value[2] > ECG_SAMPLES_MAX) {
        return ecg_wfdb_bad(w, s->line, WFDB_FORMAT, text, "“格式[x每帧数][:偏斜][+字节]”",
                            "\"format[xN][:skew][+offset]\"");
    }
    s->format = (int)value[0];
    s->per_frame = (int)value[1];
    s->skew = value[2];
    s->offset = value[3];
    if (!ecg_wfdb_format_known(s->format)) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_FORMAT,
            "格式 %d 不支持，可读 8、16、24、32、61、80、160、212、310、311；请转换后上传",
            "format %d is not read, 8, 16, 24, 32, 61, 80, 160, 212, 310, 311 are; "
            "convert it first",
            s->format);
    }
    return OK;
}

/* gain[(baseline)][/unit], gain in LSB per unit */
static Status gain_parse(Wfdb *w, WfdbSignal *s, Str text, bool *ret_baseline)
{
    Str head, unit, number, base;
    str_cut(text, '/', &head, &unit);
    bool has_base = str_cut(head, '(', &number, &base);
    int64_t baseline = 0, mantissa;
    int exponent, volts = 0;
    bool good = ecg_decimal_parse(number, &mantissa, &exponent) && mantissa > 0;
    if (has_base) {
        good = good && base.n > 1 && base.p[base.n - 1] == ')' &&
               ecg_wfdb_int(str_take(base, base.n - 1), INT32_MIN, INT32_MAX, &baseline);
    }
    unit = str_empty(unit) ? STR("mV") : unit;
    bool voltage = ecg_voltage_unit(unit, &volts);
    if (!good || !ecg_rational_scaled(1, mantissa, volts - exponent, &s->gain)) {
        return ecg_wfdb_bad(
            w, s->line, WFDB_GAIN, text, "大于 0 的“增益[(基线)][/单位]”（0 表示未定标，无法画图）",
            "\"gain[(baseline)][/unit]\" above 0 (0 means not calibrated, which cannot be "
            "drawn)");
    }
    s->unit = voltage ? STR("uV") : ecg_text(w->arena, unit);
    s->baseline = (int32_t)baseline;
    *ret_baseline = has_base;
    return OK;
}

/* An optional whole number; `ret` stays when the line ends before it. */
static Status number_parse(const Wfdb *w, const WfdbSignal *s, const WfdbTokens *t, WfdbField field,
                           int64_t lo, int64_t hi, int64_t *ret)
{
    size_t i = (size_t)ecg_wfdb_field_number(field) - 1;
    if (i >= t->n || ecg_wfdb_int(t->t[i], lo, hi, ret)) {
        return OK;
    }
    char zh[64], en[64];
    snprintf(zh, sizeof zh, "%lld 至 %lld 的整数", (long long)lo, (long long)hi);
    snprintf(en, sizeof en, "a whole number from %lld to %lld", (long long)lo, (long long)hi);
    return ecg_wfdb_bad(w, s->line, field, t->t[i], zh, en);
}

static Status numbers_parse(const Wfdb *w, WfdbSignal *s, const WfdbTokens *t, bool has_baseline)
{
    int64_t resolution = 0, zero = 0, initial = 0, checksum = 0, block = 0;
    TRY(number_parse(w, s, t, WFDB_RESOLUTION, 0, 32, &resolution));
    int64_t span = 1LL << (resolution ? resolution : 32);
    TRY(number_parse(w, s, t, WFDB_ZERO, -span, span, &zero));
    TRY(number_parse(w, s, t, WFDB_INITIAL, INT32_MIN, INT32_MAX, &initial));
    TRY(number_parse(w, s, t, WFDB_CHECKSUM, -32768, 65535, &checksum));
    TRY(number_parse(w, s, t, WFDB_BLOCK, 0, INT32_MAX, &block));
    s->baseline = has_baseline ? s->baseline : (int32_t)zero;
    s->has_initial = t->n > 5;
    s->initial = (int32_t)initial;
    s->has_checksum = t->n > 6;
    s->checksum = (uint16_t)checksum;
    return OK;
}

Status ecg_wfdb_signal_parse(Wfdb *w, WfdbSignal *s, Str line)
{
    WfdbTokens t = ecg_wfdb_tokens(line, 9);
    bool has_baseline = false;
    s->file = t.n > 0 ? t.t[0] : STR_NONE;
    if (t.n < 3) {
        WfdbField missing = t.n < 2 ? WFDB_FORMAT : WFDB_GAIN;
        return ecg_wfdb_bad(w, s->line, missing, STR_NONE, "“文件名 格式 增益 …”",
                            "\"file format gain …\"");
    }
    TRY(format_parse(w, s, t.t[1]));
    TRY(gain_parse(w, s, t.t[2], &has_baseline));
    TRY(numbers_parse(w, s, &t, has_baseline));
    s->description = t.n > 8 ? ecg_text(w->arena, t.t[8]) : STR_NONE;
    return OK;
}
