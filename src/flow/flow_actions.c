/* $actions and $pathways: what this person may do, with forms already filled; what there is to see.
 */
#include "flow_inner.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

static void part_begin(JsonWriter *w, const char *name)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
}

static void part_text(JsonWriter *w, const char *name, const char *key, Str value)
{
    if (value.n) {
        part_begin(w, name);
        json_member_str(w, key, value);
        json_close(w, '}');
    }
}

static void part_flag(JsonWriter *w, const char *name, bool value)
{
    part_begin(w, name);
    json_key(w, "valueBoolean");
    json_put_bool(w, value);
    json_close(w, '}');
}

static void part_resource(JsonWriter *w, const char *name, Str json)
{
    part_begin(w, name);
    json_key(w, "resource");
    json_put_raw(w, json);
    json_close(w, '}');
}

static void group_begin(JsonWriter *w, const char *name)
{
    part_begin(w, name);
    json_key(w, "part");
    json_open(w, '[');
}

static void group_end(JsonWriter *w)
{
    json_close(w, ']');
    json_close(w, '}');
}

/* An empty list is left out: R4 allows no empty arrays. */
static void parameters_end(Buf *out, Buf *list)
{
    buf_c(out, "{\"resourceType\":\"Parameters\"");
    if (list->n > 2) {
        buf_c(out, ",\"parameter\":");
        buf_add(out, buf_str(list));
    }
    buf_char(out, '}');
    out->failed |= list->failed;
    buf_done(list);
}

/* ---- Actions --------------------------------------------------------------------------------- */

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
            part_begin(w, "show");
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
    group_begin(w, "action");
    part_text(w, "code", "valueCode", a->code);
    part_text(w, "title", "valueString", flow_text(a->title, lang));
    if (a->form) {
        Str response = form_prefilled(st, &quiet);
        part_resource(w, "questionnaire", form_shown(st, lang));
        if (response.n) {
            part_resource(w, "response", response);
        }
        show_put(w, st);
    }
    const FlowDeadline *due = flow_case_due(st->c);
    if (due) {
        part_text(w, "deadline", "valueDateTime", time_iso(arena, due->due_ms, st->tx->zone_min));
    }
    part_flag(w, "receipt", a->receipt);
    part_flag(w, "primary", a->primary);
    if (a->danger) {
        part_flag(w, "danger", true);
    }
    if (a->form_optional) {
        part_flag(w, "formOptional", true);
    }
    group_end(w);
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

static Status case_actions(FlowTx *tx, FlowCase *c, JsonWriter *w, Err *err)
{
    const FlowPackage *p = c->pkg;
    uint64_t offered = 0;
    for (size_t i = 0; i < p->action_n; i++) {
        const FlowAction *a = &p->action[i];
        bool may = true;
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
    return q->caller->integrator || q->caller->administrator ? OK : case_actions(&tx, c, w, err);
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
    buf_init(&list, 0);
    JsonWriter w = json_writer(&list);
    json_open(&w, '[');
    Status s = task_id.n ? task_actions(f, q, task_id, &w, err)
                         : start_action(f, q, pathway, patient, &w, err);
    json_close(&w, ']');
    if (s != OK) {
        buf_done(&list);
        return s;
    }
    parameters_end(out, &list);
    return OK;
}

/* ---- Pathways -------------------------------------------------------------------------------- */

/* The caller's organisations and the services these provide, comma-joined. */
static Str organizations_of(const FlowRequest *q)
{
    Buf out;
    buf_init(&out, 0);
    const StoreView *view = &q->caller->view;
    for (size_t i = 0; i < view->orgs_n; i++) {
        buf_c(&out, i ? "," : "");
        buf_add(&out, view->orgs[i]);
    }
    Str query = arena_cat(q->arena, STR("organization="), arena_str(q->arena, buf_str(&out)));
    const StoreHit *hits;
    size_t n = 0;
    if (view->orgs_n && store_find(q->reader, q->arena, &STORE_VIEW_ALL, STR("HealthcareService"),
                                   query, 1000, &hits, &n, NULL) == OK) {
        for (size_t i = 0; i < n; i++) {
            buf_c(&out, ",HealthcareService/");
            buf_add(&out, hits[i].id);
        }
    }
    Str s = arena_str(q->arena, buf_str(&out));
    buf_done(&out);
    return s;
}

typedef struct Places {
    const char *name;
    Str value;
} Places;

static Str query_filled(const FlowRequest *q, const FlowPackage *p, Str query, const Places *place,
                        size_t n)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "code=" FLOW_SYSTEM_PATHWAY "|");
    buf_add(&out, p->name);
    buf_char(&out, '&');
    while (query.n) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++) {
            if (str_starts(query, str_from_c(place[i].name))) {
                buf_add(&out, place[i].value);
                query = str_skip(query, strlen(place[i].name));
                found = true;
            }
        }
        if (!found) {
            buf_char(&out, query.p[0]);
            query = str_skip(query, 1);
        }
    }
    Str s = arena_str(q->arena, buf_str(&out));
    buf_done(&out);
    return s;
}

