/* Which samples of a recording are wanted, and the envelope of all of them. */
#include "ecg_inner.h"

size_t ecg_sample_at(EcgRational rate, int64_t ms)
{
    __int128 at = (__int128)ms * rate.num / ((__int128)1000 * rate.den);
    return at < 0 ? 0 : at > INT32_MAX ? INT32_MAX : (size_t)at;
}

EcgExtent ecg_extent(const EcgLead *lead, size_t from, size_t to)
{
    EcgExtent e = {0};
    size_t low_at = 0, high_at = 0;
    for (size_t i = from > lead->at ? from : lead->at; i < to && i - lead->at < lead->n; i++) {
        int32_t v = lead->samples[i - lead->at];
        if (lead->has_gap && v == lead->gap) {
            continue;
        }
        if (!e.any || v < e.low) {
            e.low = v;
            low_at = i;
        }
        if (!e.any || v > e.high) {
            e.high = v;
            high_at = i;
        }
        e.any = true;
    }
    e.high_first = high_at < low_at;
    return e;
}

bool ecg_part_has(const EcgPart *part, Str lead_name)
{
    for (size_t i = 0; i < part->n_leads; i++) {
        if (str_eq_nocase(part->lead[i], lead_name)) {
            return true;
        }
    }
    return part->n_leads == 0;
}

Status ecg_part_names(const EcgPart *part, const EcgLead *leads, size_t n, Err *err)
{
    for (size_t i = 0; i < part->n_leads; i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++) {
            found = str_eq_nocase(part->lead[i], leads[k].name);
        }
        if (!found) {
            EcgPlace p = ecg_place("leads", "导联", "leads");
            Str name = str_take(part->lead[i], 40);
            return ecg_refuse(err, ERR_INVALID, &p, "记录中没有导联“%.*s”",
                              "the recording has no lead \"%.*s\"", STR_ARG(name));
        }
    }
    return OK;
}

static void envelope_make(Arena *a, size_t buckets, EcgLead *l)
{
    EcgExtent *e = arena_array(a, EcgExtent, buckets);
    for (size_t k = 0; k < buckets; k++) {
        e[k] = ecg_extent(l, k * l->total / buckets, (k + 1) * l->total / buckets);
    }
    l->envelope = e;
    l->buckets = buckets;
}

/* The samples [from, to) of the recording, as far as they are here. */
static void lead_cut(EcgLead *l, size_t from, size_t to)
{
    size_t end = l->at + l->n;
    from = from < l->at ? l->at : from > end ? end : from;
    to = to < from ? from : to > end ? end : to;
    l->samples += from - l->at;
    l->at = from;
    l->n = to - from;
}

Status ecg_part_large(const EcgPart *part, uint64_t samples, Err *err)
{
    size_t most = part->samples_max ? part->samples_max : ECG_SAMPLES_MAX;
    if (samples <= most) {
        return OK;
    }
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    return ecg_refuse(err, ERR_TOO_LARGE, &p,
                      "要读的采样共 %llu 个，一次至多 %zu 个；请用 start 和 duration 分时段读取",
                      "%llu samples are wanted, at most %zu are read at once; ask for a window "
                      "with start and duration",
                      (unsigned long long)samples, most);
}

Status ecg_part_cut(Arena *a, const EcgPart *part, EcgRecording *rec, Err *err)
{
    EcgLead *leads = arena_array(a, EcgLead, rec->n_leads);
    Str *unchosen = arena_array(a, Str, rec->n_leads);
    size_t n = 0;
    uint64_t samples = 0;
    TRY(ecg_part_names(part, rec->leads, rec->n_leads, err));
    for (size_t i = 0; i < rec->n_leads; i++) {
        EcgLead l = rec->leads[i];
        if (!ecg_part_has(part, l.name)) {
            unchosen[rec->n_unchosen++] = l.name;
            continue;
        }
        if (part->buckets > 0 && l.envelope == NULL) {
            envelope_make(a, part->buckets, &l);
        }
        lead_cut(&l, ecg_sample_at(l.rate, part->from_ms),
                 part->to_ms == ECG_END ? l.total : ecg_sample_at(l.rate, part->to_ms));
        samples += l.n;
        leads[n++] = l;
    }
    rec->leads = leads;
    rec->n_leads = n;
    rec->unchosen = unchosen;
    return ecg_part_large(part, samples, err);
}

bool ecg_lead_delay(Arena *a, EcgLead *lead, double seconds)
{
    double samples = seconds * ecg_rational_value(lead->rate) + 0.5;
    if (!(samples >= 1)) {
        return samples > -0.5;
    }
    if (samples > ECG_SAMPLES_MAX || lead->n > ECG_SAMPLES_MAX - (size_t)samples) {
        return false;
    }
    size_t shift = (size_t)samples;
    int32_t *moved = arena_try_raw(a, (lead->n + shift) * sizeof *moved);
    if (moved == NULL) {
        return false;
    }
    lead->gap = lead->has_gap ? lead->gap : INT32_MIN;
    lead->has_gap = true;
    for (size_t i = 0; i < shift; i++) {
        moved[i] = lead->gap;
    }
    memcpy(moved + shift, lead->samples, lead->n * sizeof *moved);
    lead->samples = moved;
    lead->n += shift;
    return true;
}
