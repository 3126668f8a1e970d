/* Notices: a Communication to the posts that have a function, or to the organisation. */
#include "flow_inner.h"

typedef struct Notice {
    Str organization, function, level, zh, en;
    const StoreHit *post;
    size_t post_n;
} Notice;

static Status text_of(FlowStep *st, const FlowTemplate *t, Notice *n, Err *err)
{
    JsonDoc d;
    Str json = STR_NONE;
    TRY(flow_template_expand(&st->scope, t, &json, err));
    TRY(json_parse(st->tx->arena, json.n ? json : STR("{}"), &JSON_LIMITS_FHIR, &d, err));
    n->zh = json_str_at(&d, JSON_ROOT, "zh");
    n->en = json_str_at(&d, JSON_ROOT, "en");
    return OK;
}

static Status posts_of(FlowStep *st, Notice *n, Err *err)
{
    Arena *a = st->tx->arena;
    if (!n->function.n) {
        return OK;
    }
    Str query =
        arena_cat(a, STR("organization="), n->organization,
                  STR("&role=" FLOW_SYSTEM_FUNCTION "%7C"), n->function, STR("&active=true"));
    return store_find(st->tx->reader, a, &STORE_VIEW_ALL, STR("PractitionerRole"), query, 100,
                      &n->post, &n->post_n, err);
}

static void coded_put(JsonWriter *w, const char *key, const char *system, Str code)
{
    json_key(w, key);
    json_open(w, '[');
    json_open(w, '{');
    json_key(w, "coding");
    json_open(w, '[');
    json_open(w, '{');
    json_member_c(w, "system", system);
    json_member_str(w, "code", code);
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
}

static void reference_put(JsonWriter *w, Str reference)
{
    json_open(w, '{');
    json_member_str(w, "reference", reference);
    json_close(w, '}');
}

static void recipients_put(Arena *a, JsonWriter *w, const Notice *n)
{
    json_key(w, "recipient");
    json_open(w, '[');
    for (size_t i = 0; i < n->post_n; i++) {
        reference_put(w, arena_cat(a, STR("PractitionerRole/"), n->post[i].id));
    }
    if (!n->post_n) {
        reference_put(w, n->organization);
    }
    json_close(w, ']');
}

/* zh in place, en as a translation. */
static void payload_put(JsonWriter *w, const Notice *n)
{
    json_key(w, "payload");
    json_open(w, '[');
    json_open(w, '{');
    json_member_str(w, "contentString", n->zh);
    json_key(w, "_contentString");
    json_put_raw(
        w, STR("{\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/translation\","
               "\"extension\":[{\"url\":\"lang\",\"valueCode\":\"en\"},{\"url\":\"content\","));
    buf_c(w->out, "\"valueString\":");
    buf_json_str(w->out, n->en);
    buf_c(w->out, "}]}]}");
    json_close(w, '}');
    json_close(w, ']');
}

static Str notice_body(const FlowStep *st, const Notice *n)
{
    Arena *a = st->tx->arena;
    const FlowCase *c = st->c;
    bool alert = str_is(n->level, "alert");
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "Communication");
    json_key(&w, "partOf");
    json_open(&w, '[');
    reference_put(&w, c->reference);
    json_close(&w, ']');
    json_member_c(&w, "status", "in-progress");
    coded_put(&w, "category", alert ? FLOW_CATEGORY_ALERT : FLOW_CATEGORY_NOTICE,
              alert ? STR("alert") : STR("info"));
    json_member_str(&w, "priority", alert ? STR("stat") : c->priority);
    if (c->patient.n) {
        json_key(&w, "subject");
        reference_put(&w, c->patient);
    }
    json_key(&w, "about");
    json_open(&w, '[');
    reference_put(&w, c->reference);
    json_close(&w, ']');
    json_member_str(&w, "sent", time_iso(a, st->tx->now_ms, st->tx->zone_min));
    recipients_put(a, &w, n);
    if (st->tx->caller->post.organization.n) {
        json_key(&w, "sender");
        reference_put(&w, st->tx->caller->post.organization);
    }
    payload_put(&w, n);
    json_close(&w, '}');
    Str body = arena_str(a, buf_str(&out));
    buf_done(&out);
    return body;
}

static Status notice_send(FlowStep *st, const FlowEffect *e, Str to, Err *err)
{
    Notice n = {.organization = flow_tx_organization(st->tx, to),
                .function = e->arg[FLOW_FUNCTION] ? e->arg[FLOW_FUNCTION]->text : STR_NONE,
                .level = e->arg[FLOW_LEVEL] ? e->arg[FLOW_LEVEL]->text : STR("info")};
    if (!n.organization.n) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE,
                           arena_cat(st->tx->arena, STR("notify "), to));
    }
    TRY(text_of(st, e->arg[FLOW_TEXT]->template, &n, err));
    TRY(posts_of(st, &n, err));
    return flow_tx_create(st->tx, STR("Communication"), flow_tx_new_id(st->tx), notice_body(st, &n),
                          err);
}

Status flow_do_notify(FlowStep *st, const FlowEffect *e, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&st->scope, e->arg[FLOW_TO]->expr, &values, err));
    for (size_t i = 0; i < values.n; i++) {
        TRY(notice_send(st, e, flow_value_word(st->tx->arena, &values.at[i]), err));
    }
    return OK;
}
