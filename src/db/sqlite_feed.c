/* Rows that are fed to a statement (db_feed.h), as the table `fed` of a connection. */
#include "db_sqlite_feed.h"

#include "mk_banned.h"

typedef struct Table {
    sqlite3_vtab base;
    const SqliteFeed *feed;
} Table;

typedef struct Cursor {
    sqlite3_vtab_cursor base;
    DbValue row[DB_FEED_COLUMNS];
    sqlite3_int64 number;
    bool ended;
} Cursor;

static int table_connect(sqlite3 *db, void *feed, int argc, const char *const *argv,
                         sqlite3_vtab **ret, char **ret_why)
{
    (void)argc;
    (void)argv;
    (void)ret_why;
    int rc = sqlite3_declare_vtab(db, "CREATE TABLE fed(c0, c1, c2, c3, c4, c5)");
    Table *t = rc == SQLITE_OK ? sqlite3_malloc(sizeof *t) : NULL;
    if (!t) {
        return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
    }
    *t = (Table){.feed = feed};
    *ret = &t->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *t)
{
    sqlite3_free(t);
    return SQLITE_OK;
}

static int table_plan(sqlite3_vtab *t, sqlite3_index_info *plan)
{
    (void)t;
    plan->estimatedCost = 1000;
    return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *t, sqlite3_vtab_cursor **ret)
{
    (void)t;
    Cursor *c = sqlite3_malloc(sizeof *c);
    if (!c) {
        return SQLITE_NOMEM;
    }
    *c = (Cursor){.ended = true};
    *ret = &c->base;
    return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
    Cursor *c = (Cursor *)cursor;
    const SqliteFeed *feed = ((Table *)cursor->pVtab)->feed;
    c->ended = !feed->next || !feed->next(feed->ctx, c->row);
    c->number++;
    return SQLITE_OK;
}

static int cursor_first(sqlite3_vtab_cursor *cursor, int plan, const char *name, int argc,
                        sqlite3_value **argv)
{
    (void)plan;
    (void)name;
    (void)argc;
    (void)argv;
    return cursor_next(cursor);
}

static int cursor_ended(sqlite3_vtab_cursor *cursor)
{
    return ((Cursor *)cursor)->ended;
}

static int cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int i)
{
    const DbValue *v = &((Cursor *)cursor)->row[i];
    switch (v->kind) {
    case DB_I64:
        sqlite3_result_int64(to, v->i);
        break;
    case DB_DOUBLE:
        if (sqlite_is_whole(v->d)) {
            sqlite3_result_int64(to, (int64_t)v->d);
        } else {
            sqlite3_result_double(to, v->d);
        }
        break;
    case DB_TEXT:
        sqlite3_result_text64(to, v->s.p ? v->s.p : "", v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    }
    return SQLITE_OK;
}

static int cursor_number(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
    *ret = ((Cursor *)cursor)->number;
    return SQLITE_OK;
}

/* Without xCreate the table is there by its name alone. */
static const sqlite3_module MODULE = {
    .xConnect = table_connect,
    .xBestIndex = table_plan,
    .xDisconnect = table_disconnect,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_first,
    .xNext = cursor_next,
    .xEof = cursor_ended,
    .xColumn = cursor_column,
    .xRowid = cursor_number,
};

bool sqlite_feed_set_up(sqlite3 *db, SqliteFeed *feed)
{
    return sqlite3_create_module(db, "fed", &MODULE, feed) == SQLITE_OK;
}
