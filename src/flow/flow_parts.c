/* Compiling actions and effects. */
#include "flow_inner.h"

/* ---- Effects --------------------------------------------------------------------------------- */

typedef struct VerbRow {
    const char *name;
    FlowArgKind kind;
} VerbRow;

static const VerbRow VERBS[FLOW_VERB_COUNT] = {
#define V(verb, name, kind) [FLOW_VERB_##verb] = {name, FLOW_ARG_##kind},
#include "flow_effects.def"
};

typedef struct ArgRow {
    FlowVerb verb;
    FlowArgId id;
    const char *member;
    FlowArgKind kind;
    bool required;
} ArgRow;

static const ArgRow ARGS[] = {
#define A(verb, arg, member, kind, required)                                                       \
    {FLOW_VERB_##verb, FLOW_##arg, member, FLOW_ARG_##kind, required},
#include "flow_effects.def"
};
enum { ARGS_N = sizeof ARGS / sizeof ARGS[0] };

static const ArgRow *arg_row(FlowVerb verb, Str member)
{
    for (size_t i = 0; i < ARGS_N; i++) {
        if (ARGS[i].verb == verb && str_is(member, ARGS[i].member)) {
            return &ARGS[i];
        }
    }
    return NULL;
}

/* A name is a file in templates/, compiled once; an object stands in place. */
static FlowTemplate *template_of(FlowCompile *c, JsonRef at)
{
    const JsonDoc *d = c->file->doc;
    if (json_type(d, at) == JSON_OBJECT) {
        return flow_template_compile(c, d, at);
    }
    Str path = arena_cat(c->arena, STR("templates/"), json_str(d, at), STR(".json"));
    for (size_t i = 0; i < c->pkg->template_n; i++) {
        if (str_eq(c->pkg->template[i] -> where, path)) {
            return c->pkg->template[i];
        }
    }
    const FlowFile *file = flow_package_file(c->pkg, path), *outer = c->file;
    if (!file || !file->doc) {
        flow_fault_name(c, at, "缺少模板文件", "the template file is missing", path);
        return NULL;
    }
    c->file = file;
    FlowTemplate *t = flow_template_compile(c, file->doc, JSON_ROOT);
    c->file = outer;
    t->where = path;
    c->pkg->template[c->pkg->template_n++] = t;
    return t;
}

static void duration_compile(FlowCompile *c, FlowArg *arg, JsonRef at)
{
    const JsonDoc *d = c->file->doc;
    if (json_type(d, at) == JSON_STRING) {
        arg->expr = flow_expr_compile(c, json_str(d, at), at);
    } else if (!flow_duration_read(d, at, &arg->duration_ms, &arg->months)) {
        flow_fault(c, at, "时长应为 {\"value\", \"unit\"}，单位 min、h、d、wk、mo",
                   "a duration is {\"value\", \"unit\"}, the unit one of min, h, d, wk, mo");
    }
}

static FlowArg *arg_compile(FlowCompile *c, FlowArgKind kind, JsonRef at)
{
    const JsonDoc *d = c->file->doc;
    FlowArg *arg = arena_new(c->arena, FlowArg);
    arg->kind = kind;
    arg->text = json_str(d, at);
    bool text = json_type(d, at) == JSON_STRING && arg->text.n > 0;
    switch (kind) {
    case FLOW_ARG_FLAG:
        if (!json_is_true(d, at)) {
            flow_fault(c, at, "此处应为 true", "this should be true");
        }
        break;
    case FLOW_ARG_TEMPLATE:
        arg->template = template_of(c, at);
        break;
    case FLOW_ARG_TEXT:
        arg->template = flow_template_compile(c, d, at);
        if (!json_str_at(d, at, "zh").n || !json_str_at(d, at, "en").n) {
            flow_fault(c, at, "缺少中文或英文", "the Chinese or the English text is missing");
        }
        break;
    case FLOW_ARG_DURATION:
        duration_compile(c, arg, at);
        break;
    default:
        if (!text) {
            flow_fault(c, at, "此处应为文字", "this should be a text");
        } else if (kind == FLOW_ARG_EXPR) {
            arg->expr = flow_expr_compile(c, arg->text, at);
        }
    }
    return arg;
}

static bool verb_find(const JsonDoc *d, JsonRef object, FlowVerb *ret, JsonRef *ret_value)
{
    for (JsonIter it = json_iter(d, object); json_next(&it);) {
        for (size_t i = 0; i < FLOW_VERB_COUNT; i++) {
            if (str_is(it.key, VERBS[i].name)) {
                *ret = (FlowVerb)i;
                *ret_value = it.value;
                return true;
            }
        }
    }
    return false;
}

static void effect_members(FlowCompile *c, FlowEffect *e, JsonRef object)
{
    const JsonDoc *d = c->file->doc;
    for (JsonIter it = json_iter(d, object); json_next(&it);) {
        const ArgRow *row = arg_row(e->verb, it.key);
        if (str_is(it.key, VERBS[e->verb].name)) {
            continue;
        }
        if (str_is(it.key, "when")) {
            e->when = flow_expr_compile(c, json_str(d, it.value), it.value);
        } else if (row) {
            e->arg[row->id] = arg_compile(c, row->kind, it.value);
        } else {
            flow_fault_name(c, it.value, "此动词没有这个成员", "this verb has no such member",
                            it.key);
        }
    }
    for (size_t i = 0; i < ARGS_N; i++) {
        if (ARGS[i].verb == e->verb && ARGS[i].required && !e->arg[ARGS[i].id]) {
            flow_fault_name(c, object, "缺少成员", "a member is missing",
                            str_from_c(ARGS[i].member));
        }
    }
}

static void effect_compile(FlowCompile *c, FlowEffect *e, JsonRef object)
{
    JsonRef value = JSON_NONE;
    e->at = object;
    if (!verb_find(c->file->doc, object, &e->verb, &value)) {
        flow_fault(c, object, "未知的动词", "unknown verb");
        return;
    }
    FlowArg *own = arg_compile(c, VERBS[e->verb].kind, value);
    e->name = own->kind == FLOW_ARG_NAME ? own->text : STR_NONE;
    e->expr = own->expr;
    effect_members(c, e, object);
    if (e->verb == FLOW_VERB_DEADLINE && !e->arg[FLOW_AFTER] == !e->arg[FLOW_AT]) {
        flow_fault(c, object, "deadline 需要 after 或 at 之一",
                   "a deadline needs either after or at");
    }
}

static FlowEffect *flow_effects_compile(FlowCompile *c, JsonRef array, size_t *ret_n)
{
    const JsonDoc *d = c->file->doc;
    FlowEffect *list = arena_array(c->arena, FlowEffect, json_count(d, array) + 1);
    size_t n = 0;
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        effect_compile(c, &list[n++], it.value);
    }
    *ret_n = n;
    return list;
}

