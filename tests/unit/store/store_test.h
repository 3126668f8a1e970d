/* Shared by the store's tests: a store in memory or in a folder, short forms of commit and search.
 */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include <unistd.h>

#include "db.h"
#include "store.h"

#include "test_pg.h"

#define T0 1763769600000LL /* 2025-11-22T08:00:00+08:00 */

typedef struct Rig {
    Clock clock;
    Random random;
    Arena arena;
    Err err;
    Store *store;
    StoreReader *reader;
    char dir[64]; /* empty: in memory */
} Rig;

static inline void rig_fail(const Rig *g, const char *file, int line)
{
    for (const Issue *i = g->err.first; i; i = i->next) {
        print_error("%.*s: %.*s\n", STR_ARG(i->where), STR_ARG(i->en));
    }
    _fail(file, line);
}

#define rig_ok(g, call)                                                                            \
    do {                                                                                           \
        err_clear(&(g)->err);                                                                      \
        if ((call) != OK) {                                                                        \
            rig_fail((g), __FILE__, __LINE__);                                                     \
        }                                                                                          \
    } while (0)

#define rig_refused(g, status, call)                                                               \
    do {                                                                                           \
        err_clear(&(g)->err);                                                                      \
        assert_int_equal((call), (status));                                                        \
    } while (0)

/* MENKOU_DB=postgresql: every store of the tests lies there; NULL: in files. */
static inline const char *rig_server(void)
{
    const char *db = getenv("MENKOU_DB");
    return db && strcmp(db, "postgresql") == 0 ? test_pg_address() : NULL;
}

/* What a test does to files of a database has no meaning on a server. */
static inline void rig_files_only(void)
{
    if (rig_server()) {
        print_message("of files only\n");
        skip();
    }
}

/* SQL behind the store's back; on a server, all its tables are one database's. */
static inline void rig_damage(Rig *g, const char *file, const char *sql)
{
    Str command =
        rig_server()
            ? arena_printf(
                  &g->arena,
                  "cd %s && a=$(cat database) && s=${a##*schema=} && psql -qX \"${a%%%%&schema=*}\""
                  " -c \"SET search_path=${s}_log,${s}_index; %s\"",
                  g->dir, sql)
            : arena_printf(&g->arena, "sqlite3 %s/%s \"%s\"", g->dir, file, sql);
    assert_int_equal(system(command.p), 0);
}

/* The log past the store, which is closed; on a server its folder says where that is. */
static inline Db *rig_log(Rig *g)
{
    Db *db;
    Str path = path_join(&g->arena, str_from_c(g->dir), STR("log.db"));
    if (rig_server()) {
        Str file = path_join(&g->arena, str_from_c(g->dir), STR(STORE_DATABASE_FILE));
        assert_int_equal(file_read(&g->arena, file.p, 4096, &path, NULL), OK);
    }
    DbOptions o = {.path = arena_cstr(&g->arena, str_trim(path)), .space = "log", .wait_ms = 10000};
    rig_ok(g, db_open(&o, &db, &g->err));
    return db;
}

/* The folder names a schema of its own. */
static inline void rig_server_name(Rig *g)
{
    static int n;
    Str text = arena_printf(&g->arena, "%s&schema=t%d_%d\n", rig_server(), (int)getpid(), ++n);
    Str path = path_join(&g->arena, str_from_c(g->dir), STR(STORE_DATABASE_FILE));
    assert_int_equal(file_write_durable(path.p, text, 0600, NULL), OK);
}

static inline void rig_open(Rig *g)
{
    StoreOptions o = {.dir = g->dir[0] ? g->dir : NULL,
                      .clock = &g->clock,
                      .random = &g->random,
                      .zone_min = ZONE_CHINA_MIN};
    rig_ok(g, store_open(&o, &g->store, &g->err));
    rig_ok(g, store_reader_open(g->store, &g->reader, &g->err));
}

static inline void rig_close(Rig *g)
{
    store_reader_close(g->reader);
    store_close(g->store);
    g->reader = NULL;
    g->store = NULL;
}

static inline void rig_init(Rig *g, bool on_disk)
{
    *g = (Rig){0};
    arena_init(&g->arena, 0);
    err_init(&g->err, &g->arena);
    clock_init_fixed(&g->clock, T0);
    random_init_seed(&g->random, 42);
    if (on_disk) {
        test_folder(g->dir);
    }
    if (rig_server() && on_disk) {
        rig_server_name(g);
    } else if (rig_server()) {
        setenv("MENKOU_TEMPORARY_DB", rig_server(), 1);
    }
    rig_open(g);
}

static inline void rig_done(Rig *g)
{
    rig_close(g);
    if (g->dir[0]) {
        Str command = arena_printf(&g->arena, "rm -rf %s", g->dir);
        assert_int_equal(system(command.p), 0);
    }
    arena_done(&g->arena);
}

static const StoreAuthor TEST_AUTHOR = {
    {"Practitioner/li", 15}, {"township-doctor", 15}, {"Organization/a", 14}};

static inline StoreBatch *rig_batch(Rig *g)
{
    return store_batch_new(g->store, &g->arena, &TEST_AUTHOR, STR("test"));
}

/* One resource by PUT; the body's type and id are read from it. */
static inline Status rig_try_put(Rig *g, const char *body, StoreReceipt *ret)
{
    JsonDoc d;
    Str text = str_from_c(body);
    rig_ok(g, json_parse(&g->arena, text, &JSON_LIMITS_FHIR, &d, &g->err));
    StoreBatch *b = rig_batch(g);
    rig_ok(g, store_batch_update(b, json_str_at(&d, JSON_ROOT, "resourceType"),
                                 json_str_at(&d, JSON_ROOT, "id"), text, STR_NONE, &g->err));
    return store_commit(b, ret, &g->err);
}

static inline StoreVersion rig_put(Rig *g, const char *body)
{
    StoreReceipt receipt;
    rig_ok(g, rig_try_put(g, body, &receipt));
    assert_int_equal(receipt.versions_n, 1);
    return receipt.versions[0];
}

static inline void rig_grant(Rig *g, const char *grantee, const char *patient)
{
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    store_batch_grant(b, str_from_c(grantee), str_from_c(patient), STR("case"), STR("Task/1"), 0,
                      TIME_FOREVER);
    rig_ok(g, store_commit(b, &receipt, &g->err));
}

#endif
