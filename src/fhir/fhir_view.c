/* Compiling a ViewDefinition: names, expressions, and which column stands in which cell. */
#include "fhir_view_inner.h"

#define SELECTS_MAX    200u
#define CONSTANTS_MAX  200u
#define WHERES_MAX     200u
#define NAME_BYTES_MAX 255u

typedef struct Compile {
    Arena *arena;
    Err *err;
    const JsonDoc *doc;
    FhirView *view;
    size_t selects;
} Compile;

/* A select that is being compiled: where it stands, and the cell that comes next. */
typedef struct Place {
    JsonRef at;
    Str where;
    unsigned depth;
    size_t cell;
} Place;

static Status fault(const Compile *c, Str where, const char *zh, const char *en)
{
    return err_text(c->err, ERR_UNPROCESSABLE, "invalid", where, str_from_c(zh), str_from_c(en));
}

static Str inside(const Compile *c, Str where, const char *member)
{
    const char *dot = where.n ? "." : "";
    return arena_printf(c->arena, "%.*s%s%s", STR_ARG(where), dot, member);
}

static Str item_of(const Compile *c, Str where, const char *member, size_t i)
{
    return arena_printf(c->arena, "%.*s[%zu]", STR_ARG(inside(c, where, member)), i);
}

/* --- values of the definition --- */

/* A list of at most `max` objects; absent: none. */
static Status list_get(Compile *c, JsonRef from, Str where, const char *name, size_t max,
                       JsonRef *ret, size_t *ret_n)
{
    JsonRef list = json_get_c(c->doc, from, name);
    Str at = inside(c, where, name);
    *ret = list;
    *ret_n = json_count(c->doc, list);
    if (list != JSON_NONE && json_type(c->doc, list) != JSON_ARRAY) {
        return fault(c, at, "此处须为数组", "this must be an array");
    }
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        if (json_type(c->doc, it.value) != JSON_OBJECT) {
            return fault(c, item_of(c, where, name, it.index), "此处须为对象",
                         "this must be an object");
        }
    }
    return *ret_n > max ? fault(c, at, "项目过多", "there are too many items") : OK;
}

/* A text; absent: empty. */
static Status text_get(Compile *c, JsonRef from, Str where, const char *name, Str *ret)
{
    JsonRef at = json_get_c(c->doc, from, name);
    if (at != JSON_NONE && json_type(c->doc, at) != JSON_STRING) {
        return fault(c, inside(c, where, name), "此处须为字符串", "this must be a string");
    }
    *ret = json_str(c->doc, at);
    return OK;
}

/* Letters, digits and underscores, a letter first: fit for a database. */
static bool name_fits(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char l = (char)(s.p[i] | 0x20);
        bool letter = l >= 'a' && l <= 'z', digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (!letter && (i == 0 || (!digit && s.p[i] != '_'))) {
            return false;
        }
    }
    return s.n > 0 && s.n <= NAME_BYTES_MAX;
}

static Status name_get(Compile *c, JsonRef from, Str where, Str *ret)
{
    TRY(text_get(c, from, where, "name", ret));
    return name_fits(*ret)
               ? OK
               : fault(c, inside(c, where, "name"), "须有名称：以字母开头，只含字母、数字和下划线",
                       "a name is needed: letters, digits and _, a letter first");
}

/* --- expressions --- */

