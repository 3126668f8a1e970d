/* The server itself, with deadlines short enough to be waited for. */
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static HttpServer *server;
static _Atomic int held, holding; /* handlers of /hold wait until `held` is 0; how many are in it */
static HttpStream *stream;

static void handle_echo(HttpCall *call)
{
    call->response = (HttpResponse){.status = 200, .body = call->request.body};
}

static void handle_later(HttpCall *call)
{
    call->later = call->brief;
    if (!call->later) {
        handle_echo(call);
    }
}

static void handle_thread(HttpCall *call)
{
    call->response.status = 200;
    call->response.body =
        arena_printf(call->arena, "thread %lu; that is all", (unsigned long)pthread_self());
}

static void handle_hold(HttpCall *call)
{
    atomic_fetch_add(&holding, 1);
    while (atomic_load(&held)) {
        usleep(1000);
    }
    call->response = (HttpResponse){.status = 200, .body = STR("done")};
}

static void handle_stream(HttpCall *call)
{
    call->response.status = 200;
    stream = http_stream_new(call, 64);
}

static void refuse(HttpCall *call, const Err *err)
{
    call->response.status = status_http(err->status);
    call->response.body = STR("refused");
}

static const HttpRoute ROUTES[] = {
    {HTTP_POST, "/inline", handle_echo, HTTP_INLINE, 1000, NULL},
    {HTTP_POST, "/worker", handle_echo, 0, 1 << 20, NULL},
    {HTTP_POST, "/brief", handle_echo, HTTP_BRIEF, 1000, NULL},
    {HTTP_POST, "/later", handle_later, HTTP_BRIEF, 1000, NULL},
    {HTTP_GET, "/thread", handle_thread, HTTP_INLINE, 0, NULL},
    {HTTP_GET, "/hold", handle_hold, 0, 0, NULL},
    {HTTP_GET, "/stream", handle_stream, 0, 0, NULL},
};

static int server_begin(void **state)
{
    (void)state;
    HttpOptions o = {.host = "127.0.0.1",
                     .routes = ROUTES,
                     .routes_n = sizeof ROUTES / sizeof *ROUTES,
                     .refuse = refuse,
                     .loops = 2,
                     .workers = 1,
                     .queue_max = 1,
                     .header_ms = 300,
                     .body_ms = 300,
                     .idle_ms = 300};
    Arena a;
    arena_init(&a, 1 << 20);
    Err err;
    err_init(&err, &a);
    assert_int_equal(http_server_open(&o, &server, &err), OK);
    arena_done(&a);
    return 0;
}

static int server_end(void **state)
{
    (void)state;
    http_server_close(server);
    return 0;
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server))};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `until` is there or the other side closes. */
static size_t hear(int fd, char *out, size_t room, const char *until)
{
    size_t n = 0;
    while (n + 1 < room && (n == 0 || !until || !strstr(out, until))) {
        ssize_t got = recv(fd, out + n, room - 1 - n, 0);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
        out[n] = 0;
    }
    out[n] = 0;
    return n;
}

static void bodies_go_through_loop_and_worker(void **state)
{
    (void)state;
    const char *paths[] = {"/inline", "/worker", "/brief", "/later", "/worker"};
    int fd = dial(); /* one connection: it is kept alive */
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char text[400], got[2000];
        snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                 paths[i]);
        say(fd, text);
        hear(fd, got, sizeof got, "hello");
        assert_non_null(strstr(got, "HTTP/1.1 200"));
        assert_non_null(strstr(got, "hello"));
    }
    close(fd);
}

