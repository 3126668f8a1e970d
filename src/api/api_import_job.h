/*
 * Tables that an administrator sends: each lies in DIR/import/ID until it is removed or too old
 * (IMPORT_KEPT_MS), with what was made of it. Files of a folder:
 *
 *   table.csv      the bytes as sent
 *   about.json     who sent what when, its columns; never changed
 *   state.json     what became of it last: uploaded, checked, imported, stopped, failed
 *   refused.csv    rows that were or would be refused
 *   passwords.csv  first passwords of new accounts
 *
 * One table at a time is checked or imported, in a thread of its own. A server that ends in the
 * middle leaves "checking" or "importing" behind, which is read as "stopped"; the same table is
 * then simply imported again.
 */
#ifndef API_IMPORT_JOB_H
#define API_IMPORT_JOB_H

#include "api_inner.h"
#include "api_table.h"

#define IMPORT_BYTES_MAX ((size_t)64 << 20)
#define IMPORTS_MAX      20 /* tables kept at one time */

typedef struct ImportProgress {
    bool dry;
    uint64_t done, total; /* bytes of the table */
} ImportProgress;

/* Path of a file of a folder, or of the folder itself (name empty); NUL-terminated. */
const char *import_path(const Api *api, Arena *a, Str id, const char *name);
/* "2f0e…": a name that an id may have. */
bool import_id_good(Str id);
/* Ids of all that is there; how many. What is too old is removed. */
size_t imports_list(Api *api, Arena *a, Str *ret, size_t max);
void import_remove(const Api *api, Str id);

/* False: this one is not running now. */
bool import_running(Api *api, Str id, ImportProgress *ret);
/*
 * Begins in the caller's name; ERR_CONFLICT, rule import-runs: another one is not done yet.
 * map: JSON that has been checked.
 */
Status import_begin(ApiCall *c, Str id, LinkKind kind, Str map, bool dry) MUST_USE;
/* Waits until it has stopped; nothing when it is not running. */
void import_stop(Api *api, Str id);

#endif
