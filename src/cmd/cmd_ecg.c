/*
 * menkou ecg: one recording, read by the decoder that the server uses, as words, CSV, Parameters
 * or a page. A damaged recording is exit status 1, a file that cannot be opened 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_args.h"
#include "ecg.h"
#include "ecg_parameters.h"
#include "ecg_svg.h"
#include "mk.h"

#define MEMORY_MAX (768u * 1024u * 1024u)
#define PAGE_MS    60000 /* no page is longer */

static const char usage[] =
    "menkou ecg FILE... [--csv | --json | --svg LAYOUT] [--start S] [--duration S] [--leads A,B]\n"
    "\n"
    "Reads one ECG recording: an SCP-ECG, HL7 aECG or DICOM waveform file, a WFDB header with its\n"
    "signal files (and segments), or a ZIP. A recording of days is read window by window.\n"
    "\n"
    "  (nothing)     patient, device, time and leads in words\n"
    "  --csv         first row: the leads in file order, each with its factor (value of one step;\n"
    "                \"zero\" is the sample that means 0); then a row of integers a sample\n"
    "  --json        the FHIR Parameters that the server's $ecg answers\n"
    "  --svg LAYOUT  a page on ECG paper, LAYOUT is 3x4, 6x2 or 12x1\n"
    "  --start S     from this second of the recording on\n"
    "  --duration S  so many seconds of it\n"
    "  --leads A,B   only these leads\n"
    "  --help        this text\n"
    "\n"
    "Exit status: 0 done; 1 the recording is damaged or not one; 2 wrong use.\n";

typedef struct Wish {
    bool csv, json;
    const char *svg; /* layout, or NULL */
    EcgLayout layout;
    const char *start, *duration, *leads;
    EcgPart part; /* all of it where neither start nor duration is given */
    Str lead[ECG_LEADS_MAX];
    size_t n_files;
    const char *file[ECG_FILES_MAX];
} Wish;

/* Seconds with a fraction, as milliseconds. */
static bool ms_parse(const char *text, int64_t *ret)
{
    char *end;
    double s = strtod(text, &end);
    bool good = end != text && *end == '\0' && s >= 0 && s <= (double)INT32_MAX;
    *ret = good ? (int64_t)(s * 1000 + 0.5) : *ret;
    return good;
}

static int part_parse(Wish *w)
{
    int64_t length = 0;
    w->part.to_ms = ECG_END;
    if (w->start != NULL && !ms_parse(w->start, &w->part.from_ms)) {
        return cmd_wrong_use("ecg", "--start needs seconds, 0 or more");
    }
    if (w->duration != NULL && (!ms_parse(w->duration, &length) || length == 0)) {
        return cmd_wrong_use("ecg", "--duration needs seconds, above 0");
    }
    if (length > 0) {
        w->part.to_ms = w->part.from_ms + length;
    }
    Str rest = str_from_c(w->leads);
    while (rest.n > 0) {
        if (w->part.n_leads == ECG_LEADS_MAX) {
            return cmd_wrong_use("ecg", "--leads takes at most %u names", ECG_LEADS_MAX);
        }
        str_cut(rest, ',', &w->lead[w->part.n_leads++], &rest);
    }
    w->part.lead = w->lead;
    return -1;
}

/* -1: go on; else the exit status. */
static int wish_parse(int argc, char **argv, Wish *w)
{
    const CmdOption option[] = {{"--csv", NULL, &w->csv},           {"--json", NULL, &w->json},
                                {"--svg", &w->svg, NULL},           {"--start", &w->start, NULL},
                                {"--duration", &w->duration, NULL}, {"--leads", &w->leads, NULL}};
    CmdArgs args = {.command = "ecg",
                    .usage = usage,
                    .option = option,
                    .option_n = sizeof option / sizeof *option,
                    .word = w->file,
                    .word_max = ECG_FILES_MAX};
    int rc = cmd_args_parse(&args, argc, argv);
    w->n_files = args.word_n;
    if (rc >= 0) {
        return rc;
    }
    if (w->n_files == 0) {
        return cmd_wrong_use("ecg", "no file given");
    }
    if (w->csv + w->json + (w->svg != NULL) > 1) {
        return cmd_wrong_use("ecg", "one of --csv, --json, --svg at a time");
    }
    if (w->svg != NULL && !ecg_layout_from(str_from_c(w->svg), &w->layout)) {
        return cmd_wrong_use("ecg", "--svg needs a layout: 3x4, 6x2 or 12x1");
    }
    return part_parse(w);
}

