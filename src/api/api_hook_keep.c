/* DIR/hooks.db: how far each subscription is, its events, and letters that could not be delivered.
 */
#include "api_hook.h"

#include <stdlib.h>

#include "db_rows.h"

#include "mk_banned.h"

#define APPLICATION 0x4d6b486bu /* "MkHk" */

struct HookKeep {
    pthread_mutex_t lock;
    Db *db;
};

static const char *const LAYOUT[] = {
    "CREATE TABLE hook(id TEXT PRIMARY KEY, after INTEGER NOT NULL, number INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, next INTEGER NOT NULL, sent INTEGER NOT NULL,"
    " error TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE event(hook TEXT NOT NULL, number INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(hook, number)) WITHOUT ROWID",
    "CREATE TABLE letter(no INTEGER PRIMARY KEY, hook TEXT NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, at INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " reason TEXT NOT NULL)",
    NULL};

static Status place_open(const char *path, const char *space, Db **ret, Err *err)
{
    const DbMigration steps[] = {{LAYOUT}};
    DbOptions o = {.path = path,
                   .space = space,
                   .sync = DB_SYNC_FULL,
                   .create = true,
                   .page_bytes = 4096,
                   .wait_ms = 10000};
    Db *db;
    TRY(db_open(&o, &db, err));
    Status s = db_migrate(db, APPLICATION, steps, 1, err);
    if (s != OK) {
        db_close(db);
        return s;
    }
    *ret = db;
    return OK;
}

Status hook_keep_open(Api *api, HookKeep **ret, Err *err)
{
    HookKeep *k = memory_take_zeroed(sizeof *k);
    const char *path, *space;
    store_beside(api->store, &api->arena, "hooks", &path, &space);
    pthread_mutex_init(&k->lock, NULL);
    Status s = place_open(path, space, &k->db, err);
    if (s != OK) {
        hook_keep_close(k);
        return s;
    }
    *ret = k;
    return OK;
}

void hook_keep_close(HookKeep *k)
{
    if (k) {
        if (k->db) {
            db_close(k->db);
        }
        pthread_mutex_destroy(&k->lock);
        free(k);
    }
}

static Status place_find(HookKeep *k, Arena *a, Str hook, HookPlace *ret, bool *ret_known, Err *err)
{
    DbStmt *st = db_take(k->db, "SELECT after, number, attempts, next, sent, error FROM hook"
                                " WHERE id = ?");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_str(st, 0, hook);
    DbStep step = db_step(st);
    *ret_known = step == DB_ROW;
    if (*ret_known) {
        *ret = (HookPlace){.after = (uint64_t)db_col_i64(st, 0),
                           .number = (uint64_t)db_col_i64(st, 1),
                           .attempts = db_col_i64(st, 2),
                           .next_ms = db_col_i64(st, 3),
                           .sent_ms = db_col_i64(st, 4),
                           .error = arena_str(a, db_col_str(st, 5))};
    }
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(k->db, err);
}

Status hook_place_get(HookKeep *k, Arena *a, Str hook, HookPlace *ret, bool *ret_known, Err *err)
{
    pthread_mutex_lock(&k->lock);
    Status s = place_find(k, a, hook, ret, ret_known, err);
    pthread_mutex_unlock(&k->lock);
    return s;
}

static Status event_put(HookKeep *k, Str hook, uint64_t number, uint64_t seq, Err *err)
{
    DbStmt *st = db_take(k->db, "INSERT INTO event(hook, number, seq) VALUES(?, ?, ?)"
                                " ON CONFLICT DO NOTHING");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_str(st, 0, hook);
    db_bind_i64(st, 1, (int64_t)number);
    db_bind_i64(st, 2, (int64_t)seq);
    return db_run(k->db, st, err);
}

static Status events_trim(HookKeep *k, Str hook, uint64_t number, Err *err)
{
    DbStmt *st = db_take(k->db, "DELETE FROM event WHERE hook = ? AND number <= ?");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_str(st, 0, hook);
    db_bind_i64(st, 1, (int64_t)number - HOOK_EVENTS_KEPT);
    return db_run(k->db, st, err);
}

