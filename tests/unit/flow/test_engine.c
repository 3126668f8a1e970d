/* The engine through its doors, with a small package of its own. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fhir_validate.h"
#include "flow_stage.h"

#define HOLD(slot)                                                                                 \
    "{\"linkId\":\"slot\",\"answer\":[{\"valueReference\":{\"reference\":\"Slot/" slot "\"}}]}"
#define REFUSE "{\"linkId\":\"reason\",\"answer\":[{\"valueString\":\"满床\"}]}"

static int setup(void **state)
{
    Stage *s = calloc(1, sizeof *s);
    stage_init(s, NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    stage_done(*state);
    free(*state);
    return 0;
}

static void refused(const StageDone *d, int http, const char *rule)
{
    if (status_http(d->status) != http || !str_is(d->rule, rule)) {
        fail_msg("%d %.*s (%.*s), not %d %s", status_http(d->status), STR_ARG(d->rule),
                 STR_ARG(d->en), http, rule);
    }
}

static void done(const StageDone *d, int http)
{
    if (d->status != OK || d->answer.http_status != http) {
        fail_msg("%d %.*s: %.*s", status_http(d->status), STR_ARG(d->rule), STR_ARG(d->where),
                 STR_ARG(d->en));
    }
}

static Str state_of(Stage *s, Str id)
{
    JsonDoc d = stage_task(s, id, NULL);
    return json_str_at(&d, JSON_ROOT, "businessStatus.coding.0.code");
}

/* ---- Start ----------------------------------------------------------------------------------- */

static void start_writes_everything_at_once(void **state)
{
    Stage *s = *state;
    uint64_t before = store_seq(s->store);
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    done(&d, 201);
    assert_str(d.answer.task.vid, "1");
    JsonDoc t = stage_task(s, d.answer.task.id, NULL);
    assert_int_equal(fhir_validate(&t, JSON_ROOT, STR("Task"), NULL), OK);
    assert_str(json_str_at(&t, JSON_ROOT, "status"), "requested");
    assert_str(json_str_at(&t, JSON_ROOT, "intent"), "order");
    assert_str(json_str_at(&t, JSON_ROOT, "code.coding.0.code"), "bed-request");
    assert_str(json_str_at(&t, JSON_ROOT, "businessStatus.coding.0.system"),
               "urn:menkou:state:bed-request");
    assert_str(json_str_at(&t, JSON_ROOT, "owner.reference"), "HealthcareService/w1");
    assert_str(json_str_at(&t, JSON_ROOT, "requester.reference"), "Organization/t1");
    assert_str(json_str_at(&t, JSON_ROOT, "for.display"), "张三");
    assert_str(json_str_at(&t, JSON_ROOT, "instantiatesCanonical"),
               "urn:menkou:pathway:bed-request|1.0.0");
    assert_str(json_str_at(&t, JSON_ROOT, "restriction.period.end"),
               "2026-03-02T08:30:00.000+08:00");
    /* Task, response, request, Provenance: one transaction. */
    assert_int_equal(store_seq(s->store) - before, 4);
    Str query = arena_cat(&s->arena, STR("target=Task/"), d.answer.task.id);
    assert_int_equal(stage_count(s, "Provenance", arena_cstr(&s->arena, query)), 1);
}

