/* The thread that tells subscribers: one after another, each from its own place in the log. */
#include "api_allow.h"
#include "api_hook.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "access_param.h"
#include "fhir_patch.h"

#define STRETCH        256
#define WAIT_MS        250
#define LEASE_MS       20000 /* longer than what is waited for an answer */
#define SETTLE_MS      1000  /* its author reads back what was written */
#define PLACE_EVERY    1000  /* rows without an event after which the place is written down */
#define STEP_BYTES     ((size_t)128 << 20)
#define ERROR_TEXT_MAX 300

typedef struct Line {
    Hook hook;
    HookPlace place;
    uint64_t kept; /* the place as it is written down */
    int64_t settles_ms;
    Str fault; /* why it cannot be served */
} Line;

struct ApiHooks {
    Api *api;
    StoreReader *reader;
    HookKeep *keep;
    Arena arena; /* of the lines */
    Line *line;
    size_t n;
    uint64_t seen; /* the log is looked through for subscriptions and topics up to here */
    bool stale;
    pthread_t thread;
    bool begun;
    _Atomic bool stop;
};

HookKeep *hooks_keep_of(Api *api)
{
    return api->hooks->keep;
}

/* ---- What a Subscription's own status becomes ---------------------------------------------- */

static Status status_body(Arena *a, const StoreVersion *v, const char *status, Str error, Str *ret,
                          Err *err)
{
    JsonDoc d, patch;
    Buf out;
    TRY(json_parse(a, v->body, &JSON_LIMITS_FHIR, &d, err));
    buf_init(&out, 0);
    buf_printf(&out, "[{\"op\":\"add\",\"path\":\"/status\",\"value\":\"%s\"}", status);
    if (error.n) {
        buf_c(&out, ",{\"op\":\"add\",\"path\":\"/error\",\"value\":");
        buf_json_str(&out, str_take(error, ERROR_TEXT_MAX));
        buf_c(&out, "}");
    } else if (json_get_c(&d, JSON_ROOT, "error") != JSON_NONE) {
        buf_c(&out, ",{\"op\":\"remove\",\"path\":\"/error\"}");
    }
    buf_c(&out, "]");
    Str text = buf_take(&out, a);
    TRY(json_parse(a, text, &JSON_LIMITS_FHIR, &patch, err));
    return fhir_patch_json(a, &d, &patch, ret, err);
}

/* The disk or the memory is short, or somebody holds it: it may go well later. */
static bool may_pass(Status s)
{
    return s == ERR_UNAVAILABLE || s == ERR_STORAGE_FULL || s == ERR_INTERNAL;
}

static int64_t now_of(const ApiHooks *x)
{
    return clock_now(x->api->options.clock);
}

static void back_off(ApiHooks *x, HookPlace *p)
{
    int64_t now_ms = now_of(x), most = access_param(ACCESS_HOOK_RETRY_MAX_MS, now_ms);
    int64_t wait = access_param(ACCESS_HOOK_RETRY_MS, now_ms);
    for (int64_t i = 0; i < p->attempts && wait < most; i++) {
        wait *= 2;
    }
    p->attempts++;
    p->next_ms = now_ms + (wait < most ? wait : most);
}

/* Somebody who has changed it meanwhile is first: it is read anew. */
static void status_set(ApiHooks *x, Line *l, const char *status, Str error)
{
    Arena a;
    Err err;
    StoreVersion v;
    StoreReceipt receipt;
    Str body;
    arena_init(&a, STEP_BYTES);
    err_init(&err, &a);
    AccessCaller system = access_system(x->api->store);
    StoreAuthor author = access_author(&system);
    StoreBatch *b = store_batch_new(x->api->store, &a, &author, STR("hook"));
    Status s =
        store_read(x->reader, &a, &STORE_VIEW_ALL, STR("Subscription"), l->hook.id, &v, &err);
    s = s == OK ? status_body(&a, &v, status, error, &body, &err) : s;
    s = s == OK ? store_batch_update(b, v.type, v.id, body, v.vid, &err) : s;
    s = s == OK ? store_commit(b, &receipt, &err) : s;
    if (may_pass(s)) {
        back_off(x, &l->place);
    } else {
        x->stale = true;
    }
    arena_done(&a);
}

