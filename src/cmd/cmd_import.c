/* menkou import --data DIR FILE…: FHIR files into a data directory that nobody serves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_csv.h"
#include "cmd_definitions.h"
#include "cmd_import.h"
#include "cmd_resource.h"
#include "embed.h"

#include "mk_banned.h"

#define FILES_MAX 4096

static const char USAGE[] =
    "menkou import --data DIR FILE...\n"
    "menkou import --data DIR --csv residents|staff|institutions [--map MAP.json] [--dry-run] "
    "FILE...\n"
    "menkou import --csv KIND --print-map\n"
    "\n"
    "JSON or XML. A transaction or batch Bundle is executed as POST /fhir would. Lines of NDJSON, "
    "a\n"
    "single resource and the entries of other Bundles keep their id (PUT). What was imported is "
    "remembered\n"
    "with its rows for a day: an import that was cut off may simply be begun again.\n"
    "\n"
    "What is refused goes, with number and reason, to DIR/import/NAME.refused.ndjson. Each file "
    "is\n"
    "one line on stdout: imported and refused.\n"
    "\n"
    "A FHIR package (.tgz): its profiles, value sets, code systems and other definitions become\n"
    "resources under their own id; packages that it needs and that are not here are named.\n"
    "\n"
    "--csv: tables in UTF-8 or GB18030, the first line names the columns (--print-map shows which\n"
    "headers are known). Refused rows go, with line and reason, to DIR/import/NAME.refused.csv;\n"
    "first passwords of new accounts to DIR/import/NAME.passwords.csv. A table may be imported "
    "again.\n"
    "\n"
    "Exit status: 0 done; 1 something was refused; 2 wrong use or an unreadable file; 3 the "
    "directory\n"
    "is held by another process or in an unknown state.\n";

/* ---- Files ------------------------------------------------------------------------------------
 */

static void line_import(Import *im, Arena *a, Str line, uint64_t number)
{
    JsonDoc d;
    Err err;
    ApiIntakeItem item = {.number = number, .at = (size_t)(line.p - im->bytes.p), .body = line};
    if (im->in.group_n == 0) {
        arena_reset(a);
    }
    err_init(&err, a);
    if (json_parse(a, line, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        api_intake_refuse_err(&im->in, number, &err, line);
    } else if (api_intake_read(&im->in, &d, JSON_ROOT, &item)) {
        item.body = d.bytes; /* without a byte order mark */
        api_intake_add(&im->in, &item);
    }
}

static void lines_import(Import *im, Arena *a)
{
    Str rest = im->bytes, line;
    for (uint64_t number = 1; rest.n; number++) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        if (line.n) {
            line_import(im, a, line, number);
        }
        cmd_progress((void *)(uintptr_t) "import", "bytes", im->bytes.n - rest.n, im->bytes.n);
    }
    api_intake_flush(&im->in);
}

/* Entries of a collection, searchset … each under its own id. */
static void entries_import(Import *im, const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "entry")); json_next(&it);) {
        JsonRef resource = json_get_c(d, it.value, "resource");
        Str raw = json_raw(d, resource);
        ApiIntakeItem item = {
            .number = it.index + 1, .body = raw, .at = raw.p ? (size_t)(raw.p - im->bytes.p) : 0};
        if (resource != JSON_NONE && api_intake_read(&im->in, d, resource, &item)) {
            api_intake_add(&im->in, &item);
        }
    }
    api_intake_flush(&im->in);
}

/* What became of each entry of a batch. */
static void answers_count(Import *im, Arena *a, const JsonDoc *sent, Str answer)
{
    JsonDoc d;
    if (json_parse(a, answer, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return;
    }
    JsonRef entries = json_get_c(sent, JSON_ROOT, "entry");
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry")); json_next(&it);) {
        Str status = json_str_at(&d, it.value, "response.status");
        int64_t code = 0;
        if (str_starts(status, STR("2")) || !str_to_i64(str_take(status, 3), &code)) {
            im->in.imported++;
            continue;
        }
        Str reason = json_raw(&d, json_at(&d, it.value, "response.outcome"));
        api_intake_refuse(&im->in, it.index + 1, (int)code, reason,
                          json_raw(sent, json_item(sent, entries, it.index)));
    }
}

static void answer_count(Import *im, Arena *a, const JsonDoc *d, int status, Str answer)
{
    bool all = str_is(json_str_at(d, JSON_ROOT, "type"), "transaction");
    if (status == 200 && all) {
        im->in.imported += json_count(d, json_get_c(d, JSON_ROOT, "entry"));
    } else if (status == 200) {
        answers_count(im, a, d, answer);
    } else {
        api_intake_refuse(&im->in, 1, status, answer, d->bytes);
    }
}

