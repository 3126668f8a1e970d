/*
 * Phrases in the index: each text once, as trigrams under a number, for as long as a resource has
 * it. A text of codes (a display) stays, as the codes do.
 */
#include <stdlib.h>

#include "db_feed.h"
#include "store_inner.h"

#include "mk_banned.h"

size_t grams_of(Str text, Gram *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; n++) {
        ret[n] = (Gram)utf8_next(text, &i) << 2 * GRAM_BITS;
        if (n >= 1) {
            ret[n - 1] |= ret[n] >> GRAM_BITS;
        }
        if (n >= 2) {
            ret[n - 2] |= ret[n] >> 2 * GRAM_BITS;
        }
    }
    return n;
}

static int gram_order(const void *x, const void *y)
{
    Gram p = *(const Gram *)x, q = *(const Gram *)y;
    return p < q ? -1 : p > q;
}

static Status grams_write(Db *db, Arena *a, int64_t phrase, Str text, bool add, Err *err)
{
    Gram *gram = arena_array(a, Gram, text.n + 1);
    size_t n = grams_of(text, gram);
    if (n) {
        qsort(gram, n, sizeof *gram, gram_order);
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && gram[i] == gram[i - 1]) {
            continue;
        }
        DbStmt *st = add ? db_take(db, "INSERT OR IGNORE INTO gram(gram, phrase) VALUES(?, ?)")
                         : db_take(db, "DELETE FROM gram WHERE gram = ? AND phrase = ?");
        if (st) {
            db_bind_i64(st, 0, gram[i]);
            db_bind_i64(st, 1, phrase);
            if (add) {
                db_row_is_new(st); /* as the phrase is */
            }
        }
        TRY(db_run(db, st, err));
    }
    return OK;
}

static Status phrase_find(Db *db, int64_t hash, int64_t *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT id FROM phrase WHERE hash = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, hash);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW ? db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

static Status phrase_insert(Db *db, int64_t id, int64_t hash, Err *err)
{
    DbStmt *st = db_take(db, "INSERT INTO phrase(id, hash) VALUES(?, ?)");
    if (st) {
        db_bind_i64(st, 0, id);
        db_bind_i64(st, 1, hash);
    }
    return db_run(db, st, err);
}

static Status phrase_make(Db *db, Arena *a, int64_t hash, Str text, int64_t *ret, Err *err)
{
    TRY(db_get_i64(db, "SELECT max(id) + 1 FROM phrase", 1, ret, err));
    TRY(phrase_insert(db, *ret, hash, err));
    return grams_write(db, a, *ret, text, true, err);
}

/* The last resource that had it is gone. */
static Status phrase_remove(Db *db, Arena *a, int64_t id, Str text, Err *err)
{
    TRY(grams_write(db, a, id, text, false, err));
    DbStmt *st = db_take(db, "DELETE FROM phrase WHERE id = ?");
    if (st) {
        db_bind_i64(st, 0, id);
    }
    return db_run(db, st, err);
}

static Status phrase_is_used(Db *db, int64_t id, bool *ret, Err *err)
{
    DbStmt *st = db_take(db, "SELECT 1 WHERE EXISTS(SELECT 1 FROM phrase_doc WHERE phrase = ?1)"
                             " OR EXISTS(SELECT 1 FROM phrase_token WHERE phrase = ?1)");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, id);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = step == DB_ROW;
    db_give(st);
    return s;
}

static Status doc_remove(Db *db, int64_t id, const IndexRow *row, int64_t rid, Err *err)
{
    DbStmt *st = db_take(db, "DELETE FROM phrase_doc WHERE phrase = ? AND type = ? AND rid = ?");
    if (st) {
        db_bind_i64(st, 0, id);
        db_bind_i64(st, 1, row->param);
        db_bind_i64(st, 2, rid);
    }
    return db_run(db, st, err);
}

static Status token_write(Db *db, int64_t id, const IndexRow *row, Err *err)
{
    DbStmt *st =
        db_take(db, "INSERT OR IGNORE INTO phrase_token(phrase, param, token) VALUES(?, ?, ?)");
    if (st) {
        db_bind_i64(st, 0, id);
        db_bind_i64(st, 1, row->param);
        db_bind_i64(st, 2, row->a);
    }
    return db_run(db, st, err);
}

static int64_t phrase_hash(const IndexRow *row)
{
    return row->table == INDEX_PHRASE ? row->a : row->b;
}

/* ---- What a merge knows of them ----------------------------------------------------------------
 */

/* Whose a phrase is. */
typedef struct Owner {
    int64_t phrase, type, rid;
} Owner;

