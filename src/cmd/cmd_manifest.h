/*
 * A backup as it lies in its folder (docs/formats/backup.md), and what backup and restore share.
 *
 *   backup.json        who and how far the log is; each file with bytes and SHA-256. Put there
 *                      last, in one step: it decides which files count.
 *   NAME.TIME          log.db without a write-ahead log, the audit's segments, audit.key …: in
 *                      ms the time of the backup that copied them
 *   blobs/aa/<sha256>  named by their digest, not listed
 */
#ifndef CMD_MANIFEST_H
#define CMD_MANIFEST_H

#include "cmd_args.h"

#define MANIFEST_FORMAT "menkou-backup-1"
#define MANIFEST_NAME   "backup.json"
#define AUDIT_KEY_NAME  "audit.key"

typedef struct ManifestFile {
    Str name; /* below the backup */
    Str as;   /* below the data directory */
    FileSum sum;
} ManifestFile;

typedef struct Manifest {
    StoreMoment moment;
    int64_t at_ms;
    uint64_t blobs;
    const ManifestFile *file;
    size_t file_n; /* 0: the first backup into this folder was not finished */
} Manifest;

/* ERR_NOT_FOUND: there is none; ERR_CONFLICT: not one of ours. All texts in `a`. */
Status manifest_read(Arena *a, const char *folder, Manifest *ret, Err *err) MUST_USE;
Status manifest_write(Arena *a, const char *folder, const Manifest *m, Err *err) MUST_USE;
const ManifestFile *manifest_find(const Manifest *m, Str as);

/* A growing list in an arena. */
typedef struct ManifestList {
    Arena *arena;
    ManifestFile *at;
    size_t n, room;
} ManifestList;
void manifest_add(ManifestList *l, const ManifestFile *file);

/* "DIR/blobs/aa/SHA", NUL-terminated. */
const char *manifest_blob_path(Arena *a, Str dir, Str sha);
/*
 * Copies a blob unless it is there (then *ret_bytes is 0); with an empty to_dir it is only read.
 * ERR_CONFLICT when its bytes do not have the digest that is its name.
 */
Status manifest_blob_copy(Arena *a, Str from_dir, Str to_dir, Str sha, uint64_t *ret_bytes,
                          Err *err) MUST_USE;
/* Also when it cannot be read or is not there. */
bool manifest_folder_empty(const char *path);
/* Flushes the folders of a tree whose files have been copied. */
Status manifest_dirs_sync(Arena *a, Str dir, Err *err) MUST_USE;

#endif
