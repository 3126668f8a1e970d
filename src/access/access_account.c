/* A new account out of what its maker wishes. */
#include "access_inner.h"

#include "mk_banned.h"

#define USERNAME_BYTES_MAX 64

static bool username_good(Str username)
{
    for (size_t i = 0; i < username.n; i++) {
        char c = username.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_';
        if (!good) {
            return false;
        }
    }
    return username.n > 0 && username.n <= USERNAME_BYTES_MAX;
}

static bool reference_good(Str reference, const char *type)
{
    Str head, id;
    return str_empty(reference) ||
           (str_cut(reference, '/', &head, &id) && str_is(head, type) && id.n > 0 && id.n <= 64);
}

static Status account_refused(const AccessNewAccount *account, Err *err)
{
    if (!username_good(account->username)) {
        return err_add(err, ERR_INVALID, NULL, STR("username"),
                       "用户名只能是 1–64 个字母、数字、. - _",
                       "A user name is 1–64 letters, digits, . - _");
    }
    if (!str_empty(account->role) && !access_role_known(account->role)) {
        return err_add(err, ERR_INVALID, NULL, STR("role"), "没有这个角色：%.*s",
                       "There is no role %.*s", STR_ARG(account->role));
    }
    if (str_empty(account->role) && str_empty(account->practitioner)) {
        return err_add(err, ERR_INVALID, NULL, STR("role"), "需要角色或医务人员",
                       "A role or a practitioner is needed");
    }
    if (!reference_good(account->organization, "Organization")) {
        return err_add(
            err, ERR_INVALID, NULL, STR("organization"), "机构应写作 Organization/ID：%.*s",
            "An organisation is written Organization/ID: %.*s", STR_ARG(account->organization));
    }
    if (!reference_good(account->practitioner, "Practitioner")) {
        return err_add(
            err, ERR_INVALID, NULL, STR("practitioner"), "人员应写作 Practitioner/ID：%.*s",
            "A practitioner is written Practitioner/ID: %.*s", STR_ARG(account->practitioner));
    }
    return OK;
}

Status access_account_prepare(Arena *a, Random *random, int64_t now_ms,
                              const AccessNewAccount *account, StoreAccount *ret, Str *ret_password,
                              Err *err)
{
    TRY(account_refused(account, err));
    Str password = account->password;
    if (str_empty(password)) {
        password = access_password_make(a, random);
    } else {
        TRY(access_password_strong(account->username, password, now_ms, err));
    }
    const AccessRole *role = access_role_find(account->role);
    StoreAccount row = {.username = account->username,
                        .practitioner = account->practitioner,
                        .name = account->name,
                        .role = account->role,
                        .organization = account->organization,
                        /* a machine cannot answer the question */
                        .must_change =
                            account->must_change && !(role && role->kind == INTEGRATOR_KIND),
                        .created_ms = now_ms};
    TRY(access_gate_enter(now_ms, err));
    Status status = access_hash_make(a, password, &row.password_hash, err);
    access_gate_leave();
    TRY(status);
    *ret = row;
    *ret_password = password;
    return OK;
}

Status access_account_make(Store *s, Arena *a, const AccessNewAccount *account, Str *ret_password,
                           Err *err)
{
    StoreAccount row;
    Str password;
    TRY(access_account_prepare(a, store_random(s), clock_now(store_clock(s)), account, &row,
                               &password, err));
    TRY(store_account_put(s, &row, err));
    *ret_password = password;
    return OK;
}
