/* $translate: from a code to codes of another system by concept maps, and back. */
#include "fhir_term_inner.h"
#include "fhir_term_pack.h"
#include "fhir_write.h"

#define OTHER_MAPS_MAX 5 /* unmapped.mode = other-map, one after another */
#define MATCHES_MAX    1000

#define TERM_R5_UNMAPPED TERM_R5_EXTENSION "ConceptMap.group.unmapped.relationship"

typedef struct Translate {
    TermAsk *ask;
    FhirTerm *t;
    Str system, version, code; /* asked */
    Str other_system;          /* only to (reverse: from) this one; empty: any */
    bool reverse, r5_reverse;
    unsigned other_maps;
    JsonWriter *w;
    size_t found;
    bool good; /* a match that says the codes belong together */
} Translate;

/* ---- equivalence in R4, relationship in R5
 * ------------------------------------------------------------ */

static const struct {
    const char *r4, *r5;
} RELATIONS[] = {
    {"equivalent", "equivalent"},
    {"equal", "equivalent"},
    {"wider", "source-is-narrower-than-target"},
    {"subsumes", "source-is-narrower-than-target"},
    {"narrower", "source-is-broader-than-target"},
    {"specializes", "source-is-broader-than-target"},
    {"relatedto", "related-to"},
    {"inexact", "related-to"},
    {"disjoint", "not-related-to"},
    {"unmatched", "not-related-to"},
};

const char *term_relation_of_r5(Str r5)
{
    for (size_t i = 0; i < sizeof RELATIONS / sizeof *RELATIONS; i++) {
        if (str_is(r5, RELATIONS[i].r5)) {
            return RELATIONS[i].r4;
        }
    }
    return NULL;
}

/* As R4 has it; as R5 has it, or as that is kept in R4 (of what is unmapped). */
static const char *relation_r4(const JsonDoc *d, JsonRef target)
{
    Str r4 = json_str_at(d, target, "equivalence"), r5 = json_str_at(d, target, "relationship");
    for (size_t i = 0; i < sizeof RELATIONS / sizeof *RELATIONS; i++) {
        if (str_is(r4, RELATIONS[i].r4)) {
            return RELATIONS[i].r4;
        }
    }
    Str kept = json_str(d, term_extension(d, target, TERM_R5_UNMAPPED));
    const char *same = term_relation_of_r5(r5.n ? r5 : kept);
    return same ? same : "relatedto";
}

static const char *relation_r5(const char *r4)
{
    for (size_t i = 0; i < sizeof RELATIONS / sizeof *RELATIONS; i++) {
        if (strcmp(RELATIONS[i].r4, r4) == 0) {
            return RELATIONS[i].r5;
        }
    }
    return "related-to";
}

/* ---- one match
 * ------------------------------------------------------------------------------------------ */

static void coding_put(JsonWriter *w, const char *name, Str system, Str code, Str display)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
    json_key_open(w, "valueCoding", '{');
    json_member_str(w, "system", system);
    json_member_str(w, "code", code);
    json_member_str(w, "display", display);
    json_close(w, '}');
    json_close(w, '}');
}

static void products_put(JsonWriter *w, const JsonDoc *d, JsonRef target)
{
    for (JsonIter it = json_iter(d, json_get_c(d, target, "product")); json_next(&it);) {
        json_open(w, '{');
        json_member_c(w, "name", "product");
        json_key_open(w, "part", '[');
        term_put_str(w, "element", "valueUri", json_str_at(d, it.value, "property"));
        coding_put(w, "concept", json_str_at(d, it.value, "system"),
                   json_str_at(d, it.value, "value"), json_str_at(d, it.value, "display"));
        json_close(w, ']');
        json_close(w, '}');
    }
}

typedef struct Match {
    const TermItem *map;
    Str from_system, from_code, to_system, to_code, to_display;
    const char *relation; /* of R4 */
    JsonRef target;       /* for products; JSON_NONE */
} Match;

