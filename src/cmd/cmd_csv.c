/*
 * menkou import --csv: each row becomes its resources by link_rows, goes through the same doors as
 * a request of a client, and is counted as made, changed, unchanged or refused. Refused rows go
 * to DIR/import/NAME.refused.csv with line and reason; a table may be imported again at any time.
 */
#include "cmd_csv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "embed.h"
#include "fhir_card.h"
#include "link_rows.h"

#include "mk_banned.h"

#define MAP_BYTES_MAX ((size_t)1 << 20)
#define SETTING_KEY   "import-key"
#define KEY_BYTES     32
#define GROUP_MAX     100
#define SAME_NAME_MAX 2

typedef struct CsvAccount {
    struct CsvAccount *next;
    Str username, name, person;
} CsvAccount;

typedef enum Fate { MADE, CHANGED, UNCHANGED } Fate;

/* A row that is well by itself and waits for its group. */
typedef struct Pending {
    LinkRecord record;
    LinkMade made;
    bool put[2]; /* which of its resources have to be written */
    Fate fate;
} Pending;

typedef struct Csv {
    const CmdCsv *o;
    ApiLocal *local;
    Arena *arena; /* lives as long as the file */
    LinkMap map;
    LinkContext context;
    Str name;   /* of the file, without its folder */
    Map seen;   /* "Type/id" → line of this file */
    Map places; /* institution as written → its reference */
    CsvAccount *account_first, *account_last;
    FILE *refused_file;
    LinkRecord header;
    uint64_t made, changed, unchanged, refused;
    Pending group[GROUP_MAX];
    size_t group_n;
} Csv;

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

/* ---- The sheet of refusals --------------------------------------------------------------------
 */

static FILE *sheet_open(Csv *c, const char *suffix)
{
    Str folder = path_join(c->arena, str_from_c(c->o->dir), STR("import"));
    Str name = arena_cat(c->arena, c->name, str_from_c(suffix));
    if (dir_make(folder.p, 0700, NULL) != OK) {
        return NULL;
    }
    int fd = open(path_join(c->arena, folder, name).p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  0600); /* people's data, and passwords */
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static void sheet_line(FILE *f, const Str *field, size_t n)
{
    Buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < n; i++) {
        buf_c(&out, i ? "," : "");
        link_csv_put(&out, field[i]);
    }
    buf_c(&out, "\r\n");
    fwrite(out.p, 1, out.n, f);
    buf_done(&out);
}

/* As many columns as the header has, then the line and the reasons. */
static void refused_line(Csv *c, const Str *field, size_t n, Str line, Str zh, Str en)
{
    Str row[LINK_CSV_COLUMNS_MAX + 3];
    size_t width = c->header.n;
    for (size_t i = 0; i < width; i++) {
        row[i] = i < n ? field[i] : STR_NONE;
    }
    row[width] = line;
    row[width + 1] = zh;
    row[width + 2] = en;
    sheet_line(c->refused_file, row, width + 3);
}

static bool refused_open(Csv *c)
{
    if (!c->refused_file) {
        c->refused_file = sheet_open(c, ".refused.csv");
        if (c->refused_file) {
            fputs("\xef\xbb\xbf", c->refused_file); /* for spreadsheets */
            refused_line(c, c->header.field, c->header.n, STR("行号"), STR("原因"), STR("reason"));
        }
    }
    return c->refused_file != NULL;
}

static void reasons_join(const Err *err, Buf *zh, Buf *en)
{
    for (const Issue *i = err->first; i; i = i->next) {
        buf_c(zh, zh->n ? "；" : "");
        buf_add(zh, i->zh);
        buf_c(en, en->n ? "; " : "");
        buf_add(en, i->en);
    }
}

static void row_refuse(Csv *c, Arena *a, const LinkRecord *r, const Err *err)
{
    Buf zh, en;
    c->refused++;
    if (!refused_open(c)) {
        return;
    }
    buf_init(&zh, 0);
    buf_init(&en, 0);
    reasons_join(err, &zh, &en);
    Str line = arena_printf(a, "%llu", (unsigned long long)r->line);
    refused_line(c, r->field, r->n, line, buf_str(&zh), buf_str(&en));
    buf_done(&zh);
    buf_done(&en);
}

/* ---- What is there ----------------------------------------------------------------------------
 */

/* A value as it stands in a query. */
static Str query_value(Arena *a, Str text)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *out = arena_alloc_raw(a, text.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = HEX[c >> 4];
            out[n++] = HEX[c & 15];
        }
    }
    return (Str){out, n};
}

