/* WFDB: the signal files found and proved, and walked block by block. */
#include "ecg_wfdb.h"

#define BLOCK_SAMPLES 65536
#define GROUP_FRAMES  6 /* a multiple of it begins with a whole group of bits in every format */

Str ecg_wfdb_title(Str title)
{
    for (size_t i = title.n; i > 0; i--) {
        if (title.p[i - 1] == '/' || title.p[i - 1] == '\\') {
            return str_skip(title, i);
        }
    }
    return title;
}

static Status file_find(const Wfdb *w, const EcgFile *files, size_t n, const WfdbSignal *s,
                        const EcgFile **ret)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(ecg_wfdb_title(files[i].title), s->file)) {
            *ret = &files[i];
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

static Status group_check(const Wfdb *w, const WfdbGroup *g)
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

static Status group_open(const Wfdb *w, const EcgFile *files, size_t n, size_t from, WfdbGroup *ret)
{
    WfdbGroup g = {.signal = &w->signal[from], .first = from};
    while (from + g.n < w->n_signals && str_eq(g.signal[g.n].file, g.signal[0].file)) {
        g.per_frame += (size_t)g.signal[g.n].per_frame;
        g.n++;
    }
    TRY(group_check(w, &g));
    TRY(file_find(w, files, n, g.signal, &g.file));
    uint64_t size = ecg_file_size(g.file), offset = (uint64_t)g.signal[0].offset;
    if (offset > size) {
        return ecg_wfdb_refuse(
            w, g.signal[0].line, WFDB_FORMAT, "字节偏移 %ld 超出文件（%lu 字节）；请更正头文件",
            "byte offset %ld is beyond the file of %lu bytes; correct the header", (long)offset,
            (unsigned long)size);
    }
    g.bytes = size - offset;
    *ret = g;
    return OK;
}

/* The file must hold exactly the frames of the record line, or settle them where it names none. */
static Status frames_check(Wfdb *w, const WfdbGroup *g)
{
    int format = g->signal[0].format;
    uint64_t frames = ecg_wfdb_format_samples(format, g->bytes) / g->per_frame;
    /* Padding of an odd group may look like one more sample, never like a whole frame of several.
     */
    bool exact = frames == (uint64_t)w->frames ||
                 (w->has_frames &&
                  g->bytes == ecg_wfdb_format_bytes(format, (uint64_t)w->frames * g->per_frame));
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
        (long long)w->frames, STR_ARG(name), (unsigned long long)frames, (unsigned long)g->bytes,
        g->signal[0].line, format, (long)g->signal[0].offset);
}

/* A skewed signal's sample for frame t stands `skew` frames later in the file. */
static Status skew_check(const Wfdb *w, const WfdbSignal *s)
{
    int32_t gap;
    if (s->skew == 0 || (s->skew < w->frames && ecg_wfdb_format_gap(s->format, &gap))) {
        return OK;
    }
    return ecg_wfdb_refuse(w, s->line, WFDB_FORMAT,
                           "偏斜 %ld 对 %ld 帧的格式 %d 信号无效；请更正头文件",
                           "a skew of %ld is not possible for %ld frames in format %d; correct the "
                           "header",
                           (long)s->skew, (long)w->frames, s->format);
}

Status ecg_wfdb_open(Wfdb *w, const EcgFile *files, size_t n)
{
    w->group = arena_array(w->arena, WfdbGroup, w->n_signals);
    for (size_t from = 0; from < w->n_signals; from += w->group[w->n_groups++].n) {
        TRY(group_open(w, files, n, from, &w->group[w->n_groups]));
    }
    for (size_t i = 0; i < w->n_groups; i++) {
        TRY(frames_check(w, &w->group[i]));
    }
    for (size_t i = 0; i < w->n_signals; i++) {
        TRY(skew_check(w, &w->signal[i]));
    }
    return OK;
}