static void match_put(Translate *x, const Match *m)
{
    JsonWriter *w = x->w;
    bool bad = strcmp(m->relation, "disjoint") == 0 || strcmp(m->relation, "unmatched") == 0;
    if (x->found++ >= MATCHES_MAX) {
        return;
    }
    x->good = x->good || !bad;
    json_open(w, '{');
    json_member_c(w, "name", "match");
    json_key_open(w, "part", '[');
    if (x->ask->request->r5) {
        term_put_str(w, "relationship", "valueCode", str_from_c(relation_r5(m->relation)));
    } else {
        term_put_str(w, "equivalence", "valueCode", str_from_c(m->relation));
    }
    if (x->reverse && !x->r5_reverse) {
        coding_put(w, "concept", m->from_system, m->from_code, STR_NONE);
    } else if (m->to_code.n) {
        coding_put(w, "concept", m->to_system, m->to_code, m->to_display);
    }
    if (x->r5_reverse) {
        coding_put(w, "source", m->from_system, m->from_code, STR_NONE);
    }
    term_put_str(w, "originMap", "valueCanonical",
                 term_canonical(x->t->arena, m->map->url, m->map->version));
    if (m->target != JSON_NONE) {
        products_put(w, &m->map->doc, m->target);
    }
    json_close(w, ']');
    json_close(w, '}');
}

/* ---- one map
 * ---------------------------------------------------------------------------------------------- */

static void map_walk(Translate *x, const TermItem *map);

/* What a mapping depends on must have been said. */
static bool depends_fit(const Translate *x, const JsonDoc *d, JsonRef target)
{
    const TermAsk *ask = x->ask;
    for (JsonIter it = json_iter(d, json_get_c(d, target, "dependsOn")); json_next(&it);) {
        bool said = false;
        for (JsonIter p = json_iter(ask->doc, ask->list); ask->doc && !said && json_next(&p);) {
            if (!str_is(json_str_at(ask->doc, p.value, "name"), "dependency")) {
                continue;
            }
            TermAsk part = {
                .t = x->t, .doc = ask->doc, .list = json_get_c(ask->doc, p.value, "part")};
            Str element = term_ask_str(&part, "element");
            Str code = json_str_at(ask->doc, term_ask_value(&part, "concept"), "coding.0.code");
            said = str_eq(element, json_str_at(d, it.value, "property")) &&
                   str_eq(code, json_str_at(d, it.value, "value"));
        }
        if (!said) {
            return false;
        }
    }
    return true;
}

static bool element_walk(Translate *x, const TermItem *map, JsonRef group, JsonRef element)
{
    const JsonDoc *d = &map->doc;
    Match m = {.map = map};
    bool any = false;
    m.from_system = json_str_at(d, group, "source");
    m.to_system = json_str_at(d, group, "target");
    m.from_code = json_str_at(d, element, "code");
    if (!x->reverse && !str_eq(m.from_code, x->code)) {
        return false;
    }
    for (JsonIter it = json_iter(d, json_get_c(d, element, "target")); json_next(&it);) {
        m.to_code = json_str_at(d, it.value, "code");
        m.to_display = json_str_at(d, it.value, "display");
        m.relation = relation_r4(d, it.value);
        m.target = it.value;
        if ((!x->reverse || str_eq(m.to_code, x->code)) && depends_fit(x, d, it.value)) {
            match_put(x, &m);
            any = true;
        }
    }
    if (!x->reverse && json_is_true(d, json_get_c(d, element, "noMap"))) {
        any = true;
    }
    return any;
}

static void unmapped_walk(Translate *x, const TermItem *map, JsonRef group)
{
    const JsonDoc *d = &map->doc;
    JsonRef unmapped = json_get_c(d, group, "unmapped");
    Str mode = json_str_at(d, unmapped, "mode");
    Match m = {.map = map,
               .from_code = x->code,
               .relation = relation_r4(d, unmapped),
               .target = JSON_NONE};
    m.from_system = json_str_at(d, group, "source");
    m.to_system = json_str_at(d, group, "target");
    if (str_is(mode, "provided") || str_is(mode, "use-source-code")) {
        m.to_code = x->code;
        m.relation = "equal";
        match_put(x, &m);
    } else if (str_is(mode, "fixed")) {
        m.to_code = json_str_at(d, unmapped, "code");
        m.to_display = json_str_at(d, unmapped, "display");
        match_put(x, &m);
    } else if (str_is(mode, "other-map") && x->other_maps++ < OTHER_MAPS_MAX) {
        Str url, version, canonical = json_str_at(d, unmapped, "url");
        term_split(canonical.n ? canonical : json_str_at(d, unmapped, "otherMap"), &url, &version);
        const TermItem *other = term_find(x->t, TERM_CONCEPTMAP, url, version);
        if (other) {
            map_walk(x, other);
        }
    }
}

