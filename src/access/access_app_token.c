/* From a person's consent to the app's session, and what the session may. */
#include "access_app.h"

#include <sodium.h>

#include "access_inner.h"

#include "mk_banned.h"

#define APP_GRANTEE        "urn:menkou:app:" /* and the digest of the session's token */
#define VERIFIER_BYTES_MIN 43                /* RFC 7636, 4.1 */
#define VERIFIER_BYTES_MAX 128

/* ---- what a session keeps of it ------------------------------------------------------------ */

static Str consent_text(Arena *a, const AppConsent *c)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "app", c->app);
    json_member_str(&w, "scope", c->scope);
    json_member_str(&w, "patient", c->patient);
    json_member_str(&w, "redirect_uri", c->redirect);
    json_member_str(&w, "challenge", c->challenge);
    return json_end(&w, '}', a);
}

static Status consent_read(Arena *a, Str text, AppConsent *ret, Err *err)
{
    JsonDoc d;
    TRY(json_parse(a, text, &JSON_LIMITS_FHIR, &d, err));
    *ret = (AppConsent){.app = json_str_at(&d, JSON_ROOT, "app"),
                        .scope = json_str_at(&d, JSON_ROOT, "scope"),
                        .patient = json_str_at(&d, JSON_ROOT, "patient"),
                        .redirect = json_str_at(&d, JSON_ROOT, "redirect_uri"),
                        .challenge = json_str_at(&d, JSON_ROOT, "challenge")};
    return OK;
}

/* ---- codes --------------------------------------------------------------------------------- */

/* Not what the code would be as a token: a code opens nothing by itself. */
static Str code_sha(Arena *a, Str code)
{
    return access_token_sha(a, arena_cat(a, STR("code\n"), code));
}

Status access_app_code(Access *x, Arena *a, const AccessCaller *person, const AppConsent *consent,
                       Str *ret, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    Str code = access_token_make(x, a);
    StoreSession session = {.token_sha = code_sha(a, code),
                            .username = person->username,
                            .post = person->post.post,
                            .created_ms = now_ms,
                            .seen_ms = now_ms,
                            .expires_ms = now_ms + access_param(ACCESS_APP_CODE_MS, now_ms),
                            .app = consent_text(a, consent)};
    TRY(access_settled(person, err));
    TRY(store_session_put(x->store, &session, err));
    *ret = code;
    return OK;
}

/* RFC 7636: BASE64URL(SHA256(verifier)) is the challenge. */
static bool verifier_fits(Arena *a, Str verifier, Str challenge)
{
    Sha256 sum = sha256(verifier);
    Str made = base64_encode(a, (Str){(const char *)sum.b, sizeof sum.b}, true);
    return verifier.n >= VERIFIER_BYTES_MIN && verifier.n <= VERIFIER_BYTES_MAX &&
           made.n == challenge.n && sodium_memcmp(made.p, challenge.p, made.n) == 0;
}

static Status code_wrong(Err *err)
{
    return err_add(err, ERR_INVALID, NULL, STR("code"), "授权码无效、已用过或已过期",
                   "The code is unknown, spent or late, or does not belong to this request");
}

/* A grant of the session's own, until its end. */
static Status sight_lend(Access *x, Arena *a, const AccessLogin *login, const AppConsent *consent,
                         Err *err)
{
    int64_t now_ms = login->caller.view.now_ms;
    StoreAuthor author = access_author(&login->caller);
    Str source = arena_cat(a, STR("app:"), consent->app);
    StoreBatch *b = store_batch_new(x->store, a, &author, source);
    StoreReceipt receipt;
    store_batch_grant(b, arena_cat(a, STR(APP_GRANTEE), login->caller.token_sha), consent->patient,
                      STR("app"), source, now_ms, now_ms + (int64_t)login->expires_in_s * 1000);
    return store_commit(b, &receipt, err);
}

static Status session_of(Access *x, StoreReader *r, Arena *a, const StoreSession *code,
                         const AppConsent *consent, AccessLogin *ret, Err *err)
{
    AccessCaller person;
    TRY(access_caller_named(x, r, a, code->username, code->post, &person, err));
    AppConsent kept = {.app = consent->app, .scope = consent->scope, .patient = consent->patient};
    TRY(access_session_begin(x, a, &person, consent_text(a, &kept), ret, err));
    ret->caller.app = consent->app;
    return consent->patient.n ? sight_lend(x, a, ret, consent, err) : OK;
}

Status access_app_token(Access *x, StoreReader *r, Arena *a, Str code, Str app, Str redirect,
                        Str verifier, AccessLogin *ret, AppConsent *ret_consent, Err *err)
{
    StoreSession session;
    AppConsent consent;
    Str sha = code_sha(a, code);
    Status status = store_session_get(r, a, sha, &session, NULL);
    TRY(store_reader_trouble(r, err));
    if (status != OK) {
        return code_wrong(err);
    }
    status = store_session_take(x->store, sha, NULL);
    if (status != OK) {
        return status == ERR_NOT_FOUND ? code_wrong(err) : err_status(err, status);
    }
    TRY(consent_read(a, session.app, &consent, err));
    if (clock_now(store_clock(x->store)) >= session.expires_ms || !str_eq(consent.app, app) ||
        !str_eq(consent.redirect, redirect) || !verifier_fits(a, verifier, consent.challenge)) {
        return code_wrong(err);
    }
    *ret_consent = consent;
    return session_of(x, r, a, &session, &consent, ret, err);
}

Status access_app_system(Access *x, Arena *a, const AccessCaller *caller, const AppScope *scope,
                         AccessLogin *ret, Err *err)
{
    AppConsent consent = {.app = caller->username, .scope = scope->text};
    bool whole = scope->may >> ACCESS_DELETE & 1; /* what a log-in of this account gives */
    return access_session_begin(x, a, caller, whole ? STR_NONE : consent_text(a, &consent), ret,
                                err);
}

/* ---- the session --------------------------------------------------------------------------- */

static Status not_any_more(Err *err)
{
    return err_add(err, ERR_UNAUTHORIZED, NULL, STR_NONE, "此应用的授权已结束，请重新授权",
                   "What this app was lent has ended; ask again");
}

/* Through the session's own grant, as long as the person sees the patient. */
static Status patient_narrow(StoreReader *r, Arena *a, int64_t now_ms, const StoreSession *session,
                             const AppConsent *consent, AccessCaller *caller, Err *err)
{
    caller->view.now_ms = now_ms;
    if (str_empty(consent->patient) || !store_patient_visible(r, &caller->view, consent->patient)) {
        return not_any_more(err);
    }
    caller->view = (StoreView){.clinical = true,
                               .labels = caller->view.labels,
                               .person = arena_cat(a, STR(APP_GRANTEE), session->token_sha)};
    return OK;
}

Status access_app_narrow(Access *x, StoreReader *r, Arena *a, const StoreSession *session,
                         AccessCaller *caller, Err *err)
{
    AppConsent consent;
    AccessApp app;
    if (str_empty(session->app)) {
        return OK;
    }
    TRY(consent_read(a, session->app, &consent, err));
    bool integrators = caller->integrator && str_eq(consent.app, caller->username);
    bool registered = !integrators && access_app_find(r, a, consent.app, &app);
    if (!integrators && !registered) {
        return not_any_more(err);
    }
    AppScope scope = app_scope_of(a, consent.scope, integrators ? consent.scope : app.scope);
    caller->app = consent.app;
    caller->app_may = scope.may;
    return scope.patient && !scope.user ? patient_narrow(r, a, clock_now(store_clock(x->store)),
                                                         session, &consent, caller, err)
                                        : OK;
}