static bool variable_known(const Compile *c, Str name)
{
    static const char *const KNOWN[] = {"context", "resource", "rootResource", "ucum",
                                        "sct",     "loinc",    VIEW_ROW_INDEX};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (str_is(name, KNOWN[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < c->view->constant_n; i++) {
        if (str_eq(c->view->constant[i].name, name)) {
            return true;
        }
    }
    return str_starts(name, STR("vs-")) || str_starts(name, STR("ext-"));
}

static Status variables_check(Compile *c, const FhirPath *p, Str where)
{
    const Str *name;
    size_t n = fhir_path_variables(p, &name);
    bool defines = str_find(fhir_path_text(p), STR("defineVariable")) >= 0; /* known when it runs */
    for (size_t i = 0; i < n && !defines; i++) {
        if (!variable_known(c, name[i])) {
            return err_add(c->err, ERR_UNPROCESSABLE, "invalid", where, "没有常量 %%%.*s",
                           "there is no constant %%%.*s", STR_ARG(name[i]));
        }
    }
    return OK;
}

static Status path_compile(Compile *c, JsonRef at, Str where, const FhirPath **ret)
{
    Err inner;
    FhirPath *p = NULL;
    Str text = str_trim(json_str(c->doc, at));
    if (text.n == 0) {
        return fault(c, where, "此处须为 FHIRPath 表达式", "a FHIRPath expression is needed here");
    }
    err_init(&inner, c->arena);
    if (fhir_path_compile(c->arena, text, &p, &inner) != OK) {
        return err_text(c->err, ERR_UNPROCESSABLE, "invalid", where, inner.first->zh,
                        inner.first->en);
    }
    *ret = p;
    return variables_check(c, p, where);
}

/* --- constants --- */

/* valueDate → date. */
static const FhirType *value_type(Arena *a, Str key)
{
    Str name = str_skip(key, 5);
    if (!str_starts(key, STR("value")) || name.n == 0) {
        return NULL;
    }
    char *small = arena_cstr(a, name);
    small[0] = (char)(small[0] | 0x20);
    const FhirType *t = fhir_type_find((Str){small, name.n});
    return t ? t : fhir_type_find(name);
}

/* R5's type, which its JSON writes as a text. */
static bool value_integer64(const JsonDoc *d, Str key, JsonRef at, FhirValue *ret)
{
    int64_t n;
    Str text = json_type(d, at) == JSON_STRING ? json_str(d, at) : json_number(d, at);
    if (!str_is(key, "valueInteger64") || !str_to_i64(text, &n)) {
        return false;
    }
    *ret = fhir_value_integer(n);
    return true;
}

static bool constant_value(Compile *c, const JsonIter *it, FhirValue *ret)
{
    const FhirType *t = value_type(c->arena, it->key);
    bool composed = json_type(c->doc, it->value) >= JSON_ARRAY;
    if (t && fhir_type_is_primitive(t) != composed) {
        *ret = fhir_value_node(fhir_node_typed(c->doc, it->value, t));
        return true;
    }
    return value_integer64(c->doc, it->key, it->value, ret);
}

static Status constant_compile(Compile *c, JsonRef at, Str where, FhirPathVar *ret)
{
    size_t n = 0;
    FhirValue v;
    TRY(name_get(c, at, where, &ret->name));
    for (JsonIter it = json_iter(c->doc, at); json_next(&it);) {
        if (constant_value(c, &it, &v)) {
            ret->values = fhir_values_one(c->arena, v);
            n++;
        }
    }
    return n == 1 ? OK : fault(c, where, "常量须有一个 value[x]", "a constant needs one value[x]");
}

static Status constants_compile(Compile *c, JsonRef view)
{
    JsonRef list;
    size_t n;
    TRY(list_get(c, view, STR_NONE, "constant", CONSTANTS_MAX, &list, &n));
    c->view->constant = arena_array(c->arena, FhirPathVar, n + 1);
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        Str where = item_of(c, STR_NONE, "constant", it.index);
        FhirPathVar one;
        TRY(constant_compile(c, it.value, where, &one));
        if (variable_known(c, one.name)) {
            return fault(c, inside(c, where, "name"), "名称已被使用", "the name is taken");
        }
        c->view->constant[c->view->constant_n++] = one;
    }
    return OK;
}

/* --- columns --- */

/* A cell that another branch of the union has made must be the same column. */
static Status cell_put(Compile *c, size_t cell, FhirViewColumn column, Str where)
{
    FhirView *v = c->view;
    const FhirViewColumn *had = cell < v->column_n ? &v->column[cell] : NULL;
    if (had) {
        bool same = str_eq(had->name, column.name) && had->collection == column.collection &&
                    (str_eq(had->type, column.type) || !had->type.n || !column.type.n);
        return same ? OK
                    : fault(c, where, "unionAll 各分支的列须相同",
                            "the branches of unionAll must have the same columns");
    }
    for (size_t i = 0; i < v->column_n; i++) {
        if (str_eq(v->column[i].name, column.name)) {
            return fault(c, inside(c, where, "name"), "列名重复", "the column name is taken");
        }
    }
    if (v->column_n == FHIR_VIEW_COLUMNS_MAX) {
        return fault(c, where, "列过多", "there are too many columns");
    }
    v->column[v->column_n++] = column;
    return OK;
}

static Status column_compile(Compile *c, JsonRef at, Place *p, Str where, ViewColumn *ret)
{
    FhirViewColumn column = {0};
    JsonRef collection = json_get_c(c->doc, at, "collection");
    JsonType type = json_type(c->doc, collection);
    TRY(name_get(c, at, where, &column.name));
    TRY(text_get(c, at, where, "type", &column.type));
    if (collection != JSON_NONE && type != JSON_TRUE && type != JSON_FALSE) {
        return fault(c, inside(c, where, "collection"), "此处须为布尔值", "this must be a boolean");
    }
    column.collection = type == JSON_TRUE;
    *ret = (ViewColumn){.cell = p->cell, .where = where};
    TRY(path_compile(c, json_get_c(c->doc, at, "path"), inside(c, where, "path"), &ret->path));
    TRY(cell_put(c, p->cell, column, where));
    p->cell++;
    return OK;
}

static Status columns_compile(Compile *c, Place *p, ViewSelect *s)
{
    JsonRef list;
    TRY(list_get(c, p->at, p->where, "column", FHIR_VIEW_COLUMNS_MAX, &list, &s->column_n));
    ViewColumn *column = arena_array(c->arena, ViewColumn, s->column_n + 1);
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        Str where = item_of(c, p->where, "column", it.index);
        TRY(column_compile(c, it.value, p, where, &column[it.index]));
    }
    s->column = column;
    return OK;
}

