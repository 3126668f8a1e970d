/* Files: whole reads with a cap, durable writes (temporary name, fsync, rename, fsync of the
 * folder), and whole writes whose disk is synced later. */
#ifndef MK_FILE_H
#define MK_FILE_H

#include "mk_err.h"

Status file_read(Arena *a, const char *path, size_t max_bytes, Str *ret, Err *err) MUST_USE;
Status file_write_durable(const char *path, Str bytes, unsigned mode, Err *err) MUST_USE;
/* Whole under its name, or not there; durable after disk_sync. */
Status file_write_later(const char *path, Str bytes, unsigned mode, Err *err) MUST_USE;
/* Everything written so far on the disk where `path` lies. */
Status disk_sync(const char *path, Err *err) MUST_USE;
bool file_exists(const char *path);
/* Makes the folder and its parents. */
Status dir_make(const char *path, unsigned mode, Err *err) MUST_USE;
Status dir_sync(const char *path, Err *err) MUST_USE;
/* Bytes that a program without privileges may still write where `path` lies, and the disk's size.
 */
Status disk_space(const char *path, uint64_t *ret_free, uint64_t *ret_total, Err *err) MUST_USE;
Str path_join(Arena *a, Str dir, Str name); /* NUL-terminated */
/* Calls fn for each regular file below dir, in byte order, with its path relative to dir. */
Status dir_walk(Arena *a, const char *dir, Status (*fn)(void *ctx, Str relative, Err *err),
                void *ctx, Err *err) MUST_USE;

#endif
