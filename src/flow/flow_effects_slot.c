/* Slots: free → busy-tentative (held) → busy (booked) → free. */
#include "flow_inner.h"

static Status slot_status_set(FlowStep *st, Str slot, const char *status, Err *err)
{
    JsonDoc set;
    Str json = arena_printf(st->tx->arena, "{\"status\":\"%s\"}", status);
    TRY(json_parse(st->tx->arena, json, &JSON_LIMITS_FHIR, &set, err));
    return flow_tx_change(st->tx, slot, &set, JSON_ROOT, err);
}

Status flow_do_reserve(FlowStep *st, const FlowEffect *e, Err *err)
{
    Str slot = STR_NONE;
    TRY(flow_eval_word(&st->scope, e->arg[FLOW_SLOT]->expr, &slot, err));
    const JsonDoc *d = str_starts(slot, STR("Slot/")) ? flow_tx_read(st->tx, slot, NULL) : NULL;
    if (!d) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, e->name,
                           arena_cat(st->tx->arena, STR("no such slot "), slot));
    }
    Str held = flow_case_held(st->c, e->name);
    if (held.n) {
        return str_eq(held, slot)
                   ? OK
                   : flow_refuse(err, FLOW_RULE_EFFECT_FAILED, e->name, STR("holds another slot"));
    }
    if (!str_is(json_str_at(d, JSON_ROOT, "status"), "free")) {
        return flow_refuse(err, FLOW_RULE_SLOT_TAKEN, e->name, STR_NONE);
    }
    TRY(slot_status_set(st, slot, "busy-tentative", err));
    return flow_hold(st, e->name, slot, err);
}

Status flow_do_book(FlowStep *st, const FlowEffect *e, Err *err)
{
    Str slot = flow_case_held(st->c, e->name), appointment = STR_NONE;
    if (!slot.n) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, e->name, STR("nothing is reserved"));
    }
    TRY(slot_status_set(st, slot, "busy", err));
    TRY(flow_make(st, e->arg[FLOW_APPOINTMENT]->template, &appointment, err));
    return flow_hold(st, STR("appointment"), appointment, err);
}

static bool appointment_uses(const JsonDoc *d, Str slot)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "slot")); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "reference"), slot)) {
            return true;
        }
    }
    return false;
}

/* The appointment on a slot that is given back ends with it. */
static Status appointment_end(FlowStep *st, Str slot, Str as, Err *err)
{
    Str reference = flow_case_held(st->c, STR("appointment"));
    const JsonDoc *d = reference.n ? flow_tx_read(st->tx, reference, NULL) : NULL;
    JsonDoc set;
    if (!d || !appointment_uses(d, slot)) {
        return OK;
    }
    Str json =
        arena_cat(st->tx->arena, STR("{\"status\":\""), as.n ? as : STR("cancelled"), STR("\"}"));
    TRY(json_parse(st->tx->arena, json, &JSON_LIMITS_FHIR, &set, err));
    return flow_tx_change(st->tx, reference, &set, JSON_ROOT, err);
}

Status flow_do_release(FlowStep *st, const FlowEffect *e, Err *err)
{
    Str slot = flow_case_held(st->c, e->name);
    if (!slot.n) {
        return OK;
    }
    TRY(slot_status_set(st, slot, "free", err));
    TRY(appointment_end(st, slot, e->arg[FLOW_AS] ? e->arg[FLOW_AS]->text : STR_NONE, err));
    flow_case_drop(st->c, e->name);
    return OK;
}
