/* The published recordings of suite 09-ecg: sample for sample, and with each header field damaged.
 */
#include "ecg_make.h"

typedef struct Suite {
    Arena arena;
    Err err;
    const char *folder;
} Suite;

static int setup(void **state)
{
    Suite *s = calloc(1, sizeof *s);
    arena_init(&s->arena, 0);
    err_init(&s->err, &s->arena);
    s->folder = suite_folder(&s->arena, "09-ecg");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    Suite *s = *state;
    arena_done(&s->arena);
    free(s);
    return 0;
}

static bool suite_file(Suite *s, const char *name, EcgFile *ret)
{
    Str path = path_join(&s->arena, str_from_c(s->folder), str_from_c(name));
    if (!file_exists(path.p)) {
        printf("SKIPPED %s: not in the suite's folder\n", name);
        return false;
    }
    const char *slash = strrchr(name, '/');
    *ret = (EcgFile){.title = str_from_c(slash ? slash + 1 : name)};
    assert_int_equal(file_read(&s->arena, path.p, ECG_BYTES_MAX, &ret->bytes, &s->err), OK);
    return true;
}

static size_t compare_row(const EcgRecording *rec, size_t row, Str line)
{
    size_t equal = 0;
    for (size_t i = 0; i < rec->n_leads; i++) {
        Str cell;
        int64_t want;
        str_cut(line, ',', &cell, &line);
        assert_true(str_to_i64(str_trim(cell), &want));
        equal += rec->leads[i].samples[row] == want ? 1 : 0;
    }
    return equal;
}

/* How many samples equal the CSV whose first row names the leads. */
static size_t compare(const EcgRecording *rec, Str csv)
{
    Str line, rest, name;
    size_t equal = 0;
    str_cut(csv, '\n', &line, &rest);
    line = str_trim(line);
    for (size_t i = 0; i < rec->n_leads; i++) {
        str_cut(line, ',', &name, &line);
        if (!str_eq(name, rec->leads[i].name)) {
            fail_msg("lead %zu is %.*s", i, STR_ARG(name));
        }
    }
    for (size_t row = 0; row < rec->leads[0].n; row++) {
        str_cut(rest, '\n', &line, &rest);
        equal += compare_row(rec, row, line);
    }
    assert_true(str_empty(str_trim(rest)));
    return equal;
}

static void scp_equals_reference(Suite *s, const char *scp, const char *csv, size_t want)
{
    EcgFile file, reference;
    EcgRecording rec;
    if (!suite_file(s, scp, &file) || !suite_file(s, csv, &reference)) {
        return;
    }
    assert_int_equal(ecg_read(&s->arena, &file, 1, &rec, &s->err), OK);
    size_t equal = compare(&rec, reference.bytes);
    printf("%s: %zu of %zu samples equal\n", scp, equal, want);
    assert_int_equal(equal, want);
}

static void scp_samples(void **state)
{
    Suite *s = *state;
    if (s->folder == NULL) {
        skip();
    }
    scp_equals_reference(s, "scp/Example.scp", "scp/Example.biosig-raw.csv", 60000);
    scp_equals_reference(s, "scp/demo.scp", "scp/demo.biosig-raw.csv", 80000);
}

static size_t record_files(Suite *s, const char *const names[], EcgFile *files)
{
    size_t n = 0;
    while (names[n] != NULL && suite_file(s, names[n], &files[n])) {
        n++;
    }
    return names[n] == NULL ? n : 0;
}

/* One word of one line replaced. */
static Str header_with(Arena *a, Str text, int line, int field, const char *word)
{
    size_t at = 0;
    for (int i = 1; i < line; at++) {
        i += text.p[at] == '\n' ? 1 : 0;
    }
    for (int i = 1; i < field; i++) {
        while (text.p[at++] != ' ') {
        }
    }
    size_t end = at;
    while (end < text.n && text.p[end] != ' ' && text.p[end] != '\n') {
        end++;
    }
    return arena_cat(a, str_take(text, at), str_from_c(word), str_skip(text, end));
}

/* Two samples a frame; the third signal's initial value is that of another recording. */
static void wfdb_wrong_initial_value(void **state)
{
    Suite *s = *state;
    static const char *const name[] = {"wfdb/test01_00s_frame.hea", "wfdb/test01_00s.dat", NULL};
    EcgFile files[4];
    EcgRecording rec;
    if (s->folder == NULL || record_files(s, name, files) == 0) {
        skip();
    }
    assert_int_equal(ecg_read(&s->arena, files, 2, &rec, &s->err), ERR_UNPROCESSABLE);
    assert_true(str_find(s->err.first->en, STR("line 4, field 6 (initial value)")) >= 0);
    files[0].bytes = header_with(&s->arena, files[0].bytes, 4, 6, "-66");
    assert_int_equal(ecg_read(&s->arena, files, 2, &rec, &s->err), OK);
    assert_int_equal(rec.leads[1].n, 8000);
    assert_str(ecg_rational_text(&s->arena, rec.leads[1].rate), "1000");
}

