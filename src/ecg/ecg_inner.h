/*
 * What the files of this room share and nobody else sees: where an error is, how it is said,
 * and the readers of the single formats.
 */
#ifndef ECG_INNER_H
#define ECG_INNER_H

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

/* A place that is only words ("ZIP", "WFDB x.hea"). */
EcgPlace ecg_place(const char *where, const char *zh, const char *en);

/* Text of unknown encoding as UTF-8: UTF-8 stays, else GB18030, else Latin-1; trimmed of
 * NULs and blanks at the end, control characters replaced by blanks. */
Str ecg_text(Arena *a, Str s);

/* n zeroed samples, or NULL past the arena's cap. */
int32_t *ecg_samples_new(Arena *a, size_t n);

bool ecg_scp_is(Str bytes);
Status ecg_scp_read(Arena *a, Str bytes, EcgRecording *ret, Err *err) MUST_USE;

bool ecg_wfdb_is(Str bytes);
/* `header` is the index of the header among the files. */
Status ecg_wfdb_read(Arena *a, const EcgFile *files, size_t n, size_t header, EcgRecording *ret,
                     Err *err) MUST_USE;

bool ecg_zip_is(Str bytes);
/* Unpacks into at most ECG_FILES_MAX files. */
Status ecg_zip_read(Arena *a, Str bytes, EcgFile *ret_files, size_t *ret_n, Err *err) MUST_USE;

#endif
