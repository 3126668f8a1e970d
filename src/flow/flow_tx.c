/* One transaction: what it has read and would leave behind, its cases, and their writing. */
#include "flow_inner.h"

typedef struct TxDoc {
    JsonDoc doc;
    Str vid, author;
    bool there, pending;
} TxDoc;

void flow_tx_init(FlowTx *tx, Flow *f, StoreReader *r, Arena *a, const AccessCaller *caller,
                  int64_t now_ms)
{
    *tx = (FlowTx){.flow = f,
                   .store = f->store,
                   .reader = r,
                   .arena = a,
                   .caller = caller,
                   .now_ms = now_ms,
                   .zone_min = store_zone_min(f->store)};
}

void flow_tx_begin(FlowTx *tx, Str cause)
{
    StoreAuthor author = access_author(tx->caller);
    tx->batch = store_batch_new(tx->store, tx->arena, &author, cause);
    store_batch_reader(tx->batch, tx->reader);
    store_batch_urgent(tx->batch);
    map_init(&tx->docs, tx->arena);
    tx->cases_n = 0;
    tx->depth = 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static TxDoc *doc_load(FlowTx *tx, Str type, Str id)
{
    TxDoc *x = arena_new(tx->arena, TxDoc);
    StoreVersion v;
    if (fhir_resource_find(type) && fhir_id_ok(id) &&
        store_batch_read(tx->batch, tx->reader, tx->arena, type, id, &v, NULL) == OK) {
        x->there = json_parse(tx->arena, v.body, &JSON_LIMITS_FHIR, &x->doc, NULL) == OK;
        x->vid = v.vid;
        x->author = v.author;
    }
    return x;
}

static TxDoc *doc_get(FlowTx *tx, Str reference, Str *ret_type, Str *ret_id)
{
    FhirRef ref = fhir_ref_parse(reference);
    *ret_type = ref.type;
    *ret_id = ref.id;
    if (!ref.type.n || !ref.id.n) {
        return NULL;
    }
    Str key = arena_cat(tx->arena, ref.type, STR("/"), ref.id);
    TxDoc *x = map_get(&tx->docs, key);
    if (!x) {
        x = doc_load(tx, ref.type, ref.id);
        map_put(&tx->docs, key, x);
    }
    return x;
}

const JsonDoc *flow_tx_read(FlowTx *tx, Str reference, Str *ret_vid)
{
    Str type, id;
    TxDoc *x = doc_get(tx, reference, &type, &id);
    if (!x || !x->there) {
        return NULL;
    }
    if (ret_vid) {
        *ret_vid = x->vid;
    }
    return &x->doc;
}

Str flow_tx_vid_after(FlowTx *tx, Str reference)
{
    Str type, id;
    TxDoc *x = doc_get(tx, reference, &type, &id);
    return x && !x->pending ? x->vid : flow_next_vid(tx->arena, x ? x->vid : STR_NONE);
}

Str flow_tx_author(FlowTx *tx, Str reference)
{
    Str type, id;
    TxDoc *x = doc_get(tx, reference, &type, &id);
    return x ? x->author : STR_NONE;
}

Str flow_tx_new_id(FlowTx *tx)
{
    return uuid7(tx->arena, store_random(tx->store), tx->now_ms);
}

Str flow_tx_organization(FlowTx *tx, Str owner)
{
    if (str_starts(owner, STR("Organization/"))) {
        return owner;
    }
    const JsonDoc *d =
        str_starts(owner, STR("HealthcareService/")) ? flow_tx_read(tx, owner, NULL) : NULL;
    return d ? json_str_at(d, JSON_ROOT, "providedBy.reference") : STR_NONE;
}

Str flow_tx_display(FlowTx *tx, Str reference)
{
    const JsonDoc *d = reference.n ? flow_tx_read(tx, reference, NULL) : NULL;
    if (!d) {
        return STR_NONE;
    }
    JsonRef name = json_get_c(d, JSON_ROOT, "name");
    if (json_type(d, name) == JSON_STRING) {
        return json_str(d, name);
    }
    Str text = json_str_at(d, name, "0.text");
    if (!text.n) {
        text = arena_cat(tx->arena, json_str_at(d, name, "0.family"),
                         json_str_at(d, name, "0.given.0"));
    }
    return text.n ? text : json_str_at(d, JSON_ROOT, "practitioner.display");
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* What the package made is not valid: said with the first issues, so that its author can mend it.
 */
static Status body_invalid(FlowTx *tx, Str type, const Err *said, Err *err)
{
    Str detail = type;
    int n = 0;
    for (const Issue *i = said->first; i && n < 3; i = i->next, n++) {
        detail = arena_cat(tx->arena, detail, STR("; "), i->where, STR(" "), i->en);
    }
    log_warn("flow", "a pathway made an invalid %.*s", STR_ARG(type));
    return flow_refuse(err, FLOW_RULE_TEMPLATE_INVALID, STR_NONE, detail);
}

static Status body_check(FlowTx *tx, Str type, Str body, TxDoc *ret, Err *err)
{
    Err said;
    err_init(&said, tx->arena);
    if (json_parse(tx->arena, body, &JSON_LIMITS_FHIR, &ret->doc, &said) != OK ||
        fhir_body_check(&ret->doc, &said) != OK ||
        fhir_validate(&ret->doc, JSON_ROOT, type, &said) != OK) {
        return body_invalid(tx, type, &said, err);
    }
    ret->there = ret->pending = true;
    return OK;
}

Status flow_tx_create(FlowTx *tx, Str type, Str id, Str body, Err *err)
{
    TxDoc *x = arena_new(tx->arena, TxDoc);
    TRY(body_check(tx, type, body, x, err));
    TRY(store_batch_create(tx->batch, type, id, body, NULL, err));
    map_put(&tx->docs, arena_cat(tx->arena, type, STR("/"), id), x);
    return OK;
}

static Status flow_tx_update(FlowTx *tx, Str reference, Str body, Err *err)
{
    Str type, id;
    TxDoc *x = doc_get(tx, reference, &type, &id);
    if (!x || !x->there) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE, reference);
    }
    if (!x->pending) {
        store_batch_require_version(tx->batch, type, id, x->vid);
    }
    TxDoc *fresh = arena_new(tx->arena, TxDoc);
    *fresh = *x;
    TRY(body_check(tx, type, body, fresh, err));
    TRY(store_batch_update(tx->batch, type, id, body, STR_NONE, err));
    map_put(&tx->docs, arena_cat(tx->arena, type, STR("/"), id), fresh);
    return OK;
}

