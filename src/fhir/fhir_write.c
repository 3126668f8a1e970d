#include "fhir_write.h"

void fhir_concept_put(JsonWriter *w, const char *key, Str system, Str code, Str display)
{
    json_key(w, key);
    json_open(w, '{');
    json_key(w, "coding");
    json_open(w, '[');
    json_open(w, '{');
    json_member_str(w, "system", system);
    json_member_str(w, "code", code);
    json_member_str(w, "display", display);
    json_close(w, '}');
    json_close(w, ']');
    json_member_str(w, "text", display);
    json_close(w, '}');
}

void fhir_reference_put(JsonWriter *w, const char *key, Str reference, Str display)
{
    if (!str_empty(reference)) {
        json_key(w, key);
        json_open(w, '{');
        json_member_str(w, "reference", reference);
        json_member_str(w, "display", display);
        json_close(w, '}');
    }
}
