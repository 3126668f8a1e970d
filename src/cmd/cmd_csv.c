/*
 * menkou import --csv: each row becomes its resources by link_rows, goes through the same doors as
 * a request of a client, and is counted as made, changed, unchanged or refused. Refused rows go
 * to DIR/import/NAME.refused.csv with line and reason; a table may be imported again at any time.
 */
#include "cmd_csv_inner.h"

#include <string.h>

#include "embed.h"

#include "mk_banned.h"

#define MAP_BYTES_MAX ((size_t)1 << 20)
#define SETTING_KEY   "import-key"
#define KEY_BYTES     32

/* ---- The map ----------------------------------------------------------------------------------
 */

static bool own_map(Arena *a, const char *kind, Str *ret)
{
    Str path = arena_cat(a, str_from_c(kind), STR(".json"));
    for (size_t i = 0; i < embed_maps.n; i++) {
        if (str_eq(embed_maps.file[i].path, path)) {
            *ret = embed_maps.file[i].bytes;
            return true;
        }
    }
    return false;
}

int cmd_csv_map_print(const char *kind)
{
    Arena a;
    Str map;
    arena_init(&a, 0);
    bool known = own_map(&a, kind, &map);
    arena_done(&a);
    if (!known) {
        return cmd_wrong_use("import", "--csv is residents, staff or institutions, not %s", kind);
    }
    fwrite(map.p, 1, map.n, stdout);
    return fflush(stdout) == 0 ? CMD_DONE : CMD_FAULTS;
}

/* ---- One file ---------------------------------------------------------------------------------
 */

static Status header_take(Csv *c, LinkCsv *csv, Err *err)
{
    Str unused[LINK_CSV_COLUMNS_MAX];
    size_t n;
    if (link_csv_next(csv, c->arena, &c->header, err) != LINK_CSV_RECORD) {
        return err->count
                   ? err->status
                   : err_add(err, ERR_INVALID, NULL, STR_NONE, "文件是空的", "The file is empty");
    }
    TRY(link_map_bind(&c->map, c->arena, &c->header, unused, &n, err));
    for (size_t i = 0; i < n; i++) {
        fprintf(stderr, "menkou import: %.*s: %s%.*s\n", STR_ARG(c->name),
                cmd_lang() == LANG_ZH ? "此列未导入：" : "this column is not imported: ",
                STR_ARG(unused[i]));
    }
    return OK;
}

static void rows_import(Csv *c, LinkCsv *csv)
{
    Arena a;
    Err err;
    LinkRecord r;
    LinkCsvStep step;
    arena_init(&a, 0);
    err_init(&err, &a);
    while ((step = link_csv_next(csv, &a, &r, &err)) != LINK_CSV_END) {
        if (step == LINK_CSV_BAD) {
            cmd_csv_refuse(c, &a, &(LinkRecord){.field = &r.raw, .n = 1, .line = r.line}, &err);
            err_clear(&err);
        } else {
            cmd_csv_row_take(c, &a, &r);
        }
        if (c->group_n == GROUP_MAX) {
            cmd_csv_group_put(c, &a);
        }
        cmd_progress((void *)(uintptr_t) "import", link_kind_word(c->map.kind), csv->at,
                     csv->bytes.n);
    }
    cmd_csv_group_put(c, &a);
    arena_done(&a);
}

static Status file_rows(Csv *c, const char *path, Err *err)
{
    Str bytes, text;
    const char *charset;
    LinkCsv csv;
    TRY(file_read(c->arena, path, LINK_CSV_BYTES_MAX, &bytes, err));
    TRY(link_csv_decode(c->arena, bytes, &text, &charset, err));
    link_csv_init(&csv, text);
    TRY(header_take(c, &csv, err));
    rows_import(c, &csv);
    printf("%.*s (%s): %llu %s, %llu %s, %llu unchanged, %llu refused\n", STR_ARG(c->name), charset,
           (unsigned long long)c->made, c->o->dry ? "would be made" : "made",
           (unsigned long long)c->changed, c->o->dry ? "would change" : "changed",
           (unsigned long long)c->unchanged, (unsigned long long)c->refused);
    if (c->refused_file) {
        bool kept = fclose(c->refused_file) == 0;
        c->refused_file = NULL;
        printf("%s/import/%.*s.refused.csv%s\n", c->o->dir, STR_ARG(c->name),
               kept ? "" : " (incomplete)");
    }
    return OK;
}

