/* The data directory: its lock, where the log ends, opening and closing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_inner.h"
#include "store_persons.h"
#include "store_term.h"

#include "mk_banned.h"

const char *store_path(Arena *a, const Store *s, const char *name)
{
    return path_join(a, s->dir, str_from_c(name)).p;
}

bool store_is_there(Str dir)
{
    Arena a;
    arena_init(&a, 0);
    bool there = file_exists(path_join(&a, dir, STR("log.db")).p) ||
                 file_exists(path_join(&a, dir, STR(STORE_DATABASE_FILE)).p);
    arena_done(&a);
    return there;
}

/* What a file would hold is a space of tables on a server. */
static const char *space_of(const char *name)
{
    static const char *const spaces[][2] = {
        {"log.db", "log"}, {"index.db", "index"}, {"index-new.db", "index_new"}};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        if (str_is(str_from_c(name), spaces[i][0])) {
            return spaces[i][1];
        }
    }
    return name;
}

Status store_db_open(Store *s, const char *name, DbSync sync, bool create, Db **ret, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    /* Who writes keeps the pages that wait for the commit; a bulk load those of a whole county. */
    int cache_mib = s->options.bulk ? 768 : create ? 64 : 16;
    DbOptions o = {
        .path = s->server ? s->server : store_path(&a, s, name),
        .space = space_of(name),
        .sync = sync,
        .create = create,
        .read_only = s->options.read_only,
        .page_bytes = 8192,
        .cache_kib = cache_mib * 1024,
        .overwrite = create && str_is(str_from_c(name), "log.db"),
        .mmap_bytes = s->options.vfs ? 0 : (int64_t)64 << 30,
        .wait_ms = STORE_WAIT_MS,
        .vfs = s->options.vfs,
    };
    Status st = db_open(&o, ret, err);
    arena_done(&a);
    return st;
}

/* ---- Folder and lock --------------------------------------------------------------------- */

static Status dir_temporary(Store *s, Err *err)
{
    const char *roots[] = {"/dev/shm", getenv("TMPDIR"), "/tmp"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (!roots[i] || access(roots[i], W_OK) != 0) {
            continue;
        }
        Str template = path_join(&s->arena, str_from_c(roots[i]), STR("menkou-XXXXXX"));
        char *name = arena_cstr(&s->arena, template);
        if (mkdtemp(name)) {
            s->dir = str_from_c(name);
            s->temporary = true;
            return OK;
        }
    }
    return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "无法建立临时目录",
                   "No temporary folder can be made");
}

static Status unlink_one(void *ctx, Str relative, Err *err)
{
    (void)err;
    Store *s = ctx;
    unlink(path_join(&s->arena, s->dir, relative).p);
    return OK;
}

static void dir_remove(Store *s)
{
    static const char *const folders[] = {"blobs"};
    Status st = dir_walk(&s->arena, s->dir.p, unlink_one, s, NULL);
    for (unsigned i = 0; st == OK && i < 256; i++) {
        rmdir(arena_printf(&s->arena, "%.*s/blobs/%02x", STR_ARG(s->dir), i).p);
    }
    rmdir(store_path(&s->arena, s, folders[0]));
    rmdir(s->dir.p);
}

static Status dir_unwritable(const Store *s, int reason, Err *err)
{
    return err_rule(
        err, ERR_CONFLICT, STR("unknown-state"), s->dir,
        "无法写入数据目录：%s。只读取也须能写入（数据库在其中共享内存）：请以其所有者的身份"
        "运行，或先复制到可写的地方",
        "The data folder cannot be written: %s. Reading needs it, too (the database "
        "shares its memory there): run as its owner, or copy it first",
        strerrordesc_np(reason));
}

static Status dir_lock(Store *s, Err *err)
{
    const char *path = store_path(&s->arena, s, "lock");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        return dir_unwritable(s, errno, err);
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_rule(err, ERR_UNAVAILABLE, STR("held"), s->dir, "数据目录正被另一个进程使用",
                        "Another process has the data folder open");
    }
    return OK;
}

/* ---- Where the log ends ---------------------------------------------------------------------- */

static Status tail_load(Store *s, Err *err)
{
    int64_t seq, tx, rid;
    TRY(db_get_i64(s->log, "SELECT max(seq) FROM version", 0, &seq, err));
    TRY(db_get_i64(s->log, "SELECT max(tx) FROM tx", 0, &tx, err));
    TRY(db_get_i64(s->log, "SELECT max(rid) FROM head", 0, &rid, err));
    TRY(db_get_i64(s->log, "SELECT at FROM tx ORDER BY tx DESC LIMIT 1", INT64_MIN, &s->at_ms,
                   err));
    s->seq = (uint64_t)seq;
    s->tx = (uint64_t)tx;
    s->rid = rid;
    DbStmt *st = db_take(s->log, "SELECT digest FROM tx ORDER BY tx DESC LIMIT 1");
    if (!st) {
        return db_failed(s->log, err);
    }
    DbStep step = db_step(st);
    Status status = step == DB_FAIL || step == DB_RETRY ? db_failed(s->log, err) : OK;
    if (step == DB_ROW && db_col_str(st, 0).n == sizeof s->digest) {
        memcpy(&s->digest, db_col_str(st, 0).p, sizeof s->digest);
    }
    db_give(st);
    return status;
}

static Status oseq_load(Store *s, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT max(oseq) FROM tx WHERE site = ? AND epoch = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, s->site);
    db_bind_i64(st, 1, s->epoch);
    DbStep step = db_step(st);
    Status status = step == DB_ROW ? OK : db_failed(s->log, err);
    s->oseq = step == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return status;
}

