/*
 * Pinyin of Chinese names, for Patient?pinyin=lgz. It stands in this room because the index
 * rows of a FHIR_PARAM_PINYIN parameter are made here and below `care`.
 *
 * All readings of every character must find: 单 is shan, dan and chan, 尉迟 is yuchi and weichi.
 * The likeliest reading (a surname's own at the front of a name) comes first. Letters and
 * digits of other scripts are taken as they are, lower-cased; everything else is skipped.
 */
#ifndef FHIR_PINYIN_H
#define FHIR_PINYIN_H

#include "mk.h"

#define FHIR_PINYIN_KEYS_MAX 64u /* of one name; the likeliest are kept */

/*
 * The distinct keys of a name, lower case without tones and blanks (ü is v): each combination
 * of readings in full ("liguizhi") and as initials ("lgz"), likeliest first. A name without
 * anything readable gives none.
 */
void fhir_pinyin_keys(Arena *a, Str name, Str **ret_keys, size_t *ret_n);

/* Only those in full, for comparing names by sound. */
void fhir_pinyin_full(Arena *a, Str name, Str **ret_keys, size_t *ret_n);

#endif
