/*
 * The thread that makes the rows of custom parameters for what was there before them, and takes
 * out those of parameters that are no more. Bodies are read beside all others, some hundred at a
 * time; then their rows are added with the index to ourselves for some milliseconds: between two
 * merges with the writer held off, or on a server in a group of the writer's. Rows and stand go
 * together, so after a crash it goes on where it was.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store_inner.h"
#include "store_params_inner.h"

#include "mk_banned.h"

#define CHUNK_LOOKED  20000 /* resources passed … */
#define CHUNK_MADE    300   /* … of which rows are made, */
#define CHUNK_BYTES   ((size_t)32 << 20)
#define WITHDRAW_STEP 5000 /* rows of a table taken out at once */
#define BEHIND_MS     50   /* until the index has come to where the definitions stand */
#define OTHERS_MS     300  /* between looks at what another process builds */
#define TELL_US       5000000
#define LEASE_MS      15000

typedef enum Turn { TURN_DONE, TURN_AGAIN, TURN_BEHIND, TURN_OTHERS } Turn;

typedef struct Build {
    Store *store;
    StoreReader *reader;
    Arena arena;
    Err err;
    const ParamTable *table;
    ParamStand stand, next; /* as the index has it, and as it is to be */
    IndexMove *moves;
    uint64_t *seqs; /* of the versions that the moves were made from */
    size_t moves_n;
    uint32_t out_from, out_to;   /* numbers whose rows go; 0: none */
    bool left;                   /* some are left */
    const FhirCustomParam *made; /* of the chunk, and up to where it goes; NULL: no chunk */
    int64_t made_to;
    StoreLease lease;
    int64_t told_us;
} Build;

/* ---- Rows that go ---------------------------------------------------------------------------- */

static const char *const withdraw[][2] = {
    {"DELETE FROM token WHERE (param, hash, nd, rid) IN (SELECT param, hash, nd, rid FROM token"
     " WHERE param >= ? AND param < ? ORDER BY param, hash, nd, rid LIMIT ?)",
     "SELECT 1 FROM token WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM ref WHERE (param, hash, nd, rid) IN (SELECT param, hash, nd, rid FROM ref"
     " WHERE param >= ? AND param < ? ORDER BY param, hash, nd, rid LIMIT ?)",
     "SELECT 1 FROM ref WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM date WHERE (param, nlo, rid, span) IN (SELECT param, nlo, rid, span FROM date"
     " WHERE param >= ? AND param < ? ORDER BY param, nlo, rid, span LIMIT ?)",
     "SELECT 1 FROM date WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM date_long WHERE (param, nhi, rid, nlo) IN (SELECT param, nhi, rid, nlo"
     " FROM date_long WHERE param >= ? AND param < ? ORDER BY param, nhi, rid, nlo LIMIT ?)",
     "SELECT 1 FROM date_long WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM string WHERE (param, value, rid) IN (SELECT param, value, rid FROM string"
     " WHERE param >= ? AND param < ? ORDER BY param, value, rid LIMIT ?)",
     "SELECT 1 FROM string WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM number WHERE (param, lo, hi, rid) IN (SELECT param, lo, hi, rid FROM number"
     " WHERE param >= ? AND param < ? ORDER BY param, lo, hi, rid LIMIT ?)",
     "SELECT 1 FROM number WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM quantity WHERE (param, unit, lo, hi, rid) IN (SELECT param, unit, lo, hi, rid"
     " FROM quantity WHERE param >= ? AND param < ? ORDER BY param, unit, lo, hi, rid LIMIT ?)",
     "SELECT 1 FROM quantity WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM uri WHERE (param, value, rid) IN (SELECT param, value, rid FROM uri"
     " WHERE param >= ? AND param < ? ORDER BY param, value, rid LIMIT ?)",
     "SELECT 1 FROM uri WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM code WHERE (param, code, token) IN (SELECT param, code, token FROM code"
     " WHERE param >= ? AND param < ? ORDER BY param, code, token LIMIT ?)",
     "SELECT 1 FROM code WHERE param >= ? AND param < ? LIMIT 1"},
    {"DELETE FROM phrase_token WHERE (phrase, param, token) IN (SELECT phrase, param, token"
     " FROM phrase_token WHERE param >= ? AND param < ? ORDER BY phrase, param, token LIMIT ?)",
     "SELECT 1 FROM phrase_token WHERE param >= ? AND param < ? LIMIT 1"},
};

