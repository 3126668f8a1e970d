/*
 * The texts of a resource: what a person would read in it. Elements of type string and markdown
 * (displays, titles, notes, names), and the narrative without its marks. Of an
 * identifier only what type it is. Not meta, units, versions, references, codes, URLs, dates: those
 * have parameters of their own.
 */
#ifndef FHIR_TEXTS_H
#define FHIR_TEXTS_H

#include "json.h"

#include "fhir_types.h"

/* text: as written, a view into the document or `a`. False: enough. */
typedef bool FhirTextTold(void *ctx, Str text, bool narrative);

/* Of the resource at the root, also of what it contains, in the order of the document. */
void fhir_texts(Arena *a, const JsonDoc *d, const FhirType *type, FhirTextTold *told, void *ctx);

#endif
