#include "ecg_synth.h"

#include <math.h>

#define RATE_HZ   500
#define SECONDS   10
#define SAMPLES   (RATE_HZ * SECONDS)
#define UV_A_LSB  2.5
#define BEATS_MAX 64
#define SEEN      8 /* leads computed from the vector; the other four from I and II */

typedef struct Vector {
    double x, y, z; /* Frank: left, foot, back; mV */
} Vector;

/* One Gaussian: where it points, when after the R wave, how wide (standard deviation). */
typedef struct Wave {
    Vector v;
    double at_s, width_s;
    bool with_rate; /* its time shrinks and grows with the root of the RR interval */
} Wave;

static const Wave p_wave[] = {{{0.055, 0.10, -0.02}, -0.165, 0.022, false},
                              {{0.03, 0.03, 0.03}, -0.130, 0.020, false}};
static const Wave qrs_normal[] = {{{-0.16, -0.05, -0.26}, -0.024, 0.008, false},
                                  {{1.12, 0.90, 0.30}, 0.0, 0.0105, false},
                                  {{-0.22, -0.18, 0.58}, 0.026, 0.010, false}};
static const Wave t_normal[] = {{{0.20, 0.16, -0.16}, 0.270, 0.042, true},
                                {{0.12, 0.09, -0.08}, 0.225, 0.050, true}};
static const Wave st_inferior[] = {{{-0.10, 0.24, 0.05}, 0.075, 0.030, false},
                                   {{-0.14, 0.34, 0.06}, 0.140, 0.042, false},
                                   {{-0.14, 0.32, 0.06}, 0.215, 0.048, false}};
static const Wave st_anterior[] = {{{0.10, -0.05, -0.22}, 0.075, 0.030, false},
                                   {{0.14, -0.06, -0.30}, 0.140, 0.042, false},
                                   {{0.14, -0.05, -0.28}, 0.215, 0.048, false}};
static const Wave qrs_ectopic[] = {{{0.75, -1.05, -0.70}, 0.020, 0.030, false},
                                   {{-0.25, 0.35, 0.55}, 0.090, 0.028, false},
                                   {{-0.40, 0.55, 0.30}, 0.260, 0.065, false}};

/* Dower's coefficients: lead = x·a + y·b + z·c. */
static const struct {
    const char *name;
    Vector c;
} seen[SEEN] = {
    {"I", {0.632, -0.235, 0.059}},  {"II", {0.235, 1.066, -0.132}}, {"V1", {-0.515, 0.157, -0.917}},
    {"V2", {0.044, 0.164, -1.387}}, {"V3", {0.882, 0.098, -1.277}}, {"V4", {1.213, 0.127, -0.601}},
    {"V5", {1.125, 0.127, -0.086}}, {"V6", {0.831, 0.076, 0.230}},
};

typedef struct Kind {
    const char *name;
    double rate_bpm, irregular; /* share of the RR interval that varies */
    bool has_p, has_flutter;
    int ectopic_every;
    const Wave *st;
} Kind;

static const Kind kinds[ECG_SYNTH_KINDS] = {
    [ECG_SYNTH_NORMAL] = {"normal", 72, 0.03, true, false, 0, NULL},
    [ECG_SYNTH_BRADYCARDIA] = {"bradycardia", 42, 0.02, true, false, 0, NULL},
    [ECG_SYNTH_TACHYCARDIA] = {"tachycardia", 128, 0.01, true, false, 0, NULL},
    [ECG_SYNTH_AFIB] = {"afib", 104, 0.28, false, true, 0, NULL},
    [ECG_SYNTH_STEMI_INFERIOR] = {"stemi-inferior", 64, 0.02, true, false, 0, st_inferior},
    [ECG_SYNTH_STEMI_ANTERIOR] = {"stemi-anterior", 92, 0.02, true, false, 0, st_anterior},
    [ECG_SYNTH_EXTRASYSTOLES] = {"extrasystoles", 76, 0.02, true, false, 4, NULL},
};

typedef struct Heart {
    const Kind *kind;
    Random *random;
    double strength, mean_rr_s;
    double breath_hz, breath_phase, flutter_hz, flutter_phase;
} Heart;

typedef struct Beat {
    double at_s, rr_s; /* the interval before it */
    bool ectopic;
} Beat;

const char *ecg_synth_name(EcgSynthKind kind)
{
    return kind < ECG_SYNTH_KINDS ? kinds[kind].name : NULL;
}

/* Uniform in [-1, 1). */
static double noise(Random *r)
{
    return (double)(int64_t)(random_u64(r) >> 11) / (double)(1LL << 52) - 1.0;
}

static double interval_next(const Heart *h)
{
    return h->mean_rr_s * (1 + h->kind->irregular * noise(h->random));
}

static size_t beats_make(const Heart *h, Beat *beat)
{
    double at = 0.2 + 0.3 * (1 + noise(h->random)) - h->mean_rr_s, rr = h->mean_rr_s;
    size_t n = 0;
    for (int since = 0; n < BEATS_MAX && at < SECONDS + 1; n++) {
        bool ectopic = h->kind->ectopic_every > 0 && ++since == h->kind->ectopic_every;
        if (ectopic) {
            at -= 0.36 * rr; /* comes early; the pause behind it makes up for that */
            since = 0;
        }
        beat[n] = (Beat){at, rr, ectopic};
        rr = interval_next(h);
        at += ectopic ? rr + 0.36 * rr : rr;
    }
    return n;
}