static void bind_range(const Build *b, DbStmt *st)
{
    db_bind_i64(st, 0, param_rows_from(b->out_from));
    db_bind_i64(st, 1, (int64_t)param_rows_from(b->out_to) + (1 << PARAM_SHIFT));
}

static Status table_withdraw(Build *b, Db *db, const char *const sql[2], Err *err)
{
    DbStmt *st = db_take(db, sql[0]);
    if (st) {
        bind_range(b, st);
        db_bind_i64(st, 2, WITHDRAW_STEP);
    }
    TRY(db_run(db, st, err));
    st = db_take(db, sql[1]);
    if (!st) {
        return db_failed(db, err);
    }
    bind_range(b, st);
    DbStep step = db_step(st);
    b->left = b->left || step == DB_ROW;
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(db, err);
}

static Status rows_withdraw(Build *b, Db *db, Err *err)
{
    b->left = false;
    for (size_t i = 0; i < sizeof withdraw / sizeof *withdraw; i++) {
        TRY(table_withdraw(b, db, withdraw[i], err));
    }
    return OK;
}

/* ---- Rows that come -------------------------------------------------------------------------- */

/* What the index has by now; a resource that was written meanwhile has its rows already. */
static Status moves_keep(Build *b, Db *db, Err *err)
{
    size_t n = 0, i = 0;
    DbStmt *st = db_take(db, "SELECT rid, seq FROM doc WHERE rid >= ? AND rid <= ? ORDER BY rid");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, b->moves_n ? b->moves[0].rid : 1);
    db_bind_i64(st, 1, b->moves_n ? b->moves[b->moves_n - 1].rid : 0);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        int64_t rid = db_col_i64(st, 0);
        while (i < b->moves_n && b->moves[i].rid < rid) {
            i++;
        }
        if (i < b->moves_n && b->moves[i].rid == rid && b->seqs[i] == (uint64_t)db_col_i64(st, 1)) {
            b->moves[n++] = b->moves[i];
        }
    }
    db_give(st);
    b->moves_n = n;
    return step == DB_NONE ? OK : db_failed(db, err);
}

/* One step inside the transaction that has the index to itself. ERR_CONFLICT: the ground moved. */
static Status step_apply(Build *b, Db *db, Err *err)
{
    ParamStand there;
    TRY(params_stand_read(db, &b->arena, &there, err));
    if (!params_stand_same(&there, &b->stand) || params_now(b->store) != b->table) {
        return err_status(err, ERR_CONFLICT);
    }
    if (b->out_from) {
        TRY(rows_withdraw(b, db, err));
        if (b->left) {
            return OK;
        }
    }
    TRY(moves_keep(b, db, err));
    TRY(index_rows_add(db, &b->arena, b->moves, b->moves_n, err));
    return params_stand_write(db, &b->arena, &b->next, err);
}

static Status step_files(Build *b, Err *err)
{
    Store *s = b->store;
    merger_enter(s);
    pthread_mutex_lock(&s->settling);
    Status st = merger_empty(s); /* what is to come was made for an index without these rows */
    st = st == OK ? index_there(s, err) : err_status(err, st);
    st = st == OK ? db_begin(s->index, err) : st;
    st = st == OK ? step_apply(b, s->index, err) : st;
    st = st == OK ? db_commit(s->index, err) : st;
    if (st != OK && s->index) {
        db_abort(s->index);
    }
    st = st == OK ? params_stand_take(s, s->index, err) : st;
    pthread_mutex_unlock(&s->settling);
    wal_bound(s, WAL_INDEX);
    merger_leave(s);
    return st;
}

static Status step_job(Store *s, Job *job, Err *err)
{
    return step_apply(job->arg, s->log, err);
}

static Status step_run(Build *b, Err *err)
{
    if (!b->store->server) {
        return step_files(b, err);
    }
    Job job = {.run = step_job, .arg = b, .weight = CHUNK_MADE};
    TRY(writer_run(b->store, &job, err));
    params_tell(b->store, b->left ? &b->stand : &b->next);
    return OK;
}

/* ---- What is to be done ---------------------------------------------------------------------- */

/* A run of numbers that are not in use and may have rows. */
static bool find_withdrawn(Build *b)
{
    for (size_t i = 0; i < b->stand.n; i++) {
        if (!params_def(b->table, b->stand.at[i].number)) {
            b->out_from = b->out_to = b->stand.at[i].number;
            return true;
        }
    }
    for (uint32_t n = b->stand.floor + 1; n <= b->table->last && !params_def(b->table, n); n++) {
        b->out_from = b->out_from ? b->out_from : n;
        b->out_to = n;
    }
    return b->out_from != 0;
}