static Status place_write(HookKeep *k, Str hook, const HookPlace *p, Err *err)
{
    DbStmt *st = db_take(k->db, "INSERT INTO hook(id, after, number, attempts, next, sent, error)"
                                " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
                                " after = excluded.after, number = excluded.number,"
                                " attempts = excluded.attempts, next = excluded.next,"
                                " sent = excluded.sent, error = excluded.error");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_str(st, 0, hook);
    db_bind_i64(st, 1, (int64_t)p->after);
    db_bind_i64(st, 2, (int64_t)p->number);
    db_bind_i64(st, 3, p->attempts);
    db_bind_i64(st, 4, p->next_ms);
    db_bind_i64(st, 5, p->sent_ms);
    db_bind_str(st, 6, p->error);
    return db_run(k->db, st, err);
}

static Status letters_trim(HookKeep *k, Err *err)
{
    DbStmt *st = db_take(k->db, "DELETE FROM letter WHERE no <="
                                " (SELECT max(no) FROM letter) - ?");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_i64(st, 0, HOOK_LETTERS_KEPT);
    return db_run(k->db, st, err);
}

static Status letter_put(HookKeep *k, const HookLetter *l, Err *err)
{
    DbStmt *st = db_take(k->db, "INSERT INTO letter(hook, first, last, at, attempts, reason)"
                                " VALUES(?, ?, ?, ?, ?, ?)");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_str(st, 0, l->hook);
    db_bind_i64(st, 1, (int64_t)l->first);
    db_bind_i64(st, 2, (int64_t)l->last);
    db_bind_i64(st, 3, l->at_ms);
    db_bind_i64(st, 4, l->attempts);
    db_bind_str(st, 5, l->reason);
    TRY(db_run(k->db, st, err));
    return letters_trim(k, err);
}

static Status told_write(HookKeep *k, Str hook, const HookPlace *p, const HookTold *told, Err *err)
{
    for (size_t i = 0; i < told->n; i++) {
        TRY(event_put(k, hook, p->number - told->n + 1 + i, told->seq[i], err));
    }
    if (told->n) {
        TRY(events_trim(k, hook, p->number, err));
    }
    if (told->letter) {
        TRY(letter_put(k, told->letter, err));
    }
    return place_write(k, hook, p, err);
}

Status hook_place_put(HookKeep *k, Str hook, const HookPlace *p, const HookTold *told, Err *err)
{
    pthread_mutex_lock(&k->lock);
    Status s = db_begin(k->db, err);
    s = s == OK ? told_write(k, hook, p, told, err) : s;
    s = s == OK ? db_commit(k->db, err) : s;
    if (s != OK && db_in_transaction(k->db)) {
        db_abort(k->db);
    }
    pthread_mutex_unlock(&k->lock);
    return s;
}

static Status events_find(HookKeep *k, Str hook, uint64_t first, uint64_t last,
                          uint64_t *ret_number, uint64_t *ret_seq, size_t *n, Err *err)
{
    DbStmt *st = db_take(k->db, "SELECT number, seq FROM event WHERE hook = ? AND number >= ?"
                                " AND number <= ? ORDER BY number LIMIT ?");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_str(st, 0, hook);
    db_bind_i64(st, 1, (int64_t)first);
    db_bind_i64(st, 2, last > INT64_MAX ? INT64_MAX : (int64_t)last);
    db_bind_i64(st, 3, (int64_t)*n);
    DbStep step;
    *n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        ret_number[*n] = (uint64_t)db_col_i64(st, 0);
        ret_seq[(*n)++] = (uint64_t)db_col_i64(st, 1);
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(k->db, err);
}

Status hook_events(HookKeep *k, Str hook, uint64_t first, uint64_t last, uint64_t *ret_number,
                   uint64_t *ret_seq, size_t *n, Err *err)
{
    pthread_mutex_lock(&k->lock);
    Status s = events_find(k, hook, first, last, ret_number, ret_seq, n, err);
    pthread_mutex_unlock(&k->lock);
    return s;
}

