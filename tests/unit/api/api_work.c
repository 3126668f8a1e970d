/*
 * Work that outlives its request: an export, an import of NDJSON, a table of residents, the telling
 * of a subscriber (api_work_hook.c). Each is
 * begun, waited for, and says truly how it ended.
 */
#include <unistd.h>

#include "api_bulk.h"
#include "api_export_job.h"
#include "api_stage.h"

#define WAIT_MS  30000
#define LINES    12 /* resources to import, rows of the table */
#define EXPORTED 2  /* a Schedule and a HealthcareService of stage_fill */

static StageAnswer call(Stage *s, StoreReader *reader, Arena *a, const char *method, Str path,
                        const char *who)
{
    StageCall what = {.method = method, .path = path, .who = who};
    return stage_call(s, reader, a, &what);
}

static void work_name(Stage *s, Str id)
{
    assert_true(id.n > 0 && id.n < sizeof s->work);
    snprintf(s->work, sizeof s->work, "%.*s", STR_ARG(id));
}

/* The last part of where it says that it lies. */
static StageAnswer begun(Stage *s, StageAnswer answer)
{
    Str rest = answer.content_location, id = rest;
    while (answer.status == 202 && str_cut(rest, '/', &id, &rest)) {
        id = rest;
    }
    if (answer.status == 202) {
        work_name(s, id);
    }
    return answer;
}

static bool answer_read(const StageAnswer *answer, Arena *a, JsonDoc *ret)
{
    return json_parse(a, answer->body, &JSON_LIMITS_FHIR, ret, NULL) == OK;
}

static int64_t number_at(const JsonDoc *d, JsonRef at, const char *name)
{
    int64_t n = 0;
    (void)json_to_i64(d, json_get_c(d, at, name), &n);
    return n;
}

/* ---- $export ----------------------------------------------------------------------------------
 */

static void export_prepare(Stage *s, StoreReader *reader)
{
    Arena a;
    arena_init(&a, 0);
    if (s->work[0]) {
        (void)call(s, reader, &a, "DELETE", arena_printf(&a, "/exports/%s", s->work), NULL);
    }
    arena_done(&a);
}

static StageAnswer export_ask(Stage *s, StoreReader *reader, Arena *a)
{
    StageCall what = {.method = "GET",
                      .path = STR("/fhir/$export?_type=Schedule,HealthcareService"),
                      .async = true};
    return begun(s, stage_call(s, reader, a, &what));
}

static bool export_over(Stage *s, StoreReader *reader, StageEnd *ret)
{
    Arena a;
    ExportJob job;
    uint64_t told = 0;
    (void)reader;
    arena_init(&a, 0);
    Status read = export_load(s->api, &a, str_from_c(s->work), &job, NULL);
    for (size_t i = 0; read == OK && i < job.file_n; i++) {
        told += job.file[i].count;
    }
    bool whole = read == OK && job.state == EXPORT_DONE;
    assert_true(!whole || told == EXPORTED);
    *ret = whole ? STAGE_WHOLE : STAGE_PARTLY;
    arena_done(&a);
    return read == OK && job.state != EXPORT_WAITS;
}

/* ---- $import ----------------------------------------------------------------------------------
 */

static void import_prepare(Stage *s, StoreReader *reader)
{
    Arena a;
    arena_init(&a, 0);
    if (s->work[0]) {
        (void)call(s, reader, &a, "DELETE", arena_printf(&a, "/bulk-imports/%s", s->work), NULL);
    }
    arena_done(&a);
}

static StageAnswer import_ask(Stage *s, StoreReader *reader, Arena *a)
{
    Str lines = STR_NONE;
    for (int i = 0; i < LINES; i++) {
        lines = arena_cat(a, lines,
                          arena_printf(a,
                                       "{\"resourceType\":\"Basic\",\"id\":\"sent-%d\","
                                       "\"code\":{\"text\":\"%d\"}}\n",
                                       i, i));
    }
    StageCall what = {.method = "POST",
                      .path = STR("/fhir/$import"),
                      .body = lines,
                      .type = "application/fhir+ndjson",
                      .async = true};
    return begun(s, stage_call(s, reader, a, &what));
}

static bool import_over(Stage *s, StoreReader *reader, StageEnd *ret)
{
    Arena a;
    BulkJob job;
    (void)reader;
    arena_init(&a, 0);
    Status read = bulk_load(s->api, &a, str_from_c(s->work), &job, NULL);
    bool done = read == OK && job.state == BULK_DONE;
    assert_true(!done || job.input[0].imported + job.input[0].refused == LINES);
    *ret = done && job.input[0].imported == LINES ? STAGE_WHOLE : STAGE_PARTLY;
    arena_done(&a);
    return read == OK && job.state != BULK_WAITS;
}

