/*
 * Sections 4, 5 and 6 of SCP-ECG: the rhythm of every lead.
 *
 * Lossy compression, where used, is undone in this order: samples outside the protected zones of
 * section 4 were averaged in groups of `ratio` and are drawn out again along straight lines between
 * the groups' middles; then the reference beat of section 5 is added inside each subtraction zone.
 */
#include <stdlib.h>

#include "ecg_scp.h"

typedef struct Zone {
    uint32_t first, last; /* sample numbers, from 1, inclusive */
} Zone;

typedef struct Beat {
    uint16_t type; /* only type 0 had the reference subtracted */
    uint32_t fiducial;
    Zone zone;
} Beat;

typedef struct Qrs { /* section 4 */
    uint16_t reference_ms, fiducial;
    size_t n;
    Beat *beat;
    size_t n_protected;
    Zone *protected_zone; /* ordered, apart */
} Qrs;

typedef struct Wave { /* the head of section 5 or 6 */
    uint16_t unit_nv, interval_us;
    uint8_t difference, bimodal;
    Str data[ECG_LEADS_MAX];
} Wave;

typedef struct Rhythm {
    const Scp *scp;
    ScpCoding coding;
    Qrs qrs;
    Wave reference, rhythm;
    uint32_t ratio; /* 1: nothing was thinned out */
    int32_t *beat[ECG_LEADS_MAX];
    size_t beat_n;
} Rhythm;