static bool has_role(const Str *role, size_t n, Str want)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(role[i], want)) {
            return true;
        }
    }
    return false;
}

static void states_put(JsonWriter *w, const FlowPackage *p, Lang lang)
{
    for (size_t i = 0; i < p->state_n; i++) {
        const FlowState *s = &p->state[i];
        group_begin(w, "state");
        part_text(w, "code", "valueCode", s->code);
        part_text(w, "title", "valueString", flow_text(s->title, lang));
        part_text(w, "color", "valueString", s->color);
        part_text(w, "task", "valueCode", s->task);
        part_flag(w, "open", !s->end);
        part_text(w, "next", "valueString", flow_text(s->next, lang));
        group_end(w);
    }
}

static void steps_put(JsonWriter *w, const FlowPackage *p, Lang lang)
{
    if (p->start) {
        group_begin(w, "step");
        part_text(w, "code", "valueCode", p->start->code);
        part_text(w, "title", "valueString", flow_text(p->start->title, lang));
        group_end(w);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++) {
            first &= !str_eq(p->action[k].code, p->action[i].code);
        }
        if (first) {
            group_begin(w, "step");
            part_text(w, "code", "valueCode", p->action[i].code);
            part_text(w, "title", "valueString", flow_text(p->action[i].title, lang));
            group_end(w);
        }
    }
}

static void lists_put(JsonWriter *w, const FlowRequest *q, const FlowPackage *p,
                      const Places *place, size_t n)
{
    for (size_t i = 0; i < p->list_n; i++) {
        const FlowList *l = &p->list[i];
        if (has_role(l->role, l->role_n, q->caller->post.role)) {
            group_begin(w, "list");
            part_text(w, "code", "valueCode", l->code);
            part_text(w, "title", "valueString", flow_text(l->title, q->caller->lang));
            part_text(w, "query", "valueString", query_filled(q, p, l->query, place, n));
            part_flag(w, "live", l->live);
            if (l->alert) {
                part_flag(w, "alert", true);
            }
            group_end(w);
        }
    }
}

static void prints_put(JsonWriter *w, const FlowPackage *p, Lang lang)
{
    for (size_t i = 0; i < p->print_n; i++) {
        const FlowPrint *print = &p->print[i];
        group_begin(w, "print");
        part_text(w, "code", "valueCode", print->code);
        part_text(w, "title", "valueString", flow_text(print->title, lang));
        for (size_t k = 0; k < p->state_n; k++) {
            if (print->when >> k & 1) {
                part_text(w, "when", "valueCode", p->state[k].code);
                part_text(w, "state", "valueCode", p->state[k].code);
            }
        }
        group_end(w);
    }
}

/* By role alone: the case itself is looked at when it is started. */
static bool may_start(const FlowRequest *q, const FlowPackage *p)
{
    for (size_t i = 0; p->start && i < p->start->who_n; i++) {
        const FlowWho *w = &p->start->who[i];
        if (!w->role_n || has_role(w->role, w->role_n, q->caller->post.role)) {
            return !q->caller->integrator && !q->caller->administrator;
        }
    }
    return false;
}

Status flow_pathways(Flow *f, const FlowRequest *q, Buf *out, Err *err)
{
    (void)err;
    Places place[] = {{"{organizations}", organizations_of(q)},
                      {"{organization}", q->caller->post.organization},
                      {"{practitioner}", q->caller->practitioner},
                      {"{post}", q->caller->post.post},
                      {"{now}", time_iso(q->arena, q->now_ms, store_zone_min(f->store))},
                      {"{today}", time_iso_day(q->arena, q->now_ms, store_zone_min(f->store))}};
    Buf list;
    buf_init(&list, 0);
    JsonWriter w = json_writer(&list);
    json_open(&w, '[');
    for (size_t i = 0; i < f->pkg_n; i++) {
        const FlowPackage *p = f->pkg[i];
        if (flow_package_named(f, p->name) != p) {
            continue;
        }
        group_begin(&w, "pathway");
        part_text(&w, "code", "valueCode", p->name);
        part_text(&w, "title", "valueString", flow_text(p->title, q->caller->lang));
        part_text(&w, "version", "valueString", p->version);
        part_text(&w, "color", "valueString", p->color);
        part_flag(&w, "start", may_start(q, p));
        states_put(&w, p, q->caller->lang);
        steps_put(&w, p, q->caller->lang);
        lists_put(&w, q, p, place, sizeof place / sizeof place[0]);
        prints_put(&w, p, q->caller->lang);
        group_end(&w);
    }
    json_close(&w, ']');
    parameters_end(out, &list);
    return OK;
}
