/*
 * What the files of this room share and nobody else sees: where an error is, how it is said,
 * and the readers of the single formats.
 */
#ifndef ECG_INNER_H
#define ECG_INNER_H

#include <stdarg.h>

#include "ecg.h"

/* A field's name in both languages. */
typedef struct EcgField {
    const char *zh, *en;
} EcgField;

/* "SCP-ECG section 6, lead 3, sample interval" in both languages. */
typedef struct EcgPlace {
    char where[96]; /* for OperationOutcome.issue.expression */
    char zh[256], en[256];
} EcgPlace;

/* Adds "place: text" as an error of type `structure` and returns status. */
Status ecg_refuse(Err *err, Status status, const EcgPlace *place, const char *zh, const char *en,
                  ...) __attribute__((format(printf, 4, 6), format(printf, 5, 6)));

Status ecg_refuse_list(Err *err, Status status, const EcgPlace *place, const char *zh,
                       const char *en, va_list args)
    __attribute__((format(printf, 4, 0), format(printf, 5, 0)));

/* A place that is only words ("ZIP", "WFDB x.hea"). */
EcgPlace ecg_place(const char *where, const char *zh, const char *en);

/* Text of unknown encoding as UTF-8: UTF-8 stays, else GB18030, else Latin-1; trimmed of
 * NULs and blanks at the end, control characters replaced by blanks. */
Str ecg_text(Arena *a, Str s);

/* Text of a charset that iconv knows; of unknown encoding where that is NULL or wrong. */
Str ecg_text_as(Arena *a, const char *charset, Str s);

/* YYYY[MM[DD[HH[MM[SS[.F…]]]]]][±ZZZZ], as HL7 and DICOM write it; false and untouched if not. */
bool ecg_time_compact(Str s, DateTime *ret);

/* n zeroed samples, or NULL past the arena's cap. */
int32_t *ecg_samples_new(Arena *a, size_t n);

/* n bytes from `at` on, which lie within the file: a view where they are in memory, else read into
 * `room`. */
Status ecg_file_get(const EcgFile *f, uint64_t at, size_t n, char *room, Str *ret,
                    Err *err) MUST_USE;
uint64_t ecg_file_size(const EcgFile *f);
/* The whole file in memory. */
Status ecg_file_load(Arena *a, const EcgFile *f, Str *ret, Err *err) MUST_USE;

/* Of leads that may hold more, only what is wanted; the envelope where it is not made yet. */
Status ecg_part_cut(Arena *a, const EcgPart *part, EcgRecording *rec, Err *err) MUST_USE;
/* Refuses a lead that is wanted and not there. */
Status ecg_part_names(const EcgPart *part, const EcgLead *leads, size_t n, Err *err) MUST_USE;
/* Refuses so many samples where they are too many. */
Status ecg_part_large(const EcgPart *part, uint64_t samples, Err *err) MUST_USE;
/* True when the lead is one of those wanted. */
bool ecg_part_has(const EcgPart *part, Str lead_name);

/*
 * Leads of a group that began `seconds` after the recording's beginning: `ret` samples that mean
 * "nothing was recorded" before its own, so that one time counts for all. False past the bounds.
 */
bool ecg_lead_delay(Arena *a, EcgLead *lead, double seconds);

/* A decimal number as mantissa × 10^exponent; the whole text or false. */
bool ecg_decimal_parse(Str s, int64_t *ret_mantissa, int *ret_exponent);
/* num × 10^exponent / den, or false. */
bool ecg_rational_scaled(int64_t num, int64_t den, int exponent, EcgRational *ret);
/* The sample that means 0 where sample 0 means mantissa × 10^exponent; false where it is not a
 * whole one. */
bool ecg_zero_from(int64_t mantissa, int exponent, EcgRational gain, int32_t *ret);
bool ecg_rational_mul(EcgRational a, EcgRational b, EcgRational *ret);
/* The unit of a voltage as a power of ten of uV. */
bool ecg_voltage_unit(Str unit, int *ret_exponent);

/* The recognisers see the first bytes of a file. */
bool ecg_scp_is(Str head, uint64_t size);
Status ecg_scp_read(Arena *a, Str bytes, EcgRecording *ret, Err *err) MUST_USE;

bool ecg_wfdb_is(Str head);
/* The header of a record of several segments. */
bool ecg_wfdb_is_master(Str head);
/* `header` is the index of the record's header among the files. */
Status ecg_wfdb_read(Arena *a, const EcgFile *files, size_t n, size_t header, const EcgPart *part,
                     EcgRecording *ret, Err *err) MUST_USE;

bool ecg_aecg_is(Str head);
Status ecg_aecg_read(Arena *a, Str bytes, EcgRecording *ret, Err *err) MUST_USE;

bool ecg_dicom_is(Str head);
Status ecg_dicom_read(Arena *a, Str bytes, EcgRecording *ret, Err *err) MUST_USE;

bool ecg_zip_is(Str head);
/* Unpacks into at most ECG_FILES_MAX files. */
Status ecg_zip_read(Arena *a, Str bytes, EcgFile *ret_files, size_t *ret_n, Err *err) MUST_USE;

#endif
