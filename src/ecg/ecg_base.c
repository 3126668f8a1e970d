/* What all readers of ECG files share: refusals, texts, times, samples. */
#include <iconv.h>
#include <stdio.h>

#include "ecg_inner.h"

EcgPlace ecg_place(const char *where, const char *zh, const char *en)
{
    EcgPlace p;
    snprintf(p.where, sizeof p.where, "%s", where);
    snprintf(p.zh, sizeof p.zh, "%s", zh);
    snprintf(p.en, sizeof p.en, "%s", en);
    return p;
}

Status ecg_refuse_list(Err *err, Status status, const EcgPlace *place, const char *zh,
                       const char *en, va_list args)
{
    char text_zh[768], text_en[768];
    va_list again;
    va_copy(again, args);
    vsnprintf(text_zh, sizeof text_zh, zh, args);
    vsnprintf(text_en, sizeof text_en, en, again);
    va_end(again);
    /* Both formats take the same arguments; each swallows the other language's. */
    return err_add(err, status, "structure", str_from_c(place->where), "%s：%s%.0s%.0s",
                   "%.0s%.0s%s: %s", place->zh, text_zh, place->en, text_en);
}

Status ecg_refuse(Err *err, Status status, const EcgPlace *place, const char *zh, const char *en,
                  ...)
{
    va_list args;
    va_start(args, en);
    (void)ecg_refuse_list(err, status, place, zh, en, args);
    va_end(args);
    return status;
}

static Str text_clean(Arena *a, Str s)
{
    while (s.n > 0 && (s.p[s.n - 1] == '\0' || s.p[s.n - 1] == ' ')) {
        s.n--;
    }
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        p[i] = c < 0x20 || c == 0x7f ? ' ' : s.p[i];
    }
    return str_trim((Str){p, s.n});
}

static bool text_from(Arena *a, const char *charset, Str s, Str *ret)
{
    iconv_t cd = iconv_open("UTF-8", charset);
    if (cd == (iconv_t)-1) {
        return false;
    }
    size_t room = s.n * 4, in_left = s.n, out_left = room;
    char *out = arena_alloc(a, room + 1), *to = out, *from = arena_cstr(a, s);
    bool done = iconv(cd, &from, &in_left, &to, &out_left) == 0 && in_left == 0;
    iconv_close(cd);
    if (done) {
        *ret = (Str){out, room - out_left};
    }
    return done && utf8_valid(*ret);
}

static Str text_from_latin1(Arena *a, Str s)
{
    char *out = arena_alloc(a, s.n * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += utf8_put(out + n, (unsigned char)s.p[i]);
    }
    return (Str){out, n};
}

Str ecg_text(Arena *a, Str s)
{
    Str clean = text_clean(a, s), ret;
    if (utf8_valid(clean)) {
        return clean;
    }
    if (text_from(a, "GB18030", clean, &ret)) {
        return ret;
    }
    return text_from_latin1(a, clean);
}

Str ecg_text_as(Arena *a, const char *charset, Str s)
{
    Str clean = text_clean(a, s), ret;
    return charset != NULL && text_from(a, charset, clean, &ret) ? ret : ecg_text(a, s);
}

static bool digits_take(Str *rest, size_t n, int *ret)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= rest->n || rest->p[i] < '0' || rest->p[i] > '9') {
            return false;
        }
        v = v * 10 + (rest->p[i] - '0');
    }
    *rest = str_skip(*rest, n);
    *ret = v;
    return true;
}

/* ±HHMM at the end. */
static bool zone_take(Str *rest, DateTime *d)
{
    int hour, minute;
    bool minus = rest->p[0] == '-';
    *rest = str_skip(*rest, 1);
    if (!digits_take(rest, 2, &hour) || !digits_take(rest, 2, &minute) || rest->n > 0 ||
        hour > 14 || minute > 59) {
        return false;
    }
    d->has_zone = true;
    d->zone_min = (minus ? -1 : 1) * (hour * 60 + minute);
    return true;
}

static bool fraction_take(Str *rest, int *ret_ms)
{
    size_t n = 0;
    if (rest->n == 0 || rest->p[0] != '.') {
        return true;
    }
    for (n = 1; n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9'; n++) {
        *ret_ms += (rest->p[n] - '0') * (n == 1 ? 100 : n == 2 ? 10 : n == 3 ? 1 : 0);
    }
    *rest = str_skip(*rest, n);
    return n > 1;
}

bool ecg_time_compact(Str s, DateTime *ret)
{
    DateTime d = {.precision = DATE_YEAR, .month = 1, .day = 1};
    int *const part[] = {&d.month, &d.day, &d.hour, &d.minute, &d.second};
    static const DatePrecision reached[] = {DATE_MONTH, DATE_DAY, DATE_SECOND, DATE_SECOND,
                                            DATE_SECOND};
    Str rest = s;
    if (!digits_take(&rest, 4, &d.year) || d.year < 1850 || d.year > 2200) {
        return false;
    }
    for (size_t i = 0; i < 5 && rest.n >= 2 && rest.p[0] >= '0' && rest.p[0] <= '9'; i++) {
        if (!digits_take(&rest, 2, part[i])) {
            return false;
        }
        d.precision = reached[i];
    }
    bool good = fraction_take(&rest, &d.ms) && d.month >= 1 && d.month <= 12 && d.day >= 1 &&
                d.day <= days_in_month(d.year, d.month) && d.hour <= 23 && d.minute <= 59 &&
                d.second <= 60;
    if (good && rest.n > 0 && (rest.p[0] == '+' || rest.p[0] == '-')) {
        good = zone_take(&rest, &d);
    }
    if (good && rest.n == 0) {
        *ret = d;
    }
    return good && rest.n == 0;
}

int32_t *ecg_samples_new(Arena *a, size_t n)
{
    return arena_try(a, (n ? n : 1) * sizeof(int32_t));
}

const char *ecg_format_name(EcgFormat f)
{
    static const char *const name[] = {"SCP-ECG", "WFDB", "HL7 aECG", "DICOM"};
    return name[f];
}

int64_t ecg_duration_ms(const EcgRecording *rec)
{
    int64_t longest = 0;
    for (size_t i = 0; i < rec->n_leads; i++) {
        const EcgLead *l = &rec->leads[i];
        int64_t ms = (int64_t)((double)l->total * 1000.0 / ecg_rational_value(l->rate));
        longest = ms > longest ? ms : longest;
    }
    return longest;
}

Str ecg_start_text(Arena *a, const EcgRecording *rec)
{
    if (!rec->has_start) {
        return STR_NONE;
    }
    const DateTime *d = &rec->start;
    if (d->precision <= DATE_DAY) {
        return arena_printf(a, "%04d-%02d-%02d", d->year, d->month, d->day);
    }
    Str text = arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d", d->year, d->month, d->day, d->hour,
                            d->minute, d->second);
    if (!d->has_zone) {
        return text;
    }
    int off = d->zone_min < 0 ? -d->zone_min : d->zone_min;
    return arena_printf(a, "%.*s%c%02d:%02d", STR_ARG(text), d->zone_min < 0 ? '-' : '+', off / 60,
                        off % 60);
}