static void bundle_execute(Import *im, Arena *a, const JsonDoc *d)
{
    Str answer, key = api_intake_key(&im->in, a, 0, im->bytes.n);
    int status = api_local_send(im->in.local, a, "POST", STR("/fhir"), key, d, &answer);
    answer_count(im, a, d, status, answer);
}

static void document_import(Import *im, Arena *a, const JsonDoc *d)
{
    Str type = json_str_at(d, JSON_ROOT, "type");
    bool bundle = str_is(json_str_at(d, JSON_ROOT, "resourceType"), "Bundle");
    if (bundle && (str_is(type, "transaction") || str_is(type, "batch"))) {
        bundle_execute(im, a, d);
    } else if (bundle && str_is(type, "collection")) {
        entries_import(im, d);
    } else {
        ApiIntakeItem item = {.number = 1, .body = d->bytes};
        if (api_intake_read(&im->in, d, JSON_ROOT, &item)) {
            api_intake_alone(&im->in, &item);
        }
    }
}

/* ---- Files in turn ----------------------------------------------------------------------------
 */

typedef struct Files {
    const char *dir;
    ApiLocal *local;
    ApiCrew *crew; /* its errands are Imports: transactions that may go beside each other */
    int worst;     /* exit status */
} Files;

static void status_note(Files *f, int code)
{
    f->worst = code > f->worst ? code : f->worst;
}

static void file_close(Files *f, Import *im)
{
    status_note(f, im->in.refused ? CMD_FAULTS : CMD_DONE);
    printf("%.*s: %llu imported, %llu refused\n", STR_ARG(im->name),
           (unsigned long long)im->in.imported, (unsigned long long)im->in.refused);
    if (!api_intake_end(&im->in)) {
        fprintf(stderr, "menkou: import: %s: %s\n", im->in.refused_path, strerror(errno));
    }
    if (im->mapped.n) {
        munmap((void *)(uintptr_t)im->mapped.p, im->mapped.n);
    }
    arena_done(&im->arena);
    free(im);
}

/* The oldest of those under way; false: there is none. */
static bool file_back(Files *f)
{
    ApiErrand *e = api_crew_take(f->crew);
    if (!e) {
        return false;
    }
    answer_count(e->ctx, &e->arena, e->doc, e->status, e->answer);
    file_close(f, e->ctx);
    api_crew_errand_free(e);
    return true;
}

static void files_settle(Files *f)
{
    while (file_back(f)) {
    }
}

static void bundle_send(Files *f, Import *im, ApiErrand *e, const JsonDoc *d)
{
    e->ctx = im;
    e->doc = d;
    e->body = d->bytes;
    e->key = api_intake_key(&im->in, &e->arena, 0, d->bytes.n);
    while (!api_crew_has_room(f->crew, d->bytes.n)) {
        (void)file_back(f);
    }
    api_crew_send(f->crew, e);
}

static bool is_lines(Str name)
{
    return str_ends(name, STR(".ndjson")) || str_ends(name, STR(".jsonl"));
}

/* A resource or Bundle, in JSON or XML; true: it is under way. */
static bool whole_import(Files *f, Import *im)
{
    Err err;
    ApiErrand *e = api_crew_errand();
    JsonDoc *d = arena_new(&e->arena, JsonDoc);
    err_init(&err, &e->arena);
    Status s = cmd_resource_parse(&e->arena, im->mapped, &JSON_LIMITS_FHIR, d, &err);
    if (s == OK && api_bundle_is_free(d)) {
        bundle_send(f, im, e, d);
        return true;
    }
    files_settle(f);
    if (s == OK) {
        im->bytes = d->bytes;
        document_import(im, &e->arena, d);
    } else {
        api_intake_refuse_err(&im->in, 1, &err, str_take(im->bytes, 4096));
    }
    api_crew_errand_free(e);
    return false;
}

/* True: it is under way, and closed when it comes back. */
static bool bytes_import(Files *f, Import *im)
{
    if (!cmd_is_package(im->name.p) && !is_lines(im->name)) {
        return whole_import(f, im);
    }
    files_settle(f);
    if (is_lines(im->name)) {
        Arena a;
        arena_init(&a, 0);
        lines_import(im, &a);
        arena_done(&a);
    } else {
        import_package(im);
    }
    return false;
}

