/* The server as a whole: its address, the timer beside the requests, opening, closing, running. */
#include "api_inner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_persons.h"

#define FIRE_WAIT_MS 1000  /* a clock that was moved is noticed within it */
#define ROUND_US     20000 /* between the beginnings of two rounds */
#define INSIGHT_STEP 1000  /* rows of the log */
#define PEM_MAX      ((size_t)1 << 20)

/* ---- addresses ------------------------------------------------------------------------------- */

bool api_listen_parse(Arena *a, Str text, const char **ret_host, uint16_t *ret_port)
{
    Str host, port;
    int64_t number;
    if (text.n && text.p[0] == '[') {
        if (!str_cut(str_skip(text, 1), ']', &host, &port) || !str_starts(port, STR(":"))) {
            return false;
        }
        port = str_skip(port, 1);
    } else if (!str_cut(text, ':', &host, &port)) {
        return false;
    }
    if (str_empty(host) || !str_to_i64(port, &number) || number < 0 || number > 65535) {
        return false;
    }
    *ret_host = arena_cstr(a, host);
    *ret_port = (uint16_t)number;
    return true;
}

bool api_host_is_loopback(const char *host)
{
    Str s = str_from_c(host);
    return str_starts(s, STR("127.")) || str_is(s, "::1") || str_is(s, "localhost");
}

/* ---- threads ------------------------------------------------------------------------------------
 */

static Status thread_open(void *app, void **ret, Err *err)
{
    Api *api = app;
    StoreReader *reader;
    TRY(store_reader_open(api->store, &reader, err));
    *ret = reader;
    return OK;
}

static void thread_close(void *thread)
{
    store_reader_close(thread);
}

/* Fires the deadlines that are due; when the next is, or TIME_FOREVER. */
static int64_t deadlines_fire(Api *api, StoreReader *reader)
{
    int64_t next = TIME_FOREVER;
    size_t fired = 0;
    Arena a;
    Err err;
    arena_init(&a, (size_t)16 << 20);
    err_init(&err, &a);
    int64_t now = clock_now(api->options.clock);
    if (flow_fire(api->flow, reader, now, &fired, &next, &err) != OK) {
        log_warn("api", "deadlines: %.*s", STR_ARG(err.first ? err.first->en : STR_NONE));
        next = TIME_FOREVER;
    }
    arena_done(&a);
    return next;
}

/* The figures' facts go after the log in large steps; who asks for figures takes the rest. */
static void figures_keep(Api *api, StoreReader *reader, bool *ret_more)
{
    bool more = insight_behind(api->insight) >= INSIGHT_STEP;
    if (more && insight_follow(api->insight, reader, INSIGHT_STEP, &more, NULL) != OK) {
        log_warn("api", "the figures' facts cannot follow the log");
        more = false;
    }
    *ret_more |= more && insight_behind(api->insight) >= INSIGHT_STEP;
}

/* A failure is told once in a while, not in each round. */
static void views_keep(Api *api, StoreReader *reader, bool *ret_more)
{
    bool more = false;
    if (insight_views_follow(api->views, reader, &more, NULL) != OK) {
        log_warn("api", "the views that are kept cannot follow the log");
    }
    *ret_more |= more;
}

/* Under a flood of commits they are followed in steps, not one by one. */
static void round_space(int64_t began_us)
{
    int64_t left_us = began_us + ROUND_US - time_mono_us();
    if (left_us > 0) {
        struct timespec rest = {.tv_nsec = left_us * 1000};
        nanosleep(&rest, NULL);
    }
}

/* Looked at again by those that do not hold the clock. */
#define CLOCK_LEASE_MS 6000

