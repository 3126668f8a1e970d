/* Which members of the focus an expression begins with, so that it need not be run without them. */
#include "fhir_path_inner.h"

/* Functions that give nothing of nothing. */
static const char *const KEEPS_EMPTY[] = {"where", "as",   "ofType", "resolve", "extension",
                                          "first", "last", "tail",   "take",    "skip"};

typedef struct Firsts {
    Str *at;
    size_t n, max;
} Firsts;

static bool keeps_empty(Str function)
{
    for (size_t i = 0; i < sizeof KEEPS_EMPTY / sizeof *KEEPS_EMPTY; i++) {
        if (str_is(function, KEEPS_EMPTY[i])) {
            return true;
        }
    }
    return false;
}

/* `Patient` at the beginning is the focus itself. */
static bool is_focus(const PathNode *p)
{
    return p->op == PATH_MEMBER && !p->left &&
           (p->root_type || (p->name.p[0] >= 'A' && p->name.p[0] <= 'Z'));
}

static bool firsts_add(Firsts *f, Str name)
{
    if (f->n == f->max) {
        return false;
    }
    f->at[f->n++] = name;
    return true;
}

static bool firsts_of(const PathNode *p, Firsts *f)
{
    switch (p->op) {
    case PATH_MEMBER:
        if (!p->left || is_focus(p->left)) {
            return !is_focus(p) && firsts_add(f, p->name);
        }
        return firsts_of(p->left, f);
    case PATH_CALL:
        return p->left && keeps_empty(p->name) && firsts_of(p->left, f);
    case PATH_AS:
    case PATH_INDEXER:
        return p->left && firsts_of(p->left, f);
    case PATH_UNION:
        return firsts_of(p->left, f) && firsts_of(p->args[0], f);
    default:
        return false;
    }
}

bool fhir_path_firsts(const FhirPath *p, Str *ret, size_t max, size_t *ret_n)
{
    Firsts f = {ret, 0, max};
    bool known = firsts_of(p->root, &f);
    *ret_n = known ? f.n : 0;
    return known;
}
