/* The conditions of a search: names, modifiers, chains and _has. */
#include "store_parse.h"

#include "mk_banned.h"

Status query_refuse(Parser *p, Str name, const char *zh, const char *en)
{
    Str said_zh = arena_cat(p->arena, STR("检索参数 "), name, STR(" "), str_from_c(zh));
    Str said_en = arena_cat(p->arena, STR("Search parameter "), name, STR(": "), str_from_c(en));
    return err_text(p->err, ERR_INVALID, NULL, name, said_zh, said_en);
}

static const struct {
    const char *name;
    Modifier modifier;
} modifiers[] = {
    {"not", MODIFIER_NOT},
    {"exact", MODIFIER_EXACT},
    {"contains", MODIFIER_CONTAINS},
    {"missing", MODIFIER_MISSING},
    {"identifier", MODIFIER_IDENTIFIER},
    {"above", MODIFIER_ABOVE},
    {"below", MODIFIER_BELOW},
};

static bool modifier_find(Str name, Modifier *ret)
{
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        if (str_is(name, modifiers[i].name)) {
            *ret = modifiers[i].modifier;
            return true;
        }
    }
    return false;
}

static bool modifier_serves(ClauseKind kind, Modifier m)
{
    switch (m) {
    case MODIFIER_NONE:
        return true;
    case MODIFIER_MISSING:
        return kind != CLAUSE_ID && kind != CLAUSE_UPDATED;
    case MODIFIER_NOT:
        return kind == CLAUSE_TOKEN;
    case MODIFIER_EXACT:
    case MODIFIER_CONTAINS:
        return kind == CLAUSE_STRING;
    case MODIFIER_IDENTIFIER:
        return kind == CLAUSE_REF;
    case MODIFIER_ABOVE:
    case MODIFIER_BELOW:
        return kind == CLAUSE_URI;
    }
    return false;
}

bool clause_kind(const FhirParam *param, ClauseKind *ret)
{
    Str name = fhir_param_name(param);
    if (str_is(name, "_id") || str_is(name, "_lastUpdated")) {
        *ret = str_is(name, "_id") ? CLAUSE_ID : CLAUSE_UPDATED;
        return true;
    }
    static const struct {
        FhirParamKind from;
        ClauseKind to;
    } kinds[] = {
        {FHIR_PARAM_TOKEN, CLAUSE_TOKEN},   {FHIR_PARAM_REFERENCE, CLAUSE_REF},
        {FHIR_PARAM_DATE, CLAUSE_DATE},     {FHIR_PARAM_STRING, CLAUSE_STRING},
        {FHIR_PARAM_NUMBER, CLAUSE_NUMBER}, {FHIR_PARAM_QUANTITY, CLAUSE_QUANTITY},
        {FHIR_PARAM_URI, CLAUSE_URI},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].from == param->kind && param->expression_n) {
            *ret = kinds[i].to;
            return true;
        }
    }
    return false;
}

static StoreQuery *inner_query(Parser *p, const FhirType *type, Clause *c)
{
    StoreQuery *q = arena_new(p->arena, StoreQuery);
    q->type = type;
    q->first = q->last = c;
    q->zone_min = p->zone_min;
    return q;
}

static void inner_add(Parser *p, Clause *c, const FhirType *target, Str rest, Str value, int depth)
{
    Parser quiet = *p;
    Clause *inner;
    quiet.err = NULL; /* a target type that lacks the parameter is no fault: another may have it */
    if (clause_parse(&quiet, target, rest, value, depth + 1, &inner) == OK) {
        c->inner[c->inner_n++] = inner_query(p, target, inner);
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
    *c = (Clause){.kind = CLAUSE_HAS, .via = from ? fhir_param_find(from, param) : NULL};
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

static Status modifier_parse(Parser *p, Clause *c, Str name, Str text, Str value,
                             const FhirType **ret_type)
{
    if (c->kind == CLAUSE_REF && fhir_resource_find(text)) {
        *ret_type = fhir_resource_find(text);
        return fhir_param_allows(c->param, *ret_type)
                   ? OK
                   : query_refuse(p, name, "不能指向该类型", "it cannot refer to that type");
    }
    if (!modifier_find(text, &c->modifier) || !modifier_serves(c->kind, c->modifier)) {
        return query_refuse(p, name, "的修饰符不受支持", "this modifier is not supported");
    }
    if (c->modifier == MODIFIER_MISSING) {
        c->missing = str_is(value, "true");
        return c->missing || str_is(value, "false")
                   ? OK
                   : query_refuse(p, name, "应为 true 或 false", "must be true or false");
    }
    return OK;
}

Status clause_parse(Parser *p, const FhirType *type, Str name, Str value, int depth, Clause **ret)
{
    Str head, rest = STR_NONE, modifier = STR_NONE, code;
    if (depth > QUERY_DEPTH_MAX) {
        return query_refuse(p, name, "嵌套过深", "nested too deep");
    }
    if (str_starts(name, STR("_has:"))) {
        return has_parse(p, type, name, value, depth, ret);
    }
    bool chained = str_cut(name, '.', &head, &rest);
    bool modified = str_cut(head, ':', &code, &modifier);
    const FhirParam *param = type ? fhir_param_find(type, code) : NULL;
    Clause *c = arena_new(p->arena, Clause);
    if (!param || (!chained && !clause_kind(param, &c->kind))) {
        return query_refuse(p, name, "不受支持", "not supported here");
    }
    if (chained) {
        return chain_parse(p, param, name, modifier, rest, value, depth, ret);
    }
    const FhirType *only = NULL;
    c->param = param;
    if (modified) {
        TRY(modifier_parse(p, c, name, modifier, value, &only));
    }
    if (c->modifier != MODIFIER_MISSING) {
        TRY(query_values_parse(p->arena, c, name, value, p->zone_min, p->err));
    }
    for (size_t i = 0; only && i < c->values_n; i++) {
        if (c->values[i].type && c->values[i].type != only) {
            return query_refuse(p, name, "的值与所写类型不符",
                                "its value is of another type than written");
        }
        c->values[i].type = only;
    }
    *ret = c;
    return OK;
}
