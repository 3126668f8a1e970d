/*
 * Inside of the room: what server, exchange, workers, reaper and streams share.
 *
 * Threads: one accepts and gives each connection to a loop. MHD's loop threads run everything in
 * http_exchange.c except http_exchange_run, which a worker runs while its connection is suspended.
 * The reaper only ever shuts sockets down, under `peers_lock`, which also guards a peer's life; a
 * shut socket is then closed by the loop like any broken connection.
 */
#ifndef HTTP_INNER_H
#define HTTP_INNER_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http.h"

/* One TCP connection. */
typedef struct HttpPeer {
    struct HttpPeer *prev, *next;
    HttpServer *server;
    int fd;
    char address[INET6_ADDRSTRLEN]; /* as text; empty: neither IPv4 nor IPv6 */
    _Atomic int64_t deadline_ms;    /* monotonic */
    _Atomic int graces; /* times that the deadline passed with bytes that we had not read */
} HttpPeer;

typedef enum HttpPhase {
    HTTP_PHASE_HEADERS, /* request line read */
    HTTP_PHASE_BODY,
    HTTP_PHASE_WORK, /* waits for or runs on a worker */
    HTTP_PHASE_READY /* the answer is there, to be sent */
} HttpPhase;

/* One request and its answer. */
typedef struct HttpExchange {
    HttpCall call;
    Arena arena;
    HttpServer *server;
    HttpPeer *peer;
    struct MHD_Connection *connection;
    HttpPhase phase;
    Buf body;
    size_t body_max;
    int64_t begun_ms; /* of the present phase, monotonic */
    int64_t started_us;
    bool too_large, sent;
    bool last;                 /* the connection ends with it */
    bool plain;                /* the body was packed and is not any more */
    struct HttpExchange *next; /* in the queue */
} HttpExchange;

typedef struct HttpQueue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    HttpExchange *first, *last;
    unsigned n;
    bool closed;
} HttpQueue;

#define HTTP_LINGER_MAX 64

/* A refused upload's socket, read dry so that the client finds the answer before a reset. */
typedef struct HttpLinger {
    int fd;
    int64_t until_ms;
} HttpLinger;

typedef struct HttpTally {
    _Atomic uint64_t status[HTTP_STATUSES_COUNTED], bucket[HTTP_BUCKETS + 1], sum_us;
} HttpTally;

/* One of MHD's threads and the connections that it serves. */
typedef struct HttpLoop {
    struct MHD_Daemon *daemon;
    _Atomic unsigned connections; /* given and not yet ended */
} HttpLoop;

struct HttpServer {
    HttpOptions options;
    HttpTally *tally; /* one a route, and one for what fits none */
    HttpLoop *loop;   /* options.loops of them */
    int listen_fd;    /* -1: none */
    uint16_t port;
    pthread_t acceptor;
    bool accepting;
    pthread_key_t loop_thread; /* the app's `thread` of a loop */
    HttpQueue queue;
    pthread_t *worker;
    unsigned workers_started;

    pthread_mutex_t peers_lock;
    HttpPeer *peers;
    unsigned peers_n;
    pthread_t reaper;
    _Atomic bool stopping, reaper_stop;
    HttpLinger linger[HTTP_LINGER_MAX];
    unsigned linger_n;

    pthread_mutex_t streams_lock;
    HttpStream *streams;
    unsigned streams_n;

    _Atomic size_t bodies_bytes;
    _Atomic unsigned active; /* exchanges not yet completed, streams apart */
    _Atomic uint64_t requests, refused_busy, dropped_late;
};

void http_tally_open(HttpServer *s);
void http_tally_close(HttpServer *s);
/* Counts an answer as it is handed over. */
void http_tally_answer(HttpExchange *x);

/* Callbacks for MHD. */
void *http_exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *data_n, void **con_cls);
void http_exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                       enum MHD_RequestTerminationCode why);
void http_peer_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                      enum MHD_ConnectionNotificationCode code);

/* NULL: MHD could not keep one. */
HttpPeer *http_peer_of(struct MHD_Connection *connection);
/* x's response without a stream as MHD has it; NULL: no memory. */
struct MHD_Response *http_response_make(HttpExchange *x, enum MHD_ResponseMemoryMode mode);
/* MHD's own MHD_queue_response: the program's is for MHD (http_page.c). */
enum MHD_Result http_mhd_queue(struct MHD_Connection *connection, unsigned status,
                               struct MHD_Response *answer);
/* The head is what HTTP/1.1 asks for; false: refused, the answer is set. */
bool http_head_good(HttpExchange *x, const char *version);
/* Path and query of a request line's target, also where it names scheme and host, as for a proxy.
 */
Str http_head_target(Str uri);

/* Runs the handler; on a worker's thread or a loop's. */
void http_exchange_run(HttpExchange *x, void *thread);
/* Sets the app's refusal as the answer. */
void http_exchange_refuse(HttpExchange *x, const Err *err);
void http_exchange_busy(HttpExchange *x);
void http_exchange_too_large(HttpExchange *x);
/* The arena's cap, by the body's size. */
void http_exchange_memory(HttpExchange *x);
/* A body with a Content-Encoding is unpacked; false: refused, the answer is set. */
bool http_body_plain(HttpExchange *x);

bool http_queue_put(HttpServer *s, HttpExchange *x);
Status http_workers_start(HttpServer *s, Err *err) MUST_USE;
void http_workers_stop(HttpServer *s);

/* Binds options.host:port; s->port says which, where 0 was asked. */
Status http_listen(HttpServer *s, Err *err) MUST_USE;
Status http_accept_start(HttpServer *s, Err *err) MUST_USE;
/* No connection is taken any more; the socket is closed. */
void http_accept_stop(HttpServer *s);

Status http_reaper_start(HttpServer *s, Err *err) MUST_USE;
void http_reaper_stop(HttpServer *s);
/* Keeps a duplicate of the socket open until the client has sent all or a few seconds have gone. */
void http_reaper_linger(HttpServer *s, int fd);
void http_peer_shut(HttpServer *s, HttpPeer *peer);

/* MHD's side of a stream. */
struct MHD_Response *http_stream_response(HttpStream *s);
void http_stream_detach(HttpStream *s);
void http_streams_end(HttpServer *s);

#endif
