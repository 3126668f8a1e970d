/* Tables of custom search parameters: looking them up, and reading one as a parameter. */
#include "fhir_custom.h"

#include <stdlib.h>

#include "fhir_custom_check.h"
#include "fhir_path.h"

/* ---- Looking up ---- */

int fhir_custom_order(const void *x, const void *y)
{
    const FhirCustomParam *p = *(const FhirCustomParam *const *)x,
                          *q = *(const FhirCustomParam *const *)y;
    return p->row.type != q->row.type ? (p->row.type < q->row.type ? -1 : 1)
                                      : str_cmp(p->name, q->name);
}

static size_t first_of(const FhirCustoms *c, unsigned type)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->at[middle]->row.type < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const FhirCustomParam *const *fhir_customs_of(const FhirCustoms *c, const FhirType *t,
                                              size_t *ret_n)
{
    *ret_n = 0;
    if (!c || c->n == 0) {
        return NULL;
    }
    unsigned type = fhir_type_id(t);
    size_t from = first_of(c, type);
    *ret_n = first_of(c, type + 1) - from;
    return c->at + from;
}

const FhirParam *fhir_customs_find(const FhirCustoms *c, const FhirType *t, Str name)
{
    const FhirParam *found = t ? fhir_param_find(t, name) : NULL;
    for (; t && !found; t = fhir_type_base(t)) {
        size_t n;
        const FhirCustomParam *const *own = fhir_customs_of(c, t, &n);
        for (size_t i = 0; i < n && !found; i++) {
            found = str_eq(own[i]->name, name) ? &own[i]->row : NULL;
        }
    }
    return found;
}

const FhirCustomParam *custom_clash(const FhirCustoms *others, const FhirCustomParam *p,
                                    unsigned base)
{
    for (size_t i = 0; others && i < others->n; i++) {
        const FhirCustomParam *q = others->at[i];
        const FhirType *t = fhir_type(base), *other = fhir_type(q->row.type);
        if (str_eq(q->name, p->name) && !str_eq(q->id, p->id) &&
            (fhir_type_is(t, other) || fhir_type_is(other, t))) {
            return q;
        }
    }
    return NULL;
}

/* ---- Reading one ---- */

static const FhirParam *published(Str url)
{
    for (unsigned i = 0; i < fhir_param_count; i++) {
        if (str_eq(fhir_param_url(&fhir_params[i]), url)) {
            return &fhir_params[i];
        }
    }
    return NULL;
}

static Str text_of(CustomRead *x, const char *name)
{
    return arena_str(x->arena, json_str(x->d, json_get_c(x->d, JSON_ROOT, name)));
}

static const Str *texts_of(CustomRead *x, const char *name, size_t *ret_n)
{
    JsonRef list = json_get_c(x->d, JSON_ROOT, name);
    Str *text = arena_array(x->arena, Str, json_count(x->d, list) + 1);
    *ret_n = 0;
    for (JsonIter it = json_iter(x->d, list); json_next(&it);) {
        text[(*ret_n)++] = arena_str(x->arena, json_str(x->d, it.value));
    }
    return text;
}

static bool is_false(CustomRead *x, const char *name)
{
    JsonRef v = json_get_c(x->d, JSON_ROOT, name);
    return json_type(x->d, v) == JSON_FALSE;
}

/* Those of the list that no other one of it covers. */
static void bases_take(CustomRead *x)
{
    size_t n;
    const Str *name = texts_of(x, "base", &n);
    x->base = arena_array(x->arena, const FhirType *, n + 1);
    x->base_n = 0;
    for (size_t i = 0; i < n; i++) {
        const FhirType *t = fhir_type_find(name[i]);
        bool covered = false;
        if (!t || t->kind != FHIR_KIND_RESOURCE) {
            custom_wrong(x, "base", "没有资源类型 %.*s", "there is no resource type %.*s",
                         STR_ARG(name[i]));
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            const FhirType *other = fhir_type_find(name[k]);
            covered =
                covered || (other && other != t && fhir_type_is(t, other)) || (other == t && k < i);
        }
        if (!covered) {
            x->base[x->base_n++] = t;
        }
    }
    if (n == 0) {
        custom_wrong(x, "base", "缺少资源类型", "the types that it is of are missing");
    }
}

