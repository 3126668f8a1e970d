#include "flow_test.h"

#include "insight_story.h"

#include <stdio.h>

#define FILES_MAX 200

typedef struct Reading {
    TestPackages *p;
    const char *dir;
    FlowPackageSource *shared; /* pages beside the folders */
} Reading;

static void source_init(TestPackages *p, FlowPackageSource *s, Str name)
{
    s->name = arena_str(&p->arena, name);
    s->paths = arena_array(&p->arena, Str, FILES_MAX);
    s->contents = arena_array(&p->arena, Str, FILES_MAX);
}

static FlowPackageSource *package_add(TestPackages *p, Str name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (str_eq(p->source[i].name, name)) {
            return &p->source[i];
        }
    }
    assert_true(p->n < TEST_PACKAGES_MAX);
    FlowPackageSource *s = &p->source[p->n++];
    source_init(p, s, name);
    return s;
}

static Status file_add(void *ctx, Str relative, Err *err)
{
    Reading *r = ctx;
    Str name, path, bytes, full = path_join(&r->p->arena, str_from_c(r->dir), relative);
    bool beside = !str_cut(relative, '/', &name, &path);
    TRY(file_read(&r->p->arena, full.p, 4u << 20, &bytes, err));
    FlowPackageSource *s = beside ? r->shared : package_add(r->p, name);
    path = beside ? relative : path;
    assert_true(s->files_n < FILES_MAX);
    ((Str *)s->paths)[s->files_n] = arena_str(&r->p->arena, path);
    ((Str *)s->contents)[s->files_n++] = bytes;
    return OK;
}

void test_packages_init(TestPackages *p)
{
    *p = (TestPackages){0};
    arena_init(&p->arena, 0);
}

void test_packages_done(TestPackages *p)
{
    arena_done(&p->arena);
}

void test_packages_read(TestPackages *p, const char *dir)
{
    FlowPackageSource shared = {0};
    Reading r = {p, dir, &shared};
    Err err;
    size_t first = p->n;
    source_init(p, &shared, STR_NONE);
    err_init(&err, &p->arena);
    Status s = dir_walk(&p->arena, dir, file_add, &r, &err);
    assert_int_equal(s, OK);
    assert_true(p->n > 0);
    for (size_t i = first; i < p->n; i++) {
        flow_package_share(&p->arena, &p->source[i], &shared);
    }
}

FlowPackageSource *test_package(TestPackages *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (str_is(p->source[i].name, name)) {
            return &p->source[i];
        }
    }
    fail_msg("no package %s", name);
    return NULL;
}

static Str *file_at(const FlowPackageSource *source, const char *path)
{
    for (size_t i = 0; i < source->files_n; i++) {
        if (str_is(source->paths[i], path)) {
            return (Str *)&source->contents[i];
        }
    }
    return NULL;
}

void test_file_set(TestPackages *p, FlowPackageSource *source, const char *path, Str bytes)
{
    Str *at = file_at(source, path);
    if (!at) {
        ((Str *)source->paths)[source->files_n] = arena_str(&p->arena, str_from_c(path));
        at = (Str *)&source->contents[source->files_n++];
    }
    *at = bytes;
}

Str test_file(const FlowPackageSource *source, const char *path)
{
    const Str *at = file_at(source, path);
    assert_non_null(at);
    return *at;
}

Str test_issues(Arena *a, const Err *err)
{
    Str out = STR_NONE;
    for (const Issue *i = err->first; i; i = i->next) {
        out = arena_cat(a, out, i->where, STR(": "), i->en, STR("\n"));
    }
    return out;
}

FlowStoryResult test_story(TestPackages *p, const char *name, bool print)
{
    Err err;
    Buf report;
    Arena a;
    FlowStoryResult result = {0};
    arena_init(&a, 0);
    err_init(&err, &a);
    buf_init(&report, 1u << 20);
    Status s = flow_story(p->source, p->n, str_from_c(name), insight_story_figures, &report,
                          &result, &err);
    if (s != OK) {
        result.failed++;
    }
    if (print && result.failed) {
        printf("%.*s%.*s", STR_ARG(buf_str(&report)), STR_ARG(test_issues(&a, &err)));
    }
    buf_done(&report);
    arena_done(&a);
    return result;
}
