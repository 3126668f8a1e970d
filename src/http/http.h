/*
 * Http: an HTTP/1.1 server over libmicrohttpd that knows nothing of what it serves.
 *
 * A table of routes says which handler answers which method and path. Loop threads (epoll)
 * read requests and run handlers marked HTTP_INLINE; all others run on a pool of workers over
 * a bounded queue while the connection is suspended. A full queue is answered 503 at once.
 *
 * Everything is bounded: body bytes per route (413, at once when the length is declared; a body
 * that comes packed with gzip is unpacked within the same limit),
 * bytes of all bodies together, open connections, the request's arena, and the total time of
 * each phase (headers, body, answer) by a reaper that closes what drips past it.
 *
 * Lifetimes: request, response and all they point to live in the request's arena until the
 * answer has been sent. A `thread` value is made by the app for each thread that runs
 * handlers (database connections) and freed with it.
 */
#ifndef HTTP_H
#define HTTP_H

#include "mk.h"

typedef enum HttpMethod {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_PATCH = 16,
    HTTP_DELETE = 32,
    HTTP_OTHER = 64 /* anything else */
} HttpMethod;
#define HTTP_ANY 127u

typedef struct HttpPair {
    Str name, value;
} HttpPair;

#define HTTP_PARTS_MAX   6
#define HTTP_HEADERS_MAX 24

typedef struct HttpRoute HttpRoute;
typedef struct HttpStream HttpStream;
typedef struct HttpServer HttpServer;

typedef struct HttpRequest {
    HttpMethod method; /* HEAD stays HEAD; its handler is GET's */
    Str method_name;
    Str path;    /* as sent, before '?' */
    Str query;   /* as sent, after '?' */
    Str address; /* the client's, as text */
    const HttpPair *header;
    size_t header_n;
    Str body;
    const HttpRoute *route;
    Str part[HTTP_PARTS_MAX]; /* what the pattern's {names} stand for, decoded, in order */
    unsigned part_n;
} HttpRequest;

typedef struct HttpResponse {
    int status;
    HttpPair header[HTTP_HEADERS_MAX];
    unsigned header_n;
    Str body;
    HttpStream *stream; /* instead of a body */
} HttpResponse;

typedef struct HttpCall {
    HttpRequest request;
    HttpResponse response;
    Arena *arena;
    void *app;    /* HttpOptions.app */
    void *thread; /* of the thread that runs the handler */
    void *user;   /* from the gate to the handler; in the arena */
    bool brief;   /* HTTP_BRIEF, in the loop's thread: the handler may set later instead */
    bool later;   /* nothing is answered: a worker runs the handler again */
} HttpCall;

typedef void HttpHandler(HttpCall *call);

enum {
    HTTP_INLINE = 1, /* costs one probe: answered in the loop's thread */
    HTTP_BRIEF = 2,  /* tried there, and left to a worker when it is not over soon */
};

/*
 * pattern: "/fhir/{type}/{id}"; a {name} stands for one segment that does not begin with '$' or
 * '_' (a {Name} for one that begins with a capital letter); a last "*" for whatever follows. The
 * first row that fits path and method is taken, rows without '*' before rows with it. A path that
 * fits only other methods' rows is 405 with Allow.
 */
struct HttpRoute {
    unsigned methods; /* HttpMethod bits; GET serves HEAD too */
    const char *pattern;
    HttpHandler *handler;
    unsigned flags;
    size_t body_bytes_max;
    const void *data; /* the app's */
};

typedef struct HttpOptions {
    const char *host;      /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;         /* 0: a free one */
    Str tls_cert, tls_key; /* PEM; empty: plain */
    const HttpRoute *routes;
    size_t routes_n;
    void *app;
    Status (*thread_open)(void *app, void **ret, Err *err); /* may be NULL, with thread_close */
    void (*thread_close)(void *thread);
    /* Headers are there, the body is not: true lets it in, false when the response is set. */
    bool (*gate)(HttpCall *call);
    /* Fills the response for a refusal of the server's own (404, 405, 413, 503). */
    void (*refuse)(HttpCall *call, const Err *err);
    /* What follows is 0 for the default. */
    unsigned loops;           /* 2 */
    unsigned workers;         /* 16 */
    unsigned queue_max;       /* 512 */
    unsigned connections_max; /* 10,000, lowered to what the system's limit of open files allows */
    size_t bodies_bytes_max;  /* of all requests together: 512 MiB */
    int header_ms, body_ms, answer_ms, idle_ms; /* 10 s; 30 s + 1 s per 64 KiB; 60 s; 75 s */
} HttpOptions;

