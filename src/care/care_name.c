#include "care_name.h"

static bool is_ascii(Str s)
{
    bool ascii = true;
    for (size_t i = 0; i < s.n && ascii; i++) {
        ascii = (unsigned char)s.p[i] < 0x80;
    }
    return ascii;
}

Str care_name_text(Arena *a, const JsonDoc *d, JsonRef human_name)
{
    Str text = json_str(d, json_get_c(d, human_name, "text"));
    if (text.n) {
        return text;
    }
    Str family = json_str(d, json_get_c(d, human_name, "family"));
    text = family;
    for (JsonIter it = json_iter(d, json_get_c(d, human_name, "given")); json_next(&it);) {
        Str given = json_str(d, it.value);
        bool apart = text.n && is_ascii(text) && is_ascii(given);
        text = arena_cat(a, text, apart ? STR(" ") : STR_NONE, given);
    }
    return text;
}
