/* Section 3 of SCP-ECG: which leads, and which samples of them. */
#include "ecg_scp.h"

/* Numbers of the standard; those left out have no name there. */
static const char *const lead_name[] = {
    [1] = "I",       [2] = "II",      [3] = "V1",      [4] = "V2",      [5] = "V3",
    [6] = "V4",      [7] = "V5",      [8] = "V6",      [9] = "V7",      [10] = "V2R",
    [11] = "V3R",    [12] = "V4R",    [13] = "V5R",    [14] = "V6R",    [15] = "V7R",
    [16] = "X",      [17] = "Y",      [18] = "Z",      [19] = "CC5",    [20] = "CM5",
    [21] = "LA",     [22] = "RA",     [23] = "LL",     [24] = "fI",     [25] = "E",
    [26] = "C",      [27] = "A",      [28] = "M",      [29] = "F",      [30] = "H",
    [31] = "I-cal",  [32] = "II-cal", [33] = "V1-cal", [34] = "V2-cal", [35] = "V3-cal",
    [36] = "V4-cal", [37] = "V5-cal", [38] = "V6-cal", [61] = "III",    [62] = "aVR",
    [63] = "aVL",    [64] = "aVF",    [65] = "-aVR",   [66] = "V8",     [67] = "V9",
    [68] = "V8R",    [69] = "V9R",    [70] = "D",      [71] = "Nehb A", [72] = "J",
};

const char *ecg_scp_lead_name(uint8_t id)
{
    return id < sizeof lead_name / sizeof *lead_name ? lead_name[id] : NULL;
}

uint8_t ecg_scp_lead_id(Str name)
{
    for (uint8_t id = 1; id < sizeof lead_name / sizeof *lead_name; id++) {
        if (lead_name[id] != NULL && str_is(name, lead_name[id])) {
            return id;
        }
    }
    return 0;
}

#define leads_refuse(scp, lead, zh_field, en_field, ...)                                           \
    ecg_scp_refuse(scp, 3, lead, zh_field, en_field, __VA_ARGS__)

static Status lead_unique(const Scp *scp, int lead)
{
    for (int i = 0; i < lead; i++) {
        if (scp->lead[i].id == scp->lead[lead].id && scp->lead[i].id != 0) {
            const char *name = ecg_scp_lead_name(scp->lead[i].id);
            return leads_refuse(scp, lead, "导联编号", "lead number",
                                "编号 %d（%s）与第 %d 导联重复；请重新导出",
                                "number %d (%s) is also that of lead %d; export again",
                                scp->lead[i].id, name ? name : "?", i + 1);
        }
    }
    return OK;
}

static Status lead_read(Scp *scp, Reader *r, int lead)
{
    ScpLead *l = &scp->lead[lead];
    l->first = reader_u32le(r);
    l->last = reader_u32le(r);
    l->id = reader_u8(r);
    /* Some machines count from 0 and write the count as the last number. */
    uint64_t n = (uint64_t)l->last - l->first + (l->first > 0 ? 1 : 0);
    if (l->last < l->first || n == 0 || n > ECG_SAMPLES_MAX) {
        return leads_refuse(scp, lead, "起止采样号", "start and end sample",
                            "从 %lu 到 %lu 不是有效范围；请重新导出",
                            "%lu to %lu is no usable range; export again", (unsigned long)l->first,
                            (unsigned long)l->last);
    }
    l->n = (size_t)n;
    l->from_zero = l->first == 0;
    l->first += l->from_zero;
    return lead_unique(scp, lead);
}

Status ecg_scp_read_leads(Scp *scp)
{
    Reader r = reader_from(scp->section[3].body);
    size_t n = reader_u8(&r);
    uint8_t flags = reader_u8(&r);
    if (r.failed || n == 0 || n > ECG_LEADS_MAX || n * 9 > reader_left(&r) ||
        reader_left(&r) - n * 9 >= 9) {
        return leads_refuse(scp, SCP_ALL_LEADS, "导联数", "number of leads",
                            "写的是 %d，本节 %lu 字节与之不符（上限 %d）；请重新导出",
                            "says %d, which the section of %lu bytes contradicts (at most %d); "
                            "export again",
                            (int)n, (unsigned long)scp->section[3].body.n, (int)ECG_LEADS_MAX);
    }
    scp->n_leads = n;
    scp->reference_used = flags & 1;
    for (size_t i = 0; i < n; i++) {
        TRY(lead_read(scp, &r, (int)i));
    }
    return OK;
}
