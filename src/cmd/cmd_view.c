/* menkou view: a SQL-on-FHIR view over files. */
#include <errno.h>
#include <stdio.h>

#include "cmd.h"
#include "cmd_args.h"
#include "cmd_resource.h"
#include "fhir_view.h"

#define FILE_BYTES_MAX   ((size_t)1 << 30)
#define MEMORY_BYTES_MAX ((size_t)512 << 20) /* of what one resource makes */
#define OUT_BYTES        (64u << 10)

static const char USAGE[] =
    "menkou view VIEW FILE... [--format ndjson|json|csv] [--output FILE]\n"
    "\n"
    "Runs a SQL-on-FHIR ViewDefinition (VIEW, a JSON file) over the resources in the files: a\n"
    "resource or a Bundle (JSON or XML), an array, or one resource on each line. \"-\" is "
    "standard\n"
    "input. Prints the rows.\n"
    "\n"
    "  --format ndjson|json|csv  an object on each line (so without it), an array, or a table\n"
    "  --no-header               CSV without its first line\n"
    "  --limit N                 at most N rows\n"
    "  --output FILE             writes there\n"
    "\n"
    "Exit: 0 done, 1 the view or a resource is wrong, 2 wrong use.\n";

typedef struct Ask {
    Arena arena; /* of the view and the file in hand */
    Err err;
    const char *view, *output;
    FhirView *compiled;
    FhirViewWriter writer;
    Buf out;
    FILE *to;
    int64_t now_ms;
    uint64_t limit;
    bool full; /* the limit is reached */
} Ask;

static Status flush(Ask *ask, size_t above, Err *err)
{
    if (ask->out.n > above) {
        size_t n = fwrite(ask->out.p, 1, ask->out.n, ask->to);
        if (n != ask->out.n) {
            return err_add(err, ERR_STORAGE_FULL, "no-store", STR_NONE, "无法写出结果：%s",
                           "the rows cannot be written: %s", strerror(errno));
        }
        buf_clear(&ask->out);
    }
    return OK;
}

static Status row_print(void *ctx, const FhirValues *cell, Err *err)
{
    Ask *ask = ctx;
    if (ask->writer.rows == ask->limit) {
        ask->full = true;
        return OK;
    }
    fhir_view_write_row(&ask->writer, cell);
    return flush(ask, OUT_BYTES, err);
}

static Status resource_run(Ask *ask, FhirNode n)
{
    Arena scratch;
    if (ask->full) {
        return OK;
    }
    arena_init(&scratch, MEMORY_BYTES_MAX);
    FhirViewRun run = {
        .arena = &scratch,
        .now_ms = ask->now_ms,
        .zone_min = ZONE_CHINA_MIN,
        .row = row_print,
        .ctx = ask,
    };
    Status s = fhir_view_run(ask->compiled, &run, n, &ask->err);
    arena_done(&scratch);
    return s;
}

/* A resource; a Bundle's are those of its entries, unless the view is of Bundles. */
static Status item_run(Ask *ask, const JsonDoc *d, JsonRef at)
{
    bool bundle = str_is(json_str_at(d, at, "resourceType"), "Bundle") &&
                  !str_is(fhir_view_resource(ask->compiled), "Bundle");
    if (!bundle) {
        return resource_run(ask, fhir_node_resource(d, at));
    }
    for (JsonIter it = json_iter(d, json_get_c(d, at, "entry")); json_next(&it);) {
        JsonRef resource = json_get_c(d, it.value, "resource");
        if (json_type(d, resource) == JSON_OBJECT) {
            TRY(resource_run(ask, fhir_node_resource(d, resource)));
        }
    }
    return OK;
}

static Status text_run(Ask *ask, const JsonDoc *d)
{
    if (json_type(d, JSON_ROOT) != JSON_ARRAY) {
        return item_run(ask, d, JSON_ROOT);
    }
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        TRY(item_run(ask, d, it.value));
    }
    return OK;
}

static Status parse(Arena *a, Str text, JsonDoc *ret, Err *err)
{
    JsonLimits limits = {.depth = JSON_LIMITS_FHIR.depth, .bytes = FILE_BYTES_MAX};
    return cmd_resource_parse(a, text, &limits, ret, err);
}

static Status lines_run(Ask *ask, const char *file, Str bytes)
{
    Str line;
    Status s = OK;
    for (unsigned long n = 1; bytes.n && s == OK && !ask->full; n++) {
        Arena a;
        JsonDoc d;
        Err inner;
        str_cut(bytes, '\n', &line, &bytes);
        line = str_trim(line);
        arena_init(&a, MEMORY_BYTES_MAX);
        err_init(&inner, &a);
        if (line.n && parse(&a, line, &d, &inner) != OK) {
            s = err_move(&ask->err, &inner, arena_printf(&ask->arena, "%s:%lu ", file, n));
        } else if (line.n) {
            s = text_run(ask, &d);
        }
        arena_done(&a);
    }
    return s;
}

