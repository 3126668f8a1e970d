/* Signing: what it covers, how the person is known, and that a broken signature is found. */
#include <stdio.h>
#include <stdlib.h>

#include "fhir_resource.h"
#include "flow_stage.h"

/* The small package of the fixtures, in which claiming signs the request (which it leaves as it is)
 * and holding changes the request first. */
static void replace(Stage *s, const char *path, const char *old, const char *with)
{
    FlowPackageSource *p = test_package(&s->packages, "bed-request");
    Str text = test_file(p, path);
    ptrdiff_t at = str_find(text, str_from_c(old));
    assert_true(at >= 0);
    test_file_set(&s->packages, p, path,
                  arena_cat(&s->packages.arena, str_take(text, (size_t)at), str_from_c(with),
                            str_skip(text, (size_t)at + strlen(old))));
}

static Status reopen(Stage *s, Err *err)
{
    flow_close(s->flow);
    s->flow = NULL;
    return flow_open(s->store, s->packages.source, s->packages.n, &s->flow, err);
}

static void setup_package(Stage *s)
{
    replace(s, "pathway.json", "\"claim\": true,", "\"sign\": \"request\"}, {\"claim\": true,");
    replace(s, "pathway.json", "\"reserve\":",
            "\"change\": \"%held.request\", \"set\": {\"patientInstruction\": \"x\"}}, "
            "{\"sign\": \"request\"}, {\"reserve\":");
    assert_int_equal(reopen(s, NULL), OK);
}

