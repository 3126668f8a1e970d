/* Names of people: as one text, and the pinyin keys by which they are found. */
#ifndef CARE_NAME_H
#define CARE_NAME_H

#include "fhir_pinyin.h"
#include "json.h"

/* A HumanName as one text: `text`, else family and given as they are written in their script. */
Str care_name_text(Arena *a, const JsonDoc *d, JsonRef human_name);

/* The keys that the index stores and `Patient?pinyin=` searches; see fhir_pinyin.h. */
static inline void care_pinyin_keys(Arena *a, Str name, Str **ret_keys, size_t *ret_n)
{
    fhir_pinyin_keys(a, name, ret_keys, ret_n);
}

#endif
