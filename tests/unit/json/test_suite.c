/* JSONTestSuite: every y_ file parses, every n_ file is refused, i_ files may do either. */
#include "json.h"

#include "test.h"

typedef struct Count {
    Arena *arena;
    const char *dir;
    int accepted, refused, wrong;
} Count;

static Status try_file(void *ctx, Str name, Err *err)
{
    Count *c = ctx;
    Str text;
    JsonDoc d;
    TRY(file_read(c->arena, path_join(c->arena, str_from_c(c->dir), name).p, 1 << 20, &text, err));
    JsonLimits limits = {1000, 1 << 20};
    bool ok = json_parse(c->arena, text, &limits, &d, NULL) == OK;
    c->accepted += ok;
    c->refused += !ok;
    if (name.p[0] == (ok ? 'n' : 'y')) {
        printf("%s: %.*s\n", ok ? "accepted" : "refused", STR_ARG(name));
        c->wrong++;
    }
    return OK;
}

static void every_file_as_its_name_says(void **state)
{
    (void)state;
    Arena a;
    Err e;
    arena_init(&a, 0);
    err_init(&e, &a);
    Count c = {&a, suite_folder(&a, "07-jsontestsuite/test_parsing"), 0, 0, 0};
    if (c.dir) {
        assert_int_equal(dir_walk(&a, c.dir, try_file, &c, &e), OK);
        printf("JSONTestSuite: %d accepted, %d refused, %d wrong\n", c.accepted, c.refused,
               c.wrong);
        assert_true(c.accepted + c.refused > 0);
        assert_int_equal(c.wrong, 0);
    }
    arena_done(&a);
    if (!c.dir) {
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_as_its_name_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
