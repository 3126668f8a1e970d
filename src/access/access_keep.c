#include "access_keep.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "access_segment.h"

#include "mk_banned.h"

#define PERIOD_MS    60000
#define FULL_PERCENT 80 /* from here on it is told of */

struct AuditKeeper {
    Audit *audit;
    pthread_t thread;
    pthread_mutex_t lock, pass; /* one pass at a time */
    pthread_cond_t wake;
    bool stop;
    char told_day[SEGMENT_DAY_BYTES + 1]; /* of being nearly full */
};

/* ---- Packing ----------------------------------------------------------------------------------
 */

static Status index_keep(Audit *u, Arena *a, const Segment *s, HashKey key, Err *err)
{
    SegmentIndex index;
    const char *folder = audit_folder(u);
    if (file_exists(segment_index_path(a, folder, s))) {
        return OK;
    }
    TRY(segment_index_make(a, segment_path(a, folder, s), key, &index, NULL, err));
    return segment_index_write(a, folder, s, &index, err);
}

/* Not while a backup is being made: its turn comes again in a minute. */
static Status segment_keep(Audit *u, const Segment *s, HashKey key, Err *err)
{
    Arena scratch;
    int fence = dir_fence(audit_folder(u), true);
    if (fence < 0) {
        return OK;
    }
    arena_init(&scratch, 0);
    Status st = s->packed ? index_keep(u, &scratch, s, key, err)
                          : segment_pack(&scratch, audit_folder(u), s, key, err);
    arena_done(&scratch);
    close(fence);
    return st;
}

/* All but the newest are closed. A segment that cannot be packed stays as it is; check looks at it.
 */
static void segments_keep(AuditKeeper *k, const SegmentList *list)
{
    HashKey key = segment_term_key(audit_key(k->audit));
    for (size_t i = 0; i + 1 < list->n; i++) {
        Arena scratch;
        Err err;
        arena_init(&scratch, 0);
        err_init(&err, &scratch);
        if (segment_keep(k->audit, &list->at[i], key, &err) != OK) {
            log_warn("access", "audit: %s stays as it is: %.*s", list->at[i].day,
                     STR_ARG(err.first ? err.first->en : STR_NONE));
        }
        arena_done(&scratch);
    }
}

/* ---- Space ------------------------------------------------------------------------------------
 */

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t segment_bytes(const char *folder, const Segment *s)
{
    Arena scratch;
    arena_init(&scratch, 0);
    uint64_t n = file_bytes(segment_path(&scratch, folder, s)) +
                 file_bytes(segment_index_path(&scratch, folder, s));
    arena_done(&scratch);
    return n;
}

static Status note(Audit *u, const char *action, Str what, Err *err)
{
    AccessAudit record = {.action = action, .what = what, .http_status = 200};
    return audit_append(u, &record, true, err);
}

static Status alarm_tell(AuditKeeper *k, Arena *a, uint64_t bytes, uint64_t most, Err *err)
{
    Store *s = audit_store(k->audit);
    Str today = time_iso_day(a, clock_now(store_clock(s)), store_zone_min(s));
    if (str_is(today, k->told_day)) {
        return OK;
    }
    memcpy(k->told_day, today.p, SEGMENT_DAY_BYTES);
    Str what =
        arena_printf(a, "%llu of %llu bytes", (unsigned long long)bytes, (unsigned long long)most);
    log_warn("access", "audit: nearly full, %.*s; save it elsewhere before the oldest is dropped",
             STR_ARG(what));
    return note(k->audit, AUDIT_FULL, what, err);
}

/* How many of the oldest closed segments make room and are old enough to go. */
static size_t segments_to_drop(const AuditKeeper *k, const SegmentList *list, uint64_t bytes,
                               const AuditLimits *limits)
{
    const Store *s = audit_store(k->audit);
    int64_t now_ms = clock_now(store_clock(s));
    size_t n = 0;
    while (n + 1 < list->n && bytes > limits->bytes_max && list->at[n].packed) {
        int64_t day_ms;
        if (!time_parse(str_from_c(list->at[n].day), store_zone_min(s), &day_ms) ||
            day_ms + MS_DAY + limits->keep_ms > now_ms) {
            break;
        }
        bytes -= segment_bytes(audit_folder(k->audit), &list->at[n]);
        n++;
    }
    return n;
}

