/*
 * The caller's own patients: for a narrow view they are where a search begins. The list is kept
 * from one search to the next, since it is the same for every key that is typed; it only says
 * where to look, and each hit is still judged by the grants as they are.
 */
#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

#define OWN_KEPT 32

/*
 * A list in the store. `grants` is the count of grant changes before it was read: another count,
 * or a time at which a grant begins or ends, and it is read again.
 */
struct OwnList {
    Sha256 key;
    bool used, many;
    uint64_t grants;
    int64_t from_ms, until_ms;
    uint64_t stamp; /* of the last use */
    int64_t *hash, *rid;
    size_t hash_n, rid_n;
};

void own_lists_free(Store *s)
{
    for (size_t i = 0; s->own && i < OWN_KEPT; i++) {
        free(s->own[i].hash);
        free(s->own[i].rid);
    }
    free(s->own);
}

static Sha256 own_key(const Run *r)
{
    const StoreView *view = r->view;
    Str *parts = arena_array(r->arena, Str, 2 * view->orgs_n + 1);
    size_t n = 0;
    for (size_t i = 0; i < view->orgs_n; i++) {
        parts[n++] = view->orgs[i];
        parts[n++] = STR("\n");
    }
    parts[n++] = view->person;
    return sha256_parts(parts, n);
}

/* ---- Kept lists -------------------------------------------------------------------------- */

static int64_t *copied(Arena *a, const int64_t *from, size_t n)
{
    int64_t *to = arena_array(a, int64_t, n + 1);
    if (n) {
        memcpy(to, from, n * sizeof *to);
    }
    return to;
}

