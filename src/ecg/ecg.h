/*
 * Ecg: electrocardiograms as machines write them. Bytes in, integer samples out.
 *
 * One decoder serves every caller (`$ecg`, `menkou ecg`, prints, thumbnails). It reads
 *   SCP-ECG   EN 1064 / ISO 11073-91064: raw and Huffman coded, first and second differences,
 *             reference beat subtraction, bimodal compression;
 *   WFDB      a PhysioNet header with its signal files (formats 8 16 24 32 61 80 160 212 310 311),
 *             in one or several segments;
 *   HL7 aECG  the annotated ECG's rhythm series (XML);
 *   DICOM     the waveform objects: 12-lead, general, ambulatory ECG, not compressed;
 *   ZIP       one of the above, stored or deflated.
 * The recogniser looks at the bytes only; a title is used only where a WFDB header calls its
 * signal files by name.
 *
 * Invariants
 * - Samples are the integers of the file, lead by lead in file order, never rescaled, filtered,
 *   interpolated or derived. The one exception is inherent in the format: SCP-ECG's lossy
 *   compressions are undone as docs/formats/ecg-scp.md says, and `EcgRecording.rebuilt` is set.
 * - value = (sample - zero) * gain, in `unit`. Voltages are always in uV; gain is exact.
 * - What the file can prove is proved before anything is returned: CRCs of the SCP record and its
 *   sections, WFDB initial values, checksums and file sizes. A damaged file is refused, whole,
 *   with an error that names the format, the section or line, and the field, and how to mend it.
 * - Everything is bounded: ECG_BYTES_MAX a file in, ECG_SAMPLES_MAX out, ECG_LEADS_MAX leads.
 * - A long WFDB record is never held whole: of a window only the window's bytes are read. Then
 * sizes and the places of the samples are proved, checksums only where the whole record is walked:
 * for an envelope, and for whatever has at most ECG_PROVED_SAMPLES.
 *
 * Ownership: everything in an EcgRecording lives in the arena given to ecg_read; nothing points
 * into the files' bytes.
 */
#ifndef ECG_H
#define ECG_H

#include "mk.h"

#define ECG_BYTES_MAX      (64u * 1024u * 1024u) /* a file; also what a ZIP may grow to */
#define ECG_FILES_MAX      64u
#define ECG_LEADS_MAX      64u
#define ECG_SAMPLES_MAX    (32u * 1024u * 1024u) /* read at once, all leads together */
#define ECG_PROVED_SAMPLES (4u * 1024u * 1024u)
#define ECG_BUCKETS_MAX    4096u
#define ECG_NOTES_MAX      200u /* comment lines kept */

typedef enum EcgFormat {
    ECG_FORMAT_SCP,
    ECG_FORMAT_WFDB,
    ECG_FORMAT_AECG,
    ECG_FORMAT_DICOM
} EcgFormat;

/* An exact positive number; den > 0, lowest terms. */
typedef struct EcgRational {
    int64_t num, den;
} EcgRational;

/* One file of a recording: its bytes, or how they are read. `read` fills `to` with the n bytes from
 * `at` on, which lie within `size`. */
typedef struct EcgFile {
    Str title; /* the file's name as a WFDB header calls it; may be empty otherwise */
    Str bytes; /* where read is NULL */
    uint64_t size;
    Status (*read)(void *from, uint64_t at, size_t n, char *to, Err *err);
    void *from;
} EcgFile;

/* What is wanted of a recording: samples from one moment to another, an envelope of it all. */
typedef struct EcgPart {
    int64_t from_ms, to_ms; /* none when equal; ECG_END is the end of the recording */
    size_t buckets;         /* of the envelope, at most ECG_BUCKETS_MAX; 0: none */
    size_t samples_max;     /* more are refused as too large; 0: ECG_SAMPLES_MAX */
    size_t n_leads;         /* 0: all; a name that the recording lacks is refused */
    const Str *lead;        /* names as in EcgLead.name, any case */
} EcgPart;
#define ECG_END INT64_MAX

/* The lowest and highest of some samples that are not gaps, and which came first. */
typedef struct EcgExtent {
    bool any, high_first;
    int32_t low, high;
} EcgExtent;

