/* Inside of views: the compiled definition. */
#ifndef FHIR_VIEW_INNER_H
#define FHIR_VIEW_INNER_H

#include "fhir_view.h"

typedef enum ViewEach { VIEW_ONCE, VIEW_FOR_EACH, VIEW_FOR_EACH_OR_NULL, VIEW_REPEAT } ViewEach;

typedef struct ViewColumn {
    const FhirPath *path;
    size_t cell; /* its place in the row */
    Str where;   /* in the definition, for errors */
} ViewColumn;

/*
 * Its columns, nested selects and union fill the cells [first, end); the branches of a union fill
 * the same ones.
 */
typedef struct ViewSelect {
    ViewEach each;
    const FhirPath *const *path; /* of forEach one, of repeat any */
    size_t path_n;
    const ViewColumn *column;
    size_t column_n;
    const struct ViewSelect *select;
    size_t select_n;
    const struct ViewSelect *branch; /* unionAll */
    size_t branch_n;
    size_t first, end;
    Str where;
} ViewSelect;

struct FhirView {
    Str resource, name;
    const FhirType *type;
    FhirViewColumn *column;
    size_t column_n;
    ViewSelect root; /* of the definition's own selects */
    const ViewColumn *filter;
    size_t filter_n;
    FhirPathVar *constant;
    size_t constant_n;
};

#define VIEW_ROW_INDEX "rowIndex"

#endif
