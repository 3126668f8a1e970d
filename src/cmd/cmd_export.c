/* menkou export and menkou reindex. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_args.h"
#include "store_purge.h"

#include "mk_banned.h"

static const char EXPORT_USAGE[] =
    "menkou export --data DIR [--output FILE] [--purged]\n"
    "\n"
    "Writes every living resource as NDJSON, ordered by type and id, to stdout or FILE. Works\n"
    "beside a running server: one moment of the log is written. Two stores with the same content\n"
    "give the same bytes, or, one in files and one on a server, the same lines: in files UUIDs\n"
    "come behind other ids.\n"
    "\n"
    "  --purged  and after them a line for each version whose content was purged:\n"
    "            {\"purged\": \"TYPE/ID/_history/VERSION\", \"sha256\", \"written\", \"purge\"}\n"
    "\n"
    "Exit status: 0 done; 1 it could not be written; 2 wrong use; 3 unknown state.\n";

static const char REINDEX_USAGE[] =
    "menkou reindex --data DIR\n"
    "\n"
    "Builds index.db anew from log.db, which stays as it is.\n"
    "\n"
    "Exit status: 0 done; 1 it failed; 2 wrong use; 3 the directory is held by another process\n"
    "or in an unknown state.\n";

typedef struct Sink {
    FILE *file;
    uint64_t lines;
} Sink;

static Status cannot_write(Err *err)
{
    return err_add(err, ERR_STORAGE_FULL, NULL, STR_NONE, "写出失败：%s", "Writing failed: %s",
                   strerror(errno));
}

/* A body is kept as received; line ends stand only between its tokens and may be left out. */
static bool body_write(FILE *file, Str body)
{
    for (size_t at = 0; at < body.n;) {
        size_t n = 0;
        while (at + n < body.n && body.p[at + n] != '\n' && body.p[at + n] != '\r') {
            n++;
        }
        if (fwrite(body.p + at, 1, n, file) != n) {
            return false;
        }
        at += n + 1;
    }
    return fputc('\n', file) != EOF;
}

static Status line_write(void *ctx, Str type, Str id, Str body, Err *err)
{
    Sink *sink = ctx;
    (void)type;
    (void)id;
    sink->lines++;
    if (body_write(sink->file, body)) {
        return OK;
    }
    return cannot_write(err);
}

/* The row without its content, for whoever compares an export with an earlier one. */
static Status purged_write(void *ctx, const StoreVersion *v, Str sha, Str purge, Err *err)
{
    const Sink *sink = ctx;
    Arena a;
    arena_init(&a, 0);
    Str at = time_iso(&a, v->at_ms, ZONE_CHINA_MIN);
    int n = fprintf(sink->file,
                    "{\"purged\":\"%.*s/%.*s/_history/%.*s\",\"sha256\":\"%.*s\","
                    "\"written\":\"%.*s\",\"purge\":\"%.*s\"}\n",
                    STR_ARG(v->type), STR_ARG(v->id), STR_ARG(v->vid), STR_ARG(sha), STR_ARG(at),
                    STR_ARG(purge));
    arena_done(&a);
    return n > 0 ? OK : cannot_write(err);
}

static int export_to(CmdStore *c, FILE *file, bool purged)
{
    Sink sink = {.file = file};
    Status status = store_export(c->reader, line_write, &sink, &c->err);
    if (status == OK && purged) {
        status = store_purged(c->reader, purged_write, &sink, &c->err);
    }
    if (status == OK && fflush(file) != 0) {
        status = cannot_write(&c->err);
    }
    if (status != OK) {
        (void)cmd_failed("export", &c->err);
        return CMD_FAULTS;
    }
    fprintf(stderr, "menkou export: %llu resources\n", (unsigned long long)sink.lines);
    return CMD_DONE;
}

static int export_run(CmdStore *c, const char *output, bool purged)
{
    FILE *file = output ? fopen(output, "we") : stdout;
    if (!file) {
        return cmd_wrong_use("export", "%s: %s", output, strerror(errno));
    }
    int rc = export_to(c, file, purged);
    if (output && fclose(file) != 0) {
        rc = CMD_FAULTS;
    }
    return rc;
}

int cmd_export(int argc, char **argv)
{
    const char *dir = NULL, *output = NULL;
    bool purged = false;
    const CmdOption options[] = {
        {"--data", &dir, NULL}, {"--output", &output, NULL}, {"--purged", NULL, &purged}};
    CmdArgs args = {.command = "export", .usage = EXPORT_USAGE, .option = options, .option_n = 3};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    CmdStore c;
    rc = cmd_store_open(&c, "export", dir, CMD_BESIDE);
    rc = rc < 0 ? export_run(&c, output, purged) : rc;
    cmd_store_close(&c);
    return rc;
}

int cmd_reindex(int argc, char **argv)
{
    const char *dir = NULL;
    const CmdOption options[] = {{"--data", &dir, NULL}};
    CmdArgs args = {.command = "reindex", .usage = REINDEX_USAGE, .option = options, .option_n = 1};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    CmdStore c;
    rc = cmd_store_open(&c, "reindex", dir, CMD_HOLD);
    if (rc < 0) {
        Status status = store_reindex(c.store, cmd_progress, (void *)(uintptr_t) "reindex", &c.err);
        rc = status == OK ? CMD_DONE : cmd_failed("reindex", &c.err);
    }
    cmd_store_close(&c);
    return rc;
}