static int zone_order(const void *a, const void *b)
{
    const Zone *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorts, drops empty ones and joins those that touch. */
static size_t zones_join(Zone *z, size_t n)
{
    size_t kept = 0;
    qsort(z, n, sizeof *z, zone_order);
    for (size_t i = 0; i < n; i++) {
        if (z[i].first == 0 || z[i].last < z[i].first) {
            continue;
        }
        if (kept > 0 && z[i].first <= z[kept - 1].last) {
            z[kept - 1].last = z[i].last > z[kept - 1].last ? z[i].last : z[kept - 1].last;
        } else {
            z[kept++] = z[i];
        }
    }
    return kept;
}

static void protected_read(const Scp *scp, Reader *r, Qrs *q)
{
    if (reader_left(r) < q->n * 8) {
        return;
    }
    q->protected_zone = arena_array(scp->arena, Zone, q->n ? q->n : 1);
    for (size_t i = 0; i < q->n; i++) {
        q->protected_zone[i].first = reader_u32le(r);
        q->protected_zone[i].last = reader_u32le(r);
    }
    q->n_protected = zones_join(q->protected_zone, q->n);
}

/* Zones of beats that had the reference subtracted are ordered and apart. */
static Status beats_check(const Scp *scp, const Qrs *q)
{
    uint32_t before = 0;
    for (size_t i = 0; i < q->n && scp->reference_used; i++) {
        Zone z = q->beat[i].zone;
        if (q->beat[i].type != 0) {
            continue;
        }
        if (z.first <= before || z.last < z.first) {
            return scp_refuse(scp, 4, SCP_ALL_LEADS, "减影区", "subtraction zone",
                              "第 %d 个波群从 %lu 到 %lu，无效或与前一个重叠；请重新导出",
                              "complex %d goes from %lu to %lu, which is no range or overlaps the "
                              "one before; export again",
                              (int)i + 1, (unsigned long)z.first, (unsigned long)z.last);
        }
        before = z.last;
    }
    return OK;
}

static Status qrs_read(const Scp *scp, Qrs *q)
{
    Reader r = reader_from(scp->section[4].body);
    q->reference_ms = reader_u16le(&r);
    q->fiducial = reader_u16le(&r);
    q->n = reader_u16le(&r);
    if (r.failed || q->n * 14 > reader_left(&r)) {
        return scp_refuse(scp, 4, SCP_ALL_LEADS, "QRS 波群数", "number of QRS complexes",
                          "写的是 %d，本节容不下；请重新导出",
                          "says %d, which the section does not hold; export again", (int)q->n);
    }
    q->beat = arena_array(scp->arena, Beat, q->n ? q->n : 1);
    for (size_t i = 0; i < q->n; i++) {
        Beat *b = &q->beat[i];
        b->type = reader_u16le(&r);
        b->zone.first = reader_u32le(&r);
        b->fiducial = reader_u32le(&r);
        b->zone.last = reader_u32le(&r);
    }
    protected_read(scp, &r, q);
    return beats_check(scp, q);
}

static Status wave_check(const Scp *scp, int section, const Wave *w)
{
    if (w->unit_nv == 0) {
        return scp_refuse(scp, section, SCP_ALL_LEADS, "幅度倍数", "amplitude value multiplier",
                          "为 0 nV，无法得出电压；请重新导出",
                          "is 0 nV, so no voltage can be known; export again");
    }
    if (w->interval_us < 25 || w->interval_us > 50000) {
        return scp_refuse(scp, section, SCP_ALL_LEADS, "采样间隔", "sample time interval",
                          "%d 微秒不在 25 至 50000 之间；请重新导出",
                          "%d us is not between 25 and 50000; export again", w->interval_us);
    }
    if (w->difference > 2) {
        return scp_refuse(scp, section, SCP_ALL_LEADS, "数据编码", "sample encoding",
                          "代码 %d 不在 0（原值）、1（一阶差分）、2（二阶差分）之中；请重新导出",
                          "code %d is none of 0 (values), 1 (first) and 2 (second differences); "
                          "export again",
                          w->difference);
    }
    if (section == 6 && w->bimodal > 1) {
        return scp_refuse(scp, section, SCP_ALL_LEADS, "双模压缩标志", "bimodal compression flag",
                          "代码 %d 不在 0、1 之中；请重新导出",
                          "code %d is neither 0 nor 1; export again", w->bimodal);
    }
    return OK;
}

static Status wave_read(const Scp *scp, int section, Wave *w)
{
    Reader r = reader_from(scp->section[section].body);
    w->unit_nv = reader_u16le(&r);
    w->interval_us = reader_u16le(&r);
    w->difference = reader_u8(&r);
    w->bimodal = reader_u8(&r);
    uint16_t bytes[ECG_LEADS_MAX];
    for (size_t i = 0; i < scp->n_leads; i++) {
        bytes[i] = reader_u16le(&r);
    }
    TRY(wave_check(scp, section, w));
    for (size_t i = 0; i < scp->n_leads; i++) {
        w->data[i] = reader_bytes(&r, bytes[i]);
        if (r.failed) {
            return scp_refuse(scp, section, (int)i, "数据字节数", "data length in bytes",
                              "%d 字节超出本节；请重新导出",
                              "%d bytes leave the section; export again", bytes[i]);
        }
    }
    return OK;
}

/* How much was thinned out follows from the intervals of sections 5 and 6. */
static Status ratio_find(Rhythm *y)
{
    y->ratio = 1;
    if (!y->rhythm.bimodal && !y->scp->reference_used) {
        return OK;
    }
    if (!y->scp->section[5].present || !y->scp->section[4].present) {
        return scp_refuse(y->scp, 6, SCP_ALL_LEADS, "压缩方式", "compression",
                          "使用了参考心搏或双模压缩，但缺少第 4 或第 5 节；请不压缩地重新导出",
                          "reference beat or bimodal compression is used but section 4 or 5 is "
                          "missing; export again without compression");
    }
    uint16_t slow = y->rhythm.interval_us, fast = y->reference.interval_us;
    if (slow % fast != 0 || slow / fast > SCP_RATIO_MAX) {
        return scp_refuse(
            y->scp, 6, SCP_ALL_LEADS, "采样间隔", "sample time interval",
            "%d 微秒不是第 5 节 %d 微秒的 1 至 %d 倍；请不压缩地重新导出",
            "%d us is not a multiple of the %d us of section 5, up to %d times; export "
            "again without compression",
            slow, fast, SCP_RATIO_MAX);
    }
    y->ratio = slow / fast;
    return OK;
}

typedef struct Segment {
    uint32_t n; /* full-rate samples */
    bool whole; /* protected: not thinned out */
} Segment;

/* The run of equal kind that begins at sample number `at`; *zone is the caller's cursor from 0. */
static Segment segment_at(const Rhythm *y, size_t *zone, uint32_t at, uint32_t last)
{
    const Qrs *q = &y->qrs;
    while (*zone < q->n_protected && q->protected_zone[*zone].last < at) {
        ++*zone;
    }
    if (!y->rhythm.bimodal || *zone == q->n_protected) {
        return (Segment){last - at + 1, false};
    }
    Zone z = q->protected_zone[*zone];
    bool whole = at >= z.first;
    uint32_t end = whole ? z.last : z.first - 1;
    return (Segment){(end < last ? end : last) - at + 1, whole};
}

static uint32_t segment_stored(const Rhythm *y, Segment s)
{
    return s.whole ? s.n : (s.n + y->ratio - 1) / y->ratio;
}

static size_t stored_count(const Rhythm *y, const ScpLead *l)
{
    if (y->ratio == 1) {
        return l->n;
    }
    size_t n = 0;
    uint32_t last = l->first + (uint32_t)l->n - 1;
    size_t zone = 0;
    for (uint32_t at = l->first; at <= last;) {
        Segment s = segment_at(y, &zone, at, last);
        n += segment_stored(y, s);
        at += s.n;
    }
    return n;
}

static int32_t divide_round(int64_t a, int64_t b)
{
    return (int32_t)(a >= 0 ? (a + b / 2) / b : -((-a + b / 2) / b));
}

/* Straight lines between the middles of the groups; level before the first and after the last. */
static void segment_draw(const int32_t *group, uint32_t groups, uint32_t ratio, int32_t *out,
                         uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t twice = 2 * (int64_t)i - (ratio - 1); /* half samples from the first middle */
        int64_t k = twice < 0 ? 0 : twice / (2 * (int64_t)ratio);
        int64_t part = twice - k * 2 * (int64_t)ratio;
        if (twice <= 0 || k + 1 >= groups) {
            out[i] = group[k < groups ? k : groups - 1];
        } else {
            int64_t rise = (int64_t)group[k + 1] - group[k];
            out[i] = group[k] + divide_round(rise * part, 2 * (int64_t)ratio);
        }
    }
}

