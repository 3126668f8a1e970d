/* What machines ask: the capability statement, health, metrics, the SMART configuration. */
#include "api_inner.h"

#include "access_app.h"
#include "fhir_capability.h"
#include "store_params.h"

#include "mk_version.h"

static void json_answer(ApiCall *c, Buf *out)
{
    c->result = (ApiResult){
        .status = 200, .body = buf_take(out, c->arena), .media = "application/json; charset=utf-8"};
}

/* ---- /fhir/metadata ----------------------------------------------------------------------------
 */

/* What a row of the routes means to a client of FHIR. */
static const struct {
    unsigned method;
    const char *pattern;
    unsigned type, system; /* FHIR_SERVES_*, FHIR_SYSTEM_* */
} INTERACTIONS[] = {
    {HTTP_GET, "/fhir/{Type}/{id}", FHIR_SERVES_READ | FHIR_SERVES_CONDITIONAL_READ, 0},
    {HTTP_GET, "/fhir/{Type}/{id}/_history/{vid}", FHIR_SERVES_VREAD, 0},
    {HTTP_GET, "/fhir/{Type}/{id}/_history", FHIR_SERVES_HISTORY_INSTANCE, 0},
    {HTTP_GET, "/fhir/{Type}/_history", FHIR_SERVES_HISTORY_TYPE, 0},
    {HTTP_GET, "/fhir/{Type}", FHIR_SERVES_SEARCH, 0},
    {HTTP_POST, "/fhir/{Type}", FHIR_SERVES_CREATE | FHIR_SERVES_CONDITIONAL_CREATE, 0},
    {HTTP_PUT, "/fhir/{Type}/{id}", FHIR_SERVES_UPDATE | FHIR_SERVES_UPDATE_CREATE, 0},
    {HTTP_PUT, "/fhir/{Type}", FHIR_SERVES_CONDITIONAL_UPDATE, 0},
    {HTTP_PATCH, "/fhir/{Type}/{id}", FHIR_SERVES_PATCH, 0},
    {HTTP_DELETE, "/fhir/{Type}/{id}", FHIR_SERVES_DELETE, 0},
    {HTTP_DELETE, "/fhir/{Type}", FHIR_SERVES_CONDITIONAL_DELETE, 0},
    {HTTP_POST, "/fhir", 0, FHIR_SYSTEM_TRANSACTION | FHIR_SYSTEM_BATCH},
    {HTTP_GET, "/fhir/_history", 0, FHIR_SYSTEM_HISTORY},
    {HTTP_GET, "/fhir", 0, FHIR_SYSTEM_SEARCH},
};

static void interactions_take(const HttpRoute *route, FhirServed *served)
{
    for (size_t i = 0; i < sizeof INTERACTIONS / sizeof *INTERACTIONS; i++) {
        if (route->methods & INTERACTIONS[i].method &&
            strcmp(route->pattern, INTERACTIONS[i].pattern) == 0) {
            served->interactions |= INTERACTIONS[i].type;
            served->system |= INTERACTIONS[i].system;
        }
    }
}

