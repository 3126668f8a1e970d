/* What db.h promises, of both drivers; then what only a server does. */
#include "db.h"

#include <pthread.h>

#include "test_pg.h"

typedef struct Base {
    Arena arena;
    Err err;
    Db *db;
    char dir[TEST_FOLDER_MAX];
    const char *path; /* of the database */
    bool server;
} Base;

static const char *server; /* NULL: none */
static bool on_server;     /* what the running test is to use */

static void must(Base *b, Status s)
{
    if (s != OK) {
        fail_msg("%.*s", b->err.first ? (int)b->err.first->en.n : 0,
                 b->err.first ? b->err.first->en.p : "");
    }
}

static Db *base_connect(Base *b, bool create)
{
    Db *db;
    DbOptions o = {
        .path = b->path, .space = "log", .sync = DB_SYNC_OFF, .create = create, .wait_ms = 200};
    must(b, db_open(&o, &db, &b->err));
    return db;
}

static void base_init(Base *b)
{
    static int n;
    *b = (Base){.server = on_server};
    arena_init(&b->arena, 0);
    err_init(&b->err, &b->arena);
    test_folder(b->dir);
    b->path = on_server ? arena_printf(&b->arena, "%s&schema=t%d_%d", server, (int)getpid(), ++n).p
                        : arena_printf(&b->arena, "%s/a.db", b->dir).p;
    b->db = base_connect(b, true);
    must(b, db_exec(b->db,
                    "CREATE TABLE thing(id INTEGER PRIMARY KEY, name TEXT, body BLOB,"
                    " weight REAL) WITHOUT ROWID",
                    &b->err));
}

static void base_done(Base *b)
{
    if (b->server) {
        must(b, db_space_drop(b->db, "log", &b->err));
    }
    db_close(b->db);
    assert_int_equal(system(arena_printf(&b->arena, "rm -rf %s", b->dir).p), 0);
    arena_done(&b->arena);
}

static Status add(Base *b, int64_t id, Str name)
{
    DbStmt *st = db_take(b->db, "INSERT INTO thing(id, name) VALUES(?, ?)");
    if (st) {
        db_bind_i64(st, 0, id);
        db_bind_str(st, 1, name);
    }
    return db_run(b->db, st, &b->err);
}

static int64_t count(Base *b)
{
    int64_t n;
    must(b, db_get_i64(b->db, "SELECT count(*) FROM thing", -1, &n, &b->err));
    return n;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void values_come_back(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    static const char bytes[] = {0, 1, (char)0xff, 0, 'x'};
    DbStmt *st = db_take(b.db, "INSERT INTO thing(id, name, body, weight) VALUES(?4, ?1, ?2, ?6)");
    db_bind_str(st, 0, STR("门口 𠮷"));
    db_bind_blob(st, 1, bytes, sizeof bytes);
    db_bind_i64(st, 3, INT64_MIN);
    db_bind_double(st, 5, -1.5e300);
    must(&b, db_run(b.db, st, &b.err));
    must(&b, add(&b, 7, STR("")));
    st = db_take(b.db, "SELECT id, name, body, weight, id < 0 FROM thing WHERE id <= ?2"
                       " ORDER BY id");
    db_bind_i64(st, 1, INT64_MAX);
    assert_int_equal(db_step(st), DB_ROW);
    assert_true(db_col_i64(st, 0) == INT64_MIN);
    assert_str(db_col_str(st, 1), "门口 𠮷");
    assert_true(str_eq(db_col_str(st, 2), (Str){bytes, sizeof bytes}));
    assert_true(db_col_double(st, 3) == -1.5e300);
    assert_int_equal(db_col_i64(st, 4), 1);
    assert_int_equal(db_step(st), DB_ROW);
    assert_false(db_col_is_null(st, 1));
    assert_str(db_col_str(st, 1), "");
    assert_true(db_col_is_null(st, 2));
    assert_int_equal(db_step(st), DB_NONE);
    db_give(st);
    base_done(&b);
}

/* A UUID comes back as it was, and so does what only looks like one. */
static void ids_come_back(void **state)
{
    (void)state;
    static const char *const id[] = {"0c89b627-646b-40ff-a620-c8509a10912c",
                                     "0C89b627-646b-40ff-a620-c8509a10912c",
                                     "0c89b627-646b-40ff-a620+c8509a10912c",
                                     "0c89b627x646b-40ff-a620-c8509a10912c",
                                     "abcdefghijklmnop",
                                     "p1",
                                     ""};
    Base b;
    base_init(&b);
    for (int i = 0; i < 7; i++) {
        DbStmt *st = db_take(b.db, "INSERT INTO thing(id, name) VALUES(?, ?)");
        db_bind_i64(st, 0, i);
        db_bind_id(st, 1, str_from_c(id[i]));
        must(&b, db_run(b.db, st, &b.err));
    }
    for (int i = 0; i < 7; i++) {
        DbStmt *st = db_take(b.db, "SELECT id, name FROM thing WHERE name = ?");
        db_bind_id(st, 0, str_from_c(id[i]));
        assert_int_equal(db_step(st), DB_ROW);
        assert_int_equal(db_col_i64(st, 0), i);
        assert_str(db_col_id(st, 1), id[i]);
        assert_int_equal(db_step(st), DB_NONE);
        db_give(st);
    }
    base_done(&b);
}

static void order_is_of_bytes(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, add(&b, 1, STR("a")));
    must(&b, add(&b, 2, STR("B")));
    must(&b, add(&b, 3, STR("门")));
    must(&b, add(&b, 4, STR("ä")));
    static const int64_t want[] = {2, 1, 4, 3};
    DbStmt *st = db_take(b.db, "SELECT id FROM thing ORDER BY name");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(db_step(st), DB_ROW);
        assert_int_equal(db_col_i64(st, 0), want[i]);
    }
    db_give(st);
    base_done(&b);
}

