/* The running side of the audit: a queue, the thread that writes it, and who waits for what. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "access_audit.h"
#include "access_keep.h"

#include "mk_banned.h"

#define QUEUE_BYTES_MAX    ((size_t)16 << 20)
#define PATIENTS_NAMED_MAX 600 /* in one record; more of them make further records */
#define MEMBERS_BYTES_MAX  ((size_t)64 << 10)
#define WHAT_BYTES_MAX     2000
#define READS_WAIT_MS      400 /* a read's record is on disk within a second */
#define HEAD_WAIT_MS       1000
#define RETRY_WAIT_MS      50
#define FULL_WAIT_MS       2000 /* for room in the queue */

/* One record in the queue: its length, then the members of its line after n. */
typedef uint32_t Length;

struct Audit {
    Store *store;
    Str key;
    char *dir; /* DIR/audit */
    pthread_t thread;
    AuditKeeper *keeper;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    /* under the lock */
    Buf queue;
    uint64_t queued, durable; /* records since the start */
    uint64_t hurry;           /* a writer waits for this one */
    int64_t first_mono_ms;    /* when the oldest in the queue came */
    bool failed, stop;
    int error; /* errno of the last failure */
    /* the thread's own */
    Chain chain;
    int fd;
    off_t size;
    char day[16]; /* "2026-11-22"; never goes back */
    int64_t head_mono_ms;
    uint64_t head_n;
};

/* ---- One record -------------------------------------------------------------------------------
 */

static void member_list(JsonWriter *w, const Str *patients, size_t n)
{
    if (n == 0) {
        return;
    }
    json_key_open(w, "patients", '[');
    for (size_t i = 0; i < n; i++) {
        json_put_str(w, patients[i]);
    }
    json_close(w, ']');
}

static void members_write(Buf *out, const AccessAudit *record, int64_t at_ms, int zone_min)
{
    JsonWriter w = json_writer(out);
    const AccessCaller *c = record->caller;
    w.comma = true; /* after n */
    json_key(&w, "at");
    buf_char(out, '"');
    buf_time_iso(out, at_ms, zone_min);
    buf_char(out, '"');
    w.comma = true;
    w.after_key = false;
    json_member_c(&w, "do", record->action);
    if (c) {
        json_member_str(&w, "user", c->username);
        json_member_str(&w, "who", c->practitioner);
        json_member_str(&w, "role", c->post.role);
        json_member_str(&w, "org", c->post.organization);
        json_member_str(&w, "app", c->app);
    }
    json_member_str(&w, "what", str_take(record->what, WHAT_BYTES_MAX));
    member_list(&w, record->patients, record->patients_n);
    json_member_i64(&w, "status", record->http_status);
    if (c) {
        json_member_str(&w, "from", c->address);
        json_member_str(&w, "request", c->request_id);
    }
}

/* ---- The segment ------------------------------------------------------------------------------
 */

static Status cannot_write(Err *err, int error)
{
    Status status = error == ENOSPC || error == EDQUOT ? ERR_STORAGE_FULL : ERR_UNAVAILABLE;
    return err_add(err, status, NULL, STR_NONE, "审计日志无法写入，暂停服务",
                   "The audit cannot be written");
}

static bool segment_open(Audit *u, const char *day)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.log", u->dir, day);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (size < 0 || dir_sync(u->dir, NULL) != OK) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (u->fd >= 0) {
        close(u->fd);
    }
    u->fd = fd;
    u->size = size;
    snprintf(u->day, sizeof u->day, "%s", day);
    return true;
}

/* The segment of today; a clock that went back stays in the newest. */
static bool segment_of_today(Audit *u)
{
    Arena scratch;
    arena_init(&scratch, 0);
    Str today = time_iso_day(&scratch, clock_now(store_clock(u->store)), store_zone_min(u->store));
    const char *day = arena_cstr(&scratch, today);
    bool ok = (u->fd >= 0 && strcmp(day, u->day) <= 0) ||
              segment_open(u, strcmp(day, u->day) > 0 ? day : u->day);
    arena_done(&scratch);
    return ok;
}

