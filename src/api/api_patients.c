/* Which residents a write is about, whether the caller sees them, and who will after it. */
#include "api_inner.h"

#include "access_param.h"
#include "fhir_card.h"
#include "fhir_extract.h"
#include "store_persons.h"

/* The patients (ids) whose data a resource is. */
static Status api_patients_of(ApiCall *c, const JsonDoc *doc, Str type, Str id, const Str **ret,
                              size_t *ret_n, Err *err)
{
    FhirExtractEnv env = {.arena = c->arena, .zone_min = c->api->options.zone_min};
    TRY(fhir_extract_patients(doc, fhir_resource_find(type), &env, ret, ret_n, err));
    if (!str_is(type, "Patient") || *ret_n > 0 || str_empty(id)) {
        return OK;
    }
    Str *self = arena_new(c->arena, Str); /* not yet stamped with its id */
    *self = id;
    *ret = self;
    *ret_n = 1;
    return OK;
}

static bool scope_has(const ApiScope *scope, Str patient)
{
    for (size_t i = 0; i < scope->n; i++) {
        if (str_eq(scope->patient[i], patient)) {
            return true;
        }
    }
    return false;
}

static void scope_add(ApiCall *c, ApiScope *scope, Str patient)
{
    if (scope->n == scope->room) {
        size_t room = scope->room ? scope->room * 2 : 16;
        Str *more = arena_array(c->arena, Str, room);
        if (scope->n) {
            memcpy(more, scope->patient, scope->n * sizeof *more);
        }
        scope->patient = more;
        scope->room = room;
    }
    scope->patient[scope->n++] = patient;
}

/* Own organisation or one beneath it. */
static bool org_is_own(const ApiCall *c, Str org)
{
    const StoreView *view = &c->caller->view;
    for (size_t i = 0; i < view->orgs_n; i++) {
        if (str_eq(view->orgs[i], org)) {
            return true;
        }
    }
    return view->everything;
}

static bool patient_exists(ApiCall *c, Str id)
{
    StoreVersion v;
    return store_read(c->reader, c->arena, &STORE_VIEW_ALL, STR("Patient"), id, &v, NULL) == OK;
}

void api_scope_fill(ApiCall *c, ApiScope *scope, const ApiWrite *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool born = w[i].method == FHIR_METHOD_POST ||
                    (w[i].method == FHIR_METHOD_PUT && !patient_exists(c, w[i].id));
        if (str_is(w[i].type, "Patient") && w[i].id.n && born) {
            scope_add(c, scope, w[i].id);
        }
    }
}

/* Registering a visit at one's own organisation opens the record (and is audited as that). */
static bool visit_opens(ApiCall *c, const ApiWrite *w, Str patient)
{
    if (!str_is(w->type, "Encounter") || w->method != FHIR_METHOD_POST) {
        return false;
    }
    Str org = json_str_at(w->doc, JSON_ROOT, "serviceProvider.reference");
    return (str_empty(org) || org_is_own(c, org)) && patient_exists(c, patient);
}

