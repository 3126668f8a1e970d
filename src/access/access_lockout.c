/* Failed log-ins by account and address, in a table of fixed size, and its copy in the store. */
#include "access_inner.h"
#include "store_lockout.h"

#include "mk_banned.h"

void lockout_init(Lockout *l, Random *random)
{
    pthread_mutex_init(&l->lock, NULL);
    random_bytes(random, &l->secret, sizeof l->secret);
}

void lockout_done(Lockout *l)
{
    pthread_mutex_destroy(&l->lock);
}

static uint64_t key_of(const Lockout *l, Str username, Str address)
{
    uint64_t key = hash_sip_parts(l->secret, (const Str[]){username, address}, 2);
    return key ? key : 1;
}

static LockoutRow *row_find(Lockout *l, uint64_t key)
{
    LockoutRow *set = l->row[key % LOCKOUT_SETS];
    for (size_t i = 0; i < LOCKOUT_WAYS; i++) {
        if (set[i].key == key) {
            return &set[i];
        }
    }
    return NULL;
}

static void text_keep(char *to, size_t room, Str text)
{
    Str kept = str_take(text, room - 1);
    memcpy(to, kept.p ? kept.p : "", kept.n);
    to[kept.n] = '\0';
}

static LockoutRow *row_make(Lockout *l, uint64_t key, Str username, Str address)
{
    LockoutRow *set = l->row[key % LOCKOUT_SETS], *oldest = set;
    for (size_t i = 0; i < LOCKOUT_WAYS; i++) {
        if (set[i].key == 0) {
            oldest = &set[i];
            break;
        }
        oldest = set[i].at_ms[0] < oldest->at_ms[0] ? &set[i] : oldest;
    }
    *oldest = (LockoutRow){.key = key};
    text_keep(oldest->username, sizeof oldest->username, username);
    text_keep(oldest->address, sizeof oldest->address, address);
    return oldest;
}

/* ---- Kept in the store -----------------------------------------------------------------------
 */

_Static_assert(LOCKOUT_FAILURES_MAX <= STORE_LOCKOUT_FAILURES_MAX, "a row holds them all");

static void keep_told(Status status)
{
    if (status != OK) {
        log_warn("access", "a failed log-in is not kept over a restart");
    }
}

static void row_keep(Lockout *l, const LockoutRow *row, int64_t now_ms)
{
    StoreLockout kept = {.username = str_from_c(row->username),
                         .address = str_from_c(row->address),
                         .failed_n = row->n};
    memcpy(kept.failed_ms, row->at_ms, sizeof row->at_ms);
    if (l->store) {
        int64_t before_ms = now_ms - access_param(ACCESS_LOCKOUT_WINDOW_MS, now_ms);
        keep_told(store_lockout_put(l->store, &kept, before_ms,
                                    (int64_t)LOCKOUT_SETS * LOCKOUT_WAYS, NULL));
    }
}

static void row_forget(Lockout *l, Str username, Str address)
{
    if (l->store) {
        keep_told(store_lockout_remove(l->store, username, address, NULL));
    }
}

static Status rows_load(Lockout *l, StoreReader *r, int64_t now_ms, Err *err)
{
    Arena a;
    StoreLockout *list;
    size_t n = 0;
    arena_init(&a, 0);
    Status s = store_lockout_list(r, &a, now_ms - access_param(ACCESS_LOCKOUT_WINDOW_MS, now_ms),
                                  &list, &n, err);
    for (size_t i = 0; i < n; i++) {
        const StoreLockout *x = &list[i];
        LockoutRow *row = row_make(l, key_of(l, x->username, x->address), x->username, x->address);
        row->n = x->failed_n < LOCKOUT_FAILURES_MAX ? x->failed_n : LOCKOUT_FAILURES_MAX;
        memcpy(row->at_ms, x->failed_ms, sizeof row->at_ms);
    }
    arena_done(&a);
    return s;
}

Status lockout_load(Lockout *l, Store *s, int64_t now_ms, Err *err)
{
    StoreReader *r;
    TRY(store_reader_open(s, &r, err));
    Status status = rows_load(l, r, now_ms, err);
    store_reader_close(r);
    l->store = s;
    return status;
}