/* Operations that R4 defines; all others are ours. */
static const char *operation_definition(Arena *a, Str type, Str name)
{
    static const FhirOperation R4[] = {
        {"Patient", "everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"},
        {"", "export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"},
        {"Patient", "export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"},
        {"Group", "export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"},
        {"Subscription", "status",
         "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
         "backport-subscription-status"},
        {"Subscription", "events",
         "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
         "backport-subscription-events"},
        {"Observation", "lastn", "http://hl7.org/fhir/OperationDefinition/Observation-lastn"},
        {"Observation", "stats", "http://hl7.org/fhir/OperationDefinition/Observation-stats"},
        {"Patient", "match", "http://hl7.org/fhir/OperationDefinition/Patient-match"},
        {"", "versions", "http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions"},
        {"CodeSystem", "lookup", "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup"},
        {"CodeSystem", "validate-code",
         "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code"},
        {"CodeSystem", "subsumes", "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes"},
        {"ValueSet", "expand", "http://hl7.org/fhir/OperationDefinition/ValueSet-expand"},
        {"ValueSet", "validate-code",
         "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code"},
        {"ConceptMap", "translate", "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate"},
        {"Composition", "document", "http://hl7.org/fhir/OperationDefinition/Composition-document"},
        {"Encounter", "everything", "http://hl7.org/fhir/OperationDefinition/Encounter-everything"},
        {FHIR_OPERATION_ANY, "validate",
         "http://hl7.org/fhir/OperationDefinition/Resource-validate"},
        {FHIR_OPERATION_ANY, "meta", "http://hl7.org/fhir/OperationDefinition/Resource-meta"},
        {FHIR_OPERATION_ANY, "meta-add",
         "http://hl7.org/fhir/OperationDefinition/Resource-meta-add"},
        {FHIR_OPERATION_ANY, "meta-delete",
         "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete"},
    };
    for (size_t i = 0; i < sizeof R4 / sizeof *R4; i++) {
        if (str_is(type, R4[i].type) && str_is(name, R4[i].name)) {
            return R4[i].definition;
        }
    }
    Str ours = STR("urn:menkou:operation:");
    return arena_cstr(a, arena_cat(a, ours, type, type.n ? STR("-") : STR_NONE, name));
}

/* "/fhir/$start", "/fhir/Task/{id}/$act", "/fhir/{Type}/$validate". */
static bool operation_of(Arena *a, const HttpRoute *route, FhirOperation *ret)
{
    Str path = str_from_c(route->pattern), type, name;
    if (!str_starts(path, STR("/fhir/")) || !str_cut(path, '$', &type, &name)) {
        return false;
    }
    str_cut(str_skip(type, strlen("/fhir/")), '/', &type, &path); /* none before a system's */
    bool any = str_is(type, "{Type}");
    if (type.n && !any && !fhir_resource_find(type)) {
        return false; /* ViewDefinition: R4's statement has no place for it */
    }
    type = any ? STR(FHIR_OPERATION_ANY) : type;
    *ret = (FhirOperation){.type = type.n ? arena_cstr(a, type) : NULL,
                           .name = arena_cstr(a, name),
                           .definition = operation_definition(a, type, name)};
    return true;
}

static bool same_operation(const FhirOperation *x, const FhirOperation *y)
{
    bool type = x->type && y->type ? strcmp(x->type, y->type) == 0 : x->type == y->type;
    return type && strcmp(x->name, y->name) == 0;
}

/* Interactions and operations as the routes serve them: nothing else is claimed. */
static void routes_take(ApiCall *c, FhirServed *served)
{
    FhirOperation *list = arena_array(c->arena, FhirOperation, API_ROUTES_N);
    unsigned n = 0;
    for (size_t i = 0; i < API_ROUTES_N; i++) {
        interactions_take(&API_ROUTES[i], served);
        if (operation_of(c->arena, &API_ROUTES[i], &list[n])) {
            unsigned k = 0;
            while (!same_operation(&list[k], &list[n])) {
                k++;
            }
            n += k == n; /* GET and POST of one operation are two rows */
        }
    }
    served->operation = list;
    served->operation_count = n;
}

