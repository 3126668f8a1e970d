/*
 * What is asked ahead of a server, in one statement for many, since each question is a round trip
 * (docs/decisions/078). Nothing here is used on files.
 */
#ifndef STORE_AHEAD_H
#define STORE_AHEAD_H

#include "store_inner.h"

/* A head that was asked for by name. */
typedef struct Ahead {
    const FhirType *type;
    Str id;
    Head head;
    bool found;
    BodyRow body;  /* packed NULL: none, or not asked for */
    uint32_t last; /* of the group's `applied`, + 1: what the group made of it; 0: nothing yet */
} Ahead;

/* All at once; with the bodies if wanted. Everything in the arena. */
Status ahead_ask(Db *log, Arena *a, Ahead *list, size_t n, bool bodies, Err *err) MUST_USE;

/* ---- Of the writer's group, under the lock of the log ------------------------------------------
 */

/* Asks for what the batches of these jobs will. */
Status group_ahead(Store *s, const Job *first, Err *err) MUST_USE;
/* NULL: it was not asked for. */
Ahead *group_ahead_find(const Group *g, const FhirType *type, Str id);
/* The head as the group has it by now: what was asked ahead, or from the log. */
Status group_head(Store *s, const FhirType *type, Str id, Head *ret, bool *ret_found,
                  Err *err) MUST_USE;

#endif
