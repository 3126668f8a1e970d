/*
 * Stories: a package's own test. Who does what and when against an in-memory store with a clock
 * that stands still, what must follow and what must be refused.
 */
#include <stdlib.h>

#include "ecg_synth.h"
#include "ecg_write.h"
#include "flow_story_inner.h"
#include "store_binary.h"

/* ---- Saying ---------------------------------------------------------------------------------- */

void story_fail(Story *s, const char *fmt, ...)
{
    char text[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_printf(s->report, "%.*s step %d: %s\n", STR_ARG(s->package), s->step, text);
    s->result.failed++;
}

Str story_reason(const Err *err)
{
    return err->first ? err->first->en : STR("no reason given");
}

/* ---- The stage ------------------------------------------------------------------------------- */

Person *story_person(Story *s, Str name)
{
    for (size_t i = 0; i < s->person_n; i++) {
        if (str_eq(s->person[i].name, name)) {
            return &s->person[i];
        }
    }
    return NULL;
}

Str story_case(const Story *s, Str name)
{
    for (size_t i = s->named_n; i-- > 0;) {
        if (str_eq(s->named[i].name, name)) {
            return s->named[i].id;
        }
    }
    return STR_NONE;
}

void story_name(Story *s, Str name, Str id)
{
    if (name.n && s->named_n < NAMES_MAX) {
        s->named[s->named_n++] = (Named){name, arena_str(&s->arena, id)};
    }
}

static StoreBatch *stage_batch(Story *s)
{
    StoreAuthor author = {STR("system"), STR("system"), STR_NONE};
    return store_batch_new(s->store, &s->arena, &author, STR("story"));
}

static Status stage_put(Story *s, StoreBatch *b, Str type, Str id, Str body, Err *err)
{
    JsonDoc d;
    TRY(json_parse(&s->arena, body, &JSON_LIMITS_FHIR, &d, err));
    TRY(fhir_validate(&d, JSON_ROOT, type, err));
    TRY(store_batch_update(b, type, id, body, STR_NONE, err));
    Str home = json_str_at(&d, JSON_ROOT, "managingOrganization.reference");
    if (str_is(type, "Patient") && home.n) {
        store_batch_grant(b, home, id, STR("catchment"), arena_cat(&s->arena, STR("Patient/"), id),
                          0, TIME_FOREVER);
    }
    return OK;
}

static Str role_coding(Arena *a, const char *system, Str code)
{
    return arena_cat(a, STR("{\"coding\":[{\"system\":\""), str_from_c(system),
                     STR("\",\"code\":\""), code, STR("\"}]}"));
}

/* A Practitioner and a post for each person of the story. */
static Status person_put(Story *s, StoreBatch *b, Str name, JsonRef at, Err *err)
{
    Arena *a = &s->arena;
    const JsonDoc *d = s->doc;
    Str role = json_str_at(d, at, "role"), org = json_str_at(d, at, "organization");
    Str codes = role_coding(a, FLOW_SYSTEM_ROLE, role);
    for (JsonIter it = json_iter(d, json_get_c(d, at, "function")); json_next(&it);) {
        codes = arena_cat(a, codes, STR(","),
                          role_coding(a, FLOW_SYSTEM_FUNCTION, json_str(d, it.value)));
    }
    Str person = arena_cat(a, STR("{\"resourceType\":\"Practitioner\",\"id\":\""), name,
                           STR("\",\"name\":[{\"text\":\""), name, STR("\"}]}"));
    Str post = arena_cat(a, STR("{\"resourceType\":\"PractitionerRole\",\"id\":\""), name,
                         STR("\",\"active\":true,\"practitioner\":{\"reference\":\"Practitioner/"),
                         name, STR("\"},\"organization\":{\"reference\":\""), org,
                         STR("\"},\"code\":["), codes, STR("]}"));
    TRY(stage_put(s, b, STR("Practitioner"), name, person, err));
    return stage_put(s, b, STR("PractitionerRole"), name, post, err);
}

static Status person_enter(Story *s, Str name, JsonRef at, Err *err)
{
    Arena *a = &s->arena;
    if (s->person_n == PEOPLE_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR("people"), "人物过多", "Too many people");
    }
    Person *p = &s->person[s->person_n++];
    AccessCaller *c = &p->caller;
    Str *orgs = NULL;
    size_t n = 0;
    p->name = name;
    c->username = c->name = name;
    c->practitioner = arena_cat(a, STR("Practitioner/"), name);
    c->post.post = arena_cat(a, STR("PractitionerRole/"), name);
    c->post.role = json_str_at(s->doc, at, "role");
    c->post.organization = json_str_at(s->doc, at, "organization");
    c->posts = &c->post;
    c->posts_n = 1;
    c->lang = LANG_ZH;
    c->integrator = str_is(c->post.role, "integrator");
    TRY(access_subtree(s->reader, a, c->post.organization, &orgs, &n, err));
    c->view = (StoreView){.everything = c->integrator,
                          .clinical = true,
                          .orgs = orgs,
                          .orgs_n = n,
                          .person = c->practitioner};
    return OK;
}

