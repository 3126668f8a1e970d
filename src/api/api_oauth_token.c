/* /auth/token: a code, or an integrator's name and password, for a token (RFC 6749, 4.1.3, 4.4). */
#include "api_oauth.h"

typedef struct Grant {
    Str type, client, secret;
    bool by_header; /* the client said who it is by Authorization: Basic */
    AccessLogin login;
    AppConsent consent;
    AppScope scope;
    const char *fault; /* RFC 6749, 5.2 */
} Grant;

/* ---- who asks ------------------------------------------------------------------------------ */

static bool basic_read(ApiCall *c, Grant *g)
{
    Str header = str_trim(http_header(&c->http->request, "Authorization")), text, id, secret;
    if (header.n <= 6 || !str_eq_nocase(str_take(header, 6), STR("Basic "))) {
        return false;
    }
    g->by_header = true;
    return base64_decode(c->arena, str_trim(str_skip(header, 6)), false, &text) &&
           str_cut(text, ':', &id, &secret) && http_decode(c->arena, id, true, &g->client) &&
           http_decode(c->arena, secret, true, &g->secret);
}

static void client_read(ApiCall *c, Str body, Grant *g)
{
    if (!basic_read(c, g)) {
        g->client = api_pair(c, body, "client_id");
        g->secret = api_pair(c, body, "client_secret");
    }
}

/* ---- grants -------------------------------------------------------------------------------- */

static Status code_grant(ApiCall *c, Str body, Grant *g, Err *err)
{
    AccessApp app;
    g->fault = "invalid_client";
    if (!access_app_find(c->reader, c->arena, g->client, &app) ||
        (app.secret_sha.n && !access_app_secret_fits(&app, g->secret))) {
        return err_status(err, ERR_UNAUTHORIZED);
    }
    g->fault = "invalid_grant";
    TRY(access_app_token(c->api->access, c->reader, c->arena, api_pair(c, body, "code"), app.id,
                         api_pair(c, body, "redirect_uri"), api_pair(c, body, "code_verifier"),
                         &g->login, &g->consent, err));
    g->scope = app_scope_of(c->arena, g->consent.scope, app.scope);
    return OK;
}

/* An integrator by its own account: wrong passwords count as at the log-in. */
static Status client_grant(ApiCall *c, Str body, Grant *g, Err *err)
{
    Access *x = c->api->access;
    Str asked = api_pair(c, body, "scope"), address = c->http->request.address;
    Str most = STR("system/*.cruds");
    AccessCaller caller;
    g->fault = "invalid_client";
    TRY(access_identify(x, c->reader, c->arena, g->client, g->secret, STR_NONE, address, &caller,
                        err));
    g->fault = "unauthorized_client";
    if (!caller.integrator) {
        return err_add(err, ERR_INVALID, NULL, STR("client_id"),
                       "仅对接系统账号可用 client_credentials",
                       "client_credentials is for the accounts of other systems alone");
    }
    g->fault = "invalid_scope";
    g->scope = app_scope_of(c->arena, asked.n ? asked : most, most);
    if (!g->scope.system) {
        return err_add(err, ERR_INVALID, NULL, STR("scope"), "可用：system/*.cruds、system/*.rs",
                       "There are: system/*.cruds, system/*.rs");
    }
    return access_app_system(x, c->arena, &caller, &g->scope, &g->login, err);
}

static Status grant_make(ApiCall *c, Str body, Grant *g, Err *err)
{
    TRY(access_audit_ready(c->api->access, err));
    if (str_is(g->type, "authorization_code")) {
        return code_grant(c, body, g, err);
    }
    if (str_is(g->type, "client_credentials")) {
        return client_grant(c, body, g, err);
    }
    g->fault = g->type.n ? "unsupported_grant_type" : "invalid_request";
    return err_add(err, ERR_INVALID, NULL, STR("grant_type"),
                   "grant_type 应为 authorization_code 或 client_credentials",
                   "grant_type must be authorization_code or client_credentials");
}

/* ---- answers ------------------------------------------------------------------------------- */

static void fault_answer(ApiCall *c, const Grant *g, const Err *err)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    bool client = strcmp(g->fault, "invalid_client") == 0;
    json_member_c(&w, "error", g->fault);
    json_member_str(&w, "error_description", err->first ? err->first->en : STR_NONE);
    json_close(&w, '}');
    if (client && g->by_header) {
        http_set_header(c->http, "WWW-Authenticate", STR("Basic realm=\"menkou\""));
    }
    api_json_answer(c, client ? 401 : 400, &out);
}

static void token_answer(ApiCall *c, const Grant *g)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "access_token", g->login.token);
    json_member_c(&w, "token_type", "Bearer");
    json_member_i64(&w, "expires_in", g->login.expires_in_s);
    json_member_str(&w, "scope", g->scope.text);
    json_member_str(&w, "patient", g->consent.patient);
    json_close(&w, '}');
    http_set_header(c->http, "Pragma", STR("no-cache"));
    api_json_answer(c, 200, &out);
}

Status api_token(ApiCall *c)
{
    Str media = http_media(c->arena, http_header(&c->http->request, "Content-Type"));
    Str body = c->http->request.body;
    Grant g = {.fault = "invalid_request"};
    if (!str_is(media, "application/x-www-form-urlencoded")) {
        return err_status(&c->err, ERR_MEDIA);
    }
    g.type = api_pair(c, body, "grant_type");
    client_read(c, body, &g);
    Status status = grant_make(c, body, &g, &c->err);
    if (status == OK) {
        g.login.caller.request_id = c->request_id;
        g.login.caller.address = c->http->request.address;
        c->caller = &g.login.caller;
        c->changed = true;
    }
    /* What was said to be a name may be a secret: it is kept out of the record. */
    c->what = status == OK ? arena_cat(c->arena, STR("token "), g.client) : STR("token refused");
    TRY(api_audit(c, "E", status == OK ? 200 : status_http(status), &c->err));
    c->caller = NULL; /* `g` ends with this function */
    if (status == OK) {
        token_answer(c, &g);
        return OK;
    }
    if (status == ERR_TOO_MANY || status_http(status) >= 500) {
        return status;
    }
    fault_answer(c, &g, &c->err);
    return OK;
}