static void templates_follow_their_rules(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(
        s, "doctor",
        STAGE_FORM ",{\"linkId\":\"escort\",\"answer\":[{\"valueBoolean\":true}]},"
                   "{\"linkId\":\"escort-name\",\"answer\":[{\"valueString\":\"李四\"}]},"
                   "{\"linkId\":\"days\",\"answer\":[{\"valueInteger\":3}]},"
                   "{\"linkId\":\"drug\",\"item\":[{\"linkId\":\"drug-name\",\"answer\":"
                   "[{\"valueString\":\"甲\"}]}]},{\"linkId\":\"drug\",\"item\":[{\"linkId\":"
                   "\"drug-name\",\"answer\":[{\"valueString\":\"乙\"}]}]}");
    done(&d, 201);
    JsonDoc t = stage_task(s, d.answer.task.id, NULL), r;
    StoreVersion v;
    Str request = str_skip(json_str_at(&t, JSON_ROOT, "output.0.valueReference.reference"), 15);
    assert_int_equal(
        store_read(s->reader, &s->arena, &STORE_VIEW_ALL, STR("ServiceRequest"), request, &v, NULL),
        OK);
    assert_int_equal(json_parse(&s->arena, v.body, &JSON_LIMITS_FHIR, &r, NULL), OK);
    assert_str(json_str_at(&r, JSON_ROOT, "code.text"), "='bed");
    assert_str(json_str_at(&r, JSON_ROOT, "reasonCode.1.text"), "escort 李四");
    assert_int_equal(json_count(&r, json_get_c(&r, JSON_ROOT, "note")), 2);
    assert_str(json_str_at(&r, JSON_ROOT, "note.1.text"), "乙");
    assert_str(json_str_at(&r, JSON_ROOT, "occurrencePeriod.end"), "2026-03-09");
    assert_str(json_str_at(&r, JSON_ROOT, "patientInstruction"), "3");
    StageDone plain = stage_start(s, "doctor", STAGE_FORM);
    done(&plain, 201);
    assert_int_equal(stage_count(s, "ServiceRequest", "_summary=false"), 2);
}

static void start_refuses(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(s, "system", STAGE_FORM);
    refused(&d, 403, "integrator-may-not");
    d = stage_start(s, "nurse", STAGE_FORM);
    refused(&d, 403, "not-yours");
    d = stage_start(s, "stranger", STAGE_FORM);
    refused(&d, 404, "patient-unknown");
    d = stage_start(s, "doctor", NULL);
    refused(&d, 422, "form-required");
}

/* ---- Forms ----------------------------------------------------------------------------------- */

static void form_faults_name_their_item(void **state)
{
    Stage *s = *state;
    static const struct {
        const char *extra, *where;
    } CASES[] = {
        {"{\"linkId\":\"nothing\",\"answer\":[{\"valueString\":\"x\"}]}", "nothing"},
        {"{\"linkId\":\"days\",\"answer\":[{\"valueInteger\":31}]}", "days"},
        {"{\"linkId\":\"days\",\"answer\":[{\"valueString\":\"3\"}]}", "days"},
        {"{\"linkId\":\"days\",\"answer\":[{\"valueInteger\":3},{\"valueInteger\":4}]}", "days"},
        {"{\"linkId\":\"phone\",\"answer\":[{\"valueString\":\"12a\"}]}", "phone"},
        {"{\"linkId\":\"escort\",\"answer\":[{\"valueBoolean\":true}]}", "escort-name"},
        {"{\"linkId\":\"escort-name\",\"answer\":[{\"valueString\":\"x\"}]}", "escort-name"},
        {"{\"linkId\":\"drug\",\"item\":[{\"linkId\":\"drug-dose\",\"answer\":[{\"valueDecimal\":1."
         "5}]}]}",
         "drug-name"},
        {"{\"linkId\":\"drug-name\",\"answer\":[{\"valueString\":\"x\"}]}", "drug-name"},
        {"{\"linkId\":\"drug\",\"item\":[{\"linkId\":\"drug-name\",\"answer\":[{\"valueString\":"
         "\"x\"}]},"
         "{\"linkId\":\"drug-dose\",\"answer\":[{\"valueDecimal\":1.555}]}]}",
         "drug-dose"},
    };
    uint64_t before = store_seq(s->store);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Str items = arena_cat(&s->arena, STR(STAGE_FORM ","), str_from_c(CASES[i].extra));
        StageDone d = stage_start(s, "doctor", arena_cstr(&s->arena, items));
        refused(&d, 422, "form-invalid");
        assert_str(d.where, CASES[i].where);
    }
    StageDone d = stage_start(s, "doctor",
                              "{\"linkId\":\"ward\",\"answer\":[{\"valueReference\":{\"reference\":"
                              "\"HealthcareService/none\"}}]}");
    refused(&d, 422, "form-invalid");
    assert_str(d.where, "ward");
    assert_int_equal(store_seq(s->store), before);
}

