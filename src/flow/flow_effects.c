/* The verbs that concern resources and sight; one function each, chosen by flow_effects.def. */
#include "flow_inner.h"

Status flow_hold(FlowStep *st, Str name, Str reference, Err *err)
{
    if (!flow_case_hold(st->c, name, reference)) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE,
                           arena_cat(st->tx->arena, STR("too many held: "), name));
    }
    return OK;
}

static Str without_id(Arena *a, const JsonDoc *d)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        if (!str_is(it.key, "id") && !str_is(it.key, "meta")) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(d, it.value));
        }
    }
    return json_end(&w, '}', a);
}

Status flow_make(FlowStep *st, const FlowTemplate *t, Str *ret_reference, Err *err)
{
    Arena *a = st->tx->arena;
    JsonDoc d;
    Str body = STR_NONE, id = flow_tx_new_id(st->tx);
    TRY(flow_template_expand(&st->scope, t, &body, err));
    Str type = STR_NONE;
    if (body.n && json_parse(a, body, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        type = json_str_at(&d, JSON_ROOT, "resourceType");
    }
    if (!fhir_resource_find(type) || str_is(type, "Task")) {
        return flow_refuse(err, FLOW_RULE_TEMPLATE_INVALID, STR_NONE, t->where);
    }
    TRY(flow_tx_create(st->tx, type, id, without_id(a, &d), err));
    *ret_reference = arena_cat(a, type, STR("/"), id);
    return OK;
}

static Status do_make(FlowStep *st, const FlowEffect *e, Err *err)
{
    Str reference = STR_NONE;
    TRY(flow_make(st, e->arg[FLOW_TEMPLATE]->template, &reference, err));
    return flow_hold(st, e->name, reference, err);
}

/* ---- change ---------------------------------------------------------------------------------- */

static const char *const CASE_MEMBERS[] = {"description",     "note",         "reasonCode",
                                           "reasonReference", "statusReason", "basedOn",
                                           "location",        "encounter",    "performerType"};

static bool case_member(Str key)
{
    for (size_t i = 0; i < sizeof CASE_MEMBERS / sizeof CASE_MEMBERS[0]; i++) {
        if (str_is(key, CASE_MEMBERS[i])) {
            return true;
        }
    }
    return false;
}

/* What the engine does not keep of a Task is carried as text; the members named in `set` replace
 * theirs. */
static Status case_change(FlowStep *st, FlowCase *c, const JsonDoc *set, Err *err)
{
    Arena *a = st->tx->arena;
    JsonDoc old;
    Buf out;
    TRY(json_parse(a, arena_cat(a, STR("{"), c->extra, STR("}")), &JSON_LIMITS_FHIR, &old, err));
    buf_init(&out, 0);
    for (JsonIter it = json_iter(&old, JSON_ROOT); json_next(&it);) {
        if (json_get(set, JSON_ROOT, it.key) == JSON_NONE) {
            buf_c(&out, out.n ? "," : "");
            buf_json_str(&out, it.key);
            buf_char(&out, ':');
            buf_add(&out, json_raw(&old, it.value));
        }
    }
    Status status = OK;
    for (JsonIter it = json_iter(set, JSON_ROOT); json_next(&it) && status == OK;) {
        if (!case_member(it.key)) {
            status = flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE,
                                 arena_cat(a, STR("Task."), it.key));
        } else if (json_type(set, it.value) != JSON_NULL) {
            buf_c(&out, out.n ? "," : "");
            buf_json_str(&out, it.key);
            buf_char(&out, ':');
            buf_add(&out, json_raw(set, it.value));
        }
    }
    c->extra = buf_take(&out, a);
    return status;
}

