/* menkou user add | list | reset | disable | …: accounts, also beside a running server. */
#include <stdio.h>

#include "access_accounts.h"
#include "cmd.h"
#include "cmd_args.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou user add --data DIR --role ROLE [--organization Organization/ID] [--name NAME]\n"
    "                [--practitioner Practitioner/ID] USERNAME\n"
    "menkou user reset --data DIR USERNAME      a new password; ends the sessions\n"
    "menkou user reset-factor --data DIR USERNAME   takes the second factor away; ends the "
    "sessions\n"
    "menkou user disable --data DIR USERNAME    no log-in any more; ends the sessions\n"
    "menkou user enable --data DIR USERNAME\n"
    "menkou user end-sessions --data DIR USERNAME\n"
    "menkou user list --data DIR                username, role, organisation, state; by tabs\n"
    "\n"
    "add and reset print one line \"username password\"; the password is shown only here and is\n"
    "changed at the first log-in (an integrator is not asked to). All of it works beside a\n"
    "running server, which notices within five seconds.\n"
    "\n"
    "Roles: village-doctor township-doctor technician reader county-doctor referral-office\n"
    "family-doctor consortium-office system-administrator security-administrator\n"
    "audit-administrator integrator\n"
    "\n"
    "Exit status: 0 done; 1 it could not be written; 2 wrong use; 3 unknown state.\n";

typedef struct UserWords {
    const char *dir, *role, *organization, *name, *practitioner, *username;
} UserWords;

static int account_print(Str username, Str password)
{
    printf("%.*s %.*s\n", STR_ARG(username), STR_ARG(password));
    return CMD_DONE;
}

static int user_add(CmdStore *c, const UserWords *w)
{
    StoreAccount there;
    Str password, username = str_from_c(w->username);
    if (store_account_get(c->reader, &c->arena, username, &there, NULL) == OK) {
        return cmd_wrong_use(
            "user", "there is an account %s already (user reset gives it a password)", w->username);
    }
    AccessNewAccount account = {.username = username,
                                .name = str_from_c(w->name),
                                .role = str_from_c(w->role),
                                .practitioner = str_from_c(w->practitioner),
                                .organization = str_from_c(w->organization),
                                .must_change = true};
    if (access_account_make(c->store, &c->arena, &account, &password, &c->err) != OK) {
        return cmd_failed("user", &c->err);
    }
    return account_print(username, password);
}

/* The account of that name, or the exit status. */
static int account_there(CmdStore *c, const UserWords *w, StoreAccount *ret)
{
    if (store_account_get(c->reader, &c->arena, str_from_c(w->username), ret, &c->err) == OK) {
        return -1;
    }
    return cmd_wrong_use("user", "there is no account %s", w->username);
}

static int user_reset(CmdStore *c, const UserWords *w)
{
    StoreAccount there;
    Str password;
    int rc = account_there(c, w, &there);
    if (rc >= 0) {
        return rc;
    }
    if (account_password_reset(c->store, c->reader, &c->arena, &c->random, there.username,
                               &password, &c->err) != OK) {
        return cmd_failed("user", &c->err);
    }
    return account_print(there.username, password);
}

static int disabled_set(CmdStore *c, const UserWords *w, bool disabled)
{
    StoreAccount there;
    int rc = account_there(c, w, &there);
    if (rc >= 0) {
        return rc;
    }
    Status status =
        account_disabled_set(c->store, c->reader, &c->arena, there.username, disabled, &c->err);
    int failed = status == OK ? CMD_DONE : cmd_failed("user", &c->err);
    return status == ERR_CONFLICT ? CMD_FAULTS : failed; /* the last administrator stays */
}

/* Whoever lost telephone and recovery codes, when no other administrator can help. */
static int user_reset_factor(CmdStore *c, const UserWords *w)
{
    StoreAccount there;
    int rc = account_there(c, w, &there);
    if (rc >= 0) {
        return rc;
    }
    Status status = store_factor_remove(c->store, there.username, &c->err);
    status = status == OK ? store_session_end(c->store, STR_NONE, there.username, &c->err) : status;
    return status == OK ? CMD_DONE : cmd_failed("user", &c->err);
}

static int user_end_sessions(CmdStore *c, const UserWords *w)
{
    StoreAccount there;
    int rc = account_there(c, w, &there);
    if (rc >= 0) {
        return rc;
    }
    Status status = store_session_end(c->store, STR_NONE, there.username, &c->err);
    return status == OK ? CMD_DONE : cmd_failed("user", &c->err);
}

static int user_disable(CmdStore *c, const UserWords *w)
{
    return disabled_set(c, w, true);
}

static int user_enable(CmdStore *c, const UserWords *w)
{
    return disabled_set(c, w, false);
}

static int user_list(CmdStore *c, const UserWords *w)
{
    (void)w;
    StoreAccount *accounts;
    size_t n;
    if (store_account_list(c->reader, &c->arena, &accounts, &n, &c->err) != OK) {
        return cmd_failed("user", &c->err);
    }
    for (size_t i = 0; i < n; i++) {
        const StoreAccount *x = &accounts[i];
        printf("%.*s\t%.*s\t%.*s\t%.*s\t%s\n", STR_ARG(x->username), STR_ARG(x->role),
               STR_ARG(x->organization), STR_ARG(x->practitioner),
               x->disabled      ? "disabled"
               : x->must_change ? "first-password"
                                : "active");
    }
    return CMD_DONE;
}

typedef struct UserVerb {
    const char *name;
    int (*run)(CmdStore *c, const UserWords *w);
    bool no_username;
} UserVerb;

static const UserVerb VERBS[] = {
    {"add", user_add, false},
    {"reset", user_reset, false},
    {"reset-factor", user_reset_factor, false},
    {"disable", user_disable, false},
    {"enable", user_enable, false},
    {"end-sessions", user_end_sessions, false},
    {"list", user_list, true},
};

static const UserVerb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++) {
        if (str_is(str_from_c(name), VERBS[i].name)) {
            return &VERBS[i];
        }
    }
    return NULL;
}

static int verb_run(const UserVerb *verb, const UserWords *w)
{
    if (!w->username != verb->no_username) {
        return cmd_wrong_use("user",
                             verb->no_username ? "%s takes no user name" : "%s needs a user name",
                             verb->name);
    }
    if (verb->run == user_add && !w->role) {
        return cmd_wrong_use("user", "add needs --role");
    }
    CmdStore c;
    int rc = cmd_store_open(&c, "user", w->dir, CMD_BESIDE);
    rc = rc < 0 ? verb->run(&c, w) : rc;
    cmd_store_close(&c);
    return fflush(stdout) == 0 ? rc : CMD_FAULTS;
}

int cmd_user(int argc, char **argv)
{
    UserWords w = {0};
    const char *words[2] = {NULL, NULL};
    const CmdOption options[] = {{"--data", &w.dir, NULL},
                                 {"--role", &w.role, NULL},
                                 {"--organization", &w.organization, NULL},
                                 {"--name", &w.name, NULL},
                                 {"--practitioner", &w.practitioner, NULL}};
    CmdArgs args = {.command = "user",
                    .usage = USAGE,
                    .option = options,
                    .option_n = sizeof options / sizeof *options,
                    .word = words,
                    .word_max = 2};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    const UserVerb *verb = words[0] ? verb_find(words[0]) : NULL;
    if (!verb) {
        return cmd_wrong_use(
            "user",
            words[0] ? "no such verb: %s"
                     : "add, reset, reset-factor, disable, enable, end-sessions or list%s",
            words[0] ? words[0] : "");
    }
    w.username = words[1];
    return verb_run(verb, &w);
}
