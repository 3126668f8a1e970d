/* The trail read back over running and packed segments; dropping in time. MENKOU_LONG: six months.
 */
#include "access_test.h"

#include <stdlib.h>

#include "access_keep.h"
#include "access_segment.h"
#include "access_trail.h"

#ifdef __SANITIZE_ADDRESS__
#define ANSWER_MAX_US 3000000
#else
#define ANSWER_MAX_US 1000000
#endif
#define LIMITS_NONE ((AuditLimits){.bytes_max = UINT64_MAX, .keep_ms = 0})

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

static void record(Fixture *f, int person, int patient, int status)
{
    AccessCaller c = {.username = arena_printf(&f->arena, "user%d", person),
                      .practitioner = arena_printf(&f->arena, "Practitioner/p%d", person),
                      .address = STR("10.0.0.1"),
                      .request_id = STR("r")};
    Str id = arena_printf(&f->arena, "%d", patient);
    c.post.role = STR("township-doctor");
    c.post.organization = STR("Organization/t1");
    AccessAudit row = {.caller = &c,
                       .action = "R",
                       .what = arena_cat(&f->arena, STR("Patient/"), id),
                       .patients = &id,
                       .patients_n = 1,
                       .http_status = status};
    assert_int_equal(access_audit(f->access, &row, true, &f->err), OK);
}

/* Patients 1 to 50 in turn by persons 0 to 4, 100 records a day. */
static void days_write(Fixture *f, int days)
{
    for (int d = 0; d < days; d++) {
        clock_set(&f->clock, NOW + d * MS_DAY);
        for (int i = 0; i < 100; i++) {
            record(f, i % 5, 1 + i % 50, i % 10 ? 200 : 404);
        }
    }
}

static void keep(Fixture *f, AuditLimits limits)
{
    assert_int_equal(audit_keep(audit_keeper(f->access->audit), &limits, &f->err), OK);
}

static TrailPage page(Fixture *f, const TrailQuery *q)
{
    TrailPage p;
    assert_int_equal(access_trail_page(f->access, &f->arena, q, &p, &f->err), OK);
    return p;
}

static size_t count(Fixture *f, TrailQuery q)
{
    size_t n = 0;
    uint64_t last = UINT64_MAX;
    q.limit = 7;
    do {
        TrailPage p = page(f, &q);
        for (size_t i = 0; i < p.n; i++) {
            assert_true(p.record[i].n < last);
            last = p.record[i].n;
        }
        n += p.n;
        q.before = p.next;
    } while (q.before);
    return n;
}

static bool is_packed(Fixture *f, const char *day)
{
    return file_exists(arena_printf(&f->arena, "%s/audit/%s.log.zst", f->dir, day).p) &&
           file_exists(arena_printf(&f->arena, "%s/audit/%s.idx", f->dir, day).p) &&
           !file_exists(arena_printf(&f->arena, "%s/audit/%s.log", f->dir, day).p);
}

static AccessAuditFound verify(Fixture *f)
{
    AccessAuditFound found;
    err_clear(&f->err);
    assert_int_equal(access_audit_verify(f->reader, &f->arena, f->dir, &found, &f->err), OK);
    return found;
}

static void everything_is_found(Fixture *f)
{
    const Str patient = STR("7"), both[] = {STR("7"), STR("8")};
    const Str user = STR("user3"), who = STR("Practitioner/p1"), nobody = STR("user9");
    assert_int_equal(count(f, (TrailQuery){0}), 300);
    assert_int_equal(count(f, (TrailQuery){.patients = &patient, .patients_n = 1}), 6);
    assert_int_equal(count(f, (TrailQuery){.patients = both, .patients_n = 2}), 12);
    assert_int_equal(count(f, (TrailQuery){.persons = &user, .persons_n = 1}), 60);
    assert_int_equal(count(f, (TrailQuery){.persons = &nobody, .persons_n = 1}), 0);
    assert_int_equal(
        count(f,
              (TrailQuery){.patients = &patient, .patients_n = 1, .persons = &who, .persons_n = 1}),
        6);
    assert_int_equal(count(f, (TrailQuery){.status_from = 400, .status_to = 500}), 30);
    assert_int_equal(
        count(f, (TrailQuery){.from_ms = NOW + MS_DAY - MS_HOUR, .to_ms = NOW + MS_DAY + 1}), 100);
    assert_int_equal(count(f, (TrailQuery){.n = 150}), 1);
    assert_int_equal(count(f, (TrailQuery){.n = 1}), 1);
    assert_int_equal(count(f, (TrailQuery){.n = 301}), 0);
}

