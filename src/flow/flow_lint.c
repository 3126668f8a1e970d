/*
 * The rules of lint beyond what compiling finds: every state is reached and can be left, every
 * action has somebody to take it, every name that is used exists, every field is read.
 */
#include <stdlib.h>

#include "flow_inner.h"

typedef struct Lint {
    FlowCompile c; /* only to say where */
    const FlowPackage *p;
    Arena *arena;
} Lint;

static void fault(Lint *l, JsonRef at, const char *zh, const char *en, Str name)
{
    flow_fault_name(&l->c, at, zh, en, name);
}

/* ---- States ---------------------------------------------------------------------------------- */

static uint64_t bit(int state)
{
    return state >= 0 ? 1ULL << state : 0;
}

static uint64_t reached_from_starts(const FlowPackage *p)
{
    uint64_t seen = p->start ? bit(p->start->to) : 0;
    for (size_t i = 0; i < p->entry_n; i++) {
        seen |= bit(p->entry[i].to);
    }
    for (bool more = true; more;) {
        uint64_t before = seen;
        for (size_t i = 0; i < p->action_n; i++) {
            seen |= p->action[i].from & seen ? bit(p->action[i].to) : 0;
        }
        more = seen != before;
    }
    return seen;
}

static bool is_end_code(Str task)
{
    return str_is(task, "completed") || str_is(task, "cancelled") || str_is(task, "rejected") ||
           str_is(task, "failed");
}

static void states_lint(Lint *l)
{
    const FlowPackage *p = l->p;
    uint64_t seen = reached_from_starts(p), left = 0;
    JsonRef list = json_get_c(p->doc, JSON_ROOT, "states");
    for (size_t i = 0; i < p->action_n; i++) {
        left |= p->action[i].to >= 0 ? p->action[i].from & ~bit(p->action[i].to) : 0;
    }
    for (size_t i = 0; i < p->state_n; i++) {
        JsonRef at = json_item(p->doc, list, (uint32_t)i);
        if (!(seen >> i & 1)) {
            fault(l, at, "无法到达的状态", "a state that cannot be reached", p->state[i].code);
        }
        if (!(left >> i & 1) && !is_end_code(p->state[i].task)) {
            fault(l, at, "死路：没有出口，也不是终结状态", "a dead end that is not an end status",
                  p->state[i].code);
        }
    }
    if (!p->start && !p->entry_n) {
        fault(l, JSON_ROOT, "没有 start 也没有 entries", "neither start nor entries", p->name);
    }
}

/* ---- Actions --------------------------------------------------------------------------------- */

static const FlowAction *clock_action(const FlowPackage *p, Str code)
{
    for (size_t i = 0; i < p->action_n; i++) {
        if (p->action[i].clock && str_eq(p->action[i].code, code)) {
            return &p->action[i];
        }
    }
    return NULL;
}

static void deadlines_lint(Lint *l, const FlowAction *a)
{
    for (size_t i = 0; i < a->effect_n; i++) {
        const FlowEffect *e = &a->effect[i];
        Str action = e->verb == FLOW_VERB_CLAIM ? STR("lease-end")
                     : e->arg[FLOW_ACTION]      ? e->arg[FLOW_ACTION]->text
                                                : STR_NONE;
        if (action.n && !clock_action(l->p, action)) {
            fault(l, e->at, "期限所指的时钟操作不存在", "the deadline names no clock action",
                  action);
        }
    }
}