static bool group_fits(const Translate *x, const JsonDoc *d, JsonRef group)
{
    Str source, target, version;
    term_split(json_str_at(d, group, "source"), &source, &version);
    term_split(json_str_at(d, group, "target"), &target, &version);
    Str own = x->reverse ? target : source, other = x->reverse ? source : target;
    return (str_empty(x->system) || str_eq(own, x->system)) &&
           (str_empty(x->other_system) || str_eq(other, x->other_system));
}

static void map_walk(Translate *x, const TermItem *map)
{
    const JsonDoc *d = &map->doc;
    for (JsonIter g = json_iter(d, json_get_c(d, map->ref, "group"));
         json_next(&g) && term_step(x->t);) {
        bool any = false;
        if (!group_fits(x, d, g.value)) {
            continue;
        }
        for (JsonIter e = json_iter(d, json_get_c(d, g.value, "element"));
             json_next(&e) && term_step(x->t);) {
            any = element_walk(x, map, g.value, e.value) || any;
        }
        if (!any && !x->reverse) {
            unmapped_walk(x, map, g.value);
        }
    }
}

/* ---- which maps
 * ------------------------------------------------------------------------------------------------
 */

/* A map that says for which value set it is made must be made for the one asked for. */
static bool scope_fits(const TermAsk *ask, const TermItem *map, const char *parameter,
                       const char *r4, const char *r5)
{
    static const char *const KINDS[] = {"Uri", "Canonical"};
    Str wanted = term_ask_str(ask, parameter);
    for (size_t i = 0; wanted.n && i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", r4, KINDS[i]);
        Str has = json_str_at(&map->doc, map->ref, name), url, version;
        snprintf(name, sizeof name, "%s%s", r5, KINDS[i]);
        has = has.n ? has : json_str_at(&map->doc, map->ref, name);
        term_split(has, &url, &version);
        if (has.n) {
            return str_eq(has, wanted) || str_eq(url, wanted);
        }
    }
    return true;
}

bool term_map_mentions(const TermItem *map, Str system, bool reverse)
{
    const JsonDoc *d = &map->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, map->ref, "group")); json_next(&it);) {
        Str url, version;
        term_split(json_str_at(d, it.value, reverse ? "target" : "source"), &url, &version);
        if (str_eq(url, system)) {
            return true;
        }
    }
    return false;
}

static void maps_walk(Translate *x)
{
    FhirTerm *t = x->t;
    TermItems list = {0};
    for (size_t i = 0; i < t->extra.n; i++) {
        if (t->extra.at[i]->kind == TERM_CONCEPTMAP &&
            term_map_mentions(t->extra.at[i], x->system, x->reverse)) {
            fhir_term_items_add(t->arena, &list, t->extra.at[i]);
        }
    }
    Status st = t->source->maps ? t->source->maps(t->source->ctx, t->arena, x->system, x->reverse,
                                                  &list, t->err)
                                : OK;
    st = st == OK ? term_pack_maps(t->source->cache, t->arena, x->system, x->reverse, &list, t->err)
                  : st;
    t->trouble = t->trouble == OK ? st : t->trouble;
    for (size_t i = 0; i < list.n && !term_stopped(t); i++) {
        if (scope_fits(x->ask, list.at[i], "source", "source", "sourceScope") &&
            scope_fits(x->ask, list.at[i], "target", "target", "targetScope")) {
            map_walk(x, list.at[i]);
        }
    }
}

/* The one map that was named; false: none was. A fault when it is not known. */
static bool map_named(Translate *x, const TermItem **ret)
{
    const TermAsk *ask = x->ask;
    JsonRef inside = term_ask_value(ask, "conceptMap");
    *ret = ask->request->instance;
    if (!*ret && inside != JSON_NONE && json_type(ask->doc, inside) == JSON_OBJECT) {
        *ret = term_item_inline(x->t, ask->doc, inside);
    }
    Str url = term_ask_str(ask, "url"), version = term_ask_str(ask, "conceptMapVersion");
    if (*ret || str_empty(url)) {
        return *ret != NULL;
    }
    if (str_find_char(url, '|') >= 0) {
        term_split(url, &url, &version);
    }
    *ret = term_find(x->t, TERM_CONCEPTMAP, url, version);
    if (!*ret) {
        term_fault(x->t, 404, "not-found", "not-found", TERM_SAY_UNKNOWN_MAP,
                   TERM_SAY(x->t, UNKNOWN_MAP, url));
    }
    return true;
}

