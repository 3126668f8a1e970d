#include "cmd_ecg.h"

#include <stdio.h>
#include <stdlib.h>

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

typedef enum Output { OUTPUT_WORDS, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_SVG } Output;

typedef struct Wish {
    Output output;
    EcgLayout layout;
    bool help;
    size_t n_files;
    const char *file[ECG_FILES_MAX];
} Wish;

static Lang lang_find(void)
{
    static const char *const name[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const char *v = getenv(name[i]);
        if (v != NULL && *v != '\0') {
            return str_starts(str_from_c(v), STR("zh")) ? LANG_ZH : LANG_EN;
        }
    }
    return LANG_EN;
}

static bool wrong_use(const char *what, const char *arg)
{
    fprintf(stderr, "menkou ecg: %s%s; see menkou ecg --help\n", what, arg);
    return false;
}

static bool wish_svg(Wish *w, const char *layout)
{
    w->output = OUTPUT_SVG;
    if (layout == NULL || !ecg_layout_from(str_from_c(layout), &w->layout)) {
        return wrong_use("--svg needs a layout: 3x4, 6x2 or 12x1", "");
    }
    return true;
}

/* argv[0] is the subcommand's name. */
static bool wish_parse(int argc, char **argv, Wish *w)
{
    bool files_only = false;
    for (int i = 1; i < argc; i++) {
        Str arg = str_from_c(argv[i]);
        if (files_only || arg.n == 0 || arg.p[0] != '-') {
            if (w->n_files == ECG_FILES_MAX) {
                return wrong_use("too many files", "");
            }
            w->file[w->n_files++] = argv[i];
        } else if (str_is(arg, "--")) {
            files_only = true;
        } else if (str_is(arg, "--help") || str_is(arg, "-h")) {
            w->help = true;
        } else if (str_is(arg, "--csv")) {
            w->output = OUTPUT_CSV;
        } else if (str_is(arg, "--json")) {
            w->output = OUTPUT_JSON;
        } else if (str_is(arg, "--svg")) {
            i++;
            if (!wish_svg(w, i < argc ? argv[i] : NULL)) {
                return false;
            }
        } else {
            return wrong_use("unknown option ", argv[i]);
        }
    }
    return w->help || w->n_files > 0 || wrong_use("no file given", "");
}

static void issues_print(const Err *err)
{
    Lang lang = lang_find();
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

static int recording_print(Arena *a, const Wish *w, const EcgRecording *rec, Err *err)
{
    Buf b;
    buf_init(&b, 0);
    bool good = true;
    Status st = OK;
    EcgSvgOptions svg = {.lang = lang_find(), .not_for_diagnosis = true};
    switch (w->output) {
    case OUTPUT_CSV:
        good = csv_print(a, rec, &b);
        break;
    case OUTPUT_JSON:
        ecg_parameters_write(&b, rec);
        buf_char(&b, '\n');
        good = buf_flush(&b);
        break;
    case OUTPUT_SVG:
        st = ecg_svg(&b, rec, w->layout, &svg, err);
        good = st == OK && buf_flush(&b);
        break;
    case OUTPUT_WORDS:
        good = words_print(a, rec, &b);
        break;
    }
    buf_done(&b);
    if (st != OK) {
        issues_print(err);
    }
    return good && fflush(stdout) == 0 ? 0 : 1;
}

static int wish_run(Arena *a, const Wish *w)
{
    Err err;
    EcgFile *files = arena_array(a, EcgFile, ECG_FILES_MAX);
    EcgRecording rec;
    err_init(&err, a);
    if (files_load(a, w, files, &err) != OK) {
        issues_print(&err);
        return 2;
    }
    if (ecg_read(a, files, w->n_files, &rec, &err) != OK) {
        issues_print(&err);
        return 1;
    }
    return recording_print(a, w, &rec, &err);
}

int cmd_ecg(int argc, char **argv)
{
    Wish w = {0};
    if (!wish_parse(argc, argv, &w)) {
        return 2;
    }
    if (w.help) {
        fputs(usage, stdout);
        return 0;
    }
    Arena a;
    arena_init(&a, MEMORY_MAX);
    int rc = wish_run(&a, &w);
    arena_done(&a);
    return rc;
}
