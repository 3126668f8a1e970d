/* One action on one case, from its form to its Provenance. */
#include "flow_inner.h"
#include "store_binary.h"

/* ---- The scope ------------------------------------------------------------------------------- */

static bool step_resolve(void *ctx, Str reference, FhirNode *ret)
{
    FlowStep *st = ctx;
    const JsonDoc *d = flow_tx_read(st->tx, reference, NULL);
    if (d) {
        *ret = fhir_node_root(d);
    }
    return d != NULL;
}

static const FlowAnswers *said_read(FlowStep *st, Str form)
{
    for (size_t i = st->c->input_n; i-- > 0;) {
        const JsonDoc *d = str_eq(st->c->input[i].name, form)
                               ? flow_tx_read(st->tx, st->c->input[i].reference, NULL)
                               : NULL;
        if (d) {
            FlowAnswers *answers = arena_new(st->tx->arena, FlowAnswers);
            flow_answers_read(st->tx->arena, (JsonDoc *)d, answers);
            return answers;
        }
    }
    return arena_new(st->tx->arena, FlowAnswers);
}

static const FlowAnswers *step_said(void *ctx, Str form)
{
    FlowStep *st = ctx;
    const FlowAnswers *answers = map_get(&st->said, form);
    if (!answers) {
        answers = said_read(st, form);
        map_put(&st->said, form, (void *)answers);
    }
    return answers;
}

void flow_scope_node(FlowScope *s, Str name, const JsonDoc *d)
{
    FhirValues none = {0};
    flow_scope_set(s, name,
                   d ? fhir_values_one(s->arena, fhir_value_node(fhir_node_root(d))) : none);
}

static void scope_text(FlowScope *s, Str name, Str text)
{
    FhirValues none = {0};
    flow_scope_set(s, name, text.n ? fhir_values_one(s->arena, fhir_value_string(text)) : none);
}

/* Value sets are the county's, whoever acts. */
static bool step_member_of(void *ctx, const FhirValue *v, Str valueset, bool *ret)
{
    FlowStep *st = ctx;
    if (!st->term) {
        store_term_init(&st->terms, st->tx->reader, &STORE_VIEW_ALL);
        st->term = fhir_term_new(st->tx->arena, &st->terms.source);
    }
    return fhir_term_member_of(st->term, v, valueset, ret);
}

static void scope_user(FlowScope *s, const AccessCaller *caller)
{
    flow_scope_reference(s, STR("user.practitioner"), caller->practitioner, caller->name);
    flow_scope_reference(s, STR("user.post"), caller->post.post, caller->name);
    flow_scope_reference(s, STR("user.organization"), caller->post.organization,
                         caller->post.organization_name);
    scope_text(s, STR("user.name"), caller->name);
    scope_text(s, STR("user.role"), caller->post.role);
}

void flow_step_init(FlowStep *st, FlowTx *tx, FlowCase *c, const FlowAction *action)
{
    *st = (FlowStep){.tx = tx, .c = c, .action = action};
    FlowScope *s = &st->scope;
    *s = (FlowScope){.arena = tx->arena,
                     .pkg = c->pkg,
                     .c = c,
                     .now_ms = tx->now_ms,
                     .zone_min = tx->zone_min,
                     .region = tx->flow->region,
                     .ctx = st,
                     .resolve = step_resolve,
                     .member_of = step_member_of,
                     .said = step_said};
    map_init(&s->fixed, tx->arena);
    map_init(&st->said, tx->arena);
    flow_scope_set(
        s, STR("now"),
        fhir_values_one(tx->arena, fhir_value_datetime(tx->arena, tx->now_ms, tx->zone_min)));
    flow_scope_set(
        s, STR("today"),
        fhir_values_one(tx->arena, fhir_value_date(tx->arena, tx->now_ms, tx->zone_min)));
    flow_scope_node(s, STR("task"), c->doc);
    flow_scope_node(s, STR("patient"), c->patient.n ? flow_tx_read(tx, c->patient, NULL) : NULL);
    flow_scope_reference(s, STR("case"), c->reference, STR_NONE);
    flow_scope_reference(s, STR("focus"), c->focus, STR_NONE);
    scope_user(s, tx->caller);
}

/* ---- What a form may name -------------------------------------------------------------------- */

/* The search with the one reference pinned: sorting and paging play no part. */
static Str pinned_query(Arena *a, Str query, Str id)
{
    Buf out;
    buf_init(&out, 0);
    Str rest = query, pair;
    while (rest.n) {
        str_cut(rest, '&', &pair, &rest);
        if (!str_starts(pair, STR("_sort=")) && !str_starts(pair, STR("_count="))) {
            buf_add(&out, pair);
            buf_char(&out, '&');
        }
    }
    buf_c(&out, "_id=");
    buf_add(&out, id);
    return buf_take(&out, a);
}

