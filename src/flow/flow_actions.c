/* $actions: what this person may do now, with forms already filled. */
#include "flow_parameters.h"

static void show_put(JsonWriter *w, const FlowStep *st)
{
    const FlowForm *form = st->action->form;
    for (size_t i = 0; i < form->show_n; i++) {
        FhirValues values = {0};
        if (flow_eval(&st->scope, form->show[i], &values, NULL) != OK) {
            continue;
        }
        for (size_t k = 0; k < values.n; k++) {
            bool attachment = str_is(fhir_value_type_name(&values.at[k]), "Attachment");
            flow_part_begin(w, "show");
            json_key(w, attachment ? "valueAttachment" : "valueReference");
            fhir_value_json(w->out, &values.at[k]);
            w->comma = true;
            w->after_key = false;
            json_close(w, '}');
        }
    }
}

/* The form as it opens: found, initial and calculated answers; what cannot be computed stays empty.
 */
static Str form_prefilled(FlowStep *st, Err *err)
{
    JsonDoc none = {0};
    if (flow_step_form(st, &none, JSON_NONE, true, err) != OK || flow_step_find(st, err) != OK ||
        flow_fill_initial(st->fill, &st->fill_env, false, err) != OK ||
        flow_fill_calculate(st->fill, &st->fill_env, err) != OK) {
        log_warn("flow", "a form of %.*s cannot be filled beforehand", STR_ARG(st->c->pkg->name));
    }
    if (!st->fill) {
        return STR_NONE;
    }
    flow_fill_colors(st->fill, &st->fill_env);
    return flow_fill_render(st->fill, &st->fill_env, "in-progress");
}

/* `text` with every `old` replaced, both as JSON strings. */
static Str json_string_replace(Arena *a, Str text, Str old, Str with)
{
    Buf x, y;
    buf_init(&x, 0);
    buf_init(&y, 0);
    buf_json_str(&x, old);
    buf_json_str(&y, with);
    Str from = arena_str(a, buf_str(&x)), to = arena_str(a, buf_str(&y)), out = STR_NONE;
    buf_done(&x);
    buf_done(&y);
    for (ptrdiff_t at; (at = str_find(text, from)) >= 0;) {
        out = arena_cat(a, out, str_take(text, (size_t)at), to);
        text = str_skip(text, (size_t)at + from.n);
    }
    return arena_cat(a, out, text);
}

/* The form in the caller's language; a screen computes no expression, so lookups come without. */
static Str form_shown(const FlowStep *st, Lang lang)
{
    const FlowForm *form = st->action->form;
    Str text = form->localised[lang];
    for (size_t i = 0; i < form->all_n; i++) {
        const FlowQuery *q = form->all[i]->lookup;
        Str filled = STR_NONE;
        if (q && str_find(q->text, STR("{=")) >= 0 &&
            flow_query_show(&st->scope, q, &filled, NULL) == OK) {
            text = json_string_replace(st->tx->arena, text, q->text, filled);
        }
    }
    return text;
}

static void action_put(JsonWriter *w, FlowStep *st)
{
    const FlowAction *a = st->action;
    Arena *arena = st->tx->arena;
    Lang lang = st->tx->caller->lang;
    Err quiet;
    err_init(&quiet, arena);
    flow_group_begin(w, "action");
    flow_part_text(w, "code", "valueCode", a->code);
    flow_part_text(w, "title", "valueString", flow_text(a->title, lang));
    if (a->form) {
        Str response = form_prefilled(st, &quiet);
        flow_part_resource(w, "questionnaire", form_shown(st, lang));
        if (response.n) {
            flow_part_resource(w, "response", response);
        }
        show_put(w, st);
    }
    const FlowDeadline *due = flow_case_due(st->c);
    if (due) {
        flow_part_text(w, "deadline", "valueDateTime",
                       time_iso(arena, due->due_ms, st->tx->zone_min));
    }
    flow_part_flag(w, "receipt", a->receipt);
    flow_part_flag(w, "primary", a->primary);
    if (a->danger) {
        flow_part_flag(w, "danger", true);
    }
    if (a->form_optional) {
        flow_part_flag(w, "formOptional", true);
    }
    if (flow_signs(a)) {
        flow_part_flag(w, "sign", true);
    }
    if (flow_signs(a) && flow_sign_password(&st->scope)) {
        flow_part_flag(w, "signPassword", true);
    }
    flow_group_end(w);
}