/* A value that the parameter could have; of a composite one for each component. */
static Str param_sample(Arena *a, const FhirParam *p)
{
    static const char *const sample[] = {
        [FHIR_PARAM_NUMBER] = "1",   [FHIR_PARAM_DATE] = "2026",    [FHIR_PARAM_STRING] = "a",
        [FHIR_PARAM_TOKEN] = "a",    [FHIR_PARAM_REFERENCE] = NULL, [FHIR_PARAM_COMPOSITE] = NULL,
        [FHIR_PARAM_QUANTITY] = "1", [FHIR_PARAM_URI] = "urn:a",    [FHIR_PARAM_SPECIAL] = "1%7C1",
    };
    Str value = STR_NONE;
    if (p->kind == FHIR_PARAM_REFERENCE) {
        Str target = p->target_count ? fhir_type_name(fhir_param_target(p, 0)) : STR("Patient");
        return arena_cat(a, target, STR("/a"));
    }
    for (unsigned i = 0; i < p->component_count; i++) {
        value =
            arena_cat(a, value, i ? STR("$") : STR_NONE, param_sample(a, fhir_param_part(p, i)));
    }
    return p->component_count ? value : str_from_c(sample[p->kind]);
}

/* A parameter is served when the store takes a query with it. */
static bool param_served(const FhirType *type, const FhirParam *p)
{
    Arena scratch;
    StoreQuery *q;
    arena_init(&scratch, 1 << 20);
    Str value = param_sample(&scratch, p);
    bool ok = value.n && store_query_parse(NULL, &scratch, fhir_type_name(type),
                                           arena_cat(&scratch, fhir_param_name(p), STR("="), value),
                                           false, ZONE_CHINA_MIN, &q, NULL) == OK;
    arena_done(&scratch);
    return ok;
}

static Str address_of(ApiCall *c, const char *path)
{
    return arena_cat(c->arena, api_base_url(c), str_from_c(path));
}

static Str statement_make(ApiCall *c, Str base)
{
    static const char *const formats[] = {"application/fhir+json", "application/fhir+xml", "json",
                                          "xml"};
    static const char *const patches[] = {"application/json-patch+json", "application/fhir+json",
                                          "application/fhir+xml"};
    FhirServed served = {
        .serves_param = param_served,
        .customs = store_params_usable(c->api->store, c->arena),
        .includes = true,
        .authorize = address_of(c, "/auth/authorize"),
        .token = address_of(c, "/auth/token"),
        .base_url = base,
        .version = str_from_c(MK_VERSION),
        .date = time_iso(c->arena, c->api->opened_ms, c->api->options.zone_min),
        .format = formats,
        .format_count = sizeof formats / sizeof *formats,
        .patch_format = patches,
        .patch_format_count = sizeof patches / sizeof *patches,
    };
    Buf out;
    routes_take(c, &served);
    buf_init(&out, 0);
    fhir_capability_write(&out, &served);
    return buf_take(&out, c->arena);
}

Status api_metadata(ApiCall *c)
{
    ApiSubset subset;
    Str mode = api_query(c, "mode"), type = STR("CapabilityStatement");
    TRY(api_query_only(c, "mode, _summary, _elements, " API_FORM_PARAMETERS));
    if (str_is(mode, "terminology")) {
        return api_term_capabilities(c);
    }
    if (mode.n && !str_is(mode, "full") && !str_is(mode, "normative")) {
        return err_add(&c->err, ERR_INVALID, "value", STR("mode"),
                       "mode 应为 full、normative 或 terminology",
                       "mode must be full, normative or terminology");
    }
    TRY(api_subset_read(c, type, &subset));
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir"));
    Str news =
        arena_printf(c->arena, " %llu", (unsigned long long)store_params_news(c->api->store));
    Sha256 key = sha256(arena_cat(c->arena, base, news));
    Str body = api_kept_take(&c->api->statement, key, c->arena);
    if (str_empty(body)) {
        body = statement_make(c, base);
        api_kept_put(&c->api->statement, key, body);
    }
    c->result = (ApiResult){
        .status = 200, .body = api_subset_body(c, &subset, type, body), .lasting = true};
    return OK;
}

/* ---- what machines ask
 * ---------------------------------------------------------------------------- */

static void disk_member(JsonWriter *w, const Api *api)
{
    ApiDisk disk;
    if (!api_disk(api, &disk)) {
        return;
    }
    json_key_open(w, "disk", '{');
    json_member_i64(w, "freeBytes", (int64_t)disk.free_bytes);
    json_member_i64(w, "totalBytes", (int64_t)disk.total_bytes);
    json_member_i64(w, "lowBytes", (int64_t)disk.low_bytes);
    json_member_bool(w, "low", disk.low);
    json_close(w, '}');
}