static bool write_all(Audit *u, Str bytes)
{
    for (size_t at = 0; at < bytes.n;) {
        ssize_t n = pwrite(u->fd, bytes.p + at, bytes.n - at, u->size + (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += (size_t)n;
    }
    return fdatasync(u->fd) == 0;
}

/* All of `queue` as lines, flushed; on failure the chain and the file stand where they stood. */
static bool batch_write(Audit *u, Str queue)
{
    Chain chain = u->chain;
    Buf lines;
    if (!segment_of_today(u)) {
        return false;
    }
    buf_init(&lines, 0);
    while (queue.n >= sizeof(Length)) {
        Length n;
        memcpy(&n, queue.p, sizeof n);
        chain_write(&chain, str_take(str_skip(queue, sizeof n), n), &lines);
        queue = str_skip(queue, sizeof n + n);
    }
    bool ok = write_all(u, buf_str(&lines));
    if (ok) {
        u->chain = chain;
        u->size += (off_t)lines.n;
    } else {
        int error = errno;
        if (ftruncate(u->fd, u->size) != 0) {
            log_error("access", "audit: the unfinished end of %s stays", u->day);
        }
        errno = error;
    }
    buf_done(&lines);
    return ok;
}

static void head_save(Audit *u)
{
    Arena scratch;
    Err err;
    if (u->head_n == u->chain.n) {
        return;
    }
    arena_init(&scratch, 0);
    err_init(&err, &scratch);
    if (store_setting_put(u->store, store_folder_setting(u->store, &scratch, STR(AUDIT_HEAD)),
                          chain_head(&scratch, &u->chain), &err) == OK) {
        u->head_n = u->chain.n;
    } else {
        log_warn("access", "audit: the head was not kept");
    }
    u->head_mono_ms = time_mono_ms();
    arena_done(&scratch);
}

/* ---- The thread -------------------------------------------------------------------------------
 */

static void wait_until(Audit *u, pthread_cond_t *cond, int64_t mono_ms)
{
    struct timespec at = {.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
    pthread_cond_timedwait(cond, &u->lock, &at);
}

static bool is_due(const Audit *u, int64_t now_ms)
{
    return u->queued > u->durable &&
           (u->stop || u->hurry > u->durable || u->queue.n > QUEUE_BYTES_MAX / 8 ||
            now_ms - u->first_mono_ms >= READS_WAIT_MS);
}

/* Sleeps until a batch is due; a head that has not been kept is written in idle moments. */
static void wait_for_work(Audit *u)
{
    for (;;) {
        int64_t now_ms = time_mono_ms();
        if (is_due(u, now_ms) || (u->stop && u->queued == u->durable)) {
            return;
        }
        if (u->head_n != u->chain.n && now_ms - u->head_mono_ms >= HEAD_WAIT_MS) {
            pthread_mutex_unlock(&u->lock);
            head_save(u);
            pthread_mutex_lock(&u->lock);
            continue;
        }
        wait_until(u, &u->work, now_ms + READS_WAIT_MS / 2);
    }
}

/* Writes one batch without the lock; a batch that failed is tried again and stays first. */
static void work_once(Audit *u)
{
    Buf batch = u->queue;
    uint64_t upto = u->queued;
    buf_init(&u->queue, QUEUE_BYTES_MAX);
    u->first_mono_ms = time_mono_ms();
    for (bool ok = false; !ok;) {
        pthread_mutex_unlock(&u->lock);
        ok = batch_write(u, buf_str(&batch));
        int error = errno;
        pthread_mutex_lock(&u->lock);
        u->error = ok ? u->error : error;
        if (ok != !u->failed) {
            log_line(ok ? LOG_INFO : LOG_ERROR, "access",
                     ok ? "audit: written again" : "audit: cannot be written");
        }
        u->failed = !ok;
        if (ok) {
            u->durable = upto;
        }
        pthread_cond_broadcast(&u->done);
        if (!ok && u->stop) {
            break;
        }
        if (!ok) {
            wait_until(u, &u->work, time_mono_ms() + RETRY_WAIT_MS);
        }
    }
    buf_done(&batch);
}

static void *audit_thread(void *arg)
{
    Audit *u = arg;
    pthread_mutex_lock(&u->lock);
    for (;;) {
        wait_for_work(u);
        if (u->queued == u->durable || (u->stop && u->failed)) {
            break;
        }
        work_once(u);
        if (time_mono_ms() - u->head_mono_ms >= HEAD_WAIT_MS) {
            pthread_mutex_unlock(&u->lock);
            head_save(u);
            pthread_mutex_lock(&u->lock);
        }
    }
    pthread_mutex_unlock(&u->lock);
    head_save(u);
    return NULL;
}

/* ---- Operations -------------------------------------------------------------------------------
 */

Status audit_ready(Audit *u, Err *err)
{
    pthread_mutex_lock(&u->lock);
    bool failed = u->failed;
    int error = u->error;
    pthread_mutex_unlock(&u->lock);
    return failed ? cannot_write(err, error) : OK;
}

/* Room for one more record, waited for when reads outrun the disk. */
static bool room_for(Audit *u, size_t bytes)
{
    int64_t until = time_mono_ms() + FULL_WAIT_MS;
    while (!u->failed && u->queue.n + bytes > QUEUE_BYTES_MAX) {
        if (time_mono_ms() >= until) {
            return false;
        }
        pthread_cond_signal(&u->work);
        wait_until(u, &u->done, until);
    }
    return !u->failed;
}

static bool enqueue(Audit *u, Str members, bool is_write)
{
    Length n = (Length)members.n;
    if (!room_for(u, sizeof n + n)) {
        return false;
    }
    if (u->queue.n == 0) {
        u->first_mono_ms = time_mono_ms();
    }
    buf_bytes(&u->queue, &n, sizeof n);
    buf_add(&u->queue, members);
    uint64_t mine = ++u->queued;
    if (!is_write) {
        return true;
    }
    u->hurry = mine;
    pthread_cond_signal(&u->work);
    while (u->durable < mine && !u->failed) {
        pthread_cond_wait(&u->done, &u->lock);
    }
    return u->durable >= mine;
}

static Status record_append(Audit *u, const AccessAudit *record, bool is_write, Err *err)
{
    Buf members;
    buf_init(&members, MEMBERS_BYTES_MAX);
    members_write(&members, record, clock_now(store_clock(u->store)), store_zone_min(u->store));
    bool ok = !members.failed;
    int error = 0;
    if (ok) {
        pthread_mutex_lock(&u->lock);
        ok = enqueue(u, buf_str(&members), is_write);
        error = u->failed ? u->error : 0;
        pthread_mutex_unlock(&u->lock);
    }
    buf_done(&members);
    return ok ? OK : cannot_write(err, error);
}

/* Every patient is named, however many a page showed; the last record is waited for. */
Status audit_append(Audit *u, const AccessAudit *record, bool is_write, Err *err)
{
    AccessAudit part = *record;
    size_t left = record->patients_n;
    while (left > PATIENTS_NAMED_MAX) {
        part.patients_n = PATIENTS_NAMED_MAX;
        TRY(record_append(u, &part, false, err));
        part.patients += PATIENTS_NAMED_MAX;
        left -= PATIENTS_NAMED_MAX;
    }
    part.patients_n = left;
    return record_append(u, &part, is_write, err);
}

const char *audit_folder(const Audit *u)
{
    return u->dir;
}

Str audit_key(const Audit *u)
{
    return u->key;
}

Store *audit_store(const Audit *u)
{
    return u->store;
}

AuditKeeper *audit_keeper(const Audit *u)
{
    return u->keeper;
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

static Audit *audit_new(Store *s, const char *dir, Str key, const AuditTail *tail)
{
    Audit *u = calloc(1, sizeof *u);
    mk_check(u != NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->work, &attr);
    pthread_cond_init(&u->done, &attr);
    pthread_condattr_destroy(&attr);
    buf_init(&u->queue, QUEUE_BYTES_MAX);
    char *own = malloc(CHAIN_KEY_BYTES);
    mk_check(own != NULL);
    memcpy(own, key.p, CHAIN_KEY_BYTES);
    u->store = s;
    u->dir = strdup(dir);
    u->key = (Str){own, CHAIN_KEY_BYTES};
    u->chain = (Chain){.key = u->key, .n = tail->n, .mac = tail->mac};
    u->head_n = tail->head_n;
    u->fd = -1;
    snprintf(u->day, sizeof u->day, "%s", tail->day);
    return u;
}

static void audit_free(Audit *u)
{
    if (u->fd >= 0) {
        close(u->fd);
    }
    buf_done(&u->queue);
    pthread_cond_destroy(&u->work);
    pthread_cond_destroy(&u->done);
    pthread_mutex_destroy(&u->lock);
    explicit_bzero((char *)(uintptr_t)u->key.p, u->key.n);
    free((char *)(uintptr_t)u->key.p);
    free(u->dir);
    free(u);
}

/* What opening found is itself a record, so that it cannot be forgotten. */
static Status note_opening(Audit *u, const AuditTail *tail, Err *err)
{
    Arena scratch;
    Status status = OK;
    arena_init(&scratch, 0);
    if (tail->torn_bytes) {
        Str what = arena_printf(&scratch, "%llu bytes of an unfinished record removed",
                                (unsigned long long)tail->torn_bytes);
        status = audit_append(u, &(AccessAudit){.action = AUDIT_TORN, .what = what}, true, err);
    }
    if (status == OK && tail->cut) {
        Str what = arena_printf(&scratch, "log.db knows record %llu, the segments end with %llu",
                                (unsigned long long)tail->head_n, (unsigned long long)tail->n);
        log_error("access", "audit: the end was cut or replaced (%.*s)", STR_ARG(what));
        status = audit_append(u, &(AccessAudit){.action = AUDIT_FAULT, .what = what}, true, err);
    }
    arena_done(&scratch);
    return status;
}

Status audit_open(Store *s, const char *dir, Audit **ret, Err *err)
{
    Arena scratch;
    AuditTail tail;
    Str key;
    arena_init(&scratch, 0);
    const char *folder = arena_printf(&scratch, "%s/audit", dir).p;
    Status status = audit_prepare(s, &scratch, dir, folder, &key, &tail, err);
    Audit *u = status == OK ? audit_new(s, folder, key, &tail) : NULL;
    arena_done(&scratch);
    TRY(status);
    int failed = pthread_create(&u->thread, NULL, audit_thread, u);
    mk_check(failed == 0);
    status = note_opening(u, &tail, err);
    if (status != OK) {
        audit_close(u);
        return status;
    }
    u->keeper = audit_keeper_new(u);
    *ret = u;
    return OK;
}

void audit_close(Audit *u)
{
    if (!u) {
        return;
    }
    audit_keeper_free(u->keeper);
    pthread_mutex_lock(&u->lock);
    u->stop = true;
    pthread_cond_signal(&u->work);
    pthread_mutex_unlock(&u->lock);
    pthread_join(u->thread, NULL);
    audit_free(u);
}
