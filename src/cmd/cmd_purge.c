/* menkou purge: erasing for good, proposed by one administrator and confirmed by another. */
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "access_purge.h"
#include "cmd.h"
#include "cmd_args.h"

#include "mk_banned.h"

#define LINE_BYTES 256

static const char USAGE[] =
    "menkou purge --data DIR --as USERNAME --reason TEXT propose TARGET...\n"
    "menkou purge --data DIR --as USERNAME confirm|deny|withdraw ID\n"
    "menkou purge --data DIR list       id, state, targets, proposer, decider, reason; by tabs\n"
    "menkou purge --data DIR finish     goes on with what is confirmed and not done\n"
    "\n"
    "A TARGET is Patient/ID (everything of theirs), TYPE/ID (all its versions) or\n"
    "TYPE/ID/_history/VERSION (not the current one). The system administrator proposes, with the\n"
    "reason; the security administrator confirms within three days, and it is carried out at\n"
    "once. Each gives the own password, and on a second line the one-time code if there is one,\n"
    "on stdin.\n"
    "\n"
    "Contents go: bodies, blobs, half-filled forms, index. Rows, digests and the audit stay, and\n"
    "menkou check proves that nothing else is missing. BACKUPS MADE BEFORE STILL HOLD ALL OF IT.\n"
    "What belongs to another patient as well stays. It cannot be undone.\n"
    "\n"
    "While a server runs, the administrators do this on its page. propose prints the id.\n"
    "\n"
    "Exit status: 0 done; 1 refused, or not finished; 2 wrong use; 3 held or unknown state.\n";

typedef struct PurgeWords {
    const char *dir, *as, *reason, **word;
    size_t word_n;
} PurgeWords;

/* ---- Who it is ------------------------------------------------------------------------------- */

/* A line of stdin, unseen on a terminal; empty at the end of the input. */
static Str line_read(Arena *a, const char *prompt)
{
    char line[LINE_BYTES];
    struct termios shown, hidden;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
    if (terminal) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        fprintf(stderr, "%s: ", prompt);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    bool read = fgets(line, sizeof line, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        fputc('\n', stderr);
    }
    Str text = read ? arena_str(a, str_from_c(line)) : STR_NONE;
    explicit_bzero(line, sizeof line);
    return str_ends(text, STR("\n")) ? str_take(text, text.n - 1) : text;
}

typedef struct Purger {
    CmdStore *c;
    Access *access;
    AccessCaller caller;
} Purger;

/* The log-in is the asking again; its session ends with it. */
static Status purger_enter(Purger *p, const char *dir, const char *as)
{
    CmdStore *c = p->c;
    AccessLogin login;
    TRY(access_open(c->store, dir, &p->access, &c->err));
    Str password = line_read(&c->arena, "password");
    StoreFactor factor;
    bool code = store_factor_get(c->reader, &c->arena, str_from_c(as), &factor, NULL) == OK &&
                factor.since_ms > 0;
    Str otp = code ? line_read(&c->arena, "one-time code") : STR_NONE;
    TRY(access_login(p->access, c->reader, &c->arena, str_from_c(as), password, otp,
                     STR("command line"), &login, &c->err));
    p->caller = login.caller;
    p->caller.address = STR("command line");
    p->caller.lang = cmd_lang();
    return access_logout(p->access, &p->caller, &c->err);
}

static Status audited(Purger *p, const char *action, Str what, Status status)
{
    AccessAudit record = {.caller = p->caller.username.n ? &p->caller : NULL,
                          .action = action,
                          .what = what,
                          .http_status = status == OK ? 200 : status_http(status)};
    Status written = access_audit(p->access, &record, true, &p->c->err);
    return status == OK ? written : status;
}

/* ---- What is done ---------------------------------------------------------------------------- */

static void purge_print(const StorePurge *p)
{
    printf("%.*s\t%s\t%.*s\t%.*s\t%.*s\t%.*s\n", STR_ARG(p->id), purge_state_word(p->state),
           STR_ARG(p->target), STR_ARG(p->proposer), STR_ARG(p->decider), STR_ARG(p->reason));
}

static void extent_print(const StorePurge *p)
{
    const StorePurgeExtent *x = &p->extent;
    fprintf(stderr,
            "menkou purge: %llu resources, %llu versions, %llu blobs; %llu stay, which are another "
            "patient's too\n",
            (unsigned long long)x->resources, (unsigned long long)x->versions,
            (unsigned long long)x->blobs, (unsigned long long)x->kept);
}

/* Whatever the size of the databases: nobody is waiting for them. */
static Status carry_out(Purger *p)
{
    CmdStore *c = p->c;
    StorePurge done;
    do {
        TRY(store_purge_run(c->reader, &c->arena, UINT64_MAX, &done, &c->err));
        if (!str_empty(done.id)) {
            extent_print(&done);
            TRY(audited(p, "D", arena_cat(&c->arena, STR("purge done "), done.id), OK));
        }
    } while (!str_empty(done.id));
    return OK;
}