/* Does an earlier action of the same code already stand for this one? */
static bool told(const FlowPackage *p, size_t i, uint64_t offered)
{
    for (size_t k = 0; k < i; k++) {
        if ((offered >> (k % 64) & 1) && str_eq(p->action[k].code, p->action[i].code)) {
            return true;
        }
    }
    return false;
}

static Status case_actions(FlowTx *tx, FlowCase *c, Str only, JsonWriter *w, Err *err)
{
    const FlowPackage *p = c->pkg;
    uint64_t offered = 0;
    for (size_t i = 0; i < p->action_n; i++) {
        const FlowAction *a = &p->action[i];
        bool may = true;
        if (only.n && !str_eq(a->code, only)) {
            continue;
        }
        if (a->clock || !(a->from >> c->state & 1) || (i < 64 && told(p, i, offered))) {
            continue;
        }
        FlowStep *st = arena_new(tx->arena, FlowStep);
        flow_step_init(st, tx, c, a);
        if (a->when) {
            TRY(flow_test(&st->scope, a->when, &may, err));
        }
        if (may) {
            TRY(flow_step_who(st, a, &may, err));
        }
        if (may) {
            offered |= i < 64 ? 1ULL << i : 0;
            action_put(w, st);
        }
    }
    return OK;
}

static Status task_actions(Flow *f, const FlowRequest *q, Str task_id, JsonWriter *w, Err *err)
{
    FlowTx tx;
    FlowCase *c = NULL;
    StoreVersion v;
    if (store_read(q->reader, q->arena, &q->caller->view, STR("Task"), task_id, &v, NULL) != OK) {
        return flow_refuse(err, FLOW_RULE_CASE_UNKNOWN, STR_NONE, STR_NONE);
    }
    flow_tx_init(&tx, f, q->reader, q->arena, q->caller, q->now_ms);
    flow_tx_begin(&tx, STR("actions"));
    TRY(flow_tx_case(&tx, arena_cat(q->arena, STR("Task/"), task_id), &c, err));
    return q->caller->integrator || q->caller->administrator
               ? OK
               : case_actions(&tx, c, q->only, w, err);
}

static Status start_action(Flow *f, const FlowRequest *q, Str pathway, Str patient, JsonWriter *w,
                           Err *err)
{
    const FlowPackage *p = flow_package_named(f, pathway);
    FhirRef ref = fhir_ref_parse(patient);
    bool may = false;
    if (!p) {
        return flow_refuse(err, FLOW_RULE_UNKNOWN_PATHWAY, STR("pathway"), pathway);
    }
    if (patient.n && !store_patient_visible(q->reader, &q->caller->view, ref.id)) {
        return flow_refuse(err, FLOW_RULE_PATIENT_UNKNOWN, STR("patient"), STR_NONE);
    }
    if (!p->start || q->caller->integrator || q->caller->administrator) {
        return OK;
    }
    FlowTx tx;
    FlowStep *st = arena_new(q->arena, FlowStep);
    FlowCase nobody = {
        .pkg = p, .patient = patient.n ? arena_cat(q->arena, STR("Patient/"), ref.id) : STR_NONE};
    flow_tx_init(&tx, f, q->reader, q->arena, q->caller, q->now_ms);
    flow_tx_begin(&tx, STR("actions"));
    flow_step_init(st, &tx, &nobody, p->start);
    TRY(flow_step_who(st, p->start, &may, err));
    if (may) {
        action_put(w, st);
    }
    return OK;
}

Status flow_actions(Flow *f, const FlowRequest *q, Str task_id, Str pathway, Str patient, Buf *out,
                    Err *err)
{
    Buf list;
    JsonWriter w = json_begin(&list, '[');
    Status s = task_id.n ? task_actions(f, q, task_id, &w, err)
                         : start_action(f, q, pathway, patient, &w, err);
    json_close(&w, ']');
    if (s != OK) {
        buf_done(&list);
        return s;
    }
    flow_parameters_end(out, &list);
    return OK;
}
