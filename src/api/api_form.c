/*
 * The form of bodies: JSON or XML, laid out for people or not, packed or not. All of the program
 * deals in JSON; XML exists at this door only.
 */
#include "api_inner.h"

#include "fhir_xml.h"

#define PACK_BYTES 4096 /* smaller answers fit into few packets as they are */

static const char FHIR_JSON[] = "application/fhir+json; charset=utf-8";
static const char FHIR_XML[] = "application/fhir+xml; charset=utf-8";

/* Pages may be larger than what is let in. */
static const JsonLimits LIMITS_OUT = {.depth = 200, .bytes = (size_t)1 << 30};

/* The first of each half is R4's own. */
static const char *const MEDIA[] = {
    "application/fhir+json", "application/json", "text/json", "application/json+fhir",
    "application/fhir+xml",  "application/xml",  "text/xml",  "application/xml+fhir",
};
enum { MEDIA_XML = 4, MEDIA_N = sizeof MEDIA / sizeof *MEDIA };

static bool is_among(Str media, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (str_is(media, MEDIA[i])) {
            return true;
        }
    }
    return false;
}

bool api_media_is_fhir(Str media)
{
    return is_among(media, 0, MEDIA_XML);
}

bool api_media_is_xml(Str media)
{
    return is_among(media, MEDIA_XML, MEDIA_N);
}

/* A parameter of a media type, without its quotes; of a list of them the first. Empty: none. */
static Str media_parameter(Str header, const char *name)
{
    Str one, key, value;
    for (size_t i = 0; i < header.n; i += one.n + 1) {
        one = str_skip(header, i);
        for (size_t n = 0; n < one.n; n++) {
            one.n = one.p[n] == ';' || one.p[n] == ',' ? n : one.n;
        }
        if (str_cut(one, '=', &key, &value) && str_eq_nocase(str_trim(key), str_from_c(name))) {
            value = str_trim(value);
            bool quoted = value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"';
            return quoted ? str_take(str_skip(value, 1), value.n - 2) : value;
        }
    }
    return STR_NONE;
}

/* A media type may name FHIR's version: another than R4 is another format, which only terminology
 * speaks. */
static bool version_served(const ApiCall *c, Str header)
{
    Str version = media_parameter(header, "fhirVersion");
    return str_empty(version) || str_starts(version, STR("4.0")) ||
           (c->also_r5 && str_starts(version, STR("5.0")));
}

/* FHIR is UTF-8: another encoding would be stored as garbage, or refused where nobody looks. */
Status api_charset_check(ApiCall *c)
{
    Str charset = media_parameter(http_header(&c->http->request, "Content-Type"), "charset");
    if (str_empty(charset) || str_eq_nocase(charset, STR("utf-8")) ||
        str_eq_nocase(charset, STR("utf8")) || str_eq_nocase(charset, STR("us-ascii"))) {
        return OK;
    }
    return err_add(&c->err, ERR_MEDIA, NULL, STR("Content-Type"),
                   "请求内容须为 UTF-8 编码，不能是“%.*s”：请转换后再发送",
                   "The body must be in UTF-8, not in '%.*s': convert it, then send it again",
                   STR_ARG(charset));
}

/* ---- in -------------------------------------------------------------------------------------- */

Status api_body(ApiCall *c, JsonDoc *ret)
{
    const HttpRequest *r = &c->http->request;
    Str type = http_header(r, "Content-Type"), body = r->body;
    Str media = http_media(c->arena, type);
    bool served = version_served(c, type);
    TRY(api_charset_check(c));
    if (served && api_media_is_xml(media)) {
        TRY(fhir_xml_read(c->arena, r->body, &body, &c->err));
    } else if (!served || !api_media_is_fhir(media)) {
        return err_add(
            &c->err, ERR_MEDIA, NULL, STR_NONE,
            "请求内容的类型应为 application/fhir+json 或 application/fhir+xml，收到的是“%.*s”",
            "The body must be application/fhir+json or application/fhir+xml; this is "
            "'%.*s'",
            STR_ARG(media));
    }
    if (c->parsed) {
        *ret = *c->parsed;
    } else {
        TRY(json_parse(c->arena, body, &JSON_LIMITS_FHIR, ret, &c->err));
    }
    return fhir_body_check(ret, &c->err);
}

/* ---- out ------------------------------------------------------------------------------------- */

/* The + of application/fhir+json is a blank where it was not percent-encoded. */
static Str plus_kept(ApiCall *c, Str media)
{
    ptrdiff_t blank = str_find_char(media, ' ');
    return blank < 0 ? media
                     : arena_cat(c->arena, str_take(media, (size_t)blank), STR("+"),
                                 str_skip(media, (size_t)blank + 1));
}

/* A parameter of the address, or of the form that a POST …/_search is, once it is here. */
static Str form_asked(ApiCall *c, const char *name)
{
    const HttpRequest *r = &c->http->request;
    Str asked = r->query.n ? api_query(c, name) : STR_NONE;
    bool form = !asked.p && r->method == HTTP_POST && r->body.n &&
                str_is(http_media(c->arena, http_header(r, "Content-Type")),
                       "application/x-www-form-urlencoded");
    return form ? api_pair(c, r->body, name) : asked;
}

