/* One request in its phases, headers, body, answer, each with a deadline of its own. */
#include "http_inner.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BASE_BYTES   ((size_t)512 << 20)
#define ARENA_BODY_FACTOR  16
#define BODY_BYTES_PER_SEC (64 * 1024)

HttpPeer *http_peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void deadline_set(HttpExchange *x, int64_t in_ms)
{
    if (x->peer) {
        atomic_store(&x->peer->graces, 0);
        atomic_store(&x->peer->deadline_ms, in_ms < 0 ? TIME_FOREVER : x->begun_ms + in_ms);
    }
}

static void phase_set(HttpExchange *x, HttpPhase phase)
{
    const HttpOptions *o = &x->server->options;
    x->phase = phase;
    x->begun_ms = time_mono_ms();
    deadline_set(x, phase == HTTP_PHASE_HEADERS ? o->header_ms
                    : phase == HTTP_PHASE_BODY  ? o->body_ms
                                                : o->answer_ms);
}

/*
 * MHD parses the query, too, with a record of the connection's pool for each pair, and leaves the
 * request without an answer where the pool ends (0.9.75). Nobody asks it for them: in the line,
 * which is its own buffer, they are made one.
 */
static void query_join(const char *uri)
{
    for (char *p = strchr((char *)uri, '?'); p && *p; p++) {
        *p = *p == '&' ? '+' : *p;
    }
}

void *http_exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    HttpServer *s = cls;
    HttpExchange *x = memory_take_zeroed(sizeof *x);
    x->server = s;
    x->connection = connection;
    x->started_us = time_mono_us();
    x->peer = http_peer_of(connection);
    arena_init(&x->arena, ARENA_BASE_BYTES);
    x->call.arena = &x->arena;
    x->call.app = s->options.app;
    Str all = arena_str(&x->arena, http_head_target(str_from_c(uri)));
    str_cut(all, '?', &x->call.request.path, &x->call.request.query);
    query_join(uri);
    atomic_fetch_add(&s->active, 1);
    atomic_fetch_add(&s->requests, 1);
    phase_set(x, HTTP_PHASE_HEADERS);
    return x;
}

static HttpMethod method_from(const char *name)
{
    static const struct {
        const char *name;
        HttpMethod method;
    } known[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},   {"POST", HTTP_POST},
                 {"PUT", HTTP_PUT}, {"PATCH", HTTP_PATCH}, {"DELETE", HTTP_DELETE}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].method;
        }
    }
    return HTTP_OTHER;
}

static enum MHD_Result header_copy(void *cls, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    (void)kind;
    HttpExchange *x = cls;
    HttpRequest *r = &x->call.request;
    HttpPair *pair = (HttpPair *)&r->header[r->header_n++];
    pair->name = arena_str(&x->arena, str_from_c(key));
    pair->value = arena_str(&x->arena, str_from_c(value));
    return MHD_YES;
}

static void request_fill(HttpExchange *x, const char *method)
{
    HttpRequest *r = &x->call.request;
    r->method = method_from(method);
    r->method_name = arena_str(&x->arena, str_from_c(method));
    r->address = x->peer ? arena_str(&x->arena, str_from_c(x->peer->address)) : STR_NONE;
    int n = MHD_get_connection_values(x->connection, MHD_HEADER_KIND, NULL, NULL);
    r->header = arena_array(&x->arena, HttpPair, n > 0 ? n : 1);
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, header_copy, x);
}

void http_exchange_refuse(HttpExchange *x, const Err *err)
{
    memset(&x->call.response, 0, sizeof x->call.response);
    x->call.response.status = status_http(err->status);
    x->server->options.refuse(&x->call, err);
}

void http_exchange_busy(HttpExchange *x)
{
    Err err;
    err_init(&err, &x->arena);
    err.retry_after_s = 1;
    (void)err_status(&err, ERR_UNAVAILABLE);
    atomic_fetch_add(&x->server->refused_busy, 1);
    http_exchange_refuse(x, &err);
}

static Str allow_text(Arena *a, unsigned methods)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    Str out = STR_NONE;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (methods & 1u << i) {
            out = out.n ? arena_cat(a, out, STR(", "), str_from_c(names[i])) : str_from_c(names[i]);
        }
    }
    return out;
}

/* Finds the route; false with the refusal set. */
static bool exchange_route(HttpExchange *x)
{
    HttpRequest *r = &x->call.request;
    const HttpOptions *o = &x->server->options;
    unsigned allowed;
    r->route = http_route_find(o->routes, o->routes_n, &x->arena, r, &allowed);
    if (r->route) {
        x->body_max = r->route->body_bytes_max;
        return true;
    }
    Err err;
    err_init(&err, &x->arena);
    (void)err_status(&err, allowed ? ERR_METHOD : ERR_NOT_FOUND);
    if (allowed && str_is(r->method_name, "OPTIONS")) {
        x->call.response.status = 204;
    } else {
        http_exchange_refuse(x, &err);
    }
    if (allowed) {
        http_set_header(&x->call, "Allow", allow_text(&x->arena, allowed));
    }
    return false;
}