static int setup(void **state)
{
    Stage *s = calloc(1, sizeof *s);
    stage_init(s, NULL);
    setup_package(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    stage_done(*state);
    free(*state);
    return 0;
}

static void must(bool ok, const char *what, Str seen)
{
    if (!ok) {
        fail_msg("%s: %.*s", what, STR_ARG(seen));
    }
}

static Str case_begin(Stage *s)
{
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    must(d.status == OK, "start", d.en);
    return d.answer.task.id;
}

static StageDone act_as(Stage *s, Str task, const char *action, const char *items, bool checked)
{
    AccessCaller *c = arena_new(&s->arena, AccessCaller);
    Str vid;
    *c = stage_person(s, "office");
    FlowRequest q = stage_request(s, c);
    q.password_checked = checked;
    stage_task(s, task, &vid);
    return stage_act_with(s, &q, task, vid, action, items);
}

#define HOLD "{\"linkId\":\"slot\",\"answer\":[{\"valueReference\":{\"reference\":\"Slot/b1\"}}]}"

/* The newest Provenance with a signature. */
static JsonDoc signed_last(Stage *s)
{
    StoreVersion *v;
    size_t n;
    bool more;
    JsonDoc d = {0};
    assert_int_equal(store_history(s->reader, &s->arena, &STORE_VIEW_ALL, STR("Provenance"),
                                   STR_NONE, TIME_NONE, 0, 50, &v, &n, &more, NULL),
                     OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(json_parse(&s->arena, v[i].body, &JSON_LIMITS_FHIR, &d, NULL), OK);
        if (json_at(&d, JSON_ROOT, "signature.0") != JSON_NONE) {
            return d;
        }
    }
    fail_msg("nothing is signed");
    return d;
}

static void verified(Stage *s, uint64_t signatures, uint64_t faults, const char *words)
{
    Err err;
    uint64_t n = 0, broken = 0;
    err_init(&err, &s->arena);
    assert_int_equal(flow_verify(s->reader, &n, &broken, &err), OK);
    must(n == signatures && broken == faults, "verify", test_issues(&s->arena, &err));
    if (words) {
        assert_true(str_is(err.first->rule, "signature-broken"));
        must(str_find(err.first->en, str_from_c(words)) >= 0, words, err.first->en);
    }
}

/* ---- How the person is known ----------------------------------------------------------------- */

static void assert_signed_by(Stage *s, const char *how)
{
    JsonDoc d = signed_last(s);
    Str url = json_str_at(&d, JSON_ROOT, "signature.0.extension.0.url");
    must(str_is(url, "urn:menkou:signed-by"), "extension", url);
    Str said = json_str_at(&d, JSON_ROOT, "signature.0.extension.0.valueCode");
    must(str_is(said, how), how, said);
}

static void a_session_signs_where_no_password_is_asked(void **state)
{
    Stage *s = *state;
    Str id = case_begin(s);
    StageDone d = act_as(s, id, "claim", NULL, false);
    must(d.status == OK, "claim", d.en);
    assert_signed_by(s, "session");
    d = act_as(s, id, "hold", HOLD, true);
    must(d.status == OK, "hold", d.en);
    assert_signed_by(s, "password");
    verified(s, 2, 0, NULL);
}

static void compel(Stage *s, const char *value, Err *err, Status wanted)
{
    char row[200];
    snprintf(row, sizeof row,
             "[{\"key\":\"sign-password\",\"value\":%s,\"region\":\"*\",\"from\":\"2026-03-03\","
             "\"to\":null,\"source\":\"test\",\"trust\":\"mem\"},",
             value);
    replace(s, "params.json", "[", arena_cstr(&s->packages.arena, str_from_c(row)));
    assert_int_equal(reopen(s, err), wanted);
}

static void a_parameter_makes_the_password_compulsory(void **state)
{
    Stage *s = *state;
    compel(s, "true", NULL, OK);
    Str early = case_begin(s), id = case_begin(s);
    StageDone d = act_as(s, early, "claim", NULL, false); /* the day before it holds */
    must(d.status == OK, "claim", d.en);
    clock_set(&s->clock, clock_now(&s->clock) + MS_DAY);
    uint64_t before = store_seq(s->store);
    d = act_as(s, id, "claim", NULL, false);
    assert_int_equal(d.status, ERR_FORBIDDEN);
    must(str_is(d.rule, "password-needed"), "rule", d.rule);
    assert_int_equal(store_seq(s->store), before);
    d = act_as(s, id, "claim", NULL, true);
    must(d.status == OK, "claim", d.en);
    assert_signed_by(s, "password");
}

static void the_parameter_is_true_or_false(void **state)
{
    Stage *s = *state;
    Err err;
    err_init(&err, &s->arena);
    compel(s, "\"yes\"", &err, ERR_UNPROCESSABLE);
    must(str_find(test_issues(&s->arena, &err), STR("true or false")) >= 0, "lint",
         test_issues(&s->arena, &err));
    FlowPackageSource *p = test_package(&s->packages, "bed-request");
    test_file_set(&s->packages, p, "params.json", STR("[]"));
}

static Str actions(Stage *s, Str task)
{
    AccessCaller c = stage_person(s, "office");
    FlowRequest q = stage_request(s, &c);
    Buf out;
    buf_init(&out, 0);
    assert_int_equal(flow_actions(s->flow, &q, task, STR_NONE, STR_NONE, &out, NULL), OK);
    Str text = arena_str(&s->arena, buf_str(&out));
    buf_done(&out);
    return text;
}

static void actions_tell_what_signs(void **state)
{
    Stage *s = *state;
    Str id = case_begin(s), text = actions(s, id);
    must(str_find(text, STR("{\"name\":\"sign\",\"valueBoolean\":true}")) > 0, "sign", text);
    must(str_find(text, STR("signPassword")) < 0, "signPassword", text);
    compel(s, "true", NULL, OK);
    clock_set(&s->clock, clock_now(&s->clock) + MS_DAY);
    text = actions(s, id);
    must(str_find(text, STR("{\"name\":\"signPassword\",\"valueBoolean\":true}")) > 0,
         "signPassword", text);
}

/* ---- What is broken is found ----------------------------------------------------------------- */

static void target_is_the_version_signed(void **state)
{
    Stage *s = *state;
    Str id = case_begin(s);
    must(act_as(s, id, "claim", NULL, false).status == OK, "claim", id);
    JsonDoc d = signed_last(s);
    Str first = json_str_at(&d, JSON_ROOT, "target.0.reference");
    must(str_ends(first, STR("/_history/1")), "left as it was", first);
    must(act_as(s, id, "hold", HOLD, false).status == OK, "hold", id);
    d = signed_last(s);
    Str second = json_str_at(&d, JSON_ROOT, "target.0.reference");
    must(str_ends(second, STR("/_history/2")), "changed in the same step", second);
    verified(s, 2, 0, NULL);
}

/* Puts the newest signed Provenance again with one text changed, as an act or by another door. */
static void tamper(Stage *s, Str old, Str with, const char *cause)
{
    JsonDoc d = signed_last(s);
    StoreReceipt receipt;
    StoreAuthor author = {STR("system"), STR("system"), STR_NONE};
    Str text = d.bytes, id = json_str_at(&d, JSON_ROOT, "id");
    ptrdiff_t at = str_find(text, old);
    assert_true(at >= 0);
    text =
        arena_cat(&s->arena, str_take(text, (size_t)at), with, str_skip(text, (size_t)at + old.n));
    StoreBatch *b = store_batch_new(s->store, &s->arena, &author, str_from_c(cause));
    assert_int_equal(store_batch_update(b, STR("Provenance"), id, text, STR_NONE, NULL), OK);
    assert_int_equal(store_commit(b, &receipt, NULL), OK);
}

static void signed_once(Stage *s)
{
    must(act_as(s, case_begin(s), "claim", NULL, false).status == OK, "claim", STR_NONE);
    verified(s, 1, 0, NULL);
}

static void another_content_is_found(void **state)
{
    Stage *s = *state;
    signed_once(s);
    JsonDoc d = signed_last(s);
    FhirRef ref = fhir_ref_parse(json_str_at(&d, JSON_ROOT, "target.0.reference"));
    StoreVersion v;
    assert_int_equal(store_read(s->reader, &s->arena, &STORE_VIEW_ALL, ref.type, ref.id, &v, NULL),
                     OK);
    ptrdiff_t at = str_find(v.body, STR("\"active\""));
    assert_true(at >= 0);
    stage_put(
        s, arena_cstr(&s->arena, arena_cat(&s->arena, str_take(v.body, (size_t)at),
                                           STR("\"revoked\""), str_skip(v.body, (size_t)at + 8))));
    verified(s, 1, 0, NULL); /* what was signed still stands in its version */
    tamper(s, STR("/_history/1"), STR("/_history/2"), "act:bed-request/claim");
    verified(s, 2, 1, "does not fit");
}

static void a_missing_target_is_found(void **state)
{
    Stage *s = *state;
    signed_once(s);
    tamper(s, STR("/_history/1"), STR("/_history/7"), "test");
    verified(s, 2, 1, "is not there");
}

static void changed_bytes_are_found(void **state)
{
    Stage *s = *state;
    signed_once(s);
    JsonDoc d = signed_last(s);
    Str data = json_str_at(&d, JSON_ROOT, "signature.0.data");
    tamper(s, data, STR("bm90aGluZw=="), "test");
    verified(s, 2, 1, "cannot be read");
}

static void a_stranger_s_key_is_found(void **state)
{
    Stage *s = *state;
    signed_once(s);
    tamper(
        s,
        STR("\"who\":{\"reference\":\"Practitioner/office\",\"display\":\"office\"},\"sigFormat\""),
        STR("\"who\":{\"reference\":\"Practitioner/doctor\"},\"sigFormat\""),
        "act:bed-request/claim");
    verified(s, 2, 1, "is not that of the person");
}

static void others_signatures_are_not_judged(void **state)
{
    Stage *s = *state;
    signed_once(s);
    stage_put(
        s, "{\"resourceType\":\"Provenance\",\"id\":\"x\",\"target\":[{\"reference\":\"Patient/"
           "p1\"}],\"recorded\":\"2026-03-02T08:00:00+08:00\",\"agent\":[{\"who\":{\"reference\":"
           "\"Practitioner/office\"}}],\"signature\":[{\"type\":[{\"code\":\"x\"}],\"when\":"
           "\"2026-03-02T08:00:00+08:00\",\"who\":{\"reference\":\"Practitioner/office\"},"
           "\"sigFormat\":\"application/signature+xml\",\"data\":\"dGhpcw==\"}]}");
    verified(s, 1, 0, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_session_signs_where_no_password_is_asked),
        T(a_parameter_makes_the_password_compulsory),
        T(the_parameter_is_true_or_false),
        T(actions_tell_what_signs),
        T(target_is_the_version_signed),
        T(another_content_is_found),
        T(a_missing_target_is_found),
        T(changed_bytes_are_found),
        T(a_stranger_s_key_is_found),
        T(others_signatures_are_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
