/*
 * Terminology from the store: the CodeSystems, ValueSets and ConceptMaps that the viewer may see
 * are what fhir_term.h's questions are answered from (and R4's own, which are in the program).
 *
 *   StoreTerm term;
 *   store_term_init(&term, reader, &view);
 *   FhirTerm *t = fhir_term_new(arena, &term.source);
 *   … fhir_term_in(t, valueset, system, STR_NONE, code)
 *
 * Each version of a resource is parsed and compiled once for all threads (a cache of the Store,
 * STORE_TERM_BYTES); a write makes a new version, so nothing stale is ever used. Looking up reads
 * from the store: not while a search of the same reader is walking.
 */
#ifndef STORE_TERM_H
#define STORE_TERM_H

#include "fhir_term.h"
#include "store.h"

#define STORE_TERM_BYTES ((size_t)48 << 20)

typedef struct StoreTerm {
    StoreReader *reader;
    const StoreView *view;
    TermSource source;
} StoreTerm;

/* Reader and view must outlive it. */
void store_term_init(StoreTerm *t, StoreReader *r, const StoreView *view);
/* The compiled form of a version that was read. */
Status store_term_item(StoreTerm *t, Arena *a, const StoreVersion *v, const TermItem **ret,
                       Err *err) MUST_USE;

#endif