static void constraint_refuses_with_its_key(void **state)
{
    Stage *s = *state;
    StageDone d =
        stage_start(s, "doctor",
                    "{\"linkId\":\"ward\",\"answer\":[{\"valueReference\":{\"reference\":"
                    "\"HealthcareService/w1\"}}]},"
                    "{\"linkId\":\"urgency\",\"answer\":[{\"valueCoding\":{\"code\":\"stat\"}}]},"
                    "{\"linkId\":\"why\",\"item\":[{\"linkId\":\"reason\",\"answer\":[{"
                    "\"valueString\":\"x\"}]}]},"
                    "{\"linkId\":\"days\",\"answer\":[{\"valueInteger\":20}]}");
    refused(&d, 422, "stat-short");
}

static void dry_run_computes_and_writes_nothing(void **state)
{
    Stage *s = *state;
    AccessCaller c = stage_person(s, "doctor");
    FlowRequest q = stage_request(s, &c);
    JsonDoc r;
    uint64_t before = store_seq(s->store);
    q.dry = true;
    StageDone d = stage_start_with(s, &q, STAGE_FORM);
    done(&d, 200);
    assert_int_equal(json_parse(&s->arena, d.answer.dry_response, &JSON_LIMITS_FHIR, &r, NULL), OK);
    assert_int_equal(fhir_validate(&r, JSON_ROOT, STR("QuestionnaireResponse"), NULL), OK);
    assert_true(str_find(d.answer.dry_response, STR("\"valueInteger\":7")) > 0);
    assert_true(str_find(d.answer.dry_response, STR("2026-03-09")) > 0);
    assert_true(str_find(d.answer.dry_response, STR("\"valueCode\":\"green\"")) > 0);
    assert_int_equal(store_seq(s->store), before);
    d = stage_start_with(s, &q, "{\"linkId\":\"days\",\"answer\":[{\"valueInteger\":3}]}");
    assert_int_equal(d.status, ERR_UNPROCESSABLE);
    assert_true(d.answer.dry_response.n > 0);
}

/* ---- Act ------------------------------------------------------------------------------------- */

static void act_refuses_in_order(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    done(&d, 201);
    Str id = d.answer.task.id;
    d = stage_act(s, "office", STR("nothing"), "1", "claim", NULL);
    refused(&d, 404, "case-unknown");
    d = stage_act(s, "stranger", id, "1", "claim", NULL);
    refused(&d, 404, "case-unknown");
    d = stage_act(s, "office", id, "", "claim", NULL);
    refused(&d, 428, "version-required");
    d = stage_act(s, "office", id, "7", "claim", NULL);
    refused(&d, 412, "version-stale");
    d = stage_act(s, "office", id, "1", "nonsense", NULL);
    refused(&d, 400, "unknown-action");
    d = stage_act(s, "office", id, "1", "give", NULL);
    refused(&d, 409, "not-from-this-state");
    d = stage_act(s, "office", id, "1", "remind", NULL);
    refused(&d, 403, "clock-only");
    d = stage_act(s, "doctor", id, "1", "claim", NULL);
    refused(&d, 403, "not-yours");
    d = stage_act(s, "system", id, "1", "claim", NULL);
    refused(&d, 403, "integrator-may-not");
    d = stage_act(s, "office", id, "1", "refuse", "");
    refused(&d, 422, "form-invalid");
    assert_str(d.where, "reason");
    d = stage_act(s, "office", id, "1", "claim", REFUSE);
    refused(&d, 422, "form-unexpected");
    d = stage_act(s, "office", id, "1", "claim", NULL);
    done(&d, 200);
    d = stage_act(s, "office2", id, "2", "claim", NULL);
    refused(&d, 409, "lease-held");
    d = stage_act(s, "office2", id, "1", "claim", NULL);
    refused(&d, 409, "lease-held");
    d = stage_act(s, "office2", id, "1", "refuse", REFUSE);
    refused(&d, 412, "version-stale");
}

static void guard_refuses_with_its_own_words(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str id = d.answer.task.id;
    d = stage_act(s, "office", id, NULL, "hold", HOLD("b1"));
    done(&d, 200);
    assert_int_equal(stage_count(s, "Slot", "status=busy-tentative"), 1);
    d = stage_act(s, "office", id, NULL, "give", NULL);
    done(&d, 200);
    assert_str(state_of(s, id), "given");
    assert_int_equal(stage_count(s, "Slot", "status=busy"), 1);
    assert_int_equal(stage_count(s, "Appointment", "status=booked"), 1);
}

