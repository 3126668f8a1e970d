/* The file that follows the log: opening, words, throwing away. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "insight_inner.h"

#include "mk_banned.h"

#define APPLICATION 0x4d4b4e31 /* MKN1 */
#define LAYOUT      "2"        /* of the facts: another one is made anew */

static const char *const layout_1[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE word(no INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    "CREATE TABLE run(no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, patient TEXT NOT NULL,"
    " pathway INTEGER NOT NULL, requester INTEGER NOT NULL, owner INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, state INTEGER NOT NULL, labels INTEGER NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL)",
    "CREATE INDEX run_last ON run(last, first)",
    "CREATE TABLE moment(run INTEGER NOT NULL, at INTEGER NOT NULL, ord INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, code INTEGER NOT NULL, state INTEGER NOT NULL,"
    " before INTEGER NOT NULL, after INTEGER NOT NULL,"
    " PRIMARY KEY(run, at, ord, kind, code)) WITHOUT ROWID",
    NULL,
};

Status insight_meta_put(Insight *in, const char *name, Str value, Err *err)
{
    DbStmt *st = db_take(in->db, "INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)");
    if (!st) {
        return db_failed(in->db, err);
    }
    db_bind_str(st, 0, str_from_c(name));
    db_bind_str(st, 1, value);
    return db_run(in->db, st, err);
}

static Status insight_meta_get(Insight *in, Arena *a, const char *name, Str *ret, Err *err)
{
    DbStmt *st = db_take(in->db, "SELECT value FROM meta WHERE name = ?");
    if (!st) {
        return db_failed(in->db, err);
    }
    db_bind_str(st, 0, str_from_c(name));
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? arena_str(a, db_col_str(st, 0)) : STR_NONE;
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(in->db, err) : OK;
    db_give(st);
    return s;
}

Str insight_mark(StoreReader *r, Arena *a, uint64_t seq)
{
    StoreVersion *v;
    size_t n;
    if (seq == 0 || store_log(r, a, seq - 1, 1, &v, &n, NULL) != OK || n == 0) {
        return STR_NONE;
    }
    return arena_printf(a, "%llu %.*s/%.*s %.*s %lld", (unsigned long long)v[0].seq,
                        STR_ARG(v[0].type), STR_ARG(v[0].id), STR_ARG(v[0].vid),
                        (long long)v[0].at_ms);
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* 0 if unknown. */
static Word insight_word(const Insight *in, Str text)
{
    return text.n ? (Word)(uintptr_t)map_get(&in->words, text) : 0;
}

/* Numbers are given in order, from 1. */
static void word_keep(Insight *in, Str text)
{
    if (in->word_n + 1 >= in->word_room) {
        in->word_room = in->word_room ? in->word_room * 2 : 256;
        in->word = memory_grow(in->word, in->word_room * sizeof *in->word);
        in->word[0] = STR_NONE;
    }
    Str kept = arena_str(&in->arena, text);
    in->word[++in->word_n] = kept;
    map_put(&in->words, kept, (void *)(uintptr_t)in->word_n);
}

Status insight_word_put(Insight *in, Str text, Word *ret, Err *err)
{
    Word known = insight_word(in, text);
    if (!known && text.n) {
        DbStmt *st = db_take(in->db, "INSERT INTO word(no, text) VALUES(?, ?)");
        if (!st) {
            return db_failed(in->db, err);
        }
        db_bind_i64(st, 0, (int64_t)in->word_n + 1);
        db_bind_str(st, 1, text);
        TRY(db_run(in->db, st, err));
        word_keep(in, text);
        known = (Word)in->word_n;
    }
    *ret = known;
    return OK;
}

static Status words_load(Insight *in, Err *err)
{
    DbStmt *st = db_take(in->db, "SELECT text FROM word ORDER BY no");
    if (!st) {
        return db_failed(in->db, err);
    }
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        word_keep(in, db_col_str(st, 0));
    }
    Status s = step == DB_NONE ? OK : db_failed(in->db, err);
    db_give(st);
    return s;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static Status file_open(Insight *in, Err *err)
{
    const DbMigration steps[] = {{layout_1}};
    DbOptions o = {.path = in->path,
                   .sync = DB_SYNC_NORMAL,
                   .create = true,
                   .page_bytes = 8192,
                   .cache_kib = 4096,
                   .mmap_bytes = in->in_memory ? 0 : (int64_t)4 << 30,
                   .wait_ms = 10000};
    TRY(db_open(&o, &in->db, err));
    return db_migrate(in->db, APPLICATION, steps, 1, err);
}

static void file_close(Insight *in)
{
    if (in->db) {
        db_close(in->db);
        in->db = NULL;
    }
    arena_done(&in->arena);
    arena_init(&in->arena, 0);
    map_init(&in->words, &in->arena);
    in->word_n = 0;
    in->seq = 0;
}

static void file_remove(const char *path)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        char name[4200];
        snprintf(name, sizeof name, "%s%s", path, ENDS[i]);
        unlink(name);
    }
}

Status insight_reset(Insight *in, Err *err)
{
    file_close(in);
    if (!in->in_memory) {
        file_remove(in->path);
    }
    TRY(file_open(in, err));
    return insight_meta_put(in, "layout", STR(LAYOUT), err);
}

/* How far it goes; false when it is not of this log or this program. */
static bool file_fits(Insight *in, StoreReader *r, Arena *a)
{
    Str layout, seq, mark;
    int64_t at = 0;
    if (insight_meta_get(in, a, "layout", &layout, NULL) != OK || !str_is(layout, LAYOUT) ||
        insight_meta_get(in, a, "seq", &seq, NULL) != OK ||
        insight_meta_get(in, a, "mark", &mark, NULL) != OK || !str_to_i64(seq, &at) || at <= 0 ||
        (uint64_t)at > store_seq(in->store)) {
        return false;
    }
    in->seq = (uint64_t)at;
    return str_eq(mark, insight_mark(r, a, in->seq)) && words_load(in, NULL) == OK;
}

static Status insight_ready(Insight *in, Err *err)
{
    StoreReader *r;
    Arena a;
    TRY(store_reader_open(in->store, &r, err));
    arena_init(&a, 0);
    bool fits = file_open(in, NULL) == OK && file_fits(in, r, &a);
    arena_done(&a);
    store_reader_close(r);
    return fits ? OK : insight_reset(in, err);
}

Status insight_open(Store *s, const char *dir, Insight **ret, Err *err)
{
    Insight *in = calloc(1, sizeof *in);
    mk_check(in != NULL);
    arena_init(&in->arena, 0);
    map_init(&in->words, &in->arena);
    pthread_mutex_init(&in->lock, NULL);
    sem_init(&in->seats, 0, INSIGHT_SEATS);
    in->store = s;
    in->in_memory = dir == NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/insight.db", dir ? dir : "");
    in->path = strdup(dir ? path : ":memory:");
    mk_check(in->path != NULL);
    Status status = insight_ready(in, err);
    if (status != OK) {
        insight_close(in);
        return status;
    }
    *ret = in;
    return OK;
}

void insight_close(Insight *in)
{
    if (in) {
        file_close(in);
        arena_done(&in->arena);
        pthread_mutex_destroy(&in->lock);
        sem_destroy(&in->seats);
        free(in->word);
        free((char *)in->path);
        free(in);
    }
}

uint64_t insight_behind(Insight *in)
{
    pthread_mutex_lock(&in->lock);
    uint64_t seq = in->seq;
    pthread_mutex_unlock(&in->lock);
    uint64_t now = store_seq(in->store);
    return now > seq ? now - seq : 0;
}
