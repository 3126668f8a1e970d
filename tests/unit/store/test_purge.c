/* Purges: what goes, what stays, what the files hold afterwards, and what check says. */
#include <stdio.h>
#include <string.h>

#include "cutvfs.h"
#include "mk_copy.h"
#include "store_binary.h"
#include "store_draft.h"
#include "store_purge.h"
#include "store_test.h"

#define NAME   "\xe6\xac\xa7\xe9\x98\xb3\xe6\x99\xb4\xe5\xb2\x9a" /* 欧阳晴岚 */
#define SECRET "zzqx-unheard-of-word"
#define OTHER  "plain-word-of-another"

static const char PATIENT[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{\"text\":\"" NAME "\"}],"
    "\"address\":[{\"text\":\"" SECRET "\"}]}";
static const char NOTE[] = "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"final\","
                           "\"code\":{\"text\":\"" SECRET "\"},\"subject\":{\"reference\":"
                           "\"Patient/p1\"}}";
static const char NOTE_2[] =
    "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"amended\","
    "\"code\":{\"text\":\"" SECRET " 2\"},\"subject\":{\"reference\":"
    "\"Patient/p1\"}}";

static void county_put(Rig *g)
{
    (void)rig_put(g, PATIENT);
    (void)rig_put(g, "{\"resourceType\":\"Patient\",\"id\":\"p2\",\"name\":[{\"text\":\"" OTHER
                     "\"}]}");
    (void)rig_put(g, NOTE);
    (void)rig_put(g, NOTE_2);
    (void)rig_put(g,
                  "{\"resourceType\":\"Observation\",\"id\":\"o2\",\"status\":\"final\","
                  "\"code\":{\"text\":\"" OTHER "\"},\"subject\":{\"reference\":\"Patient/p2\"}}");
    (void)rig_put(g, "{\"resourceType\":\"Appointment\",\"id\":\"both\",\"status\":\"booked\","
                     "\"participant\":[{\"actor\":{\"reference\":\"Patient/p1\"},\"status\":"
                     "\"accepted\"},{\"actor\":{\"reference\":\"Patient/p2\"},\"status\":"
                     "\"accepted\"}]}");
}

static StorePurge proposed(Rig *g, const char *id, const char *target)
{
    StorePurge p = {.id = str_from_c(id),
                    .target = str_from_c(target),
                    .reason = STR("the person asked for it"),
                    .proposer = STR("system"),
                    .proposed_ms = T0,
                    .expires_ms = T0 + MS_DAY};
    rig_ok(g, store_purge_look(g->reader, &g->arena, p.target, &p.extent, &g->err));
    rig_ok(g, store_purge_propose(g->store, &p, 10, &g->err));
    return p;
}

static void confirm(Rig *g, const char *id)
{
    rig_ok(g, store_purge_decide(g->store, str_from_c(id), PURGE_CONFIRMED, STR("security"), T0,
                                 &g->err));
}

static StorePurge purge(Rig *g, const char *id, const char *target)
{
    StorePurge p;
    (void)proposed(g, id, target);
    confirm(g, id);
    rig_ok(g, store_purge_run(g->reader, &g->arena, UINT64_MAX, &p, &g->err));
    assert_str(p.id, id);
    assert_int_equal(p.state, PURGE_DONE);
    return p;
}

static void sound(Rig *g)
{
    uint64_t faults = 1;
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    if (faults) {
        rig_fail(g, __FILE__, __LINE__);
    }
}

static uint64_t faults_of(Rig *g)
{
    uint64_t faults = 0;
    rig_ok(g, store_verify(g->reader, &g->arena, NULL, NULL, &faults, &g->err));
    return faults;
}

/* The first column of the first row, past the store; empty when there is none. */
static Str log_query(Rig *g, const char *sql)
{
    Db *db = rig_log(g);
    DbStmt *st = db_take(db, sql);
    assert_non_null(st);
    Str ret = db_step(st) == DB_ROW ? arena_str(&g->arena, db_col_str(st, 0)) : STR_NONE;
    db_give(st);
    db_close(db);
    return ret;
}

/* Bodies stand in the log compressed: the bytes of one as they are on the disk. */
static Str packed;

/* The bytes anywhere in any file of the data folder. */
static Status holds(void *ctx, Str relative, Err *err)
{
    Rig *g = ctx;
    Str bytes;
    Arena a;
    arena_init(&a, 0);
    Str path = path_join(&a, str_from_c(g->dir), relative);
    TRY(file_read(&a, path.p, (size_t)1 << 30, &bytes, err));
    bool found = str_find(bytes, STR(NAME)) >= 0 || str_find(bytes, STR(SECRET)) >= 0 ||
                 (packed.n && str_find(bytes, packed) >= 0);
    if (found) {
        print_message("found in %.*s\n", STR_ARG(relative));
    }
    arena_done(&a);
    return found ? ERR_CONFLICT : OK;
}

static bool log_holds_packed(Rig *g)
{
    static const char *const names[] = {"log.db", "log.db-wal"};
    bool found = rig_server() != NULL; /* its files are not ours to look into */
    for (size_t i = 0; i < 2 && !found; i++) {
        Str bytes;
        Str path = path_join(&g->arena, str_from_c(g->dir), str_from_c(names[i]));
        rig_ok(g, file_read(&g->arena, path.p, (size_t)1 << 30, &bytes, &g->err));
        found = found || str_find(bytes, packed) >= 0;
    }
    return found;
}

static bool anywhere(Rig *g)
{
    return dir_walk(&g->arena, g->dir, holds, g, NULL) != OK;
}

static Status read_one(Rig *g, const char *type, const char *id, const char *vid)
{
    StoreVersion v;
    err_clear(&g->err);
    return vid ? store_vread(g->reader, &g->arena, &STORE_VIEW_ALL, str_from_c(type),
                             str_from_c(id), str_from_c(vid), &v, &g->err)
               : store_read(g->reader, &g->arena, &STORE_VIEW_ALL, str_from_c(type), str_from_c(id),
                            &v, &g->err);
}

static size_t found(Rig *g, const char *type, const char *query)
{
    const StoreHit *hits;
    size_t n;
    rig_ok(g, store_find(g->reader, &g->arena, &STORE_VIEW_ALL, str_from_c(type), str_from_c(query),
                         100, &hits, &n, &g->err));
    return n;
}

static void a_patient_goes_whole(void **state)
{
    (void)state;
    Rig g;
    StoreVersion *rows;
    size_t n;
    bool more;
    rig_init(&g, true);
    county_put(&g);
    packed = log_query(&g, "SELECT body FROM version WHERE seq = 1");
    packed = str_take(str_skip(packed, packed.n / 2), 24);
    assert_int_equal(packed.n, 24);
    assert_true(log_holds_packed(&g));
    assert_true(rig_server() || anywhere(&g));
    StorePurge p = purge(&g, "a", "Patient/p1");
    assert_int_equal(p.extent.resources, 2);
    assert_int_equal(p.extent.versions, 3);
    assert_int_equal(p.extent.kept, 1);
    assert_int_equal(read_one(&g, "Patient", "p1", NULL), ERR_GONE);
    assert_str(g.err.first->rule, "purged");
    assert_int_equal(read_one(&g, "Observation", "o1", "1"), ERR_GONE);
    assert_str(g.err.first->rule, "purged");
    rig_ok(&g, store_history(g.reader, &g.arena, &STORE_VIEW_ALL, STR("Observation"), STR("o1"),
                             TIME_NONE, 0, 10, &rows, &n, &more, &g.err));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].purged);
        assert_int_equal(rows[i].body.n, 0);
    }
    assert_int_equal(found(&g, "Observation", "status=amended"), 0);
    assert_int_equal(found(&g, "Patient", ""), 1);
    assert_int_equal(read_one(&g, "Appointment", "both", NULL), OK);
    assert_int_equal(read_one(&g, "Observation", "o2", NULL), OK);
    sound(&g);
    assert_false(anywhere(&g));
    rig_close(&g);
    rig_open(&g);
    assert_false(anywhere(&g));
    rig_ok(&g, store_reindex(g.store, NULL, NULL, &g.err));
    sound(&g);
    packed = STR_NONE;
    (void)rig_put(&g, PATIENT); /* a PUT brings it back, as after any deletion */
    assert_int_equal(read_one(&g, "Patient", "p1", NULL), OK);
    assert_int_equal(read_one(&g, "Patient", "p1", "1"), ERR_GONE);
    sound(&g);
    rig_done(&g);
}

