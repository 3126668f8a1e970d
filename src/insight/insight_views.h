/*
 * Views that are kept up to date: each active Library that holds a SQL-on-FHIR ViewDefinition
 * (docs/formats/views.md) is a table in DIR/views.db, made from all resources of its type and then
 * following the log: when a resource changes, its rows are replaced. A cache like insight.db: of
 * another layout, another log, or damaged, it is made again.
 *
 * What depends on the time of day (now(), today()) is not kept, nor a view that fails on some
 * resource: those are run when somebody asks. Rows are told through the caller's sight, decided
 * anew for each resource.
 *
 * At most INSIGHT_VIEWS_MAX views. One for all threads; following and reading take turns.
 */
#ifndef INSIGHT_VIEWS_H
#define INSIGHT_VIEWS_H

#include "fhir_view.h"
#include "store.h"

#define INSIGHT_VIEWS_MAX 50u

typedef struct InsightViews InsightViews;

Status insight_views_open(Store *s, const char *dir, int zone_min, InsightViews **ret,
                          Err *err) MUST_USE;
void insight_views_close(InsightViews *x);
/* A stretch of the log, or of what a new view is made from; *ret_more |= there is more. */
Status insight_views_follow(InsightViews *x, StoreReader *r, bool *ret_more, Err *err) MUST_USE;
/* Thrown away and made again: an erasure must leave nothing behind. */
void insight_views_reset(InsightViews *x);

/* The ViewDefinition in a Library's content, in `a`; STR_NONE if it holds none. */
Str insight_view_of_library(Arena *a, const JsonDoc *library);

/* A row as a JSON object, and whose data it is. */
typedef Status InsightRowTold(void *ctx, Str row, const Str *patients, size_t patients_n, Err *err);
/*
 * Rows of the view kept for a Library with exactly this definition, in order of the resources' ids.
 * *ret_served false: it is not kept, or not up to date; nothing was told.
 */
Status insight_views_rows(InsightViews *x, StoreReader *r, Str library_id, Str definition,
                          const StoreView *sight, InsightRowTold *told, void *ctx, bool *ret_served,
                          Err *err) MUST_USE;

#endif
