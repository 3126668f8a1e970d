/*
 * Observation/$stats (R4): statistics of a subject's measurements, one Observation for each code.
 * A code is looked for in Observation.code and in components. Values count when they are numbers
 * with a UCUM unit that converts into the unit of the first; what does not is in total-count alone.
 */
#include <math.h>

#include "api_inner.h"
#include "api_stats_core.h"
#include "fhir_unit.h"
#include "fhir_write.h"

#define MEASURED_MAX 20000
#define CODES_MAX    20
#define KINDS_MAX    32
#define SOURCES_MAX  1000
#define PAGE_BYTES   ((size_t)128 << 20)
#define KIND_SYSTEM  "http://terminology.hl7.org/CodeSystem/observation-statistics"
#define UCUM_SYSTEM  "http://unitsofmeasure.org"

typedef struct Code {
    Str system, code, display;
    Str unit;       /* UCUM, of the first measurement */
    FhirUnit known; /* of `unit` */
    StatsList list;
    size_t room;
} Code;

typedef struct Ask {
    ApiCall *c;
    Str subject, system;
    Code code[CODES_MAX];
    size_t code_n;
    const StatsKind *kind[KINDS_MAX];
    size_t kind_n;
    int64_t from_ms, to_ms; /* TIME_NONE, TIME_FOREVER */
    double hours;           /* 0: not given */
    bool include;
    size_t limit;
    Str *source; /* bodies */
    size_t source_n;
} Ask;

static const char KNOWN[] =
    "subject, code, system, coding, duration, period, statistic, include, limit";

/* ---- What is asked ------------------------------------------------------------------------ */

static Status code_add(Ask *ask, Str name, Str system, Str code, Str display)
{
    if (ask->code_n == CODES_MAX || !code.n) {
        return api_ask_bad(ask->c, name, "缺少代码，或过多",
                           "is without a code, or given too often");
    }
    ask->code[ask->code_n++] = (Code){.system = system, .code = code, .display = display};
    return OK;
}

static Status coding_take(Ask *ask, const ApiAsked *asked)
{
    if (!asked->doc) {
        Str system, code;
        bool both = str_cut(asked->value, '|', &system, &code);
        return code_add(ask, asked->name, both ? system : STR_NONE, both ? code : asked->value,
                        STR_NONE);
    }
    JsonRef coding = json_get_c(asked->doc, asked->part, "valueCoding");
    return code_add(ask, asked->name, json_str_at(asked->doc, coding, "system"),
                    json_str_at(asked->doc, coding, "code"),
                    json_str_at(asked->doc, coding, "display"));
}

static Status statistic_take(Ask *ask, const ApiAsked *asked)
{
    for (Str rest = asked->value, one; rest.n;) {
        str_cut(rest, ',', &one, &rest);
        const StatsKind *kind = stats_kind(one);
        if (!kind || ask->kind_n == KINDS_MAX) {
            return err_add(&ask->c->err, ERR_INVALID, "value", asked->name,
                           "没有统计量 %.*s；可用：%.*s",
                           "There is no statistic %.*s; known are %.*s", STR_ARG(one),
                           STR_ARG(stats_kinds(ask->c->arena)));
        }
        ask->kind[ask->kind_n++] = kind;
    }
    return OK;
}

