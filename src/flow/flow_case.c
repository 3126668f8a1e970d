/* A case between two forms: the Task in the log and the struct that effects change. */
#include "fhir_write.h"
#include "flow_inner.h"

/* ---- Reading --------------------------------------------------------------------------------- */

Str flow_coding_code(const JsonDoc *d, JsonRef concept, const char *system)
{
    for (JsonIter it = json_iter(d, json_get_c(d, concept, "coding")); json_next(&it);) {
        if (str_starts(json_str_at(d, it.value, "system"), str_from_c(system))) {
            return json_str_at(d, it.value, "code");
        }
    }
    return STR_NONE;
}

Str flow_case_pathway(const JsonDoc *doc)
{
    if (!str_is(json_str_at(doc, JSON_ROOT, "resourceType"), "Task")) {
        return STR_NONE;
    }
    JsonRef code = json_get_c(doc, JSON_ROOT, "code");
    for (JsonIter it = json_iter(doc, json_get_c(doc, code, "coding")); json_next(&it);) {
        if (str_is(json_str_at(doc, it.value, "system"), FLOW_SYSTEM_PATHWAY)) {
            return json_str_at(doc, it.value, "code");
        }
    }
    return STR_NONE;
}

/* The value of a nested extension. */
static JsonRef flow_extension_part(const JsonDoc *d, JsonRef extension, const char *url,
                                   const char *key)
{
    for (JsonIter it = json_iter(d, json_get_c(d, extension, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), url)) {
            return json_get_c(d, it.value, key);
        }
    }
    return JSON_NONE;
}

bool flow_deadline_read(const JsonDoc *d, JsonRef e, FlowDeadline *ret)
{
    FlowDeadline x = {.name = json_str(d, flow_extension_part(d, e, "name", "valueCode")),
                      .action = json_str(d, flow_extension_part(d, e, "action", "valueCode")),
                      .level = json_str(d, flow_extension_part(d, e, "level", "valueCode")),
                      .fired = json_is_true(d, flow_extension_part(d, e, "fired", "valueBoolean"))};
    if (!time_parse(json_str(d, flow_extension_part(d, e, "due", "valueDateTime")), 0, &x.due_ms)) {
        return false;
    }
    *ret = x;
    return true;
}

static void extension_read(FlowCase *c, const JsonDoc *d, JsonRef e)
{
    Str url = json_str_at(d, e, "url");
    if (str_is(url, FLOW_EXT_DEADLINE) && c->deadline_n < FLOW_LIST_MAX) {
        c->deadline_n += flow_deadline_read(d, e, &c->deadline[c->deadline_n]) ? 1 : 0;
    } else if (str_is(url, FLOW_EXT_CLAIMANT)) {
        JsonRef who = flow_extension_part(d, e, "who", "valueReference");
        c->claimant = json_str_at(d, who, "reference");
        c->claimant_name = json_str_at(d, who, "display");
        time_parse(json_str(d, flow_extension_part(d, e, "until", "valueDateTime")), 0,
                   &c->claimed_until_ms);
    } else if (str_is(url, FLOW_EXT_TAIL) && c->tail_n < FLOW_LIST_MAX) {
        c->tail[c->tail_n++] =
            (FlowNamed){json_str(d, flow_extension_part(d, e, "to", "valueString")),
                        json_number(d, flow_extension_part(d, e, "seconds", "valueDecimal"))};
    }
}

static void named_read(const JsonDoc *d, JsonRef list, const char *system, FlowNamed *out,
                       size_t *n)
{
    for (JsonIter it = json_iter(d, list); json_next(&it) && *n < FLOW_LIST_MAX;) {
        Str name = flow_coding_code(d, json_get_c(d, it.value, "type"), system);
        Str reference = json_str_at(d, it.value, "valueReference.reference");
        if (name.n && reference.n) {
            out[(*n)++] = (FlowNamed){name, reference};
        }
    }
}

/* Members that the engine writes itself; all others are carried along. */
static const char *const KEPT[] = {"resourceType",
                                   "id",
                                   "meta",
                                   "extension",
                                   "instantiatesCanonical",
                                   "groupIdentifier",
                                   "partOf",
                                   "status",
                                   "intent",
                                   "priority",
                                   "businessStatus",
                                   "code",
                                   "focus",
                                   "for",
                                   "authoredOn",
                                   "lastModified",
                                   "executionPeriod",
                                   "requester",
                                   "owner",
                                   "restriction",
                                   "input",
                                   "output"};

static bool is_kept(Str key)
{
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
        if (str_is(key, KEPT[i])) {
            return true;
        }
    }
    return false;
}

static Str extra_read(Arena *a, const JsonDoc *d)
{
    Buf out;
    buf_init(&out, 0);
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        if (!is_kept(it.key)) {
            buf_c(&out, out.n ? "," : "");
            buf_json_str(&out, it.key);
            buf_char(&out, ':');
            buf_add(&out, json_raw(d, it.value));
        }
    }
    return buf_take(&out, a);
}

