#include "fhir_compartment.h"

#include "fhir_tables.h"

bool fhir_compartment_is(const FhirType *type)
{
    bool is = false;
    for (unsigned i = 0; i < fhir_compartments_count && !is; i++) {
        is = fhir_compartments[i].compartment == fhir_type_id(type);
    }
    return is;
}

size_t fhir_compartment_params(const FhirType *compartment, const FhirType *type,
                               const FhirParam *ret[FHIR_COMPARTMENT_PARAMS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < fhir_compartments_count && n < FHIR_COMPARTMENT_PARAMS_MAX; i++) {
        const FhirCompartmentRow *row = &fhir_compartments[i];
        const FhirParam *p = &fhir_params[row->param];
        if (row->compartment == fhir_type_id(compartment) && row->type == fhir_type_id(type) &&
            p->kind == FHIR_PARAM_REFERENCE) {
            ret[n++] = p;
        }
    }
    return n;
}
