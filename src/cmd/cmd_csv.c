/*
 * menkou import --csv: tables by api_table_import, into a directory that nobody serves. Refused
 * rows go to DIR/import/NAME.refused.csv with line and reason; a table may be imported again at
 * any time.
 */
#include "cmd_csv.h"

#include <string.h>

#include "api_table.h"
#include "embed.h"

#include "mk_banned.h"

#define MAP_BYTES_MAX ((size_t)1 << 20)

static int kind_wrong(const char *kind)
{
    return cmd_wrong_use("import", "--csv is residents, staff or institutions, not %s", kind);
}

int cmd_csv_map_print(const char *kind)
{
    LinkKind known;
    Str map;
    if (!link_kind_find(str_from_c(kind), &known) || !api_table_map(embed_maps, known, &map)) {
        return kind_wrong(kind);
    }
    fwrite(map.p, 1, map.n, stdout);
    return fflush(stdout) == 0 ? CMD_DONE : CMD_FAULTS;
}

/* ---- What it says -----------------------------------------------------------------------------
 */

static void unused_tell(Str name, const ApiTableDone *done)
{
    for (size_t i = 0; i < done->unused_n; i++) {
        fprintf(stderr, "menkou import: %.*s: %s%.*s\n", STR_ARG(name),
                cmd_lang() == LANG_ZH ? "此列未导入：" : "this column is not imported: ",
                STR_ARG(done->unused[i]));
    }
}

static void done_tell(const ApiTable *t, Str name, const ApiTableDone *done)
{
    const char *torn = done->incomplete ? " (incomplete)" : "";
    unused_tell(name, done);
    printf("%.*s (%s): %llu %s, %llu %s, %llu unchanged, %llu refused\n", STR_ARG(name),
           done->charset, (unsigned long long)done->made, t->dry ? "would be made" : "made",
           (unsigned long long)done->changed, t->dry ? "would change" : "changed",
           (unsigned long long)done->unchanged, (unsigned long long)done->refused);
    if (done->refused_sheet) {
        printf("%s%s\n", t->refused, torn);
    }
    if (done->passwords_sheet) {
        printf("%s%s\n", t->passwords, torn);
    }
    if (done->incomplete && !done->refused_sheet && !done->passwords_sheet) {
        fprintf(stderr, "menkou import: %s\n",
                cmd_lang() == LANG_ZH ? "未能写出清单文件" : "the sheets could not be written");
    }
}

/* ---- The files --------------------------------------------------------------------------------
 */

static bool bar(void *ctx, uint64_t done, uint64_t total)
{
    cmd_progress((void *)(uintptr_t) "import", ctx, done, total);
    return true;
}

static int file_import(const CmdCsv *o, Api *api, LinkKind kind, Str map, const char *path)
{
    Arena a;
    Err err;
    Str bytes;
    ApiTableDone done;
    arena_init(&a, 0);
    err_init(&err, &a);
    const char *slash = strrchr(path, '/');
    Str name = str_from_c(slash ? slash + 1 : path);
    Str folder = path_join(&a, str_from_c(o->dir), STR("import"));
    ApiTable t = {.kind = kind,
                  .map = map,
                  .dry = o->dry,
                  .refused = path_join(&a, folder, arena_cat(&a, name, STR(".refused.csv"))).p,
                  .passwords = path_join(&a, folder, arena_cat(&a, name, STR(".passwords.csv"))).p,
                  .going = bar,
                  .ctx = (void *)(uintptr_t)o->kind};
    int rc = CMD_DONE;
    if (dir_make(folder.p, 0700, &err) != OK ||
        file_read(&a, path, LINK_CSV_BYTES_MAX, &bytes, &err) != OK ||
        api_table_import(api, &a, &t, bytes, &done, &err) != OK) {
        rc = cmd_failed("import", &err);
    } else {
        done_tell(&t, name, &done);
        rc = done.refused || done.incomplete ? CMD_FAULTS : CMD_DONE;
    }
    arena_done(&a);
    return rc;
}

static int files_import(const CmdCsv *o, LinkKind kind, Str map, const char **file, size_t n)
{
    Clock clock;
    Random random;
    Arena a;
    Err err;
    Api *api;
    int worst = CMD_DONE;
    arena_init(&a, 0);
    err_init(&err, &a);
    clock_init_system(&clock);
    random_init_system(&random);
    ApiOptions options = {.dir = o->dir,
                          .clock = &clock,
                          .random = &random,
                          .zone_min = ZONE_CHINA_MIN,
                          .pathways = embed_pathways};
    if (api_open(&options, &api, &err) != OK) {
        worst = cmd_failed("import", &err);
    } else {
        for (size_t i = 0; i < n; i++) {
            int rc = file_import(o, api, kind, map, file[i]);
            worst = rc > worst ? rc : worst;
        }
        api_close(api);
    }
    arena_done(&a);
    return fflush(stdout) == 0 ? worst : CMD_FAULTS;
}

int cmd_csv_import(const CmdCsv *o, const char **file, size_t n)
{
    LinkKind kind;
    Arena a;
    Err err;
    Str map;
    int rc;
    if (!link_kind_find(str_from_c(o->kind), &kind)) {
        return kind_wrong(o->kind);
    }
    arena_init(&a, 0);
    err_init(&err, &a);
    if (o->map ? file_read(&a, o->map, MAP_BYTES_MAX, &map, &err) != OK
               : !api_table_map(embed_maps, kind, &map)) {
        rc = cmd_failed("import", &err);
    } else {
        rc = files_import(o, kind, map, file, n);
    }
    arena_done(&a);
    return rc;
}
