/*
 * Rows from one database into another, of files or of a server: table by table, value by value. The
 * transactions are the caller's.
 */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include "db.h"

/* Columns and what they hold, in order: i number, t text, u id, b bytes. */
typedef struct DbTable {
    const char *name, *kinds, *count, *select, *insert;
} DbTable;

#define DB_TABLE(table, kinds, columns, marks, order)                                              \
    {                                                                                              \
        table, kinds, "SELECT count(*) FROM " table,                                               \
            "SELECT " columns " FROM " table " ORDER BY " order,                                   \
            "INSERT INTO " table "(" columns ") VALUES(" marks ")"                                 \
    }

/* May bind other values than those of the row; false: the row is left out. */
typedef bool DbRowChange(void *ctx, DbStmt *in, DbStmt *out);
typedef void DbRowsTold(void *ctx, const char *table, uint64_t done, uint64_t total);

/* change, told: may be NULL. */
Status db_rows_copy(Db *from, Db *to, const DbTable *table, DbRowChange *change, DbRowsTold *told,
                    void *ctx, Err *err) MUST_USE;

#endif
