#include "ecg_make.h"
#include "ecg_synth.h"
#include "ecg_write.h"

typedef struct Fixture {
    Arena arena;
    Err err;
    Buf out;
    EcgRecording rec;
} Fixture;

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena, 64u << 20);
    err_init(&f->err, &f->arena);
    buf_init(&f->out, 0);
    *state = f;
    return f == NULL;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    buf_done(&f->out);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static Status read_out(Fixture *f)
{
    EcgFile file = {STR("x.scp"), buf_str(&f->out)};
    return ecg_read(&f->arena, &file, 1, &f->rec, &f->err);
}

static void assert_read(Fixture *f)
{
    if (read_out(f) != OK) {
        fail_msg("%.*s", STR_ARG(f->err.first->en));
    }
}

static void assert_samples(const EcgLead *l, const int32_t *want, size_t n)
{
    assert_int_equal(l->n, n);
    for (size_t i = 0; i < n; i++) {
        if (l->samples[i] != want[i]) {
            fail_msg("sample %zu is %d, not %d", i, l->samples[i], want[i]);
        }
    }
}

static void every_kind_comes_back(void **state)
{
    Fixture *f = *state;
    for (int kind = 0; kind < ECG_SYNTH_KINDS; kind++) {
        EcgRecording made;
        ecg_synth(&f->arena, 5, (EcgSynthKind)kind, &made);
        made.patient = (EcgPatient){.family = STR("欧阳"),
                                    .given = STR("修"),
                                    .id = STR("11010519491231002X"),
                                    .sex = ECG_SEX_MALE,
                                    .age = 77,
                                    .age_unit = 'a',
                                    .has_birth = true};
        assert_true(datetime_parse(STR("1949-12-31"), &made.patient.birth));
        assert_true(datetime_parse(STR("2026-11-22T08:30:05+08:00"), &made.start));
        made.has_start = true;
        buf_clear(&f->out);
        assert_int_equal(ecg_write_scp(&f->out, &made, &f->err), OK);
        assert_read(f);
        assert_int_equal(f->rec.n_leads, 12);
        for (size_t i = 0; i < 12; i++) {
            assert_str(f->rec.leads[i].name, ecg_standard_lead[i]);
            assert_samples(&f->rec.leads[i], made.leads[i].samples, made.leads[i].n);
            assert_int_equal(f->rec.leads[i].gain.num, 5);
            assert_int_equal(f->rec.leads[i].gain.den, 2);
        }
        assert_str(f->rec.patient.family, "欧阳");
        assert_str(f->rec.patient.given, "修");
        assert_str(f->rec.patient.id, "11010519491231002X");
        assert_int_equal(f->rec.patient.age, 77);
        assert_int_equal(f->rec.patient.sex, ECG_SEX_MALE);
        assert_int_equal(f->rec.patient.birth.day, 31);
        assert_str(ecg_start_text(&f->arena, &f->rec), "2026-11-22T08:30:05+08:00");
        assert_str(f->rec.device.manufacturer, "Menkou");
        assert_str(f->rec.device.model, "SYNTH");
    }
}

static void synth_is_plausible(void **state)
{
    Fixture *f = *state;
    EcgRecording normal, again, inferior;
    ecg_synth(&f->arena, 9, ECG_SYNTH_NORMAL, &normal);
    ecg_synth(&f->arena, 9, ECG_SYNTH_NORMAL, &again);
    ecg_synth(&f->arena, 9, ECG_SYNTH_STEMI_INFERIOR, &inferior);
    for (size_t i = 0; i < 12; i++) {
        assert_memory_equal(normal.leads[i].samples, again.leads[i].samples, 5000 * 4);
    }
    int64_t sum[2][12] = {0};
    for (size_t i = 0; i < 12; i++) {
        for (size_t k = 0; k < 5000; k++) {
            sum[0][i] += normal.leads[i].samples[k];
            sum[1][i] += inferior.leads[i].samples[k];
        }
    }
    /* Raised ST lifts the mean of II, III, aVF and lowers that of I and aVL. */
    assert_true(sum[1][1] > sum[0][1] && sum[1][2] > sum[0][2] && sum[1][5] > sum[0][5]);
    assert_true(sum[1][0] < sum[0][0] && sum[1][4] < sum[0][4]);
    for (size_t k = 0; k < 5000; k++) {
        const EcgLead *l = normal.leads;
        assert_int_equal(l[0].samples[k] + l[2].samples[k], l[1].samples[k]);
    }
}

static const uint8_t TWO[] = {1, 2};

