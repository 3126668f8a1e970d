/*
 * A package and answers to its forms: the first line is its name, lines "@@ PATH" begin its files.
 * What lints without an issue compiles; "response.json" is then read and checked as an answer to
 * each form. Everything else is refused with an issue, whatever the JSON.
 */
#include "flow_inner.h"

#define FILES_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct Files {
    Str path[FILES_MAX], content[FILES_MAX];
    size_t n;
    Str response;
} Files;

static void files_cut(Str text, Files *ret)
{
    while (str_starts(text, STR("@@ ")) && ret->n < FILES_MAX) {
        Str path;
        str_cut(str_skip(text, 3), '\n', &path, &text);
        ptrdiff_t end = str_find(text, STR("\n@@ "));
        Str content = end < 0 ? text : str_take(text, (size_t)end + 1);
        text = str_skip(text, content.n);
        if (str_is(path, "response.json")) {
            ret->response = content;
        } else {
            ret->path[ret->n] = path;
            ret->content[ret->n++] = content;
        }
    }
}

static bool nothing_found(void *ctx, Str type, Str query, Str reference)
{
    (void)ctx, (void)type, (void)query, (void)reference;
    return false;
}

static bool never_taken(void *ctx, Str slot)
{
    (void)ctx;
    (void)slot;
    return false;
}

static bool no_blob(void *ctx, Str reference, Str *ret_bytes, Str *ret_type)
{
    (void)ctx, (void)reference, (void)ret_bytes, (void)ret_type;
    return false;
}

static void response_check(Arena *a, const FlowPackage *p, const FlowForm *form, const JsonDoc *d)
{
    Err err;
    FlowFill *fill;
    FlowScope scope = {.arena = a, .pkg = p, .now_ms = 1795305600000, .zone_min = ZONE_CHINA_MIN};
    FlowFillEnv env = {
        .scope = &scope, .found = nothing_found, .taken = never_taken, .blob = no_blob};
    err_init(&err, a);
    map_init(&scope.fixed, a);
    Status s = flow_fill_new(a, form, d, JSON_ROOT, &fill, &err);
    if (s == OK) {
        s = flow_fill_check(fill, &env, &err);
    }
    mk_check(s == OK || err.count > 0);
    if (s == OK) {
        JsonDoc again;
        mk_check(json_parse(a, flow_fill_render(fill, &env, "completed"), &JSON_LIMITS_FHIR, &again,
                            &err) == OK);
    }
}

/* The last package of another name that compiled, unharmed: mutated answers are tried on it. */
static struct {
    Arena arena;
    Str name;
    FlowPackage *package;
} kept;

static void package_keep(Str name, Str text)
{
    FlowPackage *p;
    Files files = {.n = 0};
    Err err;
    Arena a;
    arena_init(&a, 0);
    err_init(&err, &a);
    files_cut(arena_str(&a, text), &files);
    FlowPackageSource source = {.name = arena_str(&a, name),
                                .paths = files.path,
                                .contents = files.content,
                                .files_n = files.n};
    if (flow_package_new(&source, &p, &err) != OK) {
        arena_done(&a);
        return;
    }
    if (kept.package) {
        flow_package_free(kept.package);
        arena_done(&kept.arena);
    }
    kept.arena = a;
    kept.name = source.name;
    kept.package = p;
}

static void responses_check(Arena *a, const FlowPackage *p, Str response)
{
    JsonDoc d;
    if (json_parse(a, response, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return;
    }
    for (size_t i = 0; i < p->form_n; i++) {
        response_check(a, p, p->form[i], &d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    Str name, text;
    Files files = {.n = 0};
    arena_init(&a, 32u << 20);
    err_init(&err, &a);
    str_cut((Str){(const char *)data, n}, '\n', &name, &text);
    files_cut(text, &files);
    FlowPackageSource source = {
        .name = name, .paths = files.path, .contents = files.content, .files_n = files.n};
    Status s = flow_lint(&source, &err);
    mk_check((s == OK) == (err.count == 0));
    if (!kept.package || !str_eq(name, kept.name)) {
        package_keep(name, text);
    }
    if (kept.package) {
        responses_check(&a, kept.package, files.response);
    }
    arena_done(&a);
    return 0;
}
