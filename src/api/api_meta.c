#include "api_inner.h"

#include "fhir_capability.h"

#define VERSION "0.1.0"

static void json_answer(ApiCall *c, Buf *out)
{
    c->result = (ApiResult){
        .status = 200, .body = api_buf_take(c, out), .media = "application/json; charset=utf-8"};
}

/* ---- /fhir/metadata ----------------------------------------------------------------------------
 */

static const FhirOperation OPERATIONS[] = {
    {NULL, "start", "urn:menkou:operation:start"},
    {NULL, "actions", "urn:menkou:operation:actions"},
    {NULL, "pathways", "urn:menkou:operation:pathways"},
    {"Task", "act", "urn:menkou:operation:act"},
    {"Task", "actions", "urn:menkou:operation:task-actions"},
    {"Binary", "ecg", "urn:menkou:operation:ecg"},
    {"Patient", "match", "http://hl7.org/fhir/OperationDefinition/Patient-match"},
};

/* A parameter is served when its kind has posting lists and the store takes a query with it. */
static bool param_served(const FhirType *type, const FhirParam *p)
{
    static const char *const sample[] = {
        [FHIR_PARAM_NUMBER] = "1",   [FHIR_PARAM_DATE] = "2026",    [FHIR_PARAM_STRING] = "a",
        [FHIR_PARAM_TOKEN] = "a",    [FHIR_PARAM_REFERENCE] = NULL, [FHIR_PARAM_COMPOSITE] = NULL,
        [FHIR_PARAM_QUANTITY] = "1", [FHIR_PARAM_URI] = "urn:a",    [FHIR_PARAM_SPECIAL] = "a",
    };
    Arena scratch;
    arena_init(&scratch, 1 << 20);
    Str value = str_from_c(sample[p->kind]);
    if (p->kind == FHIR_PARAM_REFERENCE) {
        Str target = p->target_count ? fhir_type_name(fhir_param_target(p, 0)) : STR("Patient");
        value = arena_cat(&scratch, target, STR("/a"));
    }
    StoreQuery *q;
    bool ok = value.n && store_query_parse(&scratch, fhir_type_name(type),
                                           arena_cat(&scratch, fhir_param_name(p), STR("="), value),
                                           false, ZONE_CHINA_MIN, &q, NULL) == OK;
    arena_done(&scratch);
    return ok;
}

Status api_metadata(ApiCall *c)
{
    static const char *const formats[] = {"application/fhir+json", "json"};
    FhirServed served = {
        .interactions = FHIR_SERVES_READ | FHIR_SERVES_VREAD | FHIR_SERVES_CREATE |
                        FHIR_SERVES_UPDATE | FHIR_SERVES_DELETE | FHIR_SERVES_HISTORY_INSTANCE |
                        FHIR_SERVES_HISTORY_TYPE | FHIR_SERVES_SEARCH |
                        FHIR_SERVES_CONDITIONAL_CREATE | FHIR_SERVES_UPDATE_CREATE |
                        FHIR_SERVES_CONDITIONAL_READ,
        .system = FHIR_SYSTEM_TRANSACTION | FHIR_SYSTEM_BATCH | FHIR_SYSTEM_HISTORY,
        .serves_param = param_served,
        .includes = true,
        .operation = OPERATIONS,
        .operation_count = sizeof OPERATIONS / sizeof *OPERATIONS,
        .base_url = arena_cat(c->arena, api_base_url(c), STR("/fhir")),
        .version = STR(VERSION),
        .date = time_iso(c->arena, c->api->opened_ms, c->api->options.zone_min),
        .format = formats,
        .format_count = 2,
    };
    Buf out;
    buf_init(&out, 0);
    fhir_capability_write(&out, &served);
    c->result = (ApiResult){.status = 200, .body = api_buf_take(c, &out)};
    return OK;
}

/* ---- what machines ask
 * ---------------------------------------------------------------------------- */

Status api_healthz(ApiCall *c)
{
    TRY(access_audit_ready(c->api->access, &c->err));
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    json_open(&w, '{');
    json_member_c(&w, "status", "ok");
    json_member_c(&w, "version", VERSION);
    json_key(&w, "seq");
    json_put_i64(&w, (int64_t)store_seq(c->api->store));
    json_close(&w, '}');
    json_answer(c, &out);
    return OK;
}

static void metric(Buf *out, const char *name, const char *kind, const char *help, uint64_t value)
{
    buf_printf(out, "# HELP menkou_%s %s\n# TYPE menkou_%s %s\nmenkou_%s %llu\n", name, help, name,
               kind, name, (unsigned long long)value);
}

Status api_metrics(ApiCall *c)
{
    HttpCounts n = http_server_counts(c->api->http);
    Buf out;
    buf_init(&out, 0);
    metric(&out, "http_requests_total", "counter", "Requests begun", n.requests);
    metric(&out, "http_refused_busy_total", "counter", "Requests answered 503", n.refused_busy);
    metric(&out, "http_dropped_late_total", "counter", "Connections past a deadline",
           n.dropped_late);
    metric(&out, "http_connections", "gauge", "Open connections", n.connections);
    metric(&out, "http_queued", "gauge", "Requests waiting for a worker", n.queued);
    metric(&out, "http_streams", "gauge", "Open event streams", n.streams);
    metric(&out, "log_seq", "counter", "Last sequence of the log", store_seq(c->api->store));
    c->result = (ApiResult){.status = 200,
                            .body = api_buf_take(c, &out),
                            .media = "text/plain; version=0.0.4; charset=utf-8"};
    return OK;
}

Status api_smart(ApiCall *c)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    json_open(&w, '{');
    json_member_str(&w, "token_endpoint", arena_cat(c->arena, api_base_url(c), STR("/auth/login")));
    json_key(&w, "grant_types_supported");
    json_put_raw(&w, STR("[]"));
    json_key(&w, "scopes_supported");
    json_put_raw(&w, STR("[\"system/*.cruds\"]"));
    json_key(&w, "capabilities");
    json_put_raw(&w, STR("[\"permission-v2\"]"));
    json_close(&w, '}');
    json_answer(c, &out);
    return OK;
}
