/* DICOM waveforms: objects made by the test in every syntax, each element damaged, the published
 * object against its samples. */
#include "ecg_fixture.h"
#include "ecg_synth.h"

/* How the object is written, and the one element that is written otherwise. */
typedef struct Make {
    Buf *b;
    bool implicit, big, open; /* open: sequences and items of undefined length */
    uint32_t tag;             /* 0: none */
    const char *value, *vr;   /* NULL value: left out */
    size_t value_n;
    unsigned bits;
    bool second; /* a further group with one lead, 2 ms later */
} Make;

static void put16(Make *m, unsigned v)
{
    buf_char(m->b, (char)(m->big ? v >> 8 : v));
    buf_char(m->b, (char)(m->big ? v : v >> 8));
}

static void put32(Make *m, uint32_t v)
{
    put16(m, m->big ? v >> 16 : v & 0xFFFF);
    put16(m, m->big ? v & 0xFFFF : v >> 16);
}

static void head(Make *m, uint32_t tag, const char *vr, uint32_t n)
{
    put16(m, tag >> 16);
    put16(m, tag & 0xFFFF);
    if (m->implicit || tag >> 16 == 0xFFFE) {
        put32(m, n);
        return;
    }
    buf_bytes(m->b, vr, 2);
    bool wide = strcmp(vr, "OB") == 0 || strcmp(vr, "OW") == 0 || strcmp(vr, "SQ") == 0;
    if (wide) {
        put16(m, 0);
        put32(m, n);
    } else {
        put16(m, n);
    }
}

static void put(Make *m, uint32_t tag, const char *vr, const char *value, size_t n)
{
    if (m->tag == tag && m->value == NULL && m->vr == NULL) {
        return;
    }
    if (m->tag == tag) {
        vr = m->vr ? m->vr : vr;
        n = m->value ? m->value_n : n;
        value = m->value ? m->value : value;
    }
    head(m, tag, vr, (uint32_t)(n + n % 2));
    buf_bytes(m->b, value, n);
    if (n % 2) {
        buf_char(m->b, strcmp(vr, "UI") == 0 ? '\0' : ' ');
    }
}

static void text(Make *m, uint32_t tag, const char *vr, const char *value)
{
    put(m, tag, vr, value, strlen(value));
}

static void number(Make *m, uint32_t tag, uint32_t v, bool is_long)
{
    Buf b, *before = m->b;
    buf_init(&b, 0);
    m->b = &b;
    if (is_long) {
        put32(m, v);
    } else {
        put16(m, v);
    }
    m->b = before;
    put(m, tag, is_long ? "UL" : "US", b.p, b.n);
    buf_done(&b);
}

/* A sequence's items are made into a buffer of their own, so that their length is known. */
typedef struct Nest {
    Buf inner, *outer;
} Nest;

static void begin(Make *m, Nest *n)
{
    buf_init(&n->inner, 0);
    n->outer = m->b;
    m->b = &n->inner;
}

static void item_end(Make *m, Nest *n)
{
    m->b = n->outer;
    head(m, 0xFFFEE000, "", m->open ? UINT32_MAX : (uint32_t)n->inner.n);
    buf_add(m->b, buf_str(&n->inner));
    if (m->open) {
        head(m, 0xFFFEE00D, "", 0);
    }
    buf_done(&n->inner);
}

static void sequence_end(Make *m, Nest *n, uint32_t tag)
{
    m->b = n->outer;
    if (m->tag != tag) {
        head(m, tag, "SQ", m->open ? UINT32_MAX : (uint32_t)n->inner.n);
        buf_add(m->b, buf_str(&n->inner));
        if (m->open) {
            head(m, 0xFFFEE0DD, "", 0);
        }
    }
    buf_done(&n->inner);
}

static void code(Make *m, uint32_t tag, const char *value, const char *scheme, const char *meaning)
{
    Nest sequence, item;
    begin(m, &sequence);
    begin(m, &item);
    text(m, 0x00080100, "SH", value);
    text(m, 0x00080102, "SH", scheme);
    text(m, 0x00080104, "LO", meaning);
    item_end(m, &item);
    sequence_end(m, &sequence, tag);
}

