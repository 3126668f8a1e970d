/*
 * CodeSystems, ValueSets and ConceptMaps: that what they say agrees with itself, and that the codes
 * they take from a code system that is known are codes of it. Thorough checks only.
 */
#include "fhir_validate_inner.h"

#define CONCEPT_DEPTH_MAX 64u
#define HL7_VALUESET      "http://hl7.org/fhir/ValueSet/"

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

static Str text(const Walk *w, JsonRef object, const char *key)
{
    return json_str(w->d, get(w, object, key));
}

/* --- CodeSystem --- */

typedef struct Codes {
    Walk *w;
    Map types; /* property → the name of its type */
    Map codes;
    bool whole; /* every code of the system is here */
    uint64_t n;
} Codes;

static void codes_collect(Codes *c, JsonRef object, unsigned depth)
{
    for (JsonIter it = json_iter(c->w->d, get(c->w, object, "concept"));
         json_next(&it) && depth < CONCEPT_DEPTH_MAX;) {
        Str code = text(c->w, it.value, "code");
        c->n++;
        if (code.n) {
            map_put(&c->codes, code, c);
        }
        codes_collect(c, it.value, depth + 1);
    }
}

/* The key by which a property of this type is written: valueDateTime. */
static bool is_value_key(Str key, const char *type)
{
    Str rest = str_skip(key, 5);
    return str_starts(key, STR("value")) && str_eq_nocase(rest, str_from_c(type));
}

/* R4's own: what every code system has without saying so. */
static bool is_common(Str property)
{
    static const char *const COMMON[] = {"inactive",        "deprecated",    "notSelectable",
                                         "parent",          "child",         "status",
                                         "deprecationDate", "retirementDate"};
    bool found = false;
    for (size_t i = 0; i < sizeof COMMON / sizeof *COMMON && !found; i++) {
        found = str_is(property, COMMON[i]);
    }
    return found;
}

static void check_property(const Codes *c, const Place *at, JsonRef property)
{
    Walk *w = c->w;
    Str code = text(w, property, "code"), target = text(w, property, "valueCode");
    const char *type = map_get(&c->types, code);
    Str shown = walk_clip(code), named = walk_clip(target);
    if (!type && code.n && !is_common(code)) {
        walk_warning(w, at, "business-rule", "代码系统没有说明属性“%.*s”",
                     "the code system does not say what the property \"%.*s\" is", STR_ARG(shown));
    }
    for (JsonIter it = json_iter(w->d, property); type && json_next(&it);) {
        if (str_starts(it.key, STR("value")) && !is_value_key(it.key, type)) {
            walk_strict(w, at, "invalid", "属性“%.*s”应为 %s 型",
                        "the property \"%.*s\" is one of type %s", STR_ARG(shown), type);
        }
    }
    if ((str_is(code, "parent") || str_is(code, "child")) && c->whole && target.n &&
        !map_get(&c->codes, target)) {
        walk_strict(w, at, "invalid", "代码系统中没有“%.*s”", "the code system has no \"%.*s\"",
                    STR_ARG(named));
    }
}

static void check_concepts(const Codes *c, const Place *at, JsonRef object, unsigned depth)
{
    Walk *w = c->w;
    for (JsonIter it = json_iter(w->d, get(w, object, "concept"));
         json_next(&it) && depth < CONCEPT_DEPTH_MAX && !walk_stopped(w);) {
        Place place = {at, STR("concept"), it.index};
        for (JsonIter p = json_iter(w->d, get(w, it.value, "property")); json_next(&p);) {
            Place property = {&place, STR("property"), p.index};
            check_property(c, &property, p.value);
        }
        check_concepts(c, &place, it.value, depth + 1);
    }
}

