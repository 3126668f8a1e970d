/* Notices: a Communication to the posts that have a function, or to the organisation. */
#include "fhir_write.h"
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

static void recipients_put(Arena *a, JsonWriter *w, const Notice *n)
{
    json_key_open(w, "recipient", '[');
    for (size_t i = 0; i < n->post_n; i++) {
        fhir_reference_put(w, NULL, arena_cat(a, STR("PractitionerRole/"), n->post[i].id),
                           STR_NONE);
    }
    if (!n->post_n) {
        fhir_reference_put(w, NULL, n->organization, STR_NONE);
    }
    json_close(w, ']');
}

static void payload_put(JsonWriter *w, const Notice *n)
{
    json_key_open(w, "payload", '[');
    json_open(w, '{');
    fhir_translated_put(w, "contentString", n->zh, n->en);
    json_close(w, '}');
    json_close(w, ']');
}

static Str notice_body(const FlowStep *st, const Notice *n)
{
    Arena *a = st->tx->arena;
    const FlowCase *c = st->c;
    bool alert = str_is(n->level, "alert");
    Buf out;
    JsonWriter w = fhir_begin(&out, "Communication", STR_NONE);
    json_key_open(&w, "partOf", '[');
    fhir_reference_put(&w, NULL, c->reference, STR_NONE);
    json_close(&w, ']');
    json_member_c(&w, "status", "in-progress");
    fhir_concepts_put(&w, "category", alert ? STR(FLOW_CATEGORY_ALERT) : STR(FLOW_CATEGORY_NOTICE),
                      alert ? STR("alert") : STR("info"), STR_NONE);
    json_member_str(&w, "priority", alert ? STR("stat") : c->priority);
    fhir_reference_put(&w, "subject", c->patient, STR_NONE);
    json_key_open(&w, "about", '[');
    fhir_reference_put(&w, NULL, c->reference, STR_NONE);
    json_close(&w, ']');
    json_member_str(&w, "sent", time_iso(a, st->tx->now_ms, st->tx->zone_min));
    recipients_put(a, &w, n);
    fhir_reference_put(&w, "sender", st->tx->caller->post.organization, STR_NONE);
    payload_put(&w, n);
    return json_end(&w, '}', a);
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
