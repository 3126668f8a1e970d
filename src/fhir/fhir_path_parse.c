/* From text to program: precedence climbing over the lexer's tokens; literals, types and patterns
 * are made here, once. */
#include "fhir_path_inner.h"

#define HEIGHT_MAX 400u

typedef struct Parser {
    PathLexer lex;
    Arena *arena;
    Err *err;
    unsigned depth;
    FhirValues variables; /* strings */
} Parser;

unsigned path_position(Str text, uint32_t at)
{
    return (unsigned)utf8_count(str_take(text, at)) + 1;
}

static Status fail(Parser *x, uint32_t at, const char *zh, const char *en)
{
    unsigned where = path_position(x->lex.text, at);
    Str zh_text = arena_printf(x->arena, "FHIRPath 第 %u 个字符处：应为%s", where, zh);
    Str en_text = arena_printf(x->arena, "FHIRPath at character %u: expected %s", where, en);
    err_text(x->err, ERR_INVALID, "invalid", x->lex.text, zh_text, en_text);
    return ERR_INVALID;
}

static Status expected(Parser *x, const char *zh, const char *en)
{
    if (x->lex.token == TOKEN_BAD) {
        return fail(x, x->lex.at, x->lex.zh, x->lex.value.p);
    }
    return fail(x, x->lex.at, zh, en);
}

static bool is_punct(const Parser *x, const char *text)
{
    return x->lex.token == TOKEN_PUNCT && str_is(x->lex.value, text);
}

static bool is_word(const Parser *x, const char *text)
{
    return x->lex.token == TOKEN_NAME && str_is(x->lex.value, text);
}

static bool accept(Parser *x, const char *punct)
{
    if (!is_punct(x, punct)) {
        return false;
    }
    path_lex(&x->lex);
    return true;
}

static PathNode *node_new(Parser *x, PathOp op, uint32_t at)
{
    PathNode *p = arena_new(x->arena, PathNode);
    p->op = op;
    p->at = at;
    return p;
}

static PathNode *literal_new(Parser *x, uint32_t at, FhirValue v)
{
    PathNode *p = node_new(x, PATH_LITERAL, at);
    p->literal = fhir_values_one(x->arena, v);
    return p;
}

static Status parse_expression(Parser *x, int level, PathNode **ret);

/* Chains are parsed in a loop but evaluated by recursion, so their height is bounded too. */
static Status sized(Parser *x, PathNode *p)
{
    p->height = p->left ? p->left->height + 1u : 1;
    for (uint32_t i = 0; i < p->argc; i++) {
        p->height = p->args[i]->height >= p->height ? p->args[i]->height + 1u : p->height;
    }
    return p->height <= HEIGHT_MAX ? OK : fail(x, p->at, "较短的表达式", "a shorter expression");
}

/* --- types --- */

static bool system_type(Str name, FhirValueKind *ret)
{
    static const struct {
        const char *name;
        FhirValueKind kind;
    } TYPES[] = {
        {"Boolean", FHIR_VALUE_BOOLEAN},   {"String", FHIR_VALUE_STRING},
        {"Integer", FHIR_VALUE_INTEGER},   {"Long", FHIR_VALUE_INTEGER},
        {"Decimal", FHIR_VALUE_DECIMAL},   {"Date", FHIR_VALUE_DATE},
        {"DateTime", FHIR_VALUE_DATETIME}, {"Time", FHIR_VALUE_TIME},
        {"Quantity", FHIR_VALUE_QUANTITY},
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (str_is(name, TYPES[i].name)) {
            *ret = TYPES[i].kind;
            return true;
        }
    }
    return false;
}

/* Resolves "Quantity", "FHIR.Patient", "System.String"; false when there is no such type. */
static bool path_type_find(Str space, Str name, PathType *ret)
{
    PathType t = {0};
    if (!str_is(space, "System")) {
        bool simple = str_is(name, "SimpleQuantity") || str_is(name, "MoneyQuantity");
        t.fhir = fhir_type_find(simple ? STR("Quantity") : name);
    }
    if (!str_is(space, "FHIR")) {
        t.system = system_type(name, &t.kind);
    }
    *ret = t;
    return t.fhir || t.system || str_is(space, "System");
}