#define FOUND_MAX 100 /* a person's other records come, too */

static bool step_found(void *ctx, Str type, Str query, Str reference)
{
    FlowStep *st = ctx;
    FhirRef ref = fhir_ref_parse(reference);
    const StoreHit *hits;
    size_t n = 0;
    Str pinned = pinned_query(st->tx->arena, query, ref.id);
    return fhir_resource_find(type) &&
           store_find(st->tx->reader, st->tx->arena, &st->tx->caller->view, type, pinned, FOUND_MAX,
                      &hits, &n, NULL) == OK &&
           n > 0;
}

static bool step_taken(void *ctx, Str slot)
{
    FlowStep *st = ctx;
    const JsonDoc *d = flow_tx_read(st->tx, slot, NULL);
    return d && !str_is(json_str_at(d, JSON_ROOT, "status"), "free");
}

/* A recording is this patient's, or nobody's yet and the caller's own. */
static bool blob_usable(const FlowStep *st, const JsonDoc *d, Str reference)
{
    Str context = json_str_at(d, JSON_ROOT, "securityContext.reference");
    if (context.n) {
        return str_eq(context, st->c->patient);
    }
    return str_eq(flow_tx_author(st->tx, reference), access_author(st->tx->caller).author);
}

static bool step_blob(void *ctx, Str reference, Str *ret_bytes, Str *ret_type)
{
    FlowStep *st = ctx;
    Arena *a = st->tx->arena;
    FhirRef ref = fhir_ref_parse(reference);
    const JsonDoc *d = str_is(ref.type, "Binary") ? flow_tx_read(st->tx, reference, NULL) : NULL;
    if (!d || !blob_usable(st, d, reference)) {
        return false;
    }
    Str sha = store_binary_sha(d);
    *ret_type = json_str_at(d, JSON_ROOT, "contentType");
    if (sha.n) {
        return store_blob_get(st->tx->store, a, sha, ret_bytes, NULL) == OK;
    }
    return base64_decode(a, json_str_at(d, JSON_ROOT, "data"), false, ret_bytes);
}

static void fill_env(FlowStep *st)
{
    const AccessCaller *caller = st->tx->caller;
    st->fill_env =
        (FlowFillEnv){.scope = &st->scope,
                      .subject = st->c->patient,
                      .author = caller->practitioner,
                      .author_name = caller->name,
                      .authored = time_iso(st->tx->arena, st->tx->now_ms, st->tx->zone_min),
                      .ctx = st,
                      .found = step_found,
                      .taken = step_taken,
                      .blob = step_blob};
}

void flow_step_blobs(FlowStep *st)
{
    fill_env(st);
}

Status flow_step_form(FlowStep *st, const JsonDoc *doc, JsonRef form, bool flat, Err *err)
{
    const FlowAction *a = st->action;
    if (!a->form) {
        return form == JSON_NONE || flat
                   ? OK
                   : flow_refuse(err, FLOW_RULE_FORM_UNEXPECTED, STR_NONE, a->code);
    }
    if (form == JSON_NONE && !flat) {
        return a->form_optional ? OK : flow_refuse(err, FLOW_RULE_FORM_REQUIRED, STR_NONE, a->code);
    }
    fill_env(st);
    TRY(flow_fill_new(st->tx->arena, a->form, doc, flat ? JSON_NONE : form, &st->fill, err));
    if (flat && form != JSON_NONE) {
        TRY(flow_fill_flat(st->fill, doc, form, err));
    }
    flow_fill_render(st->fill, &st->fill_env, "in-progress");
    return OK;
}

/* ---- Finds ----------------------------------------------------------------------------------- */

static Status find_one(FlowStep *st, const FlowFind *f, FhirValues *ret, Err *err)
{
    Arena *a = st->tx->arena;
    const StoreView *view = f->directory || st->tx->clock ? &STORE_VIEW_ALL : &st->tx->caller->view;
    Str query = STR_NONE;
    StoreQuery *q;
    StorePage page;
    TRY(flow_query_fill(&st->scope, f->query, &query, err));
    if (!query.n) {
        return OK;
    }
    query = arena_printf(a, "%.*s&_count=%zu", STR_ARG(query), f->limit);
    TRY(store_query_parse(st->tx->store, a, f->query->type, query, false, st->tx->zone_min, &q,
                          err));
    TRY(store_search(st->tx->reader, a, q, view, STR_NONE, &page, err));
    for (size_t i = 0; i < page.hits_n; i++) {
        Str reference = arena_cat(a, page.hits[i].type, STR("/"), page.hits[i].id);
        fhir_values_add(a, ret,
                        flow_value_reference(a, reference, flow_tx_display(st->tx, reference)));
    }
    return OK;
}

