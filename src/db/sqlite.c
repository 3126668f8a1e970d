/* The driver for SQLite. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "db_driver.h"
#include "db_sqlite_feed.h"

#include "mk_banned.h"

typedef struct Conn {
    sqlite3 *db;
    int wal_pages;
    int prepare_rc; /* of the last prepare that failed: giving back another statement clears it */
    char *path;
    SqliteFeed feed;
} Conn;

static int on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((Conn *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static bool exec(void *conn, const char *sql)
{
    return sqlite3_exec(((Conn *)conn)->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool exec_i64(Conn *c, const char *format, int64_t v)
{
    char *sql = sqlite3_mprintf(format, v);
    bool ok = sql && exec(c, sql);
    sqlite3_free(sql);
    return ok;
}

static bool sync_set(void *conn, DbSync sync)
{
    static const char *const sql[] = {"PRAGMA synchronous=OFF", "PRAGMA synchronous=NORMAL",
                                      "PRAGMA synchronous=FULL"};
    return exec(conn, sql[sync]);
}

static void packed_id(sqlite3_context *x, int n, sqlite3_value **v)
{
    (void)n;
    Str text = {(const char *)sqlite3_value_blob(v[0]), (size_t)sqlite3_value_bytes(v[0])};
    uint8_t id[DB_ID_BYTES];
    if (db_id_pack(text, id)) {
        sqlite3_result_blob(x, id, sizeof id, SQLITE_TRANSIENT);
    } else {
        sqlite3_result_value(x, v[0]);
    }
}

static bool set_up(Conn *c, const DbOptions *o)
{
    sqlite3_extended_result_codes(c->db, 1);
    if (sqlite3_create_function(c->db, "packed_id", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                packed_id, NULL, NULL) != SQLITE_OK ||
        !sqlite_feed_set_up(c->db, &c->feed)) {
        return false;
    }
    sqlite3_busy_timeout(c->db, o->wait_ms);
    if (o->page_bytes && !exec_i64(c, "PRAGMA page_size=%lld", o->page_bytes)) {
        return false;
    }
    if ((o->cache_kib && !exec_i64(c, "PRAGMA cache_size=-%lld", o->cache_kib)) ||
        (o->mmap_bytes && !exec_i64(c, "PRAGMA mmap_size=%lld", o->mmap_bytes))) {
        return false;
    }
    if (o->read_only) {
        return exec(c, "PRAGMA query_only=ON");
    }
    /* What is deleted does not stay behind in a page that is written anyway. */
    bool ok = exec(c, o->overwrite ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=FAST") &&
              exec(c, "PRAGMA journal_mode=WAL") && exec(c, "PRAGMA wal_autocheckpoint=0") &&
              sync_set(c, o->sync);
    /* autocheckpoint uses the same hook, so ours comes after it is switched off */
    sqlite3_wal_hook(c->db, on_wal, c);
    return ok;
}

/* Its statistics take a lock at each allocation. */
static void library_set_up(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static bool conn_open(const DbOptions *o, void **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_set_up);
    Conn *c = memory_take_zeroed(sizeof *c);
    *ret = c;
    c->path = sqlite3_mprintf("%s", o->path);
    /* A reader of a WAL database needs its shared memory, so it is opened for writing too. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (o->create ? SQLITE_OPEN_CREATE : 0);
    return sqlite3_open_v2(o->path, &c->db, flags, o->vfs) == SQLITE_OK && set_up(c, o);
}

static void conn_close(void *conn)
{
    Conn *c = conn;
    mk_check(sqlite3_close(c->db) == SQLITE_OK);
    sqlite3_free(c->path);
    free(c);
}

static void *prepare(void *conn, const char *sql)
{
    Conn *c = conn;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
    c->prepare_rc = st ? SQLITE_OK : rc;
    return st;
}

static void finalize(void *stmt)
{
    sqlite3_finalize(stmt);
}

static void bind_i64(void *stmt, int i, int64_t v)
{
    sqlite3_bind_int64(stmt, i + 1, v);
}

static void bind_double(void *stmt, int i, double v)
{
    if (sqlite_is_whole(v)) {
        sqlite3_bind_int64(stmt, i + 1, (int64_t)v);
    } else {
        sqlite3_bind_double(stmt, i + 1, v);
    }
}

static void bind_bytes(void *stmt, int i, Str v, bool text)
{
    if (!v.p) {
        sqlite3_bind_null(stmt, i + 1);
    } else if (text) {
        sqlite3_bind_text64(stmt, i + 1, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
    } else {
        sqlite3_bind_blob64(stmt, i + 1, v.p, v.n, SQLITE_STATIC);
    }
}

static DbStep step(void *stmt)
{
    switch (sqlite3_step(stmt) & 0xff) {
    case SQLITE_ROW:
        return DB_ROW;
    case SQLITE_DONE:
        return DB_NONE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DB_RETRY;
    default:
        return DB_FAIL;
    }
}

static void feed_set(void *conn, DbFeed *feed, void *ctx)
{
    ((Conn *)conn)->feed = (SqliteFeed){feed, ctx};
}

static void reset(void *stmt)
{
    sqlite3_reset(stmt);
}

static int64_t col_i64(void *stmt, int c)
{
    return sqlite3_column_int64(stmt, c);
}

static double col_double(void *stmt, int c)
{
    return sqlite3_column_double(stmt, c);
}

static bool col_bytes(void *stmt, int c, Str *ret)
{
    if (sqlite3_column_type(stmt, c) == SQLITE_NULL) {
        return false;
    }
    const void *p = sqlite3_column_blob(stmt, c);
    *ret = (Str){p ? p : "", (size_t)sqlite3_column_bytes(stmt, c)};
    return true;
}

static Str col_id(void *stmt, int c, char room[DB_ID_TEXT])
{
    Str s = STR_NONE;
    bool packed = sqlite3_column_type(stmt, c) == SQLITE_BLOB;
    col_bytes(stmt, c, &s);
    return packed && s.n == DB_ID_BYTES ? db_id_text(s.p, room) : s;
}

/* Where the database knows of no error, text of ours could not be allocated. */
static int error_code(const Conn *c)
{
    int rc = c->db ? sqlite3_errcode(c->db) : SQLITE_NOMEM;
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) {
        rc = c->prepare_rc ? c->prepare_rc : SQLITE_NOMEM;
    }
    return rc & 0xff;
}

static Status failed(void *conn, Err *err)
{
    const Conn *c = conn;
    int rc = error_code(c);
    const char *why = sqlite3_errstr(rc);
    Str where = c->path ? str_from_c(c->path) : STR_NONE;
    switch (rc) {
    case SQLITE_FULL:
        return err_add(err, ERR_STORAGE_FULL, NULL, where, "磁盘已满：%s", "The disk is full: %s",
                       why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "数据库被另一个程序占用：%s",
                       "Another program holds the database: %s", why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_add(err, ERR_INTERNAL, NULL, where,
                       "数据库文件已损坏，请用 menkou check 检查：%s",
                       "The database file is damaged; look at it with menkou check: %s", why);
    case SQLITE_IOERR:
        return err_add(err, ERR_INTERNAL, NULL, where, "读写磁盘出错（%d）：%s",
                       "The disk cannot be read or written (%d): %s",
                       sqlite3_extended_errcode(c->db), why);
    case SQLITE_INTERRUPT:
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "已中止：%s", "It was stopped: %s", why);
    case SQLITE_NOMEM:
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "内存不足：%s", "Out of memory: %s", why);
    case SQLITE_CANTOPEN:
        return err_add(err, ERR_UNAVAILABLE, NULL, where, "无法打开数据库：%s",
                       "The database cannot be opened: %s", why);
    default:
        return err_add(err, ERR_INTERNAL, NULL, where, "数据库出错：%s", "Database error: %s", why);
    }
}

/* After running out of memory or disk the database may have rolled back by itself. */
static bool in_transaction(const void *conn)
{
    return !sqlite3_get_autocommit(((const Conn *)conn)->db);
}

static bool checkpoint(void *conn, DbCheckpoint how, int *ret_pages)
{
    static const int mode[] = {SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART,
                               SQLITE_CHECKPOINT_TRUNCATE};
    Conn *c = conn;
    int log = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(c->db, NULL, mode[how], &log, &done);
    *ret_pages = log > done ? log - done : 0;
    if (how != DB_COPY && rc == SQLITE_OK) {
        c->wal_pages = 0;
    }
    return rc == SQLITE_OK || (how == DB_COPY && rc == SQLITE_BUSY);
}

/* The second copy is made beside the database: what patients trust us with has no place in /tmp. */
static bool compact(void *conn)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    Conn *c = conn;
    char *folder = sqlite3_mprintf("%s", c->path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) {
        *slash = '\0';
    }
    pthread_mutex_lock(&one_at_a_time);
    char *before = sqlite3_temp_directory;
    sqlite3_temp_directory = slash ? folder : before;
    bool ok = exec(c, "VACUUM");
    sqlite3_temp_directory = before;
    pthread_mutex_unlock(&one_at_a_time);
    sqlite3_free(folder);
    return ok;
}

typedef struct Stop {
    DbStopped *stopped;
    void *ctx;
} Stop;

static int on_progress(void *arg)
{
    const Stop *x = arg;
    return x->stopped(x->ctx);
}

static bool compact_into(void *conn, const char *path, DbStopped *stopped, void *ctx)
{
    enum { STEPS = 100000 }; /* some milliseconds */
    Conn *c = conn;
    Stop stop = {stopped, ctx};
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);
    sqlite3_progress_handler(c->db, STEPS, on_progress, &stop);
    bool ok = sql && exec(c, sql);
    sqlite3_progress_handler(c->db, 0, NULL, NULL);
    sqlite3_free(sql);
    return ok;
}

static void wait_set(void *conn, int wait_ms)
{
    sqlite3_busy_timeout(((Conn *)conn)->db, wait_ms);
}

/* Within the transaction of `from` every step sees the same pages. */
static int pages_copy(sqlite3 *from, sqlite3 *to, DbTold *told, void *ctx)
{
    enum { STEP_PAGES = 1024 };
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int rc = b ? SQLITE_OK : SQLITE_ERROR;
    while (rc == SQLITE_OK) {
        rc = sqlite3_backup_step(b, STEP_PAGES);
        int total = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);
        if (told && (rc == SQLITE_OK || rc == SQLITE_DONE)) {
            told(ctx, (uint64_t)(total - left), (uint64_t)total);
        }
    }
    return b ? sqlite3_backup_finish(b) : rc;
}

static Status copy_unwritten(const char *path, Err *err)
{
    return err_add(err, errno == ENOSPC ? ERR_STORAGE_FULL : ERR_INTERNAL, NULL, str_from_c(path),
                   "无法写入文件：%s", "The file cannot be written: %s", strerrordesc_np(errno));
}

/* The copy carries the mark of a write-ahead log that it does not have: taken away. */
static Status copy(void *conn, const char *path, DbTold *told, void *ctx, Err *err)
{
    Conn to = {.path = (char *)(uintptr_t)path};
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return copy_unwritten(path, err);
    }
    bool ok = sqlite3_open_v2(path, &to.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
                  SQLITE_OK &&
              exec(&to, "PRAGMA journal_mode=OFF") && sync_set(&to, DB_SYNC_OFF) &&
              pages_copy(((Conn *)conn)->db, to.db, told, ctx) == SQLITE_OK &&
              exec(&to, "PRAGMA journal_mode=DELETE");
    Status s = ok ? OK : failed(&to, err);
    mk_check(sqlite3_close(to.db) == SQLITE_OK);
    s = s == OK && fsync(file) != 0 ? copy_unwritten(path, err) : s;
    close(file);
    return s;
}

static int wal_pages(const void *conn)
{
    return ((const Conn *)conn)->wal_pages;
}

static bool pragma_get(Conn *c, const char *sql, int *ret)
{
    sqlite3_stmt *st = NULL;
    bool ok = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) == SQLITE_OK &&
              sqlite3_step(st) == SQLITE_ROW;
    if (ok) {
        *ret = sqlite3_column_int(st, 0);
    }
    return sqlite3_finalize(st) == SQLITE_OK && ok;
}

