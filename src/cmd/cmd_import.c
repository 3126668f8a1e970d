/* menkou import --data DIR FILE…: FHIR files into a data directory that nobody serves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_csv.h"
#include "cmd_definitions.h"
#include "cmd_import.h"
#include "embed.h"
#include "fhir_resource.h"

#include "mk_banned.h"

#define FILES_MAX       4096
#define GROUP_BYTES_MAX ((size_t)8 << 20)

static const char USAGE[] =
    "menkou import --data DIR FILE...\n"
    "menkou import --data DIR --csv residents|staff|institutions [--map MAP.json] [--dry-run] "
    "FILE...\n"
    "menkou import --csv KIND --print-map\n"
    "\n"
    "A transaction or batch Bundle is executed as POST /fhir would. Lines of NDJSON, a single\n"
    "resource and the entries of other Bundles keep their id (PUT). What was imported is "
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

/* ---- Refusals ---------------------------------------------------------------------------------
 */

static bool refused_open(Import *im)
{
    Arena a;
    arena_init(&a, 0);
    Str folder = path_join(&a, str_from_c(im->dir), STR("import"));
    Str name = arena_cat(&a, im->name, STR(".refused.ndjson"));
    bool ok = dir_make(folder.p, 0700, NULL) == OK;
    im->refused_file = ok ? fopen(path_join(&a, folder, name).p, "we") : NULL;
    arena_done(&a);
    return im->refused_file != NULL;
}

void import_refuse(Import *im, uint64_t number, int status, Str reason, Str body)
{
    im->refused++;
    if (!im->refused_file && !refused_open(im)) {
        return;
    }
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_i64(&w, "number", (int64_t)number);
    json_member_i64(&w, "status", status);
    json_key(&w, "reason");
    json_put_raw(&w, str_empty(reason) ? STR("null") : reason);
    json_key(&w, "bytes");
    json_put_str(&w, body);
    json_close(&w, '}');
    buf_char(&out, '\n');
    fwrite(out.p, 1, out.n, im->refused_file);
    buf_done(&out);
}

void import_refuse_err(Import *im, Arena *a, uint64_t number, const Err *err, Str body)
{
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, err, cmd_lang());
    import_refuse(im, number, status_http(err->status), arena_str(a, buf_str(&out)), body);
    buf_done(&out);
}

/* ---- Resources that keep their id -------------------------------------------------------------
 */

/* The same file, place and content is the same request: done once, also when begun again. */
static Str key_of(const Import *im, Arena *a, size_t at, size_t n)
{
    Str place = arena_printf(a, "%zu+%zu", at, n);
    Sha256 sum =
        sha256_parts((const Str[]){STR("import "), im->name, STR(" "), place, im->seal}, 5);
    return hex_encode(a, sum.b, 20);
}

static void put_one(Import *im, Arena *a, const Item *item)
{
    Str answer, path = arena_cat(a, STR("/fhir/"), item->type, STR("/"), item->id);
    int status = api_local_call(im->local, a, "PUT", path, key_of(im, a, item->at, item->body.n),
                                item->body, &answer);
    if (status == 200 || status == 201) {
        im->imported++;
    } else {
        import_refuse(im, item->number, status, answer, item->body);
    }
}

static Str group_bundle(const Import *im, Arena *a)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (size_t i = 0; i < im->group_n; i++) {
        const Item *item = &im->group[i];
        buf_c(&out, i ? ",{\"resource\":" : "{\"resource\":");
        buf_add(&out, item->body);
        buf_c(&out, ",\"request\":{\"method\":\"PUT\",\"url\":");
        buf_json_str(&out, arena_cat(a, item->type, STR("/"), item->id));
        buf_c(&out, "}}");
    }
    buf_c(&out, "]}");
    return buf_take(&out, a);
}

void import_group_put(Import *im)
{
    Arena a;
    Str answer;
    size_t n = im->group_n;
    if (n == 0) {
        return;
    }
    arena_init(&a, 0);
    int status = 0;
    if (n > 1) {
        const Item *last = &im->group[n - 1];
        Str key = key_of(im, &a, im->group[0].at, last->at + last->body.n);
        status =
            api_local_call(im->local, &a, "POST", STR("/fhir"), key, group_bundle(im, &a), &answer);
    }
    im->imported += status == 200 ? n : 0;
    for (size_t i = 0; status != 200 && i < n; i++) {
        put_one(im, &a, &im->group[i]);
    }
    arena_done(&a);
    im->group_n = im->group_bytes = 0;
}

bool import_item_read(Import *im, Arena *a, const JsonDoc *d, JsonRef r, Item *item)
{
    Err err;
    err_init(&err, a);
    Str type = json_str_at(d, r, "resourceType"), id = json_str_at(d, r, "id");
    if (type.n && id.n && type.n < 64 && id.n <= 64 && str_find_char(id, '/') < 0) {
        item->type = type;
        item->id = id;
        return true;
    }
    (void)err_add(&err, ERR_INVALID, "required", STR_NONE, "导入的资源须有 resourceType 和 id",
                  "An imported resource needs resourceType and id");
    import_refuse_err(im, a, item->number, &err, item->body);
    return false;
}

