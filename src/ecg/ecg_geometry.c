#include "ecg_geometry.h"

#include <math.h>

#define STANDARD_AT_LEAST 6    /* fewer standard leads than this: a row for each lead there is */
#define ROW_WHOLE_S       10.0 /* a page that can hold it has rows of exactly so long … */
#define ROW_STEP_S        2.5  /* … or a multiple of this above it */

static const char *const layout_name[] = {"3x4", "6x2", "12x1"};

/* Indices into ecg_standard_lead, row by row. */
static const int grid_3x4[] = {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11};
static const int grid_6x2[] = {0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11};
static const int grid_12x1[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static const struct {
    const int *grid;
    size_t columns;
} layout_row[] = {{grid_3x4, 4}, {grid_6x2, 2}, {grid_12x1, 1}};

bool ecg_layout_from(Str name, EcgLayout *ret)
{
    for (size_t i = 0; i < sizeof layout_name / sizeof *layout_name; i++) {
        if (str_is(name, layout_name[i])) {
            *ret = (EcgLayout)i;
            return true;
        }
    }
    return false;
}

bool ecg_lead_drawable(const EcgLead *lead)
{
    return str_is(lead->unit, "uV");
}

double ecg_sample_mm(const EcgLead *lead, int32_t sample, double gain_mm_mv)
{
    return ((double)sample - lead->zero) * ecg_rational_value(lead->gain) / 1000 * gain_mm_mv;
}

typedef struct Filling {
    const EcgRecording *rec;
    const EcgPaper *paper;
    double row_s; /* time along a whole row */
    EcgCell *cell;
    size_t n, rows;
    bool taken[ECG_LEADS_MAX];
} Filling;

static void cell_add(Filling *f, ptrdiff_t lead, const char *missing, size_t column, size_t columns)
{
    if (f->n == ECG_CELLS_MAX) {
        return;
    }
    double share = f->row_s / (double)columns;
    double width = share * f->paper->speed_mm_s;
    f->cell[f->n++] = (EcgCell){.lead = lead,
                                .missing = missing,
                                .x_mm = f->paper->x_mm + ECG_PULSE_MM + width * (double)column,
                                .width_mm = width,
                                .middle_mm = (double)f->rows, /* the row, until all are known */
                                .from_s = (double)f->paper->from_ms / 1000 + share * (double)column,
                                .seconds = share,
                                .first_in_row = column == 0};
    if (lead >= 0) {
        f->taken[lead] = true;
    }
}

static void standard_add(Filling *f, EcgLayout layout)
{
    size_t columns = layout_row[layout].columns;
    for (size_t i = 0; i < ECG_STANDARD_LEADS; i++) {
        const char *name = ecg_standard_lead[layout_row[layout].grid[i]];
        ptrdiff_t lead = ecg_lead_find(f->rec, str_from_c(name));
        cell_add(f, lead, lead < 0 ? name : NULL, i % columns, columns);
        f->rows += i % columns == columns - 1 ? 1 : 0;
    }
}

/* II along the whole row, or the first standard lead there is. */
static void rhythm_add(Filling *f)
{
    ptrdiff_t lead = ecg_lead_find(f->rec, STR("II"));
    for (size_t i = 0; i < ECG_STANDARD_LEADS && lead < 0; i++) {
        lead = ecg_lead_find(f->rec, str_from_c(ecg_standard_lead[i]));
    }
    cell_add(f, lead, NULL, 0, 1);
    f->rows++;
}

static void further_add(Filling *f)
{
    for (size_t i = 0; i < f->rec->n_leads; i++) {
        if (!f->taken[i]) {
            cell_add(f, (ptrdiff_t)i, NULL, 0, 1);
            f->rows++;
        }
    }
}

static void middles_set(Filling *f)
{
    double height = f->paper->height_mm / (double)(f->rows ? f->rows : 1);
    for (size_t i = 0; i < f->n; i++) {
        f->cell[i].middle_mm = f->paper->y_mm + height * (f->cell[i].middle_mm + 0.5);
    }
}

static double row_seconds(const EcgPaper *paper)
{
    double s = (paper->width_mm - ECG_PULSE_MM) / paper->speed_mm_s;
    return s >= ROW_WHOLE_S ? floor(s / ROW_STEP_S + 1e-9) * ROW_STEP_S : s;
}

size_t ecg_cells(const EcgRecording *rec, EcgLayout layout, const EcgPaper *paper,
                 EcgCell ret[ECG_CELLS_MAX], size_t *ret_rows)
{
    const char *missing[ECG_STANDARD_LEADS];
    Filling f = {.rec = rec, .paper = paper, .cell = ret};
    f.row_s = row_seconds(paper);
    if (ECG_STANDARD_LEADS - ecg_missing(rec, missing) >= STANDARD_AT_LEAST) {
        standard_add(&f, layout);
        if (layout == ECG_LAYOUT_3X4_RHYTHM) {
            rhythm_add(&f);
        }
    }
    further_add(&f);
    middles_set(&f);
    *ret_rows = f.rows;
    return f.n;
}