static Status type_of_node(Parser *x, const PathNode *p, PathType *ret)
{
    bool plain = p && p->op == PATH_MEMBER;
    Str space = plain && p->left ? p->left->name : STR_NONE;
    bool space_ok = !plain || !p->left ||
                    (p->left->op == PATH_MEMBER && !p->left->left &&
                     (str_is(space, "FHIR") || str_is(space, "System")));
    if (!plain || !space_ok || !path_type_find(space, p->name, ret)) {
        return fail(x, p ? p->at : x->lex.at,
                    "类型名称（如 Quantity、FHIR.Patient、System.String）",
                    "the name of a type (Quantity, FHIR.Patient, System.String)");
    }
    return OK;
}

static bool take_name(Parser *x, Str *ret)
{
    if (x->lex.token != TOKEN_NAME && x->lex.token != TOKEN_QUOTED_NAME) {
        return false;
    }
    *ret = x->lex.value;
    path_lex(&x->lex);
    return true;
}

static Status parse_type(Parser *x, PathType *ret)
{
    PathNode first = {.op = PATH_MEMBER, .at = x->lex.at},
             second = {.op = PATH_MEMBER, .at = x->lex.at, .left = &first};
    if (!take_name(x, &first.name)) {
        return expected(x, "类型名称", "the name of a type");
    }
    bool qualified = (str_is(first.name, "FHIR") || str_is(first.name, "System")) && accept(x, ".");
    if (qualified && !take_name(x, &second.name)) {
        return expected(x, "类型名称", "the name of a type");
    }
    return type_of_node(x, qualified ? &second : &first, ret);
}

/* --- literals --- */

static Status parse_number(Parser *x, PathNode **ret)
{
    FhirDecimal d;
    int64_t i;
    uint32_t at = x->lex.at;
    Str text = x->lex.value;
    bool whole = str_to_i64(text, &i), is_long = x->lex.token == TOKEN_LONG;
    if (!decimal_parse(text, &d) || (is_long && !whole)) {
        return expected(x, "范围内的数", "a number within range");
    }
    path_lex(&x->lex);
    FhirQuantity q = {.value = d};
    if (!is_long && x->lex.token == TOKEN_STRING) {
        q.unit = x->lex.value;
        q.calendar = calendar_word(q.unit).n > 0;
    } else if (!is_long && x->lex.token == TOKEN_NAME) {
        q.unit = calendar_word(x->lex.value);
        q.calendar = q.unit.n > 0;
    }
    if (q.unit.n) {
        q.unit = q.calendar ? calendar_word(q.unit) : q.unit;
        path_lex(&x->lex);
        *ret = literal_new(x, at, path_quantity(x->arena, q));
    } else {
        *ret = literal_new(x, at, whole ? fhir_value_integer(i) : path_decimal(x->arena, d));
    }
    return OK;
}

static Status parse_literal(Parser *x, PathNode **ret)
{
    static const FhirValueKind KINDS[] = {[TOKEN_DATE] = FHIR_VALUE_DATE,
                                          [TOKEN_DATETIME] = FHIR_VALUE_DATETIME,
                                          [TOKEN_TIME] = FHIR_VALUE_TIME};
    FhirValue v = x->lex.token == TOKEN_STRING
                      ? fhir_value_string(x->lex.value)
                      : path_time(x->arena, KINDS[x->lex.token], x->lex.time);
    *ret = literal_new(x, x->lex.at, v);
    path_lex(&x->lex);
    return OK;
}

static Status parse_empty(Parser *x, PathNode **ret)
{
    *ret = node_new(x, PATH_LITERAL, x->lex.at);
    path_lex(&x->lex);
    return accept(x, "}") ? OK : expected(x, "}", "}");
}

