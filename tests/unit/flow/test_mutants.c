/*
 * A package's story has to notice: every guard, every restriction of `who` and every release of a
 * slot is taken away in turn, and some story of the county must then fail.
 */
#include <stdio.h>
#include <stdlib.h>

#include "flow_test.h"
#include "json.h"

typedef struct Mutants {
    TestPackages p;
    FlowPackageSource *source;
    JsonDoc doc;
    Str original;
    int made, survived;
} Mutants;

/* The value without what is at `left_out` (an element, or a member's value). */
static void copy_without(JsonWriter *w, const JsonDoc *d, JsonRef r, JsonRef left_out)
{
    JsonType type = json_type(d, r);
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        json_put_raw(w, json_raw(d, r));
        return;
    }
    json_open(w, type == JSON_OBJECT ? '{' : '[');
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        if (it.value == left_out) {
            continue;
        }
        if (type == JSON_OBJECT) {
            json_key_str(w, it.key);
        }
        copy_without(w, d, it.value, left_out);
    }
    json_close(w, type == JSON_OBJECT ? '}' : ']');
}

static bool some_story_fails(Mutants *m)
{
    if (test_story(&m->p, arena_cstr(&m->p.arena, m->source->name), false).failed) {
        return true;
    }
    for (size_t i = 0; i < m->p.n; i++) {
        if (&m->p.source[i] != m->source &&
            test_story(&m->p, arena_cstr(&m->p.arena, m->p.source[i].name), false).failed) {
            return true;
        }
    }
    return false;
}

static void mutate(Mutants *m, Str action, const char *what, JsonRef left_out)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    copy_without(&w, &m->doc, JSON_ROOT, left_out);
    test_file_set(&m->p, m->source, "pathway.json", arena_str(&m->p.arena, buf_str(&out)));
    buf_done(&out);
    m->made++;
    if (!some_story_fails(m)) {
        m->survived++;
        printf("survived: %.*s %.*s without %s\n", STR_ARG(m->source->name), STR_ARG(action), what);
    }
    test_file_set(&m->p, m->source, "pathway.json", m->original);
}

static void action_mutate(Mutants *m, JsonRef action)
{
    const JsonDoc *d = &m->doc;
    Str code = json_str_at(d, action, "code");
    for (JsonIter it = json_iter(d, json_get_c(d, action, "guards")); json_next(&it);) {
        mutate(m, code, "a guard", it.value);
    }
    for (JsonIter it = json_iter(d, json_get_c(d, action, "who")); json_next(&it);) {
        JsonRef role = json_get_c(d, it.value, "role"), at = json_get_c(d, it.value, "at");
        /* Who holds the claim has the role that claims: there the role says nothing new. */
        if (role != JSON_NONE && !str_is(json_str(d, at), "claimant")) {
            mutate(m, code, "a role", role);
        }
        if (at != JSON_NONE) {
            mutate(m, code, "a place (at)", at);
        }
    }
    for (JsonIter it = json_iter(d, json_get_c(d, action, "effects")); json_next(&it);) {
        if (json_get_c(d, it.value, "release") != JSON_NONE) {
            mutate(m, code, "a release", it.value);
        }
    }
}

static void package_mutate(Mutants *m, FlowPackageSource *source)
{
    m->source = source;
    m->original = test_file(source, "pathway.json");
    assert_int_equal(json_parse(&m->p.arena, m->original, &JSON_LIMITS_FHIR, &m->doc, NULL), OK);
    action_mutate(m, json_get_c(&m->doc, JSON_ROOT, "start"));
    for (JsonIter it = json_iter(&m->doc, json_get_c(&m->doc, JSON_ROOT, "entries"));
         json_next(&it);) {
        action_mutate(m, it.value);
    }
    for (JsonIter it = json_iter(&m->doc, json_get_c(&m->doc, JSON_ROOT, "actions"));
         json_next(&it);) {
        action_mutate(m, it.value);
    }
}

static void every_mutant_is_noticed(void **state)
{
    (void)state;
    Mutants m = {0};
    test_packages_init(&m.p);
    test_packages_read(&m.p, PATHWAYS_DIR);
    for (size_t i = 0; i < m.p.n; i++) {
        package_mutate(&m, &m.p.source[i]);
    }
    printf("%d mutants, %d survived\n", m.made, m.survived);
    test_packages_done(&m.p);
    assert_int_equal(m.survived, 0);
    assert_true(m.made > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_mutant_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
