/*
 * Db: a connection to a relational store (SQLite or PostgreSQL), its prepared statements,
 * transactions, migrations. SQL is written once, in what both understand.
 *
 * One connection belongs to one thread at a time. SQL text is always a literal and values are
 * always bound: statements are cached by the literal's address. A statement is taken with
 * db_take and given back with db_give; taking the same literal twice gives two statements, so
 * that walks may nest. What db_col_str returns is valid until the next step of its statement.
 *
 * A step has four results: a row, none (done), retry (another process holds the lock: begin
 * again) and fail. db_failed turns the last two into a Status with a clear text:
 * full disk → ERR_STORAGE_FULL, held lock → ERR_UNAVAILABLE, damage and I/O → ERR_INTERNAL.
 *
 * Of a server a write inside a transaction may only be known to have failed at a later step or at
 * the commit; then the whole transaction is lost.
 *
 * Columns and parameters count from 0.
 */
#ifndef DB_H
#define DB_H

#include "mk.h"

typedef struct Db Db;
typedef struct DbStmt DbStmt;

typedef enum DbStep { DB_ROW, DB_NONE, DB_RETRY, DB_FAIL } DbStep;

typedef enum DbSync { DB_SYNC_OFF, DB_SYNC_NORMAL, DB_SYNC_FULL } DbSync;

typedef struct DbOptions {
    const char *path;  /* of a file, or postgresql://… (then also schema=NAME, of ours) */
    const char *space; /* of a server's database: which tables it makes; NULL: of a file */
    DbSync sync;
    bool create;    /* make it where it is not there */
    bool read_only; /* nothing may be written through it */
    int page_bytes; /* of a new database */
    int cache_kib;  /* 0: the driver's own */
    int64_t mmap_bytes;
    bool overwrite;  /* pages that become free are zeroed too; else only what else is written */
    int wait_ms;     /* for a lock held elsewhere */
    const char *vfs; /* NULL: the system's; tests name their own */
} DbOptions;

Status db_open(const DbOptions *options, Db **ret, Err *err) MUST_USE;
void db_close(Db *db);

/* The path is the address of a server, where several processes may use one database. */
bool db_path_is_server(Str path);

/* One statement without results. */
Status db_exec(Db *db, const char *sql, Err *err) MUST_USE;

/* NULL if it cannot be prepared (damage, no such table); then db_failed says why. */
DbStmt *db_take(Db *db, const char *sql);
void db_give(DbStmt *st);

void db_bind_i64(DbStmt *st, int i, int64_t v);
void db_bind_double(DbStmt *st, int i, double v);
void db_bind_str(DbStmt *st, int i, Str v); /* the bytes must live until db_give */
void db_bind_blob(DbStmt *st, int i, const void *p, size_t n);
void db_bind_null(DbStmt *st, int i);
/* A resource's id: in a file a UUID stands as its 16 bytes, everything else as text; so what is
 * bound finds only what was bound likewise. Migrations of files have packed_id(text) for it.
 * i < DB_ID_COLUMNS; an id that is no UUID must live on, as for db_bind_str. */
void db_bind_id(DbStmt *st, int i, Str id);
/* What is bound is a row that no table has yet and that comes once: of an INSERT that would ignore
 * or replace what is there, a server need not look for it. Until db_give. */
void db_row_is_new(DbStmt *st);

DbStep db_step(DbStmt *st);
void db_rewind(DbStmt *st); /* keeps what is bound */

int64_t db_col_i64(DbStmt *st, int c);
double db_col_double(DbStmt *st, int c);
Str db_col_str(DbStmt *st, int c); /* text or blob */
bool db_col_is_null(DbStmt *st, int c);
Str db_col_id(DbStmt *st, int c); /* as text; c < DB_ID_COLUMNS */
#define DB_ID_COLUMNS 16

/* Why the last operation on the connection failed, as an issue. Never OK. */
Status db_failed(Db *db, Err *err);
/* The first failure of a step or of preparing one since db_calm, whoever was told of it; or OK. */
Status db_trouble(const Db *db);
void db_calm(Db *db);

/* Takes, binds nothing, steps once, gives back: DB_NONE and DB_ROW are both success. */
Status db_run(Db *db, DbStmt *st, Err *err) MUST_USE;
/* The first column of the first row, or `otherwise`. */
Status db_get_i64(Db *db, const char *sql, int64_t otherwise, int64_t *ret, Err *err) MUST_USE;

/*
 * Whether each of several statements has a row. Each is bound and asked for, which gives it back;
 * a server gets many in one exchange. *ret stands when db_ask_end, which must come, is OK.
 */
void db_ask(DbStmt *st, bool *ret);
Status db_ask_end(Db *db, Err *err) MUST_USE;

