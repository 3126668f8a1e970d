/* WFDB: the header's signals fetched from their files, verified, and made into leads. */
#include "ecg_wfdb.h"

#define BLOCK_FRAMES 1536 /* a multiple of 6, so that a block begins with a whole group of bits */

/* Signals that follow each other and share a file. */
typedef struct Group {
    WfdbSignal *signal;
    size_t n, per_frame;
    Str bytes; /* from the offset on */
} Group;

static bool text_like(Str s)
{
    for (size_t i = 0; i < s.n && i < 512; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 && c != '\n' && c != '\r' && c != '\t') {
            return false;
        }
    }
    return s.n > 0;
}

/* A record line is two to six words; everything else about it is for the parser to judge. */
bool ecg_wfdb_is(Str bytes)
{
    if (!text_like(bytes) || bytes.p[0] == '<' || bytes.p[0] == '{') {
        return false;
    }
    Str rest = bytes, line = STR_NONE;
    while (rest.n > 0 && (str_empty(line) || line.p[0] == '#')) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
    }
    size_t words = 0;
    for (size_t i = 0; i < line.n; i++) {
        bool blank = line.p[i] == ' ' || line.p[i] == '\t';
        bool before = i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t';
        words += !blank && before ? 1 : 0;
    }
    return words >= 2 && words <= 6 && line.n < 256;
}

static Str title_base(Str title)
{
    for (size_t i = title.n; i > 0; i--) {
        if (title.p[i - 1] == '/' || title.p[i - 1] == '\\') {
            return str_skip(title, i);
        }
    }
    return title;
}

static Status file_find(const Wfdb *w, const EcgFile *files, size_t n, const WfdbSignal *s,
                        Str *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(title_base(files[i].title), s->file)) {
            *ret = files[i].bytes;
            return OK;
        }
    }
    Str name = str_take(s->file, 80);
    return ecg_wfdb_refuse(
        w, s->line, WFDB_FILE,
        "没有收到文件“%.*s”；请把头文件提到的全部文件一起上传，标题与头文件中的名称一致",
        "the file \"%.*s\" was not given; upload every file that the header names, "
        "with that name as its title",
        STR_ARG(name));
}

static Status group_check(const Wfdb *w, const Group *g)
{
    for (size_t i = 1; i < g->n; i++) {
        const WfdbSignal *s = &g->signal[i];
        if (s->format != g->signal[0].format || s->offset != g->signal[0].offset) {
            return ecg_wfdb_refuse(
                w, s->line, WFDB_FORMAT,
                "格式 %d、偏移 %ld 与第 %d 行同一文件的信号不同；请更正头文件",
                "format %d with offset %ld differs from line %d, a signal of the same "
                "file; correct the header",
                s->format, (long)s->offset, g->signal[0].line);
        }
    }
    return OK;
}

static Status group_open(const Wfdb *w, const EcgFile *files, size_t n, size_t from, Group *ret)
{
    Group g = {.signal = &w->signal[from]};
    while (from + g.n < w->n_signals && str_eq(g.signal[g.n].file, g.signal[0].file)) {
        g.per_frame += (size_t)g.signal[g.n].per_frame;
        g.n++;
    }
    TRY(group_check(w, &g));
    Str bytes;
    TRY(file_find(w, files, n, g.signal, &bytes));
    if ((uint64_t)g.signal[0].offset > bytes.n) {
        return ecg_wfdb_refuse(
            w, g.signal[0].line, WFDB_FORMAT, "字节偏移 %ld 超出文件（%lu 字节）；请更正头文件",
            "byte offset %ld is beyond the file of %lu bytes; correct the header",
            (long)g.signal[0].offset, (unsigned long)bytes.n);
    }
    g.bytes = str_skip(bytes, (size_t)g.signal[0].offset);
    *ret = g;
    return OK;
}

