/* Expressions of a package: compiled once, evaluated in a step's scope. */
#include "flow_inner.h"

/*
 * Variables with members (%answers.reason, %params.tail …) are rewritten to one variable each
 * (%`answers.reason`), so that a value keeps its FHIR type and lint knows what is read.
 */
static int members_of(Str name)
{
    static const struct {
        const char *name;
        int depth;
    } ROOTS[] = {{"answers", 1}, {"params", 1}, {"held", 1}, {"user", 1},
                 {"found", 1},   {"score", 1},  {"said", 2}};
    for (size_t i = 0; i < sizeof ROOTS / sizeof ROOTS[0]; i++) {
        if (str_is(name, ROOTS[i].name)) {
            return ROOTS[i].depth;
        }
    }
    return 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Reads an identifier or `delimited` at *i; empty when there is none. */
static Str word_take(Str s, size_t *i)
{
    size_t at = *i;
    if (at < s.n && s.p[at] == '`') {
        size_t end = at + 1;
        while (end < s.n && s.p[end] != '`') {
            end++;
        }
        if (end == s.n) {
            return STR_NONE;
        }
        *i = end + 1;
        return (Str){s.p + at + 1, end - at - 1};
    }
    while (at < s.n && is_word(s.p[at])) {
        at++;
    }
    Str word = {s.p + *i, at - *i};
    *i = at;
    return word;
}

/* Copies a 'string', "string", `name` or comment as it stands; false when there is none at *i. */
static bool skip_quoted(Str s, size_t *i, Buf *out)
{
    size_t at = *i;
    char c = s.p[at];
    Str rest = str_skip(s, at);
    if (str_starts(rest, STR("//")) || str_starts(rest, STR("/*"))) {
        ptrdiff_t n = str_find(rest, rest.p[1] == '*' ? STR("*/") : STR("\n"));
        at = n < 0 ? s.n : at + (size_t)n + (rest.p[1] == '*' ? 2 : 1);
    } else if (c == '\'' || c == '"' || c == '`') {
        for (at++; at < s.n && s.p[at] != c; at++) {
            at += s.p[at] == '\\' ? 1 : 0;
        }
        at = at < s.n ? at + 1 : s.n;
    } else {
        return false;
    }
    buf_bytes(out, s.p + *i, at - *i);
    *i = at;
    return true;
}

/* Puts %`root.member…` for the variable that begins at *i (after the %). */
static void variable_put(Str s, size_t *i, Buf *out)
{
    size_t at = *i;
    Str name = word_take(s, &at);
    if (name.n == 0) {
        buf_char(out, '%');
        return;
    }
    buf_c(out, "%`");
    buf_add(out, name);
    for (int left = members_of(name); left > 0 && at < s.n && s.p[at] == '.'; left--) {
        size_t next = at + 1;
        Str member = word_take(s, &next);
        if (member.n == 0 || (next < s.n && s.p[next] == '(')) {
            break;
        }
        buf_char(out, '.');
        buf_add(out, member);
        at = next;
    }
    buf_char(out, '`');
    *i = at;
}

static Str expr_rewrite(Arena *a, Str text)
{
    Buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < text.n;) {
        if (text.p[i] == '%') {
            i++;
            variable_put(text, &i, &out);
        } else if (!skip_quoted(text, &i, &out)) {
            buf_char(&out, text.p[i++]);
        }
    }
    return buf_take(&out, a);
}

static void expr_keep(FlowPackage *p, FlowExpr *e)
{
    if (p->expr_n == p->expr_room) {
        size_t room = p->expr_room ? p->expr_room * 2 : 64;
        FlowExpr **more = arena_array(p->arena, FlowExpr *, room);
        if (p->expr_n) {
            memcpy(more, p->expr, p->expr_n * sizeof *more);
        }
        p->expr = more;
        p->expr_room = room;
    }
    p->expr[p->expr_n++] = e;
}

FlowExpr *flow_expr_compile(FlowCompile *c, Str text, JsonRef at)
{
    text = str_trim(text);
    if (text.n && text.p[0] == '=') {
        text = str_trim(str_skip(text, 1));
    }
    FlowExpr *e = arena_new(c->arena, FlowExpr);
    e->text = arena_str(c->arena, text);
    e->where = flow_where(c, at);
    Err fault;
    err_init(&fault, c->arena);
    if (fhir_path_compile(c->arena, expr_rewrite(c->arena, text), &e->path, &fault) != OK) {
        err_move(c->err, &fault, arena_cat(c->arena, e->where, STR(" ")));
        return NULL;
    }
    e->vars_n = fhir_path_variables(e->path, &e->vars);
    expr_keep(c->pkg, e);
    return e;
}

/* ---- Evaluation ------------------------------------------------------------------------------ */

void flow_scope_set(FlowScope *s, Str name, FhirValues values)
{
    if (!s->fixed.arena) {
        map_init(&s->fixed, s->arena);
    }
    FhirValues *kept = arena_new(s->arena, FhirValues);
    *kept = values;
    map_put(&s->fixed, arena_str(s->arena, name), kept);
}

FhirValue flow_value_reference(Arena *a, Str reference, Str display)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "reference", reference);
    json_member_str(&w, "display", display);
    JsonDoc *doc = arena_new(a, JsonDoc);
    mk_check(json_parse(a, json_end(&w, '}', a), &JSON_LIMITS_FHIR, doc, NULL) == OK);
    return fhir_value_node(fhir_node_typed(doc, JSON_ROOT, fhir_type_find(STR("Reference"))));
}