/* The file in front; of several, a WFDB header's text names its own. */
static void issues_print(const Wish *w, const Err *err)
{
    Lang lang = cmd_lang();
    for (const Issue *i = err->first; i != NULL; i = i->next) {
        Str text = lang == LANG_ZH ? i->zh : i->en;
        bool one = w->n_files == 1;
        fprintf(stderr, "menkou ecg: %s%s%.*s\n", one ? w->file[0] : "", one ? ": " : "",
                STR_ARG(text));
    }
}

static Str base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return str_from_c(slash ? slash + 1 : path);
}

/* ---- files, read where they are needed ---- */

static Status file_part(void *from, uint64_t at, size_t n, char *to, Err *err)
{
    int fd = *(int *)from;
    for (size_t done = 0; done < n;) {
        ssize_t some = pread(fd, to + done, n - done, (off_t)(at + done));
        if (some <= 0) {
            return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "无法读取文件：%s",
                           "The file cannot be read: %s", some < 0 ? strerror(errno) : "EOF");
        }
        done += (size_t)some;
    }
    return OK;
}

static void file_close(void *fd)
{
    close(*(int *)fd);
}

static Status file_open(Arena *a, const char *path, EcgFile *ret, Err *err)
{
    struct stat st;
    int *fd = arena_new(a, int);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        int reason = *fd < 0 ? errno : EINVAL;
        if (*fd >= 0) {
            close(*fd);
        }
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "无法打开 %s：%s",
                       "%s cannot be opened: %s", path, strerror(reason));
    }
    arena_defer(a, file_close, fd);
    *ret = (EcgFile){
        .title = base_name(path), .size = (uint64_t)st.st_size, .read = file_part, .from = fd};
    return OK;
}

static Status files_open(Arena *a, const Wish *w, EcgFile *files, Err *err)
{
    for (size_t i = 0; i < w->n_files; i++) {
        TRY(file_open(a, w->file[i], &files[i], err));
    }
    return OK;
}

/* ---- what is printed ---- */

static void lead_head_csv(Buf *b, Arena *a, const EcgLead *l)
{
    Str factor = ecg_rational_text(a, l->gain);
    Str name = l->name;
    for (size_t i = 0; i < name.n; i++) {
        buf_char(b, name.p[i] == ',' || name.p[i] == '"' ? ' ' : name.p[i]);
    }
    buf_printf(b, " (%.*s %.*s", STR_ARG(factor), STR_ARG(l->unit));
    if (l->zero != 0) {
        buf_printf(b, "; zero %d", l->zero);
    }
    buf_char(b, ')');
}

static bool buf_flush(Buf *b)
{
    bool good = fwrite(b->p, 1, b->n, stdout) == b->n;
    buf_clear(b);
    return good;
}

static void csv_head(Arena *a, const EcgRecording *rec, Buf *b)
{
    for (size_t i = 0; i < rec->n_leads; i++) {
        buf_c(b, i ? "," : "");
        lead_head_csv(b, a, &rec->leads[i]);
    }
    buf_char(b, '\n');
}

