/* The one decoder entry: what is it, and who reads it. */
#include "ecg_inner.h"

static Status bounds_check(const EcgFile *files, size_t n, Err *err)
{
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += files[i].bytes.n < ECG_BYTES_MAX ? files[i].bytes.n : ECG_BYTES_MAX + 1;
    }
    if (n > ECG_FILES_MAX || total > ECG_BYTES_MAX) {
        return ecg_refuse(
            err, ERR_TOO_LARGE, &p, "文件过多或过大（上限 64 个、共 64 MiB）；请分段上传",
            "too many files or too large (at most 64 files, 64 MiB); upload it in parts");
    }
    if (total == 0) {
        return ecg_refuse(err, ERR_UNPROCESSABLE, &p, "没有内容；请选择心电图机写出的文件",
                          "there is nothing in it; choose the file that the machine wrote");
    }
    return OK;
}

/* A name for what we recognise but do not read, so that the person knows what they hold. */
static const char *foreign_name(Str b)
{
    if (b.n > 132 && memcmp(b.p + 128, "DICM", 4) == 0) {
        return "DICOM";
    }
    if (str_find(str_take(b, 4096), STR("<AnnotatedECG")) >= 0) {
        return "HL7 aECG";
    }
    if (str_starts(b, STR("%PDF"))) {
        return "PDF";
    }
    if (str_starts(b, STR("\x89PNG")) || str_starts(b, STR("\xff\xd8\xff"))) {
        return "PNG/JPEG";
    }
    return "?";
}

static Status unknown_refuse(const EcgFile *files, size_t n, Err *err)
{
    const char *name = foreign_name(files[0].bytes);
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    return ecg_refuse(
        err, ERR_UNPROCESSABLE, &p,
        "收到的 %d 个文件中没有可读的记录（像是：%s）；支持 SCP-ECG、WFDB（头文件 .hea "
        "与其数据文件一起上传）及其 ZIP",
        "none of the %d files is a recording that is read (looks like: %s); SCP-ECG, WFDB "
        "(the .hea header together with its data files) and a ZIP of them are",
        (int)n, name);
}

static Status several_refuse(Err *err)
{
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    return ecg_refuse(err, ERR_UNPROCESSABLE, &p, "一次只能上传一份记录，收到多份；请分开上传",
                      "holds more than one recording; upload them one by one");
}

static Status files_read(Arena *a, const EcgFile *files, size_t n, EcgRecording *ret, Err *err)
{
    size_t scp = n, header = n, found = 0;
    for (size_t i = 0; i < n; i++) {
        if (ecg_scp_is(files[i].bytes)) {
            scp = i;
            found++;
        } else if (ecg_wfdb_is(files[i].bytes)) {
            header = i;
            found++;
        }
    }
    if (found > 1) {
        return several_refuse(err);
    }
    if (scp < n) {
        return ecg_scp_read(a, files[scp].bytes, ret, err);
    }
    return header < n ? ecg_wfdb_read(a, files, n, header, ret, err)
                      : unknown_refuse(files, n, err);
}

Status ecg_read(Arena *a, const EcgFile *files, size_t n, EcgRecording *ret, Err *err)
{
    TRY(bounds_check(files, n, err));
    if (n > 1 || !ecg_zip_is(files[0].bytes)) {
        return files_read(a, files, n, ret, err);
    }
    EcgFile *inside = arena_array(a, EcgFile, ECG_FILES_MAX);
    size_t n_inside = 0;
    TRY(ecg_zip_read(a, files[0].bytes, inside, &n_inside, err));
    return n_inside ? files_read(a, inside, n_inside, ret, err) : unknown_refuse(files, n, err);
}
