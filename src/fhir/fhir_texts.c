/* Walking a resource by its type's table for the texts in it. */
#include "fhir_texts.h"

#include <stdlib.h>

typedef struct Texts {
    Arena *arena;
    const JsonDoc *doc;
    FhirTextTold *told;
    void *ctx;
    bool enough;
} Texts;

/* ---- Narratives ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    const char *text;
} entities[] = {{"amp", "&"},   {"lt", "<"},   {"gt", ">"},
                {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}};

/* The character of "&name;" at the head of `s`, or its name as it stands. */
static Str entity_take(Arena *a, Str s, size_t *ret_used)
{
    ptrdiff_t end = str_find_char(str_take(s, 12), ';');
    *ret_used = 1;
    if (end < 2) {
        return str_take(s, 1);
    }
    Str name = {s.p + 1, (size_t)end - 1};
    *ret_used = (size_t)end + 1;
    if (name.p[0] == '#') {
        char *out = arena_alloc(a, 8);
        bool hex = name.n > 1 && name.p[1] == 'x';
        unsigned long c = strtoul(arena_cstr(a, str_skip(name, hex ? 2 : 1)), NULL, hex ? 16 : 10);
        bool scalar = c > 0 && c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        return scalar ? (Str){out, utf8_put(out, (uint32_t)c)} : STR(" ");
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        if (str_is(name, entities[i].name)) {
            return str_from_c(entities[i].text);
        }
    }
    return STR(" ");
}

/* What stands between the marks of an XHTML fragment, entities decoded. */
static Str fhir_xhtml_text(Arena *a, Str div)
{
    char *out = arena_try_raw(a, div.n + 1);
    size_t n = 0, used;
    for (size_t i = 0; out && i < div.n;) {
        if (div.p[i] == '<') {
            ptrdiff_t end = str_find_char(str_skip(div, i), '>');
            i = end < 0 ? div.n : i + (size_t)end + 1;
            out[n++] = ' '; /* a mark takes two bytes at least */
        } else if (div.p[i] == '&') {
            Str text = entity_take(a, str_skip(div, i), &used);
            memcpy(out + n, text.p, text.n);
            n += text.n;
            i += used;
        } else {
            out[n++] = div.p[i++];
        }
    }
    return (Str){out, n};
}

/* ---- The walk -------------------------------------------------------------------------------- */

static void object_walk(Texts *w, const FhirType *type, JsonRef object);

static void text_tell(Texts *w, Str text, bool narrative)
{
    if (text.n && !w->told(w->ctx, text, narrative)) {
        w->enough = true;
    }
}

static bool name_is_silent(Str name)
{
    return str_is(name, "id") || str_is(name, "reference") || str_is(name, "unit") ||
           str_is(name, "version");
}

static void value_walk(Texts *w, const FhirMember *m, Str key, JsonRef r)
{
    unsigned id = fhir_type_id(m->type);
    if (fhir_type_is_primitive(m->type)) {
        if (id == FHIR_TYPE_xhtml) {
            text_tell(w, fhir_xhtml_text(w->arena, json_str(w->doc, r)), true);
        } else if ((id == FHIR_TYPE_string || id == FHIR_TYPE_markdown) && !name_is_silent(key)) {
            text_tell(w, json_str(w->doc, r), false);
        }
    } else if (id == FHIR_TYPE_Identifier) {
        object_walk(w, fhir_type(FHIR_TYPE_CodeableConcept), json_get_c(w->doc, r, "type"));
    } else if (id != FHIR_TYPE_Meta) {
        object_walk(w, m->type, r);
    }
}

static void object_walk(Texts *w, const FhirType *type, JsonRef object)
{
    FhirMember m;
    Str own = json_str(w->doc, json_get_c(w->doc, object, "resourceType"));
    type = own.n ? fhir_resource_find(own) : type;
    for (JsonIter it = json_iter(w->doc, object); type && !w->enough && json_next(&it);) {
        if (!fhir_elem_find(type, it.key, &m) || m.underscore || !m.type) {
            continue;
        }
        if (json_type(w->doc, it.value) != JSON_ARRAY) {
            value_walk(w, &m, it.key, it.value);
            continue;
        }
        for (JsonIter item = json_iter(w->doc, it.value); !w->enough && json_next(&item);) {
            value_walk(w, &m, it.key, item.value);
        }
    }
}

void fhir_texts(Arena *a, const JsonDoc *d, const FhirType *type, FhirTextTold *told, void *ctx)
{
    Texts w = {.arena = a, .doc = d, .told = told, .ctx = ctx};
    object_walk(&w, type, JSON_ROOT);
}
