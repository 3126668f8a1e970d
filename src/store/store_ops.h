/*
 * What a group of changes does to the rows of the index, one operation a row, in the order in which
 * it is cheap to write: by table, what comes before what goes, so that a server gets each in one
 * statement and a phrase that goes from one resource to another stays; then by the table's key, so
 * that neighbours are written together. Of codes those of the same row stand together whether they
 * come or go, since they are counted; of displays and phrases the same ones do.
 */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "store_index.h"

typedef struct RowOp {
    const IndexRow *row;
    int64_t rid, nd;
    bool add, born; /* born: the resource has no rows yet */
} RowOp;

/* *ret: in order; returns how many. */
size_t row_ops_make(Arena *a, const IndexMove *moves, size_t moves_n, const RowOp *const **ret);

#endif