/* ---- Walks ----------------------------------------------------------------------------------- */

enum { MANY = 5000 };

static void fill(Base *b)
{
    must(b, db_begin(b->db, &b->err));
    for (int64_t i = 1; i <= MANY; i++) {
        must(b, add(b, i, STR("x")));
    }
    must(b, db_commit(b->db, &b->err));
}

/* Both to the end, one inside the other: neither loses its place. */
static void walk_nested(Base *b)
{
    DbStmt *outer = db_take(b->db, "SELECT id FROM thing WHERE id % 1000 = 0 ORDER BY id");
    int64_t n = 0, sum = 0;
    while (db_step(outer) == DB_ROW) {
        DbStmt *inner = db_take(b->db, "SELECT id FROM thing WHERE id > ? ORDER BY id");
        db_bind_i64(inner, 0, db_col_i64(outer, 0) - 1000);
        for (int64_t want = db_col_i64(outer, 0) - 999; db_step(inner) == DB_ROW; want++) {
            assert_true(db_col_i64(inner, 0) == want);
            sum++;
        }
        db_give(inner);
        n++;
    }
    db_give(outer);
    assert_int_equal(n, 5);
    assert_int_equal(sum, 5000 + 4000 + 3000 + 2000 + 1000);
}

static void walks_nest_and_end_early(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    fill(&b);
    walk_nested(&b);
    must(&b, db_begin_read(b.db, &b.err));
    walk_nested(&b);
    DbStmt *st = db_take(b.db, "SELECT id FROM thing ORDER BY id");
    for (int round = 0; round < 3; round++) {
        for (int64_t i = 1; i <= 700; i++) {
            assert_int_equal(db_step(st), DB_ROW);
            assert_int_equal(db_col_i64(st, 0), i);
        }
        db_rewind(st);
    }
    db_give(st);
    db_abort(b.db);
    assert_int_equal(count(&b), MANY);
    base_done(&b);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static void savepoints_undo_their_own(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, db_begin(b.db, &b.err));
    must(&b, add(&b, 1, STR("kept")));
    must(&b, db_savepoint_begin(b.db, &b.err));
    must(&b, add(&b, 2, STR("undone unseen")));
    must(&b, db_savepoint_abort(b.db, &b.err));
    must(&b, db_savepoint_begin(b.db, &b.err));
    must(&b, add(&b, 3, STR("undone")));
    assert_int_equal(count(&b), 2);
    must(&b, add(&b, 4, STR("undone")));
    must(&b, db_savepoint_abort(b.db, &b.err));
    assert_int_equal(count(&b), 1);
    must(&b, db_savepoint_begin(b.db, &b.err));
    must(&b, add(&b, 5, STR("kept")));
    assert_int_equal(count(&b), 2);
    must(&b, add(&b, 6, STR("kept")));
    must(&b, db_savepoint_commit(b.db, &b.err));
    must(&b, db_commit(b.db, &b.err));
    assert_int_equal(count(&b), 3);
    base_done(&b);
}

