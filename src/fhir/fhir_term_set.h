/* Between the files that list the codes of a value set: one include or exclude of it. */
#ifndef FHIR_TERM_SET_H
#define FHIR_TERM_SET_H

#include "fhir_term_inner.h"

typedef struct TermSet {
    TermExpand *e;
    const TermItem *vs;
    const JsonDoc *doc;
    JsonRef ref; /* an include or exclude */
    Str where;   /* "include[0]" */
    const TermSystem *system;
    const TermExpand *import; /* imported value sets: a code must be in each */
    size_t import_n;
    bool out; /* an exclude */
    bool no_inactive;
} TermSet;

/* Notes a code system or value set among the parameters of the expansion. */
void term_expand_used(TermExpand *e, const char *name, Str url, Str version);
/* Adds a concept, or NULL when it is not to be there. */
TermMember *term_set_add(const TermSet *set, const TermSystem *s, const TermConcept *c,
                         TermMember *parent, const TermItem *vs, JsonRef include);
/* The same for an exclude: what it names is not added later. */
void term_set_remove(const TermSet *set, const TermSystem *s, const TermConcept *c);
/* All of the include or exclude. */
void term_set_take(TermSet *set);

#endif
