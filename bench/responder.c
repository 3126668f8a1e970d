/*
 * The bare responder that the API is measured against: libmicrohttpd, an epoll pool of two,
 * keep-alive, one static body of 2,048 bytes. Prints its port and runs until its input ends.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct MHD_Response *answer;

static enum MHD_Result respond(void *ctx, struct MHD_Connection *c, const char *url,
                               const char *method, const char *version, const char *body,
                               size_t *body_n, void **state)
{
    (void)ctx, (void)url, (void)method, (void)version, (void)body;
    if (!*state) {
        *state = answer;
        return MHD_YES;
    }
    *body_n = 0;
    return MHD_queue_response(c, MHD_HTTP_OK, answer);
}

int main(void)
{
    static char text[2048];
    memset(text, 'x', sizeof text);
    answer = MHD_create_response_from_buffer(sizeof text, text, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, respond,
                                            NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u,
                                            MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        fprintf(stderr, "bench_responder: it does not start\n");
        return 1;
    }
    printf("%u\n", info->port);
    fflush(stdout);
    for (char c; read(0, &c, 1) > 0;) {
    }
    MHD_stop_daemon(d);
    MHD_destroy_response(answer);
    return 0;
}
