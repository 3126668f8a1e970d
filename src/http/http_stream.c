/* An answer that goes on: the application writes, the connection takes as it can. */
#include "http_inner.h"

#include <stdlib.h>

struct HttpStream {
    pthread_mutex_t lock;
    int refs; /* the app's, and the connection's until it is detached */
    Buf pending;
    size_t taken;
    size_t pending_max;
    bool ended;     /* by the app: what is pending is still sent */
    bool broken;    /* by the reader, or dropped */
    bool suspended; /* the connection waits for bytes; only then may it be resumed */
    HttpServer *server;
    HttpExchange *exchange; /* NULL once detached */
    HttpStream *prev, *next;
};

HttpStream *http_stream_new(HttpCall *call, size_t pending_bytes_max)
{
    HttpExchange *x = (HttpExchange *)call; /* call is its first member */
    HttpStream *s = memory_take_zeroed(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->refs = 2;
    s->pending_max = pending_bytes_max;
    buf_init(&s->pending, 0);
    s->server = x->server;
    s->exchange = x;
    call->response.stream = s;
    pthread_mutex_lock(&s->server->streams_lock);
    s->next = s->server->streams;
    if (s->next) {
        s->next->prev = s;
    }
    s->server->streams = s;
    s->server->streams_n++;
    pthread_mutex_unlock(&s->server->streams_lock);
    return s;
}

static void stream_unref(HttpStream *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (last) {
        buf_done(&s->pending);
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

/* With the lock held. */
static void stream_wake(HttpStream *s)
{
    if (s->suspended && s->exchange) {
        s->suspended = false;
        MHD_resume_connection(s->exchange->connection);
    }
}

bool http_stream_write(HttpStream *s, Str bytes)
{
    pthread_mutex_lock(&s->lock);
    bool slow = s->pending.n - s->taken + bytes.n > s->pending_max;
    HttpPeer *drop = slow && !s->broken && s->exchange ? s->exchange->peer : NULL;
    s->broken = s->broken || slow;
    bool ok = !s->broken && !s->ended;
    if (ok) {
        buf_add(&s->pending, bytes);
    }
    stream_wake(s);
    pthread_mutex_unlock(&s->lock);
    if (drop) {
        http_peer_shut(s->server, drop);
    }
    return ok;
}

size_t http_stream_pending(HttpStream *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->pending.n - s->taken;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void http_stream_close(HttpStream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    stream_wake(s);
    pthread_mutex_unlock(&s->lock);
    stream_unref(s);
}

/* MHD asks for bytes. Nothing there: the connection sleeps until someone writes. */
static ssize_t stream_read(void *cls, uint64_t at, char *out, size_t room)
{
    (void)at;
    HttpStream *s = cls;
    pthread_mutex_lock(&s->lock);
    size_t n = s->pending.n - s->taken;
    ssize_t ret = (ssize_t)(n < room ? n : room);
    if (s->broken || (n == 0 && s->ended)) {
        ret = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (n == 0) {
        s->suspended = true;
        MHD_suspend_connection(s->exchange->connection);
    } else {
        memcpy(out, s->pending.p + s->taken, (size_t)ret);
        s->taken += (size_t)ret;
        if (s->taken == s->pending.n) {
            buf_clear(&s->pending);
            s->taken = 0;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return ret;
}

struct MHD_Response *http_stream_response(HttpStream *s)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, s, NULL);
}

void http_stream_detach(HttpStream *s)
{
    HttpServer *server = s->server;
    pthread_mutex_lock(&server->streams_lock);
    *(s->prev ? &s->prev->next : &server->streams) = s->next;
    if (s->next) {
        s->next->prev = s->prev;
    }
    server->streams_n--;
    pthread_mutex_unlock(&server->streams_lock);
    pthread_mutex_lock(&s->lock);
    s->broken = true;
    s->exchange = NULL;
    pthread_mutex_unlock(&s->lock);
    stream_unref(s);
}

void http_streams_end(HttpServer *server)
{
    pthread_mutex_lock(&server->streams_lock);
    for (HttpStream *s = server->streams; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        s->ended = true;
        stream_wake(s);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&server->streams_lock);
}
