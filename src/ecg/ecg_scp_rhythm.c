/* Sections 5 and 6 of SCP-ECG: the reference beat and the rhythm of every lead. */
#include "ecg_scp_rhythm.h"

static Status wave_check(const Scp *scp, int section, const ScpWave *w)
{
    if (w->unit_nv == 0) {
        return ecg_scp_refuse(scp, section, SCP_ALL_LEADS, "幅度倍数", "amplitude value multiplier",
                              "为 0 nV，无法得出电压；请重新导出",
                              "is 0 nV, so no voltage can be known; export again");
    }
    if (w->interval_us < 25 || w->interval_us > 50000) {
        return ecg_scp_refuse(scp, section, SCP_ALL_LEADS, "采样间隔", "sample time interval",
                              "%d 微秒不在 25 至 50000 之间；请重新导出",
                              "%d us is not between 25 and 50000; export again", w->interval_us);
    }
    if (w->difference > 2) {
        return ecg_scp_refuse(
            scp, section, SCP_ALL_LEADS, "数据编码", "sample encoding",
            "代码 %d 不在 0（原值）、1（一阶差分）、2（二阶差分）之中；请重新导出",
            "code %d is none of 0 (values), 1 (first) and 2 (second differences); "
            "export again",
            w->difference);
    }
    if (section == 6 && w->bimodal > 1) {
        return ecg_scp_refuse(scp, section, SCP_ALL_LEADS, "双模压缩标志",
                              "bimodal compression flag", "代码 %d 不在 0、1 之中；请重新导出",
                              "code %d is neither 0 nor 1; export again", w->bimodal);
    }
    return OK;
}

static Status wave_read(const Scp *scp, int section, ScpWave *w)
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
            return ecg_scp_refuse(scp, section, (int)i, "数据字节数", "data length in bytes",
                                  "%d 字节超出本节；请重新导出",
                                  "%d bytes leave the section; export again", bytes[i]);
        }
    }
    return OK;
}

/* How much was thinned out follows from the intervals of sections 5 and 6. */
static Status ratio_find(ScpRhythm *y)
{
    y->ratio = 1;
    if (!y->rhythm.bimodal && !y->scp->reference_used) {
        return OK;
    }
    if (!y->scp->section[5].present || !y->scp->section[4].present) {
        return ecg_scp_refuse(y->scp, 6, SCP_ALL_LEADS, "压缩方式", "compression",
                              "使用了参考心搏或双模压缩，但缺少第 4 或第 5 节；请不压缩地重新导出",
                              "reference beat or bimodal compression is used but section 4 or 5 is "
                              "missing; export again without compression");
    }
    uint16_t slow = y->rhythm.interval_us, fast = y->reference.interval_us;
    if (slow % fast != 0 || slow / fast > SCP_RATIO_MAX) {
        return ecg_scp_refuse(
            y->scp, 6, SCP_ALL_LEADS, "采样间隔", "sample time interval",
            "%d 微秒不是第 5 节 %d 微秒的 1 至 %d 倍；请不压缩地重新导出",
            "%d us is not a multiple of the %d us of section 5, up to %d times; export "
            "again without compression",
            slow, fast, SCP_RATIO_MAX);
    }
    y->ratio = slow / fast;
    return OK;
}

static Status samples_room(const Scp *scp, int section, int lead, size_t n, size_t bytes,
                           int32_t **ret)
{
    if (n > bytes * 8) {
        return ecg_scp_refuse(scp, section, lead, "数据字节数", "data length in bytes",
                              "%lu 字节容不下 %lu 个采样；请重新导出",
                              "%lu bytes cannot hold %lu samples; export again",
                              (unsigned long)bytes, (unsigned long)n);
    }
    *ret = ecg_samples_new(scp->arena, n);
    if (*ret == NULL) {
        return ecg_scp_refuse_at(
            scp, ERR_TOO_LARGE, section, lead, (EcgField){"采样数据", "samples"},
            "%lu 个采样超过内存上限；请分段导出",
            "%lu samples pass the memory limit; export it in parts", (unsigned long)n);
    }
    return OK;
}

