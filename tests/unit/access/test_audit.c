/* The audit on disk: durable, chained; change, removal, cut and torn ends told apart. */
#include "access_test.h"

#include "access_chain.h"
#include "access_inner.h"

static int set_up(void **state)
{
    *state = fixture_new(true);
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static AccessCaller caller(void)
{
    AccessCaller c = {.username = STR("wang"),
                      .practitioner = STR("Practitioner/wang"),
                      .address = STR("127.0.0.1"),
                      .request_id = STR("r-1")};
    c.post.role = STR("township-doctor");
    c.post.organization = STR("Organization/t1");
    return c;
}

static void record(Fixture *f, const char *what, bool is_write)
{
    AccessCaller c = caller();
    Str patient = STR("77");
    AccessAudit row = {.caller = &c,
                       .action = is_write ? "U" : "R",
                       .what = str_from_c(what),
                       .patients = &patient,
                       .patients_n = 1,
                       .http_status = 200};
    assert_int_equal(access_audit(f->access, &row, is_write, &f->err), OK);
}

static const char *segment_path(Fixture *f)
{
    return arena_printf(&f->arena, "%s/audit/2026-11-22.log", f->dir).p;
}

static Str segment(Fixture *f)
{
    Str text;
    assert_int_equal(file_read(&f->arena, segment_path(f), 1 << 20, &text, &f->err), OK);
    return text;
}

static void segment_write(Fixture *f, Str text)
{
    assert_int_equal(file_write_durable(segment_path(f), text, 0600, &f->err), OK);
}

static AccessAuditFound verify(Fixture *f)
{
    AccessAuditFound found;
    err_clear(&f->err);
    assert_int_equal(access_audit_verify(f->reader, &f->arena, f->dir, &found, &f->err), OK);
    return found;
}

static void reopen(Fixture *f)
{
    close_store(f);
    open_store(f);
}

static void a_write_is_on_disk_when_it_returns(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    Str text = segment(f);
    assert_true(str_find(text, STR("\"what\":\"Patient/77\"")) > 0);
    assert_true(
        str_find(
            text,
            STR("\"user\":\"wang\",\"who\":\"Practitioner/wang\",\"role\":\"township-doctor\"")) >
        0);
    assert_true(str_find(text, STR("\"patients\":[\"77\"],\"status\":200,\"from\":\"127.0.0.1\"")) >
                0);
    assert_true(
        str_starts(text, STR("{\"n\":1,\"at\":\"2026-11-22T08:00:00.000+08:00\",\"do\":\"U\"")));
}

static void a_read_is_on_disk_within_a_second(void **state)
{
    Fixture *f = *state;
    int64_t t0 = time_mono_ms();
    record(f, "Observation?code=x", false);
    while (!file_exists(segment_path(f)) || segment(f).n == 0) {
        assert_true(time_mono_ms() - t0 < 1000);
        usleep(10000);
    }
}

static void a_whole_chain_is_sound_over_days_and_openings(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        record(f, "Patient/77", i % 2);
    }
    reopen(f);
    clock_set(&f->clock, NOW + MS_DAY);
    record(f, "Patient/78", true);
    clock_set(&f->clock, NOW); /* back: stays in the newest segment */
    record(f, "Patient/79", true);
    reopen(f);
    record(f, "Patient/80", true);
    AccessAuditFound found = verify(f);
    assert_int_equal(found.records, 23);
    assert_int_equal(found.faults, 0);
    assert_int_equal(found.torn_bytes, 0);
}

static void a_changed_record_is_found(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    record(f, "Patient/78", true);
    Str text = segment(f);
    ptrdiff_t at = str_find(text, STR("Patient/77"));
    ((char *)(uintptr_t)text.p)[at + 9] = '8';
    segment_write(f, text);
    assert_int_equal(verify(f).faults, 1);
}

static void a_removed_record_is_found(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        record(f, "Patient/77", true);
    }
    Str text = segment(f), first, rest, second, third;
    str_cut(text, '\n', &first, &rest);
    str_cut(rest, '\n', &second, &third);
    segment_write(f, arena_cat(&f->arena, first, STR("\n"), third));
    assert_int_equal(verify(f).faults, 1);
}

static void a_cut_tail_is_found_and_never_forgotten(void **state)
{
    Fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        record(f, "Patient/77", true);
    }
    close_store(f);
    Str text = segment(f), first, rest;
    str_cut(text, '\n', &first, &rest);
    segment_write(f, arena_cat(&f->arena, first, STR("\n")));
    open_store(f);
    record(f, "Patient/78", true);
    assert_true(verify(f).faults >= 1);
    reopen(f);
    assert_true(verify(f).faults >= 1);
}

static void a_removed_segment_is_found(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    clock_set(&f->clock, NOW + MS_DAY);
    record(f, "Patient/78", true);
    close_store(f);
    /* the keeper may have packed it by now */
    Str packed = arena_cat(&f->arena, str_from_c(segment_path(f)), STR(".zst"));
    assert_true(unlink(segment_path(f)) == 0 || unlink(packed.p) == 0);
    open_store(f);
    assert_true(verify(f).faults >= 1);
}

