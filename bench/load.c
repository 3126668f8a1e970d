/*
 * An HTTP client for measuring: keep-alive connections of one thread, each with one request under
 * way.
 *
 *   bench_load PORT CONNECTIONS SECONDS LINES [--post PATH] [--header "Name: value"]… [--once yes]
 *              [--rate N]
 *
 * LINES is a file: of paths to GET, or with --post of bodies to send to PATH, one a line, taken in
 * turn. With PATH "-" each line says it itself, before the body and a blank; with "*" the method
 * before that. --once: no line twice, so the end may come before SECONDS are over.
 * Without --rate each connection asks again as soon as it has its answer (closed loop); with it so
 * many requests a second fall due whether or not a connection is free, and each one's time counts
 * from then (open loop). Prints one JSON object: requests, per_second, p50_us, p99_us, errors
 * (answers of 400 and up), bytes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mk.h"

enum { CONNECTIONS_MAX = 1024, ANSWER_MAX = 1 << 24, LATENCIES_MAX = 1 << 24 };

typedef struct Connection {
    int fd;
    size_t sent, got, want; /* want: of the whole answer; 0 until its head is read */
    const Str *request;
    int64_t began_us;
    char *answer;
} Connection;

static Str *request;
static size_t requests_n, next_request, requests_max = SIZE_MAX;
static Connection connection[CONNECTIONS_MAX];
static Connection *idle[CONNECTIONS_MAX];
static int idle_n;
static double rate; /* a second; 0: closed loop */
static int64_t began_us;
static uint32_t *latency_us;
static size_t done, errors, bytes;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static Str request_text(Arena *a, Str line, Str post, Str headers)
{
    Str method = post.n ? STR("POST") : STR("GET"), path = post;
    if (post.n == 0) {
        path = line;
        line = STR_NONE;
    }
    if (str_is(post, "*")) {
        str_cut(line, ' ', &method, &line);
    }
    if (str_is(post, "*") || str_is(post, "-")) {
        str_cut(line, ' ', &path, &line);
    }
    Str body = STR_NONE;
    if (line.n) {
        body = arena_printf(a, "Content-Type: application/fhir+json\r\nContent-Length: %zu\r\n",
                            line.n);
    }
    return arena_cat(a, method, STR(" "), path, STR(" HTTP/1.1\r\nHost: localhost\r\n"), headers,
                     body, STR("\r\n"), line);
}

static void requests_read(Arena *a, const char *path, Str post, Str headers)
{
    Err err;
    Str text, line;
    err_init(&err, a);
    if (file_read(a, path, 1u << 30, &text, &err) != OK) {
        fail(path);
    }
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++) {
        lines += text.p[i] == '\n';
    }
    request = arena_array(a, Str, lines);
    bool more = true;
    while (more) {
        more = str_cut(text, '\n', &line, &text);
        if (line.n == 0) {
            continue;
        }
        request[requests_n++] = request_text(a, line, post, headers);
    }
    if (requests_n == 0) {
        fail("no requests");
    }
}

/* Of the open loop: when the next one is due. */
static int64_t due_us(void)
{
    return began_us + (int64_t)((double)next_request * 1e6 / rate);
}

static void request_begin(Connection *c)
{
    if (next_request == requests_max || (rate > 0 && due_us() > now_us())) {
        idle[idle_n++] = c;
        return;
    }
    c->began_us = rate > 0 ? due_us() : now_us();
    c->request = &request[next_request++ % requests_n];
    c->sent = c->got = c->want = 0;
    ssize_t n = send(c->fd, c->request->p, c->request->n, MSG_NOSIGNAL);
    c->sent = n > 0 ? (size_t)n : 0;
}

static void idle_begin(void)
{
    while (rate > 0 && idle_n > 0 && next_request < requests_max && due_us() <= now_us()) {
        request_begin(idle[--idle_n]);
    }
}

static void connection_open(Connection *c, int epoll, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->answer = malloc(ANSWER_MAX + 1);
    if (c->fd < 0 || !c->answer || connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0) {
        fail("connect");
    }
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        fail("epoll");
    }
}

