/* The steps of a story: start, act, clock, sees, search, find; what is expected and what refused.
 */
#include "flow_story_inner.h"

typedef struct Done {
    Status status;
    Str rule, reason, task_id;
    bool changed; /* something was written */
} Done;

static JsonRef member(const Story *s, JsonRef step, const char *name)
{
    return json_get_c(s->doc, step, name);
}

static Str text_of(const Story *s, JsonRef step, const char *name)
{
    return json_str(s->doc, member(s, step, name));
}

static bool has(const Story *s, JsonRef step, const char *name)
{
    return member(s, step, name) != JSON_NONE;
}

static void done_with(Done *done, Status status, const Err *err, Str task_id)
{
    done->status = status;
    done->rule = err->first ? err->first->rule : STR_NONE;
    done->reason = story_reason(err);
    done->task_id = task_id;
}

/* ---- Acting ---------------------------------------------------------------------------------- */

/* The people of a story give their password with every step, but where it says `"password": false`.
 */
static FlowRequest request_of(Story *s, Person *p, JsonRef step)
{
    p->caller.view.now_ms = clock_now(&s->clock);
    return (FlowRequest){.caller = &p->caller,
                         .reader = s->reader,
                         .arena = &s->scratch,
                         .now_ms = clock_now(&s->clock),
                         .password_checked =
                             json_type(s->doc, member(s, step, "password")) != JSON_FALSE};
}

/* The form as the screen would send it: opened with what is known, then the story's answers over
 * it. */
static Status form_build(Story *s, Person *p, const FlowAction *action, FlowCase *c,
                         JsonRef answers, Str *ret, Err *err)
{
    FlowTx tx;
    JsonDoc flat;
    FlowStep *st = arena_new(&s->scratch, FlowStep);
    if (!action || !action->form || (action->form_optional && answers == JSON_NONE)) {
        return OK;
    }
    flow_tx_init(&tx, s->flow, s->reader, &s->scratch, &p->caller, clock_now(&s->clock));
    flow_tx_begin(&tx, STR("story"));
    flow_step_init(st, &tx, c, action);
    TRY(flow_step_form(st, s->doc, JSON_NONE, true, err));
    if (flow_step_find(st, NULL) == OK &&
        flow_fill_initial(st->fill, &st->fill_env, false, NULL) == OK) {
        TRY(flow_fill_calculate(st->fill, &st->fill_env, err));
    }
    if (answers != JSON_NONE) {
        TRY(story_answers(s, p, answers, &flat, err));
        TRY(flow_fill_flat(st->fill, &flat, JSON_ROOT, err));
    }
    *ret = flow_fill_render(st->fill, &st->fill_env, "completed");
    return OK;
}

static void do_start(Story *s, Person *p, JsonRef step, Done *done)
{
    Err err;
    JsonDoc form = {0};
    Str body = STR_NONE;
    FlowAnswer answer = {0};
    Str pathway = text_of(s, step, "start"), patient = text_of(s, step, "patient");
    const FlowPackage *pkg = flow_package_named(s->flow, pathway);
    FlowCase nobody = {.pkg = pkg, .patient = patient};
    err_init(&err, &s->scratch);
    FlowRequest q = request_of(s, p, step);
    Status status =
        pkg ? form_build(s, p, pkg->start, &nobody, member(s, step, "answers"), &body, &err) : OK;
    if (status == OK && body.n) {
        status = json_parse(&s->scratch, body, &JSON_LIMITS_FHIR, &form, &err);
    }
    uint64_t before = store_seq(s->store);
    if (status == OK) {
        status = flow_start(s->flow, &q, pathway, patient, text_of(s, step, "focus"),
                            text_of(s, step, "owner"), &form, body.n ? JSON_ROOT : JSON_NONE,
                            &answer, &err);
    }
    done->changed = store_seq(s->store) != before;
    done_with(done, status, &err, answer.task.id);
    if (status == OK) {
        story_name(s, text_of(s, step, "as"), answer.task.id);
    }
}

/* The action whose form the screen would show: of the present state if there is one. */
static const FlowAction *action_shown(const FlowCase *c, Str code)
{
    const FlowAction *any = NULL;
    for (size_t i = 0; i < c->pkg->action_n; i++) {
        const FlowAction *a = &c->pkg->action[i];
        if (!str_eq(a->code, code)) {
            continue;
        }
        if (!a->clock && (a->from >> c->state & 1)) {
            return a;
        }
        any = any ? any : a;
    }
    return any;
}