static void targets_take(CustomRead *x)
{
    size_t n;
    const Str *name = texts_of(x, "target", &n);
    uint16_t *target = arena_array(x->arena, uint16_t, n + 1);
    unsigned target_n = 0;
    for (size_t i = 0; i < n; i++) {
        const FhirType *t = fhir_resource_find(name[i]);
        if (str_is(name[i], "Resource") || str_is(name[i], "Any")) {
            n = target_n = 0; /* any */
        } else if (!t || target_n == UINT8_MAX) {
            custom_wrong(x, "target", "没有资源类型 %.*s", "there is no resource type %.*s",
                         STR_ARG(name[i]));
        } else {
            target[target_n++] = (uint16_t)fhir_type_id(t);
        }
    }
    if (target_n && x->one.row.kind != FHIR_PARAM_REFERENCE) {
        custom_wrong(x, "target", "只有 reference 型才有 target；请删去，或改 type",
                     "only a reference has targets; remove them, or change the type");
    }
    x->one.targets = target;
    x->one.row.target_count = (uint8_t)target_n;
}

static void program_take(CustomRead *x, Str where, Str text, FhirCustomParam *into)
{
    Err quiet;
    err_init(&quiet, x->arena);
    into->expression = text;
    into->row.expression_n = (uint16_t)text.n;
    if (str_empty(text)) {
        custom_wrong_at(x, where, "缺少 FHIRPath 表达式", "the FHIRPath expression is missing");
    } else if (text.n > FHIR_CUSTOM_EXPRESSION_MAX) {
        custom_wrong_at(x, where, "表达式超过 %d 字节", "the expression has more than %d bytes",
                        FHIR_CUSTOM_EXPRESSION_MAX);
    } else if (fhir_path_compile(x->arena, text, &into->path, &quiet) != OK) {
        custom_wrong_at(x, where, "%s%.0s", "%.0s%s", arena_cstr(x->arena, quiet.first->zh),
                        arena_cstr(x->arena, quiet.first->en));
    }
}

/* The parameter that a component names; not the composite itself. */
static const FhirParam *component_param(const FhirCustoms *others, Str url, Str id)
{
    const FhirParam *found = published(url);
    for (size_t i = 0; !found && others && i < others->n; i++) {
        const FhirCustomParam *p = others->at[i];
        found = str_eq(p->url, url) && !str_eq(p->id, id) ? &p->row : NULL;
    }
    return found;
}

static void component_take(CustomRead *x, JsonRef component, unsigned i, FhirCustomParam *part)
{
    Str where = arena_printf(x->arena, "SearchParameter.component[%u].expression", i);
    Str definition = json_str_at(x->d, component, "definition"), url, version;
    str_cut(definition, '|', &url, &version);
    const FhirParam *of = component_param(x->others, url, x->one.id);
    if (!of || of->kind == FHIR_PARAM_COMPOSITE || of->kind == FHIR_PARAM_SPECIAL) {
        custom_wrong(x, "component.definition",
                     "没有可作组成部分的检索参数“%.*s”（须已发布或已启用，且不是 composite）",
                     "there is no search parameter '%.*s' that could be a part (published or in "
                     "use here, and not composite)",
                     STR_ARG(definition));
        return;
    }
    *part = x->one;
    part->name = arena_str(x->arena, fhir_param_name(of));
    part->url = arena_str(x->arena, url);
    part->part = (uint8_t)(i + 1);
    part->row.kind = of->kind;
    part->row.target_count = 0;
    program_take(x, where, arena_str(x->arena, json_str_at(x->d, component, "expression")), part);
}

