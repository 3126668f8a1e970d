/*
 * Power cuts of a whole server: databases, blobs and audit on one simulated disk. Before each cut
 * sixteen clients have had at least two hundred writes acknowledged; the cut then comes at a
 * random call: while they go on writing, while the audit is flushed, in a checkpoint, while the
 * index is built again, in an import, when a lost index is built at opening, in a migration. After
 * each: every acknowledged version is there with its bytes, every transaction whole or absent, the
 * audit holds a record of every acknowledged write in an unbroken chain, and what the crash tore is
 * told from what somebody cut off.
 *
 * MENKOU_TEST_CUTS and MENKOU_TEST_SEED choose how many and from which seed; MENKOU_LONG takes 280.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_stage.h"
#include "cmd.h"
#include "cutvfs.h"
#include "embed.h"

#define CLIENTS          16
#define ACKNOWLEDGED_MIN 200
#define KEPT_MAX         4000 /* of one client */
#define CUTS             21   /* three of each moment */
#define CUTS_LONG        280
#define LINES            120 /* of the file to import */
#define STATE_BEFORE     1   /* of log.db, where the migration begins */

const ApiFiles embed_pathways;

typedef enum Moment {
    SERVE,
    AUDIT,
    CHECKPOINT,
    REINDEX,
    IMPORT,
    INDEX_BUILD,
    MIGRATION,
    MOMENTS
} Moment;

/* One acknowledged version. */
typedef struct Kept {
    char id[24], vid[8];
    const char *type;
    Sha256 sha; /* of the version's body; of a Binary the bytes that were sent */
} Kept;

typedef struct Client {
    Stage *stage;
    _Atomic bool *stop;
    _Atomic uint64_t *acknowledged; /* of all clients */
    int number, requests;           /* sent; they call themselves cNUMBER-rN */
    bool refused[KEPT_MAX];         /* by request: not acknowledged */
    Kept kept[KEPT_MAX];
    int kept_n;
} Client;

static Client clients[CLIENTS];
static char base[64], live[128], left[128], file[128];

/* ---- Writing -------------------------------------------------------------------------------- */

static Str basic(Arena *a, const char *id, int n)
{
    return arena_printf(a,
                        "{\"resourceType\":\"Basic\",\"id\":\"%s\",\"code\":{\"text\":\"%d\","
                        "\"coding\":[{\"code\":\"%0*d\"}]}}",
                        id, n, 1 + n * 331 % 3000, n);
}

static Kept *keep(Client *c, const char *type, Str id, Str vid)
{
    assert_true(c->kept_n < KEPT_MAX && id.n < sizeof c->kept->id && vid.n < sizeof c->kept->vid);
    Kept *k = &c->kept[c->kept_n++];
    *k = (Kept){.type = type};
    memcpy(k->id, id.p, id.n);
    memcpy(k->vid, vid.p, vid.n);
    return k;
}

static bool put_one(Client *c, StoreReader *r, Arena *a, Str request)
{
    const char *id = arena_printf(a, "c%d-%d", c->number, c->requests % 7).p;
    StageCall call = {.method = "PUT",
                      .path = arena_printf(a, "/fhir/Basic/%s", id),
                      .body = basic(a, id, c->requests),
                      .request_id = request};
    StageAnswer answer = stage_call(c->stage, r, a, &call);
    if (answer.status != 200 && answer.status != 201) {
        return false;
    }
    Str vid = http_etag_value(answer.etag);
    keep(c, "Basic", str_from_c(id), vid)->sha = sha256(answer.body);
    return true;
}