static void raw_numbers(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    scp_make_init(&m);
    static const int32_t want[] = {0, 1, -1, 32767, -32768, 300};
    scp_make_header(&m);
    scp_make_leads(&m, TWO, 2, 6, false);
    Buf *b = &m.body[6];
    scp_make_wave(b, 183, 1000, 0, 0);
    le16(b, 12);
    le16(b, 12);
    for (int i = 0; i < 12; i++) {
        le16(b, (unsigned)want[i % 6] & 0xFFFF);
    }
    scp_make_put(&m, &f->out);
    assert_read(f);
    assert_samples(&f->rec.leads[0], want, 6);
    assert_samples(&f->rec.leads[1], want, 6);
    assert_str(f->rec.leads[1].name, "II");
    assert_str(ecg_rational_text(&f->arena, f->rec.leads[0].gain), "0.183");
    assert_str(ecg_rational_text(&f->arena, f->rec.leads[0].rate), "1000");
    assert_str(f->rec.patient.id, "P-01");
    assert_false(f->rec.has_start);
    scp_make_done(&m);
}

/* Machines that count samples from 0. */
static void numbered_from_zero(void **state)
{
    Fixture *f = *state;
    for (unsigned last = 3; last <= 4; last++) {
        ScpMake m;
        scp_make_init(&m);
        scp_make_header(&m);
        buf_bytes(&m.body[3], "\1\4\0\0\0\0", 6);
        le32(&m.body[3], last);
        buf_char(&m.body[3], 1);
        scp_make_wave(&m.body[6], 5000, 2000, 0, 0);
        le16(&m.body[6], 8);
        buf_bytes(&m.body[6], "\1\0\2\0\3\0\4\0", 8);
        buf_clear(&f->out);
        scp_make_put(&m, &f->out);
        assert_read(f);
        static const int32_t want[] = {1, 2, 3, 4};
        assert_samples(&f->rec.leads[0], want, 4);
        scp_make_done(&m);
    }
}

static void default_table(Fixture *f, unsigned order, const int32_t *want, size_t n)
{
    ScpMake m;
    Buf bits, data;
    scp_make_init(&m);
    buf_init(&bits, 0);
    buf_init(&data, 0);
    for (size_t i = 0; i < n; i++) {
        int32_t before = i > 0 ? want[i - 1] : 0, first = i > 1 ? want[i - 2] : 0;
        int32_t v = i < order || order == 0 ? want[i]
                    : order == 1            ? want[i] - before
                                            : want[i] - 2 * before + first;
        huffman_bits(&bits, v);
    }
    bits_put(&data, buf_str(&bits));
    scp_make_header(&m);
    le16(&m.body[2], 19999);
    scp_make_leads(&m, TWO, 1, n, false);
    scp_make_wave(&m.body[6], 5000, 2000, order, 0);
    le16(&m.body[6], (unsigned)data.n);
    buf_add(&m.body[6], buf_str(&data));
    buf_clear(&f->out);
    scp_make_put(&m, &f->out);
    assert_read(f);
    assert_samples(&f->rec.leads[0], want, n);
    buf_done(&data);
    buf_done(&bits);
    scp_make_done(&m);
}

static void default_table_all_codes(void **state)
{
    Fixture *f = *state;
    int32_t want[400];
    for (int i = 0; i < 400; i++) {
        want[i] = i < 40 ? i - 20 : (i * 7919) % 601 - 300;
    }
    for (unsigned order = 0; order <= 2; order++) {
        default_table(f, order, want, 400);
    }
}

static void code_put(Buf *b, const char *prefix, unsigned total, unsigned mode, int value)
{
    uint32_t code = 0;
    size_t n = strlen(prefix);
    for (size_t i = 0; i < n; i++) {
        code |= (uint32_t)(prefix[i] == '1') << i;
    }
    buf_char(b, (char)n);
    buf_char(b, (char)total);
    buf_char(b, (char)mode);
    le16(b, (unsigned)value & 0xFFFF);
    le32(b, code);
}

static void own_tables(ScpMake *m)
{
    Buf *b = &m->body[2];
    le16(b, 2);
    le16(b, 3);
    code_put(b, "0", 1, 1, 7);
    code_put(b, "10", 2, 0, 2); /* go on with table 2 */
    code_put(b, "11", 7, 1, 0); /* five bits follow */
    le16(b, 2);
    code_put(b, "1", 1, 1, -100);
    code_put(b, "0", 1, 0, 1);
}

