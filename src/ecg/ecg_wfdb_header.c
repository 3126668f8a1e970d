/* The text of a WFDB header. */
#include <stdio.h>

#include "ecg_wfdb.h"

#define TOKENS_MAX 16

static const struct {
    int number; /* of the field in its line */
    EcgField name;
} field_row[] = {
    [WFDB_RECORD_NAME] = {1, {"记录名", "record name"}},
    [WFDB_SIGNALS] = {2, {"信号数", "number of signals"}},
    [WFDB_RATE] = {3, {"采样频率", "sampling frequency"}},
    [WFDB_SAMPLES] = {4, {"每信号采样数", "number of samples per signal"}},
    [WFDB_TIME] = {5, {"起始时间", "base time"}},
    [WFDB_DATE] = {6, {"起始日期", "base date"}},
    [WFDB_FILE] = {1, {"文件名", "file name"}},
    [WFDB_FORMAT] = {2, {"格式", "format"}},
    [WFDB_GAIN] = {3, {"增益", "ADC gain"}},
    [WFDB_RESOLUTION] = {4, {"ADC 位数", "ADC resolution"}},
    [WFDB_ZERO] = {5, {"ADC 零点", "ADC zero"}},
    [WFDB_INITIAL] = {6, {"初值", "initial value"}},
    [WFDB_CHECKSUM] = {7, {"校验和", "checksum"}},
    [WFDB_BLOCK] = {8, {"块大小", "block size"}},
    [WFDB_DESCRIPTION] = {9, {"描述（导联名）", "description (lead name)"}},
};

Status ecg_wfdb_refuse_at(const Wfdb *w, Status status, int line, WfdbField field, const char *zh,
                          const char *en, ...)
{
    char text_zh[512], text_en[512];
    va_list args, again;
    va_start(args, en);
    va_copy(again, args);
    vsnprintf(text_zh, sizeof text_zh, zh, args);
    vsnprintf(text_en, sizeof text_en, en, again);
    va_end(again);
    va_end(args);
    EcgPlace p;
    int number = field_row[field].number;
    EcgField name = field_row[field].name;
    Str title = str_take(w->title, 60);
    snprintf(p.where, sizeof p.where, "WFDB line %d, %s", line, name.en);
    snprintf(p.zh, sizeof p.zh, "WFDB %.*s 第 %d 行第 %d 字段（%s）", STR_ARG(title), line, number,
             name.zh);
    snprintf(p.en, sizeof p.en, "WFDB %.*s line %d, field %d (%s)", STR_ARG(title), line, number,
             name.en);
    return ecg_refuse(w->err, status, &p, "%s%.0s", "%.0s%s", text_zh, text_en);
}

typedef struct Tokens {
    size_t n;
    Str t[TOKENS_MAX]; /* the last takes the rest of the line */
} Tokens;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static Tokens tokens_cut(Str line, size_t max)
{
    Tokens ret = {0};
    for (Str rest = str_trim(line); rest.n > 0 && ret.n < max;) {
        size_t n = 0;
        while (n < rest.n && (!is_blank(rest.p[n]) || ret.n + 1 == max)) {
            n++;
        }
        ret.t[ret.n++] = str_take(rest, n);
        rest = str_trim(str_skip(rest, n));
    }
    return ret;
}

/* A decimal number as mantissa × 10^exponent; the whole text or false. */
static bool decimal_parse(Str s, int64_t *ret_mantissa, int *ret_exponent)
{
    int64_t mantissa = 0;
    int exponent = 0, digits = 0;
    size_t i = s.n > 0 && s.p[0] == '+' ? 1 : 0;
    for (bool point = false; i < s.n && (s.p[i] == '.' || (s.p[i] >= '0' && s.p[i] <= '9')); i++) {
        if (s.p[i] == '.') {
            if (point) {
                return false;
            }
            point = true;
            continue;
        }
        if (++digits > 15) {
            return false;
        }
        mantissa = mantissa * 10 + (s.p[i] - '0');
        exponent -= point ? 1 : 0;
    }
    int64_t written = 0;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        Str e = str_skip(s, i + 1);
        if (!str_to_i64(e.n > 0 && e.p[0] == '+' ? str_skip(e, 1) : e, &written)) {
            return false;
        }
        i = s.n;
    }
    if (digits == 0 || i != s.n || written < -15 || written > 15) {
        return false;
    }
    *ret_mantissa = mantissa;
    *ret_exponent = exponent + (int)written;
    return true;
}

/* num × 10^exponent / den as a rational, or false. */
static bool rational_scaled(int64_t num, int64_t den, int exponent, EcgRational *ret)
{
    for (; exponent > 0; exponent--) {
        if (num > INT64_MAX / 10) {
            return false;
        }
        num *= 10;
    }
    for (; exponent < 0; exponent++) {
        if (den > INT64_MAX / 10) {
            return false;
        }
        den *= 10;
    }
    return ecg_rational(num, den, ret);
}

static bool int_in(Str s, int64_t lo, int64_t hi, int64_t *ret)
{
    int64_t v;
    if (!str_to_i64(s.n > 1 && s.p[0] == '+' ? str_skip(s, 1) : s, &v) || v < lo || v > hi) {
        return false;
    }
    *ret = v;
    return true;
}

