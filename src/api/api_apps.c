/* The registered apps, for the system's administrator: GET and PUT of the whole list. */
#include "api_oauth.h"

/* ---- answers ------------------------------------------------------------------------------- */

static void app_put(JsonWriter *w, const AccessApp *app, Str secret)
{
    json_open(w, '{');
    json_member_str(w, "client_id", app->id);
    json_member_str(w, "name", app->name);
    json_key_open(w, "redirect_uris", '[');
    for (size_t i = 0; i < app->redirect_n; i++) {
        json_put_str(w, app->redirect[i]);
    }
    json_close(w, ']');
    json_member_str(w, "scope", app->scope);
    json_member_bool(w, "confidential", app->secret_sha.n > 0);
    json_member_str(w, "client_secret", secret); /* shown this once */
    json_close(w, '}');
}

static Status apps_answer(ApiCall *c, const AccessApp *app, const Str *secret, size_t n)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key_open(&w, "apps", '[');
    for (size_t i = 0; i < n; i++) {
        app_put(&w, &app[i], secret ? secret[i] : STR_NONE);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

static Status apps_may(ApiCall *c, AccessDo what)
{
    c->what = STR("apps");
    return c->caller->administrator ? access_may(c->caller, what, STR("$apps"), &c->err)
                                    : err_status(&c->err, ERR_FORBIDDEN);
}

Status api_apps(ApiCall *c)
{
    AccessApp *app;
    size_t n;
    TRY(apps_may(c, ACCESS_READ));
    TRY(access_apps(c->reader, c->arena, &app, &n, &c->err));
    return apps_answer(c, app, NULL, n);
}

/* ---- a new list ---------------------------------------------------------------------------- */

/* https, or http on the app's own machine (RFC 8252); nothing that hides another host. */
static bool redirect_good(Str url)
{
    static const char *const LOCAL[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    bool good = str_starts(url, STR("https://")) && url.n > 8;
    for (size_t i = 0; i < sizeof LOCAL / sizeof *LOCAL; i++) {
        Str rest = str_skip(url, strlen(LOCAL[i]));
        good |= str_starts(url, str_from_c(LOCAL[i])) &&
                (str_empty(rest) || rest.p[0] == ':' || rest.p[0] == '/');
    }
    for (size_t i = 0; i < url.n; i++) {
        good = good && (unsigned char)url.p[i] > ' ' && (unsigned char)url.p[i] < 127 &&
               !strchr("\\@#\"'<>;,", url.p[i]);
    }
    return good && url.n <= 500;
}

static bool scope_good(ApiCall *c, Str scope)
{
    AppScope known = app_scope_of(c->arena, scope, scope);
    return (known.patient || known.user) && !known.system;
}

static bool app_read(ApiCall *c, const JsonDoc *d, JsonRef ref, AccessApp *ret)
{
    AccessApp app = {.id = json_str_at(d, ref, "client_id"), .name = json_str_at(d, ref, "name")};
    JsonRef list = json_get_c(d, ref, "redirect_uris");
    bool good = api_name_plain(app.id, APP_ID_BYTES_MAX) && app.name.n && app.name.n <= 200 &&
                json_type(d, list) == JSON_ARRAY && json_count(d, list) <= APP_REDIRECTS &&
                scope_good(c, json_str_at(d, ref, "scope"));
    for (JsonIter it = json_iter(d, list); good && json_next(&it);) {
        app.redirect[app.redirect_n++] = json_str(d, it.value);
        good = redirect_good(json_str(d, it.value));
    }
    Str scope = json_str_at(d, ref, "scope");
    app.scope = app_scope_of(c->arena, scope, scope).text;
    *ret = app;
    return good && app.redirect_n > 0;
}

static bool is_twice(const AccessApp *app, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(app[i].id, app[n].id)) {
            return true;
        }
    }
    return false;
}

/* A confidential app keeps its secret, or gets one: when it has none, or a new one is wanted. */
static void secret_settle(ApiCall *c, const JsonDoc *d, JsonRef ref, AccessApp *app, Str *ret)
{
    AccessApp before;
    *ret = STR_NONE;
    if (!json_is_true(d, json_get_c(d, ref, "confidential"))) {
        return;
    }
    if (!json_is_true(d, json_get_c(d, ref, "new_secret")) &&
        access_app_find(c->reader, c->arena, app->id, &before)) {
        app->secret_sha = before.secret_sha;
    }
    if (str_empty(app->secret_sha)) {
        *ret = access_app_secret_make(c->api->access, c->arena, app);
    }
}

static Status app_bad(ApiCall *c, size_t i)
{
    return err_add(
        &c->err, ERR_INVALID, "value", arena_printf(c->arena, "apps[%zu]", i),
        "应用须有：client_id（字母、数字、- _ .，不重复）、name、redirect_uris（https://… 或 "
        "http://127.0.0.1…，1 至 10 个）、scope（launch/patient、patient/*.rs、user/*.rs、"
        "user/*.cruds）",
        "An app needs: client_id (letters, digits, - _ ., once), name, redirect_uris (1 to "
        "10 of https://… or http://127.0.0.1…), scope (of launch/patient, patient/*.rs, "
        "user/*.rs, user/*.cruds)");
}

Status api_apps_put(ApiCall *c)
{
    JsonDoc d;
    size_t n = 0;
    AccessApp *app = arena_array(c->arena, AccessApp, APPS_MAX);
    Str *secret = arena_array(c->arena, Str, APPS_MAX);
    TRY(apps_may(c, ACCESS_UPDATE));
    TRY(api_json_body(c, &d));
    JsonRef list = json_get_c(&d, JSON_ROOT, "apps");
    if (json_type(&d, list) != JSON_ARRAY || json_count(&d, list) > APPS_MAX) {
        return err_add(&c->err, ERR_INVALID, "value", STR("apps"), "apps 应为数组，最多 %d 个",
                       "apps must be an array of at most %d", APPS_MAX);
    }
    for (JsonIter it = json_iter(&d, list); json_next(&it); n++) {
        if (!app_read(c, &d, it.value, &app[n]) || is_twice(app, n)) {
            return app_bad(c, n);
        }
        secret_settle(c, &d, it.value, &app[n], &secret[n]);
    }
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(access_apps_put(c->api->access, c->arena, app, n, &c->err));
    c->changed = true;
    return apps_answer(c, app, secret, n);
}
