/* One indicator as a MeasureReport: the number, its strata, its rows. */
#include <math.h>
#include <stdlib.h>

#include "fhir_write.h"
#include "insight_inner.h"

#include "mk_banned.h"

#define ABSENT                                                                                     \
    "{\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/data-absent-reason\","     \
    "\"valueCode\":\"unknown\"}]}"
#define UCUM              "http://unitsofmeasure.org"
#define SYSTEM_POPULATION "http://terminology.hl7.org/CodeSystem/measure-population"
#define SYSTEM_DIRECTION  "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
#define SYSTEM_PRIORITY   "http://hl7.org/fhir/request-priority"
#define WORD_BITS         21

/* ---- The number ------------------------------------------------------------------------------ */

static void population_put(JsonWriter *w, const char *code, size_t n, bool known)
{
    json_open(w, '{');
    fhir_concept_put(w, "code", STR(SYSTEM_POPULATION), str_from_c(code), STR_NONE);
    if (known) {
        json_member_i64(w, "count", (int64_t)n);
    } else {
        json_key(w, "_count");
        json_put_raw(w, STR(ABSENT));
    }
    json_close(w, '}');
}

static void populations_put(JsonWriter *w, FlowFigure figure, Sum s, bool known)
{
    json_key_open(w, "population", '[');
    switch (figure) {
    case FLOW_FIGURE_COUNT:
        population_put(w, "numerator", s.n, known);
        break;
    case FLOW_FIGURE_SHARE:
        population_put(w, "denominator", s.n, known);
        population_put(w, "numerator", s.above, known);
        break;
    case FLOW_FIGURE_MINUTES:
        population_put(w, "measure-population", s.n, known);
        break;
    }
    json_close(w, ']');
}

/* At most four decimals, none of them a trailing zero. */
static void number_put(Report const *r, JsonWriter *w, double v)
{
    int64_t scaled = (int64_t)llround(v * 10000);
    Str text = arena_printf(r->arena, "%lld.%04lld", (long long)(scaled / 10000),
                            (long long)(scaled % 10000));
    while (text.p[text.n - 1] == '0') {
        text.n--;
    }
    text.n -= text.p[text.n - 1] == '.' ? 1 : 0;
    json_put_raw(w, text);
}

static void score_put(const Report *r, JsonWriter *w, FlowFigure figure, Sum s, bool touched)
{
    bool known = figure == FLOW_FIGURE_COUNT ? s.n || touched : s.n > 0;
    json_key(w, "measureScore");
    if (!known) {
        json_put_raw(w, STR(ABSENT));
        return;
    }
    double value = figure == FLOW_FIGURE_COUNT   ? (double)s.n
                   : figure == FLOW_FIGURE_SHARE ? (double)s.above / (double)s.n
                                                 : s.median;
    bool minutes = figure == FLOW_FIGURE_MINUTES;
    json_open(w, '{');
    json_key(w, "value");
    number_put(r, w, value);
    json_member_c(w, "unit", minutes ? "min" : "1");
    json_member_c(w, "system", UCUM);
    json_member_c(w, "code", minutes ? "min" : "1");
    json_close(w, '}');
}

/* ---- Strata ---------------------------------------------------------------------------------- */

typedef struct Split {
    const Report *report;
    const Counted *counted;
} Split;

static Word institution_of(const FlowIndicator *i, const Hit *h)
{
    return i->institution == FLOW_OF_REQUESTER ? h->c->requester
           : i->institution == FLOW_OF_OWNER   ? h->at->before
                                               : h->at->after;
}

static Word place_of(const Report *r, Word w)
{
    return (r->query->branches ? places_branch(r->places, w) : places_get(r->places, w))->self;
}

static uint64_t institution_key(void *ctx, const Hit *h)
{
    const Split *s = ctx;
    return place_of(s->report, institution_of(s->counted->rule->indicator, h));
}

static uint64_t priority_key(void *ctx, const Hit *h)
{
    (void)ctx;
    return h->c->priority;
}

/* From, to, and where it stands now. */
static uint64_t path_key(void *ctx, const Hit *h)
{
    const Split *s = ctx;
    return (uint64_t)place_of(s->report, h->c->requester) << 2 * WORD_BITS |
           (uint64_t)place_of(s->report, h->at->after) << WORD_BITS | h->c->state;
}

static uint64_t interval_key(void *ctx, const Hit *h)
{
    const Report *r = ((const Split *)ctx)->report;
    size_t low = 0, high = r->starts_n;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(r->starts[middle] <= h->at->at_ms ? &low : &high) = middle;
    }
    return low;
}

static void place_put(const Report *r, JsonWriter *w, Word word)
{
    const Place *p = places_get(r->places, word);
    fhir_concept_put(w, "value", STR("urn:menkou:organization"), p->id, p->name);
}

