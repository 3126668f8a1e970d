/* A record of the trail as an R4 AuditEvent. */
#include "api_audit.h"
#include "fhir_write.h"

#define SYSTEM_TYPE   "http://terminology.hl7.org/CodeSystem/audit-event-type"
#define SYSTEM_REST   "http://hl7.org/fhir/restful-interaction"
#define SYSTEM_DICOM  "http://dicom.nema.org/resources/ontology/DCM"
#define SYSTEM_ENTITY "http://terminology.hl7.org/CodeSystem/audit-entity-type"
#define SYSTEM_ROLE   "http://terminology.hl7.org/CodeSystem/object-role"

Str api_audit_id(Arena *a, uint64_t n)
{
    return arena_printf(a, "log.%llu", (unsigned long long)n);
}

static void coding(JsonWriter *w, const char *system, Str code, const char *display)
{
    json_open(w, '{');
    json_member_c(w, "system", system);
    json_member_str(w, "code", code);
    if (display) {
        json_member_c(w, "display", display);
    }
    json_close(w, '}');
}

static void coding_member(JsonWriter *w, const char *name, const char *system, const char *code,
                          const char *display)
{
    json_key(w, name);
    coding(w, system, str_from_c(code), display);
}

/* ---- What was done ----------------------------------------------------------------------------
 */

/* The trail's own words (login, visit, torn-end …) are longer than a letter. */
static bool is_word(const TrailRecord *r)
{
    return r->action.n != 1;
}

static const char *interaction(const TrailRecord *r)
{
    switch (r->action.p[0]) {
    case 'C':
        return "create";
    case 'R':
        return str_find_char(r->what, '?') >= 0 ? "search-type" : "read";
    case 'U':
        return "update";
    case 'D':
        return "delete";
    default:
        return "operation";
    }
}

static bool is_session(const TrailRecord *r)
{
    return str_is(r->action, "login") || str_is(r->action, "logout");
}

static void kind_write(JsonWriter *w, const TrailRecord *r)
{
    if (is_session(r)) {
        coding_member(w, "type", SYSTEM_DICOM, "110114", "User Authentication");
    } else if (str_empty(r->user)) {
        coding_member(w, "type", SYSTEM_DICOM, "110100", "Application Activity");
    } else {
        coding_member(w, "type", SYSTEM_TYPE, "rest", "RESTful Operation");
    }
    json_key_open(w, "subtype", '[');
    if (is_word(r)) {
        coding(w, "urn:menkou:audit", r->action, NULL);
    } else {
        coding(w, SYSTEM_REST, str_from_c(interaction(r)), NULL);
    }
    json_close(w, ']');
    json_member_str(w, "action", is_word(r) ? STR("E") : r->action);
}

static void outcome_write(ApiCall *c, JsonWriter *w, const TrailRecord *r)
{
    json_member_c(w, "outcome", r->status < 400 ? "0" : r->status < 500 ? "4" : "8");
    json_member_str(w, "outcomeDesc", arena_printf(c->arena, "HTTP %d", r->status));
}

/* ---- Who ------------------------------------------------------------------------------------- */

static void person_write(JsonWriter *w, const TrailRecord *r)
{
    json_open(w, '{');
    if (!str_empty(r->role)) {
        fhir_concepts_put(w, "role", STR("urn:menkou:role"), r->role, STR_NONE);
    }
    if (!str_empty(r->who)) {
        fhir_reference_put(w, "who", r->who, STR_NONE);
    }
    if (!str_empty(r->user)) {
        json_member_str(w, "altId", r->user);
    } else {
        json_member_c(w, "name", "Menkou");
    }
    json_member_bool(w, "requestor", !str_empty(r->user));
    if (!str_empty(r->from)) {
        json_key_open(w, "network", '{');
        json_member_str(w, "address", r->from);
        json_member_c(w, "type", "2");
        json_close(w, '}');
    }
    json_close(w, '}');
}