Status api_healthz(ApiCall *c)
{
    TRY(access_audit_ready(c->api->access, &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_c(&w, "status", "ok");
    json_member_c(&w, "version", MK_VERSION);
    json_member_i64(&w, "seq", (int64_t)store_seq(c->api->store));
    disk_member(&w, c->api);
    json_close(&w, '}');
    json_answer(c, &out);
    return OK;
}

static void metric_head(Buf *out, const char *name, const char *kind, const char *help)
{
    buf_printf(out, "# HELP menkou_%s %s\n# TYPE menkou_%s %s\n", name, help, name, kind);
}

static void metric(Buf *out, const char *name, const char *kind, const char *help, uint64_t value)
{
    metric_head(out, name, kind, help);
    buf_printf(out, "menkou_%s %llu\n", name, (unsigned long long)value);
}

/* A handler's several rows stay apart: methods and pattern name a route. */
static void route_label(Buf *out, size_t route)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    unsigned methods = route < API_ROUTES_N ? API_ROUTES[route].methods : HTTP_ANY;
    buf_c(out, "method=\"");
    if (methods == HTTP_ANY) {
        buf_c(out, "any");
    }
    for (unsigned i = 0; i < sizeof names / sizeof *names && methods != HTTP_ANY; i++) {
        buf_c(out, methods & 1u << i ? names[i] : "");
    }
    buf_printf(out, "\",route=\"%s\"", route < API_ROUTES_N ? API_ROUTES[route].pattern : "");
}

static void route_requests(Buf *out, size_t route, const HttpRouteCounts *n)
{
    for (size_t i = 0; i < HTTP_STATUSES_COUNTED; i++) {
        if (n->status[i]) {
            buf_c(out, "menkou_http_answers_total{");
            route_label(out, route);
            buf_printf(out, ",status=\"%s", HTTP_COUNTED_STATUS[i] ? "" : "other");
            if (HTTP_COUNTED_STATUS[i]) {
                buf_i64(out, HTTP_COUNTED_STATUS[i]);
            }
            buf_printf(out, "\"} %llu\n", (unsigned long long)n->status[i]);
        }
    }
}

static void route_seconds(Buf *out, size_t route, const HttpRouteCounts *n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i <= HTTP_BUCKETS; i++) {
        sum += n->bucket[i];
        buf_c(out, "menkou_http_seconds_bucket{");
        route_label(out, route);
        if (i < HTTP_BUCKETS) {
            buf_printf(out, ",le=\"%g\"} ", HTTP_BUCKET_US[i] / 1e6);
        } else {
            buf_c(out, ",le=\"+Inf\"} ");
        }
        buf_printf(out, "%llu\n", (unsigned long long)sum);
    }
    buf_c(out, "menkou_http_seconds_sum{");
    route_label(out, route);
    buf_printf(out, "} %.6f\nmenkou_http_seconds_count{", (double)n->sum_us / 1e6);
    route_label(out, route);
    buf_printf(out, "} %llu\n", (unsigned long long)sum);
}

static void routes_write(Buf *out, const HttpServer *http, bool seconds)
{
    for (size_t i = 0; i <= API_ROUTES_N; i++) {
        HttpRouteCounts n;
        uint64_t any = 0;
        http_server_route_counts(http, i, &n);
        for (size_t k = 0; k <= HTTP_BUCKETS; k++) {
            any += n.bucket[k];
        }
        if (any > 0) {
            (seconds ? route_seconds : route_requests)(out, i, &n);
        }
    }
}

