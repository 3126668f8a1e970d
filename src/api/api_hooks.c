/* The thread that tells subscribers: one after another, each from its own place in the log. */
#include "api_allow.h"
#include "api_hook.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "access_param.h"
#include "fhir_patch.h"
#include "store_term.h"

#define STRETCH        256
#define WAIT_MS        250
#define LEASE_MS       20000 /* longer than what is waited for an answer */
#define SETTLE_MS      1000  /* its author reads back what was written */
#define PLACE_EVERY    1000  /* rows without an event after which the place is written down */
#define CALLER_BYTES   ((size_t)8 << 20)
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

/* Somebody who has changed it meanwhile is first: it is read anew. */
static void status_set(ApiHooks *x, const Hook *h, const char *status, Str error)
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
    Status s = store_read(x->reader, &a, &STORE_VIEW_ALL, STR("Subscription"), h->id, &v, &err);
    s = s == OK ? status_body(&a, &v, status, error, &body, &err) : s;
    s = s == OK ? store_batch_update(b, v.type, v.id, body, v.vid, &err) : s;
    s = s == OK ? store_commit(b, &receipt, &err) : s;
    x->stale = true;
    arena_done(&a);
}

/* A place that cannot be kept is found again after a restart, at worst with events told twice. */
static void place_keep(ApiHooks *x, Line *l)
{
    if (hook_place_put(x->keep, l->hook.id, &l->place, NULL, 0, NULL) == OK) {
        l->kept = l->place.after;
    } else {
        log_warn("api", "the place of Subscription/%.*s cannot be kept", STR_ARG(l->hook.id));
    }
}

/* ---- Which subscriptions there are ---------------------------------------------------------- */

