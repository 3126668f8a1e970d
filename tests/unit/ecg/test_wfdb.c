#include <zlib.h>

#include "ecg_fixture.h"

/* The samples of one file, frame by frame, in a format. */
static void pack_212(Buf *b, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        unsigned x = (unsigned)v[i] & 0xFFF, y = i + 1 < n ? (unsigned)v[i + 1] & 0xFFF : 0;
        buf_char(b, (char)(x & 0xFF));
        buf_char(b, (char)(x >> 8 | (y >> 8) << 4));
        if (i + 1 < n) {
            buf_char(b, (char)(y & 0xFF));
        }
    }
}

static void pack_310(Buf *b, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        unsigned third = i + 2 < n ? (unsigned)v[i + 2] & 0x3FF : 0;
        le16(b, ((unsigned)v[i] & 0x3FF) << 1 | (third & 31) << 11);
        if (i + 1 < n) {
            le16(b, ((unsigned)v[i + 1] & 0x3FF) << 1 | (third >> 5) << 11);
        }
    }
}

static void pack_311(Buf *b, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t word = 0;
        for (size_t k = 0; k < 3 && i + k < n; k++) {
            word |= ((uint32_t)v[i + k] & 0x3FF) << 10 * k;
        }
        for (size_t k = 0; k < (n - i >= 3 ? 4 : n - i + 1); k++) {
            buf_char(b, (char)(word >> 8 * k & 0xFF));
        }
    }
}

static void pack_plain(Buf *b, int format, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned x = (unsigned)v[i];
        switch (format) {
        case 8: /* one signal from 0: differences */
            buf_char(b, (char)(v[i] - (i ? v[i - 1] : 0)));
            break;
        case 80:
            buf_char(b, (char)(x + 128));
            break;
        case 61:
            buf_char(b, (char)(x >> 8 & 0xFF));
            buf_char(b, (char)(x & 0xFF));
            break;
        case 160:
            le16(b, (x + 32768) & 0xFFFF);
            break;
        case 24:
            le16(b, x & 0xFFFF);
            buf_char(b, (char)(x >> 16 & 0xFF));
            break;
        case 32:
            le32(b, x);
            break;
        default:
            le16(b, x & 0xFFFF);
        }
    }
}

static void pack(Buf *b, int format, const int32_t *v, size_t n)
{
    if (format == 212) {
        pack_212(b, v, n);
    } else if (format == 310) {
        pack_310(b, v, n);
    } else if (format == 311) {
        pack_311(b, v, n);
    } else {
        pack_plain(b, format, v, n);
    }
}

static Status read_two(Fixture *f, const char *header, Str dat)
{
    EcgFile files[] = {{STR("a.dat"), dat}, {STR("x.hea"), str_from_c(header)}};
    err_clear(&f->err);
    return ecg_read(&f->arena, files, 2, &f->rec, &f->err);
}

static void assert_two(Fixture *f, const char *header, Str dat)
{
    if (read_two(f, header, dat) != OK) {
        fail_msg("%s: %.*s", header, STR_ARG(f->err.first->en));
    }
}

static unsigned checksum_of(const int32_t *v, size_t n, size_t step)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i += step) {
        sum += (unsigned)v[i];
    }
    return sum & 0xFFFF;
}

static void each_format(void **state)
{
    Fixture *f = *state;
    static const struct {
        int format, low, high;
    } row[] = {{16, -32767, 32767}, {24, -8388607, 8388607}, {32, -2000000000, 2000000000},
               {61, -32767, 32767}, {80, -127, 127},         {160, -32767, 32767},
               {212, -2047, 2047},  {310, -511, 511},        {311, -511, 511}};
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        for (size_t n = 1; n < 3100; n += n < 8 ? 1 : 3083) {
            int32_t v[3100];
            for (size_t i = 0; i < n; i++) {
                int64_t span = (int64_t)row[r].high - row[r].low + 1;
                v[i] = (int32_t)(row[r].low + (int64_t)(i * 2654435761u) % span);
            }
            v[n / 2] = row[r].low;
            v[0] = row[r].high;
            Buf b;
            buf_init(&b, 0);
            pack(&b, row[r].format, v, n);
            Str header = arena_printf(&f->arena, "x 1 250 %zu\na.dat %d 200 16 0 %d %u 0 II\n", n,
                                      row[r].format, v[0], checksum_of(v, n, 1));
            assert_two(f, header.p, buf_str(&b));
            assert_int_equal(f->rec.leads[0].n, n);
            assert_memory_equal(f->rec.leads[0].samples, v, n * sizeof *v);
            buf_done(&b);
        }
    }
}

