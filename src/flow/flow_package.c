/* A folder becomes a package: files parsed, forms, states, actions, lists, prints, parameters
 * compiled. */
#include "flow_inner.h"

#define FILES_MAX 200

static const char *const TASK_CODES[] = {"draft",    "requested", "received",  "accepted",
                                         "rejected", "ready",     "cancelled", "in-progress",
                                         "on-hold",  "failed",    "completed"};

static bool task_code_ok(Str code)
{
    for (size_t i = 0; i < sizeof TASK_CODES / sizeof TASK_CODES[0]; i++) {
        if (str_is(code, TASK_CODES[i])) {
            return true;
        }
    }
    return false;
}

static void list_begin(FlowCompile *c, JsonRef at, size_t *ret_n)
{
    *ret_n = json_count(c->file->doc, at);
    if (at != JSON_NONE && json_type(c->file->doc, at) != JSON_ARRAY) {
        flow_fault(c, at, "此处应为数组", "this should be an array");
        *ret_n = 0;
    }
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool source_has(const FlowPackageSource *package, Str path)
{
    for (size_t i = 0; i < package->files_n; i++) {
        if (str_eq(package->paths[i], path)) {
            return true;
        }
    }
    return false;
}

void flow_package_share(Arena *a, FlowPackageSource *package, const FlowPackageSource *shared)
{
    size_t n = package->files_n;
    Str *paths = arena_array(a, Str, n + shared->files_n + 1);
    Str *contents = arena_array(a, Str, n + shared->files_n + 1);
    for (size_t i = 0; i < n; i++) {
        paths[i] = package->paths[i];
        contents[i] = package->contents[i];
    }
    for (size_t i = 0; i < shared->files_n; i++) {
        Str path = arena_cat(a, STR("print/"), shared->paths[i]);
        if (!source_has(package, path)) {
            paths[n] = path;
            contents[n++] = shared->contents[i];
        }
    }
    package->paths = paths;
    package->contents = contents;
    package->files_n = n;
}

static void files_load(FlowCompile *c, const FlowPackageSource *source)
{
    FlowPackage *p = c->pkg;
    size_t n = source->files_n < FILES_MAX ? source->files_n : FILES_MAX;
    p->file = arena_array(c->arena, FlowFile, n + 1);
    for (size_t i = 0; i < n; i++) {
        FlowFile *f = &p->file[p->file_n++];
        f->path = arena_str(c->arena, source->paths[i]);
        f->bytes = arena_str(c->arena, source->contents[i]);
        if (!str_ends(f->path, STR(".json"))) {
            continue;
        }
        JsonDoc *d = arena_new(c->arena, JsonDoc);
        Err said;
        err_init(&said, c->arena);
        if (json_parse(c->arena, f->bytes, &JSON_LIMITS_FHIR, d, &said) == OK) {
            f->doc = d;
        } else {
            err_move(c->err, &said, arena_cat(c->arena, f->path, STR(": ")));
        }
    }
}

/* ---- States, lists, prints ------------------------------------------------------------------- */

static void states_compile(FlowCompile *c, JsonRef array)
{
    FlowPackage *p = c->pkg;
    const JsonDoc *d = c->file->doc;
    size_t n;
    list_begin(c, array, &n);
    if (n == 0 || n > FLOW_STATES_MAX) {
        flow_fault(c, JSON_ROOT, "状态数应为1至60", "a pathway has 1 to 60 states");
        return;
    }
    p->state = arena_array(c->arena, FlowState, n);
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        FlowState s = {.code = json_str_at(d, it.value, "code"),
                       .task = json_str_at(d, it.value, "task"),
                       .color = json_str_at(d, it.value, "color")};
        flow_members_check(c, it.value, "code task title color next");
        s.title = flow_text_compile(c, it.value, "title", true);
        s.next = flow_text_compile(c, it.value, "next", false);
        if (!s.code.n || flow_state_index(p, s.code) >= 0) {
            flow_fault_name(c, it.value, "状态代码缺失或重复", "state code missing or used twice",
                            s.code);
        }
        if (!task_code_ok(s.task)) {
            flow_fault_name(c, it.value, "不是 Task.status 的代码", "not a code of Task.status",
                            s.task);
        }
        p->state[p->state_n++] = s;
    }
}

