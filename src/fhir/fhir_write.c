#include <stdio.h>

#include "fhir_write.h"

JsonWriter fhir_begin(Buf *out, const char *type, Str id)
{
    JsonWriter w = json_begin(out, '{');
    json_member_c(&w, "resourceType", type);
    json_member_str(&w, "id", id);
    return w;
}

static void object_open(JsonWriter *w, const char *key)
{
    if (key) {
        json_key(w, key);
    }
    json_open(w, '{');
}

void fhir_coding_put(JsonWriter *w, Str system, Str code, Str display)
{
    json_key_open(w, "coding", '[');
    json_open(w, '{');
    json_member_str(w, "system", system);
    json_member_str(w, "code", code);
    json_member_str(w, "display", display);
    json_close(w, '}');
    json_close(w, ']');
}

void fhir_concept_put(JsonWriter *w, const char *key, Str system, Str code, Str display)
{
    object_open(w, key);
    fhir_coding_put(w, system, code, display);
    json_member_str(w, "text", display);
    json_close(w, '}');
}

void fhir_concepts_put(JsonWriter *w, const char *key, Str system, Str code, Str display)
{
    json_key_open(w, key, '[');
    fhir_concept_put(w, NULL, system, code, display);
    json_close(w, ']');
}

void fhir_reference_put(JsonWriter *w, const char *key, Str reference, Str display)
{
    if (!str_empty(reference)) {
        object_open(w, key);
        json_member_str(w, "reference", reference);
        json_member_str(w, "display", display);
        json_close(w, '}');
    }
}

void fhir_part_put(JsonWriter *w, const char *name, const char *value_key, Str value)
{
    if (!str_empty(value)) {
        json_open(w, '{');
        json_member_c(w, "name", name);
        json_member_str(w, value_key, value);
        json_close(w, '}');
    }
}

void fhir_texts_put(JsonWriter *w, const char *key, Str text)
{
    if (!str_empty(text)) {
        json_key_open(w, key, '[');
        json_open(w, '{');
        json_member_str(w, "text", text);
        json_close(w, '}');
        json_close(w, ']');
    }
}

void fhir_extension_open(JsonWriter *w, const char *url)
{
    json_open(w, '{');
    json_member_c(w, "url", url);
}

static void translation_part(JsonWriter *w, const char *url, const char *key, Str value)
{
    fhir_extension_open(w, url);
    json_member_str(w, key, value);
    json_close(w, '}');
}

void fhir_translated_put(JsonWriter *w, const char *key, Str zh, Str en)
{
    char beside[64];
    int n = snprintf(beside, sizeof beside, "_%s", key);
    mk_check(n > 0 && (size_t)n < sizeof beside);
    json_member_str(w, key, zh);
    json_key_open(w, beside, '{');
    json_key_open(w, "extension", '[');
    fhir_extension_open(w, "http://hl7.org/fhir/StructureDefinition/translation");
    json_key_open(w, "extension", '[');
    translation_part(w, "lang", "valueCode", STR("en"));
    translation_part(w, "content", "valueString", en);
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
}
