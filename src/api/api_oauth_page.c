/* The pages of /auth/authorize: plain HTML without a script. */
#include "api_oauth.h"

static const char STYLE[] =
    "body{font:16px/1.6 sans-serif;max-width:28rem;margin:2rem auto;padding:0 1rem}"
    "label{display:block;margin-top:.8rem}input{font:inherit;width:100%;box-sizing:border-box;"
    "padding:.4rem}button{font:inherit;margin:1.2rem .6rem 0 0;padding:.5rem 1.2rem}"
    ".wrong{color:#a8071a}";

static const char *in(const ApiCall *c, const char *zh, const char *en)
{
    return c->lang == LANG_EN ? en : zh;
}

static void page_begin(ApiCall *c, Buf *out, const char *title)
{
    buf_init(out, 0);
    buf_printf(
        out,
        "<!doctype html><html lang=\"%s\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\"><title>%s</title><style>%s</style></head><body><h1>%s</h1>",
        in(c, "zh-CN", "en"), title, STYLE, title);
}

/* Chrome holds redirects after a form to form-action: the app's own origin must be in it. */
static void page_end(ApiCall *c, Buf *out, int status, Str redirect)
{
    ptrdiff_t scheme = str_find(redirect, STR("://"));
    Str host, rest;
    str_cut(str_skip(redirect, scheme < 0 ? 0 : (size_t)scheme + 3), '/', &host, &rest);
    Str origin = scheme < 0 ? STR_NONE : str_take(redirect, (size_t)scheme + 3 + host.n);
    buf_c(out, "</body></html>");
    http_set_header(c->http, "Content-Security-Policy",
                    arena_cat(c->arena,
                              STR("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                                  "frame-ancestors 'none'; form-action 'self' "),
                              origin));
    http_set_header(c->http, "Referrer-Policy", STR("no-referrer"));
    c->result = (ApiResult){
        .status = status, .body = buf_take(out, c->arena), .media = "text/html; charset=utf-8"};
}

static void hidden_put(Buf *out, const char *name, Str value)
{
    if (value.n) {
        buf_printf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
        buf_html(out, value);
        buf_c(out, "\">");
    }
}

static void field_put(Buf *out, const char *label, const char *name, const char *more, Str value)
{
    buf_printf(out, "<label>%s<input name=\"%s\" %s value=\"", label, name, more);
    buf_html(out, value);
    buf_c(out, "\"></label>");
}

static void scopes_put(ApiCall *c, Buf *out, const AppScope *s)
{
    const char *what = s->user && s->may & ~(1u << ACCESS_READ)
                           ? in(c, "以您的身份查看和修改您有权处理的全部资料",
                                "read and change, in your name, all that you may")
                       : s->user ? in(c, "以您的身份查看您有权查看的全部资料",
                                      "read, in your name, all that you may")
                                 : in(c, "查看一位患者的资料", "read one patient's record");
    buf_printf(out, "<p>%s</p><p><small>", what);
    buf_html(out, s->text);
    buf_c(out, "</small></p>");
}

static void wrong_put(ApiCall *c, Buf *out, const Err *wrong)
{
    for (const Issue *i = wrong ? wrong->first : NULL; i; i = i->next) {
        buf_c(out, "<p class=\"wrong\" role=\"alert\">");
        buf_html(out, c->lang == LANG_EN ? i->en : i->zh);
        buf_c(out, "</p>");
    }
}

static void form_put(ApiCall *c, Buf *out, const OauthAsk *ask)
{
    buf_c(out, "<form method=\"post\" action=\"/auth/authorize\">");
    hidden_put(out, "response_type", ask->response_type);
    hidden_put(out, "client_id", ask->client_id);
    hidden_put(out, "redirect_uri", ask->redirect_uri);
    hidden_put(out, "scope", ask->scope);
    hidden_put(out, "state", ask->state);
    hidden_put(out, "aud", ask->aud);
    hidden_put(out, "code_challenge", ask->code_challenge);
    hidden_put(out, "code_challenge_method", ask->code_challenge_method);
    field_put(out, in(c, "账号", "User name"), "username", "autocomplete=\"username\"",
              ask->username);
    field_put(out, in(c, "密码", "Password"), "password",
              "type=\"password\" autocomplete=\"current-password\"", STR_NONE);
    field_put(out, in(c, "动态口令（如已启用）", "One-time code, if you use one"), "otp",
              "autocomplete=\"one-time-code\"", STR_NONE);
    if (ask->granted.patient) {
        field_put(out, in(c, "患者：身份证号或编号", "Patient: ID card number or id"), "patient",
                  "", ask->patient);
    }
    buf_printf(out,
               "<button name=\"decision\" value=\"allow\">%s</button>"
               "<button name=\"decision\" value=\"deny\">%s</button></form>",
               in(c, "允许", "Allow"), in(c, "拒绝", "Deny"));
}

void oauth_page(ApiCall *c, const OauthAsk *ask, int status, const Err *wrong)
{
    Buf out;
    page_begin(c, &out, in(c, "应用请求授权", "An app asks for access"));
    buf_c(&out, "<p><strong>");
    buf_html(&out, ask->app.name);
    buf_printf(&out, "</strong> %s</p>", in(c, "请求：", "asks to:"));
    scopes_put(c, &out, &ask->granted);
    wrong_put(c, &out, wrong);
    form_put(c, &out, ask);
    page_end(c, &out, status, ask->redirect_uri);
}

void oauth_page_refused(ApiCall *c, const char *zh, const char *en)
{
    Buf out;
    page_begin(c, &out, in(c, "无法授权", "Nothing to allow"));
    buf_printf(&out, "<p class=\"wrong\">%s</p>", in(c, zh, en));
    page_end(c, &out, 400, STR_NONE);
}
