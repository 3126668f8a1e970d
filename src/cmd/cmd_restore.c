/* menkou restore: a data directory made from a backup, which it proves first. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "cmd.h"
#include "cmd_manifest.h"
#include "db.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou restore FOLDER --data DIR [--db postgresql://...] [--keys FILE] [--epoch N]\n"
    "\n"
    "Makes the data directory DIR (new or empty) from a backup. Every file is proved against its\n"
    "SHA-256 before anything is written. The copy begins a new epoch, so that what it writes is\n"
    "told apart from what the original may still write; its index is built, which takes a while.\n"
    "\n"
    "  --db ADDRESS the rows go into this database, which must be empty, whatever the backup was "
    "made\n"
    "               of; without it they are files in DIR\n"
    "  --keys FILE  the audit's key, where the backup was made with --keys\n"
    "  --epoch N    at least this epoch: where another copy of the same backup is in use already\n"
    "\n"
    "Afterwards: menkou check --data DIR.\n"
    "\n"
    "Exit status: 0 done; 1 the backup is damaged or not whole, or DIR cannot be written; 2 wrong\n"
    "use, or DIR is not empty; 3 DIR is held by another process.\n";

typedef struct Restore {
    Arena *arena;
    Str from, to;
    const char *keys;     /* NULL: the backup has it */
    const char *database; /* NULL: files */
    int64_t epoch;        /* at least; 0: the next */
    bool moved;           /* the rows are in the database */
    Manifest m;
    uint64_t blobs;
    Err *err;
} Restore;

/* ---- Proving ----------------------------------------------------------------------------------
 */

static Status damaged(Restore *r, Str name)
{
    return err_add(r->err, ERR_CONFLICT, "integrity", name, "备份中的文件与清单不符，已损坏",
                   "A file of the backup is not what its list says: it is damaged");
}

static Status file_prove(Restore *r, const ManifestFile *f, const char *to)
{
    FileSum sum;
    TRY(file_copy(path_join(r->arena, r->from, f->name).p, to, UINT64_MAX, 0600, &sum, r->err));
    bool same = sum.bytes == f->sum.bytes && memcmp(sum.sha.b, f->sum.sha.b, sizeof sum.sha.b) == 0;
    return same ? OK : damaged(r, f->name);
}

static Status blob_prove(void *ctx, Str relative, Err *err)
{
    Restore *r = ctx;
    Str folder, sha;
    Arena scratch;
    uint64_t bytes;
    if (!str_cut(relative, '/', &folder, &sha) || sha.n != 64) {
        return OK; /* what a backup that was cut off left before its rename */
    }
    arena_init(&scratch, 0);
    Status s = manifest_blob_copy(&scratch, r->from, STR_NONE, sha, &bytes, err);
    arena_done(&scratch);
    cmd_progress((void *)(uintptr_t) "restore", "proving", ++r->blobs, r->m.blobs);
    return s;
}

static Status key_missing(Restore *r)
{
    return err_add(r->err, ERR_INVALID, NULL, r->from,
                   "备份中没有审计密钥，请用 --keys FILE 指出备份时存放密钥的文件",
                   "The backup has no audit key; name the file it was kept in with --keys FILE");
}

static bool has_audit(const Manifest *m)
{
    for (size_t i = 0; i < m->file_n; i++) {
        if (str_starts(m->file[i].as, STR("audit/"))) {
            return true;
        }
    }
    return false;
}

/* Everything in the backup is what it should be; nothing has been written yet. */
static Status backup_prove(Restore *r)
{
    TRY(manifest_read(r->arena, r->from.p, &r->m, r->err));
    if (!manifest_find(&r->m, STR("log.db"))) {
        return err_add(r->err, ERR_CONFLICT, NULL, r->from, "备份没有做完，不能恢复",
                       "The backup was never finished and cannot be restored");
    }
    if (!r->keys && has_audit(&r->m) && !manifest_find(&r->m, STR(AUDIT_KEY_NAME))) {
        return key_missing(r);
    }
    for (size_t i = 0; i < r->m.file_n; i++) {
        TRY(file_prove(r, &r->m.file[i], NULL));
    }
    const char *blobs = path_join(r->arena, r->from, STR("blobs")).p;
    return file_exists(blobs) ? dir_walk(r->arena, blobs, blob_prove, r, r->err) : OK;
}

