/*
 * What the files of the driver for PostgreSQL share (docs/decisions/073).
 *
 *   postgres.c        connections, transactions, errors: the driver's table
 *   postgres_text.c   a statement of ours in PostgreSQL's words
 *   postgres_value.c  values, as the protocol wants them
 *   postgres_queue.c  writes that wait, and the exchange that sends them with a question
 *   postgres_copy.c   many new rows of one table
 *   postgres_stmt.c   statements: prepared, bound, walked
 *
 * Inside a transaction writes wait in the connection and are sent with the next question or the
 * commit, in one round trip. Rows of one statement are sent together, also when writes to other
 * tables came between them; writes to one table keep their order. Many new rows go through COPY,
 * for which the pipeline is left. A failure spoils the transaction: nothing but its end is taken
 * then.
 * All values travel in binary. One thread at a time, as in db.h.
 */
#ifndef DB_POSTGRES_H
#define DB_POSTGRES_H

#include <libpq-fe.h>

#include "db_driver.h"

#define PG_PARAMS_MAX  24
#define PG_ROWS_FIRST  64  /* of a walk, before its cursor is opened */
#define PG_ROWS_PIECE  512 /* of its cursor at a time */
#define PG_ENTRIES_MAX 512 /* that wait: their results must fit the socket's buffers */
#define PG_ASKS_MAX    256 /* likewise */

/* Types by number, as the catalogue of every server has them. */
enum {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_FLOAT8 = 701,
    PG_NUMERIC = 1700
};

/* ---- Texts ------------------------------------------------------------------------------- */

typedef enum PgKind {
    PG_ASK,   /* has rows, or must be known at once */
    PG_WRITE, /* its success is known from what follows */
    PG_BEGIN,
    PG_BEGIN_READ,
    PG_COMMIT,
    PG_ROLLBACK,
    PG_SAVE,
    PG_SAVE_BACK,
    PG_SAVE_END,
    PG_LOCK /* of a table, right behind the beginning: no snapshot is taken for it */
} PgKind;

typedef struct PgText {
    PgKind kind;
    const char *sql;  /* with $n */
    const char *many; /* the same of arrays, for many rows at once; NULL: there is no such form */
    const char *copy; /* likewise COPY, which meets no row that is there; NULL: there is none */
    bool meets;       /* what is there already is no error: COPY only for what is new */
    bool walk;        /* read in pieces */
    bool changes;     /* rows that are a change's (RETURNING) */
    bool reads;       /* a write that looks into tables, its own or others */
    Str table;        /* of a write */
    int param_n;      /* of the server's */
    int place[PG_PARAMS_MAX]; /* parameter i of ours there; -1: it does not occur */
} PgText;

/*
 * False: more parameters than there is room for. An INSERT that changes what is there already
 * may say that no key comes twice in a transaction (EACH ONCE, in a comment behind its values).
 */
bool pg_text_read(Arena *a, const char *sql, PgText *ret);

/* ---- Connections ----------------------------------------------------------------------------- */

typedef enum PgValueKind { PG_NULL, PG_I64, PG_DOUBLE, PG_BYTES } PgValueKind;

typedef struct PgValue {
    PgValueKind kind;
    int64_t i;
    double d;
    Str s;
} PgValue;

typedef struct PgConn PgConn;

typedef struct PgStmt {
    PgConn *conn;
    PgText text;
    const char *name, *many_name, *declare, *hold, *fetch, *close;
    unsigned session, many_session; /* of the connection in which it is prepared; 0: in none */
    Oid type[PG_PARAMS_MAX];
    PgValue value[PG_PARAMS_MAX];
    PGresult *rows;
    int row, row_n;
    bool asked, more;    /* since the last reset: sent; there may be rows behind these */
    bool fresh;          /* likewise: what is bound is a row that is not there */
    unsigned cursor_txn; /* the transaction of its cursor; 0: it has none */
    bool cursor_held;
} PgStmt;

/* A write that waits. */
typedef struct PgEntry {
    PgStmt *stmt;      /* or */
    const char *words; /* without values */
    Buf values;        /* one row after another */
    uint32_t rows;
    bool fresh;         /* none of them is there */
    uint32_t mark_rows; /* what there was of it at the savepoint */
    size_t mark_bytes;
} PgEntry;

/* A question whose answer is whether it has a row, in wait for others. */
typedef struct PgAsk {
    const PgStmt *stmt;
    size_t values; /* where they begin in PgConn.asks */
    bool *ret;
} PgAsk;