static void slot_is_free_again(void **state)
{
    Stage *s = *state;
    StageDone a = stage_start(s, "doctor", STAGE_FORM), b = stage_start(s, "doctor", STAGE_FORM);
    StageDone d = stage_act(s, "office", a.answer.task.id, NULL, "hold", HOLD("b1"));
    done(&d, 200);
    d = stage_act(s, "office", b.answer.task.id, NULL, "hold", HOLD("b1"));
    refused(&d, 409, "slot-taken");
    assert_str(d.where, "slot");
    d = stage_act(s, "office", a.answer.task.id, NULL, "refuse", REFUSE);
    done(&d, 200);
    assert_int_equal(stage_count(s, "Slot", "status=free"), 2);
    d = stage_act(s, "office", b.answer.task.id, NULL, "hold", HOLD("b1"));
    done(&d, 200);
}

/* A closed case no longer opens the patient to the owner; the requester's own sight stays. */
static void sight_ends_with_the_case(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str id = d.answer.task.id;
    AccessCaller office = stage_person(s, "office"), doctor = stage_person(s, "doctor");
    assert_true(store_patient_visible(s->reader, &office.view, STR("p1")));
    d = stage_act(s, "office", id, NULL, "refuse", REFUSE);
    done(&d, 200);
    clock_set(&s->clock, clock_now(&s->clock) + 1);
    office = stage_person(s, "office");
    doctor = stage_person(s, "doctor");
    assert_false(store_patient_visible(s->reader, &office.view, STR("p1")));
    assert_true(store_patient_visible(s->reader, &doctor.view, STR("p1")));
}

/* ---- Once ------------------------------------------------------------------------------------ */

static void same_key_answers_the_same(void **state)
{
    Stage *s = *state;
    AccessCaller c = stage_person(s, "doctor");
    FlowRequest q = stage_request(s, &c);
    q.idempotency_key = STR("k1");
    StageDone first = stage_start_with(s, &q, STAGE_FORM);
    done(&first, 201);
    uint64_t before = store_seq(s->store);
    StageDone again = stage_start_with(s, &q, STAGE_FORM);
    done(&again, 201);
    assert_true(str_eq(first.answer.task.id, again.answer.task.id));
    assert_int_equal(store_seq(s->store), before);
    q.body_sha.b[0] = 1;
    StageDone other = stage_start_with(s, &q, STAGE_FORM);
    refused(&other, 422, "idempotency-mismatch");
    clock_set(&s->clock, clock_now(&s->clock) + 25 * MS_HOUR);
    StageDone later = stage_start_with(s, &q, STAGE_FORM);
    done(&later, 201);
    assert_false(str_eq(first.answer.task.id, later.answer.task.id));
}

/* ---- Races ----------------------------------------------------------------------------------- */

#define RACERS 24

typedef struct Racer {
    pthread_t thread;
    Stage *s;
    Arena arena;
    StoreReader *reader;
    AccessCaller caller;
    const char *action, *items; /* action NULL: start */
    Str task, key;
    StageDone done;
} Racer;

static void *race(void *arg)
{
    Racer *r = arg;
    FlowRequest q = stage_request(r->s, &r->caller);
    q.reader = r->reader;
    q.arena = &r->arena;
    q.idempotency_key = r->key;
    r->done = r->action ? stage_act_with(r->s, &q, r->task, STR("1"), r->action, r->items)
                        : stage_start_with(r->s, &q, r->items);
    return NULL;
}

static void race_run(Stage *s, Racer *r, const char *who)
{
    for (int i = 0; i < RACERS; i++) {
        r[i].s = s;
        r[i].caller = stage_person(s, who);
        arena_init(&r[i].arena, 0);
        assert_int_equal(store_reader_open(s->store, &r[i].reader, NULL), OK);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(r[i].thread, NULL);
        store_reader_close(r[i].reader);
    }
}

static int race_count(Racer *r, Status status)
{
    int n = 0;
    for (int i = 0; i < RACERS; i++) {
        n += r[i].done.status == status ? 1 : 0;
        if (r[i].done.status != OK && r[i].done.status != ERR_CONFLICT) {
            print_message("# racer %d: %d %.*s\n", i, status_http(r[i].done.status),
                          STR_ARG(r[i].done.en));
        }
    }
    return n;
}

