/*
 * WFDB, inside the room: the parsed header and the decoding of signal files.
 *
 * A header is text: one record line, then one line a signal, and comments; or, of a record of
 * several segments, one line a segment, each with a header of its own. Signals that follow each
 * other with the same file name share that file, frame by frame. docs/formats/ecg-wfdb.md lists the
 * fields and formats.
 *
 * A record is walked, not loaded: block after block is decoded and dealt out to one track a signal,
 * which keeps the samples of a range of frames, an envelope, or nothing but the proof.
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
    WFDB_DESCRIPTION,
    /* line of a segment */
    WFDB_SEGMENT,
    WFDB_SEGMENT_SAMPLES
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
    /* while it is walked */
    int64_t value; /* of the sample before, where the format keeps differences */
    int32_t first;
    uint16_t sum;
} WfdbSignal;

/* Signals that follow each other and share a file. */
typedef struct WfdbGroup {
    WfdbSignal *signal;
    size_t first, n, per_frame; /* first: index of `signal` in the header */
    const EcgFile *file;
    uint64_t bytes; /* from the offset on */
} WfdbGroup;

typedef struct WfdbSegment {
    int line; /* in the record's header */
    Str name;
    bool gap; /* nothing was recorded */
    int64_t frames, at;
    struct Wfdb *header; /* NULL for a gap */
} WfdbSegment;

typedef struct Wfdb {
    Arena *arena;
    Err *err;
    Str title, text; /* of the header */
    int line;        /* of the record line */
    Str record;
    size_t n_signals, signals_read;
    EcgRational rate; /* frames per second */
    bool has_frames;
    int64_t frames;
    bool has_time, has_date;
    DateTime start;
    WfdbSignal *signal;
    size_t n_groups;
    WfdbGroup *group;
    size_t n_segments, segments_read; /* 0: the signals are this header's own */
    WfdbSegment *segment;
    Str note[ECG_NOTES_MAX];
    size_t n_notes;
} Wfdb;

/* What is kept of one signal, along all segments. Positions are samples of the record. */
typedef struct WfdbTrack {
    bool wanted;
    size_t total, from, n;
    int32_t *samples;    /* [from, from + n) */
    EcgExtent *envelope; /* NULL: none */
    size_t buckets, bucket, bucket_end, low_at, high_at;
} WfdbTrack;

typedef struct WfdbWalk {
    int64_t from, to; /* frames of the record that are needed … */
    bool prove;       /* … or all of them, with initial values and checksums proved */
    WfdbTrack *track; /* one a signal */
} WfdbWalk;

#define WFDB_TOKENS_MAX 16
typedef struct WfdbTokens {
    size_t n;
    Str t[WFDB_TOKENS_MAX]; /* the last takes the rest of the line */
} WfdbTokens;
WfdbTokens ecg_wfdb_tokens(Str line, size_t max);
bool ecg_wfdb_int(Str s, int64_t lo, int64_t hi, int64_t *ret);
/* Refuses a text that is not what belongs there. */
Status ecg_wfdb_bad(const Wfdb *w, int line, WfdbField field, Str text, const char *zh_want,
                    const char *en_want);
int ecg_wfdb_field_number(WfdbField field);

/* Refuses with the header's name, line and field in front. */
#define ecg_wfdb_refuse(w, line, field, ...)                                                       \
    ecg_wfdb_refuse_at((w), ERR_UNPROCESSABLE, (line), (field), __VA_ARGS__)
Status ecg_wfdb_refuse_at(const Wfdb *w, Status status, int line, WfdbField field, const char *zh,
                          const char *en, ...)
    __attribute__((format(printf, 5, 7), format(printf, 6, 7)));

Status ecg_wfdb_header_read(Wfdb *w) MUST_USE;
Status ecg_wfdb_signal_parse(Wfdb *w, WfdbSignal *s, Str line) MUST_USE;
void ecg_wfdb_patient(const Wfdb *w, EcgPatient *p);

/* The last part of a file's path. */
Str ecg_wfdb_title(Str title);
/* Finds the signals' files, proves their sizes and settles how many frames there are. */
Status ecg_wfdb_open(Wfdb *w, const EcgFile *files, size_t n) MUST_USE;
/* Walks the segment whose first frame is the record's frame `at`. */
Status ecg_wfdb_walk(Wfdb *w, const WfdbWalk *walk, int64_t at) MUST_USE;

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