static void one_version_goes(void **state)
{
    (void)state;
    Rig g;
    StorePurgeExtent extent;
    rig_init(&g, true);
    county_put(&g);
    rig_refused(
        &g, ERR_CONFLICT,
        store_purge_look(g.reader, &g.arena, STR("Observation/o1/_history/2"), &extent, &g.err));
    assert_str(g.err.first->rule, "current-version");
    rig_refused(&g, ERR_UNPROCESSABLE,
                store_purge_look(g.reader, &g.arena, STR("Observation/nobody"), &extent, &g.err));
    rig_refused(&g, ERR_INVALID,
                store_purge_look(g.reader, &g.arena, STR("nonsense"), &extent, &g.err));
    (void)purge(&g, "a", "Observation/o1/_history/1");
    assert_int_equal(read_one(&g, "Observation", "o1", "1"), ERR_GONE);
    assert_int_equal(read_one(&g, "Observation", "o1", "2"), OK);
    assert_int_equal(read_one(&g, "Observation", "o1", NULL), OK);
    assert_int_equal(found(&g, "Observation", "status=amended"), 1);
    sound(&g);
    rig_done(&g);
}

static void decided_once_and_in_time(void **state)
{
    (void)state;
    Rig g;
    StorePurge p, *list;
    size_t n;
    rig_init(&g, false);
    county_put(&g);
    (void)proposed(&g, "a", "Patient/p1");
    rig_refused(&g, ERR_CONFLICT,
                store_purge_decide(g.store, STR("a"), PURGE_CONFIRMED, STR("security"), T0 + MS_DAY,
                                   &g.err));
    rig_ok(&g, store_purge_list(g.reader, &g.arena, T0 + MS_DAY, 10, &list, &n, &g.err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].state, PURGE_EXPIRED);
    rig_ok(&g, store_purge_decide(g.store, STR("a"), PURGE_DENIED, STR("security"), T0, &g.err));
    rig_refused(
        &g, ERR_CONFLICT,
        store_purge_decide(g.store, STR("a"), PURGE_CONFIRMED, STR("security"), T0, &g.err));
    rig_refused(
        &g, ERR_NOT_FOUND,
        store_purge_decide(g.store, STR("b"), PURGE_CONFIRMED, STR("security"), T0, &g.err));
    rig_ok(&g, store_purge_run(g.reader, &g.arena, UINT64_MAX, &p, &g.err));
    assert_true(str_empty(p.id));
    assert_int_equal(read_one(&g, "Patient", "p1", NULL), OK);
    p = proposed(&g, "c", "Patient/p1");
    p.id = STR("d");
    rig_refused(&g, ERR_CONFLICT, store_purge_propose(g.store, &p, 1, &g.err));
    rig_done(&g);
}

