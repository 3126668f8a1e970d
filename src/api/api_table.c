/* A table from its bytes to its last row: the map, the header, groups of rows, what it says. */
#include "api_table_inner.h"

#include "mk_banned.h"

#define SETTING_KEY "import-key"
#define KEY_BYTES   32

/* ---- The map ----------------------------------------------------------------------------------
 */

bool api_table_map(ApiFiles maps, LinkKind kind, Str *ret)
{
    for (size_t i = 0; i < maps.n; i++) {
        Str name, end;
        if (str_cut(maps.file[i].path, '.', &name, &end) && str_is(name, link_kind_word(kind))) {
            *ret = maps.file[i].bytes;
            return true;
        }
    }
    return false;
}

Status api_table_header(Arena *a, LinkCsv *csv, LinkRecord *ret, Err *err)
{
    if (link_csv_next(csv, a, ret, err) == LINK_CSV_RECORD) {
        return OK;
    }
    return err->count
               ? err->status
               : err_add(err, ERR_INVALID, NULL, STR_NONE, "文件是空的", "The file is empty");
}

/* ---- One file ---------------------------------------------------------------------------------
 */

/* Ids of rows follow from a secret of this county, made at the first import. */
static Status key_load(Table *t, StoreReader *r, Err *err)
{
    uint8_t fresh[KEY_BYTES];
    Status status = store_setting_get(r, t->arena, STR(SETTING_KEY), &t->context.key, NULL);
    if (status != ERR_NOT_FOUND) {
        return status;
    }
    random_bytes(t->api->options.random, fresh, sizeof fresh);
    t->context.key = arena_str(t->arena, (Str){(const char *)fresh, sizeof fresh});
    return store_setting_put(t->api->store, STR(SETTING_KEY), t->context.key, err);
}

static Status key_take(Table *t, Err *err)
{
    StoreReader *r;
    TRY(store_reader_open(t->api->store, &r, err));
    Status status = key_load(t, r, err);
    store_reader_close(r);
    return status;
}

static bool row_next(Table *t, Arena *a, LinkCsv *csv)
{
    Err err;
    LinkRecord r;
    err_init(&err, a);
    LinkCsvStep step = link_csv_next(csv, a, &r, &err);
    if (step == LINK_CSV_BAD) {
        table_refuse(t, a, &(LinkRecord){.field = &r.raw, .n = 1, .line = r.line}, &err);
    } else if (step == LINK_CSV_RECORD) {
        table_row_take(t, a, &r);
    }
    if (t->group_n == GROUP_MAX) {
        table_group_put(t, a);
    }
    return step != LINK_CSV_END;
}

static void rows_import(Table *t, LinkCsv *csv)
{
    Arena a;
    arena_init(&a, 0);
    while (!t->done.stopped && row_next(t, &a, csv)) {
        t->done.stopped = !t->o->going(t->o->ctx, csv->at, csv->bytes.n);
    }
    table_group_put(t, &a);
    arena_done(&a);
}

static Status rows_open(Table *t, Str bytes, LinkCsv *csv, Err *err)
{
    Str text;
    TRY(link_map_read(t->arena, t->o->kind, t->o->map, &t->map, err));
    TRY(link_csv_decode(t->arena, bytes, &text, &t->done.charset, err));
    link_csv_init(csv, text);
    TRY(api_table_header(t->arena, csv, &t->header, err));
    TRY(link_map_bind(&t->map, t->arena, &t->header, t->done.unused, &t->done.unused_n, err));
    TRY(key_take(t, err));
    return api_local_open(t->api, t->o->as, &t->local, err);
}

Status api_table_import(Api *api, Arena *a, const ApiTable *table, Str bytes, ApiTableDone *ret,
                        Err *err)
{
    LinkCsv csv;
    Table *t = arena_new(a, Table);
    *t = (Table){.o = table, .api = api, .arena = a};
    map_init(&t->seen, a);
    map_init(&t->places, a);
    t->context = (LinkContext){.map = &t->map,
                               .now_ms = clock_now(api->options.clock),
                               .zone_min = api->options.zone_min,
                               .proposed = table->proposed,
                               .organization = table_place_find,
                               .ctx = t};
    TRY(rows_open(t, bytes, &csv, err));
    rows_import(t, &csv);
    Status status = table->dry ? OK : table_accounts_make(t, err);
    table_sheets_close(t);
    api_local_close(t->local);
    *ret = t->done;
    return status;
}
