/*
 * Failed log-ins by account and address: rows of log.db, so that a restart forgives nobody. What
 * counts as a lock-out is for access to say. Bounded by time and number; names are as they were
 * typed and need not be accounts.
 */
#ifndef STORE_LOCKOUT_H
#define STORE_LOCKOUT_H

#include "store.h"

#define STORE_LOCKOUT_FAILURES_MAX 16

typedef struct StoreLockout {
    Str username, address;
    int64_t failed_ms[STORE_LOCKOUT_FAILURES_MAX]; /* newest first */
    int failed_n;
} StoreLockout;

/* Makes or replaces it; those that failed last at or before `before_ms` go, and beyond `rows_max`
 * those that failed longest ago. */
Status store_lockout_put(Store *s, const StoreLockout *row, int64_t before_ms, int64_t rows_max,
                         Err *err) MUST_USE;
/* address empty: from any. Also when there is none. */
Status store_lockout_remove(Store *s, Str username, Str address, Err *err) MUST_USE;
/* Those that failed last after `after_ms`, oldest first. */
Status store_lockout_list(StoreReader *r, Arena *a, int64_t after_ms, StoreLockout **ret,
                          size_t *ret_n, Err *err) MUST_USE;

#endif