/* The file must hold exactly the frames of the record line, or settle them where it names none. */
static Status frames_check(Wfdb *w, const Group *g)
{
    int format = g->signal[0].format;
    uint64_t frames = ecg_wfdb_format_samples(format, g->bytes.n) / g->per_frame;
    /* Padding of an odd group may look like one more sample, never like a whole frame of several.
     */
    bool exact = frames == (uint64_t)w->frames ||
                 (w->has_frames &&
                  g->bytes.n == ecg_wfdb_format_bytes(format, (uint64_t)w->frames * g->per_frame));
    if (!w->has_frames && frames > 0) {
        w->frames = (int64_t)frames;
        w->has_frames = true;
        return OK;
    }
    if (exact && w->frames > 0) {
        return OK;
    }
    Str name = str_take(g->signal[0].file, 60);
    return ecg_wfdb_refuse(
        w, w->line, WFDB_SAMPLES,
        "写有 %lld 个采样，文件“%.*s”有 %llu 个（%lu 字节，第 %d 行：格式 %d，偏移 "
        "%ld）；请核对采样数、格式，以及文件是否完整",
        "says %lld samples, the file \"%.*s\" has %llu (%lu bytes, line %d: format %d, "
        "offset %ld); check number, format and that the file is whole",
        (long long)w->frames, STR_ARG(name), (unsigned long long)frames, (unsigned long)g->bytes.n,
        g->signal[0].line, format, (long)g->signal[0].offset);
}

static Status total_check(const Wfdb *w)
{
    uint64_t per_frame = 0;
    for (size_t i = 0; i < w->n_signals; i++) {
        per_frame += (uint64_t)w->signal[i].per_frame;
    }
    if (per_frame * (uint64_t)w->frames > ECG_SAMPLES_MAX) {
        return ecg_wfdb_refuse_at(
            w, ERR_TOO_LARGE, w->line, WFDB_SAMPLES, "全部信号共 %llu 个采样，上限 %lu；请分段上传",
            "all signals have %llu samples, at most %lu are read; upload it in parts",
            (unsigned long long)(per_frame * (uint64_t)w->frames), (unsigned long)ECG_SAMPLES_MAX);
    }
    return OK;
}

static Status signals_room(const Wfdb *w)
{
    TRY(total_check(w));
    for (size_t i = 0; i < w->n_signals; i++) {
        WfdbSignal *s = &w->signal[i];
        s->n = (size_t)w->frames * (size_t)s->per_frame;
        s->samples = ecg_samples_new(w->arena, s->n);
        if (s->samples == NULL) {
            return ecg_wfdb_refuse_at(
                w, ERR_TOO_LARGE, w->line, WFDB_SAMPLES, "%llu 个采样超过内存上限；请分段上传",
                "%llu samples pass the memory limit; upload it in parts", (unsigned long long)s->n);
        }
    }
    return OK;
}

/* Deals the samples of whole frames, beginning with frame `at`, out to the group's signals. */
static void frames_deal(const Group *g, const int32_t *block, size_t at, size_t frames)
{
    size_t k = 0;
    for (size_t f = at; f < at + frames; f++) {
        for (size_t i = 0; i < g->n; i++) {
            WfdbSignal *s = &g->signal[i];
            size_t per = (size_t)s->per_frame;
            memcpy(s->samples + f * per, block + k, per * sizeof *block);
            k += per;
        }
    }
}

static void group_decode(const Wfdb *w, const Group *g)
{
    int format = g->signal[0].format;
    int32_t *block = arena_array(w->arena, int32_t, BLOCK_FRAMES * g->per_frame);
    size_t frames = (size_t)w->frames;
    for (size_t at = 0; at < frames; at += BLOCK_FRAMES) {
        size_t some = frames - at < BLOCK_FRAMES ? frames - at : BLOCK_FRAMES;
        size_t skip = (size_t)ecg_wfdb_format_bytes(format, at * g->per_frame);
        ecg_wfdb_format_decode(format, str_skip(g->bytes, skip), block, some * g->per_frame);
        frames_deal(g, block, at, some);
    }
}

/* Format 8 keeps differences; the header's initial value is where they begin. */
static Status differences_undo(const Wfdb *w, WfdbSignal *s)
{
    int64_t sum = s->initial;
    for (size_t i = 0; i < s->n; i++) {
        sum += s->samples[i];
        if (sum > INT32_MAX || sum < INT32_MIN) {
            return ecg_wfdb_refuse(w, s->line, WFDB_INITIAL, "由差分累加的采样超出范围；请重新导出",
                                   "the samples added up from it leave the range; export again");
        }
        s->samples[i] = (int32_t)sum;
    }
    return OK;
}

