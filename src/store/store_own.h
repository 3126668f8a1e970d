/*
 * What each grantee was granted, as lists that are kept from one search to the next
 * (store_own_list.c). A list never changes once it is shared: a new grant waits beside it and
 * becomes part of the next one. A reader holds those it looks at until its snapshot ends.
 */
#ifndef STORE_OWN_H
#define STORE_OWN_H

#include "store_query.h"

typedef struct Granted {
    int64_t rid, hash; /* of the Patient; rid 0: it is not there */
} Granted;

struct OwnList {
    struct OwnList *next; /* of the bucket, or of the reader's */
    char *grantee;
    bool many; /* more than OWN_PATIENTS_MAX: no list */
    int64_t from_ms;
    int64_t grants;            /* on a server: the counter when it was read */
    atomic_uint_fast64_t used; /* stamp of the last use */
    atomic_uint refs;
    int64_t *rid, *hash; /* sorted by rid, each once; hash[n] is INDEX_NOBODY */
    size_t n;
    uint32_t *whose; /* a table of their index_whose */
    uint32_t whose_mask;
    Granted *fresh; /* in no order: before it is sealed all of them, later, under the lock, what was
                       granted since */
    size_t fresh_n, fresh_room;
};

OwnList *own_list_new(Str grantee, int64_t from_ms, int64_t grants);
void own_list_add(OwnList *l, int64_t rid, int64_t hash);
/* All have been added. */
void own_list_seal(OwnList *l);
bool own_list_has(const OwnList *l, uint32_t whose);
void own_list_drop(OwnList *l);

/* The kept one of a grantee; NULL: there is none, or another than this snapshot's. */
OwnList *own_list_kept(Run *r, Str grantee);
/* Kept only if no grant can have been missed since the snapshot it was read in. */
void own_list_keep(Run *r, OwnList *l);

#endif