static Str *roles_compile(FlowCompile *c, JsonRef array, size_t *ret_n)
{
    const JsonDoc *d = c->file->doc;
    Str *list = arena_array(c->arena, Str, json_count(d, array) + 1);
    *ret_n = 0;
    for (JsonIter it = json_iter(d, array); json_next(&it);) {
        list[*ret_n] = json_str(d, it.value);
        if (!access_role_known(list[*ret_n])) {
            flow_fault_name(c, it.value, "未知的角色", "unknown role", list[*ret_n]);
        }
        (*ret_n)++;
    }
    return list;
}

static void lists_compile(FlowCompile *c, JsonRef array)
{
    FlowPackage *p = c->pkg;
    const JsonDoc *d = c->file->doc;
    size_t n;
    list_begin(c, array, &n);
    p->list = arena_array(c->arena, FlowList, n + 1);
    for (JsonIter it = json_iter(d, array); n && json_next(&it);) {
        FlowList *l = &p->list[p->list_n++];
        flow_members_check(c, it.value, "code title role live alert query");
        l->code = json_str_at(d, it.value, "code");
        l->query = json_str_at(d, it.value, "query");
        l->title = flow_text_compile(c, it.value, "title", true);
        l->role = roles_compile(c, json_get_c(d, it.value, "role"), &l->role_n);
        l->live = json_is_true(d, json_get_c(d, it.value, "live"));
        l->alert = json_is_true(d, json_get_c(d, it.value, "alert"));
        if (!l->code.n || !l->query.n || !l->role_n) {
            flow_fault(c, it.value, "列表缺少 code、role 或 query",
                       "a list needs code, role and query");
        }
    }
}

static uint64_t states_mask(FlowCompile *c, JsonRef array)
{
    uint64_t mask = 0;
    for (JsonIter it = json_iter(c->file->doc, array); json_next(&it);) {
        Str code = json_str(c->file->doc, it.value);
        int i = flow_state_index(c->pkg, code);
        if (str_is(code, "*")) {
            mask = UINT64_MAX;
        } else if (i < 0) {
            flow_fault_name(c, it.value, "未知的状态", "unknown state", code);
        } else {
            mask |= 1ULL << i;
        }
    }
    return mask;
}

