/* Requests without a network: the same routes, checks, commits and audit as over HTTP. */
#include "api_inner.h"

#include <stdlib.h>

#include "mk_banned.h"

struct ApiLocal {
    Api *api;
    StoreReader *reader;
    const AccessCaller *as;
};

Status api_local_open(Api *api, const AccessCaller *as, ApiLocal **ret, Err *err)
{
    ApiLocal *l = memory_take_zeroed(sizeof *l);
    l->api = api;
    l->as = as;
    Status status = store_reader_open(api->store, &l->reader, err);
    if (status != OK) {
        free(l);
        return status;
    }
    *ret = l;
    return OK;
}

void api_local_close(ApiLocal *l)
{
    store_reader_close(l->reader);
    free(l);
}

/* Who may everything, under the name of who asked for it. */
static AccessCaller caller_of(const ApiLocal *l)
{
    AccessCaller caller = access_system(l->api->store);
    caller.address = STR("local");
    if (l->as) {
        caller.username = l->as->username;
        caller.name = l->as->name;
        caller.practitioner = l->as->practitioner;
        caller.post = l->as->post;
        caller.address = l->as->address;
    }
    return caller;
}

static HttpMethod method_of(const char *name)
{
    return strcmp(name, "POST") == 0 ? HTTP_POST : strcmp(name, "PUT") == 0 ? HTTP_PUT : HTTP_GET;
}

/* parsed: of the body; NULL: it is still to be read. */
static int request_run(ApiLocal *l, Arena *a, const char *method, Str path, Str key, Str body,
                       const JsonDoc *parsed, Str *ret_body)
{
    HttpPair header[] = {{STR("Content-Type"), STR("application/fhir+json")},
                         {STR("Prefer"), STR("return=minimal")},
                         {STR("Idempotency-Key"), key}};
    HttpCall call = {.arena = a, .app = l->api, .thread = l->reader};
    Str query;
    str_cut(path, '?', &path, &query);
    call.request = (HttpRequest){.method = method_of(method),
                                 .method_name = str_from_c(method),
                                 .path = path,
                                 .query = query,
                                 .address = STR("local"),
                                 .header = header,
                                 .header_n = str_empty(key) ? 2 : 3,
                                 .body = body};
    unsigned allowed;
    call.request.route = http_route_find(API_ROUTES, API_ROUTES_N, a, &call.request, &allowed);
    mk_check(call.request.route != NULL);
    ApiCall *c = api_call_new(&call);
    c->inside = true;
    c->parsed = parsed;
    c->caller = arena_new(a, AccessCaller);
    *c->caller = caller_of(l);
    c->caller->request_id = c->request_id;
    api_enter(&call);
    *ret_body = call.response.body;
    return call.response.status;
}

int api_local_call(ApiLocal *l, Arena *a, const char *method, Str path, Str key, Str body,
                   Str *ret_body)
{
    return request_run(l, a, method, path, key, body, NULL, ret_body);
}

int api_local_send(ApiLocal *l, Arena *a, const char *method, Str path, Str key,
                   const JsonDoc *body, Str *ret_body)
{
    return request_run(l, a, method, path, key, body->bytes, body, ret_body);
}
