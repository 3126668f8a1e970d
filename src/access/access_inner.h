/* What the files of this room share; nobody else includes it. */
#ifndef ACCESS_INNER_H
#define ACCESS_INNER_H

#include <pthread.h>

#include "access.h"
#include "access_accounts.h"
#include "access_param.h"

/* ---- Roles ------------------------------------------------------------------------------------
 */

typedef enum AccessRoleKind { CLINICAL, ADMINISTRATOR, INTEGRATOR_KIND } AccessRoleKind;

typedef struct AccessRole {
    const char *code, *zh, *en;
    AccessRoleKind kind;
} AccessRole;

/* NULL if unknown. */
const AccessRole *access_role_find(Str code);

/* ---- Passwords --------------------------------------------------------------------------------
 */

/* One of two places in the process; ERR_TOO_MANY after LOGIN_WAIT_MS. */
Status access_gate_enter(int64_t now_ms, Err *err) MUST_USE;
void access_gate_leave(void);

/* Argon2id, 19 MiB, t=2, p=1, in libsodium's own text form. The caller stands in the gate. */
Status access_hash_make(Arena *a, Str password, Str *ret, Err *err) MUST_USE;
/* With an empty hash the work is done all the same and the answer is no. */
bool access_hash_matches(Str hash, Str password);
/* ERR_UNPROCESSABLE, rule password-weak. */
Status access_password_strong(Str username, Str password, int64_t now_ms, Err *err) MUST_USE;
/* 14 characters that nobody mistakes for one another, of three classes. */
Str access_password_make(Arena *a, Random *random);

/* ---- Lock-out ---------------------------------------------------------------------------------
 */

#define LOCKOUT_SETS         256
#define LOCKOUT_WAYS         8
#define LOCKOUT_FAILURES_MAX 8
#define LOCKOUT_NAME_MAX     64
#define LOCKOUT_ADDRESS_MAX  46

typedef struct LockoutRow {
    uint64_t key;
    char username[LOCKOUT_NAME_MAX + 1],
        address[LOCKOUT_ADDRESS_MAX + 1]; /* for the administrators */
    int64_t at_ms[LOCKOUT_FAILURES_MAX];  /* newest first */
    int n;
} LockoutRow;

/* Bounded: the row that failed longest ago makes room. Kept in the store, so a restart forgives
 * nobody. */
typedef struct Lockout {
    Store *store; /* NULL: in memory alone */
    pthread_mutex_t lock;
    HashKey secret;
    LockoutRow row[LOCKOUT_SETS][LOCKOUT_WAYS];
} Lockout;

void lockout_init(Lockout *l, Random *random);
void lockout_done(Lockout *l);
/* What failed before the last end, and is kept from now on. */
Status lockout_load(Lockout *l, Store *s, int64_t now_ms, Err *err) MUST_USE;
/* ERR_TOO_MANY with retry_after_s. */
Status lockout_check(Lockout *l, Str username, Str address, int64_t now_ms, Err *err) MUST_USE;
void lockout_fail(Lockout *l, Str username, Str address, int64_t now_ms);
void lockout_clear(Lockout *l, Str username, Str address);
/* From any address. */
void lockout_clear_all(Lockout *l, Str username);
/* Where an account's failed log-ins came from, at most `max`; how many in all. */
size_t lockout_of(Lockout *l, Arena *a, Str username, int64_t now_ms, AccountFailures *ret,
                  size_t max);

/* ---- Second factor ----------------------------------------------------------------------------
 */

Status access_factor_needed(Err *err);
/* True when there is a confirmed one. */
bool access_factor_on(StoreReader *r, Arena *a, Str username, StoreFactor *ret);
/* Spends a code of the clock or of recovery; one that is wrong or spent is `wrong`. */
Status access_factor_spend(Access *x, Arena *a, const StoreFactor *factor, Str otp, int64_t now_ms,
                           Status wrong, Err *err) MUST_USE;
Status access_factor_state(StoreReader *r, Arena *a, const StoreAccount *account,
                           bool administrator, int64_t now_ms, AccessFactorState *ret,
                           Err *err) MUST_USE;

/* ---- Sessions ---------------------------------------------------------------------------------
 */

typedef struct SessionEntry SessionEntry;

#define SESSION_BUCKETS     1024
#define SESSIONS_CACHED_MAX 4096

typedef struct Sessions {
    pthread_mutex_t lock;
    SessionEntry *bucket[SESSION_BUCKETS];
    size_t n;
    uint64_t seen_seq;           /* of the log, looked through for changes of the directory */
    _Atomic uint64_t generation; /* moves when posts, organisations or accounts change */
} Sessions;

/*
 * Everything about a caller but the session; in `a`. A post that has ended gives way to the first;
 * ERR_FORBIDDEN, rule no-post, where there is none.
 */
Status access_caller_build(Access *x, StoreReader *r, Arena *a, const StoreAccount *account,
                           Str post, AccessCaller *ret, Err *err) MUST_USE;
/* A new session of the caller (`app`: of an app's, StoreSession.app), saved; its token leaves the
 * process in *ret only. */
Status access_session_begin(Access *x, Arena *a, const AccessCaller *caller, Str app,
                            AccessLogin *ret, Err *err) MUST_USE;
/* 43 characters that nobody guesses, and their digest in hex. */
Str access_token_make(Access *x, Arena *a);
Str access_token_sha(Arena *a, Str token);
/* `seq`: of the log; changes of the directory before it are known. */
void sessions_init(Sessions *s, uint64_t seq);
void sessions_done(Sessions *s);
/* Whoever is cached is looked up again. */
void sessions_forget(Sessions *s);
/* All sessions of the caller's account but the one it calls by. */
Status access_sessions_others_end(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                                  Err *err) MUST_USE;

/* ---- Posts ------------------------------------------------------------------------------------
 */

/* Posts in force now of a practitioner, in order of id. */
Status access_posts(StoreReader *r, Arena *a, Str practitioner, int64_t now_ms, AccessPost **ret,
                    size_t *ret_n, Err *err) MUST_USE;
/* All of them, also those proposed, ended or still to come. */
Status access_posts_all(StoreReader *r, Arena *a, Str practitioner, int64_t now_ms,
                        AccountPost **ret, size_t *ret_n, Err *err) MUST_USE;
Str access_practitioner_body(Arena *a, Str name);
Str access_post_body(Arena *a, Str practitioner, Str role, Str organization, bool active);
/* "Organization/ID" → its name, or empty. */
Str access_organization_name(StoreReader *r, Arena *a, Str organization);
/*
 * An account of a clinical role that names no practitioner yet (made on the command line) gets a
 * Practitioner and a post at its organisation, so that what it does has an author.
 */
Status access_account_settle(Access *x, Arena *a, StoreAccount *account, Err *err) MUST_USE;

/* ---- Audit ------------------------------------------------------------------------------------
 */

typedef struct Audit Audit;

Status audit_open(Store *s, const char *dir, Audit **ret, Err *err) MUST_USE;
/* Writes what waits and the head. */
void audit_close(Audit *u);
Status audit_append(Audit *u, const AccessAudit *record, bool is_write, Err *err) MUST_USE;
Status audit_ready(Audit *u, Err *err) MUST_USE;

/* ---- The whole --------------------------------------------------------------------------------
 */

struct Access {
    Store *store;
    Random random; /* always the system's: tokens are secrets, also in a demo */
    Lockout lockout;
    Sessions sessions;
    Audit *audit; /* NULL: in memory */
};

#endif
