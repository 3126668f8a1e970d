#include "api_allow.h"

#define ALLOWED_MAX   100u
#define URL_BYTES_MAX 2048u

/* http or https, a host, and nothing that hides another one. */
static bool url_good(Str url)
{
    Str rest = str_starts(url, STR("https://"))  ? str_skip(url, 8)
               : str_starts(url, STR("http://")) ? str_skip(url, 7)
                                                 : STR_NONE;
    for (size_t i = 0; i < url.n; i++) {
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == '\\' || url.p[i] == '@') {
            return false;
        }
    }
    return rest.n > 0 && rest.p[0] != '/' && url.n < URL_BYTES_MAX;
}

bool api_allowed(StoreReader *r, Str list, Str url)
{
    Arena a;
    Str text, one;
    bool allowed = false;
    arena_init(&a, 0);
    bool any = store_setting_get(r, &a, list, &text, NULL) == OK;
    while (any && text.n && !allowed) {
        str_cut(text, '\n', &one, &text);
        Str rest = str_skip(url, one.n);
        allowed = one.n && str_starts(url, one) &&
                  (!rest.n || rest.p[0] == '/' || rest.p[0] == '?' || one.p[one.n - 1] == '/');
    }
    arena_done(&a);
    return allowed && url_good(url);
}

/* ---- The lists, for administrators ---------------------------------------------------------- */

/* Whoever may subscribe or import must not be who says where to and where from. */
static Status lists_may(ApiCall *c, AccessDo what)
{
    c->what = str_skip(c->http->request.path, 1);
    return c->caller->administrator ? access_may(c->caller, what, STR("$hooks"), &c->err)
                                    : err_status(&c->err, ERR_FORBIDDEN);
}

static Status list_answer(ApiCall *c, Str list, const char *name)
{
    Buf out;
    Str text, one;
    JsonWriter w = json_begin(&out, '{');
    json_key_open(&w, name, '[');
    if (store_setting_get(c->reader, c->arena, list, &text, NULL) == OK) {
        while (text.n) {
            str_cut(text, '\n', &one, &text);
            json_put_str(&w, one);
        }
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

static Status list_put(ApiCall *c, Str list, const char *name)
{
    JsonDoc d;
    Buf text;
    TRY(lists_may(c, ACCESS_UPDATE));
    TRY(api_json_body(c, &d));
    JsonRef at = json_get_c(&d, JSON_ROOT, name);
    bool good = json_type(&d, at) == JSON_ARRAY && json_count(&d, at) <= ALLOWED_MAX;
    buf_init(&text, 0);
    for (JsonIter it = json_iter(&d, at); good && json_next(&it);) {
        good = url_good(json_str(&d, it.value));
        buf_c(&text, text.n ? "\n" : "");
        buf_add(&text, json_str(&d, it.value));
    }
    Str all = buf_take(&text, c->arena);
    if (!good) {
        return err_add(&c->err, ERR_INVALID, "value", str_from_c(name),
                       "%s 应为 http(s)://主机[:端口][/路径] 的数组，最多 100 个",
                       "%s must be an array of at most 100 http(s)://host[:port][/path]", name);
    }
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(store_setting_put(c->api->store, list, all, &c->err));
    c->changed = true;
    return list_answer(c, list, name);
}

Status api_hook_targets(ApiCall *c)
{
    TRY(lists_may(c, ACCESS_READ));
    return list_answer(c, ALLOW_TARGETS, "targets");
}

Status api_hook_targets_put(ApiCall *c)
{
    return list_put(c, ALLOW_TARGETS, "targets");
}

Status api_import_sources(ApiCall *c)
{
    TRY(lists_may(c, ACCESS_READ));
    return list_answer(c, ALLOW_SOURCES, "sources");
}

Status api_import_sources_put(ApiCall *c)
{
    return list_put(c, ALLOW_SOURCES, "sources");
}
