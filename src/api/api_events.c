/*
 * GET /events: the log as server-sent events, seen through each reader's eyes.
 *
 * One thread (the pump) reads the log once for all who are abreast of it and decides, at the
 * time of sending, what each may see. A reader keeps its place in the log, so that one who
 * resumes is caught up by the same walk. Nothing is buffered for a slow reader: the pump stops
 * feeding one whose bytes are not taken and drops it when that lasts.
 */
#include "api_glass.h"

#include <stdlib.h>

#define BEAT_MS        (15 * MS_SECOND)
#define LOOK_MS        (5 * MS_SECOND)
#define STALL_MS       (30 * MS_SECOND)
#define PENDING_MAX    ((size_t)256 << 10)
#define PENDING_ENOUGH ((size_t)64 << 10) /* above it a reader is left to drain */
#define READERS_MAX    1000
#define REPLAY_MAX     20000 /* sequences; who missed more starts again */
#define ROWS_AT_ONCE   256
#define WAIT_MS        250
#define EVENTS_MEDIA   "text/event-stream; charset=utf-8"

typedef struct EventReader {
    struct EventReader *next;
    HttpStream *stream;
    Arena arena; /* of the caller */
    AccessCaller caller;
    uint64_t after;     /* all up to here were sent or are none of its business */
    int64_t beat_ms;    /* monotonic: the last sign of life from us */
    int64_t look_ms;    /* monotonic: the last look at the session */
    int64_t stalled_ms; /* monotonic: since when its bytes wait; 0: they do not */
    bool ended;
} EventReader;

struct ApiEvents {
    Api *api;
    StoreReader *reader;
    pthread_t pump;
    pthread_mutex_t lock; /* of `readers`; the pump alone removes */
    EventReader *readers;
    unsigned readers_n;
    _Atomic bool stop;
};

/* A row of the log as all readers share it. */
typedef struct Event {
    const StoreVersion *v;
    bool glass; /* a record was opened in an emergency */
    Str case_id, state;
    JsonDoc alert; /* of a Communication that alerts; no tokens otherwise */
} Event;

/* ---- what a row says
 * ----------------------------------------------------------------------------- */

static const char *op_name(StoreOp op)
{
    return op == STORE_CREATE ? "create" : op == STORE_UPDATE ? "update" : "delete";
}

/* "act:x/claim Task/77" → 77 */
static Str case_of_cause(Str cause)
{
    ptrdiff_t at = str_find(cause, STR("Task/"));
    if (at < 0) {
        return STR_NONE;
    }
    Str id, rest;
    str_cut(str_skip(cause, (size_t)at + strlen("Task/")), ' ', &id, &rest);
    return id;
}

static bool body_read(ApiEvents *e, Arena *a, const StoreVersion *v, JsonDoc *ret)
{
    StoreVersion full;
    return v->op != STORE_DELETE &&
           store_vread(e->reader, a, &STORE_VIEW_ALL, v->type, v->id, v->vid, &full, NULL) == OK &&
           json_parse(a, full.body, &JSON_LIMITS_FHIR, ret, NULL) == OK;
}

static bool is_alert(const JsonDoc *d)
{
    for (JsonIter c = json_iter(d, json_get_c(d, JSON_ROOT, "category")); json_next(&c);) {
        for (JsonIter k = json_iter(d, json_get_c(d, c.value, "coding")); json_next(&k);) {
            if (str_is(json_str_at(d, k.value, "system"), "urn:menkou:alert")) {
                return true;
            }
        }
    }
    return false;
}

static void event_fill(ApiEvents *e, Arena *a, const StoreVersion *v, Event *ret)
{
    *ret = (Event){.v = v, .case_id = case_of_cause(v->cause)};
    JsonDoc d;
    if (str_is(v->type, "Task") && body_read(e, a, v, &d)) {
        ret->case_id = v->id;
        ret->state = json_str_at(&d, JSON_ROOT, "businessStatus.coding.0.code");
    } else if (str_is(v->type, "Communication") && body_read(e, a, v, &d) && is_alert(&d)) {
        ret->alert = d;
        ret->glass = api_glass_is_record(&d);
    }
}

/* ---- who may see it
 * --------------------------------------------------------------------------------- */

static bool event_visible(ApiEvents *e, const EventReader *r, const StoreVersion *v)
{
    return access_may(&r->caller, ACCESS_READ, v->type, NULL) == OK &&
           store_version_visible(e->reader, &r->caller.view, v->seq);
}

/* Who answers for access hears of every glass that is broken, also without sight of the patient. */
static bool event_is_for_reviewer(const EventReader *r, const Event *e)
{
    return e->glass && access_may(&r->caller, ACCESS_READ, GLASS_RIGHT, NULL) == OK;
}

/* An alert is one for those it is addressed to, a plain change for others. */
static bool alert_is_for(const EventReader *r, const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "recipient")); json_next(&it);) {
        Str to = json_str_at(d, it.value, "reference");
        if (str_eq(to, r->caller.practitioner) || str_eq(to, r->caller.post.post) ||
            str_eq(to, r->caller.post.organization)) {
            return true;
        }
    }
    return false;
}