/* _format wins over Accept, as R4 has it. */
bool api_form_choose(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    Str format = form_asked(c, "_format");
    c->pretty = str_is(form_asked(c, "_pretty"), "true");
    if (str_empty(format)) {
        Str accept = http_header(r, "Accept");
        int best = http_accept_best(accept, MEDIA, MEDIA_N);
        c->xml = best >= MEDIA_XML;
        return best >= 0 && version_served(c, accept);
    }
    Str media = plus_kept(c, http_media(c->arena, format));
    c->xml = str_is(media, "xml") || api_media_is_xml(media);
    return c->xml || str_is(media, "json") || api_media_is_fhir(media);
}

Status api_form_refuse(ApiCall *c)
{
    Str format = form_asked(c, "_format"), accept = http_header(&c->http->request, "Accept");
    return err_add(&c->err, ERR_NOT_ACCEPTABLE, NULL, STR_NONE,
                   "只能以 application/fhir+json 或 application/fhir+xml 回答，不能以“%.*s”回答",
                   "The answer is application/fhir+json or application/fhir+xml; '%.*s' is not "
                   "served",
                   STR_ARG(format.n ? format : accept));
}

Status api_form_check(ApiCall *c)
{
    Str pretty = form_asked(c, "_pretty");
    if (!pretty.p || str_is(pretty, "true") || str_is(pretty, "false")) {
        return OK;
    }
    if (api_is_lenient(c)) {
        api_ignore(c, STR("_pretty"));
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "value", STR("_pretty"), "参数 _pretty 须为 true 或 false",
                   "The parameter _pretty must be true or false");
}

Str api_form_body(ApiCall *c, Str json)
{
    JsonDoc d;
    bool plain = (!c->xml && !c->pretty) || json_parse(c->arena, json, &LIMITS_OUT, &d, NULL) != OK;
    http_set_header(c->http, "Content-Type", str_from_c(c->xml && !plain ? FHIR_XML : FHIR_JSON));
    if (plain) {
        return json;
    }
    Buf out;
    buf_init(&out, 0);
    if (c->xml) {
        fhir_xml_write(c->arena, &out, &d, JSON_ROOT, c->pretty);
    } else {
        json_pretty(&out, &d, JSON_ROOT);
    }
    return buf_take(&out, c->arena);
}

static size_t kept_size(ApiKept *k, Sha256 key)
{
    pthread_mutex_lock(&k->lock);
    size_t n = k->bytes && memcmp(&k->key, &key, sizeof key) == 0 ? k->n : 0;
    pthread_mutex_unlock(&k->lock);
    return n;
}

/* The room is taken before: nothing that can fail happens while others wait. */
Str api_kept_take(ApiKept *k, Sha256 key, Arena *a)
{
    size_t n = kept_size(k, key);
    char *room = n ? arena_alloc(a, n) : NULL;
    pthread_mutex_lock(&k->lock);
    bool same = n && k->bytes && k->n == n && memcmp(&k->key, &key, sizeof key) == 0;
    if (same) {
        memcpy(room, k->bytes, n);
    }
    pthread_mutex_unlock(&k->lock);
    return same ? (Str){room, n} : STR_NONE;
}

void api_kept_put(ApiKept *k, Sha256 key, Str bytes)
{
    char *copy = malloc(bytes.n);
    if (!copy) {
        return; /* made again next time */
    }
    memcpy(copy, bytes.p, bytes.n);
    pthread_mutex_lock(&k->lock);
    char *old = k->bytes;
    k->bytes = copy;
    k->n = bytes.n;
    k->key = key;
    pthread_mutex_unlock(&k->lock);
    free(old);
}

/* Of a lasting answer: by what was asked, of which address, in which form. */
static Sha256 packed_key(const ApiCall *c, Str body)
{
    Str form = arena_printf(c->arena, "%d%d %zu", c->xml, c->pretty, body.n);
    Str parts[] = {api_base_url((ApiCall *)c), c->http->request.path, c->http->request.query, form};
    return sha256_parts(parts, sizeof parts / sizeof *parts);
}

static bool pack(ApiCall *c, Str body, Str *ret)
{
    if (!c->result.lasting) {
        return http_gzip(c->arena, body, ret);
    }
    Sha256 key = packed_key(c, body);
    *ret = api_kept_take(&c->api->packed, key, c->arena);
    bool made = str_empty(*ret) && http_gzip(c->arena, body, ret);
    if (made) {
        api_kept_put(&c->api->packed, key, *ret);
    }
    return ret->n > 0;
}

void api_form_pack(ApiCall *c)
{
    HttpResponse *r = &c->http->response;
    Str packed, accept;
    if (r->body.n < PACK_BYTES || r->stream || c->result.media) {
        return;
    }
    http_set_header(c->http, "Vary", STR("Accept, Accept-Encoding"));
    accept = http_header(&c->http->request, "Accept-Encoding");
    if (accept.n && http_accept_quality(accept, STR("gzip")) > 0 && pack(c, r->body, &packed)) {
        http_set_header(c->http, "Content-Encoding", STR("gzip"));
        r->body = packed;
    }
}