static void segments_draw(const Rhythm *y, const ScpLead *l, const int32_t *stored, int32_t *out)
{
    uint32_t last = l->first + (uint32_t)l->n - 1;
    size_t zone = 0;
    for (uint32_t at = l->first; at <= last;) {
        Segment s = segment_at(y, &zone, at, last);
        uint32_t n = segment_stored(y, s);
        if (s.whole) {
            memcpy(out, stored, s.n * sizeof *out);
        } else {
            segment_draw(stored, n, y->ratio, out, s.n);
        }
        stored += n;
        out += s.n;
        at += s.n;
    }
}

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void reference_add(const Rhythm *y, int lead, int32_t *out)
{
    const ScpLead *l = &y->scp->lead[lead];
    for (size_t i = 0; i < y->qrs.n; i++) {
        const Beat *b = &y->qrs.beat[i];
        if (b->type != 0) {
            continue;
        }
        int64_t shift = (int64_t)b->fiducial - y->qrs.fiducial + 1; /* sample of the beat's first */
        int64_t from = max_of(max_of(b->zone.first, l->first), shift);
        int64_t to = min_of(b->zone.last, (int64_t)l->first + (int64_t)l->n - 1);
        to = min_of(to, shift + (int64_t)y->beat_n - 1);
        for (int64_t at = from; at <= to; at++) {
            out[at - l->first] += y->beat[lead][at - shift];
        }
    }
}

static Status samples_room(const Scp *scp, int section, int lead, size_t n, size_t bytes,
                           int32_t **ret)
{
    if (n > bytes * 8) {
        return scp_refuse(scp, section, lead, "数据字节数", "data length in bytes",
                          "%lu 字节容不下 %lu 个采样；请重新导出",
                          "%lu bytes cannot hold %lu samples; export again", (unsigned long)bytes,
                          (unsigned long)n);
    }
    *ret = ecg_samples_new(scp->arena, n);
    if (*ret == NULL) {
        return scp_refuse_at(scp, ERR_TOO_LARGE, section, lead, (EcgField){"采样数据", "samples"},
                             "%lu 个采样超过内存上限；请分段导出",
                             "%lu samples pass the memory limit; export it in parts",
                             (unsigned long)n);
    }
    return OK;
}

static Status reference_decode(Rhythm *y, int lead)
{
    ScpRun run = {5, lead, y->reference.data[lead], y->reference.difference};
    TRY(samples_room(y->scp, 5, lead, y->beat_n, run.bytes.n, &y->beat[lead]));
    TRY(scp_decode(y->scp, &y->coding, &run, y->beat[lead], y->beat_n));
    for (size_t i = 0; i < y->beat_n && y->reference.unit_nv != y->rhythm.unit_nv; i++) {
        int64_t nv = (int64_t)y->beat[lead][i] * y->reference.unit_nv;
        y->beat[lead][i] = divide_round(nv, y->rhythm.unit_nv);
    }
    return OK;
}

/* Values so large that adding a reference beat could overflow are not of this world. */
static Status values_check(const Scp *scp, int section, int lead, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i] > INT32_MAX / 4 || v[i] < INT32_MIN / 4) {
            return scp_refuse(scp, section, lead, "采样数据", "samples",
                              "第 %lu 个采样超出范围；数据损坏，请重新导出",
                              "sample %lu leaves the range; the data are damaged, export again",
                              (unsigned long)i + 1);
        }
    }
    return OK;
}