/* Where the chain stood at a segment's end. */
static Status segment_base(Arena *a, const char *folder, const Segment *s, Str *ret, Err *err)
{
    Chain at = {0};
    SegmentFrames f;
    Str lines;
    bool more = true;
    TRY(segment_frames_open(segment_path(a, folder, s), &f, err));
    Status st = OK;
    while (st == OK && more) {
        st = segment_frames_next(&f, &lines, &more, err);
        size_t from = st == OK && more && lines.n ? lines.n - 1 : 0;
        while (from > 0 && lines.p[from - 1] != '\n') {
            from--;
        }
        if (st == OK && more && !chain_stated(str_skip(lines, from), &at.n, &at.mac)) {
            st = segment_failed(err, f.path);
        }
    }
    segment_frames_close(&f);
    TRY(st);
    *ret = chain_head(a, &at);
    return OK;
}

/*
 * First the record that says so, then the new beginning of the chain in log.db, then the files: a
 * crash in between leaves files that are passed over and removed at the next time.
 */
static Status segments_drop(AuditKeeper *k, Arena *a, const SegmentList *list, size_t n, Err *err)
{
    const char *folder = audit_folder(k->audit);
    const Segment *last = &list->at[n - 1];
    Str base;
    TRY(segment_base(a, folder, last, &base, err));
    Str what = arena_printf(a, "%.*s %s %s", STR_ARG(base), list->at[0].day, last->day);
    TRY(note(k->audit, AUDIT_DROPPED, what, err));
    Store *s = audit_store(k->audit);
    TRY(store_setting_put(s, store_folder_setting(s, a, STR(AUDIT_BASE)), base, err));
    for (size_t i = 0; i < n; i++) {
        unlink(segment_path(a, folder, &list->at[i]));
        unlink(segment_index_path(a, folder, &list->at[i]));
    }
    log_warn("access", "audit: dropped %s to %s", list->at[0].day, last->day);
    return dir_sync(folder, err);
}

static Status space_keep(AuditKeeper *k, Arena *a, const SegmentList *list,
                         const AuditLimits *limits, Err *err)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < list->n; i++) {
        bytes += segment_bytes(audit_folder(k->audit), &list->at[i]);
    }
    if (bytes > limits->bytes_max / 100 * FULL_PERCENT) {
        TRY(alarm_tell(k, a, bytes, limits->bytes_max, err));
    }
    size_t n = segments_to_drop(k, list, bytes, limits);
    int fence = n ? dir_fence(audit_folder(k->audit), true) : -1;
    if (fence < 0) {
        return OK;
    }
    Status s = segments_drop(k, a, list, n, err);
    close(fence);
    return s;
}

/* As the parameters say today. */
static AuditLimits audit_limits(const Audit *u)
{
    int64_t now_ms = clock_now(store_clock(audit_store(u)));
    return (AuditLimits){.bytes_max = (uint64_t)access_param(ACCESS_AUDIT_BYTES_MAX, now_ms),
                         .keep_ms = access_param(ACCESS_AUDIT_KEEP_MS, now_ms)};
}

Status audit_keep(AuditKeeper *k, const AuditLimits *limits, Err *err)
{
    Arena a;
    SegmentList list;
    arena_init(&a, 0);
    pthread_mutex_lock(&k->pass);
    Status s = segment_list(&a, audit_folder(k->audit), &list, err);
    if (s == OK) {
        segments_keep(k, &list);
        s = segment_list(&a, audit_folder(k->audit), &list, err);
    }
    s = s == OK ? space_keep(k, &a, &list, limits, err) : s;
    pthread_mutex_unlock(&k->pass);
    arena_done(&a);
    return s;
}

/* ---- The thread -------------------------------------------------------------------------------
 */

/* False: it is over. */
static bool keeper_wait(AuditKeeper *k)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PERIOD_MS / 1000;
    pthread_mutex_lock(&k->lock);
    int rc = 0;
    while (rc == 0 && !k->stop) {
        rc = pthread_cond_timedwait(&k->wake, &k->lock, &until);
    }
    bool stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    return !stop;
}

static void *keeper_thread(void *arg)
{
    AuditKeeper *k = arg;
    do {
        Arena a;
        Err err;
        arena_init(&a, 0);
        err_init(&err, &a);
        AuditLimits limits = audit_limits(k->audit);
        if (audit_keep(k, &limits, &err) != OK) {
            log_warn("access", "audit: keeping: %.*s",
                     STR_ARG(err.first ? err.first->en : STR_NONE));
        }
        arena_done(&a);
    } while (keeper_wait(k));
    return NULL;
}

AuditKeeper *audit_keeper_new(Audit *u)
{
    AuditKeeper *k = calloc(1, sizeof *k);
    mk_check(k != NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->lock, NULL);
    pthread_mutex_init(&k->pass, NULL);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    k->audit = u;
    int failed = pthread_create(&k->thread, NULL, keeper_thread, k);
    mk_check(failed == 0);
    return k;
}

void audit_keeper_free(AuditKeeper *k)
{
    if (!k) {
        return;
    }
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->pass);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
