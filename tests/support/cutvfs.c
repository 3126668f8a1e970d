#include "cutvfs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

typedef struct Write {
    struct Write *next;
    int64_t at, n;
    bool truncate; /* to `at` */
    unsigned char bytes[];
} Write;

/* What a name leads to. */
typedef struct Inode {
    struct Inode *next;
    unsigned char *synced;
    int64_t synced_n;
    Write *first, *last;
} Inode;

typedef struct Name {
    struct Name *next;
    char path[512];
    Inode *live, *synced; /* NULL: there is no such name */
} Name;

static struct {
    pthread_mutex_t lock;
    char root[256];
    uint64_t cut_at, calls, seed;
    bool counting, dead;
    Inode *inodes;
    Name *names;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t random_next(void)
{
    disk.seed += 0x9e3779b97f4a7c15u;
    uint64_t z = disk.seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- The model; all under the lock ---------------------------------------------------------- */

static bool is_ours(const char *path)
{
    size_t n = strlen(disk.root);
    return disk.counting && strncmp(path, disk.root, n) == 0 && path[n] == '/';
}

/* False when there is no power (any more). */
static bool power(void)
{
    if (!disk.dead && ++disk.calls == disk.cut_at) {
        disk.dead = true;
    }
    return !disk.dead;
}

static Name *name_of(const char *path)
{
    for (Name *n = disk.names; n; n = n->next) {
        if (strcmp(n->path, path) == 0) {
            return n;
        }
    }
    Name *n = calloc(1, sizeof *n);
    assert(n && strlen(path) < sizeof n->path);
    memcpy(n->path, path, strlen(path) + 1);
    n->next = disk.names;
    disk.names = n;
    return n;
}

static Inode *inode_of(const char *path)
{
    Name *n = name_of(path);
    if (!n->live) {
        n->live = calloc(1, sizeof *n->live);
        assert(n->live);
        n->live->next = disk.inodes;
        disk.inodes = n->live;
    }
    return n->live;
}

static void write_add(Inode *i, const void *bytes, int64_t n, int64_t at, bool truncate)
{
    Write *w = calloc(1, sizeof *w + (size_t)n);
    assert(w);
    *w = (Write){.at = at, .n = n, .truncate = truncate};
    if (n) {
        memcpy(w->bytes, bytes, (size_t)n);
    }
    if (i->last) {
        i->last->next = w;
    } else {
        i->first = w;
    }
    i->last = w;
}

static void bytes_size(unsigned char **p, int64_t *n, int64_t size)
{
    if (size > *n) {
        *p = realloc(*p, (size_t)size);
        assert(*p);
        memset(*p + *n, 0, (size_t)(size - *n));
    }
    *n = size;
}

static void write_apply(const Write *w, int64_t n, unsigned char **p, int64_t *size)
{
    if (w->truncate) {
        bytes_size(p, size, w->at);
        return;
    }
    if (w->at + n > *size) {
        bytes_size(p, size, w->at + n);
    }
    if (n) {
        memcpy(*p + w->at, w->bytes, (size_t)n);
    }
}

static void inode_sync(Inode *i)
{
    for (Write *w = i->first, *next; w; w = next) {
        next = w->next;
        write_apply(w, w->n, &i->synced, &i->synced_n);
        free(w);
    }
    i->first = i->last = NULL;
}

static void folder_sync(const char *folder)
{
    size_t n = strlen(folder);
    for (Name *name = disk.names; name; name = name->next) {
        if (strncmp(name->path, folder, n) == 0 && name->path[n] == '/' &&
            !strchr(name->path + n + 1, '/')) {
            name->synced = name->live;
        }
    }
}

/* ---- Surviving ---------------------------------------------------------------------------------
 */

static void folder_make(const char *path)
{
    char part[1024];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p == '/') {
            *p = 0;
            mkdir(part, 0700);
            *p = '/';
        }
    }
}

/* Each unsynced write arrived, did not, or only some of its sectors did. */
static void survivor_write(const Inode *i, const char *path)
{
    unsigned char *p = malloc((size_t)i->synced_n + 1);
    int64_t n = i->synced_n;
    assert(p);
    if (n) {
        memcpy(p, i->synced, (size_t)n);
    }
    for (const Write *w = i->first; w; w = w->next) {
        uint64_t fate = random_next() % 4;
        if (fate == 0) {
            continue;
        }
        int64_t sectors = w->n / SECTOR;
        int64_t torn = sectors ? (int64_t)(random_next() % (uint64_t)(sectors + 1)) * SECTOR : 0;
        write_apply(w, fate == 1 ? torn : w->n, &p, &n);
    }
    folder_make(path);
    FILE *f = fopen(path, "wb");
    assert(f && (n == 0 || fwrite(p, 1, (size_t)n, f) == (size_t)n));
    fclose(f);
    free(p);
}

void cut_survivors(const char *to)
{
    pthread_mutex_lock(&disk.lock);
    for (const Name *n = disk.names; n; n = n->next) {
        const Inode *left = n->live == n->synced || random_next() % 2 ? n->synced : n->live;
        char path[1024];
        snprintf(path, sizeof path, "%s%s", to, n->path + strlen(disk.root));
        bool scratch = strstr(n->path, "-shm") != NULL;
        if (left && !scratch) {
            survivor_write(left, path);
        }
    }
    pthread_mutex_unlock(&disk.lock);
}

