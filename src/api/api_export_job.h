/*
 * Bulk exports (FHIR Bulk Data, $export): each lies in DIR/export/ID until it is removed or too old
 * (EXPORT_KEPT_MS). Files of a folder:
 *
 *   job.json            what was asked by whom, how far it is, which files there are
 *   Patient.1.ndjson …  resources, one a line; a part has at most EXPORT_PART_BYTES
 *   ….ndjson.patients   whose data stand in the part, an id a line: for the audit of a fetch
 *   deleted.1.ndjson …  transaction Bundles of what was deleted since _since
 *
 * One export at a time is worked on, by a thread of its own, in the name and through the sight of
 * who asked, as they are then. Resources are told as they were at the moment of the question
 * (store_heads.h), a stretch at a time, so that nothing is held open. Types that are done are
 * written down: after a restart an export goes on with the first type that is not.
 *
 * Bounded: JOBS_MAX folders, EXPORT_BYTES_MAX bytes on disk of one export; it ends ("failed")
 * when the disk is low.
 */
#ifndef API_EXPORT_JOB_H
#define API_EXPORT_JOB_H

#include "api_inner.h"

#define EXPORT_MEMBERS_MAX 100000u /* patients of one export */
#define EXPORT_FILTERS_MAX 100u
#define EXPORT_PART_BYTES  ((size_t)16 << 20)
#define EXPORT_PATIENTS    ".patients"

typedef enum ExportState { EXPORT_WAITS, EXPORT_DONE, EXPORT_FAILED } ExportState;

typedef struct ExportFilter {
    Str type, query;
} ExportFilter;

typedef struct ExportFile {
    Str type; /* "Patient"; "Bundle" of deletions */
    Str name; /* of the file */
    uint64_t count;
    bool deleted;
} ExportFile;

typedef struct ExportJob {
    Str id, username, post, request; /* request: the URL as it was called */
    uint64_t seq;                    /* the moment of the export */
    int64_t at_ms;                   /* likewise: transactionTime */
    int64_t since_ms;                /* TIME_NONE: all */
    const Str *type;
    size_t type_n;
    const ExportFilter *filter;
    size_t filter_n;
    bool members; /* only of these patients */
    const Str *patient;
    size_t patient_n;
    ExportState state;
    size_t done_n; /* types */
    ExportFile *file;
    size_t file_n, file_room;
    int64_t finished_ms;
    Str zh, en; /* why it failed */
} ExportJob;

/* Path of a file of a folder, or of the folder (name empty), NUL-terminated. */
const char *export_path(const Api *api, Arena *a, Str id, Str name);
/* A new folder with its job; ERR_TOO_MANY when there are JOBS_MAX that are not too old. */
Status export_begin(Api *api, Arena *a, ExportJob *job, Err *err) MUST_USE;
/* ERR_NOT_FOUND: no such export. */
Status export_load(const Api *api, Arena *a, Str id, ExportJob *ret, Err *err) MUST_USE;
/* Its state on disk, whole or not at all. */
Status export_save(const Api *api, const ExportJob *job, Err *err) MUST_USE;
/* Stops it when it is being worked on, and takes its folder away. */
void export_remove(Api *api, Str id);

typedef struct ExportProgress {
    bool running;
    Str type;       /* that is being written; in the arena asked with */
    uint64_t count; /* resources so far */
} ExportProgress;
void export_progress(Api *api, Arena *a, Str id, ExportProgress *ret);
/* For the run: one more resource; false: it shall stop. */
bool export_going(Api *api, Str type, uint64_t count);

/* Writes all that is not done yet (api_export_run.c). */
Status export_run(Api *api, StoreReader *r, Arena *a, ExportJob *job, Err *err) MUST_USE;

#endif
