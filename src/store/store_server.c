/*
 * The store on a server (docs/decisions/073): which database a folder names, the end of the log
 * under its lock, index rows in the commit of their versions, and what other processes wrote.
 */
#include <stdlib.h>

#include "store_ahead.h"

#include "mk_banned.h"

#define SERVER_APPLICATION 0x4d4b5331 /* MKS1 */
#define ADDRESS_BYTES_MAX  4096u
#define LISTEN_MS          200
#define LOOK_MS            2000 /* without news, since one may have been missed */

static const char *const server_1[] = {
    "CREATE TABLE log_head(one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL,"
    " tx INTEGER NOT NULL, oseq INTEGER NOT NULL, rid INTEGER NOT NULL, at INTEGER NOT NULL,"
    " digest BLOB NOT NULL, grants INTEGER NOT NULL)",
    "INSERT INTO log_head VALUES(1, 0, 0, 0, 0, -9223372036854775808, '', 0)",
    "CREATE TABLE lease(name TEXT PRIMARY KEY, holder TEXT NOT NULL,"
    " until double precision NOT NULL)",
    NULL,
};

static const DbMigration server_steps[] = {{server_1}};

/* ---- Which database -------------------------------------------------------------------------- */

/* Not of the store's randomness: that may be the same in two processes. */
Str server_name_new(Arena *a)
{
    Random system;
    uint8_t name[12];
    random_init_system(&system);
    random_bytes(&system, name, sizeof name);
    return hex_encode(a, name, sizeof name);
}

/* As $TMPDIR says where temporary files lie. */
static void temporary_name(Store *s)
{
    const char *where = getenv("MENKOU_TEMPORARY_DB");
    if (where && *where) {
        s->server =
            arena_printf(&s->arena, "%s%cschema=tmp_%.*s", where, strchr(where, '?') ? '&' : '?',
                         STR_ARG(server_name_new(&s->arena)))
                .p;
    }
}

Status server_find(Store *s, Err *err)
{
    Str text;
    const char *path = store_path(&s->arena, s, STORE_DATABASE_FILE);
    if (s->temporary) {
        temporary_name(s);
        return OK;
    }
    if (!file_exists(path)) {
        return OK;
    }
    TRY(file_read(&s->arena, path, ADDRESS_BYTES_MAX, &text, err));
    text = str_trim(text);
    if (!db_path_is_server(text)) {
        return err_rule(err, ERR_CONFLICT, STR("unknown-state"), str_from_c(path),
                        "文件 database 不含 postgresql:// 地址",
                        "The file database holds no address postgresql://…");
    }
    s->server = arena_str(&s->arena, text).p;
    return OK;
}

static Status spaces_drop(Db *db, Err *err)
{
    static const char *const spaces[] = {"log", "index", "index_new", "server", "hooks"};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        TRY(db_space_drop(db, spaces[i], err));
    }
    return OK;
}

Status store_database_discard(Str dir, Err *err)
{
    Store s = {.dir = dir, .options.dir = dir.p};
    Db *db = NULL;
    arena_init(&s.arena, 0);
    Status st = server_find(&s, err);
    if (st == OK && s.server) {
        st = store_db_open(&s, "log.db", DB_SYNC_FULL, false, &db, err);
        st = st == OK ? spaces_drop(db, err) : st;
        db_close(db);
    }
    arena_done(&s.arena);
    return st;
}

void store_beside(const Store *s, Arena *a, const char *name, const char **ret_path,
                  const char **ret_space)
{
    *ret_path = s->server ? s->server : path_join(a, s->dir, arena_printf(a, "%s.db", name)).p;
    *ret_space = name;
}

/* ---- Where the log ends ---------------------------------------------------------------------- */

static DbStmt *head_stmt(Db *log, bool lock)
{
    return lock ? db_take(log, "SELECT seq, tx, oseq, rid, at, digest, grants FROM log_head"
                               " WHERE one = 1 FOR UPDATE")
                : db_take(log, "SELECT seq, tx, oseq, rid, at, digest, grants FROM log_head"
                               " WHERE one = 1");
}

static Status head_load(Store *s, bool lock, Err *err)
{
    DbStmt *st = head_stmt(s->log, lock);
    if (!st || db_step(st) != DB_ROW) {
        Status failed = db_failed(s->log, err);
        db_give(st);
        return failed;
    }
    s->seq = (uint64_t)db_col_i64(st, 0);
    s->tx = (uint64_t)db_col_i64(st, 1);
    s->oseq = (uint64_t)db_col_i64(st, 2);
    s->rid = db_col_i64(st, 3);
    s->at_ms = db_col_i64(st, 4);
    Str digest = db_col_str(st, 5);
    s->digest = (Sha256){0};
    if (digest.n == sizeof s->digest) {
        memcpy(&s->digest, digest.p, digest.n);
    }
    s->grants = db_col_i64(st, 6);
    db_give(st);
    return OK;
}