/* False: it is found again as it was, at worst with events told twice. */
static bool place_keep(ApiHooks *x, Line *l)
{
    bool kept = hook_place_put(x->keep, l->hook.id, &l->place, &(HookTold){0}, NULL) == OK;
    if (kept) {
        l->kept = l->place.after;
    } else {
        log_warn("api", "the place of Subscription/%.*s cannot be kept", STR_ARG(l->hook.id));
    }
    return kept;
}

/* ---- Which subscriptions there are ---------------------------------------------------------- */

/* A place that is not known: from the definition on; from now on where hooks.db was lost. */
static Status place_find(ApiHooks *x, Line *l, const StoreVersion *v, Err *err)
{
    bool known;
    TRY(hook_place_get(x->keep, &x->arena, l->hook.id, &l->place, &known, err));
    if (!known) {
        bool lost = str_is(l->hook.status, "active");
        l->place = (HookPlace){.after = lost ? store_seq(x->api->store) : v->seq};
        TRY(place_keep(x, l) ? OK : ERR_UNAVAILABLE);
    }
    l->kept = l->place.after;
    return OK;
}

/* Not OK: it could not be read now. One that is gone has no status. */
static Status line_read(ApiHooks *x, Line *l)
{
    Err err;
    StoreVersion v;
    err_init(&err, &x->arena);
    Status s = store_read(x->reader, &x->arena, &STORE_VIEW_ALL, STR("Subscription"), l->hook.id,
                          &v, &err);
    if (s != OK) {
        l->hook.status = STR_NONE;
        return may_pass(s) ? s : store_reader_trouble(x->reader, NULL);
    }
    if (hook_read(x->api, x->reader, &x->arena, &v, &l->hook, &err) != OK) {
        l->fault = err.first ? err.first->en : STR("It cannot be read");
        TRY(store_reader_trouble(x->reader, NULL));
    }
    if (str_is(l->hook.status, "requested")) {
        l->settles_ms = v.at_ms + SETTLE_MS;
    }
    return l->fault.n ? OK : place_find(x, l, &v, &err);
}

static void lines_read(ApiHooks *x)
{
    Hook *hook;
    size_t n = 0;
    arena_reset(&x->arena);
    x->n = 0;
    x->stale = false;
    if (hooks_read(x->api, x->reader, &x->arena, &hook, &n, NULL) != OK) {
        x->stale = true;
        return;
    }
    x->line = arena_array(&x->arena, Line, n + 1);
    for (size_t i = 0; i < n; i++) {
        x->line[i].hook = hook[i];
        x->stale |= line_read(x, &x->line[i]) != OK;
    }
    x->n = n;
}

/* Whether the log has gained a subscription or a topic. */
static void log_look(ApiHooks *x)
{
    Arena a;
    StoreVersion *rows;
    size_t n = 1;
    while (n && x->seen < store_seq(x->api->store)) {
        arena_init(&a, STEP_BYTES);
        if (store_log(x->reader, &a, x->seen, 1000, &rows, &n, NULL) != OK) {
            n = 0;
        }
        for (size_t i = 0; i < n; i++) {
            x->stale |= str_is(rows[i].type, "Subscription") || str_is(rows[i].type, "Basic");
            x->seen = rows[i].seq;
        }
        arena_done(&a);
    }
}

/* ---- Telling -------------------------------------------------------------------------------- */

/* The audit names what left the house and for whom. */
static Status note_audit(ApiHooks *x, const Hook *h, const AccessCaller *caller,
                         const HookEvent *event, size_t n, Arena *a)
{
    Str *patients = arena_array(a, Str, 1);
    size_t patients_n = 0, room = 1;
    for (size_t i = 0; i < n; i++) {
        room += event[i].v.patients_n;
    }
    patients = arena_array(a, Str, room);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < event[i].v.patients_n; k++) {
            patients[patients_n++] = event[i].v.patients[k];
        }
    }
    AccessAudit record = {.caller = caller,
                          .action = "R",
                          .what = arena_cat(a, STR("Subscription/"), h->id, STR(" notification")),
                          .patients = patients,
                          .patients_n = patients_n,
                          .http_status = 200};
    return access_audit(x->api->access, &record, false, NULL);
}

/*
 * Goes past the events, which are counted, with a letter when they were not taken. What cannot be
 * written down is told once more, with the same numbers.
 */
