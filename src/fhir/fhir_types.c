#include <stdlib.h>

#include "fhir_tables.h"

/* The orders of the generated tables. */
static int type_order(const void *name, const void *row)
{
    return str_cmp(*(const Str *)name, fhir_type_name(row));
}

/* Length first: most probes end at the length and need no memcmp. */
static int member_order(const void *name, const void *member)
{
    const Str *key = name;
    const FhirMemberRow *row = member;
    return key->n != row->name_n ? (key->n < row->name_n ? -1 : 1)
                                 : memcmp(key->p, fhir_pool + row->name_at, row->name_n);
}

static int valueset_order(const void *url, const void *row)
{
    return str_cmp(*(const Str *)url, fhir_valueset_url(row));
}

const FhirType *fhir_type_find(Str name)
{
    return bsearch(&name, fhir_types, fhir_type_count, sizeof *fhir_types, type_order);
}

const FhirType *fhir_resource_find(Str name)
{
    const FhirType *t = fhir_type_find(name);
    return t && t->resource != FHIR_NONE ? t : NULL;
}

bool fhir_type_is(const FhirType *t, const FhirType *base)
{
    while (t && t != base) {
        t = fhir_type_base(t);
    }
    return t != NULL;
}

const FhirElem *fhir_elem_named(const FhirType *t, Str name)
{
    for (unsigned i = 0; i < t->elem_count; i++) {
        const FhirElem *e = fhir_type_elem(t, i);
        if (str_eq(fhir_elem_name(e), name)) {
            return e;
        }
    }
    return NULL;
}

static const FhirMemberRow *member_row(const FhirType *t, Str key)
{
    return bsearch(&key, fhir_members + t->member_first, t->member_count, sizeof *fhir_members,
                   member_order);
}

Str fhir_elem_key(const FhirElem *e, unsigned option)
{
    const FhirType *t = &fhir_types[e->owner];
    unsigned elem = (unsigned)(e - fhir_elems);
    for (unsigned i = 0; i < t->member_count; i++) {
        const FhirMemberRow *row = &fhir_members[t->member_first + i];
        if (row->elem == elem && row->option == e->option_first + option) {
            return (Str){fhir_pool + row->name_at, row->name_n};
        }
    }
    return STR_NONE;
}

bool fhir_elem_find(const FhirType *t, Str json_key, FhirMember *ret)
{
    bool underscore = json_key.n > 1 && json_key.p[0] == '_';
    const FhirMemberRow *row = member_row(t, underscore ? str_skip(json_key, 1) : json_key);
    if (!row) {
        return false;
    }
    const FhirOption *option = &fhir_options[row->option];
    const FhirType *type = &fhir_types[option->type];
    if (underscore && type->kind != FHIR_KIND_PRIMITIVE) {
        return false;
    }
    *ret = (FhirMember){&fhir_elems[row->elem], option, type, underscore};
    return true;
}

const FhirValueSet *fhir_valueset_find(Str url)
{
    return bsearch(&url, fhir_valuesets, fhir_valueset_count, sizeof *fhir_valuesets,
                   valueset_order);
}

static Str code_text(const FhirCodeRow *row)
{
    return (Str){fhir_pool + row->code_at, row->code_n};
}

static Str code_system(const FhirCodeRow *row)
{
    const FhirSystemRow *s = &fhir_systems[row->system];
    return (Str){fhir_pool + s->url_at, s->url_n};
}

/* Index of the first row whose code is not below. */
static unsigned code_lower_bound(const FhirValueSet *v, Str code)
{
    unsigned lo = 0, hi = v->code_count;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (str_cmp(code_text(&fhir_codes[v->code_first + mid]), code) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

bool fhir_valueset_has(const FhirValueSet *v, Str system, Str code)
{
    if (v->any) {
        return true;
    }
    for (unsigned i = code_lower_bound(v, code); i < v->code_count; i++) {
        const FhirCodeRow *row = &fhir_codes[v->code_first + i];
        if (!str_eq(code_text(row), code)) {
            return false;
        }
        if (str_empty(system) || str_eq(code_system(row), system)) {
            return true;
        }
    }
    return false;
}

Str fhir_valueset_code(const FhirValueSet *v, unsigned i, Str *ret_system)
{
    const FhirCodeRow *row = &fhir_codes[v->code_first + i];
    *ret_system = code_system(row);
    return code_text(row);
}

/* --- constraints --- */

const FhirConstraint *fhir_type_constraints(const FhirType *t, size_t *ret_n)
{
    const FhirConstraintSpan *span = &fhir_constraint_spans[fhir_type_id(t)];
    *ret_n = span->count;
    return &fhir_constraints[span->first];
}