static void packed_segments_answer_like_plain_ones(void **state)
{
    Fixture *f = *state;
    days_write(f, 3);
    everything_is_found(f);
    keep(f, LIMITS_NONE);
    assert_true(is_packed(f, "2026-11-22") && is_packed(f, "2026-11-23"));
    assert_false(is_packed(f, "2026-11-24"));
    everything_is_found(f);
    assert_int_equal(verify(f).faults, 0);
    assert_int_equal(verify(f).records, 300);
    assert_int_equal(remove(arena_printf(&f->arena, "%s/audit/2026-11-22.idx", f->dir).p), 0);
    everything_is_found(f);
    close_store(f);
    open_store(f);
    record(f, 1, 99, 200);
    assert_int_equal(verify(f).faults, 0);
}

static void every_patient_of_a_wide_page_is_named(void **state)
{
    Fixture *f = *state;
    Str ids[1500];
    for (int i = 0; i < 1500; i++) {
        ids[i] = arena_printf(&f->arena, "patient-%d", i);
    }
    AccessAudit row = {.action = "R",
                       .what = STR("Patient?_count=1500"),
                       .patients = ids,
                       .patients_n = 1500,
                       .http_status = 200};
    assert_int_equal(access_audit(f->access, &row, true, &f->err), OK);
    for (int i = 0; i < 1500; i += 499) {
        assert_int_equal(count(f, (TrailQuery){.patients = &ids[i], .patients_n = 1}), 1);
    }
}

static void only_what_is_old_enough_is_dropped(void **state)
{
    Fixture *f = *state;
    const Str dropped = STR("dropped"), full = STR("nearly-full");
    days_write(f, 4);
    clock_set(&f->clock, NOW + 4 * MS_DAY);
    record(f, 1, 99, 200);
    keep(f, (AuditLimits){.bytes_max = 100, .keep_ms = 30 * MS_DAY});
    assert_int_equal(count(f, (TrailQuery){.action = dropped}), 0);
    assert_int_equal(count(f, (TrailQuery){.action = full}), 1);
    keep(f, (AuditLimits){.bytes_max = 100, .keep_ms = 2 * MS_DAY});
    assert_int_equal(count(f, (TrailQuery){.action = dropped}), 1);
    assert_int_equal(count(f, (TrailQuery){.action = full}), 1); /* once a day */
    assert_false(is_packed(f, "2026-11-22"));
    assert_true(is_packed(f, "2026-11-24") || is_packed(f, "2026-11-23"));
    AccessAuditFound found = verify(f);
    assert_int_equal(found.faults, 0);
    assert_true(found.records < 403);
    close_store(f);
    open_store(f);
    assert_int_equal(verify(f).faults, 0);
}

/* Whoever can write to log.db, but has no key, cannot cut the front off. */
static void a_front_cut_off_is_found(void **state)
{
    Fixture *f = *state;
    Str head = STR_NONE;
    days_write(f, 2);
    keep(f, LIMITS_NONE);
    SegmentFrames frames;
    Str lines;
    bool more;
    Chain at = {0};
    const char *path = arena_printf(&f->arena, "%s/audit/2026-11-22.log.zst", f->dir).p;
    assert_int_equal(segment_frames_open(path, &frames, &f->err), OK);
    assert_int_equal(segment_frames_next(&frames, &lines, &more, &f->err), OK);
    ptrdiff_t last = -1;
    for (size_t i = 0; i + 1 < lines.n; i++) {
        last = lines.p[i] == '\n' ? (ptrdiff_t)i : last;
    }
    assert_true(chain_stated(str_skip(lines, (size_t)last + 1), &at.n, &at.mac));
    segment_frames_close(&frames);
    head = chain_head(&f->arena, &at);
    assert_int_equal(store_setting_put(f->store, STR(AUDIT_BASE), head, &f->err), OK);
    assert_int_equal(remove(path), 0);
    assert_int_equal(verify(f).faults, 1);
}