typedef struct EcgLead {
    Str name;         /* standard name (I, aVR, V1, V4R …) where recognised, else the label */
    Str label;        /* as the file has it */
    Str unit;         /* "uV", or the file's own for what is not a voltage */
    EcgRational gain; /* unit per LSB */
    int32_t zero;     /* the sample that means 0 */
    EcgRational rate; /* samples per second */
    size_t total;     /* samples in the recording */
    size_t at, n;     /* those here: [at, at + n) */
    const int32_t *samples;
    const EcgExtent *envelope; /* of `buckets` equal parts of the recording; NULL: not asked for */
    size_t buckets;
    bool has_gap;
    int32_t gap; /* valid if has_gap: samples of this value mean "nothing was recorded" */
} EcgLead;

typedef enum EcgSex { ECG_SEX_UNKNOWN, ECG_SEX_MALE, ECG_SEX_FEMALE } EcgSex;

/* What the machine was told about the patient; for a warning when it is somebody else. */
typedef struct EcgPatient {
    Str family, given; /* SCP: last and first name; UTF-8 */
    Str id;
    EcgSex sex;
    int age;       /* 0: not in the file */
    char age_unit; /* 'a' year, 'm' month, 'w' week, 'd' day, 'h' hour */
    bool has_birth;
    DateTime birth;
} EcgPatient;

typedef struct EcgDevice {
    Str manufacturer, model, serial;
} EcgDevice;

typedef struct EcgRecording {
    EcgFormat format;
    Str record; /* WFDB record name; empty otherwise */
    bool has_start;
    DateTime start; /* as written; has_zone only when the file knows its zone */
    EcgPatient patient;
    EcgDevice device;
    bool rebuilt; /* lossy compression was undone */
    size_t n_leads;
    const EcgLead *leads;
    size_t n_notes;
    const Str *notes; /* comment lines, UTF-8 */
    size_t n_unchosen;
    const Str *unchosen; /* leads that are recorded, but not among those asked for */
    size_t n_omitted;
    const Str *omitted; /* waveforms of the file that are not leads of this: their own names */
} EcgRecording;

/*
 * Reads one recording from its files. ERR_UNPROCESSABLE: not a recording or damaged;
 * ERR_TOO_LARGE: past a bound. `a` is the caller's and may hold half-built things on failure.
 */
Status ecg_read(Arena *a, const EcgFile *files, size_t n, EcgRecording *ret, Err *err) MUST_USE;

/* The same for a part: only what is wanted is decoded, where the format lets one seek. */
Status ecg_read_part(Arena *a, const EcgFile *files, size_t n, const EcgPart *part,
                     EcgRecording *ret, Err *err) MUST_USE;

/* "SCP-ECG", "WFDB", "HL7 aECG", "DICOM". */
const char *ecg_format_name(EcgFormat f);

/* The twelve standard leads in the order of display: I II III aVR aVL aVF V1 … V6. */
#define ECG_STANDARD_LEADS 12
extern const char *const ecg_standard_lead[ECG_STANDARD_LEADS];
/* The standard spelling of a lead's label ("avr" → "aVR", "lead ii" → "II"), or the label. */
Str ecg_lead_name(Str label);
/* Index of the lead with that standard name, or -1. */
ptrdiff_t ecg_lead_find(const EcgRecording *rec, Str name);
/* Writes the names of the standard leads that are not in the recording; returns how many. */
size_t ecg_missing(const EcgRecording *rec, const char *ret[ECG_STANDARD_LEADS]);

/* Milliseconds of the whole of the longest lead, rounded down. */
int64_t ecg_duration_ms(const EcgRecording *rec);
/* The sample of that moment: ms * rate, rounded down. */
size_t ecg_sample_at(EcgRational rate, int64_t ms);
/* 2026-11-22T08:00:00[+08:00]; empty when the file has no start. */
Str ecg_start_text(Arena *a, const EcgRecording *rec);

/* The extent of the recording's samples [from, to), as far as they are here. */
EcgExtent ecg_extent(const EcgLead *lead, size_t from, size_t to);

/* num / den; false when den or num is not positive or the reduced terms do not fit. */
bool ecg_rational(int64_t num, int64_t den, EcgRational *ret);
/* Decimal text: exact where it has at most 12 decimals, else 15 significant digits. */
Str ecg_rational_text(Arena *a, EcgRational r);
double ecg_rational_value(EcgRational r);

#endif