/* What the clock does: after every commit, and when something is due. */
static void *timer_main(void *arg)
{
    Api *api = arg;
    StoreReader *reader = api->timer.reader;
    StoreLease clock = {.name = "clock", .ms = CLOCK_LEASE_MS};
    while (!atomic_load(&api->stopping)) {
        uint64_t seq = store_seq(api->store);
        int64_t began_us = time_mono_us();
        bool more = false;
        int64_t next = store_lease(api->store, &clock) ? deadlines_fire(api, reader) : TIME_FOREVER;
        api_uploads_keep(api, api->uploads, &more);
        api_disk_watch(api);
        figures_keep(api, reader, &more);
        store_persons_keep(reader, &more);
        views_keep(api, reader, &more);
        int64_t ahead = next - clock_now(api->options.clock);
        int64_t wait = ahead <= 0 || more ? 10 : ahead < FIRE_WAIT_MS ? ahead : FIRE_WAIT_MS;
        store_wait(api->store, seq, (int)wait);
        round_space(began_us);
    }
    store_lease_give(api->store, &clock);
    return NULL;
}

/* ---- opening and closing
 * --------------------------------------------------------------------------- */

static void url_make(Api *api)
{
    const ApiOptions *o = &api->options;
    bool six = strchr(o->host, ':') != NULL;
    snprintf(api->url, sizeof api->url, "%s://%s%s%s:%u", o->tls_cert ? "https" : "http",
             six ? "[" : "", o->host, six ? "]" : "", http_server_port(api->http));
}

static void tags_make(Api *api)
{
    const ApiFiles *web = &api->options.web;
    ApiTag *tag = arena_array(&api->arena, ApiTag, web->n ? web->n : 1);
    for (size_t i = 0; i < web->n; i++) {
        Sha256 sum = sha256(web->file[i].bytes);
        snprintf(tag[i].text, sizeof tag[i].text, "\"%.*s\"", 20,
                 hex_encode(&api->arena, sum.b, 10).p);
    }
    api->web_tags = tag;
}

static Status http_start(Api *api, Err *err)
{
    const ApiOptions *o = &api->options;
    HttpOptions http = {.host = o->host,
                        .port = o->port,
                        .routes = API_ROUTES,
                        .routes_n = API_ROUTES_N,
                        .app = api,
                        .thread_open = thread_open,
                        .thread_close = thread_close,
                        .gate = api_gate,
                        .refuse = api_refuse};
    if (o->tls_cert) {
        TRY(file_read(&api->arena, o->tls_cert, PEM_MAX, &http.tls_cert, err));
        TRY(file_read(&api->arena, o->tls_key, PEM_MAX, &http.tls_key, err));
        http.tls_cert = arena_str(&api->arena, http.tls_cert);
        http.tls_key = arena_str(&api->arena, http.tls_key);
        if (!http_tls_supported()) {
            return err_add(err, ERR_INVALID, NULL, STR_NONE, "本机的 libmicrohttpd 不支持 TLS",
                           "This machine's libmicrohttpd has no TLS");
        }
    }
    TRY(http_server_open(&http, &api->http, err));
    url_make(api);
    return OK;
}

static Status thread_begin(Api *api, ApiThread *t, void *(*run)(void *), Err *err)
{
    t->runs = pthread_create(&t->thread, NULL, run, api) == 0;
    return t->runs ? OK : err_status(err, ERR_UNAVAILABLE);
}

static void thread_end(ApiThread *t)
{
    if (t->runs) {
        pthread_join(t->thread, NULL);
    }
}

/* What they need is there before they begin: a server whose clock stands still must not open. */
static Status threads_begin(Api *api, Err *err)
{
    TRY(store_reader_open(api->store, &api->timer.reader, err));
    TRY(store_reader_open(api->store, &api->purger.reader, err));
    TRY(store_uploads_open(api->timer.reader, &api->uploads, err));
    TRY(thread_begin(api, &api->timer, timer_main, err));
    return thread_begin(api, &api->purger, api_purges_main, err);
}

static void threads_end(Api *api)
{
    thread_end(&api->timer);
    if (api->purger.runs) {
        store_reindex_stop(api->store); /* a purge's copy of the index is made again */
    }
    thread_end(&api->purger);
    store_uploads_close(api->uploads);
    store_reader_close(api->timer.reader);
    store_reader_close(api->purger.reader);
}

