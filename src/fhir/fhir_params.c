#include <stdlib.h>

#include "fhir_tables.h"

const char *fhir_param_kind_code(FhirParamKind kind)
{
    static const char *const code[] = {"number",    "date",     "string", "token",  "reference",
                                       "composite", "quantity", "uri",    "special"};
    return code[kind];
}

const FhirParam *fhir_params_of(const FhirType *t, unsigned *ret_n)
{
    const FhirTypeSpan *span = &fhir_spans[fhir_type_id(t)];
    *ret_n = span->param_count;
    return fhir_params + span->param_first;
}

static int param_order(const void *name, const void *row)
{
    return str_cmp(*(const Str *)name, fhir_param_name(row));
}

static const FhirParam *param_own(const FhirType *t, Str name)
{
    unsigned n;
    const FhirParam *row = fhir_params_of(t, &n);
    return bsearch(&name, row, n, sizeof *row, param_order);
}

const FhirParam *fhir_param_find(const FhirType *t, Str name)
{
    const FhirParam *p = NULL;
    while (t && !p) {
        p = param_own(t, name);
        t = fhir_type_base(t);
    }
    return p;
}

bool fhir_param_allows(const FhirParam *p, const FhirType *target)
{
    bool found = p->target_count == 0;
    for (unsigned i = 0; i < p->target_count && !found; i++) {
        found = fhir_param_target(p, i) == target;
    }
    return found;
}

const FhirPatientLink *fhir_patient_links(const FhirType *t, unsigned *ret_n, bool *ret_self)
{
    const FhirTypeSpan *span = &fhir_spans[fhir_type_id(t)];
    *ret_n = span->link_count;
    *ret_self = fhir_type_id(t) == FHIR_TYPE_Patient;
    return fhir_links + span->link_first;
}

Str fhir_clinical_date(const FhirType *t)
{
    const FhirTypeSpan *span = &fhir_spans[fhir_type_id(t)];
    return (Str){fhir_pool + span->date_at, span->date_n};
}