static void events_pass(ApiHooks *x, Line *l, const uint64_t *seq, size_t n, bool taken)
{
    HookPlace next = l->place;
    HookLetter letter = {.hook = l->hook.id,
                         .first = next.number + 1,
                         .last = next.number + n,
                         .at_ms = now_of(x),
                         .attempts = next.attempts + 1,
                         .reason = next.error};
    HookTold told = {seq, n, taken ? NULL : &letter};
    next.number += n;
    next.after = seq[n - 1];
    next.attempts = 0;
    next.next_ms = 0;
    next.error = taken ? STR_NONE : next.error;
    if (hook_place_put(x->keep, l->hook.id, &next, &told, NULL) == OK) {
        l->place = next;
        l->kept = next.after;
    } else {
        log_warn("api", "what Subscription/%.*s was told cannot be kept", STR_ARG(l->hook.id));
        back_off(x, &l->place);
    }
}

static void delivery_judge(ApiHooks *x, Line *l, Status s, const Err *err, const uint64_t *seq,
                           size_t n)
{
    HookPlace *p = &l->place;
    if (s == OK) {
        p->sent_ms = now_of(x);
        events_pass(x, l, seq, n, true);
        return;
    }
    p->error = arena_str(&x->arena, err->first ? err->first->en : STR("not delivered"));
    bool over =
        s == ERR_UNPROCESSABLE || p->attempts + 1 >= access_param(ACCESS_HOOK_TRIES, now_of(x));
    if (over) {
        events_pass(x, l, seq, n, false);
        return;
    }
    back_off(x, p);
    (void)place_keep(x, l);
}

static void events_send(ApiHooks *x, Line *l, HookLook *look, const uint64_t *seq, size_t n)
{
    Err err;
    uint64_t number[HOOK_BATCH_MAX];
    HookEvent *event;
    size_t event_n;
    err_init(&err, look->arena);
    for (size_t i = 0; i < n; i++) {
        number[i] = l->place.number + 1 + i;
    }
    if (hook_events_load(x->api, x->reader, look->arena, &l->hook, number, seq, n, &event, &event_n,
                         &err) != OK ||
        note_audit(x, &l->hook, &look->caller, event, event_n, look->arena) != OK) {
        back_off(x, &l->place);
        return;
    }
    HookNote note = {.kind = "event-notification",
                     .status = "active",
                     .number = l->place.number + n,
                     .event = event,
                     .event_n = event_n};
    Str body = hook_note_write(x->api, look->arena, &l->hook, &note);
    Status s = hook_send(look->arena, &l->hook, body, &err);
    delivery_judge(x, l, s, &err, seq, n);
}

/* One notification's worth of the log. True: there is more to do at once. */
static bool line_tell(ApiHooks *x, Line *l, Arena *a, const AccessCaller *caller)
{
    HookLook look = {x->api, x->reader, &l->hook, *caller, a};
    StoreVersion *rows;
    size_t n = 0, found = 0;
    uint64_t seq[HOOK_BATCH_MAX], last = l->place.after;
    if (store_log(x->reader, a, l->place.after, STRETCH, &rows, &n, NULL) != OK) {
        return false;
    }
    for (size_t i = 0; i < n && found < l->hook.batch; i++) {
        last = rows[i].seq;
        if (hook_row_is_event(&look, &rows[i])) {
            seq[found++] = last;
        }
    }
    if (store_reader_trouble(x->reader, NULL) != OK) {
        return false; /* nothing is passed over that could not be read */
    }
    if (found) {
        events_send(x, l, &look, seq, found);
    } else {
        l->place.after = last;
    }
    if (l->place.after > l->kept + PLACE_EVERY) {
        (void)place_keep(x, l);
    }
    return l->place.attempts == 0 && l->place.after < store_seq(x->api->store);
}

static void beat(ApiHooks *x, Line *l, Arena *a)
{
    Err err;
    HookNote note = {.kind = "heartbeat", .status = "active", .number = l->place.number};
    err_init(&err, a);
    l->place.sent_ms = now_of(x);
    if (hook_send(a, &l->hook, hook_note_write(x->api, a, &l->hook, &note), &err) != OK) {
        l->place.error = arena_str(&x->arena, err.first->en);
    }
    (void)place_keep(x, l);
}

