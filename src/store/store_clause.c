/* The conditions of a search: names, modifiers, chains and _has. */
#include "store_parse.h"
#include "store_persons.h"

#include "mk_banned.h"

const FhirParam *param_look(Parser *p, const FhirType *type, Str name)
{
    const FhirParam *found = fhir_customs_find(p->customs, type, name);
    const FhirCustomParam *custom = found ? fhir_param_custom(found) : NULL;
    if (custom && !param_is_ready(p->store, custom)) {
        p->unready = custom;
        return NULL;
    }
    return found;
}

/* Its rows are still being made: how far, and what to do. */
static Status unready_refuse(Parser *p)
{
    const FhirCustomParam *custom = p->unready;
    return err_add(p->err, ERR_INVALID, "not-supported", custom->name,
                   "检索参数 %.*s 正在建立索引（%d%%），完成前不能使用；请稍后再试",
                   "Search parameter %.*s: its index is being built (%d %%); it can be used when "
                   "that is done, so try again later",
                   STR_ARG(custom->name), param_percent(p->store, custom));
}

Status query_refuse(Parser *p, Str name, const char *zh, const char *en)
{
    if (p->unready) {
        return unready_refuse(p);
    }
    Str said_zh = arena_cat(p->arena, STR("检索参数 "), name, STR(" "), str_from_c(zh));
    Str said_en = arena_cat(p->arena, STR("Search parameter "), name, STR(": "), str_from_c(en));
    return err_text(p->err, ERR_INVALID, NULL, name, said_zh, said_en);
}

/* ---- Modifiers ------------------------------------------------------------------------------ */

#define KIND(kind) (1u << (kind))
#define ALL_KINDS  (~0u)

/* Which modifier serves which kinds of clauses; *_missing_ also what every resource has. */
static const struct {
    const char *name;
    Modifier modifier;
    unsigned kinds;
} modifiers[] = {
    {"missing", MODIFIER_MISSING, ALL_KINDS & ~KIND(CLAUSE_CONTENT) & ~KIND(CLAUSE_NEAR)},
    {"not", MODIFIER_NOT, KIND(CLAUSE_TOKEN) | KIND(CLAUSE_REF) | KIND(CLAUSE_ID)},
    {"exact", MODIFIER_EXACT, KIND(CLAUSE_STRING)},
    {"contains", MODIFIER_CONTAINS, KIND(CLAUSE_STRING)},
    {"text", MODIFIER_TEXT, KIND(CLAUSE_STRING) | KIND(CLAUSE_TOKEN)},
    {"of-type", MODIFIER_OF_TYPE, KIND(CLAUSE_TOKEN)},
    {"identifier", MODIFIER_IDENTIFIER, KIND(CLAUSE_REF)},
    {"above", MODIFIER_ABOVE, KIND(CLAUSE_URI) | KIND(CLAUSE_TOKEN)},
    {"below", MODIFIER_BELOW, KIND(CLAUSE_URI) | KIND(CLAUSE_TOKEN)},
    {"in", MODIFIER_IN, KIND(CLAUSE_TOKEN)},
    {"not-in", MODIFIER_NOT_IN, KIND(CLAUSE_TOKEN)},
};
#define MODIFIERS_N (sizeof modifiers / sizeof *modifiers)

static bool modifier_serves(const Clause *c, size_t i)
{
    /* only identifiers have a type */
    bool typed = modifiers[i].modifier != MODIFIER_OF_TYPE || index_param_by_system(c->param);
    return (modifiers[i].kinds & KIND(c->kind)) && typed;
}

/* Names the modifier that is not served and those that are. */
static Status modifier_refuse(Parser *p, const Clause *c, Str name)
{
    Str list = STR_NONE;
    for (size_t i = 0; i < MODIFIERS_N; i++) {
        if (modifier_serves(c, i)) {
            list = arena_cat(p->arena, list, list.n ? STR(", :") : STR(":"),
                             str_from_c(modifiers[i].name));
        }
    }
    list = c->kind == CLAUSE_REF ? arena_cat(p->arena, list, STR(", :[type]")) : list;
    Str zh = list.n ? arena_cat(p->arena, STR("的修饰符不受支持；可用："), list)
                    : STR("不支持任何修饰符");
    Str en = list.n ? arena_cat(p->arena, STR("this modifier is not supported; these are: "), list)
                    : STR("it takes no modifier");
    return query_refuse(p, name, arena_cstr(p->arena, zh), arena_cstr(p->arena, en));
}

