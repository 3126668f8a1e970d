/*
 * The caller's own patients: for a narrow view they are where a search begins. What each grantee
 * was granted is kept from one search to the next and grows with each new grant, so that a key
 * typed costs no reading of grants. The list only says where to look: it may hold patients whose
 * grant has ended or not begun, and each hit is judged by the grants as they are.
 */
#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

#define KEPT_BUCKETS 256u
#define KEPT_ROWS    (1u << 22) /* of all lists together: 64 MiB */
#define KEPT_MS      MS_DAY     /* then read again, without what has ended */

/* What one grantee was granted, as far as it had not ended when it was read. */
typedef struct OwnList {
    struct OwnList *next; /* of the bucket */
    char *grantee;
    bool many;
    int64_t from_ms;
    int64_t grants;            /* on a server: the counter when it was read */
    atomic_uint_fast64_t used; /* stamp of the last use */
    int64_t *rid, *hash;
    size_t n, room;
} OwnList;

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

void own_lists_open(Store *s)
{
    s->own = memory_take_zeroed(sizeof *s->own);
    pthread_rwlock_init(&s->own->lock, NULL);
}

static void list_free(OwnList *l)
{
    free(l->grantee);
    free(l->rid);
    free(l->hash);
    free(l);
}

void own_lists_close(Store *s)
{
    for (size_t i = 0; i < KEPT_BUCKETS; i++) {
        for (OwnList *l = s->own->bucket[i], *next; l; l = next) {
            next = l->next;
            list_free(l);
        }
    }
    pthread_rwlock_destroy(&s->own->lock);
    free(s->own);
}

uint64_t own_grants_done(const Store *s)
{
    return atomic_load(&s->own->done);
}

/* ---- Kept lists -------------------------------------------------------------------------- */

static OwnList **list_place(Store *s, Str grantee)
{
    OwnList **at = &s->own->bucket[hash_sip(s->hash_key, grantee.p, grantee.n) % KEPT_BUCKETS];
    while (*at && !str_is(grantee, (*at)->grantee)) {
        at = &(*at)->next;
    }
    return at;
}

static void list_drop(Store *s, OwnList **at)
{
    OwnList *l = *at;
    *at = l->next;
    s->own->rows -= l->n;
    list_free(l);
}

static void list_add(OwnList *l, int64_t rid, int64_t hash)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->rid = memory_grow(l->rid, l->room * sizeof *l->rid);
        l->hash = memory_grow(l->hash, l->room * sizeof *l->hash);
    }
    l->rid[l->n] = rid;
    l->hash[l->n++] = hash;
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
        list_drop(s, oldest);
    }
}

/* Kept only if no grant can have been missed between the snapshot it was read in and now. */
static void list_keep(Run *r, OwnList *fresh)
{
    Store *s = r->store;
    pthread_rwlock_wrlock(&s->own->lock);
    OwnList **at = list_place(s, str_from_c(fresh->grantee));
    if (atomic_load(&s->own->begun) == r->reader->grants_done) {
        if (*at) {
            list_drop(s, at);
        }
        atomic_store(&fresh->used, atomic_fetch_add(&s->own->stamp, 1));
        fresh->next = *at;
        *at = fresh;
        s->own->rows += fresh->n;
        fresh = NULL;
        lists_bound(s);
    }
    pthread_rwlock_unlock(&s->own->lock);
    if (fresh) {
        list_free(fresh);
    }
}

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
        Status st = head_find(s->log, &s->group.arena, patient, patient_id, &head, &found, NULL);
        if (st == OK && found && !(*at)->many) {
            list_add(*at, head.rid, index_hash_ref(s, STR("Patient"), patient_id));
            s->own->rows++;
        } else {
            list_drop(s, at);
        }
    }
    pthread_rwlock_unlock(&s->own->lock);
}

/* ---- Reading ----------------------------------------------------------------------------- */

