/*
 * Patient/$everything: what stands in one patient's compartment, page by page, and beside each page
 * what its resources refer to in the county's directory. Records of one person (store_persons.h)
 * are one patient. The patient's own record comes first, then type by type, newest first.
 *
 * The same promise as a search's pages: what was there at the first page and has not changed since
 * comes exactly once, what was created since does not come, and sight is decided anew on each page.
 */
#ifndef STORE_EVERYTHING_H
#define STORE_EVERYTHING_H

#include "fhir_types.h"
#include "store.h"

typedef struct StoreEverything {
    Str patient;                  /* id; the caller has looked whether it may be seen */
    const FhirType *const *types; /* which may come, also beside a page */
    size_t types_n;
    int64_t since_ms; /* written at or after; TIME_NONE: all */
    /* The clinical date begins within [from, to); what has none comes too. TIME_NONE, TIME_FOREVER
     */
    int64_t from_ms, to_ms;
    size_t count;
    Str self; /* the question as the client asked it: the cursor is bound to it */
} StoreEverything;

/* ret->total is -1; ERR_INVALID, ERR_GONE: the cursor. */
Status store_everything(StoreReader *r, Arena *a, const StoreEverything *q, const StoreView *view,
                        Str cursor, StorePage *ret, Err *err) MUST_USE;

#endif