static Status lead_rebuild(Rhythm *y, int lead, const int32_t *stored, size_t n_stored,
                           int32_t *out)
{
    const ScpLead *l = &y->scp->lead[lead];
    TRY(values_check(y->scp, 6, lead, stored, n_stored));
    segments_draw(y, l, stored, out);
    if (!y->scp->reference_used) {
        return OK;
    }
    TRY(reference_decode(y, lead));
    TRY(values_check(y->scp, 5, lead, y->beat[lead], y->beat_n));
    reference_add(y, lead, out);
    return values_check(y->scp, 6, lead, out, l->n);
}

static Status lead_decode(Rhythm *y, int lead, EcgLead *ret)
{
    const ScpLead *l = &y->scp->lead[lead];
    ScpRun run = {6, lead, y->rhythm.data[lead], y->rhythm.difference};
    size_t n_stored = stored_count(y, l);
    int32_t *stored, *out;
    TRY(samples_room(y->scp, 6, lead, n_stored, run.bytes.n, &stored));
    TRY(scp_decode(y->scp, &y->coding, &run, stored, n_stored));
    out = stored;
    if (y->ratio > 1 || y->scp->reference_used) {
        TRY(samples_room(y->scp, 6, lead, l->n, l->n, &out));
        TRY(lead_rebuild(y, lead, stored, n_stored, out));
    }
    ret->n = l->n;
    ret->samples = out;
    return OK;
}

static void lead_describe(const Rhythm *y, int lead, EcgLead *ret)
{
    Arena *a = y->scp->arena;
    uint8_t id = y->scp->lead[lead].id;
    const char *name = scp_lead_name(id);
    ret->label = name ? str_from_c(name) : arena_printf(a, "SCP %d", id);
    ret->name = ret->label;
    ret->unit = STR("uV");
    ecg_rational(y->rhythm.unit_nv, 1000, &ret->gain);
    uint16_t interval = y->ratio > 1 ? y->reference.interval_us : y->rhythm.interval_us;
    ecg_rational(1000000, interval, &ret->rate);
}

static Status total_check(const Scp *scp)
{
    size_t total = 0;
    for (size_t i = 0; i < scp->n_leads; i++) {
        total += scp->lead[i].n;
    }
    if (total > ECG_SAMPLES_MAX) {
        return scp_refuse_at(scp, ERR_TOO_LARGE, 3, SCP_ALL_LEADS,
                             (EcgField){"起止采样号", "start and end sample"},
                             "各导联共 %lu 个采样，上限 %lu；请分段导出",
                             "the leads have %lu samples, at most %lu are read; export it in parts",
                             (unsigned long)total, (unsigned long)ECG_SAMPLES_MAX);
    }
    return OK;
}

/* Numbered from 0: uncoded data tell whether `last` is the last number or the count. */
static void counts_settle(const Rhythm *y, Scp *scp)
{
    for (size_t i = 0; i < scp->n_leads && y->coding.raw; i++) {
        ScpLead *l = &scp->lead[i];
        if (l->from_zero && y->rhythm.data[i].n == 2 * (l->n + 1)) {
            l->n++;
        }
    }
}

static Status parts_read(Rhythm *y, Scp *scp)
{
    TRY(total_check(scp));
    TRY(scp_read_coding(scp, &y->coding));
    if (scp->section[4].present) {
        TRY(qrs_read(scp, &y->qrs));
    }
    if (scp->section[5].present) {
        TRY(wave_read(scp, 5, &y->reference));
        y->beat_n = (size_t)y->qrs.reference_ms * 1000 / y->reference.interval_us;
    }
    TRY(wave_read(scp, 6, &y->rhythm));
    counts_settle(y, scp);
    return ratio_find(y);
}

Status scp_read_rhythm(Scp *scp, EcgRecording *ret)
{
    Rhythm *y = arena_new(scp->arena, Rhythm);
    y->scp = scp;
    TRY(parts_read(y, scp));
    EcgLead *leads = arena_array(scp->arena, EcgLead, scp->n_leads);
    for (size_t i = 0; i < scp->n_leads; i++) {
        lead_describe(y, (int)i, &leads[i]);
        TRY(lead_decode(y, (int)i, &leads[i]));
    }
    ret->leads = leads;
    ret->n_leads = scp->n_leads;
    ret->rebuilt = y->ratio > 1 || scp->reference_used;
    return OK;
}
