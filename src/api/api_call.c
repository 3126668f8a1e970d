/* What every handler asks of its call: language, addresses, the body, whose data is shown. */
#include "api_inner.h"

#define REQUEST_ID_MAX 64

#define BODY_SMALL  ((size_t)1 << 20)
#define BODY_FORM   ((size_t)256 << 10) /* a form still being filled */
#define BODY_FHIR   ((size_t)32 << 20)
#define BODY_BINARY ((size_t)64 << 20)
#define BODY_TABLE  ((size_t)64 << 20)

#define API_WHERE(flags) ((flags)&API_INLINE ? HTTP_INLINE : (flags)&API_BRIEF ? HTTP_BRIEF : 0)
#define ROUTE(methods, pattern, handler, flags, body, action)                                      \
    {methods,          pattern, api_enter,                                                         \
     API_WHERE(flags), body,    &(const ApiRoute){handler, flags, action}},
const HttpRoute API_ROUTES[] = {
#include "routes.def"
};
#undef ROUTE
const size_t API_ROUTES_N = sizeof API_ROUTES / sizeof *API_ROUTES;

/* ---- language, addresses, identifiers ------------------------------------------------------- */

Lang api_lang(Str accept_language)
{
    if (str_empty(str_trim(accept_language))) {
        return LANG_ZH;
    }
    static const char *const en[] = {"en", "en-US", "en-GB"}, *const zh[] = {"zh", "zh-CN"};
    int best_en = 0, best_zh = 0;
    for (size_t i = 0; i < sizeof en / sizeof *en; i++) {
        int q = http_accept_quality(accept_language, str_from_c(en[i]));
        best_en = q > best_en ? q : best_en;
    }
    for (size_t i = 0; i < sizeof zh / sizeof *zh; i++) {
        int q = http_accept_quality(accept_language, str_from_c(zh[i]));
        best_zh = q > best_zh ? q : best_zh;
    }
    return best_en > best_zh ? LANG_EN : LANG_ZH;
}

bool api_name_plain(Str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            c != '.') {
            return false;
        }
    }
    return s.n > 0 && s.n <= max;
}

static Str request_id_of(ApiCall *c)
{
    Str given = http_header(&c->http->request, "X-Request-Id");
    if (api_name_plain(given, REQUEST_ID_MAX)) {
        return given;
    }
    uint64_t r = random_u64(c->api->options.random);
    return arena_printf(c->arena, "%016llx", (unsigned long long)r);
}

static Str forwarded(ApiCall *c, const char *name)
{
    Str first = STR_NONE, rest;
    if (c->api->options.behind_proxy) {
        str_cut(http_header(&c->http->request, name), ',', &first, &rest);
    }
    return str_trim(first);
}

bool api_is_secure(ApiCall *c)
{
    return c->api->options.tls_cert != NULL || str_is(forwarded(c, "X-Forwarded-Proto"), "https");
}

/* A host that may stand in a link: letters, digits, . - : [ ] */
static bool host_ok(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' &&
            c != ':' && c != '[' && c != ']') {
            return false;
        }
    }
    return s.n > 0 && s.n <= 255;
}

Str api_base_url(ApiCall *c)
{
    Str host = forwarded(c, "X-Forwarded-Host");
    if (str_empty(host)) {
        host = http_header(&c->http->request, "Host");
    }
    if (!host_ok(host)) {
        return str_from_c(c->api->url);
    }
    return arena_cat(c->arena, api_is_secure(c) ? STR("https://") : STR("http://"), host);
}

Str api_etag(Arena *a, Str vid)
{
    return arena_cat(a, STR("W/\""), vid, STR("\""));
}

Str api_person(const ApiCall *c)
{
    return c->caller->practitioner.n ? c->caller->practitioner : c->caller->username;
}

Str api_pair(ApiCall *c, Str pairs, const char *name)
{
    Str key, value, decoded;
    while (http_next_pair(&pairs, &key, &value)) {
        if (str_is(key, name) && http_decode(c->arena, value, true, &decoded)) {
            return decoded;
        }
    }
    return STR_NONE;
}

