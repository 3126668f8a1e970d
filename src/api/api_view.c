/*
 * ViewDefinition/$run ($viewdefinition-run): a SQL-on-FHIR view over what is stored, through the
 * caller's eyes, or over resources in the request. R4 has no ViewDefinition: one that is kept
 * stands in a Library as JSON (docs/formats/views.md), and its id and url are the Library's.
 */
#include "api_inner.h"

#include "fhir_view.h"
#include "store_everything.h"
#include "store_heads.h"
#include "store_persons.h"
#include "store_term.h"

#define OUT_BYTES_MAX    ((size_t)32 << 20)
#define RESOURCE_BYTES   ((size_t)64 << 20) /* what one resource makes on the way */
#define STRETCH          500
#define TIME_MAX_MS      45000
#define PATIENTS_MAX     1000u
#define PATIENTS_AUDITED 1000u
#define LIMIT_MAX        INT32_MAX

typedef struct Ask {
    ApiCall *c;
    const JsonDoc *doc; /* of the view */
    JsonRef view;
    Str reference, format;
    Str kept_id, definition; /* of the Library that holds it; or empty */
    bool headless;
    size_t limit;
    int64_t since_ms;
    bool members; /* only of these patients */
    Str *patient;
    size_t patient_n;
    Str group;
    const JsonDoc *given; /* resources in the request */
    JsonRef *resource;
    size_t resource_n;
    FhirView *compiled;
    FhirViewWriter writer;
    Buf out;
    bool full;       /* the limit is reached */
    StoreTerm terms; /* for memberOf */
    FhirTerm *term;
    Map touched;
    int64_t until_ms;
} Ask;

static const char KNOWN[] = "viewResource, viewReference, _format, header, patient, group, _since, "
                            "_limit, resource";

/* ---- What is asked ------------------------------------------------------------------------ */

static Status resource_take(Ask *ask, const ApiAsked *asked)
{
    JsonRef r = asked->doc ? json_get_c(asked->doc, asked->part, "resource") : JSON_NONE;
    if (r == JSON_NONE) {
        return api_ask_bad(ask->c, asked->name, "须在请求内容里给出资源",
                           "must be a resource in the body");
    }
    if (str_is(asked->name, "viewResource")) {
        ask->doc = asked->doc;
        ask->view = r;
        return OK;
    }
    if (!ask->resource) {
        JsonRef all = json_get_c(asked->doc, JSON_ROOT, "parameter");
        ask->resource = arena_array(ask->c->arena, JsonRef, json_count(asked->doc, all));
    }
    ask->given = asked->doc;
    ask->resource[ask->resource_n++] = r;
    return OK;
}

static Status patient_take(Ask *ask, const ApiAsked *asked)
{
    if (ask->patient_n == PATIENTS_MAX) {
        return api_ask_bad(ask->c, asked->name, "过多", "is given too often");
    }
    const Store *s = ask->c->api->store;
    Str id = api_id_of(asked->value, "Patient");
    Str person = store_person_survivor(s, ask->c->arena, id);
    ask->members = true;
    for (size_t i = 0; i < ask->patient_n; i++) { /* one person's records come together */
        if (str_eq(store_person_survivor(s, ask->c->arena, ask->patient[i]), person)) {
            return OK;
        }
    }
    ask->patient[ask->patient_n++] = id;
    return OK;
}

static Status header_take(Ask *ask, const ApiAsked *asked)
{
    ask->headless = str_is(asked->value, "false");
    return ask->headless || str_is(asked->value, "true")
               ? OK
               : api_ask_bad(ask->c, asked->name, "应为 true 或 false", "is true or false");
}

static Status value_take(void *ctx, const ApiAsked *asked)
{
    Ask *ask = ctx;
    Str name = asked->name;
    if (str_is(name, "viewResource") || str_is(name, "resource")) {
        return resource_take(ask, asked);
    }
    if (str_is(name, "patient")) {
        return patient_take(ask, asked);
    }
    if (str_is(name, "header")) {
        return header_take(ask, asked);
    }
    if (str_is(name, "_since")) {
        return api_ask_instant(ask->c, asked, &ask->since_ms);
    }
    if (str_is(name, "_limit")) {
        return api_ask_number(ask->c, asked, LIMIT_MAX, &ask->limit);
    }
    Str *text = str_is(name, "viewReference") ? &ask->reference
                : str_is(name, "_format")     ? &ask->format
                : str_is(name, "group")       ? &ask->group
                                              : NULL;
    if (text) {
        *text = asked->value;
        return OK;
    }
    return api_ask_unknown(ask->c, name, KNOWN);
}