static Status signal_verify(const Wfdb *w, const WfdbSignal *s)
{
    if (s->has_initial && s->format != 8 && s->samples[0] != s->initial) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_INITIAL,
            "写的是 %ld，第一个采样是 %ld；头文件与数据文件不配套或已损坏，请重新复制",
            "says %ld, the first sample is %ld; header and data do not belong together "
            "or are damaged, copy them again",
            (long)s->initial, (long)s->samples[0]);
    }
    uint16_t sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        sum = (uint16_t)(sum + (uint32_t)s->samples[i]);
    }
    if (s->has_checksum && sum != s->checksum) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_CHECKSUM,
            "写的是 %d，%ld 个采样算得 %d；数据文件损坏或与头文件不配套，请重新复制",
            "says %d, the %ld samples give %d; the data are damaged or belong to another "
            "header, copy them again",
            (int16_t)s->checksum, (long)s->n, (int16_t)sum);
    }
    return OK;
}

/* A skewed signal's sample for frame t stands `skew` frames later in the file. */
static Status signal_deskew(const Wfdb *w, WfdbSignal *s)
{
    size_t shift = (size_t)s->skew * (size_t)s->per_frame;
    int32_t gap;
    if (shift == 0) {
        return OK;
    }
    if (shift >= s->n || !ecg_wfdb_format_gap(s->format, &gap)) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_FORMAT, "偏斜 %ld 对 %ld 个采样的格式 %d 信号无效；请更正头文件",
            "a skew of %ld is not possible for %ld samples in format %d; correct the "
            "header",
            (long)s->skew, (long)s->n, s->format);
    }
    memmove(s->samples, s->samples + shift, (s->n - shift) * sizeof *s->samples);
    for (size_t i = s->n - shift; i < s->n; i++) {
        s->samples[i] = gap;
    }
    return OK;
}

static Status signals_settle(const Wfdb *w)
{
    for (size_t i = 0; i < w->n_signals; i++) {
        WfdbSignal *s = &w->signal[i];
        if (s->format == 8) {
            TRY(differences_undo(w, s));
        }
        TRY(signal_verify(w, s));
        TRY(signal_deskew(w, s));
    }
    return OK;
}

static Status signals_read(Wfdb *w, const EcgFile *files, size_t n)
{
    Group *group = arena_array(w->arena, Group, w->n_signals);
    size_t groups = 0;
    for (size_t from = 0; from < w->n_signals; from += group[groups++].n) {
        TRY(group_open(w, files, n, from, &group[groups]));
    }
    for (size_t i = 0; i < groups; i++) {
        TRY(frames_check(w, &group[i]));
    }
    TRY(signals_room(w));
    for (size_t i = 0; i < groups; i++) {
        group_decode(w, &group[i]);
    }
    return signals_settle(w);
}

static Status lead_unique(const Wfdb *w, const EcgLead *leads, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (!str_empty(leads[i].label) && str_eq(leads[k].name, leads[i].name)) {
            Str name = str_take(leads[i].name, 40);
            return ecg_wfdb_refuse(w, w->signal[i].line, WFDB_DESCRIPTION,
                                   "导联“%.*s”与第 %d 行重复；请更正头文件",
                                   "the lead \"%.*s\" is also on line %d; correct the header",
                                   STR_ARG(name), w->signal[k].line);
        }
    }
    return OK;
}

static Status leads_make(const Wfdb *w, EcgRecording *ret)
{
    EcgLead *leads = arena_array(w->arena, EcgLead, w->n_signals);
    for (size_t i = 0; i < w->n_signals; i++) {
        const WfdbSignal *s = &w->signal[i];
        EcgLead *l = &leads[i];
        *l = (EcgLead){.label = s->description,
                       .unit = s->unit,
                       .gain = s->gain,
                       .zero = s->baseline,
                       .n = s->n,
                       .samples = s->samples};
        l->name = str_empty(l->label) ? arena_printf(w->arena, "signal %d", (int)i + 1)
                                      : ecg_lead_name(l->label);
        l->has_gap = ecg_wfdb_format_gap(s->format, &l->gap);
        if (!ecg_rational(w->rate.num * s->per_frame, w->rate.den, &l->rate)) {
            return ecg_wfdb_refuse(
                w, w->line, WFDB_RATE, "与每帧采样数相乘后超出范围；请更正头文件",
                "times the samples per frame leaves the range; correct the header");
        }
        TRY(lead_unique(w, leads, i));
    }
    ret->leads = leads;
    ret->n_leads = w->n_signals;
    return OK;
}