/* Leads of a faster rate have more rows; the others' cells are then empty. */
static bool csv_rows(const EcgRecording *rec, Buf *b)
{
    size_t rows = 0;
    bool good = true;
    for (size_t i = 0; i < rec->n_leads; i++) {
        rows = rec->leads[i].n > rows ? rec->leads[i].n : rows;
    }
    for (size_t k = 0; k < rows && good; k++) {
        for (size_t i = 0; i < rec->n_leads; i++) {
            buf_c(b, i ? "," : "");
            if (k < rec->leads[i].n) {
                buf_i64(b, rec->leads[i].samples[k]);
            }
        }
        buf_char(b, '\n');
        good = b->n < 65536 || buf_flush(b);
    }
    return good && buf_flush(b);
}

/* Milliseconds that are read at once: of leads of one rate, rows follow each other from window to
 * window; others need one piece. */
static int64_t csv_step(const EcgRecording *rec)
{
    double per_second = 0;
    for (size_t i = 0; i < rec->n_leads; i++) {
        const EcgRational *r = &rec->leads[i].rate, *first = &rec->leads[0].rate;
        if (r->num != first->num || r->den != first->den) {
            return ECG_END;
        }
        per_second += ecg_rational_value(*r);
    }
    return (int64_t)(ECG_PROVED_SAMPLES / per_second) * 1000 + 1000;
}

/* The whole is proved before its first row is written. */
static Status csv_print(Arena *a, const EcgFile *files, const Wish *w, Buf *b, bool *ret, Err *err)
{
    EcgPart proof = {.buckets = 1, .n_leads = w->part.n_leads, .lead = w->part.lead};
    EcgRecording rec;
    TRY(ecg_read_part(a, files, w->n_files, &proof, &rec, err));
    int64_t end = ecg_duration_ms(&rec) + 1000, step = csv_step(&rec);
    end = w->part.to_ms < end ? w->part.to_ms : end;
    csv_head(a, &rec, b);
    *ret = true;
    for (int64_t at = w->part.from_ms; at < end && *ret; at = step < end - at ? at + step : end) {
        EcgPart window = proof;
        Arena scratch;
        window.buckets = 0;
        window.from_ms = at;
        window.to_ms = step < end - at ? at + step : end;
        arena_init(&scratch, MEMORY_MAX);
        Status s = ecg_read_part(&scratch, files, w->n_files, &window, &rec, err);
        *ret = s == OK && csv_rows(&rec, b);
        arena_done(&scratch);
        TRY(s);
    }
    return OK;
}

static const char *sex_text(EcgSex sex)
{
    return sex == ECG_SEX_MALE ? "male" : sex == ECG_SEX_FEMALE ? "female" : "unknown";
}

static void person_words(Buf *b, const EcgPatient *p)
{
    buf_printf(b, "patient   %.*s%s%.*s  id %.*s  sex %s", STR_ARG(p->family),
               str_empty(p->given) ? "" : " ", STR_ARG(p->given),
               STR_ARG(str_empty(p->id) ? STR("-") : p->id), sex_text(p->sex));
    if (p->age > 0) {
        buf_printf(b, "  age %d %c", p->age, p->age_unit);
    }
    if (p->has_birth) {
        buf_printf(b, "  born %04d-%02d-%02d", p->birth.year, p->birth.month, p->birth.day);
    }
    buf_char(b, '\n');
}

static void lead_words(Buf *b, Arena *a, const EcgLead *l)
{
    EcgExtent e = l->envelope[0];
    Str rate = ecg_rational_text(a, l->rate), factor = ecg_rational_text(a, l->gain);
    buf_printf(b, "%-9.*s %9zu samples  %.*s Hz  factor %.*s %.*s", STR_ARG(l->name), l->total,
               STR_ARG(rate), STR_ARG(factor), STR_ARG(l->unit));
    if (l->zero != 0) {
        buf_printf(b, "  zero %d", l->zero);
    }
    if (e.any) {
        buf_printf(b, "  from %d to %d", e.low, e.high);
    }
    buf_char(b, '\n');
}

