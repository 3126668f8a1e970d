/*
 * Records of one person: a Patient that was merged says so itself (link, replaced-by), and is then
 * one person with the record it names. References are never rewritten: whoever asks for one of the
 * records is answered for all of them (values of searches, chains, _has, _revinclude, compartments,
 * $everything), and when the link is taken away for the one again.
 *
 * Sight is of the person, too: what is granted on one record is granted on the others, as copies
 * that end with what they were made of (they have its source) or when the records are taken apart.
 *
 * Which records are joined is kept in memory, made from the index at the start and following the
 * log: a merge is known at its own answer, a link written otherwise a moment later. One for all
 * threads; a store that was not asked to keep it (store_persons_open) knows of nobody.
 */
#ifndef STORE_PERSONS_H
#define STORE_PERSONS_H

#include "store.h"

#define PERSON_CHAIN_MAX   16 /* records merged into records that were merged */
#define PERSON_RECORDS_MAX 64 /* of one person: more are not looked for */

/* Before other threads use the store. */
Status store_persons_open(Store *s, Err *err) MUST_USE;
void store_persons_close(Store *s);
/* Follows the log by a stretch; *ret_more |= there is more. By one thread. */
void store_persons_keep(StoreReader *r, bool *ret_more);
/* What a Patient's body says now; empty: it is gone. */
void store_persons_note(Store *s, Str patient_id, Str body);
/* Into which record a Patient's body says that it was merged; empty: into none. */
Str store_person_into(const JsonDoc *patient);

/* The record into which one was merged at last; the id itself when it was not. */
Str store_person_survivor(const Store *s, Arena *a, Str patient_id);
/* The person's other records; NULL for the store: none. */
size_t store_person_others(const Store *s, Arena *a, Str patient_id, const Str **ret);

/*
 * The sight of two records that become one person, or of what was one person and is two: written
 * with the batch that changes the link `from` → `into`.
 */
Status store_persons_join(StoreReader *r, StoreBatch *b, Str from, Str into, int64_t now_ms,
                          Err *err) MUST_USE;
Status store_persons_part(StoreReader *r, StoreBatch *b, Str from, Str into, int64_t now_ms,
                          Err *err) MUST_USE;

#endif
