/* menkou backup: a copy of one moment, made beside a running server. */
#include <stdio.h>
#include <unistd.h>

#include "access_trail.h"
#include "api.h"
#include "cmd.h"
#include "cmd_manifest.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou backup --data DIR --to FOLDER [--keys FILE]\n"
    "\n"
    "Copies a data directory as it stands in one moment, also while it is served; nobody waits "
    "for\n"
    "it. FOLDER is new, empty, or holds an earlier backup of the same data: then only what is new\n"
    "is copied, and the earlier one counts until the new one is whole.\n"
    "\n"
    "  --keys FILE  puts the audit's key into FILE instead of FOLDER: whoever holds only the "
    "backup\n"
    "               cannot compute the audit's chain anew. restore needs it again.\n"
    "\n"
    "Data in PostgreSQL are copied as files would be: the rows of one moment, and what lies in "
    "this\n"
    "directory, which must hold the blobs. Each of several processes has an audit of its own: "
    "back\n"
    "up each one's directory.\n"
    "\n"
    "The index is not copied; restore builds it. FOLDER holds patients' data and the digests of\n"
    "passwords: guard it like the data.\n"
    "\n"
    "Exit status: 0 done; 1 it could not be written, or the data are damaged; 2 wrong use, or\n"
    "FOLDER holds something else; 3 unknown state.\n";

#define HOOKS_NAME "hooks.db"

/* Beside the databases; not there is no fault. */
static const char *const OTHER_FILES[] = {CMD_DEMO_MARKER, "accounts.json"};

typedef struct BlobWish {
    struct BlobWish *next;
    Str sha;
    bool needed; /* a living Binary names it, not only an old version */
} BlobWish;

typedef struct Backup {
    CmdStore *store;
    Arena *arena;
    Str data, folder;
    const char *keys; /* NULL: in the folder */
    Manifest before;  /* file_n 0: none */
    ManifestList files;
    Map blobs; /* sha → BlobWish */
    BlobWish *blob_first, *blob_last;
    Str stamp; /* of the names of this backup's files */
    StoreMoment moment;
    uint64_t copied; /* bytes that were not there yet */
    Err *err;
} Backup;

/* ---- The folder -------------------------------------------------------------------------------
 */

static Status not_ours(Backup *b)
{
    return err_add(b->err, ERR_INVALID, NULL, b->folder, "该目录不是空的，也不是同一数据的备份",
                   "The folder is not empty and holds no backup of the same data");
}

/* A folder of its own says at once whose it is, so that a backup that was cut off is gone on with.
 */
static Status folder_prepare(Backup *b, Str database)
{
    const char *folder = b->folder.p;
    Status s = manifest_read(b->arena, folder, &b->before, b->err);
    if (s == OK) {
        return str_eq(b->before.moment.database, database) ? OK : not_ours(b);
    }
    if (s == ERR_INTERNAL) {
        return s; /* it cannot be read now, so whose it is is not known */
    }
    err_clear(b->err);
    if (s != ERR_NOT_FOUND || (file_exists(folder) && !manifest_folder_empty(folder))) {
        return not_ours(b);
    }
    Manifest begun = {.at_ms = clock_now(&b->store->clock), .moment.database = database};
    TRY(dir_make(folder, 0700, b->err));
    return manifest_write(b->arena, folder, &begun, b->err);
}

/* ---- What is copied ---------------------------------------------------------------------------
 */

static Status blob_seen(void *ctx, Str sha, bool needed, Err *err)
{
    (void)err;
    Backup *b = ctx;
    BlobWish *wish = map_get(&b->blobs, sha);
    if (!wish) {
        wish = arena_new(b->arena, BlobWish);
        *wish = (BlobWish){.sha = arena_str(b->arena, sha)};
        *(b->blob_last ? &b->blob_last->next : &b->blob_first) = wish;
        b->blob_last = wish;
        map_put(&b->blobs, wish->sha, wish);
    }
    wish->needed |= needed;
    return OK;
}

static Str stamped(Backup *b, Str as)
{
    return arena_cat(b->arena, as, STR("."), b->stamp);
}

