/*
 * What a story expects of the figures: a number, null for a missing one, or an object with the
 * number (`value`), how many it is of (`of`) and strata (`by`: stratifier → stratum → number).
 */
#include <math.h>

#include "flow_story_inner.h"

#define SAME 0.0001 /* figures are told with four decimals */

/* A score as the report tells it; false: missing. */
static bool score_read(const JsonDoc *d, JsonRef group, double *ret)
{
    return json_to_double(d, json_at(d, group, "measureScore.value"), ret);
}

static void score_expect(Story *s, Str what, const JsonDoc *d, JsonRef group, JsonRef wanted)
{
    double is, should;
    bool known = score_read(d, group, &is);
    if (!json_to_double(s->doc, wanted, &should)) {
        if (known) {
            story_fail(s, "the figure %.*s is %g, but should be missing", STR_ARG(what), is);
        }
    } else if (!known) {
        story_fail(s, "the figure %.*s is missing, %g expected", STR_ARG(what), should);
    } else if (fabs(is - should) > SAME) {
        story_fail(s, "the figure %.*s is %g, %g expected", STR_ARG(what), is, should);
    }
}

/* Of how many: the denominator of a share, the cases of a median. */
static void of_expect(Story *s, Str what, const JsonDoc *d, JsonRef group, int64_t wanted)
{
    int64_t n = -1;
    json_to_i64(d, json_at(d, group, "population.0.count"), &n);
    if (n != wanted) {
        story_fail(s, "the figure %.*s is of %lld, %lld expected", STR_ARG(what), (long long)n,
                   (long long)wanted);
    }
}

static JsonRef coded_find(const JsonDoc *d, JsonRef list, const char *path, Str code)
{
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, path), code)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

static void strata_expect(Story *s, Str what, const JsonDoc *d, JsonRef group, JsonRef by)
{
    for (JsonIter it = json_iter(s->doc, by); json_next(&it);) {
        JsonRef split =
            coded_find(d, json_get_c(d, group, "stratifier"), "code.0.coding.0.code", it.key);
        for (JsonIter k = json_iter(s->doc, it.value); json_next(&k);) {
            JsonRef one =
                coded_find(d, json_get_c(d, split, "stratum"), "value.coding.0.code", k.key);
            Str name = arena_cat(&s->scratch, what, STR(" by "), it.key, STR(" "), k.key);
            score_expect(s, name, d, one, k.value);
        }
    }
}

static void figure_expect(Story *s, Str code, const JsonDoc *d, JsonRef group, JsonRef wanted)
{
    int64_t of;
    if (json_type(s->doc, wanted) != JSON_OBJECT) {
        score_expect(s, code, d, group, wanted);
        return;
    }
    score_expect(s, code, d, group, json_get_c(s->doc, wanted, "value"));
    if (json_to_i64(s->doc, json_get_c(s->doc, wanted, "of"), &of)) {
        of_expect(s, code, d, group, of);
    }
    strata_expect(s, code, d, group, json_get_c(s->doc, wanted, "by"));
}

/* The report of an indicator of the story's package, or of "OTHER/CODE". */
static JsonRef group_find(Story *s, const JsonDoc *d, Str code)
{
    Str package = s->package, own = code, head, tail;
    if (str_cut(code, '/', &head, &tail)) {
        package = head;
        own = tail;
    }
    Str system = arena_cat(&s->scratch, STR("urn:menkou:indicator:"), package);
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "entry")); json_next(&it);) {
        JsonRef group = json_at(d, it.value, "resource.group.0");
        if (str_eq(json_str_at(d, group, "code.coding.0.system"), system) &&
            str_eq(json_str_at(d, group, "code.coding.0.code"), own)) {
            return group;
        }
    }
    return JSON_NONE;
}

static bool period_read(Story *s, JsonRef step, int64_t ret[2])
{
    JsonRef period = json_get_c(s->doc, step, "period");
    DateTime from, to;
    int64_t unused;
    Str first = json_str_at(s->doc, JSON_ROOT, "now");
    if (period != JSON_NONE) {
        first = json_str(s->doc, json_item(s->doc, period, 0));
    }
    Str last = period == JSON_NONE ? time_iso(&s->scratch, clock_now(&s->clock), ZONE_CHINA_MIN)
                                   : json_str(s->doc, json_item(s->doc, period, 1));
    if (!datetime_parse(str_take(first, 10), &from) || !datetime_parse(str_take(last, 10), &to)) {
        return false;
    }
    datetime_range(&from, ZONE_CHINA_MIN, &ret[0], &unused);
    datetime_range(&to, ZONE_CHINA_MIN, &unused, &ret[1]);
    return true;
}

void story_figures(Story *s, Person *p, JsonRef step)
{
    Err err;
    Str bundle;
    JsonDoc d;
    int64_t period_ms[2];
    err_init(&err, &s->scratch);
    p->caller.view.now_ms = clock_now(&s->clock);
    if (!period_read(s, step, period_ms)) {
        story_fail(s, "period should be two days, like [\"2026-03-01\", \"2026-03-31\"]");
    } else if (s->figures(s->flow, s->store, s->reader, &p->caller, period_ms, &s->scratch, &bundle,
                          &err) != OK ||
               json_parse(&s->scratch, bundle, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        story_fail(s, "no figures: %.*s", STR_ARG(story_reason(&err)));
    } else {
        JsonRef wanted = json_get_c(s->doc, step, "figures");
        for (JsonIter it = json_iter(s->doc, wanted); json_next(&it);) {
            JsonRef group = group_find(s, &d, it.key);
            if (group == JSON_NONE) {
                story_fail(s, "there is no figure %.*s", STR_ARG(it.key));
            } else {
                figure_expect(s, it.key, &d, group, it.value);
            }
        }
    }
}