/* At most `max` ids of a search; how many. */
static size_t ids_find(Csv *c, Arena *a, const char *type, const char *param, Str value, Str *ret,
                       size_t max)
{
    JsonDoc d;
    Str answer, path = arena_printf(a, "/fhir/%s?%s=%.*s&_count=%zu", type, param,
                                    STR_ARG(query_value(a, value)), max);
    size_t n = 0;
    if (api_local_call(c->local, a, "GET", path, STR_NONE, STR_NONE, &answer) != 200 ||
        json_parse(a, answer, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return 0;
    }
    JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry"));
    while (n < max && json_next(&it)) {
        Str id = json_str_at(&d, it.value, "resource.id");
        if (id.n) {
            ret[n++] = id;
        }
    }
    return n;
}

/* A reference as it is, else a code, else a name that exactly one institution has. */
static Status place_search(Csv *c, Arena *a, Str text, Str *ret, Err *err)
{
    Str ids[SAME_NAME_MAX], head, id;
    size_t n;
    if (str_cut(text, '/', &head, &id) && str_is(head, "Organization")) {
        n = ids_find(c, a, "Organization", "_id", id, ids, SAME_NAME_MAX);
    } else {
        n = ids_find(c, a, "Organization", "identifier", text, ids, SAME_NAME_MAX);
        n = n ? n : ids_find(c, a, "Organization", "name:exact", text, ids, SAME_NAME_MAX);
    }
    if (n == 1) {
        *ret = arena_cat(a, STR("Organization/"), ids[0]);
        return OK;
    }
    return err_rule(err, ERR_UNPROCESSABLE, STR("institution-unknown"), STR("organization"),
                    n ? "有多个机构叫“%.*s”，请写机构编码" : "没有机构“%.*s”，请先导入机构",
                    n ? "Several institutions are called '%.*s'; write the code"
                      : "There is no institution '%.*s'; import institutions first",
                    STR_ARG(text));
}

static Status place_find(void *ctx, Arena *a, Str text, Str *ret, Err *err)
{
    Csv *c = ctx;
    Str *known = map_get(&c->places, text);
    if (!known) {
        Str reference;
        TRY(place_search(c, a, text, &reference, err));
        known = arena_new(c->arena, Str);
        *known = arena_str(c->arena, reference);
        map_put(&c->places, arena_str(c->arena, text), known);
    }
    *ret = *known;
    return OK;
}

static void place_keep(Csv *c, Str text, Str reference)
{
    if (text.n && !map_get(&c->places, text)) {
        Str *kept = arena_new(c->arena, Str);
        *kept = arena_str(c->arena, reference);
        map_put(&c->places, arena_str(c->arena, text), kept);
    }
}

/* ---- One row ----------------------------------------------------------------------------------
 */

/* Whether somebody or a post is still in force is not the table's business once it is there. */
static bool is_theirs(Str key, const JsonDoc *there)
{
    return str_is(key, "active") && json_get(there, JSON_ROOT, key) != JSON_NONE;
}

/* Every member that the table has is as it is there; other members are not its business either. */
static bool same(const JsonDoc *there, const JsonDoc *row)
{
    for (JsonIter it = json_iter(row, JSON_ROOT); json_next(&it);) {
        if (!is_theirs(it.key, there) &&
            !json_equal(row, it.value, there, json_get(there, JSON_ROOT, it.key))) {
            return false;
        }
    }
    return true;
}

/* What the table does not say (a photograph, a language) stays as it is. */
static Str merged(Arena *a, const JsonDoc *there, const JsonDoc *row)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    json_open(&w, '{');
    for (JsonIter it = json_iter(row, JSON_ROOT); json_next(&it);) {
        JsonRef kept = is_theirs(it.key, there) ? json_get(there, JSON_ROOT, it.key) : JSON_NONE;
        json_key_str(&w, it.key);
        json_put_raw(&w, kept == JSON_NONE ? json_raw(row, it.value) : json_raw(there, kept));
    }
    for (JsonIter it = json_iter(there, JSON_ROOT); json_next(&it);) {
        if (json_get(row, JSON_ROOT, it.key) == JSON_NONE && !str_is(it.key, "meta")) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(there, it.value));
        }
    }
    json_close(&w, '}');
    Str body = arena_str(a, buf_str(&out));
    buf_done(&out);
    return body;
}

static Fate fate_of(Csv *c, Arena *a, LinkResource *x)
{
    JsonDoc there, row;
    Str answer, path = arena_cat(a, STR("/fhir/"), str_from_c(x->type), STR("/"), x->id);
    int status = api_local_call(c->local, a, "GET", path, STR_NONE, STR_NONE, &answer);
    if (status != 200 || json_parse(a, answer, &JSON_LIMITS_FHIR, &there, NULL) != OK ||
        json_parse(a, x->body, &JSON_LIMITS_FHIR, &row, NULL) != OK) {
        return MADE;
    }
    if (same(&there, &row)) {
        return UNCHANGED;
    }
    x->body = merged(a, &there, &row);
    return CHANGED;
}