static Status not_number(const Wfdb *w, int line, WfdbField field, Str text, const char *zh_want,
                         const char *en_want)
{
    Str shown = str_take(text, 40);
    return ecg_wfdb_refuse(
        w, line, field, "“%.*s” 无效，应为%s%.0s；请更正头文件或重新导出",
        "\"%.*s\" is not valid, %.0s%s belongs here; correct the header or export "
        "again",
        STR_ARG(shown), zh_want, en_want);
}

static bool name_valid(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-') {
            return false;
        }
    }
    return s.n > 0 && s.n <= 80;
}

static Status record_name_parse(Wfdb *w, Str text)
{
    Str name, segments;
    if (str_cut(text, '/', &name, &segments)) {
        return ecg_wfdb_refuse(w, w->line, WFDB_RECORD_NAME,
                               "“%.*s” 是多段记录，不支持；请逐段上传，或先合并为单段",
                               "\"%.*s\" is a multi-segment record, which is not read; upload the "
                               "segments one by one or join them first",
                               STR_ARG(text));
    }
    if (!name_valid(name)) {
        return not_number(w, w->line, WFDB_RECORD_NAME, name, "字母、数字、_ 和 - 组成的名称",
                          "a name of letters, digits, _ and -");
    }
    w->record = arena_str(w->arena, name);
    return OK;
}

static Status rate_parse(Wfdb *w, Str text)
{
    Str number, counter;
    str_cut(text, '/', &number, &counter);
    int64_t mantissa;
    int exponent;
    if (!decimal_parse(number, &mantissa, &exponent) ||
        !rational_scaled(mantissa, 1, exponent, &w->rate) || ecg_rational_value(w->rate) > 100000 ||
        ecg_rational_value(w->rate) < 0.1) {
        return not_number(w, w->line, WFDB_RATE, number, "0.1 至 100000 的数（Hz）",
                          "a number from 0.1 to 100000 (Hz)");
    }
    return OK;
}

/* [HH:]MM:SS[.fraction] */
static Status time_parse_field(Wfdb *w, Str text)
{
    int64_t part[3] = {0};
    size_t n = 0;
    Str rest = text, head, fraction;
    bool good = true;
    while (good && rest.n > 0 && n < 3) {
        str_cut(rest, ':', &head, &rest);
        str_cut(head, '.', &head, &fraction);
        good = int_in(head, 0, n == 0 ? 23 : 59, &part[n]);
        n++;
    }
    if (!good || n < 2 || rest.n > 0) {
        return not_number(w, w->line, WFDB_TIME, text, "时:分:秒", "HH:MM:SS");
    }
    w->has_time = true;
    w->start.hour = n == 3 ? (int)part[0] : 0;
    w->start.minute = (int)part[n - 2];
    w->start.second = (int)part[n - 1];
    return OK;
}

static Status date_parse_field(Wfdb *w, Str text)
{
    Str day, month, year, rest;
    int64_t d, m, y;
    str_cut(text, '/', &day, &rest);
    str_cut(rest, '/', &month, &year);
    if (!int_in(day, 1, 31, &d) || !int_in(month, 1, 12, &m) || !int_in(year, 1850, 2200, &y) ||
        d > days_in_month((int)y, (int)m)) {
        return not_number(w, w->line, WFDB_DATE, text, "日/月/年", "DD/MM/YYYY");
    }
    w->has_date = true;
    w->start.year = (int)y;
    w->start.month = (int)m;
    w->start.day = (int)d;
    return OK;
}

static Status frames_parse(Wfdb *w, Str text)
{
    if (!int_in(text, 0, ECG_SAMPLES_MAX, &w->frames)) {
        return not_number(w, w->line, WFDB_SAMPLES, text, "0 至 33554432 的整数",
                          "a whole number from 0 to 33554432");
    }
    w->has_frames = w->frames > 0;
    return OK;
}

