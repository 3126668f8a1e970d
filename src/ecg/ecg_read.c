/* The one decoder entry: what is it, and who reads it. */
#include "ecg_inner.h"

#define HEAD_BYTES 8192 /* enough to know a format by */

static Status bounds_check(const EcgFile *files, size_t n, Err *err)
{
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    bool large = n > ECG_FILES_MAX, empty = true;
    for (size_t i = 0; i < n; i++) {
        large = large || ecg_file_size(&files[i]) > ECG_BYTES_MAX;
        empty = empty && ecg_file_size(&files[i]) == 0;
    }
    if (large) {
        return ecg_refuse(
            err, ERR_TOO_LARGE, &p, "文件过多或过大（上限 64 个、每个 64 MiB）；请分段上传",
            "too many files or too large (at most 64 files of 64 MiB); upload it in parts");
    }
    if (empty) {
        return ecg_refuse(err, ERR_UNPROCESSABLE, &p, "没有内容；请选择心电图机写出的文件",
                          "there is nothing in it; choose the file that the machine wrote");
    }
    return OK;
}

/* What a file looks like; the names of what we do not read are there so that the person knows what
 * they hold. */
typedef enum Kind {
    KIND_UNKNOWN,
    KIND_SCP,
    KIND_AECG,
    KIND_DICOM,
    KIND_WFDB_MASTER,
    KIND_WFDB,
    KIND_PDF,
    KIND_IMAGE,
    KIND_XML
} Kind;

static const char *const kind_name[] = {
    [KIND_UNKNOWN] = "?", [KIND_PDF] = "PDF", [KIND_IMAGE] = "PNG/JPEG", [KIND_XML] = "XML"};

static Kind kind_of(Str head, uint64_t size)
{
    if (ecg_scp_is(head, size)) {
        return KIND_SCP;
    }
    if (ecg_dicom_is(head)) {
        return KIND_DICOM;
    }
    if (ecg_aecg_is(head)) {
        return KIND_AECG;
    }
    if (ecg_wfdb_is(head)) {
        return ecg_wfdb_is_master(head) ? KIND_WFDB_MASTER : KIND_WFDB;
    }
    if (str_starts(head, STR("%PDF"))) {
        return KIND_PDF;
    }
    if (str_starts(head, STR("\x89PNG")) || str_starts(head, STR("\xff\xd8\xff"))) {
        return KIND_IMAGE;
    }
    return str_starts(head, STR("<")) ? KIND_XML : KIND_UNKNOWN;
}

static Status unknown_refuse(size_t n, Kind first, Err *err)
{
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    return ecg_refuse(
        err, ERR_UNPROCESSABLE, &p,
        "收到的 %d 个文件中没有可读的记录（像是：%s）；支持 SCP-ECG、HL7 aECG、DICOM 心电波形、WFDB"
        "（头文件 .hea 与其数据文件一起上传）及其 ZIP",
        "none of the %d files is a recording that is read (looks like: %s); SCP-ECG, HL7 aECG, "
        "DICOM ECG waveforms, WFDB (the .hea header together with its data files) and a ZIP of "
        "them are",
        (int)n, kind_name[first]);
}

static Status several_refuse(Err *err)
{
    EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
    return ecg_refuse(err, ERR_UNPROCESSABLE, &p, "一次只能上传一份记录，收到多份；请分开上传",
                      "holds more than one recording; upload them one by one");
}

/* Which of the files is the recording, or its header. A record of several segments has a header
 * that names the segments' headers, so that those are no recordings by themselves. */
typedef struct Found {
    Kind first, kind;
    size_t at;
    size_t whole, masters, headers; /* how many of each */
} Found;