/* _format wins over Accept; without either NDJSON. */
static Status format_settle(Ask *ask)
{
    static const char *const TYPES[] = {"application/x-ndjson", "application/json", "text/csv"};
    Str accept = http_header(&ask->c->http->request, "Accept");
    if (ask->format.n) {
        return fhir_view_format_parse(ask->format, &ask->writer.format)
                   ? OK
                   : api_ask_bad(ask->c, STR("_format"), "应为 ndjson、json 或 csv",
                                 "is ndjson, json or csv");
    }
    int best = 0;
    for (size_t i = 0; accept.n && i < sizeof TYPES / sizeof *TYPES; i++) {
        int wanted = http_accept_quality(accept, str_from_c(TYPES[i]));
        if (wanted > best) {
            best = wanted;
            (void)fhir_view_format_parse(str_from_c(TYPES[i]), &ask->writer.format);
        }
    }
    return OK;
}

/* ---- The definition ----------------------------------------------------------------------- */

static Status library_of(Ask *ask, Str reference, JsonDoc *ret)
{
    ApiCall *c = ask->c;
    Str id = api_id_of(api_id_of(reference, "ViewDefinition"), "Library"), url, version;
    StoreVersion v;
    if (str_find_char(id, ':') >= 0) {
        const StoreHit *hit;
        size_t n;
        Buf query;
        str_cut(id, '|', &url, &version);
        buf_init(&query, 0);
        buf_c(&query, "url=");
        buf_url(&query, url);
        buf_c(&query, version.n ? "&version=" : "");
        buf_url(&query, version);
        buf_c(&query, "&_sort=-_lastUpdated");
        TRY(api_search_ids(c, STR("Library"), buf_take(&query, c->arena), 100, &hit, &n, &c->err));
        id = n ? hit[0].id : STR_NONE;
    }
    TRY(access_may(c->caller, ACCESS_READ, STR("Library"), &c->err));
    TRY(api_read_version(c, STR("Library"), id, STR_NONE, &v, &c->err));
    return json_parse(c->arena, v.body, &JSON_LIMITS_FHIR, ret, &c->err);
}

static Status view_kept(Ask *ask)
{
    ApiCall *c = ask->c;
    JsonDoc library, *view = arena_new(c->arena, JsonDoc);
    TRY(library_of(ask, ask->reference, &library));
    ask->kept_id = json_str_at(&library, JSON_ROOT, "id");
    ask->definition = insight_view_of_library(c->arena, &library);
    if (!ask->definition.n) {
        return err_add(&c->err, ERR_UNPROCESSABLE, "invalid", STR("Library.content"),
                       "该 Library 里没有视图定义（content.data，JSON）",
                       "The Library holds no view definition (content.data, JSON)");
    }
    TRY(json_parse(c->arena, ask->definition, &JSON_LIMITS_FHIR, view, &c->err));
    ask->doc = view;
    ask->view = JSON_ROOT;
    return OK;
}

static Status view_settle(Ask *ask)
{
    ApiCall *c = ask->c;
    if ((ask->doc != NULL) == (ask->reference.n > 0)) {
        return err_add(&c->err, ERR_INVALID, "required", STR("viewResource"),
                       "须给出 viewResource 或 viewReference 之一",
                       "One of viewResource and viewReference is needed");
    }
    if (ask->reference.n) {
        TRY(view_kept(ask));
    }
    TRY(fhir_view_compile(c->arena, ask->doc, ask->view, &ask->compiled, &c->err));
    ask->writer.view = ask->compiled;
    ask->writer.headless = ask->headless;
    ask->writer.out = &ask->out;
    return access_may(c->caller, ACCESS_READ, fhir_view_resource(ask->compiled), &c->err);
}

/* ---- Rows --------------------------------------------------------------------------------- */