bool flow_case_read(Arena *a, const JsonDoc *d, Str vid, const FlowPackage *pkg, FlowCase *ret)
{
    JsonRef status = json_get_c(d, JSON_ROOT, "businessStatus");
    *ret = (FlowCase){
        .pkg = pkg, .id = json_str_at(d, JSON_ROOT, "id"), .vid = vid, .doc = (JsonDoc *)d};
    ret->reference = arena_cat(a, STR("Task/"), ret->id);
    ret->state = flow_state_index(pkg, flow_coding_code(d, status, FLOW_SYSTEM_STATE));
    ret->patient = json_str_at(d, JSON_ROOT, "for.reference");
    ret->patient_name = json_str_at(d, JSON_ROOT, "for.display");
    ret->requester = json_str_at(d, JSON_ROOT, "requester.reference");
    ret->requester_name = json_str_at(d, JSON_ROOT, "requester.display");
    ret->owner = json_str_at(d, JSON_ROOT, "owner.reference");
    ret->owner_name = json_str_at(d, JSON_ROOT, "owner.display");
    ret->focus = json_str_at(d, JSON_ROOT, "focus.reference");
    ret->priority = json_str_at(d, JSON_ROOT, "priority");
    ret->group = json_str_at(d, JSON_ROOT, "groupIdentifier.value");
    ret->part_of = json_str_at(d, JSON_ROOT, "partOf.0.reference");
    ret->authored = json_str_at(d, JSON_ROOT, "authoredOn");
    ret->started = json_str_at(d, JSON_ROOT, "executionPeriod.start");
    ret->ended = json_str_at(d, JSON_ROOT, "executionPeriod.end");
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "extension")); json_next(&it);) {
        extension_read(ret, d, it.value);
    }
    named_read(d, json_get_c(d, JSON_ROOT, "input"), FLOW_SYSTEM_FORM, ret->input, &ret->input_n);
    named_read(d, json_get_c(d, JSON_ROOT, "output"), FLOW_SYSTEM_HELD, ret->held, &ret->held_n);
    ret->extra = extra_read(a, d);
    return ret->state >= 0;
}

/* ---- Looking and changing -------------------------------------------------------------------- */

Str flow_case_held(const FlowCase *c, Str name)
{
    for (size_t i = 0; i < c->held_n; i++) {
        if (str_eq(c->held[i].name, name)) {
            return c->held[i].reference;
        }
    }
    return STR_NONE;
}

void flow_case_drop(FlowCase *c, Str name)
{
    for (size_t i = 0; i < c->held_n; i++) {
        if (str_eq(c->held[i].name, name)) {
            memmove(&c->held[i], &c->held[i + 1], (c->held_n - i - 1) * sizeof c->held[0]);
            c->held_n--;
            return;
        }
    }
}

bool flow_case_hold(FlowCase *c, Str name, Str reference)
{
    flow_case_drop(c, name);
    if (c->held_n == FLOW_LIST_MAX) {
        return false;
    }
    c->held[c->held_n++] = (FlowNamed){name, reference};
    return true;
}

FlowDeadline *flow_case_deadline(FlowCase *c, Str name)
{
    for (size_t i = 0; i < c->deadline_n; i++) {
        if (str_eq(c->deadline[i].name, name)) {
            return &c->deadline[i];
        }
    }
    return NULL;
}