Str api_query(ApiCall *c, const char *name)
{
    return api_pair(c, c->http->request.query, name);
}

/*
 * The same key must come with the same request: method, path and body count. Inside of the process
 * nobody makes up two bodies with one hash, and files are large.
 */
Sha256 api_body_sha(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    uint64_t short_one = c->inside ? hash_sip((HashKey){0, r->body.n}, r->body.p, r->body.n) : 0;
    Str body = c->inside ? (Str){(const char *)&short_one, sizeof short_one} : r->body;
    Str parts[] = {r->method_name, STR(" "), r->path, STR("\n"), body};
    if (c->sha_of != c->http) {
        c->body_sha = sha256_parts(parts, sizeof parts / sizeof *parts);
        c->sha_of = c->http;
    }
    return c->body_sha;
}

/* ---- whose data an answer shows
 * ------------------------------------------------------------------ */

void api_touch(ApiCall *c, Str patient_id)
{
    for (size_t i = 0; i < c->patients_n; i++) {
        if (str_eq(c->patients[i], patient_id)) {
            return;
        }
    }
    if (c->patients_n == c->patients_room) {
        size_t room = c->patients_room ? c->patients_room * 2 : 8;
        Str *more = arena_array(c->arena, Str, room);
        if (c->patients_n) {
            memcpy(more, c->patients, c->patients_n * sizeof *more);
        }
        c->patients = more;
        c->patients_room = room;
    }
    c->patients[c->patients_n++] = patient_id;
}

void api_touch_version(ApiCall *c, const StoreVersion *v)
{
    for (size_t i = 0; i < v->patients_n; i++) {
        api_touch(c, v->patients[i]);
    }
}

Status api_type_known(ApiCall *c, Str type, Err *err)
{
    (void)c;
    if (fhir_resource_find(type)) {
        return OK;
    }
    return err_add(err, ERR_NOT_FOUND, "not-supported", STR_NONE, "没有名为“%.*s”的资源类型",
                   "There is no resource type '%.*s'", STR_ARG(type));
}

void api_result_version(ApiCall *c, int status, const StoreVersion *v, ApiResult *ret)
{
    *ret = (ApiResult){.status = status, .body = v->body, .modified_ms = v->at_ms};
    ret->etag = api_etag(c->arena, v->vid);
    api_touch_version(c, v);
}

/* ---- answers
 * -------------------------------------------------------------------------------------------- */

static void header_common(ApiCall *c)
{
    http_set_header(c->http, "X-Request-Id", c->request_id);
    http_set_header(c->http, "X-Content-Type-Options", STR("nosniff"));
}

static Str retry_after(ApiCall *c, const Err *err)
{
    return arena_printf(c->arena, "%d", err->retry_after_s > 0 ? err->retry_after_s : 1);
}

static void outcome_answer(ApiCall *c, const Err *err)
{
    HttpResponse *r = &c->http->response;
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_beside(&out, err, c->lang, err == &c->err ? c->beside : NULL);
    r->status = status_http(err->status);
    r->stream = NULL;
    header_common(c);
    r->body = api_form_body(c, buf_take(&out, c->arena));
    http_set_header(c->http, "Cache-Control", STR("no-store"));
    if (r->status == 401) {
        http_set_header(c->http, "WWW-Authenticate", STR("Bearer realm=\"menkou\""));
    } else if (r->status == 429 || r->status == 503) {
        http_set_header(c->http, "Retry-After", retry_after(c, err));
    }
}

