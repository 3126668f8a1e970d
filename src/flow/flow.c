/* The engine's doors: open, start, act. */
#include "flow_inner.h"

/* ---- Packages -------------------------------------------------------------------------------- */

/* 1.10.0 is newer than 1.9.2: numbers as numbers, the rest as text. */
int flow_version_compare(Str a, Str b)
{
    while (a.n || b.n) {
        Str x, y;
        int64_t nx, ny;
        str_cut(a, '.', &x, &a);
        str_cut(b, '.', &y, &b);
        bool numbers = str_to_i64(x, &nx) && str_to_i64(y, &ny);
        int order = numbers ? (nx > ny) - (nx < ny) : str_cmp(x, y);
        if (order) {
            return order;
        }
    }
    return 0;
}

const FlowPackage *flow_package_named(const Flow *f, Str name)
{
    for (size_t i = 0; i < f->pkg_n; i++) {
        if (str_eq(f->pkg[i]->name, name)) {
            return f->pkg[i];
        }
    }
    return NULL;
}

const FlowPackage *flow_package_canonical(const Flow *f, Str canonical)
{
    for (size_t i = 0; i < f->pkg_n; i++) {
        if (str_eq(f->pkg[i]->canonical, canonical)) {
            return f->pkg[i];
        }
    }
    return NULL;
}

static Status region_read(Flow *f, Err *err)
{
    StoreReader *r;
    TRY(store_reader_open(f->store, &r, err));
    Status status = store_setting_get(r, &f->arena, STR(FLOW_SETTING_REGION), &f->region, NULL);
    store_reader_close(r);
    f->region = status == OK ? f->region : STR_NONE;
    return status == OK || status == ERR_NOT_FOUND ? OK : err_status(err, status);
}

Status flow_open_with(Store *s, const FlowPackageSource *sources, size_t n, bool lint, Flow **ret,
                      Err *err)
{
    Flow *f = calloc(1, sizeof *f);
    mk_check(f != NULL);
    f->store = s;
    f->lint = lint;
    arena_init(&f->arena, 0);
    Status status = region_read(f, err);
    status = status == OK ? flow_log_packages(f, sources, n, err) : status;
    if (status != OK) {
        flow_close(f);
        return status;
    }
    *ret = f;
    return OK;
}

Status flow_open(Store *s, const FlowPackageSource *sources, size_t n, Flow **ret, Err *err)
{
    return flow_open_with(s, sources, n, true, ret, err);
}

void flow_close(Flow *f)
{
    if (!f) {
        return;
    }
    for (size_t i = 0; i < f->pkg_n; i++) {
        flow_package_free(f->pkg[i]);
    }
    arena_done(&f->arena);
    free(f);
}

/* ---- What both doors ask first --------------------------------------------------------------- */

static Status caller_check(const FlowRequest *q, Err *err)
{
    if (q->caller->integrator) {
        return flow_refuse(err, FLOW_RULE_INTEGRATOR_MAY_NOT, STR_NONE, STR_NONE);
    }
    if (q->caller->administrator) {
        return flow_refuse(err, FLOW_RULE_ADMINISTRATOR_MAY_NOT, STR_NONE, STR_NONE);
    }
    if (q->idempotency_key.n > 64) {
        return flow_refuse(err, FLOW_RULE_IDEMPOTENCY_KEY, STR("Idempotency-Key"), STR_NONE);
    }
    return OK;
}

static void tx_of(FlowTx *tx, Flow *f, const FlowRequest *q)
{
    flow_tx_init(tx, f, q->reader, q->arena, q->caller, q->now_ms);
    tx->dry = q->dry;
    tx->password_checked = q->password_checked;
    tx->factor_checked = q->factor_checked;
}

static Str person_of(const AccessCaller *caller)
{
    return caller->practitioner.n ? caller->practitioner : caller->username;
}

/* The Task among what the first answer wrote: a start's is the one it created first. */
static const StoreVersion *task_in(const StoreVersion *v, size_t n, Str id)
{
    for (size_t i = 0; i < n; i++) {
        if (str_is(v[i].type, "Task") && (!id.n || str_eq(v[i].id, id))) {
            return &v[i];
        }
    }
    return NULL;
}

/* True when the key was used: *ret_status tells how this request ends. */
static bool answered_before(const FlowRequest *q, Str task_id, FlowAnswer *ret, Status *ret_status,
                            Err *err)
{
    StoreMemory m;
    if (!q->idempotency_key.n || q->dry ||
        !store_remembered(q->reader, q->arena, person_of(q->caller), q->idempotency_key, &m)) {
        return false;
    }
    const StoreVersion *task = task_in(m.versions, m.versions_n, task_id);
    if (!task || !bytes_equal_const(m.body.b, q->body_sha.b, sizeof m.body.b)) {
        *ret_status =
            flow_refuse(err, FLOW_RULE_IDEMPOTENCY_MISMATCH, STR("Idempotency-Key"), STR_NONE);
        return true;
    }
    ret->http_status = m.http_status;
    ret->task = *task;
    *ret_status = OK;
    return true;
}