static Status do_change(FlowStep *st, const FlowEffect *e, Err *err)
{
    JsonDoc set;
    Str reference = STR_NONE, json = STR_NONE;
    TRY(flow_eval_word(&st->scope, e->expr, &reference, err));
    TRY(flow_template_set(&st->scope, e->arg[FLOW_SET]->template, &json, err));
    if (!reference.n) {
        return OK;
    }
    TRY(json_parse(st->tx->arena, json, &JSON_LIMITS_FHIR, &set, err));
    if (str_eq(reference, st->c->reference)) {
        return case_change(st, st->c, &set, err);
    }
    if (str_starts(reference, STR("Task/"))) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE, reference);
    }
    return flow_tx_change(st->tx, reference, &set, JSON_ROOT, err);
}

/* ---- sight ----------------------------------------------------------------------------------- */

static Status tail_of(FlowStep *st, const FlowArg *arg, int64_t *ret_ms, Err *err)
{
    int64_t until = st->tx->now_ms;
    if (arg) {
        TRY(flow_duration_after(&st->scope, arg, st->tx->now_ms, &until, err));
    }
    *ret_ms = until - st->tx->now_ms;
    return OK;
}

static Status do_grant(FlowStep *st, const FlowEffect *e, Err *err)
{
    FhirValues values = {0};
    int64_t tail_ms = 0;
    FlowCase *c = st->c;
    TRY(flow_eval(&st->scope, e->expr, &values, err));
    TRY(tail_of(st, e->arg[FLOW_TAIL], &tail_ms, err));
    for (size_t i = 0; i < values.n; i++) {
        Str org = flow_tx_organization(st->tx, flow_value_word(st->tx->arena, &values.at[i]));
        flow_tx_grant(st->tx, c, org);
        if (tail_ms > 0 && org.n && c->tail_n < FLOW_LIST_MAX) {
            Str seconds = arena_printf(st->tx->arena, "%lld", (long long)(tail_ms / MS_SECOND));
            c->tail[c->tail_n++] = (FlowNamed){org, seconds};
        }
    }
    return OK;
}

static Status do_end_access(FlowStep *st, const FlowEffect *e, Err *err)
{
    TRY(tail_of(st, e->arg[FLOW_TAIL], &st->c->end_tail_ms, err));
    store_batch_grant_end(st->tx->batch, st->c->reference, st->tx->now_ms + st->c->end_tail_ms);
    return OK;
}

static Status do_score(FlowStep *st, const FlowEffect *e, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&st->scope, e->arg[FLOW_VALUE]->expr, &values, err));
    flow_scope_set(&st->scope, arena_cat(st->tx->arena, STR("score."), e->name), values);
    return OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static FlowEffectDo *const DO[FLOW_VERB_COUNT] = {
    [FLOW_VERB_MAKE] = do_make,
    [FLOW_VERB_CHANGE] = do_change,
    [FLOW_VERB_GRANT] = do_grant,
    [FLOW_VERB_END_ACCESS] = do_end_access,
    [FLOW_VERB_RESERVE] = flow_do_reserve,
    [FLOW_VERB_BOOK] = flow_do_book,
    [FLOW_VERB_RELEASE] = flow_do_release,
    [FLOW_VERB_CLAIM] = flow_do_claim,
    [FLOW_VERB_UNCLAIM] = flow_do_unclaim,
    [FLOW_VERB_NOTIFY] = flow_do_notify,
    [FLOW_VERB_DEADLINE] = flow_do_deadline,
    [FLOW_VERB_CLEAR] = flow_do_clear,
    [FLOW_VERB_START] = flow_do_start,
    [FLOW_VERB_ACT] = flow_do_act,
    [FLOW_VERB_SCORE] = do_score,
    [FLOW_VERB_SIGN] = flow_do_sign,
};

Status flow_effects_do(FlowStep *st, Err *err)
{
    for (size_t i = 0; i < st->action->effect_n; i++) {
        const FlowEffect *e = &st->action->effect[i];
        bool wanted = true;
        if (e->when) {
            TRY(flow_test(&st->scope, e->when, &wanted, err));
        }
        if (wanted) {
            TRY(DO[e->verb](st, e, err));
        }
    }
    return OK;
}
