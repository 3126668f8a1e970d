/* Subscriptions and topics as they stand in resources. */
#include "api_allow.h"
#include "api_hook.h"

#include "fhir_resource.h"

#define BACKPORT       "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
#define R5_TOPIC       "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
#define ANY_OF         STR("urn:menkou:topic:") /* followed by a type: every change of it */
#define OPS_ALL        (1u << STORE_CREATE | 1u << STORE_UPDATE | 1u << STORE_DELETE)
#define TIMEOUT_MAX_S  60
#define HISTORY_LOOKED 50

typedef struct Read {
    Api *api;
    StoreReader *reader;
    Arena *arena;
    Hook *hook;
    Err *err;
} Read;

static Status wrong(Read *x, const char *where, const char *zh, const char *en)
{
    return err_text(x->err, ERR_UNPROCESSABLE, "invalid", str_from_c(where), str_from_c(zh),
                    str_from_c(en));
}

/* The first extension with the url, as the object it is. */
static JsonRef extension(const JsonDoc *d, JsonRef holder, const char *url)
{
    for (JsonIter it = json_iter(d, json_get_c(d, holder, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), url)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

/* The text of its value[x]. */
static Str extension_text(const JsonDoc *d, JsonRef e)
{
    for (JsonIter it = json_iter(d, e); json_next(&it);) {
        if (str_starts(it.key, STR("value"))) {
            return json_type(d, it.value) == JSON_STRING ? json_str(d, it.value)
                                                         : json_raw(d, it.value);
        }
    }
    return STR_NONE;
}

static int64_t extension_number(const JsonDoc *d, JsonRef holder, const char *url, int64_t without)
{
    int64_t n = without;
    (void)str_to_i64(extension_text(d, extension(d, holder, url)), &n);
    return n;
}

/* ---- Topics ------------------------------------------------------------------------------- */

static unsigned op_of(Str word)
{
    return str_is(word, "create")   ? 1u << STORE_CREATE
           : str_is(word, "update") ? 1u << STORE_UPDATE
           : str_is(word, "delete") ? 1u << STORE_DELETE
                                    : 0;
}

/* ".../StructureDefinition/Encounter", "Encounter" */
static Str type_of(Str url)
{
    while (str_find_char(url, '/') >= 0) {
        Str head;
        str_cut(url, '/', &head, &url);
    }
    return url;
}

static Status trigger_read(Read *x, const JsonDoc *d, JsonRef e)
{
    Hook *h = x->hook;
    HookTrigger t = {0};
    FhirPath *criteria = NULL;
    for (JsonIter it = json_iter(d, json_get_c(d, e, "extension")); json_next(&it);) {
        Str url = json_str_at(d, it.value, "url"), text = extension_text(d, it.value);
        if (str_is(url, "resource")) {
            t.type = type_of(text);
        } else if (str_is(url, "supportedInteraction")) {
            t.ops |= op_of(text);
        } else if (str_is(url, "fhirPathCriteria")) {
            TRY(fhir_path_compile(x->arena, text, &criteria, x->err));
        } else if (str_is(url, "queryCriteria")) {
            t.query = extension_text(d, extension(d, it.value, "current"));
        }
    }
    if (!fhir_resource_find(t.type) || h->trigger_n == HOOK_TRIGGERS_MAX) {
        return wrong(x, "Basic.extension", "主题的触发条件须指明资源类型，且不能过多",
                     "A trigger of the topic names a resource type, and there are not too many");
    }
    t.criteria = criteria;
    t.ops = t.ops ? t.ops : OPS_ALL;
    h->trigger[h->trigger_n++] = t;
    return OK;
}

static Status topic_triggers(Read *x, const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), R5_TOPIC "resourceTrigger")) {
            TRY(trigger_read(x, d, it.value));
        }
    }
    return OK;
}

/* A Basic with the code SubscriptionTopic and the url of the topic. */
static Status topic_find(Read *x)
{
    const StoreHit *hit;
    size_t n;
    TRY(store_find(x->reader, x->arena, &STORE_VIEW_ALL, STR("Basic"),
                   STR("code=SubscriptionTopic"), 1000, &hit, &n, x->err));
    for (size_t i = 0; i < n; i++) {
        JsonDoc *d = arena_new(x->arena, JsonDoc);
        TRY(json_parse(x->arena, hit[i].body, &JSON_LIMITS_FHIR, d, x->err));
        Str url = extension_text(d, extension(d, JSON_ROOT, R5_TOPIC "url"));
        Str status = extension_text(d, extension(d, JSON_ROOT, R5_TOPIC "status"));
        if (str_eq(url, x->hook->topic) && !str_is(status, "retired")) {
            return topic_triggers(x, d);
        }
    }
    return wrong(x, "Subscription.criteria", "没有这个主题", "There is no such topic");
}

/* Every change of a type, by a topic of our own or by a search as R4 has it. */
static Status triggers_read(Read *x)
{
    Hook *h = x->hook;
    Str type, query;
    bool search = str_cut(h->topic, '?', &type, &query);
    type = str_starts(h->topic, ANY_OF) ? str_skip(h->topic, ANY_OF.n) : type;
    if (!fhir_resource_find(type)) {
        TRY(topic_find(x));
        return h->trigger_n
                   ? OK
                   : wrong(x, "Basic.extension", "主题没有触发条件", "The topic has no trigger");
    }
    h->trigger[h->trigger_n++] =
        (HookTrigger){.type = type, .ops = OPS_ALL, .query = search ? query : STR_NONE};
    return OK;
}

