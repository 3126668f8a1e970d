/* Long records: 24 hours in segments, read window by window without being held. */
#include "ecg_make.h"

#define RATE   125
#define HOURS  24
#define HOUR   (3600 * RATE) /* frames of a segment */
#define FRAMES ((size_t)HOURS * HOUR)

typedef struct Holter {
    Arena arena;
    Err err;
    EcgFile file[2 * HOURS + 1];
    size_t n;
    uint64_t bytes_read;
} Holter;

/* What was "recorded": two leads, the second with a spike each hour. */
static int32_t value_at(size_t lead, size_t frame)
{
    if (lead == 1 && frame % HOUR == 1234) {
        return 1500;
    }
    return (int32_t)((frame * 7 + frame / 1000 + lead * 13) % 401) - 200;
}

typedef struct Hour {
    Holter *holter;
    size_t number;
} Hour;

/* Format 212 made where it is read, so that the test holds no 32 MB either. */
static Status hour_read(void *from, uint64_t at, size_t n, char *to, Err *err)
{
    const Hour *h = from;
    (void)err;
    h->holter->bytes_read += n;
    for (size_t i = 0; i < n; i++) {
        size_t frame = (at + i) / 3 + h->number * HOUR;
        unsigned x = (unsigned)value_at(0, frame) & 0xFFF, y = (unsigned)value_at(1, frame) & 0xFFF;
        unsigned byte[] = {x & 0xFF, x >> 8 | (y >> 8) << 4, y & 0xFF};
        to[i] = (char)byte[(at + i) % 3];
    }
    return OK;
}

static int checksum(size_t lead, size_t hour)
{
    unsigned sum = 0;
    for (size_t f = hour * HOUR; f < (hour + 1) * HOUR; f++) {
        sum += (unsigned)value_at(lead, f);
    }
    return (int16_t)sum;
}

static void hour_add(Holter *h, size_t i)
{
    Hour *hour = arena_new(&h->arena, Hour);
    *hour = (Hour){h, i};
    EcgFile *header = &h->file[h->n++], *data = &h->file[h->n++];
    header->title = arena_printf(&h->arena, "day_%zu.hea", i);
    header->bytes = arena_printf(
        &h->arena,
        "day_%zu 2 %d %d\nd%zu.dat 212 200 12 0 %d %d 0 MLII\nd%zu.dat 212 200 12 0 %d %d 0 V5\n",
        i, RATE, HOUR, i, value_at(0, i * HOUR), checksum(0, i), i, value_at(1, i * HOUR),
        checksum(1, i));
    data->title = arena_printf(&h->arena, "d%zu.dat", i);
    data->size = (uint64_t)HOUR * 3;
    data->read = hour_read;
    data->from = hour;
}

static int setup(void **state)
{
    Holter *h = calloc(1, sizeof *h);
    arena_init(&h->arena, 0);
    err_init(&h->err, &h->arena);
    Str head =
        arena_printf(&h->arena, "day/%d 2 %d %zu 08:00:00 22/11/2026\n", HOURS, RATE, FRAMES);
    for (size_t i = 0; i < HOURS; i++) {
        head = arena_cat(&h->arena, head, arena_printf(&h->arena, "day_%zu %d\n", i, HOUR));
    }
    for (size_t i = 0; i < HOURS; i++) {
        hour_add(h, i);
    }
    h->file[h->n++] = (EcgFile){.title = STR("day.hea"), .bytes = head}; /* last, to be found */
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    Holter *h = *state;
    arena_done(&h->arena);
    free(h);
    return 0;
}

static Status read_part(Holter *h, Arena *a, const EcgPart *part, EcgRecording *ret)
{
    h->bytes_read = 0;
    err_clear(&h->err);
    return ecg_read_part(a, h->file, h->n, part, ret, &h->err);
}

static void assert_window(Holter *h, int64_t from_ms, int64_t to_ms)
{
    Arena a;
    EcgRecording rec;
    EcgPart part = {.from_ms = from_ms, .to_ms = to_ms};
    arena_init(&a, 4u << 20);
    if (read_part(h, &a, &part, &rec) != OK) {
        fail_msg("%.*s", STR_ARG(h->err.first->en));
    }
    size_t first = (size_t)from_ms * RATE / 1000, end = (size_t)to_ms * RATE / 1000;
    end = end < FRAMES ? end : FRAMES;
    first = first < end ? first : end;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rec.leads[i].total, FRAMES);
        assert_int_equal(rec.leads[i].at, first);
        assert_int_equal(rec.leads[i].n, end - first);
        for (size_t k = 0; k < rec.leads[i].n; k++) {
            assert_int_equal(rec.leads[i].samples[k], value_at(i, first + k));
        }
    }
    assert_true(h->bytes_read < (end - first) * 3 + (1u << 20));
    assert_int_equal(ecg_duration_ms(&rec), HOURS * 3600 * 1000);
    arena_done(&a);
}

