/*
 * Many rows by one statement. A file's database takes them one after another without binding and
 * starting the statement anew for each, which is most of what a small row costs; a server gets the
 * statement once for each row, and joins them itself.
 */
#ifndef DB_FEED_H
#define DB_FEED_H

#include "db.h"

#define DB_FEED_COLUMNS 6

typedef enum DbKind { DB_I64, DB_DOUBLE, DB_TEXT } DbKind;

typedef struct DbValue {
    DbKind kind;
    bool is_new; /* of a row's first value: the row is (db_row_is_new) */
    union {
        int64_t i;
        double d;
    };
    Str s; /* lives until the next row is asked for */
} DbValue;

/* The next row's values, as many as the statement has columns; false: there are no more. */
typedef bool DbFeed(void *ctx, DbValue *row);

/* The same statement for one row and for all: DB_FEED_INTO("INSERT INTO t(a, b)", "?, ?", 2). */
typedef struct DbFeedSql {
    const char *one, *all;
} DbFeedSql;

#define DB_FED_2 "c0, c1"
#define DB_FED_3 DB_FED_2 ", c2"
#define DB_FED_4 DB_FED_3 ", c3"
#define DB_FED_5 DB_FED_4 ", c4"
#define DB_FEED_INTO(into, marks, n)                                                               \
    {                                                                                              \
        into " VALUES(" marks ")", into " SELECT " DB_FED_##n " FROM fed"                          \
    }

/* Within a transaction. The feed is asked before and while rows are written, and may not use this
 * connection. */
Status db_feed(Db *db, const DbFeedSql *sql, int columns, DbFeed *feed, void *ctx,
               Err *err) MUST_USE;

void db_bind_value(DbStmt *st, int i, const DbValue *v);

#endif
