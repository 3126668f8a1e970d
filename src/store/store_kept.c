/* Kept sets (store_kept.h): reading them, keeping them up, taking bits from them. */
#include <stdlib.h>

#include "store_kept.h"
#include "store_params_inner.h"

#include "mk_banned.h"

#define KEPT_BUCKETS 256u
#define KEPT_BYTES   (32u << 20) /* of all sets: the longest unused make room */
#define KEPT_LEAST   1024        /* rows: a shorter list is read again */
#define KEPT_LISTS   8           /* of one condition */
#define KEPT_SHARE   20          /* rows read one after another, beside others of the budget */
#define KEPT_GROWTH  65536       /* rids that a set has room for beyond those there are */

typedef struct KeptKey {
    IndexTable table; /* INDEX_TOKEN, INDEX_REF; any: of any values */
    bool any;         /* who has any value of the parameter; hash is 0 */
    uint32_t param;
    int64_t hash;
} KeptKey;

typedef struct KeptSet {
    struct KeptSet *next; /* of the bucket */
    KeptKey key;
    atomic_uint refs;
    atomic_uint_fast64_t used;
    size_t n;
    _Atomic uint64_t *word;
} KeptSet;

struct KeptSets {
    pthread_rwlock_t lock;
    KeptSet *bucket[KEPT_BUCKETS];
    size_t sets, bytes;
    size_t any; /* of the sets: those of any value */
    atomic_uint_fast64_t stamp;
    atomic_uint_fast64_t state; /* odd: the index is being changed */
};

/* ---- One set ----------------------------------------------------------------------------- */

static KeptSet *set_new(KeptKey key, int64_t rid_max)
{
    KeptSet *x = memory_take_zeroed(sizeof *x);
    x->key = key;
    x->n = (size_t)(rid_max + KEPT_GROWTH) / 64 + 1;
    x->word = memory_take_zeroed(x->n * sizeof *x->word);
    atomic_store(&x->refs, 1);
    return x;
}

static void set_drop(KeptSet *x)
{
    if (atomic_fetch_sub(&x->refs, 1) == 1) {
        free((void *)x->word);
        free(x);
    }
}

static void set_put(KeptSet *x, int64_t rid, bool in)
{
    uint64_t bit = (uint64_t)1 << (rid % 64);
    if (in) {
        atomic_fetch_or_explicit(&x->word[rid / 64], bit, memory_order_relaxed);
    } else {
        atomic_fetch_and_explicit(&x->word[rid / 64], ~bit, memory_order_relaxed);
    }
}

/* ---- All of them ------------------------------------------------------------------------- */

void kept_open(Store *s)
{
    s->kept = memory_take_zeroed(sizeof *s->kept);
    pthread_rwlock_init(&s->kept->lock, NULL);
}

static KeptSet **set_place(struct KeptSets *k, KeptKey key)
{
    uint64_t h = ((uint64_t)key.hash ^ (uint64_t)key.param << 8 ^ (uint64_t)key.any << 7 ^
                  (uint64_t)key.table) *
                 0x9e3779b97f4a7c15u;
    KeptSet **at = &k->bucket[h >> 56];
    while (*at && ((*at)->key.hash != key.hash || (*at)->key.param != key.param ||
                   (*at)->key.table != key.table || (*at)->key.any != key.any)) {
        at = &(*at)->next;
    }
    return at;
}

static void set_take_out(struct KeptSets *k, KeptSet **at)
{
    KeptSet *x = *at;
    *at = x->next;
    k->sets--;
    k->any -= x->key.any;
    k->bytes -= x->n * sizeof *x->word;
    set_drop(x);
}

static void sets_clear(struct KeptSets *k)
{
    for (size_t i = 0; i < KEPT_BUCKETS; i++) {
        while (k->bucket[i]) {
            set_take_out(k, &k->bucket[i]);
        }
    }
}

void kept_close(Store *s)
{
    sets_clear(s->kept);
    pthread_rwlock_destroy(&s->kept->lock);
    free(s->kept);
}

