/*
 * What is decided, and nothing done: which action applies, who may, whether the guards hold.
 * Pure: everything comes in by the step's case, scope and caller.
 */
#include "flow_inner.h"

static bool role_fits(const FlowWho *w, Str role)
{
    for (size_t i = 0; i < w->role_n; i++) {
        if (str_eq(w->role[i], role)) {
            return true;
        }
    }
    return w->role_n == 0;
}

static bool org_within(const AccessCaller *caller, Str organization)
{
    for (size_t i = 0; organization.n && i < caller->view.orgs_n; i++) {
        if (str_eq(caller->view.orgs[i], organization)) {
            return true;
        }
    }
    return false;
}

static bool is_claimant(const FlowStep *st)
{
    const AccessCaller *caller = st->tx->caller;
    Str self = caller->post.post.n ? caller->post.post : caller->practitioner;
    return st->c->claimant.n && str_eq(st->c->claimant, self);
}

static bool place_fits(const FlowStep *st, FlowAt at)
{
    switch (at) {
    case FLOW_AT_REQUESTER:
        return org_within(st->tx->caller, flow_tx_organization(st->tx, st->c->requester));
    case FLOW_AT_OWNER:
        return org_within(st->tx->caller, flow_tx_organization(st->tx, st->c->owner));
    case FLOW_AT_CLAIMANT:
        return is_claimant(st);
    default:
        return true;
    }
}

Status flow_step_who(FlowStep *st, const FlowAction *action, bool *ret, Err *err)
{
    *ret = false;
    for (size_t i = 0; i < action->who_n && !*ret; i++) {
        const FlowWho *w = &action->who[i];
        if (!role_fits(w, st->tx->caller->post.role) || !place_fits(st, w->at)) {
            continue;
        }
        *ret = true;
        if (w->where) {
            TRY(flow_test(&st->scope, w->where, ret, err));
        }
    }
    return OK;
}

static bool claims(const FlowAction *a)
{
    for (size_t i = 0; i < a->effect_n; i++) {
        if (a->effect[i].verb == FLOW_VERB_CLAIM) {
            return true;
        }
    }
    return false;
}

/* What the actions of one code say, the best answer last. */
typedef struct Choice {
    bool known, from_state, for_people, claims;
} Choice;

static Status candidate(FlowStep *st, const FlowAction *a, bool person, Choice *seen, bool *ret,
                        Err *err)
{
    *ret = false;
    seen->known = true;
    seen->claims |= claims(a);
    if (!(a->from >> st->c->state & 1)) {
        return OK;
    }
    bool holds = true;
    if (a->when) {
        TRY(flow_test(&st->scope, a->when, &holds, err));
    }
    if (!holds) {
        return OK;
    }
    seen->from_state = true;
    if (a->clock == person) {
        return OK;
    }
    seen->for_people = true;
    *ret = true;
    return person ? flow_step_who(st, a, ret, err) : OK;
}

static Status refuse_choice(const FlowStep *st, Str code, const Choice *seen, Err *err)
{
    if (!seen->known) {
        return flow_refuse(err, FLOW_RULE_UNKNOWN_ACTION, STR_NONE, code);
    }
    if (!seen->from_state) {
        bool held = seen->claims && st->c->claimant.n;
        return flow_refuse(err, held ? FLOW_RULE_LEASE_HELD : FLOW_RULE_NOT_FROM_THIS_STATE,
                           STR_NONE,
                           held ? st->c->claimant_name : st->c->pkg->state[st->c->state].title.zh);
    }
    return flow_refuse(err, seen->for_people ? FLOW_RULE_NOT_YOURS : FLOW_RULE_CLOCK_ONLY, STR_NONE,
                       STR_NONE);
}

Status flow_step_choose(FlowStep *st, Str code, bool person, Err *err)
{
    const FlowPackage *p = st->c->pkg;
    Choice seen = {0};
    for (size_t i = 0; i < p->action_n; i++) {
        bool taken = false;
        if (!str_eq(p->action[i].code, code)) {
            continue;
        }
        TRY(candidate(st, &p->action[i], person, &seen, &taken, err));
        if (taken) {
            st->action = &p->action[i];
            return OK;
        }
    }
    return refuse_choice(st, code, &seen, err);
}

Status flow_step_guards(FlowStep *st, Err *err)
{
    for (size_t i = 0; i < st->action->guard_n; i++) {
        const FlowGuard *g = &st->action->guard[i];
        bool holds = false;
        TRY(flow_test(&st->scope, g->expr, &holds, err));
        if (!holds) {
            return flow_say(err, g->status, g->rule, g->where, g->text.zh, g->text.en);
        }
    }
    return OK;
}