static void handshake(ApiHooks *x, Line *l, Arena *a)
{
    Err err;
    HookNote note = {.kind = "handshake", .status = "requested", .number = l->place.number};
    err_init(&err, a);
    Status s = hook_send(a, &l->hook, hook_note_write(x->api, a, &l->hook, &note), &err);
    if (s == OK) {
        l->place.attempts = 0;
        l->place.next_ms = 0;
        l->place.sent_ms = now_of(x);
        if (place_keep(x, l)) {
            status_set(x, l, "active", STR_NONE);
        } else {
            back_off(x, &l->place);
        }
    } else if (s == ERR_UNPROCESSABLE || l->place.attempts >= 5) {
        status_set(x, l, "error", err.first ? err.first->en : STR_NONE);
    } else {
        back_off(x, &l->place);
        (void)place_keep(x, l);
    }
}

static bool line_step(ApiHooks *x, Line *l)
{
    Arena a;
    Err err;
    AccessCaller caller;
    bool more = false;
    int64_t now_ms = now_of(x);
    if (!l->hook.status.n || l->place.next_ms > now_ms || l->settles_ms > now_ms) {
        return false;
    }
    if (l->fault.n) {
        status_set(x, l, "error", l->fault);
        return false;
    }
    arena_init(&a, STEP_BYTES);
    err_init(&err, &a);
    store_reader_calm(x->reader);
    bool wanted = str_is(l->hook.status, "active");
    int64_t beat_ms = l->hook.heartbeat_s * MS_SECOND;
    Status s = hook_subscriber(x->api, x->reader, &a, &l->hook, &caller, &err);
    bool allowed = s == OK && api_allowed(x->reader, ALLOW_TARGETS, l->hook.endpoint);
    if (may_pass(s) || store_reader_trouble(x->reader, NULL) != OK) {
        more = false; /* who it is and where to could not be read: later */
    } else if (s != OK) {
        status_set(x, l, "error", err.first ? err.first->en : STR("The subscriber is gone"));
    } else if (!allowed) {
        status_set(x, l, "error", STR("The address is not allowed any more"));
    } else if (!wanted) {
        handshake(x, l, &a);
    } else if (l->place.after < store_seq(x->api->store)) {
        more = line_tell(x, l, &a, &caller);
    } else if (beat_ms && now_of(x) - l->place.sent_ms >= beat_ms) {
        beat(x, l, &a);
    }
    arena_done(&a);
    return more;
}

static void *hooks_main(void *arg)
{
    ApiHooks *x = arg;
    StoreLease lease = {.name = "hooks", .ms = LEASE_MS};
    while (!atomic_load(&x->stop)) {
        uint64_t seq = store_seq(x->api->store);
        if (!store_lease(x->api->store, &lease)) {
            x->stale = true; /* another process goes on from the same places */
            store_wait(x->api->store, UINT64_MAX, WAIT_MS);
            continue;
        }
        bool more = false;
        store_reader_calm(x->reader);
        log_look(x);
        if (x->stale) {
            lines_read(x);
        }
        for (size_t i = 0; i < x->n && !x->stale && !atomic_load(&x->stop); i++) {
            more |= line_step(x, &x->line[i]);
        }
        if (!more) {
            store_wait(x->api->store, seq, WAIT_MS); /* not where a status was written just now */
        }
    }
    store_lease_give(x->api->store, &lease);
    return NULL;
}

/* ---- Life ----------------------------------------------------------------------------------- */

Status api_hooks_open(Api *api, Err *err)
{
    ApiHooks *x = memory_take_zeroed(sizeof *x);
    x->api = api;
    api->hooks = x;
    arena_init(&x->arena, 0);
    x->stale = true;
    x->seen = store_seq(api->store);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        return err_status(err, ERR_UNAVAILABLE);
    }
    TRY(hook_keep_open(api, &x->keep, err));
    TRY(store_reader_open(api->store, &x->reader, err));
    x->begun = pthread_create(&x->thread, NULL, hooks_main, x) == 0;
    return x->begun ? OK : err_status(err, ERR_UNAVAILABLE);
}

void api_hooks_close(Api *api)
{
    ApiHooks *x = api->hooks;
    if (!x) {
        return;
    }
    atomic_store(&x->stop, true);
    if (x->begun) {
        pthread_join(x->thread, NULL);
    }
    if (x->reader) {
        store_reader_close(x->reader);
    }
    hook_keep_close(x->keep);
    arena_done(&x->arena);
    free(x);
    api->hooks = NULL;
}