void flow_scope_reference(FlowScope *s, Str name, Str reference, Str display)
{
    FhirValues none = {0};
    flow_scope_set(
        s, name,
        reference.n ? fhir_values_one(s->arena, flow_value_reference(s->arena, reference, display))
                    : none);
}

static bool answers_get(const FlowAnswers *answers, Str link, FhirValues *ret)
{
    for (size_t i = 0; answers && i < answers->n; i++) {
        if (str_eq(answers->at[i].link, link)) {
            *ret = answers->at[i].values;
            return true;
        }
    }
    return false;
}

static FhirValues said_get(const FlowScope *s, Str rest)
{
    FhirValues none = {0};
    Str form, link;
    str_cut(rest, '.', &form, &link);
    const FlowAnswers *answers = s->said ? s->said(s->ctx, form) : NULL;
    answers_get(answers, link, &none);
    return none;
}

static FhirValues held_get(const FlowScope *s, Str name)
{
    FhirValues none = {0};
    Str reference = s->c ? flow_case_held(s->c, name) : STR_NONE;
    return reference.n
               ? fhir_values_one(s->arena, flow_value_reference(s->arena, reference, STR_NONE))
               : none;
}

/* ERR_UNPROCESSABLE only for a parameter without a value on that day. */
static Status variable_get(const FlowScope *s, Str name, FhirValues *ret, Err *err)
{
    *ret = (FhirValues){0};
    for (const FlowLocal *l = s->locals; l; l = l->up) {
        if (str_eq(l->name, name)) {
            *ret = l->values;
            return OK;
        }
    }
    const FhirValues *fixed = s->fixed.arena ? map_get(&s->fixed, name) : NULL;
    Str root, rest;
    str_cut(name, '.', &root, &rest);
    if (fixed) {
        *ret = *fixed;
    } else if (str_is(root, "answers")) {
        answers_get(s->answers, rest, ret);
    } else if (str_is(root, "held")) {
        *ret = held_get(s, rest);
    } else if (str_is(root, "said")) {
        *ret = said_get(s, rest);
    } else if (str_is(root, "params") && !flow_param_value(s, rest, ret)) {
        return flow_refuse(err, FLOW_RULE_PARAMETER_MISSING, STR_NONE, rest);
    }
    return OK;
}

/* Over a node of a response or print loop. */
static Status flow_eval_on(const FlowScope *s, const FlowExpr *e, const FhirNode *focus, size_t n,
                           FhirValues *ret, Err *err)
{
    FhirPathVar *vars = arena_array(s->arena, FhirPathVar, e->vars_n + 1);
    for (size_t i = 0; i < e->vars_n; i++) {
        vars[i].name = e->vars[i];
        TRY(variable_get(s, e->vars[i], &vars[i].values, err));
    }
    FhirPathEnv env = {.arena = s->arena,
                       .vars = vars,
                       .vars_n = e->vars_n,
                       .now_ms = s->now_ms,
                       .zone_min = s->zone_min,
                       .ctx = s->ctx,
                       .resolve = s->resolve,
                       .member_of = s->member_of};
    Err fault;
    err_init(&fault, s->arena);
    if (fhir_path_eval(e->path, &env, focus, n, ret, &fault) != OK) {
        Str said = fault.first ? fault.first->en : STR_NONE;
        return flow_refuse(err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE,
                           arena_cat(s->arena, e->where, STR(" "), said));
    }
    return OK;
}

Status flow_eval(const FlowScope *s, const FlowExpr *e, FhirValues *ret, Err *err)
{
    return flow_eval_on(s, e, NULL, 0, ret, err);
}

Status flow_test(const FlowScope *s, const FlowExpr *e, bool *ret, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(s, e, &values, err));
    if (!fhir_values_truth(&values, ret)) {
        return flow_refuse(err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE, e->where);
    }
    return OK;
}

static Str node_member(const FhirNode *n, const char *member)
{
    return json_str(n->doc, json_get_c(n->doc, n->ref, member));
}

Str flow_value_word(Arena *a, const FhirValue *v)
{
    if (v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_OBJECT) {
        static const char *const MEMBERS[] = {"reference", "code", "url"};
        for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
            Str s = node_member(&v->node, MEMBERS[i]);
            if (s.n) {
                return s;
            }
        }
        Str type = node_member(&v->node, "resourceType"), id = node_member(&v->node, "id");
        return type.n && id.n ? arena_cat(a, type, STR("/"), id) : STR_NONE;
    }
    Str text;
    return fhir_value_text(a, v, &text) ? text : STR_NONE;
}

Str flow_value_display(Arena *a, const FhirValue *v)
{
    if (v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_OBJECT) {
        static const char *const MEMBERS[] = {"display", "text", "title", "name"};
        for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
            Str s = node_member(&v->node, MEMBERS[i]);
            if (s.n) {
                return s;
            }
        }
    }
    return flow_value_word(a, v);
}

Status flow_eval_word(const FlowScope *s, const FlowExpr *e, Str *ret, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(s, e, &values, err));
    if (values.n > 1) {
        return flow_refuse(err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE, e->where);
    }
    *ret = values.n ? flow_value_word(s->arena, &values.at[0]) : STR_NONE;
    return OK;
}
