#include "store_persons.h"

#include <stdlib.h>

#include "store_grants.h"
#include "store_inner.h"
#include "store_refer.h"

#include "mk_banned.h"

#define STRETCH     1000
#define PAGE_BYTES  ((size_t)64 << 20)
#define BUCKETS_MIN 64u

/* A Patient that was merged, or into which one was. It stays until the end. */
typedef struct Record {
    struct Record *bucket;         /* the next of its bucket */
    struct Record *into;           /* NULL: it was not merged */
    struct Record *first, *beside; /* the first merged into it; the next into the same */
    size_t id_n;
    char id[];
} Record;

struct Persons {
    pthread_rwlock_t lock;
    Record **bucket;
    size_t room, n;
    _Atomic size_t joined; /* how many were merged, without the lock */
    uint64_t seq;          /* followed up to here; by the one thread alone */
};

static Str record_id(const Record *rec)
{
    return (Str){rec->id, rec->id_n};
}

/* ---- The table, under the lock ------------------------------------------------------------ */

static Record **record_place(const Store *s, Str id)
{
    struct Persons *x = s->persons;
    return &x->bucket[hash_sip(s->hash_key, id.p, id.n) & (x->room - 1)];
}

static Record *record_find(const Store *s, Str id)
{
    Record *rec = *record_place(s, id);
    while (rec && !str_eq(record_id(rec), id)) {
        rec = rec->bucket;
    }
    return rec;
}

static void table_grow(Store *s)
{
    struct Persons *x = s->persons;
    Record **old = x->bucket;
    size_t old_room = x->room;
    x->room *= 2;
    x->bucket = memory_take_zeroed(x->room * sizeof *x->bucket);
    for (size_t i = 0; i < old_room; i++) {
        for (Record *rec = old[i], *next; rec; rec = next) {
            Record **at = record_place(s, record_id(rec));
            next = rec->bucket;
            rec->bucket = *at;
            *at = rec;
        }
    }
    free(old);
}

static Record *record_get(Store *s, Str id)
{
    Record *rec = record_find(s, id);
    if (rec) {
        return rec;
    }
    if (s->persons->n == s->persons->room) {
        table_grow(s);
    }
    rec = memory_take_zeroed(sizeof *rec + id.n);
    memcpy(rec->id, id.p, id.n);
    rec->id_n = id.n;
    Record **at = record_place(s, id);
    rec->bucket = *at;
    *at = rec;
    s->persons->n++;
    return rec;
}

static void record_part(struct Persons *x, Record *rec)
{
    Record **at = &rec->into->first;
    while (*at != rec) {
        at = &(*at)->beside;
    }
    *at = rec->beside;
    rec->into = rec->beside = NULL;
    atomic_fetch_sub(&x->joined, 1);
}

static void record_join(struct Persons *x, Record *rec, Record *into)
{
    rec->into = into;
    rec->beside = into->first;
    into->first = rec;
    atomic_fetch_add(&x->joined, 1);
}

static const Record *survivor(const Record *rec)
{
    for (int i = 0; rec->into && i < PERSON_CHAIN_MAX; i++) {
        rec = rec->into;
    }
    return rec;
}

/* All records of the person; links in a circle are walked once. */
static size_t person_gather(const Record *of, const Record **list)
{
    size_t n = 0;
    list[n++] = survivor(of);
    for (size_t done = 0; done < n; done++) {
        for (const Record *rec = list[done]->first; rec; rec = rec->beside) {
            bool known = n == PERSON_RECORDS_MAX;
            for (size_t i = 0; i < n && !known; i++) {
                known = list[i] == rec;
            }
            if (!known) {
                list[n++] = rec;
            }
        }
    }
    return n;
}

/* ---- What a body says --------------------------------------------------------------------- */

Str store_person_into(const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "link")); json_next(&it);) {
        Str other = json_str_at(d, it.value, "other.reference");
        if (str_is(json_str_at(d, it.value, "type"), "replaced-by") &&
            str_starts(other, STR("Patient/"))) {
            return str_skip(other, 8);
        }
    }
    return STR_NONE;
}