/* --- names, calls, variables --- */

static void variable_note(Parser *x, Str name)
{
    static const char *const BUILT_IN[] = {"context", "resource", "rootResource",
                                           "ucum",    "sct",      "loinc"};
    for (size_t i = 0; i < sizeof BUILT_IN / sizeof *BUILT_IN; i++) {
        if (str_is(name, BUILT_IN[i])) {
            return;
        }
    }
    for (size_t i = 0; i < x->variables.n; i++) {
        if (str_eq(x->variables.at[i].text, name)) {
            return;
        }
    }
    if (!str_starts(name, STR("vs-")) && !str_starts(name, STR("ext-"))) {
        fhir_values_add(x->arena, &x->variables, fhir_value_string(name));
    }
}

static Status parse_variable(Parser *x, PathNode **ret)
{
    PathNode *p = node_new(x, PATH_VARIABLE, x->lex.at);
    path_lex(&x->lex);
    if (x->lex.token == TOKEN_STRING) {
        p->name = x->lex.value;
        path_lex(&x->lex);
    } else if (!take_name(x, &p->name)) {
        return expected(x, "变量名称", "the name of a variable");
    }
    variable_note(x, p->name);
    *ret = p;
    return OK;
}

static Status parse_args(Parser *x, PathNode *call)
{
    PathNode *args[8];
    uint32_t n = 0;
    if (!is_punct(x, ")")) {
        do {
            if (n == sizeof args / sizeof *args) {
                return expected(x, ")，参数过多", "), there are too many arguments");
            }
            TRY(parse_expression(x, 0, &args[n++]));
        } while (accept(x, ","));
    }
    if (!accept(x, ")")) {
        return expected(x, "逗号或 )", "a comma or )");
    }
    call->argc = n;
    call->args = arena_array(x->arena, PathNode *, n + 1);
    memcpy(call->args, args, n * sizeof *args);
    return OK;
}

static bool takes_pattern(Str name)
{
    return str_is(name, "matches") || str_is(name, "matchesFull") || str_is(name, "replaceMatches");
}

/* A pattern that is a literal is compiled now, so that a bad one is found now. */
static Status pattern_prepare(Parser *x, PathNode *call)
{
    const PathNode *arg = call->argc ? call->args[0] : NULL;
    if (!takes_pattern(call->name) || arg->op != PATH_LITERAL || arg->literal.n != 1 ||
        arg->literal.at->kind != FHIR_VALUE_STRING) {
        return OK;
    }
    const char *zh, *en;
    call->regex = fhir_regex_compile(x->arena, arg->literal.at->text, &zh, &en);
    if (call->regex) {
        return OK;
    }
    Str zh_text = arena_printf(x->arena, "有效的正则表达式（%s）", zh);
    Str en_text = arena_printf(x->arena, "a valid regular expression (%s)", en);
    return fail(x, arg->at, zh_text.p, en_text.p);
}

static Status parse_call(Parser *x, PathNode *call)
{
    call->op = PATH_CALL;
    call->function = path_function_find(call->name);
    if (!call->function) {
        return fail(x, call->at, "函数名称", "the name of a function");
    }
    TRY(parse_args(x, call));
    if (call->argc < call->function->args_min || call->argc > call->function->args_max) {
        Str zh = arena_printf(x->arena, " %s() 的 %u 到 %u 个参数", call->function->name,
                              call->function->args_min, call->function->args_max);
        Str en = arena_printf(x->arena, "%u to %u arguments of %s()", call->function->args_min,
                              call->function->args_max, call->function->name);
        return fail(x, call->at, zh.p, en.p);
    }
    if (call->function->type_arg && call->argc) {
        TRY(type_of_node(x, call->args[0], &call->type));
    }
    return pattern_prepare(x, call);
}

