/* Templates of resources and searches with holes: compiled once, filled in for each step. */
#include "flow_inner.h"

/* ---- Compiling ------------------------------------------------------------------------------- */

static bool is_control(Str key)
{
    return str_starts(key, STR("=for ")) || str_is(key, "=if");
}

static void template_walk(FlowCompile *c, FlowTemplate *t, JsonRef r)
{
    const JsonDoc *d = t->doc;
    Str s = json_str(d, r);
    if (s.n > 1 && s.p[0] == '=' && s.p[1] != '=') {
        t->at[r - t->root] = flow_expr_compile(c, s, r);
    } else if (s.n == 1 && s.p[0] == '=') {
        flow_fault(c, r, "模板中的“=”后缺少表达式", "an expression must follow the =");
    }
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        if (is_control(it.key)) {
            t->at[it.value - t->root] = flow_expr_compile(c, json_str(d, it.value), it.value);
        } else if (it.key.n && it.key.p[0] == '=') {
            flow_fault_name(c, it.value, "未知的模板指令", "unknown template instruction", it.key);
        } else {
            template_walk(c, t, it.value);
        }
    }
}

FlowTemplate *flow_template_compile(FlowCompile *c, const JsonDoc *doc, JsonRef root)
{
    if (json_type(doc, root) == JSON_ABSENT) {
        return NULL;
    }
    FlowTemplate *t = arena_new(c->arena, FlowTemplate);
    t->doc = doc;
    t->root = root;
    t->at_n = doc->tok[root].next - root;
    t->at = arena_array(c->arena, FlowExpr *, t->at_n);
    t->where = flow_where(c, root);
    template_walk(c, t, root);
    return t;
}

/* ---- Expanding ------------------------------------------------------------------------------- */

typedef struct Expand {
    const FlowTemplate *t;
    FlowScope scope; /* a copy whose locals change */
    Buf *out;
    int depth;
} Expand;

static Status value_put(Expand *x, JsonRef r, Err *err);

static FlowExpr *expr_at(const Expand *x, JsonRef r)
{
    return x->t->at[r - x->t->root];
}

static Status several(const Expand *x, const FlowExpr *e, Err *err)
{
    return flow_refuse(
        err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE,
        arena_cat(x->scope.arena, e->where, STR(": several results where one may stand")));
}

static Status expr_put(Expand *x, const FlowExpr *e, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&x->scope, e, &values, err));
    if (values.n > 1) {
        return several(x, e, err);
    }
    if (values.n == 1) {
        fhir_value_json(x->out, &values.at[0]);
    }
    return OK;
}

/* Each result as an element; *first says whether a comma is due. */
static void element_begin(Expand *x, bool *first)
{
    if (!*first) {
        buf_char(x->out, ',');
    }
    *first = false;
}

static Status element_put(Expand *x, JsonRef r, bool *first, Err *err);

static Status elements_of_expr(Expand *x, const FlowExpr *e, bool *first, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&x->scope, e, &values, err));
    for (size_t i = 0; i < values.n; i++) {
        element_begin(x, first);
        fhir_value_json(x->out, &values.at[i]);
    }
    return OK;
}

static Status elements_of_for(Expand *x, Str key, JsonRef list, JsonRef body, bool *first, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&x->scope, expr_at(x, list), &values, err));
    const FlowLocal *up = x->scope.locals;
    for (size_t i = 0; i < values.n; i++) {
        FlowLocal local = {up, str_trim(str_skip(key, 5)),
                           fhir_values_one(x->scope.arena, values.at[i])};
        x->scope.locals = &local;
        Status s = element_put(x, body, first, err);
        x->scope.locals = up;
        TRY(s);
    }
    return OK;
}

/* The control member of an object ("=for x", "=if"), or JSON_NONE. */
static JsonRef control_of(const JsonDoc *d, JsonRef r, Str *ret_key)
{
    JsonIter it = json_iter(d, r);
    if (json_type(d, r) == JSON_OBJECT && json_next(&it) && is_control(it.key)) {
        *ret_key = it.key;
        return it.value;
    }
    return JSON_NONE;
}

/* The branch of an "=if" that holds, or JSON_NONE. */
static Status if_branch(Expand *x, JsonRef r, JsonRef condition, JsonRef *ret, Err *err)
{
    bool holds = false;
    TRY(flow_test(&x->scope, expr_at(x, condition), &holds, err));
    *ret = json_get_c(x->t->doc, r, holds ? "then" : "else");
    return OK;
}