static void server_metrics(Buf *out, const HttpServer *http)
{
    HttpCounts n = http_server_counts(http);
    metric(out, "http_requests_total", "counter", "Requests begun", n.requests);
    metric_head(out, "http_answers_total", "counter", "Answers by route and status");
    routes_write(out, http, false);
    metric_head(out, "http_seconds", "histogram", "From the request line to the answer");
    routes_write(out, http, true);
    metric(out, "http_refused_busy_total", "counter", "Requests answered 503", n.refused_busy);
    metric(out, "http_dropped_late_total", "counter", "Connections past a deadline",
           n.dropped_late);
    metric(out, "http_connections", "gauge", "Open connections", n.connections);
    metric(out, "http_queued", "gauge", "Requests waiting for a worker", n.queued);
    metric(out, "http_streams", "gauge", "Open event streams", n.streams);
}

/* Of the server's own search parameters: how many are usable, and how far the others are. */
static void params_metrics(ApiCall *c, Buf *out)
{
    static const char *const name[] = {"building", "ready", "faulty"};
    StoreParam *list;
    size_t n, count[3] = {0};
    uint64_t done = 0, total = 0;
    store_params_list(c->api->store, c->arena, &list, &n);
    for (size_t i = 0; i < n; i++) {
        bool building = list[i].state == STORE_PARAM_BUILDING;
        count[list[i].state]++;
        done += building ? list[i].done : 0;
        total += building ? list[i].total : 0;
    }
    metric_head(out, "search_parameters", "gauge", "SearchParameters in use, by state");
    for (size_t i = 0; i < 3; i++) {
        buf_printf(out, "menkou_search_parameters{state=\"%s\"} %zu\n", name[i], count[i]);
    }
    metric(out, "search_parameters_left", "gauge",
           "Resources still to be looked at for those being built", total - done);
}

Status api_metrics(ApiCall *c)
{
    uint64_t transactions;
    TRY(store_transactions(c->reader, &transactions, &c->err));
    Buf out;
    buf_init(&out, 0);
    server_metrics(&out, c->api->http);
    metric(&out, "log_transactions_total", "counter", "Transactions committed to the log",
           transactions);
    metric(&out, "log_seq", "counter", "Last sequence of the log", store_seq(c->api->store));
    params_metrics(c, &out);
    ApiDisk disk;
    if (api_disk(c->api, &disk)) {
        metric(&out, "disk_free_bytes", "gauge", "Bytes left where the data are", disk.free_bytes);
        metric(&out, "disk_low", "gauge", "1: less is left than the operator should allow",
               disk.low);
    }
    metric_head(&out, "build_info", "gauge", "The program's version");
    buf_printf(&out, "menkou_build_info{version=\"%s\"} 1\n", MK_VERSION);
    c->result = (ApiResult){.status = 200,
                            .body = buf_take(&out, c->arena),
                            .media = "text/plain; version=0.0.4; charset=utf-8"};
    return OK;
}

static void words_put(JsonWriter *w, const char *key, Str words)
{
    Str one;
    json_key_open(w, key, '[');
    while (words.n) {
        str_cut(words, ' ', &one, &words);
        json_put_str(w, one);
    }
    json_close(w, ']');
}

Status api_smart(ApiCall *c)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "authorization_endpoint", address_of(c, "/auth/authorize"));
    json_member_str(&w, "token_endpoint", address_of(c, "/auth/token"));
    words_put(&w, "token_endpoint_auth_methods_supported",
              STR("client_secret_basic client_secret_post"));
    words_put(&w, "grant_types_supported", STR("authorization_code client_credentials"));
    words_put(&w, "response_types_supported", STR("code"));
    words_put(&w, "code_challenge_methods_supported", STR("S256"));
    words_put(&w, "scopes_supported", app_scopes(c->arena));
    words_put(&w, "capabilities",
              STR("launch-standalone client-public client-confidential-symmetric "
                  "context-standalone-patient permission-patient permission-user permission-v2"));
    json_close(&w, '}');
    json_answer(c, &out);
    return OK;
}
