#include <stdio.h>

#include "ecg_parameters.h"

#define UCUM "http://unitsofmeasure.org"

static void quantity_write(Buf *b, Str value, Str unit)
{
    buf_c(b, "{\"value\":");
    buf_add(b, value);
    buf_c(b, ",\"unit\":");
    buf_json_str(b, unit);
    buf_c(b, ",\"system\":\"" UCUM "\",\"code\":");
    buf_json_str(b, unit);
    buf_c(b, "}");
}

static void string_write(Buf *b, const char *name, Str value)
{
    buf_printf(b, ",{\"name\":\"%s\",\"valueString\":", name);
    buf_json_str(b, value);
    buf_c(b, "}");
}

/* Lowest and highest of each bucket, apart by blanks; "E E" where nothing was recorded. */
static void envelope_data_write(Buf *b, const EcgLead *l)
{
    buf_char(b, '"');
    for (size_t i = 0; i < l->buckets && !b->failed; i++) {
        const EcgExtent *e = &l->envelope[i];
        buf_c(b, i > 0 ? " " : "");
        if (e->any) {
            buf_i64(b, e->low);
            buf_char(b, ' ');
            buf_i64(b, e->high);
        } else {
            buf_c(b, "E E");
        }
    }
    buf_char(b, '"');
}

/* Integers apart by blanks; "E" where nothing was recorded. */
static void data_write(Buf *b, const EcgLead *l)
{
    buf_char(b, '"');
    for (size_t i = 0; i < l->n && !b->failed; i++) {
        if (i > 0) {
            buf_char(b, ' ');
        }
        if (l->has_gap && l->samples[i] == l->gap) {
            buf_char(b, 'E');
        } else {
            buf_i64(b, l->samples[i]);
        }
    }
    buf_char(b, '"');
}

/* The value of sample 0: -zero × gain. */
static Str origin_text(Arena *a, const EcgLead *l)
{
    EcgRational r;
    int64_t zero = l->zero < 0 ? -(int64_t)l->zero : l->zero;
    if (zero == 0) {
        return STR("0");
    }
    if (l->gain.num > INT64_MAX / zero || !ecg_rational(zero * l->gain.num, l->gain.den, &r)) {
        return arena_printf(a, "%.15g", -l->zero * ecg_rational_value(l->gain));
    }
    Str text = ecg_rational_text(a, r);
    return l->zero > 0 ? arena_cat(a, STR("-"), text) : text;
}

/* {"name", "valueSampledData": up to its dimensions; the caller writes data and the end. */
static void sampled_begin(Buf *b, Arena *a, const EcgLead *l, const char *name, Str period)
{
    buf_printf(b, ",{\"name\":\"%s\",\"valueSampledData\":{\"origin\":", name);
    quantity_write(b, origin_text(a, l), l->unit);
    buf_c(b, ",\"period\":");
    buf_add(b, period);
    buf_c(b, ",\"factor\":");
    buf_add(b, ecg_rational_text(a, l->gain));
}

static void samples_write(Buf *b, Arena *a, const EcgLead *l)
{
    EcgRational period;
    Str period_text =
        l->rate.den <= INT64_MAX / 1000 && ecg_rational(l->rate.den * 1000, l->rate.num, &period)
            ? ecg_rational_text(a, period)
            : arena_printf(a, "%.15g", 1000 / ecg_rational_value(l->rate));
    sampled_begin(b, a, l, "samples", period_text);
    buf_c(b, ",\"dimensions\":1,\"data\":");
    data_write(b, l);
    buf_c(b, "}}");
}

static void envelope_write(Buf *b, Arena *a, const EcgLead *l)
{
    double whole_ms = (double)l->total * 1000 / ecg_rational_value(l->rate);
    sampled_begin(b, a, l, "overview", arena_printf(a, "%.15g", whole_ms / (double)l->buckets));
    buf_c(b, ",\"dimensions\":2,\"data\":");
    envelope_data_write(b, l);
    buf_c(b, "}}");
}

/* Where in the recording the samples stand. */
static void place_write(Buf *b, const EcgLead *l)
{
    buf_printf(b,
               ",{\"name\":\"first\",\"valueInteger\":%zu},"
               "{\"name\":\"total\",\"valueInteger\":%zu}",
               l->at, l->total);
}