static bool number_of(Str text, double *ret)
{
    JsonDoc d;
    Arena a;
    arena_init(&a, 4096);
    bool ok = json_parse(&a, text, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
              json_to_double(&d, JSON_ROOT, ret);
    arena_done(&a);
    return ok;
}

/* A Period, or "start/end" in a query. */
static Status period_take(Ask *ask, const ApiAsked *asked)
{
    Str from, to;
    int64_t lo_ms;
    DateTime at;
    if (asked->doc) {
        from = json_str_at(asked->doc, asked->part, "valuePeriod.start");
        to = json_str_at(asked->doc, asked->part, "valuePeriod.end");
    } else {
        str_cut(asked->value, '/', &from, &to);
    }
    bool ok = from.n || to.n;
    if (from.n) {
        ok = ok && time_parse(from, ask->c->api->options.zone_min, &ask->from_ms);
    }
    if (to.n) {
        ok = ok && datetime_parse(to, &at);
    }
    if (!ok) {
        return api_ask_bad(ask->c, asked->name, "应为时段", "must be a period");
    }
    if (to.n) {
        datetime_range(&at, ask->c->api->options.zone_min, &lo_ms, &ask->to_ms);
    }
    return OK;
}

static Status value_take(void *ctx, const ApiAsked *asked)
{
    Ask *ask = ctx;
    Str name = asked->name;
    if (str_is(name, "coding")) {
        return coding_take(ask, asked);
    }
    if (str_is(name, "code")) {
        return code_add(ask, name, STR_NONE, asked->value, STR_NONE);
    }
    if (str_is(name, "statistic")) {
        return statistic_take(ask, asked);
    }
    if (str_is(name, "period")) {
        return period_take(ask, asked);
    }
    if (str_is(name, "duration")) {
        return number_of(asked->value, &ask->hours) && ask->hours > 0
                   ? OK
                   : api_ask_bad(ask->c, name, "应为小时数", "must be a number of hours");
    }
    if (str_is(name, "limit")) {
        return api_ask_number(ask->c, asked, SOURCES_MAX, &ask->limit);
    }
    if (str_is(name, "subject") || str_is(name, "system")) {
        *(str_is(name, "subject") ? &ask->subject : &ask->system) = asked->value;
        return OK;
    }
    if (str_is(name, "include")) {
        ask->include = str_is(asked->value, "true");
        return OK;
    }
    return api_ask_unknown(ask->c, name, KNOWN);
}

static Status needed(Ask *ask, const char *name)
{
    return err_add(&ask->c->err, ERR_INVALID, "required", str_from_c(name), "缺少参数 %s",
                   "The parameter %s is missing", name);
}

static Status ask_settle(Ask *ask)
{
    if (!ask->subject.n) {
        return needed(ask, "subject");
    }
    if (!ask->code_n) {
        return needed(ask, "code");
    }
    if (!ask->kind_n) {
        return needed(ask, "statistic");
    }
    for (size_t i = 0; i < ask->code_n; i++) {
        ask->code[i].system = ask->code[i].system.n ? ask->code[i].system : ask->system;
    }
    if (ask->hours > 0) {
        ask->to_ms = clock_now(ask->c->api->options.clock);
        ask->from_ms = ask->to_ms - (int64_t)(ask->hours * (double)MS_HOUR);
    }
    return OK;
}

/* ---- Measurements ------------------------------------------------------------------------- */

static bool code_fits(const Code *code, const JsonDoc *d, JsonRef concept)
{
    for (JsonIter it = json_iter(d, json_get_c(d, concept, "coding")); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "code"), code->code) &&
            (!code->system.n || str_eq(json_str_at(d, it.value, "system"), code->system))) {
            return true;
        }
    }
    return false;
}

static void point_add(Ask *ask, Code *code, StatsPoint p)
{
    StatsList *l = &code->list;
    if (l->n == code->room) {
        size_t room = code->room ? code->room * 2 : 64;
        StatsPoint *more = arena_array(ask->c->arena, StatsPoint, room);
        for (size_t i = 0; i < l->n; i++) {
            more[i] = l->at[i];
        }
        l->at = more;
        code->room = room;
    }
    l->at[l->n++] = p;
}

/* Of linear units by factor and offset; others only when they are written the same. */
static bool into_unit(const Code *code, Str unit, double *value)
{
    FhirUnit from;
    if (str_eq(unit, code->unit)) {
        return true;
    }
    if (!fhir_unit_parse(unit, &from) || !fhir_unit_is_linear(&from) ||
        !fhir_unit_is_linear(&code->known) || !fhir_unit_same_dimension(&from, &code->known)) {
        return false;
    }
    *value = (*value * from.factor + from.offset - code->known.offset) / code->known.factor;
    return true;
}

static void value_add(Ask *ask, Code *code, const JsonDoc *d, JsonRef holder, int64_t at_ms)
{
    JsonRef quantity = json_get_c(d, holder, "valueQuantity");
    double value;
    Str unit = json_str_at(d, quantity, "code");
    code->list.total++;
    if (!json_to_double(d, json_get_c(d, quantity, "value"), &value) || !unit.n ||
        !str_is(json_str_at(d, quantity, "system"), UCUM_SYSTEM) ||
        json_get_c(d, quantity, "comparator") != JSON_NONE) {
        return;
    }
    if (!code->unit.n && fhir_unit_parse(unit, &code->known)) {
        code->unit = arena_str(ask->c->arena, unit);
    }
    if (code->unit.n && into_unit(code, unit, &value)) {
        point_add(ask, code, (StatsPoint){at_ms, value});
    }
}