static Status element_put(Expand *x, JsonRef r, bool *first, Err *err)
{
    Str key = STR_NONE;
    JsonRef control = control_of(x->t->doc, r, &key);
    if (control != JSON_NONE && str_is(key, "=if")) {
        JsonRef branch = JSON_NONE;
        TRY(if_branch(x, r, control, &branch, err));
        return branch == JSON_NONE ? OK : element_put(x, branch, first, err);
    }
    if (control != JSON_NONE) {
        return elements_of_for(x, key, control, json_get_c(x->t->doc, r, "do"), first, err);
    }
    if (expr_at(x, r)) {
        return elements_of_expr(x, expr_at(x, r), first, err);
    }
    size_t before = x->out->n;
    bool was_first = *first;
    element_begin(x, first);
    size_t begun = x->out->n;
    TRY(value_put(x, r, err));
    if (x->out->n == begun) {
        x->out->n = before;
        *first = was_first;
    }
    return OK;
}

static Status array_put(Expand *x, JsonRef r, Err *err)
{
    size_t before = x->out->n;
    bool first = true;
    buf_char(x->out, '[');
    for (JsonIter it = json_iter(x->t->doc, r); json_next(&it);) {
        TRY(element_put(x, it.value, &first, err));
    }
    buf_char(x->out, ']');
    x->out->n = first ? before : x->out->n;
    return OK;
}

static Status object_put(Expand *x, JsonRef r, Err *err)
{
    size_t before = x->out->n;
    bool first = true;
    buf_char(x->out, '{');
    for (JsonIter it = json_iter(x->t->doc, r); json_next(&it);) {
        size_t member = x->out->n;
        buf_c(x->out, first ? "" : ",");
        buf_json_str(x->out, it.key);
        buf_char(x->out, ':');
        size_t begun = x->out->n;
        TRY(value_put(x, it.value, err));
        if (x->out->n == begun) {
            x->out->n = member;
        } else {
            first = false;
        }
    }
    buf_char(x->out, '}');
    x->out->n = first ? before : x->out->n;
    return OK;
}

/* Writes nothing where nothing is left. */
static Status value_put(Expand *x, JsonRef r, Err *err)
{
    const JsonDoc *d = x->t->doc;
    Str key = STR_NONE, s = json_str(d, r);
    JsonRef control = control_of(d, r, &key);
    if (expr_at(x, r)) {
        return expr_put(x, expr_at(x, r), err);
    }
    if (control != JSON_NONE && str_is(key, "=if")) {
        JsonRef branch = JSON_NONE;
        TRY(if_branch(x, r, control, &branch, err));
        return branch == JSON_NONE ? OK : value_put(x, branch, err);
    }
    if (json_type(d, r) == JSON_ARRAY) {
        return array_put(x, r, err);
    }
    if (json_type(d, r) == JSON_OBJECT) {
        return object_put(x, r, err);
    }
    if (s.n > 1 && s.p[0] == '=') {
        buf_json_str(x->out, str_skip(s, 1));
    } else {
        buf_add(x->out, json_raw(d, r));
    }
    return OK;
}

#define EXPANDED_BYTES_MAX (8u * 1024u * 1024u)

Status flow_template_expand(const FlowScope *s, const FlowTemplate *t, Str *ret, Err *err)
{
    Buf out;
    buf_init(&out, EXPANDED_BYTES_MAX);
    Expand x = {.t = t, .scope = *s, .out = &out};
    Status status = value_put(&x, t->root, err);
    if (status == OK && out.failed) {
        status = flow_refuse(err, FLOW_RULE_TEMPLATE_INVALID, STR_NONE, t->where);
    }
    if (status == OK) {
        *ret = arena_str(s->arena, buf_str(&out));
    }
    buf_done(&out);
    return status;
}

Status flow_template_set(const FlowScope *s, const FlowTemplate *t, Str *ret, Err *err)
{
    JsonDoc d;
    Buf out;
    Str json, key = STR_NONE;
    TRY(flow_template_expand(s, t, &json, err));
    TRY(json_parse(s->arena, json.n ? json : STR("{}"), &JSON_LIMITS_FHIR, &d, err));
    JsonWriter w = json_begin(&out, '{');
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it);) {
        json_key_str(&w, it.key);
        json_put_raw(&w, json_raw(&d, it.value));
    }
    bool plain = control_of(t->doc, t->root, &key) == JSON_NONE;
    for (JsonIter it = json_iter(t->doc, t->root); plain && json_next(&it);) {
        if (json_get(&d, JSON_ROOT, it.key) == JSON_NONE) {
            json_key_str(&w, it.key);
            json_put_raw(&w, STR("null"));
        }
    }
    *ret = json_end(&w, '}', s->arena);
    return OK;
}

