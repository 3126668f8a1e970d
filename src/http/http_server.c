/* The server around libmicrohttpd: its loops, TLS, limits, and an orderly end. */
#include "http_inner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define STOP_WAIT_MS         15000
#define FILES_FOR_THE_REST   256 /* databases, blobs, duplicates */
#define LOOPS_MAX            16
#define CONNECTION_POOL_SIZE (16 * 1024) /* of a request's head; cleared by MHD each time */

/* Reads are answered in the loops themselves, so there is one for each core. */
static unsigned loops_for_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 2 ? 2 : cores > LOOPS_MAX ? LOOPS_MAX : (unsigned)cores;
}

static void options_default(HttpOptions *o)
{
    o->loops = o->loops ? o->loops : loops_for_cores();
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

/* One loop: a daemon that listens to nothing and is given its connections. */
static struct MHD_Daemon *daemon_start(HttpServer *s)
{
    const HttpOptions *o = &s->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
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
        MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL_SIZE,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK,
        http_exchange_begin, s, MHD_OPTION_NOTIFY_COMPLETED, http_exchange_end, s,
        MHD_OPTION_NOTIFY_CONNECTION, http_peer_notify, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static Status loops_start(HttpServer *s, Err *err)
{
    for (unsigned i = 0; i < s->options.loops; i++) {
        if (!(s->loop[i].daemon = daemon_start(s))) {
            return s->options.tls_cert.n
                       ? err_add(err, ERR_INVALID, NULL, STR_NONE, "TLS 证书或私钥不能使用",
                                 "The TLS certificate or key cannot be used")
                       : err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "无法启动连接线程",
                                 "The threads of connections cannot be started");
        }
    }
    return OK;
}

static HttpServer *server_new(const HttpOptions *options)
{
    HttpServer *s = memory_take_zeroed(sizeof *s);
    s->options = *options;
    options_default(&s->options);
    s->options.connections_max = connections_allowed(s->options.connections_max);
    s->loop = memory_take_zeroed(s->options.loops * sizeof *s->loop);
    s->listen_fd = -1;
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
    free(s->loop);
    free(s);
}

/* Also of a half-started server. Workers first: MHD may not stop with a connection suspended. */
static void server_stop(HttpServer *s)
{
    http_accept_stop(s);
    http_workers_stop(s);
    http_streams_end(s);
    for (unsigned i = 0; i < s->options.loops; i++) {
        if (s->loop[i].daemon) {
            MHD_stop_daemon(s->loop[i].daemon);
        }
    }
    if (s->reaper) {
        http_reaper_stop(s);
    }
    server_free(s);
}

Status http_server_open(const HttpOptions *options, HttpServer **ret, Err *err)
{
    signal(SIGPIPE, SIG_IGN);
    if (!memory_reserve_fill()) {
        log_warn("http", "there is less memory than the reserve should have");
    }
    HttpServer *s = server_new(options);
    Status status = http_listen(s, err);
    if (status == OK) {
        status = http_workers_start(s, err);
    }
    if (status == OK) {
        status = http_reaper_start(s, err);
    }
    if (status == OK) {
        status = loops_start(s, err);
    }
    if (status == OK) {
        status = http_accept_start(s, err);
    }
    if (status != OK) {
        server_stop(s);
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
    http_accept_stop(s);
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
