/*
 * The caller's own patients: for a narrow view they are where a search begins. They only say where
 * to look: some grants may have ended or not begun, and each hit is judged by the grants as they
 * are.
 */
#include <stdlib.h>

#include "store_own.h"

#include "mk_banned.h"

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
    while (l->fresh_n < OWN_PATIENTS_MAX && (step = db_step(st)) == DB_ROW) {
        *ret_whole = *ret_whole && !db_col_is_null(st, 1);
        own_list_add(l, db_col_is_null(st, 1) ? 0 : db_col_i64(st, 1),
                     index_hash_ref(r->store, STR("Patient"), db_col_id(st, 0)));
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(log, err) : OK;
    db_give(st);
    return s;
}

static Status list_read(Run *r, Str grantee, OwnList **ret, Err *err)
{
    bool whole = false;
    if (r->query->brief) {
        return err_status(err, ERR_TOO_MANY); /* reading what was granted takes its time */
    }
    OwnList *l = own_list_new(grantee, r->view->now_ms, r->reader->grants);
    Status s = grantee_rows(r, grantee, l, &whole, err);
    s = s == OK ? run_charge(r, (int64_t)l->fresh_n, err) : s;
    if (s != OK) {
        own_list_drop(l);
        return s;
    }
    own_list_seal(l);
    if (whole && r->store->threads) {
        own_list_keep(r, l); /* without a writer nobody would make it grow */
    }
    *ret = l;
    return OK;
}

/* Held until the snapshot ends. */
/* The reader lets go of it when its snapshot ends. */
static void reader_own_hold(StoreReader *r, OwnList *l)
{
    if (r->own_n == r->own_room) {
        r->own_room = r->own_room ? r->own_room * 2 : 4;
        r->own = memory_grow(r->own, r->own_room * sizeof *r->own);
    }
    r->own[r->own_n++] = l;
}

static Status own_add_grantee(Run *r, OwnPatients *own, Str grantee, Err *err)
{
    if (own->many || str_empty(grantee)) {
        return OK;
    }
    OwnList *l = own_list_kept(r, grantee);
    if (!l) {
        TRY(list_read(r, grantee, &l, err));
    }
    reader_own_hold(r->reader, l);
    own->many = l->many;
    if (l->n) {
        own->list[own->list_n++] = l;
    }
    return OK;
}

static int list_first(const OwnPatients *own, const size_t *at)
{
    int first = -1;
    for (size_t i = 0; i < own->list_n; i++) {
        const OwnList *l = own->list[i], *best = first < 0 ? NULL : own->list[first];
        if (at[i] < l->n && (!best || l->rid[at[i]] < best->rid[at[first]])) {
            first = (int)i;
        }
    }
    return first;
}

/* Each patient once, however many lists have it. */
static void lists_join(Run *r, OwnPatients *own)
{
    size_t room = 0, n = 0, *at = arena_array(r->arena, size_t, own->list_n);
    for (size_t i = 0; i < own->list_n; i++) {
        room += own->list[i]->n;
    }
    int64_t *rid = arena_array(r->arena, int64_t, room);
    int64_t *hash = arena_array(r->arena, int64_t, room + 1);
    for (int i; (i = list_first(own, at)) >= 0; at[i]++) {
        const OwnList *l = own->list[i];
        if (n == 0 || rid[n - 1] == 0 || rid[n - 1] != l->rid[at[i]]) {
            rid[n] = l->rid[at[i]];
            hash[n++] = l->hash[at[i]];
        }
    }
    hash[n] = INDEX_NOBODY;
    own->rid = rid;
    own->hash = hash;
    own->n = n;
}

static Status own_read(Run *r, OwnPatients *own, Err *err)
{
    static const int64_t nobody[] = {INDEX_NOBODY};
    const StoreView *view = r->view;
    own->list = arena_array(r->arena, const OwnList *, view->orgs_n + 1);
    for (size_t i = 0; i < view->orgs_n; i++) {
        TRY(own_add_grantee(r, own, view->orgs[i], err));
    }
    TRY(own_add_grantee(r, own, view->person, err));
    own->hash = nobody;
    if (own->many) {
        own->list_n = 0;
    } else if (own->list_n > 1) {
        lists_join(r, own);
    } else if (own->list_n == 1) {
        own->rid = own->list[0]->rid;
        own->hash = own->list[0]->hash;
        own->n = own->list[0]->n;
    }
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

/* How many of their rids are at or below this one. */
static size_t own_up_to(const OwnPatients *own, int64_t rid)
{
    size_t low = 0, high = own->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool below = own->rid[middle] <= rid;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return low;
}

bool own_has_rid(const OwnPatients *own, int64_t rid)
{
    size_t n = own_up_to(own, rid);
    return n > 0 && own->rid[n - 1] == rid;
}

int64_t own_next_rid(const OwnPatients *own, int64_t after)
{
    size_t n = own_up_to(own, after);
    return n < own->n ? own->rid[n] : 0;
}

bool own_may_see(const OwnPatients *own, uint32_t whose)
{
    bool found = whose == INDEX_WHOSE_UNKNOWN;
    for (size_t i = 0; i < own->list_n && !found; i++) {
        found = own_list_has(own->list[i], whose);
    }
    return found;
}

/* ---- A reader's -------------------------------------------------------------------------- */

void reader_own_release(StoreReader *r)
{
    while (r->own_n) {
        own_list_drop(r->own[--r->own_n]);
    }
}
