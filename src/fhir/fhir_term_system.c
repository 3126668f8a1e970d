/* A CodeSystem compiled: its concepts in a row, found by hash, with tree, extra parents, status. */
#include <stdlib.h>

#include "fhir_term_inner.h"

#define CONCEPTS_MAX 2000000u
#define DEPTH_MAX    90 /* nesting of concept in concept */
#define PROPERTY_URI "http://hl7.org/fhir/concept-properties#"

/* ---- reading ----------------------------------------------------------------------------------
 */

JsonRef term_extension(const JsonDoc *d, JsonRef object, const char *url)
{
    for (JsonIter it = json_iter(d, json_get_c(d, object, "extension")); json_next(&it);) {
        if (!str_is(json_str_at(d, it.value, "url"), url)) {
            continue;
        }
        for (JsonIter member = json_iter(d, it.value); json_next(&member);) {
            if (str_starts(member.key, STR("value"))) {
                return member.value;
            }
        }
    }
    return JSON_NONE;
}

TermProps term_props(const TermSystem *s, const TermConcept *c, Str code)
{
    TermProps it = {.wanted = code};
    if (s->item) {
        it.doc = &s->item->doc;
        it.list = json_iter(it.doc, json_get_c(it.doc, c->ref, "property"));
    }
    return it;
}

static const char *value_key(Str key)
{
    static const char *const KEYS[] = {"valueCode",    "valueString",  "valueBoolean",
                                       "valueInteger", "valueDecimal", "valueDateTime",
                                       "valueCoding"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (str_is(key, KEYS[i])) {
            return KEYS[i];
        }
    }
    return NULL;
}

bool term_prop_next(TermProps *it)
{
    while (it->doc && json_next(&it->list)) {
        it->code = json_str_at(it->doc, it->list.value, "code");
        if (it->wanted.n && !str_eq(it->code, it->wanted)) {
            continue;
        }
        for (JsonIter member = json_iter(it->doc, it->list.value); json_next(&member);) {
            it->key = value_key(member.key);
            if (it->key) {
                it->value = member.value;
                return true;
            }
        }
    }
    return false;
}

Str term_prop_text(const TermProps *it)
{
    switch (json_type(it->doc, it->value)) {
    case JSON_STRING:
        return json_str(it->doc, it->value);
    case JSON_OBJECT:
        return json_str_at(it->doc, it->value, "code");
    default:
        return json_raw(it->doc, it->value);
    }
}

Str term_prop_uri(const TermSystem *s, Str code)
{
    const JsonDoc *d = s->item ? &s->item->doc : NULL;
    for (JsonIter it = json_iter(d, d ? json_get_c(d, s->item->ref, "property") : JSON_NONE);
         d && json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "code"), code)) {
            return json_str_at(d, it.value, "uri");
        }
    }
    return STR_NONE;
}

Str term_definition(const TermSystem *s, const TermConcept *c)
{
    return s->item ? json_str_at(&s->item->doc, c->ref, "definition") : STR_NONE;
}

/* ---- status
 * --------------------------------------------------------------------------------------- */

static Str prop_first(const TermSystem *s, const TermConcept *c, Str code)
{
    TermProps it = term_props(s, c, code);
    return term_prop_next(&it) ? term_prop_text(&it) : STR_NONE;
}

Str term_status(const TermSystem *s, const TermConcept *c)
{
    if (!s->item) {
        return STR_NONE;
    }
    Str status = prop_first(s, c, s->prop_status);
    if (str_empty(status)) {
        const JsonDoc *d = &s->item->doc;
        status = json_str(
            d, term_extension(d, c->ref, TERM_EXT("structuredefinition-standards-status")));
    }
    return str_empty(status) && c->inactive ? STR("inactive") : status;
}

static bool concept_inactive(const TermSystem *s, const TermConcept *c)
{
    Str status = prop_first(s, c, s->prop_status);
    return str_is(status, "retired") || str_is(status, "inactive") ||
           str_is(prop_first(s, c, s->prop_inactive), "true");
}

/* ---- finding
 * ---------------------------------------------------------------------------------------- */

static unsigned char fold(const TermSystem *s, char c)
{
    return (unsigned char)(!s->case_sensitive && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static uint32_t code_hash(const TermSystem *s, Str code)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < code.n; i++) {
        h = (h ^ fold(s, code.p[i])) * 16777619u;
    }
    return h;
}

