/* menkou check --data DIR [--replay]: proves the data, also beside a running server. */
#include <stdio.h>

#include "access.h"
#include "cmd.h"
#include "cmd_args.h"
#include "embed.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou check --data DIR [--replay] [--pathways DIR]\n"
    "\n"
    "Looks through everything and prints a line for each part:\n"
    "  store   the databases' pages, numbering and digests of the log, bodies against their\n"
    "          SHA-256, whose each is, blobs, heads, and the index rows of every resource in\n"
    "          both directions\n"
    "  audit   the chain from its first record to the head\n"
    "  sign    every signature against the bytes it covers and the key of the person\n"
    "  hooks   where subscribers stand: the pages of hooks.db (a server looks after its own)\n"
    "  replay  (--replay) every case walked through its package: no illegal step\n"
    "\n"
    "Each fault is a line on stdout. Works beside a running server.\n"
    "\n"
    "Exit status: 0 sound; 1 faults were found; 2 wrong use; 3 unknown state.\n";

typedef struct CheckWish {
    const char *dir, *overlay;
    bool replay;
} CheckWish;

/* The issues on stdout, one a line. */
static void faults_print(const Err *err, const char *part)
{
    Lang lang = cmd_lang();
    for (const Issue *i = err->first; i; i = i->next) {
        Str text = lang == LANG_ZH ? i->zh : i->en;
        printf("%s: %.*s%s%.*s\n", part, STR_ARG(text), str_empty(i->where) ? "" : ": ",
               STR_ARG(i->where));
    }
    if (err->count > ERR_ISSUES_MAX) {
        printf("%s: … and %d more\n", part, err->count - ERR_ISSUES_MAX);
    }
}

static void part_print(const char *part, const char *what, uint64_t n, uint64_t faults)
{
    if (faults) {
        printf("%s: %llu %s, %llu faults\n", part, (unsigned long long)n, what,
               (unsigned long long)faults);
    } else {
        printf("%s: %llu %s, sound\n", part, (unsigned long long)n, what);
    }
}

/* A part that could not be looked at is a fault of its own. */
static uint64_t part_end(const char *part, Status status, const Err *err, uint64_t faults)
{
    faults_print(err, part);
    return status != OK && faults == 0 ? 1 : faults;
}

static uint64_t check_store(CmdStore *c)
{
    Err err;
    uint64_t faults = 0;
    err_init(&err, &c->arena);
    Status status = store_verify(c->reader, &c->arena, cmd_progress, (void *)(uintptr_t) "check",
                                 &faults, &err);
    faults = part_end("store", status, &err, faults);
    part_print("store", "changes", store_seq(c->store), faults);
    return faults;
}

static uint64_t check_audit(CmdStore *c, const char *dir)
{
    Err err;
    AccessAuditFound found = {0};
    err_init(&err, &c->arena);
    Status status = access_audit_verify(c->reader, &c->arena, dir, &found, &err);
    uint64_t faults = part_end("audit", status, &err, found.faults);
    part_print("audit", "records", found.records, faults);
    if (found.torn_bytes) {
        printf("audit: the last record is not finished (%llu bytes): a crash, or a server that is "
               "writing now\n",
               (unsigned long long)found.torn_bytes);
    }
    return faults;
}

static uint64_t check_sign(CmdStore *c)
{
    Err err;
    uint64_t signatures = 0, faults = 0;
    err_init(&err, &c->arena);
    Status status = flow_verify(c->reader, &signatures, &faults, &err);
    faults = part_end("sign", status, &err, faults);
    part_print("sign", "signatures", signatures, faults);
    return faults;
}

static uint64_t check_hooks(CmdStore *c)
{
    Err err;
    uint64_t subscribers = 0, faults = 0;
    err_init(&err, &c->arena);
    Status status = api_hooks_verify(c->store, &subscribers, &faults, &err);
    faults = part_end("hooks", status, &err, faults);
    part_print("hooks", "subscribers", subscribers, faults);
    return faults;
}

static Status replay(CmdStore *c, const CheckWish *w, uint64_t *ret_cases, uint64_t *ret_faults,
                     Err *err)
{
    FlowPackageSource *sources;
    size_t n;
    Flow *flow;
    TRY(api_packages(&c->arena, embed_pathways, &w->overlay, w->overlay != NULL, &sources, &n,
                     err));
    TRY(flow_open(c->store, sources, n, &flow, err));
    Status status = flow_replay(flow, c->reader, ret_cases, ret_faults, err);
    flow_close(flow);
    return status;
}

static uint64_t check_replay(CmdStore *c, const CheckWish *w)
{
    Err err;
    uint64_t cases = 0, faults = 0;
    err_init(&err, &c->arena);
    Status status = replay(c, w, &cases, &faults, &err);
    faults = part_end("replay", status, &err, faults);
    part_print("replay", "cases", cases, faults);
    return faults;
}

static int check_run(CmdStore *c, const CheckWish *w)
{
    uint64_t faults = check_store(c) + check_audit(c, w->dir) + check_sign(c) + check_hooks(c);
    if (w->replay) {
        faults += check_replay(c, w);
    }
    return fflush(stdout) == 0 && faults == 0 ? CMD_DONE : CMD_FAULTS;
}

int cmd_check(int argc, char **argv)
{
    CheckWish w = {0};
    const CmdOption options[] = {
        {"--data", &w.dir, NULL}, {"--pathways", &w.overlay, NULL}, {"--replay", NULL, &w.replay}};
    CmdArgs args = {.command = "check", .usage = USAGE, .option = options, .option_n = 3};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    CmdStore c;
    rc = cmd_store_open(&c, "check", w.dir, CMD_BESIDE);
    rc = rc < 0 ? check_run(&c, &w) : rc;
    cmd_store_close(&c);
    return rc;
}
