/* include.filter: a property, an operator and a value, asked of concepts. */
#include "fhir_path_regex.h"
#include "fhir_term_inner.h"

#define FILTERS_MAX 32
#define REGEX_BYTES (4u << 20)
#define REGEX_STEPS 64 /* of a regular expression are one step of the request */

typedef enum Op {
    OP_EQUALS,
    OP_IS_A,
    OP_DESCENDENT_OF,
    OP_IS_NOT_A,
    OP_REGEX,
    OP_IN,
    OP_NOT_IN,
    OP_GENERALIZES,
    OP_EXISTS,
    OP_CHILD_OF,
    OP_DESCENDENT_LEAF,
    OP_COUNT
} Op;

static const char *const OPS[OP_COUNT] = {"=",      "is-a",     "descendent-of",  "is-not-a",
                                          "regex",  "in",       "not-in",         "generalizes",
                                          "exists", "child-of", "descendent-leaf"};

typedef struct Filter {
    Op op;
    Str property, value;
    const TermConcept *other; /* of the operators of hierarchy; NULL: no such code */
    const FhirRegex *regex;
} Filter;

struct TermFilters {
    const TermSystem *system;
    Filter at[FILTERS_MAX];
    size_t n;
};

/* ---- compiling --------------------------------------------------------------------------------
 */

/* R5's operators come to R4 as an extension of op. */
static Str op_of(const JsonDoc *d, JsonRef filter)
{
    JsonRef r5 = term_extension(d, json_get_c(d, filter, "_op"), TERM_R5_OPERATOR);
    Str code = json_str(d, r5);
    return code.n ? code : json_str_at(d, filter, "op");
}

static bool op_find(Str code, Op *ret)
{
    for (Op op = 0; op < OP_COUNT; op++) {
        if (str_is(code, OPS[op])) {
            *ret = op;
            return true;
        }
    }
    return false;
}

static bool op_is_tree(Op op)
{
    return op == OP_IS_A || op == OP_DESCENDENT_OF || op == OP_IS_NOT_A || op == OP_GENERALIZES ||
           op == OP_CHILD_OF || op == OP_DESCENDENT_LEAF;
}

static bool is_concept_property(Str property)
{
    return str_is(property, "concept") || str_is(property, "code");
}

static bool property_used(const TermSystem *s, Str property)
{
    for (uint32_t i = 0; i < s->n; i++) {
        TermProps it = term_props(s, &s->concept[i], property);
        if (term_prop_next(&it)) {
            return true;
        }
    }
    return false;
}

/* What each concept has: its texts, its place, its declared properties. */
static bool property_known(const TermSystem *s, Str property)
{
    static const char *const ALWAYS[] = {"concept", "code",   "display",  "definition",   "parent",
                                         "child",   "status", "inactive", "notSelectable"};
    for (size_t i = 0; i < sizeof ALWAYS / sizeof *ALWAYS; i++) {
        if (str_is(property, ALWAYS[i])) {
            return true;
        }
    }
    const JsonDoc *d = s->item ? &s->item->doc : NULL;
    for (JsonIter it = json_iter(d, d ? json_get_c(d, s->item->ref, "property") : JSON_NONE);
         d && json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "code"), property)) {
            return true;
        }
    }
    return property_used(s, property);
}

static bool filter_regex(FhirTerm *t, Filter *f)
{
    const char *zh, *en;
    f->regex = fhir_regex_compile(t->arena, f->value, &zh, &en);
    if (!f->regex) {
        term_fault(t, 422, "invalid", "vs-invalid", TERM_SAY_REGEX_BAD,
                   TERM_SAY(t, REGEX_BAD, f->value, str_from_c(t->zh ? zh : en)));
    }
    return f->regex != NULL;
}

static void filter_fault(FhirTerm *t, Str where, size_t i, const char *code, TermMessage m,
                         Str text)
{
    term_fault(t, 422, code, "vs-invalid", m, text);
    t->fault->path = arena_printf(t->arena, "ValueSet.compose.%.*s.filter[%zu]", STR_ARG(where), i);
}

static bool filter_read(FhirTerm *t, const TermSystem *s, const JsonDoc *d, JsonRef filter,
                        Str where, size_t i, Filter *f)
{
    Str op = op_of(d, filter);
    f->property = json_str_at(d, filter, "property");
    f->value = json_str_at(d, filter, "value");
    if (str_empty(f->value)) {
        filter_fault(t, where, i, "invalid", TERM_SAY_FILTER_NO_VALUE,
                     TERM_SAY(t, FILTER_NO_VALUE, s->url, f->property, op));
        return false;
    }
    bool fits = op_find(op, &f->op) && property_known(s, f->property) &&
                (!op_is_tree(f->op) || is_concept_property(f->property));
    if (!fits) {
        filter_fault(t, where, i, "not-supported", TERM_SAY_FILTER_UNKNOWN,
                     TERM_SAY(t, FILTER_UNKNOWN, f->property, op, f->value));
        return false;
    }
    if (op_is_tree(f->op)) {
        f->other = term_locate(t->arena, s, f->value);
    }
    return f->op != OP_REGEX || filter_regex(t, f);
}

