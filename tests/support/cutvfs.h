/*
 * A power cut, for tests: an SQLite VFS ("cut") and the file calls of this program (write, fsync,
 * rename, made to pass here by the linker's --wrap) over real files, with a model beside them of
 * what a disk would still have.
 *
 * For each file the model keeps the bytes as of the last sync apart from what was written since,
 * and for each folder the names as of its last sync. From the k-th call onwards everything fails,
 * as for a machine without power; cut_survivors then writes what is left into another folder: of
 * the unsynced writes some arrived, some did not, some were torn at a sector, in no order; of the
 * unsynced names likewise. Everything is chosen by the seed.
 */
#ifndef CUTVFS_H
#define CUTVFS_H

#include <stdbool.h>
#include <stdint.h>

#define CUT_VFS "cut"

/* Forgets everything and starts to count below `root`; cut_at 0: never. */
void cut_start(const char *root, uint64_t cut_at, uint64_t seed);
/* I/O calls so far. */
uint64_t cut_calls(void);
bool cut_happened(void);
/* Everything fails from now on. */
void cut_now(void);
/* What the disk has, as files below another folder. */
void cut_survivors(const char *to);
void cut_end(void);

#endif
