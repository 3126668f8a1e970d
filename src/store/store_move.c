/*
 * A store's log into another one, of files or of a server, or from a server into a file for a
 * backup: every row of every table, in one transaction. The index is made there from the log.
 */
#include "db_rows.h"
#include "store_inner.h"

#include "mk_banned.h"

static const DbTable tables[] = {
    DB_TABLE("setting", "tb", "name, value", "?, ?", "name"),
    DB_TABLE("tx", "iitttiiitb", "tx, at, author, role, org, site, epoch, oseq, cause, digest",
             "?, ?, ?, ?, ?, ?, ?, ?, ?, ?", "tx"),
    DB_TABLE("version", "iiitttiuibb",
             "seq, tx, rid, vid, base, base2, op, patient, dict, body_sha, body",
             "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", "seq"),
    DB_TABLE("head", "iiuiii", "rid, type, id, seq, op, born", "?, ?, ?, ?, ?, ?", "rid"),
    DB_TABLE("access_grant", "utttii", "patient, grantee, basis, source, since, until",
             "?, ?, ?, ?, ?, ?", "patient, grantee, source, basis, since"),
    DB_TABLE("timer", "tti", "owner, name, due", "?, ?, ?", "owner, name"),
    DB_TABLE("remembered", "ttbiiii", "person, key, body, status, at, seq_first, seq_last",
             "?, ?, ?, ?, ?, ?, ?", "person, key"),
    DB_TABLE(
        "account", "ttttttiii",
        "username, password_hash, practitioner, name, role, organization, must_change, disabled,"
        " created",
        "?, ?, ?, ?, ?, ?, ?, ?, ?", "username"),
    DB_TABLE("session", "tttiiit", "token_sha, username, post, created, seen, expires, app",
             "?, ?, ?, ?, ?, ?, ?", "token_sha"),
    DB_TABLE("draft", "ttttbi", "person, post, key, seen, body, at", "?, ?, ?, ?, ?, ?",
             "person, post, key"),
    DB_TABLE("factor", "tbiit", "username, secret, since, step, recovery", "?, ?, ?, ?, ?",
             "username"),
    DB_TABLE(
        "purge", "titttiitiiiiiii",
        "id, state, target, reason, proposer, proposed, expires, decider, decided, tx, resources,"
        " versions, blobs, kept, done",
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", "id"),
    DB_TABLE("purged", "it", "seq, purge", "?, ?", "seq"),
    DB_TABLE("purge_blob", "tt", "sha, purge", "?, ?", "sha"),
    DB_TABLE("lockout", "ttbi", "username, address, failed, at", "?, ?, ?, ?", "username, address"),
};

typedef struct Move {
    StoreReader *from;
    Store *to;     /* its folder and its log, no more */
    int64_t epoch; /* the copy's, at least */
    StoreProgress *progress;
    void *ctx;
    Arena arena;
} Move;

/* ---- Rows ------------------------------------------------------------------------------------ */

/* What belongs to the folder (the audit's head) has another name there; another folder's stays. */
static bool setting_change(void *ctx, DbStmt *in, DbStmt *out)
{
    Move *m = ctx;
    Str name = arena_str(&m->arena, db_col_str(in, 0)), own, node;
    if (!str_starts(name, STR(STORE_FOLDER_SETTING))) {
        return true;
    }
    str_cut(name, '@', &own, &node);
    db_bind_str(out, 0, store_folder_setting(m->to, &m->arena, own));
    return str_eq(node, m->from->store->node);
}

static void rows_told(void *ctx, const char *table, uint64_t done, uint64_t total)
{
    const Move *m = ctx;
    m->progress(m->ctx, table, done, total);
}

static Status tables_copy(Move *m, Err *err)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        DbRowChange *change = i == 0 ? setting_change : NULL;
        TRY(db_rows_copy(m->from->log, m->to->log, &tables[i], change, rows_told, m, err));
    }
    return OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Both would go on under the same numbers: the copy begins an epoch of its own. */
static Status epoch_begin(Move *m, Err *err)
{
    int64_t next = m->from->store->epoch + 1;
    m->to->epoch = next > m->epoch ? next : m->epoch;
    Str epoch = arena_printf(&m->arena, "%lld", (long long)m->to->epoch);
    return log_setting_write(m->to->log, "epoch", epoch, err);
}

static Status rows_move(Move *m, Err *err)
{
    TRY(db_begin(m->to->log, err));
    TRY(tables_copy(m, err));
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
    TRY(db_begin_read(m->from->log, err));
    Status s = rows_move(m, err);
    db_abort(m->from->log);
    if (s != OK) {
        db_abort(m->to->log);
        return s;
    }
    m->to->database = m->from->store->database;
    m->to->site = m->from->store->site;
    return node_write(m->to, err);
}

Status store_move(StoreReader *from, const char *dir, int64_t epoch, StoreProgress *progress,
                  void *ctx, Err *err)
{
    Store to = {.options = from->store->options, .dir = str_from_c(dir)};
    Move m = {.from = from, .to = &to, .epoch = epoch, .progress = progress, .ctx = ctx};
    to.options.read_only = false;
    arena_init(&to.arena, 0);
    arena_init(&m.arena, 0);
    Status s = moved(&m, err);
    db_close(to.log);
    arena_done(&m.arena);
    arena_done(&to.arena);
    return s;
}

/* ---- A backup's file ------------------------------------------------------------------------- */

static Status file_fill(Move *m, Err *err)
{
    int left;
    TRY(log_migrate(m->to->log, err));
    TRY(db_begin(m->to->log, err));
    Status s = tables_copy(m, err);
    s = s == OK ? db_commit(m->to->log, err) : s;
    if (s != OK) {
        db_abort(m->to->log);
        return s;
    }
    return db_checkpoint(m->to->log, DB_CUT, &left, err);
}

Status store_move_file(StoreReader *from, const char *path, StoreProgress *progress, void *ctx,
                       Err *err)
{
    Store to = {.options = from->store->options};
    Move m = {.from = from, .to = &to, .progress = progress, .ctx = ctx};
    DbOptions o = {.path = path, .sync = DB_SYNC_FULL, .create = true, .page_bytes = 8192};
    TRY(db_open(&o, &to.log, err));
    arena_init(&m.arena, 0);
    Status s = file_fill(&m, err);
    arena_done(&m.arena);
    db_close(to.log);
    return s;
}
