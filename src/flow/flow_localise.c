/* A resource with `translation` extensions, told in one language. */
#include "flow_inner.h"

#define TRANSLATION "http://hl7.org/fhir/StructureDefinition/translation"

/* The content for that language in the shadow of a text, or empty. */
static Str translation_of(const JsonDoc *d, JsonRef shadow, const char *lang)
{
    for (JsonIter it = json_iter(d, json_get_c(d, shadow, "extension")); json_next(&it);) {
        if (!str_is(json_str_at(d, it.value, "url"), TRANSLATION)) {
            continue;
        }
        Str said = STR_NONE, content = STR_NONE;
        for (JsonIter p = json_iter(d, json_get_c(d, it.value, "extension")); json_next(&p);) {
            Str url = json_str_at(d, p.value, "url");
            said = str_is(url, "lang") ? json_str_at(d, p.value, "valueCode") : said;
            content = str_is(url, "content") ? json_str_at(d, p.value, "valueString") : content;
        }
        if (str_starts(said, str_from_c(lang))) {
            return content;
        }
    }
    return STR_NONE;
}

Str flow_text_in(const JsonDoc *d, JsonRef object, const char *member, Lang lang)
{
    char shadow[64];
    snprintf(shadow, sizeof shadow, "_%s", member);
    Str other = lang == LANG_ZH ? STR_NONE : translation_of(d, json_get_c(d, object, shadow), "en");
    return other.n ? other : json_str_at(d, object, member);
}

/* A shadow that holds nothing but translations is not told again. */
static bool only_translations(const JsonDoc *d, JsonRef shadow)
{
    for (JsonIter it = json_iter(d, json_get_c(d, shadow, "extension")); json_next(&it);) {
        if (!str_is(json_str_at(d, it.value, "url"), TRANSLATION)) {
            return false;
        }
    }
    return json_type(d, shadow) == JSON_OBJECT && json_count(d, shadow) == 1;
}

static void localise(Arena *a, JsonWriter *w, const JsonDoc *d, JsonRef r, Lang lang);

static void member_put(Arena *a, JsonWriter *w, const JsonDoc *d, JsonRef object,
                       const JsonIter *it, Lang lang)
{
    if (it->key.n > 1 && it->key.p[0] == '_' && only_translations(d, it->value)) {
        return;
    }
    JsonRef shadow = json_get(d, object, arena_cat(a, STR("_"), it->key));
    Str other = lang == LANG_ZH ? STR_NONE : translation_of(d, shadow, "en");
    json_key_str(w, it->key);
    if (other.n && json_type(d, it->value) == JSON_STRING) {
        json_put_str(w, other);
    } else {
        localise(a, w, d, it->value, lang);
    }
}

static void localise(Arena *a, JsonWriter *w, const JsonDoc *d, JsonRef r, Lang lang)
{
    JsonType type = json_type(d, r);
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        json_put_raw(w, json_raw(d, r));
        return;
    }
    char brace = type == JSON_OBJECT ? '{' : '[';
    json_open(w, brace);
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        if (type == JSON_OBJECT) {
            member_put(a, w, d, r, &it, lang);
        } else {
            localise(a, w, d, it.value, lang);
        }
    }
    json_close(w, type == JSON_OBJECT ? '}' : ']');
}

Str flow_localise(Arena *a, const JsonDoc *doc, JsonRef root, Lang lang)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    localise(a, &w, doc, root, lang);
    return buf_take(&out, a);
}
