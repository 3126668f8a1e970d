/*
 * A store's log into another one, of files or of a server: every row of every table, in one
 * transaction. The index is made there from the log.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define TOLD_EVERY 1000u

/* Columns and what they hold, in order: i number, t text, b bytes. */
typedef struct MoveTable {
    const char *name, *kinds, *count, *select, *insert;
} MoveTable;

#define TABLE(table, kinds, columns, marks, order)                                                 \
    {                                                                                              \
        table, kinds, "SELECT count(*) FROM " table,                                               \
            "SELECT " columns " FROM " table " ORDER BY " order,                                   \
            "INSERT INTO " table "(" columns ") VALUES(" marks ")"                                 \
    }

static const MoveTable tables[] = {
    TABLE("setting", "tb", "name, value", "?, ?", "name"),
    TABLE("tx", "iitttiiitb", "tx, at, author, role, org, site, epoch, oseq, cause, digest",
          "?, ?, ?, ?, ?, ?, ?, ?, ?, ?", "tx"),
    TABLE("version", "iiitttitibb",
          "seq, tx, rid, vid, base, base2, op, patient, dict, body_sha, body",
          "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", "seq"),
    TABLE("head", "iitiii", "rid, type, id, seq, op, born", "?, ?, ?, ?, ?, ?", "rid"),
    TABLE("access_grant", "ttttii", "patient, grantee, basis, source, since, until",
          "?, ?, ?, ?, ?, ?", "patient, grantee, source, basis, since"),
    TABLE("timer", "tti", "owner, name, due", "?, ?, ?", "owner, name"),
    TABLE("remembered", "ttbiiii", "person, key, body, status, at, seq_first, seq_last",
          "?, ?, ?, ?, ?, ?, ?", "person, key"),
    TABLE("account", "ttttttiii",
          "username, password_hash, practitioner, name, role, organization, must_change, disabled,"
          " created",
          "?, ?, ?, ?, ?, ?, ?, ?, ?", "username"),
    TABLE("session", "tttiiit", "token_sha, username, post, created, seen, expires, app",
          "?, ?, ?, ?, ?, ?, ?", "token_sha"),
    TABLE("draft", "ttttbi", "person, post, key, seen, body, at", "?, ?, ?, ?, ?, ?",
          "person, post, key"),
    TABLE("factor", "tbiit", "username, secret, since, step, recovery", "?, ?, ?, ?, ?",
          "username"),
    TABLE("purge", "titttiitiiiiiii",
          "id, state, target, reason, proposer, proposed, expires, decider, decided, tx, resources,"
          " versions, blobs, kept, done",
          "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", "id"),
    TABLE("purged", "it", "seq, purge", "?, ?", "seq"),
    TABLE("purge_blob", "tt", "sha, purge", "?, ?", "sha"),
    TABLE("lockout", "ttbi", "username, address, failed, at", "?, ?, ?, ?", "username, address"),
};

typedef struct Move {
    StoreReader *from;
    Store *to; /* its folder and its log, no more */
    StoreProgress *progress;
    void *ctx;
    Arena arena; /* of one row */
} Move;

/* ---- One table ------------------------------------------------------------------------------- */

static void value_bind(DbStmt *out, DbStmt *in, int i, char kind)
{
    if (db_col_is_null(in, i)) {
        db_bind_null(out, i);
    } else if (kind == 'i') {
        db_bind_i64(out, i, db_col_i64(in, i));
    } else if (kind == 't') {
        db_bind_str(out, i, db_col_str(in, i));
    } else {
        db_bind_blob(out, i, db_col_str(in, i).p, db_col_str(in, i).n);
    }
}

/* What belongs to the folder (the audit's head) has another name there; false: another folder's. */
static bool setting_name(Move *m, Str name, Str *ret)
{
    Str own, node;
    const Str *of = &m->from->store->node;
    if (!str_starts(name, STR(STORE_FOLDER_SETTING))) {
        *ret = name;
        return true;
    }
    str_cut(name, '@', &own, &node);
    *ret = store_folder_setting(m->to, &m->arena, own);
    return str_eq(node, *of);
}