/* --- selects --- */

static Status repeat_compile(Compile *c, JsonRef list, Str where, ViewSelect *s)
{
    s->path_n = json_count(c->doc, list);
    if (json_type(c->doc, list) != JSON_ARRAY || s->path_n == 0 || s->path_n > WHERES_MAX) {
        return fault(c, where, "此处须为 FHIRPath 表达式的数组",
                     "this must be an array of FHIRPath expressions");
    }
    const FhirPath **path = arena_array(c->arena, const FhirPath *, s->path_n);
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        Str at = arena_printf(c->arena, "%.*s[%u]", STR_ARG(where), it.index);
        TRY(path_compile(c, it.value, at, &path[it.index]));
    }
    s->path = path;
    return OK;
}

static Status each_compile(Compile *c, const Place *p, ViewSelect *s)
{
    static const char *const NAME[] = {[VIEW_FOR_EACH] = "forEach",
                                       [VIEW_FOR_EACH_OR_NULL] = "forEachOrNull",
                                       [VIEW_REPEAT] = "repeat"};
    for (int each = VIEW_FOR_EACH; each <= VIEW_REPEAT; each++) {
        JsonRef at = json_get_c(c->doc, p->at, NAME[each]);
        if (at == JSON_NONE) {
            continue;
        }
        Str where = inside(c, p->where, NAME[each]);
        if (s->each != VIEW_ONCE) {
            return fault(c, where, "forEach、forEachOrNull、repeat 只能有其一",
                         "only one of forEach, forEachOrNull and repeat may stand here");
        }
        s->each = (ViewEach)each;
        if (each == VIEW_REPEAT) {
            TRY(repeat_compile(c, at, where, s));
            continue;
        }
        const FhirPath **path = arena_array(c->arena, const FhirPath *, 1);
        TRY(path_compile(c, at, where, path));
        s->path = path;
        s->path_n = 1;
    }
    return OK;
}

static Status select_compile(Compile *c, Place *p, ViewSelect *s);

static Status nested_compile(Compile *c, Place *p, ViewSelect *s)
{
    JsonRef list;
    TRY(list_get(c, p->at, p->where, "select", SELECTS_MAX, &list, &s->select_n));
    ViewSelect *select = arena_array(c->arena, ViewSelect, s->select_n + 1);
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        Place inner = {it.value, item_of(c, p->where, "select", it.index), p->depth + 1, p->cell};
        TRY(select_compile(c, &inner, &select[it.index]));
        p->cell = inner.cell;
    }
    s->select = select;
    return OK;
}

