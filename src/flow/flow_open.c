/* A case that begins: requester, owner, episode. */
#include "flow_inner.h"

Status flow_template_word(FlowStep *st, const FlowTemplate *t, Str *ret, Err *err)
{
    JsonDoc d;
    Str json = STR_NONE;
    TRY(flow_template_expand(&st->scope, t, &json, err));
    *ret = STR_NONE;
    if (!json.n) {
        return OK;
    }
    TRY(json_parse(st->tx->arena, json, &JSON_LIMITS_FHIR, &d, err));
    FhirValue v = fhir_value_node(fhir_node_typed(&d, JSON_ROOT, NULL));
    Str text = json_str(&d, JSON_ROOT);
    *ret = arena_str(st->tx->arena, text.n ? text : flow_value_word(st->tx->arena, &v));
    return OK;
}

static bool is_place(Str reference)
{
    return str_starts(reference, STR("Organization/")) ||
           str_starts(reference, STR("HealthcareService/"));
}

Status flow_owner_set(FlowStep *st, Str owner, Err *err)
{
    FlowCase *c = st->c;
    if (!is_place(owner) || !flow_tx_read(st->tx, owner, NULL)) {
        return flow_refuse(err, FLOW_RULE_OWNER_INVALID, STR_NONE, owner);
    }
    c->owner = owner;
    c->owner_name = flow_tx_display(st->tx, owner);
    flow_tx_grant(st->tx, c, flow_tx_organization(st->tx, owner));
    return OK;
}

static Status requester_set(FlowStep *st, Str requester, Err *err)
{
    FlowCase *c = st->c;
    if (st->action->requester && !requester.n) {
        TRY(flow_template_word(st, st->action->requester, &requester, err));
    }
    requester = requester.n ? requester : st->tx->caller->post.organization;
    if (!is_place(requester) || !flow_tx_read(st->tx, requester, NULL)) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE,
                           arena_cat(st->tx->arena, STR("requester "), requester));
    }
    c->requester = requester;
    c->requester_name = flow_tx_display(st->tx, requester);
    flow_tx_grant(st->tx, c, flow_tx_organization(st->tx, requester));
    return OK;
}

/* The episode of the patient's newest case, if it began on the day since_ms or later. Asked without
 * the day: the patient's cases are few, those of half a year are not. */
static Str episode_newest(FlowStep *st, Str patient, int64_t since_ms)
{
    Arena *a = st->tx->arena;
    int zone = st->tx->zone_min;
    StoreQuery *q;
    StorePage page = {0};
    JsonDoc d;
    int64_t authored, since;
    Str query = arena_cat(a, STR("patient="), patient, STR("&_sort=-authored-on&_count=1"));
    if (store_query_parse(st->tx->store, a, STR("Task"), query, false, zone, &q, NULL) != OK ||
        store_search(st->tx->reader, a, q, &STORE_VIEW_ALL, STR_NONE, &page, NULL) != OK ||
        page.hits_n == 0 || json_parse(a, page.hits[0].body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return STR_NONE;
    }
    bool lately = time_parse(json_str_at(&d, JSON_ROOT, "authoredOn"), zone, &authored) &&
                  time_parse(time_iso_day(a, since_ms, zone), zone, &since) && authored >= since;
    return lately ? json_str_at(&d, JSON_ROOT, "groupIdentifier.value") : STR_NONE;
}

/* The episode of the focus, or of the patient's newest case that began within the days, or new. */
static Str episode_of(FlowStep *st, const FlowOpening *with)
{
    const JsonDoc *focus =
        str_starts(with->focus, STR("Task/")) ? flow_tx_read(st->tx, with->focus, NULL) : NULL;
    Str group = focus ? json_str_at(focus, JSON_ROOT, "groupIdentifier.value") : STR_NONE;
    if (!group.n && !str_is(with->group, "new") && st->action->joins_days) {
        group = episode_newest(st, fhir_ref_parse(with->patient).id,
                               st->tx->now_ms - st->action->joins_days * MS_DAY);
    }
    return group.n ? group : flow_tx_new_id(st->tx);
}

Status flow_step_open(FlowStep *st, FlowTx *tx, const FlowPackage *pkg, const FlowAction *start,
                      const FlowOpening *with, Err *err)
{
    FlowCase *c = flow_tx_case_new(tx, pkg, err);
    if (!c) {
        return err ? err->status : ERR_UNPROCESSABLE;
    }
    c->state = start->to;
    c->patient = with->patient;
    c->patient_name = flow_tx_display(tx, with->patient);
    c->focus = with->focus;
    c->part_of = with->part_of;
    c->priority = with->priority.n ? with->priority : STR("routine");
    flow_step_init(st, tx, c, start);
    c->group = with->group.n && !str_is(with->group, "new") ? with->group : episode_of(st, with);
    TRY(requester_set(st, with->requester, err));
    st->owner_given = with->owner.n > 0;
    st->priority_given = with->priority.n > 0;
    if (with->owner.n) {
        TRY(flow_owner_set(st, with->owner, err));
    }
    JsonDoc *d = arena_new(tx->arena, JsonDoc);
    c->step[c->step_n++] = start->code;
    TRY(json_parse(tx->arena, flow_case_write(tx->arena, c, tx->now_ms, tx->zone_min),
                   &JSON_LIMITS_FHIR, d, err));
    c->step_n = 0;
    flow_scope_node(&st->scope, STR("task"), d);
    return OK;
}