static Status act_form(Story *s, Person *p, Str id, Str action, JsonRef answers, Str *ret_vid,
                       Str *ret_body, Err *err)
{
    FlowTx tx;
    FlowCase *c = NULL;
    flow_tx_init(&tx, s->flow, s->reader, &s->scratch, &p->caller, clock_now(&s->clock));
    flow_tx_begin(&tx, STR("story"));
    TRY(flow_tx_case(&tx, arena_cat(&s->scratch, STR("Task/"), id), &c, err));
    *ret_vid = c->vid;
    return form_build(s, p, action_shown(c, action), c, answers, ret_body, err);
}

static Str vid_before(Arena *a, Str vid)
{
    int64_t n = 1;
    str_to_i64(vid, &n);
    return arena_printf(a, "%lld", (long long)(n > 1 ? n - 1 : n));
}

static void do_act(Story *s, Person *p, JsonRef step, Done *done)
{
    Err err;
    JsonDoc form = {0};
    FlowAnswer answer = {0};
    Str body = STR_NONE, vid = STR_NONE, action = text_of(s, step, "act"),
        id = story_case(s, text_of(s, step, "on"));
    err_init(&err, &s->scratch);
    FlowRequest q = request_of(s, p, step);
    if (!id.n) {
        story_fail(s, "no case is named '%.*s'", STR_ARG(text_of(s, step, "on")));
    }
    Status status = act_form(s, p, id, action, member(s, step, "answers"), &vid, &body, &err);
    if (status == OK && body.n) {
        status = json_parse(&s->scratch, body, &JSON_LIMITS_FHIR, &form, &err);
    }
    if (json_is_true(s->doc, member(s, step, "stale"))) {
        vid = vid_before(&s->scratch, vid);
    }
    uint64_t before = store_seq(s->store);
    if (status == OK) {
        status = flow_act(s->flow, &q, id, vid, action, &form, body.n ? JSON_ROOT : JSON_NONE,
                          &answer, &err);
    }
    done->changed = store_seq(s->store) != before;
    done_with(done, status, &err, id);
}

/* ---- The clock ------------------------------------------------------------------------------- */

static bool duration_parse(Str text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } UNITS[] = {
        {"s", MS_SECOND}, {"min", MS_MINUTE}, {"h", MS_HOUR}, {"d", MS_DAY}, {"wk", 7 * MS_DAY}};
    size_t digits = 1;
    int64_t n;
    if (text.n < 3 || text.p[0] != '+') {
        return false;
    }
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') {
        digits++;
    }
    Str unit = str_skip(text, digits);
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (str_is(unit, UNITS[i].unit) && str_to_i64((Str){text.p + 1, digits - 1}, &n)) {
            *ret_ms = n * UNITS[i].ms;
            return true;
        }
    }
    return false;
}