Status flow_tx_change(FlowTx *tx, Str reference, const JsonDoc *set, JsonRef members, Err *err)
{
    const JsonDoc *old = flow_tx_read(tx, reference, NULL);
    if (!old) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE, reference);
    }
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    for (JsonIter it = json_iter(old, JSON_ROOT); json_next(&it);) {
        JsonRef with = json_get(set, members, it.key);
        if (with == JSON_NONE) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(old, it.value));
        } else if (json_type(set, with) != JSON_NULL) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(set, with));
        }
    }
    for (JsonIter it = json_iter(set, members); json_next(&it);) {
        if (json_get(old, JSON_ROOT, it.key) == JSON_NONE &&
            json_type(set, it.value) != JSON_NULL) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(set, it.value));
        }
    }
    Str body = json_end(&w, '}', tx->arena);
    return flow_tx_update(tx, reference, body, err);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

Status flow_tx_case(FlowTx *tx, Str reference, FlowCase **ret, Err *err)
{
    for (size_t i = 0; i < tx->cases_n; i++) {
        if (str_eq(tx->cases[i]->reference, reference)) {
            *ret = tx->cases[i];
            return OK;
        }
    }
    Str vid = STR_NONE;
    const JsonDoc *d = flow_tx_read(tx, reference, &vid);
    const FlowPackage *pkg =
        d ? flow_package_canonical(tx->flow, json_str_at(d, JSON_ROOT, "instantiatesCanonical"))
          : NULL;
    FlowCase *c = arena_new(tx->arena, FlowCase);
    if (!pkg || !flow_case_pathway(d).n || tx->cases_n == FLOW_CASES_MAX ||
        !flow_case_read(tx->arena, d, vid, pkg, c)) {
        return flow_refuse(err, FLOW_RULE_CASE_UNKNOWN, STR_NONE, reference);
    }
    tx->cases[tx->cases_n++] = c;
    *ret = c;
    return OK;
}