static void differences(void **state)
{
    Fixture *f = *state;
    static const int32_t v[] = {0, 5, 100, 90, -30, -31};
    Buf b;
    buf_init(&b, 0);
    pack(&b, 8, v, 6);
    assert_two(f, "x 1 250 6\na.dat 8 200 12 0 0 134 0 I", buf_str(&b));
    assert_memory_equal(f->rec.leads[0].samples, v, sizeof v);
    buf_done(&b);
}

static void signals_share_a_file(void **state)
{
    Fixture *f = *state;
    /* Two frames; the second signal has two samples a frame; four bytes stand before them. */
    static const int32_t v[] = {1, 10, 11, -1, 2, 20, 21, -2};
    Buf b;
    buf_init(&b, 0);
    buf_bytes(&b, "HEAD", 4);
    pack(&b, 16, v, 8);
    assert_two(
        f,
        "# first\r\nx 3 500 2 08:30:00 22/11/2026\r\na.dat 16+4 1000(5)/mV 16 3 1 3 0 i\r\n\r\n"
        "a.dat 16x2+4 0.5/uV 16 0 10 62 0 V1\r\na.dat 16+4 10/mmHg 16 0 -1 -3 0 ABP\r\n"
        "# age: 61\r\n# sex: female\r\n",
        buf_str(&b));
    const EcgLead *l = f->rec.leads;
    assert_int_equal(f->rec.n_leads, 3);
    assert_str(l[0].name, "I");
    assert_str(l[0].label, "i");
    assert_int_equal(l[0].zero, 5);
    assert_str(ecg_rational_text(&f->arena, l[0].gain), "1");
    assert_int_equal(l[1].n, 4);
    assert_int_equal(l[1].samples[3], 21);
    assert_str(ecg_rational_text(&f->arena, l[1].gain), "2");
    assert_str(ecg_rational_text(&f->arena, l[1].rate), "1000");
    assert_str(l[2].unit, "mmHg");
    assert_int_equal(l[2].samples[1], -2);
    assert_str(ecg_start_text(&f->arena, &f->rec), "2026-11-22T08:30:00");
    assert_int_equal(f->rec.patient.age, 61);
    assert_int_equal(f->rec.patient.sex, ECG_SEX_FEMALE);
    const char *missing[ECG_STANDARD_LEADS];
    assert_int_equal(ecg_missing(&f->rec, missing), 10);
    assert_string_equal(missing[0], "II");
    buf_done(&b);
}

static void skew_is_taken_back(void **state)
{
    Fixture *f = *state;
    static const int32_t v[] = {1, 9, 2, 10, 3, 20, 4, 30};
    Buf b;
    buf_init(&b, 0);
    pack(&b, 16, v, 8);
    assert_two(f, "x 2 250 4\na.dat 16 200 16 0 1 10 0 I\na.dat 16:2 200 16 0 9 69 0 II\n",
               buf_str(&b));
    assert_int_equal(f->rec.leads[1].samples[0], 20);
    assert_int_equal(f->rec.leads[1].samples[1], 30);
    assert_true(f->rec.leads[1].has_gap);
    assert_int_equal(f->rec.leads[1].samples[2], f->rec.leads[1].gap);
    buf_done(&b);
}

static void length_from_the_file(void **state)
{
    Fixture *f = *state;
    assert_two(f, "x 1 250\na.dat 16 200\n", STR("\1\0\2\0\3\0"));
    assert_int_equal(f->rec.leads[0].n, 3);
    assert_str(f->rec.leads[0].name, "signal 1");
}