/* ---- writing
 * ------------------------------------------------------------------------------------------- */

static void event_write(Buf *out, const EventReader *r, const Event *e)
{
    const StoreVersion *v = e->v;
    bool alert = e->alert.tok && (alert_is_for(r, &e->alert) || event_is_for_reviewer(r, e));
    buf_printf(out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)v->seq,
               alert ? "alert" : "resource");
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    json_member_str(&w, "type", v->type);
    json_member_str(&w, "id", v->id);
    json_member_str(&w, "versionId", v->vid);
    json_member_c(&w, "op", op_name(v->op));
    json_member_str(&w, "case", e->case_id);
    json_member_str(&w, "state", e->state);
    json_close(&w, '}');
    buf_c(out, "\n\n");
}

/* The heartbeat: the program's clock, by which deadlines tick. */
static void beat_write(ApiEvents *e, Buf *out)
{
    const ApiOptions *o = &e->api->options;
    buf_c(out, "event: clock\ndata: {\"now\":\"");
    buf_time_iso(out, clock_now(o->clock), o->zone_min);
    buf_c(out, "\"}\n\n");
}

static void reader_send(EventReader *r, Buf *out)
{
    if (out->n && !http_stream_write(r->stream, buf_str(out))) {
        r->ended = true;
    }
    buf_done(out);
}

static void reader_feed(ApiEvents *e, EventReader *r, const Event *event, size_t n)
{
    Buf out;
    buf_init(&out, PENDING_MAX - PENDING_ENOUGH);
    r->caller.view.now_ms = clock_now(e->api->options.clock);
    for (size_t i = 0; i < n; i++) {
        if (event[i].v->seq > r->after &&
            (event_visible(e, r, event[i].v) || event_is_for_reviewer(r, &event[i]))) {
            event_write(&out, r, &event[i]);
        }
    }
    r->after = event[n - 1].v->seq > r->after ? event[n - 1].v->seq : r->after;
    reader_send(r, &out);
}

/* ---- the pump
 * ------------------------------------------------------------------------------------------- */

/*
 * The session as it is now: another post, a post that ended, a changed directory. A stream is no
 * activity, so that a screen left open alone is logged off as any other.
 */
static void reader_look(ApiEvents *e, EventReader *r)
{
    Arena fresh;
    AccessCaller caller;
    arena_init(&fresh, (size_t)8 << 20);
    store_reader_calm(e->reader);
    if (access_caller_again(e->api->access, e->reader, &fresh, r->caller.token_sha, &caller,
                            NULL) != OK) {
        arena_done(&fresh);
        r->ended = true;
        return;
    }
    arena_done(&r->arena);
    r->arena = fresh;
    r->caller = caller;
}

static void reader_beat(ApiEvents *e, EventReader *r, int64_t now)
{
    bool waiting = http_stream_pending(r->stream) > PENDING_ENOUGH;
    r->stalled_ms = !waiting ? 0 : r->stalled_ms ? r->stalled_ms : now;
    if (r->stalled_ms && now - r->stalled_ms > STALL_MS) {
        r->ended = true;
    }
    if (!r->ended && now - r->beat_ms >= BEAT_MS) {
        Buf out;
        buf_init(&out, 0);
        beat_write(e, &out);
        r->beat_ms = now;
        reader_send(r, &out);
    }
    if (!r->ended && now - r->look_ms >= LOOK_MS) {
        r->look_ms = now;
        reader_look(e, r);
    }
}

