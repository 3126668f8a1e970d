/*
 * The seam below db.h: what a kind of database must give. Handles are the driver's own.
 * A step returns the four results of db.h; everything else that can fail returns false, and
 * `failed` then says why.
 */
#ifndef DB_DRIVER_H
#define DB_DRIVER_H

#include "db_feed.h"
#include "db_id.h"

/* What one process at a time does: making tables; or what db_alone_begin is for. */
#define DB_ALONE_MAKING "making"
#define DB_ALONE_ASKED  "asked"

typedef struct DbDriver {
    const char *name;
    bool (*open)(const DbOptions *options, void **ret_conn);
    void (*close)(void *conn);
    bool (*exec)(void *conn, const char *sql);
    void *(*prepare)(void *conn, const char *sql);
    void (*finalize)(void *stmt);
    void (*bind_i64)(void *stmt, int i, int64_t v);
    void (*bind_double)(void *stmt, int i, double v);
    void (*bind_bytes)(void *stmt, int i, Str v, bool text);
    DbStep (*step)(void *stmt);
    void (*reset)(void *stmt); /* what is bound stays */
    /* The rows of the table `fed`; NULL: none. The driver of a server has no such table. */
    void (*feed_set)(void *conn, DbFeed *feed, void *ctx);
    int64_t (*col_i64)(void *stmt, int c);
    double (*col_double)(void *stmt, int c);
    bool (*col_bytes)(void *stmt, int c, Str *ret);          /* false: NULL */
    Str (*col_id)(void *stmt, int c, char room[DB_ID_TEXT]); /* NULL: ids are text */
    Status (*failed)(void *conn, Err *err);
    bool (*in_transaction)(const void *conn); /* as the database itself sees it */
    bool (*sync_set)(void *conn, DbSync sync);
    bool (*checkpoint)(void *conn, DbCheckpoint how, int *ret_pages);
    bool (*compact)(void *conn);
    bool (*compact_into)(void *conn, const char *path, DbStopped *stopped, void *ctx); /* a file */
    void (*wait_set)(void *conn, int wait_ms);
    Status (*copy)(void *conn, const char *path, DbTold *told, void *ctx, Err *err); /* of a file */
    int (*wal_pages)(const void *conn);
    bool (*state_get)(void *conn, int32_t *ret_application, int *ret_state);
    bool (*state_set)(void *conn, int32_t application, int state);
    /* Of a server alone; NULL: the database is a file. */
    Str (*list_i64)(Arena *a, const int64_t *v, size_t n);
    Str (*list_str)(Arena *a, const Str *v, size_t n);
    void (*row_is_new)(void *stmt); /* until reset */
    bool (*ask)(void *stmt, bool *ret);
    bool (*ask_end)(void *conn);
    bool (*alone)(void *conn, const char *what, bool begin);
    bool (*space_drop)(void *conn, const char *space);
    bool (*space_take)(void *conn, const char *from, const char *to, const char *table);
    bool (*listen_wait)(void *conn, int timeout_ms, bool *ret_heard);
} DbDriver;

extern const DbDriver db_driver_sqlite, db_driver_postgres;

#endif
