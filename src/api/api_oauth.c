/* /auth/authorize: what the app asks, who the person is, and back to the app with a code. */
#include "api_oauth.h"

#define CHALLENGE_BYTES 43 /* of S256 in base64url */
#define STATE_BYTES_MAX 2048

/* ---- the request --------------------------------------------------------------------------- */

static OauthAsk ask_read(ApiCall *c, Str text)
{
    return (OauthAsk){.response_type = api_pair(c, text, "response_type"),
                      .client_id = api_pair(c, text, "client_id"),
                      .redirect_uri = api_pair(c, text, "redirect_uri"),
                      .scope = api_pair(c, text, "scope"),
                      .state = api_pair(c, text, "state"),
                      .aud = api_pair(c, text, "aud"),
                      .code_challenge = api_pair(c, text, "code_challenge"),
                      .code_challenge_method = api_pair(c, text, "code_challenge_method"),
                      .username = str_trim(api_pair(c, text, "username")),
                      .password = api_pair(c, text, "password"),
                      .otp = str_trim(api_pair(c, text, "otp")),
                      .patient = str_trim(api_pair(c, text, "patient")),
                      .decision = api_pair(c, text, "decision")};
}

static bool redirect_known(const OauthAsk *ask)
{
    for (size_t i = 0; i < ask->app.redirect_n; i++) {
        if (str_eq(ask->app.redirect[i], ask->redirect_uri)) {
            return true;
        }
    }
    return false;
}

/* Back to the app: one parameter, and its state. */
static void redirect_answer(ApiCall *c, const OauthAsk *ask, const char *name, Str value)
{
    Buf url;
    buf_init(&url, 0);
    buf_add(&url, ask->redirect_uri);
    buf_printf(&url, "%c%s=", str_find_char(ask->redirect_uri, '?') < 0 ? '?' : '&', name);
    buf_url(&url, value);
    if (ask->state.n) {
        buf_c(&url, "&state=");
        buf_url(&url, ask->state);
    }
    http_set_header(c->http, "Referrer-Policy", STR("no-referrer"));
    c->result = (ApiResult){.status = 303, .location = buf_take(&url, c->arena)};
}

/* The server's own address, where an app says whose data it wants. */
static bool aud_fits(ApiCall *c, Str aud)
{
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir"));
    return str_empty(aud) || str_eq(str_ends(aud, STR("/")) ? str_take(aud, aud.n - 1) : aud, base);
}

/* RFC 6749, 4.1.2.1; NULL: it may be asked. */
static const char *ask_fault(ApiCall *c, OauthAsk *ask)
{
    ask->granted = app_scope_of(c->arena, ask->scope, ask->app.scope);
    return !str_is(ask->response_type, "code")           ? "unsupported_response_type"
           : !str_is(ask->code_challenge_method, "S256") ? "invalid_request"
           : ask->code_challenge.n != CHALLENGE_BYTES    ? "invalid_request"
           : ask->state.n > STATE_BYTES_MAX              ? "invalid_request"
           : !aud_fits(c, ask->aud)                      ? "invalid_request"
           : !ask->granted.patient && !ask->granted.user ? "invalid_scope"
                                                         : NULL;
}

/* True when the person may be asked; else c->result is there. */
static bool ask_good(ApiCall *c, OauthAsk *ask)
{
    if (!access_app_find(c->reader, c->arena, ask->client_id, &ask->app) || !redirect_known(ask)) {
        oauth_page_refused(
            c, "应用（client_id）未登记，或返回地址（redirect_uri）不是它登记过的。",
            "The app (client_id) is not registered, or this is no redirect_uri of it.");
        return false;
    }
    const char *fault = ask_fault(c, ask);
    if (fault) {
        redirect_answer(c, ask, "error", str_from_c(fault));
    }
    return !fault;
}

/* ---- the person ---------------------------------------------------------------------------- */

/* By card number or id, among those whom the person sees. */
static Status patient_find(ApiCall *c, const AccessCaller *person, Str text, Str *ret, Err *err)
{
    const StoreHit *hit;
    StoreVersion v;
    size_t n = 0;
    bool by_id =
        store_read(c->reader, c->arena, &person->view, STR("Patient"), text, &v, NULL) == OK;
    if (text.n && !by_id) {
        Buf query;
        buf_init(&query, 0);
        buf_c(&query, "identifier=");
        buf_url(&query, text);
        TRY(store_find(c->reader, c->arena, &person->view, STR("Patient"),
                       buf_take(&query, c->arena), 2, &hit, &n, err));
    }
    if (!by_id && n != 1) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR("patient"),
                       "没有找到这位患者：请填写您能查看的一位患者的身份证号或编号",
                       "No such patient: give the ID card number or id of one whom you may see");
    }
    *ret = by_id ? v.id : hit[0].id;
    api_touch(c, *ret);
    return OK;
}

static Status consent_make(ApiCall *c, const OauthAsk *ask, AccessCaller *person, Str *ret,
                           Err *err)
{
    Access *x = c->api->access;
    AppConsent consent = {.app = ask->app.id,
                          .redirect = ask->redirect_uri,
                          .challenge = ask->code_challenge,
                          .scope = ask->granted.text};
    TRY(access_identify(x, c->reader, c->arena, ask->username, ask->password, ask->otp,
                        c->http->request.address, person, err));
    person->request_id = c->request_id;
    person->address = c->http->request.address;
    c->caller = person;
    if (ask->granted.patient) {
        TRY(patient_find(c, person, ask->patient, &consent.patient, err));
    }
    TRY(access_audit_ready(x, err));
    TRY(access_app_code(x, c->arena, person, &consent, ret, err));
    c->changed = true;
    return OK;
}

Status api_authorize(ApiCall *c)
{
    OauthAsk ask = ask_read(c, c->http->request.query);
    if (ask_good(c, &ask)) {
        oauth_page(c, &ask, 200, NULL);
    }
    return OK;
}

Status api_authorize_answer(ApiCall *c)
{
    Str media = http_media(c->arena, http_header(&c->http->request, "Content-Type")), code;
    if (!str_is(media, "application/x-www-form-urlencoded")) {
        return err_status(&c->err, ERR_MEDIA);
    }
    OauthAsk ask = ask_read(c, c->http->request.body);
    if (!ask_good(c, &ask)) {
        return OK;
    }
    if (!str_is(ask.decision, "allow")) {
        redirect_answer(c, &ask, "error", STR("access_denied"));
        return OK;
    }
    AccessCaller person;
    Status status = consent_make(c, &ask, &person, &code, &c->err);
    c->what = arena_cat(c->arena, STR("authorize "), ask.app.id);
    TRY(api_audit(c, "E", status == OK ? 303 : status_http(status), &c->err));
    c->caller = NULL; /* `person` ends with this function */
    if (status == ERR_TOO_MANY || status_http(status) >= 500) {
        return status;
    }
    if (status != OK) {
        oauth_page(c, &ask, status_http(status), &c->err);
        return OK;
    }
    redirect_answer(c, &ask, "code", code);
    return OK;
}