static Status reference_decode(ScpRhythm *y, int lead)
{
    ScpRun run = {5, lead, y->reference.data[lead], y->reference.difference};
    TRY(samples_room(y->scp, 5, lead, y->beat_n, run.bytes.n, &y->beat[lead]));
    TRY(ecg_scp_decode(y->scp, &y->coding, &run, y->beat[lead], y->beat_n));
    for (size_t i = 0; i < y->beat_n && y->reference.unit_nv != y->rhythm.unit_nv; i++) {
        int64_t nv = (int64_t)y->beat[lead][i] * y->reference.unit_nv;
        y->beat[lead][i] = ecg_scp_divide_round(nv, y->rhythm.unit_nv);
    }
    return OK;
}

/* Values so large that adding a reference beat could overflow are not of this world. */
static Status values_check(const Scp *scp, int section, int lead, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i] > INT32_MAX / 4 || v[i] < INT32_MIN / 4) {
            return ecg_scp_refuse(scp, section, lead, "采样数据", "samples",
                                  "第 %lu 个采样超出范围；数据损坏，请重新导出",
                                  "sample %lu leaves the range; the data are damaged, export again",
                                  (unsigned long)i + 1);
        }
    }
    return OK;
}

static Status lead_rebuild(ScpRhythm *y, int lead, const int32_t *stored, size_t n_stored,
                           int32_t *out)
{
    const ScpLead *l = &y->scp->lead[lead];
    TRY(values_check(y->scp, 6, lead, stored, n_stored));
    ecg_scp_segments_draw(y, l, stored, out);
    if (!y->scp->reference_used) {
        return OK;
    }
    TRY(reference_decode(y, lead));
    TRY(values_check(y->scp, 5, lead, y->beat[lead], y->beat_n));
    ecg_scp_reference_add(y, lead, out);
    return values_check(y->scp, 6, lead, out, l->n);
}

static Status lead_decode(ScpRhythm *y, int lead, EcgLead *ret)
{
    const ScpLead *l = &y->scp->lead[lead];
    ScpRun run = {6, lead, y->rhythm.data[lead], y->rhythm.difference};
    size_t n_stored = ecg_scp_stored_count(y, l);
    int32_t *stored, *out;
    TRY(samples_room(y->scp, 6, lead, n_stored, run.bytes.n, &stored));
    TRY(ecg_scp_decode(y->scp, &y->coding, &run, stored, n_stored));
    out = stored;
    if (y->ratio > 1 || y->scp->reference_used) {
        TRY(samples_room(y->scp, 6, lead, l->n, l->n, &out));
        TRY(lead_rebuild(y, lead, stored, n_stored, out));
    }
    ret->n = l->n;
    ret->samples = out;
    return OK;
}

static void lead_describe(const ScpRhythm *y, int lead, EcgLead *ret)
{
    Arena *a = y->scp->arena;
    uint8_t id = y->scp->lead[lead].id;
    const char *name = ecg_scp_lead_name(id);
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
        return ecg_scp_refuse_at(
            scp, ERR_TOO_LARGE, 3, SCP_ALL_LEADS, (EcgField){"起止采样号", "start and end sample"},
            "各导联共 %lu 个采样，上限 %lu；请分段导出",
            "the leads have %lu samples, at most %lu are read; export it in parts",
            (unsigned long)total, (unsigned long)ECG_SAMPLES_MAX);
    }
    return OK;
}

/* Numbered from 0: uncoded data tell whether `last` is the last number or the count. */
static void counts_settle(const ScpRhythm *y, Scp *scp)
{
    for (size_t i = 0; i < scp->n_leads && y->coding.raw; i++) {
        ScpLead *l = &scp->lead[i];
        if (l->from_zero && y->rhythm.data[i].n == 2 * (l->n + 1)) {
            l->n++;
        }
    }
}

static Status parts_read(ScpRhythm *y, Scp *scp)
{
    TRY(total_check(scp));
    TRY(ecg_scp_read_coding(scp, &y->coding));
    if (scp->section[4].present) {
        TRY(ecg_scp_read_qrs(scp, &y->qrs));
    }
    if (scp->section[5].present) {
        TRY(wave_read(scp, 5, &y->reference));
        y->beat_n = (size_t)y->qrs.reference_ms * 1000 / y->reference.interval_us;
    }
    TRY(wave_read(scp, 6, &y->rhythm));
    counts_settle(y, scp);
    return ratio_find(y);
}

Status ecg_scp_read_rhythm(Scp *scp, EcgRecording *ret)
{
    ScpRhythm *y = arena_new(scp->arena, ScpRhythm);
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
