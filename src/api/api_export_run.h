/*
 * An export being written (api_export_run.c: type by type): its parts on disk (api_export_part.c)
 * and what filters find (api_export_filter.c).
 */
#ifndef API_EXPORT_RUN_H
#define API_EXPORT_RUN_H

#include <stdio.h>

#include "api_export_job.h"

#define EXPORT_STRETCH    500 /* resources looked at in one caller's sight */
#define EXPORT_PAGE_BYTES ((size_t)256 << 20)

typedef struct ExportRun {
    Api *api;
    StoreReader *reader;
    Arena *arena; /* of the job */
    ExportJob *job;
    Map members; /* ids; unused when not job->members */
    Str type;
    FILE *to;
    Arena named; /* whose data the part has, for the audit of who fetches it */
    Map named_map;
    Buf named_list;
    unsigned part;
    uint64_t count, bytes, total_bytes;
    Buf deleted; /* the Bundle that is being filled */
    size_t deleted_n;
    bool stopped;
} ExportRun;

/* A line of a part, and whose it is. */
typedef struct ExportLine {
    Str body;
    const Str *patients; /* whose it is */
    size_t patients_n;
    bool deleted;
} ExportLine;

/* ---- api_export_part.c ---- */

Status export_line_write(ExportRun *run, const ExportLine *line, Err *err) MUST_USE;
Status export_part_close(ExportRun *run, Err *err) MUST_USE;
/* The export's own bound, and the disk's. */
Status export_room_check(const ExportRun *run, Err *err) MUST_USE;
/* Nobody is named in the part yet. */
void export_names_reset(ExportRun *run);
/* As NDJSON has it. */
Str export_body_line(Arena *a, Str body);
/* One of them is asked for, or all are. */
bool export_is_member(const ExportRun *run, const Str *patients, size_t n);

/* ---- api_export_run.c ---- */

/* The caller as it is now: who has lost a post or a patient meanwhile gets no more. */
Status export_caller_now(ExportRun *run, Arena *a, AccessCaller *ret, Err *err) MUST_USE;

/* ---- api_export_filter.c ---- */

/* All of the type that one of its filters finds. */
Status export_type_search(ExportRun *run, Err *err) MUST_USE;

#endif
