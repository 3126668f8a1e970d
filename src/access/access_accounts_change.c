/* What administrators do to accounts: made, posted, granted, disabled, reset, unlocked. */
#include "access_accounts.h"
#include "access_inner.h"

#include "mk_banned.h"

#define NAME_CHARS_MAX 100

/* ---- Checks -----------------------------------------------------------------------------------
 */

static Status not_oneself(const AccessCaller *caller, const StoreAccount *account, Err *err)
{
    bool same_person =
        !str_empty(caller->practitioner) && str_eq(caller->practitioner, account->practitioner);
    if (!same_person && !str_eq(caller->username, account->username)) {
        return OK;
    }
    return err_rule(err, ERR_FORBIDDEN, STR("not-oneself"), STR("username"),
                    "不能变更自己的账号，请由另一位管理员办理",
                    "Nobody changes the own account; ask another administrator");
}

static Status living(StoreReader *r, Arena *a, const char *type, Str reference, const char *where,
                     StoreVersion *ret, Err *err)
{
    Str head, id;
    if (str_cut(reference, '/', &head, &id) && str_is(head, type) &&
        store_read(r, a, &STORE_VIEW_ALL, head, id, ret, NULL) == OK) {
        return OK;
    }
    return err_rule(err, ERR_UNPROCESSABLE, STR("unknown-reference"), str_from_c(where),
                    "没有找到 %s：%.*s", "There is no %s %.*s", type, STR_ARG(reference));
}

/* A role of the bedside needs an organisation that is there; other roles are no post. */
static Status post_good(StoreReader *r, Arena *a, Str role, Str organization, Err *err)
{
    StoreVersion v;
    const AccessRole *known = access_role_find(role);
    if (!known || known->kind != CLINICAL) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("role-unknown"), STR("role"),
                        "没有这样的岗位角色：%.*s", "There is no post of the role %.*s",
                        STR_ARG(role));
    }
    return living(r, a, "Organization", organization, "organization", &v, err);
}

/* Nobody else in force has the same administrator's role. */
static Status last_one(StoreReader *r, Arena *a, const StoreAccount *account, Err *err)
{
    StoreAccount *all;
    size_t n;
    const AccessRole *role = access_role_find(account->role);
    if (!role || role->kind != ADMINISTRATOR || account->disabled) {
        return OK;
    }
    TRY(store_account_list(r, a, &all, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!all[i].disabled && str_eq(all[i].role, account->role) &&
            !str_eq(all[i].username, account->username)) {
            return OK;
        }
    }
    return err_rule(err, ERR_CONFLICT, STR("last-administrator"), STR("username"),
                    "这是最后一个可用的%s%.0s账号，不能停用",
                    "%.0sThis is the last account in force of the %s", role->zh, role->en);
}

/* ---- Making -----------------------------------------------------------------------------------
 */

static Status new_good(StoreReader *r, Arena *a, const AccountNew *n, bool post, Err *err)
{
    StoreVersion v;
    if (!utf8_valid(n->name) || utf8_count(n->name) == 0 || utf8_count(n->name) > NAME_CHARS_MAX) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("name-missing"), STR("name"),
                        "请填写姓名（不超过 %d 个字）", "A name of 1–%d characters is needed",
                        NAME_CHARS_MAX);
    }
    if (post) {
        TRY(post_good(r, a, n->role, n->organization, err));
        return str_empty(n->practitioner)
                   ? OK
                   : living(r, a, "Practitioner", n->practitioner, "practitioner", &v, err);
    }
    if (!access_role_known(n->role) || !str_empty(n->practitioner)) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("role-unknown"), STR("role"),
                        "没有这样的角色，或此角色不对应医务人员：%.*s",
                        "There is no such role, or it is not a practitioner's: %.*s",
                        STR_ARG(n->role));
    }
    return OK;
}

static Status batch_commit(StoreBatch *b, Err *err)
{
    StoreReceipt receipt;
    return store_commit(b, &receipt, err);
}

