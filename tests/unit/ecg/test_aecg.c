/* HL7 aECG: a known recording written as XML by the test comes back sample for sample; each field
 * damaged is named; what XML can do to a reader is refused. */
#include "ecg_fixture.h"
#include "ecg_synth.h"
#include "ecg_write.h"

static Status read_one(Fixture *f, Str bytes)
{
    EcgFile file = {.title = STR("a.xml"), .bytes = bytes};
    err_clear(&f->err);
    return ecg_read(&f->arena, &file, 1, &f->rec, &f->err);
}

static void assert_read(Fixture *f, Str bytes)
{
    if (read_one(f, bytes) != OK) {
        fail_msg("%.*s", STR_ARG(f->err.first->en));
    }
}

static void assert_says(Fixture *f, Str bytes, const char *says)
{
    Status s = read_one(f, bytes);
    Str got = s == OK ? STR("success") : f->err.first->en;
    if (s == OK || str_find(got, str_from_c(says)) < 0) {
        fail_msg("\"%s\" expected, got \"%.*s\"", says, STR_ARG(got));
    }
    assert_true(f->err.first->zh.n > 0);
}

static const char small[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<AnnotatedECG xmlns=\"urn:hl7-org:v3\" "
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n"
    "<effectiveTime><center value=\"20261122080000\"/></effectiveTime>\n"
    "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>\n"
    "<id root=\"1.2\" extension=\"P-7\"/><subjectDemographicPerson><name>刘桂芝</name>\n"
    "<administrativeGenderCode code=\"F\"/><birthTime value=\"19530508\"/>\n"
    "</subjectDemographicPerson></trialSubject></subject></subjectAssignment></componentOf>\n"
    "</timepointEvent></componentOf>\n"
    "<component><series><code code=\"RHYTHM\"/>\n"
    "<author><seriesAuthor><manufacturedSeriesDevice><manufacturerModelName>M1"
    "</manufacturerModelName></manufacturedSeriesDevice><manufacturerOrganization><name>Maker"
    "</name></manufacturerOrganization></seriesAuthor></author>\n"
    "<component><sequenceSet>\n"
    "<component><sequence><code code=\"TIME_ABSOLUTE\"/><value xsi:type=\"GLIST_TS\">"
    "<head value=\"20261122080001.500+0800\"/><increment value=\"0.002\" unit=\"s\"/>"
    "</value></sequence></component>\n"
    "<component><sequence><code code=\"MDC_ECG_LEAD_II\" codeSystem=\"2.16.840.1.113883.6.24\"/>"
    "<value xsi:type=\"SLIST_PQ\"><origin value=\"-0.25\" unit=\"mV\"/>"
    "<scale value=\"2.5\" unit=\"uV\"/><digits>1 -2\n+3\t2147483647 </digits></value>"
    "</sequence></component>\n"
    "<component><sequence><code code=\"MDC_ECG_LEAD_AVR\"/><value xsi:type=\"SLIST_PQ\">"
    "<origin value=\"0\" unit=\"uV\"/><scale value=\"0.0025\" unit=\"mV\"/>"
    "<digits>5 6 7 8</digits></value></sequence></component>\n"
    "</sequenceSet></component>\n"
    "<derivation><derivedSeries><code code=\"REPRESENTATIVE_BEAT\"/></derivedSeries></derivation>\n"
    "</series></component></AnnotatedECG>\n";

/* The small record with one text in place of another. */
static Str small_with(Fixture *f, const char *from, const char *to)
{
    Str s = str_from_c(small);
    ptrdiff_t at = str_find(s, str_from_c(from));
    assert_true(at >= 0);
    return arena_cat(&f->arena, str_take(s, (size_t)at), str_from_c(to),
                     str_skip(s, (size_t)at + strlen(from)));
}

static void small_record(void **state)
{
    Fixture *f = *state;
    assert_read(f, str_from_c(small));
    const EcgRecording *r = &f->rec;
    assert_int_equal(r->format, ECG_FORMAT_AECG);
    assert_int_equal(r->n_leads, 2);
    assert_str(r->leads[0].name, "II");
    assert_str(r->leads[1].name, "aVR");
    assert_int_equal(r->leads[0].zero, 100);
    assert_int_equal(r->leads[0].n, 4);
    assert_int_equal(r->leads[0].samples[1], -2);
    assert_int_equal(r->leads[0].samples[3], INT32_MAX);
    assert_str(ecg_rational_text(&f->arena, r->leads[1].gain), "2.5");
    assert_str(ecg_rational_text(&f->arena, r->leads[1].rate), "500");
    assert_str(ecg_start_text(&f->arena, r), "2026-11-22T08:00:01+08:00");
    assert_str(r->patient.family, "刘桂芝");
    assert_str(r->patient.id, "P-7");
    assert_int_equal(r->patient.sex, ECG_SEX_FEMALE);
    assert_int_equal(r->patient.birth.year, 1953);
    assert_str(r->device.model, "M1");
    assert_str(r->device.manufacturer, "Maker");
    assert_int_equal(r->n_omitted, 1);
    assert_str(r->omitted[0], "REPRESENTATIVE_BEAT");
}

/* Written from a recording that SCP-ECG carried, 5,000 samples of twelve leads. */
static void put_recording(Buf *b, const EcgRecording *rec)
{
    buf_c(b, "<AnnotatedECG xmlns=\"urn:hl7-org:v3\" xmlns:xsi=\"http://www.w3.org/2001/"
             "XMLSchema-instance\"><component><series><code code=\"RHYTHM\"/><component>"
             "<sequenceSet>");
    for (size_t i = 0; i < rec->n_leads; i++) {
        const EcgLead *l = &rec->leads[i];
        buf_c(b, "<component><sequence><code code=\"MDC_ECG_LEAD_");
        for (size_t k = 0; k < l->name.n; k++) {
            char c = l->name.p[k];
            buf_char(b, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
        }
        buf_printf(b,
                   "\"/><value xsi:type=\"SLIST_PQ\"><origin value=\"0\" unit=\"uV\"/><scale "
                   "value=\"%g\" unit=\"uV\"/><digits>",
                   ecg_rational_value(l->gain));
        for (size_t k = 0; k < l->n; k++) {
            buf_printf(b, "%d ", l->samples[k]);
        }
        buf_c(b, "</digits></value></sequence></component>");
    }
    buf_c(b, "<component><sequence><code code=\"TIME_RELATIVE\"/><value xsi:type=\"GLIST_PQ\">"
             "<head value=\"0\" unit=\"s\"/><increment value=\"2\" unit=\"ms\"/></value>"
             "</sequence></component></sequenceSet></component></series></component>"
             "</AnnotatedECG>");
}

static void equals_scp(void **state)
{
    Fixture *f = *state;
    EcgRecording made, known;
    Buf scp, xml;
    buf_init(&scp, 0);
    buf_init(&xml, 0);
    ecg_synth(&f->arena, 7, ECG_SYNTH_EXTRASYSTOLES, &made);
    assert_int_equal(ecg_write_scp(&scp, &made, &f->err), OK);
    EcgFile file = {.title = STR("a.scp"), .bytes = buf_str(&scp)};
    assert_int_equal(ecg_read(&f->arena, &file, 1, &known, &f->err), OK);
    put_recording(&xml, &known);
    assert_read(f, buf_str(&xml));
    assert_int_equal(f->rec.n_leads, 12);
    for (size_t i = 0; i < 12; i++) {
        assert_true(str_eq(f->rec.leads[i].name, known.leads[i].name));
        assert_int_equal(f->rec.leads[i].n, known.leads[i].n);
        assert_memory_equal(f->rec.leads[i].samples, known.leads[i].samples,
                            known.leads[i].n * sizeof(int32_t));
    }
    buf_done(&scp);
    buf_done(&xml);
}

static const struct {
    const char *from, *to, *says;
} damages[] = {
    {"urn:hl7-org:v3", "urn:hl7-org:v4", "namespace of the root element"},
    {"center value=\"2026", "center value=\"x026", "effectiveTime"},
    {"code=\"F\"", "code=\"Q\"", "administrativeGenderCode"},
    {"19530508", "19531308", "birthTime"},
    {"\"RHYTHM\"", "\"RHYTHN\"", "series/code"},
    {"TIME_ABSOLUTE", "TIME_ABSOLUTF", "sequence/code"},
    {"GLIST_TS", "GLIST_PQ", "xsi:type"},
    {"head value=\"2026", "head value=\"20x6", "head"},
    {"<head value=\"20261122080001.500+0800\"/>", "", "head"},
    {"increment value=\"0.002\"", "increment value=\"0\"", "increment"},
    {"increment value=\"0.002\"", "increment value=\"fast\"", "increment"},
    {"unit=\"s\"", "unit=\"h\"", "increment/@unit"},
    {"<increment value=\"0.002\" unit=\"s\"/>", "", "increment"},
    {"MDC_ECG_LEAD_II", "MDC_ECG_LEAF_II", "sequence/code"},
    {"MDC_ECG_LEAD_II", "MDC_ECG_LEAD_AVR", "sequence/code"},
    {"2.16.840.1.113883.6.24", "2.16.840.1.113883.6.1", "codeSystem"},
    {"SLIST_PQ", "SLIST_TS", "xsi:type"},
    {"origin value=\"-0.25\"", "origin value=\"-0.2501\"", "origin"},
    {"origin value=\"-0.25\"", "origin value=\"\"", "origin"},
    {"unit=\"mV\"", "unit=\"m\"", "origin/@unit"},
    {"scale value=\"2.5\"", "scale value=\"-2.5\"", "scale"},
    {"scale value=\"2.5\"", "scale value=\"2,5\"", "scale"},
    {"2.5\" unit=\"uV\"", "2.5\" unit=\"\"", "scale/@unit"},
    {"<scale value=\"2.5\" unit=\"uV\"/>", "", "scale"},
    {"-2\n+3", "-2\n+3a", "digits"},
    {"-2\n+3", "-2\n+", "digits"},
    {"-2\n+3", "-2", "digits"},
    {"2147483647", "2147483648", "digits"},
    {"<digits>5 6 7 8</digits>", "", "digits"},
    {"</AnnotatedECG>", "", "well-formed"},
    {"</digits>", "</digit>", "well-formed"},
    {"<code code=\"RHYTHM\"/>", "<code code=\"RHYTHM\"/>&nbsp;", "well-formed"},
};

static void each_field_is_named(void **state)
{
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        assert_says(f, small_with(f, damages[i].from, damages[i].to), damages[i].says);
        assert_true(str_starts(f->err.first->en, STR("HL7 aECG line ")));
        assert_true(str_starts(f->err.first->zh, STR("HL7 aECG 第 ")));
    }
    assert_says(f, small_with(f, "SLIST_PQ", "SLIST"), "line 13, sequence 2 MDC_ECG_LEAD_II");
}

static void no_entities(void **state)
{
    Fixture *f = *state;
    assert_says(f,
                small_with(f, "<AnnotatedECG xmlns",
                           "<!DOCTYPE AnnotatedECG [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">"
                           "<!ENTITY c SYSTEM \"file:///etc/passwd\">]><AnnotatedECG xmlns"),
                "DOCTYPE");
    assert_says(f,
                small_with(f, "<AnnotatedECG xmlns",
                           "<!DOCTYPE AnnotatedECG SYSTEM \"http://127.0.0.1:9/x.dtd\">"
                           "<AnnotatedECG xmlns"),
                "DOCTYPE");
}

static void bounded(void **state)
{
    Fixture *f = *state;
    Buf deep, wide;
    buf_init(&deep, 0);
    buf_init(&wide, 0);
    for (int i = 0; i < 200; i++) {
        buf_c(&deep, "<x>");
    }
    assert_says(f, small_with(f, "<effectiveTime>", arena_cstr(&f->arena, buf_str(&deep))),
                "nested too deep");
    for (int i = 0; i < 60000; i++) {
        buf_printf(&wide, " a%d=\"%d\"", i, i);
    }
    assert_says(
        f,
        small_with(f, "<effectiveTime",
                   arena_printf(&f->arena, "<y%.*s/><effectiveTime", STR_ARG(buf_str(&wide))).p),
        "256 KiB");
    buf_done(&deep);
    buf_done(&wide);
}

/* Three leads at a time, 4 samples each, one set 4 ms after the other. */
static void sets_after_each_other(void **state)
{
    Fixture *f = *state;
    Str s = small_with(
        f, "</sequenceSet></component>",
        "</sequenceSet></component><component><sequenceSet>"
        "<component><sequence><code code=\"TIME_ABSOLUTE\"/><value xsi:type=\"GLIST_TS\">"
        "<head value=\"20261122080001.504+0800\"/><increment value=\"2\" unit=\"ms\"/></value>"
        "</sequence></component><component><sequence><code code=\"MDC_ECG_LEAD_V1\"/>"
        "<value xsi:type=\"SLIST_PQ\"><origin value=\"0\" unit=\"uV\"/>"
        "<scale value=\"5\" unit=\"uV\"/><digits>9 8</digits></value></sequence></component>"
        "</sequenceSet></component>");
    assert_read(f, s);
    const EcgLead *v1 = &f->rec.leads[2];
    assert_str(v1->name, "V1");
    assert_int_equal(v1->n, 4);
    assert_true(v1->has_gap);
    assert_int_equal(v1->samples[0], v1->gap);
    assert_int_equal(v1->samples[1], v1->gap);
    assert_int_equal(v1->samples[2], 9);
}

static size_t digits_of(Str *rest, int32_t *ret, size_t room)
{
    ptrdiff_t from = str_find(*rest, STR("<digits>")), to = str_find(*rest, STR("</digits>"));
    Str text = str_take(str_skip(*rest, (size_t)from + 8), (size_t)(to - from) - 8);
    size_t n = 0;
    *rest = str_skip(*rest, (size_t)to + 9);
    for (char *p = (char *)text.p, *end; p < text.p + text.n && n < room; p = end) {
        ret[n] = (int32_t)strtol(p, &end, 10);
        if (end == p) {
            break;
        }
        n++;
    }
    return n;
}

/* The published files against a reader of <digits> that knows nothing else. */
static void published(void **state)
{
    Fixture *f = *state;
    static const char *const name[] = {"subject1_0.xml", "subject1_1.xml", "subject1_2.xml",
                                       "hl7aecg_example.xml"};
    const char *folder = suite_folder(&f->arena, "09-ecg/aecg");
    if (folder == NULL) {
        skip();
    }
    for (size_t i = 0; i < 4; i++) {
        Str path = path_join(&f->arena, str_from_c(folder), str_from_c(name[i])), bytes;
        assert_int_equal(file_read(&f->arena, path.p, ECG_BYTES_MAX, &bytes, &f->err), OK);
        assert_read(f, bytes);
        assert_int_equal(f->rec.n_leads, 12);
        size_t equal = 0;
        for (size_t k = 0; k < 12; k++) {
            const EcgLead *l = &f->rec.leads[k];
            int32_t *want = arena_array(&f->arena, int32_t, 8192);
            assert_int_equal(digits_of(&bytes, want, 8192), l->n);
            assert_memory_equal(l->samples, want, l->n * sizeof *want);
            equal += l->n;
        }
        printf("%s: %zu of %zu samples equal\n", name[i], equal, equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_record, setup, teardown),
        cmocka_unit_test_setup_teardown(equals_scp, setup, teardown),
        cmocka_unit_test_setup_teardown(each_field_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(no_entities, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_after_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(published, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
