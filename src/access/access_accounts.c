/* Accounts as administrators see them: one, or a page of those that fit. */
#include "access_accounts.h"

#include "access_inner.h"
#include "fhir_pinyin.h"

#include "mk_banned.h"

#define SESSIONS_SHOWN_MAX 100
#define FAILURES_SHOWN_MAX 20

static bool in_force(const AccountSeen *seen)
{
    for (size_t i = 0; i < seen->posts_n; i++) {
        if (seen->posts[i].state == POST_IN_FORCE) {
            return true;
        }
    }
    return str_empty(seen->account.practitioner);
}

const char *account_state(const AccountSeen *seen)
{
    return seen->account.disabled      ? "disabled"
           : !in_force(seen)           ? "waiting"
           : seen->account.must_change ? "first-password"
                                       : "active";
}

static bool any_locked(const AccountSeen *seen)
{
    for (size_t i = 0; i < seen->failures_n; i++) {
        if (seen->failures[i].locked_until_ms) {
            return true;
        }
    }
    return false;
}

static Status seen_fill(Access *x, StoreReader *r, Arena *a, const StoreAccount *account,
                        AccountSeen *ret, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    StoreFactor factor;
    AccountPost *posts = NULL;
    AccountSeen seen = {.account = *account};
    seen.account.password_hash = STR_NONE;
    if (!str_empty(account->practitioner)) {
        TRY(access_posts_all(r, a, account->practitioner, now_ms, &posts, &seen.posts_n, err));
    }
    seen.posts = posts;
    seen.factor = access_factor_on(r, a, account->username, &factor);
    AccountFailures *failures = arena_array(a, AccountFailures, FAILURES_SHOWN_MAX);
    seen.failures_n =
        lockout_of(&x->lockout, a, account->username, now_ms, failures, FAILURES_SHOWN_MAX);
    seen.failures = failures;
    seen.locked = any_locked(&seen);
    *ret = seen;
    return OK;
}

/* ---- One -------------------------------------------------------------------------------------
 */

static Status sessions_fill(Access *x, StoreReader *r, Arena *a, AccountSeen *seen, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    int64_t idle_ms = access_param(ACCESS_SESSION_IDLE_MS, now_ms);
    StoreSession *list = arena_array(a, StoreSession, SESSIONS_SHOWN_MAX);
    size_t n, alive = 0;
    TRY(store_session_list(r, a, seen->account.username, list, SESSIONS_SHOWN_MAX, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (now_ms < list[i].expires_ms && now_ms - list[i].seen_ms < idle_ms) {
            list[alive++] = list[i];
        }
    }
    seen->sessions = list;
    seen->sessions_n = alive;
    return OK;
}

Status accounts_read(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str username,
                     AccountSeen *ret, Err *err)
{
    StoreAccount account;
    AccountSeen seen;
    TRY(access_account_may(caller, ACCOUNT_LIST, err));
    TRY(store_account_get(r, a, username, &account, err));
    TRY(seen_fill(x, r, a, &account, &seen, err));
    TRY(sessions_fill(x, r, a, &seen, err));
    *ret = seen;
    return OK;
}

/* ---- Those that fit ---------------------------------------------------------------------------
 */

static bool text_fits(Arena *a, const StoreAccount *account, Str text)
{
    Str *keys;
    size_t n;
    if (str_empty(text) || str_find(account->username, text) >= 0 ||
        str_find(account->name, text) >= 0) {
        return true;
    }
    fhir_pinyin_keys(a, account->name, &keys, &n);
    for (size_t i = 0; i < n; i++) {
        if (str_starts(keys[i], text)) {
            return true;
        }
    }
    return false;
}

static bool role_fits(const AccountSeen *seen, Str role)
{
    if (str_empty(role) || (seen->posts_n == 0 && str_eq(seen->account.role, role))) {
        return true;
    }
    for (size_t i = 0; i < seen->posts_n; i++) {
        if (seen->posts[i].state != POST_ENDED && str_eq(seen->posts[i].post.role, role)) {
            return true;
        }
    }
    return false;
}

static bool state_fits(const AccountSeen *seen, Str state)
{
    return str_empty(state) || (str_is(state, "locked") && seen->locked) ||
           str_is(state, account_state(seen));
}

/* Looked at in an arena of its own: a county has thousands, a page shows fifty. */
static Status account_fits(Access *x, StoreReader *r, const StoreAccount *account,
                           const AccountFilter *f, bool *ret, Err *err)
{
    Arena scratch;
    AccountSeen seen;
    arena_init(&scratch, 0);
    Status status = OK;
    *ret = text_fits(&scratch, account, f->text);
    if (*ret && (f->state.n || f->role.n)) {
        status = seen_fill(x, r, &scratch, account, &seen, err);
        *ret = status == OK && state_fits(&seen, f->state) && role_fits(&seen, f->role);
    }
    arena_done(&scratch);
    return status;
}

Status accounts_list(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                     const AccountFilter *filter, AccountSeen **ret, size_t *ret_n,
                     size_t *ret_total, Err *err)
{
    StoreAccount *all;
    size_t all_n, n = 0, total = 0;
    TRY(access_account_may(caller, ACCOUNT_LIST, err));
    TRY(store_account_list(r, a, &all, &all_n, err));
    AccountSeen *page = arena_array(a, AccountSeen, filter->limit + 1);
    for (size_t i = 0; i < all_n; i++) {
        bool fits;
        TRY(account_fits(x, r, &all[i], filter, &fits, err));
        if (fits && total++ >= filter->offset && n < filter->limit) {
            TRY(seen_fill(x, r, a, &all[i], &page[n++], err));
        }
    }
    *ret = page;
    *ret_n = n;
    *ret_total = total;
    return OK;
}
