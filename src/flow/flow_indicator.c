/* indicators.json: compiled, linted, and what is counted where a package has none. */
#include "flow_inner.h"

#define INDICATORS_MAX 200
#define FILE_NAME      "indicators.json"

/* A name among a list; -1 and an issue when it is none of them. */
static int name_of(FlowCompile *c, JsonRef object, const char *member, const char *const *names,
                   size_t n, const char *zh, const char *en)
{
    JsonRef at = json_get_c(c->file->doc, object, member);
    Str name = json_str(c->file->doc, at);
    for (size_t i = 0; i < n; i++) {
        if (str_is(name, names[i])) {
            return (int)i;
        }
    }
    if (at != JSON_NONE) {
        flow_fault_name(c, at, zh, en, name);
    }
    return -1;
}

/* ---- Moments --------------------------------------------------------------------------------- */

static bool action_known(const FlowPackage *p, Str code)
{
    bool known = p->start && str_eq(p->start->code, code);
    for (size_t i = 0; i < p->entry_n; i++) {
        known |= str_eq(p->entry[i].code, code);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        known |= str_eq(p->action[i].code, code);
    }
    return known;
}

static bool action_sets(const FlowAction *a, Str deadline)
{
    for (size_t i = 0; i < a->effect_n; i++) {
        if (a->effect[i].verb == FLOW_VERB_DEADLINE && str_eq(a->effect[i].name, deadline)) {
            return true;
        }
    }
    return false;
}

static bool deadline_known(const FlowPackage *p, Str name)
{
    bool known = p->start && action_sets(p->start, name);
    for (size_t i = 0; i < p->entry_n; i++) {
        known |= action_sets(&p->entry[i], name);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        known |= action_sets(&p->action[i], name);
    }
    return known;
}

static void code_check(FlowCompile *c, FlowMomentKind kind, Str code, JsonRef at)
{
    const FlowPackage *p = c->pkg;
    if (kind == FLOW_MOMENT_ACTION && !action_known(p, code)) {
        flow_fault_name(c, at, "未知的操作", "unknown action", code);
    } else if (kind == FLOW_MOMENT_STATE && flow_state_index(p, code) < 0) {
        flow_fault_name(c, at, "未知的状态", "unknown state", code);
    } else if (kind == FLOW_MOMENT_DEADLINE && !deadline_known(p, code)) {
        flow_fault_name(c, at, "没有操作设定此期限", "no action sets this deadline", code);
    }
}

/* One code, or an array of them. */
static void codes_compile(FlowCompile *c, FlowMoment *m, JsonRef at)
{
    const JsonDoc *d = c->file->doc;
    bool list = json_type(d, at) == JSON_ARRAY;
    Str *code = arena_array(c->arena, Str, (list ? json_count(d, at) : 1) + 1);
    if (!list) {
        code[m->code_n++] = json_str(d, at);
        code_check(c, m->kind, code[0], at);
    }
    for (JsonIter it = json_iter(d, at); list && json_next(&it);) {
        code[m->code_n++] = json_str(d, it.value);
        code_check(c, m->kind, json_str(d, it.value), it.value);
    }
    if (m->code_n == 0) {
        flow_fault(c, at, "此处应写代码", "a code is missing here");
    }
    m->code = code;
}

/* An object with exactly one of action, state, deadline. */
static FlowMoment moment_compile(FlowCompile *c, JsonRef object)
{
    static const struct {
        const char *member;
        FlowMomentKind kind;
    } KINDS[] = {{"action", FLOW_MOMENT_ACTION},
                 {"state", FLOW_MOMENT_STATE},
                 {"deadline", FLOW_MOMENT_DEADLINE}};
    FlowMoment m = {0};
    int found = 0;
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        JsonRef at = json_get_c(c->file->doc, object, KINDS[i].member);
        if (at != JSON_NONE) {
            found++;
            m = (FlowMoment){.kind = KINDS[i].kind};
            codes_compile(c, &m, at);
        }
    }
    if (found != 1) {
        flow_fault(c, object, "时点应恰好写明 action、state、deadline 之一",
                   "a moment has exactly one of action, state and deadline");
    }
    return m;
}

