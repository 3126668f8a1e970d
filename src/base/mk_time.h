/*
 * Time: milliseconds since 1970-01-01T00:00:00Z as int64_t (`_ms`), and FHIR's partial dates.
 * A Clock is asked, never the system: demo data and stories set it. Zones are minutes east
 * of UTC; a county has one (default +08:00 = 480).
 */
#ifndef MK_TIME_H
#define MK_TIME_H

#include "mk_arena.h"
#include "mk_buf.h"

#define MS_SECOND      1000LL
#define MS_MINUTE      (60 * MS_SECOND)
#define MS_HOUR        (60 * MS_MINUTE)
#define MS_DAY         (24 * MS_HOUR)
#define TIME_NONE      INT64_MIN
#define TIME_FOREVER   INT64_MAX
#define ZONE_CHINA_MIN 480

/* Either runs (base + what the monotonic clock says since `set`) or stands still at base. */
typedef struct Clock {
    _Atomic int64_t base_ms;
    _Atomic int64_t set_mono_ms;
    _Atomic bool fixed;
} Clock;

void clock_init_system(Clock *c);
void clock_init_at(Clock *c, int64_t now_ms); /* starts there and runs */
void clock_init_fixed(Clock *c, int64_t now_ms);
void clock_set(Clock *c, int64_t now_ms); /* moves it; keeps running or standing */
int64_t clock_now(const Clock *c);
int64_t time_mono_ms(void);
int64_t time_mono_us(void);

typedef enum DatePrecision {
    DATE_YEAR,
    DATE_MONTH,
    DATE_DAY,
    DATE_HOUR, /* only FHIRPath literals */
    DATE_MINUTE,
    DATE_SECOND,
    DATE_MS
} DatePrecision;

/* A FHIR date, dateTime or instant as written. */
typedef struct DateTime {
    int year, month, day, hour, minute, second, ms;
    int zone_min; /* valid if has_zone */
    bool has_zone;
    DatePrecision precision;
} DateTime;

/* Strict FHIR R4 date/dateTime/instant (calendar checked). False and untouched if not. */
bool datetime_parse(Str s, DateTime *ret);
/* As datetime_parse, but time may end after hour or minute and needs no zone: search values,
 * FHIRPath literals. */
bool datetime_parse_loose(Str s, DateTime *ret);
/* First ms and first ms after the interval that the text means; zone used where it has none. */
void datetime_range(const DateTime *d, int zone_min, int64_t *ret_lo_ms, int64_t *ret_hi_ms);
/* Convenience: the first ms of a text, or false. */
bool time_parse(Str s, int zone_min, int64_t *ret_ms);

int64_t days_from_civil(int y, int m, int d);
void civil_from_days(int64_t days, int *y, int *m, int *d);
int days_in_month(int y, int m);

/* 2026-11-22T08:00:00.000+08:00 (29 bytes); instant/dateTime. */
Str time_iso(Arena *a, int64_t ms, int zone_min);
void buf_time_iso(Buf *b, int64_t ms, int zone_min);
/* 2026-11-22 in that zone. */
Str time_iso_day(Arena *a, int64_t ms, int zone_min);

#endif
