/*
 * WFDB, inside the room: the parsed header and the decoding of signal files.
 *
 * A header is text: one record line, then one line a signal, and comments. Signals that follow each
 * other with the same file name share that file, frame by frame. docs/formats/ecg-wfdb.md lists the
 * fields and formats.
 */
#ifndef ECG_WFDB_H
#define ECG_WFDB_H

#include "ecg_inner.h"

typedef enum WfdbField {
    /* record line */
    WFDB_RECORD_NAME,
    WFDB_SIGNALS,
    WFDB_RATE,
    WFDB_SAMPLES,
    WFDB_TIME,
    WFDB_DATE,
    /* signal line */
    WFDB_FILE,
    WFDB_FORMAT,
    WFDB_GAIN,
    WFDB_RESOLUTION,
    WFDB_ZERO,
    WFDB_INITIAL,
    WFDB_CHECKSUM,
    WFDB_BLOCK,
    WFDB_DESCRIPTION
} WfdbField;

typedef struct WfdbSignal {
    int line;
    Str file;
    int format, per_frame;
    int64_t skew, offset;
    EcgRational gain; /* unit per LSB */
    Str unit;
    int32_t baseline;
    bool has_initial, has_checksum;
    int32_t initial;
    uint16_t checksum;
    Str description;
    size_t n; /* samples */
    int32_t *samples;
} WfdbSignal;

typedef struct Wfdb {
    Arena *arena;
    Err *err;
    Str title, text; /* of the header */
    int line;        /* of the record line */
    Str record;
    size_t n_signals;
    EcgRational rate; /* frames per second */
    bool has_frames;
    int64_t frames;
    bool has_time, has_date;
    DateTime start;
    WfdbSignal *signal;
    Str note[ECG_NOTES_MAX];
    size_t n_notes;
} Wfdb;

/* Refuses with the header's name, line and field in front. */
#define ecg_wfdb_refuse(w, line, field, ...)                                                       \
    ecg_wfdb_refuse_at((w), ERR_UNPROCESSABLE, (line), (field), __VA_ARGS__)
Status ecg_wfdb_refuse_at(const Wfdb *w, Status status, int line, WfdbField field, const char *zh,
                          const char *en, ...)
    __attribute__((format(printf, 5, 7), format(printf, 6, 7)));

Status ecg_wfdb_header_read(Wfdb *w) MUST_USE;

bool ecg_wfdb_format_known(int format);
/* Bytes that n samples take. */
uint64_t ecg_wfdb_format_bytes(int format, uint64_t n);
/* How many samples that many bytes hold. */
uint64_t ecg_wfdb_format_samples(int format, uint64_t bytes);
/* Decodes n samples; `bytes` holds at least ecg_wfdb_format_bytes(format, n). Format 8 gives the
 * differences, the caller adds them up signal by signal. */
void ecg_wfdb_format_decode(int format, Str bytes, int32_t *out, size_t n);
/* The value that means "nothing recorded"; false where the format has none. */
bool ecg_wfdb_format_gap(int format, int32_t *ret);

#endif