static Str upload(Rig *g, const char *id, const char *bytes, const char *context)
{
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    Str ret_id, sha;
    rig_ok(g, store_binary_put(b, g->store, &g->arena, str_from_c(id), STR("text/plain"),
                               str_from_c(bytes), context ? str_from_c(context) : STR_NONE, &ret_id,
                               &g->err));
    rig_ok(g, store_commit(b, &receipt, &g->err));
    Sha256 sum = sha256(str_from_c(bytes));
    sha = hex_encode(&g->arena, sum.b, sizeof sum.b);
    return sha;
}

static Status bytes_there(Rig *g, Str sha)
{
    Str bytes;
    err_clear(&g->err);
    return store_blob_get(g->store, &g->arena, sha, &bytes, &g->err);
}

static void blobs_go_unless_shared(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    county_put(&g);
    Str own = upload(&g, "b1", SECRET " in a recording", "Patient/p1");
    Str same = upload(&g, "b2", "the same form for everybody", "Patient/p1");
    (void)upload(&g, "b3", "the same form for everybody", "Patient/p2");
    Str loose = upload(&g, "b4", SECRET " without a patient", NULL);
    Str logo = upload(&g, "b5", "the hospital's sign", NULL);
    (void)rig_put(&g,
                  "{\"resourceType\":\"DocumentReference\",\"id\":\"d1\",\"status\":\"current\","
                  "\"subject\":{\"reference\":\"Patient/p1\"},\"content\":[{\"attachment\":"
                  "{\"url\":\"Binary/b4\"}},{\"attachment\":{\"url\":\"Binary/b5\"}}]}");
    (void)rig_put(&g,
                  "{\"resourceType\":\"DocumentReference\",\"id\":\"d2\",\"status\":\"current\","
                  "\"subject\":{\"reference\":\"Patient/p2\"},\"content\":[{\"attachment\":"
                  "{\"url\":\"Binary/b5\"}}]}");
    StorePurge p = purge(&g, "a", "Patient/p1");
    assert_int_equal(p.extent.blobs, 3);
    assert_int_equal(bytes_there(&g, own), ERR_NOT_FOUND);
    assert_int_equal(bytes_there(&g, loose), ERR_NOT_FOUND);
    assert_int_equal(bytes_there(&g, same), OK);
    assert_int_equal(bytes_there(&g, logo), OK);
    assert_int_equal(read_one(&g, "Binary", "b4", NULL), ERR_GONE);
    assert_int_equal(read_one(&g, "Binary", "b5", NULL), OK);
    assert_false(anywhere(&g));
    sound(&g);
    rig_done(&g);
}

