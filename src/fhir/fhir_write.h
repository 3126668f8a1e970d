/* The datatypes that many rooms write as members of an object that is open. */
#ifndef FHIR_WRITE_H
#define FHIR_WRITE_H

#include "json.h"

/* key: {"coding": [{system, code, display}], "text": display}; what is empty is left out. */
void fhir_concept_put(JsonWriter *w, const char *key, Str system, Str code, Str display);
/* key: {reference, display}; nothing at all without a reference. */
void fhir_reference_put(JsonWriter *w, const char *key, Str reference, Str display);

#endif