static bool words_print(Arena *a, const EcgRecording *rec, Buf *b)
{
    Str start = ecg_start_text(a, rec);
    const char *missing[ECG_STANDARD_LEADS];
    size_t n = ecg_missing(rec, missing);
    buf_printf(b, "format    %s\nstart     %.*s\nduration  %.3f s\n", ecg_format_name(rec->format),
               STR_ARG(str_empty(start) ? STR("not in the file") : start),
               (double)ecg_duration_ms(rec) / 1000);
    person_words(b, &rec->patient);
    buf_printf(b, "device    %.*s %.*s %.*s\n", STR_ARG(rec->device.manufacturer),
               STR_ARG(rec->device.model), STR_ARG(rec->device.serial));
    if (rec->rebuilt) {
        buf_c(b, "note      the file's lossy compression was undone\n");
    }
    for (size_t i = 0; i < rec->n_leads; i++) {
        lead_words(b, a, &rec->leads[i]);
    }
    buf_c(b, n ? "missing  " : "missing   none");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, " %s", missing[i]);
    }
    buf_char(b, '\n');
    for (size_t i = 0; i < rec->n_omitted; i++) {
        buf_printf(b, "omitted   %.*s\n", STR_ARG(rec->omitted[i]));
    }
    return buf_flush(b);
}

static Status svg_print(const Wish *w, const EcgRecording *rec, Buf *b, bool *ret, Err *err)
{
    EcgSvgOptions o = {.lang = cmd_lang(), .not_for_diagnosis = true, .from_ms = w->part.from_ms};
    TRY(ecg_svg(b, rec, w->layout, &o, err));
    *ret = buf_flush(b);
    return OK;
}

static bool json_print(const Wish *w, const EcgRecording *rec, Buf *b)
{
    bool window = w->start != NULL || w->duration != NULL;
    ecg_parameters_write(b, rec, window ? &w->part : NULL, true);
    buf_char(b, '\n');
    return buf_flush(b);
}

/* What is read of the recording: for words no samples, for a page no more than it can hold. */
static EcgPart part_for(const Wish *w)
{
    EcgPart part = w->part;
    if (w->svg != NULL && w->duration == NULL) {
        part.to_ms = part.from_ms + PAGE_MS;
    }
    if (!w->json && w->svg == NULL) {
        part.to_ms = part.from_ms = 0;
        part.buckets = 1;
    }
    return part;
}

static Status recording_print(Arena *a, const EcgFile *files, const Wish *w, Buf *b, bool *ret,
                              Err *err)
{
    EcgRecording rec;
    EcgPart part = part_for(w);
    if (w->csv) {
        return csv_print(a, files, w, b, ret, err);
    }
    TRY(ecg_read_part(a, files, w->n_files, &part, &rec, err));
    if (w->svg != NULL) {
        return svg_print(w, &rec, b, ret, err);
    }
    *ret = w->json ? json_print(w, &rec, b) : words_print(a, &rec, b);
    return OK;
}

static int wish_run(Arena *a, const Wish *w)
{
    Err err;
    Buf b;
    bool written = false;
    EcgFile *files = arena_array(a, EcgFile, ECG_FILES_MAX);
    err_init(&err, a);
    if (files_open(a, w, files, &err) != OK) {
        issues_print(w, &err);
        return CMD_WRONG_USE;
    }
    buf_init(&b, 0);
    Status s = recording_print(a, files, w, &b, &written, &err);
    buf_done(&b);
    if (s != OK) {
        issues_print(w, &err);
    }
    return s == OK && written && fflush(stdout) == 0 ? CMD_DONE : CMD_FAULTS;
}

int cmd_ecg(int argc, char **argv)
{
    Wish w = {0};
    int rc = wish_parse(argc, argv, &w);
    if (rc >= 0) {
        return rc;
    }
    Arena a;
    arena_init(&a, MEMORY_MAX);
    rc = wish_run(&a, &w);
    arena_done(&a);
    return rc;
}
