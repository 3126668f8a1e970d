/*
 * Subscription/$status and $events, and for administrators the letters that could not be delivered.
 */
#include "api_hook.h"

#include "fhir_write.h"

#define EVENTS_SHOWN  100u
#define LETTERS_SHOWN 200u

/* ---- Of subscribers ------------------------------------------------------------------------- */

/* As it stands, also when it says something that cannot be done. */
static Status hook_of(ApiCall *c, Str id, Hook *ret, HookPlace *ret_place)
{
    StoreVersion v;
    Err quiet;
    err_init(&quiet, c->arena);
    TRY(access_may(c->caller, ACCESS_READ, STR("Subscription"), &c->err));
    TRY(api_read_version(c, STR("Subscription"), id, STR_NONE, &v, &c->err));
    *ret = (Hook){.id = id};
    *ret_place = (HookPlace){0};
    Status fits = hook_read(c->api, c->reader, c->arena, &v, ret, &quiet);
    bool known;
    TRY(hook_place_get(hooks_keep_of(c->api), c->arena, id, ret_place, &known, &c->err));
    if (fits != OK && (!known || !ret_place->error.n) && quiet.first) {
        ret_place->error = quiet.first->en;
    }
    return store_reader_trouble(c->reader, &c->err);
}

static void status_entry(ApiCall *c, JsonWriter *w, Str id)
{
    Hook h;
    HookPlace p;
    if (hook_of(c, id, &h, &p) != OK) {
        err_clear(&c->err);
        return;
    }
    HookNote note = {.kind = "query-status",
                     .status = arena_cstr(c->arena, h.status),
                     .number = p.number,
                     .error = p.error};
    json_open(w, '{');
    json_key(w, "resource");
    hook_status_write(c->api, c->arena, w, &h, &note);
    json_key_open(w, "search", '{');
    json_member_c(w, "mode", "match");
    json_close(w, '}');
    json_close(w, '}');
}

static Status statuses(ApiCall *c, const Str *id, size_t n)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Bundle", STR_NONE);
    json_member_c(&w, "type", "searchset");
    json_member_i64(&w, "total", (int64_t)n);
    if (n) {
        json_key_open(&w, "entry", '[');
        for (size_t i = 0; i < n; i++) {
            status_entry(c, &w, id[i]);
        }
        json_close(&w, ']');
    }
    c->result = (ApiResult){.status = 200, .body = json_end(&w, '}', c->arena)};
    return OK;
}

Status api_subscription_status(ApiCall *c)
{
    Hook h;
    HookPlace p;
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("Subscription/"), id, STR("/$status"));
    TRY(hook_of(c, id, &h, &p));
    return statuses(c, &id, 1);
}

typedef struct Wanted {
    ApiCall *c;
    Str id[HOOKS_MAX];
    size_t n;
    size_t since, until;
    Str content;
} Wanted;

static Status status_take(void *ctx, const ApiAsked *asked)
{
    Wanted *x = ctx;
    if (!str_is(asked->name, "id")) {
        return api_ask_unknown(x->c, asked->name, "id");
    }
    for (Str rest = asked->value, one; rest.n && x->n < HOOKS_MAX;) {
        str_cut(rest, ',', &one, &rest);
        x->id[x->n++] = one;
    }
    return OK;
}

/* Those asked for, or all that the caller sees. */
Status api_subscriptions_status(ApiCall *c)
{
    Wanted x = {.c = c};
    const StoreHit *hit;
    size_t n = 0;
    c->what = STR("Subscription/$status");
    TRY(access_may(c->caller, ACCESS_READ, STR("Subscription"), &c->err));
    TRY(api_ask_read(c, status_take, &x));
    if (!x.n) {
        TRY(api_search_ids(c, STR("Subscription"), STR("_sort=_id"), HOOKS_MAX, &hit, &n, &c->err));
    }
    for (size_t i = 0; i < n; i++) {
        x.id[x.n++] = hit[i].id;
    }
    return statuses(c, x.id, x.n);
}

static Status events_take(void *ctx, const ApiAsked *asked)
{
    Wanted *x = ctx;
    if (str_is(asked->name, "eventsSinceNumber") || str_is(asked->name, "eventsUntilNumber")) {
        size_t *at = str_is(asked->name, "eventsSinceNumber") ? &x->since : &x->until;
        return api_ask_number(x->c, asked, INT64_MAX, at);
    }
    if (str_is(asked->name, "content")) {
        x->content = asked->value;
        return OK;
    }
    return api_ask_unknown(x->c, asked->name, "eventsSinceNumber, eventsUntilNumber, content");
}

/* Never more than the subscription itself shows. */
static void content_lower(Hook *h, Str asked)
{
    HookContent wanted = str_is(asked, "empty")     ? HOOK_EMPTY
                         : str_is(asked, "id-only") ? HOOK_ID_ONLY
                                                    : h->content;
    h->content = wanted < h->content ? wanted : h->content;
}