static void a_chain_computed_anew_without_the_head_is_found(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    record(f, "Patient/78", true);
    reopen(f); /* the head is kept */
    Arena *a = &f->arena;
    Str hex;
    char key[CHAIN_KEY_BYTES];
    assert_int_equal(file_read(a, arena_printf(a, "%s/audit.key", f->dir).p, 1024, &hex, &f->err),
                     OK);
    assert_true(hex_decode(str_trim(hex), key, sizeof key));
    Chain forged = {.key = {key, sizeof key}};
    Buf out;
    buf_init(&out, 0);
    chain_write(&forged, STR(",\"at\":\"x\",\"do\":\"R\",\"status\":200"), &out);
    chain_write(&forged, STR(",\"at\":\"x\",\"do\":\"R\",\"status\":200"), &out);
    segment_write(f, buf_str(&out));
    buf_done(&out);
    assert_int_equal(verify(f).faults, 1);
}

static void a_torn_end_is_told_apart(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    record(f, "Patient/78", true);
    close_store(f);
    Str text = segment(f);
    segment_write(f, arena_cat(&f->arena, text, STR("{\"n\":3,\"at\":\"2026-11-22T0")));
    open_store(f); /* removed, and noted as a record */
    record(f, "Patient/79", true);
    AccessAuditFound found = verify(f);
    assert_int_equal(found.faults, 0);
    assert_int_equal(found.records, 4);
    assert_true(str_find(segment(f), STR("torn-end")) > 0);
}

/* Of the last batch the end came to the disk and a sector before it did not. */
static void a_sector_that_never_came_is_a_torn_end(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    record(f, "Patient/78", true);
    close_store(f);
    Str text = segment(f), hole = arena_str(&f->arena, text);
    memset((char *)(uintptr_t)hole.p, 0, 512);
    segment_write(f, arena_cat(&f->arena, text, hole, text));
    open_store(f);
    record(f, "Patient/79", true);
    AccessAuditFound found = verify(f);
    assert_int_equal(found.faults, 0);
    assert_int_equal(found.records, 4);
    assert_true(str_find(segment(f), STR("torn-end")) > 0);
}

/* A hole before what log.db knows is no crash: nothing is removed, and it stays a fault. */
static void a_hole_before_the_head_is_a_fault(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    record(f, "Patient/78", true);
    close_store(f);
    Str text = segment(f), hole = arena_str(&f->arena, text);
    memset((char *)(uintptr_t)hole.p + 10, 0, 20);
    segment_write(f, hole);
    open_store(f);
    assert_true(segment(f).n >= text.n);
    assert_true(verify(f).faults > 0);
}

static void an_unwritable_audit_stops_service_and_recovers(void **state)
{
    Fixture *f = *state;
    record(f, "Patient/77", true);
    AccessCaller c = caller();
    AccessAudit row = {.caller = &c, .action = "U", .what = STR("Patient/78"), .http_status = 200};
    const char *folder = arena_printf(&f->arena, "%s/audit", f->dir).p;
    const char *away = arena_printf(&f->arena, "%s/away", f->dir).p;
    assert_int_equal(rename(folder, away), 0);
    clock_set(&f->clock, NOW + MS_DAY); /* a new segment is due, and cannot be made */
    assert_int_equal(access_audit(f->access, &row, true, &f->err), ERR_UNAVAILABLE);
    assert_int_equal(access_audit_ready(f->access, &f->err), ERR_UNAVAILABLE);
    assert_int_equal(access_audit(f->access, &row, false, &f->err), ERR_UNAVAILABLE);
    assert_int_equal(rename(away, folder), 0);
    int64_t t0 = time_mono_ms();
    while (access_audit_ready(f->access, NULL) != OK) {
        assert_true(time_mono_ms() - t0 < 5000);
        usleep(20000);
    }
    record(f, "Patient/79", true);
    AccessAuditFound found = verify(f);
    assert_int_equal(found.faults, 0);
    assert_int_equal(found.records, 3); /* the one that was refused is written all the same */
}

static void *many(void *arg)
{
    for (int i = 0; i < 200; i++) {
        record(arg, "Patient/77", i % 4 == 0);
    }
    return NULL;
}

static void many_threads_make_one_chain(void **state)
{
    Fixture *f = *state;
    pthread_t thread[8];
    for (int i = 0; i < 8; i++) {
        pthread_create(&thread[i], NULL, many, f);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(thread[i], NULL);
    }
    reopen(f);
    AccessAuditFound found = verify(f);
    assert_int_equal(found.records, 1600);
    assert_int_equal(found.faults, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_write_is_on_disk_when_it_returns),
        CASE(a_read_is_on_disk_within_a_second),
        CASE(a_whole_chain_is_sound_over_days_and_openings),
        CASE(a_changed_record_is_found),
        CASE(a_removed_record_is_found),
        CASE(a_cut_tail_is_found_and_never_forgotten),
        CASE(a_removed_segment_is_found),
        CASE(a_chain_computed_anew_without_the_head_is_found),
        CASE(a_torn_end_is_told_apart),
        CASE(a_sector_that_never_came_is_a_torn_end),
        CASE(a_hole_before_the_head_is_a_fault),
        CASE(an_unwritable_audit_stops_service_and_recovers),
        CASE(many_threads_make_one_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
