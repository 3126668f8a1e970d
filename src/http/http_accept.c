/*
 * The listening socket and the thread that accepts: each connection goes to the loop that has the
 * fewest. Left to race for a shared socket, one loop may take them all and the others idle.
 */
#include "http_inner.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG        1024
#define FULL_WAIT_MS   10  /* before looking again for room */
#define FAILED_WAIT_MS 100 /* no file or no memory for it */

Status http_listen(HttpServer *s, Err *err)
{
    const HttpOptions *o = &s->options;
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
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_storage bound;
    socklen_t bound_n = sizeof bound;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0 &&
              getsockname(fd, (struct sockaddr *)&bound, &bound_n) == 0;
    int reason = errno;
    freeaddrinfo(found);
    if (!ok) {
        if (fd >= 0) {
            close(fd);
        }
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "无法监听 %s:%u：%s",
                       "Cannot listen on %s:%u: %s", o->host, o->port, strerror(reason));
    }
    getnameinfo((struct sockaddr *)&bound, bound_n, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    s->listen_fd = fd;
    s->port = (uint16_t)strtoul(port, NULL, 10);
    return OK;
}

/* Until there is room for another connection, or the end. The rest wait in the kernel's backlog. */
static void room_wait(HttpServer *s)
{
    for (bool full = true; full && !atomic_load(&s->stopping);) {
        pthread_mutex_lock(&s->peers_lock);
        full = s->peers_n >= s->options.connections_max;
        pthread_mutex_unlock(&s->peers_lock);
        if (full) {
            nanosleep(&(struct timespec){0, FULL_WAIT_MS * 1000000L}, NULL);
        }
    }
}

static HttpLoop *loop_choose(HttpServer *s)
{
    HttpLoop *least = &s->loop[0];
    for (unsigned i = 1; i < s->options.loops; i++) {
        if (atomic_load(&s->loop[i].connections) < atomic_load(&least->connections)) {
            least = &s->loop[i];
        }
    }
    return least;
}

static void connection_give(HttpServer *s, int fd, const struct sockaddr *from, socklen_t from_n)
{
    HttpLoop *loop = loop_choose(s);
    atomic_fetch_add(&loop->connections, 1);
    if (MHD_add_connection(loop->daemon, fd, from, from_n) != MHD_YES) {
        atomic_fetch_sub(&loop->connections, 1);
        log_warn("http", "a connection could not be taken: %s", strerror(errno));
    }
}

static void *accept_main(void *arg)
{
    HttpServer *s = arg;
    while (!atomic_load(&s->stopping)) {
        room_wait(s);
        struct sockaddr_storage from;
        socklen_t from_n = sizeof from;
        int fd =
            accept4(s->listen_fd, (struct sockaddr *)&from, &from_n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            connection_give(s, fd, (struct sockaddr *)&from, from_n);
        } else if (errno != EINTR && errno != ECONNABORTED && !atomic_load(&s->stopping)) {
            log_warn("http", "a connection has to wait: %s", strerror(errno));
            nanosleep(&(struct timespec){0, FAILED_WAIT_MS * 1000000L}, NULL);
        }
    }
    return NULL;
}

Status http_accept_start(HttpServer *s, Err *err)
{
    if (pthread_create(&s->acceptor, NULL, accept_main, s) != 0) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "无法启动接受连接的线程",
                       "The accepting thread cannot be started");
    }
    s->accepting = true;
    return OK;
}

void http_accept_stop(HttpServer *s)
{
    atomic_store(&s->stopping, true);
    if (s->accepting) {
        shutdown(s->listen_fd, SHUT_RD); /* wakes accept4 */
        pthread_join(s->acceptor, NULL);
        s->accepting = false;
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        s->listen_fd = -1;
    }
}