/* At the beginning, within, over the seam of segments, to the end and past it. */
static void windows(void **state)
{
    Holter *h = *state;
    assert_window(h, 0, 10000);
    assert_window(h, 43210123, 43220777);
    assert_window(h, 3599000, 3602004);
    assert_window(h, 24 * 3600000 - 5000, 24 * 3600000 + 5000);
    assert_window(h, 25 * 3600000, 26 * 3600000 - 3600000);
}

static void chosen_leads(void **state)
{
    Holter *h = *state;
    Str lead = STR("v5"), wrong = STR("V9");
    EcgPart part = {.from_ms = 1000, .to_ms = 2000, .n_leads = 1, .lead = &lead};
    const char *missing[ECG_STANDARD_LEADS];
    EcgRecording rec;
    assert_int_equal(read_part(h, &h->arena, &part, &rec), OK);
    assert_int_equal(rec.n_leads, 1);
    assert_int_equal(rec.leads[0].samples[0], value_at(1, RATE));
    assert_int_equal(ecg_missing(&rec, missing), 11);
    part.lead = &wrong;
    assert_int_equal(read_part(h, &h->arena, &part, &rec), ERR_INVALID);
}

/* Memory stays small while 32 MB are walked; each bucket holds what the hour held. */
static void envelope(void **state)
{
    Holter *h = *state;
    Arena a;
    EcgRecording rec;
    EcgPart part = {.buckets = HOURS * 60};
    arena_init(&a, 3u << 20);
    if (read_part(h, &a, &part, &rec) != OK) {
        fail_msg("%.*s", STR_ARG(h->err.first->en));
    }
    assert_in_range(h->bytes_read, FRAMES * 3, FRAMES * 3 + (1u << 20));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rec.leads[i].n, 0);
        assert_int_equal(rec.leads[i].buckets, HOURS * 60);
        for (size_t k = 0; k < rec.leads[i].buckets; k++) {
            const EcgExtent *e = &rec.leads[i].envelope[k];
            assert_true(e->any);
            assert_int_equal(e->low, -200);
            assert_int_equal(e->high, i == 1 && k % 60 == 0 ? 1500 : 200);
        }
    }
    printf("envelope of %zu frames within %zu bytes\n", FRAMES, a.used_bytes);
    arena_done(&a);
}

static void too_much_at_once(void **state)
{
    Holter *h = *state;
    EcgRecording rec;
    EcgPart part = {.to_ms = ECG_END, .samples_max = ECG_PROVED_SAMPLES};
    assert_int_equal(read_part(h, &h->arena, &part, &rec), ERR_TOO_LARGE);
    assert_true(str_find(h->err.first->en, STR("start and duration")) >= 0);
    assert_true(h->bytes_read < 1u << 20);
}

static void damage_is_found(void **state)
{
    Holter *h = *state;
    EcgRecording rec;
    EcgPart part = {.buckets = 1};
    EcgFile *header = &h->file[14]; /* day_7.hea */
    Str good = header->bytes;
    header->bytes = arena_cat(&h->arena, str_take(good, 12), STR("5"), str_skip(good, 12));
    assert_int_equal(read_part(h, &h->arena, &part, &rec), ERR_UNPROCESSABLE);
    assert_true(str_find(h->err.first->en, STR("day_7.hea line")) >= 0);
    header->bytes = good;
    h->file[16].title = STR("other.hea");
    assert_int_equal(read_part(h, &h->arena, &part, &rec), ERR_UNPROCESSABLE);
    assert_true(str_find(h->err.first->en, STR("day.hea line 10, field 1 (segment name)")) >= 0);
    h->file[16].title = STR("day_8.hea");
    EcgFile *data = &h->file[17];
    data->size -= 3;
    assert_int_equal(read_part(h, &h->arena, &part, &rec), ERR_UNPROCESSABLE);
    assert_true(str_find(h->err.first->en, STR("day_8.hea line 1, field 4")) >= 0);
    data->size += 3;
}

/* An hour without the electrodes. */
static void empty_segment(void **state)
{
    Holter *h = *state;
    EcgRecording rec;
    EcgFile files[] = {
        h->file[0],
        h->file[1],
        {.title = STR("gap.hea"), .bytes = STR("gap/2 2 125\n~ 250\nday_0 450000\n")}};
    EcgPart part = {.from_ms = 1000, .to_ms = 3000};
    err_clear(&h->err);
    if (ecg_read_part(&h->arena, files, 3, &part, &rec, &h->err) != OK) {
        fail_msg("%.*s", STR_ARG(h->err.first->en));
    }
    assert_int_equal(rec.leads[0].total, 450250);
    assert_int_equal(rec.leads[0].samples[124], rec.leads[0].gap);
    assert_int_equal(rec.leads[0].samples[125], value_at(0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),         cmocka_unit_test(chosen_leads),
        cmocka_unit_test(envelope),        cmocka_unit_test(too_much_at_once),
        cmocka_unit_test(damage_is_found), cmocka_unit_test(empty_segment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
