/*
 * Kept lists of what grantees were granted: a key typed costs no reading of grants, and no copying
 * of what was read before.
 */
#include <stdlib.h>

#include "store_own.h"

#include "mk_banned.h"

#define KEPT_BUCKETS 256u
#define KEPT_ROWS    (1u << 21) /* of all lists together: 64 MiB */
#define KEPT_MS      MS_DAY     /* then read again, without what has ended */

struct OwnLists {
    pthread_rwlock_t lock;
    OwnList *bucket[KEPT_BUCKETS];
    size_t rows;
    atomic_uint_fast64_t stamp;
    /*
     * Groups with grants: how many the writer has begun, and how many are done. Where both are
     * what the second was before a snapshot, the snapshot holds every grant there is.
     */
    atomic_uint_fast64_t begun, done;
};

/* ---- One list ---------------------------------------------------------------------------- */

OwnList *own_list_new(Str grantee, int64_t from_ms, int64_t grants)
{
    OwnList *l = memory_take_zeroed(sizeof *l);
    l->grantee = memory_take_zeroed(grantee.n + 1);
    memcpy(l->grantee, grantee.p, grantee.n);
    l->from_ms = from_ms;
    l->grants = grants;
    atomic_store(&l->refs, 1);
    return l;
}

/* The last who lets go frees it. */
void own_list_drop(OwnList *l)
{
    if (atomic_fetch_sub(&l->refs, 1) == 1) {
        free(l->grantee);
        free(l->rid);
        free(l->hash);
        free(l->whose);
        free(l->fresh);
        free(l);
    }
}

void own_list_add(OwnList *l, int64_t rid, int64_t hash)
{
    if (l->fresh_n == l->fresh_room) {
        l->fresh_room = l->fresh_room ? l->fresh_room * 2 : 64;
        l->fresh = memory_grow(l->fresh, l->fresh_room * sizeof *l->fresh);
    }
    l->fresh[l->fresh_n++] = (Granted){rid, hash};
}

static uint32_t *whose_place(const OwnList *l, uint32_t whose)
{
    uint32_t at = whose * 2654435761u & l->whose_mask;
    while (l->whose[at] && l->whose[at] != whose) {
        at = (at + 1) & l->whose_mask;
    }
    return &l->whose[at];
}

bool own_list_has(const OwnList *l, uint32_t whose)
{
    return *whose_place(l, whose) == whose;
}

static void whose_make(OwnList *l)
{
    size_t room = 4;
    while (room < 2 * l->n + 2) {
        room *= 2;
    }
    l->whose = memory_take_zeroed(room * sizeof *l->whose);
    l->whose_mask = (uint32_t)room - 1;
    for (size_t i = 0; i < l->n; i++) {
        uint32_t whose = index_whose(l->hash[i]);
        *whose_place(l, whose) = whose;
    }
}

static int granted_order(const void *x, const void *y)
{
    const Granted *p = x, *q = y;
    return p->rid != q->rid     ? (p->rid < q->rid ? -1 : 1)
           : p->hash != q->hash ? (p->hash < q->hash ? -1 : 1)
                                : 0;
}

void own_list_seal(OwnList *l)
{
    l->many = l->fresh_n >= OWN_PATIENTS_MAX;
    l->fresh_n = l->many ? 0 : l->fresh_n;
    l->rid = memory_take((l->fresh_n + 1) * sizeof *l->rid);
    l->hash = memory_take((l->fresh_n + 1) * sizeof *l->hash);
    if (l->fresh_n) {
        qsort(l->fresh, l->fresh_n, sizeof *l->fresh, granted_order);
    }
    for (size_t i = 0; i < l->fresh_n; i++) {
        if (i == 0 || granted_order(&l->fresh[i - 1], &l->fresh[i])) {
            l->rid[l->n] = l->fresh[i].rid;
            l->hash[l->n++] = l->fresh[i].hash;
        }
    }
    l->hash[l->n] = INDEX_NOBODY;
    free(l->fresh);
    l->fresh = NULL;
    l->fresh_n = l->fresh_room = 0;
    whose_make(l);
}

/* ---- All of them ------------------------------------------------------------------------- */

void own_lists_open(Store *s)
{
    s->own = memory_take_zeroed(sizeof *s->own);
    pthread_rwlock_init(&s->own->lock, NULL);
}

void own_lists_close(Store *s)
{
    for (size_t i = 0; i < KEPT_BUCKETS; i++) {
        for (OwnList *l = s->own->bucket[i], *next; l; l = next) {
            next = l->next;
            own_list_drop(l);
        }
    }
    pthread_rwlock_destroy(&s->own->lock);
    free(s->own);
}

uint64_t own_grants_done(const Store *s)
{
    return atomic_load(&s->own->done);
}