/* The same bytes were stored before the purge took them and are named after it. */
static void an_upload_on_its_way_is_told(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    Str id;
    rig_init(&g, true);
    county_put(&g);
    (void)upload(&g, "b1", SECRET " in a recording", "Patient/p1");
    StoreBatch *b = rig_batch(&g);
    rig_ok(&g, store_binary_put(b, g.store, &g.arena, STR("b9"), STR("text/plain"),
                                STR(SECRET " in a recording"), STR("Patient/p2"), &id, &g.err));
    (void)purge(&g, "a", "Patient/p1");
    rig_refused(&g, ERR_UNAVAILABLE, store_commit(b, &receipt, &g.err));
    sound(&g);
    rig_done(&g);
}

static void drafts_and_timers_go(void **state)
{
    (void)state;
    Rig g;
    StoreReceipt receipt;
    StoreDraft got, theirs = {STR("Practitioner/li"),        STR("PractitionerRole/a"),
                              STR("start:x:Patient/p1"),     STR(""),
                              STR("{\"t\":\"" SECRET "\"}"), T0};
    StoreDraft task = theirs, other = theirs;
    StoreTimer *timers;
    size_t n;
    int64_t next;
    task.key = STR("Task/t1:do");
    other.key = STR("start:x:Patient/p2");
    other.body = STR("{}");
    rig_init(&g, true);
    county_put(&g);
    (void)rig_put(&g, "{\"resourceType\":\"Task\",\"id\":\"t1\",\"status\":\"ready\",\"intent\":"
                      "\"order\",\"for\":{\"reference\":\"Patient/p1\"}}");
    StoreBatch *b = rig_batch(&g);
    store_batch_timer_set(b, STR("Task/t1"), STR("due"), T0 + 1);
    rig_ok(&g, store_commit(b, &receipt, &g.err));
    rig_ok(&g, store_draft_put(g.store, &theirs, 0, 9, &g.err));
    rig_ok(&g, store_draft_put(g.store, &task, 0, 9, &g.err));
    rig_ok(&g, store_draft_put(g.store, &other, 0, 9, &g.err));
    StorePurge p = proposed(&g, "a", "Patient/p1");
    assert_int_equal(p.extent.open_tasks, 1);
    confirm(&g, "a");
    rig_ok(&g, store_purge_run(g.reader, &g.arena, UINT64_MAX, &p, &g.err));
    rig_refused(&g, ERR_NOT_FOUND,
                store_draft_get(g.reader, &g.arena, theirs.person, theirs.post, theirs.key, 0, &got,
                                &g.err));
    rig_refused(
        &g, ERR_NOT_FOUND,
        store_draft_get(g.reader, &g.arena, theirs.person, theirs.post, task.key, 0, &got, &g.err));
    rig_ok(&g, store_draft_get(g.reader, &g.arena, theirs.person, theirs.post, other.key, 0, &got,
                               &g.err));
    rig_ok(&g, store_timers_due(g.reader, &g.arena, T0 + 9, 9, &timers, &n, &next, &g.err));
    assert_int_equal(n, 0);
    assert_false(anywhere(&g));
    rig_done(&g);
}