static void check_content(const Codes *c, const Place *at, JsonRef system)
{
    Walk *w = c->w;
    Str content = text(w, system, "content");
    bool supplements = get(w, system, "supplements") != JSON_NONE;
    Place place = {at, STR("content"), PLACE_NO_INDEX},
          counted = {at, STR("count"), PLACE_NO_INDEX};
    int64_t count;
    if (str_is(content, "not-present") && c->n) {
        walk_strict(w, at, "invalid", "content 是 not-present，却列有概念",
                    "content is not-present, but there are concepts");
    }
    if (c->whole && c->n && json_to_i64(w->d, get(w, system, "count"), &count) &&
        (uint64_t)count != c->n) {
        walk_strict(w, &counted, "invalid", "count 为 %lld，实有 %llu 个概念",
                    "count says %lld, but there are %llu concepts", (long long)count,
                    (unsigned long long)c->n);
    }
    if (supplements && content.n && !str_is(content, "supplement")) {
        walk_strict(w, &place, "business-rule", "补充他人的代码系统，content 必须是 supplement",
                    "a code system that supplements another has the content \"supplement\"");
    } else if (!supplements && str_is(content, "supplement")) {
        walk_strict(w, at, "business-rule", "content 是 supplement，须写明补充哪个代码系统",
                    "content is \"supplement\": supplements must say which code system");
    }
}

void walk_code_system(Walk *w, const Place *at, JsonRef system)
{
    Codes c = {.w = w, .whole = str_is(text(w, system, "content"), "complete")};
    map_init(&c.types, w->items);
    map_init(&c.codes, w->items);
    for (JsonIter it = json_iter(w->d, get(w, system, "property")); json_next(&it);) {
        Str code = text(w, it.value, "code");
        if (code.n) {
            map_put(&c.types, code, arena_cstr(w->items, text(w, it.value, "type")));
        }
    }
    codes_collect(&c, system, 0);
    check_content(&c, at, system);
    check_concepts(&c, at, system, 0);
}

/* --- ValueSet --- */

static void check_system(Walk *w, const Place *at, Str system)
{
    Place place = {at, STR("system"), PLACE_NO_INDEX};
    Str shown = walk_clip(system);
    if (str_starts(system, STR(HL7_VALUESET))) {
        walk_strict(w, &place, "invalid", "“%.*s”是值集，不是代码系统",
                    "\"%.*s\" is a value set, not a code system", STR_ARG(shown));
    } else if (system.n && system.p[0] != '#' && !walk_is_absolute(system)) {
        walk_strict(w, at, "invalid", "代码系统“%.*s”必须是绝对 URI",
                    "the code system \"%.*s\" must be an absolute URI", STR_ARG(shown));
    }
}

static void check_includes(Walk *w, const Place *at, JsonRef compose, const char *name)
{
    for (JsonIter it = json_iter(w->d, get(w, compose, name)); json_next(&it);) {
        Place place = {at, str_from_c(name), it.index};
        Str system = text(w, it.value, "system"), version = text(w, it.value, "version");
        check_system(w, &place, system);
        for (JsonIter c = json_iter(w->d, get(w, it.value, "concept"));
             json_next(&c) && !walk_stopped(w);) {
            Place concept = {&place, STR("concept"), c.index};
            walk_known_code(w, &concept, system, version, text(w, c.value, "code"), STR_NONE);
        }
    }
}

void walk_value_set(Walk *w, const Place *at, JsonRef set)
{
    Place compose = {at, STR("compose"), PLACE_NO_INDEX};
    check_includes(w, &compose, get(w, set, "compose"), "include");
    check_includes(w, &compose, get(w, set, "compose"), "exclude");
}

/* --- ConceptMap --- */

static void check_mapped(Walk *w, const Place *at, JsonRef group, JsonRef element)
{
    walk_known_code(w, at, text(w, group, "source"), text(w, group, "sourceVersion"),
                    text(w, element, "code"), STR_NONE);
    for (JsonIter it = json_iter(w->d, get(w, element, "target")); json_next(&it);) {
        Place place = {at, STR("target"), it.index};
        walk_known_code(w, &place, text(w, group, "target"), text(w, group, "targetVersion"),
                        text(w, it.value, "code"), STR_NONE);
    }
}

void walk_concept_map(Walk *w, const Place *at, JsonRef map)
{
    for (JsonIter g = json_iter(w->d, get(w, map, "group")); json_next(&g);) {
        Place group = {at, STR("group"), g.index};
        for (JsonIter it = json_iter(w->d, get(w, g.value, "element"));
             json_next(&it) && !walk_stopped(w);) {
            Place place = {&group, STR("element"), it.index};
            check_mapped(w, &place, g.value, it.value);
        }
    }
}
