#include "mk_time.h"

#include <stdatomic.h>

#include "mk_err.h"

#include "mk_banned.h"

/* --- clocks --- */

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t time_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t time_mono_ms(void)
{
    return time_mono_us() / 1000;
}

static void clock_start(Clock *c, int64_t now_ms, bool fixed)
{
    atomic_store(&c->fixed, fixed);
    clock_set(c, now_ms);
}

void clock_init_system(Clock *c)
{
    clock_start(c, clock_us(CLOCK_REALTIME) / 1000, false);
}

void clock_init_at(Clock *c, int64_t now_ms)
{
    clock_start(c, now_ms, false);
}

void clock_init_fixed(Clock *c, int64_t now_ms)
{
    clock_start(c, now_ms, true);
}

void clock_set(Clock *c, int64_t now_ms)
{
    atomic_store(&c->set_mono_ms, time_mono_ms());
    atomic_store(&c->base_ms, now_ms);
}

int64_t clock_now(const Clock *c)
{
    int64_t base = atomic_load(&c->base_ms);
    return atomic_load(&c->fixed) ? base : base + time_mono_ms() - atomic_load(&c->set_mono_ms);
}

/* --- the civil calendar (proleptic Gregorian), counted in years that begin in March --- */

int64_t days_from_civil(int y, int m, int d)
{
    int64_t year = (int64_t)y - (m <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_from_days(int64_t days, int *y, int *m, int *d)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *d = (int)(of_year - (153 * month + 2) / 5 + 1);
    *m = (int)(month < 10 ? month + 3 : month - 9);
    *y = (int)(year + era * 400 + (*m <= 2));
}

int days_in_month(int y, int m)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return DAYS[m - 1] + (m == 2 && leap);
}

/* --- reading --- */

typedef struct Scan {
    Str s;
    size_t at;
} Scan;

static bool scan_char(Scan *in, char c)
{
    if (in->at < in->s.n && in->s.p[in->at] == c) {
        in->at++;
        return true;
    }
    return false;
}

static bool scan_digits(Scan *in, int n, int lo, int hi, int *ret)
{
    int v = 0;
    for (int i = 0; i < n; i++, in->at++) {
        if (in->at >= in->s.n || in->s.p[in->at] < '0' || in->s.p[in->at] > '9') {
            return false;
        }
        v = v * 10 + (in->s.p[in->at] - '0');
    }
    *ret = v;
    return v >= lo && v <= hi;
}

static bool scan_date(Scan *in, DateTime *t)
{
    t->month = t->day = 1;
    t->precision = DATE_YEAR;
    if (!scan_digits(in, 4, 1, 9999, &t->year)) {
        return false;
    }
    if (!scan_char(in, '-')) {
        return true;
    }
    t->precision = DATE_MONTH;
    if (!scan_digits(in, 2, 1, 12, &t->month)) {
        return false;
    }
    if (!scan_char(in, '-')) {
        return true;
    }
    t->precision = DATE_DAY;
    return scan_digits(in, 2, 1, days_in_month(t->year, t->month), &t->day);
}

static bool scan_fraction(Scan *in, DateTime *t)
{
    size_t from = in->at;
    int scale = 100, digit;
    while (scan_digits(in, 1, 0, 9, &digit)) {
        t->ms += digit * scale;
        scale /= 10;
    }
    t->precision = DATE_MS;
    return in->at > from;
}

static bool scan_time(Scan *in, DateTime *t)
{
    t->precision = DATE_HOUR;
    if (!scan_digits(in, 2, 0, 23, &t->hour)) {
        return false;
    }
    if (!scan_char(in, ':')) {
        return true;
    }
    t->precision = DATE_MINUTE;
    if (!scan_digits(in, 2, 0, 59, &t->minute)) {
        return false;
    }
    if (!scan_char(in, ':')) {
        return true;
    }
    t->precision = DATE_SECOND;
    if (!scan_digits(in, 2, 0, 60, &t->second)) {
        return false;
    }
    return !scan_char(in, '.') || scan_fraction(in, t);
}

static bool scan_zone(Scan *in, DateTime *t)
{
    if (in->at == in->s.n) {
        return true;
    }
    t->has_zone = true;
    if (scan_char(in, 'Z')) {
        return true;
    }
    int sign = scan_char(in, '-') ? -1 : 1, h, m;
    if (sign > 0 && !scan_char(in, '+')) {
        return false;
    }
    if (!scan_digits(in, 2, 0, 14, &h) || !scan_char(in, ':') ||
        !scan_digits(in, 2, 0, h == 14 ? 0 : 59, &m)) {
        return false;
    }
    t->zone_min = sign * (h * 60 + m);
    return true;
}

