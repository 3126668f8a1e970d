/* Passwords tried: at the log-in, for what asks for it again, and for a new one. */
#include "access_inner.h"

#include "mk_banned.h"

#define USERNAME_BYTES_MAX 64

static Status wrong_password(Err *err)
{
    return err_add(err, ERR_UNAUTHORIZED, NULL, STR_NONE, "用户名或密码不正确",
                   "The user name or the password is wrong");
}

/* The same work whether the name exists or not; the lock-out is looked at again inside the gate. */
static Status password_tried(Access *x, StoreReader *r, Arena *a, Str username, Str password,
                             Str address, int64_t now_ms, StoreAccount *ret, Err *err)
{
    StoreAccount account = {0};
    TRY(lockout_check(&x->lockout, username, address, now_ms, err));
    bool known =
        username.n <= USERNAME_BYTES_MAX && store_account_get(r, a, username, &account, NULL) == OK;
    bool same = access_hash_matches(known ? account.password_hash : STR_NONE, password);
    TRY(store_reader_trouble(
        r, err)); /* an account that cannot be read is not one with another password */
    if (!same || !known || account.disabled) {
        lockout_fail(&x->lockout, username, address, now_ms);
        return wrong_password(err);
    }
    *ret = account;
    return OK;
}

/* A second factor, where there is one: asked for, and wrong ones count as wrong passwords do. */
static Status factor_tried(Access *x, StoreReader *r, Arena *a, Str username, Str otp, Str address,
                           int64_t now_ms, Err *err)
{
    StoreFactor factor;
    bool on = access_factor_on(r, a, username, &factor);
    TRY(store_reader_trouble(r, err)); /* nor one without a second factor */
    if (on) {
        if (str_empty(otp)) {
            return access_factor_needed(err);
        }
        Status status = access_factor_spend(x, a, &factor, otp, now_ms, ERR_UNAUTHORIZED, err);
        if (status == ERR_UNAUTHORIZED) {
            lockout_fail(&x->lockout, username, address, now_ms);
        }
        TRY(status);
    }
    lockout_clear(&x->lockout, username, address);
    return OK;
}

Status access_identify(Access *x, StoreReader *r, Arena *a, Str username, Str password, Str otp,
                       Str address, AccessCaller *ret, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    StoreAccount account;
    TRY(lockout_check(&x->lockout, username, address, now_ms, err));
    TRY(access_gate_enter(now_ms, err));
    Status status = password_tried(x, r, a, username, password, address, now_ms, &account, err);
    access_gate_leave();
    TRY(status);
    TRY(factor_tried(x, r, a, username, otp, address, now_ms, err));
    TRY(access_account_settle(x, a, &account, err));
    TRY(access_caller_build(x, r, a, &account, STR_NONE, ret, err));
    ret->view.now_ms = now_ms;
    return OK;
}

Status access_login(Access *x, StoreReader *r, Arena *a, Str username, Str password, Str otp,
                    Str address, AccessLogin *ret, Err *err)
{
    AccessCaller caller;
    TRY(access_identify(x, r, a, username, password, otp, address, &caller, err));
    return access_session_begin(x, a, &caller, STR_NONE, ret, err);
}

/* ---- The caller's own password ----------------------------------------------------------------
 */

Status access_password_check(Access *x, StoreReader *r, const AccessCaller *caller, Str password,
                             Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    StoreAccount account;
    Arena scratch;
    TRY(lockout_check(&x->lockout, caller->username, caller->address, now_ms, err));
    TRY(access_gate_enter(now_ms, err));
    arena_init(&scratch, 0);
    Status status = password_tried(x, r, &scratch, caller->username, password, caller->address,
                                   now_ms, &account, NULL);
    arena_done(&scratch);
    access_gate_leave();
    if (status == OK) {
        lockout_clear(&x->lockout, caller->username, caller->address);
        return OK;
    }
    return err_rule(err, ERR_FORBIDDEN, STR("password-wrong"), STR("password"), "密码不正确",
                    "The password is wrong");
}

static Status password_replace(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                               Str password, int64_t now_ms, Err *err)
{
    StoreAccount account;
    TRY(store_account_get(r, a, caller->username, &account, err));
    TRY(access_gate_enter(now_ms, err));
    Status status = access_hash_make(a, password, &account.password_hash, err);
    access_gate_leave();
    TRY(status);
    account.must_change = false;
    TRY(store_account_put(x->store, &account, err));
    /* Whoever else is logged in with the old password is not any more. */
    return access_sessions_others_end(x, r, a, caller, err);
}

Status access_password(Access *x, StoreReader *r, const AccessCaller *caller, Str old_password,
                       Str new_password, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    TRY(access_password_check(x, r, caller, old_password, err));
    TRY(access_password_strong(caller->username, new_password, now_ms, err));
    if (str_eq(old_password, new_password)) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("password-same"), STR("new_password"),
                        "新密码不能与旧密码相同", "The new password must differ from the old one");
    }
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = password_replace(x, r, &scratch, caller, new_password, now_ms, err);
    arena_done(&scratch);
    return status;
}