/* ---- Who, guards, finds ---------------------------------------------------------------------- */

static Str *texts_compile(FlowCompile *c, JsonRef array, size_t *ret_n)
{
    const JsonDoc *d = c->file->doc;
    Str *list = arena_array(c->arena, Str, json_count(d, array) + 1);
    *ret_n = 0;
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        list[(*ret_n)++] = json_str(d, it.value);
    }
    return list;
}

static FlowAt at_of(FlowCompile *c, JsonRef object)
{
    static const char *const NAMES[] = {"any", "requester", "owner", "claimant"};
    JsonRef at = json_get_c(c->file->doc, object, "at");
    Str name = json_str(c->file->doc, at);
    for (size_t i = 0; i < 4; i++) {
        if (str_is(name, NAMES[i])) {
            return (FlowAt)i;
        }
    }
    if (at != JSON_NONE) {
        flow_fault_name(c, at, "at 应为 requester、owner、claimant 或 any",
                        "at is requester, owner, claimant or any", name);
    }
    return FLOW_AT_ANY;
}

static void who_compile(FlowCompile *c, FlowAction *a, JsonRef array)
{
    const JsonDoc *d = c->file->doc;
    FlowWho *list = arena_array(c->arena, FlowWho, json_count(d, array) + 1);
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        FlowWho *w = &list[a->who_n++];
        flow_members_check(c, it.value, "role at where");
        w->role = texts_compile(c, json_get_c(d, it.value, "role"), &w->role_n);
        w->at = at_of(c, it.value);
        JsonRef where = json_get_c(d, it.value, "where");
        w->where = where == JSON_NONE ? NULL : flow_expr_compile(c, json_str(d, where), where);
        for (size_t i = 0; i < w->role_n; i++) {
            if (!access_role_known(w->role[i])) {
                flow_fault_name(c, it.value, "未知的角色", "unknown role", w->role[i]);
            }
        }
    }
    a->who = list;
}

static void guards_compile(FlowCompile *c, FlowAction *a, JsonRef array)
{
    const JsonDoc *d = c->file->doc;
    FlowGuard *list = arena_array(c->arena, FlowGuard, json_count(d, array) + 1);
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        FlowGuard *g = &list[a->guard_n];
        int64_t http = 422;
        JsonRef expr = json_get_c(d, it.value, "expr"), status = json_get_c(d, it.value, "status");
        flow_members_check(c, it.value, "rule expr status where text");
        json_to_i64(d, status, &http);
        g->status = flow_status_from_http(http);
        g->rule = json_str_at(d, it.value, "rule");
        g->where = json_str_at(d, it.value, "where");
        g->text = flow_text_compile(c, it.value, "text", true);
        g->expr = flow_expr_compile(c, json_str(d, expr), it.value);
        if (!g->rule.n) {
            flow_fault(c, it.value, "守卫缺少规则代码 rule", "a guard needs its rule");
        }
        if (http != 422 && g->status == ERR_UNPROCESSABLE) {
            flow_fault(c, status, "守卫的状态应为 403、409 或 422",
                       "a guard's status is 403, 409 or 422");
        }
        a->guard_n += g->expr ? 1 : 0;
    }
    a->guard = list;
}

