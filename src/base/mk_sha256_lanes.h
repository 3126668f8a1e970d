/* SHA-256 of several texts at once, faster than one after another. */
#ifndef MK_SHA256_LANES_H
#define MK_SHA256_LANES_H

#include "mk_hash.h"

void sha256_each(const Str *s, size_t n, Sha256 *ret);

#endif