static Status query_check(Read *x, Str type, Str query)
{
    StoreQuery *q;
    return store_query_parse(x->api->store, x->arena, type, query, false, x->api->options.zone_min,
                             &q, x->err);
}

static Status filters_read(Read *x)
{
    Hook *h = x->hook;
    const JsonDoc *d = h->doc;
    JsonRef list = json_at(d, JSON_ROOT, "_criteria.extension");
    h->filter = arena_array(x->arena, Str, json_count(d, list) + 1);
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        Str type, query, text = extension_text(d, it.value);
        if (!str_is(json_str_at(d, it.value, "url"), BACKPORT "filter-criteria")) {
            continue;
        }
        if (!str_cut(text, '?', &type, &query) || !fhir_resource_find(type)) {
            return wrong(x, "Subscription._criteria", "过滤条件应为 类型?查询",
                         "A filter is Type?query");
        }
        TRY(query_check(x, type, query));
        h->filter[h->filter_n++] = text;
    }
    for (size_t i = 0; i < h->trigger_n; i++) {
        TRY(query_check(x, h->trigger[i].type, h->trigger[i].query));
    }
    return OK;
}

/* ---- The channel -------------------------------------------------------------------------- */

static Status content_read(Read *x, JsonRef channel)
{
    const JsonDoc *d = x->hook->doc;
    JsonRef payload = json_get_c(d, channel, "_payload");
    Str content = extension_text(d, extension(d, payload, BACKPORT "payload-content"));
    Str media = json_str_at(d, channel, "payload");
    x->hook->content = str_is(content, "full-resource") ? HOOK_FULL
                       : str_is(content, "id-only")     ? HOOK_ID_ONLY
                                                        : HOOK_EMPTY;
    bool known = !content.n || str_is(content, "empty") || x->hook->content != HOOK_EMPTY;
    return known && (!media.n || api_media_is_fhir(media))
               ? OK
               : wrong(x, "Subscription.channel.payload",
                       "payload 只能是 application/fhir+json，内容为 empty、id-only 或 "
                       "full-resource",
                       "The payload is application/fhir+json with empty, id-only or full-resource");
}

static Status channel_read(Read *x)
{
    Hook *h = x->hook;
    const JsonDoc *d = h->doc;
    JsonRef channel = json_get_c(d, JSON_ROOT, "channel"), list = json_get_c(d, channel, "header");
    if (!str_is(json_str_at(d, channel, "type"), "rest-hook")) {
        return wrong(x, "Subscription.channel.type", "只支持 rest-hook",
                     "Only rest-hook is served");
    }
    h->endpoint = json_str_at(d, channel, "endpoint");
    h->heartbeat_s = extension_number(d, channel, BACKPORT "heartbeat-period", 0);
    h->timeout_s = extension_number(d, channel, BACKPORT "timeout", 0);
    h->timeout_s = h->timeout_s > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : h->timeout_s;
    int64_t batch = extension_number(d, channel, BACKPORT "max-count", 20);
    h->batch = batch < 1 ? 1 : batch > HOOK_BATCH_MAX ? HOOK_BATCH_MAX : (size_t)batch;
    h->header = arena_array(x->arena, Str, json_count(d, list) + 1);
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        h->header[h->header_n++] = json_str(d, it.value);
    }
    TRY(content_read(x, channel));
    return api_allowed(x->reader, ALLOW_TARGETS, h->endpoint)
               ? OK
               : wrong(x, "Subscription.channel.endpoint", "该地址不在管理员允许的名单内",
                       "An administrator has not allowed this address");
}

/* ---- The whole ---------------------------------------------------------------------------- */

/* The server's own versions (active, error) are not whose it is. */
static Status author_read(Read *x)
{
    StoreVersion *rows;
    size_t n;
    bool more;
    TRY(store_history(x->reader, x->arena, &STORE_VIEW_ALL, STR("Subscription"), x->hook->id, 0, 0,
                      HISTORY_LOOKED, &rows, &n, &more, x->err));
    for (size_t i = 0; i < n; i++) {
        if (!str_is(rows[i].author, "system")) {
            x->hook->author = rows[i].author;
            x->hook->role = rows[i].role;
            x->hook->org = rows[i].org;
            return OK;
        }
    }
    return wrong(x, "Subscription", "不知道由谁订阅", "It is not known whose it is");
}

Status hook_read(Api *api, StoreReader *r, Arena *a, const StoreVersion *v, Hook *ret, Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    Read x = {api, r, a, ret, err};
    TRY(json_parse(a, v->body, &JSON_LIMITS_FHIR, d, err));
    *ret = (Hook){.id = v->id,
                  .vid = v->vid,
                  .status = json_str_at(d, JSON_ROOT, "status"),
                  .topic = json_str_at(d, JSON_ROOT, "criteria"),
                  .doc = d};
    TRY(author_read(&x));
    TRY(triggers_read(&x));
    TRY(filters_read(&x));
    return channel_read(&x);
}

Status hooks_read(Api *api, StoreReader *r, Arena *a, Hook **ret, size_t *ret_n, Err *err)
{
    const StoreHit *hit;
    size_t n;
    (void)api;
    TRY(store_find(r, a, &STORE_VIEW_ALL, STR("Subscription"), STR("status=requested,active"),
                   HOOKS_MAX, &hit, &n, err));
    Hook *hook = arena_array(a, Hook, n + 1);
    for (size_t i = 0; i < n; i++) {
        hook[i] = (Hook){.id = hit[i].id, .vid = hit[i].vid};
    }
    *ret = hook;
    *ret_n = n;
    return OK;
}
