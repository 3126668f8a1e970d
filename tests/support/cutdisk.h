/*
 * The simulated disk behind cutvfs.h: what each file and folder would still hold after a power cut.
 *
 * An inode keeps the bytes of its last sync apart from the writes since then; a name keeps what it
 * leads to now apart from what it led to at its folder's last sync. Folders are inodes without
 * bytes: a file is lost with a folder whose own name was never synced.
 *
 * All calls but disk_enter and disk_leave are made between these two: one lock guards the model.
 * Paths are absolute. Nothing here touches the real files.
 */
#ifndef CUTDISK_H
#define CUTDISK_H

#include <stdbool.h>
#include <stdint.h>

#include "cutvfs.h"

#define CUT_PATH_MAX 512
#define CUT_SECTOR   512

void disk_enter(void);
void disk_leave(void);

/* Below the root, and the simulation runs. */
bool disk_has(const char *path);
/* The root itself. */
bool disk_is_root(const char *path);
/* Counts a call; 0, or the errno it fails with: there is no power any more, or a fault is armed. */
int disk_call(CutOp op);
int disk_sync_call(const char *path);
bool disk_is_dead(void);

/* The name leads to a file (a new one if there was none). */
void disk_file(const char *path);
void disk_folder(const char *path);
void disk_write(const char *path, const void *bytes, int64_t n, int64_t at);
void disk_truncate(const char *path, int64_t size);
void disk_rename(const char *from, const char *to);
/* The name leads nowhere; durable at once if so asked. */
void disk_remove(const char *path, bool durable);

void disk_sync_file(const char *path);
/* The one name, without its folder's other names. */
void disk_sync_name(const char *path);
void disk_sync_folder(const char *path);

#endif