Status api_subscription_events(ApiCall *c)
{
    Wanted x = {.c = c, .since = 1, .until = SIZE_MAX};
    Hook h;
    HookPlace p;
    HookEvent *event;
    uint64_t number[EVENTS_SHOWN], seq[EVENTS_SHOWN];
    size_t event_n;
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("Subscription/"), id, STR("/$events"));
    TRY(hook_of(c, id, &h, &p));
    TRY(api_ask_read(c, events_take, &x));
    if (!str_eq(h.author, access_author(c->caller).author)) {
        return err_add(&c->err, ERR_FORBIDDEN, NULL, STR_NONE, "只有订阅者本人可以取回事件",
                       "Only the subscriber may fetch the events");
    }
    content_lower(&h, x.content);
    size_t n = EVENTS_SHOWN;
    TRY(hook_events(hooks_keep_of(c->api), id, x.since, x.until, number, seq, &n, &c->err));
    TRY(hook_events_load(c->api, c->reader, c->arena, &h, number, seq, n, &event, &event_n,
                         &c->err));
    for (size_t i = 0; i < event_n; i++) {
        api_touch_version(c, &event[i].v);
    }
    HookNote note = {.kind = "query-event",
                     .status = arena_cstr(c->arena, h.status),
                     .number = p.number,
                     .event = event,
                     .event_n = event_n,
                     .error = p.error};
    c->result = (ApiResult){.status = 200, .body = hook_note_write(c->api, c->arena, &h, &note)};
    return OK;
}

/* ---- Of administrators ---------------------------------------------------------------------- */

/* Without content: who runs the system sees that something is stuck, not what. */
static Status hooks_may(ApiCall *c, AccessDo what)
{
    return c->caller->administrator ? access_may(c->caller, what, HOOKS_RIGHT, &c->err)
                                    : err_status(&c->err, ERR_FORBIDDEN);
}

static void letter_write(ApiCall *c, JsonWriter *w, const HookLetter *l)
{
    json_open(w, '{');
    json_member_i64(w, "no", l->no);
    json_member_str(w, "subscription", l->hook);
    json_member_i64(w, "firstEvent", (int64_t)l->first);
    json_member_i64(w, "lastEvent", (int64_t)l->last);
    api_json_time(c, w, "at", l->at_ms);
    json_member_i64(w, "attempts", l->attempts);
    json_member_str(w, "reason", l->reason);
    json_close(w, '}');
}

Status api_hook_letters(ApiCall *c)
{
    Buf out;
    HookLetter *letter = arena_array(c->arena, HookLetter, LETTERS_SHOWN);
    c->what = STR("hooks/letters");
    TRY(hooks_may(c, ACCESS_READ));
    size_t n = LETTERS_SHOWN;
    TRY(hook_letters(hooks_keep_of(c->api), c->arena, letter, &n, &c->err));
    JsonWriter w = json_begin(&out, '{');
    json_key_open(&w, "letters", '[');
    for (size_t i = 0; i < n; i++) {
        letter_write(c, &w, &letter[i]);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

static Status letter_find(ApiCall *c, Str no, HookLetter *ret)
{
    HookLetter *letter = arena_array(c->arena, HookLetter, HOOK_LETTERS_KEPT);
    size_t n = HOOK_LETTERS_KEPT;
    TRY(hook_letters(hooks_keep_of(c->api), c->arena, letter, &n, &c->err));
    for (size_t i = 0; i < n; i++) {
        if (str_eq(arena_printf(c->arena, "%lld", (long long)letter[i].no), no)) {
            *ret = letter[i];
            return OK;
        }
    }
    return err_status(&c->err, ERR_NOT_FOUND);
}

/* The events as the subscriber may see them now, to where the subscription points now. */
static Status letter_send(ApiCall *c, const HookLetter *l)
{
    Hook h;
    StoreVersion v;
    HookPlace p = {0};
    HookEvent *event;
    uint64_t number[HOOK_BATCH_MAX], seq[HOOK_BATCH_MAX];
    size_t event_n;
    TRY(store_read(c->reader, c->arena, &STORE_VIEW_ALL, STR("Subscription"), l->hook, &v,
                   &c->err));
    TRY(hook_read(c->api, c->reader, c->arena, &v, &h, &c->err));
    size_t n = HOOK_BATCH_MAX;
    bool known;
    TRY(hook_place_get(hooks_keep_of(c->api), c->arena, l->hook, &p, &known, &c->err));
    TRY(hook_events(hooks_keep_of(c->api), l->hook, l->first, l->last, number, seq, &n, &c->err));
    TRY(hook_events_load(c->api, c->reader, c->arena, &h, number, seq, n, &event, &event_n,
                         &c->err));
    for (size_t i = 0; i < event_n; i++) {
        api_touch_version(c, &event[i].v);
    }
    HookNote note = {.kind = "event-notification",
                     .status = arena_cstr(c->arena, h.status),
                     .number = p.number,
                     .event = event,
                     .event_n = event_n};
    return hook_send(c->arena, &h, hook_note_write(c->api, c->arena, &h, &note), &c->err);
}

Status api_hook_letter_do(ApiCall *c)
{
    HookLetter l;
    Str no = c->http->request.part[0], what = c->http->request.part[1];
    c->what = arena_cat(c->arena, STR("hooks/letters/"), no, STR("/"), what);
    TRY(hooks_may(c, ACCESS_UPDATE));
    TRY(letter_find(c, no, &l));
    if (str_is(what, "resend")) {
        TRY(letter_send(c, &l));
    } else if (!str_is(what, "drop")) {
        return err_status(&c->err, ERR_NOT_FOUND);
    }
    TRY(hook_letter_drop(hooks_keep_of(c->api), l.no, &c->err));
    c->changed = true;
    c->result = (ApiResult){.status = 204};
    return OK;
}