static void sets_bound(struct KeptSets *k)
{
    while (k->bytes > KEPT_BYTES) {
        KeptSet **oldest = NULL;
        for (size_t i = 0; i < KEPT_BUCKETS; i++) {
            for (KeptSet **at = &k->bucket[i]; *at; at = &(*at)->next) {
                oldest = !oldest || atomic_load(&(*at)->used) < atomic_load(&(*oldest)->used)
                             ? at
                             : oldest;
            }
        }
        set_take_out(k, oldest);
    }
}

/* ---- The merger -------------------------------------------------------------------------- */

static void row_put(struct KeptSets *k, KeptKey key, int64_t rid, bool in, bool *outgrown)
{
    KeptSet *x = *set_place(k, key);
    if (x && (size_t)rid / 64 < x->n) {
        set_put(x, rid, in);
    }
    *outgrown = *outgrown || (x && (size_t)rid / 64 >= x->n);
}

static void rows_put(struct KeptSets *k, const IndexDoc *doc, int64_t rid, bool in, bool *outgrown)
{
    for (size_t i = 0; doc && i < doc->rows_n; i++) {
        const IndexRow *row = &doc->rows[i];
        if (row->table == INDEX_TOKEN || row->table == INDEX_REF) {
            row_put(k, (KeptKey){row->table, false, row->param, row->a}, rid, in, outgrown);
        }
        if (k->any) {
            row_put(k, (KeptKey){row->table, true, row->param, 0}, rid, in, outgrown);
        }
    }
}

/* What has no room for the newest rids, or was changed for nothing: read anew when asked for. */
static void sets_forget(struct KeptSets *k)
{
    pthread_rwlock_wrlock(&k->lock);
    sets_clear(k);
    pthread_rwlock_unlock(&k->lock);
}

void kept_change_begin(Store *s, const IndexMove *moves, size_t n)
{
    struct KeptSets *k = s->kept;
    bool outgrown = false;
    atomic_fetch_add(&k->state, 1);
    pthread_rwlock_rdlock(&k->lock);
    for (size_t i = 0; i < n && k->sets; i++) {
        rows_put(k, moves[i].old, moves[i].rid, false, &outgrown);
        rows_put(k, moves[i].fresh, moves[i].rid, true, &outgrown);
    }
    pthread_rwlock_unlock(&k->lock);
    if (outgrown) {
        sets_forget(k);
    }
}

void kept_change_end(Store *s, bool done)
{
    struct KeptSets *k = s->kept;
    if (!done) {
        sets_forget(k);
    }
    atomic_fetch_add(&k->state, 1);
}

uint64_t kept_state(const Store *s)
{
    return atomic_load(&s->kept->state);
}

/* ---- A reader ---------------------------------------------------------------------------- */

static bool state_holds(const Run *r)
{
    atomic_thread_fence(memory_order_acquire);
    return r->reader->kept_state == kept_state(r->store);
}

/* Held for the caller; NULL: there is none. */
static KeptSet *set_find(Run *r, KeptKey key)
{
    struct KeptSets *k = r->store->kept;
    pthread_rwlock_rdlock(&k->lock);
    KeptSet *x = *set_place(k, key);
    if (x) {
        atomic_fetch_add(&x->refs, 1);
        atomic_store(&x->used, atomic_fetch_add(&k->stamp, 1));
    }
    pthread_rwlock_unlock(&k->lock);
    return x;
}

/* All rows of a parameter. */
static DbStmt *any_stmt(Db *db, IndexTable table)
{
    switch (table) {
    case INDEX_TOKEN:
        return db_take(db, "SELECT rid FROM token WHERE param = ?");
    case INDEX_REF:
        return db_take(db, "SELECT rid FROM ref WHERE param = ?");
    case INDEX_DATE:
        return db_take(db, "SELECT rid FROM date WHERE param = ?");
    case INDEX_STRING:
        return db_take(db, "SELECT rid FROM string WHERE param = ?");
    case INDEX_URI:
        return db_take(db, "SELECT rid FROM uri WHERE param = ?");
    case INDEX_NUMBER:
        return db_take(db, "SELECT rid FROM number WHERE param = ?");
    default:
        return db_take(db, "SELECT rid FROM quantity WHERE param = ?");
    }
}

