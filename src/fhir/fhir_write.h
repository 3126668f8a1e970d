/* What many rooms write: the frame of a resource, and datatypes as members of an open object. */
#ifndef FHIR_WRITE_H
#define FHIR_WRITE_H

#include "json.h"

/* A resource's body, to be closed with json_end; without an id when that is not known yet. */
JsonWriter fhir_begin(Buf *out, const char *type, Str id);

/*
 * Datatypes; what is empty is left out. Without a key the value is an element of an open list.
 */
/* A member of Parameters or of a part: {"name": name, value_key: value}, as of "valueCode". */
void fhir_part_put(JsonWriter *w, const char *name, const char *value_key, Str value);
/* "coding": [{system, code, display}] */
void fhir_coding_put(JsonWriter *w, Str system, Str code, Str display);
/* key: {"coding": [{system, code, display}], "text": display} */
void fhir_concept_put(JsonWriter *w, const char *key, Str system, Str code, Str display);
/* key: [concept] */
void fhir_concepts_put(JsonWriter *w, const char *key, Str system, Str code, Str display);
/* key: {reference, display}; nothing at all without a reference. */
void fhir_reference_put(JsonWriter *w, const char *key, Str reference, Str display);
/* key: [{"text": text}], as for a name or an address; nothing without a text. */
void fhir_texts_put(JsonWriter *w, const char *key, Str text);
/* {"url": url, for the value and a json_close to follow. */
void fhir_extension_open(JsonWriter *w, const char *url);
/* key: zh with en as its translation (extension of _key). */
void fhir_translated_put(JsonWriter *w, const char *key, Str zh, Str en);

#endif
