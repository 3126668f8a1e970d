/* menkou fhirpath: one expression over one resource. */
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_args.h"
#include "cmd_resource.h"
#include "fhir_term.h"

#define FILE_BYTES_MAX (256u << 20)
#define TERM_BYTES     (16u << 20)

static const char USAGE[] =
    "menkou fhirpath EXPRESSION [FILE]\n"
    "\n"
    "Evaluates a FHIRPath expression over the FHIR resource (JSON or XML; or the array) in FILE\n"
    "(standard input if it is \"-\"; nothing without FILE) and prints the result as a JSON array.\n"
    "memberOf() knows R4's value sets and UCUM. What trace() shows goes to standard error. An\n"
    "expression that begins with a dash and a letter stands behind \"--\".\n"
    "\n"
    "  --strict   an element that the type does not have is an error\n"
    "  --type     print each value's type before it, one a line, instead of JSON\n"
    "\n"
    "Exit: 0 evaluated, 1 the expression or the resource is wrong, 2 wrong use.\n";

typedef struct Ask {
    Arena *arena;
    Err *err;
    const char *expression, *file;
    bool strict, type;
} Ask;

static Status read_input(const Ask *ask, JsonDoc *ret)
{
    Str text;
    JsonLimits limits = {.depth = 1000, .bytes = FILE_BYTES_MAX};
    TRY(file_read(ask->arena, cmd_file_path(ask->file), FILE_BYTES_MAX, &text, ask->err));
    return cmd_resource_parse(ask->arena, text, &limits, ret, ask->err);
}

/* trace(): one line on stderr, "name: [values]". */
static void trace_show(void *ctx, Str name, const FhirValues *values)
{
    Buf out;
    (void)ctx;
    buf_init(&out, 0);
    buf_add(&out, name);
    buf_c(&out, ": [");
    for (size_t i = 0; i < values->n; i++) {
        buf_c(&out, i ? "," : "");
        fhir_value_json(&out, &values->at[i]);
    }
    buf_c(&out, "]\n");
    fwrite(out.p, 1, out.n, stderr);
    buf_done(&out);
}

/* The resource, or the items of an array. */
static FhirNode *focus_of(const Ask *ask, const JsonDoc *d, size_t *ret_n)
{
    bool many = json_type(d, JSON_ROOT) == JSON_ARRAY;
    *ret_n = many ? json_count(d, JSON_ROOT) : 1;
    FhirNode *focus = arena_array(ask->arena, FhirNode, *ret_n + 1);
    focus[0] = fhir_node_root(d);
    for (JsonIter it = json_iter(d, JSON_ROOT); many && json_next(&it);) {
        focus[it.index] = fhir_node_resource(d, it.value);
    }
    return focus;
}

static Status evaluate(const Ask *ask, FhirTerm *term, FhirValues *ret)
{
    FhirPath *path;
    JsonDoc d;
    Clock clock;
    FhirNode *focus = NULL;
    size_t n = 0;
    clock_init_system(&clock);
    FhirPathEnv env = {
        .arena = ask->arena,
        .now_ms = clock_now(&clock),
        .zone_min = ZONE_CHINA_MIN,
        .strict = ask->strict,
        .ctx = term,
        .member_of = fhir_term_member_of,
        .trace = trace_show,
    };
    TRY(fhir_path_compile(ask->arena, str_from_c(ask->expression), &path, ask->err));
    if (ask->file) {
        JsonDoc *doc = arena_new(ask->arena, JsonDoc); /* the result points into it */
        TRY(read_input(ask, &d));
        *doc = d;
        focus = focus_of(ask, doc, &n);
    }
    return fhir_path_eval(path, &env, focus, n, ret, ask->err);
}

static void print(const Ask *ask, const FhirValues *values)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, ask->type ? "" : "[");
    for (size_t i = 0; i < values->n; i++) {
        if (ask->type) {
            buf_add(&out, fhir_value_type_name(&values->at[i]));
            buf_char(&out, '\t');
        } else if (i) {
            buf_char(&out, ',');
        }
        fhir_value_json(&out, &values->at[i]);
        buf_c(&out, ask->type ? "\n" : "");
    }
    buf_c(&out, ask->type ? "" : "]\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
}

int cmd_fhirpath(int argc, char **argv)
{
    Arena arena;
    Err err;
    FhirValues values = {0};
    Ask ask = {.arena = &arena, .err = &err};
    const char *word[2] = {NULL, NULL};
    const CmdOption options[] = {{"--strict", NULL, &ask.strict}, {"--type", NULL, &ask.type}};
    CmdArgs args = {"fhirpath", USAGE, options, 2, word, 2, 0};
    int exit = cmd_args_parse(&args, argc, argv);
    if (exit >= 0) {
        return exit;
    }
    if (!word[0]) {
        return cmd_wrong_use("fhirpath", "give an EXPRESSION");
    }
    ask.expression = word[0];
    ask.file = word[1];
    arena_init(&arena, 0);
    err_init(&err, &arena);
    TermSource tables = {.cache = fhir_term_cache_new(TERM_BYTES)}; /* R4's own */
    Status status = evaluate(&ask, fhir_term_new(&arena, &tables), &values);
    if (status == OK) {
        print(&ask, &values);
    } else {
        (void)cmd_failed("fhirpath", &err);
    }
    arena_done(&arena);
    fhir_term_cache_free(tables.cache);
    return status == OK ? CMD_DONE : CMD_FAULTS;
}
