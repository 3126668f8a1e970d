/*
 * Which parameter's rows answer a parameter. Most have their own; some say the same as others:
 * patient is what of subject refers to a Patient, combo-code is code and component-code.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define OF_PATIENT ".where(resolve() is Patient)"
#define COMBO      "combo-"

/* The lowest parameter of the type, of p's kind, with an expression. Pinyin makes other rows of it.
 */
static const FhirParam *param_with(const FhirType *type, const FhirParam *p, Str expression)
{
    unsigned n;
    const FhirParam *own = fhir_params_of(type, &n);
    for (unsigned i = 0; i < n; i++) {
        bool alike = own[i].kind == p->kind && !((own[i].flags ^ p->flags) & FHIR_PARAM_PINYIN);
        if (alike && str_eq(fhir_param_expression(&own[i]), expression)) {
            return &own[i];
        }
    }
    return NULL;
}

static const FhirParam *param_same(const FhirType *type, const FhirParam *p)
{
    Str text = fhir_param_expression(p);
    const FhirParam *same = NULL;
    if (p->kind == FHIR_PARAM_REFERENCE && str_ends(text, STR(OF_PATIENT))) {
        same = param_with(type, p, str_take(text, text.n - (sizeof OF_PATIENT - 1)));
    }
    /* composites of one expression have other components */
    bool whole = p->expression_n && p->kind != FHIR_PARAM_COMPOSITE;
    if (!same && whole && p->type == fhir_type_id(type)) {
        same = param_with(type, p, text);
    }
    return same ? same : p;
}

static bool alternatives_within(Str combo, Str one, Str two)
{
    for (Str part, rest = combo; !str_empty(rest);) {
        str_cut(rest, '|', &part, &rest);
        part = str_trim(part);
        if (str_find(one, part) < 0 && str_find(two, part) < 0) {
            return false;
        }
    }
    return true;
}

static bool param_combines(const FhirType *type, const FhirParam *p, const FhirParam *ret[2])
{
    Str name = fhir_param_name(p);
    if (!str_starts(name, STR(COMBO))) {
        return false;
    }
    char component[64] = "component-";
    Str base = str_skip(name, sizeof COMBO - 1);
    if (base.n > sizeof component - sizeof "component-") {
        return false;
    }
    memcpy(component + sizeof "component-" - 1, base.p, base.n);
    const FhirParam *x = fhir_param_find(type, base);
    const FhirParam *y = fhir_param_find(type, (Str){component, sizeof "component-" - 1 + base.n});
    if (!x || !y || x->kind != p->kind || y->kind != p->kind ||
        !alternatives_within(fhir_param_expression(p), fhir_param_expression(x),
                             fhir_param_expression(y))) {
        return false;
    }
    ret[0] = x;
    ret[1] = y;
    return true;
}

/* Asked once for each parameter: 0 not yet, 1 own rows, 2 another's. The answer never changes. */
static _Atomic uint8_t kinds[UINT16_MAX + 1];

static uint32_t param_key(const FhirType *type, const FhirParam *p)
{
    const FhirCustomParam *custom = fhir_param_custom(p);
    if (custom) {
        return param_rows_from(custom->number) | (uint32_t)custom->part << 8 | type->resource;
    }
    return (uint32_t)(type->resource + 1) << 16 | p->id;
}

size_t index_parts(const FhirType *type, const FhirParam *p, uint32_t ret[INDEX_PARTS_MAX])
{
    const FhirParam *parts[2];
    if (!index_param_is_alias(type, p)) {
        ret[0] = param_key(type, p);
        return 1;
    }
    if (param_combines(type, p, parts)) {
        ret[0] = param_key(type, parts[0]);
        ret[1] = param_key(type, parts[1]);
        return 2;
    }
    ret[0] = param_key(type, param_same(type, p));
    return 1;
}

bool index_param_is_alias(const FhirType *type, const FhirParam *p)
{
    if (fhir_param_custom(p)) {
        return false;
    }
    uint8_t kind = atomic_load_explicit(&kinds[p->id], memory_order_relaxed);
    if (!kind) {
        const FhirParam *parts[2];
        kind = param_same(type, p) != p || param_combines(type, p, parts) ? 2 : 1;
        atomic_store_explicit(&kinds[p->id], kind, memory_order_relaxed);
    }
    return kind == 2;
}

/* Type.a.b, each at most once. */
bool index_param_is_single(const FhirType *type, const FhirParam *p)
{
    Str name, rest;
    const FhirType *at = type;
    str_cut(fhir_param_expression(p), '.', &name, &rest);
    bool single = str_eq(name, fhir_type_name(type)) && !str_empty(rest);
    while (single && !str_empty(rest)) {
        str_cut(rest, '.', &name, &rest);
        const FhirElem *e = at ? fhir_elem_named(at, name) : NULL;
        single = e && !fhir_elem_is_many(e);
        at = single ? fhir_elem_type(e, 0) : NULL;
    }
    return single;
}

bool index_param_by_system(const FhirParam *p)
{
    return str_is(fhir_param_name(p), "identifier");
}

uint32_t index_param(const FhirType *type, const FhirParam *p)
{
    return param_key(type, p);
}

uint32_t index_param_patient(const FhirType *type)
{
    uint32_t part[INDEX_PARTS_MAX];
    const FhirParam *p = fhir_param_find(type, STR("patient"));
    p = p ? p : fhir_param_find(type, STR("subject"));
    return p && index_parts(type, p, part) == 1 ? part[0] : 0;
}

uint32_t index_param_all(const FhirType *type)
{
    return (uint32_t)(type->resource + 1) << 16 | FHIR_NONE;
}
