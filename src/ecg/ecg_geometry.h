/*
 * Where a recording's leads stand on ECG paper. Pure arithmetic in millimetres; nothing here
 * draws. The web viewer's ecgGeometry.ts follows the same rules, so that screen and print agree.
 *
 * Paper: 1 mm thin and 5 mm bold lines; time runs at `speed_mm_s` (25), a millivolt is
 * `gain_mm_mv` (10) high. The calibration pulse (1 mV, 5 mm wide) stands before each row.
 *
 * Layouts show the twelve standard leads in the usual columns:
 *   3x4+rhythm  I aVR V1 V4 / II aVL V2 V5 / III aVF V3 V6, each a quarter of the row's time, one
 *               after the other in time, and one lead (II) along the whole row below;
 *   6x2         limb leads left, chest leads right, half of the time each;
 *   12x1        one lead a row.
 * A row lasts 10 s where that fits (A4 landscape at 25 mm/s), else as long as the paper is wide.
 * A standard lead that the recording lacks keeps its place, empty and named: nothing is derived.
 * Leads beyond the twelve follow in whole rows. A recording with fewer than six standard leads has
 * one row for each of its own leads, whatever the layout.
 */
#ifndef ECG_GEOMETRY_H
#define ECG_GEOMETRY_H

#include "ecg.h"

typedef enum EcgLayout { ECG_LAYOUT_3X4_RHYTHM, ECG_LAYOUT_6X2, ECG_LAYOUT_12X1 } EcgLayout;

typedef struct EcgPaper {
    double x_mm, y_mm, width_mm, height_mm; /* the area for rows */
    double speed_mm_s, gain_mm_mv;
    int64_t from_ms; /* start of what is shown */
} EcgPaper;

#define ECG_PULSE_MM  10.0 /* kept free at a row's left for the calibration pulse */
#define ECG_CELLS_MAX (ECG_LEADS_MAX + ECG_STANDARD_LEADS + 1)

typedef struct EcgCell {
    ptrdiff_t lead;         /* -1: the recording lacks it */
    const char *missing;    /* its name, where lead is -1 */
    double x_mm, width_mm;  /* of the trace */
    double middle_mm;       /* y of 0 mV */
    double from_s, seconds; /* of the recording */
    bool first_in_row;
} EcgCell;

/* Fills the cells in reading order; returns how many. `rows` is set to the number of rows. */
size_t ecg_cells(const EcgRecording *rec, EcgLayout layout, const EcgPaper *paper,
                 EcgCell ret[ECG_CELLS_MAX], size_t *ret_rows);

/* "3x4", "6x2", "12x1"; false and untouched otherwise. */
bool ecg_layout_from(Str name, EcgLayout *ret);

/* Millimetres upwards from the middle of a lead's sample; a gap is for the caller to skip. */
double ecg_sample_mm(const EcgLead *lead, int32_t sample, double gain_mm_mv);
/* False for a lead that is not a voltage and therefore not drawn. */
bool ecg_lead_drawable(const EcgLead *lead);

#endif