/* Writes cases and commits; *ret_stale asks the caller to prepare again. */
static Status tx_commit(FlowTx *tx, const FlowRequest *q, const FlowCase *c, int http,
                        FlowAnswer *ret, bool *ret_stale, Err *err)
{
    StoreReceipt receipt = {0};
    Err said;
    err_init(&said, tx->arena);
    TRY(flow_tx_cases_put(tx, err));
    if (q->idempotency_key.n) {
        store_batch_remember(tx->batch, person_of(q->caller), q->idempotency_key, q->body_sha,
                             http);
    }
    if (q->draft_key.n) {
        store_batch_draft_end(tx->batch, person_of(q->caller), q->caller->post.post, q->draft_key);
    }
    Status s = store_commit(tx->batch, &receipt, &said);
    *ret_stale = s != OK && receipt.stale;
    if (s != OK) {
        return *ret_stale ? s : err_move(err, &said, STR_NONE);
    }
    const StoreVersion *task = task_in(receipt.versions, receipt.versions_n, c->id);
    mk_check(task != NULL);
    ret->task = *task;
    ret->http_status = http;
    return OK;
}

/* ---- Start ----------------------------------------------------------------------------------- */

typedef struct StartAsk {
    const FlowPackage *pkg;
    Str patient, focus, owner;
    const JsonDoc *params;
    JsonRef form;
} StartAsk;

/* Role first (it says nothing of the patient), then sight of the patient. */
static Status start_allowed(FlowStep *st, const FlowRequest *q, const StartAsk *ask, Err *err)
{
    bool may = false;
    TRY(flow_step_who(st, ask->pkg->start, &may, err));
    if (!may) {
        return flow_refuse(err, FLOW_RULE_NOT_YOURS, STR_NONE, STR_NONE);
    }
    FhirRef patient = fhir_ref_parse(ask->patient);
    if (!str_is(patient.type, "Patient") ||
        !store_patient_visible(q->reader, &q->caller->view, patient.id) ||
        !flow_tx_read(st->tx, ask->patient, NULL)) {
        return flow_refuse(err, FLOW_RULE_PATIENT_UNKNOWN, STR("patient"), STR_NONE);
    }
    FhirRef focus = fhir_ref_parse(ask->focus);
    StoreVersion v;
    if (ask->focus.n &&
        (!fhir_resource_find(focus.type) ||
         store_read(q->reader, q->arena, &q->caller->view, focus.type, focus.id, &v, NULL) != OK)) {
        return flow_refuse(err, FLOW_RULE_FOCUS_UNKNOWN, STR("focus"), STR_NONE);
    }
    return OK;
}

/* The caller's wish for an owner stands where the package leaves it open. */
static Status start_owner(FlowStep *st, const StartAsk *ask, Err *err)
{
    if (!ask->owner.n) {
        return OK;
    }
    if (!st->c->owner.n) {
        return flow_owner_set(st, ask->owner, err);
    }
    return str_eq(st->c->owner, ask->owner)
               ? OK
               : flow_refuse(err, FLOW_RULE_OWNER_FIXED, STR("owner"), STR_NONE);
}

static Status dry_answer(FlowStep *st, Status status, FlowAnswer *ret)
{
    if (st->fill) {
        flow_fill_colors(st->fill, &st->fill_env);
        ret->dry_response = flow_fill_render(st->fill, &st->fill_env, "in-progress");
    }
    ret->http_status = 200;
    return status;
}

/* A dry run fills in what a person has left open, then checks as if it were sent. */
static Status step_prefill(FlowStep *st, Err *err)
{
    TRY(flow_step_find(st, err));
    return st->fill ? flow_fill_initial(st->fill, &st->fill_env, false, err) : OK;
}

static Status step_run(FlowStep *st, const FlowRequest *q, const JsonDoc *params, JsonRef form,
                       Err *err)
{
    TRY(flow_step_form(st, params, form, false, err));
    if (q->dry) {
        TRY(step_prefill(st, err));
    }
    TRY(flow_step_check(st, err));
    return flow_step_apply(st, err);
}

static Status start_once(Flow *f, const FlowRequest *q, const StartAsk *ask, FlowAnswer *ret,
                         bool *ret_stale, Err *err)
{
    FlowTx tx;
    FlowStep *st = arena_new(q->arena, FlowStep);
    FlowOpening opening = {.patient = ask->patient, .focus = ask->focus};
    Str cause = arena_cat(q->arena, STR("act:"), ask->pkg->name, STR("/start"));
    tx_of(&tx, f, q);
    flow_tx_begin(&tx, cause);
    FlowCase nobody = {.pkg = ask->pkg};
    flow_step_init(st, &tx, &nobody, ask->pkg->start);
    TRY(start_allowed(st, q, ask, err));
    TRY(flow_step_open(st, &tx, ask->pkg, ask->pkg->start, &opening, err));
    flow_scope_reference(&st->scope, STR("owner"), ask->owner, STR_NONE);
    if (ask->owner.n && !ask->pkg->start->owner) {
        TRY(flow_owner_set(st, ask->owner, err));
    }
    Status s = step_run(st, q, ask->params, ask->form, err);
    if (q->dry) {
        return dry_answer(st, s, ret);
    }
    TRY(s);
    TRY(start_owner(st, ask, err));
    return tx_commit(&tx, q, st->c, 201, ret, ret_stale, err);
}