static Status rooms_open(Api *api, Err *err)
{
    const ApiOptions *o = &api->options;
    StoreOptions store = {
        .dir = o->dir, .clock = o->clock, .random = o->random, .zone_min = o->zone_min};
    FlowPackageSource *source;
    size_t n;
    TRY(store_open(&store, &api->store, err));
    if (o->region) {
        TRY(store_setting_put(api->store, STR(FLOW_SETTING_REGION), str_from_c(o->region), err));
    }
    TRY(store_persons_open(api->store, err));
    TRY(access_open(api->store, o->dir, &api->access, err));
    TRY(api_packages(&api->arena, o->pathways, o->overlay, o->overlay_n, &source, &n, err));
    TRY(flow_open(api->store, source, n, &api->flow, err));
    TRY(insight_open(api->store, o->dir, &api->insight, err));
    TRY(api_profiles_open(api, err));
    TRY(insight_views_open(api->store, o->dir, o->zone_min, &api->views, err));
    TRY(api_events_open(api, &api->events, err));
    api_imports_open(api);
    tags_make(api);
    if (!o->host) {
        return OK;
    }
    api_purges_resume(api);
    TRY(api_exports_open(api, err));
    TRY(api_reindexes_open(api, err));
    TRY(api_bulk_open(api, err));
    TRY(http_start(api, err));
    TRY(api_hooks_open(api, err));
    return threads_begin(api, err);
}

Status api_open(const ApiOptions *options, Api **ret, Err *err)
{
    Api *api = calloc(1, sizeof *api);
    mk_check(api != NULL);
    arena_init(&api->arena, 0);
    api->options = *options;
    api->opened_ms = clock_now(options->clock);
    pthread_mutex_init(&api->statement.lock, NULL);
    pthread_mutex_init(&api->packed.lock, NULL);
    Status status = rooms_open(api, err);
    if (status != OK) {
        api_close(api);
        return status;
    }
    *ret = api;
    return OK;
}

void api_close(Api *api)
{
    atomic_store(&api->stopping, true);
    api_imports_close(api);
    api_exports_close(api);
    api_reindexes_close(api);
    api_bulk_close(api);
    api_hooks_close(api);
    threads_end(api);
    if (api->http) {
        http_server_close(api->http);
    }
    api_events_close(api->events);
    api_profiles_close(api->profiles);
    insight_close(api->insight);
    insight_views_close(api->views);
    if (api->flow) {
        flow_close(api->flow);
    }
    if (api->access) {
        access_close(api->access);
    }
    if (api->store) {
        store_close(api->store);
    }
    pthread_mutex_destroy(&api->statement.lock);
    pthread_mutex_destroy(&api->packed.lock);
    free(api->statement.bytes);
    free(api->packed.bytes);
    arena_done(&api->arena);
    free(api);
}

/* ---- running
 * ------------------------------------------------------------------------------------------- */

static void err_print(const Err *err)
{
    for (const Issue *i = err->first; i; i = i->next) {
        fprintf(stderr, "menkou: %.*s%s%.*s\n", STR_ARG(i->where), i->where.n ? ": " : "",
                STR_ARG(i->en));
    }
}

/* Contracts 1.7: wrong use, or a directory that is held or in an unknown state. */
static int exit_status(const Err *err, Status status)
{
    bool held = err->first && str_is(err->first->rule, "held");
    return held || status == ERR_CONFLICT || status == ERR_INTERNAL ? 3 : 2;
}

int api_run(const ApiOptions *options)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop,
                    NULL); /* inherited by every thread; sigwait alone takes them */
    Arena a;
    arena_init(&a, 0);
    Err err;
    err_init(&err, &a);
    Api *api;
    Status status = api_open(options, &api, &err);
    int exit_code = status == OK ? 0 : exit_status(&err, status);
    if (status != OK) {
        err_print(&err);
    } else {
        printf("listening on %s\n", api->url);
        fflush(stdout);
        int which;
        sigwait(&stop, &which);
        api_close(api);
    }
    arena_done(&a);
    return exit_code;
}