void import_item_add(Import *im, Arena *a, Item item)
{
    item.type = arena_str(a, item.type);
    item.id = arena_str(a, item.id);
    im->group[im->group_n++] = item;
    im->group_bytes += item.body.n;
    if (im->group_n == GROUP_MAX || im->group_bytes > GROUP_BYTES_MAX) {
        import_group_put(im);
    }
}

/* ---- Files ------------------------------------------------------------------------------------
 */

static void line_import(Import *im, Arena *a, Str line, uint64_t number)
{
    Arena scratch;
    JsonDoc d;
    Err err;
    Item item = {.number = number, .at = (size_t)(line.p - im->bytes.p), .body = line};
    arena_init(&scratch, 0);
    err_init(&err, &scratch);
    if (json_parse(&scratch, line, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        import_refuse_err(im, &scratch, number, &err, line);
    } else if (import_item_read(im, &scratch, &d, JSON_ROOT, &item)) {
        item.body = d.bytes; /* without a byte order mark */
        import_item_add(im, a, item);
    }
    arena_done(&scratch);
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
    import_group_put(im);
}

/* Entries of a collection, searchset … each under its own id. */
static void entries_import(Import *im, Arena *a, const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "entry")); json_next(&it);) {
        JsonRef resource = json_get_c(d, it.value, "resource");
        Str raw = json_raw(d, resource);
        Item item = {
            .number = it.index + 1, .body = raw, .at = raw.p ? (size_t)(raw.p - im->bytes.p) : 0};
        if (resource != JSON_NONE && import_item_read(im, a, d, resource, &item)) {
            import_item_add(im, a, item);
        }
    }
    import_group_put(im);
}

/* What became of each entry of a batch; of a transaction all went well. */
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
            im->imported++;
            continue;
        }
        Str reason = json_raw(&d, json_at(&d, it.value, "response.outcome"));
        import_refuse(im, it.index + 1, (int)code, reason,
                      json_raw(sent, json_item(sent, entries, it.index)));
    }
}

static void bundle_execute(Import *im, Arena *a, const JsonDoc *d)
{
    Str answer, key = key_of(im, a, 0, im->bytes.n);
    int status = api_local_call(im->local, a, "POST", STR("/fhir"), key, im->bytes, &answer);
    if (status == 200) {
        answers_count(im, a, d, answer);
    } else {
        import_refuse(im, 1, status, answer, im->bytes);
    }
}

static void document_import(Import *im, Arena *a, const JsonDoc *d)
{
    Str type = json_str_at(d, JSON_ROOT, "type");
    bool bundle = str_is(json_str_at(d, JSON_ROOT, "resourceType"), "Bundle");
    if (bundle && (str_is(type, "transaction") || str_is(type, "batch"))) {
        bundle_execute(im, a, d);
    } else if (bundle && str_is(type, "collection")) {
        entries_import(im, a, d);
    } else {
        Item item = {.number = 1, .body = d->bytes};
        if (import_item_read(im, a, d, JSON_ROOT, &item)) {
            put_one(im, a, &item);
        }
    }
}

static bool is_lines(Str name)
{
    return str_ends(name, STR(".ndjson")) || str_ends(name, STR(".jsonl"));
}

static void bytes_import(Import *im)
{
    Arena a;
    JsonDoc d;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    if (cmd_is_package(im->name.p)) {
        import_package(im);
    } else if (is_lines(im->name)) {
        lines_import(im, &a);
    } else if (json_parse(&a, im->bytes, &JSON_LIMITS_FHIR, &d, &err) == OK) {
        document_import(im, &a, &d);
    } else {
        import_refuse_err(im, &a, 1, &err, str_take(im->bytes, 4096));
    }
    arena_done(&a);
}

/* Maps the file; an empty one has nothing to say. */
static bool file_map(const char *path, Str *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    size_t n = (size_t)st.st_size;
    void *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    *ret = (Str){p, n};
    return p != MAP_FAILED;
}

/* -1: go on. */
static int file_import(Import *im, const char *path)
{
    const char *slash = strrchr(path, '/');
    im->name = str_from_c(slash ? slash + 1 : path);
    im->imported = im->refused = 0;
    im->seal = STR_NONE;
    if (!file_map(path, &im->bytes)) {
        return cmd_wrong_use("import", "%s: %s", path, errno ? strerror(errno) : "not a file");
    }
    if (im->bytes.n) {
        bytes_import(im);
        munmap((void *)(uintptr_t)im->bytes.p, im->bytes.n);
    }
    printf("%.*s: %llu imported, %llu refused\n", STR_ARG(im->name),
           (unsigned long long)im->imported, (unsigned long long)im->refused);
    if (im->refused_file) {
        fclose(im->refused_file);
        im->refused_file = NULL;
    }
    return im->refused ? CMD_FAULTS : -1;
}

static int files_import(Import *im, const char **file, size_t n)
{
    int worst = CMD_DONE;
    for (size_t i = 0; i < n; i++) {
        int rc = file_import(im, file[i]);
        worst = rc > worst ? rc : worst;
    }
    return fflush(stdout) == 0 ? worst : CMD_FAULTS;
}

static int import_run(const char *dir, const char **file, size_t n)
{
    Clock clock;
    Random random;
    Arena a;
    Err err;
    Api *api;
    Import im = {.dir = dir};
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
        rc = api_local_open(api, NULL, &im.local, &err) == OK ? files_import(&im, file, n)
                                                              : cmd_failed("import", &err);
        if (im.local) {
            api_local_close(im.local);
        }
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