Status server_group_begin(Store *s, const Job *first, Err *err)
{
    uint64_t before = s->seq;
    TRY(head_load(s, true, err));
    if (s->seq != before) {
        TRY(params_follow(s, s->log, err));
    }
    if (!params_stand_all(params_now(s), &s->stand)) {
        TRY(params_stand_take(s, s->log, err));
    }
    return group_ahead(s, first, err);
}

static Status head_save(Store *s, Err *err)
{
    DbStmt *st = db_take(s->log, "UPDATE log_head SET seq = ?, tx = ?, oseq = ?, rid = ?, at = ?,"
                                 " digest = ?, grants = ? WHERE one = 1");
    if (st) {
        db_bind_i64(st, 0, (int64_t)s->seq);
        db_bind_i64(st, 1, (int64_t)s->tx);
        db_bind_i64(st, 2, (int64_t)s->oseq);
        db_bind_i64(st, 3, s->rid);
        db_bind_i64(st, 4, s->at_ms);
        db_bind_blob(st, 5, s->digest.b, sizeof s->digest.b);
        db_bind_i64(st, 6, s->grants + s->grants_moved);
    }
    return db_run(s->log, st, err);
}

Status server_head_make(Store *s, Err *err)
{
    DbStmt *st = db_take(
        s->log, "UPDATE log_head SET seq = coalesce((SELECT max(seq) FROM version), 0),"
                " tx = coalesce((SELECT max(tx) FROM tx), 0),"
                " oseq = coalesce((SELECT max(oseq) FROM tx), 0),"
                " rid = coalesce((SELECT max(rid) FROM head), 0),"
                " at = coalesce((SELECT at FROM tx ORDER BY tx DESC LIMIT 1), at),"
                " digest = coalesce((SELECT digest FROM tx ORDER BY tx DESC LIMIT 1), digest)"
                " WHERE one = 1");
    return db_run(s->log, st, err);
}

static int applied_order(const void *x, const void *y)
{
    const Applied *p = x, *q = y;
    return p->rid < q->rid ? -1 : p->rid > q->rid ? 1 : p->seq < q->seq ? -1 : p->seq > q->seq;
}

/* From what stood in the index to the group's last word, for each resource. */
static size_t moves_make(const Applied *list, size_t n, IndexMove *moves)
{
    size_t moves_n = 0;
    for (size_t i = 0, first = 0; i < n; i++) {
        if (i + 1 < n && list[i + 1].rid == list[i].rid) {
            continue;
        }
        moves[moves_n++] = (IndexMove){list[i].rid, list[i].seq, list[first].before,
                                       list[i].op == STORE_DELETE ? NULL : &list[i].change->doc,
                                       list[first].before_seq == 0};
        first = i + 1;
    }
    return moves_n;
}

static Status index_rows_write(Store *s, Err *err)
{
    Group *g = &s->group;
    size_t n = g->applied_n;
    if (n == 0) {
        return OK;
    }
    Applied *list = arena_array(&g->arena, Applied, n);
    IndexMove *moves = arena_array(&g->arena, IndexMove, n);
    IndexChange *changes = arena_array(&g->arena, IndexChange, n);
    memcpy(list, g->applied, n * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        changes[i] =
            (IndexChange){list[i].change->type, list[i].seq, list[i].rid, list[i].before_seq == 0};
    }
    qsort(list, n, sizeof *list, applied_order);
    size_t moves_n = moves_make(list, n, moves);
    return index_write(s->log, &g->arena, moves, moves_n, changes, n, s->seq, err);
}

Status server_group_end(Store *s, Err *err)
{
    TRY(index_rows_write(s, err));
    TRY(head_save(s, err));
    return db_run(s->log, db_take(s->log, "NOTIFY menkou"), err);
}

/* The index is held before the snapshot is taken: none that is exchanged later is looked into. */
Status server_moment(StoreReader *r, Err *err)
{
    TRY(db_run(r->log, db_take(r->log, "LOCK TABLE meta IN ACCESS SHARE MODE"), err));
    DbStmt *st = head_stmt(r->log, false);
    if (!st) {
        return db_failed(r->log, err);
    }
    Status s = db_step(st) == DB_ROW ? OK : db_failed(r->log, err);
    if (s == OK) {
        r->log_seq = r->index_file_seq = r->index_seq = db_col_i64(st, 0);
        r->rid_max = db_col_i64(st, 3);
        r->grants = db_col_i64(st, 6);
    }
    db_give(st);
    return s;
}

bool store_is_shared(const Store *s)
{
    return s->server != NULL;
}