/* Three that are only ever written together. */
static bool put_three(Client *c, StoreReader *r, Arena *a, Str request)
{
    Str entries = STR_NONE;
    for (int i = 0; i < 3; i++) {
        const char *id = arena_printf(a, "c%d-t%d", c->number, i).p;
        entries = arena_cat(
            a, entries, i ? STR(",") : STR_NONE, STR("{\"resource\":"), basic(a, id, c->requests),
            arena_printf(a, ",\"request\":{\"method\":\"PUT\",\"url\":\"Basic/%s\"}}", id));
    }
    Str body =
        arena_cat(a, STR("{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":["),
                  entries, STR("]}"));
    StageCall call = {.method = "POST", .path = STR("/fhir"), .body = body, .request_id = request};
    if (stage_call(c->stage, r, a, &call).status != 200) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        StoreVersion v;
        Str id = arena_printf(a, "c%d-t%d", c->number, i);
        assert_int_equal(store_read(r, a, &STORE_VIEW_ALL, STR("Basic"), id, &v, NULL), OK);
        keep(c, "Basic", id, v.vid)->sha = sha256(v.body);
    }
    return true;
}

static bool upload(Client *c, StoreReader *r, Arena *a, Str request)
{
    Str bytes = arena_printf(a, "%d %d %0*d", c->number, c->requests, 5000, c->requests);
    Str id = arena_printf(a, "b%d-%d", c->number, c->requests);
    StageCall call = {.method = "PUT",
                      .path = arena_cat(a, STR("/fhir/Binary/"), id),
                      .body = bytes,
                      .type = "application/octet-stream",
                      .request_id = request};
    if (stage_call(c->stage, r, a, &call).status != 201) {
        return false;
    }
    keep(c, "Binary", id, STR("1"))->sha = sha256(bytes);
    return true;
}

static void *client_main(void *arg)
{
    Client *c = arg;
    StoreReader *r;
    if (store_reader_open(c->stage->api->store, &r, NULL) != OK) {
        return NULL;
    }
    while (!atomic_load(c->stop) && !cut_happened() && c->requests < KEPT_MAX / 3) {
        Arena a;
        arena_init(&a, 0);
        Str request = arena_printf(&a, "c%d-r%d", c->number, c->requests);
        int kind = c->requests % 10;
        bool ok = (kind == 8 ? put_three : kind == 9 ? upload : put_one)(c, r, &a, request);
        c->refused[c->requests++] = !ok;
        atomic_fetch_add(c->acknowledged, ok);
        arena_done(&a);
    }
    store_reader_close(r);
    return NULL;
}

/* Writes with all clients until enough is acknowledged; then `during` runs beside them (the cut is
 * armed in it), or, when it is NULL, they end in order. */
static uint64_t clients_run(Stage *stage, void (*during)(Stage *s))
{
    pthread_t threads[CLIENTS];
    static _Atomic bool stop;
    static _Atomic uint64_t acknowledged;
    atomic_store(&stop, false);
    atomic_store(&acknowledged, 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] =
            (Client){.stage = stage, .stop = &stop, .acknowledged = &acknowledged, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, client_main, &clients[i]), 0);
    }
    while (atomic_load(&acknowledged) < ACKNOWLEDGED_MIN) {
        usleep(1000);
    }
    if (during) {
        during(stage);
    } else {
        atomic_store(&stop, true);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    return atomic_load(&acknowledged);
}

/* ---- What goes on when the power goes ---------------------------------------------------------
 */

static uint64_t cut_after; /* calls from the moment on */

static void during_serve(Stage *s)
{
    (void)s;
    cut_in(cut_after);
}

static void during_audit(Stage *s)
{
    (void)s;
    cut_at_sync("/audit/");
}

static void during_checkpoint(Stage *s)
{
    cut_in(1 + cut_after / 4);
    while (!cut_happened()) {
        (void)!store_flush(s->api->store, NULL);
    }
}

static void during_reindex(Stage *s)
{
    cut_in(cut_after);
    while (!cut_happened()) {
        (void)!store_reindex(s->api->store, NULL, NULL, NULL);
    }
}

static void import_run(const char *dir)
{
    char name[] = "import", option[] = "--data", at[128];
    snprintf(at, sizeof at, "%s", dir);
    char *argv[] = {name, option, at, file, NULL};
    (void)cmd_import(4, argv);
}

/* As if the last opening had been by the first program: what later migrations make is not there. */
static void database_age(const char *dir)
{
    char path[256];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/log.db", dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, CUT_VFS), SQLITE_OK);
    char *sql = sqlite3_mprintf(
        "BEGIN; DROP TABLE draft; DROP TABLE factor; DROP TABLE purge; DROP TABLE purged;"
        "DROP TABLE purge_blob; DROP TABLE lockout; ALTER TABLE session DROP COLUMN app;"
        "PRAGMA user_version=%d; COMMIT;"
        "PRAGMA wal_checkpoint(TRUNCATE)",
        STATE_BEFORE);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(sql);
    sqlite3_close(db);
}

