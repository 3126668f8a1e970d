/*
 * Entries of bundles: those that ask are answered by the route that the request alone would take,
 * with the caller's rights and into the audit record of the whole; and how each is answered.
 */
#include "api_inner.h"

/* What an entry may ask: FHIR that only reads, at once, and is for who asks. Long work, bytes and
 * acts are not. */
static bool route_answers(const ApiCall *c, const HttpRoute *route, Str path)
{
    const ApiRoute *r = route->data;
    bool for_caller = str_empty(c->caller->app) || r->flags & API_APP;
    return for_caller && str_starts(path, STR("/fhir")) && str_is(str_from_c(r->action), "R") &&
           !(r->flags & API_ANY_MEDIA) && r->run != api_nothing;
}

/* The address below /fhir, whatever base it was written with. */
static Str entry_path(Arena *a, const FhirEntry *e)
{
    Str tail = e->type;
    if (e->id.n) {
        tail = arena_cat(a, tail, STR("/"), e->id);
    }
    if (e->operation.n) {
        tail = arena_cat(a, tail, tail.n ? STR("/") : STR_NONE, e->operation);
    }
    return arena_cat(a, STR("/fhir/"), tail);
}

static void request_fill(ApiCall *c, const JsonDoc *doc, const FhirEntry *e, HttpCall *sub)
{
    HttpRequest *r = &sub->request;
    HttpPair *header = arena_array(c->arena, HttpPair, c->http->request.header_n + 1);
    *sub = *c->http;
    memset(&sub->response, 0, sizeof sub->response);
    r->method = e->method == FHIR_METHOD_POST ? HTTP_POST : HTTP_GET;
    r->method_name = str_from_c(fhir_method_name(e->method));
    r->path = entry_path(c->arena, e);
    r->query = e->query;
    r->body = e->resource == JSON_NONE ? STR_NONE : json_raw(doc, e->resource);
    /* The first of a name counts; links need the Host. */
    header[0] = (HttpPair){STR("Content-Type"), STR("application/fhir+json")};
    memcpy(header + 1, r->header, r->header_n * sizeof *header);
    r->header = header;
    r->header_n++;
    sub->brief = false;
}

static Status entry_ask(ApiCall *c, const JsonDoc *doc, const FhirEntry *e, ApiResult *ret,
                        Err *err)
{
    HttpCall http;
    ApiCall sub = *c;
    unsigned allowed;
    request_fill(c, doc, e, &http);
    const HttpRoute *route =
        http_route_find(API_ROUTES, API_ROUTES_N, c->arena, &http.request, &allowed);
    if (!route || !route_answers(c, route, http.request.path)) {
        return err_add(err, ERR_INVALID, "not-supported", STR_NONE, "包中不支持“%s %.*s”",
                       "'%s %.*s' is not served inside a bundle", fhir_method_name(e->method),
                       STR_ARG(e->url));
    }
    http.request.route = route;
    sub.http = &http;
    sub.result = (ApiResult){0};
    err_init(&sub.err, c->arena);
    Status status = ((const ApiRoute *)route->data)->run(&sub);
    c->patients = sub.patients;
    c->patients_n = sub.patients_n;
    c->patients_room = sub.patients_room;
    if (status != OK) {
        return err_move(err, &sub.err, STR_NONE);
    }
    *ret = sub.result;
    return OK;
}

static bool is_version_path(Str operation, Str *ret_vid)
{
    if (!str_starts(operation, STR("_history/"))) {
        return false;
    }
    *ret_vid = str_skip(operation, strlen("_history/"));
    return ret_vid->n > 0;
}

/* ifModifiedSince is an instant; ifNoneMatch goes before it. */
static void entry_unmodified(const ApiCall *c, const FhirEntry *e, ApiResult *ret)
{
    int64_t since;
    bool same = e->if_none_match.n
                    ? http_etag_listed(e->if_none_match, ret->etag)
                    : time_parse(e->if_modified_since, c->api->options.zone_min, &since) &&
                          ret->modified_ms <= since;
    if (same) {
        ret->status = 304;
        ret->body = STR_NONE;
    }
}

Status api_entry_read(ApiCall *c, const JsonDoc *doc, const FhirEntry *e, ApiResult *ret, Err *err)
{
    Str vid = STR_NONE;
    c->ignored_n = 0; /* each entry tells of its own */
    if (e->type.n && e->id.n && (str_empty(e->operation) || is_version_path(e->operation, &vid))) {
        TRY(e->query.n ? entry_ask(c, doc, e, ret, err)
                       : api_read_one(c, e->type, e->id, vid, ret, err));
        entry_unmodified(c, e, ret);
        return OK;
    }
    if (e->type.n && str_empty(e->id) && str_empty(e->operation) && e->method != FHIR_METHOD_POST) {
        return api_search_page(c, e->type, e->query, ret, err);
    }
    return entry_ask(c, doc, e, ret, err);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {{200, "OK"},
                 {201, "Created"},
                 {204, "No Content"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {412, "Precondition Failed"},
                 {422, "Unprocessable Entity"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].status == status) {
            return known[i].text;
        }
    }
    return "Error";
}

static void response_write(ApiCall *c, JsonWriter *w, const ApiResult *r, const Err *failed)
{
    int status = failed ? status_http(failed->status) : r->status;
    json_key_open(w, "response", '{');
    json_member_str(w, "status", arena_printf(c->arena, "%d %s", status, reason(status)));
    if (failed) {
        Buf out;
        buf_init(&out, 0);
        fhir_outcome_write(&out, failed, c->lang);
        json_key(w, "outcome");
        json_put_raw(w, buf_str(&out));
        buf_done(&out);
    } else {
        json_member_str(w, "location", r->location);
        json_member_str(w, "etag", r->etag);
        if (r->modified_ms) {
            json_member_str(w, "lastModified",
                            time_iso(c->arena, r->modified_ms, c->api->options.zone_min));
        }
    }
    json_close(w, '}');
}

void api_entry_answer(ApiCall *c, JsonWriter *w, const ApiResult *r, const Err *failed)
{
    json_open(w, '{');
    if (!failed && r->body.n) {
        json_key(w, "resource");
        json_put_raw(w, r->body);
    }
    response_write(c, w, r, failed);
    json_close(w, '}');
}

JsonWriter api_entries_begin(Buf *out, const char *type, uint32_t entries)
{
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "Bundle");
    json_member_c(&w, "type", type);
    if (entries) { /* R4 has no empty lists */
        json_key_open(&w, "entry", '[');
    }
    return w;
}

void api_entries_end(ApiCall *c, Buf *out, JsonWriter *w, uint32_t entries)
{
    if (entries) {
        json_close(w, ']');
    }
    json_close(w, '}');
    c->ignored_n = 0; /* the entries have told */
    c->result = (ApiResult){.status = 200, .body = buf_take(out, c->arena)};
}