static void stand_copy(Build *b, size_t more)
{
    b->next = (ParamStand){b->stand.floor, arena_array(&b->arena, ParamAt, b->stand.n + more + 1),
                           b->stand.n};
    memcpy(b->next.at, b->stand.at, b->stand.n * sizeof *b->next.at);
}

/* The stand without them; numbers above the floor are passed up to the next one in use. */
static void withdrawn_plan(Build *b)
{
    size_t n = 0;
    stand_copy(b, 0);
    for (size_t i = 0; i < b->stand.n; i++) {
        if (b->stand.at[i].number != b->out_from) {
            b->next.at[n++] = b->stand.at[i];
        }
    }
    b->next.n = n;
    if (b->out_from == b->stand.floor + 1) {
        b->next.floor = b->out_to;
    }
}

/* New ones in use right above the floor begin. */
static bool find_new(Build *b)
{
    size_t more = 0;
    while (b->stand.floor + more < b->table->last &&
           params_def(b->table, b->stand.floor + (uint32_t)more + 1)) {
        more++;
    }
    stand_copy(b, more);
    for (size_t i = 0; i < more; i++) {
        const ParamDef *def = params_def(b->table, ++b->next.floor);
        b->next.at[b->next.n++] = (ParamAt){def->number, 0};
        log_info("store", "search parameter %.*s of SearchParameter/%.*s: rows are being made",
                 STR_ARG(def->def.params[0].name), STR_ARG(def->def.params[0].id));
    }
    return more > 0;
}

/* ---- A chunk of resources -------------------------------------------------------------------- */

/* Those that stand at one rid are made together, up to where another one stands. */
typedef struct Chunk {
    int64_t from, to; /* rids after, and up to */
    const ParamDef *def[STORE_PARAMS_MAX];
    size_t def_n;
    FhirCustoms customs;
} Chunk;

static int custom_order(const void *x, const void *y)
{
    return fhir_custom_order(x, y);
}

static bool chunk_find(Build *b, Chunk *c)
{
    *c = (Chunk){.from = INT64_MAX, .to = INT64_MAX};
    for (size_t i = 0; i < b->stand.n; i++) {
        int64_t done = b->stand.at[i].done;
        if (done < c->from) {
            c->to = c->from;
            c->from = done;
        } else if (done > c->from && done < c->to) {
            c->to = done;
        }
    }
    size_t n = 0, room = 0;
    for (size_t i = 0; i < b->stand.n && c->from != PARAM_READY; i++) {
        if (b->stand.at[i].done == c->from) {
            c->def[c->def_n] = params_def(b->table, b->stand.at[i].number);
            room += c->def[c->def_n++]->def.n;
        }
    }
    const FhirCustomParam **list = arena_array(&b->arena, const FhirCustomParam *, room + 1);
    for (size_t i = 0; i < c->def_n; i++) {
        for (size_t k = 0; k < c->def[i]->def.n; k++) {
            list[n++] = &c->def[i]->def.params[k];
        }
    }
    qsort(list, n, sizeof *list, custom_order);
    c->customs = (FhirCustoms){list, n};
    return c->def_n > 0;
}

static bool chunk_wants(const Chunk *c, const FhirType *type, uint64_t seq)
{
    bool of_type = false, before = false;
    for (const FhirType *t = type; t && !of_type; t = fhir_type_base(t)) {
        size_t n;
        (void)fhir_customs_of(&c->customs, t, &n);
        of_type = n > 0;
    }
    for (size_t i = 0; of_type && i < c->def_n && !before; i++) {
        before = seq <= c->def[i]->from_seq;
    }
    return before;
}

typedef struct Row {
    int64_t rid, nd;
    uint64_t seq;
    const FhirType *type;
} Row;