static bool list_take(Run *r, const Sha256 *key, uint64_t grants, OwnPatients *ret)
{
    Store *s = r->store;
    bool found = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; s->own && i < OWN_KEPT && !found; i++) {
        OwnList *l = &s->own[i];
        found = l->used && l->grants == grants && l->from_ms <= r->view->now_ms &&
                r->view->now_ms < l->until_ms && memcmp(&l->key, key, sizeof *key) == 0;
        if (found) {
            l->stamp = ++s->own_stamp;
            *ret = (OwnPatients){.many = l->many, .hash_n = l->hash_n, .rid_n = l->rid_n};
            ret->hash = copied(r->arena, l->hash, l->hash_n);
            ret->rid = copied(r->arena, l->rid, l->rid_n);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static int64_t *kept(const int64_t *from, size_t n)
{
    int64_t *to = calloc(n + 1, sizeof *to);
    mk_check(to != NULL);
    if (n) {
        memcpy(to, from, n * sizeof *to);
    }
    return to;
}

static OwnList *list_place(Store *s, const Sha256 *key)
{
    OwnList *place = &s->own[0];
    for (size_t i = 0; i < OWN_KEPT; i++) {
        OwnList *l = &s->own[i];
        if (l->used && memcmp(&l->key, key, sizeof *key) == 0) {
            return l;
        }
        place = l->stamp < place->stamp ? l : place;
    }
    return place;
}

static void list_keep(Run *r, const Sha256 *key, uint64_t grants, const OwnPatients *own,
                      int64_t until_ms)
{
    Store *s = r->store;
    OwnList fresh = {.key = *key,
                     .used = true,
                     .many = own->many,
                     .grants = grants,
                     .from_ms = r->view->now_ms,
                     .until_ms = until_ms,
                     .hash = kept(own->hash, own->hash_n),
                     .rid = kept(own->rid, own->rid_n),
                     .hash_n = own->hash_n,
                     .rid_n = own->rid_n};
    pthread_mutex_lock(&s->lock);
    if (!s->own) {
        s->own = calloc(OWN_KEPT, sizeof *s->own);
        mk_check(s->own != NULL);
    }
    OwnList *l = list_place(s, key);
    free(l->hash);
    free(l->rid);
    fresh.stamp = ++s->own_stamp;
    *l = fresh;
    pthread_mutex_unlock(&s->lock);
}

/* ---- Reading ----------------------------------------------------------------------------- */

static int number_order(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

static size_t numbers_unique(int64_t *at, size_t n)
{
    size_t kept_n = 0;
    qsort(at, n, sizeof *at, number_order);
    for (size_t i = 0; i < n; i++) {
        if (kept_n == 0 || at[kept_n - 1] != at[i]) {
            at[kept_n++] = at[i];
        }
    }
    return kept_n;
}

/* The hashes of one grantee's patients; when a grant begins or ends, the list ends. */
static Status grantee_read(Run *r, Str grantee, OwnPatients *own, int64_t *until_ms, Err *err)
{
    Db *log = r->reader->log;
    int64_t now = r->view->now_ms;
    DbStmt *st = db_take(
        log, "SELECT patient, since, until FROM access_grant WHERE grantee = ? AND until > ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_str(st, 0, grantee);
    db_bind_i64(st, 1, now);
    DbStep step = DB_NONE;
    while (own->hash_n < OWN_PATIENTS_MAX && (step = db_step(st)) == DB_ROW) {
        int64_t since = db_col_i64(st, 1), until = db_col_i64(st, 2);
        int64_t turn = since > now ? since : until;
        *until_ms = turn < *until_ms ? turn : *until_ms;
        if (since <= now) {
            own->hash[own->hash_n++] = index_hash_ref(r->store, STR("Patient"), db_col_str(st, 0));
        }
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(log, err) : OK;
    db_give(st);
    return s;
}

/* The rids of the patients themselves; *ret_whole false: the index does not know all of them. */
static Status rids_read(Run *r, OwnPatients *own, bool *ret_whole, Err *err)
{
    Db *index = r->reader->index;
    int64_t type = type_number(fhir_resource_find(STR("Patient")));
    size_t room = own->hash_n * 2 + 16;
    own->rid = arena_array(r->arena, int64_t, room);
    *ret_whole = true;
    for (size_t i = 0; i < own->hash_n; i++) {
        DbStmt *st = db_take(index, "SELECT rid FROM compartment WHERE patient = ? AND type = ?");
        if (!st) {
            return db_failed(index, err);
        }
        db_bind_i64(st, 0, own->hash[i]);
        db_bind_i64(st, 1, type);
        size_t before = own->rid_n;
        DbStep step = DB_NONE;
        while (own->rid_n < room && (step = db_step(st)) == DB_ROW) {
            own->rid[own->rid_n++] = db_col_i64(st, 0);
        }
        Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(index, err) : OK;
        db_give(st);
        TRY(s);
        *ret_whole = *ret_whole && own->rid_n > before;
        own->many = own->many || own->rid_n == room;
    }
    own->rid_n = numbers_unique(own->rid, own->rid_n);
    return run_charge(r, (int64_t)own->hash_n, err);
}

static Status own_read(Run *r, OwnPatients *own, int64_t *ret_until, bool *ret_whole, Err *err)
{
    const StoreView *view = r->view;
    *ret_until = INT64_MAX;
    *ret_whole = true;
    own->hash = arena_array(r->arena, int64_t, OWN_PATIENTS_MAX + 1);
    for (size_t i = 0; i <= view->orgs_n; i++) {
        Str grantee = i < view->orgs_n ? view->orgs[i] : view->person;
        TRY(grantee_read(r, grantee, own, ret_until, err));
    }
    own->many = own->hash_n >= OWN_PATIENTS_MAX;
    own->hash_n = own->many ? 0 : numbers_unique(own->hash, own->hash_n);
    return own->many ? OK : rids_read(r, own, ret_whole, err);
}

Status own_patients(Run *r, OwnPatients *ret, Err *err)
{
    if (r->own) {
        *ret = *r->own;
        return OK;
    }
    OwnPatients own = {0};
    if (r->view->everything || !r->view->clinical) {
        own.many = r->view->everything;
    } else {
        Sha256 key = own_key(r);
        if (!list_take(r, &key, r->reader->grants, &own)) {
            int64_t until;
            bool whole;
            TRY(own_read(r, &own, &until, &whole, err));
            if (whole) {
                list_keep(r, &key, r->reader->grants, &own, until);
            }
        }
    }
    r->own = arena_new(r->arena, OwnPatients);
    *r->own = own;
    *ret = own;
    return OK;
}

bool own_has_rid(const OwnPatients *own, int64_t rid)
{
    return own->rid_n && bsearch(&rid, own->rid, own->rid_n, sizeof rid, number_order) != NULL;
}