static void finds_compile(FlowCompile *c, FlowAction *a, JsonRef array)
{
    const JsonDoc *d = c->file->doc;
    FlowFind *list = arena_array(c->arena, FlowFind, json_count(d, array) + 1);
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        FlowFind *f = &list[a->find_n++];
        int64_t limit = FLOW_FIND_MAX;
        flow_members_check(c, it.value, "name type query limit directory");
        json_to_i64(d, json_get_c(d, it.value, "limit"), &limit);
        f->limit = limit > 0 && limit < FLOW_FIND_MAX ? (size_t)limit : FLOW_FIND_MAX;
        f->name = json_str_at(d, it.value, "name");
        f->directory = json_is_true(d, json_get_c(d, it.value, "directory"));
        f->query = flow_query_compile(c, json_str_at(d, it.value, "type"),
                                      json_str_at(d, it.value, "query"), it.value);
        if (!f->name.n) {
            flow_fault(c, it.value, "find 缺少 name", "a find needs its name");
        }
    }
    a->find = list;
}

/* ---- Actions --------------------------------------------------------------------------------- */

static void from_compile(FlowCompile *c, FlowAction *a, JsonRef array)
{
    const JsonDoc *d = c->file->doc;
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        Str code = json_str(d, it.value);
        int i = flow_state_index(c->pkg, code);
        if (str_is(code, "*")) {
            a->from = UINT64_MAX; /* narrowed to states that are no ends once these are known */
        } else if (i < 0) {
            flow_fault_name(c, it.value, "未知的状态", "unknown state", code);
        } else {
            a->from |= 1ULL << i;
        }
    }
    if (!a->from && a->kind == FLOW_KIND_ACTION) {
        flow_fault(c, a->at, "操作缺少 from", "an action needs from");
    }
}

static void to_compile(FlowCompile *c, FlowAction *a)
{
    JsonRef at = json_get_c(c->file->doc, a->at, "to");
    Str code = json_str(c->file->doc, at);
    a->to = code.n ? flow_state_index(c->pkg, code) : -1;
    if (code.n && a->to < 0) {
        flow_fault_name(c, at, "未知的状态", "unknown state", code);
    }
    if (!code.n && a->kind != FLOW_KIND_ACTION) {
        flow_fault(c, a->at, "起点缺少 to", "a start needs to");
    }
}

static FlowForm *form_of(FlowCompile *c, JsonRef object)
{
    JsonRef at = json_get_c(c->file->doc, object, "form");
    Str code = json_str(c->file->doc, at);
    if (at == JSON_NONE) {
        return NULL;
    }
    for (size_t i = 0; i < c->pkg->form_n; i++) {
        if (str_eq(c->pkg->form[i]->code, code)) {
            return c->pkg->form[i];
        }
    }
    flow_fault_name(c, at, "缺少表单文件", "the form's file is missing", code);
    return NULL;
}

static FlowTemplate *template_member(FlowCompile *c, JsonRef object, const char *member)
{
    JsonRef at = json_get_c(c->file->doc, object, member);
    return at == JSON_NONE ? NULL : flow_template_compile(c, c->file->doc, at);
}

static bool flag(FlowCompile *c, JsonRef object, const char *member)
{
    return json_is_true(c->file->doc, json_get_c(c->file->doc, object, member));
}

void flow_action_compile(FlowCompile *c, FlowAction *a, JsonRef object, FlowActionKind kind)
{
    const JsonDoc *d = c->file->doc;
    a->kind = kind;
    a->at = object;
    a->code = kind == FLOW_KIND_START ? STR("start") : json_str_at(d, object, "code");
    flow_members_check(
        c, object,
        "code title from to who form formOptional guards effects find requester owner priority "
        "clock receipt primary danger when joins");
    a->title = flow_text_compile(c, object, "title", kind != FLOW_KIND_ENTRY);
    from_compile(c, a, json_get_c(d, object, "from"));
    to_compile(c, a);
    a->form = form_of(c, object);
    a->form_optional = flag(c, object, "formOptional");
    a->clock = flag(c, object, "clock");
    a->receipt = flag(c, object, "receipt");
    a->primary = flag(c, object, "primary");
    a->danger = flag(c, object, "danger");
    if (!json_to_i64(d, json_get_c(d, object, "joins"), &a->joins_days)) {
        a->joins_days = 0;
    }
    who_compile(c, a, json_get_c(d, object, "who"));
    finds_compile(c, a, json_get_c(d, object, "find"));
    guards_compile(c, a, json_get_c(d, object, "guards"));
    a->effect = flow_effects_compile(c, json_get_c(d, object, "effects"), &a->effect_n);
    a->requester = template_member(c, object, "requester");
    a->owner = template_member(c, object, "owner");
    a->priority = template_member(c, object, "priority");
    JsonRef when = json_get_c(d, object, "when");
    a->when = when == JSON_NONE ? NULL : flow_expr_compile(c, json_str(d, when), when);
    if (!a->code.n) {
        flow_fault(c, object, "缺少 code", "code is missing");
    }
}
