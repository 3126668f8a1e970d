/* Who somebody is in one of their posts: names, view of the charts, state of the second factor. */
#include "access_inner.h"

#include "mk_banned.h"

static Status choose(AccessCaller *caller, const StoreAccount *account, Str post)
{
    if (caller->posts_n == 0) {
        caller->post.role = account->role;
        caller->post.organization = account->organization;
        return str_empty(account->practitioner) ? OK : ERR_FORBIDDEN;
    }
    caller->post = caller->posts[0];
    for (size_t i = 0; i < caller->posts_n; i++) {
        if (str_eq(caller->posts[i].post, post)) {
            caller->post = caller->posts[i];
            return OK;
        }
    }
    return str_empty(post) ? OK : ERR_NOT_FOUND;
}

static Str device_of(Arena *a, Str username)
{
    char *id = arena_cstr(a, username);
    for (size_t i = 0; i < username.n; i++) {
        id[i] = id[i] == '_' ? '-' : id[i]; /* an id of FHIR has no underscore */
    }
    return arena_cat(a, STR("Device/"), str_from_c(id));
}

static Status caller_view(StoreReader *r, Arena *a, AccessCaller *caller, AccessRoleKind kind,
                          Err *err)
{
    caller->integrator = kind == INTEGRATOR_KIND;
    caller->administrator = kind == ADMINISTRATOR;
    caller->view = caller->integrator ? STORE_VIEW_ALL : (StoreView){.clinical = kind == CLINICAL};
    caller->view.person = caller->practitioner;
    if (caller->integrator) {
        return OK;
    }
    Str *orgs;
    TRY(access_subtree(r, a, caller->post.organization, &orgs, &caller->view.orgs_n, err));
    caller->view.orgs = orgs;
    return OK;
}

static Status no_post(Err *err)
{
    return err_rule(err, ERR_FORBIDDEN, STR("no-post"), STR_NONE,
                    "此账号当前没有有效岗位，请联系管理员",
                    "This account has no post in force; ask an administrator");
}

Status access_caller_build(Access *x, StoreReader *r, Arena *a, const StoreAccount *account,
                           Str post, AccessCaller *ret, Err *err)
{
    AccessCaller caller = {.username = account->username,
                           .name = str_empty(account->name) ? account->username : account->name,
                           .practitioner = account->practitioner,
                           .must_change_password = account->must_change};
    AccessPost *posts = NULL;
    if (!str_empty(account->practitioner)) {
        TRY(access_posts(r, a, account->practitioner, clock_now(store_clock(x->store)), &posts,
                         &caller.posts_n, err));
    }
    caller.posts = posts;
    if (choose(&caller, account, post) == ERR_FORBIDDEN) {
        return no_post(err);
    }
    const AccessRole *role = access_role_find(caller.post.role);
    if (!role) {
        return no_post(err);
    }
    if (str_empty(caller.post.organization_name)) {
        caller.post.organization_name = access_organization_name(r, a, caller.post.organization);
    }
    if (role->kind == INTEGRATOR_KIND) {
        caller.practitioner = device_of(a, account->username);
        caller.must_change_password = false;
    }
    TRY(caller_view(r, a, &caller, role->kind, err));
    caller.view.labels = access_labels(caller.post.role, clock_now(store_clock(x->store)));
    TRY(access_factor_state(r, a, account, caller.administrator, clock_now(store_clock(x->store)),
                            &caller.factor, err));
    *ret = caller;
    return OK;
}

Status access_caller_named(Access *x, StoreReader *r, Arena *a, Str username, Str post,
                           AccessCaller *ret, Err *err)
{
    StoreAccount account;
    Status s = store_account_get(r, a, username, &account, NULL);
    if (s != OK && s != ERR_NOT_FOUND) {
        return err_status(err, s);
    }
    if (s != OK || account.disabled) {
        return err_add(err, ERR_UNAUTHORIZED, NULL, STR_NONE, "没有账号 %.*s，或已停用",
                       "There is no account %.*s, or it is disabled", STR_ARG(username));
    }
    TRY(access_caller_build(x, r, a, &account, post, ret, err));
    ret->view.now_ms = clock_now(store_clock(x->store));
    return store_reader_trouble(r, err);
}

/* The post in which it was written; empty: an account without posts. */
static bool post_of(Access *x, StoreReader *r, Arena *a, const StoreAuthor *author, Str *ret)
{
    AccessPost *posts;
    size_t n;
    if (access_posts(r, a, author->author, clock_now(store_clock(x->store)), &posts, &n, NULL) !=
        OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (str_eq(posts[i].role, author->role) && str_eq(posts[i].organization, author->org)) {
            *ret = posts[i].post;
            return true;
        }
    }
    return false;
}

Status access_caller_by_author(Access *x, StoreReader *r, Arena *a, const StoreAuthor *author,
                               AccessCaller *ret, Err *err)
{
    StoreAccount *list;
    size_t n;
    TRY(store_account_list(r, a, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        Str post = STR_NONE;
        bool person = list[i].practitioner.n && str_eq(list[i].practitioner, author->author);
        bool device = str_eq(device_of(a, list[i].username), author->author) &&
                      str_eq(list[i].role, author->role);
        if (device || (person && post_of(x, r, a, author, &post))) {
            return access_caller_named(x, r, a, list[i].username, post, ret, err);
        }
    }
    return err_add(err, ERR_UNAUTHORIZED, NULL, STR_NONE, "%.*s 已没有有效账号或岗位",
                   "%.*s has no account or post in force", STR_ARG(author->author));
}
