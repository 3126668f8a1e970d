/*
 * Parsing a search, shared by store_query.c (the whole, and what governs the answer) and
 * store_clause.c (its conditions).
 */
#ifndef STORE_PARSE_H
#define STORE_PARSE_H

#include "store_query.h"

typedef struct Parser {
    const Store *store;             /* NULL: without custom parameters */
    const FhirCustoms *customs;     /* its own; or NULL */
    const FhirCustomParam *unready; /* the last that was named and cannot be used yet */
    Arena *arena;
    const FhirType *type;
    int zone_min;
    StoreQuery *query;
    Err *err;  /* NULL: only whether it is understood */
    bool many; /* one of several types that are searched together */
} Parser;

/* many: one of several types that are searched together. */
Status query_parse_one(const Store *s, Arena *a, Str type, Str query, bool lenient, bool many,
                       int zone_min, StoreQuery **ret, Err *err) MUST_USE;
/* Published, or custom and ready; NULL: none, and p->unready tells whether it is only not ready. */
const FhirParam *param_look(Parser *p, const FhirType *type, Str name);
/* ERR_INVALID that names the parameter; where it is not ready, that instead. */
Status query_refuse(Parser *p, Str name, const char *zh, const char *en) MUST_USE;
/* "code:not" or "subject.name" of the type, and its values. */
Status clause_parse(Parser *p, const FhirType *type, Str name, Str value, int depth,
                    Clause **ret) MUST_USE;
/* False: the parameter is none that can be searched by. */
bool clause_kind(const FhirParam *param, ClauseKind *ret);

#endif