static Status union_compile(Compile *c, Place *p, ViewSelect *s)
{
    JsonRef list;
    size_t end = 0;
    TRY(list_get(c, p->at, p->where, "unionAll", SELECTS_MAX, &list, &s->branch_n));
    ViewSelect *branch = arena_array(c->arena, ViewSelect, s->branch_n + 1);
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        Place inner = {it.value, item_of(c, p->where, "unionAll", it.index), p->depth + 1, p->cell};
        TRY(select_compile(c, &inner, &branch[it.index]));
        if (it.index && inner.cell != end) {
            return fault(c, inner.where, "unionAll 各分支的列须相同",
                         "the branches of unionAll must have the same columns");
        }
        end = inner.cell;
    }
    s->branch = branch;
    p->cell = s->branch_n ? end : p->cell;
    return OK;
}

static Status select_compile(Compile *c, Place *p, ViewSelect *s)
{
    *s = (ViewSelect){.first = p->cell, .where = p->where};
    if (p->depth > FHIR_VIEW_DEPTH_MAX || ++c->selects > SELECTS_MAX) {
        return fault(c, p->where, "select 过多或嵌套过深",
                     "there are too many or too deep selects");
    }
    TRY(each_compile(c, p, s));
    TRY(columns_compile(c, p, s));
    TRY(nested_compile(c, p, s));
    TRY(union_compile(c, p, s));
    s->end = p->cell;
    return s->end > s->first ? OK : fault(c, p->where, "没有列", "there are no columns");
}

/* --- the whole --- */

static Status filter_compile(Compile *c, JsonRef view)
{
    JsonRef list;
    TRY(list_get(c, view, STR_NONE, "where", WHERES_MAX, &list, &c->view->filter_n));
    ViewColumn *filter = arena_array(c->arena, ViewColumn, c->view->filter_n + 1);
    for (JsonIter it = json_iter(c->doc, list); json_next(&it);) {
        Str where = inside(c, item_of(c, STR_NONE, "where", it.index), "path");
        filter[it.index].where = where;
        TRY(path_compile(c, json_get_c(c->doc, it.value, "path"), where, &filter[it.index].path));
    }
    c->view->filter = filter;
    return OK;
}

static Status head_compile(Compile *c, JsonRef view)
{
    FhirView *v = c->view;
    TRY(text_get(c, view, STR_NONE, "resource", &v->resource));
    TRY(text_get(c, view, STR_NONE, "name", &v->name));
    v->type = fhir_type_find(v->resource);
    if (!v->type || !fhir_type_is_resource(v->type)) {
        return fault(c, STR("resource"), "resource 须为一个 R4 资源类型",
                     "resource must be a resource type of R4");
    }
    if (v->name.n && !name_fits(v->name)) {
        return fault(c, STR("name"), "名称须以字母开头，只含字母、数字和下划线",
                     "the name takes letters, digits and _, a letter first");
    }
    return OK;
}

Status fhir_view_compile(Arena *a, const JsonDoc *d, JsonRef view, FhirView **ret, Err *err)
{
    FhirView *v = arena_new(a, FhirView);
    Compile c = {.arena = a, .err = err, .doc = d, .view = v};
    if (json_type(d, view) != JSON_OBJECT) {
        return fault(&c, STR_NONE, "视图定义须为一个 JSON 对象",
                     "a view definition must be a JSON object");
    }
    v->column = arena_array(a, FhirViewColumn, FHIR_VIEW_COLUMNS_MAX);
    TRY(head_compile(&c, view));
    TRY(constants_compile(&c, view));
    Place p = {view, STR_NONE, 0, 0};
    TRY(nested_compile(&c, &p, &v->root));
    if (v->root.select_n == 0) {
        return fault(&c, STR("select"), "须有至少一个 select", "at least one select is needed");
    }
    v->root.end = p.cell;
    TRY(filter_compile(&c, view));
    *ret = v;
    return OK;
}

Str fhir_view_resource(const FhirView *v)
{
    return v->resource;
}

size_t fhir_view_columns(const FhirView *v, const FhirViewColumn **ret)
{
    *ret = v->column;
    return v->column_n;
}
