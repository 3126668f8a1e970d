/*
 * R4's own code systems, value sets and concept maps, inside the program: gen/fhir_term_pack.bin,
 * made by tools/gen-term.mjs (its layout stands there). Only what is asked for is unpacked, block
 * by block; the items go to the cache.
 */
#ifndef FHIR_TERM_PACK_H
#define FHIR_TERM_PACK_H

#include "fhir_term.h"

/* Adds the resource with this url, if R4 has it. */
Status term_pack_find(TermCache *cache, Arena *a, TermKind kind, Str url, TermItems *list,
                      Err *err) MUST_USE;
/* Adds the concept maps that have a group from (reverse: to) a code system. */
Status term_pack_maps(TermCache *cache, Arena *a, Str system, bool reverse, TermItems *list,
                      Err *err) MUST_USE;
size_t term_pack_count(void);
/* The url and kind of the i-th. */
Str term_pack_url(size_t i, TermKind *ret_kind);

#endif