/* A reader's transaction sees one moment; what is not committed is nobody else's. */
static void snapshots_stand_still(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, add(&b, 1, STR("a")));
    Db *writer = b.db, *reader = base_connect(&b, false);
    b.db = reader;
    must(&b, db_begin_read(reader, &b.err));
    assert_int_equal(count(&b), 1);
    b.db = writer;
    must(&b, db_begin(writer, &b.err));
    must(&b, add(&b, 2, STR("b")));
    must(&b, db_commit(writer, &b.err));
    assert_int_equal(count(&b), 2);
    must(&b, db_begin(writer, &b.err));
    must(&b, add(&b, 3, STR("c")));
    assert_int_equal(count(&b), 3);
    b.db = reader;
    assert_int_equal(count(&b), 1);
    db_abort(reader);
    assert_int_equal(count(&b), 2);
    db_abort(writer);
    db_close(reader);
    b.db = writer;
    base_done(&b);
}

/* More than go in one exchange; each answer stands at its own question, also behind writes that
 * wait. */
static void many_questions_at_once(void **state)
{
    (void)state;
    enum { N = 700 };
    Base b;
    bool there[N];
    base_init(&b);
    must(&b, db_begin(b.db, &b.err));
    for (int i = 0; i < N; i += 3) {
        must(&b, add(&b, i, STR("thing")));
    }
    for (int i = 0; i < N; i++) {
        DbStmt *st = db_take(b.db, "SELECT 1 FROM thing WHERE id = ? AND name = ?");
        db_bind_i64(st, 0, i);
        db_bind_str(st, 1, i % 2 ? STR("thing") : STR("another"));
        db_ask(st, &there[i]);
    }
    must(&b, db_ask_end(b.db, &b.err));
    for (int i = 0; i < N; i++) {
        assert_int_equal(there[i], i % 3 == 0 && i % 2);
    }
    must(&b, db_commit(b.db, &b.err));
    must(&b, db_ask_end(b.db, &b.err)); /* nothing was asked */
    base_done(&b);
}

/* A question that cannot be answered is an error of all, and the next ones are answered again. */
static void failed_question_is_an_error(void **state)
{
    (void)state;
    Base b;
    bool there = true;
    base_init(&b);
    must(&b, add(&b, 1, STR("a")));
    for (int divisor = 0; divisor < 2; divisor++) {
        DbStmt *st = db_take(b.db, "SELECT 1 FROM thing WHERE abs(?1 - 9223372036854775807 - id)"
                                   " IS NOT NULL");
        db_bind_i64(st, 0, divisor);
        db_ask(st, &there);
        assert_int_equal(db_ask_end(b.db, divisor ? &b.err : NULL) == OK, divisor == 1);
        assert_int_equal(there, divisor);
        db_calm(b.db);
    }
    base_done(&b);
}

/* A write that cannot be done is told at the latest by the commit, and then nothing was done. */
static void failed_write_spoils_all(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, add(&b, 1, STR("there")));
    must(&b, db_begin(b.db, &b.err));
    Status s = add(&b, 2, STR("new"));
    s = s == OK ? add(&b, 1, STR("again")) : s;
    s = s == OK ? db_commit(b.db, &b.err) : s;
    assert_int_not_equal(s, OK);
    assert_int_not_equal(db_trouble(b.db), OK);
    db_abort(b.db);
    db_calm(b.db);
    assert_false(db_in_transaction(b.db));
    assert_int_equal(count(&b), 1);
    base_done(&b);
}

static void conflicts_are_passed_over(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, db_begin(b.db, &b.err));
    for (int i = 0; i < 300; i++) {
        DbStmt *st = db_take(b.db, "INSERT OR IGNORE INTO thing(id, name) VALUES(?, ?)");
        db_bind_i64(st, 0, i % 100);
        db_bind_str(st, 1, i % 7 ? STR("value") : STR("'it''s'"));
        must(&b, db_run(b.db, st, &b.err));
    }
    must(&b, db_commit(b.db, &b.err));
    assert_int_equal(count(&b), 100);
    DbStmt *st = db_take(b.db, "INSERT INTO thing(id, name) VALUES(?, ?) ON CONFLICT(id)"
                               " DO UPDATE SET name = excluded.name RETURNING name");
    db_bind_i64(st, 0, 3);
    db_bind_str(st, 1, STR("new"));
    assert_int_equal(db_step(st), DB_ROW);
    assert_str(db_col_str(st, 0), "new");
    db_give(st);
    base_done(&b);
}

