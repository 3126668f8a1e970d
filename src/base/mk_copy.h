/*
 * Copies of files with their digest, and a fence between who copies a folder's files and who
 * removes some of them, also of another process.
 */
#ifndef MK_COPY_H
#define MK_COPY_H

#include "mk_err.h"
#include "mk_hash.h"

typedef struct FileSum {
    uint64_t bytes;
    Sha256 sha;
} FileSum;

/*
 * Copies the first `bytes_max` bytes of a file (UINT64_MAX: all) under a temporary name, flushes,
 * renames; the folder is left to dir_sync. `to` NULL: it is only read. A copy that fails leaves
 * nothing behind.
 */
Status file_copy(const char *from, const char *to, uint64_t bytes_max, unsigned mode, FileSum *ret,
                 Err *err) MUST_USE;

/*
 * A descriptor that keeps `folder` fenced until it is closed; -1 while that cannot be. Many may
 * copy at once; who removes is alone.
 */
int dir_fence(const char *folder, bool alone);

#endif
