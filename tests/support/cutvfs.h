/*
 * A power cut, for tests: an SQLite VFS ("cut") and the file calls of this program (open, write,
 * pwrite, truncate, sync, rename, unlink, mkdir; made to pass here by the linker's --wrap) over
 * real files, with a model beside them of what a disk would still have (cutdisk.h).
 *
 * From the k-th call onwards everything fails, as for a machine without power; cut_survivors then
 * writes what is left into another folder: of the unsynced writes some arrived, some did not, some
 * were torn at a sector or lack some, in no order; of the unsynced names likewise. Everything is
 * chosen by the seed.
 *
 * The same calls can be made to fail as on a full or broken disk, with the power on (cut_fail).
 */
#ifndef CUTVFS_H
#define CUTVFS_H

#include <stdbool.h>
#include <stdint.h>

#define CUT_VFS "cut"

/* Forgets everything and starts to count below `root`, which must exist; what is there already is
 * durable. cut_at 0: never. */
void cut_start(const char *root, uint64_t cut_at, uint64_t seed);
/* The cut comes with the n-th call from now. */
void cut_in(uint64_t calls);
/* It comes with the next sync of a file that has this in its path. */
void cut_at_sync(const char *part);
/* I/O calls so far. */
uint64_t cut_calls(void);
bool cut_happened(void);
/* Everything fails from now on. */
void cut_now(void);
/* What the disk has, as files below another folder. */
void cut_survivors(const char *to);
void cut_end(void);

typedef enum CutOp { CUT_READ = 1, CUT_WRITE = 2, CUT_SYNC = 4, CUT_NAME = 8 } CutOp;
/*
 * Of the calls of these kinds (CutOp bits) that follow, `times` fail with `error` (ENOSPC, EIO …)
 * after the first `after`; times 0: all of them, until the next cut_fail. ops 0: none any more.
 */
void cut_fail(unsigned ops, int error, uint64_t after, uint64_t times);
/* How many calls of the armed kinds there were, and how many of them failed, since cut_fail. */
uint64_t cut_fail_calls(void);
uint64_t cut_fail_failed(void);

/* Databases opened without a name of a VFS are under it from now on, or no longer. */
void cut_vfs_default(bool on);
void cut_vfs_register(void);

#endif
