/*
 * Entries of bundles that ask: answered by the route that the request alone would take, with the
 * caller's rights and into the audit record of the whole.
 */
#include "api_inner.h"

/* What an entry may ask: FHIR that only reads, at once. Long work, bytes and acts are not. */
static bool route_answers(const HttpRoute *route, Str path)
{
    const ApiRoute *r = route->data;
    return str_starts(path, STR("/fhir")) && str_is(str_from_c(r->action), "R") &&
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

Status api_entry_ask(ApiCall *c, const JsonDoc *doc, const FhirEntry *e, ApiResult *ret, Err *err)
{
    HttpCall http;
    ApiCall sub = *c;
    unsigned allowed;
    request_fill(c, doc, e, &http);
    const HttpRoute *route =
        http_route_find(API_ROUTES, API_ROUTES_N, c->arena, &http.request, &allowed);
    if (!route || !route_answers(route, http.request.path)) {
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
