#include "cmd_validate.h"

#include <stdio.h>

#include "fhir_resource.h"
#include "fhir_validate.h"

#define EXIT_INVALID   1
#define EXIT_USE       2
#define FILE_BYTES_MAX (1u << 30)

static const char HELP[] =
    "menkou validate FILE… [--lang zh|en] [--quiet]\n"
    "\n"
    "Checks FHIR R4 resources in JSON (a .ndjson file: one on each line) and prints an\n"
    "OperationOutcome for each, one a line.\n"
    "\n"
    "  --lang zh|en  language of the texts (zh)\n"
    "  --quiet       print only what is wrong\n"
    "\n"
    "Exit: 0 all are valid, 1 some are not, 2 wrong use or a file that cannot be read.\n";

typedef struct Run {
    Lang lang;
    bool quiet;
    unsigned long checked, invalid;
} Run;

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
    s = s == OK ? fhir_validate(&d, JSON_ROOT, STR_NONE, &err) : s;
    run->checked++;
    if (s != OK) {
        run->invalid++;
        fprintf(stderr, "%s:%lu: %d\n", file, line, err.count);
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

static int wrong_use(const char *what, const char *which)
{
    fprintf(stderr, "menkou validate: %s%s (see menkou validate --help)\n", what, which);
    return EXIT_USE;
}

static bool lang_parse(const char *name, Lang *ret)
{
    bool zh = name && strcmp(name, "zh") == 0, en = name && strcmp(name, "en") == 0;
    *ret = en ? LANG_EN : LANG_ZH;
    return zh || en;
}

int cmd_validate(int argc, char **argv)
{
    Run run = {.lang = LANG_ZH};
    int files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(HELP, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--quiet") == 0) {
            run.quiet = true;
        } else if (strcmp(argv[i], "--lang") == 0) {
            if (!lang_parse(++i < argc ? argv[i] : NULL, &run.lang)) {
                return wrong_use("--lang takes zh or en", "");
            }
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return wrong_use("unknown option ", argv[i]);
        } else {
            argv[1 + files++] = argv[i];
        }
    }
    if (files == 0) {
        return wrong_use("name at least one FILE", "");
    }
    bool read = true;
    for (int i = 1; i <= files; i++) {
        read = file_check(&run, argv[i]) && read;
    }
    fprintf(stderr, "%lu checked, %lu invalid\n", run.checked, run.invalid);
    return !read ? EXIT_USE : run.invalid ? EXIT_INVALID : 0;
}