const FlowDeadline *flow_case_due(const FlowCase *c)
{
    const FlowDeadline *first = NULL;
    for (size_t i = 0; i < c->deadline_n; i++) {
        if (!first || c->deadline[i].due_ms < first->due_ms) {
            first = &c->deadline[i];
        }
    }
    return first;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void part_begin(JsonWriter *w, const char *url)
{
    json_open(w, '{');
    json_member_c(w, "url", url);
}

static void part_str(JsonWriter *w, const char *url, const char *key, Str value)
{
    if (value.n) {
        part_begin(w, url);
        json_member_str(w, key, value);
        json_close(w, '}');
    }
}

static void extension_begin(JsonWriter *w, const char *url)
{
    part_begin(w, url);
    json_key_open(w, "extension", '[');
}

static void extension_end(JsonWriter *w)
{
    json_close(w, ']');
    json_close(w, '}');
}

static void claimant_put(Arena *a, JsonWriter *w, const FlowCase *c, int zone_min)
{
    if (!c->claimant.n) {
        return;
    }
    extension_begin(w, FLOW_EXT_CLAIMANT);
    part_begin(w, "who");
    fhir_reference_put(w, "valueReference", c->claimant, c->claimant_name);
    json_close(w, '}');
    part_str(w, "until", "valueDateTime", time_iso(a, c->claimed_until_ms, zone_min));
    extension_end(w);
}

static void deadline_put(Arena *a, JsonWriter *w, const FlowDeadline *x, int zone_min)
{
    extension_begin(w, FLOW_EXT_DEADLINE);
    part_str(w, "name", "valueCode", x->name);
    part_str(w, "due", "valueDateTime", time_iso(a, x->due_ms, zone_min));
    part_str(w, "level", "valueCode", x->level);
    part_str(w, "action", "valueCode", x->action);
    if (x->fired) {
        part_begin(w, "fired");
        json_member_bool(w, "valueBoolean", true);
        json_close(w, '}');
    }
    extension_end(w);
}

static void tail_put(JsonWriter *w, const FlowNamed *tail)
{
    extension_begin(w, FLOW_EXT_TAIL);
    part_str(w, "to", "valueString", tail->name);
    part_begin(w, "seconds");
    json_key(w, "valueDecimal");
    json_put_raw(w, tail->reference);
    json_close(w, '}');
    extension_end(w);
}

static void extensions_put(Arena *a, JsonWriter *w, const FlowCase *c, int zone_min)
{
    json_key_open(w, "extension", '[');
    for (size_t i = 0; i < c->step_n; i++) {
        part_str(w, FLOW_EXT_STEP, "valueCode", c->step[i]);
    }
    claimant_put(a, w, c, zone_min);
    for (size_t i = 0; i < c->deadline_n; i++) {
        deadline_put(a, w, &c->deadline[i], zone_min);
    }
    for (size_t i = 0; i < c->tail_n; i++) {
        tail_put(w, &c->tail[i]);
    }
    json_close(w, ']');
}

static void named_put(JsonWriter *w, const char *key, const char *system, const FlowNamed *list,
                      size_t n)
{
    if (!n) {
        return;
    }
    json_key_open(w, key, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(w, '{');
        fhir_concept_put(w, "type", str_from_c(system), list[i].name, STR_NONE);
        fhir_reference_put(w, "valueReference", list[i].reference, STR_NONE);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void group_put(JsonWriter *w, const FlowCase *c)
{
    if (c->group.n) {
        json_key_open(w, "groupIdentifier", '{');
        json_member_c(w, "system", FLOW_SYSTEM_EPISODE);
        json_member_str(w, "value", c->group);
        json_close(w, '}');
    }
    if (c->part_of.n) {
        json_key_open(w, "partOf", '[');
        fhir_reference_put(w, NULL, c->part_of, STR_NONE);
        json_close(w, ']');
    }
}

static void times_put(Arena *a, JsonWriter *w, const FlowCase *c, int64_t now_ms, int zone_min)
{
    json_key_open(w, "executionPeriod", '{');
    json_member_str(w, "start", c->started);
    json_member_str(w, "end", c->ended);
    json_close(w, '}');
    json_member_str(w, "authoredOn", c->authored);
    json_member_str(w, "lastModified", time_iso(a, now_ms, zone_min));
}

static void restriction_put(Arena *a, JsonWriter *w, const FlowCase *c, int zone_min)
{
    const FlowDeadline *due = flow_case_due(c);
    if (due) {
        json_key_open(w, "restriction", '{');
        json_key_open(w, "period", '{');
        json_member_str(w, "end", time_iso(a, due->due_ms, zone_min));
        json_close(w, '}');
        json_close(w, '}');
    }
}

Str flow_case_write(Arena *a, const FlowCase *c, int64_t now_ms, int zone_min)
{
    const FlowPackage *p = c->pkg;
    const FlowState *s = &p->state[c->state];
    Buf out;
    JsonWriter w = fhir_begin(&out, "Task", c->id);
    extensions_put(a, &w, c, zone_min);
    json_member_str(&w, "instantiatesCanonical", p->canonical);
    group_put(&w, c);
    json_member_str(&w, "status", s->task);
    fhir_concept_put(&w, "businessStatus", arena_cat(a, STR(FLOW_SYSTEM_STATE), p->name), s->code,
                     s->title.zh);
    json_member_c(&w, "intent", "order");
    json_member_str(&w, "priority", c->priority);
    fhir_concept_put(&w, "code", STR(FLOW_SYSTEM_PATHWAY), p->name, p->title.zh);
    fhir_reference_put(&w, "focus", c->focus, STR_NONE);
    fhir_reference_put(&w, "for", c->patient, c->patient_name);
    times_put(a, &w, c, now_ms, zone_min);
    fhir_reference_put(&w, "requester", c->requester, c->requester_name);
    fhir_reference_put(&w, "owner", c->owner, c->owner_name);
    restriction_put(a, &w, c, zone_min);
    named_put(&w, "input", FLOW_SYSTEM_FORM, c->input, c->input_n);
    named_put(&w, "output", FLOW_SYSTEM_HELD, c->held, c->held_n);
    if (c->extra.n) {
        buf_char(&out, ',');
        buf_add(&out, c->extra);
    }
    return json_end(&w, '}', a);
}