/* The person, unless there already, and the post as proposed. */
static Status person_make(Access *x, Arena *a, const AccessCaller *caller, const AccountNew *n,
                          StoreAccount *row, Err *err)
{
    StoreAuthor author = access_author(caller);
    StoreBatch *b = store_batch_new(x->store, a, &author, STR("account create"));
    row->practitioner = n->practitioner;
    if (str_empty(row->practitioner)) {
        Str id;
        TRY(store_batch_create(b, STR("Practitioner"), STR_NONE,
                               access_practitioner_body(a, n->name), &id, err));
        row->practitioner = arena_cat(a, STR("Practitioner/"), id);
    }
    Str body = access_post_body(a, row->practitioner, n->role, n->organization, false);
    TRY(store_batch_create(b, STR("PractitionerRole"), STR_NONE, body, NULL, err));
    return batch_commit(b, err);
}

Status accounts_create(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                       const AccountNew *account, Str *ret_password, Err *err)
{
    StoreAccount row, there;
    Str password;
    const AccessRole *role = access_role_find(account->role);
    bool post = role && role->kind == CLINICAL;
    TRY(access_account_may(caller, ACCOUNT_CREATE, err));
    TRY(new_good(r, a, account, post, err));
    if (store_account_get(r, a, account->username, &there, NULL) == OK) {
        return store_account_create(x->store, &there, err); /* says that it is taken */
    }
    AccessNewAccount fresh = {.username = account->username,
                              .name = account->name,
                              .role = account->role,
                              .organization = account->organization,
                              .must_change = true};
    int64_t now_ms = clock_now(store_clock(x->store));
    TRY(access_account_prepare(a, &x->random, now_ms, &fresh, &row, &password, err));
    row.disabled = !post; /* the security administrator enables it */
    if (post) {
        TRY(person_make(x, a, caller, account, &row, err));
    }
    TRY(store_account_create(x->store, &row, err));
    *ret_password = password;
    return OK;
}

/* ---- Posts ------------------------------------------------------------------------------------
 */

static Status no_person(Err *err)
{
    return err_rule(err, ERR_CONFLICT, STR("no-practitioner"), STR("username"),
                    "此账号没有对应的医务人员，不能设岗位",
                    "This account is no practitioner's and takes no posts");
}

static Status post_propose(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                           const StoreAccount *account, const AccountChange *change, Err *err)
{
    AccountPost *posts;
    size_t n;
    if (str_empty(account->practitioner)) {
        return no_person(err);
    }
    TRY(post_good(r, a, change->role, change->organization, err));
    TRY(access_posts_all(r, a, account->practitioner, clock_now(store_clock(x->store)), &posts, &n,
                         err));
    for (size_t i = 0; i < n; i++) {
        if (posts[i].state != POST_ENDED && str_eq(posts[i].post.role, change->role) &&
            str_eq(posts[i].post.organization, change->organization)) {
            return err_rule(err, ERR_CONFLICT, STR("post-there"), STR("role"),
                            "已有此岗位或正在等待授权",
                            "There is this post already, or it waits to be granted");
        }
    }
    StoreAuthor author = access_author(caller);
    StoreBatch *b = store_batch_new(x->store, a, &author, STR("account propose-post"));
    Str body =
        access_post_body(a, account->practitioner, change->role, change->organization, false);
    TRY(store_batch_create(b, STR("PractitionerRole"), STR_NONE, body, NULL, err));
    return batch_commit(b, err);
}

/* The post of this person, in one of the states, as it is stored. */
static Status post_find(Access *x, StoreReader *r, Arena *a, const StoreAccount *account, Str post,
                        bool proposed, StoreVersion *ret, Err *err)
{
    AccountPost *posts;
    size_t n;
    if (str_empty(account->practitioner)) {
        return no_person(err);
    }
    TRY(access_posts_all(r, a, account->practitioner, clock_now(store_clock(x->store)), &posts, &n,
                         err));
    for (size_t i = 0; i < n; i++) {
        bool fits = proposed ? posts[i].state == POST_PROPOSED : posts[i].state != POST_ENDED;
        if (fits && str_eq(posts[i].post.post, post)) {
            return living(r, a, "PractitionerRole", post, "post", ret, err);
        }
    }
    return err_rule(err, ERR_CONFLICT, STR("post-state"), STR("post"),
                    "此人没有处于该状态的岗位 %.*s", "The person has no post %.*s in that state",
                    STR_ARG(post));
}

