/* gzip, both ways: answers for who accepts it, request bodies within the route's limit. */
#include "http_inner.h"

#include <zlib.h>

#define STEP_BYTES  65536
#define GZIP_WINDOW (15 + 16) /* zlib's way to say gzip */
#define GZIP_MEMORY 8

bool http_gzip(Arena *a, Str bytes, Str *ret)
{
    z_stream z = {0};
    if (bytes.n > INT32_MAX || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                                            Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    uLong room = deflateBound(&z, bytes.n);
    char *out = arena_alloc(a, room);
    z.next_in = (Bytef *)bytes.p;
    z.avail_in = (uInt)bytes.n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
    size_t n = z.total_out;
    deflateEnd(&z);
    if (done && n < bytes.n) {
        *ret = (Str){out, n};
        return true;
    }
    return false;
}

static Status not_gzip(Err *err)
{
    return err_add(err, ERR_INVALID, NULL, STR("Content-Encoding"), "请求内容不是完好的 gzip",
                   "The body is not sound gzip");
}

/* Steps until the input is used up; several members follow each other. */
static Status inflate_all(z_stream *z, Buf *out, size_t max, Err *err)
{
    for (int r = Z_OK; z->avail_in > 0 || r == Z_OK;) {
        char step[STEP_BYTES];
        z->next_out = (Bytef *)step;
        z->avail_out = sizeof step;
        r = inflate(z, Z_NO_FLUSH);
        size_t made = sizeof step - z->avail_out;
        if (out->n + made > max) {
            return ERR_TOO_LARGE;
        }
        buf_bytes(out, step, made);
        if (r == Z_STREAM_END && z->avail_in > 0) {
            r = inflateReset(z);
        }
        if ((r != Z_OK && r != Z_STREAM_END) || (r == Z_OK && made == 0 && z->avail_in == 0)) {
            return not_gzip(err);
        }
    }
    return OK;
}

/* ERR_TOO_LARGE: more than max. */
static Status gunzip(Str bytes, size_t max, Buf *out, Err *err)
{
    z_stream z = {.next_in = (Bytef *)bytes.p, .avail_in = (uInt)bytes.n};
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK) {
        return ERR_UNAVAILABLE;
    }
    Status s = inflate_all(&z, out, max, err);
    inflateEnd(&z);
    return s;
}

static bool body_refuse(HttpExchange *x, Status status, Err *err)
{
    if (status == ERR_TOO_LARGE) {
        http_exchange_too_large(x);
    } else if (status == ERR_UNAVAILABLE) {
        http_exchange_busy(x);
    } else {
        http_exchange_refuse(x, err);
    }
    return false;
}

/* The plain bytes take the place of the packed ones, within what all bodies together may hold. */
static bool body_unpack(HttpExchange *x, Err *err)
{
    HttpServer *s = x->server;
    Buf plain;
    buf_init(&plain, x->body_max);
    Status status = gunzip(buf_str(&x->body), x->body_max, &plain, err);
    size_t held = atomic_fetch_add(&s->bodies_bytes, plain.n) + plain.n;
    if (status == OK && held > s->options.bodies_bytes_max) {
        status = ERR_UNAVAILABLE;
    }
    if (status != OK) {
        atomic_fetch_sub(&s->bodies_bytes, plain.n);
        buf_done(&plain);
        return body_refuse(x, status, err);
    }
    atomic_fetch_sub(&s->bodies_bytes, x->body.n);
    buf_done(&x->body);
    x->body = plain;
    x->call.request.body = buf_str(&x->body);
    http_exchange_memory(x);
    return true;
}

bool http_body_plain(HttpExchange *x)
{
    Str coding = str_trim(http_header(&x->call.request, "Content-Encoding"));
    if (x->plain || x->body.n == 0 || str_empty(coding) || str_eq_nocase(coding, STR("identity"))) {
        return true;
    }
    Err err;
    err_init(&err, &x->arena);
    x->plain = true;
    if (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("x-gzip"))) {
        return body_unpack(x, &err);
    }
    (void)err_add(&err, ERR_MEDIA, NULL, STR("Content-Encoding"),
                  "请求内容只能以 gzip 压缩，不能是“%.*s”",
                  "A body may be packed with gzip; this is '%.*s'", STR_ARG(coding));
    http_exchange_refuse(x, &err);
    http_set_header(&x->call, "Accept-Encoding", STR("gzip"));
    return false;
}