bool datetime_parse_loose(Str s, DateTime *ret)
{
    DateTime t = {0};
    Scan in = {s, 0};
    if (!scan_date(&in, &t)) {
        return false;
    }
    if (t.precision == DATE_DAY && scan_char(&in, 'T')) {
        if (in.at < s.n && (!scan_time(&in, &t) || !scan_zone(&in, &t))) {
            return false;
        }
    }
    if (in.at != s.n) {
        return false;
    }
    *ret = t;
    return true;
}

bool datetime_parse(Str s, DateTime *ret)
{
    DateTime t;
    if (!datetime_parse_loose(s, &t)) {
        return false;
    }
    bool date = t.precision <= DATE_DAY && s.p[s.n - 1] != 'T';
    if (!date && (t.precision < DATE_SECOND || !t.has_zone)) {
        return false;
    }
    *ret = t;
    return true;
}

static int64_t civil_ms(const DateTime *t, int zone_min)
{
    return days_from_civil(t->year, t->month, t->day) * MS_DAY + t->hour * MS_HOUR +
           t->minute * MS_MINUTE + t->second * MS_SECOND + t->ms - zone_min * MS_MINUTE;
}

void datetime_range(const DateTime *d, int zone_min, int64_t *ret_lo_ms, int64_t *ret_hi_ms)
{
    static const int64_t WIDTH[] = {[DATE_DAY] = MS_DAY,
                                    [DATE_HOUR] = MS_HOUR,
                                    [DATE_MINUTE] = MS_MINUTE,
                                    [DATE_SECOND] = MS_SECOND,
                                    [DATE_MS] = 1};
    int zone = d->has_zone ? d->zone_min : zone_min;
    *ret_lo_ms = civil_ms(d, zone);
    if (d->precision >= DATE_DAY) {
        *ret_hi_ms = *ret_lo_ms + WIDTH[d->precision];
        return;
    }
    DateTime next = *d;
    if (d->precision == DATE_YEAR || d->month == 12) {
        next.year++;
        next.month = 1;
    } else {
        next.month++;
    }
    *ret_hi_ms = civil_ms(&next, zone);
}

bool time_parse(Str s, int zone_min, int64_t *ret_ms)
{
    DateTime t;
    int64_t hi;
    if (!datetime_parse(s, &t)) {
        return false;
    }
    datetime_range(&t, zone_min, ret_ms, &hi);
    return true;
}

/* --- writing --- */

static void put_digits(char *at, int64_t v, int n)
{
    while (n--) {
        at[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

#define ISO_BYTES 29

static void iso_put(char out[ISO_BYTES], int64_t ms, int zone_min)
{
    int64_t local = ms + zone_min * MS_MINUTE;
    int64_t of_day = ((local % MS_DAY) + MS_DAY) % MS_DAY;
    int y, m, d, zone = zone_min < 0 ? -zone_min : zone_min;
    civil_from_days((local - of_day) / MS_DAY, &y, &m, &d);
    memcpy(out, "0000-00-00T00:00:00.000+00:00", ISO_BYTES);
    put_digits(out, y, 4);
    put_digits(out + 5, m, 2);
    put_digits(out + 8, d, 2);
    put_digits(out + 11, of_day / MS_HOUR, 2);
    put_digits(out + 14, of_day / MS_MINUTE % 60, 2);
    put_digits(out + 17, of_day / MS_SECOND % 60, 2);
    put_digits(out + 20, of_day % 1000, 3);
    out[23] = zone_min < 0 ? '-' : '+';
    put_digits(out + 24, zone / 60, 2);
    put_digits(out + 27, zone % 60, 2);
}

Str time_iso(Arena *a, int64_t ms, int zone_min)
{
    char out[ISO_BYTES];
    iso_put(out, ms, zone_min);
    return arena_str(a, (Str){out, ISO_BYTES});
}

void buf_time_iso(Buf *b, int64_t ms, int zone_min)
{
    char out[ISO_BYTES];
    iso_put(out, ms, zone_min);
    buf_bytes(b, out, ISO_BYTES);
}

Str time_iso_day(Arena *a, int64_t ms, int zone_min)
{
    char out[ISO_BYTES];
    iso_put(out, ms, zone_min);
    return arena_str(a, (Str){out, 10});
}