static bool modifier_find(const Clause *c, Str name, Modifier *ret)
{
    for (size_t i = 0; i < MODIFIERS_N; i++) {
        if (str_is(name, modifiers[i].name) && modifier_serves(c, i)) {
            *ret = modifiers[i].modifier;
            return true;
        }
    }
    return false;
}

/* ---- Kinds ---------------------------------------------------------------------------------- */

bool clause_kind(const FhirParam *param, ClauseKind *ret)
{
    static const struct {
        const char *name;
        ClauseKind kind;
    } special[] = {
        {"_id", CLAUSE_ID},        {"_lastUpdated", CLAUSE_UPDATED},
        {"_text", CLAUSE_CONTENT}, {"_content", CLAUSE_CONTENT},
        {"near", CLAUSE_NEAR},
    };
    static const struct {
        FhirParamKind from;
        ClauseKind to;
    } kinds[] = {
        {FHIR_PARAM_TOKEN, CLAUSE_TOKEN},   {FHIR_PARAM_REFERENCE, CLAUSE_REF},
        {FHIR_PARAM_DATE, CLAUSE_DATE},     {FHIR_PARAM_STRING, CLAUSE_STRING},
        {FHIR_PARAM_NUMBER, CLAUSE_NUMBER}, {FHIR_PARAM_QUANTITY, CLAUSE_QUANTITY},
        {FHIR_PARAM_URI, CLAUSE_URI},       {FHIR_PARAM_COMPOSITE, CLAUSE_COMPOSITE},
    };
    Str name = fhir_param_name(param);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (str_is(name, special[i].name) && !fhir_param_custom(param)) {
            *ret = special[i].kind;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].from == param->kind && param->expression_n) {
            *ret = kinds[i].to;
            return true;
        }
    }
    return false;
}

/* A composite's components, in order, as clauses of their own parameters. */
static void components_add(Parser *p, Clause *c)
{
    Clause **at = &c->hint;
    for (unsigned i = 0; i < c->param->component_count; i++) {
        Clause *part = arena_new(p->arena, Clause);
        *part = (Clause){.param = fhir_param_part(c->param, i)};
        if (clause_kind(part->param, &part->kind)) {
            *at = part;
            at = &part->next;
        }
    }
}

/* ---- Chains --------------------------------------------------------------------------------- */

static StoreQuery *inner_query(Parser *p, const FhirType *type, Clause *c)
{
    StoreQuery *q = arena_new(p->arena, StoreQuery);
    q->type = type;
    q->first = q->last = c;
    q->zone_min = p->zone_min;
    q->customs = p->customs;
    return q;
}

static Status types_refuse(Parser *p, Str name)
{
    return query_refuse(p, name, "的链式条件涉及的类型过多，请写明类型（如 subject:Patient.name）",
                        "its chains lead to too many types; name them (subject:Patient.name)");
}

static void inner_add(Parser *p, Clause *c, const FhirType *target, Str rest, Str value, int depth)
{
    Parser quiet = *p;
    Clause *inner;
    quiet.err = NULL; /* a target type that lacks the parameter is no fault: another may have it */
    if (clause_parse(&quiet, target, rest, value, depth + 1, &inner) == OK) {
        c->inner[c->inner_n++] = inner_query(p, target, inner);
    } else if (quiet.unready) {
        p->unready = quiet.unready;
    }
}