static Status add_new(Base *b, int64_t id)
{
    DbStmt *st =
        db_take(b->db, "INSERT OR IGNORE INTO thing(id, name, body, weight) VALUES(?, ?, ?, ?)");
    if (!st) {
        return db_failed(b->db, &b->err);
    }
    db_bind_i64(st, 0, id);
    db_bind_str(st, 1, arena_printf(&b->arena, "名 %lld", (long long)id));
    if (id % 3) {
        db_bind_blob(st, 2, &id, sizeof id);
    } else {
        db_bind_null(st, 2);
    }
    db_bind_double(st, 3, (double)id / 4);
    db_row_is_new(st);
    return db_run(b->db, st, &b->err);
}

static Status add_many(Base *b, int64_t from, int64_t to)
{
    Status s = OK;
    for (int64_t id = from; id < to && s == OK; id++) {
        s = add_new(b, id);
    }
    return s;
}

#define MANY 700 /* enough for a server's own way of taking rows that are new */

static void many_new_rows(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, db_begin(b.db, &b.err));
    must(&b, add(&b, MANY * 9, STR("before them")));
    must(&b, add_many(&b, 0, MANY));
    must(&b, db_savepoint_begin(b.db, &b.err));
    must(&b, add_many(&b, MANY, 2 * MANY));
    assert_int_equal(count(&b), 2 * MANY + 1);
    must(&b, db_savepoint_abort(b.db, &b.err));
    must(&b, db_savepoint_begin(b.db, &b.err));
    must(&b, add_many(&b, 2 * MANY, 3 * MANY));
    must(&b, db_savepoint_commit(b.db, &b.err));
    must(&b, add(&b, MANY * 9 + 1, STR("behind them")));
    must(&b, db_commit(b.db, &b.err));
    assert_int_equal(count(&b), 2 * MANY + 2);
    DbStmt *st = db_take(b.db, "SELECT id, name, body, weight FROM thing ORDER BY id");
    for (int64_t i = 0; i < 2 * MANY; i++) {
        int64_t id = i < MANY ? i : i + MANY;
        assert_int_equal(db_step(st), DB_ROW);
        assert_true(db_col_i64(st, 0) == id && db_col_double(st, 3) == (double)id / 4);
        Str name = arena_printf(&b.arena, "名 %lld", (long long)id);
        assert_true(str_eq(db_col_str(st, 1), name));
        Str body = {(const char *)&id, sizeof id};
        assert_int_equal(db_col_is_null(st, 2), id % 3 == 0);
        assert_true(id % 3 == 0 || str_eq(db_col_str(st, 2), body));
    }
    db_give(st);
    base_done(&b);
}

/* Two of many that have one key: plainly inserted, or falsely called new. */
static void many_rows_are_all_or_none(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, add(&b, MANY / 2, STR("there")));
    for (int called = 0; called < 1 + b.server; called++) {
        Status s = db_begin(b.db, &b.err);
        for (int64_t id = 0; id < MANY && s == OK; id++) {
            s = called ? add_new(&b, id) : add(&b, id, STR("plain"));
        }
        s = s == OK ? db_commit(b.db, &b.err) : s;
        assert_int_not_equal(s, OK);
        db_abort(b.db);
        db_calm(b.db);
        assert_int_equal(count(&b), 1);
    }
    base_done(&b);
}

static void unknown_table_is_an_error(void **state)
{
    (void)state;
    Base b;
    int64_t n;
    base_init(&b);
    assert_int_equal(db_get_i64(b.db, "SELECT max(a) FROM nothing", 0, &n, &b.err), ERR_INTERNAL);
    assert_int_equal(count(&b), 0);
    base_done(&b);
}

