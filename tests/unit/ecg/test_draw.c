#include "ecg_make.h"
#include "ecg_parameters.h"
#include "ecg_svg.h"
#include "ecg_synth.h"

static void rationals(void **state)
{
    (void)state;
    Arena a;
    EcgRational r;
    arena_init(&a, 0);
    static const struct {
        int64_t num, den;
        const char *text;
    } row[] = {{5, 2, "2.5"},
               {2500, 1000, "2.5"},
               {183, 1000, "0.183"},
               {6, 3, "2"},
               {1, 2000, "0.0005"},
               {360, 1, "360"},
               {1000, 3, "333.333333333333"},
               {1000000, 2000, "500"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        assert_true(ecg_rational(row[i].num, row[i].den, &r));
        assert_str(ecg_rational_text(&a, r), row[i].text);
    }
    assert_false(ecg_rational(0, 1, &r));
    assert_false(ecg_rational(1, 0, &r));
    arena_done(&a);
}

static void lead_names(void **state)
{
    (void)state;
    assert_str(ecg_lead_name(STR("avr")), "aVR");
    assert_str(ecg_lead_name(STR("Lead ii")), "II");
    assert_str(ecg_lead_name(STR("v4r")), "V4R");
    assert_str(ecg_lead_name(STR("MLII")), "MLII");
    assert_str(ecg_lead_name(STR("ECG 1")), "ECG 1");
    assert_str(ecg_lead_name(STR("vx")), "vx");
}

static const EcgPaper A4 = {8, 20, 280, 170, 25, 10, 0};

static void twelve_leads_have_their_places(void **state)
{
    (void)state;
    Arena a;
    EcgRecording rec;
    EcgCell cell[ECG_CELLS_MAX];
    size_t rows;
    arena_init(&a, 0);
    ecg_synth(&a, 3, ECG_SYNTH_NORMAL, &rec);
    assert_int_equal(ecg_cells(&rec, ECG_LAYOUT_3X4_RHYTHM, &A4, cell, &rows), 13);
    assert_int_equal(rows, 4);
    assert_str(rec.leads[cell[1].lead].name, "aVR");
    assert_float_equal(cell[1].from_s, 2.5, 1e-9);
    assert_float_equal(cell[1].seconds, 2.5, 1e-9);
    assert_float_equal(cell[1].x_mm, 8 + 10 + 62.5, 1e-9);
    assert_float_equal(cell[12].seconds, 10, 1e-9);
    assert_str(rec.leads[cell[12].lead].name, "II");
    assert_int_equal(ecg_cells(&rec, ECG_LAYOUT_6X2, &A4, cell, &rows), 12);
    assert_int_equal(rows, 6);
    assert_float_equal(cell[1].from_s, 5, 1e-9);
    assert_str(rec.leads[cell[1].lead].name, "V1");
    assert_int_equal(ecg_cells(&rec, ECG_LAYOUT_12X1, &A4, cell, &rows), 12);
    assert_int_equal(rows, 12);
    assert_float_equal(cell[1].middle_mm - cell[0].middle_mm, 170.0 / 12, 1e-9);
    EcgPaper narrow = {0, 0, 180, 130, 25, 10, 0};
    ecg_cells(&rec, ECG_LAYOUT_6X2, &narrow, cell, &rows);
    assert_float_equal(cell[1].from_s, 3.4, 1e-9);
    assert_float_equal(cell[1].x_mm, 10 + 85, 1e-9);
    arena_done(&a);
}

static void missing_and_further_leads(void **state)
{
    (void)state;
    Arena a;
    EcgRecording rec;
    EcgCell cell[ECG_CELLS_MAX];
    size_t rows;
    arena_init(&a, 0);
    ecg_synth(&a, 3, ECG_SYNTH_NORMAL, &rec);
    EcgLead leads[12];
    memcpy(leads, rec.leads, sizeof leads);
    leads[1].name = STR("vx");
    leads[9].name = STR("V4R");
    rec.leads = leads;
    assert_int_equal(ecg_cells(&rec, ECG_LAYOUT_3X4_RHYTHM, &A4, cell, &rows), 15);
    assert_int_equal(rows, 6);
    assert_int_equal(cell[4].lead, -1);
    assert_string_equal(cell[4].missing, "II");
    assert_str(leads[cell[12].lead].name, "I"); /* the rhythm row takes the next best */
    assert_str(leads[cell[13].lead].name, "vx");
    rec.n_leads = 2;
    assert_int_equal(ecg_cells(&rec, ECG_LAYOUT_3X4_RHYTHM, &A4, cell, &rows), 2);
    assert_int_equal(rows, 2);
    arena_done(&a);
}

static void extent_skips_gaps(void **state)
{
    (void)state;
    static const int32_t v[] = {3, -7, -32768, 9, 1};
    EcgLead l = {.gain = {5, 1}, .n = 5, .samples = v, .has_gap = true, .gap = -32768, .zero = 1};
    EcgExtent e = ecg_extent(&l, 0, 9);
    assert_true(e.any && e.low == -7 && e.high == 9 && !e.high_first);
    assert_false(ecg_extent(&l, 2, 3).any);
    assert_float_equal(ecg_sample_mm(&l, 201, 10), 10, 1e-9);
}

static size_t count_of(Str s, const char *what)
{
    size_t n = 0;
    Str w = str_from_c(what);
    for (ptrdiff_t at; (at = str_find(s, w)) >= 0; n++) {
        s = str_skip(s, (size_t)at + w.n);
    }
    return n;
}

static void svg_is_a_page(void **state)
{
    (void)state;
    Arena a;
    Err err;
    Buf b;
    EcgRecording rec;
    arena_init(&a, 0);
    err_init(&err, &a);
    buf_init(&b, 0);
    ecg_synth(&a, 3, ECG_SYNTH_AFIB, &rec);
    Str head[] = {STR("刘<桂>芝 & 女")};
    EcgSvgOptions o = {.lang = LANG_ZH, .not_for_diagnosis = true, .head = head, .n_head = 1};
    assert_int_equal(ecg_svg(&b, &rec, ECG_LAYOUT_3X4_RHYTHM, &o, &err), OK);
    Str s = buf_str(&b);
    assert_true(str_starts(s, STR("<svg ")) && str_ends(s, STR("</svg>")));
    assert_true(str_find(s, STR("width=\"297mm\" height=\"210mm\"")) >= 0);
    assert_true(str_find(s, STR("style=\"width:297mm;height:210mm;max-width:none\"")) >= 0);
    assert_true(str_find(s, STR("刘&lt;桂&gt;芝 &amp; 女")) >= 0);
    assert_true(str_find(s, STR("仅供参考，不作诊断依据")) >= 0);
    assert_true(str_find(s, STR("25 mm/s")) >= 0);
    assert_int_equal(count_of(s, "scale(0.02)"), 13);
    assert_int_equal(count_of(s, "v-10.00h5v10.00"), 4);
    size_t page = b.n;
    buf_clear(&b);
    EcgSvgOptions small = {.width_mm = 100, .height_mm = 60, .step_mm = 0.5, .bare = true};
    assert_int_equal(ecg_svg(&b, &rec, ECG_LAYOUT_3X4_RHYTHM, &small, &err), OK);
    assert_true(b.n < page / 3);
    assert_true(str_find(buf_str(&b), STR("diagnosis")) < 0);
    small.gain_mm_mv = 1000;
    assert_int_equal(ecg_svg(&b, &rec, ECG_LAYOUT_3X4_RHYTHM, &small, &err), ERR_UNPROCESSABLE);
    buf_done(&b);
    arena_done(&a);
}

static void parameters_shape(void **state)
{
    (void)state;
    static const int32_t v[] = {1025, -1, 1024};
    EcgLead l = {.name = STR("II"),
                 .unit = STR("uV"),
                 .gain = {5, 2},
                 .zero = 1024,
                 .rate = {360, 1},
                 .n = 3,
                 .samples = v,
                 .has_gap = true,
                 .gap = -1};
    EcgRecording rec = {.format = ECG_FORMAT_WFDB, .n_leads = 1, .leads = &l, .has_start = true};
    rec.patient = (EcgPatient){.family = STR("刘"),
                               .given = STR("桂芝"),
                               .id = STR("1306"),
                               .sex = ECG_SEX_FEMALE,
                               .age = 61,
                               .age_unit = 'a'};
    assert_true(datetime_parse(STR("2026-11-22T08:30:00+08:00"), &rec.start));
    Buf b;
    buf_init(&b, 0);
    ecg_parameters_write(&b, &rec, NULL, true);
    Str s = buf_str(&b);
    assert_true(str_starts(s, STR("{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":"
                                  "\"format\",\"valueString\":\"WFDB\"},{\"name\":\"start\","
                                  "\"valueDateTime\":\"2026-11-22T08:30:00+08:00\"},{\"name\":"
                                  "\"subject\",\"part\":[{\"name\":\"name\",\"valueString\":"
                                  "\"刘桂芝\"},{\"name\":\"identifier\",\"valueString\":"
                                  "\"1306\"},{\"name\":\"gender\",\"valueCode\":\"female\"},"
                                  "{\"name\":\"age\",\"valueQuantity\":{\"value\":61,\"unit\":"
                                  "\"a\",\"system\":\"http://unitsofmeasure.org\",\"code\":"
                                  "\"a\"}}]},{\"name\":\"notForDiagnosis\","
                                  "\"valueBoolean\":true},{\"name\":"
                                  "\"missing\",\"valueString\":\"I\"}")));
    static const char quantity[] =
        "\"unit\":\"uV\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"uV\"}";
    char want[1024];
    snprintf(want, sizeof want,
             "{\"name\":\"leads\",\"part\":[{\"name\":\"name\",\"valueString\":\"II\"},{\"name\":"
             "\"gain\",\"valueQuantity\":{\"value\":2.5,%s},{\"name\":\"unit\",\"valueString\":"
             "\"uV\"},{\"name\":\"rate\",\"valueDecimal\":360},{\"name\":\"samples\","
             "\"valueSampledData\":{\"origin\":{\"value\":-2560,%s,\"period\":2.77777777777778,"
             "\"factor\":2.5,\"dimensions\":1,\"data\":\"1025 E 1024\"}}]}]}",
             quantity, quantity);
    assert_true(str_ends(s, str_from_c(want)));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rationals),
        cmocka_unit_test(lead_names),
        cmocka_unit_test(twelve_leads_have_their_places),
        cmocka_unit_test(missing_and_further_leads),
        cmocka_unit_test(extent_skips_gaps),
        cmocka_unit_test(svg_is_a_page),
        cmocka_unit_test(parameters_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
