/*
 * /purges: erasures, proposed by one administrator and confirmed by another
 * (docs/formats/purges.md), and the thread that carries them out.
 */
#include "access_purge.h"
#include "api_inner.h"

#define WAIT_MS       500
#define FIGURES_STEP  1000  /* rows of the log */
#define TRY_AGAIN_MS  60000 /* a backup or a long reader stood in the way */
#define TARGETS_BYTES 16384

/* ---- What a purge looks like ----------------------------------------------------------------- */

static void extent_write(JsonWriter *w, const StorePurgeExtent *x)
{
    json_member_i64(w, "resources", (int64_t)x->resources);
    json_member_i64(w, "versions", (int64_t)x->versions);
    json_member_i64(w, "blobs", (int64_t)x->blobs);
    json_member_i64(w, "kept", (int64_t)x->kept);
}

static void targets_write(JsonWriter *w, Str target)
{
    json_key_open(w, "targets", '[');
    for (Str rest = target, one; !str_empty(rest);) {
        str_cut(rest, ' ', &one, &rest);
        json_put_str(w, one);
    }
    json_close(w, ']');
}

static void purge_write(ApiCall *c, JsonWriter *w, const StorePurge *p)
{
    json_open(w, '{');
    json_member_str(w, "id", p->id);
    json_member_c(w, "state", purge_state_word(p->state));
    targets_write(w, p->target);
    json_member_str(w, "reason", p->reason);
    json_member_str(w, "proposer", p->proposer);
    api_json_time(c, w, "proposed", p->proposed_ms);
    api_json_time(c, w, "expires", p->expires_ms);
    if (p->decided_ms) {
        json_member_str(w, "decider", p->decider);
        api_json_time(c, w, "decided", p->decided_ms);
    }
    if (p->done_ms) {
        api_json_time(c, w, "finished", p->done_ms);
    }
    extent_write(w, &p->extent);
    json_close(w, '}');
}

static Status purge_answer(ApiCall *c, int status, const StorePurge *p)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key(&w, "purge");
    purge_write(c, &w, p);
    json_close(&w, '}');
    api_json_answer(c, status, &out);
    return OK;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static Status targets_read(ApiCall *c, const JsonDoc *d, Str *ret)
{
    JsonRef list = json_get_c(d, JSON_ROOT, "targets");
    Buf text;
    buf_init(&text, TARGETS_BYTES);
    bool good = json_type(d, list) == JSON_ARRAY && json_count(d, list) > 0;
    for (JsonIter it = json_iter(d, list); good && json_next(&it);) {
        Str one = json_str(d, it.value);
        good = json_type(d, it.value) == JSON_STRING && str_find_char(one, ' ') < 0;
        buf_c(&text, buf_str(&text).n ? " " : "");
        buf_add(&text, one);
    }
    *ret = arena_str(c->arena, buf_str(&text));
    good = good && buf_str(&text).n < TARGETS_BYTES;
    buf_done(&text);
    return good ? OK
                : err_add(&c->err, ERR_INVALID, "value", STR("targets"),
                          "targets 应为要清除的对象列表",
                          "targets is the list of what is to be purged");
}

