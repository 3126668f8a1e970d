#include "fhir_r5.h"

#include "fhir_term_inner.h"

#define TRANSLATION   "http://hl7.org/fhir/StructureDefinition/translation"
#define USE_AS_IT_WAS "use-source-code" /* unmapped.mode; R4: provided */

typedef enum How { VALUE, CHOICE, PARTS, RENAME, CODE, OPERATOR, NOMAP, ATTRIBUTE } How;

typedef struct Move {
    const char *path, *name;
    How how;
    const char *as;
} Move;

static const Move MOVES[] = {
#define MOVE(path, name, how, as) {path, name, how, as},
#include "fhir_r5.def"
#undef MOVE
};

typedef struct Over {
    Arena *arena;
    const JsonDoc *d;
    bool moved; /* something was */
} Over;

/* One object on its way. */
typedef struct Place {
    Str path;
    JsonRef object;
    JsonWriter *w;  /* its members */
    JsonWriter ext; /* items of its "extension" */
    Buf exts;
} Place;

static void object_walk(Over *o, Str path, JsonRef object, JsonWriter *w);

/* ---- which --------------------------------------------------------------------------------- */

static bool is_choice(How how)
{
    return how == CHOICE || how == ATTRIBUTE;
}

/* versionAlgorithmCoding is of versionAlgorithm[x]; a plain name is itself. */
static bool name_fits(const Move *m, Str key)
{
    Str name = str_from_c(m->name), rest = str_skip(key, name.n);
    return is_choice(m->how)
               ? str_starts(key, name) && rest.n && rest.p[0] >= 'A' && rest.p[0] <= 'Z'
               : str_eq(key, name);
}

static bool path_fits(const Move *m, Str path)
{
    return strcmp(m->path, "*") == 0 ? str_find_char(path, '.') < 0 : str_is(path, m->path);
}

static bool is_among(const char *list, Str word)
{
    Str rest = str_from_c(list), one;
    while (rest.n) {
        str_cut(rest, ' ', &one, &rest);
        if (str_eq(one, word)) {
            return true;
        }
    }
    return false;
}

static const char *code_r4(const Move *m, Str code)
{
    return strcmp(m->as, "mode") != 0    ? term_relation_of_r5(code)
           : str_is(code, USE_AS_IT_WAS) ? "provided"
                                         : NULL;
}

/* A code that R4 has, or that nobody has, is left. */
static bool value_fits(const Over *o, const Move *m, JsonRef value)
{
    Str text = json_str(o->d, value);
    return m->how == CODE       ? code_r4(m, text) != NULL
           : m->how == OPERATOR ? is_among(m->as, text)
                                : true;
}

static const Move *move_of(const Over *o, Str path, Str key, JsonRef value)
{
    for (size_t i = 0; i < sizeof MOVES / sizeof *MOVES; i++) {
        const Move *m = &MOVES[i];
        if (path_fits(m, path) && name_fits(m, key) && value_fits(o, m, value)) {
            return m;
        }
    }
    return NULL;
}

/* ---- how ----------------------------------------------------------------------------------- */

static Str url_of(const Over *o, Str path, const char *name)
{
    return arena_cat(o->arena, STR(TERM_R5_EXTENSION), path, STR("."), str_from_c(name));
}

static void extension_put(Over *o, JsonWriter *w, Str url, Str type, JsonRef value)
{
    json_open(w, '{');
    json_member_str(w, "url", url);
    json_key_str(w, arena_cat(o->arena, STR("value"), type));
    json_put_raw(w, json_raw(o->d, value));
    json_close(w, '}');
}

/* One, or each of a list. */
static void extensions_put(Over *o, JsonWriter *w, Str url, Str type, JsonRef value)
{
    if (json_type(o->d, value) != JSON_ARRAY) {
        extension_put(o, w, url, type, value);
    }
    for (JsonIter it = json_iter(o->d, value);
         json_type(o->d, value) == JSON_ARRAY && json_next(&it);) {
        extension_put(o, w, url, type, it.value);
    }
}

