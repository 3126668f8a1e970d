/*
 * What MHD lets through of a request's head and HTTP does not: two lengths or hosts, a coding that
 * nobody knows, names that are none. Whoever stands between client and server may read such a
 * request as another one, so it is refused and its connection ends; as it does after a request that
 * has a length beside a coding.
 */
#include "http_inner.h"

typedef struct Head {
    unsigned hosts, lengths, codings;
    bool chunked, names_good;
} Head;

/* RFC 9110: letters, digits and some marks; no blank, no control character, nothing of UTF-8. */
static bool name_good(Str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c >= 0x7f) {
            return false;
        }
    }
    return name.n > 0;
}

static void header_look(Head *h, const HttpPair *p)
{
    h->names_good = h->names_good && name_good(p->name);
    switch (p->name.n) {
    case 4:
        h->hosts += str_eq_nocase(p->name, STR("Host"));
        break;
    case 14:
        h->lengths += str_eq_nocase(p->name, STR("Content-Length"));
        break;
    case 17:
        if (str_eq_nocase(p->name, STR("Transfer-Encoding"))) {
            h->codings++;
            h->chunked = str_eq_nocase(str_trim(p->value), STR("chunked"));
        }
        break;
    default:
        break;
    }
}

static Status head_check(const Head *h, bool needs_host, Err *err)
{
    if (!h->names_good) {
        return err_add(err, ERR_INVALID, "invalid", STR_NONE, "请求头的名称不合规则",
                       "A header's name is malformed");
    }
    if (h->hosts > 1 || (needs_host && h->hosts == 0)) {
        return err_add(err, ERR_INVALID, "invalid", STR("Host"), "请求须有且只有一个 Host 头",
                       "The request needs one Host header, not none and not several");
    }
    if (h->lengths > 1 || h->codings > 1) {
        return err_add(err, ERR_INVALID, "invalid", STR("Content-Length"),
                       "Content-Length 和 Transfer-Encoding 各只能有一个",
                       "Content-Length and Transfer-Encoding may stand there once each");
    }
    if (h->codings && !h->chunked) {
        return err_add(err, ERR_INVALID, "invalid", STR("Transfer-Encoding"),
                       "Transfer-Encoding 只支持 chunked", "The only Transfer-Encoding is chunked");
    }
    return OK;
}

bool http_head_good(HttpExchange *x, const char *version)
{
    const HttpRequest *r = &x->call.request;
    Head h = {.names_good = true};
    for (size_t i = 0; i < r->header_n; i++) {
        header_look(&h, &r->header[i]);
    }
    Err err;
    err_init(&err, &x->arena);
    bool good = head_check(&h, strcmp(version, MHD_HTTP_VERSION_1_1) == 0, &err) == OK;
    x->last = !good || (h.lengths && h.codings); /* the coding counts, as RFC 9112 has it */
    if (!good) {
        http_exchange_refuse(x, &err);
    }
    return good;
}

Str http_head_target(Str uri)
{
    ptrdiff_t authority = str_starts(uri, STR("http://"))    ? 7
                          : str_starts(uri, STR("https://")) ? 8
                                                             : 0;
    if (authority == 0) {
        return uri;
    }
    ptrdiff_t path = str_find_char(str_skip(uri, (size_t)authority), '/');
    return path < 0 ? STR("/") : str_skip(uri, (size_t)(authority + path));
}
