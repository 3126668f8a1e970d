/*
 * The recording readers: whatever the bytes, an answer or a refusal in words, and what was read
 * can be drawn and written. Byte 0x1e parts a WFDB header from its signal file `a.dat`; without
 * it the input is one file (SCP-ECG, ZIP).
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
    ecg_parameters_write(&b, rec, NULL);
    for (int layout = 0; layout <= ECG_LAYOUT_12X1; layout++) {
        buf_clear(&b);
        mk_check(ecg_svg(&b, rec, (EcgLayout)layout, &o, err) == OK);
    }
    buf_clear(&b);
    EcgRecording again;
    if (ecg_write_scp(&b, rec, err) == OK) {
        EcgFile file = {STR("again.scp"), buf_str(&b)};
        mk_check(b.failed || ecg_read(a, &file, 1, &again, err) == OK);
    }
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    EcgRecording rec;
    EcgFile files[2] = {{STR("x.hea"), {(const char *)data, n}}, {STR("a.dat"), {NULL, 0}}};
    Str header, signal;
    arena_init(&a, 32u << 20);
    err_init(&err, &a);
    size_t count = 1;
    bool scp = n > 22 && memcmp(data + 16, "SCPECG", 6) == 0;
    if (!scp && str_cut(files[0].bytes, '\x1e', &header, &signal)) {
        files[0].bytes = header;
        files[1].bytes = signal;
        count = 2;
    }
    if (ecg_read(&a, files, count, &rec, &err) == OK) {
        use(&a, &rec, &err);
    } else {
        mk_check(err.count >= 1 && err.first->zh.n > 0 && err.first->en.n > 0);
    }
    arena_done(&a);
    return 0;
}