static Status stage_set(Story *s, Err *err)
{
    const JsonDoc *d = s->doc;
    StoreBatch *b = stage_batch(s);
    StoreReceipt receipt;
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "resources")); json_next(&it);) {
        TRY(stage_put(s, b, json_str_at(d, it.value, "resourceType"),
                      json_str_at(d, it.value, "id"), json_raw(d, it.value), err));
    }
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "people")); json_next(&it);) {
        TRY(person_put(s, b, it.key, it.value, err));
    }
    TRY(store_commit(b, &receipt, err));
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "people")); json_next(&it);) {
        TRY(person_enter(s, it.key, it.value, err));
    }
    return OK;
}

Status story_put(Story *s, const JsonDoc *d, JsonRef resource, Err *err)
{
    StoreBatch *b = stage_batch(s);
    StoreReceipt receipt;
    TRY(stage_put(s, b, json_str_at(d, resource, "resourceType"), json_str_at(d, resource, "id"),
                  json_raw(d, resource), err));
    return store_commit(b, &receipt, err);
}

/* params.json with the values of some keys replaced. */
static Status params_text(Story *s, Str text, JsonRef values, Str *ret, Err *err)
{
    JsonDoc d;
    TRY(json_parse(&s->arena, text, &JSON_LIMITS_FHIR, &d, err));
    JsonSplice *splice = arena_array(&s->arena, JsonSplice, json_count(&d, JSON_ROOT) + 1);
    size_t n = 0;
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it);) {
        JsonRef with = json_get(s->doc, values, json_str_at(&d, it.value, "key"));
        JsonRef at = json_get_c(&d, it.value, "value");
        if (with != JSON_NONE && at != JSON_NONE) {
            splice[n++] = (JsonSplice){d.tok[at].at, d.tok[at].end, json_raw(s->doc, with)};
        }
    }
    *ret = json_splice(&s->arena, text, splice, n);
    return OK;
}

static Status source_params(Story *s, FlowPackageSource *source, JsonRef values, Err *err)
{
    Str *contents = arena_array(&s->arena, Str, source->files_n + 1);
    for (size_t k = 0; k < source->files_n; k++) {
        contents[k] = source->contents[k];
        if (str_is(source->paths[k], "params.json")) {
            TRY(params_text(s, source->contents[k], values, &contents[k], err));
        }
    }
    source->contents = contents;
    return OK;
}