static Status chain_parse(Parser *p, const FhirParam *param, Str name, Str only, Str rest,
                          Str value, int depth, Clause **ret)
{
    Clause *c = arena_new(p->arena, Clause);
    *c = (Clause){.kind = CLAUSE_CHAIN, .param = param};
    if (param->kind != FHIR_PARAM_REFERENCE) {
        return query_refuse(p, name, "不是引用，不能链式检索",
                            "it is not a reference and cannot be chained");
    }
    c->inner = arena_array(p->arena, StoreQuery *, fhir_resource_count);
    if (!str_empty(only)) {
        const FhirType *target = fhir_resource_find(only);
        if (!target || !fhir_param_allows(param, target)) {
            return query_refuse(p, name, "不能指向该类型", "it cannot refer to that type");
        }
        Clause *inner;
        TRY(clause_parse(p, target, rest, value, depth + 1, &inner));
        c->inner[c->inner_n++] = inner_query(p, target, inner);
    } else {
        for (unsigned i = 0; i < fhir_resource_count; i++) {
            if (fhir_param_allows(param, fhir_resource_at(i))) {
                inner_add(p, c, fhir_resource_at(i), rest, value, depth);
            }
        }
    }
    *ret = c;
    if (p->query->clauses > QUERY_CLAUSES_MAX) {
        return types_refuse(p, name); /* some type was not looked at */
    }
    return c->inner_n ? OK
                      : query_refuse(p, name, "的链式条件无法识别",
                                     "what is chained to it is not known or malformed");
}

/* _has:Observation:patient:code=… */
static Status has_parse(Parser *p, const FhirType *type, Str name, Str value, int depth,
                        Clause **ret)
{
    Str other, param, rest = str_skip(name, sizeof "_has:" - 1);
    if (!str_cut(rest, ':', &other, &rest) || !str_cut(rest, ':', &param, &rest)) {
        return query_refuse(p, name, "应写作 _has:类型:引用参数:条件",
                            "write _has:Type:reference-parameter:condition");
    }
    const FhirType *from = fhir_resource_find(other);
    Clause *c = arena_new(p->arena, Clause), *inner;
    *c = (Clause){.kind = CLAUSE_HAS, .via = from ? param_look(p, from, param) : NULL};
    if (!c->via || c->via->kind != FHIR_PARAM_REFERENCE || !fhir_param_allows(c->via, type)) {
        return query_refuse(p, name, "的类型或引用参数无法识别",
                            "its type or reference parameter is not known");
    }
    TRY(clause_parse(p, from, rest, value, depth + 1, &inner));
    c->inner = arena_array(p->arena, StoreQuery *, 1);
    c->inner[c->inner_n++] = inner_query(p, from, inner);
    *ret = c;
    return OK;
}

/* ---- What a SearchParameter allows ------------------------------------------------------------
 */

static bool is_among(const Str *list, size_t n, const char *word, Str other)
{
    bool found = n == 0;
    for (size_t i = 0; i < n && !found; i++) {
        found = str_is(list[i], word) || str_eq(list[i], other);
    }
    return found;
}

static Status modifier_allow(Parser *p, const Clause *c, Str name, Str text)
{
    const FhirCustomParam *custom = fhir_param_custom(c->param);
    const char *word = fhir_resource_find(text) ? "type" : "";
    return !custom || is_among(custom->modifiers, custom->modifiers_n, word, text)
               ? OK
               : query_refuse(p, name, "的定义不允许这个修饰符",
                              "its definition does not allow this modifier");
}

/* Its values, as often as they may be given. */
static Status values_allow(Parser *p, const Clause *c, Str name)
{
    static const char *const prefix[] = {"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"};
    const FhirCustomParam *custom = fhir_param_custom(c->param);
    if (!custom || c->modifier == MODIFIER_MISSING) {
        return OK;
    }
    if (custom->one_value && c->values_n > 1) {
        return query_refuse(p, name, "的定义不允许多个值", "its definition allows one value only");
    }
    for (const Clause *q = p->query->first; custom->one_time && q; q = q->next) {
        if (q->param == c->param) {
            return query_refuse(p, name, "的定义不允许重复", "its definition allows it only once");
        }
    }
    for (size_t i = 0; i < c->values_n; i++) {
        const char *word = prefix[c->values[i].prefix];
        if (c->values[i].prefix != PREFIX_EQ &&
            !is_among(custom->comparators, custom->comparators_n, word, STR_NONE)) {
            return query_refuse(p, name, "的定义不允许这个比较前缀",
                                "its definition does not allow this comparator");
        }
    }
    return OK;
}