/* The whole length of the answer once its head is there; answers say Content-Length. */
static void head_read(Connection *c)
{
    c->answer[c->got] = 0;
    const char *end = strstr(c->answer, "\r\n\r\n");
    if (!end) {
        return;
    }
    errors += c->answer[9] >= '4';
    if (strncmp(c->answer + 9, "204", 3) == 0 || strncmp(c->answer + 9, "304", 3) == 0) {
        c->want = (size_t)(end + 4 - c->answer);
        return;
    }
    const char *length = strcasestr(c->answer, "content-length:");
    if (!length || length > end) {
        errno = EPROTO;
        fail("an answer without Content-Length");
    }
    c->want = (size_t)(end + 4 - c->answer) + strtoul(length + 15, NULL, 10);
    if (c->want > ANSWER_MAX) {
        errno = EMSGSIZE;
        fail("an answer");
    }
}

static void connection_step(Connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MAX - c->got, 0);
    if (n <= 0) {
        fail("the server hung up");
    }
    c->got += (size_t)n;
    if (c->want == 0) {
        head_read(c);
    }
    if (c->want && c->got >= c->want) {
        if (done < LATENCIES_MAX) {
            latency_us[done] = (uint32_t)(now_us() - c->began_us);
        }
        done++;
        bytes += c->got;
        request_begin(c);
    }
}

static int latency_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(int connections, double seconds, uint16_t port)
{
    int epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        connection_open(&connection[i], epoll, port);
    }
    began_us = now_us();
    int64_t end = began_us + (int64_t)(seconds * 1e6);
    for (int i = 0; i < connections; i++) {
        request_begin(&connection[i]);
    }
    while (now_us() < end && done < requests_max) {
        struct epoll_event ready[64];
        idle_begin();
        int n = epoll_wait(epoll, ready, 64, rate > 0 ? 1 : 100);
        for (int i = 0; i < n; i++) {
            connection_step(ready[i].data.ptr);
        }
    }
    double took = (double)(now_us() - began_us) / 1e6;
    size_t n = done < LATENCIES_MAX ? done : LATENCIES_MAX;
    qsort(latency_us, n, sizeof *latency_us, latency_order);
    printf("{\"requests\":%zu,\"per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u,\"errors\":%zu,"
           "\"bytes\":%zu}\n",
           done, (double)done / took, n ? latency_us[n / 2] : 0, n ? latency_us[n * 99 / 100] : 0,
           errors, done ? bytes / done : 0);
}

int main(int argc, char **argv)
{
    Arena a;
    arena_init(&a, 0);
    Str post = STR_NONE, headers = STR_NONE;
    bool once = false;
    if (argc < 5) {
        fprintf(stderr, "bench_load PORT CONNECTIONS SECONDS LINES [--post PATH] [--header LINE]… "
                        "[--once yes] [--rate N]\n");
        return 2;
    }
    for (int i = 5; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--post") == 0) {
            post = str_from_c(argv[i + 1]);
        } else if (strcmp(argv[i], "--rate") == 0) {
            rate = strtod(argv[i + 1], NULL);
        } else if (strcmp(argv[i], "--once") == 0) {
            once = true;
        } else {
            headers = arena_cat(&a, headers, str_from_c(argv[i + 1]), STR("\r\n"));
        }
    }
    int64_t port, connections, seconds;
    if (!str_to_i64(str_from_c(argv[1]), &port) || !str_to_i64(str_from_c(argv[2]), &connections) ||
        !str_to_i64(str_from_c(argv[3]), &seconds) || connections < 1 ||
        connections > CONNECTIONS_MAX) {
        fprintf(stderr, "bench_load: PORT, CONNECTIONS and SECONDS are whole numbers\n");
        return 2;
    }
    latency_us = malloc(sizeof *latency_us * LATENCIES_MAX);
    requests_read(&a, argv[4], post, headers);
    requests_max = once ? requests_n : SIZE_MAX;
    measure((int)connections, (double)seconds, (uint16_t)port);
    arena_done(&a);
    return 0;
}
