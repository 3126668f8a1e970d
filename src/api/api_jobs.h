/*
 * Work that outlives its request and the process. Each piece of a kind lies in a folder of its own,
 * DIR/KIND/ID, until it is removed or too old; one thread of the kind does one after another, the
 * one that waits longest first, and after a restart goes on with what is not finished. What stands
 * in a folder is the kind's own affair.
 */
#ifndef API_JOBS_H
#define API_JOBS_H

#include "access_param.h"
#include "api_inner.h"

#define JOB_ID_HEX 32
#define JOBS_MAX   20u /* of a kind, those that are not too old */

typedef struct ApiJobs ApiJobs;

typedef struct JobStand {
    int64_t asked_ms;
    int64_t finished_ms; /* TIME_NONE: it waits or is being worked on */
} JobStand;

typedef struct JobKind {
    const char *folder; /* below the data directory */
    AccessParam kept;   /* how long after it was finished */
    /* ERR_NOT_FOUND: what lies there is none, and goes. Another failure: it cannot be read now. */
    Status (*stand)(const Api *api, Arena *a, Str id, JobStand *ret);
    void (*run)(Api *api, StoreReader *r, Arena *a, Str id);
} JobKind;

/* Writes into a new folder what the job is. */
typedef Status JobKeep(Api *api, Arena *a, Str id, void *ctx, Err *err);

/* Of a file of a folder, or of the folder (name empty), NUL-terminated. */
const char *jobs_path(const Api *api, Arena *a, const JobKind *kind, Str id, Str name);
bool job_id_good(Str id);
/* A folder's JSON of at most max_bytes. ERR_NOT_FOUND: there is none, or it is damaged. */
Status jobs_read(const Api *api, Arena *a, const JobKind *kind, Str id, Str name, size_t max_bytes,
                 JsonDoc *ret) MUST_USE;

Status jobs_open(Api *api, const JobKind *kind, ApiJobs **ret, Err *err) MUST_USE;
void jobs_close(ApiJobs *j); /* NULL: nothing */
/* ERR_TOO_MANY when there are JOBS_MAX. */
Status jobs_begin(ApiJobs *j, Arena *a, JobKeep *keep, void *ctx, Err *err) MUST_USE;
/* Stops it when it is being worked on, and takes its folder away. */
void jobs_remove(ApiJobs *j, Str id);
/* All of a kind; j: NULL before jobs_open, when nothing works on them yet. */
void jobs_forget(const Api *api, const JobKind *kind, ApiJobs *j);
bool jobs_runs(ApiJobs *j, Str id);
/* The answer to who asks before the end: 202, what is done so far, when to ask again. */
void jobs_answer_waits(ApiCall *c, Str progress);
/* For the one that runs: false when it shall stop, removed or to be gone on with later. */
bool jobs_going(ApiJobs *j);

#endif
