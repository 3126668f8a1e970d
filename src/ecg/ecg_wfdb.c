/* WFDB: a record and its segments made into leads. */
#include "ecg_wfdb.h"

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
static Str record_line(Str head)
{
    Str rest = head, line = STR_NONE;
    while (rest.n > 0 && (str_empty(line) || line.p[0] == '#')) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
    }
    return line;
}

bool ecg_wfdb_is(Str head)
{
    if (!text_like(head) || head.p[0] == '<' || head.p[0] == '{') {
        return false;
    }
    Str line = record_line(head);
    size_t words = 0;
    for (size_t i = 0; i < line.n; i++) {
        bool blank = line.p[i] == ' ' || line.p[i] == '\t';
        bool before = i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t';
        words += !blank && before ? 1 : 0;
    }
    return words >= 2 && words <= 6 && line.n < 256;
}

bool ecg_wfdb_is_master(Str head)
{
    Str line = record_line(head), name, rest;
    str_cut(line, ' ', &name, &rest);
    return str_find_char(name, '/') > 0;
}

static Wfdb *header_new(Arena *a, Str title, Err *err)
{
    Wfdb *w = arena_new(a, Wfdb);
    w->arena = a;
    w->err = err;
    w->title = ecg_text(a, ecg_wfdb_title(title));
    w->title = str_empty(w->title) ? STR("header") : w->title;
    return w;
}

static Status header_open(Arena *a, const EcgFile *file, Wfdb **ret, Err *err)
{
    Wfdb *w = header_new(a, file->title, err);
    TRY(ecg_file_load(a, file, &w->text, err));
    TRY(ecg_wfdb_header_read(w));
    *ret = w;
    return OK;
}

static Status segment_find(const Wfdb *w, const WfdbSegment *s, const EcgFile *files, size_t n,
                           const EcgFile **ret)
{
    Str title = arena_cat(w->arena, s->name, STR(".hea"));
    for (size_t i = 0; i < n; i++) {
        if (str_eq(ecg_wfdb_title(files[i].title), title)) {
            *ret = &files[i];
            return OK;
        }
    }
    return ecg_wfdb_refuse(w, s->line, WFDB_SEGMENT,
                           "没有收到文件“%.*s”；请把全部段的头文件与数据文件一起上传",
                           "the file \"%.*s\" was not given; upload headers and data of all "
                           "segments together",
                           STR_ARG(title));
}

static bool signal_alike(const WfdbSignal *a, const WfdbSignal *b)
{
    return a->format == b->format && a->per_frame == b->per_frame && a->gain.num == b->gain.num &&
           a->gain.den == b->gain.den && a->baseline == b->baseline && str_eq(a->unit, b->unit) &&
           str_eq(a->description, b->description);
}

/* All segments have the same signals, so that a lead is one line from beginning to end. */
static Status segment_alike(const Wfdb *w, const WfdbSegment *s, const Wfdb *first)
{
    const Wfdb *h = s->header;
    if (h->n_segments > 0 || !str_eq(h->record, s->name)) {
        return ecg_wfdb_refuse(h, h->line, WFDB_RECORD_NAME, "应为本段的名称“%.*s”",
                               "the segment's name \"%.*s\" belongs here", STR_ARG(s->name));
    }
    if (h->n_signals != w->n_signals) {
        return ecg_wfdb_refuse(h, h->line, WFDB_SIGNALS, "写有 %d 个信号，整份记录写有 %d 个",
                               "says %d signals, the record's header says %d", (int)h->n_signals,
                               (int)w->n_signals);
    }
    if (h->rate.num != w->rate.num || h->rate.den != w->rate.den) {
        return ecg_wfdb_refuse(h, h->line, WFDB_RATE, "与整份记录的采样频率不同",
                               "differs from that of the record's header");
    }
    for (size_t i = 0; i < h->n_signals; i++) {
        if (!signal_alike(&h->signal[i], &first->signal[i])) {
            return ecg_wfdb_refuse(h, h->signal[i].line, WFDB_GAIN,
                                   "格式、增益、基线、单位或描述与第一段的同一信号不同；请逐段上传",
                                   "format, gain, baseline, unit or description differ from the "
                                   "first segment's; upload the segments one by one");
        }
    }
    return OK;
}