static bool code_same(const TermSystem *s, Str a, Str b)
{
    return s->case_sensitive ? str_eq(a, b) : str_eq_nocase(a, b);
}

static const TermConcept *table_locate(const TermSystem *s, Str code)
{
    const TermConcept *near = NULL;
    uint32_t i = s->bucket ? s->bucket[code_hash(s, code) & s->mask] : TERM_NONE;
    for (; i != TERM_NONE; i = s->concept[i].next) {
        if (str_eq(s->concept[i].code, code)) {
            return &s->concept[i];
        }
        if (code_same(s, s->concept[i].code, code)) {
            near = &s->concept[i];
        }
    }
    return near;
}

const TermConcept *term_locate(Arena *a, const TermSystem *s, Str code)
{
    Str display;
    if (!s->grammar) {
        return table_locate(s, code);
    }
    if (!s->grammar(a, code, &display)) {
        return NULL;
    }
    TermConcept *c = arena_new(a, TermConcept);
    *c = (TermConcept){.code = code, .display = display, .ref = JSON_NONE, .parent = TERM_NONE};
    return c;
}

/* ---- hierarchy
 * ---------------------------------------------------------------------------------------- */

static const TermEdge *edges_of(const TermSystem *s, uint32_t child)
{
    uint32_t lo = 0, hi = s->edge_n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->edge[mid].child < child) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return &s->edge[lo];
}

#define EDGE_WALK 64 /* parents of parents by property; a cycle ends there */

static bool is_a(const TermSystem *s, uint32_t i, uint32_t ancestor, unsigned depth)
{
    for (; i != TERM_NONE; i = s->concept[i].parent) {
        if (i == ancestor || (i > ancestor && i < s->concept[ancestor].end)) {
            return true;
        }
        const TermEdge *e = edges_of(s, i), *end = s->edge + s->edge_n;
        for (; depth < EDGE_WALK && e < end && e->child == i; e++) {
            if (is_a(s, e->parent, ancestor, depth + 1)) {
                return true;
            }
        }
    }
    return false;
}

bool term_is_a(const TermSystem *s, const TermConcept *c, const TermConcept *ancestor)
{
    if (s->grammar) {
        return str_eq(c->code, ancestor->code);
    }
    return is_a(s, term_index(s, c), term_index(s, ancestor), 0);
}

bool term_is_child(const TermSystem *s, const TermConcept *c, const TermConcept *parent)
{
    if (s->grammar) {
        return false;
    }
    uint32_t i = term_index(s, c), p = term_index(s, parent);
    if (c->parent == p) {
        return true;
    }
    const TermEdge *e = edges_of(s, i), *end = s->edge + s->edge_n;
    for (; e < end && e->child == i; e++) {
        if (e->parent == p) {
            return true;
        }
    }
    return false;
}

/* ---- compiling
 * ---------------------------------------------------------------------------------------- */

static uint32_t concepts_count(const JsonDoc *d, JsonRef list, unsigned depth)
{
    uint32_t n = 0;
    for (JsonIter it = json_iter(d, list); depth < DEPTH_MAX && json_next(&it);) {
        n += 1 + concepts_count(d, json_get_c(d, it.value, "concept"), depth + 1);
    }
    return n;
}

static void concepts_fill(TermSystem *s, const JsonDoc *d, JsonRef list, uint32_t parent,
                          unsigned depth)
{
    for (JsonIter it = json_iter(d, list); depth < DEPTH_MAX && json_next(&it);) {
        uint32_t at = s->n++;
        s->concept[at] = (TermConcept){.code = json_str_at(d, it.value, "code"),
                                       .display = str_trim(json_str_at(d, it.value, "display")),
                                       .ref = it.value,
                                       .parent = parent};
        concepts_fill(s, d, json_get_c(d, it.value, "concept"), at, depth + 1);
        s->concept[at].end = s->n;
    }
}

static void buckets_fill(Arena *a, TermSystem *s)
{
    uint32_t room = 8;
    while (room < s->n) {
        room *= 2;
    }
    s->mask = room - 1;
    s->bucket = arena_array(a, uint32_t, room);
    memset(s->bucket, 0xFF, room * sizeof *s->bucket);
    for (uint32_t i = s->n; i-- > 0;) {
        uint32_t *head = &s->bucket[code_hash(s, s->concept[i].code) & s->mask];
        s->concept[i].next = *head;
        *head = i;
    }
}