/* name, name(args), $this, $index, $total; `left` is what stands before the dot. */
static Status parse_invocation(Parser *x, PathNode *left, PathNode **ret)
{
    PathNode *p = node_new(x, PATH_MEMBER, x->lex.at);
    p->left = left;
    if (x->lex.token == TOKEN_THIS || x->lex.token == TOKEN_INDEX || x->lex.token == TOKEN_TOTAL) {
        p->op = x->lex.token == TOKEN_THIS    ? PATH_THIS
                : x->lex.token == TOKEN_INDEX ? PATH_INDEX
                                              : PATH_TOTAL;
        path_lex(&x->lex);
        *ret = p;
        return OK;
    }
    if (!take_name(x, &p->name)) {
        return expected(x, "元素名称、函数或值", "the name of an element, a function or a value");
    }
    if (accept(x, "(")) {
        TRY(parse_call(x, p));
    } else if (!left && p->name.n && p->name.p[0] >= 'A' && p->name.p[0] <= 'Z') {
        p->root_type = fhir_type_find(p->name);
    }
    *ret = p;
    return sized(x, p);
}

static Status parse_term(Parser *x, PathNode **ret)
{
    switch (x->lex.token) {
    case TOKEN_NUMBER:
    case TOKEN_LONG:
        return parse_number(x, ret);
    case TOKEN_STRING:
    case TOKEN_DATE:
    case TOKEN_DATETIME:
    case TOKEN_TIME:
        return parse_literal(x, ret);
    case TOKEN_PUNCT:
        break;
    case TOKEN_NAME:
        if (is_word(x, "true") || is_word(x, "false")) {
            *ret = literal_new(x, x->lex.at, fhir_value_boolean(is_word(x, "true")));
            path_lex(&x->lex);
            return OK;
        }
        return parse_invocation(x, NULL, ret);
    case TOKEN_QUOTED_NAME:
    case TOKEN_THIS:
    case TOKEN_INDEX:
    case TOKEN_TOTAL:
        return parse_invocation(x, NULL, ret);
    default:
        return expected(x, "一个值或路径", "a value or a path");
    }
    if (is_punct(x, "{")) {
        return parse_empty(x, ret);
    }
    if (is_punct(x, "%")) {
        return parse_variable(x, ret);
    }
    if (!accept(x, "(")) {
        return expected(x, "一个值或路径", "a value or a path");
    }
    TRY(parse_expression(x, 0, ret));
    return accept(x, ")") ? OK : expected(x, ")", ")");
}

/* --- operators --- */

#define LEVEL_UNARY 11

/* Higher binds tighter. */
typedef struct Operator {
    const char *text;
    bool word;
    int level;
    PathOp op;
} Operator;

static const Operator OPERATORS[] = {
    {"implies", true, 1, PATH_IMPLIES}, {"or", true, 2, PATH_OR},
    {"xor", true, 2, PATH_XOR},         {"and", true, 3, PATH_AND},
    {"in", true, 4, PATH_IN},           {"contains", true, 4, PATH_CONTAINS},
    {"=", false, 5, PATH_EQUAL},        {"~", false, 5, PATH_EQUIVALENT},
    {"!=", false, 5, PATH_NOT_EQUAL},   {"!~", false, 5, PATH_NOT_EQUIVALENT},
    {"<=", false, 6, PATH_LESS_EQUAL},  {"<", false, 6, PATH_LESS},
    {">", false, 6, PATH_GREATER},      {">=", false, 6, PATH_GREATER_EQUAL},
    {"|", false, 7, PATH_UNION},        {"is", true, 8, PATH_IS},
    {"as", true, 8, PATH_AS},           {"+", false, 9, PATH_ADD},
    {"-", false, 9, PATH_SUBTRACT},     {"&", false, 9, PATH_CONCATENATE},
    {"*", false, 10, PATH_MULTIPLY},    {"/", false, 10, PATH_DIVIDE},
    {"div", true, 10, PATH_DIV},        {"mod", true, 10, PATH_MOD},
};

static const Operator *operator_here(const Parser *x, int level)
{
    for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++) {
        const Operator *o = &OPERATORS[i];
        if (o->level >= level && (o->word ? is_word(x, o->text) : is_punct(x, o->text))) {
            return o;
        }
    }
    return NULL;
}

