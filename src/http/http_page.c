/*
 * MHD's own refusals (a line or a header that is too long, or is none) in the app's words.
 *
 * MHD answers them before there is a request, with pages in HTML, and has no hook for it. It queues
 * these pages with its public function, and a program may put its own in that one's place: the
 * dynamic linker takes the first it finds. Where a library should not ask the linker (a build that
 * binds its own names) its pages stay as they are, nothing else changes: decision 096.
 */
#include "http_inner.h"

#include <dlfcn.h>

#define PAGE_ARENA_BYTES ((size_t)1 << 20)

typedef enum MHD_Result Queue(struct MHD_Connection *, unsigned int, struct MHD_Response *);

/* MHD's own function. */
static Queue *queue_real;
static pthread_once_t queue_once = PTHREAD_ONCE_INIT;

static void queue_find(void)
{
    void *found = dlsym(RTLD_NEXT, "MHD_queue_response");
    memcpy(&queue_real, &found, sizeof found);
    mk_check(queue_real != NULL);
}

enum MHD_Result http_mhd_queue(struct MHD_Connection *connection, unsigned status,
                               struct MHD_Response *answer)
{
    pthread_once(&queue_once, queue_find);
    return queue_real(connection, status, answer);
}

static void page_words(Err *err, unsigned status)
{
    switch (status) {
    case MHD_HTTP_URI_TOO_LONG:
        (void)!err_add(err, ERR_INVALID, "too-long", STR_NONE,
                       "请求地址过长；检索可改用 POST …/_search",
                       "The address is too long; a search can be sent by POST …/_search");
        break;
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
        (void)!err_add(err, ERR_INVALID, "too-long", STR_NONE, "请求头过长",
                       "The headers are too long");
        break;
    case MHD_HTTP_CONTENT_TOO_LARGE:
        (void)!err_add(err, ERR_TOO_LARGE, NULL, STR_NONE, "请求内容的长度超过上限",
                       "The body's length is above what is allowed");
        break;
    case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
        (void)!err_add(err, ERR_INVALID, "not-supported", STR_NONE, "只支持 HTTP/1.0 和 HTTP/1.1",
                       "Only HTTP/1.0 and HTTP/1.1 are served");
        break;
    case MHD_HTTP_BAD_REQUEST:
        (void)!err_add(err, ERR_INVALID, "invalid", STR_NONE,
                       "请求行、请求头或分块编码不合 HTTP 规则",
                       "The request line, a header or the chunked coding is not HTTP");
        break;
    default:
        (void)err_status(err, ERR_INTERNAL);
    }
}

/* The app's refusal of a request that could not be read, as an answer of MHD's; NULL: no memory. */
static struct MHD_Response *page_make(HttpPeer *peer, unsigned status)
{
    HttpExchange x = {.server = peer->server, .peer = peer, .started_us = time_mono_us()};
    Err err;
    arena_init(&x.arena, PAGE_ARENA_BYTES);
    x.call.arena = &x.arena;
    x.call.app = peer->server->options.app;
    x.call.request.address = str_from_c(peer->address);
    err_init(&err, &x.arena);
    page_words(&err, status);
    http_exchange_refuse(&x, &err);
    x.call.response.status = (int)status;
    http_tally_answer(&x);
    struct MHD_Response *answer = http_response_make(&x, MHD_RESPMEM_MUST_COPY);
    arena_done(&x.arena);
    return answer;
}

/* In the place of MHD's: only MHD itself comes here, with a page of its own. */
__attribute__((visibility("default"))) enum MHD_Result
MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
                   struct MHD_Response *page)
{
    HttpPeer *peer = http_peer_of(connection);
    struct MHD_Response *answer = peer ? page_make(peer, status) : NULL;
    if (!answer) {
        return http_mhd_queue(connection, status, page);
    }
    http_reaper_linger(peer->server, peer->fd);
    enum MHD_Result ok = http_mhd_queue(connection, status, answer);
    MHD_destroy_response(answer);
    return ok;
}