static void own_tables_and_switches(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    scp_make_init(&m);
    scp_make_header(&m);
    own_tables(&m);
    scp_make_leads(&m, TWO, 2, 5, false);
    scp_make_wave(&m.body[6], 1000, 2000, 0, 0);
    le16(&m.body[6], 2);
    le16(&m.body[6], 2);
    /* 7, 11|10000 = -16, switch, -100, -100, switch, 7; the next lead begins with table 1. */
    bits_put(&m.body[6], STR("0"
                             "1110000"
                             "10"
                             "1"
                             "1"
                             "0"
                             "0"));
    bits_put(&m.body[6], STR("0"
                             "0"
                             "0"
                             "1101111"
                             "0"));
    scp_make_put(&m, &f->out);
    assert_read(f);
    static const int32_t first[] = {7, -16, -100, -100, 7}, second[] = {7, 7, 7, 15, 7};
    assert_samples(&f->rec.leads[0], first, 5);
    assert_samples(&f->rec.leads[1], second, 5);
    scp_make_done(&m);
}

/* Two beats in 40 samples at 500 Hz; ten-sample reference with its peak at the fifth. */
static void compressed_make(ScpMake *m, unsigned ratio, const int32_t *data, size_t n)
{
    static const int32_t reference[] = {0, 0, 10, 50, 100, 50, 10, 0, 0, 0};
    scp_make_header(m);
    scp_make_leads(m, TWO, 1, 40, true);
    Buf *b = &m->body[4];
    le16(b, 20); /* ms: ten samples */
    le16(b, 5);
    le16(b, 2);
    le16(b, 0);
    le32(b, 9);
    le32(b, 11);
    le32(b, 13);
    le16(b, 0);
    le32(b, 27);
    le32(b, 30);
    le32(b, 33);
    le32(b, 9);
    le32(b, 12);
    le32(b, 29);
    le32(b, 32);
    scp_make_wave(&m->body[5], 2000, 2000, 0, 0);
    le16(&m->body[5], 20);
    for (size_t i = 0; i < 10; i++) {
        le16(&m->body[5], (unsigned)reference[i]);
    }
    scp_make_wave(&m->body[6], 1000, 2000 * ratio, 0, ratio > 1);
    le16(&m->body[6], (unsigned)n * 2);
    for (size_t i = 0; i < n; i++) {
        le16(&m->body[6], (unsigned)data[i] & 0xFFFF);
    }
}

/* The reference has 2000 nV, the rhythm 1000: it is added twice as large. */
static void reference_into(int32_t *v)
{
    static const int32_t first[] = {20, 100, 200, 100, 20};        /* samples 9 … 13 */
    static const int32_t second[] = {0, 20, 100, 200, 100, 20, 0}; /* 27 … 33 */
    for (int i = 0; i < 5; i++) {
        v[8 + i] += first[i];
    }
    for (int i = 0; i < 7; i++) {
        v[26 + i] += second[i];
    }
}

static void reference_beats(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    int32_t rest[40], want[40];
    for (int i = 0; i < 40; i++) {
        rest[i] = want[i] = i % 7 - 3;
    }
    scp_make_init(&m);
    compressed_make(&m, 1, rest, 40);
    scp_make_put(&m, &f->out);
    assert_read(f);
    reference_into(want);
    assert_samples(&f->rec.leads[0], want, 40);
    assert_true(f->rec.rebuilt);
    scp_make_done(&m);
}

/*
 * Stored: groups of four 1 … 8 (two of them), 9 … 12 whole, four groups 13 … 28, 29 … 32 whole,
 * two groups 33 … 40. Between group middles lines are drawn; the ends stay level.
 */
static void bimodal(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    static const int32_t stored[] = {8, 16, 1, 2, 3, 4, 0, 0, 0, 40, -1, -2, -3, -4, 80, 80};
    int32_t want[40] = {8,  8,  9,  11, 13, 15, 16, 16, 1,  2,  3,  4,  0,  0,
                        0,  0,  0,  0,  0,  0,  0,  0,  5,  15, 25, 35, 40, 40,
                        -1, -2, -3, -4, 80, 80, 80, 80, 80, 80, 80, 80};
    scp_make_init(&m);
    compressed_make(&m, 4, stored, 16);
    scp_make_put(&m, &f->out);
    assert_read(f);
    reference_into(want);
    assert_samples(&f->rec.leads[0], want, 40);
    assert_str(ecg_rational_text(&f->arena, f->rec.leads[0].rate), "500");
    scp_make_done(&m);
}