/* Header and data are right; each row changes one field and must hear of it. */
static const struct {
    const char *header, *says;
} damages[] = {
    {"x/0 1 250 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 1 (record name)"},
    {"x/2 1 250 3\na.dat 16 200 16 0 1 6 0 I", "line 2, field 1 (segment name)"},
    {"x/1 1 250 3\na 0", "line 2, field 2 (number of samples of the segment)"},
    {"x/1 1 250 3\na 3", "line 2, field 1 (segment name)"},
    {"x/2 1 250 3\n~ 3", "line 1, field 1 (record name)"},
    {"x/1 1 250 3\n~ 3", "line 2, field 1 (segment name)"},
    {"x! 1 250 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 1 (record name)"},
    {"x 0 250 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 2 (number of signals)"},
    {"x 2 250 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 2 (number of signals)"},
    {"x one 250 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 2 (number of signals)"},
    {"x 1 250 3\na.dat 16 200 16 0 1 6 0 I\na.dat 16 200", "line 1, field 2 (number of signals)"},
    {"x 1 0 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 3 (sampling frequency)"},
    {"x 1 fast 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 3 (sampling frequency)"},
    {"x 1 -5 3\na.dat 16 200 16 0 1 6 0 I", "line 1, field 3 (sampling frequency)"},
    {"x 1 250 2\na.dat 16 200 16 0 1 6 0 I", "line 1, field 4 (number of samples per signal)"},
    {"x 1 250 4\na.dat 16 200 16 0 1 6 0 I", "line 1, field 4 (number of samples per signal)"},
    {"x 1 250 q\na.dat 16 200 16 0 1 6 0 I", "line 1, field 4 (number of samples per signal)"},
    {"x 1 250 3 25:00:00\na.dat 16 200 16 0 1 6 0 I", "line 1, field 5 (base time)"},
    {"x 1 250 3 08:00:00 31/2/2020\na.dat 16 200 16 0 1 6 0 I", "line 1, field 6 (base date)"},
    {"x 1 250 3\nb.dat 16 200 16 0 1 6 0 I", "line 2, field 1 (file name)"},
    {"x 1 250 3\na.dat 17 200 16 0 1 6 0 I", "line 2, field 2 (format)"},
    {"x 1 250 3\na.dat 16+9 200 16 0 1 6 0 I", "line 2, field 2 (format)"},
    {"x 1 250 3\na.dat 16x0 200 16 0 1 6 0 I", "line 2, field 2 (format)"},
    {"x 1 250 3\na.dat 16:9 200 16 0 1 6 0 I", "line 2, field 2 (format)"},
    {"x 1 250 3\na.dat 212 200 16 0 1 6 0 I", "format 212"},
    {"x 1 250 3\na.dat 16 0 16 0 1 6 0 I", "line 2, field 3 (ADC gain)"},
    {"x 1 250 3\na.dat 16 -200 16 0 1 6 0 I", "line 2, field 3 (ADC gain)"},
    {"x 1 250 3\na.dat 16 200(z)/mV 16 0 1 6 0 I", "line 2, field 3 (ADC gain)"},
    {"x 1 250 3\na.dat 16", "line 2, field 3 (ADC gain)"},
    {"x 1 250 3\na.dat 16 200 99 0 1 6 0 I", "line 2, field 4 (ADC resolution)"},
    {"x 1 250 3\na.dat 16 200 16 999999 1 6 0 I", "line 2, field 5 (ADC zero)"},
    {"x 1 250 3\na.dat 16 200 16 0 2 6 0 I", "line 2, field 6 (initial value)"},
    {"x 1 250 3\na.dat 16 200 16 0 1 7 0 I", "line 2, field 7 (checksum)"},
    {"x 1 250 3\na.dat 16 200 16 0 1 6 b I", "line 2, field 8 (block size)"},
};

static void each_field_is_named(void **state)
{
    Fixture *f = *state;
    Str dat = STR("\1\0\2\0\3\0");
    assert_two(f, "x 1 250 3\na.dat 16 200 16 0 1 6 0 I", dat);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        Status st = read_two(f, damages[i].header, dat);
        if (st == OK || str_find(f->err.first->en, str_from_c(damages[i].says)) < 0) {
            fail_msg("%s: \"%s\" expected, got \"%.*s\"", damages[i].header, damages[i].says,
                     STR_ARG(st == OK ? STR("success") : f->err.first->en));
        }
        assert_true(str_starts(f->err.first->en, STR("WFDB x.hea line ")));
        assert_true(str_starts(f->err.first->zh, STR("WFDB x.hea 第 ")));
    }
}

static void a_lead_stands_once(void **state)
{
    Fixture *f = *state;
    assert_int_not_equal(read_two(f,
                                  "x 2 250 1\na.dat 16 200 16 0 1 1 0 I\na.dat 16 200 16 0 2 2 0 i",
                                  STR("\1\0\2\0")),
                         OK);
    assert_true(str_find(f->err.first->en, STR("line 3, field 9 (description")) >= 0);
}

typedef struct ZipMember {
    const char *name;
    Str bytes;
    bool deflate;
} ZipMember;

static Str deflated(Arena *a, Str s)
{
    z_stream z = {0};
    size_t room = s.n + 64 + s.n / 100;
    char *out = arena_alloc(a, room);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)s.p;
    z.avail_in = (uInt)s.n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    Str ret = {out, z.total_out};
    deflateEnd(&z);
    return ret;
}

static void zip_fields(Buf *b, const ZipMember *m, Str packed)
{
    le16(b, m->deflate ? 8 : 0);
    le32(b, 0);
    le32(b, (uint32_t)crc32(0, (const Bytef *)m->bytes.p, (uInt)m->bytes.n));
    le32(b, (uint32_t)packed.n);
    le32(b, (uint32_t)m->bytes.n);
    le16(b, (unsigned)strlen(m->name));
    le16(b, 0);
}