/* ---- Copying ----------------------------------------------------------------------------------
 */

static Status target_prepare(Restore *r)
{
    const char *to = r->to.p;
    if (file_exists(to) && !manifest_folder_empty(to)) {
        return err_add(r->err, ERR_INVALID, NULL, r->to, "目录不是空的；恢复到一个新目录",
                       "The folder is not empty; restore into a new one");
    }
    TRY(dir_make(to, 0700, r->err));
    TRY(dir_make(path_join(r->arena, r->to, STR("audit")).p, 0700, r->err));
    return dir_make(path_join(r->arena, r->to, STR("blobs")).p, 0700, r->err);
}

/* Who the copy is, so that it finds itself to be another and begins a new epoch. */
static Status node_write(Restore *r)
{
    const StoreMoment *m = &r->m.moment;
    int64_t before = r->epoch > m->epoch ? r->epoch - 1 : 0;
    Str text = arena_printf(r->arena, "{\"database\":\"%.*s\",\"site\":%lld,\"epoch\":%lld}\n",
                            STR_ARG(m->database), (long long)m->site, (long long)before);
    return file_write_durable(path_join(r->arena, r->to, STR("node.json")).p, text, 0600, r->err);
}

static Status files_copy(Restore *r)
{
    FileSum sum;
    for (size_t i = 0; i < r->m.file_n; i++) {
        const ManifestFile *f = &r->m.file[i];
        TRY(file_prove(r, f, path_join(r->arena, r->to, f->as).p));
        cmd_progress((void *)(uintptr_t) "restore", "files", i + 1, r->m.file_n);
    }
    return r->keys ? file_copy(r->keys, path_join(r->arena, r->to, STR(AUDIT_KEY_NAME)).p,
                               UINT64_MAX, 0600, &sum, r->err)
                   : OK;
}

static Status blob_copy(void *ctx, Str sha, bool needed, Err *err)
{
    Restore *r = ctx;
    Arena scratch;
    uint64_t bytes;
    arena_init(&scratch, 0);
    Status s = needed || file_exists(manifest_blob_path(&scratch, r->from, sha))
                   ? manifest_blob_copy(&scratch, r->from, r->to, sha, &bytes, err)
                   : OK;
    arena_done(&scratch);
    cmd_progress((void *)(uintptr_t) "restore", "blobs", ++r->blobs, r->m.blobs);
    return s;
}

/* Into the database that the folder names from then on. */
static Status rows_move(Restore *r, StoreReader *reader)
{
    const char *path = path_join(r->arena, r->to, STR(STORE_DATABASE_FILE)).p;
    Str line = arena_printf(r->arena, "%s\n", r->database);
    TRY(file_write_durable(path, line, 0600, r->err));
    TRY(store_move(reader, r->to.p, r->epoch, cmd_progress, (void *)(uintptr_t) "restore", r->err));
    r->moved = true;
    return OK;
}

/* The log itself says which blobs belong to it. */
static Status files_read(Restore *r, CmdStore *c)
{
    StoreOptions o = {.dir = r->to.p,
                      .clock = &c->clock,
                      .random = &c->random,
                      .zone_min = ZONE_CHINA_MIN,
                      .read_only = true};
    r->blobs = 0;
    TRY(store_open(&o, &c->store, r->err));
    TRY(store_reader_open(c->store, &c->reader, r->err));
    Status s = store_blobs_named(c->reader, blob_copy, r, r->err);
    s = s == OK && r->database ? rows_move(r, c->reader) : s;
    store_reader_close(c->reader);
    c->reader = NULL;
    store_close(c->store);
    c->store = NULL;
    return s;
}

/* What is in the database now. */
static void rows_unlink(Restore *r)
{
    static const char *const names[] = {"log.db", "log.db-wal", "log.db-shm", "hooks.db"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(path_join(r->arena, r->to, str_from_c(names[i])).p);
    }
}

static Status hooks_move(Restore *r, CmdStore *c)
{
    ApiHooksPlace to, from = {.path = path_join(r->arena, r->to, STR("hooks.db")).p};
    store_beside(c->store, r->arena, "hooks", &to.path, &to.space);
    return api_hooks_copy(&from, &to, r->err);
}

