#include "cutdisk.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Write {
    struct Write *next;
    int64_t at, n;
    bool truncate; /* to `at` */
    unsigned char bytes[];
} Write;

/* A file's bytes. */
typedef struct Image {
    unsigned char *p;
    int64_t n, room;
} Image;

/* What a name leads to. */
typedef struct Inode {
    struct Inode *next;
    bool folder;
    Image synced;
    Write *first, *last;
} Inode;

typedef struct Name {
    struct Name *next;
    char path[CUT_PATH_MAX];
    Inode *live, *synced; /* NULL: there is no such name */
    const Inode *left;    /* after the cut */
} Name;

typedef struct Fault {
    unsigned ops; /* CutOp bits; 0: none is armed */
    int error;
    uint64_t after, times, calls, failed;
} Fault;

static struct {
    pthread_mutex_t lock;
    char root[256];
    uint64_t cut_at, calls, seed;
    const char *cut_at_sync; /* NULL: none */
    bool counting, dead;
    Fault fault;
    Inode *inodes;
    Name *names;
} disk = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP}; /* its own file calls come by too */

static uint64_t random_next(void)
{
    disk.seed += 0x9e3779b97f4a7c15u;
    uint64_t z = disk.seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- The model ------------------------------------------------------------------------------ */

void disk_enter(void)
{
    pthread_mutex_lock(&disk.lock);
}

void disk_leave(void)
{
    pthread_mutex_unlock(&disk.lock);
}

bool disk_has(const char *path)
{
    size_t n = strlen(disk.root);
    return disk.counting && strncmp(path, disk.root, n) == 0 && path[n] == '/';
}

bool disk_is_root(const char *path)
{
    return disk.counting && strcmp(path, disk.root) == 0;
}

static bool fault_strikes(Fault *f, CutOp op)
{
    if (!(f->ops & (unsigned)op)) {
        return false;
    }
    f->calls++;
    bool strikes = f->calls > f->after && (f->times == 0 || f->failed < f->times);
    f->failed += strikes;
    return strikes;
}

/* A cut is at a call that changes something: what is read does not count. */
int disk_call(CutOp op)
{
    if (op != CUT_READ && !disk.dead && ++disk.calls == disk.cut_at) {
        disk.dead = true;
    }
    return disk.dead ? EIO : fault_strikes(&disk.fault, op) ? disk.fault.error : 0;
}

bool disk_is_dead(void)
{
    return disk.dead;
}

int disk_sync_call(const char *path)
{
    if (disk.cut_at_sync && strstr(path, disk.cut_at_sync)) {
        disk.dead = true;
    }
    return disk_call(CUT_SYNC);
}

static Name *name_find(const char *path)
{
    for (Name *n = disk.names; n; n = n->next) {
        if (strcmp(n->path, path) == 0) {
            return n;
        }
    }
    return NULL;
}

static Name *name_of(const char *path)
{
    Name *n = name_find(path);
    if (n) {
        return n;
    }
    n = calloc(1, sizeof *n);
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

void disk_file(const char *path)
{
    inode_of(path);
}

void disk_folder(const char *path)
{
    inode_of(path)->folder = true;
}

void disk_write(const char *path, const void *bytes, int64_t n, int64_t at)
{
    write_add(inode_of(path), bytes, n, at, false);
}

void disk_truncate(const char *path, int64_t size)
{
    write_add(inode_of(path), NULL, 0, size, true);
}

void disk_rename(const char *from, const char *to)
{
    Inode *moved = inode_of(from);
    name_of(from)->live = NULL;
    name_of(to)->live = moved;
}

void disk_remove(const char *path, bool durable)
{
    Name *n = name_of(path);
    n->live = NULL;
    if (durable) {
        n->synced = NULL;
    }
}

/* ---- Syncing -------------------------------------------------------------------------------- */

static void image_size(Image *m, int64_t size)
{
    if (size > m->room) {
        m->room = size + size / 2;
        m->p = realloc(m->p, (size_t)m->room);
        assert(m->p);
    }
    if (size > m->n) {
        memset(m->p + m->n, 0, (size_t)(size - m->n));
    }
    m->n = size;
}

/* `from` and `to` of the write's bytes arrive. */
static void write_apply(const Write *w, int64_t from, int64_t to, Image *m)
{
    if (w->truncate) {
        image_size(m, w->at);
        return;
    }
    if (w->at + to > m->n) {
        image_size(m, w->at + to);
    }
    if (to > from) {
        memcpy(m->p + w->at + from, w->bytes + from, (size_t)(to - from));
    }
}

static void inode_sync(Inode *i)
{
    for (Write *w = i->first, *next; w; w = next) {
        next = w->next;
        write_apply(w, 0, w->n, &i->synced);
        free(w);
    }
    i->first = i->last = NULL;
}

void disk_sync_file(const char *path)
{
    inode_sync(inode_of(path));
}

void disk_sync_name(const char *path)
{
    Name *n = name_of(path);
    n->synced = n->live;
}

void disk_sync_folder(const char *path)
{
    size_t n = strlen(path);
    for (Name *name = disk.names; name; name = name->next) {
        if (strncmp(name->path, path, n) == 0 && name->path[n] == '/' &&
            !strchr(name->path + n + 1, '/')) {
            name->synced = name->live;
        }
    }
}

/* ---- Surviving ------------------------------------------------------------------------------ */

static void folder_make(const char *path)
{
    char part[2 * CUT_PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p == '/') {
            *p = 0;
            mkdir(part, 0700);
            *p = '/';
        }
    }
}

/* Each sector for itself: what did not arrive is as it was, or zeros behind the old end. */
static void sectors_apply(const Write *w, Image *m)
{
    for (int64_t at = 0; at < w->n;) {
        int64_t next = (w->at + at) / CUT_SECTOR * CUT_SECTOR + CUT_SECTOR - w->at;
        next = next < w->n ? next : w->n;
        if (random_next() % 2) {
            write_apply(w, at, next, m);
        }
        at = next;
    }
}

/* An unsynced write arrived, did not, arrived as far as some sector, or with sectors missing. */
static void write_survive(const Write *w, Image *m)
{
    int64_t sectors = w->n / CUT_SECTOR + 1;
    switch (w->truncate ? random_next() % 2 * 3 : random_next() % 4) {
    case 0:
        break;
    case 1:
        write_apply(w, 0, (int64_t)(random_next() % (uint64_t)sectors) * CUT_SECTOR, m);
        break;
    case 2:
        sectors_apply(w, m);
        break;
    default:
        write_apply(w, 0, w->n, m);
    }
}

static void survivor_write(const Inode *i, const char *path)
{
    Image m = {0};
    image_size(&m, i->synced.n);
    if (m.n) {
        memcpy(m.p, i->synced.p, (size_t)m.n);
    }
    for (const Write *w = i->first; w; w = w->next) {
        write_survive(w, &m);
    }
    folder_make(path);
    FILE *f = fopen(path, "wb");
    assert(f && (m.n == 0 || fwrite(m.p, 1, (size_t)m.n, f) == (size_t)m.n));
    fclose(f);
    free(m.p);
}

/* All folders above it, as far as they are known, are left. */
static bool way_is_left(const char *path)
{
    char part[CUT_PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strrchr(part, '/'); slash && slash > part + strlen(disk.root);
         slash = strrchr(part, '/')) {
        *slash = 0;
        const Name *folder = name_find(part);
        if (folder && !folder->left) {
            return false;
        }
    }
    return true;
}

void cut_survivors(const char *to)
{
    disk_enter();
    for (Name *n = disk.names; n; n = n->next) {
        n->left = n->live == n->synced || random_next() % 2 ? n->synced : n->live;
    }
    for (const Name *n = disk.names; n; n = n->next) {
        char path[2 * CUT_PATH_MAX];
        snprintf(path, sizeof path, "%s%s", to, n->path + strlen(disk.root));
        bool scratch = strstr(n->path, "-shm") != NULL;
        if (n->left && !n->left->folder && !scratch && way_is_left(n->path)) {
            survivor_write(n->left, path);
        }
    }
    disk_leave();
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void forget(void)
{
    for (Inode *i = disk.inodes, *next; i; i = next) {
        next = i->next;
        inode_sync(i);
        free(i->synced.p);
        free(i);
    }
    for (Name *n = disk.names, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    disk.inodes = NULL;
    disk.names = NULL;
}

/* What was there before is durable. */
static int adopt(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    if (at->level == 0) {
        return 0;
    }
    Inode *i = inode_of(path);
    i->folder = flag == FTW_D;
    disk_sync_name(path);
    if (flag == FTW_F && st->st_size > 0) {
        FILE *f = fopen(path, "rb");
        image_size(&i->synced, st->st_size);
        assert(f && fread(i->synced.p, 1, (size_t)st->st_size, f) > 0);
        fclose(f);
    }
    return 0;
}

void cut_start(const char *root, uint64_t cut_at, uint64_t seed)
{
    cut_vfs_register();
    disk_enter();
    forget();
    nftw(root, adopt, 16, FTW_PHYS);
    snprintf(disk.root, sizeof disk.root, "%s", root);
    disk.cut_at = cut_at;
    disk.cut_at_sync = NULL;
    disk.seed = seed;
    disk.calls = 0;
    disk.dead = false;
    disk.counting = true;
    disk.fault = (Fault){0};
    disk_leave();
}

void cut_in(uint64_t calls)
{
    disk_enter();
    disk.cut_at = disk.calls + calls;
    disk_leave();
}

void cut_at_sync(const char *part)
{
    disk_enter();
    disk.cut_at_sync = part;
    disk_leave();
}

uint64_t cut_calls(void)
{
    disk_enter();
    uint64_t n = disk.calls;
    disk_leave();
    return n;
}

bool cut_happened(void)
{
    disk_enter();
    bool dead = disk.dead;
    disk_leave();
    return dead;
}

void cut_now(void)
{
    disk_enter();
    disk.dead = true;
    disk_leave();
}

void cut_fail(unsigned ops, int error, uint64_t after, uint64_t times)
{
    disk_enter();
    disk.fault = (Fault){.ops = ops, .error = error, .after = after, .times = times};
    disk_leave();
}

uint64_t cut_fail_calls(void)
{
    disk_enter();
    uint64_t n = disk.fault.calls;
    disk_leave();
    return n;
}

uint64_t cut_fail_failed(void)
{
    disk_enter();
    uint64_t n = disk.fault.failed;
    disk_leave();
    return n;
}

void cut_end(void)
{
    disk_enter();
    forget();
    disk.counting = false;
    disk_leave();
}