static bool state_get(void *conn, int32_t *ret_application, int *ret_state)
{
    return pragma_get(conn, "PRAGMA application_id", ret_application) &&
           pragma_get(conn, "PRAGMA user_version", ret_state);
}

static bool state_set(void *conn, int32_t application, int state)
{
    return exec_i64(conn, "PRAGMA application_id=%lld", application) &&
           exec_i64(conn, "PRAGMA user_version=%lld", state);
}

const DbDriver db_driver_sqlite = {
    .name = "sqlite",
    .open = conn_open,
    .close = conn_close,
    .exec = exec,
    .prepare = prepare,
    .finalize = finalize,
    .bind_i64 = bind_i64,
    .bind_double = bind_double,
    .bind_bytes = bind_bytes,
    .step = step,
    .feed_set = feed_set,
    .reset = reset,
    .col_i64 = col_i64,
    .col_double = col_double,
    .col_bytes = col_bytes,
    .col_id = col_id,
    .failed = failed,
    .in_transaction = in_transaction,
    .sync_set = sync_set,
    .checkpoint = checkpoint,
    .compact = compact,
    .compact_into = compact_into,
    .wait_set = wait_set,
    .copy = copy,
    .wal_pages = wal_pages,
    .state_get = state_get,
    .state_set = state_set,
};
