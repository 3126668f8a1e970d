/* What each role may do (access_rights.def), before any look at a chart. */
#include "access_inner.h"
#include "access_masks.h"
#include "access_purge.h"

#include "mk_banned.h"

static const AccessRole ROLES[] = {
#define ROLE(name, code, zh, en, kind) {code, zh, en, kind},
#include "access_roles.def"
#undef ROLE
};
#define ROLES_N (sizeof ROLES / sizeof *ROLES)

typedef struct Right {
    const char *types;
    unsigned may[4]; /* by AccessDo */
} Right;

static const Right RIGHTS[] = {
#define RIGHT(types, read, create, update, delete) {types, {read, create, update, delete}},
#include "access_rights.def"
#undef RIGHT
};

const AccessRole *access_role_find(Str code)
{
    for (size_t i = 0; i < ROLES_N; i++) {
        if (str_is(code, ROLES[i].code)) {
            return &ROLES[i];
        }
    }
    return NULL;
}

bool access_role_known(Str role)
{
    return access_role_find(role) != NULL;
}

bool access_role_clinical(Str role)
{
    const AccessRole *known = access_role_find(role);
    return known && known->kind == CLINICAL;
}

static bool names_type(const char *types, Str type)
{
    Str rest = str_from_c(types), one;
    if (str_is(rest, "*")) {
        return true;
    }
    while (!str_empty(rest)) {
        str_cut(rest, ' ', &one, &rest);
        if (str_eq(one, type)) {
            return true;
        }
    }
    return false;
}

static const Right *right_of(Str type)
{
    const Right *row = RIGHTS;
    while (!names_type(row->types, type)) {
        row++; /* the last row names every type */
    }
    return row;
}

/* The names of those who may, for the refusal. */
static void list_roles(unsigned mask, Buf *zh, Buf *en)
{
    for (size_t i = 0; i < ROLES_N; i++) {
        if (mask >> i & 1) {
            buf_c(zh, zh->n ? "、" : "");
            buf_c(zh, ROLES[i].zh);
            buf_c(en, en->n ? ", " : "");
            buf_c(en, ROLES[i].en);
        }
    }
}

static Status refuse(AccessDo what, Str type, unsigned mask, Err *err)
{
    static const char *const ZH[] = {"查看", "新建", "修改", "删除"};
    static const char *const EN[] = {"read", "create", "change", "delete"};
    Buf zh, en;
    buf_init(&zh, 4096);
    buf_init(&en, 4096);
    list_roles(mask | INTEGRATOR, &zh, &en);
    buf_char(&zh, '\0');
    buf_char(&en, '\0');
    Str name = str_empty(type) ? STR("*") : type;
    /* Each language passes over what belongs to the other. */
    Status status =
        err_add(err, ERR_FORBIDDEN, NULL, STR_NONE, "%s%.0s %.*s 的岗位：%s%.0s",
                "%.0sThose who may %s %.*s: %.0s%s", ZH[what], EN[what], STR_ARG(name), zh.p, en.p);
    buf_done(&zh);
    buf_done(&en);
    return status;
}

/* What administrators alone do. */
typedef struct Doing {
    const char *word;
    unsigned may;
} Doing;

static Status refuse_doing(const char *zh_what, const char *en_what, const Doing *d, Err *err)
{
    Buf zh, en;
    buf_init(&zh, 4096);
    buf_init(&en, 4096);
    list_roles(d->may, &zh, &en);
    buf_char(&zh, '\0');
    buf_char(&en, '\0');
    Status status = err_add(err, ERR_FORBIDDEN, NULL, STR_NONE, "%s%.0s（%s）的岗位：%s%.0s",
                            "%.0sThose who may do this to %s (%s): %.0s%s", zh_what, en_what,
                            d->word, zh.p, en.p);
    buf_done(&zh);
    buf_done(&en);
    return status;
}

static Status doing_may(const AccessCaller *caller, const Doing *d, const char *zh_what,
                        const char *en_what, Err *err)
{
    TRY(access_settled(caller, err));
    const AccessRole *role = access_role_find(caller->post.role);
    return role && d->may >> (role - ROLES) & 1 ? OK : refuse_doing(zh_what, en_what, d, err);
}

/* Index of the first from `from` on with this word; n: none. */
static size_t doing_find(const Doing *list, size_t from, size_t n, Str word)
{
    while (from < n && !str_is(word, list[from].word)) {
        from++;
    }
    return from;
}

static const Doing ACCOUNTS[] = {
#define ACCOUNT(name, word, roles) {word, roles},
#include "access_accounts.def"
#undef ACCOUNT
};

const char *account_do_word(AccountDo what)
{
    return ACCOUNTS[what].word;
}

bool account_do_find(Str word, AccountDo *ret)
{
    size_t i = doing_find(ACCOUNTS, 0, ACCOUNT_DOINGS, word);
    if (i < ACCOUNT_DOINGS) {
        *ret = (AccountDo)i;
    }
    return i < ACCOUNT_DOINGS;
}

Status access_account_may(const AccessCaller *caller, AccountDo what, Err *err)
{
    return doing_may(caller, &ACCOUNTS[what], "账号管理", "an account", err);
}

static const Doing PURGES[] = {
#define PURGE(name, word, roles) {word, roles},
#include "access_purge.def"
#undef PURGE
};

const char *purge_do_word(PurgeDo what)
{
    return PURGES[what].word;
}

bool purge_decision_find(Str word, PurgeDo *ret)
{
    size_t i = doing_find(PURGES, PURGE_DO_WITHDRAW, PURGE_DOINGS, word);
    if (i < PURGE_DOINGS) {
        *ret = (PurgeDo)i;
    }
    return i < PURGE_DOINGS;
}

Status access_purge_may(const AccessCaller *caller, PurgeDo what, Err *err)
{
    return doing_may(caller, &PURGES[what], "清除", "a purge", err);
}

Status access_settled(const AccessCaller *caller, Err *err)
{
    if (caller->must_change_password) {
        return err_rule(err, ERR_FORBIDDEN, STR("password-change-required"), STR_NONE,
                        "请先修改初始密码（POST /auth/password）",
                        "Change the first password before anything else (POST /auth/password)");
    }
    if (caller->factor.must) {
        return err_rule(err, ERR_FORBIDDEN, STR("factor-required"), STR_NONE,
                        "管理员须先启用动态口令（POST /auth/factor）",
                        "An administrator needs a second factor first (POST /auth/factor)");
    }
    return OK;
}

Status access_may(const AccessCaller *caller, AccessDo what, Str type, Err *err)
{
    TRY(access_settled(caller, err));
    if (caller->app.n && !(caller->app_may >> what & 1)) {
        return err_rule(err, ERR_FORBIDDEN, STR("app-scope"), STR_NONE,
                        "此应用未获得这样做的授权（scope）",
                        "This app was not given a scope for this");
    }
    if (caller->view.everything) {
        return OK;
    }
    const AccessRole *role = access_role_find(caller->post.role);
    const Right *right = right_of(type);
    if (role && right->may[what] >> (role - ROLES) & 1) {
        return OK;
    }
    return refuse(what, type, right->may[what], err);
}