static FlowMoment moment_member(FlowCompile *c, JsonRef indicator, const char *member)
{
    JsonRef at = json_get_c(c->file->doc, indicator, member);
    if (at == JSON_NONE) {
        flow_fault_name(c, indicator, "缺少成员", "a member is missing", str_from_c(member));
        return (FlowMoment){0};
    }
    flow_members_check(c, at, "action state deadline");
    return moment_compile(c, at);
}

/* ---- Shares ---------------------------------------------------------------------------------- */

static void within_compile(FlowCompile *c, FlowIndicator *i, JsonRef at)
{
    const JsonDoc *d = c->file->doc;
    FlowArg *arg = arena_new(c->arena, FlowArg);
    arg->kind = FLOW_ARG_DURATION;
    i->has_within = at != JSON_NONE;
    i->within = arg;
    if (json_type(d, at) == JSON_STRING) {
        arg->expr = flow_expr_compile(c, json_str(d, at), at);
        if (arg->expr) {
            arg->expr->counted = true;
        }
    } else if (at != JSON_NONE && !flow_duration_read(d, at, &arg->duration_ms, &arg->months)) {
        flow_fault(c, at, "时长应为 {\"value\", \"unit\"} 或给出参数的表达式",
                   "a duration is {\"value\", \"unit\"}, or an expression that gives a parameter");
    }
}

static void numerator_compile(FlowCompile *c, FlowIndicator *i, JsonRef indicator)
{
    const JsonDoc *d = c->file->doc;
    JsonRef at = json_get_c(d, indicator, "numerator");
    if (at == JSON_NONE) {
        flow_fault_name(c, indicator, "缺少成员", "a member is missing", STR("numerator"));
        return;
    }
    flow_members_check(c, at, "action state deadline since within by");
    JsonRef since = json_get_c(d, at, "since"), by = json_get_c(d, at, "by");
    i->since = since != JSON_NONE;
    i->other = moment_compile(c, i->since ? since : at);
    within_compile(c, i, json_get_c(d, at, "within"));
    if (by != JSON_NONE) {
        i->by = moment_compile(c, by);
    }
    if (i->since && (by != JSON_NONE || !i->has_within)) {
        flow_fault(c, at, "since 需要 within，且不与 by 同用",
                   "since needs within and does not go with by");
    }
}

/* ---- One indicator --------------------------------------------------------------------------- */

static void moments_compile(FlowCompile *c, FlowIndicator *i, JsonRef object)
{
    static const char *const MEMBERS[] = {"numerator", "denominator numerator", "from to"};
    static const char *const ALL[] = {"numerator", "denominator", "from", "to"};
    for (size_t k = 0; k < sizeof ALL / sizeof ALL[0]; k++) {
        JsonRef at = json_get_c(c->file->doc, object, ALL[k]);
        if (at != JSON_NONE && str_find(str_from_c(MEMBERS[i->figure]), str_from_c(ALL[k])) < 0) {
            flow_fault_name(c, at, "此类指标没有这个成员", "this kind has no such member",
                            str_from_c(ALL[k]));
        }
    }
    switch (i->figure) {
    case FLOW_FIGURE_COUNT:
        i->counted = moment_member(c, object, "numerator");
        break;
    case FLOW_FIGURE_SHARE:
        i->counted = moment_member(c, object, "denominator");
        numerator_compile(c, i, object);
        break;
    case FLOW_FIGURE_MINUTES:
        i->counted = moment_member(c, object, "to");
        i->other = moment_member(c, object, "from");
        break;
    }
}