static Status log_copy(Backup *b)
{
    CmdStore *c = b->store;
    StoreCopyTold told = {cmd_progress, (void *)(uintptr_t) "backup", blob_seen, b};
    ManifestFile file = {.as = STR("log.db")};
    file.name = stamped(b, file.as);
    const char *path = path_join(b->arena, b->folder, file.name).p;
    TRY(store_copy(c->reader, b->arena, path, &told, &b->moment, b->err));
    TRY(file_copy(path, NULL, UINT64_MAX, 0, &file.sum, b->err));
    b->copied += file.sum.bytes;
    manifest_add(&b->files, &file);
    return OK;
}

/*
 * Where subscribers stand, before the log of which it speaks: what they are told in between they
 * are told again after a restore, and nothing is passed over.
 */
static Status hooks_copy(Backup *b)
{
    ManifestFile file = {.as = STR(HOOKS_NAME), .name = stamped(b, STR(HOOKS_NAME))};
    ApiHooksPlace from, to = {.path = path_join(b->arena, b->folder, file.name).p};
    store_beside(b->store->store, b->arena, "hooks", &from.path, &from.space);
    TRY(api_hooks_copy(&from, &to, b->err));
    if (!file_exists(to.path)) {
        return OK;
    }
    TRY(file_copy(to.path, NULL, UINT64_MAX, 0, &file.sum, b->err));
    b->copied += file.sum.bytes;
    manifest_add(&b->files, &file);
    return OK;
}

/* An old version's content may have been removed since: uploads that nothing named. */
static Status blob_copy(Backup *b, Arena *a, const BlobWish *wish)
{
    uint64_t bytes = 0;
    if (!wish->needed && !file_exists(manifest_blob_path(a, b->data, wish->sha))) {
        return OK;
    }
    TRY(manifest_blob_copy(a, b->data, b->folder, wish->sha, &bytes, b->err));
    b->copied += bytes;
    return OK;
}

static Status blobs_copy(Backup *b)
{
    Arena scratch;
    Status s = dir_make(path_join(b->arena, b->folder, STR("blobs")).p, 0700, b->err);
    uint64_t done = 0;
    arena_init(&scratch, 0);
    for (const BlobWish *wish = b->blob_first; s == OK && wish; wish = wish->next) {
        s = blob_copy(b, &scratch, wish);
        arena_reset(&scratch);
        cmd_progress((void *)(uintptr_t) "backup", "blobs", ++done, b->blobs.n);
    }
    arena_done(&scratch);
    return s;
}

static Status file_take(Backup *b, Str as, uint64_t bytes)
{
    ManifestFile file = {.name = stamped(b, as), .as = arena_str(b->arena, as)};
    const char *from = path_join(b->arena, b->data, as).p;
    const char *to = path_join(b->arena, b->folder, file.name).p;
    TRY(file_copy(from, to, bytes, 0600, &file.sum, b->err));
    b->copied += file.sum.bytes;
    manifest_add(&b->files, &file);
    return OK;
}

/* A closed segment never changes: the last backup's copy serves again. */
static Status segment_seen(void *ctx, Str relative, uint64_t bytes, Err *err)
{
    (void)err;
    Backup *b = ctx;
    const ManifestFile *old = manifest_find(&b->before, relative);
    if (old && old->sum.bytes == bytes && str_ends(relative, STR(".zst")) &&
        file_exists(path_join(b->arena, b->folder, old->name).p)) {
        manifest_add(&b->files, old);
        return OK;
    }
    return file_take(b, relative, bytes);
}

static Status audit_copy(Backup *b)
{
    TRY(dir_make(path_join(b->arena, b->folder, STR("audit")).p, 0700, b->err));
    return access_audit_files(b->arena, b->data.p, segment_seen, b, b->err);
}

static Status others_copy(Backup *b)
{
    for (size_t i = 0; i < sizeof OTHER_FILES / sizeof *OTHER_FILES; i++) {
        Str name = str_from_c(OTHER_FILES[i]);
        if (file_exists(path_join(b->arena, b->data, name).p)) {
            TRY(file_take(b, name, UINT64_MAX));
        }
    }
    Str key = STR(AUDIT_KEY_NAME);
    const char *from = path_join(b->arena, b->data, key).p;
    FileSum sum;
    if (!file_exists(from)) {
        return OK; /* never served */
    }
    return b->keys ? file_copy(from, b->keys, UINT64_MAX, 0600, &sum, b->err)
                   : file_take(b, key, UINT64_MAX);
}

