/*
 * /imports: tables of residents, staff and institutions from the administrator's screen
 * (docs/formats/csv.md). Who may is said by access_accounts.def; what becomes of a row by
 * api_table_import, as at the command line.
 */
#include "access_accounts.h"
#include "api_import_job.h"

#define SAMPLE_ROWS    5
#define NAME_BYTES_MAX 200
#define CELL_BYTES_MAX 200 /* of a cell as a sample */

static Status may(ApiCall *c)
{
    return access_account_may(c->caller, ACCOUNT_IMPORT, &c->err);
}

/* ---- One table as it is shown -----------------------------------------------------------------
 */

static Status file_take(ApiCall *c, Str id, const char *name, Str *ret)
{
    Status s = import_id_good(id) ? file_read(c->arena, import_path(c->api, c->arena, id, name),
                                              IMPORT_BYTES_MAX, ret, NULL)
                                  : ERR_NOT_FOUND;
    return s == OK ? OK : err_status(&c->err, s);
}

static void running_write(JsonWriter *w, const ImportProgress *p)
{
    json_open(w, '{');
    json_member_c(w, "state", p->dry ? "checking" : "importing");
    json_member_bool(w, "dry", p->dry);
    json_member_i64(w, "done", (int64_t)p->done);
    json_member_i64(w, "total", (int64_t)p->total);
    json_close(w, '}');
}

/* A run that is written down as going on but is not was cut off with its server. */
static void state_write(ApiCall *c, JsonWriter *w, Str state)
{
    JsonDoc d;
    if (json_parse(c->arena, state, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        json_put_null(w);
        return;
    }
    Str now = json_str_at(&d, JSON_ROOT, "state");
    if (str_is(now, "checking") || str_is(now, "importing")) {
        JsonSplice cut =
            json_splice_member(c->arena, &d, JSON_ROOT, "state", STR("\"stopped\""), NULL);
        state = json_splice(c->arena, state, &cut, 1);
    }
    json_put_raw(w, state);
}

static Status import_write(ApiCall *c, JsonWriter *w, Str id)
{
    Str about, state = STR("{\"state\":\"uploaded\"}");
    ImportProgress p;
    TRY(file_take(c, id, "about.json", &about));
    bool running = import_running(c->api, id, &p);
    Status read = running ? OK : file_take(c, id, "state.json", &state);
    if (read == ERR_NOT_FOUND) {
        err_clear(&c->err);
    } else {
        TRY(read);
    }
    json_open(w, '{');
    json_key(w, "table");
    json_put_raw(w, about);
    json_key(w, "run");
    if (running) {
        running_write(w, &p);
    } else {
        state_write(c, w, state);
    }
    json_close(w, '}');
    return OK;
}

static Status import_answer(ApiCall *c, int status, Str id)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    Status found = import_write(c, &w, id);
    if (found != OK) {
        buf_done(&out);
        return found;
    }
    api_json_answer(c, status, &out);
    return OK;
}

Status api_import_read(ApiCall *c)
{
    Str id = c->http->request.part[0];
    TRY(may(c));
    c->what = arena_cat(c->arena, STR("import "), id);
    return import_answer(c, 200, id);
}

