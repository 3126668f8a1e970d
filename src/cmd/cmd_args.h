/*
 * What the subcommands share: options, words for a failure, the exit status, opening a data
 * directory. Exit (contracts 1.7): 0 done; 1 the work found faults; 2 wrong use; 3 the data
 * directory is held by another process or in an unknown state.
 */
#ifndef CMD_ARGS_H
#define CMD_ARGS_H

#include "store.h"

enum { CMD_DONE = 0, CMD_FAULTS = 1, CMD_WRONG_USE = 2, CMD_HELD = 3 };

/* The values of an option that may be given several times, in order. */
typedef struct CmdList {
    const char **at;
    size_t n, max;
} CmdList;

#define CMD_DEMO_MARKER "demo.json" /* stands in the directory of a demo, and in no other */

#define CMD_OVERLAYS_MAX 16 /* --pathways folders */

/* A switch sets its flag; an option with a value, with two, or with a list takes the next words. */
typedef struct CmdOption {
    const char *name; /* "--data" */
    const char **value;
    bool *flag;
    const char **second; /* beside value: the word after it */
    CmdList *list;       /* instead of value */
} CmdOption;

typedef struct CmdArgs {
    const char *command; /* "user add", for messages */
    const char *usage;
    const CmdOption *option;
    size_t option_n;
    const char **word; /* the others, in order */
    size_t word_max, word_n;
    const char *database; /* by --db, which every command with --data takes */
    bool database_later;  /* the command itself makes the folder name it */
} CmdArgs;

/*
 * Reads argv[1 …]. -1: go on; else the exit status: 0 after --help, 2 after a wrong word
 * (said on stderr in one line).
 */
int cmd_args_parse(CmdArgs *args, int argc, char **argv);
/*
 * --db: the folder remembers its database, so that it is named once; another one is not taken in
 * its place. -1: it is named; else the exit status.
 */
int cmd_database_bind(const char *command, const char *dir, const char *address);
/* One line on stderr; CMD_WRONG_USE. */
int cmd_wrong_use(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* -1, also for NULL; CMD_WRONG_USE when it is not a county's six digits. */
int cmd_region_check(const char *command, const char *region);
/* The issues on stderr in the language of the terminal, and the exit status they mean. */
int cmd_failed(const char *command, const Err *err);
Lang cmd_lang(void);
/* "-" is the standard input. */
const char *cmd_file_path(const char *word);
/* A bar on a terminal, nothing elsewhere; a StoreProgress, ctx is the command's name. */
void cmd_progress(void *ctx, const char *what, uint64_t done, uint64_t total);

typedef enum CmdOpen {
    CMD_MAKE,  /* a new directory: there must be no data yet */
    CMD_HOLD,  /* for writing; held by a running server → 3 */
    CMD_BESIDE /* reads, and accounts; also beside a running server */
} CmdOpen;

typedef struct CmdStore {
    Clock clock;
    Random random;
    Arena arena;
    Err err;
    Store *store;
    StoreReader *reader;
} CmdStore;

/* Clock, randomness and memory, without a store yet. */
void cmd_store_init(CmdStore *c);
/* -1: open; else the exit status, said on stderr. To be ended with cmd_store_close in both cases.
 */
int cmd_store_open(CmdStore *c, const char *command, const char *dir, CmdOpen how);
void cmd_store_close(CmdStore *c);

#endif