/* ---- The whole --------------------------------------------------------------------------------
 */

/* What the list before this one named and this one does not. */
static void leftovers_remove(Backup *b, const Manifest *now)
{
    for (size_t i = 0; i < b->before.file_n; i++) {
        Str name = b->before.file[i].name;
        bool named = false;
        for (size_t k = 0; k < now->file_n && !named; k++) {
            named = str_eq(now->file[k].name, name);
        }
        if (!named) {
            unlink(path_join(b->arena, b->folder, name).p);
        }
    }
}

static Status backup_finish(Backup *b)
{
    Manifest m = {.moment = b->moment,
                  .at_ms = clock_now(&b->store->clock),
                  .blobs = b->blobs.n,
                  .file = b->files.at,
                  .file_n = b->files.n};
    TRY(manifest_dirs_sync(b->arena, b->folder, b->err));
    TRY(manifest_write(b->arena, b->folder.p, &m, b->err));
    leftovers_remove(b, &m);
    printf("backup: up to change %llu of epoch %lld, %zu files, %llu blobs; %llu bytes copied\n",
           (unsigned long long)m.moment.seq, (long long)m.moment.epoch, m.file_n,
           (unsigned long long)m.blobs, (unsigned long long)b->copied);
    return OK;
}

/* The blobs are fenced from before the moment until they are copied. */
static Status backup_make(Backup *b)
{
    Status s = hooks_copy(b);
    s = s == OK ? log_copy(b) : s;
    s = s == OK ? blobs_copy(b) : s;
    s = s == OK ? audit_copy(b) : s;
    s = s == OK ? others_copy(b) : s;
    return s == OK ? backup_finish(b) : s;
}

static Status fence_take(Backup *b, const char *name, int *ret)
{
    const char *path = path_join(b->arena, b->data, str_from_c(name)).p;
    *ret = -1;
    for (int tries = 0; file_exists(path) && *ret < 0; tries++) {
        *ret = dir_fence(path, false);
        if (*ret < 0 && tries == 100) {
            return err_add(b->err, ERR_UNAVAILABLE, NULL, str_from_c(path),
                           "目录正在整理，请稍后再试",
                           "The folder is being put in order; try again shortly");
        }
        if (*ret < 0) {
            usleep(100000);
        }
    }
    return OK;
}

static Status backup_fenced(Backup *b)
{
    int blobs, audit = -1;
    TRY(fence_take(b, "blobs", &blobs));
    Status s = fence_take(b, "audit", &audit);
    s = s == OK ? backup_make(b) : s;
    if (audit >= 0) {
        close(audit);
    }
    if (blobs >= 0) {
        close(blobs);
    }
    return s;
}

static int backup_run(CmdStore *c, const char *data, const char *to, const char *keys)
{
    Backup b = {.store = c,
                .arena = &c->arena,
                .data = str_from_c(data),
                .folder = str_from_c(to),
                .keys = keys,
                .files.arena = &c->arena,
                .err = &c->err};
    map_init(&b.blobs, &c->arena);
    b.stamp = arena_printf(&c->arena, "%lld", (long long)clock_now(&c->clock));
    Status s = folder_prepare(&b, store_database(c->store));
    s = s == OK ? backup_fenced(&b) : s;
    if (s == OK) {
        return fflush(stdout) == 0 ? CMD_DONE : CMD_FAULTS;
    }
    int rc = cmd_failed("backup", &c->err);
    return s == ERR_INVALID ? rc : CMD_FAULTS;
}

int cmd_backup(int argc, char **argv)
{
    const char *dir = NULL, *to = NULL, *keys = NULL;
    const CmdOption options[] = {
        {"--data", &dir, NULL}, {"--to", &to, NULL}, {"--keys", &keys, NULL}};
    CmdArgs args = {.command = "backup", .usage = USAGE, .option = options, .option_n = 3};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc < 0 && !to) {
        rc = cmd_wrong_use("backup", "--to FOLDER is missing");
    }
    if (rc >= 0) {
        return rc;
    }
    CmdStore c;
    rc = cmd_store_open(&c, "backup", dir, CMD_BESIDE);
    rc = rc < 0 ? backup_run(&c, dir, to, keys) : rc;
    cmd_store_close(&c);
    return rc;
}