static const char *const mdc[] = {"2:1", "2:2", "2:61", "2:62", "2:63", "2:64",
                                  "2:3", "2:4", "2:5",  "2:6",  "2:7",  "2:8"};

static void channel(Make *m, const char *lead_code, const char *scale, const char *baseline)
{
    Nest item;
    begin(m, &item);
    code(m, 0x003A0208, lead_code, "MDC", "Lead");
    text(m, 0x003A0210, "DS", scale);
    code(m, 0x003A0211, "uV", "UCUM", "microvolt");
    text(m, 0x003A0212, "DS", "2");
    text(m, 0x003A0213, "DS", baseline);
    text(m, 0x003A0215, "DS", "0");
    number(m, 0x003A021A, m->bits, false);
    item_end(m, &item);
}

static void samples(Make *m, const EcgLead *leads, size_t n)
{
    Buf data;
    Make packed = *m;
    buf_init(&data, 0);
    packed.b = &data;
    for (size_t k = 0; k < leads[0].n; k++) {
        for (size_t i = 0; i < n; i++) {
            int32_t v = leads[i].samples[k];
            if (m->bits == 8) {
                buf_char(&data, (char)v);
            } else if (m->bits == 16) {
                put16(&packed, (unsigned)v & 0xFFFF);
            } else {
                put32(&packed, (uint32_t)v);
            }
        }
    }
    put(m, 0x54001010, m->bits == 8 ? "OB" : "OW", data.p, data.n);
    buf_done(&data);
}

static void group(Make *m, const EcgLead *leads, size_t n, const char *origin, const char *offset)
{
    static const char *const interpretation[] = {[8] = "SB", [16] = "SS", [32] = "SL"};
    Nest item, channels;
    begin(m, &item);
    text(m, 0x00181068, "DS", offset);
    text(m, 0x003A0004, "CS", origin);
    number(m, 0x003A0005, (uint32_t)n, false);
    number(m, 0x003A0010, (uint32_t)leads[0].n, true);
    text(m, 0x003A001A, "DS", "500.0");
    text(m, 0x003A0020, "SH", strcmp(origin, "DERIVED") == 0 ? "MEDIAN" : "RHYTHM");
    begin(m, &channels);
    for (size_t i = 0; i < n; i++) {
        channel(m, n == 1 ? "2:9" : mdc[i], "1.25", "0");
    }
    sequence_end(m, &channels, 0x003A0200);
    number(m, 0x54001004, m->bits, false);
    text(m, 0x54001006, "CS", interpretation[m->bits]);
    samples(m, leads, n);
    item_end(m, &item);
}

static void meta(Make *m)
{
    Make little = {.b = m->b, .tag = m->tag, .value = m->value, .value_n = m->value_n};
    for (int i = 0; i < 128; i++) {
        buf_char(m->b, '\0');
    }
    buf_c(m->b, "DICM");
    text(&little, 0x00020010, "UI",
         m->implicit ? "1.2.840.10008.1.2"
         : m->big    ? "1.2.840.10008.1.2.2"
                     : "1.2.840.10008.1.2.1");
}

