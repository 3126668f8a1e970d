/* menkou pathway: checks packages, and plays their stories against a store in memory. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_args.h"
#include "embed.h"
#include "insight_story.h"

#define FILE_BYTES_MAX (4u << 20)
#define FILES_MAX      400
#define PACKAGES_MAX   200

static const char USAGE[] =
    "menkou pathway lint DIR...\n"
    "menkou pathway test DIR...\n"
    "\n"
    "lint  checks packages: states, actions, roles, expressions, forms, templates, both "
    "languages.\n"
    "test  lints, then plays each package's story.json against an in-memory store.\n"
    "\n"
    "DIR is the folder of one package, or a folder of such folders. Packages that a story calls\n"
    "and that are not named come from the program itself.\n"
    "\n"
    "Exit: 0 all good, 1 faults were found, 2 wrong use.\n";

typedef struct Packages {
    Arena *arena;
    FlowPackageSource source[PACKAGES_MAX];
    size_t n, given; /* the first `given` come from the program */
} Packages;

/* ---- Reading folders ------------------------------------------------------------------------- */

typedef struct Folder {
    Arena *arena;
    const char *dir;
    Str *path, *content;
    size_t n;
} Folder;

static Status file_add(void *ctx, Str relative, Err *err)
{
    Folder *f = ctx;
    Str bytes, full = path_join(f->arena, str_from_c(f->dir), relative);
    if (f->n == FILES_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, str_from_c(f->dir), "文件过多", "too many files");
    }
    TRY(file_read(f->arena, full.p, FILE_BYTES_MAX, &bytes, err));
    f->path[f->n] = arena_str(f->arena, relative);
    f->content[f->n++] = bytes;
    return OK;
}

static Status folder_read(Packages *p, const char *dir, Str name, Err *err)
{
    Folder f = {.arena = p->arena,
                .dir = dir,
                .path = arena_array(p->arena, Str, FILES_MAX),
                .content = arena_array(p->arena, Str, FILES_MAX)};
    if (p->n == PACKAGES_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, name, "路径包过多", "too many packages");
    }
    TRY(dir_walk(p->arena, dir, file_add, &f, err));
    FlowPackageSource shared = api_pages_shared(p->arena, embed_pathways);
    p->source[p->n] = (FlowPackageSource){name, f.path, f.content, f.n};
    flow_package_share(p->arena, &p->source[p->n++], &shared);
    return OK;
}

static Status subfolder_note(void *ctx, Str relative, Err *err)
{
    Packages *p = ctx;
    Str head, tail;
    (void)err;
    str_cut(relative, '/', &head, &tail);
    if (str_is(tail, "pathway.json") && p->n < PACKAGES_MAX) {
        p->source[p->n++] = (FlowPackageSource){.name = arena_str(p->arena, head)};
    }
    return OK;
}

/* A folder of packages: each subfolder that holds a pathway.json. */
static Status folders_read(Packages *p, const char *dir, Err *err)
{
    size_t first = p->n;
    TRY(dir_walk(p->arena, dir, subfolder_note, p, err));
    size_t end = p->n;
    if (end == first) {
        return err_add(err, ERR_INVALID, NULL, str_from_c(dir), "没有找到 pathway.json",
                       "no pathway.json found");
    }
    p->n = first;
    for (size_t i = first; i < end; i++) {
        Str name = p->source[i].name;
        TRY(folder_read(p, path_join(p->arena, str_from_c(dir), name).p, name, err));
    }
    return OK;
}

static Status dir_read(Packages *p, const char *dir, Err *err)
{
    char *copy = arena_cstr(p->arena, str_from_c(dir));
    Str file = path_join(p->arena, str_from_c(dir), STR("pathway.json"));
    if (!file_exists(file.p)) {
        return folders_read(p, dir, err);
    }
    char real[4096];
    if (!realpath(dir, real)) {
        return err_add(err, ERR_INVALID, NULL, str_from_c(dir), "无法打开", "cannot be opened");
    }
    return folder_read(p, copy, arena_str(p->arena, str_from_c(basename(real))), err);
}

/* ---- Lint and test --------------------------------------------------------------------------- */

static void issues_print(const Err *err)
{
    Lang lang = cmd_lang();
    for (const Issue *i = err->first; i; i = i->next) {
        Str text = lang == LANG_ZH ? i->zh : i->en;
        printf("%.*s: %.*s\n", STR_ARG(i->where), STR_ARG(text));
    }
}

static bool lint_one(const FlowPackageSource *source, Arena *a)
{
    Err err;
    err_init(&err, a);
    bool ok = flow_lint(source, &err) == OK;
    printf("%s %.*s\n", ok ? "ok  " : "FAIL", STR_ARG(source->name));
    issues_print(&err);
    return ok;
}

static bool test_one(const Packages *p, size_t i)
{
    Err err;
    Buf report;
    FlowStoryResult result = {0};
    err_init(&err, p->arena);
    buf_init(&report, 1u << 20);
    Status s = flow_story(p->source, p->n, p->source[i].name, insight_story_figures, &report,
                          &result, &err);
    bool ok = s == OK && result.failed == 0;
    printf("%s %.*s: %d steps, %d failed\n", ok ? "ok  " : "FAIL", STR_ARG(p->source[i].name),
           result.steps, result.failed);
    printf("%.*s", STR_ARG(buf_str(&report)));
    issues_print(&err);
    buf_done(&report);
    return ok;
}

static int run(Packages *p, bool test)
{
    bool ok = true;
    for (size_t i = p->given; i < p->n; i++) {
        ok &= lint_one(&p->source[i], p->arena);
    }
    for (size_t i = p->given; i < p->n && ok && test; i++) {
        ok &= test_one(p, i);
    }
    return ok ? CMD_DONE : CMD_FAULTS;
}

static int pathway(Packages *p, bool test, int argc, char **argv)
{
    Err err;
    FlowPackageSource *own;
    err_init(&err, p->arena);
    Status s = api_packages(p->arena, embed_pathways, NULL, 0, &own, &p->given, &err);
    for (size_t i = 0; s == OK && i < p->given && i < PACKAGES_MAX; i++) {
        p->source[p->n++] = own[i];
    }
    for (int i = 2; s == OK && i < argc; i++) {
        s = dir_read(p, argv[i], &err);
    }
    if (s != OK) {
        cmd_failed("pathway", &err);
        return CMD_WRONG_USE;
    }
    return run(p, test);
}

int cmd_pathway(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(USAGE, stdout);
            return CMD_DONE;
        }
    }
    bool lint = argc > 1 && strcmp(argv[1], "lint") == 0,
         test = argc > 1 && strcmp(argv[1], "test") == 0;
    if (!lint && !test) {
        return cmd_wrong_use("pathway", "say lint or test");
    }
    if (argc < 3) {
        return cmd_wrong_use("pathway", "name at least one folder");
    }
    Arena a;
    arena_init(&a, 0);
    Packages *p = arena_new(&a, Packages);
    p->arena = &a;
    int status = pathway(p, test, argc, argv);
    arena_done(&a);
    return status;
}
