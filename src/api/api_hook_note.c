/* Notifications: a Bundle "history" whose first entry is the subscription's status. */
#include "api_hook.h"

#include "fhir_write.h"

static void reference(JsonWriter *w, const char *name, Str to)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
    fhir_reference_put(w, "valueReference", to, STR_NONE);
    json_close(w, '}');
}

static Str number(Arena *a, uint64_t n)
{
    return arena_printf(a, "%llu", (unsigned long long)n);
}

static void event_write(Api *api, Arena *a, JsonWriter *w, const Hook *h, const HookEvent *e)
{
    json_open(w, '{');
    json_member_c(w, "name", "notification-event");
    json_key_open(w, "part", '[');
    fhir_part_put(w, "event-number", "valueString", number(a, e->number));
    fhir_part_put(w, "timestamp", "valueInstant", time_iso(a, e->v.at_ms, api->options.zone_min));
    if (h->content != HOOK_EMPTY) {
        reference(w, "focus", arena_cat(a, e->v.type, STR("/"), e->v.id));
    }
    json_close(w, ']');
    json_close(w, '}');
}

void hook_status_write(Api *api, Arena *a, JsonWriter *w, const Hook *h, const HookNote *n)
{
    json_open(w, '{');
    json_member_c(w, "resourceType", "Parameters");
    json_key_open(w, "parameter", '[');
    reference(w, "subscription",
              arena_cat(a, str_from_c(api->url), STR("/fhir/Subscription/"), h->id));
    fhir_part_put(w, "topic", "valueCanonical", h->topic);
    fhir_part_put(w, "status", "valueCode", str_from_c(n->status));
    fhir_part_put(w, "type", "valueCode", str_from_c(n->kind));
    fhir_part_put(w, "events-since-subscription-start", "valueString", number(a, n->number));
    for (size_t i = 0; i < n->event_n; i++) {
        event_write(api, a, w, h, &n->event[i]);
    }
    if (n->error.n) {
        json_open(w, '{');
        json_member_c(w, "name", "error");
        json_key_open(w, "valueCodeableConcept", '{');
        json_member_str(w, "text", n->error);
        json_close(w, '}');
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void request_write(JsonWriter *w, const char *method, Str url, const char *status)
{
    json_key_open(w, "request", '{');
    json_member_c(w, "method", method);
    json_member_str(w, "url", url);
    json_close(w, '}');
    json_key_open(w, "response", '{');
    json_member_c(w, "status", status);
    json_close(w, '}');
}

static void focus_write(Api *api, Arena *a, JsonWriter *w, const Hook *h, const HookEvent *e)
{
    static const char *const METHOD[] = {
        [STORE_CREATE] = "POST", [STORE_UPDATE] = "PUT", [STORE_DELETE] = "DELETE"};
    static const char *const STATUS[] = {
        [STORE_CREATE] = "201", [STORE_UPDATE] = "200", [STORE_DELETE] = "204"};
    Str name = arena_cat(a, e->v.type, STR("/"), e->v.id);
    json_open(w, '{');
    json_member_str(w, "fullUrl", arena_cat(a, str_from_c(api->url), STR("/fhir/"), name));
    if (h->content == HOOK_FULL && e->v.body.n) {
        json_key(w, "resource");
        json_put_raw(w, e->v.body);
    }
    request_write(w, METHOD[e->v.op], e->v.op == STORE_CREATE ? e->v.type : name, STATUS[e->v.op]);
    json_close(w, '}');
}

static Str urn_new(Api *api, Arena *a)
{
    uint64_t x = random_u64(api->options.random), y = random_u64(api->options.random);
    return arena_printf(a, "urn:uuid:%08x-%04x-4%03x-%04x-%012llx", (unsigned)(x >> 32),
                        (unsigned)(x >> 16) & 0xffff, (unsigned)x & 0xfff,
                        ((unsigned)(y >> 48) & 0x3fff) | 0x8000,
                        (unsigned long long)y & 0xffffffffffffull);
}

Str hook_note_write(Api *api, Arena *a, const Hook *h, const HookNote *n)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Bundle", STR_NONE);
    json_member_c(&w, "type", "history");
    json_member_str(&w, "timestamp",
                    time_iso(a, clock_now(api->options.clock), api->options.zone_min));
    json_key_open(&w, "entry", '[');
    json_open(&w, '{');
    json_member_str(&w, "fullUrl", urn_new(api, a));
    json_key(&w, "resource");
    hook_status_write(api, a, &w, h, n);
    request_write(&w, "GET", arena_cat(a, STR("Subscription/"), h->id, STR("/$status")), "200");
    json_close(&w, '}');
    for (size_t i = 0; i < n->event_n && h->content != HOOK_EMPTY; i++) {
        focus_write(api, a, &w, h, &n->event[i]);
    }
    json_close(&w, ']');
    return json_end(&w, '}', a);
}