/* ---- The whole --------------------------------------------------------------------------------
 */

/* Ids of rows follow from a secret of this county, made at the first import. */
static int key_load(Csv *c)
{
    CmdStore s;
    uint8_t fresh[KEY_BYTES];
    int rc = cmd_store_open(&s, "import", c->o->dir, CMD_BESIDE);
    if (rc < 0) {
        Status status =
            store_setting_get(s.reader, c->arena, STR(SETTING_KEY), &c->context.key, NULL);
        if (status == ERR_NOT_FOUND) {
            random_bytes(&s.random, fresh, sizeof fresh);
            c->context.key = arena_str(c->arena, (Str){(const char *)fresh, sizeof fresh});
            status = store_setting_put(s.store, STR(SETTING_KEY), c->context.key, &s.err);
        }
        rc = status == OK ? -1 : cmd_failed("import", &s.err);
    }
    cmd_store_close(&s);
    return rc;
}

static int map_load(Csv *c, LinkKind kind, Err *err)
{
    Str json;
    bool own = !c->o->map && own_map(c->arena, c->o->kind, &json);
    if (!own && file_read(c->arena, c->o->map, MAP_BYTES_MAX, &json, err) != OK) {
        return cmd_failed("import", err);
    }
    return link_map_read(c->arena, kind, json, &c->map, err) == OK ? -1 : cmd_failed("import", err);
}

static int file_import(const CmdCsv *o, Api *api, Str key, const Clock *clock, const char *path)
{
    Arena a;
    Err err;
    LinkKind kind = LINK_RESIDENTS;
    const char *slash = strrchr(path, '/');
    arena_init(&a, 0);
    err_init(&err, &a);
    Csv c = {.o = o, .arena = &a, .name = str_from_c(slash ? slash + 1 : path)};
    map_init(&c.seen, &a);
    map_init(&c.places, &a);
    mk_check(link_kind_find(str_from_c(o->kind), &kind));
    int rc = map_load(&c, kind, &err);
    if (rc < 0 && api_local_open(api, &c.local, &err) != OK) {
        rc = cmd_failed("import", &err);
    }
    c.context = (LinkContext){.map = &c.map,
                              .key = key,
                              .now_ms = clock_now(clock),
                              .zone_min = ZONE_CHINA_MIN,
                              .organization = cmd_csv_place_find,
                              .ctx = &c};
    if (rc < 0) {
        rc = file_rows(&c, path, &err) == OK ? CMD_DONE : cmd_failed("import", &err);
    }
    if (c.local) {
        api_local_close(c.local);
    }
    int accounts =
        rc == CMD_DONE && c.account_first && !o->dry ? cmd_csv_accounts_make(&c) : CMD_DONE;
    rc = rc == CMD_DONE && c.refused ? CMD_FAULTS : rc;
    arena_done(&a);
    return rc > accounts ? rc : accounts;
}

static int files_import(const CmdCsv *o, Str key, const char **file, size_t n)
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
            int rc = file_import(o, api, key, &clock, file[i]);
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
    if (!link_kind_find(str_from_c(o->kind), &kind)) {
        return cmd_wrong_use("import", "--csv is residents, staff or institutions, not %s",
                             o->kind);
    }
    arena_init(&a, 0);
    Csv c = {.o = o, .arena = &a};
    int rc = key_load(&c);
    rc = rc < 0 ? files_import(o, c.context.key, file, n) : rc;
    arena_done(&a);
    return rc;
}