static Str state_title(const Report *r, const FlowCounted *pkg, Str state)
{
    for (size_t i = 0; i < pkg->state_n; i++) {
        if (str_eq(pkg->state[i], state)) {
            return flow_text(pkg->state_title[i], r->query->caller->lang);
        }
    }
    return state;
}

static void institution_value(const Split *s, JsonWriter *w, uint64_t key)
{
    place_put(s->report, w, (Word)key);
}

static void priority_value(const Split *s, JsonWriter *w, uint64_t key)
{
    static const struct {
        const char *code;
        FlowText title;
    } TITLES[] = {{"routine", {STR("常规"), STR("Routine")}},
                  {"urgent", {STR("紧急"), STR("Urgent")}},
                  {"asap", {STR("尽快"), STR("As soon as possible")}},
                  {"stat", {STR("即刻"), STR("At once")}}};
    Str code = key ? s->report->facts->words.text[key] : STR_NONE, title = code;
    for (size_t i = 0; i < sizeof TITLES / sizeof TITLES[0]; i++) {
        title = str_is(code, TITLES[i].code)
                    ? flow_text(TITLES[i].title, s->report->query->caller->lang)
                    : title;
    }
    fhir_concept_put(w, "value", STR(SYSTEM_PRIORITY), code, title);
}

static void interval_value(const Split *s, JsonWriter *w, uint64_t key)
{
    const Report *r = s->report;
    Str day = time_iso_day(r->arena, r->starts[key], r->zone_min);
    fhir_concept_put(w, "value", STR("urn:menkou:interval"), day, day);
}

static void component_open(JsonWriter *w, const char *code)
{
    json_open(w, '{');
    fhir_concept_put(w, "code", STR("urn:menkou:stratifier"), str_from_c(code), STR_NONE);
}

static void path_value(const Split *s, JsonWriter *w, uint64_t key)
{
    const Report *r = s->report;
    const FlowCounted *pkg = s->counted->rule->pkg;
    uint64_t mask = (1u << WORD_BITS) - 1;
    Str state = key & mask ? r->facts->words.text[key & mask] : STR_NONE;
    json_key_open(w, "component", '[');
    component_open(w, "requester");
    place_put(r, w, (Word)(key >> 2 * WORD_BITS));
    json_close(w, '}');
    component_open(w, "receiver");
    place_put(r, w, (Word)(key >> WORD_BITS & mask));
    json_close(w, '}');
    component_open(w, "state");
    fhir_concept_put(w, "value", arena_cat(r->arena, STR("urn:menkou:state:"), pkg->name), state,
                     state_title(r, pkg, state));
    json_close(w, '}');
    json_close(w, ']');
}

typedef void StratumValue(const Split *s, JsonWriter *w, uint64_t key);