static void result_answer(ApiCall *c)
{
    const ApiResult *r = &c->result;
    HttpResponse *out = &c->http->response;
    out->status = r->status;
    out->body = r->body;
    out->stream = r->stream;
    header_common(c);
    if (r->media && (r->body.n || r->stream)) {
        http_set_header(c->http, "Content-Type", str_from_c(r->media));
    } else if (r->body.n) {
        out->body = api_form_body(c, r->body);
    }
    if (r->etag.n) {
        http_set_header(c->http, "ETag", r->etag);
    }
    if (r->location.n) {
        http_set_header(c->http, "Location", r->location);
    }
    if (r->modified_ms) {
        http_set_header(c->http, "Last-Modified", http_date(c->arena, r->modified_ms));
    }
    bool cached = false;
    for (unsigned i = 0; i < out->header_n; i++) {
        cached = cached || str_is(out->header[i].name, "Cache-Control");
    }
    if (!cached) {
        http_set_header(c->http, "Cache-Control", STR("no-store"));
    }
    api_form_pack(c);
}

/* ---- the gate: who calls, and may the body come in
 * ---------------------------------------------------------- */

ApiCall *api_call_new(HttpCall *call)
{
    ApiCall *c = arena_new(call->arena, ApiCall);
    c->api = call->app;
    c->http = call;
    c->arena = call->arena;
    c->reader = call->thread;
    err_init(&c->err, c->arena);
    c->lang = api_lang(http_header(&call->request, "Accept-Language"));
    c->request_id = request_id_of(c);
    call->user = c;
    return c;
}

static Str token_of(ApiCall *c, bool *ret_cookie)
{
    const HttpRequest *r = &c->http->request;
    Str header = str_trim(http_header(r, "Authorization"));
    *ret_cookie = false;
    if (header.n > 7 && str_eq_nocase(str_take(header, 7), STR("Bearer "))) {
        return str_trim(str_skip(header, 7));
    }
    *ret_cookie = true;
    return http_cookie(r, "menkou");
}

static Status caller_find(ApiCall *c)
{
    bool by_cookie;
    Str token = token_of(c, &by_cookie);
    if (str_empty(token)) {
        return err_status(&c->err, ERR_UNAUTHORIZED);
    }
    c->token = token;
    AccessCaller *caller = arena_new(c->arena, AccessCaller);
    TRY(access_caller(c->api->access, c->reader, c->arena, token, caller, &c->err));
    caller->by_cookie = by_cookie;
    caller->lang = c->lang;
    Str proxied = forwarded(c, "X-Forwarded-For");
    caller->address = proxied.n ? proxied : c->http->request.address;
    caller->request_id = c->request_id;
    caller->view.now_ms = clock_now(c->api->options.clock);
    c->caller = caller;
    bool reads = c->http->request.method & (HTTP_GET | HTTP_HEAD);
    if (by_cookie && !reads && !str_is(http_header(&c->http->request, "X-Menkou"), "1")) {
        return err_rule(&c->err, ERR_FORBIDDEN, STR("x-menkou"), STR_NONE,
                        "浏览器会话的写入请求须带请求头 X-Menkou: 1",
                        "A write with the browser's session needs the header X-Menkou: 1");
    }
    return OK;
}

/* An app's place is the FHIR API: what it may there is decided by its scopes. */
static Status app_check(ApiCall *c, const ApiRoute *route)
{
    if (str_empty(c->caller->app) || route->flags & API_APP) {
        return OK;
    }
    return err_rule(&c->err, ERR_FORBIDDEN, STR("app-scope"), STR_NONE,
                    "应用不能使用此功能，请本人登录后使用",
                    "This is not for apps: log in yourself");
}

static Status gate_check(ApiCall *c, const ApiRoute *route)
{
    c->also_r5 = route->flags & API_ALSO_R5;
    bool served = route->flags & API_ANY_MEDIA || api_form_choose(c);
    if (!(route->flags & API_PUBLIC)) {
        TRY(caller_find(c));
        TRY(app_check(c, route));
    }
    if (!served) {
        return api_form_refuse(c);
    }
    return route->flags & API_ANY_MEDIA ? OK : api_form_check(c);
}

