/* menkou init --data DIR: a new data directory with its three administrators. */
#include <stdio.h>

#include "access.h"
#include "cmd.h"
#include "cmd_args.h"
#include "flow.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou init --data DIR [--region CODE]\n"
    "\n"
    "Makes a new data directory and its three administrators, and prints three lines\n"
    "\"username password\": system, security, audit. The passwords are shown only here and are\n"
    "changed at the first log-in.\n"
    "\n"
    "  --region CODE  the county's six digits of GB/T 2260: chooses among the packages'\n"
    "                 parameters\n"
    "\n"
    "Exit status: 0 done; 1 it could not be written; 2 wrong use, or there are data already;\n"
    "3 the directory is held by another process or in an unknown state.\n";

typedef struct Administrator {
    const char *username, *role, *name;
} Administrator;

static const Administrator ADMINISTRATORS[] = {
    {"sysadmin", "system-administrator", "系统管理员"},
    {"secadmin", "security-administrator", "安全管理员"},
    {"auditadmin", "audit-administrator", "审计管理员"},
};

static Status administrators_make(CmdStore *c)
{
    for (size_t i = 0; i < sizeof ADMINISTRATORS / sizeof *ADMINISTRATORS; i++) {
        const Administrator *who = &ADMINISTRATORS[i];
        AccessNewAccount account = {.username = str_from_c(who->username),
                                    .name = str_from_c(who->name),
                                    .role = str_from_c(who->role),
                                    .must_change = true};
        Str password;
        TRY(access_account_make(c->store, &c->arena, &account, &password, &c->err));
        printf("%s %.*s\n", who->username, STR_ARG(password));
    }
    return OK;
}

static Status county_make(CmdStore *c, const char *region)
{
    if (region) {
        TRY(store_setting_put(c->store, STR(FLOW_SETTING_REGION), str_from_c(region), &c->err));
    }
    return administrators_make(c);
}

int cmd_init(int argc, char **argv)
{
    const char *dir = NULL, *region = NULL;
    const CmdOption options[] = {{"--data", .value = &dir}, {"--region", .value = &region}};
    CmdArgs args = {.command = "init", .usage = USAGE, .option = options, .option_n = 2};
    int rc = cmd_args_parse(&args, argc, argv);
    rc = rc < 0 ? cmd_region_check("init", region) : rc;
    if (rc >= 0) {
        return rc;
    }
    CmdStore c;
    rc = cmd_store_open(&c, "init", dir, CMD_MAKE);
    if (rc < 0) {
        rc = county_make(&c, region) == OK ? CMD_DONE : cmd_failed("init", &c.err);
    }
    cmd_store_close(&c);
    return fflush(stdout) == 0 ? rc : CMD_FAULTS;
}