/* Whoever asks sees whom it is about, as anybody sees a patient who is not theirs. */
static void patients_write(ApiCall *c, JsonWriter *w, Str target)
{
    json_key_open(w, "patients", '[');
    for (Str rest = target, one, type, id; !str_empty(rest);) {
        StoreVersion v;
        JsonDoc d;
        str_cut(rest, ' ', &one, &rest);
        if (str_cut(one, '/', &type, &id) && str_is(type, "Patient") &&
            store_read(c->reader, c->arena, &STORE_VIEW_ALL, type, id, &v, NULL) == OK &&
            json_parse(c->arena, v.body, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
            api_touch(c, id);
            api_patient_masked(c, w, id, &d);
        }
    }
    json_close(w, ']');
}

Status api_purge_look(ApiCall *c)
{
    JsonDoc d;
    Str target;
    StorePurgeExtent extent;
    TRY(api_json_body(c, &d));
    TRY(targets_read(c, &d, &target));
    c->what = arena_cat(c->arena, STR("purge look "), target);
    TRY(purges_look(c->reader, c->arena, c->caller, target, &extent, &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    extent_write(&w, &extent);
    patients_write(c, &w, target);
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

Status api_purge_propose(ApiCall *c)
{
    JsonDoc d;
    Str target, reason;
    StorePurge p;
    c->what = STR("purge propose");
    TRY(access_purge_may(c->caller, PURGE_DO_PROPOSE, &c->err));
    TRY(api_json_body(c, &d));
    TRY(targets_read(c, &d, &target));
    TRY(api_json_need(c, &d, "reason", &reason));
    c->what = arena_cat(c->arena, STR("purge propose "), target, STR(": "), utf8_take(reason, 500));
    TRY(api_again(c, &d));
    TRY(purges_propose(c->api->access, c->reader, c->arena, c->caller, target, reason, &p,
                       &c->err));
    c->what = arena_cat(c->arena, c->what, STR(" = "), p.id);
    c->changed = true;
    return purge_answer(c, 201, &p);
}

Status api_purge_decide(ApiCall *c)
{
    JsonDoc d;
    StorePurge p;
    PurgeDo what;
    Str id = c->http->request.part[0], word = c->http->request.part[1];
    if (!purge_decision_find(word, &what)) {
        return err_status(&c->err, ERR_NOT_FOUND);
    }
    c->what = arena_cat(c->arena, STR("purge "), word, STR(" "), id);
    TRY(access_purge_may(c->caller, what, &c->err));
    TRY(api_json_body(c, &d));
    TRY(api_again(c, &d));
    TRY(purges_decide(c->api->access, c->reader, c->arena, c->caller, id, what, &p, &c->err));
    c->changed = true;
    return purge_answer(c, 200, &p);
}

static void may_write(ApiCall *c, JsonWriter *w)
{
    json_key_open(w, "may", '[');
    for (int i = 0; i < PURGE_DOINGS; i++) {
        if (access_purge_may(c->caller, (PurgeDo)i, NULL) == OK) {
            json_put_c(w, purge_do_word((PurgeDo)i));
        }
    }
    json_close(w, ']');
}

Status api_purges_list(ApiCall *c)
{
    StorePurge *list;
    size_t n;
    c->what = STR("purges");
    TRY(purges_list(c->api->access, c->reader, c->arena, c->caller, &list, &n, &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    may_write(c, &w);
    json_member_str(&w, "username", c->caller->username);
    json_key_open(&w, "purges", '[');
    for (size_t i = 0; i < n; i++) {
        purge_write(c, &w, &list[i]);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

/* ---- Carrying out ---------------------------------------------------------------------------- */

static void told(Api *api, Arena *a, const StorePurge *p)
{
    AccessCaller system = access_system(api->store);
    AccessAudit record = {.caller = &system,
                          .action = "D",
                          .what = arena_printf(a, "purge %s %.*s: %llu resources, %llu versions",
                                               purge_state_word(p->state), STR_ARG(p->id),
                                               (unsigned long long)p->extent.resources,
                                               (unsigned long long)p->extent.versions),
                          .http_status = 204};
    log_info("api", "%.*s", STR_ARG(record.what));
    if (access_audit(api->access, &record, true, NULL) != OK) {
        log_error("api", "a purge could not be written into the audit");
    }
}

/* The figures' facts are rows of the same cases: they go now and not when somebody next asks. */
static void figures_follow(Api *api, StoreReader *reader)
{
    bool more = true;
    while (more && !atomic_load(&api->stopping) &&
           insight_follow(api->insight, reader, FIGURES_STEP, &more, NULL) == OK) {
    }
}

/* *ret_any: one was brought to its end, and there may be another. */
static Status purge_next(Api *api, StoreReader *reader, uint64_t tidy_bytes, bool *ret_any)
{
    Arena a;
    Err err;
    StorePurge p;
    arena_init(&a, 0);
    err_init(&err, &a);
    Status s = store_purge_run(reader, &a, tidy_bytes, &p, &err);
    *ret_any = s == OK && p.state == PURGE_DONE;
    if (s != OK) {
        log_warn("api", "purge: %.*s", STR_ARG(err.first ? err.first->en : STR_NONE));
    } else if (!str_empty(p.id)) {
        told(api, &a, &p);
        figures_follow(api, reader);
        insight_views_reset(api->views);
        api_exports_forget(api);
        api_bulk_forget(api);
    }
    arena_done(&a);
    return s;
}

/* Of several processes one carries purges out; a purge may take its time. */
static const StoreLease PURGE_LEASE = {.name = "purge", .ms = 600000};

void api_purges_resume(Api *api)
{
    StoreReader *reader;
    StoreLease lease = PURGE_LEASE;
    bool any = true;
    if (store_reader_open(api->store, &reader, NULL) != OK) {
        return; /* the thread tries again */
    }
    while (any && store_lease(api->store, &lease) &&
           purge_next(api, reader, UINT64_MAX, &any) == OK) {
    }
    store_reader_close(reader);
}

void *api_purges_main(void *arg)
{
    Api *api = arg;
    StoreReader *reader = api->purger.reader;
    int64_t not_before_ms = 0;
    uint64_t tidy = purge_tidy_bytes(clock_now(api->options.clock));
    StoreLease lease = PURGE_LEASE;
    while (!atomic_load(&api->stopping)) {
        bool any = false;
        if (time_mono_ms() >= not_before_ms && store_lease(api->store, &lease) &&
            purge_next(api, reader, tidy, &any) != OK) {
            not_before_ms = time_mono_ms() + TRY_AGAIN_MS;
        }
        if (!any) {
            store_wait(api->store, UINT64_MAX, WAIT_MS);
        }
    }
    store_lease_give(api->store, &lease);
    return NULL;
}
