/* Log-in, log-out, post, password and second factor of the caller. */
#include "api_inner.h"

/* ---- what a session looks like from outside ------------------------------------------------- */

static void post_write(JsonWriter *w, const AccessPost *p)
{
    json_open(w, '{');
    json_member_str(w, "post", p->post);
    json_member_str(w, "role", p->role);
    json_member_str(w, "organization", p->organization);
    json_member_str(w, "organizationName", p->organization_name);
    json_close(w, '}');
}

static void user_write(JsonWriter *w, const AccessCaller *caller)
{
    json_open(w, '{');
    json_member_str(w, "username", caller->username);
    json_member_str(w, "name", caller->name);
    json_member_str(w, "practitioner", caller->practitioner);
    json_member_str(w, "post", caller->post.post);
    json_member_str(w, "role", caller->post.role);
    json_member_str(w, "organization", caller->post.organization);
    json_member_str(w, "organizationName", caller->post.organization_name);
    json_key_open(w, "roles", '[');
    for (size_t i = 0; i < caller->posts_n; i++) {
        post_write(w, &caller->posts[i]);
    }
    json_close(w, ']');
    json_close(w, '}');
}

/* "second_factor": is there one, must there be one now, by when. */
static void factor_write(ApiCall *c, JsonWriter *w, const AccessCaller *caller)
{
    json_key_open(w, "second_factor", '{');
    json_member_bool(w, "on", caller->factor.on);
    json_member_bool(w, "must", caller->factor.must);
    if (caller->factor.by_ms) {
        api_json_time(c, w, "by", caller->factor.by_ms);
    }
    json_close(w, '}');
}

/* "user", "must_change_password", "second_factor", and the program's clock, which --now may have
 * moved. */
static void session_write(ApiCall *c, JsonWriter *w, const AccessCaller *caller)
{
    int zone = c->api->options.zone_min, size = zone < 0 ? -zone : zone;
    json_key(w, "user");
    user_write(w, caller);
    json_member_bool(w, "must_change_password", caller->must_change_password);
    factor_write(c, w, caller);
    api_json_time(c, w, "now", clock_now(c->api->options.clock));
    json_member_str(
        w, "zone",
        arena_printf(c->arena, "%c%02d:%02d", zone < 0 ? '-' : '+', size / 60, size % 60));
}

static void session_answer(ApiCall *c, const AccessCaller *caller, const AccessLogin *login)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    if (login) {
        json_member_str(&w, "access_token", login->token);
        json_member_c(&w, "token_type", "Bearer");
        json_member_i64(&w, "expires_in", login->expires_in_s);
    }
    session_write(c, &w, caller);
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
}

static void cookie_set(ApiCall *c, Str token, int age_s)
{
    Str life = arena_printf(c->arena, "; Max-Age=%d; Path=/; HttpOnly; SameSite=Strict%s", age_s,
                            api_is_secure(c) ? "; Secure" : "");
    http_set_header(c->http, "Set-Cookie", arena_cat(c->arena, STR("menkou="), token, life));
}

/* ---- handlers
 * ------------------------------------------------------------------------------------- */

Status api_login(ApiCall *c)
{
    JsonDoc d;
    Str username, password;
    TRY(api_json_body(c, &d));
    TRY(api_json_need(c, &d, "username", &username));
    TRY(api_json_need(c, &d, "password", &password));
    AccessLogin login;
    Status status = access_login(c->api->access, c->reader, c->arena, username, password,
                                 str_trim(json_str_at(&d, JSON_ROOT, "otp")),
                                 c->http->request.address, &login, &c->err);
    /* What was typed as a name may be a password: it is kept out of the record. */
    c->what = status == OK ? arena_cat(c->arena, STR("login "), username) : STR("login refused");
    c->caller = status == OK ? &login.caller : NULL;
    if (status == OK) {
        login.caller.request_id = c->request_id;
        login.caller.address = c->http->request.address;
    }
    TRY(api_audit(c, "E", status == OK ? 200 : status_http(status), &c->err));
    TRY(status);
    cookie_set(c, login.token, login.expires_in_s);
    session_answer(c, &login.caller, &login);
    c->caller = NULL; /* `login` ends with this function */
    return OK;
}

Status api_me(ApiCall *c)
{
    session_answer(c, c->caller, NULL);
    return OK;
}

Status api_role(ApiCall *c)
{
    JsonDoc d;
    Str post;
    AccessCaller now;
    TRY(api_json_body(c, &d));
    TRY(api_json_need(c, &d, "post", &post));
    TRY(access_choose_post(c->api->access, c->reader, c->arena, c->caller, post, &now, &c->err));
    c->what = arena_cat(c->arena, STR("role "), post);
    session_answer(c, &now, NULL);
    return OK;
}

Status api_password(ApiCall *c)
{
    JsonDoc d;
    Str old_password, new_password;
    TRY(api_json_body(c, &d));
    TRY(api_json_need(c, &d, "password", &old_password));
    TRY(api_json_need(c, &d, "new_password", &new_password));
    TRY(access_password(c->api->access, c->reader, c->caller, old_password, new_password, &c->err));
    c->what = STR("password");
    c->result = (ApiResult){.status = 204};
    return OK;
}

/* The first password is changed before anything is built upon it. */
static Status password_settled(ApiCall *c)
{
    AccessCaller changed = *c->caller;
    changed.factor.must = false;
    return access_settled(&changed, &c->err);
}

Status api_factor(ApiCall *c)
{
    JsonDoc d;
    Str password;
    AccessFactorOffer offer;
    c->what = STR("factor offered");
    TRY(password_settled(c));
    TRY(api_json_body(c, &d));
    TRY(api_json_need(c, &d, "password", &password));
    TRY(access_factor_begin(c->api->access, c->reader, c->arena, c->caller, password, &offer,
                            &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "secret", offer.secret);
    json_member_str(&w, "uri", offer.uri);
    json_close(&w, '}');
    c->changed = true;
    api_json_answer(c, 200, &out);
    return OK;
}

Status api_factor_confirm(ApiCall *c)
{
    JsonDoc d;
    Str otp;
    const Str *codes;
    size_t n;
    c->what = STR("factor confirmed");
    TRY(password_settled(c));
    TRY(api_json_body(c, &d));
    TRY(api_json_need(c, &d, "otp", &otp));
    TRY(access_factor_confirm(c->api->access, c->reader, c->arena, c->caller, str_trim(otp), &codes,
                              &n, &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key_open(&w, "recovery", '[');
    for (size_t i = 0; i < n; i++) {
        json_put_str(&w, codes[i]);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    c->changed = true;
    api_json_answer(c, 200, &out);
    return OK;
}

Status api_logout(ApiCall *c)
{
    TRY(access_logout(c->api->access, c->caller, &c->err));
    cookie_set(c, STR_NONE, 0);
    c->what = STR("logout");
    c->result = (ApiResult){.status = 204};
    return OK;
}