void store_persons_note(Store *s, Str patient_id, Str body)
{
    struct Persons *x = s->persons;
    Arena a;
    JsonDoc d;
    arena_init(&a, PAGE_BYTES);
    bool there = body.n && json_parse(&a, body, &JSON_LIMITS_FHIR, &d, NULL) == OK;
    Str into = there ? store_person_into(&d) : STR_NONE;
    pthread_rwlock_wrlock(&x->lock);
    Record *rec = record_find(s, patient_id);
    if (rec && rec->into) {
        record_part(x, rec);
    }
    if (into.n && !str_eq(into, patient_id)) {
        rec = record_get(s, patient_id);
        record_join(x, rec, record_get(s, into));
    }
    pthread_rwlock_unlock(&x->lock);
    arena_done(&a);
}

/* ---- Asking ------------------------------------------------------------------------------- */

static bool anybody(const Store *s)
{
    return s && s->persons && atomic_load(&s->persons->joined) > 0;
}

Str store_person_survivor(const Store *s, Arena *a, Str patient_id)
{
    Str id = patient_id;
    if (!anybody(s)) {
        return id;
    }
    pthread_rwlock_rdlock(&s->persons->lock);
    const Record *rec = record_find(s, patient_id);
    if (rec) {
        id = arena_str(a, record_id(survivor(rec)));
    }
    pthread_rwlock_unlock(&s->persons->lock);
    return id;
}

size_t store_person_others(const Store *s, Arena *a, Str patient_id, const Str **ret)
{
    const Record *list[PERSON_RECORDS_MAX];
    size_t n = 0, kept = 0;
    if (!anybody(s)) {
        return 0;
    }
    Str *id = NULL;
    pthread_rwlock_rdlock(&s->persons->lock);
    const Record *rec = record_find(s, patient_id);
    n = rec ? person_gather(rec, list) : 0;
    id = arena_array(a, Str, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (list[i] != rec) {
            id[kept++] = arena_str(a, record_id(list[i]));
        }
    }
    pthread_rwlock_unlock(&s->persons->lock);
    *ret = id;
    return kept;
}

/* ---- Sight -------------------------------------------------------------------------------- */

/* Of one record's own grants copies for the other. */
static Status grants_copy(StoreReader *r, StoreBatch *b, Str from, Str to, int64_t now_ms, Err *err)
{
    const StoreGrant *grant;
    size_t n;
    TRY(store_grants_of(r, b->arena, from, now_ms, &grant, &n, err));
    for (size_t i = 0; i < n; i++) {
        batch_grant_copy(b, &grant[i], to);
    }
    return OK;
}

typedef struct Ids {
    Str *at;
    size_t n;
} Ids;

/* Under the lock: all records of the person. */
static Ids ids_of(Arena *a, const Record *of)
{
    const Record *list[PERSON_RECORDS_MAX];
    Ids ids = {.n = person_gather(of, list)};
    ids.at = arena_array(a, Str, ids.n);
    for (size_t i = 0; i < ids.n; i++) {
        ids.at[i] = arena_str(a, record_id(list[i]));
    }
    return ids;
}

static Ids records_of(Store *s, Arena *a, Str id)
{
    pthread_rwlock_rdlock(&s->persons->lock);
    const Record *rec = record_find(s, id);
    Ids ids = rec ? ids_of(a, rec) : (Ids){arena_new(a, Str), 1};
    pthread_rwlock_unlock(&s->persons->lock);
    if (!rec) {
        ids.at[0] = id;
    }
    return ids;
}

/* Each of one side for each of the other; the two may be the same. */
static Status grants_mix(StoreReader *r, StoreBatch *b, Ids one, Ids two, int64_t now_ms, Err *err)
{
    for (size_t i = 0; i < one.n; i++) {
        for (size_t k = 0; k < two.n; k++) {
            if (!str_eq(one.at[i], two.at[k])) {
                TRY(grants_copy(r, b, one.at[i], two.at[k], now_ms, err));
            }
        }
    }
    return OK;
}

