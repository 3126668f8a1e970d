/*
 * Accounts as the administrators see and change them: who is there, in which posts, and the
 * changes of access_accounts.def, each checked against the caller's role.
 *
 * A post (PractitionerRole) that the system administrator proposes is not active; the security
 * administrator's grant makes it so. An account for one of the administrators' roles, or for
 * another system, is made disabled and enabled by the security administrator. Nobody changes the
 * own account here, and the last one in force of each administrator's role cannot be disabled.
 *
 * Nothing of an account is ever removed: what it did stays with its name.
 */
#ifndef ACCESS_ACCOUNTS_H
#define ACCESS_ACCOUNTS_H

#include "access.h"

typedef enum AccountDo {
#define ACCOUNT(name, word, roles) ACCOUNT_##name,
#include "access_accounts.def"
#undef ACCOUNT
    ACCOUNT_DOINGS
} AccountDo;

const char *account_do_word(AccountDo what);
/* False if there is no such word. */
bool account_do_find(Str word, AccountDo *ret);

/* ERR_FORBIDDEN that names who may. */
Status access_account_may(const AccessCaller *caller, AccountDo what, Err *err) MUST_USE;

/* coming: granted, but its first day is still ahead. */
typedef enum AccountPostState {
    POST_PROPOSED,
    POST_COMING,
    POST_IN_FORCE,
    POST_ENDED
} AccountPostState;

typedef struct AccountPost {
    AccessPost post;
    AccountPostState state;
} AccountPost;

/* Failed log-ins of one account from one address. */
typedef struct AccountFailures {
    Str address;
    int failures;
    int64_t locked_until_ms; /* 0: not locked */
} AccountFailures;

typedef struct AccountSeen {
    StoreAccount account; /* without password_hash */
    const AccountPost *posts;
    size_t posts_n;
    bool factor;                  /* a second factor is in force */
    bool locked;                  /* from one address at least */
    const StoreSession *sessions; /* those alive; only when one account is asked for */
    size_t sessions_n;
    const AccountFailures *failures;
    size_t failures_n;
} AccountSeen;

typedef struct AccountFilter {
    Str text;  /* part of the user name or the name; or empty */
    Str state; /* active, disabled, first-password, waiting, locked; or empty */
    Str role;  /* of the account or one of its posts; or empty */
    size_t offset, limit;
} AccountFilter;

/* "active", "disabled", "waiting" (no post in force yet), "first-password". */
const char *account_state(const AccountSeen *seen);

Status accounts_list(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                     const AccountFilter *filter, AccountSeen **ret, size_t *ret_n,
                     size_t *ret_total, Err *err) MUST_USE;
Status accounts_read(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str username,
                     AccountSeen *ret, Err *err) MUST_USE;

typedef struct AccountNew {
    Str username, name;
    Str practitioner; /* "Practitioner/ID" who is there already, or empty: one is made */
    Str role;         /* with `organization`: the first post; or an administrator's, integrator */
    Str organization;
} AccountNew;
/* The password is shown once and changed at the first log-in. */
Status accounts_create(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                       const AccountNew *account, Str *ret_password, Err *err) MUST_USE;

typedef struct AccountChange {
    AccountDo what;
    Str username;
    Str post;               /* grant-post, end-post: "PractitionerRole/ID" */
    Str role, organization; /* propose-post */
} AccountChange;
/* ret_password is set by reset-password alone. */
Status accounts_change(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                       const AccountChange *change, Str *ret_password, Err *err) MUST_USE;

/* ---- The same from the command line, whose right is to hold the data directory ----------------
 */

/* A new password, to be changed at the first log-in; ends the sessions. */
Status account_password_reset(Store *s, StoreReader *r, Arena *a, Random *random, Str username,
                              Str *ret_password, Err *err) MUST_USE;
/* ERR_CONFLICT, rule last-administrator: nobody would be left in that role. Ends the sessions. */
Status account_disabled_set(Store *s, StoreReader *r, Arena *a, Str username, bool disabled,
                            Err *err) MUST_USE;

#endif