static bool observation_add(Ask *ask, Code *code, const JsonDoc *d)
{
    int64_t at_ms = 0;
    bool any = code_fits(code, d, json_get_c(d, JSON_ROOT, "code"));
    Str at = json_str_at(d, JSON_ROOT, "effectiveDateTime");
    at = at.n ? at : json_str_at(d, JSON_ROOT, "effectiveInstant");
    at = at.n ? at : json_str_at(d, JSON_ROOT, "effectivePeriod.start");
    (void)time_parse(at, ask->c->api->options.zone_min, &at_ms);
    if (any) {
        value_add(ask, code, d, JSON_ROOT, at_ms);
    }
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "component")); json_next(&it);) {
        if (code_fits(code, d, json_get_c(d, it.value, "code"))) {
            value_add(ask, code, d, it.value, at_ms);
            any = true;
        }
    }
    return any;
}

static Status hit_add(Ask *ask, Arena *a, Code *code, const StoreHit *h)
{
    ApiCall *c = ask->c;
    JsonDoc d;
    TRY(json_parse(a, h->body, &JSON_LIMITS_FHIR, &d, &c->err));
    if (observation_add(ask, code, &d) && ask->include && ask->source_n < ask->limit) {
        ask->source[ask->source_n++] = arena_str(c->arena, h->body);
    }
    for (size_t i = 0; i < h->patients_n; i++) {
        api_touch(c, arena_str(c->arena, h->patients[i]));
    }
    return code->list.total <= MEASURED_MAX
               ? OK
               : err_add(&c->err, ERR_TOO_MANY, "too-costly", STR("period"), "测量过多，请缩短时段",
                         "There are too many measurements; a shorter period, "
                         "please");
}

static Str query_of(Ask *ask, const Code *code)
{
    Arena *a = ask->c->arena;
    Buf q;
    buf_init(&q, 0);
    buf_c(&q, "_count=500&_sort=date&status:not=entered-in-error&subject=");
    buf_url(&q, ask->subject);
    buf_c(&q, "&combo-code=");
    if (code->system.n) {
        buf_url(&q, code->system);
        buf_c(&q, "|");
    }
    buf_url(&q, code->code);
    if (ask->from_ms != TIME_NONE) {
        buf_c(&q, "&date=ge");
        buf_url(&q, time_iso(a, ask->from_ms, 0));
    }
    if (ask->to_ms != TIME_FOREVER) {
        buf_c(&q, "&date=lt");
        buf_url(&q, time_iso(a, ask->to_ms, 0));
    }
    return buf_take(&q, a);
}

static Status page_measure(Ask *ask, Code *code, Str query, Str *cursor)
{
    ApiCall *c = ask->c;
    Arena a;
    StoreQuery *q;
    StorePage page;
    arena_init(&a, PAGE_BYTES);
    Status s = store_query_parse(c->api->store, &a, STR("Observation"), query, false,
                                 c->api->options.zone_min, &q, &c->err);
    s = s == OK ? store_search(c->reader, &a, q, &c->caller->view, *cursor, &page, &c->err) : s;
    for (size_t i = 0; s == OK && i < page.hits_n; i++) {
        s = hit_add(ask, &a, code, &page.hits[i]);
    }
    *cursor = s == OK ? arena_str(c->arena, page.next) : STR_NONE;
    arena_done(&a);
    return s;
}

static Status code_measure(Ask *ask, Code *code)
{
    Str cursor = STR_NONE, query = query_of(ask, code);
    do {
        TRY(page_measure(ask, code, query, &cursor));
    } while (cursor.n);
    stats_sort(ask->c->arena, &code->list);
    return OK;
}

/* ---- The answer --------------------------------------------------------------------------- */

static Str unit_of(Ask *ask, const Code *code, StatsUnit unit)
{
    Arena *a = ask->c->arena;
    return unit == STATS_PURE      ? STR("1")
           : unit == STATS_SQUARED ? arena_cat(a, STR("("), code->unit, STR(")2"))
           : unit == STATS_DAILY   ? arena_cat(a, STR("("), code->unit, STR(")/d"))
                                   : code->unit;
}

