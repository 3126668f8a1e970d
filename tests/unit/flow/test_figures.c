/*
 * A package's story has to notice a wrong indicator: each part that says what is counted is taken
 * away in turn, and each moment is replaced by another one of the package; the story must then
 * fail. Always on files: what is counted is changed here, not what it is counted from; on a server
 * the stories as they are are played by test_stories.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "flow_test.h"
#include "json.h"

#define FILE_NAME "indicators.json"

typedef struct Mutants {
    TestPackages p;
    FlowPackageSource *source;
    JsonDoc doc;
    Str original, indicator;
    int made, survived;
} Mutants;

/* Either taken away (with empty) or other JSON in its place. */
typedef struct Change {
    JsonRef at;
    Str with;
} Change;

static void copy_changed(JsonWriter *w, const JsonDoc *d, JsonRef r, const Change *c)
{
    JsonType type = json_type(d, r);
    if (r == c->at) {
        json_put_raw(w, c->with);
        return;
    }
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        json_put_raw(w, json_raw(d, r));
        return;
    }
    json_open(w, type == JSON_OBJECT ? '{' : '[');
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        if (it.value == c->at && !c->with.n) {
            continue;
        }
        if (type == JSON_OBJECT) {
            json_key_str(w, it.key);
        }
        copy_changed(w, d, it.value, c);
    }
    json_close(w, type == JSON_OBJECT ? '}' : ']');
}

/* The package's own first: it nearly always notices. */
static bool some_story_fails(Mutants *m)
{
    bool failed = test_story(&m->p, arena_cstr(&m->p.arena, m->source->name), false).failed;
    for (size_t i = 0; i < m->p.n && !failed; i++) {
        const FlowPackageSource *other = &m->p.source[i];
        failed = other != m->source &&
                 test_story(&m->p, arena_cstr(&m->p.arena, other->name), false).failed;
    }
    return failed;
}

static void mutate(Mutants *m, const char *what, Change c)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    copy_changed(&w, &m->doc, JSON_ROOT, &c);
    test_file_set(&m->p, m->source, FILE_NAME, buf_take(&out, &m->p.arena));
    m->made++;
    if (!some_story_fails(m)) {
        m->survived++;
        printf("survived: %.*s %.*s: %s %.*s\n", STR_ARG(m->source->name), STR_ARG(m->indicator),
               what, STR_ARG(c.with));
    }
    test_file_set(&m->p, m->source, FILE_NAME, m->original);
}

/* The first state that the moment is not: every package has several. */
static Str other_state(Mutants *m, Str is)
{
    JsonDoc d;
    assert_int_equal(
        json_parse(&m->p.arena, test_file(m->source, "pathway.json"), &JSON_LIMITS_FHIR, &d, NULL),
        OK);
    JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "states"));
    while (json_next(&it)) {
        Str code = json_str_at(&d, it.value, "code");
        if (!str_eq(code, is)) {
            return arena_cat(&m->p.arena, STR("\""), code, STR("\""));
        }
    }
    return STR_NONE;
}

/* {"action": …}, {"state": …}, {"deadline": …} with its bounds. */
static void moment_mutate(Mutants *m, JsonRef moment)
{
    static const char *const BOUNDS[] = {"within", "by", "since"};
    const JsonDoc *d = &m->doc;
    for (size_t i = 0; i < sizeof BOUNDS / sizeof *BOUNDS; i++) {
        JsonRef bound = json_get_c(d, moment, BOUNDS[i]);
        if (bound != JSON_NONE) {
            mutate(m, BOUNDS[i], (Change){.at = bound});
        }
    }
    JsonRef state = json_get_c(d, moment, "state");
    if (state != JSON_NONE) {
        mutate(m, "another state", (Change){state, other_state(m, json_str(d, state))});
    }
    JsonRef action = json_get_c(d, moment, "action"), deadline = json_get_c(d, moment, "deadline");
    if (action != JSON_NONE || deadline != JSON_NONE) {
        Str other = arena_cat(&m->p.arena, STR("{\"state\":"), other_state(m, STR_NONE), STR("}"));
        mutate(m, "another moment", (Change){moment, other});
    }
}

static void indicator_mutate(Mutants *m, JsonRef indicator)
{
    static const char *const MOMENTS[] = {"numerator", "denominator", "from", "to"};
    const JsonDoc *d = &m->doc;
    JsonRef institution = json_get_c(d, indicator, "institution");
    m->indicator = json_str_at(d, indicator, "code");
    mutate(m, "removed", (Change){.at = indicator});
    if (institution != JSON_NONE) {
        mutate(m, "another institution", (Change){institution, STR("\"requester\"")});
    }
    for (size_t i = 0; i < sizeof MOMENTS / sizeof *MOMENTS; i++) {
        JsonRef moment = json_get_c(d, indicator, MOMENTS[i]);
        if (moment != JSON_NONE) {
            moment_mutate(m, moment);
        }
    }
}

static void every_mutant_is_noticed(void **state)
{
    (void)state;
    Mutants m = {0};
    test_packages_init(&m.p);
    test_packages_read(&m.p, PATHWAYS_DIR);
    for (size_t i = 0; i < m.p.n; i++) {
        m.source = &m.p.source[i];
        m.original = test_file(m.source, FILE_NAME);
        assert_int_equal(json_parse(&m.p.arena, m.original, &JSON_LIMITS_FHIR, &m.doc, NULL), OK);
        for (JsonIter it = json_iter(&m.doc, JSON_ROOT); json_next(&it);) {
            indicator_mutate(&m, it.value);
        }
    }
    printf("%d mutants, %d survived\n", m.made, m.survived);
    test_packages_done(&m.p);
    assert_int_equal(m.survived, 0);
    assert_true(m.made > 60);
}

int main(void)
{
    unsetenv("MENKOU_TEMPORARY_DB");
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_mutant_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