static int edge_order(const void *x, const void *y)
{
    const TermEdge *a = x, *b = y;
    if (a->child != b->child) {
        return a->child < b->child ? -1 : 1;
    }
    return a->parent < b->parent ? -1 : a->parent > b->parent;
}

/* Parents that properties name: "parent", v3's "subsumedBy", and "child" the other way round. */
static uint32_t edges_of_property(TermSystem *s, Str code, bool down, TermEdge *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; code.n && i < s->n; i++) {
        TermProps it = term_props(s, &s->concept[i], code);
        while (term_prop_next(&it)) {
            const TermConcept *other = table_locate(s, term_prop_text(&it));
            if (!other || other == &s->concept[i]) {
                continue;
            }
            uint32_t o = term_index(s, other);
            TermEdge e = down ? (TermEdge){o, i} : (TermEdge){i, o};
            if (s->concept[e.child].parent == e.parent) {
                continue;
            }
            if (out) {
                out[n] = e;
            }
            n++;
        }
    }
    return n;
}

static void edges_fill(Arena *a, TermSystem *s)
{
    const struct {
        Str code;
        bool down;
    } by[] = {{s->prop_parent, false}, {STR("subsumedBy"), false}, {s->prop_child, true}};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof by / sizeof *by; i++) {
        n += edges_of_property(s, by[i].code, by[i].down, NULL);
    }
    s->edge = arena_array(a, TermEdge, n + 1);
    for (size_t i = 0; n && i < sizeof by / sizeof *by; i++) {
        s->edge_n += edges_of_property(s, by[i].code, by[i].down, s->edge + s->edge_n);
    }
    if (s->edge_n) {
        qsort(s->edge, s->edge_n, sizeof *s->edge, edge_order);
    }
}

/* The code of the property with a well-known meaning: by its uri, else by its usual name. */
static Str property_code(const TermItem *item, const char *name)
{
    const JsonDoc *d = &item->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, item->ref, "property")); json_next(&it);) {
        Str uri = json_str_at(d, it.value, "uri");
        if (str_starts(uri, STR(PROPERTY_URI)) &&
            str_is(str_skip(uri, sizeof PROPERTY_URI - 1), name)) {
            return json_str_at(d, it.value, "code");
        }
    }
    return str_from_c(name);
}

static TermContent content_of(Str code)
{
    static const struct {
        const char *code;
        TermContent content;
    } CODES[] = {{"complete", TERM_CONTENT_COMPLETE},
                 {"fragment", TERM_CONTENT_FRAGMENT},
                 {"example", TERM_CONTENT_EXAMPLE},
                 {"supplement", TERM_CONTENT_SUPPLEMENT}};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        if (str_is(code, CODES[i].code)) {
            return CODES[i].content;
        }
    }
    return TERM_CONTENT_NONE;
}

Status term_system_compile(Arena *a, const TermItem *item, TermSystem **ret, Err *err)
{
    const JsonDoc *d = &item->doc;
    JsonRef list = json_get_c(d, item->ref, "concept");
    uint32_t n = concepts_count(d, list, 0);
    if (n > CONCEPTS_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR("CodeSystem.concept"),
                       "代码系统的概念过多（上限 %u）",
                       "The code system has too many concepts (at most %u)", CONCEPTS_MAX);
    }
    TermSystem *s = arena_new(a, TermSystem);
    *s = (TermSystem){.item = item,
                      .url = item->url,
                      .version = item->version,
                      .name = json_str_at(d, item->ref, "name"),
                      .language = json_str_at(d, item->ref, "language"),
                      .content = content_of(json_str_at(d, item->ref, "content")),
                      .case_sensitive =
                          json_type(d, json_get_c(d, item->ref, "caseSensitive")) != JSON_FALSE};
    s->prop_status = property_code(item, "status");
    s->prop_inactive = property_code(item, "inactive");
    s->prop_abstract = property_code(item, "notSelectable");
    s->prop_parent = property_code(item, "parent");
    s->prop_child = property_code(item, "child");
    s->concept = arena_array(a, TermConcept, n + 1);
    concepts_fill(s, d, list, TERM_NONE, 0);
    buckets_fill(a, s);
    edges_fill(a, s);
    for (uint32_t i = 0; i < s->n; i++) {
        s->concept[i].inactive = concept_inactive(s, &s->concept[i]);
        s->concept[i].abstract = str_is(prop_first(s, &s->concept[i], s -> prop_abstract), "true");
    }
    *ret = s;
    return OK;
}