Status flow_step_find(FlowStep *st, Err *err)
{
    for (size_t i = 0; i < st->action->find_n; i++) {
        const FlowFind *f = &st->action->find[i];
        FhirValues values = {0};
        TRY(find_one(st, f, &values, err));
        flow_scope_set(&st->scope, arena_cat(st->tx->arena, STR("found."), f->name), values);
    }
    return OK;
}

Status flow_step_check(FlowStep *st, Err *err)
{
    TRY(flow_step_find(st, err));
    if (st->fill) {
        TRY(flow_fill_initial(st->fill, &st->fill_env, true, err));
        TRY(flow_fill_calculate(st->fill, &st->fill_env, err));
        TRY(flow_fill_check(st->fill, &st->fill_env, err));
    }
    return flow_step_guards(st, err);
}

/* ---- Applying -------------------------------------------------------------------------------- */

typedef struct Adopting {
    FlowStep *st;
    Status status;
    Err *err;
} Adopting;

/* A recording that was nobody's becomes the patient's with the form that names it. */
static void blob_adopt(void *ctx, Str reference)
{
    Adopting *adopting = ctx;
    FlowStep *st = adopting->st;
    const JsonDoc *d = flow_tx_read(st->tx, reference, NULL);
    if (!d || json_str_at(d, JSON_ROOT, "securityContext.reference").n || !st->c->patient.n) {
        return;
    }
    JsonDoc set;
    Str json = arena_cat(st->tx->arena, STR("{\"securityContext\":{\"reference\":\""),
                         st->c->patient, STR("\"}}"));
    if (adopting->status == OK) {
        adopting->status = json_parse(st->tx->arena, json, &JSON_LIMITS_FHIR, &set, adopting->err);
    }
    if (adopting->status == OK) {
        adopting->status = flow_tx_change(st->tx, reference, &set, JSON_ROOT, adopting->err);
    }
}

static Status response_put(FlowStep *st, Err *err)
{
    FlowCase *c = st->c;
    if (!st->fill) {
        return OK;
    }
    if (c->input_n == FLOW_LIST_MAX) {
        memmove(&c->input[0], &c->input[1], (FLOW_LIST_MAX - 1) * sizeof c->input[0]);
        c->input_n--;
    }
    c->input[c->input_n++] = (FlowNamed){st->action->form->code, st->response};
    Adopting adopting = {st, OK, err};
    flow_fill_blobs(st->fill, blob_adopt, &adopting);
    TRY(adopting.status);
    return flow_tx_create(st->tx, STR("QuestionnaireResponse"), str_skip(st->response, 22),
                          flow_fill_render(st->fill, &st->fill_env, "completed"), err);
}

static Status provenance_put(FlowStep *st, Err *err)
{
    Str vid = flow_next_vid(st->tx->arena, st->c->vid);
    return flow_tx_create(st->tx, STR("Provenance"), flow_tx_new_id(st->tx),
                          flow_provenance_body(st, vid), err);
}

static Status owner_and_priority(FlowStep *st, Err *err)
{
    const FlowAction *a = st->action;
    Str owner = STR_NONE, priority = STR_NONE;
    if (a->owner && !st->owner_given) {
        TRY(flow_template_word(st, a->owner, &owner, err));
    }
    if (owner.n || !st->c->owner.n) {
        TRY(flow_owner_set(st, owner, err));
    }
    if (a->priority && !st->priority_given) {
        TRY(flow_template_word(st, a->priority, &priority, err));
    }
    st->c->priority = priority.n ? priority : st->c->priority;
    return OK;
}

static void step_record(FlowStep *st)
{
    FlowCase *c = st->c;
    c->touched = true;
    if (c->step_n < sizeof c->step / sizeof c->step[0]) {
        c->step[c->step_n++] = st->action->code;
    }
}

Status flow_step_migrated(FlowStep *st, Err *err)
{
    step_record(st);
    return provenance_put(st, err);
}

Status flow_step_apply(FlowStep *st, Err *err)
{
    FlowCase *c = st->c;
    if (st->fill) {
        st->response =
            arena_cat(st->tx->arena, STR("QuestionnaireResponse/"), flow_tx_new_id(st->tx));
        flow_scope_reference(&st->scope, STR("response"), st->response, STR_NONE);
    }
    TRY(flow_effects_do(st, err));
    TRY(owner_and_priority(st, err));
    if (st->action->to >= 0) {
        c->state = st->action->to;
    }
    step_record(st);
    TRY(response_put(st, err));
    return provenance_put(st, err);
}