/* Transactions. begin takes the write lock at once (or fails with ERR_UNAVAILABLE). */
Status db_begin(Db *db, Err *err) MUST_USE;
Status db_begin_read(Db *db, Err *err) MUST_USE;
Status db_commit(Db *db, Err *err) MUST_USE;
void db_abort(Db *db);
bool db_in_transaction(const Db *db);
/* One level inside a transaction. */
Status db_savepoint_begin(Db *db, Err *err) MUST_USE;
Status db_savepoint_commit(Db *db, Err *err) MUST_USE;
/* A failure here means that the transaction around it is lost or spoilt: it must be aborted. */
Status db_savepoint_abort(Db *db, Err *err) MUST_USE;

/* Changes how commits are flushed from now on. */
Status db_sync_set(Db *db, DbSync sync, Err *err) MUST_USE;

/*
 * Moves what the write-ahead log holds into the database. DB_COPY: as much as no reader stands in
 * the way of. The others wait for readers and leave nothing in it: DB_REUSE keeps the file for the
 * next commits to write over, DB_CUT gives its bytes back. ret_pages: left in it.
 */
typedef enum DbCheckpoint { DB_COPY, DB_REUSE, DB_CUT } DbCheckpoint;
Status db_checkpoint(Db *db, DbCheckpoint how, int *ret_pages, Err *err) MUST_USE;
/* How long this connection waits from now on for what another one holds. */
void db_wait_set(Db *db, int wait_ms);
/* Pages in the write-ahead log after the last commit of this connection. */
int db_wal_pages(const Db *db);

/*
 * Writes the database anew, so that neither free pages nor gaps between rows hold what was deleted
 * or moved. Whoever reads goes on; whoever writes waits. Needs room for a second copy beside the
 * database while it runs. To be followed by db_checkpoint.
 */
Status db_compact(Db *db, Err *err) MUST_USE;

/*
 * The same as a new file beside, of a database in a file: as it stood when it began, whatever
 * others write meanwhile; nobody waits. Not flushed. `stopped` is asked now and then:
 * ERR_UNAVAILABLE.
 */
typedef bool DbStopped(void *ctx);
Status db_compact_into(Db *db, const char *path, DbStopped *stopped, void *ctx, Err *err) MUST_USE;

/*
 * Of a file (a server's rows: db_rows_copy): copies the database into a new file, flushed and
 * without a write-ahead log: as this connection's transaction sees it (db_begin_read and a first
 * read), whatever others commit meanwhile. They are not held up. `told` (may be NULL) hears of the
 * pages done.
 */
typedef void DbTold(void *ctx, uint64_t done, uint64_t total);
Status db_copy(Db *db, const char *path, DbTold *told, void *ctx, Err *err) MUST_USE;

/*
 * Of a file: its pages, and its indexes against its tables, as this connection's transaction sees
 * them; `told` hears of each fault, the first hundred at most. A server looks after its own.
 */
typedef void DbFault(void *ctx, Str what);
Status db_verify(Db *db, DbFault *told, void *ctx, Err *err) MUST_USE;

/*
 * Migrations: step i brings a database from state i to i + 1, each in a transaction with its
 * number. A database that is of another application, or further than `n`, is refused
 * (ERR_CONFLICT, rule unknown-state).
 */
#define DB_OF_FILES "/* OF FILES */ " /* a server passes such a statement over */
typedef struct DbMigration {
    const char *const *sql; /* statements, ended by NULL */
} DbMigration;
Status db_migrate(Db *db, int32_t application, const DbMigration *steps, int n, Err *err) MUST_USE;
/* For who only reads: refused likewise, and where another one has to migrate it first. */
Status db_migrated(Db *db, int n, Err *err) MUST_USE;

/* ---- Of a server ------------------------------------------------------------------------------
 */

bool db_is_server(const Db *db);

/* A parameter that is a list (bigint[], text[]); its bytes lie in the arena until db_give. */
void db_bind_i64s(DbStmt *st, int i, Arena *a, const int64_t *v, size_t n);
void db_bind_strs(DbStmt *st, int i, Arena *a, const Str *v, size_t n);

/*
 * Between the two no other process is: for what is made or exchanged as a whole. Waits as long as
 * another one takes.
 */
Status db_alone_begin(Db *db, Err *err) MUST_USE;
void db_alone_end(Db *db);
/* Spaces of tables, named as in DbOptions; both may be part of a transaction. */
Status db_space_drop(Db *db, const char *space, Err *err) MUST_USE;
/*
 * Drops the space `to` and gives its name to `from`, with nobody inside a transaction that began
 * with LOCK TABLE … IN ACCESS SHARE MODE of this table of it: a snapshot that is older than the
 * new tables would find them empty.
 */
Status db_space_take(Db *db, const char *from, const char *to, const char *table,
                     Err *err) MUST_USE;
/*
 * Waits until another connection says NOTIFY menkou; from the first call on it is heard. True also
 * when that may have been missed. Not OK: the connection is lost, and is
 * made again by the next call.
 */
Status db_listen(Db *db, int timeout_ms, bool *ret_heard, Err *err) MUST_USE;

#endif
