/*
 * Apps: other programs that act for a person who lets them, as SMART App Launch has it (OAuth 2,
 * code with PKCE). The system administrator registers them; a person who logs in on the server's
 * own page and agrees lends an app what the scopes say, and never more than the person may.
 *
 *   patient/rs     reads one patient's data, the one whom the person chose. The session sees
 *                  through a grant of its own to that patient (access_grant), and only while the
 *                  person sees the patient, too.
 *   user/rs        reads what the person sees;  user/cruds  also writes what the person may
 *   system/rs, system/cruds   an integrator's, by its own name and password
 *
 * (The star between / and . is left out above.) Types are all or none: a chain or an include would
 * reach the others. SMART's first form (.read) is understood. What an app asks for beyond its
 * registration, or in words that are not known, it does not get.
 *
 * Cost: nothing for who logs in themselves. The list of apps is one setting.
 */
#ifndef ACCESS_APP_H
#define ACCESS_APP_H

#include "access.h"

#define APPS_MAX         50
#define APP_REDIRECTS    10
#define APP_ID_BYTES_MAX 64

typedef struct AccessApp {
    Str id, name;
    Str redirect[APP_REDIRECTS];
    size_t redirect_n;
    Str scope;      /* the most it may be lent */
    Str secret_sha; /* hex; empty: a public one, which has PKCE alone */
} AccessApp;

typedef struct AppScope {
    Str text; /* as it was given: joined by blanks */
    bool patient, user, system;
    unsigned may; /* a bit by AccessDo */
} AppScope;

/* What is asked for, as far as it is known and `most` has it, too. */
AppScope app_scope_of(Arena *a, Str asked, Str most);
/* All scopes there are, joined by blanks. */
Str app_scopes(Arena *a);

/* In the order in which they were registered. */
Status access_apps(StoreReader *r, Arena *a, AccessApp **ret, size_t *ret_n, Err *err) MUST_USE;
/* Takes the place of the list; whoever acts for an app that is gone does not any more. */
Status access_apps_put(Access *x, Arena *a, const AccessApp *app, size_t n, Err *err) MUST_USE;
bool access_app_find(StoreReader *r, Arena *a, Str id, AccessApp *ret);
/* A new secret, and its digest in app. */
Str access_app_secret_make(Access *x, Arena *a, AccessApp *app);
bool access_app_secret_fits(const AccessApp *app, Str secret);

/* What a person agreed to. */
typedef struct AppConsent {
    Str app, redirect;
    Str challenge; /* S256, base64url */
    Str scope;     /* AppScope.text */
    Str patient;   /* id; empty: none was chosen */
} AppConsent;

/* A code for the app, good once and for APP_CODE_MS. */
Status access_app_code(Access *x, Arena *a, const AccessCaller *person, const AppConsent *consent,
                       Str *ret, Err *err) MUST_USE;
/*
 * The session that the code stands for; ret_consent says what was agreed to. ERR_INVALID when the
 * code is unknown, spent, late, another app's, or redirect or verifier do not fit. A code that was
 * shown is spent.
 */
Status access_app_token(Access *x, StoreReader *r, Arena *a, Str code, Str app, Str redirect,
                        Str verifier, AccessLogin *ret, AppConsent *ret_consent, Err *err) MUST_USE;
/* An integrator's: a session as its log-in gives it, or one that only reads. */
Status access_app_system(Access *x, Arena *a, const AccessCaller *caller, const AppScope *scope,
                         AccessLogin *ret, Err *err) MUST_USE;
/* The caller of an app's session is what was lent, no more; nothing to do for others. */
Status access_app_narrow(Access *x, StoreReader *r, Arena *a, const StoreSession *session,
                         AccessCaller *caller, Err *err) MUST_USE;

#endif