/* *ret_whole false: a grant names a patient that is not there yet. */
static Status grantee_rows(Run *r, Str grantee, OwnList *l, bool *ret_whole, Err *err)
{
    Db *log = r->reader->log;
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    DbStmt *st = db_take(log, "SELECT g.patient, h.rid FROM access_grant g LEFT JOIN head h"
                              " ON h.type = ?3 AND h.id = g.patient"
                              " WHERE g.grantee = ?1 AND g.until > ?2");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_str(st, 0, grantee);
    db_bind_i64(st, 1, r->view->now_ms);
    db_bind_i64(st, 2, type_number(patient));
    *ret_whole = true;
    DbStep step = DB_NONE;
    while (l->n < OWN_PATIENTS_MAX && (step = db_step(st)) == DB_ROW) {
        if (db_col_is_null(st, 1)) {
            *ret_whole = false;
        } else {
            list_add(l, db_col_i64(st, 1),
                     index_hash_ref(r->store, STR("Patient"), db_col_str(st, 0)));
        }
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(log, err) : OK;
    db_give(st);
    if (l->n >= OWN_PATIENTS_MAX) {
        l->many = true;
        l->n = 0;
    }
    return s;
}

static void own_reserve(Run *r, OwnPatients *own, size_t more)
{
    if (own->n + more <= own->room) {
        return;
    }
    own->room = 2 * own->room + more;
    int64_t *hash = arena_array(r->arena, int64_t, own->room);
    if (own->n) {
        memcpy(hash, own->hash, own->n * sizeof *hash);
    }
    own->hash = hash;
}

/* Each patient once, however many grants name them; what came after this snapshot is not in it. */
static void own_add(Run *r, OwnPatients *own, const OwnList *l)
{
    own->many = own->many || l->many;
    own_reserve(r, own, l->n);
    for (size_t i = 0; i < l->n; i++) {
        int64_t rid = l->rid[i];
        if (rid < own->rid_end && !own_has_rid(own, rid)) {
            own->bit[rid >> 6] |= (uint64_t)1 << (rid & 63);
            own->hash[own->n++] = l->hash[i];
        }
    }
}

static bool own_add_kept(Run *r, OwnPatients *own, Str grantee)
{
    Store *s = r->store;
    pthread_rwlock_rdlock(&s->own->lock);
    OwnList *l = *list_place(s, grantee);
    int64_t now = r->view->now_ms;
    bool usable =
        l && l->from_ms <= now && now < l->from_ms + KEPT_MS && l->grants == r->reader->grants;
    if (usable) {
        atomic_store(&l->used, atomic_fetch_add(&s->own->stamp, 1));
        own_add(r, own, l);
    }
    pthread_rwlock_unlock(&s->own->lock);
    return usable;
}

static Status own_add_grantee(Run *r, OwnPatients *own, Str grantee, Err *err)
{
    if (own->many || str_empty(grantee) || own_add_kept(r, own, grantee)) {
        return OK;
    }
    if (r->query->brief) {
        return err_status(err, ERR_TOO_MANY); /* reading what was granted takes its time */
    }
    OwnList *l = memory_take_zeroed(sizeof *l);
    bool whole = false;
    l->grantee = memory_take_zeroed(grantee.n + 1);
    memcpy(l->grantee, grantee.p, grantee.n);
    l->from_ms = r->view->now_ms;
    l->grants = r->reader->grants;
    Status s = grantee_rows(r, grantee, l, &whole, err);
    if (s == OK) {
        own_add(r, own, l);
        s = run_charge(r, (int64_t)l->n, err);
    }
    if (s == OK && whole && r->store->threads) {
        list_keep(r, l); /* without a writer nobody would make it grow */
    } else {
        list_free(l);
    }
    return s;
}

static Status own_read(Run *r, OwnPatients *own, Err *err)
{
    const StoreView *view = r->view;
    own->rid_end = r->reader->rid_max + 1;
    own->bit = arena_array(r->arena, uint64_t, own->rid_end / 64 + 1);
    for (size_t i = 0; i < view->orgs_n; i++) {
        TRY(own_add_grantee(r, own, view->orgs[i], err));
    }
    TRY(own_add_grantee(r, own, view->person, err));
    own_reserve(r, own, 1);
    own->hash[own->n] = INDEX_NOBODY;
    return OK;
}

Status own_patients(Run *r, const OwnPatients **ret, Err *err)
{
    if (!r->own) {
        OwnPatients *own = arena_new(r->arena, OwnPatients);
        *own = (OwnPatients){.many = r->view->everything};
        if (!r->view->everything && r->view->clinical) {
            TRY(own_read(r, own, err));
        }
        r->own = own;
    }
    *ret = r->own;
    return OK;
}

bool own_has_rid(const OwnPatients *own, int64_t rid)
{
    return rid < own->rid_end && (own->bit[rid >> 6] >> (rid & 63) & 1);
}

int64_t own_next_rid(const OwnPatients *own, int64_t after)
{
    for (int64_t rid = after + 1; rid < own->rid_end; rid = (rid | 63) + 1) {
        uint64_t word = own->bit[rid >> 6] >> (rid & 63);
        if (word) {
            return rid + __builtin_ctzll(word);
        }
    }
    return 0;
}