static void waves_add(Vector *sum, const Wave *w, size_t n, double t, double stretch)
{
    for (size_t i = 0; i < n; i++) {
        double from = (t - w[i].at_s * (w[i].with_rate ? stretch : 1)) / w[i].width_s;
        if (fabs(from) < 5) {
            double g = exp(-0.5 * from * from);
            sum->x += w[i].v.x * g;
            sum->y += w[i].v.y * g;
            sum->z += w[i].v.z * g;
        }
    }
}

#define WAVES(sum, table, t, stretch)                                                              \
    waves_add((sum), (table), sizeof(table) / sizeof *(table), (t), (stretch))

static void beat_add(const Heart *h, const Beat *b, double t, Vector *sum)
{
    double stretch = sqrt(b->rr_s / 0.85);
    stretch = stretch > 1.15 ? 1.15 : stretch < 0.72 ? 0.72 : stretch;
    if (b->ectopic) {
        WAVES(sum, qrs_ectopic, t, 1);
        return;
    }
    if (h->kind->has_p) {
        WAVES(sum, p_wave, t, 1);
    }
    WAVES(sum, qrs_normal, t, 1);
    WAVES(sum, t_normal, t, stretch);
    if (h->kind->st != NULL) {
        waves_add(sum, h->kind->st, 3, t, 1);
    }
}

static Vector heart_at(const Heart *h, const Beat *beat, size_t n, double t)
{
    Vector sum = {0};
    for (size_t i = 0; i < n; i++) {
        if (fabs(t - beat[i].at_s) < 0.9) {
            beat_add(h, &beat[i], t - beat[i].at_s, &sum);
        }
    }
    if (h->kind->has_flutter) {
        double turn = 2 * M_PI * t;
        double f = 0.045 * sin(turn * h->flutter_hz + h->flutter_phase + sin(turn * 0.7)) +
                   0.025 * sin(turn * h->flutter_hz * 1.37 + 1);
        sum.x += 0.2 * f;
        sum.y += 0.8 * f;
        sum.z -= f;
    }
    return sum;
}

static int32_t lead_sample(const Heart *h, Vector v, size_t lead, double t)
{
    Vector c = seen[lead].c;
    double mv = (v.x * c.x + v.y * c.y + v.z * c.z) * h->strength;
    mv += 0.03 * sin(2 * M_PI * h->breath_hz * t + h->breath_phase + (double)lead * 0.4);
    mv += 0.004 * (noise(h->random) + noise(h->random));
    return (int32_t)lround(mv * 1000 / UV_A_LSB);
}

static Heart heart_make(Random *r, EcgSynthKind kind)
{
    Heart h = {.kind = &kinds[kind], .random = r};
    h.mean_rr_s = 60 / (h.kind->rate_bpm * (1 + 0.06 * noise(r)));
    h.strength = 0.95 + 0.12 * noise(r);
    h.breath_hz = 0.25 + 0.05 * noise(r);
    h.breath_phase = M_PI * noise(r);
    h.flutter_hz = 6 + noise(r);
    h.flutter_phase = M_PI * noise(r);
    return h;
}

/* Half of a difference, rounded away from 0 like the machines do. */
static int32_t half(int32_t v)
{
    return (v + (v >= 0 ? 1 : -1)) / 2;
}

static void limbs_derive(int32_t *const lead[ECG_STANDARD_LEADS])
{
    for (size_t k = 0; k < SAMPLES; k++) {
        int32_t i = lead[0][k], ii = lead[1][k];
        lead[2][k] = ii - i;
        lead[3][k] = half(-(i + ii));
        lead[4][k] = half(2 * i - ii);
        lead[5][k] = half(2 * ii - i);
    }
}

static void leads_fill(const Heart *h, int32_t *const lead[ECG_STANDARD_LEADS])
{
    Beat beat[BEATS_MAX];
    size_t n = beats_make(h, beat);
    for (size_t k = 0; k < SAMPLES; k++) {
        double t = (double)k / RATE_HZ;
        Vector v = heart_at(h, beat, n, t);
        for (size_t s = 0; s < SEEN; s++) {
            lead[s < 2 ? s : s + 4][k] = lead_sample(h, v, s, t);
        }
    }
    limbs_derive(lead);
}

void ecg_synth(Arena *a, uint64_t seed, EcgSynthKind kind, EcgRecording *ret)
{
    Random r;
    random_init_seed(&r, seed);
    Heart h = heart_make(&r, kind);
    int32_t *sample[ECG_STANDARD_LEADS];
    EcgLead *leads = arena_array(a, EcgLead, ECG_STANDARD_LEADS);
    for (size_t i = 0; i < ECG_STANDARD_LEADS; i++) {
        sample[i] = arena_array(a, int32_t, SAMPLES);
        leads[i] = (EcgLead){.name = str_from_c(ecg_standard_lead[i]),
                             .label = str_from_c(ecg_standard_lead[i]),
                             .unit = STR("uV"),
                             .gain = {5, 2},
                             .rate = {RATE_HZ, 1},
                             .n = SAMPLES,
                             .samples = sample[i]};
    }
    leads_fill(&h, sample);
    *ret = (EcgRecording){.format = ECG_FORMAT_SCP,
                          .device = {STR("Menkou"), STR("SYNTH"), STR("0")},
                          .n_leads = ECG_STANDARD_LEADS,
                          .leads = leads};
}