typedef struct Known {
    int64_t hash, id; /* 0: there is none */
    Str gone;         /* its text, where a resource lost it */
} Known;

struct Phrases {
    Known *known; /* on a server, in the order of their hashes: asked for at once; else NULL */
    size_t n;
    int64_t last;     /* the greatest number */
    int64_t hash, id; /* of a file: the one that was looked for last; id 0: none */
    Owner *owner;     /* to be written */
    size_t owner_n, owner_room;
};

static int hash_order(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

static Known *known_find(const Phrases *p, int64_t hash)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->known[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    mk_check(low < p->n && p->known[low].hash == hash);
    return &p->known[low];
}

static Status known_read(Phrases *p, Db *db, Arena *a, const int64_t *hashes, Err *err)
{
    DbStmt *st = db_take(db, "SELECT 1, max(id), 0 FROM phrase UNION ALL"
                             " SELECT 0, id, hash FROM phrase WHERE hash = ANY(?::bigint[])");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64s(st, 0, a, hashes, p->n);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        if (db_col_i64(st, 0)) {
            p->last = db_col_i64(st, 1);
        } else {
            known_find(p, db_col_i64(st, 2))->id = db_col_i64(st, 1);
        }
    }
    Status s = step == DB_NONE ? OK : db_failed(db, err);
    db_give(st);
    return s;
}

Status phrases_ask(Db *db, Arena *a, const IndexRow *const *rows, size_t n, Phrases **ret, Err *err)
{
    Phrases *p = *ret = arena_new(a, Phrases);
    if (!db_is_server(db)) {
        return OK;
    }
    int64_t *hashes = arena_array(a, int64_t, n + 1);
    p->known = arena_array(a, Known, n + 1);
    for (size_t i = 0; i < n; i++) {
        hashes[i] = phrase_hash(rows[i]);
    }
    qsort(hashes, n, sizeof *hashes, hash_order);
    for (size_t i = 0; i < n; i++) {
        if (p->n == 0 || p->known[p->n - 1].hash != hashes[i]) {
            hashes[p->n] = hashes[i];
            p->known[p->n++].hash = hashes[i];
        }
    }
    return n ? known_read(p, db, a, hashes, err) : OK;
}

/* ---- Owners: in the order of the table's key --------------------------------------------------
 */

static void owner_add(Phrases *p, Arena *a, int64_t id, const IndexRow *row, int64_t rid)
{
    if (p->owner_n == p->owner_room) {
        size_t room = p->owner_room ? p->owner_room * 2 : 256;
        Owner *more = arena_alloc_raw(a, room * sizeof *more);
        if (p->owner_n) {
            memcpy(more, p->owner, p->owner_n * sizeof *more);
        }
        p->owner = more;
        p->owner_room = room;
    }
    p->owner[p->owner_n++] = (Owner){id, row->param, rid};
}

static int owner_order(const void *x, const void *y)
{
    const Owner *p = x, *q = y;
    if (p->phrase != q->phrase) {
        return p->phrase < q->phrase ? -1 : 1;
    }
    if (p->type != q->type) {
        return p->type < q->type ? -1 : 1;
    }
    return p->rid < q->rid ? -1 : p->rid > q->rid;
}

typedef struct OwnerFeed {
    const Owner *at;
    size_t n;
} OwnerFeed;

static bool feed_owner(void *ctx, DbValue *row)
{
    OwnerFeed *f = ctx;
    if (f->n == 0) {
        return false;
    }
    row[0] = (DbValue){.kind = DB_I64, .i = f->at->phrase};
    row[1] = (DbValue){.kind = DB_I64, .i = f->at->type};
    row[2] = (DbValue){.kind = DB_I64, .i = f->at->rid};
    f->at++;
    f->n--;
    return true;
}

static Status owners_write(Phrases *p, Db *db, Err *err)
{
    static const DbFeedSql add =
        DB_FEED_INTO("INSERT OR IGNORE INTO phrase_doc(phrase, type, rid)", "?, ?, ?", 3);
    OwnerFeed feed = {p->owner, p->owner_n};
    if (p->owner_n == 0) {
        return OK;
    }
    qsort(p->owner, p->owner_n, sizeof *p->owner, owner_order);
    p->owner_n = 0;
    return db_feed(db, &add, 3, feed_owner, &feed, err);
}

/* ---- On a server
 * --------------------------------------------------------------------------------
 */

static Status known_make(Phrases *p, Db *db, Arena *a, Known *k, Str text, Err *err)
{
    k->id = ++p->last;
    TRY(phrase_insert(db, k->id, k->hash, err));
    return grams_write(db, a, k->id, text, true, err);
}

