/*
 * Views: SQL-on-FHIR ViewDefinitions (v2), a table made of resources of one type.
 *
 * fhir_view_compile turns a definition into an immutable program: any number of threads may run
 * it at once, and it lives as long as its arena (the document must outlive it, too). It checks
 * what can be checked without a resource: names, expressions, variables, that union branches
 * have the same columns.
 *
 * fhir_view_run gives the rows of one resource, one after another, without keeping any: columns
 * of one row are told in one array in the order of fhir_view_columns. A resource of another type,
 * or one that `where` leaves out, gives none.
 *
 * Bounded: FHIR_VIEW_DEPTH_MAX levels of select, FHIR_VIEW_COLUMNS_MAX columns, and for one
 * resource `rows_max` rows and FHIR_VIEW_STEPS steps of FHIRPath (ERR_TOO_LARGE).
 *
 * Errors: ERR_UNPROCESSABLE with the place in the definition ("select[0].column[2].path").
 */
#ifndef FHIR_VIEW_H
#define FHIR_VIEW_H

#include "fhir_path.h"

#define FHIR_VIEW_DEPTH_MAX   32u
#define FHIR_VIEW_COLUMNS_MAX 1000u
#define FHIR_VIEW_ROWS_MAX    1000000u
#define FHIR_VIEW_STEPS       20000000u

typedef struct FhirView FhirView;

typedef struct FhirViewColumn {
    Str name;
    Str type; /* as declared; may be empty */
    bool collection;
} FhirViewColumn;

/* `view` in `d`: a ViewDefinition, with or without resourceType. */
Status fhir_view_compile(Arena *a, const JsonDoc *d, JsonRef view, FhirView **ret,
                         Err *err) MUST_USE;
Str fhir_view_resource(const FhirView *v); /* "Patient" */
size_t fhir_view_columns(const FhirView *v, const FhirViewColumn **ret);

/* cell[i]: the values of column i. None is null, or, when `at` is set, the empty list that a
 * collection is. They live until the function returns. */
typedef Status FhirViewRow(void *ctx, const FhirValues *cell, Err *err);

typedef struct FhirViewRun {
    Arena *arena; /* of what is computed for one resource; its cap bounds the memory */
    int64_t now_ms;
    int zone_min;
    size_t rows_max;  /* 0: FHIR_VIEW_ROWS_MAX */
    void *term;       /* FhirTerm for memberOf; NULL: R4's own value sets alone */
    FhirViewRow *row; /* an error ends the run and is its own */
    void *ctx;
} FhirViewRun;

Status fhir_view_run(const FhirView *v, const FhirViewRun *run, FhirNode resource,
                     Err *err) MUST_USE;

/* ---- Writing ---------------------------------------------------------------------------- */

typedef enum FhirViewFormat { FHIR_VIEW_NDJSON, FHIR_VIEW_JSON, FHIR_VIEW_CSV } FhirViewFormat;

/* "ndjson", "json", "csv", or their media types. False for others. */
bool fhir_view_format_parse(Str name, FhirViewFormat *ret);
const char *fhir_view_media(FhirViewFormat f);

/*
 * A table as text. begin writes what stands before the rows (the header of CSV), end what stands
 * after; what is in `out` may be taken away between the rows.
 */
typedef struct FhirViewWriter {
    const FhirView *view;
    FhirViewFormat format;
    bool headless; /* CSV without its first line */
    Buf *out;
    uint64_t rows;
} FhirViewWriter;

void fhir_view_write_begin(FhirViewWriter *w);
void fhir_view_write_row(FhirViewWriter *w, const FhirValues *cell);
/* A row that was written as NDJSON before (an object with all columns), in whatever format. */
void fhir_view_write_kept(FhirViewWriter *w, Str row);
void fhir_view_write_end(FhirViewWriter *w);

#endif