static Status letters_find(HookKeep *k, Arena *a, HookLetter *ret, size_t *n, Err *err)
{
    DbStmt *st = db_take(k->db, "SELECT no, hook, first, last, at, attempts, reason FROM letter"
                                " ORDER BY no DESC LIMIT ?");
    if (!st) {
        return db_failed(k->db, err);
    }
    db_bind_i64(st, 0, (int64_t)*n);
    DbStep step;
    *n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        ret[(*n)++] = (HookLetter){.no = db_col_i64(st, 0),
                                   .hook = arena_str(a, db_col_str(st, 1)),
                                   .first = (uint64_t)db_col_i64(st, 2),
                                   .last = (uint64_t)db_col_i64(st, 3),
                                   .at_ms = db_col_i64(st, 4),
                                   .attempts = db_col_i64(st, 5),
                                   .reason = arena_str(a, db_col_str(st, 6))};
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(k->db, err);
}

Status hook_letters(HookKeep *k, Arena *a, HookLetter *ret, size_t *n, Err *err)
{
    pthread_mutex_lock(&k->lock);
    Status s = letters_find(k, a, ret, n, err);
    pthread_mutex_unlock(&k->lock);
    return s;
}

Status hook_letter_drop(HookKeep *k, int64_t no, Err *err)
{
    pthread_mutex_lock(&k->lock);
    DbStmt *st = db_take(k->db, "DELETE FROM letter WHERE no = ?");
    Status s = st ? OK : db_failed(k->db, err);
    if (st) {
        db_bind_i64(st, 0, no);
        s = db_run(k->db, st, err);
    }
    pthread_mutex_unlock(&k->lock);
    return s;
}

/* ---- Copies ---------------------------------------------------------------------------------- */

/* A letter gets its number there, which a server counts by itself. */
static const DbTable tables[] = {
    DB_TABLE("hook", "tiiiiit", "id, after, number, attempts, next, sent, error",
             "?, ?, ?, ?, ?, ?, ?", "id"),
    DB_TABLE("event", "tii", "hook, number, seq", "?, ?, ?", "hook, number"),
    DB_TABLE("letter", "tiiiit", "hook, first, last, at, attempts, reason", "?, ?, ?, ?, ?, ?",
             "no"),
};

static Status tables_copy(Db *from, Db *to, Err *err)
{
    int left;
    TRY(db_begin_read(from, err));
    TRY(db_begin(to, err));
    TRY(db_exec(to, "DELETE FROM hook", err));
    TRY(db_exec(to, "DELETE FROM event", err));
    TRY(db_exec(to, "DELETE FROM letter", err));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        TRY(db_rows_copy(from, to, &tables[i], NULL, NULL, NULL, err));
    }
    TRY(db_commit(to, err));
    return db_checkpoint(to, DB_CUT, &left, err);
}

Status api_hooks_copy(const ApiHooksPlace *from, const ApiHooksPlace *to, Err *err)
{
    Db *in, *out;
    if (!db_path_is_server(str_from_c(from->path)) && !file_exists(from->path)) {
        return OK; /* never served */
    }
    TRY(place_open(from->path, from->space, &in, err));
    Status s = place_open(to->path, to->space, &out, err);
    if (s == OK) {
        s = tables_copy(in, out, err);
        db_abort(out);
        db_abort(in);
        db_close(out);
    }
    db_close(in);
    return s;
}

typedef struct Faults {
    uint64_t n;
    Err *err;
} Faults;

static void fault_told(void *ctx, Str what)
{
    Faults *f = ctx;
    f->n++;
    (void)!err_add(f->err, ERR_INTERNAL, NULL, STR("hooks.db"), "数据库文件的结构已损坏：%.*s",
                   "The structure of a database file is damaged: %.*s", STR_ARG(what));
}

Status api_hooks_verify(Store *store, uint64_t *ret_subscribers, uint64_t *ret_faults, Err *err)
{
    Arena a;
    Db *db;
    int64_t n = 0;
    Faults faults = {.err = err};
    DbOptions o = {.read_only = true, .wait_ms = 10000};
    *ret_subscribers = *ret_faults = 0;
    arena_init(&a, 0);
    store_beside(store, &a, "hooks", &o.path, &o.space);
    bool none = db_path_is_server(str_from_c(o.path)) || !file_exists(o.path);
    Status s = none ? OK : db_open(&o, &db, err);
    if (!none && s == OK) {
        s = db_verify(db, fault_told, &faults, err);
        s = s == OK ? db_get_i64(db, "SELECT count(*) FROM hook", 0, &n, err) : s;
        db_close(db);
    }
    arena_done(&a);
    *ret_subscribers = (uint64_t)n;
    *ret_faults = faults.n;
    return s;
}
