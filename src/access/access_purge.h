/*
 * Purges as the administrators propose and confirm them (docs/decisions/040): two persons in two
 * roles, a reason, a time within which the second must have decided. What they agreed on is carried
 * out by store_purge_run.
 *
 * The caller has given the own password (and one-time code) again: access_again, or a log-in made
 * for this alone. Each of these is to be recorded in the audit by whoever calls.
 */
#ifndef ACCESS_PURGE_H
#define ACCESS_PURGE_H

#include "access.h"
#include "store_purge.h"

typedef enum PurgeDo {
#define PURGE(name, word, roles) PURGE_DO_##name,
#include "access_purge.def"
#undef PURGE
    PURGE_DOINGS
} PurgeDo;

const char *purge_do_word(PurgeDo what);
/* One that decides: withdraw, confirm, deny. False if there is no such word. */
bool purge_decision_find(Str word, PurgeDo *ret);
/* "proposed", "confirmed", "erasing", "tidying", "erased", "denied", "withdrawn", "expired". */
const char *purge_state_word(StorePurgeState state);

/* ERR_FORBIDDEN that names who may. */
Status access_purge_may(const AccessCaller *caller, PurgeDo what, Err *err) MUST_USE;

/* What it would take; ERR_CONFLICT rule open-case while a case of theirs is still at work. */
Status purges_look(StoreReader *r, Arena *a, const AccessCaller *caller, Str target,
                   StorePurgeExtent *ret, Err *err) MUST_USE;
/* ERR_UNPROCESSABLE rule reason-missing; ERR_CONFLICT rules open-case, nothing-to-purge. */
Status purges_propose(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str target,
                      Str reason, StorePurge *ret, Err *err) MUST_USE;
/* ERR_FORBIDDEN rule not-oneself; ERR_CONFLICT rules purge-state, open-case. */
Status purges_decide(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str id,
                     PurgeDo what, StorePurge *ret, Err *err) MUST_USE;
Status purges_list(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                   StorePurge **ret, size_t *ret_n, Err *err) MUST_USE;
/* A log that has to be written anew while nobody writes is, up to this size; else at the next
 * start. */
uint64_t purge_tidy_bytes(int64_t now_ms);

#endif
