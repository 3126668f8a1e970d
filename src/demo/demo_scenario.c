#include "demo_inner.h"

void demo_range_read(const JsonDoc *d, JsonRef object, const char *key, int *lo, int *hi)
{
    JsonRef range = json_get_c(d, object, key);
    int64_t v;
    if (json_to_i64(d, json_item(d, range, 0), &v)) {
        *lo = (int)v;
        *hi = (int)v;
    }
    if (json_to_i64(d, json_item(d, range, 1), &v)) {
        *hi = (int)v;
    }
}

static DemoStep step_read(const JsonDoc *d, JsonRef at)
{
    DemoStep s = {0};
    s.role = json_str_at(d, at, "role");
    s.start = json_str_at(d, at, "start");
    s.act = json_str_at(d, at, "act");
    s.on = json_str_at(d, at, "on");
    s.as = json_str_at(d, at, "as");
    s.held = json_str_at(d, at, "held");
    s.of = json_str_at(d, at, "of");
    s.answers = json_get_c(d, at, "answers");
    demo_range_read(d, at, "wait", &s.wait_min, &s.wait_max);
    return s;
}

static DemoScenario scenario_read(Arena *a, const JsonDoc *d, JsonRef at)
{
    DemoScenario s = {.ago_min = 24 * 60, .ago_max = DEMO_DAYS_BACK * 24 * 60 - 60, .age_max = 150};
    int64_t v;
    s.weight = json_to_i64(d, json_get_c(d, at, "weight"), &v) ? (int)v : 0;
    s.count = json_to_i64(d, json_get_c(d, at, "count"), &v) ? (int)v : 0;
    demo_range_read(d, at, "ago", &s.ago_min, &s.ago_max);
    demo_range_read(d, at, "age", &s.age_min, &s.age_max);
    JsonRef steps = json_get_c(d, at, "steps");
    DemoStep *list = arena_array(a, DemoStep, json_count(d, steps) + 1);
    for (JsonIter it = json_iter(d, steps); json_next(&it);) {
        list[s.steps_n++] = step_read(d, it.value);
    }
    s.step = list;
    return s;
}

Status demo_script_read(Arena *a, Str text, DemoScript *ret, Err *err)
{
    DemoScript s = {0};
    TRY(json_parse(a, text, &JSON_LIMITS_FHIR, &s.doc, err));
    JsonRef all = json_get_c(&s.doc, JSON_ROOT, "scenarios");
    DemoScenario *list = arena_array(a, DemoScenario, json_count(&s.doc, all) + 1);
    for (JsonIter it = json_iter(&s.doc, all); json_next(&it);) {
        list[s.n] = scenario_read(a, &s.doc, it.value);
        s.weight_all += list[s.n].weight;
        s.n++;
    }
    s.scenario = list;
    *ret = s;
    return OK;
}