/* ---- the operation
 * --------------------------------------------------------------------------------------------- */

static void code_take(Translate *x, JsonRef coding)
{
    x->system = json_str_at(x->ask->doc, coding, "system");
    x->version = json_str_at(x->ask->doc, coding, "version");
    x->code = json_str_at(x->ask->doc, coding, "code");
}

static Str first_of(const TermAsk *ask, const char *a, const char *b)
{
    Str s = term_ask_str(ask, a);
    return s.n ? s : term_ask_str(ask, b);
}

static JsonRef value_of(const TermAsk *ask, const char *a, const char *b)
{
    JsonRef v = term_ask_value(ask, a);
    return v != JSON_NONE ? v : term_ask_value(ask, b);
}

/* R5 asks backwards by naming the target. */
static bool target_asked(Translate *x)
{
    const TermAsk *ask = x->ask;
    JsonRef coding = term_ask_value(ask, "targetCoding");
    Str code = term_ask_str(ask, "targetCode");
    if (coding == JSON_NONE && str_empty(code)) {
        return false;
    }
    x->reverse = x->r5_reverse = true;
    x->other_system = term_ask_str(ask, "sourceSystem");
    if (coding != JSON_NONE) {
        code_take(x, coding);
    } else {
        x->code = code;
        x->system = first_of(ask, "targetSystem", "targetsystem");
    }
    return true;
}

static void code_asked(Translate *x)
{
    const TermAsk *ask = x->ask;
    JsonRef coding = value_of(ask, "coding", "sourceCoding");
    x->reverse = term_ask_bool(ask, "reverse", false);
    x->other_system = first_of(ask, "targetsystem", "targetSystem");
    if (coding != JSON_NONE) {
        code_take(x, coding);
    } else {
        x->code = first_of(ask, "code", "sourceCode");
        x->system = first_of(ask, "system", "sourceSystem");
        x->version = term_ask_str(ask, "version");
    }
}

static void translate_one(Translate *x)
{
    const TermItem *map;
    if (map_named(x, &map)) {
        if (map) {
            map_walk(x, map);
        }
    } else {
        maps_walk(x);
    }
}

static void concept_walk(Translate *x, JsonRef concept)
{
    const JsonDoc *d = x->ask->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, concept, "coding"));
         json_next(&it) && !term_stopped(x->t);) {
        code_take(x, it.value);
        translate_one(x);
    }
}

Str term_op_translate(TermAsk *ask)
{
    FhirTerm *t = ask->t;
    Buf matches, out;
    buf_init(&matches, 0);
    JsonWriter inner = json_writer(&matches);
    Translate x = {.ask = ask, .t = t, .w = &inner};
    JsonRef concept = value_of(ask, "codeableConcept", "sourceCodeableConcept");
    if (!target_asked(&x)) {
        code_asked(&x);
    }
    if (concept != JSON_NONE) {
        concept_walk(&x, concept);
    } else if (str_empty(x.code) || (str_empty(x.system) && !ask->request->instance)) {
        term_fault(t, 400, "invalid", NULL, TERM_SAY_NO_TRANSLATE_CODE,
                   TERM_SAY(t, NO_TRANSLATE_CODE, STR_NONE));
    } else {
        translate_one(&x);
    }
    Str list = buf_take(&matches, t->arena);
    if (term_stopped(t)) {
        return STR_NONE;
    }
    JsonWriter w = term_answer_begin(&out);
    term_put_bool(&w, "result", x.good);
    if (!x.good) {
        term_put_str(&w, "message", "valueString", TERM_SAY(t, NO_TRANSLATION, x.system, x.code));
    }
    if (list.n) {
        json_put_raw(&w, list);
    }
    return term_answer_end(&w, t->arena);
}