static Status record_line_parse(Wfdb *w, Str line)
{
    Tokens t = tokens_cut(line, TOKENS_MAX);
    int64_t signals;
    TRY(record_name_parse(w, t.n > 0 ? t.t[0] : STR_NONE));
    if (!int_in(t.n > 1 ? t.t[1] : STR_NONE, 1, ECG_LEADS_MAX, &signals)) {
        return not_number(w, w->line, WFDB_SIGNALS, t.n > 1 ? t.t[1] : STR_NONE, "1 至 64 的整数",
                          "a whole number from 1 to 64");
    }
    w->n_signals = (size_t)signals;
    TRY(rate_parse(w, t.n > 2 ? t.t[2] : STR_NONE));
    if (t.n > 3) {
        TRY(frames_parse(w, t.t[3]));
    }
    if (t.n > 4) {
        TRY(time_parse_field(w, t.t[4]));
    }
    return t.n > 5 ? date_parse_field(w, t.t[5]) : OK;
}

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
        good = int_in((Str){text.p + from, cut - from}, 0, INT32_MAX, &value[part]);
    }
    if (!good || cut != text.n || value[1] < 1 || value[1] > 1000 || value[2] > ECG_SAMPLES_MAX) {
        return not_number(w, s->line, WFDB_FORMAT, text, "“格式[x每帧数][:偏斜][+字节]”",
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

/* The unit of a voltage as a power of ten of uV. */
static bool voltage_unit(Str unit, int *ret_exponent)
{
    static const struct {
        const char *unit;
        int exponent;
    } row[] = {{"nV", -3}, {"uV", 0}, {"µV", 0}, {"mV", 3}, {"V", 6}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (str_is(unit, row[i].unit)) {
            *ret_exponent = row[i].exponent;
            return true;
        }
    }
    return false;
}

/* gain[(baseline)][/unit], gain in LSB per unit */
static Status gain_parse(Wfdb *w, WfdbSignal *s, Str text, bool *ret_baseline)
{
    Str head, unit, number, base;
    str_cut(text, '/', &head, &unit);
    bool has_base = str_cut(head, '(', &number, &base);
    int64_t baseline = 0, mantissa;
    int exponent, volts = 0;
    bool good = decimal_parse(number, &mantissa, &exponent) && mantissa > 0;
    if (has_base) {
        good = good && base.n > 1 && base.p[base.n - 1] == ')' &&
               int_in(str_take(base, base.n - 1), INT32_MIN, INT32_MAX, &baseline);
    }
    unit = str_empty(unit) ? STR("mV") : unit;
    bool voltage = voltage_unit(unit, &volts);
    if (!good || !rational_scaled(1, mantissa, volts - exponent, &s->gain)) {
        return not_number(
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
static Status number_parse(const Wfdb *w, const WfdbSignal *s, const Tokens *t, WfdbField field,
                           int64_t lo, int64_t hi, int64_t *ret)
{
    size_t i = (size_t)field_row[field].number - 1;
    if (i >= t->n || int_in(t->t[i], lo, hi, ret)) {
        return OK;
    }
    char zh[64], en[64];
    snprintf(zh, sizeof zh, "%lld 至 %lld 的整数", (long long)lo, (long long)hi);
    snprintf(en, sizeof en, "a whole number from %lld to %lld", (long long)lo, (long long)hi);
    return not_number(w, s->line, field, t->t[i], zh, en);
}

static Status numbers_parse(const Wfdb *w, WfdbSignal *s, const Tokens *t, bool has_baseline)
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

static Status signal_line_parse(Wfdb *w, WfdbSignal *s, Str line)
{
    Tokens t = tokens_cut(line, 9);
    bool has_baseline = false;
    s->file = t.n > 0 ? t.t[0] : STR_NONE;
    if (t.n < 3) {
        WfdbField missing = t.n < 2 ? WFDB_FORMAT : WFDB_GAIN;
        return not_number(w, s->line, missing, STR_NONE, "“文件名 格式 增益 …”",
                          "\"file format gain …\"");
    }
    TRY(format_parse(w, s, t.t[1]));
    TRY(gain_parse(w, s, t.t[2], &has_baseline));
    TRY(numbers_parse(w, s, &t, has_baseline));
    s->description = t.n > 8 ? ecg_text(w->arena, t.t[8]) : STR_NONE;
    return OK;
}

static void note_add(Wfdb *w, Str line)
{
    Str text = str_trim(str_skip(line, 1));
    if (!str_empty(text) && w->n_notes < ECG_NOTES_MAX) {
        w->note[w->n_notes++] = ecg_text(w->arena, text);
    }
}

static Status line_parse(Wfdb *w, Str line, int number, size_t *signals)
{
    if (w->line == 0) {
        w->line = number;
        TRY(record_line_parse(w, line));
        w->signal = arena_array(w->arena, WfdbSignal, w->n_signals);
        return OK;
    }
    if (*signals == w->n_signals) {
        return ecg_wfdb_refuse(
            w, w->line, WFDB_SIGNALS,
            "写有 %d 个信号，但第 %d 行还有一个；请更正信号数或删去多余的行",
            "says %d signals, but line %d has one more; correct the number or remove "
            "the line",
            (int)w->n_signals, number);
    }
    WfdbSignal *s = &w->signal[(*signals)++];
    s->line = number;
    return signal_line_parse(w, s, line);
}

Status ecg_wfdb_header_read(Wfdb *w)
{
    size_t signals = 0;
    int number = 0;
    for (Str rest = w->text, line; rest.n > 0;) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        number++;
        if (str_starts(line, STR("#"))) {
            note_add(w, line);
        } else if (!str_empty(line)) {
            TRY(line_parse(w, line, number, &signals));
        }
    }
    if (w->line == 0) {
        w->line = 1;
        return record_name_parse(w, STR_NONE);
    }
    if (signals < w->n_signals) {
        return ecg_wfdb_refuse(
            w, w->line, WFDB_SIGNALS, "写有 %d 个信号，头文件只描述了 %d 个；请更正或重新导出",
            "says %d signals, the header describes %d; correct it or export again",
            (int)w->n_signals, (int)signals);
    }
    return OK;
}
