/*
 * menkou ecg: one recording, read by the decoder that the server uses, as words, CSV, Parameters
 * or a page. A damaged recording is exit status 1, a file that cannot be opened 2.
 */
#include <stdio.h>

#include "cmd.h"
#include "cmd_args.h"
#include "ecg.h"
#include "ecg_parameters.h"
#include "ecg_svg.h"
#include "mk.h"

#define MEMORY_MAX (768u * 1024u * 1024u)

static const char usage[] =
    "menkou ecg FILE... [--csv | --json | --svg LAYOUT]\n"
    "\n"
    "Reads one ECG recording: an SCP-ECG file, a WFDB header with its signal files, or a ZIP.\n"
    "\n"
    "  (nothing)     patient, device, time and leads in words\n"
    "  --csv         first row: the leads in file order, each with its factor (value of one step;\n"
    "                \"zero\" is the sample that means 0); then a row of integers a sample\n"
    "  --json        the FHIR Parameters that the server's $ecg answers\n"
    "  --svg LAYOUT  a page on ECG paper, LAYOUT is 3x4, 6x2 or 12x1\n"
    "  --help        this text\n"
    "\n"
    "Exit status: 0 done; 1 the recording is damaged or not one; 2 wrong use.\n";

typedef struct Wish {
    bool csv, json;
    const char *svg; /* layout, or NULL */
    EcgLayout layout;
    size_t n_files;
    const char *file[ECG_FILES_MAX];
} Wish;

/* -1: go on; else the exit status. */
static int wish_parse(int argc, char **argv, Wish *w)
{
    const CmdOption option[] = {
        {"--csv", NULL, &w->csv}, {"--json", NULL, &w->json}, {"--svg", &w->svg, NULL}};
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
    return -1;
}

/* The text of an issue names its place itself. */
static void issues_print(const Err *err)
{
    Lang lang = cmd_lang();
    for (const Issue *i = err->first; i != NULL; i = i->next) {
        Str text = lang == LANG_ZH ? i->zh : i->en;
        fprintf(stderr, "menkou ecg: %.*s\n", STR_ARG(text));
    }
}

static Str base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return str_from_c(slash ? slash + 1 : path);
}

static Status files_load(Arena *a, const Wish *w, EcgFile *files, Err *err)
{
    for (size_t i = 0; i < w->n_files; i++) {
        files[i].title = base_name(w->file[i]);
        TRY(file_read(a, w->file[i], ECG_BYTES_MAX, &files[i].bytes, err));
    }
    return OK;
}

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

/* Leads of a faster rate have more rows; the others' cells are then empty. */
static bool csv_print(Arena *a, const EcgRecording *rec, Buf *b)
{
    size_t rows = 0;
    for (size_t i = 0; i < rec->n_leads; i++) {
        buf_c(b, i ? "," : "");
        lead_head_csv(b, a, &rec->leads[i]);
        rows = rec->leads[i].n > rows ? rec->leads[i].n : rows;
    }
    buf_char(b, '\n');
    bool good = true;
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
    EcgExtent e = ecg_extent(l, 0, l->n);
    Str rate = ecg_rational_text(a, l->rate), factor = ecg_rational_text(a, l->gain);
    buf_printf(b, "%-9.*s %9zu samples  %.*s Hz  factor %.*s %.*s", STR_ARG(l->name), l->n,
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
    return buf_flush(b);
}

static bool svg_print(const Wish *w, const EcgRecording *rec, Buf *b, Err *err)
{
    EcgSvgOptions o = {.lang = cmd_lang(), .not_for_diagnosis = true};
    if (ecg_svg(b, rec, w->layout, &o, err) != OK) {
        issues_print(err);
        return false;
    }
    return buf_flush(b);
}

static bool json_print(const EcgRecording *rec, Buf *b)
{
    ecg_parameters_write(b, rec);
    buf_char(b, '\n');
    return buf_flush(b);
}

static int recording_print(Arena *a, const Wish *w, const EcgRecording *rec, Err *err)
{
    Buf b;
    buf_init(&b, 0);
    bool good = w->csv           ? csv_print(a, rec, &b)
                : w->json        ? json_print(rec, &b)
                : w->svg != NULL ? svg_print(w, rec, &b, err)
                                 : words_print(a, rec, &b);
    buf_done(&b);
    return good && fflush(stdout) == 0 ? CMD_DONE : CMD_FAULTS;
}

static int wish_run(Arena *a, const Wish *w)
{
    Err err;
    EcgFile *files = arena_array(a, EcgFile, ECG_FILES_MAX);
    EcgRecording rec;
    err_init(&err, a);
    if (files_load(a, w, files, &err) != OK) {
        issues_print(&err);
        return CMD_WRONG_USE;
    }
    if (ecg_read(a, files, w->n_files, &rec, &err) != OK) {
        issues_print(&err);
        return CMD_FAULTS;
    }
    return recording_print(a, w, &rec, &err);
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
