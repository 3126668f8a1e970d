/* Deadlines, claims, and steps of other cases. */
#include "flow_inner.h"

/* ---- Deadlines ------------------------------------------------------------------------------- */

/* A time as given, a date as its last second; false when there is none. */
static Status instant_of(FlowStep *st, const FlowExpr *e, bool *ret_there, int64_t *ret, Err *err)
{
    FhirValues values = {0};
    int64_t lo, hi;
    TRY(flow_eval(&st->scope, e, &values, err));
    *ret_there = values.n == 1 && fhir_value_time_range(&values.at[0], st->tx->zone_min, &lo, &hi);
    if (*ret_there) {
        *ret = hi - lo >= MS_DAY ? hi - MS_SECOND : lo;
    } else if (values.n) {
        return flow_refuse(err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE,
                           arena_cat(st->tx->arena, e->where, STR(": not a date or time")));
    }
    return OK;
}

static Status due_of(FlowStep *st, const FlowEffect *e, bool *ret_there, int64_t *ret, Err *err)
{
    int64_t from = st->tx->now_ms;
    *ret_there = true;
    if (e->arg[FLOW_AT]) {
        return instant_of(st, e->arg[FLOW_AT]->expr, ret_there, ret, err);
    }
    if (e->arg[FLOW_FROM]) {
        TRY(instant_of(st, e->arg[FLOW_FROM]->expr, ret_there, &from, err));
    }
    return *ret_there ? flow_duration_after(&st->scope, e->arg[FLOW_AFTER], from, ret, err) : OK;
}

static void deadline_drop(FlowCase *c, Str name)
{
    for (size_t i = 0; i < c->deadline_n; i++) {
        if (str_eq(c->deadline[i].name, name)) {
            memmove(&c->deadline[i], &c->deadline[i + 1],
                    (c->deadline_n - i - 1) * sizeof c->deadline[0]);
            c->deadline_n--;
            return;
        }
    }
}

static Status deadline_set(FlowStep *st, const FlowDeadline *x, Err *err)
{
    deadline_drop(st->c, x->name);
    if (st->c->deadline_n == FLOW_LIST_MAX) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE, x->name);
    }
    st->c->deadline[st->c->deadline_n++] = *x;
    return OK;
}

static Str code_of(const FlowEffect *e, FlowArgId id)
{
    return e->arg[id] ? e->arg[id]->text : STR_NONE;
}

Status flow_do_deadline(FlowStep *st, const FlowEffect *e, Err *err)
{
    FlowDeadline x = {
        .name = e->name, .action = code_of(e, FLOW_ACTION), .level = code_of(e, FLOW_LEVEL)};
    bool there = false;
    TRY(due_of(st, e, &there, &x.due_ms, err));
    return there ? deadline_set(st, &x, err) : OK;
}

Status flow_do_clear(FlowStep *st, const FlowEffect *e, Err *err)
{
    (void)err;
    if (str_is(e->name, "*")) {
        st->c->deadline_n = 0;
    } else {
        deadline_drop(st->c, e->name);
    }
    return OK;
}

/* ---- Claims ---------------------------------------------------------------------------------- */

Status flow_do_claim(FlowStep *st, const FlowEffect *e, Err *err)
{
    FlowCase *c = st->c;
    const AccessCaller *caller = st->tx->caller;
    Str self = caller->post.post.n ? caller->post.post : caller->practitioner;
    if (c->claimant.n && !str_eq(c->claimant, self) && c->claimed_until_ms > st->tx->now_ms) {
        return flow_refuse(err, FLOW_RULE_LEASE_HELD, STR_NONE, c->claimant_name);
    }
    FlowDeadline lease = {.name = STR("lease"), .action = STR("lease-end")};
    TRY(flow_duration_after(&st->scope, e->arg[FLOW_FOR], st->tx->now_ms, &lease.due_ms, err));
    c->claimant = self;
    c->claimant_name = caller->name;
    c->claimed_until_ms = lease.due_ms;
    return deadline_set(st, &lease, err);
}

Status flow_do_unclaim(FlowStep *st, const FlowEffect *e, Err *err)
{
    (void)e;
    (void)err;
    st->c->claimant = STR_NONE;
    deadline_drop(st->c, STR("lease"));
    return OK;
}