static void object(Make *m, const EcgRecording *rec)
{
    Nest waves;
    meta(m);
    text(m, 0x00080005, "CS", "GB18030");
    text(m, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.9.1.1");
    text(m, 0x00080023, "DA", "20261122");
    text(m, 0x0008002A, "DT", "20261122080001.50");
    text(m, 0x00080033, "TM", "080001");
    text(m, 0x00080070, "LO", "Maker");
    text(m, 0x00080201, "SH", "+0800");
    text(m, 0x00081090, "LO", "M1");
    text(m, 0x00100010, "PN", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab");
    text(m, 0x00100020, "LO", "P-7");
    text(m, 0x00100030, "DA", "19530508");
    text(m, 0x00100040, "CS", "M");
    text(m, 0x00101010, "AS", "073Y");
    begin(m, &waves);
    group(m, rec->leads, rec->n_leads, "ORIGINAL", "0");
    group(m, rec->leads, rec->n_leads, "DERIVED", "0");
    if (m->second) {
        group(m, rec->leads, 1, "ORIGINAL", "4");
    }
    sequence_end(m, &waves, 0x54000100);
}

static Status read_bytes(Fixture *f, Str bytes)
{
    EcgFile file = {.title = STR("a.dcm"), .bytes = bytes};
    err_clear(&f->err);
    return ecg_read(&f->arena, &file, 1, &f->rec, &f->err);
}

static void known(Fixture *f, size_t n, EcgRecording *ret)
{
    ecg_synth(&f->arena, 3, ECG_SYNTH_AFIB, ret);
    EcgLead *leads = arena_array(&f->arena, EcgLead, ret->n_leads);
    for (size_t i = 0; i < ret->n_leads; i++) {
        leads[i] = ret->leads[i];
        leads[i].n = n;
    }
    ret->leads = leads;
}

static void assert_equal(Fixture *f, const EcgRecording *want)
{
    assert_int_equal(f->rec.n_leads, 12);
    for (size_t i = 0; i < 12; i++) {
        assert_true(str_eq(f->rec.leads[i].name, want->leads[i].name));
        assert_int_equal(f->rec.leads[i].n, want->leads[i].n);
        assert_memory_equal(f->rec.leads[i].samples, want->leads[i].samples,
                            want->leads[i].n * sizeof(int32_t));
        assert_str(ecg_rational_text(&f->arena, f->rec.leads[i].gain), "2.5");
    }
}

static void every_syntax(void **state)
{
    Fixture *f = *state;
    EcgRecording want;
    known(f, 5000, &want);
    for (int i = 0; i < 12; i++) {
        Buf b;
        Make m = {.b = &b,
                  .implicit = i % 3 == 1,
                  .big = i % 3 == 2,
                  .open = i / 3 % 2,
                  .bits = i < 6 ? 16 : 32};
        buf_init(&b, 0);
        object(&m, &want);
        if (read_bytes(f, buf_str(&b)) != OK) {
            fail_msg("%d: %.*s", i, STR_ARG(f->err.first->en));
        }
        assert_equal(f, &want);
        buf_done(&b);
    }
    assert_str(f->rec.patient.family, "王");
    assert_str(f->rec.patient.given, "小东");
    assert_int_equal(f->rec.patient.age, 73);
    assert_int_equal(f->rec.patient.sex, ECG_SEX_MALE);
    assert_str(f->rec.device.model, "M1");
    assert_str(ecg_start_text(&f->arena, &f->rec), "2026-11-22T08:00:01+08:00");
    assert_int_equal(f->rec.n_omitted, 1);
    assert_str(f->rec.omitted[0], "MEDIAN");
}

static void eight_bits_and_a_later_group(void **state)
{
    Fixture *f = *state;
    EcgRecording want;
    Buf b;
    Make m = {.b = &b, .bits = 8, .second = true};
    buf_init(&b, 0);
    known(f, 500, &want);
    object(&m, &want);
    assert_int_equal(read_bytes(f, buf_str(&b)), OK);
    assert_int_equal(f->rec.n_leads, 13);
    for (size_t k = 0; k < 500; k++) {
        assert_int_equal(f->rec.leads[1].samples[k], (int8_t)want.leads[1].samples[k]);
    }
    const EcgLead *v7 = &f->rec.leads[12];
    assert_str(v7->name, "V7");
    assert_int_equal(v7->n, 502);
    assert_int_equal(v7->samples[1], v7->gap);
    assert_int_equal(v7->samples[2], (int8_t)want.leads[0].samples[0]);
    buf_done(&b);
}

/* Values of numbers are little endian. */
static const struct {
    uint32_t tag;
    const char *value;
    size_t n;
    const char *vr, *says;
} damages[] = {
#define TEXT(tag, value, says)                                                                     \
    {                                                                                              \
        tag, value, sizeof value - 1, NULL, says                                                   \
    }
#define GONE(tag, says)                                                                            \
    {                                                                                              \
        tag, NULL, 0, NULL, says                                                                   \
    }
#define OTHER_VR(tag, vr, says)                                                                    \
    {                                                                                              \
        tag, NULL, 0, vr, says                                                                     \
    }
    TEXT(0x00020010, "1.2.840.10008.1.2.1.99", "Transfer Syntax UID (0002,0010)"),
    TEXT(0x00020010, "1.2.840.10008.1.2.4.50", "Transfer Syntax UID (0002,0010)"),
    GONE(0x00020010, "Transfer Syntax UID (0002,0010)"),
    TEXT(0x00080016, "1.2.840.10008.5.1.4.1.1.2", "SOP Class UID (0008,0016)"),
    GONE(0x00080016, "SOP Class UID (0008,0016)"),
    TEXT(0x0008002A, "20261322080001", "Acquisition DateTime (0008,002A)"),
    TEXT(0x00080201, "+9900", "Timezone Offset From UTC (0008,0201)"),
    TEXT(0x00100030, "1953-05-08", "Patient's Birth Date (0010,0030)"),
    TEXT(0x00100040, "X", "Patient's Sex (0010,0040)"),
    TEXT(0x00101010, "73", "Patient's Age (0010,1010)"),
    GONE(0x54000100, "Waveform Sequence (5400,0100)"),
    TEXT(0x00181068, "soon", "Multiplex Group Time Offset (0018,1068)"),
    TEXT(0x003A0004, "COPIED", "Waveform Originality (003A,0004)"),
    GONE(0x003A0004, "Waveform Originality (003A,0004)"),
    TEXT(0x003A0005, "\x0b\0", "Number of Waveform Channels (003A,0005)"),
    TEXT(0x003A0005, "\0\0", "Number of Waveform Channels (003A,0005)"),
    OTHER_VR(0x003A0005, "UL", "Number of Waveform Channels (003A,0005)"),
    TEXT(0x003A0010, "\x0b\0\0\0", "Number of Waveform Samples (003A,0010)"),
    TEXT(0x003A0010, "\x0b\0", "Number of Waveform Samples (003A,0010)"),
    GONE(0x003A0010, "Number of Waveform Samples (003A,0010)"),
    TEXT(0x003A001A, "0", "Sampling Frequency (003A,001A)"),
    TEXT(0x003A001A, "fast", "Sampling Frequency (003A,001A)"),
    GONE(0x003A001A, "Sampling Frequency (003A,001A)"),
    GONE(0x003A0200, "Channel Definition Sequence (003A,0200)"),
    GONE(0x003A0208, "Channel Source Sequence (003A,0208)"),
    TEXT(0x003A0210, "-1", "Channel Sensitivity (003A,0210)"),
    TEXT(0x003A0210, "1,25", "Channel Sensitivity (003A,0210)"),
    GONE(0x003A0210, "Channel Sensitivity (003A,0210)"),
    GONE(0x003A0211, "Channel Sensitivity Units Sequence (003A,0211)"),
    TEXT(0x003A0212, "0", "Channel Sensitivity Correction Factor (003A,0212)"),
    TEXT(0x003A0213, "0.1", "Channel Baseline (003A,0213)"),
    TEXT(0x003A0213, "low", "Channel Baseline (003A,0213)"),
    TEXT(0x003A0215, "-3", "Channel Sample Skew (003A,0215)"),
    TEXT(0x003A021A, "\x11\0", "Waveform Bits Stored (003A,021A)"),
    TEXT(0x54001004, "\x0c\0", "Waveform Bits Allocated (5400,1004)"),
    GONE(0x54001004, "Waveform Bits Allocated (5400,1004)"),
    TEXT(0x54001006, "AB", "Waveform Sample Interpretation (5400,1006)"),
    GONE(0x54001010, "Waveform Data (5400,1010)"),
    TEXT(0x54001010, "\0\0\0\0", "Waveform Data (5400,1010)"),
};

static void each_element_is_named(void **state)
{
    Fixture *f = *state;
    EcgRecording want;
    known(f, 10, &want);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        Buf b;
        Make m = {.b = &b,
                  .bits = 16,
                  .tag = damages[i].tag,
                  .value = damages[i].value,
                  .value_n = damages[i].n,
                  .vr = damages[i].vr};
        buf_init(&b, 0);
        object(&m, &want);
        Status s = read_bytes(f, buf_str(&b));
        Str got = s == OK ? STR("success") : f->err.first->en;
        if (s == OK || str_find(got, str_from_c(damages[i].says)) < 0) {
            fail_msg("%08x: \"%s\" expected, got \"%.*s\"", damages[i].tag, damages[i].says,
                     STR_ARG(got));
        }
        assert_true(str_starts(got, STR("DICOM ")));
        assert_true(str_starts(f->err.first->zh, STR("DICOM ")));
        buf_done(&b);
    }
}

/* Every byte of the header damaged, and the file cut at every length: an answer or words. */
static void damaged_anywhere(void **state)
{
    Fixture *f = *state;
    EcgRecording want;
    Buf b;
    Make m = {.b = &b, .bits = 16, .open = true};
    size_t refused = 0;
    buf_init(&b, 0);
    known(f, 4, &want);
    object(&m, &want);
    for (size_t at = 132; at < b.n; at++) {
        Arena a;
        arena_init(&a, 64u << 20);
        char *copy = arena_cstr(&a, buf_str(&b));
        copy[at] ^= (char)0xFF;
        EcgFile whole = {.bytes = {copy, b.n}}, cut = {.bytes = {b.p, at}};
        EcgRecording rec;
        Err err;
        err_init(&err, &a);
        refused += ecg_read(&a, &whole, 1, &rec, &err) != OK;
        assert_int_not_equal(ecg_read(&a, &cut, 1, &rec, &err), OK);
        arena_done(&a);
    }
    printf("%zu bytes damaged, %zu refused\n", b.n - 132, refused);
    assert_true(refused > b.n / 3);
    buf_done(&b);
}

static void nesting_is_bounded(void **state)
{
    Fixture *f = *state;
    Buf b;
    Make m = {.b = &b};
    buf_init(&b, 0);
    meta(&m);
    for (int i = 0; i < 5000; i++) {
        head(&m, 0x00081140, "SQ", UINT32_MAX);
        head(&m, 0xFFFEE000, "", UINT32_MAX);
    }
    assert_int_not_equal(read_bytes(f, buf_str(&b)), OK);
    assert_true(str_find(f->err.first->en, STR("nested too deep")) >= 0);
    buf_done(&b);
}

static void published(void **state)
{
    Fixture *f = *state;
    Str dcm, csv, line, cell;
    const char *folder = suite_folder(&f->arena, "09-ecg/dicom");
    if (folder == NULL) {
        skip();
    }
    Str path = path_join(&f->arena, str_from_c(folder), STR("anonymous_ecg.dcm"));
    assert_int_equal(file_read(&f->arena, path.p, ECG_BYTES_MAX, &dcm, &f->err), OK);
    path = path_join(&f->arena, str_from_c(folder), STR("anonymous_ecg.rhythm-raw.csv"));
    assert_int_equal(file_read(&f->arena, path.p, ECG_BYTES_MAX, &csv, &f->err), OK);
    assert_int_equal(read_bytes(f, dcm), OK);
    assert_int_equal(f->rec.leads[0].n, 10000);
    str_cut(csv, '\n', &line, &csv);
    size_t equal = 0;
    for (size_t k = 0; k < 10000; k++) {
        str_cut(csv, '\n', &line, &csv);
        for (size_t i = 0; i < 12; i++) {
            int64_t want;
            str_cut(line, ',', &cell, &line);
            assert_true(str_to_i64(str_trim(cell), &want));
            equal += f->rec.leads[i].samples[k] == want;
        }
    }
    printf("anonymous_ecg.dcm: %zu of 120000 samples equal\n", equal);
    assert_int_equal(equal, 120000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_syntax, setup, teardown),
        cmocka_unit_test_setup_teardown(eight_bits_and_a_later_group, setup, teardown),
        cmocka_unit_test_setup_teardown(each_element_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(published, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