/* The clock goes from deadline to deadline, so that each fires at its own time. */
static void do_clock(Story *s, JsonRef step)
{
    Err err;
    int64_t add = 0, next = 0, wanted = -1;
    size_t total = 0, fired = 0;
    err_init(&err, &s->scratch);
    if (!duration_parse(text_of(s, step, "clock"), &add)) {
        story_fail(s, "clock should be like +30min");
        return;
    }
    int64_t target = clock_now(&s->clock) + add;
    for (;;) {
        if (flow_fire(s->flow, s->reader, clock_now(&s->clock), &fired, &next, &err) != OK) {
            story_fail(s, "the clock failed: %.*s", STR_ARG(story_reason(&err)));
            break;
        }
        total += fired;
        if (next > target) {
            break;
        }
        clock_set(&s->clock, next);
    }
    clock_set(&s->clock, target);
    if (json_to_i64(s->doc, member(s, step, "fires"), &wanted) && wanted != (int64_t)total) {
        story_fail(s, "%zu deadlines fired, %lld expected", total, (long long)wanted);
    }
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void do_sees(Story *s, Person *p, JsonRef step, const char *key, bool wanted)
{
    StoreVersion v;
    Str id = story_case(s, text_of(s, step, key));
    p->caller.view.now_ms = clock_now(&s->clock);
    bool sees = id.n && store_read(s->reader, &s->scratch, &p->caller.view, STR("Task"), id, &v,
                                   NULL) == OK;
    if (sees != wanted) {
        story_fail(s, "%.*s %s the case '%.*s'", STR_ARG(p->name), sees ? "sees" : "does not see",
                   STR_ARG(text_of(s, step, key)));
    }
}

/* {name} in a search is the case of that name. */
static Str query_named(Story *s, Str query)
{
    Str out = STR_NONE;
    for (ptrdiff_t open; (open = str_find_char(query, '{')) >= 0;) {
        Str rest = str_skip(query, (size_t)open + 1), name, tail;
        str_cut(rest, '}', &name, &tail);
        out = arena_cat(&s->scratch, out, str_take(query, (size_t)open), STR("Task/"),
                        story_case(s, name));
        query = tail;
    }
    return arena_cat(&s->scratch, out, query);
}

static void do_search(Story *s, Person *p, JsonRef step)
{
    Err err;
    const StoreHit *hits;
    size_t n = 0;
    int64_t wanted = -1;
    Str type, query;
    err_init(&err, &s->scratch);
    p->caller.view.now_ms = clock_now(&s->clock);
    str_cut(query_named(s, text_of(s, step, "search")), '?', &type, &query);
    if (store_find(s->reader, &s->scratch, &p->caller.view, type, query, 1000, &hits, &n, &err) !=
        OK) {
        story_fail(s, "the search failed: %.*s", STR_ARG(story_reason(&err)));
    } else if (json_to_i64(s->doc, member(s, step, "count"), &wanted) && wanted != (int64_t)n) {
        story_fail(s, "%zu found by %.*s, %lld expected", n, STR_ARG(text_of(s, step, "search")),
                   (long long)wanted);
    }
}

static void do_find(Story *s, JsonRef step)
{
    StoreQuery *q;
    StorePage page = {0};
    Str name = text_of(s, step, "find");
    Str query = arena_cat(&s->scratch, STR("code=" FLOW_SYSTEM_PATHWAY "%7C"), name,
                          STR("&_sort=-_lastUpdated,-authored-on&_count=1"));
    Err err;
    err_init(&err, &s->scratch);
    if (store_query_parse(NULL, &s->scratch, STR("Task"), query, false, ZONE_CHINA_MIN, &q, &err) !=
            OK ||
        store_search(s->reader, &s->scratch, q, &STORE_VIEW_ALL, STR_NONE, &page, &err) != OK ||
        !page.hits_n) {
        story_fail(s, "no case of %.*s is there: %.*s", STR_ARG(name), STR_ARG(story_reason(&err)));
        return;
    }
    story_name(s, text_of(s, step, "as"), page.hits[0].id);
}

/* ---- Expecting ------------------------------------------------------------------------------- */

static void expect_expr(Story *s, const JsonDoc *task, Str text)
{
    Err err;
    FhirPath *path;
    bool holds = false;
    FhirPathVar vars[1] = {
        {STR("task"), fhir_values_one(&s->scratch, fhir_value_node(fhir_node_root(task)))}};
    FhirPathEnv env = {.arena = &s->scratch,
                       .vars = vars,
                       .vars_n = 1,
                       .now_ms = clock_now(&s->clock),
                       .zone_min = ZONE_CHINA_MIN};
    FhirNode root = fhir_node_root(task);
    err_init(&err, &s->scratch);
    if (fhir_path_compile(&s->scratch, text, &path, &err) != OK ||
        fhir_path_test(path, &env, &root, &holds, &err) != OK) {
        story_fail(s, "%.*s: %.*s", STR_ARG(text), STR_ARG(story_reason(&err)));
    } else if (!holds) {
        story_fail(s, "not true: %.*s", STR_ARG(text));
    }
}

static void expect_text(Story *s, const char *what, Str is, Str wanted)
{
    if (wanted.n && !str_eq(is, wanted)) {
        story_fail(s, "%s is %.*s, %.*s expected", what, STR_ARG(is), STR_ARG(wanted));
    }
}

static void expect(Story *s, JsonRef e, Str task_id)
{
    StoreVersion v;
    JsonDoc task;
    Str on = text_of(s, e, "on");
    Str id = on.n ? story_case(s, on) : task_id;
    if (!id.n ||
        store_read(s->reader, &s->scratch, &STORE_VIEW_ALL, STR("Task"), id, &v, NULL) != OK ||
        json_parse(&s->scratch, v.body, &JSON_LIMITS_FHIR, &task, NULL) != OK) {
        story_fail(s, "there is no case to expect something of");
        return;
    }
    expect_text(s, "state", json_str_at(&task, JSON_ROOT, "businessStatus.coding.0.code"),
                text_of(s, e, "state"));
    expect_text(s, "task", json_str_at(&task, JSON_ROOT, "status"), text_of(s, e, "task"));
    expect_text(s, "owner", json_str_at(&task, JSON_ROOT, "owner.reference"),
                text_of(s, e, "owner"));
    for (JsonIter it = json_iter(s->doc, member(s, e, "true")); json_next(&it);) {
        expect_expr(s, &task, json_str(s->doc, it.value));
    }
}

static void expect_refusal(Story *s, JsonRef refused, const Done *done)
{
    int64_t http = 0;
    Str rule = text_of(s, refused, "rule");
    json_to_i64(s->doc, member(s, refused, "status"), &http);
    if (done->status == OK) {
        story_fail(s, "was done, but should have been refused");
    } else if (status_http(done->status) != http) {
        story_fail(s, "refused with %d (%.*s: %.*s), %lld expected", status_http(done->status),
                   STR_ARG(done->rule), STR_ARG(done->reason), (long long)http);
    } else if (rule.n && !str_eq(rule, done->rule)) {
        story_fail(s, "refused by %.*s (%.*s), %.*s expected", STR_ARG(done->rule),
                   STR_ARG(done->reason), STR_ARG(rule));
    }
    if (done->changed && done->status != OK) {
        story_fail(s, "was refused, but something was written");
    }
}

/* ---- One step -------------------------------------------------------------------------------- */

static void step_of_person(Story *s, Person *p, JsonRef step)
{
    Done done = {0};
    if (has(s, step, "sees")) {
        do_sees(s, p, step, "sees", true);
    } else if (has(s, step, "sees-not")) {
        do_sees(s, p, step, "sees-not", false);
    } else if (has(s, step, "search")) {
        do_search(s, p, step);
    } else if (has(s, step, "figures")) {
        story_figures(s, p, step);
    } else if (has(s, step, "start")) {
        do_start(s, p, step, &done);
    } else if (has(s, step, "act")) {
        do_act(s, p, step, &done);
    } else {
        story_fail(s, "nothing to do in this step");
    }
    if (has(s, step, "refused")) {
        expect_refusal(s, member(s, step, "refused"), &done);
    } else if (done.status != OK) {
        story_fail(s, "refused with %d %.*s: %.*s", status_http(done.status), STR_ARG(done.rule),
                   STR_ARG(done.reason));
    }
    if (has(s, step, "expect") && done.status == OK) {
        expect(s, member(s, step, "expect"), done.task_id);
    }
}

/* What happens on the stage without a person: {"put": resource}, {"params": {key: value}}. */
static void do_stage(Story *s, JsonRef step)
{
    Err err;
    err_init(&err, &s->scratch);
    JsonRef put = member(s, step, "put"), params = member(s, step, "params");
    Status status =
        put != JSON_NONE ? story_put(s, s->doc, put, &err) : story_params(s, params, &err);
    if (status != OK) {
        story_fail(s, "the stage cannot be set: %.*s", STR_ARG(story_reason(&err)));
    }
}

void story_step(Story *s, JsonRef step)
{
    Person *p = story_person(s, text_of(s, step, "who"));
    if (has(s, step, "clock")) {
        do_clock(s, step);
    } else if (has(s, step, "put") || has(s, step, "params")) {
        do_stage(s, step);
    } else if (has(s, step, "find")) {
        do_find(s, step);
    } else if (p) {
        step_of_person(s, p, step);
        return;
    } else if (has(s, step, "who") || !has(s, step, "expect")) {
        story_fail(s, "nobody is named '%.*s'", STR_ARG(text_of(s, step, "who")));
        return;
    }
    if (has(s, step, "expect")) {
        expect(s, member(s, step, "expect"), story_case(s, text_of(s, step, "as")));
    }
}
