/*
 * Kept sets: who stands in a long list of the index, or has any row of a parameter, as bits by rid,
 * in the memory of the process that writes the index. Two long lists that hardly meet are then met
 * in microseconds, and counted without being read.
 *
 * A set is read from the index when a search would have looked up thousands of rows in it, and the
 * merger keeps it up: before each of its transactions the sets' state becomes odd, they are
 * changed, and after it the state is even again. A reader remembers the state of its snapshot; what
 * it took from the sets counts if the state is still the same afterwards. Rows of the delta are
 * laid over.
 */
#ifndef STORE_KEPT_H
#define STORE_KEPT_H

#include "store_query.h"

/* The bits of one condition, or (NULL) of all resources of the type, as the reader sees them. */
typedef struct Bits {
    uint64_t *word;
    size_t n;
} Bits;

Bits bits_new(Run *r);
int64_t bits_count(Bits b);
static inline bool bits_have(Bits b, int64_t rid)
{
    return (size_t)rid / 64 < b.n && (b.word[rid / 64] >> (rid % 64) & 1);
}
/* A condition that lists of tokens or references answer alone, or that asks whether there is a
 * value (which then is looked for in the body, too). */
bool test_is_listed(const Test *t);
/* It is met by who is not in the bits. */
bool test_is_negated(const Test *t);
/* Adds them to the bits. make: lists that are not kept are read. *ret_known false: some are not. */
Status bits_of_test(Run *r, const Test *t, bool make, Bits bits, bool *ret_known,
                    Err *err) MUST_USE;

#endif
