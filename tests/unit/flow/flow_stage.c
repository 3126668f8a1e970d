#include "flow_stage.h"

#include <stdio.h>
#include <stdlib.h>

static void open_all(Stage *s)
{
    Err err;
    StoreOptions options = {
        .dir = s->dir, .clock = &s->clock, .random = &s->random, .zone_min = ZONE_CHINA_MIN};
    err_init(&err, &s->arena);
    assert_int_equal(store_open(&options, &s->store, &err), OK);
    assert_int_equal(store_reader_open(s->store, &s->reader, &err), OK);
    Status status = flow_open(s->store, s->packages.source, s->packages.n, &s->flow, &err);
    if (status != OK) {
        printf("%.*s", STR_ARG(test_issues(&s->arena, &err)));
    }
    assert_int_equal(status, OK);
}

static void close_readers(Stage *s)
{
    flow_close(s->flow);
    store_reader_close(s->reader);
}

void stage_put(Stage *s, const char *json)
{
    JsonDoc d;
    StoreReceipt receipt;
    StoreAuthor author = {STR("system"), STR("system"), STR_NONE};
    assert_int_equal(json_parse(&s->arena, str_from_c(json), &JSON_LIMITS_FHIR, &d, NULL), OK);
    StoreBatch *b = store_batch_new(s->store, &s->arena, &author, STR("test"));
    Str type = json_str_at(&d, JSON_ROOT, "resourceType"), id = json_str_at(&d, JSON_ROOT, "id");
    assert_int_equal(store_batch_update(b, type, id, str_from_c(json), STR_NONE, NULL), OK);
    Str home = json_str_at(&d, JSON_ROOT, "managingOrganization.reference");
    if (home.n) {
        store_batch_grant(b, home, id, STR("catchment"), STR("test"), 0, TIME_FOREVER);
    }
    assert_int_equal(store_commit(b, &receipt, NULL), OK);
}

static const char *const COUNTY[] = {
    "{\"resourceType\":\"Organization\",\"id\":\"c\",\"name\":\"县医院\"}",
    "{\"resourceType\":\"Organization\",\"id\":\"t1\",\"name\":\"东镇\"}",
    "{\"resourceType\":\"Organization\",\"id\":\"t2\",\"name\":\"西镇\"}",
    "{\"resourceType\":\"HealthcareService\",\"id\":\"w1\",\"active\":true,\"name\":\"一病区\","
    "\"providedBy\":{\"reference\":\"Organization/c\"}}",
    "{\"resourceType\":\"Schedule\",\"id\":\"s1\",\"actor\":[{\"reference\":\"HealthcareService/"
    "w1\"}]}",
    "{\"resourceType\":\"Slot\",\"id\":\"b1\",\"schedule\":{\"reference\":\"Schedule/"
    "s1\"},\"status\":\"free\","
    "\"start\":\"2026-03-02T14:00:00+08:00\",\"end\":\"2026-03-02T15:00:00+08:00\"}",
    "{\"resourceType\":\"Slot\",\"id\":\"b2\",\"schedule\":{\"reference\":\"Schedule/"
    "s1\"},\"status\":\"free\","
    "\"start\":\"2026-03-02T15:00:00+08:00\",\"end\":\"2026-03-02T16:00:00+08:00\"}",
    "{\"resourceType\":\"Practitioner\",\"id\":\"doctor\",\"name\":[{\"text\":\"医生\"}]}",
    "{\"resourceType\":\"Practitioner\",\"id\":\"office\",\"name\":[{\"text\":\"转诊办\"}]}",
    "{\"resourceType\":\"PractitionerRole\",\"id\":\"head\",\"active\":true,\"organization\":{"
    "\"reference\":"
    "\"Organization/"
    "c\"},\"code\":[{\"coding\":[{\"system\":\"urn:menkou:function\",\"code\":\"head\"}]}]}",
    "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{\"text\":\"张三\"}],"
    "\"birthDate\":\"1961-03-03\","
    "\"managingOrganization\":"
    "{\"reference\":\"Organization/t1\"}}",
};

void stage_init(Stage *s, const char *dir)
{
    *s = (Stage){.dir = dir};
    int64_t now;
    arena_init(&s->arena, 0);
    assert_true(time_parse(STR("2026-03-02T08:00:00+08:00"), 0, &now));
    clock_init_fixed(&s->clock, now);
    random_init_seed(&s->random, 3);
    test_packages_init(&s->packages);
    test_packages_read(&s->packages, FIXTURES_DIR);
    open_all(s);
    for (size_t i = 0; i < sizeof COUNTY / sizeof COUNTY[0]; i++) {
        stage_put(s, COUNTY[i]);
    }
}

void stage_done(Stage *s)
{
    close_readers(s);
    test_packages_done(&s->packages);
    arena_done(&s->arena); /* holds terminology of the store's cache */
    store_close(s->store);
}

void stage_restart(Stage *s)
{
    close_readers(s);
    store_close(s->store);
    open_all(s);
}