/* ---- Asked and told --------------------------------------------------------------------------
 */

/* Failures within the window; a clock that was set back forgets those from its future. */
static int failures_within(const LockoutRow *row, int64_t now_ms, int64_t window_ms)
{
    int n = 0;
    for (int i = 0; row && i < row->n; i++) {
        n += row->at_ms[i] <= now_ms && now_ms - row->at_ms[i] < window_ms;
    }
    return n;
}

static int failures_max(int64_t now_ms)
{
    int64_t max = access_param(ACCESS_LOCKOUT_FAILURES, now_ms);
    return max < LOCKOUT_FAILURES_MAX ? (int)max : LOCKOUT_FAILURES_MAX;
}

Status lockout_check(Lockout *l, Str username, Str address, int64_t now_ms, Err *err)
{
    int64_t window_ms = access_param(ACCESS_LOCKOUT_WINDOW_MS, now_ms);
    int max = failures_max(now_ms);
    int64_t left_ms = 0;
    pthread_mutex_lock(&l->lock);
    const LockoutRow *row = row_find(l, key_of(l, username, address));
    if (row && failures_within(row, now_ms, window_ms) >= max) {
        left_ms = row->at_ms[max - 1] + window_ms - now_ms;
    }
    pthread_mutex_unlock(&l->lock);
    if (left_ms <= 0) {
        return OK;
    }
    int left_s = (int)((left_ms + 999) / 1000);
    if (err) {
        err->retry_after_s = left_s;
    }
    return err_add(err, ERR_TOO_MANY, NULL, STR_NONE, "登录失败次数过多，请 %d 秒后再试",
                   "Too many failed log-ins; try again in %d seconds", left_s);
}

void lockout_fail(Lockout *l, Str username, Str address, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    uint64_t key = key_of(l, username, address);
    LockoutRow *row = row_find(l, key);
    row = row ? row : row_make(l, key, username, address);
    memmove(row->at_ms + 1, row->at_ms, sizeof row->at_ms - sizeof *row->at_ms);
    row->at_ms[0] = now_ms;
    row->n += row->n < LOCKOUT_FAILURES_MAX;
    LockoutRow now = *row;
    pthread_mutex_unlock(&l->lock);
    row_keep(l, &now, now_ms);
}

void lockout_clear(Lockout *l, Str username, Str address)
{
    pthread_mutex_lock(&l->lock);
    LockoutRow *row = row_find(l, key_of(l, username, address));
    if (row) {
        *row = (LockoutRow){0};
    }
    pthread_mutex_unlock(&l->lock);
    if (row) {
        row_forget(l, username, address);
    }
}

void lockout_clear_all(Lockout *l, Str username)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < LOCKOUT_SETS * LOCKOUT_WAYS; i++) {
        LockoutRow *row = &l->row[i / LOCKOUT_WAYS][i % LOCKOUT_WAYS];
        if (row->key && str_is(username, row->username)) {
            *row = (LockoutRow){0};
        }
    }
    pthread_mutex_unlock(&l->lock);
    row_forget(l, username, STR_NONE);
}

size_t lockout_of(Lockout *l, Arena *a, Str username, int64_t now_ms, AccountFailures *ret,
                  size_t max)
{
    int64_t window_ms = access_param(ACCESS_LOCKOUT_WINDOW_MS, now_ms);
    int most = failures_max(now_ms);
    size_t n = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < LOCKOUT_SETS * LOCKOUT_WAYS && n < max; i++) {
        const LockoutRow *row = &l->row[i / LOCKOUT_WAYS][i % LOCKOUT_WAYS];
        int failures = row->key ? failures_within(row, now_ms, window_ms) : 0;
        if (failures > 0 && str_is(username, row->username)) {
            int64_t until_ms = failures >= most ? row->at_ms[most - 1] + window_ms : 0;
            ret[n++] =
                (AccountFailures){arena_str(a, str_from_c(row->address)), failures, until_ms};
        }
    }
    pthread_mutex_unlock(&l->lock);
    return n;
}