Status store_persons_join(StoreReader *r, StoreBatch *b, Str from, Str into, int64_t now_ms,
                          Err *err)
{
    Ids one = records_of(r->store, b->arena, from), two = records_of(r->store, b->arena, into);
    TRY(grants_mix(r, b, one, two, now_ms, err));
    return grants_mix(r, b, two, one, now_ms, err);
}

/* Those that stay with a record when the link from → into goes. */
static void part_gather(Store *s, Arena *a, Str from, Str into, Ids *ret)
{
    pthread_rwlock_wrlock(&s->persons->lock);
    Record *rec = record_find(s, from), *was = rec ? rec->into : NULL;
    if (was && str_eq(record_id(was), into)) {
        record_part(s->persons, rec);
        ret[0] = ids_of(a, rec);
        ret[1] = ids_of(a, was);
        record_join(s->persons, rec, was);
    }
    pthread_rwlock_unlock(&s->persons->lock);
}

/* All copies end; those of records that stay together are made again. */
Status store_persons_part(StoreReader *r, StoreBatch *b, Str from, Str into, int64_t now_ms,
                          Err *err)
{
    Ids side[2] = {{0}};
    part_gather(r->store, b->arena, from, into, side);
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < side[i].n; k++) {
            batch_grant_copies_end(b, side[i].at[k], now_ms);
        }
    }
    for (int i = 0; i < 2; i++) {
        TRY(grants_mix(r, b, side[i], side[i], now_ms, err));
    }
    return OK;
}

/* ---- Following the log -------------------------------------------------------------------- */

/* False: it could not be read now, so nothing is known of it. */
static bool patient_look(StoreReader *r, Arena *a, const StoreVersion *row)
{
    StoreVersion v;
    Status s = store_read(r, a, &STORE_VIEW_ALL, row->type, row->id, &v, NULL);
    bool known = s == OK || s == ERR_NOT_FOUND || s == ERR_GONE;
    if (known) {
        store_persons_note(r->store, row->id, s == OK ? v.body : STR_NONE);
    }
    return known;
}

void store_persons_keep(StoreReader *r, bool *ret_more)
{
    struct Persons *x = r->store->persons;
    Arena a;
    StoreVersion *rows;
    size_t n = 0;
    bool known = true;
    if (x->seq >= store_seq(r->store)) {
        return;
    }
    arena_init(&a, PAGE_BYTES);
    if (store_log(r, &a, x->seq, STRETCH, &rows, &n, NULL) != OK) {
        n = 0;
    }
    for (size_t i = 0; i < n && known; i++) {
        known = !str_is(rows[i].type, "Patient") || patient_look(r, &a, &rows[i]);
        x->seq = known ? rows[i].seq : x->seq;
    }
    *ret_more |= known && n > 0 && x->seq < store_seq(r->store);
    arena_done(&a);
}

/* ---- Life --------------------------------------------------------------------------------- */

static Status link_told(void *ctx, const StoreVersion *v, Err *err)
{
    (void)err;
    store_persons_note(ctx, v->id, v->body);
    return OK;
}

/* Those that say of themselves that they are linked. */
static Status links_load(StoreReader *r, Err *err)
{
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    const FhirParam *link = fhir_param_find(patient, STR("link"));
    return store_referring(r, patient, link, link_told, r->store, err);
}

Status store_persons_open(Store *s, Err *err)
{
    struct Persons *x = memory_take_zeroed(sizeof *x);
    StoreReader *r;
    pthread_rwlock_init(&x->lock, NULL);
    x->room = BUCKETS_MIN;
    x->bucket = memory_take_zeroed(x->room * sizeof *x->bucket);
    x->seq = store_seq(s);
    s->persons = x;
    TRY(store_reader_open(s, &r, err));
    Status status = links_load(r, err);
    store_reader_close(r);
    return status;
}

void store_persons_close(Store *s)
{
    struct Persons *x = s->persons;
    if (!x) {
        return;
    }
    for (size_t i = 0; i < x->room; i++) {
        for (Record *rec = x->bucket[i], *next; rec; rec = next) {
            next = rec->bucket;
            free(rec);
        }
    }
    free(x->bucket);
    pthread_rwlock_destroy(&x->lock);
    free(x);
    s->persons = NULL;
}