static void lead_write(Buf *b, Arena *a, const EcgLead *l, const EcgPart *part)
{
    buf_c(b, ",{\"name\":\"leads\",\"part\":[{\"name\":\"name\",\"valueString\":");
    buf_json_str(b, l->name);
    buf_c(b, "},{\"name\":\"gain\",\"valueQuantity\":");
    quantity_write(b, ecg_rational_text(a, l->gain), l->unit);
    buf_c(b, "}");
    string_write(b, "unit", l->unit);
    buf_c(b, ",{\"name\":\"rate\",\"valueDecimal\":");
    buf_add(b, ecg_rational_text(a, l->rate));
    buf_c(b, "}");
    if (part != NULL) {
        place_write(b, l);
    }
    if (part == NULL || part->to_ms > part->from_ms) {
        samples_write(b, a, l);
    }
    if (l->envelope != NULL) {
        envelope_write(b, a, l);
    }
    buf_c(b, "]}");
}

static void part_string(Buf *b, bool *first, const char *name, const char *type, Str value)
{
    if (!str_empty(value)) {
        buf_printf(b, "%s{\"name\":\"%s\",\"value%s\":", *first ? "" : ",", name, type);
        buf_json_str(b, value);
        buf_c(b, "}");
        *first = false;
    }
}

static Str subject_name(Arena *a, const EcgPatient *p)
{
    if (str_empty(p->family) || str_empty(p->given)) {
        return arena_cat(a, p->family, p->given);
    }
    bool ascii = (unsigned char)p->family.p[0] < 0x80;
    return arena_cat(a, p->family, ascii ? STR(" ") : STR_NONE, p->given);
}

/* What the machine was told about the person, so that a screen can warn of somebody else's. */
static void subject_write(Buf *b, Arena *a, const EcgPatient *p)
{
    static const char *const gender[] = {"", "male", "female"};
    bool first = true;
    size_t before = b->n;
    buf_c(b, ",{\"name\":\"subject\",\"part\":[");
    part_string(b, &first, "name", "String", subject_name(a, p));
    part_string(b, &first, "identifier", "String", p->id);
    part_string(b, &first, "gender", "Code", str_from_c(gender[p->sex]));
    if (p->has_birth) {
        Str day = arena_printf(a, "%04d-%02d-%02d", p->birth.year, p->birth.month, p->birth.day);
        part_string(b, &first, "birthDate", "Date", day);
    }
    if (p->age > 0) {
        buf_printf(b, "%s{\"name\":\"age\",\"valueQuantity\":", first ? "" : ",");
        Str unit = p->age_unit == 'm'   ? STR("mo")
                   : p->age_unit == 'w' ? STR("wk")
                                        : (Str){&p->age_unit, 1};
        quantity_write(b, arena_printf(a, "%d", p->age), unit);
        buf_c(b, "}");
        first = false;
    }
    buf_c(b, "]}");
    if (first && !b->failed) {
        b->n = before; /* nothing is known */
    }
}

static void facts_write(Buf *b, Arena *a, const EcgRecording *rec)
{
    if (rec->has_start) {
        buf_c(b, ",{\"name\":\"start\",\"valueDateTime\":");
        buf_json_str(b, ecg_start_text(a, rec));
        buf_c(b, "}");
    }
    EcgRational seconds;
    if (ecg_rational(ecg_duration_ms(rec), 1000, &seconds)) {
        buf_c(b, ",{\"name\":\"duration\",\"valueDecimal\":");
        buf_add(b, ecg_rational_text(a, seconds));
        buf_c(b, "}");
    }
    subject_write(b, a, &rec->patient);
    if (rec->rebuilt) {
        buf_c(b, ",{\"name\":\"rebuilt\",\"valueBoolean\":true}");
    }
}

void ecg_parameters_write(Buf *b, const EcgRecording *rec, const EcgPart *part,
                          bool not_for_diagnosis)
{
    Arena a;
    arena_init(&a, 0);
    const char *missing[ECG_STANDARD_LEADS];
    size_t n = ecg_missing(rec, missing);
    buf_c(b,
          "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"format\",\"valueString\":");
    buf_json_str(b, str_from_c(ecg_format_name(rec->format)));
    buf_c(b, "}");
    facts_write(b, &a, rec);
    buf_printf(b, ",{\"name\":\"notForDiagnosis\",\"valueBoolean\":%s}",
               not_for_diagnosis ? "true" : "false");
    for (size_t i = 0; i < n; i++) {
        string_write(b, "missing", str_from_c(missing[i]));
    }
    for (size_t i = 0; i < rec->n_omitted; i++) {
        string_write(b, "omitted", rec->omitted[i]);
    }
    for (size_t i = 0; i < rec->n_leads; i++) {
        lead_write(b, &a, &rec->leads[i], part);
    }
    buf_c(b, "]}");
    arena_done(&a);
}