static void index_lose(const char *dir)
{
    static const char *const names[] = {"index.db", "index.db-wal", "index.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
}

/* Opens again under the armed cut, and goes on opening until it has come. */
static void open_until_cut(void)
{
    for (Stage s; !cut_happened(); stage_close(&s)) {
        (void)stage_open(&s, live);
    }
}

/* After an end in order: the cut comes in what is done next. */
static void moment_alone(Moment moment)
{
    if (moment == MIGRATION) {
        database_age(live);
    } else if (moment == INDEX_BUILD) {
        index_lose(live);
    }
    cut_in(1 + cut_after / (moment == IMPORT ? 1 : 3));
    if (moment == IMPORT) {
        import_run(live);
    } else {
        open_until_cut();
    }
}

static uint64_t run_until_cut(Moment moment, uint64_t seed)
{
    static void (*const during[MOMENTS])(Stage *) = {[SERVE] = during_serve,
                                                     [AUDIT] = during_audit,
                                                     [CHECKPOINT] = during_checkpoint,
                                                     [REINDEX] = during_reindex};
    Stage stage;
    cut_after = 1 + seed * 7919 % 240;
    assert_true(stage_open(&stage, live));
    uint64_t acknowledged = clients_run(&stage, during[moment]);
    stage_close(&stage);
    if (!during[moment]) {
        moment_alone(moment);
    }
    cut_now();
    return acknowledged;
}

/* ---- What is left ---------------------------------------------------------------------------- */

static Sha256 sha_now(Stage *s, StoreReader *r, Arena *a, const Kept *k)
{
    StoreVersion v;
    if (str_is(str_from_c(k->type), "Binary")) {
        StageCall call = {.method = "GET", .path = arena_printf(a, "/fhir/Binary/%s", k->id)};
        return sha256(stage_call(s, r, a, &call).body);
    }
    Status found = store_vread(r, a, &STORE_VIEW_ALL, str_from_c(k->type), str_from_c(k->id),
                               str_from_c(k->vid), &v, NULL);
    return sha256(found == OK ? v.body : STR_NONE);
}

static uint64_t lost_of(Stage *s, StoreReader *r, const Client *c)
{
    uint64_t lost = 0;
    for (int i = 0; i < c->kept_n; i++) {
        Arena a;
        arena_init(&a, 0);
        const Kept *k = &c->kept[i];
        Sha256 now = sha_now(s, r, &a, k);
        if (memcmp(now.b, k->sha.b, sizeof now.b) != 0) {
            print_error("lost: %s/%s version %s\n", k->type, k->id, k->vid);
            lost++;
        }
        arena_done(&a);
    }
    return lost;
}

static Str text_of(StoreReader *r, Arena *a, Str id)
{
    StoreVersion v;
    JsonDoc d;
    if (store_read(r, a, &STORE_VIEW_ALL, STR("Basic"), id, &v, NULL) != OK ||
        json_parse(a, v.body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return STR_NONE;
    }
    return json_str_at(&d, JSON_ROOT, "code.text");
}

/* The three of a client's transactions always tell of the same one. */
static void whole_check(StoreReader *r, Arena *a, const Client *c)
{
    Str text[3];
    for (int i = 0; i < 3; i++) {
        text[i] = text_of(r, a, arena_printf(a, "c%d-t%d", c->number, i));
    }
    assert_true(str_eq(text[0], text[1]) && str_eq(text[1], text[2]));
}

static uint64_t found_n(Stage *s, StoreReader *r, Arena *a, const char *id, int n)
{
    JsonDoc d;
    int64_t total = -1;
    StageCall call = {.method = "GET",
                      .path = arena_printf(a, "/fhir/Basic?_id=%s&code=%0*d&_summary=count", id,
                                           1 + n * 331 % 3000, n)};
    StageAnswer answer = stage_call(s, r, a, &call);
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_parse(a, answer.body, &JSON_LIMITS_FHIR, &d, NULL), OK);
    assert_true(json_to_i64(&d, json_get_c(&d, JSON_ROOT, "total"), &total));
    return (uint64_t)total;
}

/* A search finds what is there by the code it has now, and by none that it had before. */
static void search_check(Stage *s, StoreReader *r, const Client *c)
{
    for (int i = 0; i < 7; i++) {
        Arena a;
        int64_t n;
        arena_init(&a, 0);
        const char *id = arena_printf(&a, "c%d-%d", c->number, i).p;
        if (str_to_i64(text_of(r, &a, str_from_c(id)), &n)) {
            assert_int_equal(found_n(s, r, &a, id, (int)n), 1);
            assert_int_equal(n < 7 ? 0 : found_n(s, r, &a, id, (int)n - 7), 0);
        }
        arena_done(&a);
    }
}

/* Requests of the audit's records of writes that went well. */
static Map *audited_requests(Arena *a, const char *dir)
{
    Map *map = arena_new(a, Map);
    map_init(map, a);
    Str rest = stage_audit(a, dir), line;
    while (rest.n) {
        JsonDoc d;
        str_cut(rest, '\n', &line, &rest);
        if (json_parse(a, line, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
            continue; /* the crash's own end */
        }
        Str request = json_str_at(&d, JSON_ROOT, "request");
        int64_t status = 0;
        if (request.n && json_to_i64(&d, json_get_c(&d, JSON_ROOT, "status"), &status) &&
            status < 300) {
            map_put(map, request, map);
        }
    }
    return map;
}

static void audit_check(Arena *a, const char *dir)
{
    Map *audited = audited_requests(a, dir);
    for (int i = 0; i < CLIENTS; i++) {
        for (int k = 0; k < clients[i].requests; k++) {
            Str request = arena_printf(a, "c%d-r%d", i, k);
            if (!clients[i].refused[k] && !map_get(audited, request)) {
                print_error("no audit record of the acknowledged %s\n", request.p);
                fail();
            }
        }
    }
}

/* Whoever cuts off a last record that was whole is found. */
static void tail_check(Arena *a, const char *dir)
{
    AccessAuditFound found;
    Str audit = stage_audit(a, dir);
    size_t last = audit.n - 1;
    while (last > 0 && audit.p[last - 1] != '\n') {
        last--;
    }
    const char *command = arena_printf(a, "cd %s/audit && truncate -s -%zu \"$(ls | tail -n 1)\"",
                                       dir, audit.n - last)
                              .p;
    assert_int_equal(system(command), 0);
    assert_true(stage_audit_check(dir, &found) && found.faults > 0);
}

static void import_check(Stage *s, StoreReader *r)
{
    for (int i = 0; i < LINES; i++) {
        Arena a;
        StoreVersion v;
        arena_init(&a, 0);
        Str id = arena_printf(&a, "line-%d", i);
        assert_int_equal(store_read(r, &a, &STORE_VIEW_ALL, STR("Basic"), id, &v, &s->err), OK);
        assert_true(str_is(v.vid, "1")); /* begun again, and yet written once */
        arena_done(&a);
    }
}

static void written_check(Moment moment)
{
    Stage s;
    StoreReader *r;
    Arena a;
    uint64_t lost = 0;
    arena_init(&a, 0);
    assert_true(stage_open(&s, left));
    assert_int_equal(store_reader_open(s.api->store, &r, &s.err), OK);
    for (int i = 0; i < CLIENTS; i++) {
        lost += lost_of(&s, r, &clients[i]);
        whole_check(r, &a, &clients[i]);
        search_check(&s, r, &clients[i]);
    }
    if (moment == IMPORT) {
        import_check(&s, r);
    }
    store_reader_close(r);
    stage_close(&s);
    arena_done(&a);
    assert_int_equal(lost, 0);
}

/* True when the cut had torn the audit's end. */
static bool left_check(Moment moment)
{
    Arena a;
    AccessAuditFound found = {0};
    arena_init(&a, 0);
    bool looked = stage_audit_check(left, &found), torn = found.torn_bytes > 0;
    assert_true(!looked || found.faults == 0);
    if (moment == IMPORT) {
        import_run(left);
    }
    written_check(moment);
    assert_int_equal(stage_check(left), 0);
    audit_check(&a, left);
    Str audit = stage_audit(&a, left);
    assert_true(!torn || str_find(audit, STR("\"do\":\"torn-end\"")) > 0);
    assert_true(str_find(audit, STR("\"do\":\"cut-tail\"")) < 0);
    tail_check(&a, left);
    arena_done(&a);
    return torn;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void file_make(void)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    for (int i = 0; i < LINES; i++) {
        fprintf(f, "{\"resourceType\":\"Basic\",\"id\":\"line-%d\",\"code\":{\"text\":\"%0*d\"}}\n",
                i, 1 + i * 577 % 4000, i);
    }
    assert_int_equal(fclose(f), 0);
}

static int64_t wanted(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t n;
    return text && str_to_i64(str_from_c(text), &n) ? n : otherwise;
}

static void power_cuts(void **state)
{
    (void)state;
    const char *long_run = getenv("MENKOU_LONG");
    int64_t cuts = wanted("MENKOU_TEST_CUTS", long_run && *long_run ? CUTS_LONG : CUTS);
    uint64_t seed = (uint64_t)wanted("MENKOU_TEST_SEED", 1), acknowledged = 0, torn = 0;
    for (int64_t i = 0; i < cuts; i++, seed++) {
        Moment moment = (Moment)(seed % MOMENTS);
        stage_remove(live);
        stage_remove(left);
        assert_int_equal(mkdir(live, 0700) | mkdir(left, 0700), 0);
        cut_start(live, 0, seed);
        acknowledged += run_until_cut(moment, seed);
        cut_survivors(left);
        torn += left_check(moment);
    }
    cut_end();
    print_message(
        "%lld cuts, each after %d or more acknowledged writes of %d clients: %llu compared; "
        "%llu tore the audit's end\n",
        (long long)cuts, ACKNOWLEDGED_MIN, CLIENTS, (unsigned long long)acknowledged,
        (unsigned long long)torn);
}

static int begin(void **state)
{
    (void)state;
    test_folder(base);
    snprintf(live, sizeof live, "%s/live", base);
    snprintf(left, sizeof left, "%s/left", base);
    snprintf(file, sizeof file, "%s/lines.ndjson", base);
    file_make();
    log_level_set((LogLevel)(LOG_ERROR + 1)); /* a disk without power is what they would tell of */
    cut_vfs_default(true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cut_vfs_default(false);
    stage_remove(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(power_cuts)};
    return cmocka_run_group_tests(tests, begin, end);
}
