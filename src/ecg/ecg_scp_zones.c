/*
 * Section 4 of SCP-ECG (where the beats are), and the undoing of lossy compression: samples outside
 * the protected zones were averaged in groups of `ratio` and are drawn out again along straight
 * lines between the groups' middles; then the reference beat is added in each subtraction zone.
 */
#include <stdlib.h>

#include "ecg_scp_rhythm.h"

static int zone_order(const void *a, const void *b)
{
    const ScpZone *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorts, drops empty ones and joins those that touch. */
static size_t zones_join(ScpZone *z, size_t n)
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

static void protected_read(const Scp *scp, Reader *r, ScpQrs *q)
{
    if (reader_left(r) < q->n * 8) {
        return;
    }
    q->protected_zone = arena_array(scp->arena, ScpZone, q->n ? q->n : 1);
    for (size_t i = 0; i < q->n; i++) {
        q->protected_zone[i].first = reader_u32le(r);
        q->protected_zone[i].last = reader_u32le(r);
    }
    q->n_protected = zones_join(q->protected_zone, q->n);
}

/* Zones of beats that had the reference subtracted are ordered and apart. */
static Status beats_check(const Scp *scp, const ScpQrs *q)
{
    uint32_t before = 0;
    for (size_t i = 0; i < q->n && scp->reference_used; i++) {
        ScpZone z = q->beat[i].zone;
        if (q->beat[i].type != 0) {
            continue;
        }
        if (z.first <= before || z.last < z.first) {
            return ecg_scp_refuse(
                scp, 4, SCP_ALL_LEADS, "减影区", "subtraction zone",
                "第 %d 个波群从 %lu 到 %lu，无效或与前一个重叠；请重新导出",
                "complex %d goes from %lu to %lu, which is no range or overlaps the "
                "one before; export again",
                (int)i + 1, (unsigned long)z.first, (unsigned long)z.last);
        }
        before = z.last;
    }
    return OK;
}

Status ecg_scp_read_qrs(const Scp *scp, ScpQrs *q)
{
    Reader r = reader_from(scp->section[4].body);
    q->reference_ms = reader_u16le(&r);
    q->fiducial = reader_u16le(&r);
    q->n = reader_u16le(&r);
    if (r.failed || q->n * 14 > reader_left(&r)) {
        return ecg_scp_refuse(scp, 4, SCP_ALL_LEADS, "QRS 波群数", "number of QRS complexes",
                              "写的是 %d，本节容不下；请重新导出",
                              "says %d, which the section does not hold; export again", (int)q->n);
    }
    q->beat = arena_array(scp->arena, ScpBeat, q->n ? q->n : 1);
    for (size_t i = 0; i < q->n; i++) {
        ScpBeat *b = &q->beat[i];
        b->type = reader_u16le(&r);
        b->zone.first = reader_u32le(&r);
        b->fiducial = reader_u32le(&r);
        b->zone.last = reader_u32le(&r);
    }
    protected_read(scp, &r, q);
    return beats_check(scp, q);
}

typedef struct Segment {
    uint32_t n; /* full-rate samples */
    bool whole; /* protected: not thinned out */
} Segment;

/* The run of equal kind that begins at sample number `at`; *zone is the caller's cursor from 0. */
static Segment segment_at(const ScpRhythm *y, size_t *zone, uint32_t at, uint32_t last)
{
    const ScpQrs *q = &y->qrs;
    while (*zone < q->n_protected && q->protected_zone[*zone].last < at) {
        ++*zone;
    }
    if (!y->rhythm.bimodal || *zone == q->n_protected) {
        return (Segment){last - at + 1, false};
    }
    ScpZone z = q->protected_zone[*zone];
    bool whole = at >= z.first;
    uint32_t end = whole ? z.last : z.first - 1;
    return (Segment){(end < last ? end : last) - at + 1, whole};
}

static uint32_t segment_stored(const ScpRhythm *y, Segment s)
{
    return s.whole ? s.n : (s.n + y->ratio - 1) / y->ratio;
}

size_t ecg_scp_stored_count(const ScpRhythm *y, const ScpLead *l)
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

int32_t ecg_scp_divide_round(int64_t a, int64_t b)
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
            out[i] = group[k] + ecg_scp_divide_round(rise * part, 2 * (int64_t)ratio);
        }
    }
}

void ecg_scp_segments_draw(const ScpRhythm *y, const ScpLead *l, const int32_t *stored,
                           int32_t *out)
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

void ecg_scp_reference_add(const ScpRhythm *y, int lead, int32_t *out)
{
    const ScpLead *l = &y->scp->lead[lead];
    for (size_t i = 0; i < y->qrs.n; i++) {
        const ScpBeat *b = &y->qrs.beat[i];
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
