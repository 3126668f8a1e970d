/*
 * $import of NDJSON: each import lies in DIR/bulk-import/ID until it is removed or too old
 * (IMPORT_KEPT_MS). Files of a folder:
 *
 *   job.json           what was asked by whom, how far it is, counts
 *   N.ndjson           the bytes of input N, fetched or sent
 *   refused.N.ndjson   lines of it that were refused: number, status, reason, bytes
 *
 * One import at a time, by a thread of its own. Resources keep their id (PUT), 200 in a
 * transaction; when that is refused, each alone, so that only the guilty stay out. A line that says
 * what is there already changes nothing: an import that was cut off begins its input again and does
 * nothing twice.
 */
#ifndef API_BULK_H
#define API_BULK_H

#include "api_inner.h"

#define BULK_INPUTS_MAX  1000u
#define BULK_INPUT_BYTES ((uint64_t)4 << 30) /* of one input */

typedef enum BulkState { BULK_WAITS, BULK_DONE, BULK_FAILED } BulkState;

typedef struct BulkInput {
    Str type, url; /* url empty: the bytes were sent; type may be empty */
    uint64_t imported, refused;
} BulkInput;

typedef struct BulkJob {
    Str id, username, name, practitioner, role, organization, post, request;
    int64_t at_ms, finished_ms;
    BulkState state;
    BulkInput *input;
    size_t input_n, done_n;
    Str zh, en;
} BulkJob;

const char *bulk_path(const Api *api, Arena *a, Str id, Str name);
Str bulk_file(Arena *a, const char *stem, size_t input); /* "refused.", 2 → refused.2.ndjson */
/* A new folder; sent: the bytes of the one input, or empty. */
Status bulk_begin(Api *api, Arena *a, BulkJob *job, Str sent, Err *err) MUST_USE;
Status bulk_load(const Api *api, Arena *a, Str id, BulkJob *ret, Err *err) MUST_USE;
Status bulk_save(const Api *api, const BulkJob *job, Err *err) MUST_USE;
void bulk_remove(Api *api, Str id);
/* Lines of the input in hand so far; false: it is not being worked on. */
bool bulk_progress(Api *api, Str id, size_t *ret_input, uint64_t *ret_lines);
/* For the run: how far it is; false: it shall stop. */
bool bulk_going(Api *api, size_t input, uint64_t lines);
/* Fetches and brings in what is not done yet (api_bulk_run.c). */
Status bulk_run(Api *api, StoreReader *r, Arena *a, BulkJob *job, Err *err) MUST_USE;

#endif
