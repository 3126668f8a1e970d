#include "cmd_validate.h"

#include <stdio.h>

#include <sys/stat.h>

#include "cmd_args.h"
#include "cmd_definitions.h"
#include "cmd_resource.h"
#include "fhir_resource.h"
#include "fhir_validate.h"

#define FILE_BYTES_MAX (1u << 30)

static const char HELP[] =
    "menkou validate [--profile URL] [--package FILE]... [--strict] [--lang zh|en] [--quiet]\n"
    "                FILE...\n"
    "\n"
    "Checks FHIR R4 resources in JSON or XML (a .ndjson file: one on each line; of a folder every\n"
    ".json, .xml and .ndjson below it; - is the standard input) and prints an OperationOutcome "
    "for\n"
    "each, one a line.\n"
    "\n"
    "  --profile URL   each must conform to this profile, too; may be given several times\n"
    "  --package FILE  definitions to know: a FHIR package (.tgz), or definitions in JSON or XML; "
    "may\n"
    "                  be given several times\n"
    "  --strict        what is only doubtful is an error, too: extensions that are not known,\n"
    "                  codes and names that their system does not have\n"
    "  --lang zh|en    language of the texts (the terminal's)\n"
    "  --quiet         print only what is wrong\n"
    "\n"
    "Exit: 0 all are valid, 1 some are not, 2 wrong use or a file that cannot be read.\n";

#define OPTIONS_MAX 64 /* profiles, packages */

typedef struct Run {
    Lang lang;
    bool quiet, strict;
    unsigned long checked, invalid;
    CmdDefinitions *definitions;
    const Str *profile;
    size_t profile_n;
} Run;

static int errors_of(const Err *err)
{
    int n = 0;
    for (const Issue *i = err->first; i; i = i->next) {
        n += i->severity != SEVERITY_WARNING;
    }
    return n;
}

/* Checks one text and prints its outcome. */
static void text_check(Run *run, const char *file, unsigned long line, Str bytes)
{
    Arena a;
    Err err;
    JsonDoc d;
    arena_init(&a, 0);
    err_init(&err, &a);
    Status s = cmd_resource_parse(&a, bytes, &JSON_LIMITS_FHIR, &d, &err);
    s = s == OK ? fhir_body_check(&d, &err) : s;
    FhirCheck check = {.thorough = true,
                       .strict = run->strict,
                       .profiles = cmd_definitions_profiles(run->definitions),
                       .terms = cmd_definitions_terms(run->definitions),
                       .library = cmd_definitions_library(run->definitions),
                       .profile = run->profile,
                       .profile_n = run->profile_n};
    s = s == OK ? fhir_validate_with(&d, JSON_ROOT, &check, &err) : s;
    run->checked++;
    if (s != OK) {
        run->invalid++;
        fprintf(stderr, "%s:%lu: %d\n", file, line, errors_of(&err));
    }
    if (s != OK || !run->quiet) {
        Buf out;
        buf_init(&out, 0);
        fhir_outcome_write(&out, &err, run->lang);
        printf("%.*s\n", STR_ARG(buf_str(&out)));
        buf_done(&out);
    }
    arena_done(&a);
}

static void lines_check(Run *run, const char *file, Str bytes)
{
    Str line;
    for (unsigned long n = 1; bytes.n; n++) {
        str_cut(bytes, '\n', &line, &bytes);
        if (str_trim(line).n) {
            text_check(run, file, n, line);
        }
    }
}

static bool file_check(Run *run, const char *file)
{
    Arena a;
    Err err;
    Str bytes;
    arena_init(&a, 0);
    err_init(&err, &a);
    bool read = file_read(&a, cmd_file_path(file), FILE_BYTES_MAX, &bytes, &err) == OK;
    if (!read) {
        Str text = run->lang == LANG_ZH ? err.first->zh : err.first->en;
        fprintf(stderr, "menkou validate: %s: %.*s\n", file, STR_ARG(text));
    } else if (str_ends(str_from_c(file), STR(".ndjson"))) {
        lines_check(run, file, bytes);
    } else {
        text_check(run, file, 1, bytes);
    }
    arena_done(&a);
    return read;
}