/* ---- Searches with holes --------------------------------------------------------------------- */

typedef struct HoleList {
    FlowHole *at;
    size_t n, room;
} HoleList;

static void hole_add(FlowCompile *c, HoleList *list, FlowHole hole)
{
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 4;
        FlowHole *more = arena_array(c->arena, FlowHole, room);
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
        list->room = room;
    }
    list->at[list->n++] = hole;
}

/* The matching brace of the one at text[0], strings apart; text.n when there is none. */
static size_t brace_end(Str text)
{
    int depth = 0;
    char quote = 0;
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.p[i];
        if (quote) {
            quote = ch == quote ? 0 : quote;
        } else if (ch == '\'' || ch == '`' || ch == '"') {
            quote = ch;
        } else if (ch == '{') {
            depth++;
        } else if (ch == '}' && --depth == 0) {
            return i;
        }
    }
    return text.n;
}

FlowQuery *flow_query_compile(FlowCompile *c, Str type, Str text, JsonRef at)
{
    FlowQuery *q = arena_new(c->arena, FlowQuery);
    HoleList list = {0};
    q->type = type;
    q->text = text;
    if (!type.n) {
        str_cut(text, '?', &q->type, &text);
    }
    if (!fhir_resource_find(q->type)) {
        flow_fault_name(c, at, "未知的资源类型", "unknown resource type", q->type);
    }
    for (ptrdiff_t open; (open = str_find_char(text, '{')) >= 0;) {
        Str hole = str_skip(text, (size_t)open);
        size_t end = brace_end(hole);
        if (end == hole.n) {
            flow_fault(c, at, "花括号没有闭合", "a brace is not closed");
            break;
        }
        Str inner = str_trim((Str){hole.p + 1, end - 1}), link = STR_NONE;
        if (inner.n && inner.p[0] != '=') {
            link = inner;
            inner = arena_cat(c->arena, STR("%answers.`"), inner, STR("`"));
        }
        Str before = str_take(text, (size_t)open);
        hole_add(c, &list, (FlowHole){before, flow_expr_compile(c, inner, at), link});
        text = str_skip(hole, end + 1);
    }
    hole_add(c, &list, (FlowHole){.before = text});
    q->hole = list.at;
    q->holes_n = list.n;
    return q;
}

/* Several values are joined with commas: "one of". */
static Status hole_put(const FlowScope *s, const FlowExpr *e, Buf *out, bool *ret_empty, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(s, e, &values, err));
    *ret_empty = values.n == 0;
    for (size_t i = 0; i < values.n; i++) {
        buf_c(out, i ? "," : "");
        buf_url(out, flow_value_word(s->arena, &values.at[i]));
    }
    return OK;
}

Status flow_query_fill(const FlowScope *s, const FlowQuery *q, Str *ret, Err *err)
{
    Buf out;
    buf_init(&out, 16384);
    bool empty = false;
    Status status = OK;
    for (size_t i = 0; i < q->holes_n && status == OK && !empty; i++) {
        buf_add(&out, q->hole[i].before);
        if (q->hole[i].expr) {
            status = hole_put(s, q->hole[i].expr, &out, &empty, err);
        }
    }
    if (status == OK) {
        *ret = empty ? STR_NONE : arena_str(s->arena, buf_str(&out));
    }
    buf_done(&out);
    return status;
}

Status flow_query_show(const FlowScope *s, const FlowQuery *q, Str *ret, Err *err)
{
    Buf out;
    buf_init(&out, 16384);
    Status status = OK;
    buf_add(&out, q->type);
    buf_char(&out, '?');
    for (size_t i = 0; i < q->holes_n && status == OK; i++) {
        const FlowHole *hole = &q->hole[i];
        bool empty = false;
        buf_add(&out, hole->before);
        if (hole->link.n) {
            buf_char(&out, '{');
            buf_add(&out, hole->link);
            buf_char(&out, '}');
        } else if (hole->expr) {
            status = hole_put(s, hole->expr, &out, &empty, err);
        }
    }
    if (status == OK) {
        *ret = arena_str(s->arena, buf_str(&out));
    }
    buf_done(&out);
    return status;
}
