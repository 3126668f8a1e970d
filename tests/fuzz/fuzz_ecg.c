/*
 * The recording readers: whatever the bytes, an answer or a refusal in words, and what was read
 * can be drawn and written. A text before byte 0x1e is a WFDB header x.hea; the parts behind it are
 * a.dat, s.hea (of a segment) and b.dat. All else is one file (SCP-ECG, aECG, DICOM, ZIP).
 */
#include "ecg.h"
#include "ecg_parameters.h"
#include "ecg_svg.h"
#include "ecg_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void use(Arena *a, const EcgRecording *rec, Err *err)
{
    Buf b;
    EcgSvgOptions o = {.lang = LANG_ZH, .step_mm = 0.5};
    buf_init(&b, 4u << 20);
    ecg_parameters_write(&b, rec, NULL, true);
    for (int layout = 0; layout <= ECG_LAYOUT_12X1; layout++) {
        buf_clear(&b);
        mk_check(ecg_svg(&b, rec, (EcgLayout)layout, &o, err) == OK);
    }
    buf_clear(&b);
    EcgRecording again;
    if (ecg_write_scp(&b, rec, err) == OK) {
        EcgFile file = {.title = STR("again.scp"), .bytes = buf_str(&b)};
        mk_check(b.failed || ecg_read(a, &file, 1, &again, err) == OK);
    }
    buf_done(&b);
}

static size_t files_part(Str all, EcgFile files[4])
{
    static const char *const title[] = {"x.hea", "a.dat", "s.hea", "b.dat"};
    size_t n = 0;
    for (Str rest = all; n < 4 && (n == 0 || rest.n > 0); n++) {
        files[n] = (EcgFile){.title = str_from_c(title[n])};
        str_cut(rest, '\x1e', &files[n].bytes, &rest);
    }
    return n;
}

/* A part of it agrees with the whole. */
static void part_check(Arena *a, const EcgFile *files, size_t n, const EcgRecording *whole,
                       Err *err)
{
    EcgPart part = {.from_ms = 20, .to_ms = 400, .buckets = 7};
    EcgRecording rec;
    mk_check(ecg_read_part(a, files, n, &part, &rec, err) == OK);
    mk_check(rec.n_leads == whole->n_leads);
    for (size_t i = 0; i < rec.n_leads; i++) {
        const EcgLead *l = &rec.leads[i], *w = &whole->leads[i];
        mk_check(l->total == w->n && l->at + l->n <= w->n && l->buckets == 7);
        mk_check(l->n == 0 ||
                 memcmp(l->samples, w->samples + l->at, l->n * sizeof *l->samples) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    EcgRecording rec;
    Str all = {(const char *)data, n};
    EcgFile files[4] = {{.title = STR("x"), .bytes = all}};
    bool whole = (n > 22 && memcmp(data + 16, "SCPECG", 6) == 0) ||
                 (n > 132 && memcmp(data + 128, "DICM", 4) == 0) || str_starts(all, STR("<")) ||
                 str_starts(all, STR("PK"));
    size_t count = whole ? 1 : files_part(all, files);
    arena_init(&a, 32u << 20);
    err_init(&err, &a);
    if (ecg_read(&a, files, count, &rec, &err) == OK) {
        part_check(&a, files, count, &rec, &err);
        use(&a, &rec, &err);
    } else {
        mk_check(err.count >= 1 && err.first->zh.n > 0 && err.first->en.n > 0);
    }
    arena_done(&a);
    return 0;
}
