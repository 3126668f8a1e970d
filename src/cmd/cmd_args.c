#include "cmd_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "db.h"
#include "flow.h"

#include "mk_banned.h"

#define ADDRESS_MAX 4096u

Lang cmd_lang(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *value = getenv(NAMES[i]);
        if (value && *value) {
            return str_starts(str_from_c(value), STR("zh")) ? LANG_ZH : LANG_EN;
        }
    }
    return LANG_EN;
}

const char *cmd_file_path(const char *word)
{
    return strcmp(word, "-") == 0 ? "/dev/stdin" : word;
}

int cmd_wrong_use(const char *command, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "menkou %s: ", command);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "; see menkou %s --help\n", command);
    return CMD_WRONG_USE;
}

int cmd_region_check(const char *command, const char *region)
{
    bool ok = !region || (strlen(region) == 6 && flow_region_ok(str_from_c(region)));
    return ok ? -1 : cmd_wrong_use(command, "'%s' is no county's code of six digits", region);
}

static int exit_of(const Err *err)
{
    const Issue *first = err->first;
    if (first && (str_is(first->rule, "held") || str_is(first->rule, "unknown-state"))) {
        return CMD_HELD;
    }
    switch (err->status) {
    case ERR_INVALID:
    case ERR_NOT_FOUND:
        return CMD_WRONG_USE;
    case ERR_CONFLICT:
    case ERR_UNAVAILABLE:
        return CMD_HELD;
    default:
        return CMD_FAULTS;
    }
}

int cmd_failed(const char *command, const Err *err)
{
    Lang lang = cmd_lang();
    for (const Issue *i = err->first; i; i = i->next) {
        Str text = lang == LANG_ZH ? i->zh : i->en;
        fprintf(stderr, "menkou %s: %.*s%s%.*s\n", command, STR_ARG(text),
                str_empty(i->where) ? "" : ": ", STR_ARG(i->where));
    }
    return exit_of(err);
}

typedef enum Taken { TAKEN, NOT_OURS, NO_VALUE, TOO_OFTEN } Taken;

static Taken values_take(const CmdOption *option, int argc, char **argv, int *i)
{
    if (option->flag) {
        *option->flag = true;
        return TAKEN;
    }
    if (option->list && option->list->n == option->list->max) {
        return TOO_OFTEN;
    }
    if (*i + (option->second ? 2 : 1) >= argc) {
        return NO_VALUE;
    }
    *(option->list ? &option->list->at[option->list->n++] : option->value) = argv[++*i];
    if (option->second) {
        *option->second = argv[++*i];
    }
    return TAKEN;
}

static const char **data_option(const CmdArgs *args);

/* Wherever a data directory is named, its database may be. */
static Taken option_take(CmdArgs *args, int argc, char **argv, int *i)
{
    if (str_is(str_from_c(argv[*i]), "--db") && data_option(args)) {
        const CmdOption db = {"--db", &args->database};
        return values_take(&db, argc, argv, i);
    }
    for (size_t o = 0; o < args->option_n; o++) {
        if (str_is(str_from_c(argv[*i]), args->option[o].name)) {
            return values_take(&args->option[o], argc, argv, i);
        }
    }
    return NOT_OURS;
}

/* ---- --db ---------------------------------------------------------------------------------- */

#define DATA_DEFAULT "menkou-data"

static const char **data_option(const CmdArgs *args)
{
    for (size_t o = 0; o < args->option_n; o++) {
        if (str_is(str_from_c(args->option[o].name), "--data")) {
            return args->option[o].value;
        }
    }
    return NULL;
}

static int database_write(const char *command, Arena *a, const char *dir, const char *path,
                          const char *address)
{
    Err err;
    err_init(&err, a);
    Status s = dir_make(dir, 0700, &err);
    Str line = arena_printf(a, "%s\n", address);
    s = s == OK ? file_write_durable(path, line, 0600, &err) : s;
    return s == OK ? -1 : cmd_failed(command, &err);
}

int cmd_database_bind(const char *command, const char *dir, const char *address)
{
    if (!db_path_is_server(str_from_c(address))) {
        return cmd_wrong_use(command, "--db takes an address postgresql://…, not '%s'", address);
    }
    Arena a;
    arena_init(&a, 0);
    Str text;
    const char *path = path_join(&a, str_from_c(dir), STR(STORE_DATABASE_FILE)).p;
    int rc = -1;
    if (file_read(&a, path, ADDRESS_MAX, &text, NULL) == OK) {
        rc = str_is(str_trim(text), address)
                 ? -1
                 : cmd_wrong_use(command, "%s names another database than --db", path);
    } else if (store_is_there(str_from_c(dir))) {
        rc = cmd_wrong_use(command, "%s holds data in files; copy them with menkou copy", dir);
    } else {
        rc = database_write(command, &a, dir, path, address);
    }
    arena_done(&a);
    return rc;
}