static void bucket_next(WfdbTrack *t, size_t at)
{
    while (at >= t->bucket_end) {
        t->bucket++;
        t->bucket_end = (t->bucket + 1) * t->total / t->buckets;
    }
}

static void envelope_add(WfdbTrack *t, size_t at, int32_t v)
{
    if (at >= t->bucket_end) {
        bucket_next(t, at);
    }
    EcgExtent *e = &t->envelope[t->bucket];
    if (!e->any || v < e->low) {
        e->low = v;
        t->low_at = at;
    }
    if (!e->any || v > e->high) {
        e->high = v;
        t->high_at = at;
    }
    e->any = true;
    e->high_first = t->high_at < t->low_at;
}

/* The samples of one signal in a block, in the order of the file. */
typedef struct Run {
    int32_t *block;
    size_t stride, frames;
    int64_t at;     /* frame of the segment */
    int64_t record; /* frame of the record, skew taken back; may be before the segment's first */
    int64_t lowest; /* frame of the record with which the segment begins */
} Run;

static void run_keep(const Run *r, const WfdbSignal *s, WfdbTrack *t, const int32_t *one, size_t f)
{
    int64_t frame = r->record + (int64_t)f;
    if (frame < r->lowest) {
        return;
    }
    int32_t gap = 0;
    bool has_gap = ecg_wfdb_format_gap(s->format, &gap);
    size_t per = (size_t)s->per_frame;
    for (size_t j = 0; j < per; j++) {
        size_t at = (size_t)frame * per + j;
        if (at - t->from < t->n) {
            t->samples[at - t->from] = one[j];
        }
        if (t->envelope != NULL && !(has_gap && one[j] == gap)) {
            envelope_add(t, at, one[j]);
        }
    }
}

/* Format 8 keeps differences; the header's initial value is where they begin. */
static Status differences_undo(const Wfdb *w, WfdbSignal *s, int32_t *one)
{
    for (size_t j = 0; j < (size_t)s->per_frame; j++) {
        s->value += one[j];
        if (s->value > INT32_MAX || s->value < INT32_MIN) {
            return ecg_wfdb_refuse(w, s->line, WFDB_INITIAL, "由差分累加的采样超出范围；请重新导出",
                                   "the samples added up from it leave the range; export again");
        }
        one[j] = (int32_t)s->value;
    }
    return OK;
}

static Status run_take(const Wfdb *w, const Run *r, WfdbSignal *s, WfdbTrack *t)
{
    for (size_t f = 0; f < r->frames; f++) {
        int32_t *one = r->block + f * r->stride;
        if (s->format == 8) {
            TRY(differences_undo(w, s, one));
        }
        for (size_t j = 0; j < (size_t)s->per_frame; j++) {
            s->sum = (uint16_t)(s->sum + (uint32_t)one[j]);
        }
        if (t->wanted) {
            run_keep(r, s, t, one, f);
        }
    }
    s->first = r->at == 0 ? r->block[0] : s->first;
    return OK;
}

static Status block_take(const Wfdb *w, const WfdbGroup *g, const WfdbWalk *walk, Run run)
{
    int64_t begins = run.lowest + run.at;
    for (size_t i = 0; i < g->n; i++) {
        WfdbSignal *s = &g->signal[i];
        run.record = begins - s->skew;
        TRY(run_take(w, &run, s, &walk->track[g->first + i]));
        run.block += s->per_frame;
    }
    return OK;
}

/* The frames of a segment that a group must be read for. */
typedef struct WalkRange {
    int64_t at; /* frame of the record with which the segment begins */
    int64_t from, to;
} WalkRange;