/* Maps the file; an empty one has nothing to say. */
static bool file_map(const char *path, Str *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return false;
    }
    size_t n = (size_t)st.st_size;
    void *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    *ret = (Str){p, n};
    return p != MAP_FAILED;
}

/* Where refusals of the file go; NULL (told) when there can be no such place. */
static const char *refused_place(Files *f, Import *im)
{
    Err err;
    err_init(&err, &im->arena);
    Str folder = path_join(&im->arena, str_from_c(f->dir), STR("import"));
    if (dir_make(folder.p, 0700, &err) != OK) {
        status_note(f, cmd_failed("import", &err));
        return NULL;
    }
    return path_join(&im->arena, folder, arena_cat(&im->arena, im->name, STR(".refused.ndjson"))).p;
}

/* What cannot be read, or of which nothing could be kept, is told. */
static void file_import(Files *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    Str mapped;
    if (!file_map(path, &mapped)) {
        status_note(
            f, cmd_wrong_use("import", "%s: %s", path, errno ? strerror(errno) : "not a file"));
        return;
    }
    Import *im = memory_take_zeroed(sizeof *im);
    arena_init(&im->arena, 0);
    im->name = str_from_c(slash ? slash + 1 : path);
    im->mapped = im->bytes = mapped;
    im->in = (ApiIntake){.local = f->local,
                         .crew = f->crew,
                         .source = im->name,
                         .lang = cmd_lang(),
                         .refused_path = refused_place(f, im)};
    if (!im->in.refused_path) {
        munmap((void *)(uintptr_t)mapped.p, mapped.n);
        arena_done(&im->arena);
        free(im);
        return;
    }
    if (!mapped.n || !bytes_import(f, im)) {
        files_settle(f); /* told in turn */
        file_close(f, im);
    }
}

static int files_import(Files *f, const char **file, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        file_import(f, file[i]);
    }
    files_settle(f);
    return fflush(stdout) == 0 ? f->worst : CMD_FAULTS;
}

static int doors_import(Api *api, const char *dir, const char **file, size_t n, Err *err)
{
    Files f = {.dir = dir};
    if (api_local_open(api, NULL, &f.local, err) != OK) {
        return cmd_failed("import", err);
    }
    int rc = api_crew_open(api, NULL, &f.crew, err) == OK ? files_import(&f, file, n)
                                                          : cmd_failed("import", err);
    if (f.crew) {
        api_crew_close(f.crew);
    }
    api_local_close(f.local);
    return rc;
}

static int import_run(const char *dir, const char **file, size_t n)
{
    Clock clock;
    Random random;
    Arena a;
    Err err;
    Api *api;
    arena_init(&a, 0);
    err_init(&err, &a);
    clock_init_system(&clock);
    random_init_system(&random);
    ApiOptions options = {.dir = dir,
                          .clock = &clock,
                          .random = &random,
                          .zone_min = ZONE_CHINA_MIN,
                          .pathways = embed_pathways};
    int rc;
    if (api_open(&options, &api, &err) != OK) {
        rc = cmd_failed("import", &err);
    } else {
        rc = doors_import(api, dir, file, n, &err);
        api_close(api);
    }
    arena_done(&a);
    return rc;
}

int cmd_import(int argc, char **argv)
{
    static const char *files[FILES_MAX];
    const char *dir = NULL, *kind = NULL, *map = NULL;
    bool dry = false, print = false;
    const CmdOption options[] = {{"--data", &dir, NULL},
                                 {"--csv", &kind, NULL},
                                 {"--map", &map, NULL},
                                 {"--dry-run", NULL, &dry},
                                 {"--print-map", NULL, &print}};
    CmdArgs args = {.command = "import",
                    .usage = USAGE,
                    .option = options,
                    .option_n = sizeof options / sizeof *options,
                    .word = files,
                    .word_max = FILES_MAX};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    if (!kind && (map || dry || print)) {
        return cmd_wrong_use("import", "--map, --dry-run and --print-map go with --csv");
    }
    if (print) {
        return cmd_csv_map_print(kind);
    }
    if (!dir || args.word_n == 0) {
        return cmd_wrong_use("import", !dir ? "--data DIR is missing" : "no file given");
    }
    Arena a;
    arena_init(&a, 0);
    bool there = store_is_there(str_from_c(dir));
    arena_done(&a);
    if (!there) {
        return cmd_wrong_use("import", "%s has no data", dir);
    }
    CmdCsv csv = {.dir = dir, .kind = kind, .map = map, .dry = dry};
    return kind ? cmd_csv_import(&csv, files, args.word_n) : import_run(dir, files, args.word_n);
}
