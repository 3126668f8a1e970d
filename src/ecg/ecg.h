/*
 * Ecg: electrocardiograms as machines write them. Bytes in, integer samples out.
 *
 * One decoder serves every caller (`$ecg`, `menkou ecg`, prints, thumbnails). It reads
 *   SCP-ECG  EN 1064 / ISO 11073-91064: raw and Huffman coded, first and second differences,
 *            reference beat subtraction, bimodal compression;
 *   WFDB     a PhysioNet header with its signal files (formats 8 16 24 32 61 80 160 212 310 311);
 *   ZIP      one of the above, stored or deflated.
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
 * - Everything is bounded: ECG_BYTES_MAX in, ECG_SAMPLES_MAX out, ECG_LEADS_MAX leads.
 *
 * Ownership: everything in an EcgRecording lives in the arena given to ecg_read; nothing points
 * into the files' bytes.
 */
#ifndef ECG_H
#define ECG_H

#include "mk.h"

#define ECG_BYTES_MAX   (64u * 1024u * 1024u) /* all files together; also what a ZIP may grow to */
#define ECG_FILES_MAX   64u
#define ECG_LEADS_MAX   64u
#define ECG_SAMPLES_MAX (32u * 1024u * 1024u) /* all leads together */
#define ECG_NOTES_MAX   200u                  /* comment lines kept */

typedef enum EcgFormat { ECG_FORMAT_SCP, ECG_FORMAT_WFDB } EcgFormat;

/* An exact positive number; den > 0, lowest terms. */
typedef struct EcgRational {
    int64_t num, den;
} EcgRational;

typedef struct EcgFile {
    Str title; /* the file's name as a WFDB header calls it; may be empty otherwise */
    Str bytes;
} EcgFile;

typedef struct EcgLead {
    Str name;         /* standard name (I, aVR, V1, V4R …) where recognised, else the label */
    Str label;        /* as the file has it */
    Str unit;         /* "uV", or the file's own for what is not a voltage */
    EcgRational gain; /* unit per LSB */
    int32_t zero;     /* the sample that means 0 */
    EcgRational rate; /* samples per second */
    size_t n;
    const int32_t *samples;
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
    Str record; /* WFDB record name; empty for SCP */
    bool has_start;
    DateTime start; /* as written; has_zone only when the file knows its zone */
    EcgPatient patient;
    EcgDevice device;
    bool rebuilt; /* lossy compression was undone */
    size_t n_leads;
    const EcgLead *leads;
    size_t n_notes;
    const Str *notes; /* comment lines, UTF-8 */
} EcgRecording;

/*
 * Reads one recording from its files. ERR_UNPROCESSABLE: not a recording or damaged;
 * ERR_TOO_LARGE: past a bound. `a` is the caller's and may hold half-built things on failure.
 */
Status ecg_read(Arena *a, const EcgFile *files, size_t n, EcgRecording *ret, Err *err) MUST_USE;

/* "SCP-ECG", "WFDB". */
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

/* Whole seconds and milliseconds of the longest lead, rounded down. */
int64_t ecg_duration_ms(const EcgRecording *rec);
/* 2026-11-22T08:00:00[+08:00]; empty when the file has no start. */
Str ecg_start_text(Arena *a, const EcgRecording *rec);

/* num / den; false when den or num is not positive or the reduced terms do not fit. */
bool ecg_rational(int64_t num, int64_t den, EcgRational *ret);
/* Decimal text: exact where it has at most 12 decimals, else 15 significant digits. */
Str ecg_rational_text(Arena *a, EcgRational r);
double ecg_rational_value(EcgRational r);

#endif