static OwnList **list_place(Store *s, Str grantee)
{
    OwnList **at = &s->own->bucket[hash_sip(s->hash_key, grantee.p, grantee.n) % KEPT_BUCKETS];
    while (*at && !str_is(grantee, (*at)->grantee)) {
        at = &(*at)->next;
    }
    return at;
}

static void list_take_out(Store *s, OwnList **at)
{
    OwnList *l = *at;
    *at = l->next;
    s->own->rows -= l->n + l->fresh_n;
    own_list_drop(l);
}

/* In place of the one that stands there, if one does. */
static void list_put_in(Store *s, OwnList **at, OwnList *l)
{
    if (*at) {
        list_take_out(s, at);
    }
    atomic_store(&l->used, atomic_fetch_add(&s->own->stamp, 1));
    l->next = *at;
    *at = l;
    s->own->rows += l->n;
}

/* The lists longest unused make room. */
static void lists_bound(Store *s)
{
    while (s->own->rows > KEPT_ROWS) {
        OwnList **oldest = NULL;
        for (size_t i = 0; i < KEPT_BUCKETS; i++) {
            for (OwnList **at = &s->own->bucket[i]; *at; at = &(*at)->next) {
                oldest = !oldest || atomic_load(&(*at)->used) < atomic_load(&(*oldest)->used)
                             ? at
                             : oldest;
            }
        }
        list_take_out(s, oldest);
    }
}

/* The same with what was granted since. */
static OwnList *list_renewed(const OwnList *l)
{
    OwnList *x = own_list_new(str_from_c(l->grantee), l->from_ms, l->grants);
    for (size_t i = 0; i < l->n; i++) {
        own_list_add(x, l->rid[i], l->hash[i]);
    }
    for (size_t i = 0; i < l->fresh_n; i++) {
        own_list_add(x, l->fresh[i].rid, l->fresh[i].hash);
    }
    own_list_seal(x);
    return x;
}

static bool list_is_of(const OwnList *l, const Run *r)
{
    int64_t now = r->view->now_ms;
    return l && l->from_ms <= now && now < l->from_ms + KEPT_MS && l->grants == r->reader->grants;
}

/* Held for the caller; NULL: to be renewed first, or not usable. */
static OwnList *list_look(Run *r, Str grantee, bool *ret_stale)
{
    Store *s = r->store;
    pthread_rwlock_rdlock(&s->own->lock);
    OwnList *l = *list_place(s, grantee);
    *ret_stale = list_is_of(l, r) && l->fresh_n > 0;
    l = list_is_of(l, r) && l->fresh_n == 0 ? l : NULL;
    if (l) {
        atomic_fetch_add(&l->refs, 1);
        atomic_store(&l->used, atomic_fetch_add(&s->own->stamp, 1));
    }
    pthread_rwlock_unlock(&s->own->lock);
    return l;
}

OwnList *own_list_kept(Run *r, Str grantee)
{
    Store *s = r->store;
    bool stale;
    OwnList *l = list_look(r, grantee, &stale);
    if (!stale) {
        return l;
    }
    pthread_rwlock_wrlock(&s->own->lock);
    OwnList **at = list_place(s, grantee);
    if (*at && (*at)->fresh_n) {
        list_put_in(s, at, list_renewed(*at));
        lists_bound(s);
    }
    pthread_rwlock_unlock(&s->own->lock);
    return list_look(r, grantee, &stale);
}

void own_list_keep(Run *r, OwnList *l)
{
    Store *s = r->store;
    pthread_rwlock_wrlock(&s->own->lock);
    if (atomic_load(&s->own->begun) == r->reader->grants_done) {
        atomic_fetch_add(&l->refs, 1);
        list_put_in(s, list_place(s, str_from_c(l->grantee)), l);
        lists_bound(s);
    }
    pthread_rwlock_unlock(&s->own->lock);
}

/* ---- The writer -------------------------------------------------------------------------- */

void own_group_begun(Store *s)
{
    atomic_fetch_add(&s->own->begun, 1);
}

void own_group_done(Store *s)
{
    atomic_store(&s->own->done, atomic_load(&s->own->begun));
}

/*
 * Before the commit, so that nobody sees the grant without it; should the commit fail, a patient
 * too many is looked into. A grant of a patient that is not there yet ends the list.
 */
void own_granted(Store *s, Str grantee, Str patient_id)
{
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    Head head;
    bool found = false;
    pthread_rwlock_wrlock(&s->own->lock);
    OwnList **at = list_place(s, grantee);
    if (*at) {
        OwnList *l = *at;
        Status st = head_find(s->log, &s->group.arena, patient, patient_id, &head, &found, NULL);
        if (st == OK && found && !l->many) {
            own_list_add(l, head.rid, index_hash_ref(s, STR("Patient"), patient_id));
            s->own->rows++;
        } else {
            list_take_out(s, at);
        }
    }
    pthread_rwlock_unlock(&s->own->lock);
}