static void tamper(Rig *g, const char *sql)
{
    rig_close(g);
    assert_int_equal(log_query(g, sql).n, 0);
    rig_open(g);
}

/*
 * Not while a copy is made; a log of which nobody knows that each body stands there once, and which
 * is larger than may be written anew now: later.
 */
static void waits_and_goes_on(void **state)
{
    (void)state;
    Rig g;
    StorePurge p;
    rig_init(&g, true);
    county_put(&g);
    (void)proposed(&g, "a", "Patient/p1");
    confirm(&g, "a");
    const char *blobs = path_join(&g.arena, str_from_c(g.dir), STR("blobs")).p;
    int copy = dir_fence(blobs, false);
    assert_true(copy >= 0);
    rig_refused(&g, ERR_UNAVAILABLE, store_purge_run(g.reader, &g.arena, UINT64_MAX, &p, &g.err));
    sound(&g);
    close(copy);
    tamper(&g, "UPDATE setting SET value = '0' WHERE name = 'bodies-once'");
    rig_ok(&g, store_purge_run(g.reader, &g.arena, 0, &p, &g.err));
    assert_int_equal(p.state, PURGE_TIDYING);
    assert_int_equal(read_one(&g, "Patient", "p1", "1"), ERR_GONE);
    sound(&g);
    (void)proposed(&g, "b", "Patient/p2");
    confirm(&g, "b");
    rig_ok(&g, store_purge_run(g.reader, &g.arena, 0, &p, &g.err));
    assert_str(p.id, "b");
    rig_ok(&g, store_purge_run(g.reader, &g.arena, UINT64_MAX, &p, &g.err));
    assert_int_equal(p.state, PURGE_DONE);
    rig_ok(&g, store_purge_run(g.reader, &g.arena, UINT64_MAX, &p, &g.err));
    assert_true(str_empty(p.id));
    assert_false(anywhere(&g));
    (void)rig_put(&g, PATIENT);
    (void)proposed(&g, "c", "Patient/p1");
    confirm(&g, "c");
    rig_ok(&g, store_purge_run(g.reader, &g.arena, rig_server() ? UINT64_MAX : 0, &p, &g.err));
    assert_int_equal(p.state, PURGE_DONE); /* it is known now */
    rig_done(&g);
}

/* A body that is gone without a purge, and a purge that was made to fit it afterwards. */
static void nobody_erases_alone(void **state)
{
    (void)state;
    Rig g;
    rig_init(&g, true);
    county_put(&g);
    (void)purge(&g, "a", "Observation/o1/_history/1");
    sound(&g);
    tamper(&g, "UPDATE version SET body = NULL WHERE seq = 1");
    assert_true(faults_of(&g) > 0);
    tamper(&g, "INSERT INTO purged VALUES(1, 'a')");
    assert_true(faults_of(&g) > 0);
    bool told = false;
    for (const Issue *x = g.err.first; x; x = x->next) {
        told = told || str_is(x->where, "purge a");
    }
    assert_true(told);
    rig_done(&g);
}