void http_exchange_too_large(HttpExchange *x)
{
    Err err;
    err_init(&err, &x->arena);
    (void)err_add(&err, ERR_TOO_LARGE, NULL, STR_NONE, "请求内容超过上限 %zu MiB",
                  "The body is larger than %zu MiB", x->body_max >> 20);
    http_exchange_refuse(x, &err);
}

/* The declared length fits the route and what all uploads together may hold; else refused. */
static bool length_fits(HttpExchange *x)
{
    int64_t length = 0;
    Str declared = http_header(&x->call.request, "Content-Length");
    if (declared.n && !str_to_i64(declared, &length)) {
        length = TIME_FOREVER;
    }
    if ((uint64_t)length > x->body_max) {
        http_exchange_too_large(x);
        return false;
    }
    size_t held = atomic_load(&x->server->bodies_bytes);
    if ((size_t)length > x->server->options.bodies_bytes_max - held) {
        http_exchange_busy(x);
        return false;
    }
    buf_init(&x->body, x->body_max);
    return true;
}

static void *loop_thread(HttpServer *s)
{
    void *thread = pthread_getspecific(s->loop_thread);
    if (!thread && s->options.thread_open) {
        Arena scratch;
        arena_init(&scratch, 1 << 20);
        Err err;
        err_init(&err, &scratch);
        if (s->options.thread_open(s->options.app, &thread, &err) != OK) {
            log_error("http", "a loop cannot open its readers: %.*s",
                      STR_ARG(err.first ? err.first->en : STR_NONE));
        } else {
            pthread_setspecific(s->loop_thread, thread);
        }
        arena_done(&scratch);
    }
    return thread;
}

struct MHD_Response *http_response_make(HttpExchange *x, enum MHD_ResponseMemoryMode mode)
{
    HttpResponse *r = &x->call.response;
    struct MHD_Response *answer =
        r->stream ? http_stream_response(r->stream)
                  : MHD_create_response_from_buffer(r->body.n, (void *)r->body.p, mode);
    for (unsigned i = 0; answer && i < r->header_n; i++) {
        MHD_add_response_header(answer, arena_cstr(&x->arena, r->header[i].name),
                                arena_cstr(&x->arena, r->header[i].value));
    }
    return answer;
}

static enum MHD_Result answer_send(HttpExchange *x)
{
    HttpResponse *r = &x->call.response;
    if (x->last) {
        http_set_header(&x->call, "Connection", STR("close"));
    }
    struct MHD_Response *answer = http_response_make(x, MHD_RESPMEM_PERSISTENT);
    if (!answer) {
        return MHD_NO;
    }
    if (r->stream) {
        deadline_set(x, -1);
    }
    x->sent = true;
    http_tally_answer(x);
    enum MHD_Result ok = http_mhd_queue(x->connection, (unsigned)r->status, answer);
    MHD_destroy_response(answer);
    return ok;
}

/*
 * A refusal at the gate. Without a body it waits for MHD's next step, which keeps the connection
 * alive; with one it goes out at once, while the client may still be sending.
 */
static enum MHD_Result refuse_early(HttpExchange *x)
{
    phase_set(x, HTTP_PHASE_READY);
    bool has_body = http_header(&x->call.request, "Content-Length").n > 0 ||
                    http_header(&x->call.request, "Transfer-Encoding").n > 0;
    if (!has_body) {
        return MHD_YES;
    }
    if (x->peer) {
        http_reaper_linger(x->server, x->peer->fd);
    }
    x->last = true;
    return answer_send(x);
}

static enum MHD_Result exchange_open(HttpExchange *x, const char *method, const char *version)
{
    HttpServer *s = x->server;
    request_fill(x, method);
    x->call.thread = loop_thread(s);
    bool room = !memory_is_short() || memory_reserve_fill();
    if (!room || (!x->call.thread && s->options.thread_open)) {
        http_exchange_busy(x);
        return refuse_early(x);
    }
    if (!http_head_good(x, version) || !exchange_route(x) || !length_fits(x) ||
        (s->options.gate && !s->options.gate(&x->call))) {
        return refuse_early(x);
    }
    phase_set(x, HTTP_PHASE_BODY);
    return MHD_YES;
}

static enum MHD_Result body_take(HttpExchange *x, const char *data, size_t *data_n)
{
    HttpServer *s = x->server;
    size_t n = *data_n;
    *data_n = 0;
    if (x->too_large || x->body.n + n > x->body_max) {
        x->too_large = true;
        return MHD_YES; /* read on and dropped, until the body's deadline */
    }
    if (atomic_fetch_add(&s->bodies_bytes, n) + n > s->options.bodies_bytes_max) {
        atomic_fetch_sub(&s->bodies_bytes, n);
        return MHD_NO;
    }
    buf_bytes(&x->body, data, n);
    deadline_set(x, s->options.body_ms + (int64_t)(x->body.n / BODY_BYTES_PER_SEC) * MS_SECOND);
    return MHD_YES;
}

