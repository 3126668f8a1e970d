/* Operations on rows of the index, made from moves of resources and sorted. */
#include "store_ops.h"

#include <stdlib.h>

#include "mk_banned.h"

/* ---- Making ---------------------------------------------------------------------------------- */

/* The clinical date stands in these rows, so they differ when it does. */
static bool row_has_nd(const IndexRow *row)
{
    return row->table == INDEX_TOKEN || row->table == INDEX_REF || row->table == INDEX_COMPARTMENT;
}

static size_t ops_of_move(const IndexMove *m, RowOp *ops)
{
    size_t n = 0, i = 0, j = 0;
    size_t old_n = m->old ? m->old->rows_n : 0, new_n = m->fresh ? m->fresh->rows_n : 0;
    bool nd_same = m->old && m->fresh && m->old->nd == m->fresh->nd;
    while (i < old_n || j < new_n) {
        const IndexRow *x = i < old_n ? &m->old->rows[i] : NULL;
        const IndexRow *y = j < new_n ? &m->fresh->rows[j] : NULL;
        int c = !x ? 1 : !y ? -1 : index_row_order(x, y);
        if (c == 0 && (nd_same || !row_has_nd(x))) {
            i++;
            j++;
            continue;
        }
        if (c <= 0) {
            ops[n++] = (RowOp){x, m->rid, m->old->nd, false, false};
            i++;
        }
        if (c >= 0) {
            ops[n++] = (RowOp){y, m->rid, m->fresh->nd, true, m->born};
            j++;
        }
    }
    return n;
}

/* ---- Sorting --------------------------------------------------------------------------------- */

/*
 * Most rows differ in these 128 bits, by which they are sorted without looking at them again: table
 * and direction, the first columns of the key, and what follows in it.
 */
typedef struct OpKey {
    uint64_t high, low;
    const RowOp *op;
} OpKey;

enum { TABLE_SHIFT = 60, GOES_SHIFT = 59, PARAM_SHIFT = 27 };

static uint64_t of_i64(int64_t v)
{
    return (uint64_t)v ^ (uint64_t)1 << 63;
}

static uint64_t of_double(double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    return v >> 63 ? ~v : v | (uint64_t)1 << 63;
}

static uint64_t of_text(Str s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof v; i++) {
        v = v << 8 | (i < s.n ? (uint8_t)s.p[i] : 0);
    }
    return v;
}

static uint64_t key_low(const RowOp *op)
{
    const IndexRow *row = op->row;
    switch (row->table) {
    case INDEX_TOKEN:
    case INDEX_REF:
        return of_i64(op->nd);
    case INDEX_NUMBER:
    case INDEX_QUANTITY:
        return of_double(row->lo);
    case INDEX_STRING:
    case INDEX_URI:
        return of_text(row->text);
    case INDEX_COMPARTMENT:
        return (uint64_t)row->param << 56 | of_i64(row->b) >> 8;
    default:
        return of_i64(row->a);
    }
}

static OpKey key_of(const RowOp *op)
{
    const IndexRow *row = op->row;
    uint64_t goes = op->add || row->table == INDEX_CODE ? 0 : (uint64_t)1 << GOES_SHIFT;
    uint64_t first = row->table == INDEX_COMPARTMENT ? of_i64(row->a) >> (64 - GOES_SHIFT)
                                                     : (uint64_t)row->param << PARAM_SHIFT |
                                                           of_i64(row->a) >> (64 - PARAM_SHIFT);
    return (OpKey){(uint64_t)row->table << TABLE_SHIFT | goes | first, key_low(op), op};
}

static uint8_t digit(const OpKey *k, unsigned i)
{
    return (uint8_t)(i < 8 ? k->low >> 8 * i : k->high >> 8 * (i - 8));
}

typedef size_t Counts[16][256];

static void digits_count(const OpKey *k, size_t n, Counts count)
{
    for (size_t i = 0; i < n; i++) {
        for (unsigned d = 0; d < 16; d++) {
            count[d][digit(&k[i], d)]++;
        }
    }
}

/* By one byte, from `from` to `to`; count: how many have which, then where the next one goes. */
static void sort_by_digit(const OpKey *from, OpKey *to, size_t n, unsigned i, size_t *count)
{
    size_t at = 0;
    for (size_t d = 0; d < 256; d++) {
        size_t here = count[d];
        count[d] = at;
        at += here;
    }
    for (size_t k = 0; k < n; k++) {
        to[count[digit(&from[k], i)]++] = from[k];
    }
}

/* Among those of one key. */
static int op_order(const void *x, const void *y)
{
    const RowOp *p = ((const OpKey *)x)->op, *q = ((const OpKey *)y)->op;
    int c = index_row_order(p->row, q->row);
    c = c ? c : p->nd < q->nd ? -1 : p->nd > q->nd;
    return c ? c : p->rid < q->rid ? -1 : p->rid > q->rid;
}

static bool is_in_order(const OpKey *k, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (op_order(&k[i - 1], &k[i]) > 0) {
            return false;
        }
    }
    return true;
}

/* Of other tables the rest of the key is the resource, in whose order the moves are. */
static bool key_is_part(const RowOp *op)
{
    IndexTable t = op->row->table;
    return t == INDEX_STRING || t == INDEX_URI || t == INDEX_CODE || t == INDEX_PHRASE ||
           t == INDEX_TERM;
}

static void equals_sort(OpKey *k, size_t n)
{
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && k[to].high == k[from].high && k[to].low == k[from].low;) {
            to++;
        }
        if (to - from > 1 && key_is_part(k[from].op) && !is_in_order(k + from, to - from)) {
            qsort(k + from, to - from, sizeof *k, op_order);
        }
    }
}

/* Returns where they stand then: in `k` or in `room`. */
static OpKey *keys_sort(OpKey *k, OpKey *room, size_t n)
{
    Counts count = {{0}};
    digits_count(k, n, count);
    for (unsigned i = 0; n > 1 && i < 16; i++) {
        if (count[i][digit(&k[0], i)] == n) {
            continue; /* it is the same in all */
        }
        sort_by_digit(k, room, n, i, count[i]);
        OpKey *sorted = room;
        room = k;
        k = sorted;
    }
    equals_sort(k, n);
    return k;
}

size_t row_ops_make(Arena *a, const IndexMove *moves, size_t moves_n, const RowOp *const **ret)
{
    size_t room = 0, n = 0;
    for (size_t i = 0; i < moves_n; i++) {
        room += (moves[i].old ? moves[i].old->rows_n : 0) +
                (moves[i].fresh ? moves[i].fresh->rows_n : 0);
    }
    RowOp *ops = arena_alloc_raw(a, room * sizeof *ops);
    for (size_t i = 0; i < moves_n; i++) {
        n += ops_of_move(&moves[i], ops + n);
    }
    OpKey *keys = arena_alloc_raw(a, n * sizeof *keys);
    for (size_t i = 0; i < n; i++) {
        keys[i] = key_of(&ops[i]);
    }
    keys = keys_sort(keys, arena_alloc_raw(a, n * sizeof *keys), n);
    const RowOp **list = arena_alloc_raw(a, n * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        list[i] = keys[i].op;
    }
    *ret = list;
    return n;
}