/* The first opening for writing: the epoch is raised, then the index built. */
static Status first_open(Restore *r, CmdStore *c)
{
    StoreOptions o = {.dir = r->to.p,
                      .clock = &c->clock,
                      .random = &c->random,
                      .zone_min = ZONE_CHINA_MIN,
                      .progress = cmd_progress,
                      .progress_ctx = (void *)(uintptr_t) "restore"};
    TRY(store_open(&o, &c->store, r->err));
    TRY(store_reader_open(c->store, &c->reader, r->err));
    StoreMoment now;
    TRY(store_moment(c->reader, r->arena, &now, r->err));
    if (now.seq != r->m.moment.seq || !str_eq(now.digest, r->m.moment.digest)) {
        return damaged(r, STR("log.db"));
    }
    printf("restored: up to change %llu; epoch %lld begins after %lld\n",
           (unsigned long long)now.seq, (long long)now.epoch, (long long)r->m.moment.epoch);
    return OK;
}

static Status restore_make(Restore *r, CmdStore *c)
{
    TRY(node_write(r));
    TRY(files_copy(r));
    TRY(files_read(r, c));
    TRY(manifest_dirs_sync(r->arena, r->to, r->err));
    TRY(first_open(r, c));
    if (r->database) {
        TRY(hooks_move(r, c));
        rows_unlink(r);
    }
    return OK;
}

/* ---- The command ------------------------------------------------------------------------------
 */

static int restore_run(Restore *r, CmdStore *c)
{
    Status s = backup_prove(r);
    bool begun = false;
    s = s == OK ? target_prepare(r) : s;
    begun = s == OK;
    s = s == OK ? restore_make(r, c) : s;
    if (s == OK) {
        return fflush(stdout) == 0 ? CMD_DONE : CMD_FAULTS;
    }
    int rc = cmd_failed("restore", r->err);
    if (begun) {
        /* Half a copy is no data directory. */
        if (r->moved && store_database_discard(r->to, NULL) != OK) {
            fprintf(stderr, "menkou restore: rows stay behind in the database; drop its schemas\n");
        }
        unlink(path_join(r->arena, r->to, STR("log.db")).p);
        unlink(path_join(r->arena, r->to, STR(STORE_DATABASE_FILE)).p);
        fprintf(stderr, "menkou restore: %s is not whole; remove it\n", r->to.p);
    }
    return s == ERR_INVALID || (s == ERR_NOT_FOUND && !begun) ? rc : CMD_FAULTS;
}

static int epoch_read(const char *text, int64_t *ret)
{
    if (text && (!str_to_i64(str_from_c(text), ret) || *ret < 1)) {
        return cmd_wrong_use("restore", "'%s' is no epoch; write a number from 1", text);
    }
    return -1;
}

int cmd_restore(int argc, char **argv)
{
    const char *from = NULL, *dir = NULL, *keys = NULL, *epoch = NULL;
    const CmdOption options[] = {
        {"--data", &dir, NULL}, {"--keys", &keys, NULL}, {"--epoch", &epoch, NULL}};
    CmdArgs args = {.command = "restore",
                    .usage = USAGE,
                    .option = options,
                    .option_n = 3,
                    .word = &from,
                    .word_max = 1,
                    .database_later = true};
    int64_t least = 0;
    int rc = cmd_args_parse(&args, argc, argv);
    rc = rc < 0 ? epoch_read(epoch, &least) : rc;
    if (rc < 0 && (!from || !dir)) {
        rc = cmd_wrong_use("restore", from ? "--data DIR is missing" : "the backup is missing");
    }
    if (rc >= 0) {
        return rc;
    }
    if (args.database && !db_path_is_server(str_from_c(args.database))) {
        return cmd_wrong_use("restore", "--db takes an address postgresql://..., not '%s'",
                             args.database);
    }
    CmdStore c;
    cmd_store_init(&c);
    Restore r = {.arena = &c.arena,
                 .from = str_from_c(from),
                 .to = str_from_c(dir),
                 .keys = keys,
                 .database = args.database,
                 .epoch = least,
                 .err = &c.err};
    rc = restore_run(&r, &c);
    cmd_store_close(&c);
    return rc;
}