Status api_imports_list(ApiCall *c)
{
    Str ids[IMPORTS_MAX];
    TRY(may(c));
    c->what = STR("imports");
    size_t n = imports_list(c->api, c->arena, ids, IMPORTS_MAX);
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key_open(&w, "imports", '[');
    for (size_t i = 0; i < n; i++) {
        Status s = import_write(c, &w, ids[i]);
        if (s == ERR_NOT_FOUND) {
            err_clear(&c->err); /* removed meanwhile */
        } else if (s != OK) {
            buf_done(&out);
            return s;
        }
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

/* ---- A table that is sent ---------------------------------------------------------------------
 */

static Status kind_take(ApiCall *c, LinkKind *ret, Str *ret_map)
{
    if (!link_kind_find(api_query(c, "kind"), ret) ||
        !api_table_map(c->api->options.maps, *ret, ret_map)) {
        return err_add(&c->err, ERR_INVALID, NULL, STR("kind"),
                       "kind 应为 residents、staff 或 institutions",
                       "kind is residents, staff or institutions");
    }
    return OK;
}

static Status name_take(ApiCall *c, Str *ret)
{
    Str name = str_trim(api_query(c, "name"));
    bool good = name.n > 0 && name.n <= NAME_BYTES_MAX && str_find_char(name, '/') < 0;
    for (size_t i = 0; good && i < name.n; i++) {
        good = (unsigned char)name.p[i] >= ' ' && name.p[i] != '"' && name.p[i] != '\\';
    }
    if (!good) {
        return err_add(&c->err, ERR_INVALID, NULL, STR("name"), "name 应为文件名",
                       "name is the file's name");
    }
    *ret = name;
    return OK;
}

/* Not longer than a screen shows, and no half character. */
static Str cell_cut(Str cell)
{
    size_t n = cell.n < CELL_BYTES_MAX ? cell.n : CELL_BYTES_MAX;
    while (n < cell.n && n > 0 && ((unsigned char)cell.p[n] & 0xc0) == 0x80) {
        n--;
    }
    return str_take(cell, n);
}

static void row_write(JsonWriter *w, const LinkRecord *r)
{
    json_open(w, '[');
    for (size_t i = 0; i < r->n; i++) {
        json_put_str(w, cell_cut(r->field[i]));
    }
    json_close(w, ']');
}

/* The first rows, so that a person sees which column is which. */
static void sample_write(JsonWriter *w, Arena *a, LinkCsv *csv)
{
    LinkRecord r;
    json_key_open(w, "sample", '[');
    for (int i = 0; i < SAMPLE_ROWS && link_csv_next(csv, a, &r, NULL) == LINK_CSV_RECORD; i++) {
        row_write(w, &r);
    }
    json_close(w, ']');
}

static void elements_write(JsonWriter *w, const LinkMap *m)
{
    LinkColumn column[LINK_ELEMENTS];
    size_t n = link_map_columns(m, column);
    json_key_open(w, "elements", '[');
    for (size_t i = 0; i < n; i++) {
        json_open(w, '{');
        json_member_c(w, "code", column[i].code);
        json_member_c(w, "zh", column[i].zh);
        json_member_c(w, "en", column[i].en);
        json_member_bool(w, "needed", column[i].needed);
        json_member_i64(w, "column", column[i].column);
        json_close(w, '}');
    }
    json_close(w, ']');
}

typedef struct Sent {
    Str id, name, map, bytes;
    LinkKind kind;
} Sent;

static void sent_write(ApiCall *c, JsonWriter *w, const Sent *sent)
{
    Sha256 sum = sha256(sent->bytes);
    json_member_str(w, "id", sent->id);
    json_member_c(w, "kind", link_kind_word(sent->kind));
    json_member_str(w, "name", sent->name);
    json_member_str(w, "by", c->caller->username);
    api_json_time(c, w, "at", clock_now(c->api->options.clock));
    json_member_i64(w, "bytes", (int64_t)sent->bytes.n);
    json_member_str(w, "sha256", hex_encode(c->arena, sum.b, sizeof sum.b));
    json_key(w, "map");
    json_put_raw(w, sent->map);
}

/* What the table looks like; ERR_INVALID when it is none. A column that is not found is asked of
 * the person, so it is no fault here. */
static Status about_write(ApiCall *c, Arena *a, const Sent *sent, Buf *out)
{
    Str text, unused[LINK_CSV_COLUMNS_MAX];
    size_t unused_n;
    const char *charset;
    LinkCsv csv;
    LinkMap map;
    LinkRecord header;
    TRY(link_csv_decode(a, sent->bytes, &text, &charset, &c->err));
    TRY(link_map_read(a, sent->kind, sent->map, &map, &c->err));
    link_csv_init(&csv, text);
    TRY(api_table_header(a, &csv, &header, &c->err));
    if (link_map_bind(&map, a, &header, unused, &unused_n, NULL) != OK) {
        unused_n = 0; /* the columns that were found so far are a beginning */
    }
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    sent_write(c, &w, sent);
    json_member_c(&w, "charset", charset);
    json_key(&w, "header");
    row_write(&w, &header);
    elements_write(&w, &map);
    sample_write(&w, a, &csv);
    json_close(&w, '}');
    return OK;
}

static Status room_check(ApiCall *c)
{
    Str ids[IMPORTS_MAX];
    if (imports_list(c->api, c->arena, ids, IMPORTS_MAX) < IMPORTS_MAX) {
        return OK;
    }
    return err_rule(&c->err, ERR_CONFLICT, STR("imports-full"), STR_NONE,
                    "最多保留 %d 份表，请先删除不再需要的",
                    "At most %d tables are kept; remove one that is not needed", IMPORTS_MAX);
}

static Status sent_keep(ApiCall *c, const Sent *sent, Str about)
{
    Api *api = c->api;
    TRY(dir_make(import_path(api, c->arena, sent->id, ""), 0700, &c->err));
    TRY(file_write_durable(import_path(api, c->arena, sent->id, "table.csv"), sent->bytes, 0600,
                           &c->err));
    return file_write_durable(import_path(api, c->arena, sent->id, "about.json"), about, 0600,
                              &c->err);
}

Status api_import_create(ApiCall *c)
{
    Sent sent = {.bytes = c->http->request.body};
    Buf about;
    Arena scratch; /* the whole table in another character set */
    TRY(may(c));
    if (!str_is(http_media(c->arena, http_header(&c->http->request, "Content-Type")), "text/csv")) {
        return err_add(&c->err, ERR_MEDIA, NULL, STR_NONE, "请求内容的类型应为 text/csv",
                       "The body must be text/csv");
    }
    TRY(kind_take(c, &sent.kind, &sent.map));
    TRY(name_take(c, &sent.name));
    TRY(room_check(c));
    sent.id =
        arena_printf(c->arena, "%016llx", (unsigned long long)random_u64(c->api->options.random));
    c->what = arena_cat(c->arena, STR("import upload "), sent.id, STR(" "),
                        str_from_c(link_kind_word(sent.kind)));
    arena_init(&scratch, 0);
    buf_init(&about, 0);
    Status status = about_write(c, &scratch, &sent, &about);
    arena_done(&scratch);
    if (status == OK && (status = sent_keep(c, &sent, buf_str(&about))) != OK) {
        import_remove(c->api, sent.id);
    }
    buf_done(&about);
    TRY(status);
    c->changed = true;
    return import_answer(c, 201, sent.id);
}

/* ---- What is done with it ---------------------------------------------------------------------
 */

/* The columns' names as they were kept. */
static LinkRecord header_of(ApiCall *c, const JsonDoc *about)
{
    JsonRef list = json_get_c(about, JSON_ROOT, "header");
    size_t n = json_count(about, list);
    Str *field = arena_array(c->arena, Str, n + 1);
    for (JsonIter it = json_iter(about, list); json_next(&it);) {
        field[it.index] = json_str(about, it.value);
    }
    return (LinkRecord){.field = field, .n = n, .line = 1};
}

/* The map of the request, else the program's own; it must find every column that is needed. */
static Status map_take(ApiCall *c, Str id, LinkKind *ret_kind, Str *ret)
{
    Str about, map, unused[LINK_CSV_COLUMNS_MAX];
    size_t unused_n;
    JsonDoc d, sent;
    LinkMap bound;
    TRY(file_take(c, id, "about.json", &about));
    TRY(json_parse(c->arena, about, &JSON_LIMITS_FHIR, &d, &c->err));
    TRY(api_json_body(c, &sent));
    JsonRef given = json_get_c(&sent, JSON_ROOT, "map");
    map = given == JSON_NONE ? json_raw(&d, json_get_c(&d, JSON_ROOT, "map"))
                             : json_raw(&sent, given);
    mk_check(link_kind_find(json_str_at(&d, JSON_ROOT, "kind"), ret_kind));
    LinkRecord header = header_of(c, &d);
    TRY(link_map_read(c->arena, *ret_kind, map, &bound, &c->err));
    TRY(link_map_bind(&bound, c->arena, &header, unused, &unused_n, &c->err));
    *ret = map;
    return OK;
}

static Status begin(ApiCall *c, Str id, bool dry)
{
    LinkKind kind;
    Str map;
    TRY(map_take(c, id, &kind, &map));
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(import_begin(c, id, kind, map, dry));
    c->changed = true;
    return import_answer(c, 202, id);
}

Status api_import_do(ApiCall *c)
{
    Str about, id = c->http->request.part[0], word = c->http->request.part[1];
    TRY(may(c));
    c->what = arena_cat(c->arena, STR("import "), word, STR(" "), id);
    TRY(file_take(c, id, "about.json", &about));
    if (str_is(word, "check") || str_is(word, "run")) {
        return begin(c, id, str_is(word, "check"));
    }
    if (!str_is(word, "stop")) {
        return err_status(&c->err, ERR_NOT_FOUND);
    }
    import_stop(c->api, id);
    return import_answer(c, 200, id);
}

Status api_import_remove(ApiCall *c)
{
    Str about, id = c->http->request.part[0];
    TRY(may(c));
    c->what = arena_cat(c->arena, STR("import remove "), id);
    TRY(file_take(c, id, "about.json", &about));
    TRY(access_audit_ready(c->api->access, &c->err));
    import_stop(c->api, id);
    import_remove(c->api, id);
    c->changed = true;
    c->result = (ApiResult){.status = 204};
    return OK;
}

/* ---- Sheets -----------------------------------------------------------------------------------
 */

static void file_name_set(ApiCall *c, Str id, Str sheet)
{
    Str about, name = id;
    JsonDoc d;
    Buf value;
    if (file_take(c, id, "about.json", &about) == OK &&
        json_parse(c->arena, about, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        name = json_str_at(&d, JSON_ROOT, "name");
    }
    buf_init(&value, 0);
    buf_c(&value, "attachment; filename*=UTF-8''");
    buf_url(&value, name);
    buf_char(&value, '.');
    buf_add(&value, sheet);
    http_set_header(c->http, "Content-Disposition", buf_take(&value, c->arena));
}

Status api_import_sheet(ApiCall *c)
{
    Str bytes, id = c->http->request.part[0], sheet = c->http->request.part[1];
    TRY(may(c));
    c->what = arena_cat(c->arena, STR("import sheet "), id, STR(" "), sheet);
    if (!str_is(sheet, "refused.csv") && !str_is(sheet, "passwords.csv")) {
        return err_status(&c->err, ERR_NOT_FOUND);
    }
    TRY(file_take(c, id, arena_cstr(c->arena, sheet), &bytes));
    file_name_set(c, id, sheet);
    c->result = (ApiResult){.status = 200, .body = bytes, .media = "text/csv; charset=utf-8"};
    return OK;
}