static Status out_check(const Ask *ask, Err *err)
{
    return !ask->out.failed && ask->out.n <= OUT_BYTES_MAX
               ? OK
               : err_add(err, ERR_TOO_LARGE, "too-costly", STR("_limit"),
                         "结果超过 32 MiB，请用 _limit、patient、_since 或 where 缩小范围",
                         "The table is larger than 32 MiB; ask for less with _limit, patient, "
                         "_since or where");
}

static Status row_add(void *ctx, const FhirValues *cell, Err *err)
{
    Ask *ask = ctx;
    if (ask->writer.rows == ask->limit) {
        ask->full = true;
        return OK;
    }
    fhir_view_write_row(&ask->writer, cell);
    return out_check(ask, err);
}

static Status resource_run(Ask *ask, FhirNode n)
{
    Arena scratch;
    if (ask->full) {
        return OK;
    }
    arena_init(&scratch, RESOURCE_BYTES);
    FhirViewRun run = {.arena = &scratch,
                       .now_ms = clock_now(ask->c->api->options.clock),
                       .zone_min = ask->c->api->options.zone_min,
                       .term = ask->term,
                       .row = row_add,
                       .ctx = ask};
    Status s = fhir_view_run(ask->compiled, &run, n, &ask->c->err);
    arena_done(&scratch);
    return s;
}

static Status given_run(Ask *ask)
{
    for (size_t i = 0; i < ask->resource_n; i++) {
        TRY(resource_run(ask, fhir_node_resource(ask->given, ask->resource[i])));
    }
    return OK;
}

static void touch(Ask *ask, const Str *patients, size_t n)
{
    static char known;
    for (size_t i = 0; i < n && ask->touched.n < PATIENTS_AUDITED; i++) {
        if (!map_get(&ask->touched, patients[i])) {
            Str id = arena_str(ask->c->arena, patients[i]);
            map_put(&ask->touched, id, &known);
            api_touch(ask->c, id);
        }
    }
}

static Status body_run(Ask *ask, Str body, const Str *patients, size_t patients_n)
{
    Arena a;
    JsonDoc d;
    if (time_mono_ms() > ask->until_ms) {
        return err_add(&ask->c->err, ERR_TOO_MANY, "too-costly", STR("_limit"),
                       "视图运行时间过长，请用 _limit、patient 或 _since 缩小范围",
                       "The view takes too long; ask for less with _limit, patient or _since");
    }
    arena_init(&a, RESOURCE_BYTES);
    Status s = json_parse(&a, body, &JSON_LIMITS_FHIR, &d, &ask->c->err);
    s = s == OK ? resource_run(ask, fhir_node_root(&d)) : s;
    arena_done(&a);
    touch(ask, patients, patients_n);
    return s;
}

static Status head_told(void *ctx, const StoreVersion *v, Err *err)
{
    (void)err;
    return body_run(ctx, v->body, v->patients, v->patients_n);
}

static Status all_run(Ask *ask)
{
    ApiCall *c = ask->c;
    StoreHeads q = {.type = fhir_view_resource(ask->compiled),
                    .as_of = store_seq(c->api->store),
                    .since_ms = ask->since_ms,
                    .limit = STRETCH};
    do {
        Arena a;
        Str after;
        arena_init(&a, 0);
        Status s =
            store_heads(c->reader, &a, &c->caller->view, &q, head_told, ask, &after, &c->err);
        q.after = s == OK ? arena_str(c->arena, after) : STR_NONE;
        arena_done(&a);
        TRY(s);
    } while (q.after.n && !ask->full);
    return OK;
}

/* What stands in one patient's compartment. */
static Status patient_run(Ask *ask, Str id)
{
    ApiCall *c = ask->c;
    const FhirType *type = fhir_resource_find(fhir_view_resource(ask->compiled));
    StoreVersion patient;
    StorePage page;
    Str cursor = STR_NONE;
    TRY(api_read_version(c, STR("Patient"), id, STR_NONE, &patient, &c->err));
    StoreEverything q = {.patient = id,
                         .types = &type,
                         .types_n = 1,
                         .since_ms = ask->since_ms,
                         .from_ms = TIME_NONE,
                         .to_ms = TIME_FOREVER,
                         .count = STRETCH,
                         .self = STR("view")};
    do {
        TRY(store_everything(c->reader, c->arena, &q, &c->caller->view, cursor, &page, &c->err));
        for (size_t i = 0; i < page.hits_n; i++) {
            const StoreHit *h = &page.hits[i];
            if (h->mode == STORE_MATCH) {
                TRY(body_run(ask, h->body, h->patients, h->patients_n));
            }
        }
        cursor = page.next;
    } while (cursor.n && !ask->full);
    return OK;
}

