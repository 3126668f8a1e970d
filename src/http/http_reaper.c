/* One thread that shuts connections past their deadline, and reads out those that were refused. */
#include "http_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS    100
#define LINGER_MS  5000
#define GRACES_MAX 3

/* What was sent and waits to be read: it is we who are late, not the client. A few times at most,
 * so that bytes that nobody asked for keep no connection alive. */
static bool grace_given(HttpServer *s, HttpPeer *p, int64_t now)
{
    int waiting = 0;
    if (atomic_load(&p->graces) >= GRACES_MAX || ioctl(p->fd, FIONREAD, &waiting) != 0 ||
        waiting == 0) {
        return false;
    }
    atomic_fetch_add(&p->graces, 1);
    atomic_store(&p->deadline_ms, now + s->options.header_ms);
    return true;
}

static void peers_reap(HttpServer *s)
{
    int64_t now = time_mono_ms();
    pthread_mutex_lock(&s->peers_lock);
    for (HttpPeer *p = s->peers; p; p = p->next) {
        if (atomic_load(&p->deadline_ms) < now && !grace_given(s, p, now)) {
            atomic_store(&p->deadline_ms, TIME_FOREVER);
            atomic_fetch_add(&s->dropped_late, 1);
            shutdown(p->fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&s->peers_lock);
}

/* Reads what the client still sends; false once it has ended or its time is over. */
static bool linger_drain(const HttpLinger *l, int64_t now)
{
    char sink[65536];
    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(l->fd, sink, sizeof sink, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        if (n < 0) {
            break;
        }
    }
    return now < l->until_ms;
}

static bool lingers_drain(HttpServer *s)
{
    int64_t now = time_mono_ms();
    pthread_mutex_lock(&s->peers_lock);
    for (unsigned i = 0; i < s->linger_n;) {
        if (linger_drain(&s->linger[i], now) && !atomic_load(&s->reaper_stop)) {
            i++;
            continue;
        }
        close(s->linger[i].fd);
        s->linger[i] = s->linger[--s->linger_n];
    }
    bool any = s->linger_n > 0;
    pthread_mutex_unlock(&s->peers_lock);
    return any;
}

void http_reaper_linger(HttpServer *s, int fd)
{
    pthread_mutex_lock(&s->peers_lock);
    if (s->linger_n < HTTP_LINGER_MAX) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0) {
            s->linger[s->linger_n++] = (HttpLinger){copy, time_mono_ms() + LINGER_MS};
        }
    }
    pthread_mutex_unlock(&s->peers_lock);
}

void http_peer_shut(HttpServer *s, HttpPeer *peer)
{
    pthread_mutex_lock(&s->peers_lock);
    for (HttpPeer *p = s->peers; p; p = p->next) {
        if (p == peer) {
            shutdown(p->fd, SHUT_RDWR);
            break;
        }
    }
    pthread_mutex_unlock(&s->peers_lock);
}

static void *reaper_main(void *arg)
{
    HttpServer *s = arg;
    int64_t reaped = 0;
    while (!atomic_load(&s->reaper_stop)) {
        bool lingering = lingers_drain(s);
        int64_t now = time_mono_ms();
        if (now - reaped >= TICK_MS) {
            reaped = now;
            peers_reap(s);
        }
        struct timespec pause = {0, (lingering ? 5 : TICK_MS) * 1000000L};
        nanosleep(&pause, NULL);
    }
    lingers_drain(s);
    return NULL;
}

Status http_reaper_start(HttpServer *s, Err *err)
{
    if (pthread_create(&s->reaper, NULL, reaper_main, s) != 0) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "无法启动超时线程",
                       "The deadline thread cannot be started");
    }
    return OK;
}

void http_reaper_stop(HttpServer *s)
{
    atomic_store(&s->reaper_stop, true);
    pthread_join(s->reaper, NULL);
}