Status api_audit(ApiCall *c, const char *action, int status, Err *err)
{
    const HttpRequest *r = &c->http->request;
    AccessAudit record = {.caller = c->caller,
                          .action = action,
                          .what = c->what.n ? c->what : r->path,
                          .patients = c->patients,
                          .patients_n = c->patients_n,
                          .http_status = status};
    return access_audit(c->api->access, &record, c->changed, err);
}

/* Each visit that was registered says whose record it opened; entries of a batch that failed do
 * not. */
static Status visits_audit(ApiCall *c, Err *err)
{
    for (const ApiVisit *v = c->changed ? c->visits : NULL; v; v = v->next) {
        StoreVersion made;
        Str id = str_skip(v->encounter, strlen("Encounter/"));
        if (store_read(c->reader, c->arena, &STORE_VIEW_ALL, STR("Encounter"), id, &made, NULL) !=
            OK) {
            continue;
        }
        AccessAudit record = {.caller = c->caller,
                              .action = "visit",
                              .what = v->encounter,
                              .patients = v->patients,
                              .patients_n = v->patients_n,
                              .http_status = 201};
        TRY(access_audit(c->api->access, &record, true, err));
    }
    return OK;
}

static Status audit_write(ApiCall *c, const ApiRoute *route, int status)
{
    Err err;
    err_init(&err, c->arena);
    Status done = visits_audit(c, &err);
    if (done == OK) {
        done = api_audit(c, route->action, status, &err);
    }
    if (done != OK) {
        memset(&c->http->response, 0, sizeof c->http->response);
        outcome_answer(c, &err);
    }
    return done;
}

static void call_refuse(ApiCall *c, const ApiRoute *route)
{
    if (!(route->flags & API_QUIET) && audit_write(c, route, status_http(c->err.status)) != OK) {
        return;
    }
    outcome_answer(c, &c->err);
}

/* What could not be read decides nothing: no "not found", no page without what was not seen. */
static Status reads_check(ApiCall *c, Status status)
{
    bool said = status_http(status) >= 500 || c->changed || c->http->response.stream;
    Err err;
    err_init(&err, c->arena);
    Status trouble = said ? OK : store_reader_trouble(c->reader, &err);
    if (trouble == OK) {
        return status;
    }
    err_clear(&c->err);
    return err_move(&c->err, &err, STR_NONE);
}

bool api_gate(HttpCall *call)
{
    ApiCall *c = api_call_new(call);
    const ApiRoute *route = call->request.route->data;
    store_reader_calm(c->reader);
    if (reads_check(c, gate_check(c, route)) == OK) {
        return true;
    }
    call_refuse(c, route);
    return false;
}

void api_refuse(HttpCall *call, const Err *err)
{
    outcome_answer(call->user ? call->user : api_call_new(call), err);
}

/* A request that ran into its memory's cap must not answer with half of what it has. */
static Status memory_check(ApiCall *c)
{
    if (!arena_exhausted(c->arena) || c->changed) {
        return OK;
    }
    err_clear(&c->err);
    return err_add(&c->err, ERR_TOO_LARGE, "too-costly", STR_NONE,
                   "此请求所需内存超过上限，请缩小范围",
                   "The request needs more memory than is allowed; ask for less");
}

void api_enter(HttpCall *call)
{
    ApiCall *c = call->user;
    const ApiRoute *route = call->request.route->data;
    c->reader = call->thread;
    store_reader_calm(c->reader);
    Status status = reads_check(c, route->run(c));
    if (c->defines && c->changed) {
        api_profiles_forget(c->api->profiles);
    }
    if (call->later) {
        err_clear(&c->err);
        return;
    }
    if (status == OK) {
        status = memory_check(c);
    }
    if (status != OK) {
        call_refuse(c, route);
        return;
    }
    if (route->flags & API_QUIET || audit_write(c, route, c->result.status) == OK) {
        api_ignored_tell(c);
        result_answer(c);
    }
}

Status api_nothing(ApiCall *c)
{
    return err_status(&c->err, ERR_NOT_FOUND);
}