const TermFilters *term_filters(FhirTerm *t, const TermSystem *s, const TermItem *vs,
                                JsonRef include, Str where)
{
    const JsonDoc *d = &vs->doc;
    TermFilters *list = arena_new(t->arena, TermFilters);
    list->system = s;
    for (JsonIter it = json_iter(d, json_get_c(d, include, "filter")); json_next(&it);) {
        if (list->n == FILTERS_MAX ||
            !filter_read(t, s, d, it.value, where, it.index, &list->at[list->n])) {
            return NULL;
        }
        list->n++;
    }
    return list;
}

/* ---- asking
 * --------------------------------------------------------------------------------------- */

/* Calls a test with each value of a property until it is true. */
typedef struct Asked {
    FhirTerm *t;
    const Filter *f;
    bool any; /* there was a value */
} Asked;

static bool listed(Str list, Str value)
{
    Str one;
    for (bool more = true; more;) {
        more = str_cut(list, ',', &one, &list);
        if (str_eq(str_trim(one), value)) {
            return true;
        }
    }
    return false;
}

static bool regex_test(Asked *q, Str value)
{
    Arena scratch;
    FhirMatch match;
    uint64_t cost;
    arena_init(&scratch, REGEX_BYTES);
    bool found = fhir_regex_find(q->f->regex, &scratch, value, 0, true, 0, &match, &cost);
    arena_done(&scratch);
    q->t->steps += cost == UINT64_MAX ? FHIR_TERM_STEPS : cost / REGEX_STEPS;
    return found;
}

static bool value_test(Asked *q, Str value)
{
    const Filter *f = q->f;
    q->any = true;
    if (f->op == OP_REGEX) {
        return regex_test(q, value);
    }
    if (f->op == OP_EXISTS) {
        return true;
    }
    return f->op == OP_IN || f->op == OP_NOT_IN ? listed(f->value, value) : str_eq(f->value, value);
}

/* Properties that a concept has by its place. */
static bool place_test(Asked *q, const TermSystem *s, const TermConcept *c, bool parents)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const TermConcept *x = &s->concept[i];
        if ((parents ? term_is_child(s, c, x) : term_is_child(s, x, c)) && value_test(q, x->code)) {
            return true;
        }
    }
    return false;
}

static bool props_test(Asked *q, const TermSystem *s, const TermConcept *c)
{
    TermProps it = term_props(s, c, q->f->property);
    while (term_prop_next(&it)) {
        if (value_test(q, term_prop_text(&it))) {
            return true;
        }
    }
    return false;
}

static bool property_test(Asked *q, const TermSystem *s, const TermConcept *c)
{
    Str p = q->f->property;
    if (is_concept_property(p)) {
        return value_test(q, c->code);
    }
    if (str_is(p, "display")) {
        return c->display.n && value_test(q, c->display);
    }
    if (str_is(p, "definition")) {
        Str text = term_definition(s, c);
        return text.n && value_test(q, text);
    }
    if (props_test(q, s, c)) {
        return true;
    }
    if (q->any) {
        return false;
    }
    if (str_is(p, "parent") || str_is(p, "child")) {
        return place_test(q, s, c, str_is(p, "parent"));
    }
    return str_is(p, "inactive") && value_test(q, c->inactive ? STR("true") : STR("false"));
}

static bool tree_test(const TermSystem *s, const Filter *f, const TermConcept *c)
{
    if (!f->other) {
        return f->op == OP_IS_NOT_A;
    }
    switch (f->op) {
    case OP_IS_A:
        return term_is_a(s, c, f->other);
    case OP_IS_NOT_A:
        return !term_is_a(s, c, f->other);
    case OP_GENERALIZES:
        return term_is_a(s, f->other, c);
    case OP_CHILD_OF:
        return term_is_child(s, c, f->other);
    case OP_DESCENDENT_LEAF:
        return c != f->other && term_is_a(s, c, f->other) && c->end == term_index(s, c) + 1;
    default:
        return c != f->other && term_is_a(s, c, f->other);
    }
}

static bool filter_test(FhirTerm *t, const TermSystem *s, const Filter *f, const TermConcept *c)
{
    if (op_is_tree(f->op)) {
        return tree_test(s, f, c);
    }
    Asked q = {.t = t, .f = f};
    bool found = property_test(&q, s, c);
    if (f->op == OP_EXISTS) {
        return found == str_is(f->value, "true");
    }
    return found != (f->op == OP_NOT_IN);
}

bool term_filters_pass(FhirTerm *t, const TermFilters *list, const TermConcept *c)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!filter_test(t, list->system, &list->at[i], c)) {
            return false;
        }
    }
    return true;
}