/* ---- Power cuts ------------------------------------------------------------------------------
 */

#define CUTS 60

static void shell(Rig *g, const char *command, const char *dir)
{
    assert_int_equal(system(arena_cat(&g->arena, str_from_c(command), STR(" "), str_from_c(dir)).p),
                     0);
}

static bool live_open(Rig *g, const char *vfs)
{
    StoreOptions o = {.dir = g->dir,
                      .clock = &g->clock,
                      .random = &g->random,
                      .zone_min = ZONE_CHINA_MIN,
                      .vfs = vfs};
    return store_open(&o, &g->store, NULL) == OK &&
           store_reader_open(g->store, &g->reader, NULL) == OK;
}

static bool purge_under_cut(Rig *g)
{
    StorePurge p = {0};
    bool opened = live_open(g, CUT_VFS);
    bool done = opened && store_purge_run(g->reader, &g->arena, UINT64_MAX, &p, NULL) == OK;
    rig_close(g);
    return done && p.state == PURGE_DONE;
}

/* Whatever the moment: what is left opens, is sound, and the purge comes to its end. */
static void survivors_finish(Rig *g, const char *left)
{
    StorePurge p;
    snprintf(g->dir, sizeof g->dir, "%s", left);
    rig_open(g);
    sound(g);
    rig_ok(g, store_purge_run(g->reader, &g->arena, UINT64_MAX, &p, &g->err));
    rig_ok(g, store_purge_get(g->reader, &g->arena, STR("a"), T0, &p, &g->err));
    assert_int_equal(p.state, PURGE_DONE);
    assert_int_equal(read_one(g, "Patient", "p1", "1"), ERR_GONE);
    assert_int_equal(read_one(g, "Patient", "p2", NULL), OK);
    sound(g);
    assert_false(anywhere(g));
    rig_close(g);
}

static void power_cuts(void **state)
{
    (void)state;
    rig_files_only(); /* the disk under the database is not ours to cut */
    Rig g;
    rig_init(&g, true);
    county_put(&g);
    (void)upload(&g, "b1", SECRET " in a recording", "Patient/p1");
    (void)proposed(&g, "a", "Patient/p1");
    confirm(&g, "a");
    rig_close(&g);
    char live[sizeof g.dir], left[sizeof g.dir], base[sizeof g.dir - sizeof "-live"];
    assert_true(strlen(g.dir) < sizeof base);
    memcpy(base, g.dir, strlen(g.dir) + 1);
    snprintf(live, sizeof live, "%s-live", base);
    snprintf(left, sizeof left, "%s-left", base);
    Str copy =
        arena_printf(&g.arena, "rm -rf %s %s && mkdir %s && cp -r %s", live, left, left, base);
    snprintf(g.dir, sizeof g.dir, "%s", live);
    shell(&g, copy.p, live);
    cut_start(live, 0, 1);
    assert_true(purge_under_cut(&g));
    uint64_t calls = cut_calls();
    for (uint64_t i = 0; i < CUTS; i++) {
        snprintf(g.dir, sizeof g.dir, "%s", live);
        shell(&g, copy.p, live);
        cut_start(live, 1 + (i * 7919 + calls / 3) % calls, i);
        (void)purge_under_cut(&g);
        cut_now();
        cut_survivors(left);
        cut_end();
        survivors_finish(&g, left);
    }
    print_message("%d cuts within %llu calls\n", CUTS, (unsigned long long)calls);
    shell(&g, "rm -rf", live);
    shell(&g, "rm -rf", left);
    snprintf(g.dir, sizeof g.dir, "%s", base);
    rig_open(&g);
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patient_goes_whole),
        cmocka_unit_test(one_version_goes),
        cmocka_unit_test(decided_once_and_in_time),
        cmocka_unit_test(blobs_go_unless_shared),
        cmocka_unit_test(an_upload_on_its_way_is_told),
        cmocka_unit_test(drafts_and_timers_go),
        cmocka_unit_test(waits_and_goes_on),
        cmocka_unit_test(nobody_erases_alone),
        cmocka_unit_test(power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
