/* The workstation's files, which are inside the program. */
#include "api_inner.h"

#include <stdlib.h>

/* The workstation's own policy (docs/formats/web-needs.md). */
#define POLICY                                                                                     \
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "           \
    "frame-src 'self'; worker-src 'self'; frame-ancestors 'self'"

static const char *media_of(Str path)
{
    static const struct {
        const char *ending, *media;
    } known[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".mjs", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".json", "application/json; charset=utf-8"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".jpg", "image/jpeg"},
                 {".ico", "image/x-icon"},
                 {".webp", "image/webp"},
                 {".woff2", "font/woff2"},
                 {".woff", "font/woff"},
                 {".ttf", "font/ttf"},
                 {".wasm", "application/wasm"},
                 {".txt", "text/plain; charset=utf-8"},
                 {".webmanifest", "application/manifest+json"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_ends(path, str_from_c(known[i].ending))) {
            return known[i].media;
        }
    }
    return "application/octet-stream";
}

static int file_order(const void *key, const void *file)
{
    return str_cmp(*(const Str *)key, ((const ApiFile *)file)->path);
}

static const ApiFile *file_find(const ApiFiles *files, Str path)
{
    return files->n ? bsearch(&path, files->file, files->n, sizeof *files->file, file_order) : NULL;
}

/* Every address without a file's ending is a screen of the workstation. */
static const ApiFile *file_for(const ApiCall *c)
{
    const ApiFiles *web = &c->api->options.web;
    Str path;
    if (!http_decode(c->arena, str_skip(c->http->request.path, 1), false, &path)) {
        return NULL;
    }
    const ApiFile *file = file_find(web, path.n ? path : STR("index.html"));
    return file || str_find_char(path, '.') >= 0 ? file : file_find(web, STR("index.html"));
}

static bool accepts(const ApiCall *c, const char *coding)
{
    Str header = http_header(&c->http->request, "Accept-Encoding");
    return header.n && http_accept_quality(header, str_from_c(coding)) > 0;
}

static Str encoded(ApiCall *c, const ApiFile *f)
{
    if (f->brotli.n && accepts(c, "br")) {
        http_set_header(c->http, "Content-Encoding", STR("br"));
        return f->brotli;
    }
    if (f->gzip.n && accepts(c, "gzip")) {
        http_set_header(c->http, "Content-Encoding", STR("gzip"));
        return f->gzip;
    }
    return f->bytes;
}

Status api_static(ApiCall *c)
{
    const ApiFile *f = file_for(c);
    if (!f) {
        return err_status(&c->err, ERR_NOT_FOUND);
    }
    Str tag = str_from_c(c->api->web_tags[f - c->api->options.web.file].text);
    c->result = (ApiResult){.status = 200, .media = media_of(f->path), .etag = tag};
    bool hashed = str_starts(f->path, STR("assets/"));
    http_set_header(c->http, "Cache-Control",
                    hashed ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
    http_set_header(c->http, "Vary", STR("Accept-Encoding"));
    http_set_header(c->http, "Content-Security-Policy", STR(POLICY));
    http_set_header(c->http, "Referrer-Policy", STR("same-origin"));
    if (http_etag_listed(http_header(&c->http->request, "If-None-Match"), tag)) {
        c->result.status = 304;
        return OK;
    }
    c->result.body = encoded(c, f);
    return OK;
}