static void result_write(Ask *ask, JsonWriter *w, const Code *code, const StatsKind *kind,
                         Str display, StatsUnit unit, double value)
{
    json_open(w, '{');
    fhir_concept_put(w, "code", STR(KIND_SYSTEM), str_from_c(kind->code), display);
    if (isfinite(value)) {
        json_key_open(w, "valueQuantity", '{');
        json_key(w, "value");
        json_put_raw(w, arena_printf(ask->c->arena, "%.12g", value));
        json_member_str(w, "unit", unit_of(ask, code, unit));
        json_member_c(w, "system", UCUM_SYSTEM);
        json_member_str(w, "code", unit_of(ask, code, unit));
        json_close(w, '}');
    } else {
        fhir_concept_put(w, "dataAbsentReason",
                         STR("http://terminology.hl7.org/CodeSystem/data-absent-reason"),
                         STR("not-a-number"), STR_NONE);
    }
    json_close(w, '}');
}

static void kind_write(Ask *ask, JsonWriter *w, const Code *code, const StatsKind *kind)
{
    bool enough = code->list.n >= kind->least;
    bool line = kind->unit == STATS_DAILY;
    result_write(ask, w, code, kind, line ? STR("Regression: gradient") : str_from_c(kind->display),
                 kind->unit, enough ? kind->of(&code->list) : NAN);
    if (line) {
        result_write(ask, w, code, kind, STR("Regression: intercept"), STATS_SAME,
                     enough ? stats_intercept(&code->list) : NAN);
    }
}

static void period_write(Ask *ask, JsonWriter *w)
{
    Arena *a = ask->c->arena;
    int zone = ask->c->api->options.zone_min;
    if (ask->from_ms == TIME_NONE && ask->to_ms == TIME_FOREVER) {
        return;
    }
    json_key_open(w, "effectivePeriod", '{');
    if (ask->from_ms != TIME_NONE) {
        json_member_str(w, "start", time_iso(a, ask->from_ms, zone));
    }
    if (ask->to_ms != TIME_FOREVER) {
        json_member_str(w, "end", time_iso(a, ask->to_ms, zone));
    }
    json_close(w, '}');
}

static void statistics_write(Ask *ask, JsonWriter *w, const Code *code)
{
    json_open(w, '{');
    json_member_c(w, "name", "statistics");
    json_key_open(w, "resource", '{');
    json_member_c(w, "resourceType", "Observation");
    json_member_c(w, "status", "final");
    fhir_concept_put(w, "code", code->system, code->code, code->display);
    fhir_reference_put(w, "subject", ask->subject, STR_NONE);
    period_write(ask, w);
    json_key_open(w, "component", '[');
    for (size_t i = 0; i < ask->kind_n; i++) {
        kind_write(ask, w, code, ask->kind[i]);
    }
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
}

Status api_stats(ApiCall *c)
{
    Buf out;
    Ask ask = {.c = c,
               .from_ms = TIME_NONE,
               .to_ms = TIME_FOREVER,
               .limit = SOURCES_MAX,
               .source = arena_array(c->arena, Str, SOURCES_MAX)};
    c->what = STR("Observation/$stats");
    TRY(access_may(c->caller, ACCESS_READ, STR("Observation"), &c->err));
    TRY(api_ask_read(c, value_take, &ask));
    TRY(ask_settle(&ask));
    c->what = arena_cat(c->arena, c->what, STR(" "), ask.subject);
    for (size_t i = 0; i < ask.code_n; i++) {
        TRY(code_measure(&ask, &ask.code[i]));
    }
    JsonWriter w = fhir_begin(&out, "Parameters", STR_NONE);
    json_key_open(&w, "parameter", '[');
    for (size_t i = 0; i < ask.code_n; i++) {
        statistics_write(&ask, &w, &ask.code[i]);
    }
    for (size_t i = 0; i < ask.source_n; i++) {
        json_open(&w, '{');
        json_member_c(&w, "name", "source");
        json_key(&w, "resource");
        json_put_raw(&w, ask.source[i]);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    c->result = (ApiResult){.status = 200, .body = json_end(&w, '}', c->arena)};
    return OK;
}
