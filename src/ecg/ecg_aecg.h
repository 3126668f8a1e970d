/*
 * HL7 aECG, inside the room: the annotated ECG (PORT_MT020001) as a stream of elements.
 *
 * libxml2's push parser is fed piece by piece and calls back; no tree is built, so that memory is
 * what the leads need. Which element means what is a table of parent and name (ecg_aecg.def); an
 * element that stands nowhere in it is passed over with all that it holds. A document type
 * declaration is refused, so that there are no entities to expand and nothing to fetch.
 */
#ifndef ECG_AECG_H
#define ECG_AECG_H

#include "ecg_inner.h"

typedef enum AecgTag {
    AECG_SKIP,
    AECG_DOCUMENT,
#define ELEMENT(tag, parent, name) AECG_##tag,
#include "ecg_aecg.def"
#undef ELEMENT
} AecgTag;

#define AECG_NAMESPACE      "urn:hl7-org:v3"
#define AECG_TEXT_BYTES     1024 /* of a text or attribute that is kept */
#define AECG_ATTRIBUTES_MAX 32   /* of an element; none that is read has ten */

typedef struct AecgAttribute {
    Str space, name, value;
} AecgAttribute;

typedef struct AecgAttributes {
    size_t n;
    AecgAttribute at[AECG_ATTRIBUTES_MAX];
} AecgAttributes;

/* A number with its unit, as written. */
typedef struct AecgQuantity {
    bool there;
    int64_t mantissa;
    int exponent;
    Str unit;
} AecgQuantity;

typedef struct AecgSequence {
    int line;
    Str code, type;
    bool has_head, has_digits;
    Str head; /* a time or a number */
    AecgQuantity increment, origin, scale;
    Buf digits; /* int32_t */
} AecgSequence;

/* Leads that share one time. */
typedef struct AecgSet {
    bool has_time, has_start;
    EcgRational rate;
    DateTime start;
    double offset_s;
    size_t first; /* of its leads */
} AecgSet;

typedef struct Aecg {
    Arena *arena;
    Err *err;
    Status status;
    int line;
    int series, sequence;       /* counted from 1 */
    bool in_rhythm, has_rhythm; /* the series that is read: the first of code RHYTHM */
    EcgRecording rec;
    EcgLead lead[ECG_LEADS_MAX];
    size_t n_leads, samples;
    Str omitted[ECG_NOTES_MAX];
    size_t n_omitted;
    AecgSequence seq;
    AecgSet set, first_set;
    size_t sets;
    Str series_code; /* of the last series */
} Aecg;

/* Refuses with line, sequence and field in front; returns the status that it also keeps. */
Status ecg_aecg_refuse(Aecg *x, EcgField field, const char *zh, const char *en, ...)
    __attribute__((format(printf, 3, 5), format(printf, 4, 5)));
Status ecg_aecg_invalid(Aecg *x, EcgField field, Str text, const char *zh_want,
                        const char *en_want);

/* Feeds the parser, which calls the next two for each element that the table knows. */
Status ecg_aecg_parse(Aecg *x, Str bytes) MUST_USE;
Status ecg_aecg_begin(Aecg *x, AecgTag tag, Str space, const AecgAttributes *a) MUST_USE;
Status ecg_aecg_end(Aecg *x, AecgTag tag, Str text) MUST_USE;

void ecg_aecg_omit(Aecg *x, Str name);
void ecg_aecg_set_begin(Aecg *x);
Status ecg_aecg_set_end(Aecg *x);
void ecg_aecg_sequence_begin(Aecg *x);
Status ecg_aecg_sequence_end(Aecg *x);

#endif