/* Whether the first line is a value by itself and more follows. */
static bool is_lines(Arena *a, const char *file, Str bytes)
{
    Str line, rest;
    JsonDoc d;
    if (str_ends(str_from_c(file), STR(".ndjson")) || str_ends(str_from_c(file), STR(".jsonl"))) {
        return true;
    }
    bool more = str_cut(bytes, '\n', &line, &rest) && str_trim(rest).n;
    return more && str_trim(line).n && parse(a, str_trim(line), &d, NULL) == OK;
}

static Status file_run(Ask *ask, const char *file)
{
    Arena a;
    Str bytes;
    JsonDoc d;
    arena_init(&a, 0);
    Status s = file_read(&a, cmd_file_path(file), FILE_BYTES_MAX, &bytes, &ask->err);
    if (s == OK && is_lines(&a, file, bytes)) {
        s = lines_run(ask, file, bytes);
    } else if (s == OK) {
        s = parse(&a, bytes, &d, &ask->err);
        s = s == OK ? text_run(ask, &d) : s;
    }
    arena_done(&a);
    return s;
}

/* A ViewDefinition, or a Parameters or Bundle entry is not looked into: one thing, one file. */
static Status view_read(Ask *ask)
{
    Str text;
    JsonDoc *d = arena_new(&ask->arena, JsonDoc);
    TRY(file_read(&ask->arena, cmd_file_path(ask->view), JSON_LIMITS_FHIR.bytes, &text, &ask->err));
    TRY(json_parse(&ask->arena, text, &JSON_LIMITS_FHIR, d, &ask->err));
    return fhir_view_compile(&ask->arena, d, JSON_ROOT, &ask->compiled, &ask->err);
}

static Status files_run(Ask *ask, const char *const *file, size_t n)
{
    ask->writer.view = ask->compiled;
    fhir_view_write_begin(&ask->writer);
    for (size_t i = 0; i < n && !ask->full; i++) {
        TRY(file_run(ask, file[i]));
    }
    fhir_view_write_end(&ask->writer);
    TRY(flush(ask, 0, &ask->err));
    return fflush(ask->to) == 0 ? OK : err_status(&ask->err, ERR_STORAGE_FULL);
}

static Status view_do(Ask *ask, const char *const *file, size_t n)
{
    TRY(view_read(ask));
    ask->to = ask->output ? fopen(ask->output, "wb") : stdout;
    if (!ask->to) {
        return err_add(&ask->err, ERR_INVALID, NULL, str_from_c(ask->output), "无法写该文件：%s",
                       "the file cannot be written: %s", strerror(errno));
    }
    Status s = files_run(ask, file, n);
    if (ask->output && fclose(ask->to) != 0 && s == OK) {
        s = err_status(&ask->err, ERR_STORAGE_FULL);
    }
    return s;
}

static int options_read(Ask *ask, const char *format, const char *limit)
{
    int64_t n = 0;
    Str name = str_from_c(format);
    if (format && !fhir_view_format_parse(name, &ask->writer.format)) {
        return cmd_wrong_use("view", "--format takes ndjson, json or csv");
    }
    if (limit && (!str_to_i64(str_from_c(limit), &n) || n < 0)) {
        return cmd_wrong_use("view", "--limit takes a number");
    }
    ask->limit = limit ? (uint64_t)n : UINT64_MAX;
    return -1;
}

int cmd_view(int argc, char **argv)
{
    Ask ask = {0};
    Clock clock;
    const char *format = NULL, *limit = NULL;
    const CmdOption options[] = {{"--format", &format, NULL, NULL, NULL},
                                 {"--limit", &limit, NULL, NULL, NULL},
                                 {"--output", &ask.output, NULL, NULL, NULL},
                                 {"--no-header", NULL, &ask.writer.headless, NULL, NULL}};
    arena_init(&ask.arena, 0);
    err_init(&ask.err, &ask.arena);
    clock_init_system(&clock);
    ask.now_ms = clock_now(&clock);
    const char **word = arena_array(&ask.arena, const char *, argc);
    CmdArgs args = {"view", USAGE, options, 4, word, (size_t)argc, 0};
    int status = cmd_args_parse(&args, argc, argv);
    if (status < 0 && args.word_n < 2) {
        status = cmd_wrong_use("view", "give a VIEW and at least one FILE");
    }
    status = status < 0 ? options_read(&ask, format, limit) : status;
    if (status < 0) {
        ask.view = word[0];
        buf_init(&ask.out, 0);
        ask.writer.out = &ask.out;
        Status s = view_do(&ask, word + 1, args.word_n - 1);
        status = s == OK ? CMD_DONE : CMD_FAULTS;
        if (s != OK) {
            (void)cmd_failed("view", &ask.err);
        }
        buf_done(&ask.out);
    }
    arena_done(&ask.arena);
    return status;
}
