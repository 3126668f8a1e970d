/* The text of a WFDB header. */
#include <stdio.h>

#include "ecg_wfdb.h"

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
    [WFDB_SEGMENT] = {1, {"段名", "segment name"}},
    [WFDB_SEGMENT_SAMPLES] = {2, {"段采样数", "number of samples of the segment"}},
    [WFDB_DESCRIPTION] = {9, {"描述（导联名）", "description (lead name)"}},
};

int ecg_wfdb_field_number(WfdbField field)
{
    return field_row[field].number;
}

Status ecg_wfdb_refuse_at(const Wfdb *w, Status status, int line, WfdbField field, const char *zh,
                          const char *en, ...)
{
    va_list args;
    EcgPlace p;
    int number = field_row[field].number;
    EcgField name = field_row[field].name;
    Str title = str_take(w->title, 60);
    snprintf(p.where, sizeof p.where, "WFDB line %d, %s", line, name.en);
    snprintf(p.zh, sizeof p.zh, "WFDB %.*s 第 %d 行第 %d 字段（%s）", STR_ARG(title), line, number,
             name.zh);
    snprintf(p.en, sizeof p.en, "WFDB %.*s line %d, field %d (%s)", STR_ARG(title), line, number,
             name.en);
    va_start(args, en);
    (void)ecg_refuse_list(w->err, status, &p, zh, en, args);
    va_end(args);
    return status;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

WfdbTokens ecg_wfdb_tokens(Str line, size_t max)
{
    WfdbTokens ret = {0};
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

bool ecg_wfdb_int(Str s, int64_t lo, int64_t hi, int64_t *ret)
{
    int64_t v;
    if (!str_to_i64(s.n > 1 && s.p[0] == '+' ? str_skip(s, 1) : s, &v) || v < lo || v > hi) {
        return false;
    }
    *ret = v;
    return true;
}

Status ecg_wfdb_bad(const Wfdb *w, int line, WfdbField field, Str text, const char *zh_want,
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
    int64_t n = 0;
    if (str_cut(text, '/', &name, &segments) && !ecg_wfdb_int(segments, 1, ECG_FILES_MAX - 1, &n)) {
        return ecg_wfdb_bad(w, w->line, WFDB_RECORD_NAME, text, "“名称/段数”，段数 1 至 63",
                            "\"name/segments\" with 1 to 63 segments");
    }
    if (!name_valid(name)) {
        return ecg_wfdb_bad(w, w->line, WFDB_RECORD_NAME, name, "字母、数字、_ 和 - 组成的名称",
                            "a name of letters, digits, _ and -");
    }
    w->record = arena_str(w->arena, name);
    w->n_segments = (size_t)n;
    return OK;
}

static Status rate_parse(Wfdb *w, Str text)
{
    Str number, counter;
    str_cut(text, '/', &number, &counter);
    int64_t mantissa;
    int exponent;
    if (!ecg_decimal_parse(number, &mantissa, &exponent) ||
        !ecg_rational_scaled(mantissa, 1, exponent, &w->rate) ||
        ecg_rational_value(w->rate) > 100000 || ecg_rational_value(w->rate) < 0.1) {
        return ecg_wfdb_bad(w, w->line, WFDB_RATE, number, "0.1 至 100000 的数（Hz）",
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
        good = ecg_wfdb_int(head, 0, n == 0 ? 23 : 59, &part[n]);
        n++;
    }
    if (!good || n < 2 || rest.n > 0) {
        return ecg_wfdb_bad(w, w->line, WFDB_TIME, text, "时:分:秒", "HH:MM:SS");
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
    if (!ecg_wfdb_int(day, 1, 31, &d) || !ecg_wfdb_int(month, 1, 12, &m) ||
        !ecg_wfdb_int(year, 1850, 2200, &y) || d > days_in_month((int)y, (int)m)) {
        return ecg_wfdb_bad(w, w->line, WFDB_DATE, text, "日/月/年", "DD/MM/YYYY");
    }
    w->has_date = true;
    w->start.year = (int)y;
    w->start.month = (int)m;
    w->start.day = (int)d;
    return OK;
}

static Status frames_parse(Wfdb *w, Str text)
{
    if (!ecg_wfdb_int(text, 0, INT32_MAX, &w->frames)) {
        return ecg_wfdb_bad(w, w->line, WFDB_SAMPLES, text, "0 至 2147483647 的整数",
                            "a whole number from 0 to 2147483647");
    }
    w->has_frames = w->frames > 0;
    return OK;
}

static Status record_line_parse(Wfdb *w, Str line)
{
    WfdbTokens t = ecg_wfdb_tokens(line, WFDB_TOKENS_MAX);
    int64_t signals;
    TRY(record_name_parse(w, t.n > 0 ? t.t[0] : STR_NONE));
    if (!ecg_wfdb_int(t.n > 1 ? t.t[1] : STR_NONE, 1, ECG_LEADS_MAX, &signals)) {
        return ecg_wfdb_bad(w, w->line, WFDB_SIGNALS, t.n > 1 ? t.t[1] : STR_NONE, "1 至 64 的整数",
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

static void note_add(Wfdb *w, Str line)
{
    Str text = str_trim(str_skip(line, 1));
    if (!str_empty(text) && w->n_notes < ECG_NOTES_MAX) {
        w->note[w->n_notes++] = ecg_text(w->arena, text);
    }
}

/* A line of a record of several segments: "name frames", or "~ frames" where nothing was
 * recorded. */
static Status segment_line_parse(Wfdb *w, Str line, int number)
{
    WfdbTokens t = ecg_wfdb_tokens(line, WFDB_TOKENS_MAX);
    WfdbSegment *s = &w->segment[w->segments_read++];
    s->line = number;
    s->name = t.n > 0 ? arena_str(w->arena, t.t[0]) : STR_NONE;
    s->gap = str_is(s->name, "~");
    if (!s->gap && !name_valid(s->name)) {
        return ecg_wfdb_bad(w, number, WFDB_SEGMENT, s->name, "段头文件的名称（不带 .hea）或 ~",
                            "the name of a segment's header without .hea, or ~,");
    }
    if (t.n < 2 || !ecg_wfdb_int(t.t[1], 1, INT32_MAX, &s->frames)) {
        return ecg_wfdb_bad(w, number, WFDB_SEGMENT_SAMPLES, t.n > 1 ? t.t[1] : STR_NONE,
                            "大于 0 的整数（不支持以零长度段描述布局的记录）",
                            "a whole number above 0 (records whose first segment only describes "
                            "a layout are not read)");
    }
    return OK;
}

static Status record_begin(Wfdb *w, Str line, int number)
{
    w->line = number;
    TRY(record_line_parse(w, line));
    w->signal = arena_array(w->arena, WfdbSignal, w->n_signals);
    w->segment = arena_array(w->arena, WfdbSegment, w->n_segments ? w->n_segments : 1);
    return OK;
}

static Status line_parse(Wfdb *w, Str line, int number)
{
    if (w->line == 0) {
        return record_begin(w, line, number);
    }
    if (w->n_segments > 0 && w->segments_read < w->n_segments) {
        return segment_line_parse(w, line, number);
    }
    if (w->n_segments > 0) {
        return ecg_wfdb_refuse(w, w->line, WFDB_RECORD_NAME, "写有 %d 段，但第 %d 行还有一段",
                               "says %d segments, but line %d has one more", (int)w->n_segments,
                               number);
    }
    if (w->signals_read == w->n_signals) {
        return ecg_wfdb_refuse(
            w, w->line, WFDB_SIGNALS,
            "写有 %d 个信号，但第 %d 行还有一个；请更正信号数或删去多余的行",
            "says %d signals, but line %d has one more; correct the number or remove "
            "the line",
            (int)w->n_signals, number);
    }
    WfdbSignal *s = &w->signal[w->signals_read++];
    s->line = number;
    return ecg_wfdb_signal_parse(w, s, line);
}

/* As many lines as the record line says. */
static Status count_check(const Wfdb *w)
{
    if (w->segments_read < w->n_segments) {
        return ecg_wfdb_refuse(w, w->line, WFDB_RECORD_NAME,
                               "写有 %d 段，头文件只列出 %d 段；请更正或重新导出",
                               "says %d segments, the header lists %d; correct it or export again",
                               (int)w->n_segments, (int)w->segments_read);
    }
    if (w->n_segments == 0 && w->signals_read < w->n_signals) {
        return ecg_wfdb_refuse(
            w, w->line, WFDB_SIGNALS, "写有 %d 个信号，头文件只描述了 %d 个；请更正或重新导出",
            "says %d signals, the header describes %d; correct it or export again",
            (int)w->n_signals, (int)w->signals_read);
    }
    return OK;
}

Status ecg_wfdb_header_read(Wfdb *w)
{
    int number = 0;
    for (Str rest = w->text, line; rest.n > 0;) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        number++;
        if (str_starts(line, STR("#"))) {
            note_add(w, line);
        } else if (!str_empty(line)) {
            TRY(line_parse(w, line, number));
        }
    }
    if (w->line == 0) {
        w->line = 1;
        return record_name_parse(w, STR_NONE);
    }
    return count_check(w);
}