static Status group_take(Ask *ask)
{
    ApiCall *c = ask->c;
    StoreVersion group;
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    TRY(api_read_version(c, STR("Group"), api_id_of(ask->group, "Group"), STR_NONE, &group,
                         &c->err));
    TRY(json_parse(c->arena, group.body, &JSON_LIMITS_FHIR, d, &c->err));
    ask->members = true;
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "member")); json_next(&it);) {
        Str who = json_str_at(d, it.value, "entity.reference");
        bool left = json_is_true(d, json_get_c(d, it.value, "inactive"));
        if (left || !str_starts(who, STR("Patient/")) ||
            !store_patient_visible(c->reader, &c->caller->view, str_skip(who, 8))) {
            continue;
        }
        TRY(patient_take(ask, &(ApiAsked){.name = STR("group"), .value = who}));
    }
    return OK;
}

static Status row_told(void *ctx, Str row, const Str *patients, size_t patients_n, Err *err)
{
    Ask *ask = ctx;
    if (ask->writer.rows == ask->limit) {
        ask->full = true;
        return OK;
    }
    touch(ask, patients, patients_n);
    fhir_view_write_kept(&ask->writer, row);
    return out_check(ask, err);
}

/* From the table that is kept up to date, where there is one. */
static Status all_make(Ask *ask)
{
    ApiCall *c = ask->c;
    bool served = false;
    if (ask->kept_id.n && ask->since_ms == TIME_NONE) {
        TRY(insight_views_rows(c->api->views, c->reader, ask->kept_id, ask->definition,
                               &c->caller->view, row_told, ask, &served, &c->err));
    }
    if (served) {
        http_set_header(c->http, "X-Menkou-View", STR("kept"));
    }
    return served ? OK : all_run(ask);
}

static Status rows_make(Ask *ask)
{
    if (ask->given) {
        return given_run(ask);
    }
    if (!ask->members) {
        return all_make(ask);
    }
    for (size_t i = 0; i < ask->patient_n && !ask->full; i++) {
        TRY(patient_run(ask, ask->patient[i]));
    }
    return OK;
}

/* ---- The doors ---------------------------------------------------------------------------- */

static Status ask_read(Ask *ask, Str kept)
{
    ApiCall *c = ask->c;
    TRY(api_ask_read(c, value_take, ask));
    if (kept.n && (ask->reference.n || ask->doc)) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("viewReference"),
                       "地址已指明视图，不能再给 viewReference 或 viewResource",
                       "The address names the view: neither viewReference nor viewResource");
    }
    ask->reference = kept.n ? kept : ask->reference;
    TRY(format_settle(ask));
    TRY(view_settle(ask));
    return ask->group.n ? group_take(ask) : OK;
}

static Status view_run(ApiCall *c, Str kept)
{
    Ask ask = {.c = c,
               .limit = LIMIT_MAX,
               .since_ms = TIME_NONE,
               .patient = arena_array(c->arena, Str, PATIENTS_MAX),
               .until_ms = time_mono_ms() + TIME_MAX_MS};
    map_init(&ask.touched, c->arena);
    store_term_init(&ask.terms, c->reader, &c->caller->view);
    ask.term = fhir_term_new(c->arena, &ask.terms.source);
    c->what = str_skip(c->http->request.path, strlen("/fhir/"));
    TRY(ask_read(&ask, kept));
    buf_init(&ask.out, 2 * OUT_BYTES_MAX);
    fhir_view_write_begin(&ask.writer);
    Status s = rows_make(&ask);
    fhir_view_write_end(&ask.writer);
    Str table = buf_take(&ask.out, c->arena);
    c->result =
        (ApiResult){.status = 200, .body = table, .media = fhir_view_media(ask.writer.format)};
    return s;
}

Status api_view_run(ApiCall *c)
{
    return view_run(c, STR_NONE);
}

Status api_view_run_kept(ApiCall *c)
{
    return view_run(c, c->http->request.part[0]);
}