/* ---- Other cases ----------------------------------------------------------------------------- */

#define DEPTH_MAX 6

static Status word_arg(FlowStep *st, const FlowEffect *e, FlowArgId id, Str none, Str *ret,
                       Err *err)
{
    *ret = none;
    return e->arg[id] ? flow_eval_word(&st->scope, e->arg[id]->expr, ret, err) : OK;
}

static const FlowAction *way_in(const FlowPackage *p, Str entry)
{
    for (size_t i = 0; i < p->entry_n; i++) {
        if (!entry.n || str_eq(p->entry[i].code, entry)) {
            return &p->entry[i];
        }
    }
    return !entry.n || str_is(entry, "start") ? p->start : NULL;
}

static Status opening_of(FlowStep *st, const FlowEffect *e, FlowOpening *o, Err *err)
{
    TRY(word_arg(st, e, FLOW_PATIENT, st->c->patient, &o->patient, err));
    TRY(word_arg(st, e, FLOW_REQUESTER, STR_NONE, &o->requester, err));
    TRY(word_arg(st, e, FLOW_OWNER, STR_NONE, &o->owner, err));
    TRY(word_arg(st, e, FLOW_PRIORITY, st->c->priority, &o->priority, err));
    TRY(word_arg(st, e, FLOW_FOCUS, STR_NONE, &o->focus, err));
    TRY(word_arg(st, e, FLOW_PART_OF, STR_NONE, &o->part_of, err));
    Str group = code_of(e, FLOW_GROUP);
    o->group = group.n ? group : st->c->group;
    return OK;
}

static Status answers_fill(FlowStep *st, const FlowEffect *e, FlowStep *next, Err *err)
{
    JsonDoc d = {0};
    Str json = STR_NONE;
    if (e->arg[FLOW_ANSWERS]) {
        TRY(flow_template_expand(&st->scope, e->arg[FLOW_ANSWERS]->template, &json, err));
    }
    if (json.n) {
        TRY(json_parse(st->tx->arena, json, &JSON_LIMITS_FHIR, &d, err));
    }
    return flow_step_form(next, &d, json.n ? JSON_ROOT : JSON_NONE, true, err);
}

Status flow_do_start(FlowStep *st, const FlowEffect *e, Err *err)
{
    FlowTx *tx = st->tx;
    const FlowPackage *pkg = flow_package_named(tx->flow, e->name);
    const FlowAction *start = pkg ? way_in(pkg, code_of(e, FLOW_ENTRY)) : NULL;
    if (!start || tx->depth >= DEPTH_MAX) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE,
                           arena_cat(tx->arena, STR("start "), e->name));
    }
    FlowOpening opening = {0};
    FlowStep *next = arena_new(tx->arena, FlowStep);
    TRY(opening_of(st, e, &opening, err));
    TRY(flow_step_open(next, tx, pkg, start, &opening, err));
    TRY(answers_fill(st, e, next, err));
    tx->depth++;
    TRY(flow_step_check(next, err));
    TRY(flow_step_apply(next, err));
    tx->depth--;
    Str name = code_of(e, FLOW_NAME);
    return name.n ? flow_hold(st, name, next->c->reference, err) : OK;
}

/* Skipped when the other case is none of ours, unknown, or in a state that does not allow it. */
Status flow_do_act(FlowStep *st, const FlowEffect *e, Err *err)
{
    FlowTx *tx = st->tx;
    Str on = STR_NONE;
    FlowCase *other = NULL;
    Err quiet;
    err_init(&quiet, tx->arena);
    TRY(flow_eval_word(&st->scope, e->arg[FLOW_ON]->expr, &on, err));
    if (!on.n || tx->depth >= DEPTH_MAX || flow_tx_case(tx, on, &other, &quiet) != OK ||
        other == st->c) {
        return OK;
    }
    FlowStep *next = arena_new(tx->arena, FlowStep);
    flow_step_init(next, tx, other, NULL);
    if (flow_step_choose(next, e->name, false, &quiet) != OK) {
        return OK;
    }
    tx->depth++;
    TRY(flow_step_check(next, err));
    TRY(flow_step_apply(next, err));
    tx->depth--;
    return OK;
}