struct PgConn {
    PGconn *pg;
    Arena arena;
    const char *uri, *schema, *space;
    bool read_only, create;
    DbSync sync;
    int wait_ms;
    unsigned session; /* grows with each connection that is made */
    unsigned names;
    unsigned txn;
    bool begun, sent, broken; /* a transaction: here; there; it can only be rolled back */
    unsigned listening;       /* the connection that listens */
    unsigned owed;            /* exchanges whose results nobody waited for */
    PgEntry *entry;
    size_t entry_n, entry_room;
    size_t waiting; /* bytes of all entries */
    Buf scratch;
    PgAsk ask[PG_ASKS_MAX];
    unsigned ask_n;
    Buf asks;
    bool saving, saved; /* a savepoint: here; there */
    bool noted;         /* since the exchange began: why it failed */
    size_t mark_n;      /* entries that were there before it */
    char sqlstate[6];
    char why[256];
};

/* Connects where it is not; false in the middle of a transaction whose connection is lost. */
bool pg_connected(PgConn *c);
/* Remembers why; result NULL: what the connection says. */
void pg_note(PgConn *c, const PGresult *result);
bool pg_is_lost(const PgConn *c);

/* ---- Values ---------------------------------------------------------------------------------- */

void pg_put_bytes(Buf *b, uint64_t v, int n); /* a number of n bytes */
/* What is bound: length and bytes of each; a length of -1 is NULL. */
void pg_put_row(Buf *b, const PgStmt *st);
/* Where the n values of such a row begin; the end of the row. */
const char *pg_row_cut(const char *at, int n, const char **value, int *length);
/* An array's head: how many dimensions, whether there are NULLs, of what; how many, from 1. */
void pg_array_begin(Buf *b, Oid type, size_t n);
Oid pg_array_of(Oid type);
Str pg_list_i64(Arena *a, const int64_t *v, size_t n);
Str pg_list_str(Arena *a, const Str *v, size_t n);

/* ---- The queue ------------------------------------------------------------------------------- */

typedef struct PgCommand {
    const char *name;     /* prepared; or */
    const char *words;    /* as they are */
    const PgStmt *values; /* whose values it takes; NULL: none */
    const char *row;      /* of a prepared one: the values, as they are sent; NULL: those bound */
} PgCommand;

bool pg_wait_words(PgConn *c, const char *words);
bool pg_wait_row(PgStmt *st);
/* A question of db_ask; sends them when there are many. */
bool pg_ask_row(const PgStmt *st, bool *ret);
bool pg_asks_send(PgConn *c);
void pg_queue_clear(PgConn *c);
void pg_queue_mark(PgConn *c);
void pg_queue_back(PgConn *c); /* to the mark */
void pg_queue_done(PgConn *c);
/*
 * Sends what waits and then the commands, and waits for all. ret (may be NULL): their results,
 * one for each. False: something failed, nothing waits any more unless the connection was lost
 * before anything of a change was sent; then *ret_again says that it may be tried once more.
 */
bool pg_exchange(PgConn *c, const PgCommand *command, size_t n, PGresult **ret, bool *ret_again);
/*
 * Rows as they wait, into the statement's table (text.copy). The pipeline must be empty and is
 * again afterwards. False: noted why.
 */
bool pg_copy(PgStmt *st, const char *rows, uint32_t n);
/* One plain statement at once. */
bool pg_do(PgConn *c, const char *words);
/* Reads what earlier exchanges left unread. */
bool pg_settle(PgConn *c);
/* The results of commands sent, and the end of their exchange. ret (may be NULL): the last `keep`.
 */
bool pg_collect(PgConn *c, unsigned commands, PGresult **ret, unsigned keep);

/* ---- Statements (the driver's table) ----------------------------------------------------------
 */

void *pg_prepare(void *conn, const char *sql);
void pg_finalize(void *stmt);
void pg_bind_i64(void *stmt, int i, int64_t v);
void pg_bind_double(void *stmt, int i, double v);
void pg_bind_bytes(void *stmt, int i, Str v, bool text);
DbStep pg_step(void *stmt);
bool pg_ask(void *stmt, bool *ret);
void pg_row_is_new(void *stmt);
void pg_reset(void *stmt);
int64_t pg_col_i64(void *stmt, int c);
double pg_col_double(void *stmt, int c);
bool pg_col_bytes(void *stmt, int c, Str *ret);

#endif