static void components_take(CustomRead *x)
{
    JsonRef list = json_get_c(x->d, JSON_ROOT, "component");
    unsigned n = json_count(x->d, list), i = 0;
    bool composite = x->one.row.kind == FHIR_PARAM_COMPOSITE;
    if (composite ? n < 2 || n > FHIR_CUSTOM_PARTS_MAX : n > 0) {
        custom_wrong(x, "component", "composite 型须有 2 至 %d 个组成部分，其他类型没有",
                     "a composite has 2 to %d components, other types have none",
                     FHIR_CUSTOM_PARTS_MAX);
        return;
    }
    FhirCustomParam *part = arena_array(x->arena, FhirCustomParam, n + 1);
    for (JsonIter it = json_iter(x->d, list); json_next(&it); i++) {
        component_take(x, it.value, i, &part[i]);
    }
    x->one.parts = x->part = part;
    x->one.row.component_count = (uint8_t)n;
}

static void kind_take(CustomRead *x)
{
    Str text = text_of(x, "type");
    for (int kind = FHIR_PARAM_NUMBER; kind < FHIR_PARAM_SPECIAL; kind++) {
        if (str_is(text, fhir_param_kind_code((FhirParamKind)kind))) {
            x->one.row.kind = (uint8_t)kind;
            return;
        }
    }
    custom_wrong(x, "type",
                 "“%.*s”不能用；可用：number date string token reference composite quantity uri",
                 "'%.*s' cannot be used; there are number, date, string, token, reference, "
                 "composite, quantity and uri",
                 STR_ARG(text));
}

static void param_take(CustomRead *x)
{
    size_t n;
    kind_take(x);
    bases_take(x);
    targets_take(x);
    program_take(x, STR("SearchParameter.expression"), text_of(x, "expression"), &x->one);
    components_take(x);
    x->one.modifiers = texts_of(x, "modifier", &n);
    x->one.modifiers_n = (uint8_t)(n < UINT8_MAX ? n : UINT8_MAX);
    x->one.comparators = texts_of(x, "comparator", &n);
    x->one.comparators_n = (uint8_t)(n < UINT8_MAX ? n : UINT8_MAX);
    x->one.one_value = is_false(x, "multipleOr");
    x->one.one_time = is_false(x, "multipleAnd");
}

static bool param_stands(const FhirCustomParam *p, const FhirCustoms *others)
{
    bool stands = !custom_clash(others, p, p->row.type);
    for (unsigned i = 0; stands && i < p->row.component_count; i++) {
        const FhirParam *of = component_param(others, p->parts[i].url, p->id);
        stands = of && of->kind == p->parts[i].row.kind;
    }
    return stands;
}

bool fhir_custom_stands(const FhirCustomDef *def, const FhirCustoms *others)
{
    bool stands = true;
    for (size_t i = 0; i < def->n && stands; i++) {
        stands = param_stands(&def->params[i], others);
    }
    return stands;
}

Status fhir_custom_read(Arena *a, const JsonDoc *d, uint32_t number, const FhirCustoms *others,
                        FhirCustomDef *ret, Err *err)
{
    CustomRead x = {.arena = a, .d = d, .others = others, .err = err};
    Str status = json_str(d, json_get_c(d, JSON_ROOT, "status"));
    x.one =
        (FhirCustomParam){.row = {.id = FHIR_NONE, .flags = FHIR_PARAM_CUSTOM}, .number = number};
    x.one.url = text_of(&x, "url");
    x.one.id = text_of(&x, "id");
    x.one.name = text_of(&x, "code");
    *ret = (FhirCustomDef){.state = FHIR_CUSTOM_UNUSED};
    if (x.one.url.n && published(x.one.url)) {
        ret->state = FHIR_CUSTOM_PUBLISHED;
        return OK;
    }
    if (!str_is(status, "active")) {
        return OK;
    }
    param_take(&x);
    custom_check(&x);
    if (x.wrong) {
        return ERR_UNPROCESSABLE;
    }
    *ret = (FhirCustomDef){FHIR_CUSTOM_USED, arena_array(a, FhirCustomParam, x.base_n), x.base_n};
    for (size_t i = 0; i < x.base_n; i++) {
        ret->params[i] = x.one;
        ret->params[i].row.type = (uint16_t)fhir_type_id(x.base[i]);
    }
    for (unsigned i = 0; i < x.one.row.component_count; i++) {
        x.part[i].parts = &ret->params[0];
    }
    return OK;
}
