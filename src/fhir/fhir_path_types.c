/* What an expression can give, and which of its names mean nothing, told by R4's tables without
 * running it. */
#include "fhir_path_inner.h"

#define TYPES_MAX      96
#define DEPTH_MAX      200
#define LOST_DEPTH_MAX 64 /* each level asks for the types of all below */
#define LOST_STEPS_MAX 4096u

typedef struct Types {
    const FhirType *at[TYPES_MAX];
    size_t n;
    bool unknown; /* something that the tables do not tell */
} Types;

static void types_add(Types *x, const FhirType *t)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->at[i] == t) {
            return;
        }
    }
    if (!t || x->n == TYPES_MAX) {
        x->unknown = true;
    } else {
        x->at[x->n++] = t;
    }
}

static void types_join(Types *x, const Types *y)
{
    for (size_t i = 0; i < y->n; i++) {
        types_add(x, y->at[i]);
    }
    x->unknown = x->unknown || y->unknown;
}

/* "Patient" at the beginning: of the focus what is one. */
static void types_begin(const PathNode *p, const Types *focus, Types *ret)
{
    for (size_t i = 0; i < focus->n; i++) {
        const FhirType *t = focus->at[i];
        if (fhir_type_is(t, p->root_type)) {
            types_add(ret, t);
        } else if (fhir_type_is(p->root_type, t)) {
            types_add(ret, p->root_type);
        }
    }
}

static void types_children(const PathNode *p, const Types *of, Types *ret)
{
    for (size_t i = 0; i < of->n; i++) {
        const FhirElem *e = fhir_elem_named(of->at[i], p->name);
        for (unsigned k = 0; e && k < e->option_count; k++) {
            types_add(ret, fhir_elem_type(e, k));
        }
        ret->unknown = ret->unknown || (!e && of->at[i]->abstract);
    }
    ret->unknown = ret->unknown || of->unknown;
}

/* as, ofType: of what is known those; of what is not, that type. */
static void types_narrow(const PathNode *p, const Types *of, Types *ret)
{
    if (!p->type.fhir) {
        ret->unknown = true;
        return;
    }
    bool any = of->unknown;
    for (size_t i = 0; i < of->n; i++) {
        any = any || fhir_type_is(of->at[i], p->type.fhir) ||
              (of->at[i]->abstract && fhir_type_is(p->type.fhir, of->at[i]));
    }
    if (any) {
        types_add(ret, p->type.fhir);
    }
}

static bool named(Str name, const char *const *list)
{
    while (*list && !str_is(name, *list)) {
        list++;
    }
    return *list != NULL;
}

static void types_of(const PathNode *p, const Types *focus, unsigned depth, Types *ret);

static void types_call(const PathNode *p, const Types *of, unsigned depth, Types *ret)
{
    static const char *const same[] = {"where",   "first",     "last",   "tail",
                                       "skip",    "take",      "single", "distinct",
                                       "exclude", "intersect", "trace",  NULL};
    static const char *const truths[] = {
        "exists",   "empty",      "not",      "all",      "allTrue",    "anyTrue",    "allFalse",
        "anyFalse", "hasValue",   "contains", "matches",  "subsetOf",   "isDistinct", "startsWith",
        "endsWith", "supersetOf", "is",       "memberOf", "conformsTo", NULL};
    static const char *const texts[] = {"toString", "substring", "upper", "lower",
                                        "replace",  "join",      NULL};
    static const char *const counts[] = {"count", "length", "indexOf", "toInteger", NULL};
    if (named(p->name, same)) {
        types_join(ret, of);
    } else if (str_is(p->name, "as") || str_is(p->name, "ofType")) {
        types_narrow(p, of, ret);
    } else if (str_is(p->name, "extension")) {
        types_add(ret, fhir_type_find(STR("Extension")));
    } else if (str_is(p->name, "select") && p->argc) {
        types_of(p->args[0], of, depth, ret);
    } else if (str_is(p->name, "iif") && p->argc > 1) {
        for (uint32_t i = 1; i < p->argc; i++) {
            types_of(p->args[i], of, depth, ret);
        }
    } else if (named(p->name, truths)) {
        types_add(ret, fhir_type_find(STR("boolean")));
    } else if (named(p->name, texts)) {
        types_add(ret, fhir_type_find(STR("string")));
    } else if (named(p->name, counts)) {
        types_add(ret, fhir_type_find(STR("integer")));
    } else {
        ret->unknown = true;
    }
}

static bool is_truth(PathOp op)
{
    return op == PATH_IS || (op >= PATH_LESS && op <= PATH_IMPLIES);
}