static void stratifier_put(const Report *r, JsonWriter *w, const Counted *c, const char *code,
                           StratumKey *key, StratumValue *value)
{
    Split split = {r, c};
    Stratum *stratum;
    FlowFigure figure = c->rule->indicator->figure;
    size_t n = counted_strata(r->arena, c, key, &split, &stratum);
    if (!n) {
        return;
    }
    json_open(w, '{');
    json_key_open(w, "code", '[');
    json_put_raw(w, arena_cat(r->arena,
                              STR("{\"coding\":[{\"system\":\"urn:menkou:stratifier\","
                                  "\"code\":\""),
                              str_from_c(code), STR("\"}]}")));
    json_close(w, ']');
    json_key_open(w, "stratum", '[');
    for (size_t i = 0; i < n; i++) {
        json_open(w, '{');
        value(&split, w, stratum[i].key);
        populations_put(w, figure, stratum[i].sum, true);
        score_put(r, w, figure, stratum[i].sum, true);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void stratifiers_put(const Report *r, JsonWriter *w, const Counted *c)
{
    unsigned strata = c->rule->indicator->strata;
    if (!c->n) {
        return;
    }
    json_key_open(w, "stratifier", '[');
    stratifier_put(r, w, c, "institution", institution_key, institution_value);
    if (strata & FLOW_BY_PRIORITY) {
        stratifier_put(r, w, c, "priority", priority_key, priority_value);
    }
    if (strata & FLOW_BY_PATH) {
        stratifier_put(r, w, c, "path", path_key, path_value);
    }
    if (r->starts_n) {
        stratifier_put(r, w, c, "interval", interval_key, interval_value);
    }
    json_close(w, ']');
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static int newest_first(const void *x, const void *y)
{
    const Hit *p = x, *q = y;
    int order = (q->at->at_ms > p->at->at_ms) - (q->at->at_ms < p->at->at_ms);
    return order ? order : str_cmp(p->c->id, q->c->id);
}

static void row_put(const Report *r, JsonWriter *w, const Counted *c, const Hit *h)
{
    json_open(w, '{');
    json_key_open(w, "extension", '[');
    json_open(w, '{');
    json_member_c(w, "url", "urn:menkou:counted-at");
    json_member_str(w, "valueDateTime", time_iso(r->arena, h->at->at_ms, r->zone_min));
    json_close(w, '}');
    if (c->rule->indicator->figure == FLOW_FIGURE_SHARE) {
        json_put_raw(w, h->above
                            ? STR("{\"url\":\"urn:menkou:numerator\",\"valueBoolean\":true}")
                            : STR("{\"url\":\"urn:menkou:numerator\",\"valueBoolean\":false}"));
    } else if (c->rule->indicator->figure == FLOW_FIGURE_MINUTES) {
        json_open(w, '{');
        json_member_c(w, "url", "urn:menkou:minutes");
        json_key(w, "valueDecimal");
        number_put(r, w, h->minutes);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_member_str(w, "reference", arena_cat(r->arena, STR("Task/"), h->c->id));
    json_close(w, '}');
}

static void rows_put(const Report *r, JsonWriter *w, const Counted *c)
{
    size_t n = c->n < r->query->rows ? c->n : r->query->rows;
    if (!n) {
        return;
    }
    qsort(c->hit, c->n, sizeof *c->hit, newest_first);
    json_key_open(w, "evaluatedResource", '[');
    for (size_t i = 0; i < n; i++) {
        row_put(r, w, c, &c->hit[i]);
    }
    json_close(w, ']');
}

/* ---- The report ------------------------------------------------------------------------------ */

static void extension_code(JsonWriter *w, const char *url, const char *key, Str value)
{
    if (value.n) {
        json_open(w, '{');
        json_member_c(w, "url", url);
        json_member_str(w, key, value);
        json_close(w, '}');
    }
}

/* What R4's MeasureReport has no place for: the words of the indicator, and rows left out. */
static void extensions_put(const Report *r, JsonWriter *w, const Counted *c)
{
    static const char *const KINDS[] = {"count", "share", "median-minutes"};
    const FlowIndicator *i = c->rule->indicator;
    const FlowCounted *pkg = c->rule->pkg;
    Lang lang = r->query->caller->lang;
    json_key_open(w, "extension", '[');
    extension_code(w, "urn:menkou:kind", "valueCode", str_from_c(KINDS[i->figure]));
    extension_code(w, "urn:menkou:pathway", "valueCode", pkg->name);
    extension_code(w, "urn:menkou:pathway-title", "valueString", flow_text(pkg->title, lang));
    extension_code(w, "urn:menkou:description", "valueString", flow_text(i->description, lang));
    if (r->query->rows && c->n > r->query->rows) {
        json_put_raw(w, arena_printf(r->arena,
                                     "{\"url\":\"urn:menkou:rows-left\",\"valueInteger\":%zu}",
                                     c->n - r->query->rows));
    }
    json_close(w, ']');
}

/* Whose figures, of which time; the last millisecond is the period's own. */
static void scope_put(const Report *r, JsonWriter *w)
{
    if (r->places->root) {
        const Place *root = places_get(r->places, r->places->root);
        fhir_reference_put(w, "reporter", r->places->words->text[root->self], root->name);
    }
    json_key_open(w, "period", '{');
    json_member_str(w, "start", time_iso(r->arena, r->query->from_ms, r->zone_min));
    json_member_str(w, "end", time_iso(r->arena, r->query->to_ms - 1, r->zone_min));
    json_close(w, '}');
}

static void head_put(const Report *r, JsonWriter *w, const Counted *c)
{
    const FlowIndicator *i = c->rule->indicator;
    const FlowCounted *pkg = c->rule->pkg;
    extensions_put(r, w, c);
    json_member_c(w, "status", "complete");
    json_member_c(w, "type", "subject-list");
    json_member_str(w, "measure",
                    arena_cat(r->arena, STR("urn:menkou:measure:"), pkg->name, STR(":"), i->code,
                              STR("|"), pkg->version));
    json_member_str(w, "date", time_iso(r->arena, r->query->now_ms, r->zone_min));
    scope_put(r, w);
    if (i->direction != FLOW_EITHER) {
        fhir_concept_put(w, "improvementNotation", STR(SYSTEM_DIRECTION),
                         i->direction == FLOW_MORE ? STR("increase") : STR("decrease"), STR_NONE);
    }
}

void report_put(const Report *r, JsonWriter *w, const Counted *c)
{
    const FlowIndicator *i = c->rule->indicator;
    Sum sum = counted_sum(r->arena, c->hit, c->n);
    json_open(w, '{');
    json_member_c(w, "resourceType", "MeasureReport");
    head_put(r, w, c);
    json_key_open(w, "group", '[');
    json_open(w, '{');
    fhir_concept_put(w, "code",
                     arena_cat(r->arena, STR("urn:menkou:indicator:"), c->rule->pkg->name), i->code,
                     flow_text(i->title, r->query->caller->lang));
    populations_put(w, i->figure, sum, c->n || c->touched);
    score_put(r, w, i->figure, sum, c->touched);
    stratifiers_put(r, w, c);
    json_close(w, '}');
    json_close(w, ']');
    rows_put(r, w, c);
    json_close(w, '}');
}