void http_exchange_run(HttpExchange *x, void *thread)
{
    x->call.thread = thread;
    if (http_body_plain(x)) {
        x->call.request.route->handler(&x->call);
    }
}

/* True: it is answered; a brief one may be left to a worker. */
static bool exchange_try(HttpExchange *x)
{
    unsigned flags = x->call.request.route->flags;
    x->call.brief = flags & HTTP_BRIEF;
    if (!(flags & (HTTP_INLINE | HTTP_BRIEF))) {
        return false;
    }
    http_exchange_run(x, x->call.thread);
    bool answered = !x->call.later;
    x->call.brief = x->call.later = false;
    return answered;
}

void http_exchange_memory(HttpExchange *x)
{
    x->arena.cap_bytes = ARENA_BASE_BYTES + ARENA_BODY_FACTOR * x->body.n;
}

static enum MHD_Result exchange_dispatch(HttpExchange *x)
{
    HttpServer *s = x->server;
    x->call.request.body = buf_str(&x->body);
    http_exchange_memory(x);
    if (x->too_large) {
        http_exchange_too_large(x);
    } else if (!exchange_try(x)) {
        phase_set(x, HTTP_PHASE_WORK);
        MHD_suspend_connection(x->connection);
        if (http_queue_put(s, x)) {
            return MHD_YES;
        }
        MHD_resume_connection(x->connection);
        http_exchange_busy(x);
        x->phase = HTTP_PHASE_READY;
        return MHD_YES;
    }
    phase_set(x, HTTP_PHASE_READY);
    return answer_send(x);
}

enum MHD_Result http_exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *data_n, void **con_cls)
{
    (void)cls;
    (void)connection;
    (void)url;
    HttpExchange *x = *con_cls;
    switch (x->phase) {
    case HTTP_PHASE_HEADERS:
        return exchange_open(x, method, version);
    case HTTP_PHASE_BODY:
        return *data_n ? body_take(x, data, data_n) : exchange_dispatch(x);
    case HTTP_PHASE_WORK:
        return MHD_YES;
    case HTTP_PHASE_READY:
        *data_n = 0;
        return x->sent ? MHD_YES : answer_send(x);
    }
    return MHD_NO;
}

void http_exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                       enum MHD_RequestTerminationCode why)
{
    (void)connection;
    HttpServer *s = cls;
    HttpExchange *x = *con_cls;
    if (!x) {
        return;
    }
    *con_cls = NULL;
    if (why == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED) {
        atomic_fetch_add(&s->dropped_late, 1);
    }
    if (x->call.response.stream) {
        http_stream_detach(x->call.response.stream);
    }
    if (x->peer) {
        atomic_store(&x->peer->deadline_ms, time_mono_ms() + s->options.idle_ms);
    }
    atomic_fetch_sub(&s->bodies_bytes, x->body.n);
    buf_done(&x->body);
    arena_done(&x->arena);
    free(x);
    atomic_fetch_sub(&s->active, 1);
}

/* Once for all requests of the connection. */
static void address_write(struct MHD_Connection *connection, HttpPeer *p)
{
    const struct sockaddr *from =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const void *address = (const void *)from;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = address;
        inet_ntop(AF_INET, &in->sin_addr, p->address, sizeof p->address);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = address;
        inet_ntop(AF_INET6, &in->sin6_addr, p->address, sizeof p->address);
    }
}

static void loop_leave(HttpServer *s, struct MHD_Connection *connection)
{
    struct MHD_Daemon *daemon =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON)->daemon;
    for (unsigned i = 0; i < s->options.loops; i++) {
        if (s->loop[i].daemon == daemon) {
            atomic_fetch_sub(&s->loop[i].connections, 1);
        }
    }
}

void http_peer_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                      enum MHD_ConnectionNotificationCode code)
{
    HttpServer *s = cls;
    pthread_mutex_lock(&s->peers_lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        HttpPeer *p = memory_take_zeroed(sizeof *p);
        p->server = s;
        p->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        address_write(connection, p);
        atomic_init(&p->deadline_ms, time_mono_ms() + s->options.header_ms);
        p->next = s->peers;
        if (p->next) {
            p->next->prev = p;
        }
        s->peers = p;
        s->peers_n++;
        *socket_context = p;
    } else if (*socket_context) {
        HttpPeer *p = *socket_context;
        *(p->prev ? &p->prev->next : &s->peers) = p->next;
        if (p->next) {
            p->next->prev = p->prev;
        }
        s->peers_n--;
        loop_leave(s, connection);
        free(p);
        *socket_context = NULL;
    }
    pthread_mutex_unlock(&s->peers_lock);
}
