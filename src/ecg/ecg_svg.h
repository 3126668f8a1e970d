/*
 * A recording as SVG on ECG paper at true scale: for prints (a whole A4 page, landscape) and for
 * thumbnails. Text is given as it is; the reader's fonts draw it.
 */
#ifndef ECG_SVG_H
#define ECG_SVG_H

#include "ecg_geometry.h"

typedef struct EcgSvgOptions {
    Lang lang;
    double width_mm, height_mm;    /* 0: A4 landscape, 297 × 210 */
    double speed_mm_s, gain_mm_mv; /* 0: 25 and 10 */
    double step_mm;                /* finest detail along time; 0: 0.1 (print). Thumbnails: 0.5 */
    int64_t from_ms;               /* start of what is shown */
    bool not_for_diagnosis;        /* writes so across the head of the page */
    bool bare;                     /* no head and foot: only paper and traces */
    const Str *head;               /* lines above the traces: patient, time, institution */
    size_t n_head;
} EcgSvgOptions;

/* "Not for diagnosis", in every place that says it. */
Str ecg_not_for_diagnosis(Lang lang);

/* Appends one <svg> element. ERR_UNPROCESSABLE for a page, speed or gain that cannot be drawn. */
Status ecg_svg(Buf *b, const EcgRecording *rec, EcgLayout layout, const EcgSvgOptions *options,
               Err *err) MUST_USE;

#endif