/* ---- Open and close ----------------------------------------------------------------------------
 */

static Status open_for_writing(Store *s, Err *err)
{
    DbSync sync = s->temporary || s->options.bulk ? DB_SYNC_OFF : DB_SYNC_FULL;
    TRY(dir_lock(s, err));
    TRY(dir_make(store_path(&s->arena, s, "blobs"), 0700, err));
    if (s->server) {
        TRY(server_open(s, sync, err));
        atomic_store(&s->seq_seen, s->seq);
        return writer_start(s, err);
    }
    TRY(store_db_open(s, "log.db", sync, true, &s->log, err));
    TRY(log_migrate(s->log, err));
    TRY(identity_load(s, err));
    TRY(tail_load(s, err));
    TRY(epoch_check(s, err));
    TRY(oseq_load(s, err));
    TRY(labels_settle(s, err));
    /* The names of the new files must not be lost either. */
    TRY(dir_sync(s->dir.p, err));
    TRY(index_open(s, err));
    atomic_store(&s->seq_seen, s->seq);
    return writer_start(s, err);
}

static Status open_for_reading(Store *s, Err *err)
{
    if (s->server) {
        TRY(server_open_for_reading(s, err));
        atomic_store(&s->seq_seen, s->seq);
        return OK;
    }
    if (access(s->dir.p, W_OK) != 0) {
        return dir_unwritable(s, errno, err);
    }
    TRY(store_db_open(s, "log.db", DB_SYNC_FULL, false, &s->log, err));
    TRY(log_migrated(s->log, err));
    TRY(identity_load(s, err));
    TRY(tail_load(s, err));
    atomic_store(&s->seq_seen, s->seq);
    return OK;
}

static Status open_dir(Store *s, Err *err)
{
    if (!s->options.dir) {
        return dir_temporary(s, err);
    }
    s->dir = arena_str(&s->arena, str_from_c(s->options.dir));
    if (s->options.read_only) {
        return store_is_there(s->dir)
                   ? OK
                   : err_add(err, ERR_NOT_FOUND, NULL, s->dir, "此目录没有门口的数据",
                             "There are no data of Menkou in this folder");
    }
    return dir_make(s->dir.p, 0700, err);
}

Status store_open(const StoreOptions *options, Store **ret, Err *err)
{
    Store *s = calloc(1, sizeof *s);
    mk_check(s != NULL);
    s->options = *options;
    s->lock_fd = -1;
    arena_init(&s->arena, 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->keeping[WAL_LOG], NULL);
    pthread_mutex_init(&s->keeping[WAL_INDEX], NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_mutex_init(&s->params_lock, NULL);
    pthread_mutex_init(&s->settling, NULL);
    pthread_mutex_init(&s->build_lock, NULL);
    pthread_mutex_init(&s->rebuilding, NULL);
    arena_init(&s->params_arena, 0);
    arena_init(&s->stand_arena, 0);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&s->news, &mono);
    pthread_cond_init(&s->build_news, &mono);
    pthread_condattr_destroy(&mono);
    body_codec_init(&s->codec);
    body_dicts_load(s);
    group_init(&s->group);
    delta_open(s);
    own_lists_open(s);
    kept_open(s);
    s->terms = fhir_term_cache_new(STORE_TERM_BYTES);
    Status st = open_dir(s, err);
    st = st == OK ? server_find(s, err) : st;
    if (st == OK) {
        st = s->options.read_only ? open_for_reading(s, err) : open_for_writing(s, err);
    }
    if (st != OK) {
        store_close(s);
        return st;
    }
    *ret = s;
    return OK;
}

void store_close(Store *s)
{
    if (!s) {
        return;
    }
    writer_stop(s);
    while (s->spare) {
        StoreReader *r = s->spare;
        s->spare = r->next;
        store_reader_close(r);
    }
    store_persons_close(s);
    own_lists_close(s);
    kept_close(s);
    fhir_term_cache_free(s->terms);
    delta_close(s);
    if (s->server) {
        server_close(s);
    }
    db_close(s->index_asked);
    db_close(s->index);
    db_close(s->log);
    if (s->temporary) {
        dir_remove(s);
    }
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    free(s->blob_put);
    group_done(&s->group);
    body_codec_done(&s->codec);
    body_dicts_free(s);
    arena_done(&s->stand_arena);
    arena_done(&s->params_arena);
    pthread_cond_destroy(&s->build_news);
    pthread_mutex_destroy(&s->rebuilding);
    pthread_mutex_destroy(&s->build_lock);
    pthread_mutex_destroy(&s->settling);
    pthread_mutex_destroy(&s->params_lock);
    pthread_cond_destroy(&s->news);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->keeping[WAL_INDEX]);
    pthread_mutex_destroy(&s->keeping[WAL_LOG]);
    pthread_mutex_destroy(&s->lock);
    arena_done(&s->arena);
    free(s);
}

const Clock *store_clock(const Store *s)
{
    return s->options.clock;
}

Random *store_random(const Store *s)
{
    return s->options.random;
}

int store_zone_min(const Store *s)
{
    return s->options.zone_min;
}

uint64_t store_seq(const Store *s)
{
    return atomic_load(&s->seq_seen);
}

bool store_wait(Store *s, uint64_t after, int timeout_ms)
{
    if (store_seq(s) > after) {
        return true;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (int64_t)timeout_ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (rc == 0 && store_seq(s) <= after && !s->closing) {
        rc = pthread_cond_timedwait(&s->news, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return store_seq(s) > after;
}