/* ERR_INVALID: the address cannot be used; ERR_UNAVAILABLE: it is taken. */
Status http_server_open(const HttpOptions *options, HttpServer **ret, Err *err) MUST_USE;
uint16_t http_server_port(const HttpServer *s);
/* Takes no more connections, ends streams, finishes what was accepted (at most 15 s), frees. */
void http_server_close(HttpServer *s);

typedef struct HttpCounts {
    uint64_t requests, refused_busy, dropped_late;
    unsigned connections, queued, streams;
} HttpCounts;
HttpCounts http_server_counts(const HttpServer *s);

/* Answers of one route by status, and by time from the request line to the answer. */
#define HTTP_STATUSES_COUNTED 22
#define HTTP_BUCKETS          12
extern const int HTTP_COUNTED_STATUS[HTTP_STATUSES_COUNTED]; /* the last, 0: any other */
extern const int HTTP_BUCKET_US[HTTP_BUCKETS];               /* upper bounds */
typedef struct HttpRouteCounts {
    uint64_t status[HTTP_STATUSES_COUNTED];
    uint64_t bucket[HTTP_BUCKETS + 1]; /* each its own, not summed; the last has no bound */
    uint64_t sum_us;
} HttpRouteCounts;
/* route: index in HttpOptions.routes; routes_n: what fitted none. */
void http_server_route_counts(const HttpServer *s, size_t route, HttpRouteCounts *ret);
bool http_tls_supported(void);

/* ---- request and response ---------------------------------------------------------------- */

/* Header by name (any case); STR_NONE if absent. */
Str http_header(const HttpRequest *r, const char *name);
/* Value of a cookie; STR_NONE if absent. */
Str http_cookie(const HttpRequest *r, const char *name);
/* name is a literal; value must live as long as the call (arena, literal). */
void http_set_header(HttpCall *call, const char *name, Str value);

/* ---- text of the protocol (pure) ----------------------------------------------------------- */

/* Percent-decoding; '+' becomes a space when `form`. False on a broken escape. */
bool http_decode(Arena *a, Str s, bool form, Str *ret);
/* Next "name=value" of a query or form body: cuts it from *rest. False at the end. Still encoded.
 */
bool http_next_pair(Str *rest, Str *ret_name, Str *ret_value);
/* How much an Accept header wants "type/sub": 0 (not at all) … 1000. An empty header wants
 * everything. */
int http_accept_quality(Str accept, Str media);
/*
 * Of these types the one that an Accept header wants most: by its quality, then by how closely it
 * names it, then by their order here. An empty header wants the first. -1: none of them.
 */
int http_accept_best(Str accept, const char *const *media, size_t n);
/* The bytes packed; false where that gains nothing. */
bool http_gzip(Arena *a, Str bytes, Str *ret);
/* An If-None-Match list has this tag (weak comparison), or is "*". */
bool http_etag_listed(Str list, Str etag);
/* The opaque part of W/"x" or "x"; STR_NONE if it is neither. */
Str http_etag_value(Str etag);
/* "Sun, 22 Nov 2026 08:00:00 GMT" */
Str http_date(Arena *a, int64_t ms);
/* Reads that form and no other (RFC 9110's obsolete two are false). */
bool http_date_parse(Str s, int64_t *ret_ms);
/* The media type of a Content-Type, lower case, without parameters. */
Str http_media(Arena *a, Str content_type);

/* Pure: the route for a path, or NULL with the methods that would do (0: no such path). */
const HttpRoute *http_route_find(const HttpRoute *routes, size_t n, Arena *a, HttpRequest *request,
                                 unsigned *ret_allowed);

/* ---- event streams ----------------------------------------------------------------------------
 */

/*
 * Turns the call's response into a stream that the app writes to from any thread until either
 * side ends it. The app holds one reference, given back by http_stream_close.
 */
HttpStream *http_stream_new(HttpCall *call, size_t pending_bytes_max);
/* False: the reader is gone, or too slow (more than the maximum would wait) and now dropped. */
bool http_stream_write(HttpStream *s, Str bytes);
/* Bytes not yet taken by the connection. */
size_t http_stream_pending(HttpStream *s);
void http_stream_close(HttpStream *s);

#endif