static void prints_compile(FlowCompile *c, JsonRef array)
{
    FlowPackage *p = c->pkg;
    const JsonDoc *d = c->file->doc;
    size_t n;
    list_begin(c, array, &n);
    p->print = arena_array(c->arena, FlowPrint, n + 1);
    for (JsonIter it = json_iter(d, array); n && json_next(&it);) {
        FlowPrint *print = &p->print[p->print_n++];
        flow_members_check(c, it.value, "code title file when");
        print->code = json_str_at(d, it.value, "code");
        print->title = flow_text_compile(c, it.value, "title", true);
        print->when = states_mask(c, json_get_c(d, it.value, "when"));
        Str file = json_str_at(d, it.value, "file");
        print->page = flow_page_compile(c, file.n ? file : print->code, it.value);
    }
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static bool day_read(FlowCompile *c, JsonRef row, const char *member, int64_t none, int64_t *ret)
{
    JsonRef at = json_get_c(c->file->doc, row, member);
    DateTime date;
    *ret = none;
    if (at == JSON_NONE || json_type(c->file->doc, at) == JSON_NULL) {
        return true;
    }
    if (!datetime_parse(json_str(c->file->doc, at), &date) || date.precision != DATE_DAY) {
        flow_fault_name(c, at, "日期应为 YYYY-MM-DD", "a date is YYYY-MM-DD", str_from_c(member));
        return false;
    }
    *ret = days_from_civil(date.year, date.month, date.day);
    return true;
}

/* "*" or none: every region. */
static Str region_compile(FlowCompile *c, JsonRef row)
{
    Str region = json_str_at(c->file->doc, row, "region");
    if (str_empty(region) || str_is(region, "*")) {
        return STR_NONE;
    }
    if (!flow_region_ok(region)) {
        flow_fault_name(c, row, "region 应为 \"*\" 或 2、4、6 位行政区划代码",
                        "region is \"*\" or 2, 4 or 6 digits of an area's code", region);
    }
    return region;
}

static void param_compile(FlowCompile *c, JsonRef row)
{
    FlowPackage *p = c->pkg;
    const JsonDoc *d = c->file->doc;
    FlowParam param = {.key = json_str_at(d, row, "key"),
                       .region = region_compile(c, row),
                       .unit = json_str_at(d, row, "unit"),
                       .value = json_get_c(d, row, "value")};
    flow_members_check(c, row, "key value unit region from to source trust");
    bool ok = day_read(c, row, "from", INT64_MIN, &param.from_day) &&
              day_read(c, row, "to", INT64_MAX, &param.to_day);
    if (!param.key.n || param.value == JSON_NONE || !ok) {
        flow_fault(c, row, "参数缺少 key 或 value", "a parameter needs key and value");
        return;
    }
    JsonType type = json_type(d, param.value);
    if (str_is(param.key, FLOW_PARAM_SIGN_PASSWORD) && type != JSON_TRUE && type != JSON_FALSE) {
        flow_fault_name(c, param.value, "此参数的值应为 true 或 false",
                        "the value of this parameter is true or false", param.key);
    }
    for (size_t i = 0; i < p->param_n; i++) {
        const FlowParam *o = &p->param[i];
        if (str_eq(o->key, param.key) && str_eq(o->region, param.region) &&
            param.from_day < o->to_day && o->from_day < param.to_day) {
            flow_fault_name(c, row, "同一参数的有效期重叠", "two rows of a parameter overlap",
                            param.key);
        }
    }
    p->param[p->param_n++] = param;
}

static void params_compile(FlowCompile *c)
{
    const FlowFile *file = flow_package_file(c->pkg, STR("params.json")), *outer = c->file;
    if (!file || !file->doc) {
        return;
    }
    c->file = file;
    c->pkg->params_doc = file->doc;
    c->pkg->param = arena_array(c->arena, FlowParam, json_count(file->doc, JSON_ROOT) + 1);
    if (json_type(file->doc, JSON_ROOT) != JSON_ARRAY) {
        flow_fault(c, JSON_ROOT, "此处应为数组", "this should be an array");
    } else {
        for (JsonIter it = json_iter(file->doc, JSON_ROOT); json_next(&it);) {
            param_compile(c, it.value);
        }
    }
    c->file = outer;
}

/* ---- Forms, actions -------------------------------------------------------------------------- */

static void forms_compile(FlowCompile *c)
{
    FlowPackage *p = c->pkg;
    p->form = arena_array(c->arena, FlowForm *, p->file_n + 1);
    for (size_t i = 0; i < p->file_n; i++) {
        Str path = p->file[i].path;
        if (!str_starts(path, STR("forms/")) || !p->file[i].doc || !str_ends(path, STR(".json"))) {
            continue;
        }
        const FlowFile *outer = c->file;
        c->file = &p->file[i];
        p->form[p->form_n++] = flow_form_compile(c, (Str){path.p + 6, path.n - 11});
        c->file = outer;
    }
}

static FlowAction *actions_compile(FlowCompile *c, const char *member, FlowActionKind kind,
                                   size_t *ret_n)
{
    const JsonDoc *d = c->file->doc;
    JsonRef array = json_get_c(d, JSON_ROOT, member);
    size_t n;
    list_begin(c, array, &n);
    FlowAction *list = arena_array(c->arena, FlowAction, n + 1);
    size_t i = 0;
    for (JsonIter it = json_iter(d, array); n && json_next(&it);) {
        flow_action_compile(c, &list[i++], it.value, kind);
    }
    *ret_n = i;
    return list;
}

/* An end has no way out; `*` means every state that is none. */
static void ends_mark(FlowPackage *p)
{
    uint64_t ways = 0, open;
    for (size_t i = 0; i < p->action_n; i++) {
        ways |= p->action[i].from == UINT64_MAX ? 0 : p->action[i].from;
    }
    for (size_t i = 0; i < p->state_n; i++) {
        static const char *const ENDS[] = {"completed", "cancelled", "rejected", "failed"};
        bool end_code = false;
        for (size_t k = 0; k < 4; k++) {
            end_code |= str_is(p->state[i].task, ENDS[k]);
        }
        p->state[i].end = !(ways >> i & 1) && end_code;
    }
    open = 0;
    for (size_t i = 0; i < p->state_n; i++) {
        open |= p->state[i].end ? 0 : 1ULL << i;
    }
    for (size_t i = 0; i < p->action_n; i++) {
        p->action[i].from = p->action[i].from == UINT64_MAX ? open : p->action[i].from;
    }
}

static void migrations_compile(FlowCompile *c)
{
    const JsonDoc *d = c->file->doc;
    JsonRef array = json_get_c(d, JSON_ROOT, "migrate");
    size_t n;
    list_begin(c, array, &n);
    c->pkg->migration = arena_array(c->arena, FlowMigration, n + 1);
    for (JsonIter it = json_iter(d, array); n && json_next(&it);) {
        FlowMigration m = {json_str_at(d, it.value, "from"), json_get_c(d, it.value, "states")};
        flow_members_check(c, it.value, "from states");
        for (JsonIter s = json_iter(d, m.states); json_next(&s);) {
            if (flow_state_index(c->pkg, json_str(d, s.value)) < 0) {
                flow_fault_name(c, s.value, "未知的状态", "unknown state", json_str(d, s.value));
            }
        }
        c->pkg->migration[c->pkg->migration_n++] = m;
    }
}

static bool name_ok(Str name)
{
    bool ok = name.n > 0 && name.n <= 40 && name.p[0] >= 'a' && name.p[0] <= 'z';
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        ok = ok && ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-');
    }
    return ok;
}