/* False for a language that is neither. */
static bool lang_parse(const char *name, Lang *ret)
{
    bool zh = name && strcmp(name, "zh") == 0, en = name && strcmp(name, "en") == 0;
    *ret = zh ? LANG_ZH : en ? LANG_EN : cmd_lang();
    return !name || zh || en;
}

/* --- folders --- */

typedef struct Folder {
    Run *run;
    const char *dir;
    bool read; /* every file so far */
} Folder;

static Status folder_file(void *ctx, Str relative, Err *err)
{
    Folder *f = ctx;
    (void)err;
    if (str_ends(relative, STR(".json")) || str_ends(relative, STR(".ndjson")) ||
        str_ends(relative, STR(".xml"))) {
        Arena a;
        arena_init(&a, 0);
        f->read = file_check(f->run, path_join(&a, str_from_c(f->dir), relative).p) && f->read;
        arena_done(&a);
    }
    return OK;
}

static bool path_check(Run *run, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return file_check(run, path);
    }
    Arena a;
    Err err;
    Folder folder = {run, path, true};
    arena_init(&a, 0);
    err_init(&err, &a);
    bool walked = dir_walk(&a, path, folder_file, &folder, &err) == OK;
    arena_done(&a);
    return walked && folder.read;
}

/* -1, or the exit status when a package cannot be read. */
static int packages_read(Run *run, const CmdList *packages)
{
    Arena a;
    Err err;
    int status = -1;
    arena_init(&a, 0);
    err_init(&err, &a);
    for (size_t i = 0; status < 0 && i < packages->n; i++) {
        if (cmd_definitions_add(run->definitions, packages->at[i], &err) != OK) {
            Str text = run->lang == LANG_ZH ? err.first->zh : err.first->en;
            status = cmd_wrong_use("validate", "%s: %.*s", packages->at[i], STR_ARG(text));
        }
    }
    arena_done(&a);
    return status;
}

static int paths_check(Run *run, const char **path, size_t n)
{
    bool read = true;
    for (size_t i = 0; i < n; i++) {
        read = path_check(run, path[i]) && read;
    }
    fprintf(stderr, "%lu checked, %lu invalid\n", run->checked, run->invalid);
    return !read ? CMD_WRONG_USE : run->invalid ? CMD_FAULTS : CMD_DONE;
}

int cmd_validate(int argc, char **argv)
{
    Arena arena;
    Run run = {.definitions = cmd_definitions_new()};
    const char *lang = NULL, *profile[OPTIONS_MAX], *package[OPTIONS_MAX];
    CmdList profiles = {profile, 0, OPTIONS_MAX}, packages = {package, 0, OPTIONS_MAX};
    const CmdOption options[] = {{.name = "--lang", .value = &lang},
                                 {.name = "--quiet", .flag = &run.quiet},
                                 {.name = "--strict", .flag = &run.strict},
                                 {.name = "--profile", .list = &profiles},
                                 {.name = "--package", .list = &packages}};
    Str url[OPTIONS_MAX];
    arena_init(&arena, 0);
    CmdArgs args = {"validate",
                    HELP,
                    options,
                    sizeof options / sizeof *options,
                    arena_array(&arena, const char *, argc),
                    (size_t)argc,
                    0};
    int status = cmd_args_parse(&args, argc, argv);
    if (status < 0 && args.word_n == 0) {
        status = cmd_wrong_use("validate", "name at least one FILE");
    }
    if (status < 0 && !lang_parse(lang, &run.lang)) {
        status = cmd_wrong_use("validate", "--lang takes zh or en");
    }
    for (size_t i = 0; i < profiles.n; i++) {
        url[i] = str_from_c(profile[i]);
    }
    run.profile = url;
    run.profile_n = profiles.n;
    status = status < 0 ? packages_read(&run, &packages) : status;
    status = status < 0 ? paths_check(&run, args.word, args.word_n) : status;
    cmd_definitions_free(run.definitions);
    arena_done(&arena);
    return status;
}