static void agents_write(JsonWriter *w, const TrailRecord *r)
{
    json_key_open(w, "agent", '[');
    person_write(w, r);
    if (!str_empty(r->org)) {
        json_open(w, '{');
        fhir_reference_put(w, "who", r->org, STR_NONE);
        json_member_bool(w, "requestor", false);
        json_close(w, '}');
    }
    if (!str_empty(r->app)) {
        json_open(w, '{');
        json_member_str(w, "altId", r->app);
        json_member_bool(w, "requestor", false);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void source_write(ApiCall *c, JsonWriter *w)
{
    json_key_open(w, "source", '{');
    json_key_open(w, "observer", '{');
    json_key_open(w, "identifier", '{');
    json_member_c(w, "system", "urn:menkou:database");
    json_member_str(w, "value", store_database(c->api->store));
    json_close(w, '}');
    json_member_c(w, "display", "Menkou");
    json_close(w, '}');
    json_close(w, '}');
}

/* ---- What it was done to ----------------------------------------------------------------------
 */

static void entity_kind(JsonWriter *w, const char *type, const char *role)
{
    coding_member(w, "type", SYSTEM_ENTITY, type, NULL);
    coding_member(w, "role", SYSTEM_ROLE, role, NULL);
}

/* "Type/id" at the end of a path or of "act:… Task/77"; empty if it is something else. */
static Str resource_named(Arena *a, Str what)
{
    Str before, last = what, type, id, rest;
    while (str_cut(last, ' ', &before, &rest)) {
        last = rest;
    }
    last = str_starts(last, STR("/fhir/")) ? str_skip(last, 6) : last;
    if (!str_cut(last, '/', &type, &rest) || !fhir_resource_find(type)) {
        return STR_NONE;
    }
    id = rest;
    (void)str_cut(rest, '/', &id, &before);
    return str_empty(id) || id.p[0] == '$' || id.p[0] == '_' ? STR_NONE
                                                             : arena_cat(a, type, STR("/"), id);
}

static void target_write(ApiCall *c, JsonWriter *w, const TrailRecord *r)
{
    Str named = resource_named(c->arena, r->what);
    json_open(w, '{');
    if (!str_empty(named)) {
        fhir_reference_put(w, "what", named, STR_NONE);
        entity_kind(w, "2", "4");
        json_member_str(w, "description", r->what);
    } else if (str_find_char(r->what, '?') >= 0) {
        entity_kind(w, "2", "24");
        json_member_str(w, "description", r->what);
        json_member_str(w, "query", base64_encode(c->arena, r->what, false));
    } else {
        entity_kind(w, "2", "4");
        json_member_str(w, "name", r->what);
    }
    if (!str_empty(r->request)) {
        json_key_open(w, "detail", '[');
        json_open(w, '{');
        json_member_c(w, "type", "request");
        json_member_str(w, "valueString", r->request);
        json_close(w, '}');
        json_close(w, ']');
    }
    json_close(w, '}');
}

static void entities_write(ApiCall *c, JsonWriter *w, const TrailRecord *r)
{
    if (str_empty(r->what) && r->patients_n == 0) {
        return;
    }
    json_key_open(w, "entity", '[');
    if (!str_empty(r->what)) {
        target_write(c, w, r);
    }
    for (size_t i = 0; i < r->patients_n; i++) {
        json_open(w, '{');
        fhir_reference_put(w, "what", arena_cat(c->arena, STR("Patient/"), r->patients[i]),
                           STR_NONE);
        entity_kind(w, "1", "1");
        json_close(w, '}');
    }
    json_close(w, ']');
}

Str api_audit_event(ApiCall *c, const TrailRecord *r)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    Str at = time_iso(c->arena, r->at_ms, c->api->options.zone_min);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "AuditEvent");
    json_member_str(&w, "id", api_audit_id(c->arena, r->n));
    kind_write(&w, r);
    json_member_str(&w, "recorded", at);
    outcome_write(c, &w, r);
    agents_write(&w, r);
    source_write(c, &w);
    entities_write(c, &w, r);
    return json_end(&w, '}', c->arena);
}