static Status modifier_parse(Parser *p, Clause *c, Str name, Str text, Str value,
                             const FhirType **ret_type)
{
    TRY(modifier_allow(p, c, name, text));
    if (c->kind == CLAUSE_REF && fhir_resource_find(text)) {
        *ret_type = fhir_resource_find(text);
        return fhir_param_allows(c->param, *ret_type)
                   ? OK
                   : query_refuse(p, name, "不能指向该类型", "it cannot refer to that type");
    }
    if (!modifier_find(c, text, &c->modifier)) {
        return modifier_refuse(p, c, name);
    }
    if (c->modifier == MODIFIER_MISSING) {
        bool constant = c->kind == CLAUSE_ID || c->kind == CLAUSE_UPDATED; /* which all have */
        c->missing = str_is(value, "true");
        c->kind = constant ? CLAUSE_TYPE : c->kind;
        return c->missing || str_is(value, "false")
                   ? OK
                   : query_refuse(p, name, "应为 true 或 false", "must be true or false");
    }
    return OK;
}

/* ---- Conditions that no SearchParameter defines -----------------------------------------------
 */

/* _type of a search of one type is known beforehand. */
static Status type_parse(Parser *p, const FhirType *type, Str name, Str value, Clause *c)
{
    *c = (Clause){.kind = CLAUSE_TYPE, .missing = true};
    for (Str one, rest = value; !str_empty(rest);) {
        str_cut(rest, ',', &one, &rest);
        if (!fhir_resource_find(one)) {
            return query_refuse(p, name, "含有未知的资源类型", "names a type that does not exist");
        }
        c->missing = c->missing && fhir_resource_find(one) != type;
    }
    return str_empty(value) ? query_refuse(p, name, "没有值", "it has no value") : OK;
}

static Status list_parse(Parser *p, Str name, Str value, Clause *c)
{
    *c = (Clause){.kind = CLAUSE_ID, .list = true};
    if (str_starts(value, STR("$"))) {
        return query_refuse(p, name, "功能性列表不能用在链式条件中，请给出 List 的 id",
                            "a functional list cannot be chained to; name the id of a List");
    }
    TRY(query_values_parse(p->arena, c, name, value, p->zone_min, p->err));
    for (size_t i = 0; i < c->values_n; i++) {
        Str *text = &c->values[i].text;
        *text = str_starts(*text, STR("List/")) ? str_skip(*text, strlen("List/")) : *text;
    }
    return OK;
}

static Status nameless_parse(Parser *p, const FhirType *type, Str name, Str value, Clause *c,
                             bool *ret_known)
{
    *ret_known = true;
    if (str_is(name, "_type")) {
        return type_parse(p, type, name, value, c);
    }
    if (str_is(name, "_list")) {
        return list_parse(p, name, value, c);
    }
    if (str_is(name, "_filter")) {
        return query_refuse(p, name, "不受支持；请用普通检索参数、链式条件和 _has 表达",
                            "not supported; say it with parameters, chains and _has");
    }
    if (str_is(name, "_query")) {
        return query_refuse(p, name, "不受支持：本服务器没有命名查询",
                            "not supported: this server has no named queries");
    }
    *ret_known = false;
    return OK;
}

/* Says which parameters the type has. */
static Status unknown_refuse(Parser *p, const FhirType *type, Str name)
{
    Buf list;
    if (!p->err) {
        return ERR_INVALID;
    }
    buf_init(&list, 0);
    for (const FhirType *t = type; t; t = fhir_type_base(t)) {
        unsigned n;
        ClauseKind kind;
        const FhirParam *own = fhir_params_of(t, &n);
        for (unsigned i = 0; i < n; i++) {
            if (clause_kind(&own[i], &kind)) {
                buf_printf(&list, "%s%.*s", list.n ? ", " : "", STR_ARG(fhir_param_name(&own[i])));
            }
        }
    }
    for (size_t i = 0; p->customs && i < p->customs->n; i++) {
        const FhirCustomParam *custom = p->customs->at[i];
        if (fhir_type_is(type, fhir_type(custom->row.type)) && param_is_ready(p->store, custom)) {
            buf_printf(&list, ", %.*s", STR_ARG(custom->name));
        }
    }
    buf_c(&list, ", _has, _list, _type");
    Str all = arena_cat(p->arena, fhir_type_name(type), STR(": "), buf_str(&list));
    buf_done(&list);
    return query_refuse(
        p, name, arena_cstr(p->arena, arena_cat(p->arena, STR("不受支持；可用的参数，"), all)),
        arena_cstr(p->arena, arena_cat(p->arena, STR("not supported; there are, for "), all)));
}