static Status known_write(Phrases *p, Db *db, Arena *a, const IndexRow *row, int64_t rid, bool add,
                          Err *err)
{
    Known *k = known_find(p, phrase_hash(row));
    if (add && !k->id) {
        TRY(known_make(p, db, a, k, row->text, err));
    }
    if (row->table == INDEX_TERM) {
        return token_write(db, k->id, row, err);
    }
    if (!k->id) {
        return OK;
    }
    if (add) {
        owner_add(p, a, k->id, row, rid);
        return OK;
    }
    k->gone = row->text;
    return doc_remove(db, k->id, row, rid, err);
}

#define UNUSED                                                                                     \
    " AND NOT EXISTS(SELECT 1 FROM phrase_doc WHERE phrase = ?1)"                                  \
    " AND NOT EXISTS(SELECT 1 FROM phrase_token WHERE phrase = ?1)"

/* The server looks itself whether the last resource is gone that had it. */
static Status known_remove(Db *db, Arena *a, const Known *k, Err *err)
{
    Gram *gram = arena_array(a, Gram, k->gone.n + 1);
    int64_t *numbers = arena_array(a, int64_t, k->gone.n + 1);
    size_t n = grams_of(k->gone, gram);
    for (size_t i = 0; i < n; i++) {
        numbers[i] = gram[i];
    }
    DbStmt *st =
        db_take(db, "DELETE FROM gram WHERE phrase = ?1 AND gram = ANY(?2::bigint[])" UNUSED);
    if (st) {
        db_bind_i64(st, 0, k->id);
        db_bind_i64s(st, 1, a, numbers, n);
    }
    TRY(db_run(db, st, err));
    st = db_take(db, "DELETE FROM phrase WHERE id = ?1" UNUSED);
    if (st) {
        db_bind_i64(st, 0, k->id);
    }
    return db_run(db, st, err);
}

Status phrases_settle(Phrases *p, Db *db, Arena *a, Err *err)
{
    TRY(owners_write(p, db, err));
    for (size_t i = 0; i < p->n; i++) {
        if (p->known[i].gone.p && p->known[i].id) {
            TRY(known_remove(db, a, &p->known[i], err));
        }
    }
    return OK;
}

/* ---- One row -----------------------------------------------------------------------------------
 */

/* Its number in a file; the same one often comes several times in turn. */
static Status phrase_know(Phrases *p, Db *db, Arena *a, const IndexRow *row, bool add, int64_t *ret,
                          Err *err)
{
    int64_t hash = phrase_hash(row);
    if (!p->id || p->hash != hash) {
        TRY(phrase_find(db, hash, &p->id, err));
        p->hash = hash;
    }
    if (add && !p->id) {
        TRY(phrase_make(db, a, hash, row->text, &p->id, err));
    }
    *ret = p->id;
    return OK;
}

/* Those that come stand before those that go. */
static Status phrase_leave(Phrases *p, Db *db, Arena *a, int64_t id, const IndexRow *row,
                           int64_t rid, Err *err)
{
    bool used;
    TRY(owners_write(p, db, err));
    TRY(doc_remove(db, id, row, rid, err));
    TRY(phrase_is_used(db, id, &used, err));
    if (used) {
        return OK;
    }
    p->id = 0;
    return phrase_remove(db, a, id, row->text, err);
}

Status phrase_write(Phrases *p, Db *db, Arena *a, const IndexRow *row, int64_t rid, bool add,
                    Err *err)
{
    int64_t id;
    if (p->known) {
        return known_write(p, db, a, row, rid, add, err);
    }
    TRY(phrase_know(p, db, a, row, add, &id, err));
    if (row->table == INDEX_TERM) {
        return token_write(db, id, row, err);
    }
    if (add) {
        owner_add(p, a, id, row, rid);
        return OK;
    }
    return id ? phrase_leave(p, db, a, id, row, rid, err) : OK;
}

/* Whether it is there (db_ask). */
Status phrase_ask(Db *db, const IndexRow *row, int64_t rid, bool *ret, Err *err)
{
    bool term = row->table == INDEX_TERM;
    DbStmt *st = term ? db_take(db, "SELECT 1 FROM phrase p JOIN phrase_token t ON t.phrase = p.id"
                                    " WHERE p.hash = ? AND t.param = ? AND t.token = ?")
                      : db_take(db, "SELECT 1 FROM phrase p JOIN phrase_doc d ON d.phrase = p.id"
                                    " WHERE p.hash = ? AND d.type = ? AND d.rid = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, phrase_hash(row));
    db_bind_i64(st, 1, row->param);
    db_bind_i64(st, 2, term ? row->a : rid);
    db_ask(st, ret);
    return OK;
}