static void levels_lint(Lint *l, const FlowEffect *e)
{
    Str level = e->arg[FLOW_LEVEL] ? e->arg[FLOW_LEVEL]->text : STR_NONE;
    if (e->verb == FLOW_VERB_NOTIFY && level.n && !str_is(level, "info") &&
        !str_is(level, "alert")) {
        fault(l, e->at, "level 应为 info 或 alert", "level is info or alert", level);
    }
    Str as = e->arg[FLOW_AS] ? e->arg[FLOW_AS]->text : STR_NONE;
    if (as.n && !str_is(as, "noshow") && !str_is(as, "cancelled")) {
        fault(l, e->at, "as 应为 noshow 或 cancelled", "as is noshow or cancelled", as);
    }
    Str until = e->arg[FLOW_UNTIL] ? e->arg[FLOW_UNTIL]->text : STR_NONE;
    if (until.n && !str_is(until, "end")) {
        fault(l, e->at, "until 应为 end", "until is end", until);
    }
}

static void action_lint(Lint *l, const FlowAction *a)
{
    bool person = a->kind != FLOW_KIND_ENTRY && !a->clock;
    if (person && !a->who_n) {
        fault(l, a->at, "没有人可以执行此操作", "nobody may take this action", a->code);
    }
    if (!person && a->who_n) {
        fault(l, a->at, "系统操作不应写 who", "what the system does has no who", a->code);
    }
    if (a->form_optional && !a->form) {
        fault(l, a->at, "没有表单却写了 formOptional", "formOptional without a form", a->code);
    }
    for (size_t i = 0; i < a->guard_n; i++) {
        const FlowGuard *g = &a->guard[i];
        if (g->where.n && a->form && !flow_form_item(a->form, g->where) &&
            !str_is(g->where, "slot")) {
            fault(l, a->at, "守卫的 where 不是表单项", "a guard's where is no item of the form",
                  g->where);
        }
    }
    for (size_t i = 0; i < a->effect_n; i++) {
        levels_lint(l, &a->effect[i]);
    }
    deadlines_lint(l, a);
}

static void each_action(const FlowPackage *p, void (*fn)(Lint *, const FlowAction *), Lint *l)
{
    if (p->start) {
        fn(l, p->start);
    }
    for (size_t i = 0; i < p->entry_n; i++) {
        fn(l, &p->entry[i]);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        fn(l, &p->action[i]);
    }
}

/* ---- Names in expressions -------------------------------------------------------------------- */

static const char *const ROOTS[] = {
    "task",    "patient",  "form",         "now",      "today", "case",  "focus", "owner",
    "context", "resource", "rootResource", "response", "sct",   "loinc", "ucum",  "value",
    "answers", "params",   "user",         "held",     "said",  "found", "score"};

static bool param_known(const FlowPackage *p, Str key)
{
    for (size_t i = 0; i < p->param_n; i++) {
        if (str_eq(p->param[i].key, key)) {
            return true;
        }
    }
    return false;
}

static bool user_known(Str name)
{
    return str_is(name, "practitioner") || str_is(name, "post") || str_is(name, "organization") ||
           str_is(name, "name") || str_is(name, "role");
}

static const FlowForm *form_named(const FlowPackage *p, Str code)
{
    for (size_t i = 0; i < p->form_n; i++) {
        if (str_eq(p->form[i]->code, code)) {
            return p->form[i];
        }
    }
    return NULL;
}

static bool said_known(const FlowPackage *p, Str rest)
{
    Str code, link;
    str_cut(rest, '.', &code, &link);
    const FlowForm *f = form_named(p, code);
    return f && flow_form_item(f, link);
}

static bool any_form_has(const FlowPackage *p, Str link)
{
    for (size_t i = 0; i < p->form_n; i++) {
        if (flow_form_item(p->form[i], link)) {
            return true;
        }
    }
    return false;
}

static bool held_known(const FlowPackage *p, Str name);
static bool found_known(const FlowPackage *p, Str name);

static bool loop_variable(const FlowPackage *p, Str name)
{
    Str loop = arena_cat(p->arena, STR("=for "), name, STR("\"")),
        print = arena_cat(p->arena, STR("#for "), name, STR(":"));
    for (size_t i = 0; i < p->file_n; i++) {
        if (str_find(p->file[i].bytes, loop) >= 0 || str_find(p->file[i].bytes, print) >= 0) {
            return true;
        }
    }
    return false;
}