static Status row_move(Move *m, const MoveTable *t, DbStmt *in, Err *err)
{
    Str name = STR_NONE;
    bool setting = t == tables;
    if (setting && !setting_name(m, db_col_str(in, 0), &name)) {
        return OK;
    }
    DbStmt *out = db_take(m->to->log, t->insert);
    if (out) {
        for (int i = 0; t->kinds[i]; i++) {
            value_bind(out, in, i, t->kinds[i]);
        }
        if (setting) {
            db_bind_str(out, 0, name);
        }
    }
    return db_run(m->to->log, out, err);
}

static Status table_move(Move *m, const MoveTable *t, Err *err)
{
    int64_t total;
    uint64_t done = 0;
    TRY(db_get_i64(m->from->log, t->count, 0, &total, err));
    DbStmt *in = db_take(m->from->log, t->select);
    if (!in) {
        return db_failed(m->from->log, err);
    }
    Status s = OK;
    DbStep step = DB_NONE;
    while (s == OK && (step = db_step(in)) == DB_ROW) {
        s = row_move(m, t, in, err);
        arena_reset(&m->arena);
        if (++done % TOLD_EVERY == 0 || done == (uint64_t)total) {
            m->progress(m->ctx, t->name, done, (uint64_t)total);
        }
    }
    s = s == OK && step != DB_NONE ? db_failed(m->from->log, err) : s;
    db_give(in);
    return s;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Both would go on under the same numbers: the copy begins an epoch of its own. */
static Status epoch_begin(Move *m, Err *err)
{
    m->to->epoch = m->from->store->epoch + 1;
    Str epoch = arena_printf(&m->arena, "%lld", (long long)m->to->epoch);
    return log_setting_write(m->to->log, "epoch", epoch, err);
}

static Status rows_move(Move *m, Err *err)
{
    TRY(db_begin(m->to->log, err));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        TRY(table_move(m, &tables[i], err));
    }
    TRY(epoch_begin(m, err));
    if (m->to->server) {
        TRY(server_head_make(m->to, err));
    }
    return db_commit(m->to->log, err);
}

static Status place_make(Move *m, Err *err)
{
    Store *to = m->to;
    int64_t n;
    TRY(dir_make(to->dir.p, 0700, err));
    TRY(server_find(to, err));
    TRY(store_db_open(to, "log.db", DB_SYNC_FULL, true, &to->log, err));
    TRY(log_migrate(to->log, err));
    if (to->server) {
        TRY(server_migrate(to, err));
        server_node_make(to);
    }
    TRY(db_get_i64(to->log, "SELECT count(*) FROM setting", 0, &n, err));
    return n == 0 ? OK
                  : err_add(err, ERR_INVALID, NULL, to->dir, "目标处已有数据",
                            "There are data already where they are to be copied to");
}

static Status moved(Move *m, Err *err)
{
    TRY(place_make(m, err));
    TRY(store_snapshot_begin(m->from, err));
    Status s = rows_move(m, err);
    store_snapshot_end(m->from);
    if (s != OK) {
        db_abort(m->to->log);
        return s;
    }
    m->to->database = m->from->store->database;
    m->to->site = m->from->store->site;
    return node_write(m->to, err);
}

Status store_move(StoreReader *from, const char *dir, StoreProgress *progress, void *ctx, Err *err)
{
    Store to = {.options = from->store->options, .dir = str_from_c(dir)};
    Move m = {.from = from, .to = &to, .progress = progress, .ctx = ctx};
    to.options.read_only = false;
    arena_init(&to.arena, 0);
    arena_init(&m.arena, 0);
    Status s = moved(&m, err);
    db_close(to.log);
    arena_done(&m.arena);
    arena_done(&to.arena);
    return s;
}
