/*
 * A subscription as work: something is written, and whoever subscribed is told of it, whatever
 * fails meanwhile: at least once, in order, with numbers without a gap. The subscriber is a thread
 * that listens and allocates nothing.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_allow.h"
#include "api_hook.h"
#include "api_stage.h"

#define WAIT_MS       30000
#define REQUEST_BYTES 65536

typedef struct Target {
    pthread_mutex_t lock;
    int listener, port;
    uint64_t number; /* of the last event told */
    int64_t told;    /* of which resource */
    bool gap;
} Target;

static Target target = {.lock = PTHREAD_MUTEX_INITIALIZER};
static int64_t written;

/* ---- The subscriber's end -------------------------------------------------------------------- */

static int64_t number_after(const char *text, const char *what)
{
    const char *at = strstr(text, what);
    return at ? atoll(at + strlen(what)) : -1;
}

/* The whole request, ended by NUL; false: the connection was lost. */
static bool request_read(int fd, char *text)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, text + n, REQUEST_BYTES - 1 - n, 0);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        text[n] = '\0';
        const char *body = strstr(text, "\r\n\r\n");
        int64_t length = number_after(text, "Content-Length: ");
        if (body && length >= 0 && text + n >= body + 4 + length) {
            return true;
        }
    }
}

/* A note tells of several events where some had to wait; a handshake of none. */
static void note_take(const char *text)
{
    static const char NUMBER[] = "\"event-number\",\"valueString\":\"";
    pthread_mutex_lock(&target.lock);
    for (const char *at = text; (at = strstr(at, NUMBER)) != NULL; at++) {
        uint64_t number = (uint64_t)number_after(at, NUMBER);
        target.gap |= number > target.number + 1;
        target.number = number;
        target.told = number_after(at, "Basic/told-");
    }
    pthread_mutex_unlock(&target.lock);
}

static void *target_main(void *arg)
{
    static const char ANSWER[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    static char text[REQUEST_BYTES];
    (void)arg;
    for (;;) {
        int fd = accept(target.listener, NULL, NULL);
        if (fd >= 0) {
            if (request_read(fd, text)) {
                note_take(text);
                (void)!send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
            }
            shutdown(fd, SHUT_RDWR);
            close(fd);
        }
    }
    return NULL;
}

static void target_open(void)
{
    pthread_t thread;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    target.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(target.listener, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(target.listener, 8), 0);
    assert_int_equal(getsockname(target.listener, (struct sockaddr *)&at, &n), 0);
    target.port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&thread, NULL, target_main, NULL), 0);
    pthread_detach(thread);
}

/* ---- The work -------------------------------------------------------------------------------- */

static void subscription_put(Stage *s, StoreReader *reader, Arena *a)
{
    Str url = arena_printf(a, "http://127.0.0.1:%d/", target.port);
    StageCall put = {
        .method = "PUT",
        .path = STR("/fhir/Subscription/told"),
        .who = "machine",
        .body = arena_cat(
            a,
            STR("{\"resourceType\":\"Subscription\",\"id\":\"told\",\"status\":\"requested\","
                "\"reason\":\"test\",\"criteria\":\"urn:menkou:topic:Basic\",\"channel\":{"
                "\"type\":\"rest-hook\",\"payload\":\"application/fhir+json\",\"endpoint\":\""),
            url,
            STR("hook\",\"_payload\":{\"extension\":[{\"url\":\"http://hl7.org/fhir/uv/"
                "subscriptions-backport/StructureDefinition/backport-payload-content\","
                "\"valueCode\":\"id-only\"}]}}}"))};
    assert_int_equal(store_setting_put(s->api->store, ALLOW_TARGETS, url, &s->err), OK);
    assert_int_equal(stage_call(s, reader, a, &put).status, 201);
}

static bool is_active(Stage *s, StoreReader *reader)
{
    Arena a;
    StoreVersion v;
    arena_init(&a, 0);
    Status got =
        store_read(reader, &a, &STORE_VIEW_ALL, STR("Subscription"), STR("told"), &v, NULL);
    bool active = got == OK && str_find(v.body, STR("\"status\":\"active\"")) >= 0;
    (void)s;
    arena_done(&a);
    return active;
}

/* It is written down how far it is. */
static bool is_kept(Stage *s)
{
    Arena a;
    HookPlace place = {0};
    bool known = false;
    arena_init(&a, 0);
    Status got = hook_place_get(hooks_keep_of(s->api), &a, STR("told"), &place, &known, NULL);
    pthread_mutex_lock(&target.lock);
    bool kept = got == OK && known && place.number >= target.number;
    pthread_mutex_unlock(&target.lock);
    arena_done(&a);
    return kept;
}

void stage_hook_prepare(Stage *s, StoreReader *reader)
{
    Arena a;
    arena_init(&a, 0);
    if (!s->api->hooks) {
        AccessNewAccount machine = {.username = STR("machine"),
                                    .name = STR("machine"),
                                    .role = STR("integrator"),
                                    .organization = STR("Organization/c"),
                                    .password = STR("Of-The-Stage-2026")};
        Str password;
        target_open();
        assert_int_equal(
            access_account_make(s->api->store, &s->arena, &machine, &password, &s->err), OK);
        assert_int_equal(api_hooks_open(s->api, &s->err), OK);
        subscription_put(s, reader, &a);
    }
    int64_t until = time_mono_ms() + WAIT_MS;
    while (!is_active(s, reader) || !is_kept(s)) {
        assert_true(time_mono_ms() < until);
        usleep(1000);
    }
    arena_done(&a);
}

StageAnswer stage_hook_begin(Stage *s, StoreReader *reader, Arena *a)
{
    long long no = ++written;
    StageCall put = {
        .method = "PUT",
        .path = arena_printf(a, "/fhir/Basic/told-%lld", no),
        .body = arena_printf(a,
                             "{\"resourceType\":\"Basic\",\"id\":\"told-%lld\",\"code\":{\"text\":"
                             "\"x\"}}",
                             no)};
    StageAnswer answer = stage_call(s, reader, a, &put);
    answer.status = answer.status == 201 ? 202 : answer.status;
    return answer;
}

bool stage_hook_over(Stage *s, StoreReader *reader, StageEnd *ret)
{
    (void)reader;
    pthread_mutex_lock(&target.lock);
    bool told = target.told == written;
    assert_false(target.gap);
    pthread_mutex_unlock(&target.lock);
    *ret = STAGE_WHOLE;
    return told && is_kept(s);
}