static DbStmt *list_stmt(Run *r, KeptKey key)
{
    Db *db = r->reader->index;
    if (key.any) {
        DbStmt *any = any_stmt(db, key.table);
        if (any) {
            db_bind_i64(any, 0, key.param);
        }
        return any;
    }
    DbStmt *st = key.table == INDEX_TOKEN
                     ? db_take(db, "SELECT rid FROM token WHERE param = ? AND hash = ?")
                     : db_take(db, "SELECT rid FROM ref WHERE param = ? AND hash = ?");
    if (st) {
        db_bind_i64(st, 0, key.param);
        db_bind_i64(st, 1, key.hash);
    }
    return st;
}

static Status set_fill(Run *r, KeptSet *x, int64_t *ret_rows, Err *err)
{
    DbStmt *st = list_stmt(r, x->key);
    DbStep step = DB_NONE;
    Status s = st ? OK : db_failed(r->reader->index, err);
    int64_t n = 0;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        set_put(x, db_col_i64(st, 0), true);
        s = ++n % (KEPT_SHARE * BUDGET_LOOK_ROWS) == 0 ? run_charge(r, BUDGET_LOOK_ROWS, err) : OK;
    }
    if (s == OK && step != DB_NONE) {
        s = db_failed(r->reader->index, err);
    }
    db_give(st);
    *ret_rows = n;
    return s;
}

/* For others, too, if nothing was merged since this snapshot. */
static void set_publish(Run *r, KeptSet *x)
{
    struct KeptSets *k = r->store->kept;
    pthread_rwlock_wrlock(&k->lock);
    KeptSet **at = set_place(k, x->key);
    if (!*at && state_holds(r)) {
        atomic_fetch_add(&x->refs, 1);
        atomic_store(&x->used, atomic_fetch_add(&k->stamp, 1));
        x->next = NULL;
        *at = x;
        k->sets++;
        k->any += x->key.any;
        k->bytes += x->n * sizeof *x->word;
        sets_bound(k);
    }
    pthread_rwlock_unlock(&k->lock);
}

static Status set_read(Run *r, KeptKey key, Bits bits, Err *err)
{
    int64_t rows;
    KeptSet *x = set_new(key, r->reader->rid_max);
    Status s = set_fill(r, x, &rows, err);
    for (size_t i = 0; s == OK && i < bits.n; i++) {
        bits.word[i] |= atomic_load_explicit(&x->word[i], memory_order_relaxed);
    }
    if (s == OK && rows >= KEPT_LEAST) {
        set_publish(r, x);
    }
    set_drop(x);
    return s;
}

/* One list's, as it stands in index.db. */
static Status list_bits(Run *r, KeptKey key, bool make, Bits bits, bool *ret_known, Err *err)
{
    KeptSet *x = set_find(r, key);
    *ret_known = x || make;
    if (!x) {
        return make ? set_read(r, key, bits, err) : OK;
    }
    for (size_t i = 0; i < bits.n && i < x->n; i++) {
        bits.word[i] |= atomic_load_explicit(&x->word[i], memory_order_relaxed);
    }
    *ret_known = x->n >= bits.n && state_holds(r);
    set_drop(x);
    return OK;
}

/* ---- Conditions -------------------------------------------------------------------------- */

Bits bits_new(Run *r)
{
    size_t n = (size_t)r->reader->rid_max / 64 + 1;
    return (Bits){arena_array(r->arena, uint64_t, n), n};
}

int64_t bits_count(Bits b)
{
    int64_t n = 0;
    for (size_t i = 0; i < b.n; i++) {
        n += __builtin_popcountll(b.word[i]);
    }
    return n;
}