/* "code:Code value*" */
static void part_put(Over *o, JsonWriter *w, const char *as, Str key, JsonRef value)
{
    Str rest = str_from_c(as), one, name, type;
    while (rest.n) {
        str_cut(rest, ' ', &one, &rest);
        bool choice = str_ends(one, STR("*"));
        str_cut(choice ? str_take(one, one.n - 1) : one, ':', &name, &type);
        if (choice ? str_starts(key, name) : str_eq(key, name)) {
            extensions_put(o, w, name, choice ? str_skip(key, name.n) : type, value);
        }
    }
}

static void parts_put(Over *o, JsonWriter *w, Str url, const char *as, JsonRef object)
{
    json_open(w, '{');
    json_member_str(w, "url", url);
    json_key_open(w, "extension", '[');
    for (JsonIter it = json_iter(o->d, object); json_next(&it);) {
        part_put(o, w, as, it.key, it.value);
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void parts_all(Over *o, JsonWriter *w, Str url, const char *as, JsonRef value)
{
    if (json_type(o->d, value) == JSON_OBJECT) {
        parts_put(o, w, url, as, value);
    }
    for (JsonIter it = json_iter(o->d, value);
         json_type(o->d, value) == JSON_ARRAY && json_next(&it);) {
        parts_put(o, w, url, as, it.value);
    }
}

/* R4's value is a text: of a Coding its code. */
static void attribute_put(Over *o, JsonWriter *w, JsonRef value)
{
    Str code = json_str_at(o->d, value, "code"), text = json_str(o->d, value);
    json_member_str(w, "value", code.n ? code : text.n ? text : json_raw(o->d, value));
}

/* "noMap": true is a target that matches nothing. */
static void nomap_put(const Over *o, const Place *p, JsonRef value)
{
    if (!json_is_true(o->d, value) || json_get_c(o->d, p->object, "target") != JSON_NONE) {
        return;
    }
    json_key_open(p->w, "target", '[');
    json_open(p->w, '{');
    json_member_c(p->w, "equivalence", "unmatched");
    json_close(p->w, '}');
    json_close(p->w, ']');
}

/* R4 wants a comment with "narrower" (cmd-1); without one the map says "specializes". */
static void code_put(const Over *o, const Place *p, const Move *m, JsonRef value)
{
    const char *code = code_r4(m, json_str(o->d, value));
    bool silent = json_get_c(o->d, p->object, "comment") == JSON_NONE;
    json_member_c(p->w, m->as, silent && strcmp(code, "narrower") == 0 ? "specializes" : code);
}

/* An operator that R4's list does not have: op without a value, and R5's as its extension. */
static void operator_put(Over *o, const Place *p, JsonRef value)
{
    json_key_open(p->w, "_op", '{');
    json_key_open(p->w, "extension", '[');
    extension_put(o, p->w, STR(TERM_R5_OPERATOR), STR("Code"), value);
    json_close(p->w, ']');
    json_close(p->w, '}');
}

static void move_apply(Over *o, Place *p, const Move *m, Str key, JsonRef value)
{
    o->moved = true;
    switch (m->how) {
    case VALUE:
        extensions_put(o, &p->ext, url_of(o, p->path, m->name), str_from_c(m->as), value);
        break;
    case CHOICE:
        extensions_put(o, &p->ext, url_of(o, p->path, m->name), str_skip(key, strlen(m->name)),
                       value);
        break;
    case PARTS:
        parts_all(o, &p->ext, url_of(o, p->path, m->name), m->as, value);
        break;
    case RENAME:
        json_key(p->w, m->as);
        json_put_raw(p->w, json_raw(o->d, value));
        break;
    case CODE:
        code_put(o, p, m, value);
        break;
    case OPERATOR:
        operator_put(o, p, value);
        break;
    case NOMAP:
        nomap_put(o, p, value);
        break;
    case ATTRIBUTE:
        attribute_put(o, p->w, value);
        break;
    }
}

/* "title:de" where _title has the same as a translation. */
static bool is_said_twice(const Over *o, JsonRef object, Str key, JsonRef value)
{
    Str name, language;
    if (!str_cut(key, ':', &name, &language)) {
        return false;
    }
    JsonRef beside = json_get(o->d, object, arena_cat(o->arena, STR("_"), name));
    for (JsonIter it = json_iter(o->d, json_get_c(o->d, beside, "extension")); json_next(&it);) {
        JsonRef lang = term_extension(o->d, it.value, "lang"),
                content = term_extension(o->d, it.value, "content");
        if (str_is(json_str_at(o->d, it.value, "url"), TRANSLATION) &&
            str_eq(json_str(o->d, lang), language) &&
            str_eq(json_str(o->d, content), json_str(o->d, value))) {
            return true;
        }
    }
    return false;
}

/* ---- the walk ------------------------------------------------------------------------------ */

/* Concepts within concepts have the path of concepts. */
static Str path_below(const Over *o, Str path, Str key)
{
    Str last = arena_cat(o->arena, STR("."), key);
    return str_ends(path, last) ? path : arena_cat(o->arena, path, last);
}

static void value_walk(Over *o, Str path, JsonRef value, JsonWriter *w)
{
    if (json_type(o->d, value) == JSON_OBJECT) {
        object_walk(o, path, value, w);
    } else if (json_type(o->d, value) == JSON_ARRAY) {
        json_open(w, '[');
        for (JsonIter it = json_iter(o->d, value); json_next(&it);) {
            value_walk(o, path, it.value, w);
        }
        json_close(w, ']');
    } else {
        json_put_raw(w, json_raw(o->d, value));
    }
}

static void member_walk(Over *o, Place *p, Str key, JsonRef value)
{
    const Move *m = move_of(o, p->path, key, value);
    if (m) {
        move_apply(o, p, m, key, value);
    } else if (is_said_twice(o, p->object, key, value)) {
        o->moved = true;
    } else if (!str_is(key, "extension") || json_type(o->d, value) != JSON_ARRAY) {
        bool simple = json_type(o->d, value) != JSON_ARRAY && json_type(o->d, value) != JSON_OBJECT;
        json_key_str(p->w, key);
        value_walk(o, simple ? p->path : path_below(o, p->path, key), value, p->w);
    }
}

static void extensions_walk(Over *o, Place *p)
{
    JsonRef own = json_get_c(o->d, p->object, "extension");
    if (json_type(o->d, own) != JSON_ARRAY && p->exts.n == 0) {
        return;
    }
    json_key_open(p->w, "extension", '[');
    for (JsonIter it = json_iter(o->d, own); json_next(&it);) {
        json_put_raw(p->w, json_raw(o->d, it.value));
    }
    if (p->exts.n) {
        json_put_raw(p->w, buf_str(&p->exts));
    }
    json_close(p->w, ']');
}

static void object_walk(Over *o, Str path, JsonRef object, JsonWriter *w)
{
    Place p = {.path = path, .object = object, .w = w};
    buf_init(&p.exts, 0);
    p.ext = json_writer(&p.exts);
    json_open(w, '{');
    for (JsonIter it = json_iter(o->d, object); json_next(&it);) {
        member_walk(o, &p, it.key, it.value);
    }
    extensions_walk(o, &p);
    json_close(w, '}');
    buf_done(&p.exts);
}

Status fhir_from_r5(Arena *a, const JsonDoc *d, JsonDoc *ret, Err *err)
{
    Str type = json_str_at(d, JSON_ROOT, "resourceType");
    Over o = {.arena = a, .d = d};
    if (!is_among("CodeSystem ValueSet ConceptMap", type)) {
        *ret = *d;
        return OK;
    }
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    object_walk(&o, type, JSON_ROOT, &w);
    Str bytes = buf_take(&out, a);
    if (!o.moved) {
        *ret = *d;
        return OK;
    }
    return json_parse(a, bytes, &JSON_LIMITS_FHIR, ret, err);
}