static void small_record(ScpMake *m)
{
    Buf *b = &m->body[1];
    buf_bytes(b, "\x04\x03\0\x31\0\x01", 6);       /* age 49 years */
    buf_bytes(b, "\x05\x04\0\xa1\x07\x05\x08", 7); /* born 1953-05-08 */
    buf_bytes(b, "\x08\x01\0\x01", 4);             /* male */
    buf_bytes(b, "\x19\x04\0\xd2\x07\x0b\x16", 7); /* 2002-11-22 */
    buf_bytes(b, "\x1a\x03\0\x09\x0a\x00", 6);     /* 09:10:00 */
    buf_bytes(b, "\x22\x05\0\xe0\x01\0\0\0", 8);   /* +08:00 */
    buf_bytes(b, "\xff\0\0", 3);
    own_tables(m);
    scp_make_leads(m, TWO, 2, 5, false);
    scp_make_wave(&m->body[6], 1000, 2000, 0, 0);
    le16(&m->body[6], 2);
    le16(&m->body[6], 2);
    bits_put(&m->body[6], STR("0"
                              "1110000"
                              "10"
                              "1"
                              "1"
                              "0"
                              "0"));
    bits_put(&m->body[6], STR("0"
                              "0"
                              "0"
                              "1101111"
                              "0"));
}

typedef struct Damage {
    int section; /* -1: offset from the file's start; else from the section's body */
    size_t at;
    uint8_t value;
    const char *says; /* part of the English text */
} Damage;

/* With all CRCs put right again, so that the field itself must be noticed. */
static const Damage damages[] = {
    {-1, 2, 0x00, "section 0, record length"},
    {-1, 10, 0x10, "section 0, section length"},
    {-1, 32, 0x07, "section 0, section number of a pointer"},
    {-1, 34, 0xFF, "section 1, "},
    {-1, 38, 0x00, "section 1, index in section 0's pointer"},
    {-1, 39, 0xFF, "section 1, index in section 0's pointer"},
    {1, 3, 0xFF, "section 1, age (tag 4)"},
    {1, 5, 9, "section 1, age (tag 4)"},
    {1, 11, 13, "section 1, date of birth (tag 5)"},
    {1, 16, 7, "section 1, sex (tag 8)"},
    {1, 23, 32, "section 1, date of acquisition (tag 25)"},
    {1, 27, 24, "section 1, time of acquisition (tag 26)"},
    {1, 28, 60, "section 1, time of acquisition (tag 26)"},
    {1, 34, 0x7E, "section 1, time zone (tag 34)"},
    {1, 7, 0x70, "section 1, tag length"},
    {1, 38, 0x00, "section 1, tag length"},
    {2, 0, 0, "section 2, number of Huffman tables"},
    {2, 1, 1, "section 2, number of Huffman tables"},
    {2, 2, 0xFF, "section 2, number of code structures"},
    {2, 4, 0, "section 2, code structure"},
    {2, 5, 40, "section 2, code structure"},
    {2, 6, 2, "section 2, code structure"},
    {2, 9, 1, "section 2, Huffman code"},
    {3, 0, 0, "section 3, number of leads"},
    {3, 0, 3, "section 3, number of leads"},
    {3, 0, 65, "section 3, number of leads"},
    {3, 2, 9, "section 3, lead 1, start and end sample"},
    {3, 10, 2, "section 3, lead 2, lead number"},
    {3, 6, 60, "section 6, lead 1, "},
    {6, 3, 0xFF, "section 6, sample time interval"},
    {6, 4, 3, "section 6, sample encoding"},
    {6, 5, 2, "section 6, bimodal compression flag"},
    {6, 5, 1, "section 6, compression"},
    {6, 6, 200, "section 6, lead 1, data length in bytes"},
    {6, 6, 1, "section 6, lead 1, samples"},
};

static size_t body_at(const Buf *b, int section)
{
    return section < 0 ? 0 : get32(b->p + 22 + section * 10 + 6) - 1 + 16;
}

static void each_field_is_named(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    scp_make_init(&m);
    small_record(&m);
    scp_make_put(&m, &f->out);
    assert_read(f);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const Damage *d = &damages[i];
        buf_clear(&f->out);
        scp_make_put(&m, &f->out);
        f->out.p[body_at(&f->out, d->section) + d->at] = (char)d->value;
        if (d->section >= 0 || d->at > 5) {
            scp_repair(f->out.p, f->out.n);
        }
        err_clear(&f->err);
        Status st = read_out(f);
        if (st == OK || str_find(f->err.first->en, str_from_c(d->says)) < 0) {
            fail_msg("damage %zu: \"%s\" expected, got \"%.*s\"", i, d->says,
                     STR_ARG(st == OK ? STR("success") : f->err.first->en));
        }
        assert_true(str_starts(f->err.first->en, STR("SCP-ECG section ")));
        assert_true(str_starts(f->err.first->zh, STR("SCP-ECG 第 ")));
    }
    scp_make_done(&m);
}