/* Adds to ret. */
static void types_of(const PathNode *p, const Types *focus, unsigned depth, Types *ret)
{
    Types left = {0};
    if (depth > DEPTH_MAX) {
        ret->unknown = true;
        return;
    }
    if (p->left) {
        types_of(p->left, focus, depth + 1, &left);
    }
    const Types *of = p->left ? &left : focus;
    if (p->op == PATH_UNION) {
        types_join(ret, &left);
        types_of(p->args[0], focus, depth + 1, ret);
    } else if (p->op == PATH_MEMBER && !p->left && p->root_type) {
        types_begin(p, focus, ret);
    } else if (p->op == PATH_MEMBER) {
        types_children(p, of, ret);
    } else if (p->op == PATH_THIS || p->op == PATH_INDEXER) {
        types_join(ret, of);
    } else if (p->op == PATH_AS) {
        types_narrow(p, of, ret);
    } else if (p->op == PATH_CALL) {
        types_call(p, of, depth + 1, ret);
    } else if (is_truth(p->op)) {
        types_add(ret, fhir_type_find(STR("boolean")));
    } else {
        ret->unknown = true;
    }
}

bool fhir_path_types(const FhirPath *p, const FhirType *const *focus, size_t focus_n,
                     const FhirType **ret, size_t max, size_t *ret_n)
{
    Types from = {0}, found = {0};
    for (size_t i = 0; i < focus_n; i++) {
        types_add(&from, focus[i]);
    }
    types_of(p->root, &from, 0, &found);
    *ret_n = found.n < max ? found.n : max;
    memcpy(ret, found.at, *ret_n * sizeof *ret);
    return !found.unknown && found.n <= max;
}

/* --- names that mean nothing --- */

typedef struct Lost {
    Str name;
    const FhirType *of;
    unsigned steps;
} Lost;

/* A name that none of the types has, where all types are known. */
static bool is_lost(const PathNode *p, const Types *of, Lost *ret)
{
    bool known = p->op == PATH_MEMBER && !of->unknown && of->n > 0;
    bool has = false;
    if (p->op == PATH_MEMBER && !p->left && p->root_type) {
        Types begun = {0};
        types_begin(p, of, &begun);
        has = begun.n > 0;
    }
    for (size_t i = 0; known && !has && i < of->n; i++) {
        has = of->at[i]->abstract || fhir_elem_named(of->at[i], p->name);
    }
    if (known && !has) {
        *ret = (Lost){p->name, of->at[0], ret->steps};
    }
    return known && !has;
}

static bool finds_lost(const PathNode *p, const Types *focus, unsigned depth, Lost *ret);

/* The arguments of these are asked of each item of what stands before the point; what repeat()
 * walks and aggregate() sums up is not told by a table. */
static bool finds_lost_args(const PathNode *p, const Types *of, const Types *focus, unsigned depth,
                            Lost *ret)
{
    static const char *const each[] = {"where", "all", "exists", "select", "iif", NULL};
    static const char *const open[] = {"repeat", "repeatAll", "aggregate", "ofType",
                                       "as",     "is",        "sort",      NULL};
    const Types *in = p->op == PATH_CALL && named(p->name, each) ? of : focus;
    bool found = false;
    if (p->op == PATH_CALL && named(p->name, open)) {
        return false;
    }
    for (uint32_t i = 0; !found && i < p->argc; i++) {
        found = finds_lost(p->args[i], in, depth + 1, ret);
    }
    return found;
}

static bool finds_lost(const PathNode *p, const Types *focus, unsigned depth, Lost *ret)
{
    Types left = {0};
    if (depth > LOST_DEPTH_MAX || ret->steps++ > LOST_STEPS_MAX) {
        return false;
    }
    if (p->left && finds_lost(p->left, focus, depth + 1, ret)) {
        return true;
    }
    if (p->left) {
        types_of(p->left, focus, depth + 1, &left);
    }
    const Types *of = p->left ? &left : focus;
    return is_lost(p, of, ret) || finds_lost_args(p, of, focus, depth, ret);
}

Str fhir_path_lost(const FhirPath *p, const FhirType *const *focus, size_t focus_n,
                   const FhirType **ret_of)
{
    Types from = {0};
    Lost lost = {0};
    for (size_t i = 0; i < focus_n; i++) {
        types_add(&from, focus[i]);
    }
    if (!finds_lost(p->root, &from, 0, &lost)) {
        return STR_NONE;
    }
    *ret_of = lost.of;
    return lost.name;
}