static Status targets_join(CmdStore *c, const PurgeWords *w, Str *ret, Err *err)
{
    *ret = STR_NONE;
    for (size_t i = 1; i < w->word_n; i++) {
        *ret = arena_cat(&c->arena, *ret, i > 1 ? STR(" ") : STR_NONE, str_from_c(w->word[i]));
    }
    return str_empty(*ret) ? err_add(err, ERR_INVALID, NULL, STR_NONE, "请指明要清除的对象",
                                     "Say what is to be purged")
                           : OK;
}

static Status purge_propose(Purger *p, const PurgeWords *w)
{
    CmdStore *c = p->c;
    StorePurge made;
    Str target;
    TRY(targets_join(c, w, &target, &c->err));
    Str reason = str_from_c(w->reason);
    Status s =
        purges_propose(p->access, c->reader, &c->arena, &p->caller, target, reason, &made, &c->err);
    TRY(audited(p, "C", arena_cat(&c->arena, STR("purge propose "), target, STR(": "), reason), s));
    printf("%.*s\n", STR_ARG(made.id));
    extent_print(&made);
    return OK;
}

static Status purge_decide(Purger *p, const PurgeWords *w, PurgeDo what)
{
    CmdStore *c = p->c;
    StorePurge made;
    Str id = str_from_c(w->word[1]), word = str_from_c(w->word[0]);
    Status s = purges_decide(p->access, c->reader, &c->arena, &p->caller, id, what, &made, &c->err);
    TRY(audited(p, "U", arena_cat(&c->arena, STR("purge "), word, STR(" "), id), s));
    return what == PURGE_DO_CONFIRM ? carry_out(p) : OK;
}

/* What two have agreed on needs no third word. */
static Status purge_finish(Purger *p, const char *dir)
{
    TRY(access_open(p->c->store, dir, &p->access, &p->c->err));
    p->caller = access_system(p->c->store);
    return carry_out(p);
}

static Status purge_list(CmdStore *c)
{
    StorePurge *list;
    size_t n;
    TRY(store_purge_list(c->reader, &c->arena, clock_now(&c->clock), 1000, &list, &n, &c->err));
    for (size_t i = 0; i < n; i++) {
        purge_print(&list[i]);
    }
    return OK;
}

static Status verb_run(Purger *p, const PurgeWords *w, PurgeDo what)
{
    Str verb = str_from_c(w->word[0]);
    if (str_is(verb, "list")) {
        return purge_list(p->c);
    }
    if (str_is(verb, "finish")) {
        return purge_finish(p, w->dir);
    }
    TRY(purger_enter(p, w->dir, w->as));
    return str_is(verb, "propose") ? purge_propose(p, w) : purge_decide(p, w, what);
}

/* ---- The words ------------------------------------------------------------------------------- */

/* -1, or the exit status. */
static int words_check(const PurgeWords *w, PurgeDo *ret_what)
{
    Str verb = w->word_n ? str_from_c(w->word[0]) : STR_NONE;
    bool alone = str_is(verb, "list") || str_is(verb, "finish"), propose = str_is(verb, "propose");
    if (!alone && !propose && !purge_decision_find(verb, ret_what)) {
        return cmd_wrong_use("purge", "propose, confirm, deny, withdraw, list or finish%s", "");
    }
    if (!alone && !w->as) {
        return cmd_wrong_use("purge", "%s needs --as USERNAME", w->word[0]);
    }
    if (propose && (w->word_n < 2 || !w->reason)) {
        return cmd_wrong_use("purge", "propose needs --reason TEXT and what is to be purged%s", "");
    }
    if (!propose && w->word_n != (alone ? 1u : 2u)) {
        return cmd_wrong_use("purge", alone ? "%s takes no further word" : "%s needs one id",
                             w->word[0]);
    }
    return -1;
}

static int purge_run(const PurgeWords *w, PurgeDo what)
{
    CmdStore c;
    bool list = str_is(str_from_c(w->word[0]), "list");
    int rc = cmd_store_open(&c, "purge", w->dir, list ? CMD_BESIDE : CMD_HOLD);
    if (rc < 0) {
        Purger p = {.c = &c};
        bool done = verb_run(&p, w, what) == OK;
        if (!done) {
            (void)cmd_failed("purge", &c.err);
        }
        if (p.access) {
            access_close(p.access);
        }
        rc = done ? CMD_DONE : CMD_FAULTS;
    }
    cmd_store_close(&c);
    return fflush(stdout) == 0 ? rc : CMD_FAULTS;
}

int cmd_purge(int argc, char **argv)
{
    const char *words[STORE_PURGE_TARGETS_MAX + 1] = {NULL};
    PurgeWords w = {.word = words};
    const CmdOption options[] = {
        {"--data", &w.dir, NULL}, {"--as", &w.as, NULL}, {"--reason", &w.reason, NULL}};
    CmdArgs args = {.command = "purge",
                    .usage = USAGE,
                    .option = options,
                    .option_n = sizeof options / sizeof *options,
                    .word = words,
                    .word_max = STORE_PURGE_TARGETS_MAX + 1};
    PurgeDo what = PURGE_DO_CONFIRM;
    int rc = cmd_args_parse(&args, argc, argv);
    w.word_n = args.word_n;
    rc = rc < 0 ? words_check(&w, &what) : rc;
    return rc < 0 ? purge_run(&w, what) : rc;
}