static void head_compile(FlowCompile *c, Str folder)
{
    FlowPackage *p = c->pkg;
    const JsonDoc *d = c->file->doc;
    flow_members_check(
        c, JSON_ROOT,
        "name version title color states start entries actions lists prints migrate description");
    p->name = json_str_at(d, JSON_ROOT, "name");
    p->version = json_str_at(d, JSON_ROOT, "version");
    p->color = json_str_at(d, JSON_ROOT, "color");
    p->title = flow_text_compile(c, JSON_ROOT, "title", true);
    p->canonical = arena_cat(c->arena, STR(FLOW_SYSTEM_PATHWAY ":"), p->name, STR("|"), p->version);
    if (!name_ok(p->name) || !str_eq(p->name, folder)) {
        flow_fault_name(c, JSON_ROOT, "name 应与文件夹同名（小写字母、数字、连字符）",
                        "name is the folder's name (lower case, digits, hyphens)", p->name);
    }
    if (!p->version.n || p->version.n > 16 || !fhir_id_ok(p->version)) {
        flow_fault_name(c, JSON_ROOT, "version 缺失或有误", "version is missing or malformed",
                        p->version);
    }
}

static void package_compile(FlowCompile *c, Str folder)
{
    FlowPackage *p = c->pkg;
    c->file = flow_package_file(p, STR("pathway.json"));
    if (!c->file || !c->file->doc || json_type(c->file->doc, JSON_ROOT) != JSON_OBJECT) {
        c->file = NULL;
        flow_fault(c, JSON_NONE, "缺少 pathway.json 或其不是对象",
                   "pathway.json is missing or not an object");
        return;
    }
    p->doc = c->file->doc;
    p->template = arena_array(c->arena, FlowTemplate *, p->file_n + 1);
    head_compile(c, folder);
    states_compile(c, json_get_c(p->doc, JSON_ROOT, "states"));
    params_compile(c);
    forms_compile(c);
    JsonRef start = json_get_c(p->doc, JSON_ROOT, "start");
    if (start != JSON_NONE) {
        p->start = arena_new(c->arena, FlowAction);
        flow_action_compile(c, p->start, start, FLOW_KIND_START);
    }
    p->entry = actions_compile(c, "entries", FLOW_KIND_ENTRY, &p->entry_n);
    p->action = actions_compile(c, "actions", FLOW_KIND_ACTION, &p->action_n);
    ends_mark(p);
    lists_compile(c, json_get_c(p->doc, JSON_ROOT, "lists"));
    prints_compile(c, json_get_c(p->doc, JSON_ROOT, "prints"));
    flow_indicators_compile(c);
    migrations_compile(c);
}

Status flow_package_new(const FlowPackageSource *source, FlowPackage **ret, Err *err)
{
    Arena *a = memory_take(sizeof *a);
    arena_init(a, 0);
    FlowPackage *p = arena_new(a, FlowPackage);
    Err faults;
    err_init(&faults, a);
    p->arena = a;
    p->name = arena_str(a, source->name);
    FlowCompile c = {.arena = a, .err = &faults, .pkg = p};
    files_load(&c, source);
    if (!faults.count) {
        package_compile(&c, source->name);
    }
    if (faults.count) {
        Status s = err_move(err, &faults, STR_NONE);
        flow_package_free(p);
        return s;
    }
    *ret = p;
    return OK;
}

void flow_package_free(FlowPackage *p)
{
    if (p) {
        Arena *a = p->arena;
        arena_done(a);
        free(a);
    }
}