static void race_free(Racer *r)
{
    for (int i = 0; i < RACERS; i++) {
        arena_done(&r[i].arena);
    }
}

static void one_of_many_claims(void **state)
{
    Stage *s = *state;
    static Racer r[RACERS];
    memset(r, 0, sizeof r);
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    for (int i = 0; i < RACERS; i++) {
        r[i].action = "claim";
        r[i].task = d.answer.task.id;
    }
    race_run(s, r, "office");
    assert_int_equal(race_count(r, OK), 1);
    assert_int_equal(race_count(r, ERR_CONFLICT), RACERS - 1);
    race_free(r);
}

static void one_of_many_gets_the_slot(void **state)
{
    Stage *s = *state;
    static Racer r[RACERS];
    memset(r, 0, sizeof r);
    for (int i = 0; i < RACERS; i++) {
        StageDone d = stage_start(s, "doctor", STAGE_FORM);
        r[i].action = "hold";
        r[i].items = HOLD("b2");
        r[i].task = d.answer.task.id;
    }
    race_run(s, r, "office");
    assert_int_equal(race_count(r, OK), 1);
    assert_int_equal(race_count(r, ERR_CONFLICT), RACERS - 1);
    assert_int_equal(stage_count(s, "Slot", "status=busy-tentative"), 1);
    assert_int_equal(stage_count(s, "Task", "business-status=held"), 1);
    race_free(r);
}

static void one_key_starts_one_case(void **state)
{
    Stage *s = *state;
    static Racer r[RACERS];
    memset(r, 0, sizeof r);
    for (int i = 0; i < RACERS; i++) {
        r[i].items = STAGE_FORM;
        r[i].key = STR("the-key");
    }
    race_run(s, r, "doctor");
    assert_int_equal(race_count(r, OK), RACERS);
    for (int i = 1; i < RACERS; i++) {
        assert_true(str_eq(r[i].done.answer.task.id, r[0].done.answer.task.id));
    }
    assert_int_equal(stage_count(s, "Task", "_summary=false"), 1);
    race_free(r);
}

/* ---- The clock ------------------------------------------------------------------------------- */

static size_t fire(Stage *s)
{
    size_t fired = 0;
    int64_t next;
    assert_int_equal(flow_fire(s->flow, s->reader, clock_now(&s->clock), &fired, &next, NULL), OK);
    return fired;
}

static void deadlines_fire_once(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str id = d.answer.task.id;
    d = stage_act(s, "office", id, NULL, "claim", NULL);
    done(&d, 200);
    assert_int_equal(fire(s), 0);
    clock_set(&s->clock, clock_now(&s->clock) + 11 * MS_MINUTE);
    assert_int_equal(fire(s), 1);
    assert_str(state_of(s, id), "asked");
    clock_set(&s->clock, clock_now(&s->clock) + 20 * MS_MINUTE);
    assert_int_equal(fire(s), 1);
    assert_int_equal(fire(s), 0);
    assert_int_equal(stage_count(s, "Communication", "recipient=PractitionerRole/head"), 1);
    /* It stays on the case as overdue. */
    JsonDoc t = stage_task(s, id, NULL);
    assert_str(json_str_at(&t, JSON_ROOT, "restriction.period.end"),
               "2026-03-02T08:30:00.000+08:00");
}

static void parameters_follow_the_day(void **state)
{
    Stage *s = *state;
    int64_t june;
    assert_true(time_parse(STR("2026-06-01T08:00:00+08:00"), 0, &june));
    clock_set(&s->clock, june);
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    done(&d, 201);
    JsonDoc t = stage_task(s, d.answer.task.id, NULL);
    assert_str(json_str_at(&t, JSON_ROOT, "restriction.period.end"),
               "2026-06-01T08:20:00.000+08:00");
}