static void priorities_compile(FlowCompile *c, FlowIndicator *i, JsonRef array)
{
    static const char *const CODES[] = {"routine", "urgent", "asap", "stat"};
    const JsonDoc *d = c->file->doc;
    Str *list = arena_array(c->arena, Str, json_count(d, array) + 1);
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        Str code = json_str(d, it.value);
        bool known = false;
        for (size_t k = 0; k < 4; k++) {
            known |= str_is(code, CODES[k]);
        }
        if (!known) {
            flow_fault_name(c, it.value, "不是 Task.priority 的代码", "not a code of Task.priority",
                            code);
        }
        list[i->priority_n++] = code;
    }
    i->priority = list;
}

static void strata_compile(FlowCompile *c, FlowIndicator *i, JsonRef array)
{
    const JsonDoc *d = c->file->doc;
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        Str name = json_str(d, it.value);
        unsigned bit = str_is(name, "priority") ? FLOW_BY_PRIORITY
                       : str_is(name, "path")   ? FLOW_BY_PATH
                                                : 0;
        if (!bit) {
            flow_fault_name(c, it.value, "strata 应为 priority 或 path",
                            "strata are priority and path", name);
        }
        i->strata |= bit;
    }
}

static bool figure_compile(FlowCompile *c, FlowIndicator *i, JsonRef object)
{
    static const char *const KINDS[] = {"count", "share", "median-minutes"};
    static const char *const INSTITUTIONS[] = {"requester", "owner", "receiver"};
    static const char *const DIRECTIONS[] = {"", "more", "less"};
    int kind = name_of(c, object, "kind", KINDS, 3, "未知的指标类型",
                       "kind is count, share or median-minutes");
    int of = name_of(c, object, "institution", INSTITUTIONS, 3,
                     "institution 应为 requester、owner 或 receiver",
                     "institution is requester, owner or receiver");
    int better = name_of(c, object, "direction", DIRECTIONS, 3, "direction 应为 more 或 less",
                         "direction is more or less");
    if (kind < 0 && json_get_c(c->file->doc, object, "kind") == JSON_NONE) {
        flow_fault_name(c, object, "缺少成员", "a member is missing", STR("kind"));
    }
    i->figure = (FlowFigure)(kind < 0 ? 0 : kind);
    i->institution = (FlowInstitution)(of < 0 ? 0 : of);
    i->direction = (FlowDirection)(better < 0 ? 0 : better);
    return kind >= 0;
}

static void indicator_compile(FlowCompile *c, FlowIndicator *i, JsonRef object)
{
    const JsonDoc *d = c->file->doc;
    flow_members_check(c, object,
                       "code title description kind numerator denominator from to priority "
                       "institution direction strata");
    i->code = json_str_at(d, object, "code");
    i->title = flow_text_compile(c, object, "title", true);
    i->description = flow_text_compile(c, object, "description", false);
    if (!fhir_id_ok(i->code)) {
        flow_fault_name(c, object, "指标代码缺失或有误",
                        "the indicator's code is missing or malformed", i->code);
    }
    for (const FlowIndicator *o = c->pkg->indicator; o < i; o++) {
        if (str_eq(o->code, i->code)) {
            flow_fault_name(c, object, "指标代码重复", "an indicator's code is used twice",
                            i->code);
        }
    }
    if (figure_compile(c, i, object)) {
        moments_compile(c, i, object);
    }
    priorities_compile(c, i, json_get_c(d, object, "priority"));
    strata_compile(c, i, json_get_c(d, object, "strata"));
}

/* ---- Without a file -------------------------------------------------------------------------- */

static void begun_make(FlowPackage *p, FlowIndicator *i)
{
    Str *code = arena_array(p->arena, Str, p->entry_n + 1);
    size_t n = 0;
    if (p->start) {
        code[n++] = p->start->code;
    }
    for (size_t k = 0; k < p->entry_n; k++) {
        code[n++] = p->entry[k].code;
    }
    *i = (FlowIndicator){.code = STR("begun"),
                         .title = {STR("发起"), STR("Begun")},
                         .counted = {FLOW_MOMENT_ACTION, code, n}};
}

