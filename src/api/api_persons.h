/*
 * Records of one person: a Patient that was merged says so itself (link, replaced-by), and is then
 * one person with the record it names. References are never rewritten: a search for one of the
 * records is asked for all of them, and when the link is taken away for the one again.
 *
 * Kept in memory, made from the index at the start, and follows the log: a merge is known at its
 * own answer, a link written otherwise a moment later. One for all threads.
 */
#ifndef API_PERSONS_H
#define API_PERSONS_H

#include "api_inner.h"

#define PERSON_CHAIN_MAX 16 /* records merged into records that were merged */

Status api_persons_open(Api *api, Err *err) MUST_USE;
void api_persons_close(Api *api);
/* Follows the log by a stretch; *ret_more |= there is more. */
void api_persons_keep(Api *api, StoreReader *r, bool *ret_more);
/* What a Patient's body says now; empty: it is gone. */
void api_persons_note(Api *api, Str patient_id, Str body);
/* The record into which one was merged at last; the id itself when it was not. */
Str api_persons_survivor(Api *api, Arena *a, Str patient_id);
/* A search of the type with each patient it names replaced by all records of the person. */
Str api_persons_expand(ApiCall *c, Str type, Str query);

#endif