/* The server's own words, in both languages as far as it gave them. */
static Status refused_by(Arena *a, int status, Str answer, Err *err)
{
    JsonDoc d;
    if (json_parse(a, answer, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "issue")); json_next(&it);) {
            Str text = json_str_at(&d, it.value, "details.text");
            (void)err_text(err, ERR_UNPROCESSABLE, NULL, STR_NONE, text, text);
        }
    }
    return err->count ? ERR_UNPROCESSABLE
                      : err_add(err, ERR_UNPROCESSABLE, NULL, STR_NONE, "服务器回答 %d",
                                "The server answered %d", status);
}

static Status resource_put(Csv *c, Arena *a, const LinkResource *x, Err *err)
{
    Str answer, type = str_from_c(x->type);
    Str path = c->o->dry ? arena_cat(a, STR("/fhir/"), type, STR("/$validate"))
                         : arena_cat(a, STR("/fhir/"), type, STR("/"), x->id);
    int status =
        api_local_call(c->local, a, c->o->dry ? "POST" : "PUT", path, STR_NONE, x->body, &answer);
    return status == 200 || status == 201 ? OK : refused_by(a, status, answer, err);
}

/* Neither another row of this file nor another resident of the county is the same one. */
static Status alone(Csv *c, Arena *a, const LinkRecord *r, const LinkMade *m, Err *err)
{
    const LinkResource *last = &m->resource[m->n - 1];
    Str name = arena_cat(a, str_from_c(last->type), STR("/"), last->id), ids[SAME_NAME_MAX];
    uint64_t *line = map_get(&c->seen, name);
    if (line) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("row-twice"), STR_NONE,
                        "与本文件第 %llu 行重复", "The same as line %llu of this file",
                        (unsigned long long)*line);
    }
    line = arena_new(c->arena, uint64_t);
    *line = r->line;
    map_put(&c->seen, arena_str(c->arena, name), line);
    if (c->map.kind != LINK_RESIDENTS || !m->card.n) {
        return OK;
    }
    Str token = arena_cat(a, STR(FHIR_CARD_SYSTEM "|"), m->card);
    size_t n = ids_find(c, a, "Patient", "identifier", token, ids, SAME_NAME_MAX);
    if (n == 0 || str_eq(ids[0], last->id)) {
        return OK;
    }
    return err_rule(err, ERR_UNPROCESSABLE, STR("card-known"), STR("card"),
                    "该身份证号已建档（Patient/%.*s）", "This ID card has a chart (Patient/%.*s)",
                    STR_ARG(ids[0]));
}

static void account_want(Csv *c, const LinkMade *m)
{
    if (!m->username.n) {
        return;
    }
    CsvAccount *want = arena_new(c->arena, CsvAccount);
    want->username = arena_str(c->arena, m->username);
    want->name = arena_str(c->arena, m->name);
    want->person = arena_str(c->arena, m->person);
    if (c->account_last) {
        c->account_last->next = want;
    } else {
        c->account_first = want;
    }
    c->account_last = want;
}

/* What has to be written of a row: what is there already as the row says is left alone. */
static void fates_read(Csv *c, Arena *a, Pending *p)
{
    p->fate = UNCHANGED;
    for (size_t i = 0; i < p->made.n; i++) {
        Fate fate = fate_of(c, a, &p->made.resource[i]);
        p->put[i] = fate != UNCHANGED;
        p->fate = fate < p->fate ? fate : p->fate;
    }
}

static void row_settle(Csv *c, const Pending *p)
{
    c->made += p->fate == MADE;
    c->changed += p->fate == CHANGED;
    c->unchanged += p->fate == UNCHANGED;
    account_want(c, &p->made);
}

static void row_put(Csv *c, Arena *a, const Pending *p)
{
    Err err;
    Status status = OK;
    err_init(&err, a);
    for (size_t i = 0; i < p->made.n && status == OK; i++) {
        status = p->put[i] ? resource_put(c, a, &p->made.resource[i], &err) : OK;
    }
    if (status == OK) {
        row_settle(c, p);
    } else {
        row_refuse(c, a, &p->record, &err);
    }
}