static void zip_put(Arena *a, Buf *out, const ZipMember *m, size_t n)
{
    Buf central;
    buf_init(&central, 0);
    for (size_t i = 0; i < n; i++) {
        Str packed = m[i].deflate ? deflated(a, m[i].bytes) : m[i].bytes;
        buf_c(&central, "PK\1\2");
        le32(&central, 20 | 20 << 16);
        le16(&central, 0);
        zip_fields(&central, &m[i], packed);
        le32(&central, 0);
        le32(&central, 0);
        le16(&central, 0);
        le32(&central, (uint32_t)out->n);
        buf_c(&central, m[i].name);
        buf_c(out, "PK\3\4");
        le32(out, 20);
        zip_fields(out, &m[i], packed);
        buf_c(out, m[i].name);
        buf_add(out, packed);
    }
    size_t at = out->n;
    buf_add(out, buf_str(&central));
    buf_c(out, "PK\5\6");
    le32(out, 0);
    le16(out, (unsigned)n);
    le16(out, (unsigned)n);
    le32(out, (uint32_t)central.n);
    le32(out, (uint32_t)at);
    le16(out, 0);
    buf_done(&central);
}

static Status read_zip(Fixture *f, Str bytes)
{
    EcgFile file = {STR("x.zip"), bytes};
    err_clear(&f->err);
    return ecg_read(&f->arena, &file, 1, &f->rec, &f->err);
}

static const ZipMember members[] = {
    {"rec/", {"", 0}, false},
    {"../rec/x.hea", {"x 1 250 3\na.dat 16 200 16 0 1 6 0 I\n", 36}, true},
    {"rec/a.dat", {"\1\0\2\0\3\0", 6}, false},
};

static void zip_is_unpacked(void **state)
{
    Fixture *f = *state;
    Buf b;
    buf_init(&b, 0);
    zip_put(&f->arena, &b, members, 3);
    if (read_zip(f, buf_str(&b)) != OK) {
        fail_msg("%.*s", STR_ARG(f->err.first->en));
    }
    assert_int_equal(f->rec.leads[0].samples[2], 3);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 0x5A;
        (void)read_zip(f, buf_str(&b)); /* whatever it says, it does not crash */
        b.p[i] ^= 0x5A;
        assert_int_not_equal(read_zip(f, str_take(buf_str(&b), i)), OK);
    }
    buf_done(&b);
}

static void zip_bombs_are_refused(void **state)
{
    Fixture *f = *state;
    Buf b;
    buf_init(&b, 0);
    char *zeros = arena_alloc(&f->arena, 4u << 20);
    ZipMember bomb = {"x.dat", {zeros, 4u << 20}, true};
    zip_put(&f->arena, &b, &bomb, 1);
    assert_int_equal(read_zip(f, buf_str(&b)), ERR_TOO_LARGE);
    ZipMember twice[] = {members[2], members[2]};
    buf_clear(&b);
    zip_put(&f->arena, &b, twice, 2);
    assert_int_equal(read_zip(f, buf_str(&b)), ERR_UNPROCESSABLE);
    assert_true(str_find(f->err.first->en, STR("twice")) >= 0);
    buf_done(&b);
}

static void what_is_not_a_recording(void **state)
{
    Fixture *f = *state;
    static const Str other[] = {
        {"", 0},
        {"%PDF-1.7 …", 10},
        {"\x89PNG\r\n\x1a\n", 8},
        {"<?xml version='1.0'?><AnnotatedECG/>", 36},
        {"{\"resourceType\":\"Binary\"}", 25},
        {"\0\0\0\0\0\0\0\0", 8},
        {"SCPECG", 6},
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        EcgFile file = {STR("x"), other[i]};
        err_clear(&f->err);
        assert_int_equal(ecg_read(&f->arena, &file, 1, &f->rec, &f->err), ERR_UNPROCESSABLE);
        assert_true(f->err.first->zh.n > 0);
    }
    EcgFile both[] = {{STR("x.hea"), members[1].bytes}, {STR("y.hea"), members[1].bytes}};
    assert_int_equal(ecg_read(&f->arena, both, 2, &f->rec, &f->err), ERR_UNPROCESSABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_format, setup, teardown),
        cmocka_unit_test_setup_teardown(differences, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_share_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(skew_is_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(length_from_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(each_field_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lead_stands_once, setup, teardown),
        cmocka_unit_test_setup_teardown(zip_is_unpacked, setup, teardown),
        cmocka_unit_test_setup_teardown(zip_bombs_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_a_recording, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