static void line_read(ApiHooks *x, Line *l)
{
    Err err;
    StoreVersion v;
    Str id = l->hook.id;
    err_init(&err, &x->arena);
    if (store_read(x->reader, &x->arena, &STORE_VIEW_ALL, STR("Subscription"), id, &v, &err) !=
        OK) {
        l->hook.status = STR_NONE;
        return;
    }
    if (hook_read(x->api, x->reader, &x->arena, &v, &l->hook, &err) != OK) {
        l->fault = err.first ? err.first->en : STR("It cannot be read");
        if (store_reader_trouble(x->reader, NULL) != OK) {
            l->hook.status = STR_NONE;
        }
    }
    if (str_is(l->hook.status, "requested")) {
        l->settles_ms = v.at_ms + SETTLE_MS;
    }
    if (l->fault.n) {
        return;
    }
    if (!hook_place_get(x->keep, &x->arena, id, &l->place)) {
        bool lost = str_is(l->hook.status, "active"); /* hooks.db is not what it was */
        l->place = (HookPlace){.after = lost ? store_seq(x->api->store) : v.seq};
        place_keep(x, l);
    }
    l->kept = l->place.after;
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
        line_read(x, &x->line[i]);
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

/* ---- Which rows are events ------------------------------------------------------------------ */

typedef struct Look {
    ApiHooks *x;
    const Hook *hook;
    AccessCaller caller;
    Arena *arena;
} Look;

/* The resource as it is now, found by the search and seen by the subscriber. */
static bool search_finds(Look *l, Str type, Str id, Str query)
{
    StoreQuery *q;
    StorePage page;
    Str asked = arena_cat(l->arena, STR("_id="), id, STR("&_count=1"),
                          query.n ? STR("&") : STR_NONE, query);
    return store_query_parse(l->x->api->store, l->arena, type, asked, false,
                             l->x->api->options.zone_min, &q, NULL) == OK &&
           store_search(l->x->reader, l->arena, q, &l->caller.view, STR_NONE, &page, NULL) == OK &&
           page.hits_n > 0;
}

static bool body_node(Look *l, const StoreVersion *v, FhirNode *ret)
{
    StoreVersion full;
    JsonDoc *d = arena_new(l->arena, JsonDoc);
    if (v->op == STORE_DELETE ||
        store_vread(l->x->reader, l->arena, &l->caller.view, v->type, v->id, v->vid, &full, NULL) !=
            OK ||
        json_parse(l->arena, full.body, &JSON_LIMITS_FHIR, d, NULL) != OK) {
        return false;
    }
    *ret = fhir_node_root(d);
    return true;
}

static bool criteria_hold(Look *l, const FhirPath *criteria, const StoreVersion *v)
{
    FhirNode now, before;
    StoreVersion *rows;
    size_t n = 0;
    bool more, holds = false;
    FhirPathVar vars[2] = {{.name = STR("previous")}, {.name = STR("current")}};
    bool there = body_node(l, v, &now);
    if (store_history(l->x->reader, l->arena, &l->caller.view, v->type, v->id, 0, v->seq, 1, &rows,
                      &n, &more, NULL) == OK &&
        n && body_node(l, &rows[0], &before)) {
        vars[0].values = fhir_values_one(l->arena, fhir_value_node(before));
    }
    if (there) {
        vars[1].values = fhir_values_one(l->arena, fhir_value_node(now));
    }
    StoreTerm term;
    store_term_init(&term, l->x->reader, &l->caller.view);
    FhirPathEnv env = {.arena = l->arena,
                       .vars = vars,
                       .vars_n = 2,
                       .now_ms = clock_now(l->x->api->options.clock),
                       .zone_min = l->x->api->options.zone_min,
                       .ctx = fhir_term_new(l->arena, &term.source),
                       .member_of = fhir_term_member_of};
    return fhir_path_test(criteria, &env, there ? &now : NULL, &holds, NULL) == OK && holds;
}

/* Filters of the row's type must all find it; what is deleted no search finds. */
static bool filters_hold(Look *l, const HookTrigger *t, const StoreVersion *v)
{
    if (t->query.n && !search_finds(l, v->type, v->id, t->query)) {
        return false;
    }
    for (size_t i = 0; i < l->hook->filter_n; i++) {
        Str type, query;
        str_cut(l->hook->filter[i], '?', &type, &query);
        if (str_eq(type, v->type) && !search_finds(l, v->type, v->id, query)) {
            return false;
        }
    }
    return true;
}

static bool row_is_event(Look *l, const StoreVersion *v)
{
    for (size_t i = 0; i < l->hook->trigger_n; i++) {
        const HookTrigger *t = &l->hook->trigger[i];
        if (str_eq(t->type, v->type) && t->ops & 1u << v->op && !v->purged &&
            access_may(&l->caller, ACCESS_READ, v->type, NULL) == OK &&
            store_version_visible(l->x->reader, &l->caller.view, v->seq) &&
            (!t->criteria || criteria_hold(l, t->criteria, v)) && filters_hold(l, t, v)) {
            return true;
        }
    }
    return false;
}

static Status subscriber(Api *api, StoreReader *r, Arena *a, const Hook *h, AccessCaller *ret,
                         Err *err)
{
    StoreAuthor author = {h->author, h->role, h->org};
    return access_caller_by_author(api->access, r, a, &author, ret, err);
}

Status hook_events_load(Api *api, StoreReader *r, Arena *a, const Hook *h, const uint64_t *number,
                        const uint64_t *seq, size_t n, HookEvent **ret, size_t *ret_n, Err *err)
{
    AccessCaller caller;
    HookEvent *event = arena_array(a, HookEvent, n + 1);
    *ret_n = 0;
    TRY(subscriber(api, r, a, h, &caller, err));
    for (size_t i = 0; i < n; i++) {
        StoreVersion *rows;
        size_t rows_n;
        TRY(store_log(r, a, seq[i] - 1, 1, &rows, &rows_n, err));
        if (!rows_n || rows[0].seq != seq[i] || !store_version_visible(r, &caller.view, seq[i])) {
            continue;
        }
        HookEvent *e = &event[(*ret_n)++];
        *e = (HookEvent){number[i], rows[0]};
        if (h->content == HOOK_FULL && rows[0].op != STORE_DELETE && !rows[0].purged) {
            TRY(store_vread(r, a, &caller.view, rows[0].type, rows[0].id, rows[0].vid, &e->v, err));
        }
    }
    *ret = event;
    return store_reader_trouble(r, err);
}

/* ---- Telling -------------------------------------------------------------------------------- */

static int64_t now_of(const ApiHooks *x)
{
    return clock_now(x->api->options.clock);
}

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

/* Goes past the events, which are counted, and keeps a letter when they were not taken. */
static void events_pass(ApiHooks *x, Line *l, const uint64_t *seq, size_t n, bool taken)
{
    HookPlace *p = &l->place;
    HookLetter letter = {.hook = l->hook.id,
                         .first = p->number + 1,
                         .last = p->number + n,
                         .at_ms = now_of(x),
                         .attempts = p->attempts + 1,
                         .reason = p->error};
    if (!taken && hook_letter_put(x->keep, &letter, NULL) != OK) {
        log_warn("api", "a letter of Subscription/%.*s cannot be kept", STR_ARG(l->hook.id));
    }
    p->number += n;
    p->after = seq[n - 1];
    p->attempts = 0;
    p->next_ms = 0;
    p->error = taken ? STR_NONE : p->error;
    if (hook_place_put(x->keep, l->hook.id, p, seq, n, NULL) == OK) {
        l->kept = p->after;
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
    place_keep(x, l);
}

static void events_send(ApiHooks *x, Line *l, Look *look, const uint64_t *seq, size_t n)
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
    Look look = {x, &l->hook, *caller, a};
    StoreVersion *rows;
    size_t n = 0, found = 0;
    uint64_t seq[HOOK_BATCH_MAX], last = l->place.after;
    if (store_log(x->reader, a, l->place.after, STRETCH, &rows, &n, NULL) != OK) {
        return false;
    }
    for (size_t i = 0; i < n && found < l->hook.batch; i++) {
        last = rows[i].seq;
        if (row_is_event(&look, &rows[i])) {
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
        place_keep(x, l);
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
    place_keep(x, l);
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
        place_keep(x, l);
        status_set(x, &l->hook, "active", STR_NONE);
    } else if (s == ERR_UNPROCESSABLE || l->place.attempts >= 5) {
        status_set(x, &l->hook, "error", err.first ? err.first->en : STR_NONE);
    } else {
        back_off(x, &l->place);
        place_keep(x, l);
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
        status_set(x, &l->hook, "error", l->fault);
        return false;
    }
    arena_init(&a, STEP_BYTES);
    err_init(&err, &a);
    store_reader_calm(x->reader);
    bool wanted = str_is(l->hook.status, "active");
    int64_t beat_ms = l->hook.heartbeat_s * MS_SECOND;
    Status s = subscriber(x->api, x->reader, &a, &l->hook, &caller, &err);
    if (s != OK && store_reader_trouble(x->reader, NULL) == OK) {
        status_set(x, &l->hook, "error", err.first->en);
    } else if (s == OK && !api_allowed(x->reader, ALLOW_TARGETS, l->hook.endpoint)) {
        status_set(x, &l->hook, "error", STR("The address is not allowed any more"));
    } else if (s == OK && !wanted) {
        handshake(x, l, &a);
    } else if (s == OK && l->place.after < store_seq(x->api->store)) {
        more = line_tell(x, l, &a, &caller);
    } else if (s == OK && beat_ms && now_of(x) - l->place.sent_ms >= beat_ms) {
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
        if (!more && !x->stale) {
            store_wait(x->api->store, seq, WAIT_MS);
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
