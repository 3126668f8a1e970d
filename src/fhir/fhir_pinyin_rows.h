/* The generated rows behind fhir_pinyin.h; nobody else includes this. */
#ifndef FHIR_PINYIN_ROWS_H
#define FHIR_PINYIN_ROWS_H

#include <stdint.h>

typedef struct FhirPinyinSurname {
    const char *name;     /* UTF-8 */
    const char *readings; /* one syllable for each character, joined by commas */
} FhirPinyinSurname;

extern const unsigned fhir_pinyin_count;
extern const uint32_t fhir_pinyin_chars[]; /* code points, ascending */
extern const uint16_t fhir_pinyin_sets[];  /* index in fhir_pinyin_readings_of */
extern const char *const fhir_pinyin_readings_of[];
extern const unsigned fhir_pinyin_surname_count;
extern const FhirPinyinSurname fhir_pinyin_surnames[];

#endif