static Status found_add(const EcgFile *files, size_t i, Found *f, Err *err)
{
    char room[HEAD_BYTES];
    Str head;
    uint64_t size = ecg_file_size(&files[i]);
    size_t some = size < HEAD_BYTES ? (size_t)size : HEAD_BYTES;
    TRY(ecg_file_get(&files[i], 0, some, room, &head, err));
    Kind k = kind_of(head, size);
    f->first = i == 0 ? k : f->first;
    f->whole += k == KIND_SCP || k == KIND_AECG || k == KIND_DICOM ? 1 : 0;
    f->masters += k == KIND_WFDB_MASTER ? 1 : 0;
    f->headers += k == KIND_WFDB ? 1 : 0;
    if (k >= KIND_SCP && k <= KIND_WFDB && !(k == KIND_WFDB && f->masters > 0)) {
        f->kind = k;
        f->at = i;
    }
    return OK;
}

static size_t found_count(const Found *f)
{
    return f->whole + f->masters + (f->masters > 0 ? 0 : f->headers);
}

static Status whole_read(Arena *a, const EcgFile *file, Kind kind, EcgRecording *ret, Err *err)
{
    Str bytes;
    TRY(ecg_file_load(a, file, &bytes, err));
    switch (kind) {
    case KIND_SCP:
        TRY(ecg_scp_read(a, bytes, ret, err));
        break;
    case KIND_AECG:
        TRY(ecg_aecg_read(a, bytes, ret, err));
        break;
    default:
        TRY(ecg_dicom_read(a, bytes, ret, err));
    }
    EcgLead *leads = arena_array(a, EcgLead, ret->n_leads);
    memcpy(leads, ret->leads, ret->n_leads * sizeof *leads);
    for (size_t i = 0; i < ret->n_leads; i++) {
        leads[i].total = leads[i].n;
    }
    ret->leads = leads;
    return OK;
}

static Status files_read(Arena *a, const EcgFile *files, size_t n, const EcgPart *part,
                         EcgRecording *ret, Err *err)
{
    Found f = {0};
    EcgRecording rec;
    for (size_t i = 0; i < n; i++) {
        TRY(found_add(files, i, &f, err));
    }
    if (found_count(&f) == 0) {
        return unknown_refuse(n, f.first, err);
    }
    if (found_count(&f) > 1) {
        return several_refuse(err);
    }
    if (f.kind == KIND_WFDB || f.kind == KIND_WFDB_MASTER) {
        TRY(ecg_wfdb_read(a, files, n, f.at, part, &rec, err));
    } else {
        TRY(whole_read(a, &files[f.at], f.kind, &rec, err));
    }
    TRY(ecg_part_cut(a, part, &rec, err));
    *ret = rec;
    return OK;
}

static Status zip_look(const EcgFile *file, bool *ret, Err *err)
{
    char room[4];
    Str head;
    uint64_t size = ecg_file_size(file);
    TRY(ecg_file_get(file, 0, size < sizeof room ? (size_t)size : sizeof room, room, &head, err));
    *ret = ecg_zip_is(head);
    return OK;
}

Status ecg_read_part(Arena *a, const EcgFile *files, size_t n, const EcgPart *part,
                     EcgRecording *ret, Err *err)
{
    bool zip = false;
    mk_check(part->buckets <= ECG_BUCKETS_MAX && part->from_ms >= 0);
    TRY(bounds_check(files, n, err));
    if (n == 1) {
        TRY(zip_look(&files[0], &zip, err));
    }
    if (!zip) {
        return files_read(a, files, n, part, ret, err);
    }
    EcgFile *inside = arena_array(a, EcgFile, ECG_FILES_MAX);
    size_t n_inside = 0;
    Str bytes;
    TRY(ecg_file_load(a, &files[0], &bytes, err));
    TRY(ecg_zip_read(a, bytes, inside, &n_inside, err));
    return n_inside ? files_read(a, inside, n_inside, part, ret, err)
                    : unknown_refuse(n, KIND_UNKNOWN, err);
}

Status ecg_read(Arena *a, const EcgFile *files, size_t n, EcgRecording *ret, Err *err)
{
    static const EcgPart whole = {.to_ms = ECG_END};
    return ecg_read_part(a, files, n, &whole, ret, err);
}