Status story_params(Story *s, JsonRef values, Err *err)
{
    for (size_t i = 0; i < s->sources_n; i++) {
        if (str_eq(s->sources[i].name, s->package)) {
            TRY(source_params(s, &s->sources[i], values, err));
        }
    }
    flow_close(s->flow);
    s->flow = NULL;
    return flow_open_with(s->store, s->sources, s->sources_n, false, &s->flow, err);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static bool synth_kind(Str name, EcgSynthKind *ret)
{
    if (str_is(name, "stemi")) {
        name = STR("stemi-inferior");
    }
    for (int k = 0; k < ECG_SYNTH_KINDS; k++) {
        if (str_is(name, ecg_synth_name((EcgSynthKind)k))) {
            *ret = (EcgSynthKind)k;
            return true;
        }
    }
    return false;
}

static Status recording_bytes(Story *s, Str kind, Str *ret, Err *err)
{
    EcgSynthKind k;
    EcgRecording recording;
    Buf out;
    if (!synth_kind(kind, &k)) {
        return err_add(err, ERR_INVALID, NULL, STR("ecg"), "未知的心电类型",
                       "unknown kind of recording");
    }
    ecg_synth(&s->scratch, 7, k, &recording);
    buf_init(&out, 0);
    Status status = ecg_write_scp(&out, &recording, err);
    *ret = buf_take(&out, &s->scratch);
    return status;
}

/* {"ecg": kind} and {"bytes": text} become a Binary of the person and an Attachment that names it.
 */
static Status attachment_put(Story *s, const Person *p, JsonRef at, Buf *out, Err *err)
{
    Arena *a = &s->scratch;
    Str bytes = json_str_at(s->doc, at, "bytes"), ecg = json_str_at(s->doc, at, "ecg"),
        id = STR_NONE;
    Str title = json_str_at(s->doc, at, "title");
    StoreAuthor author = access_author(&p->caller);
    StoreBatch *b = store_batch_new(s->store, a, &author, STR("POST Binary"));
    StoreReceipt receipt;
    if (ecg.n) {
        TRY(recording_bytes(s, ecg, &bytes, err));
    }
    TRY(store_binary_put(b, s->store, a, STR_NONE, STR("application/octet-stream"), bytes, STR_NONE,
                         &id, err));
    TRY(store_commit(b, &receipt, err));
    buf_c(out, "{\"contentType\":\"application/octet-stream\",\"url\":\"Binary/");
    buf_add(out, id);
    buf_c(out, "\",\"title\":");
    buf_json_str(out, title.n ? title : STR("recording.scp"));
    buf_char(out, '}');
    return OK;
}

static Status answer_copy(Story *s, const Person *p, JsonRef at, Buf *out, Err *err)
{
    const JsonDoc *d = s->doc;
    if (json_get_c(d, at, "ecg") != JSON_NONE || json_get_c(d, at, "bytes") != JSON_NONE) {
        return attachment_put(s, p, at, out, err);
    }
    if (json_type(d, at) != JSON_ARRAY) {
        buf_add(out, json_raw(d, at));
        return OK;
    }
    buf_char(out, '[');
    for (JsonIter it = json_iter(d, at); json_next(&it);) {
        buf_c(out, it.index ? "," : "");
        TRY(answer_copy(s, p, it.value, out, err));
    }
    buf_char(out, ']');
    return OK;
}

/* The flat answers with attachments stored. */
Status story_answers(Story *s, const Person *p, JsonRef answers, JsonDoc *ret, Err *err)
{
    Buf out;
    buf_init(&out, 0);
    buf_char(&out, '{');
    Status status = OK;
    for (JsonIter it = json_iter(s->doc, answers); json_next(&it) && status == OK;) {
        buf_c(&out, it.index ? "," : "");
        buf_json_str(&out, it.key);
        buf_char(&out, ':');
        status = answer_copy(s, p, it.value, &out, err);
    }
    buf_char(&out, '}');
    Str text = buf_take(&out, &s->scratch);
    return status == OK ? json_parse(&s->scratch, text, &JSON_LIMITS_FHIR, ret, err) : status;
}

/* ---- Running --------------------------------------------------------------------------------- */

static Status story_read(Story *s, const FlowPackageSource *source, JsonDoc *ret, Err *err)
{
    for (size_t i = 0; i < source->files_n; i++) {
        if (str_is(source->paths[i], "story.json")) {
            Str bytes = arena_str(&s->arena, source->contents[i]);
            return json_parse(&s->arena, bytes, &JSON_LIMITS_FHIR, ret, err);
        }
    }
    return err_add(err, ERR_INVALID, NULL, source->name, "缺少 story.json",
                   "story.json is missing");
}

static Status story_open(Story *s, const FlowPackageSource *sources, size_t n, Err *err)
{
    StoreOptions options = {
        .clock = &s->clock, .random = &s->random, .zone_min = ZONE_CHINA_MIN, .bulk = true};
    int64_t now;
    if (!time_parse(json_str_at(s->doc, JSON_ROOT, "now"), ZONE_CHINA_MIN, &now)) {
        return err_add(err, ERR_INVALID, NULL, STR("story.json: $.now"), "now 缺失或有误",
                       "now is missing or malformed");
    }
    clock_init_fixed(&s->clock, now);
    random_init_seed(&s->random, 1);
    TRY(store_open(&options, &s->store, err));
    TRY(store_reader_open(s->store, &s->reader, err));
    TRY(store_setting_put(s->store, STR(FLOW_SETTING_REGION),
                          json_str_at(s->doc, JSON_ROOT, "region"), err));
    s->sources = arena_array(&s->arena, FlowPackageSource, n);
    memcpy(s->sources, sources, n * sizeof *sources);
    s->sources_n = n;
    TRY(flow_open_with(s->store, s->sources, n, false, &s->flow, err));
    return stage_set(s, err);
}

static void story_close(Story *s)
{
    flow_close(s->flow);
    if (s->reader) {
        store_reader_close(s->reader);
    }
    if (s->store) {
        store_close(s->store);
    }
    arena_done(&s->scratch);
    arena_done(&s->arena);
}

static void story_play(Story *s)
{
    JsonRef steps = json_get_c(s->doc, JSON_ROOT, "steps");
    for (JsonIter it = json_iter(s->doc, steps); json_next(&it);) {
        s->step = (int)it.index + 1;
        s->result.steps++;
        story_step(s, it.value);
        arena_reset(&s->scratch);
    }
    if (!s->result.steps) {
        story_fail(s, "the story has no steps");
    }
}

static const FlowPackageSource *source_named(const FlowPackageSource *sources, size_t n, Str name)
{
    for (size_t i = n; i-- > 0;) {
        if (str_eq(sources[i].name, name)) {
            return &sources[i];
        }
    }
    return NULL;
}

Status flow_story(const FlowPackageSource *sources, size_t n, Str package,
                  FlowStoryFigures *figures, Buf *report, FlowStoryResult *ret, Err *err)
{
    const FlowPackageSource *source = source_named(sources, n, package);
    JsonDoc doc;
    if (!source) {
        return flow_refuse(err, FLOW_RULE_UNKNOWN_PATHWAY, STR_NONE, package);
    }
    Story *s = calloc(1, sizeof *s);
    mk_check(s != NULL);
    arena_init(&s->arena, 0);
    arena_init(&s->scratch, 0);
    s->report = report;
    s->figures = figures;
    s->package = package;
    Status status = story_read(s, source, &doc, err);
    s->doc = &doc;
    if (status == OK) {
        status = story_open(s, sources, n, err);
    }
    if (status == OK) {
        story_play(s);
        *ret = s->result;
    }
    story_close(s);
    free(s);
    return status;
}
