/* The file of the rows of kept views: made again whenever it does not fit the log. */
#include <stdio.h>
#include <unistd.h>

#include "insight_views_inner.h"

#include "mk_banned.h"

#define APPLICATION 0x4d6b5677 /* "MkVw" */
#define MARK_BYTES  ((size_t)16 << 20)

static const char *const LAYOUT_1[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE view(id TEXT PRIMARY KEY, digest TEXT NOT NULL, seq INTEGER NOT NULL,"
    " as_of INTEGER NOT NULL, after TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE row(view TEXT NOT NULL, rid TEXT NOT NULL, n INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, patients TEXT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY(view, rid, n)) WITHOUT ROWID",
    NULL,
};

Status views_file_open(InsightViews *x, Err *err)
{
    const DbMigration steps[] = {{LAYOUT_1}};
    DbOptions o = {.path = x->path,
                   .sync = DB_SYNC_NORMAL,
                   .create = true,
                   .page_bytes = 8192,
                   .overwrite = true,
                   .wait_ms = 10000};
    TRY(db_open(&o, &x->db, err));
    return db_migrate(x->db, APPLICATION, steps, 1, err);
}

void views_file_close(InsightViews *x)
{
    if (x->db) {
        db_close(x->db);
        x->db = NULL;
    }
}

Status views_file_again(InsightViews *x, Err *err)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    views_file_close(x);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        char name[sizeof x->path + 8];
        snprintf(name, sizeof name, "%s%s", x->path, ENDS[i]);
        (void)unlink(name);
    }
    x->stale = true;
    x->n = 0;
    return views_file_open(x, err);
}

Status views_mark_put(InsightViews *x, StoreReader *r, uint64_t seq, Err *err)
{
    Arena a;
    arena_init(&a, MARK_BYTES);
    Str mark = insight_mark(r, &a, seq);
    DbStmt *st = db_take(x->db, "INSERT INTO meta(name, value) VALUES('mark', ?)"
                                " ON CONFLICT(name) DO UPDATE SET value = excluded.value");
    Status s = st ? OK : db_failed(x->db, err);
    if (st) {
        db_bind_str(st, 0, mark);
        s = db_run(x->db, st, err);
    }
    arena_done(&a);
    return s;
}

bool views_mark_fits(InsightViews *x, StoreReader *r)
{
    Arena a;
    int64_t seq = 0;
    bool fits = true;
    DbStmt *st = db_take(x->db, "SELECT value FROM meta WHERE name = 'mark'");
    arena_init(&a, MARK_BYTES);
    if (st && db_step(st) == DB_ROW) {
        Str mark = arena_str(&a, db_col_str(st, 0)), first, rest;
        str_cut(mark, ' ', &first, &rest);
        fits = !mark.n ||
               (str_to_i64(first, &seq) && str_eq(mark, insight_mark(r, &a, (uint64_t)seq)));
    }
    if (st) {
        db_give(st);
    }
    arena_done(&a);
    return fits;
}
