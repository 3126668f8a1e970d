#include "cmd_validate.h"

#include <stdio.h>

#include "cmd_args.h"
#include "fhir_resource.h"
#include "fhir_validate.h"

#define FILE_BYTES_MAX (1u << 30)
#define TERM_BYTES_MAX ((size_t)64 << 20)

static const char HELP[] =
    "menkou validate FILE… [--lang zh|en] [--quiet]\n"
    "\n"
    "Checks FHIR R4 resources in JSON (a .ndjson file: one on each line) and prints an\n"
    "OperationOutcome for each, one a line.\n"
    "\n"
    "  --lang zh|en  language of the texts (the terminal's)\n"
    "  --quiet       print only what is wrong\n"
    "\n"
    "Exit: 0 all are valid, 1 some are not, 2 wrong use or a file that cannot be read.\n";

typedef struct Run {
    Lang lang;
    bool quiet;
    unsigned long checked, invalid;
    TermSource terms; /* R4's own code systems and value sets */
} Run;

static int errors_of(const Err *err)
{
    int n = 0;
    for (const Issue *i = err->first; i; i = i->next) {
        n += i->severity != SEVERITY_WARNING;
    }
    return n;
}

/* Checks one text and prints its outcome. */
static void text_check(Run *run, const char *file, unsigned long line, Str bytes)
{
    Arena a;
    Err err;
    JsonDoc d;
    arena_init(&a, 0);
    err_init(&err, &a);
    Status s = json_parse(&a, bytes, &JSON_LIMITS_FHIR, &d, &err);
    s = s == OK ? fhir_body_check(&d, &err) : s;
    s = s == OK ? fhir_validate_with(&d, JSON_ROOT,
                                     &(FhirCheck){.thorough = true, .terms = &run->terms}, &err)
                : s;
    run->checked++;
    if (s != OK) {
        run->invalid++;
        fprintf(stderr, "%s:%lu: %d\n", file, line, errors_of(&err));
    }
    if (s != OK || !run->quiet) {
        Buf out;
        buf_init(&out, 0);
        fhir_outcome_write(&out, &err, run->lang);
        printf("%.*s\n", STR_ARG(buf_str(&out)));
        buf_done(&out);
    }
    arena_done(&a);
}

static void lines_check(Run *run, const char *file, Str bytes)
{
    Str line;
    for (unsigned long n = 1; bytes.n; n++) {
        str_cut(bytes, '\n', &line, &bytes);
        if (str_trim(line).n) {
            text_check(run, file, n, line);
        }
    }
}

static bool file_check(Run *run, const char *file)
{
    Arena a;
    Err err;
    Str bytes;
    arena_init(&a, 0);
    err_init(&err, &a);
    bool read = file_read(&a, file, FILE_BYTES_MAX, &bytes, &err) == OK;
    if (!read) {
        Str text = run->lang == LANG_ZH ? err.first->zh : err.first->en;
        fprintf(stderr, "menkou validate: %s: %.*s\n", file, STR_ARG(text));
    } else if (str_ends(str_from_c(file), STR(".ndjson"))) {
        lines_check(run, file, bytes);
    } else {
        text_check(run, file, 1, bytes);
    }
    arena_done(&a);
    return read;
}

/* False for a language that is neither. */
static bool lang_parse(const char *name, Lang *ret)
{
    bool zh = name && strcmp(name, "zh") == 0, en = name && strcmp(name, "en") == 0;
    *ret = zh ? LANG_ZH : en ? LANG_EN : cmd_lang();
    return !name || zh || en;
}

int cmd_validate(int argc, char **argv)
{
    Arena arena;
    Run run = {0};
    const char *lang = NULL;
    const CmdOption options[] = {{"--lang", &lang, NULL}, {"--quiet", NULL, &run.quiet}};
    arena_init(&arena, 0);
    run.terms.cache = fhir_term_cache_new(TERM_BYTES_MAX);
    CmdArgs args = {"validate",   HELP, options, 2, arena_array(&arena, const char *, argc),
                    (size_t)argc, 0};
    int status = cmd_args_parse(&args, argc, argv);
    if (status < 0 && args.word_n == 0) {
        status = cmd_wrong_use("validate", "name at least one FILE");
    }
    if (status < 0 && !lang_parse(lang, &run.lang)) {
        status = cmd_wrong_use("validate", "--lang takes zh or en");
    }
    bool read = true;
    for (size_t i = 0; status < 0 && i < args.word_n; i++) {
        read = file_check(&run, args.word[i]) && read;
    }
    if (status < 0) {
        fprintf(stderr, "%lu checked, %lu invalid\n", run.checked, run.invalid);
        status = !read ? CMD_WRONG_USE : run.invalid ? CMD_FAULTS : CMD_DONE;
    }
    fhir_term_cache_free(run.terms.cache);
    arena_done(&arena);
    return status;
}