static Status segment_open(Wfdb *w, WfdbSegment *s, const EcgFile *files, size_t n,
                           const Wfdb **first)
{
    const EcgFile *file;
    if (s->gap) {
        return OK;
    }
    TRY(segment_find(w, s, files, n, &file));
    TRY(header_open(w->arena, file, &s->header, w->err));
    *first = *first ? *first : s->header;
    TRY(segment_alike(w, s, *first));
    TRY(ecg_wfdb_open(s->header, files, n));
    if (s->header->frames != s->frames) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_SEGMENT_SAMPLES, "写有 %lld 个采样，段“%.*s”有 %lld 个；请核对",
            "says %lld samples, the segment \"%.*s\" has %lld; check both", (long long)s->frames,
            STR_ARG(s->name), (long long)s->header->frames);
    }
    return OK;
}

/* A record without segments is its own only one. */
static void segment_own(Wfdb *w)
{
    w->segment[0] = (WfdbSegment){.header = w, .frames = w->frames};
    w->n_segments = 1;
}

static Status gaps_check(const Wfdb *w, const Wfdb *first)
{
    int32_t gap;
    for (size_t i = 0; i < w->n_segments; i++) {
        for (size_t k = 0; w->segment[i].gap && k < w->n_signals; k++) {
            if (first == NULL || !ecg_wfdb_format_gap(first->signal[k].format, &gap)) {
                return ecg_wfdb_refuse(w, w->segment[i].line, WFDB_SEGMENT,
                                       "这些信号的格式没有表示“未记录”的数值，不能有空段",
                                       "the signals' format has no value for \"nothing recorded\", "
                                       "so no segment can be empty");
            }
        }
    }
    return OK;
}

