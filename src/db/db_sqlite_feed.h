/* The table `fed` of a connection: its rows are those of the feed that is set (db_feed.h). */
#ifndef DB_SQLITE_FEED_H
#define DB_SQLITE_FEED_H

#include <sqlite3.h>

#include "db_feed.h"

typedef struct SqliteFeed {
    DbFeed *next; /* NULL: no rows */
    void *ctx;
} SqliteFeed;

/* The feed lives as long as the connection. */
bool sqlite_feed_set_up(sqlite3 *db, SqliteFeed *feed);

/* Whole numbers take the bytes of integers; a column of type REAL gives them back as they were. */
static inline bool sqlite_is_whole(double v)
{
    const double most = 1e12;
    return v >= -most && v <= most && v == (double)(int64_t)v;
}

#endif