static const char *const PTB[] = {"wfdb/s0010_re.hea", "wfdb/s0010_re.dat", "wfdb/s0010_re.xyz",
                                  NULL};

static void wfdb_records(void **state)
{
    Suite *s = *state;
    if (s->folder == NULL) {
        skip();
    }
    static const struct {
        const char *name[4];
        size_t leads, n;
    } row[] = {{{"wfdb/s0010_re.hea", "wfdb/s0010_re.dat", "wfdb/s0010_re.xyz", NULL}, 15, 38400},
               {{"wfdb/100.hea", "wfdb/100.dat", NULL, NULL}, 2, 650000},
               {{"wfdb/100_3chan.hea", "wfdb/100_3chan.dat", NULL, NULL}, 3, 999},
               {{"wfdb/test01_00s.hea", "wfdb/test01_00s.dat", NULL, NULL}, 4, 4000},
               {{"wfdb/test01_00s_skew.hea", "wfdb/test01_00s.dat", NULL, NULL}, 4, 4000}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        EcgFile files[4];
        EcgRecording rec;
        size_t n = record_files(s, row[i].name, files);
        if (n == 0) {
            continue;
        }
        /* Initial values and checksums of all signals are proved inside. */
        if (ecg_read(&s->arena, files, n, &rec, &s->err) != OK) {
            fail_msg("%.*s", STR_ARG(s->err.first->en));
        }
        assert_int_equal(rec.n_leads, row[i].leads);
        assert_int_equal(rec.leads[0].n, row[i].n);
        printf("%s: %zu leads of %zu samples, checksums right\n", row[i].name[0], rec.n_leads,
               rec.leads[0].n);
    }
}

static void ptb_header_fields(void **state)
{
    Suite *s = *state;
    EcgFile files[4];
    if (s->folder == NULL || record_files(s, PTB, files) == 0) {
        skip();
    }
    static const struct {
        int field;
        const char *word, *says;
    } record[] = {{1, "s0010.re", "record name"},    {2, "14", "number of signals"},
                  {2, "16", "number of signals"},    {3, "0", "sampling frequency"},
                  {4, "38399", "number of samples"}, {4, "38401", "number of samples"}},
      signal[] = {{1, "gone.dat", "file name"}, {2, "17", "format"},
                  {2, "212", "format"},         {3, "0", "ADC gain"},
                  {3, "x", "ADC gain"},         {4, "77", "ADC resolution"},
                  {5, "70000000", "ADC zero"},  {6, "12345", "initial value"},
                  {7, "12345", "checksum"},     {8, "x", "block size"}};
    Str good = files[0].bytes;
    EcgRecording rec;
    for (int line = 1; line <= 16; line++) {
        size_t n = line == 1 ? sizeof record / sizeof *record : sizeof signal / sizeof *signal;
        for (size_t i = 0; i < n; i++) {
            int field = line == 1 ? record[i].field : signal[i].field;
            const char *word = line == 1 ? record[i].word : signal[i].word;
            const char *says = line == 1 ? record[i].says : signal[i].says;
            err_clear(&s->err);
            files[0].bytes = header_with(&s->arena, good, line, field, word);
            Status st = ecg_read(&s->arena, files, 3, &rec, &s->err);
            if (st == OK || str_find(s->err.first->en, str_from_c(says)) < 0) {
                fail_msg("line %d field %d \"%s\": %.*s", line, field, word,
                         STR_ARG(st == OK ? STR("accepted") : s->err.first->en));
            }
        }
    }
}

/* Every byte before the rhythm's data, as it is and with CRCs put right again. */
static void example_header_bytes(void **state)
{
    Suite *s = *state;
    EcgFile file;
    if (s->folder == NULL || !suite_file(s, "scp/Example.scp", &file)) {
        skip();
    }
    size_t header = get32(file.bytes.p + 22 + 6 * 10 + 6) - 1 + 16 + 6 + 24;
    size_t refused = 0, tried = 0;
    for (size_t at = 0; at < header; at += at < 480 || at > header - 64 ? 1 : 37) {
        for (int repair = 0; repair < 2; repair++) {
            Arena a;
            Err err;
            EcgRecording rec;
            arena_init(&a, 64u << 20);
            err_init(&err, &a);
            char *copy = arena_cstr(&a, file.bytes);
            copy[at] ^= (char)0xFF;
            if (repair) {
                scp_repair(copy, file.bytes.n);
            }
            EcgFile damaged = {file.title, {copy, file.bytes.n}};
            Status st = ecg_read(&a, &damaged, 1, &rec, &err);
            if (st != OK) {
                refused++;
                assert_true(str_find(err.first->en, STR("SCP-ECG")) >= 0);
            }
            assert_true(repair || st != OK);
            tried++;
            arena_done(&a);
        }
    }
    printf("Example.scp: %zu damaged headers, %zu refused\n", tried, refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scp_samples, setup, teardown),
        cmocka_unit_test_setup_teardown(wfdb_records, setup, teardown),
        cmocka_unit_test_setup_teardown(wfdb_wrong_initial_value, setup, teardown),
        cmocka_unit_test_setup_teardown(ptb_header_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(example_header_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