static void states_are_numbered(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    static const char *const first[] = {
        "CREATE TABLE one(a INTEGER, b INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID"
        " /* PARTITION BY HASH(a) */",
        NULL};
    static const char *const second[] = {"CREATE TABLE two(a INTEGER)",
                                         "INSERT INTO two(a) VALUES(1)", NULL};
    static const char *const bad[] = {"CREATE TABLE three(a INTEGER)", "INSERT INTO no VALUES(1)",
                                      NULL};
    const DbMigration steps[] = {{first}, {second}, {bad}};
    int64_t n;
    must(&b, db_migrate(b.db, 77, steps, 1, &b.err));
    must(&b, db_migrate(b.db, 77, steps, 2, &b.err));
    must(&b, db_migrate(b.db, 77, steps, 2, &b.err));
    must(&b, db_exec(b.db, "INSERT INTO one(a, b) VALUES(1, 2), (2, 3), (3, 4), (3, 5)", &b.err));
    must(&b, db_get_i64(b.db, "SELECT sum(b) FROM one WHERE a = 3", 0, &n, &b.err));
    assert_int_equal(n, 9);
    must(&b, db_get_i64(b.db, "SELECT count(*) FROM two", 0, &n, &b.err));
    assert_int_equal(n, 1);
    assert_int_not_equal(db_migrate(b.db, 77, steps, 3, &b.err), OK);
    assert_int_not_equal(db_get_i64(b.db, "SELECT count(*) FROM three", 0, &n, &b.err), OK);
    db_calm(b.db);
    assert_int_equal(db_migrate(b.db, 77, steps, 1, &b.err), ERR_CONFLICT);
    assert_int_equal(db_migrate(b.db, 78, steps, 2, &b.err), ERR_CONFLICT);
    base_done(&b);
}

/* ---- Of a server alone ----------------------------------------------------------------------- */

/* Somebody else ends or interrupts the connection `of` while it does `what`. */
static void strike(Base *b, Db *by, const char *what, int64_t pid)
{
    DbStmt *st = db_take(by, what);
    db_bind_i64(st, 0, pid);
    assert_int_equal(db_step(st), DB_ROW);
    db_give(st);
    (void)b;
}

static int64_t pid_of(Base *b)
{
    int64_t pid;
    must(b, db_get_i64(b->db, "SELECT pg_backend_pid()", 0, &pid, &b->err));
    return pid;
}

static void lost_connection_comes_back(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    Db *other = base_connect(&b, false);
    static const char kill[] = "SELECT pg_terminate_backend(?::bigint::int, 10000)";
    must(&b, add(&b, 1, STR("before")));
    strike(&b, other, kill, pid_of(&b));
    assert_int_equal(count(&b), 1); /* a question may be asked again */
    strike(&b, other, kill, pid_of(&b));
    must(&b, db_begin(b.db, &b.err)); /* nothing of it was sent */
    assert_int_equal(count(&b), 1);
    must(&b, add(&b, 2, STR("lost")));
    strike(&b, other, kill, pid_of(&b));
    must(&b, add(&b, 3, STR("lost")));
    assert_int_equal(db_commit(b.db, &b.err), ERR_UNAVAILABLE);
    db_abort(b.db);
    db_calm(b.db);
    assert_int_equal(count(&b), 1);
    must(&b, db_begin_read(b.db, &b.err));
    assert_int_equal(count(&b), 1);
    strike(&b, other, kill, pid_of(&b));
    int64_t n; /* the rest of a snapshot is not to be had anywhere else */
    assert_int_equal(db_get_i64(b.db, "SELECT count(*) FROM thing", 0, &n, &b.err),
                     ERR_UNAVAILABLE);
    db_abort(b.db);
    assert_int_equal(count(&b), 1);
    db_close(other);
    base_done(&b);
}

static void locks_and_long_statements_end(void **state)
{
    (void)state;
    Base b;
    base_init(&b);
    must(&b, add(&b, 1, STR("row")));
    Db *other = base_connect(&b, false);
    must(&b, db_begin(other, &b.err));
    DbStmt *st = db_take(other, "SELECT id FROM thing WHERE id = 1 FOR UPDATE");
    assert_int_equal(db_step(st), DB_ROW);
    db_give(st);
    must(&b, db_begin(b.db, &b.err));
    st = db_take(b.db, "SELECT id FROM thing WHERE id = 1 FOR UPDATE");
    assert_int_equal(db_step(st), DB_RETRY);
    db_give(st);
    assert_int_equal(db_failed(b.db, &b.err), ERR_UNAVAILABLE);
    db_abort(b.db);
    db_abort(other);
    must(&b, db_exec(b.db, "SET statement_timeout = 100", &b.err));
    assert_int_equal(db_exec(b.db, "SELECT pg_sleep(20)", &b.err), ERR_UNAVAILABLE);
    assert_int_equal(count(&b), 1);
    db_close(other);
    base_done(&b);
}

