#include "ecg.h"

const char *const ecg_standard_lead[ECG_STANDARD_LEADS] = {
    "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6",
};

/* Leads beyond the twelve whose spelling is settled: posterior and right chest. */
static const char *const further_lead[] = {
    "V7", "V8", "V9", "V1R", "V2R", "V3R", "V4R", "V5R", "V6R", "V7R", "V8R", "V9R",
};

static Str standard_match(Str label)
{
    for (size_t i = 0; i < ECG_STANDARD_LEADS; i++) {
        if (str_eq_nocase(label, str_from_c(ecg_standard_lead[i]))) {
            return str_from_c(ecg_standard_lead[i]);
        }
    }
    for (size_t i = 0; i < sizeof further_lead / sizeof *further_lead; i++) {
        if (str_eq_nocase(label, str_from_c(further_lead[i]))) {
            return str_from_c(further_lead[i]);
        }
    }
    return STR_NONE;
}

Str ecg_lead_name(Str label)
{
    Str bare = str_trim(label);
    Str found = standard_match(bare);
    static const char *const prefix[] = {"lead ", "ecg lead ", "ecg "};
    for (size_t i = 0; str_empty(found) && i < sizeof prefix / sizeof *prefix; i++) {
        Str p = str_from_c(prefix[i]);
        if (bare.n > p.n && str_eq_nocase(str_take(bare, p.n), p)) {
            found = standard_match(str_trim(str_skip(bare, p.n)));
        }
    }
    return str_empty(found) ? label : found;
}

ptrdiff_t ecg_lead_find(const EcgRecording *rec, Str name)
{
    for (size_t i = 0; i < rec->n_leads; i++) {
        if (str_eq(rec->leads[i].name, name)) {
            return (ptrdiff_t)i;
        }
    }
    return -1;
}

static bool is_unchosen(const EcgRecording *rec, Str name)
{
    for (size_t i = 0; i < rec->n_unchosen; i++) {
        if (str_eq(rec->unchosen[i], name)) {
            return true;
        }
    }
    return false;
}

size_t ecg_missing(const EcgRecording *rec, const char *ret[ECG_STANDARD_LEADS])
{
    size_t n = 0;
    for (size_t i = 0; i < ECG_STANDARD_LEADS; i++) {
        Str name = str_from_c(ecg_standard_lead[i]);
        if (ecg_lead_find(rec, name) < 0 && !is_unchosen(rec, name)) {
            ret[n++] = ecg_standard_lead[i];
        }
    }
    return n;
}
