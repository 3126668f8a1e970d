/*
 * R5's CodeSystem, ValueSet and ConceptMap in R4's form. Terminology is published in R5's form more
 * and more; what is kept is R4. An element that R4 has under another name gets that name; one that
 * R4 does not have becomes the extension that FHIR defines for it between versions
 * (http://hl7.org/fhir/5.0/StructureDefinition/extension-PATH). Nothing is left out but the short
 * form "title:de" beside a translation extension that says the same.
 *
 * What is neither R4's nor R5's stays where it is, for the validator to name.
 */
#ifndef FHIR_R5_H
#define FHIR_R5_H

#include "json.h"

/* *ret is *d where there is nothing to bring over: the bytes stay as they were received. */
Status fhir_from_r5(Arena *a, const JsonDoc *d, JsonDoc *ret, Err *err) MUST_USE;

#endif