static void forget(void)
{
    for (Inode *i = disk.inodes, *next; i; i = next) {
        next = i->next;
        inode_sync(i);
        free(i->synced);
        free(i);
    }
    for (Name *n = disk.names, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    disk.inodes = NULL;
    disk.names = NULL;
}

/* ---- The VFS
 * -------------------------------------------------------------------------------------- */

typedef struct CutFile {
    sqlite3_file base;
    sqlite3_file *real;
    char path[512];
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

static int cut_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}

static int cut_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    const CutFile *c = (CutFile *)f;
    if (c->ours) {
        pthread_mutex_lock(&disk.lock);
        bool on = power();
        if (on) {
            write_add(inode_of(c->path), p, n, at, false);
        }
        pthread_mutex_unlock(&disk.lock);
        if (!on) {
            return SQLITE_IOERR_WRITE;
        }
    }
    return REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
}

static int cut_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    const CutFile *c = (CutFile *)f;
    if (c->ours) {
        pthread_mutex_lock(&disk.lock);
        bool on = power();
        if (on) {
            write_add(inode_of(c->path), NULL, 0, size, true);
        }
        pthread_mutex_unlock(&disk.lock);
        if (!on) {
            return SQLITE_IOERR_TRUNCATE;
        }
    }
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

/* Of a new journal or write-ahead log the VFS below syncs the folder too. */
static int cut_sync(sqlite3_file *f, int flags)
{
    const CutFile *c = (CutFile *)f;
    (void)flags;
    if (!c->ours) {
        return REAL(f)->pMethods->xSync(REAL(f), flags);
    }
    pthread_mutex_lock(&disk.lock);
    bool on = power();
    if (on) {
        inode_sync(inode_of(c->path));
        if (c->journal) {
            Name *n = name_of(c->path);
            n->synced = n->live;
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return on ? SQLITE_OK : SQLITE_IOERR_FSYNC;
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
    return SECTOR;
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
    pthread_mutex_lock(&disk.lock);
    c->ours = name && is_ours(name);
    bool on = !c->ours || !disk.dead;
    pthread_mutex_unlock(&disk.lock);
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
        pthread_mutex_lock(&disk.lock);
        inode_of(c->path);
        pthread_mutex_unlock(&disk.lock);
    }
    return SQLITE_OK;
}

static int cut_delete(sqlite3_vfs *v, const char *name, int sync_folder)
{
    (void)v;
    pthread_mutex_lock(&disk.lock);
    bool ours = is_ours(name), on = !ours || power();
    if (ours && on) {
        Name *n = name_of(name);
        n->live = NULL;
        if (sync_folder) {
            n->synced = NULL;
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return on ? unix_vfs->xDelete(unix_vfs, name, 0) : SQLITE_IOERR_DELETE;
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

/* ---- The program's own file calls (linked with --wrap)
 * ------------------------------------------- */

ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);

static bool path_of(int fd, char path[512])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 511);
    path[n > 0 ? n : 0] = 0;
    return n > 0;
}

static bool refused(bool on)
{
    pthread_mutex_unlock(&disk.lock);
    if (!on) {
        errno = EIO;
    }
    return !on;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    char path[512];
    pthread_mutex_lock(&disk.lock);
    bool ours = path_of(fd, path) && is_ours(path), on = !ours || power();
    if (ours && on) {
        write_add(inode_of(path), p, (int64_t)n, lseek(fd, 0, SEEK_CUR), false);
    }
    return refused(on) ? -1 : __real_write(fd, p, n);
}

int __wrap_fsync(int fd)
{
    char path[512];
    struct stat st;
    pthread_mutex_lock(&disk.lock);
    bool known = path_of(fd, path);
    bool root = known && disk.counting && strcmp(path, disk.root) == 0;
    bool ours = known && (root || is_ours(path)), on = !ours || power();
    if (ours && on) {
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
            folder_sync(path);
        } else {
            inode_sync(inode_of(path));
        }
    }
    return refused(on) ? -1 : ours ? 0 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    pthread_mutex_lock(&disk.lock);
    bool ours = is_ours(to), on = !ours || power();
    if (ours && on) {
        Inode *moved = inode_of(from);
        name_of(from)->live = NULL;
        name_of(to)->live = moved;
    }
    return refused(on) ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    pthread_mutex_lock(&disk.lock);
    bool ours = is_ours(path), on = !ours || power();
    if (ours && on) {
        name_of(path)->live = NULL;
    }
    return refused(on) ? -1 : __real_unlink(path);
}

/* ---- Life
 * ---------------------------------------------------------------------------------------------- */

void cut_start(const char *root, uint64_t cut_at, uint64_t seed)
{
    if (!unix_vfs) {
        unix_vfs = sqlite3_vfs_find(NULL);
        assert(unix_vfs && sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
    }
    pthread_mutex_lock(&disk.lock);
    forget();
    snprintf(disk.root, sizeof disk.root, "%s", root);
    disk.cut_at = cut_at;
    disk.seed = seed;
    disk.calls = 0;
    disk.dead = false;
    disk.counting = true;
    pthread_mutex_unlock(&disk.lock);
}

uint64_t cut_calls(void)
{
    pthread_mutex_lock(&disk.lock);
    uint64_t n = disk.calls;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

bool cut_happened(void)
{
    pthread_mutex_lock(&disk.lock);
    bool dead = disk.dead;
    pthread_mutex_unlock(&disk.lock);
    return dead;
}

void cut_now(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.dead = true;
    pthread_mutex_unlock(&disk.lock);
}

void cut_end(void)
{
    pthread_mutex_lock(&disk.lock);
    forget();
    disk.counting = false;
    pthread_mutex_unlock(&disk.lock);
}