static void readers_remove(ApiEvents *e)
{
    for (EventReader **at = &e->readers; *at;) {
        EventReader *r = *at;
        if (!r->ended && !atomic_load(&e->stop)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        e->readers_n--;
        http_stream_close(r->stream);
        arena_done(&r->arena);
        free(r);
    }
}

/* The place of the reader that is furthest behind among those that take their bytes. */
static bool place_lowest(ApiEvents *e, uint64_t *ret)
{
    bool any = false;
    for (EventReader *r = e->readers; r; r = r->next) {
        if (!r->stalled_ms && !r->ended && (!any || r->after < *ret)) {
            *ret = r->after;
            any = true;
        }
    }
    return any;
}

/* With the lock held: one stretch of the log to all who are ready for it. */
static void readers_feed(ApiEvents *e, uint64_t after)
{
    Arena a;
    arena_init(&a, (size_t)64 << 20);
    StoreVersion *rows;
    size_t n = 0;
    if (store_log(e->reader, &a, after, ROWS_AT_ONCE, &rows, &n, NULL) == OK && n > 0) {
        Event *event = arena_array(&a, Event, n);
        for (size_t i = 0; i < n; i++) {
            event_fill(e, &a, &rows[i], &event[i]);
        }
        for (EventReader *r = e->readers; r; r = r->next) {
            if (!r->stalled_ms && !r->ended && r->after < rows[n - 1].seq) {
                reader_feed(e, r, event, n);
            }
        }
    }
    arena_done(&a);
}

static void *pump_main(void *arg)
{
    ApiEvents *e = arg;
    uint64_t seen = store_seq(e->api->store);
    while (!atomic_load(&e->stop)) {
        store_wait(e->api->store, seen, WAIT_MS);
        uint64_t after, head = store_seq(e->api->store);
        int64_t now = time_mono_ms();
        pthread_mutex_lock(&e->lock);
        for (EventReader *r = e->readers; r; r = r->next) {
            reader_beat(e, r, now);
        }
        bool any = place_lowest(e, &after);
        if (any && after < head) {
            readers_feed(e, after);
        }
        readers_remove(e);
        /* Someone is still behind: no waiting. */
        seen = place_lowest(e, &after) ? after : head;
        pthread_mutex_unlock(&e->lock);
    }
    return NULL;
}

/* ---- life
 * ---------------------------------------------------------------------------------------------------
 */

Status api_events_open(Api *api, ApiEvents **ret, Err *err)
{
    ApiEvents *e = memory_take_zeroed(sizeof *e);
    e->api = api;
    pthread_mutex_init(&e->lock, NULL);
    Status status = store_reader_open(api->store, &e->reader, err);
    if (status == OK && pthread_create(&e->pump, NULL, pump_main, e) != 0) {
        store_reader_close(e->reader);
        status = err_status(err, ERR_UNAVAILABLE);
    }
    if (status != OK) {
        pthread_mutex_destroy(&e->lock);
        free(e);
        return status;
    }
    *ret = e;
    return OK;
}

void api_events_close(ApiEvents *e)
{
    if (!e) {
        return;
    }
    atomic_store(&e->stop, true);
    pthread_join(e->pump, NULL);
    readers_remove(e);
    store_reader_close(e->reader);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- the request
 * ---------------------------------------------------------------------------------------------- */

static Status place_asked(ApiCall *c, uint64_t *ret)
{
    Str text = http_header(&c->http->request, "Last-Event-ID");
    if (str_empty(text)) {
        text = api_query(c, "lastEventId");
    }
    uint64_t head = store_seq(c->api->store);
    *ret = head;
    if (str_empty(text)) {
        return OK;
    }
    int64_t asked;
    if (!str_to_i64(text, &asked) || asked < 0) {
        return err_add(&c->err, ERR_INVALID, "value", STR("Last-Event-ID"),
                       "Last-Event-ID 应为一个序号", "Last-Event-ID must be a sequence number");
    }
    if ((uint64_t)asked > head || head - (uint64_t)asked > REPLAY_MAX) {
        return err_add(&c->err, ERR_GONE, "expired", STR("Last-Event-ID"),
                       "该序号之后的事件无法补发，请重新开始",
                       "The events after this one cannot be sent again; start anew");
    }
    *ret = (uint64_t)asked;
    return OK;
}

static Status reader_new(ApiCall *c, uint64_t after, EventReader **ret)
{
    EventReader *r = memory_take_zeroed(sizeof *r);
    arena_init(&r->arena, (size_t)8 << 20);
    Status status =
        access_caller(c->api->access, c->reader, &r->arena, c->token, &r->caller, &c->err);
    if (status != OK) {
        arena_done(&r->arena);
        free(r);
        return status;
    }
    r->after = after;
    r->beat_ms = r->look_ms = time_mono_ms();
    *ret = r;
    return OK;
}

static void reader_greet(ApiCall *c, EventReader *r)
{
    Buf out;
    buf_init(&out, 0);
    buf_printf(&out, "retry: 2000\nid: %llu\n", (unsigned long long)r->after);
    beat_write(c->api->events, &out);
    reader_send(r, &out);
}

Status api_events(ApiCall *c)
{
    ApiEvents *e = c->api->events;
    uint64_t after;
    EventReader *r;
    TRY(place_asked(c, &after));
    c->what = STR("events");
    if (c->http->request.method == HTTP_HEAD) {
        c->result = (ApiResult){.status = 200, .media = EVENTS_MEDIA};
        return OK;
    }
    TRY(api_audit(c, "R", 200, &c->err));
    pthread_mutex_lock(&e->lock);
    bool full = e->readers_n >= READERS_MAX;
    pthread_mutex_unlock(&e->lock);
    if (full || atomic_load(&c->api->stopping)) {
        return err_status(&c->err, ERR_UNAVAILABLE);
    }
    TRY(reader_new(c, after, &r));
    http_set_header(c->http, "X-Accel-Buffering", STR("no"));
    r->stream = http_stream_new(c->http, PENDING_MAX);
    c->result = (ApiResult){.status = 200, .media = EVENTS_MEDIA, .stream = r->stream};
    reader_greet(c, r);
    pthread_mutex_lock(&e->lock);
    r->next = e->readers;
    e->readers = r;
    e->readers_n++;
    pthread_mutex_unlock(&e->lock);
    return OK;
}