Status store_type_written(StoreReader *r, Str type, uint64_t after, uint64_t *ret_to, bool *ret,
                          Err *err)
{
    const FhirType *t;
    uint64_t to = r->snapshot ? (uint64_t)r->log_seq : store_seq(r->store);
    TRY(type_known(type, &t, err));
    DbStmt *st = db_take(r->log, "SELECT 1 FROM change WHERE type = ? AND seq > ? LIMIT 1");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, type_number(t));
    db_bind_i64(st, 1, (int64_t)after);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->log, err) : OK;
    *ret = step == DB_ROW;
    *ret_to = to;
    db_give(st);
    return s;
}

/* ---- Opening --------------------------------------------------------------------------------- */

Status server_migrate(Store *s, Err *err)
{
    Db *db = NULL;
    TRY(store_db_open(s, "server", DB_SYNC_FULL, true, &db, err));
    Status st = db_migrate(db, SERVER_APPLICATION, server_steps,
                           sizeof server_steps / sizeof *server_steps, err);
    db_close(db);
    return st;
}

static Status index_caught_up(Store *s, Db *db, Err *err)
{
    TRY(db_begin(s->log, err));
    Status st = head_load(s, true, err);
    st = st == OK ? index_catch_up(s, db, err) : st;
    db_abort(s->log);
    return st;
}

static Status server_index_open(Store *s, Err *err)
{
    Db *db = NULL;
    Arena a;
    TRY(store_db_open(s, "index.db", DB_SYNC_FULL, true, &db, err));
    arena_init(&a, 0);
    bool usable = index_is_usable(s, db, &a);
    arena_done(&a);
    Status st = usable ? params_open(s, db, err) : params_load(s, s->log, NULL, err);
    st = st == OK && usable ? index_caught_up(s, db, err) : st;
    db_close(db);
    TRY(st);
    if (usable) {
        return OK;
    }
    TRY(index_build(s, s->options.progress, s->options.progress_ctx, err));
    return params_stand_take(s, s->log, err);
}

static Status settled(Store *s, Err *err)
{
    TRY(log_migrate(s->log, err));
    TRY(server_migrate(s, err));
    TRY(identity_load(s, err));
    TRY(head_load(s, false, err));
    TRY(epoch_check(s, err));
    TRY(labels_settle(s, err));
    TRY(dir_sync(s->dir.p, err));
    TRY(server_index_open(s, err));
    return head_load(s, false, err);
}

void server_node_make(Store *s)
{
    s->node = server_name_new(&s->arena);
}

Status server_open(Store *s, DbSync sync, Err *err)
{
    s->holder = server_name_new(&s->arena);
    TRY(store_db_open(s, "log.db", sync, true, &s->log, err));
    TRY(db_alone_begin(s->log, err));
    Status st = settled(s, err);
    db_alone_end(s->log);
    s->index = s->index_asked = s->log;
    return st;
}

Status server_open_for_reading(Store *s, Err *err)
{
    TRY(store_db_open(s, "log.db", DB_SYNC_FULL, false, &s->log, err));
    TRY(identity_load(s, err));
    node_name_read(s);
    return head_load(s, false, err);
}

void server_close(Store *s)
{
    if (s->temporary && s->log && spaces_drop(s->log, NULL) != OK) {
        log_warn("store", "a temporary schema stays behind");
    }
    db_close(s->log);
    s->log = s->index = s->index_asked = NULL;
}

/* ---- What others wrote ----------------------------------------------------------------------- */

static bool listening_ends(Store *s)
{
    pthread_mutex_lock(&s->lock);
    bool closing = s->closing;
    pthread_mutex_unlock(&s->lock);
    return closing;
}

void *server_listen_main(void *arg)
{
    Store *s = arg;
    Db *ear = NULL;
    int64_t looked_us = 0;
    while (!listening_ends(s)) {
        bool heard = false;
        int64_t seq;
        if ((!ear && store_db_open(s, "log.db", DB_SYNC_FULL, false, &ear, NULL) != OK) ||
            db_listen(ear, LISTEN_MS, &heard, NULL) != OK) {
            store_wait(s, UINT64_MAX, LISTEN_MS);
            continue;
        }
        if (!heard && time_mono_us() < looked_us + LOOK_MS * 1000) {
            continue;
        }
        looked_us = time_mono_us();
        if (db_get_i64(ear, "SELECT seq FROM log_head WHERE one = 1", 0, &seq, NULL) == OK) {
            if ((uint64_t)seq > store_seq(s)) {
                (void)!params_follow(s, ear, NULL); /* else with the next commit */
            }
            seq_publish(s, (uint64_t)seq);
        }
    }
    db_close(ear);
    return NULL;
}