/* Cases begun, and each way in which one may end. */
static void defaults_make(FlowPackage *p)
{
    p->indicator = arena_array(p->arena, FlowIndicator, p->state_n + 1);
    begun_make(p, &p->indicator[p->indicator_n++]);
    for (size_t i = 0; i < p->state_n; i++) {
        const FlowState *s = &p->state[i];
        if (s->end) {
            p->indicator[p->indicator_n++] =
                (FlowIndicator){.code = arena_cat(p->arena, STR("state-"), s->code),
                                .title = s->title,
                                .counted = {FLOW_MOMENT_STATE, &s->code, 1}};
        }
    }
}

void flow_indicators_compile(FlowCompile *c)
{
    const FlowFile *file = flow_package_file(c->pkg, STR(FILE_NAME)), *outer = c->file;
    if (!file || !file->doc) {
        defaults_make(c->pkg);
        return;
    }
    c->file = file;
    size_t n = json_count(file->doc, JSON_ROOT);
    if (json_type(file->doc, JSON_ROOT) != JSON_ARRAY || n > INDICATORS_MAX) {
        flow_fault(c, JSON_ROOT, "此处应为不超过200个指标的数组",
                   "this should be an array of at most 200 indicators");
        n = 0;
    }
    c->pkg->indicator = arena_array(c->arena, FlowIndicator, n + 1);
    for (JsonIter it = json_iter(file->doc, JSON_ROOT); n && json_next(&it);) {
        indicator_compile(c, &c->pkg->indicator[c->pkg->indicator_n], it.value);
        c->pkg->indicator_n++;
    }
    c->file = outer;
}

/* ---- For those who count --------------------------------------------------------------------- */

static void counted_make(const Flow *f, const FlowPackage *p, Arena *a, FlowCounted *ret)
{
    Str *state = arena_array(a, Str, p->state_n + 1);
    FlowText *title = arena_array(a, FlowText, p->state_n + 1);
    bool *end = arena_array(a, bool, p->state_n + 1);
    for (size_t i = 0; i < p->state_n; i++) {
        state[i] = p->state[i].code;
        title[i] = p->state[i].title;
        end[i] = p->state[i].end;
    }
    *ret = (FlowCounted){.name = p->name,
                         .version = p->version,
                         .color = p->color,
                         .title = p->title,
                         .state = state,
                         .state_title = title,
                         .state_end = end,
                         .state_n = p->state_n,
                         .indicator = p->indicator,
                         .indicator_n = p->indicator_n,
                         .flow = f,
                         .pkg = p};
}

size_t flow_counted(const Flow *f, Arena *a, const FlowCounted **ret)
{
    FlowCounted *list = arena_array(a, FlowCounted, f->pkg_n + 1);
    size_t n = 0;
    for (size_t i = 0; i < f->pkg_n; i++) {
        if (flow_package_named(f, f->pkg[i]->name) == f->pkg[i]) {
            counted_make(f, f->pkg[i], a, &list[n++]);
        }
    }
    *ret = list;
    return n;
}

Status flow_within_end(const FlowCounted *p, const FlowIndicator *i, Arena *a, Str priority,
                       int64_t from_ms, int zone_min, int64_t *ret_end_ms, Err *err)
{
    FlowScope s = {.arena = a,
                   .pkg = p->pkg,
                   .now_ms = from_ms,
                   .zone_min = zone_min,
                   .region = p->flow->region};
    FhirValues none = {0};
    flow_scope_set(&s, STR("priority"),
                   priority.n ? fhir_values_one(a, fhir_value_string(priority)) : none);
    return flow_duration_after(&s, i->within, from_ms, ret_end_ms, err);
}
