/*
 * DICOM, inside the room: the elements of a data set and the waveform groups of an ECG object.
 *
 * A data set is a range of the file's bytes; one pass over it notes where the elements stand that
 * ecg_dicom_field.def knows (DicomField), everything else is passed over. Sequences are entered
 * item by item. Nesting, lengths and items are bounded by the file and DICOM_DEPTH_MAX.
 */
#ifndef ECG_DICOM_H
#define ECG_DICOM_H

#include "ecg_inner.h"

#define DICOM_DEPTH_MAX 16

typedef enum DicomField {
#define FIELD(name, tag, vr, zh, en) DICOM_##name,
#include "ecg_dicom_field.def"
#undef FIELD
    DICOM_FIELDS
} DicomField;

/* How a data set is written. */
typedef struct DicomSyntax {
    bool explicit_vr, big;
} DicomSyntax;

/* A range of the file. */
typedef struct DicomSpan {
    size_t at, end;
} DicomSpan;

typedef struct DicomElement {
    bool there;
    uint32_t tag;
    char vr[3]; /* "" where the syntax does not write it */
    size_t at;  /* of the tag */
    DicomSpan value;
} DicomElement;

typedef struct DicomSet {
    DicomElement field[DICOM_FIELDS];
} DicomSet;

typedef struct Dicom {
    Arena *arena;
    Err *err;
    Str bytes;
    DicomSyntax syntax;
    const char *charset; /* for iconv; NULL: unknown */
    int group, channel;  /* where an error is; from 1, 0: outside */
} Dicom;

/* A multiplex group: samples of all its channels, instant after instant. */
typedef struct DicomGroup {
    DicomSet set;
    Str label;
    uint32_t channels, samples, bits;
    bool is_signed;
    EcgRational rate;
    double offset_s;
    bool has_padding;
    int32_t padding;
    Str data;
    EcgLead *lead;
} DicomGroup;

/* Refuses with group, channel, field, tag and byte in front. */
Status ecg_dicom_refuse(const Dicom *d, DicomField field, size_t at, const char *zh, const char *en,
                        ...) __attribute__((format(printf, 4, 6), format(printf, 5, 6)));

/* The next element at span->at, which moves behind it. */
Status ecg_dicom_next(const Dicom *d, DicomSpan *span, int depth, DicomElement *ret) MUST_USE;
Status ecg_dicom_collect(const Dicom *d, DicomSpan span, int depth, DicomSet *ret) MUST_USE;
/* The next item of a sequence; false in *ret_more at its end. */
Status ecg_dicom_item(const Dicom *d, DicomSpan *sequence, int depth, DicomSpan *ret,
                      bool *ret_more) MUST_USE;

/* Values; a field that is absent or empty is an error where it is required. */
Str ecg_dicom_bytes(const Dicom *d, const DicomElement *e);
/* Without padding; the first of several values. */
Str ecg_dicom_text(const Dicom *d, const DicomSet *s, DicomField field);
Status ecg_dicom_number(const Dicom *d, const DicomSet *s, DicomField field,
                        uint32_t *ret) MUST_USE;
/* A decimal string; `*ret_mantissa` is `absent` where it is not there. */
Status ecg_dicom_decimal(const Dicom *d, const DicomSet *s, DicomField field, bool required,
                         int64_t absent, int64_t *ret_mantissa, int *ret_exponent) MUST_USE;
Status ecg_dicom_missing(const Dicom *d, DicomField field) MUST_USE;

/* Refuses a text that is there, but cannot be used. */
Status ecg_dicom_unfit(const Dicom *d, const DicomSet *s, DicomField field, const char *zh,
                       const char *en);
/* For what stands in a sequence: implicit where its VR is written as unknown (PS3.5 6.2.2). */
Dicom ecg_dicom_inside(const Dicom *d, const DicomElement *sequence);

/* The i-th number of a group's data. */
int32_t ecg_dicom_sample(const Dicom *d, const DicomGroup *g, size_t i);
bool ecg_dicom_lead_there(const EcgLead *lead, size_t n, Str name);
/* Fills g->lead[channel]; the group began `delay_s` after the recording. */
Status ecg_dicom_channel(Dicom *d, const DicomGroup *g, size_t channel, DicomSpan item,
                         double delay_s) MUST_USE;

/* The groups of the waveform sequence as leads. */
Status ecg_dicom_waves(Dicom *d, const DicomSet *s, EcgRecording *rec) MUST_USE;

#endif