/* Rows that it has already since it came after a definition are not made again. */
static Status row_make(Build *b, const Chunk *c, const Row *row, Err *err)
{
    Str body;
    IndexDoc *doc = arena_new(&b->arena, IndexDoc);
    StoreReader *r = b->reader;
    TRY(version_body(b->store, r->log, &r->codec, &b->arena, row->seq, &body, err));
    if (str_empty(body)) {
        return OK;
    }
    TRY(index_extract_customs(b->store, &b->arena, row->type, body, &c->customs, doc, err));
    doc->nd = row->nd;
    size_t n = 0;
    for (size_t i = 0; i < doc->rows_n; i++) {
        const ParamDef *def = params_def(b->table, param_rows_number(doc->rows[i].param));
        if (row->seq <= def->from_seq) {
            doc->rows[n++] = doc->rows[i];
        }
    }
    doc->rows_n = n;
    if (n) {
        b->seqs[b->moves_n] = row->seq;
        b->moves[b->moves_n++] = (IndexMove){row->rid, row->seq, NULL, doc, false};
    }
    return OK;
}

/* What stands in the index after c->from; c->to becomes how far it goes. */
static Status chunk_read(Build *b, Chunk *c, Err *err)
{
    StoreReader *r = b->reader;
    DbStmt *st = db_take(r->index, "SELECT rid, type, seq, nd FROM doc WHERE rid > ? AND rid <= ?"
                                   " ORDER BY rid LIMIT ?");
    if (!st) {
        return db_failed(r->index, err);
    }
    db_bind_i64(st, 0, c->from);
    db_bind_i64(st, 1, c->to);
    db_bind_i64(st, 2, CHUNK_LOOKED);
    DbStep step = DB_NONE;
    Status s = OK;
    size_t looked = 0, made = 0;
    while (s == OK && made < CHUNK_MADE && b->arena.used_bytes < CHUNK_BYTES &&
           (step = db_step(st)) == DB_ROW) {
        Row row = {.rid = db_col_i64(st, 0),
                   .type = fhir_resource_at((unsigned)db_col_i64(st, 1)),
                   .seq = (uint64_t)db_col_i64(st, 2),
                   .nd = db_col_i64(st, 3)};
        looked++;
        c->from = row.rid;
        if (chunk_wants(c, row.type, row.seq)) {
            made++;
            s = row_make(b, c, &row, err);
        }
    }
    s = s == OK && (step == DB_FAIL || step == DB_RETRY) ? db_failed(r->index, err) : s;
    bool end = step == DB_NONE && looked < CHUNK_LOOKED;
    db_give(st);
    c->to = end ? c->to : c->from;
    return s;
}

static Status chunk_plan(Build *b, Chunk *c, Err *err)
{
    int64_t from = c->from;
    b->moves = arena_array(&b->arena, IndexMove, CHUNK_MADE);
    b->seqs = arena_array(&b->arena, uint64_t, CHUNK_MADE);
    TRY(chunk_read(b, c, err));
    stand_copy(b, 0);
    for (size_t i = 0; i < b->next.n; i++) {
        b->next.at[i].done = b->next.at[i].done == from ? c->to : b->next.at[i].done;
    }
    return OK;
}