/* ---- One condition ----------------------------------------------------------------------------
 */

static Status values_add(Parser *p, Clause *c, Str name, Str value, const FhirType *only)
{
    TRY(query_values_parse(p->arena, c, name, value, p->zone_min, p->err));
    for (size_t i = 0; only && i < c->values_n; i++) {
        if (c->values[i].type && c->values[i].type != only) {
            return query_refuse(p, name, "的值与所写类型不符",
                                "its value is of another type than written");
        }
        c->values[i].type = only;
    }
    return OK;
}

/* Beside each patient's record the person's others. */
static void persons_add(Parser *p, const FhirType *type, Clause *c)
{
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    bool ids = c->kind == CLAUSE_ID && !c->list && type == patient;
    bool refs = c->kind == CLAUSE_REF && c->modifier != MODIFIER_IDENTIFIER &&
                fhir_param_allows(c->param, patient);
    size_t given = c->values_n;
    for (size_t i = 0; i < given && (ids || refs); i++) {
        const QueryValue *v = &c->values[i];
        const Str *other;
        bool may = ids || !v->type || v->type == patient;
        size_t n =
            may ? store_person_others(p->store, p->arena, ids ? v->text : v->code, &other) : 0;
        QueryValue *more = n ? arena_array(p->arena, QueryValue, c->values_n + n) : NULL;
        if (n) {
            memcpy(more, c->values, c->values_n * sizeof *more);
            c->values = more;
        }
        for (size_t k = 0; k < n; k++) {
            c->values[c->values_n++] = ids ? (QueryValue){.text = other[k]}
                                           : (QueryValue){.type = patient, .code = other[k]};
        }
    }
}

/* Each condition costs one of a number, so that chains over any type do not multiply for ever. */
static Status clause_afford(Parser *p, Str name, int depth)
{
    if (depth > QUERY_DEPTH_MAX) {
        return query_refuse(p, name, "嵌套过深", "nested too deep");
    }
    return p->query->clauses++ < QUERY_CLAUSES_MAX ? OK : types_refuse(p, name);
}

Status clause_parse(Parser *p, const FhirType *type, Str name, Str value, int depth, Clause **ret)
{
    Str head, rest = STR_NONE, modifier = STR_NONE, code;
    bool known;
    Clause *c = arena_new(p->arena, Clause);
    *ret = c;
    TRY(clause_afford(p, name, depth));
    if (str_starts(name, STR("_has:"))) {
        return has_parse(p, type, name, value, depth, ret);
    }
    TRY(nameless_parse(p, type, name, value, c, &known));
    if (known) {
        return OK;
    }
    bool chained = str_cut(name, '.', &head, &rest);
    bool modified = str_cut(head, ':', &code, &modifier);
    c->param = param_look(p, type, code);
    if (!c->param || (!chained && !clause_kind(c->param, &c->kind))) {
        return unknown_refuse(p, type, name);
    }
    if (chained) {
        return chain_parse(p, c->param, name, modifier, rest, value, depth, ret);
    }
    const FhirType *only = NULL;
    c->narrative = str_is(code, "_text");
    if (modified) {
        TRY(modifier_parse(p, c, name, modifier, value, &only));
    }
    if (c->kind == CLAUSE_COMPOSITE) {
        components_add(p, c);
    }
    TRY(c->modifier == MODIFIER_MISSING ? OK : values_add(p, c, name, value, only));
    TRY(values_allow(p, c, name));
    persons_add(p, type, c);
    return OK;
}