static Status segments_open(Wfdb *w, const EcgFile *files, size_t n, const Wfdb **ret_first)
{
    const Wfdb *first = NULL;
    int64_t at = 0;
    for (size_t i = 0; i < w->n_segments; i++) {
        WfdbSegment *s = &w->segment[i];
        TRY(segment_open(w, s, files, n, &first));
        s->at = at;
        at += s->frames;
    }
    TRY(gaps_check(w, first));
    if ((w->has_frames && w->frames != at) || at > INT32_MAX) {
        return ecg_wfdb_refuse(w, w->line, WFDB_SAMPLES, "写有 %lld 个采样，各段共有 %lld 个",
                               "says %lld samples, the segments have %lld", (long long)w->frames,
                               (long long)at);
    }
    w->frames = at;
    *ret_first = first;
    return OK;
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

static Status lead_make(const Wfdb *w, const WfdbSignal *s, size_t i, EcgLead *ret)
{
    *ret = (EcgLead){.label = s->description, .unit = s->unit, .gain = s->gain};
    ret->zero = s->baseline;
    ret->name = str_empty(ret->label) ? arena_printf(w->arena, "signal %d", (int)i + 1)
                                      : ecg_lead_name(ret->label);
    ret->has_gap = ecg_wfdb_format_gap(s->format, &ret->gap);
    if (!ecg_rational(w->rate.num * s->per_frame, w->rate.den, &ret->rate)) {
        return ecg_wfdb_refuse(w, w->line, WFDB_RATE, "与每帧采样数相乘后超出范围；请更正头文件",
                               "times the samples per frame leaves the range; correct the header");
    }
    return OK;
}

static Status leads_make(const Wfdb *first, EcgLead *leads)
{
    for (size_t i = 0; i < first->n_signals; i++) {
        TRY(lead_make(first, &first->signal[i], i, &leads[i]));
        TRY(lead_unique(first, leads, i));
    }
    return OK;
}

static uint64_t samples_per_frame(const Wfdb *first, const EcgPart *part, const EcgLead *leads)
{
    uint64_t n = 0;
    for (size_t i = 0; i < first->n_signals; i++) {
        n += ecg_part_has(part, leads[i].name) ? (uint64_t)first->signal[i].per_frame : 0;
    }
    return n;
}

/* The frames that are kept, and whether all are walked and proved on the way. */
static Status walk_plan(const Wfdb *w, const Wfdb *first, const EcgPart *part, const EcgLead *leads,
                        WfdbWalk *walk)
{
    uint64_t per_frame = samples_per_frame(first, part, leads);
    walk->from = (int64_t)ecg_sample_at(w->rate, part->from_ms);
    walk->to = part->to_ms == ECG_END ? w->frames : (int64_t)ecg_sample_at(w->rate, part->to_ms);
    walk->to = walk->to > w->frames ? w->frames : walk->to;
    walk->from = walk->from > walk->to ? walk->to : walk->from;
    walk->prove = part->buckets > 0 || (walk->from == 0 && walk->to == w->frames) ||
                  per_frame * (uint64_t)w->frames <= ECG_PROVED_SAMPLES;
    return ecg_part_large(part, per_frame * (uint64_t)(walk->to - walk->from), w->err);
}

static Status track_make(const Wfdb *w, const WfdbSignal *s, const EcgPart *part,
                         const WfdbWalk *walk, const EcgLead *l, WfdbTrack *ret)
{
    size_t per = (size_t)s->per_frame;
    *ret = (WfdbTrack){.wanted = ecg_part_has(part, l->name),
                       .total = (size_t)w->frames * per,
                       .from = (size_t)walk->from * per,
                       .buckets = part->buckets};
    if (!ret->wanted) {
        return OK;
    }
    ret->n = (size_t)(walk->to - walk->from) * per;
    ret->samples = ecg_samples_new(w->arena, ret->n);
    if (ret->samples == NULL) {
        return ecg_wfdb_refuse_at(w, ERR_TOO_LARGE, w->line, WFDB_SAMPLES,
                                  "%llu 个采样超过内存上限；请分时段读取",
                                  "%llu samples pass the memory limit; read it window by window",
                                  (unsigned long long)ret->n);
    }
    for (size_t i = 0; i < ret->n && l->has_gap; i++) {
        ret->samples[i] = l->gap;
    }
    if (part->buckets > 0) {
        ret->envelope = arena_array(w->arena, EcgExtent, part->buckets);
        ret->bucket_end = ret->total / part->buckets;
    }
    return OK;
}

static Status segments_walk(Wfdb *w, const Wfdb *first, const EcgPart *part, EcgLead *leads)
{
    WfdbWalk walk = {.track = arena_array(w->arena, WfdbTrack, first->n_signals)};
    TRY(ecg_part_names(part, leads, first->n_signals, w->err));
    TRY(walk_plan(w, first, part, leads, &walk));
    for (size_t i = 0; i < first->n_signals; i++) {
        TRY(track_make(w, &first->signal[i], part, &walk, &leads[i], &walk.track[i]));
    }
    for (size_t i = 0; i < w->n_segments; i++) {
        if (!w->segment[i].gap) {
            TRY(ecg_wfdb_walk(w->segment[i].header, &walk, w->segment[i].at));
        }
    }
    for (size_t i = 0; i < first->n_signals; i++) {
        const WfdbTrack *t = &walk.track[i];
        leads[i].total = t->total;
        leads[i].at = t->from;
        leads[i].n = t->n;
        leads[i].samples = t->samples;
        leads[i].envelope = t->envelope;
        leads[i].buckets = t->envelope ? t->buckets : 0;
    }
    return OK;
}

static void facts_make(const Wfdb *w, const Wfdb *first, EcgRecording *ret)
{
    ret->record = w->record;
    ret->has_start = w->has_date;
    ret->start = w->start;
    ret->start.precision = w->has_time ? DATE_SECOND : DATE_DAY;
    Str *notes = arena_array(w->arena, Str, w->n_notes ? w->n_notes : 1);
    memcpy(notes, w->note, w->n_notes * sizeof *notes);
    ret->notes = notes;
    ret->n_notes = w->n_notes;
    ecg_wfdb_patient(w, &ret->patient);
    ecg_wfdb_patient(first, &ret->patient);
}

Status ecg_wfdb_read(Arena *a, const EcgFile *files, size_t n, size_t header, const EcgPart *part,
                     EcgRecording *ret, Err *err)
{
    Wfdb *w;
    const Wfdb *first;
    TRY(header_open(a, &files[header], &w, err));
    if (w->n_segments == 0) {
        TRY(ecg_wfdb_open(w, files, n));
        segment_own(w);
        first = w;
    } else {
        TRY(segments_open(w, files, n, &first));
    }
    EcgRecording rec = {.format = ECG_FORMAT_WFDB, .n_leads = first->n_signals};
    EcgLead *leads = arena_array(a, EcgLead, first->n_signals);
    TRY(leads_make(first, leads));
    TRY(segments_walk(w, first, part, leads));
    rec.leads = leads;
    facts_make(w, first, &rec);
    *ret = rec;
    return OK;
}