static bool variable_known(const FlowPackage *p, Str name)
{
    Str root, rest;
    str_cut(name, '.', &root, &rest);
    if (str_is(root, "params")) {
        return param_known(p, rest);
    }
    if (str_is(root, "said")) {
        return said_known(p, rest);
    }
    if (str_is(root, "answers")) {
        return any_form_has(p, rest);
    }
    if (str_is(root, "user")) {
        return user_known(rest);
    }
    if (str_is(root, "held")) {
        return held_known(p, rest);
    }
    if (str_is(root, "found")) {
        return found_known(p, rest);
    }
    for (size_t i = 0; i < sizeof ROOTS / sizeof ROOTS[0]; i++) {
        if (str_is(root, ROOTS[i])) {
            return true;
        }
    }
    return str_starts(root, STR("vs-")) || str_starts(root, STR("ext-")) || loop_variable(p, root);
}

/* Of an indicator: it is counted long after the step, from facts that are kept of every case. */
static bool counted_known(const FlowPackage *p, Str name)
{
    Str root, rest;
    str_cut(name, '.', &root, &rest);
    return str_is(name, "priority") || (str_is(root, "params") && param_known(p, rest));
}

static void variables_lint(Lint *l)
{
    for (size_t i = 0; i < l->p->expr_n; i++) {
        const FlowExpr *e = l->p->expr[i];
        for (size_t k = 0; k < e->vars_n; k++) {
            if (!(e->counted ? counted_known : variable_known)(l->p, e->vars[k])) {
                Str zh = arena_cat(l->arena, STR("未知的变量或名称：%"), e->vars[k]);
                Str en = arena_cat(l->arena, STR("unknown variable or name: %"), e->vars[k]);
                (void)flow_say(l->c.err, ERR_UNPROCESSABLE, STR("package"), e->where, zh, en);
            }
        }
    }
}

/* ---- What is held and found ------------------------------------------------------------------ */

static bool action_holds(const FlowAction *a, Str name)
{
    for (size_t i = 0; i < a->effect_n; i++) {
        const FlowEffect *e = &a->effect[i];
        bool holds = e->verb == FLOW_VERB_MAKE || e->verb == FLOW_VERB_RESERVE;
        if ((holds && str_eq(e->name, name)) ||
            (e->verb == FLOW_VERB_BOOK && str_is(name, "appointment")) ||
            (e->verb == FLOW_VERB_START && e->arg[FLOW_NAME] &&
             str_eq(e->arg[FLOW_NAME]->text, name))) {
            return true;
        }
    }
    return false;
}