static void news_are_heard(void **state)
{
    (void)state;
    Base b;
    bool news = false;
    base_init(&b);
    Db *ear = base_connect(&b, false);
    must(&b, db_listen(ear, 0, &news, &b.err));
    must(&b, db_begin(b.db, &b.err));
    must(&b, db_run(b.db, db_take(b.db, "NOTIFY menkou"), &b.err));
    must(&b, db_listen(ear, 0, &news, &b.err));
    assert_false(news);
    must(&b, db_commit(b.db, &b.err));
    must(&b, db_listen(ear, 10000, &news, &b.err));
    assert_true(news);
    db_close(ear);
    base_done(&b);
}

#define MAKERS 6

typedef struct Maker {
    const char *path;
    pthread_barrier_t *start;
    Status done;
} Maker;

static void *maker_main(void *arg)
{
    static const char *const first[] = {"CREATE TABLE one(a INTEGER)", NULL};
    const DbMigration steps[] = {{first}};
    Maker *m = arg;
    Db *db = NULL;
    DbOptions o = {.path = m->path, .space = "log", .create = true, .wait_ms = 1};
    pthread_barrier_wait(m->start);
    m->done = db_open(&o, &db, NULL);
    m->done = m->done == OK ? db_migrate(db, 79, steps, 1, NULL) : m->done;
    db_close(db);
    return NULL;
}

/* As processes do that start together on a database where nothing is. */
static void many_make_the_same_at_once(void **state)
{
    (void)state;
    Base b;
    pthread_barrier_t start;
    pthread_t thread[MAKERS];
    Maker maker[MAKERS];
    base_init(&b);
    must(&b, db_space_drop(b.db, "log", &b.err));
    pthread_barrier_init(&start, NULL, MAKERS);
    for (int i = 0; i < MAKERS; i++) {
        maker[i] = (Maker){.path = b.path, .start = &start};
        assert_int_equal(pthread_create(&thread[i], NULL, maker_main, &maker[i]), 0);
    }
    for (int i = 0; i < MAKERS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(maker[i].done, OK);
    }
    pthread_barrier_destroy(&start);
    base_done(&b);
}

static void bad_addresses_are_refused(void **state)
{
    (void)state;
    Base b;
    Db *db;
    base_init(&b);
    DbOptions o = {.path = "postgresql:///x?host=/nowhere", .space = "log", .wait_ms = 100};
    assert_int_equal(db_open(&o, &db, &b.err), ERR_UNAVAILABLE);
    o.path = arena_printf(&b.arena, "%s&schema=a;b", server).p;
    assert_int_not_equal(db_open(&o, &db, &b.err), OK);
    o.path = arena_printf(&b.arena, "%s&schema=", server).p;
    assert_int_not_equal(db_open(&o, &db, &b.err), OK);
    base_done(&b);
}

static int use_server(void **state)
{
    (void)state;
    on_server = true;
    return 0;
}

int main(void)
{
    const struct CMUnitTest both[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(ids_come_back),
        cmocka_unit_test(order_is_of_bytes),
        cmocka_unit_test(walks_nest_and_end_early),
        cmocka_unit_test(savepoints_undo_their_own),
        cmocka_unit_test(snapshots_stand_still),
        cmocka_unit_test(failed_write_spoils_all),
        cmocka_unit_test(conflicts_are_passed_over),
        cmocka_unit_test(many_new_rows),
        cmocka_unit_test(many_rows_are_all_or_none),
        cmocka_unit_test(unknown_table_is_an_error),
        cmocka_unit_test(states_are_numbered),
        cmocka_unit_test(many_questions_at_once),
        cmocka_unit_test(failed_question_is_an_error),
    };
    const struct CMUnitTest servers[] = {
        cmocka_unit_test(lost_connection_comes_back),
        cmocka_unit_test(locks_and_long_statements_end),
        cmocka_unit_test(news_are_heard),
        cmocka_unit_test(many_make_the_same_at_once),
        cmocka_unit_test(bad_addresses_are_refused),
    };
    int failed = cmocka_run_group_tests_name("db sqlite", both, NULL, NULL);
    server = test_pg_address();
    if (server) {
        failed += cmocka_run_group_tests_name("db postgresql", both, use_server, NULL);
        failed += cmocka_run_group_tests_name("db server", servers, use_server, NULL);
    }
    return failed;
}