static WalkRange range_of(const Wfdb *w, const WfdbGroup *g, const WfdbWalk *walk, int64_t at)
{
    int64_t skew = 0, from = walk->from - at, to = walk->to - at;
    bool wanted = false;
    for (size_t i = 0; i < g->n; i++) {
        skew = g->signal[i].skew > skew ? g->signal[i].skew : skew;
        wanted = wanted || walk->track[g->first + i].wanted;
    }
    if (walk->prove) {
        return (WalkRange){at, 0, w->frames};
    }
    if (!wanted || from >= w->frames || to <= 0 || from >= to) {
        return (WalkRange){at, 0, 0};
    }
    bool sums = g->signal[0].format == 8; /* begins at the beginning */
    from = sums || from < 0 ? 0 : from - from % GROUP_FRAMES;
    return (WalkRange){at, from, to + skew > w->frames ? w->frames : to + skew};
}

static Status blocks_walk(Wfdb *w, const WfdbGroup *g, const WfdbWalk *walk, Arena *scratch,
                          WalkRange range)
{
    int format = g->signal[0].format;
    size_t step = BLOCK_SAMPLES / g->per_frame / GROUP_FRAMES * GROUP_FRAMES;
    step = step > 0 ? step : GROUP_FRAMES;
    int32_t *block = arena_array(scratch, int32_t, step * g->per_frame);
    char *room = arena_alloc_raw(scratch, ecg_wfdb_format_bytes(format, step * g->per_frame));
    for (int64_t f = range.from; f < range.to; f += (int64_t)step) {
        size_t some = range.to - f < (int64_t)step ? (size_t)(range.to - f) : step;
        uint64_t skip = ecg_wfdb_format_bytes(format, (uint64_t)f * g->per_frame);
        uint64_t bytes = ecg_wfdb_format_bytes(format, some * g->per_frame);
        Str packed;
        TRY(ecg_file_get(g->file, (uint64_t)g->signal[0].offset + skip, (size_t)bytes, room,
                         &packed, w->err));
        ecg_wfdb_format_decode(format, packed, block, some * g->per_frame);
        Run run = {
            .block = block, .stride = g->per_frame, .frames = some, .at = f, .lowest = range.at};
        TRY(block_take(w, g, walk, run));
    }
    return OK;
}

static Status group_walk(Wfdb *w, const WfdbGroup *g, const WfdbWalk *walk, int64_t at)
{
    Arena scratch;
    WalkRange range = range_of(w, g, walk, at);
    if (range.from >= range.to) {
        return OK;
    }
    arena_init(&scratch, 0);
    Status status = blocks_walk(w, g, walk, &scratch, range);
    arena_done(&scratch);
    return status;
}

static Status initial_prove(const Wfdb *w, const WfdbSignal *s)
{
    if (s->has_initial && s->format != 8 && s->first != s->initial) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_INITIAL,
            "写的是 %ld，第一个采样是 %ld；头文件与数据文件不配套或已损坏，请重新复制",
            "says %ld, the first sample is %ld; header and data do not belong together "
            "or are damaged, copy them again",
            (long)s->initial, (long)s->first);
    }
    return OK;
}

static Status checksum_prove(const Wfdb *w, const WfdbSignal *s)
{
    if (s->has_checksum && s->sum != s->checksum) {
        return ecg_wfdb_refuse(
            w, s->line, WFDB_CHECKSUM,
            "写的是 %d，%ld 个采样算得 %d；数据文件损坏或与头文件不配套，请重新复制",
            "says %d, the %ld samples give %d; the data are damaged or belong to another "
            "header, copy them again",
            (int16_t)s->checksum, (long)w->frames * s->per_frame, (int16_t)s->sum);
    }
    return OK;
}

Status ecg_wfdb_walk(Wfdb *w, const WfdbWalk *walk, int64_t at)
{
    for (size_t i = 0; i < w->n_signals; i++) {
        w->signal[i].value = w->signal[i].initial;
        w->signal[i].sum = 0;
    }
    for (size_t i = 0; i < w->n_groups; i++) {
        TRY(group_walk(w, &w->group[i], walk, at));
    }
    for (size_t i = 0; i < w->n_signals && walk->prove; i++) {
        TRY(initial_prove(w, &w->signal[i]));
        TRY(checksum_prove(w, &w->signal[i]));
    }
    return OK;
}