static int database_bind(const CmdArgs *args)
{
    const char **data = data_option(args);
    if (!args->database || args->database_later) {
        return -1;
    }
    *data = *data ? *data : DATA_DEFAULT;
    return cmd_database_bind(args->command, *data, args->database);
}

static int word_take(CmdArgs *args, const char *word)
{
    if (args->word_n == args->word_max) {
        return cmd_wrong_use(args->command, "one word too many: %s", word);
    }
    args->word[args->word_n++] = word;
    return -1;
}

/* "-1" and "-(a)" are words: an option's dash is followed by a letter or another dash. */
static bool is_option(Str arg)
{
    char c = arg.n > 1 && arg.p[0] == '-' ? (char)(arg.p[1] | 0x20) : 0;
    return (c >= 'a' && c <= 'z') || (c == ('-' | 0x20) && arg.p[1] == '-');
}

int cmd_args_parse(CmdArgs *args, int argc, char **argv)
{
    bool words_only = false;
    for (int i = 1; i < argc; i++) {
        Str arg = str_from_c(argv[i]);
        if (words_only || !is_option(arg)) {
            int bad = word_take(args, argv[i]);
            if (bad >= 0) {
                return bad;
            }
        } else if (str_is(arg, "--")) {
            words_only = true;
        } else if (str_is(arg, "--help") || str_is(arg, "-h")) {
            fputs(args->usage, stdout);
            return CMD_DONE;
        } else {
            Taken taken = option_take(args, argc, argv, &i);
            if (taken != TAKEN) {
                return cmd_wrong_use(args->command,
                                     taken == NO_VALUE    ? "%s needs a value"
                                     : taken == TOO_OFTEN ? "%s is given too often"
                                                          : "unknown option %s",
                                     argv[i]);
            }
        }
    }
    return database_bind(args);
}

void cmd_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    char bar[31];
    int full = total ? (int)(done * 30 / total) : 0;
    for (int i = 0; i < 30; i++) {
        bar[i] = i < full ? '=' : ' ';
    }
    bar[30] = '\0';
    fprintf(stderr, "\r%s: %-12s [%s] %llu/%llu%s", (const char *)ctx, what, bar,
            (unsigned long long)done, (unsigned long long)total,
            total && done >= total ? "\n" : "");
}

static Status data_there(CmdStore *c, const char *dir)
{
    return err_add(&c->err, ERR_INVALID, NULL, str_from_c(dir), "该目录已有数据",
                   "There are data already");
}

/* A database that others began before this folder was. */
static Status nobody_there(CmdStore *c, const char *dir)
{
    StoreAccount *list;
    size_t n;
    TRY(store_account_list(c->reader, &c->arena, &list, &n, &c->err));
    return n == 0 && store_seq(c->store) == 0 ? OK : data_there(c, dir);
}

static Status store_made(CmdStore *c, const char *dir, CmdOpen how)
{
    Str where = str_from_c(dir);
    bool files = file_exists(path_join(&c->arena, where, STR("log.db")).p);
    bool there = files || store_is_there(where);
    if (how == CMD_MAKE && files) {
        return data_there(c, dir);
    }
    if (how != CMD_MAKE && !there) {
        return err_add(&c->err, ERR_NOT_FOUND, NULL, str_from_c(dir), "该目录没有门口的数据",
                       "There are no data of Menkou in this folder");
    }
    StoreOptions options = {.dir = dir,
                            .clock = &c->clock,
                            .random = &c->random,
                            .zone_min = ZONE_CHINA_MIN,
                            .read_only = how == CMD_BESIDE};
    TRY(store_open(&options, &c->store, &c->err));
    TRY(store_reader_open(c->store, &c->reader, &c->err));
    return how == CMD_MAKE ? nobody_there(c, dir) : OK;
}

void cmd_store_init(CmdStore *c)
{
    *c = (CmdStore){0};
    clock_init_system(&c->clock);
    random_init_system(&c->random);
    arena_init(&c->arena, 0);
    err_init(&c->err, &c->arena);
}

int cmd_store_open(CmdStore *c, const char *command, const char *dir, CmdOpen how)
{
    cmd_store_init(c);
    if (!dir) {
        return cmd_wrong_use(command, "--data DIR is missing");
    }
    return store_made(c, dir, how) == OK ? -1 : cmd_failed(command, &c->err);
}

void cmd_store_close(CmdStore *c)
{
    if (c->reader) {
        store_reader_close(c->reader);
    }
    store_close(c->store);
    arena_done(&c->arena);
}
