/* The server around libmicrohttpd: its socket, TLS, limits, and an orderly end. */
#include "http_inner.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STOP_WAIT_MS         15000
#define FILES_FOR_THE_REST   256         /* databases, blobs, duplicates */
#define CONNECTION_POOL_SIZE (32 * 1024) /* cleared by MHD at each request */

static void options_default(HttpOptions *o)
{
    o->loops = o->loops ? o->loops : 2;
    o->workers = o->workers ? o->workers : 16;
    o->queue_max = o->queue_max ? o->queue_max : 512;
    o->connections_max = o->connections_max ? o->connections_max : 10000;
    o->bodies_bytes_max = o->bodies_bytes_max ? o->bodies_bytes_max : (size_t)512 << 20;
    o->header_ms = o->header_ms ? o->header_ms : 10 * MS_SECOND;
    o->body_ms = o->body_ms ? o->body_ms : 30 * MS_SECOND;
    o->answer_ms = o->answer_ms ? o->answer_ms : 60 * MS_SECOND;
    o->idle_ms = o->idle_ms ? o->idle_ms : 75 * MS_SECOND;
}

/* Raises the limit of open files as far as the system lets us; what it allows for connections. */
static unsigned connections_allowed(unsigned wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 512;
    }
    rlim_t need = wanted + FILES_FOR_THE_REST;
    if (limit.rlim_cur < need) {
        limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            getrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    rlim_t free_files =
        limit.rlim_cur > FILES_FOR_THE_REST + 64 ? limit.rlim_cur - FILES_FOR_THE_REST : 64;
    return free_files < wanted ? (unsigned)free_files : wanted;
}

static Status listen_failed(const HttpOptions *o, int fd, int reason, Err *err)
{
    if (fd >= 0) {
        close(fd);
    }
    return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "无法监听 %s:%u：%s",
                   "Cannot listen on %s:%u: %s", o->host, o->port, strerror(reason));
}

static Status socket_listen(const HttpOptions *o, int *ret_fd, uint16_t *ret_port, Err *err)
{
    char port[8];
    snprintf(port, sizeof port, "%u", o->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(o->host, port, &hints, &found) != 0) {
        return err_add(err, ERR_INVALID, NULL, STR_NONE, "监听地址 %s 无效",
                       "The address %s cannot be used", o->host);
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_storage bound;
    socklen_t bound_n = sizeof bound;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0 &&
              getsockname(fd, (struct sockaddr *)&bound, &bound_n) == 0;
    int reason = errno;
    freeaddrinfo(found);
    if (!ok) {
        return listen_failed(o, fd, reason, err);
    }
    getnameinfo((struct sockaddr *)&bound, bound_n, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    *ret_fd = fd;
    *ret_port = (uint16_t)strtoul(port, NULL, 10);
    return OK;
}

static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

static void quiet(void *cls, const char *format, va_list arguments)
{
    (void)cls;
    char line[400];
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\r\n")] = 0;
    log_debug("http", "%s", line);
}

static struct MHD_Daemon *daemon_start(HttpServer *s, int fd)
{
    const HttpOptions *o = &s->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)o->tls_cert.p},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)o->tls_key.p},
                                   {MHD_OPTION_END, 0, NULL}};
    if (!o->tls_cert.n) {
        tls[0].option = MHD_OPTION_END;
    } else {
        flags |= MHD_USE_TLS;
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_exchange_step, s, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, o->loops,
        MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL_SIZE,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK,
        http_exchange_begin, s, MHD_OPTION_NOTIFY_COMPLETED, http_exchange_end, s,
        MHD_OPTION_NOTIFY_CONNECTION, http_peer_notify, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static HttpServer *server_new(const HttpOptions *options)
{
    HttpServer *s = memory_take_zeroed(sizeof *s);
    s->options = *options;
    options_default(&s->options);
    s->options.connections_max = connections_allowed(s->options.connections_max);
    pthread_mutex_init(&s->queue.lock, NULL);
    pthread_cond_init(&s->queue.filled, NULL);
    pthread_mutex_init(&s->peers_lock, NULL);
    pthread_mutex_init(&s->streams_lock, NULL);
    pthread_key_create(&s->loop_thread, s->options.thread_close);
    http_tally_open(s);
    return s;
}

static void server_free(HttpServer *s)
{
    http_tally_close(s);
    pthread_key_delete(s->loop_thread);
    pthread_mutex_destroy(&s->queue.lock);
    pthread_cond_destroy(&s->queue.filled);
    pthread_mutex_destroy(&s->peers_lock);
    pthread_mutex_destroy(&s->streams_lock);
    free(s);
}

/* Also of a half-started server. Workers first: MHD may not stop with a connection suspended. */
static void server_stop(HttpServer *s)
{
    http_workers_stop(s);
    http_streams_end(s);
    if (s->daemon) {
        MHD_stop_daemon(s->daemon);
    }
    if (s->reaper) {
        http_reaper_stop(s);
    }
    server_free(s);
}

Status http_server_open(const HttpOptions *options, HttpServer **ret, Err *err)
{
    int fd;
    uint16_t port;
    TRY(socket_listen(options, &fd, &port, err));
    signal(SIGPIPE, SIG_IGN);
    if (!memory_reserve_fill()) {
        log_warn("http", "there is less memory than the reserve should have");
    }
    HttpServer *s = server_new(options);
    s->port = port;
    Status status = http_workers_start(s, err);
    if (status == OK) {
        status = http_reaper_start(s, err);
    }
    if (status == OK && !(s->daemon = daemon_start(s, fd))) {
        status = options->tls_cert.n
                     ? err_add(err, ERR_INVALID, NULL, STR_NONE, "TLS 证书或私钥不能使用",
                               "The TLS certificate or key cannot be used")
                     : listen_failed(options, -1, errno, err);
    }
    if (status != OK) {
        server_stop(s);
        close(fd);
        return status;
    }
    *ret = s;
    return OK;
}

uint16_t http_server_port(const HttpServer *s)
{
    return s->port;
}

void http_server_close(HttpServer *s)
{
    int fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0) {
        close(fd);
    }
    atomic_store(&s->stopping, true);
    for (int64_t until = time_mono_ms() + STOP_WAIT_MS;
         atomic_load(&s->active) > 0 && time_mono_ms() < until;) {
        http_streams_end(s);
        struct timespec pause = {0, 5 * 1000000L};
        nanosleep(&pause, NULL);
    }
    server_stop(s);
}

HttpCounts http_server_counts(const HttpServer *server)
{
    HttpServer *s = (HttpServer *)server;
    HttpCounts c = {.requests = atomic_load(&s->requests),
                    .refused_busy = atomic_load(&s->refused_busy),
                    .dropped_late = atomic_load(&s->dropped_late)};
    pthread_mutex_lock(&s->peers_lock);
    c.connections = s->peers_n;
    pthread_mutex_unlock(&s->peers_lock);
    pthread_mutex_lock(&s->queue.lock);
    c.queued = s->queue.n;
    pthread_mutex_unlock(&s->queue.lock);
    pthread_mutex_lock(&s->streams_lock);
    c.streams = s->streams_n;
    pthread_mutex_unlock(&s->streams_lock);
    return c;
}

bool http_tls_supported(void)
{
    return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES;
}
