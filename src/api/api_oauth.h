/*
 * The server as SMART App Launch's authorization server: a page where a person lets an app in
 * (/auth/authorize), the change of a code for a token (/auth/token), the list of apps
 * (/auth/apps). What scopes mean is access_app.h's.
 */
#ifndef API_OAUTH_H
#define API_OAUTH_H

#include "api_inner.h"

#include "access_app.h"

/* What stands in the address or in the form of /auth/authorize. */
typedef struct OauthAsk {
    Str response_type, client_id, redirect_uri, scope, state, aud;
    Str code_challenge, code_challenge_method;
    Str username, password, otp, patient, decision; /* of the form alone */
    AccessApp app;
    AppScope granted;
} OauthAsk;

/* c->result: the page that asks the person, with a word of what went wrong before (or none). */
void oauth_page(ApiCall *c, const OauthAsk *ask, int status, const Err *wrong);
/* c->result: a page that says why there is nothing to ask; nobody is sent anywhere. */
void oauth_page_refused(ApiCall *c, const char *zh, const char *en);

#endif
