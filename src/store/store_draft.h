/*
 * Drafts: half-filled forms that the server keeps for their author until they are sent.
 *
 * They are rows of log.db that are not resources: durable, in the backup, but without versions,
 * not in the feed, found by no search. A draft belongs to one person in one post; nobody else
 * reads it, whatever they may see. `key` is the client's name for it. One that is older than a
 * time the caller says is not there any more and is removed by whoever puts the next one.
 *
 * A batch may end a draft (store_batch_draft_end, store.h), so that a form that was sent and its
 * draft cannot both be there.
 */
#ifndef STORE_DRAFT_H
#define STORE_DRAFT_H

#include "store.h"

typedef struct StoreDraft {
    Str person; /* "Practitioner/ID" */
    Str post;   /* "PractitionerRole/ID" */
    Str key;
    Str seen; /* the version of the case that the form was opened on, or empty */
    Str body; /* JSON */
    int64_t at_ms;
} StoreDraft;

/*
 * Makes or replaces it. Those of anybody that are not younger than `before_ms` are removed
 * first. ERR_CONFLICT, rule drafts-full: the person has `person_max` others.
 */
Status store_draft_put(Store *s, const StoreDraft *draft, int64_t before_ms, int64_t person_max,
                       Err *err) MUST_USE;
/* ERR_NOT_FOUND if there is none younger than `before_ms`. */
Status store_draft_get(StoreReader *r, Arena *a, Str person, Str post, Str key, int64_t before_ms,
                       StoreDraft *ret, Err *err) MUST_USE;
/* Those of one person in one post, newest first, without bodies. */
Status store_draft_list(StoreReader *r, Arena *a, Str person, Str post, int64_t before_ms,
                        StoreDraft **ret, size_t *ret_n, Err *err) MUST_USE;
/* Also when there is none. */
Status store_draft_remove(Store *s, Str person, Str post, Str key, Err *err) MUST_USE;

#endif