Status flow_start(Flow *f, const FlowRequest *q, Str pathway, Str patient, Str focus, Str owner,
                  const JsonDoc *params, JsonRef form, FlowAnswer *ret, Err *err)
{
    FhirRef ref = fhir_ref_parse(patient);
    Str plain = ref.id.n ? arena_cat(q->arena, ref.type, STR("/"), ref.id) : patient;
    StartAsk ask = {flow_package_named(f, pathway), plain, focus, owner, params, form};
    Status s;
    TRY(caller_check(q, err));
    if (!ask.pkg) {
        return flow_refuse(err, FLOW_RULE_UNKNOWN_PATHWAY, STR("pathway"), pathway);
    }
    if (!ask.pkg->start) {
        return flow_refuse(err, FLOW_RULE_NO_START, STR("pathway"), pathway);
    }
    if (!patient.n) {
        return flow_refuse(err, FLOW_RULE_PATIENT_REQUIRED, STR("patient"), STR_NONE);
    }
    for (int i = 0; i <= FLOW_RETRIES_MAX; i++) {
        bool stale = false;
        if (answered_before(q, STR_NONE, ret, &s, err)) {
            return s;
        }
        s = start_once(f, q, &ask, ret, &stale, err);
        if (!stale) {
            return s;
        }
    }
    return flow_refuse(err, FLOW_RULE_BUSY_CASE, STR_NONE, STR_NONE);
}

/* ---- Act ------------------------------------------------------------------------------------- */

typedef struct ActAsk {
    Str task_id, if_vid, action;
    const JsonDoc *params;
    JsonRef form;
} ActAsk;

/* Not the version the person saw: 409 when the action is no longer possible, else 412. */
static Status stale_refusal(FlowStep *st, const ActAsk *ask, Err *err)
{
    Err said;
    err_init(&said, st->tx->arena);
    if (flow_step_choose(st, ask->action, true, &said) == ERR_CONFLICT) {
        return err_move(err, &said, STR_NONE);
    }
    return flow_refuse(err, FLOW_RULE_VERSION_STALE, STR("If-Match"), st->c->vid);
}

/* The case as the caller may see it, in a transaction named after what is done. */
static Status case_begin(FlowTx *tx, const FlowRequest *q, Str task_id, Str action, FlowCase **ret,
                         Err *err)
{
    StoreVersion v;
    JsonDoc d;
    if (store_read(q->reader, q->arena, &q->caller->view, STR("Task"), task_id, &v, NULL) != OK ||
        json_parse(q->arena, v.body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return flow_refuse(err, FLOW_RULE_CASE_UNKNOWN, STR_NONE, STR_NONE);
    }
    Str reference = arena_cat(q->arena, STR("Task/"), task_id);
    flow_tx_begin(tx, arena_cat(q->arena, STR("act:"), flow_case_pathway(&d), STR("/"), action,
                                STR(" "), reference));
    return flow_tx_case(tx, reference, ret, err);
}

static Status act_once(Flow *f, const FlowRequest *q, const ActAsk *ask, FlowAnswer *ret,
                       bool *ret_stale, Err *err)
{
    FlowTx tx;
    FlowCase *c = NULL;
    FlowStep *st = arena_new(q->arena, FlowStep);
    tx_of(&tx, f, q);
    TRY(case_begin(&tx, q, ask->task_id, ask->action, &c, err));
    flow_step_init(st, &tx, c, NULL);
    if (!ask->if_vid.n) {
        return flow_refuse(err, FLOW_RULE_VERSION_REQUIRED, STR("If-Match"), STR_NONE);
    }
    if (!str_eq(ask->if_vid, c->vid)) {
        return stale_refusal(st, ask, err);
    }
    TRY(flow_step_choose(st, ask->action, true, err));
    Status s = step_run(st, q, ask->params, ask->form, err);
    if (q->dry) {
        return dry_answer(st, s, ret);
    }
    TRY(s);
    return tx_commit(&tx, q, c, 200, ret, ret_stale, err);
}

Status flow_act(Flow *f, const FlowRequest *q, Str task_id, Str if_vid, Str action,
                const JsonDoc *params, JsonRef form, FlowAnswer *ret, Err *err)
{
    ActAsk ask = {task_id, if_vid, action, params, form};
    Status s;
    TRY(caller_check(q, err));
    for (int i = 0; i <= FLOW_RETRIES_MAX; i++) {
        bool stale = false;
        if (answered_before(q, task_id, ret, &s, err)) {
            return s;
        }
        s = act_once(f, q, &ask, ret, &stale, err);
        if (!stale) {
            return s;
        }
    }
    return flow_refuse(err, FLOW_RULE_BUSY_CASE, STR_NONE, STR_NONE);
}