static void connections_are_spread_over_the_loops(void **state)
{
    (void)state;
    enum { N = 16 };
    int fd[N], same = 0;
    unsigned long thread[N];
    for (int i = 0; i < N; i++) {
        fd[i] = dial();
    }
    for (int i = 0; i < N; i++) {
        char got[2000];
        say(fd[i], "GET /thread HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(fd[i], got, sizeof got, "; that is all");
        assert_non_null(strstr(got, "thread "));
        thread[i] = strtoul(strstr(got, "thread ") + 7, NULL, 10);
        same += thread[i] == thread[0];
    }
    for (int i = 0; i < N; i++) {
        close(fd[i]);
    }
    assert_int_equal(same, N / 2);
}

static void a_large_body_is_refused_before_it_is_sent(void **state)
{
    (void)state;
    char got[2000];
    int fd = dial();
    say(fd, "POST /inline HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    hear(fd, got, sizeof got, "refused");
    assert_non_null(strstr(got, "HTTP/1.1 413"));
    close(fd);
    fd = dial();
    say(fd, "PUT /inline HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(fd, got, sizeof got, "refused");
    assert_non_null(strstr(got, "HTTP/1.1 405"));
    assert_non_null(strstr(got, "Allow: POST"));
    close(fd);
}

/* Whatever drips is ended by the total time, not by silence. */
static void what_drips_is_dropped(void **state)
{
    (void)state;
    const char *starts[] = {"", "POST /worker HTTP/1.1\r\n",
                            "POST /worker HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        int fd = dial();
        say(fd, starts[i]);
        int64_t begun = time_mono_ms();
        ssize_t sent = 1;
        char got[10];
        while (sent > 0 && time_mono_ms() - begun < 5000) {
            sent = i ? send(fd, i == 1 ? "a" : "x", 1, MSG_NOSIGNAL) : 1;
            if (recv(fd, got, sizeof got, MSG_DONTWAIT) == 0) {
                break;
            }
            usleep(20000);
        }
        int64_t took = time_mono_ms() - begun;
        assert_in_range(took, 250, 2500);
        close(fd);
    }
}

static void a_full_queue_is_busy_at_once(void **state)
{
    (void)state;
    static const char ask[] = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";
    char got[2000];
    int fd[3] = {dial(), dial(), dial()};
    atomic_store(&held, 1);
    say(fd[0], ask);
    while (atomic_load(&holding) == 0) { /* with the one worker … */
        usleep(1000);
    }
    say(fd[1], ask);
    while (http_server_counts(server).queued == 0) { /* … in the queue's one place … */
        usleep(1000);
    }
    say(fd[2], ask); /* … and nowhere */
    hear(fd[2], got, sizeof got, "refused");
    assert_non_null(strstr(got, "HTTP/1.1 503"));
    atomic_store(&held, 0);
    for (int i = 0; i < 2; i++) {
        hear(fd[i], got, sizeof got, "done");
        assert_non_null(strstr(got, "HTTP/1.1 200"));
    }
    for (int i = 0; i < 3; i++) {
        close(fd[i]);
    }
}

static void a_stream_sends_as_it_is_written_and_drops_the_slow(void **state)
{
    (void)state;
    char got[2000];
    int fd = dial();
    say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(fd, got, sizeof got, "\r\n\r\n");
    assert_non_null(strstr(got, "HTTP/1.1 200"));
    usleep(600000); /* beyond every deadline: a stream has none */
    assert_true(http_stream_write(stream, STR("one\n")));
    hear(fd, got, sizeof got, "one\n");
    assert_non_null(strstr(got, "one\n"));
    char more[100];
    memset(more, 'x', sizeof more);
    assert_false(http_stream_write(stream, (Str){more, sizeof more}));
    assert_false(http_stream_write(stream, STR("two\n")));
    while (hear(fd, got, sizeof got, NULL) > 0) {
    }
    http_stream_close(stream);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies_go_through_loop_and_worker, server_begin,
                                        server_end),
        cmocka_unit_test_setup_teardown(connections_are_spread_over_the_loops, server_begin,
                                        server_end),
        cmocka_unit_test_setup_teardown(a_large_body_is_refused_before_it_is_sent, server_begin,
                                        server_end),
        cmocka_unit_test_setup_teardown(what_drips_is_dropped, server_begin, server_end),
        cmocka_unit_test_setup_teardown(a_full_queue_is_busy_at_once, server_begin, server_end),
        cmocka_unit_test_setup_teardown(a_stream_sends_as_it_is_written_and_drops_the_slow,
                                        server_begin, server_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