Status api_patients_visible(ApiCall *c, const ApiWrite *w, const ApiScope *scope, Err *err)
{
    if (c->caller->view.everything) {
        return OK;
    }
    const Str *patients;
    size_t n;
    Str own = fhir_resource_id(w->doc); /* a create's id is not yet its own */
    TRY(api_patients_of(c, w->doc, w->type, w->id, &patients, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool itself =
            str_is(w->type, "Patient") && (str_eq(patients[i], w->id) || str_eq(patients[i], own));
        if (itself || scope_has(scope, patients[i]) ||
            store_patient_visible(c->reader, &c->caller->view, patients[i]) ||
            visit_opens(c, w, patients[i])) {
            continue;
        }
        return err_rule(err, ERR_NOT_FOUND, STR("not-visible"), STR_NONE,
                        "没有找到 Patient/%.*s，或您无权查看",
                        "Patient/%.*s is not known, or out of your sight", STR_ARG(patients[i]));
    }
    return OK;
}

/* ---- relations of care that a raw write makes
 * ------------------------------------------------------ */

static void grant_org(ApiCall *c, StoreBatch *b, Str org, Str patient, Str basis, Str source,
                      int64_t until_ms)
{
    if (str_starts(org, STR("Organization/"))) {
        store_batch_grant(b, org, patient, basis, source, c->caller->view.now_ms, until_ms);
    }
}

/* Into which record it was merged, as a resource says; what is not there, or a deletion, into none.
 */
static Status into_of(ApiCall *c, const StoreVersion *v, Str *ret, Err *err)
{
    JsonDoc d;
    *ret = STR_NONE;
    if (!v || str_empty(v->body)) {
        return OK;
    }
    TRY(json_parse(c->arena, v->body, &JSON_LIMITS_FHIR, &d, err));
    *ret = store_person_into(&d);
    return OK;
}

/*
 * A link that makes two records one person, or two of one, gives and takes sight as $merge does; so
 * it is for who may merge, and for both records.
 */
static Status link_change(ApiCall *c, StoreBatch *b, const ApiWrite *w, const StoreVersion *before,
                          Err *err)
{
    Str into = store_person_into(w->doc), was;
    int64_t now_ms = c->caller->view.now_ms;
    TRY(into_of(c, before, &was, err));
    if (str_eq(into, was)) {
        return OK;
    }
    if (access_may(c->caller, ACCESS_UPDATE, STR("$merge"), NULL) != OK) {
        return err_rule(err, ERR_FORBIDDEN, STR("link-by-merge"), STR("Patient.link"),
                        "合并或拆分居民记录请由有权者用 Patient/$merge、$unmerge 办理",
                        "Records are joined and taken apart by those who may, with Patient/$merge "
                        "and $unmerge");
    }
    if (was.n) {
        TRY(store_persons_part(c->reader, b, w->id, was, now_ms, err));
    }
    return into.n ? store_persons_join(c->reader, b, w->id, into, now_ms, err) : OK;
}

static Status patient_grants(ApiCall *c, StoreBatch *b, const ApiWrite *w,
                             const StoreVersion *before, Err *err)
{
    Str source = arena_cat(c->arena, STR("Patient/"), w->id);
    Str manager = json_str_at(w->doc, JSON_ROOT, "managingOrganization.reference"),
        earlier = STR_NONE;
    if (before) {
        JsonDoc old;
        TRY(json_parse(c->arena, before->body, &JSON_LIMITS_FHIR, &old, err));
        earlier = json_str_at(&old, JSON_ROOT, "managingOrganization.reference");
    } else {
        grant_org(c, b, c->caller->post.organization, w->id, STR("catchment"), source,
                  TIME_FOREVER);
    }
    if (before && earlier.n && !str_eq(manager, earlier)) { /* moved away: time to hand over */
        int64_t now_ms = c->caller->view.now_ms;
        store_batch_grant_end(b, source, now_ms + access_param(ACCESS_MOVED_SIGHT_MS, now_ms));
    }
    if (!str_eq(manager, earlier) && !(str_eq(manager, c->caller->post.organization) && !before)) {
        grant_org(c, b, manager, w->id, STR("catchment"), source, TIME_FOREVER);
    }
    return OK;
}

/* For the audit, once however often the change is prepared. */
static void visit_note(ApiCall *c, Str encounter, const Str *patients, size_t n)
{
    for (ApiVisit *v = c->visits; v; v = v->next) {
        if (str_eq(v->encounter, encounter)) {
            return;
        }
    }
    ApiVisit *v = arena_new(c->arena, ApiVisit);
    *v = (ApiVisit){c->visits, encounter, patients, n};
    c->visits = v;
}

static Status encounter_grants(ApiCall *c, StoreBatch *b, const ApiWrite *w, Err *err)
{
    Str org = json_str_at(w->doc, JSON_ROOT, "serviceProvider.reference");
    Str source = arena_cat(c->arena, STR("Encounter/"), w->id);
    const Str *patients;
    size_t n;
    int64_t now_ms = c->caller->view.now_ms;
    int64_t until_ms = now_ms + access_param(ACCESS_VISIT_SIGHT_MS, now_ms);
    TRY(api_patients_of(c, w->doc, w->type, w->id, &patients, &n, err));
    for (size_t i = 0; i < n; i++) {
        grant_org(c, b, org.n ? org : c->caller->post.organization, patients[i], STR("encounter"),
                  source, until_ms);
        api_touch(c, patients[i]);
    }
    visit_note(c, source, patients, n);
    return OK;
}

Status api_grants_add(ApiCall *c, StoreBatch *b, const ApiWrite *w, const StoreVersion *before,
                      Err *err)
{
    if (str_is(w->type, "Patient")) {
        TRY(link_change(c, b, w, before, err));
        return patient_grants(c, b, w, before, err);
    }
    return str_is(w->type, "Encounter") && !before ? encounter_grants(c, b, w, err) : OK;
}

/* ---- one ID card, one resident
 * --------------------------------------------------------------------- */

/* In whichever way it was written. */
static bool card_was_there(const JsonDoc *old, Str value)
{
    FhirCard new_room, old_room;
    Str key = fhir_card_key(STR(FHIR_CARD_SYSTEM), value, &new_room);
    for (JsonIter it = json_iter(old, json_get_c(old, JSON_ROOT, "identifier")); json_next(&it);) {
        Str system = json_str_at(old, it.value, "system");
        Str before = json_str_at(old, it.value, "value");
        if (str_is(system, FHIR_CARD_SYSTEM) &&
            str_eq(fhir_card_key(system, before, &old_room), key)) {
            return true;
        }
    }
    return false;
}

static Status card_free(ApiCall *c, StoreBatch *b, const ApiWrite *w, Str value, Err *err)
{
    const StoreHit *hit;
    size_t n;
    Buf query;
    buf_init(&query, 0);
    buf_c(&query, "identifier=" FHIR_CARD_SYSTEM "|");
    buf_url(&query, value);
    TRY(store_find(c->reader, c->arena, &STORE_VIEW_ALL, STR("Patient"), buf_take(&query, c->arena),
                   2, &hit, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(hit[i].id, w->id)) {
            return err_rule(
                err, ERR_CONFLICT, STR("duplicate-id-card"), STR("Patient.identifier"),
                "该身份证号已在县内登记，请用查重找到此人",
                "This ID card is registered in the county already; find the person by $match");
        }
    }
    if (n == 0) {
        store_batch_require_no_token(b, STR("Patient"), STR("identifier"), STR(FHIR_CARD_SYSTEM),
                                     value);
    }
    return OK;
}

Status api_id_card_free(ApiCall *c, StoreBatch *b, const ApiWrite *w, const StoreVersion *before,
                        Err *err)
{
    if (!str_is(w->type, "Patient")) {
        return OK;
    }
    JsonDoc old = {0};
    if (before) {
        TRY(json_parse(c->arena, before->body, &JSON_LIMITS_FHIR, &old, err));
    }
    const JsonDoc *d = w->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "identifier")); json_next(&it);) {
        Str value = json_str_at(d, it.value, "value");
        if (!str_is(json_str_at(d, it.value, "system"), FHIR_CARD_SYSTEM) || str_empty(value) ||
            (before && card_was_there(&old, value))) {
            continue;
        }
        TRY(card_free(c, b, w, value, err));
    }
    return OK;
}