static Str group_bundle(const Csv *c, Arena *a)
{
    Buf out;
    size_t n = 0;
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (size_t i = 0; i < c->group_n; i++) {
        for (size_t k = 0; k < c->group[i].made.n; k++) {
            const LinkResource *x = &c->group[i].made.resource[k];
            if (c->group[i].put[k]) {
                buf_c(&out, n++ ? ",{\"resource\":" : "{\"resource\":");
                buf_add(&out, x->body);
                buf_c(&out, ",\"request\":{\"method\":\"PUT\",\"url\":");
                buf_json_str(&out, arena_cat(a, str_from_c(x->type), STR("/"), x->id));
                buf_c(&out, "}}");
            }
        }
    }
    buf_c(&out, "]}");
    Str bundle = n ? arena_str(a, buf_str(&out)) : STR_NONE;
    buf_done(&out);
    return bundle;
}

/* Many rows in one transaction; when it is refused, each alone, so that only the guilty stay out.
 */
static void group_put(Csv *c, Arena *a)
{
    Str answer, bundle = c->o->dry ? STR_NONE : group_bundle(c, a);
    bool done = bundle.n &&
                api_local_call(c->local, a, "POST", STR("/fhir"), STR_NONE, bundle, &answer) == 200;
    for (size_t i = 0; i < c->group_n; i++) {
        if (done) {
            row_settle(c, &c->group[i]);
        } else {
            row_put(c, a, &c->group[i]);
        }
    }
    c->group_n = 0;
    arena_reset(a);
}

/* `a` lives until the group is put. */
static void row_take(Csv *c, Arena *a, const LinkRecord *r)
{
    Err err;
    Pending *p = &c->group[c->group_n];
    err_init(&err, a);
    *p = (Pending){.record = *r};
    if (link_row_make(&c->context, a, r, &p->made, &err) != OK ||
        alone(c, a, r, &p->made, &err) != OK) {
        row_refuse(c, a, r, &err);
        return;
    }
    fates_read(c, a, p);
    c->group_n++;
    if (c->map.kind == LINK_INSTITUTIONS) {
        Str place = arena_cat(a, STR("Organization/"), p->made.resource[0].id);
        place_keep(c, p->made.name, place);
        place_keep(c, p->made.code, place);
    }
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
            row_refuse(c, &a, &(LinkRecord){.field = &r.raw, .n = 1, .line = r.line}, &err);
            err_clear(&err);
        } else {
            row_take(c, &a, &r);
        }
        if (c->group_n == GROUP_MAX) {
            group_put(c, &a);
        }
        cmd_progress((void *)(uintptr_t) "import", link_kind_word(c->map.kind), csv->at,
                     csv->bytes.n);
    }
    group_put(c, &a);
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

/* ---- Accounts of staff ------------------------------------------------------------------------
 */

/* New ones only; their passwords stand in a sheet for the operator's eyes. */
static Status account_make(Csv *c, CmdStore *s, const CsvAccount *want, FILE **sheet)
{
    StoreAccount there;
    Str password;
    if (store_account_get(s->reader, &s->arena, want->username, &there, NULL) == OK) {
        return OK;
    }
    AccessNewAccount fresh = {.username = want->username,
                              .name = want->name,
                              .practitioner = want->person,
                              .must_change = true};
    TRY(access_account_make(s->store, &s->arena, &fresh, &password, &s->err));
    *sheet = *sheet ? *sheet : sheet_open(c, ".passwords.csv");
    if (*sheet) {
        const Str row[] = {want->username, want->name, password};
        sheet_line(*sheet, row, sizeof row / sizeof *row);
    }
    return OK;
}

static int accounts_make(Csv *c)
{
    CmdStore s;
    FILE *sheet = NULL;
    uint64_t before = c->refused;
    int rc = cmd_store_open(&s, "import", c->o->dir, CMD_BESIDE);
    for (const CsvAccount *want = c->account_first; want && rc < 0; want = want->next) {
        if (account_make(c, &s, want, &sheet) != OK) {
            c->refused++;
            (void)cmd_failed("import", &s.err);
            err_clear(&s.err);
        }
    }
    if (sheet) {
        printf("%s/import/%.*s.passwords.csv\n", c->o->dir, STR_ARG(c->name));
        fclose(sheet);
    }
    cmd_store_close(&s);
    return rc >= 0 ? rc : c->refused > before ? CMD_FAULTS : CMD_DONE;
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
                              .organization = place_find,
                              .ctx = &c};
    if (rc < 0) {
        rc = file_rows(&c, path, &err) == OK ? CMD_DONE : cmd_failed("import", &err);
    }
    if (c.local) {
        api_local_close(c.local);
    }
    int accounts = rc == CMD_DONE && c.account_first && !o->dry ? accounts_make(&c) : CMD_DONE;
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
