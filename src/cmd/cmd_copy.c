/* menkou copy --from DIR --to DIR: a whole store into another folder or database, and the proof. */
#include <stdio.h>

#include "api.h"
#include "cmd.h"
#include "cmd_args.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou copy --from DIR --to DIR [--db postgresql://...]\n"
    "Copies a whole store: every version, account and case, recordings and audit, from files to\n"
    "PostgreSQL or back. Each DIR may be one that names a database; --db names the target's.\n"
    "Nobody may serve the source meanwhile. Then both are compared: the digest of the whole log,\n"
    "that of all living resources, and every digest and index row of the copy. The copy begins an\n"
    "epoch of its own; serve one of the two from then on.\n"
    "Exit status: 0 copied, and both are equal; 1 they differ; 2 wrong use; 3 held or unknown.\n";

typedef struct Copy {
    const char *from, *to;
    CmdStore source, target;
    Arena arena; /* of one file */
    Str from_dir, to_dir;
    uint64_t files;
} Copy;

typedef struct Sum {
    Sha256 sha;
    uint64_t lines;
    StoreMoment moment;
} Sum;

/* ---- Files ----------------------------------------------------------------------------------- */

/* What a database is made of, and who a folder is, has its own way there. */
static bool is_rows(Str name)
{
    static const char *const begin[] = {"log.db", "index.db",  "index-new.db", "insight.db",
                                        "lock",   "node.json", "database",     "hooks.db"};
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
        if (str_starts(name, str_from_c(begin[i]))) {
            return true;
        }
    }
    return false;
}

static Status file_bring(void *ctx, Str relative, Err *err)
{
    Copy *c = ctx;
    FileSum sum;
    if (is_rows(relative)) {
        return OK;
    }
    Str to = path_join(&c->arena, c->to_dir, relative), folder = to;
    while (folder.n > 0 && folder.p[folder.n - 1] != '/') {
        folder.n--;
    }
    folder = arena_str(&c->arena, (Str){folder.p, folder.n - 1});
    Status s = dir_make(folder.p, 0700, err);
    s = s == OK ? file_copy(path_join(&c->arena, c->from_dir, relative).p, to.p, UINT64_MAX, 0600,
                            &sum, err)
                : s;
    s = s == OK ? dir_sync(folder.p, err) : s;
    c->files += s == OK;
    arena_reset(&c->arena);
    return s;
}

static Status files_bring(Copy *c, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status s = dir_make(c->to, 0700, err);
    s = s == OK ? dir_walk(&a, c->from, file_bring, c, err) : s;
    arena_done(&a);
    return s;
}

/* ---- The proof ------------------------------------------------------------------------------- */

/* Files and a server have orders of their own, so the lines' digests are added up. */
static Status line_sum(void *ctx, Str type, Str id, Str body, Err *err)
{
    (void)err;
    Sum *sum = ctx;
    Str parts[] = {type, STR("/"), id, STR("|"), body};
    Sha256 sha = sha256_parts(parts, sizeof parts / sizeof *parts);
    unsigned carry = 0;
    for (size_t i = sizeof sha.b; i-- > 0; carry >>= 8) {
        carry += (unsigned)sum->sha.b[i] + sha.b[i];
        sum->sha.b[i] = (uint8_t)carry;
    }
    sum->lines++;
    return OK;
}

static Status sum_take(CmdStore *c, Sum *sum)
{
    *sum = (Sum){0};
    TRY(store_export(c->reader, line_sum, sum, &c->err));
    return store_moment(c->reader, &c->arena, &sum->moment, &c->err);
}

static bool sums_equal(const Sum *a, const Sum *b)
{
    return a->lines == b->lines && memcmp(a->sha.b, b->sha.b, sizeof a->sha.b) == 0 &&
           a->moment.seq == b->moment.seq && a->moment.tx == b->moment.tx &&
           str_eq(a->moment.digest, b->moment.digest);
}

/* Every digest and row of the copy, then both sums. */
static int compare(Copy *c)
{
    Sum of_source, of_target;
    uint64_t faults = 0;
    CmdStore *t = &c->target;
    if (sum_take(&c->source, &of_source) != OK) {
        return cmd_failed("copy", &c->source.err);
    }
    if (sum_take(t, &of_target) != OK ||
        store_verify(t->reader, &t->arena, cmd_progress, (void *)(uintptr_t) "copy", &faults,
                     &t->err) != OK) {
        return cmd_failed("copy", &t->err);
    }
    if (faults > 0 || !sums_equal(&of_source, &of_target)) {
        (void)cmd_failed("copy", &t->err);
        fprintf(stderr, "menkou copy: the copy is not the same as the source\n");
        return CMD_FAULTS;
    }
    printf("equal: %llu resources %.*s, %llu versions in %llu transactions %.*s, %llu files\n",
           (unsigned long long)of_target.lines,
           STR_ARG(hex_encode(&t->arena, of_target.sha.b, sizeof of_target.sha.b)),
           (unsigned long long)of_target.moment.seq, (unsigned long long)of_target.moment.tx,
           STR_ARG(of_target.moment.digest), (unsigned long long)c->files);
    return CMD_DONE;
}

/* ---- The command ----------------------------------------------------------------------------- */

static Status hooks_bring(Copy *c)
{
    ApiHooksPlace from, to;
    store_beside(c->source.store, &c->arena, "hooks", &from.path, &from.space);
    store_beside(c->target.store, &c->arena, "hooks", &to.path, &to.space);
    return api_hooks_copy(&from, &to, &c->target.err);
}

/* Files first: what the rows name is there when the rows are. */
static int bring(Copy *c)
{
    CmdStore *s = &c->source;
    Status st = files_bring(c, &s->err);
    st = st == OK
             ? store_move(s->reader, c->to, 0, cmd_progress, (void *)(uintptr_t) "copy", &s->err)
             : st;
    if (st != OK) {
        return cmd_failed("copy", &s->err);
    }
    int rc = cmd_store_open(&c->target, "copy", c->to, CMD_HOLD);
    if (rc < 0 && hooks_bring(c) != OK) {
        rc = cmd_failed("copy", &c->target.err);
    }
    rc = rc < 0 ? compare(c) : rc;
    cmd_store_close(&c->target);
    return rc;
}

static int copy_run(Copy *c, const char *database)
{
    if (!c->from || !c->to) {
        return cmd_wrong_use("copy", c->from ? "--to DIR is missing" : "--from DIR is missing");
    }
    int rc = cmd_store_open(&c->source, "copy", c->from, CMD_HOLD);
    rc = rc < 0 && database ? cmd_database_bind("copy", c->to, database) : rc;
    if (rc < 0) {
        c->from_dir = str_from_c(c->from);
        c->to_dir = str_from_c(c->to);
        arena_init(&c->arena, 0);
        rc = bring(c);
        arena_done(&c->arena);
    }
    cmd_store_close(&c->source);
    return rc;
}

int cmd_copy(int argc, char **argv)
{
    Copy c = {0};
    const char *database = NULL;
    const CmdOption options[] = {
        {"--from", &c.from, NULL}, {"--to", &c.to, NULL}, {"--db", &database, NULL}};
    CmdArgs args = {.command = "copy", .usage = USAGE, .option = options, .option_n = 3};
    int rc = cmd_args_parse(&args, argc, argv);
    return rc >= 0 ? rc : copy_run(&c, database);
}