FlowCase *flow_tx_case_new(FlowTx *tx, const FlowPackage *pkg, Err *err)
{
    if (tx->cases_n == FLOW_CASES_MAX) {
        (void)flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE, STR("cases"));
        return NULL;
    }
    FlowCase *c = arena_new(tx->arena, FlowCase);
    c->pkg = pkg;
    c->id = flow_tx_new_id(tx);
    c->reference = arena_cat(tx->arena, STR("Task/"), c->id);
    c->authored = c->started = time_iso(tx->arena, tx->now_ms, tx->zone_min);
    c->touched = true;
    tx->cases[tx->cases_n++] = c;
    return c;
}

void flow_tx_grant(FlowTx *tx, const FlowCase *c, Str organization)
{
    FhirRef patient = fhir_ref_parse(c->patient);
    if (organization.n && str_is(patient.type, "Patient")) {
        store_batch_grant(tx->batch, organization, patient.id, STR("case"), c->reference,
                          tx->now_ms, TIME_FOREVER);
    }
}

/* Closed: grants end, but for the tails that were promised. */
static void case_end(FlowTx *tx, FlowCase *c)
{
    c->deadline_n = 0;
    c->claimant = STR_NONE;
    if (!c->ended.n) {
        c->ended = time_iso(tx->arena, tx->now_ms, tx->zone_min);
    }
    FhirRef patient = fhir_ref_parse(c->patient);
    store_batch_grant_end(tx->batch, c->reference, tx->now_ms + c->end_tail_ms);
    for (size_t i = 0; i < c->tail_n; i++) {
        int64_t seconds;
        if (str_to_i64(c->tail[i].reference, &seconds)) {
            store_batch_grant(tx->batch, c->tail[i].name, patient.id, STR("case"), c->reference,
                              tx->now_ms, tx->now_ms + seconds * MS_SECOND);
        }
    }
}

static void timers_put(FlowTx *tx, const FlowCase *c)
{
    if (c->vid.n) {
        store_batch_timer_clear(tx->batch, c->reference, STR_NONE);
    }
    for (size_t i = 0; i < c->deadline_n; i++) {
        const FlowDeadline *x = &c->deadline[i];
        if (x->action.n && !x->fired) {
            store_batch_timer_set(tx->batch, c->reference, x->name, x->due_ms);
        }
    }
}

static Status case_put(FlowTx *tx, FlowCase *c, Err *err)
{
    if (c->pkg->state[c->state].end) {
        case_end(tx, c);
    } else {
        c->ended = STR_NONE;
    }
    timers_put(tx, c);
    Str body = flow_case_write(tx->arena, c, tx->now_ms, tx->zone_min);
    return c->vid.n ? flow_tx_update(tx, c->reference, body, err)
                    : flow_tx_create(tx, STR("Task"), c->id, body, err);
}

Status flow_tx_cases_put(FlowTx *tx, Err *err)
{
    for (size_t i = 0; i < tx->cases_n; i++) {
        if (tx->cases[i]->touched) {
            TRY(case_put(tx, tx->cases[i], err));
        }
    }
    return OK;
}

/* 1, 2, 3 … of the hub; N-SITE and N-SITE-EPOCH elsewhere. */
Str flow_next_vid(Arena *a, Str vid)
{
    Str number, rest;
    int64_t n = 0;
    bool cut = str_cut(vid, '-', &number, &rest);
    if (!str_to_i64(number, &n)) {
        n = 0;
    }
    return arena_printf(a, "%lld%s%.*s", (long long)n + 1, cut ? "-" : "", STR_ARG(rest));
}