static void zero_unit_is_refused(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    scp_make_init(&m);
    small_record(&m);
    m.body[6].p[0] = m.body[6].p[1] = 0;
    scp_make_put(&m, &f->out);
    assert_int_equal(read_out(f), ERR_UNPROCESSABLE);
    assert_true(str_find(f->err.first->en, STR("amplitude value multiplier")) >= 0);
    scp_make_done(&m);
}

static void any_changed_byte_is_refused(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    scp_make_init(&m);
    small_record(&m);
    scp_make_put(&m, &f->out);
    for (size_t i = 0; i < f->out.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            f->out.p[i] ^= (char)(1 << bit);
            err_clear(&f->err);
            assert_int_equal(read_out(f), ERR_UNPROCESSABLE);
            assert_true(f->err.count >= 1 && f->err.first->zh.n > 0 && f->err.first->en.n > 0);
            f->out.p[i] ^= (char)(1 << bit);
        }
    }
    err_clear(&f->err);
    f->out.p[f->out.n - 1] ^= 1; /* the last byte is padding: only the CRCs can tell */
    assert_int_equal(read_out(f), ERR_UNPROCESSABLE);
    assert_true(str_find(f->err.first->en, STR("section 6, CRC of the section")) >= 0);
    scp_make_done(&m);
}

static void any_cut_is_refused(void **state)
{
    Fixture *f = *state;
    ScpMake m;
    scp_make_init(&m);
    small_record(&m);
    scp_make_put(&m, &f->out);
    for (size_t whole = f->out.n, n = 0; n < whole; n++) {
        EcgFile file = {STR("x.scp"), {f->out.p, n}};
        assert_int_not_equal(ecg_read(&f->arena, &file, 1, &f->rec, &f->err), OK);
    }
    scp_make_done(&m);
}

/* Repaired CRCs let damage through to the decoder: it may succeed or refuse, never crash. */
static void wild_bytes_never_crash(void **state)
{
    Fixture *f = *state;
    static const int32_t stored[] = {8, 16, 1, 2, 3, 4, 0, 0, 0, 40, -1, -2, -3, -4, 80, 80};
    static const uint8_t wild[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    for (unsigned ratio = 1; ratio <= 4; ratio += 3) {
        ScpMake m;
        scp_make_init(&m);
        compressed_make(&m, ratio, stored, 16);
        buf_clear(&f->out);
        scp_make_put(&m, &f->out);
        for (size_t i = 6; i < f->out.n * 5; i++) {
            Buf copy;
            buf_init(&copy, 0);
            buf_add(&copy, buf_str(&f->out));
            copy.p[i / 5] = (char)wild[i % 5];
            scp_repair(copy.p, copy.n);
            Arena a;
            Err err;
            arena_init(&a, 16u << 20);
            err_init(&err, &a);
            EcgFile file = {STR("x.scp"), buf_str(&copy)};
            if (ecg_read(&a, &file, 1, &f->rec, &err) != OK) {
                assert_true(err.first->en.n > 0);
            }
            arena_done(&a);
            buf_done(&copy);
        }
        scp_make_done(&m);
    }
}

static void writer_refuses(void **state)
{
    Fixture *f = *state;
    EcgRecording rec;
    ecg_synth(&f->arena, 1, ECG_SYNTH_NORMAL, &rec);
    EcgLead leads[2] = {rec.leads[0], rec.leads[1]};
    EcgRecording two = {.n_leads = 2, .leads = leads};
    leads[1].rate.num = 250;
    assert_int_equal(ecg_write_scp(&f->out, &two, &f->err), ERR_UNPROCESSABLE);
    leads[1].rate.num = 500;
    leads[1].name = STR("MLII");
    assert_int_equal(ecg_write_scp(&f->out, &two, &f->err), ERR_UNPROCESSABLE);
    assert_int_equal(f->out.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(synth_is_plausible, setup, teardown),
        cmocka_unit_test_setup_teardown(raw_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(numbered_from_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(default_table_all_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(own_tables_and_switches, setup, teardown),
        cmocka_unit_test_setup_teardown(reference_beats, setup, teardown),
        cmocka_unit_test_setup_teardown(bimodal, setup, teardown),
        cmocka_unit_test_setup_teardown(each_field_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(zero_unit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(any_changed_byte_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(any_cut_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(wild_bytes_never_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(writer_refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
