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

static void samples_write(Buf *b, Arena *a, const EcgLead *l)
{
    EcgRational period;
    Str period_text =
        l->rate.den <= INT64_MAX / 1000 && ecg_rational(l->rate.den * 1000, l->rate.num, &period)
            ? ecg_rational_text(a, period)
            : arena_printf(a, "%.15g", 1000 / ecg_rational_value(l->rate));
    buf_c(b, ",{\"name\":\"samples\",\"valueSampledData\":{\"origin\":");
    quantity_write(b, origin_text(a, l), l->unit);
    buf_c(b, ",\"period\":");
    buf_add(b, period_text);
    buf_c(b, ",\"factor\":");
    buf_add(b, ecg_rational_text(a, l->gain));
    buf_c(b, ",\"dimensions\":1,\"data\":");
    data_write(b, l);
    buf_c(b, "}}");
}

static void lead_write(Buf *b, Arena *a, const EcgLead *l)
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
    samples_write(b, a, l);
    buf_c(b, "]}");
}

void ecg_parameters_write(Buf *b, const EcgRecording *rec)
{
    Arena a;
    arena_init(&a, 0);
    const char *missing[ECG_STANDARD_LEADS];
    size_t n = ecg_missing(rec, missing);
    buf_c(b,
          "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"format\",\"valueString\":");
    buf_json_str(b, str_from_c(ecg_format_name(rec->format)));
    buf_c(b, "}");
    if (rec->has_start) {
        buf_c(b, ",{\"name\":\"start\",\"valueDateTime\":");
        buf_json_str(b, ecg_start_text(&a, rec));
        buf_c(b, "}");
    }
    for (size_t i = 0; i < n; i++) {
        string_write(b, "missing", str_from_c(missing[i]));
    }
    for (size_t i = 0; i < rec->n_leads; i++) {
        lead_write(b, &a, &rec->leads[i]);
    }
    buf_c(b, "]}");
    arena_done(&a);
}