AccessCaller stage_person(Stage *s, const char *name)
{
    static const struct {
        const char *name, *role, *org;
    } PEOPLE[] = {{"doctor", "township-doctor", "Organization/t1"},
                  {"office", "referral-office", "Organization/c"},
                  {"office2", "referral-office", "Organization/c"},
                  {"nurse", "technician", "Organization/t1"},
                  {"stranger", "township-doctor", "Organization/t2"},
                  {"system", "integrator", "Organization/c"}};
    AccessCaller c = {.username = str_from_c(name), .name = str_from_c(name), .lang = LANG_ZH};
    for (size_t i = 0; i < sizeof PEOPLE / sizeof PEOPLE[0]; i++) {
        if (str_is(c.name, PEOPLE[i].name)) {
            c.post.role = str_from_c(PEOPLE[i].role);
            c.post.organization = str_from_c(PEOPLE[i].org);
        }
    }
    assert_true(c.post.role.n > 0);
    c.practitioner = arena_cat(&s->arena, STR("Practitioner/"), c.name);
    c.post.post = arena_cat(&s->arena, STR("PractitionerRole/"), c.name);
    c.integrator = str_is(c.post.role, "integrator");
    Str *orgs = arena_array(&s->arena, Str, 1);
    orgs[0] = c.post.organization;
    c.view = (StoreView){.everything = c.integrator,
                         .clinical = true,
                         .orgs = orgs,
                         .orgs_n = 1,
                         .person = c.practitioner,
                         .now_ms = clock_now(&s->clock)};
    return c;
}

FlowRequest stage_request(Stage *s, const AccessCaller *caller)
{
    return (FlowRequest){
        .caller = caller, .reader = s->reader, .arena = &s->arena, .now_ms = clock_now(&s->clock)};
}

static JsonRef form_of(Arena *a, const char *items, JsonDoc *ret)
{
    if (!items) {
        return JSON_NONE;
    }
    Str text = arena_cat(
        a, STR("{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"completed\",\"item\":["),
        str_from_c(items), STR("]}"));
    assert_int_equal(json_parse(a, text, &JSON_LIMITS_FHIR, ret, NULL), OK);
    return JSON_ROOT;
}

static StageDone done_of(Status status, const Err *err, const FlowAnswer *answer)
{
    StageDone d = {.status = status, .answer = *answer};
    if (err->first) {
        d.rule = err->first->rule;
        d.where = err->first->where;
        d.en = err->first->en;
    }
    return d;
}

StageDone stage_start_with(Stage *s, FlowRequest *q, const char *items)
{
    Err err;
    JsonDoc form = {0};
    FlowAnswer answer = {0};
    err_init(&err, q->arena);
    JsonRef root = form_of(q->arena, items, &form);
    Status status = flow_start(s->flow, q, STR("bed-request"), STR("Patient/p1"), STR_NONE,
                               STR_NONE, &form, root, &answer, &err);
    return done_of(status, &err, &answer);
}

StageDone stage_act_with(Stage *s, FlowRequest *q, Str task, Str vid, const char *action,
                         const char *items)
{
    Err err;
    JsonDoc form = {0};
    FlowAnswer answer = {0};
    err_init(&err, q->arena);
    JsonRef root = form_of(q->arena, items, &form);
    Status status = flow_act(s->flow, q, task, vid, str_from_c(action), &form, root, &answer, &err);
    return done_of(status, &err, &answer);
}

StageDone stage_start(Stage *s, const char *who, const char *items)
{
    AccessCaller *c = arena_new(&s->arena, AccessCaller);
    *c = stage_person(s, who);
    FlowRequest q = stage_request(s, c);
    return stage_start_with(s, &q, items);
}

StageDone stage_act(Stage *s, const char *who, Str task, const char *vid, const char *action,
                    const char *items)
{
    AccessCaller *c = arena_new(&s->arena, AccessCaller);
    *c = stage_person(s, who);
    FlowRequest q = stage_request(s, c);
    Str now = STR_NONE;
    if (!vid) {
        stage_task(s, task, &now);
    }
    return stage_act_with(s, &q, task, vid ? str_from_c(vid) : now, action, items);
}

JsonDoc stage_task(Stage *s, Str id, Str *ret_vid)
{
    StoreVersion v;
    JsonDoc d;
    assert_int_equal(store_read(s->reader, &s->arena, &STORE_VIEW_ALL, STR("Task"), id, &v, NULL),
                     OK);
    assert_int_equal(json_parse(&s->arena, v.body, &JSON_LIMITS_FHIR, &d, NULL), OK);
    if (ret_vid) {
        *ret_vid = v.vid;
    }
    return d;
}

size_t stage_count(Stage *s, const char *type, const char *query)
{
    const StoreHit *hits;
    size_t n = 0;
    Err err;
    err_init(&err, &s->arena);
    Status status = store_find(s->reader, &s->arena, &STORE_VIEW_ALL, str_from_c(type),
                               str_from_c(query), 1000, &hits, &n, &err);
    if (status != OK) {
        printf("%.*s", STR_ARG(test_issues(&s->arena, &err)));
    }
    assert_int_equal(status, OK);
    return n;
}
