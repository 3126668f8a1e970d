/* Which apps there are, and what a scope means. */
#include "access_app.h"

#include <sodium.h>

#include "access_inner.h"

#include "mk_banned.h"

#define APPS_SETTING STR("apps")

/* ---- scopes -------------------------------------------------------------------------------- */

#define READS  (1u << ACCESS_READ)
#define WRITES (1u << ACCESS_CREATE | 1u << ACCESS_UPDATE | 1u << ACCESS_DELETE)

/* Each with its name in SMART's first form. */
static const struct {
    const char *name, *first;
    unsigned may;
} SCOPES[] = {
    {"launch/patient", "launch/patient", 0}, {"patient/*.rs", "patient/*.read", READS},
    {"user/*.rs", "user/*.read", READS},     {"user/*.cruds", "user/*.*", READS | WRITES},
    {"system/*.rs", "system/*.read", READS}, {"system/*.cruds", "system/*.*", READS | WRITES},
};
#define SCOPES_N (sizeof SCOPES / sizeof *SCOPES)

static bool lists(Str list, size_t scope)
{
    Str one;
    while (list.n) {
        str_cut(list, ' ', &one, &list);
        if (str_is(one, SCOPES[scope].name) || str_is(one, SCOPES[scope].first)) {
            return true;
        }
    }
    return false;
}

/* Reading is lent also to who was registered for more. */
static bool lent(Str asked, Str most, size_t scope)
{
    bool more = scope + 1 < SCOPES_N && SCOPES[scope].may == READS &&
                SCOPES[scope + 1].may == (READS | WRITES) && lists(most, scope + 1);
    return lists(asked, scope) && (more || lists(most, scope));
}

AppScope app_scope_of(Arena *a, Str asked, Str most)
{
    AppScope s = {0};
    for (size_t i = 0; i < SCOPES_N; i++) {
        Str name = str_from_c(SCOPES[i].name);
        if (!lent(asked, most, i)) {
            continue;
        }
        s.text = s.text.n ? arena_cat(a, s.text, STR(" "), name) : name;
        s.may |= SCOPES[i].may;
        s.patient |= SCOPES[i].may && str_starts(name, STR("patient/"));
        s.user |= str_starts(name, STR("user/"));
        s.system |= str_starts(name, STR("system/"));
    }
    return s;
}

Str app_scopes(Arena *a)
{
    Str all = STR_NONE;
    for (size_t i = 0; i < SCOPES_N; i++) {
        all = arena_cat(a, all, i ? STR(" ") : STR_NONE, str_from_c(SCOPES[i].name));
    }
    return all;
}

/* ---- the list ------------------------------------------------------------------------------ */

static AccessApp app_read(const JsonDoc *d, JsonRef ref)
{
    AccessApp app = {.id = json_str_at(d, ref, "id"),
                     .name = json_str_at(d, ref, "name"),
                     .scope = json_str_at(d, ref, "scope"),
                     .secret_sha = json_str_at(d, ref, "secret")};
    for (JsonIter it = json_iter(d, json_get_c(d, ref, "redirect_uris"));
         app.redirect_n < APP_REDIRECTS && json_next(&it);) {
        app.redirect[app.redirect_n++] = json_str(d, it.value);
    }
    return app;
}

static void app_write(JsonWriter *w, const AccessApp *app)
{
    json_open(w, '{');
    json_member_str(w, "id", app->id);
    json_member_str(w, "name", app->name);
    json_member_str(w, "scope", app->scope);
    json_member_str(w, "secret", app->secret_sha);
    json_key_open(w, "redirect_uris", '[');
    for (size_t i = 0; i < app->redirect_n; i++) {
        json_put_str(w, app->redirect[i]);
    }
    json_close(w, ']');
    json_close(w, '}');
}

Status access_apps(StoreReader *r, Arena *a, AccessApp **ret, size_t *ret_n, Err *err)
{
    JsonDoc d;
    Str text;
    size_t n = 0;
    AccessApp *list = arena_array(a, AccessApp, APPS_MAX);
    Status status = store_setting_get(r, a, APPS_SETTING, &text, NULL);
    TRY(store_reader_trouble(r, err));
    if (status == OK) {
        TRY(json_parse(a, text, &JSON_LIMITS_FHIR, &d, err));
        for (JsonIter it = json_iter(&d, JSON_ROOT); n < APPS_MAX && json_next(&it);) {
            list[n++] = app_read(&d, it.value);
        }
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

Status access_apps_put(Access *x, Arena *a, const AccessApp *app, size_t n, Err *err)
{
    Buf out;
    JsonWriter w = json_begin(&out, '[');
    for (size_t i = 0; i < n; i++) {
        app_write(&w, &app[i]);
    }
    TRY(store_setting_put(x->store, APPS_SETTING, json_end(&w, ']', a), err));
    sessions_forget(&x->sessions);
    return OK;
}

bool access_app_find(StoreReader *r, Arena *a, Str id, AccessApp *ret)
{
    AccessApp *list;
    size_t n;
    if (str_empty(id) || access_apps(r, a, &list, &n, NULL) != OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i].id, id)) {
            *ret = list[i];
            return true;
        }
    }
    return false;
}

/* ---- secrets ------------------------------------------------------------------------------- */

Str access_app_secret_make(Access *x, Arena *a, AccessApp *app)
{
    Str secret = access_token_make(x, a);
    app->secret_sha = access_token_sha(a, secret);
    return secret;
}

bool access_app_secret_fits(const AccessApp *app, Str secret)
{
    Arena scratch;
    arena_init(&scratch, 0);
    Str sha = access_token_sha(&scratch, secret);
    bool fits = sha.n == app->secret_sha.n && sodium_memcmp(sha.p, app->secret_sha.p, sha.n) == 0;
    arena_done(&scratch);
    return fits;
}
