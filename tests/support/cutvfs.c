/* The SQLite side of the simulated disk. */
#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "cutdisk.h"

typedef struct CutFile {
    sqlite3_file base;
    sqlite3_file *real;
    char path[CUT_PATH_MAX];
    bool ours, journal;
} CutFile;

static sqlite3_vfs *unix_vfs;

#define REAL(f) (((CutFile *)(f))->real)

static int cut_close(sqlite3_file *f)
{
    int rc = REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
    sqlite3_free(REAL(f));
    return rc;
}

/* What SQLite calls the failure of a call that may also find the disk full. */
static int failure(int error, int otherwise)
{
    return error == ENOSPC ? SQLITE_FULL : otherwise;
}

static int cut_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    disk_enter();
    int error = ((CutFile *)f)->ours && !disk_is_dead() ? disk_call(CUT_READ) : 0;
    disk_leave();
    return error ? SQLITE_IOERR_READ : REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}

static int cut_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    const CutFile *c = (CutFile *)f;
    disk_enter();
    int error = c->ours ? disk_call(CUT_WRITE) : 0;
    if (c->ours && !error) {
        disk_write(c->path, p, n, at);
    }
    disk_leave();
    return error ? failure(error, SQLITE_IOERR_WRITE)
                 : REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
}

static int cut_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    const CutFile *c = (CutFile *)f;
    disk_enter();
    int error = c->ours ? disk_call(CUT_WRITE) : 0;
    if (c->ours && !error) {
        disk_truncate(c->path, size);
    }
    disk_leave();
    return error ? SQLITE_IOERR_TRUNCATE : REAL(f)->pMethods->xTruncate(REAL(f), size);
}

/* Of a new journal or write-ahead log the VFS below syncs the folder too. */
static int cut_sync(sqlite3_file *f, int flags)
{
    const CutFile *c = (CutFile *)f;
    if (!c->ours) {
        return REAL(f)->pMethods->xSync(REAL(f), flags);
    }
    disk_enter();
    int error = disk_sync_call(c->path);
    if (!error) {
        disk_sync_file(c->path);
        if (c->journal) {
            disk_sync_name(c->path);
        }
    }
    disk_leave();
    return error ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int cut_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), ret);
}

static int cut_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int cut_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int cut_reserved(sqlite3_file *f, int *ret)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret);
}

static int cut_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int cut_sector(sqlite3_file *f)
{
    (void)f;
    return CUT_SECTOR;
}

/* No promises: neither atomic nor sequential. */
static int cut_traits(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static int cut_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **ret)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), region, size, extend, ret);
}

static int cut_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}

static void cut_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int cut_shm_unmap(sqlite3_file *f, int remove)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = cut_close,
    .xRead = cut_read,
    .xWrite = cut_write,
    .xTruncate = cut_truncate,
    .xSync = cut_sync,
    .xFileSize = cut_size,
    .xLock = cut_lock,
    .xUnlock = cut_unlock,
    .xCheckReservedLock = cut_reserved,
    .xFileControl = cut_control,
    .xSectorSize = cut_sector,
    .xDeviceCharacteristics = cut_traits,
    .xShmMap = cut_shm_map,
    .xShmLock = cut_shm_lock,
    .xShmBarrier = cut_shm_barrier,
    .xShmUnmap = cut_shm_unmap,
};

static int cut_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)v;
    CutFile *c = (CutFile *)f;
    memset(c, 0, sizeof *c);
    c->real = sqlite3_malloc(unix_vfs->szOsFile);
    memset(c->real, 0, (size_t)unix_vfs->szOsFile);
    disk_enter();
    c->ours = name && disk_has(name);
    bool on = !c->ours || !disk_is_dead();
    disk_leave();
    int rc = on ? unix_vfs->xOpen(unix_vfs, name, c->real, flags, out) : SQLITE_CANTOPEN;
    if (rc != SQLITE_OK) {
        sqlite3_free(c->real);
        c->base.pMethods = NULL;
        return rc;
    }
    c->base.pMethods = &methods;
    if (c->ours) {
        snprintf(c->path, sizeof c->path, "%s", name);
        c->journal =
            (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
        disk_enter();
        disk_file(c->path);
        disk_leave();
    }
    return SQLITE_OK;
}

static int cut_delete(sqlite3_vfs *v, const char *name, int sync_folder)
{
    (void)v;
    disk_enter();
    bool ours = disk_has(name);
    int error = ours ? disk_call(CUT_NAME) : 0;
    if (ours && !error) {
        disk_remove(name, sync_folder);
    }
    disk_leave();
    return error ? SQLITE_IOERR_DELETE : unix_vfs->xDelete(unix_vfs, name, 0);
}

static int cut_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
    (void)v;
    return unix_vfs->xAccess(unix_vfs, name, flags, ret);
}

static int cut_full(sqlite3_vfs *v, const char *name, int n, char *out)
{
    (void)v;
    return unix_vfs->xFullPathname(unix_vfs, name, n, out);
}

static int cut_random(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    return unix_vfs->xRandomness(unix_vfs, n, out);
}

static int cut_sleep(sqlite3_vfs *v, int us)
{
    (void)v;
    return unix_vfs->xSleep(unix_vfs, us);
}

static int cut_time(sqlite3_vfs *v, double *ret)
{
    (void)v;
    return unix_vfs->xCurrentTime(unix_vfs, ret);
}

static sqlite3_vfs vfs = {
    .iVersion = 1,
    .szOsFile = sizeof(CutFile),
    .mxPathname = 500,
    .zName = CUT_VFS,
    .xOpen = cut_open,
    .xDelete = cut_delete,
    .xAccess = cut_access,
    .xFullPathname = cut_full,
    .xRandomness = cut_random,
    .xSleep = cut_sleep,
    .xCurrentTime = cut_time,
};

void cut_vfs_register(void)
{
    if (!unix_vfs) {
        unix_vfs = sqlite3_vfs_find(NULL);
        assert(unix_vfs && sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
    }
}

void cut_vfs_default(bool on)
{
    cut_vfs_register();
    sqlite3_vfs_register(on ? &vfs : unix_vfs, 1);
}