static void deadlines_survive_a_restart(void **state)
{
    (void)state;
    char dir[TEST_FOLDER_MAX];
    Stage s;
    test_folder(dir);
    stage_init(&s, dir);
    StageDone d = stage_start(&s, "doctor", STAGE_FORM);
    done(&d, 201);
    stage_restart(&s);
    clock_set(&s.clock, clock_now(&s.clock) + 2 * MS_HOUR);
    assert_int_equal(fire(&s), 1);
    stage_restart(&s);
    assert_int_equal(fire(&s), 0);
    assert_int_equal(stage_count(&s, "Communication", "_summary=false"), 1);
    stage_done(&s);
    char command[TEST_FOLDER_MAX + 8];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* ---- Not by another door --------------------------------------------------------------------- */

static Status raw(Stage *s, const char *reference, const char *body)
{
    JsonDoc d;
    Str type, id;
    str_cut(str_from_c(reference), '/', &type, &id);
    if (body) {
        assert_int_equal(json_parse(&s->arena, str_from_c(body), &JSON_LIMITS_FHIR, &d, NULL), OK);
    }
    return flow_guard_raw_write(s->flow, s->reader, &s->arena, type, id, body ? &d : NULL, NULL);
}

static void raw_writes_are_refused(void **state)
{
    Stage *s = *state;
    assert_int_equal(raw(s, "Slot/b1", NULL), OK);
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str id = d.answer.task.id;
    d = stage_act(s, "office", id, NULL, "hold", HOLD("b1"));
    done(&d, 200);
    assert_int_equal(raw(s, "Slot/b1", NULL), ERR_CONFLICT);
    assert_int_equal(raw(s, "Slot/b2", NULL), OK);
    assert_int_equal(raw(s, arena_cstr(&s->arena, arena_cat(&s->arena, STR("Task/"), id)), NULL),
                     ERR_CONFLICT);
    assert_int_equal(raw(s, "Task/new",
                         "{\"resourceType\":\"Task\",\"status\":\"draft\",\"intent\":\"order\","
                         "\"code\":{\"coding\":[{"
                         "\"system\":\"urn:menkou:pathway\",\"code\":\"bed-request\"}]}}"),
                     ERR_CONFLICT);
    assert_int_equal(
        raw(s, "Task/new", "{\"resourceType\":\"Task\",\"status\":\"draft\",\"intent\":\"order\"}"),
        OK);
    JsonDoc t = stage_task(s, id, NULL);
    for (int i = 0; i < 2; i++) {
        Str held = json_str_at(&t, json_item(&t, json_get_c(&t, JSON_ROOT, "input"), (uint32_t)i),
                               "valueReference.reference");
        assert_int_equal(raw(s, arena_cstr(&s->arena, held), NULL), ERR_CONFLICT);
    }
    Str request = json_str_at(&t, JSON_ROOT, "output.0.valueReference.reference");
    assert_int_equal(raw(s, arena_cstr(&s->arena, request), NULL), ERR_CONFLICT);
    d = stage_act(s, "office", id, NULL, "refuse", REFUSE);
    done(&d, 200);
    assert_int_equal(raw(s, "Slot/b1", NULL), OK);
}

/* ---- What is shown --------------------------------------------------------------------------- */

static void parameters_are_valid(Stage *s, const Buf *out)
{
    JsonDoc d;
    Err err;
    err_init(&err, &s->arena);
    assert_int_equal(json_parse(&s->arena, buf_str(out), &JSON_LIMITS_FHIR, &d, &err), OK);
    if (fhir_validate(&d, JSON_ROOT, STR("Parameters"), &err) != OK) {
        fail_msg("%.*s", STR_ARG(test_issues(&s->arena, &err)));
    }
}

static Str actions(Stage *s, const char *who, Str task, Lang lang)
{
    AccessCaller c = stage_person(s, who);
    Buf out;
    c.lang = lang;
    FlowRequest q = stage_request(s, &c);
    buf_init(&out, 0);
    assert_int_equal(
        flow_actions(s->flow, &q, task, STR("bed-request"), STR("Patient/p1"), &out, NULL), OK);
    parameters_are_valid(s, &out);
    Str text = arena_str(&s->arena, buf_str(&out));
    buf_done(&out);
    return text;
}

static void actions_are_what_one_may_do(void **state)
{
    Stage *s = *state;
    Str text = actions(s, "doctor", STR_NONE, LANG_EN);
    assert_true(str_find(text, STR("\"valueCode\":\"start\"")) > 0);
    assert_true(str_find(text, STR("Ask for a bed")) > 0);
    assert_true(str_find(text, STR("\"display\":\"Stat\"")) > 0);
    assert_true(str_find(text, STR("\"valueInteger\":7")) > 0);
    assert_true(str_find(actions(s, "doctor", STR_NONE, LANG_ZH), STR("申请床位")) > 0);
    assert_true(
        str_is(actions(s, "nurse", STR_NONE, LANG_ZH), "{\"resourceType\":\"Parameters\"}"));
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    text = actions(s, "office", d.answer.task.id, LANG_ZH);
    assert_true(str_find(text, STR("\"valueCode\":\"claim\"")) > 0);
    assert_true(str_find(text, STR("\"valueCode\":\"remind\"")) < 0);
    assert_true(str_find(text, STR("2026-03-02T08:30:00.000+08:00")) > 0);
    /* A screen computes nothing: the lookup comes with its time filled in. */
    assert_true(str_find(text, STR("start=ge2026-03-02")) > 0);
    assert_true(str_is(actions(s, "doctor", d.answer.task.id, LANG_ZH),
                       "{\"resourceType\":\"Parameters\"}"));
}

static void pathways_fill_their_lists(void **state)
{
    Stage *s = *state;
    AccessCaller c = stage_person(s, "office");
    FlowRequest q = stage_request(s, &c);
    Buf out;
    buf_init(&out, 0);
    assert_int_equal(flow_pathways(s->flow, &q, &out, NULL), OK);
    parameters_are_valid(s, &out);
    assert_true(str_find(buf_str(&out), STR("owner=Organization/c,HealthcareService/w1&")) > 0);
    buf_done(&out);
}

static void print_escapes(void **state)
{
    Stage *s = *state;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    AccessCaller c = stage_person(s, "office");
    FlowRequest q = stage_request(s, &c);
    Buf out;
    buf_init(&out, 0);
    assert_int_equal(flow_print(s->flow, &q, d.answer.task.id, STR("sheet"), &out, NULL), OK);
    Str page = buf_str(&out);
    assert_true(str_find(page, STR("一病区")) > 0);
    assert_true(str_find(page, STR("发热 &lt;3 天&gt;")) > 0);
    assert_true(str_find(page, STR("2026-03-02 08:00")) > 0);
    buf_done(&out);
    assert_int_equal(flow_print(s->flow, &q, d.answer.task.id, STR("none"), &out, NULL),
                     ERR_NOT_FOUND);
}

static void print_speaks_the_readers_language(void **state)
{
    static const char *const SAYS[2][4] = {{"lang=\"zh-CN\"", "床位单", "普通", "64岁"},
                                           {"lang=\"en\"", "Bed slip", "Routine", "64 years"}};
    Stage *s = *state;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    for (int lang = LANG_ZH; lang <= LANG_EN; lang++) {
        AccessCaller c = stage_person(s, "office");
        FlowRequest q = stage_request(s, &c);
        Buf out;
        c.lang = (Lang)lang;
        buf_init(&out, 0);
        assert_int_equal(flow_print(s->flow, &q, d.answer.task.id, STR("sheet"), &out, NULL), OK);
        for (int i = 0; i < 4; i++) {
            assert_true(str_find(buf_str(&out), str_from_c(SAYS[lang][i])) > 0);
            assert_true(str_find(buf_str(&out), str_from_c(SAYS[!lang][i])) < 0);
        }
        assert_true(str_find(buf_str(&out), STR("发热 &lt;3 天&gt;")) > 0); /* as it was written */
        buf_done(&out);
    }
}

/* ---- Versions and replay --------------------------------------------------------------------- */

static Str replaced(Stage *s, Str text, const char *old, const char *with)
{
    ptrdiff_t at = str_find(text, str_from_c(old));
    assert_true(at >= 0);
    return arena_cat(&s->packages.arena, str_take(text, (size_t)at), str_from_c(with),
                     str_skip(text, (size_t)at + strlen(old)));
}

static Status reopen(Stage *s)
{
    flow_close(s->flow);
    s->flow = NULL;
    return flow_open(s->store, s->packages.source, s->packages.n, &s->flow, NULL);
}

static void changed_shape_needs_a_version(void **state)
{
    Stage *s = *state;
    FlowPackageSource *p = test_package(&s->packages, "bed-request");
    Str text = test_file(p, "pathway.json"), title = replaced(s, text, "床位申请", "申请病床");
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str id = d.answer.task.id;
    test_file_set(&s->packages, p, "pathway.json", title);
    assert_int_equal(reopen(s), OK); /* only words */
    Str changed = replaced(s, text, "\"task\": \"accepted\"", "\"task\": \"ready\"");
    test_file_set(&s->packages, p, "pathway.json", changed);
    assert_int_equal(reopen(s), ERR_CONFLICT);
    test_file_set(&s->packages, p, "pathway.json", replaced(s, changed, "\"1.0.0\"", "\"1.1.0\""));
    assert_int_equal(reopen(s), OK);
    d = stage_act(s, "office", id, NULL, "hold", HOLD("b1"));
    done(&d, 200);
    JsonDoc t = stage_task(s, id, NULL);
    assert_str(json_str_at(&t, JSON_ROOT, "status"),
               "accepted"); /* keeps the package it began with */
    d = stage_start(s, "doctor", STAGE_FORM);
    t = stage_task(s, d.answer.task.id, NULL);
    assert_str(json_str_at(&t, JSON_ROOT, "instantiatesCanonical"),
               "urn:menkou:pathway:bed-request|1.1.0");
}

static void cases_migrate_where_it_says_how(void **state)
{
    Stage *s = *state;
    FlowPackageSource *p = test_package(&s->packages, "bed-request");
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str text = replaced(
        s, test_file(p, "pathway.json"), "\"1.0.0\"",
        "\"2.0.0\", \"migrate\": [{\"from\": \"1.0.0\", \"states\": {\"asked\": \"working\"}}]");
    test_file_set(&s->packages, p, "pathway.json", text);
    assert_int_equal(reopen(s), OK);
    JsonDoc t = stage_task(s, d.answer.task.id, NULL);
    assert_str(json_str_at(&t, JSON_ROOT, "instantiatesCanonical"),
               "urn:menkou:pathway:bed-request|2.0.0");
    assert_str(state_of(s, d.answer.task.id), "working");
    uint64_t cases = 0, faults = 0;
    assert_int_equal(flow_replay(s->flow, s->reader, &cases, &faults, NULL), OK);
    assert_int_equal(faults, 0);
}

static void replay_finds_what_no_action_did(void **state)
{
    Stage *s = *state;
    uint64_t cases = 0, faults = 0;
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    Str id = d.answer.task.id;
    d = stage_act(s, "office", id, NULL, "claim", NULL);
    done(&d, 200);
    clock_set(&s->clock, clock_now(&s->clock) + MS_HOUR);
    fire(s);
    assert_int_equal(flow_replay(s->flow, s->reader, &cases, &faults, NULL), OK);
    assert_int_equal(cases, 1);
    assert_int_equal(faults, 0);
    JsonDoc t = stage_task(s, id, NULL);
    Str body = replaced(s, t.bytes, "\"code\":\"asked\"", "\"code\":\"given\"");
    stage_put(s, arena_cstr(&s->arena, replaced(s, body, "\"requested\"", "\"completed\"")));
    Err err;
    err_init(&err, &s->arena);
    assert_int_equal(flow_replay(s->flow, s->reader, &cases, &faults, &err), OK);
    assert_int_equal(faults, 1);
    assert_str(err.first->rule, "illegal-step");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(start_writes_everything_at_once),
        T(templates_follow_their_rules),
        T(start_refuses),
        T(form_faults_name_their_item),
        T(constraint_refuses_with_its_key),
        T(dry_run_computes_and_writes_nothing),
        T(act_refuses_in_order),
        T(guard_refuses_with_its_own_words),
        T(slot_is_free_again),
        T(sight_ends_with_the_case),
        T(same_key_answers_the_same),
        T(one_of_many_claims),
        T(one_of_many_gets_the_slot),
        T(one_key_starts_one_case),
        T(deadlines_fire_once),
        T(parameters_follow_the_day),
        cmocka_unit_test(deadlines_survive_a_restart),
        T(raw_writes_are_refused),
        T(actions_are_what_one_may_do),
        T(pathways_fill_their_lists),
        T(print_escapes),
        T(print_speaks_the_readers_language),
        T(changed_shape_needs_a_version),
        T(cases_migrate_where_it_says_how),
        T(replay_finds_what_no_action_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