/* ---- A table ----------------------------------------------------------------------------------
 */

static void table_prepare(Stage *s, StoreReader *reader)
{
    Arena a;
    JsonDoc d;
    Str rows = STR("姓名,性别,出生日期,建档机构\n");
    arena_init(&a, 0);
    if (s->work[0]) {
        (void)call(s, reader, &a, "DELETE", arena_printf(&a, "/imports/%s", s->work), "system");
    }
    for (int i = 0; i < LINES; i++) {
        rows = arena_cat(
            &a, rows, arena_printf(&a, "居民甲乙%d,女,1962-03-%02d,Organization/t1\n", i, 1 + i));
    }
    StageCall send = {.method = "POST",
                      .path = STR("/imports?kind=residents&name=a.csv"),
                      .body = rows,
                      .type = "text/csv",
                      .who = "system"};
    StageAnswer answer = stage_call(s, reader, &a, &send);
    assert_int_equal(answer.status, 201);
    assert_true(answer_read(&answer, &a, &d));
    work_name(s, json_str_at(&d, JSON_ROOT, "table.id"));
    arena_done(&a);
}

static StageAnswer table_begin(Stage *s, StoreReader *reader, Arena *a)
{
    StageCall what = {.method = "POST",
                      .path = arena_printf(a, "/imports/%s/run", s->work),
                      .body = STR("{}"),
                      .type = "application/json",
                      .who = "system"};
    return stage_call(s, reader, a, &what);
}

static bool table_over(Stage *s, StoreReader *reader, StageEnd *ret)
{
    Arena a;
    JsonDoc d;
    bool over = false;
    arena_init(&a, 0);
    StageAnswer answer =
        call(s, reader, &a, "GET", arena_printf(&a, "/imports/%s", s->work), "system");
    *ret = STAGE_PARTLY;
    if (answer.status == 200 && answer_read(&answer, &a, &d)) {
        JsonRef run = json_get_c(&d, JSON_ROOT, "run");
        Str state = json_str_at(&d, run, "state");
        over = !str_is(state, "importing");
        if (str_is(state, "imported")) {
            int64_t good = number_at(&d, run, "made") + number_at(&d, run, "changed") +
                           number_at(&d, run, "unchanged");
            assert_int_equal(good + number_at(&d, run, "refused"), LINES);
            *ret = good == LINES ? STAGE_WHOLE : STAGE_PARTLY;
        } else if (over) {
            assert_true(str_is(state, "failed") || str_is(state, "stopped"));
        }
    }
    arena_done(&a);
    return over;
}

/* ---- Each of them -----------------------------------------------------------------------------
 */

const StageWork STAGE_WORKS[] = {
    {"export", export_prepare, export_ask, export_over},
    {"import of NDJSON", import_prepare, import_ask, import_over},
    {"import of a table", table_prepare, table_begin, table_over},
    {"a subscription", stage_hook_prepare, stage_hook_begin, stage_hook_over, true},
};
const size_t STAGE_WORKS_N = sizeof STAGE_WORKS / sizeof *STAGE_WORKS;

void stage_work_open(Stage *s)
{
    AccessNewAccount machine = {.username = STR("system"),
                                .name = STR("system"),
                                .role = STR("integrator"),
                                .organization = STR("Organization/c"),
                                .password = STR("Of-The-Stage-2026")};
    Str password;
    s->work[0] = 0;
    if (!s->api->exports) {
        assert_int_equal(
            access_account_make(s->api->store, &s->arena, &machine, &password, &s->err), OK);
        assert_int_equal(api_exports_open(s->api, &s->err), OK);
        assert_int_equal(api_bulk_open(s->api, &s->err), OK);
    }
}

void stage_work_prepare(Stage *s, StoreReader *reader, const StageWork *work)
{
    work->prepare(s, reader);
}

StageEnd stage_work_do(Stage *s, StoreReader *reader, const StageWork *work)
{
    Arena a;
    StageEnd end = STAGE_REFUSED;
    arena_init(&a, 0);
    StageAnswer answer = work->begin(s, reader, &a);
    bool clear = answer.status == 202 || answer.status == 500 || answer.status == 503 ||
                 answer.status == 507;
    if (!clear) {
        print_error("%s: %d %.*s\n", work->name, answer.status, STR_ARG(answer.body));
    }
    assert_true(clear);
    int64_t until = time_mono_ms() + WAIT_MS;
    while (answer.status == 202 && !work->over(s, reader, &end)) {
        assert_true(time_mono_ms() < until);
        usleep(1000);
    }
    arena_done(&a);
    return answer.status == 202 ? end : STAGE_REFUSED;
}