/* ---- Many days -------------------------------------------------------------------------------
 */

static void segment_make(Fixture *f, Chain *chain, int day, int records)
{
    Segment s = {0};
    Buf out, members;
    int64_t day_ms = NOW - (int64_t)(190 - day) * MS_DAY;
    Str name = time_iso_day(&f->arena, day_ms, ZONE_CHINA_MIN);
    memcpy(s.day, name.p, SEGMENT_DAY_BYTES);
    const char *folder = audit_folder(f->access->audit);
    buf_init(&out, 0);
    buf_init(&members, 0);
    for (int i = 0; i < records; i++) {
        uint64_t r = random_u64(&f->random);
        int person = (int)(r % 2000), patient = (int)(r / 2000 % 370000);
        members.n = 0;
        buf_c(&members, ",\"at\":\"");
        buf_time_iso(&members, day_ms + (int64_t)i * (MS_DAY / 2) / records, ZONE_CHINA_MIN);
        buf_printf(&members,
                   "\",\"do\":\"R\",\"user\":\"u%d\",\"who\":\"Practitioner/%d\",\"role\":"
                   "\"township-doctor\",\"org\":\"Organization/t%d\",\"what\":\"Observation?"
                   "patient=%d&_count=20\",\"patients\":[\"01a201c7-6676-766d-8617-%012d\"],"
                   "\"status\":200,\"from\":\"10.1.%d.7\",\"request\":\"%016llx\"",
                   person, person, person % 30, patient, patient, person % 200,
                   (unsigned long long)random_u64(&f->random));
        chain_write(chain, buf_str(&members), &out);
    }
    assert_int_equal(
        file_write_durable(segment_path(&f->arena, folder, &s), buf_str(&out), 0600, &f->err), OK);
    assert_int_equal(
        segment_pack(&f->arena, folder, &s, segment_term_key(audit_key(f->access->audit)), &f->err),
        OK);
    buf_done(&out);
    buf_done(&members);
    arena_reset(&f->arena);
}

static void told(Fixture *f, const char *what, const TrailQuery *q)
{
    int64_t t0 = time_mono_us();
    TrailPage p = page(f, q);
    print_message("  %-44s %6.1f ms, %zu records\n", what, (double)(time_mono_us() - t0) / 1000,
                  p.n);
    assert_true(time_mono_us() - t0 < ANSWER_MAX_US);
}

static void many_days_are_asked_in_a_moment(void **state)
{
    Fixture *f = *state;
    const char *days_text = getenv("MENKOU_LONG");
    if (!days_text) {
        print_message("SKIPPED: many days of audit (MENKOU_LONG=1, or the number of days)\n");
        return;
    }
    int64_t days = 0;
    days =
        str_to_i64(str_from_c(days_text), &days) && days > 1 ? days : 15; /* MENKOU_LONG=180: all */
    Chain chain = {.key = audit_key(f->access->audit)};
    int64_t t0 = time_mono_ms();
    for (int d = 0; d < days; d++) {
        segment_make(f, &chain, d, 100000);
    }
    print_message("  %lld days of 100,000 records made in %lld s\n", (long long)days,
                  (long long)(time_mono_ms() - t0) / 1000);
    Str patient = arena_printf(&f->arena, "01a201c7-6676-766d-8617-%012d", 4711);
    Str person = STR("Practitioner/17");
    told(f, "who saw this patient",
         &(TrailQuery){.patients = &patient, .patients_n = 1, .limit = 100});
    told(f, "the same again", &(TrailQuery){.patients = &patient, .patients_n = 1, .limit = 100});
    told(f, "what did this person see",
         &(TrailQuery){.persons = &person, .persons_n = 1, .limit = 100});
    told(f, "both",
         &(TrailQuery){.patients = &patient,
                       .patients_n = 1,
                       .persons = &person,
                       .persons_n = 1,
                       .limit = 100});
    told(f, "one record by its number", &(TrailQuery){.n = 12345, .limit = 1});
    char command[200];
    snprintf(command, sizeof command, "du -sm %s/audit", f->dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packed_segments_answer_like_plain_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_patient_of_a_wide_page_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_is_old_enough_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_front_cut_off_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_days_are_asked_in_a_moment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
