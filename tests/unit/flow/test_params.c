/* Which row of params.json holds: by the day, and by how much of the county's code its region says.
 */
#include <stdio.h>

#include "flow_stage.h"

static void row_add(Buf *out, const char *minutes, const char *region, const char *from,
                    const char *to)
{
    buf_printf(out,
               "%s{\"key\":\"answer\",\"value\":%s,\"unit\":\"min\",\"region\":%s,\"from\":\"%s\","
               "\"to\":%s,\"source\":\"test\",\"trust\":\"mem\"}",
               out->n > 1 ? "," : "", minutes, region, from, to);
}

/* The general row last, so that order does not decide. */
static void rows_put(Stage *s)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "[");
    row_add(&out, "2", "\"13\"", "2020-01-01", "null");
    row_add(&out, "6", "\"139901\"", "2026-03-03", "null");
    row_add(&out, "4", "\"1399\"", "2020-01-01", "\"2026-03-05\"");
    row_add(&out, "9", "\"14\"", "2020-01-01", "null");
    row_add(&out, "30", "\"*\"", "2020-01-01", "null");
    buf_c(&out, "]");
    test_file_set(&s->packages, test_package(&s->packages, "bed-request"), "params.json",
                  arena_str(&s->packages.arena, buf_str(&out)));
    buf_done(&out);
}

static Status county_is(Stage *s, const char *region, Err *err)
{
    assert_int_equal(
        store_setting_put(s->store, STR(FLOW_SETTING_REGION), str_from_c(region), NULL), OK);
    flow_close(s->flow);
    s->flow = NULL;
    return flow_open(s->store, s->packages.source, s->packages.n, &s->flow, err);
}

/* The deadline of a case begun now is as many minutes ahead. */
static void expect_minutes(Stage *s, const char *region, int days, int minutes)
{
    int64_t now = clock_now(&s->clock) + days * MS_DAY, due = 0;
    assert_int_equal(county_is(s, region, NULL), OK);
    clock_set(&s->clock, now);
    StageDone d = stage_start(s, "doctor", STAGE_FORM);
    if (d.status != OK) {
        fail_msg("%.*s", STR_ARG(d.en));
    }
    JsonDoc t = stage_task(s, d.answer.task.id, NULL);
    assert_true(time_parse(json_str_at(&t, JSON_ROOT, "restriction.period.end"), 0, &due));
    assert_int_equal((due - now) / MS_MINUTE, minutes);
    clock_set(&s->clock, now - days * MS_DAY);
}

static void the_most_specific_row_of_the_day_holds(void **state)
{
    Stage *s = *state;
    expect_minutes(s, "", 0, 30);       /* a county without a code */
    expect_minutes(s, "330183", 0, 30); /* of no region that has a row */
    expect_minutes(s, "139901", 0, 4);  /* the county's own begins tomorrow */
    expect_minutes(s, "139901", 1, 6);
    expect_minutes(s, "139902", 1, 4);
    expect_minutes(s, "139902", 3, 2); /* the prefecture's has ended */
    expect_minutes(s, "130101", 3, 2);
    expect_minutes(s, "140101", 0, 9);
}

static void a_region_is_a_code(void **state)
{
    Stage *s = *state;
    static const char *const BAD[] = {"\"1\"", "\"13990\"", "\"1399011\"", "\"13ab\"", "\"**\""};
    FlowPackageSource *p = test_package(&s->packages, "bed-request");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        Err err;
        Buf out;
        err_init(&err, &s->arena);
        buf_init(&out, 0);
        buf_c(&out, "[");
        row_add(&out, "2", BAD[i], "2020-01-01", "null");
        buf_c(&out, "]");
        test_file_set(&s->packages, p, "params.json", arena_str(&s->packages.arena, buf_str(&out)));
        buf_done(&out);
        assert_int_equal(flow_lint(p, &err), ERR_UNPROCESSABLE);
        assert_true(str_find(test_issues(&s->arena, &err), STR("region")) >= 0);
    }
}

static int setup(void **state)
{
    Stage *s = calloc(1, sizeof *s);
    stage_init(s, NULL);
    rows_put(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    stage_done(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_most_specific_row_of_the_day_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_region_is_a_code, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