static bool action_finds(const FlowAction *a, Str name)
{
    for (size_t i = 0; i < a->find_n; i++) {
        if (str_eq(a->find[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool any_action(const FlowPackage *p, bool (*fn)(const FlowAction *, Str), Str name)
{
    bool any = p->start && fn(p->start, name);
    for (size_t i = 0; i < p->entry_n; i++) {
        any |= fn(&p->entry[i], name);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        any |= fn(&p->action[i], name);
    }
    return any;
}

static bool held_known(const FlowPackage *p, Str name)
{
    return any_action(p, action_holds, name);
}

static bool found_known(const FlowPackage *p, Str name)
{
    return any_action(p, action_finds, name);
}

static void held_lint(Lint *l, const FlowAction *a)
{
    for (size_t i = 0; i < a->effect_n; i++) {
        const FlowEffect *e = &a->effect[i];
        bool needs =
            e->verb == FLOW_VERB_RELEASE || e->verb == FLOW_VERB_BOOK || e->verb == FLOW_VERB_SIGN;
        if (needs && !held_known(l->p, e->name)) {
            fault(l, e->at, "从未持有的名称", "a name that is never held", e->name);
        }
    }
}

static void fields_lint(Lint *l)
{
    for (size_t i = 0; i < l->p->form_n; i++) {
        const FlowForm *f = l->p->form[i];
        l->c.file = flow_package_file(l->p, f->file);
        if (!flow_form_used(l->p, f)) {
            fault(l, JSON_ROOT, "没有操作使用此表单", "no action uses this form", f->code);
        }
        for (size_t k = 0; k < f->all_n; k++) {
            const FlowItem *item = f->all[k];
            bool asks = item->type != FLOW_ITEM_GROUP && item->type != FLOW_ITEM_DISPLAY;
            if (asks && !item->recorded && !flow_field_read(l->p, f, item->link)) {
                fault(l, item->at, "没有模板、守卫或效果读取此项（可加 urn:menkou:record）",
                      "no template, guard, effect or print reads this field (or mark it "
                      "urn:menkou:record)",
                      item->link);
            }
        }
    }
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void templates_lint(Lint *l)
{
    for (size_t i = 0; i < l->p->file_n; i++) {
        Str path = l->p->file[i].path;
        bool used = false;
        for (size_t k = 0; k < l->p->template_n; k++) {
            used |= str_eq(l->p->template[k] -> where, path);
        }
        l->c.file = &l->p->file[i];
        if (str_starts(path, STR("templates/")) && !used) {
            fault(l, JSON_NONE, "没有效果使用此模板", "no effect uses this template", path);
        }
    }
}

static void duplicates_lint(Lint *l)
{
    for (size_t i = 0; i < l->p->list_n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (str_eq(l->p->list[i].code, l->p->list[k].code)) {
                fault(l, json_get_c(l->p->doc, JSON_ROOT, "lists"), "列表代码重复",
                      "a list's code is used twice", l->p->list[i].code);
            }
        }
    }
}

/* A list's query has to be one that the store understands. */
static void queries_lint(Lint *l)
{
    for (size_t i = 0; i < l->p->list_n; i++) {
        Err said;
        StoreQuery *q;
        Buf out;
        Str query = l->p->list[i].query;
        err_init(&said, l->arena);
        buf_init(&out, 0);
        while (query.n) {
            size_t end = query.p[0] == '{' ? (size_t)(str_find_char(query, '}') + 1) : 0;
            Str hole = str_take(query, end);
            bool date =
                str_is(hole, "{now}") || str_is(hole, "{today}") || str_is(hole, "{week-ago}");
            buf_add(&out,
                    end ? (date ? STR("2026-01-01") : STR("Organization/x")) : str_take(query, 1));
            query = str_skip(query, end ? end : 1);
        }
        Str text = buf_take(&out, l->arena);
        if (store_query_parse(NULL, l->arena, STR("Task"), text, false, ZONE_CHINA_MIN, &q,
                              &said) != OK) {
            JsonRef at =
                json_item(l->p->doc, json_get_c(l->p->doc, JSON_ROOT, "lists"), (uint32_t)i);
            fault(l, at, "列表的查询有误", "the list's query is wrong",
                  said.first ? said.first->en : text);
        }
    }
}

void flow_lint_package(const FlowPackage *p, Err *err)
{
    Lint l = {.p = p, .arena = p->arena};
    l.c = (FlowCompile){.arena = p->arena, .err = err, .pkg = (FlowPackage *)p};
    l.c.file = flow_package_file(p, STR("pathway.json"));
    states_lint(&l);
    each_action(p, action_lint, &l);
    each_action(p, held_lint, &l);
    duplicates_lint(&l);
    queries_lint(&l);
    variables_lint(&l);
    fields_lint(&l);
    templates_lint(&l);
}

Status flow_lint(const FlowPackageSource *source, Err *err)
{
    FlowPackage *p = NULL;
    TRY(flow_package_new(source, &p, err));
    Err said;
    err_init(&said, p->arena);
    flow_lint_package(p, &said);
    Status s = said.count ? err_move(err, &said, STR_NONE) : OK;
    flow_package_free(p);
    return s;
}