static void progress_tell(Build *b)
{
    const FhirCustomParam *p = b->made;
    int64_t total = atomic_load(&b->store->params_total);
    if (b->made_to == PARAM_READY) {
        log_info("store", "search parameter %.*s of SearchParameter/%.*s: ready", STR_ARG(p->name),
                 STR_ARG(p->id));
    } else if (time_mono_us() > b->told_us + TELL_US) {
        b->told_us = time_mono_us();
        log_info("store", "search parameter %.*s: %lld of %lld resources", STR_ARG(p->name),
                 (long long)b->made_to, (long long)total);
    }
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static Status turn_plan(Build *b, Turn *ret, Err *err)
{
    Store *s = b->store;
    Chunk chunk = {0};
    StoreReader *r = b->reader;
    b->table = params_now(s);
    b->out_from = b->out_to = 0;
    b->moves_n = 0;
    b->left = false;
    b->made = NULL;
    TRY(params_stand_read(r->index, &b->arena, &b->stand, err));
    atomic_store(&s->params_total, r->rid_max);
    params_tell(s, &b->stand);
    *ret = TURN_DONE;
    if (params_stand_all(b->table, &b->stand) && b->stand.floor == b->table->last &&
        b->stand.n == b->table->def_n) {
        return OK;
    }
    *ret = (uint64_t)r->index_file_seq < b->table->seq ? TURN_BEHIND
           : !store_lease(s, &b->lease)                ? TURN_OTHERS
                                                       : TURN_AGAIN;
    if (*ret != TURN_AGAIN) {
        return OK;
    }
    if (find_withdrawn(b)) {
        withdrawn_plan(b);
    } else if (!find_new(b) && chunk_find(b, &chunk)) {
        TRY(chunk_plan(b, &chunk, err));
        b->made = &chunk.def[0]->def.params[0];
        b->made_to = chunk.to;
    }
    return OK;
}

static Turn turn(Build *b)
{
    Turn next = TURN_BEHIND;
    if (params_now(b->store)->last == 0) {
        return TURN_DONE; /* most stores never have a SearchParameter: no connections for it */
    }
    if (!b->reader && store_reader_open(b->store, &b->reader, NULL) != OK) {
        log_warn("store", "the thread of search parameters cannot open its reader");
        return TURN_BEHIND;
    }
    store_reader_calm(b->reader);
    err_init(&b->err, &b->arena);
    Status st = store_snapshot_begin(b->reader, &b->err);
    if (st == OK) {
        st = turn_plan(b, &next, &b->err);
        store_snapshot_end(b->reader);
    }
    st = st == OK && next == TURN_AGAIN ? step_run(b, &b->err) : st;
    if (st == OK && next == TURN_AGAIN && b->made) {
        progress_tell(b);
    }
    if (st != OK && st != ERR_CONFLICT) {
        log_warn("store", "the rows of search parameters wait: %.*s",
                 STR_ARG(b->err.first ? b->err.first->en : STR("")));
        next = TURN_BEHIND;
    }
    arena_reset(&b->arena);
    return next;
}

static void turn_wait(Store *s, Turn t)
{
    int64_t until_us = time_mono_us() + (t == TURN_BEHIND ? BEHIND_MS : OTHERS_MS) * 1000;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    pthread_mutex_lock(&s->build_lock);
    while (t == TURN_DONE && !s->build_wanted && !s->build_stop) {
        pthread_cond_wait(&s->build_news, &s->build_lock);
    }
    if ((t == TURN_BEHIND || t == TURN_OTHERS) && !s->build_stop) {
        pthread_cond_timedwait(&s->build_news, &s->build_lock, &until);
    }
    s->build_wanted = false;
    pthread_mutex_unlock(&s->build_lock);
}

static bool build_ends(Store *s)
{
    pthread_mutex_lock(&s->build_lock);
    bool ends = s->build_stop;
    pthread_mutex_unlock(&s->build_lock);
    return ends;
}

static void *build_main(void *arg)
{
    Build b = {.store = arg, .lease = {.name = "params", .ms = LEASE_MS}};
    /* Whoever is waited for goes first. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
    arena_init(&b.arena, 0);
    while (!build_ends(b.store)) {
        Turn t = turn(&b);
        if (t == TURN_BEHIND && !b.store->server) {
            merger_hurry(b.store);
        }
        turn_wait(b.store, t);
    }
    store_lease_give(b.store, &b.lease);
    arena_done(&b.arena);
    store_reader_close(b.reader);
    return NULL;
}

void params_build_wake(Store *s)
{
    pthread_mutex_lock(&s->build_lock);
    s->build_wanted = true;
    pthread_cond_signal(&s->build_news);
    pthread_mutex_unlock(&s->build_lock);
}

void params_build_start(Store *s)
{
    if (pthread_create(&s->builder, NULL, build_main, s) != 0) {
        mk_check_failed("pthread_create", __FILE__, __LINE__);
    }
    s->builds = true;
}

void params_build_stop(Store *s)
{
    if (!s->builds) {
        return;
    }
    pthread_mutex_lock(&s->build_lock);
    s->build_stop = true;
    pthread_cond_signal(&s->build_news);
    pthread_mutex_unlock(&s->build_lock);
    pthread_join(s->builder, NULL);
    s->builds = false;
}

/* ---- Other processes ------------------------------------------------------------------------- */

Status params_follow(Store *s, Db *db, Err *err)
{
    int64_t seq = 0;
    ParamStand stand;
    Arena a;
    DbStmt *st = db_take(db, "SELECT max(seq) FROM change WHERE type = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, type_number(fhir_resource_find(STR("SearchParameter"))));
    DbStep step = db_step(st);
    seq = step == DB_ROW ? db_col_i64(st, 0) : 0;
    db_give(st);
    if (step != DB_ROW || (uint64_t)seq <= params_now(s)->seq) {
        return step == DB_ROW ? OK : db_failed(db, err);
    }
    arena_init(&a, 0);
    Status status = params_stand_read(db, &a, &stand, err);
    status = status == OK ? params_load(s, db, &stand, err) : status;
    arena_done(&a);
    return status;
}