/* What stands behind `key` in a comment ("age: 81", "<age>: 25  <sex>: M"); empty if nothing. */
static Str note_value(Str note, const char *key)
{
    for (Str rest = note, head; rest.n > 0;) {
        if (!str_cut(rest, ':', &head, &rest)) {
            break;
        }
        Str k = str_trim(head), name = str_from_c(key);
        while (k.n > 0 && (k.p[k.n - 1] == '>' || k.p[k.n - 1] == ' ')) {
            k.n--;
        }
        bool ends = k.n >= name.n && str_eq_nocase(str_skip(k, k.n - name.n), name);
        bool whole = ends && (k.n == name.n || k.p[k.n - name.n - 1] == '<');
        Str value = str_trim(rest), word, more;
        if (whole && str_cut(value, ' ', &word, &more)) {
            return word;
        }
        if (whole) {
            return value;
        }
    }
    return STR_NONE;
}

static EcgSex sex_from(Str s)
{
    if (str_eq_nocase(s, STR("m")) || str_eq_nocase(s, STR("male"))) {
        return ECG_SEX_MALE;
    }
    bool female = str_eq_nocase(s, STR("f")) || str_eq_nocase(s, STR("female"));
    return female ? ECG_SEX_FEMALE : ECG_SEX_UNKNOWN;
}

static void age_take(EcgPatient *p, Str text)
{
    int64_t age;
    if (p->age == 0 && str_to_i64(text, &age) && age > 0 && age <= 150) {
        p->age = (int)age;
        p->age_unit = 'a';
    }
}

/* Comments have no fixed form; three spellings are common: PTB's and PhysioNet's keys, and
 * MIT-BIH's "69 M …" in the first comment behind the signals. */
static void patient_guess(const Wfdb *w, EcgPatient *p)
{
    for (size_t i = 0; i < w->n_notes; i++) {
        age_take(p, note_value(w->note[i], "age"));
        EcgSex sex = sex_from(note_value(w->note[i], "sex"));
        p->sex = p->sex == ECG_SEX_UNKNOWN ? sex : p->sex;
        Str age, rest, word, more;
        if (str_cut(w->note[i], ' ', &age, &rest)) {
            str_cut(rest, ' ', &word, &more);
            if (p->age == 0 && word.n == 1 && sex_from(word) != ECG_SEX_UNKNOWN) {
                age_take(p, age);
                p->sex = p->age > 0 ? sex_from(word) : p->sex;
            }
        }
    }
}

static void facts_make(Wfdb *w, EcgRecording *ret)
{
    ret->record = w->record;
    ret->has_start = w->has_date;
    ret->start = w->start;
    ret->start.precision = w->has_time ? DATE_SECOND : DATE_DAY;
    Str *notes = arena_array(w->arena, Str, w->n_notes ? w->n_notes : 1);
    memcpy(notes, w->note, w->n_notes * sizeof *notes);
    ret->notes = notes;
    ret->n_notes = w->n_notes;
    patient_guess(w, &ret->patient);
}

Status ecg_wfdb_read(Arena *a, const EcgFile *files, size_t n, size_t header, EcgRecording *ret,
                     Err *err)
{
    Wfdb *w = arena_new(a, Wfdb);
    *w = (Wfdb){.arena = a, .err = err, .text = files[header].bytes};
    w->title = ecg_text(a, title_base(files[header].title));
    if (str_empty(w->title)) {
        w->title = STR("header");
    }
    TRY(ecg_wfdb_header_read(w));
    TRY(signals_read(w, files, n));
    EcgRecording rec = {.format = ECG_FORMAT_WFDB};
    TRY(leads_make(w, &rec));
    facts_make(w, &rec);
    *ret = rec;
    return OK;
}
