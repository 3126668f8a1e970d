/*
 * Postings: rows of the index on their way to the candidates of a search, up to a limit.
 */
#ifndef STORE_POSTING_H
#define STORE_POSTING_H

#include "store_query.h"

typedef struct Postings {
    Run *run;
    Candidates *out;
    const OwnPatients *within; /* only these Patients; NULL: all */
    int64_t n, limit;
    bool full; /* the limit was reached: there may be more */
} Postings;

void posting_take(Postings *rows, Candidate x);
/* Of hashes, with their clinical date. */
Status posting_hashes(Postings *rows, IndexTable table, uint32_t param, const int64_t *hash,
                      size_t n, Err *err) MUST_USE;
Status posting_patients(Postings *rows, const Source *src, Err *err) MUST_USE;
Status posting_compartments(Postings *rows, const Source *src, Err *err) MUST_USE;
Status posting_test(Postings *rows, const Test *t, Err *err) MUST_USE;

#endif