/* A term and what follows it with . and [ ]. */
static Status parse_postfix(Parser *x, PathNode **ret)
{
    PathNode *p = NULL;
    TRY(parse_term(x, &p));
    for (;;) {
        uint32_t at = x->lex.at;
        if (accept(x, ".")) {
            TRY(parse_invocation(x, p, &p));
        } else if (accept(x, "[")) {
            PathNode *indexer = node_new(x, PATH_INDEXER, at);
            indexer->left = p;
            indexer->argc = 1;
            indexer->args = arena_array(x->arena, PathNode *, 1);
            TRY(parse_expression(x, 0, &indexer->args[0]));
            if (!accept(x, "]")) {
                return expected(x, "]", "]");
            }
            p = indexer;
            TRY(sized(x, p));
        } else {
            *ret = p;
            return OK;
        }
    }
}

static Status parse_unary(Parser *x, PathNode **ret)
{
    uint32_t at = x->lex.at;
    bool minus = is_punct(x, "-");
    if (!minus && !is_punct(x, "+")) {
        return parse_postfix(x, ret);
    }
    PathNode *p = node_new(x, minus ? PATH_NEGATE : PATH_PLUS_SIGN, at);
    path_lex(&x->lex);
    TRY(parse_expression(x, LEVEL_UNARY, &p->left));
    *ret = p;
    return sized(x, p);
}

static Status parse_binary(Parser *x, const Operator *o, PathNode *left, PathNode **ret)
{
    PathNode *p = node_new(x, o->op, x->lex.at);
    p->left = left;
    path_lex(&x->lex);
    if (o->op == PATH_IS || o->op == PATH_AS) {
        TRY(parse_type(x, &p->type));
    } else {
        p->argc = 1;
        p->args = arena_array(x->arena, PathNode *, 1);
        TRY(parse_expression(x, o->level + 1, &p->args[0]));
    }
    *ret = p;
    return sized(x, p);
}

static Status parse_expression(Parser *x, int level, PathNode **ret)
{
    PathNode *p = NULL;
    if (++x->depth > FHIR_PATH_DEPTH_MAX) {
        return expected(x, "嵌套较浅的表达式", "an expression that is nested less deep");
    }
    TRY(parse_unary(x, &p));
    for (const Operator *o = operator_here(x, level); o; o = operator_here(x, level)) {
        TRY(parse_binary(x, o, p, &p));
    }
    x->depth--;
    *ret = p;
    return OK;
}

static void variables_store(Parser *x, FhirPath *path)
{
    path->variables_n = x->variables.n;
    path->variables = arena_array(x->arena, Str, x->variables.n + 1);
    for (size_t i = 0; i < x->variables.n; i++) {
        path->variables[i] = x->variables.at[i].text;
    }
}

Status fhir_path_compile(Arena *a, Str expression, FhirPath **ret, Err *err)
{
    Parser x = {.arena = a, .err = err};
    PathNode *root;
    if (expression.n > FHIR_PATH_BYTES_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR_NONE, "FHIRPath 表达式超过 %u 字节",
                       "The FHIRPath expression is longer than %u bytes", FHIR_PATH_BYTES_MAX);
    }
    x.lex = (PathLexer){.text = arena_str(a, expression), .arena = a};
    path_lex(&x.lex);
    TRY(parse_expression(&x, 0, &root));
    if (x.lex.token != TOKEN_END) {
        return expected(&x, "运算符或表达式的结尾", "an operator or the end of the expression");
    }
    FhirPath *path = arena_new(a, FhirPath);
    path->text = x.lex.text;
    path->root = root;
    variables_store(&x, path);
    *ret = path;
    return OK;
}

Str fhir_path_text(const FhirPath *p)
{
    return p->text;
}

size_t fhir_path_variables(const FhirPath *p, const Str **ret)
{
    *ret = p->variables;
    return p->variables_n;
}