bool test_is_listed(const Test *t)
{
    const Clause *c = t->clause;
    return t->of_any || (!t->is_set && !t->no_rows && !t->lazy && !t->wide && !test_is_text(t) &&
                         (c->kind == CLAUSE_TOKEN || c->kind == CLAUSE_REF) &&
                         c->modifier != MODIFIER_MISSING && t->hash_n * t->part_n <= KEPT_LISTS);
}

bool test_is_negated(const Test *t)
{
    return clause_is_negated(t->clause) || (t->of_any && t->clause->missing);
}

/* Who has any value; a reference may be by an identifier alone. */
static size_t any_keys(const Test *t, KeptKey *ret)
{
    static const IndexTable tables[] = {
        [CLAUSE_TOKEN] = INDEX_TOKEN,   [CLAUSE_REF] = INDEX_REF,
        [CLAUSE_DATE] = INDEX_DATE,     [CLAUSE_STRING] = INDEX_STRING,
        [CLAUSE_NUMBER] = INDEX_NUMBER, [CLAUSE_QUANTITY] = INDEX_QUANTITY,
        [CLAUSE_URI] = INDEX_URI,
    };
    ret[0] = (KeptKey){tables[t->clause->kind], true, t->part[0], 0};
    ret[1] = (KeptKey){INDEX_TOKEN, true, t->part[0], 0};
    return t->clause->kind == CLAUSE_REF ? 2 : 1;
}

static size_t test_keys(const Run *r, const Test *t, KeptKey *ret)
{
    size_t n = 0;
    if (!t) {
        ret[n++] = (KeptKey){INDEX_TOKEN, false, index_param_all(r->query->type), 0};
        return n;
    }
    if (t->of_any) {
        return any_keys(t, ret);
    }
    bool token = t->clause->kind == CLAUSE_TOKEN || t->clause->modifier == MODIFIER_IDENTIFIER;
    for (; n < t->hash_n * t->part_n; n++) {
        ret[n] = (KeptKey){token ? INDEX_TOKEN : INDEX_REF, false, t->part[n / t->hash_n],
                           t->hash[n % t->hash_n]};
    }
    return n;
}

static void bits_put(Bits b, int64_t rid, bool in)
{
    uint64_t bit = (uint64_t)1 << (rid % 64);
    if ((size_t)rid / 64 < b.n) {
        b.word[rid / 64] = in ? b.word[rid / 64] | bit : b.word[rid / 64] & ~bit;
    }
}

/* What the delta says of the resources that it names. */
static Status delta_over(Run *r, const KeptKey *key, size_t n, Bits bits, Err *err)
{
    const DeltaView *view = &r->reader->delta;
    const DeltaDoc *d = delta_change_after(view, r->query->type, 0);
    int64_t looked = 0;
    for (; d; d = delta_change_after(view, r->query->type, d->seq)) {
        bool in = false;
        looked++;
        if (!delta_is_head(view, d)) {
            continue;
        }
        for (size_t i = 0; i < n && d->doc && !in; i++) {
            in = key[i].any ? delta_doc_has_any(d, key[i].table, key[i].param)
                            : delta_doc_has(d, key[i].table, key[i].param, key[i].hash);
        }
        bits_put(bits, d->rid, in);
    }
    return run_charge(r, looked, err);
}

Status bits_of_test(Run *r, const Test *t, bool make, Bits bits, bool *ret_known, Err *err)
{
    KeptKey key[KEPT_LISTS];
    const Store *s = r->store;
    *ret_known = s->threads && !s->server && r->reader->kept_state % 2 == 0;
    size_t n = *ret_known ? test_keys(r, t, key) : 0;
    for (size_t i = 0; i < n && *ret_known; i++) {
        *ret_known = !(key[i].param & PARAM_BIT);
        if (*ret_known) {
            TRY(list_bits(r, key[i], make, bits, ret_known, err));
        }
    }
    return *ret_known ? delta_over(r, key, n, bits, err) : OK;
}
