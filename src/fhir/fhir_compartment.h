/* Compartments (R4: Patient, Encounter, Practitioner, RelatedPerson, Device): who belongs to one.
 */
#ifndef FHIR_COMPARTMENT_H
#define FHIR_COMPARTMENT_H

#include "fhir_params.h"

#define FHIR_COMPARTMENT_PARAMS_MAX 16 /* of one type */

bool fhir_compartment_is(const FhirType *type);
/*
 * The reference parameters by any of which resources of `type` belong to the compartment; none:
 * they never do. Resources of the compartment's own type belong to it, too: the one it is named by.
 */
size_t fhir_compartment_params(const FhirType *compartment, const FhirType *type,
                               const FhirParam *ret[FHIR_COMPARTMENT_PARAMS_MAX]);

#endif