static Str member_set(Arena *a, Str body, const char *key, Str value)
{
    JsonDoc d;
    if (json_parse(a, body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return body;
    }
    JsonSplice splice = json_splice_member(a, &d, JSON_ROOT, key, value, "resourceType");
    return json_splice(a, body, &splice, 1);
}

static Str period_of(Arena *a, const StoreVersion *v, Str start, Str end)
{
    JsonDoc d;
    if (json_parse(a, v->body, &JSON_LIMITS_FHIR, &d, NULL) == OK && start.n == 0) {
        start = json_str_at(&d, JSON_ROOT, "period.start");
    }
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "start", start);
    json_member_str(&w, "end", end);
    return json_end(&w, '}', a);
}

static Status post_set(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                       const StoreAccount *account, const AccountChange *change, Err *err)
{
    StoreVersion v;
    bool grant = change->what == ACCOUNT_POST_GRANT;
    TRY(post_find(x, r, a, account, change->post, grant, &v, err));
    Str now = time_iso(a, clock_now(store_clock(x->store)), store_zone_min(x->store));
    Str body = member_set(a, v.body, "active", grant ? STR("true") : STR("false"));
    body = member_set(a, body, "period",
                      grant ? period_of(a, &v, now, STR_NONE) : period_of(a, &v, STR_NONE, now));
    StoreAuthor author = access_author(caller);
    Str cause = arena_cat(a, STR("account "), str_from_c(account_do_word(change->what)));
    StoreBatch *b = store_batch_new(x->store, a, &author, cause);
    TRY(store_batch_update(b, STR("PractitionerRole"), v.id, body, v.vid, err));
    return batch_commit(b, err);
}

/* ---- Accounts ---------------------------------------------------------------------------------
 */

static Status account_replace(Store *s, const StoreAccount *account, Err *err)
{
    TRY(store_account_put(s, account, err));
    return store_session_end(s, STR_NONE, account->username, err);
}

Status account_password_reset(Store *s, StoreReader *r, Arena *a, Random *random, Str username,
                              Str *ret_password, Err *err)
{
    StoreAccount there, fresh;
    Str password;
    TRY(store_account_get(r, a, username, &there, err));
    AccessNewAccount same = {.username = there.username,
                             .role = there.role,
                             .practitioner = there.practitioner,
                             .must_change = true};
    TRY(access_account_prepare(a, random, there.created_ms, &same, &fresh, &password, err));
    there.password_hash = fresh.password_hash;
    there.must_change = fresh.must_change;
    TRY(account_replace(s, &there, err));
    *ret_password = password;
    return OK;
}

Status account_disabled_set(Store *s, StoreReader *r, Arena *a, Str username, bool disabled,
                            Err *err)
{
    StoreAccount there;
    TRY(store_account_get(r, a, username, &there, err));
    if (disabled) {
        TRY(last_one(r, a, &there, err));
    }
    there.disabled = disabled;
    return account_replace(s, &there, err);
}

static Status change_run(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                         const StoreAccount *account, const AccountChange *change,
                         Str *ret_password, Err *err)
{
    Str username = account->username;
    switch (change->what) {
    case ACCOUNT_POST_PROPOSE:
        return post_propose(x, r, a, caller, account, change, err);
    case ACCOUNT_POST_GRANT:
    case ACCOUNT_POST_END:
        return post_set(x, r, a, caller, account, change, err);
    case ACCOUNT_DISABLE:
    case ACCOUNT_ENABLE:
        return account_disabled_set(x->store, r, a, username, change->what == ACCOUNT_DISABLE, err);
    case ACCOUNT_PASSWORD_RESET:
        return account_password_reset(x->store, r, a, &x->random, username, ret_password, err);
    case ACCOUNT_FACTOR_RESET:
        TRY(store_factor_remove(x->store, username, err));
        return store_session_end(x->store, STR_NONE, username, err);
    case ACCOUNT_SESSIONS_END:
        return store_session_end(x->store, STR_NONE, username, err);
    case ACCOUNT_UNLOCK:
        lockout_clear_all(&x->lockout, username);
        return OK;
    default:
        return err_status(err, ERR_NOT_FOUND);
    }
}

Status accounts_change(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                       const AccountChange *change, Str *ret_password, Err *err)
{
    StoreAccount account;
    TRY(access_account_may(caller, change->what, err));
    TRY(store_account_get(r, a, change->username, &account, err));
    TRY(not_oneself(caller, &account, err));
    TRY(change_run(x, r, a, caller, &account, change, ret_password, err));
    sessions_forget(&x->sessions);
    return OK;
}
